/* log.h - one line an event on standard error, as logfmt or as JSON:
 *     time=2026-11-22T21:30:00Z level=info event=served commit=3f9c… environments=2
 *     {"time":"2026-11-22T21:30:00Z","level":"info","event":"served","commit":"3f9c…",…}
 * Values are strings. In logfmt they are quoted where they must be; in both, control characters and
 * what turns the direction of writing are escaped and a byte that is no UTF-8 becomes U+FFFD, so
 * that no input can forge a line. A value is cut at 4 KiB and a line at 64 KiB, and says so by
 * cut=true.
 *
 * Nobody waits for whoever reads the log: lines that cannot be written are lost, and their number
 * is told by event=log_lines_lost before the next that can. */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#include "../rules/base.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* Pairs of key and value, both strings, ended by NULL: log_event(LOG_LEVEL_INFO, "served",
 * "commit", oid, NULL). A value of NULL ends the list too. Thread-safe; a line is
 * one write(2), one of more than 4 KiB several. */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
void log_set_level(enum log_level least);
void log_set_format(enum log_format format);
/* As options spell them: "debug", "info", "warn", "error"; "logfmt", "json". False: none of them.
 */
bool log_level_parse(const char *text, enum log_level *out);
bool log_format_parse(const char *text, enum log_format *out);

/* log_write.c: a line without writing it out. Keys are plain words of ours. */
struct buffer;
struct log_line {
    int64_t seconds; /* since 1970 */
    enum log_level level;
    const char *event;
    const char *const *pairs; /* key, value, key, value … */
    size_t pair_count;
};
void log_write(struct buffer *out, enum log_format format, const struct log_line *line);
const char *log_level_name(enum log_level level);

#endif
