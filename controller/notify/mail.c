/* A notice as a mail. */
#include <nettle/base64.h>
#include <stdio.h>

#include "../../rules/utf8.h"
#include "notify.h"

#define BASE64_LINE 57 /* bytes that make a line of 76 characters (RFC 2045, 6.8) */
#define WORD_BYTES 42  /* of an encoded word, which has 75 characters at most (RFC 2047, 2) */
#define SUBJECT_MOST 200

/* RFC 5321 allows more; nobody has it. */
static bool is_address_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~.@", c));
}

bool mail_address_is_valid(struct text address)
{
    const char *at = address.length ? memchr(address.data, '@', address.length) : NULL;
    if (!at || at == address.data || at == address.data + address.length - 1 ||
        address.length > 254 || memrchr(address.data, '@', address.length) != at)
        return false;
    for (size_t i = 0; i < address.length; i++)
        if (!is_address_character(address.data[i]))
            return false;
    return address.data[0] != '-';
}

static void append_base64(struct text bytes, struct buffer *out)
{
    char *room = buffer_reserve(out, BASE64_ENCODE_RAW_LENGTH(bytes.length));
    if (!room || bytes.length == 0)
        return;
    base64_encode_raw(room, bytes.length, (const uint8_t *)bytes.data);
    out->length += BASE64_ENCODE_RAW_LENGTH(bytes.length);
}

static bool is_plain(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < ' ' || text.data[i] > '~' || text.data[i] == '=')
            return false;
    return text.length <= 60;
}

/* As it is where that is plain; else encoded words, each of whole characters, one a line. */
static void append_words(struct text text, struct buffer *out)
{
    if (is_plain(text)) {
        buffer_append_text(out, text);
        return;
    }
    for (bool first = true; text.length; first = false) {
        size_t length = 0;
        while (length < text.length) {
            struct text rest = {text.data + length, text.length - length};
            size_t step = utf8_offset(rest, 1);
            if (length + step > WORD_BYTES)
                break;
            length += step;
        }
        buffer_append_string(out, first ? "=?utf-8?B?" : "\r\n =?utf-8?B?");
        append_base64((struct text){text.data, length}, out);
        buffer_append_string(out, "?=");
        text = (struct text){text.data + length, text.length - length};
    }
}

static void append_subject(const struct notice *notice, struct buffer *out)
{
    struct buffer subject;
    buffer_init(&subject, 0);
    buffer_append_string(&subject, "[weir] ");
    buffer_append_text(&subject, notice->fields[NOTICE_EVENT]);
    const enum notice_field of[] = {NOTICE_ENVIRONMENT, NOTICE_ROLLOUT, NOTICE_FLAG};
    for (size_t i = 0; i < COUNT_OF(of); i++)
        if (notice->fields[of[i]].length) {
            buffer_append_string(&subject, i ? "/" : " ");
            buffer_append_text(&subject, notice->fields[of[i]]);
        }
    struct text text = buffer_text(&subject);
    text.length = utf8_offset(text, SUBJECT_MOST);
    append_words(text, out);
    if (subject.failed && !out->failed)
        out->failed = subject.failed;
    buffer_dispose(&subject);
}

/* "2027-02-09T10:14:00Z" as "9 Feb 2027 10:14:00 +0000" (RFC 5322, 3.3); nothing where it is no
 * such time: then the server that takes the mail dates it. */
static void append_date(struct text time, struct buffer *out)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    if (time.length != sizeof shape - 1)
        return;
    for (size_t i = 0; i < time.length; i++)
        if (shape[i] == 'd' ? time.data[i] < '0' || time.data[i] > '9' : time.data[i] != shape[i])
            return;
    unsigned month = (unsigned)(time.data[5] - '0') * 10 + (unsigned)(time.data[6] - '0');
    if (month < 1 || month > 12)
        return;
    buffer_printf(out, "Date: %.2s %s %.4s %.8s +0000\r\n", time.data + 8, months[month - 1],
                  time.data, time.data + 11);
}

static void append_body(const struct notify_channel *channel, const struct notice *notice,
                        struct buffer *out)
{
    struct buffer text;
    buffer_init(&text, 0);
    notify_text(channel, notice, NULL, &text);
    buffer_append_string(&text, "\n");
    struct text rest = buffer_text(&text);
    while (rest.length) {
        size_t length = rest.length < BASE64_LINE ? rest.length : BASE64_LINE;
        append_base64((struct text){rest.data, length}, out);
        buffer_append_string(out, "\r\n");
        rest = (struct text){rest.data + length, rest.length - length};
    }
    if (text.failed && !out->failed)
        out->failed = text.failed;
    buffer_dispose(&text);
}

/* The id is ours and hexadecimal; whatever else it were is left out. */
static void append_id(const struct notify_channel *channel, struct text id, struct buffer *out)
{
    static const char digits[] = "0123456789abcdef";
    const char *host = strchr(channel->from, '@');
    buffer_append_string(out, "Message-ID: <");
    for (size_t i = 0; i < id.length; i++)
        if (id.data[i] && strchr(digits, id.data[i]))
            buffer_append_char(out, id.data[i]);
    buffer_printf(out, ".%s%s>\r\n", channel->name, host ? host : "@localhost");
}

void mail_write(const struct notify_channel *channel, const struct notice *notice,
                struct buffer *out)
{
    buffer_printf(out, "From: weir <%s>\r\nTo: ", channel->from);
    for (size_t i = 0; i < channel->to_count; i++)
        buffer_printf(out, "%s<%s>", i ? ",\r\n " : "", channel->to[i]);
    buffer_append_string(out, "\r\nSubject: ");
    append_subject(notice, out);
    buffer_append_string(out, "\r\n");
    append_date(notice->fields[NOTICE_TIME], out);
    append_id(channel, notice->fields[NOTICE_ID], out);
    /* So that no holiday answer comes back (RFC 3834). */
    buffer_append_string(out, "Auto-Submitted: auto-generated\r\n"
                              "MIME-Version: 1.0\r\n"
                              "Content-Type: text/plain; charset=utf-8\r\n"
                              "Content-Transfer-Encoding: base64\r\n\r\n");
    append_body(channel, notice, out);
}
