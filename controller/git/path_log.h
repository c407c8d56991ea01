/* path_log.h - the history of one path: the commits that changed a file or a folder, newest first,
 * with who made them and what they say.
 *
 * History is followed as `git log -- PATH` simplifies it: past a merge by the first of its parents
 * that has the path as the merge has it, whichever side that came from, so that a merge shows up
 * only when it has the path as none of its parents. Then the way goes on by the first parent.
 * Read only. What a commit holds is a stranger's: the texts are bounded, not clean. */
#ifndef WEIR_PATH_LOG_H
#define WEIR_PATH_LOG_H

#include "mirror.h"

#define PATH_LOG_MOST 200000 /* commits that one call looks at, unless it says less */
/* With `since`: so many older commits in a row are the end. Clocks of those who commit differ, and
 * one commit that says 1970 must not hide what is before it. */
#define PATH_LOG_STALE 100
#define PATH_LOG_MESSAGE_MAX ((size_t)128 << 10) /* of a longer message nothing is told */

/* "Weir-Action: kill", as git interpret-trailers finds it. */
struct path_log_trailer {
    const char *key, *value;
};

/* One commit that changed the path; all borrowed for the call. */
struct path_log_entry {
    char commit[COMMIT_TEXT_SIZE];
    char parent[COMMIT_TEXT_SIZE];           /* to which it was compared; empty: it has none */
    int64_t time;                            /* of the committer: seconds since 1970 */
    const char *name, *mail;                 /* of the author */
    const char *message;                     /* raw; empty when it is too long */
    const struct path_log_trailer *trailers; /* in their order */
    size_t trailer_count;
};
/* False: it has seen enough. */
typedef bool path_log_visit(void *context, const struct path_log_entry *entry);

struct path_log {
    const char *path; /* from the root, of a file or a folder */
    size_t most;      /* 0: PATH_LOG_MOST */
    int64_t since;    /* see PATH_LOG_STALE; 0: all of history */
    path_log_visit *visit;
    void *context;
};

/* STATUS_NOT_FOUND: there is no such commit. STATUS_LIMIT: `most` commits were looked at and the
 * end was not reached. STATUS_SYSTEM: history cannot be read. */
enum status mirror_path_log(struct mirror *mirror, const char *commit, const struct path_log *log,
                            struct error *error);

/* The value of the first trailer of that key, without regard to case; NULL: there is none. */
const char *path_log_value(const struct path_log_entry *entry, const char *key);

/* Appends the message of a commit, as it is. STATUS_LIMIT: longer than PATH_LOG_MESSAGE_MAX. */
enum status mirror_message(struct mirror *mirror, const char *commit, struct buffer *out,
                           struct error *error);

#endif
