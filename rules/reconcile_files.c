/* The files of a commit as the inventory's sources. */
#include <stdlib.h>

#include "codes.h"
#include "hash.h"
#include "reconcile_private.h"

/* What is wrong becomes the source's own, unless it has been told before. */
static bool keep_faults(struct source_file *source, struct diagnostics *faults)
{
    bool some = faults->errors + faults->warnings > 0 && !source->faults, good = !faults->failed;
    if (some && good)
        source->faults = malloc(sizeof *faults);
    if (some && source->faults) {
        source->unidentified = faults->errors > 0; /* it may hold anything */
        *source->faults = *faults;
        return good;
    }
    diagnostics_dispose(faults);
    return good && !some;
}

/* --- reading --------------------------------------------------------------------------------- */

/* Files on their way. */
struct batch {
    struct step *step;
    struct source_file **sources;
    struct read_file *files;
    size_t count;
    struct buffer *buffers; /* one for each part */
};

static enum status bytes_of(void *context, unsigned part, size_t index, struct text *out)
{
    struct batch *batch = context;
    struct source_file *source = batch->sources[index];
    const struct file_reader *reader = &batch->step->task->reader;
    struct buffer *buffer = &batch->buffers[part];
    buffer_clear(buffer);
    enum status status = reader->read(reader->context, source->path, &source->blob, buffer);
    if (status == STATUS_OK)
        status = buffer->failed;
    *out = buffer_text(buffer);
    if (status != STATUS_OK)
        return status;
    struct diagnostics faults;
    diagnostics_init(&faults);
    source->size = out->length;
    source->is_read = bundle_counts(source->path, *out, &faults);
    if (!keep_faults(source, &faults))
        return STATUS_NO_MEMORY;
    return source->is_read ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status read_batch(struct step *step, struct source_file **sources, size_t count,
                              struct read_file **out)
{
    const struct reconcile_task *task = step->task;
    unsigned parts = read_files_parts(task->crew, count);
    struct batch batch = {.step = step, .sources = sources, .count = count};
    batch.files = ARENA_ARRAY(step->arena, struct read_file, count);
    batch.buffers = calloc(parts, sizeof *batch.buffers);
    if (!batch.files || !batch.buffers) {
        free(batch.buffers);
        return STATUS_NO_MEMORY;
    }
    for (unsigned i = 0; i < parts; i++)
        buffer_init(&batch.buffers[i], 0);
    for (size_t i = 0; i < count; i++)
        batch.files[i].path = sources[i]->path;
    const struct file_bytes bytes = {bytes_of, &batch};
    enum status status =
        read_files(task->schemas, batch.files, count, &bytes, task->crew, step->arena);
    for (unsigned i = 0; i < parts; i++)
        buffer_dispose(&batch.buffers[i]);
    free(batch.buffers);
    step->result->read += count;
    *out = batch.files;
    return status;
}

static bool make_versions(struct step *step, struct source_file *source,
                          const struct read_file *file)
{
    uint32_t count = 0;
    for (const struct read_document *document = file->documents; document;
         document = document->next)
        count++;
    source->versions = count ? calloc(count, sizeof *source->versions) : NULL;
    if (count && !source->versions)
        return false;
    for (const struct read_document *document = file->documents; document;
         document = document->next) {
        struct entry *entry = inventory_entry(step->inventory, document->kind, document->name);
        if (!entry)
            return false;
        source->versions[source->version_count++] =
            (struct version){.source = source,
                             .entry = entry,
                             .index = document->index,
                             .whole = document->definition && !file->unreadable,
                             .step = step->inventory->step,
                             .definition = document->definition};
    }
    return true;
}

/* Makes versions of what was read in it the first time. */
static bool take_file(struct step *step, struct source_file *source, struct read_file *file)
{
    if (source->is_read) {
        source->unreadable = file->unreadable;
        source->unidentified = file->unidentified;
        source->faults = file->faults;
        file->faults = NULL;
    }
    return make_versions(step, source, file);
}

/* --- the commit's files ---------------------------------------------------------------------- */

/* What stands in the way of a file: told with every commit until it is gone. */
static bool note_obstacle(struct source_file *source, const struct file_change *change)
{
    struct diagnostics faults;
    diagnostics_init(&faults);
    if (change->state == FILE_OBSTACLE && change->obstacle == BUNDLE_WIDE)
        bundle_note_folder(&faults, source->path, change->size);
    else if (change->state == FILE_OBSTACLE)
        bundle_note(&faults, source->path, change->obstacle);
    else
        bundle_wants(source->path, change->size, &faults);
    return keep_faults(source, &faults);
}

static bool is_to_be_read(const struct file_change *change)
{
    struct diagnostics ignored;
    diagnostics_init(&ignored);
    bool wanted = change->state == FILE_HERE && bundle_interest(change->path) != BUNDLE_IGNORE &&
                  bundle_wants(change->path, change->size, &ignored);
    diagnostics_dispose(&ignored);
    return wanted;
}

/* Removes what was there; a new source for what is there now, if it matters. */
static enum status take_change(struct step *step, const struct file_change *change,
                               struct source_file **to_read, size_t *count)
{
    struct inventory *inventory = step->inventory;
    struct source_file *old = inventory_source(inventory, change->path);
    if (old && !inventory_remove(inventory, old, &step->touched))
        return STATUS_NO_MEMORY;
    if (change->state == FILE_GONE ||
        (change->state == FILE_HERE && bundle_interest(change->path) == BUNDLE_IGNORE))
        return STATUS_OK;
    struct source_file *source = source_new(change->path, &change->blob);
    if (!source)
        return STATUS_NO_MEMORY;
    if (is_to_be_read(change)) {
        to_read[(*count)++] = source;
        return STATUS_OK;
    }
    bool good = note_obstacle(source, change);
    if (!good || !source->faults) {
        source_release(source);
        return good ? STATUS_OK : STATUS_NO_MEMORY;
    }
    return inventory_add(inventory, source) ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status add_sources(struct step *step, struct source_file **sources, size_t count)
{
    struct read_file *files = NULL;
    enum status status = read_batch(step, sources, count, &files);
    for (size_t i = 0; i < count; i++) {
        struct source_file *source = sources[i];
        if (status == STATUS_OK && !take_file(step, source, &files[i]))
            status = STATUS_NO_MEMORY;
        if (status != STATUS_OK) {
            source_release(source);
            continue;
        }
        if (!inventory_add(step->inventory, source)) {
            status = STATUS_NO_MEMORY;
            continue;
        }
        for (uint32_t j = 0; j < source->version_count && status == STATUS_OK; j++) {
            if (!entries_add(&step->touched, source->versions[j].entry))
                status = STATUS_NO_MEMORY;
        }
    }
    if (files)
        read_files_dispose(files, count);
    return status;
}

enum status step_take_files(struct step *step)
{
    const struct reconcile_task *task = step->task;
    struct source_file **to_read = calloc(task->change_count + 1, sizeof *to_read);
    size_t count = 0;
    enum status status = to_read ? STATUS_OK : STATUS_NO_MEMORY;
    /* A path may be gone as one thing and here as another. */
    for (size_t i = 0; i < task->change_count && status == STATUS_OK; i++) {
        if (task->changes[i].state == FILE_GONE)
            status = take_change(step, &task->changes[i], to_read, &count);
    }
    for (size_t i = 0; i < task->change_count && status == STATUS_OK; i++) {
        if (task->changes[i].state != FILE_GONE)
            status = take_change(step, &task->changes[i], to_read, &count);
    }
    if (status == STATUS_OK)
        status = add_sources(step, to_read, count);
    else
        for (size_t i = 0; i < count; i++)
            source_release(to_read[i]);
    free(to_read);
    return status;
}

void step_tell_files(struct step *step)
{
    const struct inventory *inventory = step->inventory;
    struct diagnostics *out = &step->result->diagnostics;
    for (const struct source_file *source = inventory->troubled; source;
         source = source->troubled_after)
        diagnostics_copy(out, source->faults);
    if (step->task->overflow || inventory->files > BUNDLE_MAX_FILES ||
        inventory->bytes > BUNDLE_MAX_BYTES || inventory->looked > BUNDLE_MAX_BYTES) {
        bundle_note_overflow(out);
        step->collapsed = true;
    }
    step->troubled = step->troubled || out->errors > 0;
}

/* --- versions that are read again ------------------------------------------------------------ */

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
    return (x > y) - (x < y);
}

/* The same bytes say the same as before. */
static enum status refresh(struct step *step, struct source_file *source,
                           const struct read_file *file)
{
    uint32_t i = 0;
    for (const struct read_document *document = file->documents; document;
         document = document->next, i++) {
        if (i == source->version_count || source->versions[i].index != document->index)
            return STATUS_SYSTEM;
        source->versions[i].definition = document->definition;
        source->versions[i].step = step->inventory->step;
    }
    return i == source->version_count ? STATUS_OK : STATUS_SYSTEM;
}

enum status step_read_versions(struct step *step, struct version *const *versions, size_t count)
{
    struct source_file **sources = calloc(count + 1, sizeof *sources);
    struct read_file *files = NULL;
    size_t needed = 0, kept = 0;
    if (!sources)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (versions[i]->step != step->inventory->step)
            sources[needed++] = versions[i]->source;
    }
    if (needed)
        qsort(sources, needed, sizeof *sources, by_address);
    for (size_t i = 0; i < needed; i++) {
        if (kept == 0 || sources[kept - 1] != sources[i])
            sources[kept++] = sources[i];
    }
    enum status status = kept ? read_batch(step, sources, kept, &files) : STATUS_OK;
    for (size_t i = 0; i < kept && status == STATUS_OK; i++)
        status = refresh(step, sources[i], &files[i]);
    if (files)
        read_files_dispose(files, kept);
    free(sources);
    return status;
}

/* --- exceptions ------------------------------------------------------------------------------ */

static bool is_given(const void *item, const void *key)
{
    const struct source_file *source = item;
    const struct exception *exception = key;
    return text_equal(source->path, exception->path) &&
           memcmp(&source->blob, &exception->blob, sizeof source->blob) == 0;
}

static enum status given_source(struct step *step, const struct exception *exception,
                                struct source_file **out)
{
    struct read_file *files = NULL;
    *out = table_find(&step->given, hash_text(exception->path), is_given, exception);
    if (*out)
        return STATUS_OK;
    struct source_file *source = source_new(exception->path, &exception->blob);
    if (!source)
        return STATUS_NO_MEMORY;
    enum status status = read_batch(step, &source, 1, &files);
    if (status == STATUS_OK && !take_file(step, source, &files[0]))
        status = STATUS_NO_MEMORY;
    if (files)
        read_files_dispose(files, 1);
    /* Of its other names some may be nobody's: the step's end looks at all that it worked on. */
    for (uint32_t i = 0; i < source->version_count && status == STATUS_OK; i++) {
        if (!step_work(step, source->versions[i].entry))
            status = STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK && !table_add(&step->given, source))
        status = STATUS_NO_MEMORY;
    if (status != STATUS_OK)
        source_release(source);
    else
        *out = source;
    return status;
}

/* Entries of a source's other names may be gone: they are compared, never looked into. */
static struct version *find_version(struct source_file *source, const struct entry *entry,
                                    uint32_t index)
{
    for (uint32_t i = 0; i < source->version_count; i++) {
        struct version *version = &source->versions[i];
        if (version->index == index && version->whole && version->entry == entry)
            return version;
    }
    return NULL;
}

enum status step_given_version(struct step *step, const struct entry *entry,
                               const struct exception *exception, struct version **out)
{
    struct source_file *source;
    *out = NULL;
    if (exception->path.length == 0)
        return STATUS_OK;
    if (entry->in_force && is_given(entry->in_force->source, exception)) {
        *out = find_version(entry->in_force->source, entry, exception->index);
        if (*out)
            return STATUS_OK;
    }
    enum status status = given_source(step, exception, &source);
    if (status != STATUS_OK)
        return status;
    *out = find_version(source, entry, exception->index);
    return *out ? STATUS_OK : STATUS_NOT_FOUND;
}
