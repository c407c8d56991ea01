/* fragment.h - one flag of a state document, standing alone.
 *
 * A fragment is one counted block of memory: its key, its JSON, its compiled program and its hash.
 * It never changes; snapshots of successive commits share it by reference. The JSON is packed where
 * that makes the block smaller (dictionary.h); only fragment_append_json() looks at it. */
#ifndef WEIR_FRAGMENT_H
#define WEIR_FRAGMENT_H

#include "attributes.h"
#include "buffer.h"
#include "program.h"

#define SHA256_SIZE 32
#define FLAG_MAX_DEPTH 4096 /* below 512 levels, rules are read over: a PARSE_ERROR */

/* What evaluating touches comes first, and all of it lies in `hot` bytes. */
struct fragment {
    struct program program; /* with the flag's key */
    uint32_t hot;
    uint32_t references;  /* use fragment_reference() and fragment_release() */
    uint32_t packed;      /* bytes of the packed JSON, which follow; 0: it stands plainly */
    uint32_t json_length; /* of the flag object, canonical when weir compiled it */
    struct dictionary *dictionary; /* a reference, of packed JSON; or NULL */
    struct set_metadata *set;      /* a reference where program.metadata is its own; or NULL */
    uint8_t hash[SHA256_SIZE];     /* SHA-256("flag" 0x00 key 0x00 json) */
};

/* Compiles `json` (a flag object by itself) against `attributes`, which may grow by the attributes
 * it uses. A rule that makes no sense still gives a fragment: it evaluates to the error flagd would
 * answer (program.h). STATUS_INVALID when `json` is not a flag; STATUS_LIMIT when it is too large.
 */
enum status fragment_new(struct text key, struct text json, struct program_settings settings,
                         struct attributes *attributes, struct fragment **out, struct error *error);
struct fragment *fragment_reference(const struct fragment *fragment);
void fragment_release(struct fragment *fragment); /* NULL is fine */

/* Appends the flag object; what was packed and is no more what it was makes `out` fail with
 * STATUS_SYSTEM. */
void fragment_append_json(const struct fragment *fragment, struct buffer *out);
static inline size_t fragment_json_length(const struct fragment *fragment)
{
    return fragment->json_length;
}
/* Whether its flag object is these bytes. */
bool fragment_has_json(const struct fragment *fragment, struct text json);

#define CACHE_LINE 64
#define FRAGMENT_PREFETCHED 1024 /* larger programs are not evaluated to their end, as a rule */

/* Asks for what evaluating will touch, some hundred nanoseconds before it does. */
static inline void fragment_prefetch(const struct fragment *fragment)
{
    const char *bytes = (const char *)fragment;
    size_t most = fragment->hot < FRAGMENT_PREFETCHED ? fragment->hot : FRAGMENT_PREFETCHED;
    for (size_t i = 0; i < most; i += CACHE_LINE)
        __builtin_prefetch(bytes + i);
}

/* SHA-256(kind 0x00 key 0x00 bytes): an entry of a digest. */
void fragment_hash(const char *kind, struct text key, struct text bytes, uint8_t out[SHA256_SIZE]);

#endif
