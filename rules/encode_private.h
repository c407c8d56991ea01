/* encode_private.h - private to encode*.c. */
#ifndef WEIR_ENCODE_PRIVATE_H
#define WEIR_ENCODE_PRIVATE_H

#include "encode.h"

void encode_raw(struct encoder *encoder, const char *json);
/* Appends {"var":"path"} to `out` and returns all of `out`. */
struct text encode_operand(struct text path, struct buffer *out);
/* Appends a template in which '$' stands for the operand. */
void encode_template(struct buffer *out, const char *template, struct text operand);
/* NUMBER and the comparison. */
void encode_compare(struct encoder *encoder, const char *operator_text, const struct scalar *scalar,
                    struct text operand);
/* encode_time.c: before and after. */
void encode_time(struct encoder *encoder, const struct condition *condition, struct text operand);
void encode_is(struct encoder *encoder, struct text operand, const struct scalar *scalar);
/* {"if":[condition, served, …, fallback]}; `fallback` is JSON: null, or a default variant. */
void encode_rules(struct encoder *encoder, const struct flag *flag,
                  const struct flag_settings *settings, struct text fallback);
/* encode_split.c: the served part of a rule with a split; `fallback` for users without the
 * bucketing attribute. */
void encode_split(struct encoder *encoder, const struct flag *flag, const struct split *split,
                  struct text fallback);

#endif
