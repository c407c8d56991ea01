/* What growing waits for. Each condition says why it does not hold, and when it may. */
#include "walk_private.h"

/* --- metrics --------------------------------------------------------------------------------- */

static const struct walk_gate *gate_of(const struct walk *walk, struct text metric)
{
    for (size_t i = 0; i < walk->task->gate_count; i++) {
        if (text_equal(walk->task->gates[i].metric, metric))
            return &walk->task->gates[i];
    }
    return NULL;
}

static int64_t evidence_from(const struct walk *walk, const struct walk_gate *gate)
{
    int64_t since = walk->state->since;
    return gate->restarted > since ? gate->restarted : since;
}

/* What was measured before the phase says nothing of it. */
static enum walk_verdict verdict_of(const struct walk *walk, const struct walk_gate *gate)
{
    if (!gate || gate->finished <= evidence_from(walk, gate))
        return WALK_NO_DATA;
    return gate->silent ? WALK_FAILURE : gate->verdict;
}

/* Where the phase is dated later than now, a clock was wrong: what is measured of it cannot be
 * later than its begin. That keeps it from growing, and nobody on what breaks. */
static bool is_broken(const struct walk *walk, const struct walk_gate *gate)
{
    bool is_ahead = evidence_from(walk, gate) > walk->task->now;
    if (!is_ahead)
        return verdict_of(walk, gate) == WALK_FAILURE;
    return gate->finished > 0 && (gate->silent || gate->verdict == WALK_FAILURE);
}

const struct walk_gate *walk_breach(const struct walk *walk, enum metric_role role)
{
    const struct phase *phase = walk_phase(walk->state);
    for (size_t i = 0; phase && i < phase->metric_count; i++) {
        const struct walk_gate *gate = gate_of(walk, phase->metrics[i].text);
        if (gate && gate->role == role && is_broken(walk, gate))
            return gate;
    }
    return NULL;
}

static bool gate_passes(struct walk *walk, struct text metric)
{
    const struct walk_gate *gate = gate_of(walk, metric);
    enum walk_verdict verdict = verdict_of(walk, gate);
    int length = metric.length < 64 ? (int)metric.length : 64;
    if (gate && gate->role == METRIC_INFO)
        return true;
    if (!gate || verdict != WALK_SUCCESS)
        return walk_wait(walk, WAIT_METRIC, WALK_NEVER, "metric %.*s: %s", length, metric.data,
                         gate && gate->silent && verdict == WALK_FAILURE
                             ? "silent while control speaks"
                             : walk_verdict_name(verdict));
    if (!gate->enough_sample)
        return walk_wait(walk, WAIT_SAMPLE, WALK_NEVER, "metric %.*s: fewer than minimumSample",
                         length, metric.data);
    if (!gate->fresh)
        return walk_wait(walk, WAIT_FRESH, WALK_NEVER,
                         "metric %.*s: last measured more than two intervals ago", length,
                         metric.data);
    return true;
}

bool walk_gates_pass(struct walk *walk)
{
    const struct phase *phase = walk_phase(walk->state);
    bool pass = true;
    for (size_t i = 0; phase && i < phase->metric_count; i++)
        pass = gate_passes(walk, phase->metrics[i].text) && pass;
    return pass;
}

/* --- the bake -------------------------------------------------------------------------------- */

struct bake {
    int64_t behind; /* seconds */
    int64_t until;  /* when it may be over, if all goes well */
};

/* As one metric counts: the time that went by, or as much of it as a cover of 4 in 5 allows. */
static struct bake bake_by(const struct walk *walk, const struct walk_gate *gate, int64_t wanted)
{
    int64_t from = walk_bake_from(walk->state), now = walk->task->now, before = walk->state->bake;
    if (gate && gate->restarted > from) {
        from = gate->restarted;
        before = 0;
    }
    int64_t gone = now > from ? now - from : 0, covered = gone;
    if (gate && gate->covered < gone)
        covered = gate->covered > 0 ? gate->covered : 0;
    int64_t counted = covered / WALK_COVER_WANTED * WALK_COVER_PARTS +
                      covered % WALK_COVER_WANTED * WALK_COVER_PARTS / WALK_COVER_WANTED;
    int64_t rest = wanted > before ? wanted - before : 0;
    int64_t by_time = rest - gone,
            by_cover = rest - rest / WALK_COVER_PARTS - covered; /* 4 in 5, rounded up */
    int64_t wait = by_time > by_cover ? by_time : by_cover;
    return (struct bake){.behind = before + (counted < gone ? counted : gone),
                         .until = now + (wait > 0 ? wait : 0)};
}

/* As the metric counts that has measured least. */
static struct bake bake_of(const struct walk *walk)
{
    const struct phase *phase = walk_phase(walk->state);
    if (!phase || walk_bake_from(walk->state) == WALK_NEVER)
        return (struct bake){.until = WALK_NEVER};
    static const struct walk_gate nothing = {0};
    struct bake least = bake_by(walk, NULL, phase->bake);
    for (size_t i = 0; i < phase->metric_count; i++) {
        const struct walk_gate *gate = gate_of(walk, phase->metrics[i].text);
        if (gate && gate->role == METRIC_INFO)
            continue;
        struct bake bake = bake_by(walk, gate ? gate : &nothing, phase->bake);
        least.behind = bake.behind < least.behind ? bake.behind : least.behind;
        least.until = bake.until > least.until ? bake.until : least.until;
    }
    return least;
}

int64_t walk_bake_behind(const struct walk *walk)
{
    return bake_of(walk).behind;
}

bool walk_bake_is_over(struct walk *walk)
{
    const struct phase *phase = walk_phase(walk->state);
    char behind[WALK_PERIOD_SIZE], whole[WALK_PERIOD_SIZE];
    struct bake bake = bake_of(walk);
    if (!phase)
        return false;
    if (walk->task->now <= walk->state->since) /* two phases are never one */
        return walk_wait(walk, WAIT_BAKE, walk->state->since + 1, "phase %.64s: has just begun",
                         phase->name.data);
    if (bake.behind >= phase->bake)
        return true;
    walk_period(bake.behind, behind);
    walk_period(phase->bake, whole);
    return walk_wait(walk, WAIT_BAKE, bake.until, "bake %s of %s", behind, whole);
}

/* --- everything else ------------------------------------------------------------------------- */

bool walk_calendar_is_open(struct walk *walk)
{
    const struct walk_task *task = walk->task;
    struct calendar_opening opening;
    char moment[WALK_MOMENT_SIZE];
    if (task->calendar_fault.length) {
        int fault = task->calendar_fault.length < 160 ? (int)task->calendar_fault.length : 160;
        return walk_wait(walk, WAIT_CALENDAR, WALK_NEVER, "calendar: %.*s", fault,
                         task->calendar_fault.data);
    }
    if (!task->calendar || calendar_is_open(task->calendar, task->now))
        return true;
    if (!calendar_next_opening(task->calendar, task->now, &opening))
        return walk_wait(walk, WAIT_CALENDAR, WALK_NEVER, "calendar: never opens again");
    walk_moment(walk, opening.at, moment);
    int length = opening.reason.length < 100 ? (int)opening.reason.length : 100;
    if (opening.frozen)
        return walk_wait(walk, WAIT_CALENDAR, opening.at, "calendar: frozen%s%.*s, opens %s",
                         length ? " for " : "", length, length ? opening.reason.data : "", moment);
    return walk_wait(walk, WAIT_CALENDAR, opening.at, "calendar: opens %s", moment);
}

bool walk_clock_is_right(struct walk *walk)
{
    const struct rollout_state *state = walk->state;
    int64_t newest = state->since > state->counting ? state->since : state->counting;
    if (state->ramp.from > newest)
        newest = state->ramp.from;
    if (walk->task->clock_drift)
        return walk_wait(walk, WAIT_CLOCK, WALK_NEVER,
                         "clock: it jumped by more than 60 s, set it right");
    if (newest > walk->task->now && newest - walk->task->now > WALK_CLOCK_AHEAD)
        return walk_wait(walk, WAIT_CLOCK, newest - WALK_CLOCK_AHEAD,
                         "clock: the state is dated later than now");
    return true;
}

bool walk_targets_have_it(struct walk *walk)
{
    return !walk->task->targets_behind ||
           walk_wait(walk, WAIT_TARGETS, WALK_NEVER, "targets: not all have acknowledged");
}

bool walk_plan_is_there(struct walk *walk)
{
    if (walk->wanted.count > 0)
        return true;
    if (!walk->task->phases || walk->task->phases->count == 0)
        return walk_wait(walk, WAIT_PLAN, WALK_NEVER, "plan: it has no phases");
    return walk_wait(walk, WAIT_PLAN, WALK_NEVER, "plan: a phase has more than %d metrics",
                     PHASE_METRICS_MAX);
}

bool walk_no_holds(struct walk *walk)
{
    const struct rollout_state *state = walk->state;
    for (size_t i = 0; i < state->hold_count; i++) {
        const struct hold *hold = &state->holds[i];
        int64_t until = hold->until > walk->task->now ? hold->until : WALK_NEVER;
        int length = hold->by.length < 64 ? (int)hold->by.length : 64;
        walk_wait(walk, WAIT_HOLD, until, "hold %s by %.*s", hold_reason_name(hold->reason), length,
                  length ? hold->by.data : "");
    }
    return state->hold_count == 0;
}

/* --- approvals ------------------------------------------------------------------------------- */

static bool counts(const struct walk *walk, size_t index, struct text digest)
{
    const struct rollout_state *state = walk->state;
    const struct approval *approval = &state->approvals[index];
    if (approval->run != state->run || approval->seq != state->seq ||
        !text_equal(approval->plan, digest) || text_equal(approval->by, walk->task->author))
        return false;
    for (size_t i = 0; i < index; i++) { /* one person counts once */
        if (text_equal(state->approvals[i].by, approval->by) && counts(walk, i, digest))
            return false;
    }
    return true;
}

uint32_t walk_count_approvals(struct walk *walk, const struct phases *plan, struct text by)
{
    char digest[PLAN_DIGEST_SIZE];
    uint32_t count = 0;
    if (walk->state->approval_count == 0)
        return 0;
    if (rollout_plan_digest(plan, digest) != STATUS_OK) {
        walk->failed = true;
        return 0;
    }
    for (size_t i = 0; i < walk->state->approval_count && i < ROLLOUT_APPROVALS_MAX; i++) {
        if (by.length && !text_equal(walk->state->approvals[i].by, by))
            continue;
        count += counts(walk, i, text_of(digest));
    }
    return count;
}

bool walk_is_approved(struct walk *walk, const struct phase *phase, const struct phases *plan)
{
    uint32_t count = phase->approvals ? walk_count_approvals(walk, plan, (struct text){0}) : 0;
    return count >= phase->approvals || walk_wait(walk, WAIT_APPROVALS, WALK_NEVER,
                                                  "approvals %u of %u", count, phase->approvals);
}
