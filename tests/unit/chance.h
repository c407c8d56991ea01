/* chance.h - chance that can be repeated: numbers that a seed decides, the same on any machine. */
#ifndef WEIR_CHANCE_H
#define WEIR_CHANCE_H

#include <math.h>
#include <stdint.h>

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static inline uint64_t chance_next(uint64_t *chance)
{
    uint64_t z = *chance += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* In (0, 1). */
static inline double chance_uniform(uint64_t *chance)
{
    return ((double)(chance_next(chance) >> 11) + 0.5) * 0x1p-53;
}

/* Binomial: from one success to the next by geometric steps, so in a time of n p. */
static inline double chance_binomial(uint64_t *chance, double n, double p)
{
    double scale = 1 / log1p(-p), at = 0, successes = 0;
    if (p <= 0)
        return 0;
    for (;;) {
        at += floor(log(chance_uniform(chance)) * scale) + 1;
        if (at > n)
            return successes;
        successes++;
    }
}

#endif
