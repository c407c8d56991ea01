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
    uint32_t k = 0;
    for (size_t i = count; i-- > 0;)
        k = k << 8 | p[i];
    return k;
}

uint32_t murmur3_32(struct text text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    uint32_t h = 0;
    size_t left = text.length;
    for (; left >= 4; left -= 4, p += 4)
        h = rotate(h ^ scramble(load_block(p)), 13) * 5 + 0xe6546b64u;
    if (left)
        h ^= scramble(load_rest(p, left));
    h ^= (uint32_t)text.length;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}
