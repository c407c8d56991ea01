/* Trees of conditions, folded while they are made. */
#include "import_private.h"

const struct tree *tree_constant(bool value)
{
    static const struct tree constants[] = {{.type = TREE_CONSTANT},
                                            {.type = TREE_CONSTANT, .constant = true}};
    return &constants[value];
}

static const struct tree *keep(struct importer *importer, struct tree tree)
{
    struct tree *copy = importer_take(importer, 1, sizeof *copy);
    if (!copy)
        return tree_constant(false);
    *copy = tree;
    return copy;
}

static bool is_exactly(const struct shape *shape, enum truth truth)
{
    if (shape->missing != truth || shape->is_true != truth || shape->is_false != truth ||
        shape->map != truth || !formula_is(shape->string, truth) || !formula_is(shape->list, truth))
        return false;
    for (size_t i = 0; i < shape->numbers.count * 2 + 1; i++) {
        if ((enum truth)shape->numbers.regions[i] != truth)
            return false;
    }
    return true;
}

const struct tree *tree_shape(struct importer *importer, struct shape shape,
                              const struct node *place, const char *reason, bool can_assume)
{
    if (is_exactly(&shape, NO) || is_exactly(&shape, YES))
        return tree_constant(shape.missing == YES);
    return keep(importer, (struct tree){.type = TREE_SHAPE,
                                        .has_shape = true,
                                        .shape = shape,
                                        .place = place,
                                        .reason = reason,
                                        .can_assume = can_assume});
}

const struct tree *tree_ready(struct importer *importer, const struct node *condition)
{
    return keep(importer, (struct tree){.type = TREE_READY, .ready = condition});
}

const struct tree *tree_refused(struct importer *importer, const struct node *place,
                                const char *reason)
{
    return keep(importer, (struct tree){.type = TREE_REFUSED, .place = place, .reason = reason});
}

/* In halves, so that what is joined stays small. */
const struct tree *tree_join_all(struct importer *importer, const struct tree *const *trees,
                                 size_t count, bool both)
{
    if (count == 1)
        return trees[0];
    const struct tree *left = tree_join_all(importer, trees, count / 2, both);
    return tree_join(importer, left,
                     tree_join_all(importer, trees + count / 2, count - count / 2, both), both);
}

const struct tree *tree_not(struct importer *importer, const struct tree *a)
{
    if (a->type == TREE_CONSTANT)
        return tree_constant(!a->constant);
    if (a->type == TREE_NOT)
        return a->a;
    if (a->type == TREE_SHAPE)
        return tree_shape(importer, shape_not(importer, a->shape), a->place, a->reason,
                          a->can_assume);
    struct tree tree = {.type = TREE_NOT, .a = a, .has_shape = a->has_shape, .place = a->place};
    if (a->has_shape)
        tree.shape = shape_not(importer, a->shape);
    return keep(importer, tree);
}

const struct tree *tree_join(struct importer *importer, const struct tree *a, const struct tree *b,
                             bool both)
{
    if (tree_is(a, !both) || tree_is(b, both))
        return a;
    if (tree_is(b, !both) || tree_is(a, both))
        return b;
    struct tree tree = {.type = both ? TREE_AND : TREE_OR, .a = a, .b = b, .place = a->place};
    if (a->has_shape && b->has_shape && text_equal(a->shape.attribute, b->shape.attribute)) {
        tree.has_shape = true;
        tree.shape = shape_join(importer, a->shape, b->shape, both);
        if (is_exactly(&tree.shape, NO) || is_exactly(&tree.shape, YES))
            return tree_constant(tree.shape.missing == YES);
    }
    return keep(importer, tree);
}
