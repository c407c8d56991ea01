/* similar.h - "did you mean": the nearest of some names. */
#ifndef WEIR_SIMILAR_H
#define WEIR_SIMILAR_H

#include "base.h"

/* How many single-character edits (insert, delete, replace, swap of neighbours) turn a into b, or
 * `limit` + 1 when it is more than `limit`. Names over 64 bytes are never similar. */
unsigned text_distance(struct text a, struct text b, unsigned limit);

/* Keeps the nearest candidate so far: start with best = {0}, then offer each one, then read
 * best.name (empty where nothing was near). At most two edits, and fewer than the name has
 * bytes. */
struct similar {
    struct text name;
    unsigned distance;
};
void similar_offer(struct similar *best, struct text wanted, struct text candidate);

#endif
