#include "../../rules/json.h"
#include "../../rules/utf8.h"
#include "events.h"
#include "gate.h"

#define ENVIRONMENT_PREFIX "/env/"
#define ROLLOUT_PREFIX "/rollouts/" /* of what is asked of one rollout, in a named environment */
#define GET_HEAD (METHOD_GET | METHOD_HEAD)
#define ECHO_MAX 200 /* bytes of a path that an error message repeats */

/* The ones that applications call all the time stand first. */
const struct route routes[] = {
    {"evaluate_flag", "/ofrep/v1/evaluate/flags/*", METHOD_POST, true, true, NEED_EVALUATE,
     ofrep_evaluate_one, ofrep_fail, NULL},
    {"evaluate_flags", "/ofrep/v1/evaluate/flags", METHOD_POST, true, true, NEED_EVALUATE,
     ofrep_evaluate_all, ofrep_fail, NULL},
    {"event_stream", "/ofrep/v1/stream", GET_HEAD, true, true, NEED_EVALUATE, events_open,
     ofrep_fail, NULL},
    {"document", "/flagd.json", GET_HEAD, true, true, NEED_EVALUATE, document_answer, answer_fail,
     NULL},
    {"healthz", "/healthz", GET_HEAD, false, false, NEED_NOTHING, health_live, answer_fail, NULL},
    {"readyz", "/readyz", GET_HEAD, false, false, NEED_NOTHING, health_ready, answer_fail, NULL},
    {"metrics", "/metrics", GET_HEAD, false, false, NEED_VIEW, health_metrics, answer_fail, NULL},
    {"status", "/status", GET_HEAD, false, false, NEED_VIEW, health_status, answer_fail, NULL},
    {"measurements", "/rollouts/*/measurements", GET_HEAD, true, false, NEED_VIEW,
     verbs_measurements, answer_fail, NULL},
    {"verb", "/rollouts/*/*", METHOD_POST, true, false, NEED_OPERATE, verbs_submit, answer_fail,
     NULL},
    {"request", "/requests/*", GET_HEAD, false, false, NEED_VIEW, verbs_ask, answer_fail, NULL},
    {"rollouts", "/rollouts", GET_HEAD, false, false, NEED_VIEW, verbs_rollouts, answer_fail, NULL},
    {"hook", "/hooks/github", METHOD_POST, false, false, NEED_NOTHING, hooks_handle, answer_fail,
     &hooks_intake},
    {"hook", "/hooks/gitlab", METHOD_POST, false, false, NEED_NOTHING, hooks_handle, answer_fail,
     &hooks_intake},
    {"hook", "/hooks/gitea", METHOD_POST, false, false, NEED_NOTHING, hooks_handle, answer_fail,
     &hooks_intake},
    {"hook", "/hooks/forgejo", METHOD_POST, false, false, NEED_NOTHING, hooks_handle, answer_fail,
     &hooks_intake},
};
const size_t route_count = COUNT_OF(routes);

/* --- answers that belong to no handler ------------------------------------------------------- */

void answer_fail(struct worker *worker, const struct request *request, struct answer *answer,
                 unsigned status, struct text details)
{
    (void)request;
    answer->status = status;
    answer->content_type = "application/json";
    answer->etag[0] = '\0';
    buffer_clear(&worker->body);
    buffer_append_text(&worker->body, TEXT("{\"errorDetails\":"));
    json_write_string(&worker->body, details);
    buffer_append_char(&worker->body, '}');
    if (worker->body.failed)
        answer_no_memory(worker, answer);
}

void answer_no_memory(struct worker *worker, struct answer *answer)
{
    answer->status = 500;
    answer->content_type = "application/json";
    answer->etag[0] = '\0';
    buffer_clear(&worker->body);
    buffer_append_text(&worker->body, TEXT("{\"errorDetails\":\"out of memory\"}"));
    /* Not even these 32 bytes: an empty body still carries the status. */
    if (worker->body.failed)
        buffer_clear(&worker->body);
}

enum method method_parse(const char *name)
{
    if (strcmp(name, "POST") == 0)
        return METHOD_POST;
    if (strcmp(name, "GET") == 0)
        return METHOD_GET;
    if (strcmp(name, "HEAD") == 0)
        return METHOD_HEAD;
    return strcmp(name, "OPTIONS") == 0 ? METHOD_OPTIONS : METHOD_OTHER;
}

static const char *method_names(unsigned methods)
{
    return methods & METHOD_POST ? "POST" : "GET, HEAD";
}

/* "/rollouts/ROLLOUT/VERB": a pattern with words for the parts that it leaves open. */
static void write_pattern(struct buffer *out, const struct route *route)
{
    bool is_of_rollout = strncmp(route->pattern, ROLLOUT_PREFIX, sizeof ROLLOUT_PREFIX - 1) == 0;
    const char *word = is_of_rollout ? "ROLLOUT" : "KEY";
    if (route->in_environment)
        buffer_append_string(out, is_of_rollout ? "/env/ENVIRONMENT" : "[/env/ENVIRONMENT]");
    for (const char *at = route->pattern; *at; at++) {
        if (*at == '*') {
            buffer_append_string(out, word);
            word = "VERB";
        } else {
            buffer_append_char(out, *at);
        }
    }
}

static struct text echo(struct text path)
{
    if (path.length > ECHO_MAX)
        path.length = ECHO_MAX;
    path.length = utf8_valid_length(path);
    return path;
}

static void fail_no_route(struct worker *worker, const struct request *request,
                          struct answer *answer)
{
    struct buffer *details = &worker->details;
    struct text path = echo(request->path);
    buffer_printf(details, "no such path '%.*s'; there is", (int)path.length, path.data);
    for (size_t i = 0; i < route_count; i++) {
        buffer_printf(details, "%s %s ", i == 0 ? "" : ",",
                      routes[i].methods & METHOD_POST ? "POST" : "GET");
        write_pattern(details, &routes[i]);
    }
    answer_fail(worker, request, answer, 404, buffer_text(details));
}

/* --- from a path to a route ------------------------------------------------------------------ */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One part of the path, decoded; appended to `decoded` only where something is encoded. The room
 * for that was reserved, so earlier results stay where they are. False: malformed, or not UTF-8. */
static bool decode(struct buffer *decoded, struct text raw, struct text *out)
{
    *out = raw;
    if (memchr(raw.data, '%', raw.length)) {
        size_t start = decoded->length;
        for (size_t i = 0; i < raw.length; i++) {
            char c = raw.data[i];
            if (c == '%') {
                int high = i + 2 < raw.length ? hex_digit(raw.data[i + 1]) : -1;
                int low = high >= 0 ? hex_digit(raw.data[i + 2]) : -1;
                if (low < 0)
                    return false;
                c = (char)(high << 4 | low);
                i += 2;
            }
            buffer_append_char(decoded, c);
        }
        *out = (struct text){decoded->data + start, decoded->length - start};
    }
    return utf8_valid_length(*out) == out->length;
}

/* Each "*" of the pattern stands for one part of the path, which is not empty. */
static bool match(const char *pattern, struct text path, struct request *request)
{
    struct text *part = &request->argument;
    request->argument = request->second = (struct text){NULL, 0};
    for (; *pattern; pattern++) {
        size_t length = 1;
        if (*pattern == '*') {
            const char *slash = path.length ? memchr(path.data, '/', path.length) : NULL;
            length = slash ? (size_t)(slash - path.data) : path.length;
            *part = (struct text){path.data, length};
            part = &request->second;
        }
        if (path.length == 0 || length == 0 || (*pattern != '*' && *path.data != *pattern))
            return false;
        path = (struct text){path.data + length, path.length - length};
    }
    return path.length == 0;
}

/* Splits /env/E/rest; leaves the environment's data NULL where the path is a bare one. */
static struct text below_environment(struct text path, struct text *environment)
{
    const size_t prefix = sizeof ENVIRONMENT_PREFIX - 1;
    *environment = (struct text){NULL, 0};
    if (!text_starts_with(path, TEXT(ENVIRONMENT_PREFIX)))
        return path;
    const char *start = path.data + prefix, *end = path.data + path.length;
    const char *slash = memchr(start, '/', (size_t)(end - start));
    if (!slash)
        return path;
    *environment = (struct text){start, (size_t)(slash - start)};
    return (struct text){slash, (size_t)(end - slash)};
}

static const struct route *find_route(struct request *request)
{
    struct text rest = below_environment(request->path, &request->environment);
    for (size_t i = 0; i < route_count; i++) {
        if (request->environment.data && !routes[i].in_environment)
            continue;
        if (match(routes[i].pattern, rest, request))
            return &routes[i];
    }
    return NULL;
}

const struct intake *route_intake(enum method method, struct text path)
{
    if (method != METHOD_POST || !text_starts_with(path, TEXT("/hooks/")))
        return NULL;
    for (size_t i = 0; i < route_count; i++)
        if (routes[i].intake && text_is(path, routes[i].pattern))
            return routes[i].intake;
    return NULL;
}

/* Decodes in place. A part that cannot be is replaced by an empty one. */
static enum status decode_parts(struct worker *worker, struct request *request)
{
    struct text *const parts[] = {&request->environment, &request->argument, &request->second};
    enum status status = STATUS_OK;
    if (!buffer_reserve(&worker->decoded, request->path.length))
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (parts[i]->data && !decode(&worker->decoded, *parts[i], parts[i])) {
            *parts[i] = TEXT("");
            status = STATUS_INVALID;
        }
    }
    return status;
}

const char *route_dispatch(struct worker *worker, struct request *request, struct answer *answer)
{
    *answer = (struct answer){.status = 200, .content_type = "application/json"};
    answer->body = &worker->body;
    buffer_clear(&worker->body);
    buffer_clear(&worker->decoded);
    buffer_clear(&worker->details);

    const struct route *route = find_route(request);
    if (!route) {
        fail_no_route(worker, request, answer);
        return "none";
    }
    const struct gate *gate = worker->parts->gate;
    if (gate && route->from_pages)
        cors_allow(gate->settings, request, answer);
    enum status status = decode_parts(worker, request);
    if (status == STATUS_NO_MEMORY) {
        answer_no_memory(worker, answer);
    } else if (status) {
        route->fail(worker, request, answer, 400,
                    TEXT("path is malformed: each '%' needs two hexadecimal digits behind it, and "
                         "what they spell must be UTF-8"));
    } else if (request->method == METHOD_OPTIONS && route->from_pages &&
               cors_preflight(worker, route, request, answer)) {
        return route->name;
    } else if (!(route->methods & request->method)) {
        answer->allow = method_names(route->methods);
        buffer_printf(&worker->details, "method not allowed here; use %s", answer->allow);
        route->fail(worker, request, answer, 405, buffer_text(&worker->details));
    } else if (gate_admit(worker, route, request, answer)) {
        route->handle(worker, request, answer);
    }
    return route->name;
}
