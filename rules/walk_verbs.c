/* What persons ask for. What takes users back or keeps it from growing is done at once; what lets
 * more in obeys the calendar, the gates and the approvals like everything else. */
#include <stdio.h>

#include "walk_private.h"

#define BY_MAX 320 /* what a file can say */

static void refuse(struct walk *walk, enum walk_cause cause, const char *words)
{
    walk_wait(walk, cause, WALK_NEVER, "%s", words);
}

/* The rollout is refused a verb where it stands. */
static void refuse_here(struct walk *walk, enum walk_verb_kind verb, const char *mend)
{
    enum rollout_status status = rollout_state_status(walk->state);
    walk_wait(walk, WAIT_COURSE, WALK_NEVER, "cannot %s: the rollout is %s%s%s",
              walk_verb_name(verb), rollout_status_name(status), mend ? "; " : "",
              mend ? mend : "");
}

/* --- start, advance -------------------------------------------------------------------------- */

static void start(struct walk *walk)
{
    if (walk->state->course == COURSE_PENDING)
        walk_start(walk);
    else if (walk->state->course != COURSE_RUNNING)
        refuse_here(walk, VERB_START,
                    walk->state->course == COURSE_ROLLED_BACK ? "resume starts it again" : NULL);
}

static void advance(struct walk *walk)
{
    if (walk->state->course != COURSE_RUNNING || !walk_phase(walk->state))
        refuse_here(walk, VERB_ADVANCE,
                    walk->state->course == COURSE_PENDING ? "start begins it" : NULL);
    else if (walk_no_holds(walk))
        walk_advance(walk, true);
}

/* --- pause, halt ----------------------------------------------------------------------------- */

static bool holds_already(const struct walk *walk, enum hold_reason reason)
{
    const struct rollout_state *state = walk->state;
    for (size_t i = 0; i < state->hold_count; i++) {
        if (state->holds[i].reason == reason && text_equal(state->holds[i].by, walk->by))
            return true;
    }
    return false;
}

static void stop(struct walk *walk, enum walk_verb_kind verb, enum hold_reason reason)
{
    if (walk->state->course != COURSE_RUNNING)
        refuse_here(walk, verb, NULL);
    else if (!holds_already(walk, reason))
        walk_hold(walk, reason);
}

/* --- resume ---------------------------------------------------------------------------------- */

static bool may_lift(struct walk *walk, uint32_t bits)
{
    const struct rollout_state *state = walk->state;
    char moment[WALK_MOMENT_SIZE];
    bool may = true;
    for (size_t i = 0; i < state->hold_count; i++) {
        const struct hold *hold = &state->holds[i];
        if (!(bits & HOLD_BIT(hold->reason)) || hold->until <= walk->task->now)
            continue;
        walk_moment(walk, hold->until, moment);
        may = walk_wait(walk, WAIT_HOLD, hold->until, "hold %s: not before %s",
                        hold_reason_name(hold->reason), moment);
    }
    return may;
}

/* The holds that stay, told by name. */
static void refuse_holds(struct walk *walk, uint32_t bits)
{
    for (size_t i = 0; i < HOLD_REASON_COUNT; i++) {
        if (bits & HOLD_BIT(i))
            walk_wait(walk, WAIT_HOLD, WALK_NEVER, "hold %s: is lifted only by its name",
                      hold_reason_name((enum hold_reason)i));
    }
}

static void resume_run(struct walk *walk, uint32_t lifted)
{
    uint32_t left = walk_holds(walk->state) & ~lifted;
    if (left) {
        refuse_holds(walk, left);
        return;
    }
    bool ready = walk_clock_is_right(walk);
    ready = walk_calendar_is_open(walk) && ready;
    if (!walk_plan_is_there(walk) ||
        !(walk_is_approved(walk, &walk->wanted.items[0], &walk->wanted) && ready) || walk->failed)
        return;
    struct rollout_state *next = walk_begin(walk, WALK_RESUME, "resume");
    if (!next)
        return;
    next->run++;
    next->plan = walk->wanted;
    walk_drop_holds(next, lifted);
    walk_enter(walk, next, 0);
    walk->out->users = WALK_GROW;
}

/* A phase that was held begins again, so it is approved again; one that was paused goes on. */
static void resume_phase(struct walk *walk, uint32_t lifted)
{
    const struct rollout_state *state = walk->state;
    const struct phase *phase = walk_phase(state);
    uint32_t pause = HOLD_BIT(HOLD_PAUSE), holds = walk_holds(state), left = holds & ~lifted;
    bool runs = state->course == COURSE_RUNNING;
    bool anew = runs && (holds & ~pause) && !(left & ~pause);
    bool ready = state->course != COURSE_PENDING || walk_plan_is_there(walk);
    if (runs && (anew || !left)) {
        ready = walk_clock_is_right(walk);
        ready = walk_calendar_is_open(walk) && ready;
    }
    if (anew && phase)
        ready = walk_is_approved(walk, phase, &state->plan) && ready;
    if (!ready || walk->failed)
        return;
    struct rollout_state *next = walk_begin(walk, WALK_RESUME, "resume");
    if (!next)
        return;
    walk_drop_holds(next, lifted);
    if (anew)
        walk_begin_anew(walk, next);
    if (!(holds & ~pause))
        walk_keep_approvals(walk, next);
    if (runs && !left && !anew)
        next->counting = walk->task->now;
}

static void resume(struct walk *walk, uint32_t bits)
{
    const struct rollout_state *state = walk->state;
    uint32_t holds = walk_holds(state), lifted = (bits ? bits : WALK_LIFTS) & holds;
    bool again = state->course == COURSE_ROLLED_BACK;
    if (state->course == COURSE_KILLED) {
        refuse_here(walk, VERB_RESUME, "unkill it first");
        return;
    }
    if (state->course == COURSE_PENDING && !holds) {
        refuse_here(walk, VERB_RESUME, "start begins it");
        return;
    }
    if (!holds && !again)
        return;
    if (!lifted && holds) {
        refuse_holds(walk, holds);
        return;
    }
    if (!may_lift(walk, lifted))
        return;
    if (again)
        resume_run(walk, lifted);
    else
        resume_phase(walk, lifted);
}

/* --- approve --------------------------------------------------------------------------------- */

/* The phase that would be entered next, and the plan that is approved with it. */
static const struct phase *phase_at_stake(const struct walk *walk, const struct phases **plan)
{
    const struct rollout_state *state = walk->state;
    *plan = &walk->wanted;
    if (state->course != COURSE_RUNNING)
        return walk->wanted.count ? &walk->wanted.items[0] : NULL;
    size_t index = state->phase + (rollout_state_status(state) == ROLLOUT_HELD ? 0 : 1);
    *plan = &state->plan;
    return index < state->plan.count ? &state->plan.items[index] : NULL;
}

enum status walk_approvals(const struct walk_task *task, const struct rollout_state *state,
                           struct arena *arena, uint32_t *given, uint32_t *needed)
{
    struct walk walk = {.task = task, .state = state, .arena = arena};
    const struct phases *plan;
    *given = *needed = 0;
    enum status status = walk_resolve(&walk);
    if (status != STATUS_OK)
        return status;
    const struct phase *phase = phase_at_stake(&walk, &plan);
    if (phase) {
        *needed = phase->approvals;
        *given = walk_count_approvals(&walk, plan, (struct text){0});
    }
    return walk.failed ? STATUS_NO_MEMORY : STATUS_OK;
}

/* Of another plan it is another approval. */
static void add_approval(struct walk *walk, const struct phases *plan)
{
    char action[PLAN_DIGEST_SIZE + BY_MAX + 16], digest[PLAN_DIGEST_SIZE];
    struct text bound;
    if (rollout_plan_digest(plan, digest) != STATUS_OK ||
        !arena_copy(walk->arena, text_of(digest), &bound)) {
        walk->failed = true;
        return;
    }
    snprintf(action, sizeof action, "approve:%s:%.*s", digest, (int)walk->by.length, walk->by.data);
    struct rollout_state *next = walk_begin(walk, WALK_APPROVE, action);
    if (!next)
        return;
    next->seq = walk->state->seq; /* what is approved is the next move */
    walk_keep_approvals(walk, next);
    if (walk->failed)
        return;
    next->approvals[next->approval_count++] = (struct approval){
        .by = walk->by, .at = walk->task->now, .run = next->run, .seq = next->seq, .plan = bound};
}

static void approve(struct walk *walk)
{
    const struct rollout_state *state = walk->state;
    const struct phases *plan;
    const struct phase *phase = phase_at_stake(walk, &plan);
    if (state->course == COURSE_COMPLETED || !phase)
        refuse_here(walk, VERB_APPROVE, "no phase comes next");
    else if (phase->approvals == 0)
        walk_wait(walk, WAIT_COURSE, WALK_NEVER, "phase %.64s needs no approval", phase->name.data);
    else if (text_equal(walk->by, walk->task->author))
        refuse(walk, WAIT_PERSON, "approvals: the author of the last change may not approve it");
    else if (state->approval_count >= ROLLOUT_APPROVALS_MAX)
        refuse(walk, WAIT_APPROVALS, "approvals: there are as many as are kept");
    else if (walk_count_approvals(walk, plan, walk->by) == 0)
        add_approval(walk, plan);
}

/* --- back ------------------------------------------------------------------------------------ */

static void go_back(struct walk *walk, enum walk_verb_kind verb)
{
    enum rollout_course course = walk->state->course;
    bool undone = course == COURSE_ROLLED_BACK || course == COURSE_KILLED;
    if (course == COURSE_KILLED || (undone && verb != VERB_KILL))
        return;
    if (course == COURSE_PENDING && verb == VERB_STEP_BACK)
        refuse_here(walk, verb, NULL);
    else if (course == COURSE_PENDING && !walk_plan_is_there(walk))
        return;
    else if (verb == VERB_STEP_BACK)
        walk_step_back(walk);
    else if (verb == VERB_ROLLBACK)
        walk_rollback(walk);
    else
        walk_kill(walk);
}

static void unkill(struct walk *walk)
{
    const struct rollout_state *state = walk->state;
    const struct hold *kill = rollout_state_hold(state, HOLD_KILL),
                      *back = rollout_state_hold(state, HOLD_ROLLBACK);
    int64_t since = kill ? kill->since : state->since;
    if (state->course != COURSE_KILLED) {
        refuse_here(walk, VERB_UNKILL, NULL);
        return;
    }
    bool ready = walk_clock_is_right(walk);
    ready = walk_calendar_is_open(walk) && ready;
    if (!walk_plan_is_there(walk) ||
        !(walk_is_approved(walk, &walk->wanted.items[0], &walk->wanted) && ready) || walk->failed)
        return;
    struct rollout_state *next = walk_begin(walk, WALK_UNKILL, "unkill");
    if (!next)
        return;
    next->course = COURSE_ROLLED_BACK;
    next->since = walk->task->now;
    walk_drop_holds(next, HOLD_BIT(HOLD_KILL));
    walk_keep_approvals(walk, next); /* nobody moves before resume */
    if (!back)
        walk_add_hold(walk, next, HOLD_ROLLBACK, since + walk_growing_hold(next->rollbacks));
}

/* --- all of them ----------------------------------------------------------------------------- */

static void act(struct walk *walk, const struct walk_verb *verb)
{
    switch (verb->kind) {
    case VERB_START:
        start(walk);
        break;
    case VERB_PAUSE:
        stop(walk, VERB_PAUSE, HOLD_PAUSE);
        break;
    case VERB_HALT:
        stop(walk, VERB_HALT, HOLD_HALT);
        break;
    case VERB_RESUME:
        resume(walk, verb->lifts);
        break;
    case VERB_ADVANCE:
        advance(walk);
        break;
    case VERB_APPROVE:
        approve(walk);
        break;
    case VERB_UNKILL:
        unkill(walk);
        break;
    case VERB_UNPIN:
        refuse_here(walk, VERB_UNPIN, "flags are pinned, rollouts are not");
        break;
    case VERB_STEP_BACK:
    case VERB_ROLLBACK:
    case VERB_KILL:
    case VERB_COUNT:
        go_back(walk, verb->kind);
        break;
    }
}

/* Recorded already, or decided in a run that is over. */
static bool is_over(const struct rollout_state *state, const struct walk_verb *verb)
{
    return verb->intent.length &&
           (rollout_state_has_intent(state, verb->intent) || (verb->run && verb->run < state->run));
}

static struct text cut(struct text text, size_t most)
{
    size_t length = text.length < most ? text.length : most;
    while (length < text.length && length > 0 && ((unsigned char)text.data[length] & 0xc0) == 0x80)
        length--; /* not in the middle of a character */
    return (struct text){text.data, length};
}

enum status walk_verb(const struct walk_task *task, const struct rollout_state *state,
                      const struct walk_verb *verb, struct arena *arena, struct walk_decision *out)
{
    struct walk walk = {.task = task,
                        .state = state,
                        .arena = arena,
                        .out = out,
                        .by = cut(verb->by, BY_MAX),
                        .note = cut(verb->note, WALK_NOTE_MAX),
                        .intent = verb->intent};
    *out = (struct walk_decision){.next = WALK_NEVER};
    enum status status = walk_resolve(&walk);
    if (status != STATUS_OK)
        return status;
    if (!is_over(state, verb))
        act(&walk, verb);
    if (out->state)
        out->reason_count = 0;
    else
        out->kind = out->reason_count ? WALK_REFUSE : WALK_NONE;
    out->next = task->now + 1;
    return walk.failed ? STATUS_NO_MEMORY : STATUS_OK;
}
