/* Notices on their way: to real servers, and what becomes of them when those refuse or are away. */
#include "scripted_server.h"

#include <poll.h>
#include <sys/wait.h>

#include "../../controller/notify/notifier.h"
#include "../../controller/telemetry_families.h"

#define EMPTY "Content-Length: 0\r\n\r\n"
#define TAKEN "HTTP/1.1 202 Accepted\r\n" EMPTY
#define PATIENCE_MS 30000

struct rig {
    struct scripted_server server;
    char url[100];
    struct reach_host hosts[1];
    struct reach_secret secrets[2];
    struct reach reach;
    struct notify_channel channels[2];
    struct outbox outbox;
    struct telemetry *telemetry;
    struct clock clock;
    struct notifier *notifier;
    struct error error;
};

static _Atomic int64_t ahead; /* of the wall clock */
/* While it stands, a channel that has failed is not tried again: it is quiet until a time that does
 * not come. */
static _Atomic bool time_stands;

static int64_t shifted_wall(void *self)
{
    (void)self;
    return system_clock.wall(NULL) + atomic_load(&ahead);
}

static int64_t held_monotonic(void *self)
{
    (void)self;
    return atomic_load(&time_stands) ? NANOSECONDS_PER_SECOND : system_clock.monotonic(NULL);
}

/* Of the secrets the first is `hook`, whose value is the server's URL; the second `key`. */
static void rig_init(struct rig *rig, const struct step *steps, size_t count)
{
    static char hook[] = "hook", hook_variable[] = "WEIR_TEST_HOOK";
    static char key[] = "key", key_variable[] = "WEIR_TEST_KEY";
    static char slack[] = "slack", events[] = "events";
    *rig = (struct rig){.hosts = {{.host = "127.0.0.1"}}, .clock = system_clock};
    scripted_start(&rig->server, steps, count);
    rig->clock.wall = shifted_wall;
    rig->clock.monotonic = held_monotonic;
    atomic_store(&ahead, 0);
    atomic_store(&time_stands, false);
    snprintf(rig->url, sizeof rig->url, "%s/T0/s3cret", rig->server.url);
    ck_assert_int_eq(setenv(hook_variable, rig->url, 1), 0);
    ck_assert_int_eq(setenv(key_variable, "It's a Secret to Everybody", 1), 0);
    rig->secrets[0] = (struct reach_secret){
        .name = hook, .variable = hook_variable, .hosts = rig->hosts, .host_count = 1};
    rig->secrets[1] = (struct reach_secret){
        .name = key, .variable = key_variable, .hosts = rig->hosts, .host_count = 1};
    rig->reach = (struct reach){.secrets = rig->secrets, .secret_count = 2};
    rig->channels[0] = (struct notify_channel){
        .name = slack, .type = NOTIFY_SLACK, .events = UINT32_MAX, .secret = hook};
    rig->channels[1] = (struct notify_channel){.name = events,
                                               .type = NOTIFY_WEBHOOK,
                                               .events = UINT32_MAX,
                                               .url = rig->url,
                                               .secret = key};
    ck_assert(outbox_memory_new(&rig->outbox));
    rig->telemetry = telemetry_new();
    ck_assert_ptr_nonnull(rig->telemetry);
}

static void rig_start(struct rig *rig, const struct notify_channel *channels, size_t count)
{
    const struct notifier_parts parts = {.channels = channels,
                                         .channel_count = count,
                                         .world = {&rig->reach, &rig->clock, "weir"},
                                         .outbox = &rig->outbox,
                                         .telemetry = rig->telemetry};
    ck_assert_int_eq(notifier_start(&parts, &rig->notifier, &rig->error), STATUS_OK);
}

static void rig_dispose(struct rig *rig)
{
    notifier_stop(rig->notifier);
    telemetry_free(rig->telemetry);
    outbox_memory_free(&rig->outbox);
    scripted_stop(&rig->server);
}

static enum status tell(struct rig *rig, const char *event, const char *id)
{
    const struct notice notice = {.fields = {[NOTICE_EVENT] = text_of(event),
                                             [NOTICE_ID] = text_of(id),
                                             [NOTICE_ENVIRONMENT] = TEXT("production"),
                                             [NOTICE_ROLLOUT] = TEXT("checkout-v2"),
                                             [NOTICE_REASON] = TEXT("errors & <more>"),
                                             [NOTICE_TIME] = TEXT("2027-02-09T10:14:00Z")}};
    return notifier_tell(rig->notifier, &notice, &rig->error);
}

static int64_t count_of(struct rig *rig, const char *channel, const char *result)
{
    struct series *series =
        telemetry_series(rig->telemetry, &family_notifications, channel, result);
    return atomic_load(&series->value);
}

/* Until the channel has that many of the result; fails when it does not come. */
static void wait_for(struct rig *rig, const char *channel, const char *result, int64_t number)
{
    for (int waited = 0; count_of(rig, channel, result) < number; waited += 5) {
        ck_assert_msg(waited < PATIENCE_MS, "%s: %s never came to %d", channel, result,
                      (int)number);
        poll(NULL, 0, 5);
    }
    ck_assert_int_eq(count_of(rig, channel, result), number);
}

static const char *request_of(struct rig *rig, size_t index)
{
    pthread_mutex_lock(&rig->server.lock);
    const char *text = buffer_string(&rig->server.requests[index]);
    pthread_mutex_unlock(&rig->server.lock);
    return text;
}

START_TEST(slack_is_told)
{
    static const struct step steps[] = {
        {"POST /T0/s3cret HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}};
    struct rig rig;
    rig_init(&rig, steps, COUNT_OF(steps));
    rig_start(&rig, rig.channels, 1);
    ck_assert_int_eq(tell(&rig, "rollout.held", "a1"), STATUS_OK);
    wait_for(&rig, "slack", "sent", 1);
    ck_assert(
        scripted_saw(&rig.server, 0, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    ck_assert(scripted_saw(&rig.server, 0,
                           "\"text\":\"rollout.held: production/checkout-v2: errors &amp; "
                           "&lt;more&gt;\"}"));
    ck_assert_uint_eq(rig.outbox.count(rig.outbox.self, "slack"), 0);
    rig_dispose(&rig);
}
END_TEST

/* The same bytes again, so that a receiver knows them. */
START_TEST(a_webhook_that_is_away_is_told_the_same_later)
{
    static const struct step steps[] = {
        {"POST /T0/s3cret HTTP/1.1\r\n", "HTTP/1.1 503 Away\r\nConnection: close\r\n" EMPTY},
        {"POST /T0/s3cret HTTP/1.1\r\n", SCRIPT_CLOSE},
        {"POST /T0/s3cret HTTP/1.1\r\n", TAKEN},
    };
    struct rig rig;
    rig_init(&rig, steps, COUNT_OF(steps));
    rig_start(&rig, &rig.channels[1], 1);
    ck_assert_int_eq(tell(&rig, "rollout.killed", "b2"), STATUS_OK);
    wait_for(&rig, "events", "sent", 1);
    ck_assert_int_eq(count_of(&rig, "events", "failed"), 2);
    ck_assert_str_eq(request_of(&rig, 0), request_of(&rig, 1));
    ck_assert_str_eq(request_of(&rig, 0), request_of(&rig, 2));
    ck_assert(scripted_saw(&rig.server, 2,
                           "\r\nContent-Type: application/cloudevents+json; charset=UTF-8\r\n"));
    ck_assert(scripted_saw(&rig.server, 2, "{\"specversion\":\"1.0\",\"id\":\"b2\","));
    /* The signature is that of the body. */
    struct buffer line;
    const char *body = strstr(request_of(&rig, 2), "\r\n\r\n") + 4;
    buffer_init(&line, 0);
    buffer_append_string(&line, "\r\nX-Weir-Signature-256: ");
    webhook_sign(TEXT("It's a Secret to Everybody"), text_of(body), &line);
    ck_assert(scripted_saw(&rig.server, 2, buffer_string(&line)));
    buffer_dispose(&line);
    rig_dispose(&rig);
}
END_TEST

START_TEST(what_is_refused_is_given_up)
{
    static const struct step steps[] = {
        {"POST /", "HTTP/1.1 400 Bad\r\nContent-Length: 15\r\n\r\ninvalid_payload"},
        {"POST /", TAKEN},
    };
    struct rig rig;
    struct buffer status;
    rig_init(&rig, steps, COUNT_OF(steps));
    rig_start(&rig, rig.channels, 1);
    ck_assert_int_eq(tell(&rig, "rollout.held", "a1"), STATUS_OK);
    wait_for(&rig, "slack", "refused", 1);
    buffer_init(&status, 0);
    notifier_write_status(rig.notifier, &status);
    const char *text = buffer_string(&status);
    ck_assert_ptr_nonnull(strstr(text, "answered 400 to POST: invalid_payload"));
    ck_assert_ptr_null(strstr(text, "s3cret")); /* Slack's URL is one */
    buffer_dispose(&status);
    ck_assert_int_eq(tell(&rig, "rollout.held", "a2"), STATUS_OK);
    wait_for(&rig, "slack", "sent", 1);
    rig_dispose(&rig);
}
END_TEST

START_TEST(after_days_it_is_given_up)
{
    static const struct step steps[] = {{"POST /", "HTTP/1.1 500 Oops\r\n" EMPTY},
                                        {"POST /", "HTTP/1.1 500 Oops\r\n" EMPTY},
                                        {"POST /", TAKEN}};
    struct rig rig;
    rig_init(&rig, steps, COUNT_OF(steps));
    atomic_store(&time_stands, true);
    rig_start(&rig, rig.channels, 1);
    ck_assert_int_eq(tell(&rig, "rollout.held", "a1"), STATUS_OK);
    wait_for(&rig, "slack", "failed", 1);
    atomic_store(&ahead, NOTIFIER_PATIENCE);
    atomic_store(&time_stands, false);
    wait_for(&rig, "slack", "expired", 1);
    ck_assert_uint_eq(rig.outbox.count(rig.outbox.self, "slack"), 0);
    ck_assert_int_eq(tell(&rig, "rollout.held", "a2"), STATUS_OK);
    wait_for(&rig, "slack", "sent", 1);
    rig_dispose(&rig);
}
END_TEST

/* What is due in days, by a clock that was wrong, is not left for days. */
START_TEST(a_clock_that_is_set_back)
{
    static const struct step steps[] = {{"POST /", "HTTP/1.1 500 Oops\r\n" EMPTY},
                                        {"POST /", TAKEN}};
    struct rig rig;
    rig_init(&rig, steps, COUNT_OF(steps));
    atomic_store(&ahead, NOTIFIER_PATIENCE);
    rig_start(&rig, rig.channels, 1);
    ck_assert_int_eq(tell(&rig, "rollout.held", "a1"), STATUS_OK);
    wait_for(&rig, "slack", "failed", 1);
    atomic_store(&ahead, 0);
    wait_for(&rig, "slack", "sent", 1);
    rig_dispose(&rig);
}
END_TEST

/* How long the end takes, in nanoseconds, of a channel that waits for its answer. */
static int64_t end_while_one_hangs(void)
{
    static const struct step steps[] = {{"POST /T0/s3cret", SCRIPT_HANG}};
    static const struct step other_steps[] = {{"POST /other", TAKEN}};
    struct scripted_server other;
    struct rig rig;
    char url[100];
    rig_init(&rig, steps, COUNT_OF(steps));
    scripted_start(&other, other_steps, COUNT_OF(other_steps));
    snprintf(url, sizeof url, "%s/other", other.url);
    rig.channels[1].url = url;
    rig_start(&rig, rig.channels, 2);
    ck_assert_int_eq(tell(&rig, "rollout.held", "a1"), STATUS_OK);
    wait_for(&rig, "events", "sent", 1);
    for (int waited = 0; !scripted_saw(&rig.server, 0, "rollout.held"); waited += 5) {
        ck_assert_int_lt(waited, PATIENCE_MS);
        poll(NULL, 0, 5);
    }
    int64_t began = system_clock.monotonic(NULL);
    notifier_stop(rig.notifier);
    rig.notifier = NULL;
    int64_t took = system_clock.monotonic(NULL) - began;
    ck_assert_uint_eq(rig.outbox.count(rig.outbox.self, "slack"), 1);
    scripted_stop(&other);
    rig_dispose(&rig);
    return took;
}

/* Well before the time that an answer may take; once, for this machine may be busy. */
START_TEST(a_channel_that_hangs_holds_up_no_other_nor_the_end)
{
    int64_t took = INT64_MAX;
    for (int i = 0; i < 5 && took >= 4 * NANOSECONDS_PER_SECOND; i++)
        took = end_while_one_hangs();
    ck_assert_int_lt(took, 4 * NANOSECONDS_PER_SECOND);
}
END_TEST

START_TEST(only_what_a_channel_wants)
{
    static const struct step steps[] = {{"POST /", TAKEN}};
    struct rig rig;
    rig_init(&rig, steps, COUNT_OF(steps));
    rig.channels[0].events = 1U << notice_event_of(TEXT("rollout.killed"));
    rig_start(&rig, rig.channels, 1);
    ck_assert_int_eq(tell(&rig, "rollout.held", "a1"), STATUS_OK);
    ck_assert_int_eq(tell(&rig, "rollout.killed", "a2"), STATUS_OK);
    ck_assert_int_eq(tell(&rig, "rollout.kiled", "a3"), STATUS_INVALID);
    ck_assert_int_eq(tell(&rig, "rollout.killed", ""), STATUS_INVALID);
    wait_for(&rig, "slack", "sent", 1);
    ck_assert(scripted_saw(&rig.server, 0, "rollout.killed"));
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_secret_goes_to_its_own_hosts_only)
{
    static struct reach_host elsewhere[] = {{.host = "192.0.2.1"}};
    struct rig rig;
    struct buffer status;
    rig_init(&rig, NULL, 0);
    atomic_store(&time_stands, true);
    rig.secrets[1].hosts = elsewhere;
    rig_start(&rig, &rig.channels[1], 1);
    ck_assert_int_eq(tell(&rig, "rollout.held", "a1"), STATUS_OK);
    wait_for(&rig, "events", "failed", 1);
    buffer_init(&status, 0);
    notifier_write_status(rig.notifier, &status);
    ck_assert_ptr_nonnull(strstr(buffer_string(&status), "secret 'key' may not be sent to"));
    buffer_dispose(&status);
    rig_dispose(&rig);
    ck_assert_uint_eq(rig.server.connections, 0);
}
END_TEST

static enum status full(void *self, const struct outbox_entry *entry, struct error *error)
{
    (void)self;
    (void)entry;
    return error_set(error, STATUS_LIMIT, "the outbox is full");
}

START_TEST(what_the_outbox_does_not_take_is_lost_aloud)
{
    struct rig rig;
    rig_init(&rig, NULL, 0);
    rig.outbox.append = full;
    rig_start(&rig, rig.channels, 2);
    ck_assert_int_eq(tell(&rig, "rollout.held", "a1"), STATUS_LIMIT);
    ck_assert_str_eq(rig.error.message, "the outbox is full");
    ck_assert_int_eq(count_of(&rig, "slack", "lost"), 1);
    ck_assert_int_eq(count_of(&rig, "events", "lost"), 1);
    rig_dispose(&rig);
}
END_TEST

/* --- mail ------------------------------------------------------------------------------------ */

struct mail_server {
    pid_t pid;
    int in, out;
    unsigned port;
    char folder[64];
};

/* A line of what the server says, without its end; false when it has ended. */
static bool read_line(struct mail_server *server, char *line, size_t size)
{
    size_t length = 0;
    for (;;) {
        struct pollfd wanted = {server->out, POLLIN, 0};
        ck_assert_msg(poll(&wanted, 1, PATIENCE_MS) == 1, "the mail server says nothing");
        if (read(server->out, line + length, 1) != 1)
            return false;
        if (line[length] == '\n' || length == size - 2)
            break;
        length++;
    }
    line[length] = '\0';
    return true;
}

/* False, and a line that says so, where there is no aiosmtpd. */
static bool start_mail(struct mail_server *server, const char *const *arguments)
{
    const char *command[16] = {"/usr/bin/python3", "tests/unit/mail_server.py"};
    char line[200] = "";
    int in[2], out[2];
    for (size_t i = 2; i < 15 && *arguments; i++)
        command[i] = *arguments++;
    ck_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (server->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execv(command[0], (char *const *)command);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server->in = in[1];
    server->out = out[0];
    ck_assert_msg(read_line(server, line, sizeof line), "the mail server does not start");
    if (strcmp(line, "missing") != 0) {
        ck_assert_msg(sscanf(line, "port %u", &server->port) == 1, "%s", line);
        return true;
    }
    printf("\nskipped: there is no python3-aiosmtpd to take mail\n");
    return false;
}

static void stop_mail(struct mail_server *server)
{
    int status;
    close(server->in);
    close(server->out);
    ck_assert_int_eq(waitpid(server->pid, &status, 0), server->pid);
}

static struct notify_channel mail_channel(const struct mail_server *server, char url[64])
{
    static char name[] = "mail", from[] = "weir@example.com", user[] = "robot";
    static char ops[] = "ops@example.com", dev[] = "dev@example.com", *to[] = {ops, dev};
    static char template[] = "{{reason}} \xe2\x9c\x97";
    snprintf(url, 64, "smtp://127.0.0.1:%u", server->port);
    return (struct notify_channel){.name = name,
                                   .type = NOTIFY_SMTP,
                                   .events = UINT32_MAX,
                                   .template = template,
                                   .url = url,
                                   .from = from,
                                   .user = user,
                                   .to = to,
                                   .to_count = 2};
}

START_TEST(mail_is_sent)
{
    static const char *const arguments[] = {"--refuse", "RCPT 451 later", "--refuse",
                                            "RCPT 451 later", NULL};
    struct mail_server server = {0};
    struct rig rig;
    char url[64], line[1000];
    if (!start_mail(&server, arguments)) {
        stop_mail(&server);
        return;
    }
    rig_init(&rig, NULL, 0);
    struct notify_channel channel = mail_channel(&server, url);
    channel.clear = true;
    rig_start(&rig, &channel, 1);
    ck_assert_int_eq(tell(&rig, "rollout.rolled-back", "c3"), STATUS_OK);
    ck_assert(read_line(&server, line, sizeof line));
    ck_assert_str_eq(line,
                     "mail from=weir@example.com to=ops@example.com,dev@example.com "
                     "id=<c3.mail@example.com> headers=Auto-Submitted,Content-Transfer-Encoding,"
                     "Content-Type,Date,From,MIME-Version,Message-ID,Subject,To "
                     "subject=[weir] rollout.rolled-back production/checkout-v2 "
                     "text=errors & <more> \xe2\x9c\x97");
    wait_for(&rig, "mail", "sent", 1);
    ck_assert_int_eq(count_of(&rig, "mail", "failed"), 1); /* both recipients, later */
    rig_dispose(&rig);
    stop_mail(&server);
}
END_TEST

START_TEST(mail_by_starttls_and_password)
{
    struct mail_server server = {0};
    struct rig rig;
    char url[64], line[1000], ca[100];
    make_folder(server.folder);
    const char *const arguments[] = {"--tls", server.folder, "--auth",
                                     "robot:It's a Secret to Everybody", NULL};
    if (!start_mail(&server, arguments)) {
        stop_mail(&server);
        return;
    }
    rig_init(&rig, NULL, 0);
    snprintf(ca, sizeof ca, "%s/ca.pem", server.folder);
    struct notify_channel channel = mail_channel(&server, url);
    channel.secret = rig.secrets[1].name;
    atomic_store(&time_stands, true);
    rig_start(&rig, &channel, 1); /* by the system's authorities: it is not trusted */
    ck_assert_int_eq(tell(&rig, "rollout.held", "c4"), STATUS_OK);
    wait_for(&rig, "mail", "failed", 1);
    notifier_stop(rig.notifier);
    ck_assert_uint_eq(rig.outbox.count(rig.outbox.self, "mail"), 1);
    atomic_store(&time_stands, false);
    rig.reach.ca_file = ca;
    rig_start(&rig, &channel, 1); /* and what waited is sent after a restart */
    ck_assert(read_line(&server, line, sizeof line));
    ck_assert_ptr_nonnull(strstr(line, "id=<c4.mail@example.com>"));
    wait_for(&rig, "mail", "sent", 1);
    rig_dispose(&rig);
    stop_mail(&server);
    remove_folder(server.folder);
}
END_TEST

START_TEST(mail_is_not_sent_in_clear)
{
    static const char *const arguments[] = {NULL};
    struct mail_server server = {0};
    struct rig rig;
    struct buffer status;
    char url[64];
    if (!start_mail(&server, arguments)) {
        stop_mail(&server);
        return;
    }
    rig_init(&rig, NULL, 0);
    struct notify_channel channel = mail_channel(&server, url);
    atomic_store(&time_stands, true);
    rig_start(&rig, &channel, 1);
    ck_assert_int_eq(tell(&rig, "rollout.held", "c5"), STATUS_OK);
    wait_for(&rig, "mail", "failed", 1);
    buffer_init(&status, 0);
    notifier_write_status(rig.notifier, &status);
    ck_assert_ptr_nonnull(strstr(buffer_string(&status), "the server offers no STARTTLS"));
    buffer_dispose(&status);
    rig_dispose(&rig);
    stop_mail(&server);
}
END_TEST

START_TEST(mail_that_is_refused)
{
    static const char *const arguments[] = {"--refuse", "DATA 554 no", "--refuse",
                                            "RCPT 550 unknown", NULL};
    struct mail_server server = {0};
    struct rig rig;
    struct buffer status;
    char url[64], line[1000];
    if (!start_mail(&server, arguments)) {
        stop_mail(&server);
        return;
    }
    rig_init(&rig, NULL, 0);
    struct notify_channel channel = mail_channel(&server, url);
    channel.clear = true;
    rig_start(&rig, &channel, 1);
    ck_assert_int_eq(tell(&rig, "rollout.held", "c6"), STATUS_OK);
    wait_for(&rig, "mail", "refused", 1);
    buffer_init(&status, 0);
    notifier_write_status(rig.notifier, &status);
    ck_assert_ptr_nonnull(strstr(buffer_string(&status), "the server answered 554 to the mail"));
    buffer_dispose(&status);
    ck_assert_int_eq(tell(&rig, "rollout.held", "c7"), STATUS_OK);
    ck_assert(read_line(&server, line, sizeof line));
    ck_assert_ptr_nonnull(strstr(line, "id=<c7.mail@example.com>"));
    wait_for(&rig, "mail", "sent", 1);
    rig_dispose(&rig);
    stop_mail(&server);
}
END_TEST

UNIT_MAIN("notifier", slack_is_told, a_webhook_that_is_away_is_told_the_same_later,
          what_is_refused_is_given_up, after_days_it_is_given_up, a_clock_that_is_set_back,
          a_channel_that_hangs_holds_up_no_other_nor_the_end, only_what_a_channel_wants,
          a_secret_goes_to_its_own_hosts_only, what_the_outbox_does_not_take_is_lost_aloud,
          mail_is_sent, mail_by_starttls_and_password, mail_is_not_sent_in_clear,
          mail_that_is_refused)
