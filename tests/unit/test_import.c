/* Foreign rules as weir's: condition by condition, then what a whole flag becomes, and what is
 * refused where. */
#include "rules_unit.h"

#include "../../rules/import.h"

struct made {
    struct import import;
    struct diagnostics faults;
    struct buffer story, yaml;
    enum status status;
};

static void make(struct made *made, const char *source, struct import_options options)
{
    diagnostics_init(&made->faults);
    buffer_init(&made->story, 0);
    buffer_init(&made->yaml, 0);
    if (!options.environment.length)
        options.environment = TEXT("production");
    made->status =
        import_read(&made->import, TEXT("foreign"), text_of(source), options, &made->faults);
    diagnostics_sort(&made->faults);
    diagnostics_write_text(&made->story, &made->faults, false);
    for (size_t i = 0; i < made->import.count; i++) {
        buffer_append_string(&made->yaml, i ? "---\n" : "");
        buffer_append_text(&made->yaml, made->import.documents[i].yaml);
    }
    buffer_append_char(&made->story, '\0');
    buffer_append_char(&made->yaml, '\0');
}

static void drop(struct made *made)
{
    import_dispose(&made->import);
    diagnostics_dispose(&made->faults);
    buffer_dispose(&made->story);
    buffer_dispose(&made->yaml);
}

static void ck_has(const struct made *made, const char *part)
{
    ck_assert_msg(strstr(made->yaml.data, part) != NULL, "no\n%s\nin\n%s\n%s", part,
                  made->yaml.data, made->story.data);
}

static void ck_tells(const struct made *made, const char *part)
{
    ck_assert_msg(strstr(made->story.data, part) != NULL, "no \"%s\" in\n%s\n%s", part,
                  made->story.data, made->yaml.data);
}

/* A flag whose targeting is this, with variants a and b. */
static void make_targeting(struct made *made, const char *targeting, struct import_options options)
{
    struct buffer source;
    buffer_init(&source, 0);
    buffer_printf(&source,
                  "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1,\"b\":2},"
                  "\"defaultVariant\":\"a\",\"targeting\":%s}}}",
                  targeting);
    make(made, buffer_string(&source), options);
    buffer_dispose(&source);
}

static void check_condition(const char *logic, const char *when, bool as_written)
{
    struct made made;
    struct buffer targeting;
    buffer_init(&targeting, 0);
    buffer_printf(&targeting, "{\"if\":[%s,\"b\"]}", logic);
    make_targeting(&made, buffer_string(&targeting),
                   (struct import_options){.as_written = as_written});
    if (*when == 'W') {
        ck_tells(&made, when);
        ck_assert_uint_eq(made.import.left_out, 1);
    } else {
        buffer_clear(&targeting);
        buffer_printf(&targeting, "    - when:%s%s\n      serve: b\n", *when == '\n' ? "" : " ",
                      when);
        ck_has(&made, buffer_string(&targeting));
        ck_assert_uint_eq(made.import.left_out, 0);
    }
    buffer_dispose(&targeting);
    drop(&made);
}

/* Logic, its condition, and its condition with --as-written ("W705": refused; NULL: the same). */
static const struct {
    const char *logic, *when, *written;
} conditions[] = {
    {"{\"===\":[{\"var\":\"x\"},\"s\"]}", "{attribute: x, is: s}", NULL},
    {"{\"!==\":[\"s\",{\"var\":\"x\"}]}", "{attribute: x, isNot: s}", NULL},
    {"{\"===\":[{\"var\":\"app.version\"},null]}", "{attribute: app.version, exists: false}", NULL},
    {"{\"!\":[{\"===\":[{\"var\":[\"x\"]},true]}]}", "{attribute: x, isNot: true}", NULL},
    {"{\"==\":[{\"var\":\"x\"},\"s\"]}", "{attribute: x, is: s}", NULL},
    {"{\"!=\":[{\"var\":\"x\"},\"s\"]}", "{attribute: x, isNot: s}", NULL},
    {"{\"==\":[{\"var\":\"x\"},\"10\"]}", "{attribute: x, in: [\"10\", 10]}", NULL},
    {"{\"==\":[{\"var\":\"x\"},\"1\"]}", "{attribute: x, in: [\"1\", true, 1]}", NULL},
    {"{\"==\":[{\"var\":\"x\"},\"0x10\"]}", "{attribute: x, in: [\"0x10\", 16]}", NULL},
    {"{\"==\":[{\"var\":\"x\"},null]}",
     "{any: [{attribute: x, exists: false}, {attribute: x, in: [false, 0]}]}", NULL},
    {"{\"==\":[{\"var\":\"x\"},10]}", "W705", "{attribute: x, is: 10}"},
    {"{\"==\":[{\"var\":\"x\"},true]}", "W705", "{attribute: x, in: [true, 1]}"},
    {"{\"<\":[{\"var\":\"x\"},10]}", "W705",
     "\n        any:\n          - {attribute: x, exists: false}\n          - {attribute: x, lt: "
     "10}\n"
     "          - {attribute: x, in: [true, false]}"},
    {"{\"<\":[{\"var\":\"x\"},\"s\"]}", "W705", "W705"},
    {"{\"in\":[{\"var\":\"x\"},[\"a\",\"b\",3,true]]}", "{attribute: x, in: [a, b, true, 3]}",
     NULL},
    {"{\"!\":{\"in\":[{\"var\":\"x\"},[\"a\",\"b\"]]}}", "{attribute: x, notIn: [a, b]}", NULL},
    {"{\"in\":[\"s\",{\"var\":\"x\"}]}", "{attribute: x, contains: s}", NULL},
    {"{\"in\":[5,{\"var\":\"x\"}]}", "W705", "{attribute: x, contains: 5}"},
    {"{\"starts_with\":[{\"var\":\"x\"},\"p\"]}", "{attribute: x, startsWith: p}", NULL},
    {"{\"ends_with\":[{\"var\":\"x\"},\"p\"]}", "{attribute: x, endsWith: p}", NULL},
    {"{\"starts_with\":[{\"var\":\"x\"},\"\"]}", "W705", "W705"},
    {"{\"and\":[{\"starts_with\":[{\"var\":\"x\"},\"\"]},{\"!==\":[{\"var\":\"x\"},\"\"]}]}",
     "W705", "W705"},
    {"{\"sem_ver\":[{\"var\":\"x\"},\"^\",\"1\"]}", "W705", "{attribute: x, semver: \"^1.0.0\"}"},
    {"{\"var\":\"x\"}", "W705",
     "{all: [{attribute: x, exists: true}, {attribute: x, notIn: [\"\", false, 0]}]}"},
    {"{\">=\":[{\"var\":\"$flagd.timestamp\"},10.5]}",
     "{attribute: \"$flagd.timestamp\", after: 11}", NULL},
    {"{\"and\":[{\"===\":[{\"var\":\"x\"},\"s\"]},{\"!==\":[{\"var\":\"y\"},2]}]}",
     "{all: [{attribute: x, is: s}, {attribute: y, isNot: 2}]}", NULL},
    {"{\"or\":[{\"===\":[{\"var\":\"x\"},\"s\"]},{\"===\":[{\"var\":\"y\"},2]},"
     "{\"===\":[{\"var\":\"x\"},\"t\"]}]}",
     "{any: [{attribute: x, in: [s, t]}, {attribute: y, is: 2}]}", NULL},
    {"{\"if\":[{\"===\":[{\"var\":\"x\"},1]},{\"===\":[{\"var\":\"y\"},1]},false]}",
     "{all: [{attribute: x, is: 1}, {attribute: y, is: 1}]}", NULL},
    {"{\"===\":[{\"var\":[\"x\",\"d\"]},\"d\"]}", "W705",
     "{any: [{attribute: x, exists: false}, {attribute: x, is: d}]}"},
    {"{\"missing\":[\"x\"]}", "W705", "{attribute: x, exists: false}"},
    {"{\"===\":[{\"var\":\"x\"},{\"var\":\"y\"}]}", "W705", "W705"},
    {"{\"===\":[{\"var\":\"a\\\\.b\"},1]}", "W705", "W705"},
    {"{\"%\":[{\"var\":\"x\"},2]}", "W705", "W705"},
};

START_TEST(conditions_become_what_means_the_same)
{
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        const char *written = conditions[i].written ? conditions[i].written : conditions[i].when;
        check_condition(conditions[i].logic, conditions[i].when, false);
        check_condition(conditions[i].logic, written, true);
    }
}
END_TEST

START_TEST(what_no_rule_gives_is_the_default_for_its_reason)
{
    struct made made;
    struct import_options options = {.format = IMPORT_FLAGD};
    make_targeting(&made, "{\"if\":[{\"===\":[{\"var\":\"x\"},1]},null,\"b\"]}", options);
    ck_has(&made, "default: a\n  rules:\n    - when: {attribute: x, isNot: 1}\n      serve: b\n");
    drop(&made);
    make_targeting(&made, "{\"if\":[true,null,\"b\"]}", options);
    ck_has(&made, "rules:\n    - name: never\n      when: {any: []}\n      serve: a\n");
    drop(&made);
    make_targeting(&made, "{}", options);
    ck_assert_ptr_null(strstr(made.yaml.data, "rules"));
    drop(&made);
    make_targeting(&made, "{\"if\":[{\"===\":[{\"var\":\"x\"},1]},\"c\"]}", options);
    ck_tells(
        &made,
        "foreign:1:11: error[W705]: a rule gives variant \"c\", which flag \"f\" does not have");
    drop(&made);
}
END_TEST

#define OWN                                                                                        \
    "{\"if\":[{\"starts_with\":[{\"var\":\"%s\"},\"\"]},{\"fractional\":[{\"cat\":[\"%s\",{"       \
    "\"var\":\"%s\"},\"/\"]},"                                                                     \
    "[\"a\",%d],[\"b\",%d]]},null]}"

START_TEST(shares_stay_where_weir_draws_the_same)
{
    struct made made;
    struct import_options options = {.format = IMPORT_FLAGD};
    char text[400];
    snprintf(text, sizeof text, OWN, "targetingKey", "f/", "targetingKey", 1, 3);
    make_targeting(&made, text, options);
    ck_has(&made, "    - split: {a: 25, b: 75}\n");
    ck_assert_ptr_null(strstr(made.yaml.data, "seed"));
    ck_assert_uint_eq(made.faults.count, 0);
    drop(&made);
    snprintf(text, sizeof text, OWN, "team", "s1/", "team", 12345, 87655);
    make_targeting(&made, text, options);
    ck_has(&made, "    - split: {a: 12.345, b: 87.655}\n      seed: s1\n      bucketBy: team\n");
    drop(&made);
    snprintf(text, sizeof text, OWN, "targetingKey", "f/", "targetingKey", 1,
             2); /* no even shares */
    make_targeting(&made, text, options);
    ck_tells(&made, "error[W706]: weir would draw other buckets");
    drop(&made);
    snprintf(text, sizeof text, OWN, "other", "f/", "targetingKey", 1,
             1); /* the guard is of another */
    make_targeting(&made, text, options);
    ck_assert_uint_eq(made.import.left_out, 1);
    drop(&made);
}
END_TEST

START_TEST(users_move_only_when_asked)
{
    struct made made;
    const char *plain = "{\"fractional\":[[\"a\",1],[\"b\",2]]}";
    make_targeting(&made, plain, (struct import_options){.format = IMPORT_FLAGD});
    ck_tells(&made, "foreign:1:92: error[W706]");
    ck_tells(&made, "--rebucket");
    drop(&made);
    make_targeting(&made, plain, (struct import_options){.rebucket = true});
    ck_has(&made, "    - split: {a: 33.333, b: 66.667}\n");
    ck_tells(&made, "warning[W710]: users of flag \"f\" move");
    drop(&made);
    make_targeting(&made, "{\"fractional\":[{\"var\":\"k\"},[\"b\",7]]}",
                   (struct import_options){.format = IMPORT_FLAGD});
    ck_has(&made, "    - split: {b: 100}\n      bucketBy: k\n");
    drop(&made);
}
END_TEST

START_TEST(errors_are_noted_once)
{
    struct made made;
    make_targeting(&made,
                   "{\"if\":[{\"and\":[{\"==\":[{\"var\":\"x\"},\"s\"]},{\"in\":[\"s\",{\"var\":"
                   "\"y\"}]}]},\"b\"]}",
                   (struct import_options){.format = IMPORT_FLAGD});
    ck_tells(&made, "foreign:1:11: warning[W709]: flag \"f\" fails for contexts");
    ck_assert_uint_eq(made.faults.count, 1);
    ck_assert_uint_eq(made.import.left_out, 0);
    drop(&made);
}
END_TEST

START_TEST(evaluators_become_segments)
{
    struct made made;
    make(&made,
         "{\"$evaluators\":{\"is_staff\":{\"ends_with\":[{\"var\":\"email\"},\"@x\"]},"
         "\"Is Staff\":{\"===\":[{\"var\":\"a\"},1]},\"odd\":{\"+\":[1,{\"var\":\"a\"}]}},"
         "\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1,\"b\":2},"
         "\"defaultVariant\":\"a\","
         "\"targeting\":{\"if\":[{\"and\":[{\"$ref\":\"is_staff\"},{\"$ref\":\"Is "
         "Staff\"}]},\"b\"]}}}}",
         (struct import_options){.format = IMPORT_FLAGD});
    ck_has(&made,
           "metadata: {name: is-staff}\nspec:\n  match: {attribute: email, endsWith: \"@x\"}\n");
    ck_has(&made, "all: [{segment: is-staff}, {segment: is-staff-2}]");
    ck_tells(&made, "error[W707]: evaluator \"odd\" is used by no flag");
    drop(&made);
}
END_TEST

START_TEST(what_weir_cannot_hold_is_told_with_its_place)
{
    static const struct {
        const char *flag, *says;
    } cases[] = {
        {"\"A_b\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1},\"defaultVariant\":\"a\"}",
         "foreign:2:1: error[W702]: flag \"A_b\" cannot be called that"},
        {"\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1,\n\"b\":\"x\"},\"defaultVariant\":"
         "\"a\"}",
         "foreign:3:1: error[W703]: variant \"b\" is of another type"},
        {"\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":[1]},\"defaultVariant\":\"a\"}",
         "error[W703]: variant \"a\" is null or a list"},
        {"\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a b\":1},\"defaultVariant\":\"a b\"}",
         "error[W703]: variant \"a b\" cannot be called that"},
        {"\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":9007199254740993},\"defaultVariant\":"
         "\"a\"}",
         "error[W703]: variant \"a\" holds an integer beyond"},
        {"\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1},\"defaultVariant\":null}",
         "error[W704]: flag \"f\" has no default variant"},
        {"\"f\":{\"state\":\"On\",\"variants\":{\"a\":1},\"defaultVariant\":\"a\"}",
         "error[W707]: flag \"f\" has no state"},
        {"\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1},\"defaultVariant\":\"a\",\n"
         "\"targeting\":{\"if\":[false,{\"what\":[]}]}}",
         "foreign:3:27: error[W705]: operator \"what\" does not exist"},
        {"\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1},\"defaultVariant\":\"a\",\n"
         "\"targeting\":{\"if\":[{\"===\":[{\"var\":\"list.0\"},\"x\"]},\"a\",null]}}",
         "foreign:3:20: error[W705]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct made made;
        struct buffer source;
        buffer_init(&source, 0);
        buffer_printf(&source, "{\"flags\":{\n%s}}", cases[i].flag);
        make(&made, buffer_string(&source), (struct import_options){.format = IMPORT_FLAGD});
        ck_tells(&made, cases[i].says);
        ck_assert_uint_eq(made.import.flags, 0);
        ck_assert_uint_eq(made.import.left_out, 1);
        buffer_dispose(&source);
        drop(&made);
    }
}
END_TEST

START_TEST(a_flag_that_never_needs_its_default_needs_none)
{
    struct made made;
    make(&made,
         "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1,\"b\":2},"
         "\"targeting\":{\"if\":[{\"===\":[{\"var\":\"x\"},1]},\"a\",\"b\"]}},"
         "\"g\":{\"state\":\"DISABLED\",\"variants\":{\"a\":1,\"b\":2}}}}",
         (struct import_options){.format = IMPORT_FLAGD});
    ck_has(&made, "default: b\n");
    ck_has(&made, "enabled: false\n");
    ck_assert_uint_eq(made.import.flags, 2);
    drop(&made);
}
END_TEST

/* A rule that is fine for JSON and too deep for a file of definitions. */
START_TEST(what_is_too_deep_is_left_out)
{
    struct made made;
    struct buffer logic;
    buffer_init(&logic, 0);
    buffer_append_string(&logic, "{\"if\":[");
    for (int i = 0; i < 60; i++)
        buffer_printf(&logic, "{\"%s\":[{\"===\":[{\"var\":\"x%d\"},1]},", i % 2 ? "and" : "or", i);
    buffer_append_string(&logic, "true");
    for (int i = 0; i < 60; i++)
        buffer_append_string(&logic, "]}");
    buffer_append_string(&logic, ",\"b\"]}");
    buffer_append_char(&logic, '\0');
    make_targeting(&made, logic.data, (struct import_options){.format = IMPORT_FLAGD});
    ck_tells(&made, "error[W705]: flag \"f\" is too large, or nested too deep");
    ck_assert_uint_eq(made.import.flags, 0);
    ck_assert_uint_eq(made.import.left_out, 1);
    buffer_dispose(&logic);
    drop(&made);
}
END_TEST

START_TEST(other_files_are_refused)
{
    static const char *const sources[] = {"", "{", "[]", "{\"flags\": 1}", "nothing: of the kind"};
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        struct made made;
        make(&made, sources[i], (struct import_options){.format = IMPORT_FLAGD});
        ck_assert_int_eq(made.status, STATUS_INVALID);
        ck_tells(&made, "error[W701]");
        ck_assert_uint_eq(made.import.count, 0);
        drop(&made);
    }
}
END_TEST

START_TEST(values_are_written_so_that_they_are_read_back)
{
    struct made made;
    struct rig rig;
    make(&made,
         "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"defaultVariant\":\"true\",\"variants\":{"
         "\"true\":"
         "{\"\":\"null\",\"a: b\":\"- "
         "#\",\"c\":[\"\\u0000\\u0085\\u2028\\ufeff\\\"\\\\\",[],{},-0.5,1e-7,null],\"c\":"
         "[\"\\u0000\\u0085\\u2028\\ufeff\\\"\\\\\",[],{},-0.5,1e-7,null],\"<<\":\"~\",\"d\":"
         "\"\\ud83d\\ude00\"}}}}}",
         (struct import_options){.format = IMPORT_FLAGD});
    ck_assert_uint_eq(made.import.flags, 1);
    rig_build(&rig, made.yaml.data);
    struct decision decision;
    rig_decide(&rig, "f", "{}", &decision);
    ck_assert_text(decision.value, "{\"\":\"null\",\"<<\":\"~\",\"a: b\":\"- "
                                   "#\",\"c\":[\"\\u0000\xc2\x85\xe2\x80\xa8\xef\xbb\xbf\\\"\\\\\","
                                   "[],{},-0.5,1e-7,null],\"d\":\"\xf0\x9f\x98\x80\"}");
    rig_dispose(&rig);
    drop(&made);
}
END_TEST

static void check_query(const char *query, const char *when, bool as_written)
{
    struct made made;
    struct buffer text;
    buffer_init(&text, 0);
    buffer_printf(
        &text,
        "f:\n  variations: {a: 1, b: 2}\n  targeting:\n    - query: '%s'\n      variation: b\n"
        "  defaultRule: {variation: a}\n",
        query);
    make(&made, buffer_string(&text),
         (struct import_options){.format = IMPORT_GOFF, .as_written = as_written});
    if (*when == 'W') {
        ck_tells(&made, when);
    } else {
        buffer_clear(&text);
        buffer_printf(&text, "    - when:%s%s\n      serve: b\n", *when == '\n' ? "" : " ", when);
        ck_has(&made, buffer_string(&text));
    }
    buffer_dispose(&text);
    drop(&made);
}

static const struct {
    const char *query, *when, *written;
} queries[] = {
    {"key eq \"1-2\"", "{attribute: targetingKey, is: \"1-2\"}", NULL},
    {"x eq \"aB\"", "{attribute: x, in: [ab, Ab, aB, AB]}", "{attribute: x, is: aB}"},
    {"x.0 eq \"a\"", "W705", "W705"},
    {"x.length gt 2", "W705", "W705"},
    {"x eq \"someone@example.com\"", "W705", "{attribute: x, is: \"someone@example.com\"}"},
    {"x ne \"1\"", "W705", "{all: [{attribute: x, exists: true}, {attribute: x, isNot: \"1\"}]}"},
    {"x in [\"a\", \"B\"]", "{attribute: x, in: [a, B]}", NULL},
    {"x in [1,2]", "{attribute: x, in: [1, 2]}", NULL},
    {"x sw \"12\"", "{attribute: x, startsWith: \"12\"}", NULL},
    {"x ew \".com\"", "W705", "{attribute: x, endsWith: \".com\"}"},
    {"x co \"@\"", "W705", "{attribute: x, contains: \"@\"}"},
    {"x eq 2", "{all: [{attribute: x, gte: 2}, {attribute: x, lt: 3}]}", NULL},
    {"x eq 0", "{all: [{attribute: x, gt: -1}, {attribute: x, lt: 1}]}", NULL},
    {"x gt -2", "{attribute: x, gt: -2}", NULL},
    {"x le 2", "{attribute: x, lt: 3}", NULL},
    {"x lt 2.5", "{attribute: x, lt: 2.5}", NULL},
    {"x pr and y eq true", "{all: [{attribute: x, exists: true}, {attribute: y, is: true}]}", NULL},
    {"x eq null", "{attribute: x, exists: false}", NULL},
    {"anonymous eq false", "{attribute: anonymous, isNot: true}", NULL},
    {"not (x eq true) or y eq true and z eq true",
     "\n        all:\n          - {any: [{attribute: x, isNot: true}, {attribute: y, is: true}]}\n"
     "          - {attribute: z, is: true}",
     NULL},
    {"x gt 1.2.3", "W705", "{attribute: x, semver: \">1.2.3\"}"},
    {"a.b eq true", "{attribute: a.b, is: true}", NULL},
    {"not (a.b eq true)", "W705", "{attribute: a.b, isNot: true}"},
    {"x gt \"a\"", "W705", "W705"},
    {"x eq 1 AND y eq 2", "W705", "W705"},
    {"x  eq 1", "W705", "W705"},
    {"{\"===\":[{\"var\":\"key\"},\"u\"]}", "{attribute: targetingKey, is: u}", NULL},
    {"{\"<\":[{\"var\":\"n\"},3]}", "W705",
     "{any: [{attribute: n, exists: false}, {attribute: n, lt: 3}]}"},
    {"{\"starts_with\":[{\"var\":\"n\"},\"x\"]}", "W705", "W705"},
};

START_TEST(queries_become_what_means_the_same)
{
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        check_query(queries[i].query, queries[i].when, false);
        check_query(queries[i].query, queries[i].written ? queries[i].written : queries[i].when,
                    true);
    }
}
END_TEST

UNIT_MAIN("import", conditions_become_what_means_the_same,
          what_no_rule_gives_is_the_default_for_its_reason, shares_stay_where_weir_draws_the_same,
          users_move_only_when_asked, errors_are_noted_once, evaluators_become_segments,
          what_weir_cannot_hold_is_told_with_its_place,
          a_flag_that_never_needs_its_default_needs_none, what_is_too_deep_is_left_out,
          other_files_are_refused, values_are_written_so_that_they_are_read_back,
          queries_become_what_means_the_same)
