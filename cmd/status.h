/* status.h - what `weir status` is made of: an answer of GET /status, shown.
 *
 * All that an answer holds is hostile: it is bounded, read as strict JSON, and nothing of it
 * reaches a terminal that could steer it. Members that are missing or of another type are shown as
 * unknown, so that other versions of weir can be looked at. */
#ifndef WEIR_STATUS_H
#define WEIR_STATUS_H

#include "../rules/json.h"
#include "style.h"

/* --- status_text.c --------------------------------------------------------------------------- */

/* Control characters, and what turns the direction of writing, as \uXXXX; the same JSON in JSON. */
void status_write_safely(struct buffer *out, struct text text);
/* A copy of that in the arena; an empty text without memory. */
struct text status_safe(struct arena *arena, struct text text);
/* Cells of a terminal that the text takes. */
size_t status_width(struct text text);
/* The part of `text` that takes at most `width` cells. */
struct text status_cut(struct text text, size_t width);
/* Appends `text` and a line feed, where a line stands `indent` cells in already; broken at spaces
 * where it is wider than `width` (0: no limit), with what follows behind `indent` spaces. */
void status_write_wrapped(struct buffer *out, struct text text, size_t indent, size_t width);
/* "now", "40 s ago", "3 min ago", "5 h ago", "2 d ago"; "in 2 min" where clocks disagree. */
#define AGO_SIZE 32
void status_ago(int64_t then, int64_t now, char out[AGO_SIZE]);

/* --- status_table.c -------------------------------------------------------------------------- */

struct status_cell {
    struct text text; /* safe, borrowed until the table is written */
    const char *look; /* an escape sequence, or "" */
    bool right;       /* numbers */
};

#define STATUS_COLUMNS 8

/* Rows of `columns` cells, the first one the heads, in columns as wide as they must be; where all
 * of it is wider than `width` (0: no limit) the widest columns are cut. */
void status_write_table(struct buffer *out, const struct style *style, size_t width,
                        const struct status_cell (*rows)[STATUS_COLUMNS], size_t count,
                        size_t columns);

/* --- status_view.c --------------------------------------------------------------------------- */

struct status_look {
    const struct style *style;
    size_t width;           /* of the terminal; 0: no limit */
    size_t rows;            /* of a table; beyond, what is good is left out first; 0: no limit */
    int64_t now;            /* the controller's */
    const char *controller; /* its URL */
    bool bars;              /* it is a terminal: shares are drawn */
};

/* Writes the tables, and below them what is wrong. Returns how many things are. `arena` is for what
 * is put together on the way. */
size_t status_view(struct buffer *out, struct arena *arena, const struct node *status,
                   const struct status_look *look);

/* --- rollouts_view.c ------------------------------------------------------------------------- */

/* The same of an answer of GET /rollouts: a line for each rollout, and below them those that were
 * stopped, and where something else is served than Git says. */
size_t rollouts_view(struct buffer *out, struct arena *arena, const struct node *answer,
                     const struct status_look *look);
/* Of one entry of it, safe. "ten 3/5"; nothing before its start. */
void rollouts_write_phase(struct buffer *out, const struct node *item);
/* "10 %", "5.5 → 10 %" in a ramp, "100 % of staff", "0 %, was 10". */
void rollouts_write_share(struct buffer *out, const struct node *item);
/* What its status looks like. */
const char *rollouts_look_of(const struct style *style, const struct node *item);

#endif
