/* What a probe asks, and in which windows. */
#include "probe_private.h"

/* --- how it is judged ------------------------------------------------------------------------ */

static bool names(const struct metric *metric, enum metric_word word)
{
    if (metric->source == METRIC_HTTP && metric_template_names(metric->address, word))
        return true;
    if (!metric->has_counts)
        return metric_template_names(metric->query, word);
    /* Of the window both parts have to be; of the arm either tells. */
    bool numerator = metric_template_names(metric->numerator, word);
    bool denominator = metric_template_names(metric->denominator, word);
    return word == WORD_VARIANT ? denominator : numerator && denominator;
}

/* Limits that a rate is tested against: those that it can be beyond. */
void probe_limits(const struct metric *metric, struct evidence_design *design)
{
    design->has_min = metric->has_minimum && metric->minimum > 0;
    design->has_max = metric->has_maximum && metric->maximum < 1;
    design->min = metric->minimum;
    design->max = metric->maximum;
}

enum probe_way probe_way(const struct metric *metric)
{
    struct evidence_design design = {.kind = EVIDENCE_RATE};
    if (metric->burn_count)
        return PROBE_BURN;
    if (metric->compare == METRIC_SEQUENTIAL)
        return PROBE_SEQUENTIAL;
    if (metric->compare != METRIC_ABSOLUTE)
        return PROBE_COMPARE;
    if (!metric->has_counts)
        return PROBE_NUMBER;
    if (metric->type == METRIC_MEAN) /* the values behind a sum are not known, nor how they vary */
        return PROBE_COUNTS;
    probe_limits(metric, &design);
    bool is_testable = (design.has_min || design.has_max) && (!design.has_max || design.max > 0) &&
                       (!design.has_min || design.min < 1);
    return is_testable && names(metric, WORD_WINDOW) ? PROBE_RATE : PROBE_COUNTS;
}

bool probe_compares(const struct probe *probe, int64_t seconds)
{
    uint32_t share = rollout_share_at(probe->item->state, seconds);
    return share > 0 && share < SPLIT_TOTAL;
}

/* --- windows --------------------------------------------------------------------------------- */

int64_t probe_start(const struct probe *probe)
{
    int64_t start = probe->since < probe->seen ? probe->since : probe->seen;
    if (probe->metric->role != METRIC_BREAKER) {
        int64_t latest = start + PROBE_PATIENCE;
        int64_t exposed = probe->exposed < latest ? probe->exposed : latest;
        start = exposed > start ? exposed : start;
    }
    return probe->restarted > start ? probe->restarted : start;
}

int64_t probe_begins(const struct probe *probe)
{
    return probe_start(probe) + probe->metric->limits.initial_delay;
}

/* What is measured within the second in which a phase begins, or its evidence does, says nothing of
 * it (walk.h): nobody would hear of it before the verdict is another. */
static int64_t first_that_counts(const struct probe *probe)
{
    int64_t from = probe->since < probe->seen ? probe->since : probe->seen;
    return (probe->restarted > from ? probe->restarted : from) + 1;
}

/* Seconds under which a window is not asked. */
static int64_t shortest(const struct probe *probe)
{
    if (probe->metric->source != METRIC_PROMETHEUS)
        return 1; /* nobody scrapes */
    return PROBE_SCRAPES * (probe->settings.scrape ? probe->settings.scrape : PROBE_SCRAPE);
}

/* The last `length` seconds, as far as they are of this phase. */
static struct probe_span clipped(const struct probe *probe, int64_t length, int64_t now)
{
    int64_t start = probe_start(probe), from = now - length;
    return (struct probe_span){.from = from > start ? from : start, .until = now};
}

static void add_span(struct probe_plan *plan, struct probe_span span)
{
    plan->spans[plan->span_count++] = span;
}

/* What no look has counted. What lies further back than the metric's window, after an outage, is
 * left out: a source that was down for a day is not asked for that day at once. */
static void plan_evidence(const struct probe *probe, int64_t now, struct probe_plan *plan)
{
    int64_t least = shortest(probe), interval = probe->metric->limits.interval;
    int64_t most = probe->metric->limits.window;
    if (most < 2 * least + interval)
        most = 2 * least + interval;
    struct probe_span span = clipped(probe, most, now);
    int64_t seen = probe->evidence && probe->evidence->phases
                       ? probe->evidence->until / NANOSECONDS_PER_SECOND
                       : 0;
    span.from = seen > span.from ? seen : span.from;
    if (now - span.from < least) {
        plan->again = span.from + least;
        return;
    }
    if (interval >= least) {
        span.keep = true;
        add_span(plan, span);
        return;
    }
    if (now - span.from >= 2 * least) {
        add_span(plan, (struct probe_span){span.from, now - least, true});
        span.from = now - least;
    }
    add_span(plan, span);
}

static void plan_burn(const struct probe *probe, int64_t now, struct probe_plan *plan)
{
    const struct metric *metric = probe->metric;
    for (size_t i = 0; i < metric->burn_count; i++) {
        add_span(plan, clipped(probe, metric->burn[i].longer, now));
        add_span(plan, clipped(probe, metric->burn[i].shorter, now));
    }
    if (now - probe_start(probe) < shortest(probe))
        plan->again = probe_start(probe) + shortest(probe);
}

static void plan_window(const struct probe *probe, int64_t now, struct probe_plan *plan)
{
    struct probe_span span = clipped(probe, probe->metric->limits.window, now);
    int64_t least = shortest(probe);
    add_span(plan, span);
    /* One that is never longer is judged: as no data, with words. */
    if (names(probe->metric, WORD_WINDOW) && now - span.from < least &&
        probe->metric->limits.window >= least)
        plan->again = span.from + least;
}

bool probe_window_is_short(const struct probe *probe, const struct probe_span *span)
{
    return names(probe->metric, WORD_WINDOW) && span->until - span->from < shortest(probe);
}

void probe_plan(const struct probe *probe, int64_t now, struct probe_plan *out)
{
    const struct metric *metric = probe->metric;
    int64_t seconds = now / NANOSECONDS_PER_SECOND, begins = probe_begins(probe);
    *out = (struct probe_plan){.way = probe_way(metric),
                               .parts = metric->has_counts ? 2 : 1,
                               .tells_arms = names(metric, WORD_VARIANT)};
    out->arms = out->way == PROBE_COMPARE || out->way == PROBE_SEQUENTIAL ? ARM_COUNT : 1;
    if (begins < first_that_counts(probe))
        begins = first_that_counts(probe);
    if (seconds < begins) {
        out->again = begins;
        return;
    }
    if (out->way == PROBE_RATE || (out->way == PROBE_SEQUENTIAL && probe_compares(probe, seconds)))
        plan_evidence(probe, seconds, out);
    else if (out->way == PROBE_BURN)
        plan_burn(probe, seconds, out);
    else
        plan_window(probe, seconds, out);
    if (out->again == 0)
        out->count = out->span_count * out->arms * out->parts;
}

/* --- questions ------------------------------------------------------------------------------- */

static bool fill(struct arena *arena, struct text template, const struct metric_words *words,
                 enum metric_escape escape, struct text *out)
{
    struct buffer buffer;
    buffer_init(&buffer, (size_t)64 << 10);
    metric_template_fill(template, words, escape, &buffer);
    bool made = !buffer.failed && arena_copy(arena, buffer_text(&buffer), out);
    buffer_dispose(&buffer);
    return made;
}

static enum status ask(const struct probe *probe, const struct probe_plan *plan,
                       const struct probe_span *span, bool of_control, struct text template,
                       struct arena *arena, struct question *out)
{
    const struct metric *metric = probe->metric;
    const struct rollout *rollout = probe->item->rollout;
    const struct rollout_state *state = probe->item->state;
    bool http = metric->source == METRIC_HTTP;
    char window[32];
    int64_t length = span->until > span->from ? span->until - span->from : 1;
    snprintf(window, sizeof window, "%llds", (long long)length);
    struct metric_words words = {
        {[WORD_FLAG] = rollout->flag.text,
         [WORD_VARIANT] = of_control ? rollout->control.text : rollout->variant.text,
         [WORD_CONTROL] = rollout->control.text,
         [WORD_ENVIRONMENT] = rollout->environment.text,
         [WORD_PHASE] = state->plan.items[probe->phase].name,
         [WORD_WINDOW] = text_of(window)}};
    *out = (struct question){.source = metric->source, .by_bucket = plan->way == PROBE_SEQUENTIAL};
    if (!(http ? fill(arena, metric->address, &words, ESCAPE_URL, &out->address)
               : arena_copy(arena, metric->address, &out->address)) ||
        !arena_copy(arena, metric->secret, &out->secret) ||
        !arena_copy(arena, metric->user, &out->user) ||
        !fill(arena, template, &words, http ? ESCAPE_POINTER : ESCAPE_PROMQL, &out->expression))
        return STATUS_NO_MEMORY;
    /* Looks of evidence join without a gap; all else is of the source's own now, so that one answer
     * serves all who ask the same. */
    if (plan->way == PROBE_RATE || plan->way == PROBE_SEQUENTIAL)
        out->at = span->until;
    /* Steps stand where those of the others stand that ask the same. */
    if (metric->step) {
        out->step = metric->step;
        out->at = span->until / metric->step * metric->step;
        out->from = span->from < out->at ? span->from : out->at;
        out->from = (out->from + metric->step - 1) / metric->step * metric->step;
        out->from = out->from < out->at ? out->from : out->at;
    }
    return STATUS_OK;
}

enum status probe_question(const struct probe *probe, const struct probe_plan *plan, size_t index,
                           struct arena *arena, struct question *out)
{
    const struct metric *metric = probe->metric;
    size_t part = index % plan->parts, arm = index / plan->parts % plan->arms;
    const struct probe_span *span = &plan->spans[index / plan->parts / plan->arms];
    struct text template = !metric->has_counts ? metric->query
                           : part == 0         ? metric->numerator
                                               : metric->denominator;
    return ask(probe, plan, span, arm == ARM_CONTROL, template, arena, out);
}

enum status probe_control_question(const struct probe *probe, const struct probe_plan *plan,
                                   struct arena *arena, struct question *out)
{
    const struct metric *metric = probe->metric;
    return ask(probe, plan, &plan->spans[plan->span_count - 1], true,
               metric->has_counts ? metric->denominator : metric->query, arena, out);
}
