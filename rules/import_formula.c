/* What comparisons say of strings and of lists, for import. */
#include "import_private.h"

#define MOST_PARTS 10000 /* of an and or an or; more have no words in weir */

const struct import_guard import_guards[GUARD_COUNT] = {
    {0, 1, "v0123456789", false},
    {1, 1, "0123456789.", false},
    {-1, 0, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-", false},
    {4, 1, "-", true},
    {7, 1, "-", true},
    {10, 1, "T", true},
    {13, 1, ":", true},
    {16, 1, ":", true},
    {19, 1, ".Z", false},
};

const struct formula *formula_constant(enum truth truth)
{
    static const struct formula constants[] = {
        {.truth = NO}, {.truth = YES}, {.truth = ERROR}, {.truth = ASSUMED}, {.truth = OPAQUE}};
    return &constants[truth];
}

static const struct formula *keep(struct importer *importer, struct formula formula)
{
    struct formula *copy = importer_take(importer, 1, sizeof *copy);
    if (!copy)
        return formula_constant(NO);
    *copy = formula;
    return copy;
}

const struct formula *formula_text(struct importer *importer, enum formula_type type,
                                   struct text text)
{
    if (text.length == 0 && type == FORMULA_HAS_STRING)
        return formula_constant(OPAQUE); /* weir's `contains` takes no empty string */
    if (text.length == 0)
        return formula_constant(YES); /* every string begins with nothing */
    return keep(importer, (struct formula){.type = type, .text = text});
}

const struct formula *formula_word(struct importer *importer, enum formula_type type,
                                   const char *word, struct text text)
{
    return keep(importer, (struct formula){.type = type, .text = text, .word = word});
}

const struct formula *formula_guard(struct importer *importer, unsigned index)
{
    return keep(importer, (struct formula){.type = FORMULA_GUARD, .index = index});
}

const struct formula *formula_number(struct importer *importer, double number)
{
    return keep(importer, (struct formula){.type = FORMULA_HAS_NUMBER, .number = number});
}

const struct formula *formula_in(struct importer *importer, const struct text *items, size_t count)
{
    if (count == 0)
        return formula_constant(NO);
    return keep(importer, (struct formula){.type = FORMULA_IN, .items = items, .count = count});
}

const struct formula *formula_not(struct importer *importer, const struct formula *a)
{
    if (a->type == FORMULA_CONSTANT)
        return formula_constant(truth_not(a->truth));
    if (a->type == FORMULA_NOT)
        return a->children[0];
    const struct formula **children = importer_take(importer, 1, sizeof *children);
    if (!children)
        return formula_constant(NO);
    children[0] = a;
    return keep(importer, (struct formula){.type = FORMULA_NOT, .children = children, .count = 1});
}

bool formula_equal(const struct formula *a, const struct formula *b)
{
    if (a == b)
        return true;
    if (a->type != b->type || a->truth != b->truth || a->count != b->count ||
        a->index != b->index || a->number != b->number || !text_equal(a->text, b->text) ||
        (a->word != b->word && (!a->word || !b->word || strcmp(a->word, b->word) != 0)))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->type == FORMULA_IN ? !text_equal(a->items[i], b->items[i])
                                  : !formula_equal(a->children[i], b->children[i]))
            return false;
    }
    return true;
}

/* --- one string ------------------------------------------------------------------------------ */

static bool text_has(struct text text, struct text part)
{
    return part.length == 0 || (part.length <= text.length &&
                                memmem(text.data, text.length, part.data, part.length) != NULL);
}

static enum truth truth_of(bool value)
{
    return value ? YES : NO;
}

static enum truth list_at(const struct formula *formula, struct text string)
{
    bool both = formula->type == FORMULA_AND;
    enum truth result = both ? YES : NO;
    for (size_t i = 0; i < formula->count; i++) {
        enum truth child = formula_at(formula->children[i], string);
        result = both ? truth_and(result, child) : truth_or(result, child);
    }
    return result;
}

enum truth formula_at(const struct formula *formula, struct text string)
{
    switch (formula->type) {
    case FORMULA_CONSTANT:
        return formula->truth;
    case FORMULA_IN:
        for (size_t i = 0; i < formula->count; i++) {
            if (text_equal(formula->items[i], string))
                return YES;
        }
        return NO;
    case FORMULA_PREFIX:
        return truth_of(text_starts_with(string, formula->text));
    case FORMULA_SUFFIX:
        return truth_of(text_ends_with(string, formula->text));
    case FORMULA_CONTAINS:
        return truth_of(text_has(string, formula->text));
    case FORMULA_AND:
    case FORMULA_OR:
        return list_at(formula, string);
    case FORMULA_NOT:
        return truth_not(formula_at(formula->children[0], string));
    case FORMULA_VERSION:
    case FORMULA_GUARD:
    case FORMULA_TIME:
    case FORMULA_HAS_STRING:
    case FORMULA_HAS_NUMBER:
        break;
    }
    return OPAQUE;
}

/* --- and, or --------------------------------------------------------------------------------- */

#define FEW 8 /* up to so many each is compared with each */

static bool learn(struct importer *importer, const struct formula *in)
{
    static const struct node there = {.type = NODE_NULL};
    if (!names_reset(&importer->keys, in->count)) {
        importer->no_memory = true;
        return false;
    }
    for (size_t i = 0; i < in->count; i++)
        names_put(&importer->keys, in->items[i], &there, 0);
    return true;
}

/* The items of a list for which `filter` is `wanted`; NULL where that cannot be told of each. */
static const struct formula *filter_in(struct importer *importer, const struct formula *in,
                                       const struct formula *filter, enum truth wanted)
{
    bool negated = filter->type == FORMULA_NOT && filter->children[0]->type == FORMULA_IN;
    const struct formula *list = negated ? filter->children[0] : filter;
    bool known = list->type == FORMULA_IN && list->count > FEW;
    if (!importer_work(importer, in->count + (known ? list->count : 0)) ||
        (known && !learn(importer, list)))
        return NULL;
    struct text *kept = importer_take(importer, in->count, sizeof *kept);
    size_t count = 0;
    for (size_t i = 0; kept && i < in->count; i++) {
        enum truth truth =
            known ? truth_of((names_find(&importer->keys, in->items[i]) != NULL) != negated)
                  : formula_at(filter, in->items[i]);
        if (truth != YES && truth != NO)
            return NULL;
        if (truth == wanted)
            kept[count++] = in->items[i];
    }
    return kept ? formula_in(importer, kept, count) : NULL;
}

/* An or of two lists is one list. */
static const struct formula *unite(struct importer *importer, const struct formula *a,
                                   const struct formula *b)
{
    const struct formula *rest = filter_in(importer, b, a, NO);
    size_t total;
    if (!rest)
        rest = b;
    if (rest->type != FORMULA_IN)
        return a;
    if (!size_add(a->count, rest->count, &total))
        return NULL;
    struct text *items = importer_take(importer, total, sizeof *items);
    if (!items)
        return NULL;
    memcpy(items, a->items, a->count * sizeof *items);
    memcpy(items + a->count, rest->items, rest->count * sizeof *items);
    return formula_in(importer, items, total);
}

/* One formula for two where the outcome is simpler than both; else NULL. */
static const struct formula *simplify(struct importer *importer, const struct formula *a,
                                      const struct formula *b, bool both)
{
    if (formula_equal(a, b))
        return a;
    if (a->type == FORMULA_NOT && b->type == FORMULA_NOT) {
        const struct formula *one = simplify(importer, a->children[0], b->children[0], !both);
        return one ? formula_not(importer, one) : NULL;
    }
    if (a->type == FORMULA_IN && b->type == FORMULA_IN && !both)
        return unite(importer, a, b);
    if (a->type != FORMULA_IN && b->type == FORMULA_IN) {
        const struct formula *swap = a;
        a = b;
        b = swap;
    }
    if (a->type != FORMULA_IN)
        return NULL;
    const struct formula *kept = filter_in(importer, a, b, both ? YES : NO);
    if (!kept || both)
        return kept;
    if (kept->type != FORMULA_IN)
        return b;
    return NULL;
}

static bool is_list(const struct formula *formula, bool both)
{
    return formula->type == (both ? FORMULA_AND : FORMULA_OR);
}

/* Puts one part into a list of parts that is simplified; false without memory, and when it has been
 * enough work. */
static bool put_part(struct importer *importer, const struct formula **parts, size_t *count,
                     const struct formula *part, bool both)
{
    if (!importer_work(importer, *count))
        return false;
    for (size_t i = 0; i < *count; i++) {
        const struct formula *one = simplify(importer, parts[i], part, both);
        if (importer->no_memory)
            return false;
        if (!one)
            continue;
        parts[i] = one;
        return true;
    }
    parts[(*count)++] = part;
    return true;
}

/* `a` is a constant. */
static const struct formula *join_constant(struct importer *importer, const struct formula *a,
                                           const struct formula *b, bool both)
{
    if (b->type == FORMULA_CONSTANT)
        return formula_constant(both ? truth_and(a->truth, b->truth)
                                     : truth_or(a->truth, b->truth));
    if (a->truth == OPAQUE || a->truth == (both ? NO : YES))
        return a;
    importer->errors |= a->truth == ERROR; /* what may be anything may be what the other is */
    importer->assumed |= a->truth == ASSUMED;
    return b;
}

/* Puts all parts of one side into a list; false as above. */
static bool put_parts(struct importer *importer, const struct formula **parts, size_t *count,
                      const struct formula *from, bool both)
{
    if (!is_list(from, both))
        return put_part(importer, parts, count, from, both);
    for (size_t i = 0; i < from->count; i++) {
        if (!put_part(importer, parts, count, from->children[i], both))
            return false;
    }
    return true;
}

const struct formula *formula_join(struct importer *importer, const struct formula *a,
                                   const struct formula *b, bool both)
{
    if (a->type == FORMULA_CONSTANT)
        return join_constant(importer, a, b, both);
    if (b->type == FORMULA_CONSTANT)
        return join_constant(importer, b, a, both);
    size_t room = (is_list(a, both) ? a->count : 1) + (is_list(b, both) ? b->count : 1), count = 0;
    const struct formula **parts = importer_take(importer, room, sizeof *parts);
    if (!parts || !put_parts(importer, parts, &count, a, both) ||
        !put_parts(importer, parts, &count, b, both))
        return formula_constant(OPAQUE);
    for (size_t i = 0; i < count; i++) {
        if (parts[i]->type == FORMULA_CONSTANT) /* a list of which nothing was left */
            return parts[i];
    }
    if (count == 1)
        return parts[0];
    return keep(importer, (struct formula){.type = both ? FORMULA_AND : FORMULA_OR,
                                           .children = parts,
                                           .count = count});
}

const struct formula *formula_any(struct importer *importer, const struct formula *const *children,
                                  size_t count)
{
    if (count == 0)
        return formula_constant(NO);
    if (count > MOST_PARTS)
        return formula_constant(OPAQUE);
    if (count == 1)
        return children[0];
    return keep(importer,
                (struct formula){.type = FORMULA_OR, .children = children, .count = count});
}

/* --- what weir's conditions say of other values ---------------------------------------------- */

bool formula_elsewhere(const struct formula *formula, const double *number)
{
    switch (formula->type) {
    case FORMULA_CONSTANT:
        return formula->truth == YES;
    case FORMULA_AND:
    case FORMULA_OR:
        for (size_t i = 0; i < formula->count; i++) {
            if (formula_elsewhere(formula->children[i], number) == (formula->type == FORMULA_OR))
                return formula->type == FORMULA_OR;
        }
        return formula->type == FORMULA_AND;
    case FORMULA_NOT:
        return !formula_elsewhere(formula->children[0], number);
    case FORMULA_HAS_NUMBER:
        return number && *number == formula->number;
    default:
        return false;
    }
}

typedef const struct formula *leaf_function(struct importer *importer, const struct formula *leaf);

static const struct formula *change(struct importer *importer, const struct formula *formula,
                                    leaf_function *leaf);

/* In halves, so that what is joined stays small. */
static const struct formula *change_all(struct importer *importer, const struct formula *formula,
                                        size_t from, size_t to, leaf_function *leaf)
{
    size_t middle = from + (to - from) / 2;
    if (to - from == 1)
        return change(importer, formula->children[from], leaf);
    const struct formula *left = change_all(importer, formula, from, middle, leaf);
    return formula_join(importer, left, change_all(importer, formula, middle, to, leaf),
                        formula->type == FORMULA_AND);
}

/* The same tree with each leaf changed. */
static const struct formula *change(struct importer *importer, const struct formula *formula,
                                    leaf_function *leaf)
{
    if (formula->type == FORMULA_NOT)
        return formula_not(importer, change(importer, formula->children[0], leaf));
    if (formula->type != FORMULA_AND && formula->type != FORMULA_OR)
        return leaf(importer, formula);
    return change_all(importer, formula, 0, formula->count, leaf);
}

static const struct formula *leaf_as_list(struct importer *importer, const struct formula *leaf)
{
    if (leaf->type == FORMULA_CONTAINS)
        return formula_text(importer, FORMULA_HAS_STRING, leaf->text);
    if (leaf->type == FORMULA_CONSTANT || leaf->type == FORMULA_HAS_NUMBER)
        return leaf;
    return formula_constant(NO);
}

static const struct formula *leaf_as_string(struct importer *importer, const struct formula *leaf)
{
    (void)importer;
    return leaf->type == FORMULA_HAS_NUMBER ? formula_constant(NO) : leaf;
}

static const struct formula *leaf_of_list(struct importer *importer, const struct formula *leaf)
{
    return leaf->type == FORMULA_HAS_STRING ? formula_text(importer, FORMULA_CONTAINS, leaf->text)
                                            : leaf;
}

const struct formula *formula_as_list(struct importer *importer, const struct formula *formula)
{
    return change(importer, formula, leaf_as_list);
}

const struct formula *formula_as_string(struct importer *importer, const struct formula *formula)
{
    return change(importer, formula, leaf_as_string);
}

const struct formula *formula_of_list(struct importer *importer, const struct formula *formula)
{
    return change(importer, formula, leaf_of_list);
}
