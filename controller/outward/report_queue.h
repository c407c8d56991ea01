/* report_queue.h - which states of which commits a forge has yet to be told, and when.
 *
 * One report a commit: a newer one takes the place of what still waits. The newest commit goes
 * first. What was told, or refused for good, is remembered for a while, so that a tip that is
 * judged again says nothing twice. Pure but for the chance it is handed: times are nanoseconds of
 * one monotonic clock. Owns no memory; its user locks it. */
#ifndef WEIR_REPORT_QUEUE_H
#define WEIR_REPORT_QUEUE_H

#include "../clock.h"
#include "forge.h"

#define REPORTS_MOST 32 /* commits that wait; the oldest makes room. As many are remembered. */
#define REPORT_RETRY_FIRST (1 * NANOSECONDS_PER_SECOND)
#define REPORT_RETRY_LONGEST (600 * NANOSECONDS_PER_SECOND)
#define REPORT_PATIENCE (INT64_C(86400) * NANOSECONDS_PER_SECOND) /* then a report is given up */
/* "pending" is told of what takes longer than this to judge: others are spared the request. */
#define REPORT_PENDING_DELAY (1 * NANOSECONDS_PER_SECOND)

struct report_entry {
    struct forge_report report;
    int64_t since, due;
    unsigned attempts; /* that failed */
    uint64_t order;    /* the higher, the newer */
};

struct report_queue {
    struct report_entry waiting[REPORTS_MOST];
    size_t count;
    struct forge_report settled[REPORTS_MOST]; /* a ring */
    size_t settled_count;                      /* ever */
    uint64_t order;
    int64_t quiet_until; /* the forge wants to be left alone */
};

/* False when a commit that waited was dropped to make room. "pending" of a commit of which
 * anything is known already is no news. */
bool report_queue_put(struct report_queue *queue, const struct forge_report *report, int64_t now);

/* The newest that is due. */
bool report_queue_next(const struct report_queue *queue, int64_t now, struct forge_report *out);
/* When the next one is; INT64_MAX: none waits. */
int64_t report_queue_due(const struct report_queue *queue);

/* What became of `sent`, which report_queue_next() gave. `wait` is seconds, of FORGE_LIMITED.
 * False when it is given up after REPORT_PATIENCE. What was put for the same commit meanwhile
 * stays. */
bool report_queue_settle(struct report_queue *queue, const struct forge_report *sent,
                         enum forge_outcome outcome, int64_t wait, const struct clock *clock);

#endif
