/* credential.h - who we are to a Git server, without ever asking a person.
 *
 * SSH: the agent, then ~/.ssh/id_ed25519, id_ecdsa, id_rsa (without passphrases), each tried once.
 * HTTP: what stands in the URL, which libgit2 uses by itself. When nothing is left, `problem` says
 * what to do. */
#ifndef WEIR_GIT_CREDENTIAL_H
#define WEIR_GIT_CREDENTIAL_H

#include <git2.h>

#include "../../rules/base.h"

struct credentials {
    unsigned tried;    /* how many of the ways of SSH were used up */
    bool offered;      /* at least one was */
    char problem[160]; /* why the last call gave none, or empty */
};

/* libgit2's git_credential_acquire_cb is given a wrapper of this. 0, or GIT_EAUTH with `problem`
 * set. */
int credentials_acquire(struct credentials *credentials, git_credential **out, const char *user,
                        unsigned allowed);

#endif
