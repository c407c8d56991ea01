/* source.h - where an edge has its state from: a controller, what a file target wrote, or what a
 * Redis target wrote. One file each behind one small table of functions.
 *
 * A source is read by one thread, and may take as long as its timeouts. What it says is hostile: it
 * is bounded, and believed only when its digest fits and it is of one commit. It never decides what
 * is served: edge.c does. Other threads (listeners.h) only hear from it when a look is worth it. */
#ifndef WEIR_EDGE_SOURCE_H
#define WEIR_EDGE_SOURCE_H

#include <stdatomic.h>

#include "../clock.h"
#include "../reach.h"
#include "../snapshot.h"

#define SOURCE_ENVIRONMENTS_MOST 64
#define SOURCE_SHOWN 160

/* All of it is borrowed for as long as the source lives. */
struct source_parts {
    const char *from;                /* http(s)://…, redis://…#KEY, or a path */
    const char *const *environments; /* sorted, each once */
    size_t environment_count;
    const char *token_file; /* a token for the controller, or a password of Redis; or NULL */
    const char *ca_file;    /* or NULL: the system's */
    const struct clock *clock;
    const _Atomic bool *stop;
};

/* What one look gave. */
struct seen {
    struct snapshot *snapshot; /* the caller's; it shares with `held` what is the same. NULL: it is
                                * what is held */
    int64_t age; /* seconds since the source itself heard of it: an edge may follow an edge */
};

/* Who wants to know that it is worth looking. */
struct source_ear {
    void (*heard)(void *context);
    void *context;
};

struct source_driver {
    const char *name;
    /* STATUS_INVALID: the parts make no sense. Contacts nobody. */
    enum status (*open)(const struct source_parts *parts, void **out, struct error *error);
    /* `held` is what is served, or NULL. */
    enum status (*look)(void *state, const struct snapshot *held, struct seen *seen,
                        struct error *error);
    /* Whether it is worth looking before the next poll; costs next to nothing. NULL: nobody
     * knows. */
    bool (*stirs)(void *state);
    /* Channels by which it tells of changes; each has its thread. NULL: none. */
    size_t (*channels)(const void *state);
    /* Stays on channel `index`, by a connection of its own, for as long as that lasts. Calls
     * heard() once it hears, since anything may have happened before, and at each change. Never
     * STATUS_OK; STATUS_STOPPED by *parts->stop; else the connection could not be made, or has
     * ended. */
    enum status (*listen)(const void *state, size_t index, const struct source_ear *ear,
                          struct error *error);
    void (*close)(void *state); /* NULL is fine */
};

extern const struct source_driver source_http, source_file, source_redis;

/* By how `from` begins. */
const struct source_driver *source_driver_of(const char *from);
/* `from` for people and logs: without a password, one line. */
void source_show(const char *from, char out[SOURCE_SHOWN]);

/* --- what drivers share ---------------------------------------------------------------------- */

/* What stands beside a document, as text that nobody has checked yet. */
struct source_meta {
    struct text environment; /* empty: it is not told */
    struct text commit, generation, digest;
};

/* A snapshot of `count` environments with the commit and generation of `meta`. STATUS_INVALID: they
 * are none. */
enum status source_begin(const struct source_meta *meta, size_t count, const struct clock *clock,
                         struct snapshot **out, struct error *error);
/* The document of an environment of `held` when it has this digest, counted; or NULL. */
struct document *source_held(const struct snapshot *held, struct text environment,
                             struct text digest);
/* Reads a document and checks its digest, unless `digest` is empty. */
enum status source_read_document(struct text json, struct text digest, struct document **out,
                                 struct error *error);
/* For a source that has one environment: its name, once it is what was asked for. */
enum status source_environment(const struct source_parts *parts, struct text told, struct text *out,
                               struct error *error);
/* A name that may stand in a path. */
bool source_is_environment(struct text name);

#endif
