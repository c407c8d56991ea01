/* Overrides in strange company: of intents that were there before, with more that breaks while they
 * are open, and some that no controller can have made. */
#include "steers.h"

#define METRICS                                                                                    \
    "---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: errors}\nspec:\n  role: breaker\n"   \
    "  prometheus: {address: 'http://127.0.0.1:9090', query: up}\n  thresholdRange: {max: 0.01}\n"
#define PHASES                                                                                     \
    "[{name: ten, percent: 10, bake: 1h}, {name: half, percent: 50, bake: 1w}, {name: most, "      \
    "percent: 90, bake: 1w}]"
#define MORE "  start: 2026-01-01T00:00:00Z\n  metrics: [errors]\n"

static struct steers one;
static bool staff;

static void write_rollout(void)
{
    char text[3000];
    snprintf(text, sizeof text, "%s%s%s", ROLLOUT("shop-release", PHASES), MORE, METRICS);
    write_text("rollouts.yaml", text);
}

static void take_commit(void)
{
    commit("true");
    steers_fetch(&one);
    steers_take(&one);
}

static void walk_to_half(void)
{
    steers_measure(WALK_SUCCESS, "");
    steers_settle(&one);
    pass(3600);
    steers_settle(&one);
    ck_assert_uint_gt(steers_exposed(&one, &staff), 400);
}

static void set_up(void)
{
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    write_text("flags/shop.yaml", ROLLOUT_FLAG);
    write_rollout();
    steers_open(&one, "one");
    take_commit();
    walk_to_half();
}

static void tear_down(void)
{
    steers_close(&one);
    mirror = NULL;
    end();
}

static struct desk_request do_verb(enum walk_verb_kind verb)
{
    struct desk_request request;
    steers_ask(&one, verb, "ada", &request);
    core_turn(one.core);
    return steers_answer(&one, &request);
}

/* Ended, taken away with its state, and begun anew under the same name: each of its moves has the
 * intent of the one before. */
static void begin_another_of_the_name(void)
{
    steers_settle(&one);
    shell("cd work && git pull -q --rebase && git rm -q -r rollouts.yaml state");
    take_commit();
    pass(3600);
    write_rollout();
    take_commit();
    walk_to_half();
}

START_TEST(a_name_that_was_used_before_is_killed_like_any_other)
{
    set_up();
    ck_assert_int_eq(do_verb(VERB_KILL).state, DESK_SERVED);
    begin_another_of_the_name();
    shell("mv remote.git away.git");
    struct desk_request answer = do_verb(VERB_KILL);
    ck_assert_msg(answer.state == DESK_SERVED, "%s", answer.words);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    char tip[COMMIT_TEXT_SIZE];
    memcpy(tip, one.tip, sizeof tip);
    steers_close(&one);
    steers_open(&one, "one"); /* and it is not forgotten */
    memcpy(one.tip, tip, sizeof tip);
    steers_take(&one);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    shell("mv away.git remote.git");
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_str_eq(shell("git -C remote.git log --format=%%s | grep -c ^Kill"), "2");
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    tear_down();
}
END_TEST

START_TEST(a_name_that_was_used_before_breaks_like_any_other)
{
    set_up();
    ck_assert_int_eq(do_verb(VERB_ROLLBACK).state, DESK_SERVED);
    begin_another_of_the_name();
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    core_turn(one.core);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_str_eq(shell("git -C remote.git log --format=%%s | grep -c ^Revert"), "2");
    tear_down();
}
END_TEST

/* Users are still on the variant, though fewer, and the branch does not say so for long. */
START_TEST(what_breaks_after_a_step_back_takes_users_off_before_git_says_either)
{
    set_up();
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(VERB_STEP_BACK).state, DESK_SERVED);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    unsigned few = steers_exposed(&one, &staff);
    ck_assert(few > 60 && few < 140);
    pass(30);
    core_turn(one.core);
    ck_assert_uint_eq(steers_exposed(&one, &staff), few);
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    core_turn(one.core);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    for (int i = 0; i < 3; i++) {
        pass(30);
        core_turn(one.core);
    }
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    shell("mv away.git remote.git");
    pass(61);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_str_eq(shell("git -C remote.git log -2 --format=%%b --reverse | grep ^Weir-Action"),
                     "Weir-Action: step-back\nWeir-Action: rollback");
    tear_down();
}
END_TEST

/* The hold that the step back comes with is not in Git yet, and counts. */
START_TEST(nobody_advances_what_is_served_one_phase_back)
{
    set_up();
    ck_assert_int_eq(do_verb(VERB_STEP_BACK).state, DESK_SERVED);
    unsigned few = steers_exposed(&one, &staff);
    ck_assert(few > 60 && few < 140);
    struct desk_request answer = do_verb(VERB_ADVANCE);
    ck_assert_msg(answer.state == DESK_REFUSED && strstr(answer.words, "step-back"), "%s",
                  answer.words);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steers_exposed(&one, &staff), few);
    tear_down();
}
END_TEST

START_TEST(a_step_back_asked_twice_is_one)
{
    set_up();
    ck_assert_int_eq(do_verb(VERB_STEP_BACK).state, DESK_SERVED);
    unsigned few = steers_exposed(&one, &staff);
    ck_assert_int_eq(do_verb(VERB_STEP_BACK).state, DESK_SERVED);
    ck_assert_uint_eq(steers_exposed(&one, &staff), few);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    tear_down();
}
END_TEST

/* On control the variant says nothing while control speaks: that is no crash. */
START_TEST(who_is_off_the_variant_already_is_not_killed_for_its_silence)
{
    set_up();
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(VERB_ROLLBACK).state, DESK_SERVED);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    pass(60);
    steers_measure(WALK_NO_DATA, "");
    steers_gate.role = METRIC_BREAKER;
    steers_gate.silent = true;
    core_turn(one.core);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    shell("mv away.git remote.git");
    pass(61);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_str_eq(shell("git -C remote.git show main:state/production/shop-release.yaml | grep "
                           "course: | tr -d ' '"),
                     "course:rolledBack");
    tear_down();
}
END_TEST

/* --- what somebody put there ------------------------------------------------------------------ */

#define EXPOSING                                                                                   \
    "{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},\"defaultVariant\":\"on\"}"

static struct override made_up(const char *intent, const char *flag, const char *rollout)
{
    return (struct override){.intent = text_of(intent),
                             .environment = TEXT("production"),
                             .flag = text_of(flag),
                             .rollout = text_of(rollout),
                             .action = VERB_STEP_BACK,
                             .run = 1,
                             .seq = 2,
                             .by = TEXT("weir"),
                             .note = TEXT(""),
                             .evidence = TEXT(""),
                             .fragment = TEXT(EXPOSING),
                             .since = INT64_C(253402300799),
                             .generation = "00000000000000000000000000000000"};
}

static void find(const struct override *like, bool is_remote)
{
    struct override *found = override_new(like);
    ck_assert_ptr_nonnull(found);
    steering_adopt(core_steering(one.core), &found, 1, is_remote ? NULL : "cache");
    override_release(found);
}

static const char nobodys[] = "aa11111111111111111111111111111111111111111111111111111111111111";

static void turns_down(const struct override *like, bool is_remote)
{
    unsigned before = steers_exposed(&one, &staff);
    find(like, is_remote);
    core_turn(one.core);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(steers_exposed(&one, &staff), before);
    ck_assert_ptr_null(one.proposal);
}

START_TEST(an_override_that_no_decision_comes_to_is_turned_down)
{
    char intent[INTENT_TEXT_SIZE];
    set_up();
    const struct rollout_state state = {
        .environment = TEXT("production"), .rollout = TEXT("shop-release"), .run = 1, .seq = 2};
    rollout_intent(&state, TEXT("step-back"), intent);
    struct override like = made_up(nobodys, "shop", "shop-release");
    turns_down(&like, false);
    like = made_up(intent, "other", "shop-release"); /* which the rollout does not release */
    turns_down(&like, false);
    like = made_up(intent, "shop", "shop-release");
    like.action = VERB_KILL; /* of another */
    turns_down(&like, true);
    /* One that is right is adopted, and recorded. */
    like = made_up(intent, "shop", "shop-release");
    find(&like, true);
    core_turn(one.core);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    tear_down();
}
END_TEST

START_TEST(overrides_of_flags_and_of_times_to_come_do_not_spend_the_blast_cap)
{
    char intent[INTENT_TEXT_SIZE];
    set_up();
    shell("cd work && git pull -q --rebase");
    write_text("flags/banner.yaml", RIG_FLAG("banner", ""));
    take_commit();
    for (unsigned i = 0; i < WALK_BLAST_CAP; i++) {
        struct override like = made_up(intent, "banner", "");
        like.action = VERB_KILL;
        like.seq = i;
        ck_assert_int_eq(flag_pin_intent(like.environment, like.flag, i, TEXT("kill"), intent),
                         STATUS_OK);
        like.since = i % 2 ? like.since : wall_seconds;
        find(&like, false);
    }
    core_turn(one.core);
    ck_assert_uint_gt(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_gt(steers_exposed(&one, &staff), 0);
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    core_turn(one.core);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    tear_down();
}
END_TEST

/* A disk that fails: what it would serve cannot be compiled, but the branch can be told. */
START_TEST(what_cannot_be_served_here_is_recorded_for_the_others)
{
    char tip[COMMIT_TEXT_SIZE];
    set_up();
    memcpy(tip, one.tip, sizeof tip);
    steers_close(&one);
    shell("cd one/clone.git && mkdir ../packs && mv objects/pack/*.pack ../packs/ 2>/dev/null; "
          "rm -f objects/pack/*; for p in ../packs/*.pack; do [ ! -f $p ] || git unpack-objects -q "
          "<$p; done");
    steers_open(&one, "one");
    memcpy(one.tip, tip, sizeof tip);
    steers_take(&one);
    shell("b=$(git -C work rev-parse main:flags/shop.yaml) && "
          "rm one/clone.git/objects/$(echo $b | cut -c1-2)/$(echo $b | cut -c3-)");
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    core_turn(one.core);
    ck_assert_uint_gt(steers_exposed(&one, &staff), 400);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    ck_assert_str_eq(shell("git -C remote.git log -1 --format=%%s"),
                     "Revert \"Advance production/shop-release to half\"");
    tear_down();
}
END_TEST

static uint32_t overlay_after(uint32_t held)
{
    struct snapshot *snapshot = hub_acquire(&one.hub);
    struct generation generation = snapshot->generation;
    snapshot_release(snapshot);
    generation.overlay = held;
    steering_outrun(core_steering(one.core), generation);
    core_turn(one.core);
    snapshot = hub_acquire(&one.hub);
    uint32_t overlay = snapshot->generation.overlay;
    snapshot_release(snapshot);
    return overlay;
}

/* Whoever may write a generation to a target does not bring this one's to its end. */
START_TEST(generations_do_not_run_out)
{
    set_up();
    ck_assert_uint_eq(overlay_after(5), 6);
    ck_assert_uint_eq(overlay_after(UINT32_MAX), 6);
    ck_assert_uint_eq(overlay_after(UINT32_MAX - 1), 6);
    ck_assert_uint_eq(overlay_after(8), 9);
    tear_down();
}
END_TEST

UNIT_MAIN("steering_overrides", a_name_that_was_used_before_is_killed_like_any_other,
          a_name_that_was_used_before_breaks_like_any_other,
          what_breaks_after_a_step_back_takes_users_off_before_git_says_either,
          who_is_off_the_variant_already_is_not_killed_for_its_silence,
          nobody_advances_what_is_served_one_phase_back, a_step_back_asked_twice_is_one,
          an_override_that_no_decision_comes_to_is_turned_down, generations_do_not_run_out,
          overrides_of_flags_and_of_times_to_come_do_not_spend_the_blast_cap,
          what_cannot_be_served_here_is_recorded_for_the_others)
