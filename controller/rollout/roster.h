/* roster.h - the rollouts that are in force at a commit, and where each stands there.
 *
 * Made by core, after a commit was put in force, from E(commit) and the state files of that commit;
 * given to whoever measures or asks. Immutable and counted: a reader holds its own reference. */
#ifndef WEIR_ROSTER_H
#define WEIR_ROSTER_H

#include "../../rules/catalog.h"
#include "../../rules/inventory.h"
#include "../../rules/reconcile.h"
#include "../../rules/walk.h"
#include "../snapshot.h"
#include "../zone_files.h"

struct roster_rollout {
    const struct rollout *rollout;
    const struct phases *phases;       /* as its plan reads now; NULL: the plan is gone */
    const struct rollout_state *state; /* never NULL: where there is no file, walk_initial() */
    bool has_file;                     /* state/ENVIRONMENT/ROLLOUT.yaml counts */
    bool unreadable;   /* the file cannot be read: `state` is its last readable version */
    bool foreign_edit; /* the file was edited by hand and exposes more: `state` is weir's last */
    struct calendar *calendar; /* NULL: always open; or `calendar_fault` says why there is none */
    const struct zone *zone;   /* of the calendar; NULL: UTC */
    char calendar_fault[160];  /* its time zone is not known here: nothing grows; or empty */
    const char *name;          /* "production/checkout-v2" */
    const char *path;          /* "state/production/checkout-v2.yaml" */
};

/* What people have defined, which most commits leave as it is: counted, and shared by the rosters
 * of all commits that do. */
struct roster_definitions {
    _Atomic uint32_t references;
    uint64_t key; /* of all versions that it was made of */
    /* Rollouts, plans and metrics in force, and flags that are watched; nothing else. */
    struct catalog catalog;
    struct zone_files zones;
    struct arena arena;
    struct roster_rollout *items; /* each as it stands without a file; sorted as roster->items */
    size_t count;
};

/* One state file as it was read: counted, and shared by all rosters that have the rollout stand
 * there. */
struct roster_state;

struct roster {
    _Atomic uint32_t references;
    struct roster_definitions *definitions; /* a reference */
    struct roster_state **states; /* a reference for each of `items`; NULL: it has no file */
    struct arena arena;
    struct roster_rollout *items; /* sorted by name: by environment, then rollout */
    size_t count;
    uint64_t key;        /* of all versions that it was made of */
    struct roster *base; /* whose rollouts these are, with others beside them; or NULL */
};

/* Of what is in force in `inventory`. `previous` (or NULL) is taken over instead, with another
 * reference, when all that it was made of is the same. Else only what differs from it is read: the
 * state files that do, and all definitions if one of them does. STATUS_NO_MEMORY, STATUS_SYSTEM. */
enum status roster_make(const struct inventory *inventory, const struct schema_set *schemas,
                        struct file_reader reader, struct roster *previous, struct roster **out,
                        struct error *error) MUST_CHECK;
/* The rollouts of `base`, with others beside them or in their place: what is measured as if it were
 * one (steering_watch.h), or stands elsewhere. `others` are sorted by name, each once; one that
 * `base` has too is the other's. What they point to, unless it is of `base`, must live in `arena`,
 * which the roster takes over. STATUS_NO_MEMORY; the arena is given back. */
enum status roster_join(struct roster *base, const struct roster_rollout *others, size_t count,
                        struct arena *arena, struct roster **out) MUST_CHECK;
struct roster *roster_reference(struct roster *roster);
void roster_release(struct roster *roster);                        /* NULL is fine */
const struct catalog *roster_catalog(const struct roster *roster); /* of definitions->catalog */

/* NULL where there is none. `name`: ENVIRONMENT/ROLLOUT. */
const struct roster_rollout *roster_find(const struct roster *roster, struct text name);
/* The unfinished or exposing rollout of a flag in an environment, else any; NULL: none. */
const struct roster_rollout *roster_of_flag(const struct roster *roster, struct text environment,
                                            struct text flag);
const struct metric *roster_metric(const struct roster *roster, struct text name);
/* A task for the machine with all that the roster knows: no gates, nothing of targets or clocks. */
void roster_task(const struct roster_rollout *item, int64_t now, struct walk_task *out);

#endif
