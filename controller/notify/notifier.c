#include "notifier.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "../log.h"
#include "../status_write.h"
#include "../telemetry_families.h"

#define LOOK_AGAIN (60 * NANOSECONDS_PER_SECOND) /* the wall clock may have been set meanwhile */

enum result { RESULT_SENT, RESULT_FAILED, RESULT_REFUSED, RESULT_EXPIRED, RESULT_LOST, RESULTS };

static const char *const result_names[RESULTS] = {"sent", "failed", "refused", "expired", "lost"};

struct sender {
    struct notifier *notifier;
    const struct notify_channel *channel;
    const struct notify_driver *driver;
    void *state; /* of the driver */
    struct series *results[RESULTS], *waiting;
    pthread_t thread;
    bool is_started;

    /* The thread's own: */
    unsigned failures;   /* in a row */
    int64_t quiet_until; /* monotonic */

    /* Under the notifier's lock: */
    bool told;         /* there may be something new */
    char problem[256]; /* of the last try; or empty */
};

struct notifier {
    struct notifier_parts parts;
    struct sender *senders;
    size_t count;
    _Atomic bool stop;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* by CLOCK_MONOTONIC */
};

static int64_t wall(const struct sender *sender)
{
    const struct clock *clock = sender->notifier->parts.world.clock;
    return clock->wall(clock->self);
}

static int64_t monotonic(const struct sender *sender)
{
    const struct clock *clock = sender->notifier->parts.world.clock;
    return clock->monotonic(clock->self);
}

static void note_waiting(const struct sender *sender)
{
    const struct outbox *outbox = sender->notifier->parts.outbox;
    series_set(sender->waiting, (int64_t)outbox->count(outbox->self, sender->channel->name));
}

/* --- one notice ------------------------------------------------------------------------------ */

static enum notify_outcome send_entry(struct sender *sender, const struct outbox_entry *entry,
                                      int64_t *wait, struct error *error)
{
    struct arena arena;
    struct notice notice;
    enum notify_outcome outcome = NOTIFY_LATER;
    *wait = 0;
    arena_init(&arena, (size_t)1 << 20);
    enum status status = notice_read(&arena, entry->notice, &notice, error);
    if (status == STATUS_OK)
        outcome =
            sender->driver->send(sender->state, &notice, &sender->notifier->stop, wait, error);
    else if (status != STATUS_NO_MEMORY)
        outcome = NOTIFY_REFUSED; /* what the outbox holds was damaged */
    arena_dispose(&arena);
    return outcome;
}

static void log_result(const struct sender *sender, const char *id, enum result result,
                       const char *problem)
{
    const char *name = sender->channel->name;
    if (result == RESULT_SENT) {
        log_event(LOG_LEVEL_DEBUG, "notified", "channel", name, "id", id, NULL);
        if (sender->problem[0])
            log_event(LOG_LEVEL_INFO, "notify_works_again", "channel", name, NULL);
    } else if (result != RESULT_FAILED) {
        log_event(LOG_LEVEL_ERROR, "notice_given_up", "channel", name, "id", id, "result",
                  result_names[result], "error", problem, NULL);
    } else if (strcmp(problem, sender->problem) != 0) {
        log_event(LOG_LEVEL_WARN, "notify_failed", "channel", name, "id", id, "error", problem,
                  NULL);
    }
}

/* How long the channel waits after a failure. */
static int64_t pause_of(const struct sender *sender, int64_t wait)
{
    int64_t pause = clock_backoff(sender->notifier->parts.world.clock, sender->failures,
                                  NOTIFIER_RETRY_FIRST, NOTIFIER_RETRY_LONGEST);
    return pause < wait * NANOSECONDS_PER_SECOND ? wait * NANOSECONDS_PER_SECOND : pause;
}

/* Puts the outcome into the outbox. */
static enum result settle(struct sender *sender, const struct outbox_entry *entry,
                          enum notify_outcome outcome, int64_t wait, struct error *error)
{
    const struct outbox *outbox = sender->notifier->parts.outbox;
    const char *name = sender->channel->name;
    struct error problem;
    enum result result = outcome == NOTIFY_SENT ? RESULT_SENT : RESULT_REFUSED;
    if (outcome == NOTIFY_LATER)
        result = wall(sender) - entry->since >= NOTIFIER_PATIENCE ? RESULT_EXPIRED : RESULT_FAILED;
    sender->failures = outcome == NOTIFY_LATER ? sender->failures + 1 : 0;
    int64_t pause = sender->failures ? pause_of(sender, wait) : 0;
    enum status status =
        result == RESULT_FAILED
            ? outbox->defer(outbox->self, name, entry->id, wall(sender) + pause, &problem)
            : outbox->done(outbox->self, name, entry->id, &problem);
    if (status != STATUS_OK) { /* else it would be sent again at once, and for ever */
        pause = pause > NOTIFIER_RETRY_FIRST ? pause : LOOK_AGAIN;
        if (result == RESULT_SENT)
            *error = problem;
    }
    sender->quiet_until = pause ? monotonic(sender) + pause : 0;
    return result;
}

/* False: none is due; *due is when one will be (wall), INT64_MAX: none waits. */
static bool send_next(struct sender *sender, struct buffer *bytes, int64_t *due)
{
    const struct outbox *outbox = sender->notifier->parts.outbox;
    const char *name = sender->channel->name;
    struct outbox_entry entry;
    struct error error = {0};
    int64_t now = wall(sender), wait;
    enum status status = outbox->next(outbox->self, name, now, &entry, bytes, &error);
    /* Further away than any wait is: the clock was set back. */
    if (status == STATUS_NOT_FOUND && entry.due != INT64_MAX &&
        entry.due - now > 2 * NOTIFIER_RETRY_LONGEST)
        status = outbox->next(outbox->self, name, entry.due, &entry, bytes, &error);
    *due = entry.due;
    if (status == STATUS_NOT_FOUND)
        return false;
    if (status != STATUS_OK) {
        log_event(LOG_LEVEL_ERROR, "outbox_failed", "channel", name, "error", error.message, NULL);
        *due = now + LOOK_AGAIN;
        return false;
    }
    enum notify_outcome outcome = send_entry(sender, &entry, &wait, &error);
    if (outcome != NOTIFY_SENT && atomic_load(&sender->notifier->stop)) {
        /* It was interrupted: the next run sends it at once. */
        (void)outbox->defer(outbox->self, name, entry.id, entry.due, &error);
        return false;
    }
    enum result result = settle(sender, &entry, outcome, wait, &error);
    pthread_mutex_lock(&sender->notifier->lock);
    log_result(sender, entry.id, result, error.message);
    snprintf(sender->problem, sizeof sender->problem, "%s", error.message);
    pthread_mutex_unlock(&sender->notifier->lock);
    series_add(sender->results[result], 1);
    note_waiting(sender);
    return true;
}

/* --- the threads ----------------------------------------------------------------------------- */

static struct timespec deadline_after(int64_t nanoseconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t total = until.tv_nsec + nanoseconds;
    until.tv_sec += (time_t)(total / NANOSECONDS_PER_SECOND);
    until.tv_nsec = (long)(total % NANOSECONDS_PER_SECOND);
    return until;
}

/* Until the channel may be tried again, or `due`; something new ends only the latter. */
static void rest(struct sender *sender, int64_t due)
{
    struct notifier *notifier = sender->notifier;
    int64_t pause = sender->quiet_until - monotonic(sender);
    bool is_quiet = pause > 0;
    if (!is_quiet) {
        int64_t now = wall(sender);
        pause = due > now && due - now < LOOK_AGAIN ? due - now : LOOK_AGAIN;
    }
    struct timespec until = deadline_after(pause);
    pthread_mutex_lock(&notifier->lock);
    int result = 0;
    while (!atomic_load(&notifier->stop) && (is_quiet || !sender->told) && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&notifier->changed, &notifier->lock, &until);
    sender->told = false;
    pthread_mutex_unlock(&notifier->lock);
}

static void *sender_main(void *argument)
{
    struct sender *sender = argument;
    struct buffer bytes;
    buffer_init(&bytes, NOTICE_BYTES_MOST);
    note_waiting(sender);
    while (!atomic_load(&sender->notifier->stop)) {
        int64_t due = 0;
        bool is_quiet = sender->quiet_until > monotonic(sender);
        if (is_quiet || !send_next(sender, &bytes, &due))
            rest(sender, due);
    }
    buffer_dispose(&bytes);
    return NULL;
}

/* --- starting and ending --------------------------------------------------------------------- */

static bool init_locks(struct notifier *notifier)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&notifier->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (made && pthread_mutex_init(&notifier->lock, NULL) != 0) {
        pthread_cond_destroy(&notifier->changed);
        made = false;
    }
    return made;
}

/* It takes no signals: those are for the thread that waits for them. */
static bool start_thread(struct sender *sender)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    sender->is_started = pthread_create(&sender->thread, NULL, sender_main, sender) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return sender->is_started;
}

static enum status start_sender(struct notifier *notifier, const struct notify_channel *channel,
                                struct error *error)
{
    struct telemetry *telemetry = notifier->parts.telemetry;
    struct sender *sender = &notifier->senders[notifier->count++];
    *sender = (struct sender){.notifier = notifier, .channel = channel};
    sender->driver = notify_driver_of(channel->type);
    for (size_t i = 0; i < RESULTS; i++)
        sender->results[i] =
            telemetry_series(telemetry, &family_notifications, channel->name, result_names[i]);
    sender->waiting =
        telemetry_series(telemetry, &family_notifications_waiting, channel->name, NULL);
    sender->state = sender->driver->open(channel, &notifier->parts.world);
    if (!sender->state)
        return error_set(error, STATUS_NO_MEMORY, "no memory to notify");
    return start_thread(sender) ? STATUS_OK
                                : error_set(error, STATUS_SYSTEM, "cannot start a thread");
}

enum status notifier_start(const struct notifier_parts *parts, struct notifier **out,
                           struct error *error)
{
    struct notifier *notifier = calloc(1, sizeof *notifier);
    struct sender *senders = calloc(parts->channel_count + 1, sizeof *senders);
    *out = NULL;
    if (!notifier || !senders || !init_locks(notifier)) {
        free(notifier);
        free(senders);
        return error_set(error, STATUS_NO_MEMORY, "no memory to notify");
    }
    notifier->parts = *parts;
    notifier->senders = senders;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < parts->channel_count && status == STATUS_OK; i++)
        status = start_sender(notifier, &parts->channels[i], error);
    if (status == STATUS_OK)
        *out = notifier;
    else
        notifier_stop(notifier);
    return status;
}

void notifier_stop(struct notifier *notifier)
{
    if (!notifier)
        return;
    pthread_mutex_lock(&notifier->lock);
    atomic_store(&notifier->stop, true);
    pthread_cond_broadcast(&notifier->changed);
    pthread_mutex_unlock(&notifier->lock);
    for (size_t i = 0; i < notifier->count; i++) {
        struct sender *sender = &notifier->senders[i];
        if (sender->is_started)
            pthread_join(sender->thread, NULL);
        sender->driver->close(sender->state);
    }
    pthread_cond_destroy(&notifier->changed);
    pthread_mutex_destroy(&notifier->lock);
    free(notifier->senders);
    free(notifier);
}

/* --- what others say and ask ----------------------------------------------------------------- */

static enum status append(struct sender *sender, const struct notice *notice, struct text json,
                          struct error *error)
{
    const struct outbox *outbox = sender->notifier->parts.outbox;
    struct text id = notice->fields[NOTICE_ID];
    struct outbox_entry entry = {.notice = json, .since = wall(sender)};
    entry.due = entry.since;
    snprintf(entry.channel, sizeof entry.channel, "%s", sender->channel->name);
    snprintf(entry.id, sizeof entry.id, "%.*s", (int)id.length, id.data);
    enum status status = outbox->append(outbox->self, &entry, error);
    if (status == STATUS_OK) {
        pthread_mutex_lock(&sender->notifier->lock);
        sender->told = true;
        pthread_mutex_unlock(&sender->notifier->lock);
        note_waiting(sender);
        return status;
    }
    series_add(sender->results[RESULT_LOST], 1);
    log_event(LOG_LEVEL_ERROR, "notice_given_up", "channel", entry.channel, "id", entry.id,
              "result", result_names[RESULT_LOST], "error", error->message, NULL);
    return status;
}

enum status notifier_tell(struct notifier *notifier, const struct notice *notice,
                          struct error *error)
{
    struct buffer json;
    struct error problem = {0};
    size_t event = notice_event_of(notice->fields[NOTICE_EVENT]);
    size_t id_length = notice->fields[NOTICE_ID].length;
    if (event == NOTICE_EVENTS || id_length == 0 || id_length >= NOTICE_ID_SIZE)
        return error_set(error, STATUS_INVALID, "a notice has an id and an event");
    buffer_init(&json, NOTICE_BYTES_MOST);
    notice_write(notice, &json);
    enum status first =
        json.failed ? error_set(error, json.failed, "no memory for a notice") : STATUS_OK;
    for (size_t i = 0; i < notifier->count && !json.failed; i++) {
        struct sender *sender = &notifier->senders[i];
        if (!(sender->channel->events >> event & 1))
            continue;
        enum status status = append(sender, notice, buffer_text(&json), &problem);
        if (first == STATUS_OK && status != STATUS_OK)
            first = error_set(error, status, "%s", problem.message);
    }
    buffer_dispose(&json);
    pthread_mutex_lock(&notifier->lock);
    pthread_cond_broadcast(&notifier->changed);
    pthread_mutex_unlock(&notifier->lock);
    return first;
}

void notifier_write_status(struct notifier *notifier, struct buffer *out)
{
    buffer_append_char(out, '[');
    for (size_t i = 0; notifier && i < notifier->count; i++) {
        struct sender *sender = &notifier->senders[i];
        const struct outbox *outbox = notifier->parts.outbox;
        size_t waiting = outbox->count(outbox->self, sender->channel->name);
        buffer_append_string(out, i ? ",{" : "{");
        status_write_member(out, "channel", sender->channel->name);
        buffer_append_char(out, ',');
        pthread_mutex_lock(&notifier->lock);
        status_write_member(out, "problem", sender->problem);
        pthread_mutex_unlock(&notifier->lock);
        buffer_append_char(out, ',');
        status_write_member(out, "type", sender->driver->name);
        buffer_printf(out, ",\"waiting\":%zu}", waiting);
    }
    buffer_append_char(out, ']');
}
