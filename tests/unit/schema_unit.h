/* schema_unit.h - what the tests of the schema validator share: a schema, a YAML text, and the
 * faults that must come of them, as lines "line:column code message [hint]". */
#ifndef WEIR_SCHEMA_UNIT_H
#define WEIR_SCHEMA_UNIT_H

#include "unit.h"

#include "../../rules/schema.h"
#include "../../rules/yaml.h"

/* Of rules/schemas.S: the schemas as they are built into the program. */
struct schema_bytes {
    const char *name;
    const unsigned char *data;
    size_t length;
};
extern const struct schema_bytes schema_files[] __attribute__((visibility("hidden")));

/* -------------------------------------------------------------------------------------
 */

static inline struct schema_set *shipped(void)
{
    struct schema_set *set = schema_set_new();
    struct error error = {0};
    ck_assert_ptr_nonnull(set);
    for (const struct schema_bytes *file = schema_files; file->name; file++) {
        enum status status = schema_set_add(
            set, file->name, (struct text){(const char *)file->data, file->length}, &error);
        ck_assert_msg(status == STATUS_OK, "%s", error.message);
    }
    ck_assert_msg(schema_set_seal(set, &error) == STATUS_OK, "%s", error.message);
    return set;
}

struct checking {
    const struct schema *schema;
    struct diagnostics *faults;
    enum status status;
    unsigned documents;
};

static inline enum status validate(void *context, const struct node *root)
{
    struct checking *checking = context;
    checking->documents++;
    checking->status = schema_validate(checking->schema, root, TEXT("f"), checking->faults);
    ck_assert_int_eq(schema_validate(checking->schema, root, TEXT("f"), NULL), checking->status);
    return STATUS_OK;
}

/* One line a fault: "line:column code message [hint]", in the stable order. */
static inline void print(const struct diagnostics *faults, struct buffer *out)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct diagnostic *fault = &faults->items[i];
        if (i > 0)
            buffer_append_char(out, '\n');
        buffer_printf(out, "%u:%u %s %.*s", fault->place.line, fault->place.column, fault->code,
                      (int)fault->message.length, fault->message.data);
        if (fault->hint.length)
            buffer_printf(out, " [%.*s]", (int)fault->hint.length, fault->hint.data);
        if (fault->other.path.length)
            buffer_printf(out, " (first %u:%u)", fault->other.line, fault->other.column);
    }
}

static inline void expect(const struct schema *schema, const char *yaml, const char *expected)
{
    struct diagnostics faults;
    struct arena arena;
    struct buffer got;
    struct checking checking = {.schema = schema, .faults = &faults};
    ck_assert_ptr_nonnull(schema);
    diagnostics_init(&faults);
    arena_init(&arena, 0);
    buffer_init(&got, 0);
    ck_assert_int_eq(yaml_read(&arena, TEXT("f"), text_of(yaml), validate, &checking, &faults),
                     STATUS_OK);
    ck_assert_uint_eq(checking.documents, 1);
    diagnostics_sort(&faults);
    print(&faults, &got);
    ck_assert_int_eq(checking.status, *expected ? STATUS_INVALID : STATUS_OK);
    ck_assert_str_eq(buffer_string(&got), expected);
    buffer_dispose(&got);
    arena_dispose(&arena);
    diagnostics_dispose(&faults);
}

static inline void expect_shipped(const char *schema, const char *yaml, const char *expected)
{
    struct schema_set *set = shipped();
    expect(schema_set_find(set, schema), yaml, expected);
    schema_set_free(set);
}

/* A schema of the test's own. */
static inline void expect_own(const char *schema, const char *yaml, const char *expected)
{
    struct schema_set *set = schema_set_new();
    struct error error = {0};
    ck_assert_ptr_nonnull(set);
    ck_assert_msg(schema_set_add(set, "own", text_of(schema), &error) == STATUS_OK, "%s",
                  error.message);
    ck_assert_msg(schema_set_seal(set, &error) == STATUS_OK, "%s", error.message);
    expect(schema_set_find(set, "own"), yaml, expected);
    schema_set_free(set);
}

/* That a schema is refused when it is added, or else when the set is sealed. */
static inline void refuse(const char *schema, const char *expected)
{
    struct schema_set *set = schema_set_new();
    struct error error = {0};
    char got[400];
    ck_assert_ptr_nonnull(set);
    enum status status = schema_set_add(set, "own", text_of(schema), &error);
    if (status == STATUS_OK)
        status = schema_set_seal(set, &error);
    ck_assert_int_ne(status, STATUS_OK);
    ck_assert_int_eq(error.status, status);
    snprintf(got, sizeof got, "%u:%u %s", error.line, error.column, error.message);
    ck_assert_str_eq(got, expected);
    schema_set_free(set);
}

#endif
