/* local.h - fetching from a repository on this machine.
 *
 * libgit2's own local transport copies every branch and tag of the other side again with each fetch
 * that brings anything, wanted or not. This copies what one commit needs and we do not have. */
#ifndef WEIR_GIT_LOCAL_H
#define WEIR_GIT_LOCAL_H

#include <git2.h>

#include "access.h"

/* Called now and then; anything but 0 ends the copying and is returned. */
typedef int local_progress(void *context);

/* Copies `tip` and its history from the repository at `path` into `into`, as one pack. `access` (or
 * NULL) says whether it may be another user's. 0, or
 * libgit2's code with its message set. */
int local_copy(git_repository *into, const char *path, const struct git_access *access,
               const git_oid *tip, local_progress *progress, void *context);

#endif
