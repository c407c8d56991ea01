/* flag_move.h - decisions on flags without a rollout, on their way to the branch: taking back what
 * a commit did to a watched flag (revert.h), and killing or letting go a flag (pin.h).
 *
 * Beside the moves of rollouts in a proposal (recorder.h), and as those a function of the tip. */
#ifndef WEIR_FLAG_MOVE_H
#define WEIR_FLAG_MOVE_H

#include "revert.h"

#define FLAG_MOVES_MAX 100 /* in a proposal; the rest follows on the next tip */

/* Texts and lists live in the proposal's arena; schemas are core's. */
struct flag_move {
    bool takes_back;           /* `revert`, else `pin` */
    struct revert_task revert; /* mirror, clock and stop are the recorder's to fill in */
    struct pin_task pin;       /* with an intent */
};

/* What is pushed once the branch has the decision. */
struct flag_proposal {
    char commit[COMMIT_TEXT_SIZE]; /* empty: nothing is */
    char branch[REVERT_BRANCH_SIZE];
    bool has_failed; /* nothing could be committed */
};

struct text flag_move_intent(const struct flag_move *move);
struct text flag_move_by(const struct flag_move *move);
/* Commits it on decision->head; nothing, where the tip says so already. STATUS_REFUSED: there is
 * nothing to take back, and `error` says why. After a failure the head is as before. */
enum status flag_move_commit(const struct flag_move *move, struct tip_decision *decision,
                             struct flag_proposal *proposal, struct error *error);

#endif
