/* Verdicts on numbers and on evidence. */
#include "judge.h"

#include <math.h>

#include "judge_line.h"

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {
        [VERDICT_SUCCESS] = "success",           [VERDICT_NO_DATA] = "no data",
        [VERDICT_INCONCLUSIVE] = "inconclusive", [VERDICT_ERROR] = "error",
        [VERDICT_FAILURE] = "failure",
    };
    return (size_t)verdict < COUNT_OF(names) ? names[verdict] : "unknown";
}

/* A judgement that is words only. */
static void say_only(struct judgement *judgement, enum verdict verdict, const char *words)
{
    judge_begin(judgement, verdict, NAN, 0);
    judge_say(judgement, words);
}

void judge_refusal(const struct error *error, struct judgement *judgement)
{
    say_only(judgement, VERDICT_ERROR, error->message);
}

/* --- what came in ----------------------------------------------------------------------------- */

static bool read_counts(const struct counts *counts, bool counts_events, struct sample *out,
                        struct judgement *judgement)
{
    double sum = counts->has_numerator ? counts->numerator : 0;
    double n = counts->has_denominator ? counts->denominator : 0;
    if (isnan(sum) || isnan(n) || (n == 0 && sum == 0)) {
        say_only(judgement, VERDICT_NO_DATA, "no data");
        return false;
    }
    if (!counts->has_denominator) {
        say_only(judgement, VERDICT_ERROR, "a numerator without a denominator");
        return false;
    }
    bool is_count = n >= 0 && n <= STATISTICS_MOST_COUNT;
    if (!is_count || !(counts_events ? sum >= 0 && sum <= n : isfinite(sum) && n > 0)) {
        judge_begin(judgement, VERDICT_ERROR, NAN, 0);
        judge_say(judgement, counts_events ? "counts that no sample can have: "
                                           : "a sum that no sample can have: ");
        judge_say_exactly(judgement, sum);
        judge_say(judgement, " of ");
        judge_say_exactly(judgement, n);
        return false;
    }
    *out = (struct sample){.n = n, .sum = sum};
    return true;
}

bool judge_counts(const struct counts *counts, struct sample *out, struct judgement *judgement)
{
    return read_counts(counts, true, out, judgement);
}

bool judge_sums(const struct counts *counts, struct sample *out, struct judgement *judgement)
{
    return read_counts(counts, false, out, judgement);
}

/* n=17 where 500 are wanted */
static void say_too_few(struct judgement *judgement, double value, double n, double minimum)
{
    judge_begin(judgement, VERDICT_NO_DATA, value, n);
    judge_say(judgement, "n=");
    judge_say_exactly(judgement, floor(n));
    judge_say(judgement, ", at least ");
    judge_say_exactly(judgement, minimum);
    judge_say(judgement, " wanted");
}

/* --- thresholdRange --------------------------------------------------------------------------- */

static bool is_range(const struct threshold_range *range)
{
    return (range->has_min || range->has_max) && (!range->has_min || isfinite(range->min)) &&
           (!range->has_max || isfinite(range->max));
}

/* "0.95 <= 0.97 <= 1" */
static void say_within(struct judgement *judgement, const struct threshold_range *range)
{
    double value = judgement->value;
    if (range->has_min && range->has_max) {
        judge_say_exactly(judgement, range->min);
        judge_say(judgement, " <= ");
    }
    judge_say_number(judgement, value, range->has_max ? range->max : range->min);
    judge_say(judgement, range->has_max ? " <= " : " >= ");
    judge_say_exactly(judgement, range->has_max ? range->max : range->min);
}

/* "0.031 > 0.01" */
static void say_beyond(struct judgement *judgement, double limit, const char *sign)
{
    judge_say_number(judgement, judgement->value, limit);
    judge_say(judgement, sign);
    judge_say_exactly(judgement, limit);
}

void judge_threshold(const struct threshold_range *range, double value, struct judgement *judgement)
{
    if (!is_range(range)) {
        say_only(judgement, VERDICT_ERROR, "the range has no limit that is a number");
        return;
    }
    if (isnan(value)) {
        say_only(judgement, VERDICT_NO_DATA, "no data: the answer is NaN");
        return;
    }
    judge_begin(judgement, VERDICT_SUCCESS, value, 0);
    if (isinf(value)) {
        judgement->verdict = VERDICT_ERROR;
        judge_say(judgement, "the answer is infinite");
    } else if (range->has_max && value > range->max) {
        judgement->verdict = VERDICT_FAILURE;
        say_beyond(judgement, range->max, " > ");
    } else if (range->has_min && value < range->min) {
        judgement->verdict = VERDICT_FAILURE;
        say_beyond(judgement, range->min, " < ");
    } else {
        say_within(judgement, range);
    }
}

/* The wrong evidence: a fault of the caller that must never pass. */
static bool is_evidence(const struct evidence *evidence, bool fits, struct judgement *judgement)
{
    if (fits && evidence_is_sound(evidence))
        return true;
    say_only(judgement, VERDICT_ERROR, "the evidence is not of this gate");
    return false;
}

/* The comparison as the point estimate has it: by now it may be back within the limit. */
static void say_rate(struct judgement *judgement, double limit)
{
    double rate = judgement->value;
    say_beyond(judgement, limit, rate > limit ? " > " : rate < limit ? " < " : " = ");
}

void judge_rate(const struct evidence *evidence, double minimum_sample, struct judgement *judgement)
{
    const struct evidence_design *design = &evidence->design;
    const struct sample *total = &evidence->total[ARM_VARIANT];
    if (!is_evidence(evidence, design->kind == EVIDENCE_RATE, judgement))
        return;
    double rate = total->n > 0 ? total->sum / total->n : NAN;
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (!evidence_shown(evidence, side))
            continue;
        judge_begin(judgement, VERDICT_FAILURE, rate, total->n);
        if (total->n > 0)
            say_rate(judgement, side == SIDE_ABOVE ? design->max : design->min);
        else
            judge_say(judgement, "shown in an earlier phase");
        judge_say_sample(judgement, total->n);
        judge_say_evidence(judgement, evidence, side);
        return;
    }
    if (!(total->n > 0 && total->n >= minimum_sample)) {
        say_too_few(judgement, rate, total->n, minimum_sample > 0 ? minimum_sample : 1);
        return;
    }
    judge_begin(judgement, VERDICT_SUCCESS, rate, total->n);
    bool above = design->has_max && (!design->has_min || rate >= design->min);
    say_rate(judgement, above ? design->max : design->min);
    judge_say_sample(judgement, total->n);
    judge_say_evidence(judgement, evidence, above ? SIDE_ABOVE : SIDE_BELOW);
}

/* --- compare ---------------------------------------------------------------------------------- */

static bool is_mean(struct sample sample)
{
    return sample.n > 0 && isfinite(sample.n) && isfinite(sample.sum) &&
           isfinite(sample.sum / sample.n);
}

/* "0.031 - 0.01 > 0.005", "0.031 > 1.5 x 0.01"; with decrease_is_harm the arms change places. */
static void say_comparison(struct judgement *judgement, enum compare_method method, double worse,
                           double better, double margin)
{
    bool failed = judgement->verdict == VERDICT_FAILURE;
    judge_say_number(judgement, worse, better);
    if (method == COMPARE_DIFFERENCE) {
        judge_say(judgement, " - ");
        judge_say_number(judgement, better, worse);
        judge_say(judgement, failed ? " > " : " <= ");
        judge_say_exactly(judgement, margin);
    } else {
        judge_say(judgement, failed ? " > " : " <= ");
        judge_say_exactly(judgement, margin);
        judge_say(judgement, " x ");
        judge_say_number(judgement, better, worse);
    }
    judge_say_sample(judgement, judgement->n);
}

void judge_compare(enum compare_method method, struct sample variant, struct sample control,
                   double margin, bool decrease_is_harm, double minimum_sample,
                   struct judgement *judgement)
{
    if (isnan(variant.n) || isnan(control.n) || isnan(variant.sum) || isnan(control.sum) ||
        variant.n == 0 || control.n == 0) {
        say_only(judgement, VERDICT_NO_DATA, "no data of one of the arms");
        return;
    }
    if (!is_mean(variant) || !is_mean(control) || !isfinite(margin) ||
        (method == COMPARE_RATIO && margin < 0)) {
        say_only(judgement, VERDICT_ERROR, "counts or a margin that cannot be compared");
        return;
    }
    double least = fmin(variant.n, control.n), ours = variant.sum / variant.n;
    double theirs = control.sum / control.n;
    if (!(least >= minimum_sample)) {
        say_too_few(judgement, ours, least, minimum_sample);
        return;
    }
    if (method == COMPARE_RATIO && (ours < 0 || theirs < 0)) {
        say_only(judgement, VERDICT_ERROR, "values below 0 have no ratio: compare the difference");
        return;
    }
    double worse = decrease_is_harm ? theirs : ours, better = decrease_is_harm ? ours : theirs;
    bool failed = method == COMPARE_RATIO ? worse > margin * better : worse - better > margin;
    judge_begin(judgement, failed ? VERDICT_FAILURE : VERDICT_SUCCESS, ours, variant.n + control.n);
    say_comparison(judgement, method, worse, better, margin);
}

/* "0.021 - 0.010 = 0.011, margin 0.005, n=20000" */
static void say_difference(struct judgement *judgement, const struct evidence *evidence)
{
    const struct sample *variant = &evidence->total[ARM_VARIANT];
    const struct sample *control = &evidence->total[ARM_CONTROL];
    double low;
    if (variant->n > 0 && control->n > 0) {
        judge_say_number(judgement, variant->sum / variant->n, control->sum / control->n);
        judge_say(judgement, " against ");
        judge_say_number(judgement, control->sum / control->n, variant->sum / variant->n);
        judge_say(judgement, ", margin ");
        judge_say_exactly(judgement, evidence->design.margin);
    } else {
        judge_say(judgement, "shown in an earlier phase");
    }
    judge_say_sample(judgement, judgement->n);
    if (evidence_low(evidence, &low) == STATUS_OK) {
        judge_say(judgement, ", harm >= ");
        judge_say_number(judgement, low, evidence->design.margin);
    }
    judge_say_evidence(judgement, evidence, SIDE_ABOVE);
}

void judge_sequential(const struct evidence *evidence, struct judgement *judgement)
{
    const struct evidence_design *design = &evidence->design;
    bool fits = design->kind == EVIDENCE_PROPORTIONS || design->kind == EVIDENCE_MEANS;
    if (!is_evidence(evidence, fits, judgement))
        return;
    double variant = evidence->total[ARM_VARIANT].n, control = evidence->total[ARM_CONTROL].n;
    bool shown = evidence_shown(evidence, SIDE_ABOVE);
    double difference = evidence->estimate.n > 0 ? evidence->estimate.value : NAN;
    if (!shown && fmin(variant, control) < design->minimum_sample) {
        say_too_few(judgement, difference, fmin(variant, control), design->minimum_sample);
        return;
    }
    double harm = design->decrease_is_harm ? -difference : difference;
    enum verdict verdict = VERDICT_SUCCESS;
    if (shown && design->units != EVIDENCE_REQUESTS)
        verdict = VERDICT_FAILURE;
    /* Also where nothing varies, and a difference beyond the margin has no error to be held
     * against; and where too few buckets have anything in them. */
    else if (shown || isnan(harm) || (evidence->estimate.error == 0 && harm > design->margin))
        verdict = VERDICT_INCONCLUSIVE;
    judge_begin(judgement, verdict, difference, variant + control);
    say_difference(judgement, evidence);
    if (verdict == VERDICT_INCONCLUSIVE && shown)
        judge_say(judgement, ", but requests are not users: give a bucket label");
}

/* --- sample ratio ----------------------------------------------------------------------------- */

void judge_shares(const struct evidence *evidence, struct judgement *judgement)
{
    if (!is_evidence(evidence, evidence->design.kind == EVIDENCE_SHARES, judgement))
        return;
    double variant = evidence->total[ARM_VARIANT].n, n = variant + evidence->total[ARM_CONTROL].n;
    bool shown = evidence_shown(evidence, SIDE_ABOVE);
    if (!shown && n <= 0) {
        say_too_few(judgement, NAN, 0, 1);
        return;
    }
    judge_begin(judgement, shown ? VERDICT_INCONCLUSIVE : VERDICT_SUCCESS,
                n > 0 ? variant / n : NAN, n);
    judge_say(judgement, shown ? "sample ratio mismatch: share " : "share ");
    judge_say_number(judgement, judgement->value, evidence->share);
    judge_say(judgement, " of ");
    judge_say_exactly(judgement, evidence->share);
    judge_say_sample(judgement, n);
    judge_say_evidence(judgement, evidence, SIDE_ABOVE);
}
