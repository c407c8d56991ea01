/* cbor.h - a value as CBOR in core deterministic encoding (RFC 8949, section 4.2.1): what the third
 * generation of flagd's `fractional` hashes. Source: flagd's ADR
 * "fractional-non-string-rand-units".
 *
 * Whole numbers of [-2^63, 2^64 - 1] are integers, -0 too; others are the shortest float that keeps
 * them. Members of maps are sorted by their encoded names; of equal names the last one counts. */
#ifndef WEIR_CBOR_H
#define WEIR_CBOR_H

#include "value.h"

#define CBOR_MAX_MEMBERS 1024 /* of a map: sorting takes no memory, so it takes time */

struct cbor {
    char *out;
    size_t length, size;
    bool failed; /* `size` was not enough, or a map has too many members */
};

void cbor_write(struct cbor *cbor, const struct value *value);
void cbor_write_text(struct cbor *cbor, struct text text);
/* The head of a list of `count` entries, which the caller writes behind it. */
void cbor_write_list(struct cbor *cbor, uint64_t count);

#endif
