/* Foreign flagd documents that are endless, too deep, or want a large stack: what is bounded is
 * told, and harms no more than it has to. */
#include "foreign.h"

/* Each evaluator but the last one refers twice to the next. */
static void append_doubling(struct buffer *json, int evaluators, const char *last)
{
    buffer_append_string(json, "\"$evaluators\":{");
    for (int i = 0; i < evaluators; i++)
        buffer_printf(json, "\"e%d\":[{\"$ref\":\"e%d\"},{\"$ref\":\"e%d\"}],", i, i + 1, i + 1);
    buffer_printf(json, "\"e%d\":%s}", evaluators, last);
}

START_TEST(references_that_multiply_harm_only_their_flag)
{
    static const struct {
        int evaluators;
        const char *last, *answer;
    } cases[] = {
        /* Of numbers lists come: 2^18 ones, commas and twice as many brackets are 4 · 2^18 bytes.
         */
        {18, "1", "GENERAL: a rule puts together more than 256 KiB"},
        {20, "1", "GENERAL: a rule puts together more than 256 KiB"},
        {21, "1", "PARSE_ERROR: its \"$ref\"s put in more than 4 MiB"},
        {40, "1", "PARSE_ERROR: its \"$ref\"s put in more than 4 MiB"},
        {400, "1", "PARSE_ERROR: its \"$ref\"s put in more than 4 MiB"},
        {600, "1", "PARSE_ERROR: nested deeper than 512 levels where \"$ref\"s are replaced"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer json;
        buffer_init(&json, 0);
        buffer_append_string(&json, "{\"flags\":{\"good\":" FLAG("\"on\"") ",\"bad\":" FLAG(
                                        "{\"$ref\":\"e0\"}") "},");
        append_doubling(&json, cases[i].evaluators, cases[i].last);
        buffer_append_char(&json, '}');
        struct document *document = read_json(buffer_string(&json));
        ck_assert_str_eq(ask(document, "bad", "{}"), cases[i].answer);
        ck_assert_str_eq(ask(document, "good", "{}"), "on TARGETING_MATCH");
        document_release(document);
        buffer_dispose(&json);
    }
}
END_TEST

static size_t count_answers(struct document *document, const char *answer)
{
    size_t count = 0;
    for (size_t i = 0; i < document->count; i++) {
        char key[64];
        struct text name = document_at(document, i)->program.key;
        snprintf(key, sizeof key, "%.*s", (int)name.length, name.data);
        count += strcmp(ask(document, key, "{}"), answer) == 0;
    }
    return count;
}

/* What is put in is bounded for all flags together. Flags that are refused cost nothing of it, and
 * those that need little are served to the end. */
START_TEST(references_that_multiply_are_bounded_in_all_flags_together)
{
    enum { BYTES = 32768 };
    static const struct {
        const char *answer;
        size_t count;
    } expected[] = {
        {"PARSE_ERROR: its \"$ref\"s put in more than 4 MiB", 20},
        /* Each gets 64 texts, their quotes and commas, 63 lists: 31 times that are under 64 MiB. */
        {"GENERAL: a rule puts together more than 256 KiB", 31},
        {"PARSE_ERROR: the \"$ref\"s of all flags together put in more than 64 MiB", 49},
        {"on TARGETING_MATCH", 2},
    };
    char last[BYTES + 3];
    struct buffer json;
    memset(last, 'x', sizeof last);
    last[0] = last[BYTES + 1] = '"';
    last[BYTES + 2] = '\0';
    buffer_init(&json, 0);
    buffer_append_string(&json, "{\"flags\":{");
    for (int i = 0; i < 100; i++)
        buffer_printf(&json, "\"f%02d\":" FLAG("{\"$ref\":\"e%d\"}") ",", i, i % 5 ? 2 : 0);
    buffer_append_string(
        &json,
        "\"little\":" FLAG("{\"if\":[{\"$ref\":\"e8\"},\"on\"]}") ","
                                                                  "\"none\":" FLAG("\"on\"") "},");
    append_doubling(&json, 8, last);
    buffer_append_char(&json, '}');
    struct document *document = read_json(buffer_string(&json));
    ck_assert_uint_eq(document->count, 102);
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        ck_assert_uint_eq(count_answers(document, expected[i].answer), expected[i].count);
    ck_assert_str_eq(ask(document, "f01", "{}"), expected[1].answer);
    ck_assert_str_eq(ask(document, "f99", "{}"), expected[2].answer);
    document_release(document);
    buffer_dispose(&json);
}
END_TEST

/* However many there are, and however they lead to one another. */
START_TEST(long_chains_of_references_end)
{
    enum { COUNT = 200000 };
    struct buffer json;
    buffer_init(&json, 0);
    buffer_append_string(
        &json, "{\"flags\":{\"f\":" FLAG("{\"$ref\":\"e0\"}") ",\"twice\":" FLAG(
                   "{\"$ref\":\"7\"}") ",\"index\":" FLAG("{\"$ref\":\"3\"}") "},\"$evaluators\":{"
                                                                              "\"7\":\"off\"");
    for (int i = 0; i < COUNT; i++)
        buffer_printf(&json, ",\"e%d\":{\"$ref\":\"e%d\"}", i, i + 1);
    buffer_printf(&json, ",\"e%d\":{\"if\":[{\"var\":\"x\"},\"on\",\"off\"]}", COUNT);
    buffer_append_string(&json, ",\"3\":{\"$ref\":\"7\"},\"7\":{\"$ref\":\"e5\"}}}");
    struct document *document = read_json(buffer_string(&json));
    ck_assert_str_eq(ask(document, "f", "{\"x\":1}"), "on TARGETING_MATCH");
    ck_assert_str_eq(ask(document, "f", "{}"), "off TARGETING_MATCH");
    ck_assert_str_eq(ask(document, "twice", "{\"x\":1}"), "on TARGETING_MATCH");
    ck_assert_str_eq(ask(document, "index", "{\"x\":1}"), "on TARGETING_MATCH");
    document_release(document);
    buffer_dispose(&json);
}
END_TEST

static void append_deep(struct buffer *json, const char *before, unsigned depth, const char *after)
{
    buffer_append_string(json, before);
    for (unsigned i = 0; i < depth; i++)
        buffer_append_char(json, '[');
    for (unsigned i = 0; i < depth; i++)
        buffer_append_char(json, ']');
    buffer_append_string(json, after);
}

#define GOOD "{\"flags\":{\"good\":" FLAG("\"on\"") ",\"f\":"

/* As deep as Go reads it, a value is its flag's harm alone. */
START_TEST(what_is_too_deep_harms_only_its_flag)
{
    static const struct {
        const char *before, *after, *answer;
    } cases[] = {
        {GOOD "{\"state\":\"ENABLED\",\"variants\":{\"a\":", "}}}}",
         "PARSE_ERROR: nested deeper than 512 levels"},
        {GOOD "{\"metadata\":{\"a\":", "},\"state\":\"ENABLED\",\"variants\":{}}}}",
         "PARSE_ERROR: nested deeper than 512 levels"},
        {GOOD "{\"state\":\"DISABLED\",\"variants\":{\"a\":", "}}}}", " DISABLED"},
        {GOOD "{\"state\":\"ENABLED\",\"variants\":{},\"targeting\":{\"!\":", "}}}}",
         "PARSE_ERROR: targeting is too large, or nested deeper than 512 levels"},
        {GOOD FLAG("{\"if\":[{\"$ref\":\"e\"},\"on\"]}") "},\"$evaluators\":{\"e\":", "}}",
         "PARSE_ERROR: nested deeper than 512 levels where \"$ref\"s are replaced"},
        {GOOD FLAG(
             "{\"if\":[{\"$ref\":\"e\"},\"on\"]}") "},\"$evaluators\":{\"e\":{\"$ref\":\"d\"},"
                                                   "\"d\":",
         "}}", "PARSE_ERROR: nested deeper than 512 levels where \"$ref\"s are replaced"},
        {GOOD FLAG("{\"if\":[{\"$ref\":\"e\"},\"off\"]}") "},\"$evaluators\":{\"e\":1,\"unused\":",
         "}}", "off TARGETING_MATCH"},
    };
    static const unsigned depths[] = {600, 3000, 9990};
    for (size_t i = 0; i < COUNT_OF(cases) * COUNT_OF(depths); i++) {
        size_t at = i % COUNT_OF(cases);
        struct buffer json;
        buffer_init(&json, 0);
        append_deep(&json, cases[at].before, depths[i / COUNT_OF(cases)], cases[at].after);
        struct document *document = read_json(buffer_string(&json));
        ck_assert_uint_eq(document->count, 2);
        const char *answer = cases[at].answer;
        if (strstr(answer, "targeting") && depths[i / COUNT_OF(cases)] > FLAG_MAX_DEPTH)
            answer = "PARSE_ERROR: nested deeper than 512 levels"; /* where is not looked for */
        ck_assert_str_eq(ask(document, "f", "{}"), answer);
        ck_assert_str_eq(ask(document, "good", "{}"), "on TARGETING_MATCH");
        document_release(document);
        buffer_dispose(&json);
    }
}
END_TEST

static void expect_refused(struct text json, uint32_t line, uint32_t column, const char *message)
{
    struct document *document;
    struct error error = {0};
    ck_assert_int_eq(document_read(json, NULL, &document, &error), STATUS_LIMIT);
    ck_assert_str_eq(error.message, message);
    ck_assert_uint_eq(error.line, line);
    ck_assert_uint_eq(error.column, column);
}

/* Elsewhere it is the document's, and each limit says which one it is. */
START_TEST(what_is_too_deep_beside_flags_is_refused)
{
    struct buffer json;
    buffer_init(&json, 0);
    append_deep(&json, "{\"metadata\":\n{\"a\":", 600, "},\"flags\":{}}");
    expect_refused(buffer_text(&json), 2, 1, "metadata: nested deeper than 512 levels");
    buffer_clear(&json);
    append_deep(&json, "{\"flags\":{\"f\":{\"variants\":\n", 9998, "}}}");
    expect_refused(buffer_text(&json), 2, 9998, "nested deeper than 10000 levels");
    buffer_clear(&json);
    append_deep(&json, "{\"other\":\n", 10000, ",\"flags\":{}}");
    expect_refused(buffer_text(&json), 2, 10000, "nested deeper than 10000 levels");
    buffer_dispose(&json);
}
END_TEST

/* What is put in the place of such a flag says the same of itself when it is read again. */
START_TEST(a_flag_that_was_not_read_stays_so)
{
    struct buffer json, written;
    buffer_init(&json, 0);
    buffer_init(&written, 0);
    append_deep(&json, GOOD "{\"state\":\"ENABLED\",\"variants\":{\"a\":", 600, "}}}}");
    struct document *document = read_json(buffer_string(&json));
    document_write(document, &written);
    struct document *again = read_json(buffer_string(&written));
    ck_assert(document_equal(document, again));
    ck_assert_str_eq(ask(again, "f", "{}"),
                     "PARSE_ERROR: unknown operator \"nested deeper than 512 levels\"");
    document_release(document);
    document_release(again);
    buffer_dispose(&json);
    buffer_dispose(&written);
}
END_TEST

UNIT_MAIN("document_limits", references_that_multiply_harm_only_their_flag,
          references_that_multiply_are_bounded_in_all_flags_together, long_chains_of_references_end,
          what_is_too_deep_harms_only_its_flag, what_is_too_deep_beside_flags_is_refused,
          a_flag_that_was_not_read_stays_so)
