/* Documents together: every name exists, nothing refers in a circle, and every fault has its
 * place. */
#include <time.h>

#include "rules_unit.h"

#define FILE_PATH "flags/all.yaml"

/* Definitions behind one environment, which takes lines 1 to 3; a RIG_FLAG begins with "---" and
 * its spec's own lines are those from the ninth on. */
static void expect_one(const char *yaml, const char *code, uint32_t line, uint32_t column,
                       const char *message, const char *hint)
{
    struct rig rig;
    rig_faults(&rig, FILE_PATH, yaml);
    rig_expect_only(&rig, code, FILE_PATH, line, column, message);
    ck_assert_text(rig.faults.items[0].hint, hint);
    rig_dispose(&rig);
}

START_TEST(unknown_names_are_reported_where_they_stand)
{
    expect_one(RIG_PRODUCTION RIG_FLAG("f", "  rules:\n    - {when: {segment: staf}, serve: on}\n")
                   RIG_SEGMENT("staff", "{include: [a]}"),
               CODE_UNKNOWN_SEGMENT, 12, 24, "segment \"staf\" does not exist",
               "did you mean \"staff\"?");
    expect_one(RIG_PRODUCTION RIG_SEGMENT("a", "\n  match: {not: {segment: zzzz}}"),
               CODE_UNKNOWN_SEGMENT, 9, 26, "segment \"zzzz\" does not exist", "");
    expect_one(RIG_PRODUCTION RIG_FLAG("f", "  rules:\n    - serve: onn\n"), CODE_UNKNOWN_VARIANT,
               12, 14, "in flag \"f\" variant \"onn\" does not exist", "did you mean \"on\"?");
    expect_one(RIG_PRODUCTION RIG_FLAG("f", "  rules:\n    - split: {on: 10, maybe: 90}\n"),
               CODE_UNKNOWN_VARIANT, 12, 23, "in flag \"f\" variant \"maybe\" does not exist", "");
    expect_one(RIG_PRODUCTION RIG_FLAG("f", "  environments:\n    production: {default: of}\n"),
               CODE_UNKNOWN_VARIANT, 12, 27, "in flag \"f\" variant \"of\" does not exist",
               "did you mean \"on\"?");
    expect_one(RIG_PRODUCTION RIG_FLAG("f", "  environments:\n    prodution: {enabled: false}\n"),
               CODE_UNKNOWN_ENVIRONMENT, 12, 5, "environment \"prodution\" does not exist",
               "did you mean \"production\"?");
    expect_one(RIG_PRODUCTION RIG_FLAG(
                   "f", "  rules:\n    - when: {flag: {name: g, is: on}}\n      serve: on\n"),
               CODE_UNKNOWN_FLAG, 12, 27, "flag \"g\" does not exist", "");
    expect_one(RIG_PRODUCTION RIG_FLAG(
                   "f", "  rules:\n    - when: {flag: {name: g, is: onn}}\n      serve: on\n")
                   RIG_FLAG("g", ""),
               CODE_UNKNOWN_VARIANT, 12, 34, "in flag \"g\" variant \"onn\" does not exist",
               "did you mean \"on\"?");
    expect_one("apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\nspec:\n  "
               "promotesFrom: staging\n",
               CODE_UNKNOWN_ENVIRONMENT, 5, 17, "environment \"staging\" does not exist", "");
    expect_one(RIG_PRODUCTION "---\napiVersion: weir/v1\nkind: Target\nmetadata: {name: t}\nspec: "
                              "{environment: prod, file: {path: x}}\n",
               CODE_UNKNOWN_ENVIRONMENT, 8, 21, "environment \"prod\" does not exist", "");
    expect_one("apiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\nspec: {variants: {on: true}, "
               "default: on}\n",
               CODE_NO_ENVIRONMENT, 3, 18,
               "flags are defined, but no environment to evaluate them in",
               "add environments/production.yaml with kind: Environment");
}
END_TEST

START_TEST(the_default_must_be_a_variant)
{
    expect_one(RIG_PRODUCTION "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\nspec:\n"
                              "  variants: {red: r, blue: b}\n  default: bleu\n",
               CODE_UNKNOWN_VARIANT, 10, 12, "in flag \"f\" variant \"bleu\" does not exist",
               "did you mean \"blue\"?");
}
END_TEST

START_TEST(all_faults_come_in_one_go)
{
    struct rig rig;
    rig_faults(&rig, FILE_PATH,
               RIG_PRODUCTION RIG_FLAG(
                   "f", "  rules:\n    - {when: {segment: one}, serve: two}\n"
                        "    - {when: {all: [{segment: three}, {not: {flag: {name: four, is: x}}}]}"
                        ", split: {on: 50, five: 49}}\n"));
    ck_assert_uint_eq(rig.faults.count,
                      1); /* the weights are the document's own fault: it is not linked yet */
    rig_expect_fault(&rig, 0, CODE_WEIGHTS, FILE_PATH, 13, 84,
                     "weights of this split sum to 99, not to 100");
    rig_dispose(&rig);
    rig_faults(&rig, FILE_PATH,
               RIG_PRODUCTION RIG_FLAG(
                   "f", "  rules:\n    - {when: {segment: one}, serve: two}\n"
                        "    - {when: {all: [{segment: three}, {not: {flag: {name: four, is: x}}}]}"
                        ", split: {on: 50, five: 50}}\n"));
    ck_assert_uint_eq(rig.faults.count, 5);
    rig_expect_fault(&rig, 0, CODE_UNKNOWN_SEGMENT, FILE_PATH, 12, 24,
                     "segment \"one\" does not exist");
    rig_expect_fault(&rig, 1, CODE_UNKNOWN_VARIANT, FILE_PATH, 12, 37,
                     "in flag \"f\" variant \"two\" does not exist");
    rig_expect_fault(&rig, 2, CODE_UNKNOWN_SEGMENT, FILE_PATH, 13, 31,
                     "segment \"three\" does not exist");
    rig_expect_fault(&rig, 3, CODE_UNKNOWN_FLAG, FILE_PATH, 13, 59, "flag \"four\" does not exist");
    rig_expect_fault(&rig, 4, CODE_UNKNOWN_VARIANT, FILE_PATH, 13, 93,
                     "in flag \"f\" variant \"five\" does not exist");
    rig_dispose(&rig);
}
END_TEST

START_TEST(names_in_two_files_show_both)
{
    struct rig rig;
    rig_init(&rig);
    rig_add(&rig, "environments/p.yaml", TEXT(RIG_PRODUCTION));
    rig_add(&rig, "segments/b.yaml", TEXT(RIG_SEGMENT("staff", "{include: [a]}")));
    rig_add(&rig, "segments/a.yaml", TEXT("# first\n" RIG_SEGMENT("staff", "{include: [b]}")));
    rig_add(&rig, "flags/c.yaml",
            TEXT(RIG_FLAG("staff", "") RIG_FLAG("other", "") RIG_FLAG("staff", "")));
    ck_assert_int_eq(rig_link(&rig), STATUS_INVALID);
    ck_assert_uint_eq(rig.faults.count, 2); /* a flag and a segment may share a name */
    rig_expect_fault(&rig, 0, CODE_DUPLICATE_NAME, "flags/c.yaml", 18, 18,
                     "Flag \"staff\" is defined twice");
    rig_expect_other(&rig, 0, "flags/c.yaml", 4, 18);
    rig_expect_fault(&rig, 1, CODE_DUPLICATE_NAME, "segments/b.yaml", 4, 18,
                     "Segment \"staff\" is defined twice");
    rig_expect_other(&rig, 1, "segments/a.yaml", 5, 18);
    rig_dispose(&rig);
}
END_TEST

#define TARGET(name, spec)                                                                         \
    "---\napiVersion: weir/v1\nkind: Target\nmetadata: {name: " name                               \
    "}\nspec:\n  environment: production\n  " spec "\n"

START_TEST(targets_do_not_share_a_place)
{
    struct rig rig;
    rig_faults(&rig, "targets/t.yaml",
               RIG_PRODUCTION TARGET("one", "file: {path: a/b.json}")
                   TARGET("two", "file: {path: a/c.json}") TARGET("three", "file: {path: a/b.json}")
                       TARGET("four", "redis: {url: \"redis://h\", key: k}")
                           TARGET("five", "redis: {url: \"redis://h\", key: k2}"));
    ck_assert_uint_eq(rig.faults.count, 1);
    rig_expect_fault(&rig, 0, CODE_SAME_TARGET, "targets/t.yaml", 24, 16,
                     "targets \"one\" and \"three\" write to the same place");
    rig_expect_other(&rig, 0, "targets/t.yaml", 10, 16);
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_faulty_document_is_not_called_unknown)
{
    struct rig rig;
    rig_faults(&rig, FILE_PATH,
               RIG_PRODUCTION RIG_SEGMENT("staff", "{match: {attribute: a, semver: x}}")
                   RIG_FLAG("f", "  rules: [{when: {segment: staff}, serve: on}]\n"));
    ck_assert_uint_eq(rig.faults.count, 1);
    ck_assert_str_eq(rig.faults.items[0].code, CODE_SCHEMA_PATTERN);
    rig_dispose(&rig);
    rig_init(&rig);
    rig_add(&rig, "flags/a.yaml",
            TEXT(RIG_PRODUCTION RIG_FLAG("f", "  rules: [{when: {segment: s}, serve: on}]\n")));
    rig_add(&rig, "segments/s.yaml", TEXT("a: [\n"));
    ck_assert_int_eq(rig_link(&rig), STATUS_INVALID);
    ck_assert_uint_eq(rig.faults.count,
                      1); /* what the unreadable file would have defined is not known */
    ck_assert_str_eq(rig.faults.items[0].code, CODE_YAML);
    rig_dispose(&rig);
}
END_TEST

/* --- circles
 * -------------------------------------------------------------------------------------------------
 */

#define SEGMENT_OF(name, other) RIG_SEGMENT(name, "{match: {segment: " other "}}")

START_TEST(circles_are_reported_once)
{
    struct rig rig;
    rig_faults(&rig, FILE_PATH,
               RIG_PRODUCTION SEGMENT_OF("c", "a") SEGMENT_OF("a", "b") SEGMENT_OF("b", "c")
                   SEGMENT_OF("outside", "b")
                       RIG_FLAG("f", "  rules: [{when: {segment: c}, serve: on}]\n"));
    rig_expect_only(&rig, CODE_CYCLE, FILE_PATH, 12, 18,
                    "definitions refer to each other in a circle: a -> b -> c -> a");
    rig_dispose(&rig);
    rig_faults(&rig, FILE_PATH, RIG_PRODUCTION SEGMENT_OF("self", "self"));
    rig_expect_only(&rig, CODE_CYCLE, FILE_PATH, 7, 18,
                    "definitions refer to each other in a circle: self -> self");
    rig_dispose(&rig);
}
END_TEST

START_TEST(every_circle_is_reported)
{
    struct rig rig;
    rig_faults(&rig, FILE_PATH,
               RIG_PRODUCTION RIG_SEGMENT("a", "{match: {any: [{segment: b}, {segment: c}]}}")
                   SEGMENT_OF("b", "a") SEGMENT_OF("c", "a") SEGMENT_OF("x", "y")
                       SEGMENT_OF("y", "x"));
    ck_assert_msg(rig.faults.count == 3, "%s", rig_story(&rig));
    rig_expect_fault(&rig, 0, CODE_CYCLE, FILE_PATH, 7, 18,
                     "definitions refer to each other in a circle: a -> b -> a");
    rig_expect_fault(&rig, 1, CODE_CYCLE, FILE_PATH, 7, 18,
                     "definitions refer to each other in a circle: a -> c -> a");
    rig_expect_fault(&rig, 2, CODE_CYCLE, FILE_PATH, 22, 18,
                     "definitions refer to each other in a circle: x -> y -> x");
    rig_dispose(&rig);
}
END_TEST

#define FLAG_OF(name, other, more)                                                                 \
    RIG_FLAG(name, "  rules: [{when: {flag: {name: " other ", is: on}}, serve: on}]\n" more)

START_TEST(prerequisites_form_circles_too)
{
    struct rig rig;
    rig_faults(&rig, FILE_PATH, RIG_PRODUCTION FLAG_OF("f", "g", "") FLAG_OF("g", "f", ""));
    rig_expect_only(&rig, CODE_CYCLE, FILE_PATH, 7, 18,
                    "definitions refer to each other in a circle: f -> g -> f");
    rig_dispose(&rig);
    /* through a segment */
    rig_faults(&rig, FILE_PATH,
               RIG_PRODUCTION RIG_FLAG("f", "  rules: [{when: {segment: s}, serve: on}]\n")
                   RIG_SEGMENT("s", "{match: {flag: {name: f, is: on}}}"));
    rig_expect_only(&rig, CODE_CYCLE, FILE_PATH, 7, 18,
                    "definitions refer to each other in a circle: f -> s -> f");
    rig_dispose(&rig);
    /* only in one environment of two */
    rig_faults(
        &rig, FILE_PATH,
        RIG_PRODUCTION
        "---\napiVersion: weir/v1\nkind: Environment\nmetadata: {name: staging}\n" FLAG_OF("f", "g",
                                                                                           "")
            RIG_FLAG("g", "  environments:\n    staging: {rules: [{when: {flag: {name: f, is: "
                          "on}}, serve: on}]}\n"));
    rig_expect_only(&rig, CODE_CYCLE, FILE_PATH, 11, 18,
                    "definitions refer to each other in a circle: f -> g -> f");
    rig_dispose(&rig);
    /* and none where every environment has rules of its own */
    rig_init(&rig);
    rig_add(&rig, FILE_PATH,
            TEXT(RIG_PRODUCTION FLAG_OF("f", "g", "  environments: {production: {rules: []}}\n")
                     FLAG_OF("g", "f", "")));
    ck_assert_msg(rig_link(&rig) == STATUS_OK, "%s", rig_story(&rig));
    rig_dispose(&rig);
}
END_TEST

/* Segments s00000 … each of which names the next, or the one before. */
static void add_chain(struct rig *rig, unsigned count, bool forward)
{
    struct buffer yaml;
    char path[40];
    buffer_init(&yaml, 0);
    rig_add(rig, "environments/p.yaml", TEXT(RIG_PRODUCTION));
    for (unsigned i = 0; i < count; i++) {
        bool last = forward ? i + 1 == count : i == 0;
        buffer_printf(&yaml, "---\napiVersion: weir/v1\nkind: Segment\nmetadata: {name: s%05u}\n",
                      i);
        if (last)
            buffer_append_string(&yaml, "spec: {include: [end]}\n");
        else
            buffer_printf(&yaml, "spec: {match: {segment: s%05u}}\n", forward ? i + 1 : i - 1);
        if (i % 900 == 899 || i + 1 == count) {
            snprintf(path, sizeof path, "segments/%05u.yaml", i);
            rig_add(rig, path, buffer_text(&yaml));
            buffer_clear(&yaml);
        }
    }
    buffer_dispose(&yaml);
}

/* Whichever way their names sort: 32 are taken, 33 are not. */
START_TEST(deep_chains_are_refused_in_any_order)
{
    static const struct {
        unsigned count;
        bool forward, good;
    } cases[] = {{32, true, true},
                 {32, false, true},
                 {33, true, false},
                 {33, false, false},
                 {40, false, false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        rig_init(&rig);
        add_chain(&rig, cases[i].count, cases[i].forward);
        enum status status = rig_link(&rig);
        ck_assert_msg(status == (cases[i].good ? STATUS_OK : STATUS_INVALID), "chain of %u, %s: %s",
                      cases[i].count, cases[i].forward ? "forward" : "backward", rig_story(&rig));
        if (!cases[i].good) {
            ck_assert_str_eq(rig.faults.items[0].code, CODE_CYCLE);
            ck_assert_text(rig.faults.items[0].message,
                           "segments and prerequisites refer to each other more than 32 deep");
            ck_assert(rig.faults.items[0].place.line > 0);
        }
        rig_dispose(&rig);
    }
}
END_TEST

/* A flag over 31 segments is fine; those that ask for it are not, and are told of. */
START_TEST(who_reaches_too_deep_is_told)
{
    for (unsigned first = 0; first < 2; first++) {
        struct rig rig;
        char yaml[300];
        rig_init(&rig);
        add_chain(&rig, 31, true);
        snprintf(yaml, sizeof yaml,
                 RIG_FLAG("%s", "  rules: [{when: {segment: s00000}, serve: on}]\n"),
                 first ? "a" : "z");
        rig_add(&rig, "flags/plain.yaml", text_of(yaml));
        snprintf(yaml, sizeof yaml,
                 RIG_FLAG("p", "  rules: [{when: {flag: {name: %s, is: on}}, serve: on}]\n"),
                 first ? "a" : "z");
        rig_add(&rig, "flags/who.yaml", text_of(yaml));
        ck_assert_int_eq(rig_link(&rig), STATUS_INVALID);
        ck_assert_msg(rig.faults.errors == 1, "%s", rig_story(&rig));
        ck_assert_text(rig.faults.items[0].place.path, "flags/who.yaml");
        rig_dispose(&rig);
    }
}
END_TEST

START_TEST(an_endless_chain_does_not_exhaust_the_stack)
{
    struct rig rig;
    rig_init(&rig);
    add_chain(&rig, 60000, false);
    rig_add(&rig, "flags/f.yaml",
            TEXT(RIG_FLAG("f", "  rules: [{when: {segment: s59999}, serve: on}]\n")));
    ck_assert_int_eq(rig_link(&rig), STATUS_INVALID);
    ck_assert_uint_ge(rig.faults.count, 1);
    rig_dispose(&rig);
}
END_TEST

/* --- many faults
 * --------------------------------------------------------------------------------------------- */

START_TEST(many_faults_are_counted_and_a_hundred_shown)
{
    struct rig rig;
    struct buffer yaml, out;
    char path[40];
    buffer_init(&yaml, 0);
    buffer_init(&out, 0);
    rig_init(&rig);
    rig_add(&rig, "environments/p.yaml", TEXT(RIG_PRODUCTION));
    for (unsigned i = 0; i < 12000; i++) {
        buffer_printf(&yaml,
                      "---\napiVersion: weir/v1\nkind: Segment\nmetadata: {name: s%05u}\n"
                      "spec: {match: {segment: none%05u}}\n",
                      i, i);
        if (i % 1000 == 999) {
            snprintf(path, sizeof path, "segments/%05u.yaml", i);
            rig_add(&rig, path, buffer_text(&yaml));
            buffer_clear(&yaml);
        }
    }
    ck_assert_int_eq(rig_link(&rig), STATUS_INVALID);
    ck_assert_uint_eq(rig.faults.errors, 12000);
    ck_assert_uint_eq(rig.faults.count, DIAGNOSTICS_KEPT);
    diagnostics_write_text(&out, &rig.faults, false);
    ck_assert(text_ends_with(buffer_text(&out),
                             TEXT("\n12000 errors, 0 warnings (the first 100 are shown)\n")));
    rig_dispose(&rig);
    buffer_dispose(&yaml);
    buffer_dispose(&out);
}
END_TEST

/* One segment is removed that everybody uses: looking for near names must not cost names times
 * uses. */
START_TEST(a_missing_name_used_everywhere_is_found_fast)
{
    struct rig rig;
    struct buffer yaml;
    char path[40];
    buffer_init(&yaml, 0);
    rig_init(&rig);
    rig_add(&rig, "environments/p.yaml", TEXT(RIG_PRODUCTION));
    for (unsigned i = 0; i < 30000; i++) {
        buffer_printf(&yaml,
                      "---\napiVersion: weir/v1\nkind: Segment\nmetadata: {name: "
                      "common-prefix-of-all-%05u-x}\n"
                      "spec: {match: {segment: common-prefix-of-all-%05u-yyy}}\n",
                      i, i);
        if (i % 1000 == 999) {
            snprintf(path, sizeof path, "segments/%05u.yaml", i);
            rig_add(&rig, path, buffer_text(&yaml));
            buffer_clear(&yaml);
        }
    }
    ck_assert_int_eq(rig_link(&rig), STATUS_INVALID);
    ck_assert_uint_eq(rig.faults.errors, 30000);
    rig_dispose(&rig);
    buffer_dispose(&yaml);
}
END_TEST

/* What a flag can be is looked up by name: neither uses times variants, which takes minutes here,
 * nor variants squared. */
START_TEST(many_variants_are_looked_up_fast)
{
    struct rig rig;
    struct buffer yaml;
    struct timespec before, after;
    for (int faulty = 0; faulty < 2; faulty++) {
        buffer_init(&yaml, 0);
        buffer_append_string(&yaml, RIG_PRODUCTION
                             "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\nspec:\n"
                             "  default: v0\n  rules:\n    - {serve: v89999}\n");
        for (unsigned i = 0; faulty && i < 40000; i++)
            buffer_printf(&yaml, "    - {serve: v%u%s}\n", 89999 - i, i % 2 ? "" : "-not-there");
        buffer_append_string(&yaml, "  variants:\n");
        for (unsigned i = 0; i < 90000; i++)
            buffer_printf(&yaml, "    v%u: %u\n", i, i);
        ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before), 0);
        if (faulty)
            rig_faults(&rig, "flags/f.yaml", buffer_string(&yaml));
        else
            rig_build(&rig, buffer_string(&yaml));
        ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after), 0);
        ck_assert_int_lt(after.tv_sec - before.tv_sec, 20);
        ck_assert_uint_eq(rig.faults.errors, faulty ? 20000 : 0);
        if (faulty)
            rig_expect_fault(&rig, 0, CODE_UNKNOWN_VARIANT, "flags/f.yaml", 12, 15,
                             "in flag \"f\" variant \"v89999-not-there\" does not exist");
        rig_dispose(&rig);
        buffer_dispose(&yaml);
    }
}
END_TEST

START_TEST(many_targets_are_compared_fast)
{
    struct rig rig;
    struct buffer yaml;
    char path[40];
    buffer_init(&yaml, 0);
    rig_init(&rig);
    rig_add(&rig, "environments/p.yaml", TEXT(RIG_PRODUCTION));
    for (unsigned i = 0; i < 60000; i++) {
        buffer_printf(&yaml, TARGET("t%05u", "file: {path: p/%05u.json}"), i, i == 59999 ? 7 : i);
        if (i % 1000 == 999) {
            snprintf(path, sizeof path, "targets/%05u.yaml", i);
            rig_add(&rig, path, buffer_text(&yaml));
            buffer_clear(&yaml);
        }
    }
    ck_assert_int_eq(rig_link(&rig), STATUS_INVALID);
    rig_expect_only(&rig, CODE_SAME_TARGET, "targets/59999.yaml", 7000, 16,
                    "targets \"t00007\" and \"t59999\" write to the same place");
    rig_expect_other(&rig, 0, "targets/00999.yaml", 56, 16);
    rig_dispose(&rig);
    buffer_dispose(&yaml);
}
END_TEST

UNIT_MAIN("link", unknown_names_are_reported_where_they_stand, the_default_must_be_a_variant,
          all_faults_come_in_one_go, names_in_two_files_show_both, targets_do_not_share_a_place,
          a_faulty_document_is_not_called_unknown, circles_are_reported_once,
          every_circle_is_reported, prerequisites_form_circles_too,
          deep_chains_are_refused_in_any_order, who_reaches_too_deep_is_told,
          an_endless_chain_does_not_exhaust_the_stack, many_faults_are_counted_and_a_hundred_shown,
          a_missing_name_used_everywhere_is_found_fast, many_targets_are_compared_fast,
          many_variants_are_looked_up_fast)
