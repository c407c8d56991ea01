#include "http_url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

#define STANDARD_PORT 80
#define STANDARD_PORT_TLS 443

void http_clean(struct text source, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < source.length && used + 1 < size; i++)
        out[used++] = (char)(source.data[i] >= ' ' && source.data[i] < 0x7f ? source.data[i] : '?');
    out[used] = '\0';
}

/* How long the part before any of `ends` is. */
static size_t span_before(struct text text, const char *ends)
{
    size_t length = 0;
    while (length < text.length && !strchr(ends, text.data[length]))
        length++;
    return length;
}

/* Space and what is no printable ASCII would end up in a request's first line. */
static bool is_clean(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return true;
}

/* Put together again from its parts, so that nobody who reads it can see another host in it. */
static enum status write_text(struct http_url *url, struct text path, struct error *error)
{
    bool v6 = strchr(url->server.host, ':');
    bool bare = path.length == 0 || path.data[0] != '/';
    int length =
        snprintf(url->text, sizeof url->text, "%s://%s%s%s:%u%s%.*s", url->tls ? "https" : "http",
                 v6 ? "[" : "", url->server.host, v6 ? "]" : "", url->server.port, bare ? "/" : "",
                 (int)path.length, path.data ? path.data : "");
    if (length < 0 || (size_t)length >= sizeof url->text)
        return error_set(error, STATUS_LIMIT, "URL is longer than %zu bytes", sizeof url->text - 1);
    return STATUS_OK;
}

enum status http_url_parse(struct text text, struct http_url *out, struct error *error)
{
    *out = (struct http_url){.tls = text_starts_with(text, TEXT("https://"))};
    if (!out->tls && !text_starts_with(text, TEXT("http://")))
        return error_set(error, STATUS_INVALID, "URL does not begin with http:// or https://");
    size_t scheme = out->tls ? strlen("https://") : strlen("http://");
    if (text.length >= sizeof out->text)
        return error_set(error, STATUS_LIMIT, "URL is longer than %zu bytes", sizeof out->text - 1);
    if (!is_clean(text))
        return error_set(error, STATUS_INVALID,
                         "URL holds a character that has to be written as %%XX");
    struct text rest = {text.data + scheme, text.length - scheme};
    struct text server = {rest.data, span_before(rest, "/?#\\")};
    if (server.length && memchr(server.data, '@', server.length))
        return error_set(error, STATUS_INVALID,
                         "URL holds credentials: name a secret in 'credentials' instead");
    if (memchr(text.data, '#', text.length))
        return error_set(error, STATUS_INVALID, "URL has a fragment ('#…'), which no server sees");
    enum status status = reach_host_parse(server, &out->server, error);
    if (status != STATUS_OK)
        return status;
    if (out->server.port == 0)
        out->server.port = out->tls ? STANDARD_PORT_TLS : STANDARD_PORT;
    struct text path = {rest.data + server.length, rest.length - server.length};
    if (path.length && path.data[0] == '\\')
        return error_set(error, STATUS_INVALID, "URL has a '\\' where its path begins");
    http_clean((struct text){text.data, span_before(text, "?")}, out->shown, sizeof out->shown);
    return write_text(out, path, error);
}

bool http_url_same_server(const struct http_url *a, const struct http_url *b)
{
    return a->tls == b->tls && a->server.port == b->server.port &&
           strcasecmp(a->server.host, b->server.host) == 0;
}

bool http_url_is_loopback(const struct http_url *url)
{
    struct in_addr v4;
    struct in6_addr v6;
    const char *host = url->server.host;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(host, "localhost") == 0;
}
