/* kubernetes_server.h - the API server that a target speaks to: which one, as whom, and the few
 * requests that are made of it.
 *
 * With a URL: the token is the secret that the target's credentials name. Without: the cluster that
 * weir runs in, by KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, with the token and the
 * ca.crt of its service account. Either way the operator must allow the host, and the token is read
 * anew for each request: it is renewed while weir runs. */
#ifndef WEIR_KUBERNETES_SERVER_H
#define WEIR_KUBERNETES_SERVER_H

#include "../../rules/json.h"
#include "../outward/http_client.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
/* An environment variable of the operator that names another folder with token and ca.crt. */
#define SERVICE_ACCOUNT_VARIABLE "WEIR_SERVICE_ACCOUNT"

struct kubernetes_server {
    struct http_url base;
    const struct reach_secret *secret; /* of the token, or NULL */
    struct reach_secret account;       /* of the service account's token; owned */
    struct http_client *client;
    const char *code; /* of an opening that was refused */
};

/* `location`: a URL, or TARGET_IN_CLUSTER; `secret` may be NULL. `reach` is borrowed. Contacts
 * nobody. STATUS_REFUSED or STATUS_INVALID when it can never work, STATUS_NO_MEMORY. To be closed
 * whatever is returned. */
enum status kubernetes_server_open(const char *location, const char *secret,
                                   const struct reach *reach, struct kubernetes_server *out,
                                   struct error *error);
void kubernetes_server_close(struct kubernetes_server *server);
const char *kubernetes_server_code(const struct kubernetes_server *server);

struct kubernetes_request {
    const char *method;
    const char *path; /* below the server, without a slash before it */
    const char *type; /* of the body, or NULL */
    struct text body;
    const _Atomic bool *stop;
};

/* STATUS_OK: there is an answer, whatever its status. Only the object's metadata is asked for. */
enum status kubernetes_ask(struct kubernetes_server *server,
                           const struct kubernetes_request *request, struct http_answer *answer,
                           struct error *error);
/* An answer that is no success, in the server's own words where it has some. STATUS_SYSTEM. */
enum status kubernetes_complain(struct kubernetes_server *server,
                                const struct kubernetes_request *request,
                                const struct http_answer *answer, struct error *error);

/* Reads an answer's JSON into `arena`; NULL when it is none. */
const struct node *kubernetes_read(struct arena *arena, const struct http_answer *answer);
#define KUBERNETES_ANSWER_MAXIMUM ((size_t)8 << 20) /* an object and what the server adds to it */

#endif
