/* The schemas of schemas/, as they are built into the program. */
#include "schema_unit.h"

#define FLAG                                                                                       \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\nspec:\n  variants: {on: true, off: "    \
    "false}\n  default: off\n"
#define SEGMENT "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: s}\nspec:\n"
#define TARGET                                                                                     \
    "apiVersion: weir/v1\nkind: Target\nmetadata: {name: t}\nspec:\n  environment: production\n"

/* --- our schemas: what is right
 * ---------------------------------------------------------------------- */

START_TEST(good_flag)
{
    expect_shipped("flag.json",
                   "apiVersion: weir/v1\n"
                   "kind: Flag\n"
                   "metadata:\n"
                   "  name: checkout-v2\n"
                   "  description: The one-page checkout\n"
                   "  owner: payments\n"
                   "  labels: {area: checkout}\n"
                   "  expires: 2027-03-31\n"
                   "spec:\n"
                   "  enabled: true\n"
                   "  variants: {on: true, off: false}\n"
                   "  default: off\n"
                   "  rules:\n"
                   "    - name: staff\n"
                   "      when: {segment: staff}\n"
                   "      serve: on\n"
                   "    - when:\n"
                   "        any:\n"
                   "          - {attribute: app.version, semver: \">=2.0.0 <3.0.0-rc.1\"}\n"
                   "          - all:\n"
                   "              - {attribute: country, in: [DE, FR, 10, true]}\n"
                   "              - not: {segment: churn-risk}\n"
                   "              - flag: {name: other, is: on}\n"
                   "      split: {on: 33.333, off: 66.667}\n"
                   "      seed: abc\n"
                   "      bucketBy: company.id\n"
                   "  environments:\n"
                   "    production: {enabled: false, default: on, rules: []}\n",
                   "");
}
END_TEST

START_TEST(every_operator)
{
    static const char *const operators[] = {
        "is: DE",
        "is: 1",
        "is: true",
        "isNot: DE",
        "in: [a, 1, true]",
        "notIn: [a]",
        "startsWith: a",
        "endsWith: a",
        "contains: a",
        "contains: 1",
        "lt: 1",
        "lte: 1.5",
        "gt: -1",
        "gte: 0",
        "between: [1, 2]",
        "semver: \"2.0.0\"",
        "semver: \"^1.2.3\"",
        "semver: \"!=1.2.3 ~1.2.3-alpha.1\"",
        "before: 1700000000",
        "before: 2026-01-31",
        "after: 2026-01-31T09:00:00Z",
        "after: \"2026-01-31T09:00:00.5+01:00\"",
        "exists: false",
    };
    for (size_t i = 0; i < COUNT_OF(operators); i++) {
        char yaml[400];
        snprintf(yaml, sizeof yaml, SEGMENT "  match: {attribute: a.b, %s}\n", operators[i]);
        expect_shipped("segment.json", yaml, "");
    }
}
END_TEST

START_TEST(good_others)
{
    expect_shipped("segment.json", SEGMENT "  include: [user-17, user-18]\n  exclude: []\n", "");
    expect_shipped("environment.json",
                   "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n", "");
    expect_shipped(
        "environment.json",
        "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n"
        "spec: {promotesFrom: staging, protected: true, evaluators: [weir, flagd, js]}\n",
        "");
    expect_shipped("target.json", TARGET "  file: {path: a..b/x.json}\n", "");
    expect_shipped("target.json",
                   TARGET "  redis: {url: \"redis://[::1]:6379/2\", key: \"weir:production\"}\n"
                          "  credentials: {secret: edge}\n",
                   "");
    expect_shipped("notify.json",
                   "name: pager\nslack: {url: {secret: hook}}\nevents: [rollout.killed]\n"
                   "template: \"{{rollout}}\"\n",
                   "");
    expect_shipped("notify.json",
                   "name: mail\nsmtp: {url: \"smtps://mail\", from: a@b, to: [c@d]}\n", "");
    expect_shipped("config.json",
                   "repo: file:///srv/flags.git\nbranch: main\nlisten: 127.0.0.1:0\ndata: d\n"
                   "poll: 10s\ndefault-environment: production\nallow-path: [/srv/out]\n"
                   "allow-host: [\"redis:6379\", \"[::1]\"]\nhttp-threads: 4\n"
                   "event-streams: 0\nevent-heartbeat: 15s\n"
                   "secrets: {edge: {env: EDGE, hosts: [redis]}}\n"
                   "log-format: json\nlog-level: warn\n"
                   "commit-status: {forge: gitea, token-variable: TOKEN, context: weir/eu}\n"
                   "hooks: {github: {secretFile: /etc/hook}, gitlab: {secretEnv: HOOK}}\n",
                   "");
}
END_TEST

/* --- our schemas: what is wrong
 * ---------------------------------------------------------------------- */

START_TEST(missing_fields)
{
    expect_shipped("flag.json", "apiVersion: weir/v1\nmetadata: {}\nspec:\n  variants: {}\n",
                   "1:1 W202 required field \"kind\" is missing [write kind: Flag]\n"
                   "2:11 W202 required field \"metadata.name\" is missing\n"
                   "4:3 W202 required field \"spec.default\" is missing\n"
                   "4:13 W207 spec.variants: expected at least 1 entry, got 0");
}
END_TEST

START_TEST(unknown_fields)
{
    /* Misspelt: the fault is at the key, and its absence is not lamented as well. */
    expect_shipped("flag.json",
                   "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\n"
                   "spec:\n  variants: {on: true}\n  defualt: on\n",
                   "6:3 W203 unknown field \"spec.defualt\" [did you mean \"default\"?]");
    expect_shipped("flag.json", FLAG "  colour: red\n",
                   "7:3 W203 unknown field \"spec.colour\" "
                   "[allowed here: enabled, variants, default, rules, environments, watch]");
    expect_shipped("flag.json", FLAG "  \"bad\\nkey\\e[31m\": 1\n",
                   "7:3 W203 unknown field \"spec[\"bad\\x0akey\\x1b[31m\"]\" "
                   "[allowed here: enabled, variants, default, rules, environments, watch]");
    expect_shipped("flag.json", FLAG "  rules:\n    - {serv: on}\n",
                   "8:8 W203 unknown field \"spec.rules[0].serv\" [did you mean \"serve\"?]");
}
END_TEST

START_TEST(wrong_types)
{
    expect_shipped("flag.json", FLAG "  enabled: on\n",
                   "7:12 W201 spec.enabled: expected a boolean, got a string "
                   "[only true and false are booleans: write true]");
    expect_shipped("flag.json", FLAG "  rules:\n    - serve: true\n    - serve: [on]\n",
                   "8:14 W201 spec.rules[0].serve: expected a string, got a boolean "
                   "[put it in quotes to make it a string: \"true\"]\n"
                   "9:14 W201 spec.rules[1].serve: expected a string, got a list");
    expect_shipped("flag.json", FLAG "  rules:\n",
                   "7:9 W201 spec.rules: expected a list, got null "
                   "[the value is empty: write one, or remove the field]");
    expect_shipped("flag.json",
                   "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\n"
                   "spec:\n  variants: {a: [1], b: null}\n  default: a\n",
                   "5:17 W201 spec.variants.a: expected a boolean, a number, a string or a map, "
                   "got a list\n"
                   "5:25 W201 spec.variants.b: expected a boolean, a number, a string or a map, "
                   "got null [the value is empty: write one, or remove the field]");
    expect_shipped("segment.json", SEGMENT "  match: {attribute: age, lt: \"10\"}\n",
                   "5:31 W201 spec.match.lt: expected a number, got a string "
                   "[write the number without quotes]");
    expect_shipped("config.json", "http-threads: 1.5\n",
                   "1:15 W201 http-threads: expected a whole number, got 1.5");
    expect_shipped("flag.json", "just words\n", "1:1 W201 expected a map, got a string");
}
END_TEST

START_TEST(wrong_values)
{
    expect_shipped(
        "flag.json",
        "apiVersion: weir/v2\nkind: Flag\nmetadata: {name: Foo_Bar, expires: 2027-13-01}\n"
        "spec:\n  variants: {a b: 1}\n  default: x y\n",
        "1:13 W204 apiVersion: expected \"weir/v1\", got \"weir/v2\"\n"
        "3:18 W205 metadata.name: a name is 1 to 63 lower-case letters, digits and \"-\", "
        "beginning and ending with a letter or digit, got \"Foo_Bar\"\n"
        "3:36 W205 metadata.expires: write a date like 2027-03-31, got \"2027-13-01\"\n"
        "5:14 W205 spec.variants: a variant name is 1 to 64 letters, digits, \".\", \"_\" "
        "and \"-\", got \"a b\"\n"
        "6:12 W205 spec.default: a variant name is 1 to 64 letters, digits, \".\", \"_\" "
        "and \"-\", got \"x y\"");
    expect_shipped("environment.json",
                   "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: e}\n"
                   "spec: {evaluators: [flagdd, js, js]}\n",
                   "4:21 W204 spec.evaluators[0]: expected one of \"weir\", \"flagd\", \"js\", "
                   "\"python\", \"java\", got \"flagdd\" [did you mean \"flagd\"?]");
    expect_shipped("segment.json", SEGMENT "  include:\n    - a\n    - b\n    - a\n",
                   "8:7 W209 spec.include[2]: \"a\" stands twice in the list (first 6:7)");
    expect_shipped("flag.json", FLAG "  rules:\n    - split: {on: 33.3333, off: 101, b: -1}\n",
                   "8:19 W206 spec.rules[0].split.on: expected a multiple of 0.001, got 33.3333\n"
                   "8:33 W206 spec.rules[0].split.off: expected at most 100, got 101\n"
                   "8:41 W206 spec.rules[0].split.b: expected at least 0, got -1");
    expect_shipped("segment.json", SEGMENT "  match: {attribute: a, between: [1, 2, 3]}\n",
                   "5:34 W207 spec.match.between: expected at most 2 entries, got 3");
    expect_shipped("segment.json", SEGMENT "  match: {attribute: a..b, exists: true}\n",
                   "5:22 W205 spec.match.attribute: an attribute is names with dots between them, "
                   "like app.version, got \"a..b\"");
}
END_TEST

START_TEST(semver_and_time)
{
    static const char *const bad_ranges[] = {"2.0",      ">=2",    "v2.0.0", ">= 2.0.0", "01.0.0",
                                             "2.0.0\\n", "2.0.0 ", "",       "1.2.3+b",  "=>1.2.3"};
    static const char *const bad_times[] = {
        "2026-1-1", "2026-01-32",   "2026-01-01T24:00:00Z", "2026-01-01T09:00:00",
        "tomorrow", "2026-01-01\\n"};
    char yaml[400], expected[400];
    for (size_t i = 0; i < COUNT_OF(bad_ranges); i++) {
        const char *shown = strcmp(bad_ranges[i], "2.0.0\\n") == 0 ? "2.0.0\\x0a" : bad_ranges[i];
        snprintf(yaml, sizeof yaml, SEGMENT "  match: {attribute: a, semver: \"%s\"}\n",
                 bad_ranges[i]);
        snprintf(expected, sizeof expected,
                 "5:33 W205 spec.match.semver: write comparisons with all three numbers, like "
                 "\">=2.0.0 <3.0.0\", got \"%s\"",
                 shown);
        expect_shipped("segment.json", yaml, expected);
    }
    for (size_t i = 0; i < COUNT_OF(bad_times); i++) {
        const char *shown =
            strcmp(bad_times[i], "2026-01-01\\n") == 0 ? "2026-01-01\\x0a" : bad_times[i];
        snprintf(yaml, sizeof yaml, SEGMENT "  match: {attribute: a, before: \"%s\"}\n",
                 bad_times[i]);
        snprintf(expected, sizeof expected,
                 "5:33 W205 spec.match.before: write a time like 2026-01-31T09:00:00Z, a date like "
                 "2026-01-31, or seconds since 1970 as a number, got \"%s\"",
                 shown);
        expect_shipped("segment.json", yaml, expected);
    }
}
END_TEST

#define ONE_FORM                                                                                   \
    "spec.match: a condition is exactly one of all, any, not, segment, program, flag, or "         \
    "attribute with one operator"
#define ONE_OPERATOR                                                                               \
    "spec.match: an attribute takes exactly one operator beside it: is, isNot, in, notIn, "        \
    "startsWith, endsWith, contains, lt, lte, gt, gte, between, semver, before, after or exists"

/* Whatever is wrong with the shape of a condition: one sentence about it. */
START_TEST(condition_shapes)
{
    expect_shipped("segment.json", SEGMENT "  match: {}\n", "5:10 W208 " ONE_FORM);
    expect_shipped("segment.json", SEGMENT "  match: {is: DE}\n", "5:10 W208 " ONE_FORM);
    expect_shipped("segment.json", SEGMENT "  match: {all: [], any: []}\n", "5:20 W208 " ONE_FORM);
    expect_shipped("segment.json", SEGMENT "  match: {attribute: a}\n", "5:10 W208 " ONE_OPERATOR);
    expect_shipped("segment.json", SEGMENT "  match: {attribute: a, is: x, lt: 3}\n",
                   "5:32 W208 " ONE_OPERATOR);
    expect_shipped("segment.json", SEGMENT "  match: {all: [], is: DE}\n",
                   "5:10 W209 spec.match: an operator stands beside an attribute only, like "
                   "{attribute: country, is: DE}");
    expect_shipped("segment.json", SEGMENT "  match: {attribute: a, start_with: x}\n",
                   "5:25 W203 unknown field \"spec.match.start_with\" "
                   "[did you mean \"startsWith\"?]");
    expect_shipped(
        "segment.json", SEGMENT "  match: {attribute: a, equals: x}\n",
        "5:25 W203 unknown field \"spec.match.equals\" [allowed here: all, any, not, "
        "segment, flag, attribute, is, isNot, in, notIn, startsWith, endsWith, contains, "
        "lt, lte, gt, gte, between, semver, before, after, exists]");
    expect_shipped(
        "segment.json", SEGMENT "  match:\n    any:\n      - not: {all: [{}]}\n",
        "7:21 W208 spec.match.any[0].not.all[0]: a condition is exactly one of all, any, "
        "not, segment, program, flag, or attribute with one operator");
}
END_TEST

START_TEST(other_choices)
{
    expect_shipped("flag.json",
                   FLAG "  rules:\n    - {serve: on, split: {on: 100}}\n    - {name: x}\n",
                   "8:19 W208 spec.rules[0]: a rule has exactly one of serve and split\n"
                   "9:7 W208 spec.rules[1]: a rule has exactly one of serve and split");
    expect_shipped("flag.json", FLAG "  rules:\n    - {serve: on, seed: x}\n",
                   "8:19 W202 spec.rules[0]: \"seed\" needs the field \"split\" beside it");
    expect_shipped("segment.json", SEGMENT "  exclude: [a]\n",
                   "5:3 W208 spec: a segment has at least one of match and include");
    expect_shipped("target.json",
                   TARGET "  file: {path: a}\n  redis: {url: \"redis://h\", key: k}\n",
                   "7:3 W208 spec: a target has exactly one of file, redis, http and kubernetes");
    expect_shipped("config.json", "hooks: {github: {}}\n",
                   "1:17 W208 hooks.github: a webhook's secret has exactly one of secretFile and "
                   "secretEnv");
    expect_shipped("target.json", TARGET "  kubernetes: {namespace: n}\n",
                   "6:15 W208 spec.kubernetes: a kubernetes target has exactly one of configMap "
                   "and featureFlag");
    expect_shipped("target.json",
                   TARGET "  kubernetes: {namespace: n, configMap: a, featureFlag: b}\n",
                   "6:44 W208 spec.kubernetes: a kubernetes target has exactly one of configMap "
                   "and featureFlag");
    expect_shipped("config.json", "secrets: {a: {hosts: [h]}}\n",
                   "1:14 W208 secrets.a: a secret has exactly one of file and env");
}
END_TEST

START_TEST(later_fields)
{
    expect_shipped("segment.json", SEGMENT "  match: {program: beta}\n",
                   "5:11 W212 spec.match.program: early-access programs do not work yet");
}
END_TEST

START_TEST(hostile_places)
{
    static const char *const paths[] = {"../x", "a/../x", "a/..", "..", "a\\tb"};
    static const char *const urls[] = {"redis://",    "redis://h:123456", "redis://u:p@h",
                                       "http://h",    "redis://h/x",      "redis://h h",
                                       "redis://h\\n"};
    static const char *const pages[] = {"http://",       "http:///x",      "ftp://h/",
                                        "http://u:p@h",  "http://h/a b",   "http://h/#x",
                                        "http://h/\\\\", "http://h:123456"};
    static const char *const clusters[] = {"server: \"https://h/api\", configMap: x",
                                           "server: \"https://u:p@h\", configMap: x",
                                           "configMap: ../x", "configMap: a/b", "featureFlag: A"};
    const size_t redis = COUNT_OF(paths), http = redis + COUNT_OF(urls),
                 kubernetes = http + COUNT_OF(pages);
    char yaml[400];
    struct schema_set *set = shipped();
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < kubernetes + COUNT_OF(clusters); i++) {
        struct diagnostics faults;
        struct checking checking = {.schema = schema_set_find(set, "target.json"),
                                    .faults = &faults};
        diagnostics_init(&faults);
        if (i < redis)
            snprintf(yaml, sizeof yaml, TARGET "  file: {path: \"%s\"}\n", paths[i]);
        else if (i < http)
            snprintf(yaml, sizeof yaml, TARGET "  redis: {key: k, url: \"%s\"}\n", urls[i - redis]);
        else if (i < kubernetes)
            snprintf(yaml, sizeof yaml, TARGET "  http: {url: \"%s\"}\n", pages[i - http]);
        else
            snprintf(yaml, sizeof yaml, TARGET "  kubernetes: {namespace: n, %s}\n",
                     clusters[i - kubernetes]);
        ck_assert_int_eq(yaml_read(&arena, TEXT("f"), text_of(yaml), validate, &checking, &faults),
                         STATUS_OK);
        ck_assert_msg(faults.count == 1, "%zu faults in %s", faults.count, yaml);
        ck_assert_str_eq(faults.items[0].code, "W205");
        diagnostics_dispose(&faults);
    }
    arena_dispose(&arena);
    schema_set_free(set);
    expect_shipped("target.json", TARGET "  redis: {url: \"redis://h\", key: \"a{b}\"}\n",
                   "6:34 W205 spec.redis.key: a key is 1 to 200 characters without braces, spaces "
                   "and control characters, got \"a{b}\"");
    expect_shipped("target.json", TARGET "  file: {path: \"\"}\n",
                   "6:16 W207 spec.file.path: expected at least 1 character, got 0");
}
END_TEST

UNIT_MAIN("schema files", good_flag, every_operator, good_others, missing_fields, unknown_fields,
          wrong_types, wrong_values, semver_and_time, condition_shapes, other_choices, later_fields,
          hostile_places)
