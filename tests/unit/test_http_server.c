/* The server as a whole: where it listens, how it stops, and what it does under load. */
#include "served.h"

#include <sys/epoll.h>

#include "../../controller/http/listen.h"
#include "../../controller/telemetry_families.h"

/* --- listening ------------------------------------------------------------------------------- */

/* On an address that others reach too, only health is for everybody. */
static void check_guarded(void)
{
    struct client client;
    struct reply reply;
    client_open(&client);
    send_post(&client, ONE "plain", "", USER);
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 401);
    send_text(&client, "GET /healthz HTTP/1.1\r\nHost: anything\r\n\r\n");
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 200);
    client_close(&client);
}

START_TEST(test_addresses)
{
    static const struct {
        const char *listen, *prefix;
    } cases[] = {{"127.0.0.1:0", "127.0.0.1:"},
                 {"localhost:0", NULL},
                 {":0", NULL},
                 {"0.0.0.0:0", "0.0.0.0:"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {0};
        serving_init(&serving);
        serving_publish(&serving, serving_flags, true);
        ck_assert_msg(http_server_start(&serving.parts, cases[i].listen, 1, address, &server,
                                        &error) == STATUS_OK,
                      "%s", error.message);
        ck_assert_uint_ne(port_of(address), 0);
        if (cases[i].prefix)
            ck_assert_msg(text_starts_with(text_of(address), text_of(cases[i].prefix)), "%s",
                          address);
        if (cases[i].prefix && strcmp(cases[i].prefix, "0.0.0.0:") != 0)
            check_alive();
        else if (strcmp(cases[i].listen, "localhost:0") != 0)
            check_guarded();
        stop();
    }
}
END_TEST

START_TEST(test_ipv6)
{
    int descriptor = -1;
    struct error error = {0};
    enum status status = listen_open("[::1]:0", &descriptor, address, &error);
    if (status != STATUS_OK) {
        /* A machine without IPv6 says so; anything else is a fault. */
        ck_assert_msg(strstr(error.message, "not an address of this machine") ||
                          strstr(error.message, "not supported"),
                      "%s", error.message);
        return;
    }
    ck_assert_msg(text_starts_with(text_of(address), TEXT("[::1]:")), "%s", address);
    ck_assert_uint_ne(port_of(address), 0);
    close(descriptor);
}
END_TEST

START_TEST(test_refused_addresses)
{
    static const struct {
        const char *listen;
        enum status status;
        const char *message;
    } cases[] = {
        {"localhost", STATUS_INVALID, "'localhost' has no port; write ADDRESS:PORT"},
        {"", STATUS_INVALID, "'' has no port; write ADDRESS:PORT"},
        {"127.0.0.1:", STATUS_INVALID, "'' is not a port; write 0 to 65535"},
        {"127.0.0.1:65536", STATUS_INVALID, "'65536' is not a port; write 0 to 65535"},
        {"127.0.0.1:99999999999999999999", STATUS_INVALID,
         "'99999999999999999999' is not a port; write 0 to 65535"},
        {"127.0.0.1:80x", STATUS_INVALID, "'80x' is not a port; write 0 to 65535"},
        {"127.0.0.1:-1", STATUS_INVALID, "'-1' is not a port; write 0 to 65535"},
        {"::1:80", STATUS_INVALID,
         "'::1:80' is ambiguous; write an IPv6 address in brackets: [IPV6]:PORT"},
        {"[::1:80", STATUS_INVALID, "'[::1:80' is not an address; write [IPV6]:PORT"},
        {"[::1]80", STATUS_INVALID, "'[::1]80' is not an address; write [IPV6]:PORT"},
        {"[:80", STATUS_INVALID, "'[:80' is not an address; write [IPV6]:PORT"},
        {"192.0.2.1:0", STATUS_SYSTEM,
         "cannot listen on '192.0.2.1:0': Cannot assign requested address; it is not an address of "
         "this machine"},
    };
    serving_init(&serving);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {0};
        enum status status =
            http_server_start(&serving.parts, cases[i].listen, 1, address, &server, &error);
        ck_assert_str_eq(error.message, cases[i].message);
        ck_assert_int_eq(status, cases[i].status);
    }
    serving_dispose(&serving);
}
END_TEST

START_TEST(test_port_in_use)
{
    start(1);
    char taken[64], expected[256];
    struct http_server *second = NULL;
    struct error error = {0};
    ck_assert_int_eq(http_server_start(&serving.parts, address, 1, taken, &second, &error),
                     STATUS_SYSTEM);
    snprintf(expected, sizeof expected,
             "cannot listen on '%s': Address already in use; choose another port, or 0 for a free "
             "one",
             address);
    ck_assert_str_eq(error.message, expected);
    ck_assert_ptr_null(second);
    check_alive();
    stop();
}
END_TEST

/* --- stopping -------------------------------------------------------------------------------- */

static void *stop_patiently(void *patience)
{
    http_server_stop(server, *(int64_t *)patience);
    return NULL;
}

/* Until nobody listens there any more. */
static void wait_until_refused(void)
{
    for (int i = 0; i < PATIENT * 200; i++) {
        int descriptor = try_connect();
        if (descriptor < 0)
            return;
        close(descriptor);
        poll(NULL, 0, 5);
    }
    ck_abort_msg("still listening");
}

/* Until all that was sent has been read by the server, as the kernel counts it. */
static void wait_until_read(void)
{
    char hex[16];
    for (int i = 0; i < PATIENT * 200; i++) {
        char line[512];
        bool waiting = false;
        FILE *table = fopen("/proc/net/tcp", "re");
        ck_assert_ptr_nonnull(table);
        snprintf(hex, sizeof hex, ":%04X ", port_of(address));
        while (fgets(line, sizeof line, table)) {
            /* "sl local:port remote:port st tx:rx …": what a local port of ours has not read */
            char *local = strchr(line, ':') ? strstr(strchr(line, ':') + 1, hex) : NULL;
            char *queue = local && local - line < 25 ? strchr(local + 6, ' ') : NULL;
            unsigned state, sent, received;
            if (queue && sscanf(queue, " %x %x:%x", &state, &sent, &received) == 3 && received)
                waiting = true;
        }
        fclose(table);
        if (!waiting)
            return;
        poll(NULL, 0, 5);
    }
    ck_abort_msg("the server does not read");
}

START_TEST(test_stop_finishes_requests)
{
    struct client busy, idle;
    struct reply reply;
    pthread_t stopper;
    int64_t patience = PATIENT * SECOND;
    start(2);
    client_open(&idle);
    check_plain(&idle);
    client_open(&busy);
    send_text(&busy, "POST " ONE
                     "plain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 33\r\n\r\n{\"context\"");
    wait_until_read();
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_patiently, &patience), 0);
    /* The one in flight is waited for, and told not to send another. */
    struct pollfd hang_up = {.fd = busy.descriptor, .events = POLLIN};
    ck_assert_int_eq(poll(&hang_up, 1, 200), 0);
    send_text(&busy, ":{\"targetingKey\":\"u1\"}}");
    receive(&busy, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);
    ck_assert_str_eq(header_of(&reply, "Connection"), "close");
    ck_assert(at_end(&busy));
    pthread_join(stopper, NULL);
    ck_assert(at_end(&idle));
    wait_until_refused();
    client_close(&busy);
    client_close(&idle);
    serving_dispose(&serving);
}
END_TEST

static int gate[2]; /* a pipe: /status waits for a byte */

static void status_behind_gate(void *context, struct buffer *out)
{
    char byte;
    (void)context;
    ck_assert_int_eq(read(gate[0], &byte, 1), 1);
    buffer_append_string(out, "{}");
}

START_TEST(test_stop_takes_who_waits)
{
    /* The one thread is busy while a client connects and a stop begins: the kernel has taken that
     * connection, so the client has every reason to expect an answer. */
    struct client busy, waiting;
    struct reply reply;
    struct error error = {0};
    pthread_t stopper;
    int64_t patience = PATIENT * SECOND;
    ck_assert_int_eq(pipe(gate), 0);
    serving_init(&serving);
    serving_publish(&serving, serving_flags, true);
    serving.parts.write_status = status_behind_gate;
    ck_assert_int_eq(http_server_start(&serving.parts, "127.0.0.1:0", 1, address, &server, &error),
                     STATUS_OK);
    client_open(&busy);
    send_text(&busy, "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    wait_until_read();
    client_open(&waiting);
    send_post(&waiting, ONE "plain", "", USER);
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_patiently, &patience), 0);
    struct pollfd answered = {.fd = waiting.descriptor, .events = POLLIN};
    ck_assert_int_eq(poll(&answered, 1, 200), 0);
    ck_assert_int_eq(write(gate[1], "x", 1), 1);
    receive(&busy, &reply, false);
    ck_assert_uint_eq(reply.status, 200);
    receive(&waiting, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);
    ck_assert_str_eq(header_of(&reply, "Connection"), "close");
    pthread_join(stopper, NULL);
    client_close(&busy);
    client_close(&waiting);
    close(gate[0]);
    close(gate[1]);
    serving_dispose(&serving);
}
END_TEST

/* While set, the system leaves each thread of the server waiting that has something to read. */
static atomic_bool held_up, has_something;

/* What libmicrohttpd calls. */
__attribute__((visibility("default"))) int epoll_wait(int descriptor, struct epoll_event *events,
                                                      int most, int timeout)
{
    int ready = epoll_pwait(descriptor, events, most, timeout, NULL);
    if (ready > 0 && atomic_load(&held_up)) {
        atomic_store(&has_something, true);
        while (atomic_load(&held_up))
            poll(NULL, 0, 1);
    }
    return ready;
}

/* A machine that is busy: the stop begins and goes on before the thread has read a request. */
START_TEST(test_stop_waits_for_threads_that_are_late)
{
    struct client late;
    struct reply reply;
    pthread_t stopper;
    int64_t patience = PATIENT * SECOND;
    start(1);
    client_open(&late);
    check_plain(&late);
    atomic_store(&held_up, true);
    send_post(&late, ONE "plain", "", USER);
    for (int i = 0; i < PATIENT * 200 && !atomic_load(&has_something); i++)
        poll(NULL, 0, 5);
    ck_assert(atomic_load(&has_something));
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_patiently, &patience), 0);
    struct pollfd answered = {.fd = late.descriptor, .events = POLLIN};
    ck_assert_int_eq(poll(&answered, 1, 200), 0);
    atomic_store(&held_up, false);
    receive(&late, &reply, false);
    ck_assert_str_eq(reply.body, PLAIN);
    ck_assert_str_eq(header_of(&reply, "Connection"), "close");
    pthread_join(stopper, NULL);
    client_close(&late);
    serving_dispose(&serving);
}
END_TEST

START_TEST(test_stop_is_bounded)
{
    struct client stuck;
    start(1);
    client_open(&stuck);
    send_text(&stuck,
              "POST " ONE "plain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 33\r\n\r\n{");
    wait_until_read();
    int64_t before = serving_monotonic(NULL);
    http_server_stop(server, SECOND / 10);
    int64_t took = serving_monotonic(NULL) - before;
    ck_assert_int_ge(took, SECOND / 10);
    ck_assert_int_lt(took, 10 * SECOND);
    ck_assert(at_end(&stuck));
    client_close(&stuck);
    serving_dispose(&serving);
    http_server_stop(NULL, 0);
}
END_TEST

/* --- load ------------------------------------------------------------------------------------ */

struct load {
    pthread_t thread;
    atomic_bool *enough;
    unsigned long answers;
    _Atomic unsigned changes; /* how often the answer differed from the one before */
};

static const char flag_on[] =
    "{\"flags\":{\"plain\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"on\"}}}";
static const char flag_off[] =
    "{\"flags\":{\"plain\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"off\"}}}";

static void *ask_on(void *context)
{
    struct load *load = context;
    struct client *client = calloc(1, sizeof *client);
    ck_assert_ptr_nonnull(client);
    struct reply reply;
    char last = 0;
    client_open(client);
    while (!atomic_load(load->enough)) {
        send_post(client, load->answers % 3 ? ONE "plain" : ALL, "", USER);
        receive(client, &reply, false);
        ck_assert_uint_eq(reply.status, 200);
        const char *value = strstr(reply.body, "\"value\":");
        ck_assert_ptr_nonnull(value);
        ck_assert(value[8] == 't' || value[8] == 'f');
        atomic_fetch_add(&load->changes, last != 0 && last != value[8]);
        last = value[8];
        load->answers++;
    }
    client_close(client);
    free(client);
    return NULL;
}

START_TEST(test_swaps_under_load)
{
    enum { SWAPS = 300 };
    atomic_bool enough = false;
    struct load loads[2];
    start(2);
    serving_publish(&serving, flag_on, true);
    for (size_t i = 0; i < COUNT_OF(loads); i++) {
        loads[i] = (struct load){.enough = &enough};
        ck_assert_int_eq(pthread_create(&loads[i].thread, NULL, ask_on, &loads[i]), 0);
    }
    struct client client;
    struct reply reply;
    client_open(&client);
    unsigned swaps = 0;
    /* Both are to have seen some of them, however late they are. */
    for (unsigned i = 0;
         i < SWAPS ||
         (i < 100 * SWAPS && !(atomic_load(&loads[0].changes) && atomic_load(&loads[1].changes)));
         i++, swaps++) {
        serving_publish(&serving, i % 2 ? flag_on : flag_off, true);
        /* What is published is what the next request gets. */
        send_post(&client, ONE "plain", "", USER);
        receive(&client, &reply, false);
        ck_assert_ptr_nonnull(strstr(reply.body, i % 2 ? "\"value\":true" : "\"value\":false"));
    }
    client_close(&client);
    atomic_store(&enough, true);
    uint64_t answers = 0;
    for (size_t i = 0; i < COUNT_OF(loads); i++) {
        pthread_join(loads[i].thread, NULL);
        answers += loads[i].answers;
        ck_assert_uint_gt(loads[i].changes, 0);
    }
    struct series *single =
        telemetry_series(serving.telemetry, &family_http_requests, "evaluate_flag", "200");
    struct series *bulk =
        telemetry_series(serving.telemetry, &family_http_requests, "evaluate_flags", "200");
    ck_assert_uint_eq((uint64_t)(single->value + bulk->value), answers + swaps);
    stop();
}
END_TEST

START_TEST(test_stop_under_load)
{
    /* Clients that send the next request as soon as they have an answer: each gets an answer to
     * every request that it sent before it was told to close. */
    struct client clients[8];
    struct reply reply;
    pthread_t stopper;
    int64_t patience = PATIENT * SECOND;
    start(2);
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        client_open(&clients[i]);
        check_plain(&clients[i]);
        send_post(&clients[i], ONE "plain", "", USER);
    }
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_patiently, &patience), 0);
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        for (;;) {
            receive(&clients[i], &reply, false);
            ck_assert_uint_eq(reply.status, 200);
            if (header_of(&reply, "Connection") || i > 0)
                break;
            send_post(&clients[i], ONE "plain", "", USER);
        }
        client_close(&clients[i]);
    }
    pthread_join(stopper, NULL);
    serving_dispose(&serving);
}
END_TEST

UNIT_MAIN("http_server", test_addresses, test_ipv6, test_refused_addresses, test_port_in_use,
          test_stop_finishes_requests, test_stop_takes_who_waits,
          test_stop_waits_for_threads_that_are_late, test_stop_is_bounded, test_swaps_under_load,
          test_stop_under_load)
