/* state_keeper.h - keeps what a hub serves on disk (state_file.h), by a thread of its own.
 *
 * A publish wakes it, the newest snapshot is written, those in between never are. After a write it
 * rests for some times as long as that took, so that a stream of commits to large documents does
 * not keep the disk busy. What is served never waits for it; a failure is logged, once, and tried
 * again with backoff. What came from the disk is not written back. */
#ifndef WEIR_STATE_KEEPER_H
#define WEIR_STATE_KEEPER_H

#include "clock.h"
#include "snapshot.h"

struct state_keeper;

/* `hub` must outlive it; `folder` is copied. */
enum status state_keeper_start(struct hub *hub, const char *folder, const struct clock *clock,
                               struct state_keeper **out, struct error *error);
/* Writes what is not yet written, once, and ends the thread. NULL is fine. */
void state_keeper_stop(struct state_keeper *keeper);

#endif
