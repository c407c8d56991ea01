/* Several overrides over one flag: what is served is what the branch comes to with all of them. */
#include "../../rules/fragment.h"
#include "steers_shop.h"

#define WATCH "  watch: {metrics: [errors], bake: 1h}\n"
#define BACK WATCHED "  onBreach: stepBack\n"
#define FRENCH "    - {name: fr, when: {attribute: country, is: FR}, serve: on}\n"

static const char *broken; /* of what is measured: what its name has in it */

static bool breaks_one(const struct roster_rollout *item)
{
    return strstr(item->name, broken) != NULL;
}

static void break_it(const char *what)
{
    broken = what;
    steers_breaks = breaks_one;
    core_turn(one.core);
}

static void commit_flag(const char *rules)
{
    char text[3000], date[48];
    shell("cd work && git pull -q --rebase");
    snprintf(text, sizeof text, "%s%s%s",
             RIG_PRODUCTION RIG_FLAG(
                 "shop", WATCH "  rules:\n    - {name: de, when: {attribute: country, is: DE}, "
                               "serve: on}\n"),
             rules, RIG_SEGMENT("staff", "{match: {attribute: email, endsWith: '@example.com'}}"));
    write_text("flags/shop.yaml", text);
    snprintf(date, sizeof date, "%lld +0000", (long long)wall_seconds);
    setenv("GIT_COMMITTER_DATE", date, 1);
    commit("true");
    unsetenv("GIT_COMMITTER_DATE");
    steers_fetch(&one);
    steers_take(&one);
}

/* A tenth has it by the rollout, and half is next; a person lets everybody of a country have it. */
static void set_up_joined(void)
{
    set_up(PHASES, BACK);
    commit_flag("");
    for (int i = 0; i < 3; i++) {
        steers_settle(&one);
        pass(3600);
    }
    steers_settle(&one);
    ck_assert_uint_gt(exposed(), 400);
    ck_assert_uint_lt(exposed(), 600);
    commit_flag(FRENCH);
    ck_assert_uint_eq(exposed(), 1000);
    pass(60);
}

static void tear_down_joined(void)
{
    steers_breaks = NULL;
    tear_down();
}

/* Neither the rule nor half of all. */
static void check_tenth(void)
{
    ck_assert_uint_gt(exposed(), 50);
    ck_assert_uint_lt(exposed(), 150);
}

static void settle_joined(void)
{
    steers_breaks = NULL;
    steers_measure(WALK_NO_DATA, "");
    steers_settle(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    check_tenth();
}

START_TEST(a_flag_and_its_rollout_break_together)
{
    set_up_joined();
    break_it("shop");
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    check_tenth();
    settle_joined();
    tear_down_joined();
}
END_TEST

START_TEST(a_flag_and_its_rollout_break_one_after_the_other)
{
    static const char *const orders[][2] = {{"flags/shop", "shop-release"},
                                            {"shop-release", "flags/shop"}};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        set_up_joined();
        break_it(orders[i][0]);
        ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
        pass(60);
        break_it(orders[i][1]);
        ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
        check_tenth();
        settle_joined();
        tear_down_joined();
    }
}
END_TEST

START_TEST(a_restart_serves_all_of_them)
{
    set_up_joined();
    break_it("shop");
    proposal_free(one.proposal);
    one.proposal = NULL;
    steers_close(&one);
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    check_tenth();
    settle_joined();
    tear_down_joined();
}
END_TEST

#define RELEASE(name, variant, control, phases)                                                    \
    "---\napiVersion: weir/v1\nkind: Rollout\nmetadata: {name: " name "}\nspec:\n"                 \
    "  flag: shop\n  environment: production\n  variant: " variant "\n  control: " control         \
    "\n  seed: " name "\n  phases: " phases "\n" START                                             \
    "  metrics: [errors]\n  onBreach: rollback\n"

/* What the flag is in the document that is served. */
static char *served(void)
{
    struct snapshot *snapshot = hub_acquire(&one.hub);
    const struct snapshot_environment *environment =
        snapshot_environment(snapshot, TEXT("production"));
    struct buffer out;
    buffer_init(&out, 0);
    fragment_append_json(document_find(environment->document, TEXT("shop")), &out);
    buffer_append_char(&out, '\0');
    snapshot_release(snapshot);
    return out.data;
}

/* One has ended, with everybody on it; the next is on its way. */
START_TEST(two_rollouts_of_a_flag_break_together)
{
    set_up("[{name: all, percent: 100, bake: 1h}]", WATCHED);
    for (int i = 0; i < 2; i++) {
        steers_settle(&one);
        pass(3600);
    }
    steers_settle(&one);
    shell("cd work && git pull -q --rebase && "
          "sed -i 's/off: false/off: false, next: true/' flags/shop.yaml");
    write_text("next.yaml",
               RELEASE("next-release", "next", "on", "[{name: half, percent: 50, bake: 1w}]"));
    commit("true");
    steers_fetch(&one);
    steers_take(&one);
    steers_settle(&one);
    ck_assert_uint_gt(exposed(), 400);
    ck_assert_uint_lt(exposed(), 600);
    break_it("release");
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    ck_assert_uint_eq(exposed(), 0);
    char *before = served();
    steers_breaks = NULL;
    steers_measure(WALK_NO_DATA, "");
    steers_settle(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    char *after = served();
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    tear_down_joined();
}
END_TEST

/* Another controller takes what a person says to the branch, which does not take this one's. */
static void says(struct steers *other, enum walk_verb_kind verb)
{
    struct desk_request request = {
        .environment = "production", .rollout = "shop", .verb = verb, .by = "ada"};
    steers_fetch(other);
    steers_take(other);
    ck_assert_ok(desk_submit(other->desk, &request, &failure));
    core_turn(other->core);
    ck_assert_int_eq(steers_record(other), RECORDER_ACCEPTED);
    proposal_free(one.proposal);
    one.proposal = NULL;
    steers_fetch(&one);
    steers_take(&one);
}

START_TEST(a_kill_of_the_flag_stands_over_a_step_back_that_is_open)
{
    struct steers two;
    set_up_joined();
    break_it("shop-release");
    steers_breaks = NULL;
    steers_measure(WALK_NO_DATA, "");
    steers_open(&two, "two");
    says(&two, VERB_KILL);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_uint_eq(exposed(), 0);
    says(&two, VERB_UNKILL);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_uint_eq(exposed(), 1000); /* by the rule, which did not break */
    steers_settle(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(exposed(), 1000);
    steers_close(&two);
    tear_down_joined();
}
END_TEST

UNIT_MAIN("steering_joined", a_flag_and_its_rollout_break_together,
          a_flag_and_its_rollout_break_one_after_the_other, a_restart_serves_all_of_them,
          two_rollouts_of_a_flag_break_together,
          a_kill_of_the_flag_stands_over_a_step_back_that_is_open)
