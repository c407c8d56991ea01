/* Limits over measurements, coverage and silence: by cases, and against oracles that forget
 * nothing. */
#include <math.h>
#include <stdlib.h>

#include "../../rules/judge_bake.h"
#include "chance.h"
#include "unit.h"

#define ok(call) ck_assert_int_eq((call), STATUS_OK)
#define MINUTE (INT64_C(60) * 1000000000)
#define ROOM 64

static struct error error;
static struct measurement storage[ROOM];

static struct metric_result begun(struct metric_limits limits)
{
    struct metric_result result;
    ok(metric_limits_check(&limits, &error));
    ok(metric_result_init(&result, &limits, storage, ROOM, &error));
    return result;
}

/* One letter a minute: s success, f failure, i inconclusive, e error, n no data. */
static int64_t play(struct metric_result *result, int64_t minute, const char *letters)
{
    static const char names[] = "snief";
    for (; *letters; letters++, minute++) {
        enum verdict verdict = (enum verdict)(strchr(names, *letters) - names);
        ok(metric_result_add(result, (struct measurement){minute * MINUTE, verdict, 0}, &error));
    }
    return (minute - 1) * MINUTE;
}

static void check_phases(struct metric_limits limits, const char *letters, const char *expected)
{
    struct metric_result result = begun(limits);
    int64_t now = play(&result, 0, letters);
    ck_assert_msg(strcmp(metric_phase_name(metric_result_phase(&result, now)), expected) == 0,
                  "%s: %s, expected %s", letters,
                  metric_phase_name(metric_result_phase(&result, now)), expected);
}

static struct metric_limits every_minute(void)
{
    struct metric_limits limits = METRIC_LIMITS_DEFAULT;
    limits.interval = MINUTE;
    return limits;
}

/* --- Argo's rules ----------------------------------------------------------------------------- */

START_TEST(defaults)
{
    struct metric_limits limits = every_minute();
    struct metric_result result = begun(limits);
    ck_assert_int_eq(metric_result_phase(&result, 0), METRIC_PENDING);
    check_phases(limits, "ssssssssss", "Running");
    check_phases(limits, "sf", "Failed");
    check_phases(limits, "si", "Inconclusive");
    check_phases(limits, "seeee", "Running");
    check_phases(limits, "seeeee", "Error");
    check_phases(limits, "eeeeseeee", "Running");
    check_phases(limits, "snnnnnnn", "Running");
    limits.interval = 0; /* measured once */
    check_phases(limits, "s", "Successful");
    check_phases(limits, "e", "Running");
    check_phases(limits, "n", "Running");
    check_phases(limits, "f", "Failed");
}
END_TEST

START_TEST(failure_limits)
{
    struct metric_limits limits = every_minute();
    limits.failure_limit = 3;
    check_phases(limits, "fff", "Running"); /* more than three, not three */
    check_phases(limits, "ffsssssf", "Running");
    check_phases(limits, "fffsssssf", "Failed");
    limits.failure_limit = -1;
    check_phases(limits, "ffffffffff", "Running");
    limits.failure_limit = 0;
    limits.inconclusive_limit = 2;
    check_phases(limits, "iisssssss", "Running");
    check_phases(limits, "iisssi", "Inconclusive");
}
END_TEST

START_TEST(counts_and_streaks)
{
    struct metric_limits limits = every_minute();
    limits.count = 3;
    check_phases(limits, "ss", "Running");
    check_phases(limits, "sss", "Successful");
    check_phases(limits, "sees", "Running"); /* errors do not count, nor does no data */
    check_phases(limits, "sensns", "Successful");
    limits.failure_limit = 1;
    check_phases(limits, "sfs", "Successful");
    limits.count = 5;
    limits.failure_limit = 0;
    limits.consecutive_success_limit = 3;
    limits.inconclusive_limit = 5;
    check_phases(limits, "sss", "Successful");
    check_phases(limits, "ssiss", "Inconclusive"); /* five, and no streak of three */
    check_phases(limits, "ssisss", "Inconclusive");
    limits.failure_limit = -1;
    check_phases(limits, "ssfss", "Failed");
    check_phases(limits, "ssfs", "Running");
    limits.count = 0;
    check_phases(limits, "ssfssess", "Running"); /* an error breaks a streak */
    check_phases(limits, "ssnss", "Running");
    check_phases(limits, "ssfsssf", "Successful");
}
END_TEST

/* --- what is not Argo's ----------------------------------------------------------------------- */

START_TEST(failed_beats_everything)
{
    struct metric_limits limits = every_minute();
    check_phases(limits, "fssssssss", "Failed");
    check_phases(limits, "feeeeeeee", "Failed"); /* Argo: Error */
    check_phases(limits, "iiif", "Failed");
    check_phases(limits, "eeeeeef", "Failed");
    limits.window = 5 * MINUTE;
    check_phases(limits, "fsssssssssssssssss", "Failed"); /* latched: the window does not heal it */
    limits.count = 2;
    check_phases(limits, "ssf", "Failed"); /* also after it was Successful */
    struct metric_result result = begun(limits);
    play(&result, 0, "f");
    ck_assert_int_eq(metric_result_gate(&result, 999999 * MINUTE), VERDICT_FAILURE);
}
END_TEST

START_TEST(windows_forget)
{
    struct metric_limits limits = every_minute();
    limits.failure_limit = 1;
    limits.inconclusive_limit = 1;
    limits.window = 5 * MINUTE;
    check_phases(limits, "fssssfssssfssssf", "Running"); /* exactly five minutes apart */
    check_phases(limits, "fsssfs", "Failed");
    check_phases(limits, "isssi", "Inconclusive");
    struct metric_result result = begun(limits);
    int64_t now = play(&result, 0, "isssi"); /* at 0 and at 4 */
    ck_assert_int_eq(metric_result_phase(&result, now), METRIC_INCONCLUSIVE);
    ck_assert_int_eq(metric_result_phase(&result, 5 * MINUTE - 1), METRIC_INCONCLUSIVE);
    ck_assert_int_eq(metric_result_phase(&result, 5 * MINUTE), METRIC_RUNNING);
    /* an outage ends when it ends */
    check_phases(limits, "eeeeees", "Running");
}
END_TEST

START_TEST(no_data)
{
    struct metric_limits limits = every_minute();
    limits.on_no_data = NO_DATA_FAIL;
    check_phases(limits, "sn", "Failed");
    limits.on_no_data = NO_DATA_PASS;
    limits.count = 2;
    check_phases(limits, "nn", "Successful");
    limits = every_minute();
    struct metric_result result = begun(limits);
    int64_t now = play(&result, 0, "ssn");
    ck_assert_int_eq(metric_result_gate(&result, now), VERDICT_NO_DATA);
    result = begun(limits);
    now = play(&result, 0, "eeeen"); /* it has answered: the streak of errors is over */
    ck_assert_int_eq(metric_result_phase(&result, now), METRIC_RUNNING);
    play(&result, 5, "eeee");
    ck_assert_int_eq(metric_result_phase(&result, 8 * MINUTE), METRIC_RUNNING);
}
END_TEST

/* A gate opens on a fresh success alone. */
START_TEST(gates)
{
    static const struct {
        const char *letters;
        int64_t later;
        enum verdict gate;
    } cases[] = {
        {"", 0, VERDICT_NO_DATA},
        {"s", 0, VERDICT_SUCCESS},
        {"s", 2 * MINUTE, VERDICT_SUCCESS},
        {"s", 2 * MINUTE + 1, VERDICT_NO_DATA},
        {"s", -1, VERDICT_NO_DATA}, /* a measurement of tomorrow */
        {"se", 0, VERDICT_NO_DATA},
        {"sf", 0, VERDICT_NO_DATA}, /* within its limit: it waits, it does not act */
        {"si", 0, VERDICT_NO_DATA},
        {"sn", 0, VERDICT_NO_DATA},
        {"sffs", 0, VERDICT_FAILURE},
        {"siis", 0, VERDICT_INCONCLUSIVE},
        {"seeeee", 0, VERDICT_ERROR},
    };
    struct metric_limits limits = every_minute();
    limits.failure_limit = limits.inconclusive_limit = 1;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct metric_result result = begun(limits);
        int64_t now = play(&result, 0, cases[i].letters) + cases[i].later;
        ck_assert_msg(metric_result_gate(&result, now) == cases[i].gate, "%s + %lld: %s",
                      cases[i].letters, (long long)cases[i].later,
                      verdict_name(metric_result_gate(&result, now)));
    }
    limits.count = 3; /* what is complete need not be measured again */
    struct metric_result result = begun(limits);
    play(&result, 0, "sss");
    ck_assert_int_eq(metric_result_gate(&result, 9999 * MINUTE), VERDICT_SUCCESS);
}
END_TEST

START_TEST(limits_that_make_no_sense)
{
    const struct {
        struct metric_limits limits;
        const char *message;
    } cases[] = {
        {{.failure_limit = -2}, "failureLimit: -2 is not between -1 and 1000"},
        {{.inconclusive_limit = -1}, "inconclusiveLimit: -1 is not between 0 and 1000"},
        {{.consecutive_error_limit = 1001},
         "consecutiveErrorLimit: 1001 is not between 0 and 1000"},
        {{.consecutive_success_limit = -1},
         "consecutiveSuccessLimit: -1 is not between 0 and 1000"},
        {{.count = -1}, "count: -1 is below 0"},
        {{.count = 2}, "count: 2 needs an interval"},
        {{.count = 4, .interval = MINUTE, .failure_limit = 3, .consecutive_success_limit = 2},
         "count: 4 is below the sum of failureLimit and consecutiveSuccessLimit"},
        {{.interval = -1}, "interval and window are not below 0"},
        {{.on_no_data = (enum no_data)7}, "onNoData is hold, fail or pass"},
        {{.interval = MINUTE, .window = 3 * MINUTE, .failure_limit = 3},
         "window is too short for failureLimit: 3, which it can never exceed; make it longer than "
         "3 "
         "intervals"},
        {{.interval = MINUTE, .window = 3 * MINUTE, .inconclusive_limit = 5},
         "window is too short for inconclusiveLimit: 5, which it can never exceed; make it longer "
         "than 5 intervals"},
        {{.interval = INT64_MAX, .window = INT64_MAX, .failure_limit = 5},
         "window is too short for failureLimit: 5, which it can never exceed; make it longer than "
         "5 "
         "intervals"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_int_eq(metric_limits_check(&cases[i].limits, &error), STATUS_INVALID);
        ck_assert_str_eq(error.message, cases[i].message);
    }
    struct metric_result result;
    struct metric_limits limits = every_minute();
    ck_assert_int_eq(metric_result_init(&result, &limits, storage, 2, &error), STATUS_INVALID);
    ck_assert_str_eq(error.message, "room for 2 measurements, 3 are needed");
    result = begun(limits);
    play(&result, 7, "s");
    ck_assert_int_eq(metric_result_add(&result, (struct measurement){6 * MINUTE, 0, 0}, &error),
                     STATUS_REFUSED);
    ck_assert_int_eq(
        metric_result_add(&result, (struct measurement){8 * MINUTE, (enum verdict)9, 0}, &error),
        STATUS_INVALID);
    ck_assert_uint_eq(result.length, 1);
}
END_TEST

/* --- against one that forgets nothing ----------------------------------------------------------
 */

#define HISTORY 120

struct history {
    struct metric_limits limits;
    struct measurement list[HISTORY];
    int length;
};

static enum verdict counted(const struct history *history, int i)
{
    enum verdict verdict = history->list[i].verdict;
    if (verdict != VERDICT_NO_DATA)
        return verdict;
    static const enum verdict as[] = {VERDICT_NO_DATA, VERDICT_FAILURE, VERDICT_SUCCESS};
    return as[history->limits.on_no_data];
}

/* Among the first `length`, younger than the window at `now`. */
static int count_young(const struct history *history, int length, enum verdict verdict, int64_t now)
{
    int count = 0;
    for (int i = 0; i < length; i++)
        count +=
            counted(history, i) == verdict &&
            (history->limits.window == 0 || history->list[i].time > now - history->limits.window);
    return count;
}

static int streak(const struct history *history, int length, enum verdict verdict)
{
    int count = 0;
    while (count < length && counted(history, length - 1 - count) == verdict)
        count++;
    return count;
}

static enum metric_phase oracle(const struct history *history, int64_t now)
{
    const struct metric_limits *limits = &history->limits;
    enum metric_phase completed = METRIC_RUNNING;
    int measured = 0, end = limits->count ? limits->count : limits->interval ? INT32_MAX : 1;
    for (int length = 1; length <= history->length; length++) {
        int64_t then = history->list[length - 1].time;
        enum verdict verdict = counted(history, length - 1);
        measured += verdict != VERDICT_ERROR && verdict != VERDICT_NO_DATA;
        if (limits->failure_limit >= 0 &&
            count_young(history, length, VERDICT_FAILURE, then) > limits->failure_limit)
            return METRIC_FAILED;
        bool exceeded =
            streak(history, length, VERDICT_ERROR) > limits->consecutive_error_limit ||
            count_young(history, length, VERDICT_INCONCLUSIVE, then) > limits->inconclusive_limit;
        if (completed != METRIC_RUNNING || exceeded)
            continue;
        int wanted = limits->consecutive_success_limit;
        if (wanted > 0 && streak(history, length, VERDICT_SUCCESS) >= wanted)
            completed = METRIC_SUCCESSFUL;
        else if (measured >= end && wanted == 0)
            completed = METRIC_SUCCESSFUL;
        else if (measured >= end && limits->failure_limit == -1)
            return METRIC_FAILED;
        else if (measured >= end)
            completed = METRIC_INCONCLUSIVE;
    }
    if (streak(history, history->length, VERDICT_ERROR) > limits->consecutive_error_limit)
        return METRIC_ERROR;
    if (count_young(history, history->length, VERDICT_INCONCLUSIVE, now) >
        limits->inconclusive_limit)
        return METRIC_INCONCLUSIVE;
    return history->length ? completed : METRIC_PENDING;
}

static int below(uint64_t *chance, int end)
{
    return (int)(chance_next(chance) % (uint64_t)end);
}

static struct metric_limits random_limits(uint64_t *chance)
{
    for (;;) {
        struct metric_limits limits = {
            .interval = below(chance, 8) ? 2 : 0,
            .window = below(chance, 3) ? 1 + below(chance, 30) : 0,
            .failure_limit = below(chance, 6) - 1,
            .inconclusive_limit = below(chance, 5),
            .consecutive_error_limit = below(chance, 4),
            .consecutive_success_limit = below(chance, 2) ? below(chance, 9) : 0,
            .count = below(chance, 2) ? below(chance, 30) : 0,
            .on_no_data = (enum no_data)below(chance, 3),
        };
        if (metric_limits_check(&limits, &error) == STATUS_OK)
            return limits;
    }
}

/* With as little room as is allowed, every phase at every moment is that of the whole history. */
START_TEST(nothing_that_counts_is_forgotten)
{
    uint64_t chance = 42;
    int seen[METRIC_FAILED + 1] = {0};
    for (int run = 0; run < 1200; run++) {
        struct history history = {.limits = random_limits(&chance)};
        struct metric_result result;
        size_t least = metric_result_least(&history.limits);
        int common = below(&chance, 5), often = 1 + below(&chance, 12);
        int64_t now = 0;
        ok(metric_result_init(&result, &history.limits, storage, least + (size_t)below(&chance, 3),
                              &error));
        while (history.length < HISTORY) {
            struct measurement *next = &history.list[history.length++];
            now += below(&chance, 4);
            *next = (struct measurement){
                now, (enum verdict)(below(&chance, often) ? common : below(&chance, 5)), 0};
            ok(metric_result_add(&result, *next, &error));
            for (int64_t later = now; later < now + 40; later += 1 + below(&chance, 20)) {
                enum metric_phase phase = metric_result_phase(&result, later);
                ck_assert_msg(phase == oracle(&history, later),
                              "run %d, %d measurements: %s not %s", run, history.length,
                              metric_phase_name(phase), metric_phase_name(oracle(&history, later)));
                seen[phase]++;
            }
            ck_assert_uint_le(result.length, result.size);
            ck_assert_int_eq(result.measurements[result.length - 1].time, now);
        }
    }
    for (int phase = METRIC_RUNNING; phase <= METRIC_FAILED; phase++)
        ck_assert_int_gt(seen[phase], 1000);
}
END_TEST

/* --- coverage --------------------------------------------------------------------------------- */

/* Second by second. */
START_TEST(coverage_is_the_union)
{
    uint64_t chance = 7;
    for (int run = 0; run < 3000; run++) {
        struct measurement list[30];
        int count = below(&chance, 31), interval = 1 + below(&chance, 12), time = 0;
        int from = below(&chance, 60), until = from + 1 + below(&chance, 120), covered = 0;
        struct coverage coverage;
        coverage_begin(&coverage, from, until);
        for (int i = 0; i < count; i++) {
            time += below(&chance, 15);
            list[i] = (struct measurement){time, below(&chance, 3) ? 0 : below(&chance, 5), 0};
            coverage_add(&coverage, &list[i], interval);
        }
        for (int second = from; second < until; second++) {
            bool inside = false;
            for (int i = 0; i < count; i++)
                inside =
                    inside || (list[i].verdict == VERDICT_SUCCESS &&
                               list[i].time - interval <= second && second + 1 <= list[i].time);
            covered += inside;
        }
        ck_assert_int_eq(coverage.covered, covered);
        ck_assert_int_eq(coverage_of(list, (size_t)count, interval, from, until), covered);
        ck_assert_int_eq(coverage_suffices(covered, until - from),
                         5 * covered >= 4 * (until - from));
    }
}
END_TEST

START_TEST(coverage_at_the_ends_of_time)
{
    struct coverage coverage;
    const struct measurement first = {INT64_MIN, VERDICT_SUCCESS, 0};
    const struct measurement last = {INT64_MAX, VERDICT_SUCCESS, 0};
    coverage_begin(&coverage, 0, 100);
    coverage_add(&coverage, &first, INT64_MAX);
    ck_assert_int_eq(coverage.covered, 0);
    coverage_add(&coverage, &last, INT64_MAX);
    ck_assert_int_eq(coverage.covered, 100);
    ck_assert(coverage_suffices(0, 0));
    ck_assert(coverage_suffices(80, 100));
    ck_assert(!coverage_suffices(79, 100));
    ck_assert(!coverage_suffices(0, INT64_MAX));
    ck_assert(coverage_suffices(INT64_MAX, INT64_MAX));
    /* a measurement every two minutes with an interval of one covers half */
    coverage_begin(&coverage, 0, 100 * MINUTE);
    for (int i = 2; i <= 100; i += 2)
        coverage_add(&coverage, &(struct measurement){i * MINUTE, VERDICT_SUCCESS, 0}, MINUTE);
    ck_assert_int_eq(coverage.covered, 50 * MINUTE);
}
END_TEST

/* --- silence ---------------------------------------------------------------------------------- */

START_TEST(a_variant_falls_silent)
{
    struct silence silence = {0};
    ck_assert_int_eq(silence_observe(&silence, 1 * MINUTE, MINUTE, 5, 9, 5), VERDICT_SUCCESS);
    ck_assert_int_eq(silence_observe(&silence, 2 * MINUTE, MINUTE, 0, 9, 5), VERDICT_NO_DATA);
    ck_assert_int_eq(silence_observe(&silence, 3 * MINUTE, MINUTE, NAN, 9, 5), VERDICT_NO_DATA);
    ck_assert_int_eq(silence_observe(&silence, 4 * MINUTE, MINUTE, 0, 9, 5), VERDICT_FAILURE);
    ck_assert_int_eq(silence_observe(&silence, 5 * MINUTE, MINUTE, 1, 9, 5), VERDICT_SUCCESS);
    /* asking more often does not make the silence longer */
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(silence_observe(&silence, 6 * MINUTE + i * MINUTE / 10, MINUTE, 0, 9, 5),
                         VERDICT_NO_DATA);
    /* a control that is silent too, or all but silent, says nothing */
    ck_assert_int_eq(silence_observe(&silence, 7 * MINUTE, MINUTE, 0, 4, 5), VERDICT_NO_DATA);
    ck_assert_int_eq(silence_observe(&silence, 8 * MINUTE, MINUTE, 0, 9, 5), VERDICT_NO_DATA);
    ck_assert_int_eq(silence_observe(&silence, 9 * MINUTE, MINUTE, 0, NAN, 5), VERDICT_NO_DATA);
    ck_assert_int_eq(silence_observe(&silence, 10 * MINUTE, MINUTE, 0, 9, 5), VERDICT_NO_DATA);
    ck_assert_int_eq(silence_observe(&silence, 12 * MINUTE, MINUTE, 0, 9, 5), VERDICT_FAILURE);
    silence = (struct silence){0};
    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(silence_observe(&silence, i * MINUTE, MINUTE, 0, 0.5, 0), VERDICT_NO_DATA);
    ck_assert_int_eq(silence_observe(&silence, INT64_MIN, INT64_MAX, 0, 9, 0), VERDICT_NO_DATA);
    ck_assert_int_eq(silence_observe(&silence, INT64_MAX, 1, 0, 9, 0), VERDICT_NO_DATA);
}
END_TEST

UNIT_MAIN("judge_limits", defaults, failure_limits, counts_and_streaks, failed_beats_everything,
          windows_forget, no_data, gates, limits_that_make_no_sense,
          nothing_that_counts_is_forgotten, coverage_is_the_union, coverage_at_the_ends_of_time,
          a_variant_falls_silent)
