/* The only file that knows libmicrohttpd. It calls answer() several times for one request: with the
 * head, with each piece of the body, and at the end, which is the only time a response may be
 * queued without losing the connection. A body that comes in one piece is evaluated where it lies:
 * by the time of the last call its bytes are gone, so the response is made at once and queued then.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"
#include "route.h"

/* A body over HTTP_MAX_BODY is read and thrown away up to here, so that its sender gets to see the
 * 413; beyond, the connection is closed. */
#define DRAIN_MAX ((uint64_t)16 << 20)
#define KEPT_BODY ((size_t)16 << 10) /* memory that a connection keeps between requests */
#define LENGTH_UNKNOWN UINT64_MAX
#define CONNECTION_MEMORY ((size_t)32 << 10) /* of which a request's head must fit into half */
#define CONNECTIONS_MAX 10000
#define IDLE_SECONDS 60
/* A stop waits until no request has been seen for so long: a keep-alive client may have sent one
 * just now. */
#define LULL (20 * NANOSECONDS_PER_MILLISECOND)

struct thread {
    struct MHD_Daemon *daemon;
    int quiesced; /* its listening descriptor once that is ours to close, else -1 */
};

/* One daemon a thread, all on one listening socket, and not the library's pool: taking the socket
 * away from a pool races with its threads, and the loser of that race aborts the process
 * (MHD_quiesce_daemon in 0.9.75). */
struct http_server {
    struct http_parts parts;
    struct thread *threads;
    unsigned thread_count;
    int listener;
    pthread_key_t worker_key;
    _Atomic unsigned in_flight; /* requests whose head is read and whose answer is not sent */
    atomic_bool draining;
    pthread_mutex_t lock; /* of `changed` only */
    pthread_cond_t changed;
};

/* A connection, and the request that it carries now. Belongs to the thread that serves the
 * connection. */
struct exchange {
    uint64_t expected, received; /* bytes of body */
    struct MHD_Response *response;
    unsigned status;
    struct buffer body; /* only where it comes in pieces */
};

/* --- threads and connections ------------------------------------------------------------------ */

static void free_worker(void *worker)
{
    worker_free(worker);
}

static struct worker *current_worker(struct http_server *server)
{
    struct worker *worker = pthread_getspecific(server->worker_key);
    if (worker)
        return worker;
    worker = worker_new(&server->parts);
    if (worker && pthread_setspecific(server->worker_key, worker) != 0) {
        worker_free(worker);
        worker = NULL;
    }
    return worker;
}

static void connection_changed(void *context, struct MHD_Connection *connection,
                               void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    (void)context;
    (void)connection;
    struct exchange *exchange = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        exchange = calloc(1, sizeof *exchange);
        if (exchange)
            buffer_init(&exchange->body, HTTP_MAX_BODY);
        *socket_context = exchange;
    } else if (exchange) {
        if (exchange->response)
            MHD_destroy_response(exchange->response);
        buffer_dispose(&exchange->body);
        free(exchange);
        *socket_context = NULL;
    }
}

static void tell_stop(struct http_server *server)
{
    if (!atomic_load(&server->draining))
        return;
    pthread_mutex_lock(&server->lock);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void request_completed(void *context, struct MHD_Connection *connection,
                              void **request_context, enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct http_server *server = context;
    struct exchange *exchange = *request_context;
    if (!exchange)
        return;
    *request_context = NULL;
    if (exchange->response) {
        MHD_destroy_response(exchange->response);
        exchange->response = NULL;
    }
    if (exchange->body.size > KEPT_BODY)
        buffer_dispose(&exchange->body);
    atomic_fetch_sub(&server->in_flight, 1);
    tell_stop(server);
}

/* Keys are decoded by routes.c, part by part, so that %2F can stand in one. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* --- one request ------------------------------------------------------------------------------ */

static struct text header(struct MHD_Connection *connection, const char *name)
{
    return text_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
}

static enum method method_of(const char *name)
{
    if (strcmp(name, "POST") == 0)
        return METHOD_POST;
    if (strcmp(name, "GET") == 0)
        return METHOD_GET;
    return strcmp(name, "HEAD") == 0 ? METHOD_HEAD : METHOD_OTHER;
}

/* The path of a request target; a proxy's form, http://host/path, means the same. */
static struct text path_of(const char *url)
{
    if (strncmp(url, "http://", 7) == 0) {
        const char *slash = strchr(url + 7, '/');
        return slash ? text_of(slash) : TEXT("/");
    }
    return text_of(url);
}

static bool add_headers(struct MHD_Response *response, const struct answer *answer, bool close)
{
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%u", answer->retry_after);
    const struct {
        const char *name, *value;
    } headers[] = {
        {MHD_HTTP_HEADER_CONTENT_TYPE, answer->status == 304 ? NULL : answer->content_type},
        {MHD_HTTP_HEADER_ALLOW, answer->allow},
        {MHD_HTTP_HEADER_RETRY_AFTER, answer->retry_after ? seconds : NULL},
        {MHD_HTTP_HEADER_ETAG, answer->etag[0] ? answer->etag : NULL},
        {MHD_HTTP_HEADER_ACCESS_CONTROL_EXPOSE_HEADERS,
         answer->etag[0] ? MHD_HTTP_HEADER_ETAG : NULL},
        {MHD_HTTP_HEADER_CONNECTION, close ? "close" : NULL},
    };
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        if (headers[i].value &&
            MHD_add_response_header(response, headers[i].name, headers[i].value) != MHD_YES)
            return false;
    }
    return true;
}

static bool is_too_large(const struct exchange *exchange)
{
    return exchange->received > HTTP_MAX_BODY ||
           (exchange->expected != LENGTH_UNKNOWN && exchange->expected > HTTP_MAX_BODY);
}

/* Runs the route and makes exchange->response; false without memory. */
static bool respond(struct http_server *server, struct MHD_Connection *connection,
                    struct exchange *exchange, const char *url, const char *method,
                    struct text body)
{
    struct worker *worker = current_worker(server);
    if (!worker)
        return false;
    struct request request = {
        .method = method_of(method),
        .path = path_of(url),
        .content_type = header(connection, MHD_HTTP_HEADER_CONTENT_TYPE),
        .if_none_match = header(connection, MHD_HTTP_HEADER_IF_NONE_MATCH),
        .body = body,
        .body_too_large = is_too_large(exchange),
    };
    struct answer answer;
    const char *route = route_dispatch(worker, &request, &answer);
    worker_count_request(worker, route, answer.status);
    exchange->status = answer.status;
    exchange->response = MHD_create_response_from_buffer(answer.body->length, answer.body->data,
                                                         MHD_RESPMEM_MUST_COPY);
    return exchange->response &&
           add_headers(exchange->response, &answer, atomic_load(&server->draining));
}

static enum MHD_Result queue(struct MHD_Connection *connection, struct exchange *exchange)
{
    enum MHD_Result result = MHD_queue_response(connection, exchange->status, exchange->response);
    MHD_destroy_response(exchange->response);
    exchange->response = NULL;
    return result;
}

/* The head has come. Most often all there is to do is to note how much follows. */
static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *connection,
                             struct exchange *exchange, const char *url, const char *method)
{
    exchange->expected = LENGTH_UNKNOWN;
    exchange->received = 0;
    buffer_clear(&exchange->body);
    atomic_fetch_add(&server->in_flight, 1);
    tell_stop(server);

    struct text length = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (!length.data)
        return MHD_YES;
    /* The library has checked that it is a number. */
    exchange->expected = strtoull(length.data, NULL, 10);
    if (exchange->expected <= HTTP_MAX_BODY)
        return MHD_YES;
    /* Whoever asks before sending is told now; a body that is not worth reading is refused. */
    if (exchange->expected > DRAIN_MAX || header(connection, MHD_HTTP_HEADER_EXPECT).data)
        return respond(server, connection, exchange, url, method, (struct text){NULL, 0})
                   ? queue(connection, exchange)
                   : MHD_NO;
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_server *server, struct MHD_Connection *connection,
                                 struct exchange *exchange, const char *url, const char *method,
                                 struct text piece)
{
    bool whole = exchange->received == 0 && piece.length == exchange->expected;
    /* Content-Length and a chunked body that is longer: a request that two parties read
     * differently. */
    if (exchange->response)
        return MHD_NO;
    exchange->received += piece.length;
    if (whole && piece.length <= HTTP_MAX_BODY)
        return respond(server, connection, exchange, url, method, piece) ? MHD_YES : MHD_NO;
    if (exchange->received > DRAIN_MAX)
        return MHD_NO;
    if (is_too_large(exchange)) {
        buffer_dispose(&exchange->body);
        return MHD_YES;
    }
    if (exchange->body.length == 0 && exchange->expected != LENGTH_UNKNOWN)
        buffer_reserve(&exchange->body, (size_t)exchange->expected);
    buffer_append_text(&exchange->body, piece);
    return exchange->body.failed ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request_context)
{
    (void)version;
    struct http_server *server = context;
    struct exchange *exchange = *request_context;
    if (!exchange) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        exchange = info ? info->socket_context : NULL;
        *request_context = exchange;
        return exchange ? begin(server, connection, exchange, url, method) : MHD_NO;
    }
    if (*upload_size) {
        struct text piece = {upload, *upload_size};
        *upload_size = 0;
        return take_body(server, connection, exchange, url, method, piece);
    }
    if (!exchange->response &&
        !respond(server, connection, exchange, url, method, buffer_text(&exchange->body)))
        return MHD_NO;
    return queue(connection, exchange);
}

/* --- start and stop --------------------------------------------------------------------------- */

/* Most of the descriptors that the process may have; the rest is for Git, targets and files. */
static unsigned connection_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur / 4 * 3 > CONNECTIONS_MAX)
        return CONNECTIONS_MAX;
    return limit.rlim_cur > 16 ? (unsigned)(limit.rlim_cur / 4 * 3) : 16;
}

static unsigned threads_for(unsigned threads)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (threads == 0)
        threads = cores > 0 ? (unsigned)cores : 1;
    return threads < 256 ? threads : 256;
}

static struct MHD_Daemon *start_daemon(struct http_server *server, unsigned connections)
{
    /* Each has a descriptor of its own to close. When it does not start it may have closed it
     * already or not; then the descriptor is left alone, for its number may be somebody else's by
     * now. */
    int listener = fcntl(server->listener, F_DUPFD_CLOEXEC, 0);
    if (listener < 0)
        return NULL;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, listener, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)connections, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)CONNECTION_MEMORY, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)connection_changed, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)request_completed, server},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, answer,
                            server, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static bool start_threads(struct http_server *server, unsigned threads)
{
    server->threads = calloc(threads, sizeof *server->threads);
    if (!server->threads)
        return false;
    /* Their threads take no signals: those are for the thread that waits for them. */
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    unsigned connections = connection_limit() / threads + 1;
    while (server->thread_count < threads) {
        struct MHD_Daemon *daemon = start_daemon(server, connections);
        if (!daemon)
            break;
        server->threads[server->thread_count++] = (struct thread){daemon, -1};
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return server->thread_count == threads;
}

/* What a server needs before it has threads; NULL when the system has no more of it. */
static struct http_server *server_new(const struct http_parts *parts, int listener)
{
    struct http_server *server = calloc(1, sizeof *server);
    pthread_condattr_t attributes;
    if (!server)
        return NULL;
    server->parts = *parts;
    server->listener = listener;
    if (pthread_key_create(&server->worker_key, free_worker) != 0)
        goto no_key;
    if (pthread_mutex_init(&server->lock, NULL) != 0)
        goto no_lock;
    if (pthread_condattr_init(&attributes) != 0)
        goto no_condition;
    int failure = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (failure == 0)
        failure = pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failure == 0)
        return server;
no_condition:
    pthread_mutex_destroy(&server->lock);
no_lock:
    pthread_key_delete(server->worker_key);
no_key:
    free(server);
    return NULL;
}

static void server_free(struct http_server *server)
{
    for (unsigned i = 0; i < server->thread_count; i++) {
        MHD_stop_daemon(server->threads[i].daemon);
        if (server->threads[i].quiesced >= 0)
            close(server->threads[i].quiesced);
    }
    free(server->threads);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    pthread_key_delete(server->worker_key);
    close(server->listener);
    free(server);
}

enum status http_server_start(const struct http_parts *parts, const char *listen, unsigned threads,
                              char address[64], struct http_server **out, struct error *error)
{
    int listener;
    enum status status = listen_open(listen, &listener, address, error);
    if (status)
        return status;
    struct http_server *server = server_new(parts, listener);
    if (!server) {
        close(listener);
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    errno = 0;
    if (!start_threads(server, threads_for(threads))) {
        status = error_set(error, STATUS_SYSTEM, "cannot serve on '%.64s': %s", address,
                           errno ? strerror(errno) : "the HTTP library did not start");
        server_free(server);
        return status;
    }
    *out = server;
    return STATUS_OK;
}

/* Connections that the kernel has taken and the library has not: their clients believe to be
 * served. */
static void take_waiting(struct http_server *server)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof peer;
        int connection = accept4(server->listener, (struct sockaddr *)&peer, &length,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (connection < 0)
            return;
        /* Where it fails it closes the socket, which is all that can be done. */
        (void)MHD_add_connection(server->threads[i % server->thread_count].daemon, connection,
                                 (struct sockaddr *)&peer, length);
    }
}

static int wait_until(struct http_server *server, int64_t monotonic)
{
    struct timespec time = {.tv_sec = (time_t)(monotonic / NANOSECONDS_PER_SECOND),
                            .tv_nsec = (long)(monotonic % NANOSECONDS_PER_SECOND)};
    return pthread_cond_timedwait(&server->changed, &server->lock, &time);
}

/* Until no request is in flight and none came for a while, or until `deadline`. */
static void wait_for_requests(struct http_server *server, int64_t deadline)
{
    const struct clock *clock = server->parts.clock;
    pthread_mutex_lock(&server->lock);
    for (int64_t now; (now = clock->monotonic(clock->self)) < deadline;) {
        bool quiet = atomic_load(&server->in_flight) == 0;
        int64_t until = quiet && now + LULL < deadline ? now + LULL : deadline;
        if (wait_until(server, until) != 0 && quiet)
            break;
    }
    pthread_mutex_unlock(&server->lock);
}

void http_server_stop(struct http_server *server, int64_t patience)
{
    if (!server)
        return;
    const struct clock *clock = server->parts.clock;
    int64_t deadline = clock->monotonic(clock->self) + patience;
    atomic_store(&server->draining, true); /* from now on each answer ends its connection */
    for (unsigned i = 0; i < server->thread_count; i++)
        server->threads[i].quiesced = MHD_quiesce_daemon(server->threads[i].daemon);
    take_waiting(server);
    wait_for_requests(server, deadline);
    server_free(server);
}
