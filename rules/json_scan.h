/* json_scan.h - the words of strict JSON: what json_read() (trees) and context_read() (slots) are
 * both made of.
 *
 * A cursor over bytes. Each function moves `p` behind what it read; on a fault it returns false
 * with `problem` set and `p` at the place. Nothing is allocated. */
#ifndef WEIR_JSON_SCAN_H
#define WEIR_JSON_SCAN_H

#include "base.h"

struct json_cursor {
    const char *p, *end;
    const char *problem; /* static text */
    enum status status;  /* of the problem: STATUS_INVALID or STATUS_LIMIT */
    /* The problem's words where something is too deep: static text that names the limit, from
     * whoever sets it. NULL: there are no better ones than "nested too deep". */
    const char *too_deep;
};

static inline bool json_fail(struct json_cursor *cursor, const char *problem)
{
    cursor->problem = problem;
    cursor->status = STATUS_INVALID;
    return false;
}

static inline void json_scan_space(struct json_cursor *cursor)
{
    while (cursor->p < cursor->end && (unsigned char)*cursor->p <= ' ' &&
           (*cursor->p == ' ' || *cursor->p == '\n' || *cursor->p == '\t' || *cursor->p == '\r'))
        cursor->p++;
}

/* A string; p is at its quote. *raw is what stands between the quotes: valid UTF-8, valid escapes;
 * *escapes tells whether it holds any. */
static inline bool json_scan_string(struct json_cursor *cursor, struct text *raw, bool *escapes);
/* Decodes a raw string that json_scan_string() accepted. Writes at most raw.length bytes; returns
 * how many. `out` may be where raw is. */
size_t json_decode_string(struct text raw, char *out);
bool json_scan_number(struct json_cursor *cursor, double *out);
/* true, false or null: returns 't', 'f', 'n', or 0 for a fault. */
char json_scan_word(struct json_cursor *cursor);
/* The way through a list or map, whose opening bracket is behind p: moves to the next entry.
 * `close` is its closing bracket, `first` is true for the first call. Returns 1 where an entry
 * follows (or should, after a comma), 0 when the end was reached, -1 for a fault. */
static inline int json_scan_entry(struct json_cursor *cursor, char close, bool first);
/* A map's key and its colon; p is where the key should be, and ends up at the value. As
 * json_scan_string(). */
static inline bool json_scan_key(struct json_cursor *cursor, struct text *raw, bool *escapes);
/* As many levels as Go's encoding/json reads. */
#define JSON_SKIP_DEPTH 10000
/* Moves over one whole value, checking it; at most `depth` levels, and never more than
 * JSON_SKIP_DEPTH. Takes the same small stack for any value. */
bool json_skip_value(struct json_cursor *cursor, unsigned depth);

/* The bytes of the value under `name` in the object `json`, the last one where it stands twice;
 * false where there is none, or `json` is no object, or deeper than `depth`. */
bool json_find_member(struct text json, const char *name, unsigned depth, struct text *out);

/* The 1-based place of `at` in the text that begins at `start`; the column counts code points. */
void json_place(const char *start, const char *at, uint32_t *line, uint32_t *column);

/* --- here, since what weir writes is read again: no white space, hardly an escape --------------
 */

/* json_scan_string() for any string. */
bool json_scan_string_slowly(struct json_cursor *cursor, struct text *raw, bool *escapes);
/* What json_scan_entry() makes of anything but white space, a comma and `close`: -1. */
int json_scan_no_entry(struct json_cursor *cursor, char close);

/* The high bit of each of eight bytes that is a quote, a backslash, a control character or not
 * ASCII. A byte above such a one may be marked as well; none below the first is. */
static inline uint64_t json_special_bytes(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
    return (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
            ((eight - ones * 0x20) & ~eight) | eight) &
           highs;
}

/* How many bytes stand before the first marked one, in memory's order. */
static inline size_t json_bytes_before(uint64_t marks)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(marks) / 8;
#else
    (void)marks;
    return 0; /* carries run the other way: look at each byte */
#endif
}

/* Where the string that begins at `p`, behind its quote, ends: at its other quote. NULL when it is
 * not plain ASCII without escapes, or stands at the very end of the text: look more closely. */
static inline const char *json_plain_string(const char *p, const char *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t eight;
        memcpy(&eight, p, 8);
        uint64_t marks = json_special_bytes(eight);
        if (!marks)
            continue;
        p += json_bytes_before(marks);
        return *p == '"' ? p : NULL;
    }
    return NULL;
}

static inline bool json_scan_string(struct json_cursor *cursor, struct text *raw, bool *escapes)
{
    const char *start = cursor->p + 1, *quote = json_plain_string(start, cursor->end);
    if (!quote)
        return json_scan_string_slowly(cursor, raw, escapes);
    *raw = (struct text){start, (size_t)(quote - start)};
    *escapes = false;
    cursor->p = quote + 1;
    return true;
}

static inline int json_scan_entry(struct json_cursor *cursor, char close, bool first)
{
    json_scan_space(cursor);
    if (cursor->p < cursor->end && *cursor->p == close) {
        cursor->p++;
        return 0;
    }
    if (first)
        return 1;
    if (cursor->p == cursor->end || *cursor->p != ',')
        return json_scan_no_entry(cursor, close);
    cursor->p++;
    json_scan_space(cursor);
    return 1; /* [1,] and {"a":1,} are found out by whoever reads the entry */
}

static inline bool json_scan_key(struct json_cursor *cursor, struct text *raw, bool *escapes)
{
    if (cursor->p == cursor->end || *cursor->p != '"')
        return json_fail(cursor, "expected a key in quotes");
    if (!json_scan_string(cursor, raw, escapes))
        return false;
    json_scan_space(cursor);
    if (cursor->p == cursor->end || *cursor->p != ':')
        return json_fail(cursor, "expected \":\" after the key");
    cursor->p++;
    json_scan_space(cursor);
    return true;
}

#endif
