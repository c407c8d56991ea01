/* walk_private.h - what the files of the machine share. Private to walk*.c.
 *
 * A struct walk is one question on its way to one decision. Without memory `failed` is set, and
 * what is returned then means nothing. */
#ifndef WEIR_WALK_PRIVATE_H
#define WEIR_WALK_PRIVATE_H

#include "walk.h"

#define WALK_BY_WEIR TEXT("weir")
#define HOLD_BIT(reason) (1U << (reason))

struct walk {
    const struct walk_task *task;
    const struct rollout_state *state;
    struct arena *arena;
    struct walk_decision *out;
    struct text by, note;
    struct text intent;   /* of an override that is recorded; empty: a new one */
    struct phases wanted; /* what its plan resolves to now; none: it does not */
    bool failed;
};

/* --- walk_words.c ---------------------------------------------------------------------------- */

struct text walk_format(struct walk *walk, const char *format, ...) PRINTF_LIKE(2, 3);
/* Notes a reason; always false, so that conditions read as sums. */
bool walk_wait(struct walk *walk, enum walk_cause cause, int64_t until, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* "3d", "3d 4h", "90m": the two largest units that say something. */
#define WALK_PERIOD_SIZE 32
void walk_period(int64_t seconds, char out[WALK_PERIOD_SIZE]);
/* "Mon 09:00", or with the date where it is a week away or more. */
#define WALK_MOMENT_SIZE 32
void walk_moment(const struct walk *walk, int64_t instant, char out[WALK_MOMENT_SIZE]);

/* --- walk_state.c: states as they are, and made ---------------------------------------------- */

/* Of RUNNING and COMPLETED: somebody may be on the variant. */
bool walk_is_exposed(const struct rollout_state *state);
uint32_t walk_holds(const struct rollout_state *state); /* as bits */
/* Whether its ramp has not come to its end at `now`; and the open seconds behind. */
bool walk_is_ramping(const struct rollout_state *state, int64_t now);
int64_t walk_ramp_behind(const struct rollout_state *state, int64_t now);

/* A copy of the state with seq + 1, without approvals, with the intent of `action`: the decision.
 * NULL without memory. */
struct rollout_state *walk_begin(struct walk *walk, enum walk_kind kind, const char *action);
/* Takes over the approvals as given to this move: nothing moved that they were about. */
void walk_keep_approvals(struct walk *walk, struct rollout_state *next);
void walk_add_hold(struct walk *walk, struct rollout_state *next, enum hold_reason reason,
                   int64_t until);
void walk_drop_holds(struct rollout_state *next, uint32_t bits);
/* Into a phase of its plan, from its begin, now. */
void walk_enter(struct walk *walk, struct rollout_state *next, size_t phase);
/* The same phase from its begin: bake and evidence from 0, the share as it is. */
void walk_begin_anew(struct walk *walk, struct rollout_state *next);
/* Timers stop, the share stands. */
void walk_stop(struct walk *walk, struct rollout_state *next);
/* Opens a window of the ramp of the phase that it is in: up to the checkpoint, the end of the
 * ramp, or the end of the open hours. */
void walk_open_window(struct walk *walk, struct rollout_state *next);

/* --- walk_gates.c: what growing waits for ---------------------------------------------------- */

/* Each adds its reasons, and is true when there is none. */
bool walk_gates_pass(struct walk *walk);
bool walk_bake_is_over(struct walk *walk);
bool walk_calendar_is_open(struct walk *walk);
bool walk_clock_is_right(struct walk *walk);
bool walk_targets_have_it(struct walk *walk);
bool walk_is_approved(struct walk *walk, const struct phase *phase, const struct phases *plan);
/* Who approved the plan for this move: of `by` alone, or (empty) how many. */
uint32_t walk_count_approvals(struct walk *walk, const struct phases *plan, struct text by);
bool walk_no_holds(struct walk *walk);
bool walk_plan_is_there(struct walk *walk);
/* The bake behind: seconds that count. */
int64_t walk_bake_behind(const struct walk *walk);
/* The first metric of a role that failed in this phase, or NULL. */
const struct walk_gate *walk_breach(const struct walk *walk, enum metric_role role);

/* --- walk_grow.c, walk_shrink.c, walk_replan.c: moves ---------------------------------------- */

void walk_start(struct walk *walk);
void walk_advance(struct walk *walk, bool by_person);
void walk_grow(struct walk *walk); /* of a running rollout that nothing holds */

void walk_hold(struct walk *walk, enum hold_reason reason);
void walk_rollback(struct walk *walk);
void walk_step_back(struct walk *walk);
void walk_kill(struct walk *walk);
/* Rollback's growing hold: how long after so many in a row. */
int64_t walk_growing_hold(uint32_t rollbacks);

/* True when phases not yet entered are to be others: the decision is made. */
bool walk_replan(struct walk *walk);

/* walk.c: fills `wanted`; none where some phase has too many metrics. */
enum status walk_resolve(struct walk *walk) MUST_CHECK;

#endif
