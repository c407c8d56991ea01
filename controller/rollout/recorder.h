/* recorder.h - what core decided, on its way to the branch.
 *
 * core decides on the tip that it has in force and hands over a proposal: a chain of moves to be
 * committed on that very tip. The git thread makes the commits and pushes them once. If the branch
 * is elsewhere by then nothing is recorded: it is fetched, and core decides anew on what is there
 * (DESIGN promise 3). A proposal is tried once; core hands over the next. */
#ifndef WEIR_RECORDER_H
#define WEIR_RECORDER_H

#include "../clock.h"
#include "../git/record.h"
#include "move.h"
#include "override.h"

#define PROPOSAL_MOVES_MAX 100 /* more wait for the next tip: a kill shall not wait for them */

struct flag_move; /* flag_move.h */

struct proposal {
    struct roster *roster; /* a reference; the moves point into it */
    struct arena arena;    /* of decisions, states and texts */
    char tip[COMMIT_TEXT_SIZE];
    struct move *moves; /* in the order of their commits */
    size_t count;
    struct flag_move *flags; /* committed behind the moves; in the arena */
    size_t flag_count;
    uint64_t key; /* the same for the same moves on the same tip, by decisions of one minute */
    /* The open overrides that it records: where the branch has refused them for long, they go to
     * the remote as refs (git/intents.h). References. */
    struct override **overrides;
    size_t override_count;
    bool is_held; /* the branch's tip is known, and not followed: it was rewritten, or not signed */
};

void proposal_free(struct proposal *proposal); /* NULL is fine */

enum recorder_outcome {
    RECORDER_ACCEPTED, /* `commit` is the branch's tip now */
    RECORDER_MOVED,    /* the branch is elsewhere: fetch */
    RECORDER_UNKNOWN,  /* the answer was lost: fetch, and look */
    RECORDER_HELD,    /* the branch's tip is not followed: nothing is recorded on it or beside it */
    RECORDER_REFUSED, /* a hook or a rule of the server said no */
    RECORDER_FAILED,  /* not reached, or the commits could not be made */
};
const char *recorder_outcome_name(enum recorder_outcome outcome); /* "accepted" */

struct recorder {
    const struct clock *clock;
    struct record_person author;  /* of what weir decides by itself, and committer of all */
    const struct record_key *key; /* NULL: unsigned */
    /* What controllers serve must be signed by one of these: a commit that none of them would serve
     * is not pushed. NULL: it need not. */
    const char *allowed_signers;
    _Atomic bool *stop;
};

/* Commits the proposal's moves and pushes them. On a tip that the clone knows not to be the
 * branch's any more nothing is made: RECORDER_MOVED. `commit` is filled when it was accepted,
 * `error` when it was not. */
enum recorder_outcome recorder_record(const struct recorder *recorder, struct mirror *mirror,
                                      const struct proposal *proposal,
                                      char commit[COMMIT_TEXT_SIZE], struct error *error);

/* Pushes the proposed reverts of pins that are on the branch, whose tip is given, and that the
 * remote has not had (git/proposed.h): after each fetch, for whoever pinned may have died since. */
void recorder_propose(const struct recorder *recorder, struct mirror *mirror, const char *tip);

#endif
