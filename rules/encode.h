/* encode.h - conditions and rules as flagd JSONLogic that all named evaluators evaluate alike.
 *
 * flagd's engines disagree on coercion, on missing attributes, on `in`, `cat` and the hash of
 * `fractional`. Each operator is written in the smallest form that all of `evaluators` are known,
 * by running them, to evaluate the same. The table of forms is at the top of encode.c. */
#ifndef WEIR_ENCODE_H
#define WEIR_ENCODE_H

#include "buffer.h"
#include "catalog.h"

struct encoder {
    const struct catalog *catalog;
    struct text environment;
    unsigned evaluators;
    struct buffer *out;              /* canonical JSON is appended here */
    struct diagnostics *diagnostics; /* CODE_ENCODING, with the evaluator's name */
    struct segment_texts *segments;  /* of the same catalog and environment; or NULL */
};

/* What each segment comes to in one environment. It is written out in every flag that asks for it,
 * but put together only once. */
struct segment_texts {
    struct buffer json;
    struct segment_span *spans; /* by their index in the catalog */
};
struct segment_span {
    size_t start, length; /* in `json`; length 0: not known yet */
};
enum status segment_texts_init(struct segment_texts *texts, const struct catalog *catalog);
void segment_texts_dispose(struct segment_texts *texts);

/* Appends one JSONLogic expression, true or false for every context. */
void encode_condition(struct encoder *encoder, const struct condition *condition);
/* Appends {"defaultVariant":…,"state":…} of a flag without the closing brace, with its targeting
 * where it needs some: {"if":[rules…, what rollouts expose…, null]}. */
void encode_flag_head(struct encoder *encoder, const struct flag *flag);

/* --- guards -------------------------------------------------------------------------------------
 * Runs of `and` arguments that test a type. program_guard.c recognises exactly these bytes again
 * and evaluates each as one instruction; so they are made in one place, encode_guard.c. `operand`
 * is the JSON text of the expression tested. */
enum guard {
    GUARD_STRING,
    GUARD_NUMBER,
    GUARD_VERSION, /* begins with GUARD_STRING */
};
/* Appends a run of comma-separated expressions, to stand inside {"and":[…]}. */
void encode_guard(struct buffer *out, enum guard guard, struct text operand, unsigned evaluators);
/* How many bytes encode_guard() would have written, when `json` begins with just these; else 0. */
size_t guard_length(enum guard guard, struct text json, struct text operand, unsigned evaluators);

#endif
