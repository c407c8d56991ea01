/* What a thread's stack has to hold for the deepest of documents: as weir.h says. */
#include <limits.h>
#include <pthread.h>

#include "../../rules/buffer.h"
#include "../../rules/json_scan.h"
#include "../../rules/weir.h"
#include "unit.h"

/* What instruments each frame makes it larger. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KIB(count) ((size_t)(count)*1024 * 8)
#else
#define KIB(count) ((size_t)(count)*1024)
#endif

#define DEEP 509 /* lists and maps in one another beside a flag's own and what is within them */

struct work {
    struct text json, context_json;
    int strict;
    weir_document *document;
    weir_context *context;
    weir_decision decision;
    weir_error error;
    char *story;
};

static void run(void *(*work)(void *), size_t stack, void *with)
{
    pthread_attr_t attributes;
    pthread_t thread;
    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, stack), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, work, with), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
}

static void *skip(void *with)
{
    struct work *work = with;
    struct json_cursor at = {.p = work->json.data, .end = work->json.data + work->json.length};
    if (json_skip_value(&at, UINT_MAX) && at.p == at.end)
        work->error.status = WEIR_OK;
    else
        work->error = (weir_error){.status = (enum weir_status)at.status,
                                   .column = (uint32_t)(at.p - work->json.data) + 1};
    return NULL;
}

static void *read_document(void *with)
{
    struct work *work = with;
    weir_options options = {.strict = work->strict};
    work->document = weir_document_read(work->json.data, work->json.length, &options, &work->error);
    return NULL;
}

static void *read_context(void *with)
{
    struct work *work = with;
    work->error.status = weir_context_read(work->context, work->document, work->context_json.data,
                                           work->context_json.length, &work->error);
    return NULL;
}

static void *decide(void *with)
{
    struct work *work = with;
    weir_evaluate(work->document, "f", work->context, 0, &work->decision);
    return NULL;
}

static void *tell(void *with)
{
    struct work *work = with;
    work->story = weir_explain(work->document, "f", work->context, 0);
    return NULL;
}

static void repeat(struct buffer *out, const char *text, unsigned count)
{
    while (count--)
        buffer_append_string(out, text);
}

/* As many levels as can be skipped take what a few take. */
START_TEST(skipping_takes_a_small_stack)
{
    static const struct {
        const char *open, *inside, *close;
        unsigned count; /* that are 10 000 levels */
    } cases[] = {{"[", "1", "]", 10000},
                 {"{\"a\":", "null", "}", 10000},
                 {"[0,{\"a\":", "\"x\"", ",\"b\":2},[]]", 5000}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct work work = {0};
        struct buffer json;
        buffer_init(&json, 0);
        repeat(&json, cases[i].open, cases[i].count);
        size_t opened = json.length;
        buffer_append_string(&json, cases[i].inside);
        repeat(&json, cases[i].close, cases[i].count);
        work.json = buffer_text(&json);
        run(skip, KIB(32), &work);
        ck_assert_int_eq(work.error.status, WEIR_OK);
        buffer_clear(&json);
        repeat(&json, cases[i].open, cases[i].count);
        buffer_append_string(&json, "[");
        work.json = buffer_text(&json);
        run(skip, KIB(32), &work);
        ck_assert_int_eq(work.error.status, WEIR_LIMIT);
        ck_assert_uint_eq(work.error.column, opened + 1);
        buffer_dispose(&json);
    }
}
END_TEST

static const struct {
    const char *before, *inside, *after;
    int levels; /* that one of them is */
} rules[] = {
    {"{\"!\":", "{\"var\":\"x\"}", "}", 1},
    {"{\"if\":[{\"var\":\"x\"},", "\"on\"", ",\"off\"]}", 2},
    {"{\"if\":[", "{\"var\":\"x\"}", ",\"on\",\"off\"]}", 2},
    {"{\"or\":[", "{\"var\":\"x\"}", ",\"on\"]}", 2},
    {"{\"cat\":[", "{\"var\":\"x\"}", ",\"on\"]}", 2},
    {"{\"+\":[1,", "{\"var\":\"x\"}", "]}", 2},
    {"{\"map\":[", "{\"var\":\"x\"}", ",{\"var\":\"\"}]}", 2},
    {"{\"map\":[[1],", "{\"var\":\"\"}", "]}", 2},
    {"{\"reduce\":[[1],", "{\"var\":\"accumulator\"}", ",0]}", 2},
    {"{\"some\":[[1],", "{\"var\":\"\"}", "]}", 2},
    {"{\"fractional\":[", "{\"var\":\"x\"}", ",[\"on\",1]]}", 2},
    {"{\"sem_ver\":[", "{\"var\":\"x\"}", ",\"=\",\"1.2.3\"]}", 2},
    {"{\"missing\":[", "{\"var\":\"x\"}", "]}", 2},
    {"{\"merge\":[", "{\"var\":\"x\"}", "]}", 2},
    {"{\"var\":[\"y\",", "{\"var\":\"x\"}", "]}", 2},
    {"{\"cat\":[1,", "1", "]}", 2},
    {"[", "{\"var\":\"x\"}", "]", 1},
};

static void write_document(struct buffer *out, size_t rule)
{
    unsigned count = (unsigned)(DEEP / rules[rule].levels) - 1;
    buffer_append_string(out, "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true,"
                              "\"off\":false},\"defaultVariant\":\"off\",\"targeting\":");
    repeat(out, rules[rule].before, count);
    buffer_append_string(out, rules[rule].inside);
    repeat(out, rules[rule].after, count);
    buffer_append_string(out, "}}}");
}

START_TEST(the_deepest_documents_fit)
{
    for (size_t i = 0; i < COUNT_OF(rules) * 2; i++) {
        struct work work = {.strict = i >= COUNT_OF(rules)};
        struct buffer json, deep;
        buffer_init(&json, 0);
        buffer_init(&deep, 0);
        write_document(&json, i % COUNT_OF(rules));
        repeat(&deep, "{\"x\":", 64);
        buffer_append_char(&deep, '1');
        repeat(&deep, "}", 64);
        work.json = buffer_text(&json);
        work.context_json = buffer_text(&deep);
        run(read_document, work.strict ? KIB(768) : KIB(192), &work);
        work.context = weir_context_new();
        ck_assert_ptr_nonnull(work.context);
        if (work.document) {
            run(read_context, KIB(32), &work);
            ck_assert_int_eq(work.error.status, WEIR_OK);
            run(decide, KIB(128), &work);
            run(tell, KIB(192), &work);
            ck_assert_ptr_nonnull(work.story);
            /* all of it was read */
            ck_assert(work.decision.error_code != WEIR_PARSE_ERROR);
        } else {
            ck_assert_msg(work.strict && work.error.status == WEIR_INVALID, "%s",
                          work.error.message);
        }
        free(work.story);
        weir_context_free(work.context);
        weir_document_release(work.document);
        buffer_dispose(&json);
        buffer_dispose(&deep);
    }
}
END_TEST

UNIT_MAIN("stack", skipping_takes_a_small_stack, the_deepest_documents_fit)
