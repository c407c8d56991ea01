/* The kubernetes target against a stand-in that says what a kube-apiserver says: the requests, the
 * fence, conflicts. The real one is asked in tests/integration/test_target_kubernetes.py. */
#include "http_site.h"

#define OBJECT_PATH "/api/v1/namespaces/shop/configmaps/flags"
#define GET "GET " OBJECT_PATH " "
#define APPLY "PATCH " OBJECT_PATH "?fieldManager=weir&force=true "
#define NOT_FOUND "HTTP/1.1 404 Not Found\r\n" EMPTY
#define CONFLICT "HTTP/1.1 409 Conflict\r\n" EMPTY
#define DIGITS(level) "00000000" level "0000000000000000"
#define OURS DIGITS("00000005")

static char answers[8][600];

/* An object's metadata; `generation` may be NULL. */
static const char *object(unsigned slot, const char *version, const char *generation,
                          const char *digest)
{
    char body[400], annotations[200] = "";
    if (generation)
        snprintf(annotations, sizeof annotations,
                 ",\"annotations\":{\"weir/generation\":\"%s\",\"weir/digest\":\"%s\"}", generation,
                 digest);
    int length = snprintf(body, sizeof body, "{\"metadata\":{\"resourceVersion\":\"%s\"%s}}",
                          version, annotations);
    snprintf(answers[slot], sizeof answers[slot], "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s",
             length, body);
    return answers[slot];
}

static void make_cluster(struct site *site, const struct step *steps, size_t count)
{
    static char key[] = "shop/configmaps/flags";
    make_site(site, TARGET_KUBERNETES, "", key, steps, count);
}

START_TEST(what_is_asked_and_applied)
{
    const struct step steps[] = {{GET, NOT_FOUND}, {APPLY, object(0, "7", OURS, "d")}};
    struct site site;
    make_cluster(&site, steps, COUNT_OF(steps));
    check_given(&site, ONE_FLAG, 5);
    ck_assert(
        scripted_saw(&site.server, 0, "\r\nAccept: application/json;as=PartialObjectMetadata"));
    ck_assert(scripted_saw(&site.server, 1, "\r\nContent-Type: application/apply-patch+yaml\r\n"));
    ck_assert(
        scripted_saw(&site.server, 1, "\r\n\r\n{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","));
    ck_assert(scripted_saw(&site.server, 1, "\"namespace\":\"shop\",\"resourceVersion\":\"1\","));
    ck_assert(scripted_saw(&site.server, 1, "\"weir/generation\":\"" OURS "\""));
    ck_assert(scripted_saw(&site.server, 1, "\"weir/commit\":\"" COMMIT_A "\""));
    ck_assert(scripted_saw(&site.server, 1, "\"data\":{\"flags.json\":\"{\\\"flags\\\":{"));
    ck_assert(!scripted_saw(&site.server, 1, "Authorization"));
    ck_assert(!scripted_saw(&site.server, 1, "weir/overrides"));
    leave(&site);
}
END_TEST

START_TEST(open_overrides_are_named)
{
    const struct step steps[] = {{GET, NOT_FOUND}, {APPLY, object(0, "7", OURS, "d")}};
    struct site site;
    make_cluster(&site, steps, COUNT_OF(steps));
    check_given_overrides(&site, ONE_FLAG, 5);
    ck_assert(scripted_saw(&site.server, 1,
                           "\"weir/generation\":\"" OURS "\",\"weir/overrides\":\"" INTENT_A
                           "," INTENT_B "\"}},\"data\":{"));
    leave(&site);
}
END_TEST

START_TEST(what_did_not_change_is_left_alone)
{
    const struct step steps[] = {
        {GET, object(0, "6", NULL, NULL)}, /* of somebody else */
        {APPLY, object(1, "7", OURS, "d")},     {GET, answers[1]},
        {GET, object(2, "8", OURS, "spoiled")}, /* somebody was here */
        {APPLY, object(3, "9", OURS, "d")},     {GET, object(4, "10", "nonsense", "d")},
        {APPLY, object(5, "11", OURS, "d")},    {GET, NOT_FOUND},
        {APPLY, object(6, "12", OURS, "d")},
    };
    struct site site;
    make_cluster(&site, steps, COUNT_OF(steps));
    for (int i = 0; i < 5; i++)
        check_given(&site, ONE_FLAG, 5);
    ck_assert(scripted_saw(&site.server, 1, "\"resourceVersion\":\"6\""));
    ck_assert(scripted_saw(&site.server, 4, "\"resourceVersion\":\"8\""));
    ck_assert(scripted_saw(&site.server, 8, "\"resourceVersion\":\"1\""));
    leave(&site);
}
END_TEST

START_TEST(a_conflict_reads_again)
{
    const struct step steps[] = {
        {GET, NOT_FOUND},
        {APPLY, CONFLICT},
        {GET, object(0, "6", DIGITS("00000004"), "d")},
        {APPLY, CONFLICT},
        {GET, object(1, "8", DIGITS("00000006"), "d")}, /* the other one was newer */
    };
    struct site site;
    make_cluster(&site, steps, COUNT_OF(steps));
    check_failed(&site, ONE_FLAG, 5, STATUS_REFUSED,
                 "ConfigMap 'shop/flags' holds a newer generation "
                 "(" DIGITS("00000006") "): another controller is ahead");
    ck_assert(scripted_saw(&site.server, 3, "\"resourceVersion\":\"6\""));
    ck_assert_ptr_null(site.driver->code(site.state));
    leave(&site);
}
END_TEST

START_TEST(conflicts_without_end)
{
    const struct step steps[] = {{GET, NOT_FOUND},  {APPLY, CONFLICT}, {GET, NOT_FOUND},
                                 {APPLY, CONFLICT}, {GET, NOT_FOUND},  {APPLY, CONFLICT},
                                 {GET, NOT_FOUND},  {APPLY, CONFLICT}, {GET, NOT_FOUND},
                                 {APPLY, CONFLICT}};
    struct site site;
    make_cluster(&site, steps, COUNT_OF(steps));
    check_failed(&site, ONE_FLAG, 5, STATUS_SYSTEM, "is changed by others again and again");
    leave(&site);
}
END_TEST

START_TEST(what_is_not_replaced)
{
    const struct step steps[] = {
        {GET, object(0, "6", OURS, "sha256:other")},
        {GET, object(1, "6", "7", "d")},
        {GET, object(2, "6", DIGITS("00000006"), "d")},
    };
    struct site site;
    make_cluster(&site, steps, COUNT_OF(steps));
    check_failed(&site, ONE_FLAG, 5, STATUS_REFUSED,
                 "another document of this generation (sha256:other)");
    check_failed(&site, ONE_FLAG, 5, STATUS_REFUSED, "a generation that weir did not write (7)");
    check_failed(&site, ONE_FLAG, 5, STATUS_REFUSED, "a newer generation");
    leave(&site);
}
END_TEST

START_TEST(answers_that_make_no_sense)
{
    static const struct step steps[] = {
        {GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"},
        {GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
        {GET, "HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n"
              "{\"metadata\":{\"resourceVersion\":7,\"a\":[]}}"},
        {GET, NOT_FOUND},
        {APPLY, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"},
        {GET, NOT_FOUND},
        {APPLY, "HTTP/1.1 500 No\r\nContent-Length: 27\r\n\r\n{\"message\":\"etcd is\\nfull\"}"},
        {GET, "HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno\x07"},
        {GET, "HTTP/1.1 401 No\r\n" EMPTY},
    };
    struct site site;
    make_cluster(&site, steps, COUNT_OF(steps));
    for (int i = 0; i < 4; i++)
        check_failed(&site, ONE_FLAG, 5, STATUS_SYSTEM, "is not a Kubernetes object");
    check_failed(&site, ONE_FLAG, 5, STATUS_SYSTEM, "answered 500 to PATCH: etcd is?full");
    check_failed(&site, ONE_FLAG, 5, STATUS_SYSTEM, "answered 403 to GET: no?");
    check_failed(&site, ONE_FLAG, 5, STATUS_SYSTEM, "it wants a token: name a secret");
    leave(&site);
}
END_TEST

/* Of 900 KiB and one byte: nothing is sent. */
START_TEST(a_document_that_does_not_fit)
{
    static const struct step steps[] = {{GET, NOT_FOUND}};
    struct site site;
    struct buffer json;
    buffer_init(&json, 0);
    buffer_append_string(
        &json, "{\"flags\":{\"checkout\":{\"defaultVariant\":\"on\",\"state\":\"ENABLED\","
               "\"variants\":{\"on\":\"");
    static const char end[] = "\"}}}}\n";
    while (json.length + strlen(end) < ((size_t)900 << 10) + 1)
        buffer_append_char(&json, 'x');
    buffer_append_string(&json, end);
    make_cluster(&site, steps, 1);
    check_failed(&site, buffer_string(&json), 5, STATUS_REFUSED,
                 "ConfigMap 'shop/flags' would hold 901 KiB, more than the 900 KiB that fit");
    buffer_dispose(&json);
    leave(&site);
}
END_TEST

START_TEST(tokens_go_where_they_may)
{
    static const struct step steps[] = {{GET, "HTTP/1.1 401 No\r\n" EMPTY}};
    struct site site;
    make_cluster(&site, steps, 1);
    ck_assert_int_eq(setenv("WEIR_TEST_TOKEN", "hunter2", 1), 0);
    struct reach_secret secret = {.name = (char[]){"cluster"},
                                  .variable = (char[]){"WEIR_TEST_TOKEN"},
                                  .hosts = site.hosts,
                                  .host_count = 1};
    site.reach.secrets = &secret;
    site.reach.secret_count = 1;
    site.definition.secret = (char[]){"cluster"};
    reopen(&site);
    check_failed(&site, ONE_FLAG, 5, STATUS_SYSTEM, "does not take the token of secret 'cluster'");
    ck_assert(scripted_saw(&site.server, 0, "\r\nAuthorization: Bearer hunter2\r\n"));
    /* In the clear to this machine only. */
    snprintf(site.location, sizeof site.location, "http://192.0.2.1");
    reopen(&site);
    check_failed(&site, ONE_FLAG, 5, STATUS_REFUSED, "in the clear: write https://");
    ck_assert_str_eq(site.driver->code(site.state), "W503");
    site.definition.secret = (char[]){"nobody"};
    reopen(&site);
    check_failed(&site, ONE_FLAG, 5, STATUS_REFUSED, "secret 'nobody' is not known");
    ck_assert_str_eq(site.driver->code(site.state), "W503");
    leave(&site);
}
END_TEST

START_TEST(no_cluster_around)
{
    struct site site;
    make_cluster(&site, NULL, 0);
    ck_assert_int_eq(unsetenv("KUBERNETES_SERVICE_HOST"), 0);
    snprintf(site.location, sizeof site.location, TARGET_IN_CLUSTER);
    reopen(&site);
    check_failed(&site, ONE_FLAG, 5, STATUS_REFUSED, "weir does not run in a cluster");
    /* The service account's token goes to the cluster's own server, which must be allowed too. */
    ck_assert_int_eq(setenv("KUBERNETES_SERVICE_HOST", "::1", 1), 0);
    ck_assert_int_eq(setenv("KUBERNETES_SERVICE_PORT", "1", 1), 0);
    ck_assert_int_eq(setenv("WEIR_SERVICE_ACCOUNT", "/nonexistent", 1), 0);
    reopen(&site);
    check_failed(&site, ONE_FLAG, 5, STATUS_SYSTEM,
                 "secret 'service account token': cannot open '/nonexistent/token'");
    leave(&site);
}
END_TEST

UNIT_MAIN("kubernetes_stand_in", what_is_asked_and_applied, open_overrides_are_named,
          what_did_not_change_is_left_alone, a_conflict_reads_again, conflicts_without_end,
          what_is_not_replaced, answers_that_make_no_sense, a_document_that_does_not_fit,
          tokens_go_where_they_may, no_cluster_around)
