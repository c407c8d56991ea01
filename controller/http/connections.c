#include "connections.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "../../rules/hash.h"

#define CHAINS ((size_t)4096)
#define TICK_MOST (500 * NANOSECONDS_PER_MILLISECOND)
#define TICK_LEAST (20 * NANOSECONDS_PER_MILLISECOND)
#define READ_RATE 65536 /* bytes a second that whoever reads an answer has to take */

struct connections {
    struct connections_parts parts;
    int64_t tick;
    uint64_t seed;        /* so that nobody can choose addresses of one chain */
    _Atomic int64_t now;  /* as of the last tick: requests need it no finer */
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t ended;
    bool ending;
    pthread_t thread;
    struct connection *chains[CHAINS];
};

/* --- the thread ------------------------------------------------------------------------------ */

static int64_t read_now(struct connections *connections)
{
    const struct clock *clock = connections->parts.clock;
    int64_t now = clock->monotonic(clock->self);
    atomic_store_explicit(&connections->now, now, memory_order_relaxed);
    return now;
}

/* The lock is held, so that none of the descriptors can have become somebody else's. */
static void shut_late_ones(struct connections *connections, int64_t now)
{
    for (size_t i = 0; i < CHAINS; i++) {
        for (struct connection *at = connections->chains[i]; at; at = at->next) {
            if (atomic_load_explicit(&at->deadline, memory_order_relaxed) >= now)
                continue;
            shutdown(at->descriptor, SHUT_RDWR);
            series_add(connections->parts.slow, 1);
            connection_stream(at); /* once is enough */
        }
    }
}

static void wait_for_tick(struct connections *connections)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + connections->tick;
    until.tv_sec += (time_t)(nanoseconds / NANOSECONDS_PER_SECOND);
    until.tv_nsec = (long)(nanoseconds % NANOSECONDS_PER_SECOND);
    pthread_cond_timedwait(&connections->ended, &connections->lock, &until);
}

static void *watch(void *argument)
{
    struct connections *connections = argument;
    pthread_mutex_lock(&connections->lock);
    while (!connections->ending) {
        int64_t now = read_now(connections);
        shut_late_ones(connections, now);
        if (connections->parts.tick) {
            pthread_mutex_unlock(&connections->lock);
            connections->parts.tick(connections->parts.context, now);
            pthread_mutex_lock(&connections->lock);
        }
        if (!connections->ending)
            wait_for_tick(connections);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

/* --- making and ending ----------------------------------------------------------------------- */

static bool init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool good = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(condition, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return good;
}

struct connections *connections_new(const struct connections_parts *parts)
{
    struct connections *connections = calloc(1, sizeof *connections);
    if (!connections)
        return NULL;
    connections->parts = *parts;
    connections->tick = parts->timeout / 8;
    if (connections->tick > TICK_MOST)
        connections->tick = TICK_MOST;
    if (connections->tick < TICK_LEAST)
        connections->tick = TICK_LEAST;
    connections->seed = parts->clock->random(parts->clock->self);
    atomic_init(&connections->now, parts->clock->monotonic(parts->clock->self));
    if (pthread_mutex_init(&connections->lock, NULL) != 0)
        goto no_lock;
    if (!init_condition(&connections->ended))
        goto no_condition;
    if (pthread_create(&connections->thread, NULL, watch, connections) == 0)
        return connections;
    pthread_cond_destroy(&connections->ended);
no_condition:
    pthread_mutex_destroy(&connections->lock);
no_lock:
    free(connections);
    return NULL;
}

void connections_free(struct connections *connections)
{
    if (!connections)
        return;
    pthread_mutex_lock(&connections->lock);
    connections->ending = true;
    pthread_cond_signal(&connections->ended);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->thread, NULL);
    pthread_cond_destroy(&connections->ended);
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

/* --- one connection -------------------------------------------------------------------------- */

/* What one party is taken to own: an IPv4 address, or an IPv6 network of 64 bits. */
static uint64_t hash_address(const struct connections *connections, const struct sockaddr *peer)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    if (peer && peer->sa_family == AF_INET) {
        memcpy(&in4, peer, sizeof in4);
        return hash_text_seeded((struct text){(const char *)&in4.sin_addr, 4}, connections->seed);
    }
    if (peer && peer->sa_family == AF_INET6) {
        memcpy(&in6, peer, sizeof in6);
        const char *bytes = (const char *)&in6.sin6_addr;
        return IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)
                   ? hash_text_seeded((struct text){bytes + 12, 4}, connections->seed)
                   : hash_text_seeded((struct text){bytes, 8}, connections->seed);
    }
    return 0;
}

/* The lock is held. */
static bool is_full(const struct connections *connections, uint64_t address)
{
    unsigned count = 0;
    if (connections->parts.per_address == 0)
        return false;
    for (const struct connection *at = connections->chains[address % CHAINS]; at; at = at->next)
        count += at->address == address;
    return count >= connections->parts.per_address;
}

static void set_deadline(struct connections *connections, struct connection *connection,
                         int64_t after)
{
    /* A tick more, since `now` is up to a tick old. */
    int64_t now = atomic_load_explicit(&connections->now, memory_order_relaxed);
    atomic_store_explicit(&connection->deadline, now + connections->tick + after,
                          memory_order_relaxed);
}

bool connection_open(struct connections *connections, struct connection *connection, int descriptor,
                     const struct sockaddr *peer)
{
    connection->descriptor = descriptor;
    connection->address = hash_address(connections, peer);
    set_deadline(connections, connection, connections->parts.timeout);
    struct connection **chain = &connections->chains[connection->address % CHAINS];
    pthread_mutex_lock(&connections->lock);
    connection->is_open = !is_full(connections, connection->address);
    if (connection->is_open) {
        connection->next = *chain;
        connection->link = chain;
        if (*chain)
            (*chain)->link = &connection->next;
        *chain = connection;
    }
    pthread_mutex_unlock(&connections->lock);
    if (!connection->is_open) {
        shutdown(descriptor, SHUT_RDWR);
        series_add(connections->parts.crowded, 1);
    }
    return connection->is_open;
}

void connection_close(struct connections *connections, struct connection *connection)
{
    if (!connection->is_open)
        return;
    pthread_mutex_lock(&connections->lock);
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    connection->is_open = false;
    pthread_mutex_unlock(&connections->lock);
}

void connection_begin(struct connections *connections, struct connection *connection)
{
    set_deadline(connections, connection, connections->parts.timeout);
}

void connection_answer(struct connections *connections, struct connection *connection,
                       uint64_t length)
{
    if (length > READ_RATE)
        set_deadline(connections, connection,
                     connections->parts.timeout +
                         (int64_t)(length / READ_RATE) * NANOSECONDS_PER_SECOND);
}

void connection_stream(struct connection *connection)
{
    atomic_store_explicit(&connection->deadline, INT64_MAX, memory_order_relaxed);
}

void connection_rest(struct connections *connections, struct connection *connection)
{
    set_deadline(connections, connection,
                 connections->parts.timeout + CONNECTION_IDLE_SECONDS * NANOSECONDS_PER_SECOND);
}
