/* Coverage and silence. */
#include "judge_bake.h"

static int64_t latest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void coverage_begin(struct coverage *coverage, int64_t from, int64_t until)
{
    *coverage = (struct coverage){.from = from, .until = until, .reached = from};
}

void coverage_add(struct coverage *coverage, const struct measurement *measurement,
                  int64_t interval)
{
    int64_t start;
    if (measurement->verdict != VERDICT_SUCCESS || interval <= 0)
        return;
    if (__builtin_sub_overflow(measurement->time, interval, &start))
        start = INT64_MIN;
    start = latest(start, coverage->reached);
    int64_t end = earliest(measurement->time, coverage->until), length;
    if (end <= start || __builtin_sub_overflow(end, start, &length))
        return;
    coverage->covered += length; /* no more than until - from */
    coverage->reached = end;
}

int64_t coverage_of(const struct measurement *measurements, size_t count, int64_t interval,
                    int64_t from, int64_t until)
{
    struct coverage coverage;
    coverage_begin(&coverage, from, until);
    for (size_t i = 0; i < count; i++)
        coverage_add(&coverage, &measurements[i], interval);
    return coverage.covered;
}

bool coverage_suffices(int64_t covered, int64_t length)
{
    if (length <= 0)
        return true;
    return covered >= length - length / 5;
}

enum verdict silence_observe(struct silence *silence, int64_t time, int64_t interval,
                             double variant_n, double control_n, double minimum)
{
    int64_t silent;
    if (variant_n > 0) {
        silence->silent = false;
        return VERDICT_SUCCESS;
    }
    if (!(control_n >= 1 && control_n >= minimum)) {
        silence->silent = false;
        return VERDICT_NO_DATA;
    }
    if (!silence->silent) {
        *silence = (struct silence){.silent = true};
        if (__builtin_sub_overflow(time, interval, &silence->since))
            silence->since = INT64_MIN;
    }
    if (interval <= 0 || __builtin_sub_overflow(time, silence->since, &silent))
        return VERDICT_NO_DATA;
    return silent / SILENCE_INTERVALS >= interval ? VERDICT_FAILURE : VERDICT_NO_DATA;
}
