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
};

/* Appends one JSONLogic expression, true or false for every context. */
void encode_condition(struct encoder *encoder, const struct condition *condition);
/* Appends the targeting of a flag: {"if":[…,null]}. Nothing when the flag has no rules. */
void encode_targeting(struct encoder *encoder, const struct flag *flag,
                      const struct flag_settings *settings);

/* --- guards -------------------------------------------------------------------------------------
 * Runs of `and` arguments that test a type. ruleset.c recognises exactly these bytes again and
 * evaluates each as one instruction; so they are made in one place, here. `operand` is the JSON
 * text of the expression tested. Each appends a run of comma-separated expressions, to stand inside
 * {"and":[…]}. */
void guard_string(struct buffer *out, struct text operand, unsigned evaluators);
void guard_number(struct buffer *out, struct text operand, unsigned evaluators);
/* Begins with guard_string(). */
void guard_version(struct buffer *out, struct text operand, unsigned evaluators);

#endif
