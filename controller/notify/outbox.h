/* outbox.h - where notices wait until their channel has taken them: a table of functions, so that
 * a store can keep them through restarts.
 *
 * An entry is named by its channel and the notice's id: the same one again is no second entry, also
 * after it was done, for as long as the store remembers. Times are wall nanoseconds since 1970, as
 * they outlive a process. Every function may be called by any thread and lasts no longer than the
 * store's disk. */
#ifndef WEIR_OUTBOX_H
#define WEIR_OUTBOX_H

#include "notice.h"

#define OUTBOX_CHANNEL_SIZE 64

struct outbox_entry {
    char channel[OUTBOX_CHANNEL_SIZE];
    char id[NOTICE_ID_SIZE];
    struct text notice; /* JSON, by notice_write() */
    int64_t since;      /* when it was appended */
    int64_t due;        /* not to be sent before */
    unsigned attempts;  /* that failed */
};

struct outbox {
    /* Keeps a copy. STATUS_OK only once it will outlive a crash. STATUS_LIMIT: it is full. */
    enum status (*append)(void *self, const struct outbox_entry *entry, struct error *error);
    /* The entry of `channel` that is due at `now`, the longest due first and then the oldest. Its
     * notice is put into `bytes`, which is emptied before. STATUS_NOT_FOUND: none is; then `out`
     * says in `due` when the next one will be, INT64_MAX where the channel has none. */
    enum status (*next)(void *self, const char *channel, int64_t now, struct outbox_entry *out,
                        struct buffer *bytes, struct error *error);
    /* Forgets an entry, whether it was taken or given up. One that is gone is fine. */
    enum status (*done)(void *self, const char *channel, const char *id, struct error *error);
    /* It failed once more and is due again at `due`. One that is gone is fine. */
    enum status (*defer)(void *self, const char *channel, const char *id, int64_t due,
                         struct error *error);
    /* How many entries of the channel wait. */
    size_t (*count)(void *self, const char *channel);
    void *self;
};

/* outbox_memory.c: one that forgets all when the process ends, for tests and where nothing is to be
 * kept. At most OUTBOX_MEMORY_MOST entries. False without memory. */
#define OUTBOX_MEMORY_MOST 10000
bool outbox_memory_new(struct outbox *out) MUST_CHECK;
void outbox_memory_free(struct outbox *outbox);

#endif
