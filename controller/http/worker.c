#include <stdio.h>

#include "../telemetry_families.h"
#include "route.h"
#include "whole.h"

#define ANSWER_MAX ((size_t)256 << 20)
#define SCRATCH_MAX ((size_t)1 << 20)

struct worker *worker_new(const struct http_parts *parts)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return NULL;
    if (context_init(&worker->context) != STATUS_OK) {
        free(worker);
        return NULL;
    }
    worker->parts = parts;
    buffer_init(&worker->body, ANSWER_MAX);
    buffer_init(&worker->decoded, SCRATCH_MAX);
    buffer_init(&worker->details, SCRATCH_MAX);
    return worker;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    reader_dispose(&worker->reader);
    tokens_reader_dispose(&worker->tokens);
    whole_release(worker->whole);
    context_dispose(&worker->context);
    buffer_dispose(&worker->body);
    buffer_dispose(&worker->decoded);
    buffer_dispose(&worker->details);
    free(worker->evaluations);
    free(worker);
}

void worker_count_request(struct worker *worker, const char *route, unsigned status)
{
    struct request_series *known = worker->requests;
    for (size_t i = 0; i < worker->request_count; i++) {
        if (known[i].route == route && known[i].status == status) {
            series_add(known[i].series, 1);
            return;
        }
    }
    char code[16];
    snprintf(code, sizeof code, "%u", status);
    struct series *series =
        telemetry_series(worker->parts->telemetry, &family_http_requests, route, code);
    series_add(series, 1);
    if (worker->request_count < COUNT_OF(worker->requests))
        known[worker->request_count++] = (struct request_series){route, status, series};
}

/* Positions mean other environments after a swap. False without memory: then nothing is counted. */
static bool renew_evaluations(struct worker *worker)
{
    size_t count = worker->reader.snapshot->environment_count;
    if (count > worker->evaluation_size) {
        size_t bytes;
        if (!size_multiply(count, sizeof *worker->evaluations, &bytes))
            return false;
        void *evaluations = realloc(worker->evaluations, bytes);
        if (!evaluations)
            return false;
        worker->evaluations = evaluations;
        worker->evaluation_size = count;
    }
    memset(worker->evaluations, 0, worker->evaluation_size * sizeof *worker->evaluations);
    worker->evaluation_version = worker->reader.version;
    return true;
}

void worker_count_evaluations(struct worker *worker, const struct snapshot_environment *environment,
                              const uint32_t counts[REASON_COUNT])
{
    if (worker->evaluation_version != worker->reader.version && !renew_evaluations(worker))
        return;
    size_t position = (size_t)(environment - worker->reader.snapshot->environments);
    struct series **series = worker->evaluations[position];
    for (size_t reason = 0; reason < REASON_COUNT; reason++) {
        if (counts[reason] == 0)
            continue;
        if (!series[reason])
            series[reason] =
                telemetry_series(worker->parts->telemetry, &family_evaluations,
                                 environment->name.data, reason_name((enum reason)reason));
        series_add(series[reason], counts[reason]);
    }
}
