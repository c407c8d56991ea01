/* A constant set of strings: open addressing, at most half full. */
#include "hash.h"
#include "program.h"

struct string_set {
    size_t mask;
    struct cell {
        uint64_t hash;
        struct text text; /* data NULL: free */
    } cells[];
};

const struct string_set *string_set_new(struct arena *arena, const struct value *items,
                                        uint32_t count)
{
    size_t size = 16, bytes;
    while (size < (size_t)count * 2)
        size *= 2;
    if (!size_multiply(size, sizeof(struct cell), &bytes) ||
        !size_add(bytes, sizeof(struct string_set), &bytes))
        return NULL;
    struct string_set *set = arena_allocate_zero(arena, 1, bytes);
    if (!set)
        return NULL;
    set->mask = size - 1;
    for (uint32_t i = 0; i < count; i++) {
        struct text text = {items[i].string, items[i].length};
        if (string_set_has(set, text))
            continue;
        uint64_t hash = hash_text(text);
        size_t at = (size_t)hash & set->mask;
        while (set->cells[at].text.data)
            at = (at + 1) & set->mask;
        set->cells[at] = (struct cell){hash, text};
    }
    return set;
}

bool string_set_has(const struct string_set *set, struct text text)
{
    uint64_t hash = hash_text(text);
    for (size_t at = (size_t)hash & set->mask; set->cells[at].text.data;
         at = (at + 1) & set->mask) {
        if (set->cells[at].hash == hash && text_equal(set->cells[at].text, text))
            return true;
    }
    return false;
}

size_t string_set_size(const struct string_set *set)
{
    return sizeof *set + (set->mask + 1) * sizeof(struct cell);
}

size_t string_set_cells(const struct string_set *set)
{
    return set->mask + 1;
}

struct text string_set_at(const struct string_set *set, size_t cell)
{
    return set->cells[cell].text;
}

void string_set_move(struct string_set *set, size_t cell, struct text text)
{
    set->cells[cell].text = text;
}
