/* Large and hostile files to import: were any of this quadratic, it would take longer than a test
 * may; and it is told what was too much. */
#include "unit.h"

#include "../../rules/import.h"

struct made {
    struct buffer source;
    struct import import;
    struct diagnostics faults;
    enum status status;
};

static void begin(struct made *made)
{
    *made = (struct made){0};
    buffer_init(&made->source, 0);
    diagnostics_init(&made->faults);
}

static void make(struct made *made, enum import_format format)
{
    struct import_options options = {.format = format, .environment = TEXT("production")};
    ck_assert_int_eq(made->source.failed, STATUS_OK);
    made->status = import_read(&made->import, TEXT("foreign"), buffer_text(&made->source), options,
                               &made->faults);
    ck_assert_int_eq(made->status, STATUS_OK);
}

static void drop(struct made *made)
{
    import_dispose(&made->import);
    diagnostics_dispose(&made->faults);
    buffer_dispose(&made->source);
}

static void expect_kept(const struct made *made, size_t flags, size_t left_out, size_t documents)
{
    ck_assert_uint_eq(made->import.flags, flags);
    ck_assert_uint_eq(made->import.left_out, left_out);
    ck_assert_uint_eq(made->import.count, documents);
}

static void expect_has(const struct made *made, size_t document, const char *part)
{
    struct text yaml = made->import.documents[document].yaml;
    ck_assert_msg(memmem(yaml.data, yaml.length, part, strlen(part)) != NULL, "no '%s' in\n%.*s",
                  part, (int)(yaml.length < 2000 ? yaml.length : 2000), yaml.data);
}

static void expect_told(const struct made *made, const char *message)
{
    for (size_t i = 0; i < made->faults.count; i++) {
        if (text_is(made->faults.items[i].message, message))
            return;
    }
    ck_abort_msg("\"%s\" was not told", message);
}

#define FLAG_BEFORE                                                                                \
    "{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},\"defaultVariant\":\"off\","  \
    "\"targeting\":"

/* `each` is a format that takes the number of its entry twice. */
#define FILL(buffer, count, each)                                                                  \
    do {                                                                                           \
        for (unsigned i_ = 0; i_ < (count); i_++)                                                  \
            buffer_printf(buffer, "%s" each, i_ ? "," : "", i_, i_);                               \
    } while (0)

START_TEST(many_flags)
{
    struct made made;
    begin(&made);
    buffer_append_string(&made.source, "{\"flags\":{");
    FILL(&made.source, 100000,
         "\"f%u\":" FLAG_BEFORE "{\"if\":[{\"===\":[{\"var\":\"c\"},\"v%u\"]},\"on\"]}}");
    buffer_append_string(&made.source, ",\"f7\":{\"state\":\"DISABLED\",\"variants\":{\"a\":1}}}}");
    make(&made, IMPORT_FLAGD);
    expect_kept(&made, 100000, 1, 100001);
    expect_told(&made, "flag \"f7\" stands twice; the last one counts");
    ck_assert_text(made.import.documents[99999].path, "flags/f99999.yaml");
    expect_has(&made, 99999, "is: v99999");
    ck_assert_text(made.import.documents[100000].path, "flags/f7.yaml");
    expect_has(&made, 100000, "enabled: false");
    drop(&made);
}
END_TEST

START_TEST(many_flags_that_ask_for_others)
{
    struct made made;
    begin(&made);
    buffer_append_string(&made.source, "{\"flags\":{");
    FILL(&made.source, 20000,
         "\"a%u\":" FLAG_BEFORE "{\"if\":[{\"===\":[{\"var\":\"c\"},%u]},\"on\"]}}");
    buffer_append_char(&made.source, ',');
    FILL(&made.source, 20000,
         "\"b%u\":" FLAG_BEFORE
         "{\"if\":[{\"===\":[{\"if\":[{\"===\":[{\"var\":\"c\"},%u]},\"on\"]},\"on\"]},\"on\"]}}");
    buffer_append_string(&made.source, "}}");
    make(&made, IMPORT_FLAGD);
    expect_kept(&made, 40000, 0, 40001);
    expect_has(&made, 20001, "flag: {name: a0, is: on}");
    expect_has(&made, 40000, "flag: {name: a19999, is: on}");
    drop(&made);
}
END_TEST

/* The same rules in each: the first that can be asked is. */
START_TEST(many_flags_with_the_same_rules)
{
    struct made made;
    begin(&made);
    buffer_append_string(&made.source, "{\"flags\":{");
    for (unsigned i = 0; i < 20000; i++)
        buffer_printf(&made.source,
                      "%s\"a%u\":" FLAG_BEFORE
                      "{\"if\":[{\"===\":[{\"if\":[{\"var\":\"c\"},\"on\",\"no\"]},\"on\"]},"
                      "\"on\",\"off\"]}}",
                      i ? "," : "", i);
    buffer_append_string(&made.source,
                         ",\"asked\":" FLAG_BEFORE
                         "{\"if\":[{\"var\":\"d\"},\"on\",\"off\"]}},\"z\":" FLAG_BEFORE
                         "{\"if\":[{\"===\":[{\"if\":[{\"var\":\"d\"},\"on\",\"off\"]},"
                         "\"on\"]},\"on\"]}}}}");
    make(&made, IMPORT_FLAGD);
    ck_assert_uint_eq(made.import.flags + made.import.left_out, 20002);
    drop(&made);
}
END_TEST

START_TEST(many_variants_and_keys)
{
    struct made made;
    begin(&made);
    buffer_append_string(&made.source, "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{");
    FILL(&made.source, 90000, "\"v%u\":%u");
    buffer_append_string(&made.source, ",\"v3\":-1},\"defaultVariant\":\"v89999\",\"targeting\":{"
                                       "\"if\":[");
    FILL(&made.source, 900, "{\"===\":[{\"var\":\"x\"},%u]},\"v%u\"");
    buffer_append_string(&made.source, "]}},\"g\":{\"state\":\"ENABLED\",\"variants\":{\"a\":{");
    FILL(&made.source, 90000, "\"k%u\":%u");
    buffer_append_string(&made.source, ",\"k3\":-1}},\"defaultVariant\":\"a\"},\"h\":{"
                                       "\"state\":\"ENABLED\",\"variants\":{\"a\":1},"
                                       "\"defaultVariant\":\"a\",\"metadata\":{");
    FILL(&made.source, 90000, "\"m%u\":%u");
    buffer_append_string(&made.source, ",\"m3\":\"last\"}}}}");
    make(&made, IMPORT_FLAGD);
    expect_kept(&made, 3, 0, 4);
    expect_has(&made, 1, "v89999: 89999\n");
    expect_has(&made, 1, "v3: -1\n");
    struct text yaml = made.import.documents[1].yaml;
    ck_assert_ptr_null(memmem(yaml.data, yaml.length, " v3: 3\n", 7));
    expect_has(&made, 2, "k3: -1\n");
    expect_has(&made, 3, "m3: last\n");
    drop(&made);
}
END_TEST

START_TEST(many_evaluators)
{
    struct made made;
    begin(&made);
    buffer_append_string(&made.source, "{\"flags\":{");
    FILL(&made.source, 50000, "\"f%u\":" FLAG_BEFORE "{\"if\":[{\"$ref\":\"e%u\"},\"on\"]}}");
    buffer_append_string(&made.source, "},\"$evaluators\":{");
    FILL(&made.source, 50000, "\"e%u\":{\"===\":[{\"var\":\"x\"},\"v%u\"]}");
    buffer_append_string(&made.source, ",\"e5\":{\"===\":[{\"var\":\"x\"},\"last\"]}}}");
    make(&made, IMPORT_FLAGD);
    expect_kept(&made, 50000, 0, 100001);
    expect_has(&made, 1, "name: e0}\n");
    expect_has(&made, 50000, "is: last");
    expect_has(&made, 50001 + 5, "segment: e5");
    drop(&made);
}
END_TEST

/* They become the same name of a segment: it is counted up. */
START_TEST(many_evaluators_of_nearly_the_same_name)
{
    enum { COUNT = 20000 };
    struct made made;
    char number[32];
    begin(&made);
    buffer_append_string(&made.source, "{\"flags\":{},\"$evaluators\":{\"e-3\":true");
    for (unsigned i = 0; i < COUNT; i++) {
        for (unsigned bit = 0; bit < 16; bit++)
            number[bit] = i >> bit & 1 ? '!' : '?';
        buffer_printf(&made.source, ",\"e%.16s\":{\"===\":[{\"var\":\"x\"},%u]}", number, i);
    }
    buffer_append_string(&made.source, "}}");
    make(&made, IMPORT_FLAGD);
    ck_assert_uint_eq(made.import.count, 1 + COUNT);
    ck_assert_text(made.import.documents[1].path, "segments/e.yaml");
    ck_assert_text(made.import.documents[2].path, "segments/e-2.yaml");
    ck_assert_text(made.import.documents[3].path, "segments/e-4.yaml");
    ck_assert_text(made.import.documents[COUNT].path, "segments/e-20001.yaml");
    drop(&made);
}
END_TEST

/* Conditions that have to be compared with each other, and come to little. */
START_TEST(many_conditions_of_one_attribute)
{
    struct made made;
    begin(&made);
    buffer_append_string(&made.source, "{\"flags\":{\"f\":" FLAG_BEFORE "{\"if\":[{\"and\":[");
    FILL(&made.source, 30000,
         "{\"!==\":[{\"var\":\"x\"},\"%u\"]},{\"!==\":[{\"var\":\"x\"},\"%u\"]}");
    buffer_append_string(&made.source, "]},\"on\"]}}}}");
    make(&made, IMPORT_FLAGD);
    expect_kept(&made, 1, 0, 2);
    expect_has(&made, 1, "- \"29999\"\n");
    drop(&made);
}
END_TEST

START_TEST(many_shares)
{
    struct made made;
    begin(&made);
    buffer_append_string(&made.source,
                         "{\"flags\":{\"f\":" FLAG_BEFORE "{\"fractional\":[{\"var\":\"x\"}");
    for (unsigned i = 0; i < 400000; i++)
        buffer_printf(&made.source, ",[\"v%u\",1]", i);
    buffer_append_string(&made.source, "]}}}}");
    make(&made, IMPORT_FLAGD);
    expect_kept(&made, 0, 1, 1);
    expect_told(&made, "weir would draw other buckets for these shares");
    drop(&made);
}
END_TEST

START_TEST(long_queries)
{
    struct made made;
    begin(&made);
    buffer_append_string(&made.source, "f:\n  variations: {a: 1, b: 2}\n  targeting:\n"
                                       "    - variation: a\n      query: 'x in [");
    FILL(&made.source, 20000, "\"s%u\",\"s%u\"");
    buffer_append_string(&made.source, "]'\n    - variation: b\n      query: 'y in [9");
    for (unsigned i = 20000; i > 0; i--)
        buffer_printf(&made.source, ",%u", i);
    buffer_append_string(&made.source, "]'\n    - variation: b\n      query: 'z eq \"x\"");
    for (unsigned i = 0; i < 20000; i++)
        buffer_printf(&made.source, " or z eq \"%u\"", i);
    buffer_append_string(&made.source, "'\n  defaultRule: {variation: b}\n");
    make(&made, IMPORT_GOFF);
    expect_kept(&made, 1, 0, 2);
    expect_has(&made, 1, "- s19999\n");
    expect_has(&made, 1, "- 20000\n");
    expect_has(&made, 1, "- \"19999\"\n");
    drop(&made);
}
END_TEST

/* Each evaluator twice refers to the next, and none is a segment. */
START_TEST(evaluators_that_multiply)
{
    struct made made;
    begin(&made);
    buffer_append_string(&made.source, "{\"flags\":{\"f\":" FLAG_BEFORE
                                       "{\"if\":[{\"$ref\":\"e0\"},\"on\"]}}},\"$evaluators\":{");
    for (int i = 0; i < 60; i++)
        buffer_printf(&made.source, "\"e%d\":{\"or\":[{\"$ref\":\"e%d\"},{\"$ref\":\"e%d\"}]},", i,
                      i + 1, i + 1);
    buffer_append_string(&made.source, "\"e60\":{\"%\":[{\"var\":\"x\"},2]}}}");
    make(&made, IMPORT_FLAGD);
    ck_assert_uint_eq(made.import.flags, 0);
    expect_told(&made, "the rules of this file take too many steps");
    drop(&made);
}
END_TEST

START_TEST(a_long_condition_in_the_place_of_a_value)
{
    struct made made;
    begin(&made);
    buffer_append_string(&made.source, "{\"flags\":{\"f\":" FLAG_BEFORE "{\"or\":[");
    FILL(&made.source, 300000, "{\"===\":[{\"var\":\"x%u\"},%u]}");
    buffer_append_string(&made.source, "]}}}}");
    make(&made, IMPORT_FLAGD);
    expect_kept(&made, 0, 1, 1);
    expect_told(&made, "it is not known which variant this gives");
    drop(&made);
}
END_TEST

START_TEST(what_is_too_deep_is_json_all_the_same)
{
    struct made made;
    struct import_options options = {.format = IMPORT_FLAGD, .environment = TEXT("production")};
    begin(&made);
    for (unsigned i = 0; i < 513; i++)
        buffer_append_char(&made.source, '[');
    made.status = import_read(&made.import, TEXT("foreign"), buffer_text(&made.source), options,
                              &made.faults);
    ck_assert_int_eq(made.status, STATUS_INVALID);
    expect_told(&made, "nested deeper than 512 levels");
    ck_assert_uint_eq(made.faults.items[0].place.column, 513);
    drop(&made);
}
END_TEST

UNIT_MAIN("import_limits", many_flags, many_flags_that_ask_for_others,
          many_flags_with_the_same_rules, many_variants_and_keys, many_evaluators,
          many_evaluators_of_nearly_the_same_name, many_conditions_of_one_attribute, many_shares,
          long_queries, evaluators_that_multiply, a_long_condition_in_the_place_of_a_value,
          what_is_too_deep_is_json_all_the_same)
