/* The guards that encode.c writes are recognised by their very bytes and become one instruction.
 * The same guard with a space in it is not recognised and is evaluated part by part: both must
 * answer alike for every value a context can hold. */
#include "rules_unit.h"

#include "../../rules/encode.h"

static const char *const values[] = {
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "10",
    "2.4",
    "1e21",
    "0.1",
    "\"\"",
    "\"a\"",
    "\"10\"",
    "\"1\"",
    "\"true\"",
    "\"True\"",
    "\"null\"",
    "\"2.4.0\"",
    "\"v2.4.0\"",
    "\"2.4\"",
    "\"vv2.4.0\"",
    "\" 2.4.0\"",
    "\"2.4.0-rc.1\"",
    "\"2.4.0+b\"",
    "\"[object Object]\"",
    "\"é\"",
    "[]",
    "[1]",
    "[\"a\"]",
    "[[\"a\"]]",
    "[null]",
    "{}",
    "{\"x\":1}",
    "{\"x\":{\"y\":1}}",
};

/* {"if":[{"and":[GUARD…]},"yes","no"]} as a document; `loose` puts a space where no guard has
 * one. */
static struct document *make_document(enum guard guard, const char *operand, unsigned evaluators,
                                      bool loose)
{
    struct buffer text, json;
    struct document *document;
    struct error error = {0};
    buffer_init(&text, 0);
    buffer_init(&json, 0);
    encode_guard(&text, guard, text_of(operand), evaluators);
    buffer_append_string(
        &json, "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"yes\":true,"
               "\"no\":false},\"defaultVariant\":\"no\",\"targeting\":{\"if\":[{\"and\":[");
    for (size_t i = 0; i < text.length; i++) {
        buffer_append_char(&json, text.data[i]);
        if (loose && i && text.data[i] == '[' && text.data[i - 1] == ':')
            buffer_append_char(&json, ' ');
    }
    buffer_append_string(&json, "]},\"yes\",\"no\"]}}}}");
    ck_assert_msg(document_read(buffer_text(&json), NULL, &document, &error) == STATUS_OK,
                  "%s: %.*s", error.message, (int)json.length, json.data);
    buffer_dispose(&text);
    buffer_dispose(&json);
    return document;
}

static enum op first_test(const struct document *document)
{
    const struct instruction *targeting = document_at(document, 0)->program.targeting;
    const struct instruction *condition = &targeting->arguments[0];
    while (condition->op == OP_AND && condition->count)
        condition = &condition->arguments[0];
    return (enum op)condition->op;
}

static struct decision decide(struct context *context, struct document *document, const char *json)
{
    struct decision decision;
    struct error error = {0};
    ck_assert_msg(context_read(context, document->attributes, text_of(json), &error) == STATUS_OK,
                  "%s: %s", json, error.message);
    evaluate(document_at(document, 0), context, RIG_NOW, &decision);
    return decision;
}

static void compare(enum guard guard, unsigned evaluators, const char *operand)
{
    struct document *tight = make_document(guard, operand, evaluators, false);
    struct document *loose = make_document(guard, operand, evaluators, true);
    struct context context;
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    for (size_t i = 0; i <= COUNT_OF(values); i++) {
        char json[200];
        if (i < COUNT_OF(values))
            snprintf(json, sizeof json, "{\"x\":%s,\"targetingKey\":\"u\"}", values[i]);
        else
            snprintf(json, sizeof json, "{}");
        struct decision one = decide(&context, tight, json);
        struct text variant = one.variant;
        struct decision two = decide(&context, loose, json);
        ck_assert_msg(one.reason == two.reason && one.error == two.error &&
                          text_equal(variant, two.variant),
                      "evaluators %u, %s: recognised %s %.*s, written out %s %.*s", evaluators,
                      json, reason_name(one.reason), (int)variant.length, variant.data,
                      reason_name(two.reason), (int)two.variant.length, two.variant.data);
    }
    context_dispose(&context);
    document_release(tight);
    document_release(loose);
}

static const enum guard guards[] = {GUARD_STRING, GUARD_NUMBER, GUARD_VERSION};

START_TEST(test_a_recognised_guard_answers_as_the_one_written_out)
{
    for (unsigned evaluators = 1; evaluators < 32; evaluators += 2) {
        for (size_t i = 0; i < COUNT_OF(guards); i++)
            compare(guards[i], evaluators, "{\"var\":\"x\"}");
    }
}
END_TEST

/* $flagd.timestamp and $flagd.flagKey are the evaluator's, not the context's. */
START_TEST(test_guards_on_what_the_evaluator_gives)
{
    for (size_t i = 0; i < COUNT_OF(guards); i++) {
        compare(guards[i], EVALUATOR_WEIR | EVALUATOR_FLAGD, "{\"var\":\"$flagd.timestamp\"}");
        compare(guards[i], EVALUATOR_WEIR | EVALUATOR_FLAGD, "{\"var\":\"$flagd.flagKey\"}");
    }
}
END_TEST

/* Else the comparison above would compare a thing with itself. */
START_TEST(test_only_the_tight_form_is_recognised)
{
    unsigned evaluators = EVALUATOR_WEIR | EVALUATOR_FLAGD;
    struct document *tight = make_document(GUARD_NUMBER, "{\"var\":\"x\"}", evaluators, false);
    struct document *loose = make_document(GUARD_NUMBER, "{\"var\":\"x\"}", evaluators, true);
    ck_assert_int_eq(first_test(tight), OP_IS_NUMBER);
    ck_assert_int_ne(first_test(loose), OP_IS_NUMBER);
    document_release(tight);
    document_release(loose);
}
END_TEST

/* All of a guard or nothing: one byte less, or another one anywhere, is none. */
START_TEST(test_a_guard_is_recognised_by_every_byte)
{
    struct text operand = TEXT("{\"var\":\"a.b\"}");
    for (unsigned evaluators = 1; evaluators < 32; evaluators += 2) {
        for (size_t i = 0; i < COUNT_OF(guards); i++) {
            struct buffer text;
            buffer_init(&text, 0);
            encode_guard(&text, guards[i], operand, evaluators);
            size_t length = text.length;
            buffer_append_string(&text, ",{\"==\":[1,1]}");
            ck_assert_uint_eq(guard_length(guards[i], buffer_text(&text), operand, evaluators),
                              length);
            for (size_t at = 0; at < length; at++) {
                struct text part = {text.data, at};
                ck_assert_uint_eq(guard_length(guards[i], part, operand, evaluators), 0);
                text.data[at] ^= 1;
                ck_assert_uint_eq(guard_length(guards[i], buffer_text(&text), operand, evaluators),
                                  0);
                text.data[at] ^= 1;
            }
            buffer_dispose(&text);
        }
    }
}
END_TEST

UNIT_MAIN("guards", test_a_guard_is_recognised_by_every_byte,
          test_a_recognised_guard_answers_as_the_one_written_out,
          test_guards_on_what_the_evaluator_gives, test_only_the_tight_form_is_recognised)
