#include "unit.h"

#include "../../rules/pattern.h"

static enum pattern_result match(const char *source, const char *subject)
{
    struct pattern *pattern = NULL;
    struct error error = {0};
    ck_assert_msg(pattern_new(text_of(source), &pattern, &error) == STATUS_OK, "%s", error.message);
    enum pattern_result result = pattern_match(pattern, text_of(subject));
    pattern_free(pattern);
    return result;
}

START_TEST(patterns_are_ecmascript)
{
    ck_assert_int_eq(match("^a$", "a"), PATTERN_MATCHES);
    ck_assert_int_eq(match("^a$", "a\n"), PATTERN_DIFFERS);
    ck_assert_int_eq(match("^a$", "b\na"), PATTERN_DIFFERS);
    ck_assert_int_eq(match("b", "abc"), PATTERN_MATCHES);
    ck_assert_int_eq(match("^\\d$", "7"), PATTERN_MATCHES);
    ck_assert_int_eq(match("^\\d$", "\xd9\xa3"), PATTERN_DIFFERS); /* Arabic three */
    ck_assert_int_eq(match("^\\w$", "\xc3\xa9"), PATTERN_DIFFERS);
    ck_assert_int_eq(match("^.$", "\xf0\x9f\x98\x80"), PATTERN_MATCHES);
    ck_assert_int_eq(match("^.$", "\r"), PATTERN_DIFFERS);
    ck_assert_int_eq(match("^\\u00e9$", "\xc3\xa9"), PATTERN_MATCHES);
    ck_assert_int_eq(match("[]", "a"), PATTERN_DIFFERS);
    ck_assert_int_eq(match("^(?:a|(?=b)b)(?<n>c)\\k<n>{2,3}$", "bccc"), PATTERN_MATCHES);
    ck_assert_int_eq(match("", ""), PATTERN_MATCHES);
}
END_TEST

START_TEST(patterns_refused)
{
    static const char *const foreign[] = {
        "a++",  "a*+",     "a{2}+", "(?i)a",     "(?>a)",       "\\Aa",  "a\\z", "\\h",
        "\\v",  "\\Qa\\E", "\\Ka",  "(*ACCEPT)", "[[:alpha:]]", "a{,5}", "a{",   "(?P<n>a)",
        "(?R)", "\\C",     "a\\",   "(?#c)",     "(a",          "[a",    "*a",   "\\R"};
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        struct pattern *pattern = NULL;
        struct error error = {0};
        ck_assert_msg(pattern_new(text_of(foreign[i]), &pattern, &error) == STATUS_INVALID,
                      "%s was taken", foreign[i]);
        ck_assert_ptr_null(pattern);
        ck_assert_uint_gt(strlen(error.message), 0);
    }
    char large[PATTERN_MAX_LENGTH + 2];
    struct pattern *pattern = NULL;
    memset(large, 'a', sizeof large);
    ck_assert_int_eq(pattern_new((struct text){large, sizeof large}, &pattern, NULL), STATUS_LIMIT);
    ck_assert_int_eq(pattern_new((struct text){"a\0b", 3}, &pattern, NULL), STATUS_INVALID);
}
END_TEST

/* 62 bytes that would take an unbounded matcher longer than the universe has. */
START_TEST(hostile_patterns)
{
    static const char subject[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!";
    ck_assert_int_eq(match("^(a+)+$", subject), PATTERN_GAVE_UP);
    ck_assert_int_eq(match("^(a|a)*$", subject), PATTERN_GAVE_UP);
    /* Few enough for PCRE2's own limit, too many for ours. */
    ck_assert_int_eq(match("^(a+)+$", "aaaaaaaaaaaaaaaaaaaa!"), PATTERN_GAVE_UP);
    /* Bytes that are not UTF-8 are never taken for a match. */
    ck_assert_int_eq(match("^.*$", "\xff\xfe"), PATTERN_GAVE_UP);
}
END_TEST

UNIT_MAIN("pattern", patterns_are_ecmascript, patterns_refused, hostile_patterns)
