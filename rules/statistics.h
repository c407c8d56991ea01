/* statistics.h - evidence that may be looked at as often as one likes: mixtures of normal
 * martingales, and what follows from them (mSPRT, confidence sequences).
 *
 * A test of fixed size that is looked at every day for twelve weeks cries wolf in more than a third
 * of all rollouts without harm. An e-value does not: under the null its expectation is at most 1 at
 * every time, so that by Ville's inequality it ever reaches 1/alpha with probability at most alpha.
 * One function stands behind all of them: with S a sum of centred observations and V the sum of
 * their variances, E(S, V, r) is the likelihood ratio mixed over a normal distribution of effects;
 * r says at which V the test is sharpest. Logarithms throughout: E itself overflows soon.
 *
 * Everything here is a function of its arguments alone and owns nothing. Arguments that are not
 * finite, or outside their domain, give STATUS_INVALID and leave *out as it is. Results are finite:
 * what would overflow is cut at STATISTICS_MOST.
 *
 * Sources: Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic
 * confidence sequences", Ann. Statist. 49 (2021), and its package confseq; Johari, Koomen,
 * Pekelis, Walsh, "Peeking at A/B tests", KDD 2017; Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas,
 * "Time-uniform central limit theory and asymptotic confidence sequences", arXiv:2103.06476, as
 * GrowthBook has it. */
#ifndef WEIR_STATISTICS_H
#define WEIR_STATISTICS_H

#include "base.h"

#define STATISTICS_MOST 1e300      /* results are cut at ± this */
#define STATISTICS_MOST_COUNT 1e12 /* of trials or units: beyond it doubles lose what decides */
#define STATISTICS_DEFAULT_HORIZON 5000 /* units; GrowthBook's N* */

struct interval {
    double low, high;
};

/* --- the normal distribution ------------------------------------------------------------------ */

/* ln Φ(z), exact to about 1e-13 also where Φ(z) underflows. `z` is not NaN. */
double statistics_log_normal_cdf(double z);
/* The z with Φ(z) = p, 0 < p < 1. */
enum status statistics_normal_quantile(double p, double *out) MUST_CHECK;

/* --- the mixture ------------------------------------------------------------------------------ */

/* ln E = ½ ln(r/(V + r)) + S²/(2 (V + r)): against effects of either sign. V ≥ 0, r > 0. */
enum status statistics_evidence(double s, double v, double r, double *out) MUST_CHECK;
/* ln E₊ = ln 2 + ln E + ln Φ(S/√(V + r)): mixed over positive effects only (half-normal). The right
 * one for "worse than": being better than the margin is no evidence of harm. */
enum status statistics_evidence_above(double s, double v, double r, double *out) MUST_CHECK;
/* The r with which the bound is narrowest at V = `v`: v / (2 ln(1/alpha) + ln(1 + 2 ln(1/alpha)))
 * (Howard et al. 2021, section 3.5, to first order). For a one-sided test pass 2 alpha. v > 0. */
enum status statistics_best_r(double v, double alpha, double *out) MUST_CHECK;
/* The |S| at which the two-sided E reaches 1/alpha: √((V + r) ln((V + r)/(alpha² r))). */
enum status statistics_bound(double v, double r, double alpha, double *out) MUST_CHECK;

/* --- mSPRT (Johari et al. 2017) --------------------------------------------------------------- */

/* ln E of two proportions `x` and `y` after `n` units in each arm, for effects ~ N(0, tau²):
 * S = n (y - x), V = n v, r = v²/tau² with v = x (1 - x) + y (1 - y). With v = 0 there is none: 0.
 */
enum status statistics_msprt_proportions(double n, double x, double y, double tau_squared,
                                         double *out) MUST_CHECK;
/* The same of two means, whose observations have the variance `variance`: v = 2 variance. */
enum status statistics_msprt_means(double n, double x, double y, double variance,
                                   double tau_squared, double *out) MUST_CHECK;

/* --- asymptotic confidence sequences (arXiv:2103.06476, as GrowthBook has them) ----------------
 */

/* Number, sum and sum of squares of what was observed: all that is known of an arm. */
struct sample {
    double n, sum, squares;
};

/* An estimated difference: `error` is its standard error, `n` the units of both arms. */
struct estimate {
    double value, error, n;
};

/* mean(b) - mean(a); variances with n - 1. Both need n ≥ 2. */
enum status statistics_difference(struct sample a, struct sample b,
                                  struct estimate *out) MUST_CHECK;
/* mean(b)/mean(a) - 1, its error by the delta method. mean(a) is not 0. */
enum status statistics_relative(struct sample a, struct sample b, struct estimate *out) MUST_CHECK;

/* rho = √((-2 ln alpha + ln(1 - 2 ln alpha))/horizon): r = error² n / rho² is the mixture's. */
enum status statistics_rho(double alpha, double horizon, double *out) MUST_CHECK;
/* The two-sided sequence, eq. 9: value ± √s² √(2 (n rho² + 1) ln(√(n rho² + 1)/alpha) / (n rho)²)
 * with s² = error² n. `horizon`: the n at which it is narrowest. */
enum status statistics_sequence(struct estimate estimate, double alpha, double horizon,
                                struct interval *out) MUST_CHECK;
/* The lower bound of the one-sided sequence, eq. 134, rho taken at 2 alpha (so alpha < ½): value -
 * √(s² 2 (n rho² + 1)/(n rho)² ln(1 + √(n rho² + 1)/(2 alpha))). */
enum status statistics_sequence_low(struct estimate estimate, double alpha, double horizon,
                                    double *out) MUST_CHECK;

#endif
