/* YAML: what a definitions file may hold, what it may not, and where. */
#include "../../rules/codes.h"
#include "../../rules/json.h"
#include "../../rules/yaml.h"
#include "unit.h"

struct reading {
    struct arena arena;
    struct diagnostics faults;
    struct buffer documents; /* each as canonical JSON and a newline */
    size_t count;
    enum status status, answer;
};

static enum status take(void *context, const struct node *root)
{
    struct reading *reading = context;
    json_write_node(&reading->documents, root);
    buffer_append_char(&reading->documents, '\n');
    reading->count++;
    return reading->answer;
}

static void start(struct reading *reading, struct text source)
{
    *reading = (struct reading){.answer = STATUS_OK};
    arena_init(&reading->arena, 0);
    diagnostics_init(&reading->faults);
    buffer_init(&reading->documents, 0);
    reading->status =
        yaml_read(&reading->arena, TEXT("f.yaml"), source, take, reading, &reading->faults);
}

static void stop(struct reading *reading)
{
    arena_dispose(&reading->arena);
    diagnostics_dispose(&reading->faults);
    buffer_dispose(&reading->documents);
}

static void expect_json(struct text source, const char *expected)
{
    struct reading reading;
    start(&reading, source);
    ck_assert_msg(reading.status == STATUS_OK, "'%s': %s", source.data,
                  reading.faults.count ? reading.faults.items[0].message.data : "");
    ck_assert_text(buffer_text(&reading.documents), expected);
    ck_assert_uint_eq(reading.faults.count, 0);
    stop(&reading);
}

static void expect_fault(struct text source, const char *code, uint32_t line, uint32_t column,
                         const char *message)
{
    struct reading reading;
    start(&reading, source);
    ck_assert_msg(reading.status == STATUS_INVALID && reading.faults.count == 1,
                  "'%.60s': %zu faults", source.data, reading.faults.count);
    const struct diagnostic *fault = &reading.faults.items[0];
    ck_assert_msg(strcmp(fault->code, code) == 0 && fault->place.line == line &&
                      fault->place.column == column &&
                      (!message || text_is(fault->message, message)),
                  "'%.60s': %u:%u [%s] %s", source.data, fault->place.line, fault->place.column,
                  fault->code, fault->message.data);
    ck_assert_text(fault->place.path, "f.yaml");
    stop(&reading);
}

START_TEST(scalars_are_those_of_yaml_1_2_core)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"true", "true"},
        {"false", "false"},
        {"True", "\"True\""},
        {"TRUE", "\"TRUE\""},
        {"on", "\"on\""},
        {"off", "\"off\""},
        {"yes", "\"yes\""},
        {"no", "\"no\""},
        {"y", "\"y\""},
        {"n", "\"n\""},
        {"\"true\"", "\"true\""},
        {"'1'", "\"1\""},
        {"~", "null"},
        {"null", "null"},
        {"Null", "null"},
        {"NULL", "null"},
        {"nULL", "\"nULL\""},
        {"0", "0"},
        {"-0", "0"},
        {"10", "10"},
        {"+1", "1"},
        {"-12", "-12"},
        {"007", "7"},
        {"0o17", "15"},
        {"0x1F", "31"},
        {"0x1g", "\"0x1g\""},
        {"0o8", "\"0o8\""},
        {"-0x1", "\"-0x1\""},
        {"1.5", "1.5"},
        {".5", "0.5"},
        {"-.5", "-0.5"},
        {"1.", "1"},
        {"1.e2", "100"},
        {"1e3", "1000"},
        {"1E+3", "1000"},
        {"12e-1", "1.2"},
        {"01.50", "1.5"},
        {"1_000", "\"1_000\""},
        {"1:30", "\"1:30\""},
        {"2.4.0", "\"2.4.0\""},
        {"1e", "\"1e\""},
        {"e1", "\"e1\""},
        {"1e+", "\"1e+\""},
        {".", "\".\""},
        {"-", "[null]"},
        {"--", "\"--\""},
        {"+", "\"+\""},
        {"1 2", "\"1 2\""},
        {"2027-03-31", "\"2027-03-31\""},
        {"0.1", "0.1"},
        {"'.inf'", "\".inf\""},
        {"\".nan\"", "\".nan\""},
        {"infinity", "\"infinity\""},
        {"9007199254740991", "9007199254740991"},
        {"-9007199254740991", "-9007199254740991"},
        {"0x1fffffffffffff", "9007199254740991"},
        {"|\n  a\n  b", "\"a\\nb\""},
        {">\n  a\n  b\n", "\"a b\\n\""},
        {"\"\\u00e9\\n\\0\"", "\"\xc3\xa9\\n\\u0000\""},
        {"''", "\"\""},
    };
    char yaml[100], json[100];
    for (size_t i = 0; i < COUNT_OF(cases); i++) { /* in a list, so that null is seen too */
        bool block = cases[i].yaml[0] == '|' || cases[i].yaml[0] == '>';
        snprintf(yaml, sizeof yaml, "- %s", cases[i].yaml);
        snprintf(json, sizeof json, "[%s]\n", cases[i].json);
        if (!block)
            expect_json(text_of(yaml), json);
    }
    expect_json(TEXT("a: |\n  x\n  y\n"), "{\"a\":\"x\\ny\\n\"}\n");
    expect_json(TEXT("a: >-\n  x\n  y\n"), "{\"a\":\"x y\"}\n");
    expect_json(TEXT("a:\nb: ''\n"), "{\"a\":null,\"b\":\"\"}\n");
}
END_TEST

START_TEST(numbers_that_are_not_kept_exactly_are_refused)
{
    static const char *const bad[] = {
        "9007199254740992",
        "-9007199254740992",
        "123456789012345678901234567890",
        "0x20000000000000",
        "0xffffffffffffffff",
        "0xfffffffffffffffffffffff",
        "0o400000000000000000",
        "0o7777777777777777777777777",
        "1e999",
        "-1e999",
        "1.0e999",
        ".inf",
        "-.inf",
        "+.INF",
        ".NaN",
        ".nan",
    };
    char yaml[100];
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(yaml, sizeof yaml, "a: 1\nb:  %s\n", bad[i]);
        expect_fault(text_of(yaml), CODE_NUMBER, 2, 5, NULL);
    }
}
END_TEST

START_TEST(what_could_mislead_is_refused)
{
    expect_fault(TEXT("a: &x 1\nb: *x\n"), CODE_ANCHOR, 1, 4, NULL);
    expect_fault(TEXT("a: 1\nb: *x\n"), CODE_ANCHOR, 2, 4, "aliases are refused");
    expect_fault(TEXT("a: &x {b: 1}\n"), CODE_ANCHOR, 1, 4, NULL);
    expect_fault(TEXT("a: &x [1]\n"), CODE_ANCHOR, 1, 4, NULL);
    expect_fault(TEXT("&x a: 1\n"), CODE_ANCHOR, 1, 1, NULL);
    expect_fault(TEXT("a: !!str 1\n"), CODE_TAG, 1, 4, "tags are refused");
    expect_fault(TEXT("a: !x {b: 1}\n"), CODE_TAG, 1, 4, NULL);
    expect_fault(TEXT("a: ! x\n"), CODE_TAG, 1, 4, NULL);
    expect_fault(TEXT("a:\n  <<: {b: 1}\n"), CODE_ANCHOR, 2, 3, "merge keys (<<) are refused");
    expect_fault(TEXT("? [a]\n: 1\n"), CODE_KEY, 1, 3, "a key must be a plain string");
    expect_fault(TEXT("? {a: 1}\n: 1\n"), CODE_KEY, 1, 3, NULL);
    expect_fault(TEXT("{[1]: 2}\n"), CODE_KEY, 1, 2, NULL);
    expect_json(TEXT("\"<<\": 1\n"), "{\"<<\":1}\n"); /* in quotes it is only a name */
    /* libyaml would take them for line ends. */
    expect_fault(TEXT("a: 1\nb: \"x\xe2\x80\xa8y\"\n"), CODE_YAML, 2, 6,
                 "a character that only YAML 1.1 takes for the end of a line");
    expect_fault(TEXT("\xc3\xa9: \xe2\x80\xa9\n"), CODE_YAML, 1, 4, NULL);
    expect_fault(TEXT("a: b\xc2\x85"), CODE_YAML, 1, 5, NULL);
    expect_json(TEXT("\"\\u2028\\N\"\n"), "\"\xe2\x80\xa8\xc2\x85\"\n");
}
END_TEST

/* A key that YAML reads as a boolean, a number or null is not the string that was meant. */
START_TEST(keys_are_strings)
{
    expect_fault(TEXT("variants:\n  true: 1\n"), CODE_KEY, 2, 3, NULL);
    expect_fault(TEXT("{false: 1}\n"), CODE_KEY, 1, 2, NULL);
    expect_fault(TEXT("a: 1\n2: 1\n"), CODE_KEY, 2, 1, NULL);
    expect_fault(TEXT("1.5: 1\n"), CODE_KEY, 1, 1, NULL);
    expect_fault(TEXT("null: 1\n"), CODE_KEY, 1, 1, NULL);
    expect_fault(TEXT("~: 1\n"), CODE_KEY, 1, 1, NULL);
    expect_fault(TEXT("?\n: 1\n"), CODE_KEY, 1, 2, NULL);
    expect_json(TEXT("\"true\": 1\n'2': 2\non: 3\noff: 4\nv1: 5\n"),
                "{\"2\":2,\"off\":4,\"on\":3,\"true\":1,\"v1\":5}\n");
}
END_TEST

START_TEST(keys_that_stand_twice_show_both_places)
{
    struct reading reading;
    start(&reading, TEXT("a: 1\nb:\n  \xc3\xa9: 1\n  x: 2\n  \"\xc3\xa9\": 3\n"));
    ck_assert_uint_eq(reading.faults.count, 1);
    const struct diagnostic *fault = &reading.faults.items[0];
    ck_assert_str_eq(fault->code, CODE_DUPLICATE_KEY);
    ck_assert_text(fault->message, "key \"\xc3\xa9\" stands twice in this map");
    ck_assert(fault->place.line == 5 && fault->place.column == 3);
    ck_assert(fault->other.line == 3 && fault->other.column == 3);
    ck_assert_text(fault->other.path, "f.yaml");
    stop(&reading);
    expect_fault(TEXT("{a: 1, 'a': 2}"), CODE_DUPLICATE_KEY, 1, 8, NULL);
    expect_json(TEXT("a: {x: 1}\nb: {x: 1}\n"), "{\"a\":{\"x\":1},\"b\":{\"x\":1}}\n");
}
END_TEST

START_TEST(documents_come_one_by_one)
{
    struct reading reading;
    expect_json(TEXT("---\na: 1\n---\n---\n# nothing\n---\nb\n...\n---\n[]\n"),
                "{\"a\":1}\n\"b\"\n[]\n");
    expect_json(TEXT(""), "");
    expect_json(TEXT("# only a comment\n"), "");
    expect_json(TEXT("%YAML 1.2\n---\na: 1\n"), "{\"a\":1}\n");
    start(&reading, TEXT("a: 1\n---\nb: &x 2\n---\nc: 3\n"));
    ck_assert_int_eq(reading.status, STATUS_INVALID);
    ck_assert_text(buffer_text(&reading.documents),
                   "{\"a\":1}\n"); /* what came before was delivered */
    stop(&reading);
}
END_TEST

static enum status refuse(void *context, const struct node *root)
{
    (void)root;
    ++*(int *)context;
    return STATUS_NO_MEMORY;
}

START_TEST(the_reader_stops_when_told)
{
    struct arena arena;
    struct diagnostics faults;
    int calls = 0;
    arena_init(&arena, 0);
    diagnostics_init(&faults);
    ck_assert_int_eq(yaml_read(&arena, TEXT("f"), TEXT("a\n---\nb\n"), refuse, &calls, &faults),
                     STATUS_NO_MEMORY);
    ck_assert_int_eq(calls, 1);
    ck_assert_uint_eq(faults.count, 0);
    diagnostics_dispose(&faults);
    arena_dispose(&arena);
}
END_TEST

struct places {
    uint32_t line, column, key_line, key_column;
};

static enum status look(void *context, const struct node *root)
{
    struct places *out = context;
    const struct node *b = node_get(root, "b"), *list = node_get(b, "c"), *last = list->first->next;
    out[0] = (struct places){root->line, root->column, 0, 0};
    out[1] = (struct places){b->line, b->column, b->key_line, b->key_column};
    out[2] = (struct places){list->line, list->column, list->key_line, list->key_column};
    out[3] = (struct places){last->line, last->column, 0, 0};
    return STATUS_OK;
}

START_TEST(values_know_their_place)
{
    static const struct {
        struct text source;
        uint32_t shift;
    } cases[] = {
        {TEXT("# top\na: \xc3\xa9\nb:\n  c: [\"\xe2\x82\xac\", 2]\n"), 0},
        {TEXT("# top\r\na: \xc3\xa9\r\nb:\r\n  c: [\"\xe2\x82\xac\", 2]\r\n"), 0},
        {TEXT("\xef\xbb\xbf# top\na: \xc3\xa9\nb:\n  c: [\"\xe2\x82\xac\", 2]\n"), 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena;
        struct diagnostics faults;
        struct places got[4];
        arena_init(&arena, 0);
        diagnostics_init(&faults);
        ck_assert_int_eq(yaml_read(&arena, TEXT("f"), cases[i].source, look, got, &faults),
                         STATUS_OK);
        static const struct places expected[4] = {
            {2, 1, 0, 0}, {4, 3, 3, 1}, {4, 6, 4, 3}, {4, 12, 0, 0}};
        for (size_t j = 0; j < 4; j++)
            ck_assert_msg(memcmp(&got[j], &expected[j], sizeof got[j]) == 0,
                          "case %zu, value %zu: %u:%u key %u:%u", i, j, got[j].line, got[j].column,
                          got[j].key_line, got[j].key_column);
        diagnostics_dispose(&faults);
        arena_dispose(&arena);
    }
}
END_TEST

#define MARK "\xef\xbb\xbf"

/* As editors on Windows save a file: the mark is no part of the first key, nor of its column. */
START_TEST(a_byte_order_mark_is_passed_over)
{
    expect_json(TEXT(MARK), "");
    expect_json(TEXT(MARK "{a: 1}"), "{\"a\":1}\n");
    expect_json(TEXT(MARK "a: 1\nb: 2\n"), "{\"a\":1,\"b\":2}\n");
    expect_json(TEXT(MARK "a: 1\r\nb: 2\r\n---\r\nc: 3\r\n"), "{\"a\":1,\"b\":2}\n{\"c\":3}\n");
    expect_fault(TEXT(MARK "a: 1\na: 2\n"), CODE_DUPLICATE_KEY, 2, 1, NULL);
    expect_fault(TEXT(MARK "a: &b 1\n"), CODE_ANCHOR, 1, 4, NULL);
    expect_fault(TEXT(MARK "a: \x01\n"), CODE_YAML, 1, 4, NULL);
    expect_fault(TEXT(MARK "a: \xff\n"), CODE_UTF8, 1, 4, NULL);
    expect_fault(TEXT(MARK "a: \xc2\x85\n"), CODE_YAML, 1, 4, NULL);
}
END_TEST

START_TEST(malformed_files_have_a_place)
{
    expect_fault(TEXT("a: \xff\n"), CODE_UTF8, 1, 4, "byte 0xff is not UTF-8");
    expect_fault(TEXT("a: 1\nb: x\xe2\x82\n"), CODE_UTF8, 2, 5, "byte 0xe2 is not UTF-8");
    expect_fault(TEXT("\xff\xfe"
                      "a\0"),
                 CODE_UTF8, 1, 1, NULL); /* UTF-16 */
    expect_fault(TEXT("a\0:\0 \0"
                      "1\0"),
                 CODE_YAML, 1, 2, NULL);
    expect_fault(TEXT("a: 1\nb: x\0y\n"), CODE_YAML, 2, 5, NULL);
    expect_fault(TEXT("a: 1\n\tb: 2\n"), CODE_YAML, 2, 1, NULL);
    expect_fault(TEXT("a: b: c\n"), CODE_YAML, 1, 5, NULL);
    expect_fault(TEXT("a: [1, 2\nb: 3\n"), CODE_YAML, 2, 2, NULL);
    expect_fault(TEXT("a: 'x\n"), CODE_YAML, 2, 1, NULL);
    expect_fault(TEXT("a: \"\\x\"\n"), CODE_YAML, 1, 7, NULL);
    expect_fault(TEXT("a: 1\n  b: 2\n"), CODE_YAML, 2, 4, NULL);
    expect_fault(TEXT("a: \x01\n"), CODE_YAML, 1, 4, NULL);
    expect_fault(TEXT("a: \x1b[31m\n"), CODE_YAML, 1, 4, NULL);
}
END_TEST

static void expect_hint(struct text source, const char *hint)
{
    struct reading reading;
    start(&reading, source);
    ck_assert_uint_eq(reading.faults.count, 1);
    const struct diagnostic *fault = &reading.faults.items[0];
    ck_assert_text(fault->hint, hint);
    /* A second place is told only where it is another one. */
    ck_assert(fault->other.line != fault->place.line || fault->other.column != fault->place.column);
    stop(&reading);
}

START_TEST(what_makes_most_files_no_yaml_has_a_hint)
{
    expect_hint(TEXT("a:\n\tb: 2\n"), "indent by spaces: YAML takes no tabs there");
    expect_hint(TEXT("a:\n  \tb: 2\n"), "indent by spaces: YAML takes no tabs there");
    expect_hint(TEXT("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n"),
                "a merge left its conflict in this file: resolve it");
    expect_hint(TEXT("a: 1\nb: \"\\x\"\nc: ' <<<<<<< '\n"), "");
}
END_TEST

static char *repeat(const char *part, size_t count, size_t *length)
{
    size_t size = strlen(part);
    char *text = malloc(size * count + 1);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * size, part, size);
    *length = size * count;
    text[*length] = '\0';
    return text;
}

static void expect_repeated(const char *part, size_t count, const char *code, uint32_t line,
                            uint32_t column)
{
    size_t length;
    char *text = repeat(part, count, &length);
    expect_fault((struct text){text, length}, code, line, column, NULL);
    free(text);
}

/* Each of these costs milliseconds; the suite's timeout would show if one did not. */
START_TEST(hostile_sizes_are_refused_while_they_arrive)
{
    struct reading reading;
    size_t length;
    expect_repeated("[", 100000, CODE_DEPTH, 1, 65);
    expect_repeated("{a: ", 100000, CODE_DEPTH, 1, 64 * 4 + 1);
    expect_repeated("- ", 100000, CODE_DEPTH, 1, 129);
    expect_repeated("- 1\n", 250000, CODE_NODES, 200000, 3);
    char *documents = repeat("---\na: 1\n", 10000, &length);
    start(&reading, (struct text){documents, length});
    ck_assert_uint_eq(reading.count, YAML_MAX_DOCUMENTS);
    ck_assert_str_eq(reading.faults.items[0].code, CODE_DOCUMENTS);
    ck_assert_uint_eq(reading.faults.items[0].place.line, 2001);
    stop(&reading);
    free(documents);
    char *large = repeat("# 4567890123456\n", YAML_MAX_BYTES / 16 + 1, &length);
    expect_fault((struct text){large, length}, CODE_FILE_SIZE, 0, 0,
                 "file has 4194320 bytes; at most 4194304 are read");
    expect_json((struct text){large, YAML_MAX_BYTES}, "");
    free(large);
}
END_TEST

START_TEST(a_huge_map_is_checked_for_duplicates_fast)
{
    struct buffer yaml;
    struct reading reading;
    buffer_init(&yaml, 0);
    for (unsigned i = 0; i < 199000; i++)
        buffer_printf(&yaml, "key%u: %u\n", i * 7919 % 199000, i);
    start(&reading, buffer_text(&yaml));
    ck_assert_int_eq(reading.status, STATUS_OK);
    stop(&reading);
    buffer_append_string(&yaml, "key7919: again\n");
    start(&reading, buffer_text(&yaml));
    ck_assert_uint_eq(reading.faults.count, 1);
    ck_assert_str_eq(reading.faults.items[0].code, CODE_DUPLICATE_KEY);
    ck_assert_uint_eq(reading.faults.items[0].place.line, 199001);
    ck_assert_uint_eq(reading.faults.items[0].other.line, 2);
    stop(&reading);
    buffer_dispose(&yaml);
}
END_TEST

UNIT_MAIN("yaml", scalars_are_those_of_yaml_1_2_core, numbers_that_are_not_kept_exactly_are_refused,
          what_could_mislead_is_refused, keys_are_strings, keys_that_stand_twice_show_both_places,
          documents_come_one_by_one, the_reader_stops_when_told, values_know_their_place,
          a_byte_order_mark_is_passed_over, malformed_files_have_a_place,
          what_makes_most_files_no_yaml_has_a_hint, hostile_sizes_are_refused_while_they_arrive,
          a_huge_map_is_checked_for_duplicates_fast)
