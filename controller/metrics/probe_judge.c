/* From answers to a verdict. */
#include <math.h>

#include "probe_private.h"

/* increase() extrapolates each series to the whole window by itself, so that of requests which all
 * failed it may count a little more failures than requests. */
#define EXTRAPOLATED 1.1

void take_say(struct judgement *out, enum verdict verdict, const char *words)
{
    *out = (struct judgement){.verdict = verdict, .value = NAN};
    snprintf(out->reason, sizeof out->reason, "%s", words);
}

const struct reading *take_reading(const struct take *take, size_t span, size_t arm, size_t part)
{
    return &take->readings[(span * take->plan->arms + arm) * take->plan->parts + part];
}

/* --- counts ---------------------------------------------------------------------------------- */

double take_clamp(const struct probe *probe, double numerator, double denominator)
{
    bool is_close = probe->metric->type == METRIC_PROPORTION &&
                    probe->metric->source == METRIC_PROMETHEUS && numerator > denominator &&
                    numerator <= denominator * EXTRAPOLATED + 1;
    return is_close ? denominator : numerator;
}

/* Of one span and arm, all buckets together. */
struct counts take_counts(const struct take *take, size_t span, size_t arm)
{
    const struct reading *numerator = take_reading(take, span, arm, 0);
    const struct reading *denominator = take_reading(take, span, arm, 1);
    struct counts counts = {.has_numerator = numerator->state != READING_NOTHING,
                            .has_denominator = denominator->state != READING_NOTHING,
                            .numerator = numerator->number,
                            .denominator = denominator->number};
    if (counts.has_numerator && counts.has_denominator)
        counts.numerator = take_clamp(take->probe, counts.numerator, counts.denominator);
    return counts;
}

bool take_sample(const struct take *take, const struct counts *counts, struct sample *out,
                 struct judgement *judgement)
{
    return take->probe->metric->type == METRIC_MEAN ? judge_sums(counts, out, judgement)
                                                    : judge_counts(counts, out, judgement);
}

/* Whether an answer is none; then the judgement says so. */
static bool has_fault(struct take *take)
{
    const struct probe_plan *plan = take->plan;
    for (size_t i = 0; i < plan->count; i++) {
        if (take->readings[i].state != READING_FAULT)
            continue;
        take_say(&take->judgement, VERDICT_ERROR, take->readings[i].problem);
        return true;
    }
    return false;
}

static bool is_short(struct take *take)
{
    if (!probe_window_is_short(take->probe, &take->plan->spans[0]))
        return false;
    take_say(&take->judgement, VERDICT_NO_DATA,
             "the window is shorter than four scrapes: make it longer");
    return true;
}

/* --- raw ------------------------------------------------------------------------------------- */

static struct threshold_range range_of(const struct metric *metric)
{
    return (struct threshold_range){.has_min = metric->has_minimum,
                                    .has_max = metric->has_maximum,
                                    .min = metric->minimum,
                                    .max = metric->maximum};
}

static double number_of(const struct reading *reading)
{
    return reading->state == READING_NUMBER ? reading->number : NAN;
}

/* Of a window's steps the worst. */
static double worst_of(const struct threshold_range *range, const struct reading *reading)
{
    double number = number_of(reading);
    if (reading->state != READING_NUMBER || !reading->has_steps)
        return number;
    if (isnan(reading->highest) || (range->has_max && reading->highest > range->max))
        return reading->highest;
    return range->has_min && reading->lowest < range->min ? reading->lowest : number;
}

static void judge_number(struct take *take)
{
    const struct threshold_range range = range_of(take->probe->metric);
    const struct reading *reading = take_reading(take, 0, 0, 0);
    double worst = worst_of(&range, reading);
    if (reading->state == READING_NOTHING)
        take_say(&take->judgement, VERDICT_NO_DATA, "no data");
    else
        judge_threshold(&range, worst, &take->judgement);
    take->n[ARM_VARIANT] = isnan(worst) ? 0 : 1;
    take->probe->enough = take->judgement.verdict != VERDICT_NO_DATA;
}

static void judge_ratio(struct take *take)
{
    const struct metric *metric = take->probe->metric;
    const struct threshold_range range = range_of(metric);
    const struct counts counts = take_counts(take, 0, 0);
    struct sample sample;
    if (!take_sample(take, &counts, &sample, &take->judgement))
        return;
    take->n[ARM_VARIANT] = sample.n;
    take->probe->enough = sample.n >= (double)metric->minimum_sample;
    if (!take->probe->enough) {
        take_say(&take->judgement, VERDICT_NO_DATA, "fewer than minimumSample");
        return;
    }
    judge_threshold(&range, sample.sum / sample.n, &take->judgement);
    size_t length = strlen(take->judgement.reason);
    snprintf(take->judgement.reason + length, sizeof take->judgement.reason - length, ", n=%.0f",
             sample.n);
    take->judgement.n = sample.n;
}

/* One arm of a comparison; false and the judgement where it is none. */
static bool sample_of(struct take *take, size_t arm, struct sample *out)
{
    if (take->plan->parts == 1) {
        double number = number_of(take_reading(take, 0, arm, 0));
        *out = (struct sample){.n = isnan(number) ? 0 : 1, .sum = number};
        take->n[arm] = out->n;
        if (out->n > 0)
            return true;
        take_say(&take->judgement, VERDICT_NO_DATA, "no data of one of the arms");
        return false;
    }
    const struct counts counts = take_counts(take, 0, arm);
    if (!take_sample(take, &counts, out, &take->judgement))
        return false;
    take->n[arm] = out->n;
    return true;
}

/* Without control only whether the variant speaks can be said. */
void take_alone(struct take *take)
{
    int64_t seconds = take->now / NANOSECONDS_PER_SECOND;
    bool is_chosen = rollout_share_at(take->probe->item->state, seconds) == 0;
    struct sample sample;
    if (!sample_of(take, ARM_VARIANT, &sample))
        return;
    take->judgement = (struct judgement){
        .verdict = VERDICT_SUCCESS, .value = sample.sum / sample.n, .n = sample.n};
    snprintf(take->judgement.reason, sizeof take->judgement.reason, "not compared: %s",
             is_chosen ? "the audience was chosen by hand" : "nobody is left on control");
    if (!isfinite(take->judgement.value))
        take_say(&take->judgement, VERDICT_ERROR, "the answer is infinite");
    take->probe->enough = true;
}

static void judge_arms(struct take *take)
{
    const struct metric *metric = take->probe->metric;
    struct sample variant, control;
    if (rollout_share_at(take->probe->item->state, take->now / NANOSECONDS_PER_SECOND) ==
        SPLIT_TOTAL) {
        take_alone(take);
        return;
    }
    bool has_variant = sample_of(take, ARM_VARIANT, &variant);
    struct judgement of_variant = take->judgement;
    bool has_control = sample_of(take, ARM_CONTROL, &control);
    if (!has_variant)
        take->judgement = of_variant;
    if (!has_variant || !has_control)
        return;
    bool is_ratio = metric->compare == METRIC_RATIO;
    double least = metric->has_counts ? (double)metric->minimum_sample : 0;
    judge_compare(is_ratio ? COMPARE_RATIO : COMPARE_DIFFERENCE, variant, control,
                  is_ratio ? 1 + metric->margin : metric->margin, metric->higher_is_better, least,
                  &take->judgement);
    take->probe->enough = fmin(variant.n, control.n) >= least;
    char *n = strstr(take->judgement.reason, ", n=");
    if (!metric->has_counts && n) /* nobody knows how many the two numbers are of */
        *n = '\0';
}

static void judge_budget(struct take *take)
{
    const struct metric *metric = take->probe->metric;
    struct counts spans[BURN_WINDOWS_MAX] = {{0}}, shorts[BURN_WINDOWS_MAX] = {{0}};
    struct burn_rate burn = {.objective = metric->objective,
                             .count = metric->burn_count,
                             .minimum_sample = (double)metric->minimum_sample};
    bool enough = true;
    for (size_t i = 0; i < metric->burn_count; i++) {
        burn.windows[i] = (struct burn_window){metric->burn[i].longer * NANOSECONDS_PER_SECOND,
                                               metric->burn[i].shorter * NANOSECONDS_PER_SECOND,
                                               metric->burn[i].rate};
        spans[i] = take_counts(take, 2 * i, 0);
        shorts[i] = take_counts(take, 2 * i + 1, 0);
        if (probe_window_is_short(take->probe, &take->plan->spans[2 * i + 1]))
            shorts[i] = (struct counts){0};
        enough = enough && spans[i].has_denominator &&
                 spans[i].denominator >= (double)metric->minimum_sample;
    }
    judge_burn(&burn, spans, shorts, &take->judgement);
    take->n[ARM_VARIANT] = spans[0].has_denominator ? spans[0].denominator : 0;
    take->probe->enough = enough;
}

/* --- silence --------------------------------------------------------------------------------- */

/* What the newest span says of an arm: units, or 1 for a number; NAN: the answer is a fault. */
static double units_of(const struct probe_plan *plan, const struct reading *readings, size_t arm)
{
    size_t last = plan->span_count - 1;
    if (plan->way == PROBE_BURN)
        last = 0;
    const struct reading *reading =
        &readings[(last * plan->arms + arm) * plan->parts + plan->parts - 1];
    if (reading->state == READING_FAULT)
        return NAN;
    if (reading->state == READING_NOTHING || isnan(reading->number))
        return 0;
    return plan->parts == 1 ? 1 : reading->number;
}

bool probe_asks_control(const struct probe *probe, const struct probe_plan *plan,
                        const struct reading *readings, int64_t now)
{
    return plan->count > 0 && plan->arms == 1 && plan->tells_arms &&
           probe_compares(probe, now / NANOSECONDS_PER_SECOND) &&
           units_of(plan, readings, ARM_VARIANT) == 0;
}

/* Units of the control beside which PROBE_EXPECTED of the variant are to be expected. */
static double telling(const struct probe *probe, const struct probe_plan *plan, int64_t now)
{
    double share =
        (double)rollout_share_at(probe->item->state, now / NANOSECONDS_PER_SECOND) / SPLIT_TOTAL;
    return plan->parts == 1 ? 1 : fmax(1, PROBE_EXPECTED * (1 - share) / share);
}

static void listen(struct take *take)
{
    struct probe *probe = take->probe;
    const struct metric *metric = probe->metric;
    double variant = units_of(take->plan, take->readings, ARM_VARIANT), control = 0;
    probe->silent = false;
    if (!probe_compares(probe, take->now / NANOSECONDS_PER_SECOND) || isnan(variant))
        return;
    if (take->plan->arms == ARM_COUNT)
        control = units_of(take->plan, take->readings, ARM_CONTROL);
    else if (take->control && take->control->state != READING_FAULT &&
             take->control->state != READING_NOTHING && !isnan(take->control->number))
        control = take->plan->parts == 1 ? 1 : take->control->number;
    double least = telling(probe, take->plan, take->now);
    enum verdict verdict =
        silence_observe(&probe->silence, take->now,
                        metric->limits.interval * NANOSECONDS_PER_SECOND, variant, control, least);
    bool at_once = metric->role == METRIC_BREAKER && metric->on_no_data == NO_DATA_FAIL;
    probe->silent = verdict == VERDICT_FAILURE || (at_once && probe->silence.silent);
    if (probe->silent)
        take_say(&take->judgement, VERDICT_FAILURE,
                 at_once ? "silent while control speaks"
                         : "silent for three intervals while control speaks");
}

/* --- all of it ------------------------------------------------------------------------------- */

static void judge(struct take *take)
{
    if (has_fault(take))
        return;
    switch (take->plan->way) {
    case PROBE_RATE:
        take_rate(take);
        return;
    case PROBE_BURN:
        judge_budget(take);
        return;
    case PROBE_SEQUENTIAL:
        take_sequential(take);
        return;
    case PROBE_NUMBER:
    case PROBE_COUNTS:
    case PROBE_COMPARE:
        break;
    }
    if (is_short(take))
        return;
    if (take->plan->way == PROBE_NUMBER)
        judge_number(take);
    else if (take->plan->way == PROBE_COUNTS)
        judge_ratio(take);
    else
        judge_arms(take);
}

void probe_add(struct probe *probe, const struct measurement *measurement)
{
    struct measurement covering = *measurement;
    struct error error;
    if (metric_result_add(&probe->result, *measurement, &error) != STATUS_OK)
        return;
    if (covering.verdict == VERDICT_NO_DATA && probe->result.limits.on_no_data == NO_DATA_PASS)
        covering.verdict = VERDICT_SUCCESS;
    coverage_add(&probe->coverage, &covering, probe->result.limits.interval);
}

/* Of the newest; those of a clock that was ahead are of `now`: they count, and nobody knows when
 * they were. */
static int64_t newest_time(struct metric_result *result, int64_t now)
{
    int64_t newest = result->length ? result->measurements[result->length - 1].time : now;
    if (newest <= now + PROBE_CLOCK_SLACK)
        return newest;
    for (size_t i = 0; i < result->length; i++) {
        if (result->measurements[i].time > now)
            result->measurements[i].time = now;
    }
    return now;
}

bool probe_take(struct probe *probe, const struct probe_plan *plan, const struct reading *readings,
                const struct reading *control, int64_t now)
{
    int64_t newest = newest_time(&probe->result, now);
    bool was_silent = probe->silent, was_enough = probe->enough;
    bool was_mismatch = probe->shares && evidence_shown(probe->shares, SIDE_ABOVE);
    /* A clock that was set back must not lose a failure. */
    struct take take = {.probe = probe,
                        .plan = plan,
                        .readings = readings,
                        .control = control,
                        .now = now > newest ? now : newest};
    enum walk_verdict before = probe_walk_verdict(metric_result_gate(&probe->result, take.now));
    judge(&take);
    listen(&take);
    probe->last = take.judgement;
    const struct probe_span *last =
        &plan->spans[plan->way == PROBE_BURN ? 0 : plan->span_count - 1];
    probe->last_window = last->until - last->from;
    if (plan->way == PROBE_RATE || (plan->way == PROBE_SEQUENTIAL && probe->evidence))
        probe->last_window = last->until - probe_start(probe);
    const struct measurement measurement = {
        .time = take.now, .verdict = take.judgement.verdict, .value = take.judgement.value};
    probe_add(probe, &measurement);
    enum walk_verdict after = probe_walk_verdict(metric_result_gate(&probe->result, take.now));
    if (after != probe->said) {
        probe->said = after;
        probe->said_since = take.now / NANOSECONDS_PER_SECOND;
    }
    bool is_mismatch = probe->shares && evidence_shown(probe->shares, SIDE_ABOVE);
    return after != before || probe->silent != was_silent || probe->enough != was_enough ||
           is_mismatch != was_mismatch || probe->result.length == 1;
}
