/* Where a safe state that Git does not say is kept, and what ends it: never a hand, and never what
 * says nothing of the breach. */
#include "pins.h"
#include "steers_shop.h"

/* --- the end of an override ------------------------------------------------------------------- */

/* In words of sed, on the state's file. */
static void edit_state(const char *words)
{
    shell("cd work && git pull -q --rebase && sed -i '%s' state/production/shop-release.yaml",
          words);
    commit("git diff --quiet && exit 1 || true");
    steers_fetch(&one);
    steers_take(&one);
}

static void is_still_open(void)
{
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_uint_eq(exposed(), 0);
}

START_TEST(no_hand_ends_an_override)
{
    char words[200];
    set_up_half(WATCHED);
    refuse_pushes_of_weir();
    breaks(METRIC_GUARDRAIL);
    struct snapshot *snapshot = hub_acquire(&one.hub);
    snprintf(words, sizeof words, "s/^  intents:/&\\n    - \"%s\"/",
             snapshot->environments[0].overrides->items[0]->intent.data);
    snapshot_release(snapshot);
    is_still_open();
    edit_state("s/^  run: 1/  run: 2/");
    is_still_open();
    edit_state("s/^  run: 2/  run: 1/");
    is_still_open();
    edit_state(words); /* that it is recorded, and nothing else */
    is_still_open();
    shell("rm remote.git/hooks/pre-receive");
    pass(120);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

static bool is_on_in_france(void)
{
    return exposed() == 1000;
}

START_TEST(a_step_back_of_a_flag_that_is_edited_stands_until_it_is_recorded)
{
    set_up_half(WATCHED);
    refuse_pushes_of_weir();
    ck_assert_int_eq(do_verb(VERB_STEP_BACK, "ada").state, DESK_SERVED);
    unsigned less = exposed();
    ck_assert(less > 60 && less < 140);
    shell("cd work && git pull -q --rebase && sed -i 's/is: DE/is: FR/' flags/shop.yaml");
    commit("git diff --quiet && exit 1 || true");
    steers_fetch(&one);
    steers_take(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_uint_eq(exposed(), less);
    shell("rm remote.git/hooks/pre-receive");
    pass(120);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert(is_on_in_france()); /* as its rule says by now */
    tear_down();
}
END_TEST

/* A finished one may be taken away, with its state. */
static void take_rollout_away(void)
{
    shell("cd work && git pull -q --rebase && git rm -q -r rollouts.yaml state && sed -i "
          "'s/default: off/default: on/' flags/shop.yaml");
    commit("true");
}

START_TEST(an_override_of_a_rollout_that_went_stands_until_somebody_decides)
{
    set_up_half(WATCHED);
    pass(8 * 86400);
    steers_settle(&one);
    refuse_pushes_of_weir();
    breaks(METRIC_BREAKER);
    is_still_open();
    take_rollout_away();
    steers_fetch(&one);
    steers_take(&one);
    is_still_open();
    shell("mkdir -p work/state/production/flags");
    struct flag_pin pin = pin_of("", true, "off");
    char *text = pin_text(&pin);
    write_text("state/production/flags/shop.yaml", text);
    free(text);
    commit("true");
    steers_fetch(&one);
    steers_take(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

START_TEST(an_override_of_a_rollout_that_went_ends_where_it_was_recorded)
{
    struct steers two;
    set_up_half(WATCHED);
    steers_open(&two, "two");
    steers_fetch(&two);
    steers_take(&two);
    breaks(METRIC_BREAKER);
    core_turn(two.core);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 0);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    take_rollout_away(); /* the other sees both at once */
    steers_fetch(&two);
    steers_take(&two);
    ck_assert_uint_eq(steering_open(core_steering(two.core)), 0);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 1000);
    steers_close(&two);
    tear_down();
}
END_TEST

START_TEST(on_a_later_run_an_override_closes_without_a_commit)
{
    struct steers two;
    set_up_half(WATCHED);
    steers_open(&two, "two");
    steers_fetch(&two);
    steers_take(&two);
    breaks(METRIC_GUARDRAIL);
    steers_measure(WALK_SUCCESS, "");
    pass(1);
    struct desk_request request;
    steers_ask(&two, VERB_KILL, "eve", &request);
    core_turn(two.core); /* which has not heard of it for days */
    ck_assert_uint_eq(steering_open(core_steering(two.core)), 1);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    pass(3600);
    do_and_record(VERB_RESUME);
    char *tip = strdup(shell("git -C remote.git rev-parse main"));
    unsigned again = exposed();
    ck_assert_uint_gt(again, 0);
    ck_assert_int_eq(steers_record(&two), RECORDER_MOVED);
    steers_fetch(&two);
    steers_take(&two);
    core_turn(two.core);
    ck_assert_uint_eq(steering_open(core_steering(two.core)), 0);
    ck_assert_ptr_null(two.proposal);
    ck_assert_uint_eq(steers_exposed(&two, &staff), again);
    ck_assert_str_eq(shell("git -C remote.git rev-parse main"), tip);
    request = steers_answer(&two, &request); /* eve is told */
    ck_assert_int_eq(request.state, DESK_FAILED);
    ck_assert_ptr_nonnull(strstr(request.words, "ask again"));
    free(tip);
    steers_close(&two);
    tear_down();
}
END_TEST

/* From the first phase a step back is a rollback, by a name of its own. */
START_TEST(a_step_back_from_the_first_phase_stands_until_it_is_recorded)
{
    set_up(PHASES, START);
    steers_settle(&one);
    ck_assert_uint_gt(exposed(), 0);
    refuse_pushes_of_weir();
    ck_assert_int_eq(do_verb(VERB_STEP_BACK, "ada").state, DESK_SERVED);
    is_still_open();
    push_edit(PHASES, START "# something else\n");
    is_still_open();
    shell("rm remote.git/hooks/pre-receive");
    pass(120);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

/* What another rolled back ends a step back, and no kill. */
START_TEST(what_another_recorded_ends_what_is_no_safer)
{
    static const enum walk_verb_kind verbs[] = {VERB_STEP_BACK, VERB_KILL};
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        struct desk_request request;
        struct steers two;
        set_up(PHASES, START);
        steers_settle(&one);
        pass(3600);
        steers_settle(&one);
        steers_open(&two, "two");
        steers_fetch(&two);
        steers_take(&two);
        ck_assert_int_eq(do_verb(verbs[i], "ada").state, DESK_SERVED);
        steers_ask(&two, VERB_ROLLBACK, "eve", &request);
        core_turn(two.core);
        ck_assert_int_eq(steers_record(&two), RECORDER_ACCEPTED);
        steers_close(&two);
        steers_fetch(&one);
        steers_take(&one);
        ck_assert_uint_eq(exposed(), 0);
        ck_assert_uint_eq(steering_open(core_steering(one.core)), i);
        pass(120);
        ck_assert_uint_eq(steers_settle(&one), i);
        ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
        ck_assert_ptr_nonnull(
            strstr(shell("git -C remote.git show main:state/production/shop-release.yaml"),
                   i ? "course: killed" : "course: rolledBack"));
        tear_down();
    }
}
END_TEST

/* --- where else overrides are ------------------------------------------------------------------
 */

START_TEST(a_branch_that_refuses_for_long_is_not_the_only_place)
{
    struct steers two;
    set_up_half(WATCHED);
    steers_open(&two, "two");
    steers_fetch(&two);
    steers_take(&two);
    refuse_pushes_of_weir();
    breaks(METRIC_GUARDRAIL);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(one.proposal);
        ck_assert_uint_eq(one.proposal->override_count, 0);
        ck_assert_int_eq(steers_record(&one), RECORDER_REFUSED);
        core_turn(one.core);
        pass(120);
        core_turn(one.core);
    }
    ck_assert_uint_eq(one.proposal->override_count, 1);
    ck_assert_uint_gt(steers_exposed(&two, &staff), 400);
    steers_measure(WALK_SUCCESS, ""); /* for the other, who has not seen it */
    steering_adopt(core_steering(two.core), one.proposal->overrides, 1, NULL);
    core_turn(two.core);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 0);
    steers_close(&two);
    steers_open(&two, "two"); /* which is kept */
    steers_fetch(&two);
    steers_take(&two);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 0);
    shell("rm remote.git/hooks/pre-receive");
    core_turn(two.core);
    ck_assert_int_eq(steers_record(&two), RECORDER_ACCEPTED); /* and recorded by either */
    steers_record(&one); /* too late, or the very same commit */
    steers_fetch(&one);
    steers_take(&one);
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_str_eq(shell("git -C remote.git log --format=%%s | grep -c '^Revert'"), "1");
    steers_close(&two);
    tear_down();
}
END_TEST

UNIT_MAIN("steering_ends", no_hand_ends_an_override,
          a_step_back_of_a_flag_that_is_edited_stands_until_it_is_recorded,
          an_override_of_a_rollout_that_went_stands_until_somebody_decides,
          an_override_of_a_rollout_that_went_ends_where_it_was_recorded,
          on_a_later_run_an_override_closes_without_a_commit,
          a_step_back_from_the_first_phase_stands_until_it_is_recorded,
          what_another_recorded_ends_what_is_no_safer,
          a_branch_that_refuses_for_long_is_not_the_only_place)
