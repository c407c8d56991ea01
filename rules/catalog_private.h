/* catalog_private.h - private to catalog*.c: definitions on their way into a catalog. */
#ifndef WEIR_CATALOG_PRIVATE_H
#define WEIR_CATALOG_PRIVATE_H

#include "catalog.h"

#define API_VERSION "weir/v1"
#define CATALOG_MEMORY ((size_t)4 << 30)

struct list { /* of definitions of one kind, while they are collected */
    void **items;
    size_t count, size;
};

/* catalog_read.c: all files of the bundle, in its order, into the lists and the catalog's arena;
 * STATUS_OK whatever is wrong with them. */
enum status catalog_read(struct catalog *catalog, const struct schema *const schemas[KIND_COUNT],
                         const struct bundle *bundle, const struct crew *crew,
                         struct list lists[KIND_COUNT], struct diagnostics *diagnostics);

#endif
