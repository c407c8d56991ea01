/* statistics_count.h - evidence from counts: whether a rate is above or below a limit, whether arms
 * have the shares that they were given.
 *
 * Exact where the normal mixture is not: with ten errors among thousands of requests the tail to
 * the right is heavier than a normal one. Trials are taken as independent. Counts may have
 * fractions, since Prometheus extrapolates; they are at most STATISTICS_MOST_COUNT. Otherwise as
 * statistics.h: pure, STATUS_INVALID for what is not in the domain, finite results.
 *
 * Sources: Howard et al. 2021 and confseq (beta-binomial mixture); Lindon, Malek, "Anytime-valid
 * inference for multinomial count data", NeurIPS 2022 (sequential sample-ratio mismatch). */
#ifndef WEIR_STATISTICS_COUNT_H
#define WEIR_STATISTICS_COUNT_H

#include "statistics.h"

/* A beta distribution of rates: mean a/(a + b). */
struct beta {
    double a, b;
};

/* The mixture for a limit `p` that is sharpest after `horizon` trials (confseq's): a = r/(1 - p), b
 * = r/p, r = max(rho - p (1 - p), p (1 - p)/1000), rho = best r at V = p (1 - p) horizon. */
enum status statistics_beta(double p, double horizon, double alpha, struct beta *out) MUST_CHECK;

/* ln E = ln B(a + x, b + n - x) - ln B(a, b) - x ln p - (n - x) ln(1 - p), against a rate of p, on
 * either side. 0 ≤ x ≤ n. */
enum status statistics_count_evidence(double x, double n, double p, struct beta beta,
                                      double *out) MUST_CHECK;
/* The same with the mixture cut to rates above p (below p): a rate of p or less (or more) is the
 * whole null, so what is on the good side never counts as harm. */
enum status statistics_count_above(double x, double n, double p, struct beta beta,
                                   double *out) MUST_CHECK;
enum status statistics_count_below(double x, double n, double p, struct beta beta,
                                   double *out) MUST_CHECK;

/* The confidence sequence of a rate after x of n: where the two-sided ln E of p is below
 * ln(1/alpha), by bisection. n > 0. */
enum status statistics_count_sequence(double x, double n, double alpha, double horizon,
                                      struct interval *out) MUST_CHECK;

/* Sequential sample-ratio mismatch of two arms: `share` is the part that the first was to have;
 * a = k share, b = k (1 - share). A larger k looks for smaller deviations. */
enum status statistics_ratio_evidence(double first, double second, double share, double k,
                                      double *out) MUST_CHECK;

/* p-value of Pearson's χ² for `count` arms, once: Σ (O - E)²/E, weights - 1 degrees of freedom.
 * Arms of weight 0 are not counted (as GrowthBook's stats.ts, not its Python), but anybody in one
 * is a mismatch (p = 0). At most STATISTICS_MOST_ARMS. */
#define STATISTICS_MOST_ARMS 64
enum status statistics_ratio_p(const double *observed, const double *weights, size_t count,
                               double *out) MUST_CHECK;

#endif
