/* calendar_private.h - a calendar as it is asked: local time only, with sums kept, so that open
 * seconds of any stretch are two look-ups. Shared by calendar*.c. */
#ifndef WEIR_CALENDAR_PRIVATE_H
#define WEIR_CALENDAR_PRIVATE_H

#include "calendar.h"

/* Open hours of a week, local seconds after Monday 00:00, disjoint and ascending. */
struct hours {
    int32_t from, to;
    int32_t before; /* open seconds of the week before `from` */
};

/* Frozen dates, disjoint and ascending. */
struct frozen {
    int64_t from, to; /* local seconds since 1970: [from, to) */
    int64_t before;   /* open seconds that earlier entries take away */
    struct text reason;
};

struct calendar {
    const struct zone *zone;
    size_t hour_count, freeze_count;
    int32_t weekly; /* open seconds of a week without freezes */
    struct hours *hours;
    struct frozen *freezes;
};

/* calendar_local.c. Open seconds up to a local time, counted from some fixed start; only
 * differences mean something. */
int64_t local_allowed(const struct calendar *calendar, int64_t local); /* freezes left out */
int64_t local_open(const struct calendar *calendar, int64_t local);
/* The frozen dates that hold a local time, or NULL. */
const struct frozen *local_frozen(const struct calendar *calendar, int64_t local);

#endif
