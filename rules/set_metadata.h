/* set_metadata.h - what a flag set says of itself, as each of its flags answers it.
 *
 * Flags without metadata of their own share one text; the others have a merged one. A counted
 * block, since fragments outlive the document they were compiled for. */
#ifndef WEIR_SET_METADATA_H
#define WEIR_SET_METADATA_H

#include "arena.h"
#include "buffer.h"
#include "node.h"

#define SET_METADATA_MERGED_MAX                                                                    \
    ((size_t)64 << 20) /* bytes, in all flags of a document together                               \
                        */

struct set_metadata {
    uint32_t references;
    const struct node **told; /* the members of `json`; the maker's: only for while it compiles */
    size_t told_count;
    size_t merged;    /* bytes that set_metadata_charge() was asked for so far */
    struct text json; /* canonical; empty where the set says nothing */
};

/* `members` is a map or NULL; it and the arena outlive the compiling. NULL without memory. */
struct set_metadata *set_metadata_new(struct arena *arena, const struct node *members);
struct set_metadata *set_metadata_reference(struct set_metadata *set);
void set_metadata_release(struct set_metadata *set); /* NULL is fine */

/* Writes what set and flag say, the flag's winning; nothing when nobody says anything. flagd's
 * metadata holds strings, numbers and booleans: a name whose value is another is left out. `set`
 * NULL: there is none; `out` is empty. False without memory; STATUS_LIMIT is the buffer's own. */
bool set_metadata_merge(struct arena *arena, const struct set_metadata *set, const struct node *own,
                        struct buffer *out) MUST_CHECK;
/* Asked before each merge: false when SET_METADATA_MERGED_MAX is reached. */
bool set_metadata_charge(struct set_metadata *set) MUST_CHECK;

#endif
