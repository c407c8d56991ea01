/* A Redis target: a hash with a field a flag, changed by one script (redis_script.h).
 *
 * The driver remembers the document that the server acknowledged last and sends what differs from
 * it. Without one it asks first, by an empty difference, whether the server holds the document
 * already. The server decides by the base digest whether a difference fits; where it does not, the
 * whole follows. */
#include <nettle/sha1.h>

#include "drivers.h"
#include "redis_connection.h"
#include "redis_script.h"

enum { KEY_DOCUMENT, KEY_META, KEY_OVERRIDES, CHANNEL, NAME_COUNT };

struct redis_target {
    const struct target_definition *definition;
    struct redis_connection connection;
    struct error unusable;   /* status is not STATUS_OK: the definition makes no sense */
    char *names[NAME_COUNT]; /* of the keys and the channel */
    char script[2 * SHA1_DIGEST_SIZE + 1]; /* its name, for EVALSHA */
    struct document *held;                 /* counted; what the server acknowledged last, or NULL */
};

/* What the server made of a push. */
enum outcome { OUTCOME_HELD, OUTCOME_OTHER_BASE, OUTCOME_NO_SCRIPT, OUTCOME_FAILED };

/* --- opening --------------------------------------------------------------------------------- */

static void name_script(char out[2 * SHA1_DIGEST_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    struct sha1_ctx context;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&context);
    sha1_update(&context, sizeof redis_script - 1, (const uint8_t *)redis_script);
    sha1_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * sizeof digest] = '\0';
}

/* The braces are part of the names: they put all keys into one slot of a cluster. */
static bool make_names(struct redis_target *target)
{
    static const char *const suffixes[NAME_COUNT] = {"doc", "meta", "overrides", "changed"};
    for (size_t i = 0; i < NAME_COUNT; i++) {
        struct buffer name;
        buffer_init(&name, 0);
        buffer_append_char(&name, '{');
        buffer_append_string(&name, target->definition->key);
        buffer_append_string(&name, "}:");
        buffer_append_string(&name, suffixes[i]);
        target->names[i] = buffer_take(&name, NULL);
        buffer_dispose(&name);
        if (!target->names[i])
            return false;
    }
    return true;
}

static void redis_close(void *state)
{
    struct redis_target *target = state;
    redis_disconnect(&target->connection);
    if (target->held)
        document_release(target->held);
    for (size_t i = 0; i < NAME_COUNT; i++)
        free(target->names[i]);
    free(target);
}

static void *redis_open(const struct target_definition *definition, const struct reach *reach,
                        const struct clock *clock)
{
    (void)clock;
    struct redis_target *target = calloc(1, sizeof *target);
    if (!target)
        return NULL;
    target->definition = definition;
    target->connection.reach = reach;
    target->connection.secret = definition->secret;
    name_script(target->script);
    if (!definition->key || !definition->key[0]) {
        error_set(&target->unusable, STATUS_REFUSED, "redis target has no key");
    } else if (redis_url_parse(text_of(definition->location), &target->connection.place,
                               &target->unusable) != STATUS_OK) {
        target->unusable.status = STATUS_REFUSED; /* no retry will mend it */
    } else if (!make_names(target)) {
        redis_close(target);
        return NULL;
    }
    return target;
}

static const char *redis_code(const void *state)
{
    return ((const struct redis_target *)state)->connection.code;
}

/* --- the difference -------------------------------------------------------------------------- */

/* The base of what is no difference: the whole document. */
static const struct document nothing;

struct difference {
    size_t removed, set;
};

/* Counts what differs and, when `connection` is given, sends
 * one side of it: the fields that only `base` has, or those that `document` has otherwise. */
enum side { SIDE_COUNT, SIDE_REMOVED, SIDE_SET };

static bool emit(struct redis_connection *connection, const struct fragment *fragment, bool value)
{
    struct buffer json;
    if (!value)
        return redis_send(connection, fragment->program.key);
    buffer_init(&json, 0);
    fragment_append_json(fragment, &json);
    if (json.failed && connection->context) { /* what is sent so far is no whole command */
        connection->context->err = REDIS_ERR_OOM;
        snprintf(connection->context->errstr, sizeof connection->context->errstr, "out of memory");
    }
    bool good =
        redis_send(connection, fragment->program.key) && redis_send(connection, buffer_text(&json));
    buffer_dispose(&json);
    return good;
}

static bool send_side(const struct document *base, const struct document *document, enum side side,
                      struct redis_connection *connection, struct difference *counts)
{
    struct document_walk walk = {0};
    const struct fragment *old, *new;
    while (document_next_change(base, document, &walk, &old, &new)) {
        if (!new) {
            counts->removed++;
            if (side == SIDE_REMOVED && !emit(connection, old, false))
                return false;
        } else {
            counts->set++;
            if (side == SIDE_SET && !emit(connection, new, true))
                return false;
        }
    }
    return true;
}

/* --- one run of the script ------------------------------------------------------------------- */

static bool send_number(struct redis_connection *connection, size_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%zu", number);
    return redis_send(connection, (struct text){digits, (size_t)length});
}

static bool send_strings(struct redis_connection *connection, const char *const *strings,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!redis_send(connection, text_of(strings[i])))
            return false;
    return true;
}

/* Fixed arguments of the command: EVAL, script, "3", three keys; of the script: eight, two
 * counts. */
#define FIXED_ARGUMENTS 16

/* Sends the whole command; a failure to do so is told by redis_receive(). */
static void send_script(struct redis_target *target, const struct push *push,
                        const struct document *base, bool by_name)
{
    struct redis_connection *connection = &target->connection;
    char generation[GENERATION_TEXT_SIZE], digest[DIGEST_TEXT_SIZE],
        base_digest[DIGEST_TEXT_SIZE] = "";
    generation_format(push->snapshot->generation, generation);
    document_digest_text(push->document, digest);
    if (base != &nothing)
        document_digest_text(base, base_digest);
    struct difference counts = {0}, sent = {0};
    send_side(base, push->document, SIDE_COUNT, NULL, &counts);

    const char *const head[] = {
        by_name ? "EVALSHA" : "EVAL",
        by_name ? target->script : redis_script,
        "3",
        target->names[KEY_DOCUMENT],
        target->names[KEY_META],
        target->names[KEY_OVERRIDES],
        generation,
        digest,
        push->snapshot->commit,
        push->environment,
    };
    bool sending = redis_begin(connection, FIXED_ARGUMENTS + counts.removed + 2 * counts.set) &&
                   send_strings(connection, head, COUNT_OF(head)) &&
                   redis_send(connection, push->document->metadata) &&
                   redis_send(connection, text_of(target->names[CHANNEL])) &&
                   send_number(connection, push->document->count) &&
                   redis_send(connection, text_of(base_digest)) &&
                   send_number(connection, 0) && /* intents: none are recorded in state yet */
                   send_number(connection, counts.removed);
    if (sending && send_side(base, push->document, SIDE_REMOVED, connection, &sent))
        send_side(base, push->document, SIDE_SET, connection, &sent);
}

static enum outcome refuse(struct error *error, const struct redis_target *target, const char *what,
                           const char *held, const char *mend)
{
    error_set(error, STATUS_REFUSED, "'%.60s' holds %s (%.71s)%s", target->definition->key, what,
              held, mend);
    return OUTCOME_FAILED;
}

static enum outcome outrun(const struct redis_target *target, const struct push *push,
                           const char *word, struct error *error)
{
    struct generation held;
    char where[64];
    snprintf(where, sizeof where, "'%.60s'", target->definition->key);
    if (!generation_parse(text_of(word), &held)) /* the script has compared it as bytes */
        return refuse(error, target, "a newer generation", word, ": another controller is ahead");
    push_is_outrun(push, held, where, error);
    return OUTCOME_FAILED;
}

static enum outcome interpret(struct redis_target *target, const struct push *push,
                              const redisReply *reply, struct error *error)
{
    if (reply->type == REDIS_REPLY_ERROR && text_starts_with(text_of(reply->str), TEXT("NOSCRIPT")))
        return OUTCOME_NO_SCRIPT;
    const char *words[2] = {"", ""};
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements && i < 2; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            words[i] = reply->element[i]->str;
    struct text word = text_of(words[0]);
    if (text_is(word, "ok") || text_is(word, "same"))
        return OUTCOME_HELD;
    if (text_is(word, "base"))
        return OUTCOME_OTHER_BASE;
    if (text_is(word, "stale"))
        return outrun(target, push, words[1], error);
    if (text_is(word, "conflict"))
        return refuse(error, target, "another document of this generation", words[1],
                      ": the controllers that write it disagree; the next commit settles it");
    if (text_is(word, "foreign"))
        return refuse(error, target, "a generation that weir did not write", "see its meta",
                      ": delete it or choose another key");
    redis_complain(&target->connection, reply, error);
    return OUTCOME_FAILED;
}

static enum outcome run(struct redis_target *target, const struct push *push,
                        const struct document *base, struct error *error)
{
    enum outcome outcome = OUTCOME_NO_SCRIPT;
    for (unsigned i = 0; i < 2 && outcome == OUTCOME_NO_SCRIPT; i++) {
        send_script(target, push, base, i == 0);
        redisReply *reply = redis_receive(&target->connection, error);
        if (!reply)
            return OUTCOME_FAILED;
        outcome = interpret(target, push, reply, error);
        freeReplyObject(reply);
    }
    return outcome;
}

/* --- pushing --------------------------------------------------------------------------------- */

static enum status push_once(struct redis_target *target, const struct push *push,
                             struct error *error)
{
    enum status status = redis_connect(&target->connection, error);
    if (status != STATUS_OK)
        return status;
    enum outcome outcome = run(target, push, target->held ? target->held : push->document, error);
    if (outcome == OUTCOME_OTHER_BASE)
        outcome = run(target, push, &nothing, error);
    switch (outcome) {
    case OUTCOME_HELD:
        break;
    case OUTCOME_FAILED:
        return error->status;
    case OUTCOME_OTHER_BASE:
    case OUTCOME_NO_SCRIPT:
        redis_disconnect(&target->connection);
        return error_set(error, STATUS_SYSTEM,
                         "redis at '%.100s' does not run the script as it should",
                         target->connection.place.server.host);
    }
    if (target->held != push->document) {
        if (target->held)
            document_release(target->held);
        target->held = document_reference(push->document);
    }
    return STATUS_OK;
}

static enum status redis_push(void *state, const struct push *push, struct error *error)
{
    struct redis_target *target = state;
    target->connection.code = NULL;
    if (target->unusable.status != STATUS_OK) {
        *error = target->unusable;
        return error->status;
    }
    bool reused = target->connection.context;
    target->connection.lost = false;
    enum status status = push_once(target, push, error);
    /* A server closes connections that are idle, and when it is restarted: that is no failure
     * yet. */
    if (status == STATUS_SYSTEM && reused && target->connection.lost)
        status = push_once(target, push, error);
    return status;
}

const struct target_driver redis_driver = {
    TARGET_REDIS, "redis", redis_open, redis_push, redis_code, redis_close,
};
