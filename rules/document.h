/* document.h - the state document of one environment: fragments and what belongs to the whole.
 *
 * Immutable and counted. Whole bytes are put together only by document_write(), only where a
 * consumer needs them whole; the digest is computed once, on first use by its maker, before it is
 * shared. */
#ifndef WEIR_DOCUMENT_H
#define WEIR_DOCUMENT_H

#include "buffer.h"
#include "fragment.h"

struct document {
    uint32_t references;
    struct attributes *attributes;
    struct fragment **fragments; /* sorted by key (bytes) */
    size_t count;
    uint32_t *index; /* open addressing over XXH3 of the key: position + 1, 0 is free */
    size_t index_size;
    struct text metadata; /* canonical JSON object of the set, or empty */
    uint8_t digest[SHA256_SIZE];
};

/* Takes over the references to `fragments` (any order, distinct keys) and `attributes`, whatever is
 * returned. */
enum status document_new(struct fragment **fragments, size_t count, struct attributes *attributes,
                         struct text metadata, struct document **out);
struct document *document_reference(struct document *document);
void document_release(struct document *document);

/* The fragment of a flag, borrowed; NULL where there is none. */
const struct fragment *document_find(const struct document *document, struct text key);

/* Appends the whole document: {"flags":{…},"metadata":{…}} and a newline. */
void document_write(const struct document *document, struct buffer *out);
/* "sha256:" and 64 hexadecimal digits, NUL-terminated. */
#define DIGEST_TEXT_SIZE 72
void document_digest_text(const struct document *document, char out[DIGEST_TEXT_SIZE]);

struct document_options {
    bool strict; /* refuse what flagd only warns of; flagd_check.h tells all of it at once */
    enum fractional fractional;
};

/* Reads a whole flagd document, foreign or ours, as leniently as flagd does; document_read.c tells
 * how. `options` NULL: lenient, second generation. */
enum status document_read(struct text json, const struct document_options *options,
                          struct document **out, struct error *error);

#endif
