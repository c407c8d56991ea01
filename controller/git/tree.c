/* The files of a commit: as a bundle, and one by one. */
#include "mirror_private.h"

static enum status read_blob(struct mirror *mirror, struct text path, const struct blob_id *blob,
                             git_odb_object **out, struct error *error)
{
    git_odb *odb = NULL;
    git_oid id;
    memcpy(id.id, blob->bytes, sizeof id.id);
    int code = git_repository_odb(&odb, mirror->repository);
    if (code == 0)
        code = git_odb_read(out, odb, &id);
    git_odb_free(odb);
    return code == 0 ? STATUS_OK
                     : mirror_fail(error, STATUS_SYSTEM, "\"%.*s\" cannot be read from the clone",
                                   (int)(path.length < 120 ? path.length : 120), path.data);
}

/* Of the handle's several readers one reads at a time: inflating a blob takes a tenth of what
 * reading its YAML takes. */
static enum status read_for_rules(void *context, struct text path, const struct blob_id *blob,
                                  struct buffer *out)
{
    struct mirror *mirror = context;
    git_odb_object *object = NULL;
    struct error error;
    pthread_mutex_lock(&mirror->reading);
    enum status status = read_blob(mirror, path, blob, &object, &error);
    pthread_mutex_unlock(&mirror->reading);
    if (status != STATUS_OK)
        return status;
    buffer_append(out, git_odb_object_data(object), git_odb_object_size(object));
    git_odb_object_free(object);
    return out->failed;
}

struct file_reader mirror_reader(struct mirror *mirror)
{
    return (struct file_reader){read_for_rules, mirror};
}

/* --- as a bundle ----------------------------------------------------------------------------- */

static enum status take(struct mirror *mirror, const struct file_change *change,
                        struct bundle *bundle, struct diagnostics *diagnostics, struct error *error)
{
    git_odb_object *object = NULL;
    if (change->state == FILE_OBSTACLE) {
        if (change->obstacle == BUNDLE_WIDE)
            bundle_note_folder(diagnostics, change->path, change->size);
        else
            bundle_note(diagnostics, change->path, change->obstacle);
        return STATUS_OK;
    }
    if (!bundle_wants(change->path, change->size, diagnostics))
        return STATUS_OK;
    enum status status = read_blob(mirror, change->path, &change->blob, &object, error);
    if (status != STATUS_OK)
        return status;
    struct text bytes = {git_odb_object_data(object), git_odb_object_size(object)};
    status = bundle_take(bundle, change->path, bytes, diagnostics);
    git_odb_object_free(object);
    return status;
}

enum status mirror_read(struct mirror *mirror, const char *commit, struct bundle *bundle,
                        struct diagnostics *diagnostics, struct error *error)
{
    struct tree_changes changes;
    tree_changes_init(&changes);
    enum status status = mirror_compare(mirror, NULL, 0, commit, &changes, error);
    if (status == STATUS_OK && changes.overflow)
        status = STATUS_LIMIT;
    for (size_t i = 0; i < changes.count && status == STATUS_OK; i++)
        status = take(mirror, &changes.items[i], bundle, diagnostics, error);
    tree_changes_dispose(&changes);
    if (status == STATUS_LIMIT) {
        bundle_overflow(bundle, diagnostics);
        status = STATUS_OK;
    }
    if (status == STATUS_OK && diagnostics->failed)
        status = diagnostics->failed;
    if (status == STATUS_NO_MEMORY)
        error_set(error, status, "no memory to read commit %s", commit);
    bundle_sort(bundle);
    return status;
}

/* --- one file, one folder -------------------------------------------------------------------- */

/* *out is NULL where there is nothing at `path`. */
static enum status find_entry(struct mirror *mirror, const char *commit, const char *path,
                              git_tree_entry **out, struct error *error)
{
    git_commit *found = NULL;
    git_tree *tree = NULL;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    int code = git_commit_tree(&tree, found);
    if (code == 0)
        code = git_tree_entry_bypath(out, tree, path);
    bool missing = code == GIT_ENOTFOUND && tree;
    if (code != 0 && !missing)
        status = mirror_fail(error, STATUS_SYSTEM, "\"%.120s\" cannot be read", path);
    git_tree_free(tree);
    git_commit_free(found);
    return status;
}

static bool is_file(const git_tree_entry *entry)
{
    git_filemode_t mode = git_tree_entry_filemode(entry);
    return mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE;
}

/* The size is asked for first: what is too large is never taken into memory. */
static enum status append_blob(struct mirror *mirror, const git_oid *id, const char *path,
                               size_t most, struct buffer *out, struct error *error)
{
    git_odb *odb = NULL;
    git_odb_object *object = NULL;
    git_object_t type;
    size_t size = 0;
    enum status status = STATUS_OK;
    int code = git_repository_odb(&odb, mirror->repository);
    if (code == 0)
        code = git_odb_read_header(&size, &type, odb, id);
    if (code == 0 && size > most)
        status = error_set(error, STATUS_LIMIT, "\"%.120s\" has %zu bytes, more than %zu", path,
                           size, most);
    else if (code == 0)
        code = git_odb_read(&object, odb, id);
    if (code != 0)
        status = mirror_fail(error, STATUS_SYSTEM, "\"%.120s\" cannot be read", path);
    if (object)
        buffer_append(out, git_odb_object_data(object), git_odb_object_size(object));
    git_odb_object_free(object);
    git_odb_free(odb);
    if (status == STATUS_OK && out->failed)
        status = error_set(error, out->failed, "no memory to read \"%.120s\"", path);
    return status;
}

enum status mirror_read_file(struct mirror *mirror, const char *commit, const char *path,
                             size_t most, struct buffer *out, struct error *error)
{
    git_tree_entry *entry = NULL;
    enum status status = find_entry(mirror, commit, path, &entry, error);
    if (status == STATUS_OK && (!entry || !is_file(entry)))
        status =
            error_set(error, STATUS_NOT_FOUND, "commit %.12s has no file \"%.160s\"", commit, path);
    if (status == STATUS_OK)
        status = append_blob(mirror, git_tree_entry_id(entry), path, most, out, error);
    git_tree_entry_free(entry);
    return status;
}

#define LIST_DEPTH 64

struct listing {
    struct mirror *mirror;
    const char *folder; /* for messages */
    size_t most, seen;
    struct buffer path; /* of the folder that is being listed, with a slash at its end */
    struct buffer *out;
};

static enum status list_tree(struct listing *listing, const git_oid *id, unsigned depth,
                             struct error *error);

static enum status list_entry(struct listing *listing, const git_tree_entry *entry, unsigned depth,
                              struct error *error)
{
    const size_t before = listing->path.length;
    enum status status = STATUS_OK;
    if (++listing->seen > listing->most)
        return error_set(error, STATUS_LIMIT, "\"%.120s\" has more than %zu entries",
                         listing->folder, listing->most);
    buffer_append_string(&listing->path, git_tree_entry_name(entry));
    if (git_tree_entry_type(entry) == GIT_OBJECT_TREE) {
        buffer_append_char(&listing->path, '/');
        status = list_tree(listing, git_tree_entry_id(entry), depth + 1, error);
    } else if (is_file(entry)) {
        buffer_append_text(listing->out, buffer_text(&listing->path));
        buffer_append_char(listing->out, '\0');
    }
    if (status == STATUS_OK && (listing->path.failed || listing->out->failed))
        status =
            error_set(error, STATUS_NO_MEMORY, "no memory to list \"%.120s\"", listing->folder);
    listing->path.length = before;
    return status;
}

static enum status list_tree(struct listing *listing, const git_oid *id, unsigned depth,
                             struct error *error)
{
    git_tree *tree = NULL;
    enum status status = STATUS_OK;
    if (depth > LIST_DEPTH)
        return error_set(error, STATUS_LIMIT, "folders in \"%.120s\" are nested too deeply",
                         listing->folder);
    if (git_tree_lookup(&tree, listing->mirror->repository, id) != 0)
        return mirror_fail(error, STATUS_SYSTEM, "\"%.120s\" cannot be read", listing->folder);
    for (size_t i = 0; i < git_tree_entrycount(tree) && status == STATUS_OK; i++)
        status = list_entry(listing, git_tree_entry_byindex(tree, i), depth, error);
    git_tree_free(tree);
    return status;
}

enum status mirror_list_files(struct mirror *mirror, const char *commit, const char *folder,
                              size_t most, struct buffer *out, struct error *error)
{
    struct listing listing = {.mirror = mirror, .folder = folder, .most = most, .out = out};
    git_tree_entry *entry = NULL;
    enum status status = find_entry(mirror, commit, folder, &entry, error);
    if (status != STATUS_OK)
        return status;
    buffer_init(&listing.path, 0);
    if (entry && git_tree_entry_type(entry) == GIT_OBJECT_TREE) {
        buffer_printf(&listing.path, "%s/", folder);
        status = list_tree(&listing, git_tree_entry_id(entry), 0, error);
    }
    buffer_dispose(&listing.path);
    git_tree_entry_free(entry);
    return status;
}
