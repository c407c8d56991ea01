/* explain.h - a decision, told: which rule matched and why, and what each condition saw. */
#ifndef WEIR_EXPLAIN_H
#define WEIR_EXPLAIN_H

#include "buffer.h"
#include "evaluate.h"

enum explain_format { EXPLAIN_TEXT, EXPLAIN_JSON };

/* Evaluates again, part by part. Text, for people:
 *
 *     checkout-v2 = true (variant "on", TARGETING_MATCH)
 *     ✗ rule 1
 *       ✗ email ends_with "@example.com"                    email = "ann@shop.test"
 *     ✓ rule 2 serves "on"
 *       ✓ all of
 *         ✓ country in ["DE", "FR"]                          country = "DE"
 *         ✓ app.version sem_ver >= 2.4.0                     app.version = "2.5.0"
 *
 * JSON, one object on one line: flag, value, variant, reason, errorCode, errorDetails, and "rules":
 * a list of {"rule", "matched", "serves", "condition"}; a condition is
 * {"all"|"any"|"not"|"expression", "result", "values", "missing"}. A rule behind the one that
 * matched is not looked at and not told. Nothing but the context's scratch memory is changed. */
void explain(const struct fragment *fragment, struct text flag, struct context *context,
             int64_t now, enum explain_format format, struct buffer *out);

#endif
