/* revert.h - taking back what a person's commit did to a watched flag (ROLLOUTS.md section 5).
 *
 * When a metric of a flag's `watch` breaks, the flag goes back to what it was at the newest commit
 * that finished its bake: `good`. First parents are followed, as E does. What changed the flag
 * since is recorded in one of two ways:
 *   - a revert commit, when all that those commits changed belongs to the flag, nobody changed the
 *     same files later, and what comes of it serves the flag just as `good` did, with no fault that
 *     the tip does not have;
 *   - else a pin to `good`, and that revert as a proposed branch, weir/revert/ID, where it can be
 *     made at all. Merging that branch lifts the pin.
 * Both write the flag's file of pins: that is where the id of the decision is found again. All of
 * it is a function of Git and the task. */
#ifndef WEIR_REVERT_H
#define WEIR_REVERT_H

#include "../git/changed.h"
#include "pin.h"

#define REVERT_LOOK_MAX                                                                            \
    20000 /* commits along first parents, to find one that finished its bake                       \
           */
#define REVERT_STEPS_MAX                                                                           \
    1000 /* commits since, at which the flag is looked at; of more the flag is                     \
            pinned without looking */
#define REVERT_CHANGES_MAX 16 /* commits that one revert takes back */
#define REVERT_FILES_MAX 200  /* files of each */

/* A tip that was served, and since when. Commits that came with it stand since then too: when they
 * were made says little. */
struct revert_served {
    char commit[COMMIT_TEXT_SIZE];
    int64_t since; /* instant */
};

struct revert_task {
    struct effective_parts parts; /* its mirror is the calling thread's */
    struct text environment, flag;
    int64_t bake; /* seconds */
    int64_t now;  /* instant */
    /* Any order. Of commits before the oldest of them, their committer's time counts. */
    const struct revert_served *served;
    size_t served_count;
    struct text by;       /* "weir" */
    struct text evidence; /* "checkout-errors: 0.031 > 0.01, …", or empty */
    struct text intent; /* of the open override; empty: flag_pin_intent() of the action "revert" */
};

enum revert_kind {
    REVERT_NOTHING, /* `words` say why */
    REVERT_COMMIT,
    REVERT_PIN, /* `words` say why it is not a revert */
};

/* A commit that changed what the flag serves. */
struct revert_change {
    char commit[COMMIT_TEXT_SIZE];
    struct commit_facts facts;
};

#define REVERT_BRANCH_SIZE 48 /* of the ref, with its NUL */
struct revert {
    enum revert_kind kind; /* after revert_find(): REVERT_NOTHING, or REVERT_PIN while nothing is
                            * recorded */
    char words[256];
    char tip[COMMIT_TEXT_SIZE];  /* on which all this was found */
    char good[COMMIT_TEXT_SIZE]; /* what the flag goes back to; empty: nothing */
    struct revert_change changes[REVERT_CHANGES_MAX]; /* since then, newest first */
    size_t change_count;
    bool is_more;                  /* there are more of them, or they were not looked for */
    bool found;                    /* the flag was there at `good` */
    struct buffer json;            /* what it was: the fragment of an override */
    size_t faults;                 /* of the tip: errors and what is quarantined */
    struct effective_pins *pins;   /* of the tip; a reference, or NULL */
    const struct flag_pin *before; /* the flag's of them; or NULL */
    char intent[INTENT_TEXT_SIZE];
    /* what was recorded */
    char proposal[COMMIT_TEXT_SIZE]; /* a commit for `branch` (git/proposed.h); empty: none */
    char branch[REVERT_BRANCH_SIZE]; /* "refs/heads/weir/revert/ID": 16 digits of the intent */
};

void revert_init(struct revert *revert);
void revert_dispose(struct revert *revert);

/* What there is to take back at a tip; nothing is written. Takes E at `good` and each commit since,
 * by ways of its own. */
enum status revert_find(const struct revert_task *task, const char *tip, struct revert *revert,
                        struct error *error);
/* Commits what was found, on decision->tip, which must be the tip of revert_find(). */
enum status revert_commit(const struct revert_task *task, struct revert *revert,
                          struct tip_decision *decision, struct error *error);

/* Both, as a decide_callback: its context is a struct revert_decide. */
struct revert_decide {
    struct revert_task task; /* its mirror is set to the decision's */
    struct revert revert;
};
enum status revert_decide(void *revert_decide, struct tip_decision *decision, struct error *error);

#endif
