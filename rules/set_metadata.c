#include "set_metadata.h"

#include "json.h"

/* A map's entries by name, of equal names only the last. */
struct entries {
    const struct node **items;
    size_t count;
};

struct claim {
    const struct node *entry;
    size_t order;
};

static int by_name(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    int order = text_compare(x->entry->key, y->entry->key);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static bool sort_entries(struct arena *arena, const struct node *map, struct entries *out)
{
    *out = (struct entries){0};
    if (!map || map->type != NODE_MAP || map->count == 0)
        return true;
    struct claim *claims = ARENA_ARRAY(arena, struct claim, map->count);
    out->items = ARENA_ARRAY(arena, const struct node *, map->count);
    if (!claims || !out->items)
        return false;
    size_t count = 0;
    for (const struct node *entry = map->first; entry; entry = entry->next, count++)
        claims[count] = (struct claim){entry, count};
    qsort(claims, count, sizeof *claims, by_name);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 == count || !text_equal(claims[i].entry->key, claims[i + 1].entry->key))
            out->items[out->count++] = claims[i].entry;
    }
    return true;
}

static bool is_told(const struct node *entry)
{
    return entry->type == NODE_STRING || entry->type == NODE_NUMBER || entry->type == NODE_BOOL;
}

static void write_entry(struct buffer *out, const struct node *entry)
{
    buffer_append_char(out, out->length ? ',' : '{');
    json_write_string(out, entry->key);
    buffer_append_char(out, ':');
    json_write_node(out, entry);
}

bool set_metadata_merge(struct arena *arena, const struct set_metadata *set, const struct node *own,
                        struct buffer *out)
{
    struct entries mine;
    if (!sort_entries(arena, own, &mine))
        return false;
    size_t shared = set ? set->told_count : 0, i = 0, j = 0;
    while (i < shared || j < mine.count) {
        int order = i == shared       ? 1
                    : j == mine.count ? -1
                                      : text_compare(set->told[i]->key, mine.items[j]->key);
        if (order < 0)
            write_entry(out, set->told[i]);
        else if (is_told(mine.items[j]))
            write_entry(out, mine.items[j]);
        i += order <= 0; /* what is not told hides all the same */
        j += order >= 0;
    }
    if (out->length)
        buffer_append_char(out, '}');
    return true;
}

bool set_metadata_charge(struct set_metadata *set)
{
    if (!set || set->told_count == 0)
        return true;
    set->merged += set->json.length;
    return set->merged <= SET_METADATA_MERGED_MAX;
}

/* Behind the block's head. */
static struct set_metadata *make(struct entries told, struct text json)
{
    size_t size;
    if (!size_add(sizeof(struct set_metadata), json.length + 1, &size))
        return NULL;
    struct set_metadata *set = malloc(size);
    if (!set)
        return NULL;
    char *copy = (char *)(set + 1);
    if (json.length)
        memcpy(copy, json.data, json.length);
    copy[json.length] = '\0';
    *set = (struct set_metadata){1, told.items, told.count, 0, {copy, json.length}};
    return set;
}

struct set_metadata *set_metadata_new(struct arena *arena, const struct node *members)
{
    struct set_metadata *set = NULL;
    struct entries all;
    struct buffer json;
    if (!sort_entries(arena, members, &all))
        return NULL;
    struct entries told = {all.items, 0};
    buffer_init(&json, 0);
    for (size_t i = 0; i < all.count; i++) {
        if (!is_told(all.items[i]))
            continue;
        write_entry(&json, all.items[i]);
        told.items[told.count++] = all.items[i];
    }
    if (told.count)
        buffer_append_char(&json, '}');
    if (!json.failed)
        set = make(told, buffer_text(&json));
    buffer_dispose(&json);
    return set;
}

struct set_metadata *set_metadata_reference(struct set_metadata *set)
{
    __atomic_add_fetch(&set->references, 1, __ATOMIC_RELAXED);
    return set;
}

void set_metadata_release(struct set_metadata *set)
{
    if (set && __atomic_sub_fetch(&set->references, 1, __ATOMIC_ACQ_REL) == 0)
        free(set);
}
