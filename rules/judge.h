/* judge.h - the verdict of one measurement, and the words for it.
 *
 * A measurement is a number (judged as it is, "raw"), or counts (judged by the evidence that they
 * add to, see evidence.h). What is wrong in itself (NaN, ±Inf, negative counts, more events than
 * units) is never a success. Judges are pure and own nothing; each fills a struct judgement whole.
 */
#ifndef WEIR_JUDGE_H
#define WEIR_JUDGE_H

#include "evidence.h"

/* From best to worst: of several gates the worst counts (Argo Rollouts: Failed > Error >
 * Inconclusive > Successful). */
enum verdict {
    VERDICT_SUCCESS,
    VERDICT_NO_DATA,
    VERDICT_INCONCLUSIVE,
    VERDICT_ERROR,
    VERDICT_FAILURE,
};

const char *verdict_name(enum verdict verdict); /* "success", "no data", … */

static inline enum verdict verdict_worse(enum verdict a, enum verdict b)
{
    return a > b ? a : b;
}

#define JUDGEMENT_REASON_SIZE 192

struct judgement {
    enum verdict verdict;
    double value; /* what was compared; NaN where there is none */
    double n;     /* units behind it; 0 where that is not known */
    /* one line, as it stands in the trailer Weir-Evidence: "0.031 > 0.01, n=5120" */
    char reason[JUDGEMENT_REASON_SIZE];
};

/* --- what came in ----------------------------------------------------------------------------- */

/* A numerator and a denominator, each of which the source may have left out. Prometheus leaves out
 * a counter that never counted: a missing numerator beside a present denominator is 0. */
struct counts {
    bool has_numerator, has_denominator;
    double numerator, denominator;
};

/* True and *out = {n, sum} where they can be judged; else false and the judgement: no data without
 * a denominator or with one of 0 or NaN, error for what no counts can be. */
bool judge_counts(const struct counts *counts, struct sample *out, struct judgement *judgement);

/* The same of a sum of values, which may be any finite number, also below 0. */
bool judge_sums(const struct counts *counts, struct sample *out, struct judgement *judgement);

/* The judgement of evidence that refused a look: an error in its words. */
void judge_refusal(const struct error *error, struct judgement *judgement);

/* --- thresholdRange --------------------------------------------------------------------------- */

struct threshold_range {
    bool has_min, has_max;
    double min, max;
};

/* Raw: success where min ≤ value ≤ max, both inclusive as Flagger's. NaN is no data, ±Inf and
 * limits that are no numbers an error. */
void judge_threshold(const struct threshold_range *range, double value,
                     struct judgement *judgement);

/* By the counts of this phase (EVIDENCE_RATE): failure once the one-sided sequential bound has
 * excluded a limit, whatever came later; no data below `minimum_sample` units; success otherwise,
 * be the rate above the limit by chance. */
void judge_rate(const struct evidence *evidence, double minimum_sample,
                struct judgement *judgement);

/* --- compare ---------------------------------------------------------------------------------- */

enum compare_method {
    COMPARE_DIFFERENCE, /* fails where variant - control > margin */
    COMPARE_RATIO,      /* fails where variant > margin × control; the margin is at least 0 */
};

/* Raw, on point estimates (sum/n of each arm) of one window, with `minimum_sample` units of each. A
 * control of 0 makes any event a failure of COMPARE_RATIO; below 0 it has no ratio (error). With
 * `decrease_is_harm`: control - variant > margin, and variant × margin < control. */
void judge_compare(enum compare_method method, struct sample variant, struct sample control,
                   double margin, bool decrease_is_harm, double minimum_sample,
                   struct judgement *judgement);

/* By evidence (EVIDENCE_PROPORTIONS, EVIDENCE_MEANS): failure once it has reached 1/alpha; success
 * otherwise; no data below the minimum sample. Of EVIDENCE_REQUESTS what would be a failure is
 * inconclusive: it may hold, never roll back. */
void judge_sequential(const struct evidence *evidence, struct judgement *judgement);

/* --- sample ratio ----------------------------------------------------------------------------- */

/* By evidence (EVIDENCE_SHARES): inconclusive once the ratio is a mismatch, for who sees which
 * variant is then not chance, and no comparison can be trusted, also not one that fails. */
void judge_shares(const struct evidence *evidence, struct judgement *judgement);

/* --- error-budget burn rate ------------------------------------------------------------------- */

#define BURN_MOST_WINDOWS 8

/* One pair: fires when the burn rates over both are above `factor`; the short one ends it soon
 * after the cause has ended. SRE Workbook, chapter 5: 1h/5m 14.4, 6h/30m 6, 3d/6h 1. */
struct burn_window {
    int64_t span, short_span; /* nanoseconds; short_span < span */
    double factor;
};

struct burn_rate {
    double objective; /* of good events, inside (0, 1): 0.999 */
    struct burn_window windows[BURN_MOST_WINDOWS];
    size_t count;
    double minimum_sample; /* units in the long window; without it one error at night pages */
};

/* STATUS_INVALID with words. */
enum status burn_rate_check(const struct burn_rate *burn, struct error *error) MUST_CHECK;

/* Burn rate = error ratio/(1 - objective). `spans` and `shorts`: bad events of all, one for each
 * window. Failure where one pair fires; else the worst of what the pairs say: error, no data (below
 * the minimum, or nothing came), success. */
void judge_burn(const struct burn_rate *burn, const struct counts *spans,
                const struct counts *shorts, struct judgement *judgement);

#endif
