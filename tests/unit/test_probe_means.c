/* A metric whose numerator is a sum of values: compared as it is, or by the differences between
 * buckets. */
#include <math.h>

#include "chance.h"
#include "probes.h"

#define BUCKETS 40
#define SUMMED                                                                                     \
    DEFINITIONS                                                                                    \
    "  type: mean\n"                                                                               \
    "  prometheus: {address: 'http://p:9090', numerator: 'sum by (bucket) "                        \
    "(increase(s_sum{v=\"{{variant}}\"}[{{window}}]))', denominator: 'sum by (bucket) "            \
    "(increase(s_count{v=\"{{variant}}\"}[{{window}}]))'}\n"
#define LIMITED SUMMED "  thresholdRange: {max: 0.5}\n  minimumSample: 100\n"
#define SEQUENTIAL SUMMED "  compare: {to: control, method: sequential, margin: 0.02}\n"

/* --- as it is -------------------------------------------------------------------------------- */

START_TEST(a_limit_is_held_against_the_mean_itself)
{
    struct rigged rigged;
    begin(&rigged, LIMITED);
    counted(&rigged, 4, 10, T0 + 60);
    expect_verdict(&rigged, T0 + 60, WALK_NO_DATA); /* 10 of 100 */
    ck_assert(!gate_at(&rigged, T0 + 60).enough_sample);
    counted(&rigged, 45, 100, T0 + 120);
    expect_verdict(&rigged, T0 + 120, WALK_SUCCESS);
    ck_assert_text(gate_at(&rigged, T0 + 120).evidence, "0.45 <= 0.5, n=100, raw, window 2m");
    ck_assert_ptr_null(rigged.probe->evidence);
    counted(&rigged, -3, 100, T0 + 180); /* refunds */
    expect_verdict(&rigged, T0 + 180, WALK_SUCCESS);
    counted(&rigged, 6000, 100, T0 + 240); /* a mean of 60 is no fault of counting */
    expect_verdict(&rigged, T0 + 240, WALK_FAILURE);
    ck_assert_text(gate_at(&rigged, T0 + 240).evidence, "60 > 0.5, n=100, raw, window 4m");
    finish(&rigged);
}
END_TEST

/* Events beside as many requests and a little more are all of them; seconds are what they are. */
START_TEST(no_sum_is_taken_for_extrapolated)
{
    struct rigged rigged;
    begin(&rigged, SUMMED "  thresholdRange: {max: 1}\n");
    counted(&rigged, 105, 100, T0 + 60);
    ck_assert_text(gate_at(&rigged, T0 + 60).evidence, "1.05 > 1, n=100, raw, window 1m");
    finish(&rigged);
}
END_TEST

START_TEST(arms_are_compared_as_they_are)
{
    static const struct {
        const char *compare, *evidence;
    } rows[] = {
        {"  compare: {to: control, method: difference, margin: 1}\n", "3 - 1.5 > 1, n=300, raw"},
        {"  compare: {to: control, method: ratio, margin: 0.5}\n", "3 > 1.5 x 1.5, n=300, raw"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rigged rigged;
        char yaml[2000];
        snprintf(yaml, sizeof yaml, "%s%s", SUMMED, rows[i].compare);
        begin(&rigged, yaml);
        const struct reading well[] = {number(160), number(100), number(300), number(200)};
        answer(&rigged, well, T0 + 60);
        expect_verdict(&rigged, T0 + 60, WALK_SUCCESS);
        const struct reading ill[] = {number(300), number(100), number(300), number(200)};
        answer(&rigged, ill, T0 + 120);
        expect_verdict(&rigged, T0 + 120, WALK_FAILURE);
        ck_assert_msg(strstr(rigged.probe->last.reason, "n=300") != NULL, "%s",
                      rigged.probe->last.reason);
        ck_assert_msg(strncmp(gate_at(&rigged, T0 + 120).evidence.data, rows[i].evidence,
                              strlen(rows[i].evidence)) == 0,
                      "%s", gate_at(&rigged, T0 + 120).evidence.data);
        finish(&rigged);
    }
}
END_TEST

#define NUMBER(value)                                                                              \
    {                                                                                              \
        .state = READING_NUMBER, .number = (value)                                                 \
    }
#define NOTHING                                                                                    \
    {                                                                                              \
        .state = READING_NOTHING                                                                   \
    }

START_TEST(no_answer_is_ever_a_success)
{
    static const struct {
        struct reading sum, count;
        enum walk_verdict verdict;
    } rows[] = {
        {NOTHING, NOTHING, WALK_NO_DATA},          {NUMBER(NAN), NUMBER(500), WALK_NO_DATA},
        {NUMBER(1), NUMBER(NAN), WALK_NO_DATA},    {NUMBER(0), NUMBER(0), WALK_NO_DATA},
        {NUMBER(1), NOTHING, WALK_ERROR},          {NUMBER(1), NUMBER(0), WALK_ERROR},
        {NUMBER(1), NUMBER(-1), WALK_ERROR},       {NUMBER(-INFINITY), NUMBER(500), WALK_ERROR},
        {NUMBER(1), NUMBER(INFINITY), WALK_ERROR},
    };
    static const char *const judges[] = {
        "  thresholdRange: {max: 0.5}\n  consecutiveErrorLimit: 0\n",
        "  compare: {to: control, method: difference}\n  consecutiveErrorLimit: 0\n",
        "  compare: {to: control, method: sequential}\n  consecutiveErrorLimit: 0\n",
    };
    for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(judges); i++) {
        const struct reading answers[] = {rows[i % COUNT_OF(rows)].sum,
                                          rows[i % COUNT_OF(rows)].count, number(5), number(500)};
        struct rigged rigged;
        char yaml[2000];
        snprintf(yaml, sizeof yaml, "%s%s", SUMMED, judges[i / COUNT_OF(rows)]);
        begin(&rigged, yaml);
        answer(&rigged, answers, T0 + 60);
        expect_verdict(&rigged, T0 + 60, rows[i % COUNT_OF(rows)].verdict);
        finish(&rigged);
    }
}
END_TEST

/* --- by their buckets ------------------------------------------------------------------------ */

/* Whether they are far apart or not: nobody can tell by how much the values vary. */
START_TEST(without_buckets_they_may_only_hold)
{
    static const double sums[] = {100, 10000};
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        struct rigged rigged;
        const struct reading answers[] = {number(sums[i]), number(1000), number(1000),
                                          number(10000)};
        begin(&rigged, SEQUENTIAL);
        for (int64_t at = T0 + 60; at <= T0 + 600; at += 60)
            answer(&rigged, answers, at);
        expect_verdict(&rigged, T0 + 600, WALK_INCONCLUSIVE);
        ck_assert(gate_at(&rigged, T0 + 600).enough_sample);
        ck_assert_ptr_nonnull(strstr(rigged.probe->last.reason, "give both parts a bucket label"));
        finish(&rigged);
    }
}
END_TEST

/* A crowd: each bucket has users of its own, who are slow or fast all day long. */
struct crowd {
    double slowness[ARM_COUNT][BUCKETS];
    uint64_t chance;
};

/* Lognormal, with a mean of exp(deviation²/2). */
static double spread_by(uint64_t *chance, double deviation)
{
    double angle = 2 * M_PI * chance_uniform(chance);
    return exp(deviation * sqrt(-2 * log(chance_uniform(chance))) * cos(angle));
}

static void gather(struct crowd *crowd, double harm, uint64_t seed)
{
    crowd->chance = seed;
    for (size_t i = 0; i < BUCKETS; i++) {
        crowd->slowness[ARM_VARIANT][i] = (1 + harm) * spread_by(&crowd->chance, 0.2);
        crowd->slowness[ARM_CONTROL][i] = spread_by(&crowd->chance, 0.2);
    }
}

/* A minute: five to fourteen requests a bucket. */
static void send(struct crowd *crowd, struct reading answers[2 * ARM_COUNT])
{
    for (size_t arm = 0; arm < ARM_COUNT; arm++) {
        struct reading *sum = &answers[2 * arm], *count = &answers[2 * arm + 1];
        *sum = *count = (struct reading){.state = READING_BUCKETED};
        for (size_t i = 0; i < BUCKETS; i++) {
            count->buckets[i] = 5 + (double)(chance_next(&crowd->chance) % 10);
            for (int n = 0; n < (int)count->buckets[i]; n++)
                sum->buckets[i] += crowd->slowness[arm][i] * spread_by(&crowd->chance, 1);
            sum->number += sum->buckets[i];
            count->number += count->buckets[i];
        }
    }
}

/* The minute in which the metric failed; 0: in none of so many. */
static int found(const char *yaml, double harm, uint64_t seed, int minutes, char *words)
{
    struct crowd crowd;
    struct rigged rigged;
    int minute = 0;
    gather(&crowd, harm, seed);
    begin(&rigged, yaml);
    for (int i = 1; minute == 0 && i <= minutes; i++) {
        struct reading answers[2 * ARM_COUNT];
        send(&crowd, answers);
        answer(&rigged, answers, T0 + INT64_C(60) * i);
        ck_assert_int_ne(rigged.probe->last.verdict, VERDICT_ERROR);
        minute = rigged.probe->last.verdict == VERDICT_FAILURE ? i : 0;
    }
    if (words)
        probe_words(rigged.probe, words);
    finish(&rigged);
    return minute;
}

/* At an alpha of 5 %, looked at every minute: at most 10 of 200. */
START_TEST(harm_is_found_and_no_harm_is_not)
{
    char words[PROBE_EVIDENCE_SIZE];
    int alarms = 0;
    for (uint64_t seed = 1; seed <= 200; seed++)
        alarms +=
            found(SUMMED "  compare: {to: control, method: sequential}\n", 0, seed, 25, words) > 0;
    ck_assert_int_le(alarms, 10);
    ck_assert_msg(strstr(words, ", ln E=") && !strstr(words, "raw"), "%s", words);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        ck_assert_int_gt(found(SEQUENTIAL, 0.5, seed, 25, words), 0);
        ck_assert_msg(strstr(words, ", margin 0.02, n=") && strstr(words, "harm >= "), "%s", words);
    }
    /* faster is no harm, however sure it is; where more is better, it is */
    ck_assert_int_eq(found(SEQUENTIAL, -0.5, 3, 25, NULL), 0);
    ck_assert_int_gt(found(SUMMED "  compare: {to: control, method: sequential, better: higher}\n",
                           -0.5, 3, 25, NULL),
                     0);
}
END_TEST

/* Who spends may have come a minute before, with the last look. */
START_TEST(a_sum_may_come_after_its_unit)
{
    struct rigged rigged;
    struct crowd crowd;
    struct reading answers[2 * ARM_COUNT];
    gather(&crowd, 0, 5);
    begin(&rigged, SEQUENTIAL);
    send(&crowd, answers);
    answers[1].number -= answers[1].buckets[7];
    answers[1].buckets[7] = 0;
    answer(&rigged, answers, T0 + 60);
    expect_verdict(&rigged, T0 + 60, WALK_SUCCESS);
    ck_assert_double_eq(rigged.probe->evidence->total[ARM_VARIANT].n, answers[1].number);
    finish(&rigged);
}
END_TEST

START_TEST(what_is_kept_comes_back)
{
    struct rigged rigged, other;
    struct crowd crowd;
    struct reading answers[2 * ARM_COUNT];
    struct buffer text;
    struct error error;
    gather(&crowd, 0.5, 5);
    begin(&rigged, SEQUENTIAL);
    for (int64_t at = T0 + 60; at <= T0 + 300; at += 60) {
        send(&crowd, answers);
        answer(&rigged, answers, at);
    }
    buffer_init(&text, 0);
    probe_write(rigged.probe, &text);
    begin(&other, SEQUENTIAL);
    ck_assert_int_eq(probe_read(other.probe, buffer_text(&text), true, NANO(T0 + 310), &error),
                     STATUS_OK);
    ck_assert_int_eq(memcmp(other.probe->evidence, rigged.probe->evidence, sizeof(struct evidence)),
                     0);
    finish(&other);
    /* the same words as a proportion are another metric */
    begin(&other, DEFINITIONS
          "  prometheus: {address: 'http://p:9090', numerator: 'sum by (bucket) "
          "(increase(s_sum{v=\"{{variant}}\"}[{{window}}]))', denominator: 'sum by (bucket) "
          "(increase(s_count{v=\"{{variant}}\"}[{{window}}]))'}\n"
          "  compare: {to: control, method: sequential, margin: 0.02}\n");
    ck_assert_int_eq(probe_read(other.probe, buffer_text(&text), true, NANO(T0 + 310), &error),
                     STATUS_NOT_FOUND);
    finish(&other);
    buffer_dispose(&text);
    finish(&rigged);
}
END_TEST

UNIT_MAIN("probe means", a_limit_is_held_against_the_mean_itself, no_sum_is_taken_for_extrapolated,
          arms_are_compared_as_they_are, no_answer_is_ever_a_success,
          without_buckets_they_may_only_hold, harm_is_found_and_no_harm_is_not,
          a_sum_may_come_after_its_unit, what_is_kept_comes_back)
