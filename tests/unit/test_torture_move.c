/* Memory that runs out anywhere while a way back becomes a commit: the n-th allocation of ours
 * fails, for every n until none does. Each time it is STATUS_NO_MEMORY and the head stays where it
 * was, or the commit is whole. Linked with --wrap, see TEST_LDFLAGS_torture in the Makefile; what
 * libgit2 allocates is not made to fail. */
#include "../../controller/git/decide.h"
#include "../../controller/rollout/move.h"
#include "failing.h"
#include "repositories.h"

static struct arena arena;
static struct phase phase_items[] = {{.name = {"canary", 6}, .share = 1000},
                                     {.name = {"all", 3}, .share = SPLIT_TOTAL}};
static struct phases plan_items = {phase_items, COUNT_OF(phase_items)};
static struct rollout rollout = {.name.text = {"shop", 4},
                                 .flag.text = {"shop", 4},
                                 .environment.text = {"production", 10},
                                 .variant.text = {"on", 2},
                                 .control.text = {"off", 3},
                                 .seed = {"s", 1}};
static const struct roster_rollout item = {.name = "production/shop",
                                           .path = "state/production/shop.yaml"};

static enum status move_by(struct tip_decision *on, struct rollout_state *state,
                           enum walk_verb_kind kind, bool armed)
{
    const struct walk_task task = {
        .rollout = &rollout, .phases = &plan_items, .now = INT64_C(1795438800) + state->seq};
    const struct walk_verb asked = {.kind = kind, .by = TEXT("ann")};
    struct walk_decision decided;
    ck_assert_int_eq(walk_verb(&task, state, &asked, &arena, &decided), STATUS_OK);
    ck_assert_ptr_nonnull(decided.state);
    const struct move move = {.item = &item,
                              .before = state,
                              .decision = &decided,
                              .by = asked.by,
                              .evidence = TEXT("errors: 0.03"),
                              .decided = task.now};
    plan.armed = armed;
    enum status status = move_commit(on, &move, &failure);
    plan.armed = false;
    if (status == STATUS_OK)
        *state = *decided.state;
    return status;
}

static void torture(bool lasting)
{
    begin();
    commit("echo a >a");
    open_mirror();
    arena_init(&arena, 0);
    const struct decide options = {.mirror = mirror,
                                   .clock = &system_clock,
                                   .author = {.name = "Ada", .mail = "ada@example.com"},
                                   .committer = {.name = "weir", .mail = "weir@example.com"}};
    struct tip_decision on = {.mirror = mirror, .options = &options};
    struct rollout_state state;
    ck_assert_int_eq(walk_initial(&rollout, &arena, &state), STATUS_OK);
    snprintf(on.head, sizeof on.head, "%s", fetch());
    ck_assert_ok(move_by(&on, &state, VERB_START, false));
    ck_assert_ok(move_by(&on, &state, VERB_ADVANCE, false));
    char before[COMMIT_TEXT_SIZE];
    memcpy(before, on.head, sizeof before);
    plan.lasting = lasting;
    bool passed = false;
    size_t failures = 0;
    for (size_t n = 1; !passed; n++) {
        struct rollout_state from = state;
        memcpy(on.head, before, sizeof before);
        plan.seen = 0;
        plan.failing = n;
        enum status status = move_by(&on, &from, VERB_ROLLBACK, true);
        passed = plan.seen < n;
        ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
                      "allocation %zu: status %d: %s", n, (int)status, failure.message);
        ck_assert_msg(!passed || status == STATUS_OK, "it fails even when nothing does");
        if (status != STATUS_OK) {
            ck_assert_str_eq(on.head, before);
            failures++;
            continue;
        }
        ck_assert_str_eq(shell("git -C clone log -1 --format=%%P,%%s %s", on.head),
                         shell("echo '%s,Revert \"Advance production/shop to all\"'", before));
        ck_assert_str_eq(
            shell("git -C clone log -1 --format=%%B %s | grep -c Weir-Reverts:", on.head), "2");
    }
    ck_assert_uint_gt(failures, 3);
    arena_dispose(&arena);
    end();
}

START_TEST(one_allocation_fails)
{
    torture(false);
}
END_TEST

START_TEST(all_allocations_fail_from_there_on)
{
    torture(true);
}
END_TEST

UNIT_MAIN("torture_move", one_allocation_fails, all_allocations_fail_from_there_on)
