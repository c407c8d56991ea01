#include "table.h"

#include <stdlib.h>

static uint64_t hash_of(const void *item)
{
    return *(const uint64_t *)item;
}

void *table_find(const struct table *table, uint64_t hash, table_match *match, const void *key)
{
    size_t mask = table->size - 1;
    for (size_t at = (size_t)hash & mask; table->size && table->slots[at]; at = (at + 1) & mask) {
        if (hash_of(table->slots[at]) == hash && match(table->slots[at], key))
            return table->slots[at];
    }
    return NULL;
}

static void put(void **slots, size_t size, void *item)
{
    size_t at = (size_t)hash_of(item) & (size - 1);
    while (slots[at])
        at = (at + 1) & (size - 1);
    slots[at] = item;
}

static bool grow(struct table *table)
{
    size_t size = table->size ? table->size * 2 : 64;
    void **slots = calloc(size, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < table->size; i++) {
        if (table->slots[i])
            put(slots, size, table->slots[i]);
    }
    free(table->slots);
    table->slots = slots;
    table->size = size;
    return true;
}

bool table_add(struct table *table, void *item)
{
    if (table->count >= table->size / 2 && !grow(table))
        return false;
    put(table->slots, table->size, item);
    table->count++;
    return true;
}

/* Those behind it that are not where their hash wants them move up, so that no search ends early.
 */
void table_remove(struct table *table, const void *item)
{
    size_t mask = table->size - 1, hole = (size_t)hash_of(item) & mask;
    while (table->slots[hole] != item)
        hole = (hole + 1) & mask;
    for (size_t at = (hole + 1) & mask; table->slots[at]; at = (at + 1) & mask) {
        size_t home = (size_t)hash_of(table->slots[at]) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole] = NULL;
    table->count--;
}

void table_dispose(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}
