/* Targeting as rules: who gets what, from first to last, for everybody who comes to it. */
#include "codes.h"
#include "import_private.h"

#define MOST_OPERANDS                                                                              \
    2000 /* of an and or an or that gives a value; weir's compiler takes no more */
#define NONE ((struct text){NULL, 0})

void rules_add(struct import_rules *rules, const struct tree *when, struct outcome outcome,
               struct text name)
{
    if (tree_is(when, false))
        return;
    if (rules->count == rules->size) {
        size_t size = rules->size ? rules->size * 2 : 16;
        struct import_rule *items = importer_take(rules->importer, size, sizeof *items);
        if (!items)
            return;
        if (rules->count)
            memcpy(items, rules->items, rules->count * sizeof *items);
        rules->items = items;
        rules->size = size;
    }
    rules->items[rules->count++] = (struct import_rule){when, outcome, name};
}

static void refuse(struct import_rules *rules, const struct node *node, const char *reason)
{
    importer_refuse(rules->importer, CODE_IMPORT_RULE, importer_place(rules->importer, node),
                    "write the rule by hand", "%s", reason);
    rules->failed = true;
}

/* --- true, false or null --------------------------------------------------------------------- */

/* Whether an expression that is true, false or null is null; NULL where it may be anything else. */
static const struct tree *null_condition(struct importer *importer, const struct node *node);

static const struct tree *null_of_list(struct importer *importer, const struct node *first,
                                       bool both)
{
    const struct tree *null = null_condition(importer, first);
    if (!null || !first->next)
        return null;
    const struct tree *rest = null_of_list(importer, first->next, both);
    if (!rest)
        return NULL;
    const struct tree *truthy = logic_condition(importer, first);
    if (both) /* the first that is not true, else the last */
        return tree_or(importer, null, tree_and(importer, truthy, rest));
    return tree_and(importer, tree_not(importer, truthy), rest);
}

/* starts_with, ends_with and sem_ver are null for what they do not take. */
static const struct tree *null_of_text(struct importer *importer, const struct node *node,
                                       const struct node *arguments)
{
    struct text path;
    const struct node *fallback;
    if (arguments->type != NODE_LIST || !arguments->first ||
        !logic_variable(arguments->first, &path, &fallback) || path.length == 0)
        return NULL;
    struct shape shape = shape_all(importer, path, YES);
    shape.string = formula_constant(NO);
    if (importer->options.as_written) {
        shape = shape_all(importer, path, ASSUMED);
        shape.missing = YES;
        shape.string = formula_constant(NO);
    }
    return tree_shape(importer, shape, node, "weir has no condition for being a string", true);
}

static const struct tree *null_condition(struct importer *importer, const struct node *node)
{
    static const char *const booleans[] = {"==", "!=", "===", "!==", "<",    "<=",  ">",
                                           ">=", "!",  "!!",  "in",  "some", "none"};
    struct text name;
    const struct node *arguments = logic_operator(node, &name);
    if (node->type == NODE_BOOL)
        return tree_constant(false);
    if (!arguments)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(booleans); i++) {
        if (text_is(name, booleans[i]))
            return tree_constant(false);
    }
    if ((text_is(name, "and") || text_is(name, "or")) && arguments->type == NODE_LIST &&
        arguments->first && arguments->count <= MOST_OPERANDS &&
        importer->depth < IMPORT_MAX_DEPTH) {
        importer->depth++;
        const struct tree *tree = null_of_list(importer, arguments->first, text_is(name, "and"));
        importer->depth--;
        return tree;
    }
    if (text_is(name, "starts_with") || text_is(name, "ends_with") || text_is(name, "sem_ver"))
        return null_of_text(importer, node, arguments);
    return NULL;
}

static void boolean_rules(struct import_rules *rules, const struct tree *path,
                          const struct node *node)
{
    struct importer *importer = rules->importer;
    const struct tree *null = null_condition(importer, node);
    if (!null) {
        refuse(rules, node, "it is not known which variant this gives");
        return;
    }
    const struct tree *truthy = logic_condition(importer, node);
    rules_add(rules, tree_and(importer, path, truthy),
              (struct outcome){.type = OUTCOME_VARIANT, .variant = TEXT("true")}, NONE);
    rules_add(rules, tree_and(importer, path, null), (struct outcome){.type = OUTCOME_DEFAULT},
              NONE);
    rules_add(rules, path, (struct outcome){.type = OUTCOME_VARIANT, .variant = TEXT("false")},
              NONE);
}

/* --- values ---------------------------------------------------------------------------------- */

static void value_rules(struct import_rules *rules, const struct tree *path,
                        const struct node *node);

static void constant_rules(struct import_rules *rules, const struct tree *path,
                           const struct node *node)
{
    struct outcome outcome = {.type = OUTCOME_VARIANT};
    if (node->type == NODE_NULL) {
        outcome.type = OUTCOME_DEFAULT;
    } else if (node->type == NODE_STRING) {
        outcome.variant = node->string;
    } else if (node->type == NODE_BOOL) {
        outcome.variant = node->boolean ? TEXT("true") : TEXT("false");
    } else if (node->type == NODE_NUMBER) {
        outcome.variant = importer_number(rules->importer, node->number);
    } else {
        refuse(rules, node, "it is not known which variant this gives");
        return;
    }
    rules_add(rules, path, outcome, NONE);
}

/* {"if":[KEY is a string, fractional, null]}: how weir's compiler writes a split. */
static bool guarded_split(struct import_rules *rules, const struct tree *path,
                          const struct node *first)
{
    struct importer *importer = rules->importer;
    const struct node *value = first->next, *rest = value ? value->next : NULL;
    struct text name;
    if (!rest || rest->next || rest->type != NODE_NULL)
        return false;
    const struct node *mirrored = split_mirrored(importer, value),
                      *split = mirrored ? mirrored : value;
    if (!logic_operator(split, &name) || !text_is(name, "fractional"))
        return false;
    const struct tree *when = logic_condition(importer, first);
    if (!when->has_shape)
        return false;
    if (!formula_is(when->shape.string, YES) || !formula_is(when->shape.list, NO) ||
        when->shape.missing != NO || when->shape.is_true != NO || when->shape.is_false != NO ||
        when->shape.map != NO || !numbers_may_be(when->shape.numbers, false))
        return false;
    split_rules(rules, path, split, when->shape.attribute);
    return true;
}

static void if_rules(struct import_rules *rules, const struct tree *path,
                     const struct node *arguments)
{
    struct importer *importer = rules->importer;
    const struct node *first = arguments->first;
    if (arguments->count == 3 && guarded_split(rules, path, first))
        return;
    for (; first && first->next; first = first->next->next) {
        const struct tree *when = logic_condition(importer, first);
        value_rules(rules, tree_and(importer, path, when), first->next);
        if (tree_is(when, true))
            return;
    }
    if (first)
        value_rules(rules, path, first);
    else
        rules_add(rules, path, (struct outcome){.type = OUTCOME_DEFAULT}, NONE);
}

/* An evaluator in the place of a value. */
static void ref_rules(struct import_rules *rules, const struct tree *path, const struct node *node,
                      const struct node *argument)
{
    struct importer *importer = rules->importer;
    size_t before = importer->visible_refs;
    struct import_evaluator *evaluator = importer_evaluator(importer, argument);
    if (!evaluator) {
        refuse(rules, node, "$ref names no evaluator that can be put here");
        return;
    }
    evaluator->used = true;
    importer->visible_refs = (size_t)(evaluator - importer->evaluators) + 1;
    value_rules(rules, path, evaluator->source);
    importer->visible_refs = before;
}

static void value_rules(struct import_rules *rules, const struct tree *path,
                        const struct node *node)
{
    struct importer *importer = rules->importer;
    struct text name;
    if (tree_is(path, false) || rules->failed)
        return;
    if (importer->depth > IMPORT_MAX_DEPTH || rules->count > IMPORT_MAX_RULES) {
        refuse(rules, node, "rule is nested too deep, or has too many cases");
        return;
    }
    if (node->type != NODE_MAP) {
        constant_rules(rules, path, node);
        return;
    }
    const struct node *arguments = logic_operator(node, &name);
    importer->depth++;
    if (!arguments)
        refuse(rules, node, "a rule has one operator");
    else if (text_is(name, "if") && arguments->type == NODE_LIST)
        if_rules(rules, path, arguments);
    else if (text_is(name, "fractional"))
        split_rules(rules, path, node, NONE);
    else if (text_is(name, "$ref"))
        ref_rules(rules, path, node, arguments);
    else
        boolean_rules(rules, path, node);
    importer->depth--;
}

void targeting_rules(struct import_rules *rules, const struct node *targeting)
{
    value_rules(rules, tree_constant(true), targeting);
}
