#include "watch.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static _Thread_local struct watch *current;

enum status watch_begin(struct watch *watch, _Atomic bool *stop, unsigned patience,
                        struct error *error)
{
    *watch = (struct watch){.stop = stop, .patience = patience, .socket = -1, .wake = -1};
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

bool watch_is_over(const struct watch *watch)
{
    return watch_is_stopped(watch) || atomic_load(&watch->expired);
}

/* Bytes that came in or were acknowledged: what shows that the other side lives. */
static uint64_t moved_bytes(int socket)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return 0;
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
    uint64_t moved = watch->socket >= 0 ? moved_bytes(watch->socket) : 0;
    uint64_t activity = atomic_load(&watch->activity);
    if (watch->socket != pulse->socket || moved != pulse->moved || activity != pulse->activity)
        *pulse = (struct pulse){watch->socket, moved, activity, 0};
    else
        pulse->idle += WATCH_TICK_MS;
    if (watch->socket >= 0 && pulse->idle >= watch->patience)
        atomic_store(&watch->expired, true);
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
