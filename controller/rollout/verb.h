/* verb.h - what a person asks of a rollout, decided and recorded on the tip of a branch, without a
 * controller.
 *
 * decide() (git/decide.h) calls verb_decide() for each tip that is tried: it brings the definitions
 * in force there, asks the machine (walk.h), and commits what comes of it. Nobody measures here: a
 * gate of a metric is closed, as without data. A file that was edited by hand, or cannot be read,
 * is held first, by a commit of its own, as a controller would. */
#ifndef WEIR_VERB_H
#define WEIR_VERB_H

#include "../effective.h"
#include "move.h"

#define VERB_COMMITS_MAX 2 /* the hold of a foreign edit, and the verb */

/* What came of it on one tip. Texts and states are the verb's, until the next tip or its end. */
struct verb_outcome {
    enum walk_kind kind; /* the verb's: WALK_NONE, WALK_REFUSE, or the move that is made */
    struct text rollout; /* "production/checkout-v2" */
    struct text by;      /* as it is recorded */
    int64_t decided;     /* instant */
    const struct rollout_state *before, *after; /* the same where nothing is done */
    const struct walk_reason *reasons;          /* of WALK_REFUSE */
    size_t reason_count;
    bool is_unknown; /* there is no such rollout */
    bool is_closed;  /* one of the reasons is a measurement, which only controllers make */
    bool was_edited; /* the file had been edited by hand, or could not be read */
    char commits[VERB_COMMITS_MAX][COMMIT_TEXT_SIZE]; /* in their order */
    size_t commit_count;
};

struct verb {
    const char *rollout; /* ENVIRONMENT/ROLLOUT */
    enum walk_verb_kind kind;
    struct text by;      /* who asks; of an approval it is found out (below) */
    struct text reason;  /* or empty */
    uint32_t lifts;      /* as walk_verb.lifts */
    const char *signers; /* of an approval: the file of allowed signers (git/verify.h). Its
                            approver is the principal for whom the call's key signs */
    const struct schema_set *schemas;
    _Atomic bool *stop; /* or NULL */
    struct verb_outcome outcome;
    /* its own */
    struct arena arena; /* of one tip */
    struct effective effective;
    bool has_effective;
    struct roster *roster;
};

/* Of a struct whose first part is set. */
void verb_init(struct verb *verb);
void verb_dispose(struct verb *verb);

/* A decide_callback; its context is a struct verb. STATUS_NOT_FOUND: there is no such rollout, or
 * no such environment; the message says which there are. STATUS_REFUSED: the key is not an allowed
 * signer's. STATUS_INVALID: an approval without a key or a file of signers. A refusal of the
 * machine is STATUS_OK, without commits. */
enum status verb_decide(void *verb, struct tip_decision *decision, struct error *error);

/* "production/checkout-v2": two names of definitions, divided by a slash. */
bool verb_parse_rollout(const char *name, struct text *environment, struct text *rollout);

#endif
