/* edge.h - `weir edge`: serves what a source says (source.h), over the HTTP face of `weir run`.
 *
 * What it last saw is on disk and is served from there at a start, and for as long as the source is
 * away. An older generation never replaces a newer one. */
#ifndef WEIR_EDGE_H
#define WEIR_EDGE_H

#include "../config.h"

struct edge_config {
    struct config serving; /* finished by config_finish_serving() */
    char *from;            /* a path is absolute */
    char **environments;
    size_t environment_count;
    char *token_file; /* or NULL */
};

#define EDGE_POLL_STANDARD (INT64_C(1) * 1000000000)

void edge_config_init(struct edge_config *config);
void edge_config_dispose(struct edge_config *config);
enum status edge_set_from(struct edge_config *config, const char *from, struct error *error);
enum status edge_add_environment(struct edge_config *config, const char *name, struct error *error);
/* Fills in the defaults and checks what belongs together. */
enum status edge_config_finish(struct edge_config *config, struct error *error);

/* Runs until SIGTERM or SIGINT; SIGHUP looks at once, and reads the files of tokens and certificate
 * again. `announce` as controller_run() has it. */
enum status edge_run(const struct edge_config *config,
                     void (*announce)(void *context, const char *address), void *context,
                     struct error *error);

#endif
