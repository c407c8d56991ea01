/* weir eval --flagd FILE: one flag of a flagd document, or a batch; whoever wrote the document. */
#include <unistd.h>

#include "../rules/flagd_check.h"
#include "../rules/utf8.h"
#include "commands.h"
#include "eval.h"

/* --- strict loading -------------------------------------------------------------------------- */

static bool give_source(void *context, struct text path, struct text *out)
{
    (void)path; /* there is one file */
    *out = input_text(context);
    return true;
}

static void print_faults(const struct diagnostics *faults, bool json)
{
    struct buffer out;
    buffer_init(&out, 0);
    if (json) {
        diagnostics_write_json(&out, faults);
        buffer_append_char(&out, '\n');
    } else {
        diagnostics_write_text(&out, faults, command_colour(STDERR_FILENO));
    }
    command_print_aside(&out);
    buffer_dispose(&out);
}

/* Warnings are told and do not stop it. */
static int check_strictly(struct input *input, bool json)
{
    struct diagnostics faults;
    int code = EXIT_FINE;
    diagnostics_init(&faults);
    enum status status = flagd_check(input_text(input), input->name, &faults);
    diagnostics_sort(&faults);
    diagnostics_excerpts(&faults, give_source, input);
    if (faults.count)
        print_faults(&faults, json);
    if (status == STATUS_NO_MEMORY || faults.failed)
        code = command_fail("no memory");
    else if (faults.errors || status != STATUS_OK)
        code = EXIT_DEFINITIONS;
    if (code == EXIT_DEFINITIONS && faults.count == 0)
        command_fail("%s is too large to be checked strictly", input->name);
    diagnostics_dispose(&faults);
    return code;
}

/* --- the document ---------------------------------------------------------------------------- */

static int parse(struct input *input, const struct arguments *arguments, struct document **out)
{
    struct error error = {0};
    bool third = strcmp(argument_string(arguments, "fractional"), "v3") == 0;
    struct document_options options = {.fractional = third ? FRACTIONAL_V3 : FRACTIONAL_V2};
    enum status status = document_read(input_text(input), &options, out, &error);
    if (status == STATUS_OK)
        return EXIT_FINE;
    if (status == STATUS_NO_MEMORY)
        return command_fail("no memory for the flagd document");
    input_complain(input, &error);
    return EXIT_DEFINITIONS;
}

/* Its bytes are not needed any more when this is done. */
static int load(const struct arguments *arguments, const char *path, struct document **out)
{
    struct input input;
    *out = NULL;
    int code = input_read_document(&input, path);
    if (code == EXIT_FINE && argument_flag(arguments, "strict"))
        code = check_strictly(&input, format_is_json(arguments));
    if (code == EXIT_FINE)
        code = parse(&input, arguments, out);
    input_dispose(&input);
    return code;
}

/* --- one flag -------------------------------------------------------------------------------- */

static int answer_one(const struct arguments *arguments, const char *path,
                      const struct document *document)
{
    struct input context;
    int code = input_read_context(&context, argument_string(arguments, "context"));
    struct question question = {
        .document = document,
        .flag = argument_operand(arguments, 0),
        .context = &context,
        .kind = "",
        .place = strcmp(path, "-") == 0 ? "standard input" : path,
        .json = format_is_json(arguments),
        .explain = argument_flag(arguments, "explain"),
    };
    if (code == EXIT_FINE)
        code = eval_one(&question);
    input_dispose(&context);
    return code;
}

int eval_flagd(const struct arguments *arguments)
{
    struct document *document;
    const char *path = argument_given(arguments, "flagd");
    int code = load(arguments, path, &document);
    if (code == EXIT_FINE)
        code = argument_flag(arguments, "batch") ? eval_batch(document)
                                                 : answer_one(arguments, path, document);
    document_release(document);
    return code;
}
