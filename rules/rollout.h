/* rollout.h - how a release walks: PhasePlan, Rollout and Metric, as people write them.
 *
 * DESIGN section 3 has the documents, ROLLOUTS.md what they mean. definitions_read() makes these
 * structs; all memory is the given arena's. Times are seconds: instants since 1970 in UTC, days of
 * 24 h. Nothing here knows where a rollout stands: that is its state (rollout_state.h). */
#ifndef WEIR_ROLLOUT_H
#define WEIR_ROLLOUT_H

#include "calendar.h"
#include "definitions.h"
#include "judge_limits.h"

/* --- phases ---------------------------------------------------------------------------------- */

#define PHASES_MAX 64
#define APPROVALS_MAX 10
#define PHASE_METRICS_MAX 32 /* its own and the rollout's together, where it is under way */
#define RAMP_MAX_SECONDS (84 * INT64_C(86400)) /* twelve weeks */
#define CHECKPOINT_SECONDS INT64_C(86400)      /* a ramp's default: daily */

/* Who is exposed by a phase, beside all who were before: those of `audience` whose bucket is below
 * the share. */
struct phase {
    struct text name;
    struct place place;
    struct text audience; /* a segment's name; empty: everybody */
    struct place audience_place;
    uint32_t share;       /* of SPLIT_TOTAL; of a ramp: where it ends */
    int64_t over;         /* a ramp's open seconds; 0: it is none */
    int64_t checkpoint;   /* a ramp's open seconds from one commit to the next */
    int64_t bake;         /* seconds that must be measured well before the next phase */
    int64_t deadline;     /* seconds after which a phase that is not done is held; 0: none */
    uint32_t approvals;   /* that this phase needs before it begins */
    struct name *metrics; /* watched in this phase beside the rollout's */
    size_t metric_count;
};

struct phases {
    struct phase *items;
    size_t count;
};

struct phase_plan {
    struct name name;
    struct phases phases;
};

/* --- metrics --------------------------------------------------------------------------------- */

enum metric_role {
    METRIC_BREAKER,   /* polled every few seconds; kills or rolls back at once */
    METRIC_GUARDRAIL, /* acts as the rollout's onBreach says */
    METRIC_SIGNAL,    /* holds */
    METRIC_INFO,      /* is shown */
};

enum metric_source { METRIC_PROMETHEUS, METRIC_HTTP };

/* What its numerator is: a count of some of those that the denominator counts, or a sum of values
 * (seconds, euros) over them. GrowthBook's and Statsig's names. */
enum metric_type { METRIC_PROPORTION, METRIC_MEAN };

enum metric_compare { METRIC_ABSOLUTE, METRIC_DIFFERENCE, METRIC_RATIO, METRIC_SEQUENTIAL };

/* An error budget burns too fast when both windows say so (SRE Workbook, chapter 5). */
struct metric_burn_window {
    int64_t longer, shorter; /* seconds */
    double rate;             /* times the budget's even use */
};
#define BURN_WINDOWS_MAX 4
#define METRIC_STEPS_MAX 1000 /* of a range query */

/* Argo Rollouts' names and defaults, but for `window` (delivery.md section 1). */
struct metric_limit_settings {
    int64_t interval;      /* seconds from a measurement's end to the next; default 60 */
    int64_t initial_delay; /* seconds; default 0 */
    int64_t window;        /* seconds: older measurements count no more; 0: all of a phase */
    int32_t failure, inconclusive, consecutive_error; /* −1: without limit; default 0, 0, 4 */
    uint32_t count;                                   /* measurements wanted; 0: for ever */
};

struct metric {
    struct name name;
    enum metric_role role;
    enum metric_source source;
    struct text address; /* of Prometheus, or the URL that is asked */
    struct place address_place;
    /* Templates of PromQL; of http JSON pointers (RFC 6901) into its one answer. */
    enum metric_type type;
    bool has_counts;                    /* numerator and denominator, else query */
    struct text query;                  /* one number, compared as it is */
    int64_t step;                       /* seconds: asked at each of the window; 0: once */
    struct text numerator, denominator; /* counts; of a mean a sum, and a count */
    struct text secret;                 /* its name, or empty */
    struct place secret_place;
    struct text user; /* who signs in with it (Basic); empty: the secret is a token (Bearer) */
    bool has_minimum, has_maximum; /* thresholdRange, both inclusive */
    double minimum, maximum;
    enum metric_compare compare; /* to the control arm */
    double margin;               /* how much worse is still well: a difference, or a ratio − 1 */
    double alpha;                /* of the sequential test; default 0.05 */
    bool higher_is_better;       /* of what is compared; default false */
    double objective;            /* burnRate: 0.999; 0: there is none */
    struct metric_burn_window burn[BURN_WINDOWS_MAX];
    size_t burn_count;
    struct metric_limit_settings limits;
    uint64_t minimum_sample;
    enum no_data on_no_data;
};

/* --- rollouts -------------------------------------------------------------------------------- */

/* When a rollout may grow. */
struct calendar_definition {
    struct text timezone; /* IANA's name; empty: UTC */
    struct place timezone_place;
    struct calendar_window *windows; /* none: always, but for freezes */
    size_t window_count;
    struct calendar_freeze *freezes;
    size_t freeze_count;
};

enum on_breach { BREACH_ROLLBACK, BREACH_STEP_BACK, BREACH_PAUSE, BREACH_KILL };

struct rollout {
    struct name name;
    struct name flag, environment, variant, control;
    struct name plan;      /* of a PhasePlan; empty: `phases` are its own */
    struct phases phases;  /* none when there is a plan */
    struct text seed;      /* empty: the rollout's name */
    struct text bucket_by; /* attribute path; empty: targetingKey */
    bool has_start;
    int64_t start;     /* instant at which it starts by itself */
    int64_t start_day; /* the date that its author wrote, as days since 1970-01-01 */
    struct calendar_definition calendar;
    struct name *metrics; /* watched in every phase */
    size_t metric_count;
    enum on_breach on_breach;
};

/* The digest of what must not change while users are exposed: SHA-256 over flag, environment,
 * variant, control, seed and bucketBy, each as its length in decimal, ":", its bytes. */
#define IDENTITY_SIZE 32
void rollout_identity(const struct rollout *rollout, uint8_t out[IDENTITY_SIZE]);
/* What it says, with defaults filled in. */
struct text rollout_seed(const struct rollout *rollout);
struct text rollout_bucket_by(const struct rollout *rollout);

#endif
