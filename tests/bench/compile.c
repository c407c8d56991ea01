/* compile.c - how long 10 000 definition files take, from their bytes to the document of one
 * environment, beside what libyaml alone needs to scan the same bytes.
 *
 * Each measurement is made in a process of its own, forked off the one that generated the files, so
 * that it is cold: no memory that an earlier one has warmed. The two kinds take turns. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yaml.h>

#include "../../controller/threads.h"
#include "../../rules/compile.h"
#include "../../rules/yaml.h"
#include "bench.h"
#include "definitions.h"

#define FLAGS 10000
#define ROUNDS_MAX 9

/* Nanoseconds. What one process of a measurement leaves in memory that both share. */
struct timing {
    double scan;         /* libyaml alone */
    double whole;        /* bundle → document */
    double scan_elapsed; /* the same two on the wall, and the whole with all processors */
    double whole_elapsed;
    double crew_elapsed;
    double crew_size;
    double yaml, schema, link; /* passes of their own: yaml; yaml and schema; link */
    double catalog;            /* all of catalog_build() */
    double encode, compile;    /* flags → JSON; compile_environment() with that in it */
    double index;              /* document_new(): sorting, index, digest */
    double bytes;              /* of the document */
};

struct bench {
    struct bundle bundle;
    const struct schema_set *schemas;
    struct timing *timing; /* shared */
};

/* --- libyaml alone ------------------------------------------------------------------------------
 */

static size_t scan_file(struct text source)
{
    yaml_parser_t parser;
    yaml_event_type_t type = YAML_NO_EVENT;
    size_t events = 0;
    if (!yaml_parser_initialize(&parser))
        bench_fail("no memory for libyaml");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)source.data, source.length);
    while (type != YAML_STREAM_END_EVENT) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event))
            bench_fail("libyaml refuses a generated file: %s",
                       parser.problem ? parser.problem : "?");
        type = event.type;
        events++;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return events;
}

static void measure_scan(struct bench *bench)
{
    size_t events = 0;
    double start = bench_now(), began = bench_elapsed();
    for (size_t i = 0; i < bench->bundle.count; i++)
        events += scan_file(bench->bundle.files[i].bytes);
    bench->timing->scan = bench_now() - start;
    bench->timing->scan_elapsed = bench_elapsed() - began;
    if (events < bench->bundle.count * 50)
        bench_fail("libyaml saw only %zu events", events);
}

/* --- the whole way
 * -------------------------------------------------------------------------------- */

static struct document *compile(const struct catalog *catalog, const struct crew *crew,
                                struct diagnostics *diagnostics)
{
    const struct environment *environment = catalog_environment(catalog, TEXT("production"));
    struct document *document = NULL;
    if (!environment ||
        compile_environment(catalog, environment, NULL, crew, &document, diagnostics) !=
            STATUS_OK ||
        document->count != FLAGS)
        bench_fail("generated definitions do not compile");
    return document;
}

struct spent {
    double busy, elapsed;
};

static struct spent compile_whole(struct bench *bench, const struct crew *crew)
{
    struct catalog catalog;
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics);
    double start = bench_now(), began = bench_elapsed();
    bench_catalog(&catalog, bench->schemas, &bench->bundle, crew, &diagnostics);
    struct document *document = compile(&catalog, crew, &diagnostics);
    struct spent spent = {bench_now() - start, bench_elapsed() - began};
    document_release(document);
    catalog_dispose(&catalog);
    diagnostics_dispose(&diagnostics);
    return spent;
}

static void measure_whole(struct bench *bench)
{
    struct spent spent = compile_whole(bench, NULL);
    bench->timing->whole = spent.busy;
    bench->timing->whole_elapsed = spent.elapsed;
}

/* As `weir run` starts. */
static void measure_crew(struct bench *bench)
{
    struct crew crew = threads_crew(0);
    bench->timing->crew_size = crew.size;
    bench->timing->crew_elapsed = compile_whole(bench, &crew).elapsed;
}

/* --- its parts
 * ------------------------------------------------------------------------------------ */

struct pass {
    const struct schema_set *schemas; /* NULL: YAML only */
    size_t documents;
};

static enum status take_document(void *context, const struct node *root)
{
    struct pass *pass = context;
    pass->documents++;
    if (!pass->schemas)
        return STATUS_OK;
    struct text kind = node_get_string(root, "kind");
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!text_is(kind, kind_name((enum kind)i)))
            continue;
        const struct schema *schema = schema_set_find(pass->schemas, kind_schema((enum kind)i));
        return schema_validate(schema, root, TEXT("bench"), NULL);
    }
    return STATUS_INVALID;
}

static double pass_over(const struct bench *bench, const struct schema_set *schemas)
{
    struct pass pass = {.schemas = schemas};
    struct diagnostics diagnostics;
    struct arena arena;
    diagnostics_init(&diagnostics);
    arena_init(&arena, 0);
    double start = bench_now();
    for (size_t i = 0; i < bench->bundle.count; i++) {
        const struct bundle_file *file = &bench->bundle.files[i];
        if (yaml_read(&arena, file->path, file->bytes, take_document, &pass, &diagnostics) !=
            STATUS_OK)
            bench_fail("generated file '%.*s' is refused", (int)file->path.length, file->path.data);
    }
    double took = bench_now() - start;
    arena_dispose(&arena);
    diagnostics_dispose(&diagnostics);
    return took;
}

static void measure_yaml(struct bench *bench)
{
    bench->timing->yaml = pass_over(bench, NULL);
}

static void measure_schema(struct bench *bench)
{
    bench->timing->schema = pass_over(bench, bench->schemas);
}

static void measure_index(struct bench *bench, struct document *document)
{
    struct document *again;
    struct fragment **fragments = calloc(document->count, sizeof *fragments);
    if (!fragments)
        bench_fail("no memory");
    for (size_t i = 0; i < document->count; i++)
        fragments[i] = fragment_reference(document_at(document, i));
    attributes_reference(document->attributes);
    double start = bench_now();
    if (document_new(fragments, document->count, document->attributes, document->metadata,
                     &again) != STATUS_OK)
        bench_fail("no memory for the document");
    bench->timing->index = bench_now() - start;
    if (memcmp(again->digest, document->digest, SHA256_SIZE) != 0)
        bench_fail("digests of one document differ");
    document_release(again);
    free(fragments);
}

static void measure_rest(struct bench *bench)
{
    struct timing *timing = bench->timing;
    struct catalog catalog;
    struct diagnostics diagnostics;
    struct buffer json;
    diagnostics_init(&diagnostics);
    buffer_init(&json, 0);
    double start = bench_now();
    bench_catalog(&catalog, bench->schemas, &bench->bundle, NULL, &diagnostics);
    timing->catalog = bench_now() - start;

    start = bench_now();
    struct document *document = compile(&catalog, NULL, &diagnostics);
    timing->compile = bench_now() - start;

    start = bench_now();
    catalog_link(&catalog, &diagnostics, NULL);
    timing->link = bench_now() - start;

    const struct environment *environment = catalog_environment(&catalog, TEXT("production"));
    start = bench_now();
    for (size_t i = 0; i < catalog.flag_count; i++) {
        buffer_clear(&json);
        compile_flag(&catalog, environment, catalog.flags[i], &json, &diagnostics);
    }
    timing->encode = bench_now() - start;

    measure_index(bench, document);
    buffer_clear(&json);
    document_write(document, &json);
    timing->bytes = (double)json.length;
    buffer_dispose(&json);
    document_release(document);
    catalog_dispose(&catalog);
    diagnostics_dispose(&diagnostics);
}

/* --- rounds
 * --------------------------------------------------------------------------------------- */

static void in_child(struct bench *bench, void (*measure)(struct bench *))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        measure(bench);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0)
        bench_fail("a measurement did not end well");
}

static double median_of(const struct timing *rounds, size_t count, size_t offset)
{
    double values[ROUNDS_MAX];
    for (size_t i = 0; i < count; i++)
        memcpy(&values[i], (const char *)&rounds[i] + offset, sizeof values[i]);
    return bench_median(values, count);
}
#define MEDIAN(member) (median_of(rounds, count, offsetof(struct timing, member)) / 1e6)

static void report(const struct timing *rounds, size_t count)
{
    double scan = MEDIAN(scan), whole = MEDIAN(whole), yaml = MEDIAN(yaml), schema = MEDIAN(schema);
    double catalog = MEDIAN(catalog), link = MEDIAN(link), compiled = MEDIAN(compile);
    double encode = MEDIAN(encode), index = MEDIAN(index);
    bench_report("compile.scan", scan);
    bench_report("compile.whole", whole);
    bench_report("compile.ratio", whole / scan);
    bench_report("compile.crew.size", median_of(rounds, count, offsetof(struct timing, crew_size)));
    bench_report("compile.crew.elapsed", MEDIAN(crew_elapsed));
    bench_report("compile.crew.ratio", MEDIAN(crew_elapsed) / MEDIAN(scan_elapsed));
    bench_report("compile.crew.faster", MEDIAN(whole_elapsed) / MEDIAN(crew_elapsed));
    bench_report("compile.part.yaml", yaml);
    bench_report("compile.part.schema", schema - yaml);
    bench_report("compile.part.read", catalog - link - schema);
    bench_report("compile.part.link", link);
    bench_report("compile.part.encode", encode);
    bench_report("compile.part.fragments", compiled - encode - index);
    bench_report("compile.part.index", index);
    bench_report("compile.document", MEDIAN(bytes));
}

static void (*const measurements[])(struct bench *) = {
    measure_scan, measure_whole, measure_crew, measure_yaml, measure_schema, measure_rest,
};

int main(void)
{
    struct timing rounds[ROUNDS_MAX];
    struct bench bench = {0};
    struct error error;
    size_t count = bench_is_quick() ? 3 : 7;
    bench.timing =
        mmap(NULL, sizeof *bench.timing, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bench.timing == MAP_FAILED)
        bench_fail("no memory");
    bench.schemas = catalog_schemas(&error);
    if (!bench.schemas)
        bench_fail("%s", error.message);
    bundle_init(&bench.bundle);
    definitions_generate(&bench.bundle, FLAGS);
    bench_report("compile.files", (double)bench.bundle.count);
    bench_report("compile.bytes", (double)bench.bundle.bytes);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < COUNT_OF(measurements); j++)
            in_child(&bench, measurements[j]);
        rounds[i] = *bench.timing;
    }
    report(rounds, count);
    bundle_dispose(&bench.bundle);
    schema_set_free((struct schema_set *)(uintptr_t)bench.schemas);
    munmap(bench.timing, sizeof *bench.timing);
    return 0;
}
