/* flag_pin.h - a flag that is held fast: state/ENVIRONMENT/flags/FLAG.yaml (kind FlagPin).
 *
 * ROLLOUTS.md section 5. Written by weir alone, one commit a decision. While it is
 *   - killed: everybody gets `control`, or the flag's default where none is given or the flag has
 *     no such variant any more. No rule, split or rollout of the flag counts, here and where other
 *     flags ask for it. A flag that is disabled stays so. The compiler does that.
 *   - pinned (`as_of`): the flag's fragment is the one that E(that commit) came to in this
 *     environment, with the segments and rollouts of then; where it had none, there is none. What
 *     other flags ask of it is as the definitions in force say. That needs history:
 *     controller/effective.h does it.
 * One that is both is killed. One that is neither was lifted: it stays, so that the ids of the
 * decisions that it records are still found. A file that is gone holds nothing: what a commit says
 * must not depend on what some commit before it said. Texts and lists are the arena's it was read
 * into, or the caller's. */
#ifndef WEIR_FLAG_PIN_H
#define WEIR_FLAG_PIN_H

#include "arena.h"
#include "buffer.h"
#include "definitions.h"
#include "rollout_state.h"

#define PIN_COMMIT_DIGITS 40
#define PIN_REASON_MAX 1000 /* bytes */
#define PIN_BY_MAX 320

struct flag_pin {
    struct name name; /* ENVIRONMENT/FLAG */
    struct text environment, flag;
    struct text as_of; /* 40 hexadecimal digits; empty: not pinned */
    bool is_killed;
    struct text control;  /* a variant, while it is killed; or empty */
    uint32_t seq;         /* rises with every change, from 1 */
    int64_t since;        /* instant of the last change */
    struct text by;       /* who made it: "weir", a token's subject, a signer */
    struct text reason;   /* one line, or empty */
    struct text *intents; /* ids of the last decisions recorded here, oldest first: INTENTS_KEPT */
    size_t intent_count;
    bool is_foreign; /* what was read is not what weir wrote: its checksum differs */
};

/* Neither killed nor pinned. */
bool flag_pin_is_lifted(const struct flag_pin *pin);
/* Whether `after` holds the flag as fast as `before`, or faster: the same is served, or killed in
 * the place of something else, with no control of somebody's own choice. */
bool flag_pin_is_safer(const struct flag_pin *before, const struct flag_pin *after);
bool flag_pin_has_intent(const struct flag_pin *pin, struct text intent);

/* Appends the whole file, always the same bytes for the same pin, with its checksum. */
void flag_pin_write(const struct flag_pin *pin, struct buffer *out);
/* What stands there as `checksum`: "sha256:" and 64 digits, of all the bytes before it. */
#define PIN_CHECKSUM_SIZE 72
enum status flag_pin_checksum(const struct flag_pin *pin, char out[PIN_CHECKSUM_SIZE]) MUST_CHECK;

/* SHA-256(environment, "flags/" and flag, 0, seq, action), each as its length, ":", its bytes: as
 * rollout_intent(), under a name that no rollout has. `seq`: of the pin before the decision, 0
 * where there is none. */
enum status flag_pin_intent(struct text environment, struct text flag, uint32_t seq,
                            struct text action, char out[INTENT_TEXT_SIZE]) MUST_CHECK;

/* Appends "state/ENVIRONMENT/flags/FLAG.yaml". */
void flag_pin_path(struct text environment, struct text flag, struct buffer *out);

#endif
