/* revert_private.h - private to revert*.c: what a revert writes. */
#ifndef WEIR_REVERT_PRIVATE_H
#define WEIR_REVERT_PRIVATE_H

#include "revert.h"

/* One file as it will be. */
struct revert_file {
    const char *path; /* the arena's */
    bool is_there;
    struct blob_id blob;
    struct text bytes; /* the arena's */
};

struct revert_files {
    struct arena arena;
    struct revert_file *items;
    size_t count, size;
    bool can_be_made; /* nobody changed them later, and they are of a kind that can be written */
    bool is_all_its;  /* all that changed belongs to the flag */
    char words[200];  /* which of the two is not so, and where */
};

/* revert_files.c: what the files are once the changes are taken back on the tip; of commits of weir
 * itself what is below state/ is left as it is. Dispose of `out` in any case. */
enum status revert_files_make(struct mirror *mirror, const struct revert_task *task,
                              const struct revert *revert, struct revert_files *out,
                              struct error *error);
void revert_files_dispose(struct revert_files *files);

/* Whether a path is weir's own. */
bool revert_is_state(const char *path);

/* "production/shop" */
#define REVERT_NAME_SIZE ((size_t)2 * (STATE_NAME_MOST + 1))
void revert_name(const struct revert_task *task, char out[REVERT_NAME_SIZE]);

#endif
