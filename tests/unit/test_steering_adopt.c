/* Overrides that somebody else's target or the remote holds, some of them written by a stranger
 * who knows what a right intent is: what is served for them is what this controller compiles, no
 * less safe than they ask for, and nobody's name stands for it. */
#include "steers_shop.h"

#define EXPOSING                                                                                   \
    "{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},\"defaultVariant\":\"on\"}"

static struct steers two;
static char intent[INTENT_TEXT_SIZE];

/* Of a state that has been, or will be. */
static struct override derived(enum walk_verb_kind action, uint32_t run, uint32_t seq)
{
    const struct rollout_state state = {
        .environment = TEXT("production"), .rollout = TEXT("shop-release"), .run = run, .seq = seq};
    rollout_intent(&state, text_of(walk_verb_name(action)), intent);
    return (struct override){.intent = text_of(intent),
                             .environment = TEXT("production"),
                             .flag = TEXT("shop"),
                             .rollout = TEXT("shop-release"),
                             .action = action,
                             .run = run,
                             .seq = seq,
                             .by = TEXT("weir"),
                             .note = TEXT(""),
                             .evidence = TEXT(""),
                             .fragment = TEXT(EXPOSING),
                             .since = wall_seconds,
                             .generation = "00000000000000000000000000000000"};
}

static void tell(struct steers *steers, const struct override *like, const char *target)
{
    struct override *found = override_new(like);
    ck_assert_ptr_nonnull(found);
    steering_adopt(core_steering(steers->core), &found, 1, target);
    override_release(found);
    core_turn(steers->core);
}

static size_t open_at(struct steers *steers)
{
    return steering_open(core_steering(steers->core));
}

static void catch_up(struct steers *steers)
{
    steers_fetch(steers);
    steers_take(steers);
}

START_TEST(what_is_served_is_compiled_here)
{
    static const struct {
        enum walk_verb_kind action;
        unsigned least, most; /* of 1 000 users */
    } cases[] = {{VERB_STEP_BACK, 60, 140}, {VERB_ROLLBACK, 0, 0}, {VERB_KILL, 0, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        set_up_half(WATCHED);
        const struct override like = derived(cases[i].action, 1, 3);
        tell(&one, &like, i % 2 ? "cache" : NULL);
        ck_assert_uint_eq(open_at(&one), 1);
        unsigned now = exposed();
        ck_assert_msg(now >= cases[i].least && now <= cases[i].most, "%u of case %zu", now, i);
        ck_assert_uint_eq(steers_settle(&one), 1);
        ck_assert_uint_eq(exposed(), now);
        ck_assert_uint_eq(open_at(&one), 0);
        tear_down();
    }
}
END_TEST

START_TEST(nobodys_name_stands_for_what_somebody_told)
{
    static const struct {
        const char *by, *target, *recorded, *reason;
    } cases[] = {
        {"eve <eve@example.com>", "cache", "somebody, as told by target 'cache'",
         "said to be by \"eve <eve@example.com>\": because"},
        {"weir", NULL, "weir, as told by a ref of the remote", "because"},
        {"weir, as told by target 'x'", "cache", "weir, as told by target 'cache'", "because"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        set_up_half(WATCHED);
        struct override like = derived(VERB_KILL, 1, 3);
        like.by = text_of(cases[i].by);
        like.note = TEXT("because");
        tell(&one, &like, cases[i].target);
        ck_assert_uint_eq(steers_settle(&one), 1);
        ck_assert_str_eq(shell("git -C remote.git log -1 --format='%%an <%%ae> %%cn'"),
                         "weir of tests <weir@example.com> weir of tests");
        char *trailers = shell("git -C remote.git log -1 --format=%%B");
        ck_assert_msg(strstr(trailers, cases[i].recorded) && strstr(trailers, cases[i].reason),
                      "%s", trailers);
        ck_assert_ptr_null(strstr(trailers, "Weir-By: eve"));
        ck_assert_ptr_null(strstr(
            shell("git -C remote.git show main:state/production/shop-release.yaml"), "by: \"eve"));
        tear_down();
    }
}
END_TEST

START_TEST(it_is_kept_as_it_was_compiled)
{
    set_up_half(WATCHED);
    shell("mv remote.git away.git");
    struct override like = derived(VERB_ROLLBACK, 1, 3);
    like.by = TEXT("eve");
    tell(&one, &like, "cache");
    char tip[COMMIT_TEXT_SIZE];
    memcpy(tip, one.tip, sizeof tip);
    steers_close(&one);
    steers_open(&one, "one");
    memcpy(one.tip, tip, sizeof tip);
    steers_take(&one);
    ck_assert_uint_eq(open_at(&one), 1);
    ck_assert_uint_eq(exposed(), 0);
    shell("mv away.git remote.git");
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_str_eq(shell("git -C remote.git log -1 --format=%%an"), "weir of tests");
    tear_down();
}
END_TEST

/* It was decided while ten percent had it; now half have. */
START_TEST(a_step_back_of_a_tip_that_went_on_goes_as_far_as_it_asks)
{
    set_up_half(WATCHED);
    const struct override like = derived(VERB_STEP_BACK, 1, 2);
    tell(&one, &like, "cache");
    ck_assert_uint_eq(open_at(&one), 1);
    ck_assert_uint_lt(exposed(), 50);
    ck_assert_uint_gt(exposed(), 0);
    tear_down();
}
END_TEST

START_TEST(a_step_back_of_a_state_that_never_was_goes_all_the_way)
{
    set_up_half(WATCHED);
    const struct override like = derived(VERB_STEP_BACK, 1, 0);
    tell(&one, &like, "cache");
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

/* Who is behind has nothing to make safe yet. The commit that lets users in is never served as it
 * is. */
START_TEST(who_is_behind_serves_it_with_the_commit_that_it_is_of)
{
    set_up_half(WATCHED);
    do_and_record(VERB_ROLLBACK);
    steers_open(&two, "two");
    catch_up(&two);
    pass(7200);
    do_and_record(VERB_RESUME);
    ck_assert_uint_gt(exposed(), 0);
    const struct override like = derived(VERB_ROLLBACK, 2, 5);
    for (unsigned i = 0; i < 3; i++) /* as often as a target is read */
        tell(&two, &like, "cache");
    ck_assert_uint_eq(open_at(&two), 0);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 0);
    catch_up(&two);
    ck_assert_uint_eq(open_at(&two), 1);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 0);
    ck_assert_uint_eq(steers_settle(&two), 1);
    steers_close(&two);
    tear_down();
}
END_TEST

START_TEST(what_comes_before_anything_is_in_force_is_served_with_the_first_commit)
{
    set_up_half(WATCHED);
    steers_open(&two, "two");
    const struct override like = derived(VERB_KILL, 1, 3);
    tell(&two, &like, NULL);
    ck_assert_uint_eq(open_at(&two), 0);
    catch_up(&two);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 0);
    steers_close(&two);
    tear_down();
}
END_TEST

/* The rollout is over and was taken away, and its variant is what everybody gets: here that is
 * known already, and there it broke. */
START_TEST(of_a_rollout_that_went_users_are_put_where_it_would_have_put_them)
{
    set_up_half(WATCHED);
    pass(INT64_C(8) * 86400);
    steers_settle(&one);
    shell("cd work && git pull -q --rebase && git rm -q -r rollouts.yaml state && sed -i "
          "'s/default: off/default: on/' flags/shop.yaml");
    commit("true");
    catch_up(&one);
    ck_assert_uint_eq(exposed(), 1000);
    const struct override like = derived(VERB_KILL, 1, 4);
    tell(&one, &like, "cache");
    ck_assert_uint_eq(open_at(&one), 1);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

/* A rollout that nobody ever defined makes nothing safe, and is no reason for anything. */
START_TEST(of_a_rollout_that_never_was_nothing_is_served)
{
    set_up_half(WATCHED);
    unsigned before = exposed();
    struct override like = derived(VERB_KILL, 1, 3);
    const struct rollout_state state = {
        .environment = TEXT("production"), .rollout = TEXT("other"), .run = 1, .seq = 3};
    rollout_intent(&state, TEXT("kill"), intent);
    like.rollout = TEXT("other");
    tell(&one, &like, "cache");
    ck_assert_uint_eq(open_at(&one), 0);
    ck_assert_uint_eq(exposed(), before);
    tear_down();
}
END_TEST

static const char *flag_intent(const char *flag, uint32_t seq, const char *action)
{
    ck_assert_int_eq(
        flag_pin_intent(TEXT("production"), text_of(flag), seq, text_of(action), intent),
        STATUS_OK);
    return intent;
}

static struct override of_flag(enum walk_verb_kind action, uint32_t seq, const char *decided)
{
    struct override like = derived(action, 0, seq);
    like.rollout = TEXT("");
    like.intent = text_of(flag_intent("shop", seq, decided));
    return like;
}

START_TEST(a_flag_is_killed_as_its_definition_says)
{
    for (size_t i = 0; i < 2; i++) {
        set_up_half(WATCHED);
        const struct override like = of_flag(VERB_KILL, 0, "kill");
        tell(&one, &like, i ? "cache" : NULL);
        ck_assert_uint_eq(open_at(&one), 1);
        ck_assert_uint_eq(exposed(), 0);
        tear_down();
    }
}
END_TEST

/* Whoever may write to a target cannot have a flag as they like. */
START_TEST(an_intent_of_a_flag_has_to_be_right_at_a_target_too)
{
    set_up_half(WATCHED);
    unsigned before = exposed();
    struct override like = of_flag(VERB_KILL, 0, "kill");
    like.seq = 7;
    tell(&one, &like, "cache");
    like = of_flag(VERB_ROLLBACK, 0, "kill");
    tell(&one, &like, "cache");
    like = of_flag(VERB_ROLLBACK, 0, "revert"); /* but nothing was changed that could be reverted */
    tell(&one, &like, "cache");
    ck_assert_uint_eq(open_at(&one), 0);
    ck_assert_uint_eq(exposed(), before);
    ck_assert_ptr_null(one.proposal);
    tear_down();
}
END_TEST

static void tell_many(enum walk_verb_kind action, uint32_t count)
{
    struct override **found = calloc(count, sizeof *found);
    ck_assert(found != NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct override like = derived(action, 1, 3 + i);
        found[i] = override_new(&like);
        ck_assert(found[i] != NULL);
    }
    steering_adopt(core_steering(one.core), found, count, "cache");
    for (uint32_t i = 0; i < count; i++)
        override_release(found[i]);
    free(found);
    core_turn(one.core);
}

/* Whoever may write to a target writes as many as weir takes: users are one phase back, not all the
 * way, and what breaks there is acted on. */
START_TEST(of_many_that_say_the_same_some_are_taken)
{
    set_up_half(WATCHED);
    tell_many(VERB_STEP_BACK, OVERRIDES_MAX);
    ck_assert_uint_eq(open_at(&one), 1);
    ck_assert_uint_gt(exposed(), 60);
    pass(60); /* what is measured is of where they stand now */
    breaks(METRIC_GUARDRAIL);
    ck_assert_uint_eq(exposed(), 0);
    tell_many(VERB_KILL, OVERRIDES_MAX);
    ck_assert_uint_lt(open_at(&one), 10);
    tear_down();
}
END_TEST

UNIT_MAIN("steering_adopt", what_is_served_is_compiled_here,
          nobodys_name_stands_for_what_somebody_told, it_is_kept_as_it_was_compiled,
          a_step_back_of_a_tip_that_went_on_goes_as_far_as_it_asks,
          a_step_back_of_a_state_that_never_was_goes_all_the_way,
          who_is_behind_serves_it_with_the_commit_that_it_is_of,
          what_comes_before_anything_is_in_force_is_served_with_the_first_commit,
          of_a_rollout_that_went_users_are_put_where_it_would_have_put_them,
          of_a_rollout_that_never_was_nothing_is_served, a_flag_is_killed_as_its_definition_says,
          an_intent_of_a_flag_has_to_be_right_at_a_target_too,
          of_many_that_say_the_same_some_are_taken)
