#include "outbox_store.h"

#include <pthread.h>
#include <stdlib.h>

#include "../clock.h"
#include "../store/store.h"

/* CHANNEL/ID: what names a notice in the store, where each channel has its own. */
#define KEY_SIZE (OUTBOX_CHANNEL_SIZE + NOTICE_ID_SIZE)

struct kept {
    struct store *store;
    pthread_mutex_t lock;
};

static struct text key_of(const char *channel, const char *id, char key[KEY_SIZE])
{
    snprintf(key, KEY_SIZE, "%s/%s", channel, id);
    return text_of(key);
}

static int64_t seconds_up(int64_t nanoseconds)
{
    int64_t seconds = nanoseconds / NANOSECONDS_PER_SECOND;
    return seconds + (nanoseconds % NANOSECONDS_PER_SECOND > 0);
}

static int64_t seconds_down(int64_t nanoseconds)
{
    int64_t seconds = nanoseconds / NANOSECONDS_PER_SECOND;
    return seconds - (nanoseconds % NANOSECONDS_PER_SECOND < 0);
}

static int64_t nanoseconds_of(int64_t seconds)
{
    return seconds > INT64_MAX / NANOSECONDS_PER_SECOND ? INT64_MAX
                                                        : seconds * NANOSECONDS_PER_SECOND;
}

static enum status kept_append(void *self, const struct outbox_entry *entry, struct error *error)
{
    struct kept *kept = self;
    char key[KEY_SIZE];
    const struct store_notice notice = {.id = key_of(entry->channel, entry->id, key),
                                        .channel = text_of(entry->channel),
                                        .body = entry->notice,
                                        .created = seconds_down(entry->since),
                                        .due = seconds_up(entry->due)};
    pthread_mutex_lock(&kept->lock);
    enum status status = store_outbox_append(kept->store, &notice, error);
    pthread_mutex_unlock(&kept->lock);
    return status;
}

/* What was taken, as an outbox tells it: before the store's handle is used again. */
static enum status tell(const struct store_notice *notice, const char *channel,
                        struct outbox_entry *out, struct buffer *bytes, struct error *error)
{
    size_t prefix = strlen(channel) + 1;
    if (notice->id.length <= prefix || notice->id.length - prefix >= sizeof out->id)
        return error_set(error, STATUS_INVALID, "'%.*s' in the store is no notice's name",
                         (int)notice->id.length, notice->id.data);
    buffer_append_text(bytes, notice->body);
    snprintf(out->channel, sizeof out->channel, "%s", channel);
    snprintf(out->id, sizeof out->id, "%.*s", (int)(notice->id.length - prefix),
             notice->id.data + prefix);
    out->notice = buffer_text(bytes);
    out->since = nanoseconds_of(notice->created);
    out->due = nanoseconds_of(notice->due);
    out->attempts = notice->attempts - 1; /* the store counts this one, too */
    return bytes->failed ? error_set(error, bytes->failed, "no memory for a notice") : STATUS_OK;
}

static enum status kept_next(void *self, const char *channel, int64_t now, struct outbox_entry *out,
                             struct buffer *bytes, struct error *error)
{
    struct kept *kept = self;
    struct store_notice notice;
    struct store_outbox_counts counts = {.next_due = INT64_MAX};
    struct error unused;
    int64_t second = seconds_down(now);
    buffer_clear(bytes);
    *out = (struct outbox_entry){.due = INT64_MAX};
    pthread_mutex_lock(&kept->lock);
    enum status status = store_outbox_take(kept->store, text_of(channel), second,
                                           second + OUTBOX_LEASE, &notice, error);
    if (status == STATUS_OK)
        status = tell(&notice, channel, out, bytes, error);
    else if (status == STATUS_NOT_FOUND &&
             store_outbox_count(kept->store, text_of(channel), &counts, &unused) == STATUS_OK)
        out->due = nanoseconds_of(counts.next_due);
    pthread_mutex_unlock(&kept->lock);
    return status;
}

static enum status fine_when_gone(enum status status)
{
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status kept_done(void *self, const char *channel, const char *id, struct error *error)
{
    struct kept *kept = self;
    char key[KEY_SIZE];
    pthread_mutex_lock(&kept->lock);
    enum status status = store_outbox_done(kept->store, key_of(channel, id, key), error);
    pthread_mutex_unlock(&kept->lock);
    return fine_when_gone(status);
}

static enum status kept_defer(void *self, const char *channel, const char *id, int64_t due,
                              struct error *error)
{
    struct kept *kept = self;
    char key[KEY_SIZE];
    pthread_mutex_lock(&kept->lock);
    enum status status =
        store_outbox_retry(kept->store, key_of(channel, id, key), seconds_up(due), TEXT(""), error);
    pthread_mutex_unlock(&kept->lock);
    return fine_when_gone(status);
}

static size_t kept_count(void *self, const char *channel)
{
    struct kept *kept = self;
    struct store_outbox_counts counts = {0};
    struct error unused;
    pthread_mutex_lock(&kept->lock);
    if (store_outbox_count(kept->store, text_of(channel), &counts, &unused) != STATUS_OK)
        counts.pending = 0;
    pthread_mutex_unlock(&kept->lock);
    return (size_t)counts.pending;
}

enum status outbox_store_new(const char *location, struct outbox *out, struct error *error)
{
    struct kept *kept = calloc(1, sizeof *kept);
    *out = (struct outbox){0};
    if (!kept || pthread_mutex_init(&kept->lock, NULL) != 0) {
        free(kept);
        return error_set(error, STATUS_NO_MEMORY, "no memory for the outbox");
    }
    enum status status = store_open(location, &kept->store, error);
    if (status != STATUS_OK) {
        pthread_mutex_destroy(&kept->lock);
        free(kept);
        return status;
    }
    *out = (struct outbox){kept_append, kept_next, kept_done, kept_defer, kept_count, kept};
    return STATUS_OK;
}

void outbox_store_free(struct outbox *outbox)
{
    struct kept *kept = outbox->self;
    if (!kept)
        return;
    store_close(kept->store);
    pthread_mutex_destroy(&kept->lock);
    free(kept);
    *outbox = (struct outbox){0};
}
