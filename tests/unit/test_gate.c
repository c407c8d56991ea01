/* Who passes: names, origins, rates, verbs; over the dispatcher, without sockets. What needs a
 * running server is in tests/integration/test_serving_*.py. */
#include "serving.h"

#include <unistd.h>

#include "../../controller/http/gate.h"

#define A "weir_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(test_hosts)
{
    static char *const names[] = {(char *)"flags.example.com", (char *)"weir"};
    static const struct {
        const char *host;
        bool ours;
    } cases[] = {
        {"", true},
        {"localhost", true},
        {"LocalHost:8080", true},
        {"localhost.", true},
        {"127.0.0.1:1", true},
        {"192.0.2.7", true},
        {"[::1]", true},
        {"[2001:db8::1]:443", true},
        {"flags.example.com", true},
        {"FLAGS.example.com.:1", true},
        {"weir", true},
        {"weir.evil.example", false},
        {"evil.example", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"[::1", false},
        {"[localhost]", false},
        {"[evil.example]:1", false},
        {"::1", true}, /* an empty name: no browser sends it */
        {"1", false},
        {"127.1", false},
        {"2130706433", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(gate_host_is_ours(text_of(cases[i].host), names, 2) == cases[i].ours, "'%s'",
                      cases[i].host);
    ck_assert(!gate_host_is_ours(TEXT("weir"), NULL, 0));
}
END_TEST

START_TEST(test_origins)
{
    static const struct {
        const char *origin, *host;
        bool tls, ours;
    } cases[] = {
        {"http://localhost:8080", "localhost:8080", false, true},
        {"https://flags.example", "Flags.example", true, true},
        {"https://flags.example", "flags.example", false, false},
        {"http://flags.example", "flags.example", true, false},
        {"http://localhost:8081", "localhost:8080", false, false},
        {"http://localhost:8080.evil", "localhost:8080", false, false},
        {"null", "localhost", false, false},
        {"", "", false, false},
        {"http://", "", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(gate_origin_is_ours(text_of(cases[i].origin), text_of(cases[i].host),
                                          cases[i].tls) == cases[i].ours,
                      "'%s' for '%s'", cases[i].origin, cases[i].host);
}
END_TEST

/* --- rates ----------------------------------------------------------------------------------- */

START_TEST(test_a_bucket)
{
    const int64_t second = NANOSECONDS_PER_SECOND;
    int64_t now = 1000 * second;
    struct rate *rate = rate_new(10);
    ck_assert_ptr_nonnull(rate);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(rate_take(rate, 7, now), 0);
    ck_assert_int_eq(rate_take(rate, 7, now), second / 10);
    ck_assert_int_eq(rate_take(rate, 7, now + second / 20), second / 20);
    ck_assert_int_eq(rate_take(rate, 8, now), 0); /* another caller */
    ck_assert_int_eq(rate_take(rate, 7, now + second / 10), 0);
    ck_assert_int_gt(rate_take(rate, 7, now + second / 10), 0);
    /* However long he was away, he gets one second's worth. */
    now += 3600 * second;
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(rate_take(rate, 7, now), 0);
    ck_assert_int_gt(rate_take(rate, 7, now), 0);
    rate_free(rate);
}
END_TEST

START_TEST(test_more_callers_than_there_is_room_for)
{
    struct rate *rate = rate_new(1);
    ck_assert_ptr_nonnull(rate);
    for (uint64_t i = 1; i <= 100000; i++)
        ck_assert_int_eq(rate_take(rate, i * UINT64_C(0x9e3779b97f4a7c15), (int64_t)i), 0);
    /* Who came last is still known. */
    ck_assert_int_gt(rate_take(rate, 100000 * UINT64_C(0x9e3779b97f4a7c15), 100000), 0);
    rate_free(rate);
}
END_TEST

/* --- verbs ----------------------------------------------------------------------------------- */

static struct serving serving;
static struct http_settings settings;
static struct gate gate;
static struct worker *worker;
static struct answer answer;

#define LINE(digit, role) "sha256:" digit " " role " production 2026-11-22T21:30:00Z " role "\n"
#define B "weir_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char tokens_path[64];

/* A gate on a loopback address, with a token of role operator (A) and one of role viewer (B). */
static void setup(void)
{
    static const char lines[] =
        LINE("08679633e5d713be00446249eb0b5f058f7fc3a03f5312e4117874b6671d07c0", "operator")
            LINE("56f89bd8dae1e0b51f9e0bd4295c38b6f1601e5927420a9da06661247f43e3bf", "viewer");
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
    worker = worker_new(&serving.parts);
    ck_assert_ptr_nonnull(worker);
}

static void teardown(void)
{
    worker_free(worker);
    gate_dispose(&gate);
    serving_dispose(&serving);
    unlink(tokens_path);
}

/* What a verb of this need, below /env/production, answers to `request`: 200 when it passes. */
static unsigned verb(enum need need, struct request request)
{
    const struct route route = {.name = "verb",
                                .pattern = "/verb",
                                .methods = METHOD_POST,
                                .in_environment = true,
                                .need = need,
                                .fail = answer_fail};
    answer = (struct answer){.status = 200, .body = &worker->body};
    buffer_clear(&worker->details);
    if (!request.environment.data)
        request.environment = TEXT("production");
    ck_assert(gate_admit(worker, &route, &request, &answer) == (answer.status == 200));
    return answer.status;
}

START_TEST(test_verbs_always_need_a_token)
{
    setup();
    const struct text host = TEXT("localhost:8080"), operator= TEXT("Bearer " A);
    ck_assert_uint_eq(verb(NEED_OPERATE, (struct request){.host = host}), 401);
    ck_assert_str_eq(answer.authenticate, "Bearer realm=\"weir\"");
    ck_assert_uint_eq(
        verb(NEED_OPERATE, (struct request){.host = host, .authorization = operator}), 200);
    ck_assert_uint_eq(verb(NEED_OPERATE, (struct request){.host = host, .api_key = TEXT(A)}), 200);
    ck_assert_uint_eq(verb(NEED_OPERATE, (struct request){.host = host, .api_key = TEXT(B)}), 403);
    ck_assert_str_eq(buffer_string(&worker->body),
                     "{\"errorDetails\":\"the token's role is viewer; this needs operator\"}");
    ck_assert_uint_eq(
        verb(NEED_ADMINISTER, (struct request){.host = host, .authorization = operator}), 403);
    ck_assert_uint_eq(verb(NEED_OPERATE, (struct request){.host = host,
                                                          .authorization = operator,
                                                          .environment = TEXT("staging")}),
                      403);
    /* The token of a header that another scheme fills is not looked for. */
    ck_assert_uint_eq(verb(NEED_OPERATE, (struct request){.host = host,
                                                          .authorization = TEXT("Basic eDp5"),
                                                          .api_key = TEXT(A)}),
                      401);
    teardown();
}
END_TEST

START_TEST(test_no_other_page_sends_verbs)
{
    setup();
    static const struct {
        const char *origin;
        unsigned status;
    } cases[] = {{"http://localhost:8080", 200},
                 {"http://localhost:3000", 403},
                 {"https://localhost:8080", 403},
                 {"https://evil.example", 403},
                 {"null", 403}};
    /* What may evaluate may still not act. */
    char *everybody[] = {(char *)"*"};
    settings.cors_origins = everybody;
    settings.cors_origin_count = 1;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(verb(NEED_OPERATE, (struct request){.host = TEXT("localhost:8080"),
                                                          .origin = text_of(cases[i].origin),
                                                          .authorization = TEXT("Bearer " A)}) ==
                          cases[i].status,
                      "'%s'", cases[i].origin);
    teardown();
}
END_TEST

/* --- the commit in answers ------------------------------------------------------------------- */

static const char *post(const char *path)
{
    struct request request = {.method = METHOD_POST,
                              .path = text_of(path),
                              .body = TEXT("{\"context\":{\"targetingKey\":\"u\"}}")};
    route_dispatch(worker, &request, &answer);
    return buffer_string(answer.body);
}

START_TEST(test_metadata_with_the_commit)
{
    static const char flags[] =
        "{\"flags\":{"
        "\"bare\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"on\"},"
        "\"empty\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"on\",\"metadata\":{}},"
        "\"owned\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"on\",\"metadata\":{\"owner\":\"p\"}},"
        "\"told\":{" SERVING_BOOLEAN
        ",\"defaultVariant\":\"on\",\"metadata\":{\"weir.commit\":\"mine\"}},"
        "\"broken\":{" SERVING_BOOLEAN
        ",\"defaultVariant\":\"on\",\"targeting\":{\"no_such_operator\":[1]}}}}";
#define ONE "/ofrep/v1/evaluate/flags/"
#define COMMIT "\"weir.commit\":\"\""
#define REST ",\"reason\":\"STATIC\",\"value\":true,\"variant\":\"on\"}"
    setup();
    settings.answer_commit = true;
    serving_publish(&serving, flags, true);
    ck_assert_str_eq(post(ONE "bare"), "{\"key\":\"bare\",\"metadata\":{" COMMIT "}" REST);
    ck_assert_str_eq(post(ONE "empty"), "{\"key\":\"empty\",\"metadata\":{" COMMIT "}" REST);
    ck_assert_str_eq(post(ONE "owned"),
                     "{\"key\":\"owned\",\"metadata\":{\"owner\":\"p\"," COMMIT "}" REST);
    ck_assert_str_eq(post(ONE "told"),
                     "{\"key\":\"told\",\"metadata\":{\"weir.commit\":\"mine\"}" REST);
    const char *body = post(ONE "broken");
    ck_assert_uint_eq(answer.status, 400);
    ck_assert_msg(strstr(body, ",\"metadata\":{" COMMIT "}}") != NULL, "%s", body);
    body = post("/ofrep/v1/evaluate/flags");
    ck_assert_msg(strstr(body, "{\"key\":\"bare\",\"metadata\":{" COMMIT "}" REST) != NULL, "%s",
                  body);
    ck_assert_msg(strstr(body, "],\"metadata\":{" COMMIT "}}") != NULL, "%s", body);
    settings.answer_commit = false;
    ck_assert_str_eq(post(ONE "bare"), "{\"key\":\"bare\"" REST);
    teardown();
}
END_TEST

/* --- whole documents ------------------------------------------------------------------------- */

START_TEST(test_whole_documents_are_shared)
{
    setup();
    struct snapshot *snapshot = hub_acquire(&serving.hub);
    const struct document *document = snapshot->environments[0].document;
    struct whole *first = wholes_take(gate.wholes, snapshot, document, 1);
    struct whole *second = wholes_take(gate.wholes, snapshot, document, 2);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_eq(first, second); /* put together once */
    struct whole *other = wholes_take(gate.wholes, snapshot, snapshot->environments[1].document, 2);
    ck_assert_ptr_ne(other, first);
    /* Equal documents of a later commit are the same bytes. */
    serving_publish(&serving, serving_flags, true);
    struct snapshot *later = hub_acquire(&serving.hub);
    struct whole *third = wholes_take(gate.wholes, later, later->environments[0].document, 3);
    ck_assert_ptr_eq(first, third);
    /* Nobody asks any more: it is forgotten, and whoever holds it keeps it. */
    wholes_expire(gate.wholes, 3 + 61 * NANOSECONDS_PER_SECOND);
    struct whole *fourth = wholes_take(gate.wholes, later, later->environments[0].document, 4);
    ck_assert_ptr_ne(first, fourth);
    ck_assert_uint_eq(first->length, fourth->length);
    ck_assert_int_eq(memcmp(first->bytes, fourth->bytes, first->length), 0);
    struct whole *const all[] = {first, second, third, fourth, other};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        whole_release(all[i]);
    snapshot_release(snapshot);
    snapshot_release(later);
    teardown();
}
END_TEST

UNIT_MAIN("gate", test_hosts, test_origins, test_a_bucket, test_more_callers_than_there_is_room_for,
          test_verbs_always_need_a_token, test_no_other_page_sends_verbs,
          test_metadata_with_the_commit, test_whole_documents_are_shared)
