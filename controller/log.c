#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../rules/buffer.h"
#include "../rules/utf8.h"
#include "clock.h"

#define LINE_MAXIMUM ((size_t)64 << 10)
#define VALUE_MAXIMUM 4096 /* a longer value is cut, and says so */
#define PAIRS_MAXIMUM 32

static _Atomic int least_level = LOG_LEVEL_INFO;

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG:
        return "debug";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_ERROR:
        break;
    }
    return "error";
}

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

static void write_quoted(struct buffer *out, struct text value)
{
    buffer_append_char(out, '"');
    while (value.length) {
        struct text valid = {value.data, utf8_valid_length(value)};
        value.data += valid.length;
        value.length -= valid.length;
        while (valid.length) {
            size_t length;
            unsigned code = unsafe_code(valid, &length);
            if (code) {
                write_escape(out, code);
            } else {
                length = 1;
                if (valid.data[0] == '"' || valid.data[0] == '\\')
                    buffer_append_char(out, '\\');
                buffer_append_char(out, valid.data[0]);
            }
            valid.data += length;
            valid.length -= length;
        }
        if (value.length) { /* a byte that is no UTF-8 */
            buffer_append_string(out, "\\ufffd");
            value.data++;
            value.length--;
        }
    }
    buffer_append_char(out, '"');
}

static void write_value(struct buffer *out, const char *string)
{
    struct text value = {string, strnlen(string, VALUE_MAXIMUM + 1)};
    if (value.length <= VALUE_MAXIMUM) {
        if (is_plain(value))
            buffer_append_text(out, value);
        else
            write_quoted(out, value);
        return;
    }
    /* Cut between characters: back over the last one's continuation bytes. */
    value.length = VALUE_MAXIMUM;
    while (value.length && ((unsigned char)value.data[value.length] & 0xc0) == 0x80)
        value.length--;
    write_quoted(out, value);
    buffer_append_string(out, " cut=true");
}

void log_format(struct buffer *out, int64_t seconds, enum log_level level, const char *event,
                const char *const *pairs, size_t pair_count)
{
    char time[TIME_TEXT_SIZE];
    time_format(seconds, time);
    buffer_printf(out, "time=%s level=%s event=", time, level_name(level));
    write_value(out, event);
    for (size_t i = 0; i < pair_count; i++) {
        buffer_append_char(out, ' ');
        buffer_append_string(out, pairs[2 * i]);
        buffer_append_char(out, '=');
        write_value(out, pairs[2 * i + 1]);
    }
    buffer_append_char(out, '\n');
}

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
}

void log_event(enum log_level level, const char *event, ...)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    int saved = errno;
    const char *pairs[2 * PAIRS_MAXIMUM];
    size_t count = 0;
    va_list arguments;
    va_start(arguments, event);
    while (count < PAIRS_MAXIMUM) {
        const char *key = va_arg(arguments, const char *);
        const char *value = key ? va_arg(arguments, const char *) : NULL;
        if (!value)
            break;
        pairs[2 * count] = key;
        pairs[2 * count + 1] = value;
        count++;
    }
    va_end(arguments);

    struct buffer line;
    buffer_init(&line, LINE_MAXIMUM);
    log_format(&line, clock_seconds(&system_clock), level, event, pairs, count);
    static const char lost[] = "level=error event=log_line_lost\n";
    struct text text = line.failed ? TEXT(lost) : buffer_text(&line);
    ssize_t written;
    do /* one write a line: what a pipe cannot take now is lost rather than waited for in pieces */
        written = write(STDERR_FILENO, text.data, text.length);
    while (written < 0 && errno == EINTR);
    buffer_dispose(&line);
    errno = saved;
}
