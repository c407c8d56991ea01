#include "murmur3.h"

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static uint32_t scramble(uint32_t k)
{
    return rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u;
}

/* Blocks are little endian whatever the machine is, so that a bucket is the same everywhere. */
static uint32_t load_block(const unsigned char *p)
{
    uint32_t block;
    memcpy(&block, p, sizeof block);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    block = __builtin_bswap32(block);
#endif
    return block;
}

/* The last bytes, fewer than a block. */
static uint32_t load_rest(const unsigned char *p, size_t count)
{
    switch (count) {
    case 0:
        return 0;
    case 1:
        return p[0];
    case 2:
        return (uint32_t)p[1] << 8 | p[0];
    default:
        return (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
    }
}

static uint32_t mix(uint32_t hash, uint32_t block)
{
    return rotate(hash ^ scramble(block), 13) * 5 + 0xe6546b64u;
}

void murmur3_add(struct murmur3 *murmur, struct text piece)
{
    const unsigned char *p = (const unsigned char *)piece.data;
    uint64_t pending = murmur->pending;
    uint32_t hash = murmur->hash, bits = murmur->bits;
    size_t left = piece.length;
    for (; left >= 4; left -= 4, p += 4) {
        pending |= (uint64_t)load_block(p) << bits;
        hash = mix(hash, (uint32_t)pending);
        pending >>= 32;
    }
    pending |= (uint64_t)load_rest(p, left) << bits;
    bits += (uint32_t)left * 8;
    if (bits >= 32) {
        hash = mix(hash, (uint32_t)pending);
        pending >>= 32;
        bits -= 32;
    }
    *murmur = (struct murmur3){hash, bits, pending, murmur->length + piece.length};
}

uint32_t murmur3_end(const struct murmur3 *murmur)
{
    uint32_t h = murmur->hash;
    if (murmur->bits)
        h ^= scramble((uint32_t)murmur->pending);
    h ^= (uint32_t)murmur->length;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

uint32_t murmur3_32(struct text text)
{
    struct murmur3 murmur = {0};
    murmur3_add(&murmur, text);
    return murmur3_end(&murmur);
}
