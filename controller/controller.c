/* The parts of `weir run` and their threads:
 *   main     waits for signals
 *   watch    tells systemd that the others are alive, where it asks (supervisor.c)
 *   git      fetches, pushes what core decided    (git_thread.c; nobody waits for it)
 *   core     turns tips into snapshots, walks the rollouts   (no network)
 *   targets  one worker each                      (fleet.c)
 *   status   tells the forge                      (outward/commit_status.c)
 *   news     one for each channel that people are told by (notify/notifier.c)
 *   keeper   writes what is served to the disk    (state_keeper.c)
 *   http     answers                              (http/server.c) */
#include "controller.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "controller_private.h"
#include "limits.h"
#include "log.h"
#include "metrics/measurement_lines.h"
#include "state_file.h"
#include "telemetry_families.h"

#define PATIENCE_HTTP (5 * NANOSECONDS_PER_SECOND)
#define PATIENCE_TARGETS (2 * NANOSECONDS_PER_SECOND)

static void note_iteration(struct controller *controller, const char *loop)
{
    series_add(telemetry_series(controller->telemetry, &family_loop_iterations, loop, NULL), 1);
    series_set(telemetry_series(controller->telemetry, &family_loop_last, loop, NULL),
               clock_seconds(controller->clock));
}

static struct timespec deadline_after(int64_t nanoseconds)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t total = (int64_t)now.tv_nsec + nanoseconds;
    now.tv_sec += total / NANOSECONDS_PER_SECOND;
    now.tv_nsec = total % NANOSECONDS_PER_SECOND;
    return now;
}

/* --- core's thread --------------------------------------------------------------------------- */

/* Under the lock: waits for something to do, at most `patience` nanoseconds. */
static void wait_for_tip(struct controller *controller, bool stuck, int64_t patience)
{
    struct timespec deadline = {0};
    int result = 0;
    if (patience != INT64_MAX)
        deadline = deadline_after(patience);
    while (!controller->tip[0] && !controller->core_asked && !controller->woken &&
           (stuck || !mirror_is_stale(controller->reading)) &&
           !atomic_load(&controller->stopping) && result != ETIMEDOUT)
        result = patience == INT64_MAX
                     ? pthread_cond_wait(&controller->changed, &controller->lock)
                     : pthread_cond_timedwait(&controller->changed, &controller->lock, &deadline);
}

static void take(struct controller *controller, const char *tip, int64_t when)
{
    struct error error = {0};
    /* What failed for the world's sake is told again by the next fetch. */
    commit_status_begin(controller->commit_status, tip);
    enum status outcome = core_take(controller->core, tip, &error);
    /* What is served is as old as the last fetch of which that is known. */
    if (when && (outcome == STATUS_OK || outcome == STATUS_INVALID))
        data_folder_note(&controller->folder, when);
    commit_status_judged(controller->commit_status, controller->core, tip, outcome);
    news_tell_commit(controller->news, controller->core, tip, outcome);
    supervisor_note(controller->supervisor);
}

static void *core_main(void *argument)
{
    struct controller *controller = argument;
    char tip[COMMIT_TEXT_SIZE];
    struct error error = {0};
    bool stuck = false; /* the handle could not be opened anew: tried again with the next tip */
    for (;;) {
        int64_t patience = core_retry(controller->core), turn = core_turn(controller->core);
        pthread_mutex_lock(&controller->lock);
        wait_for_tip(controller, stuck, turn < patience ? turn : patience);
        memcpy(tip, controller->tip, sizeof tip);
        int64_t when = controller->tip_when;
        controller->tip[0] = '\0';
        bool asked = controller->core_asked;
        controller->core_asked = controller->woken = false;
        pthread_mutex_unlock(&controller->lock);
        if (atomic_load(&controller->stopping))
            return NULL;
        if (asked)
            supervisor_answer(controller->supervisor);
        stuck = mirror_refresh(controller->reading, &error) != STATUS_OK;
        if (stuck)
            log_event(LOG_LEVEL_WARN, "reopen_failed", "error", error.message, NULL);
        if (tip[0])
            take(controller, tip, when);
        note_iteration(controller, "core");
    }
}

static void ask_core(void *context)
{
    struct controller *controller = context;
    pthread_mutex_lock(&controller->lock);
    controller->core_asked = true;
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
}

/* --- starting -------------------------------------------------------------------------------- */

/* What the last run served is served at once; what core puts in force takes its place, and is kept
 * in its turn. */
static enum status keep_state(struct controller *controller, struct error *error)
{
    char folder[4200];
    snprintf(folder, sizeof folder, "%s/served", controller->config->data);
    state_file_serve(folder, controller->config->default_environment, &controller->hub);
    enum status status = core_resume(controller->core, error);
    if (status != STATUS_OK)
        return status;
    return state_keeper_start(&controller->hub, folder, controller->clock, &controller->keeper,
                              error);
}

static bool write_rollouts(void *context, const struct rollout_filter *filter, struct buffer *out)
{
    struct controller *controller = context;
    return steering_write_rollouts(core_steering(controller->core), filter, out);
}

static enum status write_measurements(void *context, const struct measurement_query *query,
                                      struct buffer *out, struct error *error)
{
    const struct controller *controller = context;
    return measurement_lines_write(controller->config->data, query, out, error);
}

static enum status make_hooks(struct controller *controller, struct error *error)
{
    const struct config *config = controller->config;
    struct hooks_parts parts = {.branch = config->branch,
                                .clock = controller->clock,
                                .telemetry = controller->telemetry,
                                .nudge = controller_nudge,
                                .context = controller};
    for (size_t i = 0; i < config->hook_count; i++) {
        struct text name = text_of(config->hooks[i].name + strlen("hooks."));
        parts.secrets[hook_forge_of(name)] = &config->hooks[i];
    }
    return config->hook_count ? hooks_new(&parts, &controller->hooks, error) : STATUS_OK;
}

static enum status start_commit_status(struct controller *controller, struct error *error)
{
    const struct commit_status_parts parts = {.settings = &controller->config->commit_status,
                                              .ca_file = controller->config->reach.ca_file,
                                              .clock = controller->clock,
                                              .telemetry = controller->telemetry};
    return parts.settings->forge ? commit_status_start(&parts, &controller->commit_status, error)
                                 : STATUS_OK;
}

static void reload(struct controller *controller)
{
    struct error error;
    supervisor_reloading(controller->supervisor);
    if (controller->hooks && hooks_reload(controller->hooks, &error) != STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "reload_failed", "error", error.message, NULL);
    http_server_reload(controller->http);
    supervisor_reloaded(controller->supervisor);
    controller_nudge(controller);
}

static enum status start_http(struct controller *controller,
                              void (*announce)(void *context, const char *address), void *context,
                              struct error *error)
{
    char address[64];
    unsigned threads = controller->config->http_threads;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (threads == 0)
        threads = cores > 0 ? (unsigned)cores : 1;
    struct http_parts parts = {.hub = &controller->hub,
                               .telemetry = controller->telemetry,
                               .clock = controller->clock,
                               .write_status = controller_write_status,
                               .status_context = controller,
                               .settings = &controller->config->http,
                               .last_fetch = &controller->folder.last_success,
                               .event_streams = controller->config->event_streams,
                               .event_heartbeat = controller->config->event_heartbeat,
                               .hooks = controller->hooks,
                               .write_rollouts = write_rollouts,
                               .write_measurements = write_measurements,
                               .rollouts_context = controller,
                               .desk = controller->desk};
    enum status status = http_server_start(&parts, controller->config->listen, threads, address,
                                           &controller->http, error);
    if (status == STATUS_OK)
        announce(context, address);
    return status;
}

static enum status start_supervisor(struct controller *controller, struct error *error)
{
    const struct supervisor_parts parts = {.hub = &controller->hub,
                                           .http = controller->http,
                                           .ask_core = ask_core,
                                           .write_status = controller_write_status,
                                           .context = controller};
    return supervisor_start(&parts, &controller->supervisor, error);
}

static enum status start_threads(struct controller *controller, struct error *error)
{
    enum status status = git_thread_start(controller->git, error);
    if (status != STATUS_OK)
        return status;
    controller->has_core_thread =
        pthread_create(&controller->core_thread, NULL, core_main, controller) == 0;
    return controller->has_core_thread ? STATUS_OK
                                       : error_set(error, STATUS_SYSTEM, "cannot start a thread");
}

/* --- running and stopping -------------------------------------------------------------------- */

static void do_nothing(int signal_number)
{
    (void)signal_number;
}

/* Signals are waited for, not handled; SIGUSR1 only interrupts a read that hangs, for stop_git().
 * A closed pipe and a file that may not grow (`ulimit -f`) are failed writes, told as such. */
static void prepare_signals(sigset_t *waited)
{
    struct sigaction interrupt = {.sa_handler = do_nothing}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGUSR1, &interrupt, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
    sigemptyset(waited);
    sigaddset(waited, SIGTERM);
    sigaddset(waited, SIGINT);
    sigaddset(waited, SIGHUP);
    pthread_sigmask(SIG_BLOCK, waited, NULL);
}

static void wait_for_end(struct controller *controller, const sigset_t *waited)
{
    for (;;) {
        int number = 0;
        if (sigwait(waited, &number) != 0)
            continue;
        if (number != SIGHUP) {
            log_event(LOG_LEVEL_INFO, "stopping", "signal",
                      number == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
            return;
        }
        reload(controller);
    }
}

/* False when a thread would not end: then what it uses must not be freed. */
static bool stop_threads(struct controller *controller)
{
    supervisor_stop(controller->supervisor);
    if (controller->http)
        http_server_stop(controller->http, PATIENCE_HTTP);
    if (!controller->has_lock)
        return true;
    pthread_mutex_lock(&controller->lock);
    atomic_store(&controller->stopping, true);
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
    if (controller->has_core_thread)
        pthread_join(controller->core_thread, NULL);
    metrics_stop(controller->metrics);
    controller->metrics = NULL;
    commit_status_stop(controller->commit_status);
    news_stop(controller->news);
    controller->commit_status = NULL;
    state_keeper_stop(controller->keeper);
    if (controller->fleet)
        fleet_free(controller->fleet, PATIENCE_TARGETS);
    return git_thread_stop(controller->git);
}

static void dispose(struct controller *controller)
{
    hooks_free(controller->hooks);
    supervisor_free(controller->supervisor);
    core_free(controller->core);
    desk_free(controller->desk);
    store_close(controller->store);
    upkeep_free(controller->upkeep);
    store_upkeep_free(controller->store_upkeep);
    mirror_close(controller->reading);
    mirror_close(controller->fetching);
    if (controller->has_hub)
        hub_dispose(&controller->hub);
    telemetry_free(controller->telemetry);
    reach_dispose(&controller->reach);
    if (controller->has_lock) {
        pthread_cond_destroy(&controller->changed);
        pthread_mutex_destroy(&controller->lock);
    }
    data_folder_release(&controller->folder);
    free(controller);
    mirror_shutdown();
}

enum status controller_run(const struct config *config,
                           void (*announce)(void *context, const char *address), void *context,
                           struct error *error)
{
    sigset_t waited;
    struct controller *controller = calloc(1, sizeof *controller);
    if (!controller)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    controller->config = config;
    controller->clock = &system_clock;
    controller->folder.lock = -1;
    config_set_up_log(config);
    prepare_signals(&waited);
    limits_raise_descriptors();
    enum status status = mirror_startup(error);
    if (status != STATUS_OK) {
        free(controller);
        return status;
    }
    status = data_folder_take(&controller->folder, config->data, error);
    if (status == STATUS_OK)
        status = controller_make_parts(controller, error);
    if (status == STATUS_OK)
        status = keep_state(controller, error);
    if (status == STATUS_OK)
        status = make_hooks(controller, error);
    if (status == STATUS_OK)
        status = start_commit_status(controller, error);
    if (status == STATUS_OK)
        status = start_http(controller, announce, context, error);
    if (status == STATUS_OK)
        status = start_supervisor(controller, error);
    if (status == STATUS_OK)
        status = start_threads(controller, error);
    if (status == STATUS_OK)
        wait_for_end(controller, &waited);
    if (stop_threads(controller))
        dispose(controller);
    else
        log_event(LOG_LEVEL_WARN, "fetch_abandoned", NULL);
    return status;
}
