/* GET /status of a controller, by libcurl. */
#include <curl/curl.h>

#include "../controller/clock.h"
#include "../controller/reach.h"
#include "status.h"

#define BODY_MAX ((size_t)64 << 20)
#define URL_MAX 2000
#define TOKEN_MAX 4096
#define CONNECT_MILLISECONDS 5000L
#define WHOLE_MILLISECONDS 20000L

struct status_client {
    struct status_source source;
    CURL *handle;
    struct curl_slist *headers;
    char url[URL_MAX + 16];
    char problem[CURL_ERROR_SIZE];
    struct buffer *body; /* of the fetch that is under way */
};

/* --- making ---------------------------------------------------------------------------------- */

static enum status set_url(struct status_client *client, bool *here, struct error *error)
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
        snprintf(client->url, sizeof client->url, "%.*s/status", (int)length, text);
    *here = host && (strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                     strcmp(host, "[::1]") == 0);
    curl_free(host);
    curl_free(user);
    curl_free(scheme);
    curl_url_cleanup(url);
    return status;
}

static bool add_header(struct status_client *client, const char *line)
{
    struct curl_slist *longer = curl_slist_append(client->headers, line);
    if (longer)
        client->headers = longer;
    return longer;
}

static enum status add_token(struct status_client *client, struct error *error)
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
    struct status_client *client = context;
    buffer_append(client->body, data, size * count); /* size is 1 */
    return client->body->failed ? 0 : size * count;
}

/* Not zero ends the transfer. */
static int look_up(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    const struct status_client *client = context;
    return client->source.stop && *client->source.stop;
}

static enum status set_options(struct status_client *client, bool here, struct error *error)
{
    CURL *handle = client->handle;
    CURLcode code = CURLE_OK;
#define SET(option, value) (code = code ? code : curl_easy_setopt(handle, option, value))
    SET(CURLOPT_URL, client->url);
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

enum status status_client_open(const struct status_source *source, struct status_client **out,
                               struct error *error)
{
    bool here = false;
    *out = NULL;
    struct status_client *client = calloc(1, sizeof *client);
    if (!client || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(client);
        return error_set(error, STATUS_NO_MEMORY, "no memory for an HTTP client");
    }
    client->source = *source;
    client->handle = curl_easy_init();
    enum status status = client->handle && add_header(client, "Accept: application/json")
                             ? set_url(client, &here, error)
                             : error_set(error, STATUS_NO_MEMORY, "no memory for an HTTP client");
    if (status == STATUS_OK && source->token_file)
        status = add_token(client, error);
    if (status == STATUS_OK)
        status = set_options(client, here, error);
    if (status == STATUS_OK)
        *out = client;
    else
        status_client_close(client);
    return status;
}

void status_client_close(struct status_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->handle);
    curl_slist_free_all(client->headers);
    free(client);
    curl_global_cleanup();
}

/* --- one fetch ------------------------------------------------------------------------------- */

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

static enum status judge(const struct status_client *client, CURLcode code, long answer,
                         struct error *error)
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
    if (answer == 401 || answer == 403)
        return error_set(error, STATUS_REFUSED, "%.100s refuses (%ld): %s", url, answer,
                         client->source.token_file ? "the token has no right to look"
                                                   : "give a token by \"--token-file\"");
    if (answer != 200)
        return error_set(error, STATUS_SYSTEM, "%.100s answers %ld: is that a controller", url,
                         answer);
    return STATUS_OK;
}

enum status status_client_fetch(struct status_client *client, struct buffer *body, int64_t *now,
                                struct error *error)
{
    long answer = 0;
    buffer_clear(body);
    body->maximum = BODY_MAX;
    client->body = body;
    client->problem[0] = '\0';
    CURLcode code = curl_easy_perform(client->handle);
    curl_easy_getinfo(client->handle, CURLINFO_RESPONSE_CODE, &answer);
    enum status status = judge(client, code, answer, error);
    if (status == STATUS_OK)
        *now = time_of_answer(client->handle);
    return status;
}
