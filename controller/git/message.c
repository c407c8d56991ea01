#include "message.h"

#include <strings.h>

#include "../../rules/utf8.h"

static const char ellipsis[] = "\xe2\x80\xa6";

/* --- folding --------------------------------------------------------------------------------- */

/* Of the code point at `p`, `length` bytes long. */
static bool is_blank(const unsigned char *p, size_t length)
{
    if (length == 1)
        return p[0] <= 0x20 || p[0] == 0x7f;
    if (length == 2) /* U+0080 to U+00A0 */
        return p[0] == 0xc2 && p[1] <= 0xa0;
    if (length != 3 || p[0] != 0xe2)
        return false;
    /* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069 */
    return (p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
           (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}

/* The length of the code point that begins `text`; 0 when it is not valid. */
static size_t code_point(struct text text)
{
    unsigned char first = (unsigned char)text.data[0];
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length > text.length || utf8_valid_length((struct text){text.data, length}) != length)
        return 0;
    return length;
}

size_t message_fold(struct text text, char *out, size_t size)
{
    size_t room = size - 1, length = 0, fits = 0; /* fits: what stays beside an ellipsis */
    bool gap = false;
    while (text.length > 0) {
        size_t taken = code_point(text);
        const char *bytes = taken ? text.data : "?";
        size_t wide = taken ? taken : 1, step = wide;
        bool blank = is_blank((const unsigned char *)bytes, wide);
        text.data += step;
        text.length -= step;
        if (blank) {
            gap = length > 0;
            continue;
        }
        if (length + gap + wide > room) {
            memcpy(out + fits, ellipsis, sizeof ellipsis);
            return fits + sizeof ellipsis - 1;
        }
        if (gap)
            out[length++] = ' ';
        gap = false;
        memcpy(out + length, bytes, wide);
        length += wide;
        if (length + sizeof ellipsis - 1 <= room)
            fits = length;
    }
    out[length] = '\0';
    return length;
}

/* --- the parts ------------------------------------------------------------------------------- */

static void fail(struct message *message, enum status status)
{
    if (message->text.failed == STATUS_OK)
        message->text.failed = status;
}

void message_begin(struct message *message, struct text subject)
{
    char line[MESSAGE_SUBJECT_MAX + 1];
    *message = (struct message){0};
    buffer_init(&message->text, MESSAGE_MAX);
    if (message_fold(subject, line, sizeof line) == 0)
        fail(message, STATUS_INVALID);
    buffer_append_string(&message->text, line);
    buffer_append_char(&message->text, '\n');
}

void message_dispose(struct message *message)
{
    buffer_dispose(&message->text);
}

/* What git, or a reader of trailers, takes for more than text: "Token: value", "(cherry picked
 * from", a comment or a scissors line, a divider. Two blanks before it make it text. */
static bool is_delicate(const char *line)
{
    size_t token = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    size_t after = token + strspn(line + token, " \t");
    return line[0] == '#' || line[0] == '(' || strncmp(line, "---", 3) == 0 ||
           strncasecmp(line, "weir-", 5) == 0 || (token > 0 && line[after] == ':');
}

void message_line(struct message *message, struct text text)
{
    char line[MESSAGE_LINE_MAX + 1];
    if (message->has_trailers)
        fail(message, STATUS_INVALID);
    if (message_fold(text, line, sizeof line) == 0)
        return;
    buffer_append_string(&message->text, message->has_body ? "" : "\n");
    buffer_append_string(&message->text, is_delicate(line) ? "  " : "");
    buffer_append_string(&message->text, line);
    buffer_append_char(&message->text, '\n');
    message->has_body = true;
}

static bool is_key(const char *key)
{
    size_t length = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return length > 0 && length <= 64 && key[length] == '\0';
}

void message_trailer(struct message *message, const char *key, struct text value)
{
    char line[MESSAGE_LINE_MAX + 1];
    if (!is_key(key))
        fail(message, STATUS_INVALID);
    if (message_fold(value, line, sizeof line) == 0)
        return;
    buffer_printf(&message->text, "%s%s: %s\n", message->has_trailers ? "" : "\n", key, line);
    message->has_trailers = true;
}

const char *message_text(struct message *message)
{
    return buffer_string(&message->text);
}
