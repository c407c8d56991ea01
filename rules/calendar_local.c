/* Open seconds of local time, which knows no daylight changes. */
#include "calendar_private.h"

#define SECONDS_PER_WEEK ((int64_t)DAYS_PER_WEEK * SECONDS_PER_DAY)
#define FIRST_MONDAY (4 * (int64_t)SECONDS_PER_DAY) /* 1970-01-05 */

static int32_t allowed_in_week(const struct calendar *calendar, int32_t second)
{
    size_t low = 0, high = calendar->hour_count; /* the last that begins at or before it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (calendar->hours[middle].from <= second)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    const struct hours *hours = &calendar->hours[low - 1];
    return hours->before + (second < hours->to ? second : hours->to) - hours->from;
}

int64_t local_allowed(const struct calendar *calendar, int64_t local)
{
    int64_t week = floor_divide(local - FIRST_MONDAY, SECONDS_PER_WEEK);
    int32_t second = (int32_t)(local - FIRST_MONDAY - week * SECONDS_PER_WEEK);
    return week * calendar->weekly + allowed_in_week(calendar, second);
}

/* The last that begins at or before it, or NULL. */
static const struct frozen *last_frozen(const struct calendar *calendar, int64_t local)
{
    size_t low = 0, high = calendar->freeze_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (calendar->freezes[middle].from <= local)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &calendar->freezes[low - 1] : NULL;
}

int64_t local_open(const struct calendar *calendar, int64_t local)
{
    int64_t allowed = local_allowed(calendar, local);
    const struct frozen *frozen = last_frozen(calendar, local);
    if (!frozen)
        return allowed;
    int64_t end = local < frozen->to ? allowed : local_allowed(calendar, frozen->to);
    return allowed - frozen->before - (end - local_allowed(calendar, frozen->from));
}

const struct frozen *local_frozen(const struct calendar *calendar, int64_t local)
{
    const struct frozen *frozen = last_frozen(calendar, local);
    return frozen && local < frozen->to ? frozen : NULL;
}
