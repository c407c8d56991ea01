/* events_private.h - what events.c (which document is current, and who must hear of it) and
 * stream.c (one client) share. Everything behind `lock` is theirs alone. */
#ifndef WEIR_HTTP_EVENTS_PRIVATE_H
#define WEIR_HTTP_EVENTS_PRIVATE_H

#include "events.h"

#define EVENT_ID_SIZE 33     /* half of the digest in hexadecimal digits, and a NUL */
#define STREAM_TEXT_SIZE 256 /* of the longest thing that a stream sends at once */

/* The streams of one environment, or of the bare path (no name): what that stands for may become
 * another environment. */
struct channel {
    struct channel *next;
    /* Suspended, in the order in which they were: so those that were told of fewer changes stand
     * before the others, and the one that is due for a heartbeat stands first. */
    struct stream *first, *last;
    unsigned streams;       /* suspended or not */
    uint64_t round;         /* rises with every change */
    char id[EVENT_ID_SIZE]; /* of the current document; empty: the environment is gone */
    int64_t modified;       /* wall seconds at which that was published */
    int64_t changed;        /* monotonic time of the same */
    char name[];
};

struct stream {
    struct events *events;
    struct channel *channel;
    struct MHD_Connection *connection;
    struct series *open, *sent;
    struct stream *before, *after; /* in the channel's list, while `suspended` */
    int64_t due;                   /* for its heartbeat */
    uint64_t round;                /* the channel's when it was suspended */
    char known[EVENT_ID_SIZE];     /* what the client knows of; empty: nothing */
    bool suspended, greeted, beat; /* `beat`: a heartbeat is due */
    unsigned length, written;      /* of `text` */
    char text[STREAM_TEXT_SIZE];   /* what is being sent */
};

struct events {
    const struct http_parts *parts;
    unsigned most;
    int64_t heartbeat;
    int wake; /* an eventfd */
    struct hub_listener listener;
    pthread_t thread;
    bool has_thread;
    struct series *refused;

    pthread_mutex_t lock; /* for all below; held for microseconds, but for the library's own */
    pthread_cond_t gone;  /* the last stream has ended; by CLOCK_MONOTONIC */
    struct channel *channels;
    unsigned count; /* of streams */
    bool ending;
};

/* events.c; the caller holds the lock. */

/* The channel of a name, made where there is none: then by `document` as `snapshot` holds it. NULL
 * without memory. */
struct channel *events_channel(struct events *events, struct text name,
                               const struct snapshot *snapshot,
                               const struct snapshot_environment *environment);
/* Takes a suspended stream out of its list and resumes it. */
void events_resume(struct stream *stream);

#endif
