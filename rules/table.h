/* table.h - a hash table of things that know their own hash: each begins with a uint64_t of it.
 *
 * Open addressing. The things are the caller's. A table that is all zeros is empty. */
#ifndef WEIR_TABLE_H
#define WEIR_TABLE_H

#include "base.h"

struct table {
    void **slots;       /* NULL: free */
    size_t size, count; /* size: a power of two, or 0 */
};

typedef bool table_match(const void *item, const void *key);
void *table_find(const struct table *table, uint64_t hash, table_match *match, const void *key);
/* The item is not in the table yet. */
bool table_add(struct table *table, void *item) MUST_CHECK;
/* The item is in the table. */
void table_remove(struct table *table, const void *item);
void table_dispose(struct table *table);

/* All items: for (size_t i = 0; (item = table_next(&table, &i));) */
static inline void *table_next(const struct table *table, size_t *at)
{
    while (*at < table->size) {
        void *item = table->slots[(*at)++];
        if (item)
            return item;
    }
    return NULL;
}

#endif
