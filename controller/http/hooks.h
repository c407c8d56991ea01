/* hooks.h - webhooks: POST /hooks/github, /hooks/gitlab, /hooks/gitea and /hooks/forgejo.
 *
 * A delivery that is signed with the forge's secret asks for a fetch, and that is all it can do:
 * what its body says is believed only where it spares a fetch. Without a secret a path answers 404.
 * Nothing of a body is kept; of the last deliveries their ids are, so that one that is sent again
 * asks for nothing. Thread-safe. */
#ifndef WEIR_HTTP_HOOKS_H
#define WEIR_HTTP_HOOKS_H

#include "../reach.h"
#include "hook_signature.h"

#define HOOK_BODY_MAX ((uint64_t)25 << 20) /* what GitHub sends at most */
#define HOOK_SECRET_MAX 1024               /* bytes of a secret */
#define HOOK_REMEMBERED 4096               /* deliveries */
#define HOOK_MEMORY (INT64_C(600) * NANOSECONDS_PER_SECOND)

struct hooks_parts {
    const struct reach_secret *secrets[HOOK_FORGES]; /* NULL: the forge may not call */
    const char *branch;                              /* NULL: it is not known which one counts */
    const struct clock *clock;
    struct telemetry *telemetry;
    void (*nudge)(void *context); /* fetch, soon; may be called often */
    void *context;
};

struct hooks;

/* Reads the secrets. What `parts` points to must outlive the hooks. */
enum status hooks_new(const struct hooks_parts *parts, struct hooks **out, struct error *error);
void hooks_free(struct hooks *hooks); /* NULL is fine */
/* Reads the secrets again; one that cannot be read stays as it was, and `error` tells of the first
 * such. */
enum status hooks_reload(struct hooks *hooks, struct error *error);

/* HOOK_FORGES where there is none of that name. "forgejo" is Gitea's. */
enum hook_forge hook_forge_of(struct text name);
const char *hook_forge_name(enum hook_forge forge);

#endif
