/* The Flag document, and what of a flag does not depend on its rules. */
#include <math.h>

#include "codes.h"
#include "import_private.h"

#define MOST_DEPTH 40 /* of a variant's value; YAML_MAX_DEPTH is 64 */
#define MOST_NODES 100000
#define MOST_KEY 1000 /* bytes: YAML's limit for a key is 1024 */

bool text_is_name(struct text text)
{
    if (text.length == 0 || text.length > 63 || text.data[0] == '-' ||
        text.data[text.length - 1] == '-')
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

bool text_is_variant(struct text text)
{
    if (text.length == 0 || text.length > 64)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (!c || !strchr("._-", c)))
            return false;
    }
    return true;
}

/* --- variants -------------------------------------------------------------------------------- */

static bool fits(const struct node *value, unsigned depth, size_t *nodes)
{
    if (depth > MOST_DEPTH || ++*nodes > MOST_NODES)
        return false;
    if (value->type == NODE_NUMBER)
        return value->number != floor(value->number) || fabs(value->number) <= NUMBER_SAFE_INTEGER;
    if (value->type != NODE_LIST && value->type != NODE_MAP)
        return true;
    for (const struct node *entry = value->first; entry; entry = entry->next) {
        if ((value->type == NODE_MAP && entry->key.length > MOST_KEY) ||
            !fits(entry, depth + 1, nodes))
            return false;
    }
    return true;
}

static void refuse_variants(struct importer *importer, const struct node *place, const char *hint,
                            const char *what, struct text name)
{
    importer_refuse(importer, CODE_IMPORT_VARIANTS, importer_key_place(importer, place), hint,
                    "variant \"" QUOTE "\" %s", QUOTED(name), what);
}

bool flag_check(struct importer *importer, const struct node *source, const struct node *variants)
{
    bool fine = true;
    if (!text_is_name(source->key)) {
        importer_refuse(importer, CODE_IMPORT_NAME, importer_key_place(importer, source),
                        "a name is 1 to 63 lower-case letters, digits and \"-\"; applications have "
                        "to ask by the new one",
                        "flag \"" QUOTE "\" cannot be called that in weir", QUOTED(source->key));
        fine = false;
    }
    if (!variants || variants->type != NODE_MAP || variants->count == 0) {
        importer_refuse(importer, CODE_IMPORT_VARIANTS, importer_key_place(importer, source), NULL,
                        "flag \"" QUOTE "\" has no variants", QUOTED(source->key));
        return false;
    }
    size_t nodes = 0;
    for (const struct node *variant = variants->first; variant; variant = variant->next) {
        if (!text_is_variant(variant->key))
            refuse_variants(importer, variant,
                            "a variant's name is 1 to 64 letters, digits, \".\", \"_\" and \"-\"",
                            "cannot be called that in weir", variant->key);
        else if (variant->type == NODE_NULL || variant->type == NODE_LIST)
            refuse_variants(importer, variant, "put it into a map",
                            "is null or a list, which weir does not serve", variant->key);
        else if (variant->type != variants->first->type)
            refuse_variants(importer, variant, "make two flags of it",
                            "is of another type than the first one", variant->key);
        else if (!fits(variant, 0, &nodes))
            refuse_variants(importer, variant, NULL,
                            "holds an integer beyond 2^53 - 1, or too much", variant->key);
        else
            continue;
        fine = false;
    }
    return fine;
}

/* --- metadata -------------------------------------------------------------------------------- */

static struct text text_of_scalar(struct importer *importer, const struct node *node)
{
    if (node->type == NODE_STRING)
        return node->string;
    if (node->type == NODE_BOOL)
        return node->boolean ? TEXT("true") : TEXT("false");
    if (node->type == NODE_NUMBER)
        return importer_number(importer, node->number);
    return (struct text){NULL, 0};
}

/* The fields of weir's metadata out of somebody else's: labels, and description and owner where
 * they are called so. */
const struct node *flag_labels(struct importer *importer, const struct node *flag,
                               const struct node *metadata)
{
    struct node *out = build_map(importer), *labels = build_map(importer);
    if (!metadata || metadata->type != NODE_MAP || metadata->count == 0)
        return out;
    importer_learn_keys(importer, metadata);
    for (const struct node *entry = metadata->first; entry; entry = entry->next) {
        struct text text = text_of_scalar(importer, entry);
        bool scalar =
            entry->type == NODE_STRING || entry->type == NODE_BOOL || entry->type == NODE_NUMBER;
        bool described = entry->type == NODE_STRING && text_is(entry->key, "description") &&
                         text.length <= 10000;
        bool owned = entry->type == NODE_STRING && text_is(entry->key, "owner") && text.length &&
                     text.length <= 200;
        if (!importer_is_last(importer, entry))
            continue;
        if (described || owned)
            build_put_text(importer, out, entry->key, build_string(importer, text));
        else if (scalar && entry->key.length && entry->key.length <= 100 && text.length <= 200)
            build_put_text(importer, labels, entry->key, build_string(importer, text));
        else
            importer_refuse(importer, CODE_IMPORT_FIELD, importer_key_place(importer, entry),
                            "labels are texts of at most 200 characters",
                            "metadata \"" QUOTE "\" has no place in weir", QUOTED(entry->key));
    }
    if (labels && labels->count)
        build_put(importer, out, "labels", labels);
    if (!importer->quiet && flag)
        diagnostics_add(importer->diagnostics, CODE_IMPORT_METADATA,
                        importer_key_place(importer, metadata), NULL,
                        "metadata of flag \"" QUOTE "\" is kept as labels, which are not served",
                        QUOTED(flag->key));
    return out;
}

/* --- rules ----------------------------------------------------------------------------------- */

/* A rule that gives the default for the reason that nothing matched has no counterpart: the later
 * ones except it instead. */
static void drop_defaults(struct import_rules *rules, bool *total)
{
    struct importer *importer = rules->importer;
    size_t kept = 0;
    *total = false;
    for (size_t i = 0; i < rules->count; i++) {
        struct import_rule *rule = &rules->items[i];
        bool last = tree_is(rule->when, true);
        if (tree_is(rule->when, false))
            continue;
        if (rule->outcome.type != OUTCOME_DEFAULT) {
            rules->items[kept++] = *rule;
            *total = last && rule->outcome.type == OUTCOME_VARIANT;
        }
        const struct tree *others = tree_not(importer, rule->when);
        for (size_t j = i + 1; rule->outcome.type == OUTCOME_DEFAULT && j < rules->count; j++)
            rules->items[j].when = tree_and(importer, others, rules->items[j].when);
        if (last)
            break;
    }
    rules->count = kept;
}

static bool has_split(const struct import_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->items[i].outcome.type == OUTCOME_SPLIT)
            return true;
    }
    return false;
}

static bool learn_variants(struct import_rules *rules)
{
    struct importer *importer = rules->importer;
    if (!names_reset(&importer->variants, rules->variants->count)) {
        importer->no_memory = true;
        return false;
    }
    for (const struct node *entry = rules->variants->first; entry; entry = entry->next)
        names_put(&importer->variants, entry->key, entry, 0);
    return true;
}

static bool check_variant(struct import_rules *rules, struct text variant)
{
    struct importer *importer = rules->importer;
    if (names_find(&importer->variants, variant))
        return true;
    importer_refuse(importer, CODE_IMPORT_RULE,
                    importer_key_place(importer, importer->flag->source),
                    "such an evaluation is an error",
                    "a rule gives variant \"" QUOTE "\", which flag \"" QUOTE "\" does not have",
                    QUOTED(variant), QUOTED(importer->flag->source->key));
    return false;
}

static bool put_outcome(struct import_rules *rules, struct node *map, const struct outcome *outcome)
{
    struct importer *importer = rules->importer;
    const struct import_split *split = &outcome->split;
    if (outcome->type == OUTCOME_VARIANT) {
        build_put(importer, map, "serve", build_string(importer, outcome->variant));
        return check_variant(rules, outcome->variant);
    }
    struct node *shares = build_map(importer);
    for (size_t i = 0; i < split->count; i++) {
        if (!check_variant(rules, split->shares[i].variant))
            return false;
        build_put_text(importer, shares, split->shares[i].variant,
                       build_number(importer, split->shares[i].percent));
    }
    build_put(importer, map, "split", shares);
    if (split->seed.length)
        build_put(importer, map, "seed", build_string(importer, split->seed));
    if (split->bucket_by.length)
        build_put(importer, map, "bucketBy", build_string(importer, split->bucket_by));
    return true;
}

static struct node *build_rules(struct import_rules *rules, bool *fine)
{
    struct importer *importer = rules->importer;
    struct node *list = build_list(importer);
    for (size_t i = 0; i < rules->count; i++) {
        const struct import_rule *rule = &rules->items[i];
        struct node *map = build_map(importer);
        if (rule->name.length)
            build_put(importer, map, "name", build_string(importer, rule->name));
        if (!tree_is(rule->when, true)) {
            const struct node *when = tree_emit(importer, rule->when);
            *fine &= when != NULL;
            build_put(importer, map, "when", when);
        }
        *fine &= put_outcome(rules, map, &rule->outcome);
        build_append(importer, list, map);
    }
    return list;
}

/* So that nobody is told that the flag has no rules. */
static struct node *never(struct importer *importer, struct text fallback)
{
    struct node *list = build_list(importer), *map = build_map(importer),
                *when = build_map(importer);
    build_put(importer, when, "any", build_list(importer));
    build_put(importer, map, "name", build_string(importer, TEXT("never")));
    build_put(importer, map, "when", when);
    build_put(importer, map, "serve", build_string(importer, fallback));
    build_append(importer, list, map);
    return list;
}

/* Without a default of its own: one that nobody can get, if there is such a one. */
static struct text find_default(struct import_rules *rules, bool enabled, bool total)
{
    if (!enabled)
        return rules->variants->first->key;
    if (total && rules->count && !has_split(rules))
        return rules->items[rules->count - 1].outcome.variant;
    return (struct text){NULL, 0};
}

const struct node *flag_document(struct importer *importer, const struct node *variants,
                                 struct import_rules *rules, struct text fallback, bool enabled,
                                 const struct node *labels)
{
    const struct node *source = importer->flag->source;
    bool fine = !rules->failed, total, had_rules = rules->count > 0;
    if (!learn_variants(rules))
        return NULL;
    drop_defaults(rules, &total);
    if (rules->count > IMPORT_MAX_RULES) {
        importer_refuse(importer, CODE_IMPORT_RULE, importer_key_place(importer, source), NULL,
                        "flag \"" QUOTE "\" has more than %d rules", QUOTED(source->key),
                        IMPORT_MAX_RULES);
        return NULL;
    }
    struct node *list = build_rules(rules, &fine);
    if (!fallback.length && fine)
        fallback = find_default(rules, enabled, total);
    if (!fallback.length && fine) {
        importer_refuse(importer, CODE_IMPORT_DEFAULT, importer_key_place(importer, source),
                        "give it a defaultVariant: applications then no longer use their own",
                        "flag \"" QUOTE "\" has no default variant, and weir needs one",
                        QUOTED(source->key));
        return NULL;
    }
    if (!fine || !check_variant(rules, fallback) || importer->no_memory)
        return NULL;
    if (had_rules && rules->count == 0 && !importer->from_goff)
        list = never(importer, fallback);
    struct node *document = build_map(importer), *metadata = build_map(importer),
                *spec = build_map(importer);
    build_put(importer, document, "apiVersion", build_string(importer, TEXT("weir/v1")));
    build_put(importer, document, "kind", build_string(importer, TEXT("Flag")));
    build_put(importer, metadata, "name", build_string(importer, source->key));
    for (const struct node *field = labels ? labels->first : NULL; field; field = field->next)
        build_put_text(importer, metadata, field->key, field);
    build_put(importer, document, "metadata", metadata);
    if (!enabled)
        build_put(importer, spec, "enabled", build_bool(importer, false));
    build_put(importer, spec, "variants", build_copy(importer, variants));
    build_put(importer, spec, "default", build_string(importer, fallback));
    if (list && list->count)
        build_put(importer, spec, "rules", list);
    build_put(importer, document, "spec", spec);
    if (import_fits(document))
        return document;
    importer_refuse(importer, CODE_IMPORT_RULE, importer_key_place(importer, source),
                    "weir's files are nested at most 64 deep and hold at most 200000 values",
                    "flag \"" QUOTE "\" is too large, or nested too deep", QUOTED(source->key));
    return NULL;
}
