/* pattern.h - regular expressions of JSON Schema: the part that ECMAScript and PCRE2 read alike.
 *
 * A pattern means the same here as in an editor: what only PCRE2 knows (possessive quantifiers,
 * POSIX classes, inline options, verbs, \A \z \h …) is refused when it is compiled. Matching is
 * bounded in steps, depth and memory, allocates nothing, and any number of threads may share a
 * pattern. */
#ifndef WEIR_PATTERN_H
#define WEIR_PATTERN_H

#include "base.h"

#define PATTERN_MAX_LENGTH 4096

struct pattern;

enum pattern_result {
    PATTERN_MATCHES,
    PATTERN_DIFFERS,
    PATTERN_GAVE_UP, /* a limit was hit; treat it as a refusal */
};

/* `source` is copied. STATUS_INVALID when it is not such a pattern, STATUS_LIMIT when it is too
 * long. */
enum status pattern_new(struct text source, struct pattern **out, struct error *error);
void pattern_free(struct pattern *pattern); /* NULL does nothing */
/* Looks for the pattern anywhere in `subject`, as JSON Schema does: "^" and "$" anchor it. */
enum pattern_result pattern_match(const struct pattern *pattern, struct text subject);
struct text pattern_source(const struct pattern *pattern);

#endif
