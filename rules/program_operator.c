/* The operators of flagd's targeting, and how generated code does each. */
#include <math.h>

#include "json.h"
#include "program_rule.h"

#define NAMED(literal)                                                                             \
    {                                                                                              \
        literal, sizeof literal - 1                                                                \
    }
/* By the lengths of their names; of one length, those that stand in most rules come first. */
static const struct operator_row operators[] = {
    {NAMED("!"), KIND_UNARY, OP_NOT, BUILTIN_NOT, 0},
    {NAMED("%"), KIND_ARITHMETIC, OP_REMAINDER, BUILTIN_REMAINDER, BUILTIN_MODULUS},
    {NAMED("*"), KIND_ARITHMETIC, OP_MULTIPLY, BUILTIN_MULTIPLY, BUILTIN_PRODUCT},
    {NAMED("+"), KIND_ARITHMETIC, OP_ADD, BUILTIN_ADD, BUILTIN_SUM},
    {NAMED("-"), KIND_ARITHMETIC, OP_SUBTRACT, BUILTIN_SUBTRACT, BUILTIN_DIFFERENCE},
    {NAMED("/"), KIND_ARITHMETIC, OP_DIVIDE, BUILTIN_DIVIDE, BUILTIN_QUOTIENT},
    {NAMED("<"), KIND_COMPARE, OP_LESS, 0, 0},
    {NAMED(">"), KIND_COMPARE, OP_GREATER, 0, 0},
    {NAMED("in"), KIND_IN, OP_IN, BUILTIN_IN, 0},
    {NAMED("or"), KIND_CHAIN, OP_OR, 0, 0},
    {NAMED("if"), KIND_IF, OP_IF, 0, 0},
    {NAMED("<="), KIND_COMPARE, OP_LESS_EQUAL, 0, 0},
    {NAMED(">="), KIND_COMPARE, OP_GREATER_EQUAL, 0, 0},
    {NAMED("=="), KIND_COMPARE, OP_EQUAL, 0, 0},
    {NAMED("!="), KIND_COMPARE, OP_NOT_EQUAL, 0, 0},
    {NAMED("!!"), KIND_UNARY, OP_TRUTH, BUILTIN_TRUTH, 0},
    {NAMED("var"), KIND_VAR, 0, BUILTIN_VAR, 0},
    {NAMED("==="), KIND_COMPARE, OP_SAME, 0, 0},
    {NAMED("!=="), KIND_COMPARE, OP_NOT_SAME, 0, 0},
    {NAMED("and"), KIND_CHAIN, OP_AND, 0, 0},
    {NAMED("cat"), KIND_CAT, OP_CAT, BUILTIN_CAT, 0},
    {NAMED("all"), KIND_ITERATOR, OP_ALL, 0, 0},
    {NAMED("map"), KIND_ITERATOR, OP_MAP, 0, 0},
    {NAMED("max"), KIND_BUILTIN, 0, BUILTIN_MAXIMUM, 0},
    {NAMED("min"), KIND_BUILTIN, 0, BUILTIN_MINIMUM, 0},
    {NAMED("none"), KIND_ITERATOR, OP_NONE, 0, 0},
    {NAMED("some"), KIND_ITERATOR, OP_SOME, 0, 0},
    {NAMED("merge"), KIND_BUILTIN, 0, BUILTIN_MERGE, 0},
    {NAMED("filter"), KIND_ITERATOR, OP_FILTER, 0, 0},
    {NAMED("reduce"), KIND_REDUCE, OP_REDUCE, 0, 0},
    {NAMED("substr"), KIND_BUILTIN, 0, BUILTIN_SUBSTR, 0},
    {NAMED("missing"), KIND_MISSING, 0, BUILTIN_MISSING, 0},
    {NAMED("sem_ver"), KIND_FLAGD, OP_SEM_VER, BUILTIN_SEM_VER, 0},
    {NAMED("ends_with"), KIND_FLAGD, OP_ENDS_WITH, BUILTIN_ENDS_WITH, 0},
    {NAMED("fractional"), KIND_FLAGD, OP_FRACTIONAL, BUILTIN_FRACTIONAL, 0},
    {NAMED("starts_with"), KIND_FLAGD, OP_STARTS_WITH, BUILTIN_STARTS_WITH, 0},
    {NAMED("missing_some"), KIND_MISSING_SOME, 0, BUILTIN_MISSING_SOME, 0},
};

/* Where the names of each length begin in the table, and behind them all where it ends. */
static const uint8_t starts[] = {0, 0, 8, 16, 25, 27, 28, 31, 33, 33, 34, 35, 36, 37};
_Static_assert(COUNT_OF(operators) == 37, "an operator more: count the starts again");

const struct operator_row *operator_find(struct text name)
{
    if (name.length == 0 || name.length + 1 >= COUNT_OF(starts))
        return NULL;
    for (size_t i = starts[name.length]; i < starts[name.length + 1]; i++) {
        const char *known = operators[i].name.data;
        /* Three bytes are all of most names, so that hardly one needs memcmp(). */
        if (known[0] == name.data[0] && known[name.length - 1] == name.data[name.length - 1] &&
            known[name.length / 2] == name.data[name.length / 2] &&
            (name.length <= 3 || memcmp(known, name.data, name.length) == 0))
            return &operators[i];
    }
    return NULL;
}

/* --- attributes beside constants ------------------------------------------------------------- */

#define SMALL_SET 8 /* up to here comparing one by one is faster than hashing */

/* Moves an attribute and a constant into the instruction itself. */
static void take_in(struct instruction *out)
{
    const struct instruction *left = &out->arguments[0], *right = &out->arguments[1];
    if (out->count != 2 || left->op != OP_SLOT || right->op != OP_CONSTANT)
        return;
    out->slot = left->slot;
    out->direct = true;
    out->value = right->value;
    if (out->op == OP_NOT_SAME && out->value.type == VALUE_NULL)
        *out = (struct instruction){.op = OP_EXISTS, .slot = left->slot};
}

static void take_first_in(struct instruction *out)
{
    if (out->arguments[0].op != OP_SLOT)
        return;
    out->slot = out->arguments[0].slot;
    out->direct = true;
    out->arguments = NULL;
}

/* --- comparisons ----------------------------------------------------------------------------- */

static bool is_strict(uint16_t op)
{
    return op == OP_SAME || op == OP_NOT_SAME;
}

/* What stands on the right may store, and what was stored is looked at. */
static void compile_stored(struct compiler *compiler, const struct node *first, uint32_t count,
                           struct instruction *arguments)
{
    uint32_t i = 1;
    compiler->comparing++;
    for (const struct node *node = first; node && i < count; node = node->next)
        compile_expression(compiler, node, &arguments[i++]);
    compiler->comparing--;
}

static void compile_strict(struct compiler *compiler, const struct node *list,
                           struct instruction *out)
{
    compile_arguments(compiler, list->first, list->count, out);
    if (compiler->status != STATUS_OK || compiler->problem)
        return;
    if (compiler->comparing) {
        struct instruction *arguments = (struct instruction *)(uintptr_t)out->arguments;
        for (uint32_t i = 0; i < (list->count > 2 ? list->count : 1); i++)
            compile_remember(compiler, &arguments[i]);
    }
    take_in(out);
}

static void compile_comparison(struct compiler *compiler, const struct node *list,
                               struct instruction *out)
{
    struct instruction *arguments = new_instructions(compiler, list->count);
    if (!arguments)
        return;
    unsigned comparing = compiler->comparing;
    compiler->comparing = 0; /* what the left side stores is stored over at once */
    compile_expression(compiler, list->first, &arguments[0]);
    compiler->comparing = comparing;
    compile_stored(compiler, list->first->next, list->count, arguments);
    out->arguments = arguments;
    out->count = list->count;
    if (list->count > 2 || arguments[1].op != OP_CONSTANT) {
        out->slot = out->op;
        out->op = OP_COMPARE;
        return;
    }
    compile_remember(compiler, &arguments[0]);
    take_in(out);
}

static void compile_compare(struct compiler *compiler, const struct node *lower,
                            struct instruction *out)
{
    if (lower->type != NODE_LIST || lower->count < 2)
        compile_failure(out, "a comparison needs two arguments");
    else if (is_strict(out->op))
        compile_strict(compiler, lower, out);
    else
        compile_comparison(compiler, lower, out);
}

/* --- arithmetic ------------------------------------------------------------------------------ */

/* Constants that are no numbers are refused while code is generated; so is dividing by what is
 * written as 0. */
static void check_operand(struct compiler *compiler, const struct node *node, bool divisor,
                          const struct instruction *operand)
{
    const struct value *value = &operand->value;
    if (node->type == NODE_LIST || (node->type == NODE_MAP && node->count == 0)) {
        compile_refuse(compiler, "arithmetic needs numbers");
        return;
    }
    if (operand->op != OP_CONSTANT)
        return;
    bool refused = false;
    if (value->type == VALUE_STRING) {
        double number = number_of_text(value_text(value));
        refused = isnan(number) || (divisor && number == 0);
    } else if (value->type == VALUE_NUMBER) {
        refused = divisor && value->number == 0;
    }
    if (refused)
        compile_refuse(compiler, divisor ? "division by zero" : "arithmetic needs numbers");
}

static void compile_arithmetic(struct compiler *compiler, const struct operator_row *row,
                               const struct node *lower, struct instruction *out)
{
    const struct node *node = lower->type == NODE_LIST ? lower->first : lower;
    uint32_t count = lower->type == NODE_LIST ? lower->count : 1;
    if (lower->type == NODE_MAP) {
        compile_arguments(compiler, lower, 1, out);
        if (out->arguments && row->op != OP_MULTIPLY && row->op != OP_REMAINDER)
            compile_remember(compiler, (struct instruction *)(uintptr_t)out->arguments);
        out->op = OP_BUILTIN;
        out->slot = row->over_result;
        out->count = ARGUMENT_AS_IT_IS;
        return;
    }
    if (row->op == OP_REMAINDER && count < 2)
        compile_refuse(compiler, "% needs two arguments");
    compile_arguments(compiler, node, count, out);
    for (uint32_t i = 0; i < count && compiler->status == STATUS_OK && !compiler->problem;
         i++, node = node->next)
        check_operand(compiler, node, row->op == OP_DIVIDE && (i > 0 || count == 1),
                      &out->arguments[i]);
}

/* --- and, or, if, ! -------------------------------------------------------------------------- */

/* "and" inside "and", and "or" inside "or", give what they give when their arguments stand in the
 * outer one; one argument alone gives itself. */
static void flatten(struct compiler *compiler, struct instruction *chain)
{
    const struct instruction *from = chain->arguments;
    uint32_t total = 0, count = 0;
    if (chain->count == 1) {
        *chain = from[0];
        return;
    }
    for (uint32_t i = 0; i < chain->count; i++)
        total += from[i].op == chain->op ? from[i].count : 1;
    if (total == chain->count)
        return;
    struct instruction *arguments = new_instructions(compiler, total);
    if (!arguments)
        return;
    for (uint32_t i = 0; i < chain->count; i++) {
        bool inner = from[i].op == chain->op;
        uint32_t more = inner ? from[i].count : 1;
        memcpy(&arguments[count], inner ? from[i].arguments : &from[i], more * sizeof *arguments);
        count += more;
    }
    chain->arguments = arguments;
    chain->count = count;
}

static void compile_chain(struct compiler *compiler, const struct node *node,
                          struct instruction *out)
{
    const struct node *lower = node->first;
    if (lower->type != NODE_LIST) {
        compile_failure(out, "and and or need a list");
        return;
    }
    if (out->op == OP_AND && !compiler->comparing)
        compile_and(compiler, lower, out);
    else
        compile_arguments(compiler, lower->first, lower->count, out);
    if (compiler->status != STATUS_OK || compiler->problem)
        return;
    for (uint32_t i = 0; compiler->comparing && i < out->count; i++)
        compile_remember(compiler, (struct instruction *)(uintptr_t)&out->arguments[i]);
    if (!compiler->comparing)
        flatten(compiler, out);
    compile_once(compiler, node, out);
}

static void compile_interpreted(struct compiler *compiler, const struct node *node,
                                struct instruction *out)
{
    unsigned comparing = compiler->comparing;
    compiler->comparing = 0; /* the interpreter stores nothing */
    if (!interpret_expression(compiler, node, out))
        compile_failure(out, compiler->thrown);
    compiler->comparing = comparing;
}

/* Of less than three arguments no code is generated: the interpreter does it. */
static void compile_if(struct compiler *compiler, const struct node *node, struct instruction *out)
{
    const struct node *lower = node->first;
    if (lower->type == NODE_LIST && lower->count >= 3)
        compile_arguments(compiler, lower->first, lower->count, out);
    else
        compile_interpreted(compiler, node, out);
}

static void compile_unary(struct compiler *compiler, const struct node *lower,
                          struct instruction *out)
{
    compile_arguments(compiler, lower->type == NODE_LIST ? lower->first : lower, 1, out);
}

/* --- lists ----------------------------------------------------------------------------------- */

static void compile_iterator(struct compiler *compiler, const struct operator_row *row,
                             const struct node *lower, struct instruction *out)
{
    bool reduces = row->kind == KIND_REDUCE;
    uint32_t count = reduces && lower->count > 2 ? 3 : 2;
    if (lower->type != NODE_LIST || lower->count == 0) {
        compile_refuse(compiler, "an iterator needs a list and what to do with each element");
        return;
    }
    struct instruction *arguments = new_instructions(compiler, count);
    if (!arguments)
        return;
    struct compiler outer = *compiler;
    compile_expression(compiler, lower->first, &arguments[0]);
    if (row->op == OP_ALL)
        compile_remember(compiler, &arguments[0]);
    compiler->scopes++;
    compiler->comparing = 0;
    compiler->in_iterator = outer.in_iterator || !reduces;
    compiler->in_reduce = reduces;
    if (lower->count > 1)
        compile_expression(compiler, lower->first->next, &arguments[1]);
    compiler->scopes = outer.scopes;
    compiler->comparing = outer.comparing;
    compiler->in_iterator = outer.in_iterator;
    compiler->in_reduce = outer.in_reduce;
    if (count > 2)
        compile_expression(compiler, lower->first->next->next, &arguments[2]);
    out->slot = GENERATED;
    out->arguments = arguments;
    out->count = count;
}

/* "in" with a constant list of many strings becomes a set. */
static void use_set(struct compiler *compiler, struct instruction *out)
{
    const struct instruction *list = &out->arguments[1];
    bool is_set =
        list->op == OP_CONSTANT && list->value.type == VALUE_LIST && list->value.length > SMALL_SET;
    for (uint32_t i = 0; is_set && i < list->value.length; i++)
        is_set = list->value.items[i].type == VALUE_STRING;
    if (!is_set) {
        take_in(out);
        return;
    }
    const struct string_set *set =
        string_set_new(compiler->arena, list->value.items, list->value.length);
    if (!set) {
        compiler->status = STATUS_NO_MEMORY;
        return;
    }
    out->op = OP_IN_SET;
    take_first_in(out);
    out->set = set;
}

/* Arguments as they stand, one alone, or what an expression gives. */
static void compile_builtin(struct compiler *compiler, const struct operator_row *row,
                            const struct node *lower, struct instruction *out)
{
    bool is_list = lower->type == NODE_LIST;
    compile_arguments(compiler, is_list ? lower->first : lower, is_list ? lower->count : 1, out);
    if (lower->type == NODE_MAP)
        out->count = row->kind == KIND_CAT ? ARGUMENT_AS_IT_IS : ARGUMENT_AS_LIST;
    out->op = OP_BUILTIN;
    out->slot = row->builtin;
}

static void compile_in(struct compiler *compiler, const struct operator_row *row,
                       const struct node *lower, struct instruction *out)
{
    if (lower->type != NODE_LIST || lower->count < 2) {
        compile_builtin(compiler, row, lower, out);
        return;
    }
    compile_arguments(compiler, lower->first, 2, out);
    if (compiler->status == STATUS_OK && !compiler->problem)
        use_set(compiler, out);
}

/* --- flagd's own ----------------------------------------------------------------------------- */

/* A constant comparison with a constant version is asked once for each way in which the two can
 * differ. */
static bool make_version_test(struct compiler *compiler, struct instruction *out)
{
    const struct instruction *comparison = &out->arguments[1], *version = &out->arguments[2];
    struct semver less = {0}, more = {.minor = 1};
    bool known;
    if (comparison->op != OP_CONSTANT || comparison->value.type != VALUE_STRING ||
        version->op != OP_CONSTANT || version->value.type != VALUE_STRING)
        return false;
    struct text text = value_text(&comparison->value);
    struct version_test *test = ARENA_NEW(compiler->arena, struct version_test);
    if (!test) {
        compiler->status = STATUS_NO_MEMORY;
        return true;
    }
    if (text_is(text, "^") || text_is(text, "~") ||
        !semver_parse_loosely(value_text(&version->value), &test->version))
        return false;
    test->less = semver_holds(&less, text, &more, &known);
    test->equal = semver_holds(&more, text, &more, &known);
    test->greater = semver_holds(&more, text, &less, &known);
    if (!known)
        return false;
    take_first_in(out);
    out->test = test;
    return true;
}

static void compile_custom(struct compiler *compiler, const struct operator_row *row,
                           const struct node *lower, struct instruction *out)
{
    bool is_list = lower->type == NODE_LIST;
    if (row->op == OP_FRACTIONAL) {
        compile_fractional(compiler, lower, out);
    } else if (is_list && lower->count == (row->op == OP_SEM_VER ? 3 : 2)) {
        compile_arguments(compiler, lower->first, lower->count, out);
        if (compiler->status == STATUS_OK && !compiler->problem) {
            if (row->op != OP_SEM_VER) {
                take_in(out);
            } else if (!make_version_test(compiler, out)) {
                out->op = OP_BUILTIN;
                out->slot = BUILTIN_SEM_VER;
            }
        }
    } else {
        compile_builtin(compiler, row, lower, out);
    }
    if (compiler->scopes &&
        compiler->status == STATUS_OK) /* flagd for JavaScript has no logger there */
        compile_failure(out, "flagd's own operators do not work within iterators");
}

void compile_operator(struct compiler *compiler, const struct operator_row *row,
                      const struct node *node, struct instruction *out)
{
    const struct node *lower = node->first;
    out->op = row->op;
    switch (row->kind) {
    case KIND_VAR:
        compile_var(compiler, lower, out);
        break;
    case KIND_MISSING:
        compile_missing(compiler, lower, out);
        break;
    case KIND_MISSING_SOME:
        compile_missing_some(compiler, lower, out);
        break;
    case KIND_IF:
        compile_if(compiler, node, out);
        break;
    case KIND_CHAIN:
        compile_chain(compiler, node, out);
        break;
    case KIND_COMPARE:
        compile_compare(compiler, lower, out);
        break;
    case KIND_ITERATOR:
    case KIND_REDUCE:
        compile_iterator(compiler, row, lower, out);
        break;
    case KIND_ARITHMETIC:
        compile_arithmetic(compiler, row, lower, out);
        break;
    case KIND_UNARY:
        compile_unary(compiler, lower, out);
        break;
    case KIND_CAT:
        if (lower->type == NODE_MAP)
            compile_builtin(compiler, row, lower, out);
        else
            compile_arguments(compiler, lower->type == NODE_LIST ? lower->first : lower,
                              lower->type == NODE_LIST ? lower->count : 1, out);
        break;
    case KIND_IN:
        compile_in(compiler, row, lower, out);
        break;
    case KIND_BUILTIN:
        compile_builtin(compiler, row, lower, out);
        break;
    case KIND_FLAGD:
        compile_custom(compiler, row, lower, out);
        break;
    }
}
