/* receive.h - pushing to a repository on this machine: libgit2's smart protocol, spoken with git
 * receive-pack.
 *
 * libgit2's own local transport writes the objects and then the ref, whatever the ref is by then:
 * of two pushers one loses its commit, and hooks and receive.* are passed over. So the git program
 * receives here, as it does on a server. */
#ifndef WEIR_GIT_RECEIVE_H
#define WEIR_GIT_RECEIVE_H

#include <git2.h>

#include "access.h"

/* Where to push, and what came of starting it. */
struct receiver {
    const char *path;                /* of the repository; borrowed */
    const struct git_access *access; /* says whether it may be another user's; borrowed, or NULL */
    struct error error;              /* why git did not start; its status is STATUS_OK otherwise */
};

/* Makes a transport to `receiver`, which outlives it. Bound to the watch of this thread (watch.h).
 * 0, or libgit2's code with its message set. */
int receiver_transport(git_transport **out, git_remote *owner, struct receiver *receiver);

#endif
