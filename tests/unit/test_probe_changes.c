/* What of a metric changes its verdict, and its evidence: samples, windows, alpha, definitions. */
#include "probes.h"

#define RATE DEFINITIONS COUNTED "  thresholdRange: {max: 0.01}\n  minimumSample: 500\n"

/* One that can never be longer than it is is not waited for, but told. */
START_TEST(a_window_under_four_scrapes_says_so)
{
    const struct reading answers[] = {number(0), number(1000)};
    struct rigged rigged;
    begin(&rigged, DEFINITIONS COUNTED "  thresholdRange: {max: 0}\n  window: 30s\n");
    answer(&rigged, answers, T0 + 600);
    expect_verdict(&rigged, T0 + 600, WALK_NO_DATA);
    ck_assert_ptr_nonnull(strstr(gate_at(&rigged, T0 + 600).evidence.data, "make it longer"));
    finish(&rigged);
}
END_TEST

START_TEST(counts_are_compared_by_their_minimum_sample)
{
    static const char *const methods[] = {"difference", "ratio"};
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        char yaml[3000];
        struct rigged rigged;
        const struct reading few[] = {number(9), number(90), number(1), number(900)},
                             ill[] = {number(90), number(900), number(1), number(900)},
                             well[] = {number(1), number(900), number(1), number(900)};
        snprintf(yaml, sizeof yaml,
                 "%s  compare: {to: control, method: %s, margin: 0.01}\n  minimumSample: 100\n",
                 DEFINITIONS COUNTED, methods[i]);
        begin(&rigged, yaml);
        answer(&rigged, few, T0 + 600);
        expect_verdict(&rigged, T0 + 600, WALK_NO_DATA);
        ck_assert(!gate_at(&rigged, T0 + 600).enough_sample);
        answer(&rigged, well, T0 + 660);
        expect_verdict(&rigged, T0 + 660, WALK_SUCCESS);
        ck_assert(gate_at(&rigged, T0 + 660).enough_sample);
        answer(&rigged, ill, T0 + 720);
        expect_verdict(&rigged, T0 + 720, WALK_FAILURE);
        finish(&rigged);
    }
}
END_TEST

/* Who turns the wheel is woken by what changes a verdict, and by nothing else. */
START_TEST(what_changes_is_told)
{
    static const struct {
        double value;
        bool is_told;
    } rows[] = {{0, true}, {0, false}, {2, true}, {2, false}};
    struct rigged rigged;
    begin(&rigged, DEFINITIONS ASKED "  thresholdRange: {max: 1}\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t at = T0 + 60 * (int64_t)(i + 1);
        probe_plan(rigged.probe, NANO(at), &rigged.plan);
        rigged.readings[0] = number(rows[i].value);
        ck_assert_int_eq(probe_take(rigged.probe, &rigged.plan, rigged.readings, NULL, NANO(at)),
                         rows[i].is_told);
    }
    finish(&rigged);
}
END_TEST

START_TEST(error_budgets_burn_in_one_of_several_pairs)
{
    struct rigged rigged;
    begin(&rigged, DEFINITIONS COUNTED
          "  burnRate: {objective: 0.99, windows: [{long: 1h, short: 5m, rate: 10}, {long: 2h, "
          "short: 10m, rate: 5}]}\n");
    probe_plan(rigged.probe, NANO(T0 + 30), &rigged.plan); /* under four scrapes */
    ck_assert_uint_eq(rigged.plan.count, 0);
    ck_assert_int_eq(rigged.plan.again, T0 + 60);
    probe_plan(rigged.probe, NANO(T0 + 7200), &rigged.plan);
    ck_assert_uint_eq(rigged.plan.count, 8);
    const struct reading answers[] = {number(70), number(1000), number(7), number(100),
                                      number(70), number(1000), number(7), number(100)};
    memcpy(rigged.readings, answers, sizeof answers);
    rigged.readings[6] = number(1); /* the other short one */
    (void)!probe_take(rigged.probe, &rigged.plan, rigged.readings, NULL, NANO(T0 + 7200));
    expect_verdict(&rigged, T0 + 7200, WALK_SUCCESS);
    rigged.readings[6] = number(7);
    (void)!probe_take(rigged.probe, &rigged.plan, rigged.readings, NULL, NANO(T0 + 7260));
    expect_verdict(&rigged, T0 + 7260, WALK_FAILURE);
    finish(&rigged);
}
END_TEST

/* What may end a rollout by chance is one alpha for all of its guardrails together. */
START_TEST(guardrails_share_their_alpha)
{
    static const struct probe_settings four = {.guardrails = 4};
    struct rigged rigged = {.roster = stand(RATE, 1, 0, T0)};
    rigged.probe = probe_new(&rigged.roster->items[0], roster_metric(rigged.roster, TEXT("m")),
                             &four, T0, NANO(T0));
    ck_assert_ptr_nonnull(rigged.probe);
    counted(&rigged, 0, 600, T0 + 60);
    ck_assert_double_eq(rigged.probe->evidence->design.alpha, 0.05 / 4);
    finish(&rigged);
}
END_TEST

/* A metric, and the same with one thing changed. */
START_TEST(whatever_is_changed_of_a_metric_is_seen)
{
    static const struct metric metric = {
        .numerator = TEXT("ab"), .denominator = TEXT("c"), .has_maximum = true, .burn_count = 1};
    uint8_t digests[32][PROBE_DIGEST_SIZE];
    size_t count = 0;
#define SEEN(change)                                                                               \
    do {                                                                                           \
        struct metric changed = metric;                                                            \
        change;                                                                                    \
        probe_digest(&changed, digests[count]);                                                    \
        for (size_t i = 0; i < count; i++)                                                         \
            ck_assert_msg(memcmp(digests[i], digests[count], PROBE_DIGEST_SIZE) != 0, "%s",        \
                          #change);                                                                \
        count++;                                                                                   \
    } while (0)
    SEEN((void)0);
    SEEN(changed.role = METRIC_INFO);
    SEEN(changed.source = METRIC_HTTP);
    SEEN(changed.address = TEXT("http://p"));
    SEEN(changed.query = TEXT("ab"));
    SEEN(changed.step = 30);
    SEEN((changed.numerator = TEXT("a"), changed.denominator = TEXT("bc")));
    SEEN(changed.numerator = TEXT("ac"));
    SEEN(changed.denominator = TEXT("d"));
    SEEN(changed.has_minimum = true);
    SEEN(changed.minimum = 0.5);
    SEEN(changed.maximum = 0.5);
    SEEN(changed.compare = METRIC_SEQUENTIAL);
    SEEN(changed.margin = 0.5);
    SEEN(changed.alpha = 0.5);
    SEEN(changed.higher_is_better = true);
    SEEN(changed.objective = 0.5);
    SEEN(changed.burn[0].longer = 60);
    SEEN(changed.burn[0].shorter = 60);
    SEEN(changed.burn[0].rate = 0.5);
    SEEN(changed.limits.interval = 60);
    SEEN(changed.limits.initial_delay = 60);
    SEEN(changed.limits.window = 60);
    SEEN(changed.limits.failure = 60);
    SEEN(changed.limits.inconclusive = 60);
    SEEN(changed.limits.consecutive_error = 60);
    SEEN(changed.limits.count = 60);
    SEEN(changed.minimum_sample = 60);
    SEEN(changed.on_no_data = NO_DATA_FAIL);
    SEEN(changed.type = METRIC_MEAN);
#undef SEEN
}
END_TEST

UNIT_MAIN("probe changes", a_window_under_four_scrapes_says_so,
          counts_are_compared_by_their_minimum_sample, what_changes_is_told,
          error_budgets_burn_in_one_of_several_pairs, guardrails_share_their_alpha,
          whatever_is_changed_of_a_metric_is_seen)
