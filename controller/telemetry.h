/* telemetry.h - counters and gauges, and their Prometheus text form (version 0.0.4).
 *
 * A family has a name, a help text and at most two label names; its label values come from bounded
 * sets only (environment, route, status code, target, loop, reason): never from what a request
 * holds. Series are made once and then changed without a lock. */
#ifndef WEIR_TELEMETRY_H
#define WEIR_TELEMETRY_H

#include <stdatomic.h>

#include "../rules/buffer.h"

struct telemetry;
struct series {
    _Atomic int64_t value; /* counters and gauges are whole numbers; see `scale` */
};

enum family_type { FAMILY_COUNTER, FAMILY_GAUGE };

struct family_description {
    const char *name, *help;
    enum family_type type;
    double scale; /* printed value = value × scale: 1, or 1e-9 for nanoseconds as seconds */
    const char *labels[2]; /* names; NULL where there is none */
};

struct telemetry *telemetry_new(void); /* NULL without memory */
void telemetry_free(struct telemetry *telemetry);

/* The series of a family (one of the static descriptions in telemetry_families.h) with these label
 * values; made at the first call, the same one afterwards. Never NULL: without memory, or past 10
 * 000 series, it is one that is not printed. Takes a lock: keep the pointer. */
struct series *telemetry_series(struct telemetry *telemetry,
                                const struct family_description *family, const char *value1,
                                const char *value2);
/* Forgets a series that no longer exists (a target that was deleted). The memory stays valid. */
void telemetry_forget(struct telemetry *telemetry, const struct family_description *family,
                      const char *value1, const char *value2);

static inline void series_add(struct series *series, int64_t amount)
{
    atomic_fetch_add_explicit(&series->value, amount, memory_order_relaxed);
}
static inline void series_set(struct series *series, int64_t value)
{
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void telemetry_write(struct telemetry *telemetry, struct buffer *out);

#endif
