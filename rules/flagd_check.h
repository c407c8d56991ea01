/* flagd_check.h - strict loading of a flagd document: every fault, with its place and how to mend
 * it, that leniency would turn into a surprise at evaluation.
 *
 * What flagd's JSON Schemas refuse is refused (tests hold it alike with them and with
 * schemas/flagd.json, which editors use), in words that name the operator and its arguments
 * instead of the dozen forms that a schema tries. Beside it what no schema can say: keys that
 * stand twice, variants that do not exist, `$ref`s that lead nowhere or into each other, weights
 * that share nothing out, attribute paths that no engine reads, rules in arrays. What only some
 * engines cannot do is a warning. Codes W8xx. */
#ifndef WEIR_FLAGD_CHECK_H
#define WEIR_FLAGD_CHECK_H

#include "diagnostics.h"

#define FLAGD_MAX_BYTES ((size_t)64 << 20)
/* Arrays and objects in one another: 512 (JSON_DEFAULT_DEPTH), and the document around them. */
#define FLAGD_MAX_DEPTH 513
/* Operators in one another that every engine reads: Java's gives up between 100 and 200. */
#define FLAGD_DEEP_OPERATORS 100

/* Adds the faults of the document `json` to `diagnostics`, unsorted, with `file` as their path.
 * STATUS_OK when it was looked through, faults or none; STATUS_LIMIT when it is larger than
 * FLAGD_MAX_BYTES (that is also a fault); STATUS_NO_MEMORY. */
enum status flagd_check(struct text json, const char *file, struct diagnostics *diagnostics);

#endif
