#include "controller_client.h"

#include <curl/curl.h>

#include "../controller/clock.h"
#include "../controller/reach.h"
#include "../rules/json.h"
#include "../rules/utf8.h"

#define BODY_MAX ((size_t)64 << 20)
#define URL_MAX 2000
#define TOKEN_MAX 4096
#define CONNECT_MILLISECONDS 5000L
#define WHOLE_MILLISECONDS 20000L

struct controller_client {
    struct controller_source source;
    CURL *handle;
    struct curl_slist *headers;
    char base[URL_MAX + 1];  /* without a '/' at its end */
    char url[URL_MAX + 300]; /* of the request that is under way */
    char problem[CURL_ERROR_SIZE];
    struct buffer *body; /* … and what is answered */
};

/* --- making ---------------------------------------------------------------------------------- */

static enum status set_url(struct controller_client *client, bool *here, struct error *error)
{
    const char *text = client->source.controller;
    CURLU *url = curl_url();
    char *host = NULL, *user = NULL, *scheme = NULL;
    enum status status = STATUS_OK;
    size_t length = strlen(text);
    if (!url)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    while (length && text[length - 1] == '/')
        length--;
    if (length > URL_MAX || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        status = error_set(error, STATUS_INVALID,
                           "\"%.100s\" is not the URL of a controller, like http://127.0.0.1:8080",
                           text);
    else if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
        status = error_set(error, STATUS_INVALID,
                           "a user does not belong into the URL; use \"--token-file\"");
    else
        snprintf(client->base, sizeof client->base, "%.*s", (int)length, text);
    *here = host && (strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                     strcmp(host, "[::1]") == 0);
    curl_free(host);
    curl_free(user);
    curl_free(scheme);
    curl_url_cleanup(url);
    return status;
}

static bool add_header(struct controller_client *client, const char *line)
{
    struct curl_slist *longer = curl_slist_append(client->headers, line);
    if (longer)
        client->headers = longer;
    return longer;
}

static enum status add_token(struct controller_client *client, struct error *error)
{
    char value[TOKEN_MAX], line[TOKEN_MAX + 32];
    const struct reach_secret secret = {.name = (char *)"--token-file",
                                        .file = (char *)client->source.token_file};
    enum status status = reach_secret_read(&secret, value, sizeof value, error);
    for (const char *c = value; status == STATUS_OK && *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            status = error_set(error, STATUS_INVALID,
                               "the token in \"%.100s\" holds spaces or control characters",
                               client->source.token_file);
    if (status == STATUS_OK) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", value);
        if (!add_header(client, line))
            status = error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    explicit_bzero(value, sizeof value);
    explicit_bzero(line, sizeof line);
    return status;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct controller_client *client = context;
    buffer_append(client->body, data, size * count); /* size is 1 */
    return client->body->failed ? 0 : size * count;
}

/* Not zero ends the transfer. */
static int look_up(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    const struct controller_client *client = context;
    return client->source.stop && *client->source.stop;
}

static enum status set_options(struct controller_client *client, bool here, struct error *error)
{
    CURL *handle = client->handle;
    CURLcode code = CURLE_OK;
#define SET(option, value) (code = code ? code : curl_easy_setopt(handle, option, value))
    SET(CURLOPT_HTTPHEADER, client->headers);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L); /* a token goes to whom it was meant for */
    SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MILLISECONDS);
    SET(CURLOPT_TIMEOUT_MS, WHOLE_MILLISECONDS);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    SET(CURLOPT_ERRORBUFFER, client->problem);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, client);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, look_up);
    SET(CURLOPT_XFERINFODATA, client);
    if (here) /* no proxy of the environment knows this machine as this machine does */
        SET(CURLOPT_PROXY, "");
    if (client->source.ca_file)
        SET(CURLOPT_CAINFO, client->source.ca_file);
#undef SET
    return code ? error_set(error, STATUS_SYSTEM, "the HTTP client cannot be set up: %s",
                            curl_easy_strerror(code))
                : STATUS_OK;
}

enum status controller_client_open(const struct controller_source *source,
                                   struct controller_client **out, struct error *error)
{
    bool here = false;
    *out = NULL;
    struct controller_client *client = calloc(1, sizeof *client);
    if (!client || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(client);
        return error_set(error, STATUS_NO_MEMORY, "no memory for an HTTP client");
    }
    client->source = *source;
    client->handle = curl_easy_init();
    enum status status = client->handle && add_header(client, "Accept: application/json") &&
                                 add_header(client, "Content-Type: application/json")
                             ? set_url(client, &here, error)
                             : error_set(error, STATUS_NO_MEMORY, "no memory for an HTTP client");
    if (status == STATUS_OK && source->token_file)
        status = add_token(client, error);
    if (status == STATUS_OK)
        status = set_options(client, here, error);
    if (status == STATUS_OK)
        *out = client;
    else
        controller_client_close(client);
    return status;
}

void controller_client_close(struct controller_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->handle);
    curl_slist_free_all(client->headers);
    free(client);
    curl_global_cleanup();
}

/* --- one request ----------------------------------------------------------------------------- */

static int64_t time_of_answer(CURL *handle)
{
    struct curl_header *header;
    if (curl_easy_header(handle, "Date", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
        time_t time = curl_getdate(header->value, NULL);
        if (time > 0)
            return time;
    }
    return clock_seconds(&system_clock);
}

/* What the controller says is wrong, shortened; empty where it says nothing. */
static void read_details(const struct controller_client *client, char out[200])
{
    struct arena arena;
    const struct node *node;
    struct json_limits limits = {.bytes = 1 << 16, .depth = 4, .nodes = 64};
    arena_init(&arena, 1 << 20);
    out[0] = '\0';
    if (json_read(&arena, buffer_text(client->body), limits, &node, NULL) == STATUS_OK) {
        struct text details = node_get_string(node, "errorDetails");
        details.length = details.length < 199 ? details.length : 199;
        details.length = utf8_valid_length(details);
        snprintf(out, 200, "%.*s", (int)details.length, details.data ? details.data : "");
    }
    arena_dispose(&arena);
}

static enum status judge_answer(const struct controller_client *client, long answer, long wanted,
                                struct error *error)
{
    const char *url = client->url;
    char details[200];
    if (answer == wanted)
        return STATUS_OK;
    read_details(client, details);
    if (answer == 401 || answer == 403)
        return error_set(error, STATUS_REFUSED, "%.100s refuses (%ld): %s", url, answer,
                         !client->source.token_file ? "give a token by \"--token-file\""
                         : details[0]               ? details
                                                    : "the token has no right to this");
    return error_set(error, answer == 404 ? STATUS_NOT_FOUND : STATUS_SYSTEM,
                     "%.100s answers %ld: %s", url, answer,
                     details[0] ? details : "is that a controller");
}

static enum status judge(const struct controller_client *client, CURLcode code, long answer,
                         long wanted, struct error *error)
{
    const char *url = client->url;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return error_set(error, STATUS_STOPPED, "stopped");
    if (client->body->failed == STATUS_LIMIT)
        return error_set(error, STATUS_LIMIT, "%.120s answers more than 64 MiB", url);
    if (client->body->failed)
        return error_set(error, STATUS_NO_MEMORY, "no memory for what %.100s answers", url);
    if (code != CURLE_OK)
        return error_set(error, STATUS_SYSTEM, "%.100s cannot be reached: %.120s", url,
                         client->problem[0] ? client->problem : curl_easy_strerror(code));
    return judge_answer(client, answer, wanted, error);
}

static enum status perform(struct controller_client *client, const char *path, struct buffer *body,
                           long wanted, struct error *error)
{
    long answer = 0;
    buffer_clear(body);
    body->maximum = BODY_MAX;
    client->body = body;
    client->problem[0] = '\0';
    int length = snprintf(client->url, sizeof client->url, "%s%s", client->base, path);
    if (length < 0 || (size_t)length >= sizeof client->url)
        return error_set(error, STATUS_LIMIT, "\"%.100s\" is too long for a path", path);
    CURLcode code = curl_easy_setopt(client->handle, CURLOPT_URL, client->url);
    if (code == CURLE_OK)
        code = curl_easy_perform(client->handle);
    curl_easy_getinfo(client->handle, CURLINFO_RESPONSE_CODE, &answer);
    return judge(client, code, answer, wanted, error);
}

enum status controller_get(struct controller_client *client, const char *path, struct buffer *body,
                           int64_t *now, struct error *error)
{
    if (curl_easy_setopt(client->handle, CURLOPT_HTTPGET, 1L) != CURLE_OK)
        return error_set(error, STATUS_SYSTEM, "the HTTP client cannot be set up");
    enum status status = perform(client, path, body, 200, error);
    if (status == STATUS_OK)
        *now = time_of_answer(client->handle);
    return status;
}

enum status controller_post(struct controller_client *client, const char *path, struct text json,
                            struct buffer *body, struct error *error)
{
    CURL *handle = client->handle;
    if (curl_easy_setopt(handle, CURLOPT_POST, 1L) != CURLE_OK ||
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)json.length) != CURLE_OK ||
        curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, json.data) != CURLE_OK)
        return error_set(error, STATUS_SYSTEM, "the HTTP client cannot be set up");
    return perform(client, path, body, 202, error);
}
