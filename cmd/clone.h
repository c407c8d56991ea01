/* clone.h - a repository that is only known by its URL, or that is to be pushed to: as a clone that
 * lasts as long as one command.
 *
 * It is in a temporary folder that is gone when these return, and also when the program is
 * interrupted. */
#ifndef WEIR_CLONE_H
#define WEIR_CLONE_H

#include <stdatomic.h>

#include "../controller/git/mirror.h"

/* What is to be done with the clone while it is there; on a thread of its own. */
typedef enum status clone_work(void *context, struct mirror *mirror, _Atomic bool *stop,
                               struct error *error);
typedef enum status clone_use(void *context, struct mirror *mirror, const char *commit,
                              struct error *error);

/* An empty clone of `url`, reached by `access` (or NULL; borrowed). On a terminal slow work shows
 * that it goes on. SIGINT, SIGTERM and SIGHUP set *stop, and end the program after the folder was
 * removed. After mirror_startup(). */
enum status clone_run(const char *url, const struct git_access *access, clone_work *work,
                      void *context, struct error *error);

/* Clones `url`, resolves `revision` (NULL: the remote's HEAD) and uses what is there. */
enum status clone_read(const char *url, const char *revision, clone_use *use, void *context,
                       struct error *error);

#endif
