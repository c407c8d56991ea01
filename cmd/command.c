/* The parser: words against the table of a command, and the way from argv to the command's
 * function. */
#include "command.h"

#include <unistd.h>

#include "../rules/similar.h"

struct given {
    const struct option *option;
    const char *value; /* NULL for a flag */
};

struct arguments {
    const struct command *command;
    struct given *given; /* in the order of the words */
    size_t given_count;
    const char **operands;
    size_t operand_count;
};

struct parser {
    struct arguments *out;
    const char *const *words;
    size_t count, next;
    struct error *error;
};

/* --- asking what was parsed ------------------------------------------------------------------ */

const char *argument_at(const struct arguments *arguments, const char *option, size_t index)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].option->name, option) == 0 && index-- == 0)
            return arguments->given[i].value;
    }
    return NULL;
}

size_t argument_count(const struct arguments *arguments, const char *option)
{
    size_t count = 0;
    for (size_t i = 0; i < arguments->given_count; i++)
        count += strcmp(arguments->given[i].option->name, option) == 0;
    return count;
}

const char *argument_given(const struct arguments *arguments, const char *option)
{
    return argument_at(arguments, option, 0);
}

const struct command *arguments_command(const struct arguments *arguments)
{
    return arguments->command;
}

const char *argument_string(const struct arguments *arguments, const char *option)
{
    const char *value = argument_given(arguments, option);
    for (const struct option *o = arguments->command->options; !value && o && o->name; o++) {
        if (strcmp(o->name, option) == 0)
            value = o->standard;
    }
    return value;
}

bool argument_flag(const struct arguments *arguments, const char *option)
{
    return argument_count(arguments, option) > 0;
}

const char *argument_operand(const struct arguments *arguments, size_t index)
{
    return index < arguments->operand_count ? arguments->operands[index] : NULL;
}

size_t argument_operands(const struct arguments *arguments)
{
    return arguments->operand_count;
}

/* --- parsing --------------------------------------------------------------------------------- */

/* ", did you mean …?" or nothing, for the end of a message. */
static void suggest(char *out, size_t size, const struct similar *similar, const char *dashes)
{
    if (similar->name.length)
        snprintf(out, size, "; did you mean \"%s%.*s\"?", dashes, (int)similar->name.length,
                 similar->name.data);
    else
        out[0] = '\0';
}

static const struct option *find_long(const struct command *command, struct text name)
{
    for (const struct option *option = command->options; option && option->name; option++) {
        if (text_is(name, option->name))
            return option;
    }
    return NULL;
}

static const struct option *find_short(const struct command *command, char letter)
{
    for (const struct option *option = command->options; option && option->name; option++) {
        if (option->letter == letter)
            return option;
    }
    return NULL;
}

static bool refuse_unknown(struct parser *parser, struct text name)
{
    struct similar similar = {0};
    char hint[100];
    for (const struct option *option = parser->out->command->options; option && option->name;
         option++)
        similar_offer(&similar, name, text_of(option->name));
    similar_offer(&similar, name, TEXT("help"));
    suggest(hint, sizeof hint, &similar, "--");
    error_set(parser->error, STATUS_INVALID, "unknown option \"--%.*s\"%s", (int)name.length,
              name.data, hint);
    return false;
}

/* The parts of "text|json", one after the other; false at the end. */
static bool next_choice(const char **rest, struct text *choice)
{
    if (**rest == '\0')
        return false;
    const char *bar = strchrnul(*rest, '|');
    *choice = (struct text){*rest, (size_t)(bar - *rest)};
    *rest = *bar ? bar + 1 : bar;
    return true;
}

static bool check_choice(struct parser *parser, const struct option *option, const char *value)
{
    const char *rest = option->choices ? option->choices : "";
    struct text choice;
    struct similar similar = {0};
    char hint[100];
    if (!option->choices)
        return true;
    while (next_choice(&rest, &choice)) {
        if (text_is(choice, value))
            return true;
        similar_offer(&similar, text_of(value), choice);
    }
    suggest(hint, sizeof hint, &similar, "");
    error_set(parser->error, STATUS_INVALID, "\"--%s\" is one of %s, not \"%s\"%s", option->name,
              option->choices, value, hint);
    return false;
}

static bool note(struct parser *parser, const struct option *option, const char *value)
{
    struct arguments *out = parser->out;
    if (option->type != OPTION_LIST && argument_count(out, option->name) > 0) {
        error_set(parser->error, STATUS_INVALID, "\"--%s\" is given twice", option->name);
        return false;
    }
    if (value && !check_choice(parser, option, value))
        return false;
    out->given[out->given_count++] = (struct given){option, value};
    return true;
}

/* The value of an option that has none in its own word. */
static bool take_value(struct parser *parser, const struct option *option)
{
    const char *value = parser->next < parser->count ? parser->words[parser->next] : NULL;
    if (value && strncmp(value, "--", 2) == 0) {
        /* More likely forgotten than meant; "--option=--value" says that it is meant. */
        error_set(
            parser->error, STATUS_INVALID,
            "\"--%s\" needs a value, %s, before \"%.60s\"; write \"--%s=%.60s\" if that is it",
            option->name, option->argument, value, option->name, value);
        return false;
    }
    if (!value) {
        error_set(parser->error, STATUS_INVALID, "\"--%s\" needs a value: %s", option->name,
                  option->argument);
        return false;
    }
    parser->next++;
    return note(parser, option, value);
}

static bool take_long(struct parser *parser, const char *word)
{
    const char *equals = strchrnul(word, '=');
    struct text name = {word, (size_t)(equals - word)};
    const struct option *option = find_long(parser->out->command, name);
    if (!option)
        return refuse_unknown(parser, name);
    if (option->type == OPTION_FLAG) {
        if (!*equals)
            return note(parser, option, NULL);
        error_set(parser->error, STATUS_INVALID, "\"--%s\" takes no value", option->name);
        return false;
    }
    return *equals ? note(parser, option, equals + 1) : take_value(parser, option);
}

/* "-o FILE" and "-oFILE"; flags may stand together. */
static bool take_short(struct parser *parser, const char *word)
{
    for (const char *at = word; *at; at++) {
        const struct option *option = find_short(parser->out->command, *at);
        if (!option) {
            error_set(parser->error, STATUS_INVALID, "unknown option \"-%.60s\"", at);
            return false;
        }
        if (option->type != OPTION_FLAG)
            return at[1] ? note(parser, option, at + 1) : take_value(parser, option);
        if (!note(parser, option, NULL))
            return false;
    }
    return true;
}

static bool take_words(struct parser *parser)
{
    bool options_ended = false;
    while (parser->next < parser->count) {
        const char *word = parser->words[parser->next++];
        bool fine = true;
        if (options_ended || word[0] != '-' || word[1] == '\0')
            parser->out->operands[parser->out->operand_count++] = word;
        else if (strcmp(word, "--") == 0)
            options_ended = true;
        else
            fine = word[1] == '-' ? take_long(parser, word + 2) : take_short(parser, word + 1);
        if (!fine)
            return false;
    }
    return true;
}

static bool check_complete(const struct parser *parser)
{
    const struct arguments *out = parser->out;
    const struct command *command = out->command;
    size_t least = 0, most = 0;
    for (const struct option *option = command->options; option && option->name; option++) {
        if (option->required && argument_count(out, option->name) == 0) {
            error_set(parser->error, STATUS_INVALID, "\"--%s %s\" is missing: %s", option->name,
                      option->argument, option->help);
            return false;
        }
    }
    const char *missing = "";
    for (const struct operand *operand = command->operands; operand && operand->name; operand++) {
        most++;
        least += operand->required;
        if (operand->required)
            missing = operand->name;
    }
    if (out->operand_count > most) {
        error_set(parser->error, STATUS_INVALID, "\"%.120s\" is one too many for \"weir %s\"",
                  out->operands[most], command->name);
        return false;
    }
    if (out->operand_count < least) {
        error_set(parser->error, STATUS_INVALID, "%s is missing", missing);
        return false;
    }
    return true;
}

struct arguments *arguments_parse(const struct command *command, const char *const *words,
                                  size_t count, struct error *error)
{
    struct arguments *out = calloc(1, sizeof *out);
    /* Every word is at most one option, but for flags that stand together: "-abc". */
    size_t room = 1;
    for (size_t i = 0; i < count; i++)
        room += strlen(words[i]) + 1;
    if (out) {
        out->command = command;
        out->given = calloc(room, sizeof *out->given);
        out->operands = calloc(count + 1, sizeof *out->operands);
    }
    if (!out || !out->given || !out->operands) {
        error_set(error, STATUS_NO_MEMORY, "no memory");
        arguments_free(out);
        return NULL;
    }
    struct parser parser = {out, words, count, 0, error};
    if (take_words(&parser) && check_complete(&parser))
        return out;
    arguments_free(out);
    return NULL;
}

void arguments_free(struct arguments *arguments)
{
    if (!arguments)
        return;
    free(arguments->given);
    free(arguments->operands);
    free(arguments);
}

/* --- from argv to a command ------------------------------------------------------------------ */

const struct command *command_find(const char *name)
{
    for (const struct command *const *command = commands; *command; command++) {
        if (strcmp((*command)->name, name) == 0)
            return *command;
    }
    return NULL;
}

static int refuse_command(const char *name)
{
    struct similar similar = {0};
    char hint[100];
    for (const struct command *const *command = commands; *command; command++)
        similar_offer(&similar, text_of(name), text_of((*command)->name));
    suggest(hint, sizeof hint, &similar, "");
    if (name[0] == '-')
        return command_fail(
            "unknown option \"%.60s\" before the command; 'weir help' lists the commands", name);
    return command_fail("unknown command \"%.60s\"%s%s", name, hint,
                        hint[0] ? "" : "; 'weir help' lists the commands");
}

/* Help wins over whatever else is wrong with the words. */
static bool asks_for_help(const char *const *words, size_t count)
{
    for (size_t i = 0; i < count && strcmp(words[i], "--") != 0; i++) {
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            return true;
    }
    return false;
}

static int show_help(const struct command *command)
{
    struct buffer out;
    buffer_init(&out, 0);
    if (command)
        help_command(&out, command, command_colour(STDOUT_FILENO));
    else
        help_overview(&out, command_colour(STDOUT_FILENO));
    int code = command_print(&out);
    buffer_dispose(&out);
    return code;
}

static int show_overview_aside(void)
{
    struct buffer out;
    buffer_init(&out, 0);
    help_overview(&out, command_colour(STDERR_FILENO));
    command_print_aside(&out);
    buffer_dispose(&out);
    return EXIT_USAGE;
}

static int run(const struct command *command, const char *const *words, size_t count)
{
    struct error error = {0};
    struct arguments *arguments = arguments_parse(command, words, count, &error);
    if (!arguments)
        return command_misuse(command, error.message);
    int code = command->run(arguments);
    arguments_free(arguments);
    return code;
}

int command_main(int argc, char **argv)
{
    if (argc < 2)
        return show_overview_aside();
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return show_help(NULL);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    const struct command *command = command_find(name);
    if (!command)
        return refuse_command(name);
    const char *const *words = (const char *const *)argv + 2;
    size_t count = (size_t)argc - 2;
    if (asks_for_help(words, count))
        return show_help(command);
    return run(command, words, count);
}
