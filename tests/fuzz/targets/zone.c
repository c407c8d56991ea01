/* A TZif file. Refused with a message of one line; or its stretches follow each other without a
 * hole, each instant is in its own, and its local time leads back to it. A calendar over it counts
 * what it finds. */
#include "../../../rules/calendar.h"
#include "../fuzz.h"

#define STEPS 300

/* Times of changes in files are of these years, mostly. */
static const int64_t starts[] = {ZONE_TIME_MINIMUM, INT64_C(-3000000000), 0, INT64_C(1795383000),
                                 ZONE_TIME_MAXIMUM - 100000000};

static void check_instant(const struct zone *zone, int64_t instant)
{
    struct zone_span span = zone_span_at(zone, instant);
    struct zone_time time = zone_local(zone, instant);
    int64_t found[2];
    FUZZ_CHECK(span.from <= instant && instant < span.until, "%lld is not in its stretch",
               (long long)instant);
    FUZZ_CHECK(time.offset == span.offset && time.second >= 0 && time.hour < 24,
               "%lld: no local time", (long long)instant);
    if (instant < ZONE_TIME_MINIMUM + 200000 || instant > ZONE_TIME_MAXIMUM - 200000)
        return; /* its local time may lie outside of what is answered */
    enum zone_fit fit = zone_instants(zone, instant + span.offset, found);
    FUZZ_CHECK(fit != ZONE_NEVER && found[0] <= instant && instant <= found[1],
               "%lld: its local time leads to %lld and %lld", (long long)instant,
               (long long)found[0], (long long)found[1]);
}

static void check_stretches(const struct zone *zone, int64_t instant)
{
    for (int i = 0; i < STEPS; i++) {
        struct zone_span span = zone_span_at(zone, instant);
        check_instant(zone, instant);
        if (span.until >= ZONE_TIME_MAXIMUM)
            break;
        check_instant(zone, span.until - 1);
        FUZZ_CHECK(zone_span_at(zone, span.until).from == span.until, "a hole before %lld",
                   (long long)span.until);
        instant = span.until;
    }
}

static void check_calendar(const struct zone *zone, int64_t instant)
{
    const struct calendar_window office = {.days = 0x1f, .from = 9 * 3600, .to = 16 * 3600};
    const struct calendar_freeze freeze = {20000, 20010, TEXT("freeze")};
    struct calendar *calendar;
    struct calendar_opening opening;
    int64_t then;
    if (calendar_new(&office, 1, &freeze, 1, zone, &calendar, NULL) != STATUS_OK)
        return;
    if (calendar_next_opening(calendar, instant, &opening)) {
        FUZZ_CHECK(opening.at >= instant && calendar_is_open(calendar, opening.at) &&
                       calendar_open_seconds(calendar, instant, opening.at) == 0,
                   "%lld does not open at %lld", (long long)instant, (long long)opening.at);
        if (calendar_after_open(calendar, instant, 100000, &then))
            FUZZ_CHECK(calendar_open_seconds(calendar, instant, then) == 100000,
                       "%lld: not so many open seconds", (long long)instant);
    }
    calendar_free(calendar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct zone *zone;
    char *copy = fuzz_allocate(size);
    if (size)
        memcpy(copy, data, size);
    enum status status = zone_read((struct text){copy, size}, &zone, &error);
    if (status != STATUS_OK) {
        fuzz_check_error(status, &error);
    } else {
        for (size_t i = 0; i < COUNT_OF(starts); i++) {
            check_stretches(zone, starts[i]);
            check_calendar(zone, starts[i]);
        }
        zone_free(zone);
    }
    free(copy);
    return 0;
}
