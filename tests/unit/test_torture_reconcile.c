/* Memory that runs out anywhere on the way from one commit to another: the n-th allocation fails,
 * alone or with all that follow, for every n until none does. Each time the answer is
 * STATUS_NO_MEMORY or the right one, what is left can be disposed of, and nothing leaks (that shows
 * under ASan or valgrind). Linked with --wrap, see the Makefile; what libgit2 and libyaml allocate
 * is not made to fail. */
#include "../../controller/effective.h"
#include "../../rules/catalog.h"
#include "failing.h"
#include "reconcile_unit.h"
#include "repositories.h"

static void arm(size_t failing, bool lasting)
{
    plan.seen = 0;
    plan.failing = failing;
    plan.lasting = lasting;
    plan.armed = true;
}

/* Whether so many allocations were not asked for at all. */
static bool disarm(void)
{
    plan.armed = false;
    return plan.seen < plan.failing;
}

#define HEAD(kind, name) "apiVersion: weir/v1\nkind: " kind "\nmetadata: {name: " name "}\nspec: "
#define PLAIN(name, value) HEAD("Flag", name) "{variants: {v: " value "}, default: v}\n"
#define ASKING(name, value)                                                                        \
    HEAD("Flag", name)                                                                             \
    "{variants: {v: " value ", w: 0}, default: v, rules: [{when: {segment: p}, serve: w}]}\n"
#define SEGMENT(name, spec) HEAD("Segment", name) spec "\n"

static const struct {
    const char *path, *good, *bad;
} files[] = {
    {"environments/production.yaml", HEAD("Environment", "production") "{}\n",
     HEAD("Environment", "production") "{evaluators: [weir, java]}\n"},
    {"environments/dev.yaml", HEAD("Environment", "dev") "{}\n",
     HEAD("Environment", "dev") "{onInvalid: hold}\n"},
    {"environments/test.yaml", NULL, HEAD("Environment", "test") "{}\n"},
    {"flags/a.yaml", PLAIN("a", "1"), PLAIN("a", "2")},
    {"flags/b.yaml", ASKING("b", "1"), ASKING("b", "2")},
    {"flags/c.yaml", PLAIN("c", "1"), "apiVersion: weir/v1\nkind: [\n"},
    {"flags/d.yaml", PLAIN("d", "4294967296"), PLAIN("d", "4294967297")},
    {"flags/e.yaml", PLAIN("e", "1") "---\n" PLAIN("f", "1"), NULL},
    {"flags/g.yaml", PLAIN("g", "1"), PLAIN("g", "1") "---\n" PLAIN("a", "3")},
    {"segments/p.yaml", SEGMENT("p", "{match: {attribute: x, is: 1}}"),
     SEGMENT("p", "{match: {segment: q}}")},
    {"segments/q.yaml", SEGMENT("q", "{match: {attribute: y, is: 1}}"),
     SEGMENT("q", "{match: {segment: r}}")},
    {"targets/one.yaml", HEAD("Target", "one") "{environment: dev, file: {path: one}}\n",
     HEAD("Target", "one") "{environment: dev, file: {path: two}}\n"},
    {"targets/two.yaml", NULL,
     HEAD("Target", "two") "{environment: production, file: {path: two}}\n"},
    {"flags/link.yaml", NULL, "neither: here\n"},
};

static void make_trees(struct tree *good, struct tree *bad)
{
    *good = *bad = (struct tree){{0}};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        for (size_t j = 0; j < FILES; j++) {
            if (strcmp(tree_paths[j], files[i].path) != 0)
                continue;
            good->files[j] = files[i].good ? keep_text(files[i].good) : 0;
            bad->files[j] = files[i].bad ? keep_text(files[i].bad) : 0;
        }
    }
}

/* From the good tree, or from nothing, to the bad one. Whether it came to its end. */
static bool step_is_right(const struct way *expected, const struct tree *good,
                          const struct tree *bad, const struct exception *exceptions, size_t count,
                          bool known, size_t n, bool lasting)
{
    struct way way = {.schemas = expected->schemas};
    inventory_init(&way.inventory);
    if (good)
        ck_assert_int_eq(way_step(&way, good, NULL, 0, false), STATUS_OK);
    arm(n, lasting);
    enum status status = way_step(&way, bad, exceptions, count, known);
    bool passed = disarm();
    ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY, "allocation %zu: status %d", n,
                  status);
    ck_assert(!passed || status == STATUS_OK);
    if (status == STATUS_OK) {
        expect_same_documents(&expected->inventory, &way.inventory, "with little memory");
        ck_assert_uint_eq(way.inventory.quarantined.count, expected->inventory.quarantined.count);
        if (!known)
            ck_assert_str_eq(story(&expected->result.diagnostics), story(&way.result.diagnostics));
    }
    reconcile_result_dispose(&way.result);
    inventory_dispose(&way.inventory);
    return passed;
}

START_TEST(a_step_says_no_memory)
{
    struct way way;
    struct tree good, bad;
    struct arena arena;
    struct exception *exceptions;
    size_t count, failures = 0;
    make_trees(&good, &bad);
    way_init(&way);
    way_go(&way, &good);
    ck_assert_msg(way.result.whole, "%s", story(&way.result.diagnostics));
    way_go(&way, &bad);
    ck_assert_uint_gt(way.result.diagnostics.errors, 3);
    arena_init(&arena, 0);
    ck_assert_int_eq(reconcile_exceptions(&way.inventory, &arena, &exceptions, &count), STATUS_OK);
    ck_assert_uint_gt(count, 7);
    for (int lasting = 0; lasting < 2; lasting++) {
        for (size_t n = 1; !step_is_right(&way, &good, &bad, NULL, 0, false, n, lasting); n++)
            failures++;
        for (size_t n = 1; !step_is_right(&way, NULL, &bad, exceptions, count, true, n, lasting);
             n++)
            failures++;
    }
    ck_assert_uint_gt(failures, 1000);
    arena_dispose(&arena);
    way_dispose(&way);
    for (uint32_t i = 1; i <= text_count; i++)
        free(texts[i]);
}
END_TEST

/* --- a controller's way ---------------------------------------------------------------------- */

static char *commit_files(bool bad)
{
    char path[200];
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        const char *text = bad ? files[i].bad : files[i].good;
        snprintf(path, sizeof path, "%s/work/%s", root, files[i].path);
        shell("mkdir -p $(dirname work/%s) && rm -f work/%s", files[i].path, files[i].path);
        if (!text)
            continue;
        FILE *out = fopen(path, "w");
        ck_assert_ptr_nonnull(out);
        fputs(text, out);
        fclose(out);
    }
    return commit("true");
}

static void expect_documents(const struct effective_documents *a,
                             const struct effective_documents *b)
{
    ck_assert_uint_eq(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        ck_assert_str_eq(a->items[i].environment, b->items[i].environment);
        ck_assert(document_equal(a->items[i].document, b->items[i].document));
    }
}

static bool way_is_right(const struct effective *expected, const char *first, size_t n)
{
    struct effective effective;
    effective_init(&effective, &expected->parts);
    if (first)
        ck_assert_ok(effective_go(&effective, first, &failure));
    arm(n, false);
    enum status status = effective_go(&effective, expected->commit, &failure);
    bool passed = disarm();
    ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY, "allocation %zu: %s", n,
                  failure.message);
    if (status != STATUS_OK) /* what there was before is not in the way */
        ck_assert_ok(effective_go(&effective, expected->commit, &failure));
    expect_documents(&expected->documents, &effective.documents);
    effective_dispose(&effective);
    return passed;
}

START_TEST(a_way_says_no_memory)
{
    struct effective expected;
    struct effective_parts parts = {.clock = &system_clock};
    char good[COMMIT_TEXT_SIZE];
    size_t failures = 0;
    begin();
    parts.schemas = catalog_schemas(&failure);
    ck_assert_ptr_nonnull(parts.schemas);
    snprintf(good, sizeof good, "%s", commit_files(false));
    commit_files(true);
    const char *tip = commit("echo >> flags/a.yaml");
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
    parts.mirror = mirror;
    effective_init(&expected, &parts);
    ck_assert_ok(effective_go(&expected, tip, &failure));
    ck_assert(!expected.result.whole);
    for (size_t n = 1; !way_is_right(&expected, NULL, n); n += 1 + n / 300)
        failures++;
    for (size_t n = 1; !way_is_right(&expected, good, n); n += 1 + n / 300)
        failures++;
    ck_assert_uint_gt(failures, 600);
    effective_dispose(&expected);
    schema_set_free((struct schema_set *)(uintptr_t)parts.schemas);
    end();
}
END_TEST

UNIT_MAIN("torture_reconcile", a_step_says_no_memory, a_way_says_no_memory)
