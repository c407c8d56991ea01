/* weir run: the controller, told by a configuration file and by options. */
#include <unistd.h>

#include "../controller/controller.h"
#include "commands.h"

/* --- what it is told ------------------------------------------------------------------------- */

static int refuse(const char *option, const struct error *error)
{
    return command_fail("\"--%s\": %s", option, error->message);
}

static int set_texts(struct config *config, const struct arguments *arguments)
{
    const struct {
        const char *option;
        char **member;
        enum status (*set)(char **member, const char *text, struct error *error);
    } texts[] = {
        {"branch", &config->branch, config_set_text},
        {"listen", &config->listen, config_set_text},
        {"default-environment", &config->default_environment, config_set_text},
        {"data", &config->data, config_set_path},
        {"ca-file", &config->reach.ca_file, config_set_path},
    };
    struct error error;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const char *value = argument_given(arguments, texts[i].option);
        if (value && texts[i].set(texts[i].member, value, &error) != STATUS_OK)
            return refuse(texts[i].option, &error);
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
        {"poll", config_set_poll},
        {"http-threads", config_set_threads},
        {"allow-path", config_allow_path},
        {"allow-host", config_allow_host},
    };
    struct error error;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        for (size_t j = 0; j < argument_count(arguments, others[i].option); j++) {
            if (others[i].set(config, argument_at(arguments, others[i].option, j), &error) !=
                STATUS_OK)
                return refuse(others[i].option, &error);
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

static void announce(void *context, const char *address)
{
    (void)context;
    /* Who started it may wait for this line, so it must not wait in a buffer. */
    printf("listening on http://%s\n", address);
    fflush(stdout);
}

static int configure(struct config *config, const struct arguments *arguments)
{
    struct error error = {0};
    int code = set_texts(config, arguments);
    if (code == EXIT_FINE)
        code = set_others(config, arguments);
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
    if (code == EXIT_FINE && controller_run(&config, announce, NULL, &error) != STATUS_OK)
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
    {.name = "http-threads",
     .type = OPTION_STRING,
     .argument = "N",
     .help = "threads that answer requests (default: one a core)"},
    {0},
};

const struct command run_command = {
    .name = "run",
    .summary = "follow a repository, serve its flags and push them to targets",
    .description =
        "Clones the repository of definitions and follows it: every commit that validates "
        "becomes what applications get, over OFREP at "
        "/env/ENVIRONMENT/ofrep/v1/evaluate/flags and in the targets that the definitions "
        "name. A commit with an error changes nothing; the log and GET /status tell what is "
        "wrong and where.\n\n"
        "The first line printed is \"listening on http://ADDRESS\"; the log goes to "
        "standard error. SIGHUP fetches at once, SIGTERM finishes the requests in flight "
        "and ends.\n\n"
        "Definitions reach nothing that was not allowed here: a file target writes below "
        "the folder \"targets\" of the data folder and below each --allow-path, and a host "
        "is contacted only by --allow-host.",
    .options = options,
    .examples =
        "weir run --repo https://git.example.com/flags.git --branch main  # serve a repository\n"
        "weir run --repo . --listen 127.0.0.1:0 --data /tmp/weir-data  # try it on this one\n"
        "weir run --config /etc/weir/weir.yaml --poll 30s  # a file, and one option over it\n",
    .run = run,
};
