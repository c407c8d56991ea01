/* The rules of a flagd document: a walk over the JsonLogic of one flag or evaluator.
 *
 * What stands in an array is evaluated, and yet no schema looks there; faults of that kind have a
 * code of their own. */
#include <inttypes.h>
#include <math.h>

#include "flagd_check.h"
#include "flagd_private.h"
#include "json.h"
#include "semver.h"

enum position { AT_ROOT, AT_ARGUMENT, AT_RULE /* where only an operator may stand */ };

static void check_argument(struct flagd_checker *checker, const struct node *node, bool returned);
static void check_rule(struct flagd_checker *checker, const struct node *node,
                       enum position position, bool returned);

/* flagd's schema takes any array for a constant, whatever is in it. */
static const char *code_here(const struct flagd_checker *checker, const char *code)
{
    return checker->arrays ? CODE_FLAGD_ARRAY : code;
}

/* --- results --------------------------------------------------------------------------------- */

static bool is_variant(const struct flagd_checker *checker, struct text name)
{
    return names_find(&checker->variant_names, name) != NULL;
}

/* A constant that can come out of the targeting: what it names must be there. */
static void check_result(struct flagd_checker *checker, const struct node *node)
{
    char digits[NUMBER_TEXT_SIZE];
    struct text name = {NULL, 0};
    if (!checker->variants || node->type == NODE_NULL)
        return;
    if (node->type == NODE_STRING)
        name = node->string;
    else if (node->type == NODE_BOOL)
        name = node->boolean ? TEXT("true") : TEXT("false");
    else if (node->type == NODE_NUMBER)
        name = (struct text){digits, number_format(node->number, digits)};
    if (!name.data) {
        flagd_fault(checker, CODE_FLAGD_ENGINES, flagd_at(checker, node),
                    "write the name of a variant",
                    "what an array as a result means differs from engine to engine");
    } else if (!is_variant(checker, name)) {
        flagd_fault(checker, CODE_FLAGD_VARIANT, flagd_at(checker, node),
                    flagd_suggest(checker->variants, name, "there are ").text,
                    "variant %s does not exist", flagd_quote(name).text);
    }
}

/* True and false name variants too. Where neither is there, every evaluation ends in an error. */
static void check_boolean_result(struct flagd_checker *checker, const struct node *entry)
{
    if (!checker->variants || is_variant(checker, TEXT("true")) ||
        is_variant(checker, TEXT("false")))
        return;
    flagd_fault(checker, CODE_FLAGD_VARIANT, flagd_at_key(checker, entry),
                "name the variants: {\"if\": [this, \"variant\", \"other variant\"]}",
                "%s gives true or false, and neither is a variant", flagd_quote(entry->key).text);
}

/* Whether argument `index` of `count` can be what the operator gives. */
static bool is_result(const struct flagd_operator *row, const struct node *node, uint32_t index,
                      uint32_t count)
{
    bool last = index + 1 == count;
    switch (row->gives) {
    case GIVES_BRANCHES:
        return index % 2 == 1 || last;
    case GIVES_LAST:
        return last;
    case GIVES_ANY: /* of those before the last, a constant that counts as true */
        return last || (node->type == NODE_STRING && node->string.length > 0);
    default:
        return false;
    }
}

/* --- constants ------------------------------------------------------------------------------- */

static void bad_path(struct flagd_checker *checker, const struct node *node, const char *hint,
                     const char *problem)
{
    flagd_fault(checker, CODE_FLAGD_PATH, flagd_at(checker, node), hint, "attribute %s %s",
                flagd_quote(node->string).text, problem);
}

static void check_path(struct flagd_checker *checker, const struct node *node)
{
    struct text rest = node->string;
    while (text_starts_with(rest, TEXT("../"))) /* out of an iterator */
        rest = (struct text){rest.data + 3, rest.length - 3};
    if (text_starts_with(rest, TEXT("$flagd."))) {
        if (!text_is(rest, "$flagd.timestamp") && !text_is(rest, "$flagd.flagKey"))
            bad_path(checker, node, "there are \"$flagd.timestamp\" and \"$flagd.flagKey\"",
                     "does not exist");
        return;
    }
    while (rest.length) { /* "" is all there is, or the entry that is looked at */
        const char *dot = memchr(rest.data, '.', rest.length);
        struct text part = {rest.data, dot ? (size_t)(dot - rest.data) : rest.length};
        bool ends = dot && part.length + 1 == rest.length;
        if (part.length == 0 || ends) {
            bad_path(checker, node, "write names with one dot between them, like \"app.version\"",
                     "has an empty part");
            return;
        }
        if (text_is(part, "__proto__")) {
            bad_path(checker, node, "give the attribute another name",
                     "is there for some engines without being sent");
            return;
        }
        if (!dot)
            return;
        rest = (struct text){dot + 1, rest.length - part.length - 1};
    }
}

static bool is_string(struct flagd_checker *checker, const struct node *node,
                      const struct node *entry)
{
    if (node->type == NODE_STRING)
        return true;
    flagd_fault(checker, code_here(checker, CODE_FLAGD_ARGUMENTS), flagd_at(checker, node), NULL,
                "%s takes paths of attributes, here is %s", flagd_quote(entry->key).text,
                flagd_show(checker, node).text);
    return false;
}

/* --- how many arguments ---------------------------------------------------------------------- */

static void fault_count(struct flagd_checker *checker, const struct flagd_operator *row,
                        const struct node *entry, const char *code)
{
    char wanted[48];
    uint32_t count = entry->count;
    if (row->most == ANY_NUMBER)
        snprintf(wanted, sizeof wanted, "at least %u argument%s", row->least,
                 row->least == 1 ? "" : "s");
    else if (row->least != row->most)
        snprintf(wanted, sizeof wanted, "%u or %u arguments", row->least, row->most);
    else
        snprintf(wanted, sizeof wanted, "%u argument%s", row->least, row->least == 1 ? "" : "s");
    flagd_fault(checker, code, flagd_at(checker, entry), NULL, "%.*s takes %s, here %s %u",
                (int)row->name.length, row->name.data, wanted, count == 1 ? "is" : "are", count);
}

/* Its arguments stand in an array, and there are as many as it takes. False where there is no
 * array. */
static bool has_arguments(struct flagd_checker *checker, const struct flagd_operator *row,
                          const struct node *entry)
{
    if (entry->type != NODE_LIST) {
        flagd_fault(checker, code_here(checker, CODE_FLAGD_ARGUMENTS), flagd_at(checker, entry),
                    "put the arguments into an array, even a single one",
                    "%.*s takes an array of arguments, here is %s", (int)row->name.length,
                    row->name.data, flagd_show(checker, entry).text);
        return false;
    }
    if (entry->count < row->least || entry->count > row->most)
        fault_count(checker, row, entry, code_here(checker, CODE_FLAGD_ARGUMENTS));
    return true;
}

/* --- operators, by what they take ------------------------------------------------------------ */

typedef void check_operator(struct flagd_checker *checker, const struct flagd_operator *row,
                            const struct node *entry, bool returned);

static void check_arguments(struct flagd_checker *checker, const struct flagd_operator *row,
                            const struct node *entry, bool returned)
{
    uint32_t index = 0;
    if (!has_arguments(checker, row, entry))
        return;
    for (const struct node *node = entry->first; node; node = node->next, index++) {
        bool iterated = row->iterates && index == 1;
        checker->iterations += iterated;
        check_argument(checker, node, returned && is_result(row, node, index, entry->count));
        checker->iterations -= iterated;
    }
}

static void check_one(struct flagd_checker *checker, const struct flagd_operator *row,
                      const struct node *entry, bool returned)
{
    (void)returned;
    /* An array of whatever length is one constant for the schema. */
    if (entry->type == NODE_LIST && entry->count != 1)
        fault_count(checker, row, entry, CODE_FLAGD_ARRAY);
    check_argument(checker, entry, false);
}

/* The schema refuses only strings that name nothing below $flagd. */
static void check_var(struct flagd_checker *checker, const struct flagd_operator *row,
                      const struct node *entry, bool returned)
{
    const struct node *path = entry->type == NODE_LIST ? entry->first : entry;
    (void)row;
    (void)returned;
    if (path && path->type == NODE_STRING)
        check_path(checker, path);
    else
        flagd_fault(checker, CODE_FLAGD_ENGINES, flagd_at(checker, path ? path : entry),
                    "write the path of the attribute as a string",
                    "var without a path, or with one that is no string, differs from engine to "
                    "engine");
    checker->arrays++; /* the path is computed, or the value when it is missing */
    if (path && path->type != NODE_STRING)
        check_argument(checker, path, false);
    for (const struct node *more = entry->type == NODE_LIST && path ? path->next : NULL; more;
         more = more->next)
        check_argument(checker, more, false);
    checker->arrays--;
}

static void check_paths(struct flagd_checker *checker, const struct flagd_operator *row,
                        const struct node *entry, bool returned)
{
    (void)returned;
    if (!has_arguments(checker, row, entry))
        return;
    for (const struct node *node = entry->first; node; node = node->next) {
        if (is_string(checker, node, entry))
            check_path(checker, node);
    }
}

static void check_count_and_paths(struct flagd_checker *checker, const struct flagd_operator *row,
                                  const struct node *entry, bool returned)
{
    (void)returned;
    if (!has_arguments(checker, row, entry) || entry->count != 2)
        return;
    const struct node *count = entry->first, *paths = count->next;
    if (count->type != NODE_NUMBER)
        flagd_fault(checker, code_here(checker, CODE_FLAGD_ARGUMENTS), flagd_at(checker, count),
                    NULL, "missing_some takes a number first, here is %s",
                    flagd_show(checker, count).text);
    if (paths->type != NODE_LIST) {
        flagd_fault(checker, code_here(checker, CODE_FLAGD_ARGUMENTS), flagd_at(checker, paths),
                    NULL, "missing_some takes an array of paths second, here is %s",
                    flagd_show(checker, paths).text);
        return;
    }
    for (const struct node *node = paths->first; node; node = node->next) {
        if (is_string(checker, node, entry))
            check_path(checker, node);
    }
}

static void check_strings(struct flagd_checker *checker, const struct flagd_operator *row,
                          const struct node *entry, bool returned)
{
    (void)returned;
    if (!has_arguments(checker, row, entry))
        return;
    for (const struct node *node = entry->first; node; node = node->next) {
        if (node->type == NODE_MAP)
            check_rule(checker, node, AT_RULE, false);
        else if (node->type != NODE_STRING)
            flagd_fault(checker, code_here(checker, CODE_FLAGD_ARGUMENTS), flagd_at(checker, node),
                        NULL, "%.*s takes strings and rules, here is %s", (int)row->name.length,
                        row->name.data, flagd_show(checker, node).text);
    }
}

/* --- sem_ver --------------------------------------------------------------------------------- */

/* What flagd's runtime would make of it is most likely what was meant. */
static void fault_version(struct flagd_checker *checker, const struct node *node)
{
    struct semver near;
    char hint[160] = "write a whole version, like \"2.4.0\" or \"2.4.0-rc.1\"";
    if (semver_parse_loosely(node->string, &near))
        snprintf(hint, sizeof hint, "write \"%" PRIu64 ".%" PRIu64 ".%" PRIu64 "%s%.*s\"",
                 near.major, near.minor, near.patch, near.prerelease.length ? "-" : "",
                 near.prerelease.length < 60 ? (int)near.prerelease.length : 60,
                 near.prerelease.length ? near.prerelease.data : "");
    flagd_fault(checker, code_here(checker, CODE_FLAGD_VERSION), flagd_at(checker, node), hint,
                "%s is not a semantic version", flagd_quote(node->string).text);
}

static void check_version(struct flagd_checker *checker, const struct node *node)
{
    struct semver version;
    if (node->type == NODE_STRING) {
        if (!semver_parse(node->string, &version))
            fault_version(checker, node);
    } else if (node->type == NODE_MAP && (node->count == 0 || node_get(node, "var"))) {
        check_rule(checker, node, AT_RULE, false);
    } else {
        flagd_fault(checker, code_here(checker, CODE_FLAGD_ARGUMENTS), flagd_at(checker, node),
                    "write a version, like \"2.4.0\", or {\"var\": \"path\"}",
                    "sem_ver compares versions and attributes, here is %s",
                    node->type == NODE_MAP ? "another rule" : flagd_show(checker, node).text);
    }
}

static void check_versions(struct flagd_checker *checker, const struct flagd_operator *row,
                           const struct node *entry, bool returned)
{
    static const char *const comparisons[] = {"=", "!=", "<", "<=", ">", ">=", "^", "~"};
    bool known = false;
    (void)returned;
    if (!has_arguments(checker, row, entry) || entry->count != 3)
        return;
    const struct node *comparison = entry->first->next;
    check_version(checker, entry->first);
    check_version(checker, comparison->next);
    for (size_t i = 0; i < COUNT_OF(comparisons); i++)
        known |= comparison->type == NODE_STRING && text_is(comparison->string, comparisons[i]);
    if (!known)
        flagd_fault(checker, code_here(checker, CODE_FLAGD_ARGUMENTS),
                    flagd_at(checker, comparison), "there are = != < <= > >= ^ ~",
                    "%s does not compare versions", flagd_show(checker, comparison).text);
}

/* --- fractional ------------------------------------------------------------------------------ */

struct shares {
    double sum;    /* of the constant weights */
    bool computed; /* some weight is not constant, or faulty */
};

static void check_weight(struct flagd_checker *checker, const struct node *node,
                         struct shares *shares)
{
    if (node->type == NODE_MAP) {
        shares->computed = true;
        check_rule(checker, node, AT_RULE, false);
    } else if (node->type == NODE_NUMBER && node->number >= 0 &&
               floor(node->number) == node->number) {
        shares->sum += node->number;
    } else {
        shares->computed = true;
        flagd_fault(checker, code_here(checker, CODE_FLAGD_ARGUMENTS), flagd_at(checker, node),
                    node->type == NODE_NUMBER && node->number > 0
                        ? "weights need not add up to 100: multiply them all"
                        : NULL,
                    "a weight is a whole number from 0 on, or a rule, here is %s",
                    flagd_show(checker, node).text);
    }
}

static void check_share(struct flagd_checker *checker, const struct node *node, bool returned,
                        struct shares *shares)
{
    if (node->type != NODE_LIST || node->count < 1 || node->count > 2) {
        shares->computed = true;
        flagd_fault(checker, code_here(checker, CODE_FLAGD_ARGUMENTS), flagd_at(checker, node),
                    "write [\"variant\", weight]",
                    "fractional takes pairs of a variant and its weight, here is %s",
                    node->type == NODE_LIST ? "an array of another length"
                                            : flagd_show(checker, node).text);
        return;
    }
    check_argument(checker, node->first, returned);
    if (node->first->next)
        check_weight(checker, node->first->next, shares);
    else
        shares->sum += 1;
}

static void check_total(struct flagd_checker *checker, const struct node *entry, size_t count,
                        const struct shares *shares)
{
    const char *problem = NULL;
    if (count == 0)
        problem = "fractional has no variants to share out";
    else if (shares->sum > INT32_MAX)
        problem = "the weights of fractional add up to more than 2147483647";
    else if (shares->sum == 0 && !shares->computed)
        problem = "all weights of fractional are 0";
    if (problem)
        flagd_fault(checker, CODE_FLAGD_WEIGHTS, flagd_at(checker, entry),
                    count == 0 ? "write [\"variant\", weight] behind what is drawn by" : NULL, "%s",
                    problem);
}

static void check_shares(struct flagd_checker *checker, const struct flagd_operator *row,
                         const struct node *entry, bool returned)
{
    struct shares shares = {0, false};
    if (!has_arguments(checker, row, entry) || !entry->first)
        return;
    const struct node *key = entry->first, *share = key;
    if (key->type != NODE_LIST) {
        share = key->next;
        if (key->type == NODE_MAP)
            check_rule(checker, key, AT_RULE, false);
        else
            flagd_fault(checker, code_here(checker, CODE_FLAGD_ARGUMENTS), flagd_at(checker, key),
                        "draw by an attribute, like {\"cat\": [\"seed/\", {\"var\": "
                        "\"targetingKey\"}]}, or leave it out",
                        "fractional cannot draw by the constant %s: everybody would get the same",
                        flagd_show(checker, key).text);
    }
    size_t count = 0;
    for (; share; share = share->next, count++)
        check_share(checker, share, returned, &shares);
    check_total(checker, entry, count, &shares);
}

/* --- rules ----------------------------------------------------------------------------------- */

static void fault_unknown(struct flagd_checker *checker, const struct node *entry)
{
    struct text nearest = flagd_operator_nearest(entry->key);
    char hint[64] = "";
    if (nearest.length)
        snprintf(hint, sizeof hint, "did you mean \"%.*s\"?", (int)nearest.length, nearest.data);
    flagd_fault(checker, code_here(checker, CODE_FLAGD_OPERATOR), flagd_at_key(checker, entry),
                hint, "unknown operator %s", flagd_quote(entry->key).text);
}

static void check_entry(struct flagd_checker *checker, const struct flagd_operator *row,
                        const struct node *entry, bool returned)
{
    static check_operator *const checks[] = {
        [TAKES_ARGUMENTS] = check_arguments,
        [TAKES_ONE] = check_one,
        [TAKES_PATH] = check_var,
        [TAKES_PATHS] = check_paths,
        [TAKES_COUNT_AND_PATHS] = check_count_and_paths,
        [TAKES_STRINGS] = check_strings,
        [TAKES_VERSIONS] = check_versions,
        [TAKES_SHARES] = check_shares,
    };
    if (++checker->operators > FLAGD_DEEP_OPERATORS && !checker->told_deep) {
        checker->told_deep = true;
        flagd_fault(checker, CODE_FLAGD_DEEP, flagd_at_key(checker, entry),
                    "and and or take many arguments side by side, and if many conditions",
                    "more than %d operators in one another are too many for some engines",
                    FLAGD_DEEP_OPERATORS);
    }
    if (row->flagds && checker->iterations)
        flagd_fault(checker, CODE_FLAGD_ENGINES, flagd_at_key(checker, entry), NULL,
                    "%.*s inside of map, filter, reduce, all, none or some differs from engine to "
                    "engine",
                    (int)row->name.length, row->name.data);
    if (returned && row->gives == GIVES_BOOLEAN)
        check_boolean_result(checker, entry);
    checks[row->takes](checker, row, entry, returned);
    checker->operators--;
}

/* The schema lets operators of one sort stand together, like == and !=; no engine evaluates it. */
static void check_several(struct flagd_checker *checker, const struct node *node)
{
    const struct node *second = NULL;
    bool all_known = true;
    for (const struct node *entry = node->first; entry; entry = entry->next) {
        const struct flagd_operator *row = flagd_operator_find(entry->key);
        if (!second && !text_equal(entry->key, node->first->key))
            second = entry;
        if (row) {
            check_entry(checker, row, entry, false);
        } else {
            fault_unknown(checker, entry);
            all_known = false;
        }
    }
    if (all_known && second) /* else a key stands twice, which is told elsewhere */
        flagd_fault(checker, CODE_FLAGD_RULE, flagd_at_key(checker, second),
                    "put them into one {\"and\": […]}",
                    "a rule has one operator, here are %s and %s",
                    flagd_quote(node->first->key).text, flagd_quote(second->key).text);
}

static void check_ref(struct flagd_checker *checker, const struct node *node,
                      const struct node *name, enum position position)
{
    const char *code = code_here(checker, CODE_FLAGD_ARGUMENTS);
    if (position == AT_ROOT)
        flagd_fault(checker, code, flagd_at(checker, node),
                    "write {\"if\": [{\"$ref\": …}, \"variant\", \"other variant\"]}",
                    "a \"$ref\" cannot be the whole targeting");
    else if (position == AT_RULE)
        flagd_fault(checker, code, flagd_at(checker, node), "write the rule out here",
                    "a \"$ref\" cannot stand here");
    if (node->count > 1)
        flagd_fault(checker, code, flagd_at(checker, node), NULL,
                    "a \"$ref\" stands alone in its object, here are %u members", node->count);
    if (name->type == NODE_STRING)
        flagd_check_reference(checker, name);
    else
        flagd_fault(checker, code, flagd_at(checker, name), NULL,
                    "a \"$ref\" names an evaluator, here is %s", flagd_show(checker, name).text);
}

static void check_rule(struct flagd_checker *checker, const struct node *node,
                       enum position position, bool returned)
{
    if (node->count == 0) {
        if (position != AT_ROOT)
            flagd_fault(
                checker,
                position == AT_RULE ? CODE_FLAGD_RULE : code_here(checker, CODE_FLAGD_ARGUMENTS),
                flagd_at(checker, node), "write a rule, or null", "an empty object is no rule");
        return;
    }
    const struct node *name = node_get(node, "$ref");
    if (name) {
        check_ref(checker, node, name, position);
        return;
    }
    if (node->count > 1) {
        check_several(checker, node);
        return;
    }
    const struct flagd_operator *row = flagd_operator_find(node->first->key);
    if (row)
        check_entry(checker, row, node->first, returned);
    else
        fault_unknown(checker, node->first);
}

static void check_argument(struct flagd_checker *checker, const struct node *node, bool returned)
{
    if (node->type == NODE_MAP) {
        check_rule(checker, node, AT_ARGUMENT, returned);
        return;
    }
    if (returned)
        check_result(checker, node);
    if (node->type != NODE_LIST)
        return;
    checker->arrays++;
    for (const struct node *entry = node->first; entry; entry = entry->next)
        check_argument(checker, entry, false);
    checker->arrays--;
}

void flagd_check_targeting(struct flagd_checker *checker, const struct node *targeting)
{
    checker->operators = checker->arrays = checker->iterations = 0;
    checker->told_deep = false;
    if (targeting->type == NODE_MAP)
        check_rule(checker, targeting, AT_ROOT, true);
    else
        flagd_fault(checker, CODE_FLAGD_SHAPE, flagd_at(checker, targeting),
                    "leave it out where there are no rules",
                    "a rule is an object with one operator, here is %s",
                    flagd_show(checker, targeting).text);
}
