/* What the checker may pass over, found once, when a set is sealed.
 *
 * Definitions are checked by the thousand, and most of that time went into two habits of our
 * schemas: {"allOf": [X]}, which is only there to hang a description on a $ref, and choices like
 * "exactly one of these sixteen fields", which asked for each field in turn. */
#include "schema_private.h"

/* Whether `allOf` of one schema is all that is said. */
static const struct schema *only_part(const struct schema *schema)
{
    static const char *const annotations[] = {"title", "description", "default", "examples",
                                              "$comment"};
    size_t others = schema->source->type == NODE_MAP ? schema->source->count : 0;
    if (schema->ref || schema->all_of.count != 1)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(annotations); i++)
        others -= node_get(schema->source, annotations[i]) != NULL;
    return others == 1 ? schema_target(schema->all_of.items[0]) : NULL;
}

/* Whether each branch asks for one field and nothing else, and no two for the same. */
static bool is_choice_of_fields(const struct schema_list *branches)
{
    for (size_t i = 0; i < branches->count; i++) {
        const struct schema *branch = branches->items[i];
        if (!branch->only_required || branch->required.count != 1)
            return false;
        for (size_t j = 0; j < i; j++) {
            if (text_equal(branches->items[j]->required.items[0], branch->required.items[0]))
                return false;
        }
    }
    return branches->count > 0;
}

static bool index_fields(struct schema_set *set, struct schema_list *branches)
{
    struct property_table *fields = &branches->fields;
    if (!is_choice_of_fields(branches))
        return true;
    fields->items = ARENA_ARRAY(&set->arena, struct property, branches->count);
    if (!fields->items)
        return false;
    for (size_t i = 0; i < branches->count; i++) {
        struct text name = branches->items[i]->required.items[0];
        fields->items[i] = (struct property){
            .name = name, .hash = schema_hash(name), .schema = branches->items[i]};
    }
    fields->count = branches->count;
    return property_table_index(&set->arena, fields);
}

bool schema_find_shortcuts(struct schema_set *set)
{
    for (struct schema *schema = set->first; schema; schema = schema->next) {
        schema->only = only_part(schema);
        if (!index_fields(set, &schema->any_of) || !index_fields(set, &schema->one_of))
            return false;
    }
    return true;
}
