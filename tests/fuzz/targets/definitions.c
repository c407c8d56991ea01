/* One file of definitions all the way: YAML, schema, catalog, a document for each environment. What
 * weir compiles itself never fails to evaluate, and the document reads back as what it is. */
#include "../../../rules/compile.h"
#include "../fuzz.h"

/* The same for every input; reading them takes longer than most inputs do. */
static const struct schema_set *schemas(void)
{
    static struct schema_set *set;
    struct error error = {0};
    if (!set)
        set = catalog_schemas(&error);
    FUZZ_CHECK(set, "%s", error.message);
    return set;
}

static const char *const contexts[] = {
    "{}",
    "{\"targetingKey\":\"u1\",\"email\":\"ann@acme.example\",\"country\":\"DE\",\"n\":10,"
    "\"app\":{\"version\":\"2.4.0-rc.1\"},\"plan\":\"gold\",\"d\":\"2026-01-01T00:00:00Z\"}",
    "{\"targetingKey\":\"\",\"email\":7,\"country\":[\"DE\",null],\"n\":\"10\","
    "\"app\":\"2.4.0\",\"plan\":{},\"d\":-1e300}",
};

static void evaluate_all(const struct document *document, const char *json)
{
    struct context context;
    struct error error = {0};
    struct decision decision;
    struct buffer out;
    buffer_init(&out, 0);
    FUZZ_CHECK(context_init(&context) == STATUS_OK, "no memory");
    FUZZ_CHECK(context_read(&context, document->attributes, text_of(json), &error) == STATUS_OK,
               "%s", error.message);
    for (size_t i = 0; i < document->count; i++) {
        const struct fragment *fragment = document_at(document, i);
        evaluate(fragment, &context, FUZZ_NOW, &decision);
        if (decision.error != ERROR_NONE)
            fragment_append_json(fragment, &out);
        FUZZ_CHECK(decision.error == ERROR_NONE, "flag \"%.*s\" for %s: %s in %.*s",
                   FUZZ_TEXT(fragment->program.key), json, decision.problem, FUZZ_TEXT(buffer_text(&out)));
        fuzz_decide(fragment, &context, FUZZ_NOW, &out);
        fuzz_explain(fragment, &context, FUZZ_NOW);
    }
    context_dispose(&context);
    buffer_dispose(&out);
}

/* Compiling again on top of it shares every fragment. */
static void check_next(const struct catalog *catalog, const struct environment *environment,
                       const struct document *document)
{
    struct diagnostics faults;
    struct document *next;
    diagnostics_init(&faults);
    enum status status = compile_environment(catalog, environment, document, NULL, &next, &faults);
    FUZZ_CHECK(status == STATUS_OK, "the second time status %d", (int)status);
    FUZZ_CHECK(memcmp(document->digest, next->digest, sizeof next->digest) == 0,
               "the second time another digest");
    for (size_t i = 0; i < document->count; i++)
        FUZZ_CHECK(document_at(document, i) == document_at(next, i), "flag \"%.*s\" is not shared",
                   FUZZ_TEXT(document_at(document, i)->program.key));
    document_release(next);
    diagnostics_dispose(&faults);
}

static void compile(const struct catalog *catalog, const struct environment *environment,
                    struct text source)
{
    struct diagnostics faults;
    struct document *document;
    diagnostics_init(&faults);
    enum status status = compile_environment(catalog, environment, NULL, NULL, &document, &faults);
    fuzz_check_diagnostics(&faults, status, source);
    FUZZ_CHECK((status == STATUS_OK) == (document != NULL), "status %d", (int)status);
    if (document) {
        check_next(catalog, environment, document);
        fuzz_check_round_trip(document, NULL);
        for (size_t i = 0; i < COUNT_OF(contexts); i++)
            evaluate_all(document, contexts[i]);
    }
    document_release(document);
    diagnostics_dispose(&faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text source = {(const char *)data, size};
    struct bundle bundle;
    struct catalog catalog;
    struct diagnostics faults;
    bundle_init(&bundle);
    diagnostics_init(&faults);
    FUZZ_CHECK(bundle_add(&bundle, TEXT("flags/all.yaml"), source) == STATUS_OK, "not added");
    bundle_sort(&bundle);
    enum status status = catalog_build(&catalog, schemas(), &bundle, NULL, &faults);
    fuzz_check_diagnostics(&faults, status, source);
    for (size_t i = 0; status == STATUS_OK && i < catalog.environment_count; i++)
        compile(&catalog, catalog.environments[i], source);
    catalog_dispose(&catalog);
    diagnostics_dispose(&faults);
    bundle_dispose(&bundle);
    return 0;
}
