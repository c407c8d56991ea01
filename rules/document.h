/* document.h - the state document of one environment: fragments and what belongs to the whole.
 *
 * Immutable and counted. Its fragments stand in pages, sorted by key, and in buckets, by the hash
 * of their key: some hundred to each. Pages and buckets are counted too, so that the document after
 * a commit (document_edit()) shares all but those in which something changed, and a commit that
 * changes one flag of 100 000 costs about what it costs with 100.
 *
 * Whole bytes are put together only by document_write(), only where a consumer needs them whole;
 * the digest is computed when somebody asks for it the first time, by any thread. */
#ifndef WEIR_DOCUMENT_H
#define WEIR_DOCUMENT_H

#include "buffer.h"
#include "fragment.h"

/* Neighbours in the order of their keys. Holds a reference on each. */
struct document_page {
    uint32_t references, count;
    struct fragment *fragments[];
};

/* Those whose keys' hashes begin alike: open addressing, NULL is free. The fragments are kept by
 * the pages. */
struct document_bucket {
    uint32_t references, count, mask;
    struct fragment *slots[];
};

struct document {
    uint32_t references;
    struct attributes *attributes;
    struct dictionary *dictionary; /* for the fragments of the documents after this; or NULL */
    size_t count;
    size_t json_bytes; /* of all fragments */
    struct document_page **pages;
    size_t page_count;
    struct document_bucket **buckets;
    unsigned bucket_bits;  /* 2 ^ bucket_bits buckets, by the upper bits of the hash */
    struct text metadata;  /* canonical JSON object of the set, or empty */
    uint32_t digest_state; /* document.c */
    uint8_t digest[SHA256_SIZE];
};

/* Takes over the references to `fragments` (any order, distinct keys) and `attributes`, whatever is
 * returned. */
enum status document_new(struct fragment **fragments, size_t count, struct attributes *attributes,
                         struct text metadata, struct document **out);

struct document_change {
    struct text key;           /* the fragment's, where there is one */
    struct fragment *fragment; /* instead of the one with this key, if any; NULL: none any more */
};
/* The document after `changes`, sorted by key, each key once; `previous` stays as it is. Takes over
 * the references in `changes` and to `attributes`, whatever is returned. */
enum status document_edit(const struct document *previous, const struct document_change *changes,
                          size_t count, struct attributes *attributes, struct text metadata,
                          struct document **out);

/* A flag object that is to stand in a document, whoever compiled it. */
struct document_graft {
    struct text key, json; /* json empty: the flag is not there any more */
};
/* The document with these flags in the place of its own, sorted by key, each once. For documents
 * that weir compiled. */
enum status document_graft(const struct document *document, const struct document_graft *grafts,
                           size_t count, struct document **out, struct error *error);

struct document *document_reference(struct document *document);
void document_release(struct document *document); /* NULL is fine */

/* The fragment of a flag, borrowed; NULL where there is none. */
const struct fragment *document_find(const struct document *document, struct text key);
/* The one at a place in the order of keys, below document->count. For walking use a cursor. */
const struct fragment *document_at(const struct document *document, size_t index);

/* Where a walk in the order of keys stands; zero it to begin. */
struct document_cursor {
    size_t page, index;
};
/* The next fragment, borrowed; NULL at the end, again and again. */
static inline const struct fragment *document_next(const struct document *document,
                                                   struct document_cursor *cursor)
{
    if (cursor->page == document->page_count)
        return NULL;
    const struct document_page *page = document->pages[cursor->page];
    const struct fragment *fragment = page->fragments[cursor->index];
    if (++cursor->index == page->count) {
        cursor->page++;
        cursor->index = 0;
    }
    return fragment;
}

/* A walk over what differs between two documents, in the order of keys; zero it to begin. Pages
 * that both have are stepped over. */
struct document_walk {
    struct document_cursor old, new;
};
/* False at the end. *old or *new is NULL where only the other document has the key. */
bool document_next_change(const struct document *before, const struct document *after,
                          struct document_walk *walk, const struct fragment **old,
                          const struct fragment **new);

/* Whether both are the same bytes. */
bool document_equal(const struct document *a, const struct document *b);

/* Appends the whole document: {"flags":{…},"metadata":{…}} and a newline. */
void document_write(const struct document *document, struct buffer *out);
/* SHA-256 over the hashes of the fragments in the order of their keys, then of the metadata where
 * there is some. */
void document_digest(const struct document *document, uint8_t out[SHA256_SIZE]);
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
