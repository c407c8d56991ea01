/* config.h - what `weir run` is told: from a YAML file, from options, options winning.
 *
 * So the options are set first, then the file is read for what they left open, then config_finish()
 * fills in the defaults. Relative paths, of the file too, are relative to the working folder; all
 * are absolute once they stand here. A config owns all of its memory. */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H

#include "../rules/diagnostics.h"
#include "git/access.h"
#include "http/settings.h"
#include "notify/notify.h"
#include "outward/commit_status_settings.h"
#include "reach.h"

struct config {
    char *repo, *branch;        /* branch NULL: the remote's HEAD */
    char *listen;               /* ADDRESS:PORT; default 127.0.0.1:8080 */
    char *data;                 /* folder; default ./weir-data */
    int64_t poll;               /* nanoseconds; default 10 s */
    char *default_environment;  /* or NULL */
    struct git_access git;      /* how the repository's server is reached */
    char *verify;               /* which commits must be signed: none, tip or all; default none */
    char *allowed_signers;      /* a file (ssh-keygen(1)); required unless verify is none */
    char *verify_since;         /* a full commit id that needs no signature; or NULL */
    char *author;               /* "NAME <MAIL>" of weir's own commits; or NULL */
    char *sign_key;             /* by which they are signed (SSH): a path; or NULL */
    struct reach reach;         /* paths, hosts, secrets */
    unsigned http_threads;      /* 0: one a core */
    struct http_settings http;  /* by config_http.h */
    unsigned event_streams;     /* at most; default 10 000; 0: none are offered */
    bool has_event_streams;     /* it is set */
    int64_t event_heartbeat;    /* nanoseconds; default 15 s */
    int64_t scrape_interval;    /* of the Prometheus servers, in seconds; 0: the default, 15 */
    unsigned blast_cap;         /* automatic rollbacks in an hour; 0: the default, 5 */
    struct reach_secret *hooks; /* of the forges that may call, named "hooks.github" and so on */
    size_t hook_count;
    struct commit_status_settings commit_status; /* forge NULL: no forge is told */
    struct notify_channel *notify_channels;      /* names are their own */
    size_t notify_channel_count;
    char *log_format, *log_level; /* as log.h spells them; default logfmt and info */
};

#define CONFIG_MAX_BYTES ((size_t)1 << 20)                 /* of the file */
#define CONFIG_POLL_LEAST (INT64_C(100) * 1000000)         /* 100 ms */
#define CONFIG_POLL_MOST (INT64_C(7) * 86400 * 1000000000) /* a week */
#define CONFIG_GIT_TIMEOUT_LEAST (INT64_C(1) * 1000000000) /* a second */
#define CONFIG_MAX_THREADS 1024
#define CONFIG_MAX_BLAST_CAP 1000000
#define CONFIG_MAX_EVENT_STREAMS 1000000
#define CONFIG_HEARTBEAT_LEAST (INT64_C(100) * 1000000)       /* 100 ms */
#define CONFIG_HEARTBEAT_MOST (INT64_C(10) * 60 * 1000000000) /* 10 min */

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
enum status config_set_event_streams(struct config *config, const char *number,
                                     struct error *error);
enum status config_set_event_heartbeat(struct config *config, const char *duration,
                                       struct error *error);
enum status config_set_scrape_interval(struct config *config, const char *duration,
                                       struct error *error);
enum status config_set_blast_cap(struct config *config, const char *number, struct error *error);
enum status config_allow_path(struct config *config, const char *folder, struct error *error);
/* For config_read.c: appends one to a list of hosts. */
enum status config_add_host(struct reach_host **hosts, size_t *count, struct text text,
                            struct error *error);
enum status config_set_verify(char **member, const char *text, struct error *error);
enum status config_set_commit(char **member, const char *text, struct error *error);
enum status config_allow_host(struct config *config, const char *host, struct error *error);
/* Adds the secret of a forge's webhooks, named; where it is is the caller's to fill in. */
enum status config_new_hook(struct config *config, struct text forge, struct reach_secret **out,
                            struct error *error);
/* FORGE=FILE, where the secret of that forge's webhooks is. */
enum status config_add_hook(struct config *config, const char *text, struct error *error);
/* config_commit_status.c: the forge that is told what became of a commit. */
struct node;
/* Takes the map `commit-status` of a file; *at is what a failure is about. */
enum status config_read_commit_status(struct config *config, const struct node *map,
                                      const struct node **at, struct error *error);
/* FORGE=FILE, where the token is. */
enum status config_set_commit_status(struct config *config, const char *text, struct error *error);
enum status config_finish_commit_status(struct config *config, struct error *error);
void config_dispose_commit_status(struct config *config);
/* config_notify.c: who is told of what happens. Takes the list `notify` of a file, whose secrets
 * have been read before; *at is what a failure is about. */
enum status config_read_notify(struct config *config, const struct node *list,
                               const struct node **at, struct error *error);
void config_dispose_notify(struct config *config);
enum status config_set_log_format(char **member, const char *text, struct error *error);
enum status config_set_log_level(char **member, const char *text, struct error *error);
void config_set_up_log(const struct config *config); /* what it says of the log, from now on */
enum status config_set_git_timeout(struct config *config, const char *duration,
                                   struct error *error);
enum status config_safe_directory(struct config *config, const char *folder, struct error *error);
/* Fills in the defaults and checks what belongs together. */
enum status config_finish_serving(struct config *config,
                                  struct error *error); /* what is not about Git */
enum status config_finish(struct config *config, struct error *error);

#endif
