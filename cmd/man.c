/* The manual page, out of the table: one page for all commands, weir(1). It holds no date, so that
 * the same source gives the same bytes. */
#include "command.h"

/* Text for roff: nothing in it may be taken for a request or an escape, and a dash is a dash to be
 * copied. */
static void write_roff(struct buffer *out, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool line_starts = out->length == 0 || out->data[out->length - 1] == '\n';
        if (line_starts && (c == '.' || c == '\''))
            buffer_append_string(out, "\\&");
        if (c == '\\')
            buffer_append_string(out, "\\e");
        else if (c == '-')
            buffer_append_string(out, "\\-");
        else if (c == '\'')
            buffer_append_string(out, "\\(aq");
        else if (c == '"')
            buffer_append_string(out, "\\(dq");
        else
            buffer_append_char(out, c);
    }
}

static void write_string(struct buffer *out, const char *string)
{
    write_roff(out, text_of(string));
}

static void write_paragraphs(struct buffer *out, const char *paragraphs)
{
    while (*paragraphs) {
        const char *end = strstr(paragraphs, "\n\n");
        size_t length = end ? (size_t)(end - paragraphs) : strlen(paragraphs);
        buffer_append_string(out, ".PP\n");
        write_roff(out, (struct text){paragraphs, length});
        buffer_append_char(out, '\n');
        paragraphs += length;
        paragraphs += strspn(paragraphs, "\n");
    }
}

/* "\fB--env\fP \fIE\fP" */
static void write_option_name(struct buffer *out, const struct option *option)
{
    buffer_append_string(out, "\\fB\\-\\-");
    write_string(out, option->name);
    buffer_append_string(out, "\\fP");
    if (option->argument) {
        buffer_append_string(out, " \\fI");
        write_string(out, option->argument);
        buffer_append_string(out, "\\fP");
    }
}

static void write_synopsis(struct buffer *out, const struct command *command)
{
    buffer_printf(out, ".PP\n\\fBweir %s\\fP", command->name);
    for (int required = 1; required >= 0; required--) {
        for (const struct option *option = command->options; option && option->name; option++) {
            if (option->required != (required == 1))
                continue;
            buffer_append_string(out, required ? " " : " [");
            write_option_name(out, option);
            buffer_append_string(out, required ? "" : option->type == OPTION_LIST ? "]..." : "]");
        }
    }
    for (const struct operand *operand = command->operands; operand && operand->name; operand++)
        buffer_printf(out, operand->required ? " \\fI%s\\fP" : " [\\fI%s\\fP]", operand->name);
    buffer_append_char(out, '\n');
}

static void write_options(struct buffer *out, const struct command *command)
{
    for (const struct operand *operand = command->operands; operand && operand->name; operand++) {
        buffer_printf(out, ".TP\n\\fI%s\\fP\n", operand->name);
        write_string(out, operand->help);
        buffer_append_char(out, '\n');
    }
    for (const struct option *option = command->options; option && option->name; option++) {
        buffer_append_string(out, ".TP\n");
        if (option->letter)
            buffer_printf(out, "\\fB\\-%c\\fP, ", option->letter);
        write_option_name(out, option);
        buffer_append_char(out, '\n');
        write_string(out, option->help);
        if (option->choices)
            buffer_printf(out, ": %s", option->choices);
        if (option->type == OPTION_LIST)
            buffer_append_string(out, " (may be given several times)");
        if (option->required)
            buffer_append_string(out, " (required)");
        if (option->standard) {
            buffer_append_string(out, " (default: ");
            write_string(out, option->standard);
            buffer_append_char(out, ')');
        }
        buffer_append_char(out, '\n');
    }
}

static void write_examples(struct buffer *out, const char *examples)
{
    for (const char *line = examples; *line;) {
        size_t length = strcspn(line, "\n");
        const char *remark = memmem(line, length, "  # ", 4);
        size_t typed = remark ? (size_t)(remark - line) : length;
        buffer_append_string(out, ".PP\n");
        if (remark) {
            write_roff(out, (struct text){remark + 4, length - typed - 4});
            buffer_append_string(out, ":\n");
        }
        buffer_append_string(out, ".PP\n.nf\n.RS 4\n");
        write_roff(out, (struct text){line, typed});
        buffer_append_string(out, "\n.RE\n.fi\n");
        line += length;
        line += *line == '\n';
    }
}

void help_man(struct buffer *out)
{
    buffer_append_string(
        out, ".TH WEIR 1 \"\" \"weir " WEIR_VERSION "\" \"User commands\"\n"
             ".SH NAME\nweir \\- a release controller for feature flags that live in Git\n"
             ".SH SYNOPSIS\n.ad l\n.nh\n");
    for (const struct command *const *command = commands; *command; command++)
        write_synopsis(out, *command);
    buffer_append_string(
        out, ".hy\n.ad b\n.SH DESCRIPTION\n"
             "weir turns every commit of a repository of feature flags into what users get: it\n"
             "checks the definitions, compiles them for each environment, and serves the answers.\n"
             ".SH COMMANDS\n");
    for (const struct command *const *command = commands; *command; command++) {
        buffer_printf(out, ".SS weir %s\n", (*command)->name);
        write_paragraphs(out, (*command)->description);
        write_options(out, *command);
        if ((*command)->examples)
            write_examples(out, (*command)->examples);
    }
    buffer_append_string(
        out,
        ".SH EXIT STATUS\n"
        ".TP\n0\nfine\n"
        ".TP\n1\nthe definitions have errors, or do not hold what was asked for; or a rollout "
        "refuses\n"
        ".TP\n2\nwrong usage, or the outside world failed\n"
        ".SH ENVIRONMENT\n"
        ".TP\nNO_COLOR\nwhen set and not empty: no colours, on a terminal neither\n"
        ".TP\nTMPDIR\nwhere the clone of \\fB\\-\\-repo\\fP \\fIURL\\fP is kept while it is read;\n"
        "otherwise /tmp\n");
}
