/* source.h - where numbers come from: one file a source, one row in the table of source.c.
 *
 * A source turns a question into one HTTP request, and one answer into a reading. It sends nothing
 * itself (asker.h does, for all sources in one loop), keeps nothing, and trusts nothing: whatever
 * an answer holds, what is not plainly one number (or one a bucket, where these are asked for) is a
 * fault in words or nothing at all, and never a number. */
#ifndef WEIR_METRICS_SOURCE_H
#define WEIR_METRICS_SOURCE_H

#include "../../rules/buffer.h"
#include "../../rules/evidence.h"
#include "../../rules/rollout.h"

#define SOURCE_ANSWER_MAXIMUM ((size_t)256 << 10) /* bytes of an answer */
#define SOURCE_PATIENCE 5                         /* seconds for one answer */
#define SOURCE_PROBLEM_SIZE 190
/* Seconds that an answer's own time may be away from ours: as much as ROLLOUTS.md section 3 lets
 * clocks differ. */
#define SOURCE_CLOCK_SLACK 60

/* One question; texts are borrowed and filled in. */
struct question {
    enum metric_source source;
    struct text address;    /* of Prometheus: without the API's path; of http: the whole URL */
    struct text expression; /* PromQL, or a JSON pointer */
    struct text secret;     /* its name, or empty */
    struct text user;       /* who signs in with it; empty: it is a token */
    int64_t at;             /* wall seconds for which it is asked; 0: now */
    int64_t from, step;     /* step above 0: at each of them from `from` to `at` */
    bool by_bucket;         /* one number a hash bucket will do, too */
};

enum reading_state {
    READING_NOTHING, /* the source knows of no such number */
    READING_NUMBER,
    READING_BUCKETED,
    READING_FAULT, /* no answer, or one that means nothing: `problem` */
};

/* What an answer came to. Numbers may be NaN or infinite: the judges say what that means. */
struct reading {
    enum reading_state state;
    double number; /* of buckets: their sum; of steps: the newest */
    bool has_steps;
    double lowest, highest;                /* of the steps; NaN where one of them is */
    double buckets[EVIDENCE_MOST_BUCKETS]; /* 0 where there is none */
    char problem[SOURCE_PROBLEM_SIZE];     /* one line, or empty */
};

struct metric_driver {
    const char *name; /* "prometheus": also the label of telemetry */
    /* Appends the URL that is asked, and the body of a POST; without a body it is a GET.
     * STATUS_INVALID with words. */
    enum status (*request)(const struct question *question, struct buffer *url, struct buffer *body,
                           struct error *error);
    /* Reads a whole answer of any status. `now`: wall seconds. */
    void (*read)(const struct question *question, unsigned status, struct text body, int64_t now,
                 struct reading *out);
};

const struct metric_driver *metric_driver(enum metric_source source);
/* For tables of telemetry: how many there are. */
#define SOURCES 2

extern const struct metric_driver metric_source_prometheus, metric_source_http;

/* --- for those who write one ----------------------------------------------------------------- */

/* A fault in words. */
void reading_fail(struct reading *out, const char *format, ...) PRINTF_LIKE(2, 3);
/* "answered 503: Service Unavailable", with the first words of what came. */
void reading_fail_status(struct reading *out, unsigned status, struct text body);
/* Puts one number into a bucket named by a whole number below EVIDENCE_MOST_BUCKETS; false: it is
 * none, or was there before (`seen`). */
bool reading_put_bucket(struct reading *out, struct text name, double number, uint64_t *seen);

#endif
