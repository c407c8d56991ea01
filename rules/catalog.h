/* catalog.h - all definitions of one commit, by name, checked against one another.
 *
 * catalog_build() is the first half of the way of the data: bytes → nodes → schema → typed
 * definitions → linked catalog. One owner, one thread. After a successful catalog_build() every
 * name that a definition uses exists and no reference is circular, so what follows (compile.h) need
 * not look again. */
#ifndef WEIR_CATALOG_H
#define WEIR_CATALOG_H

#include "bundle.h"
#include "crew.h"
#include "definitions.h"
#include "flag_pin.h"
#include "rollout_state.h"
#include "schema.h"

/* Of a catalog that is a part of what a commit defines: the names of all of it. Of a kind, sorted
 * by their bytes as the lists of a whole catalog are, alive as long as it; false without memory. */
struct catalog_names {
    bool (*list)(void *context, enum kind kind, const struct text **out, size_t *count);
    void *context;
};

struct catalog {
    struct arena arena;
    struct flag **flags; /* each kind sorted by name (bytes) */
    struct segment **segments;
    struct environment **environments;
    struct target **targets;
    struct phase_plan **phase_plans;
    struct metric **metrics;
    struct rollout **rollouts;
    struct rollout_state **rollout_states; /* by ENVIRONMENT/ROLLOUT */
    struct flag_pin **flag_pins;           /* by ENVIRONMENT/FLAG */
    size_t flag_count, segment_count, environment_count, target_count;
    size_t phase_plan_count, metric_count, rollout_count, rollout_state_count, flag_pin_count;
    struct rollout **releases; /* the rollouts by flag, then by name: catalog_index_releases() */
    size_t files;              /* that were read as definitions */
    size_t unreadable; /* of these, files that are not YAML: what they define is not known */
    struct broken
        *broken; /* documents with faults of their own, so that nobody is told they do not exist */
    const struct catalog_names *names; /* for "did you mean"; NULL: those of the lists above */
};

struct broken {
    enum kind kind;
    struct text name;
    struct broken *next;
};

/* The schemas compiled into the program, sealed. Free with schema_set_free(). NULL: `error` says
 * why. */
struct schema_set *catalog_schemas(struct error *error);

/* Builds a catalog out of a sorted bundle; `schemas` as from catalog_schemas(); `crew` may be NULL.
 * All faults go into `diagnostics`; STATUS_INVALID when one of them is an error (the catalog is
 * then only good for disposing). */
enum status catalog_build(struct catalog *catalog, const struct schema_set *schemas,
                          const struct bundle *bundle, const struct crew *crew,
                          struct diagnostics *diagnostics);
void catalog_dispose(struct catalog *catalog);

const struct flag *catalog_flag(const struct catalog *catalog, struct text name);
const struct segment *catalog_segment(const struct catalog *catalog, struct text name);
const struct environment *catalog_environment(const struct catalog *catalog, struct text name);

/* A kind's list. */
struct catalog_list {
    void *const *items; /* each begins with its struct name */
    size_t count;
};
struct catalog_list catalog_list(const struct catalog *catalog, enum kind kind);
void catalog_set_list(struct catalog *catalog, enum kind kind, void **items, size_t count);

const struct phase_plan *catalog_phase_plan(const struct catalog *catalog, struct text name);
const struct metric *catalog_metric(const struct catalog *catalog, struct text name);
const struct rollout *catalog_rollout(const struct catalog *catalog, struct text name);
/* The state of a rollout; NULL where it has none, or one of another identity. */
const struct rollout_state *catalog_rollout_state(const struct catalog *catalog,
                                                  const struct rollout *rollout);
/* The pin of a flag in an environment, be it lifted; NULL where there is none. */
const struct flag_pin *catalog_flag_pin(const struct catalog *catalog, struct text environment,
                                        struct text flag);
/* Tells which flags of an environment are pinned to a commit: for documents of a catalog alone,
 * which has no history. */
void catalog_note_pins(const struct catalog *catalog, struct text environment,
                       struct diagnostics *diagnostics);
/* The phases that a rollout is to walk through: its own, or its plan's. NULL: the plan is not
 * there. */
const struct phases *catalog_phases(const struct catalog *catalog, const struct rollout *rollout);
/* Once all lists are set: fills `releases`. */
enum status catalog_index_releases(struct catalog *catalog, struct arena *arena) MUST_CHECK;
#define RELEASES_MAX 32 /* rollouts of one flag in one environment */
/* The rollouts of a flag, in all environments, in the order of their names; *count of them. */
struct rollout *const *catalog_releases(const struct catalog *catalog, struct text flag,
                                        size_t *count);

/* The place of `name` among `count` pointers to definitions sorted by name (catalog->flags …), or
 * to anything else that begins with a struct name (flag->sorted), or `count`. */
size_t catalog_index(const void *items, size_t count, struct text name);

/* The settings of a flag in an environment, overrides applied. */
struct flag_settings flag_settings_in(const struct flag *flag, struct text environment);

/* Which definitions do not link, by their place in the catalog's lists; the caller's, all false. */
struct link_faults {
    bool *marked[KIND_COUNT];
};
/* link.c: every check across documents. Adds to `diagnostics`. `faults` may be NULL; definitions
 * that lack what another one with faults of its own might have been are marked too, though nobody
 * is told. */
void catalog_link(const struct catalog *catalog, struct diagnostics *diagnostics,
                  struct link_faults *faults);

#endif
