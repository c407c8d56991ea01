#include "http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "../../rules/buffer.h"
#include "http_guard.h"

#define HEADERS_MAXIMUM ((size_t)64 << 10) /* bytes of an answer's header, all lines together */
#define STOP_INTERVAL 50                   /* milliseconds between looks at *stop */
#define BYTES_PER_SECOND ((size_t)1 << 20) /* that a body is given time for */

struct http_client {
    struct http_client_settings settings;
    char *ca_file; /* or NULL */
    CURL *easy;
    CURLM *multi;
    struct http_guard guard;

    /* Of the request under way: */
    const struct http_request *request;
    struct http_url url; /* where it is now: redirects move it */
    struct buffer body;
    size_t header_bytes;
    int64_t heard;  /* monotonic nanoseconds: when something came last */
    bool silent;    /* it ended because nothing came */
    bool too_large; /* the answer */
    char words[CURL_ERROR_SIZE];
};

bool http_client_ready(void)
{
    return http_guard_ready();
}

/* --- what curl calls ------------------------------------------------------------------------- */

static int64_t monotonic_now(void)
{
    return system_clock.monotonic(system_clock.self);
}

static bool is_streamed(const struct http_client *client)
{
    long status = 0;
    return client->request->stream &&
           curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
           status == 200;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct http_client *client = context;
    size_t length = size * count; /* size is 1 */
    client->heard = monotonic_now();
    if (is_streamed(client)) {
        const struct http_stream *stream = client->request->stream;
        stream->take(stream->context, (struct text){data, length});
        return length;
    }
    buffer_append(&client->body, data, length);
    client->too_large |= client->body.failed == STATUS_LIMIT;
    return client->body.failed ? 0 : length;
}

static struct text trim(struct text text)
{
    while (text.length && strchr(" \t\r\n", text.data[text.length - 1]))
        text.length--;
    while (text.length && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.length--;
    }
    return text;
}

static void take_field(const struct http_request *request, struct text line)
{
    const char *colon = memchr(line.data, ':', line.length);
    size_t length = colon ? (size_t)(colon - line.data) : 0;
    for (size_t i = 0; colon && i < request->field_count; i++) {
        struct http_field *field = &request->fields[i];
        if (strlen(field->name) == length && strncasecmp(field->name, line.data, length) == 0)
            http_clean(trim((struct text){colon + 1, line.length - length - 1}), field->value,
                       sizeof field->value);
    }
}

static void forget_fields(const struct http_request *request)
{
    for (size_t i = 0; i < request->field_count; i++)
        request->fields[i].value[0] = '\0';
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct http_client *client = context;
    struct text line = {data, size * count};
    client->header_bytes += line.length;
    client->heard = monotonic_now();
    if (client->header_bytes > HEADERS_MAXIMUM) {
        client->too_large = true;
        return 0;
    }
    if (text_starts_with(line, TEXT("HTTP/"))) /* what came before was an interim answer */
        forget_fields(client->request);
    else if (line.length)
        take_field(client->request, line);
    return line.length;
}

/* --- making and ending ----------------------------------------------------------------------- */

/* What holds for every request. */
static bool set_up(struct http_client *client)
{
    CURL *easy = client->easy;
    const char *ca_file = client->ca_file ? client->ca_file : client->settings.reach->ca_file;
    client->guard =
        (struct http_guard){.reach = client->settings.reach, .secret = client->settings.secret};
    CURLcode failed = CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, client);
    failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    failed |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, client);
    failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->words);
    return failed == CURLE_OK && http_guard_set_up(&client->guard, easy, ca_file);
}

struct http_client *http_client_new(const struct http_client_settings *settings)
{
    struct http_client *client = http_client_ready() ? calloc(1, sizeof *client) : NULL;
    if (!client)
        return NULL;
    client->settings = *settings;
    if (client->settings.answer_maximum == 0)
        client->settings.answer_maximum = HTTP_ANSWER_MAXIMUM;
    if (client->settings.answer_limit == 0)
        client->settings.answer_limit = HTTP_ANSWER_LIMIT;
    buffer_init(&client->body, client->settings.answer_maximum);
    client->ca_file = settings->ca_file ? strdup(settings->ca_file) : NULL;
    client->easy = curl_easy_init();
    client->multi = curl_multi_init();
    if ((settings->ca_file && !client->ca_file) || !client->easy || !client->multi ||
        !set_up(client)) {
        http_client_free(client);
        return NULL;
    }
    return client;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->easy);
    curl_multi_cleanup(client->multi);
    buffer_dispose(&client->body);
    free(client->ca_file);
    free(client);
}

const char *http_client_code(const struct http_client *client)
{
    return client->guard.code;
}

/* --- one exchange ---------------------------------------------------------------------------- */

/* Without `Expect`, which would cost a round trip, and without the type that curl invents for a
 * body. */
static bool make_headers(const struct http_request *request, struct curl_slist **list)
{
    bool typed = false;
    bool made = http_guard_append_header(list, "Expect:") &&
                http_guard_append_header(list, "User-Agent: weir/" WEIR_VERSION);
    for (size_t i = 0; made && i < HTTP_HEADERS_MOST && request->headers[i]; i++) {
        typed |= strncasecmp(request->headers[i], "Content-Type:", 13) == 0;
        made = http_guard_append_header(list, request->headers[i]);
    }
    return made && (typed || http_guard_append_header(list, "Content-Type:"));
}

static int64_t milliseconds_allowed(const struct http_client *client)
{
    size_t seconds = client->request->body.length / BYTES_PER_SECOND;
    return client->settings.answer_limit / NANOSECONDS_PER_MILLISECOND + (int64_t)seconds * 1000;
}

static bool prepare(struct http_client *client, struct curl_slist *headers, int64_t milliseconds)
{
    CURL *easy = client->easy;
    const struct http_request *request = client->request;
    bool head = strcmp(request->method, "HEAD") == 0;
    bool bare = head || strcmp(request->method, "GET") == 0;
    CURLcode failed = CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_URL, client->url.text);
    failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)milliseconds);
    failed |= curl_easy_setopt(easy, CURLOPT_NOBODY, 0L);
    failed |= curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (!bare) {
        failed |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
        failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                                   request->body.length ? request->body.data : "");
        failed |=
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
    }
    if (head)
        failed |= curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, head ? NULL : request->method);
    return failed == CURLE_OK;
}

static bool is_stopped(const struct http_request *request)
{
    return request->stop && atomic_load_explicit(request->stop, memory_order_relaxed);
}

static bool is_silent(const struct http_client *client)
{
    int64_t limit = client->request->silence_limit;
    return limit && monotonic_now() - client->heard > limit;
}

/* Drives the transfer that was added to the multi handle. CURLE_ABORTED_BY_CALLBACK: *stop. */
static CURLcode drive(struct http_client *client)
{
    for (;;) {
        int running = 0, left = 0;
        if (is_stopped(client->request))
            return CURLE_ABORTED_BY_CALLBACK;
        client->silent = is_silent(client);
        if (client->silent)
            return CURLE_OPERATION_TIMEDOUT;
        if (curl_multi_perform(client->multi, &running) != CURLM_OK)
            return CURLE_OUT_OF_MEMORY;
        const CURLMsg *message;
        while ((message = curl_multi_info_read(client->multi, &left)))
            if (message->msg == CURLMSG_DONE)
                return message->data.result;
        if (curl_multi_poll(client->multi, NULL, 0, STOP_INTERVAL, NULL) != CURLM_OK)
            return CURLE_OUT_OF_MEMORY;
    }
}

static CURLcode exchange(struct http_client *client, int64_t milliseconds)
{
    struct curl_slist *headers = NULL;
    CURLcode result = CURLE_OUT_OF_MEMORY;
    buffer_clear(&client->body);
    client->header_bytes = 0;
    client->heard = monotonic_now();
    client->silent = client->too_large = false;
    http_guard_begin(&client->guard, &client->url.server);
    client->words[0] = '\0';
    forget_fields(client->request);
    if (make_headers(client->request, &headers) && prepare(client, headers, milliseconds) &&
        curl_multi_add_handle(client->multi, client->easy) == CURLM_OK) {
        result = drive(client);
        curl_multi_remove_handle(client->multi, client->easy);
    }
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(client->easy, CURLOPT_POSTFIELDS, NULL);
    http_guard_free_headers(headers);
    return result;
}

/* --- failures -------------------------------------------------------------------------------- */

static enum status fail(const struct http_client *client, struct error *error, const char *why)
{
    return error_set(error, STATUS_SYSTEM, "'%s': %s", client->url.shown, why);
}

static enum status fail_connecting(const struct http_client *client, struct error *error)
{
    long cause = 0;
    char why[120];
    if (client->guard.opened == 0 && client->guard.refusal.status != STATUS_OK) {
        if (error)
            *error = client->guard.refusal;
        return STATUS_REFUSED;
    }
    curl_easy_getinfo(client->easy, CURLINFO_OS_ERRNO, &cause);
    snprintf(why, sizeof why, "cannot connect%s%s", cause ? ": " : "",
             cause ? strerror((int)cause) : "");
    return fail(client, error, why);
}

static enum status fail_late(const struct http_client *client, int64_t milliseconds,
                             struct error *error)
{
    char why[120];
    long sent = 0;
    if (client->silent) {
        snprintf(why, sizeof why, "nothing came for %lld s",
                 (long long)(client->request->silence_limit / NANOSECONDS_PER_SECOND));
        return fail(client, error, why);
    }
    curl_easy_getinfo(client->easy, CURLINFO_REQUEST_SIZE, &sent);
    if (sent == 0)
        snprintf(why, sizeof why, "cannot connect within %d s",
                 (int)(HTTP_CONNECT_LIMIT / NANOSECONDS_PER_SECOND));
    else
        snprintf(why, sizeof why, "%s within %lld s",
                 client->header_bytes ? "no whole answer" : "no answer",
                 (long long)(milliseconds / 1000));
    return fail(client, error, why);
}

static enum status fail_broken(const struct http_client *client, struct error *error)
{
    return fail(client, error,
                client->header_bytes ? "connection was closed in the middle of the answer"
                                     : "connection was closed without an answer");
}

/* With curl's own words, for what happens rarely. */
static enum status fail_otherwise(const struct http_client *client, CURLcode result,
                                  const char *before, const char *after, struct error *error)
{
    char words[120], why[220];
    http_clean(text_of(client->words[0] ? client->words : curl_easy_strerror(result)), words,
               sizeof words);
    snprintf(why, sizeof why, "%s%s%s", before, words, after);
    return fail(client, error, why);
}

static enum status fail_by(const struct http_client *client, CURLcode result, int64_t milliseconds,
                           struct error *error)
{
    switch ((int)result) {
    case CURLE_ABORTED_BY_CALLBACK:
        return error_set(error, STATUS_STOPPED, "'%s': stopped", client->url.shown);
    case CURLE_OUT_OF_MEMORY:
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_set(error, STATUS_SYSTEM, "'%s': host '%.100s' does not resolve",
                         client->url.shown, client->url.server.host);
    case CURLE_COULDNT_CONNECT:
        return fail_connecting(client, error);
    case CURLE_OPERATION_TIMEDOUT:
        return fail_late(client, milliseconds, error);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        return fail_broken(client, error);
    case CURLE_UNSUPPORTED_PROTOCOL: /* what came does not even begin with HTTP/ */
    case CURLE_WEIRD_SERVER_REPLY:
        return fail(client, error, "answers something that is not HTTP");
    case CURLE_PEER_FAILED_VERIFICATION:
        return fail_otherwise(client, result, "certificate is not trusted (",
                              "): name its authority by --ca-file", error);
    case CURLE_SSL_CACERT_BADFILE:
        return fail_otherwise(client, result, "certificates of authorities cannot be read (", ")",
                              error);
    default:
        return fail_otherwise(client, result, "", "", error);
    }
}

static enum status fail_large(const struct http_client *client, struct error *error)
{
    if (client->body.failed == STATUS_NO_MEMORY)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    bool header = client->header_bytes > HEADERS_MAXIMUM;
    return error_set(error, STATUS_LIMIT, "'%s': %s of the answer is larger than %zu KiB",
                     client->url.shown, header ? "header" : "body",
                     (header ? HEADERS_MAXIMUM : client->settings.answer_maximum) >> 10);
}

/* --- sending --------------------------------------------------------------------------------- */

static int64_t monotonic_milliseconds(void)
{
    return monotonic_now() / NANOSECONDS_PER_MILLISECOND;
}

/* A server closes connections that are idle, and when it is restarted: no failure yet. */
static bool was_left_open(const struct http_client *client, CURLcode result)
{
    long connects = 0;
    curl_easy_getinfo(client->easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0 && client->header_bytes == 0 &&
           (result == CURLE_GOT_NOTHING || result == CURLE_RECV_ERROR ||
            result == CURLE_SEND_ERROR);
}

static enum status send_once(struct http_client *client, int64_t deadline, struct error *error)
{
    int64_t allowed = milliseconds_allowed(client);
    for (unsigned tries = 0;; tries++) {
        int64_t left = deadline - monotonic_milliseconds();
        int64_t lasting = left > 1 ? left : 1;
        CURLcode result = exchange(client, client->request->stream ? 0 : lasting); /* 0: for ever */
        if (result == CURLE_OK)
            return STATUS_OK;
        if (tries == 0 && was_left_open(client, result))
            continue;
        if (client->too_large || client->body.failed)
            return fail_large(client, error);
        return fail_by(client, result, allowed, error);
    }
}

enum status http_client_send(struct http_client *client, const struct http_request *request,
                             struct http_answer *answer, struct error *error)
{
    *answer = (struct http_answer){0};
    client->request = request;
    client->url = *request->url;
    client->guard.code = NULL;
    int64_t deadline = monotonic_milliseconds() + milliseconds_allowed(client);
    for (unsigned redirects = 0; redirects <= HTTP_REDIRECTS; redirects++) {
        long code = 0;
        enum status status = send_once(client, deadline, error);
        if (status != STATUS_OK)
            return status;
        curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &code);
        *answer = (struct http_answer){(unsigned)code, buffer_text(&client->body)};
        status =
            http_guard_follow(&client->guard, client->easy, answer->status, &client->url, error);
        if (status != STATUS_OK)
            return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    return fail(client, error, "redirects in a circle");
}

enum status http_client_complain(const struct http_request *request,
                                 const struct http_answer *answer, struct error *error)
{
    char words[80];
    struct text body = trim(answer->body);
    http_clean(body, words, sizeof words);
    return error_set(error, STATUS_SYSTEM, "'%s': answered %u to %s%s%s", request->url->shown,
                     answer->status, request->method, words[0] ? ": " : "", words);
}
