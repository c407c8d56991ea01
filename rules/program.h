/* program.h - a flag's rules, compiled: a tree of instructions over attribute slots.
 *
 * program_compile() turns a flag object (flagd JSON, parsed) into a program once; evaluate*.c walk
 * it for each request. Immutable; all its memory is one arena's.
 *
 * What an expression means is what npm's flagd-core 4 makes of it (json-logic-engine 5.0.7, with
 * generated code), which differs from its own interpreter and from the other engines at the edges
 * (reference: portability.md). Parts without attributes are evaluated while compiling, by the rules
 * of the interpreter, as there; what cannot be compiled makes every evaluation of the flag a
 * PARSE_ERROR, and what fails while evaluating is GENERAL. Runs of guards that encode.c writes (is
 * it a string? is it a number?) are recognised and become one instruction; equal conditions are
 * evaluated once for each context. */
#ifndef WEIR_PROGRAM_H
#define WEIR_PROGRAM_H

#include "arena.h"
#include "attributes.h"
#include "dictionary.h"
#include "node.h"
#include "semver.h"
#include "set_metadata.h"
#include "value.h"

enum op {
    OP_CONSTANT, /* value */
    OP_SLOT,     /* slot */
    OP_WALK,     /* path, from what the one argument gives */
    OP_LOCAL,    /* path, from the element that an iterator is looking at */
    OP_DEFAULT,  /* the second argument where the first gives null */
    OP_FLAG_KEY,
    OP_TIMESTAMP,
    OP_FLAGD, /* the object that holds both */
    OP_FAIL,  /* value is an error */
    OP_LIST,  /* of what its arguments give */
    OP_IF,
    OP_AND,
    OP_OR,
    OP_NOT,
    OP_TRUTH,    /* !! */
    OP_ONCE,     /* the truth of its argument is remembered for the context */
    OP_REMEMBER, /* what its argument gives becomes machine.previous (see OP_COMPARE) */
    OP_SAME,     /* ===; two or more arguments, as the next */
    OP_NOT_SAME,
    OP_EQUAL, /* == with a constant, as the next five */
    OP_NOT_EQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_COMPARE, /* slot is the enum op of a comparison of whatever; generated code checks the right
                   side against the value that was stored last, which need not be the left one */
    OP_COMPARE_PLAINLY, /* the same as the interpreter does it */
    OP_IN,
    OP_IN_SET, /* in a list of many constant strings: set */
    OP_STARTS_WITH,
    OP_ENDS_WITH,
    OP_CAT,
    OP_ADD, /* arithmetic over arguments */
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_REMAINDER,
    OP_MAP, /* iterators: a list, and what is done with each element */
    OP_FILTER,
    OP_SOME,
    OP_ALL,
    OP_NONE,
    OP_REDUCE,  /* a list, what is done with each element, and perhaps where to begin */
    OP_MISSING, /* those of the constant names, in the first argument, whose slots, the others, are
                   missing */
    OP_SEM_VER, /* test */
    OP_FRACTIONAL, /* key, and shares; or else variant and weight in turn behind the key */
    OP_BUILTIN,    /* slot is an enum builtin: the larger operators, over a list of arguments */
    OP_EXISTS,     /* !== null, of a slot */
    OP_IS_STRING,  /* recognised guards */
    OP_IS_NUMBER,
    OP_IS_VERSION,
};

/* Operators that get all they work on as one value: a list of arguments, or what stood there
 * instead of a list. */
enum builtin {
    BUILTIN_VAR,
    BUILTIN_MISSING,
    BUILTIN_MISSING_SOME,
    BUILTIN_IN,
    BUILTIN_SUBSTR,
    BUILTIN_MERGE,
    BUILTIN_MAXIMUM,
    BUILTIN_MINIMUM,
    BUILTIN_STARTS_WITH,
    BUILTIN_ENDS_WITH,
    BUILTIN_SEM_VER,
    BUILTIN_FRACTIONAL,
    BUILTIN_CAT,
    BUILTIN_NOT,
    BUILTIN_TRUTH,
    BUILTIN_ADD, /* as the interpreter does it */
    BUILTIN_SUBTRACT,
    BUILTIN_MULTIPLY,
    BUILTIN_DIVIDE,
    BUILTIN_REMAINDER,
    BUILTIN_SUM, /* over a list that an expression gave, as generated code does it */
    BUILTIN_DIFFERENCE,
    BUILTIN_PRODUCT,
    BUILTIN_QUOTIENT,
    BUILTIN_MODULUS,
};

/* How OP_BUILTIN comes by that value: `count` arguments make a list, or the one argument is the
 * value, or it is put into a list unless it is one. */
#define ARGUMENT_AS_IT_IS UINT32_MAX
#define ARGUMENT_AS_LIST (UINT32_MAX - 1)

/* How iterators and var differ between generated code and the interpreter; and missing, for which
 * there is nothing below what is not true. */
enum manner { GENERATED, INTERPRETED, ASKING };

/* The names along a path: var "app.version" or, inside iterators, "../../app". */
struct path {
    uint16_t climbs; /* of "../" in front */
    uint16_t manner; /* enum manner: the interpreter stops at what is not true and gives that */
    uint32_t count;
    struct text names[];
};

struct string_set; /* program_set.c */

/* What a comparison says of a version that is less than, equal to or greater than this one. */
struct version_test {
    struct semver version;
    bool less, equal, greater;
};

/* Which hash `fractional` draws from: flagd 0.15's, over the UTF-8 of a string; or the third
 * generation's, over the CBOR of any value (flagd's ADR fractional-non-string-rand-units). Nothing
 * in a document says which one its readers use. */
enum fractional { FRACTIONAL_V2, FRACTIONAL_V3 };

/* Shares with constant weights: a bucket goes to the first whose end is above it. */
struct drawn_share {
    struct value variant;
    uint64_t end; /* the sum of the weights so far */
};
struct drawn_shares {
    uint64_t total;
    uint32_t count;
    struct drawn_share items[];
};

/* Most operators compare an attribute with a constant: then it is `direct`, and the two stand in
 * `slot` and `value` (or in what the operator has in the place of it), so that they are in the
 * cache with the instruction. */
struct instruction {
    uint8_t op;
    bool direct;
    uint16_t slot;  /* OP_SLOT, the guards of a slot, and where direct; else as op says */
    uint32_t count; /* of arguments; OP_ONCE, which has one: more of the identity */
    union {
        struct value value; /* OP_CONSTANT, OP_FAIL, and where direct */
        struct {
            const struct instruction *arguments;
            union {
                const struct path *path;
                uint64_t identity; /* OP_ONCE: of the hash of the JSON of its argument */
                const struct string_set *set;
                const struct version_test
                    *test; /* OP_SEM_VER, whose comparison and version are constant */
                const struct drawn_shares *shares; /* OP_FRACTIONAL; NULL: to be evaluated */
            };
        };
    };
};
_Static_assert(sizeof(struct instruction) == 24, "a hundred thousand flags have millions");

/* How many instructions stand at `arguments`; 0 where there is a value in their place. */
static inline uint32_t instruction_arguments(const struct instruction *instruction)
{
    if (instruction->direct || instruction->op == OP_CONSTANT || instruction->op == OP_FAIL ||
        !instruction->arguments)
        return 0;
    return instruction->op == OP_ONCE || instruction->count >= ARGUMENT_AS_LIST
               ? 1
               : instruction->count;
}

/* A variant is kept as an answer has it, so that writing one is copying it. */
struct program_variant {
    struct text name;
    const char *members;                /* ,"value":…,"variant":"…" */
    uint32_t value_length, name_length; /* of the two in there */
};
#define VARIANT_VALUE ",\"value\":"
#define VARIANT_NAME ",\"variant\":"

static inline struct text variant_value(const struct program_variant *variant)
{
    return (struct text){variant->members + sizeof VARIANT_VALUE - 1, variant->value_length};
}
/* The name as a JSON string. */
static inline struct text variant_name_json(const struct program_variant *variant)
{
    struct text value = variant_value(variant);
    return (struct text){value.data + value.length + sizeof VARIANT_NAME - 1, variant->name_length};
}
static inline struct text variant_members(const struct program_variant *variant)
{
    return (struct text){variant->members, sizeof VARIANT_VALUE - 1 + variant->value_length +
                                               sizeof VARIANT_NAME - 1 + variant->name_length};
}

struct program {
    const struct instruction *targeting; /* NULL: there is none, or a problem */
    const struct program_variant *variants;
    const struct program_variant *default_variant; /* NULL: the caller's own default */
    const char *problem; /* every evaluation is this PARSE_ERROR; or NULL */
    uint32_t variant_count;
    bool disabled;
    enum fractional fractional;
    struct text opening;  /* of an answer: {"key":"…" */
    struct text metadata; /* of set and flag merged, canonical; or empty */
    struct text key;
};

/* What a flag takes from the document that it stands in. */
struct program_settings {
    struct set_metadata *metadata; /* or NULL */
    struct dictionary *dictionary; /* to keep its JSON small with; or NULL */
    const char *problem;           /* why its targeting could not even be read; static; or NULL */
    struct arena *arena; /* to work in, emptied afterwards; NULL: one of its own each time */
    enum fractional fractional;
};

/* Compiles the flag object `flag`, whose source text is `json` and must live as long as the
 * program. Of an operator that stands twice in a rule only the last one is left in the tree.
 * STATUS_INVALID with `error`: flagd would refuse the whole document for it (no variants, a state
 * that is none, a default that does not exist). */
enum status program_compile(struct arena *arena, struct text key, const struct node *flag,
                            struct text json, struct program_settings settings,
                            struct attributes *attributes, const struct program **out,
                            struct error *error);

/* --- sets of strings ------------------------------------------------------------------------- */

/* `list` holds constant strings only. NULL without memory. */
const struct string_set *string_set_new(struct arena *arena, const struct value *items,
                                        uint32_t count);
bool string_set_has(const struct string_set *set, struct text text);
/* For program_pack.c: the bytes of a set, its cells, what stands in one (data NULL: nothing), and
 * the same string at another address. */
size_t string_set_size(const struct string_set *set);
size_t string_set_cells(const struct string_set *set);
struct text string_set_at(const struct string_set *set, size_t cell);
void string_set_move(struct string_set *set, size_t cell, struct text text);

#endif
