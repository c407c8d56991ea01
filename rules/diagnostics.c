#include "diagnostics.h"

#include <stdarg.h>

#include "codes.h"
#include "utf8.h"

#define MESSAGE_MAX 1000
#define EXCERPT_MAX 300
#define DIAGNOSTICS_MEMORY ((size_t)64 << 20)

void diagnostics_init(struct diagnostics *list)
{
    *list = (struct diagnostics){0};
    arena_init(&list->arena, DIAGNOSTICS_MEMORY);
}

void diagnostics_dispose(struct diagnostics *list)
{
    arena_dispose(&list->arena);
    free(list->items);
    diagnostics_init(list);
}

static enum severity severity_of(const char *code)
{
    static const struct {
        const char *code;
        enum severity severity;
    } known[] = {
#define ROW(name, code, severity, title) {code, severity},
        DIAGNOSTIC_CODES(ROW)
#undef ROW
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(known[i].code, code) == 0)
            return known[i].severity;
    }
    return SEVERITY_ERROR;
}

static bool make_room(struct diagnostics *list)
{
    if (list->count < list->size)
        return true;
    size_t size = list->size ? list->size * 2 : 16;
    struct diagnostic *items = realloc(list->items, size * sizeof *items);
    if (!items)
        return false;
    list->items = items;
    list->size = size;
    return true;
}

static bool copy_place(struct diagnostics *list, struct place from, struct place *out)
{
    *out = from;
    return arena_copy(&list->arena, from.path, &out->path);
}

/* A cut in the middle of a character would make the whole output invalid UTF-8. */
static struct text whole_characters(const char *data, size_t length)
{
    struct text text = {data, length};
    text.length = utf8_valid_length(text);
    return text;
}

/* "%.100s" may cut a quoted name in the middle of a character; what stands behind it must not be
 * lost with it. Returns the new length. */
static size_t drop_halves(char *message, size_t length)
{
    size_t kept = 0, at = 0;
    while (at < length) {
        size_t whole = utf8_valid_length((struct text){message + at, length - at});
        memmove(message + kept, message + at, whole);
        kept += whole;
        at += whole + 1;
    }
    return kept;
}

struct diagnostic *diagnostics_add(struct diagnostics *list, const char *code, struct place place,
                                   const char *hint, const char *format, ...)
{
    char message[MESSAGE_MAX];
    struct diagnostic made = {.code = code, .severity = severity_of(code)};
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length < 0)
        length = 0;
    if ((size_t)length >= sizeof message)
        length = sizeof message - 1;
    struct text text = {message, drop_halves(message, (size_t)length)};
    if (made.severity == SEVERITY_ERROR)
        list->errors++;
    else
        list->warnings++;
    if (list->count >= DIAGNOSTICS_KEPT)
        return NULL;
    if (!make_room(list) || !copy_place(list, place, &made.place) ||
        !arena_copy(&list->arena, text, &made.message) ||
        !arena_copy(&list->arena, text_of(hint ? hint : ""), &made.hint)) {
        list->failed = STATUS_NO_MEMORY;
        return NULL;
    }
    list->items[list->count] = made;
    return &list->items[list->count++];
}

void diagnostic_also(struct diagnostics *list, struct diagnostic *diagnostic, struct place other)
{
    struct place copy;
    if (!diagnostic)
        return;
    if (copy_place(list, other, &copy))
        diagnostic->other = copy;
    else
        list->failed = STATUS_NO_MEMORY;
}

static bool copy_diagnostic(struct diagnostics *list, const struct diagnostic *from,
                            struct diagnostic *out)
{
    *out = *from;
    return copy_place(list, from->place, &out->place) &&
           copy_place(list, from->other, &out->other) &&
           arena_copy(&list->arena, from->message, &out->message) &&
           arena_copy(&list->arena, from->hint, &out->hint);
}

/* One after the other, as if they had been noted here: where that ends for want of memory does not
 * depend on who noted them. */
void diagnostics_copy(struct diagnostics *list, const struct diagnostics *from)
{
    for (size_t i = 0; i < from->count && list->count < DIAGNOSTICS_KEPT; i++) {
        if (make_room(list) && copy_diagnostic(list, &from->items[i], &list->items[list->count]))
            list->count++;
        else
            list->failed = STATUS_NO_MEMORY;
    }
    list->errors += from->errors;
    list->warnings += from->warnings;
    if (from->failed)
        list->failed = from->failed;
}

void diagnostics_join(struct diagnostics *list, struct diagnostics *from)
{
    diagnostics_copy(list, from);
    diagnostics_dispose(from);
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *a, const void *b)
{
    const struct diagnostic *x = a, *y = b;
    int order = text_compare(x->place.path, y->place.path);
    if (order == 0)
        order = compare_numbers(x->place.line, y->place.line);
    if (order == 0)
        order = compare_numbers(x->place.column, y->place.column);
    if (order == 0)
        order = strcmp(x->code, y->code);
    if (order == 0)
        order = text_compare(x->message, y->message);
    return order;
}

void diagnostics_sort(struct diagnostics *list)
{
    size_t kept = 0;
    if (list->count == 0)
        return;
    qsort(list->items, list->count, sizeof *list->items, compare);
    for (size_t i = 1; i < list->count; i++) {
        if (compare(&list->items[kept], &list->items[i]) == 0) {
            if (list->items[i].severity == SEVERITY_ERROR)
                list->errors--;
            else
                list->warnings--;
            continue;
        }
        list->items[++kept] = list->items[i];
    }
    list->count = kept + 1;
}

/* Where in which text the last excerpt was: faults are mostly sorted, so that a large file is
 * walked through once and not for each of its faults. */
struct reading_place {
    struct text path, source;
    uint32_t line; /* that `at` is the beginning of; 0: nowhere yet */
    const char *at;
};

/* Where the line at `p` ends: "\n", "\r\n" and "\r" end one, as YAML has it. */
static const char *line_end(const char *p, const char *end)
{
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    return p;
}

/* The text of line `line`, without its end. */
static struct text find_line(struct reading_place *place, uint32_t line)
{
    const char *p = place->at, *end = place->source.data + place->source.length;
    for (; place->line < line && p < end; place->line++) {
        p = line_end(p, end);
        if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
            p++;
        p += p < end;
    }
    place->at = p;
    place->line = line; /* past the end all lines are empty */
    size_t length = (size_t)(line_end(p, end) - p);
    return (struct text){p, length < EXCERPT_MAX ? length : EXCERPT_MAX};
}

void diagnostics_excerpts(struct diagnostics *list, diagnostics_source *source, void *context)
{
    struct reading_place place = {.line = 0};
    for (size_t i = 0; i < list->count; i++) {
        struct diagnostic *item = &list->items[i];
        if (item->place.line == 0)
            continue;
        if (place.line == 0 || item->place.line < place.line ||
            !text_equal(item->place.path, place.path)) {
            place = (struct reading_place){.path = item->place.path};
            if (!source(context, item->place.path, &place.source))
                continue;
            place.line = 1;
            place.at = place.source.data;
        }
        struct text line = find_line(&place, item->place.line);
        line = whole_characters(line.data, line.length);
        if (line.length && !arena_copy(&list->arena, line, &item->excerpt))
            list->failed = STATUS_NO_MEMORY;
    }
}
