#include "clock.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

/* --- the system's clock ---------------------------------------------------------------------- */

static int64_t read_clock(clockid_t id)
{
    struct timespec now = {0};
    clock_gettime(id, &now); /* cannot fail for the two ids below */
    return (int64_t)now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

static int64_t system_wall(void *self)
{
    (void)self;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic(void *self)
{
    (void)self;
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t system_random(void *self)
{
    (void)self;
    uint64_t bits;
    ssize_t got;
    do
        got = getrandom(&bits, sizeof bits, 0);
    while (got < 0 && errno == EINTR);
    /* Only a sandbox that forbids the call gets here. What is drawn spreads load, it keeps no
     * secret. */
    if (got != (ssize_t)sizeof bits)
        bits = (uint64_t)read_clock(CLOCK_MONOTONIC) * UINT64_C(0x9e3779b97f4a7c15);
    return bits;
}

const struct clock system_clock = {system_wall, system_monotonic, system_random, NULL};

/* --- waits ----------------------------------------------------------------------------------- */

int64_t clock_seconds(const struct clock *clock)
{
    int64_t now = clock->wall(clock->self);
    return now / NANOSECONDS_PER_SECOND - (now % NANOSECONDS_PER_SECOND < 0);
}

/* A number in [low, high]. The high bits decide, and no modulo favours the small ones. */
static int64_t draw(const struct clock *clock, int64_t low, int64_t high)
{
    unsigned __int128 range = (unsigned __int128)((uint64_t)high - (uint64_t)low) + 1;
    return low + (int64_t)(uint64_t)(range * clock->random(clock->self) >> 64);
}

int64_t clock_jitter(const struct clock *clock, int64_t base, unsigned percent)
{
    if (base <= 0)
        return base;
    if (percent > 100)
        percent = 100;
    int64_t spread = base / 100 * percent + base % 100 * percent / 100;
    int64_t high = base > INT64_MAX - spread ? INT64_MAX : base + spread;
    return draw(clock, base - spread, high);
}

int64_t clock_backoff(const struct clock *clock, unsigned attempt, int64_t base, int64_t maximum)
{
    int64_t wait = base < maximum ? base : maximum;
    if (wait <= 0)
        return 0;
    for (unsigned i = 1; i < attempt && wait < maximum; i++)
        wait = wait > maximum / 2 ? maximum : wait * 2;
    return draw(clock, wait - wait / 2, wait);
}

/* --- text ------------------------------------------------------------------------------------ */

#define FIRST_SECOND (-INT64_C(62167219200)) /* 0000-01-01T00:00:00Z */
#define LAST_SECOND INT64_C(253402300799)    /* 9999-12-31T23:59:59Z */

void time_format(int64_t seconds, char out[TIME_TEXT_SIZE])
{
    /* Years of more than four digits have no place in RFC 3339. */
    if (seconds < FIRST_SECOND)
        seconds = FIRST_SECOND;
    if (seconds > LAST_SECOND)
        seconds = LAST_SECOND;
    struct tm parts = {0};
    time_t time = (time_t)seconds;
    gmtime_r(&time, &parts);
    snprintf(out, TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ",
             (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)(parts.tm_mon + 1) % 100,
             (unsigned)parts.tm_mday % 100, (unsigned)parts.tm_hour % 100,
             (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100);
}

bool duration_parse(struct text text, int64_t *nanoseconds)
{
    static const struct {
        const char *name;
        int64_t length;
    } units[] = {
        {"ms", NANOSECONDS_PER_MILLISECOND},   {"s", NANOSECONDS_PER_SECOND},
        {"m", 60 * NANOSECONDS_PER_SECOND},    {"h", 3600 * NANOSECONDS_PER_SECOND},
        {"d", 86400 * NANOSECONDS_PER_SECOND}, {"w", 604800 * NANOSECONDS_PER_SECOND},
    };
    int64_t number = 0;
    size_t at = 0;
    for (; at < text.length && text.data[at] >= '0' && text.data[at] <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text.data[at] - '0', &number))
            return false;
    if (at == 0)
        return false;
    struct text unit = {text.data + at, text.length - at};
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (text_is(unit, units[i].name))
            return !__builtin_mul_overflow(number, units[i].length, nanoseconds);
    return false;
}
