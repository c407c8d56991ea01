#include "catalog.h"

#include "codes.h"
#include "similar.h"
#include "yaml.h"

#define API_VERSION "weir/v1"
#define CATALOG_MEMORY ((size_t)4 << 30)

/* --- the schemas in the program: build/rules/schemas.S --------------------------------------- */

struct schema_file {
    const char *name, *data;
    size_t length;
};
extern const struct schema_file schema_files[]; /* ended by an entry without name */

struct schema_set *catalog_schemas(struct error *error)
{
    struct schema_set *set = schema_set_new();
    enum status status = set ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "no memory");
    for (const struct schema_file *file = schema_files; file->name && status == STATUS_OK; file++)
        status = schema_set_add(set, file->name, (struct text){file->data, file->length}, error);
    if (status == STATUS_OK)
        status = schema_set_seal(set, error);
    if (status == STATUS_OK)
        return set;
    schema_set_free(set);
    return NULL;
}

/* --- from files to definitions --------------------------------------------------------------- */

struct list { /* of definitions of one kind, while they are collected */
    void **items;
    size_t count, size;
};

struct builder {
    struct catalog *catalog;
    struct diagnostics *diagnostics;
    const struct schema *schemas[KIND_COUNT];
    struct list lists[KIND_COUNT];
    struct text path; /* of the file being read; the catalog's memory */
};

static bool list_add(struct list *list, void *item)
{
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 64, bytes;
        if (!size_multiply(size, sizeof *list->items, &bytes))
            return false;
        void **items = realloc(list->items, bytes);
        if (!items)
            return false;
        list->items = items;
        list->size = size;
    }
    list->items[list->count++] = item;
    return true;
}

static struct place place_of(const struct builder *builder, const struct node *node)
{
    return (struct place){builder->path, node->line, node->column};
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

static void unknown_kind(struct builder *builder, const struct node *kind)
{
    struct similar best = {0};
    char hint[80];
    for (size_t i = 0; i < KIND_COUNT; i++)
        similar_offer(&best, kind->string, text_of(kind_name((enum kind)i)));
    if (best.name.length)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", best.name.data);
    else
        snprintf(hint, sizeof hint, "kinds are Flag, Segment, Environment and Target");
    diagnostics_add(builder->diagnostics, CODE_KIND, place_of(builder, kind), hint,
                    "unknown kind \"%.*s\"",
                    (int)(kind->string.length < 80 ? kind->string.length : 80), kind->string.data);
}

/* Finds what kind of definition a document says it is; false (with a fault noted) when it is
 * none. */
static bool find_kind(struct builder *builder, const struct node *root, enum kind *out)
{
    const struct node *version = node_get(root, "apiVersion"), *kind = node_get(root, "kind");
    if (!version || version->type != NODE_STRING || !text_is(version->string, API_VERSION)) {
        diagnostics_add(builder->diagnostics, CODE_KIND,
                        place_of(builder, version ? version : root),
                        "begin the document with \"apiVersion: " API_VERSION "\"",
                        version ? "unknown apiVersion" : "document has no apiVersion");
        return false;
    }
    if (!kind || kind->type != NODE_STRING) {
        diagnostics_add(builder->diagnostics, CODE_KIND, place_of(builder, kind ? kind : root),
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
        diagnostics_add(builder->diagnostics, CODE_KIND_LATER, place_of(builder, kind),
                        "this version of weir knows Flag, Segment, Environment and Target",
                        "kind %s does not work yet", kind->string.data);
    else
        unknown_kind(builder, kind);
    return false;
}

static enum status note_broken(struct builder *builder, enum kind kind, const struct node *root)
{
    struct arena *arena = &builder->catalog->arena;
    struct text name = node_get_string(node_get(root, "metadata"), "name");
    struct broken *broken = ARENA_NEW(arena, struct broken);
    if (!broken || !arena_copy(arena, name, &broken->name))
        return STATUS_NO_MEMORY;
    broken->kind = kind;
    broken->next = builder->catalog->broken;
    builder->catalog->broken = broken;
    return STATUS_OK;
}

static enum status take_document(void *context, const struct node *root)
{
    struct builder *builder = context;
    struct definition definition;
    enum kind kind;
    if (root->type != NODE_MAP) {
        diagnostics_add(builder->diagnostics, CODE_KIND, place_of(builder, root), NULL,
                        "a document must be a map, not a %s", node_type_name(root->type));
        return STATUS_OK;
    }
    if (!find_kind(builder, root, &kind))
        return STATUS_OK;
    enum status status =
        schema_validate(builder->schemas[kind], root, builder->path, builder->diagnostics);
    if (status == STATUS_OK)
        status = definitions_read(&builder->catalog->arena, kind, builder->path, root, &definition,
                                  builder->diagnostics);
    if (status == STATUS_INVALID)
        return note_broken(builder, kind, root);
    if (status != STATUS_OK)
        return status;
    return list_add(&builder->lists[kind], definition.flag) ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status read_files(struct builder *builder, const struct bundle *bundle)
{
    struct arena arena;
    enum status status = STATUS_OK;
    arena_init(&arena, 0);
    for (size_t i = 0; i < bundle->count && status == STATUS_OK; i++) {
        const struct bundle_file *file = &bundle->files[i];
        builder->catalog->files++;
        if (!arena_copy(&builder->catalog->arena, file->path, &builder->path))
            status = STATUS_NO_MEMORY;
        else
            status = yaml_read(&arena, builder->path, file->bytes, take_document, builder,
                               builder->diagnostics);
        if (status == STATUS_INVALID) {
            builder->catalog->unreadable++;
            status = STATUS_OK;
        }
    }
    arena_dispose(&arena);
    return status;
}

/* --- one name, one definition ---------------------------------------------------------------- */

/* All kinds' structs begin with their name. */
static const struct name *name_of(const void *definition)
{
    return definition;
}

static int compare_places(const struct place *a, const struct place *b)
{
    int order = text_compare(a->path, b->path);
    return order ? order : (a->line > b->line) - (a->line < b->line);
}

static int by_name(const void *a, const void *b)
{
    const struct name *x = name_of(*(void *const *)a), *y = name_of(*(void *const *)b);
    int order = text_compare(x->text, y->text);
    return order ? order : compare_places(&x->place, &y->place);
}

static void drop_duplicates(struct builder *builder, enum kind kind)
{
    struct list *list = &builder->lists[kind];
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct name *name = name_of(list->items[i]);
        const struct name *first = kept ? name_of(list->items[kept - 1]) : NULL;
        if (first && text_equal(first->text, name->text)) {
            struct diagnostic *made =
                diagnostics_add(builder->diagnostics, CODE_DUPLICATE_NAME, name->place,
                                "rename or remove one of the two", "%s \"%s\" is defined twice",
                                kind_name(kind), name->text.data);
            diagnostic_also(builder->diagnostics, made, first->place);
            continue;
        }
        list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

static bool take_list(struct builder *builder, enum kind kind, void *items, size_t *count)
{
    struct list *list = &builder->lists[kind];
    void ***out = items;
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, by_name);
    drop_duplicates(builder, kind);
    void **copy = ARENA_ARRAY(&builder->catalog->arena, void *, list->count);
    if (!copy)
        return false;
    if (list->count)
        memcpy(copy, list->items, list->count * sizeof *copy);
    *out = copy;
    *count = list->count;
    return true;
}

static enum status take_lists(struct builder *builder)
{
    struct catalog *catalog = builder->catalog;
    if (take_list(builder, KIND_FLAG, &catalog->flags, &catalog->flag_count) &&
        take_list(builder, KIND_SEGMENT, &catalog->segments, &catalog->segment_count) &&
        take_list(builder, KIND_ENVIRONMENT, &catalog->environments, &catalog->environment_count) &&
        take_list(builder, KIND_TARGET, &catalog->targets, &catalog->target_count))
        return STATUS_OK;
    return STATUS_NO_MEMORY;
}

static void note_empty(struct builder *builder, const struct bundle *bundle)
{
    const struct catalog *catalog = builder->catalog;
    if (builder->diagnostics->errors)
        return;
    if (catalog->flag_count + catalog->segment_count + catalog->environment_count +
            catalog->target_count ==
        0)
        diagnostics_add(
            builder->diagnostics, CODE_NO_DEFINITIONS, (struct place){TEXT("."), 0, 0},
            "put YAML documents with \"apiVersion: " API_VERSION "\" below flags/, segments/, "
            "environments/ or targets/",
            "no definitions found in %zu file%s", bundle->count, bundle->count == 1 ? "" : "s");
}

enum status catalog_build(struct catalog *catalog, const struct schema_set *schemas,
                          const struct bundle *bundle, struct diagnostics *diagnostics)
{
    struct builder builder = {.catalog = catalog, .diagnostics = diagnostics};
    enum status status = STATUS_OK;
    *catalog = (struct catalog){0};
    arena_init(&catalog->arena, CATALOG_MEMORY);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        builder.schemas[i] = schema_set_find(schemas, kind_schema((enum kind)i));
        if (!builder.schemas[i])
            return STATUS_NOT_FOUND;
    }
    status = read_files(&builder, bundle);
    if (status == STATUS_OK)
        status = take_lists(&builder);
    for (size_t i = 0; i < KIND_COUNT; i++)
        free(builder.lists[i].items);
    if (status != STATUS_OK)
        return status;
    catalog_link(catalog, diagnostics);
    note_empty(&builder, bundle);
    if (diagnostics->failed)
        return diagnostics->failed;
    return diagnostics->errors ? STATUS_INVALID : STATUS_OK;
}

void catalog_dispose(struct catalog *catalog)
{
    arena_dispose(&catalog->arena);
    *catalog = (struct catalog){0};
}

/* --- looking up ------------------------------------------------------------------------------ */

size_t catalog_index(const void *items, size_t count, struct text name)
{
    void *const *list = items;
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = text_compare(name_of(list[middle])->text, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return count;
}

const struct flag *catalog_flag(const struct catalog *catalog, struct text name)
{
    size_t index = catalog_index(catalog->flags, catalog->flag_count, name);
    return index < catalog->flag_count ? catalog->flags[index] : NULL;
}

const struct segment *catalog_segment(const struct catalog *catalog, struct text name)
{
    size_t index = catalog_index(catalog->segments, catalog->segment_count, name);
    return index < catalog->segment_count ? catalog->segments[index] : NULL;
}

const struct environment *catalog_environment(const struct catalog *catalog, struct text name)
{
    size_t index = catalog_index(catalog->environments, catalog->environment_count, name);
    return index < catalog->environment_count ? catalog->environments[index] : NULL;
}

struct flag_settings flag_settings_in(const struct flag *flag, struct text environment)
{
    struct flag_settings settings = flag->settings;
    for (size_t i = 0; i < flag->override_count; i++) {
        const struct flag_override *override = &flag->overrides[i];
        if (!text_equal(override->environment.text, environment))
            continue;
        if (override->settings.has_enabled)
            settings.enabled = override->settings.enabled;
        if (override->settings.default_variant.text.length)
            settings.default_variant = override->settings.default_variant;
        if (override->settings.has_rules) {
            settings.rules = override->settings.rules;
            settings.rule_count = override->settings.rule_count;
        }
    }
    return settings;
}
