/* What is in force after good and faulty commits: as DESIGN section 5 says. */
#include "fragments.h"
#include "reconcile_unit.h"

#define FLAG(name, spec)                                                                           \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: " name "}\nspec: " spec "\n"
#define SEGMENT(name, spec)                                                                        \
    "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: " name "}\nspec: " spec "\n"
#define ENVIRONMENT(name, spec)                                                                    \
    "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: " name "}\nspec: " spec "\n"
#define PLAIN(value) "{variants: {v: " value "}, default: v}"
#define ASKING(segment, value)                                                                     \
    "{variants: {v: " value ", w: " value "0}, default: v, rules: [{when: {segment: " segment      \
    "}, serve: w}]}"

struct example {
    struct way way;
    struct tree tree;
};

static void example_init(struct example *example)
{
    way_init(&example->way);
    example->tree = (struct tree){{0}};
}

static void put(struct example *example, const char *path, const char *text)
{
    for (size_t i = 0; i < FILES; i++) {
        if (strcmp(tree_paths[i], path) == 0)
            example->tree.files[i] = text ? keep_text(text) : 0;
    }
}

static void commit(struct example *example)
{
    way_go(&example->way, &example->tree);
}

/* The value of the default variant "v" of a flag in production; NULL: there is no such flag. */
static const char *value_of(const struct example *example, const char *flag)
{
    static char out[40];
    const struct inventory_document *document =
        inventory_document(&example->way.inventory, TEXT("production"));
    ck_assert_ptr_nonnull(document);
    const struct fragment *fragment = document_find(document->document, text_of(flag));
    char *whole = fragment ? json_of(fragment) : NULL;
    const char *json = whole ? strstr(whole, "\"v\":") : NULL;
    if (json)
        snprintf(out, sizeof out, "%.*s", (int)strcspn(json + 4, ",}"), json + 4);
    free(whole);
    return json ? out : NULL;
}

#define expect_value(example, flag, value) ck_assert_pstr_eq(value_of(example, flag), value)

static void begin(struct example *example)
{
    example_init(example);
    put(example, "environments/production.yaml", ENVIRONMENT("production", "{}"));
    put(example, "flags/a.yaml", FLAG("a", PLAIN("1")));
    put(example, "flags/b.yaml", FLAG("b", ASKING("p", "1")));
    put(example, "segments/p.yaml", SEGMENT("p", "{match: {attribute: x, is: 1}}"));
    commit(example);
    ck_assert_msg(example->way.result.whole, "%s", story(&example->way.result.diagnostics));
}

static void expect_fault(const struct example *example, const char *code, const char *path)
{
    const struct diagnostics *faults = &example->way.result.diagnostics;
    ck_assert(!example->way.result.whole);
    for (size_t i = 0; i < faults->count; i++) {
        if (strcmp(faults->items[i].code, code) == 0 && text_is(faults->items[i].place.path, path))
            return;
    }
    ck_abort_msg("no %s in %s:\n%s", code, path, story(faults));
}

START_TEST(the_faulty_one_stands_and_the_rest_goes_live)
{
    struct example example;
    begin(&example);
    put(&example, "flags/a.yaml", FLAG("a", "{variants: {v: 2}, default: nope}"));
    put(&example, "flags/b.yaml", FLAG("b", ASKING("p", "2")));
    put(&example, "flags/c.yaml", FLAG("c", PLAIN("2")));
    put(&example, "flags/d.yaml", "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: d\n");
    commit(&example);
    expect_fault(&example, CODE_UNKNOWN_VARIANT, "flags/a.yaml");
    expect_value(&example, "a", "1");
    expect_value(&example, "b", "2");
    expect_value(&example, "c", "2");
    expect_value(&example, "d", NULL);
    /* A commit that has nothing to do with it changes nothing of it. */
    put(&example, "flags/c.yaml", FLAG("c", PLAIN("3")));
    commit(&example);
    expect_fault(&example, CODE_UNKNOWN_VARIANT, "flags/a.yaml");
    expect_value(&example, "a", "1");
    expect_value(&example, "c", "3");
    put(&example, "flags/a.yaml", FLAG("a", PLAIN("4")));
    put(&example, "flags/d.yaml", FLAG("d", PLAIN("4")));
    commit(&example);
    ck_assert_msg(example.way.result.whole, "%s", story(&example.way.result.diagnostics));
    expect_value(&example, "a", "4");
    expect_value(&example, "d", "4");
    way_dispose(&example.way);
}
END_TEST

START_TEST(what_depends_on_the_faulty_one_stands_too)
{
    struct example example;
    begin(&example);
    put(&example, "segments/p.yaml", SEGMENT("p", "{match: {attribute: x, isnt: 1}}"));
    put(&example, "flags/b.yaml", FLAG("b", ASKING("p", "2")));
    put(&example, "flags/a.yaml", FLAG("a", PLAIN("2")));
    commit(&example);
    expect_value(&example, "a", "2");
    expect_value(&example, "b", "1");
    ck_assert_uint_eq(example.way.result.diagnostics.errors, 1);
    way_dispose(&example.way);
}
END_TEST

/* What is near is looked for in all that the commit defines, also in files that it does not touch.
 */
START_TEST(a_near_name_that_the_commit_does_not_touch_is_offered)
{
    struct example example;
    begin(&example);
    put(&example, "segments/q.yaml", SEGMENT("staff-two", "{match: {attribute: x, is: 1}}"));
    put(&example, "segments/r.yaml", SEGMENT("staff-one", "{match: {attribute: x, is: 1}}"));
    commit(&example);
    put(&example, "flags/a.yaml", FLAG("a", ASKING("staff-on", "1")));
    put(&example, "flags/c.yaml", FLAG("c", ASKING("staff-tow", "1")));
    commit(&example);
    const char *told = story(&example.way.result.diagnostics);
    ck_assert_msg(strstr(told, "hint: did you mean \"staff-one\"?"), "%s", told);
    ck_assert_msg(strstr(told, "hint: did you mean \"staff-two\"?"), "%s", told);
    way_dispose(&example.way);
}
END_TEST

/* However often it is asked for: one that lets go of it lets go of it once. */
START_TEST(what_is_asked_for_often_is_one_reference)
{
    struct example example;
    begin(&example);
    put(&example, "flags/b.yaml",
        FLAG("b", "{variants: {v: 1, w: 0}, default: w, rules: [{serve: v, when: {any: [{segment: "
                  "p}, {segment: q}, {segment: p}, {segment: q}]}}]}"));
    put(&example, "segments/q.yaml", SEGMENT("q", "{match: {segment: p}}"));
    commit(&example);
    ck_assert_msg(example.way.result.whole, "%s", story(&example.way.result.diagnostics));
    const struct inventory *inventory = &example.way.inventory;
    ck_assert_uint_eq(inventory_find(inventory, KIND_FLAG, TEXT("b"))->reference_count, 2);
    ck_assert_uint_eq(inventory_find(inventory, KIND_SEGMENT, TEXT("p"))->referrer_count, 2);
    ck_assert_uint_eq(inventory_find(inventory, KIND_SEGMENT, TEXT("q"))->referrer_count, 1);
    /* Numbers that were all given begin again. */
    example.way.inventory.asking = UINT32_MAX;
    put(&example, "flags/b.yaml", FLAG("b", ASKING("p", "2")));
    commit(&example);
    ck_assert_uint_eq(inventory_find(inventory, KIND_FLAG, TEXT("b"))->reference_count, 1);
    ck_assert_uint_eq(inventory_find(inventory, KIND_SEGMENT, TEXT("p"))->referrer_count, 2);
    way_dispose(&example.way);
}
END_TEST

START_TEST(what_is_still_asked_for_cannot_be_removed)
{
    struct example example;
    begin(&example);
    put(&example, "segments/p.yaml", NULL);
    put(&example, "flags/a.yaml", FLAG("a", PLAIN("2")));
    commit(&example);
    expect_fault(&example, CODE_UNKNOWN_SEGMENT, "flags/b.yaml");
    expect_value(&example, "a", "2");
    expect_value(&example, "b", "1");
    /* Now nobody asks for it any more. */
    put(&example, "flags/b.yaml", FLAG("b", PLAIN("3")));
    commit(&example);
    ck_assert_msg(example.way.result.whole, "%s", story(&example.way.result.diagnostics));
    expect_value(&example, "b", "3");
    ck_assert_ptr_null(inventory_find(&example.way.inventory, KIND_SEGMENT, TEXT("p")));
    way_dispose(&example.way);
}
END_TEST

START_TEST(nothing_vanishes_while_something_cannot_be_read)
{
    struct example example;
    begin(&example);
    /* Renamed, and broken on the way. */
    put(&example, "flags/a.yaml", NULL);
    put(&example, "flags/c.yaml", "apiVersion: weir/v1\nkind: Flag\n metadata: {name: a}\n");
    put(&example, "flags/b.yaml", FLAG("b", ASKING("p", "2")));
    commit(&example);
    expect_value(&example, "a", "1");
    expect_value(&example, "b", "2");
    put(&example, "flags/c.yaml", NULL);
    commit(&example);
    ck_assert(example.way.result.whole);
    expect_value(&example, "a", NULL);
    way_dispose(&example.way);
}
END_TEST

START_TEST(an_environment_that_nothing_compiles_for_stands)
{
    struct example example;
    begin(&example);
    put(&example, "flags/a.yaml", FLAG("a", PLAIN("4294967296")));
    commit(&example);
    expect_value(&example, "a", "4294967296");
    put(&example, "environments/production.yaml",
        ENVIRONMENT("production", "{evaluators: [weir, java]}"));
    put(&example, "flags/b.yaml", FLAG("b", ASKING("p", "2")));
    commit(&example);
    expect_fault(&example, CODE_ENCODING, "flags/a.yaml");
    expect_value(&example, "a", "4294967296");
    expect_value(&example, "b", "2");
    ck_assert_uint_eq(example.way.inventory.documents[0].evaluators,
                      EVALUATOR_WEIR | EVALUATOR_FLAGD);
    put(&example, "flags/a.yaml", FLAG("a", PLAIN("5")));
    commit(&example);
    ck_assert_msg(example.way.result.whole, "%s", story(&example.way.result.diagnostics));
    ck_assert_uint_eq(example.way.inventory.documents[0].evaluators,
                      EVALUATOR_WEIR | EVALUATOR_JAVA);
    way_dispose(&example.way);
}
END_TEST

START_TEST(a_name_that_is_defined_twice_stands)
{
    struct example example;
    begin(&example);
    put(&example, "flags/c.yaml", FLAG("a", PLAIN("2")));
    commit(&example);
    expect_fault(&example, CODE_DUPLICATE_NAME, "flags/c.yaml");
    expect_value(&example, "a", "1");
    put(&example, "flags/a.yaml", NULL);
    commit(&example);
    ck_assert(example.way.result.whole);
    expect_value(&example, "a", "2");
    way_dispose(&example.way);
}
END_TEST

START_TEST(emptying_the_repository_harms_nobody)
{
    struct example example;
    begin(&example);
    struct tree tree = example.tree;
    example.tree = (struct tree){{0}};
    commit(&example);
    expect_fault(&example, CODE_NO_DEFINITIONS, ".");
    expect_value(&example, "a", "1");
    expect_value(&example, "b", "1");
    example.tree = tree;
    put(&example, "environments/production.yaml", NULL);
    commit(&example);
    ck_assert(!example.way.result.whole);
    expect_value(&example, "a", "1");
    way_dispose(&example.way);
}
END_TEST

START_TEST(circles_stand_as_they_were)
{
    struct example example;
    begin(&example);
    put(&example, "segments/q.yaml", SEGMENT("q", "{match: {segment: p}}"));
    put(&example, "segments/p.yaml", SEGMENT("p", "{match: {segment: q}}"));
    put(&example, "flags/b.yaml", FLAG("b", ASKING("p", "2")));
    put(&example, "flags/a.yaml", FLAG("a", PLAIN("2")));
    commit(&example);
    expect_value(&example, "a", "2");
    expect_value(&example, "b", "1");
    ck_assert_ptr_null(inventory_find(&example.way.inventory, KIND_SEGMENT, TEXT("q"))->in_force);
    way_dispose(&example.way);
}
END_TEST

#define ON_FLAG(name, value)                                                                       \
    "{variants: {v: " value ", w: 0}, default: v, rules: [{when: {flag: {name: " name              \
    ", is: v}}, serve: w}]}"

/* Whoever was there in between: a document that is what is in force is not left out, so nothing
 * stands because of it. */
START_TEST(a_document_that_comes_back_is_the_same)
{
    struct example example;
    begin(&example);
    put(&example, "flags/c.yaml", FLAG("c", PLAIN("4294967296")));
    put(&example, "flags/d.yaml", FLAG("d", ON_FLAG("c", "1")));
    commit(&example);
    struct tree good = example.tree;
    put(&example, "flags/c.yaml", FLAG("c", "{variants: {v: 1}, default: nope}"));
    commit(&example);
    expect_fault(&example, CODE_UNKNOWN_VARIANT, "flags/c.yaml");
    example.tree = good;
    put(&example, "environments/production.yaml",
        ENVIRONMENT("production", "{evaluators: [weir, java]}"));
    commit(&example);
    expect_fault(&example, CODE_ENCODING, "flags/c.yaml");
    put(&example, "flags/d.yaml", FLAG("d", ON_FLAG("c", "2")));
    commit(&example);
    expect_fault(&example, CODE_ENCODING, "flags/c.yaml");
    expect_value(&example, "d", "2");
    ck_assert_uint_eq(example.way.inventory.quarantined.count, 1);
    way_dispose(&example.way);
}
END_TEST

START_TEST(an_environment_is_not_to_blame_for_a_new_fault_of_a_flag)
{
    struct example example;
    begin(&example);
    put(&example, "environments/dev.yaml", ENVIRONMENT("dev", "{}"));
    put(&example, "environments/production.yaml",
        ENVIRONMENT("production", "{promotesFrom: dev, evaluators: [weir, java]}"));
    commit(&example);
    ck_assert_msg(example.way.result.whole, "%s", story(&example.way.result.diagnostics));
    put(&example, "flags/a.yaml", FLAG("a", PLAIN("4294967296")));
    put(&example, "environments/dev.yaml", ENVIRONMENT("dev", "{onInvalid: hold}"));
    put(&example, "environments/production.yaml",
        ENVIRONMENT("production",
                    "{promotesFrom: dev, evaluators: [weir, java], onInvalid: hold}"));
    put(&example, "environments/test.yaml", ENVIRONMENT("test", "{evaluators: [weir, java]}"));
    commit(&example);
    expect_fault(&example, CODE_ENCODING, "flags/a.yaml");
    expect_value(&example, "a", "1");
    ck_assert_uint_eq(example.way.inventory.quarantined.count, 1);
    ck_assert_uint_eq(example.way.inventory.document_count, 3);
    ck_assert(example.way.inventory.documents[0].holds && example.way.inventory.documents[1].holds);
    way_dispose(&example.way);
}
END_TEST

#define TARGET(name, path)                                                                         \
    "apiVersion: weir/v1\nkind: Target\nmetadata: {name: " name "}\nspec: {environment: "          \
    "production, file: {path: " path "}}\n"

START_TEST(a_target_in_the_way_of_another_holds_back_no_environment)
{
    struct example example;
    begin(&example);
    put(&example, "targets/one.yaml", TARGET("one", "same.json"));
    commit(&example);
    ck_assert_msg(example.way.result.whole, "%s", story(&example.way.result.diagnostics));
    put(&example, "targets/two.yaml", TARGET("two", "same.json"));
    put(&example, "environments/production.yaml",
        ENVIRONMENT("production", "{evaluators: [weir]}"));
    commit(&example);
    ck_assert(!example.way.result.whole);
    ck_assert_uint_eq(example.way.inventory.quarantined.count, 1);
    ck_assert_uint_eq(example.way.result.target_count, 1);
    ck_assert_uint_eq(example.way.inventory.documents[0].evaluators, EVALUATOR_WEIR);
    way_dispose(&example.way);
}
END_TEST

/* Flag `name`, asking for `count` attributes of that letter, each of `depth` names. */
static void put_many(struct example *example, const char *path, const char *name, char letter,
                     unsigned count, unsigned depth)
{
    struct buffer text;
    buffer_init(&text, 0);
    buffer_printf(&text,
                  "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: %s}\nspec: {variants: {v: 1, "
                  "w: 0}, default: v, rules: [{serve: w, when: {any: [\n",
                  name);
    for (unsigned i = 0; i < count; i++) {
        if (i % 1000 == 0) /* more are refused in one list */
            buffer_append_string(&text, i ? "]}, {any: [" : "{any: [");
        buffer_printf(&text, "{attribute: %c%u", letter, i);
        for (unsigned j = 1; j < depth; j++)
            buffer_append_string(&text, ".n");
        buffer_append_string(&text, ", exists: true},\n");
    }
    buffer_append_string(&text, "]}]}}]}\n");
    put(example, path, buffer_string(&text));
    buffer_dispose(&text);
}

/* A table of attributes that is not worn yet has no room for what a new one would have room for,
 * be it slots or names. */
START_TEST(what_was_asked_for_once_leaves_room_for_what_is_asked_for_now)
{
    static const struct {
        unsigned attributes, depth;
    } kinds[] = {{9500, 1}, {5500, 9}};
    static const char *const paths[] = {"flags/d.yaml", "flags/e.yaml", "flags/f.yaml",
                                        "flags/g.yaml"};
    static const char *const names[] = {"d", "e", "f", "g"};
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        struct example example, fresh;
        begin(&example);
        begin(&fresh);
        for (size_t i = 0; i < COUNT_OF(paths); i++)
            put_many(&example, paths[i], names[i], (char)('d' + i), kinds[kind].attributes,
                     kinds[kind].depth);
        commit(&example);
        ck_assert_msg(example.way.result.whole, "%s", story(&example.way.result.diagnostics));
        for (size_t i = 0; i < COUNT_OF(paths); i++)
            put_many(&example, paths[i], names[i], (char)('p' + i), kinds[kind].attributes,
                     kinds[kind].depth);
        put(&example, "flags/c.yaml", FLAG("c", PLAIN("2")));
        fresh.tree = example.tree;
        commit(&fresh);
        ck_assert_msg(fresh.way.result.whole, "%s", story(&fresh.way.result.diagnostics));
        commit(&example);
        ck_assert_msg(example.way.result.whole, "%s", story(&example.way.result.diagnostics));
        ck_assert_uint_eq(example.way.result.diagnostics.count, 0);
        expect_value(&example, "a", "1");
        expect_value(&example, "c", "2");
        expect_same_documents(&example.way.inventory, &fresh.way.inventory, "with a past");
        way_dispose(&example.way);
        way_dispose(&fresh.way);
    }
}
END_TEST

/* More than a table has slots for: a flag without all of its attributes would only ever fail, and
 * so is refused. Whose fault it is does not hang on what was before. */
START_TEST(what_asks_for_too_many_attributes_stands)
{
    static const char *const paths[] = {"flags/d.yaml", "flags/e.yaml", "flags/f.yaml",
                                        "flags/g.yaml"};
    struct example example, fresh;
    begin(&example);
    begin(&fresh);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        put_many(&example, paths[i], (const char[]){(char)('d' + i), 0}, (char)('d' + i), 9500, 1);
    commit(&example);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        put_many(&example, paths[i], (const char[]){(char)('d' + i), 0}, (char)('p' + i), 17000, 1);
    commit(&example);
    fresh.tree = example.tree;
    commit(&fresh);
    for (size_t i = 0; i < 2; i++) {
        const struct example *each = i ? &fresh : &example;
        const char *told = story(&each->way.result.diagnostics);
        ck_assert_uint_eq(each->way.result.diagnostics.errors, 1);
        ck_assert_msg(strstr(told, "flags/g.yaml:3:18: error[W402]: flag \"g\" cannot be compiled "
                                   "for \"production\": the rules are too large, or use too many "
                                   "attributes"),
                      "%s", told);
        ck_assert_uint_eq(each->way.inventory.quarantined.count, 1);
    }
    way_dispose(&example.way);
    way_dispose(&fresh.way);
}
END_TEST

START_TEST(only_what_a_commit_concerns_is_read_and_compiled)
{
    struct example example;
    begin(&example);
    put(&example, "flags/a.yaml", FLAG("a", PLAIN("2")));
    commit(&example);
    ck_assert_uint_eq(example.way.result.compiled, 1);
    ck_assert_uint_eq(example.way.result.read, 2); /* it, and the environment */
    put(&example, "README.md", "# hello\n");
    commit(&example);
    ck_assert_uint_eq(example.way.result.compiled, 0);
    put(&example, "segments/p.yaml", SEGMENT("p", "{match: {attribute: x, is: 2}}"));
    commit(&example);
    ck_assert_uint_eq(example.way.result.compiled, 1); /* b asks for it */
    put(&example, "environments/production.yaml", ENVIRONMENT("production", "{protected: true}"));
    commit(&example);
    ck_assert_uint_eq(example.way.result.compiled, 0);
    way_dispose(&example.way);
}
END_TEST

UNIT_MAIN("reconcile", the_faulty_one_stands_and_the_rest_goes_live,
          what_depends_on_the_faulty_one_stands_too,
          a_near_name_that_the_commit_does_not_touch_is_offered,
          what_is_asked_for_often_is_one_reference, what_is_still_asked_for_cannot_be_removed,
          nothing_vanishes_while_something_cannot_be_read,
          an_environment_that_nothing_compiles_for_stands, a_name_that_is_defined_twice_stands,
          emptying_the_repository_harms_nobody, circles_stand_as_they_were,
          a_document_that_comes_back_is_the_same,
          an_environment_is_not_to_blame_for_a_new_fault_of_a_flag,
          a_target_in_the_way_of_another_holds_back_no_environment,
          what_was_asked_for_once_leaves_room_for_what_is_asked_for_now,
          what_asks_for_too_many_attributes_stands,
          only_what_a_commit_concerns_is_read_and_compiled)
