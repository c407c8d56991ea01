/* Counts that are judged by the evidence that they add to, and the ratio of the arms. */
#include <math.h>

#include "probe_private.h"

/* --- evidence -------------------------------------------------------------------------------- */

static int64_t nanoseconds(int64_t seconds)
{
    return seconds * NANOSECONDS_PER_SECOND;
}

/* A copy of what there is, with its phase begun: a look that is not kept must leave no trace. */
static struct evidence *try_on(const struct evidence *evidence,
                               const struct evidence_design *design, bool begins, int64_t from,
                               double share, struct error *error)
{
    struct evidence *trial = malloc(sizeof *trial);
    if (!trial) {
        error_set(error, STATUS_NO_MEMORY, "out of memory");
        return NULL;
    }
    enum status status = STATUS_OK;
    if (evidence)
        *trial = *evidence;
    else
        status = evidence_open(trial, design, error);
    if (status == STATUS_OK && (begins || trial->phases == 0))
        status = evidence_begin(trial, nanoseconds(from), share, error);
    if (status == STATUS_OK)
        return trial;
    free(trial);
    return NULL;
}

static bool keep(struct evidence **place, const struct evidence *trial)
{
    struct evidence *copy = *place ? *place : malloc(sizeof *copy);
    if (!copy)
        return false;
    *copy = *trial;
    *place = copy;
    return true;
}

static double alpha_of(const struct probe *probe)
{
    uint32_t parts = probe->settings.guardrails ? probe->settings.guardrails : 1;
    double alpha = probe->metric->alpha / parts;
    return alpha < 0.5 ? alpha : 0.499999;
}

/* Adds the looks of all spans that have something; what is to be kept is kept as soon as it is
 * added. */
struct looking {
    struct evidence_design design;
    size_t entries; /* of each arm */
    struct sample samples[PROBE_SPANS_MAX][ARM_COUNT][EVIDENCE_MOST_BUCKETS];
    bool has[PROBE_SPANS_MAX];
};

static enum status add_looks(struct take *take, const struct looking *looking,
                             struct evidence **trial, struct error *error)
{
    struct probe *probe = take->probe;
    const struct probe_plan *plan = take->plan;
    *trial =
        try_on(probe->evidence, &looking->design, probe->begins, plan->spans[0].from, 0, error);
    if (!*trial)
        return STATUS_INVALID;
    for (size_t i = 0; i < plan->span_count; i++) {
        const struct probe_span *span = &plan->spans[i];
        struct evidence_look look = {.from = nanoseconds(span->from),
                                     .until = nanoseconds(span->until),
                                     .count = looking->entries,
                                     .arm = {[ARM_VARIANT] = looking->samples[i][ARM_VARIANT]}};
        if (plan->arms == ARM_COUNT)
            look.arm[ARM_CONTROL] = looking->samples[i][ARM_CONTROL];
        enum status status = looking->has[i] ? evidence_add(*trial, &look, error) : STATUS_OK;
        if (status != STATUS_OK)
            return status;
        if (looking->has[i] && span->keep) {
            if (!keep(&probe->evidence, *trial))
                return error_set(error, STATUS_NO_MEMORY, "out of memory");
            probe->begins = false;
        }
    }
    return STATUS_OK;
}

static bool any_look(const struct take *take, const struct looking *looking)
{
    bool any = false;
    for (size_t i = 0; i < take->plan->span_count; i++)
        any |= looking->has[i];
    return any;
}

/* False and the judgement: an answer that no sample can have. */
static bool read_span(struct take *take, size_t span, struct looking *looking)
{
    struct judgement judgement;
    looking->has[span] = true;
    for (size_t arm = 0; arm < take->plan->arms; arm++) {
        const struct counts counts = take_counts(take, span, arm);
        struct sample sample;
        bool has = take_sample(take, &counts, &sample, &judgement);
        take->n[arm] = has ? sample.n : 0;
        if (!has && judgement.verdict == VERDICT_ERROR) {
            take->judgement = judgement;
            return false;
        }
        looking->has[span] = looking->has[span] && has;
        looking->samples[span][arm][0] = has ? sample : (struct sample){0};
    }
    if (!looking->has[span])
        take_say(&take->judgement, VERDICT_NO_DATA, "no data");
    return true;
}

void take_rate(struct take *take)
{
    struct probe *probe = take->probe;
    struct evidence *trial = NULL;
    struct error error;
    struct looking *looking = calloc(1, sizeof *looking);
    if (!looking) {
        take_say(&take->judgement, VERDICT_ERROR, "out of memory");
        return;
    }
    looking->entries = 1;
    looking->design = (struct evidence_design){.kind = EVIDENCE_RATE, .alpha = alpha_of(probe)};
    probe_limits(probe->metric, &looking->design);
    bool is_read = true;
    for (size_t i = 0; is_read && i < take->plan->span_count; i++)
        is_read = read_span(take, i, looking);
    if (is_read && any_look(take, looking)) {
        if (add_looks(take, looking, &trial, &error) == STATUS_OK) {
            judge_rate(trial, (double)probe->metric->minimum_sample, &take->judgement);
            probe->enough = trial->total[ARM_VARIANT].n >= (double)probe->metric->minimum_sample;
        } else {
            judge_refusal(&error, &take->judgement);
        }
    }
    free(trial);
    free(looking);
}

/* --- the sample ratio ------------------------------------------------------------------------ */

/* Everybody's share, where all who are exposed were drawn, and it stood still all the time. */
static bool has_share(const struct probe *probe, const struct probe_span *span, double *out)
{
    struct exposure exposures[EXPOSURES_MAX];
    const struct rollout_state *state = probe->item->state;
    int64_t from = walk_bake_from(state);
    if (rollout_exposures(state, exposures) != 1 || exposures[0].audience.length ||
        from == WALK_NEVER || span->from < from)
        return false;
    *out = (double)rollout_share_at(state, span->until) / SPLIT_TOTAL;
    return *out > 0 && *out < 1;
}

/* How much more the variant's part of each bucket varies than chance has it: the design effect of
 * clusters (Kish 1965), about the share that came out, so that a mismatch does not hide itself. */
static double design_effect(const struct evidence *evidence)
{
    const struct sample *arms = evidence->total;
    double all = arms[ARM_VARIANT].n + arms[ARM_CONTROL].n, squares = 0, filled = 0;
    double share = arms[ARM_VARIANT].n / all;
    for (size_t i = 0; i < evidence->buckets; i++) {
        double variant = evidence->bucket[ARM_VARIANT][i].n;
        double n = variant + evidence->bucket[ARM_CONTROL][i].n, rest = variant - share * n;
        squares += rest * rest;
        filled += n > 0;
    }
    double chance = all * share * (1 - share);
    if (!(chance > 0) || filled < EVIDENCE_LEAST_BUCKETS)
        return INFINITY;
    return fmax(1, squares / chance * filled / (filled - 1));
}

static void look_at_ratio(struct take *take, const struct looking *looking, size_t index)
{
    struct probe *probe = take->probe;
    const struct probe_span *span = &take->plan->spans[index];
    const struct evidence_design design = {
        .kind = EVIDENCE_SHARES, .alpha = PROBE_RATIO_ALPHA, .units = EVIDENCE_REQUESTS};
    double share, effect = design_effect(probe->evidence);
    struct error error;
    if (!isfinite(effect) || !has_share(probe, span, &share))
        return;
    if (probe->shares && probe->shares->phases && probe->shares->share != share)
        probe->begins_ratio = true;
    struct evidence *trial =
        try_on(probe->shares, &design, probe->begins_ratio, span->from, share, &error);
    struct sample arms[ARM_COUNT] = {{0}};
    for (size_t arm = 0; arm < ARM_COUNT; arm++) {
        for (size_t i = 0; i < looking->entries; i++)
            arms[arm].n += looking->samples[index][arm][i].n / effect;
    }
    const struct evidence_look look = {
        .from = nanoseconds(span->from),
        .until = nanoseconds(span->until),
        .count = 1,
        .arm = {[ARM_VARIANT] = &arms[ARM_VARIANT], [ARM_CONTROL] = &arms[ARM_CONTROL]}};
    if (trial && evidence_add(trial, &look, &error) == STATUS_OK && keep(&probe->shares, trial))
        probe->begins_ratio = false;
    free(trial);
}

/* --- the sequential comparison --------------------------------------------------------------- */

/* Whether counts come by bucket; false and the judgement where only some do. */
static bool read_form(struct take *take, bool *bucketed)
{
    bool some = false, others = false;
    for (size_t i = 0; i < take->plan->count; i++) {
        some |= take->readings[i].state == READING_BUCKETED;
        others |= take->readings[i].state == READING_NUMBER;
    }
    const struct evidence *evidence = take->probe->evidence;
    bool was = evidence && evidence->design.units == EVIDENCE_BUCKETS;
    *bucketed = some;
    if (!(some && others) && (!evidence || was == some || (!some && !others)))
        return true;
    take_say(&take->judgement, VERDICT_ERROR,
             "some counts come by bucket, others do not: give both parts the label, and keep it");
    return false;
}

static void read_buckets(const struct take *take, size_t span, struct looking *looking)
{
    for (size_t arm = 0; arm < ARM_COUNT; arm++) {
        const struct reading *numerator = take_reading(take, span, arm, 0);
        const struct reading *denominator = take_reading(take, span, arm, 1);
        for (size_t i = 0; i < EVIDENCE_MOST_BUCKETS; i++) {
            double n = denominator->buckets[i];
            looking->samples[span][arm][i] =
                (struct sample){.n = n, .sum = take_clamp(take->probe, numerator->buckets[i], n)};
        }
    }
}

/* Nobody knows how much the values of a sum vary, but for its buckets. */
static void hold_without_variance(struct take *take)
{
    struct probe *probe = take->probe;
    take_say(&take->judgement, VERDICT_INCONCLUSIVE,
             "sums alone do not tell how values vary: give both parts a bucket label");
    probe->enough =
        fmin(take->n[ARM_VARIANT], take->n[ARM_CONTROL]) >= (double)probe->metric->minimum_sample;
}

static void judge_compared(struct take *take, struct looking *looking)
{
    struct probe *probe = take->probe;
    struct evidence *trial = NULL;
    struct error error;
    bool bucketed, is_mean = probe->metric->type == METRIC_MEAN;
    if (!read_form(take, &bucketed))
        return;
    looking->entries = bucketed ? EVIDENCE_MOST_BUCKETS : 1;
    looking->design =
        (struct evidence_design){.kind = is_mean ? EVIDENCE_MEANS : EVIDENCE_PROPORTIONS,
                                 .units = bucketed ? EVIDENCE_BUCKETS : EVIDENCE_REQUESTS,
                                 .alpha = alpha_of(probe),
                                 .margin = probe->metric->margin,
                                 .decrease_is_harm = probe->metric->higher_is_better,
                                 .minimum_sample = (double)probe->metric->minimum_sample};
    for (size_t i = 0; i < take->plan->span_count; i++) {
        if (!read_span(take, i, looking))
            return;
        if (bucketed && looking->has[i])
            read_buckets(take, i, looking);
    }
    if (!any_look(take, looking))
        return;
    if (is_mean && !bucketed) {
        hold_without_variance(take);
        return;
    }
    if (add_looks(take, looking, &trial, &error) != STATUS_OK) {
        judge_refusal(&error, &take->judgement);
        free(trial);
        return;
    }
    judge_sequential(trial, &take->judgement);
    probe->enough = fmin(trial->total[ARM_VARIANT].n, trial->total[ARM_CONTROL].n) >=
                    trial->design.minimum_sample;
    for (size_t i = 0; bucketed && i < take->plan->span_count; i++) {
        if (looking->has[i] && take->plan->spans[i].keep)
            look_at_ratio(take, looking, i);
    }
    free(trial);
}

void take_sequential(struct take *take)
{
    struct looking *looking;
    if (!probe_compares(take->probe, take->now / NANOSECONDS_PER_SECOND)) {
        take_alone(take);
        return;
    }
    looking = calloc(1, sizeof *looking);
    if (looking)
        judge_compared(take, looking);
    else
        take_say(&take->judgement, VERDICT_ERROR, "out of memory");
    free(looking);
}
