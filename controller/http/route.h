/* route.h - what one request is and what is answered: between server.c (libmicrohttpd) and the handlers.
 *
 * A handler is a pure function of the request and the thread's worker state; it knows nothing of sockets. Adding a route is one
 * file and one row in the table of routes.c. */
#ifndef WEIR_HTTP_ROUTE_H
#define WEIR_HTTP_ROUTE_H

#include "../../rules/buffer.h"
#include "../../rules/context.h"
#include "server.h"

enum method { METHOD_GET = 1, METHOD_HEAD = 2, METHOD_POST = 4, METHOD_OTHER = 8 };

struct request {
    enum method method;
    struct text path;         /* percent-decoded once, without the query; below /env/E/: the rest */
    struct text environment;  /* from /env/E/, or empty */
    struct text argument;     /* what the route's pattern left over: the flag's key */
    struct text content_type, if_none_match, flag_config_etag;
    struct text body;
    bool body_too_large;
};

/* A thread of the server: what it keeps from one request to the next, so that a warm one allocates nothing. */
struct worker {
    struct http_server *server;
    const struct http_parts *parts;
    struct reader reader;
    struct context context;
    struct buffer body; /* of the answer */
};

struct answer {
    unsigned status;
    const char *content_type; /* static */
    const char *allow;        /* static; for 405 */
    char etag[40];            /* with quotes, or empty */
    struct buffer *body;      /* the worker's; empty for 304 */
};

struct route {
    const char *name;     /* for weir_http_requests_total{route} */
    const char *pattern;  /* whole path, or with a last "*" that takes one path part */
    unsigned methods;
    bool in_environment;  /* may stand below /env/E/ */
    void (*handle)(struct worker *worker, const struct request *request, struct answer *answer);
};

extern const struct route routes[];
extern const size_t route_count;

/* Finds the route, checks the method and runs the handler; answers 404 and 405 itself. Returns the route's name. */
const char *route_dispatch(struct worker *worker, struct request *request, struct answer *answer);

/* ofrep.c */
void ofrep_evaluate_one(struct worker *worker, const struct request *request, struct answer *answer);
void ofrep_evaluate_all(struct worker *worker, const struct request *request, struct answer *answer);
/* health.c */
void health_live(struct worker *worker, const struct request *request, struct answer *answer);
void health_ready(struct worker *worker, const struct request *request, struct answer *answer);
void health_metrics(struct worker *worker, const struct request *request, struct answer *answer);
void health_status(struct worker *worker, const struct request *request, struct answer *answer);

#endif
