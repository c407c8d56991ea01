/* sign.h - signing a commit by SSH, as `git commit -S` does with gpg.format=ssh. */
#ifndef WEIR_GIT_SIGN_H
#define WEIR_GIT_SIGN_H

#include "record.h"

#define SIGN_SIGNATURE_MAX 4096

/* Signs `payload` (a commit's bytes) and writes the armoured signature, NUL-terminated.
 * STATUS_SYSTEM says why ssh-keygen would not. */
enum status sign_payload(const struct record_key *key, struct text payload, _Atomic bool *stop,
                         char signature[SIGN_SIGNATURE_MAX], struct error *error);

#endif
