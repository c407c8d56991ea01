/* hook_signature.h - whether a webhook comes from who knows its secret.
 *
 * The forges sign the raw body, so it is digested piece by piece as it arrives and never kept.
 *   GitHub   X-Hub-Signature-256: sha256=<hex>, HMAC-SHA-256 of the body
 *   Gitea    X-Gitea-Signature or X-Forgejo-Signature: the bare hex; or GitHub's header
 *   GitLab   X-Gitlab-Token: the secret itself; or, where it is a signing token (whsec_<base64>),
 *            webhook-signature: v1,<base64> over "<webhook-id>.<webhook-timestamp>.<body>", as
 *            Standard Webhooks has it: the only one with a time, which must be within five minutes
 * All comparisons take the same time whatever differs. A check owns nothing but its own bytes. */
#ifndef WEIR_HTTP_HOOK_SIGNATURE_H
#define WEIR_HTTP_HOOK_SIGNATURE_H

#include <nettle/hmac.h>

#include "route.h"

enum hook_forge { HOOK_GITHUB, HOOK_GITLAB, HOOK_GITEA, HOOK_FORGES };

enum hook_verdict {
    HOOK_SIGNED,
    HOOK_UNSIGNED, /* no header that could prove anything */
    HOOK_FORGED,   /* made with another secret, or of another body */
    HOOK_STALE     /* its time is too far from ours */
};

#define HOOK_SIGNATURES                                                                            \
    8 /* of one delivery: while a secret is being replaced there are several                       \
       */

struct hook_check {
    struct hmac_sha256_ctx hmac;
    uint8_t expected[HOOK_SIGNATURES][SHA256_DIGEST_SIZE];
    size_t count;
    bool by_body;              /* the verdict hangs on the body; else it stands already */
    enum hook_verdict verdict; /* of what the headers alone tell */
};

/* The head has come. `secret` is not kept. `now` is in seconds since 1970. */
void hook_check_begin(struct hook_check *check, enum hook_forge forge, struct text secret,
                      const struct request *request, int64_t now);
void hook_check_take(struct hook_check *check, struct text piece);
enum hook_verdict hook_check_end(struct hook_check *check);

/* The header's name that a delivery of this forge should have had: for messages. */
const char *hook_signature_header(enum hook_forge forge);

#endif
