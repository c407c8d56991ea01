/* Expressions as json-logic-engine's interpreter takes them: parts without attributes, and `if`
 * with less than three arguments. Where it would fail before it evaluates anything, compiling
 * fails; the operators that evaluate only what they need (and, or, if, iterators) let that happen
 * when they come to it. */
#include "machine.h"
#include "program_rule.h"

static bool thrown(struct compiler *compiler, const char *problem)
{
    compiler->thrown = problem;
    return false;
}

/* A part that is looked at only when it is its turn. */
static void interpret_later(struct compiler *compiler, const struct node *node,
                            struct instruction *out)
{
    if (!interpret_expression(compiler, node, out))
        compile_failure(out, compiler->thrown);
}

static bool interpret_each(struct compiler *compiler, const struct node *first, uint32_t count,
                           struct instruction *out)
{
    struct instruction *arguments = new_instructions(compiler, count);
    const struct node *node = first;
    if (!arguments)
        return true;
    out->arguments = arguments;
    out->count = count;
    for (uint32_t i = 0; i < count && node; i++, node = node->next) {
        if (!interpret_expression(compiler, node, &arguments[i]))
            return false;
    }
    return true;
}

static void interpret_each_later(struct compiler *compiler, const struct node *first,
                                 uint32_t count, struct instruction *out)
{
    struct instruction *arguments = new_instructions(compiler, count);
    const struct node *node = first;
    if (!arguments)
        return;
    for (uint32_t i = 0; i < count && node; i++, node = node->next)
        interpret_later(compiler, node, &arguments[i]);
    out->arguments = arguments;
    out->count = count;
}

/* A list of constants is one; else a new list each time. */
static bool interpret_list(struct compiler *compiler, const struct node *node,
                           struct instruction *out)
{
    out->op = OP_LIST;
    if (!interpret_each(compiler, node->first, node->count, out))
        return false;
    return compiler->status != STATUS_OK || !all_constant(out) || fold_instruction(compiler, out);
}

/* --- what the interpreter does first of all --------------------------------------------------- */

/* if with three arguments: all are looked at. */
static bool interpret_ternary(struct compiler *compiler, const struct node *list,
                              struct instruction *out)
{
    if (!interpret_each(compiler, list->first, 3, out))
        return false;
    out->op = OP_IF;
    if (compiler->status == STATUS_OK && out->arguments[0].op == OP_CONSTANT)
        *out = out->arguments[value_is_truthy(&out->arguments[0].value) ? 1 : 2];
    return true;
}

/* Comparisons of two or three: the same, and constants are compared at once. */
static bool interpret_comparison(struct compiler *compiler, uint16_t op, const struct node *list,
                                 struct instruction *out)
{
    if (!interpret_each(compiler, list->first, list->count, out))
        return false;
    out->op = OP_COMPARE_PLAINLY;
    out->slot = op;
    return compiler->status != STATUS_OK || !all_constant(out) || fold_instruction(compiler, out);
}

/* filter: by what is always true, or never, it is known at once. Sets *done where what it came to
 * is all there is to do: a filter of constants is still to be evaluated. */
static bool interpret_filter(struct compiler *compiler, const struct operator_row *row,
                             const struct node *list, struct instruction *out, bool *done)
{
    struct instruction *arguments = new_instructions(compiler, 2);
    *done = true;
    if (!arguments)
        return true;
    compiler->scopes++;
    bool good = interpret_expression(compiler, list->first->next, &arguments[1]);
    compiler->scopes--;
    if (!good || compiler->status != STATUS_OK)
        return good;
    if (arguments[1].op == OP_CONSTANT && value_is_truthy(&arguments[1].value))
        return interpret_expression(compiler, list->first, out);
    if (arguments[1].op == OP_CONSTANT) {
        out->op = OP_LIST;
        return interpret_each(compiler, NULL, 0, out) && fold_instruction(compiler, out);
    }
    if (operator_determinism(compiler, row, list, false) != DEPENDS) {
        *done = false;
        return true;
    }
    interpret_later(compiler, list->first, &arguments[0]);
    *out = (struct instruction){
        .op = OP_FILTER, .slot = INTERPRETED, .count = 2, .arguments = arguments};
    return true;
}

/* --- operators ------------------------------------------------------------------------------- */

static bool is_path_of(const struct node *node, const char *name)
{
    const struct node *path = node_get(node, "var");
    return path && path->type == NODE_STRING && text_is(path->string, name);
}

/* {"+":[{"var":"current"},{"var":"accumulator"}]}: the interpreter adds up the whole list at once,
 * to `start`, or nothing. */
static const struct node *shortcut(const struct node *mapper, const char *operator_name)
{
    const struct node *list = node_get(mapper, operator_name);
    if (!list || list->type != NODE_LIST || list->count != 2)
        return NULL;
    const struct node *a = list->first, *b = a->next;
    bool accumulator = is_path_of(a, "accumulator") || is_path_of(b, "accumulator"),
         current = is_path_of(a, "current") || is_path_of(b, "current");
    return accumulator && current && node_get(a, "var") && node_get(b, "var") ? list : NULL;
}

static bool interpret_shortcut(struct compiler *compiler, const struct node *list,
                               enum builtin builtin, struct instruction *out)
{
    struct instruction *pair = new_instructions(compiler, 2),
                       *whole = new_instructions(compiler, 1);
    const struct node *start = list->first->next->next;
    if (!pair || !whole)
        return true;
    const struct node *summands = list->first;
    if (summands->type == NODE_LIST && summands->count == 1 && builtin == BUILTIN_ADD &&
        summands->first->type != NODE_LIST)
        summands = summands->first;
    if (!interpret_expression(compiler, summands, whole))
        return false;
    /* + takes what is no list as it is, * puts it into one. */
    pair[0] =
        (struct instruction){.op = OP_BUILTIN,
                             .slot = (uint16_t)builtin,
                             .count = builtin == BUILTIN_ADD ? ARGUMENT_AS_IT_IS : ARGUMENT_AS_LIST,
                             .arguments = whole};
    if (whole->op == OP_CONSTANT && !fold_instruction(compiler, &pair[0]))
        return false;
    if (start && !(start->type == NODE_NULL && builtin == BUILTIN_ADD)) {
        if (!interpret_expression(compiler, start, &pair[1]))
            return false;
    } else {
        pair[1] = (struct instruction){.op = OP_CONSTANT,
                                       .value = value_number(builtin == BUILTIN_MULTIPLY)};
    }
    *out = (struct instruction){
        .op = OP_BUILTIN, .slot = (uint16_t)builtin, .count = 2, .arguments = pair};
    return compiler->status != STATUS_OK || !all_constant(out) || fold_instruction(compiler, out);
}

static bool interpret_iterator(struct compiler *compiler, const struct operator_row *row,
                               const struct node *list, struct instruction *out)
{
    bool reduces = row->kind == KIND_REDUCE;
    uint32_t count = reduces && list->count > 2 ? 3 : 2;
    if (list->type != NODE_LIST || list->count == 0)
        return thrown(compiler, "an iterator needs a list and what to do with each element");
    struct instruction *arguments = new_instructions(compiler, count);
    if (!arguments)
        return true;
    interpret_later(compiler, list->first, &arguments[0]);
    compiler->scopes++;
    if (list->count > 1)
        interpret_later(compiler, list->first->next, &arguments[1]);
    compiler->scopes--;
    if (count > 2)
        interpret_later(compiler, list->first->next->next, &arguments[2]);
    *out = (struct instruction){
        .op = row->op, .slot = INTERPRETED, .count = count, .arguments = arguments};
    return true;
}

/* if, and, or: each argument when it is needed. */
static void interpret_lazily(struct compiler *compiler, const struct operator_row *row,
                             const struct node *lower, struct instruction *out)
{
    out->op = row->op;
    if (lower->type != NODE_LIST)
        compile_failure(out, "and, or and if need a list");
    else
        interpret_each_later(compiler, lower->first, lower->count, out);
}

/* Operators over all their arguments. A few take one argument as it is, the others as a list. */
static bool interpret_builtin(struct compiler *compiler, const struct operator_row *row,
                              const struct node *lower, struct instruction *out)
{
    bool takes_one = row->kind == KIND_UNARY || row->kind == KIND_CAT || row->op == OP_ADD ||
                     row->op == OP_SUBTRACT;
    bool is_list = lower->type == NODE_LIST;
    bool alone = takes_one && is_list && lower->count == 1 && lower->first->type != NODE_LIST;
    const struct node *first = is_list ? lower->first : lower;
    uint32_t count = is_list ? lower->count : 1;
    out->op = OP_BUILTIN;
    out->slot = row->builtin;
    if (!interpret_each(compiler, first, count, out))
        return false;
    if (alone || (takes_one && !is_list))
        out->count = ARGUMENT_AS_IT_IS;
    else if (lower->type == NODE_MAP)
        out->count = ARGUMENT_AS_LIST;
    if (row->kind == KIND_FLAGD && (compiler->scopes || compiler->folding))
        compile_failure(out, "flagd's own operators do not work within iterators");
    if (row->kind == KIND_FLAGD)
        compiler->depends_on_more = true;
    return true;
}

/* Some forms are taken apart before it is asked whether they depend on anything: they are evaluated
 * with the context at hand. Sets *done for these. */
static bool interpret_idiom(struct compiler *compiler, const struct operator_row *row,
                            const struct node *list, struct instruction *out, bool *done)
{
    const struct node *mapper = list->count > 1 ? list->first->next : NULL;
    *done = true;
    if (row->kind == KIND_IF && list->count == 3)
        return interpret_ternary(compiler, list, out);
    if (row->kind == KIND_COMPARE && (list->count == 2 || list->count == 3))
        return interpret_comparison(compiler, row->op, list, out);
    if (row->kind == KIND_REDUCE && (!mapper || mapper->type == NODE_NULL))
        return thrown(compiler, "reduce needs something to do with each element");
    if (row->kind == KIND_REDUCE && shortcut(mapper, "+"))
        return interpret_shortcut(compiler, list, BUILTIN_ADD, out);
    if (row->kind == KIND_REDUCE && shortcut(mapper, "*"))
        return interpret_shortcut(compiler, list, BUILTIN_MULTIPLY, out);
    if (row->op == OP_FILTER && list->count == 2)
        return interpret_filter(compiler, row, list, out, done);
    *done = false;
    return true;
}

static bool interpret_operator(struct compiler *compiler, const struct operator_row *row,
                               const struct node *lower, struct instruction *out)
{
    switch (row->kind) {
    case KIND_VAR:
        return interpret_var(compiler, lower, out);
    case KIND_MISSING:
        compile_missing(compiler, lower, out);
        return true;
    case KIND_MISSING_SOME:
        if (lower->type == NODE_MAP || (lower->type == NODE_LIST && lower->count < 2))
            compile_failure(out, "missing_some needs a number and a list of names");
        else
            compile_missing_some(compiler, lower, out);
        return true;
    case KIND_IF:
    case KIND_CHAIN:
        interpret_lazily(compiler, row, lower, out);
        return true;
    case KIND_COMPARE:
        if (lower->type != NODE_LIST || lower->count < 2)
            compile_failure(out, "a comparison needs two arguments");
        else /* of four and more */
            return interpret_comparison(compiler, row->op, lower, out);
        return true;
    case KIND_ITERATOR:
    case KIND_REDUCE:
        return interpret_iterator(compiler, row, lower, out);
    default:
        return interpret_builtin(compiler, row, lower, out);
    }
}

/* What asks for nothing is evaluated at once, without a context: the last argument of reduce may
 * ask all the same. */
static bool interpret_now(struct compiler *compiler, const struct operator_row *row,
                          const struct node *lower, struct instruction *out)
{
    unsigned scopes = compiler->scopes;
    bool folding = compiler->folding;
    compiler->scopes = 0;
    compiler->folding = true;
    bool good = interpret_operator(compiler, row, lower, out) && fold_instruction(compiler, out);
    compiler->scopes = scopes;
    compiler->folding = folding;
    return good;
}

static bool interpret_map(struct compiler *compiler, const struct node *node,
                          struct instruction *out)
{
    if (node->count == 0) {
        compile_constant(compiler, node, out);
        return true;
    }
    const struct node *lower = node->first;
    const struct operator_row *row = operator_find(lower->key);
    if (!row)
        return thrown(compiler, compile_message(compiler, UNKNOWN, lower->key));
    if (node->count > 1)
        return thrown(compiler, MORE_OPERATORS);
    bool done = false;
    if (lower->type == NODE_LIST && !interpret_idiom(compiler, row, lower, out, &done))
        return false;
    if (done)
        return true;
    enum determinism determinism = expression_determinism(compiler, node, false);
    if (determinism == DEPENDS)
        return interpret_operator(compiler, row, lower, out);
    return determinism == CONSTANT && interpret_now(compiler, row, lower, out);
}

bool interpret_expression(struct compiler *compiler, const struct node *node,
                          struct instruction *out)
{
    if (compiler->status != STATUS_OK)
        return true;
    if (node->type == NODE_MAP)
        return interpret_map(compiler, node, out);
    if (node->type == NODE_LIST)
        return interpret_list(compiler, node, out);
    compile_constant(compiler, node, out);
    return true;
}
