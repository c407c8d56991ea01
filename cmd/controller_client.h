/* controller_client.h - a running controller, asked over HTTP by libcurl.
 *
 * One request at a time. What it answers is bounded and not to be trusted: whoever reads it parses
 * it strictly, and shows nothing of it as it is (status.h). A token goes to the controller that was
 * named and to nobody else: redirects are not followed. */
#ifndef WEIR_CMD_CONTROLLER_CLIENT_H
#define WEIR_CMD_CONTROLLER_CLIENT_H

#include <signal.h>

#include "../rules/buffer.h"

#define CONTROLLER_STANDARD "http://127.0.0.1:8080"

struct controller_source {
    const char *controller;            /* http://HOST:PORT, perhaps with a path */
    const char *token_file, *ca_file;  /* or NULL */
    const volatile sig_atomic_t *stop; /* a request ends when it is set; or NULL */
};

struct controller_client;

/* STATUS_INVALID: not a URL, or no token in the file. */
enum status controller_client_open(const struct controller_source *source,
                                   struct controller_client **out, struct error *error);
void controller_client_close(struct controller_client *client); /* NULL is fine */

/* What GET of `path` ("/status") answers: the body, replaced, and the controller's own time in
 * seconds since 1970, so that clocks need not agree. STATUS_STOPPED: *stop was set; STATUS_REFUSED:
 * 401 or 403; STATUS_NOT_FOUND: 404; STATUS_SYSTEM: it cannot be reached, or answers something else
 * than 200. */
enum status controller_get(struct controller_client *client, const char *path, struct buffer *body,
                           int64_t *now, struct error *error);
/* The same of POST with a JSON body, which is taken in by 202. */
enum status controller_post(struct controller_client *client, const char *path, struct text json,
                            struct buffer *body, struct error *error);

/* The options of commands that ask a controller. */
#define CONTROLLER_TOKEN_OPTIONS(use)                                                              \
    {.name = "token-file",                                                                         \
     .type = OPTION_STRING,                                                                        \
     .argument = "FILE",                                                                           \
     .complete = COMPLETE_FILE,                                                                    \
     .help = "a file whose first line is the token " use},                                         \
    {                                                                                              \
        .name = "ca-file", .type = OPTION_STRING, .argument = "FILE", .complete = COMPLETE_FILE,   \
        .help = "certificates to trust, instead of the system's"                                   \
    }

#endif
