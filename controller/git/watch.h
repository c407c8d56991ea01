/* watch.h - ends a network operation that was told to stop, hears nothing from the other side,
 * takes too long or is sent too much.
 *
 * libgit2 1.5 and libssh2 wait for ever on a silent server, and libssh2 reads from the socket
 * itself, past any timeout set on it. So while an operation has a socket, a thread looks at it ten
 * times a second: when *stop is true or a limit is passed, the socket is shut down and what waits
 * on it returns. Operations without a socket (file URLs) cost no thread; they ask watch_is_over().
 *
 * It also says where sockets may lead: to the configured server or its proxy and nowhere else, so
 * that no redirect carries a secret away. */
#ifndef WEIR_GIT_WATCH_H
#define WEIR_GIT_WATCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "url.h"

#define WATCH_TICK_MS 100

/* What ended an operation before its time. */
enum watch_end { WATCH_GOES_ON, WATCH_SILENT, WATCH_LATE, WATCH_FLOODED };

struct watch_limits {
    unsigned patience;       /* milliseconds without a sign of life */
    int64_t duration;        /* nanoseconds from beginning to end; 0: any */
    uint64_t bytes;          /* that the other side may send; 0: any */
    struct url_place remote; /* where sockets may lead; an empty host: anywhere */
    struct url_place proxy;  /* and where else */
};

struct watch {
    _Atomic bool *stop;         /* borrowed; NULL: never */
    struct watch_limits limits; /* `bytes` excepted, not changed while it runs */
    _Atomic uint64_t bytes;     /* limits.bytes, as it is now */
    int64_t until;              /* by the monotonic clock */
    _Atomic uint64_t activity;  /* rises with every sign of life that the socket does not show */
    _Atomic int end;            /* enum watch_end */
    pthread_mutex_t lock;       /* over socket */
    int socket;                 /* -1: none */
    int wake;                   /* an eventfd that ends the thread; -1 while there is no thread */
    pthread_t thread;
};

/* Makes `watch` the one of this thread's streams until watch_end(). */
enum status watch_begin(struct watch *watch, _Atomic bool *stop, const struct watch_limits *limits,
                        struct error *error);
void watch_end(struct watch *watch);
/* The watch of this thread, or NULL. */
struct watch *watch_current(void);

bool watch_is_stopped(const struct watch *watch);
/* Stopped, or past a limit: nothing new is to be begun. */
bool watch_is_over(struct watch *watch);
/* More may be sent from here on: what a server says of itself is short, what it holds is not. */
void watch_allow_bytes(struct watch *watch, uint64_t bytes);
/* Where a socket to `host` and `port` leads: there, or to the proxy of a plain http server, which
 * libgit2 1.5 forgets. False when it may not be made at all. A server may send its clients from
 * http to https. */
bool watch_route(const struct watch *watch, const char *host, const char *port,
                 struct url_place *out);
static inline void watch_note_activity(struct watch *watch)
{
    atomic_fetch_add_explicit(&watch->activity, 1, memory_order_relaxed);
}

/* From now on `socket` is looked at; false when the thread cannot be started. */
bool watch_attach(struct watch *watch, int socket);
/* Before the socket is closed, so that no other file of that number is shut down. */
void watch_detach(struct watch *watch, int socket);

#endif
