/* Foreign flagd documents, read as leniently as flagd reads them; and each flag's fault stays its
 * own. */
#include "foreign.h"

static void expect(const char *json, const char *flag, const char *context, const char *answer)
{
    struct document *document = read_json(json);
    ck_assert_str_eq(ask(document, flag, context), answer);
    document_release(document);
}

START_TEST(references_are_replaced_wherever_they_stand)
{
    static const char json[] = "{\"flags\":{\"a\":" FLAG(
        "{\"if\":[{\"$ref\":\"staff\"},\"on\"]}") ",\"b\":" FLAG("{\"if\":[{\"and\":[true,{"
                                                                 "\"$ref\":\"staff\"}]},{"
                                                                 "\"$ref\":\"name\"},null]"
                                                                 "}") "},"
                                                                      "\"$evaluators\":{"
                                                                      "\"name\":\"on\","
                                                                      "\"staff\":{\"ends_"
                                                                      "with\":[{\"var\":"
                                                                      "\"email\"},\"@x\"]}}"
                                                                      "}";
    expect(json, "a", "{\"email\":\"u@x\"}", "on TARGETING_MATCH");
    expect(json, "a", "{}", "off DEFAULT");
    expect(json, "b", "{\"email\":\"u@x\"}", "on TARGETING_MATCH");
}
END_TEST

START_TEST(evaluators_may_refer_to_later_ones_only)
{
#define EVALUATORS(list)                                                                           \
    "{\"flags\":{\"f\":" FLAG("{\"$ref\":\"a\"}") "},\"$evaluators\":{" list "}}"
    expect(EVALUATORS("\"a\":{\"$ref\":\"b\"},\"b\":\"on\""), "f", "{}", "on TARGETING_MATCH");
    expect(EVALUATORS("\"b\":\"on\",\"a\":{\"$ref\":\"b\"}"), "f", "{}",
           "PARSE_ERROR: unknown operator \"$ref\"");
    /* Cyclic, of itself, missing: the flag's own fault. */
    expect(EVALUATORS("\"a\":{\"$ref\":\"b\"},\"b\":{\"$ref\":\"a\"}"), "f", "{}",
           "PARSE_ERROR: unknown operator \"$ref\"");
    expect(EVALUATORS("\"a\":{\"$ref\":\"a\"}"), "f", "{}",
           "PARSE_ERROR: unknown operator \"$ref\"");
    expect(EVALUATORS("\"c\":1"), "f", "{}", "PARSE_ERROR: unknown operator \"$ref\"");
    /* Names that are indexes come first in JavaScript. */
    expect(EVALUATORS("\"a\":{\"$ref\":\"1\"},\"1\":\"on\""), "f", "{}",
           "PARSE_ERROR: unknown operator \"$ref\"");
}
END_TEST

START_TEST(logic_of_any_depth_harms_only_its_flag)
{
    static const int depths[] = {100, 400, 1000, 2000};
    for (size_t i = 0; i < COUNT_OF(depths); i++) {
        struct buffer json;
        buffer_init(&json, 0);
        buffer_append_string(
            &json, "{\"flags\":{\"good\":" FLAG(
                       "\"on\"") ",\"deep\":{"
                                 "\"state\":\"ENABLED\",\"defaultVariant\":\"off\",\"targeting\":");
        for (int level = 0; level < depths[i]; level++)
            buffer_append_string(&json, "{\"!\":");
        buffer_append_string(&json, "{\"var\":\"x\"}");
        for (int level = 0; level < depths[i]; level++)
            buffer_append_string(&json, "}");
        buffer_append_string(&json, ",\"variants\":{\"on\":1,\"off\":2,\"false\":3}}}}");
        struct document *document = read_json(buffer_string(&json));
        ck_assert_str_eq(
            ask(document, "deep", "{}"),
            depths[i] < 500
                ? "false TARGETING_MATCH"
                : "PARSE_ERROR: targeting is too large, or nested deeper than 512 levels");
        ck_assert_str_eq(ask(document, "good", "{}"), "on TARGETING_MATCH");
        document_release(document);
        buffer_dispose(&json);
    }
}
END_TEST

/* A context is at most 64 deep: below that there is nothing. */
START_TEST(paths_of_any_length_lead_to_nothing)
{
    struct buffer json;
    buffer_init(&json, 0);
    buffer_append_string(
        &json, "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1,\"off\":2},"
               "\"defaultVariant\":\"off\",\"targeting\":{\"if\":[{\"missing\":[\"a");
    for (int i = 0; i < 20000; i++)
        buffer_append_string(&json, ".a");
    buffer_append_string(&json, "\"]},{\"var\":[\"a");
    for (int i = 0; i < 20000; i++)
        buffer_append_string(&json, ".a");
    buffer_append_string(&json, "\",\"on\"]},null]}}}}");
    expect(buffer_string(&json), "f", "{\"a\":{\"a\":1}}", "on TARGETING_MATCH");
    buffer_dispose(&json);
}
END_TEST

START_TEST(iterators_reach_the_context_around_them)
{
#define ROLE(path)                                                                                 \
    "{\"flags\":{\"f\":" FLAG("{\"if\":[{\"some\":[{\"var\":\"roles\"},{\"==\":[{\"var\":\"\"},"   \
                              "{\"var\":\"" path "\"}]}]},\"on\",null]}") "}}"
    static const char context[] = "{\"roles\":[\"a\",\"b\"],\"role\":\"b\"}";
    expect(ROLE("../../role"), "f", context, "on TARGETING_MATCH");
    expect(ROLE("../../other"), "f", context, "off DEFAULT");
    expect(ROLE("../../../../role"), "f", context,
           "off DEFAULT"); /* there is nothing further out */
}
END_TEST

/* "$flagd" stands in every context: it is never empty, and too deep for reduce. */
START_TEST(the_whole_context_holds_more_than_was_sent)
{
    expect("{\"flags\":{\"f\":" FLAG("{\"if\":[{\"var\":\"\"},\"on\",null]}") "}}", "f", "{}",
           "on TARGETING_MATCH");
    expect("{\"flags\":{\"f\":" FLAG("{\"reduce\":[{\"var\":\"l\"},1,{\"var\":\"\"}]}") "}}", "f",
           "{\"a\":1}", "GENERAL: what reduce accumulates is nested too deep");
}
END_TEST

/* A condition that asks for the flag's own key is another one in each flag. */
START_TEST(conditions_on_the_flag_are_not_shared)
{
#define OWN_KEY                                                                                    \
    FLAG(                                                                                          \
        "{\"if\":[{\"and\":[{\"some\":[[1],{\"==\":[{\"var\":\"../../$flagd.flagKey\"},\"a\"]}]}," \
        "{\"!==\":[{\"var\":\"x\"},1]},{\"!==\":[{\"var\":\"y\"},1]}]},\"on\",null]}")
    struct document *document = read_json("{\"flags\":{\"a\":" OWN_KEY ",\"b\":" OWN_KEY "}}");
    struct context context;
    struct decision decision;
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    ck_assert_int_eq(context_read(&context, document->attributes, TEXT("{}"), NULL), STATUS_OK);
    evaluate(document_find(document, TEXT("a")), &context, 0, &decision);
    ck_assert_text(decision.variant, "on");
    evaluate(document_find(document, TEXT("b")), &context, 0, &decision);
    ck_assert_text(decision.variant, "off");
    context_dispose(&context);
    document_release(document);
}
END_TEST

static void append_nested(struct buffer *json, int depth, const char *before, const char *inner,
                          const char *after)
{
    buffer_append_string(json, "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},"
                               "\"targeting\":");
    for (int i = 0; i < depth; i++)
        buffer_append_string(json, before);
    buffer_append_string(json, inner);
    for (int i = 0; i < depth; i++)
        buffer_append_string(json, after);
    buffer_append_string(json, "}}}");
}

/* Each part is compiled once, however deep it stands: else these would double sixty times. */
START_TEST(nesting_does_not_multiply)
{
    static const struct {
        const char *before, *inner, *after;
    } cases[] = {
        {"{\"if\":[{\"filter\":[[1],", "{\"var\":\"x\"}", "]}]}"},
        {"{\"missing_some\":[1,", "[\"x\"]", "]}"},
        {"{\"fractional\":[{\"cat\":[\"k\"]},[", "\"on\"", ",1]]}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer json;
        buffer_init(&json, 0);
        append_nested(&json, 60, cases[i].before, cases[i].inner, cases[i].after);
        struct document *document = read_json(buffer_string(&json));
        ck_assert_ptr_null(strstr(ask(document, "f", "{}"), "too large"));
        document_release(document);
        buffer_dispose(&json);
    }
}
END_TEST

static char *numbers_context(unsigned count, const char *and)
{
    struct buffer json;
    buffer_init(&json, 0);
    buffer_append_string(&json, "{\"l\":[0");
    for (unsigned i = 1; i < count; i++)
        buffer_printf(&json, ",%u", i % 9);
    buffer_printf(&json, "]%s}", and);
    return buffer_take(&json, NULL);
}

START_TEST(long_lists_are_gone_through_and_endless_work_is_not)
{
    char *context = numbers_context(50000, "");
    expect("{\"flags\":{\"f\":" FLAG(
               "{\"if\":[{\"==\":[{\"reduce\":[{\"var\":\"l\"},{\"max\":[{\"var\":"
               "\"current\"},{\"var\":\"accumulator\"}]},0]},8]},\"on\",null]}") "}}",
           "f", context, "on TARGETING_MATCH");
    expect("{\"flags\":{\"f\":" FLAG(
               "{\"if\":[{\"some\":[{\"var\":\"l\"},{\"in\":[\"x\",{\"var\":\"../../l\"}"
               "]}]},\"on\",null]}") "}}",
           "f", context, "GENERAL: a rule takes more than four million steps");
    free(context);
}
END_TEST

START_TEST(flags_may_stand_in_a_list_and_the_last_of_a_key_counts)
{
    expect("{\"flags\":[{\"key\":\"f\",\"state\":\"DISABLED\",\"variants\":{\"a\":1}}]}", "f", "{}",
           " DISABLED");
    expect(
        "{\"flags\":[{\"key\":\"f\",\"state\":\"DISABLED\",\"variants\":{\"a\":1}},"
        "{\"key\":\"f\",\"state\":\"ENABLED\",\"variants\":{\"a\":1},\"defaultVariant\":\"a\"}]}",
        "f", "{}", "a STATIC");
    expect(
        "{\"flags\":{\"f\":" FLAG("\"on\"") ",\"g\":" FLAG("\"on\"") ",\"f\":" FLAG("\"off\"") "}}",
        "f", "{}", "off TARGETING_MATCH");
    expect("{\"flags\":[]}", "f", "{}", "FLAG_NOT_FOUND: flag does not exist");
    expect("{\"flags\":{\"f\":" FLAG(
               "{\"if\":[true,\"on\"],\"if\":[{\"!\":[1],\"!\":[0]},\"off\"]}") "}}",
           "f", "{}", "off TARGETING_MATCH");
    expect("{\"flags\":{\"f\":" FLAG(
               "{\"if\":[{\"some\":[[1],{\"var\":\"\",\"var\":\"x\"}]},\"on\",\"off\"]}") "}}",
           "f", "{\"x\":1}", "off TARGETING_MATCH");
    expect("{\"flags\":{\"f\":" FLAG("{\"if\":[true,\"on\"],\"!\":[1],\"if\":[true,\"off\"]}") "}}",
           "f", "{}", "PARSE_ERROR: an expression is an object with one operator");
    struct buffer json; /* a flag of a list may be too deep, too, and its names be escaped */
    buffer_init(&json, 0);
    buffer_append_string(&json,
                         "{\"flags\":[{\"k\\u0065y\":\"f\",\"state\":\"ENABLED\",\"variants\":{},"
                         "\"t\\u0061rgeting\":");
    for (int i = 0; i < 600; i++)
        buffer_append_string(&json, "{\"!\":");
    buffer_append_string(&json, "1");
    for (int i = 0; i < 600; i++)
        buffer_append_char(&json, '}');
    buffer_append_string(&json, "}]}");
    expect(buffer_string(&json), "f", "{}",
           "PARSE_ERROR: targeting is too large, or nested deeper than 512 levels");
    buffer_dispose(&json);
}
END_TEST

START_TEST(what_is_no_default_is_none)
{
#define DEFAULT(value)                                                                             \
    "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1},\"defaultVariant\":" value    \
    "}}}"
    expect(DEFAULT("null"), "f", "{}", " DEFAULT");
    expect(DEFAULT("\"\""), "f", "{}", " DEFAULT");
    expect(DEFAULT("false"), "f", "{}", " DEFAULT");
    expect(DEFAULT("\"a\""), "f", "{}", "a STATIC");
    expect("{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{}}}}", "f", "{}", " DEFAULT");
    static const char *const nothing[] = {"{}", "null", "5", "true", "\"\"", "[]"};
    for (size_t i = 0; i < COUNT_OF(nothing); i++) {
        char json[200];
        snprintf(json, sizeof json,
                 "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1},"
                 "\"defaultVariant\":\"a\",\"targeting\":%s}}}",
                 nothing[i]);
        expect(json, "f", "{}", "a STATIC");
    }
}
END_TEST

START_TEST(the_third_generation_hashes_cbor)
{
    static const char json[] =
        "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1,\"b\":2},"
        "\"defaultVariant\":\"a\","
        "\"targeting\":{\"fractional\":[{\"var\":\"k\"},[\"a\",1],[\"b\",1]]}}}}";
    struct document_options options = {.fractional = FRACTIONAL_V3};
    struct document *second = read_json(json), *third;
    int different = 0;
    ck_assert_int_eq(document_read(text_of(json), &options, &third, NULL), STATUS_OK);
    for (int i = 0; i < 200; i++) {
        char context[40], answer[80];
        snprintf(context, sizeof context, "{\"k\":\"user-%d\"}", i);
        snprintf(answer, sizeof answer, "%s", ask(second, "f", context));
        different += strcmp(answer, ask(third, "f", context)) != 0;
    }
    ck_assert_int_gt(different, 50); /* another hash: chance */
    ck_assert_int_lt(different, 150);
    ck_assert_str_eq(ask(second, "f", "{\"k\":5}"), "a DEFAULT");
    ck_assert(strstr(ask(third, "f", "{\"k\":5}"), "TARGETING_MATCH"));
    ck_assert_str_eq(ask(third, "f", "{\"k\":null}"), "a DEFAULT");
    document_release(second);
    document_release(third);
}
END_TEST

START_TEST(equal_conditions_are_evaluated_once_for_a_context)
{
    /* The second flag's condition is the first one's: what the context knows answers for it. */
#define LONG_CONDITION                                                                             \
    "{\"or\":[{\"starts_with\":[{\"var\":\"a\"},\"x\"]},{\"starts_with\":[{\"var\":\"a\"},\"y\"]}" \
    ","                                                                                            \
    "{\"ends_with\":[{\"var\":\"b\"},\"x\"]},{\"sem_ver\":[{\"var\":\"c\"},\">\",\"1.0.0\"]},"     \
    "{\"===\":[{\"var\":\"b\"},\"z\"]},{\"===\":[{\"var\":\"c\"},\"z\"]}]}"
    struct document *document = read_json("{\"flags\":{\"f\":" FLAG(
        "{\"if\":[" LONG_CONDITION
        ",\"on\",null]}") ",\"g\":" FLAG("{\"if\":[{\"!\":" LONG_CONDITION "},null,\"on\"]}") "}}");
    struct context context;
    struct decision decision;
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    ck_assert_int_eq(context_read(&context, document->attributes, TEXT("{\"c\":\"2.0.0\"}"), NULL),
                     STATUS_OK);
    evaluate(document_find(document, TEXT("f")), &context, 0, &decision);
    ck_assert_text(decision.variant, "on");
    unsigned known = 0;
    for (size_t i = 0; i < CONTEXT_KNOWN; i++) {
        if (context.known[i].reading == context.reading) {
            ck_assert(context.known[i].truth);
            context.known[i].truth = false; /* only what is remembered can say so now */
            known++;
        }
    }
    ck_assert_uint_eq(known, 1);
    evaluate(document_find(document, TEXT("g")), &context, 0, &decision);
    ck_assert_text(decision.variant, "off");
    ck_assert_int_eq(context_read(&context, document->attributes, TEXT("{\"c\":\"2.0.0\"}"), NULL),
                     STATUS_OK);
    evaluate(document_find(document, TEXT("g")), &context, 0, &decision);
    ck_assert_text(decision.variant, "on"); /* another reading knows nothing of it */
    context_dispose(&context);
    document_release(document);
}
END_TEST

UNIT_MAIN("document", references_are_replaced_wherever_they_stand,
          evaluators_may_refer_to_later_ones_only, logic_of_any_depth_harms_only_its_flag,
          paths_of_any_length_lead_to_nothing, iterators_reach_the_context_around_them,
          the_whole_context_holds_more_than_was_sent, conditions_on_the_flag_are_not_shared,
          nesting_does_not_multiply, long_lists_are_gone_through_and_endless_work_is_not,
          flags_may_stand_in_a_list_and_the_last_of_a_key_counts, what_is_no_default_is_none,
          the_third_generation_hashes_cbor, equal_conditions_are_evaluated_once_for_a_context)
