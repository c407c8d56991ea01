/* config.h - what `weir run` is told: from a YAML file, from options, options winning.
 *
 * So the options are set first, then the file is read for what they left open, then config_finish()
 * fills in the defaults. Relative paths, of the file too, are relative to the working folder; all
 * are absolute once they stand here. A config owns all of its memory. */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H

#include "../rules/diagnostics.h"
#include "git/access.h"
#include "reach.h"

struct config {
    char *repo, *branch;       /* branch NULL: the remote's HEAD */
    char *listen;              /* ADDRESS:PORT; default 127.0.0.1:8080 */
    char *data;                /* folder; default ./weir-data */
    int64_t poll;              /* nanoseconds; default 10 s */
    char *default_environment; /* or NULL */
    struct reach reach;        /* paths, hosts, secrets */
    unsigned http_threads;     /* 0: one a core */
    struct git_access git;     /* how the repository's server is reached */
};

#define CONFIG_MAX_BYTES ((size_t)1 << 20)                 /* of the file */
#define CONFIG_POLL_LEAST (INT64_C(100) * 1000000)         /* 100 ms */
#define CONFIG_POLL_MOST (INT64_C(7) * 86400 * 1000000000) /* a week */
#define CONFIG_GIT_TIMEOUT_LEAST (INT64_C(1) * 1000000000) /* a second */
#define CONFIG_MAX_THREADS 1024

void config_init(struct config *config); /* all empty */
void config_dispose(struct config *config);
/* Reads a YAML file by schemas/config.json. Faults, with their places, go into `diagnostics`;
 * values already set in `config` are kept. */
enum status config_read(struct config *config, const char *path, struct diagnostics *diagnostics,
                        struct error *error);
/* The values of options: text is copied. STATUS_INVALID when it makes no sense; `error` does not
 * name the option. */
enum status config_set_text(char **member, const char *text, struct error *error);
enum status config_set_path(char **member, const char *path,
                            struct error *error); /* made absolute */
enum status config_set_repo(struct config *config, const char *repo, struct error *error);
enum status config_set_poll(struct config *config, const char *duration, struct error *error);
enum status config_set_threads(struct config *config, const char *number, struct error *error);
enum status config_allow_path(struct config *config, const char *folder, struct error *error);
enum status config_allow_host(struct config *config, const char *host, struct error *error);
enum status config_set_git_timeout(struct config *config, const char *duration,
                                   struct error *error);
enum status config_safe_directory(struct config *config, const char *folder, struct error *error);
/* Fills in the defaults and checks what belongs together. */
enum status config_finish(struct config *config, struct error *error);

#endif
