/* steering.h - walks all rollouts: asks the machine what is to happen, serves what is safe at once,
 * and has the rest recorded on the branch.
 *
 * One steering is core's own, on core's thread, but for what says otherwise. A turn looks at every
 * rollout of the roster with what is measured, approved and asked for now. A decision that makes
 * users safer becomes an override, which is served before anything else is done; every decision
 * becomes a move of the next proposal (recorder.h). Nothing is kept but what Git, the store and the
 * targets have: a turn after a restart comes to the same.
 *
 * What stands on the branch ends what waits for it: see steering_take(). */
#ifndef WEIR_STEERING_H
#define WEIR_STEERING_H

#include "../metrics/metrics.h"
#include "desk.h"
#include "open_overrides.h"
#include "recorder.h"
#include "rollout_status.h"

struct effective;
struct fleet;
struct steering;

/* Who measures: metrics.h, or a test. See there. */
struct steering_measures {
    enum status (*view)(void *self, const struct roster_rollout *item, int64_t now,
                        struct arena *arena, struct metrics_view *out);
    void (*watch)(void *self, struct roster *roster, const int64_t *exposed);
    void *self;
};

/* Tells people of a decision, as news.h has it; waits for no network. */
typedef void steering_tell(void *context, const struct roster_rollout *item,
                           const struct walk_decision *decision, struct text commit, struct text by,
                           struct text reason, struct text evidence);

struct steering_parts {
    const struct clock *clock;
    struct telemetry *telemetry;
    const struct inventory *inventory; /* what is in force; core's */
    struct effective *effective;       /* the same, and what is served of it */
    const struct schema_set *schemas;
    struct mirror *mirror; /* core's handle */
    struct fleet *fleet;
    struct store *store; /* a handle of core's thread; NULL: overrides end with the process */
    struct desk *desk;   /* NULL: nobody can ask */
    struct steering_measures measures; /* all NULL: nothing is measured */
    /* Serves the commit in force anew: overrides have changed. On core's thread. False: it could
     * not, and is asked again soon. */
    bool (*republish)(void *self);
    void *self;
    /* Takes over a proposal for the git thread, in the place of any before; NULL: none any more.
     * Where the function is NULL nothing is recorded. */
    void (*propose)(void *context, struct proposal *proposal);
    /* An override's ref on the remote is not needed any more; or NULL. */
    void (*forget)(void *context, struct text intent);
    void (*wake)(void *context); /* makes core call steering_turn() soon; any thread */
    /* For people: a safe state is served (`commit` is empty), or a rollout waits; or NULL. */
    steering_tell *tell;
    void *context;
    unsigned blast_cap; /* automatic rollbacks in an hour; 0: WALK_BLAST_CAP */
};

/* Loads the overrides that are open. */
enum status steering_new(const struct steering_parts *parts, struct steering **out,
                         struct error *error);
void steering_free(struct steering *steering); /* NULL is fine */

/* A commit was put in force; before it is published. Overrides and requests that it answers end
 * here. */
enum status steering_take(struct steering *steering, const char *commit, struct error *error);
/* The branch has a tip that is not followed (rewritten, not signed): what was in force still is.
 * Until a tip is taken decisions wait for it, and overrides go beside the branch. */
void steering_hold(struct steering *steering, const char *tip);
/* It is published: phases that began with it may be measured once targets have it. */
void steering_published(struct steering *steering);

/* What is served of a document: see open_overrides_apply(). */
enum status steering_dress(struct steering *steering, struct text environment,
                           struct document *document, struct document **out,
                           struct override_set **told, struct error *error);
/* Of what is served: rises with each override that is opened or closed on the commit in force. */
uint32_t steering_overlay(const struct steering *steering);
void steering_raise(struct steering *steering, uint32_t overlay); /* it is published by that */
size_t steering_open(const struct steering *steering);            /* overrides */

/* Looks at all rollouts. Returns in how many nanoseconds to look again, at most a minute. */
int64_t steering_turn(struct steering *steering);

/* --- from other threads ---------------------------------------------------------------------- */

/* What became of the proposal that was taken last. */
void steering_note_outcome(struct steering *steering, enum recorder_outcome outcome,
                           const char *commit, const char *words);
/* Overrides that a target of that name holds, or (NULL) the remote: they count here too. What is
 * believed of them is that something is to be made safe: what is served for it is compiled here,
 * and nobody's name stands for it. Those of the remote are handed to steering_parts.forget() once
 * Git says what they say. */
void steering_adopt(struct steering *steering, struct override *const *found, size_t count,
                    const char *target);
/* Some target holds a newer generation of what this controller serves. */
void steering_outrun(struct steering *steering, struct generation held);

/* Appends the body of GET /rollouts (rollout_status.h). False, and nothing: before the first turn
 * nobody knows how they stand. */
bool steering_write_rollouts(struct steering *steering, const struct rollout_filter *filter,
                             struct buffer *out);
/* The members "overrides" and "recording" of GET /status, each with a comma before it. */
void steering_write_status(struct steering *steering, struct buffer *out);

#endif
