/* core.h - the one owner of what is in force: takes tips, makes snapshots, gives them out.
 *
 * Called by one thread, no network. It reads a commit from the local clone, builds catalog and
 * documents, publishes to the hub and hands the snapshot to the targets' fleet. A commit that does
 * not validate leaves all of that as it was and is kept as faults for /status. Only
 * core_note_fetch() and core_write_status() may be called from other threads. */
#ifndef WEIR_CORE_H
#define WEIR_CORE_H

#include "../rules/catalog.h"
#include "clock.h"
#include "config.h"
#include "git/mirror.h"
#include "targets/target.h"
#include "telemetry.h"

struct core;

struct core_parts {
    const struct config *config;
    const struct clock *clock;
    struct telemetry *telemetry;
    struct hub *hub;
    struct fleet *fleet;
};

/* `mirror` stays the caller's and must outlive the core. */
enum status core_new(const struct core_parts *parts, struct mirror *mirror, struct core **out,
                     struct error *error);
void core_free(struct core *core); /* NULL is fine */

/* Takes a tip: the whole way from commit to served. STATUS_INVALID: it has faults and what was
 * served before still is. A tip that was judged before costs nothing. At the first tip after a
 * start, when it has faults, its newest valid ancestor along first parents is served, so that a
 * restart changes no answer. */
enum status core_take(struct core *core, const char *tip, struct error *error);

/* Appends the JSON object of GET /status. */
void core_write_status(struct core *core, struct buffer *out);
/* A fetch's outcome, for /status. `error` is NULL when it succeeded. */
void core_note_fetch(struct core *core, const struct error *error);

#endif
