/* What a metric remembers from one commit to the next. */
#include "probes.h"

static void fail_it(struct rigged *rigged, int64_t from)
{
    for (int64_t at = from + 60; at <= from + 600; at += 60)
        counted(rigged, 30, 100, at);
    expect_verdict(rigged, from + 600, WALK_FAILURE);
}

START_TEST(what_a_move_leaves_of_evidence)
{
    struct rigged rigged;
    begin(&rigged, RATE);
    counted(&rigged, 3, 600, T0 + 60);
    ck_assert_int_eq(gate_at(&rigged, T0 + 60).covered, 60);
    /* the next phase: its own counts, the evidence multiplied on */
    move_on(&rigged, RATE, 1, 1, T0 + 100, T0 + 100);
    ck_assert_int_eq(gate_at(&rigged, T0 + 100).finished, 0);
    ck_assert_int_eq(gate_at(&rigged, T0 + 100).covered, 0);
    counted(&rigged, 3, 600, T0 + 160);
    ck_assert_int_eq(rigged.plan.spans[0].from, T0 + 100);
    ck_assert_uint_eq(rigged.probe->evidence->phases, 2);
    ck_assert_double_eq(rigged.probe->evidence->total[ARM_VARIANT].n, 600);
    /* a commit that moves nothing */
    move_on(&rigged, RATE, 1, 1, T0 + 100, T0 + 200);
    ck_assert_uint_eq(rigged.probe->evidence->phases, 2);
    ck_assert_int_eq(gate_at(&rigged, T0 + 200).finished, T0 + 160);
    /* the same phase begun anew, after a hold */
    move_on(&rigged, RATE, 1, 1, T0 + 300, T0 + 300);
    ck_assert_ptr_null(rigged.probe->evidence);
    fail_it(&rigged, T0 + 300);
    /* a new run */
    move_on(&rigged, RATE, 2, 0, T0 + 2000, T0 + 2000);
    ck_assert_ptr_null(rigged.probe->evidence);
    expect_verdict(&rigged, T0 + 2000, WALK_NO_DATA);
    ck_assert_int_eq(gate_at(&rigged, T0 + 2000).restarted, 0);
    finish(&rigged);
}
END_TEST

START_TEST(a_changed_metric_begins_anew)
{
    struct rigged rigged;
    begin(&rigged, RATE);
    fail_it(&rigged, T0);
    move_on(&rigged, RATE "  # the same with a comment\n", 1, 0, T0, T0 + 700);
    expect_verdict(&rigged, T0 + 700, WALK_FAILURE);
    move_on(&rigged, DEFINITIONS COUNTED "  thresholdRange: {max: 0.5}\n", 1, 0, T0, T0 + 800);
    ck_assert_int_eq(gate_at(&rigged, T0 + 800).restarted, T0 + 800);
    expect_verdict(&rigged, T0 + 800, WALK_NO_DATA);
    probe_plan(rigged.probe, NANO(T0 + 830), &rigged.plan);
    ck_assert_int_eq(rigged.plan.again, T0 + 860); /* what was before is not of it */
    counted(&rigged, 30, 100, T0 + 860);
    expect_verdict(&rigged, T0 + 860, WALK_SUCCESS);
    ck_assert_int_eq(gate_at(&rigged, T0 + 860).covered, 60);
    counted(&rigged, 30, 100, T0 + 920); /* what is covered well is of the metric as it is */
    ck_assert_int_eq(gate_at(&rigged, T0 + 920).covered, 120);
    move_on(&rigged, RATE, 1, 0, T0, T0 + 940);
    ck_assert_int_eq(gate_at(&rigged, T0 + 940).covered, 0);
    finish(&rigged);
}
END_TEST

/* Nanoseconds reach to the year 2262. */
START_TEST(a_phase_dated_to_the_end_of_time_covers_nothing)
{
    const int64_t never = INT64_C(253402300799); /* 9999-12-31T23:59:59Z */
    struct rigged rigged;
    begin(&rigged, RATE);
    move_on(&rigged, RATE, 1, 1, never, T0 + 60);
    rigged.probe->exposed = T0 + 60;
    ck_assert_int_ge(rigged.probe->coverage.from, INT64_MAX - 1);
    for (int64_t at = T0 + 120; at <= T0 + 600; at += 60) {
        probe_see(rigged.probe, NANO(at));
        counted(&rigged, 0, 600, at);
    }
    ck_assert_int_eq(gate_at(&rigged, T0 + 600).covered, 0);
    finish(&rigged);
}
END_TEST

START_TEST(a_pause_costs_no_evidence)
{
    struct rigged rigged;
    begin(&rigged, RATE);
    counted(&rigged, 3, 600, T0 + 60);
    const struct standing resumed = {.run = 1, .since = T0, .counting = T0 + 1000};
    struct roster *roster = roster_of(RATE, &resumed);
    ck_assert(probe_continue(rigged.probe, &roster->items[0], roster_metric(roster, TEXT("m")),
                             &settings, T0, NANO(T0 + 1000)));
    roster_release(rigged.roster);
    rigged.roster = roster;
    ck_assert_double_eq(rigged.probe->evidence->total[ARM_VARIANT].n, 600);
    ck_assert_int_eq(gate_at(&rigged, T0 + 1000).covered, 0); /* of the bake from here on */
    counted(&rigged, 3, 600, T0 + 1030);
    ck_assert_int_eq(gate_at(&rigged, T0 + 1030).covered, 30);
    finish(&rigged);
}
END_TEST

UNIT_MAIN("probe moves", what_a_move_leaves_of_evidence, a_changed_metric_begins_anew,
          a_phase_dated_to_the_end_of_time_covers_nothing, a_pause_costs_no_evidence)
