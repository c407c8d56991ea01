#include "utf16.h"

#include "utf8.h"

#define SUPPLEMENTARY 0x10000

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t units_at(const char *p)
{
    return (unsigned char)*p >= 0xf0 ? 2 : 1;
}

size_t utf16_length(struct text text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (!continues(text.data[i]))
            length += units_at(text.data + i);
    }
    return length;
}

/* The code point at `p`, halves of pairs included, and the bytes that it takes. */
static uint32_t decode(const char *p, const char *end, size_t *bytes)
{
    unsigned char lead = (unsigned char)*p;
    size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (size > (size_t)(end - p))
        size = (size_t)(end - p);
    uint32_t code = size == 1 ? lead : lead & (0x7fu >> size);
    for (size_t i = 1; i < size; i++)
        code = code << 6 | ((unsigned char)p[i] & 0x3f);
    *bytes = size;
    return code;
}

static size_t encode_half(uint32_t half, char *out)
{
    out[0] = (char)(0xe0 | half >> 12);
    out[1] = (char)(0x80 | (half >> 6 & 0x3f));
    out[2] = (char)(0x80 | (half & 0x3f));
    return 3;
}

static uint32_t high_half(uint32_t code)
{
    return 0xd800 + ((code - SUPPLEMENTARY) >> 10);
}

static uint32_t low_half(uint32_t code)
{
    return 0xdc00 + ((code - SUPPLEMENTARY) & 0x3ff);
}

size_t utf16_slice(struct text text, size_t start, size_t end, char *out)
{
    const char *p = text.data, *stop = text.data + text.length;
    size_t at = 0, length = 0, bytes;
    while (p < stop && at < end) {
        uint32_t code = decode(p, stop, &bytes);
        size_t units = code >= SUPPLEMENTARY ? 2 : 1;
        if (at >= start && at + units <= end) {
            memcpy(out + length, p, bytes);
            length += bytes;
        } else if (units == 2 && at + 1 == start) {
            length += encode_half(low_half(code), out + length);
        } else if (at >= start) {
            length += encode_half(high_half(code), out + length);
        }
        at += units;
        p += bytes;
    }
    return length;
}

/* The first code unit at `p`. */
static uint32_t first_unit(const char *p, const char *end)
{
    size_t bytes;
    uint32_t code = decode(p, end, &bytes);
    return code >= SUPPLEMENTARY ? high_half(code) : code;
}

int utf16_compare(struct text a, struct text b)
{
    size_t common = a.length < b.length ? a.length : b.length, i = 0;
    while (i < common && a.data[i] == b.data[i])
        i++;
    if (i == common)
        return (a.length > b.length) - (a.length < b.length);
    while (i > 0 && continues(a.data[i]))
        i--;
    uint32_t x = first_unit(a.data + i, a.data + a.length),
             y = first_unit(b.data + i, b.data + b.length);
    if (x != y)
        return x < y ? -1 : 1;
    /* The same high half: the code points differ in the low one. */
    return text_compare((struct text){a.data + i, a.length - i},
                        (struct text){b.data + i, b.length - i});
}

/* Whether the three bytes at `p` are half of a pair: the high one, or the low one. */
static bool is_half(const char *p, bool high)
{
    unsigned char second = (unsigned char)p[1];
    return (unsigned char)p[0] == 0xed &&
           (high ? second >= 0xa0 && second < 0xb0 : second >= 0xb0 && second < 0xc0);
}

size_t utf16_append(char *out, size_t length, struct text part)
{
    if (length >= 3 && part.length >= 3 && is_half(out + length - 3, true) &&
        is_half(part.data, false)) {
        size_t bytes;
        uint32_t high = decode(out + length - 3, out + length, &bytes),
                 low = decode(part.data, part.data + 3, &bytes);
        uint32_t code = SUPPLEMENTARY + ((high - 0xd800) << 10) + (low - 0xdc00);
        struct text rest = {part.data + 3, part.length - 3};
        length = length - 3 + utf8_encode(code, out + length - 3);
        part = rest;
    }
    if (part.length)
        memmove(out + length, part.data, part.length);
    return length + part.length;
}

bool utf16_has_half(struct text text)
{
    for (size_t i = 0; i + 2 < text.length; i++) {
        if ((unsigned char)text.data[i] == 0xed && (unsigned char)text.data[i + 1] >= 0xa0)
            return true;
    }
    return false;
}

/* All pairs taken apart. */
static size_t take_apart(struct text text, char *out)
{
    const char *p = text.data, *end = text.data + text.length;
    size_t length = 0, bytes;
    for (; p < end; p += bytes) {
        uint32_t code = decode(p, end, &bytes);
        if (code >= SUPPLEMENTARY) {
            length += encode_half(high_half(code), out + length);
            length += encode_half(low_half(code), out + length);
        } else {
            memcpy(out + length, p, bytes);
            length += bytes;
        }
    }
    return length;
}

bool utf16_contains(struct text whole, struct text part, char *work)
{
    size_t size = take_apart(whole, work), needle = take_apart(part, work + size);
    return needle == 0 || (size && memmem(work, size, work + size, needle));
}

static bool is_space(uint32_t code)
{
    return code == ' ' || (code >= 0x09 && code <= 0x0d) || code == 0xa0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
           code == 0x202f || code == 0x205f || code == 0x3000 || code == 0xfeff;
}

struct text utf16_trim(struct text text)
{
    const char *p = text.data, *end = text.data + text.length;
    size_t bytes;
    while (p < end && is_space(decode(p, end, &bytes)))
        p += bytes;
    while (end > p) {
        const char *last = end - 1;
        while (last > p && continues(*last))
            last--;
        if (!is_space(decode(last, end, &bytes)))
            break;
        end = last;
    }
    return (struct text){p, (size_t)(end - p)};
}
