/* git_options.h - the options of every command that reaches a Git server: one table for help, one
 * way to set them. */
#ifndef WEIR_GIT_OPTIONS_H
#define WEIR_GIT_OPTIONS_H

#include "../controller/config.h"
#include "command.h"

/* Sets what was given of GIT_OPTIONS and SAFE_DIRECTORY_OPTION in config->git. Returns an exit
 * code, after complaining. */
int git_configure(struct config *config, const struct arguments *arguments);

#define GIT_OPTIONS                                                                                \
    {.name = "git-token-file",                                                                     \
     .type = OPTION_STRING,                                                                        \
     .argument = "FILE",                                                                           \
     .complete = COMPLETE_FILE,                                                                    \
     .help =                                                                                       \
         "a file whose first line is the token for an https:// repository; read at each fetch"},   \
        {.name = "git-token-env",                                                                  \
         .type = OPTION_STRING,                                                                    \
         .argument = "VARIABLE",                                                                   \
         .help = "the environment variable that holds that token"},                                \
        {.name = "git-user",                                                                       \
         .type = OPTION_STRING,                                                                    \
         .argument = "NAME",                                                                       \
         .help = "the user name that goes with the token (default: git)"},                         \
        {.name = "git-ca",                                                                         \
         .type = OPTION_STRING,                                                                    \
         .argument = "FILE",                                                                       \
         .complete = COMPLETE_FILE,                                                                \
         .help =                                                                                   \
             "certificates (PEM) that an https:// repository is trusted by, in the place of the "  \
             "system's"},                                                                          \
        {.name = "git-proxy",                                                                      \
         .type = OPTION_STRING,                                                                    \
         .argument = "URL",                                                                        \
         .help = "the HTTP proxy to the repository (default: what http_proxy, https_proxy and "    \
                 "no_proxy "                                                                       \
                 "say)"},                                                                          \
        {.name = "git-timeout",                                                                    \
         .type = OPTION_STRING,                                                                    \
         .argument = "DURATION",                                                                   \
         .help = "how long one fetch may take in all (default: 10m)"},                             \
        {.name = "ssh-key",                                                                        \
         .type = OPTION_STRING,                                                                    \
         .argument = "FILE",                                                                       \
         .complete = COMPLETE_FILE,                                                                \
         .help =                                                                                   \
             "the private key for an ssh:// repository (default: the SSH agent, then those of "    \
             "~/.ssh)"},                                                                           \
        {.name = "ssh-passphrase-file",                                                            \
         .type = OPTION_STRING,                                                                    \
         .argument = "FILE",                                                                       \
         .complete = COMPLETE_FILE,                                                                \
         .help = "a file whose first line is the passphrase of that key"},                         \
    {                                                                                              \
        .name = "ssh-known-hosts", .type = OPTION_STRING, .argument = "FILE",                      \
        .complete = COMPLETE_FILE,                                                                 \
        .help = "the keys of SSH hosts, as ssh-keyscan prints them (default: ~/.ssh/known_hosts)"  \
    }

#define SAFE_DIRECTORY_OPTION                                                                      \
    {                                                                                              \
        .name = "safe-directory", .type = OPTION_LIST, .argument = "DIR",                          \
        .complete = COMPLETE_FOLDER,                                                               \
        .help = "a repository on this machine that may belong to another user; * allows all"       \
    }

#endif
