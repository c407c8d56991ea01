/* move.h - from a decision of the machine to the commit that records it.
 *
 * A commit by weir touches only its own state file and tells in trailers what was decided and why
 * (DESIGN section 4, ROLLOUTS.md section 5). All of it is a function of the tip: whoever decides
 * the same on the same tip writes the same. */
#ifndef WEIR_MOVE_H
#define WEIR_MOVE_H

#include "../git/decide.h"
#include "../git/message.h"
#include "roster.h"

struct move {
    const struct roster_rollout *item;    /* where it stands on the tip */
    const struct rollout_state *before;   /* item->state, or what a move of the same chain made */
    const struct walk_decision *decision; /* with a state, and needs_commit */
    struct text by;                       /* who decided: "weir", a token's subject, a signer */
    struct text reason;                   /* what a person gave for it, or empty */
    struct text evidence;                 /* or empty */
    int64_t decided; /* instant of the decision: of the trailer Weir-Evidence */
};

/* Commits it on decision->head (decide.h): the state file, and the message with its subject,
 * `Revert "…"` and what it reverts where it walks back, and its trailers. */
enum status move_commit(struct decision *on, const struct move *move, struct error *error);

/* The commits of this run that grew the rollout, newest first, as the log of its state file tells
 * them (trailers Weir-Action start, advance, open-window, complete); followed along first parents
 * from `commit`, no further than where the state's run began. */
#define MOVE_REVERTS_MAX 256
struct move_advance {
    char commit[COMMIT_TEXT_SIZE];
    char subject[MESSAGE_SUBJECT_MAX + 1];
};
enum status move_advances(struct mirror *mirror, const char *commit, const char *path, uint32_t run,
                          struct move_advance *out, size_t *count, struct error *error);

/* Who wrote the last commit that changed the rollout's definition: "NAME <MAIL>". That person may
 * not approve it. Empty: nobody ever did. */
#define MOVE_AUTHOR_SIZE 512
enum status move_author(struct mirror *mirror, const char *commit, const char *path,
                        char out[MOVE_AUTHOR_SIZE], struct error *error);

/* Automatic rollbacks (by weir, of trailer Weir-Action rollback, step-back, kill) that the log of
 * `commit` tells with a time of `since` or later: for the blast cap. */
enum status move_count_rollbacks(struct mirror *mirror, const char *commit, int64_t since,
                                 uint32_t *count, struct error *error);

#endif
