/* What the client does with answers of every shape, and what it contacts. */
#include "scripted_server.h"

#include "../../controller/outward/http_client.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"
#define PATIENCE (60 * NANOSECONDS_PER_SECOND) /* with a server that has no processor now */

struct rig {
    struct scripted_server server;
    struct reach_host hosts[2];
    struct reach reach;
    struct http_client_settings settings;
    struct http_client *client;
    struct http_url url;
    struct http_answer answer;
    struct error error;
};

static void rig_open(struct rig *rig)
{
    http_client_free(rig->client);
    rig->client = http_client_new(&rig->settings);
    ck_assert_ptr_nonnull(rig->client);
}

static void rig_init(struct rig *rig, const struct step *steps, size_t count)
{
    *rig = (struct rig){.hosts = {{.host = "127.0.0.1"}}};
    scripted_start(&rig->server, steps, count);
    rig->reach = (struct reach){.hosts = rig->hosts, .host_count = 1};
    rig->settings.reach = &rig->reach;
    rig->settings.answer_limit = PATIENCE;
    rig_open(rig);
}

static void rig_dispose(struct rig *rig)
{
    http_client_free(rig->client);
    scripted_stop(&rig->server);
}

static enum status ask(struct rig *rig, const char *method, const char *path, struct text body)
{
    char text[300];
    snprintf(text, sizeof text, "%s%s", rig->server.url, path);
    ck_assert_int_eq(http_url_parse(text_of(text), &rig->url, &rig->error), STATUS_OK);
    const struct http_request request = {.method = method, .url = &rig->url, .body = body};
    return http_client_send(rig->client, &request, &rig->answer, &rig->error);
}

#define check_answer(rig, number, text)                                                            \
    do {                                                                                           \
        ck_assert_uint_eq((rig)->answer.status, number);                                           \
        ck_assert_text((rig)->answer.body, text);                                                  \
    } while (0)

START_TEST(requests_and_answers)
{
    static const struct step steps[] = {
        {"GET /a?b=c HTTP/1.1\r\n", OK "Content-Length: 5\r\nX-One:  1 \r\n\r\nhello"},
        {"PUT /a HTTP/1.1\r\n", "HTTP/1.1 100 Continue\r\nX-One: 0\r\n\r\n"
                                "HTTP/1.1 201 Created\r\nx-two: \tb\x01"
                                "c\r\n" EMPTY},
        {"HEAD /a HTTP/1.1\r\n", OK "Content-Length: 1000\r\n\r\n"},
        {"GET / HTTP/1.1\r\n",
         OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"},
        {"POST /a HTTP/1.1\r\n", "HTTP/1.1 500 Oops\r\n" EMPTY},
        {"PATCH /a HTTP/1.1\r\n", "HTTP/1.1 204 No\r\n\r\n"},
    };
    struct rig rig;
    rig_init(&rig, steps, COUNT_OF(steps));
    ck_assert_int_eq(ask(&rig, "GET", "/a?b=c", TEXT("")), STATUS_OK);
    check_answer(&rig, 200, "hello");
    ck_assert_str_ne(rig.url.shown, rig.url.text); /* a query is not shown */

    struct http_field fields[] = {{.name = "X-One"}, {.name = "X-Two"}, {.name = "X-Three"}};
    ck_assert_int_eq(http_url_parse(text_of(rig.server.url), &rig.url, NULL), STATUS_OK);
    snprintf(rig.url.text, sizeof rig.url.text, "%s/a", rig.server.url);
    const struct http_request request = {.method = "PUT",
                                         .url = &rig.url,
                                         .headers = {"X-Mine: y", "Content-Type: text/x"},
                                         .body = TEXT("body"),
                                         .fields = fields,
                                         .field_count = 3};
    ck_assert_int_eq(http_client_send(rig.client, &request, &rig.answer, &rig.error), STATUS_OK);
    check_answer(&rig, 201, "");
    ck_assert_str_eq(fields[0].value, ""); /* of an interim answer */
    ck_assert_str_eq(fields[1].value, "b?c");
    ck_assert_str_eq(fields[2].value, "");
    ck_assert(scripted_saw(&rig.server, 1, "\r\nX-Mine: y\r\n"));
    ck_assert(scripted_saw(&rig.server, 1, "\r\nContent-Type: text/x\r\n"));
    ck_assert(scripted_saw(&rig.server, 1, "\r\nContent-Length: 4\r\n"));
    ck_assert(scripted_saw(&rig.server, 1, "\r\n\r\nbody"));
    ck_assert(!scripted_saw(&rig.server, 1, "Expect"));

    ck_assert_int_eq(ask(&rig, "HEAD", "/a", TEXT("")), STATUS_OK);
    check_answer(&rig, 200, "");
    ck_assert_int_eq(ask(&rig, "GET", "", TEXT("")), STATUS_OK);
    check_answer(&rig, 200, "abc");
    ck_assert(!scripted_saw(&rig.server, 3, "Content-Type"));
    ck_assert_int_eq(ask(&rig, "POST", "/a", TEXT("")), STATUS_OK);
    check_answer(&rig, 500, "");
    ck_assert(!scripted_saw(&rig.server, 4, "Content-Type"));
    ck_assert_int_eq(ask(&rig, "PATCH", "/a", TEXT("x")), STATUS_OK);
    check_answer(&rig, 204, "");
    ck_assert_uint_eq(rig.server.connections, 1);
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_connection_that_was_left_open_and_closed_since)
{
    static const struct step steps[] = {
        {"GET /a", OK EMPTY},
        {"GET /b", SCRIPT_CLOSE},
        {"GET /b", OK "Content-Length: 1\r\n\r\nb"},
        {"GET /c", SCRIPT_CLOSE},
        {"GET /c", SCRIPT_CLOSE},
    };
    struct rig rig;
    rig_init(&rig, steps, COUNT_OF(steps));
    ck_assert_int_eq(ask(&rig, "GET", "/a", TEXT("")), STATUS_OK);
    ck_assert_int_eq(ask(&rig, "GET", "/b", TEXT("")), STATUS_OK);
    check_answer(&rig, 200, "b");
    /* Once more, and no oftener. */
    ck_assert_int_eq(ask(&rig, "GET", "/c", TEXT("")), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(
        strstr(rig.error.message, "/c': connection was closed without an answer"));
    rig_dispose(&rig);
}
END_TEST

START_TEST(answers_that_are_none)
{
    static const struct step steps[] = {
        {"GET /", SCRIPT_CLOSE},
        {"GET /", OK "Content-Length: 9\r\nConnection: close\r\n\r\nabc"},
        {"GET /", "hello\r\n\r\nConnection: close"},
        {"GET /", OK "Content-Length: 9223372036854775807\r\n\r\nConnection: close"},
        {"GET /", "HTTP/1.1 301 Moved\r\n" EMPTY},
        {"GET /", SCRIPT_HANG},
    };
    static const char *const words[] = {
        "connection was closed without an answer",
        "connection was closed in the middle of the answer",
        "answers something that is not HTTP",
        "connection was closed in the middle of the answer",
        "redirects without saying where",
        "no answer within 1 s",
    };
    struct rig rig;
    rig_init(&rig, steps, COUNT_OF(steps));
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        char expected[200];
        rig.settings.answer_limit = strstr(words[i], "1 s") ? NANOSECONDS_PER_SECOND : PATIENCE;
        rig_open(&rig);
        snprintf(expected, sizeof expected, "'%s/': %s", rig.server.url, words[i]);
        ck_assert_int_eq(ask(&rig, "GET", "/", TEXT("")), STATUS_SYSTEM);
        ck_assert_str_eq(rig.error.message, expected);
        ck_assert_ptr_null(http_client_code(rig.client));
    }
    rig_dispose(&rig);
}
END_TEST

/* A body gets a second more for each MiB of it. */
START_TEST(a_long_body_gets_more_time)
{
    static const struct step steps[] = {{"PUT /", SCRIPT_HANG}};
    struct rig rig;
    rig_init(&rig, steps, 1);
    rig.settings.answer_limit = NANOSECONDS_PER_SECOND / 10;
    rig_open(&rig);
    char *body = calloc(1, (size_t)1 << 20);
    ck_assert_ptr_nonnull(body);
    memset(body, 'x', (size_t)1 << 20);
    int64_t before = system_clock.monotonic(NULL);
    ck_assert_int_eq(ask(&rig, "PUT", "/", (struct text){body, (size_t)1 << 20}), STATUS_SYSTEM);
    ck_assert_int_ge(system_clock.monotonic(NULL) - before, NANOSECONDS_PER_SECOND);
    free(body);
    rig_dispose(&rig);
}
END_TEST

START_TEST(answers_that_are_too_large)
{
    static const struct step steps[] = {
        {"GET /", OK "Content-Length: 10\r\nConnection: close\r\n\r\n0123456789"},
        {"GET /", OK "Content-Length: 11\r\nConnection: close\r\n\r\n0123456789a"},
        {"GET /", SCRIPT_FLOOD},
    };
    struct rig rig;
    rig_init(&rig, steps, COUNT_OF(steps));
    rig.settings.answer_maximum = 10;
    rig_open(&rig);
    ck_assert_int_eq(ask(&rig, "GET", "/", TEXT("")), STATUS_OK);
    check_answer(&rig, 200, "0123456789");
    ck_assert_int_eq(ask(&rig, "GET", "/", TEXT("")), STATUS_LIMIT);
    ck_assert_ptr_nonnull(strstr(rig.error.message, "body of the answer is larger than"));
    ck_assert_int_eq(ask(&rig, "GET", "/", TEXT("")), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(rig.error.message, "is not HTTP"));
    rig_dispose(&rig);
}
END_TEST

START_TEST(redirects)
{
    static const struct step steps[] = {
        {"PUT /a ", "HTTP/1.1 307 Moved\r\nLocation: /b?x\r\n" EMPTY},
        {"PUT /b?x ", "HTTP/1.1 301 Moved\r\nLocation: c\r\n" EMPTY},
        {"PUT /c ", OK EMPTY},
        {"GET /", "HTTP/1.1 303 See\r\nLocation: /b\r\n" EMPTY},
        {"GET /", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/z?secret\r\n" EMPTY},
    };
    struct rig rig;
    rig_init(&rig, steps, COUNT_OF(steps));
    ck_assert_int_eq(ask(&rig, "PUT", "/a", TEXT("body")), STATUS_OK);
    check_answer(&rig, 200, "");
    ck_assert(scripted_saw(&rig.server, 2, "\r\n\r\nbody"));
    ck_assert_int_eq(ask(&rig, "GET", "/", TEXT("")), STATUS_OK);
    check_answer(&rig, 303, "");
    char expected[200];
    snprintf(expected, sizeof expected,
             "'%s/' redirects to 'http://127.0.0.1:1/z', which is another server and not followed",
             rig.server.url);
    ck_assert_int_eq(ask(&rig, "GET", "/", TEXT("")), STATUS_REFUSED);
    ck_assert_str_eq(rig.error.message, expected);
    ck_assert_str_eq(http_client_code(rig.client), "W502");
    rig_dispose(&rig);
}
END_TEST

/* --- what may be contacted ------------------------------------------------------------------- */

START_TEST(hosts_and_secrets)
{
    static const struct step steps[] = {{"GET /", OK EMPTY}};
    struct rig rig;
    rig_init(&rig, steps, 1);
    struct reach_secret secret = {
        .name = (char[]){"edge"}, .hosts = rig.hosts + 1, .host_count = 1};
    snprintf(rig.hosts[0].host, sizeof rig.hosts[0].host, "127.0.0.2");
    ck_assert_int_eq(ask(&rig, "GET", "/", TEXT("")), STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(rig.error.message, "--allow-host"));
    ck_assert_str_eq(http_client_code(rig.client), "W502");

    snprintf(rig.hosts[0].host, sizeof rig.hosts[0].host, "127.0.0.1");
    snprintf(rig.hosts[1].host, sizeof rig.hosts[1].host, "127.0.0.2");
    rig.settings.secret = &secret;
    rig_open(&rig);
    ck_assert_int_eq(ask(&rig, "GET", "/", TEXT("")), STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(rig.error.message, "secret 'edge' may not be sent to"));
    ck_assert_str_eq(http_client_code(rig.client), "W503");

    snprintf(rig.hosts[1].host, sizeof rig.hosts[1].host, "::ffff:127.0.0.1");
    ck_assert_int_eq(ask(&rig, "GET", "/", TEXT("")), STATUS_OK);
    ck_assert_ptr_null(http_client_code(rig.client));
    rig_dispose(&rig);
}
END_TEST

START_TEST(nobody_is_there)
{
    struct rig rig;
    rig_init(&rig, NULL, 0);
    scripted_stop(&rig.server);
    ck_assert_int_eq(ask(&rig, "GET", "/", TEXT("")), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(rig.error.message, "cannot connect: Connection refused"));
    ck_assert_int_eq(http_url_parse(TEXT("http://no-such-host.invalid/"), &rig.url, NULL),
                     STATUS_OK);
    const struct http_request request = {.method = "GET", .url = &rig.url};
    ck_assert_int_eq(http_client_send(rig.client, &request, &rig.answer, &rig.error),
                     STATUS_SYSTEM);
    /* A resolver that does not answer in time is no better. */
    ck_assert_msg(strstr(rig.error.message, "host 'no-such-host.invalid' does not resolve") ||
                      strstr(rig.error.message, "cannot connect within 2 s"),
                  "%s", rig.error.message);
    http_client_free(rig.client);
}
END_TEST

/* --- stopping -------------------------------------------------------------------------------- */

struct stopping {
    struct rig *rig;
    _Atomic bool stop;
    int64_t asked;
};

static void *stop_it(void *context)
{
    struct stopping *stopping = context;
    while (!scripted_saw(&stopping->rig->server, 0, "GET /")) {
        const struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
    }
    stopping->asked = system_clock.monotonic(NULL);
    atomic_store(&stopping->stop, true);
    return NULL;
}

START_TEST(a_request_that_is_stopped)
{
    static const struct step steps[] = {{"GET /", SCRIPT_HANG}};
    struct rig rig;
    rig_init(&rig, steps, 1);
    struct stopping stopping = {.rig = &rig};
    pthread_t thread;
    ck_assert_int_eq(http_url_parse(text_of(rig.server.url), &rig.url, NULL), STATUS_OK);
    const struct http_request request = {.method = "GET", .url = &rig.url, .stop = &stopping.stop};
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_it, &stopping), 0);
    ck_assert_int_eq(http_client_send(rig.client, &request, &rig.answer, &rig.error),
                     STATUS_STOPPED);
    pthread_join(thread, NULL);
    /* 100 ms is what is promised; the limit of the request is what would be seen without. */
    ck_assert_int_lt(system_clock.monotonic(NULL) - stopping.asked, PATIENCE / 2);
    rig_dispose(&rig);
}
END_TEST

/* --- answers that go on for ever ---------------------------------------------------------------
 */

struct taken {
    struct rig *rig;
    char text[64];
    size_t length;
};

static void take(void *context, struct text piece)
{
    struct taken *taken = context;
    ck_assert_uint_le(piece.length, sizeof taken->text - taken->length);
    memcpy(taken->text + taken->length, piece.data, piece.length);
    taken->length += piece.length;
}

static enum status ask_stream(struct rig *rig, struct taken *taken, int64_t silence_limit)
{
    const struct http_stream stream = {.take = take, .context = taken};
    ck_assert_int_eq(http_url_parse(text_of(rig->server.url), &rig->url, NULL), STATUS_OK);
    const struct http_request request = {
        .method = "GET", .url = &rig->url, .silence_limit = silence_limit, .stream = &stream};
    return http_client_send(rig->client, &request, &rig->answer, &rig->error);
}

START_TEST(a_stream_is_handed_on_and_ends_when_nothing_comes)
{
    static const struct step steps[] = {
        {"GET /", OK "Content-Length: 100\r\n\r\ndata: x\n\n"},
        {"GET /", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"},
        {"GET /", OK "Connection: close\r\nContent-Length: 2\r\n\r\n:\n"},
    };
    struct rig rig;
    struct taken taken = {0};
    rig_init(&rig, steps, COUNT_OF(steps));
    rig.settings.answer_limit = NANOSECONDS_PER_MILLISECOND; /* says nothing of a stream */
    rig.settings.answer_maximum = 4;                         /* nor does this */
    rig_open(&rig);
    ck_assert_int_eq(ask_stream(&rig, &taken, NANOSECONDS_PER_SECOND), STATUS_SYSTEM);
    ck_assert_msg(strstr(rig.error.message, "nothing came for 1 s"), "%s", rig.error.message);
    ck_assert_text(((struct text){taken.text, taken.length}), "data: x\n\n");
    /* What is no stream is an answer as ever. */
    ck_assert_int_eq(ask_stream(&rig, &taken, 0), STATUS_OK);
    check_answer(&rig, 404, "none");
    ck_assert_uint_eq(taken.length, 9);
    ck_assert_int_eq(ask_stream(&rig, &taken, 0), STATUS_OK);
    check_answer(&rig, 200, "");
    ck_assert_uint_eq(taken.length, 11);
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_silent_server_is_left_before_the_limit_of_an_answer)
{
    static const struct step steps[] = {{"GET /", SCRIPT_HANG}};
    struct rig rig;
    rig_init(&rig, steps, 1);
    rig.settings.answer_limit = 600 * NANOSECONDS_PER_SECOND;
    rig_open(&rig);
    ck_assert_int_eq(http_url_parse(text_of(rig.server.url), &rig.url, NULL), STATUS_OK);
    const struct http_request request = {
        .method = "GET", .url = &rig.url, .silence_limit = NANOSECONDS_PER_SECOND};
    ck_assert_int_eq(http_client_send(rig.client, &request, &rig.answer, &rig.error),
                     STATUS_SYSTEM);
    ck_assert_msg(strstr(rig.error.message, "nothing came for 1 s"), "%s", rig.error.message);
    rig_dispose(&rig);
}
END_TEST

/* --- URLs ------------------------------------------------------------------------------------ */

START_TEST(urls)
{
    static const struct {
        const char *url, *host, *text;
        unsigned port;
        bool tls;
    } good[] = {
        {"http://h", "h", "http://h:80/", 80, false},
        {"https://h.example/a", "h.example", "https://h.example:443/a", 443, true},
        {"https://h:8443/a?b=c/d", "h", "https://h:8443/a?b=c/d", 8443, true},
        {"http://[::1]:7000/a", "::1", "http://[::1]:7000/a", 7000, false},
        {"http://h?x", "h", "http://h:80/?x", 80, false},
    };
    static const char *const bad[] = {
        "",
        "h",
        "ftp://h/",
        "http:/h",
        "http://",
        "http:///x",
        "http://u@h/",
        "http://u:hunter2@h/",
        "http://h:0/",
        "http://h:99999/",
        "http://h:80:80/",
        "http://h/a b",
        "http://h/\r\nX: y",
        "http://h/\xc3\xbc",
        "http://h/#a",
        "http://h\\@evil/",
        "http://h\\x",
        "http://[::1/",
        "http://h%2fx/",
        "HTTP://h/",
    };
    struct http_url url;
    struct error error;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        ck_assert_int_eq(http_url_parse(text_of(good[i].url), &url, NULL), STATUS_OK);
        ck_assert_str_eq(url.server.host, good[i].host);
        ck_assert_str_eq(url.text, good[i].text);
        ck_assert_uint_eq(url.server.port, good[i].port);
        ck_assert_int_eq(url.tls, good[i].tls);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        error.message[0] = '\0';
        ck_assert_msg(http_url_parse(text_of(bad[i]), &url, &error) == STATUS_INVALID, "%s",
                      bad[i]);
        ck_assert(error.message[0] && !strstr(error.message, "hunter2"));
    }
    char *longer = calloc(1, 3000);
    ck_assert_ptr_nonnull(longer);
    memset(longer, 'x', 2999);
    memcpy(longer, "http://h/", 9);
    ck_assert_int_eq(http_url_parse(text_of(longer), &url, NULL), STATUS_LIMIT);
    longer[HTTP_URL_SIZE - 1] = '\0'; /* fits as it is, not with its port */
    ck_assert_int_eq(http_url_parse(text_of(longer), &url, NULL), STATUS_LIMIT);
    free(longer);
}
END_TEST

static bool same(const char *a, const char *b)
{
    struct http_url one, two;
    ck_assert_int_eq(http_url_parse(text_of(a), &one, NULL), STATUS_OK);
    ck_assert_int_eq(http_url_parse(text_of(b), &two, NULL), STATUS_OK);
    return http_url_same_server(&one, &two);
}

static bool loopback(const char *text)
{
    struct http_url url;
    ck_assert_int_eq(http_url_parse(text_of(text), &url, NULL), STATUS_OK);
    return http_url_is_loopback(&url);
}

START_TEST(servers)
{
    ck_assert(same("http://h/a", "http://H:80/b"));
    ck_assert(!same("http://h/", "https://h/"));
    ck_assert(!same("http://h:80/", "https://h:80/"));
    ck_assert(!same("http://h/", "http://h:81/"));
    ck_assert(!same("http://h/", "http://h2/"));
    ck_assert(loopback("http://127.0.0.1/") && loopback("http://127.9.9.9/"));
    ck_assert(loopback("http://[::1]/") && loopback("http://LocalHost/"));
    ck_assert(!loopback("http://128.0.0.1/") && !loopback("http://[::2]/"));
    ck_assert(!loopback("http://localhost.example/") && !loopback("http://127.0.0.1.example/"));
}
END_TEST

UNIT_MAIN("http_client", requests_and_answers, a_connection_that_was_left_open_and_closed_since,
          answers_that_are_none, a_long_body_gets_more_time, answers_that_are_too_large, redirects,
          hosts_and_secrets, nobody_is_there, a_request_that_is_stopped,
          a_stream_is_handed_on_and_ends_when_nothing_comes,
          a_silent_server_is_left_before_the_limit_of_an_answer, urls, servers)
