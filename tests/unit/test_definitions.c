/* One document by itself: what it says becomes a struct with every place, and what the schema
 * cannot say is checked. */
#include "../../rules/json.h"
#include "rules_unit.h"

#define FILE_PATH "flags/all.yaml"

static const struct flag *flag_of(struct rig *rig, const char *name)
{
    const struct flag *flag = catalog_flag(&rig->catalog, text_of(name));
    ck_assert_msg(flag != NULL, "no flag %s", name);
    return flag;
}

static void expect_place(const struct place *place, uint32_t line, uint32_t column)
{
    ck_assert_text(place->path, FILE_PATH);
    ck_assert_msg(place->line == line && place->column == column, "%u:%u", place->line,
                  place->column);
}

START_TEST(a_flag_keeps_everything_and_its_place)
{
    struct rig rig;
    rig_build(&rig, RIG_PRODUCTION
              "---\napiVersion: weir/v1\nkind: Flag\nmetadata:\n  name: f\n  owner: me\n  expires: "
              "2027-03-31\nspec:\n"
              "  variants: {b: {z: 1, a: 2}, a: {}}\n  default: a\n  rules:\n"
              "    - name: first\n      when: {attribute: app.version, semver: \">=2.0.0  "
              "!=2.1.0-rc.1 3.0.0\"}\n"
              "      split: {b: 0.125, a: 99.875}\n      seed: x\n      bucketBy: s.id\n"
              "    - serve: b\n  environments:\n    production: {enabled: false, default: b}\n");
    const struct flag *flag = flag_of(&rig, "f");
    ck_assert_text(flag->owner, "me");
    ck_assert_text(flag->expires, "2027-03-31");
    expect_place(&flag->name.place, 8, 9);
    ck_assert_int_eq(flag->type, VARIANT_OBJECT);
    ck_assert_uint_eq(flag->variant_count, 2);
    ck_assert_text(flag->variants[0].name.text, "b"); /* as written */
    ck_assert_text(flag->variants[0].json, "{\"a\":2,\"z\":1}");
    expect_place(&flag->variants[1].name.place, 12, 31);
    ck_assert(flag->settings.enabled && flag->settings.rule_count == 2);
    const struct rule *rule = &flag->settings.rules[0];
    ck_assert_text(rule->name, "first");
    ck_assert_text(rule->split->seed, "x");
    ck_assert_text(rule->split->bucket_by, "s.id");
    expect_place(&rule->place, 15, 7);
    expect_place(&rule->split->place, 17, 14);
    ck_assert(rule->split->share_count == 2 && rule->split->shares[0].weight == 125 &&
              rule->split->shares[1].weight == 99875);
    expect_place(&rule->split->shares[1].variant.place, 17, 25);
    const struct condition *when = rule->when;
    ck_assert(when->type == CONDITION_ATTRIBUTE && when->operator_name == OPERATOR_SEMVER &&
              when->count == 3);
    ck_assert_str_eq(when->bounds[0].comparison, ">=");
    ck_assert_text(when->bounds[1].version, "2.1.0-rc.1");
    ck_assert_str_eq(when->bounds[2].comparison, "=");
    ck_assert_uint_eq(flag->override_count, 1);
    ck_assert(!flag->overrides[0].settings.has_rules && !flag->overrides[0].settings.enabled);
    expect_place(&flag->overrides[0].environment.place, 22, 5);
    struct flag_settings there = flag_settings_in(flag, TEXT("production")),
                         elsewhere = flag_settings_in(flag, TEXT("x"));
    ck_assert(!there.enabled && there.rule_count == 2 && text_is(there.default_variant.text, "b"));
    ck_assert(elsewhere.enabled && text_is(elsewhere.default_variant.text, "a"));
    rig_dispose(&rig);
}
END_TEST

START_TEST(environments_and_targets_are_read)
{
    static const struct {
        const char *spec;
        unsigned evaluators;
    } cases[] = {
        {"", EVALUATOR_WEIR | EVALUATOR_FLAGD},
        {"spec: {}\n", EVALUATOR_WEIR | EVALUATOR_FLAGD},
        {"spec: {evaluators: [weir]}\n", EVALUATOR_WEIR},
        {"spec: {evaluators: [js]}\n", EVALUATOR_WEIR | EVALUATOR_JS},
        {"spec: {evaluators: [java, python, weir, flagd]}\n",
         EVALUATOR_WEIR | EVALUATOR_FLAGD | EVALUATOR_PYTHON | EVALUATOR_JAVA},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[1000];
        struct rig rig;
        snprintf(yaml, sizeof yaml,
                 RIG_PRODUCTION
                 "%s---\napiVersion: weir/v1\nkind: Environment\n"
                 "metadata: {name: staging}\nspec: {promotesFrom: production, protected: true}\n"
                 "---\napiVersion: weir/v1\nkind: Target\nmetadata: {name: r}\nspec:\n  "
                 "environment: staging\n"
                 "  redis: {url: \"redis://h:1/2\", key: k}\n  credentials: {secret: sec}\n",
                 cases[i].spec);
        rig_init(&rig);
        rig_add(&rig, FILE_PATH, text_of(yaml));
        ck_assert_msg(rig_link(&rig) == STATUS_OK, "%s", rig_story(&rig));
        const struct environment *production =
            catalog_environment(&rig.catalog, TEXT("production"));
        const struct environment *staging = catalog_environment(&rig.catalog, TEXT("staging"));
        ck_assert_uint_eq(production->evaluators, cases[i].evaluators);
        ck_assert(!production->is_protected && production->promotes_from.text.length == 0);
        ck_assert(staging->is_protected && text_is(staging->promotes_from.text, "production"));
        const struct target *target = rig.catalog.targets[0];
        ck_assert_int_eq(target->type, TARGET_REDIS);
        ck_assert_text(target->location.text, "redis://h:1/2");
        ck_assert_text(target->key, "k");
        ck_assert_text(target->secret.text, "sec");
        rig_dispose(&rig);
    }
}
END_TEST

START_TEST(places_of_targets)
{
    static const struct {
        const char *spec, *location, *key;
        enum target_type type;
        uint32_t column;
    } cases[] = {
        {"file: {path: a/b}", "a/b", "", TARGET_FILE, 16},
        {"http: {url: \"https://h/x\"}", "https://h/x", "", TARGET_HTTP, 15},
        {"kubernetes: {namespace: n, configMap: c.d}", TARGET_IN_CLUSTER, "n/configmaps/c.d",
         TARGET_KUBERNETES, 15},
        {"kubernetes: {server: \"https://h\", namespace: n, featureFlag: f}", "https://h",
         "n/featureflags/f", TARGET_KUBERNETES, 24},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[1000];
        struct rig rig;
        snprintf(yaml, sizeof yaml,
                 RIG_PRODUCTION "---\napiVersion: weir/v1\nkind: Target\nmetadata: {name: t}\nspec:"
                                "\n  environment: production\n  %s\n",
                 cases[i].spec);
        rig_init(&rig);
        rig_add(&rig, FILE_PATH, text_of(yaml));
        ck_assert_msg(rig_link(&rig) == STATUS_OK, "%s", rig_story(&rig));
        const struct target *target = rig.catalog.targets[0];
        ck_assert_int_eq(target->type, cases[i].type);
        ck_assert_text(target->location.text, cases[i].location);
        ck_assert_text(target->key, cases[i].key);
        ck_assert_uint_eq(target->location.place.column, cases[i].column);
        ck_assert_uint_gt(target->location.place.line, 5);
        rig_dispose(&rig);
    }
}
END_TEST

START_TEST(percentages_are_exact)
{
    static const struct {
        const char *split;
        bool good;
    } cases[] = {
        {"{on: 33.333, off: 66.667}", true},
        {"{on: 0.001, off: 99.999}", true},
        {"{on: 100}", true},
        {"{on: 0, off: 100}", true},
        {"{on: 29.7, off: 70.3}", true},
        {"{on: 1.005, off: 98.995}", true},
        {"{on: 50, off: 49.999}", false},
        {"{on: 50, off: 50.001}", false},
        {"{on: 100, off: 100}", false},
        {"{on: 0, off: 0}", false},
        {"{on: 99.999}", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[500];
        struct rig rig;
        snprintf(yaml, sizeof yaml, RIG_PRODUCTION RIG_FLAG("f", "  rules:\n    - split: %s\n"),
                 cases[i].split);
        rig_init(&rig);
        rig_add(&rig, FILE_PATH, text_of(yaml));
        ck_assert_msg(rig_link(&rig) == (cases[i].good ? STATUS_OK : STATUS_INVALID), "%s: %s",
                      cases[i].split, rig_story(&rig));
        if (!cases[i].good) {
            ck_assert_str_eq(rig.faults.items[0].code, CODE_WEIGHTS);
            expect_place(&rig.faults.items[0].place, 12, 14);
        }
        rig_dispose(&rig);
    }
}
END_TEST

/* A rule of its own line 12, with the fault's place and message. */
static void expect_rule(const char *when, const char *code, uint32_t column, const char *message)
{
    char yaml[800];
    struct rig rig;
    snprintf(yaml, sizeof yaml,
             RIG_PRODUCTION RIG_FLAG("f", "  rules:\n    - {serve: on, when: {%s}}\n"), when);
    rig_faults(&rig, FILE_PATH, yaml);
    rig_expect_only(&rig, code, FILE_PATH, 12, column, message);
    rig_dispose(&rig);
}

START_TEST(what_the_schema_cannot_say_is_checked)
{
    expect_rule("attribute: __proto__.x, is: 1", CODE_ATTRIBUTE, 37,
                "attribute path \"__proto__.x\" cannot be read alike by all evaluators");
    expect_rule("attribute: a.0, is: 1", CODE_ATTRIBUTE, 37,
                "attribute path \"a.0\" cannot be read alike by all evaluators");
    expect_rule("attribute: a.length, is: 1", CODE_ATTRIBUTE, 37,
                "attribute path \"a.length\" cannot be read alike by all evaluators");
    expect_rule("attribute: a.__proto__, is: 1", CODE_ATTRIBUTE, 37,
                "attribute path \"a.__proto__\" cannot be read alike by all evaluators");
    expect_rule("attribute: a.constructor.name, is: x", CODE_ATTRIBUTE, 37,
                "attribute path \"a.constructor.name\" cannot be read alike by all evaluators");
    expect_rule("attribute: toString.name, exists: true", CODE_ATTRIBUTE, 37,
                "attribute path \"toString.name\" cannot be read alike by all evaluators");
    expect_rule("attribute: $flagd.timestamp, gt: 1", CODE_ATTRIBUTE, 37,
                "attribute \"$flagd.timestamp\" belongs to the evaluator");
    expect_rule("attribute: $flagd.flagKey, is: f", CODE_ATTRIBUTE, 37,
                "attribute \"$flagd.flagKey\" belongs to the evaluator");
    expect_rule("attribute: a, before: 2026-02-30", CODE_SCHEMA_PATTERN, 48,
                "\"2026-02-30\" is not a date that exists");
    expect_rule("attribute: a, semver: \">=2.0.0-01\"", CODE_SCHEMA_PATTERN, 48,
                "\"2.0.0-01\" is not a semantic version");
    struct rig rig;
    rig_faults(&rig, FILE_PATH,
               RIG_PRODUCTION "---\napiVersion: weir/v1\nkind: Flag\n"
                              "metadata: {name: f, expires: 2027-02-29}\n"
                              "spec: {variants: {a: 1}, default: a}\n");
    rig_expect_only(&rig, CODE_SCHEMA_PATTERN, FILE_PATH, 7, 30,
                    "\"2027-02-29\" is not a date that exists");
    rig_dispose(&rig);
}
END_TEST

/* An attribute that is drawn by is one like those of conditions. */
START_TEST(buckets_are_drawn_by_what_is_read_alike)
{
    static const struct {
        const char *path, *message;
    } cases[] = {
        {"a.0", "attribute path \"a.0\" cannot be read alike by all evaluators"},
        {"a.length", "attribute path \"a.length\" cannot be read alike by all evaluators"},
        {"__proto__", "attribute path \"__proto__\" cannot be read alike by all evaluators"},
        {"constructor.name",
         "attribute path \"constructor.name\" cannot be read alike by all evaluators"},
        {"$flagd.flagKey", "attribute \"$flagd.flagKey\" belongs to the evaluator"},
        {"$flagd.timestamp", "attribute \"$flagd.timestamp\" belongs to the evaluator"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[800];
        struct rig rig;
        snprintf(yaml, sizeof yaml,
                 RIG_PRODUCTION RIG_FLAG("f", "  rules:\n"
                                              "    - {split: {on: 9, off: 91}, bucketBy: %s}\n"),
                 cases[i].path);
        rig_faults(&rig, FILE_PATH, yaml);
        rig_expect_only(&rig, CODE_ATTRIBUTE, FILE_PATH, 12, 43, cases[i].message);
        rig_dispose(&rig);
    }
}
END_TEST

START_TEST(variants_are_of_one_type)
{
    struct rig rig;
    rig_faults(&rig, FILE_PATH,
               RIG_PRODUCTION "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\nspec:\n"
                              "  variants:\n    a: 1\n    b: \"1\"\n    c: true\n  default: a\n");
    ck_assert_uint_eq(rig.faults.count, 2);
    rig_expect_fault(&rig, 0, CODE_VARIANT_TYPES, FILE_PATH, 11, 8,
                     "variant \"b\" is a string, but \"a\" is a number");
    rig_expect_other(&rig, 0, FILE_PATH, 10, 5);
    rig_expect_fault(&rig, 1, CODE_VARIANT_TYPES, FILE_PATH, 12, 8,
                     "variant \"c\" is a boolean, but \"a\" is a number");
    rig_dispose(&rig);
}
END_TEST

static void expect_document(const char *yaml, const char *code, uint32_t line, uint32_t column,
                            const char *message, const char *hint)
{
    struct rig rig;
    rig_faults(&rig, FILE_PATH, yaml);
    rig_expect_only(&rig, code, FILE_PATH, line, column, message);
    ck_assert_text(rig.faults.items[0].hint, hint);
    rig_dispose(&rig);
}

START_TEST(documents_that_are_none_are_refused)
{
    static const char kinds[] =
        "kinds are Flag, Segment, Environment, Target, PhasePlan, Rollout and Metric";
    expect_document("# top\n- a\n", CODE_KIND, 2, 1, "a document must be a map, not a list", "");
    expect_document("a: 1\n", CODE_KIND, 1, 1, "document has no apiVersion",
                    "begin the document with \"apiVersion: weir/v1\"");
    expect_document("kind: Flag\napiVersion: weir/v2\n", CODE_KIND, 2, 13, "unknown apiVersion",
                    "begin the document with \"apiVersion: weir/v1\"");
    expect_document("apiVersion: weir/v1\n", CODE_KIND, 1, 1, "document has no kind", kinds);
    expect_document("apiVersion: weir/v1\nkind: Flg\n", CODE_KIND, 2, 7, "unknown kind \"Flg\"",
                    "did you mean \"Flag\"?");
    expect_document("apiVersion: weir/v1\nkind: Deployment\n", CODE_KIND, 2, 7,
                    "unknown kind \"Deployment\"", kinds);
    static const char *const later[] = {"Program", "FlagTest"};
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        char yaml[100], message[60];
        snprintf(yaml, sizeof yaml, "apiVersion: weir/v1\nkind: %s\n", later[i]);
        snprintf(message, sizeof message, "kind %s does not work yet", later[i]);
        expect_document(
            yaml, CODE_KIND_LATER, 2, 7, message,
            "kinds are Flag, Segment, Environment, Target, PhasePlan, Rollout and Metric");
    }
}
END_TEST

START_TEST(fields_that_come_later_are_refused_by_name)
{
    struct rig rig;
    rig_faults(&rig, FILE_PATH,
               RIG_PRODUCTION RIG_FLAG("f", "  rules: [{when: {program: beta}, serve: on}]\n"));
    ck_assert_uint_eq(rig.faults.count, 1);
    ck_assert_str_eq(rig.faults.items[0].code, CODE_FIELD_LATER);
    ck_assert_msg(rig.faults.items[0].place.line == 11, "%s", rig_story(&rig));
    rig_dispose(&rig);
}
END_TEST

START_TEST(no_definitions_is_a_fault_of_the_whole)
{
    struct rig rig;
    rig_init(&rig);
    ck_assert_int_eq(rig_link(&rig), STATUS_INVALID);
    rig_expect_only(&rig, CODE_NO_DEFINITIONS, ".", 0, 0, "no definitions found in 0 files");
    rig_dispose(&rig);
    rig_init(&rig);
    rig_add(&rig, "flags/empty.yaml", TEXT("# nothing yet\n---\n"));
    ck_assert_int_eq(rig_link(&rig), STATUS_INVALID);
    rig_expect_only(&rig, CODE_NO_DEFINITIONS, ".", 0, 0, "no definitions found in 1 file");
    rig_dispose(&rig);
}
END_TEST

/* A file that is not YAML does not keep the others from being read, nor do the documents before the
 * fault get lost. */
START_TEST(one_bad_file_spoils_no_other)
{
    struct rig rig;
    rig_init(&rig);
    rig_add(&rig, "a.yaml",
            TEXT(RIG_PRODUCTION RIG_FLAG("before", "") "---\n\tx: 1\n" RIG_FLAG("after", "")));
    rig_add(&rig, "b.yaml", TEXT("a: \xff\n"));
    rig_add(&rig, "c.yaml", TEXT(RIG_FLAG("other", "")));
    ck_assert_int_eq(rig_link(&rig), STATUS_INVALID);
    ck_assert_uint_eq(rig.faults.count, 2);
    ck_assert_str_eq(rig.faults.items[0].code, CODE_YAML);
    ck_assert_uint_eq(rig.faults.items[0].place.line, 12);
    ck_assert_str_eq(rig.faults.items[1].code, CODE_UTF8);
    flag_of(&rig, "before");
    flag_of(&rig, "other");
    ck_assert_ptr_null(catalog_flag(&rig.catalog, TEXT("after")));
    ck_assert_uint_eq(rig.catalog.unreadable, 2);
    ck_assert_uint_eq(rig.catalog.files, 3);
    rig_dispose(&rig);
}
END_TEST

START_TEST(lookups_find_every_name)
{
    struct buffer yaml;
    struct rig rig;
    buffer_init(&yaml, 0);
    buffer_append_string(&yaml, RIG_PRODUCTION);
    for (int i = 0; i < 300; i++)
        buffer_printf(&yaml, RIG_FLAG("f%d", "") RIG_SEGMENT("s%d", "{include: [a]}"), i * 7 % 300,
                      i);
    rig_build(&rig, buffer_string(&yaml));
    ck_assert(rig.catalog.flag_count == 300 && rig.catalog.segment_count == 300);
    for (int i = 0; i < 300; i++) {
        char name[20];
        snprintf(name, sizeof name, "f%d", i);
        size_t index = catalog_index(rig.catalog.flags, rig.catalog.flag_count, text_of(name));
        ck_assert(index < 300 && text_is(rig.catalog.flags[index]->name.text, name));
        snprintf(name, sizeof name, "s%d", i);
        ck_assert_ptr_nonnull(catalog_segment(&rig.catalog, text_of(name)));
    }
    ck_assert_uint_eq(catalog_index(rig.catalog.flags, 300, TEXT("f")), 300);
    ck_assert_uint_eq(catalog_index(rig.catalog.flags, 0, TEXT("f1")), 0);
    ck_assert_ptr_null(catalog_environment(&rig.catalog, TEXT("prod")));
    rig_dispose(&rig);
    buffer_dispose(&yaml);
}
END_TEST

UNIT_MAIN("definitions", a_flag_keeps_everything_and_its_place, environments_and_targets_are_read,
          places_of_targets, percentages_are_exact, what_the_schema_cannot_say_is_checked,
          buckets_are_drawn_by_what_is_read_alike, variants_are_of_one_type,
          documents_that_are_none_are_refused, fields_that_come_later_are_refused_by_name,
          no_definitions_is_a_fault_of_the_whole, one_bad_file_spoils_no_other,
          lookups_find_every_name)
