/* http_url.h - http:// and https:// URLs as weir's own requests use them: which server, and how
 * they are shown.
 *
 * No user, no password (a secret belongs into the operator's configuration), no fragment. */
#ifndef WEIR_HTTP_URL_H
#define WEIR_HTTP_URL_H

#include "../reach.h"

#define HTTP_URL_SIZE 2048
#define HTTP_URL_SHOWN 120

struct http_url {
    char text[HTTP_URL_SIZE]; /* the whole of it, with its port */
    struct reach_host server; /* the port is set */
    bool tls;
    /* For messages: scheme, server and path, cut, without the query (which may hold a key) and
     * without what could forge a line. */
    char shown[HTTP_URL_SHOWN];
};

/* STATUS_INVALID with the reason; a URL with a password is not quoted. */
enum status http_url_parse(struct text text, struct http_url *out, struct error *error);
/* Whether a request for one may go on at the other: scheme, host and port are the same. */
bool http_url_same_server(const struct http_url *a, const struct http_url *b);
/* Whether the host is written as a loopback address (127.0.0.0/8 or ::1), or as "localhost". */
bool http_url_is_loopback(const struct http_url *url);

/* Copies what somebody else said so that it fits into one line: what is no printable ASCII becomes
 * '?'. Cut to `size` − 1 bytes, NUL-terminated. */
void http_clean(struct text source, char *out, size_t size);

#endif
