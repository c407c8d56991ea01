/* The short form of tests/soak/aa.c: fixed seeds, seconds. */
#include <math.h>
#include <stdio.h>

#include "../soak/aa.h"
#include "unit.h"

static int alarms(const struct aa *aa, int runs)
{
    int found = 0;
    for (int i = 0; i < runs; i++) {
        int day = aa_run(aa, 1 + (uint64_t)i * 7919);
        ck_assert_int_ge(day, 0);
        found += day > 0;
    }
    return found;
}

/* 2 000 rollouts without harm would fail 100 times at an alpha of 5 %; a false alarm in 500 is
 * seldom in fact. */
START_TEST(independent_users)
{
    struct aa aa = {.users = 400,
                    .rate = 0.05,
                    .requests = 1,
                    .design = {.kind = EVIDENCE_PROPORTIONS, .alpha = 0.05}};
    ck_assert_int_le(alarms(&aa, 500), 25);
    aa.rate = 0.005;
    ck_assert_int_le(alarms(&aa, 500), 25);
    /* and harm is found: all that doubles the rate, in whatever phase it begins */
    aa.rate = 0.05;
    aa.increase = 1;
    ck_assert_int_eq(alarms(&aa, 50), 50);
    aa.start = 9;
    ck_assert_int_eq(alarms(&aa, 50), 50);
}
END_TEST

START_TEST(clustered_users)
{
    struct aa aa = {
        .users = 100,
        .rate = 0.05,
        .requests = 10,
        .design = {.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_BUCKETS, .alpha = 0.05}};
    ck_assert_int_le(alarms(&aa, 150), 7);
    aa.increase = 1;
    ck_assert_int_eq(alarms(&aa, 25), 25);
    /* the same requests taken for users cry wolf: what buckets are for */
    aa.increase = 0;
    aa.design.units = EVIDENCE_INDEPENDENT;
    aa.requests = 60;
    aa.users = 30;
    ck_assert_int_gt(alarms(&aa, 60), 6);
    aa.design.units = EVIDENCE_REQUESTS;
    ck_assert_int_eq(alarms(&aa, 60), 0);
}
END_TEST

static int alarms_again(const struct aa_again *aa, int runs)
{
    int found = 0;
    for (int i = 0; i < runs; i++) {
        int day = aa_run_again(aa, 1 + (uint64_t)i * 7919);
        ck_assert_int_ge(day, 0);
        found += day > 0;
    }
    return found;
}

/* Multiplied over phases, the same chance of the same users was found to be harm by 66 of 600. */
START_TEST(users_who_come_again)
{
    struct aa_again aa = {
        .exposed = 20,
        .controls = 1,
        .at_once = true,
        .requests = 1,
        .design = {.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_BUCKETS, .alpha = 0.05}};
    ck_assert_int_le(alarms_again(&aa, 600), 30);
    aa.requests = 0.5;
    ck_assert_int_le(alarms_again(&aa, 600), 30);
    aa.exposed = 60;
    aa.at_once = false;
    ck_assert_int_le(alarms_again(&aa, 300), 15);
    aa.increase = 3;
    ck_assert_int_ge(alarms_again(&aa, 100), 90);
}
END_TEST

/* A canary of a few beside all others: the comparison must stand also where the control that is
 * counted is not a slice of the same size. */
START_TEST(a_control_that_is_much_larger)
{
    struct aa_again aa = {
        .exposed = 3,
        .controls = 99,
        .requests = 4,
        .design = {.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_BUCKETS, .alpha = 0.05}};
    ck_assert_int_le(alarms_again(&aa, 300), 15);
    aa.exposed = 12;
    aa.controls = 20;
    ck_assert_int_le(alarms_again(&aa, 300), 15);
    aa.increase = 9;
    ck_assert_int_ge(alarms_again(&aa, 100), 90);
}
END_TEST

/* A true 0.5 % under a limit of 1 %, 600 requests a window: 400 runs of 84 days. Windows of two
 * hours here, since the bound does not know how long a window is. */
START_TEST(limit_without_harm)
{
    int raw, raw_within_a_day = 0;
    for (int i = 0; i < 400; i++) {
        ck_assert_int_eq(aa_limit(0.005, 0.005, 0, 0.01, 600, 84 * 12, 100 + (uint64_t)i, &raw), 0);
        raw_within_a_day += raw > 0 && raw <= 288;
    }
    /* what a comparison of each window alone does */
    ck_assert_int_gt(raw_within_a_day, 390);
}
END_TEST

/* A true 2 %: within 78 minutes in the mean, five minutes a window; also after ten good days, which
 * must not hide it. */
START_TEST(limit_with_harm)
{
    int raw, sum = 0, late = 0, turn = 10 * 288;
    for (int i = 0; i < 40; i++) {
        int window = aa_limit(0.02, 0.02, 0, 0.01, 600, 500, 200 + (uint64_t)i, &raw);
        ck_assert_int_gt(window, 0);
        sum += window;
        window = aa_limit(0.005, 0.02, turn, 0.01, 600, turn + 500, 300 + (uint64_t)i, &raw);
        ck_assert_int_gt(window, turn);
        late += window - turn;
    }
    printf(
        "a true 2 %% under a limit of 1 %%: found after %.0f minutes, after ten good days %.0f\n",
        5.0 * sum / 40, 5.0 * late / 40);
    ck_assert_double_le(5.0 * sum / 40, 78);
    ck_assert_double_le(5.0 * late / 40, 120);
}
END_TEST

UNIT_MAIN("aa", independent_users, clustered_users, users_who_come_again,
          a_control_that_is_much_larger, limit_without_harm, limit_with_harm)
