#include "redis_overrides.h"

#include <stdlib.h>

#include "redis_script.h"

_Static_assert(OVERRIDE_JSON_MAX == 9437184, "REDIS_OVERRIDE_BYTES");
_Static_assert(OVERRIDES_MAX == 10000, "REDIS_OVERRIDES_MOST");

void redis_sha1(struct text bytes, char out[SHA1_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    struct sha1_ctx context;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&context);
    sha1_update(&context, bytes.length, (const uint8_t *)bytes.data);
    sha1_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * sizeof digest] = '\0';
}

redisReply *redis_run(struct redis_connection *connection, const struct redis_script *script,
                      struct error *error)
{
    for (int i = 0;; i++) {
        if (redis_begin(connection, 2 + script->arguments) &&
            redis_send(connection, text_of(i ? "EVAL" : "EVALSHA")) &&
            redis_send(connection, text_of(i ? script->text : script->name)))
            script->send(connection, script->context);
        redisReply *reply = redis_receive(connection, error);
        if (!reply || i || reply->type != REDIS_REPLY_ERROR ||
            !text_starts_with(text_of(reply->str), TEXT("NOSCRIPT")))
            return reply;
        freeReplyObject(reply);
    }
}

/* --- reading --------------------------------------------------------------------------------- */

static struct text text_in(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING)
        return (struct text){NULL, 0};
    return (struct text){reply->str, reply->len};
}

/* Of a field that nobody has checked: printable, and cut. */
static void show(struct text field, char out[STANDING_FIELD_SIZE])
{
    size_t length = field.length < STANDING_FIELD_SIZE - 1 ? field.length : STANDING_FIELD_SIZE - 1;
    for (size_t i = 0; i < length; i++)
        out[i] = field.data[i] > ' ' && field.data[i] < 0x7f ? field.data[i] : '?';
    out[length] = '\0';
}

static enum status judge(struct text field, struct text value, const struct push *push,
                         struct override **out, struct error *error)
{
    enum status status = STATUS_OK;
    *out = NULL;
    if (value.length == 0)
        return error_set(error, STATUS_LIMIT, "it is empty, or larger than is read");
    status = override_read(value, out, error);
    if (status != STATUS_OK)
        return status;
    if (!text_equal((*out)->intent, field))
        status = error_set(error, STATUS_INVALID, "its intent is %.12s", (*out)->intent.data);
    else if (!text_is((*out)->environment, push->environment))
        status =
            error_set(error, STATUS_INVALID, "it is of environment '%s'", (*out)->environment.data);
    if (status != STATUS_OK) {
        override_release(*out);
        *out = NULL;
    }
    return status;
}

static enum status read_one(struct text field, struct text value, const struct push *push,
                            struct standing *out, struct error *error)
{
    struct standing_override *item = &out->items[out->count];
    struct error why = {0};
    show(field, item->field);
    redis_sha1(value, item->sha1);
    enum status status = judge(field, value, push, &item->override, &why);
    if (status == STATUS_NO_MEMORY)
        return error_set(error, status, "out of memory");
    out->count++;
    if (!item->override) {
        if (out->unservable++ == 0)
            snprintf(out->problem, sizeof out->problem, "override under '%s' is not served: %.150s",
                     item->field, why.message);
        return STATUS_OK;
    }
    item->recorded = override_set_records(push->overrides, item->override->intent);
    out->recorded += item->recorded;
    return STATUS_OK;
}

enum status standing_is_crowded(const char *key, struct error *error)
{
    return error_set(error, STATUS_REFUSED,
                     "'%.100s' holds more overrides than weir reads: delete those that are not "
                     "weir's",
                     key);
}

static enum status read_reply(struct redis_connection *connection, const char *key,
                              const redisReply *reply, const struct push *push,
                              struct standing *out, struct error *error)
{
    struct text word = {NULL, 0};
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements)
        word = text_in(reply->element[0]);
    if (text_is(word, "crowded"))
        return standing_is_crowded(key, error);
    if (!text_is(word, "overrides") || reply->elements % 2 == 0 ||
        reply->elements / 2 > OVERRIDES_MAX)
        return redis_complain(connection, reply, error);
    out->items = calloc(reply->elements / 2 + 1, sizeof *out->items);
    if (!out->items)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = STATUS_OK;
    for (size_t i = 1; i + 1 < reply->elements && status == STATUS_OK; i += 2)
        status =
            read_one(text_in(reply->element[i]), text_in(reply->element[i + 1]), push, out, error);
    return status;
}

static void send_key(struct redis_connection *connection, const void *context)
{
    if (redis_send(connection, TEXT("1")))
        redis_send(connection, text_of(context));
}

enum status standing_read(struct redis_connection *connection, const char *key,
                          const struct push *push, struct standing *out, struct error *error)
{
    struct redis_script script = {
        .text = redis_look_script, .arguments = 2, .send = send_key, .context = key};
    redis_sha1(text_of(redis_look_script), script.name);
    redisReply *reply = redis_run(connection, &script, error);
    if (!reply)
        return error->status;
    enum status status = read_reply(connection, key, reply, push, out, error);
    freeReplyObject(reply);
    return status;
}

void standing_dispose(struct standing *standing)
{
    for (size_t i = 0; i < standing->count; i++)
        override_release(standing->items[i].override);
    free(standing->items);
    *standing = (struct standing){0};
}

/* --- telling --------------------------------------------------------------------------------- */

static bool is_news(const struct standing_override *item, const struct push *push)
{
    if (!item->override || item->recorded)
        return false;
    const struct override *own = override_set_find(push->overrides, item->override->flag);
    return !own || !text_equal(own->intent, item->override->intent);
}

enum status standing_tell(const struct standing *standing, const struct push *push,
                          struct error *error)
{
    struct push_found *found = push->found;
    if (!found)
        return STATUS_OK;
    push_found_dispose(found); /* of a try before this one */
    found->looked = true;
    found->unservable = standing->unservable;
    memcpy(found->problem, standing->problem, sizeof found->problem);
    found->overrides = calloc(standing->count + 1, sizeof *found->overrides);
    if (!found->overrides)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < standing->count; i++)
        if (is_news(&standing->items[i], push))
            found->overrides[found->count++] = override_reference(standing->items[i].override);
    return STATUS_OK;
}
