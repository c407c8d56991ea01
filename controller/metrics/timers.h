/* timers.h - what is due when: a heap of instants.
 *
 * A timer is part of what it is for, and owns nothing. One that is in no heap has the place
 * TIMER_NOWHERE. Not for two threads at once. */
#ifndef WEIR_METRICS_TIMERS_H
#define WEIR_METRICS_TIMERS_H

#include "../../rules/base.h"

#define TIMER_NOWHERE SIZE_MAX

struct timer {
    int64_t due; /* monotonic nanoseconds */
    size_t place;
};

struct timers {
    struct timer **items;
    size_t count, size;
};

void timers_dispose(struct timers *timers); /* the timers themselves are their owners' */
/* Makes room, so that so many timers can be set without fail. */
bool timers_reserve(struct timers *timers, size_t count) MUST_CHECK;
/* Sets it to `due`, whether it was set before or not. There is room. */
void timers_set(struct timers *timers, struct timer *timer, int64_t due);
void timers_cancel(struct timers *timers, struct timer *timer);
/* The one that is due first; NULL: none. */
struct timer *timers_first(const struct timers *timers);

#endif
