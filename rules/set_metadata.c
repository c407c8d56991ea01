#include "set_metadata.h"

#include "json.h"

struct claim {
    const struct node *entry;
    size_t order; /* of equal names the last one counts, and the flag's come last */
};

static int by_name(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    int order = text_compare(x->entry->key, y->entry->key);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static size_t collect(struct claim *claims, size_t count, const struct node *map)
{
    for (const struct node *entry = map ? map->first : NULL; entry; entry = entry->next) {
        claims[count] = (struct claim){entry, count};
        count++;
    }
    return count;
}

static const struct node *map_or_null(const struct node *node)
{
    return node && node->type == NODE_MAP ? node : NULL;
}

static bool is_told(const struct node *entry)
{
    return entry->type == NODE_STRING || entry->type == NODE_NUMBER || entry->type == NODE_BOOL;
}

bool set_metadata_merge(struct arena *arena, const struct set_metadata *set, const struct node *own,
                        struct buffer *out)
{
    const struct node *shared = set ? set->members : NULL;
    own = map_or_null(own);
    size_t most = (size_t)(shared ? shared->count : 0) + (own ? own->count : 0);
    if (most == 0)
        return true;
    struct claim *claims = ARENA_ARRAY(arena, struct claim, most);
    if (!claims)
        return false;
    size_t count = collect(claims, collect(claims, 0, shared), own), told = 0;
    qsort(claims, count, sizeof *claims, by_name);
    for (size_t i = 0; i < count; i++) {
        const struct node *entry = claims[i].entry;
        if ((i + 1 < count && text_equal(entry->key, claims[i + 1].entry->key)) || !is_told(entry))
            continue;
        buffer_append_char(out, told++ ? ',' : '{');
        json_write_string(out, entry->key);
        buffer_append_char(out, ':');
        json_write_node(out, entry);
    }
    if (told)
        buffer_append_char(out, '}');
    return true;
}

/* Behind the block's head. */
static struct set_metadata *make(const struct node *members, struct text json)
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
    *set = (struct set_metadata){1, members, 0, {copy, json.length}};
    return set;
}

struct set_metadata *set_metadata_new(const struct node *members)
{
    struct set_metadata alone = {.members = map_or_null(members)}, *set = NULL;
    struct arena arena;
    struct buffer json;
    arena_init(&arena, 0);
    buffer_init(&json, 0);
    if (set_metadata_merge(&arena, &alone, NULL, &json) && !json.failed)
        set = make(alone.members, buffer_text(&json));
    buffer_dispose(&json);
    arena_dispose(&arena);
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
