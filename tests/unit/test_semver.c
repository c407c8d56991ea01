/* Versions and times. */
#include "../../rules/definitions.h"
#include "../../rules/semver.h"
#include "unit.h"

/* semver.org, section 11, and more, each below the next. */
START_TEST(versions_have_the_order_of_the_specification)
{
    static const char *const order[] = {
        "0.0.0-0",
        "0.0.0",
        "0.0.1",
        "0.1.0",
        "1.0.0-0",
        "1.0.0-1",
        "1.0.0-9",
        "1.0.0-10",
        "1.0.0--",
        "1.0.0-A",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.2.0",
        "1.10.0",
        "2.0.0-rc.1",
        "2.0.0",
        "10.0.0",
        "9007199254740993.0.0",
        "18446744073709551615.0.0",
    };
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        for (size_t j = 0; j < COUNT_OF(order); j++) {
            struct semver a, b;
            ck_assert_msg(semver_parse(text_of(order[i]), &a) &&
                              semver_parse(text_of(order[j]), &b),
                          "%s", order[i]);
            int got = semver_compare(&a, &b), expected = (i > j) - (i < j);
            ck_assert_msg((got > 0) - (got < 0) == expected, "%s against %s: %d", order[i],
                          order[j], got);
        }
    }
}
END_TEST

START_TEST(build_metadata_does_not_count)
{
    struct semver a, b;
    ck_assert(semver_parse(TEXT("1.0.0+001"), &a) && semver_parse(TEXT("1.0.0+zz-9.x"), &b));
    ck_assert_int_eq(semver_compare(&a, &b), 0);
    ck_assert(semver_parse(TEXT("1.0.0-rc.1+b"), &a) && semver_parse(TEXT("1.0.0-rc.1"), &b));
    ck_assert_int_eq(semver_compare(&a, &b), 0);
}
END_TEST

START_TEST(malformed_versions_are_refused)
{
    static const char *const bad[] = {
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "01.2.3",
        "1.02.3",
        "1.2.03",
        "1.2.3-",
        "1.2.3+",
        "1.2.3-01",
        "1.2.3-a..b",
        "1.2.3-a.",
        "1.2.3-.a",
        "1.2.3-a_b",
        "1.2.3+a..b",
        "1.2.3+a+b",
        "v1.2.3",
        "V1.2.3",
        " 1.2.3",
        "1.2.3 ",
        "1.2.x",
        "-1.2.3",
        "1.-2.3",
        "1..3",
        "a.b.c",
        "1.2.3-\xc3\xa9",
        "18446744073709551616.0.0",
        "1,2,3",
        "=1.2.3",
        "1.2.3\n",
    };
    struct semver version;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!semver_parse(text_of(bad[i]), &version), "'%s' was read", bad[i]);
    ck_assert(!semver_parse(TEXT("1.2.3\0"), &version));
}
END_TEST

START_TEST(loose_versions_are_what_flagd_takes)
{
    static const struct {
        const char *text;
        uint64_t major, minor, patch;
    } good[] = {{"2", 2, 0, 0},
                {"2.4", 2, 4, 0},
                {"v2.4.1", 2, 4, 1},
                {"V2", 2, 0, 0},
                {"vv2.4.0", 2, 4, 0}, /* as npm's semver reads them, from here on */
                {" 2.4.0", 2, 4, 0},
                {"V\xc2\xa0v2.4.0 \n", 2, 4, 0},
                {"9007199254740991.0.0", 9007199254740991, 0, 0},
                {"2.4.0-rc.1+b", 2, 4, 0}};
    static const char *const bad[] = {
        "",        "v",     "vvv2.4.0", " 2.4", "2.",
        "2.4.",    ".4",    "2.4.0.1",  "x2",   "2.4 ",
        "2.4-rc1", "2.4+b", "v v2",     "02.4", "9007199254740992.0.0"};
    struct semver version;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        ck_assert_msg(semver_parse_loosely(text_of(good[i].text), &version), "%s", good[i].text);
        ck_assert(version.major == good[i].major && version.minor == good[i].minor &&
                  version.patch == good[i].patch);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!semver_parse_loosely(text_of(bad[i]), &version), "'%s' was read", bad[i]);
}
END_TEST

START_TEST(comparisons_hold_as_flagd_has_them)
{
    static const struct {
        const char *a, *comparison, *b;
        bool expected;
    } cases[] = {
        {"2.4.0", "=", "2.4.0", true},  {"2.4.0", "=", "2.4.1", false},
        {"2.4.0", "!=", "2.4.1", true}, {"2.4.0", "!=", "2.4.0", false},
        {"2.4.0", "<", "2.4.1", true},  {"2.4.0", "<", "2.4.0", false},
        {"2.4.0", "<=", "2.4.0", true}, {"2.4.1", "<=", "2.4.0", false},
        {"2.4.1", ">", "2.4.0", true},  {"2.4.0", ">", "2.4.0", false},
        {"2.4.0", ">=", "2.4.0", true}, {"2.3.9", ">=", "2.4.0", false},
        {"2.9.9", "^", "2.0.0", true},  {"3.0.0", "^", "2.9.9", false},
        {"2.4.9", "~", "2.4.0", true},  {"2.5.0", "~", "2.4.0", false},
        {"3.4.0", "~", "2.4.0", false}, {"2.4.0-rc", "<", "2.4.0", true},
    };
    bool known;
    struct semver a, b;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert(semver_parse(text_of(cases[i].a), &a) && semver_parse(text_of(cases[i].b), &b));
        ck_assert_msg(semver_holds(&a, text_of(cases[i].comparison), &b, &known) ==
                              cases[i].expected &&
                          known,
                      "%s %s %s", cases[i].a, cases[i].comparison, cases[i].b);
    }
    static const char *const unknown[] = {"", "==", "=>", "<>", "~>", "< "};
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        ck_assert(!semver_holds(&a, text_of(unknown[i]), &b, &known) && !known);
}
END_TEST

START_TEST(times_are_read)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"1970-01-01", 0},
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59Z", -1},
        {"2026-01-01T00:00:00Z", 1767225600},
        {"2026-01-01t00:00:00z", 1767225600},
        {"2026-01-01T01:00:00+01:00", 1767225600},
        {"2025-12-31T18:30:00-05:30", 1767225600},
        {"2026-01-01T00:00:00.999999999Z", 1767225600},
        {"2024-02-29", 1709164800},
        {"2000-02-29T12:00:00Z", 951825600},
        {"2038-01-19T03:14:08Z", 2147483648},
        {"9999-12-31T23:59:59Z", 253402300799},
        {"0001-01-01", -62135596800},
    };
    int64_t seconds;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_msg(time_parse(text_of(cases[i].text), &seconds), "%s", cases[i].text);
        ck_assert_msg(seconds == cases[i].seconds, "%s: %lld", cases[i].text, (long long)seconds);
    }
}
END_TEST

START_TEST(times_that_do_not_exist_are_refused)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-13-01",
        "2026-00-01",
        "2026-01-00",
        "2026-01-32",
        "2026-02-29",
        "1900-02-29",
        "2026-04-31",
        "2026-1-01",
        "2026/01/01",
        "20260101",
        "2026-01-01T",
        "2026-01-01T00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.5",
        "2026-01-01T00:00:00+1:00",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+01:60",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00ZZ",
        "2026-01-01T00:00:00Z ",
        "-026-01-01",
        "2026-01-01x",
    };
    int64_t seconds;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!time_parse(text_of(bad[i]), &seconds), "'%s' was read", bad[i]);
}
END_TEST

UNIT_MAIN("semver", versions_have_the_order_of_the_specification, build_metadata_does_not_count,
          malformed_versions_are_refused, loose_versions_are_what_flagd_takes,
          comparisons_hold_as_flagd_has_them, times_are_read, times_that_do_not_exist_are_refused)
