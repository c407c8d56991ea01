#include "unit.h"

#include "../../cmd/command.h"

/* --- parsing, against a table of its own ----------------------------------------------------- */

static const struct option options[] = {
    {.name = "env",
     .letter = 'e',
     .type = OPTION_STRING,
     .argument = "E",
     .required = true,
     .help = "where"},
    {.name = "format",
     .type = OPTION_STRING,
     .argument = "FORMAT",
     .choices = "text|json",
     .standard = "text",
     .help = "how"},
    {.name = "allow", .letter = 'a', .type = OPTION_LIST, .argument = "DIR", .help = "what"},
    {.name = "quick", .letter = 'q', .type = OPTION_FLAG, .help = "soon"},
    {.name = "dry", .letter = 'd', .type = OPTION_FLAG, .help = "not at all"},
    {0},
};
static const struct operand operands[] = {
    {.name = "PATH", .help = "a path"},
    {.name = "FLAG", .help = "a flag", .required = true},
    {0},
};
static const struct command sample = {
    .name = "sample",
    .summary = "try",
    .description = "Tries.",
    .options = options,
    .operands = operands,
};

#define PARSE(...)                                                                                 \
    parse_words((const char *[]){__VA_ARGS__},                                                     \
                sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

static struct error error;

static struct arguments *parse_words(const char *const *words, size_t count)
{
    error = (struct error){0};
    return arguments_parse(&sample, words, count, &error);
}

#define assert_refused(expected, ...)                                                              \
    do {                                                                                           \
        ck_assert_ptr_null(PARSE(__VA_ARGS__));                                                    \
        ck_assert_str_eq(error.message, expected);                                                 \
    } while (0)

START_TEST(test_both_ways_to_give_a_value)
{
    struct arguments *a =
        PARSE("--env=x", "--format", "json", "--allow", "1", "f", "--allow=2", "-a3", "-a", "4");
    ck_assert_ptr_nonnull(a);
    ck_assert_str_eq(argument_string(a, "env"), "x");
    ck_assert_str_eq(argument_string(a, "format"), "json");
    ck_assert_uint_eq(argument_count(a, "allow"), 4);
    static const char *const expected[] = {"1", "2", "3", "4"};
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(argument_at(a, "allow", i), expected[i]);
    ck_assert_ptr_null(argument_at(a, "allow", 4));
    ck_assert_uint_eq(argument_operands(a), 1);
    ck_assert_str_eq(argument_operand(a, 0), "f");
    ck_assert_ptr_null(argument_operand(a, 1));
    arguments_free(a);
}
END_TEST

START_TEST(test_defaults_and_absence)
{
    struct arguments *a = PARSE("-ex", "f");
    ck_assert_ptr_nonnull(a);
    ck_assert_str_eq(argument_string(a, "env"), "x");
    ck_assert_str_eq(argument_string(a, "format"), "text");
    ck_assert_ptr_null(argument_given(a, "format"));
    ck_assert_ptr_null(argument_string(a, "allow"));
    ck_assert(!argument_flag(a, "quick"));
    arguments_free(a);
}
END_TEST

START_TEST(test_values_that_look_odd)
{
    struct arguments *a =
        PARSE("--env=", "--allow", "-", "--allow=--env=y", "--allow=", "-", "--", "--quick");
    ck_assert_ptr_nonnull(a);
    ck_assert_str_eq(argument_string(a, "env"), "");
    ck_assert_str_eq(argument_at(a, "allow", 0), "-");
    ck_assert_str_eq(argument_at(a, "allow", 1), "--env=y");
    ck_assert_str_eq(argument_at(a, "allow", 2), "");
    ck_assert_str_eq(argument_operand(a, 0), "-");
    ck_assert_str_eq(argument_operand(a, 1), "--quick");
    ck_assert(!argument_flag(a, "quick"));
    arguments_free(a);
}
END_TEST

START_TEST(test_flags_together)
{
    struct arguments *a = PARSE("-qdex", "f");
    ck_assert_ptr_nonnull(a);
    ck_assert(argument_flag(a, "quick") && argument_flag(a, "dry"));
    ck_assert_str_eq(argument_string(a, "env"), "x");
    arguments_free(a);
}
END_TEST

START_TEST(test_refusals)
{
    assert_refused("unknown option \"--evn\"; did you mean \"--env\"?", "--evn", "x");
    assert_refused("unknown option \"--zzzzzz\"", "--zzzzzz=1");
    assert_refused("unknown option \"-x\"", "-x");
    assert_refused("unknown option \"-x\"", "-qx");
    assert_refused("\"--env\" needs a value: E", "--env");
    assert_refused("\"--env\" needs a value: E", "f", "-e");
    assert_refused(
        "\"--env\" needs a value, E, before \"--quick\"; write \"--env=--quick\" if that is it",
        "--env", "--quick");
    assert_refused("\"--quick\" takes no value", "--quick=yes");
    assert_refused("\"--env\" is given twice", "--env", "x", "-e", "y");
    assert_refused("\"--quick\" is given twice", "-qq");
    assert_refused("\"--format\" is one of text|json, not \"jsno\"; did you mean \"json\"?",
                   "--format", "jsno");
    assert_refused("\"--format\" is one of text|json, not \"\"", "--format=");
    assert_refused("\"--env E\" is missing: where", "f");
    assert_refused("FLAG is missing", "-ex");
    assert_refused("\"c\" is one too many for \"weir sample\"", "-ex", "a", "b", "c");
}
END_TEST

START_TEST(test_a_long_word_is_not_trusted)
{
    char word[70000];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    word[0] = word[1] = '-';
    ck_assert_ptr_null(PARSE(word));
    ck_assert_uint_lt(strlen(error.message), sizeof error.message);
}
END_TEST

/* --- what the real table gives --------------------------------------------------------------- */

static void assert_width(const char *text)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        ck_assert_msg(length <= 80, "%zu columns: %.*s", length, (int)length, line);
        ck_assert_msg(length == 0 || line[length - 1] != ' ', "a blank at the end: %.*s",
                      (int)length, line);
        line += length;
        line += *line == '\n';
    }
}

START_TEST(test_help_of_every_command)
{
    struct buffer out;
    buffer_init(&out, 0);
    help_overview(&out, false);
    const char *overview = buffer_string(&out);
    ck_assert_ptr_nonnull(overview);
    assert_width(overview);
    for (const struct command *const *command = commands; *command; command++)
        ck_assert_ptr_nonnull(strstr(overview, (*command)->summary));
    for (const struct command *const *command = commands; *command; command++) {
        buffer_clear(&out);
        help_command(&out, *command, false);
        const char *help = buffer_string(&out);
        ck_assert_ptr_nonnull(help);
        assert_width(help);
        ck_assert_ptr_null(strchr(help, '\033'));
        ck_assert_ptr_nonnull(strstr(help, "usage: weir "));
        ck_assert_ptr_nonnull(strstr(help, "\nExamples\n"));
        const char *line = strstr(help, "\nExit codes\n");
        ck_assert_ptr_nonnull(line);
        for (line = strchr(line + 1, '\n'); line && line[1]; line = strchr(line + 1, '\n'))
            ck_assert_msg(line[1] == ' ', "%s", line + 1);
        for (const struct option *option = (*command)->options; option && option->name; option++) {
            char name[64];
            snprintf(name, sizeof name, "--%s", option->name);
            ck_assert_msg(strstr(strstr(help, "\nOptions\n"), name) != NULL, "%s %s",
                          (*command)->name, name);
        }
    }
    buffer_dispose(&out);
}
END_TEST

START_TEST(test_colour_only_when_asked)
{
    struct buffer out;
    buffer_init(&out, 0);
    help_command(&out, commands[0], true);
    ck_assert_ptr_nonnull(strchr(buffer_string(&out), '\033'));
    buffer_dispose(&out);
}
END_TEST

START_TEST(test_usage_line)
{
    struct buffer out;
    buffer_init(&out, 0);
    help_usage(&out, &sample);
    ck_assert_str_eq(buffer_string(&out),
                     "usage: weir sample --env E [--format text|json] [--allow DIR]... [--quick]\n"
                     "                   [--dry] [PATH] FLAG\n");
    buffer_dispose(&out);
}
END_TEST

START_TEST(test_the_table_is_sound)
{
    for (const struct command *const *at = commands; *at; at++) {
        const struct command *command = *at;
        ck_assert_ptr_eq(command_find(command->name), command);
        ck_assert_msg(command->summary[strlen(command->summary) - 1] != '.', "%s",
                      command->summary);
        ck_assert_ptr_nonnull(command->run);
        for (const struct option *a = command->options; a && a->name; a++) {
            ck_assert_msg((a->type == OPTION_FLAG) == (a->argument == NULL), "--%s", a->name);
            ck_assert_str_ne(a->name, "help");
            for (const struct option *b = a + 1; b->name; b++) {
                ck_assert_str_ne(a->name, b->name);
                ck_assert_msg(!a->letter || a->letter != b->letter, "-%c", a->letter);
            }
        }
    }
    ck_assert_ptr_null(command_find("frob"));
}
END_TEST

START_TEST(test_manual_and_completion_name_everything)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    struct buffer out;
    buffer_init(&out, 0);
    for (size_t i = 0; i < COUNT_OF(shells); i++) {
        buffer_clear(&out);
        ck_assert(help_completion(&out, shells[i]));
        const char *script = buffer_string(&out);
        for (const struct command *const *command = commands; *command; command++) {
            ck_assert_ptr_nonnull(strstr(script, (*command)->name));
            for (const struct option *option = (*command)->options; option && option->name;
                 option++)
                ck_assert_msg(strstr(script, option->name) != NULL, "%s: --%s", shells[i],
                              option->name);
        }
    }
    ck_assert(!help_completion(&out, "tcsh"));
    buffer_clear(&out);
    help_man(&out);
    const char *page = buffer_string(&out);
    ck_assert_ptr_nonnull(strstr(page, ".TH WEIR 1"));
    ck_assert_ptr_nonnull(strstr(page, "\\fB\\-\\-default\\-environment\\fP \\fIE\\fP\n"));
    ck_assert_ptr_nonnull(strstr(page, ".SS weir validate\n"));
    buffer_dispose(&out);
}
END_TEST

UNIT_MAIN("command", test_both_ways_to_give_a_value, test_defaults_and_absence,
          test_values_that_look_odd, test_flags_together, test_refusals,
          test_a_long_word_is_not_trusted, test_help_of_every_command, test_colour_only_when_asked,
          test_usage_line, test_the_table_is_sound, test_manual_and_completion_name_everything)
