/* A branch whose tip is not followed, for it was rewritten: what is decided meanwhile waits for one
 * that is, without asking all the time, and is kept beside the branch. */
#include "steers_shop.h"

/* The branch as it was without its last commit, and with another: not followed. */
static void rewrite(const char *subject)
{
    shell("cd work && git fetch -q && git checkout -q -B main origin/main~1 && "
          "git commit -q --allow-empty -m %s && git push -q -f origin main 2>&1",
          subject);
    steers_fetch(&one);
    ck_assert_int_eq(core_take(one.core, one.tip, &failure), STATUS_INVALID);
}

static bool tells(const char *words)
{
    struct buffer status;
    buffer_init(&status, 0);
    steering_write_status(core_steering(one.core), &status);
    bool found = strstr(buffer_string(&status), words) != NULL;
    buffer_dispose(&status);
    return found;
}

START_TEST(decisions_wait_for_a_tip_that_is_followed)
{
    unsigned tries = 0;
    set_up_half(WATCHED);
    char *good = strdup(one.tip);
    rewrite("other");
    breaks(METRIC_GUARDRAIL);
    ck_assert_uint_eq(exposed(), 0);
    for (int i = 0; i < 600; i++) {
        core_turn(one.core);
        if (one.proposal) {
            ck_assert_uint_eq(one.proposal->override_count, tries < 3 ? 0 : 1);
            ck_assert_int_eq(steers_record(&one), RECORDER_HELD);
            tries++;
        }
        pass(1);
    }
    ck_assert(tries >= 10 && tries <= 30);
    core_turn(one.core);
    ck_assert(tells("\"outcome\":\"held\""));
    ck_assert(tells("which is not served"));
    /* It moves: that is tried at once, and is no better. */
    rewrite("another");
    core_turn(one.core);
    ck_assert_int_eq(steers_record(&one), RECORDER_HELD);
    /* It is what it was again. */
    shell("git -C remote.git update-ref refs/heads/main %s", good);
    steers_fetch(&one);
    steers_take(&one);
    core_turn(one.core);
    ck_assert_ptr_nonnull(one.proposal);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(exposed(), 0);
    ck_assert_str_eq(shell("git -C remote.git log -1 --format=%%s"),
                     "Revert \"Advance production/shop-release to half\"");
    free(good);
    tear_down();
}
END_TEST

/* It is so from the first turn on: what was accepted is served. */
START_TEST(a_restart_on_such_a_branch_waits_too)
{
    set_up_half(WATCHED);
    rewrite("other");
    char tip[COMMIT_TEXT_SIZE];
    memcpy(tip, one.tip, sizeof tip);
    steers_close(&one);
    steers_open(&one, "one");
    ck_assert_int_eq(core_take(one.core, tip, &failure), STATUS_INVALID);
    ck_assert_uint_gt(exposed(), 400);
    pass(60);
    breaks(METRIC_GUARDRAIL);
    ck_assert_uint_eq(exposed(), 0);
    ck_assert_int_eq(steers_record(&one), RECORDER_HELD);
    core_turn(one.core);
    ck_assert_ptr_null(one.proposal);
    tear_down();
}
END_TEST

UNIT_MAIN("steering_held", decisions_wait_for_a_tip_that_is_followed,
          a_restart_on_such_a_branch_waits_too)
