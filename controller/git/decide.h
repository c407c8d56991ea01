/* decide.h - deciding on the tip of a branch and recording it there, among others who do the same.
 *
 * Fetch, let the caller decide on the tip, make the commits, push them if the branch is still
 * there. Who loses the race fetches and decides anew on the new tip: a decision is never carried
 * over to a tip that it did not see. A push whose answer got lost is looked for at the remote
 * before anything is decided again, so that nothing is recorded twice. */
#ifndef WEIR_GIT_DECIDE_H
#define WEIR_GIT_DECIDE_H

#include "../clock.h"
#include "push.h"
#include "record.h"

#define DECIDE_ATTEMPTS 30
#define DECIDE_ATTEMPTS_MAX 1000
#define DECIDE_WAIT_BASE (50 * NANOSECONDS_PER_MILLISECOND)
#define DECIDE_WAIT_LONGEST (2 * NANOSECONDS_PER_SECOND)

/* One decision in the making, on one tip. */
struct tip_decision {
    struct mirror *mirror;      /* to read the tip from */
    char tip[COMMIT_TEXT_SIZE]; /* what is decided on */
    char
        head[COMMIT_TEXT_SIZE]; /* the last of the commits made on it; the tip when there is none */
    const struct decide *options; /* of the call */
};

/* Looks at decision->tip and makes commits by decision_commit(). None: there is nothing to do.
 * Called anew for each tip that is tried; anything but STATUS_OK ends it all. */
typedef enum status decide_callback(void *context, struct tip_decision *decision,
                                    struct error *error);
/* Waits; false: told to end. */
typedef bool decide_wait(void *self, int64_t nanoseconds, _Atomic bool *stop);

struct decide {
    struct mirror *mirror;
    const char *branch;                     /* NULL or empty: the remote's HEAD */
    const struct clock *clock;              /* the time of the commits, and chance for the waits */
    struct record_person author, committer; /* their time is taken from the clock */
    const struct record_key *key;           /* NULL: unsigned */
    _Atomic bool *stop;                     /* or NULL */
    unsigned attempts;                      /* 0: DECIDE_ATTEMPTS */
    bool dry;                               /* make the commits, but neither sign nor push them */
    decide_wait *wait;                      /* between attempts; NULL: waits really */
    void *wait_self;
    decide_callback *decide;
    void *context;
    /* what came of it */
    char branch_name[BRANCH_NAME_SIZE]; /* the branch's short name */
    char tip[COMMIT_TEXT_SIZE];         /* the last one that was decided on */
    char commit[COMMIT_TEXT_SIZE];      /* the last of those made; the tip when none was */
    bool is_recorded;                   /* it is on the branch */
    unsigned tried;                     /* attempts */
};

/* A commit on decision->head, of these edits, by the call's author; moves the head. Edits that
 * change nothing make no commit. The errors of mirror_record(). */
enum status decision_commit(struct tip_decision *decision, struct record_edit *edits, size_t count,
                            const char *message, struct error *error);

/* STATUS_OK: `commit` is on the branch, or equals `tip`: nothing was to be done. STATUS_REFUSED:
 * the server said no. STATUS_SYSTEM: the remote cannot be reached, the branch moved too often, or
 * the answer to the last push was lost. STATUS_STOPPED. Else what the callback returned. */
enum status decide(struct decide *decide, struct error *error);

#endif
