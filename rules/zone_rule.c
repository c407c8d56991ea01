/* The TZ string in the footer of a zone's file (POSIX.1-2017 section 8.3, widened by RFC 9636
 * section 3.3.1 to hours of -167 to 167). */
#include "zone_private.h"

/* --- reading --------------------------------------------------------------------------------- */

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *cursor, char wanted)
{
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return false;
    cursor->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* One to three digits that make low…high. */
static bool read_number(struct cursor *cursor, int low, int high, int *out)
{
    int number = 0;
    const char *first = cursor->at;
    for (; cursor->at < cursor->end && is_digit(*cursor->at); cursor->at++) {
        if (cursor->at - first == 3)
            return false;
        number = number * 10 + (*cursor->at - '0');
    }
    *out = number;
    return cursor->at > first && number >= low && number <= high;
}

/* CET, or <-03>. What it says is not kept. */
static bool read_name(struct cursor *cursor)
{
    bool quoted = take(cursor, '<');
    const char *first = cursor->at;
    while (cursor->at < cursor->end &&
           (is_letter(*cursor->at) ||
            (quoted && (is_digit(*cursor->at) || *cursor->at == '+' || *cursor->at == '-'))))
        cursor->at++;
    return cursor->at - first >= 3 && (!quoted || take(cursor, '>'));
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool read_time(struct cursor *cursor, int most_hours, int32_t *out)
{
    bool negative = take(cursor, '-');
    int hours, minutes = 0, seconds = 0;
    if (!negative)
        (void)take(cursor, '+');
    if (!read_number(cursor, 0, most_hours, &hours))
        return false;
    if (take(cursor, ':')) {
        if (!read_number(cursor, 0, 59, &minutes))
            return false;
        if (take(cursor, ':') && !read_number(cursor, 0, 59, &seconds))
            return false;
    }
    int32_t total = hours * 3600 + minutes * 60 + seconds;
    *out = negative ? -total : total;
    return true;
}

static bool read_weekday(struct cursor *cursor, struct rule_change *out)
{
    return read_number(cursor, 1, 12, &out->month) && take(cursor, '.') &&
           read_number(cursor, 1, 5, &out->week) && take(cursor, '.') &&
           read_number(cursor, 0, 6, &out->day);
}

static bool read_change(struct cursor *cursor, struct rule_change *out)
{
    *out = (struct rule_change){.time = 2 * 3600};
    bool read;
    if (take(cursor, 'M')) {
        out->kind = RULE_WEEKDAY;
        read = read_weekday(cursor, out);
    } else if (take(cursor, 'J')) {
        out->kind = RULE_JULIAN;
        read = read_number(cursor, 1, 365, &out->day);
    } else {
        out->kind = RULE_ZERO_BASED;
        read = read_number(cursor, 0, 365, &out->day);
    }
    return read && (!take(cursor, '/') || read_time(cursor, 167, &out->time));
}

bool zone_rule_read(struct text text, struct zone_rule *out)
{
    struct cursor cursor = {text.data, text.data + text.length};
    *out = (struct zone_rule){0};
    if (text.length == 0)
        return true;
    int32_t west; /* POSIX counts to the west of Greenwich */
    if (!read_name(&cursor) || !read_time(&cursor, 24, &west))
        return false;
    out->present = true;
    out->standard = -west;
    if (cursor.at == cursor.end)
        return true;
    out->has_daylight = true;
    out->daylight = out->standard + 3600;
    if (!read_name(&cursor))
        return false;
    if (cursor.at < cursor.end && *cursor.at != ',') {
        if (!read_time(&cursor, 24, &west))
            return false;
        out->daylight = -west;
    }
    /* Without the days POSIX leaves them to the system; a file that means something says them. */
    return take(&cursor, ',') && read_change(&cursor, &out->start) && take(&cursor, ',') &&
           read_change(&cursor, &out->end) && cursor.at == cursor.end;
}

/* --- asking ---------------------------------------------------------------------------------- */

static int64_t day_of_change(const struct rule_change *change, int64_t year)
{
    int64_t new_year = days_from_civil(year, 1, 1);
    if (change->kind == RULE_ZERO_BASED)
        return new_year + change->day;
    if (change->kind == RULE_JULIAN)
        return new_year + change->day - 1 + (change->day >= 60 && is_leap_year(year));
    int64_t first = days_from_civil(year, change->month, 1);
    int sunday_based = (weekday_of_day(first) + 1) % DAYS_PER_WEEK;
    int day = (change->day - sunday_based + DAYS_PER_WEEK) % DAYS_PER_WEEK;
    day += (change->week - 1) * DAYS_PER_WEEK;
    if (day >= days_of_month(year, change->month)) /* there is no fifth: the last one is meant */
        day -= DAYS_PER_WEEK;
    return first + day;
}

static int64_t instant_of_change(const struct rule_change *change, int64_t year, int32_t before)
{
    return day_of_change(change, year) * SECONDS_PER_DAY + change->time - before;
}

/* Times of up to a week let a change fall into a neighbouring year, so two years on either side
 * hold the newest change before any instant and the next one after it. */
struct zone_span zone_rule_span(const struct zone_rule *rule, int64_t instant)
{
    struct zone_span span = {INT64_MIN, INT64_MAX, rule->standard};
    if (!rule->has_daylight)
        return span;
    int64_t year = civil_from_days(floor_divide(instant, SECONDS_PER_DAY)).year;
    for (int64_t y = year - 2; y <= year + 2; y++) {
        const struct zone_change changes[2] = {
            {instant_of_change(&rule->start, y, rule->standard), rule->daylight},
            {instant_of_change(&rule->end, y, rule->daylight), rule->standard},
        };
        for (size_t i = 0; i < COUNT_OF(changes); i++) {
            /* Of two at one instant the later in this order counts: daylight time all the year
             * round is written as an end that meets the next year's start. */
            if (changes[i].at <= instant && changes[i].at >= span.from) {
                span.from = changes[i].at;
                span.offset = changes[i].offset;
            } else if (changes[i].at > instant && changes[i].at < span.until) {
                span.until = changes[i].at;
            }
        }
    }
    return span;
}
