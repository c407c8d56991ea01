/* state_history.h - what files of state/ were before a commit.
 *
 * A commit says by its tree what counts, but for two things: that a state was there and is not any
 * more, and that weir said something later than what stands there. Whoever computes what is in
 * force from a tree alone must know of both.
 *
 * Costs two objects for each commit on first parents, and more only where state/ changed; what came
 * by merges is looked at commit by commit too. */
#ifndef WEIR_STATE_HISTORY_H
#define WEIR_STATE_HISTORY_H

#include "mirror.h"

/* A state file, or a pin's, as some commit had it. Borrowed for the call. */
struct state_version {
    struct text path;
    struct blob_id blob; /* as it was there */
    bool is_there;       /* the commit that is asked about has such a file */
    bool was_taken;      /* it was on first parents, and the one after it has not */
    struct blob_id now;  /* is_there: as it is */
};
/* False: it has seen enough. */
typedef bool state_visit(void *context, const struct state_version *version);

/* Visits each version that an ancestor of `commit` had and its own successor changed or took away:
 * those on first parents newest first, then those that merges brought. Looks at no ancestor of
 * `until` (NULL: at all). `at` becomes empty; or, when the visitor has seen enough, the oldest
 * commit on first parents that has the last version behind it. STATUS_STOPPED. */
enum status mirror_state_history(struct mirror *mirror, const char *commit, const char *until,
                                 state_visit *visit, void *context, const _Atomic bool *stop,
                                 char at[COMMIT_TEXT_SIZE], struct error *error);

/* Of a merge: visits what commits made that its other parents know and its first does not, newest
 * first, but what the merge has too. Of another commit nothing. STATUS_STOPPED. */
enum status mirror_states_beside(struct mirror *mirror, const char *commit, state_visit *visit,
                                 void *context, const _Atomic bool *stop, struct error *error);

#endif
