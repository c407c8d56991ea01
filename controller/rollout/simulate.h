/* simulate.h - a rollout played ahead: what would happen, and when, by the machine of rules/walk.h.
 *
 * Time jumps from one instant at which something may change to the next, so that twelve weeks take
 * milliseconds. Nobody is asked: measurements and breaches are given, approvals come after a while,
 * and a rollout without a date is started when the play begins. Nobody resumes what was held.
 * Instants are seconds since 1970 in UTC. */
#ifndef WEIR_SIMULATE_H
#define WEIR_SIMULATE_H

#include "../../rules/catalog.h"
#include "../../rules/walk.h"

#define SIMULATE_MEASUREMENTS_MAX 2000000
#define SIMULATE_BREACHES_MAX 64
#define SIMULATE_SPANS_MAX 4096
#define SIMULATE_NO_APPROVALS (-1)

struct simulate_measurement {
    struct text metric;
    int64_t finished;
    bool has_verdict; /* else `value` is held against the metric's thresholdRange */
    enum walk_verdict verdict;
    double value;
    bool silent;                /* the variant said nothing while control spoke: a failure */
    struct text ratio_mismatch; /* words, where the arms were not as large as their shares; or
                                   empty */
};

struct simulate_breach {
    struct text metric;
    int64_t at;
};

struct simulate_task {
    const struct catalog *catalog;
    const struct rollout *rollout;
    const struct calendar *calendar; /* NULL: always open */
    const struct zone *zone;         /* NULL: UTC */
    int64_t from, to;
    int64_t approve_after; /* seconds; SIMULATE_NO_APPROVALS: nobody approves */
    /* Sorted by `finished`. Without any, all is measured well all the time. */
    const struct simulate_measurement *measurements;
    size_t measurement_count;
    const struct simulate_breach *breaches;
    size_t breach_count;
};

/* A stretch in one phase and one status. */
struct simulate_span {
    struct text phase; /* empty: pending, or without a plan */
    enum rollout_status status;
    uint32_t run;
    int64_t begin, end;
    uint32_t share;       /* everybody's at its end, of SPLIT_TOTAL */
    struct text audience; /* of the phase; empty: everybody */
    enum walk_kind kind;  /* what began it; WALK_NONE: the play */
    struct text evidence; /* why, or empty */
    /* Seconds that it waited for each cause; for bake and ramp alone while these last. */
    int64_t waited[WAIT_PERSON + 1];
    struct text words; /* of the last reasons that it waited for, joined by "; " */
};

struct simulate_timeline {
    struct arena arena; /* of all texts and spans */
    struct simulate_span *spans;
    size_t count;
    size_t commits;             /* that this would make */
    struct rollout_state state; /* at the end */
};

/* Fills `out`, which simulate_dispose() gives back whatever is returned. STATUS_NO_MEMORY;
 * STATUS_NOT_FOUND: its plan is not there; STATUS_LIMIT: more spans than SIMULATE_SPANS_MAX. */
enum status simulate_play(const struct simulate_task *task, struct simulate_timeline *out,
                          struct error *error) MUST_CHECK;
void simulate_dispose(struct simulate_timeline *timeline);

#endif
