/* The files that a revert writes: by ids, newest change first, never by a patch. What somebody
 * changed later is not guessed at. */
#include <stdlib.h>

#include "../../rules/json.h"
#include "../../rules/yaml.h"
#include "revert_private.h"

void revert_files_dispose(struct revert_files *files)
{
    free(files->items);
    arena_dispose(&files->arena);
}

static void object(struct revert_files *files, bool *what, const char *words, const char *path)
{
    struct buffer shown;
    buffer_init(&shown, 0);
    bundle_write_path(&shown, text_of(path));
    if (files->can_be_made && files->is_all_its) /* the first counts */
        snprintf(files->words, sizeof files->words, "%s: \"%.*s\"", words,
                 (int)(shown.length < 120 ? shown.length : 120), shown.length ? shown.data : "");
    *what = false;
    buffer_dispose(&shown);
}

/* --- whose a file is ------------------------------------------------------------------------- */

/* What a file says of anything but the flag. */
struct others {
    struct text flag;
    struct buffer text;
    bool has_flag;
};

static enum status take_document(void *context, const struct node *root)
{
    struct others *others = context;
    bool is_flag = text_is(node_get_string(root, "kind"), "Flag") &&
                   text_equal(node_get_string(node_get(root, "metadata"), "name"), others->flag);
    others->has_flag = others->has_flag || is_flag;
    if (!is_flag) {
        json_write_node(&others->text, root);
        buffer_append_char(&others->text, '\n');
    }
    return others->text.failed;
}

static enum status read_others(struct mirror *mirror, const char *path, const struct blob_id *blob,
                               struct others *others)
{
    struct file_reader reader = mirror_reader(mirror);
    struct diagnostics faults;
    struct arena arena;
    struct buffer bytes;
    arena_init(&arena, 0);
    buffer_init(&bytes, 0);
    diagnostics_init(&faults);
    enum status status = reader.read(reader.context, text_of(path), blob, &bytes);
    if (status == STATUS_OK)
        status = bytes.failed;
    if (status == STATUS_OK)
        status =
            yaml_read(&arena, text_of(path), buffer_text(&bytes), take_document, others, &faults);
    diagnostics_dispose(&faults);
    buffer_dispose(&bytes);
    arena_dispose(&arena);
    return status;
}

/* A file of definitions belongs to the flag as far as nothing else in it changed. */
static enum status belongs(struct mirror *mirror, struct text flag, const struct changed_file *file,
                           bool *yes)
{
    struct others was = {.flag = flag}, now = {.flag = flag};
    enum status status = STATUS_OK;
    buffer_init(&was.text, 0);
    buffer_init(&now.text, 0);
    *yes = false;
    if (bundle_interest(text_of(file->path)) != BUNDLE_IGNORE && !revert_is_state(file->path)) {
        if (file->was_there)
            status = read_others(mirror, file->path, &file->was, &was);
        if (status == STATUS_OK && file->is_there)
            status = read_others(mirror, file->path, &file->now, &now);
        *yes = status == STATUS_OK && (was.has_flag || now.has_flag) &&
               text_equal(buffer_text(&was.text), buffer_text(&now.text));
    }
    buffer_dispose(&was.text);
    buffer_dispose(&now.text);
    return status == STATUS_INVALID ? STATUS_OK : status; /* not YAML: it is nobody's */
}

/* --- taking back ----------------------------------------------------------------------------- */

static struct revert_file *file_of(struct revert_files *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->items[i].path, path) == 0)
            return &files->items[i];
    }
    return NULL;
}

/* The file as the changes that were taken back so far leave it; made as the tip has it. */
static enum status find_file(struct mirror *mirror, const char *tip, const char *path,
                             struct revert_files *files, struct revert_file **out,
                             struct error *error)
{
    *out = file_of(files, path);
    if (*out)
        return STATUS_OK;
    if (files->count == files->size) {
        size_t size = files->size ? files->size * 2 : 16;
        void *items = reallocarray(files->items, size, sizeof *files->items);
        if (!items)
            return error_set(error, STATUS_NO_MEMORY, "no memory for a revert");
        files->items = items;
        files->size = size;
    }
    struct revert_file *file = &files->items[files->count];
    struct text copy;
    *file = (struct revert_file){0};
    if (!arena_copy(&files->arena, text_of(path), &copy))
        return error_set(error, STATUS_NO_MEMORY, "no memory for a revert");
    file->path = copy.data;
    files->count++;
    *out = file;
    return mirror_file_blob(mirror, tip, path, &file->blob, &file->is_there, error);
}

static enum status take_back(struct mirror *mirror, const struct revert_task *task,
                             const struct revert *revert, const struct changed_file *changed,
                             struct revert_files *files, struct error *error)
{
    struct revert_file *file = NULL;
    struct error ignored;
    bool is_its = false;
    if (revert_is_state(changed->path)) {
        object(files, &files->is_all_its, "it changed more than the flag", changed->path);
        return STATUS_OK;
    }
    if (!changed->is_plain || record_check_path(changed->path, &ignored) != STATUS_OK) {
        object(files, &files->can_be_made, "it changed what cannot be written", changed->path);
        return STATUS_OK;
    }
    enum status status = belongs(mirror, task->flag, changed, &is_its);
    if (status != STATUS_OK)
        return error_set(error, status, "\"%.100s\" cannot be read", changed->path);
    if (!is_its)
        object(files, &files->is_all_its, "it changed more than the flag", changed->path);
    status = find_file(mirror, revert->tip, changed->path, files, &file, error);
    if (status != STATUS_OK)
        return status;
    if (file->is_there != changed->is_there ||
        (file->is_there && memcmp(&file->blob, &changed->now, sizeof file->blob) != 0))
        object(files, &files->can_be_made, "somebody changed it later", changed->path);
    file->is_there = changed->was_there;
    file->blob = changed->was;
    return STATUS_OK;
}

static enum status read_bytes(struct mirror *mirror, struct revert_files *files,
                              struct error *error)
{
    struct file_reader reader = mirror_reader(mirror);
    struct buffer bytes;
    enum status status = STATUS_OK;
    buffer_init(&bytes, 0);
    for (size_t i = 0; i < files->count && status == STATUS_OK && files->can_be_made; i++) {
        struct revert_file *file = &files->items[i];
        buffer_clear(&bytes);
        if (!file->is_there)
            continue;
        status = reader.read(reader.context, text_of(file->path), &file->blob, &bytes);
        if (status == STATUS_OK)
            status = bytes.failed;
        if (status == STATUS_OK && bytes.length > RECORD_FILE_MAX)
            object(files, &files->can_be_made, "it changed what cannot be written", file->path);
        else if (status == STATUS_OK &&
                 !arena_copy(&files->arena, buffer_text(&bytes), &file->bytes))
            status = STATUS_NO_MEMORY;
    }
    buffer_dispose(&bytes);
    return status == STATUS_OK ? status : error_set(error, status, "a file cannot be read again");
}

enum status revert_files_make(struct mirror *mirror, const struct revert_task *task,
                              const struct revert *revert, struct revert_files *out,
                              struct error *error)
{
    enum status status = STATUS_OK;
    *out = (struct revert_files){.can_be_made = true, .is_all_its = true};
    arena_init(&out->arena, 0);
    if (revert->is_more) {
        out->can_be_made = out->is_all_its = false;
        snprintf(out->words, sizeof out->words, "too many commits changed it");
    }
    for (size_t i = 0; i < revert->change_count && status == STATUS_OK && out->can_be_made; i++) {
        const struct revert_change *change = &revert->changes[i];
        struct changed_files changed;
        status = mirror_changed_files(mirror, change->facts.parents[0], change->commit,
                                      REVERT_FILES_MAX, &changed, error);
        for (size_t j = 0; j < changed.count && status == STATUS_OK && out->can_be_made; j++)
            status = take_back(mirror, task, revert, &changed.items[j], out, error);
        arena_dispose(&changed.arena);
        if (status == STATUS_LIMIT) {
            out->can_be_made = out->is_all_its = false;
            snprintf(out->words, sizeof out->words, "commit %.12s changed more than %d files",
                     change->commit, REVERT_FILES_MAX);
            status = STATUS_OK;
        }
    }
    return status == STATUS_OK ? read_bytes(mirror, out, error) : status;
}
