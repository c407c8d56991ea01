/* Handles of one process write in the order in which they ask.
 *
 * SQLite does not queue: who finds the file held sleeps and tries again, and beside a thread that
 * writes one row after the other finds it held for seconds. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "sqlite_private.h"

struct waiter {
    struct waiter *next;
    bool has_turn;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t turned;
    bool is_taken;
    struct waiter *first, **last;
} turns = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .turned = PTHREAD_COND_INITIALIZER, .last = &turns.first};

/* Under the lock, as the next. */
static void take_out(struct waiter **link)
{
    *link = (*link)->next;
    if (!*link)
        turns.last = link;
}

static void wait_for_turn(struct waiter *waiter)
{
    struct timespec until;
    int result = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STORE_PATIENCE;
    *turns.last = waiter;
    turns.last = &waiter->next;
    while (!waiter->has_turn && result != ETIMEDOUT)
        result = pthread_cond_clockwait(&turns.turned, &turns.lock, CLOCK_MONOTONIC, &until);
    struct waiter **link = &turns.first;
    while (!waiter->has_turn && *link != waiter)
        link = &(*link)->next;
    if (!waiter->has_turn)
        take_out(link);
}

bool sqlite_take_turn(void)
{
    struct waiter waiter = {.next = NULL};
    pthread_mutex_lock(&turns.lock);
    if (turns.is_taken)
        wait_for_turn(&waiter);
    else
        turns.is_taken = waiter.has_turn = true;
    pthread_mutex_unlock(&turns.lock);
    return waiter.has_turn;
}

void sqlite_give_turn(void)
{
    pthread_mutex_lock(&turns.lock);
    struct waiter *next = turns.first;
    turns.is_taken = next != NULL;
    if (next) {
        take_out(&turns.first);
        next->has_turn = true;
        pthread_cond_broadcast(&turns.turned);
    }
    pthread_mutex_unlock(&turns.lock);
}
