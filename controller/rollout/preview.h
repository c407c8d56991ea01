/* preview.h - what an environment will serve for a flag once a rollout stands elsewhere.
 *
 * The one flag is compiled from the definitions in force and the states that decisions made, by the
 * same compiler, so its bytes are those that the recorded decision will come to: that is the
 * fragment of an override (ROLLOUTS.md section 4). Reads the flag and what it asks for, nothing
 * else, and changes nothing. */
#ifndef WEIR_PREVIEW_H
#define WEIR_PREVIEW_H

#include "roster.h"

/* A rollout that stands elsewhere. */
struct preview_stand {
    const struct roster_rollout *item;
    const struct rollout_state *state; /* in the place of item->state */
};

struct preview_task {
    const struct inventory *inventory;
    const struct schema_set *schemas;
    struct file_reader reader;
    const struct roster *roster; /* of `inventory` */
    struct text environment, flag;
    const struct preview_stand *stands; /* rollouts of that flag, each once; or none */
    size_t stand_count;
    const struct flag_pin *pin; /* in the place of the flag's own, which it names; or NULL */
};

/* Appends the flag's JSON, canonical. STATUS_INVALID: it cannot be compiled so (`error` says why).
 */
enum status preview_flag(const struct preview_task *task, struct buffer *out,
                         struct error *error) MUST_CHECK;

#endif
