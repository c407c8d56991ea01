/* What is in force after good and faulty commits: as DESIGN section 5 says, and the same on every
 * way that leads to a commit. */
#include <stdlib.h>

#include "../../rules/reconcile.h"
#include "fragments.h"
#include "rules_unit.h"

#define FILES 24
#define TEXTS 4096

/* Every text that a file ever had; its number is its blob id. */
static char *texts[TEXTS];
static uint32_t text_count;

/* What a commit has at each path: the number of a text, 0 where there is none. */
struct tree {
    uint32_t files[FILES];
};

static const char *const paths[FILES] = {
    "environments/dev.yaml",
    "environments/production.yaml",
    "environments/test.yaml",
    "flags/a.yaml",
    "flags/b.yaml",
    "flags/c.yaml",
    "flags/d.yaml",
    "flags/e.yaml",
    "flags/f.yaml",
    "flags/g.yaml",
    "flags/h.yaml",
    "flags/two.yaml",
    "flags/more.yaml",
    "segments/p.yaml",
    "segments/q.yaml",
    "segments/r.yaml",
    "segments/s.yaml",
    "segments/two.yaml",
    "targets/one.yaml",
    "targets/two.yaml",
    "other/marked.yaml",
    "other/plain.yaml",
    "README.md",
    "flags/link.yaml",
};

static uint32_t keep_text(const char *text)
{
    ck_assert_uint_lt(text_count + 1, TEXTS);
    texts[++text_count] = strdup(text);
    return text_count;
}

static struct blob_id blob_of(uint32_t number)
{
    struct blob_id blob = {{0}};
    memcpy(blob.bytes, &number, sizeof number);
    return blob;
}

static enum status read_text(void *context, struct text path, const struct blob_id *blob,
                             struct buffer *out)
{
    uint32_t number;
    (void)context;
    (void)path;
    memcpy(&number, blob->bytes, sizeof number);
    ck_assert(number > 0 && number <= text_count);
    buffer_append_string(out, texts[number]);
    return STATUS_OK;
}

/* One way through history. */
struct way {
    struct schema_set *schemas;
    struct inventory inventory;
    struct tree tree;
    struct reconcile_result result;
};

static void way_init(struct way *way)
{
    struct error error;
    *way = (struct way){.schemas = catalog_schemas(&error)};
    ck_assert_ptr_nonnull(way->schemas);
    inventory_init(&way->inventory);
}

static void way_dispose(struct way *way)
{
    reconcile_result_dispose(&way->result);
    inventory_dispose(&way->inventory);
    schema_set_free(way->schemas);
}

static enum status way_step(struct way *way, const struct tree *tree,
                            const struct exception *exceptions, size_t exception_count, bool known)
{
    struct file_change changes[FILES];
    struct error error;
    size_t count = 0;
    for (size_t i = 0; i < FILES; i++) {
        if (tree->files[i] == way->tree.files[i])
            continue;
        changes[count++] =
            (struct file_change){.path = text_of(paths[i]),
                                 .state = tree->files[i] ? FILE_HERE : FILE_GONE,
                                 .blob = blob_of(tree->files[i]),
                                 .size = tree->files[i] ? strlen(texts[tree->files[i]]) : 0};
    }
    struct reconcile_task task = {.schemas = way->schemas,
                                  .reader = {read_text, NULL},
                                  .changes = changes,
                                  .change_count = count,
                                  .is_known = known,
                                  .exceptions = exceptions,
                                  .exception_count = exception_count};
    reconcile_result_dispose(&way->result);
    way->tree = *tree;
    return reconcile(&way->inventory, &task, &way->result, &error);
}

static void way_go(struct way *way, const struct tree *tree)
{
    ck_assert_int_eq(way_step(way, tree, NULL, 0, false), STATUS_OK);
}

static void way_restart(struct way *way)
{
    inventory_dispose(&way->inventory);
    way->tree = (struct tree){{0}};
}

static const char *story(const struct diagnostics *diagnostics)
{
    static char out[8000];
    struct buffer buffer;
    buffer_init(&buffer, 0);
    diagnostics_write_text(&buffer, diagnostics, false);
    snprintf(out, sizeof out, "%.*s", (int)buffer.length, buffer.data ? buffer.data : "");
    buffer_dispose(&buffer);
    return out;
}

static void expect_same_documents(const struct inventory *a, const struct inventory *b,
                                  const char *what)
{
    ck_assert_msg(a->document_count == b->document_count, "%s: %zu and %zu environments", what,
                  a->document_count, b->document_count);
    for (size_t i = 0; i < a->document_count; i++) {
        ck_assert_str_eq(a->documents[i].environment, b->documents[i].environment);
        ck_assert_msg(document_equal(a->documents[i].document, b->documents[i].document),
                      "%s: %s differs", what, a->documents[i].environment);
    }
}

/* Newest first until one is whole, then back to the tip: as a controller with an empty disk does.
 */
static void go_fresh(struct way *way, const struct tree *trees, size_t tip)
{
    size_t at = tip;
    way_restart(way);
    way_go(way, &trees[at]);
    while (!way->result.whole && at > 0)
        way_go(way, &trees[--at]);
    if (!way->result.whole) {
        way_restart(way);
        way_go(way, &trees[at]);
    }
    while (at < tip)
        way_go(way, &trees[++at]);
}

/* --- by example ------------------------------------------------------------------------------ */

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
        if (strcmp(paths[i], path) == 0)
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

/* --- by chance ------------------------------------------------------------------------------- */

static unsigned rarity = 1; /* of faults: higher is rarer */

static unsigned chance(unsigned below)
{
    return (unsigned)rand() % below;
}

static bool goes_wrong(unsigned odds)
{
    return chance(odds * rarity) == 0;
}

static const char *pick(const char *const *words, unsigned count)
{
    return words[chance(count)];
}

static const char *const flag_names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
static const char *const segment_names[] = {"p", "q", "r", "s", "gone"};
static const char *const environment_names[] = {"dev", "production", "test", "gone"};

/* Flags ask for flags and segments from these on, segments for segments: so there are few circles.
 */
struct scope {
    unsigned flag, segment;
};

static void write_condition(struct buffer *out, int depth, struct scope from)
{
    switch (chance(depth > 2 ? 4 : 7)) {
    case 0:
        if (from.segment < 4 || goes_wrong(12))
            buffer_printf(out, "{segment: %s}",
                          from.segment < 4 && !goes_wrong(12)
                              ? pick(segment_names + from.segment, 4 - from.segment)
                              : pick(segment_names, 5));
        else
            buffer_append_string(out, "{attribute: s, exists: true}");
        break;
    case 1:
        if (from.flag < 8 || goes_wrong(12))
            buffer_printf(out, "{flag: {name: %s, is: %s}}",
                          from.flag < 8 && !goes_wrong(12)
                              ? pick(flag_names + from.flag, 8 - from.flag)
                              : pick(flag_names, 8),
                          goes_wrong(3) ? "third" : "on");
        else
            buffer_append_string(out, "{attribute: f, exists: false}");
        break;
    case 2:
        buffer_printf(out, "{attribute: x%u, %s: %u}", chance(4), goes_wrong(20) ? "gt3" : "gte",
                      chance(9));
        break;
    case 3:
        buffer_printf(out, "{attribute: v, semver: \">=%u.0.0\"}",
                      goes_wrong(6) ? 3000000000u : chance(9));
        break;
    default:
        buffer_append_string(out, chance(2) ? "{all: [" : "{any: [");
        write_condition(out, depth + 1, from);
        buffer_append_string(out, ", ");
        write_condition(out, depth + 1, from);
        buffer_append_string(out, "]}");
    }
}

static void write_flag(struct buffer *out, const char *name)
{
    const struct scope from = {name[0] == 'z' ? 8 : (unsigned)(name[0] - 'a') + 1, 0};
    buffer_printf(out, "apiVersion: weir/v1\nkind: %s\nmetadata: {name: %s}\nspec:\n",
                  goes_wrong(40) ? "Flga" : "Flag", name);
    buffer_printf(out, "  variants: {on: %u, off: %u%s}\n  default: %s\n", chance(100), chance(100),
                  chance(3) ? "" : ", third: 3", goes_wrong(20) ? "nope" : "off");
    if (chance(3)) {
        buffer_append_string(out, "  rules: [{serve: on, when: ");
        write_condition(out, chance(2) ? 3 : 0, from);
        buffer_append_string(out, "}]\n");
    }
    if (chance(4) == 0) {
        buffer_printf(out, "  environments: {%s: {default: on, rules: [{serve: off, when: ",
                      pick(environment_names, goes_wrong(10) ? 4 : 3));
        write_condition(out, 3, from);
        buffer_append_string(out, "}]}}\n");
    }
    if (goes_wrong(30))
        buffer_append_string(out, "  [\n");
}

static void write_segment(struct buffer *out, const char *name)
{
    const struct scope from = {8, (unsigned)(name[0] - 'p') + 1};
    buffer_printf(out, "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: %s}\nspec: {match: ",
                  goes_wrong(40) ? "[x]" : name);
    write_condition(out, chance(3) ? 3 : 1, from);
    buffer_append_string(out, "}\n");
}

static void write_environment(struct buffer *out, const char *name)
{
    static const char *const lists[] = {"[weir]", "[weir, flagd]", "[weir, java]", "[wier]"};
    buffer_printf(out,
                  "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: %s}\nspec: "
                  "{evaluators: %s, protected: %s}\n",
                  name, pick(lists, goes_wrong(8) ? 4 : 3), chance(2) ? "true" : "false");
}

static void write_target(struct buffer *out, const char *name)
{
    buffer_printf(out,
                  "apiVersion: weir/v1\nkind: Target\nmetadata: {name: %s}\nspec: {environment: "
                  "%s, file: {path: %s.json}}\n",
                  name, pick(environment_names, goes_wrong(8) ? 4 : 3),
                  goes_wrong(3) ? "same" : name);
}

static void write_any(struct buffer *out, size_t file)
{
    if (file < 3) {
        write_environment(out, environment_names[file]);
    } else if (file < 11) {
        write_flag(out, flag_names[file - 3]);
    } else if (file < 13) {
        write_flag(out, pick(flag_names, 8));
        buffer_append_string(out, "---\n");
        write_segment(out, pick(segment_names, 4));
    } else if (file < 17) {
        write_segment(out, segment_names[file - 13]);
    } else if (file == 17) {
        write_segment(out, pick(segment_names, 4));
    } else if (file < 20) {
        write_target(out, file == 18 ? "one" : "two");
    } else if (file == 20) {
        write_flag(out, "z");
    } else {
        buffer_append_string(out, "just: words\n");
    }
}

/* The doubled files seldom are there: they make most commits faulty. */
static void change_file(struct tree *tree, size_t file)
{
    bool doubled = file == 11 || file == 12 || file == 17 || file == 23;
    struct buffer text;
    if (doubled ? !goes_wrong(2) : goes_wrong(12)) {
        tree->files[file] = 0;
        return;
    }
    buffer_init(&text, 0);
    write_any(&text, file);
    tree->files[file] = keep_text(buffer_string(&text));
    buffer_dispose(&text);
}

/* The whole tree by the other way, from a bundle: its verdict, and its documents when it is good.
 */
static void compare_with_bundle(const struct way *way, const struct tree *tree)
{
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < FILES; i++) {
        if (tree->files[i])
            ck_assert_int_eq(bundle_take(&rig.bundle, text_of(paths[i]),
                                         text_of(texts[tree->files[i]]), &rig.faults),
                             STATUS_OK);
    }
    enum status status = rig_link(&rig);
    for (size_t i = 0; i < rig.catalog.environment_count && status == STATUS_OK; i++) {
        const struct environment *environment = rig.catalog.environments[i];
        const struct inventory_document *document =
            inventory_document(&way->inventory, environment->name.text);
        status = rig_compile(&rig, environment->name.text.data, NULL);
        if (status == STATUS_OK && way->result.whole)
            ck_assert(document && document_equal(document->document, rig.document));
        document_release(rig.document);
        rig.document = NULL;
    }
    ck_assert_msg((status == STATUS_OK) == way->result.whole, "whole: %d, but:\n%s\nor:\n%s",
                  way->result.whole, rig_story(&rig), story(&way->result.diagnostics));
    if (status == STATUS_OK)
        ck_assert_uint_eq(way->inventory.document_count, rig.catalog.environment_count);
    rig_dispose(&rig);
}

static void compare_with_known(struct way *known, const struct way *way, const struct tree *tree)
{
    struct exception *exceptions;
    struct arena arena;
    size_t count;
    arena_init(&arena, 0);
    ck_assert_int_eq(reconcile_exceptions(&way->inventory, &arena, &exceptions, &count), STATUS_OK);
    if (chance(2))
        way_restart(known);
    ck_assert_int_eq(way_step(known, tree, exceptions, count, true), STATUS_OK);
    expect_same_documents(&way->inventory, &known->inventory, "known");
    ck_assert_uint_eq(known->inventory.quarantined.count, count);
    arena_dispose(&arena);
}

/* How many of the commits were whole. */
static size_t play(unsigned seed, size_t commits)
{
    struct tree *trees = calloc(commits, sizeof *trees);
    struct way way, fresh, known;
    size_t whole = 0;
    ck_assert_ptr_nonnull(trees);
    srand(seed);
    text_count = 0;
    way_init(&way);
    way_init(&fresh);
    way_init(&known);
    for (size_t i = 0; i < commits; i++) {
        unsigned changes = i ? 1 + chance(chance(8) ? 3 : 20) : 0;
        if (i)
            trees[i] = trees[i - 1];
        for (size_t file = 0; i == 0 && file < FILES; file++)
            change_file(&trees[i], file);
        for (unsigned j = 0; j < changes; j++)
            change_file(&trees[i], chance(FILES));
        if (i > 2 && chance(10) == 0)
            trees[i] = trees[i - 2]; /* a revert */
        way_go(&way, &trees[i]);
        whole += way.result.whole;
        compare_with_bundle(&way, &trees[i]);
        if (chance(3) == 0) {
            go_fresh(&fresh, trees, i);
            expect_same_documents(&way.inventory, &fresh.inventory, "fresh");
        }
        compare_with_known(&known, &way, &trees[i]);
    }
    way_dispose(&way);
    way_dispose(&fresh);
    way_dispose(&known);
    for (uint32_t i = 1; i <= text_count; i++)
        free(texts[i]);
    free(trees);
    return whole;
}

START_TEST(every_way_to_a_commit_leads_to_the_same)
{
    const char *seeds = getenv("RECONCILE_SEEDS");
    unsigned last = seeds ? (unsigned)strtoul(seeds, NULL, 10) : 40;
    size_t whole = 0;
    for (unsigned seed = 1; seed <= last; seed++) {
        rarity = 1 + seed % 4 * 10;
        whole += play(seed, 40);
    }
    ck_assert_msg(whole > 8 * last && whole < 36 * last, "of %u commits %zu were whole", 40 * last,
                  whole);
}
END_TEST

UNIT_MAIN("reconcile", the_faulty_one_stands_and_the_rest_goes_live,
          what_depends_on_the_faulty_one_stands_too, what_is_still_asked_for_cannot_be_removed,
          nothing_vanishes_while_something_cannot_be_read,
          an_environment_that_nothing_compiles_for_stands, a_name_that_is_defined_twice_stands,
          emptying_the_repository_harms_nobody, circles_stand_as_they_were,
          only_what_a_commit_concerns_is_read_and_compiled, every_way_to_a_commit_leads_to_the_same)
