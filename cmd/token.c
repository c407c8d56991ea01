/* weir token: makes, lists and revokes the tokens that `weir run --tokens` asks for. */
#include <string.h>

#include "../controller/tokens.h"
#include "../rules/json.h"
#include "commands.h"

static bool is_name(const char *text, size_t most, const char *allowed)
{
    size_t length = strlen(text);
    return length > 0 && length <= most && text[0] != '-' && text[0] != '.' &&
           strspn(text, allowed) == length;
}

/* --- create ---------------------------------------------------------------------------------- */

static int check_environments(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_name(names[i], 63, "abcdefghijklmnopqrstuvwxyz0123456789-"))
            return command_fail("\"--env\": \"%s\" cannot be the name of an environment", names[i]);
    }
    return EXIT_FINE;
}

static int check_name(const char *name)
{
    if (name &&
        !is_name(name, 100, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."))
        return command_fail("\"--name\": \"%s\" is not letters, digits, \"-\", \"_\", \".\"", name);
    return EXIT_FINE;
}

/* On standard output the token alone, so that a script can take it from there. */
static int make(const struct arguments *arguments, const struct token_request *request)
{
    char secret[TOKEN_TEXT_SIZE];
    struct error error = {0};
    struct buffer out;
    const char *path = argument_string(arguments, "tokens");
    if (token_file_create(path, request, &system_clock, secret, &error) != STATUS_OK)
        return command_fail("%s", error.message);
    buffer_init(&out, 0);
    buffer_printf(&out, "%s\n", secret);
    int code = command_print(&out);
    buffer_clear(&out);
    buffer_printf(&out, "weir: this token is shown once; \"%s\" keeps only its hash\n", path);
    command_print_aside(&out);
    buffer_dispose(&out);
    explicit_bzero(secret, sizeof secret);
    return code;
}

static int create(const struct arguments *arguments)
{
    const char *role = argument_string(arguments, "role");
    size_t count = argument_count(arguments, "env");
    const char *environments[64];
    if (argument_operand(arguments, 1))
        return command_misuse(&token_command, "a token's name is given by \"--name\"");
    if (!role)
        return command_misuse(&token_command, "the token needs a role; use \"--role\"");
    if (count == 0 && role_of(text_of(role)) == ROLE_SDK)
        return command_misuse(&token_command,
                              "a token of role sdk needs an environment; use \"--env\"");
    if (count > COUNT_OF(environments))
        return command_fail("a token is for at most %zu environments; without \"--env\" it is for "
                            "all, but for role sdk",
                            COUNT_OF(environments));
    for (size_t i = 0; i < count; i++)
        environments[i] = argument_at(arguments, "env", i);
    struct token_request request = {.role = role_of(text_of(role)),
                                    .environments = environments,
                                    .environment_count = count,
                                    .name = argument_string(arguments, "name")};
    int code = check_environments(environments, count);
    if (code == EXIT_FINE)
        code = check_name(request.name);
    return code == EXIT_FINE ? make(arguments, &request) : code;
}

/* --- list and revoke ------------------------------------------------------------------------- */

static void write_json(struct buffer *out, const struct token_set *set)
{
    buffer_append_string(out, "{\"apiVersion\":\"weir/v1\",\"tokens\":[");
    for (size_t i = 0; i < token_set_count(set); i++) {
        const struct token *token = token_set_at(set, i);
        buffer_append_string(out, i ? ",{\"created\":" : "{\"created\":");
        json_write_string(out, token->created);
        buffer_append_string(out, ",\"environments\":");
        json_write_string(out, token->environments);
        buffer_append_string(out, ",\"name\":");
        json_write_string(out, token->name);
        buffer_printf(out, ",\"role\":\"%s\"}", role_name(token->role));
    }
    buffer_append_string(out, "]}\n");
}

static void write_text(struct buffer *out, const struct token_set *set)
{
    size_t widest = sizeof "NAME" - 1;
    for (size_t i = 0; i < token_set_count(set); i++) {
        size_t length = token_set_at(set, i)->name.length;
        widest = length > widest ? length : widest;
    }
    buffer_printf(out, "%-*s  %-8s  %-20s  %s\n", (int)widest, "NAME", "ROLE", "CREATED",
                  "ENVIRONMENTS");
    for (size_t i = 0; i < token_set_count(set); i++) {
        const struct token *token = token_set_at(set, i);
        buffer_printf(out, "%-*.*s  %-8s  %-20.*s  %.*s\n", (int)widest, (int)token->name.length,
                      token->name.data, role_name(token->role), (int)token->created.length,
                      token->created.data, (int)token->environments.length,
                      token->environments.data);
    }
}

static int list(const struct arguments *arguments)
{
    struct token_set *set = NULL;
    struct error error = {0};
    struct buffer out;
    if (argument_operand(arguments, 1))
        return command_misuse(&token_command, "'weir token list' takes no name");
    if (token_file_read(argument_string(arguments, "tokens"), &set, &error) != STATUS_OK)
        return command_fail("%s", error.message);
    buffer_init(&out, 0);
    if (format_is_json(arguments))
        write_json(&out, set);
    else
        write_text(&out, set);
    int code = command_print(&out);
    buffer_dispose(&out);
    token_set_release(set);
    return code;
}

static int revoke_one(const struct arguments *arguments)
{
    struct error error = {0};
    const char *name = argument_operand(arguments, 1);
    if (!name)
        return command_misuse(&token_command, "which token? 'weir token list' shows their names");
    if (token_file_revoke(argument_string(arguments, "tokens"), name, &system_clock, &error) !=
        STATUS_OK)
        return command_fail("%s", error.message);
    return EXIT_FINE;
}

/* --- the command ----------------------------------------------------------------------------- */

static int run(const struct arguments *arguments)
{
    static const struct {
        const char *name;
        int (*run)(const struct arguments *arguments);
    } actions[] = {{"create", create}, {"list", list}, {"revoke", revoke_one}};
    const char *action = argument_operand(arguments, 0);
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        if (strcmp(action, actions[i].name) == 0)
            return actions[i].run(arguments);
    }
    return command_fail("\"%s\" is not known: it is create, list or revoke", action);
}

static const struct option options[] = {
    {.name = "role",
     .type = OPTION_STRING,
     .argument = "ROLE",
     .choices = "sdk|viewer|operator|admin",
     .help = "what a new token is for; each may do what those before it may"},
    {.name = "env",
     .letter = 'e',
     .type = OPTION_LIST,
     .argument = "E",
     .help = "the environment that a new token is for (default, but for role sdk: all)"},
    {.name = "name",
     .type = OPTION_STRING,
     .argument = "NAME",
     .help = "what a new token is called (default: its role and a piece of its hash)"},
    {.name = "tokens",
     .type = OPTION_STRING,
     .argument = "FILE",
     .standard = "weir-tokens",
     .complete = COMPLETE_FILE,
     .help = "the file that keeps the tokens' hashes"},
    FORMAT_OPTION,
    {0},
};

static const struct operand operands[] = {
    {.name = "ACTION", .help = "create, list or revoke", .required = true},
    {.name = "NAME", .help = "the token to revoke"},
    {0},
};

const struct command token_command = {
    .name = "token",
    .summary = "make, list and revoke the tokens that applications and people send",
    .description =
        "'weir token create' prints a new token, once, and adds its SHA-256 to a file that "
        "'weir run --tokens FILE' reads: a running controller notices the change by itself within "
        "a second. 'weir token revoke' takes it away again.\n\n"
        "A token of role sdk evaluates in its environments and reads their documents; viewer also "
        "sees /status and /metrics; operator and admin are for changes. Who needs one: see "
        "'weir help run'.",
    .options = options,
    .operands = operands,
    .examples = "weir token create --role sdk --env production --name shop  # for an application\n"
                "weir token create --role viewer --name prometheus  # for all environments\n"
                "weir token list  # names, roles, environments\n"
                "weir token revoke shop  # it is refused from now on\n",
    .run = run,
};
