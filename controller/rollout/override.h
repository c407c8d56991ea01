/* override.h - safe states that are served before Git says so (ROLLOUTS.md section 4).
 *
 * An override says: serve this fragment of the document instead, until Git says something equal or
 * safer. It is decided by one controller, kept by its store, and carried by the targets that can,
 * so that another controller finds it there. Its JSON is the same everywhere. */
#ifndef WEIR_OVERRIDE_H
#define WEIR_OVERRIDE_H

#include "../../rules/buffer.h"
#include "../../rules/compile.h"
#include "../../rules/walk.h"
#include "../snapshot.h"

#define OVERRIDES_MAX 10000                 /* open at one time, of a controller */
#define OVERRIDE_JSON_MAX ((size_t)9 << 20) /* of one, its fragment included */
/* Whatever has to be escaped in a JSON string becomes two bytes at most, since control characters
 * are refused: so one within these bounds is written within OVERRIDE_JSON_MAX. */
#define OVERRIDE_FRAGMENT_MAX                                                                      \
    COMPILE_FRAGMENT_MAX       /* what is served is kept, whatever flag it is                      \
                                */
#define OVERRIDE_LINE_MAX 1024 /* of `by` and of `note`, bytes */
#define OVERRIDE_EVIDENCE_MAX ((size_t)16 << 10)
#define OVERRIDE_INTENT_LENGTH 64
/* Of `after`: no walk goes back further than there are phases. */
#define OVERRIDE_AFTER_MAX ((size_t)PHASES_MAX * (OVERRIDE_INTENT_LENGTH + 1))

/* Counted and immutable. Texts are its own, NUL-terminated. */
struct override {
    _Atomic uint32_t references;
    struct arena arena;
    struct text intent;                     /* 64 hexadecimal digits, lower case: names it */
    struct text environment, flag, rollout; /* rollout empty: the kill of a flag without one */
    enum walk_verb_kind action;             /* VERB_STEP_BACK, VERB_ROLLBACK or VERB_KILL */
    uint32_t run, seq;                      /* of the state on which it was decided */
    struct text after;    /* intents, oldest first, a space between two: see below */
    struct text by;       /* "weir", or who asked; see override_is_told() */
    struct text note;     /* one line, or empty */
    struct text evidence; /* "checkout-errors: 0.031 > 0.01, …", or empty */
    struct text fragment; /* the flag's JSON; empty: there is no such flag */
    struct text told;     /* who told of it: "target 'cache'"; empty: nobody */
    int64_t since;        /* wall seconds */
    char generation[GENERATION_TEXT_SIZE]; /* by which it was first served */
    bool is_joined; /* the fragment is of others too (steering_compose()): kept and told nowhere */
};

/* Where the branch does not take a step back, the next is decided on the state that the branch will
 * have by then: `after` names the step backs that this one comes after, so that whoever finds it
 * without them records all. Most come after none. */

/* How many moves record it: those of `after`, and its own, which is the last. */
size_t override_move_count(const struct override *override);
/* One of them, in the order of their record; texts are the override's. */
struct walk_verb override_move(const struct override *override, size_t index);
/* Whether of two of one rollout `a` is recorded before `b`: as they were decided. */
bool override_goes_before(const struct override *a, const struct override *b);

/* A copy of all that `from` says, with one reference; NULL without memory. `from` is not checked:
 * whoever makes one keeps to the bounds above. */
struct override *override_new(const struct override *from);
/* All that it says, borrowed from it, for override_new() to be given with a change. Assigning the
 * struct would read its references, which other threads may be counting meanwhile. */
struct override override_words(const struct override *of);
struct override *override_reference(struct override *override); /* NULL is fine */
void override_release(struct override *override);               /* NULL is fine */

/* It says that there is no such flag, as before a commit that brought it and broke it. Only a
 * rollback of a flag without a rollout may say so. */
bool override_is_absence(const struct override *override);

/* Which of two for one flag is served: the safer action (kill of the flag, kill of a rollout,
 * rollback, step-back); of the same the later run, then seq, then the smaller intent, so that all
 * choose alike. */
bool override_wins(const struct override *a, const struct override *b);

/* Whose decision it is: weir's own, by what is measured; one that somebody told of, so that
 * nobody's name stands for it; else a person's, by the name of whom weir commits.
 *
 * What a target or a ref says of who decided is a stranger's word. An override that is adopted
 * bears "weir, as told by target 'cache'", or "somebody, as told by …" where a person is named
 * there. */
#define OVERRIDE_TOLD ", as told by "
bool override_is_automatic(struct text by);
bool override_is_told(struct text by);

/* {"action":…,"by":…,…}: canonical, keys sorted; the fragment as a string; "told" only where
 * somebody did. */
void override_write(const struct override *override, struct buffer *out);
/* What came from elsewhere: bounded, and every field checked; the fragment is one that compiles to
 * a flag. Members that are not known are passed over: a newer weir may say more. STATUS_INVALID or
 * STATUS_LIMIT say what is wrong; STATUS_NO_MEMORY. *out is NULL after a failure. */
enum status override_read(struct text json, struct override **out, struct error *error) MUST_CHECK;

/* --- what belongs to one environment of a snapshot -------------------------------------------- */

/* Counted; immutable once it is given to a snapshot: what targets are told beside a document. */
struct override_set {
    _Atomic uint32_t references;
    struct override **items; /* sorted by flag, each flag once; a reference on each */
    size_t count;
    /* Intents that the commit's states hold, and of overrides that were found those which it makes
     * void (equal or safer, a later run): what stands at a target by these ends. Sorted; in the
     * arena. */
    struct text *recorded;
    size_t recorded_count;
    struct arena arena;
};
/* With room for so many, all empty: the caller fills items[] (references are taken over) and
 * recorded[] (texts by arena_copy() into its arena), sorted, and may lower the counts. NULL without
 * memory. */
struct override_set *override_set_new(size_t overrides, size_t recorded);
struct override_set *override_set_reference(struct override_set *set); /* NULL is fine */
void override_set_release(struct override_set *set);                   /* NULL is fine */
/* Whether the commit's states hold this intent; a set that is NULL records nothing. */
bool override_set_records(const struct override_set *set, struct text intent);
/* Appends the intents of its overrides, for people and programs that look beside a document: at
 * most OVERRIDES_NAMED, then "+9" where there are nine more; commas between them, `quote` around
 * each (0: none). Nothing where there are no overrides, or no set. */
#define OVERRIDES_NAMED 32
void override_set_name(const struct override_set *set, char quote, struct buffer *out);
/* The override of a flag, borrowed; NULL where there is none, or no set. */
struct override *override_set_find(const struct override_set *set, struct text flag);

#endif
