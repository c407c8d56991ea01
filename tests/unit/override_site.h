/* override_site.h - a Redis target that several controllers write: what each serves, what it found,
 * and whether what stands there is what the meta says. */
#ifndef WEIR_OVERRIDE_SITE_H
#define WEIR_OVERRIDE_SITE_H

#include "overrides.h"
#include "redis_site.h"

/* A controller more at the same server and key. */
SHARED void join(struct site *other, const struct site *site)
{
    *other = *site;
    other->state = NULL;
    reopen(other);
}

SHARED void part(struct site *other)
{
    other->driver->close(other->state);
}

struct serving {
    const char *json; /* of the commit */
    uint32_t level, overlay;
    struct override *const *overrides; /* sorted by flag; they stay the caller's */
    size_t count;
    const char *const *recorded; /* sorted */
    size_t recorded_count;
};

SHARED struct override_set *set_of(const struct serving *serving)
{
    struct override_set *set = override_set_new(serving->count, serving->recorded_count);
    ck_assert_ptr_nonnull(set);
    for (size_t i = 0; i < serving->count; i++)
        set->items[i] = override_reference(serving->overrides[i]);
    for (size_t i = 0; i < serving->recorded_count; i++)
        ck_assert(arena_copy(&set->arena, text_of(serving->recorded[i]), &set->recorded[i]));
    return set;
}

/* As core makes it: the commit's document with the fragments of overrides. */
SHARED struct snapshot *serve(const struct serving *serving)
{
    struct document *plain = make_document(serving->json), *document;
    struct document_graft grafts[64];
    struct error error = {0};
    ck_assert_uint_le(serving->count, COUNT_OF(grafts));
    for (size_t i = 0; i < serving->count; i++)
        grafts[i] =
            (struct document_graft){serving->overrides[i]->flag, serving->overrides[i]->fragment};
    ck_assert_int_eq(document_graft(plain, grafts, serving->count, &document, &error), STATUS_OK);
    document_release(plain);
    struct snapshot *snapshot = make_snapshot("production", document, serving->level, COMMIT_A);
    snapshot->generation.overlay = serving->overlay;
    snapshot_set_overrides(snapshot, 0, set_of(serving));
    return snapshot;
}

/* `found` is emptied first; the caller disposes of it. */
SHARED enum status give_serving(struct site *site, const struct serving *serving,
                                struct push_found *found)
{
    struct snapshot *snapshot = serve(serving);
    struct push push = push_of(snapshot);
    push_found_dispose(found);
    push.found = found;
    site->error = (struct error){0};
    enum status status = site->driver->push(site->state, &push, &site->error);
    snapshot_release(snapshot);
    return status;
}

SHARED void check_served(struct site *site, const struct serving *serving, struct push_found *found)
{
    enum status status = give_serving(site, serving, found);
    ck_assert_msg(status == STATUS_OK, "%s", site->error.message);
}

/* The digest of what stands in :doc. */
SHARED void digest_there(struct site *site, char out[DIGEST_TEXT_SIZE])
{
    struct buffer json;
    buffer_init(&json, 0);
    redisReply *reply = ask(&site->server, "HGETALL {weir:production}:doc");
    buffer_append_string(&json, "{\"flags\":{");
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        buffer_printf(&json, "%s\"%s\":%s", i ? "," : "", reply->element[i]->str,
                      reply->element[i + 1]->str);
    buffer_append_string(&json, "}}");
    freeReplyObject(reply);
    struct document *document = make_document(buffer_string(&json));
    document_digest_text(document, out);
    document_release(document);
    buffer_dispose(&json);
}

/* The digest in :meta is of what stands there; or nobody claims one, which is told. */
SHARED bool check_truth(struct site *site)
{
    char there[DIGEST_TEXT_SIZE];
    redisReply *reply = ask(&site->server, "HGET {weir:production}:meta digest");
    ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
    bool merged = strcmp(reply->str, "merged") == 0;
    digest_there(site, there);
    if (!merged)
        ck_assert_str_eq(reply->str, there);
    freeReplyObject(reply);
    return !merged;
}

SHARED void check_overlay(struct site *site, uint32_t level, uint32_t overlay)
{
    char generation[GENERATION_TEXT_SIZE];
    generation_format((struct generation){.level = level, .overlay = overlay}, generation);
    check_field(site, "meta", "generation", generation);
}

/* Puts it there as another controller's script would have, or a stranger. */
SHARED void plant(struct site *site, const char *field, const char *json)
{
    tell(&site->server, "HSET {weir:production}:overrides %s %s", field, json);
}

SHARED void plant_override(struct site *site, const struct override *override)
{
    struct buffer json;
    buffer_init(&json, 0);
    override_write(override, &json);
    plant(site, override->intent.data, buffer_string(&json));
    buffer_dispose(&json);
}

#endif
