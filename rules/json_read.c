/* Strict JSON into a tree of nodes. Recursion is bounded by limits.depth. */
#include "json.h"
#include "json_scan.h"

struct parser {
    struct json_cursor at;
    struct arena *arena;
    const char *start;
    const char *known; /* a place whose line and column are known; it only moves on */
    uint32_t line, column;
    uint32_t depth, nodes;
    struct json_limits limits;
};

static bool fail(struct parser *parser, enum status status, const char *problem)
{
    json_fail(&parser->at, problem);
    parser->at.status = status;
    return false;
}

/* Brings line and column up to p. Between two values there is little text, and no newline inside
 * strings. */
static void advance_place(struct parser *parser)
{
    if (parser->limits.views)
        return;
    for (; parser->known < parser->at.p; parser->known++) {
        if (*parser->known == '\n') {
            parser->line++;
            parser->column = 1;
        } else {
            parser->column += ((unsigned char)*parser->known & 0xc0) != 0x80;
        }
    }
}

/* Turns a scanned string into the one that is kept: decoded, and copied unless a view will do. */
static bool keep_string(struct parser *parser, struct text raw, bool escapes, struct text *out)
{
    if (parser->limits.views && !escapes) {
        *out = raw;
        return true;
    }
    char *copy = arena_allocate(parser->arena, raw.length + 1);
    if (!copy)
        return fail(parser, STATUS_NO_MEMORY, "no memory");
    out->length = raw.length;
    if (escapes)
        out->length = json_decode_string(raw, copy);
    else
        memcpy(copy, raw.data, raw.length);
    copy[out->length] = '\0';
    out->data = copy;
    return true;
}

static bool read_string(struct parser *parser, struct text *out)
{
    struct text raw;
    bool escapes;
    return json_scan_string(&parser->at, &raw, &escapes) && keep_string(parser, raw, escapes, out);
}

static bool read_word(struct parser *parser, struct node *node)
{
    char word = json_scan_word(&parser->at);
    node->type = word == 'n' ? NODE_NULL : NODE_BOOL;
    if (word != 'n')
        node->boolean = word == 't';
    return word != 0;
}

static bool read_value(struct parser *parser, struct node *node);

static struct node *add_child(struct parser *parser, struct node *parent, struct node **last)
{
    if (++parser->nodes > parser->limits.nodes) {
        fail(parser, STATUS_LIMIT, "too many values");
        return NULL;
    }
    struct node *child = ARENA_NEW(parser->arena, struct node);
    if (!child) {
        fail(parser, STATUS_NO_MEMORY, "no memory");
        return NULL;
    }
    if (*last)
        (*last)->next = child;
    else
        parent->first = child;
    *last = child;
    parent->count++;
    return child;
}

static bool is_new_key(struct parser *parser, const struct node *map, const struct node *child,
                       const char *start)
{
    for (const struct node *same = map->first; same != child; same = same->next) {
        if (text_equal(same->key, child->key)) {
            parser->at.p = start;
            return fail(parser, STATUS_INVALID, "key stands twice");
        }
    }
    return true;
}

static bool read_key(struct parser *parser, struct node *map, struct node *child)
{
    const char *start = parser->at.p;
    struct text raw;
    bool escapes;
    advance_place(parser);
    child->key_line = parser->line;
    child->key_column = parser->column;
    return json_scan_key(&parser->at, &raw, &escapes) &&
           keep_string(parser, raw, escapes, &child->key) &&
           (!parser->limits.unique_keys || is_new_key(parser, map, child, start));
}

/* A list or a map; p is at its opening bracket. */
static bool read_container(struct parser *parser, struct node *node, enum node_type type,
                           char close)
{
    struct node *last = NULL;
    int more;
    node->type = type;
    if (++parser->depth > parser->limits.depth)
        return fail(parser, STATUS_LIMIT, "nested too deep");
    parser->at.p++;
    while ((more = json_scan_entry(&parser->at, close, !last)) > 0) {
        struct node *child = add_child(parser, node, &last);
        if (!child || (type == NODE_MAP && !read_key(parser, node, child)) ||
            !read_value(parser, child))
            return false;
    }
    parser->depth--;
    return more == 0;
}

static bool read_value(struct parser *parser, struct node *node)
{
    bool good;
    if (parser->at.p == parser->at.end)
        return fail(parser, STATUS_INVALID, "expected a value");
    advance_place(parser);
    node->line = parser->line;
    node->column = parser->column;
    node->start = (size_t)(parser->at.p - parser->start);
    char c = *parser->at.p;
    if (c == '{') {
        good = read_container(parser, node, NODE_MAP, '}');
    } else if (c == '[') {
        good = read_container(parser, node, NODE_LIST, ']');
    } else if (c == '"') {
        node->type = NODE_STRING;
        good = read_string(parser, &node->string);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        node->type = NODE_NUMBER;
        good = json_scan_number(&parser->at, &node->number);
    } else {
        good = read_word(parser, node);
    }
    node->end = (size_t)(parser->at.p - parser->start);
    return good;
}

enum status json_read(struct arena *arena, struct text source, struct json_limits limits,
                      const struct node **out, struct error *error)
{
    struct parser parser = {.at = {.p = source.data, .end = source.data + source.length},
                            .arena = arena,
                            .start = source.data,
                            .known = source.data,
                            .line = !limits.views,
                            .column = !limits.views,
                            .limits = limits};
    *out = NULL;
    if (source.length > limits.bytes)
        return error_set(error, STATUS_LIMIT, "JSON of %zu bytes is larger than the limit of %zu",
                         source.length, limits.bytes);
    struct node *root = ARENA_NEW(arena, struct node);
    if (!root)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    json_scan_space(&parser.at);
    if (read_value(&parser, root)) {
        json_scan_space(&parser.at);
        if (parser.at.p == parser.at.end) {
            *out = root;
            return STATUS_OK;
        }
        fail(&parser, STATUS_INVALID, "something stands after the value");
    }
    uint32_t line, column;
    json_place(source.data, parser.at.p, &line, &column);
    if (parser.depth > limits.depth)
        return error_set_at(error, STATUS_LIMIT, line, column, "nested deeper than %u levels",
                            limits.depth);
    if (parser.nodes > limits.nodes)
        return error_set_at(error, STATUS_LIMIT, line, column, "more than %u values", limits.nodes);
    return error_set_at(error, parser.at.status, line, column, "%s", parser.at.problem);
}
