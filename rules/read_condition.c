/* A condition, from YAML to its struct. */
#include "codes.h"
#include "definitions.h"
#include "json.h"
#include "path.h"
#include "semver.h"

struct reader {
    struct arena *arena;
    struct text path;
    struct diagnostics *diagnostics;
};

static const struct text spellings[OPERATOR_COUNT] = {
    [OPERATOR_IS] = {"is", 2},
    [OPERATOR_IS_NOT] = {"isNot", 5},
    [OPERATOR_IN] = {"in", 2},
    [OPERATOR_NOT_IN] = {"notIn", 5},
    [OPERATOR_STARTS_WITH] = {"startsWith", 10},
    [OPERATOR_ENDS_WITH] = {"endsWith", 8},
    [OPERATOR_CONTAINS] = {"contains", 8},
    [OPERATOR_LT] = {"lt", 2},
    [OPERATOR_LTE] = {"lte", 3},
    [OPERATOR_GT] = {"gt", 2},
    [OPERATOR_GTE] = {"gte", 3},
    [OPERATOR_BETWEEN] = {"between", 7},
    [OPERATOR_SEMVER] = {"semver", 6},
    [OPERATOR_BEFORE] = {"before", 6},
    [OPERATOR_AFTER] = {"after", 5},
    [OPERATOR_EXISTS] = {"exists", 6},
};

const char *operator_spelling(enum operator_name name)
{
    return spellings[name].data;
}

/* The field of a condition that says what it is; every condition has just one of these. */
static const struct text types[] = {
    [CONDITION_ALL] = {"all", 3},   [CONDITION_ANY] = {"any", 3},
    [CONDITION_NOT] = {"not", 3},   [CONDITION_SEGMENT] = {"segment", 7},
    [CONDITION_FLAG] = {"flag", 4}, [CONDITION_ATTRIBUTE] = {"attribute", 9},
};

/* The entry of a map whose key is one of `names`, and which; NULL where there is none. */
static const struct node *find_entry(const struct node *map, const struct text *names, size_t count,
                                     size_t *which)
{
    const struct node *entry = map->type == NODE_MAP ? map->first : NULL;
    for (; entry; entry = entry->next) {
        for (size_t i = 0; i < count; i++) {
            if (text_equal(entry->key, names[i])) {
                *which = i;
                return entry;
            }
        }
    }
    return NULL;
}

static struct condition *read(struct reader *reader, const struct node *node);

static struct place place_of(const struct reader *reader, const struct node *node)
{
    return (struct place){reader->path, node->line, node->column};
}

static bool copy_name(struct reader *reader, const struct node *node, struct name *out)
{
    out->place = place_of(reader, node);
    return arena_copy(reader->arena, node->string, &out->text);
}

static bool read_scalar(struct reader *reader, const struct node *node, struct scalar *out)
{
    switch (node->type) {
    case NODE_BOOL:
        *out = (struct scalar){.type = SCALAR_BOOL, .boolean = node->boolean};
        return true;
    case NODE_NUMBER:
        *out = (struct scalar){.type = SCALAR_NUMBER, .number = node->number};
        return true;
    case NODE_STRING:
        out->type = SCALAR_STRING;
        return arena_copy(reader->arena, node->string, &out->string);
    default:
        return false;
    }
}

static bool read_operands(struct reader *reader, const struct node *node,
                          struct condition *condition)
{
    bool is_list = node->type == NODE_LIST;
    size_t count = is_list ? node->count : 1, i = 0;
    condition->operands = ARENA_ARRAY(reader->arena, struct scalar, count);
    if (!condition->operands)
        return false;
    for (const struct node *item = is_list ? node->first : node; i < count;
         item = item->next, i++) {
        if (!read_scalar(reader, item, &condition->operands[i]))
            return false;
    }
    condition->count = count;
    return true;
}

/* ">=2.0.0 <3.0.0": comparators apart by spaces; the schema's pattern has checked each one's
 * form. */
static bool read_semver(struct reader *reader, const struct node *node, struct condition *condition)
{
    static const char *const comparisons[] = {"<=", ">=", "!=", "=", "<", ">", "^", "~"};
    struct text rest = node->string;
    condition->bounds = ARENA_ARRAY(reader->arena, struct semver_bound, rest.length / 5 + 1);
    if (!condition->bounds)
        return false;
    while (rest.length) {
        struct semver_bound bound = {.comparison = "="};
        if (rest.data[0] == ' ') {
            rest = (struct text){rest.data + 1, rest.length - 1};
            continue;
        }
        for (size_t i = 0; i < COUNT_OF(comparisons); i++) {
            if (text_starts_with(rest, text_of(comparisons[i]))) {
                bound.comparison = comparisons[i];
                rest.data += strlen(comparisons[i]);
                rest.length -= strlen(comparisons[i]);
                break;
            }
        }
        const char *space = memchr(rest.data, ' ', rest.length);
        struct text version = {rest.data, space ? (size_t)(space - rest.data) : rest.length};
        struct semver parsed;
        if (!semver_parse(version, &parsed)) {
            diagnostics_add(reader->diagnostics, CODE_SCHEMA_PATTERN, place_of(reader, node),
                            "write all three numbers: 2.4.0", "\"%.*s\" is not a semantic version",
                            (int)(version.length < 80 ? version.length : 80), version.data);
            return true;
        }
        if (!arena_copy(reader->arena, version, &bound.version))
            return false;
        condition->bounds[condition->count++] = bound;
        rest = (struct text){version.data + version.length, rest.length - version.length};
    }
    return true;
}

static void check_time(struct reader *reader, const struct node *node)
{
    int64_t seconds;
    if (node->type == NODE_STRING && !time_parse(node->string, &seconds))
        diagnostics_add(reader->diagnostics, CODE_SCHEMA_PATTERN, place_of(reader, node),
                        "write 2026-01-31T09:00:00Z, or seconds since 1970 as a number",
                        "\"%.*s\" is not a date that exists",
                        (int)(node->string.length < 80 ? node->string.length : 80),
                        node->string.data);
}

void attribute_check(struct diagnostics *diagnostics, struct place place, struct text path,
                     bool is_time)
{
    int length = (int)(path.length < 80 ? path.length : 80);
    if (text_is(path, "$flagd.timestamp") && is_time)
        return;
    if (text_starts_with(path, TEXT("$flagd")))
        diagnostics_add(diagnostics, CODE_ATTRIBUTE, place,
                        "only $flagd.timestamp with before or after may be used",
                        "attribute \"%.*s\" belongs to the evaluator", length, path.data);
    else if (!path_is_alike(path))
        diagnostics_add(diagnostics, CODE_ATTRIBUTE, place,
                        "a path is names with dots between them, like app.version",
                        "attribute path \"%.*s\" cannot be read alike by all evaluators", length,
                        path.data);
}

static bool read_attribute(struct reader *reader, const struct node *node,
                           const struct node *attribute, struct condition *condition)
{
    size_t name = 0;
    const struct node *value = find_entry(node, spellings, OPERATOR_COUNT, &name);
    if (attribute->type != NODE_STRING || !value ||
        !arena_copy(reader->arena, attribute->string, &condition->attribute))
        return false;
    condition->operator_name = (enum operator_name)name;
    bool is_time = name == OPERATOR_BEFORE || name == OPERATOR_AFTER;
    attribute_check(reader->diagnostics, place_of(reader, attribute), attribute->string, is_time);
    if (name == OPERATOR_SEMVER)
        return value->type == NODE_STRING && read_semver(reader, value, condition);
    if (is_time)
        check_time(reader, value);
    return read_operands(reader, value, condition);
}

static bool read_children(struct reader *reader, const struct node *list,
                          struct condition *condition)
{
    struct condition **end = &condition->children;
    for (const struct node *item = list->first; item; item = item->next) {
        *end = read(reader, item);
        if (!*end)
            return false;
        end = &(*end)->next;
    }
    return true;
}

static bool read_flag(struct reader *reader, const struct node *node, struct condition *condition)
{
    const struct node *name = node_get(node, "name"), *variant = node_get(node, "is");
    condition->variant = ARENA_NEW(reader->arena, struct name);
    return condition->variant && name && variant && name->type == NODE_STRING &&
           variant->type == NODE_STRING && copy_name(reader, name, &condition->name) &&
           copy_name(reader, variant, condition->variant);
}

static bool read_into(struct reader *reader, const struct node *node, struct condition *condition)
{
    size_t type = 0;
    const struct node *part = find_entry(node, types, COUNT_OF(types), &type);
    if (!part)
        return false;
    condition->type = (enum condition_type)type;
    switch (condition->type) {
    case CONDITION_ALL:
    case CONDITION_ANY:
        return part->type == NODE_LIST && read_children(reader, part, condition);
    case CONDITION_NOT:
        condition->children = read(reader, part);
        return condition->children != NULL;
    case CONDITION_SEGMENT:
        return part->type == NODE_STRING && copy_name(reader, part, &condition->name);
    case CONDITION_FLAG:
        return read_flag(reader, part, condition);
    case CONDITION_ATTRIBUTE:
        return read_attribute(reader, node, part, condition);
    }
    return false;
}

static struct condition *read(struct reader *reader, const struct node *node)
{
    struct condition *condition = ARENA_NEW(reader->arena, struct condition);
    if (!condition)
        return NULL;
    condition->place = place_of(reader, node);
    return read_into(reader, node, condition) ? condition : NULL;
}

struct condition *condition_read(struct arena *arena, struct text path, const struct node *node,
                                 struct diagnostics *diagnostics)
{
    struct reader reader = {arena, path, diagnostics};
    return read(&reader, node);
}
