/* server.h - the HTTP face: OFREP, health, metrics, status. libmicrohttpd with epoll, `threads`
 * threads (0: one a core).
 *
 * Requests are answered from the hub's snapshot by reader references; no request takes a lock that
 * core or a worker may hold for long. Bodies, headers, connections and times are bounded. Who may
 * ask for what: gate.h. */
#ifndef WEIR_HTTP_SERVER_H
#define WEIR_HTTP_SERVER_H

#include "../clock.h"
#include "../snapshot.h"
#include "../telemetry.h"
#include "settings.h"

struct desk;              /* rollout/desk.h */
struct events;            /* events.h */
struct rollout_filter;    /* rollout/rollout_status.h */
struct measurement_query; /* metrics/measurement_lines.h */

#define HTTP_MAX_BODY ((size_t)1 << 20)

struct http_parts {
    struct hub *hub;
    struct telemetry *telemetry;
    const struct clock
        *clock; /* its monotonic time must be CLOCK_MONOTONIC: http_server_stop() waits by it */
    /* Appends the body of GET /status, a JSON object. */
    void (*write_status)(void *context, struct buffer *out);
    void *status_context;
    /* Appends the body of GET /rollouts (rollout_status.h), for whom `filter` is; false: nobody has
     * looked at them yet. NULL: nobody here knows of rollouts. */
    bool (*write_rollouts)(void *context, const struct rollout_filter *filter, struct buffer *out);
    /* Appends the body of GET /env/E/rollouts/R/measurements (metrics/measurement_lines.h); any
     * thread; NULL: nobody here measures. */
    enum status (*write_measurements)(void *context, const struct measurement_query *query,
                                      struct buffer *out, struct error *error);
    void *rollouts_context;
    struct desk *desk;                    /* takes people's verbs; NULL: nobody does */
    const struct http_settings *settings; /* NULL: the defaults */
    /* When the repository was last fetched from, in wall seconds, 0: never; NULL: nobody knows. */
    const _Atomic int64_t *last_fetch;
    bool is_edge;            /* last_fetch is of a source, whose age documents tell (Weir-Age) */
    struct gate *gate;       /* the server's own; NULL where there is no server, in tests */
    unsigned event_streams;  /* OFREP's, at most so many at a time; 0: none are offered */
    int64_t event_heartbeat; /* nanoseconds; 0: 15 s */
    struct events *events;   /* the server's own, which sets it; NULL without event streams */
    struct hooks *hooks;     /* NULL: no forge may call */
};

struct http_server;

/* Starts to listen on ADDRESS:PORT ("127.0.0.1:0" takes a free port; "[::1]:8080"; ":8080" is all
 * addresses). The address taken is written to `address`. STATUS_SYSTEM: port in use, or no such
 * address; STATUS_INVALID: not an address. */
enum status http_server_start(const struct http_parts *parts, const char *listen, unsigned threads,
                              char address[64], struct http_server **out, struct error *error);
/* Reads the files of tokens and certificate again; open connections stay. What is wrong with a file
 * is logged, and what it said before stays in force. */
void http_server_reload(struct http_server *server);
/* Whether each of its threads reacts to a request within `patience` milliseconds; false also when
 * `wake`, a descriptor or -1, becomes readable in the meantime. Not while it is being stopped. */
bool http_server_is_alive(struct http_server *server, int wake, int patience);
/* Takes no new connections, finishes the requests in flight (at most `patience` nanoseconds), then
 * ends. NULL is fine. */
void http_server_stop(struct http_server *server, int64_t patience);

#endif
