/* owner.h - opening repositories that belong to another user.
 *
 * libgit2 refuses them, since their owner could make it run anything, and knows of exceptions only
 * in the user's Git configuration. That check is one switch for the process, so every call that
 * opens a repository stands between these two: a lock keeps one thread's exception from another's
 * repository. */
#ifndef WEIR_GIT_OWNER_H
#define WEIR_GIT_OWNER_H

#include "access.h"

/* Whether `access` (NULL: nothing is allowed) names the repository at `path`. */
bool owner_is_allowed(const struct git_access *access, const char *path);
/* `path` is about to be opened. The check is off until owner_end() where `access` (NULL: nothing is
 * allowed) names it. */
void owner_begin(const struct git_access *access, const char *path);
void owner_end(void);
/* Whether libgit2's `code` means that the owner was why. Where the user's configuration exists and
 * names no exception, libgit2 1.5 complains of that instead; its local transport loses the code. */
bool owner_was_refused(int code);

#endif
