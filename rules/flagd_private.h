/* flagd_private.h - what the files of the strict loader share.
 *
 * flagd_check.c walks the document and its flags, flagd_logic.c the rules, flagd_refs.c the
 * evaluators and what refers to them; flagd_operators.c knows the operators, and flagd_fault.c
 * finds the words. All of it works on the nodes of one document; what grows is in the checker's
 * arena or its tables, and goes with it. */
#ifndef WEIR_FLAGD_PRIVATE_H
#define WEIR_FLAGD_PRIVATE_H

#include "arena.h"
#include "codes.h"
#include "diagnostics.h"
#include "names.h"

/* --- the checker ----------------------------------------------------------------------------- */

struct flagd_reference {
    struct flagd_reference *next;
    const struct node *node; /* the name */
    struct flagd_evaluator *to;
};

struct flagd_evaluator {
    const struct node *node;
    struct flagd_reference *references; /* inside it, to evaluators that exist */
    bool used;
    enum { SEARCH_NEW, SEARCH_OPEN, SEARCH_DONE } state; /* of the search for circles */
    struct flagd_reference *cursor;
    struct flagd_evaluator *from;
};

struct flagd_checker {
    struct diagnostics *out;
    struct text path, json;
    struct arena arena;
    bool no_memory;

    struct names keys; /* of the map that is looked through for keys that stand twice */
    struct names evaluator_names;
    struct flagd_evaluator *evaluators;
    size_t evaluator_count;
    const struct node *evaluator_map; /* NULL: there is none */

    /* What is being looked at. */
    const char *kind;            /* "flag", "evaluator", or NULL */
    struct text name;            /* of it */
    const struct node *variants; /* of the flag; NULL: nothing can be said of variants */
    struct names variant_names;
    struct flagd_evaluator *inside; /* NULL: not in an evaluator */
    unsigned operators;             /* in one another, here */
    unsigned arrays;                /* constant arrays in one another, here */
    unsigned iterations;            /* map, filter, some … in one another, here */
    bool told_deep;
};

/* --- flagd_fault.c --------------------------------------------------------------------------- */

#define FLAGD_WORDS_SIZE 512

/* Words for one message, passed by value: flagd_quote(name).text */
struct flagd_words {
    char text[FLAGD_WORDS_SIZE];
};

struct place flagd_at(const struct flagd_checker *checker, const struct node *node);
struct place flagd_at_key(const struct flagd_checker *checker, const struct node *entry);
/* In quotes, on one line, cut when it is long. */
struct flagd_words flagd_quote(struct text text);
/* "an array", as JSON calls it. */
const char *flagd_type_name(const struct node *node);
/* What the value is: "an array", or a short one itself: 1.5, "x", null. */
struct flagd_words flagd_show(const struct flagd_checker *checker, const struct node *node);
/* `did you mean "…"?` of the keys of `map` (which may be NULL), else the keys themselves after
 * `listed`, else nothing. */
struct flagd_words flagd_suggest(const struct node *map, struct text wanted, const char *listed);
/* Notes a fault of what is being looked at. `hint` may be NULL or empty. */
struct diagnostic *flagd_fault(struct flagd_checker *checker, const char *code, struct place place,
                               const char *hint, const char *format, ...) PRINTF_LIKE(5, 6);

/* --- flagd_operators.c ----------------------------------------------------------------------- */

enum flagd_takes {
    TAKES_ARGUMENTS, /* an array of least to most */
    TAKES_ONE,       /* an argument, or an array of one */
    TAKES_PATH,
    TAKES_PATHS,
    TAKES_COUNT_AND_PATHS,
    TAKES_STRINGS,
    TAKES_VERSIONS,
    TAKES_SHARES,
};

/* What of its arguments can be the result. */
enum flagd_gives {
    GIVES_NONE,
    GIVES_BOOLEAN,
    GIVES_BRANCHES, /* if */
    GIVES_LAST,     /* and */
    GIVES_ANY,      /* or */
    GIVES_SHARES,   /* fractional */
};

#define ANY_NUMBER UINT32_MAX

struct flagd_operator {
    struct text name;
    enum flagd_takes takes;
    uint32_t least, most;
    enum flagd_gives gives;
    bool iterates; /* evaluates its second argument for each entry of the first */
    bool flagds;   /* not of JsonLogic */
};

/* NULL: there is none. */
const struct flagd_operator *flagd_operator_find(struct text name);
/* What other languages call it, or the nearest of ours; empty where nothing is near. */
struct text flagd_operator_nearest(struct text name);

/* --- flagd_logic.c --------------------------------------------------------------------------- */

/* A flag's targeting, or an evaluator's rule. */
void flagd_check_targeting(struct flagd_checker *checker, const struct node *targeting);

/* --- flagd_refs.c ---------------------------------------------------------------------------- */

/* Learns the names of the evaluators; `map` is an object. False without memory. */
bool flagd_evaluators_learn(struct flagd_checker *checker, const struct node *map) MUST_CHECK;
/* A $ref by the name in `node`, a string. */
void flagd_check_reference(struct flagd_checker *checker, const struct node *node);
/* What can be said when all references are known: circles, and evaluators that nobody uses. */
void flagd_check_evaluators_used(struct flagd_checker *checker);

#endif
