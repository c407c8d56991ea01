/* target.h - where evaluated state is pushed, and the worker that pushes it.
 *
 * A kind of target is one file with one `struct target_driver`, one row in the table of registry.c,
 * and one schema entry (schemas/target.json). It never sees threads, retries or what came before:
 * it is given the newest push and says whether the target has it. */
#ifndef WEIR_TARGET_H
#define WEIR_TARGET_H

#include "../../rules/definitions.h"
#include "../clock.h"
#include "../reach.h"
#include "../snapshot.h"
#include "../telemetry.h"

struct override; /* rollout/override.h */

#define PUSH_PROBLEM_SIZE 256

/* What a push found out about overrides, where a target keeps them (ROLLOUTS.md section 4). */
struct push_found {
    bool looked;                 /* else nothing is known, and the rest says nothing */
    struct override **overrides; /* that stand there and that the push does not have: references */
    size_t count;
    size_t unservable;               /* so many stand there that are no overrides, and stay */
    char problem[PUSH_PROBLEM_SIZE]; /* what is wrong with one of these, or empty */
    bool merged; /* overrides of others stand over the document: it is not quite what is there */
    /* What stands there is not to be replaced by a push of this overlay, and should be by one that
     * has the overrides of both: `held` is to be gone beyond. */
    bool outrun;
    struct generation held;
};
void push_found_dispose(struct push_found *found); /* empties it */

/* What a target is to hold. */
struct push {
    struct snapshot *snapshot; /* counted */
    struct document *document; /* borrowed from the snapshot */
    const char *environment;
    const _Atomic bool *stop; /* becomes true when the push is to end as it stands; or NULL */
    struct generation *held;  /* gets the newer one for which it was refused; or NULL */
    const struct override_set *overrides; /* of the document, borrowed; NULL: none */
    struct push_found *found;             /* empty; or NULL */
};

/* Its own copy of a target's definition. */
struct target_definition {
    char *name, *environment, *location, *key, *secret; /* key, secret: NULL where there is none */
    struct place place; /* of the location in the definitions; path is owned */
    enum target_type type;
};

struct target_driver {
    enum target_type type;
    const char *name; /* "file" */
    /* Makes the connection's state, contacts nobody. NULL without memory. */
    void *(*open)(const struct target_definition *definition, const struct reach *reach,
                  const struct clock *clock);
    /* Makes the target hold `push`; blocks, at most some seconds. STATUS_REFUSED when the target
     * holds a newer generation or reach does not allow it (no sooner retry than the longest
     * backoff). STATUS_STOPPED by *stop. */
    enum status (*push)(void *state, const struct push *push, struct error *error);
    /* The diagnostic code of the last push's refusal, when the definition wants what reach does not
     * allow; else NULL. Static text. */
    const char *(*code)(const void *state);
    void (*close)(void *state);
    /* Whether the connection by which the last push succeeded has ended since: then the server may
     * have been started anew, without what it held. Waits for nothing, costs next to nothing. NULL:
     * a target of this kind does not forget. */
    bool (*lost)(const void *state);
};

/* For drivers: the target holds `held`, which is newer than what is pushed. `where` is how it is
 * named to people. Fills `error` and returns STATUS_REFUSED. */
enum status push_is_outrun(const struct push *push, struct generation held, const char *where,
                           struct error *error);

/* registry.c: the one table. */
const struct target_driver *target_driver(enum target_type type);

/* --- workers --------------------------------------------------------------------------------- */

enum target_condition { TARGET_PENDING, TARGET_IN_SYNC, TARGET_RETRYING, TARGET_REFUSED_IT };
/* "pending", "inSync", "retrying", "refused" */
const char *target_condition_name(enum target_condition condition);

struct target_status {
    char name[128], environment[128];
    const char *type;
    enum target_condition condition;
    char generation[GENERATION_TEXT_SIZE]; /* acknowledged; empty: none yet */
    char digest[DIGEST_TEXT_SIZE], commit[COMMIT_TEXT_SIZE];
    int64_t last_success; /* wall seconds, 0: never */
    unsigned failures;    /* in a row */
    char problem[448];    /* of the last failure, or empty */
    /* While the target holds a newer generation than what is served: which, and since when this is
     * known (wall seconds). Empty, 0: it does not. */
    char held[GENERATION_TEXT_SIZE];
    int64_t held_since;
    /* Overrides of others stand over what was pushed: `digest` is empty, since nobody has computed
     * it. */
    bool merged;
    size_t unservable; /* so many stand there that are no overrides: `override_problem` */
    char override_problem[PUSH_PROBLEM_SIZE];
    char path[256]; /* of the definition */
    uint32_t line, column;
    const char *code; /* a diagnostic code when reach refused it, else NULL */
};

struct fleet; /* all workers of a controller; used by core, read by HTTP threads */

/* The two functions are told of overrides at targets. They are called on a worker's thread and
 * under its lock, before the fleet is freed: they must neither wait nor call the fleet. NULL:
 * nobody wants to know. */
struct fleet_parts {
    const struct reach *reach; /* copied */
    const struct clock *clock; /* copied */
    struct telemetry *telemetry;
    void *context;
    /* Overrides that others have put where this one's targets are, borrowed for the call, as the
     * target's name is; the same again at each push until what is served has them, or records
     * them. */
    void (*adopt)(void *context, const char *target, struct override *const *found, size_t count);
    /* A target of `environment` holds `held`, of the same commit and with other overrides: what is
     * published next is to have a higher overlay than that. */
    void (*outrun)(void *context, const char *environment, struct generation held);
};
struct fleet *fleet_new(const struct fleet_parts *parts); /* NULL without memory */
/* More targets than this are not pushed to: STATUS_LIMIT. */
#define FLEET_MAX_TARGETS 1024
/* Makes the set of workers equal to `targets` (starts new ones, stops removed ones, restarts
 * changed ones) and gives each the snapshot: the latest wins, one that is being pushed is finished
 * first. Never blocks on a target. When a worker cannot be started the others still are; `targets`
 * need not outlive the call. */
enum status fleet_apply(struct fleet *fleet, struct target *const *targets, size_t count,
                        struct snapshot *snapshot);
/* Gives each worker another snapshot; the set of targets is as it was. */
void fleet_give(struct fleet *fleet, struct snapshot *snapshot);
/* Copies the status of at most `size` targets, sorted by name; returns how many there are. Waits
 * for no target. */
size_t fleet_status(struct fleet *fleet, struct target_status *out, size_t size);
/* Lets each worker finish or give up what it is pushing, for at most `patience` nanoseconds, then
 * ends them. */
void fleet_free(struct fleet *fleet, int64_t patience);

#endif
