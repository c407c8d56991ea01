/* Help as text, out of the table. At most 80 columns wide. */
#include "../rules/utf8.h"
#include "command.h"
#include "style.h"

#define WIDTH 79
#define LEFT_MOST 30 /* the widest left column of a list; what is wider has a line of its own */

/* --- words in lines -------------------------------------------------------------------------- */

struct wrap {
    struct buffer *out;
    size_t indent, column;
};

static void wrap_word(struct wrap *wrap, struct text word)
{
    size_t width = utf8_count(word);
    if (wrap->column > wrap->indent && wrap->column + 1 + width > WIDTH) {
        buffer_append_char(wrap->out, '\n');
        style_pad(wrap->out, wrap->indent);
        wrap->column = wrap->indent;
    } else if (wrap->column > wrap->indent) {
        buffer_append_char(wrap->out, ' ');
        wrap->column++;
    }
    buffer_append_text(wrap->out, word);
    wrap->column += width;
}

/* Words of `string` from column `indent`, where the line already is; lines that follow are
 * indented. */
static void write_wrapped(struct buffer *out, const char *string, size_t indent)
{
    struct wrap wrap = {out, indent, indent};
    while (*string) {
        if (strncmp(string, "\n\n", 2) == 0) {
            buffer_append_string(out, "\n\n");
            style_pad(out, indent);
            wrap.column = indent;
        }
        string += strspn(string, " \n");
        size_t length = strcspn(string, " \n");
        if (length)
            wrap_word(&wrap, (struct text){string, length});
        string += length;
    }
    buffer_append_char(out, '\n');
}

/* One row of a list: `left`, then `right` wrapped in the column beside it. */
static void write_row(struct buffer *out, struct text left, const char *right, size_t left_width,
                      const char *bold, const char *end)
{
    size_t width = utf8_count(left);
    buffer_append_string(out, "  ");
    buffer_append_string(out, bold);
    buffer_append_text(out, left);
    buffer_append_string(out, end);
    if (width > left_width) {
        buffer_append_char(out, '\n');
        style_pad(out, left_width + 4);
    } else {
        style_pad(out, left_width + 2 - width);
    }
    write_wrapped(out, right, left_width + 4);
}

static void write_heading(struct buffer *out, const char *heading, const struct style *style)
{
    buffer_printf(out, "\n%s%s%s\n", style->bold, heading, style->end);
}

/* --- the parts ------------------------------------------------------------------------------- */

/* One option as it stands in a usage line, as one word: it is not broken. */
static void write_usage_option(struct wrap *wrap, const struct option *option)
{
    struct buffer word;
    buffer_init(&word, 0);
    const char *close = option->required ? "" : option->type == OPTION_LIST ? "]..." : "]";
    buffer_append_string(&word, option->required ? "" : "[");
    buffer_printf(&word, "--%s", option->name);
    if (option->argument)
        buffer_printf(&word, " %s", option->choices ? option->choices : option->argument);
    buffer_append_string(&word, close);
    wrap_word(wrap, buffer_text(&word));
    if (word.failed)
        wrap->out->failed = word.failed;
    buffer_dispose(&word);
}

void help_usage(struct buffer *out, const struct command *command)
{
    size_t indent = strlen("usage: weir ") + strlen(command->name) + 1;
    struct wrap wrap = {out, indent, indent};
    buffer_printf(out, "usage: weir %s ", command->name);
    for (const struct option *option = command->options; option && option->name; option++) {
        if (option->required)
            write_usage_option(&wrap, option);
    }
    for (const struct option *option = command->options; option && option->name; option++) {
        if (!option->required)
            write_usage_option(&wrap, option);
    }
    for (const struct operand *operand = command->operands; operand && operand->name; operand++) {
        char word[64];
        snprintf(word, sizeof word, operand->required ? "%s" : "[%s]", operand->name);
        wrap_word(&wrap, text_of(word));
    }
    if (out->length && out->data[out->length - 1] == ' ')
        out->length--;
    buffer_append_char(out, '\n');
}

/* "-o, --output FILE" */
static struct text option_left(struct buffer *scratch, const struct option *option)
{
    buffer_clear(scratch);
    if (option->letter)
        buffer_printf(scratch, "-%c, ", option->letter);
    else
        buffer_append_string(scratch, "    ");
    buffer_printf(scratch, "--%s", option->name);
    if (option->argument)
        buffer_printf(scratch, " %s", option->argument);
    return buffer_text(scratch);
}

static const char *option_right(struct buffer *scratch, const struct option *option)
{
    buffer_clear(scratch);
    buffer_append_string(scratch, option->help);
    if (option->choices)
        buffer_printf(scratch, ": %s", option->choices);
    if (option->type == OPTION_LIST)
        buffer_append_string(scratch, " (may be given several times)");
    if (option->required)
        buffer_append_string(scratch, " (required)");
    if (option->standard)
        buffer_printf(scratch, " (default: %s)", option->standard);
    const char *right = buffer_string(scratch);
    return right ? right : "";
}

static void write_operands(struct buffer *out, const struct command *command,
                           const struct style *style)
{
    size_t width = 0;
    for (const struct operand *operand = command->operands; operand && operand->name; operand++)
        width = strlen(operand->name) > width ? strlen(operand->name) : width;
    if (width == 0)
        return;
    write_heading(out, "Operands", style);
    for (const struct operand *operand = command->operands; operand->name; operand++)
        write_row(out, text_of(operand->name), operand->help, width, style->bold, style->end);
}

static void write_options(struct buffer *out, const struct command *command,
                          const struct style *style)
{
    static const struct option help = {.name = "help", .letter = 'h', .help = "show this help"};
    struct buffer left, right;
    buffer_init(&left, 0);
    buffer_init(&right, 0);
    size_t widest = option_left(&left, &help).length;
    for (const struct option *option = command->options; option && option->name; option++) {
        size_t width = option_left(&left, option).length;
        if (width > widest && width <= LEFT_MOST)
            widest = width;
    }
    write_heading(out, "Options", style);
    for (const struct option *option = command->options; option && option->name; option++)
        write_row(out, option_left(&left, option), option_right(&right, option), widest,
                  style->bold, style->end);
    write_row(out, option_left(&left, &help), option_right(&right, &help), widest, style->bold,
              style->end);
    if (left.failed || right.failed)
        out->failed = left.failed ? left.failed : right.failed;
    buffer_dispose(&left);
    buffer_dispose(&right);
}

/* "weir …  # what it does" becomes a remark and, below it, the line to type. */
static void write_examples(struct buffer *out, const char *examples, const struct style *style)
{
    write_heading(out, "Examples", style);
    for (const char *line = examples; *line;) {
        size_t length = strcspn(line, "\n");
        const char *remark = memmem(line, length, "  # ", 4);
        size_t typed = remark ? (size_t)(remark - line) : length;
        if (remark)
            buffer_printf(out, "  %s%.*s%s\n", style->faint, (int)(length - typed - 2), remark + 2,
                          style->end);
        buffer_printf(out, "  %.*s\n", (int)typed, line);
        line += length;
        line += *line == '\n';
    }
}

static void write_exit_codes(struct buffer *out, const struct style *style)
{
    write_heading(out, "Exit codes", style);
    buffer_append_string(
        out, "  0  fine\n"
             "  1  the definitions have errors, do not hold what was asked for, or a rollout\n"
             "     refuses\n"
             "  2  wrong usage, or the outside world failed\n");
}

void help_command(struct buffer *out, const struct command *command, bool colour)
{
    const struct style *style = style_of(colour);
    buffer_printf(out, "%sweir %s%s - %s\n\n", style->bold, command->name, style->end,
                  command->summary);
    help_usage(out, command);
    buffer_append_char(out, '\n');
    write_wrapped(out, command->description, 0);
    write_operands(out, command, style);
    write_options(out, command, style);
    if (command->examples)
        write_examples(out, command->examples, style);
    write_exit_codes(out, style);
}

void help_overview(struct buffer *out, bool colour)
{
    const struct style *style = style_of(colour);
    size_t width = 0;
    buffer_printf(out, "%sweir%s - a release controller for feature flags that live in Git\n\n",
                  style->bold, style->end);
    buffer_append_string(out, "usage: weir COMMAND [OPTION]... [OPERAND]...\n");
    write_heading(out, "Commands", style);
    for (const struct command *const *command = commands; *command; command++)
        width = strlen((*command)->name) > width ? strlen((*command)->name) : width;
    for (const struct command *const *command = commands; *command; command++)
        write_row(out, text_of((*command)->name), (*command)->summary, width, style->bold,
                  style->end);
    write_heading(out, "To begin with", style);
    buffer_append_string(
        out, "  weir validate examples/acme-shop   check a folder of definitions\n"
             "  weir help eval                     what a command does, with examples\n");
}
