/* route.h - what one request is and what is answered: between server.c (libmicrohttpd) and the
 * handlers.
 *
 * A handler is a pure function of the request and the thread's worker state; it knows nothing of
 * sockets. Adding a route is one file and one row in the table of routes.c. */
#ifndef WEIR_HTTP_ROUTE_H
#define WEIR_HTTP_ROUTE_H

#include "../../rules/buffer.h"
#include "../../rules/evaluate.h"
#include "../tokens.h"
#include "server.h"

struct gate;  /* gate.h */
struct whole; /* whole.h */

enum method {
    METHOD_GET = 1,
    METHOD_HEAD = 2,
    METHOD_POST = 4,
    METHOD_OTHER = 8,
    METHOD_OPTIONS = 16
};

/* What a route asks of a token; gate.h says where it asks for none. The verbs come last. */
enum need { NEED_NOTHING, NEED_EVALUATE, NEED_VIEW, NEED_OPERATE, NEED_ADMINISTER };

struct stream; /* events.h */

/* All texts are borrowed for the time of route_dispatch(). */
struct request {
    enum method method;
    struct text path; /* as it came, percent-encoded, without the query */
    /* data is NULL where the header is absent */
    struct text content_type, if_none_match, last_event_id;
    struct text host, origin, authorization, api_key;
    uint64_t address; /* a hash of the sender's */
    struct text body;
    bool body_too_large; /* over HTTP_MAX_BODY, or what the intake takes; `body` is empty then */
    void *intake;        /* the state of the route's intake; NULL: it has none, or no memory */
    /* The value of any other header, borrowed; data is NULL where it is absent. May be NULL. */
    struct text (*header)(const void *headers, const char *name);
    /* The same of a parameter of the query, as it came, percent-encoded. May be NULL. */
    struct text (*parameter)(const void *headers, const char *name);
    const void *headers;
    /* Set by route_dispatch(), percent-decoded, UTF-8: */
    struct text environment; /* from /env/E/, or data is NULL */
    struct text argument; /* what the route's pattern left over: the flag's key; or data is NULL */
    struct text second;   /* the same of a pattern with two "*"; or data is NULL */
    const struct token *token; /* set by gate_admit(): the sender's, or NULL */
};

enum { REASON_COUNT = REASON_ERROR + 1 };

static inline struct text request_header(const struct request *request, const char *name)
{
    return request->header ? request->header(request->headers, name) : (struct text){NULL, 0};
}

static inline struct text request_parameter(const struct request *request, const char *name)
{
    return request->parameter ? request->parameter(request->headers, name) : (struct text){NULL, 0};
}

/* A series of weir_http_requests_total that this thread has used before. */
struct request_series {
    const char *route;
    unsigned status;
    struct series *series;
};

/* A thread of the server: what it keeps from one request to the next, so that a warm one allocates
 * nothing. */
struct worker {
    const struct http_parts *parts;
    struct reader reader;
    struct tokens_reader tokens;
    char host[64]; /* the last Host that was found to be ours: most often the next is the same */
    size_t host_length;
    struct whole *whole; /* of the last answer that had one */
    struct context context;
    struct buffer body;    /* of the answer */
    size_t bulk_length;    /* of the last answer for all flags, since the next will be as long */
    struct buffer decoded; /* environment and argument, where they were percent-encoded */
    struct buffer details; /* an error's, while it is put together */
    struct request_series requests[64];
    size_t request_count;
    /* weir_evaluations_total by position in the reader's snapshot, filled when first used. */
    struct series *(*evaluations)[REASON_COUNT];
    size_t evaluation_size;
    uint64_t evaluation_version; /* the reader's, for which `evaluations` holds */
    char commit_member[64];      /* "weir.commit":"…", where answers carry it */
    uint64_t commit_version;     /* the reader's, for which it holds */
};

struct answer {
    unsigned status;
    const char *content_type; /* static */
    const char *allow;        /* static, for 405; or NULL */
    unsigned retry_after;     /* seconds, for 429 and 503; or 0 */
    const char *authenticate; /* static, for 401 and 403; or NULL */
    const char *allow_origin; /* whose page may read the answer: the operator's text; or NULL */
    bool vary_origin;
    const char *preflight;                /* static: the methods that a page may use; or NULL */
    const struct snapshot *provenance;    /* the worker's: told in headers; or NULL */
    const struct override_set *overrides; /* in what is answered; likewise */
    bool tells_age;                       /* with the provenance: */
    int64_t age;                          /* seconds since the source was last read */
    char etag[DIGEST_TEXT_SIZE + 2];      /* with quotes, or empty */
    char location[64];                    /* for 202: where to ask what became of it; or empty */
    struct buffer *body;                  /* the worker's; empty for 304 */
    struct whole *whole;                  /* the worker's: stands in for `body`; or NULL */
    struct stream *stream; /* sent instead of `body`; or NULL. Whoever sends it owns it */
};

/* For a route whose bodies are looked at while they arrive, and not kept. */
struct intake {
    uint64_t most; /* bytes of body */
    /* The head has come. NULL: the body is passed over. */
    void *(*begin)(struct worker *worker, const struct request *request);
    void (*take)(void *state, struct text piece);
    void (*end)(void *state); /* after the answer, or when the client has gone */
};

struct route {
    const char *name;    /* for weir_http_requests_total{route} */
    const char *pattern; /* whole path; a "*" at its end takes one path part, not empty; so does
                          * each of two */
    unsigned methods;
    bool in_environment; /* may stand below /env/E/ */
    bool from_pages;     /* pages of other origins may ask, where the operator allows theirs */
    enum need need;
    void (*handle)(struct worker *worker, const struct request *request, struct answer *answer);
    /* Words a failure that is found before `handle` is called. */
    void (*fail)(struct worker *worker, const struct request *request, struct answer *answer,
                 unsigned status, struct text details);
    const struct intake *intake; /* or NULL */
};

extern const struct route routes[];
extern const size_t route_count;

/* METHOD_OTHER where it is none of ours. */
enum method method_parse(const char *name);
/* Finds the route, checks the method and runs the handler; answers 400 (a malformed path), 404 and
 * 405 itself. Returns the route's name. */
const char *route_dispatch(struct worker *worker, struct request *request, struct answer *answer);

/* The intake of the route that a request is for, or NULL; for every request, so it is cheap. */
const struct intake *route_intake(enum method method, struct text path);

/* worker.c */
struct worker *worker_new(const struct http_parts *parts); /* NULL without memory */
void worker_free(struct worker *worker);                   /* NULL is fine */
/* One more in weir_http_requests_total{route,code}; `route` as route_dispatch() returned it. */
void worker_count_request(struct worker *worker, const char *route, unsigned status);
/* counts[reason] more in weir_evaluations_total; `environment` stands in the reader's snapshot. */
void worker_count_evaluations(struct worker *worker, const struct snapshot_environment *environment,
                              const uint32_t counts[REASON_COUNT]);

/* Replaces what was written so far by {"errorDetails":…}: a `fail` for routes that are not
 * OFREP. */
void answer_fail(struct worker *worker, const struct request *request, struct answer *answer,
                 unsigned status, struct text details);
/* The same where memory ran out: fixed bytes, which always fit. */
void answer_no_memory(struct worker *worker, struct answer *answer);

/* ofrep.c */
void ofrep_evaluate_one(struct worker *worker, const struct request *request,
                        struct answer *answer);
void ofrep_evaluate_all(struct worker *worker, const struct request *request,
                        struct answer *answer);
void ofrep_fail(struct worker *worker, const struct request *request, struct answer *answer,
                unsigned status, struct text details);
/* The environment that is asked for, in the worker's current snapshot; NULL after answering. */
const struct snapshot_environment *
ofrep_environment(struct worker *worker, const struct request *request, struct answer *answer);
/* True when one of the entity tags of an If-None-Match header is `etag` (with quotes; compared
 * weakly), or it is "*". */
bool ofrep_etag_matches(struct text header, const char *etag);

/* document.c */
void document_answer(struct worker *worker, const struct request *request, struct answer *answer);
/* hooks.c */
extern const struct intake hooks_intake;
void hooks_handle(struct worker *worker, const struct request *request, struct answer *answer);

/* verbs.c */
void verbs_submit(struct worker *worker, const struct request *request, struct answer *answer);
void verbs_ask(struct worker *worker, const struct request *request, struct answer *answer);
void verbs_rollouts(struct worker *worker, const struct request *request, struct answer *answer);
void verbs_measurements(struct worker *worker, const struct request *request,
                        struct answer *answer);

/* health.c */
void health_live(struct worker *worker, const struct request *request, struct answer *answer);
void health_ready(struct worker *worker, const struct request *request, struct answer *answer);
void health_metrics(struct worker *worker, const struct request *request, struct answer *answer);
void health_status(struct worker *worker, const struct request *request, struct answer *answer);

#endif
