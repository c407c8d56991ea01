/* flagd's JSON: flags, evaluators as segments, prerequisites, the environment. */
#include <stdio.h>

#include "codes.h"
#include "hash.h"
#include "import_private.h"

#define ENVIRONMENT_DOCUMENTS 1

/* --- prerequisites --------------------------------------------------------------------------- */

static void import_flag(struct importer *importer, struct import_flag *flag);

/* Whether `value` is `targeting` with a default in the place of null. */
static bool is_value_of(const struct node *targeting, const struct node *value,
                        struct text fallback)
{
    struct text name, other;
    if (targeting->type == NODE_NULL && value->type == NODE_STRING)
        return text_equal(value->string, fallback);
    const struct node *a = logic_operator(targeting, &name), *b = logic_operator(value, &other);
    if (!a || !b || !text_is(name, "if") || !text_is(other, "if") || a->type != NODE_LIST ||
        b->type != NODE_LIST || a->count != b->count)
        return node_equal(targeting, value);
    const struct node *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next) {
        if (x->next) { /* a condition, and what it gives */
            if (!node_equal(x, y))
                return false;
            x = x->next;
            y = y->next;
        }
        if (!is_value_of(x, y, fallback))
            return false;
    }
    return true;
}

static uint64_t mix(uint64_t hash, uint64_t part)
{
    return (hash ^ part) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

/* The same for what node_equal() calls equal. Recursion is bounded by the depth that was read. */
static uint64_t hash_node(const struct node *node)
{
    uint64_t hash = mix(1, node->type);
    if (node->type == NODE_STRING)
        return mix(hash, hash_text(node->string));
    if (node->type == NODE_BOOL)
        return mix(hash, node->boolean);
    if (node->type == NODE_NUMBER) {
        double number = node->number == 0 ? 0 : node->number; /* -0 is 0 */
        return mix(hash, hash_text((struct text){(const char *)&number, sizeof number}));
    }
    if (node->type == NODE_NULL)
        return hash;
    hash = mix(hash, node->count);
    if (node->type == NODE_MAP) /* in any order, keys twice: an operator has one */
        return node->count == 1
                   ? mix(mix(hash, hash_text(node->first->key)), hash_node(node->first))
                   : hash;
    for (const struct node *entry = node->first; entry; entry = entry->next)
        hash = mix(hash, hash_node(entry));
    return hash;
}

/* The same for what is_value_of() takes for the same, whatever the default is. */
static uint64_t hash_value(const struct node *value)
{
    struct text name;
    const struct node *arguments = logic_operator(value, &name);
    if (value->type == NODE_NULL || value->type == NODE_STRING)
        return 0;
    if (!arguments || !text_is(name, "if") || arguments->type != NODE_LIST)
        return hash_node(value);
    uint64_t hash = mix(2, arguments->count);
    for (const struct node *item = arguments->first; item; item = item->next) {
        if (item->next) {
            hash = mix(hash, hash_node(item));
            item = item->next;
        }
        hash = mix(hash, hash_value(item));
    }
    return hash;
}

static bool learn_targetings(struct importer *importer)
{
    size_t size = 16;
    while (size < importer->flag_count * 2)
        size *= 2;
    importer->alike = importer_take(importer, size, sizeof(struct import_flag *));
    if (!importer->alike)
        return false;
    importer->alike_mask = size - 1;
    for (size_t i = importer->flag_count; i-- > 0;) { /* so that the first one comes first */
        struct import_flag *flag = &importer->flags[i];
        const struct node *targeting = node_get(flag->source, "targeting");
        if (!targeting || targeting->type != NODE_MAP)
            continue;
        struct import_flag **chain = &importer->alike[hash_value(targeting) & importer->alike_mask];
        flag->alike = *chain;
        *chain = flag;
    }
    return true;
}

/* Of many flags with the same rules the first are looked at: a condition that asks none of them
 * means the same. */
#define MOST_ALIKE 64

static struct import_flag *flag_giving(struct importer *importer, const struct node *value)
{
    if (!importer->alike && !learn_targetings(importer))
        return NULL;
    struct import_flag *flag = importer->alike[hash_value(value) & importer->alike_mask];
    for (unsigned i = 0; flag && i < MOST_ALIKE; flag = flag->alike, i++) {
        if (flag != importer->flag && text_is(node_get_string(flag->source, "state"), "ENABLED") &&
            (flag->done || !flag->started) &&
            is_value_of(node_get(flag->source, "targeting"), value,
                        node_get_string(flag->source, "defaultVariant")))
            return flag;
    }
    return NULL;
}

/* Whether a value is this string. */
static const struct tree *value_condition(struct importer *importer, const struct node *value,
                                          struct text variant)
{
    struct text name;
    const struct node *arguments = logic_operator(value, &name);
    const struct tree *tree = tree_constant(false);
    const struct tree *before = tree_constant(true);
    if (value->type == NODE_STRING)
        return tree_constant(text_equal(value->string, variant));
    if (value->type != NODE_MAP)
        return tree_constant(false);
    if (!arguments || !text_is(name, "if") || arguments->type != NODE_LIST ||
        importer->depth > IMPORT_MAX_DEPTH)
        return tree_refused(importer, value, "weir asks other flags, not values, for variants");
    importer->depth++;
    const struct node *item = arguments->first;
    for (; item; item = item->next) {
        const struct tree *when = tree_constant(true);
        if (item->next) {
            when = logic_condition(importer, item);
            item = item->next;
        }
        const struct tree *is = value_condition(importer, item, variant);
        tree = tree_or(importer, tree, tree_and(importer, before, tree_and(importer, when, is)));
        before = tree_and(importer, before, tree_not(importer, when));
    }
    importer->depth--;
    return tree;
}

const struct tree *prerequisite_condition(struct importer *importer, const struct node *value,
                                          struct text variant)
{
    struct import_flag *flag = importer->from_goff ? NULL : flag_giving(importer, value);
    if (flag) {
        struct importer state = *importer;
        import_flag(importer, flag);
        importer->flag = state.flag;
        importer->errors = state.errors;
        importer->assumed = state.assumed;
        importer->quiet = state.quiet;
        importer->inside_some = state.inside_some;
        importer->depth = state.depth;
        importer->visible_refs = state.visible_refs;
    }
    if (!flag || !flag->document || importer->no_memory)
        return value_condition(importer, value, variant);
    if (!node_get_text(node_get(flag->source, "variants"), variant))
        return tree_constant(false);
    struct node *condition = build_map(importer), *which = build_map(importer);
    build_put(importer, which, "name", build_string(importer, flag->source->key));
    build_put(importer, which, "is", build_string(importer, variant));
    build_put(importer, condition, "flag", which);
    return tree_ready(importer, condition);
}

/* --- one flag -------------------------------------------------------------------------------- */

/* An operator that json-logic-engine does not know fails the flag wherever it stands. */
static const struct node *unknown_operator(const struct node *node)
{
    static const char *const known[] = {"var",        "missing",     "missing_some",
                                        "if",         "==",          "===",
                                        "!=",         "!==",         ">",
                                        ">=",         "<",           "<=",
                                        "%",          "/",           "*",
                                        "+",          "-",           "max",
                                        "min",        "cat",         "merge",
                                        "substr",     "in",          "map",
                                        "filter",     "reduce",      "all",
                                        "none",       "some",        "and",
                                        "or",         "!",           "!!",
                                        "sem_ver",    "starts_with", "ends_with",
                                        "fractional", "$ref"};
    if (node->type != NODE_MAP && node->type != NODE_LIST)
        return NULL;
    if (node->type == NODE_MAP && node->first) {
        bool found = false;
        for (size_t i = 0; i < COUNT_OF(known); i++)
            found |= text_is(node->first->key, known[i]);
        if (!found)
            return node->first;
    }
    for (const struct node *inner = node->first; inner; inner = inner->next) {
        const struct node *fault = unknown_operator(inner);
        if (fault)
            return fault;
    }
    return NULL;
}

static bool check_fields(struct importer *importer, const struct node *flag)
{
    static const char *const known[] = {"state",     "variants", "defaultVariant",
                                        "targeting", "metadata", "key",
                                        "flagSetId", "priority", "source"};
    struct text state = node_get_string(flag, "state");
    for (const struct node *field = flag->first; field; field = field->next) {
        bool found = false;
        for (size_t i = 0; i < COUNT_OF(known); i++)
            found |= text_is(field->key, known[i]);
        if (!found)
            diagnostics_add(importer->diagnostics, CODE_IMPORT_IGNORED,
                            importer_key_place(importer, field), NULL,
                            "field \"" QUOTE "\" means nothing to flagd and is left out",
                            QUOTED(field->key));
    }
    if (text_is(state, "ENABLED") || text_is(state, "DISABLED"))
        return true;
    importer_refuse(importer, CODE_IMPORT_FIELD, importer_key_place(importer, flag),
                    "state is ENABLED or DISABLED", "flag \"" QUOTE "\" has no state",
                    QUOTED(flag->key));
    importer->out->left_out--; /* the flag is counted as such */
    return false;
}

static void add_rules(struct importer *importer, struct import_rules *rules,
                      const struct node *targeting)
{
    if (!targeting || targeting->type == NODE_NULL ||
        (targeting->type == NODE_MAP && targeting->count == 0))
        return;
    const struct node *fault = unknown_operator(targeting);
    if (fault) {
        importer_refuse(importer, CODE_IMPORT_RULE, importer_key_place(importer, fault),
                        "flagd answers this flag with an error",
                        "operator \"" QUOTE "\" does not exist", QUOTED(fault->key));
        rules->failed = true;
    } else if (targeting->type != NODE_MAP) {
        importer_refuse(importer, CODE_IMPORT_RULE, importer_place(importer, targeting), NULL,
                        "targeting is not a rule");
        rules->failed = true;
    } else {
        targeting_rules(rules, targeting);
    }
}

static void import_flag(struct importer *importer, struct import_flag *flag)
{
    const struct node *source = flag->source, *variants = node_get(source, "variants");
    struct import_rules rules = {.importer = importer, .variants = variants};
    if (flag->started)
        return;
    flag->started = true;
    importer->flag = flag;
    importer->quiet = importer->errors = importer->assumed = false;
    importer->inside_some = importer->depth = 0;
    importer->visible_refs = 0;
    bool fine = source->type == NODE_MAP && check_fields(importer, source);
    fine = flag_check(importer, source, variants) && fine;
    if (fine) {
        add_rules(importer, &rules, node_get(source, "targeting"));
        const struct node *labels = flag_labels(importer, source, node_get(source, "metadata"));
        flag->document =
            flag_document(importer, variants, &rules, node_get_string(source, "defaultVariant"),
                          text_is(node_get_string(source, "state"), "ENABLED"), labels);
    }
    flag->errors = importer->errors;
    flag->assumed = importer->assumed;
    flag->done = true;
    if (flag->document)
        importer_note(importer, flag);
}

/* --- evaluators ------------------------------------------------------------------------------ */

/* A name of a Segment like the evaluator's. */
static struct text segment_name(struct importer *importer, const struct node *evaluator)
{
    char text[64] = {0};
    size_t length = 0;
    struct text out = {NULL, 0}, name = evaluator->key;
    for (size_t i = 0; i < name.length && length < 55; i++) {
        char c = name.data[i];
        bool upper = c >= 'A' && c <= 'Z';
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || upper;
        if (fine)
            text[length++] = (char)(upper ? c + ('a' - 'A') : c);
        else if (length && text[length - 1] != '-')
            text[length++] = '-';
    }
    while (length && text[length - 1] == '-')
        length--;
    if (!length) {
        memcpy(text, "segment", 7);
        length = 7;
    }
    /* The first with a name counts up for the others, so that each number is tried once. */
    const struct name *first = names_find(&importer->segments, (struct text){text, length});
    if (first) {
        size_t stem = length, number = first->index;
        do {
            number++;
            length = stem + (size_t)snprintf(text + stem, sizeof text - stem, "-%zu", number);
        } while (names_find(&importer->segments, (struct text){text, length}) && number < 9999999);
        names_set(&importer->segments, first->name, first->node, number);
    }
    if (!arena_copy(importer->arena, (struct text){text, length}, &out))
        importer->no_memory = true;
    else
        names_put(&importer->segments, out, evaluator, 1);
    return out;
}

/* What only gives values (variants) is no condition. */
static bool gives_values(const struct node *node)
{
    struct text name;
    const struct node *arguments = logic_operator(node, &name);
    return !arguments || text_is(name, "if") || text_is(name, "fractional");
}

struct import_evaluator *importer_evaluator(const struct importer *importer,
                                            const struct node *name)
{
    const struct name *found =
        name->type == NODE_STRING ? names_find(&importer->evaluators_by, name->string) : NULL;
    return found && found->index >= importer->visible_refs ? &importer->evaluators[found->index]
                                                           : NULL;
}

static void import_evaluator(struct importer *importer, size_t index, bool quiet)
{
    struct import_evaluator *evaluator = &importer->evaluators[index];
    importer->flag = NULL;
    importer->quiet = quiet;
    importer->errors = importer->assumed = false;
    importer->depth = importer->inside_some = 0;
    importer->visible_refs = index + 1;
    if (gives_values(evaluator->source))
        return;
    const struct tree *tree = logic_condition(importer, evaluator->source);
    if (tree->type == TREE_CONSTANT)
        return;
    evaluator->condition = tree_emit(importer, tree);
    if (evaluator->condition && !import_fits(evaluator->condition))
        evaluator->condition = NULL;
    evaluator->errors = importer->errors;
    evaluator->assumed = importer->assumed;
    importer->quiet = false;
}

static void keep_segment(struct importer *importer, const struct import_evaluator *evaluator)
{
    struct node *document = build_map(importer), *metadata = build_map(importer),
                *spec = build_map(importer);
    build_put(importer, document, "apiVersion", build_string(importer, TEXT("weir/v1")));
    build_put(importer, document, "kind", build_string(importer, TEXT("Segment")));
    build_put(importer, metadata, "name", build_string(importer, evaluator->segment));
    build_put(importer, document, "metadata", metadata);
    build_put(importer, spec, "match", evaluator->condition);
    build_put(importer, document, "spec", spec);
    importer_keep(importer, "segments", evaluator->segment, document, evaluator->source);
}

/* What is used by no flag and could not become a segment would be gone without a word. */
static void tell_unused(struct importer *importer, size_t index)
{
    struct import_evaluator *evaluator = &importer->evaluators[index];
    if (evaluator->condition || evaluator->used)
        return;
    importer_refuse(importer, CODE_IMPORT_FIELD, importer_key_place(importer, evaluator->source),
                    NULL, "evaluator \"" QUOTE "\" is used by no flag and cannot be a segment",
                    QUOTED(evaluator->source->key));
}

/* --- the file -------------------------------------------------------------------------------- */

/* A flag of the list that flagd's daemon also reads: its key stands inside. */
static struct node *with_key(struct importer *importer, const struct node *entry)
{
    struct node *copy = importer_take(importer, 1, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *entry;
    copy->key = node_get_string(entry, "key");
    copy->key_line = entry->line;
    copy->key_column = entry->column;
    return copy;
}

static void list_flags(struct importer *importer, const struct node *flags)
{
    importer->flags = importer_take(importer, (size_t)flags->count + 1, sizeof *importer->flags);
    if (flags->type == NODE_MAP)
        importer_learn_keys(importer, flags);
    for (const struct node *entry = flags->first; entry && importer->flags; entry = entry->next) {
        if (flags->type == NODE_MAP && !importer_is_last(importer, entry)) {
            importer_refuse(importer, CODE_IMPORT_FIELD, importer_key_place(importer, entry), NULL,
                            "flag \"" QUOTE "\" stands twice; the last one counts",
                            QUOTED(entry->key));
            continue;
        }
        const struct node *source = flags->type == NODE_LIST ? with_key(importer, entry) : entry;
        if (source)
            importer->flags[importer->flag_count++].source = source;
    }
}

static void list_evaluators(struct importer *importer, const struct node *evaluators)
{
    if (!evaluators || evaluators->type != NODE_MAP)
        return;
    importer->evaluators =
        importer_take(importer, (size_t)evaluators->count + 1, sizeof *importer->evaluators);
    if (!importer->evaluators || !names_reset(&importer->evaluators_by, evaluators->count) ||
        !names_reset(&importer->segments, evaluators->count)) {
        importer->no_memory = true;
        return;
    }
    importer_learn_keys(importer, evaluators);
    for (const struct node *entry = evaluators->first; entry; entry = entry->next) {
        if (!importer_is_last(importer, entry))
            continue;
        names_put(&importer->evaluators_by, entry->key, entry, importer->evaluator_count);
        importer->evaluators[importer->evaluator_count++] =
            (struct import_evaluator){.source = entry, .segment = segment_name(importer, entry)};
    }
    for (size_t i = importer->evaluator_count; i-- > 0;) /* they may refer to later ones */
        import_evaluator(importer, i, true);
}

static void check_root(struct importer *importer)
{
    static const char *const known[] = {"flags", "$evaluators", "metadata", "$schema"};
    for (const struct node *field = importer->root->first; field; field = field->next) {
        bool found = false;
        for (size_t i = 0; i < COUNT_OF(known); i++)
            found |= text_is(field->key, known[i]);
        if (!found)
            diagnostics_add(importer->diagnostics, CODE_IMPORT_IGNORED,
                            importer_key_place(importer, field), NULL,
                            "field \"" QUOTE "\" means nothing to flagd and is left out",
                            QUOTED(field->key));
    }
}

/* What weir's compiler says of every set: the name of the environment. */
static bool says_only(const struct node *metadata, struct text environment)
{
    return metadata && metadata->type == NODE_MAP && metadata->count == 1 &&
           text_equal(node_get_string(metadata, "flagSetId"), environment);
}

static void import_all(struct importer *importer)
{
    struct import *out = importer->out;
    const struct node *metadata = node_get(importer->root, "metadata");
    for (size_t i = 0; i < importer->flag_count && !importer->no_memory; i++)
        import_flag(importer, &importer->flags[i]);
    importer->quiet = false;
    if (says_only(metadata, importer->options.environment))
        metadata = NULL;
    const struct node *labels = flag_labels(importer, NULL, metadata);
    if (metadata && metadata->count)
        diagnostics_add(importer->diagnostics, CODE_IMPORT_METADATA,
                        importer_key_place(importer, metadata), NULL,
                        "metadata of the set is kept as labels of the environment, which are not "
                        "served");
    out->documents = importer_take(
        importer, importer->flag_count + importer->evaluator_count + ENVIRONMENT_DOCUMENTS,
        sizeof *out->documents);
    if (!out->documents)
        return;
    importer_keep_environment(importer, labels);
    for (size_t i = 0; i < importer->evaluator_count; i++) {
        tell_unused(importer, i);
        if (importer->evaluators[i].condition)
            keep_segment(importer, &importer->evaluators[i]);
    }
    for (size_t i = 0; i < importer->flag_count; i++) {
        const struct import_flag *flag = &importer->flags[i];
        if (importer_keep(importer, "flags", flag->source->key, flag->document, flag->source))
            out->flags++;
        else
            out->left_out++;
    }
}

enum status import_flagd(struct importer *importer, struct text source)
{
    struct error error = {0};
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    enum status status = json_read(importer->arena, source, limits, &importer->root, &error);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK) {
        importer_refuse(importer, CODE_IMPORT_FILE,
                        (struct place){importer->path, error.line, error.column}, NULL, "%s%s",
                        status == STATUS_LIMIT ? "" : "not JSON: ", error.message);
        return STATUS_INVALID;
    }
    const struct node *flags = node_get(importer->root, "flags");
    if (!flags || (flags->type != NODE_MAP && flags->type != NODE_LIST)) {
        importer_refuse(importer, CODE_IMPORT_FILE, importer_place(importer, importer->root),
                        "flagd's files are maps like {\"flags\": {…}}", "file has no map of flags");
        return STATUS_INVALID;
    }
    check_root(importer);
    list_flags(importer, flags);
    list_evaluators(importer, node_get(importer->root, "$evaluators"));
    import_all(importer);
    return STATUS_OK;
}
