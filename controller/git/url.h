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

/* Of a file:// URL or an absolute path: the path, as a new string. False without memory; *path is
 * NULL for a URL of another kind. */
bool url_local_path(const char *url, char **path);

#endif
