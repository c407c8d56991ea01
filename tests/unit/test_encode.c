/* Every operator over every type of JSON, for every fleet of evaluators: one answer, the documented
 * one. */
#include "rules_unit.h"

static const char *const fleets[] = {
    "[weir, flagd]",   "[weir, flagd, js, python, java]",
    "[weir]",          "[js]",
    "[python]",        "[java]",
    "[flagd, python]", "[js, java]",
};

/* What an attribute may be; the last one is that it is missing. */
static const char *const values[] = {
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "10",
    "10.0",
    "10.5",
    "9",
    "11",
    "1e21",
    "\"\"",
    "\"a\"",
    "\"abc\"",
    "\"xabcx\"",
    "\"ABC\"",
    "\"0\"",
    "\"1\"",
    "\"10\"",
    "\"true\"",
    "\"false\"",
    "\"null\"",
    "\"e\\u0301\"",
    "\"\xc3\xa9\"",
    "\"True\"",
    "\"2.4.0\"",
    "\"2.4.0-rc.1\"",
    "\"2.10.0\"",
    "\"v2.4.0\"",
    "\"3.0.0\"",
    "\"2.4.0+b\"",
    "\" 2.4.0\"",
    "\"V2.4.0\"",
    "\"2.4.0 \"",
    "\"x.y\"",
    "\"2026-06-01T00:00:00Z\"",
    "\"2025-12-31T23:59:59Z\"",
    "\"2026-01-01T00:00:00Z\"",
    "\"2026-01-01T00:00:00.5Z\"",
    "\"2026-01-01T00:00:01Z\"",
    "\"2026-06-01\"",
    "\"2026-06-01T00:00:00+01:00\"",
    "\"2026-06-01t00:00:00z\"",
    "1767225600",
    "1767225601",
    "1767225599",
    "[]",
    "[\"abc\"]",
    "[\"xabcx\"]",
    "[10]",
    "[0]",
    "[1]",
    "[true]",
    "[false]",
    "[null]",
    "[[\"abc\"]]",
    "[\"a\",10,true]",
    "{}",
    "{\"abc\":1}",
    "{\"a\":\"abc\"}",
    "[{}]",
    "[\"\"]",
    NULL,
};

/* A condition on x, and every value for which it is true, apart by spaces; "missing" is one. */
static const struct operator_case {
    const char *condition, *matches;
} cases[] = {
    {"is: abc", "\"abc\""},
    {"is: \"\"", "\"\""},
    {"is: \"10\"", "\"10\""},
    {"is: \"true\"", "\"true\""},
    {"is: \"\xc3\xa9\"", "\"\xc3\xa9\""},
    {"is: 10", "10 10.0"},
    {"is: 10.5", "10.5"},
    {"is: 0", "0"},
    {"is: 1", "1"},
    {"is: -1", "-1"},
    {"is: true", "true"},
    {"is: false", "false"},
    {"in: [abc]", "\"abc\""},
    {"in: [abc, \"10\", \"\"]", "\"abc\" \"10\" \"\""},
    {"in: [10, 9]", "10 10.0 9"},
    {"in: [0, 1]", "0 1"},
    {"in: [0, 10, \"1\"]", "0 10 10.0 \"1\""},
    {"in: [true, false]", "true false"},
    {"in: [true, 0, abc]", "true 0 \"abc\""},
    {"in: [abc, abc]", "\"abc\""},
    {"in: [a, b, c, d, e, f, g, h, i, abc]", "\"a\" \"abc\""},
    {"startsWith: abc", "\"abc\""},
    {"startsWith: x", "\"xabcx\" \"x.y\""},
    {"endsWith: bc", "\"abc\""},
    {"endsWith: c", "\"abc\""},
    {"contains: abc", "\"abc\" \"xabcx\" [\"abc\"]"},
    {"contains: a", "\"a\" \"abc\" \"xabcx\" \"false\" [\"a\",10,true]"},
    {"contains: 10", "10 10.0 [10] [\"a\",10,true]"},
    {"contains: 0", "0 [0]"},
    {"contains: 1", "1 [1]"},
    {"lt: 10", "0 1 -1 9"},
    {"lte: 10", "0 1 -1 9 10 10.0"},
    {"gt: 10", "10.5 11 1e21 1767225600 1767225601 1767225599"},
    {"gte: 10.5", "10.5 11 1e21 1767225600 1767225601 1767225599"},
    {"lt: 0", "-1"},
    {"gte: 0", "0 1 10 10.0 10.5 9 11 1e21 1767225600 1767225601 1767225599"},
    {"between: [9, 10.5]", "9 10 10.0 10.5"},
    {"between: [10, 9]", ""},
    {"between: [0, 0]", "0"},
    {"semver: \"2.4.0\"", "\"2.4.0\" \"v2.4.0\" \"2.4.0+b\""},
    {"semver: \"=2.4.0\"", "\"2.4.0\" \"v2.4.0\" \"2.4.0+b\""},
    {"semver: \"<2.4.0\"", "\"2.4.0-rc.1\""},
    {"semver: \">=2.4.0 <3.0.0\"", "\"2.4.0\" \"v2.4.0\" \"2.4.0+b\" \"2.10.0\""},
    {"semver: \"^2.0.0\"", "\"2.4.0\" \"2.4.0-rc.1\" \"2.10.0\" \"v2.4.0\" \"2.4.0+b\""},
    {"semver: \"~2.4.1\"", "\"2.4.0\" \"2.4.0-rc.1\" \"v2.4.0\" \"2.4.0+b\""},
    {"semver: \"!=2.4.0\"", "\"2.4.0-rc.1\" \"2.10.0\" \"3.0.0\""},
    {"semver: \">2.4.0\"", "\"2.10.0\" \"3.0.0\""},
    {"before: 1767225600", "0 1 -1 10 10.0 10.5 9 11 1767225599"},
    {"after: 1767225600", "1e21 1767225601"},
    {"before: \"2026-01-01T00:00:00Z\"", "\"2025-12-31T23:59:59Z\""},
    {"after: \"2026-01-01T00:00:00Z\"", "\"2026-06-01T00:00:00Z\" \"2026-01-01T00:00:01Z\""},
    {"before: 2026-01-01", "\"2025-12-31T23:59:59Z\""},
    {"after: \"2026-01-01T01:00:00+01:00\"", "\"2026-06-01T00:00:00Z\" \"2026-01-01T00:00:01Z\""},
    {"before: \"2026-01-01T00:00:01Z\"",
     "\"2025-12-31T23:59:59Z\" \"2026-01-01T00:00:00Z\" \"2026-01-01T00:00:00.5Z\""},
    {"exists: false", "null missing"},
};

static bool is_among(const char *matches, const char *value)
{
    size_t length = strlen(value);
    for (const char *p = strstr(matches, value); p; p = strstr(p + 1, value)) {
        if ((p == matches || p[-1] == ' ') && (p[length] == '\0' || p[length] == ' '))
            return true;
    }
    return false;
}

/* Four flags for each case: the condition, turned round, on a nested attribute, and inside all and
 * any. */
static void write_case(struct buffer *yaml, size_t index, const char *condition)
{
    static const char *const forms[] = {
        "{attribute: x, %s}",
        "{not: {attribute: x, %s}}",
        "{attribute: deep.er.x, %s}",
        "{all: [{any: []}, {any: [{all: [{not: {attribute: none, exists: true}}, {attribute: x, "
        "%s}]}]}]}",
        "{all: [{all: []}, {any: [{attribute: none, is: 5}, {attribute: x, %s}]}]}",
    };
    for (size_t form = 0; form < COUNT_OF(forms); form++) {
        buffer_printf(yaml,
                      "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f%zu-%zu}\nspec:\n"
                      "  variants: {on: true, off: false}\n  default: off\n  rules:\n    - serve: "
                      "on\n      when: ",
                      index, form);
        const char *at = strstr(forms[form], "%s");
        buffer_append(yaml, forms[form], (size_t)(at - forms[form]));
        buffer_append_string(yaml, condition);
        buffer_append_string(yaml, at + 2);
        buffer_append_char(yaml, '\n');
    }
}

static bool answer(struct rig *rig, size_t index, size_t form, const char *what)
{
    char name[40];
    snprintf(name, sizeof name, "f%zu-%zu", index, form);
    struct decision decision;
    evaluate(document_find(rig->document, text_of(name)), &rig->context, RIG_NOW, &decision);
    ck_assert_msg(decision.reason == REASON_TARGETING_MATCH || decision.reason == REASON_DEFAULT,
                  "%s for %s: %s", name, what,
                  decision.problem ? decision.problem : reason_name(decision.reason));
    return text_is(decision.variant, "on");
}

static void check_fleet(const char *fleet)
{
    struct buffer yaml;
    struct rig rig;
    buffer_init(&yaml, 0);
    buffer_printf(&yaml, RIG_PRODUCTION "spec: {evaluators: %s}\n", fleet);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (cases[i].matches)
            write_case(&yaml, i, cases[i].condition);
    }
    rig_build(&rig, buffer_string(&yaml));
    for (size_t v = 0; v < COUNT_OF(values); v++) {
        char context[300];
        const char *value = values[v] ? values[v] : "missing";
        if (values[v])
            snprintf(context, sizeof context, "{\"x\":%s,\"deep\":{\"er\":{\"x\":%s}}}", value,
                     value);
        else
            snprintf(context, sizeof context, "{}");
        struct error error;
        ck_assert_int_eq(
            context_read(&rig.context, rig.document->attributes, text_of(context), &error),
            STATUS_OK);
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            if (!cases[i].matches)
                continue;
            bool expected = is_among(cases[i].matches, value);
            static const char *const words[] = {"", "not ", "nested ", "never ", "in all and any "};
            for (size_t form = 0; form < 5; form++) {
                bool wanted = form == 1 ? !expected : form == 3 ? false : expected;
                ck_assert_msg(answer(&rig, i, form, value) == wanted,
                              "%s: %s{%s} for %s must be %s", fleet, words[form],
                              cases[i].condition, value, wanted ? "true" : "false");
            }
        }
    }
    rig_dispose(&rig);
    buffer_dispose(&yaml);
}

START_TEST(operators_answer_alike_in_every_fleet)
{
    for (size_t i = 0; i < COUNT_OF(fleets); i++)
        check_fleet(fleets[i]);
}
END_TEST

/* isNot, notIn and exists: true are the opposites of is, in and exists: false. */
START_TEST(negations_are_opposites)
{
    static const char *const pairs[][2] = {
        {"is: abc", "isNot: abc"},         {"is: 1", "isNot: 1"},
        {"is: true", "isNot: true"},       {"in: [abc, 10, true]", "notIn: [abc, 10, true]"},
        {"exists: false", "exists: true"}, {"in: [a]", "notIn: [a]"},
    };
    for (size_t f = 0; f < COUNT_OF(fleets); f++) {
        struct buffer yaml;
        struct rig rig;
        buffer_init(&yaml, 0);
        buffer_printf(&yaml, RIG_PRODUCTION "spec: {evaluators: %s}\n", fleets[f]);
        for (size_t i = 0; i < COUNT_OF(pairs); i++) {
            write_case(&yaml, 2 * i, pairs[i][0]);
            write_case(&yaml, 2 * i + 1, pairs[i][1]);
        }
        rig_build(&rig, buffer_string(&yaml));
        for (size_t v = 0; v < COUNT_OF(values); v++) {
            char context[300];
            snprintf(context, sizeof context, values[v] ? "{\"x\":%s}" : "{}",
                     values[v] ? values[v] : "");
            struct decision unused;
            rig_decide(&rig, "f0-0", context, &unused);
            for (size_t i = 0; i < COUNT_OF(pairs); i++)
                ck_assert_msg(answer(&rig, 2 * i, 0, context) !=
                                  answer(&rig, 2 * i + 1, 0, context),
                              "%s: {%s} for %s", fleets[f], pairs[i][1], context);
        }
        rig_dispose(&rig);
        buffer_dispose(&yaml);
    }
}
END_TEST

START_TEST(the_clock_is_an_attribute)
{
    struct rig rig;
    rig_build(&rig,
              RIG_PRODUCTION RIG_FLAG("past",
                                      "  rules: [{when: {attribute: $flagd.timestamp, after: "
                                      "2026-11-22T21:30:00Z}, serve: on}]\n")
                  RIG_FLAG("next", "  rules: [{when: {attribute: $flagd.timestamp, after: "
                                   "2026-11-22T21:30:01Z}, serve: on}]\n")
                      RIG_FLAG("until", "  rules: [{when: {attribute: $flagd.timestamp, before: "
                                        "1795383000}, serve: on}]\n")
                          RIG_FLAG("till", "  rules: [{when: {attribute: $flagd.timestamp, before: "
                                           "1795383001}, serve: on}]\n"));
    static const char forged[] = "{\"$flagd\":{\"timestamp\":0},\"$flagd.timestamp\":0}";
    rig_expect(&rig, "past", forged, "on", "TARGETING_MATCH");
    rig_expect(&rig, "next", forged, "off", "DEFAULT");
    rig_expect(&rig, "until", forged, "off", "DEFAULT");
    rig_expect(&rig, "till", forged, "on", "TARGETING_MATCH");
    rig_dispose(&rig);
}
END_TEST

/* What an engine of the fleet would hash or trim differently is refused, by name, and allowed where
 * nobody would. */
START_TEST(seeds_that_engines_read_differently_are_refused)
{
    static const struct {
        const char *fleet, *seed;
        const char *message; /* NULL: fine */
    } seeds[] = {
        {"[weir]", "\xc3\xa9", NULL},
        {"[weir, flagd]", "\xc3\xa9", NULL},
        {"[weir]", " x", NULL},
        {"[js]", "\xc3\xa9", "this seed cannot be bucketed alike by the evaluator js"},
        {"[python]", "\xc3\xa9",
         "this seed cannot be bucketed alike by the evaluators python and java"},
        {"[java]", "\xc3\xa9",
         "this seed cannot be bucketed alike by the evaluators python and java"},
        {"[weir, flagd]", " x", "this seed cannot be bucketed alike by the evaluator flagd"},
        {"[weir, flagd]", "\\tx", "this seed cannot be bucketed alike by the evaluator flagd"},
        {"[weir, flagd]", "\\u00a0x", "this seed cannot be bucketed alike by the evaluator flagd"},
        {"[python]", " x", "this seed cannot be bucketed alike by the evaluators python and java"},
        {"[java]", "0123456789012345678901234567890123456789012345678901234567890",
         "this seed cannot be bucketed alike by the evaluators python and java"},
        {"[weir, flagd, js]", "0123456789012345678901234567890123456789012345678901234567890",
         NULL},
        {"[weir, flagd, js, python, java]", "checkout 2", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(seeds); i++) {
        char yaml[800];
        struct rig rig;
        snprintf(yaml, sizeof yaml,
                 RIG_PRODUCTION "spec: {evaluators: %s}\n" RIG_FLAG(
                     "f", "  rules:\n    - split: {on: 50, off: 50}\n      seed: \"%s\"\n"),
                 seeds[i].fleet, seeds[i].seed);
        rig_init(&rig);
        rig_add(&rig, "flags/f.yaml", text_of(yaml));
        ck_assert_msg(rig_link(&rig) == STATUS_OK, "%s", rig_story(&rig));
        enum status status = rig_compile(&rig, "production", NULL);
        ck_assert_msg(status == (seeds[i].message ? STATUS_INVALID : STATUS_OK), "%s '%s'",
                      seeds[i].fleet, seeds[i].seed);
        if (seeds[i].message)
            rig_expect_only(&rig, CODE_ENCODING, "flags/f.yaml", 13, 14, seeds[i].message);
        rig_dispose(&rig);
    }
}
END_TEST

static void expect_refusal(const char *yaml, const char *code, uint32_t line, uint32_t column,
                           const char *message)
{
    struct rig rig;
    rig_init(&rig);
    rig_add(&rig, "flags/f.yaml", text_of(yaml));
    ck_assert_msg(rig_link(&rig) == STATUS_OK, "%s", rig_story(&rig));
    ck_assert_int_eq(rig_compile(&rig, "production", NULL), STATUS_INVALID);
    ck_assert_ptr_null(rig.document);
    rig_expect_only(&rig, code, "flags/f.yaml", line, column, message);
    rig_dispose(&rig);
}

/* Java's provider has 32 bits where the others have 53: said while compiling, not found in Java. */
START_TEST(numbers_that_java_cannot_hold_are_refused_for_java)
{
    static const struct {
        const char *bound, *variant, *message; /* message NULL: fine */
        uint32_t line, column;
    } numbers[] = {
        {">=2147483647.0.0-rc.9 <1.2147483647.2147483647", "2147483647", NULL, 0, 0},
        {">=2.4.0", "-2147483648", NULL, 0, 0},
        {">=2.4.0", "2147483648.5", NULL, 0, 0},
        {"<3.0.0 >=2147483648.0.0", "1",
         "version \"2147483648.0.0\" has a number beyond 32 bits, which the evaluator java cannot "
         "compare",
         9, 17},
        {">=1.0.999999999999999", "1",
         "version \"1.0.999999999999999\" has a number beyond 32 bits, which the evaluator java "
         "cannot compare",
         9, 17},
        {">=2.4.0", "2147483648",
         "variant \"big\" has a whole number beyond 32 bits, which the evaluator java cannot serve",
         7, 23},
        {">=2.4.0", "-2147483649",
         "variant \"big\" has a whole number beyond 32 bits, which the evaluator java cannot serve",
         7, 23},
        {">=2.4.0", "{n: [\"-2147483649\", \"\\\"4294967296\", 4294967296.5, -2147483648]}", NULL,
         0, 0},
        {">=2.4.0", "{n: [\"\\\\\", 1, {k: 2147483648}]}",
         "variant \"big\" has a whole number beyond 32 bits, which the evaluator java cannot serve",
         7, 24},
        {">=2.4.0", "1e15",
         "variant \"big\" has a whole number beyond 32 bits, which the evaluator java cannot serve",
         7, 23},
    };
    static const char *const lists[] = {"[weir, java]", "[weir, flagd, js, python]"};
    for (size_t i = 0; i < COUNT_OF(numbers) * COUNT_OF(lists); i++) {
        char yaml[800];
        struct rig rig;
        size_t row = i / COUNT_OF(lists);
        bool refused = numbers[row].message && i % COUNT_OF(lists) == 0;
        snprintf(yaml, sizeof yaml,
                 RIG_PRODUCTION
                 "spec: {evaluators: %s}\n---\n"
                 "{apiVersion: weir/v1, kind: Flag, metadata: {name: f}, spec: {default: small,\n"
                 " variants: {small: %s, big: %s},\n"
                 " rules: [{serve: big,\n"
                 "          when: {attribute: v, semver: \"%s\"}}]}}\n",
                 lists[i % COUNT_OF(lists)], numbers[row].variant[0] == '{' ? "{}" : "1",
                 numbers[row].variant, numbers[row].bound);
        rig_init(&rig);
        rig_add(&rig, "flags/f.yaml", text_of(yaml));
        ck_assert_msg(rig_link(&rig) == STATUS_OK, "%s", rig_story(&rig));
        ck_assert_msg(rig_compile(&rig, "production", NULL) ==
                          (refused ? STATUS_INVALID : STATUS_OK),
                      "%s %s: %s", numbers[row].bound, numbers[row].variant, rig_story(&rig));
        if (refused)
            rig_expect_only(&rig, CODE_ENCODING, "flags/f.yaml", numbers[row].line,
                            numbers[row].column, numbers[row].message);
        rig_dispose(&rig);
    }
}
END_TEST

START_TEST(too_many_rules_are_one_fault)
{
    struct buffer yaml;
    buffer_init(&yaml, 0);
    buffer_append_string(&yaml, RIG_PRODUCTION RIG_FLAG("f", "  rules:\n"));
    for (int i = 0; i < 1001; i++)
        buffer_append_string(&yaml, "    - serve: on\n");
    expect_refusal(buffer_string(&yaml), CODE_ENCODING, 1012, 7,
                   "flag \"f\" has more than 1000 rules");
    buffer_dispose(&yaml);
}
END_TEST

START_TEST(too_many_alternatives_are_refused)
{
    struct buffer yaml;
    buffer_init(&yaml, 0);
    buffer_append_string(
        &yaml, RIG_PRODUCTION RIG_FLAG("f", "  rules:\n    - serve: on\n      when: {any: ["));
    for (int i = 0; i < 2001; i++)
        buffer_printf(&yaml, "%s{attribute: a%d, is: 1}", i ? ", " : "", i);
    buffer_append_string(&yaml, "]}\n");
    expect_refusal(buffer_string(&yaml), CODE_ENCODING, 13, 13,
                   "list has more than 2000 conditions");
    buffer_clear(&yaml);
    buffer_append_string(&yaml,
                         RIG_PRODUCTION RIG_FLAG(
                             "f", "  rules:\n    - serve: on\n      when: {attribute: a, in: ["));
    for (int i = 0; i < 2001; i++)
        buffer_printf(&yaml, "%strue", i ? ", " : "");
    buffer_append_string(&yaml, "]}\n");
    expect_refusal(buffer_string(&yaml), CODE_ENCODING, 13, 13,
                   "list has too many values that are neither strings nor numbers");
    buffer_dispose(&yaml);
}
END_TEST

/* Each segment names the one below twice: 2^30 copies, which must not be written out first. */
START_TEST(exponential_segments_are_refused_quickly)
{
    struct buffer yaml;
    buffer_init(&yaml, 0);
    buffer_append_string(
        &yaml, RIG_PRODUCTION RIG_FLAG("f", "  rules: [{when: {segment: s29}, serve: on}]\n")
                   RIG_SEGMENT("s0", "{match: {attribute: a, is: 1}}"));
    for (int i = 1; i < 30; i++)
        buffer_printf(&yaml,
                      RIG_SEGMENT("s%d", "{match: {any: [{segment: s%d}, {not: {segment: s%d}}]}}"),
                      i, i - 1, i - 1);
    expect_refusal(buffer_string(&yaml), CODE_FRAGMENT_SIZE, 7, 18,
                   "flag \"f\" compiles to more than 4 MiB");
    buffer_dispose(&yaml);
}
END_TEST

UNIT_MAIN("encode", operators_answer_alike_in_every_fleet, negations_are_opposites,
          the_clock_is_an_attribute, seeds_that_engines_read_differently_are_refused,
          numbers_that_java_cannot_hold_are_refused_for_java, too_many_rules_are_one_fault,
          too_many_alternatives_are_refused, exponential_segments_are_refused_quickly)
