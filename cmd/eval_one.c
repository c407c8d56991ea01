/* One flag for one context, told to a person or to a program. */
#include <unistd.h>

#include "../controller/clock.h"
#include "../rules/explain.h"
#include "../rules/similar.h"
#include "eval.h"
#include "eval_output.h"

static int complain_of_unknown(const struct question *question)
{
    const struct document *document = question->document;
    struct similar similar = {0};
    struct document_cursor cursor = {0};
    const struct fragment *fragment;
    while ((fragment = document_next(document, &cursor)))
        similar_offer(&similar, text_of(question->flag), fragment->program.key);
    if (similar.name.length)
        command_fail("flag \"%.120s\" does not exist in %s\"%s\"; did you mean \"%.*s\"?",
                     question->flag, question->kind, question->place, (int)similar.name.length,
                     similar.name.data);
    else
        command_fail("flag \"%.120s\" does not exist in %s\"%s\"", question->flag, question->kind,
                     question->place);
    return EXIT_DEFINITIONS;
}

static int answer(const struct question *question, struct context *context)
{
    struct text flag = text_of(question->flag);
    const struct fragment *fragment = document_find(question->document, flag);
    int64_t now = clock_seconds(&system_clock);
    struct decision decision;
    struct buffer out;
    evaluate(fragment, context, now, &decision);
    struct outcome outcome = outcome_of(flag, &decision);
    buffer_init(&out, 0);
    if (question->explain)
        explain(fragment, flag, context, now, question->json ? EXPLAIN_JSON : EXPLAIN_TEXT, &out);
    else if (question->json)
        outcome_write_json(&out, &outcome);
    else
        outcome_write_text(&out, &outcome, command_colour(STDOUT_FILENO));
    int code = command_print(&out);
    buffer_dispose(&out);
    if (code == EXIT_FINE && !fragment)
        code = complain_of_unknown(question);
    return code;
}

int eval_one(const struct question *question)
{
    struct context context;
    struct error error = {0};
    int code;
    if (context_init(&context) != STATUS_OK)
        return command_fail("no memory");
    if (context_read(&context, question->document->attributes, input_text(question->context),
                     &error) == STATUS_OK) {
        code = answer(question, &context);
    } else {
        input_complain(question->context, &error);
        code = EXIT_USAGE;
    }
    context_dispose(&context);
    return code;
}
