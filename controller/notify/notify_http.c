#include "notify_http.h"

#include "../outward/retry_after.h"

#define HEADERS_OWN 6

bool notify_http_open(struct notify_http *http, const struct notify_channel *channel,
                      const struct notify_world *world)
{
    *http = (struct notify_http){.channel = channel, .world = world};
    if (channel->secret)
        http->secret = reach_secret(world->reach, text_of(channel->secret));
    return true;
}

void notify_http_close(struct notify_http *http)
{
    http_client_free(http->client);
    explicit_bzero(&http->url, sizeof http->url);
}

enum status notify_secret_read(const struct notify_channel *channel,
                               const struct reach_secret *secret, char *value, size_t size,
                               struct error *error)
{
    return secret ? reach_secret_read(secret, value, size, error)
                  : error_set(error, STATUS_REFUSED,
                              "secret '%.100s' is not known: name it among the secrets",
                              channel->secret ? channel->secret : "");
}

enum status notify_http_aim(struct notify_http *http, const char *url, struct error *error)
{
    struct http_url parsed;
    struct error why;
    /* Why is not told where it would quote a URL that is a secret. */
    if (http_url_parse(text_of(url), &parsed, &why) != STATUS_OK)
        return error_set(error, STATUS_INVALID, "%s",
                         http->channel->url ? why.message : "the secret is no http or https URL");
    if (!http->channel->url)
        snprintf(parsed.shown, sizeof parsed.shown, "%s://%.90s", parsed.tls ? "https" : "http",
                 parsed.server.host);
    if (http->client && strcmp(parsed.text, http->url.text) == 0)
        return STATUS_OK;
    http_client_free(http->client);
    http->url = parsed;
    http->host = parsed.server;
    http->reach = (struct reach){.hosts = &http->host, .host_count = 1};
    const struct http_client_settings settings = {
        .reach = &http->reach, .secret = http->secret, .ca_file = http->world->reach->ca_file};
    http->client = http_client_new(&settings);
    return http->client ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "no memory to notify");
}

/* 401, 403, 404, 410: the operator can mend those while weir runs. */
static enum notify_outcome judge(const struct notify_http *http, const struct http_request *request,
                                 const struct http_answer *answer, int64_t *wait,
                                 struct error *error)
{
    unsigned status = answer->status;
    if (status >= 200 && status < 300)
        return NOTIFY_SENT;
    http_client_complain(request, answer, error);
    if (status == 429 || status == 503)
        *wait = retry_after(request->fields[0].value, clock_seconds(http->world->clock),
                            NOTIFY_WAIT_MOST);
    bool refused =
        status == 400 || status == 405 || status == 413 || status == 415 || status == 422;
    return refused ? NOTIFY_REFUSED : NOTIFY_LATER;
}

enum notify_outcome notify_http_post(struct notify_http *http, const char *const *headers,
                                     struct text body, const _Atomic bool *stop, int64_t *wait,
                                     struct error *error)
{
    struct http_field fields[] = {{.name = "Retry-After"}};
    struct http_answer answer;
    struct http_request request = {.method = "POST",
                                   .url = &http->url,
                                   .body = body,
                                   .fields = fields,
                                   .field_count = COUNT_OF(fields),
                                   .stop = stop};
    for (size_t i = 0; i < HEADERS_OWN && headers[i]; i++)
        request.headers[i] = headers[i];
    *wait = 0;
    if (http_client_send(http->client, &request, &answer, error) != STATUS_OK)
        return NOTIFY_LATER;
    return judge(http, &request, &answer, wait, error);
}
