/* The parts of `weir run` and their threads:
 *   main     waits for signals
 *   watch    tells systemd that the others are alive, where it asks (supervisor.c)
 *   git      fetches, tells core the tip          (may hang on a remote: nobody waits for it)
 *   core     turns tips into snapshots            (no network)
 *   targets  one worker each                      (fleet.c)
 *   status   tells the forge                      (outward/commit_status.c)
 *   news     one for each channel that people are told by (notify/notifier.c)
 *   keeper   writes what is served to the disk    (state_keeper.c)
 *   http     answers                              (http/server.c) */
#include "controller.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "core.h"
#include "data_folder.h"
#include "git/leftovers.h"
#include "git/upkeep.h"
#include "http/hooks.h"
#include "http/server.h"
#include "limits.h"
#include "log.h"
#include "news.h"
#include "outward/commit_status.h"
#include "state_file.h"
#include "state_keeper.h"
#include "store_upkeep.h"
#include "supervisor.h"
#include "telemetry_families.h"

#define PATIENCE_HTTP (5 * NANOSECONDS_PER_SECOND)
#define PATIENCE_TARGETS (2 * NANOSECONDS_PER_SECOND)
#define PATIENCE_GIT (3 * NANOSECONDS_PER_SECOND)
#define RETRY_FIRST (1 * NANOSECONDS_PER_SECOND)
#define RETRY_LONGEST (60 * NANOSECONDS_PER_SECOND)
/* A remote that has been away for this long is asked less often than the poll says. */
#define RETRY_PATIENCE (60 * NANOSECONDS_PER_SECOND)
/* From the beginning of a fetch to that of the next, however many ask for one. */
#define FETCH_INTERVAL (100 * NANOSECONDS_PER_MILLISECOND)

struct controller {
    const struct config *config;
    const struct clock *clock;
    struct telemetry *telemetry;
    struct reach reach; /* targets/ of the data folder included */
    struct hub hub;
    struct fleet *fleet;
    struct hooks *hooks;                 /* NULL: no forge may call */
    struct commit_status *commit_status; /* NULL: no forge is told */
    struct news *news;                   /* NULL: nobody is told */
    struct store_upkeep *store_upkeep;   /* git's thread */
    struct http_server *http;
    struct supervisor *supervisor; /* NULL: nobody supervises */
    struct state_keeper *keeper;
    struct core *core;
    struct mirror *fetching, *reading; /* one handle for each thread */
    struct upkeep *upkeep;             /* of the clone; git's thread */
    struct data_folder folder;

    pthread_mutex_t lock;
    pthread_cond_t changed;     /* by CLOCK_MONOTONIC */
    char tip[COMMIT_TEXT_SIZE]; /* for core; empty: nothing new */
    bool nudged;                /* fetch at once */
    bool core_asked;            /* core's loop is to tell the supervisor that it turns */
    bool git_ended;
    _Atomic bool stopping;
    pthread_t git_thread, core_thread;
    bool has_git_thread, has_core_thread, has_hub, has_lock;
};

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
    while (!controller->tip[0] && !controller->core_asked &&
           (stuck || !mirror_is_stale(controller->reading)) &&
           !atomic_load(&controller->stopping) && result != ETIMEDOUT)
        result = patience == INT64_MAX
                     ? pthread_cond_wait(&controller->changed, &controller->lock)
                     : pthread_cond_timedwait(&controller->changed, &controller->lock, &deadline);
}

static void *core_main(void *argument)
{
    struct controller *controller = argument;
    char tip[COMMIT_TEXT_SIZE];
    struct error error = {0};
    bool stuck = false; /* the handle could not be opened anew: tried again with the next tip */
    for (;;) {
        int64_t patience = core_retry(controller->core);
        pthread_mutex_lock(&controller->lock);
        wait_for_tip(controller, stuck, patience);
        memcpy(tip, controller->tip, sizeof tip);
        controller->tip[0] = '\0';
        bool asked = controller->core_asked;
        controller->core_asked = false;
        pthread_mutex_unlock(&controller->lock);
        if (atomic_load(&controller->stopping))
            return NULL;
        if (asked)
            supervisor_answer(controller->supervisor);
        stuck = mirror_refresh(controller->reading, &error) != STATUS_OK;
        if (stuck)
            log_event(LOG_LEVEL_WARN, "reopen_failed", "error", error.message, NULL);
        if (!tip[0])
            continue;
        /* What failed for the world's sake is told again by the next fetch. */
        commit_status_begin(controller->commit_status, tip);
        enum status outcome = core_take(controller->core, tip, &error);
        commit_status_judged(controller->commit_status, controller->core, tip, outcome);
        news_tell_commit(controller->news, controller->core, tip, outcome);
        note_iteration(controller, "core");
        supervisor_note(controller->supervisor);
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

static void tell_core(struct controller *controller, const char *tip)
{
    pthread_mutex_lock(&controller->lock);
    snprintf(controller->tip, sizeof controller->tip, "%s", tip);
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
}

/* --- git's thread ---------------------------------------------------------------------------- */

/* Packs the clone where it is due; core then opens its handle anew, even when it has no tip to
 * take. */
static void keep_up(struct controller *controller)
{
    store_upkeep_turn(controller->store_upkeep, &controller->stopping);
    if (!upkeep_turn(controller->upkeep, &controller->stopping))
        return;
    pthread_mutex_lock(&controller->lock);
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
}

/* Makes the git thread fetch: at once, or once more after the fetch that it is at. */
static void nudge(void *context)
{
    struct controller *controller = context;
    pthread_mutex_lock(&controller->lock);
    if (!controller->nudged) {
        controller->nudged = true;
        pthread_cond_broadcast(&controller->changed);
    }
    pthread_mutex_unlock(&controller->lock);
}

/* Waits for the poll's time, a nudge, or the end; for the least interval in any case. */
static void wait_for_poll(struct controller *controller, int64_t wait,
                          const struct timespec *earliest)
{
    struct timespec deadline = deadline_after(wait);
    int result = 0;
    pthread_mutex_lock(&controller->lock);
    while (!controller->nudged && !atomic_load(&controller->stopping) && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&controller->changed, &controller->lock, &deadline);
    /* Who asks in the meantime has asked for the same fetch. */
    for (result = 0; !atomic_load(&controller->stopping) && result != ETIMEDOUT;)
        result = pthread_cond_timedwait(&controller->changed, &controller->lock, earliest);
    controller->nudged = false;
    pthread_mutex_unlock(&controller->lock);
}

static void count_fetch(struct controller *controller, const char *result, int64_t started)
{
    struct telemetry *telemetry = controller->telemetry;
    bool failed = strcmp(result, "failed") == 0;
    series_add(telemetry_series(telemetry, &family_fetches, result, NULL), 1);
    series_add(telemetry_series(telemetry, &family_fetch_seconds, NULL, NULL),
               controller->clock->monotonic(controller->clock->self) - started);
    series_set(
        telemetry_series(telemetry, &family_last_fetch, failed ? "failed" : "succeeded", NULL),
        clock_seconds(controller->clock));
}

/* One fetch. `tip` is the newest that is known, also afterwards. Returns false when it failed. */
static bool fetch_once(struct controller *controller, char tip[COMMIT_TEXT_SIZE], char problem[256])
{
    struct error error = {0};
    char found[COMMIT_TEXT_SIZE];
    int64_t started = controller->clock->monotonic(controller->clock->self);
    enum status status = mirror_fetch(controller->fetching, controller->config->branch,
                                      &controller->stopping, found, &error);
    if (status == STATUS_STOPPED)
        return true;
    if (status != STATUS_OK) {
        count_fetch(controller, "failed", started);
        core_note_fetch(controller->core, &error);
        if (strcmp(problem, error.message) != 0)
            log_event(LOG_LEVEL_ERROR, "fetch_failed", "error", error.message, NULL);
        snprintf(problem, 256, "%s", error.message);
        return false;
    }
    if (problem[0])
        log_event(LOG_LEVEL_INFO, "fetch_works_again", NULL);
    problem[0] = '\0';
    data_folder_note(&controller->folder, clock_seconds(controller->clock));
    count_fetch(controller, strcmp(found, tip) == 0 ? "unchanged" : "changed", started);
    core_note_fetch(controller->core, NULL);
    memcpy(tip, found, COMMIT_TEXT_SIZE);
    tell_core(controller, tip);
    return true;
}

/* From a fetch to the next; `failures` is how many have failed in a row, since `since`. */
static int64_t wait_after_fetch(const struct controller *controller, unsigned failures,
                                int64_t since)
{
    const struct clock *clock = controller->clock;
    int64_t poll = controller->config->poll;
    int64_t wait = clock_jitter(clock, poll, 10);
    if (!failures)
        return wait;
    int64_t longest = poll > RETRY_LONGEST ? poll : RETRY_LONGEST;
    int64_t retry = clock_backoff(clock, failures, RETRY_FIRST, longest);
    bool is_away = clock->monotonic(clock->self) - since >= RETRY_PATIENCE;
    return retry < wait || is_away ? retry : wait;
}

static void *git_main(void *argument)
{
    struct controller *controller = argument;
    const struct clock *clock = controller->clock;
    int64_t since = 0; /* when the first of the failures was */
    char tip[COMMIT_TEXT_SIZE] = "", problem[256] = "";
    unsigned failures = 0;
    struct error error;
    /* What the last run fetched is served before the remote is asked. */
    if (mirror_last_tip(controller->fetching, tip, &error) == STATUS_OK)
        tell_core(controller, tip);
    while (!atomic_load(&controller->stopping)) {
        struct timespec earliest = deadline_after(FETCH_INTERVAL);
        failures = fetch_once(controller, tip, problem) ? 0 : failures + 1;
        if (failures == 1)
            since = clock->monotonic(clock->self);
        note_iteration(controller, "git");
        keep_up(controller);
        wait_for_poll(controller, wait_after_fetch(controller, failures, since), &earliest);
    }
    pthread_mutex_lock(&controller->lock);
    controller->git_ended = true;
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
    return NULL;
}

/* --- starting -------------------------------------------------------------------------------- */

static enum status open_mirrors(struct controller *controller, struct error *error)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/repository.git", controller->config->data);
    enum status status = git_access_install(&controller->config->git, error);
    size_t removed = leftovers_remove(path);
    if (removed)
        log_event(LOG_LEVEL_WARN, "leftovers_removed", "folder", path, NULL);
    if (git_access_is_exposed(&controller->config->git, controller->config->repo))
        log_event(LOG_LEVEL_WARN, "token_in_clear", "hint", "use an https:// URL", NULL);
    if (status == STATUS_OK)
        status = mirror_open(path, controller->config->repo, &controller->fetching, error);
    if (status == STATUS_OK)
        mirror_set_access(controller->fetching, &controller->config->git);
    if (status == STATUS_OK)
        status = mirror_open_beside(controller->fetching, &controller->reading, error);
    return status;
}

static void write_status(void *context, struct buffer *out)
{
    struct controller *controller = context;
    core_write_status(controller->core, out);
    static const char end[] = "}\n";
    if (out->failed || !text_ends_with(buffer_text(out), TEXT("}\n")))
        return;
    out->length -= sizeof end - 1;
    buffer_append_string(out, ",\"upkeep\":");
    upkeep_write_status(controller->upkeep, out);
    buffer_append_string(out, ",\"commitStatus\":");
    commit_status_write(controller->commit_status, out);
    buffer_append_string(out, ",\"notify\":");
    news_write_status(controller->news, out);
    buffer_append_string(out, end);
}

static enum status make_parts(struct controller *controller, struct error *error)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&controller->lock, NULL) != 0 || pthread_condattr_init(&attributes) != 0)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&controller->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failed || hub_init(&controller->hub) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    controller->has_lock = controller->has_hub = true;
    controller->telemetry = telemetry_new();
    if (!controller->telemetry ||
        reach_copy(&controller->config->reach, &controller->reach) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    series_set(telemetry_series(controller->telemetry, &family_build_info, WEIR_VERSION, NULL), 1);
    controller->fleet = fleet_new(&controller->reach, controller->clock, controller->telemetry);
    if (!controller->fleet)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    controller->upkeep = upkeep_new(controller->fetching, controller->clock, controller->telemetry);
    if (!controller->upkeep)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    struct core_parts parts = {controller->config, controller->clock, controller->telemetry,
                               &controller->hub,   controller->fleet, &controller->stopping};
    return core_new(&parts, controller->reading, &controller->core, error);
}

/* What the last run served is served at once; what core puts in force takes its place, and is kept
 * in its turn. */
static enum status keep_state(struct controller *controller, struct error *error)
{
    char folder[4200];
    snprintf(folder, sizeof folder, "%s/served", controller->config->data);
    state_file_serve(folder, controller->config->default_environment, &controller->hub);
    return state_keeper_start(&controller->hub, folder, controller->clock, &controller->keeper,
                              error);
}

static enum status make_hooks(struct controller *controller, struct error *error)
{
    const struct config *config = controller->config;
    struct hooks_parts parts = {.branch = config->branch,
                                .clock = controller->clock,
                                .telemetry = controller->telemetry,
                                .nudge = nudge,
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
    nudge(controller);
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
                               .write_status = write_status,
                               .status_context = controller,
                               .settings = &controller->config->http,
                               .last_fetch = &controller->folder.last_success,
                               .event_streams = controller->config->event_streams,
                               .event_heartbeat = controller->config->event_heartbeat,
                               .hooks = controller->hooks};
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
                                           .write_status = write_status,
                                           .context = controller};
    return supervisor_start(&parts, &controller->supervisor, error);
}

static enum status start_threads(struct controller *controller, struct error *error)
{
    controller->has_core_thread =
        pthread_create(&controller->core_thread, NULL, core_main, controller) == 0;
    controller->has_git_thread =
        controller->has_core_thread &&
        pthread_create(&controller->git_thread, NULL, git_main, controller) == 0;
    return controller->has_git_thread ? STATUS_OK
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

/* A fetch may hang in a read for ever; interrupts make it look at `stopping`. False when it would
 * not end. */
static bool stop_git(struct controller *controller)
{
    int64_t until = controller->clock->monotonic(controller->clock->self) + PATIENCE_GIT;
    bool ended;
    pthread_mutex_lock(&controller->lock);
    while (!(ended = controller->git_ended) &&
           controller->clock->monotonic(controller->clock->self) < until) {
        struct timespec deadline = deadline_after(50 * NANOSECONDS_PER_MILLISECOND);
        pthread_kill(controller->git_thread, SIGUSR1);
        pthread_cond_timedwait(&controller->changed, &controller->lock, &deadline);
    }
    pthread_mutex_unlock(&controller->lock);
    if (ended)
        pthread_join(controller->git_thread, NULL);
    return ended;
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
    commit_status_stop(controller->commit_status);
    news_stop(controller->news);
    controller->commit_status = NULL;
    state_keeper_stop(controller->keeper);
    if (controller->fleet)
        fleet_free(controller->fleet, PATIENCE_TARGETS);
    return !controller->has_git_thread || stop_git(controller);
}

static void dispose(struct controller *controller)
{
    hooks_free(controller->hooks);
    supervisor_free(controller->supervisor);
    core_free(controller->core);
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
        status = open_mirrors(controller, error);
    if (status == STATUS_OK)
        status = make_parts(controller, error);
    if (status == STATUS_OK)
        status = keep_state(controller, error);
    if (status == STATUS_OK)
        status = store_upkeep_start(config->data, &system_clock, &controller->store_upkeep, error);
    if (status == STATUS_OK)
        status = news_start(config, &system_clock, controller->telemetry, &controller->news, error);
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
