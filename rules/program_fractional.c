/* fractional: shares that are written out, with constant variants, become pairs of instructions;
 * any other form is put together while evaluating. */
#include <math.h>

#include "program_rule.h"

#define MAX_TOTAL 2147483647.0 /* 2^31 - 1: flagd's limit for the sum of weights */

/* [name, weight] or [name]; a name that an expression gives may turn out to be none, which makes
 * all of it null. */
static bool is_share(const struct node *node)
{
    return node->type == NODE_LIST && (node->count == 1 || node->count == 2) &&
           node->first->type != NODE_MAP && node->first->type != NODE_LIST;
}

/* The shares, behind a bucketing value or alone; NULL where they are of another form. */
static const struct node *shares_of(const struct node *list)
{
    const struct node *first = list->first;
    if (first && first->type != NODE_LIST)
        first = first->next;
    for (const struct node *node = first; node; node = node->next) {
        if (!is_share(node))
            return NULL;
    }
    return first;
}

static void compile_share(struct compiler *compiler, const struct node *share,
                          struct instruction *variant, struct instruction *weight)
{
    compile_expression(compiler, share->first, variant);
    if (share->count == 2)
        compile_expression(compiler, share->first->next, weight);
    else
        *weight = (struct instruction){.op = OP_CONSTANT, .value = value_number(1)};
    if (weight->op == OP_CONSTANT && weight->value.type == VALUE_NUMBER &&
        isfinite(weight->value.number) && weight->value.number < 0 &&
        weight->value.number == floor(weight->value.number))
        weight->value.number = 0;
}

/* The sum of the weights when all are constant and whole; 0 when they must be looked at. */
static uint64_t constant_total(const struct instruction *arguments, uint32_t count)
{
    double total = 0;
    for (uint32_t i = 2; i < count; i += 2) {
        const struct instruction *weight = &arguments[i];
        if (weight->op != OP_CONSTANT || weight->value.type != VALUE_NUMBER ||
            !(weight->value.number >= 0) || weight->value.number != floor(weight->value.number) ||
            !(weight->value.number <= MAX_TOTAL))
            return 0;
        total += weight->value.number;
    }
    return total <= MAX_TOTAL ? (uint64_t)total : 0;
}

/* The shares in the place of their instructions, where that can be. */
static void settle_shares(struct compiler *compiler, struct instruction *out)
{
    uint64_t total = constant_total(out->arguments, out->count), end = 0;
    uint32_t count = (out->count - 1) / 2;
    if (total == 0 || compiler->status != STATUS_OK)
        return;
    struct drawn_shares *shares =
        arena_allocate(compiler->arena, sizeof *shares + count * sizeof shares->items[0]);
    if (!shares) {
        compiler->status = STATUS_NO_MEMORY;
        return;
    }
    *shares = (struct drawn_shares){.total = total, .count = count};
    for (uint32_t i = 0; i < count; i++) {
        const struct instruction *pair = &out->arguments[1 + 2 * (size_t)i];
        end += (uint64_t)pair[1].value.number;
        shares->items[i] = (struct drawn_share){pair[0].value, end};
    }
    out->shares = shares;
    out->count = 1;
}

static void compile_written(struct compiler *compiler, const struct node *list,
                            const struct node *share, struct instruction *out)
{
    bool with_key = list->first != share;
    uint32_t shares = list->count - with_key, count = 1 + 2 * shares;
    struct instruction *arguments = new_instructions(compiler, count);
    if (!arguments)
        return;
    if (with_key)
        compile_expression(compiler, list->first, &arguments[0]);
    for (uint32_t i = 0; i < shares; i++, share = share->next)
        compile_share(compiler, share, &arguments[1 + 2 * i], &arguments[2 + 2 * i]);
    *out = (struct instruction){.op = OP_FRACTIONAL,
                                .slot = !with_key, /* of flag and user */
                                .count = count,
                                .arguments = arguments};
    settle_shares(compiler, out);
}

void compile_fractional(struct compiler *compiler, const struct node *list, struct instruction *out)
{
    compiler->depends_on_more = true;
    const struct node *share = list->type == NODE_LIST ? shares_of(list) : NULL;
    if (share) {
        compile_written(compiler, list, share, out);
        return;
    }
    bool is_list = list->type == NODE_LIST;
    compile_arguments(compiler, is_list ? list->first : list, is_list ? list->count : 1, out);
    if (list->type == NODE_MAP)
        out->count = ARGUMENT_AS_LIST;
    out->op = OP_BUILTIN;
    out->slot = BUILTIN_FRACTIONAL;
}
