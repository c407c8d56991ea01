/* The nodes that import makes and writes. */
#include "import_private.h"

static struct node *make(struct importer *importer, struct node node)
{
    struct node *made = importer_take(importer, 1, sizeof *made);
    if (made)
        *made = node;
    return made;
}

struct node *build_map(struct importer *importer)
{
    return make(importer, (struct node){.type = NODE_MAP});
}

struct node *build_list(struct importer *importer)
{
    return make(importer, (struct node){.type = NODE_LIST});
}

struct node *build_string(struct importer *importer, struct text text)
{
    return make(importer, (struct node){.type = NODE_STRING, .string = text});
}

struct node *build_number(struct importer *importer, double number)
{
    return make(importer, (struct node){.type = NODE_NUMBER, .number = number});
}

struct node *build_bool(struct importer *importer, bool value)
{
    return make(importer, (struct node){.type = NODE_BOOL, .boolean = value});
}

static void add(struct importer *importer, struct node *above, struct text key,
                const struct node *value)
{
    struct node *entry = value ? make(importer, *value) : NULL;
    if (!above || !entry)
        return;
    entry->key = key;
    entry->next = NULL;
    struct node **tail = &above->first;
    while (*tail)
        tail = &(*tail)->next;
    *tail = entry;
    above->count++;
}

void build_put_text(struct importer *importer, struct node *map, struct text key,
                    const struct node *value)
{
    add(importer, map, key, value);
}

void build_put(struct importer *importer, struct node *map, const char *key,
               const struct node *value)
{
    add(importer, map, text_of(key), value);
}

void build_append(struct importer *importer, struct node *list, const struct node *value)
{
    add(importer, list, (struct text){NULL, 0}, value);
}

static bool stands_again(const struct node *entry)
{
    for (const struct node *later = entry->next; later; later = later->next) {
        if (text_equal(later->key, entry->key))
            return true;
    }
    return false;
}

struct node *build_copy(struct importer *importer, const struct node *node)
{
    struct node *copy = make(importer, *node);
    if (!copy || (node->type != NODE_MAP && node->type != NODE_LIST))
        return copy;
    struct node **tail = &copy->first;
    copy->first = NULL;
    copy->count = 0;
    for (const struct node *entry = node->first; entry; entry = entry->next) {
        if (node->type == NODE_MAP && stands_again(entry))
            continue;
        struct node *inner = build_copy(importer, entry);
        if (!inner)
            return NULL;
        inner->next = NULL;
        *tail = inner;
        tail = &inner->next;
        copy->count++;
    }
    return copy;
}
