/* approvals.h - which approvals of a rollout's state count: those of people who did not write the
 * last change to it (ROLLOUTS.md section 2), nor wrote one after they approved it. */
#ifndef WEIR_APPROVALS_H
#define WEIR_APPROVALS_H

#include "roster.h"

struct mirror;

/* Those that do not count, as bits by their index: of who wrote the last change, as of `commit`, to
 * the rollout or to the plan that it names. Where that cannot be found none counts. Reads the log
 * where there are approvals. */
uint64_t approvals_find_barred(struct mirror *mirror, const char *commit,
                               const struct roster *roster, const struct roster_rollout *item);
/* The state without them: itself, or a copy in `arena`, which borrows from it. NULL without memory.
 */
const struct rollout_state *approvals_drop(const struct rollout_state *state, uint64_t barred,
                                           struct arena *arena);

#endif
