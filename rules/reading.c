/* From files to definitions: each file by itself, so that several hands can read them at once. */
#include "reading.h"

#include <stdlib.h>

#include "bundle.h"
#include "codes.h"
#include "similar.h"
#include "yaml.h"

#define FILES_WORTH 64 /* of one part: reading fewer takes less time than starting a thread */
#define NAME_MOST 63   /* of a DNS label: what is longer names nothing */

/* Neighbouring files, read by one hand. */
struct part {
    const struct schema *const *schemas; /* by kind */
    const struct file_bytes *bytes;
    struct read_file *files;
    size_t first, end;              /* of the files */
    unsigned number;                /* of the part */
    struct arena arena;             /* of what becomes the caller's */
    struct diagnostics diagnostics; /* of the file being read */
    struct read_file *file;
    struct read_document **last; /* where its next document goes */
    uint32_t documents;          /* seen in it so far */
    struct text path;            /* the arena's */
    struct text state;           /* ENVIRONMENT/ROLLOUT, of a file of state; else empty */
    enum kind state_kind;        /* of which kind that is */
    enum status status;
};

/* --- one document ---------------------------------------------------------------------------- */

static struct place place_of(const struct part *part, const struct node *node)
{
    return (struct place){part->path, node->line, node->column};
}

#define KINDS "kinds are Flag, Segment, Environment, Target, PhasePlan, Rollout and Metric"

/* Kinds of DESIGN section 3 that a later release brings: refused by name, never passed over. */
static bool is_later_kind(struct text kind)
{
    return text_is(kind, "Program") || text_is(kind, "FlagTest");
}

static void unknown_kind(struct part *part, const struct node *kind)
{
    struct similar best = {0};
    char hint[100];
    for (size_t i = 0; i < KIND_COUNT; i++)
        similar_offer(&best, kind->string, text_of(kind_name((enum kind)i)));
    if (best.name.length)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", best.name.data);
    else
        snprintf(hint, sizeof hint, "%s", KINDS);
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
        diagnostics_add(&part->diagnostics, CODE_KIND, place_of(part, kind ? kind : root), KINDS,
                        "document has no kind");
        return false;
    }
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (text_is(kind->string, kind_name((enum kind)i))) {
            *out = (enum kind)i;
            return true;
        }
    }
    if (is_later_kind(kind->string))
        diagnostics_add(&part->diagnostics, CODE_KIND_LATER, place_of(part, kind), KINDS,
                        "kind %s does not work yet", kind->string.data);
    else
        unknown_kind(part, kind);
    return false;
}

static enum status add_document(struct part *part, enum kind kind, struct text name,
                                void *definition)
{
    struct read_document *document = ARENA_NEW(&part->arena, struct read_document);
    if (!document || !arena_copy(&part->arena, name, &document->name))
        return STATUS_NO_MEMORY;
    document->kind = kind;
    document->index = part->documents ? part->documents - 1 : 0;
    document->definition = definition;
    *part->last = document;
    part->last = &document->next;
    return STATUS_OK;
}

/* `definition` NULL: it has faults. All kinds' structs begin with their name. A file of state is
 * known by its path: keep_state(). */
static enum status note_document(struct part *part, enum kind kind, const struct node *root,
                                 void *definition)
{
    struct text name = node_get_string(node_get(root, "metadata"), "name");
    if (part->state.length)
        return definition ? add_document(part, kind, ((struct name *)definition)->text, definition)
                          : STATUS_OK;
    if (!definition && (name.length == 0 || name.length > NAME_MOST)) {
        part->file->unidentified = true;
        return STATUS_OK;
    }
    if (definition)
        name = ((const struct name *)definition)->text;
    return add_document(part, kind, name, definition);
}

static enum status take_document(void *context, const struct node *root)
{
    struct part *part = context;
    struct definition definition;
    enum kind kind;
    part->documents++;
    if (root->type != NODE_MAP) {
        part->file->unidentified = true;
        diagnostics_add(&part->diagnostics, CODE_KIND, place_of(part, root), NULL,
                        "a document must be a map, not a %s", node_type_name(root->type));
        return STATUS_OK;
    }
    if (!find_kind(part, root, &kind)) {
        part->file->unidentified = true;
        return STATUS_OK;
    }
    if (part->state.length && kind != part->state_kind) {
        diagnostics_add(&part->diagnostics, CODE_STATE_PATH, place_of(part, root),
                        "state/ is weir's own: put it elsewhere", "%s below state/",
                        kind_name(kind));
        return STATUS_OK;
    }
    enum status status = schema_validate(part->schemas[kind], root, part->path, &part->diagnostics);
    if (status == STATUS_OK)
        status =
            definitions_read(&part->arena, kind, part->path, root, &definition, &part->diagnostics);
    if (status != STATUS_OK && status != STATUS_INVALID)
        return status;
    return note_document(part, kind, root, status == STATUS_OK ? definition.any : NULL);
}

/* --- one file -------------------------------------------------------------------------------- */

/* What is wrong with the file becomes its own; most have nothing wrong. */
static enum status keep_faults(struct part *part)
{
    struct diagnostics *faults = &part->diagnostics;
    if (faults->failed)
        return faults->failed;
    if (faults->errors + faults->warnings == 0)
        return STATUS_OK;
    part->file->faults = malloc(sizeof *faults);
    if (!part->file->faults)
        return STATUS_NO_MEMORY;
    *part->file->faults = *faults;
    diagnostics_init(faults);
    return STATUS_OK;
}

/* Its path says what it is, whatever is in it: nothing else can be doubted because of it. */
static enum status keep_state(struct part *part)
{
    struct read_file *file = part->file;
    bool good = part->diagnostics.errors == 0 && file->documents && !file->documents->next;
    file->unreadable = file->unidentified = false;
    if (good)
        return STATUS_OK;
    if (part->diagnostics.errors == 0)
        diagnostics_add(&part->diagnostics, CODE_STATE_PATH, (struct place){part->path, 1, 1},
                        "weir alone writes states", "not one document of the kind %s",
                        kind_name(part->state_kind));
    file->documents = NULL;
    part->last = &file->documents;
    return add_document(part, part->state_kind, part->state, NULL);
}

/* What a file of state is about, as its path tells it. */
static enum status find_state(struct part *part)
{
    struct text environment, flag;
    part->state = (struct text){0};
    part->state_kind = KIND_ROLLOUT_STATE;
    if (bundle_state_name(part->path, &part->state) ||
        !bundle_pin_name(part->path, &environment, &flag))
        return STATUS_OK;
    size_t length = environment.length + 1 + flag.length;
    char *name = arena_allocate(&part->arena, length + 1);
    if (!name)
        return STATUS_NO_MEMORY;
    snprintf(name, length + 1, "%.*s/%.*s", (int)environment.length, environment.data,
             (int)flag.length, flag.data);
    part->state = (struct text){name, length};
    part->state_kind = KIND_FLAG_PIN;
    return STATUS_OK;
}

static enum status read_file(struct part *part, size_t index, struct arena *scratch)
{
    struct text bytes;
    part->file = &part->files[index];
    part->last = &part->file->documents;
    part->documents = 0;
    enum status status = part->bytes->get(part->bytes->context, part->number, index, &bytes);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK && !arena_copy(&part->arena, part->file->path, &part->path))
        status = STATUS_NO_MEMORY;
    if (status != STATUS_OK)
        return status;
    status = find_state(part);
    if (status != STATUS_OK)
        return status;
    status = yaml_read(scratch, part->path, bytes, take_document, part, &part->diagnostics);
    if (status == STATUS_INVALID) {
        part->file->unreadable = part->file->unidentified = true;
        status = STATUS_OK;
    }
    if (status == STATUS_OK && part->state.length)
        status = keep_state(part);
    return status == STATUS_OK ? keep_faults(part) : status;
}

/* --- many files ------------------------------------------------------------------------------ */

static void read_part(void *context, unsigned index)
{
    struct part *part = (struct part *)context + index;
    struct arena scratch;
    arena_init(&scratch, 0);
    for (size_t i = part->first; i < part->end && part->status == STATUS_OK; i++)
        part->status = read_file(part, i, &scratch);
    arena_dispose(&scratch);
}

unsigned read_files_parts(const struct crew *crew, size_t count)
{
    return crew_parts(crew, count, FILES_WORTH);
}

static enum status read_parts(const struct schema *const *schemas, struct read_file *files,
                              size_t count, const struct file_bytes *bytes, const struct crew *crew,
                              struct arena *arena)
{
    unsigned parts = read_files_parts(crew, count);
    struct part *all = calloc(parts, sizeof *all);
    enum status status = all ? STATUS_OK : STATUS_NO_MEMORY;
    for (unsigned i = 0; i < parts && all; i++) {
        all[i] = (struct part){.schemas = schemas,
                               .bytes = bytes,
                               .files = files,
                               .first = count * i / parts,
                               .end = count * (i + 1) / parts,
                               .number = i};
        arena_init(&all[i].arena, READING_MEMORY);
        arena_begin_with(&all[i].arena, arena->first);
        diagnostics_init(&all[i].diagnostics);
    }
    if (all)
        crew_run(crew, parts, read_part, all);
    for (unsigned i = 0; i < parts && all; i++) {
        if (!arena_adopt(arena, &all[i].arena) && status == STATUS_OK)
            status = STATUS_NO_MEMORY;
        diagnostics_dispose(&all[i].diagnostics);
        status = status == STATUS_OK ? all[i].status : status;
    }
    free(all);
    return status;
}

enum status read_files(const struct schema_set *schemas, struct read_file *files, size_t count,
                       const struct file_bytes *bytes, const struct crew *crew, struct arena *arena)
{
    const struct schema *by_kind[KIND_COUNT];
    for (size_t i = 0; i < KIND_COUNT; i++) {
        by_kind[i] = schema_set_find(schemas, kind_schema((enum kind)i));
        if (!by_kind[i])
            return STATUS_NOT_FOUND;
    }
    for (size_t i = 0; i < count; i++)
        files[i] = (struct read_file){.path = files[i].path};
    return read_parts(by_kind, files, count, bytes, crew, arena);
}

void read_files_dispose(struct read_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (files[i].faults) {
            diagnostics_dispose(files[i].faults);
            free(files[i].faults);
            files[i].faults = NULL;
        }
    }
}
