/* document_pages.h - private to document*.c: the two shapes in which a document keeps its
 * fragments. */
#ifndef WEIR_DOCUMENT_PAGES_H
#define WEIR_DOCUMENT_PAGES_H

#include "document.h"

#define PAGE_USUAL 256 /* fragments of a page, and of a bucket, that is made anew */
#define PAGE_MOST 512  /* one with more is cut in two */

/* Fills document->pages from `count` fragments in the order of their keys. References move to the
 * pages whatever is returned; false without memory. */
bool pages_make(struct document *document, struct fragment **fragments, size_t count) MUST_CHECK;
/* The pages of `previous` after `changes`; the same. */
bool pages_edit(struct document *document, const struct document *previous,
                const struct document_change *changes, size_t count) MUST_CHECK;
void pages_release(struct document *document);

/* Fills document->buckets from its pages. */
bool buckets_make(struct document *document) MUST_CHECK;
/* The buckets of `previous`, of which those that `changes` touch are made anew. */
bool buckets_edit(struct document *document, const struct document *previous,
                  const struct document_change *changes, size_t count) MUST_CHECK;
void buckets_release(struct document *document);

/* Whether sharing with `previous` is worth it, and leaves pages and buckets of a good size. */
bool pages_are_worth_editing(const struct document *previous, size_t changes);

#endif
