/* Comparisons as shapes: for which values of the attribute json-logic-engine's operators hold.
 *
 * X is the attribute, c a constant. What JavaScript makes of other types (its `==` and `<` take
 * null for 0, true for 1, and strings for the numbers they spell) is written out here. */
#include <math.h>

#include "import_operand.h"

#define STRINGS_COERCE                                                                             \
    "the rule also takes a string for the number that it spells, and weir does not"

/* --- operands -------------------------------------------------------------------------------- */

static bool read_substr(const struct node *arguments, struct operand *out)
{
    const struct node *text = arguments->first, *fallback;
    const struct node *from = text ? text->next : NULL, *length = from ? from->next : NULL;
    if (!from || from->type != NODE_NUMBER || (length && length->type != NODE_NUMBER) ||
        (length && length->next) || fabs(from->number) > 100 ||
        (length && fabs(length->number) > 100) || !logic_variable(text, &out->path, &fallback) ||
        fallback)
        return false;
    out->from = (int)from->number;
    out->length = length ? (int)length->number : 0;
    return true;
}

static bool read_digits(const struct node *arguments, struct operand *out)
{
    static const int cuts[][2] = {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}};
    const struct node *part = arguments->first;
    for (size_t i = 0; i < COUNT_OF(cuts); i++, part = part->next) {
        struct operand cut;
        struct text name;
        const struct node *inner = part ? logic_operator(part, &name) : NULL;
        if (!inner || !text_is(name, "substr") || inner->type != NODE_LIST ||
            !read_substr(inner, &cut) || cut.from != cuts[i][0] || cut.length != cuts[i][1] ||
            (i && !text_equal(cut.path, out->path)))
            return false;
        out->path = cut.path;
    }
    return !part;
}

/* An attribute; flagKey is a constant where it is known of which flag. */
static void settle_variable(struct importer *importer, struct operand *operand)
{
    bool element = importer->inside_some > 0,
         flagd = text_starts_with(operand->path, TEXT("$flagd"));
    operand->type = OPERAND_VARIABLE;
    if ((operand->path.length == 0) != element)
        operand->type = OPERAND_OTHER;
    if (importer->from_goff && text_is(operand->path, "key"))
        operand->path = TEXT("targetingKey");
    if (importer->from_goff && (flagd || text_is(operand->path, "anonymous")))
        operand->type = OPERAND_OTHER;
    if (!text_is(operand->path, "$flagd.flagKey"))
        return;
    operand->type = OPERAND_OTHER;
    if (importer->flag && !importer->from_goff) {
        operand->type = OPERAND_CONSTANT;
        operand->node = build_string(importer, importer->flag->source->key);
    }
}

static void settle_cat(const struct node *arguments, struct operand *operand)
{
    if (arguments->count == 1 &&
        logic_variable(arguments->first, &operand->path, &operand->fallback) && !operand->fallback)
        operand->type = OPERAND_CAT;
    else if (read_digits(arguments, operand))
        operand->type = OPERAND_DIGITS;
}

struct operand operand_read(struct importer *importer, const struct node *node)
{
    struct operand operand = {.type = OPERAND_OTHER, .node = node};
    struct text name = {NULL, 0};
    const struct node *arguments = logic_operator(node, &name);
    bool list = arguments && arguments->type == NODE_LIST;
    if (node->type != NODE_MAP)
        operand.type = node->type == NODE_LIST ? OPERAND_OTHER : OPERAND_CONSTANT;
    else if (logic_variable(node, &operand.path, &operand.fallback))
        settle_variable(importer, &operand);
    else if (arguments && text_is(name, "if"))
        operand.type = OPERAND_VALUE;
    else if (list && text_is(name, "cat"))
        settle_cat(arguments, &operand);
    else if (list && text_is(name, "substr") && read_substr(arguments, &operand))
        operand.type = OPERAND_SUBSTR;
    return operand;
}

/* --- shapes of comparisons with a constant --------------------------------------------------- */

const struct formula *formula_one(struct importer *importer, struct text text)
{
    struct text *items = importer_take(importer, 1, sizeof *items);
    if (!items)
        return formula_constant(NO);
    items[0] = text;
    return formula_in(importer, items, 1);
}

static struct shape strict_shape(struct importer *importer, struct text path,
                                 const struct node *constant)
{
    struct shape shape = shape_all(importer, path, NO);
    if (constant->type == NODE_NULL)
        shape.missing = YES;
    else if (constant->type == NODE_BOOL && constant->boolean)
        shape.is_true = YES;
    else if (constant->type == NODE_BOOL)
        shape.is_false = YES;
    else if (constant->type == NODE_NUMBER)
        shape.numbers = numbers_point(importer, constant->number, YES, NO);
    else if (constant->type == NODE_STRING)
        shape.string = formula_one(importer, constant->string);
    return shape;
}

/* X == c. Lists and maps are errors beside anything. */
static struct shape loose_shape(struct importer *importer, struct text path,
                                const struct node *constant)
{
    struct shape shape = strict_shape(importer, path, constant);
    double number = constant->type == NODE_NUMBER ? constant->number : 0;
    enum truth known = YES;
    shape.map = ERROR;
    shape.list = formula_constant(ERROR);
    if (constant->type == NODE_BOOL)
        number = constant->boolean;
    if (constant->type == NODE_STRING)
        known = import_number_of(constant->string, &number);
    else if (constant->type != NODE_NULL)
        shape.string = formula_constant(importer_unlikely(importer));
    if (known == YES) {
        shape.numbers = numbers_point(importer, number, YES, NO);
        shape.is_true = number == 1 ? YES : NO;
        shape.is_false = number == 0 ? YES : NO;
        if (constant->type != NODE_STRING && number == 0)
            shape.missing = YES;
    } else { /* a string that is no number: an error beside numbers and booleans */
        enum truth other = known == NO ? ERROR : OPAQUE;
        shape.numbers = numbers_all(importer, other);
        shape.is_true = shape.is_false = other;
    }
    return shape;
}

/* c == X. What the engine compiles overwrites c with X before it compares their types: null is then
 * not 0, and no type is an error beside a string. What it interprets does not. So what differs is
 * not known. */
static void settle_reversed(struct importer *importer, struct shape *shape,
                            const struct node *constant)
{
    if (shape->missing == YES && constant->type != NODE_NULL)
        shape->missing = OPAQUE;
    if (constant->type == NODE_NULL) {
        shape->is_false = OPAQUE;
        shape->numbers = numbers_point(importer, 0, OPAQUE, NO);
    }
    if (shape->is_true == ERROR) {
        shape->is_true = shape->is_false = NO;
        shape->numbers = numbers_all(importer, NO);
    }
}

/* X < n. null is 0, true is 1. */
static struct shape order_shape(struct importer *importer, const char *operator_text,
                                struct text path, double bound)
{
    struct shape shape = shape_all(importer, path, ERROR);
    shape.numbers = numbers_compare(importer, operator_text, bound);
    shape.missing = shape.is_false = numbers_at(shape.numbers, 0);
    shape.is_true = numbers_at(shape.numbers, 1);
    shape.string = formula_constant(importer_unlikely(importer));
    return shape;
}

/* GO Feature Flag evaluates JSONLogic by another engine, which is known to agree where nothing has
 * to be coerced; elsewhere it is not. */
struct shape shape_as_go(struct importer *importer, struct shape shape, const struct node *constant,
                         bool equality)
{
    enum truth other = importer_unlikely(importer);
    shape.missing = equality && shape.missing == YES ? other : shape.missing;
    shape.map = other;
    shape.list = formula_constant(other);
    if (constant->type != NODE_BOOL)
        shape.is_true = shape.is_false = other;
    if (constant->type != NODE_NUMBER)
        shape.numbers = numbers_all(importer, other);
    if (constant->type != NODE_STRING)
        shape.string = formula_constant(other);
    return shape;
}

/* The time is always an integer; what it says of other types is asked of nobody. */
static struct shape now_shape(struct importer *importer, struct shape shape)
{
    struct shape now = shape_all(importer, TEXT(IMPORT_NOW), NO);
    now.numbers = shape.numbers;
    return now;
}

/* A default of var stands for what is missing, and for null only in some places of a rule. */
enum truth operand_default(struct importer *importer, const struct shape *shape,
                           const struct node *fallback)
{
    enum truth truth = shape->missing;
    if (fallback)
        truth = shape_at(shape, fallback);
    if (truth == shape->missing || (truth != YES && truth != NO))
        return truth;
    importer->assumed |= importer->options.as_written;
    return importer->options.as_written ? truth : OPAQUE;
}

static bool is_strict(const char *operator_text)
{
    return operator_text[0] != '<' && operator_text[0] != '>' && operator_text[2] == '=';
}

/* A number that weir would not take. */
bool operand_is_beyond(const struct node *constant)
{
    return constant->type == NODE_NUMBER && fabs(constant->number) > NUMBER_SAFE_INTEGER;
}

static const struct tree *variable_condition(struct importer *importer, const char *operator_text,
                                             const struct node *place,
                                             const struct operand *variable,
                                             const struct node *constant, bool reversed)
{
    bool order = *operator_text == '<' || *operator_text == '>', strict = is_strict(operator_text);
    struct shape shape;
    if (order && constant->type != NODE_NUMBER)
        return tree_refused(importer, place, "weir compares numbers by order, and nothing else");
    if (operand_is_beyond(constant))
        return tree_refused(importer, place, "number is beyond 2^53 - 1, which weir refuses");
    if (importer->inside_some && !strict && !order)
        return tree_refused(importer, place,
                            "weir compares entries of lists without coercing, as === does");
    if (order)
        shape = order_shape(importer, operator_text, variable->path, constant->number);
    else
        shape = (strict ? strict_shape : loose_shape)(importer, variable->path, constant);
    if (reversed && !order && !strict)
        settle_reversed(importer, &shape, constant);
    if (text_is(variable->path, IMPORT_NOW))
        shape = now_shape(importer, shape);
    else if (importer->from_goff && !strict)
        shape = shape_as_go(importer, shape, constant, !order);
    shape.missing = operand_default(importer, &shape, variable->fallback);
    if (*operator_text == '!')
        shape = shape_not(importer, shape);
    const char *reason = constant->type == NODE_STRING ? NULL : STRINGS_COERCE;
    return tree_shape(importer, shape, place, variable->fallback ? DEFAULTS : reason, true);
}

/* --- what weir's own guards ask -------------------------------------------------------------- */

/* What `cat` makes of a value, against a string. */
static struct shape cat_shape(struct importer *importer, struct text path, struct text text)
{
    double number;
    char canonical[NUMBER_TEXT_SIZE];
    struct shape shape = shape_all(importer, path, NO);
    shape.missing = text_is(text, "null") ? YES : NO;
    shape.is_true = text_is(text, "true") ? YES : NO;
    shape.is_false = text_is(text, "false") ? YES : NO;
    shape.map = text_is(text, "[object Object]") ? YES : NO;
    shape.string = formula_one(importer, text);
    shape.list = formula_constant(OPAQUE);
    if (number_parse(text, &number) &&
        text_equal((struct text){canonical, number_format(number, canonical)}, text))
        shape.numbers = numbers_point(importer, number, YES, NO);
    return shape;
}

const struct tree *guard_condition(struct importer *importer, const struct node *place,
                                   const struct operand *cut, struct text text, bool is)
{
    for (unsigned i = 0; i < GUARD_COUNT; i++) {
        const struct import_guard *guard = &import_guards[i];
        if (guard->from != cut->from || guard->length != cut->length || guard->is != is ||
            !text_is(text, guard->among))
            continue;
        struct shape shape = shape_all(importer, cut->path, ERROR);
        shape.string = formula_guard(importer, i);
        return tree_shape(importer, shape, place, "weir cannot ask for characters at a place",
                          false);
    }
    return tree_refused(importer, place, "weir cannot ask for characters at a place");
}

static const struct tree *digits_condition(struct importer *importer, const char *operator_text,
                                           const struct node *place, const struct operand *digits,
                                           const struct node *constant)
{
    bool known =
        operator_text[1] == '\0' && constant->type == NODE_STRING && constant->string.length == 14;
    for (size_t i = 0; known && i < 14; i++)
        known = constant->string.data[i] >= '0' && constant->string.data[i] <= '9';
    if (!known)
        return tree_refused(importer, place, TWO_SIDES);
    struct shape shape = shape_all(importer, digits->path, ERROR);
    shape.string = formula_word(importer, FORMULA_TIME, operator_text, constant->string);
    return tree_shape(importer, shape, place, "weir cannot compare parts of strings", false);
}

/* X against cat(X): whether X is a string. */
static const struct tree *own_text_condition(struct importer *importer, const struct node *place,
                                             struct text path, bool equal)
{
    struct shape shape = shape_all(importer, path, NO);
    shape.string = formula_constant(YES);
    return tree_shape(importer, equal ? shape : shape_not(importer, shape), place,
                      "weir has no condition for being a string", false);
}

/* --- two operands ---------------------------------------------------------------------------- */

static const struct tree *fold(struct importer *importer, const char *operator_text,
                               const struct node *place, const struct node *a, const struct node *b)
{
    bool numbers = a->type == NODE_NUMBER && b->type == NODE_NUMBER, equal = *operator_text == '=';
    if (*operator_text == '=' || *operator_text == '!') {
        if (a->type == b->type || is_strict(operator_text))
            return tree_constant(node_equal(a, b) == equal);
    } else if (numbers) {
        return tree_constant(
            numbers_at(numbers_compare(importer, operator_text, b->number), a->number) == YES);
    }
    return tree_refused(importer, place, TWO_SIDES);
}

static const char *mirrored(const char *operator_text)
{
    static const char *const pairs[][2] = {{"<", ">"}, {"<=", ">="}, {">", "<"}, {">=", "<="}};
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        if (strcmp(operator_text, pairs[i][0]) == 0)
            return pairs[i][1];
    }
    return operator_text;
}

/* `a` is not a constant, `b` is one; `reversed`: it stood first. */
static const struct tree *constant_compare(struct importer *importer, const char *operator_text,
                                           const struct node *place, const struct operand *a,
                                           const struct node *b, bool reversed)
{
    bool equals = *operator_text == '=' || *operator_text == '!', not = *operator_text == '!';
    bool of_string = b->type == NODE_STRING && equals && is_strict(operator_text);
    const struct tree *tree = NULL;
    if (a->type == OPERAND_VARIABLE)
        return variable_condition(importer, operator_text, place, a, b, reversed);
    if (a->type == OPERAND_DIGITS)
        return digits_condition(importer, operator_text, place, a, b);
    if (a->type == OPERAND_CAT && of_string)
        tree = tree_shape(importer, cat_shape(importer, a->path, b->string), place,
                          "weir does not make strings of values", false);
    else if (a->type == OPERAND_SUBSTR && of_string)
        tree = guard_condition(importer, place, a, b->string, true);
    else if (a->type == OPERAND_VALUE && of_string)
        tree = prerequisite_condition(importer, a->node, b->string);
    if (!tree)
        return tree_refused(importer, place, TWO_SIDES);
    return not ? tree_not(importer, tree) : tree;
}

static const struct tree *pair_condition(struct importer *importer, const char *operator_text,
                                         const struct node *place, const struct node *left,
                                         const struct node *right)
{
    struct operand a = operand_read(importer, left), b = operand_read(importer, right);
    bool equals = (*operator_text == '=' || *operator_text == '!') && is_strict(operator_text);
    bool same =
        a.path.length == b.path.length && text_equal(a.path, b.path) && !a.fallback && !b.fallback;
    if (importer->no_memory)
        return tree_constant(false);
    if (a.type == OPERAND_CONSTANT && b.type == OPERAND_CONSTANT)
        return fold(importer, operator_text, place, a.node, b.node);
    if (b.type == OPERAND_CONSTANT)
        return constant_compare(importer, operator_text, place, &a, b.node, false);
    if (a.type == OPERAND_CONSTANT)
        return constant_compare(importer, mirrored(operator_text), place, &b, a.node, true);
    if (equals && same && a.type == OPERAND_VARIABLE && b.type == OPERAND_VARIABLE)
        return tree_constant(*operator_text == '=');
    if (equals && same &&
        ((a.type == OPERAND_VARIABLE && b.type == OPERAND_CAT) ||
         (a.type == OPERAND_CAT && b.type == OPERAND_VARIABLE)))
        return own_text_condition(importer, place, a.path, *operator_text == '=');
    return tree_refused(importer, place, TWO_SIDES);
}

const struct tree *compare_condition(struct importer *importer, const char *operator_text,
                                     const struct node *node, const struct node *arguments)
{
    const struct tree *tree = tree_constant(true);
    if (arguments->type != NODE_LIST || arguments->count < 2 || arguments->count > 3)
        return tree_refused(importer, node, "a comparison has two or three operands");
    for (const struct node *left = arguments->first; left->next; left = left->next)
        tree = tree_and(importer, tree,
                        pair_condition(importer, operator_text, node, left, left->next));
    return tree;
}
