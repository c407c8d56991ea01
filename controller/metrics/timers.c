#include "timers.h"

#include <stdlib.h>

void timers_dispose(struct timers *timers)
{
    free(timers->items);
    *timers = (struct timers){0};
}

bool timers_reserve(struct timers *timers, size_t count)
{
    size_t bytes;
    if (count <= timers->size)
        return true;
    if (!size_multiply(count, sizeof *timers->items, &bytes))
        return false;
    struct timer **items = realloc(timers->items, bytes);
    if (!items)
        return false;
    timers->items = items;
    timers->size = count;
    return true;
}

static void put(struct timers *timers, size_t place, struct timer *timer)
{
    timers->items[place] = timer;
    timer->place = place;
}

/* Moves the timer from a place that is free now to where it belongs. */
static void settle(struct timers *timers, size_t place, struct timer *timer)
{
    while (place > 0 && timers->items[(place - 1) / 2]->due > timer->due) {
        put(timers, place, timers->items[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (size_t child = 2 * place + 1; child < timers->count; child = 2 * place + 1) {
        if (child + 1 < timers->count && timers->items[child + 1]->due < timers->items[child]->due)
            child++;
        if (timers->items[child]->due >= timer->due)
            break;
        put(timers, place, timers->items[child]);
        place = child;
    }
    put(timers, place, timer);
}

void timers_set(struct timers *timers, struct timer *timer, int64_t due)
{
    size_t place = timer->place == TIMER_NOWHERE ? timers->count++ : timer->place;
    timer->due = due;
    settle(timers, place, timer);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;
    if (place == TIMER_NOWHERE)
        return;
    timer->place = TIMER_NOWHERE;
    struct timer *last = timers->items[--timers->count];
    if (last != timer)
        settle(timers, place, last);
}

struct timer *timers_first(const struct timers *timers)
{
    return timers->count ? timers->items[0] : NULL;
}
