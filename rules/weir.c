/* The public face: the names and shapes of weir.h over the modules of rules/. */
#include "weir.h"

#include "context.h"
#include "document.h"
#include "evaluate.h"
#include "explain.h"

_Static_assert((int)WEIR_OK == (int)STATUS_OK && (int)WEIR_NO_MEMORY == (int)STATUS_NO_MEMORY &&
                   (int)WEIR_INVALID == (int)STATUS_INVALID && (int)WEIR_LIMIT == (int)STATUS_LIMIT,
               "weir_status follows enum status");
_Static_assert((int)WEIR_STATIC == (int)REASON_STATIC && (int)WEIR_ERROR == (int)REASON_ERROR &&
                   (int)WEIR_GENERAL == (int)ERROR_GENERAL,
               "the enums of weir.h follow those of evaluate.h");

/* The handles are the modules' own structs under another name. */
static struct document *inner_document(const weir_document *document)
{
    return (struct document *)(uintptr_t)document;
}

static struct context *inner_context(weir_context *context)
{
    return (struct context *)(uintptr_t)context;
}

static enum weir_status give_error(weir_error *out, const struct error *error)
{
    enum weir_status status =
        error->status <= STATUS_LIMIT ? (enum weir_status)error->status : WEIR_INVALID;
    if (out) {
        *out = (weir_error){.status = status, .line = error->line, .column = error->column};
        memcpy(out->message, error->message, sizeof out->message);
    }
    return status;
}

const char *weir_version(void)
{
    return WEIR_VERSION;
}

const char *weir_reason_name(enum weir_reason reason)
{
    return reason_name((enum reason)reason);
}

const char *weir_error_code_name(enum weir_error_code code)
{
    return error_code_name((enum error_code)code);
}

weir_document *weir_document_read(const char *json, size_t length, const weir_options *options,
                                  weir_error *error)
{
    struct document *document;
    struct error inner = {0};
    struct document_options inner_options = {0};
    if (options)
        inner_options = (struct document_options){
            .strict = options->strict != 0,
            .fractional = (enum fractional)options->fractional,
        };
    if (document_read((struct text){json, length}, &inner_options, &document, &inner) == STATUS_OK)
        return (weir_document *)document;
    give_error(error, &inner);
    return NULL;
}

weir_document *weir_document_retain(weir_document *document)
{
    document_reference(inner_document(document));
    return document;
}

void weir_document_release(weir_document *document)
{
    document_release(inner_document(document));
}

size_t weir_document_count(const weir_document *document)
{
    return inner_document(document)->count;
}

const char *weir_document_key(const weir_document *document, size_t index, size_t *length)
{
    const struct document *inner = inner_document(document);
    if (index >= inner->count)
        return NULL;
    const struct text key = document_at(inner, index)->program.key;
    if (length)
        *length = key.length;
    return key.data;
}

weir_context *weir_context_new(void)
{
    struct context *context = calloc(1, sizeof *context);
    if (context && context_init(context) == STATUS_OK)
        return (weir_context *)context;
    free(context);
    return NULL;
}

void weir_context_free(weir_context *context)
{
    if (!context)
        return;
    context_dispose(inner_context(context));
    free(context);
}

enum weir_status weir_context_read(weir_context *context, weir_document *document, const char *json,
                                   size_t length, weir_error *error)
{
    struct error inner = {0};
    struct text text = {json, length};
    if (context_read(inner_context(context), inner_document(document)->attributes, text, &inner) ==
        STATUS_OK)
        return WEIR_OK;
    return give_error(error, &inner);
}

/* Without a context that was read for this very document every attribute is missing. */
static bool bind(const struct document *document, struct context *context)
{
    return context->attributes == document->attributes ||
           context_begin(context, document->attributes) == STATUS_OK;
}

void weir_evaluate(const weir_document *document, const char *key, weir_context *context,
                   int64_t now, weir_decision *decision)
{
    const struct document *inner = inner_document(document);
    struct decision made;
    *decision = (weir_decision){
        .reason = WEIR_ERROR, .error_code = WEIR_GENERAL, .error_details = "no memory"};
    if (!bind(inner, inner_context(context)))
        return;
    evaluate(document_find(inner, text_of(key)), inner_context(context), now, &made);
    *decision = (weir_decision){
        .reason = (enum weir_reason)made.reason,
        .error_code = (enum weir_error_code)made.error,
        .error_details = made.problem,
        .value = made.value.data,
        .value_length = made.value.length,
        .variant = made.variant.data,
        .variant_length = made.variant.length,
        .metadata = made.metadata.data,
        .metadata_length = made.metadata.length,
        .resolved = made.resolved.data,
        .resolved_length = made.resolved.length,
    };
}

char *weir_explain(const weir_document *document, const char *key, weir_context *context,
                   int64_t now)
{
    const struct document *inner = inner_document(document);
    struct buffer out;
    buffer_init(&out, 0);
    if (!bind(inner, inner_context(context)))
        out.failed = STATUS_NO_MEMORY;
    else
        explain(document_find(inner, text_of(key)), text_of(key), inner_context(context), now,
                EXPLAIN_TEXT, &out);
    char *text = buffer_take(&out, NULL);
    buffer_dispose(&out);
    return text;
}
