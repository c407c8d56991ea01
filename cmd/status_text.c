/* Text on a terminal: what is safe to print, how wide it is, how long ago something was. */
#include "../rules/utf8.h"
#include "status.h"

#define MINUTE INT64_C(60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* The code point at the start of valid UTF-8. */
static uint32_t code_at(struct text text, size_t *length)
{
    const unsigned char *c = (const unsigned char *)text.data;
    if (c[0] < 0x80) {
        *length = 1;
        return c[0];
    }
    *length = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
    if (*length > text.length) { /* cannot be: the reader has checked it */
        *length = text.length;
        return 0xfffd;
    }
    uint32_t code = c[0] & (0x7fu >> *length);
    for (size_t i = 1; i < *length; i++)
        code = code << 6 | (c[i] & 0x3fu);
    return code;
}

struct range {
    uint32_t first, last;
};

static bool is_among(uint32_t code, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* --- safety ---------------------------------------------------------------------------------- */

/* C0, DEL and C1; marks and overrides of direction; line separators. */
static bool is_unsafe(uint32_t code)
{
    static const struct range ranges[] = {{0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},
                                          {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};
    return is_among(code, ranges, COUNT_OF(ranges));
}

void status_write_safely(struct buffer *out, struct text text)
{
    while (text.length) {
        size_t length;
        uint32_t code = code_at(text, &length);
        if (is_unsafe(code))
            buffer_printf(out, "\\u%04x", code);
        else
            buffer_append(out, text.data, length);
        text.data += length;
        text.length -= length;
    }
}

struct text status_safe(struct arena *arena, struct text text)
{
    struct text copy = {"", 0};
    struct buffer safe;
    buffer_init(&safe, 0);
    status_write_safely(&safe, text);
    if (safe.failed || !arena_copy(arena, buffer_text(&safe), &copy))
        copy = TEXT("");
    buffer_dispose(&safe);
    return copy;
}

/* --- width ----------------------------------------------------------------------------------- */

static size_t width_of(uint32_t code)
{
    static const struct range nothing[] = {
        {0x300, 0x36f}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}};
    static const struct range twice[] = {{0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
                                         {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                         {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
                                         {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    if (code < 0x300)
        return 1;
    if (is_among(code, nothing, COUNT_OF(nothing)))
        return 0;
    return is_among(code, twice, COUNT_OF(twice)) ? 2 : 1;
}

struct text status_cut(struct text text, size_t width)
{
    size_t at = 0, cells = 0;
    while (at < text.length) {
        size_t length;
        uint32_t code = code_at((struct text){text.data + at, text.length - at}, &length);
        cells += width_of(code);
        if (cells > width)
            break;
        at += length;
    }
    return (struct text){text.data, at};
}

size_t status_width(struct text text)
{
    size_t cells = 0;
    while (text.length) {
        size_t length;
        cells += width_of(code_at(text, &length));
        text.data += length;
        text.length -= length;
    }
    return cells;
}

/* --- lines ---------------------------------------------------------------------------------- */

void status_write_wrapped(struct buffer *out, struct text text, size_t indent, size_t width)
{
    size_t room = !width ? SIZE_MAX : width > indent + 10 ? width - indent : 10;
    for (;;) {
        struct text line = status_cut(text, room);
        if (line.length < text.length) {
            size_t space = line.length;
            while (space && text.data[space] != ' ')
                space--;
            line.length = space ? space : line.length ? line.length : text.length;
        }
        buffer_append_text(out, line);
        buffer_append_char(out, '\n');
        text.data += line.length;
        text.length -= line.length;
        while (text.length && text.data[0] == ' ') {
            text.data++;
            text.length--;
        }
        if (!text.length)
            return;
        style_pad(out, indent);
    }
}

/* --- time ------------------------------------------------------------------------------------ */

void status_ago(int64_t then, int64_t now, char out[AGO_SIZE])
{
    static const struct {
        int64_t below, unit;
        const char *name;
    } steps[] = {{2 * MINUTE, 1, "s"},
                 {2 * HOUR, MINUTE, "min"},
                 {2 * DAY, HOUR, "h"},
                 {INT64_MAX, DAY, "d"}};
    int64_t distance = now > then ? now - then : then - now;
    size_t i = 0;
    while (distance >= steps[i].below && i + 1 < COUNT_OF(steps))
        i++;
    if (distance == 0)
        snprintf(out, AGO_SIZE, "now");
    else
        snprintf(out, AGO_SIZE, "%s%lld %s%s", now > then ? "" : "in ",
                 (long long)(distance / steps[i].unit), steps[i].name, now > then ? " ago" : "");
}
