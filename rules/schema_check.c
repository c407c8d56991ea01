#include "schema_private.h"

#include <float.h>
#include <math.h>

#include "codes.h"
#include "utf8.h"

#define INSTANCE_MAX_DEPTH 1024 /* both readers stop far earlier */
#define UNIQUE_SMALL 32         /* entries that are compared each with each */

/* --- values by themselves
 * -------------------------------------------------------------------------- */

static bool is_whole(const struct node *node)
{
    return node->type == NODE_NUMBER && floor(node->number) == node->number;
}

bool schema_type_fits(const struct schema *schema, const struct node *node)
{
    return schema->types == 0 || (schema->types & TYPE_BIT(node->type)) != 0 ||
           ((schema->types & TYPE_INTEGER) != 0 && is_whole(node));
}

static bool among(const struct node *values, const struct node *node)
{
    for (const struct node *value = values->first; value; value = value->next) {
        if (node_equal(value, node))
            return true;
    }
    return false;
}

/* 0.0075 is a multiple of 0.0001 although the division gives 75.00000000000001. */
static bool is_multiple(double number, double divisor)
{
    if (floor(number) == number && floor(divisor) == divisor)
        return fmod(number, divisor) == 0;
    double quotient = number / divisor;
    if (!isfinite(quotient))
        return false;
    return fabs(quotient - round(quotient)) <= 4 * DBL_EPSILON * fabs(quotient);
}

static bool check_number(struct checker *checker, const struct schema *schema,
                         const struct spot *spot)
{
    double number = spot->node->number;
    if (number >= schema->minimum && number <= schema->maximum &&
        number > schema->exclusive_minimum && number < schema->exclusive_maximum &&
        (schema->multiple_of == 0 || is_multiple(number, schema->multiple_of)))
        return true;
    if (!checker_reports(checker))
        return false;
    if (number < schema->minimum)
        fault_range(checker, spot, "at least", schema->minimum);
    else if (number > schema->maximum)
        fault_range(checker, spot, "at most", schema->maximum);
    else if (number <= schema->exclusive_minimum)
        fault_range(checker, spot, "more than", schema->exclusive_minimum);
    else if (number >= schema->exclusive_maximum)
        fault_range(checker, spot, "less than", schema->exclusive_maximum);
    else
        fault_range(checker, spot, "a multiple of", schema->multiple_of);
    return false;
}

/* Most lengths are clear from the bytes: a code point takes one to four of them. */
static bool length_fits(const struct schema *schema, struct text string)
{
    if (string.length <= schema->max_length && string.length / 4 >= schema->min_length)
        return true;
    size_t count = utf8_count(string);
    return count >= schema->min_length && count <= schema->max_length;
}

static bool check_string(struct checker *checker, const struct schema *schema,
                         const struct spot *spot)
{
    struct text string = spot->node->string;
    if (!length_fits(schema, string)) {
        size_t count = utf8_count(string);
        bool is_short = count < schema->min_length;
        fault_size(checker, spot, is_short ? "at least" : "at most",
                   is_short ? schema->min_length : schema->max_length, "character", count);
        return false;
    }
    if (!schema->pattern)
        return true;
    enum pattern_result result = pattern_match(schema->pattern, string);
    if (result == PATTERN_MATCHES)
        return true;
    fault_pattern(checker, schema, spot, result);
    return false;
}

/* --- lists
 * ------------------------------------------------------------------------------------------ */

struct hashed {
    uint64_t hash;
    const struct node *node;
};

static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

/* Equal values have equal hashes: the order of a map's keys does not count, and -0 is 0. */
static uint64_t hash_node(const struct node *node)
{
    uint64_t hash = 14695981039346656037u ^ (uint64_t)node->type, sum = 0;
    switch (node->type) {
    case NODE_NULL:
        return hash;
    case NODE_BOOL:
        return hash ^ (node->boolean ? 512u : 256u);
    case NODE_NUMBER: {
        double number = node->number == 0 ? 0 : node->number;
        return mix(hash, &number, sizeof number);
    }
    case NODE_STRING:
        return mix(hash, node->string.data, node->string.length);
    case NODE_LIST:
        for (const struct node *entry = node->first; entry; entry = entry->next) {
            uint64_t inner = hash_node(entry);
            hash = mix(hash, &inner, sizeof inner);
        }
        return hash;
    case NODE_MAP:
        for (const struct node *entry = node->first; entry; entry = entry->next)
            sum += mix(hash_node(entry), entry->key.data, entry->key.length);
        return mix(hash, &sum, sizeof sum);
    }
    return hash;
}

static int compare_hashed(const void *a, const void *b)
{
    uint64_t x = ((const struct hashed *)a)->hash, y = ((const struct hashed *)b)->hash;
    return x < y ? -1 : x > y;
}

static bool comes_before(const struct node *a, const struct node *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Finds two equal entries; *second is the later one. False when there are none. */
static bool find_repeat_small(const struct node *list, const struct node **first,
                              const struct node **second)
{
    for (const struct node *b = list->first; b; b = b->next) {
        for (const struct node *a = list->first; a != b; a = a->next) {
            if (node_equal(a, b)) {
                *first = a;
                *second = b;
                return true;
            }
        }
    }
    return false;
}

static bool find_repeat_sorted(const struct hashed *entries, size_t count,
                               const struct node **first, const struct node **second)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count && entries[j].hash == entries[i].hash; j++) {
            const struct node *a = entries[i].node, *b = entries[j].node;
            if (node_equal(a, b)) {
                bool ordered = comes_before(a, b);
                *first = ordered ? a : b;
                *second = ordered ? b : a;
                return true;
            }
        }
    }
    return false;
}

static bool find_repeat(struct checker *checker, const struct node *list, const struct node **first,
                        const struct node **second)
{
    if (list->count <= UNIQUE_SMALL)
        return find_repeat_small(list, first, second);
    struct hashed *entries = calloc(list->count, sizeof *entries);
    if (!entries) {
        checker->no_memory = true;
        return false;
    }
    size_t count = 0;
    for (const struct node *entry = list->first; entry; entry = entry->next)
        entries[count++] = (struct hashed){hash_node(entry), entry};
    qsort(entries, count, sizeof *entries, compare_hashed);
    bool found = find_repeat_sorted(entries, count, first, second);
    free(entries);
    return found;
}

static struct spot spot_below(const struct spot *up, const struct node *node, uint32_t index,
                              bool in_map)
{
    return (struct spot){
        .up = up, .node = node, .index = index, .depth = up->depth + 1, .in_map = in_map};
}

static bool check_entries(struct checker *checker, const struct schema *schema,
                          const struct spot *spot)
{
    bool good = true;
    uint32_t index = 0;
    for (const struct node *entry = spot->node->first; entry; entry = entry->next, index++) {
        const struct schema *part = schema->items;
        if (schema->has_tuple)
            part =
                index < schema->tuple.count ? schema->tuple.items[index] : schema->additional_items;
        if (!part)
            continue;
        struct spot below = spot_below(spot, entry, index, false);
        if (!schema_check(checker, part, &below)) {
            good = false;
            if (!checker_reports(checker))
                break;
        }
    }
    return good;
}

static bool check_contains(struct checker *checker, const struct schema *schema,
                           const struct spot *spot)
{
    uint32_t index = 0;
    for (const struct node *entry = spot->node->first; entry; entry = entry->next, index++) {
        struct spot below = spot_below(spot, entry, index, false);
        if (schema_accepts(checker, schema->contains, &below))
            return true;
    }
    fault_plain(checker, schema, spot, CODE_SCHEMA_OTHER, "no entry of the list is as required");
    return false;
}

static bool check_count(struct checker *checker, const struct spot *spot, size_t minimum,
                        size_t maximum)
{
    size_t count = spot->node->count;
    if (count >= minimum && count <= maximum)
        return true;
    bool few = count < minimum;
    fault_size(checker, spot, few ? "at least" : "at most", few ? minimum : maximum, "entry",
               count);
    return false;
}

static bool check_unique(struct checker *checker, const struct spot *spot)
{
    const struct node *first, *second;
    if (!find_repeat(checker, spot->node, &first, &second))
        return true;
    struct spot below = spot_below(spot, second, 0, false);
    for (const struct node *entry = spot->node->first; entry != second; entry = entry->next)
        below.index++;
    fault_repeated(checker, &below, first);
    return false;
}

static bool check_list(struct checker *checker, const struct schema *schema,
                       const struct spot *spot)
{
    if (!check_count(checker, spot, schema->min_items, schema->max_items))
        return false; /* and a list of a million wrong entries is one fault */
    bool good = true;
    if ((schema->items || schema->has_tuple) && !check_entries(checker, schema, spot))
        good = false;
    /* Only among entries that are themselves right: those are cheap to compare. */
    if (good && schema->unique_items)
        good = check_unique(checker, spot);
    if (schema->contains && (good || checker_reports(checker)) &&
        !check_contains(checker, schema, spot))
        good = false;
    return good;
}

/* --- maps
 * ------------------------------------------------------------------------------------------- */

const struct property *property_find(const struct property_table *table, struct text key)
{
    if (!table->slot_count)
        return NULL;
    uint32_t hash = schema_hash(key);
    const struct property *property = table->slots[hash & (table->slot_count - 1)];
    while (property && (property->hash != hash || !text_equal(property->name, key)))
        property = property->next;
    return property;
}

/* Only the schema `false` itself means "no other fields"; any other schema speaks for itself. */
static bool is_closed(const struct schema *schema)
{
    return schema->additional_properties && schema_target(schema->additional_properties)->never;
}

bool schema_knows_key(const struct schema *schema, struct text key)
{
    if (!is_closed(schema) || property_find(&schema->properties, key))
        return true;
    for (size_t i = 0; i < schema->pattern_property_count; i++) {
        if (pattern_match(schema->pattern_properties[i].pattern, key) == PATTERN_MATCHES)
            return true;
    }
    return false;
}

static bool check_key(struct checker *checker, const struct schema *schema,
                      const struct spot *below)
{
    const struct node *entry = below->node;
    struct node key = {.type = NODE_STRING,
                       .line = entry->key_line,
                       .column = entry->key_column,
                       .key_line = entry->key_line,
                       .key_column = entry->key_column,
                       .key = entry->key,
                       .string = entry->key};
    struct spot spot = *below;
    spot.node = &key;
    spot.is_key = true;
    return schema_check(checker, schema->property_names, &spot);
}

/* One field of a map. *unknown is set when it may not stand there at all. */
static bool check_field(struct checker *checker, const struct schema *schema,
                        const struct spot *below, bool *unknown)
{
    const struct node *entry = below->node;
    bool good = true, known = false;
    if (schema->property_names && !check_key(checker, schema, below))
        return false; /* one fault a field: its name comes first */
    const struct property *property = property_find(&schema->properties, entry->key);
    if (property) {
        known = true;
        good = schema_check(checker, property->schema, below);
    }
    for (size_t i = 0; i < schema->pattern_property_count && (good || checker_reports(checker));
         i++) {
        const struct pattern_property *item = &schema->pattern_properties[i];
        enum pattern_result result = pattern_match(item->pattern, entry->key);
        if (result == PATTERN_DIFFERS)
            continue;
        known = true;
        if (result == PATTERN_GAVE_UP) {
            fault_plain(checker, schema, below, CODE_SCHEMA_PATTERN,
                        "the name takes too long to match");
            good = false;
        } else {
            good = schema_check(checker, item->schema, below) && good;
        }
    }
    if (known || !schema->additional_properties)
        return good;
    if (!is_closed(schema))
        return schema_check(checker, schema->additional_properties, below);
    fault_unknown(checker, schema, below->up, entry);
    *unknown = true;
    return false;
}

static bool check_required(struct checker *checker, const struct schema *schema,
                           const struct spot *spot)
{
    bool good = true;
    for (size_t i = 0; i < schema->required.count; i++) {
        if (node_get_text(spot->node, schema->required.items[i]))
            continue;
        good = false;
        if (!checker_reports(checker))
            break;
        fault_required(checker, schema, spot, schema->required.items[i]);
    }
    return good;
}

static bool check_dependency(struct checker *checker, const struct dependency *dependency,
                             const struct spot *spot)
{
    const struct node *because = node_get_text(spot->node, dependency->name);
    if (!because)
        return true;
    if (dependency->schema)
        return schema_check(checker, dependency->schema, spot);
    for (size_t i = 0; i < dependency->required.count; i++) {
        if (!node_get_text(spot->node, dependency->required.items[i])) {
            fault_dependency(checker, spot, because, dependency->required.items[i]);
            return false;
        }
    }
    return true;
}

static bool check_fields(struct checker *checker, const struct schema *schema,
                         const struct spot *spot, bool *unknown)
{
    bool good = true;
    if (!schema->properties.count && !schema->pattern_property_count &&
        !schema->additional_properties && !schema->property_names)
        return true;
    for (const struct node *entry = spot->node->first; entry; entry = entry->next) {
        struct spot below = spot_below(spot, entry, 0, true);
        if (!check_field(checker, schema, &below, unknown)) {
            good = false;
            if (!checker_reports(checker))
                break;
        }
    }
    return good;
}

/* The cheap questions first: they tell the branches of a choice apart. */
static bool check_map(struct checker *checker, const struct schema *schema, const struct spot *spot,
                      bool *unknown)
{
    bool good = check_count(checker, spot, schema->min_properties, schema->max_properties);
    if (good || checker_reports(checker))
        good = check_required(checker, schema, spot) && good;
    if (good || checker_reports(checker))
        good = check_fields(checker, schema, spot, unknown) && good;
    for (size_t i = 0; i < schema->dependency_count && (good || checker_reports(checker)); i++)
        good = check_dependency(checker, &schema->dependencies[i], spot) && good;
    return good;
}

/* --- all together
 * ------------------------------------------------------------------------------------ */

static bool check_value(struct checker *checker, const struct schema *schema,
                        const struct spot *spot)
{
    if (schema->constant && !node_equal(schema->constant, spot->node)) {
        fault_constant(checker, schema, spot);
        return false;
    }
    if (schema->values && !among(schema->values, spot->node)) {
        fault_values(checker, schema, spot);
        return false;
    }
    return true;
}

static bool check_by_type(struct checker *checker, const struct schema *schema,
                          const struct spot *spot, bool *unknown)
{
    switch (spot->node->type) {
    case NODE_NUMBER:
        return check_number(checker, schema, spot);
    case NODE_STRING:
        return check_string(checker, schema, spot);
    case NODE_LIST:
        return check_list(checker, schema, spot);
    case NODE_MAP:
        return check_map(checker, schema, spot, unknown);
    case NODE_NULL:
    case NODE_BOOL:
        break;
    }
    return true;
}

bool schema_check(struct checker *checker, const struct schema *schema, const struct spot *spot)
{
    schema = schema_target(schema);
    while (schema->only)
        schema = schema->only;
    if (spot->depth > INSTANCE_MAX_DEPTH) {
        fault_plain(checker, schema, spot, CODE_DEPTH, "nested too deep");
        return false;
    }
    if (schema->never) {
        fault_plain(checker, schema, spot, CODE_SCHEMA_OTHER, "nothing may stand here");
        return false;
    }
    if (schema->later.data) {
        fault_later(checker, schema, spot);
        return false;
    }
    if (!schema_type_fits(schema, spot->node)) {
        fault_type(checker, schema->types, spot);
        return false;
    }
    bool unknown = false;
    bool good = check_value(checker, schema, spot);
    if (good)
        good = check_by_type(checker, schema, spot, &unknown);
    /* A misspelt field mostly is the one whose absence the choices would lament. */
    if (schema->has_choices && !unknown && (good || checker_reports(checker)))
        good = schema_check_choices(checker, schema, spot) && good;
    return good;
}

static bool has_all(const struct node *map, const struct text_list *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (!node_get_text(map, keys->items[i]))
            return false;
    }
    return true;
}

bool schema_accepts(struct checker *checker, const struct schema *schema, const struct spot *spot)
{
    /* Most branches of a choice are of this kind, and most do not fit. */
    const struct schema *target = schema_target(schema);
    if (target->only_required && spot->node->type == NODE_MAP && spot->depth <= INSTANCE_MAX_DEPTH)
        return has_all(spot->node, &target->required);
    checker->quiet++;
    bool good = schema_check(checker, schema, spot);
    checker->quiet--;
    return good;
}

enum status schema_validate(const struct schema *schema, const struct node *node, struct text path,
                            struct diagnostics *diagnostics)
{
    struct checker checker = {.out = diagnostics, .path = path};
    struct spot root = {.node = node};
    bool good = schema_check(&checker, schema, &root);
    if (checker.no_memory || (diagnostics && diagnostics->failed == STATUS_NO_MEMORY))
        return STATUS_NO_MEMORY;
    return good ? STATUS_OK : STATUS_INVALID;
}
