/* compile.h - catalog × environment → state document. Pure: the same bytes on every machine. */
#ifndef WEIR_COMPILE_H
#define WEIR_COMPILE_H

#include "catalog.h"
#include "document.h"

/* What is to be compiled. Fragments whose bytes equal those of `previous` (the last document of the
 * same environment, or NULL) are shared with it, and its attribute slots are kept. */
struct compile_task {
    const struct catalog *catalog; /* all that the wanted flags ask for is in it */
    const struct environment *environment;
    const struct document *previous;
    const bool *wanted;      /* by the place of a flag; the document has the others from `previous`.
                                NULL:      all flags of the catalog, and no others */
    const struct text *gone; /* flags that the document has no more, sorted; only with `wanted` */
    size_t gone_count;
    const struct crew *crew; /* or NULL */
    bool *faulty;            /* by the place of a flag: set where it cannot be compiled; or NULL */
    bool *crowded; /* set when flags may be refused only for what `previous` still has a slot for,
                      though nobody asks for it any more: without `previous` they may do; or NULL */
};
/* The document: `previous` itself when nothing differs from it. Takes no references over. */
enum status compile_document(const struct compile_task *task, struct document **out,
                             struct diagnostics *diagnostics);

/* All of it: compile_document() for every flag of the catalog. */
enum status compile_environment(const struct catalog *catalog,
                                const struct environment *environment,
                                const struct document *previous, const struct crew *crew,
                                struct document **out, struct diagnostics *diagnostics);

/* Of one flag, bytes of its JSON: a flag that would be larger is a fault. Whoever keeps or carries
 * flags has room for as many. */
#define COMPILE_FRAGMENT_MAX ((size_t)4 << 20)
/* Appends the flag object of one flag, canonical. */
void compile_flag(const struct catalog *catalog, const struct environment *environment,
                  const struct flag *flag, struct buffer *out, struct diagnostics *diagnostics);

#endif
