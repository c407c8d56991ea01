/* walk.h - how a rollout walks: from where it stands and what is known to what happens next.
 *
 * The machine of ROLLOUTS.md section 3 as two pure functions: walk_tick() asks what time and
 * measurements ask for, walk_verb() what a person asks for. Both look at a task (all that is known
 * now) and at the state in Git, and return one decision: a new state to commit, or what is waited
 * for. Nothing is done here; applying a decision, and looking again at `next`, is the caller's.
 *
 * A decision makes one move. After an outage each phase is entered by a move of its own, and its
 * bake begins then: so that catching up never folds two phases into one.
 *
 * Ownership: a decision's state and texts are the given arena's, or borrowed from the task, the
 * verb and the state: all must outlive it. Instants are seconds since 1970 in UTC, durations
 * seconds. They fail for want of memory only (STATUS_NO_MEMORY), unless they say more. */
#ifndef WEIR_WALK_H
#define WEIR_WALK_H

#include "calendar.h"
#include "rollout_state.h"

#define WALK_NEVER INT64_MAX          /* an instant that time alone does not bring */
#define WALK_CLOCK_AHEAD INT64_C(120) /* a state dated later than now and this stops growth */
#define WALK_HOLD_FIRST INT64_C(3600) /* after a rollback; doubles with each in a row */
#define WALK_HOLD_LONGEST (28 * INT64_C(86400))
#define WALK_BLAST_CAP 5 /* automatic rollbacks in an hour, by default */
/* A bake counts when 4 of 5 of its seconds were measured well. */
#define WALK_COVER_PARTS 5
#define WALK_COVER_WANTED 4

/* --- what is known --------------------------------------------------------------------------- */

enum walk_verdict {
    WALK_NO_DATA,
    WALK_SUCCESS,
    WALK_FAILURE, /* latched: stays until the evidence begins anew */
    WALK_INCONCLUSIVE,
    WALK_ERROR,
};
const char *walk_verdict_name(enum walk_verdict verdict); /* "no data" */
bool walk_verdict_parse(struct text name, enum walk_verdict *verdict);

/* What a metric says of the present phase. The judge has applied the metric's limits and its
 * onNoData. A metric of the phase without a gate counts as no data. */
struct walk_gate {
    struct text metric;
    enum metric_role role;
    enum walk_verdict verdict;
    bool silent;        /* the variant said nothing for three intervals (of a breaker: at all) while
                           control spoke: a failure */
    bool fresh;         /* its last measurement finished within two intervals */
    bool enough_sample; /* minimumSample is reached */
    int64_t finished;   /* instant of the last measurement; those up to the state's `since` count
                           for another phase, or for evidence that was thrown away */
    int64_t restarted;  /* instant at which its evidence began anew, since the metric was changed;
                           0: with the phase */
    int64_t covered;    /* seconds measured well since walk_bake_from(), or `restarted` if later */
    struct text evidence; /* "0.031 > 0.01, n=5120, window 5m", or empty */
};

struct walk_task {
    const struct rollout *rollout;
    const struct phases *phases;     /* as its plan reads now (catalog_phases()); NULL: gone */
    const struct calendar *calendar; /* NULL: always open */
    const struct zone *zone;         /* of the calendar, for words; NULL: UTC */
    struct text calendar_fault;      /* why nobody knows when it is open: nothing grows; or empty */
    int64_t now;
    const struct walk_gate *gates;
    size_t gate_count;
    bool ratio_mismatch; /* the arms are not as large as their shares say */
    struct text ratio_evidence;
    bool clock_drift;    /* wall clock against monotonic over 60 s: growth stops */
    bool targets_behind; /* some target has not acknowledged the document of this state */
    bool unreadable;     /* the file cannot be read: `state` is its last readable version */
    bool foreign_edit;   /* the file was edited by hand and exposes more: `state` is weir's last */
    uint32_t automatic_rollbacks; /* within the last hour, over all rollouts */
    uint32_t blast_cap;           /* 0: WALK_BLAST_CAP */
    struct text author;           /* of the last change to the rollout: may not approve it */
};

/* --- what comes of it ------------------------------------------------------------------------ */

enum walk_kind {
    WALK_NONE,         /* it is so already, or nothing will ever happen by itself */
    WALK_WAIT,         /* for `reasons` */
    WALK_REFUSE,       /* of a verb: for `reasons` */
    WALK_START,        /* into the first phase, of the first run */
    WALK_ADVANCE,      /* into the next phase */
    WALK_COMPLETE,     /* the last bake is over */
    WALK_OPEN_WINDOW,  /* a ramp's checkpoint is passed */
    WALK_CLOSE_WINDOW, /* the calendar closed over an open window */
    WALK_REPLAN,       /* phases not yet entered are others now */
    WALK_PAUSE,
    WALK_HOLD,
    WALK_RESUME,
    WALK_APPROVE,
    WALK_STEP_BACK,
    WALK_ROLLBACK,
    WALK_KILL,
    WALK_UNKILL,
};
const char *walk_kind_name(enum walk_kind kind); /* "step-back": also the trailer Weir-Action */

enum walk_users { WALK_SAME, WALK_GROW, WALK_SHRINK };

enum walk_cause {
    WAIT_START,     /* its date, or a person */
    WAIT_CALENDAR,  /* the next open hour */
    WAIT_RAMP,      /* the end of the window */
    WAIT_BAKE,      /* more that is measured well */
    WAIT_APPROVALS, /* people */
    WAIT_METRIC,    /* a verdict that is not success */
    WAIT_SAMPLE,    /* minimumSample */
    WAIT_FRESH,     /* a measurement that is not too old */
    WAIT_HOLD,      /* resume, or unkill */
    WAIT_CLOCK,     /* clocks that agree */
    WAIT_TARGETS,   /* their acknowledgement */
    WAIT_PLAN,      /* a plan that exists */
    WAIT_COURSE,    /* what the verb asks for is not possible from where it stands */
    WAIT_PERSON,    /* somebody else: this one may not */
};
const char *walk_cause_name(enum walk_cause cause); /* "calendar" */

struct walk_reason {
    enum walk_cause cause;
    struct text words; /* "calendar: opens Mon 09:00" */
    int64_t until;     /* the instant at which it may end by itself, or WALK_NEVER */
};
#define WALK_REASONS_MAX 48

struct walk_decision {
    enum walk_kind kind;
    struct rollout_state *state; /* to be committed; NULL: of none, wait and refuse */
    bool needs_commit;
    bool needs_override;   /* served and pushed before Git is asked (ROLLOUTS.md section 4) */
    enum hold_reason hold; /* of WALK_HOLD */
    enum walk_users users;
    char intent[INTENT_TEXT_SIZE]; /* in state->intents too; empty without a state */
    struct text evidence; /* why, of what nobody asked for: "checkout-errors: 0.031 > …" */
    struct walk_reason *reasons;
    size_t reason_count;
    int64_t next; /* when to look again if nothing else happens, > now; or WALK_NEVER */
};

/* What time and measurements ask for. */
enum status walk_tick(const struct walk_task *task, const struct rollout_state *state,
                      struct arena *arena, struct walk_decision *out) MUST_CHECK;

/* --- verbs ----------------------------------------------------------------------------------- */

enum walk_verb_kind {
    VERB_START,
    VERB_PAUSE,
    VERB_RESUME,
    VERB_ADVANCE,
    VERB_APPROVE,
    VERB_HALT,
    VERB_STEP_BACK,
    VERB_ROLLBACK,
    VERB_KILL,
    VERB_UNKILL,
    VERB_UNPIN, /* of a flag; a rollout refuses it */
    VERB_COUNT,
};
const char *walk_verb_name(enum walk_verb_kind verb); /* "step-back" */
bool walk_verb_parse(struct text name, enum walk_verb_kind *verb);

struct walk_verb {
    enum walk_verb_kind kind;
    struct text by;   /* the subject of a token or of a verified signature, not empty */
    struct text note; /* one line for the hold, or empty; longer than WALK_NOTE_MAX is cut */
    uint32_t lifts;   /* of resume: bit 1 << reason; 0: WALK_LIFTS */
    /* Of an open override that is recorded: its id, and the run in which it was decided. The move
     * applies to whatever phase stands there now; to a later run it does not. */
    struct text intent; /* empty: a new decision */
    uint32_t run;
};
#define WALK_NOTE_MAX 300
/* The holds that resume lifts without naming them: those that a person understands by resuming.
 * A sample-ratio mismatch and a file that was tampered with must be named. A kill is never lifted
 * by resume. */
#define WALK_LIFTS                                                                                 \
    (1U << HOLD_PAUSE | 1U << HOLD_HALT | 1U << HOLD_DEADLINE | 1U << HOLD_SIGNAL |                \
     1U << HOLD_STEP_BACK | 1U << HOLD_ROLLBACK | 1U << HOLD_BLAST)

/* What a person asks for: the move; WALK_NONE, when it is so already or something safer is;
 * WALK_REFUSE, with the reasons. Kill, rollback, step-back, halt and pause wait for nothing. */
enum status walk_verb(const struct walk_task *task, const struct rollout_state *state,
                      const struct walk_verb *verb, struct arena *arena,
                      struct walk_decision *out) MUST_CHECK;

/* --- for those who ask and measure ----------------------------------------------------------- */

/* Where a rollout without a state file stands: pending, run 1, seq 0, no plan. */
enum status walk_initial(const struct rollout *rollout, struct arena *arena,
                         struct rollout_state *out) MUST_CHECK;
/* The plan that a start now would resolve: `phases`, each watched by the rollout's metrics and its
 * own, in this order, none twice. STATUS_LIMIT: some phase has more than PHASE_METRICS_MAX. */
enum status walk_plan(const struct rollout *rollout, const struct phases *phases,
                      struct arena *arena, struct phases *out) MUST_CHECK;
/* The approvals that the phase at stake needs, and how many of them are given: by distinct people,
 * none of them the author, for just this move and plan. Both 0 where no phase is at stake. */
enum status walk_approvals(const struct walk_task *task, const struct rollout_state *state,
                           struct arena *arena, uint32_t *given, uint32_t *needed) MUST_CHECK;
/* The phase that it is in while somebody may be exposed; NULL otherwise. */
const struct phase *walk_phase(const struct rollout_state *state);
/* The instant from which time counts for the bake: the phase's begin, the end of its ramp, or the
 * end of a pause. WALK_NEVER while it ramps, or is in no phase. */
int64_t walk_bake_from(const struct rollout_state *state);

#endif
