#include "state_keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "log.h"
#include "state_file.h"

#define REST_FACTOR 4 /* times as long as a write took: at most a fifth of the time is writing */
#define REST_LONGEST (5 * NANOSECONDS_PER_SECOND)
#define RETRY_FIRST (1 * NANOSECONDS_PER_SECOND)
#define RETRY_LONGEST (60 * NANOSECONDS_PER_SECOND)

struct state_keeper {
    struct hub *hub;
    const struct clock *clock;
    char *folder;
    struct hub_listener listener;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* by CLOCK_MONOTONIC */
    bool published, stop;
    char problem[256]; /* the thread's own: as it was logged; or empty */
};

/* --- the thread ------------------------------------------------------------------------------ */

/* On the publisher's thread, under the hub's lock: so it waits for nothing that lasts. */
static void note_publish(void *context)
{
    struct state_keeper *keeper = context;
    pthread_mutex_lock(&keeper->lock);
    keeper->published = true;
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

/* False when the newest could not be written. */
static bool write_newest(struct state_keeper *keeper)
{
    struct error error = {0};
    struct snapshot *snapshot = hub_acquire(keeper->hub);
    enum status status = STATUS_OK;
    if (snapshot && !snapshot->from_disk)
        status = state_file_write(keeper->folder, snapshot, keeper->clock, &error);
    snapshot_release(snapshot);
    if (status != STATUS_OK && strcmp(keeper->problem, error.message) != 0)
        log_event(LOG_LEVEL_ERROR, "keep_state_failed", "folder", keeper->folder, "error",
                  error.message, NULL);
    if (status == STATUS_OK && keeper->problem[0])
        log_event(LOG_LEVEL_INFO, "keep_state_works_again", NULL);
    snprintf(keeper->problem, sizeof keeper->problem, "%s",
             status == STATUS_OK ? "" : error.message);
    return status == STATUS_OK;
}

/* Waits for the end of the rest, or for the stop; the lock is held. */
static void rest(struct state_keeper *keeper, int64_t nanoseconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t total = until.tv_nsec + nanoseconds;
    until.tv_sec += (time_t)(total / NANOSECONDS_PER_SECOND);
    until.tv_nsec = (long)(total % NANOSECONDS_PER_SECOND);
    while (!keeper->stop &&
           pthread_cond_timedwait(&keeper->changed, &keeper->lock, &until) != ETIMEDOUT)
        ;
}

static void *keeper_main(void *argument)
{
    struct state_keeper *keeper = argument;
    const struct clock *clock = keeper->clock;
    unsigned failures = 0;
    pthread_mutex_lock(&keeper->lock);
    for (;;) {
        while (!keeper->published && !keeper->stop)
            pthread_cond_wait(&keeper->changed, &keeper->lock);
        if (!keeper->published)
            break;
        keeper->published = false;
        pthread_mutex_unlock(&keeper->lock);
        int64_t began = clock->monotonic(clock->self);
        failures = write_newest(keeper) ? 0 : failures + 1;
        int64_t pause = REST_FACTOR * (clock->monotonic(clock->self) - began);
        if (pause > REST_LONGEST)
            pause = REST_LONGEST;
        if (failures)
            pause = clock_backoff(clock, failures, RETRY_FIRST, RETRY_LONGEST);
        pthread_mutex_lock(&keeper->lock);
        /* What failed is due again, but not once more when it is to end. */
        keeper->published |= failures && !keeper->stop;
        rest(keeper, pause);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

/* --- starting and ending --------------------------------------------------------------------- */

static bool init_locks(struct state_keeper *keeper)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&keeper->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (made && pthread_mutex_init(&keeper->lock, NULL) != 0) {
        pthread_cond_destroy(&keeper->changed);
        made = false;
    }
    return made;
}

/* It takes no signals: those are for the thread that waits for them. */
static bool start_thread(struct state_keeper *keeper)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = pthread_create(&keeper->thread, NULL, keeper_main, keeper) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void keeper_free(struct state_keeper *keeper)
{
    hub_unlisten(keeper->hub, &keeper->listener);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper->folder);
    free(keeper);
}

enum status state_keeper_start(struct hub *hub, const char *folder, const struct clock *clock,
                               struct state_keeper **out, struct error *error)
{
    struct state_keeper *keeper = calloc(1, sizeof *keeper);
    char *copy = strdup(folder);
    *out = NULL;
    if (!keeper || !copy || !init_locks(keeper)) {
        free(keeper);
        free(copy);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    keeper->hub = hub;
    keeper->clock = clock;
    keeper->folder = copy;
    keeper->published = atomic_load(&hub->version) > 0;
    keeper->listener = (struct hub_listener){.published = note_publish, .context = keeper};
    hub_listen(hub, &keeper->listener);
    if (!start_thread(keeper)) {
        keeper_free(keeper);
        return error_set(error, STATUS_SYSTEM, "cannot start a thread");
    }
    *out = keeper;
    return STATUS_OK;
}

void state_keeper_stop(struct state_keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->stop = true;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    keeper_free(keeper);
}
