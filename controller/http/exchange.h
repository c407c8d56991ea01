/* exchange.h - what happens on a connection: libmicrohttpd's callbacks, from the first byte of a
 * head to the answer.
 *
 * libmicrohttpd calls exchange_answer() several times for one request: with the head, with each
 * piece of the body, and at the end, which is the only time that an answer may be queued without
 * losing the connection. A body that comes in one piece is evaluated where it lies: by the time of
 * the last call its bytes are gone, so the answer is made at once and queued then. */
#ifndef WEIR_HTTP_EXCHANGE_H
#define WEIR_HTTP_EXCHANGE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "connections.h"
#include "server.h"

/* What all connections of a server share. Each of its threads has a worker (route.h) of its own,
 * which ends with it. */
struct traffic {
    const struct http_parts *parts;
    struct connections *connections;
    pthread_key_t worker_key;
    _Atomic unsigned in_flight; /* requests whose head is read and whose answer is not sent */
    atomic_bool draining; /* each answer ends its connection, and `changed` tells of each request */
    pthread_mutex_t lock; /* for `changed` only */
    pthread_cond_t changed; /* by CLOCK_MONOTONIC */
};

enum status traffic_init(struct traffic *traffic, const struct http_parts *parts) MUST_CHECK;
void traffic_dispose(struct traffic *traffic); /* after the last thread has ended */
/* Begins to drain. */
void traffic_drain(struct traffic *traffic);
/* Waits until no request is in flight and none has come for a while, or until parts->clock's
 * monotonic time is `deadline`. */
void traffic_wait(struct traffic *traffic, int64_t deadline);

/* The callbacks; `context` is a struct traffic. */
enum MHD_Result exchange_answer(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **request_context);
void exchange_completed(void *context, struct MHD_Connection *connection, void **request_context,
                        enum MHD_RequestTerminationCode code);
void exchange_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                         enum MHD_ConnectionNotificationCode code);
/* Leaves a URL as it is: keys are decoded by routes.c, part by part, so that %2F can stand in
 * one. */
size_t exchange_keep_escapes(void *context, struct MHD_Connection *connection, char *text);

#endif
