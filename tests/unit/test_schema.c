/* The validator, with schemas of the tests' own. */
#include "schema_unit.h"

#include "../../rules/json.h"

/* --- the validator
 * -------------------------------------------------------------------------------------- */

START_TEST(best_branch_speaks)
{
    static const char schema[] =
        "{\"anyOf\": ["
        "{\"type\":\"object\",\"required\":[\"kind\"],\"properties\":{\"kind\":{\"const\":\"cat\"},"
        "\"lives\":{\"type\":\"integer\"}},\"additionalProperties\":false},"
        "{\"type\":\"object\",\"required\":[\"kind\"],\"properties\":{\"kind\":{\"const\":\"dog\"},"
        "\"tricks\":{\"type\":\"array\"}},\"additionalProperties\":false},"
        "{\"type\":\"string\",\"maxLength\":3}]}";
    expect_own(schema, "{kind: dog, tricks: 7}", "1:21 W201 tricks: expected a list, got a number");
    expect_own(schema, "{kind: cat, lives: nine}",
               "1:20 W201 lives: expected a whole number, got a string");
    expect_own(schema, "abcd", "1:1 W207 expected at most 3 characters, got 4");
    expect_own(schema, "[1]", "1:1 W201 expected a string or a map, got a list");
    expect_own(schema, "{kind: dog, tricks: []}", "");
}
END_TEST

START_TEST(one_of_words)
{
    expect_own("{\"oneOf\":[{\"type\":\"number\"},{\"minimum\":3}]}", "4",
               "1:1 W208 fits more than one of the forms that exclude each other");
    expect_own("{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{c: 1}",
               "1:1 W208 expected one of \"a\", \"b\"");
    expect_own("{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{b: 1, a: 1}",
               "1:8 W208 only one of \"a\", \"b\" may stand here");
    expect_own(
        "{\"properties\":{\"x\":{\"not\":{\"const\":3},\"errorMessage\":\"anything but 3\"}}}",
        "{x: 3}", "1:5 W209 x: anything but 3");
    expect_own("{\"enum\":[1,\"a\",null],\"errorMessage\":\"no good\"}", "b",
               "1:1 W204 no good, got \"b\"");
}
END_TEST

START_TEST(lengths_are_code_points)
{
    expect_own("{\"minLength\":2,\"maxLength\":2}", "\"\xf0\x9f\x98\x80\xc3\xa9\"", "");
    expect_own("{\"minLength\":2}", "\"\xf0\x9f\x98\x80\"",
               "1:1 W207 expected at least 2 characters, got 1");
}
END_TEST

/* Long texts of a person are cut between characters, never inside one. */
START_TEST(long_values_are_cut)
{
    char yaml[400] = "\"x";
    for (size_t i = 0; i < 60; i++)
        memcpy(yaml + 2 + 2 * i, "\xc3\xa9", 3);
    memcpy(yaml + 122, "\"", 2);
    expect_own("{\"const\":1}", yaml,
               "1:1 W204 expected 1, got \"xééééééééééééééééééééééééééééé…\"");
}
END_TEST

/* Every weight of three decimals is a multiple of 0.001, although most of them divide to a
 * fraction. */
START_TEST(every_weight_is_a_multiple)
{
    struct buffer yaml;
    buffer_init(&yaml, 0);
    for (unsigned i = 0; i <= 100000; i++)
        buffer_printf(&yaml, "- %u.%03u\n", i / 1000, i % 1000);
    expect_own("{\"items\":{\"multipleOf\":0.001}}", buffer_string(&yaml), "");
    buffer_dispose(&yaml);
    expect_own("{\"items\":{\"multipleOf\":0.001}}", "[99.9995, 0.0001]",
               "1:2 W206 [0]: expected a multiple of 0.001, got 99.9995\n"
               "1:11 W206 [1]: expected a multiple of 0.001, got 0.0001");
}
END_TEST

START_TEST(unique_among_many)
{
    struct buffer yaml;
    buffer_init(&yaml, 0);
    for (unsigned i = 0; i < 5000; i++)
        buffer_printf(&yaml, "- {a: %u, b: [%u]}\n", i, i);
    expect_own("{\"uniqueItems\":true}", buffer_string(&yaml), "");
    buffer_append_string(&yaml, "- {b: [17.0], a: 17}\n");
    expect_own("{\"uniqueItems\":true}", buffer_string(&yaml),
               "5001:3 W209 [5000]: a map stands twice in the list (first 18:3)");
    buffer_clear(&yaml);
    for (unsigned i = 0; i < 100; i++)
        buffer_printf(&yaml, "- %u\n", i);
    buffer_append_string(&yaml, "- -0.0\n");
    expect_own("{\"uniqueItems\":true}", buffer_string(&yaml),
               "101:3 W209 [100]: 0 stands twice in the list (first 1:3)");
    buffer_dispose(&yaml);
    expect_own("{\"uniqueItems\":true}", "[0, false, \"0\", null, [], {}, \"\", -0.0]",
               "1:35 W209 [7]: 0 stands twice in the list (first 1:2)");
}
END_TEST

START_TEST(schemas_refused)
{
    refuse("{\"type\":\"object\",\n \"propertys\":{}}",
           "2:2 schema \"own\": unknown keyword \"propertys\"");
    refuse("{\"minLength\":-1}",
           "1:14 schema \"own\": keyword \"minLength\" must be a whole number, 0 or more");
    refuse("{\"type\":\"text\"}",
           "1:9 schema \"own\": keyword \"type\" must be a type, or a list of them");
    refuse("{\"not\":7}", "1:8 schema \"own\": a schema must be a map, true or false");
    refuse("{\"multipleOf\":0}",
           "1:15 schema \"own\": keyword \"multipleOf\" must be a number above 0");
    refuse("{\"$ref\":\"#/definitions/gone\"}",
           "1:9 schema \"own\": $ref \"#/definitions/gone\" leads nowhere");
    refuse("{\"type\":\"string\",\"type\":\"number\"}", "1:18 schema \"own\": key stands twice");
}
END_TEST

START_TEST(circles_refused)
{
    refuse("{\"$ref\":\"#\"}", "1:1 schema \"own\" refers to itself in a circle");
    refuse("{\"definitions\":{\"a\":{\"$ref\":\"#/definitions/b\"},"
           "\"b\":{\"allOf\":[{\"$ref\":\"#/definitions/a\"}]}}}",
           "1:21 schema \"own\" refers to itself in a circle");
    refuse("{\"anyOf\":[{\"not\":{\"if\":{\"$ref\":\"#\"}}}]}",
           "1:1 schema \"own\" refers to itself in a circle");
    /* Going deeper into the value always ends. */
    expect_own("{\"additionalProperties\":{\"$ref\":\"#\"},\"items\":{\"$ref\":\"#\"},\"type\":"
               "[\"object\",\"array\"]}",
               "{a: {b: [{c: []}, 1]}}",
               "1:19 W201 a.b[1]: expected a list or a map, got a number");
}
END_TEST

START_TEST(references)
{
    struct schema_set *set = schema_set_new();
    struct error error = {0};
    ck_assert_ptr_nonnull(set);
    ck_assert_int_eq(schema_set_add(set, "a.json",
                                    TEXT("{\"$id\":\"https://x.test/v1/a.json\",\"properties\":{"
                                         "\"far\":{\"$ref\":\"b.json#/definitions/a~1b%25~0\"},"
                                         "\"near\":{\"$ref\":\"#/properties/far\"}}}"),
                                    &error),
                     STATUS_OK);
    ck_assert_int_eq(schema_set_add(set, "b.json",
                                    TEXT("{\"$id\":\"https://x.test/v1/b.json\",\"definitions\":{"
                                         "\"a/b%~\":{\"type\":\"null\"}}}"),
                                    &error),
                     STATUS_OK);
    ck_assert_int_eq(schema_set_add(set, "b.json", TEXT("{}"), &error), STATUS_INVALID);
    ck_assert_str_eq(error.message, "two schemas are called \"b.json\"");
    ck_assert_int_eq(schema_set_seal(set, &error), STATUS_OK);
    ck_assert_int_eq(schema_set_add(set, "c.json", TEXT("{}"), &error), STATUS_REFUSED);
    ck_assert_ptr_eq(schema_set_find(set, "a.json"),
                     schema_set_find(set, "https://x.test/v1/a.json"));
    ck_assert_ptr_null(schema_set_find(set, "c.json"));
    expect(schema_set_find(set, "a.json"), "{near: 1, far: null}",
           "1:8 W201 near: expected null, got a number");
    schema_set_free(set);
}
END_TEST

/* A file that is one fault after another: all are counted, no more are kept than may be. */
START_TEST(flood_of_faults)
{
    struct schema_set *set = schema_set_new();
    struct error error = {0};
    struct arena arena;
    struct diagnostics faults;
    struct buffer json;
    const struct node *node = NULL;
    ck_assert_ptr_nonnull(set);
    ck_assert_int_eq(schema_set_add(set, "own", TEXT("{\"items\":{\"type\":\"string\"}}"), &error),
                     STATUS_OK);
    ck_assert_int_eq(schema_set_seal(set, &error), STATUS_OK);
    arena_init(&arena, 0);
    diagnostics_init(&faults);
    buffer_init(&json, 0);
    buffer_append_char(&json, '[');
    for (size_t i = 0; i < 50000; i++)
        buffer_append_string(&json, "1,");
    buffer_append_string(&json, "1]");
    ck_assert_int_eq(json_read(&arena, buffer_text(&json), JSON_LIMITS_DEFAULT, &node, &error),
                     STATUS_OK);
    ck_assert_int_eq(schema_validate(schema_set_find(set, "own"), node, TEXT("f"), &faults),
                     STATUS_INVALID);
    ck_assert_uint_eq(faults.errors, 50001);
    ck_assert_uint_le(faults.count, DIAGNOSTICS_KEPT);
    buffer_dispose(&json);
    diagnostics_dispose(&faults);
    arena_dispose(&arena);
    schema_set_free(set);
}
END_TEST

START_TEST(patterns)
{
    static const char subject[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!";
    refuse(
        "{\"pattern\":\"(\"}",
        "1:12 schema \"own\": pattern \"(\" is wrong at character 2: missing closing parenthesis");
    refuse("{\"patternProperties\":{\"a++\":true}}",
           "1:29 schema \"own\": pattern \"a++\" has a possessive quantifier");
    expect_own(
        "{\"pattern\":\"^(a+)+$\"}", subject,
        "1:1 W205 \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\" takes too "
        "long to match against \"^(a+)+$\"");
    expect_own(
        "{\"patternProperties\":{\"^(a+)+$\":true}}",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!: 1",
        "1:51 W205 [\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"]: the name takes too long "
        "to match");
}
END_TEST

UNIT_MAIN("schema", best_branch_speaks, one_of_words, lengths_are_code_points, long_values_are_cut,
          every_weight_is_a_multiple, unique_among_many, schemas_refused, circles_refused,
          references, flood_of_faults, patterns)
