/* import_private.h - private to import*.c.
 *
 * A foreign rule becomes a tree of and, or and not over shapes (import_logic.c, import_query.c),
 * the tree a weir condition (import_emit.c). All of it lives in the importer's arena. Without
 * memory, functions hand out a harmless constant and set `no_memory`, which import_read() looks at
 * before it gives anything away. */
#ifndef WEIR_IMPORT_PRIVATE_H
#define WEIR_IMPORT_PRIVATE_H

#include "import.h"
#include "json.h"
#include "names.h"

/* --- truth -----------------------------------------------------------------------------------
 * What a comparison says of some values. ERROR: evaluation fails there, so any answer will do.
 * ASSUMED: any answer will do because as_written says so. OPAQUE: it depends on more than weir can
 * ask. */
enum truth { NO, YES, ERROR, ASSUMED, OPAQUE };

enum truth truth_not(enum truth a);
enum truth truth_and(enum truth a, enum truth b);
enum truth truth_or(enum truth a, enum truth b);
static inline bool truth_is_free(enum truth a)
{
    return a == ERROR || a == ASSUMED;
}
static inline bool truth_may_be(enum truth a, bool wanted)
{
    return truth_is_free(a) || a == (wanted ? YES : NO);
}

/* --- numbers: import_number.c ----------------------------------------------------------------
 * A set of numbers: `count` ascending points cut the line into count + 1 open stretches; regions
 * holds stretch, point, stretch, … point, stretch: 2 · count + 1 of them. */
struct numbers {
    const double *points;
    const uint8_t *regions; /* enum truth */
    size_t count;
};

struct importer;
struct numbers numbers_all(struct importer *importer, enum truth truth);
struct numbers numbers_point(struct importer *importer, double point, enum truth at,
                             enum truth elsewhere);
/* `operator_text`: "<", "<=", ">", ">=". */
struct numbers numbers_compare(struct importer *importer, const char *operator_text, double bound);
/* YES for each of `points` (put in order here), else NO. */
struct numbers numbers_of(struct importer *importer, double *points, size_t count);
struct numbers numbers_not(struct importer *importer, struct numbers a);
struct numbers numbers_join(struct importer *importer, struct numbers a, struct numbers b,
                            bool both);
enum truth numbers_at(struct numbers a, double number);
/* What JavaScript's Number() makes of a string: YES a number, NO none; OPAQUE: a spelling that is
 * not read here. */
enum truth import_number_of(struct text text, double *out);
/* Whether every region may be `wanted`. */
bool numbers_may_be(struct numbers a, bool wanted);

/* --- strings and lists: import_formula.c -----------------------------------------------------
 * A formula says of a string, or of a list, whether a comparison holds. */
enum formula_type {
    FORMULA_CONSTANT,
    FORMULA_IN, /* one of `items` */
    FORMULA_PREFIX,
    FORMULA_SUFFIX,
    FORMULA_CONTAINS,   /* a string inside */
    FORMULA_VERSION,    /* sem_ver: `word` is the comparison, `text` the version */
    FORMULA_GUARD,      /* `index` of import_guards[]: one character of a version or a time */
    FORMULA_TIME,       /* `word` is "<" or ">", `text` the 14 digits of a time */
    FORMULA_HAS_STRING, /* of lists */
    FORMULA_HAS_NUMBER, /* of lists */
    FORMULA_AND,
    FORMULA_OR,
    FORMULA_NOT,
};

struct formula {
    enum formula_type type;
    enum truth truth;                      /* CONSTANT */
    struct text text;                      /* the string */
    const char *word;                      /* static text */
    double number;                         /* HAS_NUMBER */
    unsigned index;                        /* GUARD */
    const struct text *items;              /* IN */
    const struct formula *const *children; /* AND, OR, NOT */
    size_t count;                          /* of items, of children */
};

const struct formula *formula_constant(enum truth truth); /* static */
const struct formula *formula_text(struct importer *importer, enum formula_type type,
                                   struct text text);
const struct formula *formula_word(struct importer *importer, enum formula_type type,
                                   const char *word, struct text text);
const struct formula *formula_guard(struct importer *importer, unsigned index);
const struct formula *formula_in(struct importer *importer, const struct text *items, size_t count);
const struct formula *formula_number(struct importer *importer, double number);
/* One of them holds; they are distinct, and no constants. */
const struct formula *formula_any(struct importer *importer, const struct formula *const *children,
                                  size_t count);
const struct formula *formula_not(struct importer *importer, const struct formula *a);
const struct formula *formula_join(struct importer *importer, const struct formula *a,
                                   const struct formula *b, bool both);
bool formula_equal(const struct formula *a, const struct formula *b);
static inline bool formula_is(const struct formula *formula, enum truth truth)
{
    return formula->type == FORMULA_CONSTANT && formula->truth == truth;
}
static inline bool formula_is_free(const struct formula *formula)
{
    return formula->type == FORMULA_CONSTANT && truth_is_free(formula->truth);
}
/* What it says of one string; OPAQUE where that needs more than IN, PREFIX, SUFFIX, CONTAINS. */
enum truth formula_at(const struct formula *formula, struct text string);
/* What weir's conditions for it say of other values: of a value that is neither string nor list
 * (`number` NULL), of a number, and of a list. */
bool formula_elsewhere(const struct formula *formula, const double *number);
const struct formula *formula_as_list(struct importer *importer, const struct formula *formula);
/* The other way: what weir's `contains` for a list says of strings. */
const struct formula *formula_as_string(struct importer *importer, const struct formula *formula);
/* A list's formula with HAS_STRING as CONTAINS, which weir writes the same. */
const struct formula *formula_of_list(struct importer *importer, const struct formula *formula);

/* The guards that weir's compiler writes around versions and times. */
struct import_guard {
    int from, length; /* of substr; length 0: not given */
    const char *among;
    bool is; /* === instead of in */
};
#define GUARD_VERSION_FIRST 0
#define GUARD_VERSION_COUNT 3
#define GUARD_TIME_FIRST 3
#define GUARD_TIME_COUNT 6
#define GUARD_COUNT 9
extern const struct import_guard import_guards[GUARD_COUNT];

/* --- shapes: import_shape.c ------------------------------------------------------------------ */

#define IMPORT_ELEMENT "" /* the attribute that stands for an element inside `some` */
#define IMPORT_NOW "$flagd.timestamp"

struct shape {
    struct text attribute;
    enum truth missing, is_true, is_false, map;
    struct numbers numbers;
    const struct formula *string, *list;
};

struct shape shape_all(struct importer *importer, struct text attribute, enum truth truth);
struct shape shape_not(struct importer *importer, struct shape a);
struct shape shape_join(struct importer *importer, struct shape a, struct shape b, bool both);
/* True, or false, for every value; errors count as both. */
bool shape_may_be(const struct shape *shape, bool wanted);
/* What it says of one scalar or null. */
enum truth shape_at(const struct shape *shape, const struct node *value);

/* --- trees: import_tree.c -------------------------------------------------------------------- */

enum tree_type { TREE_CONSTANT, TREE_SHAPE, TREE_READY, TREE_REFUSED, TREE_AND, TREE_OR, TREE_NOT };

struct tree {
    enum tree_type type;
    bool constant;
    bool has_shape; /* all of it speaks of one attribute: `shape` is what it comes to */
    struct shape shape;
    const struct node *ready; /* READY: a weir condition ({segment: …}) */
    const struct node *place; /* where it stood */
    const char *reason;       /* REFUSED, and of shapes that may be opaque: why; static text */
    bool can_assume;          /* as_written would carry it over */
    const struct tree *a, *b;
};

const struct tree *tree_constant(bool value); /* static */
const struct tree *tree_shape(struct importer *importer, struct shape shape,
                              const struct node *place, const char *reason, bool can_assume);
const struct tree *tree_ready(struct importer *importer, const struct node *condition);
const struct tree *tree_refused(struct importer *importer, const struct node *place,
                                const char *reason);
const struct tree *tree_not(struct importer *importer, const struct tree *a);
const struct tree *tree_join(struct importer *importer, const struct tree *a, const struct tree *b,
                             bool both);
/* Of at least one. */
const struct tree *tree_join_all(struct importer *importer, const struct tree *const *trees,
                                 size_t count, bool both);
static inline const struct tree *tree_and(struct importer *importer, const struct tree *a,
                                          const struct tree *b)
{
    return tree_join(importer, a, b, true);
}
static inline const struct tree *tree_or(struct importer *importer, const struct tree *a,
                                         const struct tree *b)
{
    return tree_join(importer, a, b, false);
}
static inline bool tree_is(const struct tree *tree, bool value)
{
    return tree->type == TREE_CONSTANT && tree->constant == value;
}

/* --- the importer ---------------------------------------------------------------------------- */

/* How the split keys of weir's own compiler were written (encode_split.c); the Environment's
 * evaluators must be such that they are written so again. */
enum bucketing { BUCKETING_NONE, BUCKETING_PLAIN, BUCKETING_PADDED, BUCKETING_MIRRORED };

struct import_flag {
    const struct node *source;   /* key: its name */
    const struct node *document; /* the Flag, or NULL when it is left out */
    struct import_flag *alike;   /* the next one whose targeting has the same hash */
    bool started, done;
    bool errors, assumed, moves; /* notes to make */
};

struct import_evaluator {
    const struct node *source;    /* key: its name */
    struct text segment;          /* what a Segment of it is called */
    const struct node *condition; /* of that Segment; NULL: there is none */
    bool used, errors, assumed;
    bool looked_through, is_odd, speaks_of_flag; /* what of it matters where it is put in */
};

struct importer {
    struct import *out;
    struct arena *arena; /* of out */
    struct text path;
    struct import_options options;
    struct diagnostics *diagnostics;
    bool no_memory;
    const struct node *root;
    struct import_flag *flags;
    size_t flag_count;
    struct import_evaluator *evaluators;
    size_t evaluator_count;
    struct import_flag *flag; /* at work; NULL while an evaluator is */
    bool errors, assumed;     /* since they were last cleared */
    bool from_goff;           /* JSONLogic as GO Feature Flag's engine evaluates it */
    bool quiet;               /* refuse without a word: it is only tried */
    unsigned inside_some;
    unsigned depth;
    size_t visible_refs; /* evaluators from here on may still be referred to */
    enum bucketing bucketing;
    size_t work;                /* that may still be done; see importer_work() */
    struct names keys;          /* of whoever goes through a map or a list right now */
    bool keys_of_few;           /* too few to be put there */
    struct names evaluators_by; /* name: their indexes */
    struct names segments;      /* their names, and how often each was wanted */
    struct names variants;      /* of the flag at work */
    struct import_flag **alike; /* flags by the hashes of their targeting; NULL: not yet made */
    size_t alike_mask;
};

#define IMPORT_MAX_DEPTH 200
#define IMPORT_MAX_RULES 1000

struct place importer_place(const struct importer *importer, const struct node *node);
struct place importer_key_place(const struct importer *importer, const struct node *node);
void *importer_take(struct importer *importer, size_t count, size_t size); /* NULL: no_memory */
/* The longest message of a diagnostic quotes names no longer than this. */
#define QUOTE "%.*s"
#define QUOTED(text) (int)((text).length > 64 ? 64 : (text).length), (text).data

/* What a file costs is bounded: evaluators that refer to each other, and conditions that are joined
 * with each other, multiply. False when no more may be done; then what it was to be is refused. */
#define IMPORT_WORK ((size_t)128 << 20) /* whatever the file's size */
#define IMPORT_WORK_BYTE 16             /* and this for each byte of it */
#define IMPORT_WORK_CONDITION 16        /* of reading one; comparing two is 1 */
static inline bool importer_work(struct importer *importer, size_t amount)
{
    importer->work -= amount < importer->work ? amount : importer->work;
    return importer->work > 0;
}

/* For going through the entries of a map from first to last, with nothing else in between that asks
 * the same: whether an entry is the last one of its name, which is the one that counts. */
void importer_learn_keys(struct importer *importer, const struct node *map);
bool importer_is_last(const struct importer *importer, const struct node *entry);
/* Texts without those that stand there already; in place. */
size_t importer_distinct(struct importer *importer, struct text *texts, size_t count);
/* The evaluator that a $ref may name here; NULL: there is none. */
struct import_evaluator *importer_evaluator(const struct importer *importer,
                                            const struct node *name);

/* As JavaScript prints it. */
struct text importer_number(struct importer *importer, double number);

/* as_written: what the rule's author surely did not mean is left open; else it is not known. */
static inline enum truth importer_unlikely(const struct importer *importer)
{
    return importer->options.as_written ? ASSUMED : OPAQUE;
}

/* import_logic.c: whether an expression is truthy. */
const struct tree *logic_condition(struct importer *importer, const struct node *node);
/* An operator's arguments, where they are a list of `count`; else NULL. `argument` is set to the
 * operator's whole operand. */
const struct node *logic_operator(const struct node *node, struct text *name);
/* A path that weir takes, out of {"var": …}; `fallback` is its default or NULL. */
bool logic_variable(const struct node *node, struct text *path, const struct node **fallback);
/* import_compare.c */
const struct tree *compare_condition(struct importer *importer, const char *operator_text,
                                     const struct node *node, const struct node *arguments);
const struct tree *in_condition(struct importer *importer, const struct node *node,
                                const struct node *needle, const struct node *list);
const struct tree *affix_condition(struct importer *importer, const struct node *node,
                                   const struct node *arguments, enum formula_type type);
const struct tree *version_condition(struct importer *importer, const struct node *node,
                                     const struct node *arguments);
const struct tree *truthy_condition(struct importer *importer, const struct node *node,
                                    struct text path, const struct node *fallback);
/* {"===":[{"if":…},"variant"]}: a prerequisite; NULL where it is none. */
const struct tree *prerequisite_condition(struct importer *importer, const struct node *value,
                                          struct text variant);

/* import_emit.c: the weir condition that holds where the tree does; NULL after telling why there is
 * none. */
const struct node *tree_emit(struct importer *importer, const struct tree *tree);
const struct node *shape_emit(struct importer *importer, const struct shape *shape);

/* import_build.c: nodes to be written. */
struct node *build_map(struct importer *importer);
struct node *build_list(struct importer *importer);
struct node *build_string(struct importer *importer, struct text text);
struct node *build_number(struct importer *importer, double number);
struct node *build_bool(struct importer *importer, bool value);
/* A copy, so that it may stand in another map; keys that stand twice once, the last of them. */
struct node *build_copy(struct importer *importer, const struct node *node);
void build_put(struct importer *importer, struct node *map, const char *key,
               const struct node *value);
void build_put_text(struct importer *importer, struct node *map, struct text key,
                    const struct node *value);
void build_append(struct importer *importer, struct node *list, const struct node *value);

/* import_write.c: a node as YAML, each document beginning with its apiVersion. */
void import_write(struct buffer *out, const struct node *document);

/* --- rules ----------------------------------------------------------------------------------- */

/* What somebody gets: a variant, a split, or the default for the reason that nothing matched. */
enum outcome_type { OUTCOME_VARIANT, OUTCOME_DEFAULT, OUTCOME_SPLIT };

struct import_share {
    struct text variant;
    double percent;
};

struct import_split {
    struct import_share *shares;
    size_t count;
    struct text seed, bucket_by; /* empty: the flag's name, targetingKey */
};

struct outcome {
    enum outcome_type type;
    struct text variant;
    struct import_split split;
};

struct import_rule {
    const struct tree *when;
    struct outcome outcome;
    struct text name;
};

struct import_rules {
    struct importer *importer;
    const struct node *variants;
    struct import_rule *items;
    size_t count, size;
    bool failed; /* told */
};

void rules_add(struct import_rules *rules, const struct tree *when, struct outcome outcome,
               struct text name);
/* import_targeting.c: what a targeting expression gives to whom. */
void targeting_rules(struct import_rules *rules, const struct node *targeting);
/* import_split.c: `path` is the condition under which it is reached. `guarded` is the attribute
 * that is known to be a string, or empty. */
void split_rules(struct import_rules *rules, const struct tree *path, const struct node *node,
                 struct text guarded);
/* The form with a mirrored list for the first generation of fractional: the list that is to be
 * read, else NULL. */
const struct node *split_mirrored(struct importer *importer, const struct node *node);
/* Weights as percents with three decimals; those that do not come out even are rounded, and then
 * false is returned. */
bool split_percents(struct import_share *shares, size_t count);

/* import_flag.c: the Flag document out of rules; NULL after telling why not. */
const struct node *flag_document(struct importer *importer, const struct node *variants,
                                 struct import_rules *rules, struct text fallback, bool enabled,
                                 const struct node *labels);
/* Name and variants are such that weir takes them; told where not. */
bool flag_check(struct importer *importer, const struct node *source, const struct node *variants);
const struct node *flag_labels(struct importer *importer, const struct node *flag,
                               const struct node *metadata);
bool text_is_name(struct text text);
bool text_is_variant(struct text text);

/* import_flagd.c, import_goff.c: the whole file. */
enum status import_flagd(struct importer *importer, struct text source);
enum status import_goff(struct importer *importer, struct text source);
/* What is done is to be told of each flag that was carried over. */
void importer_note(struct importer *importer, const struct import_flag *flag);
void importer_keep_environment(struct importer *importer, const struct node *labels);
/* False after telling that a file of definitions may not hold so much; `place` is whose it is. */
bool importer_keep(struct importer *importer, const char *folder, struct text name,
                   const struct node *document, const struct node *place);
/* Whether weir's YAML reader takes it. */
bool import_fits(const struct node *document);
/* import_query.c: the query language of GO Feature Flag. */
const struct tree *query_condition(struct importer *importer, const struct node *query,
                                   struct text text);

void importer_refuse(struct importer *importer, const char *code, struct place place,
                     const char *hint, const char *format, ...) PRINTF_LIKE(5, 6);

#endif
