/* A real server on a free loopback port, and clients that speak raw bytes to it. */
#include "serving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../controller/http/listen.h"
#include "../../controller/telemetry_families.h"

#define SECOND NANOSECONDS_PER_SECOND
#define PATIENT 20 /* seconds that a client waits for what must come */

static struct serving serving;
static struct http_server *server;
static char address[64];

static void start(unsigned threads)
{
    struct error error = {0};
    serving_init(&serving);
    serving_publish(&serving, serving_flags, true);
    ck_assert_msg(http_server_start(&serving.parts, "127.0.0.1:0", threads, address, &server,
                                    &error) == STATUS_OK,
                  "%s", error.message);
}

static void stop(void)
{
    http_server_stop(server, 5 * SECOND);
    serving_dispose(&serving);
}

/* --- a client -----------------------------------------------------------------------------------
 */

struct client {
    int descriptor;
    char data[1 << 16]; /* received and not yet taken */
    size_t length;
};

struct reply {
    unsigned status;
    char head[4096], body[1 << 15];
};

static uint16_t port_of(const char *text)
{
    const char *colon = strrchr(text, ':');
    ck_assert_ptr_nonnull(colon);
    return (uint16_t)strtoul(colon + 1, NULL, 10);
}

static int try_connect(void)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port_of(address))};
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(descriptor, 0);
    if (connect(descriptor, (struct sockaddr *)&peer, sizeof peer) != 0) {
        close(descriptor);
        return -1;
    }
    struct timeval wait = {.tv_sec = PATIENT};
    int yes = 1;
    ck_assert_int_eq(setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    ck_assert_int_eq(setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait), 0);
    ck_assert_int_eq(setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), 0);
    return descriptor;
}

static void client_open(struct client *client)
{
    client->length = 0;
    client->descriptor = try_connect();
    ck_assert_int_ge(client->descriptor, 0);
}

static void client_close(struct client *client)
{
    close(client->descriptor);
}

static void send_bytes(struct client *client, const char *data, size_t length)
{
    while (length) {
        ssize_t sent = send(client->descriptor, data, length, MSG_NOSIGNAL);
        ck_assert_msg(sent > 0, "send: %s", strerror(errno));
        data += sent;
        length -= (size_t)sent;
    }
}

static void send_text(struct client *client, const char *text)
{
    send_bytes(client, text, strlen(text));
}

/* False at the end of the stream. */
static bool receive_more(struct client *client)
{
    ck_assert_uint_lt(client->length, sizeof client->data - 1);
    ssize_t received = recv(client->descriptor, client->data + client->length,
                            sizeof client->data - 1 - client->length, 0);
    if (received < 0 && errno == ECONNRESET)
        return false;
    ck_assert_msg(received >= 0, "nothing came: %s", strerror(errno));
    client->length += (size_t)received;
    client->data[client->length] = '\0';
    return received > 0;
}

static bool at_end(struct client *client)
{
    return client->length == 0 && !receive_more(client);
}

static void take(struct client *client, char *out, size_t size, size_t length)
{
    ck_assert_uint_lt(length, size);
    memcpy(out, client->data, length);
    out[length] = '\0';
    memmove(client->data, client->data + length, client->length - length + 1);
    client->length -= length;
}

static const char *header_of(const struct reply *reply, const char *name)
{
    static _Thread_local char value[256];
    char start[64];
    snprintf(start, sizeof start, "\r\n%s: ", name);
    const char *found = strcasestr(reply->head, start);
    if (!found)
        return NULL;
    found += strlen(start);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(found, "\r"), found);
    return value;
}

/* The next answer; `bodiless` where the request was a HEAD. */
static void receive(struct client *client, struct reply *reply, bool bodiless)
{
    char *end;
    client->data[client->length] = '\0';
    while (!(end = strstr(client->data, "\r\n\r\n")))
        ck_assert_msg(receive_more(client), "connection closed after: %s", client->data);
    take(client, reply->head, sizeof reply->head, (size_t)(end + 4 - client->data));
    ck_assert_int_eq(strncmp(reply->head, "HTTP/1.1 ", 9), 0);
    reply->status = (unsigned)strtoul(reply->head + 9, NULL, 10);
    const char *length_text = header_of(reply, "Content-Length");
    size_t length = 0;
    if (length_text && !bodiless && reply->status != 304)
        length = strtoul(length_text, NULL, 10);
    while (client->length < length)
        ck_assert(receive_more(client));
    take(client, reply->body, sizeof reply->body, length);
}

#define ONE "/ofrep/v1/evaluate/flags/"
#define ALL "/ofrep/v1/evaluate/flags"
#define USER "{\"context\":{\"targetingKey\":\"u1\"}}"
#define PLAIN "{\"key\":\"plain\",\"reason\":\"STATIC\",\"value\":true,\"variant\":\"on\"}"

static void send_post(struct client *client, const char *path, const char *headers,
                      const char *body)
{
    char head[2048];
    int length = snprintf(head, sizeof head,
                          "POST %s HTTP/1.1\r\nHost: weir\r\nContent-Type: application/json\r\n"
                          "%sContent-Length: %zu\r\n\r\n%s",
                          path, headers, strlen(body), body);
    ck_assert(length > 0 && (size_t)length < sizeof head);
    send_bytes(client, head, (size_t)length);
}

static void check_plain(struct client *client)
{
    struct reply reply;
    send_post(client, ONE "plain", "", USER);
    receive(client, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);
    ck_assert_uint_eq(reply.status, 200);
}

/* A fresh client is answered. */
static void check_alive(void)
{
    struct client client;
    client_open(&client);
    check_plain(&client);
    client_close(&client);
}

/* --- listening ----------------------------------------------------------------------------------
 */

START_TEST(test_addresses)
{
    static const struct {
        const char *listen, *prefix;
    } cases[] = {{"127.0.0.1:0", "127.0.0.1:"},
                 {"localhost:0", NULL},
                 {":0", NULL},
                 {"0.0.0.0:0", "0.0.0.0:"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {0};
        serving_init(&serving);
        serving_publish(&serving, serving_flags, true);
        ck_assert_msg(http_server_start(&serving.parts, cases[i].listen, 1, address, &server,
                                        &error) == STATUS_OK,
                      "%s", error.message);
        ck_assert_uint_ne(port_of(address), 0);
        if (cases[i].prefix)
            ck_assert_msg(text_starts_with(text_of(address), text_of(cases[i].prefix)), "%s",
                          address);
        if (strcmp(cases[i].listen, "localhost:0") != 0 || address[0] != '[')
            check_alive();
        stop();
    }
}
END_TEST

START_TEST(test_ipv6)
{
    int descriptor = -1;
    struct error error = {0};
    enum status status = listen_open("[::1]:0", &descriptor, address, &error);
    if (status != STATUS_OK) {
        /* A machine without IPv6 says so; anything else is a fault. */
        ck_assert_msg(strstr(error.message, "not an address of this machine") ||
                          strstr(error.message, "not supported"),
                      "%s", error.message);
        return;
    }
    ck_assert_msg(text_starts_with(text_of(address), TEXT("[::1]:")), "%s", address);
    ck_assert_uint_ne(port_of(address), 0);
    close(descriptor);
}
END_TEST

START_TEST(test_refused_addresses)
{
    static const struct {
        const char *listen;
        enum status status;
        const char *message;
    } cases[] = {
        {"localhost", STATUS_INVALID, "'localhost' has no port; write ADDRESS:PORT"},
        {"", STATUS_INVALID, "'' has no port; write ADDRESS:PORT"},
        {"127.0.0.1:", STATUS_INVALID, "'' is not a port; write 0 to 65535"},
        {"127.0.0.1:65536", STATUS_INVALID, "'65536' is not a port; write 0 to 65535"},
        {"127.0.0.1:99999999999999999999", STATUS_INVALID,
         "'99999999999999999999' is not a port; write 0 to 65535"},
        {"127.0.0.1:80x", STATUS_INVALID, "'80x' is not a port; write 0 to 65535"},
        {"127.0.0.1:-1", STATUS_INVALID, "'-1' is not a port; write 0 to 65535"},
        {"::1:80", STATUS_INVALID,
         "'::1:80' is ambiguous; write an IPv6 address in brackets: [IPV6]:PORT"},
        {"[::1:80", STATUS_INVALID, "'[::1:80' is not an address; write [IPV6]:PORT"},
        {"[::1]80", STATUS_INVALID, "'[::1]80' is not an address; write [IPV6]:PORT"},
        {"[:80", STATUS_INVALID, "'[:80' is not an address; write [IPV6]:PORT"},
        {"192.0.2.1:0", STATUS_SYSTEM,
         "cannot listen on '192.0.2.1:0': Cannot assign requested address; it is not an address of "
         "this machine"},
    };
    serving_init(&serving);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {0};
        enum status status =
            http_server_start(&serving.parts, cases[i].listen, 1, address, &server, &error);
        ck_assert_str_eq(error.message, cases[i].message);
        ck_assert_int_eq(status, cases[i].status);
    }
    serving_dispose(&serving);
}
END_TEST

START_TEST(test_port_in_use)
{
    start(1);
    char taken[64], expected[256];
    struct http_server *second = NULL;
    struct error error = {0};
    ck_assert_int_eq(http_server_start(&serving.parts, address, 1, taken, &second, &error),
                     STATUS_SYSTEM);
    snprintf(expected, sizeof expected,
             "cannot listen on '%s': Address already in use; choose another port, or 0 for a free "
             "one",
             address);
    ck_assert_str_eq(error.message, expected);
    ck_assert_ptr_null(second);
    check_alive();
    stop();
}
END_TEST

/* --- requests -----------------------------------------------------------------------------------
 */

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

    send_text(&client, "DELETE " ONE "plain HTTP/1.1\r\nHost: weir\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 405);
    ck_assert_str_eq(header_of(&reply, "Allow"), "POST");

    send_text(&client, "GET /healthz?verbose=1 HTTP/1.1\r\nHost: weir\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, "{\"status\":\"ok\"}");
    send_text(&client, "HEAD /healthz HTTP/1.1\r\nHost: weir\r\n\r\n");
    receive(&client, &reply, true);
    ck_assert_uint_eq(reply.status, 200);
    ck_assert_str_eq(header_of(&reply, "Content-Length"), "15");
    ck_assert_uint_eq(client.length, 0);

    send_text(&client, "GET http://weir/healthz HTTP/1.1\r\nHost: weir\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, "{\"status\":\"ok\"}");

    send_text(&client, "GET /metrics HTTP/1.1\r\nHost: weir\r\n\r\n");
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
    char etag[64], headers[256], path[256];
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
    static const char request[] = "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\n"
                                  "Content-Length: 33\r\n\r\n" USER;
    _Static_assert(sizeof USER - 1 == 33, "Content-Length above");
    start(1);
    client_open(&client);
    for (size_t i = 0; i < sizeof request - 1; i++)
        send_bytes(&client, request + i, 1);
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);

    send_text(&client,
              "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\nTransfer-Encoding: chunked\r\n\r\n"
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
             "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\nExpect: 100-continue\r\n"
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
              "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\nContent-Length: 10485760\r\n\r\n");
    for (int i = 0; i < 10; i++)
        send_bytes(&client, megabyte, sizeof megabyte);
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, TOO_LARGE);
    ck_assert_uint_eq(reply.status, 413);
    check_plain(&client);

    /* Chunked, one byte over. */
    send_text(&client,
              "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\nTransfer-Encoding: chunked\r\n\r\n"
              "100001\r\n");
    send_bytes(&client, megabyte, sizeof megabyte);
    send_text(&client, " \r\n0\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 413);

    /* Whoever asks first is told before sending. */
    send_text(&client, "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\nExpect: 100-continue\r\n"
                       "Content-Length: 1048577\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, TOO_LARGE);
    client_close(&client);

    /* What nobody would wait for is not read at all. */
    client_open(&client);
    send_text(&client,
              "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\nContent-Length: 1000000000000\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 413);
    ck_assert(at_end(&client));
    client_close(&client);
    check_alive();
    stop();
}
END_TEST

/* --- bad clients --------------------------------------------------------------------------------
 */

enum { DROPPED = 0, WAITING = 1 }; /* hung up on without a word; taken as a request not yet whole */

START_TEST(test_garbage)
{
#define BYTES(literal) literal, sizeof(literal) - 1
#define POST_HEAD "POST /x HTTP/1.1\r\nHost: x\r\n"
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
        {BYTES(POST_HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), 400},
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
    start(1);
    client_open(&client);
    /* Two lengths: a proxy may see one request where we see two, or the other way round. */
    send_text(&client, "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\nContent-Length: 2\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n2\r\n{}\r\n0\r\n\r\n");
    while (receive_more(&client)) {
    }
    if (client.length)
        ck_assert_msg(strncmp(client.data, "HTTP/1.1 400", 12) == 0, "%s", client.data);
    client_close(&client);
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
    send_text(&client, "GET /healthz HTTP/1.1\r\nHost: weir\r\nX: ");
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
                                  : "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\n"
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

/* --- stopping -----------------------------------------------------------------------------------
 */

static void *stop_patiently(void *patience)
{
    http_server_stop(server, *(int64_t *)patience);
    return NULL;
}

/* Until nobody listens there any more. */
static void wait_until_refused(void)
{
    for (int i = 0; i < PATIENT * 200; i++) {
        int descriptor = try_connect();
        if (descriptor < 0)
            return;
        close(descriptor);
        poll(NULL, 0, 5);
    }
    ck_abort_msg("still listening");
}

/* Until all that was sent has been read by the server, as the kernel counts it. */
static void wait_until_read(void)
{
    char hex[16];
    for (int i = 0; i < PATIENT * 200; i++) {
        char line[512];
        bool waiting = false;
        FILE *table = fopen("/proc/net/tcp", "re");
        ck_assert_ptr_nonnull(table);
        snprintf(hex, sizeof hex, ":%04X ", port_of(address));
        while (fgets(line, sizeof line, table)) {
            /* "sl local:port remote:port st tx:rx …": what a local port of ours has not read */
            char *local = strchr(line, ':') ? strstr(strchr(line, ':') + 1, hex) : NULL;
            char *queue = local && local - line < 25 ? strchr(local + 6, ' ') : NULL;
            unsigned state, sent, received;
            if (queue && sscanf(queue, " %x %x:%x", &state, &sent, &received) == 3 && received)
                waiting = true;
        }
        fclose(table);
        if (!waiting)
            return;
        poll(NULL, 0, 5);
    }
    ck_abort_msg("the server does not read");
}

START_TEST(test_stop_finishes_requests)
{
    struct client busy, idle;
    struct reply reply;
    pthread_t stopper;
    int64_t patience = PATIENT * SECOND;
    start(2);
    client_open(&idle);
    check_plain(&idle);
    client_open(&busy);
    send_text(&busy,
              "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\nContent-Length: 33\r\n\r\n{\"context\"");
    wait_until_read();
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_patiently, &patience), 0);
    /* The one in flight is waited for, and told not to send another. */
    struct pollfd hang_up = {.fd = busy.descriptor, .events = POLLIN};
    ck_assert_int_eq(poll(&hang_up, 1, 200), 0);
    send_text(&busy, ":{\"targetingKey\":\"u1\"}}");
    receive(&busy, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);
    ck_assert_str_eq(header_of(&reply, "Connection"), "close");
    ck_assert(at_end(&busy));
    pthread_join(stopper, NULL);
    ck_assert(at_end(&idle));
    wait_until_refused();
    client_close(&busy);
    client_close(&idle);
    serving_dispose(&serving);
}
END_TEST

START_TEST(test_stop_is_bounded)
{
    struct client stuck;
    start(1);
    client_open(&stuck);
    send_text(&stuck, "POST " ONE "plain HTTP/1.1\r\nHost: weir\r\nContent-Length: 33\r\n\r\n{");
    wait_until_read();
    int64_t before = serving_monotonic(NULL);
    http_server_stop(server, SECOND / 10);
    int64_t took = serving_monotonic(NULL) - before;
    ck_assert_int_ge(took, SECOND / 10);
    ck_assert_int_lt(took, 10 * SECOND);
    ck_assert(at_end(&stuck));
    client_close(&stuck);
    serving_dispose(&serving);
    http_server_stop(NULL, 0);
}
END_TEST

/* --- load ---------------------------------------------------------------------------------------
 */

struct load {
    pthread_t thread;
    atomic_bool *enough;
    unsigned long answers;
    unsigned changes; /* how often the answer differed from the one before */
};

static const char flag_on[] =
    "{\"flags\":{\"plain\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"on\"}}}";
static const char flag_off[] =
    "{\"flags\":{\"plain\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"off\"}}}";

static void *ask_on(void *context)
{
    struct load *load = context;
    struct client *client = calloc(1, sizeof *client);
    ck_assert_ptr_nonnull(client);
    struct reply reply;
    char last = 0;
    client_open(client);
    while (!atomic_load(load->enough)) {
        send_post(client, load->answers % 3 ? ONE "plain" : ALL, "", USER);
        receive(client, &reply, false);
        ck_assert_uint_eq(reply.status, 200);
        const char *value = strstr(reply.body, "\"value\":");
        ck_assert_ptr_nonnull(value);
        ck_assert(value[8] == 't' || value[8] == 'f');
        load->changes += last != 0 && last != value[8];
        last = value[8];
        load->answers++;
    }
    client_close(client);
    free(client);
    return NULL;
}

START_TEST(test_swaps_under_load)
{
    enum { SWAPS = 300 };
    atomic_bool enough = false;
    struct load loads[2];
    start(2);
    serving_publish(&serving, flag_on, true);
    for (size_t i = 0; i < COUNT_OF(loads); i++) {
        loads[i] = (struct load){.enough = &enough};
        ck_assert_int_eq(pthread_create(&loads[i].thread, NULL, ask_on, &loads[i]), 0);
    }
    struct client client;
    struct reply reply;
    client_open(&client);
    for (int i = 0; i < SWAPS; i++) {
        serving_publish(&serving, i % 2 ? flag_on : flag_off, true);
        /* What is published is what the next request gets. */
        send_post(&client, ONE "plain", "", USER);
        receive(&client, &reply, false);
        ck_assert_ptr_nonnull(strstr(reply.body, i % 2 ? "\"value\":true" : "\"value\":false"));
    }
    client_close(&client);
    atomic_store(&enough, true);
    uint64_t answers = 0;
    unsigned changes = 0;
    for (size_t i = 0; i < COUNT_OF(loads); i++) {
        pthread_join(loads[i].thread, NULL);
        answers += loads[i].answers;
        changes += loads[i].changes;
    }
    ck_assert_uint_gt(changes, 0);
    struct series *single =
        telemetry_series(serving.telemetry, &family_http_requests, "evaluate_flag", "200");
    struct series *bulk =
        telemetry_series(serving.telemetry, &family_http_requests, "evaluate_flags", "200");
    ck_assert_uint_eq((uint64_t)(single->value + bulk->value), answers + SWAPS);
    stop();
}
END_TEST

START_TEST(test_stop_under_load)
{
    /* Clients that send the next request as soon as they have an answer: each gets an answer to
     * every request that it sent before it was told to close. */
    struct client clients[8];
    struct reply reply;
    pthread_t stopper;
    int64_t patience = PATIENT * SECOND;
    start(2);
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        client_open(&clients[i]);
        check_plain(&clients[i]);
        send_post(&clients[i], ONE "plain", "", USER);
    }
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_patiently, &patience), 0);
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        for (;;) {
            receive(&clients[i], &reply, false);
            ck_assert_uint_eq(reply.status, 200);
            if (header_of(&reply, "Connection") || i > 0)
                break;
            send_post(&clients[i], ONE "plain", "", USER);
        }
        client_close(&clients[i]);
    }
    pthread_join(stopper, NULL);
    serving_dispose(&serving);
}
END_TEST

UNIT_MAIN("http", test_addresses, test_ipv6, test_refused_addresses, test_port_in_use, test_headers,
          test_not_ready, test_etag, test_keep_alive_and_pipelining, test_encoded_key,
          test_body_in_pieces, test_large_bodies, test_garbage, test_smuggled_body, test_long_heads,
          test_slow_clients_hold_nobody, test_stop_finishes_requests, test_stop_is_bounded,
          test_swaps_under_load, test_stop_under_load)
