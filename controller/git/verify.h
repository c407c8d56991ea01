/* verify.h - whether commits are signed by somebody who may.
 *
 * SSH signatures, by ssh-keygen and a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS). A
 * signature's time is that of its commit, so that the verdict is a function of Git and that file
 * alone; times without a zone in the file are UTC. Signatures by GPG and X.509 are refused by name.
 *
 * What was verified is remembered: commits in the handle, the last tip in the clone (below
 * refs/weir/verified/), or how far a long way has come, under a hash of the signers, mode and
 * starting point. So a restart does not verify all again, and a change of who may sign does. */
#ifndef WEIR_GIT_VERIFY_H
#define WEIR_GIT_VERIFY_H

#include <stdatomic.h>

#include "mirror.h"

enum verify_mode {
    VERIFY_NONE,
    VERIFY_TIP, /* the tip alone: its author answers for what it brings */
    VERIFY_ALL, /* every commit since `since`, by all parents */
};

struct verify_policy {
    enum verify_mode mode;
    const char *allowed_signers; /* the path of the file */
    const char *since;           /* a full commit id that needs no signature, nor does what is
                                  * before it; NULL: all of history does */
    _Atomic bool *stop;          /* becoming true ends it with STATUS_STOPPED; NULL: never */
};

enum signature_verdict {
    VERDICT_VERIFIED,
    VERDICT_UNSIGNED,
    VERDICT_BAD_SIGNATURE, /* of other bytes, for another purpose, or no signature at all */
    VERDICT_UNKNOWN_KEY,
    VERDICT_EXPIRED, /* the commit is not within the time in which its key may sign */
    VERDICT_FOREIGN, /* signed by GPG or X.509 */
};

#define VERIFY_COMMITS_MAX 10000             /* that one call looks at */
#define VERIFY_SIGNERS_MAX ((size_t)1 << 20) /* bytes of the file */

struct verification {
    enum signature_verdict verdict;
    char principal[256];  /* who, when it is verified */
    char fingerprint[64]; /* "SHA256:…" of the key, when it is verified */
};

/* "none", "tip" or "all". */
bool verify_mode_parse(struct text text, enum verify_mode *mode);
/* In a few words: "is not signed". */
const char *verdict_words(enum signature_verdict verdict);

/* One commit. STATUS_OK whatever the verdict; STATUS_SYSTEM when it cannot be had (no ssh-keygen,
 * no such file), STATUS_NOT_FOUND when there is no such commit. */
enum status mirror_verify_commit(struct mirror *mirror, const struct verify_policy *policy,
                                 const char *commit, struct verification *out, struct error *error);
/* All that the policy asks for of a branch at `tip`. STATUS_REFUSED names a commit that fails and
 * why. Anything but STATUS_OK means that the tip is not to be served. */
enum status mirror_verify(struct mirror *mirror, const struct verify_policy *policy,
                          const char *tip, struct error *error);

#endif
