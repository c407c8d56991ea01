/* OFREP 0.3.0: one flag, or all of an environment, for the context in the request's body. The
 * members of every object are in the order of their names, so equal answers are equal bytes and
 * share an ETag. */
#include <strings.h>
#include <xxhash.h>

#include "../../rules/json.h"
#include "../../rules/utf8.h"
#include "events.h"
#include "route.h"

/* --- failures -------------------------------------------------------------------------------- */

/* A metadata object, `commit` being a member that it gets besides where it has none of that name;
 * either may be empty, and nothing is written where both are. */
static void write_metadata(struct buffer *out, struct text metadata, struct text commit)
{
    static const struct text name = {"\"weir.commit\":", sizeof "\"weir.commit\":" - 1};
    if (metadata.length == 0 && commit.length == 0)
        return;
    buffer_append_text(out, TEXT(",\"metadata\":"));
    if (commit.length == 0 ||
        (metadata.length && memmem(metadata.data, metadata.length, name.data, name.length))) {
        buffer_append_text(out, metadata);
        return;
    }
    bool has_members = metadata.length > 2;
    buffer_append(out, has_members ? metadata.data : "{", has_members ? metadata.length - 1 : 1);
    if (has_members)
        buffer_append_char(out, ',');
    buffer_append_text(out, commit);
    buffer_append_char(out, '}');
}

/* The member that tells the commit, of the worker's current snapshot; empty unless the operator
 * wants it. */
static struct text commit_member(struct worker *worker)
{
    const struct http_settings *settings = worker->parts->settings;
    const struct reader *reader = &worker->reader;
    if (!settings || !settings->answer_commit || !reader->snapshot)
        return (struct text){NULL, 0};
    if (worker->commit_version != reader->version) {
        snprintf(worker->commit_member, sizeof worker->commit_member, "\"weir.commit\":\"%s\"",
                 reader->snapshot->commit);
        worker->commit_version = reader->version;
    }
    return text_of(worker->commit_member);
}

static void write_failure(struct buffer *out, const char *code, struct text details,
                          struct text key, struct text metadata, struct text commit)
{
    buffer_append_text(out, TEXT("{\"errorCode\":\""));
    buffer_append_string(out, code);
    buffer_append_text(out, TEXT("\",\"errorDetails\":"));
    json_write_string(out, details);
    if (key.data) {
        buffer_append_text(out, TEXT(",\"key\":"));
        json_write_string(out, key);
    }
    write_metadata(out, metadata, commit);
    buffer_append_char(out, '}');
}

/* `metadata` is the flag's, with the commit where it is to be told. */
static void fail_telling(struct worker *worker, const struct request *request,
                         struct answer *answer, unsigned status, const char *code,
                         struct text details, struct text metadata, struct text commit)
{
    if (worker->details.failed) {
        answer_no_memory(worker, answer);
        return;
    }
    answer->status = status;
    answer->etag[0] = '\0';
    buffer_clear(&worker->body);
    write_failure(&worker->body, code, details, request->argument, metadata, commit);
    if (worker->body.failed)
        answer_no_memory(worker, answer);
}

static void fail(struct worker *worker, const struct request *request, struct answer *answer,
                 unsigned status, const char *code, struct text details)
{
    const struct text nothing = {NULL, 0};
    fail_telling(worker, request, answer, status, code, details, nothing, nothing);
}

void ofrep_fail(struct worker *worker, const struct request *request, struct answer *answer,
                unsigned status, struct text details)
{
    fail(worker, request, answer, status, "GENERAL", details);
}

/* --- what comes in --------------------------------------------------------------------------- */

/* "application/json", with or without parameters. No header at all is taken as meaning it. */
static bool is_json(struct text content_type)
{
    static const struct text json = {"application/json", sizeof "application/json" - 1};
    if (!content_type.data)
        return true;
    if (content_type.length < json.length ||
        strncasecmp(content_type.data, json.data, json.length) != 0)
        return false;
    if (content_type.length == json.length)
        return true;
    char next = content_type.data[json.length];
    return next == ';' || next == ' ' || next == '\t';
}

/* False after answering: no body that could be read. */
static bool check_body(struct worker *worker, const struct request *request, struct answer *answer)
{
    if (!is_json(request->content_type)) {
        ofrep_fail(worker, request, answer, 415,
                   TEXT("content type is not supported; send application/json"));
    } else if (request->body_too_large) {
        buffer_printf(&worker->details, "body is over %zu bytes", HTTP_MAX_BODY);
        ofrep_fail(worker, request, answer, 413, buffer_text(&worker->details));
    } else {
        return true;
    }
    return false;
}

const struct snapshot_environment *
ofrep_environment(struct worker *worker, const struct request *request, struct answer *answer)
{
    const struct snapshot *snapshot = reader_current(&worker->reader, worker->parts->hub);
    if (!snapshot) {
        answer->retry_after = 1;
        answer_fail(worker, request, answer, 503,
                    TEXT("not ready: no valid commit has been read yet"));
        return NULL;
    }
    if (!request->environment.data) {
        if (!snapshot->standard)
            ofrep_fail(worker, request, answer, 404,
                       TEXT("there is no default environment; put /env/ENVIRONMENT before the "
                            "path, or start weir with --default-environment"));
        return snapshot->standard;
    }
    const struct snapshot_environment *environment =
        snapshot_environment(snapshot, request->environment);
    if (!environment) {
        buffer_printf(&worker->details,
                      "no such environment '%.*s'; the names behind /env/ are those of the "
                      "Environment definitions",
                      (int)request->environment.length, request->environment.data);
        ofrep_fail(worker, request, answer, 404, buffer_text(&worker->details));
    }
    return environment;
}

static void fail_context(struct worker *worker, const struct request *request,
                         struct answer *answer, enum status status, const struct error *error)
{
    if (status == STATUS_NO_MEMORY) {
        answer_no_memory(worker, answer);
    } else if (status == STATUS_NOT_FOUND) {
        fail(worker, request, answer, 400, "INVALID_CONTEXT",
             TEXT("body has no object \"context\"; send {\"context\":{\"targetingKey\":\"…\"}}"));
    } else {
        if (error->line)
            buffer_printf(&worker->details, "body: line %u, column %u: ", (unsigned)error->line,
                          (unsigned)error->column);
        buffer_append_string(&worker->details, error->message);
        fail(worker, request, answer, 400, "PARSE_ERROR", buffer_text(&worker->details));
    }
}

/* Reads the context for `environment`; false after answering. */
static bool read_context(struct worker *worker, const struct request *request,
                         const struct snapshot_environment *environment, struct answer *answer)
{
    if (request->body.length == 0) {
        fail(worker, request, answer, 400, "PARSE_ERROR",
             TEXT("request has no body; send {\"context\":{\"targetingKey\":\"…\"}}"));
        return false;
    }
    struct error error; /* filled where there is one */
    enum status status = context_read_request(&worker->context, environment->document->attributes,
                                              request->body, &error);
    if (status) {
        fail_context(worker, request, answer, status, &error);
        return false;
    }
    uint32_t type = worker->context.slots[ATTRIBUTE_TARGETING_KEY].type;
    if (type != VALUE_NULL && type != VALUE_STRING) {
        fail(worker, request, answer, 400, "INVALID_CONTEXT",
             TEXT("context.targetingKey is not a string"));
        return false;
    }
    return true;
}

/* --- what goes out --------------------------------------------------------------------------- */

/* Most of what an answer is put together of is short: two copies that overlap take less time than
 * the call of memcpy(). */
static char *put(char *out, struct text text)
{
    size_t length = text.length;
    char *end = out + length;
    if (length > 32) {
        memcpy(out, text.data, length);
    } else if (length >= 16) {
        memcpy(out, text.data, 16);
        memcpy(end - 16, text.data + length - 16, 16);
    } else if (length >= 8) {
        memcpy(out, text.data, 8);
        memcpy(end - 8, text.data + length - 8, 8);
    } else {
        for (size_t i = 0; i < length; i++)
            out[i] = text.data[i];
    }
    return end;
}

/* ,"reason":"STATIC" and so on: what stands between an answer's metadata and its value. */
static struct text reason_member(enum reason reason)
{
#define MEMBER(name) TEXT(",\"reason\":\"" name "\"")
    switch (reason) {
    case REASON_STATIC:
        return MEMBER("STATIC");
    case REASON_DEFAULT:
        return MEMBER("DEFAULT");
    case REASON_TARGETING_MATCH:
        return MEMBER("TARGETING_MATCH");
    case REASON_DISABLED:
        return MEMBER("DISABLED");
    case REASON_ERROR:
        break;
    }
    return MEMBER("ERROR");
#undef MEMBER
}

/* A bulk answer is hundreds of these: room is made once, for all of one. */
static void write_success(struct buffer *out, const struct decision *decision, struct text opening)
{
    static const struct text metadata = {",\"metadata\":", sizeof ",\"metadata\":" - 1};
    struct text reason = reason_member(decision->reason);
    char *room = buffer_reserve(out, opening.length + metadata.length + decision->metadata.length +
                                         reason.length + decision->members.length + 1);
    if (!room)
        return;
    char *end = put(room, opening);
    if (decision->metadata.length) {
        end = put(end, metadata);
        end = put(end, decision->metadata);
    }
    end = put(end, reason);
    end = put(end, decision->members);
    *end++ = '}';
    out->length += (size_t)(end - room);
}

/* write_success() where the commit is told. */
static void write_success_telling(struct buffer *out, const struct decision *decision,
                                  struct text opening, struct text commit)
{
    if (commit.length == 0) {
        write_success(out, decision, opening);
        return;
    }
    buffer_append_text(out, opening);
    write_metadata(out, decision->metadata, commit);
    buffer_append_text(out, reason_member(decision->reason));
    buffer_append_text(out, decision->members);
    buffer_append_char(out, '}');
}

static void fail_not_found(struct worker *worker, const struct request *request,
                           const struct snapshot_environment *environment, struct answer *answer)
{
    buffer_printf(&worker->details, "flag '%.*s' does not exist in environment '%.*s'",
                  (int)request->argument.length, request->argument.data,
                  (int)environment->name.length, environment->name.data);
    fail_telling(worker, request, answer, 404, error_code_name(ERROR_FLAG_NOT_FOUND),
                 buffer_text(&worker->details), (struct text){NULL, 0}, commit_member(worker));
}

void ofrep_evaluate_one(struct worker *worker, const struct request *request, struct answer *answer)
{
    if (!check_body(worker, request, answer))
        return;
    const struct snapshot_environment *environment = ofrep_environment(worker, request, answer);
    if (!environment)
        return;
    struct decision decision;
    const struct fragment *fragment = document_find(environment->document, request->argument);
    if (fragment) /* it arrives while the context is read */
        fragment_prefetch(fragment);
    if (!read_context(worker, request, environment, answer))
        return;
    evaluate(fragment, &worker->context, clock_seconds(worker->parts->clock), &decision);
    uint32_t counts[REASON_COUNT] = {0};
    counts[decision.reason] = 1;
    worker_count_evaluations(worker, environment, counts);

    if (!fragment) {
        fail_not_found(worker, request, environment, answer);
    } else if (decision.error) {
        buffer_append_string(&worker->details, decision.problem);
        if (decision.resolved.data &&
            utf8_valid_length(decision.resolved) == decision.resolved.length) {
            buffer_append_string(&worker->details, ": ");
            json_write_string(&worker->details, decision.resolved);
        }
        fail_telling(worker, request, answer, 400, error_code_name(decision.error),
                     buffer_text(&worker->details), decision.metadata, commit_member(worker));
    } else {
        write_success_telling(answer->body, &decision, fragment->program.opening,
                              commit_member(worker));
        if (worker->body.failed)
            answer_no_memory(worker, answer);
    }
}

static void write_all(struct worker *worker, const struct request *request,
                      const struct snapshot_environment *environment)
{
    const struct document *document = environment->document;
    struct buffer *out = &worker->body;
    int64_t now = clock_seconds(worker->parts->clock);
    uint32_t counts[REASON_COUNT] = {0};
    const struct text commit = commit_member(worker);
    if (!buffer_reserve(out, worker->bulk_length + worker->bulk_length / 16))
        buffer_clear(out); /* it was only a guess */
    buffer_append_char(out, '{');
    events_announce(worker, request, out);
    buffer_append_text(out, TEXT("\"flags\":["));
    struct document_cursor cursor = {0};
    const struct fragment *fragment = document_next(document, &cursor),
                          *next = document_next(document, &cursor);
    for (bool first = true; fragment; first = false) {
        const struct fragment *after = document_next(document, &cursor);
        struct decision decision;
        if (after)
            __builtin_prefetch(after);
        if (next)
            fragment_prefetch(next);
        evaluate(fragment, &worker->context, now, &decision);
        counts[decision.reason]++;
        if (!first)
            buffer_append_char(out, ',');
        if (decision.error)
            write_failure(out, error_code_name(decision.error), text_of(decision.problem),
                          fragment->program.key, decision.metadata, commit);
        else
            write_success_telling(out, &decision, fragment->program.opening, commit);
        fragment = next;
        next = after;
    }
    buffer_append_char(out, ']');
    write_metadata(out, document->metadata, commit);
    buffer_append_char(out, '}');
    worker->bulk_length = out->length;
    worker_count_evaluations(worker, environment, counts);
}

/* Of the whole body, not of the configuration: the answer depends on the context as well. */
static void set_etag(struct answer *answer)
{
    static const char digits[] = "0123456789abcdef";
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(answer->body->data, answer->body->length));
    char *out = answer->etag;
    *out++ = '"';
    for (size_t i = 0; i < sizeof hash.digest; i++) {
        *out++ = digits[hash.digest[i] >> 4];
        *out++ = digits[hash.digest[i] & 15];
    }
    *out++ = '"';
    *out = '\0';
}

bool ofrep_etag_matches(struct text header, const char *etag)
{
    struct text wanted = text_of(etag);
    const char *c = header.data, *end = header.data + header.length;
    while (c < end) {
        if (*c == ' ' || *c == '\t' || *c == ',') {
            c++;
            continue;
        }
        if (*c == '*')
            return true;
        if (end - c > 2 && c[0] == 'W' && c[1] == '/')
            c += 2;
        /* A comma may stand inside of the quotes, so an entity tag ends at its second quote. */
        const char *quote = *c == '"' ? memchr(c + 1, '"', (size_t)(end - c - 1)) : NULL;
        if (!quote)
            return false;
        if (text_equal((struct text){c, (size_t)(quote + 1 - c)}, wanted))
            return true;
        c = quote + 1;
    }
    return false;
}

/* The query's flagConfigEtag is not looked at: it names a configuration that the client has heard
 * of, while only the body's own hash can say that the client has this very answer. */
void ofrep_evaluate_all(struct worker *worker, const struct request *request, struct answer *answer)
{
    if (!check_body(worker, request, answer))
        return;
    const struct snapshot_environment *environment = ofrep_environment(worker, request, answer);
    if (!environment || !read_context(worker, request, environment, answer))
        return;
    write_all(worker, request, environment);
    if (worker->body.failed) {
        answer_no_memory(worker, answer);
        return;
    }
    set_etag(answer);
    if (request->if_none_match.data && ofrep_etag_matches(request->if_none_match, answer->etag)) {
        answer->status = 304;
        buffer_clear(answer->body);
    }
}
