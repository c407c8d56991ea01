/* schema_private.h - what the files of the schema validator share: a schema as it is compiled.
 *
 * schema_load.c turns the nodes of a file into these structs, schema_refs.c joins them by $ref,
 * schema_shortcut.c finds what can be asked faster, schema_check.c and schema_choice.c walk a value
 * and them together, schema_message.c finds the words. All memory is the set's arena's, except
 * patterns. Nothing changes after sealing. */
#ifndef WEIR_SCHEMA_PRIVATE_H
#define WEIR_SCHEMA_PRIVATE_H

#include "arena.h"
#include "pattern.h"
#include "schema.h"

/* Bits of schema.types. An integer is a number without a fraction, however it is written. */
#define TYPE_BIT(type) (1u << (type))
#define TYPE_INTEGER (1u << 6)

struct text_list {
    struct text *items;
    size_t count;
};

/* A named member of `properties`, or an expression of `patternProperties`. */
struct property {
    struct text name;
    uint32_t hash;
    const struct schema *schema;
    const struct property *next; /* of the same slot */
};

struct property_table {
    struct property *items; /* as written */
    size_t count;
    const struct property **slots; /* by hash; a power of two, or 0 */
    size_t slot_count;
};

struct schema_list {
    const struct schema **items;
    size_t count;
    /* Of anyOf and oneOf, when each branch only says which one field must stand there: these. */
    struct property_table fields;
};

struct pattern_property {
    struct pattern *pattern;
    const struct schema *schema;
};

struct dependency {
    struct text name;
    const struct schema *schema; /* or NULL: */
    struct text_list required;
};

/* Numbers and sizes that are not given have the value that no value violates. */
struct schema {
    struct schema *next;       /* of the set, in the order of compiling */
    const struct node *source; /* what it was compiled from */
    struct text base;          /* the URI that its references are relative to */
    bool never;                /* the schema `false` */
    unsigned visit;            /* used while sealing */

    struct text ref_text;      /* "$ref" as written, or data NULL */
    const struct schema *ref;  /* what it leads to; all else is void then */
    const struct schema *only; /* the one part of allOf, when that is all it says; or NULL */

    unsigned types; /* 0: any */
    const struct node *values, *constant;

    double minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of;
    size_t min_length, max_length;
    struct pattern *pattern;

    const struct schema *items; /* of every entry, when there is no tuple */
    bool has_tuple;
    struct schema_list tuple;
    const struct schema *additional_items, *contains;
    size_t min_items, max_items;
    bool unique_items;

    struct property_table properties;
    struct pattern_property *pattern_properties;
    size_t pattern_property_count;
    const struct schema *additional_properties, *property_names;
    struct text_list required;
    size_t min_properties, max_properties;
    struct dependency *dependencies;
    size_t dependency_count;

    struct schema_list all_of, any_of, one_of;
    const struct schema * not, *if_schema, *then_schema, *else_schema;
    bool has_choices;   /* any of the eight above */
    bool only_required; /* `required` is all there is to it, as in a choice of one of many fields */

    struct text error_message, later; /* ours; data NULL where absent */
};

/* A schema that has a URI: a file, or a part of one with an $id. */
struct schema_name {
    struct schema_name *next;
    struct text uri;
    const struct node *source;
};

struct schema_file {
    struct schema_file *next;
    struct text name;
    struct schema *root;
};

struct schema_pattern {
    struct schema_pattern *next;
    struct pattern *pattern;
};

#define SCHEMA_MAX_COUNT 20000 /* schemas of a set: bounds the recursion when it is sealed */
#define SCHEMA_MAX_DEPTH 64    /* nesting of a schema file */
#define SCHEMA_MAX_BYTES ((size_t)64 << 20)

struct schema_set {
    struct arena arena;
    struct schema *first, *last;
    size_t count;
    struct schema_name *names;
    struct schema_file *files;
    struct schema_pattern *patterns;
    bool sealed, ignore_unknown;
};

/* --- schema_load.c --------------------------------------------------------------------------- */

/* Compiles `node`, whose references are relative to `base`. NULL: `error` says why. */
struct schema *schema_compile(struct schema_set *set, const struct node *node, struct text base,
                              struct error *error);
uint32_t schema_hash(struct text key);
/* Fills the slots of a table whose items are there; false without memory. */
bool property_table_index(struct arena *arena, struct property_table *table);

static inline const struct schema *schema_target(const struct schema *schema)
{
    while (schema->ref)
        schema = schema->ref;
    return schema;
}

/* --- schema_shortcut.c ----------------------------------------------------------------------- */

/* To be called when references are resolved; false without memory. */
bool schema_find_shortcuts(struct schema_set *set);

/* --- schema_uri.c ---------------------------------------------------------------------------- */

/* RFC 3986: `reference` as seen from `base`, with its fragment; an empty fragment is dropped. */
enum status uri_resolve(struct arena *arena, struct text base, struct text reference,
                        struct text *out);
/* Cuts a URI at its "#". */
void uri_split(struct text uri, struct text *document, struct text *fragment);
/* Undoes %XX. False when it is not right. */
bool uri_decode(struct arena *arena, struct text text, struct text *out);

/* --- schema_check.c -------------------------------------------------------------------------- */

/* Where in the value the checker is: the way back up, on the stack. */
struct spot {
    const struct spot *up; /* NULL at the root */
    const struct node *node;
    uint32_t index; /* in a list */
    uint32_t depth;
    bool in_map, is_key; /* is_key: the key itself is the value (propertyNames) */
};

struct checker {
    struct diagnostics *out; /* NULL: nobody wants to know why */
    struct text path;
    unsigned quiet; /* > 0: only trying */
    bool no_memory;
};

static inline bool checker_reports(const struct checker *checker)
{
    return checker->out && checker->quiet == 0;
}

/* False when the value is refused; then the faults are noted, unless the checker is quiet, which
 * stops at the first. */
bool schema_check(struct checker *checker, const struct schema *schema, const struct spot *spot);
bool schema_accepts(struct checker *checker, const struct schema *schema, const struct spot *spot);
bool schema_type_fits(const struct schema *schema, const struct node *node);
const struct property *property_find(const struct property_table *table, struct text key);
/* What `schema` says of a key beside `properties`: false when it is not among the allowed ones. */
bool schema_knows_key(const struct schema *schema, struct text key);

/* --- schema_choice.c ------------------------------------------------------------------------- */

/* oneOf, anyOf, not, if, allOf of `schema`. */
bool schema_check_choices(struct checker *checker, const struct schema *schema,
                          const struct spot *spot);

/* --- schema_message.c ------------------------------------------------------------------------ */

void fault_type(struct checker *checker, unsigned types, const struct spot *spot);
void fault_values(struct checker *checker, const struct schema *schema, const struct spot *spot);
void fault_constant(struct checker *checker, const struct schema *schema, const struct spot *spot);
void fault_pattern(struct checker *checker, const struct schema *schema, const struct spot *spot,
                   enum pattern_result result);
/* `relation` reads like "at least". */
void fault_range(struct checker *checker, const struct spot *spot, const char *relation,
                 double bound);
void fault_size(struct checker *checker, const struct spot *spot, const char *relation,
                size_t bound, const char *unit, size_t count);
void fault_unknown(struct checker *checker, const struct schema *schema, const struct spot *spot,
                   const struct node *entry);
void fault_required(struct checker *checker, const struct schema *schema, const struct spot *spot,
                    struct text name);
void fault_dependency(struct checker *checker, const struct spot *spot, const struct node *because,
                      struct text name);
void fault_repeated(struct checker *checker, const struct spot *spot, const struct node *first);
void fault_later(struct checker *checker, const struct schema *schema, const struct spot *spot);
/* One of `names` must stand in the map; `second` is the one too many, NULL when there is none at
 * all. */
void fault_one_field(struct checker *checker, const struct schema *schema, const struct spot *spot,
                     const struct schema_list *branches, const struct node *second);
/* `text`, or the schema's errorMessage where it has one. */
void fault_plain(struct checker *checker, const struct schema *schema, const struct spot *spot,
                 const char *code, const char *text);

#endif
