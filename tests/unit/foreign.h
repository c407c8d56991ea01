/* foreign.h - flagd documents that weir did not write, read and asked: what several tests share. */
#ifndef WEIR_TESTS_FOREIGN_H
#define WEIR_TESTS_FOREIGN_H

#include "../../rules/context.h"
#include "../../rules/document.h"
#include "../../rules/evaluate.h"
#include "unit.h"

#define FLAG(targeting)                                                                            \
    "{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},\"defaultVariant\":\"off\","  \
    "\"targeting\":" targeting "}"

static inline struct document *read_json(const char *json)
{
    struct document *document;
    struct error error = {0};
    ck_assert_msg(document_read(text_of(json), NULL, &document, &error) == STATUS_OK, "%u:%u: %s",
                  error.line, error.column, error.message);
    return document;
}

/* What `flag` comes to: a variant, or an error code. */
static inline const char *ask(struct document *document, const char *flag, const char *context_json)
{
    static char answer[80];
    struct context context;
    struct decision decision;
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    ck_assert_int_eq(context_read(&context, document->attributes, text_of(context_json), NULL),
                     STATUS_OK);
    evaluate(document_find(document, text_of(flag)), &context, 1767225600, &decision);
    if (decision.error)
        snprintf(answer, sizeof answer, "%s: %s", error_code_name(decision.error),
                 decision.problem);
    else
        snprintf(answer, sizeof answer, "%.*s %s", (int)decision.variant.length,
                 decision.variant.data ? decision.variant.data : "", reason_name(decision.reason));
    context_dispose(&context);
    return answer;
}

#endif
