/* A condition, from YAML to its struct. */
#include "codes.h"
#include "definitions.h"
#include "json.h"
#include "semver.h"

struct reader {
    struct arena *arena;
    struct text path;
    struct diagnostics *diagnostics;
};

static const char *const spellings[OPERATOR_COUNT] = {
    [OPERATOR_IS] = "is",
    [OPERATOR_IS_NOT] = "isNot",
    [OPERATOR_IN] = "in",
    [OPERATOR_NOT_IN] = "notIn",
    [OPERATOR_STARTS_WITH] = "startsWith",
    [OPERATOR_ENDS_WITH] = "endsWith",
    [OPERATOR_CONTAINS] = "contains",
    [OPERATOR_LT] = "lt",
    [OPERATOR_LTE] = "lte",
    [OPERATOR_GT] = "gt",
    [OPERATOR_GTE] = "gte",
    [OPERATOR_BETWEEN] = "between",
    [OPERATOR_SEMVER] = "semver",
    [OPERATOR_BEFORE] = "before",
    [OPERATOR_AFTER] = "after",
    [OPERATOR_EXISTS] = "exists",
};

const char *operator_spelling(enum operator_name name)
{
    return spellings[name];
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
    condition->operand_count = count;
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
        condition->bounds[condition->bound_count++] = bound;
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

/* Behind a dot, an index or "length" is part of a string or a list to some engines, and a member
 * only to others. */
static bool is_index_or_length(struct text part)
{
    for (size_t i = 0; i < part.length; i++) {
        if (part.data[i] < '0' || part.data[i] > '9')
            return text_is(part, "length");
    }
    return true;
}

/* Paths that no engine reads alike: empty parts, escapes, JavaScript's __proto__, flagd's own
 * names. */
static void check_attribute(struct reader *reader, const struct node *node, bool is_time)
{
    struct text rest = node->string;
    if (text_is(rest, "$flagd.timestamp") && is_time)
        return;
    if (text_starts_with(rest, TEXT("$flagd"))) {
        diagnostics_add(reader->diagnostics, CODE_ATTRIBUTE, place_of(reader, node),
                        "only $flagd.timestamp with before or after may be used",
                        "attribute \"%.*s\" belongs to the evaluator",
                        (int)(rest.length < 80 ? rest.length : 80), rest.data);
        return;
    }
    for (;;) {
        const char *dot = memchr(rest.data, '.', rest.length);
        struct text part = {rest.data, dot ? (size_t)(dot - rest.data) : rest.length};
        if (part.length == 0 || text_is(part, "__proto__") ||
            (part.data != node->string.data && is_index_or_length(part)) ||
            memchr(part.data, '\\', part.length)) {
            diagnostics_add(reader->diagnostics, CODE_ATTRIBUTE, place_of(reader, node),
                            "a path is names with dots between them, like app.version",
                            "attribute path \"%.*s\" cannot be read alike by all evaluators",
                            (int)(node->string.length < 80 ? node->string.length : 80),
                            node->string.data);
            return;
        }
        if (!dot)
            return;
        rest = (struct text){dot + 1, rest.length - part.length - 1};
    }
}

static bool read_attribute(struct reader *reader, const struct node *node,
                           struct condition *condition)
{
    const struct node *attribute = node_get(node, "attribute"), *value = NULL;
    condition->type = CONDITION_ATTRIBUTE;
    for (size_t i = 0; i < OPERATOR_COUNT && !value; i++) {
        value = node_get(node, spellings[i]);
        condition->operator_name = (enum operator_name)i;
    }
    if (!attribute || attribute->type != NODE_STRING || !value ||
        !arena_copy(reader->arena, attribute->string, &condition->attribute))
        return false;
    bool is_time =
        condition->operator_name == OPERATOR_BEFORE || condition->operator_name == OPERATOR_AFTER;
    check_attribute(reader, attribute, is_time);
    if (condition->operator_name == OPERATOR_SEMVER)
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
    condition->type = CONDITION_FLAG;
    return name && variant && name->type == NODE_STRING && variant->type == NODE_STRING &&
           copy_name(reader, name, &condition->name) &&
           copy_name(reader, variant, &condition->variant);
}

static bool read_into(struct reader *reader, const struct node *node, struct condition *condition)
{
    const struct node *part;
    if ((part = node_get(node, "all")) != NULL || (part = node_get(node, "any")) != NULL) {
        condition->type = node_get(node, "all") ? CONDITION_ALL : CONDITION_ANY;
        return part->type == NODE_LIST && read_children(reader, part, condition);
    }
    if ((part = node_get(node, "not")) != NULL) {
        condition->type = CONDITION_NOT;
        condition->children = read(reader, part);
        return condition->children != NULL;
    }
    if ((part = node_get(node, "segment")) != NULL) {
        condition->type = CONDITION_SEGMENT;
        return part->type == NODE_STRING && copy_name(reader, part, &condition->name);
    }
    if ((part = node_get(node, "flag")) != NULL)
        return read_flag(reader, part, condition);
    return read_attribute(reader, node, condition);
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
