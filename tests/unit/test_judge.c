/* Verdicts and their words. */
#include <float.h>
#include <math.h>

#include "../../rules/judge.h"
#include "unit.h"

#define ok(call) ck_assert_int_eq((call), STATUS_OK)

#define judged(judgement, expected_verdict, expected_reason)                                       \
    do {                                                                                           \
        ck_assert_str_eq(verdict_name((judgement).verdict), verdict_name(expected_verdict));       \
        ck_assert_str_eq((judgement).reason, expected_reason);                                     \
    } while (0)

static struct judgement judgement;
static struct error error;

START_TEST(the_worst_counts)
{
    ck_assert_int_eq(verdict_worse(VERDICT_ERROR, VERDICT_FAILURE), VERDICT_FAILURE);
    ck_assert_int_eq(verdict_worse(VERDICT_ERROR, VERDICT_INCONCLUSIVE), VERDICT_ERROR);
    ck_assert_int_eq(verdict_worse(VERDICT_NO_DATA, VERDICT_INCONCLUSIVE), VERDICT_INCONCLUSIVE);
    ck_assert_int_eq(verdict_worse(VERDICT_SUCCESS, VERDICT_NO_DATA), VERDICT_NO_DATA);
    ck_assert_str_eq(verdict_name((enum verdict)77), "unknown");
}
END_TEST

/* --- thresholdRange --------------------------------------------------------------------------- */

START_TEST(range_is_inclusive)
{
    static const struct {
        struct threshold_range range;
        double value;
        enum verdict verdict;
        const char *reason;
    } cases[] = {
        {{.has_max = true, .max = 0.01}, 0.01, VERDICT_SUCCESS, "0.01 <= 0.01"},
        {{.has_max = true, .max = 0.01}, 0.031, VERDICT_FAILURE, "0.031 > 0.01"},
        {{.has_max = true, .max = 0.01}, 0.010000001, VERDICT_FAILURE, "0.010000001 > 0.01"},
        {{.has_max = true, .max = 0.01}, 0.0312345, VERDICT_FAILURE, "0.03123 > 0.01"},
        {{.has_min = true, .min = 99}, 99, VERDICT_SUCCESS, "99 >= 99"},
        {{.has_min = true, .min = 99}, 98.99999, VERDICT_FAILURE, "98.99999 < 99"},
        {{.has_min = true, .min = -1, .has_max = true, .max = 1},
         0,
         VERDICT_SUCCESS,
         "-1 <= 0 <= 1"},
        {{.has_min = true, .min = -1, .has_max = true, .max = 1}, -7, VERDICT_FAILURE, "-7 < -1"},
        {{.has_min = true, .min = -1, .has_max = true, .max = 1},
         DBL_MAX,
         VERDICT_FAILURE,
         "1.7976931348623157e+308 > 1"},
        {{.has_max = true, .max = 500}, 123456, VERDICT_FAILURE, "123500 > 500"},
        {{.has_max = true, .max = 1}, NAN, VERDICT_NO_DATA, "no data: the answer is NaN"},
        {{.has_max = true, .max = 1}, -INFINITY, VERDICT_ERROR, "the answer is infinite"},
        {{.has_min = true, .min = 1}, INFINITY, VERDICT_ERROR, "the answer is infinite"},
        {{.has_max = true, .max = NAN},
         0,
         VERDICT_ERROR,
         "the range has no limit that is a number"},
        {{.has_max = false}, 0, VERDICT_ERROR, "the range has no limit that is a number"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        judge_threshold(&cases[i].range, cases[i].value, &judgement);
        judged(judgement, cases[i].verdict, cases[i].reason);
    }
}
END_TEST

START_TEST(counts_that_came_in)
{
    struct sample sample = {7, 7, 7};
    ck_assert(judge_counts(&(struct counts){true, true, 3, 600}, &sample, &judgement));
    ck_assert_double_eq(sample.sum, 3);
    ck_assert_double_eq(sample.n, 600);
    /* a missing numerator beside a present denominator is 0 */
    ck_assert(judge_counts(&(struct counts){false, true, NAN, 600}, &sample, &judgement));
    ck_assert_double_eq(sample.sum, 0);

    static const struct {
        struct counts counts;
        enum verdict verdict;
        const char *reason;
    } cases[] = {
        {{false, false, 0, 0}, VERDICT_NO_DATA, "no data"},
        {{true, true, 0, 0}, VERDICT_NO_DATA, "no data"},
        {{false, true, 0, 0}, VERDICT_NO_DATA, "no data"},
        {{true, true, 1, NAN}, VERDICT_NO_DATA, "no data"},
        {{true, true, NAN, 9}, VERDICT_NO_DATA, "no data"},
        {{true, false, 1, 0}, VERDICT_ERROR, "a numerator without a denominator"},
        {{true, true, 1, 0}, VERDICT_ERROR, "counts that no sample can have: 1 of 0"},
        {{true, true, 11, 10}, VERDICT_ERROR, "counts that no sample can have: 11 of 10"},
        {{true, true, -1, 10}, VERDICT_ERROR, "counts that no sample can have: -1 of 10"},
        {{true, true, -2, -1}, VERDICT_ERROR, "counts that no sample can have: -2 of -1"},
        {{true, true, INFINITY, 10},
         VERDICT_ERROR,
         "counts that no sample can have: Infinity of 10"},
        {{true, true, 1, INFINITY}, VERDICT_ERROR, "counts that no sample can have: 1 of Infinity"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert(!judge_counts(&cases[i].counts, &sample, &judgement));
        judged(judgement, cases[i].verdict, cases[i].reason);
    }
}
END_TEST

/* Of values there may be more than of those who have them, and less than none. */
START_TEST(sums_that_came_in)
{
    struct sample sample = {7, 7, 7};
    ck_assert(judge_sums(&(struct counts){true, true, 900, 600}, &sample, &judgement));
    ck_assert_double_eq(sample.sum, 900);
    ck_assert_double_eq(sample.n, 600);
    ck_assert_double_eq(sample.squares, 0);
    ck_assert(judge_sums(&(struct counts){true, true, -2.5, 10}, &sample, &judgement));
    ck_assert_double_eq(sample.sum, -2.5);
    ck_assert(judge_sums(&(struct counts){false, true, NAN, 600}, &sample, &judgement));
    ck_assert_double_eq(sample.sum, 0);

    static const struct {
        struct counts counts;
        enum verdict verdict;
        const char *reason;
    } cases[] = {
        {{false, false, 0, 0}, VERDICT_NO_DATA, "no data"},
        {{true, true, 0, 0}, VERDICT_NO_DATA, "no data"},
        {{true, true, NAN, 9}, VERDICT_NO_DATA, "no data"},
        {{true, true, 9, NAN}, VERDICT_NO_DATA, "no data"},
        {{true, false, 1, 0}, VERDICT_ERROR, "a numerator without a denominator"},
        {{true, true, 1, 0}, VERDICT_ERROR, "a sum that no sample can have: 1 of 0"},
        {{true, true, 1, -2}, VERDICT_ERROR, "a sum that no sample can have: 1 of -2"},
        {{true, true, -INFINITY, 2},
         VERDICT_ERROR,
         "a sum that no sample can have: -Infinity of 2"},
        {{true, true, 1, INFINITY}, VERDICT_ERROR, "a sum that no sample can have: 1 of Infinity"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert(!judge_sums(&cases[i].counts, &sample, &judgement));
        judged(judgement, cases[i].verdict, cases[i].reason);
    }
}
END_TEST

static struct evidence opened(struct evidence_design design)
{
    struct evidence evidence;
    design.alpha = 0.05;
    ok(evidence_open(&evidence, &design, &error));
    ok(evidence_begin(&evidence, 0, 0.5, &error));
    return evidence;
}

static void add(struct evidence *evidence, double n, double sum, double control_n,
                double control_sum)
{
    const struct sample variant = {.n = n, .sum = sum};
    const struct sample control = {.n = control_n, .sum = control_sum};
    const struct evidence_look look = {.from = evidence->until,
                                       .until = evidence->until + 1,
                                       .count = 1,
                                       .arm = {&variant, &control}};
    ok(evidence_add(evidence, &look, &error));
}

START_TEST(rate_and_its_bound)
{
    struct evidence evidence =
        opened((struct evidence_design){.kind = EVIDENCE_RATE, .has_max = true, .max = 0.01});
    judge_rate(&evidence, 500, &judgement);
    judged(judgement, VERDICT_NO_DATA, "n=0, at least 500 wanted");
    judge_rate(&evidence, 0, &judgement);
    judged(judgement, VERDICT_NO_DATA, "n=0, at least 1 wanted");
    add(&evidence, 499, 5, 0, 0);
    judge_rate(&evidence, 500, &judgement);
    judged(judgement, VERDICT_NO_DATA, "n=499, at least 500 wanted");
    judge_rate(&evidence, NAN, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_NO_DATA);
    /* above the limit, by chance as far as anybody knows */
    add(&evidence, 101, 2, 0, 0);
    judge_rate(&evidence, 500, &judgement);
    judged(judgement, VERDICT_SUCCESS, "0.01167 > 0.01, n=600, ln E=-0.02688 < 2.996");
    add(&evidence, 4520, 152, 0, 0);
    judge_rate(&evidence, 500, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_FAILURE);
    ck_assert_msg(strncmp(judgement.reason, "0.03105 > 0.01, n=5120, ln E=", 29) == 0, "%s",
                  judgement.reason);
    ck_assert_double_eq(judgement.n, 5120);
    /* what was shown stays shown, and is said as it is now */
    add(&evidence, 1e6, 0, 0, 0);
    judge_rate(&evidence, 500, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_FAILURE);
    ck_assert_msg(strncmp(judgement.reason, "0.0001582 < 0.01, n=1005120, ln E=", 34) == 0, "%s",
                  judgement.reason);
    ok(evidence_begin(&evidence, 100, 0, &error));
    judge_rate(&evidence, 500, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_FAILURE);
    ck_assert_msg(strncmp(judgement.reason, "shown in an earlier phase, n=0, ln E=", 37) == 0, "%s",
                  judgement.reason);
    /* few, but bad beyond doubt, need no minimum */
    evidence =
        opened((struct evidence_design){.kind = EVIDENCE_RATE, .has_max = true, .max = 0.01});
    add(&evidence, 50, 50, 0, 0);
    judge_rate(&evidence, 500, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_FAILURE);
    judge_sequential(&evidence, &judgement);
    judged(judgement, VERDICT_ERROR, "the evidence is not of this gate");
}
END_TEST

START_TEST(rate_with_a_minimum)
{
    struct evidence evidence =
        opened((struct evidence_design){.kind = EVIDENCE_RATE, .has_min = true, .min = 0.99});
    add(&evidence, 10000, 9950, 0, 0);
    judge_rate(&evidence, 0, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_SUCCESS);
    ck_assert_msg(strncmp(judgement.reason, "0.995 > 0.99, n=10000, ln E=", 28) == 0, "%s",
                  judgement.reason);
    add(&evidence, 10000, 9500, 0, 0);
    judge_rate(&evidence, 0, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_FAILURE);
    ck_assert_msg(strncmp(judgement.reason, "0.9725 < 0.99, n=20000, ln E=", 29) == 0, "%s",
                  judgement.reason);
}
END_TEST

/* --- compare ---------------------------------------------------------------------------------- */

START_TEST(raw_comparisons)
{
    static const struct {
        enum compare_method method;
        double n, sum, control_n, control_sum, margin;
        bool decrease;
        enum verdict verdict;
        const char *reason;
    } cases[] = {
        {COMPARE_DIFFERENCE, 1000, 31, 1000, 10, 0.02, false, VERDICT_FAILURE,
         "0.031 - 0.01 > 0.02, n=2000"},
        {COMPARE_DIFFERENCE, 1000, 30, 1000, 10, 0.02, false, VERDICT_SUCCESS,
         "0.03 - 0.01 <= 0.02, n=2000"},
        {COMPARE_DIFFERENCE, 1000, 10, 1000, 31, 0.02, true, VERDICT_FAILURE,
         "0.031 - 0.01 > 0.02, n=2000"},
        {COMPARE_DIFFERENCE, 1000, 10, 1000, 31, 0.02, false, VERDICT_SUCCESS,
         "0.01 - 0.031 <= 0.02, n=2000"},
        {COMPARE_RATIO, 1000, 16, 1000, 10, 1.5, false, VERDICT_FAILURE,
         "0.016 > 1.5 x 0.01, n=2000"},
        {COMPARE_RATIO, 1000, 15, 1000, 10, 1.5, false, VERDICT_SUCCESS,
         "0.015 <= 1.5 x 0.01, n=2000"},
        {COMPARE_RATIO, 1000, 0, 1000, 0, 1.5, false, VERDICT_SUCCESS, "0 <= 1.5 x 0, n=2000"},
        {COMPARE_RATIO, 1000, 1, 1000, 0, 1.5, false, VERDICT_FAILURE, "0.001 > 1.5 x 0, n=2000"},
        {COMPARE_RATIO, 1000, 10, 1000, 31, 1.5, true, VERDICT_FAILURE,
         "0.031 > 1.5 x 0.01, n=2000"},
        {COMPARE_RATIO, 1000, -5, 1000, 10, 1.5, false, VERDICT_ERROR,
         "values below 0 have no ratio: compare the difference"},
        {COMPARE_RATIO, 1000, 5, 1000, 10, -1, false, VERDICT_ERROR,
         "counts or a margin that cannot be compared"},
        {COMPARE_DIFFERENCE, 1000, 5, 1000, 10, NAN, false, VERDICT_ERROR,
         "counts or a margin that cannot be compared"},
        {COMPARE_DIFFERENCE, 499, 499, 1000, 0, 0, false, VERDICT_NO_DATA,
         "n=499, at least 500 wanted"},
        {COMPARE_DIFFERENCE, 1000, 0, 0, 0, 0, false, VERDICT_NO_DATA,
         "no data of one of the arms"},
        {COMPARE_DIFFERENCE, 1000, NAN, 1000, 0, 0, false, VERDICT_NO_DATA,
         "no data of one of the arms"},
        {COMPARE_DIFFERENCE, 1000, INFINITY, 1000, 0, 0, false, VERDICT_ERROR,
         "counts or a margin that cannot be compared"},
        {COMPARE_DIFFERENCE, -1000, 1, 1000, 0, 0, false, VERDICT_ERROR,
         "counts or a margin that cannot be compared"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        judge_compare(cases[i].method, (struct sample){.n = cases[i].n, .sum = cases[i].sum},
                      (struct sample){.n = cases[i].control_n, .sum = cases[i].control_sum},
                      cases[i].margin, cases[i].decrease, 500, &judgement);
        judged(judgement, cases[i].verdict, cases[i].reason);
    }
}
END_TEST

START_TEST(sequential_comparison)
{
    struct evidence evidence =
        opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS, .minimum_sample = 500});
    judge_sequential(&evidence, &judgement);
    judged(judgement, VERDICT_NO_DATA, "n=0, at least 500 wanted");
    add(&evidence, 400, 400, 800, 0);
    judge_sequential(&evidence, &judgement);
    judged(judgement, VERDICT_NO_DATA, "n=400, at least 500 wanted");
    evidence = opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS, .margin = 0.005});
    add(&evidence, 10000, 120, 10000, 100);
    judge_sequential(&evidence, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_SUCCESS);
    ck_assert_msg(strstr(judgement.reason, "0.012 against 0.01, margin 0.005, n=20000, harm >= ") ==
                      judgement.reason,
                  "%s", judgement.reason);
    ck_assert_double_eq_tol(judgement.value, 0.002, 1e-12);
    add(&evidence, 10000, 480, 10000, 100);
    judge_sequential(&evidence, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_FAILURE);
    ck_assert_msg(strstr(judgement.reason, "0.03 against 0.01, margin 0.005, n=40000, harm >= ") ==
                      judgement.reason,
                  "%s", judgement.reason);
    /* in the next phase it is still so, without a word of what is not known yet */
    ok(evidence_begin(&evidence, 10, 0, &error));
    judge_sequential(&evidence, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_FAILURE);
    ck_assert_msg(strncmp(judgement.reason, "shown in an earlier phase, n=0, ln E=", 37) == 0, "%s",
                  judgement.reason);
}
END_TEST

/* Requests are not users: what would be a failure may hold, never roll back. */
START_TEST(requests_may_only_hold)
{
    struct evidence evidence =
        opened((struct evidence_design){.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_REQUESTS});
    add(&evidence, 10000, 100, 10000, 100);
    judge_sequential(&evidence, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_SUCCESS);
    add(&evidence, 10000, 9000, 10000, 100);
    judge_sequential(&evidence, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_INCONCLUSIVE);
    ck_assert_ptr_nonnull(
        strstr(judgement.reason, ", but requests are not users: give a bucket label"));
}
END_TEST

/* Where nothing varies there is no error to hold a difference against. */
START_TEST(values_that_do_not_vary)
{
    static const struct {
        double theirs;
        enum verdict verdict;
    } cases[] = {{200, VERDICT_SUCCESS}, {199, VERDICT_INCONCLUSIVE}, {201, VERDICT_SUCCESS}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_MEANS});
        double mean = cases[i].theirs;
        const struct sample variant = {1000, 200000, 40000000};
        const struct sample control = {1000, 1000 * mean, 1000 * mean * mean};
        const struct evidence_look look = {0, 1, 1, {&variant, &control}};
        ok(evidence_add(&evidence, &look, &error));
        judge_sequential(&evidence, &judgement);
        ck_assert_msg(judgement.verdict == cases[i].verdict, "%s", judgement.reason);
    }
}
END_TEST

/* A mismatch holds, and never fails: whose numbers can be trusted then? */
START_TEST(sample_ratio)
{
    struct evidence evidence = opened((struct evidence_design){.kind = EVIDENCE_SHARES});
    judge_shares(&evidence, &judgement);
    judged(judgement, VERDICT_NO_DATA, "n=0, at least 1 wanted");
    add(&evidence, 1000, 0, 1010, 0);
    judge_shares(&evidence, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_SUCCESS);
    ck_assert_msg(strncmp(judgement.reason, "share 0.4975 of 0.5, n=2010, ln E=", 34) == 0, "%s",
                  judgement.reason);
    add(&evidence, 1000, 0, 1500, 0);
    judge_shares(&evidence, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_INCONCLUSIVE);
    ck_assert_msg(strncmp(judgement.reason,
                          "sample ratio mismatch: share 0.4435 of 0.5, n=4510, "
                          "ln E=",
                          57) == 0,
                  "%s", judgement.reason);
}
END_TEST

/* --- burn rate -------------------------------------------------------------------------------- */

#define MINUTE (INT64_C(60) * 1000000000)

static const struct burn_rate book = {
    .objective = 0.999,
    .windows = {{60 * MINUTE, 5 * MINUTE, 14.4}, {360 * MINUTE, 30 * MINUTE, 6}},
    .count = 2,
    .minimum_sample = 1000,
};

static struct counts of(double bad, double all)
{
    return (struct counts){true, true, bad, all};
}

START_TEST(burn_rates)
{
    const struct counts good = of(0, 100000);
    const struct {
        struct counts spans[2], shorts[2];
        enum verdict verdict;
        const char *reason;
    } cases[] = {
        {{good, good},
         {good, good},
         VERDICT_SUCCESS,
         "burn rate 0 and 0, not both > 14.4, n=100000"},
        /* 2 % of a budget of 30 days in an hour: 14.4 exactly does not exceed it */
        {{of(1500, 100000), good},
         {of(150, 10000), good},
         VERDICT_FAILURE,
         "burn rate 15 and 15 > 14.4, n=100000"},
        {{of(1400, 100000), good},
         {of(150, 10000), good},
         VERDICT_SUCCESS,
         "burn rate 14 and 15, not both > 14.4, n=100000"},
        /* the cause has ended */
        {{of(1500, 100000), good},
         {of(0, 10000), good},
         VERDICT_SUCCESS,
         "burn rate 15 and 0, not both > 14.4, n=100000"},
        /* the slow pair */
        {{of(700, 100000), of(700, 100000)},
         {of(70, 10000), of(70, 10000)},
         VERDICT_FAILURE,
         "burn rate 7 and 7 > 6, n=100000"},
        /* one error at night */
        {{of(1, 30), good}, {of(1, 3), good}, VERDICT_NO_DATA, "n=30, at least 1000 wanted"},
        {{good, good}, {of(0, 0), good}, VERDICT_NO_DATA, "no data"},
        {{good, of(3, 2)}, {good, good}, VERDICT_ERROR, "counts that no sample can have: 3 of 2"},
        {{of(NAN, 3), of(9000, 100000)},
         {good, of(900, 10000)},
         VERDICT_FAILURE,
         "burn rate 90 and 90 > 6, n=100000"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        judge_burn(&book, cases[i].spans, cases[i].shorts, &judgement);
        judged(judgement, cases[i].verdict, cases[i].reason);
    }
}
END_TEST

START_TEST(burn_rates_that_make_no_sense)
{
    const struct counts good[2] = {of(0, 100000), of(0, 100000)};
    struct burn_rate burn = book;
    ok(burn_rate_check(&burn, &error));
    burn.objective = 1;
    ck_assert_int_eq(burn_rate_check(&burn, &error), STATUS_INVALID);
    ck_assert_str_eq(error.message, "an objective lies between 0 and 1, both excluded, as 0.999");
    judge_burn(&burn, good, good, &judgement);
    judged(judgement, VERDICT_ERROR, error.message);
    burn = book;
    burn.objective = 0.9;
    ck_assert_int_eq(burn_rate_check(&burn, &error), STATUS_INVALID);
    ck_assert_str_eq(error.message,
                     "window 1: a factor of 14.4 is never reached with an objective of 0.9");
    burn = book;
    burn.windows[1].short_span = burn.windows[1].span;
    ck_assert_int_eq(burn_rate_check(&burn, &error), STATUS_INVALID);
    ck_assert_str_eq(error.message, "window 2: the short span is to be shorter than the long one");
    burn = book;
    burn.count = 0;
    ck_assert_int_eq(burn_rate_check(&burn, &error), STATUS_INVALID);
    burn.count = BURN_MOST_WINDOWS + 1;
    ck_assert_int_eq(burn_rate_check(&burn, &error), STATUS_INVALID);
    burn = book;
    burn.minimum_sample = NAN;
    ck_assert_int_eq(burn_rate_check(&burn, &error), STATUS_INVALID);
}
END_TEST

/* Words that are too long are cut, not written past the end. */
START_TEST(long_words)
{
    memset(error.message, 'x', sizeof error.message - 1);
    error.message[sizeof error.message - 1] = 0;
    judge_refusal(&error, &judgement);
    ck_assert_int_eq(judgement.verdict, VERDICT_ERROR);
    ck_assert_uint_eq(strlen(judgement.reason), JUDGEMENT_REASON_SIZE - 1);
}
END_TEST

UNIT_MAIN("judge", the_worst_counts, range_is_inclusive, counts_that_came_in, sums_that_came_in,
          rate_and_its_bound, rate_with_a_minimum, raw_comparisons, sequential_comparison,
          requests_may_only_hold, values_that_do_not_vary, sample_ratio, burn_rates,
          burn_rates_that_make_no_sense, long_words)
