#include "node.h"

const struct node *node_get_text(const struct node *map, struct text key)
{
    const struct node *found = NULL;
    if (!map || map->type != NODE_MAP)
        return NULL;
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        if (text_equal(entry->key, key))
            found = entry;
    }
    return found;
}

struct text node_get_string(const struct node *map, const char *key)
{
    const struct node *node = node_get(map, key);
    return node && node->type == NODE_STRING ? node->string : (struct text){NULL, 0};
}

static bool lists_equal(const struct node *a, const struct node *b)
{
    const struct node *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next) {
        if (!node_equal(x, y))
            return false;
    }
    return !x && !y;
}

static bool maps_equal(const struct node *a, const struct node *b)
{
    if (a->count != b->count)
        return false;
    for (const struct node *entry = a->first; entry; entry = entry->next) {
        const struct node *other = node_get_text(b, entry->key);
        if (!other || !node_equal(entry, other))
            return false;
    }
    return true;
}

bool node_equal(const struct node *a, const struct node *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case NODE_NULL:
        return true;
    case NODE_BOOL:
        return a->boolean == b->boolean;
    case NODE_NUMBER:
        return a->number == b->number;
    case NODE_STRING:
        return text_equal(a->string, b->string);
    case NODE_LIST:
        return lists_equal(a, b);
    case NODE_MAP:
        return maps_equal(a, b);
    }
    return false;
}

const char *node_type_name(enum node_type type)
{
    static const char *const names[] = {
        [NODE_NULL] = "null",     [NODE_BOOL] = "boolean", [NODE_NUMBER] = "number",
        [NODE_STRING] = "string", [NODE_LIST] = "list",    [NODE_MAP] = "map",
    };
    return names[type];
}
