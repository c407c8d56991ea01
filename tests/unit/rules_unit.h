/* rules_unit.h - what tests of the rules share: definitions as strings, through catalog and
 * document, to a decision.
 *
 * A rig owns everything on the way. rig_build() wants good definitions, rig_faults() faulty
 * ones. */
#ifndef WEIR_TESTS_RULES_UNIT_H
#define WEIR_TESTS_RULES_UNIT_H

#include "unit.h"

#include "../../rules/codes.h"
#include "../../rules/compile.h"
#include "../../rules/evaluate.h"

#define RIG_NOW INT64_C(1795383000) /* 2026-11-22T21:30:00Z */

struct rig {
    struct schema_set *schemas;
    struct bundle bundle;
    struct catalog catalog;
    struct diagnostics faults;
    struct document *document;
    struct context context;
    const struct crew *crew; /* NULL unless a test sets it after rig_init() */
};

struct rig_file {
    const char *path, *text;
};

static inline void rig_init(struct rig *rig)
{
    struct error error = {0};
    *rig = (struct rig){0};
    rig->schemas = catalog_schemas(&error);
    ck_assert_msg(rig->schemas != NULL, "%s", error.message);
    bundle_init(&rig->bundle);
    diagnostics_init(&rig->faults);
    ck_assert_int_eq(context_init(&rig->context), STATUS_OK);
}

static inline void rig_dispose(struct rig *rig)
{
    document_release(rig->document);
    context_dispose(&rig->context);
    catalog_dispose(&rig->catalog);
    diagnostics_dispose(&rig->faults);
    bundle_dispose(&rig->bundle);
    schema_set_free(rig->schemas);
}

static inline void rig_add(struct rig *rig, const char *path, struct text text)
{
    ck_assert_int_eq(bundle_add(&rig->bundle, text_of(path), text), STATUS_OK);
}

/* Reads and links what was added. */
static inline enum status rig_link(struct rig *rig)
{
    bundle_sort(&rig->bundle);
    enum status status =
        catalog_build(&rig->catalog, rig->schemas, &rig->bundle, rig->crew, &rig->faults);
    diagnostics_sort(&rig->faults);
    return status;
}

static inline const char *rig_story(struct rig *rig)
{
    static char story[64000];
    struct buffer out;
    buffer_init(&out, 0);
    diagnostics_write_text(&out, &rig->faults, false);
    snprintf(story, sizeof story, "%.*s", (int)out.length, out.data ? out.data : "");
    buffer_dispose(&out);
    return story;
}

/* Compiles for an environment; a document from before is kept alive by whoever passes it. */
static inline enum status rig_compile(struct rig *rig, const char *environment,
                                      const struct document *previous)
{
    const struct environment *found = catalog_environment(&rig->catalog, text_of(environment));
    ck_assert_msg(found != NULL, "no environment %s", environment);
    enum status status = compile_environment(&rig->catalog, found, previous, rig->crew,
                                             &rig->document, &rig->faults);
    diagnostics_sort(&rig->faults);
    return status;
}

/* One file of good definitions, compiled for "production". */
static inline void rig_build(struct rig *rig, const char *yaml)
{
    rig_init(rig);
    rig_add(rig, "flags/all.yaml", text_of(yaml));
    ck_assert_msg(rig_link(rig) == STATUS_OK, "%s", rig_story(rig));
    ck_assert_msg(rig_compile(rig, "production", NULL) == STATUS_OK, "%s", rig_story(rig));
}

/* One file of definitions that do not link. */
static inline void rig_faults(struct rig *rig, const char *path, const char *yaml)
{
    rig_init(rig);
    rig_add(rig, path, text_of(yaml));
    ck_assert_int_eq(rig_link(rig), STATUS_INVALID);
}

static inline void rig_decide(struct rig *rig, const char *flag, const char *context,
                              struct decision *out)
{
    struct error error = {0};
    ck_assert_msg(context_read(&rig->context, rig->document->attributes, text_of(context),
                               &error) == STATUS_OK,
                  "%s: %s", context, error.message);
    evaluate(document_find(rig->document, text_of(flag)), &rig->context, RIG_NOW, out);
}

/* The variant a context gets; "" where there is none. */
static inline struct text rig_variant(struct rig *rig, const char *flag, const char *context)
{
    struct decision decision;
    rig_decide(rig, flag, context, &decision);
    ck_assert_msg(decision.reason != REASON_ERROR, "%s for %s: %s", flag, context,
                  decision.problem);
    return decision.variant;
}

static inline void rig_expect(struct rig *rig, const char *flag, const char *context,
                              const char *variant, const char *reason)
{
    struct decision decision;
    rig_decide(rig, flag, context, &decision);
    ck_assert_msg(
        text_is(decision.variant, variant) && strcmp(reason_name(decision.reason), reason) == 0,
        "%s for %s: got '%.*s' %s (%s), expected '%s' %s", flag, context,
        (int)decision.variant.length, decision.variant.data ? decision.variant.data : "",
        reason_name(decision.reason), decision.problem ? decision.problem : "", variant, reason);
}

/* Fault `index` of the sorted list, whole. */
static inline void rig_expect_fault(struct rig *rig, size_t index, const char *code,
                                    const char *path, uint32_t line, uint32_t column,
                                    const char *message)
{
    ck_assert_msg(index < rig->faults.count, "only %zu faults:\n%s", rig->faults.count,
                  rig_story(rig));
    const struct diagnostic *fault = &rig->faults.items[index];
    ck_assert_msg(strcmp(fault->code, code) == 0 && text_is(fault->place.path, path) &&
                      fault->place.line == line && fault->place.column == column &&
                      text_is(fault->message, message),
                  "expected %s:%u:%u [%s] %s, got:\n%s", path, line, column, code, message,
                  rig_story(rig));
}

static inline void rig_expect_only(struct rig *rig, const char *code, const char *path,
                                   uint32_t line, uint32_t column, const char *message)
{
    ck_assert_msg(rig->faults.count == 1, "expected one fault, got %zu:\n%s", rig->faults.count,
                  rig_story(rig));
    rig_expect_fault(rig, 0, code, path, line, column, message);
}

static inline void rig_expect_other(struct rig *rig, size_t index, const char *path, uint32_t line,
                                    uint32_t column)
{
    const struct diagnostic *fault = &rig->faults.items[index];
    ck_assert_msg(text_is(fault->other.path, path) && fault->other.line == line &&
                      fault->other.column == column,
                  "expected also %s:%u:%u, got:\n%s", path, line, column, rig_story(rig));
}

#define RIG_PRODUCTION "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n"
#define RIG_FLAG(name, spec)                                                                       \
    "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: " name "}\nspec:\n"                    \
    "  variants: {on: true, off: false}\n  default: off\n" spec
#define RIG_SEGMENT(name, spec)                                                                    \
    "---\napiVersion: weir/v1\nkind: Segment\nmetadata: {name: " name "}\nspec: " spec "\n"

#endif
