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
