/* rollout_state.h - where a rollout stands: state/ENVIRONMENT/ROLLOUT.yaml (kind RolloutState).
 *
 * Written by weir alone, one commit a decision; ROLLOUTS.md section 2. What the document of the
 * environment serves is a function of this and the Rollout's identity: nothing else of a Rollout
 * moves a user. Texts and lists are the arena's it was read into, or the caller's. */
#ifndef WEIR_ROLLOUT_STATE_H
#define WEIR_ROLLOUT_STATE_H

#include "arena.h"
#include "buffer.h"
#include "rollout.h"

/* Where it was before anything held it: what holds leave of it. */
enum rollout_course {
    COURSE_PENDING, /* not started: the flag is as if there were no rollout */
    COURSE_RUNNING, /* in a phase */
    COURSE_COMPLETED,
    COURSE_ROLLED_BACK, /* all are on control */
    COURSE_KILLED,      /* the same; only unkill leaves it */
};
const char *rollout_course_name(enum rollout_course course); /* "rolledBack" */

/* Derived from course and holds: what people see. */
enum rollout_status {
    ROLLOUT_PENDING,
    ROLLOUT_RUNNING,
    ROLLOUT_PAUSED, /* by a person: the only hold there is */
    ROLLOUT_HELD,
    ROLLOUT_COMPLETED,
    ROLLOUT_ROLLED_BACK,
    ROLLOUT_KILLED,
};
const char *rollout_status_name(enum rollout_status status); /* "rolledBack" */

enum hold_reason {
    HOLD_PAUSE,    /* a person's; timers stop, the share stays */
    HOLD_HALT,     /* a person's; nobody new */
    HOLD_RATIO,    /* sample-ratio mismatch: the evidence is void */
    HOLD_DEADLINE, /* a phase took too long */
    HOLD_SIGNAL,   /* a metric with the role signal, or onBreach: pause */
    HOLD_STEP_BACK,
    HOLD_ROLLBACK,
    HOLD_KILL,
    HOLD_BLAST,        /* too many automatic rollbacks in an hour: a person decides */
    HOLD_FOREIGN_EDIT, /* the file was changed by hand */
    HOLD_UNREADABLE,   /* the file could not be read: its last readable version counts */
    HOLD_REASON_COUNT,
};
const char *hold_reason_name(enum hold_reason reason); /* "foreign-edit" */
bool hold_reason_parse(struct text name, enum hold_reason *reason);

struct hold {
    enum hold_reason reason;
    struct text by;   /* who: a token's subject, a signer, or "weir" */
    int64_t since;    /* instant */
    int64_t until;    /* before which resume is refused (the growing hold of rollbacks); 0: never */
    struct text note; /* one line, or empty */
};
#define HOLDS_MAX 32

/* Given to enter one phase of one run, by one person. */
struct approval {
    struct text by;
    int64_t at;
    uint32_t run, seq;
    struct text plan; /* the digest of the plan that was approved */
};
#define ROLLOUT_APPROVALS_MAX 64

/* Of a ramp: the open seconds behind, and the one window that the document lets the share grow
 * through (DESIGN section 3, Ramps). */
struct ramp_window {
    int64_t done;   /* open seconds */
    int64_t from;   /* instant */
    int64_t length; /* seconds; 0: it is closed, the share stands */
};

#define INTENT_TEXT_SIZE 65 /* 64 hexadecimal digits: SHA-256 */
#define INTENTS_KEPT 64     /* the newest */

struct rollout_state {
    struct name name; /* ENVIRONMENT/ROLLOUT */
    struct text environment, rollout;
    uint8_t identity[IDENTITY_SIZE]; /* of the Rollout that this is the state of */
    uint32_t run;                    /* from 1; rises when it starts again from its first phase */
    uint32_t seq;                    /* rises with every move, over all runs */
    enum rollout_course course;
    size_t phase;     /* index in `plan`; what it was in when it was rolled back or killed */
    int64_t since;    /* instant at which it came to this phase, or course, or began it anew */
    int64_t bake;     /* seconds of the phase's bake that were behind when its timers stopped */
    int64_t spent;    /* seconds of the phase's deadline, likewise */
    int64_t counting; /* instant at which a pause ended and timers went on; 0: they never stopped */
    uint32_t rollbacks; /* in a row, without a completed phase: the growing hold */
    struct phases plan; /* resolved at the start; what is watched in it included */
    struct ramp_window ramp;
    struct hold *holds; /* by reason, each at most once a reason and person */
    size_t hold_count;
    struct approval *approvals;
    size_t approval_count;
    struct text *intents; /* ids of the last decisions recorded here, oldest first */
    size_t intent_count;
    bool is_foreign; /* what was read is not what weir wrote: its checksum differs */
};

enum rollout_status rollout_state_status(const struct rollout_state *state);
const struct hold *rollout_state_hold(const struct rollout_state *state, enum hold_reason reason);
bool rollout_state_has_intent(const struct rollout_state *state, struct text intent);
/* pending, running, paused or held: a second one for the same flag is an error, and its definition
 * may not go. */
bool rollout_state_is_unfinished(const struct rollout_state *state);
/* Whether `b`, which somebody else than weir wrote, is `a` or safer: it exposes nobody whom `a`
 * does not, is held by all that holds `a`, and claims nothing that brings anybody in sooner: no
 * approval, no time behind, no other plan, no later run; nor that a decision is recorded. */
bool rollout_state_is_safer(const struct rollout_state *a, const struct rollout_state *b);

/* Appends the whole file, always the same bytes for the same state, with its checksum. */
void rollout_state_write(const struct rollout_state *state, struct buffer *out);
/* The value of one of its own fields ("run", "phase") as that spells it, borrowed from the file, of
 * which nothing else is read; empty: there is none. */
struct text rollout_state_field(struct text file, const char *name);
#define PLAN_DIGEST_SIZE 72
/* What stands there as `checksum`: of all the bytes before it. */
enum status rollout_state_checksum(const struct rollout_state *state,
                                   char out[PLAN_DIGEST_SIZE]) MUST_CHECK;
/* SHA-256 of a plan as the file spells it: "sha256:" and 64 digits. What approvals are bound to. */
enum status rollout_plan_digest(const struct phases *plan, char out[PLAN_DIGEST_SIZE]) MUST_CHECK;

/* SHA-256(environment, rollout, run, seq, action), each as its length, ":", its bytes: two
 * controllers that decide the same derive the same id. */
void rollout_intent(const struct rollout_state *state, struct text action,
                    char out[INTENT_TEXT_SIZE]);

/* --- who is exposed -------------------------------------------------------------------------- */

/* One part of the union that is exposed: the audience's users whose bucket is below the share. */
struct exposure {
    struct text audience;     /* a segment; empty: everybody */
    uint32_t share;           /* of SPLIT_TOTAL; with a ramp: what is reached at `to` */
    uint32_t from;            /* the share that the ramp began with */
    const struct phase *ramp; /* whose window is open or behind (state->ramp); NULL: none */
};
#define EXPOSURES_MAX PHASES_MAX
/* At most EXPOSURES_MAX, audiences first in the order of their phases, each once with its largest
 * share; everybody's last. Returns how many; 0 when nobody is. */
size_t rollout_exposures(const struct rollout_state *state, struct exposure out[EXPOSURES_MAX]);
/* Everybody's share at an instant, of SPLIT_TOTAL: for people to look at. */
uint32_t rollout_share_at(const struct rollout_state *state, int64_t now);

#endif
