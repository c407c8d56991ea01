/* Moves that let more users in: the start, the next phase, the next window of a ramp. */
#include "walk_private.h"

void walk_start(struct walk *walk)
{
    bool ready = walk_no_holds(walk);
    ready = walk_clock_is_right(walk) && ready;
    ready = walk_calendar_is_open(walk) && ready;
    if (!walk_plan_is_there(walk))
        return;
    ready = walk_is_approved(walk, &walk->wanted.items[0], &walk->wanted) && ready;
    if (!ready || walk->failed)
        return;
    struct rollout_state *next = walk_begin(walk, WALK_START, "start");
    if (!next)
        return;
    next->plan = walk->wanted;
    walk_enter(walk, next, 0);
    walk->out->users = WALK_GROW;
}

static void complete(struct walk *walk)
{
    struct rollout_state *next = walk_begin(walk, WALK_COMPLETE, "complete");
    if (!next)
        return;
    next->course = COURSE_COMPLETED;
    next->rollbacks = 0;
    next->ramp = (struct ramp_window){0};
    walk_begin_anew(walk, next);
}

static void enter_next(struct walk *walk)
{
    struct rollout_state *next = walk_begin(walk, WALK_ADVANCE, "advance");
    if (!next)
        return;
    next->rollbacks = 0;
    walk_enter(walk, next, next->phase + 1);
    walk->out->users = WALK_GROW;
}

static bool ramp_is_over(struct walk *walk)
{
    const struct rollout_state *state = walk->state;
    const struct phase *phase = walk_phase(state);
    char behind[WALK_PERIOD_SIZE], whole[WALK_PERIOD_SIZE];
    int64_t now = walk->task->now, end = state->ramp.from + state->ramp.length;
    if (!walk_is_ramping(state, now))
        return true;
    walk_period(walk_ramp_behind(state, now), behind);
    walk_period(phase->over, whole);
    return walk_wait(walk, WAIT_RAMP, end > now ? end : WALK_NEVER, "ramp %s of %s", behind, whole);
}

void walk_advance(struct walk *walk, bool by_person)
{
    const struct rollout_state *state = walk->state;
    size_t next = state->phase + 1;
    bool is_last = next >= state->plan.count, ready = ramp_is_over(walk);
    ready = ready && (by_person || walk_bake_is_over(walk));
    ready = walk_gates_pass(walk) && ready;
    ready = walk_clock_is_right(walk) && ready;
    if (!is_last) {
        ready = walk_is_approved(walk, &state->plan.items[next], &state->plan) && ready;
        ready = walk_targets_have_it(walk) && ready;
        ready = walk_calendar_is_open(walk) && ready;
    }
    if (!ready || walk->failed)
        return;
    if (is_last)
        complete(walk);
    else
        enter_next(walk);
}

/* --- a ramp ---------------------------------------------------------------------------------- */

static void close_window(struct walk *walk)
{
    struct rollout_state *next = walk_begin(walk, WALK_CLOSE_WINDOW, "close-window");
    if (!next)
        return;
    next->ramp = (struct ramp_window){.done = walk_ramp_behind(walk->state, walk->task->now),
                                      .from = walk->task->now};
    walk_keep_approvals(walk, next);
}

static void open_window(struct walk *walk)
{
    bool ready = walk_gates_pass(walk);
    ready = walk_clock_is_right(walk) && ready;
    ready = walk_targets_have_it(walk) && ready;
    ready = walk_calendar_is_open(walk) && ready;
    if (!ready || walk->failed) {
        ramp_is_over(walk);
        return;
    }
    struct rollout_state *next = walk_begin(walk, WALK_OPEN_WINDOW, "open-window");
    if (!next)
        return;
    walk_open_window(walk, next);
    walk_keep_approvals(walk, next);
    walk->out->users = WALK_GROW;
}

static void ramp_on(struct walk *walk)
{
    const struct walk_task *task = walk->task;
    const struct ramp_window *ramp = &walk->state->ramp;
    if (ramp->from + ramp->length <= task->now)
        open_window(walk);
    else if (task->calendar && !calendar_is_open(task->calendar, task->now) &&
             task->now >= ramp->from)
        close_window(walk); /* it was changed meanwhile: windows lie in open hours */
    else
        ramp_is_over(walk);
}

/* --- one that runs --------------------------------------------------------------------------- */

static int64_t deadline_of(const struct walk *walk, const struct phase *phase)
{
    const struct rollout_state *state = walk->state;
    int64_t from = state->counting > state->since ? state->counting : state->since;
    return phase->deadline ? from + phase->deadline - state->spent : WALK_NEVER;
}

void walk_grow(struct walk *walk)
{
    const struct phase *phase = walk_phase(walk->state);
    int64_t now = walk->task->now;
    if (!phase) {
        walk_wait(walk, WAIT_PLAN, WALK_NEVER, "plan: the state is in no phase of it");
        return;
    }
    int64_t deadline = deadline_of(walk, phase);
    bool is_ramping = walk_is_ramping(walk->state, now);
    if (!is_ramping)
        walk_advance(walk, false);
    else if (deadline > now)
        ramp_on(walk);
    if (walk->out->state)
        return;
    if (deadline <= now) {
        walk->out->evidence =
            walk_format(walk, "phase %.64s: not done by its deadline", phase->name.data);
        walk_hold(walk, HOLD_DEADLINE);
    } else {
        walk->out->next = deadline;
    }
}
