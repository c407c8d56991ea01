/* A flagd document of anybody's, and after a line "---" a context where one is wanted: it is
 * refused with a message, or each of its flags can be evaluated and explained, and what is written
 * out again is the same document. */
#include <stdlib.h>

#include "../fuzz.h"

#define FLAGS_MAX 200 /* that are evaluated */

static const char small[] = "{\"targetingKey\":\"u1\",\"email\":\"ann@acme.example\",\"n\":10,"
                            "\"list\":[1,\"a\",null,{\"k\":\"v\"}],\"a\":{\"b\":{\"c\":0.1}},"
                            "\"version\":\"2.4.0\",\"t\":true,\"empty\":\"\",\"bad\":null}";

/* Reads the given context, or one of ours where it is none. */
static void read_context(struct context *context, const struct document *document, struct text json)
{
    struct error error = {0};
    enum status status = context_read(context, document->attributes, json, &error);
    if (status == STATUS_OK)
        return;
    fuzz_check_error(status, &error);
    FUZZ_CHECK(context_begin(context, document->attributes) == STATUS_OK, "no memory");
}

static void evaluate_all(const struct document *document, struct text json)
{
    struct context context;
    struct buffer out;
    size_t count = document->count < FLAGS_MAX ? document->count : FLAGS_MAX;
    buffer_init(&out, 0);
    FUZZ_CHECK(context_init(&context) == STATUS_OK, "no memory");
    read_context(&context, document, json);
    for (size_t i = 0; i < count; i++) {
        const struct fragment *fragment = document_at(document, i);
        FUZZ_CHECK(document_find(document, fragment->program.key) == fragment,
                   "flag \"%.*s\" is not found by its key", FUZZ_TEXT(fragment->program.key));
        fuzz_decide(fragment, &context, FUZZ_NOW, &out);
        fuzz_explain(fragment, &context, FUZZ_NOW);
    }
    context_dispose(&context);
    buffer_dispose(&out);
}

/* Everything that the flags give for a context, as text; false where it is no context. */
static bool tell_all(const struct document *document, struct context *context, struct text json,
                     struct buffer *out)
{
    size_t count = document->count < FLAGS_MAX ? document->count : FLAGS_MAX;
    buffer_clear(out);
    if (context_read(context, document->attributes, json, NULL) != STATUS_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        fuzz_decide(document_at(document, i), context, FUZZ_NOW, out);
    return true;
}

/* The next request's JSON stands where the last one's did, and is nearly the same: what was
 * remembered of that by its address must not count. */
static void check_same_place(const struct document *document, struct text json)
{
    char *place = fuzz_allocate(json.length);
    struct context warm, fresh;
    struct buffer got, expected;
    buffer_init(&got, 0);
    buffer_init(&expected, 0);
    FUZZ_CHECK(context_init(&warm) == STATUS_OK && context_init(&fresh) == STATUS_OK, "no memory");
    for (size_t i = 0; i < json.length; i++)
        place[i] = json.data[i];
    tell_all(document, &warm, (struct text){place, json.length}, &got);
    for (size_t i = 0; i < json.length; i++)
        place[i] = (char)(place[i] + (place[i] >= '1' && place[i] <= '8'));
    bool good = tell_all(document, &warm, (struct text){place, json.length}, &got);
    FUZZ_CHECK(good == tell_all(document, &fresh, (struct text){place, json.length}, &expected),
               "another verdict where a context was read before");
    FUZZ_CHECK(text_equal(buffer_text(&got), buffer_text(&expected)),
               "where a context was read before:\n%.*sfresh:\n%.*s", FUZZ_TEXT(buffer_text(&got)),
               FUZZ_TEXT(buffer_text(&expected)));
    context_dispose(&warm);
    context_dispose(&fresh);
    buffer_dispose(&got);
    buffer_dispose(&expected);
    free(place);
}

static bool run(const struct fuzz_parts *parts, enum fractional fractional)
{
    struct document_options options = {.fractional = fractional};
    struct document *document;
    struct error error = {0};
    enum status status = document_read(parts->first, &options, &document, &error);
    FUZZ_CHECK((status == STATUS_OK) == (document != NULL), "status %d", (int)status);
    if (status != STATUS_OK) {
        fuzz_check_error(status, &error);
        return false;
    }
    fuzz_check_round_trip(document, &options);
    evaluate_all(document, TEXT(small));
    if (parts->has_second) {
        evaluate_all(document, parts->second);
        check_same_place(document, parts->second);
    }
    document_release(document);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_parts parts;
    fuzz_split(data, size, &parts);
    bool second = run(&parts, FRACTIONAL_V2), third = run(&parts, FRACTIONAL_V3);
    FUZZ_CHECK(second == third, "the generation of fractional decides what is read");
    fuzz_parts_dispose(&parts);
    return 0;
}
