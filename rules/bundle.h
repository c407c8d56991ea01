/* bundle.h - the files of a definitions repository as bytes: what a commit, or a folder, holds.
 *
 * Filled by the caller (controller/git/tree.c from a commit, controller/folder.c from a work tree), read by
 * catalog_build(). Knows nothing of where the bytes come from. */
#ifndef WEIR_BUNDLE_H
#define WEIR_BUNDLE_H

#include "arena.h"
#include "diagnostics.h"

#define BUNDLE_MAX_FILES 200000
#define BUNDLE_MAX_BYTES ((size_t)1 << 30)

struct bundle_file {
    struct text path;  /* relative to the root, with '/' */
    struct text bytes; /* of the file, as they are */
};

struct bundle {
    struct arena arena;        /* holds paths and bytes */
    struct bundle_file *files; /* sorted by path after bundle_sort() */
    size_t count, size, bytes;
};

void bundle_init(struct bundle *bundle);
void bundle_dispose(struct bundle *bundle);
/* Copies path and bytes in. STATUS_LIMIT past BUNDLE_MAX_FILES or BUNDLE_MAX_BYTES. */
enum status bundle_add(struct bundle *bundle, struct text path, struct text bytes);
void bundle_sort(struct bundle *bundle);
/* A diagnostics_source over a sorted bundle (context is the bundle). */
bool bundle_source(void *bundle, struct text path, struct text *out);

/* --- which files of a tree are definitions ----------------------------------------------------- */

enum bundle_interest {
    BUNDLE_IGNORE, /* not a YAML file, or below a hidden folder, or below state/ */
    BUNDLE_STRICT, /* *.yaml or *.yml below a conventional folder (flags/ segments/ …): every document must be ours */
    BUNDLE_MARKED, /* another YAML file: counts when its bytes contain "weir/v" (bundle_is_marked) */
};
enum bundle_interest bundle_interest(struct text path);
bool bundle_is_marked(struct text bytes);
/* True for the name of a folder whose YAML files must all be definitions. */
bool bundle_is_conventional_folder(struct text name);
/* Control characters, "..", empty parts or a leading "/": such a path is refused with CODE_PATH. */
bool bundle_path_is_acceptable(struct text path);

#endif
