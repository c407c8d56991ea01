/* An HTTP target: the document by PUT, what it is in headers, and a signature over both.
 *
 *     Weir-Environment, Weir-Generation, Weir-Digest, Weir-Commit
 *     Weir-Timestamp: seconds since 1970
 *     Weir-Overrides: the intents of open overrides in it, where there are some
 *     Weir-Signature: v1=<hex of HMAC-SHA-256>   (with credentials)
 *
 * What is signed: "v1", timestamp, environment, generation, digest and commit, each followed by one
 * line feed, then the body as it is sent. The key is the secret's bytes.
 *
 * A receiver refuses what is older than what it holds by 409 or 412 with the Weir-Generation it
 * holds. When it answers HEAD with Weir-Generation and Weir-Digest, that is asked after a start and
 * from time to time, so that what somebody else changed is put right; otherwise what the PUT's
 * success said is believed. */
#include <nettle/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../rules/codes.h"
#include "../outward/http_client.h"
#include "../rollout/override.h"
#include "drivers.h"

#define SECRET_SIZE 1024

struct http_target {
    const struct target_definition *definition;
    const struct clock *clock;
    const struct reach_secret *secret; /* or NULL */
    struct http_client *client;
    struct http_url url;
    struct error unusable; /* status is not STATUS_OK: the definition makes no sense */
    const char *unusable_code;
    /* What the receiver acknowledged last; empty: nothing since the start. */
    char generation[GENERATION_TEXT_SIZE], digest[DIGEST_TEXT_SIZE];
};

/* One push, while it is under way. */
struct putting {
    struct http_target *target;
    const struct push *push;
    char generation[GENERATION_TEXT_SIZE], digest[DIGEST_TEXT_SIZE], timestamp[24];
};

/* --- opening --------------------------------------------------------------------------------- */

static void http_close(void *state)
{
    struct http_target *target = state;
    http_client_free(target->client);
    free(target);
}

static enum status find_secret(struct http_target *target, const struct reach *reach)
{
    const char *name = target->definition->secret;
    target->secret = name ? reach_secret(reach, text_of(name)) : NULL;
    if (!name || target->secret)
        return STATUS_OK;
    target->unusable_code = CODE_TARGET_SECRET;
    return error_set(&target->unusable, STATUS_REFUSED,
                     "secret '%.100s' is not known: name it in the controller's configuration",
                     name);
}

static void *http_open(const struct target_definition *definition, const struct reach *reach,
                       const struct clock *clock)
{
    struct http_target *target = calloc(1, sizeof *target);
    if (!target)
        return NULL;
    target->definition = definition;
    target->clock = clock;
    if (http_url_parse(text_of(definition->location), &target->url, &target->unusable) !=
        STATUS_OK) {
        target->unusable.status = STATUS_REFUSED; /* no retry will mend it */
        return target;
    }
    if (find_secret(target, reach) != STATUS_OK)
        return target;
    const struct http_client_settings settings = {.reach = reach, .secret = target->secret};
    target->client = http_client_new(&settings);
    if (target->client)
        return target;
    http_close(target);
    return NULL;
}

static const char *http_code(const void *state)
{
    const struct http_target *target = state;
    return target->client ? http_client_code(target->client) : target->unusable_code;
}

/* --- what the receiver says ------------------------------------------------------------------ */

enum { FIELD_GENERATION, FIELD_DIGEST, FIELD_COUNT };

static void name_fields(struct http_field fields[FIELD_COUNT])
{
    fields[FIELD_GENERATION].name = "Weir-Generation";
    fields[FIELD_DIGEST].name = "Weir-Digest";
}

/* STATUS_REFUSED when the receiver says that it holds something newer than what is pushed. */
static enum status check_fence(const struct putting *putting, const struct http_field *fields,
                               struct error *error)
{
    struct generation held;
    if (!generation_parse(text_of(fields[FIELD_GENERATION].value), &held) ||
        generation_compare(held, putting->push->snapshot->generation) <= 0)
        return STATUS_OK;
    char where[sizeof error->message];
    snprintf(where, sizeof where, "'%s'", putting->target->url.shown);
    return push_is_outrun(putting->push, held, where, error);
}

static bool is_this(const struct putting *putting, const struct http_field *fields)
{
    return strcmp(fields[FIELD_GENERATION].value, putting->generation) == 0 &&
           strcmp(fields[FIELD_DIGEST].value, putting->digest) == 0;
}

static bool is_success(const struct http_answer *answer)
{
    return answer->status >= 200 && answer->status < 300;
}

/* --- asking ---------------------------------------------------------------------------------- */

enum holding { HOLDS_THIS, HOLDS_OTHER, HOLDS_UNTOLD };

static enum status ask(const struct putting *putting, enum holding *holding, struct error *error)
{
    const struct http_target *target = putting->target;
    struct http_field fields[FIELD_COUNT] = {0};
    struct http_answer answer;
    const struct http_request request = {.method = "HEAD",
                                         .url = &target->url,
                                         .fields = fields,
                                         .field_count = FIELD_COUNT,
                                         .stop = putting->push->stop};
    struct generation held;
    name_fields(fields);
    *holding = HOLDS_UNTOLD;
    enum status status = http_client_send(target->client, &request, &answer, error);
    if (status != STATUS_OK)
        return status;
    if (answer.status >= 500 && answer.status != 501)
        return http_client_complain(&request, &answer, error);
    if (answer.status == 404 || answer.status == 410)
        *holding = HOLDS_OTHER;
    if (!is_success(&answer) || !generation_parse(text_of(fields[FIELD_GENERATION].value), &held) ||
        !fields[FIELD_DIGEST].value[0])
        return STATUS_OK;
    *holding = is_this(putting, fields) ? HOLDS_THIS : HOLDS_OTHER;
    return check_fence(putting, fields, error);
}

/* --- putting --------------------------------------------------------------------------------- */

/* Appends the header's value: "v1=" and the hexadecimal digits. */
static void sign(const struct putting *putting, const char *key, struct text body,
                 struct buffer *out)
{
    const char *const lines[] = {"v1",
                                 putting->timestamp,
                                 putting->push->environment,
                                 putting->generation,
                                 putting->digest,
                                 putting->push->snapshot->commit};
    struct hmac_sha256_ctx context;
    uint8_t mac[SHA256_DIGEST_SIZE];
    hmac_sha256_set_key(&context, strlen(key), (const uint8_t *)key);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        hmac_sha256_update(&context, strlen(lines[i]), (const uint8_t *)lines[i]);
        hmac_sha256_update(&context, 1, (const uint8_t *)"\n");
    }
    hmac_sha256_update(&context, body.length, (const uint8_t *)body.data);
    hmac_sha256_digest(&context, sizeof mac, mac);
    explicit_bzero(&context, sizeof context);
    buffer_append_string(out, "v1=");
    buffer_append_hex(out, mac, sizeof mac);
}

#define LINES 8

/* The request's own header lines, one after another in `out`, each with its NUL. */
static enum status write_headers(const struct putting *putting, struct text body,
                                 struct buffer *out, const char *lines[LINES], struct error *error)
{
    const struct snapshot *snapshot = putting->push->snapshot;
    char key[SECRET_SIZE];
    buffer_printf(out, "Content-Type: application/json%c", 0);
    buffer_printf(out, "Weir-Environment: %s%c", putting->push->environment, 0);
    buffer_printf(out, "Weir-Generation: %s%c", putting->generation, 0);
    buffer_printf(out, "Weir-Digest: %s%c", putting->digest, 0);
    buffer_printf(out, "Weir-Commit: %s%c", snapshot->commit, 0);
    buffer_printf(out, "Weir-Timestamp: %s%c", putting->timestamp, 0);
    size_t count = LINES - 2;
    if (putting->push->overrides && putting->push->overrides->count) {
        buffer_append_string(out, "Weir-Overrides: ");
        override_set_name(putting->push->overrides, 0, out);
        buffer_append_char(out, '\0');
        count++;
    }
    if (putting->target->secret) {
        enum status status = reach_secret_read(putting->target->secret, key, sizeof key, error);
        if (status != STATUS_OK)
            return status;
        buffer_append_string(out, "Weir-Signature: ");
        sign(putting, key, body, out);
        buffer_append_char(out, '\0');
        explicit_bzero(key, sizeof key);
        count++;
    }
    if (out->failed)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    const char *at = out->data;
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
        lines[i] = at;
    return STATUS_OK;
}

/* Why a receiver did not take it. */
static enum status complain(const struct putting *putting, const struct http_request *request,
                            const struct http_answer *answer, const struct http_field *fields,
                            struct error *error)
{
    const struct http_target *target = putting->target;
    bool fenced = answer->status == 409 || answer->status == 412;
    if (fenced && strcmp(fields[FIELD_GENERATION].value, putting->generation) == 0)
        return error_set(error, STATUS_REFUSED,
                         "'%s' holds another document of this generation (%.71s): the controllers "
                         "that write it disagree; the next commit settles it",
                         target->url.shown, fields[FIELD_DIGEST].value);
    if (answer->status == 401 || answer->status == 403)
        return error_set(error, STATUS_SYSTEM, "'%s': answered %u: %s%.60s%s", target->url.shown,
                         answer->status,
                         target->secret ? "it does not take the signature by secret '"
                                        : "it may want a signature: name a secret in the target's "
                                          "'credentials",
                         target->secret ? target->secret->name : "", "'");
    return http_client_complain(request, answer, error);
}

static enum status judge(const struct putting *putting, const struct http_request *request,
                         const struct http_answer *answer, const struct http_field *fields,
                         struct error *error)
{
    bool success = is_success(answer), fenced = answer->status == 409 || answer->status == 412;
    if (success || fenced) {
        enum status status = check_fence(putting, fields, error);
        if (status != STATUS_OK)
            return status;
    }
    if (!success)
        return complain(putting, request, answer, fields, error);
    const char *digest = fields[FIELD_DIGEST].value;
    if (digest[0] && strcmp(digest, putting->digest) != 0)
        return error_set(error, STATUS_SYSTEM, "'%s': acknowledged another document (%.71s)",
                         putting->target->url.shown, digest);
    return STATUS_OK;
}

static enum status put(struct putting *putting, struct text body, struct error *error)
{
    struct http_target *target = putting->target;
    struct http_field fields[FIELD_COUNT] = {0};
    struct http_answer answer;
    struct buffer headers;
    struct http_request request = {.method = "PUT",
                                   .url = &target->url,
                                   .body = body,
                                   .fields = fields,
                                   .field_count = FIELD_COUNT,
                                   .stop = putting->push->stop};
    name_fields(fields);
    buffer_init(&headers, 0);
    snprintf(putting->timestamp, sizeof putting->timestamp, "%lld",
             (long long)clock_seconds(target->clock));
    enum status status = write_headers(putting, body, &headers, request.headers, error);
    if (status == STATUS_OK)
        status = http_client_send(target->client, &request, &answer, error);
    if (status == STATUS_OK)
        status = judge(putting, &request, &answer, fields, error);
    buffer_dispose(&headers);
    return status;
}

static void remember(const struct putting *putting)
{
    struct http_target *target = putting->target;
    memcpy(target->generation, putting->generation, sizeof target->generation);
    memcpy(target->digest, putting->digest, sizeof target->digest);
}

static enum status put_document(struct putting *putting, struct error *error)
{
    struct http_target *target = putting->target;
    struct buffer document;
    buffer_init(&document, 0);
    document_write(putting->push->document, &document);
    enum status status =
        document.failed ? error_set(error, document.failed,
                                    "document for '%s' is too large for memory", target->url.shown)
                        : put(putting, buffer_text(&document), error);
    buffer_dispose(&document);
    return status;
}

static enum status http_push(void *state, const struct push *push, struct error *error)
{
    struct http_target *target = state;
    struct putting putting = {.target = target, .push = push};
    enum holding holding = HOLDS_OTHER;
    if (target->unusable.status != STATUS_OK) {
        *error = target->unusable;
        return error->status;
    }
    generation_format(push->snapshot->generation, putting.generation);
    document_digest_text(push->document, putting.digest);
    bool acknowledged = strcmp(target->generation, putting.generation) == 0 &&
                        strcmp(target->digest, putting.digest) == 0;
    if (acknowledged || !target->generation[0]) {
        enum status status = ask(&putting, &holding, error);
        if (status != STATUS_OK)
            return status;
    }
    enum status status = STATUS_OK;
    if (holding == HOLDS_OTHER || (holding == HOLDS_UNTOLD && !acknowledged))
        status = put_document(&putting, error);
    if (status == STATUS_OK)
        remember(&putting);
    return status;
}

const struct target_driver http_driver = {
    .type = TARGET_HTTP,
    .name = "http",
    .open = http_open,
    .push = http_push,
    .code = http_code,
    .close = http_close,
};
