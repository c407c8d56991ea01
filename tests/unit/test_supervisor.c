#include "served.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/un.h>

#include "../../controller/notify_socket.h"
#include "../../controller/supervisor.h"

/* --- somebody who listens, as systemd would -------------------------------------------------- */

static int listener;
static char where[108];

/* Binds a datagram socket at `name` ("@…" or a path) and puts it into the environment. */
static void listen_at(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    snprintf(where, sizeof where, "%s", name);
    memcpy(at.sun_path, name, length);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(listener, 0);
    struct timeval wait = {.tv_sec = PATIENT};
    ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, size), 0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static void listen_abstract(void)
{
    char name[64];
    snprintf(name, sizeof name, "@weir-test-%ld", (long)getpid());
    listen_at(name);
}

static void end_listening(void)
{
    close(listener);
    if (where[0] == '/')
        unlink(where);
}

/* The next message; fails when none comes. */
static const char *hear(void)
{
    static char message[NOTIFY_MESSAGE_MAX + 1];
    ssize_t length = recv(listener, message, sizeof message - 1, 0);
    ck_assert_msg(length >= 0, "nothing was said: %s", strerror(errno));
    message[length] = '\0';
    return message;
}

/* Hears until a message begins with `start`; fails where `never` comes before, or much else. */
static const char *hear_until(const char *start, const char *never)
{
    const char *message;
    unsigned heard = 0;
    do {
        message = hear();
        ck_assert_msg(++heard < 20 * PATIENT, "%s was never said", start);
        ck_assert_msg(!never || strncmp(message, never, strlen(never)) != 0, "heard %s", message);
    } while (strncmp(message, start, strlen(start)) != 0);
    return message;
}

static bool is_silent_for(int milliseconds, const char *never)
{
    struct pollfd waited = {.fd = listener, .events = POLLIN};
    while (poll(&waited, 1, milliseconds) > 0)
        if (strncmp(hear(), never, strlen(never)) == 0)
            return false;
    return true;
}

/* --- the socket ------------------------------------------------------------------------------ */

static void check_messages(void)
{
    struct notify_socket notify;
    struct error error = {0};
    setenv("WATCHDOG_USEC", "30000000", 1);
    ck_assert_msg(notify_socket_open(&notify, &error) == STATUS_OK, "%s", error.message);
    ck_assert(notify_socket_is_open(&notify));
    ck_assert_int_eq(notify.watchdog, 30 * SECOND);
    notify_socket_send(&notify, "READY=1\nSTATUS=%s", "fine");
    ck_assert_str_eq(hear(), "READY=1\nSTATUS=fine");
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
    /* A message that is too long is cut, one that nobody hears is lost. */
    notify_socket_send(&notify, "STATUS=%05000d", 0);
    ck_assert_uint_eq(strlen(hear()), NOTIFY_MESSAGE_MAX - 1);
    end_listening();
    notify_socket_send(&notify, "READY=1");
    notify_socket_close(&notify);
    notify_socket_send(&notify, "READY=1");
}

START_TEST(test_an_abstract_socket)
{
    listen_abstract();
    check_messages();
}
END_TEST

START_TEST(test_a_socket_in_a_folder)
{
    char name[64];
    snprintf(name, sizeof name, "/tmp/weir-notify-%ld", (long)getpid());
    listen_at(name);
    check_messages();
}
END_TEST

START_TEST(test_addresses_and_watchdogs)
{
    struct notify_socket notify;
    struct error error;
    char own[24];
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_eq(notify_socket_open(&notify, &error), STATUS_OK);
    ck_assert(!notify_socket_is_open(&notify));
    static const char *const wrong[] = {"relative", "/", "@", "vsock:2:1234"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        setenv("NOTIFY_SOCKET", wrong[i], 1);
        ck_assert_int_eq(notify_socket_open(&notify, &error), STATUS_INVALID);
        ck_assert(!notify_socket_is_open(&notify));
    }
    snprintf(own, sizeof own, "%ld", (long)getpid());
    const struct {
        const char *process, *time;
        int64_t expected;
    } cases[] = {
        {own, "1500", 1500000}, {"1", "1500", 0},  {"x", "1500", 0},
        {own, "-1", 0},         {own, "12x", 0},   {own, "99999999999999999999", 0},
        {own, "0", 0},          {NULL, "2", 2000},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setenv("NOTIFY_SOCKET", "@nobody-hears-this", 1);
        setenv("WATCHDOG_USEC", cases[i].time, 1);
        if (cases[i].process)
            setenv("WATCHDOG_PID", cases[i].process, 1);
        ck_assert_int_eq(notify_socket_open(&notify, &error), STATUS_OK);
        ck_assert_int_eq(notify.watchdog, cases[i].expected);
        notify_socket_close(&notify);
    }
}
END_TEST

/* --- the supervisor -------------------------------------------------------------------------- */

static struct supervisor *supervisor;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: what is asked gets no answer */
static _Atomic bool core_is_stuck;
static _Atomic unsigned questions, unanswered;
static _Atomic unsigned hanging; /* HTTP threads that came to the gate */
static _Atomic unsigned held_up; /* threads that had to wait for the status */
static pthread_mutex_t status_gate = PTHREAD_MUTEX_INITIALIZER; /* of what stands below */
static char status_text[512] = "{\"commit\":null,\"environments\":[],\"errors\":0}";

/* Answers as core's loop would, at once, for it is idle. */
static void ask_core(void *context)
{
    (void)context;
    bool stuck = atomic_load(&core_is_stuck);
    if (!stuck)
        supervisor_answer(supervisor);
    atomic_fetch_add(stuck ? &unanswered : &questions, 1);
}

/* Until more have been counted than `before`: all that was said by then lies in the socket. */
static void wait_for_more(_Atomic unsigned *count, unsigned before)
{
    for (int i = 0; i < PATIENT * 200 && atomic_load(count) <= before; i++)
        poll(NULL, 0, 5);
    ck_assert_uint_gt(atomic_load(count), before);
}

static void write_status(void *context, struct buffer *out)
{
    (void)context;
    if (pthread_mutex_trylock(&status_gate) != 0) {
        atomic_fetch_add(&held_up, 1);
        pthread_mutex_lock(&status_gate);
    }
    buffer_append_string(out, status_text);
    pthread_mutex_unlock(&status_gate);
}

static void set_status(const char *text)
{
    pthread_mutex_lock(&status_gate);
    snprintf(status_text, sizeof status_text, "%s", text);
    pthread_mutex_unlock(&status_gate);
}

/* GET /status hangs an HTTP thread for as long as the gate is held. */
static void write_slowly(void *context, struct buffer *out)
{
    (void)context;
    atomic_fetch_add(&hanging, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    buffer_append_string(out, "{}");
}

static void supervise(const char *watchdog)
{
    struct error error = {0};
    serving_init(&serving);
    serving.parts.write_status = write_slowly;
    ck_assert_int_eq(http_server_start(&serving.parts, "127.0.0.1:0", 2, address, &server, &error),
                     STATUS_OK);
    listen_abstract();
    if (watchdog)
        setenv("WATCHDOG_USEC", watchdog, 1);
    else
        unsetenv("WATCHDOG_USEC");
    const struct supervisor_parts parts = {
        .hub = &serving.hub, .http = server, .ask_core = ask_core, .write_status = write_status};
    /* The first question may come before supervisor_start() has returned. */
    atomic_store(&core_is_stuck, true);
    ck_assert_msg(supervisor_start(&parts, &supervisor, &error) == STATUS_OK, "%s", error.message);
    ck_assert_ptr_nonnull(supervisor);
    atomic_store(&core_is_stuck, false);
    supervisor_answer(supervisor);
}

static void end_supervision(void)
{
    supervisor_stop(supervisor);
    hear_until("STOPPING=1\nSTATUS=stopping", NULL);
    ck_assert(is_silent_for(0, "")); /* that was the last word */
    supervisor_free(supervisor);
    end_listening();
    http_server_stop(server, PATIENT * SECOND);
    serving_dispose(&serving);
}

START_TEST(test_ready_is_what_is_served)
{
    supervise("200000");
    ck_assert_str_eq(hear_until("STATUS=", "READY"), "STATUS=waiting for the first valid commit");
    /* Alive but not ready: the start is given more time, again and again. */
    hear_until("EXTEND_TIMEOUT_USEC=", "READY");
    hear_until("EXTEND_TIMEOUT_USEC=", "READY");
    supervisor_reloading(supervisor);
    supervisor_reloaded(supervisor); /* must not count as the start's end */
    hear_until("WATCHDOG=1", "READY");
    serving_publish(&serving, serving_flags, true);
    supervisor_note(supervisor);
    hear_until("READY=1", NULL);
    set_status("{\"commit\":\"3f9c2d1a8b213f9c\",\"environments\":[{},{}],\"errors\":2,"
               "\"lastFetch\":{\"error\":\"no route\\nREADY=1\"}}");
    supervisor_note(supervisor);
    ck_assert_str_eq(hear_until("STATUS=", NULL),
                     "STATUS=serving commit 3f9c2d1a8b21, 2 environments; errors in the newest "
                     "commit: 2; fetching fails: no route READY=1");
    hear_until("WATCHDOG=1", NULL);
    hear_until("WATCHDOG=1", "READY");
    supervisor_reloading(supervisor);
    ck_assert_ptr_nonnull(strstr(hear_until("RELOADING=1\n", NULL), "\nMONOTONIC_USEC="));
    supervisor_reloaded(supervisor);
    hear_until("READY=1", NULL);
    end_supervision();
}
END_TEST

START_TEST(test_a_stuck_core_lets_the_watchdog_fire)
{
    supervise("100000");
    hear_until("WATCHDOG=1", NULL);
    unsigned before = atomic_load(&unanswered);
    atomic_store(&core_is_stuck, true);
    wait_for_more(&unanswered, before);
    /* What was said before is still to be heard; then there is silence. */
    is_silent_for(0, "nothing");
    ck_assert(is_silent_for(500, "WATCHDOG=1"));
    ck_assert(is_silent_for(1, "EXTEND_TIMEOUT_USEC="));
    atomic_store(&core_is_stuck, false);
    supervisor_answer(supervisor);
    hear_until("WATCHDOG=1", NULL);
    atomic_store(&core_is_stuck, true); /* and it can be stopped while it waits */
    end_supervision();
}
END_TEST

START_TEST(test_a_stuck_http_thread_lets_the_watchdog_fire)
{
    struct client client;
    struct reply reply;
    supervise("200000");
    hear_until("WATCHDOG=1", NULL);
    pthread_mutex_lock(&gate);
    client_open(&client);
    send_text(&client, "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    wait_for_more(&hanging, 0);
    /* One of the two threads hangs now, and whoever was asked before has answered: then the other
     * one alone proves nothing. */
    wait_for_more(&questions, atomic_load(&questions));
    is_silent_for(0, "nothing");
    ck_assert(is_silent_for(600, "WATCHDOG=1"));
    pthread_mutex_unlock(&gate);
    receive(&client, &reply, false);
    ck_assert_uint_eq(reply.status, 200);
    hear_until("WATCHDOG=1", NULL);
    client_close(&client);
    end_supervision();
}
END_TEST

START_TEST(test_a_probe_can_be_woken)
{
    struct client client;
    struct reply reply;
    serving_init(&serving);
    serving.parts.write_status = write_slowly;
    struct error error = {0};
    ck_assert_int_eq(http_server_start(&serving.parts, "127.0.0.1:0", 1, address, &server, &error),
                     STATUS_OK);
    int wake = eventfd(1, EFD_CLOEXEC);
    pthread_mutex_lock(&gate);
    client_open(&client);
    send_text(&client, "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ck_assert(!http_server_is_alive(server, wake, 3600 * 1000));
    wait_for_more(&hanging, 0);
    ck_assert(!http_server_is_alive(server, -1, 50));
    pthread_mutex_unlock(&gate);
    receive(&client, &reply, false);
    ck_assert(http_server_is_alive(server, -1, PATIENT * 1000));
    close(wake);
    client_close(&client);
    http_server_stop(server, 5 * SECOND);
    serving_dispose(&serving);
}
END_TEST

/* A manager that is busy: what it had no room for is said again. */
START_TEST(test_what_found_no_room_is_said_again)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    supervise("200000");
    int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(other, 0);
    memcpy(at.sun_path + 1, where + 1, strlen(where) - 1);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(where));
    for (int turn = 0; turn < 3; turn++) {
        hear_until("WATCHDOG=1", NULL);
        while (sendto(other, "X", 1, 0, (struct sockaddr *)&at, size) == 1) {
        }
        if (turn == 0)
            serving_publish(&serving, serving_flags, true);
        else if (turn == 1)
            set_status("{\"commit\":\"3f9c2d1a8b213f9c\",\"environments\":[{}],\"errors\":0}");
        else
            supervisor_reloading(supervisor);
        if (turn == 2)
            supervisor_reloaded(supervisor);
        supervisor_note(supervisor);
        wait_for_more(&questions, atomic_load(&questions) + 1);
        hear_until(turn == 2 ? "RELOADING=1" : "X", NULL);
        if (turn == 1)
            hear_until("STATUS=serving commit 3f9c2d1a8b21, 1 environment", NULL);
        else
            hear_until("READY=1", NULL);
    }
    close(other);
    end_supervision();
}
END_TEST

static void *stop_supervisor(void *context)
{
    supervisor_stop(context);
    return NULL;
}

START_TEST(test_that_it_stops_is_the_last_word)
{
    pthread_t thread;
    supervise("200000");
    hear_until("WATCHDOG=1", NULL);
    pthread_mutex_lock(&status_gate);
    snprintf(status_text, sizeof status_text, "{\"commit\":\"3f9c2d1a8b213f9c\"}");
    supervisor_note(supervisor);
    wait_for_more(&held_up, 0); /* it is about to say so */
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_supervisor, supervisor), 0);
    ck_assert(is_silent_for(200, "STOPPING"));
    pthread_mutex_unlock(&status_gate);
    pthread_join(thread, NULL);
    hear_until("STOPPING=1", NULL);
    ck_assert(is_silent_for(0, ""));
    supervisor_free(supervisor);
    end_listening();
    http_server_stop(server, PATIENT * SECOND);
    serving_dispose(&serving);
}
END_TEST

START_TEST(test_without_a_watchdog)
{
    supervise(NULL);
    hear_until("EXTEND_TIMEOUT_USEC=", "WATCHDOG");
    serving_publish(&serving, serving_flags, true);
    supervisor_note(supervisor);
    hear_until("READY=1", "WATCHDOG");
    end_supervision();
}
END_TEST

START_TEST(test_nobody_supervises)
{
    const struct supervisor_parts parts = {.hub = NULL};
    struct error error;
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_eq(supervisor_start(&parts, &supervisor, &error), STATUS_OK);
    ck_assert_ptr_null(supervisor);
    supervisor_note(supervisor);
    supervisor_answer(supervisor);
    supervisor_reloading(supervisor);
    supervisor_reloaded(supervisor);
    supervisor_stop(supervisor);
    supervisor_free(supervisor);
}
END_TEST

UNIT_MAIN("supervisor", test_an_abstract_socket, test_a_socket_in_a_folder,
          test_addresses_and_watchdogs, test_ready_is_what_is_served,
          test_a_stuck_core_lets_the_watchdog_fire, test_a_stuck_http_thread_lets_the_watchdog_fire,
          test_a_probe_can_be_woken, test_what_found_no_room_is_said_again,
          test_that_it_stops_is_the_last_word, test_without_a_watchdog, test_nobody_supervises)
