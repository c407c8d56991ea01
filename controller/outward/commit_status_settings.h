/* commit_status_settings.h - which forge is told of commits, where and with which token: what the
 * operator said, in `commit-status` of the configuration.
 *
 * Owns its texts. None is set while `forge` is NULL. */
#ifndef WEIR_COMMIT_STATUS_SETTINGS_H
#define WEIR_COMMIT_STATUS_SETTINGS_H

#include "forge.h"

struct commit_status_settings {
    char *forge;              /* a name that forge_kind_of() knows */
    char *api, *project;      /* NULL: as the repository's URL tells */
    char *token_file;         /* its first line is the token; exactly one of these two */
    char *token_variable;     /* the environment variable that holds it */
    char *context;            /* default "weir" */
    char *target_url;         /* where a person who clicks on the status gets to; or NULL */
    struct forge_place place; /* found when the configuration is finished */
};

#endif
