/* bundle.h - the files of a definitions repository as bytes: what a commit, or a folder, holds.
 *
 * Filled by the caller (controller/git/tree.c from a commit, controller/folder.c from a work tree),
 * read by catalog_build(). Knows nothing of where the bytes come from, but holds the one set of
 * rules for what counts, so that a commit and its work tree can never disagree. */
#ifndef WEIR_BUNDLE_H
#define WEIR_BUNDLE_H

#include "arena.h"
#include "diagnostics.h"

#define BUNDLE_MAX_FILES 200000
#define BUNDLE_MAX_BYTES ((size_t)1 << 30)
#define BUNDLE_MAX_ENTRIES 2000000 /* of all folders: a few objects may unfold to billions */
#define BUNDLE_MAX_DEPTH 64        /* of folders */
#define BUNDLE_FOLDER_ENTRIES 1000 /* of one: with more it is CODE_FOLDER_SIZE, a warning */
#define BUNDLE_MAX_PATH 4096       /* bytes */
#define BUNDLE_MAX_LOOK ((size_t)16 << 20) /* of a file that is only searched for the mark */

struct bundle_file {
    struct text path;  /* relative to the root, with '/' */
    struct text bytes; /* of the file, as they are */
};

struct bundle {
    struct arena arena;        /* holds paths and bytes */
    struct bundle_file *files; /* sorted by path after bundle_sort() */
    size_t count, size, bytes;
    size_t entries, looked; /* what bundle_enter() and bundle_take() were given so far */
};

void bundle_init(struct bundle *bundle);
void bundle_dispose(struct bundle *bundle);
/* Copies path and bytes in. STATUS_LIMIT past BUNDLE_MAX_FILES or BUNDLE_MAX_BYTES. */
enum status bundle_add(struct bundle *bundle, struct text path, struct text bytes);
void bundle_sort(struct bundle *bundle);
/* A diagnostics_source over a sorted bundle (context is the bundle). */
bool bundle_source(void *bundle, struct text path, struct text *out);

/* --- which files of a tree are definitions --------------------------------------------------- */

enum bundle_interest {
    BUNDLE_IGNORE, /* not a YAML file, or hidden, or below a hidden folder, or elsewhere below
                      state/ */
    BUNDLE_STRICT, /* *.yaml, *.yml below a conventional folder: every document must be ours */
    BUNDLE_MARKED, /* another YAML file: counts when it holds "weir/v" (bundle_is_marked) */
};
enum bundle_interest bundle_interest(struct text path);
bool bundle_is_marked(struct text bytes);
/* True for the name of a folder whose YAML files must all be definitions. */
bool bundle_is_conventional_folder(struct text name);
#define STATE_NAME_MOST 63 /* bytes of an environment's or a rollout's name */
/* Whether it is state/ENVIRONMENT/ROLLOUT.yaml; `name` is ENVIRONMENT/ROLLOUT, in the path. */
bool bundle_state_name(struct text path, struct text *name);
/* Whether it is state/ENVIRONMENT/flags/FLAG.yaml; both names are in the path. */
bool bundle_pin_name(struct text path, struct text *environment, struct text *flag);
/* False for a folder in which nothing counts, whatever it holds: a hidden one, or one too deep
 * below state/. */
bool bundle_is_folder_read(struct text path);
/* Control characters, "..", empty parts, a leading "/", not UTF-8, or too long: such a path is
 * refused with CODE_PATH. */
bool bundle_path_is_acceptable(struct text path);

/* --- filling a bundle from a tree ------------------------------------------------------------ */

/* What stands in a tree and is not read. */
enum bundle_obstacle {
    BUNDLE_LINK,      /* CODE_LINK, CODE_LINK_ELSEWHERE */
    BUNDLE_SUBMODULE, /* CODE_SUBMODULE, CODE_LINK in the place of a conventional folder */
    BUNDLE_SPECIAL,   /* a socket, a device: CODE_UNREADABLE */
    BUNDLE_DEEP,      /* a folder below BUNDLE_MAX_DEPTH others: CODE_TREE_SIZE */
    BUNDLE_LARGE,     /* a file: CODE_FILE_SIZE */
    BUNDLE_NAME,      /* its path is not acceptable: CODE_PATH */
    BUNDLE_DOUBLED,   /* a folder with two entries of one name: CODE_PATH */
    BUNDLE_WIDE,      /* no obstacle, but slow: a folder for bundle_note_folder() */
};
/* Notes it, with the path escaped, unless it cannot hide definitions. */
void bundle_note(struct diagnostics *diagnostics, struct text path, enum bundle_obstacle obstacle);
/* Notes a folder with more than BUNDLE_FOLDER_ENTRIES: Git stores its list of them as one object,
 * so whatever changes in one of them has all of them read. `entries` are those that Git has, what
 * is ignored here included. */
void bundle_note_folder(struct diagnostics *diagnostics, struct text path, uint64_t entries);
/* Counts one more entry of a folder. STATUS_LIMIT past the maximum: then bundle_overflow(). */
enum status bundle_enter(struct bundle *bundle);
/* Whether the file is to be read, going by its path and size; notes one that is too large. */
bool bundle_wants(struct text path, uint64_t size, struct diagnostics *diagnostics);
/* Whether a file that was read is one of definitions; notes one that would be, but cannot. */
bool bundle_counts(struct text path, struct text bytes, struct diagnostics *diagnostics);
/* Adds a file that was read, if it counts. STATUS_LIMIT when there is too much: then
 * bundle_overflow(). */
enum status bundle_take(struct bundle *bundle, struct text path, struct text bytes,
                        struct diagnostics *diagnostics);
/* Notes CODE_TREE_SIZE and empties the bundle: half a tree would only give faults that are not
 * there. */
void bundle_overflow(struct bundle *bundle, struct diagnostics *diagnostics);
void bundle_note_overflow(struct diagnostics *diagnostics); /* only says so */
/* Writes a path for people: control characters, '\' and what is not UTF-8 as \xNN, cut after some
 * 300 bytes. */
void bundle_write_path(struct buffer *out, struct text path);

#endif
