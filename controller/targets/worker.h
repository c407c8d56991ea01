/* worker.h - one target, one thread, one place for mail: what fleet.c is made of.
 *
 * The mail holds the newest definition and the newest snapshot; older ones that the worker did not
 * get to are dropped. Both the fleet and the thread hold a reference to the worker. When a worker
 * does not end in time the fleet gives it up and goes: then the thread touches nothing but the
 * worker and `world`, which it owns a part of. */
#ifndef WEIR_WORKER_H
#define WEIR_WORKER_H

#include <pthread.h>

#include "target.h"

/* definition.c. NULL without memory. */
struct target_definition *target_definition_new(const struct target *target);
void target_definition_free(struct target_definition *definition); /* NULL is fine */
/* Whether a worker of one serves the other: all but the place. */
bool target_definition_same(const struct target_definition *a, const struct target_definition *b);

/* What workers may use for as long as they run. Counted. */
struct world {
    _Atomic uint32_t references;
    struct reach reach;
    struct clock clock;
    /* As in struct fleet_parts; not to be called for a worker that was given up. */
    void *context;
    void (*adopt)(void *context, const char *target, struct override *const *found, size_t count);
    void (*outrun)(void *context, const char *environment, struct generation held);
};
/* NULL without memory. */
struct world *world_new(const struct fleet_parts *parts);
void world_release(struct world *world);

struct target_worker;

/* Starts a thread that waits for mail. Takes over `definition` when it succeeds. */
enum status worker_start(struct world *world, struct telemetry *telemetry,
                         struct target_definition *definition, struct target_worker **out);
/* Puts a snapshot into the mail. The same one again is no mail. */
void worker_give(struct target_worker *worker, struct snapshot *snapshot);
/* Makes the worker go by `definition`, which is taken over, from its next push on. The name stays.
 * When only the place differs nothing is pushed again. */
void worker_redefine(struct target_worker *worker, struct target_definition *definition);
const char *worker_name(const struct target_worker *worker); /* lives as long as the worker */
void worker_status(struct target_worker *worker, struct target_status *out);

/* Asks it to end, after what it is pushing. */
void worker_stop(struct target_worker *worker);
bool worker_ended(struct target_worker *worker);
/* After worker_stop(): waits until `deadline` (monotonic nanoseconds of the system), then gives it
 * up. Ends the fleet's reference. */
void worker_part(struct target_worker *worker, int64_t deadline);

#endif
