/* buffer.h - bytes that grow, with a maximum and a sticky failure.
 *
 * Invariants: `data` is NULL only while `size` is 0; data[length] is not NUL unless buffer_string()
 * made it so. The first failure (no memory, or past the maximum) is remembered in `failed`; every
 * later append does nothing. So writers append without looking and check `failed` once, at the
 * end. */
#ifndef WEIR_BUFFER_H
#define WEIR_BUFFER_H

#include "base.h"

struct buffer {
    char *data;
    size_t length, size, maximum;
    enum status failed; /* STATUS_OK, STATUS_NO_MEMORY or STATUS_LIMIT */
};

#define BUFFER_DEFAULT_MAXIMUM ((size_t)1 << 31)

/* A maximum of 0 means BUFFER_DEFAULT_MAXIMUM (2 GiB). Allocates nothing. */
void buffer_init(struct buffer *buffer, size_t maximum);
void buffer_dispose(struct buffer *buffer);
/* Empties it, keeps the memory and the maximum, forgets the failure. */
void buffer_clear(struct buffer *buffer);

static inline void buffer_append(struct buffer *buffer, const void *data, size_t length);
static inline void buffer_append_text(struct buffer *buffer, struct text text);
void buffer_append_string(struct buffer *buffer, const char *string);
static inline void buffer_append_char(struct buffer *buffer, char c);
void buffer_append_u64(struct buffer *buffer, uint64_t number);
void buffer_append_hex(struct buffer *buffer, const void *data, size_t length);
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* Makes room for `length` more bytes and returns where they go, or NULL; then add to `length`. */
static inline char *buffer_reserve(struct buffer *buffer, size_t length);

/* The bytes so far, borrowed until the next append. */
struct text buffer_text(const struct buffer *buffer);
/* The same, NUL-terminated; NULL when the buffer has failed. */
const char *buffer_string(struct buffer *buffer);
/* Hands the memory (NUL-terminated) to the caller, who frees it; the buffer is empty again. NULL on
 * failure. */
char *buffer_take(struct buffer *buffer, size_t *length);

/* --- here, since most of what is appended is a few bytes that the compiler knows ------------- */

/* buffer_reserve() where the memory at hand does not do. */
char *buffer_reserve_more(struct buffer *buffer, size_t length);

static inline char *buffer_reserve(struct buffer *buffer, size_t length)
{
    if (buffer->failed || length > buffer->size - buffer->length)
        return buffer_reserve_more(buffer, length);
    return buffer->data + buffer->length;
}

static inline void buffer_append(struct buffer *buffer, const void *data, size_t length)
{
    if (length == 0)
        return;
    char *room = buffer_reserve(buffer, length);
    if (!room)
        return;
    memcpy(room, data, length);
    buffer->length += length;
}

static inline void buffer_append_text(struct buffer *buffer, struct text text)
{
    buffer_append(buffer, text.data, text.length);
}

static inline void buffer_append_char(struct buffer *buffer, char c)
{
    buffer_append(buffer, &c, 1);
}

#endif
