/* The distribution of a random walk that stops above a boundary, carried from look to look on a
 * grid. */
#include "statistics_group.h"

#include <math.h>
#include <stdlib.h>

#define GRID 801      /* points; Simpson's rule wants an odd number */
#define FARTHEST 10.0 /* standard deviations below 0 that still matter */
#define BISECTIONS 60

/* The density of z√t at one look over those who have not stopped: `count` points from `low` on. */
struct walk {
    double low, step, time;
    double density[GRID];
};

static double normal_tail(double z)
{
    return 0.5 * erfc(z * M_SQRT1_2);
}

/* What Simpson's rule gives each point. */
static double weight_of(size_t i)
{
    return i == 0 || i == GRID - 1 ? 1.0 / 3 : i % 2 ? 4.0 / 3 : 2.0 / 3;
}

/* P(the walk is above `score` after `time` more), for those who have not stopped. */
static double crossing(const struct walk *walk, double time, double score)
{
    double sum = 0, deviation = sqrt(time);
    for (size_t i = 0; i < GRID; i++) {
        double at = walk->low + walk->step * (double)i;
        sum += weight_of(i) * walk->density[i] * normal_tail((score - at) / deviation);
    }
    return sum * walk->step;
}

/* The walk at the first look (from == NULL) or after `from`, stopped above `score`. */
static void carry(const struct walk *from, double time, double score, struct walk *to)
{
    to->time = time;
    to->low = fmin(-FARTHEST * sqrt(time), score - 1);
    to->step = (score - to->low) / (GRID - 1);
    double passed = time - (from ? from->time : 0);
    double scale = 1 / sqrt(2 * M_PI * passed);
    for (size_t i = 0; i < GRID; i++) {
        double at = to->low + to->step * (double)i, sum = 0;
        if (!from) {
            to->density[i] = scale * exp(-at * at / (2 * passed));
            continue;
        }
        for (size_t j = 0; j < GRID; j++) {
            double way = at - (from->low + from->step * (double)j);
            sum += weight_of(j) * from->density[j] * exp(-way * way / (2 * passed));
        }
        to->density[i] = sum * from->step * scale;
    }
}

/* The score above which `probability` of the walk goes. */
static double score_for(const struct walk *from, double time, double probability)
{
    double root = sqrt(time), low = -FARTHEST * root, high = 40 * root;
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = (low + high) / 2;
        double p = from ? crossing(from, time - from->time, middle) : normal_tail(middle / root);
        if (p > probability)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static bool are_times(const double *times, size_t looks)
{
    double before = 0;
    for (size_t i = 0; i < looks; i++) {
        /* looks that follow closer than the grid can tell apart are none of their own */
        if (!(times[i] > before && times[i] <= 1) || times[i] - before < 1e-3)
            return false;
        before = times[i];
    }
    return true;
}

enum status statistics_group_bounds(const double *times, size_t looks, double alpha, double *bounds)
{
    double z, spent = 0;
    if (looks > STATISTICS_MOST_LOOKS)
        return STATUS_LIMIT;
    if (looks == 0 || !are_times(times, looks) || !(alpha > 0 && alpha < 1) ||
        statistics_normal_quantile(1 - alpha / 4, &z) != STATUS_OK)
        return STATUS_INVALID;
    struct walk *walks = calloc(2, sizeof *walks);
    if (!walks)
        return STATUS_NO_MEMORY;
    struct walk *from = NULL;
    for (size_t i = 0; i < looks; i++) {
        double due = 2 * normal_tail(z / sqrt(times[i]));
        double score = score_for(from, times[i], due - spent);
        bounds[i] = score / sqrt(times[i]);
        struct walk *to = &walks[i % 2];
        carry(from, times[i], score, to);
        from = to;
        spent = due;
    }
    free(walks);
    return STATUS_OK;
}
