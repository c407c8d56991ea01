#include "document.h"

#include <nettle/sha2.h>

#include "hash.h"
#include "json.h"

static int by_key(const void *a, const void *b)
{
    const struct fragment *x = *(struct fragment *const *)a, *y = *(struct fragment *const *)b;
    return text_compare(x->program.key, y->program.key);
}

static bool make_index(struct document *document)
{
    document->index_size = 16;
    while (document->index_size < document->count * 2)
        document->index_size *= 2;
    document->index = calloc(document->index_size, sizeof *document->index);
    if (!document->index)
        return false;
    for (size_t i = 0; i < document->count; i++) {
        size_t at =
            (size_t)hash_text(document->fragments[i]->program.key) & (document->index_size - 1);
        while (document->index[at])
            at = (at + 1) & (document->index_size - 1);
        document->index[at] = (uint32_t)i + 1;
    }
    return true;
}

/* SHA-256 over the hashes in the order of (kind, key): flags, then the metadata of the set where
 * there is some. */
static void make_digest(struct document *document)
{
    struct sha256_ctx context;
    uint8_t hash[SHA256_SIZE];
    sha256_init(&context);
    for (size_t i = 0; i < document->count; i++)
        sha256_update(&context, SHA256_SIZE, document->fragments[i]->hash);
    if (document->metadata.length) {
        fragment_hash("metadata", TEXT(""), document->metadata, hash);
        sha256_update(&context, SHA256_SIZE, hash);
    }
    sha256_digest(&context, SHA256_SIZE, document->digest);
}

static bool copy_metadata(struct document *document, struct text metadata)
{
    if (metadata.length == 0)
        return true;
    char *copy = malloc(metadata.length + 1);
    if (!copy)
        return false;
    memcpy(copy, metadata.data, metadata.length);
    copy[metadata.length] = '\0';
    document->metadata = (struct text){copy, metadata.length};
    return true;
}

enum status document_new(struct fragment **fragments, size_t count, struct attributes *attributes,
                         struct text metadata, struct document **out)
{
    struct document *document = calloc(1, sizeof *document);
    struct fragment **copy = count < UINT32_MAX ? calloc(count + 1, sizeof *copy) : NULL;
    *out = NULL;
    if (!document || !copy) {
        for (size_t i = 0; i < count; i++)
            fragment_release(fragments[i]);
        attributes_release(attributes);
        free(document);
        free(copy);
        return STATUS_NO_MEMORY;
    }
    if (count)
        memcpy(copy, fragments, count * sizeof *copy);
    *document = (struct document){
        .references = 1, .attributes = attributes, .fragments = copy, .count = count};
    if (count)
        qsort(copy, count, sizeof *copy, by_key);
    if (!make_index(document) || !copy_metadata(document, metadata)) {
        document_release(document);
        return STATUS_NO_MEMORY;
    }
    make_digest(document);
    *out = document;
    return STATUS_OK;
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
    for (size_t i = 0; i < document->count; i++)
        fragment_release(document->fragments[i]);
    attributes_release(document->attributes);
    free(document->fragments);
    free(document->index);
    free((void *)(uintptr_t)document->metadata.data);
    free(document);
}

const struct fragment *document_find(const struct document *document, struct text key)
{
    size_t mask = document->index_size - 1;
    for (size_t at = (size_t)hash_text(key) & mask; document->index[at]; at = (at + 1) & mask) {
        const struct fragment *fragment = document->fragments[document->index[at] - 1];
        if (text_equal(fragment->program.key, key))
            return fragment;
    }
    return NULL;
}

void document_write(const struct document *document, struct buffer *out)
{
    buffer_append_string(out, "{\"flags\":{");
    for (size_t i = 0; i < document->count; i++) {
        if (i)
            buffer_append_char(out, ',');
        json_write_string(out, document->fragments[i]->program.key);
        buffer_append_char(out, ':');
        buffer_append_text(out, document->fragments[i]->json);
    }
    buffer_append_char(out, '}');
    if (document->metadata.length) {
        buffer_append_string(out, ",\"metadata\":");
        buffer_append_text(out, document->metadata);
    }
    buffer_append_string(out, "}\n");
}

void document_digest_text(const struct document *document, char out[DIGEST_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(out, "sha256:", 7);
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        out[7 + 2 * i] = digits[document->digest[i] >> 4];
        out[8 + 2 * i] = digits[document->digest[i] & 15];
    }
    out[7 + 2 * SHA256_SIZE] = '\0';
}
