/* redis_site.h - a Redis target over a real server, and looks at what that server holds. */
#ifndef WEIR_REDIS_SITE_H
#define WEIR_REDIS_SITE_H

#include "pushes.h"
#include "redis_server.h"

#define ON_JSON FLAG("on")
#define OFF_JSON FLAG("off")
#define TWO_FLAGS "{\"flags\":{\"banner\":" ON_JSON ",\"checkout\":" ON_JSON "}}"
#define ONE_CHANGED "{\"flags\":{\"banner\":" ON_JSON ",\"checkout\":" OFF_JSON "}}"
#define ONE_GONE "{\"flags\":{\"checkout\":" OFF_JSON ",\"search\":" ON_JSON "}}"
#define NO_FLAGS "{\"flags\":{}}"

struct site {
    struct redis_server server;
    struct reach_host hosts[1];
    struct reach reach;
    struct target_definition definition;
    const struct target_driver *driver;
    void *state;
    struct error error;
};

SHARED void reopen(struct site *site)
{
    if (site->state)
        site->driver->close(site->state);
    site->state = site->driver->open(&site->definition, &site->reach, &system_clock);
    ck_assert_ptr_nonnull(site->state);
}

SHARED bool make_site_with(struct site *site, const char *password)
{
    *site = (struct site){.hosts = {{.host = "127.0.0.1"}}};
    if (!redis_server_start(&site->server, password))
        return false;
    signal(SIGPIPE, SIG_IGN); /* as in a worker's thread */
    site->reach = (struct reach){.hosts = site->hosts, .host_count = 1};
    site->definition = (struct target_definition){.name = (char[]){"edge"},
                                                  .environment = (char[]){"production"},
                                                  .location = site->server.url,
                                                  .type = TARGET_REDIS};
    site->definition.name = strdup("edge");
    site->definition.environment = strdup("production");
    site->definition.key = strdup("weir:production");
    site->driver = target_driver(TARGET_REDIS);
    ck_assert_ptr_nonnull(site->driver);
    reopen(site);
    return true;
}

SHARED bool make_site(struct site *site)
{
    return make_site_with(site, NULL);
}

SHARED void leave(struct site *site)
{
    site->driver->close(site->state);
    free(site->definition.name);
    free(site->definition.environment);
    free(site->definition.key);
    redis_server_stop(&site->server);
}

SHARED enum status give(struct site *site, struct snapshot *snapshot)
{
    const struct push push = push_of(snapshot);
    site->error = (struct error){0};
    return site->driver->push(site->state, &push, &site->error);
}

SHARED void check_given(struct site *site, struct snapshot *snapshot)
{
    enum status status = give(site, snapshot);
    ck_assert_msg(status == STATUS_OK, "%s", site->error.message);
}

SHARED struct snapshot *snapshot_of(const char *json, uint32_t level)
{
    return make_snapshot("production", make_document(json), level, COMMIT_A);
}

SHARED void give_new(struct site *site, const char *json, uint32_t level)
{
    struct snapshot *snapshot = snapshot_of(json, level);
    check_given(site, snapshot);
    snapshot_release(snapshot);
}

/* --- what Redis holds ------------------------------------------------------------------------ */

SHARED void check_field(struct site *site, const char *hash, const char *field,
                        const char *expected)
{
    redisReply *reply = ask(&site->server, "HGET {weir:production}:%s %s", hash, field);
    if (expected) {
        ck_assert_msg(reply->type == REDIS_REPLY_STRING, "%s has no %s", hash, field);
        ck_assert_str_eq(reply->str, expected);
    } else {
        ck_assert_msg(reply->type == REDIS_REPLY_NIL, "%s has %s: %s", hash, field, reply->str);
    }
    freeReplyObject(reply);
}

SHARED void check_count(struct site *site, const char *hash, long long expected)
{
    redisReply *reply = ask(&site->server, "HLEN {weir:production}:%s", hash);
    ck_assert_int_eq(reply->integer, expected);
    freeReplyObject(reply);
}

SHARED void check_generation(struct site *site, uint32_t level)
{
    char generation[GENERATION_TEXT_SIZE];
    generation_format((struct generation){.level = level}, generation);
    check_field(site, "meta", "generation", generation);
}

#endif
