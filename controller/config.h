/* config.h - what `weir run` is told: from a YAML file, from options, options winning. */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H

#include "../rules/diagnostics.h"
#include "reach.h"

struct config {
    char *repo, *branch;        /* branch NULL: the remote's HEAD */
    char *listen;               /* ADDRESS:PORT; default 127.0.0.1:8080 */
    char *data;                 /* folder; default ./weir-data */
    int64_t poll;               /* nanoseconds; default 10 s */
    char *default_environment;  /* or NULL */
    struct reach reach;         /* paths, hosts, secrets */
    unsigned http_threads;      /* 0: one a core */
};

void config_init(struct config *config); /* all empty */
void config_dispose(struct config *config);
/* Reads a YAML file by schemas/config.json. Faults, with their places, go into `diagnostics`; values already set in
 * `config` are kept. */
enum status config_read(struct config *config, const char *path, struct diagnostics *diagnostics, struct error *error);
/* Fills in the defaults and checks what belongs together. */
enum status config_finish(struct config *config, struct error *error);

#endif
