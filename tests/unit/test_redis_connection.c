/* Which server a target speaks to, as whom, and what becomes of a connection that breaks. */
#include "redis_site.h"

#include "../../controller/targets/redis_connection.h"

START_TEST(test_a_server_that_was_restarted_empty)
{
    struct site site;
    if (!make_site(&site))
        return;
    struct snapshot *snapshot = snapshot_of(TWO_FLAGS, 1);
    check_given(&site, snapshot);
    redis_server_kill(&site.server);
    ck_assert_int_eq(give(&site, snapshot), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(site.error.message, "redis at '127.0.0.1:"));
    redis_server_run(&site.server, NULL);
    check_given(&site, snapshot);
    check_count(&site, "doc", 2);
    /* Between two pushes: no failure at all. */
    redis_server_kill(&site.server);
    redis_server_run(&site.server, NULL);
    check_given(&site, snapshot);
    check_count(&site, "doc", 2);
    /* Only the script is forgotten. */
    tell(&site.server, "SCRIPT FLUSH");
    give_new(&site, ONE_CHANGED, 2);
    check_field(&site, "doc", "checkout", OFF_JSON);
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

START_TEST(test_databases)
{
    struct site site;
    if (!make_site(&site))
        return;
    char url[96];
    snprintf(url, sizeof url, "%s/3", site.server.url);
    site.definition.location = url;
    reopen(&site);
    give_new(&site, TWO_FLAGS, 1);
    check_count(&site, "doc", 0);
    tell(&site.server, "SELECT 3");
    check_count(&site, "doc", 2);
    leave(&site);
}
END_TEST

static void check_password(struct site *site, const char *secret, enum status expected)
{
    ck_assert_int_eq(setenv("WEIR_TEST_REDIS", secret, 1), 0);
    reopen(site);
    struct snapshot *snapshot = snapshot_of(TWO_FLAGS, 1);
    enum status status = give(site, snapshot);
    ck_assert_msg(status == expected, "'%s': %d: %s", secret, (int)status, site->error.message);
    ck_assert_msg(!strstr(site->error.message, "hunter"), "%s", site->error.message);
    snapshot_release(snapshot);
}

START_TEST(test_credentials)
{
    struct site site;
    if (!make_site_with(&site, "hunter2"))
        return;
    struct reach_secret secret = {.name = (char[]){"edge"},
                                  .variable = (char[]){"WEIR_TEST_REDIS"},
                                  .hosts = site.hosts,
                                  .host_count = 1};
    site.reach.secrets = &secret;
    site.reach.secret_count = 1;
    check_password(&site, "hunter2", STATUS_SYSTEM); /* the target names none */
    ck_assert_ptr_nonnull(strstr(site.error.message, "name a secret"));
    site.definition.secret = (char[]){"edge"};
    check_password(&site, "hunter2", STATUS_OK);
    check_password(&site, "hunter3", STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(site.error.message, "secret 'edge' are not taken (WRONGPASS)"));
    check_password(&site, "default:hunter2", STATUS_OK);
    tell(&site.server, "ACL SETUSER weir on >hunter:4 ~* &* +@all");
    check_password(&site, "weir:hunter:4", STATUS_OK);
    check_password(&site, "weir:hunter2", STATUS_SYSTEM);
    /* Not to hosts that the operator did not say. */
    secret.host_count = 0;
    check_password(&site, "hunter2", STATUS_REFUSED);
    ck_assert_str_eq(site.driver->code(site.state), "W503");
    site.definition.secret = (char[]){"other"};
    check_password(&site, "hunter2", STATUS_REFUSED);
    ck_assert_str_eq(site.driver->code(site.state), "W503");
    ck_assert_ptr_nonnull(strstr(site.error.message, "'other' is not known"));
    site.definition.secret = NULL;
    site.reach.host_count = 0;
    check_password(&site, "hunter2", STATUS_REFUSED);
    ck_assert_str_eq(site.driver->code(site.state), "W502");
    leave(&site);
}
END_TEST

START_TEST(test_what_the_server_says)
{
    struct site site;
    if (!make_site(&site))
        return;
    struct snapshot *snapshot = snapshot_of(TWO_FLAGS, 1);
    tell(&site.server, "SET {weir:production}:meta x");
    ck_assert_int_eq(give(&site, snapshot), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(site.error.message, "WRONGTYPE"));
    tell(&site.server, "DEL {weir:production}:meta");
    tell(&site.server, "HSET {weir:production}:meta generation 7");
    ck_assert_int_eq(give(&site, snapshot), STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(site.error.message, "did not write"));
    tell(&site.server, "DEL {weir:production}:meta");
    check_given(&site, snapshot);
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

START_TEST(test_urls)
{
    static const struct {
        const char *url, *host;
        unsigned port, database;
    } good[] = {
        {"redis://redis", "redis", 6379, 0},      {"redis://redis/", "redis", 6379, 0},
        {"redis://redis:7000", "redis", 7000, 0}, {"redis://127.0.0.1:1/15", "127.0.0.1", 1, 15},
        {"redis://[::1]:7000/2", "::1", 7000, 2},
    };
    static const char *const bad[] = {
        "",
        "redis:",
        "redis://",
        "http://redis",
        "rediss://redis",
        "redis://u:hunter2@redis",
        "redis://:hunter2@redis",
        "redis://redis:0",
        "redis://redis/x",
        "redis://redis/-1",
        "redis://redis/65536",
        "redis://redis/1/2",
        "redis://redis?db=1",
        "redis:///1",
        "redis://::1:80",
        "unix:///tmp/redis.sock",
    };
    struct redis_place place;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        ck_assert_int_eq(redis_url_parse(text_of(good[i].url), &place, NULL), STATUS_OK);
        ck_assert_str_eq(place.server.host, good[i].host);
        ck_assert_uint_eq(place.server.port, good[i].port);
        ck_assert_uint_eq(place.database, good[i].database);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct error error = {0};
        ck_assert_msg(redis_url_parse(text_of(bad[i]), &place, &error) == STATUS_INVALID,
                      "'%s' was taken", bad[i]);
        ck_assert_ptr_null(strstr(error.message, "hunter2"));
    }
}
END_TEST

/* --- a server that never comes to an end ------------------------------------------------------ */

struct endless {
    int listener;
    unsigned port;
    pthread_t thread;
    const char *begin; /* what it answers first */
    size_t piece;      /* bytes that follow again and again */
    long pause;        /* nanoseconds between them */
};

static void *answer_endlessly(void *context)
{
    const struct endless *server = context;
    static const char piece[65536];
    int connection = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    ssize_t sent = send(connection, server->begin, strlen(server->begin), MSG_NOSIGNAL);
    while (sent > 0) {
        nanosleep(&(struct timespec){.tv_nsec = server->pause}, NULL);
        sent = send(connection, piece, server->piece, MSG_NOSIGNAL);
    }
    close(connection);
    return NULL;
}

static void start_endless(struct endless *server)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof here;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&here, length), 0);
    ck_assert_int_eq(listen(server->listener, 1), 0);
    ck_assert_int_eq(getsockname(server->listener, (struct sockaddr *)&here, &length), 0);
    server->port = ntohs(here.sin_port);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, answer_endlessly, server), 0);
}

/* What a PING comes to. */
static void ping(struct endless *server, const _Atomic bool *stop, struct error *error)
{
    struct reach_host host = {.host = "127.0.0.1"};
    const struct reach reach = {.hosts = &host, .host_count = 1};
    start_endless(server);
    host.port = (uint16_t)server->port;
    struct redis_connection connection = {
        .reach = &reach,
        .place = {.server = host},
        /* of the one that ends by it */
        .exchange_limit = server->pause && !stop ? NANOSECONDS_PER_SECOND / 10 : 0,
        .answer_maximum = (size_t)1 << 20,
        .stop = stop};
    ck_assert_int_eq(redis_connect(&connection, error), STATUS_OK);
    redis_begin(&connection, 1);
    redis_send(&connection, TEXT("PING"));
    ck_assert_ptr_null(redis_receive(&connection, error));
    ck_assert_ptr_null(connection.context);
    ck_assert(!connection.lost);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

START_TEST(test_an_answer_without_end)
{
    struct error error = {0};
    struct endless slow = {.begin = "+PON", .piece = 1, .pause = 5000000};
    struct endless large = {.begin = "$3000000000\r\n", .piece = 65536};
    struct endless many = {.begin = "*1000000\r\n$100000\r\n", .piece = 65536};
    const _Atomic bool stop = true;
    ping(&slow, NULL, &error);
    ck_assert_ptr_nonnull(strstr(error.message, "takes longer for an answer"));
    ping(&large, NULL, &error);
    ck_assert_ptr_nonnull(strstr(error.message, "answers more than is read"));
    ping(&slow, &stop, &error);
    ck_assert_ptr_nonnull(strstr(error.message, "was stopped"));
    ping(&many, NULL, &error);
    ck_assert_int_eq(error.status, STATUS_SYSTEM);
}
END_TEST

UNIT_MAIN("redis_connection", test_a_server_that_was_restarted_empty, test_databases,
          test_credentials, test_what_the_server_says, test_an_answer_without_end, test_urls)
