/* catalog_private.h - private to catalog*.c: definitions on their way into a catalog. */
#ifndef WEIR_CATALOG_PRIVATE_H
#define WEIR_CATALOG_PRIVATE_H

#include "catalog.h"
#include "reading.h"

struct list { /* of definitions of one kind, while they are collected */
    void **items;
    size_t count, size;
};

/* catalog_read.c: all files of the bundle, in its order, into the lists and the catalog's arena;
 * STATUS_OK whatever is wrong with them. */
enum status catalog_read(struct catalog *catalog, const struct schema_set *schemas,
                         const struct bundle *bundle, const struct crew *crew,
                         struct list lists[KIND_COUNT], struct diagnostics *diagnostics);

#endif
