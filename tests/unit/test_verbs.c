/* People's verbs over the dispatcher, with a gate: who may, what is understood, and what the desk
 * then holds. */
#include "serving.h"

#include <unistd.h>

#include "../../controller/http/gate.h"
#include "../../controller/metrics/measurement_lines.h"
#include "../../controller/rollout/desk.h"
#include "../../controller/rollout/rollout_status.h"
#include "failing.h"

#define A "weir_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* ann: operator of production */
#define B "weir_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" /* bob: viewer of production */
#define C "weir_ccccccccccccccccccccccccccccccccccccccccccc" /* cem: admin of all */
#define D "weir_ddddddddddddddddddddddddddddddddddddddddddd" /* dan: viewer of staging */
#define VERB(verb) "/env/production/rollouts/checkout/" verb

static struct serving serving;
static struct http_settings settings;
static struct gate gate;
static struct worker *worker;
static struct answer answer;
static char tokens_path[64];
static const char *asked_for;   /* the query's environment; NULL: none */
static const char *asked_since; /* the query's since; NULL: none */

static bool write_rollouts(void *context, const struct rollout_filter *filter, struct buffer *out)
{
    static const char *const environments[] = {"production", "staging"};
    if (!context)
        return false;
    buffer_append_string(out, context);
    for (size_t i = 0; i < COUNT_OF(environments); i++)
        if (rollout_filter_passes(filter, text_of(environments[i])))
            buffer_printf(out, " %s", environments[i]);
    return true;
}

/* As if the store failed where it is asked for what is that old. */
static enum status write_measurements(void *context, const struct measurement_query *query,
                                      struct buffer *out, struct error *error)
{
    (void)context;
    if (query->since == 13)
        return error_set(error, STATUS_SYSTEM, "disk on fire");
    if (query->since == 14)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    buffer_printf(out, "%.*s/%.*s since %lld\n", (int)query->environment.length,
                  query->environment.data, (int)query->rollout.length, query->rollout.data,
                  (long long)query->since);
    return STATUS_OK;
}

static void setup(void)
{
    static const char lines[] =
        "sha256:08679633e5d713be00446249eb0b5f058f7fc3a03f5312e4117874b6671d07c0 operator "
        "production 2026-11-22T21:30:00Z ann\n"
        "sha256:56f89bd8dae1e0b51f9e0bd4295c38b6f1601e5927420a9da06661247f43e3bf viewer "
        "production 2026-11-22T21:30:00Z bob\n"
        "sha256:0da7bcc6721d2a3199dac0fcf6e3e7a571ebf7fa1cf81c03ad41d1d87803e5fa admin "
        "* 2026-11-22T21:30:00Z cem\n"
        "sha256:a8be916a50e76a74e5e33ccba28c68583ca4ef8d075014856a702b4d80a1aca4 viewer "
        "staging 2026-11-22T21:30:00Z dan\n";
    static char words[] = "of";
    struct error error = {0};
    snprintf(tokens_path, sizeof tokens_path, "/tmp/weir-unit-tokens-XXXXXX");
    int file = mkstemp(tokens_path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, lines, sizeof lines - 1), sizeof lines - 1);
    close(file);
    serving_init(&serving);
    serving_publish(&serving, serving_flags, true);
    settings = (struct http_settings){.tokens = tokens_path};
    ck_assert_msg(gate_init(&gate, &settings, &serving.clock, -1, &error) == STATUS_OK, "%s",
                  error.message);
    gate.loopback = true;
    serving.parts.settings = &settings;
    serving.parts.gate = &gate;
    serving.parts.write_rollouts = write_rollouts;
    serving.parts.write_measurements = write_measurements;
    serving.parts.rollouts_context = words;
    /* Of the real clock, since ids must differ. */
    ck_assert_int_eq(desk_new(&system_clock, NULL, NULL, &serving.parts.desk, &error), STATUS_OK);
    worker = worker_new(&serving.parts);
    ck_assert_ptr_nonnull(worker);
    asked_for = asked_since = NULL;
}

static void teardown(void)
{
    worker_free(worker);
    desk_free(serving.parts.desk);
    gate_dispose(&gate);
    serving_dispose(&serving);
    unlink(tokens_path);
}

static struct text parameter(const void *headers, const char *name)
{
    (void)headers;
    if (strcmp(name, "since") == 0)
        return text_of(asked_since);
    return text_of(strcmp(name, "environment") == 0 ? asked_for : NULL);
}

static const char *dispatch(struct request request, const char *token)
{
    char bearer[80];
    snprintf(bearer, sizeof bearer, "Bearer %s", token ? token : "");
    if (token)
        request.authorization = text_of(bearer);
    if (!request.host.data)
        request.host = TEXT("localhost:8080");
    request.parameter = parameter;
    route_dispatch(worker, &request, &answer);
    const char *body = buffer_string(answer.body);
    ck_assert_ptr_nonnull(body);
    return body;
}

static const char *post(const char *path, const char *token, const char *body)
{
    return dispatch((struct request){.method = METHOD_POST,
                                     .path = text_of(path),
                                     .content_type = TEXT("application/json; charset=utf-8"),
                                     .body = text_of(body)},
                    token);
}

static const char *get(const char *path, const char *token)
{
    return dispatch((struct request){.method = METHOD_GET, .path = text_of(path)}, token);
}

/* The desk holds nothing more. */
static void check_empty(void)
{
    struct desk_request request;
    ck_assert(!desk_take(serving.parts.desk, &request));
}

static struct desk_request take(void)
{
    struct desk_request request;
    ck_assert(desk_take(serving.parts.desk, &request));
    return request;
}

#define ck_assert_fails(body, expected_status, words)                                              \
    do {                                                                                           \
        const char *body_ = (body);                                                                \
        ck_assert_msg(strstr(body_, words) != NULL, "no \"%s\" in: %s", words, body_);             \
        ck_assert_uint_eq(answer.status, expected_status);                                         \
        check_empty();                                                                             \
    } while (0)

/* --- what gets to the desk ------------------------------------------------------------------- */

START_TEST(test_each_verb)
{
    setup();
    for (int i = 0; i < VERB_COUNT; i++) {
        char path[128], expected[128];
        snprintf(path, sizeof path, VERB("%s"), walk_verb_name((enum walk_verb_kind)i));
        const char *body = post(path, A, "");
        struct desk_request request = take();
        snprintf(expected, sizeof expected, "{\"id\":\"%s\",\"state\":\"waiting\"}", request.id);
        ck_assert_str_eq(body, expected);
        ck_assert_uint_eq(answer.status, 202);
        snprintf(expected, sizeof expected, "/requests/%s", request.id);
        ck_assert_str_eq(answer.location, expected);
        ck_assert_int_eq(request.verb, i);
        ck_assert_str_eq(request.environment, "production");
        ck_assert_str_eq(request.rollout, "checkout");
        ck_assert_str_eq(request.by, "ann");
        ck_assert_str_eq(request.note, "");
        ck_assert_uint_eq(request.lifts, 0);
    }
    teardown();
}
END_TEST

START_TEST(test_reason_and_lift)
{
    setup();
    post(VERB("resume"), C, "{\"lift\":[\"ratio\",\"foreign-edit\"],\"reason\":\"gepr\\u00fcft\"}");
    ck_assert_uint_eq(answer.status, 202);
    struct desk_request request = take();
    ck_assert_str_eq(request.by, "cem");
    ck_assert_str_eq(request.note, "gepr\xc3\xbc"
                                   "ft");
    ck_assert_uint_eq(request.lifts, 1U << HOLD_RATIO | 1U << HOLD_FOREIGN_EDIT);
    post(VERB("kill"), A, " {} ");
    ck_assert_uint_eq(answer.status, 202);
    (void)take();
    /* No content type at all is taken as meaning JSON. */
    dispatch((struct request){.method = METHOD_POST,
                              .path = TEXT(VERB("halt")),
                              .body = TEXT("{\"reason\":\"why\"}")},
             A);
    ck_assert_uint_eq(answer.status, 202);
    ck_assert_str_eq(take().note, "why");
    teardown();
}
END_TEST

START_TEST(test_bodies_that_are_not_understood)
{
    static const struct {
        const char *verb, *body;
        unsigned status;
        const char *words;
    } cases[] = {
        {VERB("pause"), "{", 400, "body is not understood: "},
        {VERB("pause"), "[]", 400, "body is no JSON object like {\\\"reason\\\":\\\"why\\\"}"},
        {VERB("pause"), "{\"why\":\"x\"}", 400, "unknown field 'why'; there are reason and lift"},
        {VERB("pause"), "{\"reason\":1}", 400, "\\\"reason\\\" is not one line of text"},
        {VERB("pause"), "{\"reason\":\"a\\nWeir-Action: kill\"}", 400, "is not one line"},
        {VERB("pause"), "{\"reason\":\"a\\u0000b\"}", 400, "is not one line"},
        {VERB("pause"), "{\"reason\":\"a\\u0085b\"}", 400, "is not one line"},
        {VERB("pause"), "{\"reason\":\"a\\u2028b\"}", 400, "is not one line"},
        {VERB("pause"), "{\"reason\":\"a\",\"reason\":\"b\"}", 400, "body is not understood: "},
        {VERB("pause"), "{\"lift\":[\"pause\"]}", 400,
         "\\\"lift\\\" is for resume alone; pause lifts nothing"},
        {VERB("resume"), "{\"lift\":\"pause\"}", 400,
         "\\\"lift\\\" is no list of holds; leave it out, or name some of: pause, halt, ratio, "},
        {VERB("resume"), "{\"lift\":[]}", 400, "is no list of holds"},
        {VERB("resume"), "{\"lift\":[\"everything\"]}", 400,
         "\\\"lift\\\": 'everything' is no hold; there are: pause, "},
        {VERB("resume"), "{\"lift\":[[[[]]]]}", 400, "body is not understood: "},
        {VERB("explode"), "", 400,
         "unknown verb 'explode'; there are start, pause, resume, advance, approve, halt, "
         "step-back, rollback, kill, unkill"},
        {"/env/production/rollouts/Check%0Aout/kill", "", 404, "no such rollout"},
        {"/env/production/rollouts/-a/kill", "", 404, "no such rollout"},
        {"/env/nowhere/rollouts/checkout/kill", "", 404, "no such environment 'nowhere'"},
        {"/rollouts/checkout/kill", "", 400, "say where: put /env/ENVIRONMENT before the path"},
        {"/env/production/rollouts/checkout/kill/now", "", 404, "no such path"},
        {"/env/production/rollouts//kill", "", 404, "no such path"},
        {"/env/production/rollouts/checkout/", "", 404, "no such path"},
        {"/env/production/rollouts/checkout/%zz", "", 400, "path is malformed"},
    };
    setup();
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_fails(post(cases[i].verb, C, cases[i].body), cases[i].status, cases[i].words);
    teardown();
}
END_TEST

START_TEST(test_sizes)
{
    static char body[20000];
    setup();
    snprintf(body, sizeof body, "{\"reason\":\"%0300d\"}", 0);
    post(VERB("pause"), A, body);
    ck_assert_uint_eq(answer.status, 202);
    ck_assert_uint_eq(strlen(take().note), 300);
    snprintf(body, sizeof body, "{\"reason\":\"%0301d\"}", 0);
    ck_assert_fails(post(VERB("pause"), A, body), 400, "\\\"reason\\\" is longer than 300 bytes");
    snprintf(body, sizeof body, "{\"reason\":\"%016384d\"}", 0);
    ck_assert_fails(post(VERB("pause"), A, body), 413, "body is over 16384 bytes");
    ck_assert_fails(dispatch((struct request){.method = METHOD_POST,
                                              .path = TEXT(VERB("pause")),
                                              .body_too_large = true},
                             A),
                    413, "body is over 16384 bytes");
    ck_assert_fails(dispatch((struct request){.method = METHOD_POST,
                                              .path = TEXT(VERB("pause")),
                                              .content_type = TEXT("text/plain"),
                                              .body = TEXT("{}")},
                             A),
                    415, "send application/json");
    teardown();
}
END_TEST

START_TEST(test_too_many_wait)
{
    setup();
    for (int i = 0; i < DESK_MAX - DESK_RESERVED; i++) {
        post(VERB("approve"), A, "");
        ck_assert_uint_eq(answer.status, 202);
    }
    const char *body = post(VERB("approve"), A, "");
    ck_assert_str_eq(body, "{\"errorDetails\":\"too many requests wait; ask again in a while\"}");
    ck_assert_uint_eq(answer.status, 503);
    ck_assert_uint_eq(answer.retry_after, 5);
    post(VERB("kill"), A, "");
    ck_assert_uint_eq(answer.status, 202);
    teardown();
}
END_TEST

/* --- who may --------------------------------------------------------------------------------- */

START_TEST(test_who_may)
{
    setup();
    ck_assert_fails(post(VERB("kill"), NULL, ""), 401, "a token is needed");
    ck_assert_fails(post(VERB("kill"), "weir_x", ""), 401, "the token is unknown");
    ck_assert_fails(post(VERB("kill"), B, ""), 403,
                    "the token's role is viewer; this needs "
                    "operator");
    ck_assert_fails(post("/env/staging/rollouts/checkout/kill", A, ""), 403,
                    "the token is not for environment 'staging'");
    ck_assert_fails(dispatch((struct request){.method = METHOD_POST,
                                              .path = TEXT(VERB("kill")),
                                              .host = TEXT("evil.example:8080")},
                             A),
                    421, "is not this server");
    ck_assert_fails(dispatch((struct request){.method = METHOD_POST,
                                              .path = TEXT(VERB("kill")),
                                              .host = TEXT("evil.example:8080"),
                                              .origin = TEXT("http://evil.example:8080")},
                             A),
                    421, "is not this server");
    ck_assert_fails(dispatch((struct request){.method = METHOD_POST,
                                              .path = TEXT(VERB("kill")),
                                              .origin = TEXT("https://evil.example")},
                             A),
                    403, "a page of another origin may not ask for this");
    ck_assert_fails(get(VERB("kill"), A), 405, "use POST");
    dispatch((struct request){.method = METHOD_POST,
                              .path = TEXT(VERB("kill")),
                              .origin = TEXT("http://localhost:8080")},
             A);
    ck_assert_uint_eq(answer.status, 202);
    teardown();
}
END_TEST

START_TEST(test_before_the_first_commit)
{
    setup();
    struct hub published = serving.hub;
    ck_assert_int_eq(hub_init(&serving.hub), STATUS_OK);
    ck_assert_fails(post(VERB("kill"), A, ""), 503, "no valid commit has been read yet");
    hub_dispose(&serving.hub);
    serving.hub = published;
    teardown();
}
END_TEST

/* --- what became of it ----------------------------------------------------------------------- */

START_TEST(test_what_became_of_it)
{
    static const char path[] = "/requests/";
    char where[64];
    setup();
    post(VERB("kill"), A, "{\"reason\":\"it burns\"}");
    struct desk_request request = take();
    request.submitted = request.changed = 0;
    snprintf(where, sizeof where, "%s%s", path, request.id);
    const char *body = get(where, NULL); /* on a loopback address anybody may look */
    ck_assert_ptr_nonnull(strstr(body, "{\"by\":\"ann\",\"changed\":\"20"));
    ck_assert_ptr_nonnull(strstr(body, "\"commit\":null,\"environment\":\"production\",\"id\":"));
    ck_assert_ptr_nonnull(strstr(body, "\"reason\":\"it burns\",\"rollout\":\"checkout\","
                                       "\"state\":\"waiting\",\"submitted\":\"20"));
    ck_assert_ptr_nonnull(strstr(body, "Z\",\"verb\":\"kill\",\"words\":null}"));
    request.state = DESK_RECORDED;
    snprintf(request.commit, sizeof request.commit, "%040d", 7);
    snprintf(request.words, sizeof request.words, "say \"x\"");
    desk_note(serving.parts.desk, &request);
    body = get(where, B);
    ck_assert_uint_eq(answer.status, 200);
    ck_assert_ptr_nonnull(strstr(body, "\"commit\":\"0000000000000000000000000000000000000007\""));
    ck_assert_ptr_nonnull(strstr(body, "\"state\":\"recorded\""));
    ck_assert_ptr_nonnull(strstr(body, "\"words\":\"say \\\"x\\\"\"}"));

    static const char gone[] = "{\"errorDetails\":\"no such request; one that is done is known for "
                               "10 minutes, and none outlives the controller's process\"}";
    ck_assert_str_eq(get(where, D), gone); /* of another environment: not even that it is there */
    ck_assert_uint_eq(answer.status, 404);
    ck_assert_str_eq(get("/requests/00000000000000000000000000000000", NULL), gone);
    ck_assert_str_eq(get("/requests/0000000000000000000000000000000000000000000000000", NULL),
                     gone);
    /* Elsewhere it takes a token to look. */
    gate.loopback = false;
    ck_assert_fails(get(where, NULL), 401, "a token is needed");
    teardown();
}
END_TEST

START_TEST(test_rollouts)
{
    setup();
    ck_assert_str_eq(get("/rollouts", NULL), "of production staging");
    ck_assert_str_eq(get("/rollouts", B), "of production");
    ck_assert_str_eq(get("/rollouts", D), "of staging");
    ck_assert_str_eq(get("/rollouts", C), "of production staging");
    asked_for = "staging";
    ck_assert_str_eq(get("/rollouts", NULL), "of staging");
    ck_assert_str_eq(get("/rollouts", C), "of staging");
    ck_assert_fails(get("/rollouts", B), 403, "the token is not for environment 'staging'");
    asked_for = "nowhere";
    ck_assert_str_eq(get("/rollouts", C), "of");
    static const char *const none[] = {"", "a b", "UP", "%61", "-", "\xff"};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        asked_for = none[i];
        ck_assert_fails(get("/rollouts", C), 400, "environment is no name");
    }
    teardown();
}
END_TEST

START_TEST(test_measurements)
{
    static const char place[] = "/env/production/rollouts/checkout/measurements";
    setup();
    ck_assert_str_eq(get(place, B), "production/checkout since 0\n");
    ck_assert_uint_eq(answer.status, 200);
    ck_assert_str_eq(answer.content_type, "application/x-ndjson");
    asked_since = "1800000000";
    ck_assert_str_eq(get(place, B), "production/checkout since 1800000000\n");
    ck_assert_str_eq(get("/env/production/rollouts/start/measurements", C),
                     "production/start since 1800000000\n");
    static const char *const none[] = {"", "-1", "now", "1e3", "1000000000000000"};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        asked_since = none[i];
        ck_assert_fails(get(place, B), 400, "since is no number of seconds since 1970");
    }
    asked_since = "13";
    ck_assert_fails(get(place, B), 503, "the measurements cannot be read");
    ck_assert(!strstr(buffer_string(answer.body), "fire"));
    asked_since = "14";
    ck_assert_fails(get(place, B), 500, "out of memory");
    asked_since = NULL;
    ck_assert_fails(get(place, D), 403, "not for environment 'production'");
    ck_assert_fails(get("/env/nowhere/rollouts/checkout/measurements", C), 404,
                    "no such environment 'nowhere'");
    ck_assert_fails(get("/env/production/rollouts/Checkout/measurements", C), 404,
                    "no such rollout");
    ck_assert_fails(get("/rollouts/checkout/measurements", C), 400,
                    "say where: put /env/ENVIRONMENT before the path");
    ck_assert_fails(get("/env/production/rollouts//measurements", C), 404, "no such path");
    ck_assert_fails(get("/env/production/rollouts/checkout/measurements/", C), 404, "no such path");
    ck_assert_fails(post("/env/production/rollouts/checkout/measurements", A, ""), 405,
                    "use GET, HEAD");
    ck_assert_fails(get(VERB("kill"), A), 405, "use POST");
    teardown();
}
END_TEST

START_TEST(test_before_anybody_looked_at_rollouts)
{
    setup();
    void *context = serving.parts.rollouts_context;
    serving.parts.rollouts_context = NULL;
    ck_assert_fails(get("/rollouts", A), 503,
                    "rollouts have not been looked at since the start; ask again");
    serving.parts.rollouts_context = context;
    ck_assert_fails(get("/rollouts", A), 200, "production");
    teardown();
}
END_TEST

START_TEST(test_where_nobody_walks_rollouts)
{
    static const char words[] = "{\"errorDetails\":\"this server does not walk rollouts; ask the "
                                "controller\"}";
    setup();
    struct desk *desk = serving.parts.desk;
    serving.parts.desk = NULL;
    serving.parts.write_rollouts = NULL;
    serving.parts.write_measurements = NULL;
    ck_assert_str_eq(post(VERB("kill"), A, ""), words);
    ck_assert_uint_eq(answer.status, 404);
    ck_assert_str_eq(get("/requests/x", A), words);
    ck_assert_str_eq(get("/rollouts", A), words);
    ck_assert_str_eq(get("/env/production/rollouts/checkout/measurements", A), words);
    ck_assert_uint_eq(answer.status, 404);
    serving.parts.desk = desk;
    teardown();
}
END_TEST

/* --- memory that runs out -------------------------------------------------------------------- */

/* What `path` is answered when the n-th allocation fails; *failed: one did. */
static unsigned starve(size_t n, enum method method, const char *path, const char *body,
                       bool *failed)
{
    worker_free(worker);
    worker = worker_new(&serving.parts);
    ck_assert_ptr_nonnull(worker);
    struct request request = {.method = method,
                              .path = text_of(path),
                              .host = TEXT("localhost"),
                              .authorization = TEXT("Bearer " C),
                              .body = text_of(body),
                              .parameter = parameter};
    plan.failing = n;
    plan.seen = 0;
    plan.armed = true;
    route_dispatch(worker, &request, &answer);
    plan.armed = false;
    *failed = plan.seen >= n;
    return answer.status;
}

START_TEST(test_no_memory)
{
    static const char body[] = "{\"reason\":\"it is well\",\"lift\":[\"pause\",\"ratio\"]}";
    char where[64] = "";
    bool failed = true;
    setup();
    for (size_t n = 1; failed; n++) {
        struct desk_request request;
        unsigned status = starve(n, METHOD_POST, VERB("resume"), body, &failed);
        ck_assert_msg(status == 202 || (failed && status == 500), "%zu: %u", n, status);
        /* Who hears of a failure was not obeyed; who was is told where to ask. */
        ck_assert(desk_take(serving.parts.desk, &request) == (status == 202));
        if (status == 202)
            snprintf(where, sizeof where, "%s", answer.location);
    }
    const char *const paths[] = {where, "/rollouts"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        failed = true;
        for (size_t n = 1; failed; n++) {
            unsigned status = starve(n, METHOD_GET, paths[i], "", &failed);
            ck_assert_msg(status == 200 || (failed && status == 500), "%s %zu: %u", paths[i], n,
                          status);
        }
    }
    teardown();
}
END_TEST

UNIT_MAIN("verbs", test_each_verb, test_reason_and_lift, test_bodies_that_are_not_understood,
          test_sizes, test_too_many_wait, test_who_may, test_before_the_first_commit,
          test_what_became_of_it, test_rollouts, test_measurements,
          test_before_anybody_looked_at_rollouts, test_where_nobody_walks_rollouts, test_no_memory)
