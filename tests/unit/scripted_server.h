/* scripted_server.h - a server on a loopback port that answers one request after another as a
 * script says, and keeps what it was sent. One thread; one connection at a time, the newest. */
#ifndef WEIR_SCRIPTED_SERVER_H
#define WEIR_SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>

#include "folders.h"

#define SCRIPT_MOST 16
/* Instead of an answer: */
#define SCRIPT_CLOSE "close"
#define SCRIPT_HANG "hang"
#define SCRIPT_FLOOD "flood" /* bytes without end */

struct step {
    const char *request; /* what the request's first line begins with */
    const char *answer;  /* as it is sent; the connection stays open unless it says otherwise */
};

struct scripted_server {
    const struct step *steps;
    size_t step_count;
    int listener;
    unsigned port;
    char url[64]; /* "http://127.0.0.1:PORT" */
    pthread_t thread;
    _Atomic bool stop;

    pthread_mutex_t lock;
    struct buffer requests[SCRIPT_MOST]; /* head and body, as they came */
    size_t count, connections;
    char fault[256]; /* a request that the script does not have */
};

static bool scripted_wait(struct scripted_server *server, int descriptor)
{
    struct pollfd wanted[2] = {{descriptor, POLLIN, 0}, {server->listener, POLLIN, 0}};
    while (!atomic_load(&server->stop))
        if (poll(wanted, 2, 20) > 0)
            return wanted[0].revents != 0;
    return false;
}

static size_t body_length(const char *head)
{
    const char *field = strcasestr(head, "\r\nContent-Length:");
    return field ? (size_t)strtoull(field + 17, NULL, 10) : 0;
}

/* Reads one whole request; false when there is none. */
static bool scripted_read(struct scripted_server *server, int connection, struct buffer *out)
{
    char piece[65536];
    for (;;) {
        const char *text = out->length ? buffer_string(out) : NULL;
        const char *end = text ? strstr(text, "\r\n\r\n") : NULL;
        if (end && out->length >= (size_t)(end + 4 - text) + body_length(text))
            return true;
        if (!scripted_wait(server, connection))
            return false;
        ssize_t got = recv(connection, piece, sizeof piece, 0);
        if (got <= 0)
            return false;
        buffer_append(out, piece, (size_t)got);
    }
}

/* False: the connection is to be closed. */
static bool scripted_answer(struct scripted_server *server, int connection, const char *answer)
{
    if (strcmp(answer, SCRIPT_CLOSE) == 0)
        return false;
    if (strcmp(answer, SCRIPT_HANG) == 0) {
        char byte;
        while (scripted_wait(server, connection) && recv(connection, &byte, 1, 0) > 0)
            ;
        return false;
    }
    if (strcmp(answer, SCRIPT_FLOOD) == 0) {
        char much[16384];
        memset(much, 'x', sizeof much);
        while (!atomic_load(&server->stop) && send(connection, much, sizeof much, MSG_NOSIGNAL) > 0)
            ;
        return false;
    }
    return send(connection, answer, strlen(answer), MSG_NOSIGNAL) >= 0 &&
           !strstr(answer, "Connection: close");
}

static bool scripted_exchange(struct scripted_server *server, int connection)
{
    struct buffer request;
    const char *answer = NULL;
    buffer_init(&request, 0);
    bool going = scripted_read(server, connection, &request);
    if (going) {
        pthread_mutex_lock(&server->lock);
        size_t index = server->count;
        const char *expected = index < server->step_count ? server->steps[index].request : NULL;
        if (expected && text_starts_with(buffer_text(&request), text_of(expected))) {
            answer = server->steps[index].answer;
            server->requests[server->count++] = request;
            buffer_init(&request, 0);
        } else {
            snprintf(server->fault, sizeof server->fault, "request %zu is '%.60s', expected '%s'",
                     index, request.data, expected ? expected : "nothing");
        }
        pthread_mutex_unlock(&server->lock);
        going = answer && scripted_answer(server, connection, answer);
    }
    buffer_dispose(&request);
    return going;
}

static void *scripted_main(void *context)
{
    struct scripted_server *server = context;
    while (scripted_wait(server, server->listener)) {
        int connection = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0)
            break;
        pthread_mutex_lock(&server->lock);
        server->connections++;
        pthread_mutex_unlock(&server->lock);
        while (scripted_exchange(server, connection))
            ;
        close(connection);
    }
    return NULL;
}

SHARED void scripted_start(struct scripted_server *server, const struct step *steps, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    *server = (struct scripted_server){.steps = steps, .step_count = count};
    ck_assert_uint_le(count, SCRIPT_MOST);
    signal(SIGPIPE, SIG_IGN); /* as in the controller */
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(server->listener, 0);
    ck_assert_int_eq(bind(server->listener, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(server->listener, 16), 0);
    ck_assert_int_eq(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u", server->port);
    pthread_mutex_init(&server->lock, NULL);
    for (size_t i = 0; i < SCRIPT_MOST; i++)
        buffer_init(&server->requests[i], 0);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, scripted_main, server), 0);
}

/* Ends it; every step of the script must have been asked for, and nothing else. */
SHARED void scripted_stop(struct scripted_server *server)
{
    atomic_store(&server->stop, true);
    pthread_join(server->thread, NULL);
    close(server->listener);
    ck_assert_msg(!server->fault[0], "%s", server->fault);
    ck_assert_uint_eq(server->count, server->step_count);
    for (size_t i = 0; i < SCRIPT_MOST; i++)
        buffer_dispose(&server->requests[i]);
    pthread_mutex_destroy(&server->lock);
}

/* Whether the request of that number holds the text. */
SHARED bool scripted_saw(struct scripted_server *server, size_t index, const char *text)
{
    pthread_mutex_lock(&server->lock);
    bool saw = index < server->count && strstr(buffer_string(&server->requests[index]), text);
    pthread_mutex_unlock(&server->lock);
    return saw;
}

#endif
