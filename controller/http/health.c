#include "route.h"

/* --- /healthz, /readyz ----------------------------------------------------------------------- */

void health_live(struct worker *worker, const struct request *request, struct answer *answer)
{
    (void)request;
    buffer_append_text(answer->body, TEXT("{\"status\":\"ok\"}"));
    if (worker->body.failed)
        answer_no_memory(worker, answer);
}

/* Why what is served may be too old to be relied on; false where it is not. */
static bool is_stale(struct worker *worker)
{
    const struct http_parts *parts = worker->parts;
    int64_t limit = parts->settings ? parts->settings->max_state_age : 0;
    if (limit == 0 || !parts->last_fetch)
        return false;
    int64_t last = atomic_load(parts->last_fetch), age = clock_seconds(parts->clock) - last;
    if (last && age <= limit)
        return false;
    if (last)
        buffer_printf(
            &worker->details,
            "not ready: the %s was last %s %lld s ago, and --max-state-age is %lld s; see "
            "lastFetch at /status",
            parts->is_edge ? "source" : "repository", parts->is_edge ? "read" : "fetched",
            (long long)age, (long long)limit);
    else
        buffer_printf(&worker->details, "not ready: the %s yet; see lastFetch at /status",
                      parts->is_edge ? "source has not been read"
                                     : "repository has not been fetched");
    return true;
}

void health_ready(struct worker *worker, const struct request *request, struct answer *answer)
{
    if (!reader_current(&worker->reader, worker->parts->hub)) {
        answer->retry_after = 1;
        answer_fail(worker, request, answer, 503,
                    TEXT("not ready: no valid commit has been read yet; see /status"));
        return;
    }
    if (is_stale(worker)) {
        answer->retry_after = 1;
        answer_fail(worker, request, answer, 503, buffer_text(&worker->details));
        return;
    }
    buffer_append_text(answer->body, TEXT("{\"status\":\"ready\"}"));
    if (worker->body.failed)
        answer_no_memory(worker, answer);
}

/* --- /metrics, /status ----------------------------------------------------------------------- */

void health_metrics(struct worker *worker, const struct request *request, struct answer *answer)
{
    (void)request;
    answer->content_type = "text/plain; version=0.0.4";
    telemetry_write(worker->parts->telemetry, answer->body);
    if (worker->body.failed)
        answer_no_memory(worker, answer);
}

void health_status(struct worker *worker, const struct request *request, struct answer *answer)
{
    (void)request;
    worker->parts->write_status(worker->parts->status_context, answer->body);
    if (worker->body.failed)
        answer_no_memory(worker, answer);
}
