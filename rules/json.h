/* json.h - strict JSON (RFC 8259) in and canonical JSON out.
 *
 * Reading is one pass, UTF-8 checked, no extensions: no comments, no trailing commas, no NaN. The
 * depth and the number of nodes are capped. Writing is canonical as RFC 8785 means it for numbers
 * (the shortest spelling that reads back the same, as ECMAScript prints it) and for strings (only
 * what must be escaped is); keys are written in the order the caller gives them, and
 * json_write_node() sorts them by their UTF-8 bytes. */
#ifndef WEIR_JSON_H
#define WEIR_JSON_H

#include "arena.h"
#include "buffer.h"
#include "node.h"

struct json_limits {
    size_t bytes;   /* of the source; 4 GiB at most */
    uint32_t depth; /* of lists and maps in one another; 0 takes a bare scalar only */
    uint32_t nodes;
    bool unique_keys; /* refuse a key that stands twice; else the last one counts */
    bool views;       /* keep no places; strings are views of the source where they can be, and then
                       * not NUL-terminated: for what is compiled at once and thrown away */
};

#define JSON_DEFAULT_DEPTH 512
#define JSON_LIMITS_DEFAULT                                                                        \
    ((struct json_limits){(size_t)1 << 30, JSON_DEFAULT_DEPTH, 50000000, false, false})

/* Reads exactly one value (white space around it allowed) into `arena`. On failure *out is NULL and
 * `error` has the place. */
enum status json_read(struct arena *arena, struct text source, struct json_limits limits,
                      const struct node **out, struct error *error);

/* --- writing --------------------------------------------------------------------------------- */

void json_write_string(struct buffer *out,
                       struct text string);                /* with quotes; input must be UTF-8 */
void json_write_number(struct buffer *out, double number); /* finite; -0 is written as 0 */
void json_write_node(struct buffer *out, const struct node *node);

/* --- numbers --------------------------------------------------------------------------------- */

#define NUMBER_TEXT_SIZE 32
#define NUMBER_SAFE_INTEGER                                                                        \
    9007199254740991.0 /* 2^53 - 1: the last integer that every engine keeps */

/* Reads the whole of `text` as a JSON number. Independent of the locale. False when it is not one,
 * or does not fit a double (1e999). */
bool number_parse(struct text text, double *out);
/* ECMAScript's Number() of a string: white space around it, "", "5.", ".5", "0x1F", "Infinity"; NaN
 * when it is none. */
double number_of_text(struct text text);
/* Writes the canonical spelling (no NUL) and returns its length, at most NUMBER_TEXT_SIZE. What is
 * not finite, which JSON does not have, as ECMAScript spells it: "NaN", "-Infinity". */
size_t number_format(double number, char out[NUMBER_TEXT_SIZE]);

#endif
