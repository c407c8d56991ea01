/* eval_output.h - how `weir eval` writes what came out, alone or as a line of a batch. */
#ifndef WEIR_EVAL_OUTPUT_H
#define WEIR_EVAL_OUTPUT_H

#include "../rules/buffer.h"
#include "../rules/evaluate.h"

/* All texts are borrowed. Empty: absent. */
struct outcome {
    struct text flag; /* data is NULL where nothing is known of it */
    struct text value, variant, variant_json, metadata;
    const char *reason;
    const char *error; /* the code; NULL where there is none */
    struct text details;
};

struct outcome outcome_of(struct text flag, const struct decision *decision);

/* One JSON object and a newline. */
void outcome_write_json(struct buffer *out, const struct outcome *outcome);
/* Rows for a person; `colour` for a terminal. */
void outcome_write_text(struct buffer *out, const struct outcome *outcome, bool colour);

#endif
