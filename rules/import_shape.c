/* Shapes: for which JSON values of one attribute a condition holds. */
#include "import_private.h"

struct shape shape_all(struct importer *importer, struct text attribute, enum truth truth)
{
    return (struct shape){.attribute = attribute,
                          .missing = truth,
                          .is_true = truth,
                          .is_false = truth,
                          .map = truth,
                          .numbers = numbers_all(importer, truth),
                          .string = formula_constant(truth),
                          .list = formula_constant(truth)};
}

struct shape shape_not(struct importer *importer, struct shape a)
{
    return (struct shape){.attribute = a.attribute,
                          .missing = truth_not(a.missing),
                          .is_true = truth_not(a.is_true),
                          .is_false = truth_not(a.is_false),
                          .map = truth_not(a.map),
                          .numbers = numbers_not(importer, a.numbers),
                          .string = formula_not(importer, a.string),
                          .list = formula_not(importer, a.list)};
}

struct shape shape_join(struct importer *importer, struct shape a, struct shape b, bool both)
{
    enum truth (*join)(enum truth, enum truth) = both ? truth_and : truth_or;
    return (struct shape){.attribute = a.attribute,
                          .missing = join(a.missing, b.missing),
                          .is_true = join(a.is_true, b.is_true),
                          .is_false = join(a.is_false, b.is_false),
                          .map = join(a.map, b.map),
                          .numbers = numbers_join(importer, a.numbers, b.numbers, both),
                          .string = formula_join(importer, a.string, b.string, both),
                          .list = formula_join(importer, a.list, b.list, both)};
}

static bool formula_may_be(const struct formula *formula, bool wanted)
{
    return formula->type == FORMULA_CONSTANT && truth_may_be(formula->truth, wanted);
}

bool shape_may_be(const struct shape *shape, bool wanted)
{
    return truth_may_be(shape->missing, wanted) && truth_may_be(shape->is_true, wanted) &&
           truth_may_be(shape->is_false, wanted) && truth_may_be(shape->map, wanted) &&
           numbers_may_be(shape->numbers, wanted) && formula_may_be(shape->string, wanted) &&
           formula_may_be(shape->list, wanted);
}

enum truth shape_at(const struct shape *shape, const struct node *value)
{
    switch (value->type) {
    case NODE_NULL:
        return shape->missing;
    case NODE_BOOL:
        return value->boolean ? shape->is_true : shape->is_false;
    case NODE_NUMBER:
        return numbers_at(shape->numbers, value->number);
    case NODE_STRING:
        return formula_at(shape->string, value->string);
    case NODE_LIST:
    case NODE_MAP:
        break;
    }
    return OPAQUE;
}
