#include "cbor.h"

#include <math.h>

enum major { UNSIGNED = 0, NEGATIVE = 1, TEXT_STRING = 3, LIST = 4, MAP = 5, SIMPLE = 7 };

static void put(struct cbor *cbor, const char *bytes, size_t length)
{
    if (cbor->failed || length > cbor->size - cbor->length) {
        cbor->failed = true;
        return;
    }
    if (length)
        memcpy(cbor->out + cbor->length, bytes, length);
    cbor->length += length;
}

static void put_number(struct cbor *cbor, enum major major, unsigned minor, uint64_t number,
                       unsigned bytes)
{
    char head[9] = {(char)((unsigned)major << 5 | minor)};
    for (unsigned i = 0; i < bytes; i++)
        head[1 + i] = (char)(number >> 8 * (bytes - 1 - i));
    put(cbor, head, 1 + bytes);
}

/* A head with its argument in the fewest bytes. */
static void put_head(struct cbor *cbor, enum major major, uint64_t number)
{
    if (number < 24)
        put_number(cbor, major, (unsigned)number, 0, 0);
    else if (number <= UINT8_MAX)
        put_number(cbor, major, 24, number, 1);
    else if (number <= UINT16_MAX)
        put_number(cbor, major, 25, number, 2);
    else if (number <= UINT32_MAX)
        put_number(cbor, major, 26, number, 4);
    else
        put_number(cbor, major, 27, number, 8);
}

/* A half-precision float (IEEE 754 binary16) when it holds `single` exactly. */
static bool half_of(float single, uint16_t *out)
{
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    uint32_t sign = bits >> 31, fraction = bits & 0x7fffff;
    int exponent = (int)(bits >> 23 & 0xff) - 127;
    if (exponent >= -14 && exponent <= 15 && (fraction & 0x1fff) == 0) {
        *out = (uint16_t)(sign << 15 | (uint32_t)(exponent + 15) << 10 | fraction >> 13);
        return true;
    }
    /* Below 2^-14 there are 24 steps of 2^-24. */
    if (exponent < -14 && exponent >= -24) {
        uint32_t whole = 0x800000 | fraction, shift = (uint32_t)(-1 - exponent);
        if ((whole & ((1u << shift) - 1)) == 0) {
            *out = (uint16_t)(sign << 15 | whole >> shift);
            return true;
        }
    }
    return false;
}

static void put_float(struct cbor *cbor, double number)
{
    uint16_t half;
    if (isnan(number)) {
        put_number(cbor, SIMPLE, 25, 0x7e00, 2);
    } else if (isinf(number)) {
        put_number(cbor, SIMPLE, 25, number < 0 ? 0xfc00 : 0x7c00, 2);
    } else if (fabs(number) <= 3.4028234663852886e38 && (double)(float)number == number) {
        float single = (float)number;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        if (half_of(single, &half))
            put_number(cbor, SIMPLE, 25, half, 2);
        else
            put_number(cbor, SIMPLE, 26, bits, 4);
    } else {
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        put_number(cbor, SIMPLE, 27, bits, 8);
    }
}

static void write_number(struct cbor *cbor, double number)
{
    if (number == floor(number) && number >= 0 && number < 18446744073709551616.0)
        put_head(cbor, UNSIGNED, (uint64_t)number);
    else if (number == floor(number) && number < 0 && number >= -9223372036854775808.0)
        put_head(cbor, NEGATIVE, (uint64_t)-number - 1);
    else
        put_float(cbor, number);
}

void cbor_write_text(struct cbor *cbor, struct text text)
{
    put_head(cbor, TEXT_STRING, text.length);
    put(cbor, text.data, text.length);
}

void cbor_write_list(struct cbor *cbor, uint64_t count)
{
    put_head(cbor, LIST, count);
}

/* Encoded names begin with their length, so the shorter one comes first. */
static int by_name(struct text a, struct text b)
{
    if (a.length != b.length)
        return a.length < b.length ? -1 : 1;
    return text_compare(a, b);
}

/* The member that follows `last` (NULL: the first one), the last of those with its name. */
static const struct value_member *next_member(const struct value *map,
                                              const struct value_member *last)
{
    const struct value_member *next = NULL;
    for (uint32_t i = 0; i < map->length; i++) {
        const struct value_member *member = &map->members[i];
        if ((!last || by_name(member->name, last->name) > 0) &&
            (!next || by_name(member->name, next->name) <= 0))
            next = member;
    }
    return next;
}

static void write_map(struct cbor *cbor, const struct value *map)
{
    uint64_t count = 0;
    const struct value_member *member = NULL;
    if (map->length > CBOR_MAX_MEMBERS) {
        cbor->failed = true;
        return;
    }
    while ((member = next_member(map, member)))
        count++;
    put_head(cbor, MAP, count);
    while ((member = next_member(map, member)) && !cbor->failed) {
        cbor_write_text(cbor, member->name);
        cbor_write(cbor, &member->value);
    }
}

void cbor_write(struct cbor *cbor, const struct value *value)
{
    switch ((enum value_type)value->type) {
    case VALUE_BOOL:
        put_number(cbor, SIMPLE, value->boolean ? 21 : 20, 0, 0);
        break;
    case VALUE_NUMBER:
        write_number(cbor, value->number);
        break;
    case VALUE_STRING:
        cbor_write_text(cbor, (struct text){value->string, value->length});
        break;
    case VALUE_LIST:
        cbor_write_list(cbor, value->length);
        for (uint32_t i = 0; i < value->length && !cbor->failed; i++)
            cbor_write(cbor, &value->items[i]);
        break;
    case VALUE_MAP:
        write_map(cbor, value);
        break;
    default:
        put_number(cbor, SIMPLE, 22, 0, 0);
        break;
    }
}
