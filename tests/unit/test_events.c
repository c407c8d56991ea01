/* Event streams as a client sees them. */
#include "feed.h"

/* --- what is announced ----------------------------------------------------------------------- */

#define ANNOUNCED(path)                                                                            \
    "{\"eventStreams\":[{\"endpoint\":{\"requestUri\":\"" path                                     \
    "\"},\"inactivityDelaySec\":120,\"type\":\"sse\"}],\"flags\":["

static void check_bulk(const char *path, const char *start)
{
    struct client client;
    struct reply reply;
    client_open(&client);
    send_post(&client, path, "", USER);
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 200);
    ck_assert_msg(strncmp(reply.body, start, strlen(start)) == 0, "%s", reply.body);
    client_close(&client);
}

START_TEST(test_announced)
{
    feed_start(10, 0, feed_on);
    check_bulk(ALL, ANNOUNCED("/ofrep/v1/stream"));
    check_bulk("/env/production" ALL, ANNOUNCED("/env/production/ofrep/v1/stream"));
    check_bulk("/env/st%61ging" ALL, ANNOUNCED("/env/st%61ging/ofrep/v1/stream"));
    stop();
}
END_TEST

/* The request must be refused with this status; returns the whole answer. */
static const char *refused(const char *request, const char *status)
{
    static struct client client;
    const char *answer = client.data;
    client_open(&client);
    send_text(&client, request);
    while (receive_more(&client)) {
    }
    ck_assert_msg(strncmp(answer, "HTTP/1.1 ", 9) == 0 && strncmp(answer + 9, status, 3) == 0, "%s",
                  answer);
    client_close(&client);
    return answer;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

START_TEST(test_switched_off)
{
    feed_start(0, 0, feed_on);
    check_bulk(ALL, "{\"flags\":[");
    ck_assert_ptr_nonnull(strstr(refused(GET(STREAM), "404"), "event streams are switched off"));
    stop();
}
END_TEST

START_TEST(test_refused)
{
    feed_start(10, 0, NULL);
    ck_assert_ptr_nonnull(strstr(refused(GET(STREAM), "503"), "\r\nRetry-After: 1\r\n"));
    serving_publish(&serving, feed_on, false);
    ck_assert_ptr_nonnull(strstr(refused(GET(STREAM), "404"), "no default environment"));
    ck_assert_ptr_nonnull(
        strstr(refused(GET("/env/nowhere" STREAM), "404"), "no such environment 'nowhere'"));
    ck_assert_ptr_nonnull(
        strstr(refused("POST /env/staging" STREAM " HTTP/1.1\r\nHost: localhost\r\nConnection: "
                       "close\r\nContent-Length: 0\r\n\r\n",
                       "405"),
               "\r\nAllow: GET, HEAD\r\n"));
    /* The head alone, and no stream. */
    const char *head =
        refused("HEAD /env/staging" STREAM " HTTP/1.1\r\nHost: localhost\r\nConnection: "
                "close\r\n\r\n",
                "200");
    ck_assert_ptr_nonnull(strstr(head, "\r\nContent-Type: text/event-stream\r\n"));
    ck_assert_int_eq(feed_count(&family_event_streams, "staging"), 0);
    stop();
}
END_TEST

/* --- what is sent ---------------------------------------------------------------------------- */

START_TEST(test_change_is_an_event)
{
    static struct feed feed, bare, other;
    char before[64], id[64], staging[64], again[64];
    feed_start(10, 0, feed_on);
    feed_open(&feed, "/env/production" STREAM, "");
    ck_assert_ptr_nonnull(strstr(feed.head, "\r\nCache-Control: no-store\r\n"));
    feed_greeting(&feed, before);
    feed_open(&bare, STREAM, "");
    feed_greeting(&bare, id);
    ck_assert_str_eq(id, before);
    feed_open(&other, "/env/staging" STREAM, "");
    feed_greeting(&other, staging);
    ck_assert_str_ne(staging, before);

    /* The same documents again: were they events, the next ones would not be the first. */
    serving_publish(&serving, feed_on, true);
    serving_publish(&serving, feed_off, true);
    feed_event(&feed, false, id);
    ck_assert_str_ne(id, before);
    feed_event(&bare, false, again);
    ck_assert_str_eq(again, id);

    /* An id is the document's: it comes back with it. */
    serving_publish(&serving, feed_on, true);
    feed_event(&feed, false, id);
    ck_assert_str_eq(id, before);
    feed_event(&bare, false, id);
    ck_assert_int_eq(feed_count(&family_events_sent, "production"), 4);
    ck_assert_int_eq(feed_count(&family_event_streams, "production"), 2);
    ck_assert_int_eq(feed_count(&family_event_streams, "staging"), 1);
    ck_assert_int_eq(feed_count(&family_events_sent, "staging"), 0);
    http_server_stop(server, PATIENT * SECOND);
    /* Nothing was under way to the one that had no change. */
    feed_end(&other);
    ck_assert_uint_eq(other.length, 0);
    feed_end(&feed);
    ck_assert_uint_eq(feed.length, 0);
    feed_end(&bare);
    ck_assert_int_eq(feed_count(&family_event_streams, "production"), 0);
    serving_dispose(&serving);
}
END_TEST

static void open_with_id(struct feed *feed, const char *id)
{
    char header[512];
    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    feed_open(feed, STREAM, header);
}

START_TEST(test_last_event_id)
{
    static struct feed feed;
    char on[64], off[64], id[64], longer[400];
    feed_start(10, 0, feed_on);
    feed_open(&feed, STREAM, "");
    feed_greeting(&feed, on);
    serving_publish(&serving, feed_off, true);
    feed_event(&feed, false, off);
    client_close(&feed.client);

    /* What the client has not missed is not told again, however new it is. */
    open_with_id(&feed, off);
    feed_greeting(&feed, id);
    ck_assert_str_eq(id, off);
    client_close(&feed.client);

    memset(longer, 'x', sizeof longer);
    memcpy(longer, off, strlen(off));
    longer[sizeof longer - 1] = '\0';
    const char *const stale[] = {on, "-", "none", "0", "\"", longer, "\xff\xfe"};
    atomic_store(&feed_ahead, 3600 * SECOND);
    for (size_t i = 0; i < COUNT_OF(stale); i++) {
        open_with_id(&feed, stale[i]);
        feed_event(&feed, true, id);
        ck_assert_str_eq(id, off);
        client_close(&feed.client);
    }
    feed_thaw();
    stop();
}
END_TEST

/* A change between a client's answer and its stream must not pass it by. */
START_TEST(test_recent_change_is_told_to_new_clients)
{
    static struct feed feed;
    char id[64], again[64];
    feed_start(10, 0, feed_on);
    feed_freeze();
    feed_open(&feed, STREAM, "");
    feed_greeting(&feed, id);
    serving_publish(&serving, feed_off, true);
    feed_event(&feed, false, id);
    client_close(&feed.client);
    atomic_store(&feed_ahead, 25 * SECOND);
    feed_open(&feed, STREAM, "");
    feed_event(&feed, true, again);
    ck_assert_str_eq(again, id);
    client_close(&feed.client);
    atomic_store(&feed_ahead, 35 * SECOND);
    feed_open(&feed, STREAM, "");
    feed_greeting(&feed, again);
    ck_assert_str_eq(again, id);
    client_close(&feed.client);
    feed_thaw();
    stop();
}
END_TEST

START_TEST(test_environment_goes_and_comes_back)
{
    static struct feed feed;
    char before[64], id[64];
    feed_start(10, 0, feed_on);
    feed_open(&feed, "/env/staging" STREAM, "");
    feed_greeting(&feed, before);
    struct snapshot *snapshot = snapshot_new(1);
    ck_assert_ptr_nonnull(snapshot);
    ck_assert_int_eq(snapshot_fill(snapshot, 0, TEXT("production"), serving_document(feed_on)),
                     STATUS_OK);
    hub_publish(&serving.hub, snapshot);
    feed_event(&feed, false, id);
    ck_assert_str_eq(id, "none");
    serving_publish(&serving, feed_on, true);
    feed_event(&feed, false, id);
    ck_assert_str_eq(id, before);
    client_close(&feed.client);
    stop();
}
END_TEST

START_TEST(test_old_protocol)
{
    struct client client;
    char id[64];
    feed_start(10, 0, feed_on);
    client_open(&client);
    send_text(&client, "GET " STREAM " HTTP/1.0\r\nHost: localhost\r\n\r\n");
    while (!client.length || !strstr(client.data, "\n\n"))
        ck_assert(receive_more(&client));
    ck_assert_ptr_null(strstr(client.data, "chunked"));
    ck_assert_int_eq(sscanf(strstr(client.data, "\nid: "), "\nid: %40s", id), 1);
    serving_publish(&serving, feed_off, true);
    while (!strstr(client.data, "refetchEvaluation\"}\n\n"))
        ck_assert(receive_more(&client));
    http_server_stop(server, PATIENT * SECOND);
    while (receive_more(&client)) {
    }
    client_close(&client);
    serving_dispose(&serving);
}
END_TEST

/* The head leaves the library little room: what is sent must come whole all the same. */
START_TEST(test_little_room)
{
    static struct feed feed;
    static char header[20000];
    char id[64];
    unsigned opened = 0;
    feed_start(10, 0, feed_on);
    for (size_t length = 14000; length < 16000; length += 37) {
        struct client *client = &feed.client;
        client_open(client);
        feed.length = 0;
        feed.ended = false;
        send_text(client,
                  "GET " STREAM " HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1\r\nX-Fill: ");
        memset(header, 'x', length);
        send_bytes(client, header, length);
        send_text(client, "\r\n\r\n");
        while (!(client->length && strstr(client->data, "\r\n\r\n")) && receive_more(client)) {
        }
        if (client->length && strncmp(client->data, "HTTP/1.1 200 ", 13) == 0) {
            feed_head(&feed);
            feed_event(&feed, true, id);
            opened++;
        }
        client_close(client);
    }
    ck_assert_uint_gt(opened, 0);
    check_alive();
    stop();
}
END_TEST

/* --- how many, and for how long -------------------------------------------------------------- */

START_TEST(test_heartbeat_frees_those_who_left)
{
    static struct feed feed, gone;
    char id[64], block[64];
    feed_start(10, 50 * NANOSECONDS_PER_MILLISECOND, feed_on);
    feed_open(&feed, STREAM, "");
    feed_greeting(&feed, id);
    feed_open(&gone, STREAM, "");
    feed_greeting(&gone, id);
    for (int i = 0; i < 3; i++) {
        feed_block(&feed, block, sizeof block);
        ck_assert_str_eq(block, ":\n\n");
    }
    ck_assert_int_eq(feed_count(&family_event_streams, "production"), 2);
    client_close(&gone.client);
    feed_wait_open("production", 1);
    feed_block(&feed, block, sizeof block);
    client_close(&feed.client);
    feed_wait_open("production", 0);
    stop();
}
END_TEST

/* One that were resumed for nothing, again and again, would be seen by nobody else. */
START_TEST(test_silence_costs_nothing)
{
    static struct feed feed;
    struct timespec before, after;
    char id[64];
    feed_start(10, 0, feed_on);
    feed_open(&feed, STREAM, "");
    feed_greeting(&feed, id);
    serving_publish(&serving, feed_off, true);
    feed_event(&feed, false, id);
    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before), 0);
    struct pollfd silent = {.fd = feed.client.descriptor, .events = POLLIN};
    ck_assert_int_eq(poll(&silent, 1, 500), 0);
    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after), 0);
    int64_t spent = (after.tv_sec - before.tv_sec) * SECOND + after.tv_nsec - before.tv_nsec;
    ck_assert_int_lt(spent, SECOND / 20);
    client_close(&feed.client);
    stop();
}
END_TEST

START_TEST(test_heartbeat_by_the_clock)
{
    static struct feed feed;
    char id[64], block[64];
    feed_start(10, 0, feed_on);
    feed_freeze();
    feed_open(&feed, STREAM, "");
    feed_greeting(&feed, id);
    atomic_store(&feed_ahead, 14 * SECOND);
    serving_publish(&serving, feed_on, true); /* makes the thread look at the clock */
    struct pollfd silent = {.fd = feed.client.descriptor, .events = POLLIN};
    ck_assert_int_eq(poll(&silent, 1, 100), 0);
    /* It may have come to rest at any of these times, if its thread was late. */
    for (int i = 1; i < 200 && poll(&silent, 1, 100) == 0; i++) {
        atomic_store(&feed_ahead, 16 * i * SECOND);
        serving_publish(&serving, feed_on, true);
    }
    feed_block(&feed, block, sizeof block);
    ck_assert_str_eq(block, ":\n\n");
    client_close(&feed.client);
    feed_thaw();
    stop();
}
END_TEST

START_TEST(test_at_most_so_many)
{
    static struct feed first, second, third;
    char id[64];
    unsigned after = 0;
    feed_start(2, 50 * NANOSECONDS_PER_MILLISECOND, feed_on);
    feed_open(&first, STREAM, "");
    feed_greeting(&first, id);
    feed_open(&second, "/env/staging" STREAM, "");
    feed_greeting(&second, id);
    const char *answer = refused(GET(STREAM), "503");
    ck_assert_ptr_nonnull(strstr(answer, "2 event streams are open, and no more are allowed"));
    ck_assert_int_eq(sscanf(strstr(answer, "Retry-After: "), "Retry-After: %u", &after), 1);
    ck_assert_uint_ge(after, 15);
    ck_assert_uint_le(after, 45);
    ck_assert_int_eq(feed_count(&family_event_streams_refused, NULL), 1);
    client_close(&second.client);
    feed_wait_open("staging", 0);
    feed_open(&third, STREAM, "");
    feed_greeting(&third, id);
    client_close(&third.client);
    client_close(&first.client);
    stop();
}
END_TEST

UNIT_MAIN("events", test_announced, test_switched_off, test_refused, test_change_is_an_event,
          test_last_event_id, test_recent_change_is_told_to_new_clients,
          test_environment_goes_and_comes_back, test_old_protocol, test_little_room,
          test_heartbeat_frees_those_who_left, test_silence_costs_nothing,
          test_heartbeat_by_the_clock, test_at_most_so_many)
