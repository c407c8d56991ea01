/* hash.h - XXH3 for our own tables; never for anything that is stored or sent. */
#ifndef WEIR_HASH_H
#define WEIR_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base.h"

static inline uint64_t hash_text(struct text text)
{
    return XXH3_64bits(text.data, text.length);
}

static inline uint64_t hash_text_seeded(struct text text, uint64_t seed)
{
    return XXH3_64bits_withSeed(text.data, text.length, seed);
}

#endif
