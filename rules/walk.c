/* What time and measurements ask for, in the order in which it counts: first what takes users back,
 * then what keeps it from growing, then growing. */
#include "walk_private.h"

static void say_why(struct walk *walk, const struct walk_gate *gate)
{
    struct text evidence = gate->evidence;
    int length = evidence.length < 200 ? (int)evidence.length : 200,
        name = gate->metric.length < 64 ? (int)gate->metric.length : 64;
    const char *words = gate->silent ? "silent while control speaks" : "failure";
    walk->out->evidence =
        walk_format(walk, "%.*s: %.*s", name, gate->metric.data,
                    length ? length : (int)strlen(words), length ? evidence.data : words);
    walk->note = walk->out->evidence;
}

/* --- what is broken -------------------------------------------------------------------------- */

static bool blast_is_spent(const struct walk_task *task)
{
    uint32_t cap = task->blast_cap ? task->blast_cap : WALK_BLAST_CAP;
    return task->automatic_rollbacks >= cap;
}

static bool hold_unless_held(struct walk *walk, enum hold_reason reason)
{
    if (walk->state->course != COURSE_RUNNING || rollout_state_hold(walk->state, reason))
        return false;
    walk_hold(walk, reason);
    return true;
}

static bool act_on_guardrail(struct walk *walk, const struct walk_gate *gate)
{
    enum on_breach action = walk->task->rollout->on_breach;
    say_why(walk, gate);
    if (action == BREACH_PAUSE)
        return hold_unless_held(walk, HOLD_SIGNAL);
    if (rollout_state_hold(walk->state, HOLD_BLAST))
        return false; /* it is a person's to decide */
    if (blast_is_spent(walk->task)) {
        walk_hold(walk, HOLD_BLAST);
        return true;
    }
    if (action == BREACH_ROLLBACK)
        walk_rollback(walk);
    else if (action == BREACH_STEP_BACK)
        walk_step_back(walk);
    else
        walk_kill(walk);
    return true;
}

/* True when a move was made. */
static bool act_on_metrics(struct walk *walk)
{
    const struct walk_gate *gate = walk_breach(walk, METRIC_BREAKER);
    if (gate) {
        say_why(walk, gate);
        walk_kill(walk);
        return true;
    }
    gate = walk_breach(walk, METRIC_GUARDRAIL);
    if (gate && act_on_guardrail(walk, gate))
        return true;
    gate = walk_breach(walk, METRIC_SIGNAL);
    if (!gate)
        return false;
    say_why(walk, gate);
    return hold_unless_held(walk, HOLD_SIGNAL);
}

/* Whatever holds there are: the file that we write is what makes it readable, and ours, again. */
static bool act_on_file(struct walk *walk)
{
    const struct walk_task *task = walk->task;
    bool is_touched = task->unreadable || task->foreign_edit;
    walk->note = (struct text){0};
    if (is_touched && walk->state->course == COURSE_PENDING && !walk_plan_is_there(walk))
        return true; /* what we would write could not be read either */
    if (task->unreadable)
        walk_hold(walk, HOLD_UNREADABLE);
    else if (task->foreign_edit)
        walk_hold(walk, HOLD_FOREIGN_EDIT);
    return is_touched;
}

static bool act_on_ratio(struct walk *walk)
{
    if (!walk->task->ratio_mismatch)
        return false;
    walk->note = walk->out->evidence = walk->task->ratio_evidence;
    return hold_unless_held(walk, HOLD_RATIO);
}

/* --- what goes well -------------------------------------------------------------------------- */

static void start_by_date(struct walk *walk)
{
    const struct walk_task *task = walk->task;
    const struct rollout *rollout = task->rollout;
    char moment[WALK_MOMENT_SIZE];
    if (rollout->has_start && rollout->start <= task->now) {
        walk_start(walk);
        return;
    }
    walk_no_holds(walk);
    walk_moment(walk, rollout->start, moment);
    if (rollout->has_start)
        walk_wait(walk, WAIT_START, rollout->start, "start: %s", moment);
    else
        walk_wait(walk, WAIT_START, WALK_NEVER, "start: no date, a person starts it");
}

static void go_on(struct walk *walk)
{
    const struct rollout_state *state = walk->state;
    walk->out->evidence = walk->note = (struct text){0};
    if (state->course == COURSE_PENDING)
        start_by_date(walk);
    else if (state->course == COURSE_RUNNING && walk_replan(walk))
        return;
    else if (state->course == COURSE_RUNNING && walk_no_holds(walk))
        walk_grow(walk);
    else if (state->course == COURSE_ROLLED_BACK || state->course == COURSE_KILLED)
        walk_no_holds(walk);
}

/* The first instant at which one of the reasons may have ended, or a deadline is over. */
static void look_again(const struct walk_task *task, struct walk_decision *out)
{
    if (out->state)
        out->next = task->now + 1;
    for (size_t i = 0; i < out->reason_count && !out->state; i++) {
        if (out->reasons[i].until < out->next)
            out->next = out->reasons[i].until;
    }
    if (out->next <= task->now)
        out->next = task->now + 1;
}

enum status walk_resolve(struct walk *walk)
{
    const struct walk_task *task = walk->task;
    if (!task->phases)
        return STATUS_OK;
    enum status status = walk_plan(task->rollout, task->phases, walk->arena, &walk->wanted);
    if (status == STATUS_LIMIT)
        walk->wanted = (struct phases){0};
    return status == STATUS_LIMIT ? STATUS_OK : status;
}

enum status walk_tick(const struct walk_task *task, const struct rollout_state *state,
                      struct arena *arena, struct walk_decision *out)
{
    struct walk walk = {
        .task = task, .state = state, .arena = arena, .out = out, .by = WALK_BY_WEIR};
    *out = (struct walk_decision){.next = WALK_NEVER};
    enum status status = walk_resolve(&walk);
    if (status != STATUS_OK)
        return status;
    if (!act_on_metrics(&walk) && !act_on_file(&walk) && !act_on_ratio(&walk))
        go_on(&walk);
    if (out->state)
        out->reason_count = 0;
    else
        out->kind = out->reason_count ? WALK_WAIT : WALK_NONE;
    look_again(task, out);
    return walk.failed ? STATUS_NO_MEMORY : STATUS_OK;
}
