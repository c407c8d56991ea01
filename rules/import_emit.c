/* Trees as weir conditions. What cannot be written is told, all of it. */
#include <math.h>
#include <stdio.h>

#include "codes.h"
#include "import_private.h"

#define MOST_PARTS 10000 /* of an and or an or; weir's compiler takes 2000 */
#define VERSION_ROOM 900 /* of one semver range */

/* --- pieces ---------------------------------------------------------------------------------- */

static struct node *condition(struct importer *importer, struct text attribute,
                              const char *operator_text, const struct node *operand)
{
    struct node *map = build_map(importer);
    build_put(importer, map, "attribute", build_string(importer, attribute));
    build_put(importer, map, operator_text, operand);
    return map;
}

static struct node *group(struct importer *importer, const char *word, const struct node *list)
{
    struct node *map = build_map(importer);
    build_put(importer, map, word, list);
    return map;
}

/* {word: [a, b, …]}, or what stands in it where that is one alone; parts of a list in a list of the
 * same word are put into the outer one. */
static const struct node *combine(struct importer *importer, const char *word,
                                  const struct node *list)
{
    struct node *flat = build_list(importer);
    if (!list || !flat)
        return NULL;
    for (const struct node *part = list->first; part; part = part->next) {
        const struct node *inner = node_get(part, word);
        for (const struct node *deeper = inner ? inner->first : NULL; deeper; deeper = deeper->next)
            build_append(importer, flat, deeper);
        if (!inner)
            build_append(importer, flat, part);
    }
    return flat->count == 1 ? flat->first : group(importer, word, flat);
}

/* A condition turned around, in the words for that where there are some. */
static const struct node *negate(struct importer *importer, const struct node *node)
{
    static const char *const pairs[][2] = {
        {"is", "isNot"}, {"in", "notIn"}, {"isNot", "is"}, {"notIn", "in"}};
    const struct node *inner = node_get(node, "not"), *any = node_get(node, "any");
    if (!node || inner)
        return inner;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        const struct node *operand = node_get(node, pairs[i][0]);
        if (operand)
            return condition(importer, node_get_string(node, "attribute"), pairs[i][1], operand);
    }
    const struct node *exists = node_get(node, "exists");
    if (exists)
        return condition(importer, node_get_string(node, "attribute"), "exists",
                         build_bool(importer, !exists->boolean));
    if (any && any->count > 1) {
        struct node *all = build_list(importer);
        for (const struct node *part = any->first; part; part = part->next)
            build_append(importer, all, negate(importer, part));
        return combine(importer, "all", all);
    }
    return group(importer, "not", node);
}

/* --- numbers --------------------------------------------------------------------------------- */

/* One stretch from `low` to `high` (NULL: no end). */
static const struct node *stretch(struct importer *importer, struct text attribute,
                                  const double *low, bool low_in, const double *high, bool high_in)
{
    const struct node *from = NULL, *to = NULL;
    if (low && high && low_in && high_in) {
        struct node *bounds = build_list(importer);
        build_append(importer, bounds, build_number(importer, *low));
        build_append(importer, bounds, build_number(importer, *high));
        return condition(importer, attribute, "between", bounds);
    }
    if (low)
        from = condition(importer, attribute, low_in ? "gte" : "gt", build_number(importer, *low));
    if (high)
        to = condition(importer, attribute, high_in ? "lte" : "lt", build_number(importer, *high));
    if (!low || !high)
        return from ? from : to;
    struct node *all = build_list(importer);
    build_append(importer, all, from);
    build_append(importer, all, to);
    return group(importer, "all", all);
}

/* Points that stand alone go to `scalars`, stretches to `parts`; not those for which the conditions
 * of `formula` hold already. */
static void emit_numbers(struct importer *importer, const struct shape *shape,
                         const struct formula *formula, struct node ***scalars, struct node *parts)
{
    struct numbers set = shape->numbers;
    size_t last = set.count * 2;
    for (size_t i = 0; i <= last;) {
        size_t end = i;
        if (set.regions[i] != YES) {
            i++;
            continue;
        }
        while (end < last && set.regions[end + 1] == YES)
            end++;
        const double *low = i ? &set.points[(i - 1) / 2] : NULL;
        const double *high = end < last ? &set.points[end / 2] : NULL;
        if (!low && !high) { /* all of them: there is no one word for it */
            double zero = 0;
            build_append(importer, parts,
                         stretch(importer, shape->attribute, NULL, false, &zero, false));
            build_append(importer, parts,
                         stretch(importer, shape->attribute, &zero, true, NULL, false));
        } else if (i == end && i % 2) {
            bool there = formula_elsewhere(formula, low);
            struct node *number = there ? NULL : build_number(importer, *low);
            if (number) {
                **scalars = number;
                *scalars = &number->next;
            }
        } else {
            build_append(importer, parts,
                         stretch(importer, shape->attribute, low, i % 2, high, end % 2));
        }
        i = end + 1;
    }
}

/* --- strings --------------------------------------------------------------------------------- */

static const struct node *emit_formula(struct importer *importer, struct text attribute,
                                       const struct formula *formula);

static struct node **add_texts(struct importer *importer, struct node **tail,
                               const struct text *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct node *item = build_string(importer, items[i]);
        if (!item)
            break;
        *tail = item;
        tail = &item->next;
    }
    return tail;
}

/* {is: x} or {in: [x, …]} of a chain of scalars. */
static const struct node *emit_scalars(struct importer *importer, struct text attribute,
                                       struct node *first)
{
    struct node *list = build_list(importer);
    if (!first || !list)
        return NULL;
    if (!first->next)
        return condition(importer, attribute, "is", first);
    list->first = first;
    for (const struct node *item = first; item; item = item->next)
        list->count++;
    return condition(importer, attribute, "in", list);
}

static bool has_guards(const struct formula *all, unsigned first, unsigned count)
{
    unsigned found = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct formula *part = all->children[i];
        if (part->type == FORMULA_GUARD && part->index >= first && part->index < first + count)
            found |= 1u << (part->index - first);
    }
    return found == (1u << count) - 1;
}

static bool has_text(const struct formula *all, enum formula_type type, const char *text)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->children[i]->type == type && text_is(all->children[i]->text, text))
            return true;
    }
    return false;
}

/* All sem_ver comparisons of an `and` as one range, or as several where it would grow long. */
static void emit_versions(struct importer *importer, struct text attribute,
                          const struct formula *all, struct node *parts)
{
    struct buffer range;
    buffer_init(&range, 0);
    for (size_t i = 0; i <= all->count; i++) {
        const struct formula *part = i < all->count ? all->children[i] : NULL;
        bool version = part && part->type == FORMULA_VERSION;
        if (range.length &&
            (!part || (version && range.length + part->text.length > VERSION_ROOM))) {
            struct text copy = {NULL, 0};
            if (range.failed || !arena_copy(importer->arena, buffer_text(&range), &copy))
                importer->no_memory = true;
            build_append(importer, parts,
                         condition(importer, attribute, "semver", build_string(importer, copy)));
            buffer_clear(&range);
        }
        if (version) {
            buffer_printf(&range, "%s%s", range.length ? " " : "", part->word);
            buffer_append_text(&range, part->text);
        }
    }
    buffer_dispose(&range);
}

/* "20260101093000" is 2026-01-01T09:30:00Z. */
static const struct node *emit_time(struct importer *importer, struct text attribute,
                                    const struct formula *part)
{
    const char *d = part->text.data;
    char text[32];
    struct text copy = {NULL, 0};
    snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", d, d + 4, d + 6, d + 8, d + 10,
             d + 12);
    if (!arena_copy(importer->arena, text_of(text), &copy))
        importer->no_memory = true;
    return condition(importer, attribute, *part->word == '<' ? "before" : "after",
                     build_string(importer, copy));
}

static const struct node *emit_all(struct importer *importer, struct text attribute,
                                   const struct formula *all)
{
    struct node *parts = build_list(importer);
    bool versions = has_guards(all, GUARD_VERSION_FIRST, GUARD_VERSION_COUNT) &&
                    has_text(all, FORMULA_CONTAINS, ".");
    bool times =
        has_guards(all, GUARD_TIME_FIRST, GUARD_TIME_COUNT) && has_text(all, FORMULA_SUFFIX, "Z");
    bool version_used = false, time_used = false;
    if (versions)
        emit_versions(importer, attribute, all, parts);
    version_used = parts && parts->count > 0;
    for (size_t i = 0; i < all->count; i++)
        time_used |= times && all->children[i]->type == FORMULA_TIME;
    for (size_t i = 0; i < all->count; i++) {
        const struct formula *part = all->children[i];
        const struct node *node = NULL;
        if (part->type == FORMULA_VERSION && version_used)
            continue;
        if (part->type == FORMULA_GUARD &&
            (part->index < GUARD_TIME_FIRST ? version_used : time_used))
            continue;
        if ((version_used && part->type == FORMULA_CONTAINS && text_is(part->text, ".")) ||
            (time_used && part->type == FORMULA_SUFFIX && text_is(part->text, "Z")))
            continue;
        node = part->type == FORMULA_TIME && time_used ? emit_time(importer, attribute, part)
                                                       : emit_formula(importer, attribute, part);
        if (!node)
            return NULL;
        build_append(importer, parts, node);
    }
    return combine(importer, "all", parts);
}

static const struct node *emit_any(struct importer *importer, struct text attribute,
                                   const struct formula *any)
{
    struct node *parts = build_list(importer);
    for (size_t i = 0; i < any->count; i++) {
        const struct node *node = emit_formula(importer, attribute, any->children[i]);
        if (!node)
            return NULL;
        build_append(importer, parts, node);
    }
    return combine(importer, "any", parts);
}

static const struct node *emit_formula(struct importer *importer, struct text attribute,
                                       const struct formula *formula)
{
    struct node *first = NULL;
    const struct node *inner;
    switch (formula->type) {
    case FORMULA_IN:
        add_texts(importer, &first, formula->items, formula->count);
        return emit_scalars(importer, attribute, first);
    case FORMULA_PREFIX:
        return condition(importer, attribute, "startsWith", build_string(importer, formula->text));
    case FORMULA_SUFFIX:
        return condition(importer, attribute, "endsWith", build_string(importer, formula->text));
    case FORMULA_CONTAINS:
        return condition(importer, attribute, "contains", build_string(importer, formula->text));
    case FORMULA_HAS_NUMBER:
        return condition(importer, attribute, "contains", build_number(importer, formula->number));
    case FORMULA_AND:
        return emit_all(importer, attribute, formula);
    case FORMULA_OR:
        return emit_any(importer, attribute, formula);
    case FORMULA_NOT:
        inner = emit_formula(importer, attribute, formula->children[0]);
        return inner ? negate(importer, inner) : NULL;
    case FORMULA_CONSTANT:
    case FORMULA_VERSION:
    case FORMULA_GUARD:
    case FORMULA_TIME:
    case FORMULA_HAS_STRING:
        break;
    }
    return NULL;
}

/* --- a shape --------------------------------------------------------------------------------- */

/* Whether every number for which the formula's conditions also hold may be in the set. */
static bool numbers_agree(const struct formula *formula, const struct formula *part,
                          struct numbers set)
{
    if (part->type == FORMULA_HAS_NUMBER)
        return !formula_elsewhere(formula, &part->number) ||
               truth_may_be(numbers_at(set, part->number), true);
    if (part->type != FORMULA_AND && part->type != FORMULA_OR && part->type != FORMULA_NOT)
        return true;
    for (size_t i = 0; i < part->count; i++) {
        if (!numbers_agree(formula, part->children[i], set))
            return false;
    }
    return true;
}

/* Whether the conditions for `formula` say what the shape says of strings, lists and the rest. */
static bool agrees(struct importer *importer, const struct shape *shape,
                   const struct formula *formula)
{
    const struct formula *string = formula_as_string(importer, formula);
    const struct formula *list = formula_as_list(importer, formula);
    return (formula_is_free(shape->string) || formula_equal(string, shape->string)) &&
           (formula_is_free(shape->list) || formula_equal(list, shape->list)) &&
           !formula_elsewhere(formula, NULL) && numbers_agree(formula, formula, shape->numbers);
}

/* The formula to write for strings and lists; NULL where there is none that fits both. */
static const struct formula *choose(struct importer *importer, const struct shape *shape)
{
    const struct formula *of_list = formula_of_list(importer, shape->list);
    const struct formula *no = formula_constant(NO);
    const struct formula *string = formula_is_free(shape->string) ? no : shape->string;
    const struct formula *list = formula_is_free(shape->list) ? no : of_list;
    const struct formula *const tries[] = {string, list,
                                           formula_join(importer, string, list, false)};
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        if (!formula_is(tries[i], YES) && !formula_is(tries[i], OPAQUE) &&
            agrees(importer, shape, tries[i]))
            return tries[i];
    }
    return NULL;
}

/* The condition as a list of what it holds for; NULL where some of that has no words. */
static const struct node *emit_members(struct importer *importer, const struct shape *shape)
{
    const struct formula *formula = choose(importer, shape);
    struct node *parts = build_list(importer), *scalars = NULL, **tail = &scalars;
    if (!formula || !truth_may_be(shape->map, false) || shape->missing == OPAQUE ||
        shape->is_true == OPAQUE || shape->is_false == OPAQUE)
        return NULL;
    for (size_t i = 0; i < shape->numbers.count * 2 + 1; i++) {
        if (shape->numbers.regions[i] == OPAQUE)
            return NULL;
    }
    if (shape->missing == YES)
        build_append(importer, parts,
                     condition(importer, shape->attribute, "exists", build_bool(importer, false)));
    if (formula->type == FORMULA_IN)
        tail = add_texts(importer, tail, formula->items, formula->count);
    for (int value = 1; value >= 0; value--) {
        struct node *boolean = NULL;
        if ((value ? shape->is_true : shape->is_false) == YES)
            boolean = build_bool(importer, value);
        if (boolean) {
            *tail = boolean;
            tail = &boolean->next;
        }
    }
    emit_numbers(importer, shape, formula, &tail, parts);
    if (scalars)
        build_append(importer, parts, emit_scalars(importer, shape->attribute, scalars));
    if (formula->type != FORMULA_IN && !formula_is(formula, NO)) {
        const struct node *node = emit_formula(importer, shape->attribute, formula);
        if (!node)
            return NULL;
        build_append(importer, parts, node);
    }
    return combine(importer, "any", parts);
}

/* --- the time of the evaluation: integer seconds ---------------------------------------------- */

/* before or after the first integer from `second` on. */
static const struct node *emit_second(struct importer *importer, bool before, double second)
{
    return condition(importer, TEXT(IMPORT_NOW), before ? "before" : "after",
                     build_number(importer, ceil(second)));
}

static const struct node *emit_now(struct importer *importer, const struct shape *shape)
{
    struct numbers set = shape->numbers;
    struct node *any = build_list(importer);
    size_t last = set.count * 2;
    for (size_t i = 0; i <= last;) {
        size_t end = i;
        if (set.regions[i] == OPAQUE)
            return NULL;
        if (set.regions[i] != YES) {
            i++;
            continue;
        }
        while (end < last && set.regions[end + 1] == YES)
            end++;
        struct node *all = build_list(importer);
        if (i) { /* an even i is a stretch that begins behind its point */
            double low = set.points[(i - 1) / 2];
            build_append(importer, all, emit_second(importer, false, i % 2 ? low : floor(low) + 1));
        }
        if (end < last) {
            double high = set.points[end / 2];
            build_append(importer, all,
                         emit_second(importer, true, end % 2 ? floor(high) + 1 : high));
        }
        build_append(importer, any, combine(importer, "all", all));
        i = end + 1;
    }
    return combine(importer, "any", any);
}

static void note_freedom(struct importer *importer, enum truth truth)
{
    importer->errors |= truth == ERROR;
    importer->assumed |= truth == ASSUMED;
}

static void note_freedoms(struct importer *importer, const struct shape *shape)
{
    note_freedom(importer, shape->missing);
    note_freedom(importer, shape->is_true);
    note_freedom(importer, shape->is_false);
    note_freedom(importer, shape->map);
    for (size_t i = 0; i < shape->numbers.count * 2 + 1; i++)
        note_freedom(importer, (enum truth)shape->numbers.regions[i]);
    if (shape->string->type == FORMULA_CONSTANT)
        note_freedom(importer, shape->string->truth);
    if (shape->list->type == FORMULA_CONSTANT)
        note_freedom(importer, shape->list->truth);
}

const struct node *shape_emit(struct importer *importer, const struct shape *shape)
{
    if (text_is(shape->attribute, IMPORT_NOW))
        return emit_now(importer, shape);
    if (text_is(shape->attribute, IMPORT_ELEMENT))
        return NULL;
    const struct node *node = emit_members(importer, shape);
    if (!node) {
        struct shape outside = shape_not(importer, *shape);
        node = emit_members(importer, &outside);
        node = node ? negate(importer, node) : NULL;
    }
    if (node)
        note_freedoms(importer, shape);
    return node;
}

/* --- a tree ---------------------------------------------------------------------------------- */

static void tell(struct importer *importer, const struct tree *tree)
{
    const char *hint = "write the rule by hand";
    if (tree->can_assume && !importer->options.as_written)
        hint = "--as-written carries it over for attributes that have the type and the letters "
               "that the rule is written with";
    importer_refuse(importer, CODE_IMPORT_RULE, importer_place(importer, tree->place), hint, "%s",
                    tree->reason ? tree->reason : "weir has no condition that means the same");
}

static size_t count_parts(const struct tree *tree, enum tree_type type)
{
    size_t count = 0;
    for (; tree->type == type; tree = tree->a)
        count += count_parts(tree->b, type);
    return count + 1;
}

static size_t collect(const struct tree *tree, enum tree_type type, const struct tree **out,
                      size_t count)
{
    if (tree->type != type) {
        out[count] = tree;
        return count + 1;
    }
    count = collect(tree->a, type, out, count);
    return collect(tree->b, type, out, count);
}

/* All parts that speak of the attribute of parts[first] as one shape; NULL where that has no
 * words. What it took is NULL afterwards. */
static const struct node *emit_together(struct importer *importer, const struct tree **parts,
                                        size_t count, size_t first, bool both)
{
    struct shape joined = parts[first]->shape;
    size_t taken = 1;
    for (size_t i = first + 1; i < count; i++) {
        if (!parts[i] || !parts[i]->has_shape ||
            !text_equal(parts[i]->shape.attribute, joined.attribute))
            continue;
        joined = shape_join(importer, joined, parts[i]->shape, both);
        taken++;
    }
    const struct node *node = taken > 1 ? shape_emit(importer, &joined) : NULL;
    if (!node)
        return NULL;
    for (size_t i = first + 1; i < count; i++) {
        if (parts[i] && parts[i]->has_shape &&
            text_equal(parts[i]->shape.attribute, joined.attribute))
            parts[i] = NULL;
    }
    return node;
}

static const struct node *emit_list(struct importer *importer, const struct tree *tree)
{
    bool both = tree->type == TREE_AND, complete = true;
    size_t count = count_parts(tree, tree->type);
    const struct tree **parts = importer_take(importer, count, sizeof *parts);
    struct node *list = build_list(importer);
    if (!parts)
        return NULL;
    if (count > MOST_PARTS) {
        tell(importer,
             &(struct tree){.place = tree->place, .reason = "list has too many conditions"});
        return NULL;
    }
    collect(tree, tree->type, parts, 0);
    for (size_t i = 0; i < count; i++) {
        const struct node *node = NULL;
        if (!parts[i])
            continue;
        if (parts[i]->has_shape && !tree->has_shape)
            node = emit_together(importer, parts, count, i, both);
        if (!node)
            node = tree_emit(importer, parts[i]);
        complete &= node != NULL;
        if (node)
            build_append(importer, list, node);
    }
    return complete ? combine(importer, both ? "all" : "any", list) : NULL;
}

const struct node *tree_emit(struct importer *importer, const struct tree *tree)
{
    const struct node *node = NULL;
    if (tree->has_shape)
        node = shape_emit(importer, &tree->shape);
    if (node)
        return node;
    switch (tree->type) {
    case TREE_CONSTANT:
        return group(importer, tree->constant ? "all" : "any", build_list(importer));
    case TREE_READY:
        return tree->ready;
    case TREE_AND:
    case TREE_OR:
        return emit_list(importer, tree);
    case TREE_NOT:
        node = tree_emit(importer, tree->a);
        return node ? negate(importer, node) : NULL;
    case TREE_SHAPE:
    case TREE_REFUSED:
        break;
    }
    if (!importer->no_memory)
        tell(importer, tree);
    return NULL;
}
