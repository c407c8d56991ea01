/* JSON in, and canonical JSON out. */
#include "../../rules/json.h"
#include "../../rules/json_scan.h"
#include "unit.h"

static const struct node *read_json(struct arena *arena, struct text source, struct error *error)
{
    const struct node *node;
    *error = (struct error){0};
    enum status status = json_read(arena, source, JSON_LIMITS_DEFAULT, &node, error);
    ck_assert((status == STATUS_OK) == (node != NULL));
    return node;
}

static void expect_canonical(const char *source, const char *expected)
{
    struct arena arena;
    struct error error;
    struct buffer out;
    arena_init(&arena, 0);
    buffer_init(&out, 0);
    const struct node *node = read_json(&arena, text_of(source), &error);
    ck_assert_msg(node != NULL, "%s: %s", source, error.message);
    json_write_node(&out, node);
    ck_assert_text(buffer_text(&out), expected);
    buffer_dispose(&out);
    arena_dispose(&arena);
}

START_TEST(writing_is_canonical)
{
    expect_canonical(" { \"b\" : 1.0 , \"a\" : [ true , false , null ] } ",
                     "{\"a\":[true,false,null],\"b\":1}");
    expect_canonical("{\"\":0,\"a\":1,\"aa\":2,\"B\":3,\"\\u00e9\":4,\"z\":5}",
                     "{\"\":0,\"B\":3,\"a\":1,\"aa\":2,\"z\":5,\"\xc3\xa9\":4}");
    /* by bytes, not by UTF-16 units: U+FFFF comes before U+1F600 */
    expect_canonical("{\"\\ud83d\\ude00\":1,\"\\uffff\":2}",
                     "{\"\xef\xbf\xbf\":2,\"\xf0\x9f\x98\x80\":1}");
    expect_canonical(
        "\"\\u0000\\u0008\\u0009\\u000a\\u000b\\u000c\\u000d\\u001f\\u007f\\/\\\"\\\\\"",
        "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\x7f/\\\"\\\\\"");
    expect_canonical("\"\\u2028<&>\\ud834\\udd1e\"", "\"\xe2\x80\xa8<&>\xf0\x9d\x84\x9e\"");
    expect_canonical("[1E2,-0,0.10,1e21,-1e-7]", "[100,0,0.1,1e+21,-1e-7]");
    expect_canonical("[]", "[]");
    expect_canonical("{}", "{}");
    expect_canonical("[{},[[]]]", "[{},[[]]]");
    expect_canonical("\"\"", "\"\"");
}
END_TEST

START_TEST(of_equal_keys_the_last_counts)
{
    struct arena arena;
    struct error error;
    expect_canonical("{\"a\":1,\"a\":2}", "{\"a\":2}");
    expect_canonical("{\"b\":0,\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}");
    expect_canonical("{\"a\":1,\"\\u0061\":2}", "{\"a\":2}");
    arena_init(&arena, 0);
    const struct node *node = read_json(&arena, TEXT("{\"a\":1,\"b\":0,\"a\":\"x\"}"), &error);
    ck_assert_text(node_get_string(node, "a"), "x");
    arena_dispose(&arena);
}
END_TEST

START_TEST(large_maps_are_sorted_too)
{
    struct buffer source, out;
    struct arena arena;
    struct error error;
    buffer_init(&source, 0);
    buffer_init(&out, 0);
    arena_init(&arena, 0);
    buffer_append_char(&source, '{');
    for (unsigned i = 0; i < 1000; i++)
        buffer_printf(&source, "%s\"k%03u\":%u", i ? "," : "", i * 7 % 1000, i);
    buffer_append_string(&source, ",\"k000\":-1}"); /* again, and the last one counts */
    const struct node *node = read_json(&arena, buffer_text(&source), &error);
    ck_assert_ptr_nonnull(node);
    json_write_node(&out, node);
    ck_assert(text_starts_with(buffer_text(&out), TEXT("{\"k000\":-1,\"k001\":143,\"k002\":286,")));
    ck_assert(text_ends_with(buffer_text(&out), TEXT(",\"k999\":857}")));
    const char *last = NULL;
    size_t keys = 0;
    for (const char *p = out.data;
         (p = memchr(p, 'k', (size_t)(out.data + out.length - p))) != NULL; p++, keys++) {
        ck_assert(!last || memcmp(last, p, 4) < 0);
        last = p;
    }
    ck_assert_uint_eq(keys, 1000);
    buffer_dispose(&source);
    buffer_dispose(&out);
    arena_dispose(&arena);
}
END_TEST

START_TEST(reading_twice_gives_the_same_bytes)
{
    static const char *const canonical[] = {
        "{\"a\":[1,2.5,\"\\u0000\"],\"b\":{\"\":null}}",
        "[\"\xc3\xa9\",\"\xf0\x9f\x98\x80\",true,false]",
        "{\"A\":{},\"a\":[]}",
        "-1e-7",
    };
    for (size_t i = 0; i < COUNT_OF(canonical); i++)
        expect_canonical(canonical[i], canonical[i]);
}
END_TEST

START_TEST(nodes_know_their_place)
{
    struct arena arena;
    struct error error;
    struct text source = TEXT("{\n  \"\xc3\xa9\": [1,\r\n    \"x\"], \"b\":{\"c\":null}}");
    arena_init(&arena, 0);
    const struct node *root = read_json(&arena, source, &error), *list = root->first,
                      *map = list->next;
    ck_assert(root->line == 1 && root->column == 1 && root->start == 0 &&
              root->end == source.length);
    ck_assert(list->key_line == 2 && list->key_column == 3 && list->line == 2 && list->column == 8);
    ck_assert(list->first->next->line == 3 && list->first->next->column == 5);
    ck_assert_text(((struct text){source.data + list->start, list->end - list->start}),
                   "[1,\r\n    \"x\"]");
    ck_assert(map->key_line == 3 && map->key_column == 11 && map->first->column == 20);
    ck_assert(root->count == 2 && list->count == 2);
    arena_dispose(&arena);
}
END_TEST

/* The same tree, byte ranges included. */
static void expect_same(const struct node *a, const struct node *b)
{
    ck_assert(a->type == b->type && a->start == b->start && a->end == b->end &&
              text_equal(a->key, b->key));
    if (a->type != NODE_LIST && a->type != NODE_MAP) {
        ck_assert(node_equal(a, b));
        return;
    }
    ck_assert_uint_eq(a->count, b->count);
    const struct node *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        expect_same(x, y);
    ck_assert(!x && !y);
}

START_TEST(views_are_the_same_tree)
{
    static const char *const sources[] = {
        "1",
        " \"a\" ",
        "[]",
        "{ }",
        "[[],[[]],{},[{}],{\"\":[]}]",
        "[ [ ] , { } , [ 1 , [ 2 ] , 3 ] , 4 ]",
        "{\"a\":{\"b\":{\"c\":[1,2,{\"d\":null}]},\"e\":true},\"f\":false}",
        "{ \"a\" : { \"b\" : 1 } ,\n\t\"c\" : [ ] }",
        "[\"\",\"1234567\",\"12345678\",\"123456789\",\"12345678123456781\"]",
        "[\"\\u00e9\",\"1234567\\n\",\"12345678\\\"x\",\"Ã©\",\"12345678Ã©\"]",
        "{\"k\\n\":-1.5e3,\"12345678kÃ©\":0,\"k\":10}",
        "[1,\"x\"]",
    };
    struct arena arena;
    struct error error;
    struct json_limits views = JSON_LIMITS_DEFAULT;
    views.views = true;
    arena_init(&arena, 0);
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        /* In memory of just its size, so that reading on is seen. */
        size_t length = strlen(sources[i]);
        char *exact = malloc(length);
        const struct node *one, *two;
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, sources[i], length);
        struct text source = {exact, length};
        ck_assert_int_eq(json_read(&arena, source, JSON_LIMITS_DEFAULT, &one, &error), STATUS_OK);
        ck_assert_int_eq(json_read(&arena, source, views, &two, &error), STATUS_OK);
        expect_same(one, two);
        for (size_t cut = 0; cut + 1 < length; cut++) { /* what is cut short is told of alike */
            struct error other = {0};
            struct text part = {exact, cut};
            enum status status = json_read(&arena, part, JSON_LIMITS_DEFAULT, &one, &error);
            ck_assert_int_eq(json_read(&arena, part, views, &two, &other), status);
            ck_assert(status == STATUS_OK ||
                      (error.line == other.line && error.column == other.column &&
                       strcmp(error.message, other.message) == 0));
        }
        free(exact);
    }
    arena_dispose(&arena);
}
END_TEST

START_TEST(faults_have_a_place_and_words)
{
    static const struct {
        const char *source;
        uint32_t line, column;
        const char *message;
    } cases[] = {
        {"", 1, 1, "expected a value"},
        {"  \n ", 2, 2, "expected a value"},
        {"{\"a\":1,}", 1, 8, "expected a key in quotes"},
        {"[1,]", 1, 4, "expected a value"},
        {"[1 2]", 1, 4, "expected \",\" or \"]\""},
        {"{\"a\" 1}", 1, 6, "expected \":\" after the key"},
        {"{\"a\":1 \"b\":2}", 1, 8, "expected \",\" or \"}\""},
        {"{a:1}", 1, 2, "expected a key in quotes"},
        {"[", 1, 2, "expected a value"},
        {"[1", 1, 3, "unfinished array"},
        {"{\"a\":1", 1, 7, "unfinished object"},
        {"\"abc", 1, 5, "unfinished string"},
        {"\"a\nb\"", 1, 3, "control character in a string: write it as \\u00XX"},
        {"\"\\x\"", 1, 2, "malformed escape in a string"},
        {"\"\\ud800\"", 1, 2, "malformed escape in a string"},
        {"[\n1,\n tru]", 3, 2, "expected a value"},
        {"[01]", 1, 2, "not a number that JSON and a double can hold"},
        {"[1e999]", 1, 2, "not a number that JSON and a double can hold"},
        {"1 2", 1, 3, "something stands after the value"},
        {"\"\xc3\xa9\xc3\xa9\xff\"", 1, 4, "string is not UTF-8"},
        {"\xef\xbb\xbf[]", 1, 1, "expected a value"},
    };
    struct arena arena;
    struct error error;
    arena_init(&arena, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_ptr_null(read_json(&arena, text_of(cases[i].source), &error));
        ck_assert_msg(error.line == cases[i].line && error.column == cases[i].column &&
                          strcmp(error.message, cases[i].message) == 0,
                      "'%s': %u:%u: %s", cases[i].source, error.line, error.column, error.message);
    }
    arena_dispose(&arena);
}
END_TEST

START_TEST(limits_are_kept)
{
    struct arena arena;
    const struct node *node;
    struct error error;
    struct json_limits limits = {.bytes = 10, .depth = 3, .nodes = 4, .unique_keys = true};
    arena_init(&arena, 0);
    ck_assert_int_eq(json_read(&arena, TEXT("[[1,2,3]]"), limits, &node, &error), STATUS_OK);
    ck_assert_int_eq(json_read(&arena, TEXT("[[[]]]"), limits, &node, &error), STATUS_OK);
    ck_assert_int_eq(json_read(&arena, TEXT("[[[[]]]]"), limits, &node, &error), STATUS_LIMIT);
    ck_assert(error.line == 1 && error.column == 4);
    ck_assert_str_eq(error.message, "nested deeper than 3 levels");
    ck_assert_int_eq(json_read(&arena, TEXT("[1,2,3,4,5]"), limits, &node, &error), STATUS_LIMIT);
    ck_assert_str_eq(error.message, "JSON of 11 bytes is larger than the limit of 10");
    limits.bytes = 1000;
    ck_assert_int_eq(json_read(&arena, TEXT("[1,2,3,4,5]"), limits, &node, &error), STATUS_LIMIT);
    ck_assert_str_eq(error.message, "more than 4 values");
    ck_assert_ptr_null(node);
    ck_assert_int_eq(json_read(&arena, TEXT("{\"a\":1,\"a\":2}"), limits, &node, &error),
                     STATUS_INVALID);
    ck_assert_uint_eq(error.column, 8);
    arena_dispose(&arena);
    arena_init(&arena, 5000);
    char many[4001];
    memset(many, '[', sizeof many);
    ck_assert_int_eq(
        json_read(&arena, (struct text){many, 4000}, JSON_LIMITS_DEFAULT, &node, &error),
        STATUS_NO_MEMORY);
    arena_dispose(&arena);
    arena_init(&arena, 0);
    ck_assert_int_eq(
        json_read(&arena, (struct text){many, 4000}, JSON_LIMITS_DEFAULT, &node, &error),
        STATUS_LIMIT);
    ck_assert_uint_eq(error.column, 513);
    arena_dispose(&arena);
}
END_TEST

START_TEST(nodes_are_equal_as_json_schema_means_it)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"1", "1.0", true},
        {"{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1}", true},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,1]", false},
        {"0", "false", false},
        {"null", "0", false},
        {"\"1\"", "1", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":1}", false},
        {"{\"a\":null}", "{}", false},
        {"{\"a\":null}", "{\"b\":null}", false},
        {"-0", "0", true},
        {"\"\\u00e9\"", "\"\xc3\xa9\"", true},
        {"\"e\\u0301\"", "\"\xc3\xa9\"", false},
    };
    struct arena arena;
    struct error error;
    arena_init(&arena, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct node *a = read_json(&arena, text_of(cases[i].a), &error);
        const struct node *b = read_json(&arena, text_of(cases[i].b), &error);
        ck_assert_msg(node_equal(a, b) == cases[i].equal && node_equal(b, a) == cases[i].equal,
                      "%s, %s", cases[i].a, cases[i].b);
    }
    ck_assert_ptr_null(node_get(NULL, "a"));
    ck_assert_ptr_null(node_get(read_json(&arena, TEXT("[1]"), &error), "a"));
    arena_dispose(&arena);
}
END_TEST

UNIT_MAIN("json", writing_is_canonical, of_equal_keys_the_last_counts, large_maps_are_sorted_too,
          reading_twice_gives_the_same_bytes, nodes_know_their_place, views_are_the_same_tree,
          faults_have_a_place_and_words, limits_are_kept, nodes_are_equal_as_json_schema_means_it)
