#include "catalog_private.h"

#include "codes.h"

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

struct builder {
    struct catalog *catalog;
    struct diagnostics *diagnostics;
    struct list lists[KIND_COUNT];
};

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

static bool take_list(struct builder *builder, enum kind kind, void ***out, size_t *count)
{
    struct list *list = &builder->lists[kind];
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
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        void **items;
        size_t count;
        if (!take_list(builder, (enum kind)kind, &items, &count))
            return STATUS_NO_MEMORY;
        catalog_set_list(builder->catalog, (enum kind)kind, items, count);
    }
    return catalog_index_releases(builder->catalog, &builder->catalog->arena);
}

static void note_empty(struct builder *builder, const struct bundle *bundle)
{
    size_t count = 0;
    for (size_t kind = 0; kind < KIND_COUNT; kind++)
        count += catalog_list(builder->catalog, (enum kind)kind).count;
    if (count == 0 && !builder->diagnostics->errors)
        diagnostics_add(
            builder->diagnostics, CODE_NO_DEFINITIONS, (struct place){TEXT("."), 0, 0},
            "put YAML documents with \"apiVersion: " API_VERSION "\" below flags/, segments/, "
            "environments/ or targets/",
            "no definitions found in %zu file%s", bundle->count, bundle->count == 1 ? "" : "s");
}

enum status catalog_build(struct catalog *catalog, const struct schema_set *schemas,
                          const struct bundle *bundle, const struct crew *crew,
                          struct diagnostics *diagnostics)
{
    struct builder builder = {.catalog = catalog, .diagnostics = diagnostics};
    *catalog = (struct catalog){0};
    arena_init(&catalog->arena, READING_MEMORY);
    enum status status = catalog_read(catalog, schemas, bundle, crew, builder.lists, diagnostics);
    if (status == STATUS_OK)
        status = take_lists(&builder);
    for (size_t i = 0; i < KIND_COUNT; i++)
        free(builder.lists[i].items);
    if (status != STATUS_OK)
        return status;
    catalog_link(catalog, diagnostics, NULL);
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

/* Where each kind's list stands in the struct. */
#define LIST(kind, member)                                                                         \
    [kind] = {offsetof(struct catalog, member##s), offsetof(struct catalog, member##_count)}
static const struct {
    size_t items, count;
} lists[KIND_COUNT] = {
    LIST(KIND_FLAG, flag),
    LIST(KIND_SEGMENT, segment),
    LIST(KIND_ENVIRONMENT, environment),
    LIST(KIND_TARGET, target),
    LIST(KIND_PHASE_PLAN, phase_plan),
    LIST(KIND_METRIC, metric),
    LIST(KIND_ROLLOUT, rollout),
    LIST(KIND_ROLLOUT_STATE, rollout_state),
    LIST(KIND_FLAG_PIN, flag_pin),
};
#undef LIST

struct catalog_list catalog_list(const struct catalog *catalog, enum kind kind)
{
    struct catalog_list list;
    memcpy(&list.items, (const char *)catalog + lists[kind].items, sizeof list.items);
    memcpy(&list.count, (const char *)catalog + lists[kind].count, sizeof list.count);
    return list;
}

void catalog_set_list(struct catalog *catalog, enum kind kind, void **items, size_t count)
{
    memcpy((char *)catalog + lists[kind].items, &items, sizeof items);
    memcpy((char *)catalog + lists[kind].count, &count, sizeof count);
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
