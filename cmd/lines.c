#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* A line that is not whole yet leaves room for a block at least. */
#define SIZE (LINE_MAX_BYTES + ((size_t)256 << 10))

enum status lines_init(struct lines *lines, int file)
{
    *lines = (struct lines){.file = file, .data = malloc(SIZE)};
    return lines->data ? STATUS_OK : STATUS_NO_MEMORY;
}

void lines_dispose(struct lines *lines)
{
    free(lines->data);
    *lines = (struct lines){0};
}

static enum line want(struct lines *lines)
{
    lines->looked = lines->end;
    if (lines->end - lines->start > LINE_MAX_BYTES) {
        lines->skipping = true;
        lines->start = lines->end = lines->looked = 0;
    }
    return LINE_WANTING;
}

enum line lines_next(struct lines *lines, struct text *out)
{
    const char *end = lines->data + lines->end;
    const char *feed = memchr(lines->data + lines->looked, '\n', lines->end - lines->looked);
    if (!feed && !lines->ended)
        return want(lines);
    if (!feed && !lines->skipping && lines->start == lines->end)
        return LINE_END;
    const char *start = lines->data + lines->start;
    struct text line = {start, (size_t)((feed ? feed : end) - start)};
    bool too_long = lines->skipping || line.length > LINE_MAX_BYTES;
    lines->start += line.length + (feed ? 1 : 0);
    lines->looked = lines->start;
    lines->skipping = false;
    lines->number++;
    if (too_long)
        return LINE_TOO_LONG;
    *out = line;
    return LINE_WHOLE;
}

/* A descriptor that does not wait by itself was handed to us by a parent of ours. */
static bool wait_for(int file)
{
    struct pollfd entry = {.fd = file, .events = POLLIN};
    return poll(&entry, 1, -1) >= 0 || errno == EINTR;
}

enum status lines_read(struct lines *lines)
{
    ssize_t got;
    size_t rest = lines->end - lines->start;
    if (lines->start > 0)
        memmove(lines->data, lines->data + lines->start, rest);
    lines->looked -= lines->start;
    lines->start = 0;
    lines->end = rest;
    do
        got = read(lines->file, lines->data + rest, SIZE - rest);
    while (got < 0 && (errno == EINTR || (errno == EAGAIN && wait_for(lines->file))));
    if (got < 0)
        return STATUS_SYSTEM;
    lines->end += (size_t)got;
    lines->ended = got == 0;
    return STATUS_OK;
}
