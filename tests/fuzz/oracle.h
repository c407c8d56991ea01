/* oracle.h - what jansson makes of a context, beside what ours does.
 *
 * Known differences, each of which is looked for by name; everything else is a finding:
 * - Depth: ours stops at CONTEXT_MAX_DEPTH, jansson at 2048.
 * - Size: ours stops at CONTEXT_MAX_BYTES, and where the values that rules ask for would take more
 *   than 24 MiB decoded.
 * - NUL in a key ("\u0000"): jansson keeps keys as C strings and refuses it; it is valid JSON, and
 *   ours takes it. Such a text has no verdict of jansson's.
 * - A raw NUL byte, which JSON has nowhere: jansson 2.14 does not see one behind a number or a
 * word. It is refused here without asking. What could differ and does not, as both are called here:
 * numbers are doubles, one beyond a double's range is refused; NUL in a string stays; of equal keys
 * the last one counts; surrogates must come in pairs. */
#ifndef WEIR_FUZZ_ORACLE_H
#define WEIR_FUZZ_ORACLE_H

#include <jansson.h>

#include "fuzz.h"

enum verdict {
    VERDICT_ACCEPT,
    VERDICT_REFUSE,
    VERDICT_LIMIT,   /* valid for all that jansson says, and deeper than ours goes */
    VERDICT_UNKNOWN, /* jansson cannot say */
};

/* Reads `json`; *out (to be released by json_decref()) is set where there is a value, whatever its
 * type. `depth` is what ours allows. */
enum verdict oracle_read(struct text json, unsigned depth, json_t **out);
/* What ours returned for `json` fits the verdict. STATUS_LIMIT is also right where there is more
 * than one way to be wrong. */
void oracle_check_status(enum verdict verdict, struct text json, unsigned depth, enum status status,
                         const struct error *error);
/* Each slot of the context holds what jansson has under its path in `object`. */
void oracle_check_slots(const struct context *context, const json_t *object);

#endif
