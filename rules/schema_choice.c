#include "schema_private.h"

#include "codes.h"

/* --- which branch was meant
 * ------------------------------------------------------------------------ */

#define SCORE_WRONG_TYPE (-1000000)

/* How well a field fits: its name known, and a `const` or `enum` under it kept, tell most. */
static int field_score(const struct schema *branch, const struct node *entry)
{
    const struct property *property = property_find(&branch->properties, entry->key);
    if (!property)
        return schema_knows_key(branch, entry->key) ? 0 : -2;
    const struct schema *schema = schema_target(property->schema);
    if (schema->constant)
        return node_equal(schema->constant, entry) ? 20 : -20;
    if (!schema_type_fits(schema, entry))
        return 1;
    return 3;
}

static int branch_score(const struct schema *branch, const struct node *node)
{
    branch = schema_target(branch);
    if (branch->never || !schema_type_fits(branch, node))
        return SCORE_WRONG_TYPE;
    int score = 0;
    if (branch->constant)
        score += node_equal(branch->constant, node) ? 20 : -20;
    if (node->type != NODE_MAP)
        return score;
    uint32_t seen = 0; /* a map of a million fields is not worth more than its first hundred */
    for (const struct node *entry = node->first; entry && seen < 100; entry = entry->next, seen++)
        score += field_score(branch, entry);
    for (size_t i = 0; i < branch->required.count; i++)
        score += node_get_text(node, branch->required.items[i]) ? 2 : -1;
    for (size_t i = 0; i < branch->all_of.count; i++) {
        int part = branch_score(branch->all_of.items[i], node);
        score += part == SCORE_WRONG_TYPE ? -20 : part;
    }
    return score;
}

/* The index of the first of the best; `count` when the value is not even of a type that any
 * takes. */
static size_t best_branch(const struct schema_list *branches, const struct node *node)
{
    size_t best = branches->count;
    int best_score = SCORE_WRONG_TYPE;
    for (size_t i = 0; i < branches->count; i++) {
        int score = branch_score(branches->items[i], node);
        if (score > best_score) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

static unsigned types_of(const struct schema_list *branches)
{
    unsigned types = 0;
    for (size_t i = 0; i < branches->count; i++)
        types |= schema_target(branches->items[i])->types;
    return types;
}

/* --- speaking of it
 * ---------------------------------------------------------------------------------- */

/* A choice whose branches say nothing but which one field must stand there. */
static bool chooses_one_field(const struct schema_list *branches)
{
    for (size_t i = 0; i < branches->count; i++) {
        const struct schema *branch = schema_target(branches->items[i]);
        if (branch->required.count != 1 || branch->source->count != 1)
            return false;
    }
    return true;
}

/* Of the fields that exclude each other, the second in the order of the text. */
static const struct node *second_field(const struct schema_list *branches, const struct node *map)
{
    unsigned found = 0;
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        for (size_t i = 0; i < branches->count; i++) {
            if (!text_equal(schema_target(branches->items[i])->required.items[0], entry->key))
                continue;
            if (++found == 2)
                return entry;
        }
    }
    return NULL;
}

static void fault_no_branch(struct checker *checker, const struct schema *schema,
                            const struct schema_list *branches, const struct spot *spot)
{
    if (!checker_reports(checker))
        return;
    if (spot->node->type == NODE_MAP && chooses_one_field(branches)) {
        fault_one_field(checker, schema, spot, branches, NULL);
        return;
    }
    if (schema->error_message.data) {
        fault_plain(checker, schema, spot, CODE_SCHEMA_CHOICE, NULL);
        return;
    }
    size_t best = best_branch(branches, spot->node);
    if (best < branches->count) {
        schema_check(checker, branches->items[best], spot);
        return;
    }
    unsigned types = types_of(branches);
    if (types)
        fault_type(checker, types, spot);
    else
        fault_plain(checker, schema, spot, CODE_SCHEMA_CHOICE, "none of the allowed forms");
}

static void fault_many_branches(struct checker *checker, const struct schema *schema,
                                const struct spot *spot)
{
    if (!checker_reports(checker))
        return;
    if (spot->node->type == NODE_MAP && chooses_one_field(&schema->one_of))
        fault_one_field(checker, schema, spot, &schema->one_of,
                        second_field(&schema->one_of, spot->node));
    else
        fault_plain(checker, schema, spot, CODE_SCHEMA_CHOICE,
                    "fits more than one of the forms that exclude each other");
}

/* --- the keywords
 * -------------------------------------------------------------------------------------- */

static bool check_all_of(struct checker *checker, const struct schema *schema,
                         const struct spot *spot)
{
    bool good = true;
    for (size_t i = 0; i < schema->all_of.count && (good || checker_reports(checker)); i++)
        good = schema_check(checker, schema->all_of.items[i], spot) && good;
    return good;
}

/* How many of the fields that a choice is between stand in the map; 2 stands for more. */
static size_t count_fields(const struct property_table *fields, const struct node *map)
{
    const struct property *found = NULL;
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        const struct property *field = property_find(fields, entry->key);
        if (field && found && field != found)
            return 2;
        if (field)
            found = field;
    }
    return found != NULL;
}

/* How many branches accept the value, as far as `enough` of them. */
static size_t count_accepting(struct checker *checker, const struct schema_list *branches,
                              const struct spot *spot, size_t enough)
{
    size_t fits = 0;
    if (branches->fields.count && spot->node->type == NODE_MAP)
        return count_fields(&branches->fields, spot->node);
    for (size_t i = 0; i < branches->count && fits < enough; i++)
        fits += schema_accepts(checker, branches->items[i], spot);
    return fits;
}

static bool check_any_of(struct checker *checker, const struct schema *schema,
                         const struct spot *spot)
{
    if (schema->any_of.count == 0 || count_accepting(checker, &schema->any_of, spot, 1) > 0)
        return true;
    fault_no_branch(checker, schema, &schema->any_of, spot);
    return false;
}

static bool check_one_of(struct checker *checker, const struct schema *schema,
                         const struct spot *spot)
{
    if (schema->one_of.count == 0)
        return true;
    size_t fits = count_accepting(checker, &schema->one_of, spot, 2);
    if (fits == 1)
        return true;
    if (fits == 0)
        fault_no_branch(checker, schema, &schema->one_of, spot);
    else
        fault_many_branches(checker, schema, spot);
    return false;
}

static bool check_not(struct checker *checker, const struct schema *schema, const struct spot *spot)
{
    if (!schema->not || !schema_accepts(checker, schema->not, spot))
        return true;
    fault_plain(checker, schema, spot, CODE_SCHEMA_OTHER, "this is not allowed here");
    return false;
}

static bool check_if(struct checker *checker, const struct schema *schema, const struct spot *spot)
{
    if (!schema->if_schema)
        return true;
    const struct schema *then = schema_accepts(checker, schema->if_schema, spot)
                                    ? schema->then_schema
                                    : schema->else_schema;
    return !then || schema_check(checker, then, spot);
}

/* The parts of allOf are faults of their own; of the rest the first that fails speaks, since what
 * the next would say mostly follows from it. */
bool schema_check_choices(struct checker *checker, const struct schema *schema,
                          const struct spot *spot)
{
    bool good = check_all_of(checker, schema, spot);
    if (!good && !checker_reports(checker))
        return false;
    return check_any_of(checker, schema, spot) && check_one_of(checker, schema, spot) &&
           check_not(checker, schema, spot) && check_if(checker, schema, spot) && good;
}
