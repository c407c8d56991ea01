/* The query language of GO Feature Flag's rules (github.com/nikunjy/rules), as its parser reads it:
 *
 *     query = ["not"] ["(" query ")"] | query SP ("and" | "or") SP query | path SP "pr"
 *           | path SP operator SP value
 *
 * `and` and `or` bind alike, from the left. What is compared depends on how the value is written:
 * strings without regard to case (but `in` with), integers after cutting off the attribute's
 * fraction, numbers with a point as they are, X.Y.Z as versions. A missing attribute, and one of
 * another type, makes every comparison false, `ne` too. */
#include <math.h>
#include <stdio.h>

#include "import_private.h"
#include "path.h"

#define MOST_SPELLINGS 4096
#define CASE "GO Feature Flag compares strings without regard to case, and weir does not"
#define KINDS "weir has no condition for being a string"

struct query {
    struct importer *importer;
    const struct node *node; /* for places */
    struct text rest;
    const char *problem;
    bool compound; /* more than one comparison, or a negated one */
};

/* --- words ----------------------------------------------------------------------------------- */

static bool take(struct query *query, const char *word)
{
    if (!text_starts_with(query->rest, text_of(word)))
        return false;
    query->rest.data += strlen(word);
    query->rest.length -= strlen(word);
    return true;
}

static char next(const struct query *query)
{
    return query->rest.length ? query->rest.data[0] : '\0';
}

static const struct tree *fail(struct query *query, const char *problem)
{
    if (!query->problem)
        query->problem = problem;
    return tree_constant(false);
}

static struct text take_path(struct query *query)
{
    struct text path = {query->rest.data, 0};
    while (path.length < query->rest.length) {
        char c = path.data[path.length];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool later =
            path.length && path.data[path.length - 1] != '.' && c && strchr("0123456789-_:.", c);
        if (!letter && !later)
            break;
        path.length++;
    }
    if (path.length && path.data[path.length - 1] == '.')
        path.length = 0;
    query->rest.data += path.length;
    query->rest.length -= path.length;
    return path;
}

static const char *take_operator(struct query *query)
{
    static const char *const words[][4] = {{"eq", "EQ", "==", "eq"}, {"ne", "NE", "!=", "ne"},
                                           {"ge", "GE", ">=", ">="}, {"le", "LE", "<=", "<="},
                                           {"gt", "GT", ">", ">"},   {"lt", "LT", "<", "<"},
                                           {"co", "CO", "co", "co"}, {"sw", "SW", "sw", "sw"},
                                           {"ew", "EW", "ew", "ew"}, {"in", "IN", "in", "in"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        for (size_t j = 0; j < 3; j++) {
            if (take(query, words[i][j]))
                return words[i][3];
        }
    }
    return NULL;
}

/* --- shapes ---------------------------------------------------------------------------------- */

static struct shape nothing(struct query *query, struct text path)
{
    return shape_all(query->importer, path, NO);
}

/* How many of the letters have how many spellings that Go's ToLower() brings together: k and i have
 * one beyond ASCII. */
static size_t spellings_of(char c)
{
    if (c == 'k' || c == 'i')
        return 3;
    return c >= 'a' && c <= 'z' ? 2 : 1;
}

static void write_spelling(struct buffer *out, struct text lower, size_t which)
{
    for (size_t i = 0; i < lower.length; i++) {
        char c = lower.data[i];
        size_t count = spellings_of(c), choice = which % count;
        which /= count;
        if (choice == 2)
            buffer_append_string(out, c == 'k' ? "\u212a" : "\u0130");
        else
            buffer_append_char(out, choice == 1 ? (char)(c - 'a' + 'A') : c);
    }
}

/* All strings that equal this one but for case; NULL where they are too many, or not ASCII. */
static struct text *all_spellings(struct query *query, struct text text, size_t *count)
{
    struct importer *importer = query->importer;
    struct text lower = {NULL, 0}, *all = NULL;
    struct buffer one;
    char small[64];
    *count = 1;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x80 || text.length > sizeof small)
            return NULL;
        small[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        *count *= spellings_of(small[i]);
        if (*count > MOST_SPELLINGS)
            return NULL;
    }
    if (!importer_work(importer, *count))
        return NULL;
    lower = (struct text){small, text.length};
    all = importer_take(importer, *count, sizeof *all);
    buffer_init(&one, 0);
    for (size_t i = 0; all && i < *count; i++) {
        buffer_clear(&one);
        write_spelling(&one, lower, i);
        if (one.failed || !arena_copy(importer->arena, buffer_text(&one), &all[i]))
            importer->no_memory = true;
    }
    buffer_dispose(&one);
    return all;
}

static bool has_letters(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80)
            return true;
    }
    return false;
}

static const struct formula *string_formula(struct query *query, const char *word, struct text text)
{
    struct importer *importer = query->importer;
    enum formula_type type = *word == 's'   ? FORMULA_PREFIX
                             : *word == 'c' ? FORMULA_CONTAINS
                                            : FORMULA_SUFFIX;
    bool equals = strcmp(word, "eq") == 0 || strcmp(word, "ne") == 0,
         written = importer->options.as_written;
    size_t count = 1;
    struct text *items = &text;
    const struct formula *result;
    if (written) {
        importer->assumed |= has_letters(text);
        items = importer_take(importer, 1, sizeof *items);
        if (items)
            *items = text;
    } else if (equals) {
        items = all_spellings(query, text, &count);
        if (!items)
            return formula_constant(OPAQUE);
    } else if (has_letters(text)) {
        return formula_constant(OPAQUE);
    }
    if (!items)
        return formula_constant(NO);
    result = equals ? formula_in(importer, items, count) : formula_text(importer, type, text);
    return strcmp(word, "ne") == 0 ? formula_not(importer, result) : result;
}

static const struct tree *string_condition(struct query *query, struct text path, const char *word,
                                           struct text text)
{
    struct importer *importer = query->importer;
    struct shape shape = nothing(query, path);
    bool not_equal = strcmp(word, "ne") == 0;
    if (*word == '<' || *word == '>')
        return tree_refused(importer, query->node,
                            "weir compares numbers by order, and nothing else");
    if (strcmp(word, "in") == 0)
        return fail(query, "in needs a list");
    shape.string = string_formula(query, word, text);
    if (not_equal && importer->options.as_written) { /* a string, or missing */
        shape = shape_all(importer, path, ASSUMED);
        shape.missing = NO;
        shape.string = string_formula(query, word, text);
    } else if (*word == 'c' && importer->options.as_written) {
        shape.list = formula_constant(ASSUMED);
    }
    return tree_shape(importer, shape, query->node, formula_is(shape.string, OPAQUE) ? CASE : KINDS,
                      true);
}

/* An attribute's number without its fraction, against an integer: the numbers for which that
 * holds. */
static struct numbers whole_numbers(struct importer *importer, const char *word, double bound)
{
    struct numbers low, high;
    if (*word == 'e' || *word == 'n') {
        low = whole_numbers(importer, ">=", bound);
        high = whole_numbers(importer, "<=", bound);
        low = numbers_join(importer, low, high, true);
        return *word == 'e' ? low : numbers_not(importer, low);
    }
    if (strcmp(word, ">=") == 0)
        return numbers_compare(importer, bound > 0 ? ">=" : ">", bound > 0 ? bound : bound - 1);
    if (strcmp(word, "<=") == 0)
        return numbers_compare(importer, bound < 0 ? "<=" : "<", bound < 0 ? bound : bound + 1);
    return numbers_not(importer, whole_numbers(importer, *word == '>' ? "<=" : ">=", bound));
}

static const struct tree *number_condition(struct query *query, struct text path, const char *word,
                                           double bound, bool whole)
{
    struct importer *importer = query->importer;
    struct shape shape = nothing(query, path);
    if (strcmp(word, "in") == 0)
        return fail(query, "in needs a list");
    if (*word == 'c' || *word == 's' || strcmp(word, "ew") == 0)
        return fail(query, "this operator compares strings");
    if (fabs(bound) >= NUMBER_SAFE_INTEGER)
        return fail(query, "number is beyond 2^53 - 1, which weir refuses");
    if (whole)
        shape.numbers = whole_numbers(importer, word, bound);
    else if (*word == 'e' || *word == 'n')
        shape.numbers =
            numbers_point(importer, bound, *word == 'e' ? YES : NO, *word == 'e' ? NO : YES);
    else
        shape.numbers = numbers_compare(importer, word, bound);
    return tree_shape(importer, shape, query->node, NULL, false);
}

static const struct tree *version_tree(struct query *query, struct text path, const char *word,
                                       struct text version)
{
    struct importer *importer = query->importer;
    static const char *const known[][2] = {{"eq", "="},  {"ne", "!="}, {"<", "<"},
                                           {"<=", "<="}, {">", ">"},   {">=", ">="}};
    struct shape shape = nothing(query, path);
    const char *comparison = NULL;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(word, known[i][0]) == 0)
            comparison = known[i][1];
    }
    if (!comparison)
        return fail(query, "this operator does not compare versions");
    if (!importer->options.as_written)
        return tree_shape(importer, shape_all(importer, path, OPAQUE), query->node,
                          "GO Feature Flag takes X.Y.Z for a version, and weir also v2.4 and 2.4",
                          true);
    importer->assumed = true;
    shape.string = formula_word(importer, FORMULA_VERSION, comparison, version);
    shape.string = formula_join(importer, shape.string,
                                formula_text(importer, FORMULA_CONTAINS, TEXT(".")), true);
    for (unsigned i = 0; i < GUARD_VERSION_COUNT; i++)
        shape.string = formula_join(importer, shape.string,
                                    formula_guard(importer, GUARD_VERSION_FIRST + i), true);
    return tree_shape(importer, shape, query->node, NULL, false);
}

/* --- values ---------------------------------------------------------------------------------- */

static struct text take_string(struct query *query)
{
    struct text text = {query->rest.data + 1, 0};
    size_t i = 1;
    while (i < query->rest.length && query->rest.data[i] != '"') {
        if (query->rest.data[i] == '\\')
            fail(query, "weir does not guess what \\ means here");
        i++;
    }
    if (i >= query->rest.length)
        fail(query, "a string has no end");
    text.length = i - 1;
    if (i < query->rest.length)
        i++;
    query->rest.data += i;
    query->rest.length -= i;
    return text;
}

/* Digits, and how many points between them. */
static struct text take_digits(struct query *query, unsigned *points)
{
    struct text text = {query->rest.data, 0};
    *points = 0;
    while (text.length < query->rest.length) {
        char c = text.data[text.length];
        if (!(c >= '0' && c <= '9') && c != '.' && !(c == '-' && text.length == 0))
            break;
        *points += c == '.';
        text.length++;
    }
    query->rest.data += text.length;
    query->rest.length -= text.length;
    return text;
}

/* The entries of a list, all of one type. */
struct entries {
    struct text *strings;
    double *numbers;
    size_t string_count, number_count, size;
};

static bool make_room(struct importer *importer, struct entries *entries)
{
    if (entries->string_count + entries->number_count < entries->size)
        return true;
    size_t size = entries->size ? entries->size * 2 : 16;
    struct text *strings = importer_take(importer, size, sizeof *strings);
    double *numbers = importer_take(importer, size, sizeof *numbers);
    if (!strings || !numbers)
        return false;
    if (entries->string_count)
        memcpy(strings, entries->strings, entries->string_count * sizeof *strings);
    if (entries->number_count)
        memcpy(numbers, entries->numbers, entries->number_count * sizeof *numbers);
    *entries =
        (struct entries){strings, numbers, entries->string_count, entries->number_count, size};
    return true;
}

static bool take_entries(struct query *query, struct entries *out)
{
    *out = (struct entries){0};
    do {
        while (take(query, " "))
            ;
        if (!make_room(query->importer, out))
            return false;
        if (next(query) == '"') {
            out->strings[out->string_count++] = take_string(query);
            continue;
        }
        double number;
        unsigned points;
        if (!number_parse(take_digits(query, &points), &number) || points ||
            fabs(number) > NUMBER_SAFE_INTEGER || number < 0) {
            fail(query, "a list holds strings, or integers");
            return false;
        }
        out->numbers[out->number_count++] = number;
    } while (!query->problem && take(query, ","));
    return !query->problem;
}

/* ["a", "b"] or [1, 2]: compared exactly. */
static const struct tree *list_tree(struct query *query, struct text path, const char *word)
{
    struct importer *importer = query->importer;
    struct shape shape = nothing(query, path);
    struct entries list;
    bool nested = memchr(path.data, '.', path.length) != NULL;
    if (strcmp(word, "in") != 0)
        return fail(query, "a list needs in");
    take(query, "[");
    if (!take_entries(query, &list))
        return tree_constant(false);
    if (!take(query, "]") || !list.string_count == !list.number_count)
        return fail(query, "a list holds strings, or integers, and ends with ]");
    if (list.string_count)
        shape.string = formula_in(importer, list.strings,
                                  importer_distinct(importer, list.strings, list.string_count));
    else
        shape.numbers = numbers_of(importer, list.numbers, list.number_count);
    if (list.number_count && nested) /* numbers inside of maps are no integers to Go */
        shape.numbers = numbers_all(importer, OPAQUE);
    return tree_shape(importer, shape, query->node,
                      "GO Feature Flag takes no number inside of a map for an integer", false);
}

static const struct tree *value_tree(struct query *query, struct text path, const char *word)
{
    struct importer *importer = query->importer;
    struct shape shape = nothing(query, path);
    bool equal = strcmp(word, "eq") == 0, not_equal = strcmp(word, "ne") == 0;
    if (next(query) == '"') {
        struct text text = take_string(query);
        return query->problem ? tree_constant(false) : string_condition(query, path, word, text);
    }
    if (next(query) == '[')
        return list_tree(query, path, word);
    if (take(query, "null")) {
        if (!equal && !not_equal)
            return fail(query, "null takes eq and ne");
        shape.missing = YES;
        shape = equal ? shape : shape_not(importer, shape);
        return tree_shape(importer, shape, query->node, NULL, false);
    }
    if (next(query) == 't' || next(query) == 'f') {
        bool value = take(query, "true");
        if ((!value && !take(query, "false")) || (!equal && !not_equal))
            return fail(query, "true and false take eq and ne");
        *(value == equal ? &shape.is_true : &shape.is_false) = YES;
        return tree_shape(importer, shape, query->node, NULL, false);
    }
    unsigned points;
    double number;
    struct text digits = take_digits(query, &points);
    if (points == 2)
        return version_tree(query, path, word, digits);
    if (!number_parse(digits, &number))
        return fail(query, "a value is a string, a number, a version, true, false, null or a list");
    return number_condition(query, path, word, number, points == 0);
}

/* --- queries --------------------------------------------------------------------------------- */

/* `anonymous` is always there, and only true where it is true. */
static const struct tree *as_anonymous(struct query *query, const struct tree *tree)
{
    if (!tree->has_shape)
        return tree;
    struct shape shape = shape_all(query->importer, tree->shape.attribute, tree->shape.is_false);
    shape.is_true = tree->shape.is_true;
    return tree_shape(query->importer, shape, query->node, tree->reason, false);
}

static const struct tree *comparison(struct query *query)
{
    struct importer *importer = query->importer;
    struct text path = take_path(query);
    const struct tree *tree;
    if (!path.length || !take(query, " "))
        return fail(query, "expected an attribute and one space");
    if (!path_is_alike(path))
        return fail(query, "the attribute's path is not read alike by all evaluators");
    bool nested = memchr(path.data, '.', path.length) != NULL;
    if (text_is(path, "key"))
        path = TEXT("targetingKey");
    if (take(query, "pr")) {
        struct shape shape = shape_all(importer, path, YES);
        shape.missing = NO;
        tree = tree_shape(importer, shape, query->node, NULL, false);
    } else {
        const char *word = take_operator(query);
        if (!word || !take(query, " "))
            return fail(query, "expected an operator and one space");
        tree = value_tree(query, path, word);
    }
    if (nested && query->compound && !query->problem) {
        if (!importer->options.as_written)
            return tree_shape(importer, shape_all(importer, path, OPAQUE), query->node,
                              "GO Feature Flag gives up the whole query where there is no map, or "
                              "compares the attribute before",
                              true);
        importer->assumed = true;
    }
    return text_is(path, "anonymous") ? as_anonymous(query, tree) : tree;
}

static const struct tree *expression(struct query *query);

static const struct tree *primary(struct query *query)
{
    struct text before = query->rest;
    bool negated = take(query, "not") || take(query, "NOT");
    take(query, " ");
    if (!take(query, "(")) {
        query->rest = before;
        return comparison(query);
    }
    if (query->importer->depth > IMPORT_MAX_DEPTH)
        return fail(query, "query is nested too deep");
    query->importer->depth++;
    take(query, " ");
    const struct tree *tree = expression(query);
    take(query, " ");
    if (!take(query, ")"))
        fail(query, "expected \")\"");
    query->importer->depth--;
    return negated ? tree_not(query->importer, tree) : tree;
}

/* Comparisons with the same word between them. */
struct run {
    const struct tree **trees;
    size_t count, size;
    bool both;
};

static void join(struct importer *importer, struct run *run, const struct tree *tree, bool both)
{
    if (run->count > 1 && both != run->both) { /* from left to right */
        run->trees[0] = tree_join_all(importer, run->trees, run->count, run->both);
        run->count = 1;
    }
    if (run->count == run->size) {
        size_t size = run->size ? run->size * 2 : 4;
        const struct tree **trees = importer_take(importer, size, sizeof *trees);
        if (!trees)
            return;
        if (run->count)
            memcpy(trees, run->trees, run->count * sizeof *trees);
        run->trees = trees;
        run->size = size;
    }
    run->trees[run->count++] = tree;
    run->both = both;
}

static const struct tree *expression(struct query *query)
{
    struct importer *importer = query->importer;
    struct run run = {0};
    bool both = false;
    join(importer, &run, primary(query), both);
    while (!query->problem) {
        both = take(query, " and ");
        if (!both && !take(query, " or "))
            break;
        join(importer, &run, primary(query), both);
    }
    return run.count ? tree_join_all(importer, run.trees, run.count, run.both)
                     : tree_constant(false);
}

static bool is_compound(struct text text)
{
    return memmem(text.data, text.length, " and ", 5) ||
           memmem(text.data, text.length, " or ", 4) || memmem(text.data, text.length, "not", 3) ||
           memmem(text.data, text.length, "NOT", 3);
}

const struct tree *query_condition(struct importer *importer, const struct node *node,
                                   struct text text)
{
    struct query query = {importer, node, text, NULL, text.length && is_compound(text)};
    const struct tree *tree = expression(&query);
    if (!query.problem && query.rest.length)
        query.problem = "this query is not read to its end";
    return query.problem ? tree_refused(importer, node, query.problem) : tree;
}
