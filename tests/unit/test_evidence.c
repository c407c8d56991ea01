/* Evidence over looks and phases: what is counted, what is refused, what is kept. */
#include <math.h>
#include <stdlib.h>

#include "../../rules/evidence.h"
#include "../../rules/statistics_count.h"
#include "chance.h"
#include "unit.h"

#define ok(call) ck_assert_int_eq((call), STATUS_OK)

static struct error error;

#define refused(call, expected_status, expected_message)                                           \
    do {                                                                                           \
        struct evidence before_ = evidence;                                                        \
        ck_assert_int_eq((call), expected_status);                                                 \
        ck_assert_str_eq(error.message, expected_message);                                         \
        ck_assert_msg(memcmp(&before_, &evidence, sizeof evidence) == 0, "it has changed");        \
    } while (0)

static struct evidence opened(struct evidence_design design)
{
    struct evidence evidence;
    if (design.alpha == 0)
        design.alpha = 0.05;
    ok(evidence_open(&evidence, &design, &error));
    ok(evidence_begin(&evidence, 1000, design.kind == EVIDENCE_SHARES ? 0.5 : 0, &error));
    return evidence;
}

static enum status look(struct evidence *evidence, int64_t from, int64_t until,
                        struct sample variant, struct sample control)
{
    const struct evidence_look look = {
        .from = from, .until = until, .count = 1, .arm = {&variant, &control}};
    return evidence_add(evidence, &look, &error);
}

static enum status totals(struct evidence *evidence, int64_t until, struct sample variant,
                          struct sample control)
{
    const struct evidence_look look = {
        .from = evidence->since, .until = until, .count = 1, .arm = {&variant, &control}};
    return evidence_add_totals(evidence, &look, &error);
}

/* --- refusals --------------------------------------------------------------------------------- */

START_TEST(designs_that_cannot_be_tested)
{
    static const struct {
        struct evidence_design design;
        const char *message;
    } cases[] = {
        {{.kind = EVIDENCE_RATE, .alpha = 0.05}, "a rate needs a limit: give min or max"},
        {{.kind = EVIDENCE_RATE, .alpha = 0.05, .has_max = true, .max = 1},
         "the limits of a rate lie between 0 and 1, both excluded"},
        {{.kind = EVIDENCE_RATE, .alpha = 0.05, .has_min = true, .min = NAN},
         "the limits of a rate lie between 0 and 1, both excluded"},
        {{.kind = EVIDENCE_RATE,
          .alpha = 0.05,
          .has_min = true,
          .min = 0.5,
          .has_max = true,
          .max = 0.1},
         "min is larger than max"},
        {{.kind = EVIDENCE_MEANS, .alpha = 0.5}, "alpha lies between 0 and 0.5, both excluded"},
        {{.kind = EVIDENCE_MEANS, .alpha = NAN}, "alpha lies between 0 and 0.5, both excluded"},
        {{.kind = EVIDENCE_MEANS, .alpha = 0.05, .horizon = INFINITY},
         "the horizon is a number of units, at least 1"},
        {{.kind = EVIDENCE_MEANS, .alpha = 0.05, .margin = -1},
         "the margin is a finite number that is not negative"},
        {{.kind = EVIDENCE_MEANS, .alpha = 0.05, .minimum_sample = NAN},
         "the minimum sample is a number of units"},
        {{.kind = (enum evidence_kind)9, .alpha = 0.05}, "no such kind of evidence"},
    };
    struct evidence evidence;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_int_eq(evidence_open(&evidence, &cases[i].design, &error), STATUS_INVALID);
        ck_assert_str_eq(error.message, cases[i].message);
    }
}
END_TEST

START_TEST(looks_that_overlap)
{
    const struct sample some = {.n = 500, .sum = 5};
    struct evidence evidence;
    const struct evidence_design design = {.kind = EVIDENCE_PROPORTIONS, .alpha = 0.05};
    ok(evidence_open(&evidence, &design, &error));
    refused(look(&evidence, 0, 1, some, some), STATUS_REFUSED, "no phase has begun");
    evidence = opened(design);
    refused(look(&evidence, 999, 1500, some, some), STATUS_REFUSED,
            "the measurement overlaps an earlier one");
    refused(look(&evidence, 1500, 1500, some, some), STATUS_INVALID,
            "a measurement ends after it begins");
    ok(look(&evidence, 1000, 2000, some, some));
    refused(look(&evidence, 1999, 3000, some, some), STATUS_REFUSED,
            "the measurement overlaps an earlier one");
    refused(evidence_begin(&evidence, 1999, 0, &error), STATUS_REFUSED,
            "a phase cannot begin before the newest measurement of the last one");
    ok(look(&evidence, 2500, 3000, some, some));
    ck_assert_double_eq(evidence.total[ARM_CONTROL].n, 1000);
    ok(evidence_begin(&evidence, 3000, 0, &error));
    ck_assert_double_eq(evidence.total[ARM_CONTROL].n, 0);
}
END_TEST

START_TEST(counters_that_go_back)
{
    const struct sample control = {.n = 500, .sum = 5};
    struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS});
    ok(totals(&evidence, 2000, (struct sample){.n = 700, .sum = 7}, control));
    ok(totals(&evidence, 3000, (struct sample){.n = 900, .sum = 7}, control));
    ck_assert_double_eq(evidence.total[ARM_VARIANT].n, 900); /* not 1600 */
    refused(totals(&evidence, 4000, (struct sample){.n = 899, .sum = 8}, control), STATUS_REFUSED,
            "variant: the counter went back from 900 to 899");
    refused(totals(&evidence, 4000, (struct sample){.n = 901, .sum = 6}, control), STATUS_REFUSED,
            "variant: the counter went back from 900 to 901");
    refused(totals(&evidence, 3000, (struct sample){.n = 900, .sum = 7}, control), STATUS_REFUSED,
            "the measurement overlaps an earlier one");
}
END_TEST

START_TEST(counts_that_no_sample_can_have)
{
    static const struct sample bad[] = {
        {.n = -1},
        {.n = 10, .sum = 11},
        {.n = 10, .sum = -1},
        {.n = NAN, .sum = 1},
        {.n = 10, .sum = NAN},
        {.n = INFINITY, .sum = 1},
        {.n = 10, .sum = INFINITY},
        {.n = 2e12, .sum = 1},
        {.n = 10, .sum = 1, .squares = NAN},
    };
    const struct sample good = {.n = 500, .sum = 5};
    struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS});
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct evidence before = evidence;
        ck_assert_int_eq(look(&evidence, 1000, 2000, bad[i], good), STATUS_INVALID);
        ck_assert_int_eq(look(&evidence, 1000, 2000, good, bad[i]), STATUS_INVALID);
        ck_assert_mem_eq(&before, &evidence, sizeof evidence);
    }
    evidence = opened((struct evidence_design){.kind = EVIDENCE_MEANS});
    refused(look(&evidence, 1000, 2000, (struct sample){10, 100, 999}, good), STATUS_INVALID,
            "variant: counts that no sample can have: 100 of 10");
    ok(look(&evidence, 1000, 2000, (struct sample){10, 100, 1000},
            (struct sample){10, -100, 1001}));
    ck_assert_int_eq(
        look(&evidence, 2000, 3000, (struct sample){6e11, 0, 1}, (struct sample){6e11, 0, 1}),
        STATUS_LIMIT);
}
END_TEST

START_TEST(buckets_are_counted)
{
    struct sample arms[2][EVIDENCE_MOST_BUCKETS + 1];
    struct evidence evidence =
        opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_BUCKETS});
    struct evidence_look some = {.from = 1000, .until = 2000, .arm = {arms[0], arms[1]}};
    for (size_t i = 0; i <= EVIDENCE_MOST_BUCKETS; i++)
        arms[0][i] = arms[1][i] = (struct sample){.n = 100, .sum = 5};
    some.count = 19;
    refused(evidence_add(&evidence, &some, &error), STATUS_INVALID,
            "19 buckets, expected 20 to 64");
    some.count = 65;
    refused(evidence_add(&evidence, &some, &error), STATUS_INVALID,
            "65 buckets, expected 20 to 64");
    some.count = 20;
    ok(evidence_add(&evidence, &some, &error));
    some = (struct evidence_look){2000, 3000, 21, {arms[0], arms[1]}};
    refused(evidence_add(&evidence, &some, &error), STATUS_INVALID,
            "21 buckets after 20: keep their number");
    struct evidence plain = opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS});
    ck_assert_int_eq(evidence_add(&plain, &some, &error), STATUS_INVALID);
    /* nineteen of twenty that have anything in them are too few to know how they differ */
    evidence =
        opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_BUCKETS});
    arms[0][3] = (struct sample){0};
    for (size_t i = 0; i < 20; i++)
        arms[0][i].sum = arms[0][i].n / 2;
    some = (struct evidence_look){1000, 2000, 20, {arms[0], arms[1]}};
    ok(evidence_add(&evidence, &some, &error));
    ck_assert(!evidence_shown(&evidence, SIDE_ABOVE));
    ck_assert_double_eq(evidence.estimate.n, 0);
    arms[0][3] = (struct sample){.n = 100, .sum = 50};
    some = (struct evidence_look){2000, 3000, 20, {arms[0], arms[1]}};
    ok(evidence_add(&evidence, &some, &error));
    ck_assert(evidence_shown(&evidence, SIDE_ABOVE));
}
END_TEST

/* --- what it comes to ------------------------------------------------------------------------- */

/* The first phase of independent means: half the stake on the one-sided mixture, half not yet laid
 * down. */
START_TEST(one_phase_is_the_mixture)
{
    const struct sample a = {3000, 1396.87, 52377.9767}, b = {3461, 2422.7, 134698.29};
    struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_MEANS});
    struct estimate estimate;
    double rho, expected, low;
    ok(look(&evidence, 1000, 2000, b, a)); /* the variant is b */
    ok(statistics_difference(a, b, &estimate));
    ck_assert_double_eq_tol(evidence.estimate.value, estimate.value, 1e-12);
    ck_assert_double_eq_tol(evidence.estimate.error, estimate.error, 1e-12);
    ok(evidence_low(&evidence, &low));
    ck_assert_double_eq_tol(low, -0.12656844, 5e-9); /* GrowthBook's */
    ok(statistics_rho(0.1, 5000, &rho));
    double s2 = estimate.error * estimate.error * estimate.n;
    ok(statistics_evidence_above(estimate.value * estimate.n, estimate.n * s2, s2 / rho / rho,
                                 &expected));
    ck_assert_double_eq_tol(evidence_now(&evidence, SIDE_ABOVE), log(0.5 + 0.5 * exp(expected)),
                            1e-12);
    /* in two looks it is the same as in one */
    struct evidence twice = opened((struct evidence_design){.kind = EVIDENCE_MEANS});
    ok(look(&twice, 1000, 1500, (struct sample){461, 422.7, 4698.29}, a));
    ok(look(&twice, 1500, 2000, (struct sample){3000, 2000, 130000}, (struct sample){0}));
    ck_assert_double_eq_tol(evidence_now(&twice, SIDE_ABOVE), evidence_now(&evidence, SIDE_ABOVE),
                            1e-9);
}
END_TEST

/* After k phases of evidence e1, e2, …: Σ over j of 1/(j(j+1)) · ej · … · ek, and 1/(k+1). */
START_TEST(phases_are_multiplied)
{
    const struct sample control = {.n = 4000, .sum = 200};
    struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS});
    double alone[4], sum = 0.25;
    for (int phase = 0; phase < 3; phase++) {
        struct evidence one = opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS});
        const struct sample variant = {.n = 4000, .sum = 252 + 2 * phase};
        ok(look(&one, 1000, 2000, variant, control));
        alone[phase] = 2 * exp(evidence_now(&one, SIDE_ABOVE)) - 1;
        if (phase > 0)
            ok(evidence_begin(&evidence, 1000 + phase * 1000, 0, &error));
        ok(look(&evidence, 1000 + phase * 1000, 2000 + phase * 1000, variant, control));
    }
    sum += alone[0] * alone[1] * alone[2] / 2 + alone[1] * alone[2] / 6 + alone[2] / 12;
    ck_assert_double_eq_tol(evidence_now(&evidence, SIDE_ABOVE), log(sum), 1e-9);
    ck_assert_uint_eq(evidence.phases, 3);
    /* three phases show what none shows alone */
    ck_assert(evidence_shown(&evidence, SIDE_ABOVE));
    ck_assert_double_lt(alone[2], 19);
}
END_TEST

/* Harm that was shown stays shown, whatever comes. */
START_TEST(harm_latches)
{
    struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS});
    ok(look(&evidence, 1000, 2000, (struct sample){.n = 2000, .sum = 300},
            (struct sample){.n = 2000, .sum = 100}));
    ck_assert(evidence_shown(&evidence, SIDE_ABOVE));
    ok(look(&evidence, 2000, 3000, (struct sample){.n = 200000, .sum = 100},
            (struct sample){.n = 200000, .sum = 10000}));
    ck_assert_double_lt(evidence_now(&evidence, SIDE_ABOVE), 0);
    ck_assert(evidence_shown(&evidence, SIDE_ABOVE));
}
END_TEST

/* A variant that is much better is no harm; where less is harm it is the other way round. */
START_TEST(directions_and_margins)
{
    const struct sample many = {.n = 5000, .sum = 500}, few = {.n = 5000, .sum = 250};
    static const struct {
        bool decrease, variant_has_more;
        double margin;
        bool shown;
    } cases[] = {
        {false, true, 0, true},     {false, false, 0, false},   {true, true, 0, false},
        {true, false, 0, true},     {false, true, 0.06, false}, {false, true, 0.02, true},
        {true, false, 0.06, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct evidence evidence =
            opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS,
                                            .decrease_is_harm = cases[i].decrease,
                                            .margin = cases[i].margin});
        ok(look(&evidence, 1000, 2000, cases[i].variant_has_more ? many : few,
                cases[i].variant_has_more ? few : many));
        ck_assert_msg(evidence_shown(&evidence, SIDE_ABOVE) == cases[i].shown, "case %zu", i);
    }
}
END_TEST

/* Below the minimum sample even the worst says nothing. */
START_TEST(burn_in)
{
    struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS});
    ok(look(&evidence, 1000, 2000, (struct sample){.n = 99, .sum = 99}, (struct sample){.n = 99}));
    ck_assert_double_eq_tol(evidence_now(&evidence, SIDE_ABOVE), 0, 1e-12);
    ok(look(&evidence, 2000, 3000, (struct sample){.n = 1, .sum = 1}, (struct sample){.n = 1}));
    ck_assert(evidence_shown(&evidence, SIDE_ABOVE));
}
END_TEST

/* The variance between buckets, written out. */
START_TEST(bucket_variance)
{
    struct sample arms[2][EVIDENCE_LEAST_BUCKETS];
    struct evidence evidence =
        opened((struct evidence_design){.kind = EVIDENCE_MEANS, .units = EVIDENCE_BUCKETS});
    double n[2] = {0}, sum[2] = {0}, squares[2] = {0};
    for (int arm = 0; arm < 2; arm++) {
        for (int i = 0; i < EVIDENCE_LEAST_BUCKETS; i++) {
            arms[arm][i] =
                (struct sample){.n = 50 + i, .sum = (50 + i) * (1.5 - arm + (i * 7 + arm) % 5)};
            n[arm] += arms[arm][i].n;
            sum[arm] += arms[arm][i].sum;
        }
        for (int i = 0; i < EVIDENCE_LEAST_BUCKETS; i++) {
            double rest = arms[arm][i].sum - sum[arm] / n[arm] * arms[arm][i].n;
            squares[arm] += rest * rest;
        }
    }
    const struct evidence_look some = {1000, 2000, EVIDENCE_LEAST_BUCKETS, {arms[0], arms[1]}};
    ok(evidence_add(&evidence, &some, &error));
    double expected = 20.0 / 19 * (squares[0] / n[0] / n[0] + squares[1] / n[1] / n[1]);
    ck_assert_double_eq_tol(evidence.estimate.error, sqrt(expected), 1e-12);
    ck_assert_double_eq_tol(evidence.estimate.value, sum[0] / n[0] - sum[1] / n[1], 1e-12);
    /* what comes of it, by degrees of freedom (Welch and Satterthwaite; Abramowitz and Stegun
     * 26.7.8) */
    double of[2] = {20.0 / 19 * squares[0] / n[0] / n[0], 20.0 / 19 * squares[1] / n[1] / n[1]};
    double freedom = expected * expected / ((of[0] * of[0] + of[1] * of[1]) / 19);
    double t = evidence.estimate.value / sqrt(expected), rho, mixture;
    double z = t * (1 - 1 / (4 * freedom)) / sqrt(1 + t * t / (2 * freedom));
    ok(statistics_rho(0.1, STATISTICS_DEFAULT_HORIZON, &rho));
    ok(statistics_evidence_above(z * sqrt(n[0] + n[1]), n[0] + n[1], 1 / rho / rho, &mixture));
    ck_assert_double_eq_tol(evidence.phase[SIDE_ABOVE].evidence, mixture, 1e-12);
}
END_TEST

/* What lay in the buckets of the last phase is none of the next one's. */
START_TEST(a_phase_begins_with_empty_buckets)
{
    struct sample arms[2][EVIDENCE_LEAST_BUCKETS];
    const struct evidence_design design = {.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_BUCKETS};
    struct evidence evidence = opened(design), alone = opened(design);
    for (int phase = 0; phase < 2; phase++) {
        for (int i = 0; i < EVIDENCE_LEAST_BUCKETS; i++) {
            arms[0][i] = (struct sample){.n = 100, .sum = 5 + i % (7 - phase * 3)};
            arms[1][i] = (struct sample){.n = 100, .sum = 5 + i % 3};
        }
        const struct evidence_look some = {
            1000 + phase * 1000, 2000 + phase * 1000, EVIDENCE_LEAST_BUCKETS, {arms[0], arms[1]}};
        ok(evidence_add(&evidence, &some, &error));
        if (phase == 0)
            ok(evidence_begin(&evidence, 2000, 0, &error));
        else
            ok(evidence_add(&alone, &some, &error));
    }
    ck_assert_double_eq(evidence.estimate.error, alone.estimate.error);
    ck_assert_double_eq(evidence.phase[SIDE_ABOVE].evidence, alone.phase[SIDE_ABOVE].evidence);
}
END_TEST

/* No event among a thousand is not no chance of one: half an event and half a non-event more.
 * Buckets in which few events lie too evenly see no less than that. */
START_TEST(rare_events)
{
    struct sample arms[2][EVIDENCE_LEAST_BUCKETS];
    struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS});
    double p = 0.5 / 1001, expected = sqrt(2 * p * (1 - p) / 1000);
    ok(look(&evidence, 1000, 2000, (struct sample){.n = 1000}, (struct sample){.n = 1000}));
    ck_assert_double_eq_tol(evidence.estimate.error, expected, 1e-15);
    evidence =
        opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_BUCKETS});
    for (int i = 0; i < EVIDENCE_LEAST_BUCKETS; i++)
        arms[0][i] = arms[1][i] = (struct sample){.n = 50};
    const struct evidence_look some = {1000, 2000, EVIDENCE_LEAST_BUCKETS, {arms[0], arms[1]}};
    ok(evidence_add(&evidence, &some, &error));
    ck_assert_double_eq_tol(evidence.estimate.error, expected, 1e-15);
}
END_TEST

/* A mean of 1e9 with a spread of 1e-3: the sum of squares has lost it, and what is left is noise.
 */
START_TEST(spread_that_is_lost)
{
    struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_MEANS});
    double low;
    for (int i = 0; i < 50; i++) {
        double mean = 1e9 + i % 3 * 1e-3;
        const struct sample variant = {1000, 1000 * mean, 1000 * mean * mean};
        const struct sample control = {1000, 1000 * 1e9, 1000 * 1e18};
        ok(look(&evidence, 1000 + i, 1001 + i, variant, control));
    }
    ck_assert_double_eq(evidence.estimate.error, 0);
    ck_assert_double_gt(evidence.estimate.value, 0);
    ck_assert_double_eq_tol(evidence_now(&evidence, SIDE_ABOVE), 0, 1e-12);
    ck_assert_int_eq(evidence_low(&evidence, &low), STATUS_NOT_FOUND);
    /* the sums are bounded too */
    const struct sample huge = {1, 9e149, 8.1e299};
    ok(look(&evidence, 5000, 5001, huge, huge));
    ck_assert_int_eq(look(&evidence, 5001, 5002, huge, huge), STATUS_LIMIT);
    ck_assert(evidence_is_sound(&evidence));
}
END_TEST

/* Known ratio: 1000 to 1200 gives ln E = 7.140302 of the half that is laid down. */
START_TEST(sample_ratio)
{
    struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_SHARES});
    ok(look(&evidence, 1000, 2000, (struct sample){.n = 1000}, (struct sample){.n = 1200}));
    ck_assert_double_eq_tol(evidence_now(&evidence, SIDE_ABOVE), log(0.5 + 0.5 * exp(7.140302)),
                            1e-6);
    ck_assert(evidence_shown(&evidence, SIDE_ABOVE));
    evidence = opened((struct evidence_design){.kind = EVIDENCE_SHARES});
    ck_assert_int_eq(evidence_begin(&evidence, 1000, 1, &error), STATUS_INVALID);
    ok(evidence_begin(&evidence, 1000, 0.01, &error));
    ok(look(&evidence, 1000, 2000, (struct sample){.n = 1010}, (struct sample){.n = 99000}));
    ck_assert(!evidence_shown(&evidence, SIDE_ABOVE));
    ok(look(&evidence, 2000, 3000, (struct sample){.n = 1300}, (struct sample){.n = 99000}));
    ck_assert(evidence_shown(&evidence, SIDE_ABOVE));
}
END_TEST

/* Two limits share alpha; each has its own side. */
START_TEST(rate_has_two_sides)
{
    const struct evidence_design design = {.kind = EVIDENCE_RATE,
                                           .alpha = 0.05,
                                           .has_min = true,
                                           .min = 0.9,
                                           .has_max = true,
                                           .max = 0.99};
    ck_assert_double_eq(evidence_level(&design), 0.025);
    static const double rates[] = {0.8, 0.95, 0.999};
    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        struct evidence evidence = opened(design);
        struct sample sample = {.n = 20000, .sum = 20000 * rates[i]};
        const struct evidence_look some = {1000, 2000, 1, {&sample, NULL}};
        ok(evidence_add(&evidence, &some, &error));
        ck_assert_int_eq(evidence_shown(&evidence, SIDE_BELOW), i == 0);
        ck_assert_int_eq(evidence_shown(&evidence, SIDE_ABOVE), i == 2);
    }
}
END_TEST

/* --- kept ------------------------------------------------------------------------------------- */

/* A rollout that is written and read at every look goes the same way, bit for bit. */
START_TEST(stored_and_restored)
{
    static const enum evidence_kind kinds[] = {EVIDENCE_PROPORTIONS, EVIDENCE_MEANS, EVIDENCE_RATE,
                                               EVIDENCE_SHARES};
    uint64_t chance = 5;
    for (int round = 0; round < 8; round++) {
        enum evidence_kind kind = kinds[round % 4];
        bool bucketed = round < 2;
        struct evidence_design design = {.kind = kind,
                                         .units =
                                             bucketed ? EVIDENCE_BUCKETS : EVIDENCE_INDEPENDENT,
                                         .alpha = 0.05 / 3,
                                         .has_max = kind == EVIDENCE_RATE,
                                         .max = 0.1 + 1e-17,
                                         .margin = 1.0 / 3};
        struct evidence kept, evidence = opened(design);
        kept = evidence;
        for (int i = 0; i < 30; i++) {
            struct sample arms[2][EVIDENCE_LEAST_BUCKETS];
            int64_t from = INT64_C(1800000000123456789) + i;
            size_t count = bucketed ? EVIDENCE_LEAST_BUCKETS : 1;
            for (size_t k = 0; k < 2 * count; k++) {
                double n = 1 + 5000 * chance_uniform(&chance), sum = n * chance_uniform(&chance);
                arms[k / count][k % count] = (struct sample){n, sum, sum};
            }
            if (i % 10 == 9) {
                ok(evidence_begin(&kept, from, 0.5, &error));
                ok(evidence_begin(&evidence, from, 0.5, &error));
            }
            const struct evidence_look some = {from, from + 1, count, {arms[0], arms[1]}};
            ok(evidence_add(&kept, &some, &error));
            ok(evidence_add(&evidence, &some, &error));
            struct buffer buffer;
            buffer_init(&buffer, 0);
            evidence_write(&kept, &buffer);
            ck_assert_int_eq(buffer.failed, STATUS_OK);
            ck_assert_uint_lt(buffer.length, EVIDENCE_MOST_TEXT);
            struct buffer again;
            buffer_init(&again, 0);
            memset(&kept, 0xa5, sizeof kept);
            ok(evidence_read(buffer_text(&buffer), &kept, &error));
            evidence_write(&kept, &again);
            ck_assert(text_equal(buffer_text(&again), buffer_text(&buffer)));
            buffer_clear(&again);
            evidence_write(&evidence, &again); /* that which was never stored */
            ck_assert(text_equal(buffer_text(&again), buffer_text(&buffer)));
            ck_assert_double_eq(evidence_now(&kept, SIDE_ABOVE),
                                evidence_now(&evidence, SIDE_ABOVE));
            buffer_dispose(&again);
            buffer_dispose(&buffer);
        }
    }
}
END_TEST

/* Any byte that is changed gives other evidence or a refusal, never what is not sound. */
START_TEST(damaged_text)
{
    struct evidence read, evidence = opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS});
    struct buffer buffer;
    ok(look(&evidence, 1000, 2000, (struct sample){.n = 500, .sum = 5},
            (struct sample){.n = 500, .sum = 5}));
    buffer_init(&buffer, 0);
    evidence_write(&evidence, &buffer);
    int given = 0;
    for (size_t i = 0; i < buffer.length; i++) {
        static const char changes[] = " -9.e\0x\xff";
        for (size_t k = 0; k < sizeof changes - 1; k++) {
            char before = buffer.data[i];
            buffer.data[i] = changes[k];
            if (evidence_read(buffer_text(&buffer), &read, &error) == STATUS_OK) {
                ck_assert(evidence_is_sound(&read));
                given++;
            }
            buffer.data[i] = before;
        }
        ck_assert_int_eq(evidence_read((struct text){buffer.data, i}, &read, &error),
                         STATUS_INVALID);
    }
    ck_assert_int_gt(given, 10);
    ck_assert_int_eq(evidence_read(TEXT(""), &read, &error), STATUS_INVALID);
    ck_assert_int_eq(evidence_read(TEXT("weir-evidence/1 0 99999999999999999999"), &read, &error),
                     STATUS_INVALID);
    ck_assert_str_eq(error.message,
                     "stored evidence is damaged: delete it, and the gate starts again");
    buffer_dispose(&buffer);
}
END_TEST

UNIT_MAIN("evidence", designs_that_cannot_be_tested, looks_that_overlap, counters_that_go_back,
          counts_that_no_sample_can_have, buckets_are_counted, one_phase_is_the_mixture,
          phases_are_multiplied, harm_latches, directions_and_margins, burn_in, bucket_variance,
          a_phase_begins_with_empty_buckets, rare_events, spread_that_is_lost, sample_ratio,
          rate_has_two_sides, stored_and_restored, damaged_text)
