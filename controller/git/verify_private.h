/* verify_private.h - what verify.c (which commits) and verify_signature.c (one signature) share. */
#ifndef WEIR_GIT_VERIFY_PRIVATE_H
#define WEIR_GIT_VERIFY_PRIVATE_H

#include <git2.h>

#include "verify.h"

/* The signers of one call: read once, so that what was hashed is what ssh-keygen sees. */
struct signers {
    int file;      /* a file without a name that holds them */
    uint64_t hash; /* of them */
};

/* STATUS_OK whatever the verdict. */
enum status verify_signature(git_repository *repository, const git_oid *commit,
                             const struct signers *signers, _Atomic bool *stop,
                             struct verification *out, struct error *error);

#endif
