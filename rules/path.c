#include "path.h"

bool path_split(struct text path, char *copy, struct text names[PATH_MAX_NAMES], uint32_t *count)
{
    size_t length = 0, start = 0;
    *count = 0;
    for (size_t i = 0; i <= path.length; i++) {
        char next = i + 1 < path.length ? path.data[i + 1] : '\0';
        if (i == path.length || path.data[i] == '.') {
            if (i == path.length && *count == path.length)
                break; /* never more names than characters */
            if (*count == PATH_MAX_NAMES)
                return false;
            names[(*count)++] = (struct text){copy + start, length - start};
            start = length;
        } else if (path.data[i] == '\\' && (next == '.' || next == '/' || next == '\\')) {
            copy[length++] = next;
            i++;
        } else {
            copy[length++] = path.data[i];
        }
    }
    return true;
}

/* Behind a dot, an index or "length" is part of a string or a list to some engines, and a member
 * only to others. */
static bool is_index_or_length(struct text part)
{
    for (size_t i = 0; i < part.length; i++) {
        if (part.data[i] < '0' || part.data[i] > '9')
            return text_is(part, "length");
    }
    return true;
}

/* Functions that JavaScript's objects inherit. npm's engine takes one for nothing, but finds its
 * members: constructor.name of a context without either is "Object". */
static bool is_inherited(struct text part)
{
    static const char *const names[] = {
        "constructor",          "toString",         "toLocaleString",   "valueOf",
        "hasOwnProperty",       "isPrototypeOf",    "__defineGetter__", "__defineSetter__",
        "propertyIsEnumerable", "__lookupGetter__", "__lookupSetter__",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (text_is(part, names[i]))
            return true;
    }
    return false;
}

bool path_is_alike(struct text path)
{
    struct text rest = path;
    for (;;) {
        const char *dot = rest.length ? memchr(rest.data, '.', rest.length) : NULL;
        struct text part = {rest.data, dot ? (size_t)(dot - rest.data) : rest.length};
        if (part.length == 0 || text_is(part, "__proto__") || (dot && is_inherited(part)) ||
            (part.data != path.data && is_index_or_length(part)) ||
            memchr(part.data, '\\', part.length))
            return false;
        if (!dot)
            return true;
        rest = (struct text){dot + 1, rest.length - part.length - 1};
    }
}
