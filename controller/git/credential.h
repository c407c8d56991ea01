/* credential.h - who we are to a Git server, without ever asking a person.
 *
 * SSH: the key that the operator named; else the agent, then ~/.ssh/id_ed25519, id_ecdsa, id_rsa
 * (without passphrases), each tried once. HTTP: the token, once; what stands in the URL, libgit2
 * uses by itself. When nothing is left, `problem` says what to do. Sockets lead to the configured
 * host or nowhere (watch.h), so no redirect ever takes a secret along. */
#ifndef WEIR_GIT_CREDENTIAL_H
#define WEIR_GIT_CREDENTIAL_H

#include <git2.h>

#include "access.h"

struct credentials {
    const struct git_access *access; /* borrowed; NULL: the operator said nothing */
    unsigned tried;                  /* how many of the ways of SSH were used up */
    bool offered;                    /* at least one was */
    bool token_offered;
    char problem[256]; /* why the last call gave none, or empty */
};

/* libgit2's git_credential_acquire_cb is given a wrapper of this. 0, or GIT_EAUTH with `problem`
 * set. */
int credentials_acquire(struct credentials *credentials, git_credential **out, const char *user,
                        unsigned allowed);

#endif
