/* A Kubernetes target: the document in one object, by server-side apply as the field manager
 * "weir".
 *
 *     ConfigMap    data["flags.json"] is the document
 *     FeatureFlag  spec.flagSpec is the document (core.openfeature.dev/v1beta1)
 *
 * Beside it, annotations: weir/environment, weir/generation, weir/digest, weir/commit;
 * and weir/overrides, the intents of open overrides in it, where there are some.
 *
 * The fence: the object's metadata is read first, and what is applied names the resourceVersion
 * that was read. When somebody was faster the server refuses (409), and it is read again. So
 * nothing older ever replaces something newer, and weir owns only the fields that it applies.
 *
 * The version that the server gave to what was applied is remembered: as long as the object has it,
 * nobody changed anything; when it has not, the same is applied again, which puts weir's fields
 * right and changes nothing where they are. */
#include <stdio.h>
#include <stdlib.h>

#include "../../rules/codes.h"
#include "../rollout/override.h"
#include "drivers.h"
#include "kubernetes_server.h"

#define DOCUMENT_MAXIMUM ((size_t)900 << 10) /* a ConfigMap ends at 1 MiB, all of it together */
#define TRIES 5                              /* when others change the object at the same time */
/* For an object that is not there: no object ever has this version, so that one which somebody else
 * has made in between is left alone, and read. */
#define VERSION_OF_NOTHING "1"
#define VERSION_SIZE 64

struct kubernetes_target {
    const struct target_definition *definition;
    struct kubernetes_server server;
    struct error unusable; /* status is not STATUS_OK: the definition makes no sense */
    bool feature_flag;     /* else a ConfigMap */
    bool without_metadata; /* an older FeatureFlag has no place for a set's metadata */
    char namespace[64], name[254];
    /* What the server acknowledged last; empty: nothing since the start. */
    char generation[GENERATION_TEXT_SIZE], digest[DIGEST_TEXT_SIZE], version[VERSION_SIZE];
};

/* One push, while it is under way. */
struct applying {
    struct kubernetes_target *target;
    const struct push *push;
    char generation[GENERATION_TEXT_SIZE], digest[DIGEST_TEXT_SIZE];
    bool acknowledged;      /* it is what the server acknowledged last */
    struct buffer document; /* filled when first needed */
};

/* What is at the server. */
struct object {
    bool exists;
    char version[VERSION_SIZE];
    char generation[2 * GENERATION_TEXT_SIZE], digest[DIGEST_TEXT_SIZE]; /* or empty */
};

/* --- opening --------------------------------------------------------------------------------- */

static void kubernetes_close(void *state)
{
    struct kubernetes_target *target = state;
    kubernetes_server_close(&target->server);
    free(target);
}

/* NAMESPACE/configmaps/NAME or NAMESPACE/featureflags/NAME */
static bool parse_key(struct kubernetes_target *target)
{
    const char *key = target->definition->key ? target->definition->key : "";
    const char *kind = strchr(key, '/'), *name = kind ? strchr(kind + 1, '/') : NULL;
    if (!name)
        return false;
    struct text kind_text = {kind + 1, (size_t)(name - kind) - 1};
    target->feature_flag = text_is(kind_text, "featureflags");
    int written =
        snprintf(target->namespace, sizeof target->namespace, "%.*s", (int)(kind - key), key);
    if (written < 1 || (size_t)written >= sizeof target->namespace)
        return false;
    written = snprintf(target->name, sizeof target->name, "%s", name + 1);
    return written >= 1 && (size_t)written < sizeof target->name;
}

static void *kubernetes_open(const struct target_definition *definition, const struct reach *reach,
                             const struct clock *clock)
{
    (void)clock;
    struct kubernetes_target *target = calloc(1, sizeof *target);
    if (!target)
        return NULL;
    target->definition = definition;
    if (!parse_key(target)) {
        error_set(&target->unusable, STATUS_REFUSED, "kubernetes target names no object");
        return target;
    }
    enum status status = kubernetes_server_open(definition->location, definition->secret, reach,
                                                &target->server, &target->unusable);
    if (status == STATUS_NO_MEMORY) {
        kubernetes_close(target);
        return NULL;
    }
    if (status != STATUS_OK)
        target->unusable.status = STATUS_REFUSED; /* no retry will mend it */
    return target;
}

static const char *kubernetes_code(const void *state)
{
    return kubernetes_server_code(&((const struct kubernetes_target *)state)->server);
}

static void make_path(const struct kubernetes_target *target, const char *query,
                      char out[HTTP_URL_SIZE])
{
    snprintf(out, HTTP_URL_SIZE, "%s/namespaces/%s/%s/%s%s",
             target->feature_flag ? "apis/core.openfeature.dev/v1beta1" : "api/v1",
             target->namespace, target->feature_flag ? "featureflags" : "configmaps", target->name,
             query);
}

static const char *kind_of(const struct kubernetes_target *target)
{
    return target->feature_flag ? "FeatureFlag" : "ConfigMap";
}

/* --- reading --------------------------------------------------------------------------------- */

/* False when the answer is not an object with a version. */
static bool read_object(const struct http_answer *answer, struct object *out)
{
    struct arena arena;
    arena_init(&arena, 8 * KUBERNETES_ANSWER_MAXIMUM);
    const struct node *metadata = node_get(kubernetes_read(&arena, answer), "metadata");
    const struct node *annotations = node_get(metadata, "annotations");
    struct text version = node_get_string(metadata, "resourceVersion");
    out->exists = version.length > 0 && version.length < sizeof out->version;
    http_clean(version, out->version, sizeof out->version);
    http_clean(node_get_string(annotations, "weir/generation"), out->generation,
               sizeof out->generation);
    http_clean(node_get_string(annotations, "weir/digest"), out->digest, sizeof out->digest);
    arena_dispose(&arena);
    return out->exists;
}

static enum status not_understood(const struct kubernetes_target *target, struct error *error)
{
    return error_set(error, STATUS_SYSTEM,
                     "'%s': answers something that is not a Kubernetes object",
                     target->server.base.shown);
}

static enum status read_back(struct applying *applying, struct object *out, struct error *error)
{
    struct kubernetes_target *target = applying->target;
    char path[HTTP_URL_SIZE];
    struct http_answer answer;
    make_path(target, "", path);
    const struct kubernetes_request request = {
        .method = "GET", .path = path, .stop = applying->push->stop};
    *out = (struct object){0};
    enum status status = kubernetes_ask(&target->server, &request, &answer, error);
    if (status != STATUS_OK || answer.status == 404)
        return status;
    if (answer.status != 200)
        return kubernetes_complain(&target->server, &request, &answer, error);
    return read_object(&answer, out) ? STATUS_OK : not_understood(target, error);
}

/* --- the fence ------------------------------------------------------------------------------- */

static enum status refuse(const struct applying *applying, const char *what, const char *held,
                          const char *mend, struct error *error)
{
    const struct kubernetes_target *target = applying->target;
    return error_set(error, STATUS_REFUSED, "%s '%s/%.60s' holds %s (%.71s)%s", kind_of(target),
                     target->namespace, target->name, what, held, mend);
}

/* Whether what is there may be replaced. What weir itself has put there in this generation it also
 * puts right, whatever somebody made of it. */
static enum status check_fence(const struct applying *applying, const struct object *object,
                               struct error *error)
{
    struct generation held;
    if (!object->exists || !object->generation[0])
        return STATUS_OK;
    if (!generation_parse(text_of(object->generation), &held))
        return applying->acknowledged
                   ? STATUS_OK
                   : refuse(applying, "a generation that weir did not write", object->generation,
                            ": take the annotation away or choose another name", error);
    int order = generation_compare(held, applying->push->snapshot->generation);
    if (order > 0) {
        const struct kubernetes_target *target = applying->target;
        char where[160];
        snprintf(where, sizeof where, "%s '%s/%.60s'", kind_of(target), target->namespace,
                 target->name);
        return push_is_outrun(applying->push, held, where, error);
    }
    if (order == 0 && !applying->acknowledged && strcmp(object->digest, applying->digest) != 0)
        return refuse(applying, "another document of this generation", object->digest,
                      ": the controllers that write it disagree", error);
    return STATUS_OK;
}

/* --- applying -------------------------------------------------------------------------------- */

static enum status write_document(struct applying *applying, struct error *error)
{
    const struct kubernetes_target *target = applying->target;
    struct buffer *document = &applying->document;
    if (document->length == 0)
        document_write(applying->push->document, document);
    if (document->failed)
        return error_set(error, document->failed, "document for '%.60s' is too large for memory",
                         target->name);
    if (document->length > DOCUMENT_MAXIMUM)
        return error_set(error, STATUS_REFUSED,
                         "%s '%s/%.60s' would hold %zu KiB, more than the %zu KiB that fit: use "
                         "a target of another kind",
                         kind_of(target), target->namespace, target->name,
                         (document->length + 1023) >> 10, DOCUMENT_MAXIMUM >> 10);
    return STATUS_OK;
}

static void write_member(struct buffer *out, const char *before, const char *value)
{
    buffer_append_string(out, before);
    json_write_string(out, text_of(value));
}

/* The document as flagSpec; a set's metadata stands at its end and is cut off where it has no
 * place. */
static void write_flag_spec(const struct applying *applying, struct buffer *out)
{
    static const char member[] = ",\"metadata\":";
    struct text document = buffer_text(&applying->document);
    size_t metadata = applying->push->document->metadata.length;
    size_t tail = sizeof member - 1 + metadata + strlen("}\n");
    if (!applying->target->without_metadata || metadata == 0 || tail > document.length) {
        buffer_append_text(out, document);
        return;
    }
    buffer_append(out, document.data, document.length - tail);
    buffer_append_char(out, '}');
}

static void write_object(const struct applying *applying, const char *version, struct buffer *out)
{
    const struct kubernetes_target *target = applying->target;
    buffer_printf(out, "{\"apiVersion\":\"%s\",\"kind\":\"%s\"",
                  target->feature_flag ? "core.openfeature.dev/v1beta1" : "v1", kind_of(target));
    write_member(out, ",\"metadata\":{\"name\":", target->name);
    write_member(out, ",\"namespace\":", target->namespace);
    write_member(out, ",\"resourceVersion\":", version);
    buffer_append_string(out, ",\"labels\":{\"app.kubernetes.io/managed-by\":\"weir\"}");
    write_member(out, ",\"annotations\":{\"weir/commit\":", applying->push->snapshot->commit);
    write_member(out, ",\"weir/digest\":", applying->digest);
    write_member(out, ",\"weir/environment\":", applying->push->environment);
    write_member(out, ",\"weir/generation\":", applying->generation);
    if (applying->push->overrides && applying->push->overrides->count) {
        buffer_append_string(out, ",\"weir/overrides\":\"");
        override_set_name(applying->push->overrides, 0, out);
        buffer_append_char(out, '"');
    }
    if (target->feature_flag) {
        buffer_append_string(out, "}},\"spec\":{\"flagSpec\":");
        write_flag_spec(applying, out);
    } else {
        buffer_append_string(out, "}},\"data\":{\"flags.json\":");
        json_write_string(out, buffer_text(&applying->document));
    }
    buffer_append_string(out, "}}");
}

/* The length of what begins at `at` and YAML would not take as JSON means it, 0 when there is
 * nothing; its code point in *code. YAML 1.1, which the server reads, knows three more line breaks,
 * which it folds, and refuses some characters as they are. */
static size_t odd_in_yaml(const char *at, size_t left, unsigned *code)
{
    const unsigned char *bytes = (const unsigned char *)at;
    if (bytes[0] == 0x7f) {
        *code = 0x7f;
        return 1;
    }
    if (bytes[0] == 0xc2 && left >= 2 && bytes[1] < 0xa0) { /* U+0080 … U+009F */
        *code = bytes[1];
        return 2;
    }
    if ((bytes[0] != 0xe2 && bytes[0] != 0xef) || left < 3)
        return 0;
    *code = (unsigned)(bytes[0] & 15) << 12 | (unsigned)(bytes[1] & 63) << 6 |
            (unsigned)(bytes[2] & 63);
    bool odd = *code == 0x2028 || *code == 0x2029 || *code == 0xfeff || *code >= 0xfffe;
    return odd ? 3 : 0;
}

/* JSON as YAML reads it too: what is odd stands in strings only, where it can be escaped. */
static void write_yaml(struct text json, struct buffer *out)
{
    size_t from = 0, at = 0;
    while (at < json.length) {
        unsigned code = 0;
        size_t length = odd_in_yaml(json.data + at, json.length - at, &code);
        if (length) {
            buffer_append(out, json.data + from, at - from);
            buffer_printf(out, "\\u%04x", code);
            from = at + length;
        }
        at += length ? length : 1;
    }
    buffer_append(out, json.data + from, json.length - from);
}

static enum status write_body(const struct applying *applying, const char *version,
                              struct buffer *out, struct error *error)
{
    struct buffer json;
    buffer_init(&json, 0);
    write_object(applying, version, &json);
    write_yaml(buffer_text(&json), out);
    enum status failed = json.failed ? json.failed : out->failed;
    buffer_dispose(&json);
    return failed ? error_set(error, failed, "out of memory") : STATUS_OK;
}

/* --- what comes of it ------------------------------------------------------------------------ */

/* STATUS_NOT_FOUND: read again, or apply again otherwise. */
static enum status judge(struct applying *applying, const struct kubernetes_request *request,
                         const struct http_answer *answer, struct error *error)
{
    static const char unknown[] = ".spec.flagSpec.metadata: field not declared in schema";
    struct kubernetes_target *target = applying->target;
    struct object now = {0};
    if (answer->status == 409)
        return STATUS_NOT_FOUND;
    if (answer->status != 200 && answer->status != 201) {
        bool older = target->feature_flag && !target->without_metadata && answer->body.length &&
                     memmem(answer->body.data, answer->body.length, unknown, sizeof unknown - 1);
        if (older) {
            target->without_metadata = true;
            return STATUS_NOT_FOUND;
        }
        return kubernetes_complain(&target->server, request, answer, error);
    }
    if (!read_object(answer, &now))
        return not_understood(target, error);
    memcpy(target->version, now.version, sizeof target->version);
    memcpy(target->generation, applying->generation, sizeof target->generation);
    memcpy(target->digest, applying->digest, sizeof target->digest);
    return STATUS_OK;
}

static enum status apply(struct applying *applying, const struct object *object,
                         struct error *error)
{
    struct kubernetes_target *target = applying->target;
    char path[HTTP_URL_SIZE];
    struct buffer body;
    struct http_answer answer;
    make_path(target, "?fieldManager=weir&force=true", path);
    buffer_init(&body, 0);
    enum status status = write_document(applying, error);
    if (status == STATUS_OK)
        status = write_body(applying, object->exists ? object->version : VERSION_OF_NOTHING, &body,
                            error);
    const struct kubernetes_request request = {.method = "PATCH",
                                               .path = path,
                                               .type = "application/apply-patch+yaml",
                                               .body = buffer_text(&body),
                                               .stop = applying->push->stop};
    if (status == STATUS_OK)
        status = kubernetes_ask(&target->server, &request, &answer, error);
    if (status == STATUS_OK)
        status = judge(applying, &request, &answer, error);
    buffer_dispose(&body);
    return status;
}

static enum status push_it(struct applying *applying, struct error *error)
{
    const struct kubernetes_target *target = applying->target;
    for (unsigned tries = 0; tries < TRIES; tries++) {
        struct object object;
        enum status status = read_back(applying, &object, error);
        if (status == STATUS_OK)
            status = check_fence(applying, &object, error);
        if (status != STATUS_OK)
            return status;
        if (applying->acknowledged && strcmp(object.version, target->version) == 0)
            return STATUS_OK;
        status = apply(applying, &object, error);
        if (status != STATUS_NOT_FOUND)
            return status;
    }
    return error_set(error, STATUS_SYSTEM, "%s '%s/%.60s' is changed by others again and again",
                     kind_of(target), target->namespace, target->name);
}

static enum status kubernetes_push(void *state, const struct push *push, struct error *error)
{
    struct kubernetes_target *target = state;
    struct applying applying = {.target = target, .push = push};
    if (target->unusable.status != STATUS_OK) {
        *error = target->unusable;
        return error->status;
    }
    generation_format(push->snapshot->generation, applying.generation);
    document_digest_text(push->document, applying.digest);
    applying.acknowledged = target->version[0] &&
                            strcmp(target->generation, applying.generation) == 0 &&
                            strcmp(target->digest, applying.digest) == 0;
    buffer_init(&applying.document, 0);
    enum status status = push_it(&applying, error);
    buffer_dispose(&applying.document);
    return status;
}

const struct target_driver kubernetes_driver = {
    .type = TARGET_KUBERNETES,
    .name = "kubernetes",
    .open = kubernetes_open,
    .push = kubernetes_push,
    .code = kubernetes_code,
    .close = kubernetes_close,
};
