/* evaluate.h - fragment × context × time → decision. Allocates nothing. */
#ifndef WEIR_EVALUATE_H
#define WEIR_EVALUATE_H

#include "context.h"
#include "document.h"

enum reason {
    REASON_STATIC,
    REASON_DEFAULT,
    REASON_TARGETING_MATCH,
    REASON_DISABLED,
    REASON_ERROR
};
const char *reason_name(enum reason reason); /* "TARGETING_MATCH" */

enum error_code { ERROR_NONE, ERROR_FLAG_NOT_FOUND, ERROR_PARSE_ERROR, ERROR_GENERAL };
const char *error_code_name(enum error_code code); /* "FLAG_NOT_FOUND" */

struct decision {
    enum reason reason;
    enum error_code error;
    const char *problem;      /* when error is set, else NULL; belongs to the fragment */
    struct text resolved;     /* what targeting gave where no variant is called that; borrowed from
                                 the context until it is evaluated with again */
    struct text value;        /* JSON; empty: the caller's own default is to be used */
    struct text variant;      /* the name as it is; empty with value */
    struct text variant_json; /* the name as a JSON string */
    struct text members;      /* the two as an answer has them: ,"value":…,"variant":"…" */
    struct text metadata;     /* JSON object of flag and set merged; empty where there is none */
};

/* `context` was read for the document's attributes. `now` is seconds since 1970 ($flagd.timestamp).
 * What the decision points to
 * belongs to the fragment, but for `resolved`. `fragment` NULL gives FLAG_NOT_FOUND. */
void evaluate(const struct fragment *fragment, struct context *context, int64_t now,
              struct decision *out);

#endif
