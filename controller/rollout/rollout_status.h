/* rollout_status.h - what GET /rollouts and `weir rollouts` tell: where each rollout stands, what
 * it waits for, and what is served beside what Git says. The schema is in schemas/control.yaml.
 *
 *     rollout_status_begin(out, commit);
 *     rollout_status_entry(out, &entry);    (for each that rollout_filter_passes())
 *     rollout_status_flags(out);
 *     rollout_status_flag(out, &flag);      (likewise: flags that are killed, pinned, under bake)
 *     rollout_status_end(out);
 *
 * Pure: all that is told is handed in, nothing is kept. Failures stay in the buffer (buffer.h). */
#ifndef WEIR_ROLLOUT_STATUS_H
#define WEIR_ROLLOUT_STATUS_H

#include "../../rules/flag_pin.h"
#include "../metrics/metrics.h"
#include "override.h"
#include "roster.h"

/* --- for whom -------------------------------------------------------------------------------- */

/* Whoever asks is told of the environments that a token covers, and of one alone where one was
 * asked for. */
struct rollout_filter {
    bool (*covers)(const void *who, struct text environment); /* NULL: everything */
    const void *who;
    struct text environment; /* only this one; data is NULL: all */
};
bool rollout_filter_passes(const struct rollout_filter *filter, struct text environment);

/* --- what ------------------------------------------------------------------------------------ */

struct rollout_entry {
    const struct roster_rollout *item;
    const struct walk_decision *decision; /* of now: walk_tick()'s, or a verb's that is under way */
    /* NULL: measurements are not known here; then `gates` is null, and what is waited for for
     * their sake is left out. */
    const struct metrics_view *measured;
    uint32_t approvals_given, approvals_needed; /* walk_approvals() */
    const struct override *override;            /* open for its flag; or NULL */
    /* Where it stands once the step backs that are open are recorded; NULL: that is not known. */
    const struct rollout_state *stands;
    int64_t now; /* instant */
};

void rollout_status_begin(struct buffer *out, const char *commit); /* "" or NULL: none */
void rollout_status_entry(struct buffer *out, const struct rollout_entry *entry);
/* A flag that is killed or pinned, or under bake since a commit changed what it serves. */
struct rollout_flag {
    struct text environment, flag;
    const struct flag_pin *pin;          /* that holds it; NULL: none does */
    int64_t since, until;                /* of the bake, instants; `until` 0: there is none */
    bool is_capped;                      /* it broke, and was not taken back: the blast cap */
    const struct metrics_view *measured; /* NULL: measurements are not known here */
    const struct override *override;     /* open for the flag itself; or NULL */
};
void rollout_status_flags(struct buffer *out);
void rollout_status_flag(struct buffer *out, const struct rollout_flag *flag);
void rollout_status_end(struct buffer *out);

#endif
