/* How a line of the log is spelled. */
#include "../rules/buffer.h"
#include "../rules/utf8.h"
#include "clock.h"
#include "log.h"

#define VALUE_MAXIMUM ((size_t)4096)    /* bytes of a value, as it is written */
#define LINE_MAXIMUM ((size_t)60 << 10) /* where no further pair begins */

static bool is_plain(struct text value)
{
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
            return false;
    }
    return value.length > 0;
}

static void write_escape(struct buffer *out, unsigned code)
{
    static const char letters[] = {['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (code < sizeof letters && letters[code]) {
        buffer_append_char(out, '\\');
        buffer_append_char(out, letters[code]);
    } else {
        buffer_printf(out, "\\u%04x", code);
    }
}

/* The code point at the start of `rest` when it must not reach a terminal or a line-based reader as
 * it is: C0, DEL, C1, the line separators, and what turns the direction of writing. 0: none. */
static unsigned unsafe_code(struct text rest, size_t *length)
{
    const unsigned char *c = (const unsigned char *)rest.data;
    *length = 1;
    if (c[0] < 0x20 || c[0] == 0x7f)
        return c[0];
    if (c[0] == 0xc2 && c[1] < 0xa0) {
        *length = 2;
        return c[1];
    }
    if (c[0] == 0xe2 && (c[1] == 0x80 || c[1] == 0x81)) {
        unsigned code = 0x2000u | (unsigned)(c[1] & 0x3f) << 6 | (c[2] & 0x3f);
        *length = 3;
        if ((code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
            return code;
    }
    return 0;
}

static size_t length_of_character(char first)
{
    unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Between quotes; both forms escape alike. False when it was cut, between two characters. */
static bool write_quoted(struct buffer *out, struct text value)
{
    const size_t start = out->length;
    bool whole = true;
    buffer_append_char(out, '"');
    while (value.length && whole) {
        struct text valid = {value.data, utf8_valid_length(value)};
        value.data += valid.length;
        value.length -= valid.length;
        while (valid.length && whole) {
            size_t length;
            unsigned code = unsafe_code(valid, &length);
            if (code) {
                write_escape(out, code);
            } else {
                length = length_of_character(valid.data[0]);
                if (valid.data[0] == '"' || valid.data[0] == '\\')
                    buffer_append_char(out, '\\');
                buffer_append(out, valid.data, length);
            }
            valid.data += length;
            valid.length -= length;
            whole = out->length - start < VALUE_MAXIMUM || (valid.length == 0 && value.length == 0);
        }
        if (value.length && whole) { /* a byte that is no UTF-8 */
            buffer_append_string(out, "\\ufffd");
            value.data++;
            value.length--;
            whole = out->length - start < VALUE_MAXIMUM || value.length == 0;
        }
    }
    buffer_append_char(out, '"');
    return whole;
}

static struct text bounded(const char *string)
{
    return (struct text){string, strnlen(string, VALUE_MAXIMUM + 1)};
}

static void write_logfmt(struct buffer *out, const struct log_line *line, const char *time)
{
    buffer_printf(out, "time=%s level=%s event=%s", time, log_level_name(line->level), line->event);
    for (size_t i = 0; i < line->pair_count; i++) {
        struct text value = bounded(line->pairs[2 * i + 1]);
        buffer_printf(out, " %s=", line->pairs[2 * i]);
        if (value.length <= VALUE_MAXIMUM && is_plain(value))
            buffer_append_text(out, value);
        else if (!write_quoted(out, value))
            buffer_append_string(out, " cut=true");
        if (out->length >= LINE_MAXIMUM && i + 1 < line->pair_count) {
            buffer_append_string(out, " cut=true");
            break;
        }
    }
}

static void write_json(struct buffer *out, const struct log_line *line, const char *time)
{
    bool whole = true;
    buffer_printf(out, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", time,
                  log_level_name(line->level), line->event);
    for (size_t i = 0; i < line->pair_count; i++) {
        buffer_printf(out, ",\"%s\":", line->pairs[2 * i]);
        whole = write_quoted(out, bounded(line->pairs[2 * i + 1])) && whole;
        if (out->length >= LINE_MAXIMUM && i + 1 < line->pair_count) {
            whole = false;
            break;
        }
    }
    buffer_append_string(out, whole ? "}" : ",\"cut\":true}");
}

void log_write(struct buffer *out, enum log_format format, const struct log_line *line)
{
    char time[TIME_TEXT_SIZE];
    time_format(line->seconds, time);
    if (format == LOG_JSON)
        write_json(out, line, time);
    else
        write_logfmt(out, line, time);
    buffer_append_char(out, '\n');
}
