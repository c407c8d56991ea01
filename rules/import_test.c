/* What is asked of one attribute besides comparing it: in, starts_with, ends_with, sem_ver, and the
 * attribute by itself. */
#include <stdlib.h>

#include "import_operand.h"
#include "semver.h"

#define MOST_COMPONENT 999999999999999 /* what the schema takes */

/* --- in -------------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* X among constants. */
static const struct tree *among_condition(struct importer *importer, const struct node *place,
                                          const struct operand *variable, const struct node *list)
{
    struct shape shape = shape_all(importer, variable->path, NO);
    struct text *texts = importer_take(importer, list->count + 1, sizeof *texts);
    double *points = importer_take(importer, list->count + 1, sizeof *points);
    size_t text_count = 0, point_count = 0, kept = 0;
    if (!texts || !points)
        return tree_constant(false);
    for (const struct node *item = list->first; item; item = item->next) {
        if (item->type == NODE_LIST || item->type == NODE_MAP || operand_is_beyond(item))
            return tree_refused(importer, place, "weir's lists hold strings, numbers and booleans");
        if (item->type == NODE_STRING)
            texts[text_count++] = item->string;
        else if (item->type == NODE_NUMBER)
            points[point_count++] = item->number;
        else if (item->type == NODE_NULL)
            shape.missing = YES;
        else
            *(item->boolean ? &shape.is_true : &shape.is_false) = YES;
    }
    shape.string = formula_in(importer, texts, text_count);
    qsort(points, point_count, sizeof *points, compare_numbers);
    for (size_t i = 0; i < point_count; i++) {
        if (kept == 0 || points[i] != points[kept - 1])
            points[kept++] = points[i];
    }
    uint8_t *regions = importer_take(importer, kept * 2 + 1, 1);
    for (size_t i = 0; regions && i < kept; i++)
        regions[i * 2 + 1] = YES;
    if (regions)
        shape.numbers = (struct numbers){points, regions, kept};
    if (importer->from_goff && text_count) {
        struct node string = {.type = NODE_STRING};
        shape = shape_as_go(importer, shape, &string, false);
    }
    shape.missing = operand_default(importer, &shape, variable->fallback);
    return tree_shape(importer, shape, place, variable->fallback ? DEFAULTS : NULL, true);
}

/* c in X: part of a string, or entry of a list; nothing is in null, false, 0. */
static const struct tree *contains_condition(struct importer *importer, const struct node *place,
                                             struct text path, const struct node *constant)
{
    struct shape shape = shape_all(importer, path, NO);
    shape.is_true = shape.map = ERROR;
    shape.numbers = numbers_point(importer, 0, NO, ERROR);
    if (constant->type == NODE_STRING) {
        shape.string = formula_text(importer, FORMULA_CONTAINS, constant->string);
        shape.list = formula_text(importer, FORMULA_HAS_STRING, constant->string);
    } else if (constant->type == NODE_NUMBER && !operand_is_beyond(constant)) {
        shape.string = importer->options.as_written
                           ? formula_constant(ASSUMED)
                           : formula_text(importer, FORMULA_CONTAINS,
                                          importer_number(importer, constant->number));
        shape.list = formula_number(importer, constant->number);
    } else {
        return tree_refused(importer, place, "weir asks lists for strings and numbers only");
    }
    if (importer->from_goff)
        shape.is_true = shape.map = importer_unlikely(importer);
    return tree_shape(importer, shape, place,
                      "weir cannot ask a list and a string for different things", true);
}

const struct tree *in_condition(struct importer *importer, const struct node *node,
                                const struct node *needle, const struct node *list)
{
    struct operand a = operand_read(importer, needle), b = operand_read(importer, list);
    struct text name;
    const struct node *merged = logic_operator(list, &name);
    if (importer->no_memory)
        return tree_constant(false);
    if (a.type == OPERAND_VARIABLE && list->type == NODE_LIST)
        return among_condition(importer, node, &a, list);
    if (a.type == OPERAND_CONSTANT && b.type == OPERAND_VARIABLE && !b.fallback &&
        !importer->inside_some)
        return contains_condition(importer, node, b.path, a.node);
    if (a.type == OPERAND_SUBSTR && b.type == OPERAND_CONSTANT && list->type == NODE_STRING)
        return guard_condition(importer, node, &a, list->string, false);
    if (a.type == OPERAND_VARIABLE && merged && text_is(name, "merge") &&
        merged->type == NODE_LIST && merged->count == 1 && node_equal(merged->first, needle)) {
        /* weir's own: X in merge([X]) is false for lists only */
        struct shape shape = shape_all(importer, a.path, YES);
        shape.list = formula_constant(NO);
        return tree_shape(importer, shape, node, "weir has no condition for being a list", false);
    }
    return tree_refused(importer, node, TWO_SIDES);
}

/* --- starts_with, ends_with, sem_ver, an attribute by itself ---------------------------------- */

const struct tree *affix_condition(struct importer *importer, const struct node *node,
                                   const struct node *arguments, enum formula_type type)
{
    struct text path;
    const struct node *fallback, *affix;
    if (arguments->type != NODE_LIST || arguments->count != 2)
        return tree_constant(false); /* evaluates to null */
    affix = arguments->first->next;
    if (!logic_variable(arguments->first, &path, &fallback) || fallback || importer->inside_some ||
        path.length == 0 || affix->type == NODE_MAP || text_starts_with(path, TEXT("$flagd")))
        return tree_refused(importer, node, TWO_SIDES);
    if (affix->type != NODE_STRING)
        return tree_constant(false);
    struct shape shape = shape_all(importer, path, NO);
    shape.string = formula_text(importer, type, affix->string);
    return tree_shape(importer, shape, node, "weir has no condition for being a string", false);
}

static const char *comparison_word(struct text text)
{
    static const char *const words[] = {"=", "!=", "<", "<=", ">", ">=", "^", "~"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (text_is(text, words[i]))
            return words[i];
    }
    return NULL;
}

/* Numbers with more than two dots between them are no version to anybody. */
static bool has_many_dots(struct text text)
{
    size_t dots = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] != '.' && !(text.data[i] >= '0' && text.data[i] <= '9'))
            return false;
        dots += text.data[i] == '.';
    }
    return dots > 2;
}

/* A literal as weir's schema wants it, X.Y.Z[-pre]: flagd also takes v1.0.0, 1, 1.0
 * and 1.0.0+build. Empty where flagd takes it for none either. */
static struct text full_version(struct importer *importer, struct text text)
{
    struct semver version;
    struct text out = {NULL, 0};
    struct buffer full;
    if (text.length > 200)
        return out;
    if (text.length && (text.data[0] == 'v' || text.data[0] == 'V'))
        text = (struct text){text.data + 1, text.length - 1};
    bool plain = text.length > 0 && text.data[0] != 'v' && text.data[0] != 'V';
    bool strict = plain && semver_parse(text, &version);
    for (size_t i = 0; plain && !strict && i < text.length; i++)
        plain = (text.data[i] >= '0' && text.data[i] <= '9') || text.data[i] == '.';
    if (!strict && (!plain || !semver_parse_loosely(text, &version)))
        return out;
    if (version.major > MOST_COMPONENT || version.minor > MOST_COMPONENT ||
        version.patch > MOST_COMPONENT)
        return out;
    buffer_init(&full, 0);
    buffer_printf(&full, "%llu.%llu.%llu", (unsigned long long)version.major,
                  (unsigned long long)version.minor, (unsigned long long)version.patch);
    if (version.prerelease.length) {
        buffer_append_char(&full, '-');
        buffer_append_text(&full, version.prerelease);
    }
    if (full.failed || !arena_copy(importer->arena, buffer_text(&full), &out))
        importer->no_memory = true;
    buffer_dispose(&full);
    return out;
}

const struct tree *version_condition(struct importer *importer, const struct node *node,
                                     const struct node *arguments)
{
    struct text path;
    const struct node *fallback;
    if (arguments->type != NODE_LIST || arguments->count != 3)
        return tree_constant(false); /* evaluates to null */
    const struct node *word = arguments->first->next, *version = word->next;
    if (!logic_variable(arguments->first, &path, &fallback) || fallback || importer->inside_some ||
        path.length == 0 || text_starts_with(path, TEXT("$flagd")) || word->type != NODE_STRING ||
        version->type != NODE_STRING)
        return tree_refused(importer, node, TWO_SIDES);
    const char *known = comparison_word(word->string);
    if (!known)
        return tree_constant(false);
    struct text literal = full_version(importer, version->string);
    if (!literal.length && has_many_dots(version->string))
        return tree_constant(false); /* evaluates to null */
    if (!literal.length)
        return tree_refused(importer, node, "flagd and weir take this for no version");
    struct shape shape = shape_all(importer, path, NO);
    shape.string = formula_word(importer, FORMULA_VERSION, known, literal);
    shape.numbers = numbers_all(importer, importer_unlikely(importer));
    shape.list = formula_constant(importer_unlikely(importer));
    if (importer->options.as_written) { /* as weir's compiler guards it */
        shape.string = formula_join(importer, shape.string,
                                    formula_text(importer, FORMULA_CONTAINS, TEXT(".")), true);
        for (unsigned i = 0; i < GUARD_VERSION_COUNT; i++)
            shape.string = formula_join(importer, shape.string,
                                        formula_guard(importer, GUARD_VERSION_FIRST + i), true);
        importer->assumed = true;
    }
    return tree_shape(importer, shape, node,
                      "flagd also takes 2, \"2\" and \"V2.0.0\" for versions, and weir does not",
                      true);
}

const struct tree *truthy_condition(struct importer *importer, const struct node *node,
                                    struct text path, const struct node *fallback)
{
    struct text empty = {"", 0};
    if (text_is(path, "$flagd.flagKey") || text_is(path, IMPORT_NOW))
        return tree_constant(true);
    if ((path.length == 0) != (importer->inside_some > 0))
        return tree_refused(importer, node, "weir has no such path of an attribute");
    struct shape shape = shape_all(importer, path, YES);
    shape.missing = shape.is_false = NO;
    shape.numbers = numbers_point(importer, 0, NO, YES);
    shape.string = formula_not(importer, formula_one(importer, empty));
    if (importer->options.as_written) {
        shape.list = formula_constant(ASSUMED);
        shape.map = ASSUMED;
    } else {
        shape.list = formula_constant(OPAQUE);
        shape.map = OPAQUE;
    }
    shape.missing = operand_default(importer, &shape, fallback);
    return tree_shape(importer, shape, node,
                      "an empty list or map counts as false here, and weir cannot tell it", true);
}
