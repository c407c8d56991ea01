/* Requests as they come over the wire, good and bad. */
#include "served.h"

#include "overrides.h"

/* --- requests -------------------------------------------------------------------------------- */

START_TEST(test_headers)
{
    struct client client;
    struct reply reply;
    start(1);
    client_open(&client);
    send_post(&client, ONE "plain", "", USER);
    receive(&client, &reply, false);
    ck_assert_str_eq(header_of(&reply, "Content-Type"), "application/json");
    ck_assert_ptr_null(header_of(&reply, "ETag"));
    ck_assert_ptr_null(header_of(&reply, "Connection"));

    send_text(&client, "DELETE " ONE "plain HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 405);
    ck_assert_str_eq(header_of(&reply, "Allow"), "POST");

    send_text(&client, "GET /healthz?verbose=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, "{\"status\":\"ok\"}");
    send_text(&client, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(&client, &reply, true);
    ck_assert_uint_eq(reply.status, 200);
    ck_assert_str_eq(header_of(&reply, "Content-Length"), "15");
    ck_assert_uint_eq(client.length, 0);

    send_text(&client, "GET http://weir/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, "{\"status\":\"ok\"}");

    send_text(&client, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_str_eq(header_of(&reply, "Content-Type"), "text/plain; version=0.0.4");
    ck_assert_ptr_nonnull(
        strstr(reply.body, "weir_http_requests_total{route=\"evaluate_flag\",code=\"200\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(reply.body, "weir_http_requests_total{route=\"evaluate_flag\",code=\"405\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(reply.body, "weir_http_requests_total{route=\"healthz\",code=\"200\"} 3\n"));
    client_close(&client);
    stop();
}
END_TEST

START_TEST(test_not_ready)
{
    struct client client;
    struct reply reply;
    struct error error = {0};
    serving_init(&serving);
    ck_assert_int_eq(http_server_start(&serving.parts, "127.0.0.1:0", 1, address, &server, &error),
                     STATUS_OK);
    client_open(&client);
    send_post(&client, ONE "plain", "", USER);
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 503);
    ck_assert_str_eq(header_of(&reply, "Retry-After"), "1");
    serving_publish(&serving, serving_flags, true);
    check_plain(&client);
    client_close(&client);
    stop();
}
END_TEST

START_TEST(test_etag)
{
    struct client client;
    struct reply reply;
    char etag[256], headers[512], path[512];
    start(1);
    client_open(&client);
    send_post(&client, ALL, "", USER);
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 200);
    ck_assert_str_eq(header_of(&reply, "Access-Control-Expose-Headers"), "ETag");
    snprintf(etag, sizeof etag, "%s", header_of(&reply, "ETag"));

    snprintf(headers, sizeof headers, "If-None-Match: %s\r\n", etag);
    send_post(&client, ALL, headers, USER);
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 304);
    ck_assert_str_eq(header_of(&reply, "ETag"), etag);
    ck_assert_ptr_null(header_of(&reply, "Content-Type"));

    /* A hint of the query's is no condition, and nothing of a 304 stays in the connection. */
    snprintf(path, sizeof path, ALL "?flagConfigEtag=%s&flagConfigLastModified=1", etag + 1);
    send_post(&client, path, "", USER);
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 200);
    ck_assert_str_eq(header_of(&reply, "ETag"), etag);
    client_close(&client);
    stop();
}
END_TEST

static void publish_overridden(bool overridden)
{
    struct snapshot *snapshot =
        make_snapshot("production", serving_document(serving_flags), 1, COMMIT_A);
    if (overridden)
        set_two_overrides(snapshot);
    snapshot->standard = &snapshot->environments[0];
    hub_publish(&serving.hub, snapshot);
}

/* Beside the document, whole or not sent again. */
START_TEST(test_open_overrides_are_named)
{
    struct client client;
    struct reply reply;
    char request[512];
    start(1);
    client_open(&client);
    publish_overridden(false);
    send_text(&client, "GET /flagd.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 200);
    ck_assert_str_eq(header_of(&reply, "Weir-Commit"), COMMIT_A);
    ck_assert_ptr_null(header_of(&reply, "Weir-Overrides"));
    snprintf(request, sizeof request,
             "GET /flagd.json HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: %s\r\n\r\n",
             header_of(&reply, "ETag"));

    publish_overridden(true);
    send_text(&client, request);
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 304);
    ck_assert_str_eq(header_of(&reply, "Weir-Overrides"), INTENT_A "," INTENT_B);
    send_post(&client, ONE "plain", "", USER); /* an answer for one user names nothing */
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 200);
    ck_assert_ptr_null(header_of(&reply, "Weir-Overrides"));
    client_close(&client);
    stop();
}
END_TEST

START_TEST(test_keep_alive_and_pipelining)
{
    enum { DEPTH = 200 };
    struct client client;
    struct reply reply;
    start(1);
    client_open(&client);
    for (int i = 0; i < 50; i++)
        check_plain(&client);
    for (int i = 0; i < DEPTH; i++)
        send_post(&client, i % 2 ? ONE "plain" : ONE "nope", "", USER);
    for (int i = 0; i < DEPTH; i++) {
        receive(&client, &reply, false);
        ck_assert_uint_eq(reply.status, i % 2 ? 200 : 404);
    }
    /* HTTP/1.0 and "close" end the connection after the answer. */
    send_post(&client, ONE "plain", "Connection: close\r\n", USER);
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);
    ck_assert(at_end(&client));
    client_close(&client);
    stop();
}
END_TEST

START_TEST(test_encoded_key)
{
    struct client client;
    struct reply reply;
    start(1);
    client_open(&client);
    send_post(&client, ONE "a%2Fb%20%C3%BC?x=%2F", "", USER);
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, "{\"key\":\"a/b \xc3\xbc\",\"reason\":\"STATIC\",\"value\":false,"
                                 "\"variant\":\"off\"}");
    send_post(&client, ONE "a%2", "", USER);
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 400);
    client_close(&client);
    stop();
}
END_TEST

START_TEST(test_body_in_pieces)
{
    struct client client;
    struct reply reply;
    static const char request[] = "POST " ONE "plain HTTP/1.1\r\nHost: localhost\r\n"
                                  "Content-Length: 33\r\n\r\n" USER;
    _Static_assert(sizeof USER - 1 == 33, "Content-Length above");
    start(1);
    client_open(&client);
    for (size_t i = 0; i < sizeof request - 1; i++)
        send_bytes(&client, request + i, 1);
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);

    send_text(&client,
              "POST " ONE "plain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
              "a\r\n{\"context\"\r\n");
    send_text(&client, "17\r\n:{\"targetingKey\":\"u1\"}}\r\n0\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);
    check_plain(&client); /* nothing of it is left for the next one */

    /* A whole megabyte, in the pieces that the network makes of it. */
    struct buffer body;
    buffer_init(&body, 0);
    buffer_append_string(&body, "{\"context\":{\"targetingKey\":\"u1\",\"pad\":\"");
    while (body.length < HTTP_MAX_BODY - 3)
        buffer_append_char(&body, 'x');
    buffer_append_string(&body, "\"}}");
    ck_assert_uint_eq(body.length, HTTP_MAX_BODY);
    char head[256];
    snprintf(head, sizeof head,
             "POST " ONE "plain HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
             "Content-Length: %zu\r\n\r\n",
             body.length);
    send_text(&client, head);
    receive(&client, &reply, true);
    ck_assert_uint_eq(reply.status, 100);
    send_bytes(&client, body.data, body.length);
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);
    buffer_dispose(&body);
    client_close(&client);
    stop();
}
END_TEST

#define TOO_LARGE                                                                                  \
    "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"body is over 1048576 "                          \
    "bytes\",\"key\":\"plain\"}"

START_TEST(test_large_bodies)
{
    static char megabyte[1 << 20];
    struct client client;
    struct reply reply;
    start(1);
    memset(megabyte, ' ', sizeof megabyte);

    /* 10 MB: read to its end, so that a client that writes before it reads gets its answer. */
    client_open(&client);
    send_text(&client,
              "POST " ONE "plain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10485760\r\n\r\n");
    for (int i = 0; i < 10; i++)
        send_bytes(&client, megabyte, sizeof megabyte);
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, TOO_LARGE);
    ck_assert_uint_eq(reply.status, 413);
    check_plain(&client);

    /* Chunked, one byte over. */
    send_text(&client,
              "POST " ONE "plain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
              "100001\r\n");
    send_bytes(&client, megabyte, sizeof megabyte);
    send_text(&client, " \r\n0\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 413);

    /* Whoever asks first is told before sending. */
    send_text(&client, "POST " ONE "plain HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                       "Content-Length: 1048577\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, TOO_LARGE);
    client_close(&client);

    /* What nobody would wait for is not read at all. */
    client_open(&client);
    send_text(&client,
              "POST " ONE
              "plain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 413);
    ck_assert(at_end(&client));
    client_close(&client);
    check_alive();
    stop();
}
END_TEST

/* --- bad clients ----------------------------------------------------------------------------- */

enum { DROPPED = 0, WAITING = 1 }; /* hung up on without a word; taken as a request not yet whole */

START_TEST(test_garbage)
{
#define BYTES(literal) literal, sizeof(literal) - 1
#define POST_HEAD "POST /x HTTP/1.1\r\nHost: localhost\r\n"
    static const struct {
        const char *bytes;
        size_t length;
        unsigned answer; /* a status, or one of the above */
    } cases[] = {
        {BYTES("\r\n\r\n\r\n\r\n"), WAITING},
        {BYTES("\0\0\0\0\0\0\0\0\r\n\r\n"), WAITING},
        {BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), DROPPED}, /* TLS */
        {BYTES("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n\r\n\r\n"), DROPPED},    /* Redis */
        {BYTES("GET / HTTP/9.9\r\n\r\n"), 505},
        {BYTES("GET /\r\n\r\n"), 400},
        {BYTES("GET / HTTP/1.1\r\n no name\r\n\r\n"), 400},
        {BYTES("GET /healthz HTTP/1.1\r\n\r\n"), 400}, /* no Host */
        {BYTES(POST_HEAD "Content-Length: nope\r\n\r\n"), 400},
        {BYTES(POST_HEAD "Content-Length: -1\r\n\r\n"), 400},
        {BYTES(POST_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400},
        {BYTES(POST_HEAD "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"), 413},
    };
    start(1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client client;
        struct reply reply;
        client_open(&client);
        send_bytes(&client, cases[i].bytes, cases[i].length);
        if (cases[i].answer == DROPPED) {
            ck_assert_msg(at_end(&client), "%zu: %s", i, client.data);
        } else if (cases[i].answer != WAITING) {
            receive(&client, &reply, false);
            ck_assert_msg(reply.status == cases[i].answer, "%zu: %u", i, reply.status);
        }
        check_alive();
        client_close(&client);
    }
    stop();
}
END_TEST

START_TEST(test_smuggled_body)
{
    struct client client;
    struct reply reply;
    start(1);
    /* A proxy may see one request where we see two, or the other way round. */
    static const struct {
        const char *headers, *rest;
        unsigned status;
    } cases[] = {
        {"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n", 400},
        {"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "2\r\n{}\r\n0\r\n\r\n", 400},
        {"Content-Length: 2\r\ncontent-length: 2\r\n", "{}", 400},
        {"Content-Length: 2\r\nContent-Length: 40\r\n", "{}", 400},
        {"Transfer-Encoding: gzip, chunked\r\n", "2\r\n{}\r\n0\r\n\r\n", 501},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char request[512];
        client_open(&client);
        snprintf(request, sizeof request,
                 "POST " ONE "plain HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s" POST_HEAD "\r\n",
                 cases[i].headers, cases[i].rest);
        send_text(&client, request);
        receive(&client, &reply, false);
        ck_assert_msg(reply.status == cases[i].status, "%zu: %u", i, reply.status);
        ck_assert_int_eq(strncmp(reply.body, "{\"errorDetails\":\"", 17), 0);
        ck_assert_msg(at_end(&client), "%zu: %s", i, client.data);
        client_close(&client);
    }
    check_alive();
    stop();
}
END_TEST

START_TEST(test_long_heads)
{
    static char header[100000];
    struct client client;
    start(1);
    memset(header, 'a', sizeof header - 1);
    client_open(&client);
    send_text(&client, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ");
    /* The server may hang up while we are still writing. */
    (void)!send(client.descriptor, header, sizeof header - 1, MSG_NOSIGNAL);
    (void)!send(client.descriptor, "\r\n\r\n", 4, MSG_NOSIGNAL);
    while (receive_more(&client)) {
    }
    if (client.length)
        ck_assert_msg(strncmp(client.data, "HTTP/1.1 4", 10) == 0, "%s", client.data);
    client_close(&client);
    check_alive();
    stop();
}
END_TEST

START_TEST(test_slow_clients_hold_nobody)
{
    enum { SLOW = 20 };
    struct client slow[SLOW], *first = &slow[0];
    struct reply reply;
    start(1);
    for (size_t i = 0; i < SLOW; i++) {
        client_open(&slow[i]);
        send_text(&slow[i], i % 2 ? "POST " ONE "plain HT"
                                  : "POST " ONE "plain HTTP/1.1\r\nHost: localhost\r\n"
                                    "Content-Length: 33\r\n\r\n{\"context\"");
    }
    for (int i = 0; i < 20; i++)
        check_alive();
    send_text(first, ":{\"targetingKey\":\"u1\"}}");
    receive(first, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);
    for (size_t i = 0; i < SLOW; i++)
        client_close(&slow[i]);
    check_alive();
    stop();
}
END_TEST

UNIT_MAIN("http", test_headers, test_not_ready, test_etag, test_open_overrides_are_named,
          test_keep_alive_and_pipelining, test_encoded_key, test_body_in_pieces, test_large_bodies,
          test_garbage, test_smuggled_body, test_long_heads, test_slow_clients_hold_nobody)
