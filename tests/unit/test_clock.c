#include "unit.h"

#include "../../controller/clock.h"

/* A clock that says what it is told. */
struct fake {
    int64_t wall;
    uint64_t random;
};

static int64_t fake_wall(void *self)
{
    return ((struct fake *)self)->wall;
}

static uint64_t fake_random(void *self)
{
    return ((struct fake *)self)->random;
}

static struct clock fake_clock(struct fake *fake)
{
    return (struct clock){fake_wall, fake_wall, fake_random, fake};
}

START_TEST(test_system_clock)
{
    int64_t before = system_clock.monotonic(NULL);
    ck_assert_int_gt(clock_seconds(&system_clock), 1700000000);
    ck_assert_int_lt(clock_seconds(&system_clock), INT64_C(7000000000));
    ck_assert_int_ge(system_clock.monotonic(NULL), before);
    uint64_t first = system_clock.random(NULL);
    bool differs = false;
    for (int i = 0; i < 4; i++)
        differs |= system_clock.random(NULL) != first;
    ck_assert(differs);
}
END_TEST

START_TEST(test_whole_seconds)
{
    struct fake fake = {0};
    struct clock clock = fake_clock(&fake);
    static const struct {
        int64_t nanoseconds, seconds;
    } cases[] = {{0, 0},   {999999999, 0},    {1000000000, 1},
                 {-1, -1}, {-1000000000, -1}, {-1000000001, -2}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fake.wall = cases[i].nanoseconds;
        ck_assert_int_eq(clock_seconds(&clock), cases[i].seconds);
    }
}
END_TEST

START_TEST(test_jitter_keeps_its_bounds)
{
    struct fake fake = {0};
    struct clock clock = fake_clock(&fake);
    fake.random = 0;
    ck_assert_int_eq(clock_jitter(&clock, 1000, 10), 900);
    fake.random = UINT64_MAX;
    ck_assert_int_eq(clock_jitter(&clock, 1000, 10), 1100);
    fake.random = UINT64_C(1) << 63;
    ck_assert_int_eq(clock_jitter(&clock, 1000, 10), 1000);
    ck_assert_int_eq(clock_jitter(&clock, 1000, 0), 1000);
    ck_assert_int_eq(clock_jitter(&clock, 0, 50), 0);
    ck_assert_int_eq(clock_jitter(&clock, -5, 50), -5);
    fake.random = 0;
    ck_assert_int_eq(clock_jitter(&clock, 1000, 500), 0);
    fake.random = UINT64_MAX;
    ck_assert_int_eq(clock_jitter(&clock, INT64_MAX, 100), INT64_MAX);
    int64_t low = INT64_MAX, high = 0;
    for (int i = 0; i < 2000; i++) {
        int64_t wait = clock_jitter(&system_clock, 1000000, 20);
        ck_assert_int_ge(wait, 800000);
        ck_assert_int_le(wait, 1200000);
        low = wait < low ? wait : low;
        high = wait > high ? wait : high;
    }
    ck_assert_int_lt(low, 840000);
    ck_assert_int_gt(high, 1160000);
}
END_TEST

START_TEST(test_backoff_doubles_up_to_its_maximum)
{
    struct fake fake = {.random = UINT64_MAX};
    struct clock clock = fake_clock(&fake);
    static const int64_t longest[] = {200, 400, 800, 1600, 3000, 3000};
    for (unsigned i = 0; i < COUNT_OF(longest); i++)
        ck_assert_int_eq(clock_backoff(&clock, i + 1, 200, 3000), longest[i]);
    fake.random = 0;
    for (unsigned i = 0; i < COUNT_OF(longest); i++)
        ck_assert_int_eq(clock_backoff(&clock, i + 1, 200, 3000), longest[i] / 2);
    fake.random = UINT64_MAX;
    ck_assert_int_eq(clock_backoff(&clock, 0, 200, 3000), 200);
    ck_assert_int_eq(clock_backoff(&clock, UINT32_MAX, 200, 3000), 3000);
    ck_assert_int_eq(clock_backoff(&clock, UINT32_MAX, 3, INT64_MAX), INT64_MAX);
    ck_assert_int_eq(clock_backoff(&clock, 1, 5000, 3000), 3000);
    ck_assert_int_eq(clock_backoff(&clock, 3, 0, 3000), 0);
}
END_TEST

START_TEST(test_time_as_text)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {951782400, "2000-02-29T00:00:00Z"},
        {INT64_C(1795383000), "2026-11-22T21:30:00Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {INT64_C(253402300799), "9999-12-31T23:59:59Z"},
        {INT64_MAX, "9999-12-31T23:59:59Z"},
        {INT64_MIN, "0000-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[TIME_TEXT_SIZE];
        time_format(cases[i].seconds, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(test_durations)
{
    static const struct {
        const char *text;
        int64_t nanoseconds;
    } good[] = {
        {"250ms", 250 * NANOSECONDS_PER_MILLISECOND},
        {"0s", 0},
        {"10s", 10 * NANOSECONDS_PER_SECOND},
        {"5m", 300 * NANOSECONDS_PER_SECOND},
        {"1h", 3600 * NANOSECONDS_PER_SECOND},
        {"2d", 172800 * NANOSECONDS_PER_SECOND},
        {"1w", 604800 * NANOSECONDS_PER_SECOND},
        {"9223372036s", INT64_C(9223372036) * NANOSECONDS_PER_SECOND},
    };
    static const char *const bad[] = {
        "",
        "s",
        "10",
        "10 s",
        " 10s",
        "10s ",
        "-1s",
        "+1s",
        "1.5s",
        "1h30m",
        "1S",
        "1y",
        "ms",
        "0x1s",
        "1us",
        "10sm",
        "9223372037s",
        "9223372036854775808ms",
        "99999999999999999999999s",
        "15251w",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t value = -1;
        ck_assert_msg(duration_parse(text_of(good[i].text), &value), "'%s' was refused",
                      good[i].text);
        ck_assert_int_eq(value, good[i].nanoseconds);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t value;
        ck_assert_msg(!duration_parse(text_of(bad[i]), &value), "'%s' was taken", bad[i]);
    }
    int64_t value;
    ck_assert(!duration_parse((struct text){"5s\0", 3}, &value));
    ck_assert(!duration_parse((struct text){NULL, 0}, &value));
}
END_TEST

UNIT_MAIN("clock", test_system_clock, test_whole_seconds, test_jitter_keeps_its_bounds,
          test_backoff_doubles_up_to_its_maximum, test_time_as_text, test_durations)
