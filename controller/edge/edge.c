/* The parts of `weir edge` and their threads:
 *   main    waits for signals, and answers the supervisor
 *   source  looks at the source, writes what it sees to disk, then serves it
 *           (may hang on others: nobody waits for it)
 *   listeners  hear from the source that it is worth looking (listeners.c)
 *   http    answers                       (http/server.c) */
#include "edge.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../data_folder.h"
#include "../http/server.h"
#include "../limits.h"
#include "../log.h"
#include "../state_file.h"
#include "../status_write.h"
#include "../supervisor.h"
#include "../telemetry_families.h"
#include "listeners.h"

#define PATIENCE_HTTP (5 * NANOSECONDS_PER_SECOND)
#define RETRY_FIRST (250 * NANOSECONDS_PER_MILLISECOND)
/* Most outages are short, and their end is to be noticed: only a source that fails for minutes is
 * asked less often. */
#define RETRY_SHORT (1 * NANOSECONDS_PER_SECOND)
#define RETRY_LONGEST (5 * NANOSECONDS_PER_SECOND)
#define SHORT_FAILURES 120
/* After a look, however often the source says that it has changed. */
#define REST (20 * NANOSECONDS_PER_MILLISECOND)
#define SLICE (200 * NANOSECONDS_PER_MILLISECOND) /* between two looks whether anything stirs */
#define SUPERVISED_SLICE (500 * NANOSECONDS_PER_MILLISECOND)

struct edge {
    const struct edge_config *config;
    const struct clock *clock;
    struct telemetry *telemetry;
    struct hub hub;
    struct data_folder folder;
    const struct source_driver *driver;
    void *source; /* the source's thread's, once that runs */
    char shown[SOURCE_SHOWN];
    char state[4200];    /* the folder of what was seen */
    bool unkept;         /* the source's thread's: what is served is not on disk */
    char complaint[256]; /* the source's thread's: why, as it was logged; or empty */
    struct source_ear ear;
    struct listeners *listeners; /* NULL: the source tells nothing */
    struct http_server *http;
    struct supervisor *supervisor; /* NULL: nobody supervises */
    _Atomic bool asked;            /* main is to tell the supervisor that it lives */
    _Atomic bool stopping;
    pthread_t thread;
    bool has_thread, has_hub, has_lock;

    pthread_mutex_t lock;               /* all below */
    pthread_cond_t changed;             /* by CLOCK_MONOTONIC */
    bool nudged;                        /* look at once */
    int64_t last_success, last_attempt; /* wall seconds; 0: never */
    unsigned failures;                  /* in a row */
    char problem[256];
};

/* --- what was seen --------------------------------------------------------------------------- */

static bool is_same(const struct snapshot *a, const struct snapshot *b)
{
    bool same = strcmp(a->commit, b->commit) == 0 &&
                generation_compare(a->generation, b->generation) == 0 &&
                a->environment_count == b->environment_count;
    for (size_t i = 0; same && i < a->environment_count; i++)
        same = text_equal(a->environments[i].name, b->environments[i].name) &&
               document_equal(a->environments[i].document, b->environments[i].document);
    return same;
}

static void note_flags(struct edge *edge, const struct snapshot *held,
                       const struct snapshot *snapshot)
{
    for (size_t i = 0; held && i < held->environment_count; i++)
        if (!snapshot_environment(snapshot, held->environments[i].name))
            telemetry_forget(edge->telemetry, &family_flags, held->environments[i].name.data, NULL);
    for (size_t i = 0; i < snapshot->environment_count; i++)
        series_set(telemetry_series(edge->telemetry, &family_flags,
                                    snapshot->environments[i].name.data, NULL),
                   (int64_t)snapshot->environments[i].document->count);
}

/* Before it is served: so one that is killed does not begin again with an older generation than
 * clients have seen. Where the disk refuses, it is served all the same, and tried again before the
 * next look. */
static void keep(struct edge *edge, const struct snapshot *snapshot)
{
    struct error error = {0};
    enum status status = state_file_write(edge->state, snapshot, edge->clock, &error);
    edge->unkept = status != STATUS_OK;
    if (edge->unkept && strcmp(edge->complaint, error.message) != 0)
        log_event(LOG_LEVEL_ERROR, "keep_state_failed", "folder", edge->state, "error",
                  error.message, NULL);
    if (!edge->unkept && edge->complaint[0])
        log_event(LOG_LEVEL_INFO, "keep_state_works_again", NULL);
    snprintf(edge->complaint, sizeof edge->complaint, "%s", edge->unkept ? error.message : "");
}

/* Takes over the snapshot. */
static void publish(struct edge *edge, const struct snapshot *held, struct snapshot *snapshot)
{
    const char *standard = edge->config->serving.default_environment;
    char generation[GENERATION_TEXT_SIZE];
    if (standard)
        snapshot->standard = snapshot_environment(snapshot, text_of(standard));
    else if (snapshot->environment_count == 1)
        snapshot->standard = &snapshot->environments[0];
    generation_format(snapshot->generation, generation);
    keep(edge, snapshot);
    note_flags(edge, held, snapshot);
    series_set(telemetry_series(edge->telemetry, &family_snapshot_timestamp, NULL, NULL),
               snapshot->since);
    log_event(LOG_LEVEL_INFO, "served", "commit", snapshot->commit, "generation", generation, NULL);
    hub_publish(&edge->hub, snapshot);
    series_set(telemetry_series(edge->telemetry, &family_snapshot_version, NULL, NULL),
               (int64_t)atomic_load(&edge->hub.version));
}

/* What a look came to; the snapshot is taken over. */
static enum status judge(struct edge *edge, const struct snapshot *held, struct snapshot *snapshot,
                         const char **result, struct error *error)
{
    char ours[GENERATION_TEXT_SIZE], theirs[GENERATION_TEXT_SIZE];
    *result = "unchanged";
    if (!snapshot)
        return STATUS_OK;
    if (held && generation_compare(snapshot->generation, held->generation) < 0) {
        generation_format(held->generation, ours);
        generation_format(snapshot->generation, theirs);
        snapshot_release(snapshot);
        *result = "older";
        return error_set(error, STATUS_REFUSED,
                         "the source says generation %s, older than %s, which is served; if it was "
                         "made anew, start with a new \"--data\" folder",
                         theirs, ours);
    }
    if (held && !held->from_disk && is_same(held, snapshot)) {
        snapshot_release(snapshot);
        return STATUS_OK;
    }
    if (!held || !is_same(held, snapshot))
        *result = "changed";
    publish(edge, held, snapshot);
    return STATUS_OK;
}

static void note_look(struct edge *edge, const char *result, enum status status, int64_t age,
                      const struct error *error)
{
    int64_t now = clock_seconds(edge->clock);
    bool good = status == STATUS_OK;
    series_add(telemetry_series(edge->telemetry, &family_edge_polls, result, NULL), 1);
    if (good)
        data_folder_note(&edge->folder, now - age > 0 ? now - age : 1);
    pthread_mutex_lock(&edge->lock);
    bool news = strcmp(edge->problem, good ? "" : error->message) != 0;
    edge->last_attempt = now;
    edge->failures = good ? 0 : edge->failures + 1;
    snprintf(edge->problem, sizeof edge->problem, "%s", good ? "" : error->message);
    if (good)
        edge->last_success = now;
    pthread_mutex_unlock(&edge->lock);
    if (news && good)
        log_event(LOG_LEVEL_INFO, "source_works_again", "from", edge->shown, NULL);
    else if (news)
        log_event(LOG_LEVEL_ERROR, "source_failed", "from", edge->shown, "error", error->message,
                  NULL);
}

static void look(struct edge *edge)
{
    struct error error = {0};
    struct seen seen = {0};
    const char *result = "failed";
    struct snapshot *held = hub_acquire(&edge->hub);
    if (edge->unkept && held)
        keep(edge, held);
    enum status status = edge->driver->look(edge->source, held, &seen, &error);
    if (status == STATUS_OK)
        status = judge(edge, held, seen.snapshot, &result, &error);
    snapshot_release(held);
    if (status != STATUS_STOPPED)
        note_look(edge, result, status, seen.age, &error);
}

/* --- the source's thread --------------------------------------------------------------------- */

static void note_age(struct edge *edge)
{
    int64_t last = atomic_load(&edge->folder.last_success), now = clock_seconds(edge->clock);
    if (last)
        series_set(telemetry_series(edge->telemetry, &family_state_age, NULL, NULL),
                   now > last ? now - last : 0);
}

static struct timespec monotonic_time(int64_t nanoseconds)
{
    return (struct timespec){.tv_sec = (time_t)(nanoseconds / NANOSECONDS_PER_SECOND),
                             .tv_nsec = (long)(nanoseconds % NANOSECONDS_PER_SECOND)};
}

/* Waits in slices for the poll's time, something that stirs, a nudge, or the end. */
static void wait_for_poll(struct edge *edge, int64_t wait)
{
    const struct clock *clock = edge->clock;
    int64_t began = clock->monotonic(clock->self), until = began + wait;
    pthread_mutex_lock(&edge->lock);
    for (;;) {
        int64_t now = clock->monotonic(clock->self);
        if (edge->nudged && until > began + REST)
            until = began + REST;
        if (atomic_load(&edge->stopping) || now >= until)
            break;
        const struct timespec slice = monotonic_time(until - now > SLICE ? now + SLICE : until);
        if (pthread_cond_timedwait(&edge->changed, &edge->lock, &slice) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&edge->lock);
        note_age(edge);
        bool stirs = edge->driver->stirs && edge->driver->stirs(edge->source);
        pthread_mutex_lock(&edge->lock);
        if (stirs)
            break;
    }
    edge->nudged = false;
    pthread_mutex_unlock(&edge->lock);
}

static int64_t wait_after(const struct edge *edge, unsigned failures)
{
    int64_t poll = edge->config->serving.poll;
    if (failures == 0)
        return clock_jitter(edge->clock, poll, 10);
    if (failures <= SHORT_FAILURES)
        return clock_backoff(edge->clock, failures, RETRY_FIRST, RETRY_SHORT);
    return clock_backoff(edge->clock, failures - SHORT_FAILURES, RETRY_SHORT,
                         poll > RETRY_LONGEST ? poll : RETRY_LONGEST);
}

static void *source_main(void *argument)
{
    struct edge *edge = argument;
    const struct clock *clock = edge->clock;
    while (!atomic_load(&edge->stopping)) {
        look(edge);
        note_age(edge);
        series_add(telemetry_series(edge->telemetry, &family_loop_iterations, "source", NULL), 1);
        series_set(telemetry_series(edge->telemetry, &family_loop_last, "source", NULL),
                   clock_seconds(clock));
        supervisor_note(edge->supervisor);
        pthread_mutex_lock(&edge->lock);
        unsigned failures = edge->failures;
        pthread_mutex_unlock(&edge->lock);
        wait_for_poll(edge, wait_after(edge, failures));
    }
    return NULL;
}

/* --- GET /status ----------------------------------------------------------------------------- */

static void write_status(void *context, struct buffer *out)
{
    struct edge *edge = context;
    struct snapshot *snapshot = hub_acquire(&edge->hub);
    int64_t last = atomic_load(&edge->folder.last_success), now = clock_seconds(edge->clock);
    buffer_append_string(out, "{\"age\":");
    if (last)
        buffer_printf(out, "%lld,", (long long)(now > last ? now - last : 0));
    else
        buffer_append_string(out, "null,");
    status_write_served(out, snapshot);
    buffer_append_char(out, ',');
    status_write_member(out, "from", edge->shown);
    buffer_append_string(out, ",\"lastFetch\":{");
    pthread_mutex_lock(&edge->lock);
    status_write_member(out, "error", edge->problem);
    buffer_printf(out, ",\"failures\":%u,", edge->failures);
    status_write_time(out, "succeeded", edge->last_success);
    buffer_append_char(out, ',');
    status_write_time(out, "tried", edge->last_attempt);
    pthread_mutex_unlock(&edge->lock);
    buffer_printf(out, "},\"listening\":%s,", listeners_hear(edge->listeners) ? "true" : "false");
    status_write_member(out, "source",
                        !snapshot             ? NULL
                        : snapshot->from_disk ? "disk"
                                              : edge->driver->name);
    buffer_append_string(out, ",\"version\":\"" WEIR_VERSION "\"}\n");
    snapshot_release(snapshot);
}

/* --- starting -------------------------------------------------------------------------------- */

static void ask_main(void *context)
{
    struct edge *edge = context;
    atomic_store(&edge->asked, true);
}

static enum status init_locks(struct edge *edge, struct error *error)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&edge->lock, NULL) != 0)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    if (pthread_condattr_init(&attributes) != 0) {
        pthread_mutex_destroy(&edge->lock);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&edge->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failed) {
        pthread_mutex_destroy(&edge->lock);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    edge->has_lock = true;
    return STATUS_OK;
}

static enum status make_parts(struct edge *edge, struct error *error)
{
    const struct edge_config *config = edge->config;
    const struct source_parts parts = {
        .from = config->from,
        .environments = (const char *const *)config->environments,
        .environment_count = config->environment_count,
        .token_file = config->token_file,
        .ca_file = config->serving.reach.ca_file,
        .clock = edge->clock,
        .stop = &edge->stopping,
    };
    enum status status = init_locks(edge, error);
    if (status != STATUS_OK)
        return status;
    if (hub_init(&edge->hub) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    edge->has_hub = true;
    edge->telemetry = telemetry_new();
    if (!edge->telemetry)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    series_set(telemetry_series(edge->telemetry, &family_build_info, WEIR_VERSION, NULL), 1);
    edge->driver = source_driver_of(config->from);
    source_show(config->from, edge->shown);
    return edge->driver->open(&parts, &edge->source, error);
}

static void serve_kept(struct edge *edge)
{
    snprintf(edge->state, sizeof edge->state, "%s/served", edge->config->serving.data);
    state_file_serve(edge->state, edge->config->serving.default_environment, &edge->hub);
    note_age(edge);
}

static enum status start_http(struct edge *edge,
                              void (*announce)(void *context, const char *address), void *context,
                              struct error *error)
{
    const struct config *serving = &edge->config->serving;
    char address[64];
    const struct http_parts parts = {.hub = &edge->hub,
                                     .telemetry = edge->telemetry,
                                     .clock = edge->clock,
                                     .write_status = write_status,
                                     .status_context = edge,
                                     .settings = &serving->http,
                                     .last_fetch = &edge->folder.last_success,
                                     .is_edge = true,
                                     .event_streams = serving->event_streams,
                                     .event_heartbeat = serving->event_heartbeat};
    enum status status = http_server_start(&parts, serving->listen, serving->http_threads, address,
                                           &edge->http, error);
    if (status == STATUS_OK)
        announce(context, address);
    return status;
}

static enum status start_rest(struct edge *edge, struct error *error)
{
    const struct supervisor_parts parts = {.hub = &edge->hub,
                                           .http = edge->http,
                                           .ask_core = ask_main,
                                           .write_status = write_status,
                                           .context = edge};
    enum status status = supervisor_start(&parts, &edge->supervisor, error);
    if (status != STATUS_OK)
        return status;
    edge->has_thread = pthread_create(&edge->thread, NULL, source_main, edge) == 0;
    return edge->has_thread ? STATUS_OK : error_set(error, STATUS_SYSTEM, "cannot start a thread");
}

static void nudge(struct edge *edge)
{
    pthread_mutex_lock(&edge->lock);
    edge->nudged = true;
    pthread_cond_broadcast(&edge->changed);
    pthread_mutex_unlock(&edge->lock);
}

static void nudge_edge(void *edge)
{
    nudge(edge);
}

static enum status start_listening(struct edge *edge, struct error *error)
{
    edge->ear = (struct source_ear){.heard = nudge_edge, .context = edge};
    return listeners_start(edge->driver, edge->source, &edge->ear, edge->clock, &edge->listeners,
                           error);
}

/* --- running and stopping -------------------------------------------------------------------- */

/* A closed pipe and a file that may not grow (`ulimit -f`) are failed writes, told as such. */
static void prepare_signals(sigset_t *waited)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
    sigemptyset(waited);
    sigaddset(waited, SIGTERM);
    sigaddset(waited, SIGINT);
    sigaddset(waited, SIGHUP);
    pthread_sigmask(SIG_BLOCK, waited, NULL);
}

static void wait_for_end(struct edge *edge, const sigset_t *waited)
{
    const struct timespec slice = {.tv_nsec = (long)SUPERVISED_SLICE};
    for (;;) {
        int number =
            edge->supervisor ? sigtimedwait(waited, NULL, &slice) : sigwaitinfo(waited, NULL);
        if (edge->supervisor && atomic_exchange(&edge->asked, false))
            supervisor_answer(edge->supervisor);
        if (number == SIGTERM || number == SIGINT) {
            log_event(LOG_LEVEL_INFO, "stopping", "signal",
                      number == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
            return;
        }
        if (number == SIGHUP) {
            supervisor_reloading(edge->supervisor);
            http_server_reload(edge->http);
            supervisor_reloaded(edge->supervisor);
            nudge(edge);
        }
    }
}

static void stop(struct edge *edge)
{
    supervisor_stop(edge->supervisor);
    http_server_stop(edge->http, PATIENCE_HTTP);
    atomic_store(&edge->stopping, true);
    if (edge->has_lock)
        nudge(edge);
    if (edge->has_thread)
        pthread_join(edge->thread, NULL);
    listeners_stop(edge->listeners);
    supervisor_free(edge->supervisor);
    if (edge->driver)
        edge->driver->close(edge->source);
    if (edge->has_hub)
        hub_dispose(&edge->hub);
    telemetry_free(edge->telemetry);
    if (edge->has_lock) {
        pthread_cond_destroy(&edge->changed);
        pthread_mutex_destroy(&edge->lock);
    }
    data_folder_release(&edge->folder);
    free(edge);
}

enum status edge_run(const struct edge_config *config,
                     void (*announce)(void *context, const char *address), void *context,
                     struct error *error)
{
    sigset_t waited;
    struct edge *edge = calloc(1, sizeof *edge);
    if (!edge)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    edge->config = config;
    edge->clock = &system_clock;
    edge->folder.lock = -1;
    config_set_up_log(&config->serving);
    prepare_signals(&waited);
    limits_raise_descriptors();
    enum status status = make_parts(edge, error);
    if (status == STATUS_OK)
        status = data_folder_take(&edge->folder, config->serving.data, error);
    if (status == STATUS_OK)
        serve_kept(edge);
    if (status == STATUS_OK)
        status = start_listening(edge, error);
    if (status == STATUS_OK)
        status = start_http(edge, announce, context, error);
    if (status == STATUS_OK)
        status = start_rest(edge, error);
    if (status == STATUS_OK)
        wait_for_end(edge, &waited);
    stop(edge);
    return status;
}
