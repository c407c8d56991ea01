/* serving_options.h - the options of every command that serves: one table for help, one way to set
 * them. */
#ifndef WEIR_SERVING_OPTIONS_H
#define WEIR_SERVING_OPTIONS_H

#include "../controller/config.h"
#include "command.h"

/* "--OPTION": and what is wrong with it; returns EXIT_USAGE. */
int serving_refuse(const char *option, const struct error *error);
/* Sets what was given of listen, data, poll, default-environment, ca-file, SERVING_OPTIONS and
 * LOG_OPTIONS. Returns an exit code, after complaining. */
int serving_configure(struct config *config, const struct arguments *arguments);
/* Prints the one line that whoever started the program may wait for; `config` is a struct config.
 */
void serving_announce(void *config, const char *address);

#define SERVING_OPTIONS                                                                            \
    {.name = "http-threads",                                                                       \
     .type = OPTION_STRING,                                                                        \
     .argument = "N",                                                                              \
     .help = "threads that answer requests (default: one a core)"},                                \
        {.name = "tokens",                                                                         \
         .type = OPTION_STRING,                                                                    \
         .argument = "FILE",                                                                       \
         .complete = COMPLETE_FILE,                                                                \
         .help = "the tokens that 'weir token' keeps; read again when it changes"},                \
        {.name = "require-token",                                                                  \
         .type = OPTION_FLAG,                                                                      \
         .help = "evaluation needs a token on a loopback address too"},                            \
        {.name = "tls-cert",                                                                       \
         .type = OPTION_STRING,                                                                    \
         .argument = "FILE",                                                                       \
         .complete = COMPLETE_FILE,                                                                \
         .help =                                                                                   \
             "serve HTTPS with this certificate (PEM, with its chain); SIGHUP reads it again"},    \
        {.name = "tls-key",                                                                        \
         .type = OPTION_STRING,                                                                    \
         .argument = "FILE",                                                                       \
         .complete = COMPLETE_FILE,                                                                \
         .help = "the key of that certificate (PEM, without a password)"},                         \
        {.name = "cors-origin",                                                                    \
         .type = OPTION_LIST,                                                                      \
         .argument = "ORIGIN",                                                                     \
         .help = "an origin whose pages may evaluate from a browser, or * for all"},               \
        {.name = "server-name",                                                                    \
         .type = OPTION_LIST,                                                                      \
         .argument = "NAME",                                                                       \
         .help =                                                                                   \
             "a name by which clients call this server on a loopback address, as behind a proxy"}, \
        {.name = "max-connections",                                                                \
         .type = OPTION_STRING,                                                                    \
         .argument = "N",                                                                          \
         .help = "open connections at a time (default: 10000)"},                                   \
        {.name = "max-connections-per-address",                                                    \
         .type = OPTION_STRING,                                                                    \
         .argument = "N",                                                                          \
         .help = "the same of one address (default: any number)"},                                 \
        {.name = "rate-limit",                                                                     \
         .type = OPTION_STRING,                                                                    \
         .argument = "N/s",                                                                        \
         .help = "requests a second of one token, or of one address without one (default: any "    \
                 "number)"},                                                                       \
        {.name = "request-timeout",                                                                \
         .type = OPTION_STRING,                                                                    \
         .argument = "DURATION",                                                                   \
         .help = "how long one request may take from its first byte to its last (default: 30s)"},  \
        {.name = "max-state-age",                                                                  \
         .type = OPTION_STRING,                                                                    \
         .argument = "DURATION",                                                                   \
         .help =                                                                                   \
             "/readyz turns false when no fetch has succeeded for this long (default: 0, never)"}, \
        {.name = "answer-commit",                                                                  \
         .type = OPTION_FLAG,                                                                      \
         .help = "tell the commit in the metadata of every evaluation, as weir.commit"},           \
        {.name = "event-streams",                                                                  \
         .type = OPTION_STRING,                                                                    \
         .argument = "N",                                                                          \
         .help = "event streams open at a time; 0 offers none (default: 10000)"},                  \
    {                                                                                              \
        .name = "event-heartbeat", .type = OPTION_STRING, .argument = "TIME",                      \
        .help = "how long an event stream may be silent (default: 15s)"                            \
    }

#define LOG_OPTIONS                                                                                \
    {.name = "log-format",                                                                         \
     .type = OPTION_STRING,                                                                        \
     .argument = "FORMAT",                                                                         \
     .help = "logfmt or json: one line an event on standard error (default: logfmt)"},             \
    {                                                                                              \
        .name = "log-level", .type = OPTION_STRING, .argument = "LEVEL",                           \
        .help = "the least that is logged: debug, info, warn or error (default: info)"             \
    }

#endif
