/* Plays a rollout by asking its machine again at each instant at which its answer may differ. */
#include "simulate.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../rules/judge_bake.h"
#include "../clock.h"
#include "../metrics/probe.h"

#define GATES_MAX PHASE_METRICS_MAX
#define TEXT_MAX 600
#define EVIDENCE_MAX 96

/* What is known of one metric at the play's instant. */
struct gauge {
    const struct metric *metric;
    struct metric_result result; /* of this phase; its storage is of play->results */
    struct coverage coverage;    /* of the bake */
    char evidence[EVIDENCE_MAX]; /* of the failure that latched */
    bool silent;                 /* by its newest measurement, as the mismatch */
    struct text ratio_mismatch;
};

struct play {
    const struct simulate_task *task;
    struct simulate_timeline *out;
    struct rollout_state state;
    struct walk_task known;
    struct walk_gate gates[GATES_MAX];
    struct gauge gauges[GATES_MAX];
    size_t next_measurement; /* the first that is not yet finished */
    int64_t since;           /* of the state that the gauges are of */
    int64_t asked;           /* since when only approvals are missing; 0: they are not */
    int64_t now;
    struct arena scratch;
    struct arena results;
    struct walk_decision decision;
};

/* --- measurements ---------------------------------------------------------------------------- */

static size_t gauge_of(const struct play *play, struct text metric)
{
    size_t i = 0;
    while (i < play->known.gate_count && !text_equal(play->gates[i].metric, metric))
        i++;
    return i;
}

/* The metrics of the phase that it is in; all that was known is of another. */
static enum status reset_gauges(struct play *play)
{
    const struct phase *phase = walk_phase(&play->state);
    struct error error;
    arena_reset(&play->results);
    play->known.gate_count = 0;
    play->since = play->state.since;
    for (size_t i = 0; phase && i < phase->metric_count && i < GATES_MAX; i++) {
        const struct metric *metric = catalog_metric(play->task->catalog, phase->metrics[i].text);
        if (!metric)
            continue;
        struct metric_limits limits = probe_metric_limits(metric);
        size_t at = play->known.gate_count, size = metric_result_least(&limits);
        struct measurement *storage = ARENA_ARRAY(&play->results, struct measurement, size);
        play->gates[at] = (struct walk_gate){.metric = metric->name.text, .role = metric->role};
        play->gauges[at] = (struct gauge){.metric = metric};
        if (!storage || metric_result_init(&play->gauges[at].result, &limits, storage, size,
                                           &error) != STATUS_OK)
            return STATUS_NO_MEMORY;
        play->known.gate_count++;
    }
    return STATUS_OK;
}

static enum verdict verdict_of(const struct metric *metric,
                               const struct simulate_measurement *measurement)
{
    static const enum verdict given[] = {
        [WALK_SUCCESS] = VERDICT_SUCCESS,           [WALK_NO_DATA] = VERDICT_NO_DATA,
        [WALK_INCONCLUSIVE] = VERDICT_INCONCLUSIVE, [WALK_ERROR] = VERDICT_ERROR,
        [WALK_FAILURE] = VERDICT_FAILURE,
    };
    if (measurement->silent)
        return VERDICT_FAILURE;
    if (measurement->has_verdict)
        return given[measurement->verdict];
    bool low = metric->has_minimum && !(measurement->value >= metric->minimum),
         high = metric->has_maximum && !(measurement->value <= metric->maximum);
    return low || high ? VERDICT_FAILURE : VERDICT_SUCCESS;
}

/* Since when its bake counts, in nanoseconds; after all measurements where it does not. */
static int64_t bake_of(const struct play *play)
{
    int64_t from = walk_bake_from(&play->state);
    return from == WALK_NEVER ? INT64_MAX - 1 : clock_nanoseconds(from);
}

/* "0.031 > 0.01". */
static void note_failure(struct gauge *gauge, const struct simulate_measurement *measurement)
{
    const struct metric *metric = gauge->metric;
    bool low = metric->has_minimum && !(measurement->value >= metric->minimum);
    if (measurement->silent)
        snprintf(gauge->evidence, EVIDENCE_MAX, "silent while control speaks");
    else if (measurement->has_verdict)
        snprintf(gauge->evidence, EVIDENCE_MAX, "measured as a failure");
    else
        snprintf(gauge->evidence, EVIDENCE_MAX, "%g %c %g", measurement->value, low ? '<' : '>',
                 low ? metric->minimum : metric->maximum);
}

/* Limits and bake just as a controller counts them (metrics/probe.h), or what it measured would
 * lead elsewhere here. */
static void take(struct play *play, size_t index)
{
    const struct simulate_measurement *measurement = &play->task->measurements[index];
    size_t at = gauge_of(play, measurement->metric);
    if (at == play->known.gate_count || measurement->finished <= play->state.since)
        return;
    struct gauge *gauge = &play->gauges[at];
    struct measurement made = {.time = clock_nanoseconds(measurement->finished),
                               .verdict = verdict_of(gauge->metric, measurement)};
    struct error error; /* of one that is older than the newest: they are sorted */
    int64_t from = bake_of(play);
    bool had_failed = gauge->result.failed;
    if (metric_result_add(&gauge->result, made, &error) != STATUS_OK)
        return;
    gauge->silent = measurement->silent;
    gauge->ratio_mismatch = measurement->ratio_mismatch;
    if (!had_failed && gauge->result.failed)
        note_failure(gauge, measurement);
    if (made.verdict == VERDICT_NO_DATA && gauge->result.limits.on_no_data == NO_DATA_PASS)
        made.verdict = VERDICT_SUCCESS;
    if (gauge->coverage.from != from)
        coverage_begin(&gauge->coverage, from, INT64_MAX);
    coverage_add(&gauge->coverage, &made, gauge->result.limits.interval);
}

static void read_gauge(struct play *play, size_t at)
{
    struct walk_gate *gate = &play->gates[at];
    const struct gauge *gauge = &play->gauges[at];
    const struct metric_result *result = &gauge->result;
    int64_t now = clock_nanoseconds(play->now);
    gate->silent = gauge->silent;
    gate->enough_sample = true;
    gate->fresh = metric_result_fresh(result, now);
    gate->verdict = probe_walk_verdict(metric_result_gate(result, now));
    gate->finished =
        result->length ? result->measurements[result->length - 1].time / NANOSECONDS_PER_SECOND : 0;
    gate->covered = gauge->coverage.from == bake_of(play)
                        ? gauge->coverage.covered / NANOSECONDS_PER_SECOND
                        : 0;
    if (result->failed)
        gate->evidence = text_of(gauge->evidence);
    if (gauge->ratio_mismatch.length && !play->known.ratio_mismatch) {
        play->known.ratio_mismatch = true;
        play->known.ratio_evidence = gauge->ratio_mismatch;
    }
}

static void measure_well(struct play *play, size_t at)
{
    int64_t from = walk_bake_from(&play->state);
    struct walk_gate *gate = &play->gates[at];
    gate->verdict = WALK_SUCCESS;
    gate->fresh = gate->enough_sample = true;
    gate->finished = play->now;
    gate->covered = from < play->now ? play->now - from : 0;
}

static enum status measure(struct play *play)
{
    const struct simulate_task *task = play->task;
    enum status status = STATUS_OK;
    if (play->since != play->state.since || play->known.gate_count == 0)
        status = reset_gauges(play);
    while (play->next_measurement < task->measurement_count &&
           task->measurements[play->next_measurement].finished <= play->now)
        take(play, play->next_measurement++);
    play->known.ratio_mismatch = false;
    for (size_t i = 0; i < play->known.gate_count; i++) {
        play->gates[i].evidence = (struct text){0};
        if (task->measurement_count)
            read_gauge(play, i);
        else
            measure_well(play, i);
    }
    for (size_t i = 0; i < task->breach_count; i++) {
        size_t at = gauge_of(play, task->breaches[i].metric);
        if (task->breaches[i].at != play->now || at == play->known.gate_count)
            continue;
        play->gates[at].verdict = WALK_FAILURE;
        play->gates[at].finished = play->now;
        play->gates[at].evidence = TEXT("a breach, as asked for");
    }
    return status;
}

/* The next instant at which something new is known. */
static int64_t next_news(const struct play *play)
{
    const struct simulate_task *task = play->task;
    int64_t next = WALK_NEVER;
    if (play->next_measurement < task->measurement_count)
        next = task->measurements[play->next_measurement].finished;
    for (size_t i = 0; i < task->breach_count; i++) {
        if (task->breaches[i].at > play->now && task->breaches[i].at < next)
            next = task->breaches[i].at;
    }
    if (play->asked && play->asked + task->approve_after > play->now &&
        play->asked + task->approve_after < next)
        next = play->asked + task->approve_after;
    return next;
}

/* --- the timeline ---------------------------------------------------------------------------- */

static struct simulate_span *last_span(struct play *play)
{
    return play->out->count ? &play->out->spans[play->out->count - 1] : NULL;
}

static enum status begin_span(struct play *play)
{
    const struct rollout_state *state = &play->state;
    struct simulate_span *before = last_span(play);
    enum rollout_status status = rollout_state_status(state);
    bool has_phase = state->course != COURSE_PENDING && state->phase < state->plan.count;
    struct text phase = has_phase ? state->plan.items[state->phase].name : (struct text){0};
    if (before && before->status == status && before->run == state->run &&
        text_equal(before->phase, phase))
        return STATUS_OK;
    if (!play->out->spans)
        return STATUS_NO_MEMORY;
    if (play->out->count == SIMULATE_SPANS_MAX)
        return STATUS_LIMIT;
    if (before)
        before->end = play->now;
    if (before && before->status == ROLLOUT_PENDING && before->begin == play->now)
        play->out->count--; /* it started as the play began */
    play->out->spans[play->out->count++] = (struct simulate_span){
        .phase = phase,
        .status = status,
        .run = state->run,
        .begin = play->now,
        .end = play->now,
        .audience = has_phase ? state->plan.items[state->phase].audience : (struct text){0},
        .kind = play->decision.kind,
        .evidence = play->decision.evidence,
    };
    return STATUS_OK;
}

static bool is_alone(enum walk_cause cause)
{
    return cause == WAIT_BAKE || cause == WAIT_RAMP;
}

static enum status keep_words(struct play *play, struct simulate_span *span)
{
    struct buffer words;
    buffer_init(&words, TEXT_MAX);
    for (size_t i = 0; i < play->decision.reason_count; i++) {
        if (i)
            buffer_append(&words, "; ", 2);
        buffer_append_text(&words, play->decision.reasons[i].words);
    }
    /* Most of the time it is as before: what does not change costs nothing. */
    struct text now = buffer_text(&words);
    bool kept = text_equal(now, span->words) || arena_copy(&play->out->arena, now, &span->words);
    bool memory = words.failed != STATUS_NO_MEMORY;
    buffer_dispose(&words);
    return kept && memory ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Until `next` it waits for what the decision says. */
static enum status wait_until(struct play *play, int64_t next)
{
    struct simulate_span *span = last_span(play);
    uint32_t causes = 0;
    int64_t end = next < play->task->to ? next : play->task->to;
    bool alone = false;
    for (size_t i = 0; i < play->decision.reason_count; i++) {
        causes |= 1U << play->decision.reasons[i].cause;
        alone = alone || is_alone(play->decision.reasons[i].cause);
    }
    for (size_t i = 0; i < COUNT_OF(span->waited); i++) {
        if ((causes & 1U << i) && (!alone || is_alone((enum walk_cause)i)))
            span->waited[i] += end - play->now;
    }
    span->end = end;
    span->share = rollout_share_at(&play->state, end);
    /* A bake that is short of its end says nothing that the table does not. */
    return play->decision.reason_count && !alone ? keep_words(play, span) : STATUS_OK;
}

/* --- those who are not asked ----------------------------------------------------------------- */

static enum status say(struct play *play, enum walk_verb_kind kind, struct text by)
{
    struct walk_verb verb = {.kind = kind, .by = by};
    return walk_verb(&play->known, &play->state, &verb, &play->scratch, &play->decision);
}

static bool only_approvals_lack(const struct walk_decision *decision)
{
    bool lack = false;
    for (size_t i = 0; i < decision->reason_count; i++) {
        if (is_alone(decision->reasons[i].cause))
            return false;
        lack = lack || decision->reasons[i].cause == WAIT_APPROVALS;
    }
    return lack;
}

static enum status approve(struct play *play)
{
    static const struct text people[APPROVALS_MAX] = {
        TEXT("approver 1"), TEXT("approver 2"), TEXT("approver 3"), TEXT("approver 4"),
        TEXT("approver 5"), TEXT("approver 6"), TEXT("approver 7"), TEXT("approver 8"),
        TEXT("approver 9"), TEXT("approver 10")};
    struct walk_decision waiting = play->decision;
    if (!only_approvals_lack(&waiting)) {
        play->asked = 0;
        return STATUS_OK;
    }
    if (play->asked == 0)
        play->asked = play->now;
    if (play->task->approve_after < 0 || play->now < play->asked + play->task->approve_after)
        return STATUS_OK;
    for (size_t i = 0; i < APPROVALS_MAX; i++) {
        enum status status = say(play, VERB_APPROVE, people[i]);
        if (status != STATUS_OK || play->decision.state)
            return status;
    }
    play->decision = waiting;
    return STATUS_OK;
}

static enum status decide(struct play *play)
{
    bool starts = play->state.course == COURSE_PENDING && !play->task->rollout->has_start;
    enum status status = measure(play);
    play->known.now = play->now;
    if (status != STATUS_OK)
        return status;
    if (starts) {
        int64_t next = WALK_NEVER;
        status = say(play, VERB_START, TEXT("whoever starts it"));
        for (size_t i = 0; i < play->decision.reason_count; i++) {
            if (play->decision.reasons[i].until < next)
                next = play->decision.reasons[i].until;
        }
        play->decision.next = next;
    } else {
        status = walk_tick(&play->known, &play->state, &play->scratch, &play->decision);
    }
    if (status == STATUS_OK && !play->decision.state)
        status = approve(play);
    return status;
}

/* --- the play -------------------------------------------------------------------------------- */

/* What a decision made lives as long as the timeline. */
static enum status apply(struct play *play)
{
    if (play->state.course != play->decision.state->course || play->decision.kind != WALK_APPROVE)
        play->asked = 0;
    play->state = *play->decision.state;
    play->out->commits++;
    arena_adopt(&play->out->arena, &play->scratch);
    arena_init(&play->scratch, 0);
    return begin_span(play);
}

static enum status step(struct play *play)
{
    enum status status = decide(play);
    if (status != STATUS_OK)
        return status;
    if (play->decision.state) /* look at the new state at once */
        return apply(play);
    int64_t next = play->decision.next, news = next_news(play);
    next = news < next ? news : next;
    if (next <= play->now)
        next = play->now + 1;
    status = wait_until(play, next);
    play->now = next;
    arena_reset(&play->scratch);
    return status;
}

static enum status begin(struct play *play)
{
    const struct simulate_task *task = play->task;
    const struct rollout_state *state = catalog_rollout_state(task->catalog, task->rollout);
    play->out->spans = ARENA_ARRAY(&play->out->arena, struct simulate_span, SIMULATE_SPANS_MAX);
    if (state)
        play->state = *state;
    else if (walk_initial(task->rollout, &play->out->arena, &play->state) != STATUS_OK)
        return STATUS_NO_MEMORY;
    return begin_span(play);
}

enum status simulate_play(const struct simulate_task *task, struct simulate_timeline *out,
                          struct error *error)
{
    struct play *play = calloc(1, sizeof *play);
    *out = (struct simulate_timeline){0};
    arena_init(&out->arena, 0);
    if (!play)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    play->task = task;
    play->out = out;
    play->now = task->from;
    play->known = (struct walk_task){.rollout = task->rollout,
                                     .phases = catalog_phases(task->catalog, task->rollout),
                                     .calendar = task->calendar,
                                     .zone = task->zone,
                                     .gates = play->gates};
    arena_init(&play->scratch, 0);
    arena_init(&play->results, 0);
    enum status status = play->known.phases ? begin(play) : STATUS_NOT_FOUND;
    while (status == STATUS_OK && play->now < task->to)
        status = step(play);
    out->state = play->state;
    arena_dispose(&play->scratch);
    arena_dispose(&play->results);
    free(play);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, status, "phase plan \"%.64s\" does not exist",
                         task->rollout->plan.text.data);
    if (status == STATUS_LIMIT)
        return error_set(error, status, "more than %d moves: play a shorter time",
                         SIMULATE_SPANS_MAX);
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, "no memory");
}

void simulate_dispose(struct simulate_timeline *timeline)
{
    arena_dispose(&timeline->arena);
}
