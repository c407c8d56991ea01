/* When an answer is handed on. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#include "../../controller/metrics/asker.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n0.25"
#define PATIENCE 30000 /* milliseconds that a wait lasts which nothing ends */

static unsigned listen_on(int listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    socklen_t size = sizeof address;
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static bool is_readable(int descriptor)
{
    struct pollfd wanted = {descriptor, POLLIN, 0};
    return poll(&wanted, 1, 0) == 1;
}

static int64_t milliseconds(void)
{
    return system_clock.monotonic(system_clock.self) / NANOSECONDS_PER_MILLISECOND;
}

static void note(void *context, const struct reading *reading)
{
    struct reading *out = context;
    *out = *reading;
}

START_TEST(an_answer_that_is_there_waits_for_nothing)
{
    char url[64], request[4096];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", listen_on(listener));
    struct reach_host host = {.host = "127.0.0.1"};
    const struct reach reach = {.hosts = &host, .host_count = 1};
    struct asker *asker = asker_new(&(struct asker_settings){&reach, &system_clock, 4});
    const struct question question = {
        .source = METRIC_HTTP, .address = text_of(url), .expression = TEXT("")};
    struct reading reading = {.state = READING_FAULT};
    ck_assert_ptr_nonnull(asker);
    asker_ask(asker, &question, 0, note, &reading);

    int64_t until = milliseconds() + PATIENCE;
    while (!is_readable(listener) && milliseconds() < until)
        asker_drive(asker, 5);
    int connection = accept(listener, NULL, NULL);
    ck_assert_int_ge(connection, 0);
    while (!is_readable(connection) && milliseconds() < until)
        asker_drive(asker, 5);
    ck_assert_int_gt(recv(connection, request, sizeof request, 0), 0);

    /* On loopback it is there when send() returns: nothing more will ever come to wake anybody. */
    ck_assert_int_eq(send(connection, ANSWER, strlen(ANSWER), MSG_NOSIGNAL), strlen(ANSWER));
    int64_t before = milliseconds();
    asker_drive(asker, PATIENCE);
    ck_assert_int_eq(reading.state, READING_NUMBER);
    ck_assert_double_eq(reading.number, 0.25);
    ck_assert_int_lt(milliseconds() - before, PATIENCE);
    asker_free(asker);
    close(connection);
    close(listener);
}
END_TEST

UNIT_MAIN("asker", an_answer_that_is_there_waits_for_nothing)
