/* A Redis target: a hash with a field a flag, changed by one script (redis_script.h).
 *
 * The driver remembers the document that the server acknowledged last and sends what differs from
 * it. Without one it asks first, by an empty difference, whether the server holds the document
 * already. The server decides by the base digest whether a difference fits; where it does not, the
 * whole follows. Before each push it reads which overrides stand there (redis_overrides.h): their
 * fields go with every difference, so that the document's values are there once they end. What
 * comes in between simply stands. */
#include <stdlib.h>

#include "drivers.h"
#include "redis_overrides.h"
#include "redis_script.h"

enum { KEY_DOCUMENT, KEY_META, KEY_OVERRIDES, CHANNEL, NAME_COUNT };

struct redis_target {
    const struct target_definition *definition;
    struct redis_connection connection;
    struct error unusable;       /* status is not STATUS_OK: the definition makes no sense */
    char *names[NAME_COUNT];     /* of the keys and the channel */
    char script[SHA1_TEXT_SIZE]; /* its name, for EVALSHA */
    struct document *held;       /* counted; what the server acknowledged last, or NULL */
};

/* What the server made of a push. */
enum outcome { OUTCOME_HELD, OUTCOME_OTHER_BASE, OUTCOME_FAILED };

/* --- opening --------------------------------------------------------------------------------- */

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
    redis_sha1(text_of(redis_script), target->script);
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
enum side { SIDE_COUNTED, SIDE_REMOVED, SIDE_SET };

/* What is sent so far is no whole command. */
static void give_up_without(const struct buffer *json, struct redis_connection *connection)
{
    if (!json->failed || !connection->context)
        return;
    connection->context->err = REDIS_ERR_OOM;
    snprintf(connection->context->errstr, sizeof connection->context->errstr, "out of memory");
}

static bool emit(struct redis_connection *connection, const struct fragment *fragment, bool value)
{
    struct buffer json;
    if (!value)
        return redis_send(connection, fragment->program.key);
    buffer_init(&json, 0);
    fragment_append_json(fragment, &json);
    give_up_without(&json, connection);
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

/* What is sent with a script. */
struct sending {
    const struct redis_target *target;
    const struct push *push;
    const struct document *base;
    const struct standing *standing;
    struct difference counts;
    size_t own; /* overrides of the push */
};

/* The fields of overrides, of either side of a difference that may not have them: those of
 * overrides that were seen standing, then of the push's own. Some are sent twice, which does no
 * harm. */
static bool touch(const struct sending *sending, struct text flag, enum side side,
                  struct redis_connection *connection, struct difference *counts)
{
    const struct fragment *fragment = document_find(sending->push->document, flag);
    if (side == SIDE_COUNTED)
        *(fragment ? &counts->set : &counts->removed) += 1;
    else if (fragment && side == SIDE_SET)
        return emit(connection, fragment, true);
    else if (!fragment && side == SIDE_REMOVED)
        return redis_send(connection, flag);
    return true;
}

static bool touch_all(const struct sending *sending, enum side side,
                      struct redis_connection *connection, struct difference *counts)
{
    const struct standing *standing = sending->standing;
    const struct override_set *own = sending->push->overrides;
    bool good = true;
    if (sending->base == &nothing)
        return true;
    for (size_t i = 0; i < standing->count && good; i++)
        if (standing->items[i].override)
            good = touch(sending, standing->items[i].override->flag, side, connection, counts);
    for (size_t i = 0; own && i < own->count && good; i++)
        good = touch(sending, own->items[i]->flag, side, connection, counts);
    return good;
}

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

static bool send_recorded(const struct standing *standing, struct redis_connection *connection)
{
    bool good = send_number(connection, standing->recorded);
    for (size_t i = 0; i < standing->count && good; i++)
        if (standing->items[i].recorded)
            good = redis_send(connection, standing->items[i].override->intent);
    return good;
}

static bool send_unservable(const struct standing *standing, struct redis_connection *connection)
{
    bool good = send_number(connection, standing->unservable);
    for (size_t i = 0; i < standing->count && good; i++)
        if (!standing->items[i].override)
            good = redis_send(connection, text_of(standing->items[i].sha1));
    return good;
}

static bool send_own(const struct sending *sending, struct redis_connection *connection)
{
    bool good = send_number(connection, sending->own);
    for (size_t i = 0; i < sending->own && good; i++) {
        struct buffer json;
        buffer_init(&json, 0);
        override_write(sending->push->overrides->items[i], &json);
        give_up_without(&json, connection);
        good = redis_send(connection, buffer_text(&json));
        buffer_dispose(&json);
    }
    return good;
}

/* A failure to send is told by redis_receive(). */
static void send_arguments(struct redis_connection *connection, const void *context)
{
    const struct sending *sending = context;
    const struct redis_target *target = sending->target;
    const struct push *push = sending->push;
    char generation[GENERATION_TEXT_SIZE], digest[DIGEST_TEXT_SIZE],
        base_digest[DIGEST_TEXT_SIZE] = "";
    generation_format(push->snapshot->generation, generation);
    document_digest_text(push->document, digest);
    if (sending->base != &nothing)
        document_digest_text(sending->base, base_digest);
    struct difference sent = {0};

    const char *const head[] = {
        "3",
        target->names[KEY_DOCUMENT],
        target->names[KEY_META],
        target->names[KEY_OVERRIDES],
        generation,
        digest,
        push->snapshot->commit,
        push->environment,
    };
    if (send_strings(connection, head, COUNT_OF(head)) &&
        redis_send(connection, push->document->metadata) &&
        redis_send(connection, text_of(target->names[CHANNEL])) &&
        send_number(connection, push->document->count) &&
        redis_send(connection, text_of(base_digest)) &&
        send_recorded(sending->standing, connection) &&
        send_unservable(sending->standing, connection) && send_own(sending, connection) &&
        send_number(connection, sending->counts.removed) &&
        send_side(sending->base, push->document, SIDE_REMOVED, connection, &sent) &&
        touch_all(sending, SIDE_REMOVED, connection, &sent) &&
        send_side(sending->base, push->document, SIDE_SET, connection, &sent))
        touch_all(sending, SIDE_SET, connection, &sent);
}

/* The number and the three keys; of the script eight arguments and four counts. */
#define FIXED_ARGUMENTS 16

static enum outcome refuse(struct error *error, const struct redis_target *target, const char *what,
                           const char *held, const char *mend)
{
    error_set(error, STATUS_REFUSED, "'%.60s' holds %s (%.71s)%s", target->definition->key, what,
              held, mend);
    return OUTCOME_FAILED;
}

/* Whoever is refused at its own commit has other overrides than what stands there: it may have to
 * go beyond. */
static void note_outrun(const struct sending *sending, struct generation held)
{
    const struct generation own = sending->push->snapshot->generation;
    if (!sending->push->found || own.epoch != held.epoch || own.level != held.level)
        return;
    sending->push->found->outrun = true;
    sending->push->found->held = held;
}

/* At most so many words of an answer. */
#define WORDS 4

/* Something newer stands there. It has been given the overrides that it lacked; but at the same
 * commit whoever pushed it may be gone, and nobody would ever push what they come to. Likewise
 * where nobody has yet, or where that commit records what stands there. */
static enum outcome outrun(const struct sending *sending, const char *const words[WORDS],
                           struct error *error)
{
    const char *word = words[1], *put = words[2], *stands = words[3];
    struct generation held;
    char where[64];
    snprintf(where, sizeof where, "'%.60s'", sending->target->definition->key);
    if (!generation_parse(text_of(word), &held)) /* the script has compared it as bytes */
        return refuse(error, sending->target, "a newer generation", word,
                      ": another controller is ahead");
    push_is_outrun(sending->push, held, where, error);
    if (strcmp(put, "0") != 0 || strcmp(stands, REDIS_MERGED) == 0 || sending->standing->recorded)
        note_outrun(sending, held);
    return OUTCOME_FAILED;
}

static enum outcome contradict(const struct sending *sending, const char *digest,
                               struct error *error)
{
    note_outrun(sending, sending->push->snapshot->generation);
    return refuse(error, sending->target, "another document of this generation", digest,
                  ": the controllers that write it disagree; the next commit settles it");
}

static enum outcome interpret(struct redis_target *target, const struct sending *sending,
                              const redisReply *reply, struct error *error)
{
    const char *words[WORDS] = {"", "", "", ""};
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements && i < WORDS; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            words[i] = reply->element[i]->str;
    struct text word = text_of(words[0]);
    if (text_is(word, "ok") || text_is(word, "same")) {
        if (sending->push->found)
            sending->push->found->merged = text_is(text_of(words[1]), REDIS_MERGED);
        return OUTCOME_HELD;
    }
    if (text_is(word, "base"))
        return OUTCOME_OTHER_BASE;
    if (text_is(word, "stale"))
        return outrun(sending, words, error);
    if (text_is(word, "conflict"))
        return contradict(sending, words[1], error);
    if (text_is(word, "foreign"))
        return refuse(error, target, "a generation that weir did not write", "see its meta",
                      ": delete it or choose another key");
    if (text_is(word, "crowded"))
        standing_is_crowded(target->names[KEY_OVERRIDES], error);
    else
        redis_complain(&target->connection, reply, error);
    return OUTCOME_FAILED;
}

static enum outcome run(struct redis_target *target, struct sending *sending, struct error *error)
{
    const struct push *push = sending->push;
    const struct standing *standing = sending->standing;
    sending->counts = (struct difference){0};
    sending->own = push->overrides ? push->overrides->count : 0;
    send_side(sending->base, push->document, SIDE_COUNTED, NULL, &sending->counts);
    touch_all(sending, SIDE_COUNTED, NULL, &sending->counts);
    struct redis_script script = {
        .text = redis_script,
        .arguments = FIXED_ARGUMENTS + standing->recorded + standing->unservable + sending->own +
                     sending->counts.removed + 2 * sending->counts.set,
        .send = send_arguments,
        .context = sending,
    };
    memcpy(script.name, target->script, sizeof script.name);
    redisReply *reply = redis_run(&target->connection, &script, error);
    if (!reply)
        return OUTCOME_FAILED;
    enum outcome outcome = interpret(target, sending, reply, error);
    freeReplyObject(reply);
    return outcome;
}

/* --- pushing --------------------------------------------------------------------------------- */

static enum status push_over(struct redis_target *target, const struct push *push,
                             const struct standing *standing, struct error *error)
{
    struct sending sending = {.target = target,
                              .push = push,
                              .standing = standing,
                              .base = target->held ? target->held : push->document};
    enum outcome outcome = run(target, &sending, error);
    if (outcome == OUTCOME_OTHER_BASE) {
        sending.base = &nothing;
        outcome = run(target, &sending, error);
    }
    if (outcome == OUTCOME_FAILED)
        return error->status;
    if (outcome == OUTCOME_OTHER_BASE) {
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

static enum status push_once(struct redis_target *target, const struct push *push,
                             struct error *error)
{
    struct standing standing = {0};
    enum status status = redis_connect(&target->connection, error);
    if (status == STATUS_OK)
        status = standing_read(&target->connection, target->names[KEY_OVERRIDES], push, &standing,
                               error);
    if (status == STATUS_OK)
        status = standing_tell(&standing, push, error);
    if (status == STATUS_OK)
        status = push_over(target, push, &standing, error);
    standing_dispose(&standing);
    return status;
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

/* It sends nothing by itself: what can be read is the end. */
static bool redis_lost(const void *state)
{
    const struct redis_target *target = state;
    return target->connection.context && redis_is_readable(&target->connection, 0);
}

const struct target_driver redis_driver = {
    .type = TARGET_REDIS,
    .name = "redis",
    .open = redis_open,
    .push = redis_push,
    .code = redis_code,
    .close = redis_close,
    .lost = redis_lost,
};
