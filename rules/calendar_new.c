/* From windows and freezes to hours of a week and frozen stretches, with their sums. */
#include "calendar_private.h"

#define EVERY_DAY 0x7f
#define WEEK (DAYS_PER_WEEK * SECONDS_PER_DAY)

/* Windows of every day, each with a part on the next day. */
#define MAX_PARTS ((size_t)CALENDAR_MAX_WINDOWS * DAYS_PER_WEEK * 2)

/* --- checks ---------------------------------------------------------------------------------- */

static enum status check_windows(const struct calendar_window *windows, size_t count,
                                 struct error *error)
{
    if (count > CALENDAR_MAX_WINDOWS)
        return error_set(error, STATUS_LIMIT, "calendar has %zu windows, at most %d are allowed",
                         count, CALENDAR_MAX_WINDOWS);
    for (size_t i = 0; i < count; i++) {
        const struct calendar_window *window = &windows[i];
        if (window->from < 0 || window->from >= SECONDS_PER_DAY || window->to < 0 ||
            window->to > SECONDS_PER_DAY || window->days > EVERY_DAY)
            return error_set(error, STATUS_INVALID,
                             "window %zu of the calendar is none: \"from\" is 00:00 to 23:59, "
                             "\"to\" is 00:00 to 24:00",
                             i + 1);
    }
    return STATUS_OK;
}

static enum status check_freezes(const struct calendar_freeze *freezes, size_t count,
                                 struct error *error)
{
    const int64_t lowest = ZONE_TIME_MINIMUM / SECONDS_PER_DAY;
    const int64_t highest = ZONE_TIME_MAXIMUM / SECONDS_PER_DAY;
    if (count > CALENDAR_MAX_FREEZES)
        return error_set(error, STATUS_LIMIT, "calendar has %zu freezes, at most %d are allowed",
                         count, CALENDAR_MAX_FREEZES);
    for (size_t i = 0; i < count; i++) {
        if (freezes[i].reason.length > CALENDAR_REASON_MAXIMUM)
            return error_set(error, STATUS_LIMIT,
                             "reason of freeze %zu has %zu bytes, at most %d are allowed", i + 1,
                             freezes[i].reason.length, CALENDAR_REASON_MAXIMUM);
        if (freezes[i].first < lowest || freezes[i].last > highest ||
            freezes[i].last < freezes[i].first)
            return error_set(error, STATUS_INVALID,
                             "freeze %zu of the calendar is none: \"to\" is before \"from\"",
                             i + 1);
    }
    return STATUS_OK;
}

/* --- hours of a week ------------------------------------------------------------------------- */

static int compare_hours(const void *a, const void *b)
{
    const struct hours *first = a, *second = b;
    return (first->from > second->from) - (first->from < second->from);
}

/* Appends [from, to), cut where the week ends. */
static size_t append(struct hours *parts, size_t count, int32_t from, int32_t to)
{
    if (to > WEEK) {
        parts[count++] = (struct hours){.from = 0, .to = to - WEEK};
        to = WEEK;
    }
    if (to > from)
        parts[count++] = (struct hours){.from = from, .to = to};
    return count;
}

static size_t spread(const struct calendar_window *windows, size_t count, struct hours *parts)
{
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned days = windows[i].days ? windows[i].days : EVERY_DAY;
        int32_t length = windows[i].to - windows[i].from;
        if (length <= 0)
            length += SECONDS_PER_DAY;
        for (int day = 0; day < DAYS_PER_WEEK; day++) {
            int32_t from = day * SECONDS_PER_DAY + windows[i].from;
            if (days >> day & 1)
                made = append(parts, made, from, from + length);
        }
    }
    return made;
}

/* Sorts, joins what touches, and keeps sums. Returns how many are left. */
static size_t join(struct hours *parts, size_t count, int32_t *weekly)
{
    size_t kept = 0;
    qsort(parts, count, sizeof *parts, compare_hours);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || parts[i].from > parts[kept - 1].to)
            parts[kept++] = parts[i];
        else if (parts[i].to > parts[kept - 1].to)
            parts[kept - 1].to = parts[i].to;
    }
    *weekly = 0;
    for (size_t i = 0; i < kept; i++) {
        parts[i].before = *weekly;
        *weekly += parts[i].to - parts[i].from;
    }
    return kept;
}

/* --- freezes --------------------------------------------------------------------------------- */

static int compare_frozen(const void *a, const void *b)
{
    const struct frozen *first = a, *second = b;
    if (first->from != second->from)
        return first->from < second->from ? -1 : 1;
    return (first->to > second->to) - (first->to < second->to);
}

/* Where two hold the same date, the one that began first keeps it. */
static void separate(struct calendar *calendar)
{
    struct frozen *freezes = calendar->freezes;
    size_t kept = 0;
    qsort(freezes, calendar->freeze_count, sizeof *freezes, compare_frozen);
    for (size_t i = 0; i < calendar->freeze_count; i++) {
        struct frozen next = freezes[i];
        if (kept > 0 && next.from < freezes[kept - 1].to)
            next.from = freezes[kept - 1].to;
        if (next.from < next.to)
            freezes[kept++] = next;
    }
    calendar->freeze_count = kept;
    int64_t taken = 0;
    for (size_t i = 0; i < kept; i++) {
        freezes[i].before = taken;
        taken += local_allowed(calendar, freezes[i].to) - local_allowed(calendar, freezes[i].from);
    }
}

static void copy_freezes(struct calendar *calendar, const struct calendar_freeze *freezes,
                         size_t count, char *reasons)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = freezes[i].reason.length;
        if (length)
            memcpy(reasons, freezes[i].reason.data, length);
        calendar->freezes[i] = (struct frozen){.from = freezes[i].first * SECONDS_PER_DAY,
                                               .to = (freezes[i].last + 1) * SECONDS_PER_DAY,
                                               .reason = {reasons, length}};
        reasons += length;
    }
    calendar->freeze_count = count;
    separate(calendar);
}

/* --- the whole ------------------------------------------------------------------------------- */

/* One block: calendar, freezes, hours, reasons. All sizes are bounded by what was checked. */
static struct calendar *allocate(size_t hours, const struct calendar_freeze *freezes, size_t count,
                                 char **reasons)
{
    size_t texts = 0;
    for (size_t i = 0; i < count; i++)
        texts += freezes[i].reason.length;
    struct calendar *calendar = calloc(1, sizeof *calendar + count * sizeof(struct frozen) +
                                              hours * sizeof(struct hours) + texts);
    if (!calendar)
        return NULL;
    calendar->freezes = (struct frozen *)(calendar + 1);
    calendar->hours = (struct hours *)(calendar->freezes + count);
    *reasons = (char *)(calendar->hours + hours);
    return calendar;
}

enum status calendar_new(const struct calendar_window *windows, size_t window_count,
                         const struct calendar_freeze *freezes, size_t freeze_count,
                         const struct zone *zone, struct calendar **out, struct error *error)
{
    struct hours parts[MAX_PARTS] = {{.from = 0, .to = WEEK}};
    int32_t weekly;
    char *reasons;
    *out = NULL;
    enum status status = check_windows(windows, window_count, error);
    if (status == STATUS_OK)
        status = check_freezes(freezes, freeze_count, error);
    if (status != STATUS_OK)
        return status;
    size_t count = join(parts, window_count ? spread(windows, window_count, parts) : 1, &weekly);
    struct calendar *calendar = allocate(count, freezes, freeze_count, &reasons);
    if (!calendar)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    calendar->zone = zone ? zone : zone_utc();
    calendar->weekly = weekly;
    calendar->hour_count = count;
    memcpy(calendar->hours, parts, count * sizeof *parts);
    copy_freezes(calendar, freezes, freeze_count, reasons);
    *out = calendar;
    return STATUS_OK;
}

void calendar_free(struct calendar *calendar)
{
    free(calendar);
}
