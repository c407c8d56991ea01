/* utf8.h - UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef WEIR_UTF8_H
#define WEIR_UTF8_H

#include "base.h"

/* The number of leading bytes that are valid UTF-8; equal to the length when all are. */
size_t utf8_valid_length(struct text text);
/* Encodes one code point (not a surrogate) and returns how many bytes were written. */
size_t utf8_encode(uint32_t code_point, char out[4]);
/* The number of code points of valid UTF-8. */
size_t utf8_count(struct text text);
/* The byte offset of code point `index`, or the length when there are fewer. */
size_t utf8_offset(struct text text, size_t index);

#endif
