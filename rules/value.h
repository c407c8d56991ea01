/* value.h - what an expression evaluates to. Small, passed by value, owns nothing. */
#ifndef WEIR_VALUE_H
#define WEIR_VALUE_H

#include "base.h"

enum value_type {
    VALUE_NULL, /* also: missing */
    VALUE_BOOL,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_MAP,
    VALUE_ERROR, /* evaluation stops: flagd's PARSE_ERROR or GENERAL */
};

struct value_member;

struct value {
    uint32_t type;
    uint32_t length; /* STRING: bytes; LIST: elements; MAP: members */
    union {
        bool boolean;
        double number;
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

#endif
