/* A JSON Schema, a line "---", and a value as YAML: checking ends, gives the same with and without
 * a list of faults, and each fault has its place in the value. */
#include "../../../rules/schema.h"
#include "../../../rules/yaml.h"
#include "../fuzz.h"

/* Schemas are the operator's own, so one that refers to itself twice on each of forty levels is not
 * an attack; but it would keep the fuzzer busy for ever. */
#define REFERENCES_MAX 12

static bool is_small(struct text schema)
{
    unsigned references = 0;
    for (const char *p = schema.data, *end = p + schema.length; p < end; p++) {
        p = memmem(p, (size_t)(end - p), "ref", 3);
        if (!p)
            break;
        references++;
    }
    return references <= REFERENCES_MAX;
}

struct checking {
    const struct schema *schema;
    struct diagnostics *faults;
    enum status status;
};

static enum status validate(void *context, const struct node *root)
{
    struct checking *checking = context;
    enum status status = schema_validate(checking->schema, root, TEXT("f.yaml"), checking->faults);
    FUZZ_CHECK(status == schema_validate(checking->schema, root, TEXT("f.yaml"), NULL),
               "status %d with a list of faults, another without", (int)status);
    if (status != STATUS_OK)
        checking->status = status;
    return STATUS_OK;
}

static void check(const struct schema *schema, struct text instance)
{
    struct diagnostics faults;
    struct arena arena;
    struct checking checking = {.schema = schema, .faults = &faults};
    arena_init(&arena, 0);
    diagnostics_init(&faults);
    enum status status = yaml_read(&arena, TEXT("f.yaml"), instance, validate, &checking, &faults);
    if (status == STATUS_OK)
        status = checking.status;
    fuzz_check_diagnostics(&faults, status, instance);
    diagnostics_dispose(&faults);
    arena_dispose(&arena);
}

static void run(const struct fuzz_parts *parts, bool lenient)
{
    struct schema_set *set = schema_set_new();
    struct error error = {0};
    FUZZ_CHECK(set, "no memory");
    if (lenient)
        schema_set_ignore_unknown(set);
    enum status status = schema_set_add(set, "own", parts->first, &error);
    if (status == STATUS_OK)
        status = schema_set_seal(set, &error);
    if (status != STATUS_OK)
        fuzz_check_error(status, &error);
    else
        check(schema_set_find(set, "own"), parts->second);
    schema_set_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_parts parts;
    fuzz_split(data, size, &parts);
    if (is_small(parts.first)) {
        run(&parts, false);
        run(&parts, true);
    }
    fuzz_parts_dispose(&parts);
    return 0;
}
