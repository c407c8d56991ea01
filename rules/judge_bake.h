/* judge_bake.h - whether anybody has looked: how much of a bake successful measurements cover, and
 * whether a variant has fallen silent.
 *
 * Pure, plain data; times are nanoseconds since 1970. */
#ifndef WEIR_JUDGE_BAKE_H
#define WEIR_JUDGE_BAKE_H

#include "judge_limits.h"

/* --- coverage --------------------------------------------------------------------------------- */

/* A measurement that succeeded at t covers [t - interval, t]. Coverage of a bake is the length of
 * the union of these, clipped to the bake. It grows with each measurement, so that weeks of them
 * need not be kept. */
struct coverage {
    int64_t from, until; /* the bake, from < until */
    int64_t covered;     /* nanoseconds */
    int64_t reached;     /* the end of what has been covered */
};

void coverage_begin(struct coverage *coverage, int64_t from, int64_t until);
/* In the order of time; one that is older than an earlier one adds nothing. */
void coverage_add(struct coverage *coverage, const struct measurement *measurement,
                  int64_t interval);
/* The same of a list at once, oldest first. */
int64_t coverage_of(const struct measurement *measurements, size_t count, int64_t interval,
                    int64_t from, int64_t until);
/* At least 80 %, exactly: 5 covered ≥ 4 length. A bake of no length needs nothing. */
bool coverage_suffices(int64_t covered, int64_t length);

/* --- silence ---------------------------------------------------------------------------------- */

#define SILENCE_INTERVALS 3

/* A variant that crashed reports nothing, which is no data, which would hold for ever. Silent for
 * three intervals while the control speaks it is a failure. */
struct silence {
    bool silent;
    int64_t since; /* an interval before the first measurement that found nothing */
};

/* What one measurement says: success where the variant speaks; failure after three intervals of
 * silence, each with at least `minimum` (and one) of the control; else no data. A control that is
 * silent too says nothing about the variant, and counting begins again. `n`: units of each arm in
 * the interval; NaN and what is below 0 count as none. Begin with {0}. */
enum verdict silence_observe(struct silence *silence, int64_t time, int64_t interval,
                             double variant_n, double control_n, double minimum);

#endif
