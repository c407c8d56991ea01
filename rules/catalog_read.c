/* From files to definitions: each file by itself, so that several hands can read them at once. */
#include "catalog_private.h"

#include "codes.h"
#include "similar.h"
#include "yaml.h"

#define FILES_WORTH 64 /* of one part: reading fewer takes less time than starting a thread */

/* Neighbouring files, read by one hand. */
struct part {
    const struct schema *const *schemas; /* by kind */
    const struct bundle *bundle;
    size_t first, end;  /* of its files */
    struct arena arena; /* of what becomes the catalog's */
    struct diagnostics diagnostics;
    struct list lists[KIND_COUNT];
    struct broken *broken;
    size_t unreadable;
    struct text path; /* of the file being read; the arena's */
    enum status status;
};

static bool make_room(struct list *list, size_t more)
{
    size_t size = list->size ? list->size : 64, bytes;
    while (size - list->count < more) {
        if (!size_multiply(size, 2, &size))
            return false;
    }
    if (size == list->size)
        return true;
    if (!size_multiply(size, sizeof *list->items, &bytes))
        return false;
    void **items = realloc(list->items, bytes);
    if (!items)
        return false;
    list->items = items;
    list->size = size;
    return true;
}

static bool list_add(struct list *list, void *item)
{
    if (!make_room(list, 1))
        return false;
    list->items[list->count++] = item;
    return true;
}

/* --- one document ---------------------------------------------------------------------------- */

static struct place place_of(const struct part *part, const struct node *node)
{
    return (struct place){part->path, node->line, node->column};
}

/* Kinds of DESIGN section 3 that a later release brings: refused by name, never passed over. */
static bool is_later_kind(struct text kind)
{
    static const char *const later[] = {"PhasePlan", "Rollout", "RolloutState",
                                        "Metric",    "Program", "FlagTest"};
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        if (text_is(kind, later[i]))
            return true;
    }
    return false;
}

static void unknown_kind(struct part *part, const struct node *kind)
{
    struct similar best = {0};
    char hint[80];
    for (size_t i = 0; i < KIND_COUNT; i++)
        similar_offer(&best, kind->string, text_of(kind_name((enum kind)i)));
    if (best.name.length)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", best.name.data);
    else
        snprintf(hint, sizeof hint, "kinds are Flag, Segment, Environment and Target");
    diagnostics_add(&part->diagnostics, CODE_KIND, place_of(part, kind), hint,
                    "unknown kind \"%.*s\"",
                    (int)(kind->string.length < 80 ? kind->string.length : 80), kind->string.data);
}

/* Finds what kind of definition a document says it is; false (with a fault noted) when it is
 * none. */
static bool find_kind(struct part *part, const struct node *root, enum kind *out)
{
    const struct node *version = node_get(root, "apiVersion"), *kind = node_get(root, "kind");
    if (!version || version->type != NODE_STRING || !text_is(version->string, API_VERSION)) {
        diagnostics_add(&part->diagnostics, CODE_KIND, place_of(part, version ? version : root),
                        "begin the document with \"apiVersion: " API_VERSION "\"",
                        version ? "unknown apiVersion" : "document has no apiVersion");
        return false;
    }
    if (!kind || kind->type != NODE_STRING) {
        diagnostics_add(&part->diagnostics, CODE_KIND, place_of(part, kind ? kind : root),
                        "kinds are Flag, Segment, Environment and Target", "document has no kind");
        return false;
    }
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (text_is(kind->string, kind_name((enum kind)i))) {
            *out = (enum kind)i;
            return true;
        }
    }
    if (is_later_kind(kind->string))
        diagnostics_add(&part->diagnostics, CODE_KIND_LATER, place_of(part, kind),
                        "this version of weir knows Flag, Segment, Environment and Target",
                        "kind %s does not work yet", kind->string.data);
    else
        unknown_kind(part, kind);
    return false;
}

static enum status note_broken(struct part *part, enum kind kind, const struct node *root)
{
    struct text name = node_get_string(node_get(root, "metadata"), "name");
    struct broken *broken = ARENA_NEW(&part->arena, struct broken);
    if (!broken || !arena_copy(&part->arena, name, &broken->name))
        return STATUS_NO_MEMORY;
    broken->kind = kind;
    broken->next = part->broken;
    part->broken = broken;
    return STATUS_OK;
}

static enum status take_document(void *context, const struct node *root)
{
    struct part *part = context;
    struct definition definition;
    enum kind kind;
    if (root->type != NODE_MAP) {
        diagnostics_add(&part->diagnostics, CODE_KIND, place_of(part, root), NULL,
                        "a document must be a map, not a %s", node_type_name(root->type));
        return STATUS_OK;
    }
    if (!find_kind(part, root, &kind))
        return STATUS_OK;
    enum status status = schema_validate(part->schemas[kind], root, part->path, &part->diagnostics);
    if (status == STATUS_OK)
        status =
            definitions_read(&part->arena, kind, part->path, root, &definition, &part->diagnostics);
    if (status == STATUS_INVALID)
        return note_broken(part, kind, root);
    if (status != STATUS_OK)
        return status;
    return list_add(&part->lists[kind], definition.flag) ? STATUS_OK : STATUS_NO_MEMORY;
}

/* --- many files ------------------------------------------------------------------------------ */

static void read_part(void *context, unsigned index)
{
    struct part *part = (struct part *)context + index;
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = part->first; i < part->end && part->status == STATUS_OK; i++) {
        const struct bundle_file *file = &part->bundle->files[i];
        if (!arena_copy(&part->arena, file->path, &part->path))
            part->status = STATUS_NO_MEMORY;
        else
            part->status =
                yaml_read(&arena, part->path, file->bytes, take_document, part, &part->diagnostics);
        if (part->status == STATUS_INVALID) {
            part->unreadable++;
            part->status = STATUS_OK;
        }
    }
    arena_dispose(&arena);
}

static void begin_parts(struct part *parts, unsigned count, const struct schema *const *schemas,
                        const struct bundle *bundle)
{
    for (unsigned i = 0; i < count; i++) {
        struct part *part = &parts[i];
        part->schemas = schemas;
        part->bundle = bundle;
        part->first = bundle->count * i / count;
        part->end = bundle->count * (i + 1) / count;
        arena_init(&part->arena, CATALOG_MEMORY);
        diagnostics_init(&part->diagnostics);
    }
}

static enum status take_lists(struct part *part, struct list lists[KIND_COUNT])
{
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        struct list *from = &part->lists[kind], *to = &lists[kind];
        if (from->count == 0)
            continue;
        if (!make_room(to, from->count))
            return STATUS_NO_MEMORY;
        memcpy(to->items + to->count, from->items, from->count * sizeof *to->items);
        to->count += from->count;
    }
    return STATUS_OK;
}

/* In the order of the files, as if one had read them all: nothing behind a failure counts. */
static enum status take_part(struct catalog *catalog, struct part *part, enum status so_far,
                             struct list lists[KIND_COUNT], struct diagnostics *diagnostics)
{
    struct broken **end = &catalog->broken;
    bool fits = arena_adopt(&catalog->arena, &part->arena);
    if (so_far != STATUS_OK) {
        diagnostics_dispose(&part->diagnostics);
        return so_far;
    }
    while (*end)
        end = &(*end)->next;
    *end = part->broken;
    catalog->unreadable += part->unreadable;
    diagnostics_join(diagnostics, &part->diagnostics);
    if (part->status != STATUS_OK)
        return part->status;
    if (diagnostics->failed)
        return diagnostics->failed;
    return fits ? take_lists(part, lists) : STATUS_NO_MEMORY;
}

enum status catalog_read(struct catalog *catalog, const struct schema *const schemas[KIND_COUNT],
                         const struct bundle *bundle, const struct crew *crew,
                         struct list lists[KIND_COUNT], struct diagnostics *diagnostics)
{
    unsigned count = crew_parts(crew, bundle->count, FILES_WORTH);
    struct part *parts = calloc(count, sizeof *parts);
    enum status status = STATUS_OK;
    if (!parts)
        return STATUS_NO_MEMORY;
    begin_parts(parts, count, schemas, bundle);
    crew_run(crew, count, read_part, parts);
    for (unsigned i = 0; i < count; i++) {
        status = take_part(catalog, &parts[i], status, lists, diagnostics);
        for (size_t kind = 0; kind < KIND_COUNT; kind++)
            free(parts[i].lists[kind].items);
    }
    free(parts);
    catalog->files = bundle->count;
    return status;
}
