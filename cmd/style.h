/* style.h - the few looks that commands give to words on a terminal; empty strings elsewhere. */
#ifndef WEIR_STYLE_H
#define WEIR_STYLE_H

#include "../rules/buffer.h"

struct style {
    const char *bold, *faint, *good, *warn, *bad, *end;
};

const struct style *style_of(bool colour);

/* Appends text with its control characters as \u00XX: what a definition holds must not steer the
 * terminal. Inside JSON the result is the same JSON. */
void style_write_safely(struct buffer *out, struct text text);
/* Appends `count` spaces. */
void style_pad(struct buffer *out, size_t count);

#endif
