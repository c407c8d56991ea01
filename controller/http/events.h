/* events.h - OFREP's event streams: Server-Sent Events that tell a client to ask again.
 *
 * An event says only that an environment's document is another one; the client then asks for all
 * flags as ever. Its id is that document's digest: the same on every controller and after every
 * restart, so that Last-Event-ID tells whether a client that comes back has missed anything.
 *
 * A stream is a response of libmicrohttpd on the daemon that its request came to, since a
 * connection cannot be handed to another one (least of all with TLS). While there is nothing to
 * send its connection is suspended, which costs no time at all, but keeps the library from noticing
 * that the client is gone: so each stream is woken now and then for a heartbeat. One thread, woken
 * by the hub and by the clock, resumes what has something to send; the daemons' threads send it.
 *
 * A stream holds one event at most. A client that does not read costs its socket's small buffer;
 * what it missed meanwhile is one event, about the newest document.
 *
 * Ownership: the server owns the `struct events`; the response owns its stream. */
#ifndef WEIR_HTTP_EVENTS_H
#define WEIR_HTTP_EVENTS_H

#include <microhttpd.h>

#include "route.h"

struct stream; /* one client's; see stream.c */

/* Starts the thread. At most `most` streams at a time. STATUS_SYSTEM or STATUS_NO_MEMORY. */
enum status events_start(const struct http_parts *parts, unsigned most,
                         struct events **out) MUST_CHECK;
/* Ends all streams in order, and waits until they are gone or parts->clock's monotonic time is
 * `deadline`. Must come before MHD_stop_daemon(), which aborts the process while a connection is
 * suspended: none is afterwards, and none will be. Again, or of NULL: fine. */
void events_end(struct events *events, int64_t deadline);
/* After the last daemon has stopped. NULL is fine. */
void events_free(struct events *events);

/* The route: sets answer->stream. */
void events_open(struct worker *worker, const struct request *request, struct answer *answer);
/* Appends ("eventStreams":[…],) the announcement of the environment's stream to the answer for all
 * flags; nothing where streams are switched off. */
void events_announce(const struct worker *worker, const struct request *request,
                     struct buffer *out);

/* The response that sends a stream, which belongs to it from here on, also when this fails: NULL
 * without memory. */
struct MHD_Response *stream_response(struct stream *stream);
/* Tells a stream whose connection it is; called before MHD_queue_response(). */
void stream_bind(struct stream *stream, struct MHD_Connection *connection);
void stream_free(struct stream *stream); /* of one that has no response */

#endif
