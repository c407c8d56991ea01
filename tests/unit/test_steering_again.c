/* What breaks again while the branch is away: each breach takes users one phase further back, as it
 * would if Git had the one before, and all of them are recorded once it is there. */
#include "pins.h"
#include "steers_shop.h"

#define STEPS WATCHED "  onBreach: stepBack\n"

static bool breaks_in_half(const struct roster_rollout *item)
{
    return item->state->phase == 2;
}

/* Breaks where it stands now, measured long enough after it came there. */
static void break_again(struct steers *steers)
{
    pass(60);
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    core_turn(steers->core);
    steers_measure(WALK_SUCCESS, "");
}

static void take_away(void)
{
    shell("mv remote.git away.git");
}

static void bring_back(void)
{
    shell("mv away.git remote.git");
    pass(120);
}

static size_t open_ones(struct steers *steers)
{
    return steering_open(core_steering(steers->core));
}

static const char *actions(void)
{
    return shell("git -C remote.git log --reverse --format=%%b | sed -n 's/^Weir-Action: //p' | "
                 "paste -sd' '");
}

static void restart(void)
{
    char tip[COMMIT_TEXT_SIZE];
    memcpy(tip, one.tip, sizeof tip);
    steers_close(&one);
    steers_open(&one, "one");
    memcpy(one.tip, tip, sizeof tip);
    steers_take(&one);
}

START_TEST(each_breach_goes_one_phase_further_back)
{
    set_up_half(STEPS);
    take_away();
    break_again(&one);
    unsigned ten = exposed();
    ck_assert(ten > 60 && ten < 140);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    break_again(&one);
    unsigned two = exposed();
    ck_assert(two > 5 && two < 50);
    core_turn(one.core);
    ck_assert(shows("\"serving\":\"2 phases back, phase two\""));
    break_again(&one);
    ck_assert_uint_eq(exposed(), 0);
    ck_assert_uint_eq(open_ones(&one), 3);
    break_again(&one); /* nobody is on it any more */
    ck_assert_uint_eq(open_ones(&one), 3);
    bring_back();
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(exposed(), 0);
    ck_assert_uint_eq(open_ones(&one), 0);
    ck_assert_str_eq(actions(), "start advance advance step-back step-back rollback");
    ck_assert_str_eq(shell("git -C remote.git log -3 --format=%%s"),
                     "Revert \"Start production/shop-release at two\"\n"
                     "Revert \"Advance production/shop-release to ten\"\n"
                     "Revert \"Advance production/shop-release to half\"");
    ck_assert_str_eq(shell("git -C remote.git log -3 --format=%%b | grep -c '^Weir-Evidence: "
                           "errors: 0.5 > 0.01'"),
                     "3");
    tear_down();
}
END_TEST

/* What the tip's phase was measured for says nothing of where users are now. */
START_TEST(one_measurement_goes_one_phase_back)
{
    set_up_half(STEPS);
    take_away();
    steers_breaks = breaks_in_half;
    pass(60);
    core_turn(one.core);
    unsigned ten = exposed();
    ck_assert(ten > 60 && ten < 140);
    for (int i = 0; i < 5; i++) {
        core_turn(one.core);
        ck_assert_uint_eq(steers_phase, 1);
        ck_assert_uint_eq(exposed(), ten);
        pass(60);
    }
    steers_breaks = NULL;
    ck_assert_uint_eq(open_ones(&one), 1);
    bring_back();
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(exposed(), ten);
    ck_assert_str_eq(actions(), "start advance advance step-back");
    tear_down();
}
END_TEST

START_TEST(a_restart_between_goes_on_where_users_are)
{
    set_up_half(STEPS);
    take_away();
    break_again(&one);
    restart();
    unsigned ten = exposed();
    ck_assert(ten > 60 && ten < 140);
    break_again(&one);
    unsigned two = exposed();
    ck_assert(two > 5 && two < 50);
    restart();
    ck_assert_uint_eq(exposed(), two);
    core_turn(one.core);
    ck_assert_uint_eq(steers_phase, 0);
    bring_back();
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(exposed(), two);
    ck_assert_str_eq(actions(), "start advance advance step-back step-back");
    ck_assert_uint_eq(open_ones(&one), 0);
    tear_down();
}
END_TEST

/* --- two controllers -------------------------------------------------------------------------- */

static struct steers other;

static void open_other(void)
{
    steers_open(&other, "other");
    steers_fetch(&other);
    steers_take(&other);
    core_turn(other.core);
}

/* The one override that is served. */
static struct override *served(void)
{
    struct snapshot *snapshot = hub_acquire(&one.hub);
    const struct override_set *set = snapshot->environments[0].overrides;
    ck_assert(set && set->count == 1);
    struct override *found = override_reference(set->items[0]);
    snapshot_release(snapshot);
    return found;
}

static void catch_up(struct steers *steers)
{
    steers_fetch(steers);
    steers_take(steers);
}

/* A target holds the newest alone. */
START_TEST(who_finds_the_last_of_them_records_all)
{
    set_up_half(STEPS);
    open_other();
    take_away();
    break_again(&one);
    break_again(&one);
    unsigned two = exposed();
    struct override *last = served();
    steering_adopt(core_steering(other.core), &last, 1, "cache");
    override_release(last);
    core_turn(other.core);
    ck_assert_uint_eq(steers_exposed(&other, &staff), two);
    ck_assert_uint_eq(steers_phase, 0);
    bring_back();
    ck_assert_uint_eq(steers_settle(&other), 1);
    ck_assert_uint_eq(steers_exposed(&other, &staff), two);
    ck_assert_str_eq(actions(), "start advance advance step-back step-back");
    ck_assert_uint_eq(open_ones(&one), 2);
    catch_up(&one);
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_uint_eq(open_ones(&one), 0);
    ck_assert_uint_eq(exposed(), two);
    steers_close(&other);
    tear_down();
}
END_TEST

START_TEST(two_that_see_the_same_derive_the_same)
{
    set_up_half(STEPS);
    open_other();
    take_away();
    for (int i = 0; i < 2; i++) {
        break_again(&one);
        steers_measure(WALK_FAILURE, "0.5 > 0.01");
        core_turn(other.core);
        steers_measure(WALK_SUCCESS, "");
    }
    ck_assert_uint_eq(steers_exposed(&other, &staff), exposed());
    bring_back();
    ck_assert_uint_eq(steers_settle(&one), 1);
    catch_up(&other);
    ck_assert_uint_eq(open_ones(&other), 0);
    ck_assert_uint_eq(steers_settle(&other), 0);
    ck_assert_str_eq(actions(), "start advance advance step-back step-back");
    steers_close(&other);
    tear_down();
}
END_TEST

/* The other saw one breach alone, and recorded it. */
START_TEST(what_is_on_the_branch_by_then_is_not_recorded_again)
{
    set_up_half(STEPS);
    open_other();
    break_again(&one);
    steers_measure(WALK_FAILURE, "0.4 > 0.01");
    core_turn(other.core);
    steers_measure(WALK_SUCCESS, "");
    break_again(&one);
    unsigned two = exposed();
    ck_assert_int_eq(steers_record(&other), RECORDER_ACCEPTED);
    catch_up(&one);
    ck_assert_uint_eq(open_ones(&one), 1);
    ck_assert_uint_eq(exposed(), two);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(exposed(), two);
    ck_assert_str_eq(actions(), "start advance advance step-back step-back");
    steers_close(&other);
    tear_down();
}
END_TEST

/* A person has decided in between: what is open applies to whatever stands there. */
START_TEST(a_pause_in_between_takes_nothing_from_it)
{
    struct desk_request pause;
    set_up_half(STEPS);
    open_other();
    break_again(&one);
    break_again(&one);
    unsigned two = exposed();
    steers_ask(&other, VERB_PAUSE, "ada", &pause);
    core_turn(other.core);
    ck_assert_int_eq(steers_record(&other), RECORDER_ACCEPTED);
    catch_up(&one);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(exposed(), two);
    ck_assert_str_eq(actions(), "start advance advance pause step-back step-back");
    steers_close(&other);
    tear_down();
}
END_TEST

START_TEST(steps_that_nobody_took_are_not_come_after)
{
    set_up_half(STEPS);
    unsigned half = exposed();
    open_other();
    take_away();
    break_again(&one);
    break_again(&one);
    struct override *last = served();
    struct override like = *last;
    ck_assert_uint_eq(like.after.length, OVERRIDE_INTENT_LENGTH);
    char after[2 * INTENT_TEXT_SIZE];
    snprintf(after, sizeof after, "%s %s", like.after.data, like.after.data);
    const struct text made_up[] = {
        {"cc33333333333333333333333333333333333333333333333333333333333333", 64},
        {after, strlen(after)},
        {like.intent.data, OVERRIDE_INTENT_LENGTH}};
    for (size_t i = 0; i < COUNT_OF(made_up); i++) {
        like.after = made_up[i];
        struct override *found = override_new(&like);
        steering_adopt(core_steering(other.core), &found, 1, "cache");
        override_release(found);
        core_turn(other.core);
        ck_assert_uint_eq(open_ones(&other), 0);
        ck_assert_uint_eq(steers_exposed(&other, &staff), half);
    }
    override_release(last);
    steers_close(&other);
    tear_down();
}
END_TEST

/* What a person's commit did to the flag was pinned away: nobody gets it by a breach. */
START_TEST(what_is_served_of_a_pinned_flag_is_what_it_is_pinned_to)
{
    set_up_half(STEPS);
    struct flag_pin pin = pin_of(one.tip, false, NULL);
    shell("cd work && git pull -q --rebase && mkdir -p state/production/flags && sed -i "
          "'s/{attribute: country, is: DE}/{not: {attribute: country, is: DE}}/' flags/shop.yaml");
    char *text = pin_text(&pin);
    write_text("state/production/flags/shop.yaml", text);
    free(text);
    commit("true");
    steers_fetch(&one);
    steers_take(&one);
    unsigned half = exposed();
    ck_assert_uint_gt(half, 400);
    ck_assert_uint_lt(half, 600);
    breaks(METRIC_GUARDRAIL);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    unsigned ten = exposed();
    ck_assert_uint_gt(ten, 0);
    ck_assert_uint_lt(ten, 150);
    steers_measure(WALK_SUCCESS, "");
    steers_settle(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(exposed(), ten); /* and the branch says the same */
    tear_down();
}
END_TEST

UNIT_MAIN("steering_again", each_breach_goes_one_phase_further_back,
          one_measurement_goes_one_phase_back, a_restart_between_goes_on_where_users_are,
          who_finds_the_last_of_them_records_all, two_that_see_the_same_derive_the_same,
          what_is_on_the_branch_by_then_is_not_recorded_again,
          a_pause_in_between_takes_nothing_from_it, steps_that_nobody_took_are_not_come_after,
          what_is_served_of_a_pinned_flag_is_what_it_is_pinned_to)
