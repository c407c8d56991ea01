/* node.h - a parsed value with its place: what the YAML and the JSON reader both return.
 *
 * A tree of nodes lives in the arena it was read into, and points into memory of that arena only
 * (never into the source text, but for json_read()'s views). Lists and maps are chains: `first`,
 * then `next`. A map's children carry their key. Positions are 1-based; a JSON node also has its
 * byte range in the source. */
#ifndef WEIR_NODE_H
#define WEIR_NODE_H

#include "base.h"

enum node_type { NODE_NULL, NODE_BOOL, NODE_NUMBER, NODE_STRING, NODE_LIST, NODE_MAP };

struct node {
    enum node_type type;
    uint32_t count;                /* entries of a list or map */
    uint32_t line, column;         /* of the value */
    uint32_t key_line, key_column; /* of the key, in a map */
    uint32_t start, end;           /* [start, end) in the source, JSON only */
    struct text key;               /* in a map; UTF-8, NUL-terminated, may hold NUL inside */
    struct node *next;             /* the next entry of the same list or map */
    union {
        bool boolean;
        double number;      /* always finite */
        struct text string; /* UTF-8, NUL-terminated, may hold NUL inside */
        struct node *first;
    };
};

/* The value under `key`, NULL where absent or where `map` is not a map (or NULL). Where a key
 * stands twice (JSON only), the last one counts. */
const struct node *node_get_text(const struct node *map, struct text key);
static inline const struct node *node_get(const struct node *map, const char *key)
{
    return node_get_text(map, text_of(key)); /* here, so that the length of a literal is known */
}
/* The string under `key`, or an empty text. */
struct text node_get_string(const struct node *map, const char *key);
/* Deep equality as JSON Schema's `const` and `enum` mean it: 1 equals 1.0, key order does not
 * count. */
bool node_equal(const struct node *a, const struct node *b);
/* "null", "boolean", "number", "string", "list", "map": as a person would say it of YAML. */
const char *node_type_name(enum node_type type);

#endif
