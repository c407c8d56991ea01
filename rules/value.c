#include "value.h"

#include <math.h>

#include "utf16.h"

bool value_is_truthy(const struct value *value)
{
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
    case VALUE_ERROR:
        return false;
    case VALUE_BOOL:
        return value->boolean;
    case VALUE_NUMBER:
        return value->number != 0 && !isnan(value->number);
    default:
        return value->length > 0;
    }
}

bool value_is_true(const struct value *value)
{
    return value->type == VALUE_LIST || value->type == VALUE_MAP || value_is_truthy(value);
}

bool value_is_same(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch ((enum value_type)a->type) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_NUMBER:
        return a->number == b->number;
    case VALUE_STRING:
        return text_equal(value_text(a), value_text(b));
    case VALUE_LIST:
        return a->items == b->items;
    case VALUE_MAP:
        return a->members == b->members;
    case VALUE_ERROR:
        break;
    }
    return false;
}

/* "0", "12": how JavaScript writes an index. False for all else. */
static bool index_of(struct text name, size_t *out)
{
    if (name.length == 0 || name.length > 9 || (name.length > 1 && name.data[0] == '0'))
        return false;
    *out = 0;
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] < '0' || name.data[i] > '9')
            return false;
        *out = *out * 10 + (size_t)(name.data[i] - '0');
    }
    return true;
}

static struct value member_of_string(struct text text, struct text name, char unit[4])
{
    size_t index, length = utf16_length(text);
    if (text_is(name, "length"))
        return value_number((double)length);
    if (!index_of(name, &index) || index >= length)
        return value_null();
    /* Cut out alone, a code unit is at most three bytes. */
    size_t from = 0, at = 0;
    for (;;) {
        size_t bytes = 1, units;
        while (from + bytes < text.length &&
               ((unsigned char)text.data[from + bytes] & 0xc0) == 0x80)
            bytes++;
        struct text one = {text.data + from, bytes};
        units = utf16_length(one);
        if (index < at + units)
            return value_string(
                (struct text){unit, utf16_slice(one, index - at, index - at + 1, unit)});
        at += units;
        from += bytes;
    }
}

struct value value_member(const struct value *value, struct text name, char unit[4])
{
    size_t index;
    switch ((enum value_type)value->type) {
    case VALUE_MAP:
        for (uint32_t i = value->length; i-- > 0;) {
            if (text_equal(value->members[i].name, name))
                return value->members[i].value;
        }
        return value_null();
    case VALUE_LIST:
        if (text_is(name, "length"))
            return value_number(value->length);
        return index_of(name, &index) && index < value->length ? value->items[index] : value_null();
    case VALUE_STRING:
        return member_of_string(value_text(value), name, unit);
    default:
        return value_null();
    }
}

/* --- copies ---------------------------------------------------------------------------------- */

static bool copy_list(struct arena *arena, const struct value *from, struct value *out)
{
    struct value *items = ARENA_ARRAY(arena, struct value, from->length + (size_t)1);
    if (!items)
        return false;
    for (uint32_t i = 0; i < from->length; i++) {
        if (!value_copy(arena, &from->items[i], &items[i]))
            return false;
    }
    out->items = items;
    return true;
}

static bool copy_map(struct arena *arena, const struct value *from, struct value *out)
{
    struct value_member *members =
        ARENA_ARRAY(arena, struct value_member, from->length + (size_t)1);
    if (!members)
        return false;
    for (uint32_t i = 0; i < from->length; i++) {
        if (!arena_copy(arena, from->members[i].name, &members[i].name) ||
            !value_copy(arena, &from->members[i].value, &members[i].value))
            return false;
    }
    out->members = members;
    return true;
}

bool value_copy(struct arena *arena, const struct value *from, struct value *out)
{
    struct text copy;
    *out = *from;
    if (from->type == VALUE_LIST)
        return copy_list(arena, from, out);
    if (from->type == VALUE_MAP)
        return copy_map(arena, from, out);
    if (from->type != VALUE_STRING)
        return true;
    if (!arena_copy(arena, value_text(from), &copy))
        return false;
    out->string = copy.data;
    return true;
}
