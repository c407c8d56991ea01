#include "kubernetes_server.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../rules/codes.h"
#include "../../rules/definitions.h"

#define TOKEN_SIZE 8192
#define AUTHORIZATION "Authorization: Bearer "

/* --- where it is ----------------------------------------------------------------------------- */

static enum status find_cluster(struct http_url *url, struct error *error)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    char text[300];
    if (!host || !port)
        return error_set(error, STATUS_REFUSED,
                         "weir does not run in a cluster (KUBERNETES_SERVICE_HOST is not set): "
                         "give the target a 'server'");
    bool v6 = strchr(host, ':');
    int length =
        snprintf(text, sizeof text, "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
    if (length < 0 || (size_t)length >= sizeof text)
        return error_set(error, STATUS_REFUSED, "KUBERNETES_SERVICE_HOST is too long");
    return http_url_parse(text_of(text), url, error);
}

static char *below(const char *folder, const char *name)
{
    struct buffer path;
    buffer_init(&path, 0);
    buffer_append_string(&path, folder);
    buffer_append_char(&path, '/');
    buffer_append_string(&path, name);
    char *taken = buffer_take(&path, NULL);
    buffer_dispose(&path);
    return taken;
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

/* Its token may go to the cluster's server and nowhere else. */
static enum status open_in_cluster(struct kubernetes_server *server, char **ca_file,
                                   struct error *error)
{
    enum status status = find_cluster(&server->base, error);
    if (status != STATUS_OK)
        return status;
    const char *folder = getenv(SERVICE_ACCOUNT_VARIABLE);
    if (!folder)
        folder = SERVICE_ACCOUNT;
    struct reach_secret *account = &server->account;
    account->name = strdup("service account token");
    account->file = below(folder, "token");
    account->hosts = malloc(sizeof *account->hosts);
    *ca_file = below(folder, "ca.crt");
    if (!account->name || !account->file || !account->hosts || !*ca_file)
        return no_memory(error);
    account->hosts[0] = server->base.server;
    account->host_count = 1;
    server->secret = account;
    return STATUS_OK;
}

static enum status open_url(struct kubernetes_server *server, const char *location,
                            const char *secret, const struct reach *reach, struct error *error)
{
    enum status status = http_url_parse(text_of(location), &server->base, error);
    if (status != STATUS_OK || !secret)
        return status;
    server->secret = reach_secret(reach, text_of(secret));
    if (!server->secret) {
        server->code = CODE_TARGET_SECRET;
        return error_set(error, STATUS_REFUSED,
                         "secret '%.100s' is not known: name it in the controller's configuration",
                         secret);
    }
    if (!server->base.tls && !http_url_is_loopback(&server->base)) {
        server->code = CODE_TARGET_SECRET;
        return error_set(error, STATUS_REFUSED,
                         "secret '%.60s' is not sent to '%s' in the clear: write https://", secret,
                         server->base.shown);
    }
    return STATUS_OK;
}

enum status kubernetes_server_open(const char *location, const char *secret,
                                   const struct reach *reach, struct kubernetes_server *out,
                                   struct error *error)
{
    char *ca_file = NULL;
    *out = (struct kubernetes_server){0};
    enum status status = strcmp(location, TARGET_IN_CLUSTER) == 0
                             ? open_in_cluster(out, &ca_file, error)
                             : open_url(out, location, secret, reach, error);
    if (status == STATUS_OK) {
        const struct http_client_settings settings = {.reach = reach,
                                                      .secret = out->secret,
                                                      .ca_file = ca_file,
                                                      .answer_maximum = KUBERNETES_ANSWER_MAXIMUM};
        out->client = http_client_new(&settings);
        if (!out->client)
            status = no_memory(error);
    }
    free(ca_file);
    return status;
}

void kubernetes_server_close(struct kubernetes_server *server)
{
    http_client_free(server->client);
    free(server->account.name);
    free(server->account.file);
    free(server->account.hosts);
    *server = (struct kubernetes_server){0};
}

const char *kubernetes_server_code(const struct kubernetes_server *server)
{
    return server->client ? http_client_code(server->client) : server->code;
}

/* --- requests -------------------------------------------------------------------------------- */

static enum status make_url(const struct kubernetes_server *server, const char *path,
                            struct http_url *url, struct error *error)
{
    char text[HTTP_URL_SIZE];
    int length = snprintf(text, sizeof text, "%s%s", server->base.text, path);
    if (length < 0 || (size_t)length >= sizeof text)
        return error_set(error, STATUS_LIMIT, "'%s': path is too long", server->base.shown);
    return http_url_parse(text_of(text), url, error);
}

/* Fills `line`; NULL in *header where there is no token. */
static enum status make_authorization(const struct kubernetes_server *server, char line[TOKEN_SIZE],
                                      const char **header, struct error *error)
{
    size_t before = strlen(AUTHORIZATION);
    *header = NULL;
    if (!server->secret)
        return STATUS_OK;
    memcpy(line, AUTHORIZATION, before);
    *header = line;
    return reach_secret_read(server->secret, line + before, TOKEN_SIZE - before, error);
}

enum status kubernetes_ask(struct kubernetes_server *server,
                           const struct kubernetes_request *request, struct http_answer *answer,
                           struct error *error)
{
    struct http_url url;
    char line[TOKEN_SIZE], type[80];
    const char *authorization;
    enum status status = make_url(server, request->path, &url, error);
    if (status == STATUS_OK)
        status = make_authorization(server, line, &authorization, error);
    if (status != STATUS_OK)
        return status;
    struct http_request http = {
        .method = request->method, .url = &url, .body = request->body, .stop = request->stop};
    size_t count = 0;
    /* The object itself would be as large as the document. */
    http.headers[count++] = "Accept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, "
                            "application/json";
    if (request->type) {
        snprintf(type, sizeof type, "Content-Type: %s", request->type);
        http.headers[count++] = type;
    }
    http.headers[count] = authorization;
    status = http_client_send(server->client, &http, answer, error);
    explicit_bzero(line, sizeof line);
    return status;
}

const struct node *kubernetes_read(struct arena *arena, const struct http_answer *answer)
{
    const struct json_limits limits = {
        .bytes = KUBERNETES_ANSWER_MAXIMUM, .depth = 512, .nodes = 1000000, .unique_keys = false};
    const struct node *root = NULL;
    return json_read(arena, answer->body, limits, &root, NULL) == STATUS_OK ? root : NULL;
}

enum status kubernetes_complain(struct kubernetes_server *server,
                                const struct kubernetes_request *request,
                                const struct http_answer *answer, struct error *error)
{
    char words[160];
    struct arena arena;
    if (answer->status == 401)
        return error_set(error, STATUS_SYSTEM, "'%s': answered 401: %s%.60s%s", server->base.shown,
                         server->secret ? "it does not take the token of secret '"
                                        : "it wants a token: name a secret in the target's "
                                          "'credentials",
                         server->secret ? server->secret->name : "", "'");
    arena_init(&arena, 4 * KUBERNETES_ANSWER_MAXIMUM);
    http_clean(node_get_string(kubernetes_read(&arena, answer), "message"), words, sizeof words);
    if (!words[0])
        http_clean(answer->body, words, sizeof words / 2);
    arena_dispose(&arena);
    return error_set(error, STATUS_SYSTEM, "'%.60s': answered %u to %s%s%s", server->base.shown,
                     answer->status, request->method, words[0] ? ": " : "", words);
}
