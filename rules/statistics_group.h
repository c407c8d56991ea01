/* statistics_group.h - group-sequential boundaries: Lan and DeMets' spending of alpha in the manner
 * of O'Brien and Fleming.
 *
 * The most powerful test where the looks are few and the largest sample is known when one begins;
 * elsewhere take an always-valid one (statistics.h).
 *
 * Sources: Lan, DeMets, Biometrika 70 (1983); Armitage, McPherson, Rowe, J. R. Statist. Soc. A 132
 * (1969) for the recursion. */
#ifndef WEIR_STATISTICS_GROUP_H
#define WEIR_STATISTICS_GROUP_H

#include "statistics.h"

#define STATISTICS_MOST_LOOKS 64

/* The |z| at which to stop at each look. `times`: the parts of the final information at the looks,
 * rising, in (0, 1]. `alpha` is two-sided: each side spends 2 - 2 Φ(z_(1 - alpha/4)/√t) of alpha/2.
 * The crossing of the other side is left out of account, as in all tables (its part is below 1e-9
 * for alpha ≤ 0.1). Results are right to about 1e-6. A few milliseconds for a look. */
enum status statistics_group_bounds(const double *times, size_t looks, double alpha,
                                    double *bounds) MUST_CHECK;

#endif
