#include "bench.h"

#include <stdarg.h>
#include <time.h>

static double read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

double bench_now(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

double bench_elapsed(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_size);
    size_t middle = count / 2;
    return count % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

bool bench_is_quick(void)
{
    const char *quick = getenv("BENCH_QUICK");
    return quick && *quick && strcmp(quick, "0") != 0;
}

void bench_report(const char *name, double value)
{
    printf("{\"name\":\"%s\",\"value\":%.6g}\n", name, value);
    fflush(stdout);
}

void bench_fail(const char *format, ...)
{
    va_list arguments;
    fputs("bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void bench_catalog(struct catalog *catalog, const struct schema_set *schemas,
                   const struct bundle *bundle, const struct crew *crew,
                   struct diagnostics *diagnostics)
{
    if (catalog_build(catalog, schemas, bundle, crew, diagnostics) == STATUS_OK)
        return;
    if (diagnostics->count == 0)
        bench_fail("no memory for the catalog");
    const struct diagnostic *first = &diagnostics->items[0];
    bench_fail("generated definitions are refused: %.*s:%u: %.*s", (int)first->place.path.length,
               first->place.path.data, (unsigned)first->place.line, (int)first->message.length,
               first->message.data);
}
