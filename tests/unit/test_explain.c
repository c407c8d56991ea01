/* What people are told of a decision, as text and as JSON. */
#include "../../rules/explain.h"
#include "../../rules/json.h"
#include "rules_unit.h"

#define FLAG_RULES                                                                                 \
    "  rules:\n"                                                                                   \
    "    - {when: {attribute: email, endsWith: \"@x\"}, serve: on}\n"                              \
    "    - when:\n"                                                                                \
    "        all:\n"                                                                               \
    "          - {attribute: country, in: [DE, FR]}\n"                                             \
    "          - {attribute: app.version, semver: \">=2.4.0\"}\n"                                  \
    "          - not: {attribute: age, lt: 18}\n"                                                  \
    "      serve: on\n"

static void expect_story(struct rig *rig, const char *flag, const char *context,
                         enum explain_format format, const char *story)
{
    struct decision decision;
    struct buffer out;
    buffer_init(&out, 0);
    rig_decide(rig, flag, context, &decision);
    explain(document_find(rig->document, text_of(flag)), text_of(flag), &rig->context, RIG_NOW,
            format, &out);
    ck_assert_text(buffer_text(&out), story);
    buffer_dispose(&out);
}

START_TEST(rules_are_told_until_one_matches)
{
    struct rig rig;
    rig_build(&rig, RIG_PRODUCTION RIG_FLAG("f", FLAG_RULES));
    expect_story(&rig, "f", "{\"email\":\"a@x\"}", EXPLAIN_TEXT,
                 "f = true (variant \"on\", TARGETING_MATCH)\n"
                 "✓ rule 1 serves \"on\"\n"
                 "  ✓ email ends_with \"@x\"                                email = \"a@x\"\n");
    expect_story(&rig, "f", "{\"country\":\"DE\",\"app\":{\"version\":\"2.5.0\"},\"age\":30}",
                 EXPLAIN_TEXT,
                 "f = true (variant \"on\", TARGETING_MATCH)\n"
                 "✗ rule 1\n"
                 "  ✗ email ends_with \"@x\"                                email is missing\n"
                 "✓ rule 2 serves \"on\"\n"
                 "  ✓ all of\n"
                 "    ✓ country in [\"DE\", \"FR\"]                           country = \"DE\"\n"
                 "    ✓ app.version sem_ver >= 2.4.0                      app.version = \"2.5.0\"\n"
                 "    ✓ not\n"
                 "      ✗ age < 18                                        age = 30\n");
    rig_dispose(&rig);
}
END_TEST

START_TEST(what_stopped_a_rule_is_the_last_thing_told_of_it)
{
    struct rig rig;
    rig_build(&rig, RIG_PRODUCTION RIG_FLAG("f", FLAG_RULES));
    expect_story(
        &rig, "f", "{\"country\":\"US\"}", EXPLAIN_JSON,
        "{\"flag\":\"f\",\"value\":false,\"variant\":\"off\",\"reason\":\"DEFAULT\",\"rules\":["
        "{\"rule\":1,\"matched\":false,\"condition\":{\"expression\":\"email ends_with "
        "\\\"@x\\\"\","
        "\"result\":false,\"missing\":[\"email\"]}},"
        "{\"rule\":2,\"matched\":false,\"condition\":"
        "{\"expression\":\"country in [\\\"DE\\\", \\\"FR\\\"]\",\"result\":false,"
        "\"values\":{\"country\":\"US\"}}},"
        "{\"matched\":true,\"serves\":null}]}\n");
    rig_dispose(&rig);
}
END_TEST

START_TEST(there_is_little_to_tell_of_some)
{
    struct rig rig;
    rig_build(&rig, RIG_PRODUCTION RIG_FLAG("plain", "")
                        RIG_FLAG("dark", "  environments: {production: {enabled: false}}\n"));
    expect_story(&rig, "plain", "{}", EXPLAIN_TEXT, "plain = false (variant \"off\", STATIC)\n");
    expect_story(&rig, "dark", "{}", EXPLAIN_TEXT, "dark = the caller's own default (DISABLED)\n");
    expect_story(&rig, "none", "{}", EXPLAIN_TEXT, "none: FLAG_NOT_FOUND, flag does not exist\n");
    expect_story(&rig, "none", "{}", EXPLAIN_JSON,
                 "{\"flag\":\"none\",\"reason\":\"ERROR\",\"errorCode\":\"FLAG_NOT_FOUND\","
                 "\"errorDetails\":\"flag does not exist\",\"rules\":[]}\n");
    rig_dispose(&rig);
}
END_TEST

/* Foreign rules: errors, iterators, lists of any length, names of no variant. */
START_TEST(foreign_rules_are_told_too)
{
    static const struct {
        const char *targeting, *context, *story;
    } cases[] = {
        {"{\"if\":[{\"<\":[{\"var\":\"n\"},5]},\"on\",\"off\"]}", "{\"n\":\"abc\"}",
         "f: GENERAL, values cannot be compared\n"
         "✗ rule 1\n"
         "  ! n < 5: values cannot be compared                    n = \"abc\"\n"},
        {"{\"if\":[{\"some\":[{\"var\":\"l\"},{\"==\":[{\"var\":\"\"},2]}]},\"nobody\"]}",
         "{\"l\":[1,2]}",
         "f: GENERAL, targeting gave the name of no variant: \"nobody\"\n"
         "✓ rule 1 serves \"nobody\"\n"
         "  ✓ some(l, the element == 2)                           l = [1,2]\n"},
        {"{\"fractional\":[{\"var\":\"k\"},[\"on\",1]]}", "{\"k\":\"u\"}",
         "f = 1 (variant \"on\", TARGETING_MATCH)\n"
         "✓ always serves \"on\", by fractional(k, [\"on\", 1])\n"},
        {"{\"if\":[true,\"off\"],\"if\":[{\"!\":[1],\"!\":[{\"var\":\"x\"}]},\"on\"]}", "{}",
         "f = 1 (variant \"on\", TARGETING_MATCH)\n"
         "✓ rule 1 serves \"on\"\n"
         "  ✓ not\n"
         "    ✗ x                                                 x is missing\n"},
        {"{\"nope\":1}", "{}", "f: PARSE_ERROR, unknown operator \"nope\"\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer json, out;
        struct document *document;
        struct context context;
        buffer_init(&json, 0);
        buffer_init(&out, 0);
        buffer_printf(&json,
                      "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1,\"off\":2},"
                      "\"defaultVariant\":\"off\",\"targeting\":%s}}}",
                      cases[i].targeting);
        ck_assert_int_eq(document_read(buffer_text(&json), NULL, &document, NULL), STATUS_OK);
        ck_assert_int_eq(context_init(&context), STATUS_OK);
        ck_assert_int_eq(
            context_read(&context, document->attributes, text_of(cases[i].context), NULL),
            STATUS_OK);
        explain(document_find(document, TEXT("f")), TEXT("f"), &context, 0, EXPLAIN_TEXT, &out);
        ck_assert_text(buffer_text(&out), cases[i].story);
        context_dispose(&context);
        document_release(document);
        buffer_dispose(&out);
        buffer_dispose(&json);
    }
}
END_TEST

UNIT_MAIN("explain", rules_are_told_until_one_matches,
          what_stopped_a_rule_is_the_last_thing_told_of_it, there_is_little_to_tell_of_some,
          foreign_rules_are_told_too)
