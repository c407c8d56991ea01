/* Mail by a server that takes it (libcurl). With STARTTLS or by smtps, verified, unless the channel
 * says `starttls: none`; a password never goes in clear. One recipient that is refused does not
 * keep it from the others. A connection lasts for one mail. */
#include <curl/curl.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../outward/http_client.h"
#include "notify_http.h"
#include "smtp_url.h"

#define CONNECT_LIMIT_MS 5000L
#define ANSWER_LIMIT_MS 30000L
#define STOP_INTERVAL 50 /* milliseconds between looks at *stop */

struct smtp {
    const struct notify_channel *channel;
    const struct notify_world *world;
    const struct reach_secret *secret; /* or NULL */
    struct smtp_url url;
    struct error unusable;
};

/* One mail, while it is under way. */
struct sending {
    struct smtp *smtp;
    CURL *easy;
    struct curl_slist *recipients;
    struct text rest; /* of the mail */
    struct reach reach;
    struct error refusal;
    char words[CURL_ERROR_SIZE], url[300], password[NOTIFY_SECRET_SIZE];
};

static void *smtp_open(const struct notify_channel *channel, const struct notify_world *world)
{
    struct smtp *smtp = calloc(1, sizeof *smtp);
    if (!smtp)
        return NULL;
    smtp->channel = channel;
    smtp->world = world;
    if (channel->secret)
        smtp->secret = reach_secret(world->reach, text_of(channel->secret));
    smtp_url_parse(text_of(channel->url), &smtp->url, &smtp->unusable);
    return smtp;
}

static void smtp_close(void *state)
{
    free(state);
}

/* --- what curl calls ------------------------------------------------------------------------- */

/* By the address that it connects to, as for HTTP: the server, and the password's own hosts. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct sending *sending = context;
    const struct reach_host *server = &sending->smtp->url.server;
    if (purpose != CURLSOCKTYPE_IPCXN ||
        reach_check_address(&sending->reach, server->host, server->port, sending->smtp->secret,
                            &address->addr, &sending->refusal) != STATUS_OK) {
        sending->refusal.status = STATUS_REFUSED;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t give_mail(char *data, size_t size, size_t count, void *context)
{
    struct sending *sending = context;
    size_t length = size * count; /* size is 1 */
    if (length > sending->rest.length)
        length = sending->rest.length;
    if (length)
        memcpy(data, sending->rest.data, length);
    sending->rest = (struct text){sending->rest.data + length, sending->rest.length - length};
    return length;
}

static size_t ignore(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    (void)context;
    return size * count;
}

/* --- one mail -------------------------------------------------------------------------------- */

static bool set_up_server(struct sending *sending)
{
    CURL *easy = sending->easy;
    const char *ca_file = sending->smtp->world->reach->ca_file;
    long tls = sending->smtp->channel->clear ? CURLUSESSL_NONE : CURLUSESSL_ALL;
    CURLcode failed = CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    failed |= curl_easy_setopt(easy, CURLOPT_URL, sending->url);
    failed |= curl_easy_setopt(easy, CURLOPT_USE_SSL, tls);
    failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
    failed |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    failed |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_LIMIT_MS);
    failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ANSWER_LIMIT_MS);
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, sending);
    failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, sending->words);
    if (ca_file) {
        failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
        failed |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return failed == CURLE_OK;
}

static bool set_up_mail(struct sending *sending)
{
    CURL *easy = sending->easy;
    const struct notify_channel *channel = sending->smtp->channel;
    for (size_t i = 0; i < channel->to_count; i++) {
        struct curl_slist *longer = curl_slist_append(sending->recipients, channel->to[i]);
        if (!longer)
            return false;
        sending->recipients = longer;
    }
    CURLcode failed = CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_MAIL_FROM, channel->from);
    failed |= curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, sending->recipients);
    failed |= curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_mail);
    failed |= curl_easy_setopt(easy, CURLOPT_READDATA, sending);
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    if (sending->smtp->secret) {
        failed |=
            curl_easy_setopt(easy, CURLOPT_USERNAME, channel->user ? channel->user : channel->from);
        failed |= curl_easy_setopt(easy, CURLOPT_PASSWORD, sending->password);
    }
    return failed == CURLE_OK;
}

static CURLcode drive(CURLM *multi, const _Atomic bool *stop)
{
    for (;;) {
        int running = 0, left = 0;
        if (stop && atomic_load_explicit(stop, memory_order_relaxed))
            return CURLE_ABORTED_BY_CALLBACK;
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            return CURLE_OUT_OF_MEMORY;
        const CURLMsg *message;
        while ((message = curl_multi_info_read(multi, &left)))
            if (message->msg == CURLMSG_DONE)
                return message->data.result;
        if (curl_multi_poll(multi, NULL, 0, STOP_INTERVAL, NULL) != CURLM_OK)
            return CURLE_OUT_OF_MEMORY;
    }
}

static CURLcode transfer(struct sending *sending, const _Atomic bool *stop)
{
    CURLcode result = CURLE_OUT_OF_MEMORY;
    CURLM *multi = curl_multi_init();
    if (multi && set_up_server(sending) && set_up_mail(sending) &&
        curl_multi_add_handle(multi, sending->easy) == CURLM_OK) {
        result = drive(multi, stop);
        curl_multi_remove_handle(multi, sending->easy);
    }
    curl_multi_cleanup(multi);
    return result;
}

/* 5xx is for good (RFC 5321, 4.2.1), but for what the operator can mend: authentication. */
static enum notify_outcome judge(const struct sending *sending, CURLcode result,
                                 struct error *error)
{
    long code = 0;
    char words[120];
    if (result == CURLE_OK)
        return NOTIFY_SENT;
    if (sending->refusal.status != STATUS_OK) {
        *error = sending->refusal;
        return NOTIFY_LATER;
    }
    curl_easy_getinfo(sending->easy, CURLINFO_RESPONSE_CODE, &code);
    http_clean(text_of(sending->words[0] ? sending->words : curl_easy_strerror(result)), words,
               sizeof words);
    if (result == CURLE_USE_SSL_FAILED)
        snprintf(words, sizeof words,
                 "the server offers no STARTTLS: use smtps, or starttls: none "
                 "for a relay on this machine");
    bool spoke = (result == CURLE_SEND_ERROR || result == CURLE_RECV_ERROR ||
                  result == CURLE_WEIRD_SERVER_REPLY) &&
                 code >= 400;
    if (spoke)
        snprintf(words, sizeof words, "the server answered %ld to the mail", code);
    error_set(error, STATUS_SYSTEM, "'%s': %s", sending->url, words);
    return spoke && code >= 550 && code <= 559 ? NOTIFY_REFUSED : NOTIFY_LATER;
}

static enum notify_outcome send_mail(struct sending *sending, const _Atomic bool *stop,
                                     struct error *error)
{
    const struct smtp *smtp = sending->smtp;
    smtp_url_write(&smtp->url, sending->url, sizeof sending->url);
    sending->reach =
        (struct reach){.hosts = (struct reach_host *)&smtp->url.server, .host_count = 1};
    if (smtp->channel->secret && notify_secret_read(smtp->channel, smtp->secret, sending->password,
                                                    sizeof sending->password, error) != STATUS_OK)
        return NOTIFY_LATER;
    sending->easy = http_client_ready() ? curl_easy_init() : NULL;
    if (!sending->easy) {
        error_set(error, STATUS_NO_MEMORY, "no memory to notify");
        return NOTIFY_LATER;
    }
    enum notify_outcome outcome = judge(sending, transfer(sending, stop), error);
    curl_easy_cleanup(sending->easy);
    curl_slist_free_all(sending->recipients);
    return outcome;
}

static enum notify_outcome smtp_send(void *state, const struct notice *notice,
                                     const _Atomic bool *stop, int64_t *wait, struct error *error)
{
    struct smtp *smtp = state;
    struct buffer mail;
    enum notify_outcome outcome = NOTIFY_LATER;
    *wait = 0;
    if (smtp->unusable.status != STATUS_OK) {
        *error = smtp->unusable;
        return NOTIFY_LATER;
    }
    buffer_init(&mail, 0);
    mail_write(smtp->channel, notice, &mail);
    if (mail.failed) {
        error_set(error, mail.failed, "no memory to notify");
    } else {
        struct sending sending = {.smtp = smtp, .rest = buffer_text(&mail)};
        outcome = send_mail(&sending, stop, error);
        explicit_bzero(sending.password, sizeof sending.password);
    }
    buffer_dispose(&mail);
    return outcome;
}

const struct notify_driver notify_smtp = {"smtp", smtp_open, smtp_send, smtp_close};
