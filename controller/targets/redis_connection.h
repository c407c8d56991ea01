/* redis_connection.h - one connection to a Redis server: made by reach, bounded in time, written to
 * in pieces.
 *
 * A command is sent as it is put together, so that a document of any size passes through a small
 * buffer. After any failure the connection is closed; the next connect makes a new one. Not for
 * sharing between threads. */
#ifndef WEIR_REDIS_CONNECTION_H
#define WEIR_REDIS_CONNECTION_H

#include <hiredis/hiredis.h>

#include "target.h"

/* To connect; and to wait for a sign of life, or for room to send. */
#define REDIS_TIMEOUT_SECONDS 2
/* Nanoseconds for a command and its answer, so that no peer that gives a byte now and then is
 * waited for without end; and one second more for each MiB that went one way or the other. */
#define REDIS_EXCHANGE_LIMIT (30 * NANOSECONDS_PER_SECOND)
/* A document of 256 MiB, and what is around it. */
#define REDIS_ANSWER_MAXIMUM ((size_t)320 << 20)

/* In {KEY}:meta in the place of a digest (redis_script.h): overrides stand over the document that
 * was pushed, and nobody has computed the digest of that. */
#define REDIS_MERGED "merged"

#define REDIS_UNASKED_MAXIMUM ((size_t)64 << 10)

struct redis_place {
    struct reach_host server; /* the port is set */
    uint32_t database;
};

/* redis://HOST[:PORT][/DATABASE]. STATUS_INVALID with the reason; a URL with a password is never
 * quoted. */
enum status redis_url_parse(struct text url, struct redis_place *out, struct error *error);

struct redis_connection {
    const struct reach *reach;
    struct redis_place place;
    const char *secret;       /* its name, or NULL */
    redisContext *context;    /* NULL: not connected */
    size_t pending;           /* bytes put together and not yet sent */
    int cause;                /* errno of a failure to send */
    bool lost;                /* the last failure was that the peer had closed or reset */
    const char *code;         /* of the last refusal by reach, or NULL */
    const _Atomic bool *stop; /* becoming true ends an exchange; or NULL */
    int64_t exchange_limit;   /* 0: REDIS_EXCHANGE_LIMIT */
    size_t answer_maximum;    /* bytes; 0: REDIS_ANSWER_MAXIMUM */
    int64_t begun;            /* the exchange: monotonic nanoseconds */
    size_t sent, received;    /* bytes of it so far */
};

/* Does nothing when connected. STATUS_REFUSED: reach does not allow it, see `code`. */
enum status redis_connect(struct redis_connection *connection, struct error *error);
void redis_disconnect(struct redis_connection *connection);

/* Begins a command of `count` arguments; each follows by redis_send(), the last one being followed
 * by redis_receive(). False: the connection has failed, redis_receive() tells why. */
bool redis_begin(struct redis_connection *connection, size_t count);
bool redis_send(struct redis_connection *connection, struct text argument);
/* Sends what is pending and waits for the answer, which the caller frees (freeReplyObject); NULL:
 * `error` is set and the connection is closed. An error answered by the server is a reply here. */
redisReply *redis_receive(struct redis_connection *connection, struct error *error);
/* Of one that is connected: whether something came, its end among it, within so long. */
bool redis_is_readable(const struct redis_connection *connection, int milliseconds);
/* Sends what is pending, for an answer that redis_wait() takes. */
enum status redis_flush(struct redis_connection *connection, struct error *error);
/* Waits for what the server sends without being asked (a subscription). STATUS_OK: *out is that,
 * which the caller frees, or NULL when nothing came in time. Else the connection is closed; also
 * when a single message is larger than REDIS_UNASKED_MAXIMUM. */
enum status redis_wait(struct redis_connection *connection, int milliseconds, redisReply **out,
                       struct error *error);
/* The server's own words as an error; closes the connection. */
enum status redis_complain(struct redis_connection *connection, const redisReply *reply,
                           struct error *error);

#endif
