/* Event streams under load: clients that do not read, that come and go, and a server that ends. */
#include "feed.h"

#define TICK NANOSECONDS_PER_MILLISECOND

/* --- stopping -------------------------------------------------------------------------------- */

START_TEST(test_stop_ends_all_streams)
{
    enum { STREAMS = 300 };
    struct feed *feeds = calloc(STREAMS, sizeof *feeds);
    char id[64];
    ck_assert_ptr_nonnull(feeds);
    feed_start(STREAMS, 0, feed_on);
    for (size_t i = 0; i < STREAMS; i++) {
        feed_open(&feeds[i], i % 2 ? STREAM : "/env/staging" STREAM, "");
        feed_greeting(&feeds[i], id);
    }
    int64_t begun = serving_monotonic(NULL);
    http_server_stop(server, PATIENT * SECOND);
    /* Streams are no requests that a stop is patient with. */
    ck_assert_int_lt(serving_monotonic(NULL) - begun, PATIENT / 2 * SECOND);
    for (size_t i = 0; i < STREAMS; i++)
        feed_end(&feeds[i]);
    ck_assert_int_eq(feed_count(&family_event_streams, "production"), 0);
    ck_assert_int_eq(feed_count(&family_event_streams, "staging"), 0);
    serving_dispose(&serving);
    free(feeds);
}
END_TEST

/* Publishes until it is told that it is enough. */
static void *publish(void *context)
{
    atomic_bool *enough = context;
    for (unsigned i = 0; !atomic_load(enough); i++)
        serving_publish(&serving, i % 2 ? feed_on : feed_off, true);
    return NULL;
}

START_TEST(test_stop_while_all_are_woken)
{
    enum { STREAMS = 50 };
    static struct client clients[STREAMS];
    for (int round = 0; round < 5; round++) {
        atomic_bool enough = false;
        pthread_t publisher;
        feed_start(STREAMS, TICK, feed_on);
        for (size_t i = 0; i < STREAMS; i++) {
            client_open(&clients[i]);
            send_text(&clients[i], "GET " STREAM " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        }
        ck_assert_int_eq(pthread_create(&publisher, NULL, publish, &enough), 0);
        for (size_t i = 0; i < STREAMS; i++)
            ck_assert(receive_more(&clients[i]));
        http_server_stop(server, PATIENT * SECOND);
        atomic_store(&enough, true);
        pthread_join(publisher, NULL);
        for (size_t i = 0; i < STREAMS; i++) {
            do {
                clients[i].length = 0;
            } while (receive_more(&clients[i]));
            client_close(&clients[i]);
        }
        ck_assert_int_eq(feed_count(&family_event_streams, "production"), 0);
        serving_dispose(&serving);
    }
}
END_TEST

/* --- clients that do not read ---------------------------------------------------------------- */

/* A client whose system takes as little as it can. */
static void open_deaf(struct client *client)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port_of(address))};
    struct timeval wait = {.tv_sec = PATIENT};
    int size = 1024;
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->length = 0;
    client->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(client->descriptor, 0);
    ck_assert_int_eq(setsockopt(client->descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
    ck_assert_int_eq(setsockopt(client->descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait),
                     0);
    ck_assert_int_eq(connect(client->descriptor, (struct sockaddr *)&peer, sizeof peer), 0);
    send_text(client, "GET " STREAM " HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

/* The last event in `text` has this id. */
static bool is_last(const char *text, const char *id)
{
    const char *last = NULL;
    for (const char *at = text; (at = strstr(at, "\nid: ")); at++)
        last = at + 5;
    return last && strncmp(last, id, strlen(id)) == 0;
}

/* Publishes a document that was none before. */
static void publish_number(unsigned number)
{
    char document[256];
    snprintf(document, sizeof document,
             "{\"flags\":{\"plain\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"on\"},\"number\":{"
             "\"state\":\"ENABLED\",\"variants\":{\"v\":%u},\"defaultVariant\":\"v\"}}}",
             number);
    serving_publish(&serving, document, true);
}

START_TEST(test_who_does_not_read_holds_up_nobody)
{
    enum { DEAF = 20, CHANGES = 1000 };
    static struct client deaf[DEAF];
    static struct feed feed;
    char id[64];
    feed_start(100, 0, feed_on);
    for (size_t i = 0; i < DEAF; i++)
        open_deaf(&deaf[i]);
    feed_wait_open("production", DEAF);
    feed_open(&feed, STREAM, "");
    feed_greeting(&feed, id);
    for (unsigned i = 0; i < CHANGES; i++) {
        publish_number(i);
        feed_event(&feed, false, id);
        if (i % 100 == 99)
            check_alive();
    }
    for (size_t i = 0; i < DEAF; i++) {
        /* Once it reads, it gets what there was room for, and then the newest. */
        struct client *client = &deaf[i];
        while (!client->length || !is_last(client->data, id))
            ck_assert(receive_more(client));
        ck_assert_uint_lt(client->length, 16 << 10); /* of 160 KB that all events would be */
        client_close(client);
    }
    client_close(&feed.client);
    stop();
}
END_TEST

START_TEST(test_who_does_not_read_does_not_hold_up_the_end)
{
    enum { DEAF = 5, CHANGES = 10, ROUNDS = 100 };
    static struct client deaf[DEAF];
    static struct feed feed;
    char id[64];
    feed_start(100, 0, feed_on);
    for (size_t i = 0; i < DEAF; i++)
        open_deaf(&deaf[i]);
    feed_wait_open("production", DEAF);
    feed_open(&feed, STREAM, "");
    feed_greeting(&feed, id);
    /* Until there is no room left for any of them, also after the last acknowledgement, which
     * their system may put off for 40 ms. */
    int64_t before, sent = 0;
    unsigned round = 0;
    do {
        before = sent;
        for (unsigned i = 0; i < CHANGES; i++) {
            publish_number(round * CHANGES + i);
            feed_event(&feed, false, id);
        }
        poll(NULL, 0, 100);
        round++;
        sent = feed_count(&family_events_sent, "production") - round * CHANGES;
    } while (sent != before && round < ROUNDS);
    ck_assert_uint_lt(round, ROUNDS);
    int64_t begun = serving_monotonic(NULL);
    http_server_stop(server, PATIENT * SECOND);
    ck_assert_int_lt(serving_monotonic(NULL) - begun, PATIENT / 2 * SECOND);
    feed_end(&feed);
    for (size_t i = 0; i < DEAF; i++)
        client_close(&deaf[i]);
    serving_dispose(&serving);
}
END_TEST

/* A client that goes on talking, of what should be the next request or none. */
START_TEST(test_who_talks_is_told_all_the_same)
{
    static struct feed feed;
    static const char next[] = "POST " ALL " HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n";
    static char noise[1 << 16];
    char id[64], last[64];
    feed_start(10, 20 * TICK, feed_on);
    for (int fill = 0; fill < 3; fill++) {
        feed_open(&feed, STREAM, "");
        memset(noise, fill == 0 ? 'x' : '\n', sizeof noise);
        if (fill == 2)
            memcpy(noise, next, sizeof next - 1);
        while (send(feed.client.descriptor, noise, sizeof noise, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
        }
        for (unsigned i = 0; i < 20; i++) {
            publish_number(i);
            char block[512];
            do {
                feed_block(&feed, block, sizeof block);
            } while (!strstr(block, "refetchEvaluation"));
            ck_assert_int_eq(sscanf(strstr(block, "id: "), "id: %40s", id), 1);
            ck_assert(i == 0 || strcmp(id, last) != 0);
            memcpy(last, id, sizeof last);
        }
        client_close(&feed.client);
        feed_wait_open("production", 0);
    }
    check_alive();
    stop();
}
END_TEST

/* --- clients that come and go ---------------------------------------------------------------- */

static void *come_and_go(void *context)
{
    const atomic_bool *enough = context;
    struct client *client = calloc(1, sizeof *client);
    ck_assert_ptr_nonnull(client);
    for (unsigned i = 0; !atomic_load(enough); i++) {
        client_open(client);
        send_text(client, i % 3 ? "GET " STREAM " HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                : "GET /env/staging" STREAM " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        for (unsigned j = 0; j < i % 5; j++) {
            client->length = 0;
            ck_assert(receive_more(client));
        }
        client_close(client);
    }
    free(client);
    return NULL;
}

START_TEST(test_clients_come_and_go)
{
    enum { CHANGES = 500 };
    static struct feed feed;
    pthread_t threads[3];
    atomic_bool enough = false;
    char id[64], last[64] = "";
    feed_start(10000, TICK, feed_on);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, &enough), 0);
    feed_open(&feed, STREAM, "");
    feed_greeting(&feed, last);
    for (int i = 0; i < CHANGES; i++) {
        char block[512];
        serving_publish(&serving, i % 2 ? feed_on : feed_off, true);
        do {
            feed_block(&feed, block, sizeof block);
        } while (strcmp(block, ":\n\n") == 0);
        ck_assert_int_eq(sscanf(block, "id: %40s", id), 1);
        ck_assert_str_ne(id, last);
        memcpy(last, id, sizeof last);
    }
    atomic_store(&enough, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    client_close(&feed.client);
    feed_wait_open("production", 0);
    feed_wait_open("staging", 0);
    check_alive();
    stop();
}
END_TEST

UNIT_MAIN("events_load", test_stop_ends_all_streams, test_stop_while_all_are_woken,
          test_who_does_not_read_holds_up_nobody, test_who_does_not_read_does_not_hold_up_the_end,
          test_who_talks_is_told_all_the_same, test_clients_come_and_go)
