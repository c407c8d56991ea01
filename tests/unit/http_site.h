/* http_site.h - a target over a server that answers as a script says. */
#ifndef WEIR_HTTP_SITE_H
#define WEIR_HTTP_SITE_H

#include "overrides.h"
#include "scripted_server.h"

#define ONE_FLAG "{\"flags\":{\"checkout\":" FLAG("on") "}}\n"
#define OTHER_FLAG "{\"flags\":{\"checkout\":" FLAG("off") "}}\n"
#define EMPTY "Content-Length: 0\r\n\r\n"

struct site {
    struct scripted_server server;
    struct reach_host hosts[1];
    struct reach reach;
    struct target_definition definition;
    char location[128];
    const struct target_driver *driver;
    void *state;
    struct error error;
    _Atomic bool stop;
};

SHARED void reopen(struct site *site)
{
    if (site->state)
        site->driver->close(site->state);
    site->state = site->driver->open(&site->definition, &site->reach, &system_clock);
    ck_assert_ptr_nonnull(site->state);
}

/* `path` is put behind the server's URL, `key` may be NULL. */
SHARED void make_site(struct site *site, enum target_type type, const char *path, char *key,
                      const struct step *steps, size_t count)
{
    *site = (struct site){.hosts = {{.host = "127.0.0.1"}}};
    scripted_start(&site->server, steps, count);
    snprintf(site->location, sizeof site->location, "%s%s", site->server.url, path);
    site->reach = (struct reach){.hosts = site->hosts, .host_count = 1};
    site->definition = (struct target_definition){
        .name = (char[]){"edge"}, .location = site->location, .key = key, .type = type};
    site->definition.name = strdup("edge");
    site->definition.environment = strdup("production");
    site->driver = target_driver(type);
    ck_assert_ptr_nonnull(site->driver);
    reopen(site);
}

SHARED void leave(struct site *site)
{
    site->driver->close(site->state);
    free(site->definition.name);
    free(site->definition.environment);
    scripted_stop(&site->server);
}

SHARED enum status give(struct site *site, const char *json, uint32_t level)
{
    struct snapshot *snapshot = make_snapshot("production", make_document(json), level, COMMIT_A);
    struct push push = push_of(snapshot);
    push.stop = &site->stop;
    site->error = (struct error){0};
    enum status status = site->driver->push(site->state, &push, &site->error);
    snapshot_release(snapshot);
    return status;
}

SHARED void check_given(struct site *site, const char *json, uint32_t level)
{
    enum status status = give(site, json, level);
    ck_assert_msg(status == STATUS_OK, "%s", site->error.message);
}

/* One that has two overrides. */
SHARED void check_given_overrides(struct site *site, const char *json, uint32_t level)
{
    struct snapshot *snapshot = make_snapshot("production", make_document(json), level, COMMIT_A);
    set_two_overrides(snapshot);
    const struct push push = push_of(snapshot);
    enum status status = site->driver->push(site->state, &push, &site->error);
    ck_assert_msg(status == STATUS_OK, "%s", site->error.message);
    snapshot_release(snapshot);
}

SHARED void check_failed(struct site *site, const char *json, uint32_t level, enum status expected,
                         const char *words)
{
    ck_assert_int_eq(give(site, json, level), expected);
    ck_assert_msg(strstr(site->error.message, words), "'%s' is not in '%s'", words,
                  site->error.message);
}

#endif
