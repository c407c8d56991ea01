#include "serving.h"

/* The bodies here are the contract with OFREP clients: compared whole. */

static struct serving serving;
static struct worker *worker;
static struct answer answer;

static void setup(bool published)
{
    serving_init(&serving);
    if (published)
        serving_publish(&serving, serving_flags, true);
    worker = worker_new(&serving.parts);
    ck_assert_ptr_nonnull(worker);
}

static void teardown(void)
{
    worker_free(worker);
    serving_dispose(&serving);
}

/* The answer's body, after one request. */
static const char *ask(struct request request, const char **route)
{
    const char *name = route_dispatch(worker, &request, &answer);
    if (route)
        *route = name;
    ck_assert_ptr_eq(answer.body, &worker->body);
    const char *body = buffer_string(answer.body);
    ck_assert_ptr_nonnull(body);
    return body;
}

static const char *post(const char *path, const char *body)
{
    return ask((struct request){.method = METHOD_POST,
                                .path = text_of(path),
                                .content_type = TEXT("application/json"),
                                .body = text_of(body)},
               NULL);
}

static const char *get(const char *path)
{
    return ask((struct request){.method = METHOD_GET, .path = text_of(path)}, NULL);
}

#define ONE "/ofrep/v1/evaluate/flags/"
#define ALL "/ofrep/v1/evaluate/flags"
#define USER "{\"context\":{\"targetingKey\":\"u1\"}}"

#define ck_assert_answer(body, expected_status, expected_body)                                     \
    do {                                                                                           \
        const char *body_ = (body);                                                                \
        ck_assert_str_eq(body_, expected_body);                                                    \
        ck_assert_uint_eq(answer.status, expected_status);                                         \
        ck_assert_str_eq(answer.content_type, "application/json");                                 \
    } while (0)

#define ck_assert_contains(body, part)                                                             \
    do {                                                                                           \
        const char *body_ = (body);                                                                \
        ck_assert_msg(strstr(body_, part) != NULL, "'%s' is not in: %s", part, body_);             \
    } while (0)

/* --- one flag -------------------------------------------------------------------------------- */

START_TEST(test_single_answers)
{
    setup(true);
    ck_assert_answer(post(ONE "plain", USER), 200,
                     "{\"key\":\"plain\",\"reason\":\"STATIC\",\"value\":true,\"variant\":\"on\"}");
    ck_assert_answer(post(ONE "dark", USER), 200, "{\"key\":\"dark\",\"reason\":\"DISABLED\"}");
    ck_assert_answer(
        post(ONE "owned", USER), 200,
        "{\"key\":\"owned\",\"metadata\":{\"owner\":\"payments\"},\"reason\":\"STATIC\","
        "\"value\":\"say \\\"x\\\"\",\"variant\":\"text\"}");
    ck_assert_answer(
        post(ONE "targeted", USER), 200,
        "{\"key\":\"targeted\",\"reason\":\"DEFAULT\",\"value\":false,\"variant\":\"off\"}");
    ck_assert_answer(
        post(ONE "targeted", "{\"context\":{\"email\":\"a@example.com\"}}"), 200,
        "{\"key\":\"targeted\",\"reason\":\"TARGETING_MATCH\",\"value\":true,\"variant\":\"on\"}");
    ck_assert_str_eq(answer.etag, "");
    /* What stands beside the context is not ours to refuse. */
    ck_assert_answer(post(ONE "plain", "{\"extra\":[1,{}],\"context\":{}}"), 200,
                     "{\"key\":\"plain\",\"reason\":\"STATIC\",\"value\":true,\"variant\":\"on\"}");
    teardown();
}
END_TEST

START_TEST(test_single_failures)
{
    setup(true);
    ck_assert_answer(post(ONE "nope", USER), 404,
                     "{\"errorCode\":\"FLAG_NOT_FOUND\",\"errorDetails\":\"flag 'nope' does not "
                     "exist in environment 'production'\",\"key\":\"nope\"}");
    const char *body = post(ONE "broken", USER);
    ck_assert_uint_eq(answer.status, 400);
    ck_assert_contains(body, "{\"errorCode\":\"PARSE_ERROR\",\"errorDetails\":\"");
    ck_assert_contains(body, "\",\"key\":\"broken\",\"metadata\":{\"team\":\"a\"}}");
    body = post(ONE "unknown-variant", USER);
    ck_assert_uint_eq(answer.status, 400);
    ck_assert_contains(body, "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"");
    ck_assert_contains(body, "\",\"key\":\"unknown-variant\"}");
    teardown();
}
END_TEST

START_TEST(test_bodies)
{
    static const struct {
        const char *body, *answer;
    } cases[] = {
        {"", "{\"errorCode\":\"PARSE_ERROR\",\"errorDetails\":\"request has no body; send "
             "{\\\"context\\\":{\\\"targetingKey\\\":\\\"…\\\"}}\",\"key\":\"plain\"}"},
        {"{}", "{\"errorCode\":\"INVALID_CONTEXT\",\"errorDetails\":\"body has no object "
               "\\\"context\\\"; send {\\\"context\\\":{\\\"targetingKey\\\":\\\"…\\\"}}\",\"key\":"
               "\"plain\"}"},
        {"{\"context\":{\"targetingKey\":7}}",
         "{\"errorCode\":\"INVALID_CONTEXT\",\"errorDetails\":\"context.targetingKey is not a "
         "string\",\"key\":\"plain\"}"},
    };
    setup(true);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_answer(post(ONE "plain", cases[i].body), 400, cases[i].answer);

    static const char *const no_context[] = {"{\"context\":null}", "{\"context\":[]}",
                                             "{\"context\":\"x\"}", "{\"other\":{}}"};
    for (size_t i = 0; i < COUNT_OF(no_context); i++) {
        const char *body = post(ONE "plain", no_context[i]);
        ck_assert_uint_eq(answer.status, 400);
        ck_assert_contains(body, "{\"errorCode\":\"INVALID_CONTEXT\",");
    }
    static const char *const wrong_key[] = {"true", "[\"u1\"]", "{}", "1.5"};
    for (size_t i = 0; i < COUNT_OF(wrong_key); i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"context\":{\"targetingKey\":%s}}", wrong_key[i]);
        const char *body = post(ALL, text);
        ck_assert_uint_eq(answer.status, 400);
        ck_assert_str_eq(body, "{\"errorCode\":\"INVALID_CONTEXT\",\"errorDetails\":"
                               "\"context.targetingKey is not a string\"}");
    }
    teardown();
}
END_TEST

START_TEST(test_not_json)
{
    static const struct {
        const char *body, *place;
    } cases[] = {
        {"hello", "line 1, column 1"},
        {"{\"context\":{\"targetingKey\":\"u1\"},}", "line 1, column 34"},
        {"{\n  \"context\": {\"a\": tru}\n}", "line 2, column "},
        {"{\"context\":{}} x", "line 1, column 16"},
        {"{\"context\":{\"a\":\"\xff\"}}", "line 1, column "},
        {"{'context':{}}", "line 1, column 2"},
    };
    setup(true);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *body = post(ONE "plain", cases[i].body);
        ck_assert_uint_eq(answer.status, 400);
        ck_assert_contains(body, "{\"errorCode\":\"PARSE_ERROR\",\"errorDetails\":\"body: ");
        ck_assert_contains(body, cases[i].place);
        ck_assert_contains(body, ",\"key\":\"plain\"}");
    }
    teardown();
}
END_TEST

START_TEST(test_nested_deep)
{
    setup(true);
    struct buffer body;
    buffer_init(&body, 0);
    buffer_append_string(&body, "{\"context\":{\"a\":");
    for (int i = 0; i < 10000; i++)
        buffer_append_char(&body, '[');
    for (int i = 0; i < 10000; i++)
        buffer_append_char(&body, ']');
    buffer_append_string(&body, "}}");
    const char *text = post(ONE "plain", buffer_string(&body));
    ck_assert_uint_eq(answer.status, 400);
    ck_assert_contains(text, "{\"errorCode\":\"PARSE_ERROR\",");
    /* And the next one is none the worse for it. */
    post(ONE "plain", USER);
    ck_assert_uint_eq(answer.status, 200);
    buffer_dispose(&body);
    teardown();
}
END_TEST

START_TEST(test_content_types)
{
    static const struct {
        const char *type;
        unsigned status;
    } cases[] = {
        {NULL, 200},
        {"application/json", 200},
        {"Application/JSON", 200},
        {"application/json;charset=utf-8", 200},
        {"application/json ; charset=utf-8", 200},
        {"text/plain", 415},
        {"application/jsonx", 415},
        {"application/x-www-form-urlencoded", 415},
        {"", 415},
    };
    setup(true);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct request request = {.method = METHOD_POST,
                                  .path = TEXT(ONE "plain"),
                                  .content_type = text_of(cases[i].type),
                                  .body = TEXT(USER)};
        const char *body = ask(request, NULL);
        ck_assert_msg(answer.status == cases[i].status, "%s: %u", cases[i].type, answer.status);
        if (cases[i].status == 415)
            ck_assert_str_eq(body,
                             "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"content type is not "
                             "supported; send application/json\",\"key\":\"plain\"}");
    }
    teardown();
}
END_TEST

START_TEST(test_body_too_large)
{
    setup(true);
    struct request request = {
        .method = METHOD_POST, .path = TEXT(ONE "plain"), .body_too_large = true};
    ck_assert_answer(ask(request, NULL), 413,
                     "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"body is over 1048576 "
                     "bytes\",\"key\":\"plain\"}");
    teardown();
}
END_TEST

/* --- all flags ------------------------------------------------------------------------------- */

static const char all_answers[] =
    "{\"flags\":["
    "{\"key\":\"a/b \xc3\xbc\",\"reason\":\"STATIC\",\"value\":false,\"variant\":\"off\"},"
    "{\"key\":\"dark\",\"reason\":\"DISABLED\"},"
    "{\"key\":\"plain\",\"reason\":\"STATIC\",\"value\":true,\"variant\":\"on\"}"
    "],\"metadata\":{\"flagSetId\":\"shop\"}}";
static const char few_flags[] =
    "{\"flags\":{"
    "\"plain\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"on\"},"
    "\"a/b \xc3\xbc\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"off\"},"
    "\"dark\":{\"state\":\"DISABLED\",\"variants\":{\"on\":true},\"defaultVariant\":\"on\"}"
    "}}";

START_TEST(test_bulk)
{
    setup(false);
    serving_publish(&serving, few_flags, true);
    char expected[sizeof all_answers];
    size_t length = (size_t)(strstr(all_answers, ",\"metadata\"") - all_answers);
    memcpy(expected, all_answers, length);
    memcpy(expected + length, "}", 2);
    ck_assert_answer(post(ALL, USER), 200, expected);
    ck_assert_answer(post("/env/production" ALL, USER), 200, expected);
    ck_assert_answer(post("/env/staging" ALL, USER), 200, "{\"flags\":[]}");
    teardown();
}
END_TEST

START_TEST(test_bulk_metadata)
{
    setup(false);
    serving_publish(&serving, "{\"flags\":{},\"metadata\":{\"flagSetId\":\"shop\",\"a\":1}}", true);
    ck_assert_answer(post(ALL, USER), 200,
                     "{\"flags\":[],\"metadata\":{\"a\":1,\"flagSetId\":\"shop\"}}");
    teardown();
}
END_TEST

START_TEST(test_bulk_holds_failures)
{
    setup(true);
    const char *body = post(ALL, USER);
    ck_assert_uint_eq(answer.status, 200);
    ck_assert_contains(body, ",{\"errorCode\":\"PARSE_ERROR\",\"errorDetails\":\"");
    ck_assert_contains(body,
                       "\",\"key\":\"broken\",\"metadata\":{\"team\":\"a\"}},{\"key\":\"dark\",");
    teardown();
}
END_TEST

static const char *bulk_if(const char *path, const char *if_none_match, const char *body)
{
    return ask((struct request){.method = METHOD_POST,
                                .path = text_of(path),
                                .if_none_match = text_of(if_none_match),
                                .body = text_of(body)},
               NULL);
}

START_TEST(test_etag_is_of_the_whole_answer)
{
    setup(true);
    char etag[sizeof answer.etag], other[sizeof answer.etag], header[256];
    post(ALL, USER);
    memcpy(etag, answer.etag, sizeof etag);
    ck_assert_uint_eq(strlen(etag), 34);
    ck_assert_uint_eq(strspn(etag + 1, "0123456789abcdef"), 32);
    ck_assert(etag[0] == '"' && etag[33] == '"');
    post("/env/production" ALL, "{\"context\":{\"targetingKey\":\"u2\"}}");
    ck_assert_str_eq(answer.etag, etag); /* the same answer for somebody else */
    post(ALL, "{\"context\":{\"email\":\"a@example.com\"}}");
    memcpy(other, answer.etag, sizeof other);
    ck_assert_str_ne(other, etag);

    ck_assert_str_eq(bulk_if(ALL, etag, USER), "");
    ck_assert_uint_eq(answer.status, 304);
    ck_assert_str_eq(answer.etag, etag);
    snprintf(header, sizeof header, "\"x\", W/%s", etag);
    bulk_if(ALL, header, USER);
    ck_assert_uint_eq(answer.status, 304);
    /* Same flags, another context: never a stale 304. */
    ck_assert_contains(bulk_if(ALL, etag, "{\"context\":{\"email\":\"a@example.com\"}}"),
                       "TARGETING_MATCH");
    ck_assert_uint_eq(answer.status, 200);
    ck_assert_str_eq(answer.etag, other);
    /* Failures carry none. */
    bulk_if(ALL, "*", "");
    ck_assert_uint_eq(answer.status, 400);
    ck_assert_str_eq(answer.etag, "");
    teardown();
}
END_TEST

START_TEST(test_if_none_match_forms)
{
    static const struct {
        const char *header;
        bool matches;
    } cases[] = {
        {"\"abc\"", true},
        {"W/\"abc\"", true},
        {"*", true},
        {"\"x\",\"abc\"", true},
        {" \"x\" ,\t\"abc\" ", true},
        {"\"a,b\", \"abc\"", true},
        {"", false},
        {"abc", false},
        {"\"abcd\"", false},
        {"\"abc", false},
        {"\"\"", false},
        {"W/", false},
        {"w/\"abc\"", false},
        {"\"x\", abc", false},
        {",,,", false},
        {"\"", false},
        {"\"x\"\"abc\"", true},
        {"\"ABC\"", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(ofrep_etag_matches(text_of(cases[i].header), "\"abc\"") == cases[i].matches,
                      "%s", cases[i].header);
}
END_TEST

/* --- paths and methods ----------------------------------------------------------------------- */

START_TEST(test_encoded_keys)
{
    setup(true);
    static const char *const spellings[] = {ONE "a%2Fb%20%C3%BC", ONE "a%2fb%20\xc3\xbc",
                                            "/env/production" ONE "%61%2Fb%20%c3%bc",
                                            "/env/%70roduction" ONE "a%2Fb%20%c3%bc"};
    for (size_t i = 0; i < COUNT_OF(spellings); i++)
        ck_assert_answer(post(spellings[i], USER), 200,
                         "{\"key\":\"a/b \xc3\xbc\",\"reason\":\"STATIC\",\"value\":false,"
                         "\"variant\":\"off\"}");
    /* Decoded once only, and a plus is a plus. */
    ck_assert_contains(post(ONE "a%252Fb", USER), "\"key\":\"a%2Fb\"}");
    ck_assert_contains(post(ONE "a+b", USER), "\"key\":\"a+b\"}");
    ck_assert_contains(post(ONE "%00%22", USER), "\"key\":\"\\u0000\\\"\"}");
    ck_assert_uint_eq(answer.status, 404);
    teardown();
}
END_TEST

START_TEST(test_malformed_paths)
{
    setup(true);
    static const char *const paths[] = {ONE "%",    ONE "%2",  ONE "a%zz", ONE "%ff",
                                        ONE "\xff", ONE "%C3", ONE "%2 0", "/env/%x" ONE "plain"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const char *body = post(paths[i], USER);
        ck_assert_msg(answer.status == 400, "%s: %u", paths[i], answer.status);
        ck_assert_contains(body, "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"path is malformed");
    }
    teardown();
}
END_TEST

START_TEST(test_environments)
{
    setup(true);
    ck_assert_answer(post("/env/staging" ONE "plain", USER), 404,
                     "{\"errorCode\":\"FLAG_NOT_FOUND\",\"errorDetails\":\"flag 'plain' does not "
                     "exist in environment 'staging'\",\"key\":\"plain\"}");
    ck_assert_answer(
        post("/env/nope" ONE "plain", USER), 404,
        "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"no such environment 'nope'; the "
        "names behind /env/ are those of the Environment definitions\",\"key\":"
        "\"plain\"}");
    ck_assert_answer(
        post("/env/nope" ALL, USER), 404,
        "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"no such environment 'nope'; the "
        "names behind /env/ are those of the Environment definitions\"}");
    serving_publish(&serving, serving_flags, false);
    ck_assert_answer(
        post(ONE "plain", USER), 404,
        "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"there is no default environment; "
        "put /env/ENVIRONMENT before the path, or start weir with "
        "--default-environment\",\"key\":\"plain\"}");
    post("/env/production" ONE "plain", USER);
    ck_assert_uint_eq(answer.status, 200);
    teardown();
}
END_TEST

START_TEST(test_unknown_paths)
{
    setup(true);
    ck_assert_answer(get("/nope"), 404,
                     "{\"errorDetails\":\"no such path '/nope'; there is POST "
                     "[/env/ENVIRONMENT]/ofrep/v1/evaluate/flags/KEY, POST "
                     "[/env/ENVIRONMENT]/ofrep/v1/evaluate/flags, GET "
                     "[/env/ENVIRONMENT]/ofrep/v1/stream, GET [/env/ENVIRONMENT]/flagd.json, GET "
                     "/healthz, GET /readyz, GET /metrics, GET /status, GET "
                     "/env/ENVIRONMENT/rollouts/ROLLOUT/measurements, POST "
                     "/env/ENVIRONMENT/rollouts/ROLLOUT/VERB, GET /requests/KEY, GET /rollouts, "
                     "POST /hooks/github, POST "
                     "/hooks/gitlab, POST /hooks/gitea, POST /hooks/forgejo\"}");
    static const char *const paths[] = {
        "",
        "/",
        "/env",
        "/env/",
        "/env/production",
        "/env//x",
        ONE,
        ONE "a/b",
        "/ofrep/v1",
        "/env/production/healthz",
        "/healthz/",
        "/env/a" ONE,
        "//healthz",
        "/HEALTHZ",
        "*",
        "/env/env/production" ALL,
        ALL "x",
        "/%68ealthz",
        "/\xff\xfe",
    };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const char *route, *body;
        body = ask((struct request){.method = METHOD_POST, .path = text_of(paths[i])}, &route);
        ck_assert_msg(answer.status == 404, "%s: %u", paths[i], answer.status);
        ck_assert_str_eq(route, "none");
        ck_assert_contains(body, "{\"errorDetails\":\"no such path '");
    }
    teardown();
}
END_TEST

START_TEST(test_methods)
{
    setup(true);
    static const enum method wrong[] = {METHOD_GET, METHOD_HEAD, METHOD_OTHER};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        ck_assert_answer(
            ask((struct request){.method = wrong[i], .path = TEXT(ONE "plain")}, NULL), 405,
            "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"method not allowed here; use POST\","
            "\"key\":\"plain\"}");
        ck_assert_str_eq(answer.allow, "POST");
        ck_assert_answer(
            ask((struct request){.method = wrong[i], .path = TEXT(ALL)}, NULL), 405,
            "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"method not allowed here; use POST\"}");
    }
    ck_assert_answer(post("/healthz", "{}"), 405,
                     "{\"errorDetails\":\"method not allowed here; use GET, HEAD\"}");
    ck_assert_str_eq(answer.allow, "GET, HEAD");
    ask((struct request){.method = METHOD_HEAD, .path = TEXT("/healthz")}, NULL);
    ck_assert_uint_eq(answer.status, 200);
    ck_assert_ptr_null(answer.allow);
    teardown();
}
END_TEST

/* --- health and numbers ---------------------------------------------------------------------- */

START_TEST(test_before_the_first_snapshot)
{
    setup(false);
    ck_assert_answer(get("/healthz"), 200, "{\"status\":\"ok\"}");
    ck_assert_answer(
        get("/readyz"), 503,
        "{\"errorDetails\":\"not ready: no valid commit has been read yet; see /status\"}");
    ck_assert_uint_eq(answer.retry_after, 1);
    ck_assert_answer(post(ONE "plain", USER), 503,
                     "{\"errorDetails\":\"not ready: no valid commit has been read yet\"}");
    ck_assert_uint_eq(answer.retry_after, 1);
    ck_assert_answer(post("/env/production" ALL, USER), 503,
                     "{\"errorDetails\":\"not ready: no valid commit has been read yet\"}");
    ck_assert_answer(get("/status"), 200, "{\"commit\":null}");

    serving_publish(&serving, serving_flags, true);
    ck_assert_answer(get("/readyz"), 200, "{\"status\":\"ready\"}");
    ck_assert_uint_eq(answer.retry_after, 0);
    post(ONE "plain", USER);
    ck_assert_uint_eq(answer.status, 200);
    teardown();
}
END_TEST

START_TEST(test_metrics)
{
    setup(true);
    post(ONE "plain", USER);
    post(ONE "plain", USER);
    post(ONE "nope", USER);
    post(ONE "plain", "not json");
    post("/env/production" ALL, USER);
    serving_publish(&serving, serving_flags, true); /* a swap loses no count */
    post(ONE "targeted", "{\"context\":{\"email\":\"a@example.com\"}}");
    for (int i = 0; i < 3; i++)
        worker_count_request(worker, "evaluate_flag", 200);
    worker_count_request(worker, "evaluate_flag", 404);
    ck_assert_str_eq(
        get("/metrics"),
        "# HELP weir_evaluations_total Flags evaluated over HTTP, by environment and reason; a "
        "bulk "
        "answer counts each of its flags.\n"
        "# TYPE weir_evaluations_total counter\n"
        "weir_evaluations_total{environment=\"production\",reason=\"DEFAULT\"} 1\n"
        "weir_evaluations_total{environment=\"production\",reason=\"DISABLED\"} 1\n"
        "weir_evaluations_total{environment=\"production\",reason=\"ERROR\"} 3\n"
        "weir_evaluations_total{environment=\"production\",reason=\"STATIC\"} 5\n"
        "weir_evaluations_total{environment=\"production\",reason=\"TARGETING_MATCH\"} 1\n"
        "# HELP weir_http_requests_total HTTP requests answered, by route and status code.\n"
        "# TYPE weir_http_requests_total counter\n"
        "weir_http_requests_total{route=\"evaluate_flag\",code=\"200\"} 3\n"
        "weir_http_requests_total{route=\"evaluate_flag\",code=\"404\"} 1\n");
    ck_assert_uint_eq(answer.status, 200);
    ck_assert_str_eq(answer.content_type, "text/plain; version=0.0.4");
    teardown();
}
END_TEST

START_TEST(test_swap_moves_environments)
{
    setup(true);
    post("/env/production" ONE "plain", USER);
    /* "staging" is the first now: its counts must not go to "production". */
    struct snapshot *snapshot = snapshot_new(1);
    ck_assert_int_eq(snapshot_fill(snapshot, 0, TEXT("staging"), serving_document(serving_flags)),
                     STATUS_OK);
    hub_publish(&serving.hub, snapshot);
    for (int i = 0; i < 2; i++) {
        post("/env/staging" ONE "plain", USER);
        ck_assert_uint_eq(answer.status, 200);
    }
    post("/env/production" ONE "plain", USER);
    ck_assert_uint_eq(answer.status, 404);
    const char *body = get("/metrics");
    ck_assert_contains(body, "{environment=\"production\",reason=\"STATIC\"} 1\n");
    ck_assert_contains(body, "{environment=\"staging\",reason=\"STATIC\"} 2\n");
    teardown();
}
END_TEST

UNIT_MAIN("routes", test_single_answers, test_single_failures, test_bodies, test_not_json,
          test_nested_deep, test_content_types, test_body_too_large, test_bulk, test_bulk_metadata,
          test_bulk_holds_failures, test_etag_is_of_the_whole_answer, test_if_none_match_forms,
          test_encoded_keys, test_malformed_paths, test_environments, test_unknown_paths,
          test_methods, test_before_the_first_snapshot, test_metrics, test_swap_moves_environments)
