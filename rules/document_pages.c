#include "document_pages.h"

#include <stdlib.h>

#include "hash.h"

/* --- pages ----------------------------------------------------------------------------------- */

static void page_release(struct document_page *page)
{
    if (!page || __atomic_sub_fetch(&page->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (uint32_t i = 0; i < page->count; i++)
        fragment_release(page->fragments[i]);
    free(page);
}

void pages_release(struct document *document)
{
    for (size_t i = 0; i < document->page_count; i++)
        page_release(document->pages[i]);
    free(document->pages);
    document->pages = NULL;
    document->page_count = 0;
}

static void release_all(struct fragment **fragments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fragment_release(fragments[i]);
}

/* The pages of a document on their way. */
struct maker {
    struct document *document;
    size_t size; /* of document->pages */
    bool failed;
};

/* Takes over a reference to the page. */
static void add_page(struct maker *maker, struct document_page *page)
{
    struct document *document = maker->document;
    if (page && document->page_count == maker->size) {
        size_t size = maker->size ? maker->size * 2 : 16;
        struct document_page **pages = reallocarray(document->pages, size, sizeof(void *));
        if (!pages) {
            page_release(page);
            page = NULL;
        } else {
            document->pages = pages;
            maker->size = size;
        }
    }
    if (page)
        document->pages[document->page_count++] = page;
    else
        maker->failed = true;
}

/* Takes over the references; an even share of them to a page. */
static void add_fragments(struct maker *maker, struct fragment **fragments, size_t count,
                          size_t most, size_t usual)
{
    size_t pages = count <= most ? 1 : (count + usual - 1) / usual;
    for (size_t i = 0; i < pages && count; i++) {
        size_t first = count * i / pages, length = count * (i + 1) / pages - first;
        struct document_page *page = NULL;
        if (!maker->failed)
            page = malloc(sizeof *page + length * sizeof(void *));
        if (!page) {
            release_all(fragments + first, length);
            maker->failed = true;
            continue;
        }
        page->references = 1;
        page->count = (uint32_t)length;
        memcpy(page->fragments, fragments + first, length * sizeof(void *));
        add_page(maker, page);
    }
}

bool pages_make(struct document *document, struct fragment **fragments, size_t count)
{
    struct maker maker = {.document = document};
    add_fragments(&maker, fragments, count, PAGE_USUAL, PAGE_USUAL);
    return !maker.failed;
}

/* How many changes come before `page`; all of them where it is NULL. */
static size_t changes_before(const struct document_page *page,
                             const struct document_change *changes, size_t count)
{
    size_t low = 0, high = page ? count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (text_compare(changes[middle].key, page->fragments[0]->program.key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return page ? low : count;
}

/* What `page` (may be NULL) holds after `changes`, into `out`, with references. */
static size_t merge(const struct document_page *page, const struct document_change *changes,
                    size_t count, struct fragment **out)
{
    size_t old = 0, change = 0, made = 0, kept = page ? page->count : 0;
    while (old < kept || change < count) {
        int order = old == kept ? 1
                    : change == count
                        ? -1
                        : text_compare(page->fragments[old]->program.key, changes[change].key);
        if (order < 0) {
            out[made++] = fragment_reference(page->fragments[old++]);
            continue;
        }
        old += order == 0;
        if (changes[change].fragment)
            out[made++] = changes[change].fragment;
        change++;
    }
    return made;
}

static void edit_page(struct maker *maker, struct document_page *page,
                      const struct document_change *changes, size_t count)
{
    size_t most = (page ? page->count : 0) + count;
    if (count == 0) {
        __atomic_add_fetch(&page->references, 1, __ATOMIC_RELAXED);
        add_page(maker, page);
        return;
    }
    struct fragment **merged = maker->failed ? NULL : calloc(most, sizeof *merged);
    if (!merged) {
        for (size_t i = 0; i < count; i++)
            fragment_release(changes[i].fragment);
        maker->failed = true;
        return;
    }
    size_t made = merge(page, changes, count, merged);
    add_fragments(maker, merged, made, PAGE_MOST, PAGE_USUAL);
    free(merged);
}

bool pages_edit(struct document *document, const struct document *previous,
                const struct document_change *changes, size_t count)
{
    struct maker maker = {.document = document};
    size_t done = 0;
    for (size_t i = 0; i < previous->page_count; i++) {
        const struct document_page *next =
            i + 1 < previous->page_count ? previous->pages[i + 1] : NULL;
        size_t end = done + changes_before(next, changes + done, count - done);
        edit_page(&maker, previous->pages[i], changes + done, end - done);
        done = end;
    }
    if (previous->page_count == 0 && count)
        edit_page(&maker, NULL, changes, count);
    return !maker.failed;
}

/* --- buckets --------------------------------------------------------------------------------- */

static void bucket_release(struct document_bucket *bucket)
{
    if (bucket && __atomic_sub_fetch(&bucket->references, 1, __ATOMIC_ACQ_REL) == 0)
        free(bucket);
}

void buckets_release(struct document *document)
{
    size_t count = document->buckets ? (size_t)1 << document->bucket_bits : 0;
    for (size_t i = 0; i < count; i++)
        bucket_release(document->buckets[i]);
    free(document->buckets);
    document->buckets = NULL;
}

/* For `count` fragments, at most half full. */
static struct document_bucket *bucket_new(size_t count)
{
    size_t size = 4;
    while (size < count * 2)
        size *= 2;
    struct document_bucket *bucket = calloc(1, sizeof *bucket + size * sizeof(void *));
    if (!bucket)
        return NULL;
    bucket->references = 1;
    bucket->mask = (uint32_t)size - 1;
    return bucket;
}

static void bucket_add(struct document_bucket *bucket, struct fragment *fragment, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & bucket->mask;
    while (bucket->slots[at])
        at = (at + 1) & bucket->mask;
    bucket->slots[at] = fragment;
    bucket->count++;
}

static size_t bucket_of(uint64_t hash, unsigned bits)
{
    return bits ? (size_t)(hash >> (64 - bits)) : 0;
}

/* A fragment, or a change, on its way into its bucket. */
struct entry {
    uint64_t hash;
    struct text key;
    struct fragment *fragment; /* NULL: to be taken out */
};

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const struct entry *)a)->hash, y = ((const struct entry *)b)->hash;
    return (x > y) - (x < y);
}

bool buckets_make(struct document *document)
{
    unsigned bits = 0;
    while (document->count >> bits > PAGE_USUAL)
        bits++;
    size_t buckets = (size_t)1 << bits;
    document->bucket_bits = bits;
    document->buckets = calloc(buckets, sizeof *document->buckets);
    uint32_t *counts = calloc(buckets, sizeof *counts);
    uint64_t *hashes = calloc(document->count + 1, sizeof *hashes);
    struct document_cursor cursor = {0};
    const struct fragment *fragment;
    bool good = document->buckets && counts && hashes;
    for (size_t i = 0; good && (fragment = document_next(document, &cursor)); i++) {
        hashes[i] = hash_text(fragment->program.key);
        counts[bucket_of(hashes[i], bits)]++;
    }
    for (size_t i = 0; i < buckets && good; i++)
        good = (document->buckets[i] = bucket_new(counts[i])) != NULL;
    cursor = (struct document_cursor){0};
    for (size_t i = 0; good && (fragment = document_next(document, &cursor)); i++)
        bucket_add(document->buckets[bucket_of(hashes[i], bits)],
                   (struct fragment *)(uintptr_t)fragment, hashes[i]);
    free(hashes);
    free(counts);
    return good;
}

/* The old bucket with some of its fragments exchanged, added and taken out. */
static struct document_bucket *bucket_edit(const struct document_bucket *old,
                                           const struct entry *changes, size_t count)
{
    struct document_bucket *bucket = bucket_new(old->count + count);
    for (uint32_t i = 0; bucket && i <= old->mask; i++) {
        struct fragment *fragment = old->slots[i];
        bool stays = fragment != NULL;
        for (size_t j = 0; stays && j < count; j++)
            stays = !text_equal(changes[j].key, fragment->program.key);
        if (stays)
            bucket_add(bucket, fragment, hash_text(fragment->program.key));
    }
    for (size_t i = 0; bucket && i < count; i++) {
        if (changes[i].fragment)
            bucket_add(bucket, changes[i].fragment, changes[i].hash);
    }
    return bucket;
}

static bool edit_buckets(struct document *document, const struct document *previous,
                         const struct entry *changes, size_t count)
{
    size_t done = 0, buckets = (size_t)1 << previous->bucket_bits;
    for (size_t i = 0; i < buckets; i++) {
        struct document_bucket *old = previous->buckets[i];
        size_t end = done;
        while (end < count && bucket_of(changes[end].hash, previous->bucket_bits) == i)
            end++;
        if (end > done) {
            document->buckets[i] = bucket_edit(old, changes + done, end - done);
        } else {
            __atomic_add_fetch(&old->references, 1, __ATOMIC_RELAXED);
            document->buckets[i] = old;
        }
        done = end;
        if (!document->buckets[i])
            return false;
    }
    return true;
}

bool buckets_edit(struct document *document, const struct document *previous,
                  const struct document_change *changes, size_t count)
{
    struct entry *entries = calloc(count + 1, sizeof *entries);
    document->bucket_bits = previous->bucket_bits;
    document->buckets = calloc((size_t)1 << previous->bucket_bits, sizeof *document->buckets);
    bool good = entries && document->buckets;
    for (size_t i = 0; good && i < count; i++)
        entries[i] = (struct entry){hash_text(changes[i].key), changes[i].key, changes[i].fragment};
    if (good && count)
        qsort(entries, count, sizeof *entries, by_hash);
    good = good && edit_buckets(document, previous, entries, count);
    free(entries);
    return good;
}

/* --- both ------------------------------------------------------------------------------------ */

bool pages_are_worth_editing(const struct document *previous, size_t changes)
{
    size_t count = previous->count, buckets = (size_t)1 << previous->bucket_bits;
    /* Flags that went leave small pages behind; those that came, full buckets. */
    return changes <= count / 8 + 8 && previous->page_count <= count / (PAGE_USUAL / 4) + 16 &&
           count + changes <= buckets * PAGE_MOST;
}
