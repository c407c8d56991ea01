#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "../../rules/utf8.h"
#include "mirror_private.h"
#include "sign.h"

/* --- paths ----------------------------------------------------------------------------------- */

static bool is_name(struct text name)
{
    if (name.length == 0 || name.length > 255 || text_is(name, ".") || text_is(name, ".."))
        return false;
    return name.length != 4 || strncasecmp(name.data, ".git", 4) != 0;
}

enum status record_check_path(const char *path, struct error *error)
{
    size_t length = strlen(path);
    bool good = length <= RECORD_PATH_MAX && utf8_valid_length(text_of(path)) == length;
    for (size_t i = 0; i < length && good; i++)
        good = (unsigned char)path[i] >= 0x20 && path[i] != 0x7f && path[i] != '\\';
    for (const char *at = path; good; at++) {
        size_t name = strcspn(at, "/");
        good = is_name((struct text){at, name});
        at += name;
        if (!*at)
            break;
    }
    return good ? STATUS_OK
                : error_set(error, STATUS_INVALID, "a commit cannot write to this path (%zu bytes)",
                            length);
}

/* As if the slash came before all other bytes: then what is below a path comes right after it. */
static int compare_paths(const void *a, const void *b)
{
    const unsigned char *x = (const unsigned char *)(*(const struct record_edit *const *)a)->path;
    const unsigned char *y = (const unsigned char *)(*(const struct record_edit *const *)b)->path;
    for (; *x && *x == *y; x++)
        y++;
    unsigned left = *x == '/' ? 1 : *x, right = *y == '/' ? 1 : *y;
    return left < right ? -1 : left > right;
}

static bool is_at_or_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static enum status check_pairs(const struct record *record, struct error *error)
{
    enum status status = STATUS_OK;
    struct record_edit **sorted = calloc(record->edit_count, sizeof *sorted);
    if (!sorted)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a commit");
    for (size_t i = 0; i < record->edit_count; i++)
        sorted[i] = &record->edits[i];
    qsort(sorted, record->edit_count, sizeof *sorted, compare_paths);
    for (size_t i = 1; i < record->edit_count && status == STATUS_OK; i++) {
        if (is_at_or_below(sorted[i]->path, sorted[i - 1]->path))
            status = error_set(error, STATUS_INVALID,
                               "one commit cannot change both \"%.100s\" and \"%.100s\"",
                               sorted[i - 1]->path, sorted[i]->path);
    }
    free(sorted);
    return status;
}

static enum status check_edits(const struct record *record, struct error *error)
{
    enum status status = STATUS_OK;
    if (record->edit_count == 0 || record->edit_count > RECORD_EDITS_MAX)
        return error_set(error, STATUS_INVALID, "a commit changes between 1 and %d files",
                         RECORD_EDITS_MAX);
    for (size_t i = 0; i < record->edit_count && status == STATUS_OK; i++) {
        const struct record_edit *edit = &record->edits[i];
        status = record_check_path(edit->path, error);
        if (status == STATUS_OK && !edit->gone && edit->bytes.length > RECORD_FILE_MAX)
            status = error_set(error, STATUS_LIMIT, "\"%.100s\" would have more than %zu bytes",
                               edit->path, RECORD_FILE_MAX);
    }
    return status == STATUS_OK ? check_pairs(record, error) : status;
}

/* --- the tree -------------------------------------------------------------------------------- */

/* One commit in the making. */
struct making {
    struct mirror *mirror;
    const struct record *record;
    git_commit *parent;
    git_tree *before, *after;
    git_tree_update *updates;
    size_t update_count;
};

static enum status fail_edit(struct error *error, const struct record_edit *edit)
{
    return mirror_fail(error, STATUS_SYSTEM, "\"%.120s\" cannot be written into a commit",
                       edit->path);
}

/* Writes the blob, and notes the update unless the parent has it already. */
static enum status prepare(struct making *making, struct record_edit *edit, struct error *error)
{
    git_tree_update update = {.action =
                                  edit->gone ? GIT_TREE_UPDATE_REMOVE : GIT_TREE_UPDATE_UPSERT,
                              .filemode = GIT_FILEMODE_BLOB,
                              .path = edit->path};
    git_tree_entry *entry = NULL;
    int code = git_tree_entry_bypath(&entry, making->before, edit->path);
    if (code != 0 && code != GIT_ENOTFOUND)
        return fail_edit(error, edit);
    git_filemode_t mode = entry ? git_tree_entry_filemode(entry) : GIT_FILEMODE_UNREADABLE;
    bool is_file = mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE;
    enum status status = STATUS_OK;
    if (mode == GIT_FILEMODE_TREE || mode == GIT_FILEMODE_COMMIT)
        status = error_set(error, STATUS_INVALID,
                           "\"%.120s\" is a folder: a commit cannot make it "
                           "a file",
                           edit->path);
    else if (!edit->gone && git_blob_create_from_buffer(&update.id, making->mirror->repository,
                                                        edit->bytes.data ? edit->bytes.data : "",
                                                        edit->bytes.length) != 0)
        status = fail_edit(error, edit);
    if (status == STATUS_OK) {
        if (is_file)
            update.filemode = mode;
        edit->is_same =
            edit->gone ? !entry : is_file && git_oid_equal(&update.id, git_tree_entry_id(entry));
        if (!edit->is_same)
            making->updates[making->update_count++] = update;
    }
    git_tree_entry_free(entry);
    return status;
}

/* making->after stays NULL when nothing changes. */
static enum status make_tree(struct making *making, struct error *error)
{
    git_oid id;
    git_repository *repository = making->mirror->repository;
    const struct record *record = making->record;
    enum status status = STATUS_OK;
    if (git_commit_tree(&making->before, making->parent) != 0)
        return mirror_fail(error, STATUS_SYSTEM, "commit %.12s cannot be read", record->parent);
    making->updates = calloc(record->edit_count, sizeof *making->updates);
    if (!making->updates)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a commit");
    for (size_t i = 0; i < record->edit_count && status == STATUS_OK; i++)
        status = prepare(making, &record->edits[i], error);
    if (status != STATUS_OK || making->update_count == 0)
        return status;
    if (git_tree_create_updated(&id, repository, making->before, making->update_count,
                                making->updates) != 0 ||
        git_tree_lookup(&making->after, repository, &id) != 0)
        return mirror_fail(error, STATUS_SYSTEM, "a tree cannot be written");
    return STATUS_OK;
}

/* --- the commit ------------------------------------------------------------------------------ */

static enum status check_word(const char *word, const char *what, struct error *error)
{
    size_t length = word ? strlen(word) : 0;
    bool good = length > 0 && length <= RECORD_PERSON_MAX &&
                utf8_valid_length(text_of(word)) == length && word[strspn(word, " .,:;\"'")];
    for (size_t i = 0; i < length && good; i++)
        good =
            (unsigned char)word[i] >= 0x20 && word[i] != 0x7f && word[i] != '<' && word[i] != '>';
    return good ? STATUS_OK
                : error_set(error, STATUS_INVALID,
                            "%s of a commit's author is empty, too long, or has characters that "
                            "Git does not take",
                            what);
}

static enum status make_person(const struct record_person *person, git_signature **out,
                               struct error *error)
{
    enum status status = check_word(person->name, "the name", error);
    if (status == STATUS_OK)
        status = check_word(person->mail, "the e-mail address", error);
    if (status == STATUS_OK && git_signature_new(out, person->name, person->mail, person->time,
                                                 person->minutes_ahead) != 0)
        status = mirror_fail(error, STATUS_INVALID, "\"%.60s <%.60s>\" cannot be an author",
                             person->name, person->mail);
    return status;
}

static enum status store(struct making *making, const git_buf *bytes, git_oid *id,
                         struct error *error)
{
    char signature[SIGN_SIGNATURE_MAX];
    git_repository *repository = making->mirror->repository;
    const struct record *record = making->record;
    if (record->key) {
        enum status status = sign_payload(record->key, (struct text){bytes->ptr, bytes->size},
                                          record->stop, signature, error);
        if (status != STATUS_OK)
            return status;
        if (git_commit_create_with_signature(id, repository, bytes->ptr, signature, NULL) == 0)
            return STATUS_OK;
    } else {
        git_odb *odb = NULL;
        int code = git_repository_odb(&odb, repository);
        if (code == 0)
            code = git_odb_write(id, odb, bytes->ptr, bytes->size, GIT_OBJECT_COMMIT);
        git_odb_free(odb);
        if (code == 0)
            return STATUS_OK;
    }
    return mirror_fail(error, STATUS_SYSTEM, "a commit cannot be written");
}

static enum status make_commit(struct making *making, git_oid *id, struct error *error)
{
    git_signature *author = NULL, *committer = NULL;
    git_buf bytes = GIT_BUF_INIT;
    const struct record *record = making->record;
    const git_commit *parents[] = {making->parent};
    enum status status = make_person(&record->author, &author, error);
    if (status == STATUS_OK)
        status = make_person(&record->committer, &committer, error);
    if (status == STATUS_OK &&
        git_commit_create_buffer(&bytes, making->mirror->repository, author, committer, NULL,
                                 record->message, making->after, 1, parents) != 0)
        status = mirror_fail(error, STATUS_SYSTEM, "a commit cannot be made");
    if (status == STATUS_OK)
        status = store(making, &bytes, id, error);
    git_buf_dispose(&bytes);
    git_signature_free(author);
    git_signature_free(committer);
    return status;
}

enum status mirror_record(struct mirror *mirror, const struct record *record,
                          char commit[COMMIT_TEXT_SIZE], struct error *error)
{
    struct making making = {.mirror = mirror, .record = record};
    git_oid id;
    if (!record->message || !record->message[0])
        return error_set(error, STATUS_INVALID, "a commit needs a message");
    enum status status = check_edits(record, error);
    if (status == STATUS_OK)
        status = mirror_lookup_commit(mirror, record->parent, &making.parent, error);
    if (status == STATUS_OK)
        status = make_tree(&making, error);
    if (status == STATUS_OK) {
        id = *git_commit_id(making.parent);
        if (making.after)
            status = make_commit(&making, &id, error);
    }
    if (status == STATUS_OK)
        mirror_format_id(&id, commit);
    free(making.updates);
    git_tree_free(making.after);
    git_tree_free(making.before);
    git_commit_free(making.parent);
    return status;
}
