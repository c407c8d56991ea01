/* import_operand.h - private to import_compare.c and import_test.c: what stands beside an operator.
 */
#ifndef WEIR_IMPORT_OPERAND_H
#define WEIR_IMPORT_OPERAND_H

#include "import_private.h"

#define TWO_SIDES "weir compares an attribute with a constant only"
#define DEFAULTS "a default of var holds for null in some places of a rule and not in others"

enum operand_type {
    OPERAND_CONSTANT,
    OPERAND_VARIABLE,
    OPERAND_CAT,    /* cat of one variable */
    OPERAND_SUBSTR, /* of a variable */
    OPERAND_DIGITS, /* of a time: substr 0,4; 5,2; 8,2; 11,2; 14,2; 17,2 put together */
    OPERAND_VALUE,  /* if: another flag's targeting */
    OPERAND_OTHER,
};

struct operand {
    enum operand_type type;
    const struct node *node, *fallback;
    struct text path;
    int from, length;
};

struct operand operand_read(struct importer *importer, const struct node *node);
/* What a shape says where the attribute is missing, with a default of var (or NULL). */
enum truth operand_default(struct importer *importer, const struct shape *shape,
                           const struct node *fallback);
/* A number that weir would not take. */
bool operand_is_beyond(const struct node *constant);
const struct formula *formula_one(struct importer *importer, struct text text);
/* GO Feature Flag evaluates JSONLogic by another engine, which is known to agree where nothing has
 * to be coerced; elsewhere it is not. */
struct shape shape_as_go(struct importer *importer, struct shape shape, const struct node *constant,
                         bool equality);
/* A character of a string at a place, as weir's own guards ask. */
const struct tree *guard_condition(struct importer *importer, const struct node *place,
                                   const struct operand *cut, struct text text, bool is);

#endif
