/* A controller, or another edge: GET URL/env/E/flagd.json with If-None-Match.
 *
 * All environments must come from one commit. Where one lands between two of the requests they are
 * asked for once more. The event stream of each environment (OFREP's, URL/env/E/ofrep/v1/stream)
 * tells when its flags have changed; a commit that changes none is found by the next poll. */
#include <stdio.h>
#include <stdlib.h>

#include "../outward/http_client.h"
#include "source.h"

#define DOCUMENT_MAXIMUM ((size_t)256 << 20)
#define ANSWER_LIMIT (60 * NANOSECONDS_PER_SECOND)
#define SILENCE_LIMIT (5 * NANOSECONDS_PER_SECOND)
#define STREAM_SILENCE_LIMIT (60 * NANOSECONDS_PER_SECOND) /* some heartbeats */
#define STREAMS_MOST 16 /* each has a thread; environments beyond that are only polled */
#define AUTHORIZATION_SIZE (TOKEN_SIZE + 32)
#define ROUNDS 3
#define TOKEN_SIZE 1024
#define AGE_MOST 1e10

struct http_source {
    struct source_parts parts;
    struct reach reach; /* borrows all it points to */
    struct reach_host server;
    struct reach_secret secret;
    struct http_client *client;
    struct http_url *urls, *streams; /* one an environment */
};

enum { FIELD_COMMIT, FIELD_GENERATION, FIELD_DIGEST, FIELD_AGE, FIELD_COUNT };

static void http_source_close(void *state)
{
    struct http_source *source = state;
    if (!source)
        return;
    http_client_free(source->client);
    free(source->urls);
    free(source->streams);
    free(source);
}

static enum status make_url(const struct source_parts *parts, const char *environment,
                            const char *path, struct http_url *out, struct error *error)
{
    char text[HTTP_URL_SIZE];
    struct text base = text_of(parts->from);
    while (base.length && base.data[base.length - 1] == '/')
        base.length--;
    if (base.length > sizeof text - 128)
        return error_set(error, STATUS_INVALID, "the URL is too long");
    snprintf(text, sizeof text, "%.*s/env/%s/%s", (int)base.length, base.data, environment, path);
    return http_url_parse(text_of(text), out, error);
}

static enum status make_urls(struct http_source *source, struct error *error)
{
    const struct source_parts *parts = &source->parts;
    if (parts->environment_count == 0)
        return error_set(error, STATUS_INVALID,
                         "a controller has several environments: name those to serve by "
                         "\"--environment E\"");
    if (strchr(parts->from, '@'))
        return error_set(error, STATUS_INVALID,
                         "the URL holds credentials: give a token by \"--token-file\" instead");
    if (strchr(parts->from, '?'))
        return error_set(error, STATUS_INVALID, "the URL of a controller has no query");
    source->urls = calloc(parts->environment_count, sizeof *source->urls);
    source->streams = calloc(parts->environment_count, sizeof *source->streams);
    if (!source->urls || !source->streams)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    enum status status = STATUS_OK;
    for (size_t i = 0; i < parts->environment_count && status == STATUS_OK; i++) {
        const char *environment = parts->environments[i];
        status = make_url(parts, environment, "flagd.json", &source->urls[i], error);
        if (status == STATUS_OK)
            status = make_url(parts, environment, "ofrep/v1/stream", &source->streams[i], error);
    }
    return status;
}

static struct http_client *make_client(const struct http_source *source)
{
    const struct source_parts *parts = &source->parts;
    const struct http_client_settings settings = {.reach = &source->reach,
                                                  .secret =
                                                      parts->token_file ? &source->secret : NULL,
                                                  .ca_file = parts->ca_file,
                                                  .answer_maximum = DOCUMENT_MAXIMUM,
                                                  .answer_limit = ANSWER_LIMIT};
    return http_client_new(&settings);
}

static enum status http_source_open(const struct source_parts *parts, void **out,
                                    struct error *error)
{
    struct http_source *source = calloc(1, sizeof *source);
    *out = NULL;
    if (!source)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    source->parts = *parts;
    enum status status = make_urls(source, error);
    if (status == STATUS_OK) {
        /* What the operator names may be contacted: this server, nobody else. */
        source->server = source->urls[0].server;
        source->reach = (struct reach){.hosts = &source->server, .host_count = 1};
        source->secret = (struct reach_secret){.name = (char *)"token-file",
                                               .file = (char *)(uintptr_t)parts->token_file,
                                               .hosts = &source->server,
                                               .host_count = 1};
        source->client = make_client(source);
        if (!source->client)
            status = error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    if (status == STATUS_OK)
        *out = source;
    else
        http_source_close(source);
    return status;
}

/* --- one document ---------------------------------------------------------------------------- */

/* The header with the token, which may change from one request to the next; empty: none is sent. */
static enum status authorize(const struct http_source *source, char out[AUTHORIZATION_SIZE],
                             struct error *error)
{
    char token[TOKEN_SIZE];
    out[0] = '\0';
    if (!source->parts.token_file)
        return STATUS_OK;
    enum status status = reach_secret_read(&source->secret, token, sizeof token, error);
    if (status == STATUS_OK)
        snprintf(out, AUTHORIZATION_SIZE, "Authorization: Bearer %s", token);
    explicit_bzero(token, sizeof token);
    return status;
}

static enum status send_request(struct http_source *source, size_t index, const char *digest,
                                struct http_field fields[FIELD_COUNT], struct http_answer *answer,
                                struct error *error)
{
    char authorization[AUTHORIZATION_SIZE], match[DIGEST_TEXT_SIZE + 24];
    struct http_request request = {.method = "GET",
                                   .url = &source->urls[index],
                                   .fields = fields,
                                   .field_count = FIELD_COUNT,
                                   .stop = source->parts.stop,
                                   .silence_limit = SILENCE_LIMIT};
    size_t headers = 0;
    enum status status = authorize(source, authorization, error);
    fields[FIELD_COMMIT].name = "Weir-Commit";
    fields[FIELD_GENERATION].name = "Weir-Generation";
    fields[FIELD_DIGEST].name = "Weir-Digest";
    fields[FIELD_AGE].name = "Weir-Age";
    if (digest[0]) {
        snprintf(match, sizeof match, "If-None-Match: \"%s\"", digest);
        request.headers[headers++] = match;
    }
    if (authorization[0])
        request.headers[headers] = authorization;
    if (status == STATUS_OK)
        status = http_client_send(source->client, &request, answer, error);
    explicit_bzero(authorization, sizeof authorization);
    if (status == STATUS_OK && answer->status != 200 && answer->status != 304)
        status = http_client_complain(&request, answer, error);
    return status;
}

static int64_t age_of(const char *text)
{
    double age = text[0] >= '0' && text[0] <= '9' ? strtod(text, NULL) : 0;
    return age < AGE_MOST ? (int64_t)age : (int64_t)AGE_MOST;
}

/* An environment of the round; the first begins the snapshot, the others must be of its commit. */
static enum status look_at(struct http_source *source, size_t index, const struct snapshot *held,
                           struct seen *seen, bool *split, struct error *error)
{
    struct http_field fields[FIELD_COUNT] = {0};
    struct http_answer answer;
    struct text name = text_of(source->parts.environments[index]);
    const struct snapshot_environment *old = held ? snapshot_environment(held, name) : NULL;
    char digest[DIGEST_TEXT_SIZE] = "";
    if (old)
        document_digest_text(old->document, digest);
    enum status status = send_request(source, index, digest, fields, &answer, error);
    if (status != STATUS_OK)
        return status;
    const struct source_meta meta = {.commit = text_of(fields[FIELD_COMMIT].value),
                                     .generation = text_of(fields[FIELD_GENERATION].value),
                                     .digest = text_of(fields[FIELD_DIGEST].value)};
    struct snapshot *own = NULL;
    status = source_begin(&meta, source->parts.environment_count, source->parts.clock, &own, error);
    if (status != STATUS_OK)
        return status;
    if (!seen->snapshot) {
        seen->snapshot = own;
    } else {
        *split = strcmp(own->commit, seen->snapshot->commit) != 0 ||
                 generation_compare(own->generation, seen->snapshot->generation) != 0;
        snapshot_release(own);
        if (*split)
            return error_set(error, STATUS_SYSTEM,
                             "the source's environments are of different commits");
    }
    int64_t age = age_of(fields[FIELD_AGE].value);
    seen->age = age > seen->age ? age : seen->age;
    if (meta.digest.length == 0)
        return error_set(error, STATUS_INVALID, "the source does not name a digest: is it weir's?");
    struct document *document = source_held(held, name, meta.digest);
    if (!document && answer.status == 304)
        status = error_set(error, STATUS_INVALID,
                           "the source says of another digest that nothing "
                           "has changed");
    else if (!document)
        status = source_read_document(answer.body, meta.digest, &document, error);
    if (status == STATUS_OK &&
        (status = snapshot_fill(seen->snapshot, index, name, document)) != STATUS_OK)
        error_set(error, status, "no memory for a snapshot");
    return status;
}

static enum status http_source_look(void *state, const struct snapshot *held, struct seen *seen,
                                    struct error *error)
{
    struct http_source *source = state;
    enum status status = STATUS_OK;
    bool split = true;
    for (unsigned round = 0; round < ROUNDS && split; round++) {
        *seen = (struct seen){0};
        split = false;
        status = STATUS_OK;
        for (size_t i = 0; i < source->parts.environment_count && status == STATUS_OK; i++)
            status = look_at(source, i, held, seen, &split, error);
        if (status != STATUS_OK) {
            snapshot_release(seen->snapshot);
            seen->snapshot = NULL;
        }
    }
    return status;
}

/* --- listening ------------------------------------------------------------------------------- */

static size_t http_source_channels(const void *state)
{
    const struct http_source *source = state;
    size_t count = source->parts.environment_count;
    return count < STREAMS_MOST ? count : STREAMS_MOST;
}

/* As much of Server-Sent Events as says that there was one: a line of data, then an empty one. */
struct event_reader {
    const struct source_ear *ear;
    bool begun, in_line, has_data;
};

static void take_events(void *context, struct text piece)
{
    struct event_reader *reader = context;
    bool news = !reader->begun;
    reader->begun = true;
    for (size_t i = 0; i < piece.length; i++) {
        bool ends = piece.data[i] == '\n';
        if (!reader->in_line) {
            news |= ends && reader->has_data;
            reader->has_data = piece.data[i] == 'd' || (reader->has_data && !ends);
        }
        reader->in_line = !ends;
    }
    if (news)
        reader->ear->heard(reader->ear->context);
}

static enum status http_source_listen(const void *state, size_t index, const struct source_ear *ear,
                                      struct error *error)
{
    const struct http_source *source = state;
    char authorization[AUTHORIZATION_SIZE];
    struct event_reader reader = {.ear = ear};
    const struct http_stream stream = {.take = take_events, .context = &reader};
    struct http_request request = {.method = "GET",
                                   .url = &source->streams[index],
                                   .headers = {"Accept: text/event-stream"},
                                   .stop = source->parts.stop,
                                   .silence_limit = STREAM_SILENCE_LIMIT,
                                   .stream = &stream};
    struct http_answer answer;
    struct http_client *client = make_client(source);
    if (!client)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    enum status status = authorize(source, authorization, error);
    if (authorization[0])
        request.headers[1] = authorization;
    if (status == STATUS_OK)
        status = http_client_send(client, &request, &answer, error);
    explicit_bzero(authorization, sizeof authorization);
    if (status == STATUS_OK && answer.status != 200)
        status = http_client_complain(&request, &answer, error);
    else if (status == STATUS_OK)
        status = error_set(error, STATUS_SYSTEM, "'%s': the stream has ended",
                           source->streams[index].shown);
    http_client_free(client);
    return status;
}

const struct source_driver source_http = {
    .name = "controller",
    .open = http_source_open,
    .look = http_source_look,
    .channels = http_source_channels,
    .listen = http_source_listen,
    .close = http_source_close,
};
