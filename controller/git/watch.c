#include "watch.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../clock.h"

static _Thread_local struct watch *current;

static int64_t now(void)
{
    return system_clock.monotonic(system_clock.self);
}

enum status watch_begin(struct watch *watch, _Atomic bool *stop, const struct watch_limits *limits,
                        struct error *error)
{
    *watch = (struct watch){.stop = stop, .limits = *limits, .socket = -1, .wake = -1};
    atomic_store(&watch->bytes, limits->bytes);
    watch->until = limits->duration ? now() + limits->duration : INT64_MAX;
    if (pthread_mutex_init(&watch->lock, NULL) != 0)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a lock");
    current = watch;
    return STATUS_OK;
}

void watch_end(struct watch *watch)
{
    current = NULL;
    if (watch->wake >= 0) {
        eventfd_write(watch->wake, 1);
        pthread_join(watch->thread, NULL);
        close(watch->wake);
    }
    pthread_mutex_destroy(&watch->lock);
}

struct watch *watch_current(void)
{
    return current;
}

bool watch_is_stopped(const struct watch *watch)
{
    return watch->stop && atomic_load(watch->stop);
}

/* The first end stays the one that is told. */
static void finish(struct watch *watch, enum watch_end end)
{
    int none = WATCH_GOES_ON;
    atomic_compare_exchange_strong(&watch->end, &none, end);
}

bool watch_is_over(struct watch *watch)
{
    if (now() > watch->until)
        finish(watch, WATCH_LATE);
    return watch_is_stopped(watch) || atomic_load(&watch->end) != WATCH_GOES_ON;
}

void watch_allow_bytes(struct watch *watch, uint64_t bytes)
{
    atomic_store(&watch->bytes, bytes);
}

static bool is_place(const struct url_place *place, const char *host, unsigned long port)
{
    return strcasecmp(place->host, host) == 0 &&
           (place->port == port ||
            (strcmp(place->scheme, "http") == 0 && place->port == 80 && port == 443));
}

bool watch_route(const struct watch *watch, const char *host, const char *port,
                 struct url_place *out)
{
    const unsigned long number = strtoul(port, NULL, 10);
    const struct url_place *remote = &watch->limits.remote, *proxy = &watch->limits.proxy;
    if (number == 0 || number > UINT16_MAX || strlen(host) >= sizeof out->host)
        return false;
    *out = (struct url_place){.port = (uint16_t)number};
    snprintf(out->host, sizeof out->host, "%s", host);
    if (!remote->host[0] || (proxy->host[0] && is_place(proxy, host, number)))
        return true;
    if (!is_place(remote, host, number))
        return false;
    if (proxy->host[0])
        *out = *proxy;
    return true;
}

/* Bytes that came in or were acknowledged: what shows that the other side lives. */
static uint64_t moved_bytes(int socket, uint64_t *received)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    *received = 0;
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return 0;
    *received = info.tcpi_bytes_received;
    return info.tcpi_bytes_received + info.tcpi_bytes_acked;
}

struct pulse {
    int socket;
    uint64_t moved, activity;
    unsigned idle; /* milliseconds */
};

/* With the lock held. */
static void look(struct watch *watch, struct pulse *pulse)
{
    uint64_t received = 0, most = atomic_load(&watch->bytes);
    uint64_t moved = watch->socket >= 0 ? moved_bytes(watch->socket, &received) : 0;
    uint64_t activity = atomic_load(&watch->activity);
    if (watch->socket != pulse->socket || moved != pulse->moved || activity != pulse->activity)
        *pulse = (struct pulse){watch->socket, moved, activity, 0};
    else
        pulse->idle += WATCH_TICK_MS;
    if (watch->socket >= 0 && pulse->idle >= watch->limits.patience)
        finish(watch, WATCH_SILENT);
    if (most && received > most)
        finish(watch, WATCH_FLOODED);
    if (watch->socket >= 0 && watch_is_over(watch))
        shutdown(watch->socket, SHUT_RDWR);
}

static void *run(void *context)
{
    struct watch *watch = context;
    struct pulse pulse = {.socket = -1};
    struct pollfd wake = {.fd = watch->wake, .events = POLLIN};
    for (;;) {
        int ready = poll(&wake, 1, WATCH_TICK_MS);
        if (ready > 0)
            return NULL;
        if (ready < 0 && errno != EINTR)
            return NULL;
        pthread_mutex_lock(&watch->lock);
        look(watch, &pulse);
        pthread_mutex_unlock(&watch->lock);
    }
}

/* Signals are for other threads. */
static bool start(struct watch *watch)
{
    sigset_t all, before;
    watch->wake = eventfd(0, EFD_CLOEXEC);
    if (watch->wake < 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&watch->thread, NULL, run, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        close(watch->wake);
        watch->wake = -1;
    }
    return !failed;
}

bool watch_attach(struct watch *watch, int socket)
{
    if (watch->wake < 0 && !start(watch))
        return false;
    pthread_mutex_lock(&watch->lock);
    watch->socket = socket;
    pthread_mutex_unlock(&watch->lock);
    return true;
}

void watch_detach(struct watch *watch, int socket)
{
    pthread_mutex_lock(&watch->lock);
    if (watch->socket == socket)
        watch->socket = -1;
    pthread_mutex_unlock(&watch->lock);
}
