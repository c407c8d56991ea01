/* accept.h - the commit that tells controllers to follow a branch that was rewritten.
 *
 * A controller holds a tip that does not descend from what it serves (W601), unless the number in
 * state/epoch is higher there than in what it serves (core.c). This raises it. */
#ifndef WEIR_ACCEPT_H
#define WEIR_ACCEPT_H

#include "git/decide.h"

struct accept {
    uint32_t epoch;     /* the number wanted; 0: one more than the highest that is known */
    const char *from;   /* the commit that controllers still serve, whose number counts too; NULL:
                         * not known */
    const char *reason; /* or NULL */
    /* what came of it */
    uint32_t before, after;        /* the highest number known, and the new one */
    char served[COMMIT_TEXT_SIZE]; /* the id of `from`; empty: it is not in the clone, so that its
                                    * number could not be counted */
    struct buffer message;         /* of the commit; initialised and disposed of by the caller */
};

/* A decide_callback; its context is a struct accept. STATUS_INVALID: the number wanted is not
 * higher than what is known, or there is none left. */
enum status accept_decide(void *accept, struct tip_decision *decision, struct error *error);

/* A number from 1 to 4294967295. */
bool accept_parse_epoch(const char *text, uint32_t *epoch);

#endif
