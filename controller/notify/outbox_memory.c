#include <pthread.h>
#include <stdlib.h>

#include "outbox.h"

struct kept {
    struct outbox_entry entry;
    char *bytes; /* owned: what entry.notice shows */
};

struct memory {
    pthread_mutex_t lock;
    struct kept *items; /* in the order of appending */
    size_t count, size;
};

static struct kept *find(struct memory *memory, const char *channel, const char *id)
{
    for (size_t i = 0; i < memory->count; i++)
        if (strcmp(memory->items[i].entry.channel, channel) == 0 &&
            strcmp(memory->items[i].entry.id, id) == 0)
            return &memory->items[i];
    return NULL;
}

static bool make_room(struct memory *memory)
{
    if (memory->count < memory->size)
        return true;
    size_t size = memory->size ? memory->size * 2 : 16;
    struct kept *items = reallocarray(memory->items, size, sizeof *items);
    if (!items)
        return false;
    memory->items = items;
    memory->size = size;
    return true;
}

static enum status add(struct memory *memory, const struct outbox_entry *entry, struct error *error)
{
    if (find(memory, entry->channel, entry->id))
        return STATUS_OK;
    if (memory->count == OUTBOX_MEMORY_MOST)
        return error_set(error, STATUS_LIMIT, "the outbox is full: %d notices wait",
                         OUTBOX_MEMORY_MOST);
    char *bytes = malloc(entry->notice.length + 1);
    if (!bytes || !make_room(memory)) {
        free(bytes);
        return error_set(error, STATUS_NO_MEMORY, "no memory for the outbox");
    }
    if (entry->notice.length)
        memcpy(bytes, entry->notice.data, entry->notice.length);
    struct kept *kept = &memory->items[memory->count++];
    *kept = (struct kept){*entry, bytes};
    kept->entry.notice.data = bytes;
    return STATUS_OK;
}

static enum status memory_append(void *self, const struct outbox_entry *entry, struct error *error)
{
    struct memory *memory = self;
    pthread_mutex_lock(&memory->lock);
    enum status status = add(memory, entry, error);
    pthread_mutex_unlock(&memory->lock);
    return status;
}

static enum status memory_next(void *self, const char *channel, int64_t now,
                               struct outbox_entry *out, struct buffer *bytes, struct error *error)
{
    struct memory *memory = self;
    const struct kept *first = NULL;
    enum status status = STATUS_NOT_FOUND;
    buffer_clear(bytes);
    *out = (struct outbox_entry){.due = INT64_MAX};
    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < memory->count; i++) {
        const struct kept *kept = &memory->items[i];
        if (strcmp(kept->entry.channel, channel) == 0 &&
            (!first || kept->entry.due < first->entry.due))
            first = kept;
    }
    if (first && first->entry.due <= now) {
        buffer_append_text(bytes, first->entry.notice);
        *out = first->entry;
        out->notice = buffer_text(bytes);
        status =
            bytes->failed ? error_set(error, bytes->failed, "no memory for a notice") : STATUS_OK;
    } else if (first) {
        out->due = first->entry.due;
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

static enum status memory_done(void *self, const char *channel, const char *id, struct error *error)
{
    struct memory *memory = self;
    (void)error;
    pthread_mutex_lock(&memory->lock);
    struct kept *kept = find(memory, channel, id);
    if (kept) {
        size_t behind = (size_t)(memory->items + memory->count - kept) - 1;
        free(kept->bytes);
        memmove(kept, kept + 1, behind * sizeof *kept);
        memory->count--;
    }
    pthread_mutex_unlock(&memory->lock);
    return STATUS_OK;
}

static enum status memory_defer(void *self, const char *channel, const char *id, int64_t due,
                                struct error *error)
{
    struct memory *memory = self;
    (void)error;
    pthread_mutex_lock(&memory->lock);
    struct kept *kept = find(memory, channel, id);
    if (kept) {
        kept->entry.due = due;
        kept->entry.attempts++;
    }
    pthread_mutex_unlock(&memory->lock);
    return STATUS_OK;
}

static size_t memory_count(void *self, const char *channel)
{
    struct memory *memory = self;
    size_t count = 0;
    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < memory->count; i++)
        count += strcmp(memory->items[i].entry.channel, channel) == 0;
    pthread_mutex_unlock(&memory->lock);
    return count;
}

bool outbox_memory_new(struct outbox *out)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory || pthread_mutex_init(&memory->lock, NULL) != 0) {
        free(memory);
        return false;
    }
    *out = (struct outbox){memory_append, memory_next,  memory_done,
                           memory_defer,  memory_count, memory};
    return true;
}

void outbox_memory_free(struct outbox *outbox)
{
    struct memory *memory = outbox->self;
    if (!memory)
        return;
    for (size_t i = 0; i < memory->count; i++)
        free(memory->items[i].bytes);
    free(memory->items);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
    *outbox = (struct outbox){0};
}
