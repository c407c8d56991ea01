/* document_refs.h - "$evaluators" and {"$ref": "name"} in foreign flagd documents.
 *
 * flagd for JavaScript replaces the text of each reference, evaluator by evaluator, in the order in
 * which JavaScript has the members of an object. So an evaluator may refer to one that comes after
 * it; to itself, or to one before it, it may not: such a reference stays, and is an unknown
 * operator then. weir's own documents have none of this.
 *
 * What a reference puts in can hold references itself, so a small document can mean an endless one.
 * How large each evaluator becomes is therefore worked out once, from the last to the first, and
 * what a flag becomes is known before a byte of it is written. Evaluators are nodes of the arena
 * given, which point into the document; the rest belongs to the references. */
#ifndef WEIR_DOCUMENT_REFS_H
#define WEIR_DOCUMENT_REFS_H

#include "arena.h"
#include "buffer.h"
#include "names.h"

/* What a value becomes with all references replaced. */
struct extent {
    size_t size;    /* of its JSON; SIZE_MAX: more than can be counted */
    uint32_t depth; /* of lists and maps in one another, up to REFERENCES_TOO_DEEP */
};

#define REFERENCES_TOO_DEEP 100000

struct reference {
    struct text name;
    const struct node *node; /* NULL: more than json_read() reads */
    size_t first;            /* it may refer to evaluators from here on */
    struct extent extent;
};

struct references {
    struct reference *evaluators; /* in JavaScript's order */
    size_t count, size;
    struct names positions; /* of evaluators by their names */
};

/* Reads the evaluators out of the value of "$evaluators", an object that was found to be JSON. */
enum status references_read(struct arena *arena, struct text json, struct references *out);
void references_dispose(struct references *references);
/* Writes into `scratch` what has to be looked at. STATUS_NO_MEMORY, or what makes it fail. */
enum status references_measure(const struct references *references, const struct node *node,
                               struct buffer *scratch, struct extent *out);
/* Appends `node` as JSON with all references replaced: as large as references_measure() said, and
 * no deeper than json_read() reads. */
void references_write(const struct references *references, const struct node *node,
                      struct buffer *out);

#endif
