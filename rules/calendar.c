/* Questions to a calendar. Between two daylight changes local time runs as UTC does; so each
 * question walks those stretches (some twenty in ten years) and asks local time for sums. */
#include "calendar_private.h"

/* Seconds up to a local time that count for a search. */
typedef int64_t count_up_to(const struct calendar *calendar, int64_t local);

static int64_t local_closed(const struct calendar *calendar, int64_t local)
{
    return local - local_open(calendar, local);
}

static int64_t clamp(int64_t instant)
{
    return instant < ZONE_TIME_MINIMUM   ? ZONE_TIME_MINIMUM
           : instant > ZONE_TIME_MAXIMUM ? ZONE_TIME_MAXIMUM
                                         : instant;
}

/* The smallest local time in (low, high] up to which `wanted` is counted; it is at `high`. */
static int64_t bisect(const struct calendar *calendar, count_up_to *count, int64_t low,
                      int64_t high, int64_t wanted)
{
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (count(calendar, middle) >= wanted)
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* The earliest instant in (from, horizon] with `seconds` > 0 counted since `from`; INT64_MAX where
 * there is none. */
static int64_t find(const struct calendar *calendar, count_up_to *count, int64_t from,
                    int64_t seconds)
{
    from = clamp(from);
    int64_t horizon = clamp(from + CALENDAR_HORIZON);
    while (from < horizon) {
        struct zone_span span = zone_span_at(calendar->zone, from);
        int64_t to = span.until < horizon ? span.until : horizon;
        int64_t start = count(calendar, from + span.offset);
        int64_t found = count(calendar, to + span.offset) - start;
        if (found >= seconds)
            return bisect(calendar, count, from + span.offset, to + span.offset, start + seconds) -
                   span.offset;
        seconds -= found;
        from = to;
    }
    return INT64_MAX;
}

bool calendar_is_open(const struct calendar *calendar, int64_t instant)
{
    instant = clamp(instant);
    int64_t local = instant + zone_span_at(calendar->zone, instant).offset;
    return local_open(calendar, local + 1) > local_open(calendar, local);
}

bool calendar_next_opening(const struct calendar *calendar, int64_t instant,
                           struct calendar_opening *out)
{
    *out = (struct calendar_opening){.at = find(calendar, local_open, instant, 1)};
    int64_t allowed = find(calendar, local_allowed, instant, 1);
    if (out->at != INT64_MAX)
        out->at--; /* the second that is counted begins before it ends */
    if (allowed == INT64_MAX || --allowed == out->at)
        return out->at != INT64_MAX;
    int64_t local = allowed + zone_span_at(calendar->zone, allowed).offset;
    const struct frozen *frozen = local_frozen(calendar, local);
    out->frozen = frozen;
    if (frozen)
        out->reason = frozen->reason;
    return out->at != INT64_MAX;
}

int64_t calendar_opening_end(const struct calendar *calendar, int64_t instant)
{
    int64_t end = find(calendar, local_closed, instant, 1);
    return end == INT64_MAX ? INT64_MAX : end - 1;
}

int64_t calendar_open_seconds(const struct calendar *calendar, int64_t from, int64_t to)
{
    int64_t seconds = 0;
    from = clamp(from);
    to = clamp(to);
    while (from < to) {
        struct zone_span span = zone_span_at(calendar->zone, from);
        int64_t end = span.until < to ? span.until : to;
        seconds += local_open(calendar, end + span.offset);
        seconds -= local_open(calendar, from + span.offset);
        from = end;
    }
    return seconds;
}

bool calendar_after_open(const struct calendar *calendar, int64_t from, int64_t seconds,
                         int64_t *out)
{
    *out = seconds <= 0 ? from : find(calendar, local_open, from, seconds);
    return *out != INT64_MAX;
}

enum status calendar_lint(const struct calendar *calendar, int64_t now, struct error *error)
{
    struct calendar_opening opening;
    if (calendar_next_opening(calendar, now, &opening))
        return STATUS_OK;
    struct civil_date date = zone_local(calendar->zone, now).date;
    return error_set(error, STATUS_INVALID,
                     "calendar never opens in the ten years after %04d-%02d-%02d: shorten a "
                     "\"freeze\" or widen \"allow\"",
                     (int)date.year, date.month, date.day);
}

/* --- words ----------------------------------------------------------------------------------- */

static bool digits(struct text text, size_t at, size_t count, int *out)
{
    *out = 0;
    for (size_t i = at; i < at + count; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *out = *out * 10 + (text.data[i] - '0');
    }
    return true;
}

bool calendar_time_parse(struct text text, int32_t *seconds)
{
    int hour, minute;
    if (text.length != 5 || text.data[2] != ':' || !digits(text, 0, 2, &hour) ||
        !digits(text, 3, 2, &minute) || minute > 59 || hour > 24 || (hour == 24 && minute > 0))
        return false;
    *seconds = hour * 3600 + minute * 60;
    return true;
}

bool calendar_day_parse(struct text text, uint8_t *bit)
{
    static const char names[][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_is(text, names[i])) {
            *bit = (uint8_t)(1U << i);
            return true;
        }
    return false;
}

bool calendar_date_parse(struct text text, int64_t *day)
{
    int year, month, date;
    if (text.length != 10 || text.data[4] != '-' || text.data[7] != '-' ||
        !digits(text, 0, 4, &year) || !digits(text, 5, 2, &month) || !digits(text, 8, 2, &date) ||
        month < 1 || month > 12 || date < 1 || date > days_of_month(year, month))
        return false;
    *day = days_from_civil(year, month, date);
    return true;
}
