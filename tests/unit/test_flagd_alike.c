/* One verdict three ways: flagd's own JSON Schemas, ours in schemas/flagd.json, and flagd_check().
 *
 * Each flag of flagd's test files, and some of the tests' own that hold every operator, is changed
 * at random in tens of thousands of ways (the seed is fixed), and each result must be taken by all
 * three or refused by all three. flagd's schemas are in $WEIR_CONFORMANCE (a folder with
 * flagd-schemas/ and flagd/), else ../shared/conformance; without them the other two are
 * compared. */
#include "schema_unit.h"

#include "../../rules/flagd_check.h"
#include "../../rules/json.h"

#define ROUNDS 40000
#define CHANGES_MAX 3

/* --- files ----------------------------------------------------------------------------------- */

static bool read_file(const char *name, struct buffer *out)
{
    const char *folder = getenv("WEIR_CONFORMANCE");
    char path[512], chunk[8192];
    size_t length;
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "../shared/conformance", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    while ((length = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(out, chunk, length);
    ck_assert(!ferror(file) && out->failed == STATUS_OK);
    fclose(file);
    return true;
}

/* flagd's; NULL where they are not there. */
static struct schema_set *flagds_schemas(void)
{
    static const char *const names[] = {"flagd.json", "flags.json", "targeting.json"};
    struct schema_set *set = schema_set_new();
    struct error error = {0};
    ck_assert_ptr_nonnull(set);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[100];
        struct buffer text;
        buffer_init(&text, 0);
        snprintf(path, sizeof path, "flagd-schemas/%s", names[i]);
        bool found = read_file(path, &text);
        if (found)
            ck_assert_msg(schema_set_add(set, names[i], buffer_text(&text), &error) == STATUS_OK,
                          "%s:%u: %s", names[i], error.line, error.message);
        buffer_dispose(&text);
        if (!found) {
            schema_set_free(set);
            return NULL;
        }
    }
    ck_assert_msg(schema_set_seal(set, &error) == STATUS_OK, "%s", error.message);
    return set;
}

/* --- what is changed ------------------------------------------------------------------------- */

static const char own[] =
    "{\"flags\": {"
    "\"a\": {\"state\": \"ENABLED\", \"variants\": {\"on\": true, \"off\": false}, "
    "\"defaultVariant\": \"off\", \"metadata\": {\"a\": 1, \"b\": \"x\", \"c\": true}, "
    "\"targeting\": {\"if\": [{\"and\": [{\"===\": [{\"var\": \"a.b\"}, 1]}, {\"!==\": [{\"var\": "
    "[\"c\"]}, null]}, {\"!\": {\"var\": \"x\"}}, {\"!!\": [{\"var\": [\"x\", 1]}]}, {\"or\": "
    "[true]}]}, \"on\", {\"<\": [1, {\"var\": \"n\"}, 3]}, \"off\", null]}},"
    "\"b\": {\"state\": \"DISABLED\", \"variants\": {\"x\": \"1\", \"y\": \"2\"}, "
    "\"targeting\": {\"fractional\": [{\"cat\": [\"s\", {\"var\": \"$flagd.flagKey\"}]}, [\"x\", "
    "25], [{\"if\": [{\"$ref\": \"e\"}, \"x\", \"y\"]}, {\"-\": [100, {\"var\": "
    "\"$flagd.timestamp\"}]}], [\"y\"]]}},"
    "\"c\": {\"state\": \"ENABLED\", \"variants\": {\"x\": 1, \"y\": 2.5}, \"defaultVariant\": "
    "null, \"targeting\": {\"if\": [{\"sem_ver\": [{\"var\": \"v\"}, \"^\", \"1.2.3-rc.1\"]}, "
    "\"x\", {\"starts_with\": [{\"var\": \"s\"}, \"a\"]}, \"y\", {\"ends_with\": [\"abc\", "
    "{\"cat\": [\"a\"]}]}, \"x\"]}},"
    "\"d\": {\"state\": \"ENABLED\", \"variants\": {\"x\": {}, \"y\": {\"a\": [1]}}, "
    "\"targeting\": {\"if\": [{\"in\": [{\"var\": \"a\"}, [\"x\", 1, [2]]]}, \"x\", {\"missing\": "
    "[\"a\", \"b\"]}, \"y\", {\"missing_some\": [1, [\"a\", \"b\"]]}, \"x\", {\"some\": [{\"var\": "
    "\"l\"}, {\"==\": [{\"var\": \"\"}, 2]}]}, \"y\", {\"reduce\": [{\"var\": \"l\"}, {\"+\": "
    "[{\"var\": \"current\"}, {\"var\": \"accumulator\"}]}, 0]}, \"x\"]}},"
    "\"e\": {\"state\": \"ENABLED\", \"variants\": {\"x\": true}, \"targeting\": {\"if\": "
    "[{\">=\": [{\"*\": [2, {\"/\": [4, 2]}]}, {\"%\": [7, 2]}]}, \"x\", {\"!=\": [{\"substr\": "
    "[\"abc\", 1]}, {\"max\": [1, 2]}]}, \"x\", {\"all\": [{\"merge\": [[1], 2]}, {\"none\": "
    "[{\"filter\": [[1], {\"<=\": [1, 2]}]}, {\"map\": [[2], {\"min\": [1]}]}]}]}, "
    "{\"fractional\": "
    "[[\"x\", 1]]}]}},"
    "\"f\": {\"state\": \"ENABLED\", \"variants\": {\"x\": \"a\"}, \"targeting\": {}}"
    "}, \"$evaluators\": {\"e\": {\"in\": [\"@x\", {\"var\": [\"email\"]}]}, \"n\": {}}, "
    "\"metadata\": {\"flagSetId\": \"s\", \"version\": \"1\"}}";

/* What takes the place of a value. */
static const char *const replacements[] = {
    "null",
    "true",
    "0",
    "1",
    "-1",
    "1.5",
    "2.0",
    "\"\"",
    "\"x\"",
    "\"$flagd.x\"",
    "\"$flagd.timestamp\"",
    "\"1.2.3\"",
    "\"1.2\"",
    "\"01.2.3\"",
    "\"1.2.3-01\"",
    "\"1.2.3-a.b+c\"",
    "\"=\"",
    "\"ENABLED\"",
    "[]",
    "{}",
    "[1]",
    "[{\"foo\": 1}]",
    "[[\"x\", 1]]",
    "[\"x\", 1]",
    "{\"var\": \"a\"}",
    "{\"var\": 1}",
    "{\"$ref\": \"e\"}",
    "{\"$ref\": 1}",
    "{\"foo\": [1]}",
    "{\"and\": [1], \"or\": [2]}",
    "{\"==\": [1, 1], \"<\": [2, 3]}",
    "{\"!\": [{}, 2]}",
    "{\"fractional\": [{\"var\": \"a\"}, [\"x\", 1]]}",
    "{\"sem_ver\": [\"1.0.0\", \"=\", {\"var\": \"v\"}]}",
};

/* What takes the place of a key. */
static const char *const keys[] = {
    "flags",       "$evaluators", "metadata",   "state",   "variants", "defaultVariant",
    "targeting",   "key",         "$ref",       "var",     "missing",  "missing_some",
    "if",          "==",          "===",        "!=",      "!==",      ">",
    ">=",          "<",           "<=",         "%",       "/",        "*",
    "+",           "-",           "max",        "min",     "merge",    "cat",
    "substr",      "in",          "map",        "filter",  "reduce",   "all",
    "none",        "some",        "and",        "or",      "!",        "!!",
    "starts_with", "ends_with",   "fractional", "sem_ver", "foo",      "",
    "x",           "a\nb",        "log",        "?:",
};

static uint64_t state = 1;

/* xorshift64: the same numbers on every machine. */
static unsigned pick(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 11) % below);
}

static struct node *parse(struct arena *arena, struct text json)
{
    const struct node *node;
    struct error error;
    ck_assert_msg(json_read(arena, json, JSON_LIMITS_DEFAULT, &node, &error) == STATUS_OK, "%s",
                  error.message);
    return (struct node *)(uintptr_t)node;
}

static unsigned count_nodes(const struct node *node)
{
    unsigned count = 1;
    if (node->type == NODE_LIST || node->type == NODE_MAP) {
        for (const struct node *child = node->first; child; child = child->next)
            count += count_nodes(child);
    }
    return count;
}

/* The node of that number in document order; *index counts down. */
static struct node *nth(struct node *node, unsigned *index, struct node **parent)
{
    if ((*index)-- == 0)
        return node;
    if (node->type != NODE_LIST && node->type != NODE_MAP)
        return NULL;
    for (struct node *child = node->first; child; child = child->next) {
        struct node *found = nth(child, index, parent);
        if (found) {
            if (!*parent)
                *parent = node;
            return found;
        }
    }
    return NULL;
}

static struct node *random_node(struct node *root, struct node **parent)
{
    unsigned index = pick(count_nodes(root));
    *parent = NULL;
    return nth(root, &index, parent);
}

/* Puts the value of `from` where `to` is; its place in the parent stays. */
static void replace(struct node *to, const struct node *from)
{
    struct node old = *to;
    *to = *from;
    to->key = old.key;
    to->next = old.next;
}

static void drop_child(struct node *parent, struct node *child)
{
    struct node **link = &parent->first;
    while (*link != child)
        link = &(*link)->next;
    *link = child->next;
    parent->count--;
}

static struct node *new_value(struct arena *arena)
{
    return parse(arena, text_of(replacements[pick(COUNT_OF(replacements))]));
}

static void add_child(struct arena *arena, struct node *parent)
{
    struct node *child = new_value(arena);
    child->key = text_of(keys[pick(COUNT_OF(keys))]);
    child->next = parent->first;
    parent->first = child;
    parent->count++;
}

/* {"key": the value} or ["the value"] in the place of the value. */
static void wrap(struct arena *arena, struct node *node)
{
    struct node *inner = ARENA_NEW(arena, struct node);
    ck_assert_ptr_nonnull(inner);
    *inner = *node;
    inner->next = NULL;
    inner->key = text_of(keys[pick(COUNT_OF(keys))]);
    node->type = pick(2) ? NODE_MAP : NODE_LIST;
    node->count = 1;
    node->first = inner;
}

static void change(struct arena *arena, struct node *root)
{
    struct node *parent, *other_parent, *node = random_node(root, &parent);
    bool holds = node->type == NODE_LIST || node->type == NODE_MAP;
    if (!parent) /* the document itself */
        return;
    switch (pick(8)) {
    case 0:
        drop_child(parent, node);
        break;
    case 1:
        replace(node, new_value(arena));
        break;
    case 2:
        node->key = text_of(keys[pick(COUNT_OF(keys))]);
        break;
    case 3:
        if (holds)
            add_child(arena, node);
        break;
    case 4:
        wrap(arena, node);
        break;
    case 5: { /* a copy of another part, which may hold this one: by way of its text */
        struct buffer text;
        buffer_init(&text, 0);
        json_write_node(&text, random_node(root, &other_parent));
        replace(node, parse(arena, buffer_text(&text)));
        buffer_dispose(&text);
        break;
    }
    case 6:
        if (parent->type == NODE_LIST) { /* the same once more */
            struct node *again = ARENA_NEW(arena, struct node);
            ck_assert_ptr_nonnull(again);
            *again = *node;
            node->next = again;
            parent->count++;
        }
        break;
    default:
        if (holds && node->first) /* its first entry in its own place */
            replace(node, node->first);
    }
}

/* --- verdicts -------------------------------------------------------------------------------- */

/* Codes of what a schema refuses too; and those that some refusals have in common with what only
 * we refuse. */
static const char *const by_schema[] = {"W802", "W805", "W807", "W808", "W809", "W811"};
static const char *const by_both[] = {"W810", "W821"};

struct verdict {
    bool by_schema, by_both, twice;
};

static bool is_one_of(const char *code, const char *const *codes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(code, codes[i]) == 0)
            return true;
    }
    return false;
}

static struct verdict judge(struct text json, struct buffer *words)
{
    struct verdict verdict = {false, false, false};
    struct diagnostics faults;
    diagnostics_init(&faults);
    ck_assert_int_eq(flagd_check(json, "f", &faults), STATUS_OK);
    for (size_t i = 0; i < faults.count; i++) {
        const char *code = faults.items[i].code;
        verdict.by_schema |= is_one_of(code, by_schema, COUNT_OF(by_schema));
        verdict.by_both |= is_one_of(code, by_both, COUNT_OF(by_both));
        verdict.twice |= strcmp(code, "W804") == 0;
    }
    buffer_clear(words);
    print(&faults, words);
    diagnostics_dispose(&faults);
    return verdict;
}

struct comparison {
    const struct schema *ours, *theirs; /* theirs: NULL where they are not there */
    struct buffer words;
    unsigned taken, refused;
};

static void compare(struct comparison *comparison, struct text json)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct node *document = parse(&arena, json);
    struct verdict verdict = judge(json, &comparison->words);
    if (verdict.twice) { /* for schemas that is no JSON that means anything */
        arena_dispose(&arena);
        return;
    }
    bool ours = schema_validate(comparison->ours, document, TEXT("f"), NULL) == STATUS_OK;
    if (comparison->theirs) {
        bool theirs = schema_validate(comparison->theirs, document, TEXT("f"), NULL) == STATUS_OK;
        ck_assert_msg(ours == theirs, "flagd's schema %s, ours %s:\n%.*s",
                      theirs ? "takes it" : "refuses it", ours ? "takes it" : "refuses it",
                      (int)json.length, json.data);
    }
    bool alike = ours ? !verdict.by_schema : verdict.by_schema || verdict.by_both;
    ck_assert_msg(alike, "the schemas %s:\n%.*s\nflagd_check() says:\n%.*s",
                  ours ? "take it" : "refuse it", (int)json.length, json.data,
                  (int)comparison->words.length, comparison->words.data);
    comparison->taken += ours;
    comparison->refused += !ours;
    arena_dispose(&arena);
}

/* --- the seeds: one flag each, with the document's evaluators and metadata -------------------- */

struct seeds {
    struct buffer texts[256];
    size_t count;
};

static void add_seed(struct seeds *seeds, const struct node *document, const struct node *flag,
                     bool listed)
{
    ck_assert_uint_lt(seeds->count, COUNT_OF(seeds->texts));
    struct buffer *out = &seeds->texts[seeds->count++];
    static const char *const others[] = {"$evaluators", "metadata"};
    buffer_init(out, 0);
    buffer_append_string(out, listed ? "{\"flags\":[" : "{\"flags\":{");
    if (!listed) {
        json_write_string(out, flag->key);
        buffer_append_char(out, ':');
    }
    size_t start = out->length;
    json_write_node(out, flag);
    if (listed) {
        ck_assert_uint_eq(out->data[start], '{');
        out->length = start;
        buffer_append_string(out, "{\"key\":");
        json_write_string(out, flag->key);
        buffer_append_char(out, ',');
        struct buffer text;
        buffer_init(&text, 0);
        json_write_node(&text, flag);
        buffer_append(out, text.data + 1, text.length - 1);
        buffer_dispose(&text);
    }
    buffer_append_char(out, listed ? ']' : '}');
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        const struct node *other = node_get(document, others[i]);
        if (!other)
            continue;
        buffer_printf(out, ",\"%s\":", others[i]);
        json_write_node(out, other);
    }
    buffer_append_char(out, '}');
    ck_assert_int_eq(out->failed, STATUS_OK);
}

static void add_seeds(struct seeds *seeds, struct comparison *comparison, struct text json)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct node *document = parse(&arena, json);
    const struct node *flags = node_get(document, "flags");
    compare(comparison, json);
    for (const struct node *flag = flags ? flags->first : NULL; flag; flag = flag->next)
        add_seed(seeds, document, flag, pick(4) == 0);
    arena_dispose(&arena);
}

static void add_file(struct seeds *seeds, struct comparison *comparison, const char *name)
{
    struct buffer text;
    buffer_init(&text, 0);
    ck_assert_msg(read_file(name, &text), "%s is not there", name);
    add_seeds(seeds, comparison, buffer_text(&text));
    buffer_dispose(&text);
}

static void add_files(struct seeds *seeds, struct comparison *comparison)
{
    static const char *const names[] = {
        "flagd/testkit-flags.json",         "flagd/flags/changing-flag.json",
        "flagd/flags/custom-ops.json",      "flagd/flags/disabled-flags.json",
        "flagd/flags/edge-case-flags.json", "flagd/flags/evaluator-refs.json",
        "flagd/flags/metadata-flags.json",  "flagd/flags/selector-flag-combined-metadata.json",
        "flagd/flags/selector-flags.json",  "flagd/flags/testing-flags.json",
        "flagd/flags/zero-flags.json",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        add_file(seeds, comparison, names[i]);
}

START_TEST(alike)
{
    static struct seeds seeds;
    struct schema_set *theirs = flagds_schemas(), *ours = shipped();
    struct comparison comparison = {.ours = schema_set_find(ours, "flagd.json")};
    ck_assert_ptr_nonnull(comparison.ours);
    buffer_init(&comparison.words, 0);
    seeds.count = 0;
    if (theirs) {
        comparison.theirs = schema_set_find(theirs, "flagd.json");
        ck_assert_ptr_nonnull(comparison.theirs);
        add_files(&seeds, &comparison);
    } else {
        printf("skipped: flagd's own schemas are not there; only ours was compared\n");
    }
    add_seeds(&seeds, &comparison, text_of(own));
    ck_assert_uint_ge(comparison.taken, 1);

    comparison.taken = comparison.refused = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct arena arena;
        struct buffer json;
        arena_init(&arena, 0);
        buffer_init(&json, 0);
        struct node *document =
            parse(&arena, buffer_text(&seeds.texts[pick((unsigned)seeds.count)]));
        for (unsigned i = 1 + pick(CHANGES_MAX); i > 0; i--)
            change(&arena, document);
        json_write_node(&json, document);
        ck_assert_int_eq(json.failed, STATUS_OK);
        compare(&comparison, buffer_text(&json));
        buffer_dispose(&json);
        arena_dispose(&arena);
    }
    /* Both kinds in their thousands, else little was compared. */
    ck_assert_uint_gt(comparison.taken, ROUNDS / 20);
    ck_assert_uint_gt(comparison.refused, ROUNDS / 4);
    printf("%u changed documents: all take %u, all refuse %u\n", ROUNDS, comparison.taken,
           comparison.refused);

    for (size_t i = 0; i < seeds.count; i++)
        buffer_dispose(&seeds.texts[i]);
    buffer_dispose(&comparison.words);
    schema_set_free(ours);
    schema_set_free(theirs);
}
END_TEST

/* One argument of each kind at each place among up to four others of a kind, of each operator. */
static void compare_calls(struct comparison *comparison, const char *operator, const char * filler,
                          struct buffer *json)
{
    for (unsigned count = 0; count <= 5; count++) {
        for (unsigned place = 0; place <= count; place++) {
            for (size_t r = 0; r < COUNT_OF(replacements); r++) {
                buffer_clear(json);
                buffer_append_string(json, "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":"
                                           "{\"x\":1},\"targeting\":{\"if\":[{");
                json_write_string(json, text_of(operator));
                /* at the place beyond the last: no array at all */
                buffer_append_char(json, ':');
                if (place < count)
                    buffer_append_char(json, '[');
                for (unsigned i = 0; i < (place < count ? count : 1); i++) {
                    buffer_append_string(json, i ? "," : "");
                    buffer_append_string(json,
                                         place == count || i == place ? replacements[r] : filler);
                }
                buffer_append_string(json, place < count ? "]},\"x\"]}}}}" : "},\"x\"]}}}}");
                compare(comparison, buffer_text(json));
            }
        }
    }
}

START_TEST(every_call)
{
    static const char *const fillers[] = {"1", "\"1.0.0\"", "{\"var\":\"a\"}", "[\"x\",1]"};
    struct schema_set *theirs = flagds_schemas(), *ours = shipped();
    struct comparison comparison = {.ours = schema_set_find(ours, "flagd.json"),
                                    .theirs =
                                        theirs ? schema_set_find(theirs, "flagd.json") : NULL};
    struct buffer json;
    ck_assert_ptr_nonnull(comparison.ours);
    buffer_init(&comparison.words, 0);
    buffer_init(&json, 0);
    for (size_t k = 0; k < COUNT_OF(keys); k++) {
        for (size_t f = 0; f < COUNT_OF(fillers); f++)
            compare_calls(&comparison, keys[k], fillers[f], &json);
    }
    ck_assert_uint_gt(comparison.taken, 10000);
    ck_assert_uint_gt(comparison.refused, 10000);
    printf("%u calls of operators: all take %u, all refuse %u\n",
           comparison.taken + comparison.refused, comparison.taken, comparison.refused);
    buffer_dispose(&json);
    buffer_dispose(&comparison.words);
    schema_set_free(ours);
    schema_set_free(theirs);
}
END_TEST

UNIT_MAIN("flagd_alike", alike, every_call)
