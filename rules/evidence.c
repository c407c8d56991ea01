/* E-values over looks, rounds and phases. */
#include "evidence.h"

#include <math.h>

#include "statistics_count.h"

static bool is_comparison(const struct evidence_design *design)
{
    return design->kind == EVIDENCE_PROPORTIONS || design->kind == EVIDENCE_MEANS;
}

static bool counts_events(const struct evidence_design *design)
{
    return design->kind == EVIDENCE_RATE || design->kind == EVIDENCE_PROPORTIONS;
}

double evidence_level(const struct evidence_design *design)
{
    bool both = design->kind == EVIDENCE_RATE && design->has_min && design->has_max;
    return both ? design->alpha / 2 : design->alpha;
}

/* --- capital ---------------------------------------------------------------------------------- */

/* ln(e^a + e^b) */
static double log_sum(double a, double b)
{
    return fmax(a, b) + log1p(exp(-fabs(a - b)));
}

/* What one phase shows is multiplied with what the next shows only where they are about different
 * units. */
static bool is_multiplied(const struct evidence_design *design)
{
    return design->units == EVIDENCE_INDEPENDENT;
}

/* Round k lays down 1/(k (k + 1)), and all that earlier ones have left where that `is_kept`. */
static void capital_begin(struct evidence_capital *capital, bool is_kept)
{
    double k = ++capital->rounds, part = -log(k * (k + 1));
    capital->stake =
        capital->rounds == 1 || !is_kept ? part : log_sum(capital->stake + capital->evidence, part);
    capital->evidence = 0;
}

/* With what has not been laid down yet: after k rounds 1/(k + 1). Where nothing is kept each round
 * is a test of its own, with its part of alpha, and that only. */
static double capital_now(const struct evidence_capital *capital, bool is_kept)
{
    if (capital->rounds == 0)
        return 0;
    if (!is_kept)
        return capital->stake + capital->evidence;
    return log_sum(capital->stake + capital->evidence, -log((double)capital->rounds + 1));
}

double evidence_now(const struct evidence *evidence, enum evidence_side side)
{
    double phase = capital_now(&evidence->phase[side], is_multiplied(&evidence->design));
    if (evidence->design.kind != EVIDENCE_RATE)
        return phase;
    return log_sum(phase, capital_now(&evidence->recent[side], true)) - M_LN2;
}

bool evidence_shown(const struct evidence *evidence, enum evidence_side side)
{
    return evidence->peak[side] >= -log(evidence_level(&evidence->design));
}

/* --- beginning -------------------------------------------------------------------------------- */

static bool is_inside(double x, double low, double high)
{
    return x > low && x < high; /* false for NaN */
}

static const char *fault_of_rate(const struct evidence_design *design)
{
    if (!design->has_min && !design->has_max)
        return "a rate needs a limit: give min or max";
    if ((design->has_min && !is_inside(design->min, 0, 1)) ||
        (design->has_max && !is_inside(design->max, 0, 1)))
        return "the limits of a rate lie between 0 and 1, both excluded";
    if (design->has_min && design->has_max && design->min > design->max)
        return "min is larger than max";
    return NULL;
}

static const char *fault_of(const struct evidence_design *design)
{
    if ((unsigned)design->kind > EVIDENCE_SHARES || (unsigned)design->units > EVIDENCE_REQUESTS)
        return "no such kind of evidence";
    /* the square roots and logarithms of less would lose all digits */
    if (!is_inside(design->alpha, 1e-100, 0.5))
        return "alpha lies between 0 and 0.5, both excluded";
    if (!(design->horizon >= 1 && design->horizon <= STATISTICS_MOST_COUNT))
        return "the horizon is a number of units, at least 1";
    if (!(design->margin >= 0 && design->margin <= STATISTICS_MOST))
        return "the margin is a finite number that is not negative";
    if (!(design->minimum_sample >= 0 && design->minimum_sample <= STATISTICS_MOST_COUNT))
        return "the minimum sample is a number of units";
    return design->kind == EVIDENCE_RATE ? fault_of_rate(design) : NULL;
}

enum status evidence_open(struct evidence *evidence, const struct evidence_design *design,
                          struct error *error)
{
    struct evidence_design checked = *design;
    if (checked.horizon == 0)
        checked.horizon = STATISTICS_DEFAULT_HORIZON;
    /* what is not asked for must not make the rest unsound */
    if (checked.kind != EVIDENCE_RATE)
        checked.has_min = checked.has_max = false;
    checked.min = checked.has_min ? checked.min : 0;
    checked.max = checked.has_max ? checked.max : 0;
    checked.minimum_sample = fmax(checked.minimum_sample, EVIDENCE_LEAST_SAMPLE);
    const char *fault = isnan(design->minimum_sample) ? "the minimum sample is a number of units"
                                                      : fault_of(&checked);
    if (fault)
        return error_set(error, STATUS_INVALID, "%s", fault);
    memset(evidence, 0, sizeof *evidence);
    evidence->design = checked;
    return STATUS_OK;
}

enum status evidence_begin(struct evidence *evidence, int64_t since, double share,
                           struct error *error)
{
    if (evidence->design.kind == EVIDENCE_SHARES && !is_inside(share, 0, 1))
        return error_set(error, STATUS_INVALID, "the share of an arm lies between 0 and 1");
    if (evidence->phases > 0 && since < evidence->until)
        return error_set(error, STATUS_REFUSED,
                         "a phase cannot begin before the newest measurement of the last one");
    if (evidence->phases == UINT32_MAX)
        return error_set(error, STATUS_LIMIT, "too many phases");
    for (int side = 0; side < SIDE_COUNT; side++) {
        capital_begin(&evidence->phase[side], is_multiplied(&evidence->design));
        if (evidence->design.kind == EVIDENCE_RATE)
            capital_begin(&evidence->recent[side], true);
    }
    evidence->phases++;
    evidence->share = evidence->design.kind == EVIDENCE_SHARES ? share : 0;
    evidence->since = evidence->until = since;
    evidence->buckets = 0;
    memset(evidence->total, 0, sizeof evidence->total);
    memset(evidence->bucket, 0, sizeof evidence->bucket);
    evidence->round = (struct sample){0};
    evidence->estimate = (struct estimate){0};
    return STATUS_OK;
}

/* --- estimates -------------------------------------------------------------------------------- */

/* Doubles have 16 digits: a variance so much smaller than what it is the difference of is noise. */
#define LOST_IN_SQUARES 1e-10
#define LOST_IN_BUCKETS 1e-12

/* The variance of an arm's mean, and how uncertain it is: 1/(degrees of freedom), 0 where it counts
 * as known. */
struct spread {
    bool known; /* false: too little to tell */
    bool lost;  /* all values are the same but for rounding: there is no variance to be read off */
    double variance, uncertainty;
};

/* Between buckets, by linearization of the ratio Σ sum/Σ n: K/(K - 1) Σ (sum - mean n)²/(Σ n)². */
static struct spread spread_of_buckets(const struct evidence *evidence, enum evidence_arm arm)
{
    const struct sample *total = &evidence->total[arm];
    double mean = total->sum / total->n, squares = 0, filled = 0;
    for (size_t i = 0; i < evidence->buckets; i++) {
        const struct sample *bucket = &evidence->bucket[arm][i];
        double rest = (bucket->sum - mean * bucket->n) / total->n;
        squares += rest * rest;
        filled += bucket->n > 0;
    }
    if (filled < EVIDENCE_LEAST_BUCKETS)
        return (struct spread){.known = false};
    double rounding = LOST_IN_BUCKETS * mean;
    return (struct spread){.known = true,
                           .lost = squares < rounding * rounding,
                           .variance = squares * filled / (filled - 1),
                           .uncertainty = 1 / (filled - 1)};
}

/* Of a proportion with half an event and half a non-event more, since none among a few is not none
 * among all. */
static double spread_of_counts(const struct sample *total)
{
    double p = (total->sum + 0.5) / (total->n + 1);
    return p * (1 - p) / total->n;
}

static struct spread spread_of_values(const struct sample *total)
{
    double squares = total->squares - total->sum * (total->sum / total->n);
    return (struct spread){.known = true,
                           .lost = squares < LOST_IN_SQUARES * total->squares,
                           .variance = fmax(squares, 0) / (total->n - 1) / total->n};
}

static struct spread spread_of(const struct evidence *evidence, enum evidence_arm arm)
{
    const struct sample *total = &evidence->total[arm];
    struct spread spread = {.known = true};
    if (evidence->design.units == EVIDENCE_BUCKETS)
        spread = spread_of_buckets(evidence, arm);
    else if (evidence->design.kind == EVIDENCE_MEANS)
        spread = spread_of_values(total);
    /* few events may lie so evenly in their buckets that these see less than chance */
    if (evidence->design.kind == EVIDENCE_PROPORTIONS) {
        spread.variance = fmax(spread.variance, spread_of_counts(total));
        spread.lost = false;
    }
    return spread;
}

/* A t-value as the normal value that is as rare: Abramowitz and Stegun 26.7.8, with 1/degrees. */
static double normal_of_t(double t, double uncertainty)
{
    return t * (1 - uncertainty / 4) / sqrt(1 + t * t * uncertainty / 2);
}

/* ln E of the phase's difference: the one-sided mixture with S = n (d - margin), V = n s², r =
 * s²/rho², s² = n error², all divided by s. 0 where nothing can be said. */
static double compare_arms(struct evidence *evidence)
{
    const struct evidence_design *design = &evidence->design;
    const struct sample *variant = &evidence->total[ARM_VARIANT];
    const struct sample *control = &evidence->total[ARM_CONTROL];
    double rho, out;
    evidence->estimate = (struct estimate){0};
    if (variant->n < design->minimum_sample || control->n < design->minimum_sample)
        return 0;
    struct spread a = spread_of(evidence, ARM_VARIANT), b = spread_of(evidence, ARM_CONTROL);
    double variance = a.variance + b.variance, n = variant->n + control->n;
    double difference = variant->sum / variant->n - control->sum / control->n;
    if (!a.known || !b.known || !isfinite(variance) || !isfinite(difference))
        return 0;
    if (a.lost || b.lost)
        variance = 0;
    evidence->estimate = (struct estimate){.value = difference, .error = sqrt(variance), .n = n};
    if (!(variance > 0))
        return 0;
    /* Welch and Satterthwaite, in parts of the variance: their squares would underflow */
    double part = a.variance / variance;
    double uncertainty = part * part * a.uncertainty + (1 - part) * (1 - part) * b.uncertainty;
    double harm = (design->decrease_is_harm ? -difference : difference) - design->margin;
    double z = normal_of_t(fmax(fmin(harm / sqrt(variance), 1e100), -1e100), uncertainty);
    if (statistics_rho(2 * design->alpha, design->horizon, &rho) != STATUS_OK ||
        statistics_evidence_above(z * sqrt(n), n, 1 / (rho * rho), &out) != STATUS_OK)
        return 0;
    return out;
}

/* ln E of counts against the limit of one side; 0 where there is no such limit. */
static double compare_limit(const struct evidence_design *design, enum evidence_side side,
                            struct sample counts)
{
    struct beta beta;
    double out = 0, limit = side == SIDE_ABOVE ? design->max : design->min;
    if (!(side == SIDE_ABOVE ? design->has_max : design->has_min))
        return 0;
    enum status status =
        statistics_beta(limit, design->horizon, fmin(2 * evidence_level(design), 0.99), &beta);
    if (status == STATUS_OK && side == SIDE_ABOVE)
        status = statistics_count_above(counts.sum, counts.n, limit, beta, &out);
    else if (status == STATUS_OK)
        status = statistics_count_below(counts.sum, counts.n, limit, beta, &out);
    return status == STATUS_OK ? out : 0;
}

static void assess_rate(struct evidence *evidence)
{
    for (int side = 0; side < SIDE_COUNT; side++) {
        evidence->phase[side].evidence =
            compare_limit(&evidence->design, side, evidence->total[ARM_VARIANT]);
        evidence->recent[side].evidence = compare_limit(&evidence->design, side, evidence->round);
    }
}

static void assess(struct evidence *evidence)
{
    double *out = &evidence->phase[SIDE_ABOVE].evidence;
    if (evidence->design.kind == EVIDENCE_RATE)
        assess_rate(evidence);
    else if (is_comparison(&evidence->design))
        *out = compare_arms(evidence);
    else if (statistics_ratio_evidence(evidence->total[ARM_VARIANT].n,
                                       evidence->total[ARM_CONTROL].n, evidence->share,
                                       EVIDENCE_CONCENTRATION, out) != STATUS_OK)
        *out = 0;
    for (int side = 0; side < SIDE_COUNT; side++)
        evidence->peak[side] = fmax(evidence->peak[side], evidence_now(evidence, side));
}

enum status evidence_low(const struct evidence *evidence, double *out)
{
    struct estimate harm = evidence->estimate;
    if (!is_comparison(&evidence->design) || harm.n <= 0 || harm.error <= 0)
        return STATUS_NOT_FOUND;
    if (evidence->design.decrease_is_harm)
        harm.value = -harm.value;
    return statistics_sequence_low(harm, evidence->design.alpha, evidence->design.horizon, out);
}

/* --- looks ------------------------------------------------------------------------------------ */

static const char *const ARM_NAMES[ARM_COUNT] = {"variant", "control"};

/* What a look leaves behind, made beside the evidence and then put in its place. */
struct next {
    struct sample total[ARM_COUNT], bucket[ARM_COUNT][EVIDENCE_MOST_BUCKETS];
};

static bool is_tally(const struct evidence_design *design, const struct sample *tally)
{
    if (!(tally->n >= 0 && tally->n <= STATISTICS_MOST_COUNT) || !(fabs(tally->sum) <= 1e150) ||
        !(tally->squares >= 0 && tally->squares <= 1e300))
        return false;
    if (counts_events(design))
        return tally->sum >= 0 && tally->sum <= tally->n;
    /* who spends in this look may have come in an earlier one: a bucket's sum may precede its n */
    if (design->kind == EVIDENCE_MEANS && design->units == EVIDENCE_BUCKETS)
        return true;
    if (design->kind != EVIDENCE_MEANS || tally->n == 0)
        return tally->n > 0 || (tally->sum == 0 && tally->squares == 0);
    /* the squares of n values of that sum are at least sum²/n */
    return tally->squares * (1 + 1e-9) >= tally->sum * (tally->sum / tally->n);
}

static bool went_back(const struct evidence_design *design, const struct sample *before,
                      const struct sample *now)
{
    return now->n < before->n || now->squares < before->squares ||
           (counts_events(design) && now->sum < before->sum);
}

static enum status take_arm(const struct evidence *evidence, const struct evidence_look *look,
                            enum evidence_arm arm, bool totals, struct next *next,
                            struct error *error)
{
    const struct evidence_design *design = &evidence->design;
    bool bucketed = design->units == EVIDENCE_BUCKETS;
    struct sample sum = {0};
    for (size_t i = 0; i < look->count; i++) {
        struct sample tally = look->arm[arm][i];
        const struct sample *before = bucketed ? &evidence->bucket[arm][i] : &evidence->total[arm];
        if (!is_tally(design, &tally))
            return error_set(error, STATUS_INVALID, "%s: counts that no sample can have: %g of %g",
                             ARM_NAMES[arm], tally.sum, tally.n);
        if (totals && went_back(design, before, &tally))
            return error_set(error, STATUS_REFUSED, "%s: the counter went back from %g to %g",
                             ARM_NAMES[arm], before->n, tally.n);
        struct sample now = tally;
        if (!totals)
            now = (struct sample){before->n + tally.n, before->sum + tally.sum,
                                  before->squares + tally.squares};
        /* rounding of fractions must not make more events than units */
        if (counts_events(design))
            now.sum = fmin(now.sum, now.n);
        if (bucketed)
            next->bucket[arm][i] = now;
        sum = (struct sample){sum.n + now.n, sum.sum + now.sum, sum.squares + now.squares};
    }
    if (counts_events(design))
        sum.sum = fmin(sum.sum, sum.n);
    next->total[arm] = sum;
    return STATUS_OK;
}

static enum status check_look(const struct evidence *evidence, const struct evidence_look *look,
                              bool totals, struct error *error)
{
    bool bucketed = evidence->design.units == EVIDENCE_BUCKETS;
    if (evidence->phases == 0)
        return error_set(error, STATUS_REFUSED, "no phase has begun");
    if (look->until <= look->from)
        return error_set(error, STATUS_INVALID, "a measurement ends after it begins");
    if (totals ? look->from != evidence->since || look->until <= evidence->until
               : look->from < evidence->until)
        return error_set(error, STATUS_REFUSED, "the measurement overlaps an earlier one");
    if (!look->arm[ARM_VARIANT] ||
        (!look->arm[ARM_CONTROL] && evidence->design.kind != EVIDENCE_RATE))
        return error_set(error, STATUS_INVALID, "a comparison needs both arms");
    if (!bucketed && look->count != 1)
        return error_set(error, STATUS_INVALID, "counts by bucket where none are expected");
    if (bucketed && (look->count < EVIDENCE_LEAST_BUCKETS || look->count > EVIDENCE_MOST_BUCKETS))
        return error_set(error, STATUS_INVALID, "%zu buckets, expected %d to %d", look->count,
                         EVIDENCE_LEAST_BUCKETS, EVIDENCE_MOST_BUCKETS);
    if (evidence->buckets && look->count != evidence->buckets)
        return error_set(error, STATUS_INVALID, "%zu buckets after %u: keep their number",
                         look->count, evidence->buckets);
    return STATUS_OK;
}

/* A round that has seen enough makes room for the next. */
static void grow_round(struct evidence *evidence, const struct next *next)
{
    const struct sample *before = &evidence->total[ARM_VARIANT];
    struct sample *round = &evidence->round;
    if (round->n >= EVIDENCE_ROUND_HORIZONS * evidence->design.horizon &&
        evidence->recent[SIDE_ABOVE].rounds < UINT32_MAX) {
        for (int side = 0; side < SIDE_COUNT; side++)
            capital_begin(&evidence->recent[side], true);
        *round = (struct sample){0};
    }
    round->n += next->total[ARM_VARIANT].n - before->n;
    round->sum = fmin(round->n, round->sum + (next->total[ARM_VARIANT].sum - before->sum));
}

static enum status add(struct evidence *evidence, const struct evidence_look *look, bool totals,
                       struct error *error)
{
    struct next next = {.total = {{0}}};
    enum status status = check_look(evidence, look, totals, error);
    for (int arm = 0; status == STATUS_OK && arm < ARM_COUNT; arm++) {
        if (look->arm[arm])
            status = take_arm(evidence, look, arm, totals, &next, error);
    }
    if (status != STATUS_OK)
        return status;
    if (!(next.total[ARM_VARIANT].n + next.total[ARM_CONTROL].n <= STATISTICS_MOST_COUNT))
        return error_set(error, STATUS_LIMIT, "more than %g units in one phase",
                         STATISTICS_MOST_COUNT);
    if (!is_tally(&evidence->design, &next.total[ARM_VARIANT]) ||
        !is_tally(&evidence->design, &next.total[ARM_CONTROL]))
        return error_set(error, STATUS_LIMIT, "the sums of this phase are too large");
    if (evidence->design.kind == EVIDENCE_RATE)
        grow_round(evidence, &next);
    if (evidence->design.units == EVIDENCE_BUCKETS)
        evidence->buckets = (uint32_t)look->count;
    memcpy(evidence->total, next.total, sizeof next.total);
    memcpy(evidence->bucket, next.bucket, sizeof next.bucket);
    evidence->until = look->until;
    assess(evidence);
    return STATUS_OK;
}

enum status evidence_add(struct evidence *evidence, const struct evidence_look *look,
                         struct error *error)
{
    return add(evidence, look, false, error);
}

enum status evidence_add_totals(struct evidence *evidence, const struct evidence_look *look,
                                struct error *error)
{
    return add(evidence, look, true, error);
}

void evidence_set_back(struct evidence *evidence, int64_t now)
{
    if (evidence->since > now)
        evidence->since = now;
    if (evidence->until > now)
        evidence->until = now;
}

/* --- what was read ---------------------------------------------------------------------------- */

static bool is_finite_capital(const struct evidence_capital *capital)
{
    return isfinite(capital->stake) && isfinite(capital->evidence) &&
           fabs(capital->stake) <= STATISTICS_MOST && fabs(capital->evidence) <= STATISTICS_MOST;
}

static bool are_sound_samples(const struct evidence *evidence)
{
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        if (!is_tally(&evidence->design, &evidence->total[arm]))
            return false;
        for (size_t i = 0; i < EVIDENCE_MOST_BUCKETS; i++) {
            if (!is_tally(&evidence->design, &evidence->bucket[arm][i]))
                return false;
        }
    }
    return is_tally(&evidence->design, &evidence->round);
}

bool evidence_is_sound(const struct evidence *evidence)
{
    if (fault_of(&evidence->design) ||
        !(evidence->design.minimum_sample >= EVIDENCE_LEAST_SAMPLE) ||
        evidence->until < evidence->since || evidence->buckets > EVIDENCE_MOST_BUCKETS)
        return false;
    if (evidence->design.kind == EVIDENCE_SHARES && evidence->phases > 0 &&
        !is_inside(evidence->share, 0, 1))
        return false;
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (!is_finite_capital(&evidence->phase[side]) ||
            !is_finite_capital(&evidence->recent[side]) ||
            !(evidence->peak[side] >= 0 && evidence->peak[side] <= 2 * STATISTICS_MOST))
            return false;
    }
    return are_sound_samples(evidence) && isfinite(evidence->share) &&
           isfinite(evidence->estimate.value) && isfinite(evidence->estimate.error) &&
           isfinite(evidence->estimate.n) && isfinite(evidence->design.min) &&
           isfinite(evidence->design.max);
}
