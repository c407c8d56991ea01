/* mirror_private.h - what the files of the mirror share: the handle, and libgit2's failures as
 * ours. */
#ifndef WEIR_MIRROR_PRIVATE_H
#define WEIR_MIRROR_PRIVATE_H

#include <git2.h>

#include "access.h"
#include "mirror.h"
#include "share.h"

/* Levels of commits, by open addressing. A level is never 0, so 0 marks a free slot. */
struct level {
    git_oid commit;
    uint32_t level;
};

struct levels {
    struct level *slots; /* owned */
    size_t size, count;  /* size: a power of two, or 0 */
};

struct verified;

struct mirror {
    git_repository *repository;
    char *url;         /* as given, with its secrets, absolute; NULL: for reading only */
    char *shown;       /* the same without secrets; or the path */
    unsigned patience; /* milliseconds */
    const struct git_access *access; /* borrowed, or NULL */
    struct levels levels;
    pthread_mutex_t reading;    /* of blobs, by several threads */
    struct intent_ref *intents; /* that the last fetch saw, by name; owned (intents.h) */
    size_t intent_count, intents_beyond;
    struct verified *verified;  /* what verify.c remembers; NULL: nothing yet */
    struct mirror_share *share; /* with the other handles on a clone of ours; NULL: none is ours */
    uint64_t generation;        /* of the share, when this handle was opened */
    struct mirror *next;        /* in the share */
};

#define REF_TIP "refs/weir/tip" /* symbolic: the remote's branch that was fetched last */
#define REF_ACCEPTED "refs/weir/accepted"
#define REF_VERIFIED "refs/weir/verified/" /* and a hash of the policy: its last verified tip */
#define REF_REMOTE "refs/remotes/origin/"

/* Fills `error` with "message: what libgit2 says", in one line and without secrets. `status` is
 * replaced by STATUS_NO_MEMORY where that is what happened. */
enum status mirror_fail(struct error *error, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* A full SHA-1 as text. STATUS_INVALID when it is none. */
enum status mirror_parse_id(const char *commit, git_oid *out, struct error *error);
void mirror_format_id(const git_oid *id, char out[COMMIT_TEXT_SIZE]);
/* STATUS_NOT_FOUND when there is no such object, STATUS_INVALID when it is no commit. */
enum status mirror_lookup_commit(struct mirror *mirror, const char *commit, git_commit **out,
                                 struct error *error);

#endif
