/* effective.h - E(c): the definitions in force at a commit, and their documents (DESIGN section 5).
 *
 * E(c) of a wholly valid commit is what it says. Of another it depends on E of its first parent,
 * and so on down to the newest wholly valid ancestor; rules/reconcile.h takes one step of that.
 * Here history is walked, so that the outcome is a function of Git alone: on a fresh clone, after a
 * restart, and after any number of commits at once.
 *
 * What a faulty commit left out is kept on the disk, by commit, so that the way back is seldom
 * walked twice; losing that costs time only. */
#ifndef WEIR_EFFECTIVE_H
#define WEIR_EFFECTIVE_H

#include "../rules/crew.h"
#include "clock.h"
#include "git/mirror.h"

struct effective_parts {
    struct mirror *mirror; /* must outlive this, as all below */
    const struct schema_set *schemas;
    const char *cache; /* a folder, made where there is none; NULL: nothing is kept */
    const struct clock *clock;
    _Atomic bool *stop; /* becoming true ends a walk; or NULL */
};

/* Which definitions do not count at a commit. */
struct effective_known {
    struct arena arena;
    char commit[COMMIT_TEXT_SIZE];
    char whole[COMMIT_TEXT_SIZE]; /* the newest wholly valid one on the way to it; empty: none */
    struct exception *exceptions;
    size_t count;
};

/* What is served in one environment. */
struct effective_document {
    char *environment;
    struct document *document;
    bool is_held; /* of the newest wholly valid commit: the environment's onInvalid is hold */
};

struct effective_documents {
    struct effective_document *items; /* sorted by environment */
    size_t count;
};

/* Which file says where each rollout stands. */
struct effective_state {
    char *name; /* ENVIRONMENT/ROLLOUT */
    struct blob_id blob;
};
struct effective_states {
    struct effective_state *items;
    size_t count;
};

struct effective {
    struct effective_parts parts;
    struct crew crew;
    struct inventory inventory;     /* what is in force, and its documents */
    char commit[COMMIT_TEXT_SIZE];  /* of which; empty: none yet */
    bool is_exact;                  /* it is E(commit), not something on the way there */
    struct reconcile_result result; /* of `commit`: its faults, its targets, whether it is whole */
    char tree[COMMIT_TEXT_SIZE];    /* the commit whose files the inventory knows; or empty */
    size_t entries;                 /* of its tree */
    struct effective_known last;    /* the last commit that E was known of */
    struct effective_documents documents; /* what is served at `commit` */
    struct effective_documents whole;     /* what was in force at the commit `whole_commit` */
    struct effective_states whole_states; /* at that commit */
    char whole_commit[COMMIT_TEXT_SIZE];  /* empty: none yet */
    uint64_t steps;                       /* taken so far: one a commit that was looked at */
};

void effective_init(struct effective *effective, const struct effective_parts *parts);
void effective_dispose(struct effective *effective);

/* Makes effective->inventory that of E(commit). A commit with faults is no failure: `result` tells
 * them. After a failure nothing is in force here, and the next call begins anew. STATUS_NOT_FOUND:
 * there is no such commit; STATUS_STOPPED. */
enum status effective_go(struct effective *effective, const char *commit, struct error *error);

const struct document *effective_document(const struct effective *effective,
                                          struct text environment);
/* Gives back what was only needed to get here: all but what is served, and what the next commit
 * builds on. */
void effective_trim(struct effective *effective);

/* effective_cache.c: what is kept on the disk. STATUS_NOT_FOUND: nothing of that commit. */
enum status effective_load(const struct effective *effective, const char *commit,
                           struct effective_known *known);
void effective_save(const struct effective *effective, const struct effective_known *known);
void effective_forget(const struct effective *effective, const char *commit);

/* effective_states.c: where rollouts stand counts in environments that hold too, or a kill would
 * wait for somebody to mend a commit. */
bool effective_states_keep(const struct inventory *inventory, struct effective_states *out);
void effective_states_dispose(struct effective_states *states);
/* `held`, but for the flags of rollouts that stand elsewhere than they did at `then`: those are as
 * `made` has them. A new reference in *out. */
enum status effective_states_apply(const struct inventory *inventory,
                                   const struct effective_states *then,
                                   const struct inventory_document *made, struct document *held,
                                   struct document **out, struct error *error);

void effective_known_init(struct effective_known *known);
void effective_known_dispose(struct effective_known *known);

#endif
