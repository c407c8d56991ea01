/* move.h - from a decision of the machine to the commit that records it.
 *
 * A commit by weir touches only its own state file and tells in trailers what was decided and why
 * (DESIGN section 4, ROLLOUTS.md section 5). All of it is a function of the tip: whoever decides
 * the same on the same tip writes the same. */
#ifndef WEIR_MOVE_H
#define WEIR_MOVE_H

#include "../git/message.h"
#include "roster.h"

struct tip_decision; /* decide.h */
struct mirror;

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
 * `Revert "…"` and what it reverts where it walks back, and its trailers. A rollback undoes every
 * advance of the run, a step back the newest, with the windows of a ramp that followed it; the
 * subject names the newest. STATUS_INVALID: there is nothing to commit in that decision. */
enum status move_commit(struct tip_decision *on, const struct move *move, struct error *error);

/* The commits of one run that let more users in and were not undone since, newest first, as the log
 * of its state file tells them: trailer Weir-Action start, advance, open-window or complete, or a
 * resume that began the run. From `commit`, no further than where the run began. */
#define MOVE_REVERTS_MAX 256
struct move_advance {
    char commit[COMMIT_TEXT_SIZE];
    char subject[MESSAGE_SUBJECT_MAX + 1];
    enum walk_kind kind;
};
struct move_advances {
    struct move_advance items[MOVE_REVERTS_MAX];
    size_t count;
    bool more; /* there are older ones */
};
/* STATUS_LIMIT: history is longer than path_log.h looks at. */
enum status move_advances(struct mirror *mirror, const char *commit, const char *path, uint32_t run,
                          struct move_advances *out, struct error *error);

/* Who wrote the last commit that changed the file of the rollout's definition: "NAME <MAIL>". That
 * person may not approve it. Empty: nobody ever did. */
#define MOVE_AUTHOR_SIZE 512
enum status move_author(struct mirror *mirror, const char *commit, const char *path,
                        char out[MOVE_AUTHOR_SIZE], struct error *error);
/* Whether `by` (the subject of a token or a signature) is that author: the whole, the name or the
 * mail address, without regard to case. */
bool move_is_author(const char *author, struct text by);
/* For a verb of `by` on the rollout as it is at `commit`: sets task->author to `by` when it wrote
 * the last change to the rollout, or to the plan that the rollout names; else to nobody. */
enum status move_bar_author(struct mirror *mirror, const char *commit, const struct roster *roster,
                            const struct roster_rollout *item, struct text by,
                            struct walk_task *task, struct error *error);

/* Automatic rollbacks (trailers Weir-By weir, by itself or as told, and Weir-Action rollback,
 * step-back, kill, or of watched flags revert or pin) that the log of state/ tells with a time of
 * `since` (seconds since 1970) or later: for the blast cap. */
enum status move_count_rollbacks(struct mirror *mirror, const char *commit, int64_t since,
                                 uint32_t *count, struct error *error);

#endif
