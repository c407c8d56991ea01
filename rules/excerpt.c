#include "excerpt.h"

#include <stdlib.h>

#define SMALL_BLOCK ((size_t)2 << 10)

/* One entry whose version in force is wanted. */
struct taken {
    uint64_t hash;
    const struct entry *entry;
};

struct excerpt {
    const struct excerpt_task *task;
    struct catalog *out;
    struct table seen;    /* struct taken */
    struct taken **taken; /* in the order in which they were found */
    size_t count, size;
    const struct source_file **sources; /* each once, sorted by address */
    size_t source_count;
    struct buffer bytes;
};

/* --- what is wanted -------------------------------------------------------------------------- */

static bool is_taken(const void *item, const void *key)
{
    return ((const struct taken *)item)->entry == key;
}

static enum status take(struct excerpt *excerpt, const struct entry *entry)
{
    if (!entry->in_force || table_find(&excerpt->seen, entry->hash, is_taken, entry) != NULL)
        return STATUS_OK;
    if (excerpt->count == excerpt->size) {
        size_t size = excerpt->size ? excerpt->size * 2 : 32;
        void *taken = reallocarray(excerpt->taken, size, sizeof *excerpt->taken);
        if (!taken)
            return STATUS_NO_MEMORY;
        excerpt->taken = taken;
        excerpt->size = size;
    }
    struct taken *item = malloc(sizeof *item);
    if (!item)
        return STATUS_NO_MEMORY;
    *item = (struct taken){entry->hash, entry};
    if (!table_add(&excerpt->seen, item)) {
        free(item);
        return STATUS_NO_MEMORY;
    }
    excerpt->taken[excerpt->count++] = item;
    return STATUS_OK;
}

/* All that is asked for, and what that asks for in its turn. */
static enum status take_all(struct excerpt *excerpt)
{
    const struct excerpt_task *task = excerpt->task;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < task->count && status == STATUS_OK; i++)
        status = take(excerpt, task->entries[i]);
    for (size_t i = 0; i < excerpt->count && status == STATUS_OK; i++) {
        const struct entry *entry = excerpt->taken[i]->entry;
        for (uint32_t j = 0; j < entry->reference_count && status == STATUS_OK; j++) {
            const struct entry *asked = entry->references[j].entry;
            if (task->follow & 1U << asked->kind)
                status = take(excerpt, asked);
        }
    }
    return status;
}

/* --- the files they stand in ----------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
    return (x > y) - (x < y);
}

static bool list_sources(struct excerpt *excerpt)
{
    excerpt->sources = calloc(excerpt->count + 1, sizeof *excerpt->sources);
    if (!excerpt->sources)
        return false;
    for (size_t i = 0; i < excerpt->count; i++)
        excerpt->sources[i] = excerpt->taken[i]->entry->in_force->source;
    if (excerpt->count)
        qsort(excerpt->sources, excerpt->count, sizeof *excerpt->sources, by_address);
    for (size_t i = 0; i < excerpt->count; i++) {
        if (i == 0 || excerpt->sources[i] != excerpt->sources[excerpt->source_count - 1])
            excerpt->sources[excerpt->source_count++] = excerpt->sources[i];
    }
    return true;
}

static enum status bytes_of(void *context, unsigned part, size_t index, struct text *out)
{
    struct excerpt *excerpt = context;
    const struct file_reader *reader = &excerpt->task->reader;
    const struct source_file *source = excerpt->sources[index];
    (void)part; /* without a crew there is one */
    buffer_clear(&excerpt->bytes);
    enum status status =
        reader->read(reader->context, source->path, &source->blob, &excerpt->bytes);
    *out = buffer_text(&excerpt->bytes);
    return status == STATUS_OK ? excerpt->bytes.failed : status;
}

static const struct read_document *find_document(const struct excerpt *excerpt,
                                                 const struct read_file *files,
                                                 const struct version *version)
{
    const struct source_file *const *found =
        bsearch(&version->source, excerpt->sources, excerpt->source_count, sizeof *excerpt->sources,
                by_address);
    const struct read_document *document = found ? files[found - excerpt->sources].documents : NULL;
    while (document && document->index != version->index)
        document = document->next;
    return document && document->definition && document->kind == version->entry->kind ? document
                                                                                      : NULL;
}

/* --- the catalog ----------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct name *x = *(const struct name *const *)a, *y = *(const struct name *const *)b;
    return text_compare(x->text, y->text);
}

static enum status make_lists(struct excerpt *excerpt, const struct read_file *files)
{
    struct arena *arena = &excerpt->out->arena;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        size_t count = 0;
        void **items = ARENA_ARRAY(arena, void *, excerpt->count + 1);
        if (!items)
            return STATUS_NO_MEMORY;
        for (size_t i = 0; i < excerpt->count; i++) {
            const struct entry *entry = excerpt->taken[i]->entry;
            if (entry->kind != (enum kind)kind)
                continue;
            const struct read_document *document = find_document(excerpt, files, entry->in_force);
            if (!document)
                return STATUS_SYSTEM;
            items[count++] = document->definition;
        }
        if (count)
            qsort(items, count, sizeof *items, by_name);
        catalog_set_list(excerpt->out, (enum kind)kind, items, count);
    }
    return catalog_index_releases(excerpt->out, arena);
}

static enum status read_all(struct excerpt *excerpt)
{
    struct arena *arena = &excerpt->out->arena;
    size_t count = excerpt->source_count;
    struct read_file *files = ARENA_ARRAY(arena, struct read_file, count + 1);
    if (!files || !excerpt->sources)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (excerpt->sources[i])
            files[i].path = excerpt->sources[i]->path;
    }
    const struct file_bytes bytes = {bytes_of, excerpt};
    enum status status =
        count ? read_files(excerpt->task->schemas, files, count, &bytes, NULL, arena) : STATUS_OK;
    if (status == STATUS_OK)
        status = make_lists(excerpt, files);
    read_files_dispose(files, count);
    return status;
}

enum status excerpt_read(const struct excerpt_task *task, struct catalog *out, struct error *error)
{
    struct excerpt excerpt = {.task = task, .out = out};
    *out = (struct catalog){0};
    arena_init(&out->arena, READING_MEMORY);
    if (task->is_small)
        arena_begin_with(&out->arena, SMALL_BLOCK);
    buffer_init(&excerpt.bytes, 0);
    enum status status = take_all(&excerpt);
    if (status == STATUS_OK && !list_sources(&excerpt))
        status = STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = read_all(&excerpt);
    for (size_t i = 0; i < excerpt.count; i++)
        free(excerpt.taken[i]);
    free(excerpt.taken);
    free(excerpt.sources);
    table_dispose(&excerpt.seen);
    buffer_dispose(&excerpt.bytes);
    if (status == STATUS_NO_MEMORY)
        return error_set(error, status, "no memory to read definitions");
    return status == STATUS_OK
               ? status
               : error_set(error, STATUS_SYSTEM, "definitions in force cannot be read again");
}
