/* A controller, or another edge: GET URL/env/E/flagd.json with If-None-Match.
 *
 * All environments must come from one commit. Where one lands between two of the requests they are
 * asked for once more. */
#include <stdio.h>
#include <stdlib.h>

#include "../outward/http_client.h"
#include "source.h"

#define DOCUMENT_MAXIMUM ((size_t)256 << 20)
#define ANSWER_LIMIT (60 * NANOSECONDS_PER_SECOND)
#define ROUNDS 3
#define TOKEN_SIZE 1024
#define AGE_MOST 1e10

struct http_source {
    struct source_parts parts;
    struct reach reach; /* borrows all it points to */
    struct reach_host server;
    struct reach_secret secret;
    struct http_client *client;
    struct http_url *urls; /* one an environment */
};

enum { FIELD_COMMIT, FIELD_GENERATION, FIELD_DIGEST, FIELD_AGE, FIELD_COUNT };

static void http_source_close(void *state)
{
    struct http_source *source = state;
    if (!source)
        return;
    http_client_free(source->client);
    free(source->urls);
    free(source);
}

static enum status make_url(const struct source_parts *parts, const char *environment,
                            struct http_url *out, struct error *error)
{
    char text[HTTP_URL_SIZE];
    struct text base = text_of(parts->from);
    while (base.length && base.data[base.length - 1] == '/')
        base.length--;
    if (base.length > sizeof text - 128)
        return error_set(error, STATUS_INVALID, "the URL is too long");
    snprintf(text, sizeof text, "%.*s/env/%s/flagd.json", (int)base.length, base.data, environment);
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
    if (!source->urls)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    enum status status = STATUS_OK;
    for (size_t i = 0; i < parts->environment_count && status == STATUS_OK; i++)
        status = make_url(parts, parts->environments[i], &source->urls[i], error);
    return status;
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
        const struct http_client_settings settings = {.reach = &source->reach,
                                                      .secret = parts->token_file ? &source->secret
                                                                                  : NULL,
                                                      .ca_file = parts->ca_file,
                                                      .answer_maximum = DOCUMENT_MAXIMUM,
                                                      .answer_limit = ANSWER_LIMIT};
        source->client = http_client_new(&settings);
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

static enum status send_request(struct http_source *source, size_t index, const char *digest,
                                struct http_field fields[FIELD_COUNT], struct http_answer *answer,
                                struct error *error)
{
    char token[TOKEN_SIZE], authorization[TOKEN_SIZE + 32], match[DIGEST_TEXT_SIZE + 24];
    struct http_request request = {.method = "GET",
                                   .url = &source->urls[index],
                                   .fields = fields,
                                   .field_count = FIELD_COUNT,
                                   .stop = source->parts.stop};
    size_t headers = 0;
    enum status status = STATUS_OK;
    fields[FIELD_COMMIT].name = "Weir-Commit";
    fields[FIELD_GENERATION].name = "Weir-Generation";
    fields[FIELD_DIGEST].name = "Weir-Digest";
    fields[FIELD_AGE].name = "Weir-Age";
    if (digest[0]) {
        snprintf(match, sizeof match, "If-None-Match: \"%s\"", digest);
        request.headers[headers++] = match;
    }
    if (source->parts.token_file) {
        status = reach_secret_read(&source->secret, token, sizeof token, error);
        if (status == STATUS_OK) {
            snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", token);
            request.headers[headers++] = authorization;
        }
        explicit_bzero(token, sizeof token);
    }
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

const struct source_driver source_http = {
    "controller", http_source_open, http_source_look, NULL, http_source_close,
};
