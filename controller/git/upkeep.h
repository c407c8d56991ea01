/* upkeep.h - keeps a clone small that fetches for years.
 *
 * Each fetch adds a pack, and each pack costs every look for an object a little and the process a
 * descriptor. Above UPKEEP_PACKS of them the git program packs the small ones into one, as `git
 * repack --geometric` chooses them: so it costs what came in, not what is there. Every object of
 * theirs goes along, unreachable ones too: some handle may be reading a commit that a rewrite has
 * just cut off. The old packs stay until every handle of the process has been opened anew
 * (share.h), for libgit2 does not look elsewhere when a pack vanishes in the middle of a read; so
 * `git repack -d`, which removes them at once, is not used. A crash at any point leaves objects in
 * more packs than needed, never in none.
 *
 * One thread, that of the fetches, owns it; upkeep_write_status() may be called by any. */
#ifndef WEIR_GIT_UPKEEP_H
#define WEIR_GIT_UPKEEP_H

#include "../clock.h"
#include "../telemetry.h"
#include "mirror.h"

#define UPKEEP_PACKS 50

struct upkeep;

/* All borrowed. NULL without memory. */
struct upkeep *upkeep_new(struct mirror *mirror, const struct clock *clock,
                          struct telemetry *telemetry);
void upkeep_free(struct upkeep *upkeep); /* NULL is fine */

/* After each fetch: looks whether there is something to do and does it, which may take minutes;
 * *stop (or NULL) becoming true ends it. What fails is logged, counted, and tried again later.
 * True when other handles have to be opened anew before it can go on. */
bool upkeep_turn(struct upkeep *upkeep, _Atomic bool *stop);

/* {"packs":N,"problem":null,"ran":null}, for /status. */
void upkeep_write_status(struct upkeep *upkeep, struct buffer *out);

#endif
