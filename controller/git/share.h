/* share.h - what the handles of this process on one clone have in common.
 *
 * When the clone was repacked, the old packs may go only once no handle reads them: each handle
 * belongs to a thread, which opens it anew between two operations (mirror_refresh), and the share
 * knows the last one to do so. */
#ifndef WEIR_GIT_SHARE_H
#define WEIR_GIT_SHARE_H

#include <pthread.h>

#include "../../rules/base.h"

struct mirror;

struct mirror_share {
    pthread_mutex_t lock; /* over all below, and over `generation` and `next` of each handle */
    struct mirror *first;
    uint64_t generation; /* rises when the clone was repacked */
};

struct mirror_share *share_new(void); /* NULL without memory */
void share_join(struct mirror_share *share, struct mirror *mirror);
/* The last handle to leave frees it. */
void share_leave(struct mirror_share *share, struct mirror *mirror);

/* Every handle is stale from here on; returns the new generation. */
uint64_t share_renew(struct mirror_share *share);
/* Whether every handle was opened at that generation or later. */
bool share_has_reached(struct mirror_share *share, uint64_t generation);
uint64_t share_generation(struct mirror_share *share);
/* This handle was opened at `generation`. */
void share_reach(struct mirror_share *share, struct mirror *mirror, uint64_t generation);
bool share_is_stale(struct mirror_share *share, const struct mirror *mirror);

#endif
