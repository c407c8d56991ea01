/* The statistics of gates: every published number that we know, what does not finish in a number,
 * and the formulas against slower ways to the same. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "../../rules/statistics.h"
#include "../../rules/statistics_count.h"
#include "../../rules/statistics_group.h"
#include "../../rules/statistics_rank.h"
#include "unit.h"

#define ok(call) ck_assert_int_eq((call), STATUS_OK)
#define invalid(call) ck_assert_int_eq((call), STATUS_INVALID)

static const double strange[] = {NAN, INFINITY, -INFINITY};

/* --- published ------------------------------------------------------------------------------- */

/* confseq, its unit tests: best r, mixture and bound. */
START_TEST(confseq_normal_mixture)
{
    double r, evidence, bound;
    ok(statistics_best_r(100, 0.05, &r));
    ck_assert_double_eq_tol(r, 12.60056, 1e-5);
    ok(statistics_evidence(10, 100, r, &evidence));
    ck_assert_double_eq_tol(evidence, -0.6510052, 1e-7);
    ok(statistics_bound(100, r, 0.05, &bound));
    ck_assert_double_eq_tol(bound, 30.35209, 1e-5);
    /* the bound is where the mixture reaches 1/alpha */
    ok(statistics_evidence(-bound, 100, r, &evidence));
    ck_assert_double_eq_tol(evidence, log(20), 1e-12);
}
END_TEST

/* confseq, its unit tests: 700 of 1000, t_opt 100. */
START_TEST(confseq_bernoulli)
{
    struct interval interval;
    ok(statistics_count_sequence(700, 1000, 0.05, 100, &interval));
    ck_assert_double_eq_tol(interval.low, 0.651629, 1.5e-6);
    ck_assert_double_eq_tol(interval.high, 0.745949, 1.5e-6);
}
END_TEST

/* GrowthBook, test_tests.py: a relative difference of means, N* = 1000. */
START_TEST(growthbook_sequential)
{
    const struct sample a = {3000, 1396.87, 52377.9767}, b = {3461, 2422.7, 134698.29};
    struct estimate estimate;
    struct interval interval;
    double low;
    ok(statistics_relative(a, b, &estimate));
    ck_assert_double_eq_tol(estimate.value, 0.50336, 1e-5);
    ok(statistics_sequence(estimate, 0.05, 1000, &interval));
    ck_assert_double_eq_tol(interval.low, -0.55844, 5e-6);
    ck_assert_double_eq_tol(interval.high, 1.56516, 5e-6);
    /* the same, absolute and one-sided, N* = 5000 */
    ok(statistics_difference(a, b, &estimate));
    ok(statistics_sequence_low(estimate, 0.05, STATISTICS_DEFAULT_HORIZON, &low));
    ck_assert_double_eq_tol(low, -0.12656844, 5e-9);
}
END_TEST

/* GrowthBook, stats.test.ts: χ² of the sample ratio. */
START_TEST(growthbook_sample_ratio)
{
    const double even[] = {0.5, 0.5}, skewed[] = {0.75, 0.25};
    double p;
    ok(statistics_ratio_p((const double[]){1000, 1200}, even, 2, &p));
    ck_assert_double_eq_tol(p, 0.000020079, 5e-10);
    ok(statistics_ratio_p((const double[]){310, 98}, skewed, 2, &p));
    ck_assert_double_eq_tol(p, 0.647434186, 5e-10);
}
END_TEST

/* SciPy's documentation of mannwhitneyu(): with correction for continuity. */
START_TEST(scipy_mann_whitney)
{
    const double x[] = {19, 22, 16, 29, 24}, y[] = {20, 11, 17, 12};
    struct rank_test test;
    ok(statistics_rank(x, 5, y, 4, 0.95, &test));
    ck_assert_double_eq(test.u, 17);
    ck_assert_double_eq_tol(test.z, 1.592168, 5e-7);
    ck_assert_double_eq_tol(test.p, 0.1113468865, 5e-11);
}
END_TEST

/* Kayenta, MannWhitneySuite "returns expected values". */
START_TEST(kayenta_mann_whitney)
{
    struct rank_test test;
    ok(statistics_rank((const double[]){10, 20, 30, 40}, 4, (const double[]){1, 2, 3, 4}, 4, 0.95,
                       &test));
    ck_assert_double_eq(test.interval.low, 6);
    ck_assert_double_eq(test.interval.high, 39);
    ck_assert_double_eq(test.shift, 22.5);
}
END_TEST

struct times {
    double value;
    int times;
};

static size_t repeat(const struct times *list, size_t count, double *out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < list[i].times; k++)
            out[n++] = list[i].value;
    }
    return n;
}

/* Kayenta, MannWhitneySuite "tie out with R version" (90 against 90): R's root search says
 * -0.5000025, -0.0000349, -0.49994; the order statistics themselves are these. */
START_TEST(kayenta_with_r)
{
    static const struct times control[] = {{1.5, 2}, {2, 16},   {2.5, 18}, {3, 16},  {3.5, 10},
                                           {4, 8},   {4.5, 4},  {5, 6},    {5.5, 2}, {6, 5},
                                           {8, 1},   {15.5, 1}, {54.5, 1}};
    static const struct times experiment[] = {{1.5, 9}, {2, 16},  {2.5, 22}, {3, 17},  {3.5, 9},
                                              {4, 5},   {4.5, 1}, {5, 3},    {5.5, 1}, {6, 2},
                                              {6.5, 2}, {7, 1},   {7.5, 1},  {16.5, 1}};
    double x[90], y[90];
    struct rank_test test;
    ck_assert_uint_eq(repeat(experiment, COUNT_OF(experiment), x), 90);
    ck_assert_uint_eq(repeat(control, COUNT_OF(control), y), 90);
    ok(statistics_rank(x, 90, y, 90, 0.95, &test));
    ck_assert_double_eq(test.interval.low, -0.5);
    ck_assert_double_eq(test.interval.high, 0);
    ck_assert_double_eq(test.shift, -0.5);
}
END_TEST

/* The usual tables of O'Brien and Fleming's boundaries by Lan and DeMets: four looks. */
START_TEST(obrien_fleming)
{
    static const double times[] = {0.25, 0.5, 0.75, 1},
                        expected[] = {4.3326, 2.9631, 2.3590, 2.0141};
    double bounds[4];
    ok(statistics_group_bounds(times, 4, 0.05, bounds));
    for (size_t i = 0; i < 4; i++)
        ck_assert_double_eq_tol(bounds[i], expected[i], 6e-5);
    ok(statistics_group_bounds((const double[]){1}, 1, 0.05, bounds));
    ck_assert_double_eq_tol(bounds[0], 1.959964, 1e-6); /* one look: z of 2.5 % */
}
END_TEST

/* Computed by two independent scripts: mSPRT of 5 % against 7 %, n = 5000, tau² = 1e-4; ratio 1000
 * : 1200, k = 100. */
START_TEST(known_evidence)
{
    double evidence;
    ok(statistics_msprt_proportions(5000, 0.05, 0.07, 1e-4, &evidence));
    ck_assert_double_eq_tol(exp(evidence), 602.85, 5e-3);
    ok(statistics_ratio_evidence(1000, 1200, 0.5, 100, &evidence));
    ck_assert_double_eq_tol(evidence, 7.140302, 5e-7);
}
END_TEST

/* With a margin of half a percent and no harm at all the two-sided mixture rejects, since it sees
 * that the variant is better than the margin; the one-sided does not. */
START_TEST(one_side_does_not_see_what_is_better)
{
    double r, both, above, n = 20000, v = 2 * 0.01 * 0.99;
    ok(statistics_best_r(n * v, 0.05, &r));
    ok(statistics_evidence(n * -0.005, n * v, r, &both));
    ok(statistics_evidence_above(n * -0.005, n * v, r, &above));
    ck_assert_double_gt(both, 10);
    ck_assert_double_lt(above, -2.5);
}
END_TEST

/* --- against slower ways ---------------------------------------------------------------------- */

/* The half-normal mixture, integrated: effects d ~ |N(0, 1/r)|, likelihood ratio e^(dS - d²V/2). */
static double integrate_above(double s, double v, double r)
{
    double sum = 0, most = 12 / sqrt(r), step = most / 200000;
    for (int i = 0; i < 200000; i++) {
        double d = (i + 0.5) * step;
        sum += exp(d * s - d * d * (v + r) / 2);
    }
    return log(sum * step * 2 * sqrt(r / (2 * M_PI)));
}

START_TEST(half_normal_is_the_integral)
{
    static const double points[][3] = {
        {0, 10, 3}, {12, 50, 4}, {-12, 50, 4}, {30, 100, 9}, {5, 0, 2}};
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        double s = points[i][0], v = points[i][1], r = points[i][2], evidence;
        ok(statistics_evidence_above(s, v, r, &evidence));
        ck_assert_double_eq_tol(evidence, integrate_above(s, v, r), 1e-6);
    }
}
END_TEST

/* Values of mpmath with 40 digits. */
START_TEST(normal_tail)
{
    static const double known[][2] = {{-40, -804.6084420137538},      {-25, -316.6394080080203},
                                      {-20.0001, -203.9191603513918}, {-19.999, -203.897106116797},
                                      {-5, -15.06499839398873},       {3, -0.001350809964748194},
                                      {9, -1.128588405953841e-19}};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        ck_assert_double_eq_tol(statistics_log_normal_cdf(known[i][0]), known[i][1],
                                1e-13 * fabs(known[i][1]));
    static const double levels[] = {1e-300, 1e-10, 0.025, 0.3, 0.5, 0.8, 0.975, 0.999999};
    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        double z;
        ok(statistics_normal_quantile(levels[i], &z));
        ck_assert_double_eq_tol(exp(statistics_log_normal_cdf(z)) / levels[i], 1, 1e-12);
    }
    double z;
    ok(statistics_normal_quantile(0.975, &z));
    ck_assert_double_eq_tol(z, 1.959963984540054, 1e-14);
}
END_TEST

/* Values of mpmath with 40 digits: beta functions as they are defined. */
START_TEST(one_sided_counts)
{
    const struct beta beta = {3, 7};
    double evidence;
    ok(statistics_count_above(30, 1000, 0.02, beta, &evidence));
    ck_assert_double_eq_tol(evidence, -3.6822202785236, 1e-10);
    ok(statistics_count_below(30, 1000, 0.05, beta, &evidence));
    ck_assert_double_eq_tol(evidence, 3.7723772116919, 1e-10);
    /* the two halves of the mixture make the whole: each by its prior weight */
    double above, below, both, p = 0.3, part[3];
    struct beta even;
    ok(statistics_beta(p, 1000, 0.05, &even));
    for (int i = 0; i < 3; i++) {
        ok(statistics_count_above(25 + 7 * i, 100, p, even, &above));
        ok(statistics_count_below(25 + 7 * i, 100, p, even, &below));
        ok(statistics_count_evidence(25 + 7 * i, 100, p, even, &both));
        part[i] = (exp(both) - exp(below)) / (exp(above) - exp(below)); /* the prior above p */
        ck_assert_double_eq_tol(part[i], part[0], 1e-9);
    }
    ck_assert_double_gt(part[0], 0.3);
    ck_assert_double_lt(part[0], 0.6);
    /* no trial, no evidence */
    ok(statistics_count_above(0, 0, p, even, &above));
    ck_assert_double_eq_tol(above, 0, 1e-12);
}
END_TEST

/* E is a martingale: summed over all that n trials can give, by their probabilities at the limit,
 * it is 1, and below the limit not more. */
START_TEST(expectation_is_one)
{
    const double limit = 0.1, horizon = 500;
    struct beta beta;
    ok(statistics_beta(limit, horizon, 0.05, &beta));
    for (int n = 1; n <= 301; n += 100) {
        double at = 0, below = 0, share = 0;
        for (int x = 0; x <= n; x++) {
            double ways = lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1), evidence, ratio;
            ok(statistics_count_above(x, n, limit, beta, &evidence));
            ok(statistics_ratio_evidence(x, n - x, limit, 50, &ratio));
            at += exp(ways + x * log(limit) + (n - x) * log(1 - limit) + evidence);
            share += exp(ways + x * log(limit) + (n - x) * log(1 - limit) + ratio);
            below += exp(ways + x * log(0.08) + (n - x) * log(0.92) + evidence);
        }
        ck_assert_double_eq_tol(at, 1, 1e-9);
        ck_assert_double_eq_tol(share, 1, 1e-9);
        ck_assert_double_lt(below, 1);
    }
}
END_TEST

/* eq. 134 follows from the one-sided mixture with r = s²/rho², which is never the weaker. */
START_TEST(sequence_and_mixture_agree)
{
    for (double n = 100; n < 1e7; n *= 7) {
        struct estimate estimate = {.value = 0, .error = 2 / sqrt(n), .n = n};
        double low, rho, evidence;
        ok(statistics_sequence_low(estimate, 0.05, 5000, &low));
        ok(statistics_rho(0.1, 5000, &rho));
        ok(statistics_evidence_above(-low * n, n * 4, 4 / rho / rho, &evidence));
        ck_assert_double_ge(evidence, log(20) - 1e-12);
        ck_assert_double_lt(evidence, log(20) + 0.2);
        struct interval interval;
        ok(statistics_sequence(estimate, 0.05, 5000, &interval));
        ok(statistics_rho(0.05, 5000, &rho));
        ok(statistics_evidence(interval.high * n, n * 4, 4 / rho / rho, &evidence));
        ck_assert_double_eq_tol(evidence, log(20), 1e-9);
    }
}
END_TEST

/* mSPRT of means is that of Johari et al., formula (11), written out. */
START_TEST(msprt_of_means)
{
    double n = 800, d = 0.3, variance = 4, tau = 0.05, evidence, v = 2 * variance;
    ok(statistics_msprt_means(n, 1, 1 + d, variance, tau, &evidence));
    ck_assert_double_eq_tol(
        evidence, 0.5 * log(v / (v + n * tau)) + n * n * tau * d * d / (2 * v * (v + n * tau)),
        1e-12);
}
END_TEST

/* P(χ² > x) from tables: 5 % at 3.841459, 5.991465, 7.814728, 9.487729, 11.070498. */
START_TEST(chi_square_tables)
{
    static const double critical[] = {3.841459, 5.991465, 7.814728, 9.487729, 11.070498};
    for (size_t degrees = 1; degrees <= COUNT_OF(critical); degrees++) {
        double observed[6], weights[6], p;
        for (size_t i = 0; i <= degrees; i++) {
            observed[i] = 1e6;
            weights[i] = 1;
        }
        double away = sqrt(critical[degrees - 1] * 1e6 / 2);
        observed[0] += away;
        observed[1] -= away;
        ok(statistics_ratio_p(observed, weights, degrees + 1, &p));
        ck_assert_double_eq_tol(p, 0.05, 1e-7);
    }
    double p;
    ok(statistics_ratio_p((const double[]){50, 50, 0}, (const double[]){1, 1, 0}, 3, &p));
    ck_assert_double_eq(p, 1);
    ok(statistics_ratio_p((const double[]){50, 50, 1}, (const double[]){1, 1, 0}, 3, &p));
    ck_assert_double_eq(p, 0);
}
END_TEST

/* All arrangements of 9, one by one, against the order statistic taken. */
START_TEST(exact_interval)
{
    for (size_t m = 3; m <= 6; m++) {
        size_t n = 9 - m, total = 0, below[40] = {0};
        double x[6], y[6];
        for (unsigned set = 0; set < 512; set++) {
            size_t u = 0, i = 0;
            if (__builtin_popcount(set) != (int)m)
                continue;
            for (unsigned bit = 0; bit < 9; bit++) {
                if (set >> bit & 1)
                    u += bit - i++;
            }
            total++;
            below[u + 1]++;
        }
        for (size_t i = 0; i < m; i++)
            x[i] = (double)(1 << i);
        for (size_t i = 0; i < n; i++)
            y[i] = -(double)(1 << i) * 100;
        struct rank_test test;
        ok(statistics_rank(x, m, y, n, 0.9, &test));
        size_t q = 0, sum = 0;
        while (sum + below[q + 1] <= total / 20.0) /* P(U ≤ q) */
            sum += below[++q];
        double expected[20];
        size_t pairs = 0;
        for (size_t i = 0; i < m; i++) {
            for (size_t j = 0; j < n; j++)
                expected[pairs++] = x[i] - y[j];
        }
        size_t smaller = 0, larger = 0;
        for (size_t i = 0; i < pairs; i++) {
            smaller += expected[i] < test.interval.low;
            larger += expected[i] > test.interval.high;
        }
        ck_assert_uint_eq(smaller, q - 1);
        ck_assert_uint_eq(larger, q - 1);
    }
    struct rank_test test;
    ok(statistics_rank((const double[]){1}, 1, (const double[]){2}, 1, 0.95, &test));
    ck_assert_double_eq(test.interval.low, -STATISTICS_MOST);
    ck_assert_double_eq(test.interval.high, STATISTICS_MOST);
    ok(statistics_rank((const double[]){3, 3, 3}, 3, (const double[]){3, 3}, 2, 0.95, &test));
    ck_assert_double_eq(test.p, 1);
    ck_assert_double_eq(test.shift, 0);
}
END_TEST

/* The largest q with P(U < q) ≤ `level` for two samples of SIDE, by the recursion of Mann and
 * Whitney: ways(a, b, u) = ways(a, b - 1, u) + ways(a - 1, b, u - b). */
#define SIDE 51
#define MOST_U 1250
static size_t exact_order(double level)
{
    static double ways[SIDE + 1][MOST_U];
    double total = 1, sum = 0;
    for (size_t a = 0; a <= SIDE; a++) {
        for (size_t b = 0; b <= SIDE; b++) {
            for (size_t u = MOST_U; u-- > 0;) {
                double with = a > 0 && u >= b ? ways[b][u - b] : 0;
                ways[b][u] = a == 0 || b == 0 ? u == 0 : ways[b - 1][u] + with;
            }
        }
    }
    for (size_t i = 1; i <= SIDE; i++)
        total *= (double)(SIDE + i) / (double)i;
    for (size_t q = 0; q < MOST_U; q++) {
        sum += ways[SIDE][q];
        if (sum > level * total)
            return q;
    }
    return MOST_U;
}

/* Beyond fifty of each the normal approximation finds the same order statistic. */
START_TEST(normal_interval)
{
    static const double levels[] = {0.8, 0.9, 0.95};
    double x[SIDE], y[SIDE];
    for (int i = 0; i < SIDE; i++) {
        x[i] = i;
        y[i] = -SIDE * i - 0.5; /* all differences differ */
    }
    for (size_t k = 0; k < COUNT_OF(levels); k++) {
        struct rank_test test;
        size_t smaller = 0, larger = 0, q = exact_order((1 - levels[k]) / 2);
        ok(statistics_rank(x, SIDE, y, SIDE, levels[k], &test));
        for (int i = 0; i < SIDE * SIDE; i++) {
            double difference = x[i % SIDE] - y[i / SIDE];
            smaller += difference < test.interval.low;
            larger += difference > test.interval.high;
        }
        ck_assert_uint_gt(q, 800);
        ck_assert_uint_lt(q, MOST_U);
        ck_assert_uint_eq(smaller, q - 1);
        ck_assert_uint_eq(larger, q - 1);
    }
}
END_TEST

/* --- what is no number -------------------------------------------------------------------------
 */

START_TEST(strange_numbers_are_refused)
{
    double out = 7;
    struct interval interval;
    struct estimate estimate;
    struct beta beta = {1, 1};
    struct rank_test test;
    for (size_t i = 0; i < COUNT_OF(strange); i++) {
        double x = strange[i];
        invalid(statistics_evidence(x, 1, 1, &out));
        invalid(statistics_evidence(1, x, 1, &out));
        invalid(statistics_evidence(1, 1, x, &out));
        invalid(statistics_evidence_above(x, 1, 1, &out));
        invalid(statistics_evidence_above(1, x, 1, &out));
        invalid(statistics_evidence_above(1, 1, x, &out));
        invalid(statistics_best_r(x, 0.05, &out));
        invalid(statistics_best_r(1, x, &out));
        invalid(statistics_bound(x, 1, 0.05, &out));
        invalid(statistics_bound(1, 1, x, &out));
        invalid(statistics_normal_quantile(x, &out));
        invalid(statistics_msprt_proportions(x, 0.1, 0.1, 1, &out));
        invalid(statistics_msprt_proportions(9, x, 0.1, 1, &out));
        invalid(statistics_msprt_means(9, 0.1, x, 1, 1, &out));
        invalid(statistics_msprt_means(9, 0.1, 0.1, x, 1, &out));
        invalid(
            statistics_difference((struct sample){x, 1, 1}, (struct sample){9, 1, 1}, &estimate));
        invalid(
            statistics_difference((struct sample){9, x, 1}, (struct sample){9, 1, 1}, &estimate));
        invalid(statistics_relative((struct sample){9, 1, x}, (struct sample){9, 1, 1}, &estimate));
        invalid(statistics_sequence((struct estimate){x, 1, 9}, 0.05, 100, &interval));
        invalid(statistics_sequence((struct estimate){1, x, 9}, 0.05, 100, &interval));
        invalid(statistics_sequence_low((struct estimate){1, 1, x}, 0.05, 100, &out));
        invalid(statistics_sequence_low((struct estimate){1, 1, 9}, 0.05, x, &out));
        invalid(statistics_beta(x, 100, 0.05, &beta));
        invalid(statistics_beta(0.1, x, 0.05, &beta));
        invalid(statistics_count_evidence(x, 9, 0.5, beta, &out));
        invalid(statistics_count_above(1, x, 0.5, beta, &out));
        invalid(statistics_count_below(1, 9, x, beta, &out));
        invalid(statistics_count_above(1, 9, 0.5, (struct beta){x, 1}, &out));
        invalid(statistics_count_sequence(x, 9, 0.05, 100, &interval));
        invalid(statistics_ratio_evidence(x, 9, 0.5, 100, &out));
        invalid(statistics_ratio_evidence(1, 9, 0.5, x, &out));
        invalid(statistics_ratio_p((const double[]){x, 1}, (const double[]){1, 1}, 2, &out));
        invalid(statistics_ratio_p((const double[]){1, 1}, (const double[]){1, x}, 2, &out));
        invalid(statistics_rank(&x, 1, (const double[]){1}, 1, 0.95, &test));
        invalid(statistics_group_bounds(&x, 1, 0.05, &out));
    }
    ck_assert_double_eq(out, 7);
    invalid(statistics_count_evidence(5, 4, 0.5, beta, &out));
    invalid(statistics_count_evidence(-1, 4, 0.5, beta, &out));
    invalid(statistics_count_evidence(1, 2e12, 0.5, beta, &out));
    invalid(statistics_evidence(1, -1, 1, &out));
    invalid(statistics_difference((struct sample){9, 90, 1}, (struct sample){9, 1, 1}, &estimate));
    invalid(statistics_relative((struct sample){9, 0, 1}, (struct sample){9, 1, 1}, &estimate));
    invalid(statistics_rank(NULL, 0, (const double[]){1}, 1, 0.95, &test));
    ck_assert_int_eq(statistics_rank(NULL, 3000, NULL, 3000, 0.95, &test), STATUS_LIMIT);
    invalid(statistics_group_bounds((const double[]){0.5, 0.5}, 2, 0.05, &out));
    invalid(statistics_group_bounds((const double[]){0.5, 1.5}, 2, 0.05, &out));
    ck_assert_double_eq(out, 7);
}
END_TEST

/* Whatever is finite ends in a finite number or in a refusal. */
START_TEST(finite_stays_finite)
{
    static const double edges[] = {-DBL_MAX, -1e200, -1e10, -1,     -1e-300, 0, DBL_TRUE_MIN,
                                   DBL_MIN,  1e-10,  0.25,  0.5,    1,       7, 1e6,
                                   1e12,     1e154,  1e300, DBL_MAX};
    const size_t count = COUNT_OF(edges);
    int given = 0;
    for (size_t i = 0; i < count * count * count; i++) {
        double a = edges[i % count], b = edges[i / count % count], c = edges[i / count / count];
        double out[12] = {0};
        struct interval interval = {0, 0};
        struct estimate estimate = {0, 0, 0};
        struct beta beta = {0, 0};
        const double pair[2] = {a, b}, other[2] = {c, 1};
        given += statistics_evidence(a, b, c, &out[0]) == STATUS_OK;
        given += statistics_evidence_above(a, b, c, &out[1]) == STATUS_OK;
        given += statistics_bound(a, b, c, &out[2]) == STATUS_OK;
        given += statistics_best_r(a, b, &out[3]) == STATUS_OK;
        given += statistics_msprt_proportions(a, b, 0.5, c, &out[4]) == STATUS_OK;
        given += statistics_msprt_means(7, a, b, c, 0.5, &out[5]) == STATUS_OK;
        given +=
            statistics_sequence_low((struct estimate){a, b, c}, 0.05, 100, &out[6]) == STATUS_OK;
        given += statistics_sequence((struct estimate){1, 1, a}, b, c, &interval) == STATUS_OK;
        given += statistics_difference((struct sample){a, b, c}, (struct sample){7, 1, 1},
                                       &estimate) == STATUS_OK;
        given += statistics_relative((struct sample){a, b, c}, (struct sample){7, 1, 1},
                                     &estimate) == STATUS_OK;
        given += statistics_beta(a, b, c, &beta) == STATUS_OK;
        given += statistics_count_above(a, b, c, (struct beta){1, 1}, &out[7]) == STATUS_OK;
        given += statistics_count_below(1, 7, a, (struct beta){b, c}, &out[8]) == STATUS_OK;
        given += statistics_ratio_evidence(a, b, 0.5, c, &out[9]) == STATUS_OK;
        given += statistics_ratio_p(pair, other, 2, &out[10]) == STATUS_OK;
        out[11] = statistics_log_normal_cdf(a);
        for (size_t k = 0; k < COUNT_OF(out); k++)
            ck_assert_msg(isfinite(out[k]), "%zu of %g, %g, %g is %g", k, a, b, c, out[k]);
        ck_assert(isfinite(interval.low) && isfinite(interval.high) && isfinite(beta.a) &&
                  isfinite(estimate.value) && isfinite(estimate.error));
    }
    ck_assert_int_gt(given, 5000);
}
END_TEST

/* A trillion trials settle in time, and in order. */
START_TEST(large_counts)
{
    struct beta beta;
    double before = -INFINITY;
    ok(statistics_beta(0.01, 5000, 0.05, &beta));
    for (double x = 0.0099e12; x < 0.0101e12; x += 1e6 * 3) {
        double evidence;
        ok(statistics_count_above(x, 1e12, 0.01, beta, &evidence));
        ck_assert_double_ge(evidence, before - 1e-2);
        before = evidence;
    }
    ck_assert_double_gt(before, 1e5);
}
END_TEST

UNIT_MAIN("statistics", confseq_normal_mixture, confseq_bernoulli, growthbook_sequential,
          growthbook_sample_ratio, scipy_mann_whitney, kayenta_mann_whitney, kayenta_with_r,
          obrien_fleming, known_evidence, one_side_does_not_see_what_is_better,
          half_normal_is_the_integral, normal_tail, one_sided_counts, expectation_is_one,
          sequence_and_mixture_agree, msprt_of_means, chi_square_tables, exact_interval,
          normal_interval, strange_numbers_are_refused, finite_stays_finite, large_counts)
