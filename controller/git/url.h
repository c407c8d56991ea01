/* url.h - what of a repository's URL may be seen: by people, in the log, on the disk. */
#ifndef WEIR_GIT_URL_H
#define WEIR_GIT_URL_H

#include "../../rules/buffer.h"

/* Appends `text` without the secrets of the URLs in it: of every scheme://user:password@host only
 * the user of an ssh URL stays (a token may stand in the place of another's user). What follows '?'
 * in a URL goes too. */
void url_append_public(struct buffer *out, struct text text);

/* A new string: the absolute path when `url` is the path of a folder ("." or "../flags.git"), else
 * `url` itself. NULL without memory. */
char *url_absolute(const char *url);

/* Where a URL leads: scheme, host (an IPv6 address without its brackets) and port. */
struct url_place {
    char scheme[8], host[256];
    uint16_t port; /* the scheme's own when the URL names none */
    bool has_password;
};

/* False when `url` is no http, https, ssh or git URL, nor host:path as ssh knows it. */
bool url_place_parse(const char *url, struct url_place *place);

/* Of a file:// URL or an absolute path: the path, as a new string. False without memory; *path is
 * NULL for a URL of another kind. */
bool url_local_path(const char *url, char **path);

#endif
