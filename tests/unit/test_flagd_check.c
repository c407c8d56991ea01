/* Strict loading of flagd documents: each fault with its place, its words and how to mend it.
 *
 * For the eye, JSON and expected words are written here with ' in the place of ". */
#include "schema_unit.h"

#include "../../rules/flagd_check.h"

/* The text with its quotes; the caller frees it. */
static char *quoted(const char *text)
{
    size_t length = strlen(text);
    char *copy = malloc(length + 1);
    ck_assert_ptr_nonnull(copy);
    for (size_t i = 0; i <= length; i++)
        copy[i] = text[i] == '\'' ? '"' : text[i];
    return copy;
}

/* Takes the words "flag "f": " out, which all rules of these tests would begin with. */
static void drop(struct buffer *text, const char *words)
{
    size_t length = strlen(words);
    for (size_t i = 0; i + length <= text->length;) {
        if (memcmp(text->data + i, words, length) == 0) {
            memmove(text->data + i, text->data + i + length, text->length - i - length);
            text->length -= length;
        } else {
            i++;
        }
    }
}

static void expect_document(const char *document, const char *expected)
{
    char *json = quoted(document), *wanted = quoted(expected);
    struct diagnostics faults;
    struct buffer got;
    diagnostics_init(&faults);
    buffer_init(&got, 0);
    ck_assert_int_eq(flagd_check(text_of(json), "f", &faults), STATUS_OK);
    diagnostics_sort(&faults);
    print(&faults, &got);
    buffer_append_char(&got, '\0');
    drop(&got, "flag \"f\": ");
    ck_assert_str_eq(got.data, wanted);
    buffer_dispose(&got);
    diagnostics_dispose(&faults);
    free(json);
    free(wanted);
}

#define BEFORE_RULE                                                                                \
    "{'flags': {'f': {'state': 'ENABLED', 'variants': {'on': true, 'off': false}, "                \
    "'defaultVariant': 'off', 'targeting':\n"
#define AFTER_RULE "\n}}}"

/* A flag's targeting, which stands on line 2. */
static void expect_rule(const char *rule, const char *expected)
{
    char document[4000];
    int length = snprintf(document, sizeof document, BEFORE_RULE "%s" AFTER_RULE, rule);
    ck_assert_int_lt(length, sizeof document);
    expect_document(document, expected);
}

static void expect_condition(const char *condition, const char *expected)
{
    char rule[2000];
    int length = snprintf(rule, sizeof rule, "{'if': [\n%s\n, 'on']}", condition);
    ck_assert_int_lt(length, sizeof rule);
    expect_rule(rule, expected);
}

/* Words that many faults have. */
#define ONE_OF_THEM "[remove one of them: readers take the last, and say nothing]"
#define DOTS "[write names with one dot between them, like 'app.version']"
#define NO_PATH                                                                                    \
    "var without a path, or with one that is no string, differs from engine to engine [write the " \
    "path of the attribute as a string]"
#define PAIR "[write ['variant', weight]]"
#define VERSION "[write a version, like '2.4.0', or {'var': 'path'}]"
#define NESTED "is read differently by each engine [write the rule out here, or in the flags]"

/* --- what is right --------------------------------------------------------------------------- */

START_TEST(good_documents)
{
    static const char *const good[] = {
        "{'flags': {}}",
        "{'flags': []}",
        "{'$schema': 'https://flagd.dev/schema/v0/flags.json', 'flags': {}, '$evaluators': {}, "
        "'metadata': {'flagSetId': 'a', 'version': 1, 'c': true}}",
        "{'flags': {'f': {'state': 'DISABLED', 'variants': {'a': {'x': [null]}, 'b': {}}}}}",
        "{'flags': {'f': {'state': 'ENABLED', 'variants': {'a': 1.5}, 'defaultVariant': null, "
        "'targeting': {}, 'metadata': {'a': 'b'}}}}",
        "{'flags': [{'key': 'f', 'state': 'ENABLED', 'variants': {'a': 'x'}}, {'key': 'f', "
        "'state': 'ENABLED', 'variants': {'a': 'x'}, 'metadata': {'flagSetId': 's'}}]}",
        "{'flags': {'f': {'state': 'ENABLED', 'variants': {'a': 'x', 'b': 'y'}, 'targeting': "
        "{'if': [{'$ref': 'e'}, 'a', {'and': [{'==': [1, 1]}, 'b']}]}}}, '$evaluators': {'e': "
        "{'in': ['@x', {'var': 'email'}]}}}",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        expect_document(good[i], "");
}
END_TEST

START_TEST(good_rules)
{
    static const char *const good[] = {
        "{'var': 'a.b'}",
        "{'var': ['a', 1]}",
        "{'var': ''}",
        "{'var': '$flagd'}",
        "{'===': [{'var': '$flagd.flagKey'}, 'f']}",
        "{'missing': ['a', 'b.c']}",
        "{'missing': []}",
        "{'missing_some': [1, ['a', 'b']]}",
        "{'!': {'var': 'a'}}",
        "{'!!': [{'var': 'a'}]}",
        "{'<': [1, {'var': 'a'}, 3]}",
        "{'substr': ['abc', -1]}",
        "{'*': [1, 2, 3]}",
        "{'-': [1]}",
        "{'some': [{'var': 'a'}, {'===': [{'var': ''}, 'x']}]}",
        "{'reduce': [{'var': 'a'}, {'+': [{'var': 'current'}, {'var': 'accumulator'}]}, 0]}",
        "{'in': [{'var': 'a'}, ['x', 'y', [1]]]}",
        "{'starts_with': ['abc', {'cat': ['a', 'b']}]}",
        "{'sem_ver': [{'var': 'v'}, '^', '1.2.3-rc.1+build.5']}",
        "{'===': [{'fractional': [{'cat': ['a']}, ['x'], ['y', 3]]}, 'x']}",
        "{'===': [{'fractional': [['x', 1], ['y', {'-': [5, 3]}]]}, 'x']}",
        "{'===': [{'fractional': [['x', 2147483647]]}, 'x']}",
        "null",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        expect_condition(good[i], "");
}
END_TEST

/* --- the document ---------------------------------------------------------------------------- */

START_TEST(not_json)
{
    expect_document("", "1:1 W801 expected a value");
    expect_document("{'flags': {\n  'a' 1}}", "2:7 W801 expected ':' after the key");
    expect_document("{'flags': {}} x", "1:15 W801 something stands after the value");
}
END_TEST

START_TEST(document_shape)
{
    expect_document("[]", "1:1 W802 a flagd document is an object, here is an array");
    expect_document("{}", "1:1 W802 'flags' is missing [write 'flags': {}]");
    expect_document("{'flags': 7}", "1:11 W802 'flags' is an object or an array, here is 7");
    expect_document("{'flags': {},\n 'flag': {}, 'owner': 1}",
                    "2:2 W803 unknown member 'flag' [did you mean 'flags'?]\n"
                    "2:14 W803 unknown member 'owner' [known here: 'flags', 'metadata', "
                    "'$evaluators', '$schema']");
    expect_document("{'flags': {}, 'metadata': []}",
                    "1:27 W802 metadata is an object, here is an array");
    expect_document("{'flags': {}, 'metadata': {'a': null, 'b': {}, 'c': 'x'}}",
                    "1:33 W807 metadata 'a' is a string, a number or a boolean, here is null\n"
                    "1:44 W807 metadata 'b' is a string, a number or a boolean, here is an object");
    expect_document("{'flags': {}, '$evaluators': 'x'}",
                    "1:30 W802 '$evaluators' is an object, here is 'x'");
}
END_TEST

START_TEST(flag_shape)
{
    expect_document("{'flags': {'f': null}}", "1:17 W802 a flag is an object, here is null");
    expect_document(
        "{'flags': {'f':\n {}}}",
        "2:2 W802 'state' is missing [write 'state': 'ENABLED']\n"
        "2:2 W802 'variants' is missing [write 'variants': {'on': true, 'off': false}]");
    expect_document(
        "{'flags': {'f': {'state': 'ENABLE', 'variants': {'a': 1}}}}",
        "1:27 W802 state is 'ENABLED' or 'DISABLED', here is 'ENABLE' [did you mean 'ENABLED'?]");
    expect_document("{'flags': {'f': {'state': true, 'variants': {'a': 1}}}}",
                    "1:27 W802 state is 'ENABLED' or 'DISABLED', here is true [write one of "
                    "'ENABLED', 'DISABLED']");
    expect_document("{'flags': {'f': {'state': 'ENABLED', 'variants': {'a': 1}, 'key': 'f',\n"
                    "'defaultVarient': 'a'}}}",
                    "1:60 W803 unknown member 'key' [known here: 'state', 'variants', "
                    "'defaultVariant', 'targeting', 'metadata']\n"
                    "2:1 W803 unknown member 'defaultVarient' [did you mean 'defaultVariant'?]");
    expect_document("{'flags': {'': {'state': 'ENABLED', 'variants': {'': 1}}}}",
                    "1:12 W802 the name of a flag is empty\n"
                    "1:50 W802 flag '': the name of a variant is empty");
    expect_document("{'flags': {'a\\nb': {'state': 'ENABLED', 'variants': {'a': 1}}}}",
                    "1:12 W802 the name of a flag has a line break");
    expect_document("{'flags': {'f': {'state': 'ENABLED', 'variants': {'a': 1}, 'metadata': {'m': "
                    "[1]}, 'targeting': null}}}",
                    "1:78 W807 metadata 'm' is a string, a number or a boolean, here is an array\n"
                    "1:97 W802 a rule is an object with one operator, here is null [leave it out "
                    "where there are no rules]");
}
END_TEST

START_TEST(variants)
{
    expect_document("{'flags': {'f': {'state': 'ENABLED', 'variants': []}}}",
                    "1:50 W802 variants are an object, here is an array");
    expect_document("{'flags': {'f': {'state': 'ENABLED', 'variants': {}}}}",
                    "1:50 W802 there are no variants");
    expect_document(
        "{'flags': {'f': {'state': 'ENABLED', 'variants':\n"
        "{'a': true,\n 'b': 'x', 'c': null, 'd': [1]}}}}",
        "3:7 W805 variant 'b' is a string, and 'a' is a boolean [make them all of one type] (first "
        "2:7)\n"
        "3:17 W805 variant 'c' is a boolean, a string, a number or an object, here is null\n"
        "3:28 W805 variant 'd' is a boolean, a string, a number or an object, here is an array "
        "[put the array into an object]");
    expect_document(
        "{'flags': {'f': {'state': 'ENABLED', 'variants': {'on': true}, 'defaultVariant': 'onn'}}}",
        "1:82 W806 defaultVariant 'onn' does not exist [did you mean 'on'?]");
    expect_document("{'flags': {'f': {'state': 'ENABLED', 'variants': {'true': true}, "
                    "'defaultVariant': true}}}",
                    "1:84 W802 defaultVariant is the name of a variant or null, here is true [put "
                    "it in quotes]");
    expect_document(
        "{'flags': {'f': {'state': 'ENABLED', 'variants': {'a': {'id': 9007199254740993}}}}}",
        "1:63 W818 9007199254740993 is beyond 9007199254740991: not every engine keeps it [write "
        "it as a string when it is an identifier]");
    expect_document("{'flags': {'f': {'state': 'ENABLED', 'variants': {'a': -9007199254740991, "
                    "'b': 9007199254740991}}}}",
                    "");
}
END_TEST

START_TEST(twice)
{
    expect_document("{'flags': {},\n'flags': {}}",
                    "2:1 W804 key 'flags' stands twice " ONE_OF_THEM " (first 1:2)");
    expect_document("{'flags': {'f': {'state': 'ENABLED', 'variants': {'a': 1}},\n"
                    "'f': {'state': 'ENABLED', 'variants': {'a': 1,\n'a': 2}}}}",
                    "2:1 W804 key 'f' stands twice " ONE_OF_THEM " (first 1:12)\n"
                    "3:1 W804 key 'a' stands twice " ONE_OF_THEM " (first 2:40)");
    expect_rule("{'if': [{'===': [1, 2],\n'===': [2, 2]}, 'on']}",
                "3:1 W804 key '===' stands twice " ONE_OF_THEM " (first 2:10)");
    /* More keys than are compared one by one. */
    expect_document("{'flags': {}, 'metadata': {'a': 1, 'b': 1, 'c': 1, 'd': 1, 'e': 1, 'f': 1, "
                    "'g': 1, 'h': 1, 'i': 1, 'j': 1,\n'c': 1, 'k': 1}}",
                    "2:1 W804 key 'c' stands twice " ONE_OF_THEM " (first 1:44)");
}
END_TEST

START_TEST(listed_flags)
{
    expect_document("{'flags': [{'state': 'ENABLED', 'variants': {'a': 1}},\n 7, {'key': '', "
                    "'state': 'ENABLED', 'variants': {'a': 1}},\n"
                    "{'key': 'x', 'state': 'ENABLED', 'variants': {'a': 1, 'b': ''}}]}",
                    "1:12 W802 'key' is missing [each flag of an array has its 'key']\n"
                    "2:2 W802 flag '': a flag is an object, here is 7\n"
                    "2:13 W802 the key of a flag is a string that is not empty, here is ''\n"
                    "3:60 W805 flag 'x': variant 'b' is a string, and 'a' is a number [make them "
                    "all of one type] (first 3:52)");
    expect_document(
        "{'metadata': {'flagSetId': 's'}, 'flags': [\n"
        "{'key': 'x', 'state': 'ENABLED', 'variants': {'a': 1}},\n"
        "{'key': 'x', 'state': 'ENABLED', 'variants': {'a': 1}, 'metadata': {'flagSetId': "
        "'other'}},\n"
        "{'key': 'x', 'state': 'ENABLED', 'variants': {'a': 1}, 'metadata': {'flagSetId': 's'}}]}",
        "4:9 W804 flag 'x' stands twice [remove one of them, or tell them apart by 'flagSetId' in "
        "their metadata] (first 2:9)");
}
END_TEST

/* --- rules ----------------------------------------------------------------------------------- */

START_TEST(operators)
{
    expect_condition("{'foo': [1]}", "3:2 W808 unknown operator 'foo'");
    expect_condition("{'startsWith': ['a', 'b']}",
                     "3:2 W808 unknown operator 'startsWith' [did you mean 'starts_with'?]");
    expect_condition("{'fractionel': []}",
                     "3:2 W808 unknown operator 'fractionel' [did you mean 'fractional'?]");
    expect_condition("{'?:': [1, 2, 3]}", "3:2 W808 unknown operator '?:' [did you mean 'if'?]");
    expect_condition("{'not': [1]}", "3:2 W808 unknown operator 'not' [did you mean '!'?]");
    expect_condition("{'a\\u001b[31m\\u0085': 1}", "3:2 W808 unknown operator 'a\\x1b[31m\\x85'");
    expect_condition("{'==': [1, 1],\n'!=': [1, {'foo': 2}]}",
                     "4:1 W821 a rule has one operator, here are '==' and '!=' [put them into one "
                     "{'and': […]}]\n"
                     "4:12 W808 unknown operator 'foo'");
    expect_condition("{'==': [1, 1], 'foo': 2}", "3:16 W808 unknown operator 'foo'");
    expect_condition("{'and': [1], 'in': ['a', 'b']}",
                     "3:14 W821 a rule has one operator, here are 'and' and 'in' [put them into "
                     "one {'and': […]}]");
    expect_condition("{}", "3:1 W809 an empty object is no rule [write a rule, or null]");
}
END_TEST

START_TEST(arguments)
{
    expect_condition("{'starts_with': ['a', 'b', 'c']}",
                     "3:17 W809 starts_with takes 2 arguments, here are 3");
    expect_condition("{'starts_with': ['a']}",
                     "3:17 W809 starts_with takes 2 arguments, here is 1");
    expect_condition("{'starts_with': [{'var': 'a'}, 7]}",
                     "3:32 W809 starts_with takes strings and rules, here is 7");
    expect_condition("{'ends_with': [{}, {'$ref': 'e'}]}",
                     "3:16 W821 an empty object is no rule [write a rule, or null]\n"
                     "3:20 W809 a '$ref' cannot stand here [write the rule out here]\n"
                     "3:29 W813 evaluator 'e' does not exist [the document has no '$evaluators']");
    expect_condition("{'<': [1, 2, 3, 4]}", "3:7 W809 < takes 2 or 3 arguments, here are 4");
    expect_condition("{'*': [1]}", "3:7 W809 * takes at least 2 arguments, here is 1");
    expect_condition("{'and': []}", "3:9 W809 and takes at least 1 argument, here are 0");
    expect_condition("{'reduce': [1, 2]}", "3:12 W809 reduce takes 3 arguments, here are 2");
    expect_condition("{'or': {'var': 'a'}}",
                     "3:8 W809 or takes an array of arguments, here is an object [put the "
                     "arguments into an array, even a single one]");
    expect_condition("{'===': [1, {'>': [2]}]}", "3:19 W809 > takes 2 arguments, here is 1");
    expect_condition("{'missing': ['a', 1, {'merge': ['b']}]}",
                     "3:19 W809 'missing' takes paths of attributes, here is 1\n"
                     "3:22 W809 'missing' takes paths of attributes, here is an object");
    expect_condition("{'missing_some': ['1', {}]}",
                     "3:19 W809 missing_some takes a number first, here is '1'\n"
                     "3:24 W809 missing_some takes an array of paths second, here is an object");
    expect_condition("{'missing_some': [1]}",
                     "3:18 W809 missing_some takes 2 arguments, here is 1");
}
END_TEST

START_TEST(arrays)
{
    expect_condition("{'!': [1, 2]}", "3:7 W824 ! takes 1 argument, here are 2");
    expect_condition("{'!': [{'foo': 1}]}", "3:9 W824 unknown operator 'foo'");
    expect_condition("{'in': [1, [{'===': [1]}, {}, [{'bar': 1}], {'sem_ver': ['1', 'x', 2]}]]}",
                     "3:21 W824 === takes 2 arguments, here is 1\n"
                     "3:27 W824 an empty object is no rule [write a rule, or null]\n"
                     "3:33 W824 unknown operator 'bar' [did you mean 'var'?]\n"
                     "3:58 W824 '1' is not a semantic version [write '1.0.0']\n"
                     "3:63 W824 'x' does not compare versions [there are = != < <= > >= ^ ~]\n"
                     "3:68 W824 sem_ver compares versions and attributes, here is 2 " VERSION);
}
END_TEST

START_TEST(paths)
{
    static const char names[] = " " DOTS;
    static const char *const empty[] = {"a..b", ".a", "a.", ".", "a.b..c"};
    char condition[100], expected[300];
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        snprintf(condition, sizeof condition, "{'var': '%s'}", empty[i]);
        snprintf(expected, sizeof expected, "3:9 W810 attribute '%s' has an empty part%s", empty[i],
                 names);
        expect_condition(condition, expected);
    }
    expect_condition("{'var': ['a..b', 1]}", "3:10 W810 attribute 'a..b' has an empty part " DOTS);
    expect_condition("{'var': 'a.__proto__.b'}",
                     "3:9 W810 attribute 'a.__proto__.b' is there for some engines without being "
                     "sent [give the attribute another name]");
    expect_condition("{'missing': ['__proto__']}",
                     "3:14 W810 attribute '__proto__' is there for some engines without being sent "
                     "[give the attribute another name]");
    expect_condition("{'var': '$flagd.flagkey'}",
                     "3:9 W810 attribute '$flagd.flagkey' does not exist [there are "
                     "'$flagd.timestamp' and '$flagd.flagKey']");
    expect_condition("{'var': 1}", "3:9 W822 " NO_PATH);
    expect_condition("{'var': []}", "3:9 W822 " NO_PATH);
    expect_condition("{'var': ['a', {'foo': 1}]}", "3:16 W824 unknown operator 'foo'");
}
END_TEST

START_TEST(versions)
{
    expect_condition("{'sem_ver': [{'var': 'v'}, '>=', 'v2.4']}",
                     "3:34 W811 'v2.4' is not a semantic version [write '2.4.0']");
    expect_condition("{'sem_ver': ['v1.2.0-rc.1', '=', '1.2.3.4']}",
                     "3:14 W811 'v1.2.0-rc.1' is not a semantic version [write '1.2.0-rc.1']\n"
                     "3:34 W811 '1.2.3.4' is not a semantic version [write a whole version, like "
                     "'2.4.0' or '2.4.0-rc.1']");
    expect_condition(
        "{'sem_ver': [{'cat': ['1']}, '==', 1.5]}",
        "3:14 W809 sem_ver compares versions and attributes, here is another rule " VERSION "\n"
        "3:30 W809 '==' does not compare versions [there are = != < <= > >= ^ ~]\n"
        "3:36 W809 sem_ver compares versions and attributes, here is 1.5 " VERSION);
    expect_condition("{'sem_ver': [{'var': 'v'}, '=']}",
                     "3:13 W809 sem_ver takes 3 arguments, here are 2");
}
END_TEST

START_TEST(fractional)
{
    expect_rule("{'fractional': ['seed', ['on', 1], ['off', 1]]}",
                "2:17 W809 fractional cannot draw by the constant 'seed': everybody would get the "
                "same [draw by an attribute, like {'cat': ['seed/', {'var': 'targetingKey'}]}, or "
                "leave it out]");
    expect_rule("{'fractional': [['on', -1], ['off', 1.5], ['on', '1'], ['off', null]]}",
                "2:24 W809 a weight is a whole number from 0 on, or a rule, here is -1\n"
                "2:37 W809 a weight is a whole number from 0 on, or a rule, here is 1.5 [weights "
                "need not add up to 100: multiply them all]\n"
                "2:50 W809 a weight is a whole number from 0 on, or a rule, here is '1'\n"
                "2:64 W809 a weight is a whole number from 0 on, or a rule, here is null");
    expect_rule("{'fractional': [['on', 0], ['off', 0]]}",
                "2:16 W812 all weights of fractional are 0");
    expect_rule("{'fractional': [['on', 2147483647], ['off']]}",
                "2:16 W812 the weights of fractional add up to more than 2147483647");
    expect_rule("{'fractional': [{'var': 'a'}]}",
                "2:16 W812 fractional has no variants to share out [write ['variant', weight] "
                "behind what is drawn by]");
    expect_rule("{'fractional': []}", "2:16 W809 fractional takes at least 1 argument, here are 0");
    expect_rule(
        "{'fractional': [['on', 1], 'off', [], ['on', 1, 2], {'off': 1}]}",
        "2:28 W809 fractional takes pairs of a variant and its weight, here is 'off' " PAIR "\n"
        "2:35 W809 fractional takes pairs of a variant and its weight, here is an array of another "
        "length " PAIR "\n"
        "2:39 W809 fractional takes pairs of a variant and its weight, here is an array of another "
        "length " PAIR "\n"
        "2:53 W809 fractional takes pairs of a variant and its weight, here is an object " PAIR);
    expect_rule("{'fractional': [['on', 1], ['of', 1], [{'if': [1, 'x', null]}, 1]]}",
                "2:29 W806 variant 'of' does not exist [did you mean 'on'?]\n"
                "2:51 W806 variant 'x' does not exist [there are 'on', 'off']");
}
END_TEST

START_TEST(results)
{
    expect_rule("{'if': [{'var': 'x'}, 'onn', {'var': 'y'}, null, 'never']}",
                "2:23 W806 variant 'onn' does not exist [did you mean 'on'?]\n"
                "2:50 W806 variant 'never' does not exist [there are 'on', 'off']");
    expect_rule("{'if': ['x', true, 'y', 1]}",
                "2:14 W806 variant 'true' does not exist [there are 'on', 'off']\n"
                "2:25 W806 variant '1' does not exist [there are 'on', 'off']");
    expect_rule("{'or': [{'var': 'v'}, 'a', '', 'b']}",
                "2:23 W806 variant 'a' does not exist [there are 'on', 'off']\n"
                "2:32 W806 variant 'b' does not exist [there are 'on', 'off']");
    expect_rule("{'and': ['c', 'd']}",
                "2:15 W806 variant 'd' does not exist [there are 'on', 'off']");
    expect_rule("{'if': [1, ['on']]}", "2:12 W822 what an array as a result means differs from "
                                       "engine to engine [write the name of a variant]");
    expect_rule("{'===': [{'var': 'x'}, 1]}",
                "2:2 W806 '===' gives true or false, and neither is a variant [name the variants: "
                "{'if': [this, 'variant', 'other variant']}]");
    /* What is computed may be anything. */
    expect_rule("{'cat': ['o', 'n']}", "");
    expect_rule("{'if': [{'===': ['on', 'x']}, {'var': 'variant'}]}", "");
    expect_document("{'flags': {'f': {'state': 'ENABLED', 'variants': {'true': 1, 'false': 0}, "
                    "'targeting': {'!': {'in': ['a', {'var': 'x'}]}}}}}",
                    "");
    expect_document("{'flags': {'f': {'state': 'ENABLED', 'variants': {'1': 1, '1.5': 0}, "
                    "'targeting': {'if': [{'var': 'x'}, 1.0, 15e-1]}}}}",
                    "");
}
END_TEST

START_TEST(iterations)
{
    expect_condition("{'some': [{'var': 'l'}, {'starts_with': [{'var': ''}, 'a']}]}",
                     "3:26 W822 starts_with inside of map, filter, reduce, all, none or some "
                     "differs from engine to engine");
    expect_condition("{'some': [{'starts_with': ['a', 'b']}, {'===': [{'var': ''}, 'a']}]}", "");
}
END_TEST

/* --- evaluators ------------------------------------------------------------------------------ */

#define USER(name)                                                                                 \
    "{'flags': {'f': {'state': 'ENABLED', 'variants': {'a': 1}, 'targeting': {'if': "              \
    "[{'$ref': '" name "'}, 'a']}}},\n'$evaluators': "

START_TEST(references)
{
    expect_document(USER("staf") "{'staff': {'var': 'x'}}}",
                    "1:90 W813 evaluator 'staf' does not exist [did you mean 'staff'?]\n"
                    "2:17 W817 evaluator 'staff': no flag refers to it [remove it]");
    expect_document(USER("e") "{'e': {}}}",
                    "2:22 W816 evaluator 'e': flagd refuses the whole document for an empty "
                    "evaluator [write a rule, or remove it]");
    expect_document(USER("e") "{'e': 10}}",
                    "2:22 W802 evaluator 'e': a rule is an object with one operator, here is 10 "
                    "[leave it out where there are no rules]");
    expect_document(USER("e") "{'e': {'and': [{'foo': 1}, {'$ref': 7}]}}}",
                    "2:32 W808 evaluator 'e': unknown operator 'foo'\n"
                    "2:52 W809 evaluator 'e': a '$ref' names an evaluator, here is 7");
    /* What an evaluator gives cannot be looked up: it serves several flags. */
    expect_document(USER("e") "{'e': {'if': [1, 'whatever']}}}", "");
    expect_rule("{'$ref': 'e'}",
                "2:1 W809 a '$ref' cannot be the whole targeting [write {'if': [{'$ref': …}, "
                "'variant', 'other variant']}]\n"
                "2:10 W813 evaluator 'e' does not exist [the document has no '$evaluators']");
    expect_document(USER("e', 'x': '") "{'e': {'var': 'x'}}}",
                    "1:81 W809 a '$ref' stands alone in its object, here are 2 members");
}
END_TEST

START_TEST(nested_references)
{
    expect_document(USER("a") "{\n'a': {'!': {'$ref': 'b'}},\n'b': {'!': {'$ref': 'c'}},\n"
                              "'c': {'var': 'x'}}}",
                    "3:21 W814 evaluator 'a': a '$ref' inside an evaluator (here to 'b') " NESTED
                    "\n"
                    "4:21 W814 evaluator 'b': a '$ref' inside an evaluator (here to 'c') " NESTED);
    expect_document(USER("a") "{\n'a': {'!': {'$ref': 'a'}}}}",
                    "3:21 W815 evaluator 'a': the '$ref' to 'a' leads to itself [write one of the "
                    "rules out in place of its '$ref'] (first 3:1)");
    expect_document(USER("a") "{\n'a': {'!': {'$ref': 'b'}},\n'b': {'!': {'$ref': 'a'}}}}",
                    "3:21 W814 evaluator 'a': a '$ref' inside an evaluator (here to 'b') " NESTED
                    "\n"
                    "4:21 W815 evaluator 'b': the '$ref' to 'a' leads back here [write one of the "
                    "rules out in place of its '$ref'] (first 3:1)");
    expect_document(USER("a") "{\n'a': {'!': {'$ref': 'z'}}}}",
                    "3:21 W813 evaluator 'a': evaluator 'z' does not exist [there are 'a']");
}
END_TEST

UNIT_MAIN("flagd_check", good_documents, good_rules, not_json, document_shape, flag_shape, variants,
          twice, listed_flags, operators, arguments, arrays, paths, versions, fractional, results,
          iterations, references, nested_references)
