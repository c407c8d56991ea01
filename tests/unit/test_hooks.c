#include "served.h"

#include <inttypes.h>
#include <strings.h>

#include "../../controller/http/hook_ref.h"
#include "../../controller/http/hooks.h"
#include "../../controller/telemetry_families.h"

/* --- the ref in a body ----------------------------------------------------------------------- */

/* The answer must not hang on how the body is cut: it is given whole, and cut in two everywhere. */
static void check_elsewhere(const char *body, const char *branch, bool expected)
{
    struct text text = text_of(body);
    for (size_t cut = 0; cut <= text.length; cut++) {
        struct hook_ref ref;
        hook_ref_begin(&ref);
        hook_ref_take(&ref, (struct text){text.data, cut});
        hook_ref_take(&ref, (struct text){text.data + cut, text.length - cut});
        ck_assert_msg(hook_ref_is_elsewhere(&ref, branch) == expected, "%s, cut at %zu", body, cut);
    }
}

START_TEST(test_refs)
{
    static const struct {
        const char *body;
        bool elsewhere; /* than main */
    } cases[] = {
        {"{\"ref\":\"refs/heads/main\"}", false},
        {"{\"ref\":\"refs/heads/other\"}", true},
        {" { \"before\" : \"0\" , \"ref\" :\n\"refs/heads/feature/x\" }", true},
        {"{\"ref\":\"refs/tags/v1\"}", true},
        {"{\"ref\":\"refs/heads/main2\"}", true},
        {"{\"ref\":\"refs/notes/x\"}", false},
        {"{\"ref\":\"other\"}", false},
        /* only the top level's, only as a key, only a plain string */
        {"{\"a\":{\"ref\":\"refs/heads/other\"},\"ref\":\"refs/heads/main\"}", false},
        {"{\"a\":[{\"ref\":\"refs/heads/other\"}]}", false},
        {"[\"ref\",\"refs/heads/other\"]", false},
        {"{\"a\":\"ref\",\"b\":\"refs/heads/other\"}", false},
        {"{\"a\":\"\\\"ref\\\":\\\"refs/heads/other\\\"\"}", false},
        {"{\"ref\":[\"refs/heads/other\"]}", false},
        {"{\"ref\":null,\"x\":\"refs/heads/other\"}", false},
        {"{\"r\\u0065f\":\"refs/heads/other\"}", false},
        {"{\"ref\":\"refs/heads/oth\\u0065r\"}", false},
        {"{\"a\":\"b\",\"ref\":\"refs/heads/other\"}", true},
        {"{\"a\":{\"b\":[1,2,{}]},\"ref\":\"refs/heads/other\"}", true},
        {"{\"a\":\"}\",\"ref\":\"refs/heads/other\"}", true},
        {"{\"ref\":\"refs/heads/other", false},
        {"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fother%22%7D", false},
        {"", false},
        {"}}}}{\"ref\":\"refs/heads/other\"}", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_elsewhere(cases[i].body, "main", cases[i].elsewhere);
        check_elsewhere(cases[i].body, "refs/heads/main", cases[i].elsewhere);
    }
    check_elsewhere("{\"ref\":\"refs/heads/other\"}", NULL, false);
    check_elsewhere("{\"ref\":\"refs/tags/v1\"}", NULL, true);
}
END_TEST

START_TEST(test_a_ref_that_is_too_long)
{
    char body[1000];
    for (int length = 200; length < 300; length++) {
        snprintf(body, sizeof body, "{\"ref\":\"refs/heads/%0*d\"}", length, 0);
        struct hook_ref ref;
        hook_ref_begin(&ref);
        hook_ref_take(&ref, text_of(body));
        bool fits = length + strlen("refs/heads/") <= HOOK_REF_MAX;
        ck_assert_int_eq(hook_ref_is_elsewhere(&ref, "main"), fits);
    }
}
END_TEST

/* --- signatures ------------------------------------------------------------------------------ */

struct header {
    const char *name, *value;
};

static struct text find_header(const void *headers, const char *name)
{
    for (const struct header *header = headers; header->name; header++)
        if (strcasecmp(header->name, name) == 0)
            return text_of(header->value);
    return (struct text){NULL, 0};
}

static enum hook_verdict verdict_at(enum hook_forge forge, const char *secret, const char *body,
                                    int64_t now, const struct header *headers)
{
    struct hook_check check;
    struct request request = {.header = find_header, .headers = headers};
    hook_check_begin(&check, forge, text_of(secret), &request, now);
    for (const char *c = body; *c; c++)
        hook_check_take(&check, (struct text){c, 1});
    return hook_check_end(&check);
}

#define VERDICT(forge, secret, body, ...)                                                          \
    verdict_at(forge, secret, body, 1614265330, (const struct header[]){__VA_ARGS__, {NULL, NULL}})

/* GitHub's own example. */
#define SECRET "It's a Secret to Everybody"
#define BODY "Hello, World!"
#define HEX "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

START_TEST(test_github)
{
    ck_assert_int_eq(VERDICT(HOOK_GITHUB, SECRET, BODY, {"X-Hub-Signature-256", "sha256=" HEX}),
                     HOOK_SIGNED);
    ck_assert_int_eq(
        VERDICT(HOOK_GITHUB, SECRET, "Hello, World?", {"X-Hub-Signature-256", "sha256=" HEX}),
        HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITHUB, "other", BODY, {"X-Hub-Signature-256", "sha256=" HEX}),
                     HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITHUB, SECRET, BODY, {"X-Hub-Signature-256", HEX}), HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITHUB, SECRET, BODY, {"X-Hub-Signature-256", "sha256="}),
                     HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITHUB, SECRET, BODY, {"X-Hub-Signature-256", ""}), HOOK_FORGED);
    ck_assert_int_eq(
        VERDICT(HOOK_GITHUB, SECRET, BODY, {"X-Hub-Signature-256", "sha256=" HEX "00"}),
        HOOK_FORGED);
    /* SHA-1, another forge's header and none at all prove nothing. */
    ck_assert_int_eq(VERDICT(HOOK_GITHUB, SECRET, BODY,
                             {"X-Hub-Signature", "sha1=0123456789012345678901234567890123456789"}),
                     HOOK_UNSIGNED);
    ck_assert_int_eq(VERDICT(HOOK_GITHUB, SECRET, BODY, {"X-Gitea-Signature", HEX}), HOOK_UNSIGNED);
    ck_assert_int_eq(VERDICT(HOOK_GITHUB, SECRET, BODY, {"X-Gitlab-Token", SECRET}), HOOK_UNSIGNED);
}
END_TEST

/* Each single bit of a signature counts. */
START_TEST(test_every_digit_counts)
{
    for (size_t i = 0; i < sizeof HEX - 1; i++) {
        char header[] = "sha256=" HEX;
        header[7 + i] = header[7 + i] == '0' ? '1' : '0';
        ck_assert_int_eq(VERDICT(HOOK_GITHUB, SECRET, BODY, {"X-Hub-Signature-256", header}),
                         HOOK_FORGED);
    }
}
END_TEST

START_TEST(test_gitea_and_forgejo)
{
    ck_assert_int_eq(VERDICT(HOOK_GITEA, SECRET, BODY, {"X-Gitea-Signature", HEX}), HOOK_SIGNED);
    ck_assert_int_eq(VERDICT(HOOK_GITEA, SECRET, BODY, {"X-Forgejo-Signature", HEX}), HOOK_SIGNED);
    ck_assert_int_eq(VERDICT(HOOK_GITEA, SECRET, BODY, {"X-Hub-Signature-256", "sha256=" HEX}),
                     HOOK_SIGNED);
    ck_assert_int_eq(VERDICT(HOOK_GITEA, SECRET, BODY, {"X-Gitea-Signature", "sha256=" HEX}),
                     HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITEA, SECRET, "", {"X-Gitea-Signature", HEX}), HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITEA, SECRET, BODY, {"X-Gitlab-Token", SECRET}), HOOK_UNSIGNED);
}
END_TEST

START_TEST(test_gitlab_token)
{
    ck_assert_int_eq(VERDICT(HOOK_GITLAB, SECRET, BODY, {"X-Gitlab-Token", SECRET}), HOOK_SIGNED);
    ck_assert_int_eq(VERDICT(HOOK_GITLAB, SECRET, BODY, {"X-Gitlab-Token", SECRET "x"}),
                     HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITLAB, SECRET, BODY, {"X-Gitlab-Token", ""}), HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITLAB, SECRET, BODY, {"X-Gitea-Signature", HEX}), HOOK_UNSIGNED);
}
END_TEST

/* The example of the Standard Webhooks specification. */
#define TOKEN "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define MESSAGE "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define ID                                                                                         \
    {                                                                                              \
        "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"                                               \
    }
#define TIME                                                                                       \
    {                                                                                              \
        "webhook-timestamp", "1614265330"                                                          \
    }

START_TEST(test_gitlab_signing_token)
{
    ck_assert_int_eq(
        VERDICT(HOOK_GITLAB, TOKEN, MESSAGE, ID, TIME, {"webhook-signature", SIGNATURE}),
        HOOK_SIGNED);
    ck_assert_int_eq(VERDICT(HOOK_GITLAB, TOKEN, MESSAGE, ID, TIME,
                             {"webhook-signature", "v1a,AAAA v1,AAAA junk " SIGNATURE}),
                     HOOK_SIGNED);
    ck_assert_int_eq(
        VERDICT(HOOK_GITLAB, TOKEN, MESSAGE " ", ID, TIME, {"webhook-signature", SIGNATURE}),
        HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITLAB, TOKEN, MESSAGE, {"webhook-id", "other"}, TIME,
                             {"webhook-signature", SIGNATURE}),
                     HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITLAB, TOKEN, MESSAGE, ID, TIME, {"webhook-signature", ""}),
                     HOOK_FORGED);
    ck_assert_int_eq(
        VERDICT(HOOK_GITLAB, "whsec_?", MESSAGE, ID, TIME, {"webhook-signature", SIGNATURE}),
        HOOK_FORGED);
    ck_assert_int_eq(VERDICT(HOOK_GITLAB, TOKEN, MESSAGE, ID, {"webhook-signature", SIGNATURE}),
                     HOOK_UNSIGNED);
    /* The token itself is never sent, so it opens nothing. */
    ck_assert_int_eq(VERDICT(HOOK_GITLAB, TOKEN, MESSAGE, {"X-Gitlab-Token", TOKEN}),
                     HOOK_UNSIGNED);
}
END_TEST

START_TEST(test_times_of_deliveries)
{
    static const struct header headers[] = {
        ID, TIME, {"webhook-signature", SIGNATURE}, {NULL, NULL}};
    const int64_t sent = 1614265330;
    ck_assert_int_eq(verdict_at(HOOK_GITLAB, TOKEN, MESSAGE, sent + 300, headers), HOOK_SIGNED);
    ck_assert_int_eq(verdict_at(HOOK_GITLAB, TOKEN, MESSAGE, sent - 300, headers), HOOK_SIGNED);
    ck_assert_int_eq(verdict_at(HOOK_GITLAB, TOKEN, MESSAGE, sent + 301, headers), HOOK_STALE);
    ck_assert_int_eq(verdict_at(HOOK_GITLAB, TOKEN, MESSAGE, sent - 301, headers), HOOK_STALE);
    ck_assert_int_eq(VERDICT(HOOK_GITLAB, TOKEN, MESSAGE, ID, {"webhook-timestamp", "soon"},
                             {"webhook-signature", SIGNATURE}),
                     HOOK_FORGED);
}
END_TEST

/* --- deliveries ------------------------------------------------------------------------------ */

static struct hooks *hooks;
static unsigned nudges;
static int64_t now; /* monotonic */
static char secret_file[64];

static int64_t monotonic(void *self)
{
    (void)self;
    return now;
}

static void count_nudge(void *context)
{
    (void)context;
    __atomic_add_fetch(&nudges, 1, __ATOMIC_SEQ_CST);
}

static void write_secret(const char *secret)
{
    FILE *out = fopen(secret_file, "wb");
    ck_assert_ptr_nonnull(out);
    fprintf(out, "%s\n", secret);
    ck_assert_int_eq(fclose(out), 0);
}

/* Hooks of GitHub, by a file, and of GitLab, by a variable; `serving` must have been made. */
static void make_hooks(const struct clock *clock, const char *branch)
{
    static struct reach_secret github = {.name = (char *)"hooks.github", .file = secret_file};
    static struct reach_secret gitlab = {.name = (char *)"hooks.gitlab",
                                         .variable = (char *)"WEIR_TEST_HOOK"};
    struct error error = {0};
    snprintf(secret_file, sizeof secret_file, "/tmp/weir-hook-%ld", (long)getpid());
    write_secret(SECRET);
    setenv("WEIR_TEST_HOOK", SECRET, 1);
    const struct hooks_parts parts = {.secrets = {&github, &gitlab, NULL},
                                      .branch = branch,
                                      .clock = clock,
                                      .telemetry = serving.telemetry,
                                      .nudge = count_nudge};
    ck_assert_msg(hooks_new(&parts, &hooks, &error) == STATUS_OK, "%s", error.message);
    serving.parts.hooks = hooks;
    nudges = 0;
    now = SECOND;
}

static void drop_hooks(void)
{
    hooks_free(hooks);
    unlink(secret_file);
}

static struct worker *worker;
static struct clock frozen;

static void begin(const char *branch)
{
    serving_init(&serving);
    frozen = serving.clock;
    frozen.monotonic = monotonic;
    make_hooks(&frozen, branch);
    worker = worker_new(&serving.parts);
    ck_assert_ptr_nonnull(worker);
}

static void end(void)
{
    worker_free(worker);
    drop_hooks();
    serving_dispose(&serving);
}

/* One delivery through the route, as exchange.c would bring it; the answer is "STATUS BODY". */
static const char *deliver_to(const char *path, const char *body, const struct header *headers)
{
    static char out[1024];
    struct answer answer;
    struct request request = {
        .method = METHOD_POST, .path = text_of(path), .header = find_header, .headers = headers};
    const struct intake *intake = route_intake(request.method, request.path);
    ck_assert_ptr_nonnull(intake);
    request.intake = intake->begin(worker, &request);
    if (request.intake)
        intake->take(request.intake, text_of(body));
    ck_assert_str_eq(route_dispatch(worker, &request, &answer), "hook");
    snprintf(out, sizeof out, "%u %s", answer.status, buffer_string(answer.body));
    if (request.intake)
        intake->end(request.intake);
    return out;
}

#define DELIVER(path, body, ...)                                                                   \
    deliver_to(path, body, (const struct header[]){__VA_ARGS__, {NULL, NULL}})

/* GitLab's token signs any body, so it serves for what hangs on the body. */
#define GITLAB(body, ...) DELIVER("/hooks/gitlab", body, {"X-Gitlab-Token", SECRET}, __VA_ARGS__)

static void check_count(const char *forge, const char *result, int64_t expected)
{
    struct series *series = telemetry_series(serving.telemetry, &family_webhooks, forge, result);
    ck_assert_int_eq(atomic_load(&series->value), expected);
}

START_TEST(test_what_a_delivery_asks_for)
{
    begin("main");
    ck_assert_str_eq(DELIVER("/hooks/github", BODY, {"X-Hub-Signature-256", "sha256=" HEX},
                             {"X-GitHub-Event", "push"}, {"X-GitHub-Delivery", "1"}),
                     "202 {\"result\":\"accepted\"}");
    ck_assert_uint_eq(nudges, 1);
    ck_assert_str_eq(DELIVER("/hooks/github", BODY, {"X-Hub-Signature-256", "sha256=" HEX},
                             {"X-GitHub-Event", "ping"}, {"X-GitHub-Delivery", "2"}),
                     "200 {\"result\":\"pong\"}");
    ck_assert_str_eq(DELIVER("/hooks/github", BODY, {"X-Hub-Signature-256", "sha256=" HEX},
                             {"X-GitHub-Event", "star"}),
                     "202 {\"result\":\"ignored\",\"why\":\"event is no push\"}");
    ck_assert_str_eq(GITLAB("{\"ref\":\"refs/heads/other\"}", {"X-Gitlab-Event", "Push Hook"}),
                     "202 {\"result\":\"ignored\",\"why\":\"push is not to the branch that is "
                     "followed\"}");
    ck_assert_str_eq(GITLAB("{}", {"X-Gitlab-Event", "Issue Hook"}),
                     "202 {\"result\":\"ignored\",\"why\":\"event is no push\"}");
    ck_assert_uint_eq(nudges, 1);
    ck_assert_str_eq(GITLAB("{\"ref\":\"refs/heads/main\"}", {"X-Gitlab-Event", "Push Hook"}),
                     "202 {\"result\":\"accepted\"}");
    ck_assert_str_eq(GITLAB("no json", {"X-Gitlab-Event", "System Hook"}),
                     "202 {\"result\":\"accepted\"}");
    ck_assert_uint_eq(nudges, 3);
    check_count("github", "accepted", 1);
    check_count("github", "ping", 1);
    check_count("github", "ignored", 1);
    check_count("gitlab", "ignored", 2);
    check_count("gitlab", "accepted", 2);
    end();
}
END_TEST

START_TEST(test_what_is_refused)
{
    begin(NULL);
    ck_assert_str_eq(DELIVER("/hooks/github", "forged", {"X-Hub-Signature-256", "sha256=" HEX}),
                     "401 {\"errorDetails\":\"signature does not fit: the secrets of weir and "
                     "github differ\"}");
    ck_assert_str_eq(DELIVER("/hooks/github", BODY, {"X-GitHub-Event", "push"}),
                     "401 {\"errorDetails\":\"delivery is not signed: there is no "
                     "X-Hub-Signature-256; set a secret for it\"}");
    ck_assert_str_eq(DELIVER("/hooks/gitlab", BODY, {"webhook-id", "a"}, {"webhook-timestamp", "1"},
                             {"webhook-signature", SIGNATURE}),
                     "401 {\"errorDetails\":\"webhook-timestamp is more than five minutes from "
                     "the time here: set the clocks\"}");
    check_count("github", "refused", 2);
    check_count("gitlab", "refused", 1);
    const char *unconfigured =
        "404 {\"errorDetails\":\"webhooks of gitea are not taken without a secret: start with "
        "\\\"--hook-secret gitea=FILE\\\", or \\\"hooks: {gitea: {secretFile: FILE}}\\\" in the "
        "configuration file\"}";
    ck_assert_str_eq(DELIVER("/hooks/gitea", BODY, {"X-Gitea-Signature", HEX}), unconfigured);
    ck_assert_str_eq(DELIVER("/hooks/forgejo", BODY, {"X-Gitea-Signature", HEX}), unconfigured);
    check_count("gitea", "unconfigured", 2);
    serving.parts.hooks = NULL;
    ck_assert_str_eq(DELIVER("/hooks/gitea", BODY, {"X-Gitea-Signature", HEX}), unconfigured);
    ck_assert_uint_eq(nudges, 0);
    ck_assert_ptr_null(route_intake(METHOD_POST, TEXT("/hooks/svn")));
    ck_assert_ptr_null(route_intake(METHOD_GET, TEXT("/hooks/github")));
    end();
}
END_TEST

static const char *deliver_numbered(unsigned number)
{
    char id[32];
    snprintf(id, sizeof id, "%u", number);
    return GITLAB("{}", {"Idempotency-Key", id});
}

START_TEST(test_deliveries_are_remembered)
{
    const char *accepted = "202 {\"result\":\"accepted\"}";
    const char *duplicate =
        "202 {\"result\":\"duplicate\",\"why\":\"this delivery has been seen\"}";
    begin(NULL);
    ck_assert_str_eq(deliver_numbered(0), accepted);
    ck_assert_str_eq(deliver_numbered(0), duplicate);
    ck_assert_uint_eq(nudges, 1);
    /* A forged one of the same id is not known by it, and one of an id to come does not use it up.
     */
    ck_assert_int_eq(strncmp(DELIVER("/hooks/gitlab", "{}", {"X-Gitlab-Token", "wrong"},
                                     {"Idempotency-Key", "1"}),
                             "401", 3),
                     0);
    for (unsigned i = 1; i < HOOK_REMEMBERED; i++)
        ck_assert_str_eq(deliver_numbered(i), accepted);
    ck_assert_str_eq(deliver_numbered(0), duplicate);
    ck_assert_str_eq(deliver_numbered(HOOK_REMEMBERED), accepted); /* the oldest is forgotten */
    ck_assert_str_eq(deliver_numbered(1), duplicate);
    ck_assert_str_eq(deliver_numbered(0), accepted);
    now += HOOK_MEMORY - 1;
    ck_assert_str_eq(deliver_numbered(2), duplicate);
    now += 1;
    ck_assert_str_eq(deliver_numbered(2), accepted);
    /* Another forge's ids are its own. */
    ck_assert_str_eq(DELIVER("/hooks/github", BODY, {"X-Hub-Signature-256", "sha256=" HEX},
                             {"X-GitHub-Delivery", "2"}),
                     accepted);
    /* Without an id each is new. */
    ck_assert_str_eq(GITLAB("{}", {"X-Gitlab-Event", "Push Hook"}), accepted);
    ck_assert_str_eq(GITLAB("{}", {"X-Gitlab-Event", "Push Hook"}), accepted);
    end();
}
END_TEST

START_TEST(test_secrets_are_read_again)
{
    struct error error;
    begin(NULL);
    write_secret("new");
    ck_assert_str_eq(DELIVER("/hooks/github", BODY, {"X-Hub-Signature-256", "sha256=" HEX}),
                     "202 {\"result\":\"accepted\"}");
    ck_assert_int_eq(hooks_reload(hooks, &error), STATUS_OK);
    ck_assert_int_eq(
        strncmp(DELIVER("/hooks/github", BODY, {"X-Hub-Signature-256", "sha256=" HEX}), "401", 3),
        0);
    /* One that cannot be read leaves the old in force. */
    write_secret(SECRET);
    ck_assert_int_eq(hooks_reload(hooks, &error), STATUS_OK);
    unlink(secret_file);
    ck_assert_int_eq(hooks_reload(hooks, &error), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.message, "secret 'hooks.github': cannot open"));
    ck_assert_str_eq(DELIVER("/hooks/github", BODY, {"X-Hub-Signature-256", "sha256=" HEX}),
                     "202 {\"result\":\"accepted\"}");
    end();
}
END_TEST

/* --- over a real server ---------------------------------------------------------------------- */

static void start_hooked(void)
{
    struct error error = {0};
    serving_init(&serving);
    serving_publish(&serving, serving_flags, true);
    make_hooks(&serving.clock, NULL);
    ck_assert_msg(http_server_start(&serving.parts, "127.0.0.1:0", 1, address, &server, &error) ==
                      STATUS_OK,
                  "%s", error.message);
}

static void stop_hooked(void)
{
    http_server_stop(server, 5 * SECOND);
    drop_hooks();
    serving_dispose(&serving);
}

/* Sends a delivery of `length` bytes of spaces, signed by GitLab's token. */
static void send_large(struct client *client, size_t length, const char *token, bool chunked)
{
    char head[512];
    static char piece[1 << 16];
    memset(piece, ' ', sizeof piece);
    snprintf(head, sizeof head,
             "POST /hooks/gitlab HTTP/1.1\r\nHost: localhost\r\nX-Gitlab-Token: %s\r\n", token);
    send_text(client, head);
    snprintf(head, sizeof head,
             chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: %zu\r\n\r\n",
             length);
    send_text(client, head);
    while (length) {
        size_t size = length < sizeof piece ? length : sizeof piece;
        snprintf(head, sizeof head, "%zx\r\n", size);
        if (chunked)
            send_text(client, head);
        send_bytes(client, piece, size);
        if (chunked)
            send_text(client, "\r\n");
        length -= size;
    }
    if (chunked)
        send_text(client, "0\r\n\r\n");
}

START_TEST(test_bodies_stream_past)
{
    struct client client;
    struct reply reply;
    start_hooked();
    client_open(&client);
    for (int chunked = 0; chunked < 2; chunked++) {
        send_large(&client, HOOK_BODY_MAX, SECRET, chunked);
        receive(&client, &reply, false);
        ck_assert_uint_eq(reply.status, 202);
        send_large(&client, HOOK_BODY_MAX, "wrong", chunked);
        receive(&client, &reply, false);
        ck_assert_uint_eq(reply.status, 401);
    }
    /* The same connection still serves everything else, and other bodies keep their limit. */
    check_plain(&client);
    send_text(&client,
              "POST " ALL " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17000000\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 413);
    client_close(&client);
    stop_hooked();
}
END_TEST

START_TEST(test_bodies_that_are_too_large)
{
    struct client client;
    struct reply reply;
    char head[256];
    start_hooked();
    client_open(&client);
    snprintf(head, sizeof head,
             "POST /hooks/gitlab HTTP/1.1\r\nHost: localhost\r\nContent-Length: %" PRIu64
             "\r\n\r\n",
             HOOK_BODY_MAX + 1);
    send_text(&client, head);
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 413);
    ck_assert_str_eq(reply.body, "{\"errorDetails\":\"body is larger than 25 MiB\"}");
    client_close(&client);
    check_count("gitlab", "refused", 1);
    check_alive();
    stop_hooked();
}
END_TEST

/* A client that goes in the middle leaves nothing behind (the sanitizer looks), and no delivery. */
START_TEST(test_clients_that_go)
{
    struct client client;
    struct reply reply;
    start_hooked();
    for (int i = 0; i < 20; i++) {
        client_open(&client);
        send_text(&client, "POST /hooks/github HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: "
                           "sha256=" HEX "\r\nContent-Length: 13\r\n\r\nHello, ");
        client_close(&client);
    }
    client_open(&client);
    send_text(&client, "POST /hooks/github HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: "
                       "sha256=" HEX "\r\nContent-Length: 13\r\n\r\nHello, ");
    send_text(&client, "World!");
    receive(&client, &reply, false);
    ck_assert_str_eq(reply.body, "{\"result\":\"accepted\"}");
    ck_assert_uint_eq(reply.status, 202);
    client_close(&client);
    ck_assert_uint_eq(__atomic_load_n(&nudges, __ATOMIC_SEQ_CST), 1);
    stop_hooked();
}
END_TEST

/* Every thread of the server is asked in turn, by requests that no port sees. */
START_TEST(test_threads_prove_alive)
{
    start_hooked();
    for (int i = 0; i < 10; i++)
        ck_assert(http_server_is_alive(server, -1, PATIENT * 1000));
    struct series *series =
        telemetry_series(serving.telemetry, &family_http_requests, "healthz", "200");
    ck_assert_int_eq(atomic_load(&series->value), 10);
    stop_hooked();
}
END_TEST

UNIT_MAIN("hooks", test_refs, test_a_ref_that_is_too_long, test_github, test_every_digit_counts,
          test_gitea_and_forgejo, test_gitlab_token, test_gitlab_signing_token,
          test_times_of_deliveries, test_what_a_delivery_asks_for, test_what_is_refused,
          test_deliveries_are_remembered, test_secrets_are_read_again, test_bodies_stream_past,
          test_bodies_that_are_too_large, test_clients_that_go, test_threads_prove_alive)
