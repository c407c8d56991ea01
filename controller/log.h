/* log.h - one line an event on standard error, as logfmt:
 *     time=2026-11-22T21:30:00Z level=info event=served commit=3f9c… environments=2
 * Values are quoted where they must be; control characters are escaped, so that no input can forge
 * a line. */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#include "../rules/base.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* Pairs of key and value, both strings, ended by NULL: log_event(LOG_LEVEL_INFO, "served",
 * "commit", oid, NULL). A value of NULL ends the list too. Thread-safe; a line is one write(2). */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
void log_set_level(enum log_level least);
/* A log line, without writing it: for tests. */
struct buffer;
void log_format(struct buffer *out, int64_t seconds, enum log_level level, const char *event,
                const char *const *pairs, size_t pair_count);

#endif
