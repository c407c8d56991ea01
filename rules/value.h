/* value.h - what an expression evaluates to. Small, passed by value, owns nothing.
 *
 * Lists and maps have an identity, as in JavaScript: two are === only when they are one, so each
 * one has memory of its own, empty ones too. */
#ifndef WEIR_VALUE_H
#define WEIR_VALUE_H

#include "arena.h"

enum value_type {
    VALUE_NULL, /* missing; `length` is 1 where null was written, which only `missing` asks */
    VALUE_BOOL,
    VALUE_NUMBER,
    VALUE_STRING, /* UTF-8; halves of surrogate pairs as utf16.h has them */
    VALUE_LIST,
    VALUE_MAP,
    VALUE_ERROR, /* evaluation stops: flagd's GENERAL */
};

struct value_member;

struct value {
    uint32_t type;
    uint32_t length; /* STRING: bytes; LIST: elements; MAP: members */
    union {
        bool boolean;
        double number; /* NaN and infinities come from arithmetic */
        const char *string;
        const struct value *items;
        const struct value_member *members;
        const char *problem; /* ERROR: static text */
    };
};

struct value_member {
    struct text name;
    struct value value;
};

static inline struct value value_null(void)
{
    return (struct value){.type = VALUE_NULL};
}
static inline struct value value_bool(bool boolean)
{
    return (struct value){.type = VALUE_BOOL, .boolean = boolean};
}
static inline struct value value_number(double number)
{
    return (struct value){.type = VALUE_NUMBER, .number = number};
}
static inline struct value value_string(struct text text)
{
    return (struct value){
        .type = VALUE_STRING, .length = (uint32_t)text.length, .string = text.data};
}
static inline struct value value_error(const char *problem)
{
    return (struct value){.type = VALUE_ERROR, .problem = problem};
}
static inline struct text value_text(const struct value *string)
{
    return (struct text){string->string, string->length};
}
static inline bool value_is_container(const struct value *value)
{
    return value->type == VALUE_LIST || value->type == VALUE_MAP;
}

/* All of a value, with its strings, into an arena; false without memory. */
bool value_copy(struct arena *arena, const struct value *from, struct value *out) MUST_CHECK;
/* As JSONLogic means it: "", 0, NaN, [], {} and null are not. */
bool value_is_truthy(const struct value *value);
/* As JavaScript means it: [] and {} are. */
bool value_is_true(const struct value *value);
/* === */
bool value_is_same(const struct value *a, const struct value *b);
/* The member of that name, the last one where it stands twice; else an element, a code unit of a
 * string or their "length"; else missing. A code unit is written to `unit`, 4 bytes. */
struct value value_member(const struct value *value, struct text name, char unit[4]);

#endif
