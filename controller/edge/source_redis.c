/* What a Redis target wrote: hashes {KEY}:doc and {KEY}:meta.
 *
 * Meta is asked for alone first; only when it is news the whole follows, read in one transaction,
 * so that no script of a writer comes in between. What stands there has open overrides in it, and
 * the digest is of that. Only while it is "merged", since nobody has pushed a document that has all
 * of them, there is none to check by; then the whole is read each time. */
#include <stdio.h>
#include <stdlib.h>

#include "../../rules/json.h"
#include "../targets/redis_connection.h"
#include "source.h"

#define DOCUMENT_MAXIMUM ((size_t)256 << 20)
#define FIELDS_MOST ((long long)1 << 20)

#define LISTENING_SLICE 100 /* milliseconds between looks at *stop */

enum { NAME_DOCUMENT, NAME_META, NAME_CHANGED, NAME_COUNT };
enum { META_COMMIT, META_GENERATION, META_DIGEST, META_ENVIRONMENT, META_METADATA, META_COUNT };

struct redis_source {
    struct source_parts parts;
    struct reach reach; /* borrows all it points to */
    struct reach_secret secret;
    struct redis_connection connection;
    char *names[NAME_COUNT];
};

static void redis_source_close(void *state)
{
    struct redis_source *source = state;
    if (!source)
        return;
    redis_disconnect(&source->connection);
    for (size_t i = 0; i < NAME_COUNT; i++)
        free(source->names[i]);
    free(source);
}

static bool make_names(struct redis_source *source, const char *key)
{
    static const char *const suffixes[NAME_COUNT] = {"doc", "meta", "changed"};
    size_t size = strlen(key) + 16;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        source->names[i] = malloc(size);
        if (!source->names[i])
            return false;
        snprintf(source->names[i], size, "{%s}:%s", key, suffixes[i]);
    }
    return true;
}

static enum status redis_source_open(const struct source_parts *parts, void **out,
                                     struct error *error)
{
    const char *hash = strchr(parts->from, '#');
    *out = NULL;
    if (!hash || !hash[1])
        return error_set(error, STATUS_INVALID,
                         "a Redis is named by redis://HOST:PORT#KEY, with the key of the target");
    if (parts->environment_count > 1)
        return error_set(error, STATUS_INVALID, "a key of Redis is of one environment");
    struct redis_source *source = calloc(1, sizeof *source);
    if (!source || !make_names(source, hash + 1)) {
        redis_source_close(source);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    source->parts = *parts;
    const struct text url = {parts->from, (size_t)(hash - parts->from)};
    enum status status = redis_url_parse(url, &source->connection.place, error);
    if (status != STATUS_OK) {
        redis_source_close(source);
        return STATUS_INVALID;
    }
    struct reach_host *server = &source->connection.place.server;
    source->secret = (struct reach_secret){.name = (char *)"token-file",
                                           .file = (char *)(uintptr_t)parts->token_file,
                                           .hosts = server,
                                           .host_count = 1};
    source->reach = (struct reach){.hosts = server,
                                   .host_count = 1,
                                   .secrets = &source->secret,
                                   .secret_count = parts->token_file ? 1 : 0};
    source->connection.reach = &source->reach;
    source->connection.secret = parts->token_file ? source->secret.name : NULL;
    source->connection.stop = parts->stop;
    *out = source;
    return STATUS_OK;
}

/* --- asking ---------------------------------------------------------------------------------- */

/* Sends words and waits; NULL: `error` is set. The caller frees the reply. */
static redisReply *ask(struct redis_source *source, const char *const *words, size_t count,
                       struct error *error)
{
    struct redis_connection *connection = &source->connection;
    bool sending = redis_begin(connection, count);
    for (size_t i = 0; i < count && sending; i++)
        sending = redis_send(connection, text_of(words[i]));
    redisReply *reply = redis_receive(connection, error);
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        redis_complain(connection, reply, error);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

static struct text string_of(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING)
        return (struct text){NULL, 0};
    return (struct text){reply->str, reply->len};
}

static enum status odd(struct redis_source *source, struct error *error)
{
    redis_disconnect(&source->connection);
    return error_set(error, STATUS_INVALID, "the Redis does not hold what a target of weir writes");
}

/* The reply to HMGET of the meta. */
static bool read_meta(const redisReply *reply, struct text out[META_COUNT])
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != META_COUNT)
        return false;
    for (size_t i = 0; i < META_COUNT; i++)
        out[i] = string_of(reply->element[i]);
    return true;
}

#define META_WORDS(source)                                                                         \
    {                                                                                              \
        "HMGET", (source)->names[NAME_META], "commit", "generation", "digest", "environment",      \
            "metadata"                                                                             \
    }

/* Whether the meta alone says that nothing has changed. */
static enum status look_at_meta(struct redis_source *source, const struct snapshot *held,
                                bool *same, struct error *error)
{
    const char *const words[] = META_WORDS(source);
    struct text meta[META_COUNT];
    char generation[GENERATION_TEXT_SIZE];
    *same = false;
    redisReply *reply = ask(source, words, COUNT_OF(words), error);
    if (!reply)
        return STATUS_SYSTEM;
    enum status status = STATUS_OK;
    if (!read_meta(reply, meta)) {
        status = odd(source, error);
    } else if (!meta[META_GENERATION].data) {
        status = error_set(error, STATUS_NOT_FOUND, "the Redis holds no '%.100s'",
                           source->names[NAME_META]);
    } else if (held && !held->from_disk) {
        struct document *document = source_held(held, meta[META_ENVIRONMENT], meta[META_DIGEST]);
        generation_format(held->generation, generation);
        *same = document && text_is(meta[META_GENERATION], generation) &&
                text_is(meta[META_COMMIT], held->commit);
        document_release(document);
    }
    freeReplyObject(reply);
    return status;
}

/* --- the whole ------------------------------------------------------------------------------- */

static void put_together(const redisReply *fields, struct text metadata, struct buffer *out)
{
    buffer_append_string(out, "{\"flags\":{");
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        if (i)
            buffer_append_char(out, ',');
        json_write_string(out, string_of(fields->element[i]));
        buffer_append_char(out, ':');
        buffer_append_text(out, string_of(fields->element[i + 1]));
    }
    buffer_append_char(out, '}');
    if (metadata.length) {
        buffer_append_string(out, ",\"metadata\":");
        buffer_append_text(out, metadata);
    }
    buffer_append_char(out, '}');
}

/* The reply to EXEC: meta, fields. */
static enum status read_transaction(struct redis_source *source, const redisReply *reply,
                                    const struct snapshot *held, struct seen *seen,
                                    struct error *error)
{
    struct text meta[META_COUNT], environment;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !read_meta(reply->element[0], meta) || reply->element[1]->type != REDIS_REPLY_ARRAY ||
        reply->element[1]->elements > 2 * (size_t)FIELDS_MOST)
        return odd(source, error);
    const struct source_meta told = {.commit = meta[META_COMMIT],
                                     .generation = meta[META_GENERATION],
                                     .digest = meta[META_DIGEST]};
    bool merged = text_is(told.digest, REDIS_MERGED);
    enum status status =
        source_environment(&source->parts, meta[META_ENVIRONMENT], &environment, error);
    if (status == STATUS_OK && told.digest.length == 0)
        status = odd(source, error); /* a script was broken off */
    if (status == STATUS_OK)
        status = source_begin(&told, 1, source->parts.clock, &seen->snapshot, error);
    if (status != STATUS_OK)
        return status;
    struct document *document = merged ? NULL : source_held(held, environment, told.digest);
    if (!document) {
        struct buffer json;
        buffer_init(&json, DOCUMENT_MAXIMUM);
        put_together(reply->element[1], meta[META_METADATA], &json);
        status = json.failed
                     ? error_set(error, json.failed, "the document is too large")
                     : source_read_document(buffer_text(&json), merged ? TEXT("") : told.digest,
                                            &document, error);
        buffer_dispose(&json);
    }
    if (status == STATUS_OK &&
        (status = snapshot_fill(seen->snapshot, 0, environment, document)) != STATUS_OK)
        error_set(error, status, "no memory for a snapshot");
    return status;
}

static enum status look_at_all(struct redis_source *source, const struct snapshot *held,
                               struct seen *seen, struct error *error)
{
    const char *const begin[] = {"MULTI"}, *const meta[] = META_WORDS(source);
    const char *const fields[] = {"HGETALL", source->names[NAME_DOCUMENT]};
    const char *const end[] = {"EXEC"};
    const struct {
        const char *const *words;
        size_t count;
    } commands[] = {{begin, 1}, {meta, COUNT_OF(meta)}, {fields, 2}, {end, 1}};
    redisReply *reply = NULL;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (reply)
            freeReplyObject(reply);
        reply = ask(source, commands[i].words, commands[i].count, error);
        if (!reply)
            return STATUS_SYSTEM;
    }
    enum status status = read_transaction(source, reply, held, seen, error);
    freeReplyObject(reply);
    if (status != STATUS_OK) {
        snapshot_release(seen->snapshot);
        seen->snapshot = NULL;
    }
    return status;
}

static enum status look_once(struct redis_source *source, const struct snapshot *held,
                             struct seen *seen, struct error *error)
{
    bool same = false;
    *seen = (struct seen){0};
    enum status status = redis_connect(&source->connection, error);
    if (status == STATUS_OK)
        status = look_at_meta(source, held, &same, error);
    return status != STATUS_OK || same ? status : look_at_all(source, held, seen, error);
}

static enum status redis_source_look(void *state, const struct snapshot *held, struct seen *seen,
                                     struct error *error)
{
    struct redis_source *source = state;
    bool reused = source->connection.context;
    source->connection.lost = false;
    enum status status = look_once(source, held, seen, error);
    /* A server closes connections when it is restarted: that is no failure yet. */
    if (status == STATUS_SYSTEM && reused && source->connection.lost)
        status = look_once(source, held, seen, error);
    return status != STATUS_OK && atomic_load(source->parts.stop) ? STATUS_STOPPED : status;
}

/* --- listening ------------------------------------------------------------------------------- */

static size_t redis_source_channels(const void *state)
{
    (void)state;
    return 1;
}

/* What a message says is nobody's business: the look that follows reads what holds. */
static enum status hear(struct redis_connection *connection, const struct source_ear *ear,
                        struct error *error)
{
    redisReply *reply = NULL;
    enum status status = redis_wait(connection, LISTENING_SLICE, &reply, error);
    if (status != STATUS_OK || !reply)
        return status;
    if (reply->type == REDIS_REPLY_ARRAY)
        ear->heard(ear->context);
    else
        status = redis_complain(connection, reply, error);
    freeReplyObject(reply);
    return status;
}

/* The answer to SUBSCRIBE is an array as well: so the ear hears when it begins. */
static enum status redis_source_listen(const void *state, size_t index,
                                       const struct source_ear *ear, struct error *error)
{
    const struct redis_source *source = state;
    struct redis_connection connection = {.reach = &source->reach,
                                          .place = source->connection.place,
                                          .secret = source->connection.secret};
    (void)index;
    enum status status = redis_connect(&connection, error);
    if (status == STATUS_OK) {
        redis_begin(&connection, 2);
        redis_send(&connection, TEXT("SUBSCRIBE"));
        redis_send(&connection, text_of(source->names[NAME_CHANGED]));
        status = redis_flush(&connection, error);
    }
    while (status == STATUS_OK)
        status = atomic_load(source->parts.stop) ? STATUS_STOPPED : hear(&connection, ear, error);
    redis_disconnect(&connection);
    return status;
}

const struct source_driver source_redis = {
    .name = "redis",
    .open = redis_source_open,
    .look = redis_source_look,
    .channels = redis_source_channels,
    .listen = redis_source_listen,
    .close = redis_source_close,
};
