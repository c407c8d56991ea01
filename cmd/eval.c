/* weir eval: what one user gets for one flag, and why. */
#include "eval.h"
#include "../rules/utf8.h"
#include "commands.h"
#include "source.h"

/* --- one flag of definitions ----------------------------------------------------------------- */

static int answer_one(const struct arguments *arguments, const struct document *document,
                      const char *flag, const struct input *context)
{
    struct question question = {
        .document = document,
        .flag = flag,
        .context = context,
        .kind = "environment ",
        .place = argument_string(arguments, "env"),
        .json = format_is_json(arguments),
        .explain = argument_flag(arguments, "explain"),
    };
    return eval_one(&question);
}

static int evaluate_in(const struct arguments *arguments, const char *path, const char *flag,
                       const struct input *context)
{
    struct source source;
    struct document *document = NULL;
    int code = source_document(&source, arguments, path, &document);
    if (code != EXIT_USAGE)
        source_complain(&source, arguments);
    if (document) {
        code = answer_one(arguments, document, flag, context);
        document_release(document);
    }
    source_dispose(&source);
    return code;
}

static int eval_definitions(const struct arguments *arguments)
{
    struct input context;
    bool both = argument_operands(arguments) == 2;
    const char *path = both ? argument_operand(arguments, 0) : NULL;
    const char *flag = argument_operand(arguments, both ? 1 : 0);
    int code = input_read_context(&context, argument_string(arguments, "context"));
    if (code == EXIT_FINE)
        code = evaluate_in(arguments, path, flag, &context);
    input_dispose(&context);
    return code;
}

/* --- which options go together --------------------------------------------------------------- */

static enum status refuse_given(const struct arguments *arguments, const char *const *names,
                                const char *why, const char *instead, struct error *error)
{
    for (; *names; names++) {
        if (argument_flag(arguments, *names))
            return error_set(error, STATUS_INVALID, "\"--%s\" %s: %s", *names, why, instead);
    }
    return STATUS_OK;
}

static enum status check_batch(const struct arguments *arguments, struct error *error)
{
    const char *format = argument_given(arguments, "format");
    if (argument_flag(arguments, "explain"))
        return error_set(error, STATUS_INVALID,
                         "\"--explain\" tells of one flag: leave it out, or leave out \"--batch\"");
    if (argument_operands(arguments) > 0)
        return error_set(error, STATUS_INVALID,
                         "\"--batch\" reads the flags from standard input: leave out \"%.120s\"",
                         argument_operand(arguments, 0));
    if (argument_flag(arguments, "context"))
        return error_set(error, STATUS_INVALID,
                         "\"--batch\" reads the contexts from standard input: leave out "
                         "\"--context\"");
    if (format && !format_is_json(arguments))
        return error_set(error, STATUS_INVALID,
                         "\"--batch\" writes JSON lines: leave out \"--format %s\"", format);
    if (strcmp(argument_given(arguments, "flagd"), "-") == 0)
        return error_set(error, STATUS_INVALID,
                         "standard input cannot be both the flagd document and the batch: give "
                         "\"--flagd\" a file");
    return STATUS_OK;
}

static enum status check_flagd(const struct arguments *arguments, struct error *error)
{
    static const char *const of_definitions[] = {"env", "repo", "rev", NULL};
    enum status status = refuse_given(arguments, of_definitions, "is for definitions",
                                      "leave it out, or leave out \"--flagd\"", error);
    if (status != STATUS_OK)
        return status;
    if (argument_flag(arguments, "batch"))
        return check_batch(arguments, error);
    if (argument_operands(arguments) > 1)
        return error_set(error, STATUS_INVALID,
                         "\"--flagd\" reads one file in the place of definitions: leave out "
                         "\"%.120s\"",
                         argument_operand(arguments, 0));
    if (strcmp(argument_given(arguments, "flagd"), "-") == 0 &&
        strcmp(argument_string(arguments, "context"), "-") == 0)
        return error_set(error, STATUS_INVALID,
                         "standard input cannot be both the flagd document and the context: give "
                         "one of them as a file");
    return STATUS_OK;
}

static enum status check_options(const struct arguments *arguments, struct error *error)
{
    static const char *const of_flagd[] = {"strict", "fractional", "batch", NULL};
    enum status status;
    if (argument_flag(arguments, "flagd")) {
        status = check_flagd(arguments, error);
    } else {
        status = refuse_given(arguments, of_flagd, "is for a flagd document",
                              "add \"--flagd FILE\"", error);
        if (status == STATUS_OK && !argument_flag(arguments, "env"))
            status = error_set(error, STATUS_INVALID,
                               "\"--env E\" is missing: the environment to answer for; or "
                               "\"--flagd FILE\": a flagd document");
    }
    if (status == STATUS_OK && !argument_flag(arguments, "batch") &&
        argument_operands(arguments) == 0)
        status = error_set(error, STATUS_INVALID, "FLAG is missing");
    return status;
}

/* --- the command ----------------------------------------------------------------------------- */

static int run(const struct arguments *arguments)
{
    struct error error = {0};
    if (check_options(arguments, &error) != STATUS_OK)
        return command_misuse(&eval_command, error.message);
    size_t count = argument_operands(arguments);
    const char *flag = count ? argument_operand(arguments, count - 1) : "";
    if (utf8_valid_length(text_of(flag)) != strlen(flag))
        return command_fail("the flag's name is not UTF-8");
    return argument_flag(arguments, "flagd") ? eval_flagd(arguments) : eval_definitions(arguments);
}

static const struct option options[] = {
    {.name = "env",
     .letter = 'e',
     .type = OPTION_STRING,
     .argument = "E",
     .help = "the environment to answer for (required without --flagd)"},
    {.name = "context",
     .letter = 'c',
     .type = OPTION_STRING,
     .argument = "JSON|@FILE|-",
     .standard = "{}",
     .help = "who asks: a JSON object, a file that holds one, or - for standard input"},
    SOURCE_OPTIONS,
    {.name = "flagd",
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "evaluate a flagd document instead of definitions; - for standard input"},
    {.name = "strict",
     .type = OPTION_FLAG,
     .help = "refuse a flagd document that breaks flagd's schema or could not work as written"},
    {.name = "fractional",
     .type = OPTION_STRING,
     .argument = "GENERATION",
     .choices = "v2|v3",
     .standard = "v2",
     .help = "how a flagd document's \"fractional\" draws: v2 hashes strings, v3 the CBOR of any "
             "value"},
    {.name = "explain",
     .letter = 'x',
     .type = OPTION_FLAG,
     .help = "tell which rule matched and why, each condition with the value it saw"},
    {.name = "batch",
     .type = OPTION_FLAG,
     .help = "answer JSON lines from standard input, each with \"flag\" and \"context\""},
    FORMAT_OPTION,
    {0},
};

static const struct operand operands[] = {
    {.name = "PATH",
     .help = "the folder of definitions, or one file (default: the working folder)",
     .complete = COMPLETE_FOLDER},
    {.name = "FLAG", .help = "the name of the flag (required without --batch)"},
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
        "the exit code is 1.\n\n"
        "With --flagd the flags come from a file in flagd's format, written by weir or by "
        "anybody else, and are evaluated as flagd does; what flagd only warns of is passed "
        "over, unless --strict is given.\n\n"
        "With --explain the rules are gone through up to the one that matched, each condition "
        "marked as it turned out, beside the attributes that it looked at.\n\n"
        "With --batch each line of standard input is a JSON object: {\"flag\": \"KEY\", "
        "\"context\": {...}}, and \"type\" where the value must be a boolean, string, "
        "integer, float or object. Each is answered by one line, in the same order and at "
        "once: {\"flag\", \"value\", \"variant\", \"reason\", \"errorCode\", "
        "\"errorDetails\", \"metadata\"}, without those that there are not. A line that "
        "cannot be understood is answered by PARSE_ERROR or INVALID_CONTEXT, the batch goes "
        "on, and the exit code is 1.",
    .options = options,
    .operands = operands,
    .examples =
        "weir eval --env production examples/acme-shop checkout-v2  # for nobody in particular\n"
        "weir eval -e production -c '{\"country\":\"DE\"}' examples/acme-shop checkout-v2  "
        "# for somebody in Germany\n"
        "weir eval -e production --explain examples/acme-shop checkout-v2  # ... and why\n"
        "echo '{}' | weir eval -e production -c - --rev HEAD checkout-v2  # by the last commit\n"
        "weir build -e production examples/acme-shop | weir eval --flagd - checkout-v2  "
        "# of a flagd document\n"
        "weir build -e production -o /tmp/flags.json examples/acme-shop  # ... in a file\n"
        "echo '{\"flag\":\"checkout-v2\"}' | weir eval --flagd /tmp/flags.json --batch  "
        "# line by line\n",
    .run = run,
};
