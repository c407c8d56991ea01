#include "worker.h"

#include <signal.h>

#include "../../rules/codes.h"
#include "../log.h"
#include "../telemetry_families.h"

#define FIRST_WAIT (200 * NANOSECONDS_PER_MILLISECOND)
#define LONGEST_WAIT (30 * NANOSECONDS_PER_SECOND)
/* Most outages are short, and what was missed is wanted at once when they end: only a target that
 * fails for minutes is asked less often than every second. */
#define SHORT_WAIT (1 * NANOSECONDS_PER_SECOND)
#define SHORT_FAILURES 120
/* How often a target that has everything is asked whether it still has: a Redis may come back
 * empty. */
#define CHECK_INTERVAL LONGEST_WAIT
#define CHECK_JITTER 20 /* percent */
/* How often a worker sees whether its connection still stands, so that one which comes back empty
 * does not wait for the next check. A server that hangs up each time is asked no more often. */
#define LOST_INTERVAL (1 * NANOSECONDS_PER_SECOND)
#define STACK_SIZE ((size_t)1 << 20)

struct target_worker {
    _Atomic uint32_t references;
    struct world *world;
    char *name;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the mail, `stop` or `ended`; on the monotonic clock */

    /* Under the lock: */
    struct target_definition *current; /* what the thread works by; only it replaces this */
    struct target_definition *mail;    /* or NULL */
    struct snapshot *snapshot;         /* the newest given, counted; NULL before the first */
    bool fresh;                        /* the thread has not looked at the mail yet */
    _Atomic bool stop;                 /* drivers look at it without the lock */
    bool ended, abandoned;
    struct target_status status;
    /* Not to be touched once `abandoned`: */
    struct series *pushes[3], *behind, *last_success, *turns, *last_turn;

    /* The thread's own: */
    const struct target_driver *driver;
    void *state;
    int told; /* the condition that was logged last; -1: none */
};

const char *target_condition_name(enum target_condition condition)
{
    static const char *const names[] = {"pending", "inSync", "retrying", "refused"};
    return names[condition];
}

/* --- what workers share ---------------------------------------------------------------------- */

struct world *world_new(const struct fleet_parts *parts)
{
    struct world *world = calloc(1, sizeof *world);
    if (!world)
        return NULL;
    atomic_init(&world->references, 1);
    world->clock = *parts->clock;
    world->context = parts->context;
    world->adopt = parts->adopt;
    world->outrun = parts->outrun;
    if (reach_copy(parts->reach, &world->reach) != STATUS_OK) {
        world_release(world);
        return NULL;
    }
    return world;
}

void world_release(struct world *world)
{
    if (!world || atomic_fetch_sub_explicit(&world->references, 1, memory_order_acq_rel) != 1)
        return;
    reach_dispose(&world->reach);
    free(world);
}

static void release(struct target_worker *worker)
{
    if (atomic_fetch_sub_explicit(&worker->references, 1, memory_order_acq_rel) != 1)
        return;
    target_definition_free(worker->current);
    target_definition_free(worker->mail);
    snapshot_release(worker->snapshot);
    free(worker->name);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    world_release(worker->world);
    free(worker);
}

/* --- the driver ------------------------------------------------------------------------------ */

static void close_driver(struct target_worker *worker)
{
    if (worker->state)
        worker->driver->close(worker->state);
    worker->state = NULL;
}

static enum status push(struct target_worker *worker, struct snapshot *snapshot,
                        struct generation *held, struct push_found *found, struct error *error)
{
    const struct target_definition *definition = worker->current;
    const struct snapshot_environment *environment =
        snapshot_environment(snapshot, text_of(definition->environment));
    if (!environment)
        return error_set(error, STATUS_REFUSED, "environment '%.100s' is not among what is served",
                         definition->environment);
    if (!worker->state) {
        worker->driver = target_driver(definition->type);
        if (worker->driver)
            worker->state =
                worker->driver->open(definition, &worker->world->reach, &worker->world->clock);
    }
    if (!worker->state)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    const struct push push = {snapshot,
                              environment->document,
                              definition->environment,
                              &worker->stop,
                              held,
                              environment->overrides,
                              found};
    return worker->driver->push(worker->state, &push, error);
}

/* --- what came of a push --------------------------------------------------------------------- */

static void copy_string(char *out, size_t size, const char *source)
{
    snprintf(out, size, "%s", source ? source : "");
}

/* Under the lock, whatever came of the push: what it found is true of the target as it stands. */
static void note_found(struct target_worker *worker, const struct push_found *found)
{
    struct target_status *status = &worker->status;
    const struct world *world = worker->world;
    if (!found->looked)
        return;
    status->merged = found->merged;
    if (found->unservable && strcmp(status->override_problem, found->problem) != 0)
        log_event(LOG_LEVEL_WARN, "override_unservable", "target", status->name, "environment",
                  status->environment, "error", found->problem, NULL);
    status->unservable = found->unservable;
    copy_string(status->override_problem, sizeof status->override_problem, found->problem);
    if (worker->abandoned)
        return;
    if (found->count && world->adopt)
        world->adopt(world->context, status->name, found->overrides, found->count);
    if (found->outrun && world->outrun)
        world->outrun(world->context, worker->current->environment, found->held);
}

/* Under the lock. `checked`: the target had it already, this was only to see whether it still
 * has. */
static void note_success(struct target_worker *worker, const struct snapshot *snapshot,
                         bool checked)
{
    struct target_status *status = &worker->status;
    const struct snapshot_environment *environment =
        snapshot_environment(snapshot, text_of(worker->current->environment));
    bool newest = !worker->fresh;

    status->condition = newest ? TARGET_IN_SYNC : TARGET_PENDING;
    generation_format(snapshot->generation, status->generation);
    if (status->merged)
        status->digest[0] = '\0';
    else
        document_digest_text(environment->document, status->digest);
    copy_string(status->commit, sizeof status->commit, snapshot->commit);
    status->last_success = clock_seconds(&worker->world->clock);
    status->failures = 0;
    status->problem[0] = status->held[0] = '\0';
    status->held_since = 0;
    status->code = NULL;
    if (worker->abandoned)
        return;
    if (!checked)
        series_add(worker->pushes[0], 1);
    series_set(worker->behind, !newest);
    series_set(worker->last_success, status->last_success);
}

/* Under the lock. Nothing is done about a target that holds something newer but to wait: that is
 * told whole, since it may take for ever. */
static void note_held(struct target_worker *worker, const struct snapshot *snapshot,
                      const struct generation *held)
{
    struct target_status *status = &worker->status;
    const struct generation none = {0};
    char own[GENERATION_TEXT_SIZE], since[TIME_TEXT_SIZE];
    size_t length = strlen(status->problem);
    if (generation_compare(*held, none) == 0) {
        status->held[0] = '\0';
        status->held_since = 0;
        return;
    }
    if (!status->held_since)
        status->held_since = clock_seconds(&worker->world->clock);
    generation_format(*held, status->held);
    generation_format(snapshot->generation, own);
    time_format(status->held_since, since);
    snprintf(status->problem + length, sizeof status->problem - length,
             "; this one's is lower (%s), and it has waited since %s", own, since);
}

/* Under the lock. */
static void note_failure(struct target_worker *worker, const struct snapshot *snapshot,
                         const struct generation *held, const struct error *error)
{
    struct target_status *status = &worker->status;
    bool refused = error->status == STATUS_REFUSED;
    status->condition = refused ? TARGET_REFUSED_IT : TARGET_RETRYING;
    status->failures += status->failures < UINT32_MAX;
    copy_string(status->problem, sizeof status->problem, error->message);
    note_held(worker, snapshot, held);
    status->code = worker->state ? worker->driver->code(worker->state) : NULL;
    if (worker->abandoned)
        return;
    series_add(worker->pushes[refused ? 2 : 1], 1);
    series_set(worker->behind, 1);
}

static void tell(struct target_worker *worker, const struct target_status *status)
{
    /* One that has fallen behind again by newer mail was in sync for a moment: that is told too. */
    int condition = status->failures ? (int)status->condition : TARGET_IN_SYNC;
    if (condition == worker->told)
        return;
    worker->told = condition;
    if (condition == TARGET_IN_SYNC)
        log_event(LOG_LEVEL_INFO, "target_in_sync", "target", status->name, "environment",
                  status->environment, "commit", status->commit, "generation", status->generation,
                  NULL);
    else
        log_event(LOG_LEVEL_WARN, "target_failed", "target", status->name, "environment",
                  status->environment, "error", status->problem, status->code ? "code" : NULL,
                  status->code, NULL);
}

/* How long to wait before the next turn, unless mail comes. */
static int64_t wait_after(const struct target_worker *worker, enum status status, unsigned failures)
{
    const struct clock *clock = &worker->world->clock;
    if (status == STATUS_OK)
        return clock_jitter(clock, CHECK_INTERVAL, CHECK_JITTER);
    if (status == STATUS_REFUSED)
        return clock_backoff(clock, 1, LONGEST_WAIT, LONGEST_WAIT);
    if (failures <= SHORT_FAILURES)
        return clock_backoff(clock, failures, FIRST_WAIT, SHORT_WAIT);
    return clock_backoff(clock, failures - SHORT_FAILURES, SHORT_WAIT, LONGEST_WAIT);
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Deadlines are of the system's clock, whatever clock the rest goes by: that is what conditions
 * wait on. */
static int64_t monotonic_now(void)
{
    return system_clock.monotonic(system_clock.self);
}

static bool wait_until(struct target_worker *worker, int64_t deadline)
{
    const struct timespec at = {.tv_sec = (time_t)(deadline / NANOSECONDS_PER_SECOND),
                                .tv_nsec = (long)(deadline % NANOSECONDS_PER_SECOND)};
    return pthread_cond_timedwait(&worker->changed, &worker->lock, &at) == 0;
}

/* Under the lock: waits for mail, for the deadline, for the target's connection to end, or to be
 * stopped. */
static void wait_for_work(struct target_worker *worker, int64_t deadline)
{
    bool watched = worker->state && worker->driver->lost;
    int64_t look = watched ? monotonic_now() + LOST_INTERVAL : deadline;
    while (!worker->stop && !worker->fresh) {
        int64_t now = monotonic_now(), next = look < deadline ? look : deadline;
        if (!worker->snapshot)
            pthread_cond_wait(&worker->changed, &worker->lock);
        else if (now < next)
            wait_until(worker, next);
        else if (now >= deadline || worker->driver->lost(worker->state))
            break;
        else
            look = now + LOST_INTERVAL;
    }
}

/* Takes what is in the mail, pushes it, notes what came of it. Called and left under the lock,
 * which is not held in between. Returns the next deadline. */
static int64_t turn(struct target_worker *worker)
{
    const struct target_status *now = &worker->status;
    bool checked = !worker->fresh && now->condition == TARGET_IN_SYNC;
    if (worker->mail) {
        close_driver(worker); /* contacts nobody for long: it closes descriptors */
        target_definition_free(worker->current);
        worker->current = worker->mail;
        worker->mail = NULL;
    }
    worker->fresh = false;
    struct snapshot *snapshot = snapshot_reference(worker->snapshot);
    if (!worker->abandoned) {
        series_add(worker->turns, 1);
        series_set(worker->last_turn, clock_seconds(&worker->world->clock));
    }
    pthread_mutex_unlock(&worker->lock);

    struct error error = {0};
    struct generation held = {0};
    struct push_found found = {0};
    enum status status = push(worker, snapshot, &held, &found, &error);
    error.status = status;

    pthread_mutex_lock(&worker->lock);
    /* What came of it is no news about the target as it is now. */
    bool outdated = worker->mail || status == STATUS_STOPPED;
    if (!outdated)
        note_found(worker, &found);
    if (!outdated && status == STATUS_OK)
        note_success(worker, snapshot, checked);
    else if (!outdated)
        note_failure(worker, snapshot, &held, &error);
    struct target_status copy = worker->status;
    pthread_mutex_unlock(&worker->lock);
    if (!outdated)
        tell(worker, &copy);
    push_found_dispose(&found);
    snapshot_release(snapshot);
    int64_t deadline = monotonic_now() + wait_after(worker, status, copy.failures);
    pthread_mutex_lock(&worker->lock);
    return deadline;
}

static void *worker_main(void *context)
{
    struct target_worker *worker = context;
    int64_t deadline = 0;
    pthread_mutex_lock(&worker->lock);
    for (;;) {
        wait_for_work(worker, deadline);
        if (worker->stop)
            break;
        deadline = turn(worker);
    }
    pthread_mutex_unlock(&worker->lock);
    close_driver(worker);
    pthread_mutex_lock(&worker->lock);
    worker->ended = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    release(worker);
    return NULL;
}

/* --- starting and ending --------------------------------------------------------------------- */

static bool init_locks(struct target_worker *worker)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&worker->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (made && pthread_mutex_init(&worker->lock, NULL) != 0) {
        pthread_cond_destroy(&worker->changed);
        made = false;
    }
    return made;
}

static bool start_thread(struct target_worker *worker)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    /* Signals are the main thread's, and a peer that closes early must not end the process. */
    sigfillset(&all);
    bool started = pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0 &&
                   pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
    if (started) {
        started = pthread_create(&worker->thread, &attributes, worker_main, worker) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    return started;
}

static void find_series(struct target_worker *worker, struct telemetry *telemetry, const char *name)
{
    static const char *const results[] = {"ok", "failed", "refused"};
    for (size_t i = 0; i < COUNT_OF(results); i++)
        worker->pushes[i] = telemetry_series(telemetry, &family_target_pushes, name, results[i]);
    worker->behind = telemetry_series(telemetry, &family_target_behind, name, NULL);
    worker->last_success = telemetry_series(telemetry, &family_target_last_success, name, NULL);
    worker->turns = telemetry_series(telemetry, &family_loop_iterations, "target", NULL);
    worker->last_turn = telemetry_series(telemetry, &family_loop_last, "target", NULL);
}

static void describe(struct target_worker *worker, const struct target_definition *definition)
{
    struct target_status *status = &worker->status;
    const struct target_driver *driver = target_driver(definition->type);
    copy_string(status->name, sizeof status->name, definition->name);
    copy_string(status->environment, sizeof status->environment, definition->environment);
    copy_string(status->path, sizeof status->path, definition->place.path.data);
    status->line = definition->place.line;
    status->column = definition->place.column;
    status->type = driver ? driver->name : "unknown";
}

enum status worker_start(struct world *world, struct telemetry *telemetry,
                         struct target_definition *definition, struct target_worker **out)
{
    struct target_worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return STATUS_NO_MEMORY;
    worker->name = strdup(definition->name);
    if (!worker->name || !init_locks(worker)) {
        free(worker->name);
        free(worker);
        return STATUS_NO_MEMORY;
    }
    atomic_init(&worker->references, 2);
    atomic_fetch_add_explicit(&world->references, 1, memory_order_relaxed);
    worker->world = world;
    worker->current = definition;
    worker->told = -1;
    describe(worker, definition);
    find_series(worker, telemetry, definition->name);
    if (!start_thread(worker)) {
        worker->current = NULL; /* stays the caller's */
        atomic_store(&worker->references, 1);
        release(worker);
        return STATUS_SYSTEM;
    }
    *out = worker;
    return STATUS_OK;
}

/* Under the lock. */
static void wake(struct target_worker *worker)
{
    worker->fresh = true;
    if (worker->status.condition == TARGET_IN_SYNC)
        worker->status.condition = TARGET_PENDING;
    series_set(worker->behind, 1);
    pthread_cond_broadcast(&worker->changed);
}

void worker_give(struct target_worker *worker, struct snapshot *snapshot)
{
    struct snapshot *old = NULL;
    pthread_mutex_lock(&worker->lock);
    if (snapshot != worker->snapshot) {
        old = worker->snapshot;
        worker->snapshot = snapshot_reference(snapshot);
        wake(worker);
    }
    pthread_mutex_unlock(&worker->lock);
    snapshot_release(old); /* not under the lock: it may free 100 000 fragments */
}

void worker_redefine(struct target_worker *worker, struct target_definition *definition)
{
    pthread_mutex_lock(&worker->lock);
    describe(worker, definition);
    if (target_definition_same(worker->mail ? worker->mail : worker->current, definition)) {
        target_definition_free(definition);
    } else {
        target_definition_free(worker->mail);
        worker->mail = definition;
        /* What another place acknowledged, or why it did not, says nothing about this one. */
        struct target_status *status = &worker->status;
        status->condition = TARGET_PENDING;
        status->generation[0] = status->digest[0] = status->commit[0] = status->problem[0] = '\0';
        status->held[0] = status->override_problem[0] = '\0';
        status->merged = false;
        status->unservable = 0;
        status->last_success = status->held_since = 0;
        status->failures = 0;
        status->code = NULL;
        wake(worker);
    }
    pthread_mutex_unlock(&worker->lock);
}

const char *worker_name(const struct target_worker *worker)
{
    return worker->name;
}

void worker_stop(struct target_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->stop = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

bool worker_ended(struct target_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    bool ended = worker->ended;
    pthread_mutex_unlock(&worker->lock);
    return ended;
}

void worker_part(struct target_worker *worker, int64_t deadline)
{
    pthread_mutex_lock(&worker->lock);
    while (!worker->ended && monotonic_now() < deadline)
        wait_until(worker, deadline);
    bool ended = worker->ended;
    worker->abandoned = true;
    pthread_mutex_unlock(&worker->lock);
    if (ended)
        pthread_join(worker->thread, NULL);
    else
        pthread_detach(worker->thread);
    release(worker);
}

/* --- looking --------------------------------------------------------------------------------- */

void worker_status(struct target_worker *worker, struct target_status *out)
{
    pthread_mutex_lock(&worker->lock);
    *out = worker->status;
    pthread_mutex_unlock(&worker->lock);
}
