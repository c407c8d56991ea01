/* news.h - what happens to rollouts and commits, told to people by the channels that the operator
 * configured (notify/notifier.h).
 *
 * News waits in the store of the data folder until its channel took it, through restarts; one that
 * was sent is not sent again, however often it is told here. Where the store cannot be opened it
 * waits in memory, which is said aloud. Telling writes to the disk and never waits for a network,
 * and nothing that fails here stops who tells: it is logged and counted. NULL is a struct news
 * without channels. Any thread may tell; news_start() and news_stop() are the controller's. */
#ifndef WEIR_NEWS_H
#define WEIR_NEWS_H

#include "core.h"
#include "rollout/roster.h"

struct news;

/* Of config: `notify_*`, `reach`, `data`, `repo`. All is borrowed and must outlive it. Without
 * channels *out is NULL. */
enum status news_start(const struct config *config, const struct clock *clock,
                       struct telemetry *telemetry, struct news **out, struct error *error);
void news_stop(struct news *news); /* within a moment */

/* What became of a commit: told when parts of it are quarantined, or it is not served. `outcome`
 * is that of core_take(); on core's thread. */
void news_tell_commit(struct news *news, struct core *core, const char *commit,
                      enum status outcome);

/* A decision that was made. `commit`: full id of what records it, or empty where it is not in Git
 * yet (an override; the same intent is not told again once it is). `by`: who asked for it; empty:
 * weir. `reason`: what that person said, or empty; what weir itself holds or waits for has words of
 * its own. `evidence`: as Weir-Evidence has it; empty: the decision's own. A decision to wait is
 * told once a move, when it waits for approvals; what people need not know is passed over. */
void news_tell_decision(struct news *news, const struct roster_rollout *rollout,
                        const struct walk_decision *decision, struct text commit, struct text by,
                        struct text reason, struct text evidence);

/* For /status: what notifier_write_status() writes. */
void news_write_status(struct news *news, struct buffer *out);

/* The event of a decision, one of notice_events[]; NULL: none. Pure. */
const char *news_event_of(const struct walk_decision *decision);

#endif
