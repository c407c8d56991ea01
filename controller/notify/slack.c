/* A Slack-compatible incoming webhook. Its URL is a secret: whoever has it may post. */
#include <stdlib.h>

#include "../../rules/json.h"
#include "../../rules/utf8.h"
#include "notify_http.h"

#define SECTION_MOST 3000 /* characters of a section's text, as Slack's Block Kit has it */

static void spell(struct text value, struct buffer *out)
{
    for (size_t i = 0; i < value.length; i++) {
        switch (value.data[i]) {
        case '&':
            buffer_append_string(out, "&amp;");
            break;
        case '<':
            buffer_append_string(out, "&lt;");
            break;
        case '>':
            buffer_append_string(out, "&gt;");
            break;
        default:
            buffer_append_char(out, value.data[i]);
        }
    }
}

/* Not in the middle of "&amp;" either. */
static struct text cut(struct text text)
{
    if (utf8_count(text) <= SECTION_MOST)
        return text;
    text.length = utf8_offset(text, SECTION_MOST);
    const char *last = memrchr(text.data, '&', text.length);
    if (last && !memchr(last, ';', text.length - (size_t)(last - text.data)))
        text.length = (size_t)(last - text.data);
    return text;
}

void slack_write(const struct notify_channel *channel, const struct notice *notice,
                 struct buffer *out)
{
    struct buffer text;
    buffer_init(&text, NOTICE_BYTES_MOST * 5);
    notify_text(channel, notice, spell, &text);
    struct text shown = cut(buffer_text(&text));
    buffer_append_string(out, "{\"blocks\":[{\"text\":{\"text\":");
    json_write_string(out, shown);
    buffer_append_string(out, ",\"type\":\"mrkdwn\"},\"type\":\"section\"}],\"text\":");
    json_write_string(out, shown);
    buffer_append_char(out, '}');
    if (text.failed && !out->failed)
        out->failed = text.failed;
    buffer_dispose(&text);
}

static void *slack_open(const struct notify_channel *channel, const struct notify_world *world)
{
    struct notify_http *http = calloc(1, sizeof *http);
    if (http && notify_http_open(http, channel, world))
        return http;
    free(http);
    return NULL;
}

static void slack_close(void *state)
{
    if (state)
        notify_http_close(state);
    free(state);
}

static enum notify_outcome slack_send(void *state, const struct notice *notice,
                                      const _Atomic bool *stop, int64_t *wait, struct error *error)
{
    static const char *const headers[] = {"Content-Type: application/json; charset=utf-8", NULL};
    struct notify_http *http = state;
    char url[NOTIFY_SECRET_SIZE];
    struct buffer body;
    *wait = 0;
    enum status status = notify_secret_read(http->channel, http->secret, url, sizeof url, error);
    if (status == STATUS_OK) {
        status = notify_http_aim(http, url, error);
        explicit_bzero(url, sizeof url);
    }
    if (status != STATUS_OK)
        return NOTIFY_LATER;
    buffer_init(&body, 0);
    slack_write(http->channel, notice, &body);
    enum notify_outcome outcome = NOTIFY_LATER;
    if (body.failed)
        error_set(error, body.failed, "no memory to notify");
    else
        outcome = notify_http_post(http, headers, buffer_text(&body), stop, wait, error);
    buffer_dispose(&body);
    return outcome;
}

const struct notify_driver notify_slack = {"slack", slack_open, slack_send, slack_close};
