/* The operators that flagd's schema knows, each once. */
#include "flagd_private.h"
#include "similar.h"

#define NAMED(literal)                                                                             \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
static const struct flagd_operator rows[] = {
    {NAMED("var"), TAKES_PATH, 1, 1, GIVES_NONE, false, false},
    {NAMED("and"), TAKES_ARGUMENTS, 1, ANY_NUMBER, GIVES_LAST, false, false},
    {NAMED("or"), TAKES_ARGUMENTS, 1, ANY_NUMBER, GIVES_ANY, false, false},
    {NAMED("!"), TAKES_ONE, 1, 1, GIVES_BOOLEAN, false, false},
    {NAMED("!!"), TAKES_ONE, 1, 1, GIVES_BOOLEAN, false, false},
    {NAMED("if"), TAKES_ARGUMENTS, 1, ANY_NUMBER, GIVES_BRANCHES, false, false},
    {NAMED("==="), TAKES_ARGUMENTS, 2, 2, GIVES_BOOLEAN, false, false},
    {NAMED("!=="), TAKES_ARGUMENTS, 2, 2, GIVES_BOOLEAN, false, false},
    {NAMED("=="), TAKES_ARGUMENTS, 2, 2, GIVES_BOOLEAN, false, false},
    {NAMED("!="), TAKES_ARGUMENTS, 2, 2, GIVES_BOOLEAN, false, false},
    {NAMED(">"), TAKES_ARGUMENTS, 2, 2, GIVES_BOOLEAN, false, false},
    {NAMED(">="), TAKES_ARGUMENTS, 2, 2, GIVES_BOOLEAN, false, false},
    {NAMED("<"), TAKES_ARGUMENTS, 2, 3, GIVES_BOOLEAN, false, false},
    {NAMED("<="), TAKES_ARGUMENTS, 2, 3, GIVES_BOOLEAN, false, false},
    {NAMED("in"), TAKES_ARGUMENTS, 2, 2, GIVES_BOOLEAN, false, false},
    {NAMED("starts_with"), TAKES_STRINGS, 2, 2, GIVES_BOOLEAN, false, true},
    {NAMED("ends_with"), TAKES_STRINGS, 2, 2, GIVES_BOOLEAN, false, true},
    {NAMED("sem_ver"), TAKES_VERSIONS, 3, 3, GIVES_BOOLEAN, false, true},
    {NAMED("fractional"), TAKES_SHARES, 1, ANY_NUMBER, GIVES_SHARES, false, true},
    {NAMED("cat"), TAKES_ARGUMENTS, 1, ANY_NUMBER, GIVES_NONE, false, false},
    {NAMED("substr"), TAKES_ARGUMENTS, 2, 3, GIVES_NONE, false, false},
    {NAMED("+"), TAKES_ARGUMENTS, 1, ANY_NUMBER, GIVES_NONE, false, false},
    {NAMED("-"), TAKES_ARGUMENTS, 1, ANY_NUMBER, GIVES_NONE, false, false},
    {NAMED("*"), TAKES_ARGUMENTS, 2, ANY_NUMBER, GIVES_NONE, false, false},
    {NAMED("/"), TAKES_ARGUMENTS, 2, 2, GIVES_NONE, false, false},
    {NAMED("%"), TAKES_ARGUMENTS, 2, 2, GIVES_NONE, false, false},
    {NAMED("min"), TAKES_ARGUMENTS, 1, ANY_NUMBER, GIVES_NONE, false, false},
    {NAMED("max"), TAKES_ARGUMENTS, 1, ANY_NUMBER, GIVES_NONE, false, false},
    {NAMED("merge"), TAKES_ARGUMENTS, 1, ANY_NUMBER, GIVES_NONE, false, false},
    {NAMED("map"), TAKES_ARGUMENTS, 2, 2, GIVES_NONE, true, false},
    {NAMED("filter"), TAKES_ARGUMENTS, 2, 2, GIVES_NONE, true, false},
    {NAMED("reduce"), TAKES_ARGUMENTS, 3, 3, GIVES_NONE, true, false},
    {NAMED("all"), TAKES_ARGUMENTS, 2, 2, GIVES_BOOLEAN, true, false},
    {NAMED("none"), TAKES_ARGUMENTS, 2, 2, GIVES_BOOLEAN, true, false},
    {NAMED("some"), TAKES_ARGUMENTS, 2, 2, GIVES_BOOLEAN, true, false},
    {NAMED("missing"), TAKES_PATHS, 0, ANY_NUMBER, GIVES_NONE, false, false},
    {NAMED("missing_some"), TAKES_COUNT_AND_PATHS, 2, 2, GIVES_NONE, false, false},
};

const struct flagd_operator *flagd_operator_find(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (text_equal(rows[i].name, name))
            return &rows[i];
    }
    return NULL;
}

struct text flagd_operator_nearest(struct text name)
{
    static const struct {
        struct text wrong, right;
    } others[] = {
        {NAMED("?:"), NAMED("if")},      {NAMED("not"), NAMED("!")},
        {NAMED("&&"), NAMED("and")},     {NAMED("||"), NAMED("or")},
        {NAMED("="), NAMED("===")},      {NAMED("contains"), NAMED("in")},
        {NAMED("concat"), NAMED("cat")}, {NAMED("get"), NAMED("var")},
    };
    struct similar best = {{NULL, 0}, 0};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (text_equal(name, others[i].wrong))
            return others[i].right;
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        similar_offer(&best, name, rows[i].name);
    /* Of a short name most letters must be right: "foo" is not "or". */
    return best.distance <= name.length / 2 ? best.name : (struct text){NULL, 0};
}
