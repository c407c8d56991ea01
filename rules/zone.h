/* zone.h - a time zone: UTC to local time and back, from the bytes of a TZif file.
 *
 * Reads RFC 9636 (and RFC 8536, which it replaces), versions 1 to 4, with the TZ string of the
 * footer for all times after the last change that the file lists. Bytes are handed in, nothing is
 * looked up, and a zone does not change after it was read: any number of threads may ask it.
 *
 * Instants are seconds since 1970 in UTC, without leap seconds. Local seconds are what a clock on
 * the wall shows, counted as if it showed UTC: instant + offset. Both reach over the years 0000 to
 * 9999; what lies outside is taken for the nearest within. */
#ifndef WEIR_ZONE_H
#define WEIR_ZONE_H

#include "civil.h"

/* The largest of the IANA database has 3.5 KB. */
#define ZONE_FILE_MAXIMUM ((size_t)1 << 16)
#define ZONE_TIME_MINIMUM (-INT64_C(62167219200)) /* 0000-01-01T00:00:00Z */
#define ZONE_TIME_MAXIMUM INT64_C(253402300799)   /* 9999-12-31T23:59:59Z */
/* Offsets reach over ±26 h (RFC 9636 asks readers for less: −25 h to +26 h). */
#define ZONE_OFFSET_MAXIMUM (26 * 3600)

struct zone;

/* Reads a file's bytes; the caller frees *out with zone_free(). STATUS_LIMIT: longer than
 * ZONE_FILE_MAXIMUM; STATUS_INVALID: damaged, or it counts leap seconds (those of "right/" do,
 * which Unix time does not). */
enum status zone_read(struct text bytes, struct zone **out, struct error *error) MUST_CHECK;
void zone_free(struct zone *zone); /* NULL is fine */
/* UTC, which needs no file and is never freed. */
const struct zone *zone_utc(void);

/* A stretch of time, from ≤ t < until, over which the offset stays the same. Neighbours may have
 * the same offset. `from` is INT64_MIN and `until` is INT64_MAX where there is no change. */
struct zone_span {
    int64_t from, until;
    int32_t offset; /* seconds east of Greenwich: local = UTC + offset */
};
struct zone_span zone_span_at(const struct zone *zone, int64_t instant);

/* What a clock on the wall shows. */
struct zone_time {
    struct civil_date date;
    int weekday; /* 0 is Monday */
    int hour, minute, second;
    int32_t offset;
};
struct zone_time zone_local(const struct zone *zone, int64_t instant);

enum zone_fit {
    ZONE_ONCE,  /* both instants are the same */
    ZONE_TWICE, /* clocks went back over it: the first and the last instant that show it */
    ZONE_NEVER, /* clocks jumped over it: both are the instant at which the gap ends */
};
/* The instants at which a clock shows `local` seconds. */
enum zone_fit zone_instants(const struct zone *zone, int64_t local, int64_t out[2]);

#endif
