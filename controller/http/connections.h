/* connections.h - every open connection: how many one address has, and until when each may take.
 *
 * The library closes a connection that is silent; one that sends a byte now and then it would keep
 * for ever. So each has a deadline: for the first request (a TLS handshake included), for what is
 * left of a request behind its head, for reading the answer (longer for a long one), and for the
 * next head. A thread of its own shuts the sockets of those down that are past theirs; the thread
 * that serves such a connection then sees its end and closes it. */
#ifndef WEIR_HTTP_CONNECTIONS_H
#define WEIR_HTTP_CONNECTIONS_H

#include <stdatomic.h>
#include <sys/socket.h>

#include "../clock.h"
#include "../telemetry.h"

/* How long the library lets a connection be silent, and how long the next head may begin after the
 * last answer. */
#define CONNECTION_IDLE_SECONDS 60

struct connections;

/* Its memory is the caller's, and stays where it is until connection_close(). */
struct connection {
    struct connection *next, **link; /* of those whose addresses share a chain */
    uint64_t address;                /* a hash; IPv6 addresses of one /64 share it */
    int descriptor;
    bool is_open;
    _Atomic int64_t deadline; /* monotonic */
};

struct connections_parts {
    const struct clock *clock;
    unsigned per_address;          /* 0: any number */
    int64_t timeout;               /* nanoseconds of one request */
    struct series *slow, *crowded; /* count what is cut */
    /* Called now and then by the thread; or NULL. */
    void (*tick)(void *context, int64_t now);
    void *context;
};

/* NULL without memory, a lock or a thread. */
struct connections *connections_new(const struct connections_parts *parts);
void connections_free(struct connections *connections); /* NULL is fine; after the last close */

/* False when its address has as many as it may: then the socket has been shut down. To be closed in
 * either case, before its descriptor is. */
bool connection_open(struct connections *connections, struct connection *connection, int descriptor,
                     const struct sockaddr *peer);
void connection_close(struct connections *connections, struct connection *connection);

/* A request's head is there. */
void connection_begin(struct connections *connections, struct connection *connection);
/* Its answer is `length` bytes: it may take longer where they are many. */
void connection_answer(struct connections *connections, struct connection *connection,
                       uint64_t length);
/* It may stay for as long as it likes: a stream of events. */
void connection_stream(struct connection *connection);
/* The request is done; the next may come. */
void connection_rest(struct connections *connections, struct connection *connection);

#endif
