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
    while (cursor->p < cursor->end &&
           (*cursor->p == ' ' || *cursor->p == '\n' || *cursor->p == '\t' || *cursor->p == '\r'))
        cursor->p++;
}

/* A string; p is at its quote. *raw is what stands between the quotes: valid UTF-8, valid escapes;
 * *escapes tells whether it holds any. */
bool json_scan_string(struct json_cursor *cursor, struct text *raw, bool *escapes);
/* Decodes a raw string that json_scan_string() accepted. Writes at most raw.length bytes; returns
 * how many. `out` may be where raw is. */
size_t json_decode_string(struct text raw, char *out);
bool json_scan_number(struct json_cursor *cursor, double *out);
/* true, false or null: returns 't', 'f', 'n', or 0 for a fault. */
char json_scan_word(struct json_cursor *cursor);
/* The way through a list or map, whose opening bracket is behind p: moves to the next entry.
 * `close` is its closing bracket, `first` is true for the first call. Returns 1 where an entry
 * follows (or should, after a comma), 0 when the end was reached, -1 for a fault. */
int json_scan_entry(struct json_cursor *cursor, char close, bool first);
/* A map's key and its colon; p is where the key should be, and ends up at the value. As
 * json_scan_string(). */
bool json_scan_key(struct json_cursor *cursor, struct text *raw, bool *escapes);
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

#endif
