#include "log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "../rules/buffer.h"
#include "clock.h"

#define LINE_MAXIMUM ((size_t)80 << 10) /* more than log_write() ever needs */
#define PAIRS_MAXIMUM 32

static _Atomic int least_level = LOG_LEVEL_INFO;
static _Atomic int chosen_format = LOG_LOGFMT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const format_names[] = {"logfmt", "json"};

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

/* The position of `text` among `names`, or -1. */
static int position_of(const char *text, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return -1;
}

bool log_level_parse(const char *text, enum log_level *out)
{
    int position = position_of(text, level_names, (int)COUNT_OF(level_names));
    *out = position < 0 ? LOG_LEVEL_INFO : (enum log_level)position;
    return position >= 0;
}

bool log_format_parse(const char *text, enum log_format *out)
{
    int position = position_of(text, format_names, (int)COUNT_OF(format_names));
    *out = position < 0 ? LOG_LOGFMT : (enum log_format)position;
    return position >= 0;
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&chosen_format, (int)format, memory_order_relaxed);
}

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
}

/* --- writing out ----------------------------------------------------------------------------- */

/* Whoever reads the log may stop: a terminal that is held, a collector that hangs. A thread waits
 * for it once, for so long; until something can be written again nobody does. */
#define PATIENCE_MS 200

static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER; /* over all below */
static bool is_stalled, is_torn; /* nothing could be written last; a line was begun, not ended */
static unsigned long long lost;  /* lines, since the last that was written */

/* False when it could not be written to its end. As much as is certain to fit where anything does
 * goes out at a time: more would wait for its room. */
static bool put(struct text text)
{
    while (text.length) {
        struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
        size_t piece = text.length < PIPE_BUF ? text.length : PIPE_BUF;
        int ready = poll(&room, 1, is_stalled ? 0 : PATIENCE_MS);
        ssize_t written = ready > 0 ? write(STDERR_FILENO, text.data, piece) : ready;
        if (written < 0 && errno == EINTR)
            continue;
        is_stalled = written <= 0;
        if (is_stalled)
            return false;
        is_torn = text.data[written - 1] != '\n';
        text.data += written;
        text.length -= (size_t)written;
    }
    return true;
}

/* What was lost is told before what follows. */
static bool put_losses(enum log_format format)
{
    char count[24];
    const char *const pairs[] = {"count", count};
    const struct log_line told = {clock_seconds(&system_clock), LOG_LEVEL_WARN, "log_lines_lost",
                                  pairs, 1};
    struct buffer line;
    snprintf(count, sizeof count, "%llu", lost);
    buffer_init(&line, LINE_MAXIMUM);
    if (is_torn)
        buffer_append_char(&line, '\n');
    log_write(&line, format, &told);
    bool good = !line.failed && put(buffer_text(&line));
    buffer_dispose(&line);
    return good;
}

static void put_line(enum log_format format, struct text line)
{
    pthread_mutex_lock(&writing);
    if (lost && put_losses(format))
        lost = 0;
    if (lost || !put(line))
        lost++;
    pthread_mutex_unlock(&writing);
}

void log_event(enum log_level level, const char *event, ...)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    int saved = errno;
    const char *pairs[2 * PAIRS_MAXIMUM];
    size_t count = 0;
    va_list arguments;
    va_start(arguments, event);
    while (count < PAIRS_MAXIMUM) {
        const char *key = va_arg(arguments, const char *);
        const char *value = key ? va_arg(arguments, const char *) : NULL;
        if (!value)
            break;
        pairs[2 * count] = key;
        pairs[2 * count + 1] = value;
        count++;
    }
    va_end(arguments);

    struct buffer line;
    buffer_init(&line, LINE_MAXIMUM);
    enum log_format format =
        (enum log_format)atomic_load_explicit(&chosen_format, memory_order_relaxed);
    const struct log_line content = {clock_seconds(&system_clock), level, event, pairs, count};
    log_write(&line, format, &content);
    struct text too_large = format == LOG_JSON
                                ? TEXT("{\"level\":\"error\",\"event\":\"log_line_lost\"}\n")
                                : TEXT("level=error event=log_line_lost\n");
    put_line(format, line.failed ? too_large : buffer_text(&line));
    buffer_dispose(&line);
    errno = saved;
}
