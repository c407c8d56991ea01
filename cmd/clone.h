/* clone.h - the definitions of a repository that is only known by its URL.
 *
 * It is cloned into a temporary folder that is gone when this returns, and also when the program is
 * interrupted. */
#ifndef WEIR_CLONE_H
#define WEIR_CLONE_H

#include "../controller/git/mirror.h"

/* Reads `revision` (NULL: the remote's HEAD) of `url` into `bundle` and writes which commit that
 * is. On a terminal a slow clone shows that it is at work. SIGINT, SIGTERM and SIGHUP end the
 * program after the folder was removed. */
enum status clone_read(const char *url, const char *revision, struct bundle *bundle,
                       struct diagnostics *diagnostics, char commit[COMMIT_TEXT_SIZE],
                       struct error *error);

#endif
