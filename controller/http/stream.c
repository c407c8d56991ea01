/* One client's event stream: how it is opened, what it sends, how it ends. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "../../rules/json.h"
#include "../telemetry_families.h"
#include "events_private.h"

/* A client asks for all flags, is told of the stream and opens it: a change that comes in between
 * would pass it by. So a first request is told at once of a change that is no older than this. */
#define RECENT (30 * NANOSECONDS_PER_SECOND)
/* When a client shall come back after its connection broke, give or take half: a controller that
 * restarts must not be asked by all of them at once. */
#define RETRY (4 * NANOSECONDS_PER_SECOND)
#define RETRY_REFUSED (30 * NANOSECONDS_PER_SECOND)
#define INACTIVITY_SECONDS 120 /* OFREP's own default */

/* What the kernel may keep of a stream whose client does not read. */
#define SEND_BUFFER 4096
/* How long a client may leave a heartbeat unacknowledged: without this, one whose machine is gone
 * is given up after a quarter of an hour. */
#define UNACKNOWLEDGED_MILLISECONDS 45000U

/* --- what is sent ---------------------------------------------------------------------------- */

static void add(struct stream *stream, const char *text)
{
    size_t length = strlen(text);
    if (length < sizeof stream->text - stream->length) {
        memcpy(stream->text + stream->length, text, length + 1);
        stream->length += (unsigned)length;
    }
}

static void add_event(struct stream *stream)
{
    const struct channel *channel = stream->channel;
    char event[192];
    const char *id = channel->id[0] ? channel->id : "none";
    snprintf(event, sizeof event,
             "id: %s\nevent: message\ndata: {\"etag\":\"\\\"%s\\\"\",\"lastModified\":%lld,"
             "\"type\":\"refetchEvaluation\"}\n\n",
             id, id, (long long)channel->modified);
    add(stream, event);
    memcpy(stream->known, channel->id, sizeof stream->known);
    series_add(stream->sent, 1);
}

/* Puts into `text` what the client shall get now; nothing where there is nothing. The lock is
 * held. */
static void compose(struct stream *stream)
{
    const struct channel *channel = stream->channel;
    stream->length = stream->written = 0;
    if (!stream->greeted) {
        char line[32];
        const struct clock *clock = stream->events->parts->clock;
        snprintf(line, sizeof line, "retry: %lld\n",
                 (long long)(clock_jitter(clock, RETRY, 50) / NANOSECONDS_PER_MILLISECOND));
        add(stream, line);
    }
    if (strcmp(stream->known, channel->id) != 0) {
        add_event(stream);
    } else if (!stream->greeted) {
        /* An id without data is no event: the client only remembers it. */
        add(stream, "id: ");
        add(stream, channel->id[0] ? channel->id : "none");
        add(stream, "\n\n");
    } else if (stream->beat) {
        add(stream, ":\n\n");
    }
    stream->greeted = true;
    stream->beat = false;
}

/* The lock is held, so the stream cannot be resumed before it is suspended. */
static void suspend(struct stream *stream)
{
    struct channel *channel = stream->channel;
    const struct clock *clock = stream->events->parts->clock;
    stream->due = clock->monotonic(clock->self) + stream->events->heartbeat;
    stream->round = channel->round;
    stream->before = channel->last;
    stream->after = NULL;
    *(channel->last ? &channel->last->after : &channel->first) = stream;
    channel->last = stream;
    stream->suspended = true;
    MHD_suspend_connection(stream->connection);
}

/* libmicrohttpd's: the next bytes. */
static ssize_t stream_read(void *context, uint64_t position, char *out, size_t size)
{
    (void)position;
    struct stream *stream = context;
    struct events *events = stream->events;
    ssize_t result = 0;
    pthread_mutex_lock(&events->lock);
    if (!events->ending && stream->written == stream->length)
        compose(stream);
    if (events->ending) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (stream->written < stream->length) {
        size_t length = stream->length - stream->written;
        if (length > size)
            length = size;
        memcpy(out, stream->text + stream->written, length);
        stream->written += (unsigned)length;
        result = (ssize_t)length;
    } else {
        suspend(stream);
    }
    pthread_mutex_unlock(&events->lock);
    return result;
}

/* --- how it begins and ends ------------------------------------------------------------------ */

void stream_free(struct stream *stream)
{
    struct events *events = stream->events;
    series_add(stream->open, -1);
    pthread_mutex_lock(&events->lock);
    stream->channel->streams--;
    if (--events->count == 0)
        pthread_cond_broadcast(&events->gone);
    pthread_mutex_unlock(&events->lock);
    free(stream);
}

static void free_stream(void *stream)
{
    stream_free(stream);
}

struct MHD_Response *stream_response(struct stream *stream)
{
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_TEXT_SIZE, stream_read, stream, free_stream);
    if (!response) {
        stream_free(stream);
        return NULL;
    }
    /* Proxies must neither keep it nor wait until they have more of it. */
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
        MHD_add_response_header(response, "X-Accel-Buffering", "no") == MHD_YES)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

void stream_bind(struct stream *stream, struct MHD_Connection *connection)
{
    stream->connection = connection;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info)
        return;
    /* Where the kernel refuses them, the stream is only dearer. */
    int size = SEND_BUFFER;
    unsigned unacknowledged = UNACKNOWLEDGED_MILLISECONDS;
    (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    (void)setsockopt(info->connect_fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged,
                     sizeof unacknowledged);
}

/* True where the client has what is served now. */
static bool is_current(const struct events *events, const struct channel *channel,
                       const struct request *request)
{
    const struct clock *clock = events->parts->clock;
    if (request->last_event_id.length)
        return text_is(request->last_event_id, channel->id);
    return clock->monotonic(clock->self) - channel->changed > RECENT;
}

/* Counts it in, where there is room: STATUS_LIMIT where there is not, STATUS_STOPPED where the
 * server ends. */
static enum status join(struct stream *stream, const struct worker *worker,
                        const struct request *request,
                        const struct snapshot_environment *environment)
{
    struct events *events = stream->events;
    if (events->ending)
        return STATUS_STOPPED;
    if (events->count >= events->most)
        return STATUS_LIMIT;
    stream->channel =
        events_channel(events, request->environment.data ? environment->name : TEXT(""),
                       worker->reader.snapshot, environment);
    if (!stream->channel)
        return STATUS_NO_MEMORY;
    if (is_current(events, stream->channel, request))
        memcpy(stream->known, stream->channel->id, sizeof stream->known);
    else
        memcpy(stream->known, "-", 2); /* no id */
    stream->channel->streams++;
    events->count++;
    return STATUS_OK;
}

static void refuse(struct worker *worker, const struct request *request, struct answer *answer,
                   enum status status)
{
    struct events *events = worker->parts->events;
    const struct clock *clock = worker->parts->clock;
    if (status == STATUS_NO_MEMORY) {
        answer_no_memory(worker, answer);
    } else if (status == STATUS_STOPPED) {
        answer->retry_after = 1;
        ofrep_fail(worker, request, answer, 503, TEXT("weir is stopping; ask again"));
    } else {
        series_add(events->refused, 1);
        answer->retry_after =
            (unsigned)(clock_jitter(clock, RETRY_REFUSED, 50) / NANOSECONDS_PER_SECOND);
        buffer_printf(&worker->details,
                      "%u event streams are open, and no more are allowed; poll, or raise "
                      "event-streams",
                      events->most);
        ofrep_fail(worker, request, answer, 503, buffer_text(&worker->details));
    }
}

static struct stream *stream_new(struct worker *worker,
                                 const struct snapshot_environment *environment)
{
    struct telemetry *telemetry = worker->parts->telemetry;
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->events = worker->parts->events;
    stream->open = telemetry_series(telemetry, &family_event_streams, environment->name.data, NULL);
    stream->sent = telemetry_series(telemetry, &family_events_sent, environment->name.data, NULL);
    return stream;
}

void events_open(struct worker *worker, const struct request *request, struct answer *answer)
{
    struct events *events = worker->parts->events;
    if (!events) {
        ofrep_fail(worker, request, answer, 404, TEXT("event streams are switched off; poll"));
        return;
    }
    const struct snapshot_environment *environment = ofrep_environment(worker, request, answer);
    if (!environment)
        return;
    answer->content_type = "text/event-stream";
    if (request->method == METHOD_HEAD)
        return;
    struct stream *stream = stream_new(worker, environment);
    if (!stream) {
        answer_no_memory(worker, answer);
        return;
    }
    pthread_mutex_lock(&events->lock);
    enum status status = join(stream, worker, request, environment);
    pthread_mutex_unlock(&events->lock);
    if (status) {
        free(stream);
        answer->content_type = "application/json";
        refuse(worker, request, answer, status);
        return;
    }
    series_add(stream->open, 1);
    answer->stream = stream;
}

/* Members in the order of their names. The path is the one that the client has used, so that it
 * names the same environment, and leads through the same proxies. */
void events_announce(const struct worker *worker, const struct request *request, struct buffer *out)
{
    static const struct text asked = {"/evaluate/flags", sizeof "/evaluate/flags" - 1};
    char path[512];
    if (!worker->parts->events || !text_ends_with(request->path, asked))
        return;
    struct text base = {request->path.data, request->path.length - asked.length};
    int length = snprintf(path, sizeof path, "%.*s/stream", (int)base.length, base.data);
    if (length < 0 || (size_t)length >= sizeof path)
        return; /* longer than any environment's name: the client has encoded what it need not */
    buffer_append_text(out, TEXT("\"eventStreams\":[{\"endpoint\":{\"requestUri\":"));
    json_write_string(out, (struct text){path, (size_t)length});
    buffer_printf(out, "},\"inactivityDelaySec\":%d,\"type\":\"sse\"}],", INACTIVITY_SECONDS);
}
