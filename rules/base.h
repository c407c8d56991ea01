/* base.h - the few words every module of rules/ and controller/ speaks.
 *
 * Status: every fallible function returns `enum status`; STATUS_OK is 0. The text of a failure goes
 * into a `struct error` (one failure, programmer- or world-facing) or into a `struct diagnostics`
 * (many faults, each with its place in the definitions; see diagnostics.h).
 *
 * Strings: `struct text` is a borrowed view, not NUL-terminated unless its maker says so. */
#ifndef WEIR_BASE_H
#define WEIR_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "banned.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define PRINTF_LIKE(position, first) __attribute__((format(printf, position, first)))
#define MUST_CHECK __attribute__((warn_unused_result))

enum status {
    STATUS_OK = 0,
    STATUS_NO_MEMORY, /* allocation failed */
    STATUS_INVALID,   /* what came in is wrong: the diagnostics or the error say where */
    STATUS_LIMIT,     /* what came in is larger than we accept */
    STATUS_NOT_FOUND, /* the thing named does not exist */
    STATUS_REFUSED,   /* not allowed, or older than what is there */
    STATUS_SYSTEM,    /* the outside world failed: disk, network, peer */
    STATUS_STOPPED,   /* we were asked to stop */
};

/* One failure. `line` and `column` are 1-based, 0 when there is no place. */
struct error {
    enum status status;
    uint32_t line, column;
    char message[256]; /* one line, lower case, no full stop, the thing quoted */
};

/* Fills `error` (which may be NULL) and returns `status`, so that callers can `return
 * error_set(…)`. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);
enum status error_set_at(struct error *error, enum status status, uint32_t line, uint32_t column,
                         const char *format, ...) PRINTF_LIKE(5, 6);

/* A borrowed run of bytes. `data` is never NULL where length > 0. */
struct text {
    const char *data;
    size_t length;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

static inline struct text text_of(const char *string)
{
    return (struct text){string, string ? strlen(string) : 0};
}

static inline bool text_equal(struct text a, struct text b)
{
    /* Most texts that are compared differ in their length or their first byte: no call for those.
     */
    return a.length == b.length &&
           (a.length == 0 || (a.data[0] == b.data[0] && memcmp(a.data, b.data, a.length) == 0));
}

static inline bool text_is(struct text a, const char *string)
{
    return text_equal(a, text_of(string));
}

/* Byte order, shorter first on a common prefix: the order of keys in canonical JSON. */
int text_compare(struct text a, struct text b);

bool text_starts_with(struct text a, struct text prefix);
bool text_ends_with(struct text a, struct text suffix);

/* True and *out = a * b unless that overflows size_t. */
static inline bool size_multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

#endif
