/* What keeps a rollout from growing, and what takes users back whatever stands in the way: through
 * the whole of a controller's core, from the verb or the measurement to what users are served. */
#include "steers_shop.h"

/* --- growing --------------------------------------------------------------------------------- */

START_TEST(hours_that_nobody_knows_are_no_open_hours)
{
    set_up(PHASES, START "  calendar: {timezone: Europe/Berlin}\n");
    ck_assert_uint_eq(steers_settle(&one), 1);
    do_and_record(VERB_HALT);
    steers_close(&one);
    setenv("WEIR_ZONEINFO", root, 1); /* where there is none */
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
    refuses(VERB_RESUME, "Europe/Berlin");
    ck_assert_uint_gt(exposed(), 0);
    do_and_record(VERB_KILL);
    refuses(VERB_UNKILL, "Europe/Berlin");
    unsetenv("WEIR_ZONEINFO");
    tear_down();
}
END_TEST

#define APPROVED "[{name: two, percent: 2}, {name: half, percent: 50, approvals: 2, bake: 1w}]"

START_TEST(who_approves_and_then_changes_it_has_not_approved_it)
{
    set_up(APPROVED, START);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steers_told.times, 1); /* that they are wanted, once a move */
    ck_assert_int_eq(steers_told.kind, WALK_WAIT);
    ck_assert_int_eq(steers_told.cause, WAIT_APPROVALS);
    refuses(VERB_ADVANCE, "approvals 0 of 2");
    struct desk_request request = do_verb(VERB_APPROVE, "a@example.com");
    ck_assert_int_eq(request.state, DESK_REFUSED); /* who wrote it */
    setenv("GIT_AUTHOR_EMAIL", "eve@example.com", 1);
    push_edit(APPROVED, START "# changed by eve\n");
    do_verb(VERB_APPROVE, "a@example.com");
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    do_verb(VERB_APPROVE, "bob@example.com");
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    setenv("GIT_AUTHOR_EMAIL", "a@example.com", 1);
    push_edit(APPROVED, START "# and again by a\n");
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_uint_lt(exposed(), 60);
    ck_assert(shows("\"given\":1")); /* bob's */
    do_verb(VERB_APPROVE, "eve@example.com");
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_gt(exposed(), 400);
    tear_down();
}
END_TEST

START_TEST(a_state_of_later_than_now_lets_nobody_in)
{
    set_up("[{name: two, percent: 2}, {name: half, percent: 50, approvals: 1}]", WATCHED);
    core_turn(one.core);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    pass(-121);
    core_turn(one.core);
    ck_assert_ptr_null(one.proposal);
    ck_assert(shows("the state is dated later than now"));
    refuses(VERB_ADVANCE,
            "metric errors: no data; clock: the state is dated later than now (until 20");
    refuses(VERB_ADVANCE, "Z); approvals 0 of 1");
    ck_assert_int_eq(do_verb(VERB_KILL, "ada").state, DESK_SERVED);
    ck_assert_uint_eq(exposed(), 0);
    ck_assert_int_eq(steers_told.kind, WALK_KILL);
    tear_down();
}
END_TEST

#define TARGET                                                                                     \
    "---\napiVersion: weir/v1\nkind: Target\nmetadata: {name: copy}\n"                             \
    "spec: {environment: production, file: {path: copy.json}}\n"

/* What is in the way of its file is taken away after a while. */
START_TEST(nothing_is_measured_nor_grows_before_every_target_has_it)
{
    begin();
    shell("mkdir -p one/targets/copy.json/here");
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    write_text("flags/shop.yaml", ROLLOUT_FLAG TARGET);
    write_rollout("[{name: two, percent: 2}, {name: half, percent: 50}]", START);
    commit("true");
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
    core_turn(one.core);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    for (int i = 0; i < 3; i++) {
        pass(600);
        core_turn(one.core);
        ck_assert_ptr_null(one.proposal);
        ck_assert_int_eq(steers_exposed_since, INT64_MAX);
        ck_assert(shows("targets: not all have acknowledged"));
    }
    shell("rm -r one/targets/copy.json");
    for (int i = 0; i < 3000 && steers_exposed_since == INT64_MAX; i++) {
        core_turn(one.core);
        usleep(10000); /* its target tries again by a clock of its own */
    }
    ck_assert_int_eq(steers_exposed_since, wall_seconds);
    core_turn(one.core);
    ck_assert_ptr_nonnull(one.proposal);
    tear_down();
}
END_TEST

/* What is served, before long: its thread writes when it can. */
static void target_holds_what_is_served(const char *and_meta)
{
    struct snapshot *snapshot = hub_acquire(&one.hub);
    struct buffer json;
    bool same = false;
    buffer_init(&json, 0);
    document_write(snapshot->environments[0].document, &json);
    buffer_append_char(&json, '\0');
    ck_assert_int_eq(json.failed, 0);
    write_text("../served.json", json.data);
    for (int i = 0; i < 1000 && !same; i++) {
        same = strcmp(shell("cmp -s served.json one/targets/copy.json && grep -q %s "
                            "one/targets/copy.json.meta.json && echo same || true",
                            and_meta),
                      "same") == 0;
        if (!same)
            usleep(10000);
    }
    ck_assert(same);
    buffer_dispose(&json);
    snapshot_release(snapshot);
}

/* A file has one writer: what that serves over Git is in what it writes. */
START_TEST(a_file_holds_what_is_served_over_git)
{
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    write_text("flags/shop.yaml", ROLLOUT_FLAG TARGET);
    write_rollout("[{name: half, percent: 50}]", START);
    commit("true");
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
    core_turn(one.core);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_gt(exposed(), 400);
    target_holds_what_is_served("generation");
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(VERB_KILL, "ada").state, DESK_SERVED);
    ck_assert_uint_eq(exposed(), 0);
    target_holds_what_is_served("overrides");
    tear_down();
}
END_TEST

/* What is served of rollouts keeps nothing of what is served of flags from the branch. */
START_TEST(kills_of_rollouts_and_of_flags_are_both_recorded)
{
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    write_text("flags/shop.yaml", ROLLOUT_FLAG RIG_FLAG("other", ""));
    write_rollout(PHASES, START);
    commit("true");
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
    steers_settle(&one);
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(VERB_KILL, "ada").state, DESK_SERVED);
    pass(1);
    struct desk_request request = {
        .environment = "production", .rollout = "other", .verb = VERB_KILL, .by = "ada"};
    ck_assert_ok(desk_submit(one.desk, &request, &failure));
    core_turn(one.core);
    ck_assert_int_eq(steers_answer(&one, &request).state, DESK_SERVED);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    shell("mv away.git remote.git");
    pass(120);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_str_eq(shell("git -C remote.git log -2 --format=%%s"),
                     "Kill flag production/other\nKill production/shop-release");
    tear_down();
}
END_TEST

/* --- ramps ----------------------------------------------------------------------------------- */

#define RAMP "[{name: ramp, ramp: {to: 50, over: 10d}, bake: 1w}]"

START_TEST(a_halt_within_a_window_lets_nobody_in_from_its_commit_on)
{
    set_up(RAMP, START);
    ck_assert_uint_eq(steers_settle(&one), 1);
    pass(12 * 3600);
    unsigned before = exposed();
    ck_assert_uint_gt(before, 0);
    do_and_record(VERB_HALT);
    pass(11 * 3600);
    ck_assert_uint_eq(exposed(), before);
    pass(30 * 86400);
    ck_assert_uint_eq(exposed(), before);
    ck_assert_uint_eq(steers_settle(&one), 0);
    tear_down();
}
END_TEST

/* If every controller dies, or the branch is away, the document itself has an end. */
START_TEST(nobody_is_let_in_beyond_the_end_of_a_window)
{
    set_up(RAMP, START);
    ck_assert_uint_eq(steers_settle(&one), 1);
    unsigned begin = exposed();
    pass(86400);
    unsigned end = exposed();
    ck_assert_uint_gt(end, begin);
    shell("mv remote.git away.git");
    for (int i = 0; i < 3; i++) {
        pass(10 * 86400);
        core_turn(one.core);
        ck_assert_uint_eq(exposed(), end);
    }
    tear_down();
}
END_TEST

/* --- shrinking ------------------------------------------------------------------------------- */

static const char *courses(void)
{
    return shell("git -C remote.git show main:state/production/shop-release.yaml | grep course:");
}

/* What is done while the branch is away, and is there when it is back. */
static void is_killed_and_recorded(void)
{
    ck_assert_uint_eq(exposed(), 0);
    ck_assert(!staff);
    shell("mv away.git remote.git");
    pass(120);
    steers_settle(&one);
    ck_assert_uint_eq(exposed(), 0);
    ck_assert_ptr_nonnull(strstr(courses(), "killed"));
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
}

START_TEST(a_breaker_kills_whatever_the_status)
{
    static const enum walk_verb_kind verbs[] = {VERB_PAUSE, VERB_HALT, VERB_STEP_BACK};
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        set_up_half(WATCHED);
        do_and_record(verbs[i]);
        pass(1);
        ck_assert_uint_gt(exposed(), 60);
        breaks(METRIC_BREAKER);
        ck_assert_uint_eq(exposed(), 0);
        tear_down();
    }
    set_up_half(WATCHED);
    pass(8 * 86400);
    steers_settle(&one);
    ck_assert_ptr_nonnull(strstr(courses(), "completed"));
    breaks(METRIC_BREAKER);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

START_TEST(a_breaker_kills_what_a_step_back_still_serves)
{
    set_up_half(WATCHED);
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(VERB_STEP_BACK, "ada").state, DESK_SERVED);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    ck_assert_uint_gt(exposed(), 60);
    pass(10);
    breaks(METRIC_BREAKER);
    is_killed_and_recorded();
    ck_assert_str_eq(shell("git -C remote.git log -2 --format=%%s"),
                     "Kill production/shop-release\n"
                     "Revert \"Advance production/shop-release to half\"");
    tear_down();
}
END_TEST

START_TEST(a_guardrail_takes_back_what_a_step_back_still_serves)
{
    set_up_half(WATCHED "  onBreach: rollback\n");
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(VERB_STEP_BACK, "ada").state, DESK_SERVED);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    pass(10);
    breaks(METRIC_GUARDRAIL);
    ck_assert_uint_eq(exposed(), 0);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    pass(10);
    core_turn(one.core); /* and once is enough */
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    shell("mv away.git remote.git");
    pass(120);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_ptr_nonnull(strstr(courses(), "rolledBack"));
    tear_down();
}
END_TEST

/* A verb that waits for the branch keeps nothing from being taken back. */
START_TEST(a_breach_does_not_wait_for_a_verb_that_waits)
{
    set_up_half(WATCHED);
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(VERB_PAUSE, "ada").state, DESK_WAITING);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    pass(1);
    breaks(METRIC_BREAKER);
    is_killed_and_recorded();
    tear_down();
}
END_TEST

UNIT_MAIN("steering_safety", hours_that_nobody_knows_are_no_open_hours,
          who_approves_and_then_changes_it_has_not_approved_it,
          a_state_of_later_than_now_lets_nobody_in,
          nothing_is_measured_nor_grows_before_every_target_has_it,
          a_file_holds_what_is_served_over_git, kills_of_rollouts_and_of_flags_are_both_recorded,
          a_halt_within_a_window_lets_nobody_in_from_its_commit_on,
          nobody_is_let_in_beyond_the_end_of_a_window, a_breaker_kills_whatever_the_status,
          a_breaker_kills_what_a_step_back_still_serves,
          a_guardrail_takes_back_what_a_step_back_still_serves,
          a_breach_does_not_wait_for_a_verb_that_waits)
