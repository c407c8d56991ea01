/* names.h - a hash table of names: which stand twice, and where one is.
 *
 * It is emptied and filled again and again, and keeps its memory until names_dispose(). Names and
 * nodes are borrowed. A table that is all zeros is empty. */
#ifndef WEIR_NAMES_H
#define WEIR_NAMES_H

#include "node.h"

struct name {
    struct text name;
    const struct node *node; /* NULL: the slot is free */
    size_t index;            /* of whoever put it there */
};

struct names {
    struct name *slots;
    size_t size, mask; /* allocated; in use, less one */
};

/* Empties it and makes room for `count` names. */
bool names_reset(struct names *names, size_t count) MUST_CHECK;
/* The one that is there already, else NULL and now it is. `node` is not NULL; no more names than
 * there was made room for. */
const struct name *names_put(struct names *names, struct text name, const struct node *node,
                             size_t index);
/* The same, in the place of one that is there already. */
void names_set(struct names *names, struct text name, const struct node *node, size_t index);
const struct name *names_find(const struct names *names, struct text name);
void names_dispose(struct names *names);

#endif
