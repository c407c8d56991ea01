#include "changed.h"

#include "mirror_private.h"

enum status mirror_commit_facts(struct mirror *mirror, const char *commit, struct commit_facts *out,
                                struct error *error)
{
    git_commit *found;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    *out = (struct commit_facts){0};
    if (status != STATUS_OK)
        return status;
    out->time = git_commit_time(found);
    out->parent_count = git_commit_parentcount(found);
    for (unsigned i = 0; i < out->parent_count && i < COUNT_OF(out->parents); i++)
        mirror_format_id(git_commit_parent_id(found, i), out->parents[i]);
    message_fold(text_of(git_commit_summary(found)), out->subject, sizeof out->subject);
    git_commit_free(found);
    return STATUS_OK;
}

/* --- which files ----------------------------------------------------------------------------- */

static enum status tree_of(struct mirror *mirror, const char *commit, git_tree **out,
                           struct error *error)
{
    git_commit *found;
    *out = NULL;
    if (!commit[0])
        return STATUS_OK;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    if (git_commit_tree(out, found) != 0)
        status = mirror_fail(error, STATUS_SYSTEM, "commit %s cannot be read", commit);
    git_commit_free(found);
    return status;
}

static bool is_regular(uint16_t mode)
{
    return mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE;
}

static bool take_delta(struct changed_files *out, const git_diff_delta *delta)
{
    struct changed_file *file = &out->items[out->count];
    const git_diff_file *was = &delta->old_file, *now = &delta->new_file;
    struct text path;
    file->was_there = delta->status != GIT_DELTA_ADDED;
    file->is_there = delta->status != GIT_DELTA_DELETED;
    file->is_plain = (!file->was_there || is_regular(was->mode)) &&
                     (!file->is_there || is_regular(now->mode)) &&
                     (!file->was_there || !file->is_there || was->mode == now->mode);
    memcpy(file->was.bytes, was->id.id, sizeof file->was.bytes);
    memcpy(file->now.bytes, now->id.id, sizeof file->now.bytes);
    if (!arena_copy(&out->arena, text_of(file->is_there ? now->path : was->path), &path))
        return false;
    file->path = path.data;
    out->count++;
    return true;
}

static enum status take_diff(git_diff *diff, size_t most, struct changed_files *out,
                             struct error *error)
{
    size_t count = git_diff_num_deltas(diff);
    if (count > most)
        return error_set(error, STATUS_LIMIT, "more than %zu files were changed", most);
    out->items = ARENA_ARRAY(&out->arena, struct changed_file, count + 1);
    bool good = out->items != NULL;
    for (size_t i = 0; i < count && good; i++)
        good = take_delta(out, git_diff_get_delta(diff, i));
    return good ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "no memory for a list of files");
}

enum status mirror_changed_files(struct mirror *mirror, const char *before, const char *after,
                                 size_t most, struct changed_files *out, struct error *error)
{
    git_tree *old = NULL, *new = NULL;
    git_diff *diff = NULL;
    git_diff_options options;
    git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
    options.flags = GIT_DIFF_INCLUDE_TYPECHANGE | GIT_DIFF_SKIP_BINARY_CHECK;
    *out = (struct changed_files){0};
    arena_init(&out->arena, 0);
    enum status status = tree_of(mirror, before, &old, error);
    if (status == STATUS_OK)
        status = tree_of(mirror, after, &new, error);
    if (status == STATUS_OK &&
        git_diff_tree_to_tree(&diff, mirror->repository, old, new, &options) != 0)
        status = mirror_fail(error, STATUS_SYSTEM, "commit %s cannot be compared", after);
    if (status == STATUS_OK)
        status = take_diff(diff, most, out, error);
    git_diff_free(diff);
    git_tree_free(new);
    git_tree_free(old);
    return status;
}

enum status mirror_file_blob(struct mirror *mirror, const char *commit, const char *path,
                             struct blob_id *blob, bool *found, struct error *error)
{
    git_tree *tree = NULL;
    git_tree_entry *entry = NULL;
    *found = false;
    enum status status = tree_of(mirror, commit, &tree, error);
    if (status != STATUS_OK)
        return status;
    int code = git_tree_entry_bypath(&entry, tree, path);
    if (code == 0 && is_regular((uint16_t)git_tree_entry_filemode(entry))) {
        memcpy(blob->bytes, git_tree_entry_id(entry)->id, sizeof blob->bytes);
        *found = true;
    } else if (code != 0 && code != GIT_ENOTFOUND) {
        status = mirror_fail(error, STATUS_SYSTEM, "\"%.100s\" cannot be read", path);
    }
    git_tree_entry_free(entry);
    git_tree_free(tree);
    return status;
}
