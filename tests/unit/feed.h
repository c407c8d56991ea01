/* feed.h - clients of event streams, on a real server whose time can be put forward. */
#ifndef WEIR_TESTS_FEED_H
#define WEIR_TESTS_FEED_H

#include "served.h"

#include "../../controller/http/events.h"
#include "../../controller/telemetry_families.h"

#define STREAM "/ofrep/v1/stream"

static const char feed_on[] =
    "{\"flags\":{\"plain\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"on\"}}}";
static const char feed_off[] =
    "{\"flags\":{\"plain\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"off\"}}}";

/* --- the server ------------------------------------------------------------------------------ */

static _Atomic int64_t feed_ahead;  /* nanoseconds that the server's clock is put forward */
static _Atomic int64_t feed_frozen; /* when it stood still; 0: it does not */

static int64_t feed_monotonic(void *self)
{
    int64_t frozen = atomic_load(&feed_frozen);
    return (frozen ? frozen : serving_monotonic(self)) + atomic_load(&feed_ahead);
}

/* From now on time passes by feed_ahead alone. */
static inline void feed_freeze(void)
{
    atomic_store(&feed_frozen, serving_monotonic(NULL));
}

static inline void feed_thaw(void)
{
    atomic_store(&feed_frozen, 0);
    atomic_store(&feed_ahead, 0);
}

static uint64_t feed_random(void *self)
{
    (void)self;
    static _Atomic uint64_t state = 1;
    return atomic_fetch_add(&state, UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
}

/* `document` has been served for long. */
static inline void feed_start(unsigned streams, int64_t heartbeat, const char *document)
{
    struct error error = {0};
    serving_init(&serving);
    feed_thaw();
    serving.clock.monotonic = feed_monotonic;
    serving.clock.random = feed_random;
    serving.parts.event_streams = streams;
    serving.parts.event_heartbeat = heartbeat;
    if (document)
        serving_publish(&serving, document, true);
    ck_assert_msg(http_server_start(&serving.parts, "127.0.0.1:0", 2, address, &server, &error) ==
                      STATUS_OK,
                  "%s", error.message);
}

static inline int64_t feed_count(const struct family_description *family, const char *label)
{
    return atomic_load(&telemetry_series(serving.telemetry, family, label, NULL)->value);
}

static inline void feed_wait_open(const char *environment, int64_t open)
{
    for (int i = 0; i < PATIENT * 200; i++) {
        if (feed_count(&family_event_streams, environment) == open)
            return;
        poll(NULL, 0, 5);
    }
    ck_abort_msg("%lld streams are open, not %lld",
                 (long long)feed_count(&family_event_streams, environment), (long long)open);
}

/* --- a client -------------------------------------------------------------------------------- */

struct feed {
    struct client client;
    char head[2048];
    char text[1 << 14]; /* without the chunks' frames */
    size_t length;
    bool ended; /* the last chunk has come */
};

static inline void feed_request(struct feed *feed, const char *path, const char *headers)
{
    char request[1024];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                          path, headers);
    ck_assert(length > 0 && (size_t)length < sizeof request);
    feed->length = 0;
    feed->ended = false;
    client_open(&feed->client);
    send_text(&feed->client, request);
}

static inline void feed_head(struct feed *feed)
{
    char *end;
    while (!(end = feed->client.length ? strstr(feed->client.data, "\r\n\r\n") : NULL))
        ck_assert_msg(receive_more(&feed->client), "no answer");
    take(&feed->client, feed->head, sizeof feed->head, (size_t)(end + 4 - feed->client.data));
}

/* Opens a stream; `headers` with their line ends. */
static inline void feed_open(struct feed *feed, const char *path, const char *headers)
{
    feed_request(feed, path, headers);
    feed_head(feed);
    ck_assert_msg(strncmp(feed->head, "HTTP/1.1 200 ", 13) == 0, "%s", feed->head);
    ck_assert_ptr_nonnull(strstr(feed->head, "\r\nContent-Type: text/event-stream\r\n"));
}

/* One more chunk, or the end. */
static inline void feed_chunk(struct feed *feed)
{
    struct client *client = &feed->client;
    char frame[1024];
    char *line;
    ck_assert(!feed->ended);
    while (!(line = client->length ? strstr(client->data, "\r\n") : NULL))
        ck_assert_msg(receive_more(client), "the stream was cut");
    size_t size = strtoul(client->data, NULL, 16),
           whole = (size_t)(line - client->data) + 2 + size + 2;
    while (client->length < whole)
        ck_assert_msg(receive_more(client), "the stream was cut");
    size_t start = (size_t)(line - client->data) + 2;
    ck_assert_uint_lt(feed->length + size, sizeof feed->text);
    memcpy(feed->text + feed->length, client->data + start, size);
    feed->length += size;
    feed->text[feed->length] = '\0';
    ck_assert(memcmp(client->data + start + size, "\r\n", 2) == 0);
    take(client, frame, sizeof frame, whole);
    feed->ended = size == 0;
}

/* Takes the next block, which ends at an empty line, heartbeats included. */
static inline void feed_block(struct feed *feed, char *out, size_t size)
{
    char *end;
    while (!(end = feed->length ? strstr(feed->text, "\n\n") : NULL))
        feed_chunk(feed);
    size_t length = (size_t)(end + 2 - feed->text);
    ck_assert_uint_lt(length, size);
    memcpy(out, feed->text, length);
    out[length] = '\0';
    memmove(feed->text, feed->text + length, feed->length - length + 1);
    feed->length -= length;
}

/* The next block must be an event; writes its id. `first`: with the time to retry. */
static inline void feed_event(struct feed *feed, bool first, char id[64])
{
    char block[512], expected[512];
    feed_block(feed, block, sizeof block);
    char *start = block;
    if (first) {
        unsigned retry;
        int length = 0;
        ck_assert_msg(sscanf(block, "retry: %u%n", &retry, &length) == 1, "%s", block);
        ck_assert_uint_ge(retry, 2000);
        ck_assert_uint_le(retry, 6000);
        start += length + 1;
    }
    ck_assert_msg(sscanf(start, "id: %40s", id) == 1, "%s", block);
    snprintf(expected, sizeof expected,
             "id: %s\nevent: message\ndata: {\"etag\":\"\\\"%s\\\"\",\"lastModified\":0,"
             "\"type\":\"refetchEvaluation\"}\n\n",
             id, id);
    ck_assert_str_eq(start, expected);
}

/* The first block must tell the client's id and be no event. */
static inline void feed_greeting(struct feed *feed, char id[64])
{
    char block[512], rest[8] = "";
    unsigned retry;
    feed_block(feed, block, sizeof block);
    ck_assert_msg(sscanf(block, "retry: %u\nid: %40s%7s", &retry, id, rest) == 2, "%s", block);
    ck_assert_str_eq(rest, "");
}

/* Nothing more, and in order. */
static inline void feed_end(struct feed *feed)
{
    while (!feed->ended)
        feed_chunk(feed);
    ck_assert(at_end(&feed->client));
    client_close(&feed->client);
}

#endif
