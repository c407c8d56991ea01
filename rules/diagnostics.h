/* diagnostics.h - every fault a person can mend, with its place and a stable code.
 *
 * A list of faults grows while definitions are read, checked and linked; nothing stops at the first
 * one. Faults keep copies of all their text (in the list's own arena), so the list outlives what it
 * speaks of. diagnostics_sort() brings them into the one stable order (path, line, column, code,
 * message) and drops exact repeats. The list holds at most DIAGNOSTICS_KEPT faults and counts the
 * rest; at most DIAGNOSTICS_PRINTED of them are printed. */
#ifndef WEIR_DIAGNOSTICS_H
#define WEIR_DIAGNOSTICS_H

#include "arena.h"
#include "buffer.h"

#define DIAGNOSTICS_KEPT 10000
#define DIAGNOSTICS_PRINTED 100

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

/* A place in the definitions; line and column are 1-based (column counts code points), 0 = whole
 * file. */
struct place {
    struct text path; /* as in the repository, with '/' */
    uint32_t line, column;
};

struct diagnostic {
    const char *code; /* stable, like "W203"; static storage; the table is in codes.h */
    enum severity severity;
    struct place place;
    struct text message; /* what is wrong: one line, lower case, no full stop */
    struct text hint;    /* how to mend it, or empty */
    struct place
        other; /* a second place that belongs to it (the first of two names), or path empty */
    struct text excerpt; /* the source line, or empty; see diagnostics_excerpts() */
};

struct diagnostics {
    struct arena arena;
    struct diagnostic *items;
    size_t count, size;
    size_t errors, warnings; /* also those that were not kept */
    enum status failed;      /* STATUS_NO_MEMORY: some fault could not be noted */
};

void diagnostics_init(struct diagnostics *list);
void diagnostics_dispose(struct diagnostics *list);

/* Notes one fault. `code` must be one of codes.h: it decides the severity. `hint` may be NULL.
 * Returns the entry, so that a caller can set `other` with diagnostic_also(); NULL when it was not
 * kept. */
struct diagnostic *diagnostics_add(struct diagnostics *list, const char *code, struct place place,
                                   const char *hint, const char *format, ...) PRINTF_LIKE(5, 6);
void diagnostic_also(struct diagnostics *list, struct diagnostic *diagnostic, struct place other);

/* Appends what `from` holds, which is empty afterwards. */
void diagnostics_join(struct diagnostics *list, struct diagnostics *from);

/* Appends copies of them. */
void diagnostics_copy(struct diagnostics *list, const struct diagnostics *from);

void diagnostics_sort(struct diagnostics *list);

/* Finds the text of a file; false where there is none. */
typedef bool diagnostics_source(void *context, struct text path, struct text *out);
/* Copies each fault's source line into it, for printing with a caret. */
void diagnostics_excerpts(struct diagnostics *list, diagnostics_source *source, void *context);

/* Writes the list as a person reads it:
 *     flags/checkout.yaml:12:14: error[W301]: segment "staf" does not exist
 *        12 |       when: {segment: staf}
 *           |              ^
 *       hint: did you mean "staff"?
 * and a last line that counts. `colour` adds ANSI colours. */
void diagnostics_write_text(struct buffer *out, const struct diagnostics *list, bool colour);
/* {"diagnostics":[{"code","severity","path","line","column","message","hint"?,"other"?}…],"errors":N,"warnings":N}
 */
void diagnostics_write_json(struct buffer *out, const struct diagnostics *list);
/* One entry of that array, for /status. */
void diagnostic_write_json(struct buffer *out, const struct diagnostic *diagnostic);

#endif
