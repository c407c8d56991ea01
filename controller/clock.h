/* clock.h - time and chance, handed in, so that tests decide both.
 *
 * Nothing in controller/ calls time(), clock_gettime(), nanosleep() or random() but clock.c. */
#ifndef WEIR_CLOCK_H
#define WEIR_CLOCK_H

#include "../rules/base.h"

struct clock {
    int64_t (*wall)(void *self);      /* nanoseconds since 1970 */
    int64_t (*monotonic)(void *self); /* nanoseconds since some start */
    uint64_t (*random)(void *self);   /* 64 random bits */
    void *self;
};

extern const struct clock system_clock;

int64_t clock_seconds(const struct clock *clock); /* wall, whole seconds since 1970 */

/* `base` ± `percent` %, evenly spread: so that a fleet does not poll in step. */
int64_t clock_jitter(const struct clock *clock, int64_t base, unsigned percent);

/* Exponential backoff with full jitter: after `attempt` failures (1…) a wait in [½d, d] with
 * d = min(base · 2^(attempt−1), maximum). Nanoseconds. */
int64_t clock_backoff(const struct clock *clock, unsigned attempt, int64_t base, int64_t maximum);

#define NANOSECONDS_PER_SECOND INT64_C(1000000000)
#define NANOSECONDS_PER_MILLISECOND INT64_C(1000000)
/* An instant in nanoseconds, as far as they reach (1677 to 2262): what people or files say of time
 * may lie beyond. */
static inline int64_t clock_nanoseconds(int64_t seconds)
{
    int64_t nanoseconds;
    if (__builtin_mul_overflow(seconds, NANOSECONDS_PER_SECOND, &nanoseconds))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return nanoseconds;
}

/* "2026-11-22T21:30:00Z" and its NUL. */
#define TIME_TEXT_SIZE 24
void time_format(int64_t seconds, char out[TIME_TEXT_SIZE]);
/* Durations as definitions and options write them: 10s, 5m, 1h, 2d, 1w, and 250ms. False when it is
 * none. */
bool duration_parse(struct text text, int64_t *nanoseconds);

#endif
