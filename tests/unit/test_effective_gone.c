/* What a rollout walks on, taken away by hand: a controller that was there and one that begins on
 * an empty disk have the same in force. */
#include "../../controller/effective.h"
#include "../../rules/catalog.h"
#include "repositories.h"
#include "rollouts_unit.h"

static struct schema_set *schemas;
static struct effective there;

static struct effective begin_anew(void)
{
    struct effective effective;
    const struct effective_parts parts = {
        .mirror = mirror, .schemas = schemas, .clock = &system_clock};
    effective_init(&effective, &parts);
    return effective;
}

/* A rollout that stands so, and whoever was there from the beginning. */
static void set_up(enum rollout_course course, size_t phase)
{
    struct error error;
    struct rollout_state state = state_in(course, phase);
    begin();
    schemas = catalog_schemas(&error);
    shell("mkdir -p work/flags work/state/production");
    write_text("flags/shop.yaml", ROLLOUT_FLAG);
    write_text("rollouts.yaml", ROLLOUT("shop-release", ROLLOUT_PHASES));
    char *text = state_text(&state);
    write_text("state/production/shop-release.yaml", text);
    free(text);
    const char *first = commit("true");
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
    there = begin_anew();
    ck_assert_ok(effective_go(&there, first, &failure));
    ck_assert(there.result.whole);
}

static void tear_down(void)
{
    effective_dispose(&there);
    schema_set_free(schemas);
    end();
}

static const struct document *served(const struct effective *effective)
{
    const struct document *document = effective_document(effective, TEXT("production"));
    ck_assert_ptr_nonnull(document);
    return document;
}

/* After each of two more commits, and for whoever begins at one of them. */
static void expect_same(const char *change, bool as_before)
{
    struct document *before = document_reference((struct document *)served(&there));
    const char *commits[3] = {commit(change), commit("echo one >README"),
                              commit("echo two >README")};
    for (size_t i = 0; i < COUNT_OF(commits); i++) {
        struct effective fresh = begin_anew();
        ck_assert_ok(effective_go(&there, commits[i], &failure));
        ck_assert_ok(effective_go(&fresh, commits[i], &failure));
        ck_assert_msg(document_equal(served(&there), served(&fresh)), "differs at commit %zu", i);
        ck_assert_int_eq(there.result.whole, fresh.result.whole);
        ck_assert_int_eq(document_equal(before, served(&fresh)), as_before);
        effective_dispose(&fresh);
    }
    struct effective late = begin_anew(); /* several commits at once */
    ck_assert_ok(effective_go(&late, shell("git -C work rev-parse HEAD~3"), &failure));
    ck_assert_ok(effective_go(&late, commits[2], &failure));
    ck_assert(document_equal(served(&there), served(&late)));
    effective_dispose(&late);
    document_release(before);
}

START_TEST(an_unfinished_rollout_is_deleted)
{
    set_up(COURSE_RUNNING, PHASE_HALF);
    expect_same("git rm -q rollouts.yaml", true);
    tear_down();
}
END_TEST

START_TEST(an_unfinished_rollout_is_another)
{
    set_up(COURSE_RUNNING, PHASE_HALF);
    expect_same("sed -i 's/seed: s1/seed: s2/' rollouts.yaml", true);
    tear_down();
}
END_TEST

START_TEST(a_segment_that_it_walks_on_is_deleted)
{
    set_up(COURSE_RUNNING, PHASE_HALF);
    expect_same("sed -i 's/{name: staff}/{name: stuff}/; s/segment: staff/segment: stuff/' "
                "flags/shop.yaml rollouts.yaml",
                true);
    tear_down();
}
END_TEST

START_TEST(a_state_is_deleted)
{
    set_up(COURSE_KILLED, PHASE_HALF);
    expect_same("git rm -q -r state", true);
    tear_down();
}
END_TEST

START_TEST(both_are_deleted_under_way)
{
    set_up(COURSE_RUNNING, PHASE_HALF);
    expect_same("git rm -q -r state rollouts.yaml", true);
    tear_down();
}
END_TEST

START_TEST(both_are_deleted_at_the_end)
{
    set_up(COURSE_COMPLETED, PHASE_ALL);
    expect_same("git rm -q -r state rollouts.yaml", false);
    ck_assert(there.result.whole);
    tear_down();
}
END_TEST

START_TEST(a_state_that_was_deleted_is_put_back)
{
    set_up(COURSE_KILLED, PHASE_HALF);
    const char *gone = commit("cp -r state ../kept && git rm -q -r state"),
               *back = commit("cp -r ../kept state");
    struct effective fresh = begin_anew();
    ck_assert_ok(effective_go(&there, gone, &failure));
    ck_assert(!there.result.whole);
    ck_assert_ok(effective_go(&there, back, &failure));
    ck_assert(there.result.whole);
    ck_assert_ok(effective_go(&fresh, back, &failure));
    ck_assert(fresh.result.whole);
    ck_assert(document_equal(served(&there), served(&fresh)));
    effective_dispose(&fresh);
    tear_down();
}
END_TEST

UNIT_MAIN("effective_gone", an_unfinished_rollout_is_deleted, an_unfinished_rollout_is_another,
          a_segment_that_it_walks_on_is_deleted, a_state_is_deleted, both_are_deleted_under_way,
          both_are_deleted_at_the_end, a_state_that_was_deleted_is_put_back)
