/* clone.h - the definitions of a repository that is only known by its URL.
 *
 * It is cloned into a temporary folder that is gone when this returns, and also when the program is
 * interrupted. */
#ifndef WEIR_CLONE_H
#define WEIR_CLONE_H

#include "../controller/git/mirror.h"

/* What is to be done with the clone while it is there; on a thread of its own. */
typedef enum status clone_use(void *context, struct mirror *mirror, const char *commit,
                              struct error *error);

/* Clones `url`, resolves `revision` (NULL: the remote's HEAD) and uses what is there. On a terminal
 * a slow clone shows that it is at work. SIGINT, SIGTERM and SIGHUP end the program after the
 * folder was removed. */
enum status clone_read(const char *url, const char *revision, clone_use *use, void *context,
                       struct error *error);

#endif
