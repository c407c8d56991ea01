#include "document.h"

#include <nettle/sha2.h>
#include <stdlib.h>

#include "document_pages.h"
#include "hash.h"
#include "json.h"

/* --- making ---------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    const struct fragment *x = *(struct fragment *const *)a, *y = *(struct fragment *const *)b;
    return text_compare(x->program.key, y->program.key);
}

/* Takes over the attributes, also when it fails. */
static struct document *begin(struct attributes *attributes, struct text metadata)
{
    struct document *document = calloc(1, sizeof *document);
    char *copy = metadata.length ? malloc(metadata.length + 1) : NULL;
    if (!document || (metadata.length && !copy)) {
        attributes_release(attributes);
        free(document);
        free(copy);
        return NULL;
    }
    document->references = 1;
    document->attributes = attributes;
    if (copy) {
        memcpy(copy, metadata.data, metadata.length);
        copy[metadata.length] = '\0';
        document->metadata = (struct text){copy, metadata.length};
    }
    return document;
}

static enum status finish(struct document *document, bool good, struct document **out)
{
    if (!good) {
        document_release(document);
        return STATUS_NO_MEMORY;
    }
    *out = document;
    return STATUS_OK;
}

enum status document_new(struct fragment **fragments, size_t count, struct attributes *attributes,
                         struct text metadata, struct document **out)
{
    struct document *document = begin(attributes, metadata);
    struct fragment **sorted = calloc(count + 1, sizeof *sorted);
    *out = NULL;
    if (!document || !sorted) {
        for (size_t i = 0; i < count; i++)
            fragment_release(fragments[i]);
        free(sorted);
        return finish(document, false, out);
    }
    if (count)
        memcpy(sorted, fragments, count * sizeof *sorted);
    if (count)
        qsort(sorted, count, sizeof *sorted, by_key);
    document->count = count;
    for (size_t i = 0; i < count; i++)
        document->json_bytes += fragment_json_length(sorted[i]);
    bool good = pages_make(document, sorted, count) && buckets_make(document);
    free(sorted);
    return finish(document, good, out);
}

/* Everything anew: so much changed that nothing would be won by sharing. */
static bool make_anew(struct document *document, const struct document *previous,
                      const struct document_change *changes, size_t count)
{
    struct fragment **merged = calloc(previous->count + count + 1, sizeof *merged);
    struct document_cursor cursor = {0};
    const struct fragment *old = document_next(previous, &cursor);
    size_t change = 0, made = 0;
    if (!merged) {
        for (size_t i = 0; i < count; i++)
            fragment_release(changes[i].fragment);
        return false;
    }
    while (old || change < count) {
        int order = !old              ? 1
                    : change == count ? -1
                                      : text_compare(old->program.key, changes[change].key);
        if (order < 0)
            merged[made++] = fragment_reference(old);
        else if (changes[change].fragment)
            merged[made++] = changes[change].fragment;
        change += order >= 0;
        if (order <= 0)
            old = document_next(previous, &cursor);
    }
    bool good = pages_make(document, merged, made) && buckets_make(document);
    free(merged);
    return good;
}

enum status document_edit(const struct document *previous, const struct document_change *changes,
                          size_t count, struct attributes *attributes, struct text metadata,
                          struct document **out)
{
    struct document *document = begin(attributes, metadata);
    *out = NULL;
    if (!document) {
        for (size_t i = 0; i < count; i++)
            fragment_release(changes[i].fragment);
        return STATUS_NO_MEMORY;
    }
    document->count = previous->count;
    document->json_bytes = previous->json_bytes;
    document->dictionary = dictionary_reference(previous->dictionary);
    for (size_t i = 0; i < count; i++) {
        const struct fragment *old = document_find(previous, changes[i].key);
        document->count += (changes[i].fragment != NULL) - (size_t)(old != NULL);
        document->json_bytes -= old ? fragment_json_length(old) : 0;
        document->json_bytes += changes[i].fragment ? fragment_json_length(changes[i].fragment) : 0;
    }
    bool good = pages_are_worth_editing(previous, count)
                    ? pages_edit(document, previous, changes, count) &&
                          buckets_edit(document, previous, changes, count)
                    : make_anew(document, previous, changes, count);
    return finish(document, good, out);
}

struct document *document_reference(struct document *document)
{
    __atomic_add_fetch(&document->references, 1, __ATOMIC_RELAXED);
    return document;
}

void document_release(struct document *document)
{
    if (!document || __atomic_sub_fetch(&document->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    buckets_release(document);
    pages_release(document);
    attributes_release(document->attributes);
    dictionary_release(document->dictionary);
    free((void *)(uintptr_t)document->metadata.data);
    free(document);
}

/* --- looking --------------------------------------------------------------------------------- */

const struct fragment *document_find(const struct document *document, struct text key)
{
    uint64_t hash = hash_text(key);
    size_t index = document->bucket_bits ? (size_t)(hash >> (64 - document->bucket_bits)) : 0;
    const struct document_bucket *bucket = document->buckets[index];
    for (uint32_t at = (uint32_t)hash & bucket->mask; bucket->slots[at];
         at = (at + 1) & bucket->mask) {
        if (text_equal(bucket->slots[at]->program.key, key))
            return bucket->slots[at];
    }
    return NULL;
}

const struct fragment *document_at(const struct document *document, size_t index)
{
    size_t page = 0;
    while (index >= document->pages[page]->count)
        index -= document->pages[page++]->count;
    return document->pages[page]->fragments[index];
}

/* Steps over what both documents have from here on. */
static void skip_shared(const struct document *before, const struct document *after,
                        struct document_walk *walk)
{
    struct document_cursor *old = &walk->old, *new = &walk->new;
    while (old->index == 0 && new->index == 0 &&
           old->page < before->page_count &&new->page < after->page_count &&
           before->pages[old->page] == after->pages[new->page]) {
        old->page++;
        new->page++;
    }
}

bool document_next_change(const struct document *before, const struct document *after,
                          struct document_walk *walk, const struct fragment **old,
                          const struct fragment **new)
{
    for (;;) {
        skip_shared(before, after, walk);
        struct document_walk next = *walk;
        *old = document_next(before, &next.old);
        *new = document_next(after, &next.new);
        if (!*old && !*new)
            return false;
        int order = !*old ? 1 : !*new ? -1 : text_compare((*old)->program.key, (*new)->program.key);
        if (order <= 0)
            walk->old = next.old;
        else
            *old = NULL;
        if (order >= 0)
            walk->new = next.new;
        else
            *new = NULL;
        if (!*old || !*new || (*old != *new &&memcmp((*old)->hash, (*new)->hash, SHA256_SIZE) != 0))
            return true;
    }
}

bool document_equal(const struct document *a, const struct document *b)
{
    struct document_walk walk = {0};
    const struct fragment *old, *new;
    return a == b || (a->count == b->count && text_equal(a->metadata, b->metadata) &&
                      !document_next_change(a, b, &walk, &old, &new));
}

/* --- the whole ------------------------------------------------------------------------------- */

void document_write(const struct document *document, struct buffer *out)
{
    struct document_cursor cursor = {0};
    const struct fragment *fragment;
    bool first = true;
    buffer_append_string(out, "{\"flags\":{");
    while ((fragment = document_next(document, &cursor))) {
        if (!first)
            buffer_append_char(out, ',');
        first = false;
        json_write_string(out, fragment->program.key);
        buffer_append_char(out, ':');
        fragment_append_json(fragment, out);
    }
    buffer_append_char(out, '}');
    if (document->metadata.length) {
        buffer_append_string(out, ",\"metadata\":");
        buffer_append_text(out, document->metadata);
    }
    buffer_append_string(out, "}\n");
}

static void compute_digest(const struct document *document, uint8_t out[SHA256_SIZE])
{
    struct sha256_ctx context;
    struct document_cursor cursor = {0};
    const struct fragment *fragment;
    uint8_t hash[SHA256_SIZE];
    sha256_init(&context);
    while ((fragment = document_next(document, &cursor)))
        sha256_update(&context, SHA256_SIZE, fragment->hash);
    if (document->metadata.length) {
        fragment_hash("metadata", TEXT(""), document->metadata, hash);
        sha256_update(&context, SHA256_SIZE, hash);
    }
    sha256_digest(&context, SHA256_SIZE, out);
}

/* Threads that ask at the same time each compute it; the first one leaves it for those to come. */
enum { DIGEST_UNKNOWN, DIGEST_BEING_KEPT, DIGEST_KNOWN };

void document_digest(const struct document *document, uint8_t out[SHA256_SIZE])
{
    struct document *keeper = (struct document *)(uintptr_t)document;
    uint32_t expected = DIGEST_UNKNOWN;
    if (__atomic_load_n(&document->digest_state, __ATOMIC_ACQUIRE) == DIGEST_KNOWN) {
        memcpy(out, document->digest, SHA256_SIZE);
        return;
    }
    compute_digest(document, out);
    if (__atomic_compare_exchange_n(&keeper->digest_state, &expected, DIGEST_BEING_KEPT, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        memcpy(keeper->digest, out, SHA256_SIZE);
        __atomic_store_n(&keeper->digest_state, DIGEST_KNOWN, __ATOMIC_RELEASE);
    }
}

void document_digest_text(const struct document *document, char out[DIGEST_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_SIZE];
    document_digest(document, digest);
    memcpy(out, "sha256:", 7);
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        out[7 + 2 * i] = digits[digest[i] >> 4];
        out[8 + 2 * i] = digits[digest[i] & 15];
    }
    out[7 + 2 * SHA256_SIZE] = '\0';
}
