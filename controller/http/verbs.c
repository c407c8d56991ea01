/* Verbs of people, what became of them, and where rollouts stand. Nothing here decides anything:
 * a verb is left at the desk, and core's words are handed on. */
#include <strings.h>

#include "../../rules/json.h"
#include "../log.h"
#include "../metrics/measurement_lines.h"
#include "../rollout/desk.h"
#include "../rollout/rollout_status.h"
#include "../status_write.h"
#include "route.h"

#define BODY_MAX ((size_t)16 << 10)
#define RETRY_SECONDS 5
#define SINCE_DIGITS 15
#define SUBMITTED_ROOM 256 /* more than the bytes of a 202 */

static const char not_here[] = "this server does not walk rollouts; ask the controller";
static const char no_such_rollout[] =
    "no such rollout: a name is 1 to 63 lower-case letters, digits and '-'";

static void answer_finish(struct worker *worker, struct answer *answer)
{
    if (worker->body.failed)
        answer_no_memory(worker, answer);
}

static void fail(struct worker *worker, const struct request *request, struct answer *answer,
                 unsigned status)
{
    answer_fail(worker, request, answer, status, buffer_text(&worker->details));
}

/* --- what is asked for ----------------------------------------------------------------------- */

/* A DNS label, as all names are: what else is asked for does not exist. */
static bool is_name(struct text name)
{
    if (name.length == 0 || name.length >= DESK_NAME_SIZE)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool inside = i > 0 && i + 1 < name.length;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && inside)))
            return false;
    }
    return true;
}

/* Longer than `size` allows it is no token's name of ours. */
static bool copy(char *to, size_t size, struct text from)
{
    if (from.length >= size)
        return false;
    if (from.length)
        memcpy(to, from.data, from.length);
    to[from.length] = '\0';
    return true;
}

/* One line: it goes into trailers of a commit. C1 controls, which NEL is of, are C2 80 to C2 9F in
 * UTF-8; U+2028 and U+2029 end a line too. */
static bool is_one_line(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < ' ' || c == 0x7f)
            return false;
        if (c == 0xc2 && i + 1 < text.length && (unsigned char)text.data[i + 1] < 0xa0)
            return false;
        if (c == 0xe2 && i + 2 < text.length && (unsigned char)text.data[i + 1] == 0x80 &&
            ((unsigned char)text.data[i + 2] & 0xfe) == 0xa8)
            return false;
    }
    return true;
}

static bool take_reason(struct worker *worker, const struct node *value, struct desk_request *out)
{
    if (value->type != NODE_STRING || !is_one_line(value->string))
        buffer_printf(&worker->details, "\"reason\" is not one line of text");
    else if (value->string.length > WALK_NOTE_MAX ||
             !copy(out->note, sizeof out->note, value->string))
        buffer_printf(&worker->details, "\"reason\" is longer than %d bytes", WALK_NOTE_MAX);
    else
        return true;
    return false;
}

static void list_holds(struct buffer *out)
{
    for (int i = 0; i < HOLD_REASON_COUNT; i++)
        buffer_printf(out, "%s%s", i ? ", " : "", hold_reason_name((enum hold_reason)i));
}

static bool take_lift(struct worker *worker, const struct node *value, struct desk_request *out)
{
    struct buffer *words = &worker->details;
    if (out->verb != VERB_RESUME) {
        buffer_printf(words, "\"lift\" is for resume alone; %s lifts nothing",
                      walk_verb_name(out->verb));
        return false;
    }
    const struct node *item = value->type == NODE_LIST ? value->first : NULL;
    if (!item) {
        buffer_append_string(words,
                             "\"lift\" is no list of holds; leave it out, or name some of: ");
        list_holds(words);
        return false;
    }
    for (; item; item = item->next) {
        enum hold_reason reason;
        struct text name = item->type == NODE_STRING ? item->string : TEXT("");
        if (!hold_reason_parse(name, &reason)) {
            buffer_printf(words, "\"lift\": '%.*s' is no hold; there are: ",
                          (int)(name.length < 64 ? name.length : 0), name.data);
            list_holds(words);
            return false;
        }
        out->lifts |= 1U << reason;
    }
    return true;
}

static bool take_members(struct worker *worker, const struct node *body, struct desk_request *out)
{
    if (body->type != NODE_MAP) {
        buffer_append_string(&worker->details, "body is no JSON object like {\"reason\":\"why\"}");
        return false;
    }
    for (const struct node *member = body->first; member; member = member->next) {
        bool good;
        if (text_is(member->key, "reason")) {
            good = take_reason(worker, member, out);
        } else if (text_is(member->key, "lift")) {
            good = take_lift(worker, member, out);
        } else {
            buffer_printf(&worker->details, "unknown field '%.*s'; there are reason and lift",
                          (int)(member->key.length < 64 ? member->key.length : 0),
                          member->key.data);
            good = false;
        }
        if (!good)
            return false;
    }
    return true;
}

/* False: the worker's details say why, or there are none: memory is out. */
static bool read_body(struct worker *worker, struct text body, struct desk_request *out)
{
    struct arena arena;
    const struct node *node;
    struct error error = {0};
    const struct json_limits limits = {
        .bytes = BODY_MAX, .depth = 2, .nodes = 64, .unique_keys = true};
    if (body.length == 0)
        return true;
    arena_init(&arena, BODY_MAX * 64);
    enum status status = json_read(&arena, body, limits, &node, &error);
    bool good = status == STATUS_OK && take_members(worker, node, out);
    if (status != STATUS_OK && status != STATUS_NO_MEMORY)
        buffer_printf(&worker->details, "body is not understood: %s", error.message);
    arena_dispose(&arena);
    return good;
}

static bool is_json(struct text content_type)
{
    static const struct text json = {"application/json", sizeof "application/json" - 1};
    return !content_type.data || (content_type.length >= json.length &&
                                  strncasecmp(content_type.data, json.data, json.length) == 0);
}

/* --- POST /env/E/rollouts/ROLLOUT/VERB ------------------------------------------------------- */

/* False after answering. The environment has to stand in the path: a verb must not act where the
 * sender did not look. */
static bool check_place(struct worker *worker, const struct request *request, struct answer *answer)
{
    const struct snapshot *snapshot = reader_current(&worker->reader, worker->parts->hub);
    struct text environment = request->environment;
    if (!text_starts_with(request->path, TEXT("/env/"))) {
        answer_fail(worker, request, answer, 400,
                    TEXT("say where: put /env/ENVIRONMENT before the path"));
        return false;
    }
    if (!snapshot) {
        answer->retry_after = 1;
        answer_fail(worker, request, answer, 503,
                    TEXT("not ready: no valid commit has been read yet"));
        return false;
    }
    if (is_name(environment) && snapshot_environment(snapshot, environment))
        return true;
    buffer_printf(&worker->details, "no such environment '%.*s'",
                  (int)(environment.length < DESK_NAME_SIZE ? environment.length : 0),
                  environment.data);
    fail(worker, request, answer, 404);
    return false;
}

/* Fills what stands in the path; false after answering. */
static bool read_path(struct worker *worker, const struct request *request,
                      struct desk_request *out, struct answer *answer)
{
    struct text rollout = request->argument, verb = request->second;
    if (!check_place(worker, request, answer))
        return false;
    if (!walk_verb_parse(verb, &out->verb)) {
        buffer_printf(&worker->details, "unknown verb '%.*s'; there are",
                      (int)(verb.length < 64 ? verb.length : 0), verb.data);
        for (int i = 0; i < VERB_COUNT; i++)
            buffer_printf(&worker->details, "%s %s", i ? "," : "",
                          walk_verb_name((enum walk_verb_kind)i));
        fail(worker, request, answer, 400);
        return false;
    }
    if (!is_name(rollout)) {
        answer_fail(worker, request, answer, 404, text_of(no_such_rollout));
        return false;
    }
    return copy(out->environment, sizeof out->environment, request->environment) &&
           copy(out->rollout, sizeof out->rollout, rollout);
}

static void answer_submitted(struct worker *worker, const struct desk_request *request,
                             struct answer *answer)
{
    answer->status = 202;
    snprintf(answer->location, sizeof answer->location, "/requests/%s", request->id);
    buffer_printf(answer->body, "{\"id\":\"%s\",\"state\":\"%s\"}", request->id,
                  desk_state_name(request->state));
    answer_finish(worker, answer);
}

static void submit(struct worker *worker, const struct request *request, struct desk_request *verb,
                   struct answer *answer)
{
    struct error error = {0};
    /* Before it is taken in: nobody is to hear of a failure, and be obeyed all the same. */
    enum status status = buffer_reserve(answer->body, SUBMITTED_ROOM)
                             ? desk_submit(worker->parts->desk, verb, &error)
                             : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        log_event(LOG_LEVEL_INFO, "verb_taken", "verb", walk_verb_name(verb->verb), "environment",
                  verb->environment, "rollout", verb->rollout, "by", verb->by, "id", verb->id,
                  "reason", verb->note, NULL);
        answer_submitted(worker, verb, answer);
    } else if (status == STATUS_NO_MEMORY) {
        answer_no_memory(worker, answer);
    } else if (status == STATUS_LIMIT) {
        answer->retry_after = RETRY_SECONDS;
        answer_fail(worker, request, answer, 503, text_of(error.message));
    } else {
        answer_fail(worker, request, answer, 500, text_of(error.message));
    }
}

void verbs_submit(struct worker *worker, const struct request *request, struct answer *answer)
{
    struct desk_request verb = {.state = DESK_WAITING};
    const struct token *token = request->token;
    if (!worker->parts->desk) {
        answer_fail(worker, request, answer, 404, text_of(not_here));
    } else if (!token || token->name.length == 0 || !copy(verb.by, sizeof verb.by, token->name)) {
        answer_fail(worker, request, answer, 403, TEXT("a token with a name is needed"));
    } else if (!read_path(worker, request, &verb, answer)) {
        return;
    } else if (request->body_too_large || request->body.length > BODY_MAX) {
        buffer_printf(&worker->details, "body is over %zu bytes", BODY_MAX);
        fail(worker, request, answer, 413);
    } else if (request->body.length && !is_json(request->content_type)) {
        answer_fail(worker, request, answer, 415,
                    TEXT("content type is not supported; send application/json"));
    } else if (read_body(worker, request->body, &verb)) {
        submit(worker, request, &verb, answer);
    } else if (worker->details.length == 0 || worker->details.failed) {
        answer_no_memory(worker, answer);
    } else {
        fail(worker, request, answer, 400);
    }
}

/* --- GET /requests/ID ------------------------------------------------------------------------ */

static void write_request(struct buffer *out, const struct desk_request *request)
{
    buffer_append_char(out, '{');
    status_write_member(out, "by", request->by);
    buffer_append_char(out, ',');
    status_write_time(out, "changed", request->changed);
    buffer_append_char(out, ',');
    status_write_member(out, "commit", request->commit);
    buffer_append_char(out, ',');
    status_write_member(out, "environment", request->environment);
    buffer_append_char(out, ',');
    status_write_member(out, "id", request->id);
    buffer_append_char(out, ',');
    status_write_member(out, "reason", request->note);
    buffer_append_char(out, ',');
    status_write_member(out, "rollout", request->rollout);
    buffer_append_char(out, ',');
    status_write_member(out, "state", desk_state_name(request->state));
    buffer_append_char(out, ',');
    status_write_time(out, "submitted", request->submitted);
    buffer_append_char(out, ',');
    status_write_member(out, "verb", walk_verb_name(request->verb));
    buffer_append_char(out, ',');
    status_write_member(out, "words", request->words);
    buffer_append_char(out, '}');
}

void verbs_ask(struct worker *worker, const struct request *request, struct answer *answer)
{
    struct desk_request found;
    char id[DESK_ID_SIZE];
    const struct token *token = request->token;
    if (!worker->parts->desk) {
        answer_fail(worker, request, answer, 404, text_of(not_here));
        return;
    }
    /* Of an environment that is none of his he is not told that there is a request. */
    if (!copy(id, sizeof id, request->argument) ||
        desk_ask(worker->parts->desk, id, &found) != STATUS_OK ||
        (token && !token_covers(token, text_of(found.environment)))) {
        answer_fail(worker, request, answer, 404,
                    TEXT("no such request; one that is done is known for 10 minutes, and none "
                         "outlives the controller's process"));
        return;
    }
    write_request(answer->body, &found);
    answer_finish(worker, answer);
}

/* --- GET /rollouts --------------------------------------------------------------------------- */

static bool covers(const void *who, struct text environment)
{
    return token_covers(who, environment);
}

void verbs_rollouts(struct worker *worker, const struct request *request, struct answer *answer)
{
    const struct http_parts *parts = worker->parts;
    struct text environment = request_parameter(request, "environment");
    const struct rollout_filter filter = {request->token ? covers : NULL, request->token,
                                          environment};
    if (!parts->write_rollouts) {
        answer_fail(worker, request, answer, 404, text_of(not_here));
        return;
    }
    if (environment.data && !is_name(environment)) {
        answer_fail(worker, request, answer, 400,
                    TEXT("environment is no name of 1 to 63 lower-case letters, digits and '-'"));
        return;
    }
    if (environment.data && request->token && !token_covers(request->token, environment)) {
        buffer_printf(&worker->details, "the token is not for environment '%.*s'",
                      (int)environment.length, environment.data);
        fail(worker, request, answer, 403);
        return;
    }
    if (parts->write_rollouts(parts->rollouts_context, &filter, answer->body))
        answer_finish(worker, answer);
    else
        answer_fail(worker, request, answer, 503,
                    TEXT("rollouts have not been looked at since the start; ask again"));
}

/* --- GET /env/E/rollouts/ROLLOUT/measurements ------------------------------------------------- */

/* Seconds since 1970; absent: all of time. */
static bool read_since(const struct request *request, int64_t *since)
{
    struct text given = request_parameter(request, "since");
    *since = 0;
    for (size_t i = 0; i < given.length; i++) {
        char c = given.data[i];
        if (c < '0' || c > '9' || i == SINCE_DIGITS)
            return false;
        *since = *since * 10 + (c - '0');
    }
    return !given.data || given.length > 0;
}

static void answer_measurements(struct worker *worker, const struct request *request,
                                const struct measurement_query *query, struct answer *answer)
{
    const struct http_parts *parts = worker->parts;
    struct error error = {0};
    enum status status =
        parts->write_measurements(parts->rollouts_context, query, answer->body, &error);
    if (status == STATUS_OK) {
        answer->content_type = "application/x-ndjson";
    } else if (status == STATUS_NO_MEMORY) {
        answer_no_memory(worker, answer);
    } else {
        log_event(LOG_LEVEL_ERROR, "measurements_unreadable", "error", error.message, NULL);
        answer->retry_after = RETRY_SECONDS;
        answer_fail(worker, request, answer, 503, TEXT("the measurements cannot be read"));
    }
}

void verbs_measurements(struct worker *worker, const struct request *request, struct answer *answer)
{
    struct measurement_query query = {.environment = request->environment,
                                      .rollout = request->argument};
    if (!worker->parts->write_measurements) {
        answer_fail(worker, request, answer, 404, text_of(not_here));
    } else if (!check_place(worker, request, answer)) {
        return;
    } else if (request->token && !token_covers(request->token, request->environment)) {
        buffer_printf(&worker->details, "the token is not for environment '%.*s'",
                      (int)request->environment.length, request->environment.data);
        fail(worker, request, answer, 403);
    } else if (!is_name(request->argument)) {
        answer_fail(worker, request, answer, 404, text_of(no_such_rollout));
    } else if (!read_since(request, &query.since)) {
        answer_fail(worker, request, answer, 400,
                    TEXT("since is no number of seconds since 1970, like 1800000000"));
    } else {
        answer_measurements(worker, request, &query, answer);
    }
}
