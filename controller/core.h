/* core.h - the one owner of what is in force: takes tips, makes snapshots, gives them out.
 *
 * Called by one thread, no network. It puts a commit of the local clone in force (effective.h),
 * publishes that to the hub and hands the snapshot to the targets' fleet. What a faulty commit has
 * wrong stands as it stood before, and is told by /status. Only
 * core_note_fetch() and core_write_status() may be called from other threads. */
#ifndef WEIR_CORE_H
#define WEIR_CORE_H

#include "../rules/catalog.h"
#include "clock.h"
#include "config.h"
#include "git/mirror.h"
#include "rollout/steering.h"
#include "targets/target.h"
#include "telemetry.h"

struct core;

struct core_parts {
    const struct config *config;
    const struct clock *clock;
    struct telemetry *telemetry;
    struct hub *hub;
    struct fleet *fleet;
    _Atomic bool *stop; /* becoming true ends a long way through history; or NULL */
    /* store, desk, measures, propose, wake, context, blast_cap; the rest is core's to fill in */
    struct steering_parts steering;
};

/* `mirror` stays the caller's and must outlive the core. */
enum status core_new(const struct core_parts *parts, struct mirror *mirror, struct core **out,
                     struct error *error);
void core_free(struct core *core); /* NULL is fine */

/* Takes a tip: the whole way from commit to served. STATUS_INVALID: its branch was rewritten, or it
 * is not signed as the operator wants it, and what was served before still is; or nothing in it can
 * be served. A tip that was judged before costs nothing. */
enum status core_take(struct core *core, const char *tip, struct error *error);

/* What became of the tip that core_take() had last. */
struct core_judgement {
    bool is_served, is_whole; /* it is in force; all that it says is */
    size_t errors, warnings;
    size_t quarantined; /* definitions that stand as they stood before */
    size_t definitions; /* in all; counted only where some are quarantined */
    int64_t since;      /* it is served, wall seconds; 0: it is not */
    char reason[256];   /* why it is not served, one line; or empty */
};
/* On the thread of core_take(). */
void core_judgement(struct core *core, struct core_judgement *out);
/* Hands what is served to those targets that could not be given it when it was published (there was
 * no memory, or no thread for a worker), if it is time to try again. Returns in how many
 * nanoseconds to call again, at most half a minute; INT64_MAX: targets have all there is. */
int64_t core_retry(struct core *core);

/* Puts the overrides that are open over what the disk kept and the hub serves already: before the
 * first answer. */
enum status core_resume(struct core *core, struct error *error);
/* Walks the rollouts (rollout/steering.h). Returns in how many nanoseconds to call again, if
 * nothing wakes it before. */
int64_t core_turn(struct core *core);
/* For what other threads may tell and ask it. */
struct steering *core_steering(struct core *core);

/* Appends the JSON object of GET /status. */
void core_write_status(struct core *core, struct buffer *out);
/* A fetch's outcome, for /status. `error` is NULL when it succeeded. */
void core_note_fetch(struct core *core, const struct error *error);

#endif
