/* hostkey.h - whether an SSH server is the one it is taken for.
 *
 * libgit2 looks into ~/.ssh/known_hosts only, and says of every failure that it is invalid or
 * unknown. This reads the file that the operator names and tells a key that nobody knows from one
 * that has changed. Lines marked @revoked are honoured, @cert-authority is not known. */
#ifndef WEIR_GIT_HOSTKEY_H
#define WEIR_GIT_HOSTKEY_H

#include <git2.h>

#include "../../rules/base.h"

/* STATUS_OK when `file` (NULL: ~/.ssh/known_hosts) has this key for this host, else STATUS_REFUSED
 * with what to do about it. */
enum status hostkey_check(const char *file, const char *host, uint16_t port,
                          const git_cert_hostkey *key, struct error *error);

#endif
