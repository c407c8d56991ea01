/* compile.h - catalog × environment → state document. Pure: the same bytes on every machine. */
#ifndef WEIR_COMPILE_H
#define WEIR_COMPILE_H

#include "catalog.h"
#include "document.h"

/* Compiles every flag for `environment`. Fragments whose bytes equal those of `previous` (may be
 * NULL; the last document of the same environment) are shared with it, and its attribute slots are
 * kept. `crew` may be NULL. */
enum status compile_environment(const struct catalog *catalog,
                                const struct environment *environment,
                                const struct document *previous, const struct crew *crew,
                                struct document **out, struct diagnostics *diagnostics);

/* Appends the flag object of one flag, canonical. */
void compile_flag(const struct catalog *catalog, const struct environment *environment,
                  const struct flag *flag, struct buffer *out, struct diagnostics *diagnostics);

#endif
