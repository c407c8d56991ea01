#include "schema_private.h"

#include <float.h>
#include <math.h>

#include "json.h"

/* What is at hand while one schema file is compiled. */
struct loader {
    struct schema_set *set;
    struct text base;
    const struct node *source; /* the schema at work */
    struct error *error;
};

/* Stores the value of one keyword at `out`, a member of struct schema. */
typedef enum status load_keyword(struct loader *loader, void *out, const struct node *value);

static enum status no_memory(struct loader *loader)
{
    return error_set(loader->error, STATUS_NO_MEMORY, "no memory");
}

static enum status wrong(struct loader *loader, const struct node *value, const char *expected)
{
    return error_set_at(loader->error, STATUS_INVALID, value->line, value->column,
                        "keyword \"%.60s\" must be %s", value->key.data ? value->key.data : "",
                        expected);
}

uint32_t schema_hash(struct text key)
{
    /* Of a few hundred names at most, which no stranger chooses: no need to look at every byte. */
    uint32_t hash = (uint32_t)key.length;
    if (key.length)
        hash = hash << 24 ^ (uint32_t)(unsigned char)key.data[0] << 16 ^
               (uint32_t)(unsigned char)key.data[key.length / 2] << 8 ^
               (unsigned char)key.data[key.length - 1];
    hash *= 2654435769u;      /* 2^32 by the golden ratio: each bit reaches the upper half … */
    return hash ^ hash >> 16; /* … and the lower bits, which pick the slot */
}

/* --- keywords by the shape of their value
 * --------------------------------------------------------- */

static enum status load_nothing(struct loader *loader, void *out, const struct node *value)
{
    (void)loader;
    (void)out;
    (void)value;
    return STATUS_OK;
}

static enum status load_bool(struct loader *loader, void *out, const struct node *value)
{
    if (value->type != NODE_BOOL)
        return wrong(loader, value, "true or false");
    *(bool *)out = value->boolean;
    return STATUS_OK;
}

static enum status load_number(struct loader *loader, void *out, const struct node *value)
{
    if (value->type != NODE_NUMBER)
        return wrong(loader, value, "a number");
    *(double *)out = value->number;
    return STATUS_OK;
}

static enum status load_divisor(struct loader *loader, void *out, const struct node *value)
{
    if (value->type != NODE_NUMBER || value->number <= 0)
        return wrong(loader, value, "a number above 0");
    *(double *)out = value->number;
    return STATUS_OK;
}

static enum status load_count(struct loader *loader, void *out, const struct node *value)
{
    if (value->type != NODE_NUMBER || value->number < 0 || value->number > NUMBER_SAFE_INTEGER ||
        floor(value->number) != value->number)
        return wrong(loader, value, "a whole number, 0 or more");
    *(size_t *)out = (size_t)value->number;
    return STATUS_OK;
}

static enum status load_text(struct loader *loader, void *out, const struct node *value)
{
    if (value->type != NODE_STRING)
        return wrong(loader, value, "a string");
    *(struct text *)out = value->string;
    return STATUS_OK;
}

static enum status load_any(struct loader *loader, void *out, const struct node *value)
{
    (void)loader;
    *(const struct node **)out = value;
    return STATUS_OK;
}

static enum status load_values(struct loader *loader, void *out, const struct node *value)
{
    if (value->type != NODE_LIST || value->count == 0)
        return wrong(loader, value, "a list of at least one value");
    *(const struct node **)out = value;
    return STATUS_OK;
}

static enum status load_texts(struct loader *loader, void *out, const struct node *value)
{
    struct text_list *list = out;
    if (value->type != NODE_LIST)
        return wrong(loader, value, "a list of strings");
    list->items = ARENA_ARRAY(&loader->set->arena, struct text, value->count + 1);
    if (!list->items)
        return no_memory(loader);
    for (const struct node *entry = value->first; entry; entry = entry->next) {
        if (entry->type != NODE_STRING)
            return wrong(loader, value, "a list of strings");
        list->items[list->count++] = entry->string;
    }
    return STATUS_OK;
}

static enum status load_schema(struct loader *loader, void *out, const struct node *value)
{
    const struct schema *schema = schema_compile(loader->set, value, loader->base, loader->error);
    if (!schema)
        return STATUS_INVALID;
    *(const struct schema **)out = schema;
    return STATUS_OK;
}

static enum status load_list(struct loader *loader, struct schema_list *list,
                             const struct node *value)
{
    list->items = ARENA_ARRAY(&loader->set->arena, const struct schema *, value->count + 1);
    if (!list->items)
        return no_memory(loader);
    for (const struct node *entry = value->first; entry; entry = entry->next) {
        enum status status = load_schema(loader, &list->items[list->count], entry);
        if (status != STATUS_OK)
            return status;
        list->count++;
    }
    return STATUS_OK;
}

static enum status load_schemas(struct loader *loader, void *out, const struct node *value)
{
    if (value->type != NODE_LIST || value->count == 0)
        return wrong(loader, value, "a list of at least one schema");
    return load_list(loader, out, value);
}

/* --- keywords with a shape of their own
 * ------------------------------------------------------------ */

static unsigned type_bit(struct text name)
{
    static const struct {
        const char *name;
        unsigned bit;
    } types[] = {
        {"null", TYPE_BIT(NODE_NULL)},     {"boolean", TYPE_BIT(NODE_BOOL)},
        {"number", TYPE_BIT(NODE_NUMBER)}, {"string", TYPE_BIT(NODE_STRING)},
        {"array", TYPE_BIT(NODE_LIST)},    {"object", TYPE_BIT(NODE_MAP)},
        {"integer", TYPE_INTEGER},
    };
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (text_is(name, types[i].name))
            return types[i].bit;
    }
    return 0;
}

static enum status load_type(struct loader *loader, void *out, const struct node *value)
{
    unsigned types = 0;
    const struct node *first = value->type == NODE_LIST ? value->first : value;
    for (const struct node *entry = first; entry; entry = entry->next) {
        unsigned bit = entry->type == NODE_STRING ? type_bit(entry->string) : 0;
        if (!bit)
            return wrong(loader, value, "a type, or a list of them");
        types |= bit;
        if (entry == value)
            break;
    }
    if (!types)
        return wrong(loader, value, "a type, or a list of them");
    *(unsigned *)out = types;
    return STATUS_OK;
}

static enum status new_pattern(struct loader *loader, struct text source, const struct node *value,
                               struct pattern **out)
{
    struct schema_pattern *entry = ARENA_NEW(&loader->set->arena, struct schema_pattern);
    if (!entry)
        return no_memory(loader);
    struct error error = {0};
    enum status status = pattern_new(source, &entry->pattern, &error);
    if (status != STATUS_OK)
        return error_set_at(loader->error, status, value->line, value->column, "%s", error.message);
    entry->next = loader->set->patterns;
    loader->set->patterns = entry;
    *out = entry->pattern;
    return STATUS_OK;
}

static enum status load_pattern(struct loader *loader, void *out, const struct node *value)
{
    if (value->type != NODE_STRING)
        return wrong(loader, value, "a string");
    return new_pattern(loader, value->string, value, out);
}

static enum status load_items(struct loader *loader, void *out, const struct node *value)
{
    struct schema *schema = out;
    if (value->type != NODE_LIST)
        return load_schema(loader, &schema->items, value);
    schema->has_tuple = true;
    return load_list(loader, &schema->tuple, value);
}

bool property_table_index(struct arena *arena, struct property_table *table)
{
    size_t slots = 4;
    while (slots < table->count * 2)
        slots *= 2;
    table->slots = ARENA_ARRAY(arena, const struct property *, slots);
    if (!table->slots)
        return false;
    table->slot_count = slots;
    for (size_t i = 0; i < table->count; i++) {
        struct property *property = &table->items[i];
        const struct property **slot = &table->slots[property->hash & (slots - 1)];
        property->next = *slot;
        *slot = property;
    }
    return true;
}

static enum status load_properties(struct loader *loader, void *out, const struct node *value)
{
    struct property_table *table = out;
    if (value->type != NODE_MAP)
        return wrong(loader, value, "a map of schemas");
    table->items = ARENA_ARRAY(&loader->set->arena, struct property, (size_t)value->count + 1);
    if (!table->items)
        return no_memory(loader);
    for (const struct node *entry = value->first; entry; entry = entry->next) {
        struct property *property = &table->items[table->count];
        property->name = entry->key;
        property->hash = schema_hash(entry->key);
        enum status status = load_schema(loader, &property->schema, entry);
        if (status != STATUS_OK)
            return status;
        table->count++;
    }
    return property_table_index(&loader->set->arena, table) ? STATUS_OK : no_memory(loader);
}

/* Compiled so that an $id inside is known and a mistake is found; a $ref leads to them. */
static enum status load_definitions(struct loader *loader, void *out, const struct node *value)
{
    (void)out;
    struct property_table ignored = {0};
    return load_properties(loader, &ignored, value);
}

static enum status load_pattern_properties(struct loader *loader, void *out,
                                           const struct node *value)
{
    struct schema *schema = out;
    if (value->type != NODE_MAP)
        return wrong(loader, value, "a map of schemas");
    schema->pattern_properties =
        ARENA_ARRAY(&loader->set->arena, struct pattern_property, (size_t)value->count + 1);
    if (!schema->pattern_properties)
        return no_memory(loader);
    for (const struct node *entry = value->first; entry; entry = entry->next) {
        struct pattern_property *item = &schema->pattern_properties[schema->pattern_property_count];
        enum status status = new_pattern(loader, entry->key, entry, &item->pattern);
        if (status == STATUS_OK)
            status = load_schema(loader, &item->schema, entry);
        if (status != STATUS_OK)
            return status;
        schema->pattern_property_count++;
    }
    return STATUS_OK;
}

static enum status load_dependencies(struct loader *loader, void *out, const struct node *value)
{
    struct schema *schema = out;
    if (value->type != NODE_MAP)
        return wrong(loader, value, "a map");
    schema->dependencies =
        ARENA_ARRAY(&loader->set->arena, struct dependency, (size_t)value->count + 1);
    if (!schema->dependencies)
        return no_memory(loader);
    for (const struct node *entry = value->first; entry; entry = entry->next) {
        struct dependency *item = &schema->dependencies[schema->dependency_count];
        item->name = entry->key;
        enum status status = entry->type == NODE_LIST ? load_texts(loader, &item->required, entry)
                                                      : load_schema(loader, &item->schema, entry);
        if (status != STATUS_OK)
            return status;
        schema->dependency_count++;
    }
    return STATUS_OK;
}

/* --- one schema
 * ------------------------------------------------------------------------------------ */

struct keyword {
    const char *name;
    load_keyword *load;
    size_t offset; /* of the member that `load` fills; 0 stands for the whole schema */
};

#define MEMBER(name) offsetof(struct schema, name)
static const struct keyword keywords[] = {
    {"type", load_type, MEMBER(types)},
    {"enum", load_values, MEMBER(values)},
    {"const", load_any, MEMBER(constant)},
    {"minimum", load_number, MEMBER(minimum)},
    {"maximum", load_number, MEMBER(maximum)},
    {"exclusiveMinimum", load_number, MEMBER(exclusive_minimum)},
    {"exclusiveMaximum", load_number, MEMBER(exclusive_maximum)},
    {"multipleOf", load_divisor, MEMBER(multiple_of)},
    {"minLength", load_count, MEMBER(min_length)},
    {"maxLength", load_count, MEMBER(max_length)},
    {"pattern", load_pattern, MEMBER(pattern)},
    {"items", load_items, 0},
    {"additionalItems", load_schema, MEMBER(additional_items)},
    {"contains", load_schema, MEMBER(contains)},
    {"minItems", load_count, MEMBER(min_items)},
    {"maxItems", load_count, MEMBER(max_items)},
    {"uniqueItems", load_bool, MEMBER(unique_items)},
    {"properties", load_properties, MEMBER(properties)},
    {"patternProperties", load_pattern_properties, 0},
    {"additionalProperties", load_schema, MEMBER(additional_properties)},
    {"propertyNames", load_schema, MEMBER(property_names)},
    {"required", load_texts, MEMBER(required)},
    {"minProperties", load_count, MEMBER(min_properties)},
    {"maxProperties", load_count, MEMBER(max_properties)},
    {"dependencies", load_dependencies, 0},
    {"allOf", load_schemas, MEMBER(all_of)},
    {"anyOf", load_schemas, MEMBER(any_of)},
    {"oneOf", load_schemas, MEMBER(one_of)},
    {"not", load_schema, MEMBER(not )},
    {"if", load_schema, MEMBER(if_schema)},
    {"then", load_schema, MEMBER(then_schema)},
    {"else", load_schema, MEMBER(else_schema)},
    {"$ref", load_text, MEMBER(ref_text)},
    {"errorMessage", load_text, MEMBER(error_message)},
    {"x-weir-later", load_text, MEMBER(later)},
    {"definitions", load_definitions, 0},
    /* Annotations. */
    {"$schema", load_nothing, 0},
    {"$id", load_nothing, 0}, /* seen by enter_base() */
    {"$comment", load_nothing, 0},
    {"title", load_nothing, 0},
    {"description", load_nothing, 0},
    {"default", load_nothing, 0},
    {"examples", load_nothing, 0},
    {"format", load_nothing, 0},
    {"readOnly", load_nothing, 0},
    {"writeOnly", load_nothing, 0},
    {"contentMediaType", load_nothing, 0},
    {"contentEncoding", load_nothing, 0},
};

static const struct keyword *keyword_find(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        if (text_is(name, keywords[i].name))
            return &keywords[i];
    }
    return NULL;
}

static struct schema *new_schema(struct loader *loader)
{
    struct schema_set *set = loader->set;
    if (set->count >= SCHEMA_MAX_COUNT) {
        error_set(loader->error, STATUS_LIMIT, "more than %d schemas", SCHEMA_MAX_COUNT);
        return NULL;
    }
    struct schema *schema = ARENA_NEW(&set->arena, struct schema);
    if (!schema) {
        no_memory(loader);
        return NULL;
    }
    schema->source = loader->source;
    schema->minimum = schema->exclusive_minimum = -INFINITY;
    schema->maximum = schema->exclusive_maximum = INFINITY;
    schema->max_length = schema->max_items = schema->max_properties = SIZE_MAX;
    if (set->last)
        set->last->next = schema;
    else
        set->first = schema;
    set->last = schema;
    set->count++;
    return schema;
}

/* An $id moves the base of what is inside, and gives this part a name. */
static enum status enter_base(struct loader *loader)
{
    const struct node *id = node_get(loader->source, "$id");
    if (!id || node_get(loader->source, "$ref"))
        return STATUS_OK; /* what stands beside a $ref means nothing */
    if (id->type != NODE_STRING)
        return wrong(loader, id, "a string");
    struct schema_name *name = ARENA_NEW(&loader->set->arena, struct schema_name);
    if (!name ||
        uri_resolve(&loader->set->arena, loader->base, id->string, &name->uri) != STATUS_OK)
        return no_memory(loader);
    for (const struct schema_name *other = loader->set->names; other; other = other->next) {
        if (text_equal(other->uri, name->uri) && other->source != loader->source)
            return error_set_at(loader->error, STATUS_INVALID, id->line, id->column,
                                "$id \"%.150s\" stands twice", name->uri.data);
    }
    name->source = loader->source;
    name->next = loader->set->names;
    loader->set->names = name;
    struct text document, fragment;
    uri_split(name->uri, &document, &fragment);
    if (fragment.length == 0)
        loader->base = document;
    return STATUS_OK;
}

static enum status load_map(struct loader *loader, struct schema *schema)
{
    enum status status = enter_base(loader);
    schema->base = loader->base;
    bool is_reference = node_get(loader->source, "$ref") != NULL;
    for (const struct node *entry = loader->source->first; entry && status == STATUS_OK;
         entry = entry->next) {
        const struct keyword *keyword = keyword_find(entry->key);
        if (!keyword) {
            if (!loader->set->ignore_unknown)
                status =
                    error_set_at(loader->error, STATUS_INVALID, entry->key_line, entry->key_column,
                                 "unknown keyword \"%.60s\"", entry->key.data);
            continue;
        }
        if (is_reference && keyword->load != load_definitions &&
            keyword->offset != MEMBER(ref_text))
            continue;
        status = keyword->load(loader, (char *)schema + keyword->offset, entry);
    }
    schema->has_choices = schema->all_of.count || schema->any_of.count || schema->one_of.count ||
                          schema->not || schema->if_schema;
    schema->only_required = schema->source->count == 1 && schema->required.count > 0;
    return status;
}

struct schema *schema_compile(struct schema_set *set, const struct node *node, struct text base,
                              struct error *error)
{
    struct loader loader = {set, base, node, error};
    struct schema *schema = new_schema(&loader);
    if (!schema)
        return NULL;
    schema->base = base;
    if (node->type == NODE_BOOL) {
        schema->never = !node->boolean;
        return schema;
    }
    if (node->type != NODE_MAP) {
        error_set_at(error, STATUS_INVALID, node->line, node->column,
                     "a schema must be a map, true or false");
        return NULL;
    }
    return load_map(&loader, schema) == STATUS_OK ? schema : NULL;
}

/* --- the set
 * --------------------------------------------------------------------------------------- */

struct schema_set *schema_set_new(void)
{
    struct schema_set *set = calloc(1, sizeof *set);
    if (set)
        arena_init(&set->arena, SCHEMA_MAX_BYTES);
    return set;
}

void schema_set_free(struct schema_set *set)
{
    if (!set)
        return;
    for (struct schema_pattern *entry = set->patterns; entry; entry = entry->next)
        pattern_free(entry->pattern);
    arena_dispose(&set->arena);
    free(set);
}

void schema_set_ignore_unknown(struct schema_set *set)
{
    set->ignore_unknown = true;
}

/* The message of a fault in a schema says in which file. */
static enum status in_file(struct error *error, enum status status, const char *name)
{
    if (!error)
        return status;
    struct error inner = *error;
    return error_set_at(error, status, inner.line, inner.column, "schema \"%.60s\": %.180s", name,
                        inner.message);
}

static bool name_is_taken(const struct schema_set *set, struct text name)
{
    for (const struct schema_file *file = set->files; file; file = file->next) {
        if (text_equal(file->name, name))
            return true;
    }
    return false;
}

enum status schema_set_add(struct schema_set *set, const char *name, struct text source,
                           struct error *error)
{
    struct error local = {0};
    if (!error)
        error = &local;
    error->line = error->column = 0;
    if (set->sealed)
        return error_set(error, STATUS_REFUSED, "schema \"%.60s\" comes after sealing", name);
    if (name_is_taken(set, text_of(name)))
        return error_set(error, STATUS_INVALID, "two schemas are called \"%.60s\"", name);
    struct schema_file *file = ARENA_NEW(&set->arena, struct schema_file);
    if (!file || !arena_copy(&set->arena, text_of(name), &file->name))
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    struct json_limits limits = {.bytes = SCHEMA_MAX_BYTES,
                                 .depth = SCHEMA_MAX_DEPTH,
                                 .nodes = 1000000,
                                 .unique_keys = true};
    const struct node *root = NULL;
    enum status status = json_read(&set->arena, source, limits, &root, error);
    if (status != STATUS_OK)
        return in_file(error, status, name);
    error->status = STATUS_INVALID;
    file->root = schema_compile(set, root, file->name, error);
    if (!file->root)
        return in_file(error, error->status == STATUS_OK ? STATUS_INVALID : error->status, name);
    file->next = set->files;
    set->files = file;
    return STATUS_OK;
}

const struct schema *schema_set_find(const struct schema_set *set, const char *name)
{
    struct text wanted = text_of(name);
    for (const struct schema_file *file = set->files; file; file = file->next) {
        if (text_equal(file->name, wanted) || text_equal(file->root->base, wanted))
            return file->root;
    }
    return NULL;
}
