#include "listeners.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../log.h"

#define RETRY_FIRST (250 * NANOSECONDS_PER_MILLISECOND)
/* As targets are pushed to: most outages are short, and their end is to be noticed. */
#define RETRY_SHORT (1 * NANOSECONDS_PER_SECOND)
#define RETRY_LONGEST (30 * NANOSECONDS_PER_SECOND)
#define SHORT_FAILURES 120

struct listener {
    struct listeners *all;
    size_t index;
    pthread_t thread;
    struct source_ear ear; /* between the source and the edge's */
    _Atomic bool hears;
};

struct listeners {
    const struct source_driver *driver;
    const void *source;
    const struct source_ear *ear;
    const struct clock *clock;
    int end; /* an eventfd, readable once the threads are to end */
    size_t count, started;
    struct listener each[];
};

static void hear(void *context)
{
    struct listener *listener = context;
    const struct source_ear *ear = listener->all->ear;
    if (!atomic_exchange(&listener->hears, true))
        log_event(LOG_LEVEL_INFO, "source_is_heard", NULL);
    ear->heard(ear->context);
}

/* True when the threads are to end. */
static bool rest(const struct listeners *all, int64_t nanoseconds)
{
    struct pollfd waited = {.fd = all->end, .events = POLLIN};
    return poll(&waited, 1, (int)(nanoseconds / NANOSECONDS_PER_MILLISECOND)) > 0;
}

static int64_t pause_after(const struct clock *clock, unsigned failures)
{
    if (failures <= SHORT_FAILURES)
        return clock_backoff(clock, failures, RETRY_FIRST, RETRY_SHORT);
    return clock_backoff(clock, failures - SHORT_FAILURES, RETRY_SHORT, RETRY_LONGEST);
}

static void *listener_main(void *context)
{
    struct listener *listener = context;
    struct listeners *all = listener->all;
    for (unsigned failures = 0;;) {
        struct error error = {0};
        enum status status =
            all->driver->listen(all->source, listener->index, &listener->ear, &error);
        if (status == STATUS_STOPPED)
            break;
        bool heard = atomic_exchange(&listener->hears, false);
        failures = heard ? 1 : failures + 1;
        if (failures == 1)
            log_event(LOG_LEVEL_WARN, "source_is_not_heard", "error", error.message, NULL);
        if (rest(all, pause_after(all->clock, failures)))
            break;
    }
    return NULL;
}

static enum status start_threads(struct listeners *all, struct error *error)
{
    for (size_t i = 0; i < all->count; i++) {
        struct listener *listener = &all->each[i];
        listener->all = all;
        listener->index = i;
        listener->ear = (struct source_ear){.heard = hear, .context = listener};
        if (pthread_create(&listener->thread, NULL, listener_main, listener) != 0)
            return error_set(error, STATUS_SYSTEM, "cannot start a thread");
        all->started++;
    }
    return STATUS_OK;
}

enum status listeners_start(const struct source_driver *driver, const void *source,
                            const struct source_ear *ear, const struct clock *clock,
                            struct listeners **out, struct error *error)
{
    size_t count = driver->channels ? driver->channels(source) : 0;
    *out = NULL;
    if (count == 0)
        return STATUS_OK;
    struct listeners *all = calloc(1, sizeof *all + count * sizeof all->each[0]);
    if (!all)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    all->driver = driver;
    all->source = source;
    all->ear = ear;
    all->clock = clock;
    all->count = count;
    all->end = eventfd(0, EFD_CLOEXEC);
    *out = all; /* the caller ends those that were started */
    return all->end < 0 ? error_set(error, STATUS_SYSTEM, "cannot make an eventfd: %m")
                        : start_threads(all, error);
}

bool listeners_hear(const struct listeners *listeners)
{
    bool all = listeners;
    for (size_t i = 0; all && i < listeners->count; i++)
        all = atomic_load(&listeners->each[i].hears);
    return all;
}

void listeners_stop(struct listeners *listeners)
{
    if (!listeners)
        return;
    const uint64_t one = 1;
    while (listeners->end >= 0 && write(listeners->end, &one, sizeof one) < 0 && errno == EINTR)
        ;
    for (size_t i = 0; i < listeners->started; i++)
        pthread_join(listeners->each[i].thread, NULL);
    if (listeners->end >= 0)
        close(listeners->end);
    free(listeners);
}
