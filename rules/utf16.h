/* utf16.h - strings counted and ordered in UTF-16 code units, as JavaScript has them, over UTF-8.
 *
 * JSONLogic's substr, "length" and < come from JavaScript; an answer that depends on them must be
 * the same in every engine that flagd's users run. Half of a surrogate pair, which only cutting can
 * make, is kept as the three bytes that UTF-8 would have for it; utf16_append() puts halves
 * together again. */
#ifndef WEIR_UTF16_H
#define WEIR_UTF16_H

#include "base.h"

/* Code units of a text. */
size_t utf16_length(struct text text);
/* Writes the code units [start, end) to `out`, which holds text.length bytes; returns how many were
 * written. `end` is at most the length. */
size_t utf16_slice(struct text text, size_t start, size_t end, char *out);
/* Order of code units: negative, 0 or positive. */
int utf16_compare(struct text a, struct text b);
/* Appends `part` to the `length` bytes at `out`, where there is room for it; returns the new
 * length. */
size_t utf16_append(char *out, size_t length, struct text part);
/* Whether `text` holds half of a pair; and whether `whole` holds `part`, of which that may be so.
 * The search needs memory for whole.length * 3 / 2 and part.length * 3 / 2 bytes at `work`. */
bool utf16_has_half(struct text text);
bool utf16_contains(struct text whole, struct text part, char *work);
/* What JavaScript's trim() leaves: without white space and line ends, Unicode's included. */
struct text utf16_trim(struct text text);

#endif
