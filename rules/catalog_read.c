/* The files of a bundle as a catalog's lists. */
#include "catalog_private.h"

#include <stdlib.h>

static bool list_add(struct list *list, void *item)
{
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 64;
        void **items = reallocarray(list->items, size, sizeof *items);
        if (!items)
            return false;
        list->items = items;
        list->size = size;
    }
    list->items[list->count++] = item;
    return true;
}

static enum status bytes_of(void *context, unsigned part, size_t index, struct text *out)
{
    const struct bundle *bundle = context;
    (void)part;
    *out = bundle->files[index].bytes;
    return STATUS_OK;
}

static bool take_document(struct catalog *catalog, const struct read_document *document,
                          struct list lists[KIND_COUNT])
{
    if (document->definition)
        return list_add(&lists[document->kind], document->definition);
    struct broken *broken = ARENA_NEW(&catalog->arena, struct broken);
    if (!broken)
        return false;
    *broken = (struct broken){document->kind, document->name, catalog->broken};
    catalog->broken = broken;
    return true;
}

/* In the order of the files. */
static enum status take_files(struct catalog *catalog, struct read_file *files, size_t count,
                              struct list lists[KIND_COUNT], struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < count; i++) {
        catalog->unreadable += files[i].unreadable;
        if (files[i].faults)
            diagnostics_join(diagnostics, files[i].faults);
        for (const struct read_document *document = files[i].documents; document;
             document = document->next) {
            if (!take_document(catalog, document, lists))
                return STATUS_NO_MEMORY;
        }
    }
    return diagnostics->failed;
}

enum status catalog_read(struct catalog *catalog, const struct schema_set *schemas,
                         const struct bundle *bundle, const struct crew *crew,
                         struct list lists[KIND_COUNT], struct diagnostics *diagnostics)
{
    struct read_file *files = calloc(bundle->count + 1, sizeof *files);
    const struct file_bytes bytes = {bytes_of, (void *)(uintptr_t)bundle};
    if (!files)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < bundle->count; i++)
        files[i].path = bundle->files[i].path;
    enum status status = read_files(schemas, files, bundle->count, &bytes, crew, &catalog->arena);
    if (status == STATUS_OK)
        status = take_files(catalog, files, bundle->count, lists, diagnostics);
    read_files_dispose(files, bundle->count);
    free(files);
    catalog->files = bundle->count;
    return status;
}
