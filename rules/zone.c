#include "zone_private.h"

static const struct zone utc = {.rule = {.present = true}};

const struct zone *zone_utc(void)
{
    return &utc;
}

void zone_free(struct zone *zone)
{
    if (zone != &utc)
        free(zone);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* How many changes are at or before the instant. */
static size_t changes_before(const struct zone *zone, int64_t instant)
{
    size_t low = 0, high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at <= instant)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct zone_span zone_span_at(const struct zone *zone, int64_t instant)
{
    instant = clamp(instant, ZONE_TIME_MINIMUM, ZONE_TIME_MAXIMUM);
    size_t behind = changes_before(zone, instant);
    struct zone_span span = {INT64_MIN, INT64_MAX, zone->first_offset};
    if (behind == zone->count && zone->rule.present)
        span = zone_rule_span(&zone->rule, instant);
    else if (behind > 0)
        span.offset = zone->changes[behind - 1].offset;
    if (behind > 0 && zone->changes[behind - 1].at > span.from)
        span.from = zone->changes[behind - 1].at;
    if (behind < zone->count)
        span.until = zone->changes[behind].at;
    /* Nobody asks beyond, so what changes there does not. */
    if (span.from < ZONE_TIME_MINIMUM)
        span.from = INT64_MIN;
    if (span.until > ZONE_TIME_MAXIMUM)
        span.until = INT64_MAX;
    return span;
}

struct zone_time zone_local(const struct zone *zone, int64_t instant)
{
    instant = clamp(instant, ZONE_TIME_MINIMUM, ZONE_TIME_MAXIMUM);
    struct zone_time time = {.offset = zone_span_at(zone, instant).offset};
    int64_t local = instant + time.offset;
    int64_t day = floor_divide(local, SECONDS_PER_DAY);
    int second = (int)(local - day * SECONDS_PER_DAY);
    time.date = civil_from_days(day);
    time.weekday = weekday_of_day(day);
    time.hour = second / 3600;
    time.minute = second / 60 % 60;
    time.second = second % 60;
    return time;
}

enum zone_fit zone_instants(const struct zone *zone, int64_t local, int64_t out[2])
{
    local = clamp(local, ZONE_TIME_MINIMUM, ZONE_TIME_MAXIMUM);
    size_t found = 0;
    int64_t after_gap = local; /* always set below where nothing is found */
    bool jumped = false;
    struct zone_span span = zone_span_at(zone, local - zone->highest);
    for (;;) {
        int64_t instant = local - span.offset;
        if (instant >= span.from && instant < span.until) {
            out[found > 0] = instant;
            found++;
        } else if (instant < span.from && found == 0 && !jumped) {
            /* The first stretch that begins with a later local time: the gap ends where it begins.
             */
            after_gap = span.from;
            jumped = true;
        }
        if (span.until > local - zone->lowest)
            break;
        span = zone_span_at(zone, span.until);
    }
    if (found == 0)
        out[0] = after_gap;
    if (found < 2)
        out[1] = out[0];
    return found == 0 ? ZONE_NEVER : found == 1 ? ZONE_ONCE : ZONE_TWICE;
}
