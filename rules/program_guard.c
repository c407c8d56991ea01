/* and, and the guards that encode.c writes into it: is it a string, a number, a version? Recognised
 * by their text, each becomes one instruction. */
#include "program_rule.h"

#include "encode.h"

/* The JSON text of the attribute that a guard would test: the first argument of
 * {"!==":[X,null]}. */
static bool guarded_operand(struct compiler *compiler, const struct node *node, struct text *out,
                            uint16_t *slot)
{
    const struct node *list = node_get(node, "!==");
    if (!list || list->type != NODE_LIST || list->count != 2 ||
        list->first->next->type != NODE_NULL)
        return false;
    const struct node *path = node_get(list->first, "var");
    struct instruction operand = {0};
    if (!path || path->type != NODE_STRING)
        return false;
    compile_expression(compiler, list->first, &operand);
    if (operand.op != OP_SLOT || compiler->status != STATUS_OK)
        return false;
    *slot = operand.slot;
    *out = (struct text){compiler->json.data + list->first->start,
                         list->first->end - list->first->start};
    return true;
}

/* When the arguments from `node` on are, byte for byte, the guard: how many of them, else 0. */
static uint32_t count_guarding(const struct compiler *compiler, const struct node *node,
                               enum guard guard, struct text operand, unsigned evaluators)
{
    struct text rest = {compiler->json.data + node->start, compiler->json.length - node->start};
    size_t end = node->start + guard_length(guard, rest, operand, evaluators);
    for (uint32_t i = 1; node && node->end <= end; node = node->next, i++) {
        if (node->end == end)
            return i;
    }
    return 0;
}

/* Whether the third argument is {"in":[".",X]}, as in no guard but that of a version: it is the
 * longest, and begins like that of a string. */
static bool looks_for_dot(const struct node *third)
{
    const struct node *list = third && third->type == NODE_MAP ? third->first : NULL;
    return list && text_is(list->key, "in") && list->type == NODE_LIST && list->first &&
           list->first->type == NODE_STRING && text_is(list->first->string, ".");
}

/* Recognises a guard at `node` among the arguments of an "and"; returns how many arguments it
 * takes. */
uint32_t compile_guard(struct compiler *compiler, const struct node *node, struct instruction *out)
{
    /* The second expression tells most conditions apart from a guard. A guard
     * that another begins with stands behind it; so do the forms without the parts that only some
     * evaluators need. */
    static const struct {
        const char *second;
        enum guard guard;
        enum op op;
        unsigned evaluators;
    } guards[] = {
        {"starts_with", GUARD_VERSION, OP_IS_VERSION, EVALUATOR_FLAGD},
        {"starts_with", GUARD_STRING, OP_IS_STRING, EVALUATOR_FLAGD},
        {"===", GUARD_NUMBER, OP_IS_NUMBER, EVALUATOR_FLAGD},
        {"===", GUARD_NUMBER, OP_IS_NUMBER, EVALUATOR_FLAGD | EVALUATOR_PYTHON},
        {"!==", GUARD_NUMBER, OP_IS_NUMBER, EVALUATOR_WEIR},
        {"or", GUARD_NUMBER, OP_IS_NUMBER, EVALUATOR_PYTHON},
    };
    struct text operand;
    uint16_t slot;
    const struct node *second = node->next;
    if (compiler->scopes || !second || second->type != NODE_MAP || second->count != 1 ||
        !guarded_operand(compiler, node, &operand, &slot))
        return 0;
    for (size_t i = 0; i < COUNT_OF(guards); i++) {
        if (!text_is(second->first->key, guards[i].second) ||
            (guards[i].guard == GUARD_VERSION && !looks_for_dot(second->next)))
            continue;
        uint32_t count =
            count_guarding(compiler, node, guards[i].guard, operand, guards[i].evaluators);
        if (count) {
            *out = (struct instruction){.op = (uint8_t)guards[i].op, .slot = slot};
            return count;
        }
    }
    return 0;
}

/* Whether `in` is false by itself for whatever is not a string: then it needs no guard. */
static bool looks_for_strings(const struct instruction *in, uint16_t slot)
{
    if ((in->op != OP_IN && in->op != OP_IN_SET) || !in->direct || in->slot != slot)
        return false;
    if (in->op == OP_IN_SET)
        return true;
    for (uint32_t i = 0; in->value.type == VALUE_LIST && i < in->value.length; i++) {
        if (in->value.items[i].type != VALUE_STRING)
            return false;
    }
    return in->value.type == VALUE_LIST;
}

void compile_and(struct compiler *compiler, const struct node *list, struct instruction *out)
{
    struct instruction *arguments = new_instructions(compiler, list->count);
    uint32_t count = 0;
    if (!arguments)
        return;
    for (const struct node *node = list->first; node;) {
        uint32_t taken = compile_guard(compiler, node, &arguments[count]);
        if (taken == 0) {
            compile_expression(compiler, node, &arguments[count]);
            taken = 1;
        }
        if (compiler->status != STATUS_OK || compiler->problem)
            return;
        if (count && arguments[count - 1].op == OP_IS_STRING &&
            looks_for_strings(&arguments[count], arguments[count - 1].slot))
            arguments[count - 1] = arguments[count];
        else
            count++;
        while (taken--)
            node = node->next;
    }
    out->arguments = arguments;
    out->count = count;
}
