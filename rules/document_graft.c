/* Flags of one document in another: held environments and overrides serve such. */
#include <stdlib.h>

#include "attributes.h"
#include "document.h"
#include "json.h"
#include "set_metadata.h"

/* Attributes have other slots there, so each is compiled from its JSON. */
static enum status compile(const struct document *document, const struct document_graft *graft,
                           struct set_metadata *metadata, struct attributes *attributes,
                           struct fragment **out, struct error *error)
{
    const struct program_settings settings = {.metadata = metadata,
                                              .dictionary = document->dictionary};
    *out = NULL;
    return graft->json.length
               ? fragment_new(graft->key, graft->json, settings, attributes, out, error)
               : STATUS_OK;
}

static enum status compile_all(const struct document *document, const struct document_graft *grafts,
                               size_t count, struct attributes *attributes,
                               struct document_change *changes, struct error *error)
{
    struct arena arena;
    const struct node *members = NULL;
    struct set_metadata *metadata = NULL;
    enum status status = STATUS_OK;
    arena_init(&arena, 0);
    if (document->metadata.length)
        status = json_read(&arena, document->metadata, JSON_LIMITS_DEFAULT, &members, error);
    if (status == STATUS_OK)
        metadata = set_metadata_new(&arena, members);
    if (status == STATUS_OK && !metadata)
        status = STATUS_NO_MEMORY;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        changes[i].key = grafts[i].key;
        status = compile(document, &grafts[i], metadata, attributes, &changes[i].fragment, error);
    }
    set_metadata_release(metadata);
    arena_dispose(&arena);
    return status;
}

enum status document_graft(const struct document *document, const struct document_graft *grafts,
                           size_t count, struct document **out, struct error *error)
{
    struct attributes *attributes = attributes_clone(document->attributes);
    struct document_change *changes = calloc(count + 1, sizeof *changes);
    enum status status = attributes && changes ? STATUS_OK : STATUS_NO_MEMORY;
    *out = NULL;
    if (status == STATUS_OK)
        status = compile_all(document, grafts, count, attributes, changes, error);
    if (status == STATUS_OK) {
        /* Takes over all references. */
        status = document_edit(document, changes, count, attributes, document->metadata, out);
        attributes = NULL;
    } else {
        for (size_t i = 0; changes && i < count; i++)
            fragment_release(changes[i].fragment);
    }
    attributes_release(attributes);
    free(changes);
    return status == STATUS_NO_MEMORY ? error_set(error, status, "no memory for a document")
                                      : status;
}
