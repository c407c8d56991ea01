/* Rollouts whose metrics break: users are on control before Git is asked, whatever becomes of the
 * branch, and the log tells it once. */
#include <signal.h>
#include <sys/resource.h>

#include "steers.h"

#define METRIC                                                                                     \
    "---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: errors}\nspec:\n  role: guardrail\n" \
    "  prometheus: {address: 'http://127.0.0.1:9090', query: up}\n  thresholdRange: {max: 0.01}\n"
#define PHASES "[{name: ten, percent: 10, bake: 1h}, {name: half, percent: 50, bake: 1w}]"
#define LATER "2026-11-22T21:30:30Z"
#define MORE "  start: 2026-01-01T00:00:00Z\n  metrics: [errors]\n"

static struct steers one;
static bool staff;

static void set_up(const char *more)
{
    char text[3000];
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    write_text("flags/shop.yaml", ROLLOUT_FLAG);
    snprintf(text, sizeof text, "%s%s%s", ROLLOUT("shop-release", PHASES), more, METRIC);
    write_text("rollouts.yaml", text);
    commit("true");
    steers_measure(WALK_SUCCESS, "");
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
    steers_settle(&one);
    pass(3600);
    steers_settle(&one);
    ck_assert_uint_gt(steers_exposed(&one, &staff), 400);
}

static void tear_down(void)
{
    steers_close(&one);
    mirror = NULL;
    end();
}

START_TEST(a_breach_is_served_at_once_and_recorded_with_its_evidence)
{
    set_up(MORE);
    steers_measure(WALK_FAILURE, "0.031 > 0.01, n=5120, window 5m");
    core_turn(one.core);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_str_eq(shell("git -C remote.git log -1 --format=%%s"),
                     "Revert \"Advance production/shop-release to half\"");
    ck_assert_str_eq(shell("git -C remote.git log -1 --format='%%an <%%ae>'"),
                     "weir of tests <weir@example.com>");
    ck_assert_str_eq(shell("git -C remote.git log -1 --format=%%b | grep -c '^Weir-Reverts: '"),
                     "2");
    ck_assert_ptr_nonnull(
        strstr(shell("git -C remote.git log -1 --format=%%b"), "0.031 > 0.01, n=5120, window 5m"));
    tear_down();
}
END_TEST

START_TEST(a_breach_while_the_remote_is_away_is_recorded_once_when_it_is_back)
{
    set_up(MORE);
    shell("mv remote.git away.git");
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    for (int i = 0; i < 5; i++) {
        core_turn(one.core);
        ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
        if (one.proposal)
            ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
        pass(30);
    }
    shell("mv away.git remote.git");
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_str_eq(shell("git -C remote.git log --format=%%s | grep -c '^Revert'"), "1");
    tear_down();
}
END_TEST

START_TEST(a_hook_that_rejects_is_told_and_asked_again)
{
    set_up(MORE);
    shell("printf '#!/bin/sh\\necho we are closed >&2\\nexit 1\\n' >remote.git/hooks/pre-receive "
          "&& chmod +x remote.git/hooks/pre-receive");
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    core_turn(one.core);
    enum recorder_outcome outcome = steers_record(&one);
    ck_assert_int_ne(outcome, RECORDER_ACCEPTED);
    core_turn(one.core);
    ck_assert_ptr_null(one.proposal); /* not at once */
    struct buffer status;
    buffer_init(&status, 0);
    steering_write_status(core_steering(one.core), &status);
    buffer_append_char(&status, '\0');
    ck_assert_ptr_nonnull(strstr(status.data, "we are closed"));
    buffer_dispose(&status);
    pass(61);
    core_turn(one.core);
    ck_assert_ptr_nonnull(one.proposal);
    shell("rm remote.git/hooks/pre-receive");
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    tear_down();
}
END_TEST

START_TEST(a_merge_that_breaks_the_rollout_then_a_kill_then_an_empty_disk)
{
    struct steers fresh;
    struct desk_request request;
    set_up(MORE);
    shell("cd work && git pull -q --rebase && sed -i 's/^  variant: on/  variant: nosuch/' "
          "rollouts.yaml");
    commit("true");
    steers_fetch(&one);
    steers_take(&one);
    steers_ask(&one, VERB_KILL, "ada", &request);
    core_turn(one.core);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    ck_assert_uint_ge(steers_settle(&one), 1);
    steers_open(&fresh, "fresh");
    steers_fetch(&fresh);
    steers_take(&fresh);
    ck_assert_uint_eq(steers_exposed(&fresh, &staff), 0);
    ck_assert_uint_eq(steers_settle(&fresh), 0);
    steers_close(&fresh);
    tear_down();
}
END_TEST

START_TEST(nothing_grows_while_clocks_disagree_but_all_shrinks)
{
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    write_text("flags/shop.yaml", ROLLOUT_FLAG);
    char text[3000];
    snprintf(text, sizeof text, "%s%s%s", ROLLOUT("shop-release", PHASES), MORE, METRIC);
    write_text("rollouts.yaml", text);
    commit("true");
    steers_measure(WALK_SUCCESS, "");
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
    ck_assert_uint_eq(steers_settle(&one), 1);
    wall_seconds += 7200; /* and no time has passed */
    core_turn(one.core);
    ck_assert_ptr_null(one.proposal);
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    core_turn(one.core);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    ck_assert_ptr_nonnull(one.proposal);
    tear_down();
}
END_TEST

/* A jump is over when the clocks went on together for an hour. */
START_TEST(clocks_that_agree_for_long_let_it_grow_again)
{
    set_up(MORE);
    pass(8 * 86400);
    wall_seconds += 7200;
    core_turn(one.core);
    ck_assert_ptr_null(one.proposal);
    pass(3599);
    core_turn(one.core);
    ck_assert_ptr_null(one.proposal);
    pass(1);
    core_turn(one.core);
    ck_assert_ptr_nonnull(one.proposal);
    ck_assert_int_eq(one.proposal->moves[0].decision->kind, WALK_COMPLETE);
    tear_down();
}
END_TEST

START_TEST(a_clock_that_is_set_back_keeps_nobody_on_what_breaks)
{
    set_up(MORE);
    wall_seconds -= 7200; /* the state is dated two hours later now */
    core_turn(one.core);
    ck_assert_ptr_null(one.proposal);
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    core_turn(one.core);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    tear_down();
}
END_TEST

static void fill_disk(bool by_verb)
{
    struct desk_request request = {0};
    struct buffer status;
    struct rlimit room;
    set_up(MORE);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &room), 0);
    const struct rlimit none = {0, room.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    if (by_verb)
        steers_ask(&one, VERB_KILL, "ada", &request);
    else
        steers_measure(WALK_FAILURE, "0.5 > 0.01");
    core_turn(one.core);
    size_t exposed = steers_exposed(&one, &staff);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &room), 0); /* check itself writes its results */
    ck_assert_uint_eq(exposed, 0);
    if (by_verb)
        ck_assert_int_eq(steers_answer(&one, &request).state, DESK_SERVED);
    buffer_init(&status, 0);
    core_write_status(one.core, &status);
    ck_assert_ptr_nonnull(strstr(buffer_string(&status), "\"overridesUnkept\":1"));
    buffer_dispose(&status);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_eq(steers_settle(&one), 0);
    tear_down();
}
END_TEST

START_TEST(a_disk_that_is_full_keeps_no_safe_state_from_users)
{
    fill_disk(false);
    fill_disk(true);
}
END_TEST

static const char *breaking; /* the digits of those rollouts that break */

static bool is_breaking(const struct roster_rollout *item)
{
    return strchr(breaking, item->name[strlen(item->name) - 1]) != NULL;
}

/* Seven rollouts break at once: as many as the cap lets walk back, those that moved last; the
 * rest are held. */
START_TEST(more_at_once_than_the_cap_are_held)
{
    char text[8000] = METRIC;
    steers_blast_cap = 4;
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    for (int i = 0; i < 7; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length,
                 "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f%d}\nspec: {variants: "
                 "{on: true, off: false}, default: off}\n---\napiVersion: weir/v1\nkind: Rollout\n"
                 "metadata: {name: r%d}\nspec:\n  flag: f%d\n  environment: production\n  variant: "
                 "on\n  control: off\n  phases: " PHASES "\n  start: %s\n  metrics: [errors]\n",
                 i, i, i, i == 0 || i == 3 ? "2026-01-01T00:00:00Z" : LATER);
    }
    write_text("flags/shop.yaml", ROLLOUT_FLAG);
    write_text("rollouts.yaml", text);
    commit("true");
    steers_measure(WALK_SUCCESS, "");
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
    steers_settle(&one);
    shell("mv remote.git away.git"); /* what is open counts like what the log tells */
    steers_breaks = is_breaking;
    breaking = "56";
    core_turn(one.core);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    pass(1800);
    breaking = "0123456";
    core_turn(one.core);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 4);
    shell("mv away.git remote.git");
    pass(120);
    steers_settle(&one);
    steers_breaks = NULL;
    steers_blast_cap = 0;
    ck_assert_str_eq(shell("git -C remote.git grep -l 'course: rolledBack' main -- state | wc -l"),
                     "4");
    ck_assert_str_eq(shell("git -C remote.git grep -l 'reason: blast' main -- state"),
                     "main:state/production/r0.yaml\nmain:state/production/r3.yaml\nmain:state/"
                     "production/r4.yaml");
    tear_down();
}
END_TEST

UNIT_MAIN("steering_breach", a_breach_is_served_at_once_and_recorded_with_its_evidence,
          a_breach_while_the_remote_is_away_is_recorded_once_when_it_is_back,
          a_hook_that_rejects_is_told_and_asked_again,
          a_merge_that_breaks_the_rollout_then_a_kill_then_an_empty_disk,
          nothing_grows_while_clocks_disagree_but_all_shrinks,
          clocks_that_agree_for_long_let_it_grow_again,
          a_clock_that_is_set_back_keeps_nobody_on_what_breaks,
          a_disk_that_is_full_keeps_no_safe_state_from_users, more_at_once_than_the_cap_are_held)
