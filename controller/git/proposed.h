/* proposed.h - branches that weir proposes to people, beside the branch that it follows: kept in
 * the clone until the remote has them.
 *
 * A proposal belongs to a commit of the followed branch, its parent, and is pushed once that is
 * there. Between the two the process may die or the remote go away: so the proposal is kept as a
 * ref of the clone first, and what is still kept is looked at after each fetch. What the remote has
 * had once is not pushed again: whoever deletes the branch has answered. */
#ifndef WEIR_GIT_PROPOSED_H
#define WEIR_GIT_PROPOSED_H

#include <stdatomic.h>

#include "mirror.h"

/* Keeps `commit` (a full id, of the clone) to be pushed as `branch`, a full name below
 * PROPOSED_BRANCHES; in the place of what was kept for it. STATUS_INVALID, STATUS_SYSTEM. */
#define PROPOSED_BRANCHES "refs/heads/weir/"
enum status proposed_keep(struct mirror *mirror, const char *branch, const char *commit,
                          struct error *error);

/* Pushes what is kept and whose parent is `tip`, the followed branch's as it is known, or an
 * ancestor of it; one whose parent is not did not come to be, and is dropped. A branch of the name
 * that is there already is as good: somebody made the same decision. Each is tried; the first
 * failure is returned: STATUS_REFUSED, the remote does not take it, and it is dropped;
 * STATUS_SYSTEM and STATUS_STOPPED, it stays. */
enum status proposed_push(struct mirror *mirror, const char *tip, _Atomic bool *stop,
                          struct error *error);

#endif
