/* Texts: comparing, UTF-8, and "did you mean". */
#include "../../rules/similar.h"
#include "../../rules/utf8.h"
#include "unit.h"

START_TEST(texts_compare_by_bytes_and_shorter_first)
{
    ck_assert_int_lt(text_compare(TEXT("a"), TEXT("b")), 0);
    ck_assert_int_lt(text_compare(TEXT("a"), TEXT("aa")), 0);
    ck_assert_int_eq(text_compare(TEXT("a"), TEXT("a")), 0);
    ck_assert_int_lt(text_compare(TEXT(""), TEXT("a")), 0);
    ck_assert_int_gt(text_compare(TEXT("\xc3\xa9"), TEXT("z")), 0); /* bytes are unsigned */
    ck_assert_int_lt(text_compare(TEXT("Z"), TEXT("a")), 0);
    ck_assert_int_lt(text_compare(TEXT("a\0a"), TEXT("a\0b")), 0);
    ck_assert_int_eq(text_compare((struct text){NULL, 0}, TEXT("")), 0);
}
END_TEST

START_TEST(texts_know_their_ends)
{
    ck_assert(text_starts_with(TEXT("abc"), TEXT("ab")) && text_starts_with(TEXT("abc"), TEXT("")));
    ck_assert(!text_starts_with(TEXT("ab"), TEXT("abc")) &&
              !text_starts_with(TEXT("abc"), TEXT("b")));
    ck_assert(text_ends_with(TEXT("abc"), TEXT("bc")) && text_ends_with(TEXT("abc"), TEXT("")));
    ck_assert(!text_ends_with(TEXT("bc"), TEXT("abc")) && !text_ends_with(TEXT("abc"), TEXT("b")));
    ck_assert(text_equal((struct text){NULL, 0}, TEXT("")) && !text_equal(TEXT("a"), TEXT("A")));
}
END_TEST

START_TEST(malformed_utf8_is_found_at_its_first_byte)
{
    static const struct {
        struct text text;
        size_t valid;
    } cases[] = {
        {TEXT(""), 0},
        {TEXT("a\x80"), 1}, /* a continuation alone */
        {TEXT("a\xbf"), 1},
        {TEXT("\xc3"), 0}, /* cut off */
        {TEXT("ab\xe2\x82"), 2},
        {TEXT("\xf0\x9f\x98"), 0},
        {TEXT("\xc3("), 0}, /* no continuation */
        {TEXT("\xe2(\xa1"), 0},
        {TEXT("\xe2\x82("), 0},
        {TEXT("\xf0(\x8c\xbc"), 0},
        {TEXT("\xf0\x90(\xbc"), 0},
        {TEXT("\xf0\x90\x8c("), 0},
        {TEXT("\xc0\x80"), 0}, /* overlong NUL */
        {TEXT("\xc0\xaf"), 0}, /* overlong '/' in two, three and four bytes */
        {TEXT("\xe0\x80\xaf"), 0},
        {TEXT("\xf0\x80\x80\xaf"), 0},
        {TEXT("\xc1\xbf"), 0},
        {TEXT("\xe0\x9f\xbf"), 0},
        {TEXT("\xf0\x8f\xbf\xbf"), 0},
        {TEXT("\xed\xa0\x80"), 0}, /* surrogates */
        {TEXT("\xed\xbf\xbf"), 0},
        {TEXT("\xed\xa0\xbd\xed\xb8\x80"), 0},
        {TEXT("\xf4\x90\x80\x80"), 0}, /* above U+10FFFF */
        {TEXT("\xf5\x80\x80\x80"), 0},
        {TEXT("\xf8\x88\x80\x80\x80"), 0}, /* five and six bytes */
        {TEXT("\xfc\x84\x80\x80\x80\x80"), 0},
        {TEXT("\xfe"), 0},
        {TEXT("\xff"), 0},
        {TEXT("0123456789\xff"), 10}, /* behind the eight bytes taken at once */
        {TEXT("0123456\xff"), 7},
        {TEXT("\xc3\xa9\xc3\xa9\xff"), 4},
        /* well formed: the edges of each length */
        {TEXT("\x7f\xc2\x80\xdf\xbf"), 5},
        {TEXT("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"), 12},
        {TEXT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 8},
        {TEXT("a\0b"), 3},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(utf8_valid_length(cases[i].text) == cases[i].valid,
                      "case %zu: got %zu, expected %zu", i, utf8_valid_length(cases[i].text),
                      cases[i].valid);
}
END_TEST

/* Every code point is encoded so that the checker takes it; every surrogate's bytes are refused. */
START_TEST(utf8_encodes_every_code_point)
{
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char bytes[4];
        size_t length = utf8_encode(c, bytes), expected = c < 0x80      ? 1
                                                          : c < 0x800   ? 2
                                                          : c < 0x10000 ? 3
                                                                        : 4;
        bool surrogate = c >= 0xd800 && c <= 0xdfff;
        assert_each(length == expected, "U+%04X", (unsigned)c);
        assert_each(utf8_valid_length((struct text){bytes, length}) == (surrogate ? 0 : length),
                    "U+%04X", (unsigned)c);
    }
}
END_TEST

START_TEST(utf8_counts_code_points)
{
    struct text text = TEXT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
    ck_assert_uint_eq(utf8_count(text), 5);
    static const size_t offsets[] = {0, 1, 3, 6, 10, 11, 11};
    for (size_t i = 0; i < COUNT_OF(offsets); i++)
        ck_assert_uint_eq(utf8_offset(text, i), offsets[i]);
    ck_assert_uint_eq(utf8_count(TEXT("")), 0);
    ck_assert_uint_eq(utf8_offset(TEXT(""), 3), 0);
}
END_TEST

START_TEST(distance_counts_edits)
{
    ck_assert_uint_eq(text_distance(TEXT("staff"), TEXT("staff"), 2), 0);
    ck_assert_uint_eq(text_distance(TEXT("staf"), TEXT("staff"), 2), 1);
    ck_assert_uint_eq(text_distance(TEXT("satff"), TEXT("staff"), 2), 1); /* a swap is one */
    ck_assert_uint_eq(text_distance(TEXT("stuff"), TEXT("staff"), 2), 1);
    ck_assert_uint_eq(text_distance(TEXT("kitten"), TEXT("sitting"), 5), 3);
    ck_assert_uint_eq(text_distance(TEXT("kitten"), TEXT("sitting"), 2), 3); /* limit + 1 */
    ck_assert_uint_eq(text_distance(TEXT(""), TEXT("ab"), 2), 2);
    ck_assert_uint_eq(text_distance(TEXT("abc"), TEXT("cab"), 5), 2);
    char longer[70];
    memset(longer, 'a', sizeof longer);
    ck_assert_uint_eq(text_distance((struct text){longer, 65}, (struct text){longer, 65}, 2), 3);
    ck_assert_uint_eq(text_distance((struct text){longer, 64}, (struct text){longer, 64}, 2), 0);
}
END_TEST

START_TEST(similar_keeps_the_nearest)
{
    struct similar best = {0};
    similar_offer(&best, TEXT("staf"), TEXT("stat"));
    similar_offer(&best, TEXT("staf"), TEXT("station"));
    ck_assert_text(best.name, "stat");
    best = (struct similar){0};
    similar_offer(&best, TEXT("on"), TEXT("off")); /* as many edits as it has bytes */
    similar_offer(&best, TEXT("a"), TEXT("b"));
    ck_assert_uint_eq(best.name.length, 0);
    similar_offer(&best, TEXT("product"), TEXT("prodct"));
    similar_offer(&best, TEXT("product"), TEXT("produkt"));
    ck_assert_text(best.name, "prodct"); /* the first of two equally near */
    similar_offer(&best, TEXT("product"), TEXT("product"));
    ck_assert_text(best.name, "product");
}
END_TEST

START_TEST(errors_are_cut_not_overrun)
{
    struct error error;
    char longer[400];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    ck_assert_int_eq(error_set_at(&error, STATUS_LIMIT, 3, 4, "%s", longer), STATUS_LIMIT);
    ck_assert_uint_eq(strlen(error.message), sizeof error.message - 1);
    ck_assert(error.line == 3 && error.column == 4 && error.status == STATUS_LIMIT);
    ck_assert_int_eq(error_set(NULL, STATUS_INVALID, "nobody looks"), STATUS_INVALID);
    ck_assert_int_eq(error_set(&error, STATUS_INVALID, "name \"%s\"", "x"), STATUS_INVALID);
    ck_assert_str_eq(error.message, "name \"x\"");
    ck_assert(error.line == 0 && error.column == 0);
}
END_TEST

START_TEST(errors_are_one_line_of_utf8)
{
    struct error error;
    error_set(&error, STATUS_INVALID, "flag \"%s\" is not \x1b[31mred", "a\nb\r\tc\x7f");
    ck_assert_str_eq(error.message, "flag \"a?b??c?\" is not ?[31mred");
    error_set(&error, STATUS_INVALID, "flag \"%.4s\" has no variants", "a\xc3\xa9\xc3\xa9");
    ck_assert_str_eq(error.message, "flag \"a\xc3\xa9?\" has no variants");
    error_set_at(&error, STATUS_INVALID, 1, 2, "\xff%s", "\xf0\x9f\x98\x80");
    ck_assert_str_eq(error.message, "?\xf0\x9f\x98\x80");
}
END_TEST

UNIT_MAIN("text", texts_compare_by_bytes_and_shorter_first, texts_know_their_ends,
          malformed_utf8_is_found_at_its_first_byte, utf8_encodes_every_code_point,
          utf8_counts_code_points, distance_counts_edits, similar_keeps_the_nearest,
          errors_are_cut_not_overrun, errors_are_one_line_of_utf8)
