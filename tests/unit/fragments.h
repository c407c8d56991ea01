/* fragments.h - what tests share that look into fragments. */
#ifndef WEIR_TESTS_FRAGMENTS_H
#define WEIR_TESTS_FRAGMENTS_H

#include "unit.h"

#include "../../rules/fragment.h"

/* The flag object, NUL-terminated; whoever calls frees it. */
static inline char *json_of(const struct fragment *fragment)
{
    struct buffer json;
    buffer_init(&json, 0);
    fragment_append_json(fragment, &json);
    ck_assert_int_eq(json.failed, STATUS_OK);
    ck_assert_uint_eq(json.length, fragment_json_length(fragment));
    return buffer_take(&json, NULL);
}

#endif
