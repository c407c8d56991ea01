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
