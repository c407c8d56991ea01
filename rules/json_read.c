/* Strict JSON into a tree of nodes.
 *
 * Every flag that weir compiles is written as JSON and read again, so this is on the way of all
 * that is served: the place in the text is handed from function to function, not kept in memory. A
 * function that gets `p` returns where it stopped reading, or NULL for a fault. */
#include "json.h"
#include "json_scan.h"

struct parser {
    struct json_cursor at; /* its end is that of the text; its p is where a fault is */
    struct arena *arena;
    const char *start;
    const char *known; /* a place whose line and column are known; it only moves on */
    uint32_t line, column;
    struct node *open;  /* the innermost list or map that is open; NULL: none */
    struct node **next; /* where its next entry is hung on */
    uint32_t depth, nodes;
    struct json_limits limits;
};

static const char *fail(struct parser *parser, const char *p, enum status status,
                        const char *problem)
{
    parser->at.p = p;
    json_fail(&parser->at, problem);
    parser->at.status = status;
    return NULL;
}

/* Brings line and column up to p. Between two values there is little text, and no newline inside
 * strings. */
static void advance_place(struct parser *parser, const char *p)
{
    for (; parser->known < p; parser->known++) {
        if (*parser->known == '\n') {
            parser->line++;
            parser->column = 1;
        } else {
            parser->column += ((unsigned char)*parser->known & 0xc0) != 0x80;
        }
    }
}

static inline const char *skip_space(const struct parser *parser, const char *p)
{
    while (p < parser->at.end && (unsigned char)*p <= ' ' &&
           (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

/* Whether `c` comes next, white space aside: *p is moved to what comes. What weir writes has none,
 * so it is looked at before anything is skipped. */
static inline bool comes(const struct parser *parser, const char **p, char c)
{
    if (*p < parser->at.end && **p == c)
        return true;
    *p = skip_space(parser, *p);
    return *p < parser->at.end && **p == c;
}

/* --- scalars --------------------------------------------------------------------------------- */

/* A scanned string as it is kept: decoded, and copied unless a view will do. */
static bool keep_string(struct parser *parser, struct text raw, bool escapes, struct text *out)
{
    if (parser->limits.views && !escapes) {
        *out = raw;
        return true;
    }
    char *copy = arena_allocate(parser->arena, raw.length + 1);
    if (!copy) {
        fail(parser, raw.data, STATUS_NO_MEMORY, "no memory");
        return false;
    }
    out->length = raw.length;
    if (escapes)
        out->length = json_decode_string(raw, copy);
    else
        memcpy(copy, raw.data, raw.length);
    copy[out->length] = '\0';
    out->data = copy;
    return true;
}

static const char *read_string_slowly(struct parser *parser, const char *p, struct text *out)
{
    struct text raw;
    bool escapes;
    parser->at.p = p;
    return json_scan_string(&parser->at, &raw, &escapes) && keep_string(parser, raw, escapes, out)
               ? parser->at.p
               : NULL;
}

/* p is at the quote. */
static inline const char *read_string(struct parser *parser, const char *p, struct text *out)
{
    const char *start = p + 1, *quote = json_plain_string(start, parser->at.end);
    if (!quote || !parser->limits.views)
        return read_string_slowly(parser, p, out);
    out->data = start; /* member by member: a struct put together is stored, and waited for */
    out->length = (size_t)(quote - start);
    return quote + 1;
}

/* A number or a word. */
static const char *read_other(struct parser *parser, const char *p, struct node *node)
{
    parser->at.p = p;
    if (*p == '-' || (*p >= '0' && *p <= '9')) {
        node->type = NODE_NUMBER;
        return json_scan_number(&parser->at, &node->number) ? parser->at.p : NULL;
    }
    char word = json_scan_word(&parser->at);
    node->type = word == 'n' ? NODE_NULL : NODE_BOOL;
    if (word != 'n')
        node->boolean = word == 't';
    return word ? parser->at.p : NULL;
}

/* --- lists and maps ---------------------------------------------------------------------------
 * No recursion: while a list or map is open, its `next` leads to the one around it. When it is
 * closed it is the last entry there, so that the next one is hung on that same `next`. */

static bool is_new_key(const struct node *map, const struct node *child)
{
    for (const struct node *same = map->first; same != child; same = same->next) {
        if (text_equal(same->key, child->key))
            return false;
    }
    return true;
}

static inline const char *read_key(struct parser *parser, const char *p, struct node *child)
{
    if (!comes(parser, &p, '"'))
        return fail(parser, p, STATUS_INVALID, "expected a key in quotes");
    const char *start = p;
    if (!parser->limits.views) {
        advance_place(parser, p);
        child->key_line = parser->line;
        child->key_column = parser->column;
    }
    p = read_string(parser, p, &child->key);
    if (!p)
        return NULL;
    if (!comes(parser, &p, ':'))
        return fail(parser, p, STATUS_INVALID, "expected \":\" after the key");
    if (parser->limits.unique_keys && !is_new_key(parser->open, child))
        return fail(parser, start, STATUS_INVALID, "key stands twice");
    return p + 1;
}

/* Begins another entry of what is open: up to its value, whose node becomes *out. */
static inline const char *begin_entry(struct parser *parser, const char *p, struct node **out)
{
    if (++parser->nodes > parser->limits.nodes)
        return fail(parser, p, STATUS_LIMIT, "too many values");
    struct node *child = ARENA_NEW(parser->arena, struct node);
    if (!child)
        return fail(parser, p, STATUS_NO_MEMORY, "no memory");
    *parser->next = child;
    parser->next = &child->next;
    parser->open->count++;
    *out = child;
    return parser->open->type == NODE_MAP ? read_key(parser, p, child) : p;
}

/* Behind the bracket that opens `node`. */
static inline const char *begin_container(struct parser *parser, const char *p, struct node *node,
                                          enum node_type type)
{
    if (++parser->depth > parser->limits.depth)
        return fail(parser, p, STATUS_LIMIT, "nested too deep");
    node->type = type;
    node->next = parser->open;
    parser->open = node;
    parser->next = &node->first;
    return p + 1;
}

/* All of a scalar; of a list or map, its opening bracket. */
static inline const char *begin_value(struct parser *parser, const char *p, struct node *node)
{
    p = skip_space(parser, p);
    if (p == parser->at.end)
        return fail(parser, p, STATUS_INVALID, "expected a value");
    if (!parser->limits.views) {
        advance_place(parser, p);
        node->line = parser->line;
        node->column = parser->column;
    }
    node->start = (uint32_t)(p - parser->start);
    if (*p == '{')
        return begin_container(parser, p, node, NODE_MAP);
    if (*p == '[')
        return begin_container(parser, p, node, NODE_LIST);
    if (*p == '"') {
        node->type = NODE_STRING;
        p = read_string(parser, p, &node->string);
    } else {
        p = read_other(parser, p, node);
    }
    if (p)
        node->end = (uint32_t)(p - parser->start);
    return p;
}

/* Closes every list and map that ends here. */
static inline const char *end_containers(struct parser *parser, const char *p)
{
    for (struct node *node = parser->open; node; node = parser->open) {
        if (!comes(parser, &p, node->type == NODE_MAP ? '}' : ']'))
            break;
        p++;
        node->end = (uint32_t)(p - parser->start);
        parser->open = node->next;
        parser->next = &node->next;
        node->next = NULL;
        parser->depth--;
    }
    return p;
}

/* From behind a value to where the next entry is due. */
static inline const char *pass_comma(struct parser *parser, const char *p)
{
    if (comes(parser, &p, ','))
        return p + 1;
    parser->at.p = p;
    json_scan_no_entry(&parser->at, parser->open->type == NODE_MAP ? '}' : ']');
    return NULL;
}

/* A whole value with all that is in it; NULL for a fault. */
static const char *read_value(struct parser *parser, const char *p, struct node *root)
{
    struct node *node = root;
    do {
        p = begin_value(parser, p, node);
        if (!p)
            return NULL;
        bool is_first = node == parser->open; /* just opened: no comma yet, unless it is empty */
        p = end_containers(parser, p);
        if (!parser->open)
            return p;
        if (!is_first || node != parser->open)
            p = pass_comma(parser, p);
        if (p)
            p = begin_entry(parser, p, &node);
    } while (p);
    return NULL;
}

enum status json_read(struct arena *arena, struct text source, struct json_limits limits,
                      const struct node **out, struct error *error)
{
    struct parser parser = {.at = {.end = source.data + source.length},
                            .arena = arena,
                            .start = source.data,
                            .known = source.data,
                            .line = 1,
                            .column = 1};
    *out = NULL;
    if (limits.bytes > UINT32_MAX) /* places in the source are that wide */
        limits.bytes = UINT32_MAX;
    if (source.length > limits.bytes)
        return error_set(error, STATUS_LIMIT, "JSON of %zu bytes is larger than the limit of %zu",
                         source.length, limits.bytes);
    struct node *root = ARENA_NEW(arena, struct node);
    if (!root)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    parser.limits = limits;
    const char *p = read_value(&parser, source.data, root);
    if (p)
        p = skip_space(&parser, p);
    if (p && p == parser.at.end) {
        *out = root;
        return STATUS_OK;
    }
    if (p)
        fail(&parser, p, STATUS_INVALID, "something stands after the value");
    uint32_t line, column;
    json_place(source.data, parser.at.p, &line, &column);
    if (parser.depth > limits.depth)
        return error_set_at(error, STATUS_LIMIT, line, column, "nested deeper than %u levels",
                            limits.depth);
    if (parser.nodes > limits.nodes)
        return error_set_at(error, STATUS_LIMIT, line, column, "more than %u values", limits.nodes);
    return error_set_at(error, parser.at.status, line, column, "%s", parser.at.problem);
}
