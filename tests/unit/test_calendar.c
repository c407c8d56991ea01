/* Calendars against minutes that are counted one by one, with the C library's zones. */
#include "zones.h"

#include "../../rules/calendar.h"

static struct zone_files files;

static const struct zone *use_zone(const char *name)
{
    zone_files_init(&files, NULL);
    return zone_named(&files, name);
}

static struct calendar_window window(const char *days, const char *from, const char *to)
{
    struct calendar_window window = {0};
    for (; days[0]; days += days[3] ? 4 : 3) {
        uint8_t bit;
        ck_assert_msg(calendar_day_parse((struct text){days, 3}, &bit), "%s", days);
        window.days |= bit;
    }
    ck_assert(calendar_time_parse(text_of(from), &window.from));
    ck_assert(calendar_time_parse(text_of(to), &window.to));
    return window;
}

static struct calendar_freeze freeze(const char *first, const char *last, const char *reason)
{
    struct calendar_freeze freeze = {.reason = text_of(reason)};
    ck_assert(calendar_date_parse(text_of(first), &freeze.first));
    ck_assert(calendar_date_parse(text_of(last), &freeze.last));
    return freeze;
}

static struct calendar *calendar_of(const struct calendar_window *windows, size_t window_count,
                                    const struct calendar_freeze *freezes, size_t freeze_count,
                                    const struct zone *zone)
{
    struct calendar *calendar;
    struct error error = {0};
    ck_assert_msg(calendar_new(windows, window_count, freezes, freeze_count, zone, &calendar,
                               &error) == STATUS_OK,
                  "%s", error.message);
    return calendar;
}

static void check_next(const struct calendar *calendar, const char *from, const char *expected,
                       const char *reason)
{
    struct calendar_opening opening;
    ck_assert_msg(calendar_next_opening(calendar, at(from), &opening), "%s: never", from);
    ck_assert_msg(opening.at == at(expected), "%s: %lld, not %lld", from, (long long)opening.at,
                  (long long)at(expected));
    ck_assert_int_eq(opening.frozen, reason != NULL);
    if (reason)
        ck_assert_text(opening.reason, reason);
}

static int64_t open_between(const struct calendar *calendar, const char *from, const char *to)
{
    return calendar_open_seconds(calendar, at(from), at(to));
}

/* --- what users read in the documents -------------------------------------------------------- */

START_TEST(test_office_hours_with_easter_frozen)
{
    const struct calendar_window office = window("Mon Tue Wed Thu", "09:00", "16:00");
    const struct calendar_freeze easter = freeze("2027-03-29", "2027-04-05", "Easter");
    struct calendar *calendar = calendar_of(&office, 1, &easter, 1, use_zone("Europe/Berlin"));
    check_next(calendar, "2027-03-24T10:00:00+01:00", "2027-03-24T10:00:00+01:00", NULL);
    check_next(calendar, "2027-03-24T16:00:00+01:00", "2027-03-25T09:00:00+01:00", NULL);
    check_next(calendar, "2027-03-25T15:59:59+01:00", "2027-03-25T15:59:59+01:00", NULL);
    /* Over the weekend and the change to summer time, into the freeze. */
    check_next(calendar, "2027-03-25T16:00:00+01:00", "2027-04-06T09:00:00+02:00", "Easter");
    check_next(calendar, "2027-04-03T12:00:00+02:00", "2027-04-06T09:00:00+02:00", "Easter");
    /* The freeze is over before anything would be open. */
    check_next(calendar, "2027-04-05T16:00:00+02:00", "2027-04-06T09:00:00+02:00", NULL);
    ck_assert(!calendar_is_open(calendar, at("2027-04-05T15:59:59+02:00")));
    ck_assert(calendar_is_open(calendar, at("2027-04-06T09:00:00+02:00")));
    ck_assert_int_eq(calendar_opening_end(calendar, at("2027-04-06T09:00:00+02:00")),
                     at("2027-04-06T16:00:00+02:00"));
    ck_assert_int_eq(calendar_opening_end(calendar, at("2027-04-05T09:00:00+02:00")),
                     at("2027-04-05T09:00:00+02:00"));
    ck_assert_int_eq(open_between(calendar, "2027-03-22", "2027-04-12"), 7 * 7 * 3600);
    int64_t then;
    ck_assert(calendar_after_open(calendar, at("2027-03-25T15:00:00+01:00"), 5400, &then));
    ck_assert_int_eq(then, at("2027-04-06T09:30:00+02:00"));
    ck_assert(calendar_after_open(calendar, at("2027-03-25T15:00:00+01:00"), 3600, &then));
    ck_assert_int_eq(then, at("2027-03-25T16:00:00+01:00"));
    calendar_free(calendar);
    zone_files_dispose(&files);
}
END_TEST

START_TEST(test_without_windows_all_is_open)
{
    struct calendar *calendar = calendar_of(NULL, 0, NULL, 0, NULL);
    int64_t then;
    check_next(calendar, "2027-03-28T02:30:00Z", "2027-03-28T02:30:00Z", NULL);
    ck_assert_int_eq(calendar_opening_end(calendar, 0), INT64_MAX);
    ck_assert_int_eq(open_between(calendar, "2027-01-01", "2028-01-01"), 365 * 86400);
    ck_assert(calendar_after_open(calendar, 5, 7 * 86400, &then));
    ck_assert_int_eq(then, 5 + 7 * 86400);
    ck_assert(calendar_after_open(calendar, 5, 0, &then));
    ck_assert_int_eq(then, 5);
    ck_assert_int_eq(calendar_open_seconds(calendar, 10, 5), 0);
    calendar_free(calendar);
    const struct calendar_freeze leap = freeze("2028-02-29", "2028-02-29", "");
    calendar = calendar_of(NULL, 0, &leap, 1, NULL);
    ck_assert_int_eq(calendar_opening_end(calendar, at("2028-01-01")), at("2028-02-29"));
    check_next(calendar, "2028-02-29T12:00:00Z", "2028-03-01", "");
    ck_assert_int_eq(open_between(calendar, "2028-02-01", "2028-03-01"), 28 * 86400);
    calendar_free(calendar);
}
END_TEST

START_TEST(test_windows_over_midnight)
{
    const struct calendar_window windows[] = {window("Sun", "22:00", "02:00"),
                                              window("Wed", "08:00", "24:00"),
                                              window("Thu", "00:00", "01:00")};
    struct calendar *calendar = calendar_of(windows, COUNT_OF(windows), NULL, 0, NULL);
    /* 2027-01-10 is a Sunday. */
    check_next(calendar, "2027-01-10", "2027-01-10T22:00:00Z", NULL);
    ck_assert_int_eq(calendar_opening_end(calendar, at("2027-01-10T23:00:00Z")),
                     at("2027-01-11T02:00:00Z"));
    check_next(calendar, "2027-01-11T02:00:00Z", "2027-01-13T08:00:00Z", NULL);
    ck_assert_int_eq(calendar_opening_end(calendar, at("2027-01-13T08:00:00Z")),
                     at("2027-01-14T01:00:00Z"));
    ck_assert_int_eq(open_between(calendar, "2027-01-11", "2027-01-18"), (4 + 17) * 3600);
    calendar_free(calendar);
    /* From one time to the same one is a whole day. */
    const struct calendar_window whole = window("Sat", "09:00", "09:00");
    calendar = calendar_of(&whole, 1, NULL, 0, NULL);
    ck_assert_int_eq(open_between(calendar, "2027-01-11", "2027-01-25"), 2 * 86400);
    calendar_free(calendar);
}
END_TEST

START_TEST(test_a_gap_shortens_and_an_overlap_repeats)
{
    const struct calendar_window night = window("", "01:00", "02:30");
    struct calendar *calendar = calendar_of(&night, 1, NULL, 0, use_zone("Europe/Berlin"));
    ck_assert_int_eq(open_between(calendar, "2027-03-27T20:00:00Z", "2027-03-28T20:00:00Z"), 3600);
    ck_assert_int_eq(calendar_opening_end(calendar, at("2027-03-28T01:00:00+01:00")),
                     at("2027-03-28T03:00:00+02:00"));
    ck_assert_int_eq(open_between(calendar, "2027-10-30T20:00:00Z", "2027-10-31T20:00:00Z"),
                     90 * 60 + 30 * 60);
    ck_assert_int_eq(calendar_opening_end(calendar, at("2027-10-31T01:00:00+02:00")),
                     at("2027-10-31T02:30:00+02:00"));
    check_next(calendar, "2027-10-31T02:30:00+02:00", "2027-10-31T02:00:00+01:00", NULL);
    calendar_free(calendar);
    zone_files_dispose(&files);
}
END_TEST

/* Samoa had no 2011-12-30, a Friday. */
START_TEST(test_a_day_that_does_not_exist)
{
    const struct calendar_window fridays[] = {window("Fri", "09:00", "16:00"),
                                              window("Fri", "22:00", "04:00")};
    struct calendar *calendar = calendar_of(fridays, 2, NULL, 0, use_zone("Pacific/Apia"));
    /* Of Friday's night there is what Saturday has of it. */
    check_next(calendar, "2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", NULL);
    ck_assert_int_eq(
        open_between(calendar, "2011-12-29T12:00:00-10:00", "2012-01-06T00:00:00+14:00"), 4 * 3600);
    calendar_free(calendar);
    const struct calendar_freeze lost = freeze("2011-12-30", "2011-12-30", "lost");
    calendar = calendar_of(NULL, 0, &lost, 1, zone_named(&files, "Pacific/Apia"));
    ck_assert_int_eq(
        open_between(calendar, "2011-12-29T12:00:00-10:00", "2012-01-01T00:00:00+14:00"),
        36 * 3600);
    calendar_free(calendar);
    zone_files_dispose(&files);
}
END_TEST

START_TEST(test_a_calendar_that_never_opens)
{
    const struct calendar_window night = window("Sun", "02:10", "02:20");
    const struct calendar_freeze freezes[] = {freeze("2027-01-01", "2031-06-30", "war"),
                                              freeze("2031-06-01", "2040-12-31", "and peace")};
    struct calendar *calendar = calendar_of(&night, 1, freezes, 2, use_zone("Europe/Berlin"));
    struct calendar_opening opening;
    struct error error = {0};
    int64_t then;
    ck_assert(!calendar_next_opening(calendar, at("2027-03-01"), &opening));
    ck_assert_int_eq(opening.at, INT64_MAX);
    ck_assert(opening.frozen);
    ck_assert_text(opening.reason, "war");
    ck_assert(!calendar_after_open(calendar, at("2027-03-01"), 1, &then));
    ck_assert_int_eq(then, INT64_MAX);
    ck_assert_int_eq(calendar_lint(calendar, at("2027-03-01"), &error), STATUS_INVALID);
    ck_assert_str_eq(error.message, "calendar never opens in the ten years after 2027-03-01: "
                                    "shorten a \"freeze\" or widen \"allow\"");
    ck_assert_int_eq(calendar_lint(calendar, at("2026-03-01"), &error), STATUS_OK);
    ck_assert_int_eq(calendar_lint(calendar, at("2031-03-01"), &error), STATUS_OK);
    calendar_free(calendar);
    zone_files_dispose(&files);
}
END_TEST

START_TEST(test_ends_of_time_and_hostile_numbers)
{
    const struct calendar_window office = window("", "09:00", "16:00");
    struct calendar *calendar = calendar_of(&office, 1, NULL, 0, NULL);
    struct calendar_opening opening;
    int64_t then;
    ck_assert_int_eq(calendar_open_seconds(calendar, INT64_MIN, INT64_MAX),
                     (ZONE_TIME_MAXIMUM + 1 - ZONE_TIME_MINIMUM) / 86400 * 7 * 3600);
    ck_assert(!calendar_next_opening(calendar, INT64_MAX, &opening));
    ck_assert(calendar_next_opening(calendar, INT64_MIN, &opening));
    ck_assert_int_eq(opening.at, ZONE_TIME_MINIMUM + 9 * 3600);
    ck_assert(!calendar_after_open(calendar, 0, INT64_MAX, &then));
    ck_assert(!calendar_is_open(calendar, INT64_MAX));
    ck_assert(calendar_after_open(calendar, INT64_MIN, 1, &then));
    calendar_free(calendar);
}
END_TEST

START_TEST(test_what_is_no_calendar)
{
    const struct calendar_window windows[] = {{.from = -1, .to = 5},
                                              {.from = 86400, .to = 5},
                                              {.from = 0, .to = 86401},
                                              {.from = 0, .to = 5, .days = 0x80}};
    struct calendar_window many[CALENDAR_MAX_WINDOWS + 1] = {{0}};
    struct calendar_freeze frozen[CALENDAR_MAX_FREEZES + 1] = {{0}};
    struct calendar *calendar;
    struct error error = {0};
    for (size_t i = 0; i < COUNT_OF(windows); i++) {
        ck_assert_int_eq(calendar_new(&windows[i], 1, NULL, 0, NULL, &calendar, &error),
                         STATUS_INVALID);
        ck_assert_str_eq(error.message, "window 1 of the calendar is none: \"from\" is 00:00 to "
                                        "23:59, \"to\" is 00:00 to 24:00");
    }
    ck_assert_int_eq(calendar_new(many, COUNT_OF(many), NULL, 0, NULL, &calendar, &error),
                     STATUS_LIMIT);
    ck_assert_str_eq(error.message, "calendar has 65 windows, at most 64 are allowed");
    ck_assert_int_eq(calendar_new(NULL, 0, frozen, COUNT_OF(frozen), NULL, &calendar, &error),
                     STATUS_LIMIT);
    ck_assert_str_eq(error.message, "calendar has 257 freezes, at most 256 are allowed");
    frozen[1] = (struct calendar_freeze){.first = 5, .last = 4};
    ck_assert_int_eq(calendar_new(NULL, 0, frozen, 2, NULL, &calendar, &error), STATUS_INVALID);
    ck_assert_str_eq(error.message, "freeze 2 of the calendar is none: \"to\" is before \"from\"");
    ck_assert_ptr_null(calendar);
    /* All that is allowed at once. */
    for (size_t i = 0; i < CALENDAR_MAX_WINDOWS; i++)
        many[i] = (struct calendar_window){.from = (int32_t)i * 600 + 85000 - 38000, .to = 40};
    for (size_t i = 0; i < CALENDAR_MAX_FREEZES; i++)
        frozen[i] = (struct calendar_freeze){.first = (int64_t)i * 3, .last = (int64_t)i * 3 + 1};
    calendar = calendar_of(many, CALENDAR_MAX_WINDOWS, frozen, CALENDAR_MAX_FREEZES, NULL);
    ck_assert_int_eq(calendar_open_seconds(calendar, 0, 256 * 3 * 86400),
                     256 * (40 + 86400 - 47000));
    calendar_free(calendar);
}
END_TEST

START_TEST(test_words)
{
    static const char *const times[] = {"9:00", "24:01", "25:00", "12:60",
                                        "12:5", "12-50", "ab:cd"};
    static const char *const dates[] = {"2027-02-29", "2027-13-01", "2027-00-01", "2027-01-00",
                                        "2027-1-1",   "2027/01/01", "20270101",   "2100-02-29"};
    int32_t seconds;
    int64_t day;
    uint8_t bit;
    for (size_t i = 0; i < COUNT_OF(times); i++)
        ck_assert_msg(!calendar_time_parse(text_of(times[i]), &seconds), "%s", times[i]);
    for (size_t i = 0; i < COUNT_OF(dates); i++)
        ck_assert_msg(!calendar_date_parse(text_of(dates[i]), &day), "%s", dates[i]);
    ck_assert(calendar_time_parse(TEXT("24:00"), &seconds));
    ck_assert_int_eq(seconds, 86400);
    ck_assert(calendar_date_parse(TEXT("2028-02-29"), &day));
    ck_assert_int_eq(day * 86400, at("2028-02-29"));
    ck_assert(calendar_day_parse(TEXT("Sun"), &bit));
    ck_assert_int_eq(bit, 64);
    ck_assert(!calendar_day_parse(TEXT("sun"), &bit) && !calendar_day_parse(TEXT(""), &bit));
}
END_TEST

/* --- minute by minute ------------------------------------------------------------------------ */

#define SPAN_DAYS 24
#define SPAN_MINUTES (SPAN_DAYS * 1440)

struct random_calendar {
    struct calendar_window windows[4];
    struct calendar_freeze freezes[3];
    size_t window_count, freeze_count;
};

static struct random_calendar random_calendar(uint64_t *seed, int64_t first_day)
{
    static const char *const reasons[] = {"one", "two", "three"};
    struct random_calendar random = {.window_count = draw(seed) % 5,
                                     .freeze_count = draw(seed) % 4};
    for (size_t i = 0; i < random.window_count; i++)
        random.windows[i] =
            (struct calendar_window){.days = draw(seed) % 4 ? (uint8_t)(draw(seed) & 0x7f) : 0,
                                     .from = (int32_t)draw_between(seed, 0, 1439) * 60,
                                     .to = (int32_t)draw_between(seed, 0, 1440) * 60};
    for (size_t i = 0; i < random.freeze_count; i++) {
        int64_t first = first_day + draw_between(seed, 0, SPAN_DAYS);
        random.freezes[i] =
            (struct calendar_freeze){first, first + draw_between(seed, 0, 4), text_of(reasons[i])};
    }
    return random;
}

/* The meaning, word by word, at a local time. */
static bool is_allowed(const struct random_calendar *random, int64_t local)
{
    int64_t day = floor_divide(local, 86400), second = local - day * 86400;
    unsigned today = 1U << weekday_of_day(day), yesterday = 1U << weekday_of_day(day - 1);
    for (size_t i = 0; i < random->window_count; i++) {
        const struct calendar_window *window = &random->windows[i];
        unsigned days = window->days ? window->days : 0x7f;
        bool over_midnight = window->to <= window->from;
        if ((days & today) && second >= window->from && (over_midnight || second < window->to))
            return true;
        if (over_midnight && (days & yesterday) && second < window->to)
            return true;
    }
    return random->window_count == 0;
}

/* 0, or 1 + the place of a freeze that holds the date. */
static bool is_frozen(const struct random_calendar *random, int64_t local, struct text reason)
{
    int64_t day = floor_divide(local, 86400);
    for (size_t i = 0; i < random->freeze_count; i++)
        if (random->freezes[i].first <= day && day <= random->freezes[i].last &&
            (!reason.data || text_equal(reason, random->freezes[i].reason)))
            return true;
    return false;
}

static bool allowed[SPAN_MINUTES], open_[SPAN_MINUTES];
static int64_t before[SPAN_MINUTES + 1]; /* open minutes before one */

static void count_minutes(const struct random_calendar *random, int64_t start)
{
    for (int i = 0; i < SPAN_MINUTES; i++) {
        int64_t local = local_by_libc(start + (int64_t)i * 60);
        allowed[i] = is_allowed(random, local);
        open_[i] = allowed[i] && !is_frozen(random, local, (struct text){NULL, 0});
        before[i + 1] = before[i] + open_[i];
    }
}

static void check_opening(const char *place, const struct calendar *calendar,
                          const struct random_calendar *random, int64_t start, int i)
{
    struct calendar_opening opening;
    int next = i, next_allowed = i, end = i;
    while (next < SPAN_MINUTES && !open_[next])
        next++;
    while (next_allowed < SPAN_MINUTES && !allowed[next_allowed])
        next_allowed++;
    while (end < SPAN_MINUTES && open_[end])
        end++;
    int64_t instant = start + (int64_t)i * 60;
    assert_each(calendar_is_open(calendar, instant) == open_[i], "%s from %lld, minute %d", place,
                (long long)start, i);
    bool opens = calendar_next_opening(calendar, instant, &opening);
    if (next < SPAN_MINUTES) {
        assert_each(opens, "%s from %lld, minute %d", place, (long long)start, i);
        assert_each(opening.at == start + (int64_t)next * 60, "%s from %lld, minute %d", place,
                    (long long)start, i);
        assert_each(opening.frozen == (next_allowed < next), "%s from %lld, minute %d", place,
                    (long long)start, i);
        if (opening.frozen)
            assert_each(is_frozen(random, local_by_libc(start + (int64_t)next_allowed * 60),
                                  opening.reason),
                        "%s from %lld, minute %d", place, (long long)start, i);
    } else {
        assert_each(opening.at >= start + (int64_t)SPAN_MINUTES * 60, "%s from %lld, minute %d",
                    place, (long long)start, i);
    }
    if (end < SPAN_MINUTES)
        assert_each(calendar_opening_end(calendar, instant) == start + (int64_t)end * 60,
                    "%s from %lld, minute %d", place, (long long)start, i);
}

static void check_sums(const char *place, const struct calendar *calendar, int64_t start, int i,
                       int j, uint64_t *seed)
{
    int64_t from = start + (int64_t)i * 60, to = start + (int64_t)j * 60, then;
    int64_t seconds = calendar_open_seconds(calendar, from, to);
    assert_each(seconds == (before[j] - before[i]) * 60, "%s from %lld, minute %d", place,
                (long long)start, i);
    if (seconds == 0)
        return;
    /* The inverse is the earliest one. */
    int64_t wanted = draw_between(seed, 1, seconds);
    assert_each(calendar_after_open(calendar, from, wanted, &then), "%s from %lld, minute %d",
                place, (long long)start, i);
    assert_each(then <= to, "%s from %lld, minute %d", place, (long long)start, i);
    assert_each(calendar_open_seconds(calendar, from, then) == wanted, "%s from %lld, minute %d",
                place, (long long)start, i);
    assert_each(calendar_open_seconds(calendar, from, then - 1) == wanted - 1,
                "%s from %lld, minute %d", place, (long long)start, i);
}

START_TEST(test_random_calendars_minute_by_minute)
{
    static const struct {
        const char *zone, *start;
    } places[] = {
        {"Europe/Berlin", "2027-03-16"},       {"Europe/Berlin", "2027-10-20"},
        {"America/New_York", "2027-03-05"},    {"America/New_York", "2027-10-28"},
        {"Australia/Lord_Howe", "2027-03-25"}, {"Australia/Lord_Howe", "2027-09-25"},
        {"Africa/Casablanca", "2027-02-01"},   {"Africa/Casablanca", "2027-03-05"},
        {"Pacific/Apia", "2011-12-18"},        {"UTC", "2028-02-18"},
        {"Asia/Kathmandu", "2026-12-20"},      {"Antarctica/Troll", "2040-03-15"},
    };
    uint64_t seed = 20270111;
    for (size_t p = 0; p < COUNT_OF(places); p++) {
        const struct zone *zone = use_zone(places[p].zone);
        int64_t start = at(places[p].start);
        for (int round = 0; round < 12; round++) {
            struct random_calendar random = random_calendar(&seed, start / 86400);
            struct calendar *calendar = calendar_of(random.windows, random.window_count,
                                                    random.freezes, random.freeze_count, zone);
            count_minutes(&random, start);
            for (int n = 0; n < 400; n++) {
                int i = (int)draw_between(&seed, 0, SPAN_MINUTES - 1);
                int j = (int)draw_between(&seed, i, SPAN_MINUTES);
                check_opening(places[p].zone, calendar, &random, start, i);
                check_sums(places[p].zone, calendar, start, i, j, &seed);
            }
            /* Each minute in which something begins or ends. */
            for (int i = 1; i < SPAN_MINUTES; i++)
                if (open_[i] != open_[i - 1]) {
                    check_opening(places[p].zone, calendar, &random, start, i - 1);
                    check_opening(places[p].zone, calendar, &random, start, i);
                }
            calendar_free(calendar);
        }
        zone_files_dispose(&files);
    }
}
END_TEST

UNIT_MAIN("calendar", test_office_hours_with_easter_frozen, test_without_windows_all_is_open,
          test_windows_over_midnight, test_a_gap_shortens_and_an_overlap_repeats,
          test_a_day_that_does_not_exist, test_a_calendar_that_never_opens,
          test_ends_of_time_and_hostile_numbers, test_what_is_no_calendar, test_words,
          test_random_calendars_minute_by_minute)
