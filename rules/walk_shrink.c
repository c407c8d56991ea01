/* Moves that take users back, and those that keep it from growing. None of them waits. */
#include <stdio.h>

#include "walk_private.h"

void walk_hold(struct walk *walk, enum hold_reason reason)
{
    char action[40];
    snprintf(action, sizeof action, "hold:%s", hold_reason_name(reason));
    struct rollout_state *next =
        walk_begin(walk, reason == HOLD_PAUSE ? WALK_PAUSE : WALK_HOLD, action);
    if (!next)
        return;
    walk->out->hold = reason;
    walk_stop(walk, next);
    walk_add_hold(walk, next, reason, 0);
    if (reason == HOLD_PAUSE)
        walk_keep_approvals(walk, next);
}

int64_t walk_growing_hold(uint32_t rollbacks)
{
    int64_t hold = WALK_HOLD_FIRST;
    for (uint32_t i = 1; i < rollbacks && hold < WALK_HOLD_LONGEST; i++)
        hold *= 2;
    return hold < WALK_HOLD_LONGEST ? hold : WALK_HOLD_LONGEST;
}

static void put_on_control(struct walk *walk, struct rollout_state *next,
                           enum rollout_course course)
{
    bool moved = next->course == COURSE_RUNNING || next->course == COURSE_COMPLETED;
    if (moved && next->rollbacks < UINT32_MAX)
        next->rollbacks++;
    walk->out->users = next->course == COURSE_ROLLED_BACK ? WALK_SAME : WALK_SHRINK;
    walk->out->needs_override = true;
    next->course = course;
    next->ramp = (struct ramp_window){0};
    walk_begin_anew(walk, next);
}

static void roll_back(struct walk *walk, const char *action)
{
    struct rollout_state *next = walk_begin(walk, WALK_ROLLBACK, action);
    if (!next)
        return;
    put_on_control(walk, next, COURSE_ROLLED_BACK);
    walk_add_hold(walk, next, HOLD_ROLLBACK, walk->task->now + walk_growing_hold(next->rollbacks));
}

void walk_rollback(struct walk *walk)
{
    roll_back(walk, "rollback");
}

void walk_kill(struct walk *walk)
{
    struct rollout_state *next = walk_begin(walk, WALK_KILL, "kill");
    if (!next)
        return;
    put_on_control(walk, next, COURSE_KILLED);
    walk_add_hold(walk, next, HOLD_KILL, 0);
}

void walk_step_back(struct walk *walk)
{
    size_t phase = walk->state->phase;
    if (phase == 0 || phase >= walk->state->plan.count) {
        roll_back(walk, "step-back");
        return;
    }
    struct rollout_state *next = walk_begin(walk, WALK_STEP_BACK, "step-back");
    if (!next)
        return;
    next->course = COURSE_RUNNING;
    next->phase = phase - 1;
    next->ramp = (struct ramp_window){0};
    walk_begin_anew(walk, next);
    if (next->plan.items[next->phase].over) /* it came to its end, or nobody had left it */
        next->ramp = (struct ramp_window){.done = next->plan.items[next->phase].over,
                                          .from = walk->task->now};
    walk_add_hold(walk, next, HOLD_STEP_BACK, 0);
    walk->out->users = WALK_SHRINK;
    walk->out->needs_override = true;
}
