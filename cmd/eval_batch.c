/* weir eval --flagd FILE --batch: JSON lines in, JSON lines out.
 *
 * A line asks {"flag": …, "context": {…}, "type": …} and is answered by one line, in the same
 * order. A line that cannot be understood is answered by an error in its place, and the batch goes
 * on. All answers to what has come in so far go out before more is waited for, so that a program at
 * the other end of two pipes can ask one by one; memory does not grow with the number of lines. */
#include <errno.h>
#include <strings.h>
#include <unistd.h>

#include "../controller/clock.h"
#include "../rules/json.h"
#include "../rules/json_scan.h"
#include "eval.h"
#include "eval_output.h"
#include "lines.h"

#define BLOCK ((size_t)256 << 10) /* of answers: more than that is not kept back */

enum type { TYPE_ANY, TYPE_BOOLEAN, TYPE_STRING, TYPE_INTEGER, TYPE_FLOAT, TYPE_OBJECT };

static const struct text type_names[] = {
    [TYPE_ANY] = {"", 0},          [TYPE_BOOLEAN] = {"boolean", 7},
    [TYPE_STRING] = {"string", 6}, [TYPE_INTEGER] = {"integer", 7},
    [TYPE_FLOAT] = {"float", 5},   [TYPE_OBJECT] = {"object", 6},
};

struct batch {
    const struct document *document;
    struct context context;
    struct lines lines;
    struct buffer out;
    struct buffer name;    /* the flag's, where it was written with escapes */
    struct buffer details; /* of the line's fault */
    uint64_t answered, faulty;
};

/* What a line asks. */
struct request {
    struct text line;
    struct json_cursor at;
    struct text flag;    /* data is NULL until it was read */
    struct text context; /* the JSON; data is NULL where there is none */
    enum type type;
    const char *error; /* the code of the fault, for which the batch has the details */
};

/* --- faults ---------------------------------------------------------------------------------- */

static bool refuse_at(struct batch *batch, struct request *request, uint32_t column,
                      const char *code, const char *problem)
{
    request->error = code;
    buffer_clear(&batch->details);
    buffer_append_string(&batch->details, "<standard input>:");
    buffer_append_u64(&batch->details, batch->lines.number);
    buffer_append_char(&batch->details, ':');
    buffer_append_u64(&batch->details, column);
    buffer_append_string(&batch->details, ": ");
    buffer_append_string(&batch->details, problem);
    return false;
}

static bool refuse(struct batch *batch, struct request *request, const char *where,
                   const char *code, const char *problem)
{
    uint32_t line, column;
    json_place(request->line.data, where, &line, &column);
    return refuse_at(batch, request, column, code, problem);
}

static bool refuse_syntax(struct batch *batch, struct request *request)
{
    return refuse(batch, request, request->at.p, "PARSE_ERROR", request->at.problem);
}

/* --- reading a line -------------------------------------------------------------------------- */

/* A string where the cursor is: as it stands there, or decoded into `room`. */
static bool read_string(struct batch *batch, struct request *request, struct buffer *room,
                        const char *otherwise, struct text *out)
{
    bool escapes;
    if (request->at.p < request->at.end && *request->at.p != '"')
        return refuse(batch, request, request->at.p, "PARSE_ERROR", otherwise);
    if (request->at.p == request->at.end) {
        json_fail(&request->at, "expected a value");
        return refuse_syntax(batch, request);
    }
    if (!json_scan_string(&request->at, out, &escapes))
        return refuse_syntax(batch, request);
    if (!escapes)
        return true;
    buffer_clear(room);
    char *decoded = buffer_reserve(room, out->length);
    if (!decoded)
        return refuse(batch, request, out->data, "GENERAL", "no memory");
    room->length = json_decode_string(*out, decoded);
    *out = buffer_text(room);
    return true;
}

static bool read_flag(struct batch *batch, struct request *request)
{
    struct text flag;
    request->flag = (struct text){NULL, 0};
    if (!read_string(batch, request, &batch->name, "\"flag\" must be a string", &flag))
        return false;
    request->flag = flag;
    return true;
}

static bool read_type(struct batch *batch, struct request *request)
{
    static const char otherwise[] =
        "\"type\" must be \"boolean\", \"string\", \"integer\", \"float\" or \"object\"";
    const char *start = request->at.p;
    struct text name;
    if (!read_string(batch, request, &batch->details, otherwise, &name))
        return false;
    for (size_t i = TYPE_BOOLEAN; i < COUNT_OF(type_names); i++) {
        if (name.length == type_names[i].length &&
            strncasecmp(name.data, type_names[i].data, name.length) == 0) {
            request->type = (enum type)i;
            return true;
        }
    }
    return refuse(batch, request, start, "PARSE_ERROR", otherwise);
}

static bool read_context(struct batch *batch, struct request *request)
{
    const char *start = request->at.p;
    if (!json_skip_value(&request->at, JSON_DEFAULT_DEPTH)) {
        bool limit = request->at.status == STATUS_LIMIT;
        return refuse(batch, request, request->at.p, limit ? "INVALID_CONTEXT" : "PARSE_ERROR",
                      request->at.problem);
    }
    request->context = (struct text){start, (size_t)(request->at.p - start)};
    return true;
}

/* The next member; the cursor is at its key. Of equal keys the last one counts. */
static bool read_member(struct batch *batch, struct request *request)
{
    struct text key;
    bool escapes;
    if (!json_scan_key(&request->at, &key, &escapes))
        return refuse_syntax(batch, request);
    if (escapes) { /* read, and done with, before anything else needs the buffer */
        buffer_clear(&batch->details);
        char *decoded = buffer_reserve(&batch->details, key.length);
        if (!decoded)
            return refuse(batch, request, key.data, "GENERAL", "no memory");
        key = (struct text){decoded, json_decode_string(key, decoded)};
    }
    if (text_is(key, "flag"))
        return read_flag(batch, request);
    if (text_is(key, "context"))
        return read_context(batch, request);
    if (text_is(key, "type"))
        return read_type(batch, request);
    return json_skip_value(&request->at, JSON_DEFAULT_DEPTH) || refuse_syntax(batch, request);
}

static bool read_request(struct batch *batch, struct request *request)
{
    struct json_cursor *at = &request->at;
    bool first = true;
    int more;
    json_scan_space(at);
    if (at->p == at->end || *at->p != '{')
        return refuse(batch, request, at->p, "PARSE_ERROR", "expected a JSON object");
    at->p++;
    while ((more = json_scan_entry(at, '}', first)) > 0) {
        first = false;
        if (!read_member(batch, request))
            return false;
    }
    if (more < 0)
        return refuse_syntax(batch, request);
    json_scan_space(at);
    if (at->p != at->end)
        return refuse(batch, request, at->p, "PARSE_ERROR", "something stands after the object");
    if (!request->flag.data)
        return refuse(batch, request, at->p, "PARSE_ERROR", "\"flag\" is missing");
    return true;
}

/* Puts the context into the slots of the document. */
static bool take_context(struct batch *batch, struct request *request)
{
    struct attributes *attributes = batch->document->attributes;
    struct error error = {0};
    struct text json = request->context;
    if (!json.data)
        return context_begin(&batch->context, attributes) == STATUS_OK ||
               refuse_at(batch, request, 1, "GENERAL", "no memory");
    if (*json.data != '{')
        return refuse(batch, request, json.data, "INVALID_CONTEXT",
                      "\"context\" must be an object");
    if (context_read(&batch->context, attributes, json, &error) == STATUS_OK)
        return true;
    uint32_t line, column;
    json_place(request->line.data, json.data, &line, &column);
    if (error.column)
        column += error.column - 1;
    return refuse_at(batch, request, column,
                     error.status == STATUS_NO_MEMORY ? "GENERAL" : "INVALID_CONTEXT",
                     error.message);
}

/* --- answering it ---------------------------------------------------------------------------- */

static enum type type_of(struct text json)
{
    double number;
    switch (json.data[0]) {
    case '"':
        return TYPE_STRING;
    case 't':
    case 'f':
        return TYPE_BOOLEAN;
    case '{':
    case '[':
    case 'n': /* to every JavaScript reader of the document null is an object, too */
        return TYPE_OBJECT;
    default:
        break;
    }
    bool whole = true;
    for (size_t i = 0; i < json.length && whole; i++)
        whole = json.data[i] == '-' || (json.data[i] >= '0' && json.data[i] <= '9');
    if (!whole) /* 1.0 and 1e3 are whole numbers as well */
        whole = number_parse(json, &number) &&
                (number >= NUMBER_SAFE_INTEGER || number <= -NUMBER_SAFE_INTEGER ||
                 number == (double)(int64_t)number);
    return whole ? TYPE_INTEGER : TYPE_FLOAT;
}

static bool fits(enum type wanted, enum type is)
{
    return wanted == TYPE_ANY || wanted == is || (wanted == TYPE_FLOAT && is == TYPE_INTEGER);
}

/* What a typed accessor of an OpenFeature client would say. */
static void check_type(struct batch *batch, const struct request *request, struct outcome *outcome)
{
    if (request->type == TYPE_ANY || outcome->value.length == 0)
        return;
    enum type is = type_of(outcome->value);
    if (fits(request->type, is))
        return;
    buffer_clear(&batch->details);
    buffer_append_string(&batch->details, "the value is not of type \"");
    buffer_append_text(&batch->details, type_names[request->type]);
    buffer_append_string(&batch->details, "\", but of type \"");
    buffer_append_text(&batch->details, type_names[is]);
    buffer_append_char(&batch->details, '"');
    *outcome = (struct outcome){
        .flag = outcome->flag,
        .metadata = outcome->metadata,
        .reason = reason_name(REASON_ERROR),
        .error = "TYPE_MISMATCH",
        .details = buffer_text(&batch->details),
    };
}

static void answer_fault(struct batch *batch, const struct request *request)
{
    struct outcome outcome = {
        .flag = request->flag,
        .reason = reason_name(REASON_ERROR),
        .error = request->error,
        .details = buffer_text(&batch->details),
    };
    batch->faulty++;
    outcome_write_json(&batch->out, &outcome);
}

static void answer(struct batch *batch, struct text line)
{
    struct request request = {.line = line,
                              .at = {.p = line.data,
                                     .end = line.data + line.length,
                                     .too_deep = "nested deeper than 512 levels"}};
    struct decision decision;
    json_scan_space(&request.at);
    if (request.at.p == request.at.end)
        return; /* an empty line asks nothing */
    batch->answered++;
    if (!read_request(batch, &request) || !take_context(batch, &request)) {
        answer_fault(batch, &request);
        return;
    }
    evaluate(document_find(batch->document, request.flag), &batch->context,
             clock_seconds(&system_clock), &decision);
    struct outcome outcome = outcome_of(request.flag, &decision);
    check_type(batch, &request, &outcome);
    outcome_write_json(&batch->out, &outcome);
}

static void answer_too_long(struct batch *batch)
{
    struct request request = {0};
    batch->answered++;
    refuse_at(batch, &request, 1, "PARSE_ERROR", "the line is longer than 2 MiB");
    answer_fault(batch, &request);
}

/* --- the stream ------------------------------------------------------------------------------ */

static int flush(struct batch *batch)
{
    if (batch->out.length == 0 && !batch->out.failed)
        return EXIT_FINE;
    int code = command_print(&batch->out);
    buffer_clear(&batch->out);
    return code;
}

static int run(struct batch *batch)
{
    struct text text = {NULL, 0};
    int code = EXIT_FINE;
    for (;;) {
        enum line line = lines_next(&batch->lines, &text);
        if (line == LINE_WHOLE)
            answer(batch, text);
        else if (line == LINE_TOO_LONG)
            answer_too_long(batch);
        bool pause = line == LINE_WANTING || line == LINE_END;
        if (pause || batch->out.length >= BLOCK || batch->out.failed)
            code = flush(batch);
        if (code != EXIT_FINE || line == LINE_END)
            return code;
        if (line == LINE_WANTING && lines_read(&batch->lines) != STATUS_OK)
            return command_fail("cannot read from standard input: %s", strerror(errno));
    }
}

int eval_batch(const struct document *document)
{
    struct batch batch = {.document = document};
    int code;
    buffer_init(&batch.out, 0);
    buffer_init(&batch.name, LINE_MAX_BYTES);
    buffer_init(&batch.details, LINE_MAX_BYTES);
    if (context_init(&batch.context) == STATUS_OK &&
        lines_init(&batch.lines, STDIN_FILENO) == STATUS_OK)
        code = run(&batch);
    else
        code = command_fail("no memory");
    if (code == EXIT_FINE && batch.faulty) {
        command_fail(
            "%llu of %llu lines could not be understood; \"errorDetails\" in their answers "
            "says why",
            (unsigned long long)batch.faulty, (unsigned long long)batch.answered);
        code = EXIT_DEFINITIONS;
    }
    lines_dispose(&batch.lines);
    context_dispose(&batch.context);
    buffer_dispose(&batch.out);
    buffer_dispose(&batch.name);
    buffer_dispose(&batch.details);
    return code;
}
