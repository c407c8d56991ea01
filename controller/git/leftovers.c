#include "leftovers.h"

#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool begins_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* No branch can have a name that ends in ".lock": Git does not allow it. */
static bool is_leftover(const char *name)
{
    static const char *const prefixes[] = {"tmp_pack_", "tmp_idx_",         "tmp_rev_",  "tmp_obj_",
                                           ".tmp-",     "tmp_object_git2_", "pack_git2_"};
    struct text text = text_of(name);
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (begins_with(name, prefixes[i]))
            return true;
    }
    return text_ends_with(text, TEXT(".lock"));
}

/* A pack whose index is gone: its removal was cut short. */
static bool is_stray_pack(const char *path)
{
    char index[4200];
    struct text text = text_of(path);
    if (!text_ends_with(text, TEXT(".pack")) || text.length >= sizeof index)
        return false;
    snprintf(index, sizeof index, "%.*sidx", (int)(text.length - 4), path);
    return access(index, F_OK) != 0;
}

size_t leftovers_remove(const char *folder)
{
    size_t removed = 0;
    char *copy = strdup(folder);
    char *const paths[] = {copy, NULL};
    FTS *walk = copy ? fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL) : NULL;
    for (FTSENT *entry; walk && (entry = fts_read(walk));) {
        if (entry->fts_info == FTS_F &&
            (is_leftover(entry->fts_name) || is_stray_pack(entry->fts_path)) &&
            unlink(entry->fts_accpath) == 0)
            removed++;
    }
    if (walk)
        fts_close(walk);
    free(copy);
    return removed;
}
