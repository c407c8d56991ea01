#include "url.h"

#include <sys/stat.h>
#include <unistd.h>

/* Where the URL that `text` begins with ends; URLs stand quoted or between blanks in messages. */
static size_t url_length(struct text text)
{
    size_t length = 0;
    while (length < text.length && !memchr(" \t\r\n\"'<>", text.data[length], 9))
        length++;
    return length;
}

static bool is_ssh(struct text before)
{
    return text_ends_with(before, TEXT("ssh"));
}

/* `text` begins after "://". Returns how many bytes were dealt with. */
static size_t append_authority(struct buffer *out, struct text text, bool ssh)
{
    struct text url = {text.data, url_length(text)};
    const char *slash = url.length ? memchr(url.data, '/', url.length) : NULL;
    struct text authority = {url.data, slash ? (size_t)(slash - url.data) : url.length};
    const char *at = authority.length ? memrchr(authority.data, '@', authority.length) : NULL;
    if (!at)
        return 0;
    size_t user = (size_t)(at - authority.data);
    const char *colon = memchr(authority.data, ':', user);
    if (ssh) {
        buffer_append(out, authority.data, colon ? (size_t)(colon - authority.data) : user);
        buffer_append_char(out, '@');
    }
    return user + 1;
}

void url_append_public(struct buffer *out, struct text text)
{
    static const char separator[] = "://";
    const size_t width = sizeof separator - 1;
    while (text.length) {
        const char *found = memmem(text.data, text.length, separator, width);
        size_t before = found ? (size_t)(found - text.data) : text.length;
        buffer_append(out, text.data, before);
        if (!found)
            return;
        buffer_append(out, separator, width);
        struct text rest = {found + width, text.length - before - width};
        size_t hidden = append_authority(out, rest, is_ssh((struct text){text.data, before}));
        text = (struct text){rest.data + hidden, rest.length - hidden};
        size_t length = url_length(text);
        const char *query = length ? memchr(text.data, '?', length) : NULL;
        if (query) {
            buffer_append(out, text.data, (size_t)(query - text.data));
            text = (struct text){text.data + length, text.length - length};
        }
    }
}

/* As the git program has it: a colon before the first slash makes it host:path, unless such a
 * folder exists. */
static bool is_path(const char *url)
{
    struct stat found;
    if (strstr(url, "://"))
        return false;
    const char *colon = strchr(url, ':'), *slash = strchr(url, '/');
    if (!colon || (slash && slash < colon))
        return true;
    return stat(url, &found) == 0 && S_ISDIR(found.st_mode);
}

char *url_absolute(const char *url)
{
    if (!is_path(url))
        return strdup(url);
    char *real = realpath(url, NULL);
    if (real)
        return real;
    if (url[0] == '/')
        return strdup(url);
    char *here = getcwd(NULL, 0), *joined = NULL;
    if (here) {
        struct buffer path;
        buffer_init(&path, 0);
        buffer_append_string(&path, here);
        buffer_append_char(&path, '/');
        buffer_append_string(&path, url);
        joined = buffer_take(&path, NULL);
        buffer_dispose(&path);
    }
    free(here);
    return joined;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool url_local_path(const char *url, char **path)
{
    static const char scheme[] = "file://", host[] = "localhost/";
    *path = NULL;
    if (url[0] == '/') {
        *path = strdup(url);
        return *path != NULL;
    }
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return true;
    url += sizeof scheme - 1;
    if (strncmp(url, host, sizeof host - 1) == 0)
        url += sizeof host - 2;
    char *out = *path = malloc(strlen(url) + 1);
    if (!out)
        return false;
    while (*url) {
        int high = url[0] == '%' ? hex_digit(url[1]) : -1;
        int low = high >= 0 ? hex_digit(url[2]) : -1;
        *out++ = low >= 0 ? (char)(high * 16 + low) : *url;
        url += low >= 0 ? 3 : 1;
    }
    *out = '\0';
    return true;
}
