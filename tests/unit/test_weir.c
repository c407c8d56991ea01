/* The library as others see it: only weir.h. */
#include "../../rules/weir.h"

#include "unit.h"

static const char document_json[] =
    "{\"flags\":{"
    "\"checkout\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},"
    "\"defaultVariant\":\"off\","
    "\"targeting\":{\"if\":[{\"===\":[{\"var\":\"user.country\"},\"DE\"]},\"on\",null]},"
    "\"metadata\":{\"owner\":\"me\"}},"
    "\"dark\":{\"state\":\"DISABLED\",\"variants\":{\"on\":true},\"defaultVariant\":\"on\"},"
    "\"late\":{\"state\":\"ENABLED\",\"variants\":{\"a\":{\"x\":[1]},\"b\":{}},\"defaultVariant\":"
    "\"b\","
    "\"targeting\":{\"if\":[{\">=\":[{\"var\":\"$flagd.timestamp\"},100]},\"a\",null]}},"
    "\"broken\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true},\"defaultVariant\":\"on\","
    "\"targeting\":{\"nope\":[]}},"
    "\"plain\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true},\"defaultVariant\":\"on\"}"
    "},\"metadata\":{\"flagSetId\":\"production\"}}";

static weir_document *read_good(void)
{
    weir_error error = {0};
    weir_document *document =
        weir_document_read(document_json, sizeof document_json - 1, NULL, &error);
    ck_assert_msg(document != NULL, "%u:%u: %s", error.line, error.column, error.message);
    return document;
}

static void read_context(weir_context *context, weir_document *document, const char *json)
{
    weir_error error = {0};
    ck_assert_msg(weir_context_read(context, document, json, strlen(json), &error) == WEIR_OK, "%s",
                  error.message);
}

static struct text value_of(const weir_decision *decision)
{
    return (struct text){decision->value, decision->value_length};
}

START_TEST(names_are_those_of_openfeature)
{
    ck_assert_str_eq(weir_version(), WEIR_VERSION);
    ck_assert_str_eq(weir_reason_name(WEIR_STATIC), "STATIC");
    ck_assert_str_eq(weir_reason_name(WEIR_DEFAULT), "DEFAULT");
    ck_assert_str_eq(weir_reason_name(WEIR_TARGETING_MATCH), "TARGETING_MATCH");
    ck_assert_str_eq(weir_reason_name(WEIR_DISABLED), "DISABLED");
    ck_assert_str_eq(weir_reason_name(WEIR_ERROR), "ERROR");
    ck_assert_str_eq(weir_error_code_name(WEIR_NO_ERROR), "");
    ck_assert_str_eq(weir_error_code_name(WEIR_FLAG_NOT_FOUND), "FLAG_NOT_FOUND");
    ck_assert_str_eq(weir_error_code_name(WEIR_PARSE_ERROR), "PARSE_ERROR");
    ck_assert_str_eq(weir_error_code_name(WEIR_GENERAL), "GENERAL");
}
END_TEST

START_TEST(documents_list_their_flags)
{
    static const char *const keys[] = {"broken", "checkout", "dark", "late", "plain"};
    weir_document *document = read_good();
    size_t length;
    ck_assert_uint_eq(weir_document_count(document), COUNT_OF(keys));
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const char *key = weir_document_key(document, i, &length);
        ck_assert_text(((struct text){key, length}), keys[i]);
    }
    ck_assert_ptr_null(weir_document_key(document, COUNT_OF(keys), &length));
    ck_assert_str_eq(weir_document_key(document, 0, NULL), keys[0]);
    ck_assert_ptr_eq(weir_document_retain(document), document);
    weir_document_release(document);
    ck_assert_uint_eq(weir_document_count(document), COUNT_OF(keys));
    weir_document_release(document);
    weir_document_release(NULL);
    weir_context_free(NULL);
}
END_TEST

START_TEST(decisions_are_whole)
{
    weir_document *document = read_good();
    weir_context *context = weir_context_new();
    weir_decision decision;
    read_context(context, document, "{\"user\":{\"country\":\"DE\"}}");
    weir_evaluate(document, "checkout", context, 0, &decision);
    ck_assert_int_eq(decision.reason, WEIR_TARGETING_MATCH);
    ck_assert_int_eq(decision.error_code, WEIR_NO_ERROR);
    ck_assert_ptr_null(decision.error_details);
    ck_assert_text(value_of(&decision), "true");
    ck_assert_text(((struct text){decision.variant, decision.variant_length}), "on");
    ck_assert_text(((struct text){decision.metadata, decision.metadata_length}),
                   "{\"flagSetId\":\"production\",\"owner\":\"me\"}");
    read_context(context, document, "{\"user\":{\"country\":\"FR\"}}");
    weir_evaluate(document, "checkout", context, 0, &decision);
    ck_assert_int_eq(decision.reason, WEIR_DEFAULT);
    ck_assert_text(value_of(&decision), "false");
    weir_evaluate(document, "late", context, 99, &decision);
    ck_assert_text(value_of(&decision), "{}");
    weir_evaluate(document, "late", context, 100, &decision);
    ck_assert_text(value_of(&decision), "{\"x\":[1]}");
    weir_evaluate(document, "plain", context, 0, &decision);
    ck_assert_int_eq(decision.reason, WEIR_STATIC);
    weir_evaluate(document, "dark", context, 0, &decision);
    ck_assert_int_eq(decision.reason, WEIR_DISABLED);
    ck_assert_ptr_null(decision.value);
    ck_assert_ptr_null(decision.variant);
    weir_context_free(context);
    weir_document_release(document);
}
END_TEST

START_TEST(errors_are_decisions_too)
{
    weir_document *document = read_good();
    weir_context *context = weir_context_new();
    weir_decision decision;
    read_context(context, document, "{}");
    weir_evaluate(document, "no-such-flag", context, 0, &decision);
    ck_assert_int_eq(decision.reason, WEIR_ERROR);
    ck_assert_int_eq(decision.error_code, WEIR_FLAG_NOT_FOUND);
    ck_assert_ptr_nonnull(decision.error_details);
    ck_assert_ptr_null(decision.value);
    ck_assert_ptr_null(decision.metadata);
    weir_evaluate(document, "broken", context, 0, &decision);
    ck_assert_int_eq(decision.error_code, WEIR_PARSE_ERROR);
    ck_assert_ptr_null(decision.value);
    weir_context_free(context);
    weir_document_release(document);
}
END_TEST

/* A context that was read for another document, or never, has no attributes: never another
 * document's slots. */
START_TEST(a_context_belongs_to_its_document)
{
    static const char other_json[] =
        "{\"flags\":{\"checkout\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},"
        "\"defaultVariant\":\"off\","
        "\"targeting\":{\"if\":[{\"===\":[{\"var\":\"something.else\"},\"DE\"]},\"on\",null]}}}}";
    weir_document *document = read_good(),
                  *other = weir_document_read(other_json, sizeof other_json - 1, NULL, NULL);
    weir_context *context = weir_context_new();
    weir_decision decision;
    ck_assert_ptr_nonnull(other);
    weir_evaluate(document, "checkout", context, 0, &decision); /* never read */
    ck_assert_int_eq(decision.reason, WEIR_DEFAULT);
    read_context(context, document, "{\"user\":{\"country\":\"DE\"}}");
    weir_evaluate(other, "checkout", context, 0, &decision);
    ck_assert_int_eq(decision.reason, WEIR_DEFAULT);
    weir_document_release(document); /* before its context */
    weir_document_release(other);
    weir_context_free(context);
}
END_TEST

/* Neither half of what failed nor what was read before: its bytes may be gone. */
START_TEST(a_context_that_failed_has_no_attributes)
{
    static const char half[] = "{\"user\":{\"country\":\"DE\"},}";
    weir_document *document = read_good();
    weir_context *context = weir_context_new();
    weir_decision decision;
    char *bytes = malloc(sizeof half);
    memcpy(bytes, half, sizeof half);
    ck_assert_int_eq(weir_context_read(context, document, bytes, sizeof half - 1, NULL),
                     WEIR_INVALID);
    free(bytes);
    weir_evaluate(document, "checkout", context, 0, &decision);
    ck_assert_int_eq(decision.reason, WEIR_DEFAULT);
    size_t length = ((size_t)1 << 20) + 1;
    bytes = malloc(length);
    memset(bytes, ' ', length);
    read_context(context, document, "{\"user\":{\"country\":\"DE\"}}");
    weir_evaluate(document, "checkout", context, 0, &decision);
    ck_assert_int_eq(decision.reason, WEIR_TARGETING_MATCH);
    ck_assert_int_eq(weir_context_read(context, document, bytes, length, NULL), WEIR_LIMIT);
    free(bytes);
    weir_evaluate(document, "checkout", context, 0, &decision);
    ck_assert_int_eq(decision.reason, WEIR_DEFAULT);
    weir_context_free(context);
    weir_document_release(document);
}
END_TEST

START_TEST(what_is_wrong_has_a_place)
{
    weir_document *document = read_good();
    weir_context *context = weir_context_new();
    weir_error error;
    ck_assert_ptr_null(weir_document_read("{\n \"flags\": nope}", 17, NULL, &error));
    ck_assert(error.status == WEIR_INVALID && error.line == 2 && error.column == 11);
    ck_assert_str_eq(error.message, "expected a value");
    ck_assert_ptr_null(weir_document_read("{\"flags\":{}", 11, NULL, NULL));
    ck_assert_ptr_null(weir_document_read("", 0, NULL, &error));
    ck_assert_ptr_null(weir_document_read(NULL, 0, NULL, &error));
    ck_assert_int_eq(weir_context_read(context, document, "[]", 2, &error), WEIR_INVALID);
    ck_assert_int_eq(weir_context_read(context, document, "{\"a\":", 5, &error), WEIR_INVALID);
    ck_assert(error.line == 1 && error.column == 6);
    char deep[1000];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    ck_assert_int_eq(weir_context_read(context, document, deep, sizeof deep, &error), WEIR_LIMIT);
    ck_assert_int_eq(weir_context_read(context, document, NULL, 0, NULL), WEIR_INVALID);
    weir_context_free(context);
    weir_document_release(document);
}
END_TEST

START_TEST(a_decision_is_told)
{
    weir_document *document = read_good();
    weir_context *context = weir_context_new();
    read_context(context, document, "{\"user\":{\"country\":\"FR\"}}");
    char *story = weir_explain(document, "checkout", context, 0);
    ck_assert_ptr_nonnull(strstr(story, "checkout = false (variant \"off\", DEFAULT)\n✗ rule 1\n"));
    ck_assert_ptr_nonnull(strstr(story, "  ✗ user.country === \"DE\" "));
    ck_assert_ptr_nonnull(strstr(story, "  user.country = \"FR\"\n"));
    free(story);
    story = weir_explain(document, "nowhere", context, 0);
    ck_assert_ptr_nonnull(strstr(story, "FLAG_NOT_FOUND"));
    free(story);
    weir_context_free(context);
    weir_document_release(document);
}
END_TEST

UNIT_MAIN("weir", names_are_those_of_openfeature, documents_list_their_flags, decisions_are_whole,
          errors_are_decisions_too, a_context_belongs_to_its_document,
          a_context_that_failed_has_no_attributes, what_is_wrong_has_a_place, a_decision_is_told)
