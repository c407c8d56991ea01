/* judge_limits.h - from measurements to what a metric has come to: Argo Rollouts' limits, names and
 * phases, inside a window of time.
 *
 * Differences from Argo, all on purpose:
 * - limits of failures and of inconclusive measurements count what is younger than `window`: five
 *   checks an hour with one flake in a thousand exceed any cumulative limit within twelve weeks;
 * - Failed latches, and beats Error and Inconclusive (there an error hides a breach);
 * - Error and Inconclusive end when the errors end, or the window has passed them: an outage of the
 *   source must not need a person;
 * - no data is a verdict of its own: with NO_DATA_HOLD it is neither a success nor a failure, does
 * not count towards `count`, and breaks streaks of successes and of errors.
 *
 * A struct metric_result is plain data over measurements that the caller owns and that outlive it.
 * Times are nanoseconds since 1970, those at which measurements finished. Pure; nothing here
 * allocates. */
#ifndef WEIR_JUDGE_LIMITS_H
#define WEIR_JUDGE_LIMITS_H

#include "judge.h"

struct measurement {
    int64_t time;         /* finished */
    enum verdict verdict; /* as it was measured */
    double value;         /* NaN where there was none */
};

enum no_data { NO_DATA_HOLD, NO_DATA_FAIL, NO_DATA_PASS };

/* Argo's fields. Start from METRIC_LIMITS_DEFAULT. */
struct metric_limits {
    int64_t interval;                  /* 0: measured once */
    int64_t window;                    /* 0: everything counts for ever */
    int32_t failure_limit;             /* Failed when more; -1: never */
    int32_t inconclusive_limit;        /* Inconclusive when more */
    int32_t consecutive_error_limit;   /* Error when more in a row, however far apart */
    int32_t consecutive_success_limit; /* Successful after so many in a row; 0: off */
    int32_t count; /* measurements but errors and no data, then Successful; 0: without an interval
                      1, else no end */
    enum no_data on_no_data;
};

#define METRIC_LIMITS_DEFAULT ((struct metric_limits){.consecutive_error_limit = 4})
#define METRIC_MOST_LIMIT 1000 /* of each limit but count */

/* STATUS_INVALID with words, and how to mend it: limits below 0, count below the sum of
 * failureLimit and consecutiveSuccessLimit (as Argo), count without interval, and a window in which
 * a limit can never be exceeded. */
enum status metric_limits_check(const struct metric_limits *limits, struct error *error) MUST_CHECK;

/* Argo's phases, from best to worst but for the first two. */
enum metric_phase {
    METRIC_PENDING, /* nothing measured */
    METRIC_RUNNING,
    METRIC_SUCCESSFUL,
    METRIC_INCONCLUSIVE,
    METRIC_ERROR,
    METRIC_FAILED,
};

const char *metric_phase_name(enum metric_phase phase); /* Argo's: "Pending", … */

struct metric_result {
    struct metric_limits limits;
    struct measurement *measurements; /* borrowed, oldest first */
    size_t size, length;
    uint32_t measured; /* towards count */
    uint32_t consecutive_error, consecutive_success;
    bool failed;                 /* latched */
    enum metric_phase completed; /* METRIC_PENDING until `count` or a streak is reached */
};

/* How many measurements a result must be able to hold: no fewer than what a decision needs. */
size_t metric_result_least(const struct metric_limits *limits);

/* Begins with nothing. `limits` have been checked. STATUS_INVALID when `size` is below
 * metric_result_least(). */
enum status metric_result_init(struct metric_result *result, const struct metric_limits *limits,
                               struct measurement *storage, size_t size,
                               struct error *error) MUST_CHECK;

/* Adds one. When the storage is full the oldest goes that no limit counts any more; failures and
 * inconclusive ones inside the window go last. STATUS_REFUSED when it is older than the newest. */
enum status metric_result_add(struct metric_result *result, struct measurement measurement,
                              struct error *error) MUST_CHECK;

/* At `now`, which is not before the newest measurement. */
enum metric_phase metric_result_phase(const struct metric_result *result, int64_t now);

/* The newest measurement, whatever its verdict, finished within two intervals, and not after now.
 * Without an interval the one that there is stays fresh. */
bool metric_result_fresh(const struct metric_result *result, int64_t now);

/* What the metric says to a rollout: failure, error and inconclusive by its phase; success when it
 * is Successful, or when its newest measurement is a success and fresh; else no data, which means
 * wait. Over several metrics the worst counts (verdict_worse). */
enum verdict metric_result_gate(const struct metric_result *result, int64_t now);

#endif
