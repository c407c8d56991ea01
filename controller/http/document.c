/* The compiled document of an environment, for a flagd that polls it and for whoever evaluates by
 * itself. */
#include "gate.h"

static void write_digest_tag(struct answer *answer, const char *digest)
{
    snprintf(answer->etag, sizeof answer->etag, "\"%s\"", digest);
}

static const struct snapshot_environment *find(struct worker *worker, const struct request *request,
                                               struct answer *answer)
{
    const struct snapshot *snapshot = reader_current(&worker->reader, worker->parts->hub);
    if (!snapshot) {
        answer->retry_after = 1;
        answer_fail(worker, request, answer, 503,
                    TEXT("not ready: no valid commit has been read yet"));
        return NULL;
    }
    const struct snapshot_environment *environment =
        request->environment.data ? snapshot_environment(snapshot, request->environment)
                                  : snapshot->standard;
    if (!environment)
        answer_fail(worker, request, answer, 404,
                    request->environment.data
                        ? TEXT("there is no such environment; the names behind /env/ are those of "
                               "the Environment definitions")
                        : TEXT("there is no default environment; put /env/ENVIRONMENT before the "
                               "path, or start weir with --default-environment"));
    return environment;
}

/* The bytes are the worker's until its next request; an answer on its way holds a reference. */
static const struct whole *take_whole(struct worker *worker, const struct document *document)
{
    const struct gate *gate = worker->parts->gate;
    const struct clock *clock = worker->parts->clock;
    whole_release(worker->whole);
    worker->whole =
        wholes_take(gate->wholes, worker->reader.snapshot, document, clock->monotonic(clock->self));
    return worker->whole;
}

/* A source that was never read has no age to tell. */
static void tell_age(const struct http_parts *parts, struct answer *answer)
{
    int64_t last = parts->is_edge ? atomic_load(parts->last_fetch) : 0;
    int64_t age = clock_seconds(parts->clock) - last;
    answer->tells_age = last != 0;
    answer->age = age > 0 ? age : 0;
}

void document_answer(struct worker *worker, const struct request *request, struct answer *answer)
{
    char digest[DIGEST_TEXT_SIZE];
    const struct snapshot_environment *environment = find(worker, request, answer);
    if (!environment)
        return;
    answer->provenance = worker->reader.snapshot;
    answer->overrides = environment->overrides;
    tell_age(worker->parts, answer);
    document_digest_text(environment->document, digest);
    write_digest_tag(answer, digest);
    if (request->if_none_match.data && ofrep_etag_matches(request->if_none_match, answer->etag))
        answer->status = 304;
    else if (!worker->parts->gate)
        document_write(environment->document, answer->body);
    else if (take_whole(worker, environment->document))
        answer->whole = worker->whole;
    else
        worker->body.failed = STATUS_NO_MEMORY;
    if (worker->body.failed) {
        answer->provenance = NULL;
        answer_no_memory(worker, answer);
    }
}
