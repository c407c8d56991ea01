/* statistics_rank.h - the Mann-Whitney U test, and by how much one sample is shifted against
 * another.
 *
 * For one look a phase: it is no sequential test, and observations that follow each other in time
 * are not independent. What Kayenta's judge computes, with the interval read off the sorted
 * differences and not searched for in a step function.
 *
 * Sources: Mann, Whitney, Ann. Math. Statist. 18 (1947); Hodges, Lehmann, Ann. Math. Statist. 34
 * (1963); Hollander, Wolfe, "Nonparametric Statistical Methods", section 4.3. */
#ifndef WEIR_STATISTICS_RANK_H
#define WEIR_STATISTICS_RANK_H

#include "statistics.h"

#define STATISTICS_MOST_PAIRS ((size_t)1 << 22) /* 32 MiB of differences while it computes */

struct rank_test {
    double u;     /* of x: pairs in which x is the larger, ties count half */
    double z;     /* by the normal approximation, corrected for ties and continuity */
    double p;     /* two-sided, of z; 1 where all observations are the same */
    double shift; /* Hodges-Lehmann: the median of x - y over all pairs */
    /* Order statistics of the differences that hold the shift with the confidence asked for (up to
     * 50 of each without ties by the exact distribution of U). So few observations that no interval
     * is that sure: ± STATISTICS_MOST. */
    struct interval interval;
};

/* Is x larger than y? `confidence` in (0, 1), as 0.95. Neither sample is empty or holds what is not
 * finite (STATUS_INVALID); more than STATISTICS_MOST_PAIRS pairs are STATUS_LIMIT. */
enum status statistics_rank(const double *x, size_t x_count, const double *y, size_t y_count,
                            double confidence, struct rank_test *out) MUST_CHECK;

#endif
