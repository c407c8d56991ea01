/* states_gone.h - files of state/ that some commit on the way to this one took away.
 *
 * A commit says by its tree what counts, but for one thing: that a rollout's state was there, and
 * is not any more. Whoever computes what is in force from a tree alone must know of it. Along first
 * parents; costs two objects a commit, and more only where state/ changed. */
#ifndef WEIR_STATES_GONE_H
#define WEIR_STATES_GONE_H

#include "mirror.h"

/* A state file that is not at the commit, and was at the parent of the one that took it away last.
 * Borrowed for the call. */
struct state_gone {
    struct text path;
    struct blob_id blob; /* as it was */
    const char *commit;  /* that took it away */
};
/* False: it has seen enough. */
typedef bool states_gone_visit(void *context, const struct state_gone *gone);

/* Visits them, those taken away last first. Looks no further than `until` (NULL: the root).
 * STATUS_STOPPED. */
enum status mirror_states_gone(struct mirror *mirror, const char *commit, const char *until,
                               states_gone_visit *visit, void *context, const _Atomic bool *stop,
                               struct error *error);

#endif
