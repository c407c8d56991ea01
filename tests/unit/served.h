/* served.h - a real server on a free loopback port, and a client that speaks raw bytes to it. */
#ifndef WEIR_TESTS_SERVED_H
#define WEIR_TESTS_SERVED_H

#include "serving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND NANOSECONDS_PER_SECOND
#define PATIENT 20 /* seconds that a client waits for what must come */

static struct serving serving;
static struct http_server *server;
static char address[64];

static inline void start(unsigned threads)
{
    struct error error = {0};
    serving_init(&serving);
    serving_publish(&serving, serving_flags, true);
    ck_assert_msg(http_server_start(&serving.parts, "127.0.0.1:0", threads, address, &server,
                                    &error) == STATUS_OK,
                  "%s", error.message);
}

static inline void stop(void)
{
    http_server_stop(server, 5 * SECOND);
    serving_dispose(&serving);
}

/* --- a client -------------------------------------------------------------------------------- */

struct client {
    int descriptor;
    char data[1 << 16]; /* received and not yet taken */
    size_t length;
};

struct reply {
    unsigned status;
    char head[4096], body[1 << 15];
};

static inline uint16_t port_of(const char *text)
{
    const char *colon = strrchr(text, ':');
    ck_assert_ptr_nonnull(colon);
    return (uint16_t)strtoul(colon + 1, NULL, 10);
}

static inline int try_connect(void)
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

static inline void client_open(struct client *client)
{
    client->length = 0;
    client->descriptor = try_connect();
    ck_assert_int_ge(client->descriptor, 0);
}

static inline void client_close(struct client *client)
{
    close(client->descriptor);
}

static inline void send_bytes(struct client *client, const char *data, size_t length)
{
    while (length) {
        ssize_t sent = send(client->descriptor, data, length, MSG_NOSIGNAL);
        ck_assert_msg(sent > 0, "send: %s", strerror(errno));
        data += sent;
        length -= (size_t)sent;
    }
}

static inline void send_text(struct client *client, const char *text)
{
    send_bytes(client, text, strlen(text));
}

/* False at the end of the stream. */
static inline bool receive_more(struct client *client)
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

static inline bool at_end(struct client *client)
{
    return client->length == 0 && !receive_more(client);
}

static inline void take(struct client *client, char *out, size_t size, size_t length)
{
    ck_assert_uint_lt(length, size);
    memcpy(out, client->data, length);
    out[length] = '\0';
    memmove(client->data, client->data + length, client->length - length + 1);
    client->length -= length;
}

static inline const char *header_of(const struct reply *reply, const char *name)
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
static inline void receive(struct client *client, struct reply *reply, bool bodiless)
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

static inline void send_post(struct client *client, const char *path, const char *headers,
                             const char *body)
{
    char head[2048];
    int length =
        snprintf(head, sizeof head,
                 "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 "%sContent-Length: %zu\r\n\r\n%s",
                 path, headers, strlen(body), body);
    ck_assert(length > 0 && (size_t)length < sizeof head);
    send_bytes(client, head, (size_t)length);
}

static inline void check_plain(struct client *client)
{
    struct reply reply;
    send_post(client, ONE "plain", "", USER);
    receive(client, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);
    ck_assert_uint_eq(reply.status, 200);
}

/* A fresh client is answered. */
static inline void check_alive(void)
{
    struct client client;
    client_open(&client);
    check_plain(&client);
    client_close(&client);
}

#endif
