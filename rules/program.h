/* program.h - a flag's rules, compiled: a tree of instructions over attribute slots.
 *
 * program_compile() turns a flag object (flagd JSON, parsed) into a program once; evaluate.c walks
 * it for each request. Immutable; all its memory is one arena's. Runs of guards that encode.c
 * writes (is it a string? is it a number?) are recognised and become one instruction. What flagd
 * would only find out while evaluating (an unknown operator, a wrong number of arguments) becomes
 * OP_FAIL at that place: the rest of the flag goes on working. */
#ifndef WEIR_PROGRAM_H
#define WEIR_PROGRAM_H

#include "arena.h"
#include "attributes.h"
#include "node.h"
#include "semver.h"
#include "value.h"

enum op {
    OP_CONSTANT, /* value */
    OP_SLOT,     /* slot */
    OP_LOCAL,    /* {"var":""} and {"var":"a.b"} inside some: text is the path */
    OP_FLAG_KEY,
    OP_TIMESTAMP,
    OP_FAIL, /* value is an error */
    OP_IF,
    OP_AND,
    OP_OR,
    OP_NOT,
    OP_SAME,     /* === */
    OP_NOT_SAME, /* !== */
    OP_LESS,     /* two or three arguments, as the next */
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_IN,
    OP_IN_SET, /* in a list of many constant strings: set */
    OP_STARTS_WITH,
    OP_ENDS_WITH,
    OP_CAT,
    OP_SUBSTR,
    OP_MERGE,
    OP_SOME,
    OP_SEM_VER,    /* test */
    OP_FRACTIONAL, /* key, then variant and weight in turn; total when all weights are constant */
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_MINIMUM,
    OP_MAXIMUM,
    OP_EXISTS,    /* !== null, of a slot */
    OP_IS_STRING, /* recognised guards */
    OP_IS_NUMBER,
    OP_IS_VERSION,
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

/* Most operators compare an attribute with a constant: then `arguments` is NULL and the two stand
 * in `slot` and `value` (or in what the operator has in the place of it), so that they are in the
 * cache with the instruction. */
struct instruction {
    uint16_t op;
    uint16_t slot;  /* OP_SLOT, the guards of a slot, and where arguments is NULL */
    uint32_t count; /* of arguments */
    const struct instruction *arguments;
    union {
        struct value value;
        struct text text;
        const struct string_set *set;
        const struct version_test
            *test;      /* OP_SEM_VER with a constant comparison and version; or NULL */
        uint64_t total; /* OP_FRACTIONAL: sum of constant weights; 0: they must be evaluated */
    };
};

struct program_variant {
    struct text name, name_json, value_json;
};

struct program {
    bool disabled;
    enum fractional fractional;
    const char *problem; /* static text: every evaluation is this PARSE_ERROR; or NULL */
    const struct program_variant *variants;
    uint32_t variant_count;
    const struct program_variant *default_variant; /* NULL: the caller's own default */
    const struct instruction *targeting;           /* NULL: there is none */
    struct text key;
    struct text metadata; /* of set and flag merged, canonical; or empty */
};

/* What a flag takes from the document that it stands in. */
struct program_settings {
    const struct node *metadata; /* of the set, a map; or NULL */
    enum fractional fractional;
};

/* Compiles the flag object `flag`, whose source text is `json` and must live as long as `arena`.
 * STATUS_INVALID with `error`: flagd would refuse the whole document for it (no variants, a default
 * that does not exist). */
enum status program_compile(struct arena *arena, struct text key, const struct node *flag,
                            struct text json, struct program_settings settings,
                            struct attributes *attributes, const struct program **out,
                            struct error *error);

/* --- sets of strings ------------------------------------------------------------------------- */

/* `list` holds constant strings only. NULL without memory. */
const struct string_set *string_set_new(struct arena *arena, const struct value *items,
                                        uint32_t count);
bool string_set_has(const struct string_set *set, struct text text);

#endif
