/* One language: the tree reader, the skipper, the context reader for what is kept and the
 * whole-document reader take and refuse the same JSON. */
#include "../../rules/context.h"
#include "../../rules/document.h"
#include "../../rules/json.h"
#include "../../rules/json_scan.h"
#include "unit.h"

/* Values that stand alone; those from `bad` on are not JSON. */
static const char *const good[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "10",
    "0.5",
    "1e5",
    "1E+5",
    "1e-5",
    "0e0",
    "0.0e-0",
    "1e308",
    "1e-999",
    "123456789012345678901234567890",
    "\"\"",
    "\"a\"",
    "\"\\\"\"",
    "\"\\\\\"",
    "\"\\/\"",
    "\"\\b\\f\\n\\r\\t\"",
    "\"\\u0000\"",
    "\"\\u00e9\"",
    "\"\\uD834\\uDD1E\"",
    "\"\\ud834\\udd1e\"",
    "\"\\uFFFF\"",
    "\"\x7f\"",
    "\"/\"",
    "\"\xc3\xa9\"",
    "\"\xe2\x82\xac\"",
    "\"\xf0\x9f\x98\x80\"",
    "\"\xef\xbf\xbf\"",
    "\"\xef\xbb\xbf\"",
    "\"12345678\"",
    "\"1234567\\\\\"",
    "\"12345678\\n12345678\"",
    "[]",
    "[ ]",
    "[1]",
    "[ 1 , 2 ]",
    "[[]]",
    "[[],[[]]]",
    "[null]",
    "[\"\"]",
    "{}",
    "{ }",
    "{\"a\":1}",
    "{ \"a\" : 1 , \"b\" : 2 }",
    "{\"\":0}",
    "{\"a\":{\"a\":{}}}",
    "{\"a\":1,\"a\":2}",
    "{\"\\u0061\":[]}",
    " 1",
    "1 ",
    "\t1\n",
    "\r\n1\r\n",
    " { } ",
    "[1\n,\n2]",
    "[{}]",
    "[-0.0]",
    "[1E1]",
    "{\"a\":[{\"b\":[{}]}]}",
    "[true,false,null]",
    "2.2250738585072012e-308",
    "1.7976931348623157e308",
};
static const char *const bad[] = {
    "",
    " ",
    "\n",
    "nul",
    "nulll",
    "Null",
    "NULL",
    "tru",
    "truee",
    "True",
    "TRUE",
    "fals",
    "FALSE",
    "undefined",
    "NaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "+1",
    "01",
    "-01",
    "00",
    "-00",
    "1.",
    ".1",
    "-.1",
    "1.e1",
    "1e",
    "1e+",
    "1E-",
    "1.5e",
    "-",
    "--1",
    "+",
    "1-",
    "1+",
    "1-1",
    "1e1.5",
    "1e1e1",
    "1..1",
    "0x1",
    "0b1",
    "1_0",
    "1,0",
    "1e999",
    "-1e999",
    "1a",
    "1 1",
    "1,",
    ",",
    ",1",
    "0.1.2",
    "\xef\xbc\x91",
    "\"",
    "\"a",
    "a\"",
    "'a'",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"\x01\"",
    "\"\x1f\"",
    "\"1234567\x01\"",
    "\"\\",
    "\"\\\"",
    "\"\\x\"",
    "\"\\a\"",
    "\"\\v\"",
    "\"\\0\"",
    "\"\\'\"",
    "\"\\U0041\"",
    "\"\\u\"",
    "\"\\u1\"",
    "\"\\u12\"",
    "\"\\u123\"",
    "\"\\u123g\"",
    "\"\\u 123\"",
    "\"\\u+123\"",
    "\"\\u-123\"",
    "\"\\uD800\"",
    "\"\\uDBFF\"",
    "\"\\uDC00\"",
    "\"\\uDFFF\"",
    "\"\\uD800\\uD800\"",
    "\"\\uD800a\"",
    "\"\\uD800\\n\"",
    "\"\\uD800\\u0041\"",
    "\"\\uDC00\\uD800\"",
    "\"\\uD834\\uDD1\"",
    "\"\\uD834\\\"",
    "\"\\uD834\\u\"",
    "\"\\\xc3\xa9\"",
    "\"a\"b",
    "\"a\" \"b\"",
    "\"\x80\"",
    "\"\xc0\x80\"",
    "\"\xc1\xbf\"",
    "\"\xc3\"",
    "\"\xc3(\"",
    "\"\xe0\x80\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xed\xbf\xbf\"",
    "\"\xf0\x80\x80\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xf5\x80\x80\x80\"",
    "\"\xff\"",
    "\"\xfe\"",
    "\"\xe2\x82\"",
    "\"\xf0\x9f\x98\"",
    "\"12345678\xff\"",
    "\"\\n\xff\"",
    "\xff",
    "\xc3\xa9",
    "\xef\xbb\xbf{}",
    "\xef\xbb\xbf",
    "\xc2\xa0",
    "\xc2\xa0"
    "1",
    "\x0b"
    "1",
    "\x0c"
    "1",
    "\xe2\x80\xa8"
    "1",
    "[",
    "]",
    "[1",
    "[1,",
    "[,",
    "[,1]",
    "[1,]",
    "[1,,2]",
    "[1 2]",
    "[1;2]",
    "[1}",
    "[}",
    "[]]",
    "[[]",
    "[1]]",
    "[1:2]",
    "[\"a\":1]",
    "[\"a]",
    "[1,\n]",
    "(1)",
    "<1>",
    "{",
    "}",
    "{]",
    "{,",
    "{,}",
    "{1}",
    "{\"a\"",
    "{\"a\"}",
    "{\"a\":",
    "{\"a\":}",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{\"a\":1]",
    "{\"a\":1}}",
    "{\"a\":1,,\"b\":2}",
    "{,\"a\":1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1;\"b\":2}",
    "{\"a\"=1}",
    "{\"a\",1}",
    "{\"a\"::1}",
    "{\"a\":1:2}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{null:1}",
    "{true:1}",
    "{[]:1}",
    "{{}:1}",
    "{\"a\":1,b:2}",
    "{\"a\":a}",
    "{\"a\" 1}",
    "{:1}",
    "{\"\xff\":1}",
    "{\"\\q\":1}",
    "{\"a\n\":1}",
    "{\"\\ud800\":1}",
    "{\"a\":1}1",
    "{}{}",
    "{} []",
    "[] {}",
    "{}x",
    "[]x",
    "1x",
    "truex",
    "null,",
    "// c\n1",
    "/* c */1",
    "1 // c",
    "1 /* c */",
    "# c\n1",
    "[1,/* c */2]",
    "{\"a\":/**/1}",
    "{\"a\":1,//\n\"b\":2}",
    "{\"a\":+1}",
    "{\"a\":.5}",
    "{\"a\":5.}",
    "{\"a\":0x10}",
    "{\"a\":NaN}",
    "{\"a\":01}",
    "{\"a\":-}",
    "{\"a\":\"\\x\"}",
    "{\"a\":[1,]}",
    "{\"a\":{\"b\":1,}}",
    "{\"a\":[1}",
    "{\"a\":{]}",
    "{\"a\":tru}",
    "{\"a\":nul}",
    "[tru]",
    "[nul,1]",
    "[fals",
    "[\"\\u12\"]",
    "[1e]",
    "[-]",
    "[--1]",
    "[1.]",
    "[.1]",
    "[0x]",
    "[1 ,, 2]",
    "[ , ]",
    "[{]",
    "[{}",
    "[{\"a\"]",
    "[{\"a\":}]",
    "[{\"a\":1]",
    "[{\"a\":1},]",
    "\\u0031",
    "\\n",
    "\"a\\\n\"",
    "\"\\\t\"",
};

static bool tree_takes(struct text json)
{
    struct arena arena;
    const struct node *node;
    arena_init(&arena, 0);
    enum status status = json_read(&arena, json, JSON_LIMITS_DEFAULT, &node, NULL);
    arena_dispose(&arena);
    return status == STATUS_OK;
}

/* As the value of an attribute: asked for, asked for something below it, or not at all; or anywhere
 * in a request. */
static bool context_takes(const char *head, struct text json, bool request)
{
    static const char *const paths[] = {"kept", "below.a.b", "both", "both.a"};
    struct attributes *attributes = attributes_new();
    struct context context;
    struct buffer text;
    uint16_t slot;
    buffer_init(&text, 0);
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        ck_assert_int_eq(attributes_slot(attributes, text_of(paths[i]), &slot), STATUS_OK);
    buffer_append_string(&text, head);
    buffer_append_text(&text, json);
    buffer_append_string(&text, request ? ",\"context\":{}}" : "}");
    /* a copy of its exact size, so that reading past the end shows */
    char *exact = malloc(text.length);
    memcpy(exact, text.data, text.length);
    enum status status =
        request
            ? context_read_request(&context, attributes, (struct text){exact, text.length}, NULL)
            : context_read(&context, attributes, (struct text){exact, text.length}, NULL);
    free(exact);
    buffer_dispose(&text);
    context_dispose(&context);
    attributes_release(attributes);
    return status == STATUS_OK;
}

static bool skipper_takes(struct text json)
{
    char *exact = malloc(json.length + 1);
    memcpy(exact, json.data, json.length);
    struct json_cursor cursor = {.p = exact, .end = exact + json.length};
    json_scan_space(&cursor);
    bool good_value = json_skip_value(&cursor, 64);
    json_scan_space(&cursor);
    good_value = good_value && cursor.p == cursor.end;
    free(exact);
    return good_value;
}

static bool document_takes(struct text json)
{
    struct document *document;
    struct buffer text;
    buffer_init(&text, 0);
    buffer_append_string(&text, "{\"other\":");
    buffer_append_text(&text, json);
    buffer_append_string(&text, ",\"flags\":{}}");
    enum status status = document_read(buffer_text(&text), NULL, &document, NULL);
    buffer_dispose(&text);
    document_release(document);
    return status == STATUS_OK;
}

static void expect_all(const char *source, bool expected)
{
    struct text json = text_of(source);
    ck_assert_msg(tree_takes(json) == expected, "json_read: '%s'", source);
    ck_assert_msg(skipper_takes(json) == expected, "json_skip_value: '%s'", source);
    ck_assert_msg(context_takes("{\"kept\":", json, false) == expected, "kept attribute: '%s'",
                  source);
    ck_assert_msg(context_takes("{\"below\":", json, false) == expected,
                  "attribute with parts: '%s'", source);
    ck_assert_msg(context_takes("{\"both\":", json, false) == expected,
                  "attribute whole and in parts: '%s'", source);
    ck_assert_msg(context_takes("{\"skipped\":", json, false) == expected,
                  "attribute nobody asks for: '%s'", source);
    ck_assert_msg(context_takes("{\"other\":", json, true) == expected, "request: '%s'", source);
    ck_assert_msg(document_takes(json) == expected, "document_read: '%s'", source);
}

START_TEST(json_is_taken_by_all_readers)
{
    for (size_t i = 0; i < COUNT_OF(good); i++)
        expect_all(good[i], true);
}
END_TEST

/* A fault that the text around it would mend ("1,") is not tried there, see the next test. */
static bool mends_itself(const char *source)
{
    static const char *const mended[] = {"1,", "null,"};
    for (size_t i = 0; i < COUNT_OF(mended); i++) {
        if (strcmp(source, mended[i]) == 0)
            return true;
    }
    return false;
}

START_TEST(what_is_not_json_is_refused_by_all_readers)
{
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (mends_itself(bad[i]))
            ck_assert(!tree_takes(text_of(bad[i])) && !skipper_takes(text_of(bad[i])));
        else
            expect_all(bad[i], false);
    }
}
END_TEST

/* Every prefix of a document with everything in it is refused by all, every one-byte change treated
 * alike. */
START_TEST(readers_agree_on_damaged_json)
{
    static const char whole[] =
        "{\"kept\":[1,-2.5e3,\"a\\u00e9\\n\xc3\xa9\",true,null],\"below\":{\"a\":{\"b\":false}},"
        "\"both\":{\"a\":{}}}";
    static const char bytes[] = "\"\\{}[],:0-.eEtu x\x01\x80\xc3\xff\n";
    char copy[sizeof whole];
    size_t length = sizeof whole - 1;
    for (size_t i = 0; i < length; i++)
        ck_assert_msg(!tree_takes((struct text){whole, i}) &&
                          !skipper_takes((struct text){whole, i}),
                      "prefix %zu", i);
    for (size_t i = 0; i < length; i++) {
        for (size_t j = 0; j < sizeof bytes - 1; j++) {
            memcpy(copy, whole, sizeof whole);
            copy[i] = bytes[j];
            struct text text = {copy, length};
            bool expected = tree_takes(text);
            ck_assert_msg(skipper_takes(text) == expected, "%s", copy);
            if (i == 0 || i == length - 1)
                continue; /* no longer an object */
            struct text inner = {copy + 1, length - 2};
            ck_assert_msg(context_takes("{", inner, false) == expected, "%s", copy);
        }
    }
}
END_TEST

UNIT_MAIN("context", json_is_taken_by_all_readers, what_is_not_json_is_refused_by_all_readers,
          readers_agree_on_damaged_json)
