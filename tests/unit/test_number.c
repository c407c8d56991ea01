/* Numbers: the one spelling of each double, and reading without the locale. */
#include <locale.h>
#include <math.h>

#include "../../rules/json.h"
#include "unit.h"

static double from_bits(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void expect_spelling(double number, const char *expected)
{
    char text[NUMBER_TEXT_SIZE];
    size_t length = number_format(number, text);
    ck_assert_msg(length <= NUMBER_TEXT_SIZE && text_is((struct text){text, length}, expected),
                  "got '%.*s', expected '%s'", (int)length, text, expected);
}

/* RFC 8785, appendix B. */
START_TEST(numbers_are_spelt_as_rfc_8785_has_them)
{
    static const struct {
        uint64_t bits;
        const char *text;
    } cases[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_spelling(from_bits(cases[i].bits), cases[i].text);
}
END_TEST

/* Powers of two, where the doubles below are nearer than those above, and other edges; as
 * ECMAScript prints them. */
START_TEST(numbers_at_edges_are_the_shortest)
{
    expect_spelling(0x1p-44, "5.684341886080802e-14");
    expect_spelling(0x1p-1022, "2.2250738585072014e-308");
    expect_spelling(0x0.fffffffffffffp-1022, "2.225073858507201e-308");
    expect_spelling(0x1p-1074, "5e-324");
    expect_spelling(0x1p-1073, "1e-323");
    expect_spelling(0x1p89, "6.189700196426902e+26");
    expect_spelling(0x1p122, "5.316911983139664e+36");
    expect_spelling(0x1p-24, "5.960464477539063e-8");
    expect_spelling(0x1p1023, "8.98846567431158e+307");
    expect_spelling(9007199254740993.0 * 8, "72057594037927940");
    expect_spelling(0.1, "0.1");
    expect_spelling(0.1 + 0.2, "0.30000000000000004");
    expect_spelling(1.0 / 3, "0.3333333333333333");
    expect_spelling(19.5, "19.5");
    expect_spelling(1e-7, "1e-7");
    expect_spelling(123456789012345680000.0, "123456789012345680000");
    expect_spelling(-1.5e-9, "-1.5e-9");
    expect_spelling(100, "100");
    expect_spelling(-9007199254740991.0, "-9007199254740991");
}
END_TEST

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void expect_round_trip(double number)
{
    char text[NUMBER_TEXT_SIZE];
    double back;
    size_t length = number_format(number, text);
    ck_assert_msg(number_parse((struct text){text, length}, &back) &&
                      memcmp(&back, &number, sizeof back) == 0,
                  "%.17g became %.*s", number, (int)length, text);
}

START_TEST(a_million_doubles_read_back_the_same)
{
    uint64_t state = 20261122;
    for (int i = 0; i < 1000000; i++) {
        double number = from_bits(next_random(&state));
        if (isfinite(number) && number != 0)
            expect_round_trip(number);
    }
    for (int i = 0; i < 100000; i++) { /* and of the size that people write */
        double number = (double)(int64_t)(next_random(&state) >> 20) / 1000;
        expect_round_trip(number ? number : 1);
    }
}
END_TEST

START_TEST(only_json_numbers_are_read)
{
    static const char *const bad[] = {
        "",         "-",        "+1",    "01",     "-01",
        "00",       ".5",       "5.",    "1.e5",   "1e",
        "1e+",      "1e-",      "1.5e",  "0x10",   "1_0",
        " 1",       "1 ",       "1,5",   "NaN",    "nan",
        "inf",      "Infinity", "--1",   "-+1",    "1e1.5",
        "1..2",     "1.2.3",    "1e999", "-1e999", "1e99999999999999999999",
        "\xd9\xa1", "1\n",      "e5",    "-e5",    "17976931348623159e292",
    };
    double number;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!number_parse(text_of(bad[i]), &number), "'%s' was read", bad[i]);
    ck_assert(!number_parse(TEXT("1\0"), &number));
    ck_assert(!number_parse((struct text){NULL, 0}, &number));
}
END_TEST

START_TEST(numbers_are_read_to_the_nearest_double)
{
    static const struct {
        const char *text;
        double number;
    } cases[] = {
        {"0", 0},
        {"0e999999", 0},
        {"0.0000", 0},
        {"1e-999", 0},
        {"1E+2", 100},
        {"1e2", 100},
        {"100e-2", 1},
        {"9007199254740993", 9007199254740992.0}, /* a tie, to even */
        {"9007199254740995", 9007199254740996.0},
        {"9007199254740992.99999999999999999999", 9007199254740992.0 + 0},
        {"9007199254740993.00000000000000000001", 9007199254740994.0},
        {"1.7976931348623158e308", 1.7976931348623157e308},
        {"2.4703282292062328e-324", 5e-324},
        {"2.4703282292062327e-324", 0},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
        {"0.000000000000000000000000000001", 1e-30},
        {"8.5", 8.5},
        {"-0.1", -0.1},
        {"1000000000000000000000000", 1e24},
        {"0.1e1", 1},
    };
    double number;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_msg(number_parse(text_of(cases[i].text), &number), "%s", cases[i].text);
        ck_assert_msg(number == cases[i].number, "%s: %.17g", cases[i].text, number);
    }
    ck_assert(number_parse(TEXT("-0"), &number) && number == 0 && signbit(number));
    char longest[2000];
    memset(longest, '0', sizeof longest);
    memcpy(longest, "0.", 2);
    longest[sizeof longest - 1] = '1';
    ck_assert(number_parse((struct text){longest, sizeof longest}, &number) && number == 0);
    memset(longest, '1', 300);
    ck_assert(number_parse((struct text){longest, 300}, &number) &&
              number == 1.1111111111111111e299);
    ck_assert(!number_parse((struct text){longest, 300 * 2}, &number) || isfinite(number));
}
END_TEST

/* A comma as the decimal sign, from wherever a locale has one; glibc knows de_DE only where it was
 * installed. */
START_TEST(the_locale_does_not_matter)
{
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "ru_RU.UTF-8"};
    const char *found = NULL;
    for (size_t i = 0; i < COUNT_OF(locales) && !found; i++)
        found = setlocale(LC_ALL, locales[i]);
    if (!found)
        printf("number: skipped the_locale_does_not_matter, no locale with a decimal comma is "
               "installed\n");
    double number;
    ck_assert(number_parse(TEXT("1.2345678901234567890123"), &number) &&
              number == 0x1.3c0ca428c59fbp+0);
    ck_assert(!number_parse(TEXT("1,5"), &number));
    expect_spelling(1.5, "1.5");
    expect_spelling(333333333.33333343, "333333333.33333343");
    expect_spelling(5e-324, "5e-324");
}
END_TEST

/* As ECMAScript's Number(); the answers are those of Node.js 20. */
START_TEST(strings_are_numbers_as_javascript_has_them)
{
    static const struct {
        const char *text;
        double number;
    } cases[] = {{"", 0},
                 {" \t\n", 0},
                 {"5.", 5},
                 {".5", 0.5},
                 {"+7", 7},
                 {"007", 7},
                 {"-0x10", NAN},
                 {"0x1F", 31},
                 {"0o17", 15},
                 {"0B11", 3},
                 {"0x", NAN},
                 {"0xg", NAN},
                 {"0b2", NAN},
                 {"1e3", 1000},
                 {"1e", NAN},
                 {"1_000", NAN},
                 {"Infinity", INFINITY},
                 {"-Infinity", -INFINITY},
                 {"infinity", NAN},
                 {"1e999", INFINITY},
                 {"-1e999", -INFINITY},
                 {"1e-999", 0},
                 {"abc", NAN},
                 {"\xc2\xa0"
                  "5\xe2\x80\xa8",
                  5},
                 {"1 2", NAN},
                 {".", NAN},
                 {"-", NAN},
                 {"NaN", NAN},
                 {"0x200000000000018", 144115188075855900.0},
                 {"0x20000000000001", 9007199254740992.0},
                 {"0x20000000000003", 9007199254740996.0},
                 {"9007199254740993", 9007199254740992.0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        double number = number_of_text(text_of(cases[i].text));
        ck_assert_msg(number == cases[i].number || (isnan(number) && isnan(cases[i].number)),
                      "'%s' gave %.17g", cases[i].text, number);
    }
}
END_TEST

UNIT_MAIN("number", strings_are_numbers_as_javascript_has_them,
          numbers_are_spelt_as_rfc_8785_has_them, numbers_at_edges_are_the_shortest,
          a_million_doubles_read_back_the_same, only_json_numbers_are_read,
          numbers_are_read_to_the_nearest_double, the_locale_does_not_matter)
