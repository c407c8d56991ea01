/* fragment.h - one flag of a state document, standing alone.
 *
 * A fragment is one counted block of memory: its key, its JSON, its compiled program and its hash.
 * It never changes; snapshots of successive commits share it by reference. */
#ifndef WEIR_FRAGMENT_H
#define WEIR_FRAGMENT_H

#include "attributes.h"
#include "base.h"
#include "program.h"

#define SHA256_SIZE 32
#define FLAG_MAX_DEPTH 4096 /* below 512 levels, rules are read over: a PARSE_ERROR */

struct fragment {
    uint32_t references;       /* use fragment_reference() and fragment_release() */
    struct text key;           /* the flag's */
    struct text json;          /* the flag object, canonical when weir compiled it */
    uint8_t hash[SHA256_SIZE]; /* SHA-256("flag" 0x00 key 0x00 json) */
    const struct program *program;
};

/* Compiles `json` (a flag object by itself) against `attributes`, which may grow by the attributes
 * it uses. A rule that makes no sense still gives a fragment: it evaluates to the error flagd would
 * answer (program.h). STATUS_INVALID when `json` is not a flag. */
enum status fragment_new(struct text key, struct text json, struct program_settings settings,
                         struct attributes *attributes, struct fragment **out, struct error *error);
struct fragment *fragment_reference(struct fragment *fragment);
void fragment_release(struct fragment *fragment); /* NULL is fine */

/* SHA-256(kind 0x00 key 0x00 bytes): an entry of a digest. */
void fragment_hash(const char *kind, struct text key, struct text bytes, uint8_t out[SHA256_SIZE]);

#endif
