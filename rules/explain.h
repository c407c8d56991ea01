/* explain.h - a decision, told: which rule matched, and what each condition saw. */
#ifndef WEIR_EXPLAIN_H
#define WEIR_EXPLAIN_H

#include "buffer.h"
#include "evaluate.h"

/* Evaluates again, part by part, and appends lines like
 *     checkout-v2 = true (variant "on", TARGETING_MATCH)
 *       rule 1: no
 *         {"ends_with":[{"var":"email"},"@example.com"]}  false   email = "ann@shop.test"
 *       rule 2: matched →
 * "on" */
void explain(const struct fragment *fragment, struct context *context, int64_t now,
             struct buffer *out);

#endif
