/* Sets of numbers for import. */
#include <math.h>

#include "import_private.h"

static const uint8_t constants[] = {NO, YES, ERROR, ASSUMED, OPAQUE};

enum truth truth_not(enum truth a)
{
    if (a == NO)
        return YES;
    return a == YES ? NO : a;
}

/* Errors may be answered as one likes, also what is opaque beside them. */
enum truth truth_and(enum truth a, enum truth b)
{
    if (a == NO || b == NO)
        return NO;
    if (truth_is_free(a))
        return a;
    if (truth_is_free(b))
        return b == ASSUMED || a == YES ? b : NO;
    return a == YES ? b : a;
}

enum truth truth_or(enum truth a, enum truth b)
{
    return truth_not(truth_and(truth_not(a), truth_not(b)));
}

struct numbers numbers_all(struct importer *importer, enum truth truth)
{
    (void)importer;
    return (struct numbers){NULL, &constants[truth], 0};
}

struct numbers numbers_point(struct importer *importer, double point, enum truth at,
                             enum truth elsewhere)
{
    double *points = importer_take(importer, 1, sizeof *points);
    uint8_t *regions = importer_take(importer, 3, 1);
    if (!points || !regions)
        return numbers_all(importer, NO);
    points[0] = point;
    regions[0] = regions[2] = (uint8_t)elsewhere;
    regions[1] = (uint8_t)at;
    return (struct numbers){points, regions, 1};
}

struct numbers numbers_compare(struct importer *importer, const char *operator_text, double bound)
{
    bool less = *operator_text == '<';
    double *points = importer_take(importer, 1, sizeof *points);
    uint8_t *regions = importer_take(importer, 3, 1);
    if (!points || !regions)
        return numbers_all(importer, NO);
    points[0] = bound;
    regions[0] = less ? YES : NO;
    regions[1] = operator_text[1] == '=' ? YES : NO;
    regions[2] = less ? NO : YES;
    return (struct numbers){points, regions, 1};
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct numbers numbers_of(struct importer *importer, double *points, size_t count)
{
    size_t distinct = 0;
    uint8_t *regions = importer_take(importer, count * 2 + 1, 1);
    if (!regions || count == 0)
        return numbers_all(importer, NO);
    qsort(points, count, sizeof *points, ascending);
    for (size_t i = 0; i < count; i++) {
        if (distinct == 0 || points[distinct - 1] != points[i])
            points[distinct++] = points[i];
    }
    for (size_t i = 0; i < distinct * 2 + 1; i++)
        regions[i] = i % 2 ? YES : NO;
    return (struct numbers){points, regions, distinct};
}

struct numbers numbers_not(struct importer *importer, struct numbers a)
{
    uint8_t *regions = importer_take(importer, a.count * 2 + 1, 1);
    if (!regions)
        return numbers_all(importer, NO);
    for (size_t i = 0; i < a.count * 2 + 1; i++)
        regions[i] = (uint8_t)truth_not((enum truth)a.regions[i]);
    return (struct numbers){a.points, regions, a.count};
}

/* Both cut at the points of both; then what does not cut is dropped. */
struct numbers numbers_join(struct importer *importer, struct numbers a, struct numbers b,
                            bool both)
{
    size_t most = a.count + b.count, count = 0, i = 0, j = 0;
    double *points = importer_take(importer, most + 1, sizeof *points);
    uint8_t *regions = importer_take(importer, most * 2 + 1, 1);
    enum truth (*join)(enum truth, enum truth) = both ? truth_and : truth_or;
    if (!points || !regions)
        return numbers_all(importer, NO);
    regions[0] = (uint8_t)join((enum truth)a.regions[0], (enum truth)b.regions[0]);
    while (i < a.count || j < b.count) {
        bool from_a = i < a.count && (j == b.count || a.points[i] <= b.points[j]);
        bool from_b = j < b.count && (i == a.count || b.points[j] <= a.points[i]);
        double point = from_a ? a.points[i] : b.points[j];
        enum truth at =
            join((enum truth)a.regions[i * 2 + from_a], (enum truth)b.regions[j * 2 + from_b]);
        i += from_a;
        j += from_b;
        enum truth after = join((enum truth)a.regions[i * 2], (enum truth)b.regions[j * 2]);
        if (at == after && at == (enum truth)regions[count * 2])
            continue;
        points[count] = point;
        regions[count * 2 + 1] = (uint8_t)at;
        regions[count * 2 + 2] = (uint8_t)after;
        count++;
    }
    return (struct numbers){points, regions, count};
}

enum truth numbers_at(struct numbers a, double number)
{
    size_t low = 0, high = a.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (a.points[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool on = low < a.count && a.points[low] == number;
    return (enum truth)a.regions[low * 2 + on];
}

bool numbers_may_be(struct numbers a, bool wanted)
{
    for (size_t i = 0; i < a.count * 2 + 1; i++) {
        if (!truth_may_be((enum truth)a.regions[i], wanted))
            return false;
    }
    return true;
}

/* --- numbers in strings ---------------------------------------------------------------------- */

/* What JavaScript's Number() makes of a string: YES a number, NO none. */
enum truth import_number_of(struct text text, double *out)
{
    *out = number_of_text(text);
    return isnan(*out) ? NO : YES;
}
