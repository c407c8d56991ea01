#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
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
    struct text lost = format == LOG_JSON
                           ? TEXT("{\"level\":\"error\",\"event\":\"log_line_lost\"}\n")
                           : TEXT("level=error event=log_line_lost\n");
    struct text text = line.failed ? lost : buffer_text(&line);
    ssize_t written;
    do /* one write a line: what a pipe cannot take now is lost rather than waited for in pieces */
        written = write(STDERR_FILENO, text.data, text.length);
    while (written < 0 && errno == EINTR);
    buffer_dispose(&line);
    errno = saved;
}
