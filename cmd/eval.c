/* weir eval: what one user gets for one flag, and why. */
#include <errno.h>
#include <unistd.h>

#include "../controller/clock.h"
#include "../rules/evaluate.h"
#include "../rules/json.h"
#include "../rules/similar.h"
#include "../rules/utf8.h"
#include "commands.h"
#include "source.h"
#include "style.h"

/* --- the context ----------------------------------------------------------------------------- */

struct input {
    const char *name; /* as faults call it */
    struct buffer bytes;
};

static int read_stream(struct input *input, FILE *stream)
{
    for (;;) {
        char *room = buffer_reserve(&input->bytes, 16384);
        size_t got = room ? fread(room, 1, 16384, stream) : 0;
        input->bytes.length += got;
        if (got == 0)
            break;
    }
    if (input->bytes.failed == STATUS_NO_MEMORY)
        return command_fail("no memory for the context");
    if (ferror(stream))
        return command_fail("cannot read the context from %s: %s", input->name, strerror(errno));
    return EXIT_FINE;
}

static int read_named(struct input *input, const char *path)
{
    FILE *stream = fopen(path, "rbe");
    if (!stream)
        return command_fail("cannot read the context from \"%s\": %s", path, strerror(errno));
    int code = read_stream(input, stream);
    fclose(stream);
    return code;
}

/* JSON itself, "@FILE" or "-". One byte more than is accepted is read, so that context_read() sees
 * what is too large. */
static int read_input(struct input *input, const char *given)
{
    int code = EXIT_FINE;
    input->name = "context";
    if (strcmp(given, "-") == 0) {
        input->name = "standard input";
        code = read_stream(input, stdin);
    } else if (given[0] == '@') {
        input->name = given + 1;
        code = read_named(input, given + 1);
    } else {
        buffer_append_string(&input->bytes, given);
    }
    if (code == EXIT_FINE && (input->bytes.failed || input->bytes.length > CONTEXT_MAX_BYTES))
        code = command_fail("%s is larger than %zu KiB, the most a context may have", input->name,
                            CONTEXT_MAX_BYTES >> 10);
    return code;
}

#define EXCERPT_WIDTH 72 /* code points; a context is often one long line */

/* The line of the fault, cut to what is near it, and a caret below. */
static void write_excerpt(struct buffer *out, struct text bytes, const struct error *error)
{
    const char *start = bytes.data, *end = bytes.data + bytes.length;
    for (uint32_t line = 1; line < error->line && start; line++) {
        start = memchr(start, '\n', (size_t)(end - start));
        start = start ? start + 1 : NULL;
    }
    if (!start || error->column == 0)
        return;
    const char *line_end = memchr(start, '\n', (size_t)(end - start));
    struct text line = {start, (size_t)((line_end ? line_end : end) - start)};
    if (utf8_valid_length(line) != line.length)
        return;
    size_t column = error->column - 1;
    size_t first = column > EXCERPT_WIDTH / 2 ? column - EXCERPT_WIDTH / 2 : 0;
    size_t from = utf8_offset(line, first), to = utf8_offset(line, first + EXCERPT_WIDTH);
    buffer_append_string(out, first ? "  …" : "  ");
    for (size_t i = from; i < to; i++) {
        bool control = (unsigned char)line.data[i] < 0x20 || line.data[i] == 0x7f;
        buffer_append(out, control ? " " : &line.data[i], 1); /* one column each, for the caret */
    }
    buffer_append_string(out, to < line.length ? "…\n" : "\n");
    style_pad(out, 2 + (first ? 1 : 0) + column - first);
    buffer_append_string(out, "^\n");
}

static int refuse_context(const struct input *input, const struct error *error)
{
    struct buffer out;
    buffer_init(&out, 0);
    if (error->line)
        command_fail("%s:%u:%u: %s", input->name, error->line, error->column, error->message);
    else
        command_fail("%s: %s", input->name, error->message);
    write_excerpt(&out, buffer_text(&input->bytes), error);
    command_print_aside(&out);
    buffer_dispose(&out);
    return EXIT_USAGE;
}

/* --- the answer ------------------------------------------------------------------------------ */

static void write_row(struct buffer *out, const char *name, struct text value,
                      const struct style *style)
{
    if (value.length == 0)
        return;
    buffer_printf(out, "%s%-8s%s  ", style->bold, name, style->end);
    style_write_safely(out, value);
    buffer_append_char(out, '\n');
}

static void write_text(struct buffer *out, const char *flag, const struct decision *decision)
{
    const struct style *style = style_of(command_colour(STDOUT_FILENO));
    write_row(out, "flag", text_of(flag), style);
    write_row(out, "value", decision->value, style);
    write_row(out, "variant", decision->variant, style);
    write_row(out, "reason", text_of(reason_name(decision->reason)), style);
    if (decision->error != ERROR_NONE) {
        write_row(out, "error", text_of(error_code_name(decision->error)), style);
        write_row(out, "details", text_of(decision->problem), style);
    }
    write_row(out, "metadata", decision->metadata, style);
}

static void write_json(struct buffer *out, const char *flag, const struct decision *decision)
{
    buffer_append_string(out, "{\"flag\":");
    json_write_string(out, text_of(flag));
    if (decision->value.length) {
        buffer_append_string(out, ",\"value\":");
        buffer_append_text(out, decision->value);
    }
    if (decision->variant.length) {
        buffer_append_string(out, ",\"variant\":");
        buffer_append_text(out, decision->variant_json);
    }
    buffer_printf(out, ",\"reason\":\"%s\"", reason_name(decision->reason));
    if (decision->error != ERROR_NONE) {
        buffer_printf(out, ",\"errorCode\":\"%s\"", error_code_name(decision->error));
        if (decision->problem) {
            buffer_append_string(out, ",\"errorDetails\":");
            json_write_string(out, text_of(decision->problem));
        }
    }
    if (decision->metadata.length) {
        buffer_append_string(out, ",\"metadata\":");
        buffer_append_text(out, decision->metadata);
    }
    buffer_append_string(out, "}\n");
}

static int complain_of_unknown(const struct document *document, const char *flag,
                               const char *environment)
{
    struct similar similar = {0};
    for (size_t i = 0; i < document->count; i++)
        similar_offer(&similar, text_of(flag), document->fragments[i]->key);
    if (similar.name.length)
        command_fail("flag \"%.120s\" does not exist in environment \"%s\"; did you mean \"%.*s\"?",
                     flag, environment, (int)similar.name.length, similar.name.data);
    else
        command_fail("flag \"%.120s\" does not exist in environment \"%s\"", flag, environment);
    return EXIT_DEFINITIONS;
}

static int evaluate_flag(const struct document *document, const char *flag, struct input *input,
                         const struct arguments *arguments)
{
    struct context context;
    struct decision decision;
    struct error error = {0};
    struct buffer out;
    int code;
    if (context_init(&context) != STATUS_OK)
        return command_fail("no memory");
    buffer_init(&out, 0);
    if (context_read(&context, document->attributes, buffer_text(&input->bytes), &error) !=
        STATUS_OK) {
        code = refuse_context(input, &error);
    } else {
        const struct fragment *fragment = document_find(document, text_of(flag));
        evaluate(fragment, &context, clock_seconds(&system_clock), &decision);
        if (format_is_json(arguments))
            write_json(&out, flag, &decision);
        else
            write_text(&out, flag, &decision);
        code = command_print(&out);
        if (code == EXIT_FINE && !fragment)
            code = complain_of_unknown(document, flag, argument_string(arguments, "env"));
    }
    buffer_dispose(&out);
    context_dispose(&context);
    return code;
}

/* --- the command ----------------------------------------------------------------------------- */

static int evaluate_in(const struct arguments *arguments, const char *path, const char *flag,
                       struct input *input)
{
    struct source source;
    struct document *document = NULL;
    int code = source_open(&source, arguments, path);
    if (code == EXIT_FINE) {
        const struct environment *environment =
            source_environment(&source, argument_string(arguments, "env"));
        code = environment ? source_compile(&source, environment, &document) : EXIT_USAGE;
    }
    if (code != EXIT_USAGE)
        source_complain(&source, arguments);
    if (document) {
        code = evaluate_flag(document, flag, input, arguments);
        document_release(document);
    }
    source_dispose(&source);
    return code;
}

static int run(const struct arguments *arguments)
{
    struct input input;
    bool both = argument_operands(arguments) == 2;
    const char *path = both ? argument_operand(arguments, 0) : NULL;
    const char *flag = argument_operand(arguments, both ? 1 : 0);
    if (utf8_valid_length(text_of(flag)) != strlen(flag))
        return command_fail("the flag's name is not UTF-8");
    buffer_init(&input.bytes, CONTEXT_MAX_BYTES + 32768);
    int code = read_input(&input, argument_string(arguments, "context"));
    if (code == EXIT_FINE)
        code = evaluate_in(arguments, path, flag, &input);
    buffer_dispose(&input.bytes);
    return code;
}

static const struct option options[] = {
    {.name = "env",
     .letter = 'e',
     .type = OPTION_STRING,
     .argument = "E",
     .required = true,
     .help = "the environment to answer for"},
    {.name = "context",
     .letter = 'c',
     .type = OPTION_STRING,
     .argument = "JSON|@FILE|-",
     .standard = "{}",
     .help = "who asks: a JSON object, a file that holds one, or - for standard input"},
    SOURCE_OPTIONS,
    FORMAT_OPTION,
    {0},
};

static const struct operand operands[] = {
    {.name = "PATH",
     .help = "the folder of definitions, or one file (default: the working folder)",
     .complete = COMPLETE_FOLDER},
    {.name = "FLAG", .help = "the name of the flag", .required = true},
    {0},
};

const struct command eval_command = {
    .name = "eval",
    .summary = "answer what a user gets for a flag, and why",
    .description =
        "Compiles the definitions for one environment and evaluates one flag for one "
        "evaluation context, exactly as the controller and every target's readers would. "
        "The context is a JSON object of attributes, with the user in \"targetingKey\".\n\n"
        "The reason is STATIC (no rules), DEFAULT (no rule matched), TARGETING_MATCH (one "
        "did), DISABLED or ERROR. A flag that does not exist answers FLAG_NOT_FOUND, and "
        "the exit code is 1.",
    .options = options,
    .operands = operands,
    .examples =
        "weir eval --env production examples/acme-shop checkout-v2  # for nobody in particular\n"
        "weir eval -e production -c '{\"country\":\"DE\"}' examples/acme-shop checkout-v2  "
        "# for somebody in Germany\n"
        "echo '{}' | weir eval -e production -c - --rev HEAD checkout-v2  # by the last commit\n",
    .run = run,
};
