#include "similar.h"

#define LONGEST 64

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: the rows before last, last and current of the usual table. */
unsigned text_distance(struct text a, struct text b, unsigned limit)
{
    unsigned rows[3][LONGEST + 1];
    size_t apart = a.length > b.length ? a.length - b.length : b.length - a.length;
    if (a.length > LONGEST || b.length > LONGEST || apart > limit)
        return limit + 1;
    for (size_t j = 0; j <= b.length; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.length; i++) {
        unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.length; j++) {
            bool same = a.data[i - 1] == b.data[j - 1];
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + !same);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    unsigned distance = rows[a.length % 3][b.length];
    return distance <= limit ? distance : limit + 1;
}

void similar_offer(struct similar *best, struct text wanted, struct text candidate)
{
    unsigned distance = text_distance(wanted, candidate, 2);
    if (distance > 2 || distance >= wanted.length)
        return;
    if (best->name.length == 0 || distance < best->distance) {
        best->name = candidate;
        best->distance = distance;
    }
}
