#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <git2/sys/stream.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "watch.h"

#define CONNECT_PATIENCE_MS 10000 /* an address; a name may have several */
#define LONE_PATIENCE_S 30        /* where no watch looks on */

/* libgit2's SSH transport takes every stream for its own struct and reads `socket` from it, so
 * these fields stand as they do there: host, port, socket. */
struct stream {
    git_stream parent;
    char *host, *port;
    int socket;
};

static int fail(const char *format, ...) PRINTF_LIKE(1, 2);
static int fail(const char *format, ...)
{
    char message[200];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof message, format, arguments) < 0)
        message[0] = '\0';
    va_end(arguments);
    git_error_set_str(GIT_ERROR_NET, message);
    return -1;
}

static bool is_over(void)
{
    struct watch *watch = watch_current();
    return watch && watch_is_over(watch);
}

/* How long one address may take. */
static unsigned connect_patience(void)
{
    const struct watch *watch = watch_current();
    return watch && watch->limits.patience < CONNECT_PATIENCE_MS ? watch->limits.patience
                                                                 : CONNECT_PATIENCE_MS;
}

/* Waits until a connect() under way has ended; its errno, 0 when it is there. */
static int await_connection(int socket)
{
    struct pollfd ready = {.fd = socket, .events = POLLOUT};
    const unsigned patience = connect_patience();
    for (unsigned waited = 0; waited < patience && !is_over(); waited += WATCH_TICK_MS) {
        int found = poll(&ready, 1, WATCH_TICK_MS);
        if (found > 0) {
            int number = 0;
            socklen_t length = sizeof number;
            return getsockopt(socket, SOL_SOCKET, SO_ERROR, &number, &length) == 0 ? number : errno;
        }
        if (found < 0 && errno != EINTR)
            return errno;
    }
    return ETIMEDOUT;
}

static bool set_options(int socket)
{
    const int on = 1;
    const struct timeval patience = {.tv_sec = LONE_PATIENCE_S};
    int flags = fcntl(socket, F_GETFL);
    if (flags < 0 || fcntl(socket, F_SETFL, flags & ~O_NONBLOCK) != 0 ||
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        return false;
    if (watch_current())
        return true;
    return setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
           setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0;
}

/* A connected socket, or -1 with the errno in *number. */
static int connect_address(const struct addrinfo *address, int *number)
{
    int made = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                      address->ai_protocol);
    if (made < 0) {
        *number = errno;
        return -1;
    }
    *number = connect(made, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (*number == EINPROGRESS || *number == EINTR)
        *number = await_connection(made);
    if (*number == 0 && set_options(made))
        return made;
    if (*number == 0)
        *number = errno;
    close(made);
    return -1;
}

static int connect_place(struct stream *stream, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL;
    int number = ETIMEDOUT;
    int failed = getaddrinfo(host, port, &hints, &addresses);
    if (failed)
        return fail("host \"%s\" is not known: %s", host, gai_strerror(failed));
    for (const struct addrinfo *a = addresses; a && stream->socket < 0 && !is_over();
         a = a->ai_next)
        stream->socket = connect_address(a, &number);
    freeaddrinfo(addresses);
    if (stream->socket < 0)
        return fail("no connection to \"%s\": %s", host, strerror(number));
    return 0;
}

static int stream_connect(git_stream *parent)
{
    struct stream *stream = (struct stream *)parent;
    struct watch *watch = watch_current();
    struct url_place place;
    char port[8];
    if (is_over())
        return fail("connection to \"%s\" was given up", stream->host);
    if (!watch)
        return connect_place(stream, stream->host, stream->port);
    if (!watch_route(watch, stream->host, stream->port, &place))
        return fail("it redirects to \"%s:%s\", where weir does not follow: when that is right, "
                    "name the new URL as the repository",
                    stream->host, stream->port);
    snprintf(port, sizeof port, "%u", place.port);
    if (connect_place(stream, place.host, port) != 0)
        return -1;
    return watch_attach(watch, stream->socket)
               ? 0
               : fail("no memory for a thread that watches the connection to \"%s\"", place.host);
}

static ssize_t stream_read(git_stream *parent, void *data, size_t length)
{
    struct stream *stream = (struct stream *)parent;
    ssize_t got;
    do
        got = recv(stream->socket, data, length, 0);
    while (got < 0 && errno == EINTR);
    if (is_over())
        return fail("connection to \"%s\" was given up", stream->host);
    if (got < 0)
        return fail("no answer from \"%s\": %s", stream->host, strerror(errno));
    return got;
}

static ssize_t stream_write(git_stream *parent, const char *data, size_t length, int flags)
{
    struct stream *stream = (struct stream *)parent;
    ssize_t sent;
    do
        sent = send(stream->socket, data, length, flags | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return fail("nothing can be sent to \"%s\": %s", stream->host, strerror(errno));
    return sent;
}

static int stream_close(git_stream *parent)
{
    struct stream *stream = (struct stream *)parent;
    if (stream->socket < 0)
        return 0;
    if (watch_current())
        watch_detach(watch_current(), stream->socket);
    int closed = close(stream->socket);
    stream->socket = -1;
    return closed;
}

static void stream_free(git_stream *parent)
{
    struct stream *stream = (struct stream *)parent;
    stream_close(parent);
    free(stream->host);
    free(stream->port);
    free(stream);
}

static int stream_new(git_stream **out, const char *host, const char *port)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        git_error_set_oom();
        return -1;
    }
    stream->socket = -1;
    stream->host = strdup(host);
    stream->port = strdup(port);
    stream->parent.version = GIT_STREAM_VERSION;
    stream->parent.connect = stream_connect;
    stream->parent.read = stream_read;
    stream->parent.write = stream_write;
    stream->parent.close = stream_close;
    stream->parent.free = stream_free;
    if (!stream->host || !stream->port) {
        stream_free(&stream->parent);
        git_error_set_oom();
        return -1;
    }
    *out = &stream->parent;
    return 0;
}

enum status stream_register(struct error *error)
{
    git_stream_registration registration = {.version = GIT_STREAM_VERSION, .init = stream_new};
    if (git_stream_register(GIT_STREAM_STANDARD, &registration) != 0)
        return error_set(error, STATUS_NO_MEMORY, "libgit2 takes no stream");
    return STATUS_OK;
}
