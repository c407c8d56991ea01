/* effective.h - E(c): the definitions in force at a commit, and their documents (DESIGN section 5).
 *
 * E(c) of a wholly valid commit is what it says. Of another it depends on E of its first parent,
 * and so on down to the newest wholly valid ancestor; rules/reconcile.h takes one step of that.
 * Here history is walked, so that the outcome is a function of Git alone: on a fresh clone, after a
 * restart, and after any number of commits at once.
 *
 * What a faulty commit left out is kept on the disk, by commit, so that the way back is seldom
 * walked twice; losing that costs time only. The same holds for what pinned flags were.
 *
 * A pinned flag (rules/flag_pin.h) is served as E(the commit it is pinned to) serves it: found by
 * a way of its own, once, and grafted on what is in force. Its rollouts that were rolled back,
 * killed, stepped back or started again since are there as they are now: no pin brings back what
 * was taken from users. */
#ifndef WEIR_EFFECTIVE_H
#define WEIR_EFFECTIVE_H

#include "../rules/catalog.h"
#include "../rules/crew.h"
#include "clock.h"
#include "git/mirror.h"

/* Rises when the rules of what counts change: what was kept before says nothing any more. */
#define EFFECTIVE_RULES "7 " WEIR_VERSION

struct effective_parts {
    struct mirror *mirror; /* must outlive this, as all below */
    const struct schema_set *schemas;
    const char *cache; /* a folder, made where there is none, and one beside it with "-pins" behind
                        * its name; NULL: nothing is kept */
    const struct clock *clock;
    _Atomic bool *stop; /* becoming true ends a walk; or NULL */
};

/* Which definitions do not count at a commit, and which states count that a hand made. */
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
    struct document *base; /* `document` without what pinned flags were */
    char *grafts;          /* which flags those are, and as of what; empty: none */
};

struct effective_documents {
    struct effective_document *items; /* sorted by environment */
    size_t count;
};

/* The pins in force at a commit, as they read. Counted and immutable. */
struct effective_pin {
    const struct flag_pin *pin; /* its seq: that it stands with (struct edit) */
    struct blob_id blob;
    bool is_edit;
};
struct effective_pins {
    uint32_t references;
    struct catalog catalog;      /* of nothing else */
    struct effective_pin *items; /* sorted by name */
    size_t count;
};

/* What pinned flags were, in memory. */
struct effective_fragment {
    char *key;  /* commit, environment, flag, and what was undone since */
    char *json; /* NULL: it had no such flag */
    size_t length;
    unsigned hops; /* to other commits, since it was pinned there already */
    bool is_used;  /* since the last commit was settled */
};
struct effective_fragments {
    struct effective_fragment *items;
    size_t count, size;
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
    struct effective_pins *pins;          /* of `inventory` when it was last asked; NULL: none */
    struct effective_pins *whole_pins;    /* at `whole_commit` */
    struct effective_fragments fragments;
    bool is_plain;                       /* `documents` are without what pinned flags were */
    char whole_commit[COMMIT_TEXT_SIZE]; /* empty: none yet */
    /* effective_intact.c */
    char intact[COMMIT_TEXT_SIZE];    /* that was, the last one; empty: none was */
    char undone_at[COMMIT_TEXT_SIZE]; /* none is from this commit on; empty: none is known so */
    uint64_t steps;                   /* taken so far: one a commit that was looked at */
};

#define EFFECTIVE_PIN_HOPS 16 /* pins to commits at which the flag was pinned already */

void effective_init(struct effective *effective, const struct effective_parts *parts);
void effective_dispose(struct effective *effective);

/* Makes effective->inventory that of E(commit). A commit with faults is no failure: `result` tells
 * them. After a failure what was in force is so still, where nothing was done yet; else nothing is
 * (effective->commit is empty), and the next call begins anew. STATUS_NOT_FOUND: there is no such
 * commit; STATUS_STOPPED. */
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

/* effective_intact.c: whether what is in force can be told from the files of `commit` alone. It can
 * not where some commit on the way took away where a rollout stands, or brought back what weir said
 * before its last word: that may stand as it was. */
enum status effective_is_intact(struct effective *effective, const char *commit, bool *yes,
                                struct error *error);
/* Of a merge: weir's latest word on each state that its other parents know and its first does not;
 * in `arena`. */
enum status effective_rivals(struct effective *effective, const char *commit, struct arena *arena,
                             struct exception **out, size_t *count, struct error *error);

/* effective_states.c: where rollouts stand counts in environments that hold too, or a kill would
 * wait for somebody to mend a commit. */
bool effective_states_keep(const struct inventory *inventory, struct effective_states *out);
void effective_states_dispose(struct effective_states *states);
/* `held`, but for the flags of rollouts that stand elsewhere than they did at the whole commit, and
 * those killed only there or only now: they are as `made` has them. A new reference in *out. */
enum status effective_states_apply(const struct effective *effective,
                                   const struct inventory_document *made, struct document *held,
                                   struct document **out, struct error *error);

/* effective_pins.c: effective->pins become those of the inventory. */
enum status effective_pins_refresh(struct effective *effective, struct error *error);
void effective_pins_release(struct effective_pins *pins); /* NULL is fine */
/* The pin of ENVIRONMENT/FLAG; NULL where there is none. `pins` may be NULL. */
const struct flag_pin *effective_pins_find(const struct effective_pins *pins, struct text name);
/* Grafts what pinned flags of an environment were on item->base, or takes over what was made of the
 * same for `before` (or NULL): item->document and item->grafts. A pin that does not count is told
 * in effective->result.diagnostics. */
enum status effective_pins_graft(struct effective *effective,
                                 const struct effective_document *before,
                                 struct effective_document *item, struct error *error);
/* Appends what a flag of an environment is as of a commit, one in the history of effective->commit,
 * which is in force; *found is false where it was none. Kept for the pin that may come of it.
 * STATUS_LIMIT: more than EFFECTIVE_PIN_HOPS. */
enum status effective_fragment_as_of(struct effective *effective, struct text environment,
                                     struct text flag, const char *as_of, struct buffer *out,
                                     bool *found, struct error *error);
/* Of effective->fragments: those that were not asked for since the last call are given back. */
void effective_fragments_trim(struct effective *effective);
void effective_fragments_dispose(struct effective_fragments *fragments);

/* Puts effective->documents together anew, from the inventory as it is. */
enum status effective_settle(struct effective *effective, struct error *error);

void effective_known_init(struct effective_known *known);
void effective_known_dispose(struct effective_known *known);

#endif
