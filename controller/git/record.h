/* record.h - commits made by weir: a few files changed on a known parent, without a work tree.
 *
 * A commit is made in the clone and nowhere else; no ref of ours leads to it until it was pushed
 * (push.h). So one that is not wanted after all is simply left. Several may be a chain, each made
 * on the one before, and are pushed once. */
#ifndef WEIR_GIT_RECORD_H
#define WEIR_GIT_RECORD_H

#include <stdatomic.h>

#include "mirror.h"

#define RECORD_EDITS_MAX 10000
#define RECORD_PATH_MAX 1000              /* bytes of a path */
#define RECORD_FILE_MAX ((size_t)1 << 20) /* of what is written into one file */
#define RECORD_PERSON_MAX 200             /* of a name, and of an e-mail address */

/* One file of the commit: what it holds from now on, or that it is gone. Borrowed. */
struct record_edit {
    const char *path; /* from the root, with "/" */
    struct text bytes;
    bool gone;
    bool is_same; /* told by mirror_record(): the parent has it like that already */
};

struct record_person {
    const char *name, *mail;
    int64_t time;      /* seconds since 1970 */
    int minutes_ahead; /* the time zone, of UTC */
};

/* With what a commit is signed: `ssh-keygen -Y sign`. */
struct record_key {
    const char *file; /* a private key without a passphrase; or a public one whose private key the
                       * SSH agent holds */
};

struct record {
    const char *parent; /* a full id, of the clone */
    struct record_edit *edits;
    size_t edit_count;
    const char *message; /* message.h */
    struct record_person author, committer;
    const struct record_key *key; /* NULL: unsigned */
    _Atomic bool *stop;           /* or NULL */
};

/* Makes the commit and writes its id. When every edit is the same already, nothing is made and
 * `commit` is the parent. A file keeps its mode; a link becomes a file; a folder is refused.
 * STATUS_INVALID: a path, a name, or two edits that cannot both be. STATUS_NOT_FOUND: no such
 * parent. STATUS_SYSTEM: it cannot be written, or not be signed. */
enum status mirror_record(struct mirror *mirror, const struct record *record,
                          char commit[COMMIT_TEXT_SIZE], struct error *error);

/* Whether a path may be written: relative, of names that are none of "", ".", ".." and ".git", of
 * valid UTF-8 without control characters and backslashes. STATUS_INVALID. */
enum status record_check_path(const char *path, struct error *error);

#endif
