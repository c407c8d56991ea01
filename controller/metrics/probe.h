/* probe.h - one metric of one rollout: what it asks at an instant, what the answers come to, and
 * what it says to the machine (ROLLOUTS.md section 6).
 *
 * Three ways to judge, by what the metric gives:
 * - a number (`query`): raw, as it is;
 * - counts under a thresholdRange or a sequential comparison: by evidence. Each look counts what
 *   none has counted before: it is asked for [the last look's end, now), as {{window}}. Counts that
 *   are not of {{window}}, and limits that no rate can be tested against (0, 1 and beyond), are
 *   judged raw;
 * - counts under difference, ratio or burnRate, and sums (type: mean) under those or a
 *   thresholdRange: raw, over windows. Sums have evidence only in a sequential comparison by
 *   bucket, since only there it shows how they vary; without buckets they may only hold.
 * Windows are clipped to the phase's start. One under PROBE_SCRAPES scrapes is not asked, for
 * rate() and increase() need two samples of each series and a scrape may fail (Grafana's
 * $__rate_interval has the same four, and the same 15 s by default). A metric whose interval is
 * shorter than that looks at what has come since, keeps only what is older, and looks again.
 *
 * What is left out, on purpose:
 * - an audience chosen by hand is no sample: in a phase that exposes nobody else, sequential
 *   comparisons say only whether there is data, and silence means nothing (staff sleep at night);
 *   once all are exposed there is no control left, and comparisons say the same;
 * - the sample ratio is looked at where counts come by hash bucket, everybody's share stands still,
 *   and no audience came before: requests of one user are not drawn one by one, so the counts are
 *   divided by how much more the buckets vary than chance has them.
 *
 * Not for two threads at once; owns its evidence, borrows rollout and metric. No I/O, no clock. All
 * times are wall nanoseconds since 1970 but where seconds are told. */
#ifndef WEIR_METRICS_PROBE_H
#define WEIR_METRICS_PROBE_H

#include "../../rules/judge_bake.h"
#include "../../rules/metric_template.h"
#include "../rollout/roster.h"
#include "source.h"

#define PROBE_SCRAPES 4
#define PROBE_SCRAPE 15    /* seconds, by default */
#define PROBE_PATIENCE 300 /* seconds; see probe_begins() */
#define PROBE_EXPECTED                                                                             \
    20 /* units of the variant that are to be expected before their absence is                     \
          silence: by chance once in e^20 */
#define PROBE_RATIO_ALPHA 0.001 /* of the sample ratio: GrowthBook's default */
#define PROBE_DIGEST_SIZE 32
#define PROBE_EVIDENCE_SIZE (JUDGEMENT_REASON_SIZE + 64)

/* What differs from one look to the next beside the answers. */
struct probe_settings {
    int64_t scrape;      /* seconds; 0: PROBE_SCRAPE */
    uint32_t guardrails; /* among which alpha is divided; at least 1 */
};

struct probe {
    const struct roster_rollout *item;
    const struct metric *metric;
    struct probe_settings settings;
    uint8_t digest[PROBE_DIGEST_SIZE]; /* of what the metric says */

    /* What its evidence is of: */
    uint32_t run;
    size_t phase;
    int64_t since;     /* seconds: state->since */
    int64_t seen;      /* seconds: the earliest now at which it was: see probe_see() */
    int64_t exposed;   /* seconds; INT64_MAX: not yet */
    int64_t restarted; /* seconds; 0: with the phase */

    struct metric_result result;
    struct measurement *storage;
    struct evidence *evidence; /* NULL: none so far, or none of this metric */
    struct evidence *shares;   /* likewise */
    bool begins, begins_ratio; /* of either: its next look is the first of a phase */
    struct coverage coverage;
    struct silence silence;
    bool silent;            /* see walk_gate */
    bool enough;            /* minimumSample is reached */
    struct judgement last;  /* VERDICT_NO_DATA and words before the first */
    int64_t last_window;    /* seconds; 0: it has none */
    enum walk_verdict said; /* by the last measurement, and since when (seconds) */
    int64_t said_since;
    int64_t kept_until; /* what probe_read() brought back counts measurements up to here */
};

/* For an exposing rollout. NULL without memory. */
struct probe *probe_new(const struct roster_rollout *item, const struct metric *metric,
                        const struct probe_settings *settings, int64_t exposed, int64_t now);
void probe_free(struct probe *probe); /* NULL is fine */

/* The rollout stands elsewhere, or the metric says something else, or neither. A new phase of the
 * same run multiplies its evidence on; a new run, the same phase begun anew and a step back begin
 * with none; a changed metric restarts its evidence; a pause and its end change nothing but the
 * bake. False without memory: it then measures nothing until the next time. */
bool probe_continue(struct probe *probe, const struct roster_rollout *item,
                    const struct metric *metric, const struct probe_settings *settings,
                    int64_t exposed, int64_t now) MUST_CHECK;

/* What a metric says of its measurements, for judge_limits.h; and a verdict of those in the words
 * of the machine. */
struct metric_limits probe_metric_limits(const struct metric *metric);
enum walk_verdict probe_walk_verdict(enum verdict verdict);

/* The digest of all that a metric says: name, places and comments change nothing. */
void probe_digest(const struct metric *metric, uint8_t out[PROBE_DIGEST_SIZE]);

/* To be called before each measurement, with the wall clock's nanoseconds. Where a clock was wrong,
 * another controller's or an earlier one here, instants of this phase, and of what was measured in
 * it, may lie ahead: they become now, since a breach shall not wait for them. */
void probe_see(struct probe *probe, int64_t now);

/* The instant of its first measurement in this phase, seconds: since its targets hold the document,
 * plus initialDelay. A breaker waits for no target; the others wait for PROBE_PATIENCE, since one
 * target that is away must not blind them to what users of all the others see. */
int64_t probe_begins(const struct probe *probe);

/* --- asking ---------------------------------------------------------------------------------- */

enum probe_way {
    PROBE_NUMBER,     /* one number, raw */
    PROBE_COUNTS,     /* counts, their ratio raw */
    PROBE_RATE,       /* counts, evidence against limits */
    PROBE_COMPARE,    /* both arms, raw */
    PROBE_SEQUENTIAL, /* both arms, evidence */
    PROBE_BURN,
};

#define PROBE_SPANS_MAX ((size_t)2 * BURN_WINDOWS_MAX)
#define PROBE_QUESTIONS_MAX (2 * PROBE_SPANS_MAX)

struct probe_span {
    int64_t from, until; /* seconds */
    bool keep;           /* of evidence: no later look asks for it again */
};

/* What one measurement asks: of each span, each arm, each part (a number; or numerator, then
 * denominator), in this order. */
struct probe_plan {
    enum probe_way way;
    struct probe_span spans[PROBE_SPANS_MAX];
    size_t span_count, arms, parts;
    size_t count;    /* of all questions; 0: none, see `again` */
    int64_t again;   /* seconds: nothing is asked before; 0: there is a plan */
    bool tells_arms; /* the control can be asked whether it speaks */
};

void probe_plan(const struct probe *probe, int64_t now, struct probe_plan *out);
/* One of them. Texts go into `arena`. STATUS_NO_MEMORY, STATUS_LIMIT. */
enum status probe_question(const struct probe *probe, const struct probe_plan *plan, size_t index,
                           struct arena *arena, struct question *out) MUST_CHECK;
/* Whether the control is to be asked before the answers can be judged: the variant says nothing. */
bool probe_asks_control(const struct probe *probe, const struct probe_plan *plan,
                        const struct reading *readings, int64_t now);
enum status probe_control_question(const struct probe *probe, const struct probe_plan *plan,
                                   struct arena *arena, struct question *out) MUST_CHECK;

/* --- judging --------------------------------------------------------------------------------- */

/* Takes the answers in: as many readings as there were questions; `control` or NULL. `now` is the
 * end of the measurement. True when what the probe says to the machine is another than before. */
bool probe_take(struct probe *probe, const struct probe_plan *plan, const struct reading *readings,
                const struct reading *control, int64_t now) MUST_CHECK;

/* Seconds, as all of a gate. `gate->metric` and `evidence` are the metric's and the arena's. */
enum status probe_gate(const struct probe *probe, int64_t now, struct arena *arena,
                       struct walk_gate *out) MUST_CHECK;
/* Whether the arms are not as large as their shares say; words for it. */
bool probe_ratio_mismatch(const struct probe *probe, struct judgement *out);
/* "0.031 > 0.01, n=5120, window 5m" */
void probe_words(const struct probe *probe, char out[PROBE_EVIDENCE_SIZE]);
/* {"metric":…,…} */
void probe_write_status(const struct probe *probe, int64_t now, struct buffer *out);

/* --- keeping (probe_text.c) ------------------------------------------------------------------ */

#define PROBE_TEXT_VERSION 1

/* Appends all that a restart must not forget, but the measurements. */
void probe_write(const struct probe *probe, struct buffer *out);
/* Takes in what an earlier process wrote of this metric and run; `of_phase`: of the phase that it
 * is in, else of an earlier one, whose evidence is multiplied on. What is of something else (an
 * older metric, another start of the phase) is not taken: STATUS_NOT_FOUND. STATUS_INVALID: it is
 * damaged. */
enum status probe_read(struct probe *probe, struct text text, bool of_phase, int64_t now,
                       struct error *error);
/* Takes in a measurement of this phase that an earlier process made, oldest first, after
 * probe_read(). */
void probe_recall(struct probe *probe, const struct measurement *measurement, struct text reason);

#endif
