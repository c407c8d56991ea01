/* Strict loading of documents that are too deep, too large, too faulty, or cut off. */
#include "unit.h"

#include "../../rules/flagd_check.h"

#define BEFORE                                                                                     \
    "{\"flags\": {\"f\": {\"state\": \"ENABLED\", \"variants\": {\"on\": true}, \"targeting\":\n"  \
    "{\"if\": [\n"
#define AFTER ", \"on\"]}}}}"

/* `count` times `before`, then "1", then as often `after`, as a condition. */
static struct diagnostics nested(unsigned count, const char *before, const char *after)
{
    struct diagnostics faults;
    struct buffer json;
    buffer_init(&json, 0);
    buffer_append_string(&json, BEFORE);
    for (unsigned i = 0; i < count; i++)
        buffer_append_string(&json, before);
    buffer_append_char(&json, '1');
    for (unsigned i = 0; i < count; i++)
        buffer_append_string(&json, after);
    buffer_append_string(&json, AFTER);
    diagnostics_init(&faults);
    ck_assert_int_eq(flagd_check(buffer_text(&json), "f", &faults), STATUS_OK);
    buffer_dispose(&json);
    return faults;
}

static void expect_nested(unsigned count, const char *before, const char *after, const char *code,
                          uint32_t column)
{
    struct diagnostics faults = nested(count, before, after);
    ck_assert_uint_eq(faults.count, code ? 1 : 0);
    if (code) {
        ck_assert_str_eq(faults.items[0].code, code);
        ck_assert_uint_eq(faults.items[0].place.line, 3);
        ck_assert_uint_eq(faults.items[0].place.column, column);
    }
    diagnostics_dispose(&faults);
}

START_TEST(depth)
{
    /* "if" is the first of the hundred; the 100th "!" is told, once. */
    expect_nested(99, "{\"!\":", "}", NULL, 0);
    expect_nested(100, "{\"!\":", "}", "W820", 99 * 5 + 2);
    expect_nested(300, "{\"!\":", "}", "W820", 99 * 5 + 2);
    /* Document, flags, flag, if and its array are five levels. */
    expect_nested(FLAGD_MAX_DEPTH - 5, "[", "]", NULL, 0);
    expect_nested(FLAGD_MAX_DEPTH - 4, "[", "]", "W819", FLAGD_MAX_DEPTH - 4);
    expect_nested(100000, "[", "]", "W819", FLAGD_MAX_DEPTH - 4);
}
END_TEST

START_TEST(size)
{
    struct diagnostics faults;
    struct buffer json;
    buffer_init(&json, 0);
    diagnostics_init(&faults);
    char *end = buffer_reserve(&json, FLAGD_MAX_BYTES + 1);
    ck_assert_ptr_nonnull(end);
    memset(end, ' ', FLAGD_MAX_BYTES + 1);
    memcpy(end, "{\"flags\":{}}", 12);
    ck_assert_int_eq(flagd_check((struct text){end, FLAGD_MAX_BYTES}, "f", &faults), STATUS_OK);
    ck_assert_uint_eq(faults.count, 0);
    ck_assert_int_eq(flagd_check((struct text){end, FLAGD_MAX_BYTES + 1}, "f", &faults),
                     STATUS_LIMIT);
    ck_assert_uint_eq(faults.count, 1);
    ck_assert_text(faults.items[0].message,
                   "document of 67108865 bytes is larger than the limit of 67108864");
    diagnostics_dispose(&faults);
    buffer_dispose(&json);
}
END_TEST

/* More faults than are kept, in a document whose evaluators form one long chain: all are counted,
 * and the time is linear. */
START_TEST(many_faults)
{
    enum { COUNT = 40000 };
    struct diagnostics faults;
    struct buffer json;
    buffer_init(&json, 0);
    buffer_append_string(&json, "{\"flags\": {}, \"$evaluators\": {");
    for (unsigned i = 0; i < COUNT; i++)
        buffer_printf(&json, "%s\n\"e%u\": {\"!\": {\"$ref\": \"e%u\"}}", i ? "," : "", i,
                      (i + 1) % COUNT);
    buffer_append_string(&json, "}}");
    diagnostics_init(&faults);
    ck_assert_int_eq(flagd_check(buffer_text(&json), "f", &faults), STATUS_OK);
    ck_assert_uint_eq(faults.errors, COUNT);
    ck_assert_uint_eq(faults.warnings, 0);
    ck_assert_uint_eq(faults.count, DIAGNOSTICS_KEPT);
    ck_assert_str_eq(faults.items[0].code, "W814");
    diagnostics_dispose(&faults);
    buffer_dispose(&json);
}
END_TEST

/* Everything that can be said, and each beginning of it: nothing is read beyond the end. */
START_TEST(cut_anywhere)
{
    static const char json[] =
        "{\"flags\": {\"f\": {\"state\": \"ENABLED\", \"variants\": {\"a\": 1}, \"targeting\": "
        "{\"if\": [{\"$ref\": \"e\"}, \"a\"]}}}, \"$evaluators\": {\"e\": {\"sem_ver\": [{\"var\": "
        "\"a\\u00e9.b\"}, \"=\", \"1.2.3\"]}}, \"metadata\": {\"x\": 1.5e3, \"y\": \"ü\"}}";
    size_t length = sizeof json - 1;
    for (size_t i = 0; i <= length; i++) {
        struct diagnostics faults;
        char *copy = malloc(i ? i : 1); /* so that a sanitizer sees its end */
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, json, i);
        diagnostics_init(&faults);
        ck_assert_int_eq(flagd_check((struct text){copy, i}, "f", &faults), STATUS_OK);
        ck_assert_uint_eq(faults.errors, i < length);
        diagnostics_dispose(&faults);
        free(copy);
    }
}
END_TEST

UNIT_MAIN("flagd_limits", depth, size, many_faults, cut_anywhere)
