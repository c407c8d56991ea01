/* dialogue.h - one conversation with the remote of a mirror: connecting, who we are, whom we
 * trust, when it has lasted too long, and what went wrong, in words that help.
 *
 * A struct dialogue lives on the stack of the thread that talks. It owns what it opens;
 * dialogue_end() gives it all back, whatever dialogue_begin() returned. */
#ifndef WEIR_GIT_DIALOGUE_H
#define WEIR_GIT_DIALOGUE_H

#include "credential.h"
#include "mirror_private.h"
#include "url.h"
#include "watch.h"

#define DIALOGUE_PROXY_MAX 2048
#define BRANCH_MAX (BRANCH_NAME_SIZE - 1) /* bytes of a branch's name */
#define REFS_HEADS "refs/heads/"

struct dialogue {
    struct mirror *mirror;
    const char *doing, *done; /* "fetching", "fetched": for messages */
    git_remote *remote;
    struct watch watch;
    bool is_watched;
    struct credentials credentials;
    char *path;                     /* of a repository on this machine; NULL: it is elsewhere */
    struct url_place place;         /* where elsewhere */
    char proxy[DIALOGUE_PROXY_MAX]; /* its URL, or empty */
    char distrust[256];             /* why the server's key was refused, or empty */
};

/* Finds the way to the remote and starts the watch; contacts nobody. `doing` and `done` are words
 * for messages ("pushing", "pushed"). *stop (or NULL) becoming true ends whatever follows with
 * STATUS_STOPPED. */
enum status dialogue_begin(struct dialogue *dialogue, struct mirror *mirror, const char *doing,
                           const char *done, _Atomic bool *stop, struct error *error);
void dialogue_end(struct dialogue *dialogue);

/* The callbacks of libgit2 that every operation on the dialogue needs; others may be added. Their
 * payload is the dialogue. */
void dialogue_callbacks(struct dialogue *dialogue, git_remote_callbacks *callbacks);
void dialogue_proxy(const struct dialogue *dialogue, git_proxy_options *options);

/* Connects. `callbacks` (or NULL: those of dialogue_callbacks) are only for connecting. */
enum status dialogue_open(struct dialogue *dialogue, git_direction direction,
                          const git_remote_callbacks *callbacks, struct error *error);
/* What the remote offers, borrowed while it is connected. */
enum status dialogue_list(struct dialogue *dialogue, const git_remote_head ***heads, size_t *count,
                          struct error *error);
/* The head of exactly that name, or NULL. */
const git_remote_head *dialogue_find(const git_remote_head **heads, size_t count, const char *name);

/* What a person calls a branch ("main", "refs/heads/main"; NULL or empty: the remote's HEAD) as its
 * short name, or empty. STATUS_INVALID. */
enum status branch_name(const char *given, char branch[BRANCH_MAX + 1], struct error *error);

/* What a libgit2 call in the dialogue ended with. */
enum status dialogue_fail(struct dialogue *dialogue, int code, struct error *error);
/* Notes a sign of life. 0, or GIT_EUSER when it is over. */
int dialogue_progress(struct dialogue *dialogue);

#endif
