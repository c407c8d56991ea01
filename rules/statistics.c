/* Mixtures of normal martingales, in logarithms. */
#include "statistics.h"

#include <float.h>
#include <math.h>

static double cut(double x)
{
    return x > STATISTICS_MOST ? STATISTICS_MOST : x < -STATISTICS_MOST ? -STATISTICS_MOST : x;
}

/* Hands `x` out unless it is no number. */
static enum status hand_out(double x, double *out)
{
    if (isnan(x))
        return STATUS_INVALID;
    *out = cut(x);
    return STATUS_OK;
}

static bool is_level(double alpha)
{
    return alpha > 0 && alpha < 1; /* NaN is neither */
}

static bool is_positive(double x)
{
    return isfinite(x) && x > 0;
}

/* --- the normal distribution ------------------------------------------------------------------ */

/* ln(Φ(z) e^(z²/2)): what is left of the tail when its exponential is taken off. Far out by the
 * asymptotic series of Mills' ratio, 1/|z| (1 - 1/z² + 3/z⁴ - …), whose eleventh term is below
 * 1e-16 at |z| = 20. */
static double log_tail_ratio(double z)
{
    if (z > -20)
        return log(0.5 * erfc(-z * M_SQRT1_2)) + z * z / 2;
    double inverse = 1 / (z * z), term = 1, sum = 1;
    for (int k = 1; k <= 10; k++) {
        term *= -(2 * k - 1) * inverse;
        sum += term;
    }
    return log(sum) - log(-z) - 0.5 * log(2 * M_PI);
}

double statistics_log_normal_cdf(double z)
{
    if (z > 0)
        return log1p(-0.5 * erfc(z * M_SQRT1_2));
    return cut(log_tail_ratio(fmax(z, -1e154)) - fmin(z * z, DBL_MAX) / 2);
}

enum status statistics_normal_quantile(double p, double *out)
{
    if (!is_level(p))
        return STATUS_INVALID;
    /* ln Φ is concave and increasing, so Newton's method from the left of the root of its tail
     * climbs to it; the upper half is the lower one mirrored. */
    bool upper = p > 0.5;
    double target = upper ? log1p(-p) : log(p);
    double z = -sqrt(-2 * target);
    for (int i = 0; i < 60; i++) {
        /* the derivative of ln Φ is φ/Φ = e^(-ln_tail_ratio)/√(2π) */
        double slope = exp(-log_tail_ratio(z)) / sqrt(2 * M_PI);
        double step = (statistics_log_normal_cdf(z) - target) / slope;
        z -= step;
        if (fabs(step) <= 1e-15 * fmax(1, fabs(z)))
            break;
    }
    return hand_out(upper ? -z : z, out);
}

/* --- the mixture ------------------------------------------------------------------------------ */

static bool is_mixture(double s, double v, double r)
{
    return isfinite(s) && isfinite(v) && v >= 0 && is_positive(r) && isfinite(v + r);
}

enum status statistics_evidence(double s, double v, double r, double *out)
{
    if (!is_mixture(s, v, r))
        return STATUS_INVALID;
    double z = s / sqrt(v + r);
    return hand_out(0.5 * (log(r) - log(v + r)) + z * z / 2, out);
}

enum status statistics_evidence_above(double s, double v, double r, double *out)
{
    if (!is_mixture(s, v, r))
        return STATUS_INVALID;
    double z = s / sqrt(v + r), weight = M_LN2 + 0.5 * (log(r) - log(v + r));
    /* below 0 the two exponentials cancel: their ratio is taken at once */
    if (z <= 0)
        return hand_out(weight + log_tail_ratio(fmax(z, -1e154)), out);
    return hand_out(weight + z * z / 2 + statistics_log_normal_cdf(z), out);
}

enum status statistics_best_r(double v, double alpha, double *out)
{
    if (!is_positive(v) || !is_level(alpha))
        return STATUS_INVALID;
    double twice = -2 * log(alpha);
    double r = v / (twice + log1p(twice));
    if (!is_positive(r))
        return STATUS_INVALID;
    return hand_out(r, out);
}

enum status statistics_bound(double v, double r, double alpha, double *out)
{
    if (!is_mixture(0, v, r) || !is_level(alpha))
        return STATUS_INVALID;
    return hand_out(sqrt(v + r) * sqrt(log(v + r) - log(r) - 2 * log(alpha)), out);
}

/* --- mSPRT ------------------------------------------------------------------------------------ */

static enum status msprt(double n, double difference, double v, double tau_squared, double *out)
{
    if (!is_positive(n) || n > STATISTICS_MOST_COUNT || !isfinite(difference) || !isfinite(v) ||
        v < 0 || !is_positive(tau_squared))
        return STATUS_INVALID;
    if (v == 0)
        return hand_out(0, out);
    /* both divided by v, which leaves E as it is and keeps v² from under- and overflowing */
    return statistics_evidence(n * difference / sqrt(v), n, v / tau_squared, out);
}

enum status statistics_msprt_proportions(double n, double x, double y, double tau_squared,
                                         double *out)
{
    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1))
        return STATUS_INVALID;
    return msprt(n, y - x, x * (1 - x) + y * (1 - y), tau_squared, out);
}

enum status statistics_msprt_means(double n, double x, double y, double variance,
                                   double tau_squared, double *out)
{
    return msprt(n, y - x, 2 * variance, tau_squared, out);
}

/* --- asymptotic confidence sequences ---------------------------------------------------------- */

/* Mean and the variance of the mean. */
static bool summarize(struct sample sample, double *mean, double *variance)
{
    if (!(sample.n >= 2 && sample.n <= STATISTICS_MOST_COUNT) || !isfinite(sample.sum) ||
        !isfinite(sample.squares) || sample.squares < 0)
        return false;
    *mean = sample.sum / sample.n;
    double spread = sample.squares - sample.sum * *mean;
    /* less than no spread is rounding, or sums that do not belong together */
    if (!(spread >= -1e-9 * sample.squares))
        return false;
    *variance = fmax(spread, 0) / (sample.n - 1) / sample.n;
    return isfinite(*variance);
}

static enum status hand_out_estimate(double value, double variance, double n, struct estimate *out)
{
    if (!isfinite(value) || !isfinite(variance))
        return STATUS_INVALID;
    *out = (struct estimate){.value = value, .error = sqrt(variance), .n = n};
    return STATUS_OK;
}

enum status statistics_difference(struct sample a, struct sample b, struct estimate *out)
{
    double mean_a, mean_b, variance_a, variance_b;
    if (!summarize(a, &mean_a, &variance_a) || !summarize(b, &mean_b, &variance_b))
        return STATUS_INVALID;
    return hand_out_estimate(mean_b - mean_a, variance_a + variance_b, a.n + b.n, out);
}

enum status statistics_relative(struct sample a, struct sample b, struct estimate *out)
{
    double mean_a, mean_b, variance_a, variance_b;
    if (!summarize(a, &mean_a, &variance_a) || !summarize(b, &mean_b, &variance_b) || mean_a == 0)
        return STATUS_INVALID;
    double ratio = mean_b / mean_a;
    return hand_out_estimate(ratio - 1, (variance_b + variance_a * ratio * ratio) / mean_a / mean_a,
                             a.n + b.n, out);
}

enum status statistics_rho(double alpha, double horizon, double *out)
{
    if (!is_level(alpha) || !is_positive(horizon))
        return STATUS_INVALID;
    double twice = -2 * log(alpha);
    double rho = sqrt((twice + log1p(twice)) / horizon);
    if (!is_positive(rho))
        return STATUS_INVALID;
    return hand_out(rho, out);
}

/* √(s² 2 (n rho² + 1)/(n rho)²), by which both sequences widen. */
static enum status scale_of(struct estimate estimate, double rho, double *scale, double *spread)
{
    if (!isfinite(estimate.value) || !isfinite(estimate.error) || estimate.error < 0 ||
        !is_positive(estimate.n) || estimate.n > STATISTICS_MOST_COUNT)
        return STATUS_INVALID;
    *spread = estimate.n * rho * rho + 1;
    *scale = estimate.error * sqrt(2 * *spread / estimate.n) / rho;
    return isfinite(*scale) && isfinite(*spread) ? STATUS_OK : STATUS_INVALID;
}

enum status statistics_sequence(struct estimate estimate, double alpha, double horizon,
                                struct interval *out)
{
    double rho, scale, spread;
    if (statistics_rho(alpha, horizon, &rho) != STATUS_OK ||
        scale_of(estimate, rho, &scale, &spread) != STATUS_OK)
        return STATUS_INVALID;
    double half = scale * sqrt(0.5 * log(spread) - log(alpha));
    *out = (struct interval){cut(estimate.value - half), cut(estimate.value + half)};
    return STATUS_OK;
}

enum status statistics_sequence_low(struct estimate estimate, double alpha, double horizon,
                                    double *out)
{
    double rho, scale, spread;
    if (statistics_rho(2 * alpha, horizon, &rho) != STATUS_OK ||
        scale_of(estimate, rho, &scale, &spread) != STATUS_OK)
        return STATUS_INVALID;
    return hand_out(estimate.value - scale * sqrt(log1p(sqrt(spread) / (2 * alpha))), out);
}
