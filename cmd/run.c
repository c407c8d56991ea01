/* weir run: the controller, told by a configuration file and by options. */
#include <unistd.h>

#include "../controller/controller.h"
#include "commands.h"
#include "git_options.h"
#include "serving_options.h"

/* --- what it is told ------------------------------------------------------------------------- */

static int set_texts(struct config *config, const struct arguments *arguments)
{
    const struct {
        const char *option;
        char **member;
        enum status (*set)(char **member, const char *text, struct error *error);
    } texts[] = {
        {"branch", &config->branch, config_set_text},
        {"allowed-signers", &config->allowed_signers, config_set_path},
        {"author", &config->author, config_set_text},
        {"sign-key", &config->sign_key, config_set_path},
        {"verify", &config->verify, config_set_verify},
        {"verify-since", &config->verify_since, config_set_commit},
    };
    struct error error;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const char *value = argument_given(arguments, texts[i].option);
        if (value && texts[i].set(texts[i].member, value, &error) != STATUS_OK)
            return serving_refuse(texts[i].option, &error);
    }
    return EXIT_FINE;
}

static int set_others(struct config *config, const struct arguments *arguments)
{
    static const struct {
        const char *option;
        enum status (*set)(struct config *config, const char *text, struct error *error);
    } others[] = {
        {"repo", config_set_repo},
        {"allow-path", config_allow_path},
        {"allow-host", config_allow_host},
        {"hook-secret", config_add_hook},
        {"commit-status", config_set_commit_status},
        {"scrape-interval", config_set_scrape_interval},
        {"blast-cap", config_set_blast_cap},
    };
    struct error error;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        for (size_t j = 0; j < argument_count(arguments, others[i].option); j++) {
            if (others[i].set(config, argument_at(arguments, others[i].option, j), &error) !=
                STATUS_OK)
                return serving_refuse(others[i].option, &error);
        }
    }
    return EXIT_FINE;
}

static int read_file(struct config *config, const char *path)
{
    struct diagnostics diagnostics;
    struct error error = {0};
    struct buffer out;
    if (!path)
        return EXIT_FINE;
    diagnostics_init(&diagnostics);
    buffer_init(&out, 0);
    int code = EXIT_FINE;
    if (config_read(config, path, &diagnostics, &error) != STATUS_OK) {
        code = EXIT_USAGE;
        diagnostics_write_text(&out, &diagnostics, command_colour(STDERR_FILENO));
        command_print_aside(&out);
        if (diagnostics.count == 0)
            command_fail("%s", error.message);
    }
    buffer_dispose(&out);
    diagnostics_dispose(&diagnostics);
    return code;
}

/* --- the command ----------------------------------------------------------------------------- */

static int configure(struct config *config, const struct arguments *arguments)
{
    struct error error = {0};
    int code = set_texts(config, arguments);
    if (code == EXIT_FINE)
        code = set_others(config, arguments);
    if (code == EXIT_FINE)
        code = git_configure(config, arguments);
    if (code == EXIT_FINE)
        code = serving_configure(config, arguments);
    if (code == EXIT_FINE)
        code = read_file(config, argument_given(arguments, "config"));
    if (code == EXIT_FINE && config_finish(config, &error) != STATUS_OK)
        code = config->repo ? command_fail("%s", error.message)
                            : command_misuse(&run_command, error.message);
    return code;
}

static int run(const struct arguments *arguments)
{
    struct config config;
    struct error error = {0};
    config_init(&config);
    int code = configure(&config, arguments);
    if (code == EXIT_FINE &&
        controller_run(&config, serving_announce, &config, &error) != STATUS_OK)
        code = command_fail("%s", error.message);
    config_dispose(&config);
    return code;
}

static const struct option options[] = {
    {.name = "config",
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "read a YAML file of these same names; options win, and lists replace its lists"},
    {.name = "repo",
     .type = OPTION_STRING,
     .argument = "URL|PATH",
     .complete = COMPLETE_FOLDER,
     .help = "the Git repository of definitions (required, here or in the file)"},
    {.name = "branch",
     .type = OPTION_STRING,
     .argument = "B",
     .help = "the branch to follow (default: the remote's HEAD)"},
    {.name = "listen",
     .type = OPTION_STRING,
     .argument = "ADDRESS:PORT",
     .help = "where to serve; port 0 takes a free one (default: 127.0.0.1:8080)"},
    {.name = "data",
     .type = OPTION_STRING,
     .argument = "DIR",
     .complete = COMPLETE_FOLDER,
     .help = "the folder for the clone and for targets' files (default: ./weir-data)"},
    {.name = "poll",
     .type = OPTION_STRING,
     .argument = "DURATION",
     .help = "how often to fetch, give or take a little (default: 10s)"},
    {.name = "default-environment",
     .type = OPTION_STRING,
     .argument = "E",
     .help = "the environment that answers where a request names none"},
    {.name = "allow-path",
     .type = OPTION_LIST,
     .argument = "DIR",
     .complete = COMPLETE_FOLDER,
     .help = "a folder below which file targets may write"},
    {.name = "allow-host",
     .type = OPTION_LIST,
     .argument = "HOST[:PORT]",
     .help = "a host that targets may contact"},
    {.name = "ca-file",
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "certificates (PEM) of those who vouch for https targets (default: the system's)"},
    SERVING_OPTIONS,
    {.name = "hook-secret",
     .type = OPTION_LIST,
     .argument = "FORGE=FILE",
     .help = "take webhooks of github, gitlab or gitea at /hooks/FORGE, signed with this secret"},
    {.name = "commit-status",
     .type = OPTION_STRING,
     .argument = "FORGE=FILE",
     .help = "tell github, gitlab or gitea what became of each commit, by the token in this file"},
    {.name = "scrape-interval",
     .type = OPTION_STRING,
     .argument = "DURATION",
     .help = "how often the Prometheus servers scrape what metrics ask them for (default: 15s)"},
    {.name = "blast-cap",
     .type = OPTION_STRING,
     .argument = "N",
     .help = "how many rollouts metrics may walk back in an hour; more are held (default: 5)"},
    LOG_OPTIONS,
    GIT_OPTIONS,
    {.name = "verify",
     .type = OPTION_STRING,
     .argument = "none|tip|all",
     .help = "serve only what is signed: the newest commit, or all of them (default: none)"},
    {.name = "allowed-signers",
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "the SSH keys that may sign commits, as ssh-keygen(1) describes ALLOWED SIGNERS"},
    {.name = "verify-since",
     .type = OPTION_STRING,
     .argument = "COMMIT",
     .help = "with verify all: this commit, and what is before it, needs no signature"},
    {.name = "author",
     .type = OPTION_STRING,
     .argument = "NAME <MAIL>",
     .help = "whose commits are those that weir decides (default: weir <weir@localhost>)"},
    {.name = "sign-key",
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "sign them by SSH with this key"},
    SAFE_DIRECTORY_OPTION,
    {0},
};

const struct command run_command = {
    .name = "run",
    .summary = "follow a repository, serve its flags and push them to targets",
    .description =
        "Clones the repository of definitions and follows it: every commit that validates "
        "becomes what applications get, over OFREP at "
        "/env/ENVIRONMENT/ofrep/v1/evaluate/flags and in the targets that the definitions "
        "name. What a commit has wrong stands as it stood before; the log and GET /status tell "
        "what is wrong and where.\n\n"
        "The first line printed is \"listening on http://ADDRESS\"; the log goes to "
        "standard error. SIGHUP fetches at once and reads certificate, tokens and the secrets of "
        "webhooks again, SIGTERM finishes the requests in flight and ends.\n\n"
        "The key notify of the file of --config names the channels by which people are told what "
        "happens: Slack, webhooks, mail.\n\n"
        "A webhook of GitHub, GitLab, Gitea or Forgejo makes it fetch at once; polling goes on "
        "all the same. Under systemd (Type=notify) it is ready once the first commit is served, "
        "and feeds the watchdog only while its threads answer.\n\n"
        "On a loopback address anybody may evaluate, unless --require-token; on any other, "
        "evaluation needs a token of role sdk and /status and /metrics one of role viewer, sent as "
        "\"Authorization: Bearer TOKEN\" or \"X-API-Key: TOKEN\". 'weir token' makes them.\n\n"
        "Definitions reach nothing that was not allowed here: a file target writes below "
        "the folder \"targets\" of the data folder and below each --allow-path, and a host "
        "is contacted only by --allow-host.",
    .options = options,
    .examples =
        "weir run --repo https://git.example.com/flags.git --branch main  # serve a repository\n"
        "weir run --repo . --listen 127.0.0.1:0 --data /tmp/weir-data  # try it on this one\n"
        "weir run --config /etc/weir/weir.yaml --poll 30s  # a file, and one option over it\n"
        "weir run --repo . --listen :8080 --tokens weir-tokens  # for other machines too\n",
    .run = run,
};
