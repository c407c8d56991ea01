/* One metric of one rollout: what it asks when, what it says, and what it remembers. */
#include <math.h>

#include "probes.h"

#include "../../controller/metrics/timers.h"

#define STAFF_FIRST                                                                                \
    "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n---\n"                  \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\nspec: {variants: {on: true, off: "   \
    "false}, default: off}\n---\n"                                                                 \
    "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: staff}\nspec: {match: {attribute: "      \
    "email, endsWith: '@example.com'}}\n---\n"                                                     \
    "apiVersion: weir/v1\nkind: Rollout\nmetadata: {name: shop}\nspec: {flag: shop, environment: " \
    "production, variant: on, control: off, phases: [{name: staff, audience: {segment: staff}}, "  \
    "{name: all, percent: 100}], metrics: [m]}\n---\n"                                             \
    "apiVersion: weir/v1\nkind: Metric\nmetadata: {name: m}\nspec:\n"

/* --- asking ---------------------------------------------------------------------------------- */

START_TEST(looks_join_and_never_overlap)
{
    struct rigged rigged;
    begin(&rigged, RATE);
    probe_plan(rigged.probe, NANO(T0 + 59), &rigged.plan);
    ck_assert_uint_eq(rigged.plan.count, 0); /* four scrapes of 15 s */
    ck_assert_int_eq(rigged.plan.again, T0 + 60);
    counted(&rigged, 0, 100, T0 + 60);
    ck_assert_int_eq(rigged.plan.spans[0].from, T0);
    ck_assert_int_eq(rigged.plan.spans[0].until, T0 + 60);
    counted(&rigged, 0, 100, T0 + 125);
    ck_assert_int_eq(rigged.plan.spans[0].from, T0 + 60);
    ck_assert_int_eq(rigged.plan.spans[0].until, T0 + 125);
    answer(&rigged, (struct reading[]){fault, fault}, T0 + 190); /* nothing is taken for counted */
    counted(&rigged, 0, 100, T0 + 250);
    ck_assert_int_eq(rigged.plan.spans[0].from, T0 + 125);
    ck_assert_double_eq(rigged.probe->evidence->total[ARM_VARIANT].n, 300);
    counted(&rigged, 0, 100, T0 + 7450); /* after two hours: the window of 30 minutes */
    ck_assert_int_eq(rigged.plan.spans[0].from, T0 + 7450 - 1800);
    finish(&rigged);
}
END_TEST

START_TEST(what_is_asked_in_words)
{
    struct rigged rigged;
    struct question question;
    struct arena arena;
    begin(&rigged, RATE);
    arena_init(&arena, 0);
    probe_plan(rigged.probe, NANO(T0 + 60), &rigged.plan);
    ck_assert_uint_eq(rigged.plan.count, 2);
    ck_assert_int_eq(probe_question(rigged.probe, &rigged.plan, 0, &arena, &question), STATUS_OK);
    ck_assert_text(question.expression, "sum(increase(e{v=\"on\"}[60s]))");
    ck_assert_int_eq(question.at, T0 + 60);
    ck_assert_int_eq(probe_question(rigged.probe, &rigged.plan, 1, &arena, &question), STATUS_OK);
    ck_assert_text(question.expression, "sum(increase(r{v=\"on\"}[60s]))");
    ck_assert_int_eq(probe_control_question(rigged.probe, &rigged.plan, &arena, &question),
                     STATUS_OK);
    ck_assert_text(question.expression, "sum(increase(r{v=\"off\"}[60s]))");
    arena_dispose(&arena);
    finish(&rigged);
}
END_TEST

START_TEST(a_breaker_looks_at_what_it_will_count_later)
{
    struct rigged rigged;
    begin(&rigged, DEFINITIONS COUNTED "  role: breaker\n  thresholdRange: {max: 0.01}\n");
    counted(&rigged, 0, 100, T0 + 60);
    ck_assert(!rigged.plan.spans[0].keep);
    counted(&rigged, 0, 110, T0 + 65);
    ck_assert_uint_eq(rigged.plan.span_count, 1);
    ck_assert_int_eq(rigged.plan.spans[0].from, T0);
    ck_assert_ptr_null(rigged.probe->evidence);
    counted(&rigged, 0, 100, T0 + 125); /* 65 s are kept, 60 s are looked at */
    ck_assert_uint_eq(rigged.plan.span_count, 2);
    ck_assert(rigged.plan.spans[0].keep && !rigged.plan.spans[1].keep);
    ck_assert_int_eq(rigged.plan.spans[0].until, T0 + 65);
    ck_assert_int_eq(rigged.plan.spans[1].from, T0 + 65);
    ck_assert_double_eq(rigged.probe->evidence->total[ARM_VARIANT].n, 100);
    counted(&rigged, 60, 100, T0 + 130);
    expect_verdict(&rigged, T0 + 130, WALK_FAILURE); /* at once */
    ck_assert_double_eq(rigged.probe->evidence->total[ARM_VARIANT].n, 100);
    finish(&rigged);
}
END_TEST

START_TEST(the_first_measurement_waits)
{
    const char *yaml = DEFINITIONS ASKED "  thresholdRange: {max: 1}\n  initialDelay: 5m\n";
    struct rigged rigged;
    begin(&rigged, yaml);
    probe_plan(rigged.probe, NANO(T0 + 299), &rigged.plan);
    ck_assert_uint_eq(rigged.plan.count, 0);
    ck_assert_int_eq(rigged.plan.again, T0 + 300);
    rigged.probe->exposed = T0 + 100;
    ck_assert_int_eq(probe_begins(rigged.probe), T0 + 400);
    rigged.probe->exposed = INT64_MAX; /* a target is away: not for ever */
    ck_assert_int_eq(probe_begins(rigged.probe), T0 + PROBE_PATIENCE + 300);
    finish(&rigged);
    begin(&rigged, DEFINITIONS ASKED "  role: breaker\n  thresholdRange: {max: 1}\n");
    rigged.probe->exposed = INT64_MAX; /* a breaker waits for no target */
    ck_assert_int_eq(probe_begins(rigged.probe), T0);
    /* Nor is it asked for nothing: what is of the phase's first second does not count. */
    const int64_t counts_from[] = {T0 + 1, T0 + 11};
    for (size_t i = 0; i < COUNT_OF(counts_from); i++) {
        probe_plan(rigged.probe, NANO(counts_from[i]) - 1, &rigged.plan);
        ck_assert_uint_eq(rigged.plan.count, 0);
        ck_assert_int_eq(rigged.plan.again, counts_from[i]);
        probe_plan(rigged.probe, NANO(counts_from[i]), &rigged.plan);
        ck_assert_uint_gt(rigged.plan.count, 0);
        rigged.probe->restarted = T0 + 10; /* its metric was changed */
    }
    finish(&rigged);
}
END_TEST

/* Its begin is the state's, which a wrong clock dated; measured it is from when it was seen. */
START_TEST(a_phase_dated_later_than_now_is_measured_all_the_same)
{
    const char *roles[] = {"", "  role: breaker\n"};
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        struct rigged rigged;
        char yaml[2000];
        snprintf(yaml, sizeof yaml, "%s%s%s", DEFINITIONS ASKED, roles[i],
                 "  thresholdRange: {max: 1}\n");
        begin(&rigged, yaml);
        move_on(&rigged, yaml, 1, 1, T0 + 7200, T0 + 60); /* by somebody who is ahead */
        probe_see(rigged.probe, NANO(T0 + 61));
        answer(&rigged, (struct reading[]){number(2)}, T0 + 61);
        expect_verdict(&rigged, T0 + 61, WALK_FAILURE);
        probe_see(rigged.probe, NANO(T0 - 3600)); /* the clock is set back */
        ck_assert_int_eq(probe_begins(rigged.probe), T0 - 3600);
        answer(&rigged, (struct reading[]){number(2)}, T0 - 3599);
        finish(&rigged);
    }
}
END_TEST

/* What was measured meanwhile is dated later than all that follows for as long as it was. */
START_TEST(a_clock_that_was_ahead_blinds_nobody)
{
    const double errors[] = {0, 300};
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        struct rigged rigged;
        begin(&rigged, RATE);
        counted(&rigged, 0, 1000, T0 + 60);
        counted(&rigged, 0, 1000, T0 + 86400); /* it is ahead by a day, and set right again */
        int64_t covered = gate_at(&rigged, T0 + 86400).covered;
        for (int64_t at = T0 + 120; at <= T0 + 240; at += 60) {
            probe_see(rigged.probe, NANO(at));
            probe_plan(rigged.probe, NANO(at), &rigged.plan);
            if (rigged.plan.count)
                counted(&rigged, errors[i], 1000, at);
        }
        struct walk_gate gate = gate_at(&rigged, T0 + 240);
        ck_assert_int_eq(gate.verdict, i ? WALK_FAILURE : WALK_SUCCESS);
        ck_assert(gate.fresh);
        ck_assert_int_eq(gate.finished, T0 + 240);
        ck_assert_int_gt(gate.covered, i ? 0 : covered);
        finish(&rigged);
    }
}
END_TEST

START_TEST(a_silence_is_heard_though_a_clock_was_ahead)
{
    struct rigged rigged;
    begin(&rigged, RATE);
    rigged.control = number(1000);
    answer(&rigged, (struct reading[]){nothing, nothing}, T0 + 86400);
    for (int64_t at = T0 + 60; at <= T0 + 360; at += 60) {
        probe_see(rigged.probe, NANO(at));
        answer(&rigged, (struct reading[]){nothing, nothing}, at);
    }
    ck_assert(gate_at(&rigged, T0 + 360).silent);
    finish(&rigged);
}
END_TEST

/* --- verdicts -------------------------------------------------------------------------------- */

START_TEST(a_rate_is_judged_by_its_sample)
{
    struct rigged rigged;
    begin(&rigged, RATE);
    counted(&rigged, 1, 100, T0 + 60);
    expect_verdict(&rigged, T0 + 60, WALK_NO_DATA); /* n=100 of 500 */
    ck_assert(!gate_at(&rigged, T0 + 60).enough_sample);
    for (int64_t at = T0 + 120; at <= T0 + 600; at += 60)
        counted(&rigged, 2, 100, at); /* twice the limit, which 900 requests do not prove */
    expect_verdict(&rigged, T0 + 600, WALK_SUCCESS);
    ck_assert(gate_at(&rigged, T0 + 600).enough_sample);
    for (int64_t at = T0 + 660; at <= T0 + 1200; at += 60)
        counted(&rigged, 30, 100, at);
    expect_verdict(&rigged, T0 + 1200, WALK_FAILURE);
    ck_assert_ptr_nonnull(strstr(gate_at(&rigged, T0 + 1200).evidence.data, " > 0.01, n=2000"));
    ck_assert_ptr_nonnull(strstr(gate_at(&rigged, T0 + 1200).evidence.data, ", window 20m"));
    finish(&rigged);
}
END_TEST

START_TEST(of_a_windows_steps_the_worst_counts)
{
    static const struct {
        double lowest, highest, newest;
        enum walk_verdict expected;
        const char *evidence;
    } rows[] = {
        {0.2, 0.9, 0.5, WALK_SUCCESS, "0.5 <= 1"},
        {0.2, 1, 0.5, WALK_SUCCESS, "0.5 <= 1"},
        {0.2, 3, 0.5, WALK_FAILURE, "3 > 1"},
        {NAN, NAN, 0.5, WALK_NO_DATA, "NaN"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rigged rigged;
        struct reading reading = number(rows[i].newest);
        reading.has_steps = true;
        reading.lowest = rows[i].lowest;
        reading.highest = rows[i].highest;
        begin(&rigged, DEFINITIONS
              "  prometheus: {address: 'http://p:9090', query: 'x{v=\"{{variant}}\"}', step: 30s}\n"
              "  thresholdRange: {max: 1}\n");
        answer(&rigged, &reading, T0 + 301);
        struct question question;
        struct arena arena;
        arena_init(&arena, 0);
        ck_assert_int_eq(probe_question(rigged.probe, &rigged.plan, 0, &arena, &question),
                         STATUS_OK);
        ck_assert_int_eq(question.step, 30);
        arena_dispose(&arena);
        expect_verdict(&rigged, T0 + 301, rows[i].expected);
        ck_assert_msg(strstr(gate_at(&rigged, T0 + 301).evidence.data, rows[i].evidence) != NULL,
                      "%s", gate_at(&rigged, T0 + 301).evidence.data);
        finish(&rigged);
    }
}
END_TEST

START_TEST(failure_beats_what_comes_later)
{
    struct rigged rigged;
    begin(&rigged, DEFINITIONS ASKED "  thresholdRange: {max: 1}\n  consecutiveErrorLimit: 0\n");
    answer(&rigged, (struct reading[]){number(0.5)}, T0 + 1);
    expect_verdict(&rigged, T0 + 1, WALK_SUCCESS);
    answer(&rigged, (struct reading[]){fault}, T0 + 61);
    expect_verdict(&rigged, T0 + 61, WALK_ERROR);
    answer(&rigged, (struct reading[]){number(2)}, T0 + 121);
    expect_verdict(&rigged, T0 + 121, WALK_FAILURE);
    ck_assert_text(gate_at(&rigged, T0 + 121).evidence, "2 > 1, raw, window 121s");
    answer(&rigged, (struct reading[]){fault}, T0 + 181);
    expect_verdict(&rigged, T0 + 181, WALK_FAILURE);
    answer(&rigged, (struct reading[]){number(0)}, T0 + 241);
    expect_verdict(&rigged, T0 + 241, WALK_FAILURE);
    finish(&rigged);
}
END_TEST

START_TEST(no_answer_is_ever_a_success)
{
    const struct reading answers[] = {nothing, fault, number(NAN), number(INFINITY),
                                      number(-INFINITY)};
    const struct reading halves[] = {nothing, fault, number(NAN), number(INFINITY), number(-1)};
    struct rigged rigged;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        begin(&rigged, DEFINITIONS ASKED "  thresholdRange: {max: 1}\n");
        answer(&rigged, &answers[i], T0 + 1);
        ck_assert_int_ne(gate_at(&rigged, T0 + 1).verdict, WALK_SUCCESS);
        ck_assert_int_eq(gate_at(&rigged, T0 + 61).covered, 0);
        finish(&rigged);
        begin(&rigged, RATE);
        const struct reading counts[] = {number(0), halves[i]};
        answer(&rigged, counts, T0 + 600);
        ck_assert_int_ne(gate_at(&rigged, T0 + 600).verdict, WALK_SUCCESS);
        bool is_empty = halves[i].state == READING_NOTHING || isnan(halves[i].number);
        ck_assert_int_eq(rigged.probe->last.verdict, is_empty ? VERDICT_NO_DATA : VERDICT_ERROR);
        finish(&rigged);
    }
}
END_TEST

START_TEST(an_old_success_is_none)
{
    struct rigged rigged;
    begin(&rigged, DEFINITIONS ASKED "  thresholdRange: {max: 1}\n");
    answer(&rigged, (struct reading[]){number(0)}, T0 + 1);
    ck_assert(gate_at(&rigged, T0 + 121).fresh);
    expect_verdict(&rigged, T0 + 121, WALK_SUCCESS);
    ck_assert(!gate_at(&rigged, T0 + 122).fresh);
    expect_verdict(&rigged, T0 + 122, WALK_NO_DATA);
    ck_assert(!gate_at(&rigged, T0 - 60).fresh); /* the clock was set back */
    ck_assert_int_eq(gate_at(&rigged, T0 + 122).finished, T0 + 1);
    finish(&rigged);
}
END_TEST

START_TEST(a_missing_numerator_is_none)
{
    struct rigged rigged;
    begin(&rigged, RATE);
    answer(&rigged, (struct reading[]){nothing, number(1000)}, T0 + 60);
    expect_verdict(&rigged, T0 + 60, WALK_SUCCESS);
    /* all failed, and extrapolation made a little more of the failures */
    answer(&rigged, (struct reading[]){number(1000.0000001), number(1000)}, T0 + 120);
    expect_verdict(&rigged, T0 + 120, WALK_FAILURE);
    finish(&rigged);
}
END_TEST

START_TEST(a_limit_of_zero_is_judged_raw)
{
    struct rigged rigged;
    begin(&rigged, DEFINITIONS COUNTED "  thresholdRange: {max: 0}\n");
    counted(&rigged, 0, 100, T0 + 60);
    expect_verdict(&rigged, T0 + 60, WALK_SUCCESS);
    counted(&rigged, 1, 100, T0 + 120);
    expect_verdict(&rigged, T0 + 120, WALK_FAILURE);
    ck_assert_text(gate_at(&rigged, T0 + 120).evidence, "0.01 > 0, n=100, raw, window 2m");
    finish(&rigged);
}
END_TEST

#define SEQUENTIAL                                                                                 \
    COUNTED "  compare: {to: control, method: sequential, margin: 0.01}\n  minimumSample: 100\n"

static struct reading spread_out(double total)
{
    struct reading reading = {.state = READING_BUCKETED, .number = total};
    for (size_t i = 0; i < 40; i++)
        reading.buckets[i] = total / 40;
    return reading;
}

START_TEST(requests_may_hold_and_buckets_may_fail)
{
    struct rigged rigged;
    const struct reading requests[] = {number(300), number(1000), number(10), number(1000)};
    begin(&rigged, DEFINITIONS SEQUENTIAL);
    for (int64_t at = T0 + 60; at <= T0 + 1200; at += 60)
        answer(&rigged, requests, at);
    expect_verdict(&rigged, T0 + 1200, WALK_INCONCLUSIVE);
    ck_assert_ptr_nonnull(strstr(rigged.probe->last.reason, "requests are not users"));
    finish(&rigged);
    const struct reading buckets[] = {spread_out(300), spread_out(1000), spread_out(10),
                                      spread_out(1000)};
    begin(&rigged, DEFINITIONS SEQUENTIAL);
    for (int64_t at = T0 + 60; at <= T0 + 1200; at += 60)
        answer(&rigged, buckets, at);
    expect_verdict(&rigged, T0 + 1200, WALK_FAILURE);
    /* what came by bucket once does not come otherwise */
    answer(&rigged, requests, T0 + 1260);
    ck_assert_int_eq(rigged.probe->last.verdict, VERDICT_ERROR);
    finish(&rigged);
    const struct reading mixed[] = {spread_out(300), spread_out(1000), number(10), number(1000)};
    begin(&rigged, DEFINITIONS SEQUENTIAL);
    answer(&rigged, mixed, T0 + 60);
    ck_assert_int_eq(rigged.probe->last.verdict, VERDICT_ERROR);
    finish(&rigged);
}
END_TEST

START_TEST(arms_of_other_sizes_than_their_shares)
{
    struct judgement judgement;
    struct rigged rigged;
    /* 10 % of 1 000 is 100 */
    const struct reading well[] = {spread_out(1), spread_out(100), spread_out(9), spread_out(900)};
    const struct reading ill[] = {spread_out(1), spread_out(200), spread_out(9), spread_out(800)};
    begin(&rigged, DEFINITIONS SEQUENTIAL);
    for (int64_t at = T0 + 60; at <= T0 + 1200; at += 60)
        answer(&rigged, well, at);
    ck_assert_ptr_nonnull(rigged.probe->shares);
    ck_assert(!probe_ratio_mismatch(rigged.probe, &judgement));
    for (int64_t at = T0 + 1260; at <= T0 + 2400; at += 60)
        answer(&rigged, ill, at);
    ck_assert(probe_ratio_mismatch(rigged.probe, &judgement));
    ck_assert_ptr_nonnull(strstr(judgement.reason, "sample ratio mismatch: share 0.15 of 0.1"));
    finish(&rigged);
}
END_TEST

START_TEST(without_control_there_is_no_comparison)
{
    struct rigged rigged;
    const struct reading answers[] = {number(900), number(1000), nothing, nothing};
    const struct reading silence[] = {nothing, nothing, number(9), number(900)};
    begin(&rigged, STAFF_FIRST SEQUENTIAL);
    answer(&rigged, answers, T0 + 60);
    expect_verdict(&rigged, T0 + 60, WALK_SUCCESS);
    ck_assert_ptr_nonnull(strstr(rigged.probe->last.reason, "chosen by hand"));
    for (int64_t at = T0 + 120; at < T0 + 600; at += 60)
        answer(&rigged, silence, at); /* staff sleep */
    expect_verdict(&rigged, T0 + 600, WALK_NO_DATA);
    ck_assert(!gate_at(&rigged, T0 + 600).silent);
    move_on(&rigged, STAFF_FIRST SEQUENTIAL, 1, 1, T0 + 1000, T0 + 1000);
    answer(&rigged, answers, T0 + 1060);
    expect_verdict(&rigged, T0 + 1060, WALK_SUCCESS);
    ck_assert_ptr_nonnull(strstr(rigged.probe->last.reason, "nobody is left on control"));
    finish(&rigged);
}
END_TEST

START_TEST(error_budgets_burn_in_both_windows)
{
    struct rigged rigged;
    begin(&rigged, DEFINITIONS COUNTED "  burnRate: {objective: 0.99, windows: [{long: 1h, short: "
                                       "5m, rate: 10}]}\n");
    probe_plan(rigged.probe, NANO(T0 + 7200), &rigged.plan);
    ck_assert_uint_eq(rigged.plan.count, 4);
    ck_assert_int_eq(rigged.plan.spans[0].from, T0 + 3600);
    ck_assert_int_eq(rigged.plan.spans[1].from, T0 + 6900);
    const struct reading slow[] = {number(200), number(1000), number(5), number(100)};
    memcpy(rigged.readings, slow, sizeof slow);
    (void)!probe_take(rigged.probe, &rigged.plan, rigged.readings, NULL, NANO(T0 + 7200));
    expect_verdict(&rigged, T0 + 7200, WALK_SUCCESS);
    rigged.readings[2] = number(50);
    (void)!probe_take(rigged.probe, &rigged.plan, rigged.readings, NULL, NANO(T0 + 7260));
    expect_verdict(&rigged, T0 + 7260, WALK_FAILURE);
    finish(&rigged);
}
END_TEST

/* --- silence --------------------------------------------------------------------------------- */

START_TEST(silence_while_control_speaks)
{
    struct rigged rigged;
    begin(&rigged, RATE);
    rigged.control = number(1000);
    answer(&rigged, (struct reading[]){nothing, nothing}, T0 + 60);
    answer(&rigged, (struct reading[]){nothing, number(0)}, T0 + 120);
    ck_assert(!gate_at(&rigged, T0 + 120).silent);
    answer(&rigged, (struct reading[]){nothing, nothing}, T0 + 180);
    ck_assert(gate_at(&rigged, T0 + 180).silent);
    expect_verdict(&rigged, T0 + 180, WALK_FAILURE);
    finish(&rigged);
    begin(&rigged, RATE); /* 10 % of 1 000: 100 are to be expected; of 100 but 11, of 10 one */
    rigged.control = number(100);
    for (int64_t at = T0 + 60; at < T0 + 600; at += 60)
        answer(&rigged, (struct reading[]){nothing, nothing}, at);
    ck_assert(!gate_at(&rigged, T0 + 600).silent);
    expect_verdict(&rigged, T0 + 600, WALK_NO_DATA);
    rigged.control = nothing; /* the night */
    answer(&rigged, (struct reading[]){nothing, nothing}, T0 + 660);
    expect_verdict(&rigged, T0 + 660, WALK_NO_DATA);
    finish(&rigged);
    begin(&rigged, RATE "  onNoData: fail\n"); /* though nobody speaks */
    answer(&rigged, (struct reading[]){nothing, nothing}, T0 + 60);
    expect_verdict(&rigged, T0 + 60, WALK_FAILURE);
    ck_assert(!gate_at(&rigged, T0 + 60).silent);
    finish(&rigged);
}
END_TEST

START_TEST(a_breaker_trips_at_once)
{
    struct rigged rigged;
    begin(&rigged, DEFINITIONS COUNTED "  role: breaker\n  thresholdRange: {max: 0.01}\n");
    rigged.control = nothing;
    answer(&rigged, (struct reading[]){nothing, nothing}, T0 + 60);
    expect_verdict(&rigged, T0 + 60, WALK_NO_DATA); /* nobody speaks */
    rigged.control = number(1000);
    answer(&rigged, (struct reading[]){nothing, nothing}, T0 + 65);
    expect_verdict(&rigged, T0 + 65, WALK_FAILURE);
    ck_assert(gate_at(&rigged, T0 + 65).silent);
    finish(&rigged);
}
END_TEST

/* --- timers ---------------------------------------------------------------------------------- */

START_TEST(timers_come_in_order)
{
    enum { COUNT = 1000 };
    static struct timer all[COUNT];
    struct timers timers = {0};
    uint64_t seed = 7;
    ck_assert(timers_reserve(&timers, COUNT));
    ck_assert_ptr_null(timers_first(&timers));
    for (size_t i = 0; i < COUNT; i++) {
        all[i].place = TIMER_NOWHERE;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        timers_set(&timers, &all[i], (int64_t)(seed >> 40));
    }
    for (size_t i = 0; i < COUNT; i += 3) /* moved, both ways */
        timers_set(&timers, &all[i], (all[i].due * 7919) % (1 << 24));
    for (size_t i = 1; i < COUNT; i += 3)
        timers_cancel(&timers, &all[i]);
    timers_cancel(&timers, &all[1]); /* twice is fine */
    int64_t last = INT64_MIN;
    size_t count = 0;
    for (struct timer *timer; (timer = timers_first(&timers)); count++) {
        ck_assert_int_ge(timer->due, last);
        last = timer->due;
        timers_cancel(&timers, timer);
    }
    ck_assert_uint_eq(count, COUNT - 333);
    timers_dispose(&timers);
}
END_TEST

UNIT_MAIN("probe", looks_join_and_never_overlap, what_is_asked_in_words,
          a_breaker_looks_at_what_it_will_count_later, the_first_measurement_waits,
          a_phase_dated_later_than_now_is_measured_all_the_same,
          a_clock_that_was_ahead_blinds_nobody, a_silence_is_heard_though_a_clock_was_ahead,
          a_rate_is_judged_by_its_sample, of_a_windows_steps_the_worst_counts,
          failure_beats_what_comes_later, no_answer_is_ever_a_success, an_old_success_is_none,
          a_missing_numerator_is_none, a_limit_of_zero_is_judged_raw,
          requests_may_hold_and_buckets_may_fail, arms_of_other_sizes_than_their_shares,
          without_control_there_is_no_comparison, error_budgets_burn_in_both_windows,
          silence_while_control_speaks, a_breaker_trips_at_once, timers_come_in_order)
