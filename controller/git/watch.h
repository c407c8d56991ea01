/* watch.h - ends a network operation that was told to stop or hears nothing from the other side.
 *
 * libgit2 1.5 and libssh2 wait for ever on a silent server, and libssh2 reads from the socket
 * itself, past any timeout set on it. So while an operation has a socket, a thread looks at it ten
 * times a second: when *stop is true, or nothing moved for `patience`, the socket is shut down and
 * what waits on it returns. Operations without a socket (file URLs) cost no thread. */
#ifndef WEIR_GIT_WATCH_H
#define WEIR_GIT_WATCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "../../rules/base.h"

#define WATCH_TICK_MS 100

struct watch {
    _Atomic bool *stop;        /* borrowed; NULL: never */
    unsigned patience;         /* milliseconds */
    _Atomic uint64_t activity; /* rises with every sign of life that the socket does not show */
    _Atomic bool expired;      /* patience ran out */
    pthread_mutex_t lock;      /* over socket */
    int socket;                /* -1: none */
    int wake;                  /* an eventfd that ends the thread; -1 while there is no thread */
    pthread_t thread;
};

/* Makes `watch` the one of this thread's streams until watch_end(). */
enum status watch_begin(struct watch *watch, _Atomic bool *stop, unsigned patience,
                        struct error *error);
void watch_end(struct watch *watch);
/* The watch of this thread, or NULL. */
struct watch *watch_current(void);

bool watch_is_stopped(const struct watch *watch);
/* Stopped, or out of patience: nothing new is to be begun. */
bool watch_is_over(const struct watch *watch);
static inline void watch_note_activity(struct watch *watch)
{
    atomic_fetch_add_explicit(&watch->activity, 1, memory_order_relaxed);
}

/* From now on `socket` is looked at; false when the thread cannot be started. */
bool watch_attach(struct watch *watch, int socket);
/* Before the socket is closed, so that no other file of that number is shut down. */
void watch_detach(struct watch *watch, int socket);

#endif
