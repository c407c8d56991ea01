/* From definitions to decisions: rules, segments, prerequisites, splits, environments; and
 * documents of others. */
#include <math.h>

#include "../../rules/murmur3.h"
#include "rules_unit.h"

#define DEFAULT "DEFAULT"
#define MATCH "TARGETING_MATCH"

START_TEST(the_first_rule_that_matches_wins)
{
    struct rig rig;
    rig_build(&rig, RIG_PRODUCTION
              "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\nspec:\n"
              "  variants: {red: r, green: g, blue: b}\n  default: blue\n  rules:\n"
              "    - {when: {attribute: n, gt: 10}, serve: red}\n    - {when: {attribute: n, gt: "
              "5}, serve: green}\n"
              "    - {when: {attribute: n, gt: 20}, serve: blue}\n" RIG_FLAG("plain", "")
                  RIG_FLAG("off", "  enabled: false\n  rules: [{serve: on}]\n")
                      RIG_FLAG("all", "  rules: [{serve: on}, {serve: off}]\n"));
    rig_expect(&rig, "f", "{\"n\":30}", "red", MATCH);
    rig_expect(&rig, "f", "{\"n\":7}", "green", MATCH);
    rig_expect(&rig, "f", "{\"n\":5}", "blue", DEFAULT);
    rig_expect(&rig, "f", "{}", "blue", DEFAULT);
    rig_expect(&rig, "plain", "{}", "off", "STATIC");
    rig_expect(&rig, "off", "{}", "", "DISABLED");
    rig_expect(&rig, "all", "{}", "on", MATCH);
    rig_expect(&rig, "nowhere", "{}", "", "ERROR");
    struct decision decision;
    rig_decide(&rig, "nowhere", "{}", &decision);
    ck_assert_int_eq(decision.error, ERROR_FLAG_NOT_FOUND);
    rig_decide(&rig, "f", "{\"n\":30}", &decision);
    ck_assert_text(decision.value, "\"r\"");
    ck_assert_text(decision.variant_json, "\"red\"");
    ck_assert_text(decision.metadata, "{\"flagSetId\":\"production\"}");
    rig_dispose(&rig);
}
END_TEST

START_TEST(variants_keep_their_values)
{
    struct rig rig;
    rig_build(
        &rig, RIG_PRODUCTION
        "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\nspec:\n"
        "  variants: {b: {z: 1, a: [null, {x: \"\xc3\xa9\"}], n: 19.5}, a: {}}\n  default: b\n"
        "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: n}\nspec:\n"
        "  variants: {a: 1000000, b: 0.1, c: -0}\n  default: c\n  rules: [{serve: b}]\n");
    struct decision decision;
    rig_decide(&rig, "f", "{}", &decision);
    ck_assert_text(decision.value, "{\"a\":[null,{\"x\":\"\xc3\xa9\"}],\"n\":19.5,\"z\":1}");
    rig_decide(&rig, "n", "{}", &decision);
    ck_assert_text(decision.value, "0.1");
    rig_dispose(&rig);
}
END_TEST

START_TEST(segments_include_exclude_and_nest)
{
    struct rig rig;
    rig_build(
        &rig,
        RIG_PRODUCTION RIG_SEGMENT("s", "{match: {attribute: email, endsWith: \"@x\"}, include: "
                                        "[in, both], exclude: [out, both]}")
            RIG_SEGMENT("one", "{include: [only]}") RIG_SEGMENT("no", "{match: {any: []}}")
                RIG_SEGMENT("big", "{include: [a, b, c, d, e, f, g, h, i, j, k]}") RIG_SEGMENT(
                    "nested",
                    "{match: {all: [{segment: s}, {not: {segment: one}}]}, exclude: [deep]}")
                    RIG_FLAG("f", "  rules: [{when: {segment: s}, serve: on}]\n") RIG_FLAG(
                        "g", "  rules: [{when: {segment: one}, serve: on}]\n")
                        RIG_FLAG("h", "  rules: [{when: {segment: nested}, serve: on}]\n") RIG_FLAG(
                            "i", "  rules: [{when: {segment: big}, serve: on}]\n")
                            RIG_FLAG("j", "  rules: [{when: {segment: no}, serve: on}]\n") RIG_FLAG(
                                "n", "  rules: [{when: {not: {segment: s}}, serve: on}]\n"));
    static const struct {
        const char *flag, *context;
        bool on;
    } cases[] = {
        {"f", "{\"targetingKey\":\"in\"}", true},
        {"f", "{\"targetingKey\":\"u\",\"email\":\"a@x\"}", true},
        {"f", "{\"email\":\"a@x\"}", true},
        {"f", "{\"targetingKey\":\"out\",\"email\":\"a@x\"}", false},
        {"f", "{\"targetingKey\":\"both\",\"email\":\"a@x\"}", false},
        {"f", "{\"targetingKey\":\"u\",\"email\":\"a@y\"}", false},
        {"f", "{}", false},
        {"f", "{\"targetingKey\":null,\"email\":\"a@x\"}", true},
        {"f", "{\"targetingKey\":7}", false},
        {"g", "{\"targetingKey\":\"only\"}", true},
        {"g", "{\"targetingKey\":\"onlyy\"}", false},
        {"g", "{}", false},
        {"h", "{\"targetingKey\":\"in\"}", true},
        {"h", "{\"targetingKey\":\"deep\",\"email\":\"a@x\"}", false},
        {"h", "{\"targetingKey\":\"only\",\"email\":\"a@x\"}", false},
        {"h", "{\"targetingKey\":\"out\",\"email\":\"a@x\"}", false},
        {"i", "{\"targetingKey\":\"k\"}", true},
        {"i", "{\"targetingKey\":\"l\"}", false},
        {"i", "{\"targetingKey\":\"\"}", false},
        {"i", "{\"targetingKey\":[\"a\"]}", false},
        {"j", "{\"targetingKey\":\"a\"}", false},
        {"n", "{}", true},
        {"n", "{\"targetingKey\":\"out\"}", true},
        {"n", "{\"targetingKey\":\"in\"}", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        rig_expect(&rig, cases[i].flag, cases[i].context, cases[i].on ? "on" : "off",
                   cases[i].on ? MATCH : DEFAULT);
    rig_dispose(&rig);
}
END_TEST

#define NEEDS(name, other, variant)                                                                \
    RIG_FLAG(name, "  rules: [{when: {flag: {name: " other ", is: " variant "}}, serve: on}]\n")

START_TEST(prerequisites_are_what_the_other_flag_gives)
{
    struct rig rig;
    rig_build(&rig,
              RIG_PRODUCTION RIG_FLAG("plain", "") RIG_FLAG("dark", "  enabled: false\n")
                  RIG_FLAG("ruled", "  rules: [{when: {attribute: a, is: 1}, serve: on}]\n")
                      RIG_FLAG("split", "  rules: [{split: {on: 50, off: 50}}]\n")
                          RIG_FLAG("here", "  environments: {production: {default: on}}\n")
                              NEEDS("plain-on", "plain", "on") NEEDS("plain-off", "plain", "off")
                                  NEEDS("dark-off", "dark", "off") NEEDS("dark-on", "dark", "on")
                                      NEEDS("ruled-on", "ruled", "on")
                                          NEEDS("ruled-off", "ruled", "off")
                                              NEEDS("chain", "ruled-on", "on")
                                                  NEEDS("split-on", "split", "on")
                                                      NEEDS("split-off", "split", "off")
                                                          NEEDS("here-on", "here", "on"));
    rig_expect(&rig, "plain-on", "{}", "off", DEFAULT);
    rig_expect(&rig, "plain-off", "{}", "on", MATCH);
    rig_expect(&rig, "dark-off", "{}", "off", DEFAULT); /* a disabled flag gives no variant */
    rig_expect(&rig, "dark-on", "{}", "off", DEFAULT);
    rig_expect(&rig, "ruled-on", "{\"a\":1}", "on", MATCH);
    rig_expect(&rig, "ruled-off", "{\"a\":1}", "off", DEFAULT);
    rig_expect(&rig, "ruled-on", "{}", "off", DEFAULT);
    rig_expect(&rig, "ruled-off", "{}", "on", MATCH); /* its default counts */
    rig_expect(&rig, "chain", "{\"a\":1}", "on", MATCH);
    rig_expect(&rig, "chain", "{\"a\":2}", "off", DEFAULT);
    rig_expect(&rig, "here-on", "{}", "on", MATCH);
    rig_expect(&rig, "split-off", "{}", "on", MATCH); /* no key: the other flag's default */
    rig_expect(&rig, "split-on", "{}", "off", DEFAULT);
    for (int i = 0; i < 200; i++) {
        char context[60];
        snprintf(context, sizeof context, "{\"targetingKey\":\"u%d\"}", i);
        bool on = text_is(rig_variant(&rig, "split", context), "on");
        ck_assert(text_is(rig_variant(&rig, "split-on", context), "on") == on);
        ck_assert(text_is(rig_variant(&rig, "split-off", context), "on") == !on);
    }
    rig_dispose(&rig);
}
END_TEST

START_TEST(environments_override)
{
    static const char yaml[] = RIG_PRODUCTION
        "---\napiVersion: weir/v1\nkind: Environment\nmetadata: {name: staging}\n" RIG_FLAG(
            "f", "  rules: [{when: {attribute: a, is: 1}, serve: on}]\n"
                 "  environments:\n    production: {enabled: false}\n    staging: {default: on, "
                 "rules: []}\n") RIG_FLAG("g", "  enabled: false\n  environments:\n    staging: "
                                               "{enabled: true, rules: [{serve: on}]}\n");
    struct rig rig;
    rig_build(&rig, yaml);
    rig_expect(&rig, "f", "{\"a\":1}", "", "DISABLED");
    rig_expect(&rig, "g", "{}", "", "DISABLED");
    document_release(rig.document);
    ck_assert_int_eq(rig_compile(&rig, "staging", NULL), STATUS_OK);
    rig_expect(&rig, "f", "{\"a\":1}", "on", "STATIC");
    rig_expect(&rig, "g", "{}", "on", MATCH);
    rig_dispose(&rig);
}
END_TEST

/* --- splits
 * --------------------------------------------------------------------------------------------------
 */

#define USERS 20000
static const char *const fleets[] = {"[weir, flagd]", "[weir, flagd, js]", "[weir, flagd, python]",
                                     "[weir, flagd, js, python, java]"};

static void build_split(struct rig *rig, const char *fleet, const char *split)
{
    char yaml[1000];
    snprintf(
        yaml, sizeof yaml,
        RIG_PRODUCTION
        "spec: {evaluators: %s}\n---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\nspec:\n"
        "  variants: {a: a, b: b, c: c, none: none}\n  default: none\n  rules: [{split: %s}]\n",
        fleet, split);
    rig_build(rig, yaml);
}

/* The variant of each user, as its first letter. */
static void ask_everybody(struct rig *rig, char *out, size_t counts[128])
{
    memset(counts, 0, 128 * sizeof *counts);
    for (int i = 0; i < USERS; i++) {
        char context[60];
        snprintf(context, sizeof context, "{\"targetingKey\":\"user-%d\"}", i);
        out[i] = rig_variant(rig, "f", context).data[0];
        counts[(unsigned char)out[i]]++;
    }
}

static void expect_share(size_t count, double percent, const char *what)
{
    double expected = USERS * percent / 100, sigma = sqrt(expected * (1 - percent / 100));
    ck_assert_msg(fabs((double)count - expected) <= 4 * sigma, "%s: %zu of %d, expected %g", what,
                  count, USERS, expected);
}

START_TEST(splits_have_their_percentages)
{
    static char who[USERS];
    size_t counts[128];
    for (size_t i = 0; i < COUNT_OF(fleets); i++) {
        struct rig rig;
        build_split(&rig, fleets[i], "{a: 25, b: 60.5, c: 14.5}");
        ask_everybody(&rig, who, counts);
        expect_share(counts['a'], 25, fleets[i]);
        expect_share(counts['b'], 60.5, fleets[i]);
        expect_share(counts['c'], 14.5, fleets[i]);
        rig_expect(&rig, "f", "{}", "none", DEFAULT);
        rig_expect(&rig, "f", "{\"targetingKey\":5}", "none", DEFAULT);
        rig_expect(&rig, "f", "{\"targetingKey\":null}", "none", DEFAULT);
        rig_dispose(&rig);
        build_split(&rig, fleets[i], "{a: 0.125, b: 99.875}");
        ask_everybody(&rig, who, counts);
        expect_share(counts['a'], 0.125, fleets[i]);
        rig_dispose(&rig);
        build_split(&rig, fleets[i], "{a: 0, b: 100}");
        ask_everybody(&rig, who, counts);
        ck_assert_uint_eq(counts['b'], USERS);
        rig_dispose(&rig);
    }
}
END_TEST

START_TEST(a_larger_share_only_adds_users)
{
    static const char *const shares[] = {"{a: 0.001, b: 99.999}", "{a: 1, b: 99}",
                                         "{a: 10, b: 90}",        "{a: 37.123, b: 62.877}",
                                         "{a: 99.999, b: 0.001}", "{a: 100, b: 0}"};
    static char before[USERS], after[USERS];
    size_t counts[128];
    for (size_t i = 0; i < COUNT_OF(fleets); i++) {
        memset(before, 'b', sizeof before);
        size_t last = 0;
        for (size_t j = 0; j < COUNT_OF(shares); j++) {
            struct rig rig;
            build_split(&rig, fleets[i], shares[j]);
            ask_everybody(&rig, after, counts);
            rig_dispose(&rig);
            for (int user = 0; user < USERS; user++)
                ck_assert_msg(before[user] != 'a' || after[user] == 'a', "%s %s: user %d moved",
                              fleets[i], shares[j], user);
            ck_assert_uint_ge(counts['a'], last);
            last = counts['a'];
            memcpy(before, after, sizeof before);
        }
        ck_assert_uint_eq(last, USERS);
    }
}
END_TEST

/* The documented formula, computed here: (murmur3("<seed>/<value>/") · 100 000) >> 32. */
START_TEST(buckets_follow_the_formula)
{
    struct rig rig;
    rig_build(
        &rig,
        RIG_PRODUCTION RIG_FLAG("f", "  rules: [{split: {on: 12.345, off: 87.655}}]\n") RIG_FLAG(
            "g",
            "  rules: [{split: {on: 12.345, off: 87.655}, seed: s-2, bucketBy: app.session}]\n"));
    for (int i = 0; i < 5000; i++) {
        char context[100], hashed[60];
        snprintf(context, sizeof context,
                 "{\"targetingKey\":\"%d\",\"app\":{\"session\":\"\xc3\xa9%d \"}}", i, i);
        snprintf(hashed, sizeof hashed, "f/%d/", i);
        bool on = ((uint64_t)murmur3_32(text_of(hashed)) * 100000) >> 32 < 12345;
        ck_assert(text_is(rig_variant(&rig, "f", context), "on") == on);
        snprintf(hashed, sizeof hashed, "s-2/\xc3\xa9%d /", i);
        on = ((uint64_t)murmur3_32(text_of(hashed)) * 100000) >> 32 < 12345;
        ck_assert(text_is(rig_variant(&rig, "g", context), "on") == on);
    }
    rig_expect(&rig, "g", "{\"targetingKey\":\"u\"}", "off", DEFAULT);
    rig_dispose(&rig);
}
END_TEST

/* --- what an evaluation puts together
 * ------------------------------------------------------------------------- */

/* Scratch memory is for one condition at a time: however many there are, the last one still
 * works. */
START_TEST(many_conditions_do_not_exhaust_the_scratch_memory)
{
    struct buffer yaml;
    struct rig rig;
    buffer_init(&yaml, 0);
    buffer_append_string(
        &yaml, RIG_PRODUCTION
        "spec: {evaluators: [weir, flagd, js, python, java]}\n" RIG_FLAG("f", "  rules:\n"));
    for (int i = 0; i < 900; i++)
        buffer_append_string(&yaml, "    - {when: {any: [{attribute: d, after: 2030-01-01}, "
                                    "{attribute: v, semver: \"9.9.9\"}]}, "
                                    "serve: off}\n");
    buffer_append_string(&yaml, "    - {when: {attribute: d, before: 2030-01-01}, serve: on}\n");
    buffer_append_string(&yaml,
                         RIG_FLAG("g", "  rules:\n    - serve: on\n      when:\n        any:\n"));
    for (int i = 0; i < 1900; i++)
        buffer_append_string(&yaml, "          - {attribute: d, after: 2030-01-01}\n");
    buffer_append_string(&yaml, "          - {attribute: d, before: 2030-01-01}\n");
    rig_build(&rig, buffer_string(&yaml));
    static const char context[] = "{\"d\":\"2026-06-01T12:00:00Z\",\"v\":\"1.2.3\"}";
    rig_expect(&rig, "f", context, "on", MATCH);
    rig_expect(&rig, "g", context, "on", MATCH);
    rig_dispose(&rig);
    buffer_dispose(&yaml);
}
END_TEST

START_TEST(enormous_keys_have_their_bucket)
{
    struct rig rig;
    struct decision decision;
    struct buffer context, key;
    buffer_init(&context, 0);
    buffer_init(&key, 0);
    rig_build(&rig, RIG_PRODUCTION RIG_FLAG("f", "  rules: [{split: {on: 50, off: 50}}]\n"));
    for (char last = 'a'; last <= 'z'; last++) {
        buffer_clear(&key);
        for (size_t i = 0; i < 300000; i++)
            buffer_append_char(&key, 'k');
        buffer_append_char(&key, last);
        buffer_clear(&context);
        buffer_printf(&context, "{\"targetingKey\":\"%s\"}", buffer_string(&key));
        rig_decide(&rig, "f", buffer_string(&context), &decision);
        struct murmur3 murmur = {0};
        murmur3_add(&murmur, TEXT("f/"));
        murmur3_add(&murmur, buffer_text(&key));
        murmur3_add(&murmur, TEXT("/"));
        bool on = ((uint64_t)murmur3_end(&murmur) * 100000) >> 32 < 50000;
        ck_assert_text(decision.variant, on ? "on" : "off");
    }
    buffer_dispose(&key);
    buffer_dispose(&context);
    rig_dispose(&rig);
}
END_TEST

/* Text that must be put together has a limit: an error, never a wrong answer. */
START_TEST(enormous_texts_give_an_error)
{
    struct rig rig = {0};
    struct decision decision;
    struct buffer context;
    buffer_init(&context, 0);
    buffer_append_string(&context, "{\"a\":\"");
    for (size_t i = 0; i < 300000; i++)
        buffer_append_char(&context, 'k');
    buffer_append_string(&context, "\"}");
    ck_assert_int_eq(
        document_read(TEXT("{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},"
                           "\"targeting\":{\"cat\":[\"-\",{\"var\":\"a\"}]}}}}"),
                      NULL, &rig.document, NULL),
        STATUS_OK);
    ck_assert_int_eq(context_init(&rig.context), STATUS_OK);
    rig_decide(&rig, "f", buffer_string(&context), &decision);
    ck_assert_int_eq(decision.error, ERROR_GENERAL);
    ck_assert_str_eq(decision.problem, "a rule puts together more than 256 KiB");
    ck_assert_uint_eq(decision.value.length, 0);
    context_dispose(&rig.context);
    document_release(rig.document);
    buffer_dispose(&context);
}
END_TEST

/* --- documents that weir did not write
 * --------------------------------------------------------------------------- */

START_TEST(foreign_documents_answer_as_flagd_does)
{
    static const char json[] =
        "{\"flags\":{"
        "\"twice\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1,\"on\":2},\"defaultVariant\":"
        "\"on\",\"targeting\":{\"if\":[true,\"on\"]}},"
        "\"none\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1}},"
        "\"list\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},\"defaultVariant\":\"on\","
        "\"targeting\":{\"merge\":[1,2]}},"
        "\"unknown\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},\"defaultVariant\":\"on\","
        "\"targeting\":{\"if\":[true,\"off\"]}},"
        "\"bad\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},\"defaultVariant\":\"on\","
        "\"targeting\":{\"nope\":[1]}},"
        "\"bool\":{\"state\":\"ENABLED\",\"variants\":{\"true\":1,\"false\":0},\"defaultVariant\":"
        "\"false\","
        "\"targeting\":{\"===\":[{\"var\":\"a\"},1]}},"
        "\"number\":{\"state\":\"ENABLED\",\"variants\":{\"2\":\"two\"},\"targeting\":{\"+\":[1,1]}"
        "},"
        "\"empty\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},\"defaultVariant\":\"on\","
        "\"targeting\":{}},"
        "\"key\":{\"state\":\"ENABLED\",\"variants\":{\"key\":1,\"x\":2},\"defaultVariant\":\"x\","
        "\"targeting\":{\"var\":\"$flagd.flagKey\"}},"
        "\"meta\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},\"defaultVariant\":\"on\","
        "\"metadata\":{\"b\":\"own\",\"c\":true}}"
        "},\"metadata\":{\"a\":1,\"b\":\"set\"}}";
    struct rig rig;
    struct decision decision;
    struct error error = {0};
    rig_init(&rig);
    ck_assert_msg(document_read(text_of(json), NULL, &rig.document, &error) == STATUS_OK, "%s",
                  error.message);
    rig_decide(&rig, "twice", "{}", &decision);
    ck_assert_text(decision.value, "2"); /* of equal keys the last one counts */
    rig_decide(&rig, "none", "{}", &decision);
    ck_assert(decision.reason == REASON_DEFAULT && decision.value.length == 0);
    rig_decide(&rig, "list", "{}", &decision);
    ck_assert_int_eq(decision.error, ERROR_GENERAL);
    rig_decide(&rig, "unknown", "{}", &decision);
    ck_assert_int_eq(decision.error, ERROR_GENERAL);
    rig_decide(&rig, "bad", "{}", &decision);
    ck_assert_int_eq(decision.error, ERROR_PARSE_ERROR);
    rig_expect(&rig, "bool", "{\"a\":1}", "true", MATCH);
    rig_expect(&rig, "bool", "{\"a\":2}", "false", MATCH);
    rig_expect(&rig, "number", "{}", "2", MATCH);
    rig_expect(&rig, "empty", "{}", "on", "STATIC");
    rig_expect(&rig, "key", "{}", "key", MATCH);
    rig_decide(&rig, "meta", "{}", &decision);
    ck_assert_text(decision.metadata, "{\"a\":1,\"b\":\"own\",\"c\":true}");
    rig_dispose(&rig);
}
END_TEST

UNIT_MAIN("evaluate", the_first_rule_that_matches_wins, variants_keep_their_values,
          segments_include_exclude_and_nest, prerequisites_are_what_the_other_flag_gives,
          environments_override, splits_have_their_percentages, a_larger_share_only_adds_users,
          buckets_follow_the_formula, many_conditions_do_not_exhaust_the_scratch_memory,
          enormous_keys_have_their_bucket, enormous_texts_give_an_error,
          foreign_documents_answer_as_flagd_does)
