/* snapshot.h - what is served now, for all environments at once; and the hub that swaps it under
 * load.
 *
 * A snapshot is immutable and counted. `core` publishes; HTTP threads and target workers read. Each
 * reader thread holds a counted reference of its own and renews it under the hub's lock when the
 * hub's version differs: reading a bare pointer and then counting it would be a use after free. */
#ifndef WEIR_SNAPSHOT_H
#define WEIR_SNAPSHOT_H

#include <pthread.h>
#include <stdatomic.h>

#include "../rules/document.h"

/* (epoch, level, overlay, members), 8 hexadecimal digits each, compared as bytes (DESIGN section
 * 5). */
#define GENERATION_TEXT_SIZE 33
struct generation {
    uint32_t epoch, level, overlay, members;
};
void generation_format(struct generation generation, char out[GENERATION_TEXT_SIZE]);
bool generation_parse(struct text text, struct generation *out);
int generation_compare(struct generation a, struct generation b);

#define COMMIT_TEXT_SIZE 41

struct override_set; /* rollout/override.h */

struct snapshot_environment {
    struct text name; /* NUL-terminated */
    struct document *document;
    struct override_set *overrides; /* that stand in the document; a reference, or NULL: none */
};

struct snapshot {
    _Atomic uint32_t references;
    char commit[COMMIT_TEXT_SIZE]; /* full SHA-1, lower case */
    struct generation generation;
    int64_t since;  /* wall seconds at which it was published */
    bool from_disk; /* kept by an earlier run (state_file.h), and not yet confirmed by its source */
    struct snapshot_environment *environments; /* sorted by name */
    size_t environment_count;
    const struct snapshot_environment
        *standard; /* answers for the bare path; NULL: there is none */
};

/* A snapshot with `count` environments, all empty, one reference; fill it before publishing. NULL
 * without memory. */
struct snapshot *snapshot_new(size_t count);
/* Fills environments[index]: copies the name and takes over the reference to `document`, also when
 * it fails. Names must rise with the index. The snapshot frees what stands in `name` and releases
 * `document`. */
enum status snapshot_fill(struct snapshot *snapshot, size_t index, struct text name,
                          struct document *document) MUST_CHECK;
/* Tells which overrides stand in environments[index]'s document, and which intents its commit
 * records. Before publishing. Takes over the reference to `set`, which may be NULL. */
void snapshot_set_overrides(struct snapshot *snapshot, size_t index, struct override_set *set);
struct snapshot *snapshot_reference(struct snapshot *snapshot);
void snapshot_release(struct snapshot *snapshot); /* NULL is fine */
const struct snapshot_environment *snapshot_environment(const struct snapshot *snapshot,
                                                        struct text name);

/* Who wants to be told of every publish without polling. `published` runs on the publisher's thread
 * and under the hub's lock: it must neither wait nor call the hub. */
struct hub_listener {
    void (*published)(void *context);
    void *context;
    struct hub_listener *next; /* the hub's */
};

struct hub {
    pthread_mutex_t lock;
    struct snapshot *current; /* NULL until the first good one */
    _Atomic uint64_t version; /* rises with every publish; 0: nothing yet */
    struct hub_listener *listeners;
};

enum status hub_init(struct hub *hub);
void hub_dispose(struct hub *hub);
void hub_publish(struct hub *hub, struct snapshot *snapshot); /* takes over the reference */
/* A new reference to the current snapshot, or NULL. */
struct snapshot *hub_acquire(struct hub *hub);
/* The caller keeps `listener` until hub_unlisten(), after which it is not called any more. */
void hub_listen(struct hub *hub, struct hub_listener *listener);
void hub_unlisten(struct hub *hub,
                  struct hub_listener *listener); /* one that is not there is fine */

/* A reader thread's own reference. Zero it before first use; reader_dispose() at the thread's
 * end. */
struct reader {
    struct snapshot *snapshot;
    uint64_t version;
};
/* The current snapshot, borrowed until the reader's next call; NULL until the first good one. Costs
 * one atomic load while nothing changed. */
struct snapshot *reader_current(struct reader *reader, struct hub *hub);
void reader_dispose(struct reader *reader);

#endif
