/* steering_private.h - private to steering*.c. */
#ifndef WEIR_STEERING_PRIVATE_H
#define WEIR_STEERING_PRIVATE_H

#include <pthread.h>

#include "steering.h"

#define STEERING_REQUESTS_MAX DESK_MAX

/* A person's request until it is done. */
struct steering_request {
    struct desk_request request;
    char intent[INTENT_TEXT_SIZE]; /* of the decision that answers it; empty: none yet */
    int64_t deadline;              /* monotonic */
};

/* Since when a state is known to be what all targets hold. */
struct steering_exposure {
    char *name; /* of the rollout */
    uint32_t run, seq;
    int64_t since;   /* wall seconds; INT64_MAX: it is not known yet */
    bool has_told;   /* people know that it waits for them */
    uint64_t barred; /* approvals.h */
};

/* An override that stands elsewhere. */
struct steering_adopted {
    struct override *override; /* a reference */
    char *target;              /* that holds it, owned; NULL: a ref of the remote */
};

/* What other threads have said since the last turn. */
struct steering_mail {
    pthread_mutex_t lock;
    bool has_outcome;
    enum recorder_outcome outcome;
    char commit[COMMIT_TEXT_SIZE];
    char words[256];
    struct steering_adopted *adopted;
    size_t adopted_count, adopted_size;
    struct generation held; /* the newest that a target holds */
    bool has_held;
};

/* One of GET /rollouts. */
struct steering_entry {
    char *environment;
    struct buffer json;
};

struct watches; /* steering_watch.h */

struct steering {
    struct steering_parts parts;
    struct open_overrides overrides;
    struct roster *roster;   /* NULL: nothing is in force */
    struct watches *watches; /* NULL: none was taken yet */
    char commit[COMMIT_TEXT_SIZE];
    uint32_t overlay; /* of what is published */
    struct steering_request *requests;
    size_t request_count, request_size;
    struct steering_exposure *exposures; /* sorted by name, as roster->items */
    size_t exposure_count;
    uint64_t stood;                   /* overrides.changes, of which they are */
    int64_t began;                    /* wall seconds */
    struct steering_adopted *waiting; /* see steering_adopt_waiting() */
    size_t waiting_count, waiting_size;
    unsigned looks; /* through history, for what others say; on this commit */

    /* the proposal that the git thread has */
    uint64_t proposed;           /* its key */
    int64_t retry_at;            /* monotonic: no proposal before */
    unsigned failures;           /* in a row */
    char held[COMMIT_TEXT_SIZE]; /* the branch's tip, which is not followed; empty: it is */
    enum recorder_outcome last_outcome;
    char last_words[256];

    int64_t drift_wall, drift_monotonic; /* when clocks were last compared and found together */
    bool clock_drift, is_proposed, has_outcome;
    bool has_published; /* this commit; else users have another, and nothing but what is safer */
    bool is_owed;       /* overrides are not served yet: it failed */

    struct steering_mail mail;
    pthread_mutex_t view_lock; /* of what stands below: written by turns, read by anybody */
    struct steering_entry *view;
    size_t view_count;
    struct steering_entry *view_flags;
    size_t view_flag_count;
    char view_commit[COMMIT_TEXT_SIZE];
    struct buffer status;
};

/* --- steering.c ------------------------------------------------------------------------------ */

void steering_check_mail(struct steering *steering); /* takes what other threads have said */
/* Serves the overrides that are open now, above what was served. */
void steering_republish(struct steering *steering);
void steering_pay(struct steering *steering); /* tries once more what failed, where it did */
/* The generation by which what is opened now is served. */
void steering_name_generation(const struct steering *steering, char out[GENERATION_TEXT_SIZE]);

/* --- steering_adopt.c -------------------------------------------------------------------------
 */

/* Opens those that are right, and says of the others that they are over, or keeps them. Takes the
 * items over. True: what is served is another. */
bool steering_take_adopted(struct steering *steering, struct steering_adopted *items, size_t count);
/* Those that a commit before could not do anything with; before the new one is published. */
void steering_adopt_waiting(struct steering *steering);
void steering_free_adopted(struct steering_adopted *items, size_t count);

/* --- steering_compile.c ------------------------------------------------------------------------
 */

/* Appends what is served for an override that somebody told of: the bytes that a decision made here
 * would come to, or less of the variant, never the ones that it came with. *applies is false where
 * the commit in force is as safe already. Else nobody knows how it is made safe here:
 * STATUS_INVALID or STATUS_NOT_FOUND (no such flag or rollout, now or before), STATUS_REFUSED (too
 * old), STATUS_LIMIT (on this commit too much was looked for), STATUS_SYSTEM, STATUS_NO_MEMORY. */
enum status steering_compile(struct steering *steering, const struct override *told,
                             struct buffer *fragment, bool *applies, struct error *error);
/* What a revert of a watched flag takes it back to, by the commit in force. `revert` is
 * initialized. */
struct revert;
enum status steering_find_revert(const struct steering *steering, const struct override *told,
                                 struct revert *revert, struct error *error);
/* What a flag without a rollout is once it is killed. */
enum status steering_flag_preview_kill(const struct steering *steering, struct text environment,
                                       struct text flag, struct buffer *out, struct error *error);

/* --- steering_compose.c ------------------------------------------------------------------------
 */

/* What is served of its flag where a rollout of the roster stands in another state. */
enum status steering_preview(const struct steering *steering, const struct roster_rollout *item,
                             const struct rollout_state *state, struct buffer *out,
                             struct error *error);
/* Where more than one override is open of the flag of this one, each of them serves what the branch
 * will come to once it has them all: so one says as much as all. The same of one over a flag that
 * was killed since. What cannot be compiled so is logged, and stays as it was. */
void steering_compose(struct steering *steering, const struct override *of);
/* Of all flags: on a new tip, and of those that the store had. */
void steering_compose_all(struct steering *steering);

/* --- steering_ends.c ---------------------------------------------------------------------------
 */

/* Moves between the first step back of those that an override comes after and its own: whatever
 * else happens there. */
#define STEERING_AFTER_LOOK 256
/* No decision on the state that it names comes to its intent: somebody put it there. */
bool steering_is_made_up(const struct override *override);
/* Why an override is over at the tip that was taken; NULL: it is not. What is in force there was
 * computed from the state that holds its intent: that is equal or safer. */
const char *steering_is_over(const struct steering *steering, const struct override *override);

/* --- steering_requests.c: people's requests --------------------------------------------------- */

void steering_collect(struct steering *steering); /* from the desk */
/* It stands so now: told at the desk. Done ones leave the list when it is swept. */
void steering_answer(struct steering *steering, struct steering_request *request,
                     enum desk_state state, const char *words);
bool steering_request_is_done(const struct steering_request *request);
void steering_sweep(struct steering *steering);
/* Those whose intent the roster's states hold are recorded by `commit`; for the rest without an
 * override the time may be over. */
void steering_settle_requests(struct steering *steering, const char *commit);

/* --- steering_clock.c ------------------------------------------------------------------------ */

/* Compares wall and monotonic time (ROLLOUTS.md section 3). */
void steering_check_clocks(struct steering *steering);
/* Notes since when targets hold what states say; *soon: some are still behind. Hands the roster to
 * the metrics when something of it changed. */
void steering_check_exposure(struct steering *steering, bool changed, bool *soon);
bool steering_is_exposed(const struct steering *steering, size_t index);
/* Some target of the environment has not acknowledged what is published. */
bool steering_is_behind(const struct steering *steering, struct text environment);

/* Where it stands on the tip, with the approvals that count; NULL without memory. */
const struct rollout_state *steering_state(const struct steering *steering, size_t index,
                                           struct arena *arena);

/* --- steering_stand.c ------------------------------------------------------------------------ */

/* override_move() with texts of the arena: what is made of it may outlive the override. */
enum status steering_copy_move(const struct override *override, size_t index, struct arena *arena,
                               struct walk_verb *out);
/* For each rollout of the roster where it stands once the step backs that are open are recorded:
 * the roster's own where there are none. Lives in the arena; NULL without memory. */
const struct roster_rollout **steering_stand(const struct steering *steering, struct arena *arena);
/* The same once all that is open of the flag of this one is recorded. */
const struct roster_rollout **steering_stand_of(const struct steering *steering,
                                                const struct override *of, struct arena *arena);
/* Whether two are of one flag, in one environment. */
bool steering_is_of_flag(const struct override *override, const struct override *of);
/* The member `after` of an override (override.h): the step backs that a decision comes after, of a
 * rollout that is `item` on the tip and `stands` elsewhere by then. */
enum status steering_name_after(const struct roster_rollout *item,
                                const struct roster_rollout *stands,
                                const struct walk_decision *decision, struct arena *arena,
                                struct text *out);

/* --- steering_view.c ------------------------------------------------------------------------- */

struct turn;
/* After a turn; NULL: there was none yet. */
void steering_show(struct steering *steering, const struct turn *turn);
void steering_free_view(struct steering *steering);

/* --- steering_turn.c ------------------------------------------------------------------------- */

/* Where a rollout stands in a turn: as on the tip, or after the moves of the turn. */
struct stance {
    const struct rollout_state *state;
    const struct roster_rollout *stands; /* steering_stand(), when the turn began */
    struct walk_decision decision; /* what time and measurements ask for; kind WALK_WAIT … */
    struct metrics_view known;
    bool has_moved;
};

struct turn {
    struct steering *steering;
    int64_t now; /* wall seconds */
    struct proposal *proposal;
    struct arena *arena; /* the proposal's */
    struct stance *stances;
    size_t move_size;
    uint32_t rollbacks; /* automatic ones within the hour */
    bool has_counted, has_opened, is_full;
    bool is_soon; /* to be looked at again within a moment */
    int64_t next; /* wall seconds at which something may be due */
};

/* Automatic rollbacks within the hour, as the log has them and those that are not in it yet. Asked
 * only where one may be decided: it reads the log. */
uint32_t steering_count_rollbacks(struct turn *turn);
/* A task of what is known. Of `measured`, whose evidence it is; NULL: of its measurements nothing.
 */
enum status steering_ask(struct turn *turn, size_t index, const struct roster_rollout *measured,
                         struct walk_task *task);
/* To the proposal, on what stands there in the turn. False without memory. */
bool steering_add_move(struct turn *turn, size_t index, const struct walk_decision *decision,
                       struct text by, struct text reason, struct text evidence);

/* --- steering_serve.c ------------------------------------------------------------------------ */

/* Serves what a decision asks for, before it is recorded. */
enum status steering_serve(struct turn *turn, size_t index, const struct walk_decision *decision,
                           struct text by, struct text note);
/* The record of the overrides of a rollout that are open, or of all (NULL). What the turn says
 * already is passed over. */
enum status steering_record(struct turn *turn, const struct roster_rollout *item);
/* Opens an override, whose generation is filled in: open_overrides_add(). */
enum status steering_open_override(struct turn *turn, const struct override *from,
                                   struct error *error);

#endif
