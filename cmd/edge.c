/* weir edge: the same answers, from a copy of the state. */
#include "../controller/edge/edge.h"

#include "commands.h"
#include "serving_options.h"

static int configure(struct edge_config *config, const struct arguments *arguments)
{
    struct error error = {0};
    const char *from = argument_given(arguments, "from");
    const char *token_file = argument_given(arguments, "token-file");
    if (from && edge_set_from(config, from, &error) != STATUS_OK)
        return serving_refuse("from", &error);
    if (token_file && config_set_path(&config->token_file, token_file, &error) != STATUS_OK)
        return serving_refuse("token-file", &error);
    for (size_t i = 0; i < argument_count(arguments, "environment"); i++) {
        const char *name = argument_at(arguments, "environment", i);
        if (edge_add_environment(config, name, &error) != STATUS_OK)
            return serving_refuse("environment", &error);
    }
    int code = serving_configure(&config->serving, arguments);
    if (code == EXIT_FINE && edge_config_finish(config, &error) != STATUS_OK)
        code = command_fail("%s", error.message);
    return code;
}

static int run(const struct arguments *arguments)
{
    struct edge_config config;
    struct error error = {0};
    edge_config_init(&config);
    int code = configure(&config, arguments);
    if (code == EXIT_FINE &&
        edge_run(&config, serving_announce, &config.serving, &error) != STATUS_OK)
        code = command_fail("%s", error.message);
    edge_config_dispose(&config);
    return code;
}

static const struct option options[] = {
    {.name = "from",
     .type = OPTION_STRING,
     .argument = "SOURCE",
     .required = true,
     .complete = COMPLETE_FILE,
     .help = "the URL of a controller or edge, a file that a file target writes, or "
             "redis://HOST:PORT#KEY of a Redis target"},
    {.name = "environment",
     .letter = 'e',
     .type = OPTION_LIST,
     .argument = "E",
     .help = "what to serve; a file and a key of Redis are of one that they name themselves"},
    {.name = "token-file",
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "a file whose first line is the token for the controller (role sdk), or PASSWORD or "
             "USER:PASSWORD for Redis; read each time"},
    {.name = "ca-file",
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "certificates (PEM) of those who vouch for an https source (default: the system's)"},
    {.name = "listen",
     .type = OPTION_STRING,
     .argument = "ADDRESS:PORT",
     .help = "where to serve; port 0 takes a free one (default: 127.0.0.1:8080)"},
    {.name = "data",
     .type = OPTION_STRING,
     .argument = "DIR",
     .complete = COMPLETE_FOLDER,
     .help = "the folder that keeps what was last seen (default: ./weir-edge-data)"},
    {.name = "poll",
     .type = OPTION_STRING,
     .argument = "DURATION",
     .help = "how often to look at the source, give or take a little (default: 1s)"},
    {.name = "default-environment",
     .type = OPTION_STRING,
     .argument = "E",
     .help = "the environment that answers where a request names none"},
    SERVING_OPTIONS,
    LOG_OPTIONS,
    {0},
};

const struct command edge_command = {
    .name = "edge",
    .summary = "serve the same answers from a copy of a controller's state",
    .description =
        "Follows a source and serves what it says, by the same paths, options and tokens as 'weir "
        "run'. It hears of changes at once (by a controller's event streams, the channel of a "
        "Redis target, or because a file is another one) and polls all the same; each document is "
        "believed only when its digest fits, and an older generation never takes the place of a "
        "newer one. What it sees is on disk before it is served.\n\n"
        "While the source is away it goes on serving what it saw last, also after a restart. How "
        "old that is stands at /status (age), in weir_state_age_seconds at /metrics, and in the "
        "header Weir-Age of a document; with --max-state-age /readyz turns false.",
    .options = options,
    .examples =
        "weir edge --from https://weir.example.com -e production --token-file token  # a "
        "controller's\n"
        "weir edge --from /srv/flags/production.json --listen :8080 --tokens tokens  # a file "
        "target's\n"
        "weir edge --from redis://127.0.0.1:6379#weir:production  # a Redis target's\n",
    .run = run,
};
