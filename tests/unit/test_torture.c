/* Memory that runs out anywhere on the way from YAML to a told decision: the n-th allocation fails,
 * for every n until none does. Each time the answer is STATUS_NO_MEMORY or the right one, and
 * nothing leaks (that shows under ASan or valgrind). Linked with --wrap, see TEST_LDFLAGS_torture
 * in the Makefile; what libyaml and nettle allocate is not made to fail. */
#include "../../rules/explain.h"
#include "../../rules/import.h"
#include "../../rules/json.h"
#include "../../rules/weir.h"
#include "failing.h"
#include "fragments.h"
#include "rules_unit.h"

/* Everything the compiler knows, and more attributes and definitions than first sizes hold. */
static char *write_definitions(void)
{
    struct buffer yaml;
    buffer_init(&yaml, 0);
    buffer_append_string(
        &yaml,
        RIG_PRODUCTION "spec: {evaluators: [weir, flagd, js, python, java]}\n" RIG_SEGMENT(
            "s", "{match: {attribute: email, endsWith: \"@x\"}, include: [a, b], exclude: [c]}")
            RIG_FLAG("split", "  rules: [{split: {on: 25, off: 75}, bucketBy: session}]\n")
                RIG_FLAG("needs", "  rules: [{when: {flag: {name: split, is: on}}, serve: on}]\n")
                    RIG_FLAG(
                        "f",
                        "  rules:\n    - {when: {all: [{segment: s}, {attribute: app.version, "
                        "semver: \">=2.0.0 <3.0.0\"}]}, serve: on}\n"
                        "    - {when: {any: [{attribute: n, between: [1, 5]}, {attribute: d, "
                        "before: 2026-01-01}]}, serve: off}\n"
                        "    - {when: {attribute: t, in: [q, w, e, r, t, y, u, i, o, p, 1, true]}, "
                        "serve: on}\n"
                        "  environments: {production: {default: on}}\n") "---\napiVersion: "
                                                                         "weir/v1\nkind: "
                                                                         "Target\nmetadata: {name: "
                                                                         "t}\nspec: {environment: "
                                                                         "production, file: {path: "
                                                                         "x}}\n");
    for (int i = 0; i < 70; i++)
        buffer_printf(
            &yaml,
            RIG_FLAG("g%d", "  rules: [{when: {attribute: a%d.b%d, contains: x}, serve: on}]\n"), i,
            i, i);
    return buffer_take(&yaml, NULL);
}

static const char context_json[] =
    "{\"targetingKey\":\"a\",\"session\":\"s\\n1\",\"app\":{\"version\":\"2.4.\\u0030\"},"
    "\"a3\":{\"b3\":[1,{\"k\":\"v\"},\"x\"]},\"n\":3}";

/* One whole way. STATUS_OK fills `out` with the document and two told decisions. */
static enum status go(const struct schema_set *schemas, struct text yaml, struct buffer *out)
{
    struct bundle bundle;
    struct catalog catalog;
    struct diagnostics faults;
    struct context context = {0};
    struct document *document = NULL, *next = NULL;
    static const char *const told[] = {"f", "g3", "needs"};
    catalog = (struct catalog){0};
    bundle_init(&bundle);
    diagnostics_init(&faults);
    enum status status = bundle_add(&bundle, TEXT("flags/all.yaml"), yaml);
    if (status == STATUS_OK) {
        bundle_sort(&bundle);
        status = catalog_build(&catalog, schemas, &bundle, NULL, &faults);
    }
    const struct environment *environment =
        status ? NULL : catalog_environment(&catalog, TEXT("production"));
    if (status == STATUS_OK)
        status = compile_environment(&catalog, environment, NULL, NULL, &document, &faults);
    if (status == STATUS_OK)
        status = compile_environment(&catalog, environment, document, NULL, &next, &faults);
    if (status == STATUS_OK)
        status = context_init(&context);
    if (status == STATUS_OK)
        status = context_read(&context, next->attributes, TEXT(context_json), NULL);
    if (status == STATUS_OK) {
        document_write(next, out);
        for (size_t i = 0; i < 2 * COUNT_OF(told); i++)
            explain(document_find(next, text_of(told[i / 2])), text_of(told[i / 2]), &context,
                    RIG_NOW, i % 2 ? EXPLAIN_JSON : EXPLAIN_TEXT, out);
        status = out->failed;
    }
    plan.armed = false; /* check allocates too */
    ck_assert_msg(status != STATUS_INVALID, "a fault that is none: %s",
                  faults.count ? faults.items[0].message.data : "");
    document_release(document);
    document_release(next);
    context_dispose(&context);
    catalog_dispose(&catalog);
    diagnostics_dispose(&faults);
    bundle_dispose(&bundle);
    return status;
}

static void torture(bool lasting)
{
    struct error error;
    struct schema_set *schemas = catalog_schemas(&error);
    char *yaml = write_definitions();
    struct buffer expected, got;
    buffer_init(&expected, 0);
    buffer_init(&got, 0);
    ck_assert_int_eq(go(schemas, text_of(yaml), &expected), STATUS_OK);
    ck_assert_ptr_nonnull(memmem(expected.data, expected.length, "g3 = true", 9));
    size_t n = 1, failures = 0, survived = 0;
    for (bool passed = false; !passed; n++) {
        buffer_dispose(&got);
        plan.lasting = lasting;
        plan.seen = 0;
        plan.failing = n;
        plan.armed = true;
        enum status status = go(schemas, text_of(yaml), &got);
        plan.armed = false;
        passed = plan.seen < n;
        if (status == STATUS_OK) {
            ck_assert_msg(text_equal(buffer_text(&got), buffer_text(&expected)),
                          "allocation %zu: another answer", n);
            survived += !passed;
        } else {
            /* a context's memory is bounded: running out of it is STATUS_LIMIT */
            ck_assert_msg(status == STATUS_NO_MEMORY || status == STATUS_LIMIT,
                          "allocation %zu: status %d", n, status);
            failures++;
        }
        ck_assert_msg(!passed || status == STATUS_OK, "it fails even when nothing does");
    }
    ck_assert_uint_gt(failures, 100);
    ck_assert_msg(!lasting || survived == 0, "%zu answers without memory", survived);
    buffer_dispose(&expected);
    buffer_dispose(&got);
    free(yaml);
    schema_set_free(schemas);
}

START_TEST(one_allocation_fails)
{
    torture(false);
}
END_TEST

START_TEST(all_allocations_from_one_on_fail)
{
    torture(true);
}
END_TEST

/* Faults must not vanish for want of memory: a faulty repository is never called a good one. */
START_TEST(faults_do_not_vanish)
{
    struct error error;
    struct schema_set *schemas = catalog_schemas(&error);
    static const char yaml[] =
        RIG_PRODUCTION RIG_FLAG("f", "  rules: [{when: {segment: none}, serve: onn}]\n")
            RIG_SEGMENT("a", "{match: {segment: b}}") RIG_SEGMENT("b", "{match: {segment: a}}")
                RIG_SEGMENT("b", "{include: [x]}");
    bool passed = false;
    for (size_t n = 1; !passed; n++) {
        struct bundle bundle;
        struct catalog catalog;
        struct diagnostics faults;
        bundle_init(&bundle);
        diagnostics_init(&faults);
        ck_assert_int_eq(bundle_add(&bundle, TEXT("flags/f.yaml"), TEXT(yaml)), STATUS_OK);
        plan.seen = 0;
        plan.failing = n;
        plan.lasting = false;
        plan.armed = true;
        enum status status = catalog_build(&catalog, schemas, &bundle, NULL, &faults);
        plan.armed = false;
        passed = plan.seen < n;
        ck_assert_msg(status == STATUS_INVALID || status == STATUS_NO_MEMORY,
                      "allocation %zu: status %d", n, status);
        if (status == STATUS_INVALID) {
            diagnostics_sort(&faults);
            ck_assert_msg(faults.count == 4, "allocation %zu: %zu faults", n, faults.count);
        }
        catalog_dispose(&catalog);
        diagnostics_dispose(&faults);
        bundle_dispose(&bundle);
    }
    schema_set_free(schemas);
}
END_TEST

/* The same through weir.h. */
START_TEST(the_library_says_no_memory)
{
    static const char json[] = "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true,"
                               "\"off\":false},\"defaultVariant\":\"off\","
                               "\"targeting\":{\"if\":[{\"in\":[{\"var\":\"a\"},[\"1\",\"2\",\"3\","
                               "\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]]},\"on\",null]}}},"
                               "\"metadata\":{\"x\":1}}";
    static const char story[] =
        "f = true (variant \"on\", TARGETING_MATCH)\n✓ rule 1 serves \"on\"\n";
    bool passed = false;
    size_t failures = 0;
    for (size_t n = 1; !passed; n++) {
        weir_error error = {0};
        weir_decision decision;
        plan.seen = 0;
        plan.failing = n;
        plan.lasting = false;
        plan.armed = true;
        weir_document *document = weir_document_read(json, sizeof json - 1, NULL, &error);
        weir_context *context = document ? weir_context_new() : NULL;
        enum weir_status status =
            context ? weir_context_read(context, document, "{\"a\":\"\\u0037\"}", 14, &error)
                    : WEIR_NO_MEMORY;
        char *text = NULL;
        if (status == WEIR_OK) {
            weir_evaluate(document, "f", context, RIG_NOW, &decision);
            text = weir_explain(document, "f", context, RIG_NOW);
        }
        plan.armed = false;
        if (status == WEIR_OK) {
            ck_assert(decision.reason == WEIR_TARGETING_MATCH && decision.value_length == 4);
            ck_assert_msg(!text || strncmp(text, story, sizeof story - 1) == 0,
                          "allocation %zu: %s", n, text);
            failures += text == NULL;
        } else {
            ck_assert_msg(document || error.status == WEIR_NO_MEMORY, "allocation %zu: %s", n,
                          error.message);
            failures++;
        }
        passed = plan.seen < n;
        ck_assert(!passed || text);
        free(text);
        weir_context_free(context);
        weir_document_release(document);
    }
    ck_assert_uint_gt(failures, 15);
}
END_TEST

/* The rules of tests/conformance/operators.json: each operator with an attribute in each of its
 * places. */
static struct document *read_operators(struct arena *arena)
{
    FILE *file = fopen("tests/conformance/operators.json", "rbe");
    struct buffer text, json;
    const struct node *table;
    struct document *document;
    unsigned count = 0;
    ck_assert_msg(file, "run from the top of the tree");
    buffer_init(&text, 0);
    buffer_init(&json, 0);
    for (size_t got = 1; got; text.length += got)
        got = fread(buffer_reserve(&text, 65536), 1, 65536, file);
    fclose(file);
    ck_assert_int_eq(json_read(arena, buffer_text(&text), JSON_LIMITS_DEFAULT, &table, NULL),
                     STATUS_OK);
    buffer_append_string(&json, "{\"flags\":{");
    for (const struct node *row = node_get(table, "rows")->first; row; row = row->next) {
        buffer_printf(&json, "%s\"%u\":{\"state\":\"ENABLED\",\"variants\":{},\"targeting\":",
                      count ? "," : "", count);
        json_write_node(&json, node_get(row, "rule"));
        buffer_append_char(&json, '}');
        count++;
    }
    buffer_append_string(&json, "}}");
    ck_assert_uint_gt(count, 200);
    ck_assert_int_eq(document_read(buffer_text(&json), NULL, &document, NULL), STATUS_OK);
    buffer_dispose(&json);
    buffer_dispose(&text);
    return document;
}

START_TEST(evaluating_allocates_nothing)
{
    static const char *const contexts[] = {"{}",
                                           "{\"x\":\"10\",\"targetingKey\":\"u\"}",
                                           "{\"x\":[1,\"a\",[2]],\"targetingKey\":7}",
                                           "{\"x\":{\"k\":1}}",
                                           "{\"x\":1.5}",
                                           "{\"x\":\"2.4.0\",\"targetingKey\":\"u\"}"};
    struct arena arena;
    struct context context;
    arena_init(&arena, 0);
    struct document *document = read_operators(&arena);
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(contexts); i++) {
        ck_assert_int_eq(context_read(&context, document->attributes, text_of(contexts[i]), NULL),
                         STATUS_OK);
        plan.seen = 0;
        plan.failing = SIZE_MAX;
        plan.lasting = false;
        plan.armed = true;
        for (size_t flag = 0; flag < document->count; flag++) {
            struct decision decision;
            evaluate(document_at(document, flag), &context, 0, &decision);
            if (plan.seen) {
                plan.armed = false;
                ck_abort_msg("%s", json_of(document_at(document, flag)));
            }
        }
        plan.armed = false;
    }
    context_dispose(&context);
    document_release(document);
    arena_dispose(&arena);
}
END_TEST

static void arm(size_t failing)
{
    plan.seen = 0;
    plan.failing = failing;
    plan.lasting = false;
    plan.armed = true;
}

/* Evaluators that refer to each other, names that stand twice, prerequisites; and what is too deep,
 * which import does not read. */
static void write_foreign(struct buffer *json, unsigned depth)
{
    static const char flag[] = "{\"state\":\"ENABLED\",\"defaultVariant\":\"off\",\"variants\":"
                               "{\"on\":true,\"off\":false},\"targeting\":";
    buffer_init(json, 0);
    buffer_append_string(json, "{\"flags\":{");
    for (int i = 0; i < 20; i++)
        buffer_printf(json,
                      "\"f%d\":%s{\"if\":[{\"$ref\":\"%d\"},\"on\","
                      "{\"===\":[{\"var\":\"x\"},%d]},\"off\"]}},",
                      i % 18, flag, i % 19, i);
    buffer_printf(json,
                  "\"p\":%s{\"if\":[{\"===\":[{\"if\":[{\"$ref\":\"7\"},\"on\","
                  "{\"===\":[{\"var\":\"x\"},7]},\"off\"]},\"on\"]},\"on\",null]}},"
                  "\"deep\":{\"state\":\"ENABLED\",\"variants\":{\"on\":{\"in\":",
                  flag);
    for (unsigned i = 0; i < depth; i++)
        buffer_append_char(json, '[');
    buffer_append_char(json, '1');
    for (unsigned i = 0; i < depth; i++)
        buffer_append_char(json, ']');
    buffer_append_string(json, "}},\"defaultVariant\":\"on\"}},\"$evaluators\":{");
    for (int i = 0; i < 20; i++)
        buffer_printf(json, "\"%d\":{\"$ref\":\"e\"},\"%d!\":[{\"$ref\":\"e\"},1],\"%d?\":{},",
                      i % 19, i, i);
    buffer_append_string(json, "\"e\":{\"in\":[{\"var\":\"a.b\"},[\"y\",\"z\"]]}}}");
}

START_TEST(a_foreign_document_says_no_memory)
{
    static const char request[] =
        "{\"context\":{\"a\":{\"b\":\"\\u0078\"},\"a\":{\"b\":\"\\u0079\"}}}";
    struct buffer json;
    write_foreign(&json, 600);
    size_t behind = (size_t)(strstr(buffer_string(&json), "},\"$evaluators\"") - json.data);
    size_t rest = json.length - behind;
    for (size_t i = 0; i < DICTIONARY_FROM; i++) /* so that it is packed */
        buffer_append_char(&json, ' ');
    memmove(json.data + json.length - rest, json.data + behind, rest);
    memset(json.data + behind, ' ', DICTIONARY_FROM);
    bool passed = false;
    for (size_t n = 1; !passed; n++) {
        struct document *document;
        struct context context = {0};
        struct decision decision;
        struct error error = {0};
        arm(n);
        enum status status = document_read(buffer_text(&json), NULL, &document, &error);
        if (status == STATUS_OK)
            status = context_init(&context);
        if (status == STATUS_OK)
            status = context_read_request(&context, document->attributes, TEXT(request), &error);
        passed = plan.seen < n;
        plan.armed = false;
        ck_assert_msg(status == (passed ? STATUS_OK : STATUS_NO_MEMORY),
                      "allocation %zu: status %d, %s", n, status, error.message);
        if (status == STATUS_OK) {
            evaluate(document_find(document, TEXT("f3")), &context, RIG_NOW, &decision);
            ck_assert_text(decision.variant, "on");
            ck_assert_uint_eq(document->count, 20);
            ck_assert_uint_gt(document_find(document, TEXT("f3"))->packed, 0);
        }
        context_dispose(&context);
        document_release(document);
    }
    buffer_dispose(&json);
}
END_TEST

START_TEST(an_import_says_no_memory)
{
    struct buffer json;
    write_foreign(&json, 5);
    bool passed = false;
    for (size_t n = 1; !passed; n++) {
        struct import import;
        struct diagnostics faults;
        struct import_options options = {.format = IMPORT_FLAGD, .environment = TEXT("e")};
        diagnostics_init(&faults);
        arm(n);
        enum status status = import_read(&import, TEXT("f"), buffer_text(&json), options, &faults);
        passed = plan.seen < n;
        plan.armed = false;
        ck_assert_msg(status == (passed ? STATUS_OK : STATUS_NO_MEMORY),
                      "allocation %zu: status %d", n, status);
        if (passed)
            ck_assert_uint_eq(import.flags, 20);
        import_dispose(&import);
        diagnostics_dispose(&faults);
    }
    buffer_dispose(&json);
}
END_TEST

/* Whatever was read before, reading a request again allocates nothing. */
START_TEST(reading_allocates_nothing_once_warm)
{
    static const char *const paths[] = {"a.b.c", "a.b.d", "w", "w.x", "w.x.y", "f"};
    static const char *const requests[] = {
        "{\"context\":{\"a\":{\"b\":{\"c\":\"\\n\"}},\"w\":{\"x\":[1,{\"y\":2}]},\"f\":1}}",
        "{\"context\":{\"a\":{\"b\":{\"c\":1},\"b\":{\"d\":2}},\"a\":{},\"w\":{\"x\":{\"y\":{}}}}}",
        "{\"context\":{\"f\":1},\"context\":{\"f\":[\"\\u00e9\"]},\"context\":{\"w\":[]}}"};
    struct attributes *attributes = attributes_new();
    struct context context;
    uint16_t slot;
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        ck_assert_int_eq(attributes_slot(attributes, text_of(paths[i]), &slot), STATUS_OK);
    size_t good = 0; /* check allocates too */
    for (size_t i = 0; i < 10 * COUNT_OF(requests); i++) {
        if (i == COUNT_OF(requests))
            arm(SIZE_MAX);
        struct text request = text_of(requests[i * 5 / 3 % COUNT_OF(requests)]);
        good += context_read_request(&context, attributes, request, NULL) == STATUS_OK;
    }
    plan.armed = false;
    ck_assert_uint_eq(good, 10 * COUNT_OF(requests));
    ck_assert_uint_eq(plan.seen, 0);
    context_dispose(&context);
    attributes_release(attributes);
}
END_TEST

static void run_in_turn(const struct crew *crew, unsigned parts,
                        void (*work)(void *context, unsigned part), void *context)
{
    (void)crew;
    while (parts--)
        work(context, parts);
}

/* Two parts of files, two of flags. */
static enum status go_in_parts(const struct schema_set *schemas, const struct bundle *bundle,
                               char digest[DIGEST_TEXT_SIZE])
{
    struct crew crew = {.size = 2, .run = run_in_turn};
    struct catalog catalog;
    struct diagnostics faults;
    struct document *document = NULL;
    diagnostics_init(&faults);
    enum status status = catalog_build(&catalog, schemas, bundle, &crew, &faults);
    if (status == STATUS_OK)
        status = compile_environment(&catalog, catalog_environment(&catalog, TEXT("production")),
                                     NULL, &crew, &document, &faults);
    if (document)
        document_digest_text(document, digest);
    document_release(document);
    catalog_dispose(&catalog);
    diagnostics_dispose(&faults);
    return status;
}

START_TEST(parts_that_fail_fail_the_whole)
{
    struct error error;
    struct schema_set *schemas = catalog_schemas(&error);
    struct bundle bundle;
    char expected[DIGEST_TEXT_SIZE], got[DIGEST_TEXT_SIZE];
    size_t failures = 0;
    bundle_init(&bundle);
    for (unsigned i = 0; i < 130; i++) {
        char path[32], yaml[600];
        snprintf(path, sizeof path, "flags/f%03u.yaml", i);
        snprintf(yaml, sizeof yaml,
                 "%s" RIG_FLAG("a%u", "  rules: [{when: {attribute: x, is: y}, serve: on}]\n")
                     RIG_FLAG("b%u", ""),
                 i ? "" : RIG_PRODUCTION, i, i);
        ck_assert_int_eq(bundle_add(&bundle, text_of(path), text_of(yaml)), STATUS_OK);
    }
    bundle_sort(&bundle);
    ck_assert_int_eq(go_in_parts(schemas, &bundle, expected), STATUS_OK);
    for (unsigned round = 0; round < 2; round++) {
        bool passed = false;
        for (size_t n = 1; !passed; n += 1 + n / 40) {
            plan.lasting = round == 1;
            plan.seen = 0;
            plan.failing = n;
            plan.armed = true;
            enum status status = go_in_parts(schemas, &bundle, got);
            plan.armed = false;
            passed = plan.seen < n;
            failures += status == STATUS_NO_MEMORY;
            ck_assert_msg(status == STATUS_NO_MEMORY ||
                              (status == STATUS_OK && strcmp(expected, got) == 0),
                          "allocation %zu: status %d", n, status);
            ck_assert(passed ? status == STATUS_OK : round == 0 || status != STATUS_OK);
        }
    }
    ck_assert_uint_gt(failures, 100);
    bundle_dispose(&bundle);
    schema_set_free(schemas);
}
END_TEST

UNIT_MAIN("torture", evaluating_allocates_nothing, reading_allocates_nothing_once_warm,
          one_allocation_fails, all_allocations_from_one_on_fail, faults_do_not_vanish,
          the_library_says_no_memory, a_foreign_document_says_no_memory, an_import_says_no_memory,
          parts_that_fail_fail_the_whole)
