/* Counting verdicts. */
#include "judge_limits.h"

#include <math.h>

const char *metric_phase_name(enum metric_phase phase)
{
    static const char *const names[] = {
        [METRIC_PENDING] = "Pending",       [METRIC_RUNNING] = "Running",
        [METRIC_SUCCESSFUL] = "Successful", [METRIC_INCONCLUSIVE] = "Inconclusive",
        [METRIC_ERROR] = "Error",           [METRIC_FAILED] = "Failed",
    };
    return (size_t)phase < COUNT_OF(names) ? names[phase] : "Unknown";
}

/* --- checks ----------------------------------------------------------------------------------- */

/* `limit` + 1 verdicts, an interval apart, have to find room in the window. */
static enum status check_window(const struct metric_limits *limits, int32_t limit, const char *name,
                                struct error *error)
{
    int64_t needed;
    if (limit < 0 || limits->window == 0)
        return STATUS_OK;
    if (__builtin_mul_overflow((int64_t)limit, limits->interval, &needed) ||
        needed >= limits->window)
        return error_set(error, STATUS_INVALID,
                         "window is too short for %s: %d, which it can never exceed; make it "
                         "longer than %d intervals",
                         name, limit, limit);
    return STATUS_OK;
}

static enum status check_limit(int32_t limit, int32_t least, const char *name, struct error *error)
{
    if (limit < least || limit > METRIC_MOST_LIMIT)
        return error_set(error, STATUS_INVALID, "%s: %d is not between %d and %d", name, limit,
                         least, METRIC_MOST_LIMIT);
    return STATUS_OK;
}

static enum status check_count(const struct metric_limits *limits, struct error *error)
{
    int32_t failures = limits->failure_limit > 0 ? limits->failure_limit : 0;
    if (limits->count < 0)
        return error_set(error, STATUS_INVALID, "count: %d is below 0", limits->count);
    if (limits->count > 1 && limits->interval == 0)
        return error_set(error, STATUS_INVALID, "count: %d needs an interval", limits->count);
    if (limits->count > 0 && limits->count < failures + limits->consecutive_success_limit)
        return error_set(error, STATUS_INVALID,
                         "count: %d is below the sum of failureLimit and consecutiveSuccessLimit",
                         limits->count);
    return STATUS_OK;
}

enum status metric_limits_check(const struct metric_limits *limits, struct error *error)
{
    if (limits->interval < 0 || limits->window < 0)
        return error_set(error, STATUS_INVALID, "interval and window are not below 0");
    if ((unsigned)limits->on_no_data > NO_DATA_PASS)
        return error_set(error, STATUS_INVALID, "onNoData is hold, fail or pass");
    enum status status = check_limit(limits->failure_limit, -1, "failureLimit", error);
    if (status == STATUS_OK)
        status = check_limit(limits->inconclusive_limit, 0, "inconclusiveLimit", error);
    if (status == STATUS_OK)
        status = check_limit(limits->consecutive_error_limit, 0, "consecutiveErrorLimit", error);
    if (status == STATUS_OK)
        status =
            check_limit(limits->consecutive_success_limit, 0, "consecutiveSuccessLimit", error);
    if (status == STATUS_OK)
        status = check_count(limits, error);
    if (status == STATUS_OK)
        status = check_window(limits, limits->failure_limit, "failureLimit", error);
    if (status == STATUS_OK)
        status = check_window(limits, limits->inconclusive_limit, "inconclusiveLimit", error);
    return status;
}

/* --- measurements ----------------------------------------------------------------------------- */

size_t metric_result_least(const struct metric_limits *limits)
{
    size_t failures = limits->failure_limit > 0 ? (size_t)limits->failure_limit : 0;
    size_t inconclusive = limits->inconclusive_limit > 0 ? (size_t)limits->inconclusive_limit : 0;
    /* one more of each, and room for another */
    return failures + inconclusive + 3;
}

enum status metric_result_init(struct metric_result *result, const struct metric_limits *limits,
                               struct measurement *storage, size_t size, struct error *error)
{
    if (size < metric_result_least(limits))
        return error_set(error, STATUS_INVALID, "room for %zu measurements, %zu are needed", size,
                         metric_result_least(limits));
    *result = (struct metric_result){.limits = *limits, .measurements = storage, .size = size};
    return STATUS_OK;
}

/* As it counts. */
static enum verdict effective(const struct metric_limits *limits, enum verdict verdict)
{
    if (verdict != VERDICT_NO_DATA || limits->on_no_data == NO_DATA_HOLD)
        return verdict;
    return limits->on_no_data == NO_DATA_FAIL ? VERDICT_FAILURE : VERDICT_SUCCESS;
}

static bool inside_window(const struct metric_limits *limits, int64_t time, int64_t now)
{
    int64_t age;
    if (limits->window == 0)
        return true;
    return !__builtin_sub_overflow(now, time, &age) && age < limits->window;
}

/* Those of one verdict inside the window. */
static size_t count_recent(const struct metric_result *result, enum verdict verdict, int64_t now)
{
    size_t count = 0;
    for (size_t i = result->length; i-- > 0;) {
        const struct measurement *at = &result->measurements[i];
        if (!inside_window(&result->limits, at->time, now))
            break;
        count += effective(&result->limits, at->verdict) == verdict;
    }
    return count;
}

/* Which one to forget: the oldest outside the window; else the oldest that no limit counts; else
 * the oldest of the verdict that has exceeded its limit even without it. */
static size_t dispensable(const struct metric_result *result, int64_t now)
{
    const struct metric_limits *limits = &result->limits;
    size_t failures = count_recent(result, VERDICT_FAILURE, now);
    bool keep_failures = limits->failure_limit >= 0 && !result->failed &&
                         failures <= (size_t)limits->failure_limit + 1;
    if (!inside_window(limits, result->measurements[0].time, now))
        return 0;
    for (size_t i = 0; i < result->length; i++) {
        enum verdict verdict = effective(limits, result->measurements[i].verdict);
        if (verdict != VERDICT_FAILURE && verdict != VERDICT_INCONCLUSIVE)
            return i;
    }
    for (size_t i = 0; i < result->length; i++) {
        enum verdict verdict = effective(limits, result->measurements[i].verdict);
        if ((verdict == VERDICT_FAILURE) != keep_failures)
            return i;
    }
    return 0;
}

static void append(struct metric_result *result, struct measurement measurement)
{
    struct measurement *list = result->measurements;
    if (result->length == result->size) {
        size_t at = dispensable(result, measurement.time);
        memmove(&list[at], &list[at + 1], (result->length - at - 1) * sizeof *list);
        result->length--;
    }
    list[result->length++] = measurement;
}

/* What Argo looks at once no limit is exceeded. */
static enum metric_phase completion(const struct metric_result *result)
{
    const struct metric_limits *limits = &result->limits;
    uint32_t streak = (uint32_t)limits->consecutive_success_limit;
    uint32_t count = (uint32_t)limits->count;
    if (streak > 0 && result->consecutive_success >= streak)
        return METRIC_SUCCESSFUL;
    if (count == 0 && limits->interval == 0)
        count = 1;
    if (count == 0 || result->measured < count)
        return METRIC_PENDING;
    if (streak > 0)
        return limits->failure_limit < 0 ? METRIC_FAILED : METRIC_INCONCLUSIVE;
    return METRIC_SUCCESSFUL;
}

static void count_up(uint32_t *counter)
{
    *counter += *counter < UINT32_MAX;
}

enum status metric_result_add(struct metric_result *result, struct measurement measurement,
                              struct error *error)
{
    const struct metric_limits *limits = &result->limits;
    if ((unsigned)measurement.verdict > VERDICT_FAILURE)
        return error_set(error, STATUS_INVALID, "no such verdict");
    if (result->length > 0 && measurement.time < result->measurements[result->length - 1].time)
        return error_set(error, STATUS_REFUSED, "the measurement is older than the newest one");
    enum verdict verdict = effective(limits, measurement.verdict);
    append(result, measurement);
    if (verdict == VERDICT_ERROR)
        count_up(&result->consecutive_error);
    else
        result->consecutive_error = 0;
    if (verdict == VERDICT_SUCCESS)
        count_up(&result->consecutive_success);
    else
        result->consecutive_success = 0;
    if (verdict != VERDICT_ERROR && verdict != VERDICT_NO_DATA)
        count_up(&result->measured);
    if (limits->failure_limit >= 0 &&
        count_recent(result, VERDICT_FAILURE, measurement.time) > (size_t)limits->failure_limit)
        result->failed = true;
    /* Running: no limit is exceeded, and it has not been completed before */
    if (metric_result_phase(result, measurement.time) == METRIC_RUNNING) {
        result->completed = completion(result);
        result->failed = result->failed || result->completed == METRIC_FAILED;
    }
    return STATUS_OK;
}

enum metric_phase metric_result_phase(const struct metric_result *result, int64_t now)
{
    const struct metric_limits *limits = &result->limits;
    if (result->failed)
        return METRIC_FAILED;
    if (result->consecutive_error > (uint32_t)limits->consecutive_error_limit)
        return METRIC_ERROR;
    if (count_recent(result, VERDICT_INCONCLUSIVE, now) > (size_t)limits->inconclusive_limit)
        return METRIC_INCONCLUSIVE;
    if (result->completed != METRIC_PENDING)
        return result->completed;
    return result->length > 0 ? METRIC_RUNNING : METRIC_PENDING;
}

bool metric_result_fresh(const struct metric_result *result, int64_t now)
{
    int64_t age;
    if (result->length == 0)
        return false;
    if (__builtin_sub_overflow(now, result->measurements[result->length - 1].time, &age) || age < 0)
        return false;
    return result->limits.interval == 0 || age / 2 < result->limits.interval ||
           (age / 2 == result->limits.interval && age % 2 == 0);
}

enum verdict metric_result_gate(const struct metric_result *result, int64_t now)
{
    switch (metric_result_phase(result, now)) {
    case METRIC_FAILED:
        return VERDICT_FAILURE;
    case METRIC_ERROR:
        return VERDICT_ERROR;
    case METRIC_INCONCLUSIVE:
        return VERDICT_INCONCLUSIVE;
    case METRIC_SUCCESSFUL:
        return VERDICT_SUCCESS;
    case METRIC_RUNNING:
    case METRIC_PENDING:
        break;
    }
    if (!metric_result_fresh(result, now))
        return VERDICT_NO_DATA;
    enum verdict newest = result->measurements[result->length - 1].verdict;
    return effective(&result->limits, newest) == VERDICT_SUCCESS ? VERDICT_SUCCESS
                                                                 : VERDICT_NO_DATA;
}
