/* calendar.h - when a rollout may grow: hours that are allowed, dates that are frozen.
 *
 * An instant is open when the clock on the wall stands inside an allowed window and its date is in
 * no freeze. That is the whole meaning, so that daylight changes need no rules of their own: a
 * spring gap shortens a window, an autumn overlap repeats it, and on a date that a zone left out
 * nothing is open. A window over midnight belongs to the day on which it begins; a freeze counts
 * by the date of the instant itself.
 *
 * Everything here is a pure function of its arguments. A question costs some microseconds at
 * most: stretches without a daylight change are counted by arithmetic, whatever their length.
 * Instants are seconds since 1970, UTC; durations are seconds; a day is a date, and as a duration
 * 24 h. */
#ifndef WEIR_CALENDAR_H
#define WEIR_CALENDAR_H

#include "zone.h"

#define CALENDAR_MAX_WINDOWS 64
#define CALENDAR_MAX_FREEZES 256
#define CALENDAR_REASON_MAXIMUM 200
/* How far ahead a search looks: ten years of 365.25 days. */
#define CALENDAR_HORIZON INT64_C(315576000)

/* An allowed window. */
struct calendar_window {
    uint8_t days; /* bit 0 is Monday … bit 6 is Sunday; 0 means every day */
    int32_t from; /* local seconds after midnight: 0 ≤ from < 86400 */
    int32_t to;   /* 0 ≤ to ≤ 86400; to ≤ from ends on the next day */
};

/* Local dates, as days since 1970-01-01, both inclusive. */
struct calendar_freeze {
    int64_t first, last;
    struct text reason; /* may be empty */
};

struct calendar;

/* Copies what it is given, except `zone`, which has to outlive it; NULL is UTC. Without windows
 * every hour is allowed. The caller frees *out. STATUS_LIMIT: more windows, freezes or text than
 * the maxima above; STATUS_INVALID: a window or a freeze is impossible, the message says which. */
enum status calendar_new(const struct calendar_window *windows, size_t window_count,
                         const struct calendar_freeze *freezes, size_t freeze_count,
                         const struct zone *zone, struct calendar **out,
                         struct error *error) MUST_CHECK;
void calendar_free(struct calendar *calendar); /* NULL is fine */

/* --- questions ------------------------------------------------------------------------------- */

bool calendar_is_open(const struct calendar *calendar, int64_t instant);

struct calendar_opening {
    int64_t at; /* the first open second at or after the instant asked for */
    /* True when a freeze is what keeps it from being sooner, with that freeze's reason, borrowed
     * from the calendar. Where several do, the first. */
    bool frozen;
    struct text reason;
};
/* False: never opens within CALENDAR_HORIZON of the instant; `at` is then INT64_MAX. */
bool calendar_next_opening(const struct calendar *calendar, int64_t instant,
                           struct calendar_opening *out);

/* The first second at or after an instant that is not open: where the present opening ends, or the
 * instant itself where there is none. INT64_MAX: it does not end within CALENDAR_HORIZON. */
int64_t calendar_opening_end(const struct calendar *calendar, int64_t instant);

/* Open seconds in [from, to); 0 where to ≤ from. */
int64_t calendar_open_seconds(const struct calendar *calendar, int64_t from, int64_t to);

/* The earliest instant t ≥ from with calendar_open_seconds(from, t) = seconds; `from` itself for
 * seconds ≤ 0. False when it lies beyond CALENDAR_HORIZON of `from`; *out is then INT64_MAX. */
bool calendar_after_open(const struct calendar *calendar, int64_t from, int64_t seconds,
                         int64_t *out);

/* STATUS_INVALID with a message when the calendar never opens within CALENDAR_HORIZON of `now`:
 * for lint, since it is no fault of form. */
enum status calendar_lint(const struct calendar *calendar, int64_t now, struct error *error);

/* --- words ----------------------------------------------------------------------------------- */

/* "09:00", also "24:00" for the end of a day, in seconds after midnight. */
bool calendar_time_parse(struct text text, int32_t *seconds);
/* "Mon" … "Sun", as a bit of calendar_window.days. */
bool calendar_day_parse(struct text text, uint8_t *bit);
/* "2027-03-29", as days since 1970-01-01. */
bool calendar_date_parse(struct text text, int64_t *day);

#endif
