/* Ranks, and the sorted differences of all pairs. */
#include "statistics_rank.h"

#include <math.h>
#include <stdlib.h>

#define EXACT_MOST 50 /* of each sample, as R's wilcox.test() */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool all_finite(const double *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(list[i]))
            return false;
    }
    return true;
}

/* Memory for a × b doubles, or NULL; it holds one at least. */
static double *new_doubles(size_t a, size_t b)
{
    size_t count, bytes;
    if (!size_multiply(a, b, &count) || !size_multiply(count ? count : 1, sizeof(double), &bytes))
        return NULL;
    return malloc(bytes);
}

/* Σ (t³ - t) over the runs of equal observations of both samples. */
static enum status sum_ties(const double *x, size_t x_count, const double *y, size_t y_count,
                            double *out)
{
    size_t count = x_count + y_count, run = 1;
    double *all = new_doubles(count, 1);
    if (!all)
        return STATUS_NO_MEMORY;
    memcpy(all, x, x_count * sizeof *x);
    memcpy(all + x_count, y, y_count * sizeof *y);
    qsort(all, count, sizeof *all, compare_doubles);
    *out = 0;
    for (size_t i = 1; i <= count; i++) {
        if (i < count && all[i] == all[i - 1]) {
            run++;
            continue;
        }
        double t = (double)run;
        *out += t * t * t - t;
        run = 1;
    }
    free(all);
    return STATUS_OK;
}

/* How many arrangements of m and n give each U ≤ most: the coefficients of the Gaussian binomial,
 * Π_{i=1..m} (1 - q^(n+i))/(1 - q^i). As doubles: C(100, 50) is 1e29. Two passes per factor.
 * `ways` comes zeroed. */
static void count_arrangements(size_t m, size_t n, double *ways, size_t most)
{
    ways[0] = 1;
    for (size_t i = 1; i <= m; i++) {
        for (size_t u = most; u >= n + i; u--)
            ways[u] -= ways[u - n - i];
        for (size_t u = i; u <= most; u++)
            ways[u] += ways[u - i];
    }
}

/* The largest q with P(U < q) ≤ alpha/2, exactly; 0 when even U = 0 is too likely. */
static enum status exact_quantile(size_t m, size_t n, double alpha, size_t *out)
{
    size_t most = m * n, q = 0;
    double *ways = calloc(most + 1, sizeof *ways), total = 1, sum = 0;
    if (!ways)
        return STATUS_NO_MEMORY;
    count_arrangements(m, n, ways, most);
    for (size_t i = 1; i <= m; i++)
        total *= (double)(n + i) / (double)i;
    for (; q < most; q++) {
        sum += ways[q];
        if (sum > alpha / 2 * total)
            break;
    }
    free(ways);
    *out = q;
    return STATUS_OK;
}

/* The same by the normal approximation with half a pair for continuity. */
static enum status normal_quantile(double middle, double deviation, double alpha, size_t *out)
{
    double z;
    enum status status = statistics_normal_quantile(alpha / 2, &z);
    if (status != STATUS_OK)
        return status;
    double last = floor(middle + z * deviation - 0.5);
    *out = last < 0 ? 0 : (size_t)last + 1;
    return STATUS_OK;
}

/* Shift and interval of the differences, which are sorted here. */
static void read_off(double *differences, size_t pairs, size_t q, struct rank_test *test)
{
    qsort(differences, pairs, sizeof *differences, compare_doubles);
    double low = differences[(pairs - 1) / 2], high = differences[pairs / 2];
    test->shift = low / 2 + high / 2; /* their sum might overflow */
    test->interval = (struct interval){-STATISTICS_MOST, STATISTICS_MOST};
    if (q > 0 && q <= pairs)
        test->interval = (struct interval){differences[q - 1], differences[pairs - q]};
}

/* U and the differences. */
static void compare_pairs(const double *x, size_t x_count, const double *y, size_t y_count,
                          double *differences, double *u)
{
    *u = 0;
    for (size_t i = 0; i < x_count; i++) {
        for (size_t j = 0; j < y_count; j++) {
            *u += x[i] > y[j] ? 1 : x[i] == y[j] ? 0.5 : 0;
            double difference = x[i] - y[j];
            differences[i * y_count + j] =
                fmax(fmin(difference, STATISTICS_MOST), -STATISTICS_MOST);
        }
    }
}

enum status statistics_rank(const double *x, size_t x_count, const double *y, size_t y_count,
                            double confidence, struct rank_test *out)
{
    size_t pairs, q = 0;
    double ties;
    if (!size_multiply(x_count, y_count, &pairs) || pairs > STATISTICS_MOST_PAIRS)
        return STATUS_LIMIT;
    if (pairs == 0 || !(confidence > 0 && confidence < 1) || !all_finite(x, x_count) ||
        !all_finite(y, y_count))
        return STATUS_INVALID;
    enum status status = sum_ties(x, x_count, y, y_count, &ties);
    if (status != STATUS_OK)
        return status;
    double *differences = new_doubles(x_count, y_count);
    if (!differences)
        return STATUS_NO_MEMORY;

    struct rank_test test = {.p = 1};
    compare_pairs(x, x_count, y, y_count, differences, &test.u);
    double n = (double)x_count + (double)y_count, middle = (double)pairs / 2;
    double deviation = sqrt((double)pairs / 12 * (n + 1 - ties / (n * (n - 1))));
    double distance = test.u - middle;
    if (deviation > 0 && distance != 0) {
        test.z = (distance - copysign(0.5, distance)) / deviation;
        test.p = fmin(1, erfc(fabs(test.z) * M_SQRT1_2));
    }
    bool exact = ties == 0 && x_count <= EXACT_MOST && y_count <= EXACT_MOST;
    status = exact ? exact_quantile(x_count, y_count, 1 - confidence, &q)
                   : normal_quantile(middle, deviation, 1 - confidence, &q);
    if (status == STATUS_OK) {
        read_off(differences, pairs, q, &test);
        *out = test;
    }
    free(differences);
    return status;
}
