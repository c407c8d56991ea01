/* http_guard.h - what holds for every HTTP request of weir's own, whoever drives it with libcurl:
 * http_client.h one request after another, metrics many at once.
 *
 * Each address is checked by reach just before it is connected to, whatever the name resolved to;
 * who keeps connections for several secrets also checks each request on a connection that was left
 * open (http_guard_recheck). No proxy of the environment, no .netrc, no redirect that libcurl
 * follows by itself; https is verified. A guard belongs to one easy handle and is not shared. */
#ifndef WEIR_HTTP_GUARD_H
#define WEIR_HTTP_GUARD_H

#include <curl/curl.h>

#include "http_url.h"

struct http_guard {
    const struct reach *reach;         /* borrowed */
    const struct reach_secret *secret; /* what the request carries, or NULL; borrowed */
    struct reach_host server;          /* where the request goes */
    unsigned opened;                   /* sockets that were allowed since http_guard_begin() */
    struct error refusal;              /* of an address; STATUS_OK: none was refused */
    const char *code;                  /* diagnostic code of that refusal, or NULL; static text */
};

/* Makes libcurl ready, once in a process. */
bool http_guard_ready(void);

/* Sets what holds for every request on `easy`. `ca_file`, or NULL: the system's. The guard outlives
 * the handle. False when libcurl refuses, without memory. */
bool http_guard_set_up(struct http_guard *guard, CURL *easy, const char *ca_file) MUST_CHECK;
/* Before each request: to `server`. */
void http_guard_begin(struct http_guard *guard, const struct reach_host *server);
/* From now on checks the peer of every request on `easy`, also on a connection that another handle
 * of the same multi handle opened. */
bool http_guard_recheck(struct http_guard *guard, CURL *easy) MUST_CHECK;

/* Where an answer redirects to: *url is moved there when that is the same scheme, host and port.
 * STATUS_NOT_FOUND: it does not redirect; STATUS_REFUSED: to another server; STATUS_SYSTEM: it does
 * not say where. */
enum status http_guard_follow(struct http_guard *guard, CURL *easy, unsigned status,
                              struct http_url *url, struct error *error);

/* Frees a list of header lines, which may hold a secret. */
void http_guard_free_headers(struct curl_slist *list);
/* False without memory; the list is then as it was. */
bool http_guard_append_header(struct curl_slist **list, const char *header) MUST_CHECK;

#endif
