/* desk.h - where people's verbs wait for core, and where they can ask what became of them.
 *
 * An HTTP thread submits a request and goes on; core takes it, decides, and notes each step. What
 * was asked first is taken first: of two verbs for one rollout the later one shall stand. A request
 * is known by its id for DESK_MEMORY after it was done, so that whoever lost the connection can ask
 * again. The desk keeps copies, and hands out copies. Thread-safe; nothing here waits. */
#ifndef WEIR_DESK_H
#define WEIR_DESK_H

#include "../../rules/walk.h"
#include "../clock.h"

#define DESK_MAX 1000 /* requests in DESK_WAITING */
/* Of these, places that only verbs which expose nobody new may take: whoever floods the desk with
 * others does not keep anybody from a kill. */
#define DESK_RESERVED 200
/* Requests that are remembered, whatever became of them. When there are more, those that were done
 * first are forgotten before their time. */
#define DESK_KNOWN 20000
#define DESK_MEMORY (INT64_C(600) * NANOSECONDS_PER_SECOND)
#define DESK_PATIENCE                                                                              \
    (INT64_C(60) * NANOSECONDS_PER_SECOND) /* core's, for a commit of no override */
#define DESK_ID_SIZE 33                    /* 32 random hexadecimal digits */
#define DESK_NAME_SIZE 64
#define DESK_TEXT_SIZE 512

enum desk_state {
    DESK_WAITING,  /* core has not looked at it, or its commit is being pushed */
    DESK_SERVED,   /* an override is served; Git does not say it yet */
    DESK_RECORDED, /* a commit says it */
    DESK_NOTHING,  /* it was so already, or something safer is */
    DESK_REFUSED,  /* the machine says no: `words` */
    DESK_FAILED,   /* the branch says no, or could not be reached in time: `words`. Nothing was
                      served; or it was, and ended with a later run */
};
const char *desk_state_name(enum desk_state state); /* "recorded" */
bool desk_state_is_done(enum desk_state state);     /* nothing more will come of it */

struct desk_request {
    char id[DESK_ID_SIZE];
    char environment[DESK_NAME_SIZE], rollout[DESK_NAME_SIZE]; /* or a flag's name */
    enum walk_verb_kind verb;
    char by[DESK_TEXT_SIZE];   /* the subject of the token */
    char note[DESK_TEXT_SIZE]; /* its reason, or empty */
    uint32_t lifts;            /* of resume, as walk_verb.lifts */
    /* what became of it */
    enum desk_state state;
    int64_t submitted, changed; /* wall seconds */
    char commit[41];            /* of DESK_RECORDED */
    char words[DESK_TEXT_SIZE];
};

struct desk;

/* A verb that lets nobody in, so that it waits for nothing (walk.h). */
bool desk_exposes_nobody(enum walk_verb_kind verb);

/* `submitted` (or NULL) is called, by the thread that submits and without a lock, after a request
 * was taken in. */
enum status desk_new(const struct clock *clock, void (*submitted)(void *context), void *context,
                     struct desk **out, struct error *error);
void desk_free(struct desk *desk); /* NULL is fine */

/* Keeps a copy; fills in id, state (DESK_WAITING), submitted and changed, and empties commit and
 * words. STATUS_LIMIT: too many wait. */
enum status desk_submit(struct desk *desk, struct desk_request *request, struct error *error);
/* STATUS_NOT_FOUND: never heard of, or forgotten. */
enum status desk_ask(struct desk *desk, const char *id, struct desk_request *out);

/* For core: the next that it has not taken yet; false: none. */
bool desk_take(struct desk *desk, struct desk_request *out);
/* For core: it stands so now; state, commit and words are taken from `request`. What is done stays
 * as it was; one that is not known, or was not taken yet, is passed over. */
void desk_note(struct desk *desk, const struct desk_request *request);

#endif
