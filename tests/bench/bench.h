/* bench.h - what the bench programs share: a clock, medians, and how a figure is handed on.
 *
 * A program prints one JSON object a line, {"name":…,"value":…}; bench.py knows what each name
 * means, in which unit, and which figure is to be reached. A bench that cannot measure what it
 * claims to ends with exit code 1: a figure of something else is worse than none. */
#ifndef WEIR_BENCH_H
#define WEIR_BENCH_H

#include "../../rules/catalog.h"

/* Nanoseconds of this process's CPU time, user and system: what is measured with it runs on one
 * thread and waits for nothing, and other processes take nothing from it but cache. */
double bench_now(void);
/* Nanoseconds on the clock on the wall, for what several threads do. */
double bench_elapsed(void);
/* Sorts `values`. 0 for none. */
double bench_median(double *values, size_t count);
/* $BENCH_QUICK is set and neither empty nor 0: fewer rounds. */
bool bench_is_quick(void);
/* Hands a figure on. */
void bench_report(const char *name, double value);
/* Prints "bench: …" to standard error and exits with 1. */
void bench_fail(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
/* The catalog of a sorted bundle; fails when there is a fault. `schemas` from catalog_schemas(),
 * `crew` may be NULL. */
void bench_catalog(struct catalog *catalog, const struct schema_set *schemas,
                   const struct bundle *bundle, const struct crew *crew,
                   struct diagnostics *diagnostics);

#endif
