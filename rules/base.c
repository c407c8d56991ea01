#include "base.h"

#include <stdarg.h>

#include "utf8.h"

/* What is quoted may hold line ends and terminal controls, and "%.80s" may cut a character in two:
 * a message stays one line of UTF-8. */
static void make_printable(char *message)
{
    size_t length = strlen(message), at = 0;
    while (at < length) {
        size_t end = at + utf8_valid_length((struct text){message + at, length - at});
        for (; at < end; at++) {
            if ((unsigned char)message[at] < 0x20 || message[at] == 0x7f)
                message[at] = '?';
        }
        if (at < length)
            message[at++] = '?';
    }
}

static enum status set(struct error *error, enum status status, uint32_t line, uint32_t column,
                       const char *format, va_list arguments)
{
    if (!error)
        return status;
    error->status = status;
    error->line = line;
    error->column = column;
    if (vsnprintf(error->message, sizeof error->message, format, arguments) < 0)
        error->message[0] = '\0';
    make_printable(error->message);
    return status;
}

enum status error_set(struct error *error, enum status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, status, 0, 0, format, arguments);
    va_end(arguments);
    return status;
}

enum status error_set_at(struct error *error, enum status status, uint32_t line, uint32_t column,
                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, status, line, column, format, arguments);
    va_end(arguments);
    return status;
}

int text_compare(struct text a, struct text b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

bool text_starts_with(struct text a, struct text prefix)
{
    return a.length >= prefix.length &&
           (prefix.length == 0 || memcmp(a.data, prefix.data, prefix.length) == 0);
}

bool text_ends_with(struct text a, struct text suffix)
{
    return a.length >= suffix.length &&
           (suffix.length == 0 ||
            memcmp(a.data + a.length - suffix.length, suffix.data, suffix.length) == 0);
}
