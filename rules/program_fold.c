/* Parts of a rule that ask for no attribute: found, evaluated once, kept as constants. */
#include "machine.h"
#include "program_rule.h"

/* --- does it ask for anything? --------------------------------------------------------------- */

static enum determinism depends(struct compiler *compiler, const struct node *lower)
{
    compiler->known.at = lower->start;
    return DEPENDS;
}

static enum determinism of_each(struct compiler *compiler, const struct node *first,
                                bool inside_iterator)
{
    for (const struct node *node = first; node; node = node->next) {
        enum determinism determinism = expression_determinism(compiler, node, inside_iterator);
        if (determinism != CONSTANT)
            return determinism;
    }
    return CONSTANT;
}

/* An element is known inside an iterator, but not the context two levels up. */
static bool climbs_twice(const struct node *node)
{
    if (node->type == NODE_STRING)
        return memmem(node->string.data ? node->string.data : "", node->string.length, "../../", 6);
    for (const struct node *item = node->type == NODE_LIST ? node->first : NULL; item;
         item = item->next) {
        if (climbs_twice(item))
            return true;
    }
    return false;
}

static enum determinism of_iterator(struct compiler *compiler, const struct node *lower,
                                    bool inside_iterator)
{
    if (lower->type != NODE_LIST) /* it fails, whatever the context */
        return CONSTANT;
    if (lower->count == 0)
        return CONSTANT;
    enum determinism determinism = expression_determinism(compiler, lower->first, inside_iterator);
    if (determinism != CONSTANT || lower->count == 1)
        return determinism;
    return expression_determinism(compiler, lower->first->next, true);
}

enum determinism expression_determinism(struct compiler *compiler, const struct node *node,
                                        bool inside_iterator)
{
    if (node->type == NODE_LIST)
        return of_each(compiler, node->first, inside_iterator);
    if (node->type != NODE_MAP || node->count == 0)
        return CONSTANT;
    const struct node *lower = node->first;
    const struct operator_row *row = operator_find(lower->key);
    if (!row) {
        compiler->thrown = compile_message(compiler, UNKNOWN, lower->key);
        return UNKNOWN_OPERATOR;
    }
    return operator_determinism(compiler, row, lower, inside_iterator);
}

enum determinism operator_determinism(struct compiler *compiler, const struct operator_row *row,
                                      const struct node *lower, bool inside_iterator)
{
    switch (row->kind) {
    case KIND_VAR:
        return inside_iterator && !climbs_twice(lower) ? CONSTANT : depends(compiler, lower);
    case KIND_MISSING:
        return lower->type == NODE_LIST && lower->count == 0 ? CONSTANT : depends(compiler, lower);
    case KIND_MISSING_SOME:
    case KIND_FLAGD:
        return depends(compiler, lower);
    case KIND_ITERATOR:
    case KIND_REDUCE:
        return of_iterator(compiler, lower, inside_iterator);
    default:
        return expression_determinism(compiler, lower, inside_iterator);
    }
}

/* --- evaluating now -------------------------------------------------------------------------- */

static bool make_context(struct compiler *compiler)
{
    if (compiler->constant)
        return true;
    struct attributes *nothing = attributes_new();
    struct context *context = calloc(1, sizeof *context);
    bool good = nothing && context && context_init(context) == STATUS_OK;
    if (good && context_begin(context, nothing) != STATUS_OK) {
        context_dispose(context);
        good = false;
    }
    attributes_release(nothing);
    if (good)
        compiler->constant = context;
    else
        free(context);
    return good;
}

bool fold_instruction(struct compiler *compiler, struct instruction *instruction)
{
    static const struct program nobody;
    if (instruction->op == OP_CONSTANT || compiler->status != STATUS_OK)
        return true;
    if (!make_context(compiler)) {
        compiler->status = STATUS_NO_MEMORY;
        return true;
    }
    struct machine machine = {.context = compiler->constant, .program = &nobody};
    compiler->constant->scratch_used = 0;
    struct value value = machine_evaluate(&machine, instruction), kept;
    if (value.type == VALUE_ERROR) {
        compiler->thrown = value.problem;
        return false;
    }
    if (!value_copy(compiler->arena, &value, &kept))
        compiler->status = STATUS_NO_MEMORY;
    *instruction = (struct instruction){.op = OP_CONSTANT, .value = kept};
    return true;
}

void fold_dispose(struct compiler *compiler)
{
    if (compiler->constant)
        context_dispose(compiler->constant);
    free(compiler->constant);
    compiler->constant = NULL;
}
