#include "names.h"

#include "hash.h"

bool names_reset(struct names *names, size_t count)
{
    size_t size = 16, bytes;
    if (count > SIZE_MAX / 4)
        return false;
    while (size < count * 2)
        size *= 2;
    if (size > names->size) {
        if (!size_multiply(size, sizeof *names->slots, &bytes))
            return false;
        struct name *slots = realloc(names->slots, bytes);
        if (!slots)
            return false;
        names->slots = slots;
        names->size = size;
    }
    memset(names->slots, 0, size * sizeof *names->slots);
    names->mask = size - 1;
    return true;
}

static struct name *slot_of(const struct names *names, struct text name)
{
    size_t at = (size_t)hash_text(name) & names->mask;
    while (names->slots[at].node && !text_equal(names->slots[at].name, name))
        at = (at + 1) & names->mask;
    return &names->slots[at];
}

const struct name *names_put(struct names *names, struct text name, const struct node *node,
                             size_t index)
{
    struct name *slot = slot_of(names, name);
    if (slot->node)
        return slot;
    *slot = (struct name){name, node, index};
    return NULL;
}

void names_set(struct names *names, struct text name, const struct node *node, size_t index)
{
    *slot_of(names, name) = (struct name){name, node, index};
}

const struct name *names_find(const struct names *names, struct text name)
{
    if (!names->slots)
        return NULL;
    const struct name *slot = slot_of(names, name);
    return slot->node ? slot : NULL;
}

void names_dispose(struct names *names)
{
    free(names->slots);
    *names = (struct names){0};
}
