#include "events.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../telemetry_families.h"
#include "events_private.h"

#define HEARTBEAT (15 * NANOSECONDS_PER_SECOND) /* where http_parts names none */
/* Streams that are resumed in one turn of the lock, which the threads that answer wait for. */
#define SLICE 64

/* --- channels: what is current --------------------------------------------------------------- */

static void format_id(const struct snapshot_environment *environment, char out[EVENT_ID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    if (!environment) {
        out[0] = '\0';
        return;
    }
    uint8_t digest[SHA256_SIZE];
    document_digest(environment->document, digest);
    for (size_t i = 0; i < (EVENT_ID_SIZE - 1) / 2; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[EVENT_ID_SIZE - 1] = '\0';
}

struct channel *events_channel(struct events *events, struct text name,
                               const struct snapshot *snapshot,
                               const struct snapshot_environment *environment)
{
    struct channel *channel = events->channels;
    while (channel && !text_is(name, channel->name))
        channel = channel->next;
    if (channel)
        return channel;
    channel = calloc(1, sizeof *channel + name.length + 1);
    if (!channel)
        return NULL;
    if (name.length)
        memcpy(channel->name, name.data, name.length);
    const struct clock *clock = events->parts->clock;
    int64_t age = clock_seconds(clock) - snapshot->since;
    format_id(environment, channel->id);
    channel->modified = snapshot->since;
    channel->changed = clock->monotonic(clock->self) - (age > 0 ? age : 0) * NANOSECONDS_PER_SECOND;
    channel->next = events->channels;
    events->channels = channel;
    return channel;
}

static const struct snapshot_environment *environment_of(const struct channel *channel,
                                                         const struct snapshot *snapshot)
{
    return channel->name[0] ? snapshot_environment(snapshot, text_of(channel->name))
                            : snapshot->standard;
}

static void refresh_channel(const struct events *events, struct channel *channel,
                            const struct snapshot *snapshot)
{
    char id[EVENT_ID_SIZE];
    format_id(environment_of(channel, snapshot), id);
    if (strcmp(id, channel->id) == 0)
        return;
    memcpy(channel->id, id, sizeof id);
    channel->modified = snapshot->since;
    channel->changed = events->parts->clock->monotonic(events->parts->clock->self);
    channel->round++;
}

/* Brings every channel up to what the hub holds; one whose environment and whose streams are gone
 * ends here. */
static void refresh(struct events *events)
{
    struct snapshot *snapshot = hub_acquire(events->parts->hub);
    if (!snapshot)
        return;
    pthread_mutex_lock(&events->lock);
    for (struct channel **at = &events->channels, *channel; (channel = *at);) {
        refresh_channel(events, channel, snapshot);
        if (channel->id[0] || channel->streams) {
            at = &channel->next;
        } else {
            *at = channel->next;
            free(channel);
        }
    }
    pthread_mutex_unlock(&events->lock);
    snapshot_release(snapshot);
}

/* --- the thread ------------------------------------------------------------------------------ */

void events_resume(struct stream *stream)
{
    struct channel *channel = stream->channel;
    *(stream->before ? &stream->before->after : &channel->first) = stream->after;
    *(stream->after ? &stream->after->before : &channel->last) = stream->before;
    stream->before = stream->after = NULL;
    stream->suspended = false;
    /* Under the lock, like MHD_suspend_connection(): to resume what is not suspended yet would be
     * lost, and the stream with it. */
    MHD_resume_connection(stream->connection);
}

/* Resumes some of those that have something to send; true when there are more. */
static bool wake_some(struct events *events, struct channel *channel, int64_t now)
{
    unsigned resumed = 0;
    struct stream *stream;
    pthread_mutex_lock(&events->lock);
    while ((stream = channel->first) && resumed < SLICE &&
           (stream->round != channel->round || stream->due <= now)) {
        stream->beat = stream->due <= now;
        events_resume(stream);
        resumed++;
    }
    pthread_mutex_unlock(&events->lock);
    return resumed == SLICE;
}

static void wake_streams(struct events *events)
{
    const struct clock *clock = events->parts->clock;
    pthread_mutex_lock(&events->lock);
    struct channel *channel = events->channels;
    pthread_mutex_unlock(&events->lock);
    /* New ones are put before the first, and only this thread takes one away. */
    for (; channel; channel = channel->next) {
        while (wake_some(events, channel, clock->monotonic(clock->self)))
            sched_yield();
    }
}

/* Milliseconds until the first heartbeat. Never longer than a whole interval: so a stream that is
 * suspended meanwhile is not too late, and does not have to wake this thread. */
static int next_wait(struct events *events)
{
    const struct clock *clock = events->parts->clock;
    int64_t now = clock->monotonic(clock->self), until = now + events->heartbeat;
    pthread_mutex_lock(&events->lock);
    for (const struct channel *channel = events->channels; channel; channel = channel->next) {
        if (channel->first && channel->first->due < until)
            until = channel->first->due;
    }
    pthread_mutex_unlock(&events->lock);
    return until > now ? (int)((until - now) / NANOSECONDS_PER_MILLISECOND) + 1 : 0;
}

static void *events_main(void *argument)
{
    struct events *events = argument;
    for (;;) {
        struct pollfd wake = {.fd = events->wake, .events = POLLIN};
        uint64_t count;
        if (poll(&wake, 1, next_wait(events)) > 0 && read(events->wake, &count, sizeof count) < 0 &&
            errno != EAGAIN && errno != EINTR)
            return NULL;
        pthread_mutex_lock(&events->lock);
        bool ending = events->ending;
        pthread_mutex_unlock(&events->lock);
        if (ending)
            return NULL;
        refresh(events);
        wake_streams(events);
    }
}

/* --- start and end --------------------------------------------------------------------------- */

/* On the publisher's thread, under the hub's lock. */
static void note_publish(void *context)
{
    struct events *events = context;
    uint64_t one = 1;
    /* Only a counter that is full refuses, and then the thread has been woken. */
    ssize_t ignored = write(events->wake, &one, sizeof one);
    (void)ignored;
}

static enum status start_thread(struct events *events)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return STATUS_SYSTEM;
    events->has_thread = pthread_create(&events->thread, NULL, events_main, events) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return events->has_thread ? STATUS_OK : STATUS_SYSTEM;
}

static bool init_locks(struct events *events)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&events->lock, NULL) != 0)
        return false;
    bool made = false;
    if (pthread_condattr_init(&attributes) == 0) {
        made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
               pthread_cond_init(&events->gone, &attributes) == 0;
        pthread_condattr_destroy(&attributes);
    }
    if (!made)
        pthread_mutex_destroy(&events->lock);
    return made;
}

enum status events_start(const struct http_parts *parts, unsigned most, struct events **out)
{
    struct events *events = calloc(1, sizeof *events);
    if (!events)
        return STATUS_NO_MEMORY;
    events->parts = parts;
    events->most = most;
    events->heartbeat = parts->event_heartbeat > 0 ? parts->event_heartbeat : HEARTBEAT;
    events->refused = telemetry_series(parts->telemetry, &family_event_streams_refused, NULL, NULL);
    events->listener = (struct hub_listener){.published = note_publish, .context = events};
    events->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (events->wake < 0) {
        free(events);
        return STATUS_SYSTEM;
    }
    if (!init_locks(events)) {
        close(events->wake);
        free(events);
        return STATUS_SYSTEM;
    }
    hub_listen(parts->hub, &events->listener);
    enum status status = start_thread(events);
    if (status) {
        events_free(events);
        return status;
    }
    *out = events;
    return STATUS_OK;
}

static void wait_until_gone(struct events *events, int64_t deadline)
{
    struct timespec until = {.tv_sec = (time_t)(deadline / NANOSECONDS_PER_SECOND),
                             .tv_nsec = (long)(deadline % NANOSECONDS_PER_SECOND)};
    pthread_mutex_lock(&events->lock);
    while (events->count && pthread_cond_timedwait(&events->gone, &events->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&events->lock);
}

void events_end(struct events *events, int64_t deadline)
{
    if (!events)
        return;
    hub_unlisten(events->parts->hub, &events->listener);
    pthread_mutex_lock(&events->lock);
    events->ending = true; /* from here on no stream suspends itself */
    pthread_mutex_unlock(&events->lock);
    if (events->has_thread) {
        note_publish(events);
        pthread_join(events->thread, NULL);
        events->has_thread = false;
    }
    pthread_mutex_lock(&events->lock);
    for (struct channel *channel = events->channels; channel; channel = channel->next) {
        while (channel->first)
            events_resume(channel->first);
    }
    pthread_mutex_unlock(&events->lock);
    wait_until_gone(events, deadline);
}

void events_free(struct events *events)
{
    if (!events)
        return;
    events_end(events, 0);
    for (struct channel *channel = events->channels, *next; channel; channel = next) {
        next = channel->next;
        free(channel);
    }
    pthread_cond_destroy(&events->gone);
    pthread_mutex_destroy(&events->lock);
    close(events->wake);
    free(events);
}
