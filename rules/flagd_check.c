/* The document, its flags and their variants. */
#include "flagd_check.h"

#include <math.h>

#include "flagd_private.h"
#include "json.h"

#define FLAGD_MAX_NODES 16000000
#define FLAGD_MEMORY ((size_t)4 << 30)
#define FEW_KEYS 8 /* up to here comparing each with each is faster than hashing */

/* --- every object and number, wherever it stands --------------------------------------------- */

static void fault_twice(struct flagd_checker *checker, const struct node *entry,
                        const struct node *first)
{
    struct diagnostic *fault =
        flagd_fault(checker, CODE_FLAGD_DUPLICATE, flagd_at_key(checker, entry),
                    "remove one of them: readers take the last, and say nothing",
                    "key %s stands twice", flagd_quote(entry->key).text);
    diagnostic_also(checker->out, fault, flagd_at_key(checker, first));
}

static const struct node *same_key_before(const struct node *map, const struct node *entry)
{
    for (const struct node *other = map->first; other != entry; other = other->next) {
        if (text_equal(other->key, entry->key))
            return other;
    }
    return NULL;
}

static void check_keys(struct flagd_checker *checker, const struct node *map)
{
    bool few = map->count <= FEW_KEYS;
    if (!few && !names_reset(&checker->keys, map->count)) {
        checker->no_memory = true;
        return;
    }
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        const struct node *first = NULL;
        if (few) {
            first = same_key_before(map, entry);
        } else {
            const struct name *found = names_put(&checker->keys, entry->key, entry, 0);
            first = found ? found->node : NULL;
        }
        if (first)
            fault_twice(checker, entry, first);
    }
}

/* Bounded by the depth that was read. */
static void check_everywhere(struct flagd_checker *checker, const struct node *node)
{
    if (node->type == NODE_NUMBER && fabs(node->number) > NUMBER_SAFE_INTEGER)
        flagd_fault(checker, CODE_FLAGD_NUMBER, flagd_at(checker, node),
                    "write it as a string when it is an identifier",
                    "%s is beyond 9007199254740991: not every engine keeps it",
                    flagd_show(checker, node).text);
    if (node->type == NODE_MAP)
        check_keys(checker, node);
    if (node->type != NODE_MAP && node->type != NODE_LIST)
        return;
    for (const struct node *entry = node->first; entry; entry = entry->next)
        check_everywhere(checker, entry);
}

/* --- members --------------------------------------------------------------------------------- */

static bool is_object(struct flagd_checker *checker, const struct node *node, const char *what)
{
    if (node->type == NODE_MAP)
        return true;
    flagd_fault(checker, CODE_FLAGD_SHAPE, flagd_at(checker, node), NULL,
                "%s an object, here is %s", what, flagd_show(checker, node).text);
    return false;
}

/* A name of flagd's is one line and not empty. */
static void check_name(struct flagd_checker *checker, const struct node *entry, const char *what)
{
    struct text name = entry->key;
    bool good = name.length > 0;
    for (size_t i = 0; good && i < name.length; i++) {
        struct text rest = {name.data + i, name.length - i};
        good = name.data[i] != '\n' && name.data[i] != '\r' &&
               !text_starts_with(rest, TEXT("\u2028")) && !text_starts_with(rest, TEXT("\u2029"));
    }
    if (!good)
        flagd_fault(checker, CODE_FLAGD_SHAPE, flagd_at_key(checker, entry), NULL,
                    name.length ? "the name of %s has a line break" : "the name of %s is empty",
                    what);
}

static void check_members(struct flagd_checker *checker, const struct node *map,
                          const struct node *known)
{
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        if (!node_get_text(known, entry->key))
            flagd_fault(checker, CODE_FLAGD_MEMBER, flagd_at_key(checker, entry),
                        flagd_suggest(known, entry->key, "known here: ").text, "unknown member %s",
                        flagd_quote(entry->key).text);
    }
}

/* The members of a kind of object, as a map for the words above. */
#define MEMBER(name, following)                                                                    \
    (&(struct node){.key = {(name), sizeof(name) - 1}, .next = (following)})

static void check_flag_members(struct flagd_checker *checker, const struct node *flag, bool listed)
{
    struct node *first =
        MEMBER("state", MEMBER("variants", MEMBER("defaultVariant",
                                                  MEMBER("targeting", MEMBER("metadata", NULL)))));
    struct node known = {.type = NODE_MAP, .first = listed ? MEMBER("key", first) : first};
    check_members(checker, flag, &known);
}

static void check_document_members(struct flagd_checker *checker, const struct node *root)
{
    struct node *first =
        MEMBER("flags", MEMBER("metadata", MEMBER("$evaluators", MEMBER("$schema", NULL))));
    struct node known = {.type = NODE_MAP, .first = first};
    check_members(checker, root, &known);
}

static void fault_missing(struct flagd_checker *checker, const struct node *map, const char *name,
                          const char *hint)
{
    flagd_fault(checker, CODE_FLAGD_SHAPE, flagd_at(checker, map), hint, "\"%s\" is missing", name);
}

static void check_metadata(struct flagd_checker *checker, const struct node *metadata)
{
    if (!metadata || !is_object(checker, metadata, "metadata is"))
        return;
    for (const struct node *entry = metadata->first; entry; entry = entry->next) {
        if (entry->type != NODE_STRING && entry->type != NODE_NUMBER && entry->type != NODE_BOOL)
            flagd_fault(checker, CODE_FLAGD_METADATA, flagd_at(checker, entry), NULL,
                        "metadata %s is a string, a number or a boolean, here is %s",
                        flagd_quote(entry->key).text, flagd_type_name(entry));
    }
}

/* --- flags ----------------------------------------------------------------------------------- */

static void check_state(struct flagd_checker *checker, const struct node *flag)
{
    struct node known = {.type = NODE_MAP, .first = MEMBER("ENABLED", MEMBER("DISABLED", NULL))};
    const struct node *state = node_get(flag, "state");
    if (!state)
        fault_missing(checker, flag, "state", "write \"state\": \"ENABLED\"");
    else if (state->type != NODE_STRING || !node_get_text(&known, state->string))
        flagd_fault(checker, CODE_FLAGD_SHAPE, flagd_at(checker, state),
                    flagd_suggest(&known, state->type == NODE_STRING ? state->string : TEXT(""),
                                  "write one of ")
                        .text,
                    "state is \"ENABLED\" or \"DISABLED\", here is %s",
                    flagd_show(checker, state).text);
}

static void check_variant(struct flagd_checker *checker, const struct node *entry,
                          const struct node *first)
{
    check_name(checker, entry, "a variant");
    if (entry->type == NODE_LIST || entry->type == NODE_NULL) {
        flagd_fault(checker, CODE_FLAGD_VARIANTS, flagd_at(checker, entry),
                    entry->type == NODE_LIST ? "put the array into an object" : NULL,
                    "variant %s is a boolean, a string, a number or an object, here is %s",
                    flagd_quote(entry->key).text, flagd_type_name(entry));
        return;
    }
    if (entry->type == first->type || first->type == NODE_LIST || first->type == NODE_NULL)
        return;
    struct diagnostic *fault = flagd_fault(
        checker, CODE_FLAGD_VARIANTS, flagd_at(checker, entry), "make them all of one type",
        "variant %s is %s, and %s is %s", flagd_quote(entry->key).text, flagd_type_name(entry),
        flagd_quote(first->key).text, flagd_type_name(first));
    diagnostic_also(checker->out, fault, flagd_at(checker, first));
}

/* Afterwards checker->variants is what results may be looked up in. */
static void check_variants(struct flagd_checker *checker, const struct node *flag)
{
    const struct node *variants = node_get(flag, "variants");
    checker->variants = NULL;
    if (!variants) {
        fault_missing(checker, flag, "variants",
                      "write \"variants\": {\"on\": true, \"off\": false}");
        return;
    }
    if (!is_object(checker, variants, "variants are"))
        return;
    if (!names_reset(&checker->variant_names, variants->count)) {
        checker->no_memory = true;
        return;
    }
    if (variants->count == 0)
        flagd_fault(checker, CODE_FLAGD_SHAPE, flagd_at(checker, variants), NULL,
                    "there are no variants");
    for (const struct node *entry = variants->first; entry; entry = entry->next) {
        names_put(&checker->variant_names, entry->key, entry, 0);
        check_variant(checker, entry, variants->first);
    }
    if (variants->count > 0)
        checker->variants = variants;
}

static void check_default(struct flagd_checker *checker, const struct node *flag)
{
    const struct node *name = node_get(flag, "defaultVariant");
    if (!name || name->type == NODE_NULL)
        return;
    if (name->type != NODE_STRING)
        flagd_fault(checker, CODE_FLAGD_SHAPE, flagd_at(checker, name),
                    name->type == NODE_BOOL ? "put it in quotes" : NULL,
                    "defaultVariant is the name of a variant or null, here is %s",
                    flagd_show(checker, name).text);
    else if (checker->variants && !names_find(&checker->variant_names, name->string))
        flagd_fault(checker, CODE_FLAGD_VARIANT, flagd_at(checker, name),
                    flagd_suggest(checker->variants, name->string, "there are ").text,
                    "defaultVariant %s does not exist", flagd_quote(name->string).text);
}

static void check_flag(struct flagd_checker *checker, const struct node *flag, struct text key,
                       bool listed)
{
    checker->kind = "flag";
    checker->name = key;
    if (is_object(checker, flag, "a flag is")) {
        check_everywhere(checker, flag);
        check_flag_members(checker, flag, listed);
        check_state(checker, flag);
        check_variants(checker, flag);
        check_default(checker, flag);
        check_metadata(checker, node_get(flag, "metadata"));
        const struct node *targeting = node_get(flag, "targeting");
        if (targeting)
            flagd_check_targeting(checker, targeting);
    }
    checker->kind = NULL;
}

static void check_flag_map(struct flagd_checker *checker, const struct node *flags)
{
    check_keys(checker, flags);
    for (const struct node *flag = flags->first; flag && !checker->no_memory; flag = flag->next) {
        check_name(checker, flag, "a flag");
        check_flag(checker, flag, flag->key, false);
    }
}

/* --- flags in an array, for the daemon ------------------------------------------------------- */

/* One key may stand in several flag sets: what must not stand twice is both together. */
static void check_identity(struct flagd_checker *checker, const struct node *root,
                           const struct node *flag, const struct node *key,
                           struct names *identities)
{
    struct text set = node_get_string(node_get(flag, "metadata"), "flagSetId");
    size_t length;
    if (!set.length)
        set = node_get_string(node_get(root, "metadata"), "flagSetId");
    char *both = size_add(key->string.length + 1, set.length, &length)
                     ? arena_allocate(&checker->arena, length)
                     : NULL;
    if (!both) {
        checker->no_memory = true;
        return;
    }
    memcpy(both, key->string.data, key->string.length + 1); /* with its NUL */
    if (set.length)
        memcpy(both + key->string.length + 1, set.data, set.length);
    const struct name *first = names_put(identities, (struct text){both, length}, key, 0);
    if (!first)
        return;
    struct diagnostic *fault =
        flagd_fault(checker, CODE_FLAGD_DUPLICATE, flagd_at(checker, key),
                    "remove one of them, or tell them apart by \"flagSetId\" in their metadata",
                    "flag %s stands twice", flagd_quote(key->string).text);
    diagnostic_also(checker->out, fault, flagd_at(checker, first->node));
}

static void check_key(struct flagd_checker *checker, const struct node *root,
                      const struct node *flag, struct names *identities)
{
    const struct node *key = node_get(flag, "key");
    if (flag->type != NODE_MAP)
        return;
    if (!key)
        fault_missing(checker, flag, "key", "each flag of an array has its \"key\"");
    else if (key->type != NODE_STRING || key->string.length == 0)
        flagd_fault(checker, CODE_FLAGD_SHAPE, flagd_at(checker, key), NULL,
                    "the key of a flag is a string that is not empty, here is %s",
                    flagd_show(checker, key).text);
    else
        check_identity(checker, root, flag, key, identities);
}

static void check_flag_list(struct flagd_checker *checker, const struct node *root,
                            const struct node *flags)
{
    struct names identities = {0};
    if (!names_reset(&identities, flags->count))
        checker->no_memory = true;
    for (const struct node *flag = flags->first; flag && !checker->no_memory; flag = flag->next) {
        check_key(checker, root, flag, &identities);
        check_flag(checker, flag, node_get_string(flag, "key"), true);
    }
    names_dispose(&identities);
}

/* --- the document ---------------------------------------------------------------------------- */

static void check_evaluators(struct flagd_checker *checker, const struct node *map)
{
    if (!map || !is_object(checker, map, "\"$evaluators\" is"))
        return;
    check_keys(checker, map);
    if (!flagd_evaluators_learn(checker, map)) {
        checker->no_memory = true;
        return;
    }
    checker->variants = NULL;
    checker->kind = "evaluator";
    for (size_t i = 0; i < checker->evaluator_count && !checker->no_memory; i++) {
        const struct node *node = checker->evaluators[i].node;
        checker->name = node->key;
        checker->inside = &checker->evaluators[i];
        check_name(checker, node, "an evaluator");
        check_everywhere(checker, node);
        flagd_check_targeting(checker, node);
        if (node->type == NODE_MAP && node->count == 0)
            flagd_fault(checker, CODE_FLAGD_EVALUATOR_EMPTY, flagd_at(checker, node),
                        "write a rule, or remove it",
                        "flagd refuses the whole document for an empty evaluator");
    }
    checker->inside = NULL;
    checker->kind = NULL;
}

static void check_document(struct flagd_checker *checker, const struct node *root)
{
    if (!is_object(checker, root, "a flagd document is"))
        return;
    const struct node *flags = node_get(root, "flags"), *metadata = node_get(root, "metadata");
    check_keys(checker, root);
    check_document_members(checker, root);
    if (metadata)
        check_everywhere(checker, metadata);
    check_metadata(checker, metadata);
    check_evaluators(checker, node_get(root, "$evaluators"));
    if (!flags)
        fault_missing(checker, root, "flags", "write \"flags\": {}");
    else if (flags->type == NODE_MAP)
        check_flag_map(checker, flags);
    else if (flags->type == NODE_LIST)
        check_flag_list(checker, root, flags);
    else
        flagd_fault(checker, CODE_FLAGD_SHAPE, flagd_at(checker, flags), NULL,
                    "\"flags\" is an object or an array, here is %s",
                    flagd_show(checker, flags).text);
    flagd_check_evaluators_used(checker);
}

static enum status read_and_check(struct flagd_checker *checker)
{
    struct json_limits limits = {FLAGD_MAX_BYTES, FLAGD_MAX_DEPTH, FLAGD_MAX_NODES, false, false};
    const struct node *root;
    struct error error;
    enum status status = json_read(&checker->arena, checker->json, limits, &root, &error);
    if (status == STATUS_OK)
        check_document(checker, root);
    else if (status == STATUS_INVALID || status == STATUS_LIMIT)
        flagd_fault(checker, status == STATUS_LIMIT ? CODE_FLAGD_DEPTH : CODE_FLAGD_JSON,
                    (struct place){checker->path, error.line, error.column}, NULL, "%s",
                    error.message);
    return status == STATUS_NO_MEMORY || checker->no_memory || checker->out->failed
               ? STATUS_NO_MEMORY
               : STATUS_OK;
}

enum status flagd_check(struct text json, const char *file, struct diagnostics *diagnostics)
{
    struct flagd_checker checker = {.out = diagnostics, .path = text_of(file), .json = json};
    if (json.length > FLAGD_MAX_BYTES) {
        flagd_fault(&checker, CODE_FLAGD_SIZE, (struct place){checker.path, 0, 0}, NULL,
                    "document of %zu bytes is larger than the limit of %zu", json.length,
                    FLAGD_MAX_BYTES);
        return diagnostics->failed ? STATUS_NO_MEMORY : STATUS_LIMIT;
    }
    arena_init(&checker.arena, FLAGD_MEMORY);
    enum status status = read_and_check(&checker);
    names_dispose(&checker.keys);
    names_dispose(&checker.evaluator_names);
    names_dispose(&checker.variant_names);
    arena_dispose(&checker.arena);
    return status;
}
