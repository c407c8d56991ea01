#include "exchange.h"

#include <strings.h>

#include "answer_headers.h"
#include "events.h"
#include "gate.h"

/* A body over HTTP_MAX_BODY is read and thrown away up to here, so that its sender gets to see the
 * 413; beyond, the connection is closed. */
#define DRAIN_MAX ((uint64_t)16 << 20)
#define KEPT_BODY ((size_t)16 << 10) /* memory that a connection keeps between requests */
#define LENGTH_UNKNOWN UINT64_MAX
/* How long no request must have been seen: a keep-alive client may have sent one just now. */
#define LULL (20 * NANOSECONDS_PER_MILLISECOND)

/* The headers that mean something here; data is NULL where one is absent. */
struct head {
    struct text content_length, content_type, expect, if_none_match, last_event_id,
        transfer_encoding;
    struct text host, origin, authorization, api_key;
    bool two_lengths; /* Content-Length stands twice */
    bool two_hosts;   /* one may be ours, and the other the page's that asks */
};

/* A connection, and the request that it carries now. Belongs to the thread that serves it. */
struct exchange {
    struct connection connection;
    struct head head;
    uint64_t expected, received; /* bytes of body */
    struct MHD_Response *response;
    struct stream *stream; /* that the response sends; or NULL */
    bool streaming;        /* it is not counted in flight any more */
    unsigned status;
    struct buffer body;            /* only where it comes in pieces */
    struct MHD_Connection *socket; /* the library's side of it, while a request is carried */
    const struct intake *intake;   /* the route's; NULL: the body is kept */
    void *intake_state;
};

/* --- what is shared -------------------------------------------------------------------------- */

static void free_worker(void *worker)
{
    worker_free(worker);
}

static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int failure = pthread_condattr_init(&attributes);
    if (failure)
        return failure;
    failure = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!failure)
        failure = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return failure;
}

enum status traffic_init(struct traffic *traffic, const struct http_parts *parts)
{
    traffic->parts = parts;
    atomic_init(&traffic->in_flight, 0);
    atomic_init(&traffic->draining, false);
    if (pthread_key_create(&traffic->worker_key, free_worker) != 0)
        return STATUS_SYSTEM;
    if (pthread_mutex_init(&traffic->lock, NULL) != 0)
        goto no_lock;
    if (init_condition(&traffic->changed) == 0)
        return STATUS_OK;
    pthread_mutex_destroy(&traffic->lock);
no_lock:
    pthread_key_delete(traffic->worker_key);
    return STATUS_SYSTEM;
}

void traffic_dispose(struct traffic *traffic)
{
    pthread_cond_destroy(&traffic->changed);
    pthread_mutex_destroy(&traffic->lock);
    pthread_key_delete(traffic->worker_key);
}

static void tell_waiter(struct traffic *traffic)
{
    if (!atomic_load(&traffic->draining))
        return;
    pthread_mutex_lock(&traffic->lock);
    pthread_cond_broadcast(&traffic->changed);
    pthread_mutex_unlock(&traffic->lock);
}

void traffic_drain(struct traffic *traffic)
{
    atomic_store(&traffic->draining, true);
}

static int wait_until(struct traffic *traffic, int64_t monotonic)
{
    struct timespec time = {.tv_sec = (time_t)(monotonic / NANOSECONDS_PER_SECOND),
                            .tv_nsec = (long)(monotonic % NANOSECONDS_PER_SECOND)};
    return pthread_cond_timedwait(&traffic->changed, &traffic->lock, &time);
}

void traffic_wait(struct traffic *traffic, int64_t deadline)
{
    const struct clock *clock = traffic->parts->clock;
    pthread_mutex_lock(&traffic->lock);
    for (int64_t now; (now = clock->monotonic(clock->self)) < deadline;) {
        bool quiet = atomic_load(&traffic->in_flight) == 0;
        int64_t until = quiet && now + LULL < deadline ? now + LULL : deadline;
        if (wait_until(traffic, until) != 0 && quiet)
            break;
    }
    pthread_mutex_unlock(&traffic->lock);
}

/* --- connections ----------------------------------------------------------------------------- */

static struct worker *current_worker(struct traffic *traffic)
{
    struct worker *worker = pthread_getspecific(traffic->worker_key);
    if (worker)
        return worker;
    worker = worker_new(traffic->parts);
    if (worker && pthread_setspecific(traffic->worker_key, worker) != 0) {
        worker_free(worker);
        worker = NULL;
    }
    return worker;
}

static void end_intake(struct exchange *exchange)
{
    if (exchange->intake_state)
        exchange->intake->end(exchange->intake_state);
    exchange->intake_state = NULL;
    exchange->intake = NULL;
}

static void drop_response(struct exchange *exchange)
{
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    exchange->response = NULL;
}

/* The library tells of an end before it closes the descriptor. */
static void start_connection(struct traffic *traffic, struct MHD_Connection *connection,
                             struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int descriptor = info ? info->connect_fd : -1;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    (void)connection_open(traffic->connections, &exchange->connection, descriptor,
                          info ? info->client_addr : NULL);
}

void exchange_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                         enum MHD_ConnectionNotificationCode code)
{
    struct traffic *traffic = context;
    struct exchange *exchange = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        /* Without memory it stays NULL, and the first request closes the connection. */
        exchange = calloc(1, sizeof *exchange);
        if (exchange) {
            buffer_init(&exchange->body, HTTP_MAX_BODY);
            start_connection(traffic, connection, exchange);
        }
        *socket_context = exchange;
    } else if (exchange) {
        connection_close(traffic->connections, &exchange->connection);
        drop_response(exchange);
        end_intake(exchange);
        buffer_dispose(&exchange->body);
        free(exchange);
        *socket_context = NULL;
    }
}

void exchange_completed(void *context, struct MHD_Connection *connection, void **request_context,
                        enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct traffic *traffic = context;
    struct exchange *exchange = *request_context;
    if (!exchange)
        return;
    *request_context = NULL;
    connection_rest(traffic->connections, &exchange->connection);
    drop_response(exchange);
    end_intake(exchange);
    if (exchange->body.size > KEPT_BODY)
        buffer_dispose(&exchange->body);
    if (!exchange->streaming)
        atomic_fetch_sub(&traffic->in_flight, 1);
    tell_waiter(traffic);
}

size_t exchange_keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* --- one answer ------------------------------------------------------------------------------ */

#define HANDED_OVER 4096 /* bytes: copying fewer takes less time than allocating anew */

static void drop_whole(void *whole)
{
    whole_release(whole);
}

/* Many answers share the bytes. */
static struct MHD_Response *wrap_whole(struct whole *whole)
{
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        whole->length, whole->bytes, drop_whole, whole_reference(whole));
    if (!response)
        whole_release(whole);
    return response;
}

/* A large body is handed over, a small one copied. NULL without memory. */
static struct MHD_Response *wrap_body(struct buffer *body)
{
    size_t length;
    if (body->length < HANDED_OVER)
        return MHD_create_response_from_buffer(body->length, body->data, MHD_RESPMEM_MUST_COPY);
    char *bytes = buffer_take(body, &length);
    if (!bytes)
        return NULL;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(length, bytes, free);
    if (!response)
        free(bytes);
    return response;
}

/* Makes exchange->response; false without memory. */
static bool make_response(struct traffic *traffic, struct exchange *exchange, struct worker *worker,
                          const char *route, const struct answer *answer, bool close)
{
    worker_count_request(worker, route, answer->status);
    exchange->status = answer->status;
    exchange->stream = answer->stream;
    if (answer->stream) {
        connection_stream(&exchange->connection);
        exchange->response = stream_response(answer->stream);
    } else {
        connection_answer(traffic->connections, &exchange->connection,
                          answer->whole ? answer->whole->length : answer->body->length);
        exchange->response = answer->whole ? wrap_whole(answer->whole) : wrap_body(answer->body);
    }
    return exchange->response && answer_add_headers(exchange->response, answer, close);
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

static uint64_t body_limit(const struct exchange *exchange)
{
    return exchange->intake ? exchange->intake->most : HTTP_MAX_BODY;
}

static bool is_too_large(const struct exchange *exchange)
{
    return exchange->received > body_limit(exchange) ||
           (exchange->expected != LENGTH_UNKNOWN && exchange->expected > body_limit(exchange));
}

static struct text find_header(const void *headers, const char *name)
{
    const struct exchange *exchange = headers;
    const char *value = NULL;
    size_t size = 0;
    if (MHD_lookup_connection_value_n(exchange->socket, MHD_HEADER_KIND, name, strlen(name), &value,
                                      &size) != MHD_YES)
        return (struct text){NULL, 0};
    return (struct text){value ? value : "", value ? size : 0};
}

static struct text find_parameter(const void *headers, const char *name)
{
    const struct exchange *exchange = headers;
    return text_of(MHD_lookup_connection_value(exchange->socket, MHD_GET_ARGUMENT_KIND, name));
}

static struct request request_of(const struct exchange *exchange, const char *url,
                                 const char *method, struct text body)
{
    return (struct request){
        .method = method_parse(method),
        .path = path_of(url),
        .content_type = exchange->head.content_type,
        .if_none_match = exchange->head.if_none_match,
        .last_event_id = exchange->head.last_event_id,
        .host = exchange->head.host,
        .origin = exchange->head.origin,
        .authorization = exchange->head.authorization,
        .api_key = exchange->head.api_key,
        .address = exchange->connection.address,
        .body = body,
        .body_too_large = is_too_large(exchange),
        .intake = exchange->intake_state,
        .header = find_header,
        .parameter = find_parameter,
        .headers = exchange,
    };
}

/* Runs the route and makes the response; false without memory. */
static bool respond(struct traffic *traffic, struct exchange *exchange, const char *url,
                    const char *method, struct text body)
{
    struct worker *worker = current_worker(traffic);
    if (!worker)
        return false;
    struct request request = request_of(exchange, url, method, body);
    struct answer answer;
    const char *route = route_dispatch(worker, &request, &answer);
    return make_response(traffic, exchange, worker, route, &answer,
                         atomic_load(&traffic->draining));
}

static enum MHD_Result queue(struct traffic *traffic, struct MHD_Connection *connection,
                             struct exchange *exchange)
{
    if (exchange->stream) {
        stream_bind(exchange->stream, connection);
        exchange->stream = NULL; /* the library's from here on */
        exchange->streaming = true;
        /* Nobody waits for the end of a stream: events_end() is what ends it. */
        atomic_fetch_sub(&traffic->in_flight, 1);
        tell_waiter(traffic);
    }
    enum MHD_Result result = MHD_queue_response(connection, exchange->status, exchange->response);
    drop_response(exchange);
    return result;
}

/* Answers a head that cannot be trusted and ends the connection. */
static enum MHD_Result refuse(struct traffic *traffic, struct MHD_Connection *connection,
                              struct exchange *exchange, unsigned status, struct text details)
{
    struct worker *worker = current_worker(traffic);
    if (!worker)
        return MHD_NO;
    struct answer answer = {.body = &worker->body};
    answer_fail(worker, NULL, &answer, status, details);
    return make_response(traffic, exchange, worker, "none", &answer, true)
               ? queue(traffic, connection, exchange)
               : MHD_NO;
}

/* --- one request ----------------------------------------------------------------------------- */

/* Where the value of a header goes; NULL for one that means nothing here. */
static struct text *place_of(struct head *head, const char *name, size_t name_size)
{
    static const struct {
        const char *name;
        size_t place;
    } known[] = {
        /* by their lengths, so that most of a request's headers are passed over by that alone */
        [4] = {MHD_HTTP_HEADER_HOST, offsetof(struct head, host)},
        [6] = {MHD_HTTP_HEADER_EXPECT, offsetof(struct head, expect)},
        [9] = {"X-API-Key", offsetof(struct head, api_key)},
        [12] = {MHD_HTTP_HEADER_CONTENT_TYPE, offsetof(struct head, content_type)},
        [13] = {MHD_HTTP_HEADER_IF_NONE_MATCH, offsetof(struct head, if_none_match)},
        [14] = {MHD_HTTP_HEADER_CONTENT_LENGTH, offsetof(struct head, content_length)},
        [17] = {MHD_HTTP_HEADER_TRANSFER_ENCODING, offsetof(struct head, transfer_encoding)},
    };
    if (name_size >= COUNT_OF(known) || !known[name_size].name)
        return NULL;
    if (strcasecmp(known[name_size].name, name) == 0)
        return (struct text *)((char *)head + known[name_size].place);
    /* Those that share their lengths with others. */
    if (name_size == 6 && strcasecmp(MHD_HTTP_HEADER_ORIGIN, name) == 0)
        return &head->origin;
    if (name_size == 13 && strcasecmp(MHD_HTTP_HEADER_AUTHORIZATION, name) == 0)
        return &head->authorization;
    if (name_size == 13 && strcasecmp("Last-Event-ID", name) == 0)
        return &head->last_event_id;
    return NULL;
}

/* One walk over the headers is cheaper than a look-up each. */
static enum MHD_Result note_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    struct head *head = context;
    struct text *place = place_of(head, name, name_size);
    if (!place)
        return MHD_YES;
    if (place->data && place == &head->content_length)
        head->two_lengths = true;
    if (place->data && place == &head->host)
        head->two_hosts = true;
    *place = (struct text){value ? value : "", value ? value_size : 0};
    return MHD_YES;
}

/* False without memory. */
static bool begin_intake(struct traffic *traffic, struct exchange *exchange, const char *url,
                         const char *method)
{
    exchange->intake = route_intake(method_parse(method), path_of(url));
    if (!exchange->intake)
        return true;
    struct worker *worker = current_worker(traffic);
    if (!worker)
        return false;
    struct request request = request_of(exchange, url, method, (struct text){NULL, 0});
    exchange->intake_state = exchange->intake->begin(worker, &request);
    return true;
}

/* The head has come. Most often all there is to do is to note how much follows. */
static enum MHD_Result begin(struct traffic *traffic, struct MHD_Connection *connection,
                             struct exchange *exchange, const char *url, const char *method)
{
    struct head *head = &exchange->head;
    *head = (struct head){0};
    exchange->expected = LENGTH_UNKNOWN;
    exchange->received = 0;
    exchange->stream = NULL;
    exchange->streaming = false;
    exchange->socket = connection;
    buffer_clear(&exchange->body);
    atomic_fetch_add(&traffic->in_flight, 1);
    tell_waiter(traffic);
    connection_begin(traffic->connections, &exchange->connection);
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, note_header, head);

    /* A proxy before us may take the other length, and what follows for another request. */
    if (head->two_lengths || (head->content_length.data && head->transfer_encoding.data))
        return refuse(traffic, connection, exchange, 400,
                      TEXT("request has two lengths; send one Content-Length, or Transfer-Encoding "
                           "without it"));
    if (head->two_hosts)
        return refuse(traffic, connection, exchange, 400,
                      TEXT("request has two hosts; send one Host header"));
    if (head->transfer_encoding.data && strcasecmp(head->transfer_encoding.data, "chunked") != 0)
        return refuse(traffic, connection, exchange, 501,
                      TEXT("transfer encoding is not supported; send chunked"));
    if (!begin_intake(traffic, exchange, url, method))
        return MHD_NO;
    if (!head->content_length.data)
        return MHD_YES;
    /* The library has checked that it is a number. */
    exchange->expected = strtoull(head->content_length.data, NULL, 10);
    if (exchange->expected <= body_limit(exchange) ||
        (exchange->expected <= DRAIN_MAX && !head->expect.data))
        return MHD_YES;
    /* Whoever asks before sending is told now; a body that is not worth reading is refused. */
    return respond(traffic, exchange, url, method, (struct text){NULL, 0})
               ? queue(traffic, connection, exchange)
               : MHD_NO;
}

static enum MHD_Result take_body(struct traffic *traffic, struct exchange *exchange,
                                 const char *url, const char *method, struct text piece)
{
    bool whole = exchange->received == 0 && piece.length == exchange->expected;
    exchange->received += piece.length;
    if (exchange->intake && !is_too_large(exchange)) {
        if (exchange->intake_state)
            exchange->intake->take(exchange->intake_state, piece);
        return MHD_YES;
    }
    if (whole && piece.length <= HTTP_MAX_BODY)
        return respond(traffic, exchange, url, method, piece) ? MHD_YES : MHD_NO;
    if (exchange->received > DRAIN_MAX && exchange->received > body_limit(exchange))
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

enum MHD_Result exchange_answer(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **request_context)
{
    (void)version;
    struct traffic *traffic = context;
    struct exchange *exchange = *request_context;
    if (!exchange) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        exchange = info ? info->socket_context : NULL;
        *request_context = exchange;
        return exchange ? begin(traffic, connection, exchange, url, method) : MHD_NO;
    }
    if (*upload_size) {
        struct text piece = {upload, *upload_size};
        *upload_size = 0;
        return take_body(traffic, exchange, url, method, piece);
    }
    if (!exchange->response &&
        !respond(traffic, exchange, url, method, buffer_text(&exchange->body)))
        return MHD_NO;
    return queue(traffic, connection, exchange);
}
