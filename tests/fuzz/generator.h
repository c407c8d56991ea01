/* generator.h - random bytes become a valid flagd document and contexts for it.
 *
 * Every byte is one choice, so that libFuzzer's small changes of the bytes are small changes of the
 * rules; where the bytes end every choice is the first one, and the rules end soon. All of flagd's
 * operators occur, with right and wrong numbers of arguments, `$ref` (also to what is not there and
 * in circles), and pieces of rules that stand more than once. */
#ifndef WEIR_FUZZ_GENERATOR_H
#define WEIR_FUZZ_GENERATOR_H

#include "fuzz.h"

#define GENERATED_FLAGS 3

/* What a document is made of, as JSON texts in one buffer: views of it. */
struct generated {
    struct buffer text;
    struct text keys[GENERATED_FLAGS], flags[GENERATED_FLAGS];
    struct text evaluators, metadata; /* members with a comma before them, or empty */
};

/* Takes the choices from [data, data + size). */
void generate_document(struct generated *out, const uint8_t *data, size_t size);
void generated_dispose(struct generated *generated);
/* Appends the document with flag `only`, or with all where it is GENERATED_FLAGS. */
void generated_write(const struct generated *generated, unsigned only, struct buffer *out);

/* Appends a context: a JSON object. */
void generate_context(struct buffer *out, const uint8_t *data, size_t size);
/* Appends the same JSON object in another way: members in reverse, white space, escapes. */
void generate_variation(struct text object, struct buffer *out);

#endif
