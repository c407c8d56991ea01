/* store.h - what must outlive the process and is no decision: those are in Git.
 *
 * Overrides that are not yet in Git, measurements and the judges' evidence, notifications that are
 * still to be sent, and when weir rolled back by itself. One narrow interface: a store is one file
 * with one `struct store_driver` (driver.h), one row in the table of registry.c; one set of tests
 * runs over all of them (tests/unit/store_suite.h).
 *
 * A handle is of one thread at a time and is not used after fork(); any number of handles, in any
 * number of processes, may be open on one store. What a call has acknowledged with STATUS_OK is on
 * disk: it survives a crash of the process and of the machine. A call that fails has changed
 * nothing, and the handle can be used further: the next call may succeed.
 *
 * Of every call: STATUS_NO_MEMORY; STATUS_LIMIT, STATUS_INVALID: an argument is too long or is
 * none, the message says which; STATUS_SYSTEM: the disk is full, not writable or failed, or others
 * held the store for longer than STORE_PATIENCE; STATUS_INVALID also where the store is damaged.
 * What a disk failed to confirm is not shown to anybody, but may come to light after a crash.
 *
 * Times are wall seconds since 1970. Texts are UTF-8 without NUL, borrowed for the call. What is
 * handed to a `visit` function is borrowed until it returns; it must not call the store, and
 * returns false to end the visit, which is no failure. */
#ifndef WEIR_STORE_H
#define WEIR_STORE_H

#include "../../rules/base.h"

#define STORE_NAME_MAXIMUM 253 /* of an environment, a flag, a rollout, a metric, … */
#define STORE_INTENT_LENGTH 64 /* SHA-256, lower-case hexadecimal */
#define STORE_GENERATION_MAXIMUM 128
#define STORE_FRAGMENT_MAXIMUM ((size_t)4096 << 10)
#define STORE_JSON_MAXIMUM ((size_t)9216 << 10)  /* of all that is kept of an override */
#define STORE_MESSAGE_MAXIMUM 300                /* of a measurement, of a failed delivery */
#define STORE_EVIDENCE_MAXIMUM ((size_t)1 << 16) /* of what a judge keeps */
#define STORE_BODY_MAXIMUM ((size_t)1 << 16)     /* of a notification */
#define STORE_BATCH_MAXIMUM 10000                /* measurements in one call */
#define STORE_OPEN_MAXIMUM 10000                 /* open overrides */
#define STORE_PENDING_MAXIMUM 10000              /* notifications that wait */
#define STORE_PRUNE_BATCH 1000                   /* rows of a kind that one call removes */
#define STORE_PATIENCE 5                         /* seconds that a call waits for other handles */

struct store;

/* `location` is a folder, in which the store is the file weir.db. It has to be there. Makes the
 * store where it is missing and brings an older one up to date. STATUS_REFUSED: a newer weir wrote
 * it, or it is not weir's; STATUS_INVALID: it is damaged (see store_set_aside()). Neither changes
 * what is there. */
enum status store_open(const char *location, struct store **out, struct error *error) MUST_CHECK;
void store_close(struct store *store); /* NULL is fine */

/* Renames the files of a damaged store to weir.db.damaged-<time>, never deletes them; the next
 * store_open() begins an empty one. `kept` is told the new path. No other handle may be open. What
 * only the store knew, open overrides above all, is then to be had from targets and Git: say so
 * aloud. */
enum status store_set_aside(const char *location, int64_t now, char *kept, size_t size,
                            struct error *error);

/* --- overrides (ROLLOUTS.md section 4) ------------------------------------------------------- */

struct store_override {
    struct text intent; /* STORE_INTENT_LENGTH: names it */
    struct text environment, flag;
    uint64_t seq;           /* up to INT64_MAX, as all unsigned numbers here */
    struct text generation; /* over which it was made */
    struct text fragment;   /* bytes, up to STORE_FRAGMENT_MAXIMUM */
    int64_t since;
    struct text evidence; /* JSON, as its maker wrote it */
    int64_t closed;       /* when it was closed; 0: it is open */
};

/* Keeps an open override; `closed` is passed over. One with this intent that is open already stays
 * as it is, which is no failure: two that see one breach derive one intent. STATUS_REFUSED: it was
 * closed before; STATUS_LIMIT also with STORE_OPEN_MAXIMUM of them open. */
enum status store_override_put(struct store *store, const struct store_override *override,
                               struct error *error) MUST_CHECK;
/* The same, of one that is decided anew: it takes the place of one that was closed. */
enum status store_override_put_again(struct store *store, const struct store_override *override,
                                     struct error *error) MUST_CHECK;
/* `when` is above 0. STATUS_NOT_FOUND: there is no such override. One that is closed already stays
 * closed as it was. */
enum status store_override_close(struct store *store, struct text intent, int64_t when,
                                 struct error *error) MUST_CHECK;

typedef bool store_override_visit(void *context, const struct store_override *override);
/* Those that are open, oldest first (`since`, then intent). */
enum status store_override_each(struct store *store, store_override_visit *visit, void *context,
                                struct error *error) MUST_CHECK;
/* One of them, open or closed; visits at most once. STATUS_NOT_FOUND. */
enum status store_override_get(struct store *store, struct text intent, store_override_visit *visit,
                               void *context, struct error *error) MUST_CHECK;

/* --- measurements ---------------------------------------------------------------------------- */

enum store_verdict {
    STORE_SUCCESS,
    STORE_FAILURE,
    STORE_INCONCLUSIVE,
    STORE_ERROR,
    STORE_NO_DATA,
};

enum store_measure {
    STORE_NOTHING, /* none was had */
    STORE_VALUE,   /* `value` */
    STORE_RATIO,   /* `numerator` of `denominator` */
};

struct store_measurement {
    struct text environment, rollout;
    uint64_t run;
    struct text phase, metric;
    struct text arm; /* a variant; may be empty */
    int64_t started, finished;
    enum store_verdict verdict;
    enum store_measure measure;
    double value, numerator, denominator; /* finite where `measure` has them; else passed over */
    struct text message;                  /* may be empty */
    bool silent;                          /* the variant said nothing while control spoke */
    struct text mismatch; /* words, where the arms were not as large as their shares; else empty */
};

/* All of them or none. One that is there already (same rollout, metric, arm, run, phase and times)
 * stays as it is, so that a batch can be sent again. */
enum status store_measurement_append(struct store *store,
                                     const struct store_measurement *measurements, size_t count,
                                     struct error *error) MUST_CHECK;

typedef bool store_measurement_visit(void *context, const struct store_measurement *measurement);
/* Those of one metric of one rollout that finished at `since` or later, oldest first. */
enum status store_measurement_each(struct store *store, struct text environment,
                                   struct text rollout, struct text metric, int64_t since,
                                   store_measurement_visit *visit, void *context,
                                   struct error *error) MUST_CHECK;

/* Those of all metrics of one rollout that finished at `since` or later, oldest first; at most
 * `most` of them. */
enum status store_measurement_all(struct store *store, struct text environment, struct text rollout,
                                  int64_t since, uint64_t most, store_measurement_visit *visit,
                                  void *context, struct error *error) MUST_CHECK;

/* --- evidence -------------------------------------------------------------------------------- */

struct store_evidence_key {
    struct text environment, rollout, metric;
    uint64_t run;
    struct text phase;
};

/* Replaces what is there. `version` is of the form of the bytes, and its maker's matter. */
enum status store_evidence_put(struct store *store, const struct store_evidence_key *key,
                               uint32_t version, struct text bytes, int64_t when,
                               struct error *error) MUST_CHECK;
/* Copies the bytes into a buffer of at least STORE_EVIDENCE_MAXIMUM. STATUS_NOT_FOUND. */
enum status store_evidence_get(struct store *store, const struct store_evidence_key *key,
                               uint32_t *version, char *bytes, size_t *length,
                               struct error *error) MUST_CHECK;
/* What is not there needs no deleting: STATUS_OK. */
enum status store_evidence_delete(struct store *store, const struct store_evidence_key *key,
                                  struct error *error) MUST_CHECK;

/* --- outbox ---------------------------------------------------------------------------------- */

struct store_notice {
    struct text id; /* its maker's; the same news for the same channel has the same id */
    struct text channel;
    struct text body; /* bytes, up to STORE_BODY_MAXIMUM */
    int64_t created, due;
    uint32_t attempts;      /* how often it was taken, this time included */
    struct text last_error; /* empty: none yet */
};

/* Keeps a notice to be sent at `due`; `attempts` and `last_error` are passed over. One with this id
 * that is there already, be it sent or dropped, stays as it is. With STORE_PENDING_MAXIMUM waiting,
 * the oldest of them is dropped for it: what is new is worth more. */
enum status store_outbox_append(struct store *store, const struct store_notice *notice,
                                struct error *error) MUST_CHECK;
/* Takes the one of `channel` (empty: of any) that has been due for longest, and makes it due again
 * at `lease`, should its taker die; so one is sent at least once, by one taker at a time. The texts
 * of *out are borrowed until the next call of any function on this handle. STATUS_NOT_FOUND: none
 * is due at `now`. */
enum status store_outbox_take(struct store *store, struct text channel, int64_t now, int64_t lease,
                              struct store_notice *out, struct error *error) MUST_CHECK;
/* It was sent. Its id is kept until it is pruned, so that the same news is not sent again.
 * STATUS_NOT_FOUND of this and the next two: there is no such notice that waits. */
enum status store_outbox_done(struct store *store, struct text id, struct error *error) MUST_CHECK;
/* It was not sent, because of `problem`: due again at `due`. */
enum status store_outbox_retry(struct store *store, struct text id, int64_t due,
                               struct text problem, struct error *error) MUST_CHECK;
/* It is given up, and kept for people to see, until it is pruned. */
enum status store_outbox_drop(struct store *store, struct text id, struct text problem,
                              struct error *error) MUST_CHECK;
struct store_outbox_counts {
    uint64_t pending, dropped;
    int64_t next_due; /* of those that wait; INT64_MAX: none does */
};
/* Those of `channel`; empty: of all. */
enum status store_outbox_count(struct store *store, struct text channel,
                               struct store_outbox_counts *out, struct error *error) MUST_CHECK;
typedef bool store_notice_visit(void *context, const struct store_notice *notice);
/* The dropped ones, newest first. */
enum status store_outbox_dropped(struct store *store, store_notice_visit *visit, void *context,
                                 struct error *error) MUST_CHECK;

/* --- automatic rollbacks, for the blast cap (ROLLOUTS.md section 5) --------------------------- */

struct store_rollback {
    int64_t when;
    struct text environment, rollout;
    struct text intent; /* names it: noting it again changes nothing */
};

enum status store_rollback_note(struct store *store, const struct store_rollback *rollback,
                                struct error *error) MUST_CHECK;
typedef bool store_rollback_visit(void *context, const struct store_rollback *rollback);
/* Those at `since` or later, newest first. */
enum status store_rollback_each(struct store *store, int64_t since, store_rollback_visit *visit,
                                void *context, struct error *error) MUST_CHECK;

/* --- upkeep ---------------------------------------------------------------------------------- */

struct store_keep {
    int64_t measurements_since; /* older ones go */
    uint64_t measurements;      /* and the oldest above this many */
    int64_t evidence_since;     /* what was last written before goes */
    int64_t closed_since;       /* overrides closed before go; open ones never do */
    int64_t settled_since;      /* notices that were created before and are sent or dropped go */
    uint64_t settled;           /* and of either kind the oldest above this many */
    int64_t rollbacks_since;
};
/* Removes at most STORE_PRUNE_BATCH rows of each kind, so that nobody waits long for it: call it
 * again until *removed is 0. */
enum status store_prune(struct store *store, const struct store_keep *keep, uint64_t *removed,
                        struct error *error) MUST_CHECK;

#endif
