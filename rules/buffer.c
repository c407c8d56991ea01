#include "buffer.h"

#include <stdarg.h>

#define FIRST_SIZE 256

void buffer_init(struct buffer *buffer, size_t maximum)
{
    *buffer = (struct buffer){.maximum = maximum ? maximum : BUFFER_DEFAULT_MAXIMUM};
}

void buffer_dispose(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->maximum);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = STATUS_OK;
}

char *buffer_reserve_more(struct buffer *buffer, size_t length)
{
    size_t needed;
    if (buffer->failed)
        return NULL;
    if (!size_add(buffer->length, length, &needed) || needed > buffer->maximum) {
        buffer->failed = STATUS_LIMIT;
        return NULL;
    }
    if (needed > buffer->size) {
        size_t size = buffer->size ? buffer->size : FIRST_SIZE;
        while (size < needed)
            size = size > buffer->maximum / 2 ? buffer->maximum : size * 2;
        if (size > buffer->maximum) /* so that what fits into the memory is within the maximum */
            size = buffer->maximum;
        char *data = realloc(buffer->data, size);
        if (!data) {
            buffer->failed = STATUS_NO_MEMORY;
            return NULL;
        }
        buffer->data = data;
        buffer->size = size;
    }
    return buffer->data + buffer->length;
}

void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

void buffer_append_u64(struct buffer *buffer, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    buffer_append(buffer, digits + at, sizeof digits - at);
}

void buffer_append_hex(struct buffer *buffer, const void *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++) {
        buffer_append_char(buffer, digits[bytes[i] >> 4]);
        buffer_append_char(buffer, digits[bytes[i] & 15]);
    }
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        char *room = buffer_reserve(buffer, (size_t)length + 1);
        if (room && vsnprintf(room, (size_t)length + 1, format, again) == length)
            buffer->length += (size_t)length;
    } else if (!buffer->failed) {
        buffer->failed = STATUS_LIMIT;
    }
    va_end(again);
}

struct text buffer_text(const struct buffer *buffer)
{
    return (struct text){buffer->data, buffer->length};
}

const char *buffer_string(struct buffer *buffer)
{
    char *room = buffer_reserve(buffer, 1);
    if (!room)
        return NULL;
    *room = '\0';
    return buffer->data;
}

char *buffer_take(struct buffer *buffer, size_t *length)
{
    if (!buffer_string(buffer))
        return NULL;
    char *data = buffer->data;
    if (length)
        *length = buffer->length;
    buffer_init(buffer, buffer->maximum);
    return data;
}
