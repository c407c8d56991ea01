/* steering_watch.h - private to steering*.c: flags that are watched (ROLLOUTS.md section 5, a
 * person's commit), and flags that are killed or pinned without a rollout.
 *
 * A flag with spec.watch is under bake for that long after a commit changed what it serves in an
 * environment. Until then its metrics are measured as those of a rollout are, under a name that no
 * rollout has, ENVIRONMENT/flags/FLAG. When one fails, the flag goes back to what it was at the
 * newest commit that finished its bake: as an override at once, and then on the branch
 * (flag_move.h). Moves of weir itself put nothing under bake: a rollout's have metrics of their
 * own, and what was taken back is what was good before; but a flag that is let go is.
 *
 * What changed when is known of each commit that was served; for what came before, at a start and
 * of flags that are watched from now on, history tells, by its committers' times. */
#ifndef WEIR_STEERING_WATCH_H
#define WEIR_STEERING_WATCH_H

#include "steering_private.h"

struct effective;
struct effective_parts;
struct revert_served; /* revert.h */

#define WATCHES_MAX 10000    /* flags times environments; more are not watched, which is logged */
#define WATCH_SERVED_MAX 256 /* tips of which it is known since when they are served */
#define WATCH_STEPS_MAX 500  /* commits of history that are looked at */

/* One flag in one environment. */
struct watch {
    char name[(size_t)2 * STATE_NAME_MOST + sizeof "/flags/"];
    char environment[STATE_NAME_MOST + 1], flag[STATE_NAME_MOST + 1];
    int64_t bake; /* seconds */

    /* what it is at the commit in force */
    bool is_known, is_there;
    bool is_sought; /* what it was before is to be found in history */
    uint8_t hash[SHA256_SIZE];
    uint32_t pin_seq; /* 0: there is no pin */
    bool is_held;     /* by its pin */

    int64_t since;   /* instant of the change that is under bake; 0: none is */
    int64_t exposed; /* instant since when targets have it; INT64_MAX: not yet */
    bool is_capped;  /* it broke, and too much was taken back in an hour: a person decides */
    char nothing[COMMIT_TEXT_SIZE];   /* the tip on which there was nothing to take back */
    const struct metrics_view *known; /* of this turn, in its arena; NULL: not looked at */
};

struct watches {
    struct watch *items; /* sorted by name */
    size_t count;
    bool has_unknown; /* some of them have to be looked for in history */
    bool has_begun;   /* a commit was taken: what follows is known by the time it is served */
    struct revert_served *served; /* room for WATCH_SERVED_MAX; oldest first */
    size_t served_count;
    struct roster *measured; /* the roster with those under bake beside it; NULL: none is */
    uint64_t key;            /* of what was handed to be measured */
};

/* --- steering_watch.c ------------------------------------------------------------------------ */

/* The roster is that of the commit in force, `before` the one that was (empty: none). */
enum status steering_watch_take(struct steering *steering, const char *before, struct error *error);
void steering_watch_free(struct watches *watches); /* NULL is fine */
/* Hands over what is to be measured: the rollouts, and the flags under bake. */
void steering_watch_give(struct steering *steering);
/* Opens overrides for flags whose metrics broke, and proposes what cannot be overridden. */
enum status steering_watch_turn(struct turn *turn);
bool steering_watch_is_baking(const struct watch *watch, int64_t now);

/* --- watch_history.c ------------------------------------------------------------------------- */

/* Notes what a watched flag is at a commit that followed the one noted before. `is_state`: all that
 * the commit changed is weir's own. */
void watch_note(struct watch *watch, const struct effective *at, bool is_state, int64_t since);
/* Of a flag at a commit: whether it is another than the one noted. */
bool watch_differs(const struct watch *watch, const struct effective *at);
/* Whether all that differs between two commits lies below state/. */
enum status watch_is_state(struct mirror *mirror, const char *before, const char *after, bool *yes,
                           struct error *error);
/* Finds out about those that are not known, by a way of its own to `tip`. */
enum status watch_look_back(struct watches *watches, const struct effective_parts *parts,
                            const char *tip, int64_t now, struct error *error);

/* --- steering_flags.c: overrides of flags without a rollout ------------------------------------
 */

/* See steering_is_over(). */
const char *steering_flag_is_over(const struct steering *steering, const struct override *override);
/* Serves a flag's override, before it is recorded. STATUS_REFUSED: it was closed before. */
enum status steering_flag_override(struct turn *turn, const struct override *from);
/* Adds what takes a flag back to the proposal: intent, by, evidence, and since when it broke. */
enum status steering_flag_take_back(struct turn *turn, const struct override *override);
/* The record of each override of a flag that is open. */
enum status steering_flag_record(struct turn *turn);
/* A person's verb where no rollout has the name. */
void steering_flag_answer(struct turn *turn, struct steering_request *request);
/* Whether the pin of its flag holds the intent of a request. */
bool steering_flag_has(const struct steering *steering, const struct steering_request *request);
/* Whether an override is served for a flag itself. */
bool steering_flag_is_overridden(const struct steering *steering, struct text environment,
                                 struct text flag);
const struct flag_pin *steering_flag_pin(const struct steering *steering, struct text environment,
                                         struct text flag);

/* --- steering_flags_view.c ------------------------------------------------------------------- */

/* One entry for each flag that is under bake, killed or pinned; see rollout_status.h. */
enum status steering_flags_show(struct steering *steering, const struct turn *turn,
                                struct steering_entry **out, size_t *count);
size_t steering_flags_pinned(const struct steering *steering);

#endif
