/* A context, read by ours and by jansson: the same verdict, and the same value in each slot. */
#include <stdlib.h>

#include "../oracle.h"

static const char *const paths[] = {"a",      "b.c",     "b", "list",  "d.e.f", "d.e",
                                    "list.x", "a.b.c.d", "é", "b.c.g", ""};

/* What an earlier request leaves behind in the memory that the next one uses. */
static const char before[] =
    "{\"targetingKey\":\"k\\n\",\"a\":{\"b\":{\"c\":{\"d\":[1,\"\\u00e9\"]}}},\"b\":{\"c\":{\"g\":1"
    "}},\"list\":[[],{\"x\":0}],\"d\":{\"e\":{\"f\":true}},\"\xc3\xa9\":\"\\t\",\"\":-0}";

static struct attributes *make_attributes(void)
{
    struct attributes *attributes = attributes_new();
    uint16_t slot;
    FUZZ_CHECK(attributes, "no memory");
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        FUZZ_CHECK(attributes_slot(attributes, text_of(paths[i]), &slot) == STATUS_OK, "no slot");
    return attributes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attributes *attributes = make_attributes();
    struct context context;
    struct error error = {0};
    struct text json = {(const char *)data, size};
    json_t *object;
    FUZZ_CHECK(context_init(&context) == STATUS_OK, "no memory");
    FUZZ_CHECK(context_read(&context, attributes, text_of(before), &error) == STATUS_OK, "%s",
               error.message);
    enum status status = context_read(&context, attributes, json, &error);
    if (status != STATUS_OK)
        fuzz_check_error(status, &error);
    enum verdict verdict = oracle_read(json, CONTEXT_MAX_DEPTH, &object);
    if (verdict == VERDICT_ACCEPT && !json_is_object(object))
        verdict = VERDICT_REFUSE;
    oracle_check_status(verdict, json, CONTEXT_MAX_DEPTH, status, &error);
    if (status == STATUS_OK && verdict == VERDICT_ACCEPT)
        oracle_check_slots(&context, object);
    json_decref(object);
    context_dispose(&context);
    attributes_release(attributes);
    return 0;
}
