/* context.h - an evaluation context, read from JSON straight into the slots of an environment.
 *
 * Strict JSON, one pass: what a request costs is linear in its bytes, however often a key stands in
 * it and whatever is asked for. Attributes that no rule asks for are validated and skipped. Where a
 * key stands twice the last one counts. Memory is kept from one request to the next, so a warm
 * context allocates nothing. A context belongs to one thread. */
#ifndef WEIR_CONTEXT_H
#define WEIR_CONTEXT_H

#include "arena.h"
#include "attributes.h"
#include "semver.h"
#include "value.h"

#define CONTEXT_MAX_BYTES ((size_t)1 << 20) /* of a request's JSON */
#define CONTEXT_MAX_DEPTH 64

/* A condition's truth that was found in this reading of the context; see OP_ONCE. */
struct known_truth {
    uint64_t identity;
    uint32_t more; /* of the identity */
    uint32_t reading;
    bool truth;
};
#define CONTEXT_KNOWN 512

struct context {
    struct attributes *attributes; /* the table it was read for; a counted reference */
    struct value *slots;           /* attributes->slots of them */
    size_t slot_size;
    struct trace *traces; /* what was read below each name of the table; context.c */
    size_t trace_size;
    struct arena arena; /* decoded strings, list elements */
    char *scratch;      /* CONTEXT_SCRATCH bytes for what an evaluation puts together */
    size_t scratch_used;
    /* The version that was parsed last, since most rules ask for the same one: the string of a
     * slot. */
    const char *version_string; /* NULL: none */
    bool version_is_good;
    struct semver version;
    uint32_t reading;          /* goes up with each, is never 0 */
    struct known_truth *known; /* CONTEXT_KNOWN of them */
};

#define CONTEXT_SCRATCH ((size_t)256 << 10)

enum status context_init(struct context *context);
void context_dispose(struct context *context);

/* Empties it and binds it to a table: every attribute is missing. */
enum status context_begin(struct context *context, struct attributes *attributes);
/* context_begin(), then reads the JSON object `json`. STATUS_INVALID with a place in `error` when
 * it is not strict JSON or not an object; STATUS_LIMIT when it is too large or too deep, or needs
 * more memory than a context may; STATUS_NO_MEMORY. Where it failed every attribute is missing. */
enum status context_read(struct context *context, struct attributes *attributes, struct text json,
                         struct error *error);
/* The same for a request body {"context": {…}, …}: other members are validated and ignored.
 * STATUS_NOT_FOUND when "context" is absent or not an object. */
enum status context_read_request(struct context *context, struct attributes *attributes,
                                 struct text body, struct error *error);

#endif
