/* dictionary.h - what the flags of one document have in common, so that each can be kept small.
 *
 * The JSON of a fragment is needed seldom, and of 100 000 fragments it would be half of all memory;
 * one flag's is much like the next one's. So it is kept as an LZ4 block that refers to a
 * dictionary: some of the document's flags as they stand, shared by all its fragments.
 *
 * A dictionary is counted and never changes: any number of threads may pack and unpack with it. */
#ifndef WEIR_DICTIONARY_H
#define WEIR_DICTIONARY_H

#include "base.h"

struct dictionary;

#define DICTIONARY_MOST ((size_t)32 << 10) /* bytes of a sample; of a longer one the first */
#define DICTIONARY_FROM                                                                            \
    ((size_t)128 << 10) /* bytes of flags: for fewer it is not worth its own                       \
                         */
#define DICTIONARY_TEXT_MOST ((size_t)4 << 20) /* longer texts are not packed */

/* With one reference; NULL without memory. */
struct dictionary *dictionary_new(struct text sample);
struct dictionary *dictionary_reference(struct dictionary *dictionary); /* NULL is fine */
void dictionary_release(struct dictionary *dictionary);                 /* NULL is fine */

/* Packs `text` into at most `room` bytes at `out`, and returns how many; 0 when they do not do. */
size_t dictionary_pack(const struct dictionary *dictionary, struct text text, char *out,
                       size_t room);
/* The text again, of which `length` has to be known; false when `packed` is something else. */
bool dictionary_unpack(const struct dictionary *dictionary, struct text packed, char *out,
                       size_t length) MUST_CHECK;

#endif
