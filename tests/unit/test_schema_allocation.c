/* Checking a right document must not allocate. This program counts what the validator asks of
 * malloc, by putting its own in front of the C library's; a sanitizer needs that place for itself,
 * so there it only runs. */
#include "schema_unit.h"

static unsigned long allocations;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTED true
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    allocations++;
    return __libc_realloc(memory, size);
}
#else
#define COUNTED false
#endif

static const char flag[] =
    "apiVersion: weir/v1\n"
    "kind: Flag\n"
    "metadata: {name: checkout-v2, owner: payments, labels: {area: checkout}, "
    "expires: 2027-03-31}\n"
    "spec:\n"
    "  variants: {on: true, off: false}\n"
    "  default: off\n"
    "  rules:\n"
    "    - {name: staff, when: {segment: staff}, serve: on}\n"
    "    - name: not-yet\n"
    "      when:\n"
    "        any:\n"
    "          - {attribute: app.version, semver: \"<2.4.0\"}\n"
    "          - all:\n"
    "              - {attribute: country, in: [DE, FR, NL]}\n"
    "              - {attribute: since, after: 2026-01-31T09:00:00Z}\n"
    "              - not: {segment: churn-risk}\n"
    "      split: {on: 25.125, off: 74.875}\n"
    "      seed: one\n"
    "      bucketBy: company.id\n"
    "  environments: {production: {enabled: true, rules: []}}\n";

static enum status count_allocations(void *context, const struct node *root)
{
    const struct schema *schema = context;
    struct diagnostics faults;
    diagnostics_init(&faults);
    unsigned long before = allocations;
    enum status status = schema_validate(schema, root, TEXT("f"), &faults);
    unsigned long used = allocations - before;
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(used, 0);
    /* The counter counts at all: a fault does allocate. */
    const char *preloaded = getenv("LD_PRELOAD");
    bool counted = COUNTED && !(preloaded && strstr(preloaded, "vgpreload"));
    status = schema_validate(schema, root->first, TEXT("f"), &faults);
    ck_assert_int_eq(status, STATUS_INVALID);
    ck_assert(!counted || allocations > before);
    diagnostics_dispose(&faults);
    return STATUS_OK;
}

START_TEST(success_allocates_nothing)
{
    struct schema_set *set = shipped();
    struct arena arena;
    struct diagnostics faults;
    arena_init(&arena, 0);
    diagnostics_init(&faults);
    void *schema = (void *)(uintptr_t)schema_set_find(set, "flag.json");
    ck_assert_int_eq(
        yaml_read(&arena, TEXT("f"), text_of(flag), count_allocations, schema, &faults), STATUS_OK);
    diagnostics_dispose(&faults);
    arena_dispose(&arena);
    schema_set_free(set);
}
END_TEST

UNIT_MAIN("schema allocation", success_allocates_nothing)
