/* The nodes that import makes and writes. */
#include "import_private.h"

/* Each node that is made here knows its last entry, so that adding one does not go through all. */
struct built {
    struct node node; /* first: what the others see of it */
    struct node *last;
};

static struct node *make(struct importer *importer, struct node node)
{
    struct built *made = importer_take(importer, 1, sizeof *made);
    if (!made)
        return NULL;
    made->node = node;
    return &made->node;
}

static void append(struct node *above, struct node *entry)
{
    struct built *built = (struct built *)above;
    entry->next = NULL;
    if (built->last)
        built->last->next = entry;
    else
        above->first = entry;
    built->last = entry;
    above->count++;
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
    append(above, entry);
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

/* Puts copies of the entries into their place, all of one map before those below them. */
static bool copy_entries(struct importer *importer, struct node *copy)
{
    const struct node *from = copy->first;
    bool is_map = copy->type == NODE_MAP;
    if (is_map)
        importer_learn_keys(importer, copy);
    copy->first = NULL;
    copy->count = 0;
    for (; from; from = from->next) {
        if (is_map && !importer_is_last(importer, from))
            continue;
        struct node *entry = make(importer, *from);
        if (!entry)
            return false;
        append(copy, entry);
    }
    for (struct node *entry = copy->first; entry; entry = entry->next) {
        if ((entry->type == NODE_MAP || entry->type == NODE_LIST) && !copy_entries(importer, entry))
            return false;
    }
    return true;
}

struct node *build_copy(struct importer *importer, const struct node *node)
{
    struct node *copy = make(importer, *node);
    if (copy && (node->type == NODE_MAP || node->type == NODE_LIST) &&
        !copy_entries(importer, copy))
        return NULL;
    return copy;
}
