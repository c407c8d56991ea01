/* encode_private.h - private to encode*.c. */
#ifndef WEIR_ENCODE_PRIVATE_H
#define WEIR_ENCODE_PRIVATE_H

#include "encode.h"

struct released;

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
                  const struct flag_settings *settings, const struct released *released,
                  struct text fallback);
/* encode_split.c: the served part of a rule with a split; `fallback` for users without the
 * bucketing attribute. */
void encode_split(struct encoder *encoder, const struct flag *flag, const struct split *split,
                  const struct released *released, struct text fallback);

/* Two arms: who is below the share gets `variant`, who is not `control`, and `fallback` (JSON) who
 * has no bucket. */
struct encode_draw {
    struct place place; /* of whose fault it is when it cannot be drawn */
    struct text seed, bucket_by, variant, control, fallback;
    uint32_t share; /* of SPLIT_TOTAL */
    bool is_ramp;   /* it grows from `from` to `share` through `over` seconds of which `done` are
                     * behind; now through the window from `begin`, `length` seconds long */
    uint32_t from;
    int64_t over, done, begin, length;
};
void encode_draw(struct encoder *encoder, const struct encode_draw *draw);

/* encode_rollout.c: what the rollouts of a flag make of it in the encoder's environment. */
struct released {
    const struct rollout *walking; /* takes the default's place; NULL: none does */
    const struct rollout_state *state;
    struct exposure exposures[EXPOSURES_MAX];
    size_t exposure_count;
    struct {
        struct text variant, control;
    } undone[RELEASES_MAX]; /* rolled back or killed: control takes the variant's place */
    size_t undone_count;
    bool is_killed;           /* by its pin: no rule counts */
    struct text kill_control; /* what it serves then; empty: its default */
};
void encode_released(const struct encoder *encoder, const struct flag *flag, struct released *out);
/* What is served where `variant` would be. */
struct text released_variant(const struct released *released, struct text variant);
/* Appends `condition, served,` for each part that is exposed. */
void encode_exposures(struct encoder *encoder, const struct released *released,
                      struct text fallback);
/* The flag's settings with the default that the rollouts leave it; whether it needs targeting. */
bool encode_settings(const struct released *released, struct flag_settings *settings);

#endif
