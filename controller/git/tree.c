/* The definitions of a commit, as a bundle. */
#include "mirror_private.h"

struct walk {
    struct mirror *mirror;
    git_odb *odb;
    struct bundle *bundle;
    struct diagnostics *diagnostics;
    struct buffer path; /* of the folder that is being read, then of the entry */
    struct error *error;
};

static enum status fail(struct walk *walk)
{
    struct buffer shown;
    buffer_init(&shown, 0);
    bundle_write_path(&shown, buffer_text(&walk->path));
    const char *path = buffer_string(&shown);
    enum status status = mirror_fail(walk->error, STATUS_SYSTEM,
                                     "\"%.120s\" cannot be read from the clone", path ? path : "");
    buffer_dispose(&shown);
    return status;
}

static enum status read_blob(struct walk *walk, const git_oid *id)
{
    struct text path = buffer_text(&walk->path);
    git_odb_object *object = NULL;
    git_object_t type;
    size_t size;
    if (bundle_interest(path) == BUNDLE_IGNORE)
        return STATUS_OK;
    if (git_odb_read_header(&size, &type, walk->odb, id) != 0)
        return fail(walk);
    if (!bundle_wants(path, size, walk->diagnostics))
        return STATUS_OK;
    if (git_odb_read(&object, walk->odb, id) != 0)
        return fail(walk);
    struct text bytes = {git_odb_object_data(object), git_odb_object_size(object)};
    enum status status = bundle_take(walk->bundle, path, bytes, walk->diagnostics);
    git_odb_object_free(object);
    return status;
}

static enum status read_tree(struct walk *walk, const git_oid *id, unsigned depth);

static enum status enter_tree(struct walk *walk, const git_oid *id, unsigned depth)
{
    struct text path = buffer_text(&walk->path);
    if (!bundle_is_folder_read(path))
        return STATUS_OK;
    if (depth < BUNDLE_MAX_DEPTH)
        return read_tree(walk, id, depth + 1);
    bundle_note(walk->diagnostics, path, BUNDLE_DEEP);
    return STATUS_OK;
}

static enum status read_entry(struct walk *walk, const git_tree_entry *entry, unsigned depth)
{
    const git_oid *id = git_tree_entry_id(entry);
    struct text path = buffer_text(&walk->path);
    switch (git_tree_entry_filemode(entry)) {
    case GIT_FILEMODE_TREE:
        return enter_tree(walk, id, depth);
    case GIT_FILEMODE_LINK:
        bundle_note(walk->diagnostics, path, BUNDLE_LINK);
        return STATUS_OK;
    case GIT_FILEMODE_COMMIT:
        bundle_note(walk->diagnostics, path, BUNDLE_SUBMODULE);
        return STATUS_OK;
    default:
        return read_blob(walk, id);
    }
}

/* Git lets no such name be made, but a tree written by hand can hold it, and as a path it would
 * pass for another's. */
static bool is_refused(struct walk *walk, const git_tree_entry *entry)
{
    struct text path = buffer_text(&walk->path);
    bool folder = git_tree_entry_filemode(entry) == GIT_FILEMODE_TREE;
    if (!strchr(git_tree_entry_name(entry), '/'))
        return false;
    if (folder || bundle_interest(path) != BUNDLE_IGNORE)
        bundle_note(walk->diagnostics, path, BUNDLE_NAME);
    return true;
}

static enum status read_entries(struct walk *walk, const git_tree *tree, unsigned depth)
{
    enum status status = STATUS_OK;
    const size_t length = walk->path.length, count = git_tree_entrycount(tree);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        if (length)
            buffer_append_char(&walk->path, '/');
        buffer_append_string(&walk->path, git_tree_entry_name(entry));
        status = walk->path.failed ? STATUS_NO_MEMORY : bundle_enter(walk->bundle);
        if (status == STATUS_OK && !is_refused(walk, entry))
            status = read_entry(walk, entry, depth);
        walk->path.length = length;
    }
    return status;
}

/* At most BUNDLE_MAX_DEPTH deep. */
static enum status read_tree(struct walk *walk, const git_oid *id, unsigned depth)
{
    git_tree *tree;
    if (git_tree_lookup(&tree, walk->mirror->repository, id) != 0)
        return fail(walk);
    enum status status = read_entries(walk, tree, depth);
    git_tree_free(tree);
    return status;
}

enum status mirror_read(struct mirror *mirror, const char *commit, struct bundle *bundle,
                        struct diagnostics *diagnostics, struct error *error)
{
    struct walk walk = {
        .mirror = mirror, .bundle = bundle, .diagnostics = diagnostics, .error = error};
    git_commit *found;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    buffer_init(&walk.path, 0);
    if (git_repository_odb(&walk.odb, mirror->repository) != 0)
        status = mirror_fail(error, STATUS_SYSTEM, "the clone cannot be read");
    else
        status = read_tree(&walk, git_commit_tree_id(found), 0);
    if (status == STATUS_LIMIT) {
        bundle_overflow(bundle, diagnostics);
        status = STATUS_OK;
    }
    if (status == STATUS_OK && diagnostics->failed)
        status = diagnostics->failed;
    if (status == STATUS_NO_MEMORY)
        error_set(error, status, "no memory to read commit %s", commit);
    bundle_sort(bundle);
    git_odb_free(walk.odb);
    git_commit_free(found);
    buffer_dispose(&walk.path);
    return status;
}
