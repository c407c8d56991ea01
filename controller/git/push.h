/* push.h - moving one ref of the remote, if it is still where it was last seen.
 *
 * The ref update is the lock: a decision counts once its push was accepted. Never force. The remote
 * is asked where the ref is before anything is sent (the lease), and the server checks the same
 * again when it moves it; so of two that push, one is told PUSH_MOVED. */
#ifndef WEIR_GIT_PUSH_H
#define WEIR_GIT_PUSH_H

#include <stdatomic.h>

#include "mirror.h"

enum push_outcome {
    PUSH_ACCEPTED, /* the ref is where it was to be, even if somebody else pushed the same commit */
    PUSH_MOVED,    /* it is elsewhere, or was being moved: fetch, and decide anew */
    PUSH_REFUSED,  /* a hook or a rule of the server said no */
    PUSH_UNKNOWN,  /* the answer never came: it may have been moved, look again */
};

#define PUSH_WORDS_MAX 1000

struct ref_push {
    const char *ref;      /* "main", or a full name below refs/heads/ or refs/weir/ */
    const char *expected; /* a full id: where the ref is; NULL: there is none */
    const char *commit;   /* a full id, of the clone, that descends from it; NULL: remove the ref */
    _Atomic bool *stop;   /* or NULL; becoming true ends it */
    /* what came of it */
    enum push_outcome outcome;
    char tip[COMMIT_TEXT_SIZE]; /* with PUSH_MOVED, where the ref is; empty: it is gone, or the
                                 * server did not say */
    char words[PUSH_WORDS_MAX]; /* what the server and its hooks said, in one line; or empty */
};

/* STATUS_OK: `outcome` tells, and `error` the same in words unless it is PUSH_ACCEPTED. Else
 * nothing was sent: STATUS_INVALID (a name, or a commit that does not descend), STATUS_NOT_FOUND
 * (no such commit in the clone), STATUS_STOPPED, STATUS_SYSTEM, STATUS_REFUSED (opened for reading
 * only). After PUSH_ACCEPTED the clone knows the branch's new tip as if it had been fetched. */
enum status mirror_push(struct mirror *mirror, struct ref_push *push, struct error *error);

/* Asks the remote where a ref is (named as in struct ref_push; NULL or empty: the branch of its
 * HEAD), without fetching anything. STATUS_NOT_FOUND: it has no such ref. */
enum status mirror_remote_tip(struct mirror *mirror, const char *ref, _Atomic bool *stop,
                              char tip[COMMIT_TEXT_SIZE], struct error *error);

#endif
