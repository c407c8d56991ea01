/* definitions.h - the typed form of what people write: Flag, Segment, Environment, Target; what
 * rollouts are made of is in rollout.h, where they stand in rollout_state.h.
 *
 * definitions_read() turns one schema-valid document into one of these structs. All memory is the
 * given arena's. Everything that can be wrong in a later step keeps its place. Values (variants,
 * literals) are kept as canonical JSON, ready to be written. */
#ifndef WEIR_DEFINITIONS_H
#define WEIR_DEFINITIONS_H

#include "arena.h"
#include "diagnostics.h"
#include "node.h"

/* A name with its place. */
struct name {
    struct text text;
    struct place place;
};

enum kind {
    KIND_FLAG,
    KIND_SEGMENT,
    KIND_ENVIRONMENT,
    KIND_TARGET,
    KIND_PHASE_PLAN,
    KIND_METRIC,
    KIND_ROLLOUT,
    KIND_ROLLOUT_STATE,
    KIND_FLAG_PIN,
    KIND_COUNT
};
const char *kind_name(enum kind kind);   /* "Flag" */
const char *kind_schema(enum kind kind); /* "flag.json" */
/* Of those that weir alone writes, below state/: they are never quarantined with what they are
 * about. */
static inline bool kind_is_state(enum kind kind)
{
    return kind == KIND_ROLLOUT_STATE || kind == KIND_FLAG_PIN;
}

/* --- conditions ------------------------------------------------------------------------------ */

enum operator_name {
    OPERATOR_IS,
    OPERATOR_IS_NOT,
    OPERATOR_IN,
    OPERATOR_NOT_IN,
    OPERATOR_STARTS_WITH,
    OPERATOR_ENDS_WITH,
    OPERATOR_CONTAINS,
    OPERATOR_LT,
    OPERATOR_LTE,
    OPERATOR_GT,
    OPERATOR_GTE,
    OPERATOR_BETWEEN,
    OPERATOR_SEMVER,
    OPERATOR_BEFORE,
    OPERATOR_AFTER,
    OPERATOR_EXISTS,
    OPERATOR_COUNT,
};
const char *operator_spelling(enum operator_name name); /* "isNot" */

enum scalar_type { SCALAR_BOOL, SCALAR_NUMBER, SCALAR_STRING };
struct scalar {
    enum scalar_type type;
    union {
        bool boolean;
        double number;
        struct text string;
    };
};

/* One comparison of a semver range: ">=2.4.0". */
struct semver_bound {
    const char *comparison; /* flagd's: = != < <= > >= ^ ~ */
    struct text version;    /* X.Y.Z with pre-release where given */
};

enum condition_type {
    CONDITION_ALL,
    CONDITION_ANY,
    CONDITION_NOT,
    CONDITION_SEGMENT,
    CONDITION_FLAG,
    CONDITION_ATTRIBUTE,
};

/* There are more of these than of anything else in a catalog: each has only what its type needs. */
struct condition {
    enum condition_type type;
    enum operator_name operator_name; /* ATTRIBUTE */
    struct place place;
    struct condition *next; /* in the list that it stands in */
    union {
        struct condition *children; /* ALL, ANY: any number; NOT: one */
        struct {                    /* SEGMENT, FLAG */
            struct name name;       /* who is meant */
            struct name *variant;   /* FLAG: the one it must have */
        };
        struct {                   /* ATTRIBUTE */
            struct text attribute; /* dotted path */
            union {
                struct scalar *operands;     /* of all but semver */
                struct semver_bound *bounds; /* of semver: all must hold */
            };
            size_t count; /* of operands or bounds */
        };
    };
};

/* --- flags ----------------------------------------------------------------------------------- */

enum variant_type { VARIANT_BOOL, VARIANT_STRING, VARIANT_NUMBER, VARIANT_OBJECT };

struct variant {
    struct name name;
    struct text json; /* canonical */
};

#define SPLIT_TOTAL 100000 /* a weight is in thousandths of a percent */

struct share {
    struct name variant;
    uint32_t weight; /* of SPLIT_TOTAL */
};

struct split {
    struct place place;
    struct share *shares;
    size_t share_count;
    struct text seed;      /* empty: the flag's name */
    struct text bucket_by; /* attribute path; empty: targetingKey */
};

/* Whom to serve what: one variant, or a split. */
struct rule {
    struct text name; /* or empty */
    struct place place;
    struct condition *when; /* NULL: always */
    struct name serve;      /* empty when split */
    struct split *split;    /* or NULL */
};

/* What an environment makes of a flag; the flag's own is the same struct. */
struct flag_settings {
    bool has_enabled, enabled;
    struct name default_variant; /* empty: not overridden */
    bool has_rules;
    struct rule *rules;
    size_t rule_count;
};

struct flag_override {
    struct name environment;
    struct flag_settings settings;
};

struct flag {
    struct name name;
    struct text owner, expires; /* as written, or empty */
    enum variant_type type;
    struct variant *variants; /* as written */
    struct variant **sorted;  /* the same by name */
    size_t variant_count;
    struct flag_settings settings; /* all present */
    struct flag_override *overrides;
    size_t override_count;
    struct name *watched; /* metrics, after a commit changed what it serves */
    size_t watched_count;
    int64_t watch_bake; /* seconds for which they are, and after which such a commit counts as
                         * good */
};

struct segment {
    struct name name;
    struct condition *match; /* NULL: only include */
    struct text *include, *exclude;
    size_t include_count, exclude_count;
};

/* Who will read an environment's document: each disagrees with the others somewhere (the encodings
 * in encode.h go around that). WEIR is always in. */
enum evaluator {
    EVALUATOR_WEIR = 1,
    EVALUATOR_FLAGD = 2,
    EVALUATOR_JS = 4,
    EVALUATOR_PYTHON = 8,
    EVALUATOR_JAVA = 16
};

struct environment {
    struct name name;
    struct name promotes_from; /* or empty */
    bool is_protected;
    bool holds;          /* onInvalid: hold */
    unsigned evaluators; /* set of enum evaluator */
};

enum target_type { TARGET_FILE, TARGET_REDIS, TARGET_HTTP, TARGET_KUBERNETES };

/* The location of a kubernetes target that names no server: the cluster that weir runs in. */
#define TARGET_IN_CLUSTER "in-cluster"

struct target {
    struct name name;
    struct name environment;
    enum target_type type;
    struct name location; /* file: the path; redis, http: the URL; kubernetes: the server's, or
                           * TARGET_IN_CLUSTER */
    struct text key;      /* redis: the key all others are named after; kubernetes:
                           * NAMESPACE/configmaps/NAME or NAMESPACE/featureflags/NAME */
    struct name secret;   /* or empty */
};

/* --- reading --------------------------------------------------------------------------------- */

struct definition {
    enum kind kind;
    union {
        struct flag *flag;
        struct segment *segment;
        struct environment *environment;
        struct target *target;
        struct phase_plan *phase_plan;
        struct metric *metric;
        struct rollout *rollout;
        struct rollout_state *rollout_state; /* its name is ENVIRONMENT/ROLLOUT */
        struct flag_pin *flag_pin;           /* its name is ENVIRONMENT/FLAG */
        void *any;                           /* all of them begin with a struct name */
    };
};

/* `root` is valid by kind's schema. STATUS_INVALID when something that the schema cannot say is
 * wrong (mixed variant types, an attribute path, a semver range, a date): then it is in
 * `diagnostics`. */
enum status definitions_read(struct arena *arena, enum kind kind, struct text path,
                             const struct node *root, struct definition *out,
                             struct diagnostics *diagnostics);

/* The parts, one file each: read_condition.c, read_flag.c, read_others.c */
struct condition *condition_read(struct arena *arena, struct text path, const struct node *node,
                                 struct diagnostics *diagnostics);

/* Tells what is wrong with the path of an attribute that a definition names. `is_time`: it is asked
 * whether it is before or after something, so that it may be the evaluation's own time. */
void attribute_check(struct diagnostics *diagnostics, struct place place, struct text path,
                     bool is_time);

/* Reads RFC 3339 ("2026-01-01T00:00:00Z", also with an offset, also a bare date) into seconds since
 * 1970. */
bool time_parse(struct text text, int64_t *seconds);
/* A whole number and s, m, h, d or w ("90s", "2w"), at most ten years, in seconds. */
bool period_parse(struct text text, int64_t *seconds);
/* The largest of these units that it is a whole number of: "2w". */
#define PERIOD_TEXT_SIZE 24
void period_format(int64_t seconds, char out[PERIOD_TEXT_SIZE]);
/* "2026-01-01T00:00:00Z"; years 0000 to 9999. */
#define INSTANT_TEXT_SIZE 24
void instant_format(int64_t seconds, char out[INSTANT_TEXT_SIZE]);

#endif
