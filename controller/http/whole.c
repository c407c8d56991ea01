#include "whole.h"

#include <stdlib.h>

#include "../clock.h"

#define UNUSED_FOR (60 * NANOSECONDS_PER_SECOND)
#define BYTES_MAX ((size_t)1 << 30)

struct entry {
    struct whole *whole;
    int64_t used;
};

struct wholes {
    pthread_mutex_t lock;
    struct entry *entries; /* one for each environment that is polled: few */
    size_t count;
};

struct whole *whole_reference(struct whole *whole)
{
    atomic_fetch_add_explicit(&whole->references, 1, memory_order_relaxed);
    return whole;
}

void whole_release(struct whole *whole)
{
    if (!whole || atomic_fetch_sub_explicit(&whole->references, 1, memory_order_acq_rel) != 1)
        return;
    free(whole->bytes);
    free(whole);
}

static struct whole *assemble(const struct document *document, const char *digest)
{
    struct buffer bytes;
    struct whole *whole = calloc(1, sizeof *whole);
    buffer_init(&bytes, BYTES_MAX);
    if (whole) {
        atomic_init(&whole->references, 1);
        memcpy(whole->digest, digest, sizeof whole->digest);
        document_write(document, &bytes);
        whole->bytes = buffer_take(&bytes, &whole->length);
    }
    buffer_dispose(&bytes);
    if (whole && !whole->bytes) {
        free(whole);
        whole = NULL;
    }
    return whole;
}

struct wholes *wholes_new(void)
{
    struct wholes *wholes = calloc(1, sizeof *wholes);
    if (wholes && pthread_mutex_init(&wholes->lock, NULL) != 0) {
        free(wholes);
        wholes = NULL;
    }
    return wholes;
}

void wholes_free(struct wholes *wholes)
{
    if (!wholes)
        return;
    for (size_t i = 0; i < wholes->count; i++)
        whole_release(wholes->entries[i].whole);
    free(wholes->entries);
    pthread_mutex_destroy(&wholes->lock);
    free(wholes);
}

static bool is_served(const struct snapshot *snapshot, const char *digest)
{
    char text[DIGEST_TEXT_SIZE];
    for (size_t i = 0; i < snapshot->environment_count; i++) {
        document_digest_text(snapshot->environments[i].document, text);
        if (strcmp(text, digest) == 0)
            return true;
    }
    return false;
}

static void forget(struct wholes *wholes, size_t index)
{
    whole_release(wholes->entries[index].whole);
    wholes->entries[index] = wholes->entries[--wholes->count];
}

/* Without memory for an entry the bytes are only not kept. */
static void keep(struct wholes *wholes, struct whole *whole, int64_t now)
{
    struct entry *entries =
        reallocarray(wholes->entries, wholes->count + 1, sizeof *wholes->entries);
    if (!entries)
        return;
    wholes->entries = entries;
    entries[wholes->count++] = (struct entry){whole_reference(whole), now};
}

struct whole *wholes_take(struct wholes *wholes, const struct snapshot *snapshot,
                          const struct document *document, int64_t now)
{
    char digest[DIGEST_TEXT_SIZE];
    struct whole *whole = NULL;
    document_digest_text(document, digest);
    pthread_mutex_lock(&wholes->lock);
    for (size_t i = 0; i < wholes->count && !whole; i++) {
        if (strcmp(wholes->entries[i].whole->digest, digest) == 0) {
            wholes->entries[i].used = now;
            whole = whole_reference(wholes->entries[i].whole);
        }
    }
    if (!whole) {
        for (size_t i = wholes->count; i-- > 0;) {
            if (!is_served(snapshot, wholes->entries[i].whole->digest))
                forget(wholes, i);
        }
        whole = assemble(document, digest);
        if (whole)
            keep(wholes, whole, now);
    }
    pthread_mutex_unlock(&wholes->lock);
    return whole;
}

void wholes_expire(struct wholes *wholes, int64_t now)
{
    pthread_mutex_lock(&wholes->lock);
    for (size_t i = wholes->count; i-- > 0;) {
        if (now - wholes->entries[i].used > UNUSED_FOR)
            forget(wholes, i);
    }
    pthread_mutex_unlock(&wholes->lock);
}
