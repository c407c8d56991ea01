#include "supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../rules/json.h"
#include "log.h"
#include "notify_socket.h"

#define BEAT_WITHOUT_WATCHDOG (5 * NANOSECONDS_PER_SECOND)
#define START_EXTENSION "30000000" /* microseconds: some beats long */
#define STATUS_JSON_MAX ((size_t)16 << 20)
#define STATUS_LINE_MAX 512

struct supervisor {
    struct supervisor_parts parts;
    struct notify_socket notify;
    pthread_t thread;
    int64_t beat; /* nanoseconds between two */
    int wake;     /* an eventfd that ends the wait for an HTTP thread */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* by CLOCK_MONOTONIC */
    bool stop, noted, answered;
    bool ready;                         /* READY=1 has been sent */
    bool owes_reloading, owes_reloaded; /* for want of room; said in this order */

    /* The thread's own: */
    char told[STATUS_LINE_MAX]; /* the last STATUS= */
    const char *stuck;          /* the part that does not answer, as it was logged; or NULL */
};

static int64_t monotonic_now(void)
{
    return system_clock.monotonic(system_clock.self);
}

/* --- what is told ---------------------------------------------------------------------------- */

/* Controls would end the line: a message of a remote must not forge another variable. */
static void make_one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = ' ';
}

static void describe(const struct node *status, char out[STATUS_LINE_MAX])
{
    struct text commit = node_get_string(status, "commit");
    struct text problem = node_get_string(node_get(status, "lastFetch"), "error");
    const struct node *environments = node_get(status, "environments");
    const struct node *errors = node_get(status, "errors");
    unsigned count = environments ? environments->count : 0;
    int length;
    if (commit.length)
        length = snprintf(out, STATUS_LINE_MAX, "serving commit %.12s, %u environment%s",
                          commit.data, count, count == 1 ? "" : "s");
    else
        length = snprintf(out, STATUS_LINE_MAX, "waiting for the first valid commit");
    if (errors && errors->type == NODE_NUMBER && errors->number > 0 && length < STATUS_LINE_MAX)
        length += snprintf(out + length, STATUS_LINE_MAX - (size_t)length,
                           "; errors in the newest commit: %.0f", errors->number);
    if (problem.length && length < STATUS_LINE_MAX)
        snprintf(out + length, STATUS_LINE_MAX - (size_t)length, "; fetching fails: %s",
                 problem.data);
    make_one_line(out);
}

static void tell_status(struct supervisor *supervisor)
{
    struct buffer json;
    struct arena arena;
    const struct node *status;
    struct error error;
    char line[STATUS_LINE_MAX];
    buffer_init(&json, STATUS_JSON_MAX);
    arena_init(&arena, 4 * STATUS_JSON_MAX);
    supervisor->parts.write_status(supervisor->parts.context, &json);
    if (!json.failed &&
        json_read(&arena, buffer_text(&json), JSON_LIMITS_DEFAULT, &status, &error) == STATUS_OK) {
        describe(status, line);
        if (strcmp(line, supervisor->told) != 0 &&
            notify_socket_send(&supervisor->notify, "STATUS=%s", line))
            memcpy(supervisor->told, line, sizeof line);
    }
    arena_dispose(&arena);
    buffer_dispose(&json);
}

static bool say_ready(const struct supervisor *supervisor)
{
    return notify_socket_send(&supervisor->notify, "READY=1");
}

static bool say_reloading(const struct supervisor *supervisor)
{
    return notify_socket_send(&supervisor->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                              monotonic_now() / 1000);
}

/* What found no room is said again with each beat: a manager that never hears of it gives up. */
static void tell_ready(struct supervisor *supervisor)
{
    pthread_mutex_lock(&supervisor->lock);
    if (!supervisor->ready && atomic_load(&supervisor->parts.hub->version) > 0)
        supervisor->ready = say_ready(supervisor);
    if (supervisor->owes_reloading)
        supervisor->owes_reloading = !say_reloading(supervisor);
    if (supervisor->owes_reloaded && !supervisor->owes_reloading)
        supervisor->owes_reloaded = !say_ready(supervisor);
    pthread_mutex_unlock(&supervisor->lock);
}

/* --- proof of life --------------------------------------------------------------------------- */

static struct timespec monotonic_time(int64_t nanoseconds)
{
    return (struct timespec){.tv_sec = (time_t)(nanoseconds / NANOSECONDS_PER_SECOND),
                             .tv_nsec = (long)(nanoseconds % NANOSECONDS_PER_SECOND)};
}

static void note_stuck(struct supervisor *supervisor, const char *part)
{
    if (part && !supervisor->stuck)
        log_event(LOG_LEVEL_ERROR, "stuck", "part", part, NULL);
    if (!part && supervisor->stuck)
        log_event(LOG_LEVEL_INFO, "no_longer_stuck", "part", supervisor->stuck, NULL);
    supervisor->stuck = part;
}

/* Waits for core's answer as long as it takes: a compile may take longer than a beat. False when
 * the wait was ended by the stop. */
static bool core_is_alive(struct supervisor *supervisor)
{
    pthread_mutex_lock(&supervisor->lock);
    supervisor->answered = false;
    pthread_mutex_unlock(&supervisor->lock);
    supervisor->parts.ask_core(supervisor->parts.context);
    const struct timespec late = monotonic_time(monotonic_now() + supervisor->beat);
    int result = 0;
    pthread_mutex_lock(&supervisor->lock);
    while (!supervisor->answered && !supervisor->stop && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&supervisor->changed, &supervisor->lock, &late);
    if (!supervisor->answered && !supervisor->stop) {
        pthread_mutex_unlock(&supervisor->lock);
        note_stuck(supervisor, "core");
        pthread_mutex_lock(&supervisor->lock);
    }
    while (!supervisor->answered && !supervisor->stop)
        pthread_cond_wait(&supervisor->changed, &supervisor->lock);
    bool alive = supervisor->answered;
    pthread_mutex_unlock(&supervisor->lock);
    return alive;
}

static bool http_is_alive(struct supervisor *supervisor)
{
    int64_t patience = supervisor->beat / NANOSECONDS_PER_MILLISECOND;
    bool alive = http_server_is_alive(supervisor->parts.http, supervisor->wake,
                                      patience < INT32_MAX ? (int)patience : INT32_MAX);
    pthread_mutex_lock(&supervisor->lock);
    bool stop = supervisor->stop;
    pthread_mutex_unlock(&supervisor->lock);
    if (!alive && !stop)
        note_stuck(supervisor, "http");
    return alive;
}

static void beat(struct supervisor *supervisor)
{
    if (!core_is_alive(supervisor) || !http_is_alive(supervisor))
        return;
    note_stuck(supervisor, NULL);
    if (supervisor->notify.watchdog)
        (void)notify_socket_send(&supervisor->notify, "WATCHDOG=1");
    if (!supervisor->ready) /* only this thread sets it */
        (void)notify_socket_send(&supervisor->notify, "EXTEND_TIMEOUT_USEC=" START_EXTENSION);
}

/* --- the thread ------------------------------------------------------------------------------ */

/* True when it is to stop. */
static bool wait_for_news(struct supervisor *supervisor, int64_t until)
{
    const struct timespec deadline = monotonic_time(until);
    int result = 0;
    pthread_mutex_lock(&supervisor->lock);
    while (!supervisor->stop && !supervisor->noted && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&supervisor->changed, &supervisor->lock, &deadline);
    supervisor->noted = false;
    bool stop = supervisor->stop;
    pthread_mutex_unlock(&supervisor->lock);
    return stop;
}

static void *supervisor_main(void *context)
{
    struct supervisor *supervisor = context;
    int64_t next = monotonic_now();
    do {
        tell_ready(supervisor);
        tell_status(supervisor);
        if (monotonic_now() >= next) {
            next = monotonic_now() + supervisor->beat;
            beat(supervisor);
        }
    } while (!wait_for_news(supervisor, next));
    return NULL;
}

/* --- starting and ending --------------------------------------------------------------------- */

static bool init_locks(struct supervisor *supervisor)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&supervisor->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (made && pthread_mutex_init(&supervisor->lock, NULL) != 0) {
        pthread_cond_destroy(&supervisor->changed);
        made = false;
    }
    return made;
}

static bool start_thread(struct supervisor *supervisor)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = pthread_create(&supervisor->thread, NULL, supervisor_main, supervisor) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

enum status supervisor_start(const struct supervisor_parts *parts, struct supervisor **out,
                             struct error *error)
{
    struct notify_socket notify;
    *out = NULL;
    enum status status = notify_socket_open(&notify, error);
    if (status != STATUS_OK || !notify_socket_is_open(&notify))
        return status;
    struct supervisor *supervisor = calloc(1, sizeof *supervisor);
    if (!supervisor || !init_locks(supervisor)) {
        free(supervisor);
        notify_socket_close(&notify);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    supervisor->parts = *parts;
    supervisor->notify = notify;
    supervisor->beat = notify.watchdog ? notify.watchdog / 2 : BEAT_WITHOUT_WATCHDOG;
    supervisor->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (supervisor->wake < 0 || !start_thread(supervisor)) {
        supervisor_free(supervisor);
        return error_set(error, STATUS_SYSTEM, "cannot start a thread");
    }
    *out = supervisor;
    return STATUS_OK;
}

void supervisor_stop(struct supervisor *supervisor)
{
    if (!supervisor)
        return;
    pthread_mutex_lock(&supervisor->lock);
    supervisor->stop = true;
    pthread_cond_broadcast(&supervisor->changed);
    pthread_mutex_unlock(&supervisor->lock);
    eventfd_write(supervisor->wake, 1);
    pthread_join(supervisor->thread, NULL);
    /* The last word: what the thread was about to say is said. */
    (void)notify_socket_send(&supervisor->notify, "STOPPING=1\nSTATUS=stopping");
}

void supervisor_free(struct supervisor *supervisor)
{
    if (!supervisor)
        return;
    if (supervisor->wake >= 0)
        close(supervisor->wake);
    notify_socket_close(&supervisor->notify);
    pthread_cond_destroy(&supervisor->changed);
    pthread_mutex_destroy(&supervisor->lock);
    free(supervisor);
}

static void set(struct supervisor *supervisor, bool *flag)
{
    pthread_mutex_lock(&supervisor->lock);
    *flag = true;
    pthread_cond_broadcast(&supervisor->changed);
    pthread_mutex_unlock(&supervisor->lock);
}

void supervisor_answer(struct supervisor *supervisor)
{
    if (supervisor)
        set(supervisor, &supervisor->answered);
}

void supervisor_note(struct supervisor *supervisor)
{
    if (supervisor)
        set(supervisor, &supervisor->noted);
}

/* Before it is ready, READY=1 after a reload would be a lie. */
void supervisor_reloading(struct supervisor *supervisor)
{
    if (!supervisor)
        return;
    pthread_mutex_lock(&supervisor->lock);
    if (supervisor->ready) {
        supervisor->owes_reloading = !say_reloading(supervisor);
        supervisor->owes_reloaded = false;
    }
    pthread_mutex_unlock(&supervisor->lock);
}

void supervisor_reloaded(struct supervisor *supervisor)
{
    if (!supervisor)
        return;
    pthread_mutex_lock(&supervisor->lock);
    if (supervisor->ready)
        supervisor->owes_reloaded = supervisor->owes_reloading || !say_ready(supervisor);
    pthread_mutex_unlock(&supervisor->lock);
}
