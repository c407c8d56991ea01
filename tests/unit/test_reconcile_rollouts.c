/* Commits beside rollouts that are under way: where they stand counts whatever else a commit holds,
 * and what they walk on cannot be taken away. */
#define FILES 7
#define TREE_PATHS                                                                                 \
    {                                                                                              \
        "environments/production.yaml", "flags/shop.yaml", "segments/staff.yaml",                  \
            "rollouts/shop.yaml", "phases/plan.yaml", "state/production/shop-release.yaml",        \
            "flags/other.yaml",                                                                    \
    }
#include "reconcile_unit.h"
#include "rollouts_unit.h"

enum { ENVIRONMENT_FILE, FLAG_FILE, SEGMENT_FILE, ROLLOUT_FILE, PLAN_FILE, STATE_FILE, OTHER_FILE };

#define SHOP                                                                                       \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\nspec: {variants: {on: true, off: "   \
    "false}, default: off}\n"
#define STAFF_SEGMENT                                                                              \
    "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: staff}\nspec: {match: {attribute: "      \
    "email, endsWith: '@example.com'}}\n"

static void put(struct tree *tree, size_t file, const char *text)
{
    tree->files[file] = text ? keep_text(text) : 0;
}

/* As weir does it: each behind the one before. */
static void put_state(struct tree *tree, struct rollout_state state)
{
    static uint32_t moves;
    state.seq += ++moves;
    char *text = state_text(&state);
    put(tree, STATE_FILE, text);
    free(text);
}

/* A rollout in its phase "half". */
static void begin(struct way *way, struct tree *tree)
{
    way_init(way);
    *tree = (struct tree){{0}};
    put(tree, ENVIRONMENT_FILE, RIG_PRODUCTION);
    put(tree, FLAG_FILE, SHOP);
    put(tree, SEGMENT_FILE, STAFF_SEGMENT);
    put(tree, ROLLOUT_FILE, ROLLOUT("shop-release", ROLLOUT_PHASES));
    put_state(tree, state_in(COURSE_RUNNING, PHASE_HALF));
    way_go(way, tree);
    ck_assert_msg(way->result.whole, "%s", story(&way->result.diagnostics));
}

/* How many of 1 000 users have it. */
static unsigned exposed(const struct way *way)
{
    const struct inventory_document *document =
        inventory_document(&way->inventory, TEXT("production"));
    struct context context;
    struct error error;
    unsigned count = 0;
    ck_assert_ptr_nonnull(document);
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    for (unsigned i = 0; i < 1000; i++) {
        char text[64];
        struct decision decision;
        snprintf(text, sizeof text, "{\"targetingKey\":\"user-%u\"}", i);
        ck_assert_int_eq(
            context_read(&context, document->document->attributes, text_of(text), &error),
            STATUS_OK);
        evaluate(document_find(document->document, TEXT("shop")), &context, RIG_NOW, &decision);
        count += text_is(decision.variant, "on");
    }
    context_dispose(&context);
    return count;
}

static void expect_fault(const struct way *way, const char *code, const char *words)
{
    ck_assert(!way->result.whole);
    for (size_t i = 0; i < way->result.diagnostics.count; i++) {
        const struct diagnostic *item = &way->result.diagnostics.items[i];
        if (strcmp(item->code, code) == 0 && strstr(item->message.data, words))
            return;
    }
    ck_abort_msg("no %s \"%s\":\n%s", code, words, story(&way->result.diagnostics));
}

static void expect_half(const struct way *way)
{
    unsigned count = exposed(way);
    ck_assert_msg(count >= 400 && count <= 600, "%u of 1000", count);
}

START_TEST(a_state_alone_moves_users)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    expect_half(&way);
    put_state(&tree, state_in(COURSE_ROLLED_BACK, PHASE_HALF));
    way_go(&way, &tree);
    ck_assert(way.result.whole);
    ck_assert_uint_eq(exposed(&way), 0);
    put_state(&tree, state_in(COURSE_RUNNING, PHASE_ALL));
    way_go(&way, &tree);
    ck_assert_uint_eq(exposed(&way), 1000);
    way_dispose(&way);
}
END_TEST

/* A merge that breaks the Rollout's file, then a kill, then a fresh clone: still killed. */
START_TEST(a_kill_counts_whatever_else_is_broken)
{
    struct way way, fresh;
    struct tree trees[3];
    begin(&way, &trees[0]);
    trees[1] = trees[0];
    put(&trees[1], ROLLOUT_FILE, ROLLOUT("shop-release", "[{name: x, percent: 1000}]"));
    way_go(&way, &trees[1]);
    ck_assert(!way.result.whole);
    expect_half(&way);
    trees[2] = trees[1];
    put_state(&trees[2], state_in(COURSE_KILLED, PHASE_HALF));
    way_go(&way, &trees[2]);
    ck_assert(!way.result.whole);
    ck_assert_uint_eq(exposed(&way), 0);
    way_init(&fresh);
    go_fresh(&fresh, trees, 2);
    ck_assert_uint_eq(exposed(&fresh), 0);
    expect_same_documents(&way.inventory, &fresh.inventory, "fresh");
    way_dispose(&way);
    way_dispose(&fresh);
}
END_TEST

/* The same when all that can be wrong is wrong in the commit of the kill itself. */
START_TEST(a_kill_in_a_broken_commit_counts)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    put(&tree, ROLLOUT_FILE, "- {");
    put(&tree, FLAG_FILE, "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\n");
    put(&tree, OTHER_FILE, "[");
    put(&tree, SEGMENT_FILE, NULL);
    put_state(&tree, state_in(COURSE_KILLED, PHASE_HALF));
    way_go(&way, &tree);
    ck_assert(!way.result.whole);
    ck_assert_uint_eq(exposed(&way), 0);
    way_dispose(&way);
}
END_TEST

START_TEST(a_state_that_cannot_be_read_stands_alone)
{
    static const char *const broken[] = {
        "[", "", "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: x}\nspec: {}\n",
        "apiVersion: weir/v1\nkind: RolloutState\nmetadata: {name: x}\nspec: {}\n"};
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        struct way way;
        struct tree tree;
        begin(&way, &tree);
        put(&tree, STATE_FILE, broken[i]);
        put(&tree, OTHER_FILE,
            "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: other}\nspec: {variants: {a: 1}, "
            "default: a}\n");
        way_go(&way, &tree);
        ck_assert(!way.result.whole);
        expect_half(&way);
        ck_assert_ptr_nonnull(document_find(way.inventory.documents[0].document, TEXT("other")));
        ck_assert_uint_eq(way.inventory.quarantined.count, 1);
        way_dispose(&way);
    }
}
END_TEST

START_TEST(an_identity_under_way_is_fixed)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    put(&tree, ROLLOUT_FILE,
        "apiVersion: weir/v1\nkind: Rollout\nmetadata: {name: shop-release}\nspec: {flag: shop, "
        "environment: production, variant: on, control: off, seed: other, phases: [{name: a, "
        "percent: 5}]}\n");
    way_go(&way, &tree);
    expect_fault(&way, CODE_ROLLOUT_IDENTITY, "is under way");
    expect_half(&way);
    /* Once it is over, the same edit counts. */
    put_state(&tree, state_in(COURSE_ROLLED_BACK, PHASE_HALF));
    way_go(&way, &tree);
    ck_assert_msg(way.result.whole, "%s", story(&way.result.diagnostics));
    way_dispose(&way);
}
END_TEST

START_TEST(an_unfinished_rollout_cannot_be_taken_away)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    put(&tree, ROLLOUT_FILE, NULL);
    way_go(&way, &tree);
    expect_fault(&way, CODE_ROLLOUT_UNFINISHED, "\"shop-release\" is gone, but is not finished");
    expect_half(&way);
    put(&tree, STATE_FILE, NULL);
    way_go(&way, &tree);
    expect_fault(&way, CODE_STATE_FOREIGN, "taken away by hand");
    expect_half(&way);
    way_dispose(&way);
}
END_TEST

START_TEST(a_segment_that_a_rollout_walks_on_stays)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    /* The plan speaks of it no more, the state still does. */
    put(&tree, ROLLOUT_FILE, ROLLOUT("shop-release", "[{name: half, percent: 50}]"));
    way_go(&way, &tree);
    ck_assert_msg(way.result.whole, "%s", story(&way.result.diagnostics));
    put(&tree, SEGMENT_FILE, NULL);
    way_go(&way, &tree);
    expect_fault(&way, CODE_ROLLOUT_UNFINISHED, "segment \"staff\" is gone");
    expect_half(&way);
    way_dispose(&way);
}
END_TEST

START_TEST(a_hand_may_only_make_it_safer)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_ALL);
    char *text = state_text(&state);
    memcpy(strstr(text, "seq: 7"), "seq: 8", 6); /* not what weir wrote */
    put(&tree, STATE_FILE, text);
    way_go(&way, &tree);
    expect_fault(&way, CODE_STATE_FOREIGN, "edited by hand");
    expect_half(&way);
    free(text);
    state = state_in(COURSE_RUNNING, PHASE_STAFF);
    text = state_text(&state);
    memcpy(strstr(text, "seq: 7"), "seq: 8", 6);
    put(&tree, STATE_FILE, text);
    way_go(&way, &tree);
    ck_assert_msg(way.result.whole, "%s", story(&way.result.diagnostics));
    ck_assert_uint_eq(exposed(&way), 0);
    free(text);
    way_dispose(&way);
}
END_TEST

/* What a plan or a segment says now does not move users: the state has the phases. */
START_TEST(an_edited_plan_moves_nobody)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    unsigned before = exposed(&way);
    put(&tree, ROLLOUT_FILE, ROLLOUT("shop-release", "[{name: half, percent: 90}]"));
    way_go(&way, &tree);
    ck_assert_uint_eq(exposed(&way), before);
    way_dispose(&way);
}
END_TEST

START_TEST(a_flag_cannot_lose_the_variant_that_is_released)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    put(&tree, FLAG_FILE,
        "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\nspec: {variants: {off: false}, "
        "default: off}\n");
    way_go(&way, &tree);
    expect_fault(&way, CODE_UNKNOWN_VARIANT, "\"on\" does not exist");
    expect_half(&way);
    way_dispose(&way);
}
END_TEST

UNIT_MAIN("reconcile_rollouts", a_state_alone_moves_users, a_kill_counts_whatever_else_is_broken,
          a_kill_in_a_broken_commit_counts, a_state_that_cannot_be_read_stands_alone,
          an_identity_under_way_is_fixed, an_unfinished_rollout_cannot_be_taken_away,
          a_segment_that_a_rollout_walks_on_stays, a_hand_may_only_make_it_safer,
          an_edited_plan_moves_nobody, a_flag_cannot_lose_the_variant_that_is_released)
