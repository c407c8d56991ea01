/* murmur3.h - MurmurHash3 x86-32, seed 0: what flagd's `fractional` buckets by.
 * Source: Austin Appleby, smhasher, MurmurHash3.cpp (public domain); vectors in
 * tests/unit/test_hash.c. */
#ifndef WEIR_MURMUR3_H
#define WEIR_MURMUR3_H

#include "base.h"

uint32_t murmur3_32(struct text text);

/* The same of a text that comes in pieces: begin with {0}. */
struct murmur3 {
    uint32_t hash;
    uint32_t bits;    /* of `pending`: 0, 8, 16 or 24 */
    uint64_t pending; /* bytes that do not make a block yet */
    size_t length;
};
void murmur3_add(struct murmur3 *murmur, struct text piece);
uint32_t murmur3_end(const struct murmur3 *murmur);

#endif
