/* Beta-binomial mixtures, in logarithms. */
#include "statistics_count.h"

#include <float.h>
#include <math.h>

#define FRACTION_STEPS 20000 /* of the continued fraction; what needs more is normal by then */
#define BISECTIONS 100
#define LEAST_PRIOR (-23) /* e^-23 = 1e-10: less is nothing but rounding */

static enum status hand_out(double x, double *out)
{
    if (isnan(x))
        return STATUS_INVALID;
    *out = fmax(fmin(x, STATISTICS_MOST), -STATISTICS_MOST);
    return STATUS_OK;
}

static bool is_rate(double p)
{
    return p > 0 && p < 1;
}

static bool are_counts(double x, double n)
{
    return x >= 0 && x <= n && n <= STATISTICS_MOST_COUNT; /* false for NaN */
}

static bool is_beta(struct beta beta)
{
    return beta.a >= DBL_MIN && beta.b >= DBL_MIN && beta.a <= STATISTICS_MOST_COUNT &&
           beta.b <= STATISTICS_MOST_COUNT;
}

/* --- beta functions --------------------------------------------------------------------------- */

static double log_gamma(double x)
{
    int sign; /* lgamma() would leave it in a global */
    return lgamma_r(x, &sign);
}

/* What Stirling's formula lacks at x ≥ 10: ln Γ(x) = (x - ½) ln x - x + ½ ln 2π + this. */
static double stirling_rest(double x)
{
    double inverse = 1 / (x * x);
    return (1.0 / 12 - inverse * (1.0 / 360 - inverse * (1.0 / 1260 - inverse / 1680))) / x;
}

/* ln B(a, b). The terms of three large ln Γ cancel, and with them all digits: by Stirling's formula
 * they are taken off before they are summed. */
static double log_beta(double a, double b)
{
    double small = fmin(a, b), large = fmax(a, b), sum = a + b;
    if (large < 10)
        return log_gamma(a) + log_gamma(b) - log_gamma(sum);
    double rest = stirling_rest(large) - stirling_rest(sum);
    if (small < 10)
        return log_gamma(small) + rest + small - small * log(sum) +
               (large - 0.5) * log1p(-small / sum);
    return 0.5 * log(2 * M_PI) - 0.5 * log(large) + stirling_rest(small) + rest +
           (small - 0.5) * log(small / sum) + large * log1p(-small / sum);
}

/* The continued fraction of the incomplete beta function by Lentz's method (DLMF 8.17.22), for x <
 * (a + 1)/(a + b + 2). False when it has not settled. */
static bool beta_fraction(double a, double b, double x, double *out)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= FRACTION_STEPS; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double before = h;
        for (int half = 0; half < 2; half++) {
            double term = half ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            h *= c * d;
        }
        if (fabs(h - before) <= 1e-13 * fabs(h)) {
            *out = h;
            return h > 0;
        }
    }
    return false;
}

/* ln P(rate ≤ x) of a beta distribution. */
static double log_beta_cdf(double a, double b, double x)
{
    double mean = a / (a + b), h;
    bool mirrored = x >= (a + 1) / (a + b + 2);
    double p = mirrored ? 1 - x : x, shape = mirrored ? b : a, other = mirrored ? a : b;
    if (!beta_fraction(shape, other, p, &h))
        return statistics_log_normal_cdf((x - mean) / sqrt(mean * (1 - mean) / (a + b + 1)));
    double left = shape * log(p) + other * log1p(-p) - log_beta(a, b) - log(shape) + log(h);
    left = fmin(left, 0);
    if (!mirrored)
        return left;
    return left > -DBL_MIN ? -STATISTICS_MOST : log1p(-exp(left));
}

/* --- a rate and its limit --------------------------------------------------------------------- */

enum status statistics_beta(double p, double horizon, double alpha, struct beta *out)
{
    double variance = p * (1 - p), r;
    if (!is_rate(p) || statistics_best_r(variance * horizon, alpha, &r) != STATUS_OK)
        return STATUS_INVALID;
    r = fmax(r - variance, 1e-3 * variance);
    struct beta beta = {.a = r / (1 - p), .b = r / p};
    if (!is_beta(beta))
        return STATUS_INVALID;
    *out = beta;
    return STATUS_OK;
}

enum status statistics_count_evidence(double x, double n, double p, struct beta beta, double *out)
{
    if (!are_counts(x, n) || !is_rate(p) || !is_beta(beta))
        return STATUS_INVALID;
    return hand_out(log_beta(beta.a + x, beta.b + (n - x)) - log_beta(beta.a, beta.b) - x * log(p) -
                        (n - x) * log1p(-p),
                    out);
}

enum status statistics_count_above(double x, double n, double p, struct beta beta, double *out)
{
    double both;
    enum status status = statistics_count_evidence(x, n, p, beta, &both);
    if (status != STATUS_OK)
        return status;
    /* P(rate > p) is P(1 - rate < 1 - p) */
    double prior = log_beta_cdf(beta.b, beta.a, 1 - p);
    if (prior < LEAST_PRIOR)
        return STATUS_INVALID;
    return hand_out(both + log_beta_cdf(beta.b + (n - x), beta.a + x, 1 - p) - prior, out);
}

enum status statistics_count_below(double x, double n, double p, struct beta beta, double *out)
{
    if (!are_counts(x, n))
        return STATUS_INVALID;
    return statistics_count_above(n - x, n, 1 - p, (struct beta){.a = beta.b, .b = beta.a}, out);
}

/* Whether `p` is outside the sequence. */
static bool is_excluded(double x, double n, double p, double alpha, double horizon)
{
    struct beta beta;
    double evidence;
    return statistics_beta(p, horizon, alpha, &beta) == STATUS_OK &&
           statistics_count_evidence(x, n, p, beta, &evidence) == STATUS_OK &&
           evidence >= -log(alpha);
}

/* The end between `outside` and `inside`. */
static double bisect(double outside, double inside, double x, double n, double alpha,
                     double horizon)
{
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = outside + (inside - outside) / 2;
        if (middle > 0 && middle < 1 && is_excluded(x, n, middle, alpha, horizon))
            outside = middle;
        else
            inside = middle;
    }
    return inside;
}

enum status statistics_count_sequence(double x, double n, double alpha, double horizon,
                                      struct interval *out)
{
    double r;
    if (!are_counts(x, n) || n <= 0 || statistics_best_r(horizon, alpha, &r) != STATUS_OK)
        return STATUS_INVALID;
    double rate = x / n;
    *out = (struct interval){.low = x > 0 ? bisect(0, rate, x, n, alpha, horizon) : 0,
                             .high = x < n ? bisect(1, rate, x, n, alpha, horizon) : 1};
    return STATUS_OK;
}

/* --- shares ----------------------------------------------------------------------------------- */

enum status statistics_ratio_evidence(double first, double second, double share, double k,
                                      double *out)
{
    if (!(first >= 0) || !(second >= 0) || !isfinite(k))
        return STATUS_INVALID;
    return statistics_count_evidence(first, first + second, share,
                                     (struct beta){.a = k * share, .b = k * (1 - share)}, out);
}

/* P(χ² with `degrees` > x), from degrees 1 or 2 upwards: Q(k + 1, t) = Q(k, t) + t^k e^-t/Γ(k + 1).
 */
static double chi_square_tail(double x, unsigned degrees)
{
    double half = x / 2;
    bool odd = degrees % 2 == 1;
    double tail = odd ? erfc(sqrt(half)) : exp(-half);
    for (unsigned twice = odd ? 1 : 2; half > 0 && twice < degrees; twice += 2)
        tail += exp(0.5 * twice * log(half) - half - log_gamma(0.5 * twice + 1));
    return fmin(tail, 1);
}

enum status statistics_ratio_p(const double *observed, const double *weights, size_t count,
                               double *out)
{
    double total = 0, weight = 0, square = 0;
    unsigned arms = 0;
    bool stray = false;
    if (count > STATISTICS_MOST_ARMS)
        return STATUS_LIMIT;
    for (size_t i = 0; i < count; i++) {
        if (!are_counts(observed[i], STATISTICS_MOST_COUNT) || !isfinite(weights[i]) ||
            weights[i] < 0)
            return STATUS_INVALID;
        total += observed[i];
        weight += weights[i];
        arms += weights[i] > 0;
        stray = stray || (weights[i] == 0 && observed[i] > 0);
    }
    if (arms < 2 || total <= 0 || !isfinite(weight))
        return STATUS_INVALID;
    for (size_t i = 0; i < count; i++) {
        double expected = total * (weights[i] / weight);
        if (expected > 0)
            square += (observed[i] - expected) * ((observed[i] - expected) / expected);
    }
    return hand_out(stray ? 0 : chi_square_tail(fmin(square, DBL_MAX), arms - 1), out);
}
