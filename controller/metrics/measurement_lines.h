/* measurement_lines.h - what was measured of a rollout, as the lines that `weir simulate
 * --measurements` plays again.
 *
 * From the store, by a handle of its own that lives as long as the call: any thread may ask, and
 * nobody who measures or decides waits for it. */
#ifndef WEIR_METRICS_MEASUREMENT_LINES_H
#define WEIR_METRICS_MEASUREMENT_LINES_H

#include "../../rules/buffer.h"

/* Of one answer. A line has about 200 bytes, and never 3 KiB. */
#define MEASUREMENT_LINES_MAX 20000

struct measurement_query {
    struct text environment, rollout; /* names; borrowed */
    int64_t since;                    /* those that finished then or later, wall seconds */
};

/* Appends a line of JSON for each measurement, of all runs, phases and metrics, in the order in
 * which they finished; at most MEASUREMENT_LINES_MAX, the oldest. What never was measured has none.
 * `folder` is that of the store (store.h). `out` is as before when it fails: STATUS_NO_MEMORY, and
 * what store_open() and reading say. */
enum status measurement_lines_write(const char *folder, const struct measurement_query *query,
                                    struct buffer *out, struct error *error) MUST_CHECK;

#endif
