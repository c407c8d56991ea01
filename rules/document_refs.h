/* document_refs.h - "$evaluators" and {"$ref": "name"} in foreign flagd documents.
 *
 * flagd for JavaScript replaces the text of each reference, evaluator by evaluator, in the order in
 * which JavaScript has the members of an object. So an evaluator may refer to one that comes after
 * it; to itself, or to one before it, it may not: such a reference stays, and is an unknown
 * operator then. weir's own documents have none of this. */
#ifndef WEIR_DOCUMENT_REFS_H
#define WEIR_DOCUMENT_REFS_H

#include "arena.h"
#include "buffer.h"
#include "node.h"

struct references {
    const struct node **evaluators; /* in JavaScript's order; nodes of the arena given */
    uint32_t count;
};

/* Takes the evaluators from the value of "$evaluators" (NULL or not a map: none). */
enum status references_read(struct arena *arena, const struct node *evaluators,
                            struct references *out);
/* Appends `node` as JSON with all references replaced; false where that would be deeper than 512
 * levels or larger than the buffer may grow. */
bool references_write(const struct references *references, const struct node *node,
                      struct buffer *out);

#endif
