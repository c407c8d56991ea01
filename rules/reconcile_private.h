/* reconcile_private.h - private to reconcile*.c: one step, from one commit to another. */
#ifndef WEIR_RECONCILE_PRIVATE_H
#define WEIR_RECONCILE_PRIVATE_H

#include "catalog.h"
#include "reconcile.h"

/* What a step knows of an entry that it touches. */
struct work {
    struct entry *entry;
    size_t place;           /* in step->all */
    bool candidate;         /* what the commit wants is not what is in force */
    bool stands;            /* as in P: a candidate that does not count */
    bool known;             /* an exception says what counts */
    bool broken;            /* what the commit has is wrong by itself */
    bool dirty;             /* documents may change by it */
    bool faulty;            /* found in this round */
    bool reached;           /* by a walk of this round */
    uint32_t round;         /* in which it was last in the world */
    struct version *wanted; /* whole, the only one; NULL: none */
    struct version *chosen; /* of a candidate: the one that counts in this round, before that
                               the one that people are told of; NULL: absent */
    struct version *before; /* of a state: a rival, which stands in the place of the one in force;
                               or NULL */
    struct edit edit;       /* of a state, when it was looked at; seq 0: none */
    struct entry **references; /* of the version that counts, in this round */
    size_t reference_count;
};

struct works {
    struct work **items;
    size_t count, size;
};

struct step {
    struct inventory *inventory;
    const struct reconcile_task *task;
    struct reconcile_result *result;
    struct arena *arena;
    struct works all;        /* every entry touched */
    struct works candidates; /* of them */
    struct works world;      /* those that are in this round's catalog */
    struct catalog catalog;  /* of this round; in the arena */
    struct link_faults faults;
    struct catalog_names names;       /* of the catalog */
    struct text *defined[KIND_COUNT]; /* by the commit; in the arena, NULL: not listed yet */
    size_t defined_count[KIND_COUNT];
    uint32_t round;
    bool all_flags;         /* are dirty: an environment changed, or all is compiled anew */
    bool crowded;           /* something does not compile, perhaps only beside what was once */
    bool anew;              /* nothing is taken from the documents before */
    bool collapsed;         /* all candidates stand */
    bool troubled;          /* by something in the commit, apart from linking and compiling */
    struct entries touched; /* by the changes to files */
    struct table given;     /* struct source_file: of exceptions */
    struct inventory_document *documents; /* of the last compile, in the order of the catalog */
    size_t document_count;
};

/* The work on an entry, made where there is none; NULL without memory. */
struct work *step_work(struct step *step, struct entry *entry);
/* Makes an entry a candidate where the commit has something else than what is in force. */
enum status step_judge(struct step *step, struct entry *entry);
/* What it stands as: the one in force, or for a state the rival that is P's. */
struct version *work_before(const struct work *work);
/* The version that counts in this round; NULL: none. */
struct version *step_version(const struct entry *entry);
/* Whether it is a candidate that does not stand: its new version is in this round's world. */
bool work_counts(const struct work *work);
bool works_add(struct works *works, struct work *work) MUST_CHECK;

/* reconcile_files.c: the changes to files become the inventory's. */
enum status step_take_files(struct step *step);
/* Reads the definitions of versions whose files were not read in this step. */
enum status step_read_versions(struct step *step, struct version *const *versions, size_t count);
/* The version of an entry that an exception tells, read; NULL in *out: absent. STATUS_NOT_FOUND:
 * there is none such. */
enum status step_given_version(struct step *step, const struct entry *entry,
                               const struct exception *exception, struct version **out);
/* Adds copies of what is wrong with the commit's files. */
void step_tell_files(struct step *step);

/* reconcile_world.c: the catalog of all that is dirty and all that it asks for, in this round;
 * `without_broken`: they are absent, though they may have stood. Then step->world is in the order
 * of their kinds and names, as the catalog's lists are, and people are told of the round. */
enum status step_make_world(struct step *step, bool without_broken);
/* The names that a definition asks for, each once; entries that there are. In the arena. */
enum status step_references(struct step *step, enum kind kind, const void *definition,
                            struct entry ***out, size_t *count);
/* reconcile_round.c: links, then compiles what is dirty. Sets faulty in works; STATUS_INVALID when
 * something is wrong, in `diagnostics`. */
enum status step_link(struct step *step, struct diagnostics *diagnostics);
enum status step_compile(struct step *step, struct diagnostics *diagnostics);
void step_forget_documents(struct step *step);

/* reconcile_stand.c: which candidates stand as in P, given what was found wrong. */
enum status step_stand_by_faults(struct step *step);     /* after a round that went wrong */
enum status step_stand_by_dependence(struct step *step); /* those that depend on one that stands */

/* reconcile_hand.c: states and pins that somebody else than weir wrote, or put back. */

/* The rivals that are weir's later word become what was before. */
enum status step_take_rivals(struct step *step);
/* What a hand made counts only where it is equal or safer. */
enum status step_check_hand(struct step *step);
/* After all rounds: who made what is in force now. */
enum status step_note_hands(struct step *step);
/* Whether some state in force is no word of weir's. */
bool step_has_edits(const struct step *step);

/* reconcile_rollout.c: what a commit may not do to a rollout that is under way. */

/* In this round: the candidates that would take away what an unfinished rollout walks on are
 * faulty, and *faulty is true. */
enum status step_guard_rollouts(struct step *step, struct diagnostics *diagnostics, bool *faulty);
/* Whether, after all rounds, an unfinished rollout lacks what it walks on: by the commit alone
 * nobody can tell what was there before. */
bool step_leans(const struct step *step);

#endif
