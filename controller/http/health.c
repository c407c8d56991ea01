#include "route.h"

/* --- /healthz, /readyz ----------------------------------------------------------------------- */

void health_live(struct worker *worker, const struct request *request, struct answer *answer)
{
    (void)request;
    buffer_append_text(answer->body, TEXT("{\"status\":\"ok\"}"));
    if (worker->body.failed)
        answer_no_memory(worker, answer);
}

void health_ready(struct worker *worker, const struct request *request, struct answer *answer)
{
    if (!reader_current(&worker->reader, worker->parts->hub)) {
        answer->retry_after = 1;
        answer_fail(worker, request, answer, 503,
                    TEXT("not ready: no valid commit has been read yet; see /status"));
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
