/* metrics.h - the thread that measures: every metric of every rollout that exposes somebody, from
 * its source, at its interval; and what the judges make of it.
 *
 * core hands it the roster after each commit, and asks for the gates of a rollout when it decides.
 * Breakers have a loop of their own, so that no slow query delays them. What a decision may depend
 * on after a restart (measurements, evidence) is in the store. Nothing that a source does makes a
 * verdict a success that is none. */
#ifndef WEIR_METRICS_H
#define WEIR_METRICS_H

#include "../reach.h"
#include "../rollout/roster.h"
#include "../telemetry.h"

struct metrics_parts {
    const struct reach *reach; /* the hosts that may be asked, and the secrets */
    const char *store;         /* the folder of a store (store.h); a handle of its own is opened */
    const struct clock *clock;
    struct telemetry *telemetry;
    void (*changed)(void *context); /* some verdict is another: core should look; any thread */
    void *context;
    int64_t scrape; /* seconds between two scrapes of the Prometheus servers; 0: 15 (probe.h) */
};

struct metrics;

/* Contacts nobody yet. All that `parts` points to must outlive it. A store that cannot be opened
 * stops no measuring: it is tried again. STATUS_NO_MEMORY; STATUS_SYSTEM: a thread cannot be
 * started. */
enum status metrics_start(const struct metrics_parts *parts, struct metrics **out,
                          struct error *error);
void metrics_stop(struct metrics *metrics); /* within a second; NULL is fine */

/* From now on measures what this roster says; takes a reference of its own. `exposed[i]` is the
 * instant since when every target is known to hold what items[i].state says, INT64_MAX: not yet.
 * The first measurement of a phase is at that plus initialDelay; of a breaker at the phase's begin;
 * of any other when a target has not acknowledged for five minutes, which must not blind it. May be
 * called as often as one likes; waits for nothing. */
void metrics_watch(struct metrics *metrics, struct roster *roster, const int64_t *exposed);

/* What is known of the present phase: `out` has room for PHASE_METRICS_MAX gates, whose texts go
 * into `arena`. Only of measurements for just this run and phase, as it was begun (`since`): other
 * moves, which raise seq too, let evidence stand. STATUS_NO_MEMORY. */
struct metrics_view {
    struct walk_gate gates[PHASE_METRICS_MAX];
    size_t gate_count;
    bool ratio_mismatch;
    struct text ratio_evidence;
};
enum status metrics_view(struct metrics *metrics, const struct roster_rollout *item, int64_t now,
                         struct arena *arena, struct metrics_view *out) MUST_CHECK;

/* For /status and `weir rollouts`: [{"metric":…,"role":…,"verdict":…,"value":…,"since":…},…]. */
void metrics_write_status(struct metrics *metrics, const struct roster_rollout *item, int64_t now,
                          struct buffer *out);

#endif
