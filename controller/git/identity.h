/* identity.h - whose commit a command makes, and with which key it is signed: what git itself would
 * take.
 *
 * Of Git's configuration are read, later ones first: the one of the repository at hand, the user's,
 * the system's. GIT_CONFIG_GLOBAL and GIT_CONFIG_NOSYSTEM mean what they mean to git, which libgit2
 * 1.5 does not know. */
#ifndef WEIR_GIT_IDENTITY_H
#define WEIR_GIT_IDENTITY_H

#include "record.h"

#define IDENTITY_KEY_MAX 4096

struct identity {
    char name[RECORD_PERSON_MAX + 1], mail[RECORD_PERSON_MAX + 1];
    char key[IDENTITY_KEY_MAX];     /* the path of the key that signs; empty: nothing is signed */
    char signers[IDENTITY_KEY_MAX]; /* gpg.ssh.allowedSignersFile, a path; empty: none is set */
};

/* `author`: "NAME <MAIL>", else (NULL) GIT_AUTHOR_NAME and GIT_AUTHOR_EMAIL, else user.name and
 * user.email. `key`: a path, else (NULL) user.signingKey where gpg.format is ssh and commit.gpgSign
 * is true. `folder` is where git would look for a repository of its own. STATUS_INVALID says what
 * to set. After mirror_startup(). */
enum status identity_find(const char *author, const char *key, const char *folder,
                          struct identity *out, struct error *error);
/* The same as a person of a commit, borrowed from it, in UTC. */
struct record_person identity_person(const struct identity *identity);

#endif
