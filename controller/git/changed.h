/* changed.h - what one commit says of itself, and which files it changed.
 *
 * All files, hidden ones and those that are no definitions too: whoever takes a commit back must
 * know all that it did. Read only. What a commit holds is a stranger's: the texts are folded. */
#ifndef WEIR_GIT_CHANGED_H
#define WEIR_GIT_CHANGED_H

#include "message.h"
#include "mirror.h"

struct commit_facts {
    int64_t time; /* of the committer: seconds since 1970 */
    unsigned parent_count;
    char parents[2][COMMIT_TEXT_SIZE]; /* the first two; empty where there is none */
    char subject[MESSAGE_SUBJECT_MAX + 1];
};
enum status mirror_commit_facts(struct mirror *mirror, const char *commit, struct commit_facts *out,
                                struct error *error);

/* One file. */
struct changed_file {
    const char *path;
    bool was_there, is_there;
    bool is_plain;           /* a regular file before and after, its mode the same */
    struct blob_id was, now; /* where it was, is there */
};
struct changed_files {
    struct arena arena; /* of the list and the paths */
    struct changed_file *items;
    size_t count;
};
/* From `before` to `after`, two commits; `before` empty: from nothing. Dispose of `out` in any case
 * by disposing of its arena. STATUS_LIMIT: more than `most`. */
enum status mirror_changed_files(struct mirror *mirror, const char *before, const char *after,
                                 size_t most, struct changed_files *out, struct error *error);

/* The blob of a file of a commit; *found is false where there is no regular file of that path. */
enum status mirror_file_blob(struct mirror *mirror, const char *commit, const char *path,
                             struct blob_id *blob, bool *found, struct error *error);

#endif
