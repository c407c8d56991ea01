/* metric_template.h - {{flag}}, {{variant}}, … in what a metric asks.
 *
 * A template names what differs from rollout to rollout; a value is escaped for the place that it
 * comes to stand in, so that no name can end a string of PromQL or a part of a URL. Pure. */
#ifndef WEIR_METRIC_TEMPLATE_H
#define WEIR_METRIC_TEMPLATE_H

#include "buffer.h"

enum metric_word {
    WORD_FLAG,
    WORD_VARIANT, /* of the arm that is asked about: for the control arm, the control's */
    WORD_CONTROL,
    WORD_ENVIRONMENT,
    WORD_PHASE,
    WORD_WINDOW, /* "300s": a duration as PromQL has them */
    METRIC_WORDS,
};

enum metric_escape {
    ESCAPE_PROMQL, /* inside "…" or '…'; of PromQL's strings only those in backticks know no escape
                      and take no name with a backtick */
    ESCAPE_URL,    /* RFC 3986: all but unreserved characters as %XX */
    ESCAPE_POINTER, /* RFC 6901: ~0 and ~1 */
};

struct metric_words {
    struct text of[METRIC_WORDS];
};

bool metric_template_names(struct text template, enum metric_word word);
/* The first {{…}} that is none of them; false: there is none. *name is a view of the template. */
bool metric_template_unknown(struct text template, struct text *name);
/* Appends it with all words filled in; what is unknown stays as it is. */
void metric_template_fill(struct text template, const struct metric_words *words,
                          enum metric_escape escape, struct buffer *out);
/* Appends one value, escaped. */
void metric_escape(struct text value, enum metric_escape escape, struct buffer *out);

#endif
