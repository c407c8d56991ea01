/* rollout_status.h - what GET /rollouts and `weir rollouts` tell: where each rollout stands, what
 * it waits for, and what is served beside what Git says. The schema is in schemas/control.yaml.
 *
 *     rollout_status_begin(out, commit);
 *     rollout_status_entry(out, &entry);    (for each that rollout_filter_passes())
 *     rollout_status_end(out);
 *
 * Pure: all that is told is handed in, nothing is kept. Failures stay in the buffer (buffer.h). */
#ifndef WEIR_ROLLOUT_STATUS_H
#define WEIR_ROLLOUT_STATUS_H

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
    int64_t now;                                /* instant */
};

void rollout_status_begin(struct buffer *out, const char *commit); /* "" or NULL: none */
void rollout_status_entry(struct buffer *out, const struct rollout_entry *entry);
void rollout_status_end(struct buffer *out);

#endif
