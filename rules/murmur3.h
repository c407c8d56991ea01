/* murmur3.h - MurmurHash3 x86-32, seed 0: what flagd's `fractional` buckets by.
 * Source: Austin Appleby, smhasher, MurmurHash3.cpp (public domain); vectors in
 * tests/unit/test_hash.c. */
#ifndef WEIR_MURMUR3_H
#define WEIR_MURMUR3_H

#include "base.h"

uint32_t murmur3_32(struct text text);

#endif
