/* evaluate.c - how long one evaluation takes in process, through the public face (weir.h), on
 * documents that weir compiled from definitions.
 *
 * Each kind of flag is evaluated for KEYS users in turn, whose contexts differ in their targeting
 * key, so that a split does not always go the same way. What is evaluated is checked first: no
 * figure for an error. */
#include "../../rules/compile.h"
#include "../../rules/weir.h"
#include "bench.h"
#include "definitions.h"

#define KEYS 64
#define CONTEXT_BYTES 409 /* as libraries.md measured JSON readers with */
#define LIST_VALUES 1000
#define ROUNDS_MAX 15
#define NOW 1767225600 /* 2026-01-01 */

struct bench {
    weir_document *document;
    weir_context *contexts[KEYS], *fresh;
    char json[KEYS][CONTEXT_BYTES + 1];
};

/* --- what is evaluated
 * ---------------------------------------------------------------------------- */

static const struct {
    const char *name, *flag;
    enum weir_reason reason;
    unsigned least, most; /* of KEYS users get "on" */
} cases[] = {
    {"static", "static", WEIR_STATIC, KEYS, KEYS},
    {"three", "three", WEIR_TARGETING_MATCH, 5, 30},
    {"split", "split", WEIR_TARGETING_MATCH, 5, 30},
    {"list", "list", WEIR_TARGETING_MATCH, KEYS, KEYS},
    {"segments", "segments", WEIR_TARGETING_MATCH, KEYS, KEYS},
};

#define FLAG(name)                                                                                 \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: " name                                      \
    "}\nspec:\n  variants: {on: true, off: false}\n"

static const char flags[] =
    "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n"
    "---\n" FLAG(
        "static") "  default: on\n"
                  "---\n" FLAG(
                      "three") "  default: off\n"
                               "  rules:\n"
                               "    - when:\n"
                               "        all:\n"
                               "          - {attribute: country, in: [AT, BE, DE, FR, NL, PL]}\n"
                               "          - {attribute: app.version, semver: \">=2.4.0\"}\n"
                               "          - {attribute: email, endsWith: \"@example.com\"}\n"
                               "      split: {on: 25, off: 75}\n"
                               "---\n" FLAG("split") "  default: off\n"
                                                     "  rules:\n"
                                                     "    - split: {on: 25, off: 75}\n";

static void add_list(struct bundle *bundle)
{
    struct buffer yaml;
    buffer_init(&yaml, 0);
    buffer_append_string(&yaml, FLAG("list") "  default: off\n  rules:\n    - when:\n        "
                                             "attribute: account\n        in:\n");
    for (unsigned i = 0; i < LIST_VALUES; i++)
        buffer_printf(&yaml, "          - account-%05u\n", i * 7);
    buffer_append_string(&yaml, "      serve: on\n");
    definitions_add(bundle, "flags/list.yaml", buffer_string(&yaml));
    buffer_dispose(&yaml);
}

/* Ten segments of which only the last has the user: all ten are looked at. */
static void add_segments(struct bundle *bundle)
{
    struct buffer yaml, flag;
    buffer_init(&yaml, 0);
    buffer_init(&flag, 0);
    buffer_append_string(&flag,
                         FLAG("segments") "  default: off\n  rules:\n    - when:\n        any:\n");
    for (unsigned i = 0; i < 10; i++) {
        buffer_printf(
            &yaml,
            "---\napiVersion: weir/v1\nkind: Segment\nmetadata: {name: segment-%u}\nspec:\n"
            "  match: {attribute: email, endsWith: \"@%s\"}\n"
            "  include: [guest-%u]\n"
            "  exclude: [banned-%u]\n",
            i, i == 9 ? "example.com" : "elsewhere.example", i, i);
        buffer_printf(&flag, "          - {segment: segment-%u}\n", i);
    }
    buffer_append_string(&flag, "      serve: on\n");
    definitions_add(bundle, "flags/segments.yaml", buffer_string(&flag));
    definitions_add(bundle, "segments/all.yaml", buffer_string(&yaml));
    buffer_dispose(&yaml);
    buffer_dispose(&flag);
}

/* Definitions → document → its bytes → the library's own reader, as an application would have it.
 */
static weir_document *make_document(void)
{
    struct bundle bundle;
    struct catalog catalog;
    struct diagnostics diagnostics;
    struct error error;
    struct buffer json;
    struct document *document = NULL;
    weir_error failure;
    bundle_init(&bundle);
    diagnostics_init(&diagnostics);
    buffer_init(&json, 0);
    definitions_add(&bundle, "flags/all.yaml", flags);
    add_list(&bundle);
    add_segments(&bundle);
    bundle_sort(&bundle);
    struct schema_set *schemas = catalog_schemas(&error);
    if (!schemas)
        bench_fail("%s", error.message);
    bench_catalog(&catalog, schemas, &bundle, &diagnostics);
    if (compile_environment(&catalog, catalog.environments[0], NULL, &document, &diagnostics) !=
        STATUS_OK)
        bench_fail("definitions do not compile");
    document_write(document, &json);
    weir_document *read = weir_document_read(json.data, json.length, NULL, &failure);
    if (!read)
        bench_fail("%s", failure.message);
    document_release(document);
    catalog_dispose(&catalog);
    schema_set_free(schemas);
    buffer_dispose(&json);
    diagnostics_dispose(&diagnostics);
    bundle_dispose(&bundle);
    return read;
}

/* 15 attributes, five of which the rules look at. */
static void write_context(char out[CONTEXT_BYTES + 1], unsigned key)
{
    static const char format[] =
        "{\"targetingKey\":\"user-%05u\",\"email\":\"user-%05u@example.com\",\"country\":\"DE\","
        "\"app\":{\"version\":\"2.7.13\"},\"account\":\"account-%05u\",\"plan\":\"business\","
        "\"orders\":37,"
        "\"spent\":1249.95,\"newsletter\":true,\"language\":\"de-DE\",\"device\":\"phone\",\"os\":"
        "\"Android 16\","
        "\"firstSeen\":\"2024-03-19T08:15:00Z\",\"roles\":[\"buyer\",\"reviewer\"],\"userAgent\":"
        "\"%.*s\"}";
    static const char agent[] =
        "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome";
    int bare = snprintf(out, CONTEXT_BYTES + 1, format, key, key, key % LIST_VALUES * 7, 0, "");
    int filler = CONTEXT_BYTES - bare;
    if (filler < 0 || filler > (int)sizeof agent - 1 ||
        snprintf(out, CONTEXT_BYTES + 1, format, key, key, key % LIST_VALUES * 7, filler, agent) !=
            CONTEXT_BYTES)
        bench_fail("context cannot be brought to %d bytes", CONTEXT_BYTES);
}

static void prepare(struct bench *bench)
{
    weir_error error;
    bench->document = make_document();
    bench->fresh = weir_context_new();
    if (!bench->fresh)
        bench_fail("no memory");
    for (unsigned i = 0; i < KEYS; i++) {
        write_context(bench->json[i], i * 1031);
        bench->contexts[i] = weir_context_new();
        if (!bench->contexts[i] ||
            weir_context_read(bench->contexts[i], bench->document, bench->json[i], CONTEXT_BYTES,
                              &error) != WEIR_OK)
            bench_fail("context cannot be read");
    }
}

static void check_cases(const struct bench *bench)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned on = 0;
        for (unsigned j = 0; j < KEYS; j++) {
            weir_decision decision;
            weir_evaluate(bench->document, cases[i].flag, bench->contexts[j], NOW, &decision);
            if (decision.reason != cases[i].reason || !decision.value)
                bench_fail("flag '%s' gives %s", cases[i].flag, weir_reason_name(decision.reason));
            on += decision.variant_length == 2;
        }
        if (on < cases[i].least || on > cases[i].most)
            bench_fail("flag '%s' is on for %u of %d users", cases[i].flag, on, KEYS);
    }
}

/* --- measuring
 * ------------------------------------------------------------------------------------ */

typedef void evaluation(const weir_document *document, const char *key, weir_context *context,
                        int64_t now, weir_decision *decision);

static void evaluate_nothing(const weir_document *document, const char *key, weir_context *context,
                             int64_t now, weir_decision *decision)
{
    (void)document;
    (void)key;
    (void)context;
    (void)now;
    (void)decision;
}

/* Through a pointer that the compiler cannot see through, so that no call is left out. */
static evaluation *volatile whole = weir_evaluate, *volatile nothing = evaluate_nothing;

/* Nanoseconds for one of `count` evaluations. */
static double time_evaluations(const struct bench *bench, evaluation *call, const char *flag,
                               unsigned count)
{
    weir_decision decision = {0};
    double start = bench_now();
    for (unsigned i = 0; i < count; i++)
        call(bench->document, flag, bench->contexts[i % KEYS], NOW, &decision);
    return (bench_now() - start) / count;
}

static double time_with_reading(const struct bench *bench, evaluation *call, const char *flag,
                                unsigned count)
{
    weir_decision decision = {0};
    weir_error error;
    double start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        if (weir_context_read(bench->fresh, bench->document, bench->json[i % KEYS], CONTEXT_BYTES,
                              &error) != WEIR_OK)
            bench_fail("context cannot be read");
        call(bench->document, flag, bench->fresh, NOW, &decision);
    }
    return (bench_now() - start) / count;
}

/* Nanoseconds, a round each. */
struct samples {
    double nothing[ROUNDS_MAX];
    double read[COUNT_OF(cases)][ROUNDS_MAX];    /* the context is read already */
    double reading[COUNT_OF(cases)][ROUNDS_MAX]; /* it is read each time */
};

static void measure(const struct bench *bench, struct samples *samples, unsigned rounds,
                    unsigned count)
{
    for (unsigned round = 0; round < rounds; round++) {
        samples->nothing[round] = time_evaluations(bench, nothing, "", count);
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            samples->read[i][round] = time_evaluations(bench, whole, cases[i].flag, count);
            samples->reading[i][round] = time_with_reading(bench, whole, cases[i].flag, count / 4);
        }
    }
}

static void report(struct samples *samples, unsigned rounds)
{
    char name[64];
    bench_report("evaluate.floor", bench_median(samples->nothing, rounds));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(name, sizeof name, "evaluate.%s", cases[i].name);
        bench_report(name, bench_median(samples->read[i], rounds));
        snprintf(name, sizeof name, "evaluate.%s.reading", cases[i].name);
        bench_report(name, bench_median(samples->reading[i], rounds));
    }
}

int main(void)
{
    static struct bench bench;
    static struct samples samples;
    unsigned rounds = bench_is_quick() ? 5 : ROUNDS_MAX;
    prepare(&bench);
    check_cases(&bench);
    measure(&bench, &samples, 1, 20000); /* warms up */
    measure(&bench, &samples, rounds, 200000);
    report(&samples, rounds);
    for (unsigned i = 0; i < KEYS; i++)
        weir_context_free(bench.contexts[i]);
    weir_context_free(bench.fresh);
    weir_document_release(bench.document);
    return 0;
}
