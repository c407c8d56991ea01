#include "fuzz.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../rules/explain.h"
#include "../../rules/json.h"
#include "../../rules/utf8.h"

_Noreturn void fuzz_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

/* --- inputs ---------------------------------------------------------------------------------- */

void *fuzz_allocate(size_t length)
{
    void *memory = malloc(length ? length : 1);
    FUZZ_CHECK(memory, "no memory for %zu bytes", length);
    return memory;
}

static struct text copy(const uint8_t *data, size_t size)
{
    char *memory = fuzz_allocate(size);
    if (size)
        memcpy(memory, data, size);
    return (struct text){memory, size};
}

void fuzz_split(const uint8_t *data, size_t size, struct fuzz_parts *out)
{
    static const char line[] = "\n---\n";
    size_t length = sizeof line - 1;
    const uint8_t *found = size ? memmem(data, size, line, length) : NULL;
    size_t first = found ? (size_t)(found - data) : size;
    size_t second = found ? first + length : size;
    out->has_second = found != NULL;
    out->first = copy(data, first);
    out->second = copy(found ? data + second : NULL, size - second);
}

void fuzz_parts_dispose(struct fuzz_parts *parts)
{
    free((void *)(uintptr_t)parts->first.data);
    free((void *)(uintptr_t)parts->second.data);
}

/* --- what every answer has to be ------------------------------------------------------------- */

void fuzz_check_utf8(struct text text, const char *what)
{
    FUZZ_CHECK(text.length == 0 || utf8_valid_length(text) == text.length,
               "%s is not UTF-8: \"%.*s\"", what, FUZZ_TEXT(text));
}

void fuzz_check_error(enum status status, const struct error *error)
{
    struct text message = text_of(error->message);
    FUZZ_CHECK(status != STATUS_OK, "a failure without a status: %s", error->message);
    FUZZ_CHECK(error->status == status, "returned %d, but the error has %d: %s", (int)status,
               (int)error->status, error->message);
    FUZZ_CHECK(message.length > 0, "a failure without a message");
    FUZZ_CHECK(!memchr(message.data, '\n', message.length), "two lines: \"%s\"", error->message);
    FUZZ_CHECK((error->line == 0) == (error->column == 0), "half a place: %u:%u", error->line,
               error->column);
    fuzz_check_utf8(message, "message");
}

/* YAML's lines; the two bytes of "\r\n" are one end. */
static uint32_t lines_of(struct text source)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < source.length; i++)
        lines += source.data[i] == '\n' ||
                 (source.data[i] == '\r' && (i + 1 == source.length || source.data[i + 1] != '\n'));
    return lines;
}

static void check_written(const struct diagnostics *list)
{
    struct buffer out;
    struct arena arena;
    const struct node *root;
    struct error error = {0};
    buffer_init(&out, 0);
    arena_init(&arena, 0);
    diagnostics_write_text(&out, list, false);
    fuzz_check_utf8(buffer_text(&out), "faults as text");
    buffer_clear(&out);
    diagnostics_write_json(&out, list);
    FUZZ_CHECK(json_read(&arena, buffer_text(&out), JSON_LIMITS_DEFAULT, &root, &error) ==
                   STATUS_OK,
               "faults as JSON are none: %s", error.message);
    arena_dispose(&arena);
    buffer_dispose(&out);
}

static bool find_source(void *context, struct text path, struct text *out)
{
    (void)path;
    *out = *(struct text *)context;
    return true;
}

void fuzz_check_diagnostics(struct diagnostics *list, enum status status, struct text source)
{
    uint32_t lines = lines_of(source) + 1; /* what is missing is missed behind the last one */
    FUZZ_CHECK(list->failed == STATUS_OK, "a fault could not be noted");
    FUZZ_CHECK((status == STATUS_OK) == (list->errors == 0), "status %d with %zu errors",
               (int)status, list->errors);
    diagnostics_sort(list);
    FUZZ_CHECK((status == STATUS_OK) == (list->errors == 0), "status %d with %zu sorted errors",
               (int)status, list->errors);
    diagnostics_excerpts(list, find_source, &source);
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *fault = &list->items[i];
        FUZZ_CHECK(fault->place.line <= lines, "%s: line %u of %u", fault->code, fault->place.line,
                   lines);
        FUZZ_CHECK((fault->place.line == 0) == (fault->place.column == 0), "%s: half a place %u:%u",
                   fault->code, fault->place.line, fault->place.column);
        FUZZ_CHECK(fault->other.line <= lines, "%s: line %u of %u", fault->code, fault->other.line,
                   lines);
        FUZZ_CHECK(fault->message.length > 0, "%s: no message", fault->code);
        fuzz_check_utf8(fault->message, fault->code);
        fuzz_check_utf8(fault->hint, fault->code);
    }
    check_written(list);
}

static void check_string(struct text text)
{
    fuzz_check_utf8(text, "string");
    FUZZ_CHECK(text.data && text.data[text.length] == '\0', "a string without its NUL");
}

void fuzz_check_node(const struct node *node, unsigned depth)
{
    uint32_t count = 0;
    FUZZ_CHECK(node->line > 0 && node->column > 0, "a value without a place");
    switch (node->type) {
    case NODE_NULL:
    case NODE_BOOL:
        return;
    case NODE_NUMBER:
        FUZZ_CHECK(isfinite(node->number), "a number that is not finite");
        return;
    case NODE_STRING:
        check_string(node->string);
        return;
    case NODE_LIST:
    case NODE_MAP:
        break;
    }
    FUZZ_CHECK(depth > 0, "deeper than was allowed");
    for (const struct node *entry = node->first; entry; entry = entry->next, count++) {
        if (node->type == NODE_MAP) {
            FUZZ_CHECK(entry->key_line > 0 && entry->key_column > 0, "a key without a place");
            check_string(entry->key);
        }
        fuzz_check_node(entry, depth - 1);
    }
    FUZZ_CHECK(count == node->count, "%u entries are counted as %u", count, node->count);
}

/* --- evaluating ------------------------------------------------------------------------------ */

void fuzz_tell(struct buffer *out, const struct decision *decision)
{
    buffer_printf(out, "%s %s", reason_name(decision->reason), error_code_name(decision->error));
    buffer_append_string(out, "\n variant ");
    buffer_append_text(out, decision->variant_json);
    buffer_append_string(out, "\n value ");
    buffer_append_text(out, decision->value);
    buffer_append_string(out, "\n metadata ");
    buffer_append_text(out, decision->metadata);
    buffer_printf(out, "\n problem %s\n", decision->problem ? decision->problem : "");
}

static void check_json(struct text json, const char *what)
{
    struct arena arena;
    const struct node *root;
    struct error error = {0};
    if (json.length == 0)
        return;
    arena_init(&arena, 0);
    FUZZ_CHECK(json_read(&arena, json, JSON_LIMITS_DEFAULT, &root, &error) == STATUS_OK,
               "%s is no JSON, %s: %.*s", what, error.message, FUZZ_TEXT(json));
    arena_dispose(&arena);
}

/* What openfeature.md's table of resolutions allows together. */
static void check_decision(const struct decision *decision)
{
    bool failed = decision->reason == REASON_ERROR, has_value = decision->value.length > 0;
    FUZZ_CHECK(failed == (decision->error != ERROR_NONE), "reason and error disagree");
    FUZZ_CHECK(failed == (decision->problem != NULL), "an error without a problem, or without it");
    FUZZ_CHECK(has_value == (decision->variant_json.length > 0), "a value without a variant");
    FUZZ_CHECK(!failed || !has_value, "an error with a value");
    FUZZ_CHECK(decision->reason != REASON_TARGETING_MATCH || has_value, "a match without a value");
    FUZZ_CHECK(decision->reason != REASON_DISABLED || !has_value, "disabled, with a value");
    check_json(decision->value, "value");
    check_json(decision->variant_json, "variant");
    check_json(decision->metadata, "metadata");
}

void fuzz_decide(const struct fragment *fragment, struct context *context, int64_t now,
                 struct buffer *out)
{
    struct decision decision;
    struct buffer again;
    size_t start = out->length;
    evaluate(fragment, context, now, &decision);
    check_decision(&decision);
    fuzz_tell(out, &decision);
    evaluate(fragment, context, now, &decision);
    buffer_init(&again, 0);
    fuzz_tell(&again, &decision);
    struct text first = {out->data + start, out->length - start}, second = buffer_text(&again);
    FUZZ_CHECK(text_equal(first, second), "the second time another answer:\n%.*s%.*s",
               FUZZ_TEXT(first), FUZZ_TEXT(second));
    buffer_dispose(&again);
}

void fuzz_explain(const struct fragment *fragment, struct context *context, int64_t now)
{
    struct buffer story, before, after;
    struct decision decision;
    buffer_init(&story, 0);
    buffer_init(&before, 0);
    buffer_init(&after, 0);
    evaluate(fragment, context, now, &decision);
    fuzz_tell(&before, &decision);
    explain(fragment, TEXT("flag"), context, now, EXPLAIN_TEXT, &story);
    explain(fragment, TEXT("flag"), context, now, EXPLAIN_JSON, &story);
    FUZZ_CHECK(story.failed == STATUS_OK, "explaining failed with %d", (int)story.failed);
    fuzz_check_utf8(buffer_text(&story), "explanation");
    evaluate(fragment, context, now, &decision);
    fuzz_tell(&after, &decision);
    FUZZ_CHECK(text_equal(buffer_text(&before), buffer_text(&after)),
               "another answer after explaining:\n%.*s%.*s", FUZZ_TEXT(buffer_text(&before)),
               FUZZ_TEXT(buffer_text(&after)));
    buffer_dispose(&story);
    buffer_dispose(&before);
    buffer_dispose(&after);
}

void fuzz_check_round_trip(const struct document *document, const struct document_options *options)
{
    struct buffer once, twice;
    struct document *again;
    struct error error = {0};
    char before[DIGEST_TEXT_SIZE], after[DIGEST_TEXT_SIZE];
    buffer_init(&once, 0);
    buffer_init(&twice, 0);
    document_write(document, &once);
    FUZZ_CHECK(document_read(buffer_text(&once), options, &again, &error) == STATUS_OK,
               "what was written cannot be read, %s: %.*s", error.message,
               FUZZ_TEXT(buffer_text(&once)));
    document_digest_text(document, before);
    document_digest_text(again, after);
    FUZZ_CHECK(strcmp(before, after) == 0, "digest %s becomes %s for %.*s", before, after,
               FUZZ_TEXT(buffer_text(&once)));
    document_write(again, &twice);
    FUZZ_CHECK(text_equal(buffer_text(&once), buffer_text(&twice)), "written again as %.*s",
               FUZZ_TEXT(buffer_text(&twice)));
    document_release(again);
    buffer_dispose(&once);
    buffer_dispose(&twice);
}
