/* The body of an OFREP request, as a stranger sends it: the context in it is what jansson finds,
 * and every flag of a document can be evaluated for it. */
#include <stdlib.h>

#include "../oracle.h"

/* Its rules look at attributes of each shape. */
static const char flags[] =
    "{\"flags\":{"
    "\"plain\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},"
    "\"defaultVariant\":\"off\",\"targeting\":{\"if\":[{\"ends_with\":[{\"var\":\"email\"},"
    "\"@example.com\"]},\"on\",{\"in\":[{\"var\":\"country\"},[\"DE\",\"FR\"]]},\"off\",null]}},"
    "\"split\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1,\"off\":0},\"defaultVariant\":\"off\","
    "\"targeting\":{\"fractional\":[{\"cat\":[\"s\",{\"var\":\"targetingKey\"}]},[\"on\",25],"
    "[\"off\",75]]}},"
    "\"deep\":{\"state\":\"ENABLED\",\"variants\":{\"on\":{\"a\":[1]},\"off\":{}},"
    "\"defaultVariant\":\"off\",\"targeting\":{\"if\":[{\"sem_ver\":[{\"var\":\"app.version\"},"
    "\">=\",\"2.4.0\"]},\"on\",{\"===\":[{\"var\":\"app\"},null]},null,\"off\"]}}},"
    "\"metadata\":{\"flagSetId\":\"fuzz\"}}";

static void evaluate_all(const struct document *document, struct context *context)
{
    struct buffer out;
    buffer_init(&out, 0);
    for (size_t i = 0; i < document->count; i++)
        fuzz_decide(document_at(document, i), context, FUZZ_NOW, &out);
    buffer_dispose(&out);
}

/* Where "context" is not an object ours says that there is none. */
static void check_context(struct context *context, enum status status, const json_t *body)
{
    const json_t *object = json_object_get(body, "context");
    FUZZ_CHECK((status == STATUS_OK) == json_is_object(object), "status %d", (int)status);
    if (status == STATUS_OK)
        oracle_check_slots(context, object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct document *document;
    struct context context;
    struct error error = {0};
    struct text json = {(const char *)data, size};
    json_t *body;
    FUZZ_CHECK(document_read(TEXT(flags), NULL, &document, &error) == STATUS_OK, "%s",
               error.message);
    FUZZ_CHECK(context_init(&context) == STATUS_OK, "no memory");
    enum status status = context_read_request(&context, document->attributes, json, &error);
    if (status != STATUS_OK)
        fuzz_check_error(status, &error);
    /* Depth is counted from what stands in the body's object. */
    enum verdict verdict = oracle_read(json, CONTEXT_MAX_DEPTH + 1, &body);
    if (verdict == VERDICT_ACCEPT && !json_is_object(body))
        verdict = VERDICT_REFUSE;
    oracle_check_status(verdict, json, CONTEXT_MAX_DEPTH, status, &error);
    if (verdict == VERDICT_ACCEPT && status != STATUS_LIMIT)
        check_context(&context, status, body);
    if (status == STATUS_OK)
        evaluate_all(document, &context);
    json_decref(body);
    context_dispose(&context);
    document_release(document);
    return 0;
}
