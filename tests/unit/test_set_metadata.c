/* What a flag set says of itself: shared by flags that say nothing, merged into those that do. */
#include "../../rules/document.h"
#include "../../rules/evaluate.h"
#include "unit.h"

#define FLAG(more)                                                                                 \
    "{\"state\":\"ENABLED\",\"variants\":{\"on\":true},\"defaultVariant\":\"on\"" more "}"

static struct document *read_json(struct text json)
{
    struct document *document;
    struct error error = {0};
    ck_assert_msg(document_read(json, NULL, &document, &error) == STATUS_OK, "%u:%u: %s",
                  error.line, error.column, error.message);
    return document;
}

static void decide(struct document *document, const char *flag, struct decision *decision)
{
    struct context context;
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    ck_assert_int_eq(context_begin(&context, document->attributes), STATUS_OK);
    evaluate(document_find(document, text_of(flag)), &context, 0, decision);
    context_dispose(&context);
}

START_TEST(the_flags_own_wins_and_hides)
{
    static const struct {
        const char *set, *own, *merged;
    } cases[] = {
        {"{}", "", ""},
        {"{}", ",\"metadata\":{}", ""},
        {"{\"a\":1}", "", "{\"a\":1}"},
        {"{\"a\":1}", ",\"metadata\":{}", "{\"a\":1}"},
        {"{\"a\":1}", ",\"metadata\":3", "{\"a\":1}"},
        {"{}", ",\"metadata\":{\"b\":true}", "{\"b\":true}"},
        {"{\"c\":\"set\",\"a\":1}", ",\"metadata\":{\"b\":2,\"c\":\"own\"}",
         "{\"a\":1,\"b\":2,\"c\":\"own\"}"},
        {"{\"a\":1,\"b\":2}", ",\"metadata\":{\"a\":null}", "{\"b\":2}"},
        {"{\"a\":1}", ",\"metadata\":{\"a\":[]}", ""},
        {"{\"a\":1,\"b\":{},\"c\":[1],\"d\":null}", "", "{\"a\":1}"},
        {"{\"a\":1,\"a\":2}", ",\"metadata\":{\"b\":1,\"b\":3}", "{\"a\":2,\"b\":3}"},
        {"{\"a\":1}", ",\"metadata\":{\"a\":2,\"a\":null}", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char json[512];
        snprintf(json, sizeof json, "{\"metadata\":%s,\"flags\":{\"f\":" FLAG("%s") "}}",
                 cases[i].set, cases[i].own);
        struct document *document = read_json(text_of(json));
        struct decision decision;
        decide(document, "f", &decision);
        ck_assert_msg(text_is(decision.metadata, cases[i].merged), "%s gives %.*s", json,
                      (int)decision.metadata.length,
                      decision.metadata.data ? decision.metadata.data : "");
        document_release(document);
    }
}
END_TEST

/* A set that says much costs that once, not once for each flag. */
START_TEST(flags_without_their_own_share_one_text)
{
    struct document *document = read_json(TEXT("{\"metadata\":{\"a\":1},\"flags\":{\"f\":" FLAG(
        "") ",\"g\":" FLAG(",\"metadata\":{}") ",\"h\":" FLAG(",\"metadata\":{\"b\":1}") "}}"));
    struct decision f, g, h;
    decide(document, "f", &f);
    decide(document, "g", &g);
    decide(document, "h", &h);
    ck_assert_ptr_eq(f.metadata.data, g.metadata.data);
    ck_assert_text(h.metadata, "{\"a\":1,\"b\":1}");
    struct fragment *fragment = fragment_reference(document_at(document, 0));
    document_release(document);
    ck_assert_text(fragment->program.metadata, "{\"a\":1}"); /* it outlives the document */
    fragment_release(fragment);
}
END_TEST

static void append_members(struct buffer *out, const char *prefix, size_t count)
{
    buffer_append_char(out, '{');
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s\"%s%zu\":%zu", i ? "," : "", prefix, i, i);
    buffer_append_char(out, '}');
}

/* 50 000 names in both: compared one by one this would take minutes. */
START_TEST(thousands_of_names_are_merged)
{
    struct buffer json;
    struct decision decision;
    buffer_init(&json, 0);
    buffer_append_string(&json, "{\"metadata\":");
    append_members(&json, "set", 50000);
    buffer_append_string(&json, ",\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},"
                                "\"metadata\":");
    append_members(&json, "own", 50000);
    buffer_append_string(&json, "}}}");
    struct document *document = read_json(buffer_text(&json));
    decide(document, "f", &decision);
    size_t colons = 0;
    for (size_t i = 0; i < decision.metadata.length; i++)
        colons += decision.metadata.data[i] == ':';
    ck_assert_uint_eq(colons, 100000);
    document_release(document);
    buffer_dispose(&json);
}
END_TEST

/* Ten thousand flags with something of their own beside a set of 50 000 names, told or not: sorted
 * anew for each, or merged beyond the limit, this would take minutes. */
START_TEST(what_the_set_says_is_sorted_once)
{
    for (unsigned told = 0; told < 2; told++) {
        struct buffer json;
        struct decision decision;
        buffer_init(&json, 0);
        buffer_append_string(&json, "{\"metadata\":{\"m\":null");
        for (size_t i = 0; i < 50000; i++)
            buffer_printf(&json, ",\"m%zu\":%s", i, told ? "1" : "null");
        buffer_append_string(&json, "},\"flags\":{\"first\":" FLAG(",\"metadata\":{\"m\":1}"));
        for (unsigned i = 0; i < 10000; i++)
            buffer_printf(&json, ",\"f%u\":" FLAG(",\"metadata\":{\"a\":1}"), i);
        buffer_append_string(&json, "}}");
        struct document *document = read_json(buffer_text(&json));
        decide(document, "f9999", &decision);
        ck_assert_int_eq(decision.error, told ? ERROR_PARSE_ERROR : ERROR_NONE);
        ck_assert(told || text_is(decision.metadata, "{\"a\":1}"));
        document_release(document);
        buffer_dispose(&json);
    }
}
END_TEST

/* 1 MiB in each of a hundred flags: those beyond the limit fail, the others go on. */
START_TEST(what_is_merged_into_all_flags_together_is_bounded)
{
    struct buffer json;
    struct decision decision;
    size_t failed = 0;
    buffer_init(&json, 0);
    buffer_append_string(&json, "{\"metadata\":{\"a\":\"");
    for (size_t i = 0; i < (size_t)1 << 20; i++)
        buffer_append_char(&json, 'x');
    buffer_append_string(&json, "\"},\"flags\":{");
    for (unsigned i = 0; i < 100; i++)
        buffer_printf(&json, "%s\"f%02u\":" FLAG(",\"metadata\":{\"b\":%u}"), i ? "," : "", i, i);
    buffer_append_string(&json, ",\"plain\":" FLAG("") "}}");
    struct document *document = read_json(buffer_text(&json));
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%02u", i);
        decide(document, name, &decision);
        failed += decision.error == ERROR_PARSE_ERROR;
        ck_assert(decision.error == ERROR_PARSE_ERROR || decision.metadata.length > 1 << 20);
    }
    ck_assert_uint_eq(failed, 100 - 63);
    ck_assert_str_eq(decision.problem,
                     "the metadata of set and flag, merged for each flag, is over 64 MiB");
    decide(document, "plain", &decision);
    ck_assert(decision.error == ERROR_NONE && decision.metadata.length > 1 << 20);
    document_release(document);
    buffer_dispose(&json);
}
END_TEST

UNIT_MAIN("set metadata", the_flags_own_wins_and_hides, flags_without_their_own_share_one_text,
          thousands_of_names_are_merged, what_the_set_says_is_sorted_once,
          what_is_merged_into_all_flags_together_is_bounded)
