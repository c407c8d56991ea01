#include "utf8.h"

/* The length of the valid sequence at the start of [p, end), 0 when there is none. RFC 3629,
 * section 4. */
static size_t sequence(const unsigned char *p, const unsigned char *end)
{
    size_t left = (size_t)(end - p);
    unsigned char a = p[0];
    if (a < 0x80)
        return 1;
    if (a < 0xc2 || a > 0xf4)
        return 0;
    if (left < 2)
        return 0;
    unsigned char b = p[1];
    if (a < 0xe0)
        return (b & 0xc0) == 0x80 ? 2 : 0;
    unsigned char lowest = 0x80, highest = 0xbf;
    if (a == 0xe0)
        lowest = 0xa0;
    else if (a == 0xed)
        highest = 0x9f;
    else if (a == 0xf0)
        lowest = 0x90;
    else if (a == 0xf4)
        highest = 0x8f;
    if (b < lowest || b > highest || left < 3 || (p[2] & 0xc0) != 0x80)
        return 0;
    if (a < 0xf0)
        return 3;
    return left >= 4 && (p[3] & 0xc0) == 0x80 ? 4 : 0;
}

size_t utf8_valid_length(struct text text)
{
    const unsigned char *start = (const unsigned char *)text.data, *p = start;
    const unsigned char *end = p + text.length;
    while (p < end) {
        while (end - p >= 8) {
            uint64_t eight;
            memcpy(&eight, p, 8);
            if (eight & UINT64_C(0x8080808080808080))
                break;
            p += 8;
        }
        if (p == end)
            break;
        size_t length = sequence(p, end);
        if (length == 0)
            break;
        p += length;
    }
    return (size_t)(p - start);
}

size_t utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t utf8_count(struct text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

size_t utf8_offset(struct text text, size_t index)
{
    for (size_t i = 0; i < text.length; i++) {
        if (((unsigned char)text.data[i] & 0xc0) == 0x80)
            continue;
        if (index-- == 0)
            return i;
    }
    return text.length;
}
