/* How faults look: to a person, and to a program. */
#include "diagnostics.h"
#include "json.h"
#include "utf8.h"

struct palette {
    const char *bold, *error, *warning, *hint, *faint, *end;
};

static const struct palette plain = {"", "", "", "", "", ""};
static const struct palette ansi = {"\033[1m",  "\033[1;31m", "\033[1;33m",
                                    "\033[36m", "\033[2m",    "\033[0m"};

/* The three bytes of a character that turns the direction of what follows, so that a line would be
 * read otherwise than it is: U+202A to U+202E, U+2066 to U+2069. 0: none. */
static unsigned turning_character(struct text text, size_t i)
{
    if (text.length - i < 3 || (unsigned char)text.data[i] != 0xe2)
        return 0;
    unsigned c = 0x2000 | ((unsigned char)text.data[i + 1] & 0x3fU) << 6 |
                 ((unsigned char)text.data[i + 2] & 0x3fU);
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ? c : 0;
}

/* Text from a definitions file must not steer the terminal. */
static void write_safely(struct buffer *out, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        unsigned turning = turning_character(text, i);
        if (turning) {
            buffer_printf(out, "\\u%04x", turning);
            i += 2;
            continue;
        }
        if (c == '\t')
            buffer_append_char(out, ' ');
        else if (c < 0x20 || c == 0x7f)
            buffer_printf(out, "\\x%02x", c);
        else if (c == 0xc2 && i + 1 < text.length && (unsigned char)text.data[i + 1] < 0xa0)
            buffer_printf(out, "\\x%02x", (unsigned char)text.data[++i]); /* a C1 control */
        else
            buffer_append_char(out, (char)c);
    }
}

/* How many columns write_safely() takes for the first `count` characters of `text`. */
static size_t safe_width(struct buffer *out, struct text text, size_t count)
{
    size_t start = out->length;
    text.length = utf8_offset(text, count);
    write_safely(out, text);
    if (out->failed)
        return 0;
    size_t width = utf8_count((struct text){out->data + start, out->length - start});
    out->length = start; /* it was only to be measured */
    return width;
}

static void write_place(struct buffer *out, const struct place *place)
{
    write_safely(out, place->path);
    if (place->line)
        buffer_printf(out, ":%u:%u", place->line, place->column);
}

static void write_excerpt(struct buffer *out, const struct diagnostic *item,
                          const struct palette *p)
{
    if (item->excerpt.length == 0)
        return;
    buffer_printf(out, "  %s%5u |%s ", p->faint, item->place.line, p->end);
    write_safely(out, item->excerpt);
    buffer_append_char(out, '\n');
    if (item->place.column && item->place.column <= utf8_count(item->excerpt) + 1) {
        buffer_printf(out, "  %s      |%s ", p->faint, p->end);
        for (size_t i = safe_width(out, item->excerpt, item->place.column - 1); i > 0; i--)
            buffer_append_char(out, ' ');
        buffer_printf(out, "%s^%s\n", item->severity == SEVERITY_ERROR ? p->error : p->warning,
                      p->end);
    }
}

static void write_item(struct buffer *out, const struct diagnostic *item, const struct palette *p)
{
    bool error = item->severity == SEVERITY_ERROR;
    buffer_append_string(out, p->bold);
    write_place(out, &item->place);
    buffer_printf(out, ":%s %s%s[%s]:%s ", p->end, error ? p->error : p->warning,
                  error ? "error" : "warning", item->code, p->end);
    write_safely(out, item->message);
    buffer_append_char(out, '\n');
    write_excerpt(out, item, p);
    if (item->other.path.length) {
        buffer_append_string(out, "  also: ");
        write_place(out, &item->other);
        buffer_append_char(out, '\n');
    }
    if (item->hint.length) {
        buffer_printf(out, "  %shint:%s ", p->hint, p->end);
        write_safely(out, item->hint);
        buffer_append_char(out, '\n');
    }
}

static void write_count(struct buffer *out, size_t count, const char *what)
{
    buffer_printf(out, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

void diagnostics_write_text(struct buffer *out, const struct diagnostics *list, bool colour)
{
    const struct palette *p = colour ? &ansi : &plain;
    size_t total = list->errors + list->warnings;
    size_t shown = list->count < DIAGNOSTICS_PRINTED ? list->count : DIAGNOSTICS_PRINTED;
    for (size_t i = 0; i < shown; i++)
        write_item(out, &list->items[i], p);
    if (total == 0)
        return;
    if (shown)
        buffer_append_char(out, '\n');
    buffer_append_string(out, list->errors ? p->error : p->warning);
    write_count(out, list->errors, "error");
    buffer_append_string(out, ", ");
    write_count(out, list->warnings, "warning");
    buffer_append_string(out, p->end);
    if (shown < total)
        buffer_printf(out, " (the first %zu are shown)", shown);
    buffer_append_char(out, '\n');
}

static void write_place_members(struct buffer *out, const struct place *place)
{
    buffer_printf(out, "\"column\":%u,\"line\":%u,\"path\":", place->column, place->line);
    json_write_string(out, place->path);
}

void diagnostic_write_json(struct buffer *out, const struct diagnostic *item)
{
    buffer_printf(out, "{\"code\":\"%s\",\"column\":%u", item->code, item->place.column);
    if (item->hint.length) {
        buffer_append_string(out, ",\"hint\":");
        json_write_string(out, item->hint);
    }
    buffer_printf(out, ",\"line\":%u,\"message\":", item->place.line);
    json_write_string(out, item->message);
    if (item->other.path.length) {
        buffer_append_string(out, ",\"other\":{");
        write_place_members(out, &item->other);
        buffer_append_char(out, '}');
    }
    buffer_append_string(out, ",\"path\":");
    json_write_string(out, item->place.path);
    buffer_printf(out, ",\"severity\":\"%s\"}",
                  item->severity == SEVERITY_ERROR ? "error" : "warning");
}

void diagnostics_write_json(struct buffer *out, const struct diagnostics *list)
{
    size_t shown = list->count < DIAGNOSTICS_PRINTED ? list->count : DIAGNOSTICS_PRINTED;
    buffer_append_string(out, "{\"diagnostics\":[");
    for (size_t i = 0; i < shown; i++) {
        if (i)
            buffer_append_char(out, ',');
        diagnostic_write_json(out, &list->items[i]);
    }
    buffer_printf(out, "],\"errors\":%zu,\"warnings\":%zu}", list->errors, list->warnings);
}
