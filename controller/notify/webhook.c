/* A webhook of somebody's own: a CloudEvent, signed.
 *
 *     Content-Type: application/cloudevents+json; charset=UTF-8
 *     X-Weir-Signature-256: sha256=<hex of HMAC-SHA-256 over the body>   (with a secret) */
#include <nettle/hmac.h>
#include <stdlib.h>

#include "../../rules/json.h"
#include "notify_http.h"

static void write_member(struct buffer *out, const char *name, struct text value)
{
    buffer_printf(out, ",\"%s\":", name);
    json_write_string(out, value);
}

/* "production/checkout-v2", or as much of it as there is. */
static void write_subject(const struct notice *notice, struct buffer *out)
{
    struct text environment = notice->fields[NOTICE_ENVIRONMENT];
    struct text of = notice->fields[NOTICE_ROLLOUT].length ? notice->fields[NOTICE_ROLLOUT]
                                                           : notice->fields[NOTICE_FLAG];
    buffer_append_text(out, environment);
    if (environment.length && of.length)
        buffer_append_char(out, '/');
    buffer_append_text(out, of);
}

void cloudevent_write(const struct notify_channel *channel, const struct notify_world *world,
                      const struct notice *notice, struct buffer *out)
{
    struct buffer text;
    buffer_init(&text, 0);
    buffer_append_string(out, "{\"specversion\":\"1.0\"");
    write_member(out, "id", notice->fields[NOTICE_ID]);
    write_member(out, "source", text_of(world->source));
    buffer_append_string(&text, "dev.weir.");
    buffer_append_text(&text, notice->fields[NOTICE_EVENT]);
    write_member(out, "type", buffer_text(&text));
    buffer_clear(&text);
    write_subject(notice, &text);
    if (text.length)
        write_member(out, "subject", buffer_text(&text));
    if (notice->fields[NOTICE_TIME].length)
        write_member(out, "time", notice->fields[NOTICE_TIME]);
    buffer_clear(&text);
    notify_text(channel, notice, NULL, &text);
    buffer_append_string(out, ",\"datacontenttype\":\"application/json\",\"data\":{\"text\":");
    json_write_string(out, buffer_text(&text));
    for (int i = 0; i < NOTICE_FIELDS; i++)
        if (notice->fields[i].length)
            write_member(out, notice_field_name((enum notice_field)i), notice->fields[i]);
    buffer_append_string(out, "}}");
    if (text.failed && !out->failed)
        out->failed = text.failed;
    buffer_dispose(&text);
}

void webhook_sign(struct text key, struct text body, struct buffer *out)
{
    struct hmac_sha256_ctx context;
    uint8_t mac[SHA256_DIGEST_SIZE];
    hmac_sha256_set_key(&context, key.length, (const uint8_t *)key.data);
    hmac_sha256_update(&context, body.length, (const uint8_t *)body.data);
    hmac_sha256_digest(&context, sizeof mac, mac);
    explicit_bzero(&context, sizeof context);
    buffer_append_string(out, "sha256=");
    buffer_append_hex(out, mac, sizeof mac);
}

static void *webhook_open(const struct notify_channel *channel, const struct notify_world *world)
{
    struct notify_http *http = calloc(1, sizeof *http);
    if (http && notify_http_open(http, channel, world))
        return http;
    free(http);
    return NULL;
}

static void webhook_close(void *state)
{
    if (state)
        notify_http_close(state);
    free(state);
}

/* Appends the header's line; nothing where the channel has no secret. */
static enum status write_signature(struct notify_http *http, struct text body, struct buffer *out,
                                   struct error *error)
{
    char key[NOTIFY_SECRET_SIZE];
    if (!http->channel->secret)
        return STATUS_OK;
    enum status status = notify_secret_read(http->channel, http->secret, key, sizeof key, error);
    if (status != STATUS_OK)
        return status;
    buffer_append_string(out, "X-Weir-Signature-256: ");
    webhook_sign(text_of(key), body, out);
    explicit_bzero(key, sizeof key);
    return STATUS_OK;
}

static enum notify_outcome post(struct notify_http *http, struct text body,
                                const _Atomic bool *stop, int64_t *wait, struct error *error)
{
    struct buffer line;
    buffer_init(&line, 0);
    enum notify_outcome outcome = NOTIFY_LATER;
    enum status status = write_signature(http, body, &line, error);
    const char *signature = buffer_string(&line);
    if (status == STATUS_OK && !signature)
        status = error_set(error, STATUS_NO_MEMORY, "no memory to notify");
    if (status == STATUS_OK) {
        const char *const headers[] = {"Content-Type: application/cloudevents+json; charset=UTF-8",
                                       line.length ? signature : NULL, NULL};
        outcome = notify_http_post(http, headers, body, stop, wait, error);
    }
    buffer_dispose(&line);
    return outcome;
}

static enum notify_outcome webhook_send(void *state, const struct notice *notice,
                                        const _Atomic bool *stop, int64_t *wait,
                                        struct error *error)
{
    struct notify_http *http = state;
    struct buffer body;
    enum notify_outcome outcome = NOTIFY_LATER;
    *wait = 0;
    if (notify_http_aim(http, http->channel->url, error) != STATUS_OK)
        return NOTIFY_LATER;
    buffer_init(&body, 0);
    cloudevent_write(http->channel, http->world, notice, &body);
    if (body.failed)
        error_set(error, body.failed, "no memory to notify");
    else
        outcome = post(http, buffer_text(&body), stop, wait, error);
    buffer_dispose(&body);
    return outcome;
}

const struct notify_driver notify_webhook = {"webhook", webhook_open, webhook_send, webhook_close};
