#include "clone.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

#define FOLDER_SIZE 512
#define TICK_NANOSECONDS 100000000
#define TICKS_PER_SECOND 10
#define QUIET_TICKS 7     /* what is quick shows nothing */
#define PATIENCE_TICKS 20 /* for a fetch to notice that it is to stop */

/* One clone: made by clone_run(), carried out by a thread of its own, so that a silent server
 * cannot keep an interrupt from being noticed. */
struct clone {
    const char *url;
    const struct git_access *access;
    clone_work *work;
    void *context;
    char folder[FOLDER_SIZE], repository[FOLDER_SIZE + 16];
    _Atomic bool stop;
    enum status status;
    struct error error;
    pthread_mutex_t lock;
    pthread_cond_t ended_condition;
    bool ended;
};

/* --- the thread ------------------------------------------------------------------------------ */

static enum status clone_carry_out(struct clone *clone)
{
    struct mirror *mirror = NULL;
    enum status status = mirror_open(clone->repository, clone->url, &mirror, &clone->error);
    if (status == STATUS_OK) {
        mirror_set_access(mirror, clone->access);
        status = clone->work(clone->context, mirror, &clone->stop, &clone->error);
    }
    mirror_close(mirror);
    return status;
}

static void *clone_thread(void *context)
{
    struct clone *clone = context;
    enum status status = clone_carry_out(clone);
    pthread_mutex_lock(&clone->lock);
    clone->status = status;
    clone->ended = true;
    pthread_cond_signal(&clone->ended_condition);
    pthread_mutex_unlock(&clone->lock);
    return NULL;
}

/* --- waiting for it -------------------------------------------------------------------------- */

/* Waits one tick at most; true when the thread has ended. */
static bool wait_tick(struct clone *clone)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_NANOSECONDS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&clone->lock);
    int late = 0;
    while (!clone->ended && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&clone->ended_condition, &clone->lock, &until);
    bool ended = clone->ended;
    pthread_mutex_unlock(&clone->lock);
    return ended;
}

static void show_progress(unsigned ticks)
{
    if (ticks >= QUIET_TICKS && isatty(STDERR_FILENO))
        fprintf(stderr, "\rfetching the repository … %u s", ticks / TICKS_PER_SECOND);
}

static void hide_progress(unsigned ticks)
{
    if (ticks >= QUIET_TICKS && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *at)
{
    (void)about;
    (void)type;
    (void)at;
    remove(path); /* what cannot be removed must not keep the rest */
    return 0;
}

static void remove_folder(const char *folder)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The folder first, then the end that the signal's sender expects to see. */
static void end_by_signal(struct clone *clone, int number, const sigset_t *before)
{
    clone->stop = true;
    for (unsigned i = 0; i < PATIENCE_TICKS && !wait_tick(clone); i++) {
    }
    remove_folder(clone->folder);
    signal(number, SIG_DFL);
    kill(getpid(), number); /* pending, until it is let through */
    pthread_sigmask(SIG_SETMASK, before, NULL);
    _exit(128 + number);
}

static void await(struct clone *clone, const sigset_t *signals, const sigset_t *before)
{
    const struct timespec at_once = {0, 0};
    unsigned ticks = 0;
    while (!wait_tick(clone)) {
        int number = sigtimedwait(signals, NULL, &at_once);
        if (number > 0) {
            hide_progress(ticks);
            end_by_signal(clone, number, before);
        }
        show_progress(++ticks);
    }
    hide_progress(ticks);
}

static enum status run_thread(struct clone *clone)
{
    sigset_t signals, before;
    pthread_condattr_t attributes;
    pthread_t thread;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    if (pthread_condattr_init(&attributes) != 0)
        return error_set(&clone->error, STATUS_NO_MEMORY, "no memory");
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&clone->lock, NULL);
    pthread_cond_init(&clone->ended_condition, &attributes);
    pthread_condattr_destroy(&attributes);
    /* Blocked before the folder exists, so that no signal comes between the two. */
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    if (!mkdtemp(clone->folder)) {
        clone->status =
            error_set(&clone->error, STATUS_SYSTEM, "cannot make the folder \"%.120s\": %s",
                      clone->folder, strerror(errno));
    } else {
        snprintf(clone->repository, sizeof clone->repository, "%s/repository", clone->folder);
        int reason = pthread_create(&thread, NULL, clone_thread, clone);
        if (reason == 0) {
            await(clone, &signals, &before);
            pthread_join(thread, NULL);
        } else {
            clone->status = error_set(&clone->error, STATUS_SYSTEM, "cannot start a thread: %s",
                                      strerror(reason));
        }
        remove_folder(clone->folder);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_cond_destroy(&clone->ended_condition);
    pthread_mutex_destroy(&clone->lock);
    return clone->status;
}

enum status clone_run(const char *url, const struct git_access *access, clone_work *work,
                      void *context, struct error *error)
{
    const char *temporary = getenv("TMPDIR");
    struct clone *clone = calloc(1, sizeof *clone);
    if (!clone)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    clone->url = url;
    clone->access = access;
    clone->work = work;
    clone->context = context;
    if (!temporary || !*temporary)
        temporary = "/tmp";
    int length = snprintf(clone->folder, sizeof clone->folder, "%s/weir-XXXXXX", temporary);
    enum status status;
    if (length < 0 || (size_t)length >= sizeof clone->folder)
        status =
            error_set(&clone->error, STATUS_LIMIT, "TMPDIR is too long: \"%.80s…\"", temporary);
    else
        status = run_thread(clone);
    if (error)
        *error = clone->error;
    free(clone);
    return status;
}

/* --- reading a commit ------------------------------------------------------------------------ */

struct reading {
    const char *revision;
    clone_use *use;
    void *context;
};

static bool is_commit_id(const char *revision)
{
    size_t digits = strspn(revision, "0123456789abcdefABCDEF");
    return digits >= 4 && revision[digits] == '\0';
}

/* A branch of that name, else whatever the history of HEAD knows by it. */
static enum status find_commit(const char *revision, struct mirror *mirror, _Atomic bool *stop,
                               char commit[COMMIT_TEXT_SIZE], struct error *error)
{
    if (!revision || strcmp(revision, "HEAD") == 0)
        return mirror_fetch(mirror, NULL, stop, commit, error);
    enum status status = STATUS_NOT_FOUND;
    if (!is_commit_id(revision))
        status = mirror_fetch(mirror, revision, stop, commit, error);
    if (status != STATUS_NOT_FOUND)
        return status;
    char tip[COMMIT_TEXT_SIZE];
    struct error unused;
    status = mirror_fetch(mirror, NULL, stop, tip, error);
    if (status)
        return status;
    if (mirror_resolve(mirror, revision, commit, &unused) == STATUS_OK)
        return STATUS_OK;
    return error_set(
        error, STATUS_NOT_FOUND,
        "\"%.80s\" is neither a branch nor a commit in the history of the remote's HEAD; "
        "clone the repository and use \"--repo PATH\" for others",
        revision);
}

static enum status read_clone(void *context, struct mirror *mirror, _Atomic bool *stop,
                              struct error *error)
{
    const struct reading *reading = context;
    char commit[COMMIT_TEXT_SIZE];
    enum status status = find_commit(reading->revision, mirror, stop, commit, error);
    return status == STATUS_OK ? reading->use(reading->context, mirror, commit, error) : status;
}

enum status clone_read(const char *url, const char *revision, clone_use *use, void *context,
                       struct error *error)
{
    struct reading reading = {revision, use, context};
    return clone_run(url, NULL, read_clone, &reading, error);
}
