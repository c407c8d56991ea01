/* Three controllers on one repository, 200 rollouts (40 under sanitizers), and metrics that break
 * at random: each decision is on the remote once, and in the end all serve the same. */
#include "steers.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROLLOUTS 40 /* the same, at a fifth of the time */
#else
#define ROLLOUTS 200
#endif
#define CONTROLLERS 3
#define ROUNDS 120

static struct steers controllers[CONTROLLERS];
static uint64_t chance = UINT64_C(0x2545f4914f6cdd1d);
static int64_t breaks_at[ROLLOUTS]; /* wall seconds */

static uint64_t draw(uint64_t below)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance % below;
}

static size_t number_of(const struct roster_rollout *item)
{
    return (size_t)strtoul(item->rollout->name.text.data + 1, NULL, 10);
}

/* A metric is broken for two hours at its time, in whatever phase. */
static bool breaks(const struct roster_rollout *item)
{
    return wall_seconds >= breaks_at[number_of(item)] &&
           wall_seconds < breaks_at[number_of(item)] + 7200;
}

static void write_definitions(void)
{
    char path[200];
    snprintf(path, sizeof path, "%s/work/flags.yaml", root);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "%s---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: errors}\nspec:\n"
            "  prometheus: {address: 'http://127.0.0.1:9090', query: up}\n"
            "  thresholdRange: {max: 0.01}\n",
            ROLLOUT_FLAG);
    for (int i = 0; i < ROLLOUTS; i++)
        fprintf(file,
                "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f%d}\nspec: {variants: "
                "{on: true, off: false}, default: off}\n---\napiVersion: weir/v1\nkind: Rollout\n"
                "metadata: {name: r%d}\nspec:\n  flag: f%d\n  environment: production\n"
                "  variant: on\n  control: off\n  start: 2026-01-01T00:00:00Z\n  metrics: "
                "[errors]\n  onBreach: %s\n  phases: [{name: one, percent: 1, bake: 2h}, {name: "
                "ten, percent: 10, bake: 5h}, {name: half, percent: 50, bake: 1w}]\n",
                i, i, i,
                i % 3 == 0   ? "stepBack"
                : i % 3 == 1 ? "rollback"
                             : "kill");
    ck_assert_int_eq(fclose(file), 0);
}

/* One of them does one thing that it would do at some time. */
static void do_something(struct steers *steers)
{
    switch (draw(4)) {
    case 0:
        steers_fetch(steers);
        steers_take(steers);
        break;
    case 1:
        if (steers->proposal && steers_record(steers) == RECORDER_ACCEPTED)
            steers_take(steers);
        break;
    default:
        core_turn(steers->core);
    }
}

static void all_serve_the_same(void)
{
    struct snapshot *first = hub_acquire(&controllers[0].hub);
    for (size_t i = 1; i < CONTROLLERS; i++) {
        struct snapshot *other = hub_acquire(&controllers[i].hub);
        ck_assert_str_eq(first->commit, other->commit);
        ck_assert(document_equal(first->environments[0].document, other->environments[0].document));
        ck_assert_uint_eq(steering_open(core_steering(controllers[i].core)), 0);
        snapshot_release(other);
    }
    snapshot_release(first);
}

START_TEST(each_decision_is_on_the_remote_once)
{
    static const char *const folders[CONTROLLERS] = {"one", "two", "three"};
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    write_definitions();
    commit("true");
    steers_measure(WALK_SUCCESS, "");
    steers_breaks = breaks;
    steers_blast_cap = 10 * ROLLOUTS;
    for (size_t i = 0; i < ROLLOUTS; i++)
        breaks_at[i] = wall_seconds + (int64_t)draw(ROUNDS * 150);
    for (size_t i = 0; i < CONTROLLERS; i++) {
        steers_open(&controllers[i], folders[i]);
        steers_fetch(&controllers[i]);
        steers_take(&controllers[i]);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned j = 0; j < 6; j++)
            do_something(&controllers[draw(CONTROLLERS)]);
        pass((int64_t)draw(300));
    }
    pass(4 * 3600); /* nothing is broken any more */
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < CONTROLLERS; i++) {
            steers_fetch(&controllers[i]);
            steers_take(&controllers[i]);
            pass(61); /* whatever waits for its next try */
            core_turn(controllers[i].core);
            while (controllers[i].proposal) {
                if (steers_record(&controllers[i]) != RECORDER_ACCEPTED)
                    steers_fetch(&controllers[i]);
                steers_take(&controllers[i]);
                pass(61);
                core_turn(controllers[i].core);
            }
        }
    }
    for (size_t i = 0; i < CONTROLLERS; i++) {
        steers_fetch(&controllers[i]);
        steers_take(&controllers[i]);
        core_turn(controllers[i].core);
    }
    all_serve_the_same();
    ck_assert_str_eq(
        shell("git -C remote.git log --format='%%(trailers:key=Weir-Intent,valueonly)' | grep . | "
              "sort | uniq -d | wc -l"),
        "0");
    unsigned long backward = strtoul(shell("git -C remote.git log --format=%%b | grep -cE "
                                           "'^Weir-Action: (rollback|step-back|kill)$'"),
                                     NULL, 10),
                  all = strtoul(shell("git -C remote.git rev-list --count main"), NULL, 10);
    ck_assert_msg(backward >= ROLLOUTS / 4 && all > 2 * ROLLOUTS, "%lu back of %lu", backward, all);
    for (size_t i = 0; i < CONTROLLERS; i++)
        steers_close(&controllers[i]);
    mirror = NULL;
    end();
}
END_TEST

UNIT_MAIN("steering_many", each_decision_is_on_the_remote_once)
