#include "smtp_url.h"

#include <stdio.h>

enum status smtp_url_parse(struct text text, struct smtp_url *out, struct error *error)
{
    *out = (struct smtp_url){.tls = text_starts_with(text, TEXT("smtps://"))};
    size_t scheme = out->tls ? 8 : 7;
    if (!out->tls && !text_starts_with(text, TEXT("smtp://")))
        return error_set(error, STATUS_INVALID,
                         "a mail server is written smtp://HOST[:PORT] or smtps://HOST[:PORT]");
    struct text host = {text.data + scheme, text.length - scheme};
    if (host.length && memchr(host.data, '@', host.length))
        return error_set(error, STATUS_INVALID,
                         "the URL of a mail server holds no credentials: give user and password");
    if (host.length && host.data[host.length - 1] == '/')
        host.length--;
    enum status status = reach_host_parse(host, &out->server, error);
    if (status == STATUS_OK && out->server.port == 0)
        out->server.port = out->tls ? 465 : 587;
    return status;
}

void smtp_url_write(const struct smtp_url *url, char *out, size_t size)
{
    bool v6 = strchr(url->server.host, ':');
    snprintf(out, size, "%s://%s%s%s:%u", url->tls ? "smtps" : "smtp", v6 ? "[" : "",
             url->server.host, v6 ? "]" : "", url->server.port);
}
