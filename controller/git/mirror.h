/* mirror.h - a full bare clone of the definitions repository, and what a commit of it holds.
 *
 * libgit2, never the git program. A handle belongs to one thread; several handles may be open on
 * one folder (the git thread fetches with one, core reads with another). Never shallow: levels and
 * reverts need history. No message holds a password of a URL, nor does the clone on the disk. The
 * user's url.*.insteadOf is not applied (see fetch.c). */
#ifndef WEIR_MIRROR_H
#define WEIR_MIRROR_H

#include <stdatomic.h>

#include "../../rules/reconcile.h"
#include "../snapshot.h"

struct git_access;
struct mirror;

/* Once per process, before anything else here and after all of it. */
enum status mirror_startup(struct error *error);
void mirror_shutdown(void);

/* Opens the bare clone at `folder` (made, empty, where there is none). `url` is a URL (file, http,
 * https, ssh, git@host:path) or the path of a repository. STATUS_REFUSED when the folder is a clone
 * of another URL, or holds something else. Contacts nobody. */
enum status mirror_open(const char *folder, const char *url, struct mirror **out,
                        struct error *error);
/* Another handle on the clone of `first`, for another thread. */
enum status mirror_open_beside(struct mirror *first, struct mirror **out, struct error *error);
/* True when the clone was packed anew since this handle was opened: its thread is to call
 * mirror_refresh() between two operations, with nothing of libgit2 held that came from the handle.
 * Until then nothing that the handle can read goes away. */
bool mirror_is_stale(const struct mirror *mirror);
/* Opens a stale handle anew; does nothing to another. On failure the old one stays in use. */
enum status mirror_refresh(struct mirror *mirror, struct error *error);
/* Opens an existing repository (bare or not) for reading only, as the command line does. */
enum status mirror_open_local(const char *path, struct mirror **out, struct error *error);
void mirror_close(struct mirror *mirror); /* NULL is fine */

/* Fetches `branch` (NULL or empty: the remote's HEAD) and writes the tip. *stop becoming true
 * (`stop` may be NULL) ends it with STATUS_STOPPED at the next progress report or interrupted read.
 * STATUS_NOT_FOUND: the branch does not exist, or the repository is empty (the message tells
 * which). */
enum status mirror_fetch(struct mirror *mirror, const char *branch, _Atomic bool *stop,
                         char tip[COMMIT_TEXT_SIZE], struct error *error);
/* How long a fetch waits for a server from which nothing comes, in milliseconds; 30 000 unless
 * told. */
void mirror_set_patience(struct mirror *mirror, unsigned milliseconds);
/* How fetches reach the server (access.h); borrowed for as long as the mirror is open. */
void mirror_set_access(struct mirror *mirror, const struct git_access *access);
/* The tip that the last successful fetch of this folder saw, without the network. STATUS_NOT_FOUND:
 * none yet. */
enum status mirror_last_tip(struct mirror *mirror, char tip[COMMIT_TEXT_SIZE], struct error *error);

/* The short name of the branch that was fetched last. STATUS_NOT_FOUND: none yet. */
#define BRANCH_NAME_SIZE 201
enum status mirror_branch(struct mirror *mirror, char name[BRANCH_NAME_SIZE], struct error *error);

/* The newest tip that core accepted, kept as refs/weir/accepted, so that a rewrite is noticed after
 * a restart too. STATUS_NOT_FOUND: none yet. */
enum status mirror_accepted(struct mirror *mirror, char commit[COMMIT_TEXT_SIZE],
                            struct error *error);
enum status mirror_set_accepted(struct mirror *mirror, const char *commit, struct error *error);

/* Resolves what a person writes (HEAD, main, v1.2, 3f9c) to a commit. In a clone of ours HEAD is
 * the tip last fetched, and a branch name is the remote's branch; its tags are not there.
 * STATUS_NOT_FOUND, or STATUS_INVALID when it is ambiguous or no commit. */
enum status mirror_resolve(struct mirror *mirror, const char *revision,
                           char commit[COMMIT_TEXT_SIZE], struct error *error);
/* True in *yes when `ancestor` is `commit` or one of its ancestors. STATUS_NOT_FOUND when one of
 * them is not here. */
enum status mirror_descends(struct mirror *mirror, const char *commit, const char *ancestor,
                            bool *yes, struct error *error);
/* STATUS_NOT_FOUND for a root commit. */
enum status mirror_first_parent(struct mirror *mirror, const char *commit,
                                char parent[COMMIT_TEXT_SIZE], struct error *error);

/* generation.level: 1 + the highest level of all parents, 1 for a root. Remembered in the handle,
 * so that the next commit costs only what is new. generation.epoch: state/epoch at that commit, 0
 * without it. The rest is 0. */
enum status mirror_generation(struct mirror *mirror, const char *commit, struct generation *out,
                              struct error *error);

/* The number in state/epoch at a commit; 0 without it, or where it holds anything else. */
enum status mirror_epoch(struct mirror *mirror, const char *commit, uint32_t *epoch,
                         struct error *error);

/* What differs between the trees of two commits. */
struct tree_changes {
    struct arena arena; /* of the paths */
    struct file_change *items;
    size_t count, size;
    size_t entries; /* of all folders of the later tree that are read */
    bool overflow;  /* more than BUNDLE_MAX_ENTRIES: the items are not all */
};
void tree_changes_init(struct tree_changes *changes);
void tree_changes_dispose(struct tree_changes *changes);
/* `before` NULL: the empty tree; else `entries` is what an earlier compare told of it. Costs what
 * differs, and the folders above it. */
enum status mirror_compare(struct mirror *mirror, const char *before, size_t entries,
                           const char *after, struct tree_changes *changes, struct error *error);
/* Reads blobs of the clone, for any thread while the handle is open. */
struct file_reader mirror_reader(struct mirror *mirror);

/* Reads the definitions of a commit into `bundle` (sorted; see bundle.h for what is one). Links and
 * submodules are not followed but noted in `diagnostics`; so are files that are too large or have
 * refused names: the status is STATUS_OK then. STATUS_SYSTEM: the clone cannot be read. */
enum status mirror_read(struct mirror *mirror, const char *commit, struct bundle *bundle,
                        struct diagnostics *diagnostics, struct error *error);

/* Appends the bytes of one file of a commit. STATUS_NOT_FOUND: there is no file of that path (a
 * folder or a link is none). STATUS_LIMIT: it has more than `most` bytes. */
enum status mirror_read_file(struct mirror *mirror, const char *commit, const char *path,
                             size_t most, struct buffer *out, struct error *error);
/* Appends the path, from the root, of each file below a folder of a commit, each ended by a NUL, in
 * the order of their bytes; nothing where there is no such folder. Links and submodules are left
 * out. STATUS_LIMIT: there are more than `most` entries, or folders nest deeper than 64. */
enum status mirror_list_files(struct mirror *mirror, const char *commit, const char *folder,
                              size_t most, struct buffer *out, struct error *error);

#endif
