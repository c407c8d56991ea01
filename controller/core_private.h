/* core_private.h - shared by core.c and core_status.c. */
#ifndef WEIR_CORE_PRIVATE_H
#define WEIR_CORE_PRIVATE_H

#include "core.h"

struct core {
    struct core_parts parts;
    struct mirror *mirror;
    struct schema_set *schemas;
    char
        judged[COMMIT_TEXT_SIZE]; /* the last tip that was served or refused; owner's thread only */

    pthread_mutex_t
        lock; /* everything below: written by the owner and by fetches, read by /status */
    char tip[COMMIT_TEXT_SIZE];
    bool tip_is_served;
    struct diagnostics faults;          /* of the tip */
    int64_t last_success, last_attempt; /* of fetches, wall seconds; 0: never */
    unsigned fetch_failures;            /* in a row */
    char fetch_problem[256];
};

#endif
