/* http_client.h - one request after another to servers that definitions or the operator name.
 *
 * What it stands for, whoever uses it (targets; later metrics and notifications):
 * - Each address is checked by reach just before it is connected to, whatever the name resolved to,
 *   IPv4 mapped into IPv6 included. No proxy of the environment, no .netrc, no cookies.
 * - A redirect is followed to the same scheme, host and port only, at most three times, with the
 *   same method and body; any other is refused by name.
 * - A secret is sent only where its own hosts allow it: a client is made for one secret, and each
 * of its connections is checked for it.
 * - https is verified, against ca_file where that is set.
 * - An answer has a time and a size that it cannot exceed. Nothing a server sends is trusted: it is
 *   cut, cleaned, and never printed as it came.
 * - *stop ends a request within 100 ms, also while a name is being resolved.
 * - An answer that goes on for ever (Server-Sent Events) is handed on as it comes, and ends when
 *   nothing has come for a time.
 *
 * A client belongs to one thread and keeps its connections from one request to the next. It prints
 * nothing; a failure is one line in `error` that begins with the URL. */
#ifndef WEIR_HTTP_CLIENT_H
#define WEIR_HTTP_CLIENT_H

#include <stdatomic.h>

#include "../clock.h"
#include "http_url.h"

#define HTTP_ANSWER_MAXIMUM ((size_t)64 << 10)
#define HTTP_CONNECT_LIMIT (2 * NANOSECONDS_PER_SECOND)
#define HTTP_ANSWER_LIMIT (5 * NANOSECONDS_PER_SECOND)
#define HTTP_REDIRECTS 3

/* What a client may do. `reach` and `secret` are borrowed and outlive it. */
struct http_client_settings {
    const struct reach *reach;         /* what may be contacted */
    const struct reach_secret *secret; /* what the requests carry, or NULL */
    const char *ca_file;               /* copied; NULL: the one of reach, else the system's */
    size_t answer_maximum;             /* bytes of a body; 0: HTTP_ANSWER_MAXIMUM */
    int64_t answer_limit; /* nanoseconds for a whole request, redirects included; one more second
                           * for each MiB that is sent. 0: HTTP_ANSWER_LIMIT */
};

struct http_client;

/* Makes libcurl ready, once in a process; for those who use it for something else. */
bool http_client_ready(void);

/* Contacts nobody. NULL without memory. */
struct http_client *http_client_new(const struct http_client_settings *settings);
void http_client_free(struct http_client *client); /* NULL is fine */

/* A header field of the answer that the caller wants: its value, cleaned and cut, empty when it did
 * not come. */
struct http_field {
    const char *name;
    char value[160];
};

#define HTTP_HEADERS_MOST 16

/* Takes an answer as it comes instead of keeping it. */
struct http_stream {
    void (*take)(void *context, struct text piece); /* on the thread that sends the request */
    void *context;
};

struct http_request {
    const char *method; /* GET, HEAD, PUT, POST, PATCH, DELETE */
    const struct http_url *url;
    const char *headers[HTTP_HEADERS_MOST]; /* "Name: value"; up to the first NULL */
    struct text body;                       /* borrowed while the request runs */
    struct http_field *fields;              /* filled */
    size_t field_count;
    const _Atomic bool *stop; /* or NULL */
    int64_t silence_limit;    /* nanoseconds in which nothing comes; 0: answer_limit is all */
    /* NULL: the body is kept. Else that of an answer 200 goes there, and has no limit but
     * silence_limit; the body of any other status is kept as ever. */
    const struct http_stream *stream;
};

struct http_answer {
    unsigned status;  /* 200 … 599 */
    struct text body; /* the client's, until its next request; empty for HEAD */
};

/* Sends it and waits for the whole answer, whatever its status: STATUS_OK means that there is one.
 * STATUS_REFUSED: reach does not allow the host, or it redirects elsewhere (http_client_code());
 * STATUS_STOPPED; STATUS_LIMIT: the answer is too large; STATUS_SYSTEM for the rest. A request that
 * fails on a connection which an earlier one left open is sent once more on a new one. */
enum status http_client_send(struct http_client *client, const struct http_request *request,
                             struct http_answer *answer, struct error *error);

/* The diagnostic code of the last refusal, or NULL. Static text. */
const char *http_client_code(const struct http_client *client);

/* An answer that is no success, as an error: its status and the first words of its body, cleaned.
 * Returns STATUS_SYSTEM. */
enum status http_client_complain(const struct http_request *request,
                                 const struct http_answer *answer, struct error *error);

#endif
