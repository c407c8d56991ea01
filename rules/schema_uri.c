#include "schema_private.h"

/* The parts of a URI that we need; `scheme` is with its ":", `authority` with its "//". */
struct uri {
    struct text scheme, authority, path, tail; /* tail: query and fragment */
};

static struct text slice(struct text text, size_t from, size_t to)
{
    return (struct text){text.data + from, to - from};
}

static size_t find_any(struct text text, size_t from, const char *stops)
{
    while (from < text.length && !strchr(stops, text.data[from]))
        from++;
    return from;
}

static struct uri uri_parse(struct text text)
{
    struct uri uri = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    size_t at = 0, end = find_any(text, 0, ":/?#");
    if (end > 0 && end < text.length && text.data[end] == ':')
        at = end + 1;
    uri.scheme = slice(text, 0, at);
    size_t authority = at;
    if (text.length - at >= 2 && text.data[at] == '/' && text.data[at + 1] == '/')
        at = find_any(text, at + 2, "/?#");
    uri.authority = slice(text, authority, at);
    end = find_any(text, at, "?#");
    uri.path = slice(text, at, end);
    uri.tail = slice(text, end, text.length);
    return uri;
}

void uri_split(struct text uri, struct text *document, struct text *fragment)
{
    size_t at = find_any(uri, 0, "#");
    *document = slice(uri, 0, at);
    *fragment = at < uri.length ? slice(uri, at + 1, uri.length) : (struct text){NULL, 0};
}

/* Removes "." and ".." parts in place; the path shrinks. */
static size_t remove_dots(char *path, size_t length)
{
    size_t read = 0, write = 0;
    while (read < length) {
        size_t end = read;
        while (end < length && path[end] != '/')
            end++;
        size_t part = end - read;
        bool dot = part == 1 && path[read] == '.';
        bool dots = part == 2 && path[read] == '.' && path[read + 1] == '.';
        if (dots && write > 1) {
            write--; /* the slash before */
            while (write > 0 && path[write - 1] != '/')
                write--;
        } else if (!dot && !dots) {
            memmove(path + write, path + read, part);
            write += part;
            if (end < length)
                path[write++] = '/';
        }
        read = end + 1;
    }
    return write;
}

static char *put(char *out, struct text text)
{
    if (text.length)
        memcpy(out, text.data, text.length);
    return out + text.length;
}

enum status uri_resolve(struct arena *arena, struct text base, struct text reference,
                        struct text *out)
{
    struct uri from = uri_parse(base.data ? base : TEXT("")), to = uri_parse(reference);
    struct text folder = {NULL, 0};
    if (to.scheme.length) {
        from = to;
    } else {
        if (to.authority.length) {
            from.authority = to.authority;
            from.path = to.path;
        } else if (to.path.length && to.path.data[0] == '/') {
            from.path = to.path;
        } else if (to.path.length) {
            size_t end = from.path.length;
            while (end > 0 && from.path.data[end - 1] != '/')
                end--;
            folder = slice(from.path, 0, end);
            from.path = to.path;
        }
        from.tail = to.tail;
    }
    if (from.tail.length == 1 && from.tail.data[0] == '#')
        from.tail.length = 0;
    size_t size = from.scheme.length + from.authority.length + folder.length + from.path.length +
                  from.tail.length + 1;
    char *text = arena_allocate(arena, size);
    if (!text)
        return STATUS_NO_MEMORY;
    char *end = put(put(text, from.scheme), from.authority);
    char *path = end;
    end = put(put(end, folder), from.path);
    end = put(path + remove_dots(path, (size_t)(end - path)), from.tail);
    *end = '\0';
    *out = (struct text){text, (size_t)(end - text)};
    return STATUS_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool uri_decode(struct arena *arena, struct text text, struct text *out)
{
    char *bytes = arena_allocate(arena, text.length + 1);
    if (!bytes)
        return false;
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = text.length - i > 2 ? hex_digit(text.data[i + 1]) : -1;
            int low = text.length - i > 2 ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        bytes[length++] = c;
    }
    bytes[length] = '\0';
    *out = (struct text){bytes, length};
    return true;
}
