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

/* --- places ---------------------------------------------------------------------------------- */

static bool take(char *out, size_t size, struct text text)
{
    if (text.length == 0 || text.length >= size)
        return false;
    memcpy(out, text.data, text.length);
    out[text.length] = '\0';
    return true;
}

static bool take_scheme(struct url_place *place, struct text scheme)
{
    static const struct {
        const char *written, *meant;
        uint16_t port;
    } schemes[] = {{"http", "http", 80}, {"https", "https", 443}, {"ssh", "ssh", 22},
                   {"git", "git", 9418}, {"git+ssh", "ssh", 22},  {"ssh+git", "ssh", 22}};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (text_is(scheme, schemes[i].written)) {
            place->port = schemes[i].port;
            return take(place->scheme, sizeof place->scheme, text_of(schemes[i].meant));
        }
    }
    return false;
}

static bool take_port(struct url_place *place, struct text digits)
{
    unsigned long port = 0;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' || port > UINT16_MAX)
            return false;
        port = port * 10 + (unsigned long)(digits.data[i] - '0');
    }
    if (digits.length)
        place->port = (uint16_t)port;
    return port <= UINT16_MAX && (port > 0 || digits.length == 0);
}

/* host, host:port, [v6] or [v6]:port */
static bool take_host(struct url_place *place, struct text text)
{
    const char *end =
        text.length && text.data[0] == '[' ? memchr(text.data, ']', text.length) : NULL;
    struct text host = text, rest = {NULL, 0};
    if (end) {
        host = (struct text){text.data + 1, (size_t)(end - text.data) - 1};
        rest = (struct text){end + 1, text.length - (size_t)(end + 1 - text.data)};
        if (rest.length && rest.data[0] != ':')
            return false;
    } else {
        const char *colon = text.length ? memchr(text.data, ':', text.length) : NULL;
        if (colon) {
            host.length = (size_t)(colon - text.data);
            rest = (struct text){colon, text.length - host.length};
        }
    }
    if (rest.length)
        rest = (struct text){rest.data + 1, rest.length - 1};
    return take(place->host, sizeof place->host, host) && take_port(place, rest);
}

bool url_place_parse(const char *url, struct url_place *place)
{
    *place = (struct url_place){.port = 22};
    const char *separator = strstr(url, "://");
    if (!separator) { /* user@host:path */
        if (is_path(url))
            return false;
        struct text host = {url, (size_t)(strchr(url, ':') - url)};
        const char *at = memrchr(host.data, '@', host.length);
        if (at)
            host = (struct text){at + 1, host.length - (size_t)(at + 1 - url)};
        return take(place->scheme, sizeof place->scheme, TEXT("ssh")) &&
               take(place->host, sizeof place->host, host);
    }
    const char *start = separator + 3;
    struct text authority = {start, strcspn(start, "/?#")};
    const char *at = authority.length ? memrchr(start, '@', authority.length) : NULL;
    if (at) {
        place->has_password = memchr(start, ':', (size_t)(at - start)) != NULL;
        authority = (struct text){at + 1, authority.length - (size_t)(at + 1 - start)};
    }
    return take_scheme(place, (struct text){url, (size_t)(separator - url)}) &&
           take_host(place, authority);
}

/* --- paths ----------------------------------------------------------------------------------- */

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
