/* JSONLogic as conditions: whether an expression is truthy, as npm's flagd-core 4
 * (json-logic-engine 5) evaluates it. */
#include "import_private.h"
#include "path.h"

/* --- reading --------------------------------------------------------------------------------- */

const struct node *logic_operator(const struct node *node, struct text *name)
{
    if (node->type != NODE_MAP || node->count != 1)
        return NULL;
    *name = node->first->key;
    return node->first;
}

/* Names with dots between them; nothing that JavaScript or weir would read otherwise. */
static bool is_path(struct text path)
{
    if (path.length > 256 || text_starts_with(path, TEXT("../")))
        return false;
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    if (text_starts_with(path, TEXT("$flagd")) && !text_is(path, IMPORT_NOW) &&
        !text_is(path, "$flagd.flagKey"))
        return false;
    return path_is_alike(path);
}

bool logic_variable(const struct node *node, struct text *path, const struct node **fallback)
{
    struct text name;
    const struct node *argument = logic_operator(node, &name);
    *fallback = NULL;
    if (!argument || !text_is(name, "var"))
        return false;
    if (argument->type == NODE_LIST) {
        if (argument->count < 1 || argument->count > 2)
            return false;
        *fallback = argument->first->next;
        argument = argument->first;
    }
    if (argument->type != NODE_STRING)
        return false;
    *path = argument->string;
    return is_path(*path) || path->length == 0;
}

/* --- lists of conditions --------------------------------------------------------------------- */

/* In halves, so that what is joined stays small. */
static const struct tree *join_all(struct importer *importer, const struct node *first,
                                   size_t count, bool both)
{
    const struct node *middle = first;
    if (count == 1)
        return logic_condition(importer, first);
    for (size_t i = 0; i < count / 2; i++)
        middle = middle->next;
    const struct tree *left = join_all(importer, first, count / 2, both);
    return tree_join(importer, left, join_all(importer, middle, count - count / 2, both), both);
}

static const struct tree *list_condition(struct importer *importer, const struct node *node,
                                         const struct node *arguments, bool both)
{
    if (arguments->type != NODE_LIST)
        return tree_refused(importer, node, "and, or need a list");
    if (arguments->count == 0)
        return tree_constant(false);
    return join_all(importer, arguments->first, arguments->count, both);
}

static const struct tree *if_condition(struct importer *importer, const struct node *node,
                                       const struct node *first, size_t count)
{
    if (count == 0)
        return tree_constant(false);
    if (count == 1)
        return logic_condition(importer, first);
    if (importer->depth > IMPORT_MAX_DEPTH)
        return tree_refused(importer, node, "rule is nested too deep");
    importer->depth++;
    const struct tree *when = logic_condition(importer, first);
    const struct tree *then = logic_condition(importer, first->next);
    const struct tree *otherwise = if_condition(importer, node, first->next->next, count - 2);
    importer->depth--;
    return tree_or(importer, tree_and(importer, when, then),
                   tree_and(importer, tree_not(importer, when), otherwise));
}

static const struct tree *not_condition(struct importer *importer, const struct node *node,
                                        const struct node *argument)
{
    if (argument->type == NODE_LIST && argument->count != 1)
        return tree_refused(importer, node, "! needs one argument");
    return logic_condition(importer, argument->type == NODE_LIST ? argument->first : argument);
}

/* --- some ------------------------------------------------------------------------------------ */

/* The lists that have an element for which `element` holds. */
static const struct formula *list_having(struct importer *importer, const struct shape *element)
{
    const struct formula *string = element->string;
    if (!truth_may_be(element->missing, false) || !truth_may_be(element->is_true, false) ||
        !truth_may_be(element->is_false, false) || !truth_may_be(element->map, false) ||
        !(formula_is(element->list, NO) || formula_is_free(element->list)) ||
        !(string->type == FORMULA_IN || formula_is(string, NO) || formula_is_free(string)))
        return formula_constant(OPAQUE);
    size_t strings = string->type == FORMULA_IN ? string->count : 0, count = 0;
    const struct formula **has =
        importer_take(importer, strings + element->numbers.count, sizeof *has);
    struct text *items = importer_take(importer, strings, sizeof *items);
    if (!has || !items)
        return formula_constant(OPAQUE);
    if (strings)
        memcpy(items, string->items, strings * sizeof *items);
    strings = strings ? importer_distinct(importer, items, strings) : 0;
    for (size_t i = 0; i < strings; i++) {
        has[count] = formula_text(importer, FORMULA_HAS_STRING, items[i]);
        if (has[count++]->type == FORMULA_CONSTANT)
            return formula_constant(OPAQUE);
    }
    for (size_t i = 0; i < element->numbers.count * 2 + 1; i++) {
        if (truth_may_be((enum truth)element->numbers.regions[i], false))
            continue;
        if (i % 2 == 0)
            return formula_constant(OPAQUE);
        has[count++] = formula_number(importer, element->numbers.points[i / 2]);
    }
    return formula_any(importer, has, count);
}

/* {"merge":[[],X]} and {"merge":[X]}: a list as it is, anything else as a list of one. */
static const struct node *merged_operand(const struct node *node)
{
    struct text name;
    const struct node *arguments = logic_operator(node, &name);
    if (!arguments || !text_is(name, "merge") || arguments->type != NODE_LIST)
        return NULL;
    const struct node *first = arguments->first;
    if (first && first->type == NODE_LIST && first->count == 0)
        first = first->next;
    return first && !first->next ? first : NULL;
}

static const struct tree *some_condition(struct importer *importer, const struct node *node,
                                         const struct node *arguments)
{
    const struct node *fallback, *merged;
    struct text path;
    if (arguments->type != NODE_LIST || arguments->count != 2)
        return tree_refused(importer, node, "some needs a list and a condition");
    merged = merged_operand(arguments->first);
    if (!logic_variable(merged ? merged : arguments->first, &path, &fallback) || fallback ||
        path.length == 0 || importer->inside_some || importer->from_goff)
        return tree_refused(importer, node, "weir asks for entries of an attribute's list only");
    importer->inside_some++;
    const struct tree *tree = logic_condition(importer, arguments->first->next);
    importer->inside_some--;
    if (!tree->has_shape || !text_is(tree->shape.attribute, IMPORT_ELEMENT))
        return tree_refused(importer, node, "weir asks whether a list has certain entries only");
    struct shape shape = tree->shape;
    shape.list = list_having(importer, &tree->shape);
    if (!merged) {
        shape.missing = shape.is_false = NO;
        shape.is_true = shape.map = ERROR;
        shape.numbers = numbers_point(importer, 0, NO, ERROR);
        shape.string = formula_constant(ERROR);
    }
    shape.attribute = path;
    return tree_shape(importer, shape, node, "weir asks whether a list has certain entries only",
                      false);
}

/* --- missing --------------------------------------------------------------------------------- */

static const struct tree *missing_condition(struct importer *importer, const struct node *node,
                                            const struct node *arguments)
{
    const struct tree *tree = tree_constant(false);
    const struct node *first = arguments->type == NODE_LIST ? arguments->first : arguments;
    for (const struct node *path = first; path;
         path = arguments->type == NODE_LIST ? path->next : NULL) {
        if (path->type != NODE_STRING || !is_path(path->string) || importer->inside_some)
            return tree_refused(importer, node, "missing needs paths of attributes");
        struct shape shape = shape_all(importer, path->string, NO);
        shape.missing = importer->options.as_written ? YES : OPAQUE;
        importer->assumed |= importer->options.as_written;
        tree = tree_or(importer, tree,
                       tree_shape(importer, shape, node,
                                  "an attribute that is null is not missing here, and is to weir",
                                  true));
    }
    return tree;
}

/* --- $ref ------------------------------------------------------------------------------------ */

static bool speaks_of_flag(const struct node *node)
{
    if (node->type == NODE_STRING)
        return text_is(node->string, "$flagd.flagKey");
    for (const struct node *inner = node->type == NODE_LIST || node->type == NODE_MAP ? node->first
                                                                                      : NULL;
         inner; inner = inner->next) {
        if (speaks_of_flag(inner) || (node->type == NODE_MAP && text_is(inner->key, "fractional")))
            return true;
    }
    return false;
}

/* The text of an evaluator is put in the place of $ref with String.replaceAll(), to which some
 * signs in it mean more than themselves. */
static bool has_odd_sign(struct text text)
{
    for (size_t i = 0; i + 1 < text.length; i++) {
        char c = text.data[i + 1];
        if (text.data[i] == '$' && (c == '$' || c == '&' || c == '`' || c == '\''))
            return true;
    }
    return false;
}

static bool is_replaced_oddly(const struct node *node)
{
    if (node->type == NODE_STRING)
        return has_odd_sign(node->string);
    for (const struct node *inner = node->type == NODE_LIST || node->type == NODE_MAP ? node->first
                                                                                      : NULL;
         inner; inner = inner->next) {
        if (is_replaced_oddly(inner) || (node->type == NODE_MAP && has_odd_sign(inner->key)))
            return true;
    }
    return false;
}

/* Looked through once, since many may refer to it. */
static bool is_odd(struct import_evaluator *evaluator)
{
    if (!evaluator->looked_through) {
        evaluator->looked_through = true;
        evaluator->is_odd = is_replaced_oddly(evaluator->source);
        evaluator->speaks_of_flag = speaks_of_flag(evaluator->source);
    }
    return evaluator->is_odd;
}

static const struct tree *ref_condition(struct importer *importer, const struct node *node,
                                        const struct node *argument)
{
    size_t before = importer->visible_refs;
    struct import_evaluator *evaluator = importer_evaluator(importer, argument);
    if (evaluator)
        evaluator->used = true;
    if (!evaluator || is_odd(evaluator))
        return tree_refused(importer, node, "$ref names no evaluator that can be put here");
    if (evaluator->condition && !importer->inside_some && !evaluator->speaks_of_flag) {
        struct node *segment = build_map(importer);
        build_put(importer, segment, "segment", build_string(importer, evaluator->segment));
        importer->errors |= evaluator->errors;
        importer->assumed |= evaluator->assumed;
        return tree_ready(importer, segment);
    }
    importer->visible_refs = (size_t)(evaluator - importer->evaluators) + 1;
    const struct tree *tree = logic_condition(importer, evaluator->source);
    importer->visible_refs = before;
    return tree;
}

/* --- an expression --------------------------------------------------------------------------- */

static const struct tree *constant_condition(struct importer *importer, const struct node *node)
{
    switch (node->type) {
    case NODE_NULL:
        return tree_constant(false);
    case NODE_BOOL:
        return tree_constant(node->boolean);
    case NODE_NUMBER:
        return tree_constant(node->number != 0);
    case NODE_STRING:
        return tree_constant(node->string.length > 0);
    case NODE_LIST:
        for (const struct node *entry = node->first; entry; entry = entry->next) {
            if (entry->type == NODE_LIST || entry->type == NODE_MAP)
                return tree_refused(importer, node, "weir has no condition that is a list");
        }
        return tree_constant(node->count > 0);
    case NODE_MAP:
        break;
    }
    return tree_constant(false); /* {} */
}

static const struct tree *operator_condition(struct importer *importer, const struct node *node,
                                             struct text name, const struct node *arguments)
{
    static const char *const comparisons[] = {"==", "!=", "===", "!==", "<", "<=", ">", ">="};
    bool list = arguments->type == NODE_LIST;
    if (text_is(name, "and") || text_is(name, "or"))
        return list_condition(importer, node, arguments, text_is(name, "and"));
    if (text_is(name, "!"))
        return tree_not(importer, not_condition(importer, node, arguments));
    if (text_is(name, "!!"))
        return not_condition(importer, node, arguments);
    if (text_is(name, "if") && list)
        return if_condition(importer, node, arguments->first, arguments->count);
    for (size_t i = 0; i < COUNT_OF(comparisons); i++) {
        if (text_is(name, comparisons[i]))
            return compare_condition(importer, comparisons[i], node, arguments);
    }
    if (text_is(name, "in") && list && arguments->count == 2)
        return in_condition(importer, node, arguments->first, arguments->first->next);
    if (text_is(name, "some"))
        return some_condition(importer, node, arguments);
    if (text_is(name, "none"))
        return tree_not(importer, some_condition(importer, node, arguments));
    if (text_is(name, "missing"))
        return missing_condition(importer, node, arguments);
    if (importer->from_goff)
        return tree_refused(importer, node, "weir has no condition for this operator");
    if (text_is(name, "starts_with"))
        return affix_condition(importer, node, arguments, FORMULA_PREFIX);
    if (text_is(name, "ends_with"))
        return affix_condition(importer, node, arguments, FORMULA_SUFFIX);
    if (text_is(name, "sem_ver"))
        return version_condition(importer, node, arguments);
    if (text_is(name, "$ref"))
        return ref_condition(importer, node, arguments);
    if (text_is(name, "fractional"))
        return tree_refused(importer, node,
                            "weir draws shares in `split` only, not in a condition");
    return tree_refused(importer, node, "weir has no condition for this operator");
}

const struct tree *logic_condition(struct importer *importer, const struct node *node)
{
    struct text name, path;
    const struct node *fallback;
    const struct tree *tree;
    if (importer->depth > IMPORT_MAX_DEPTH)
        return tree_refused(importer, node, "rule is nested too deep");
    if (!importer_work(importer, IMPORT_WORK_CONDITION))
        return tree_refused(importer, node, "the rules of this file take too many steps");
    if (node->type != NODE_MAP || node->count == 0)
        return constant_condition(importer, node);
    const struct node *arguments = logic_operator(node, &name);
    if (!arguments)
        return tree_refused(importer, node, "a rule has one operator");
    if (text_is(name, "var")) {
        if (!logic_variable(node, &path, &fallback))
            return tree_refused(importer, node, "weir has no such path of an attribute");
        return truthy_condition(importer, node, path, fallback);
    }
    importer->depth++;
    tree = operator_condition(importer, node, name, arguments);
    importer->depth--;
    return tree;
}
