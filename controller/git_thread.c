#include "git_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "git/intents.h"
#include "git/verify.h"
#include "log.h"
#include "telemetry_families.h"

#define PATIENCE (3 * NANOSECONDS_PER_SECOND)
#define RETRY_FIRST (1 * NANOSECONDS_PER_SECOND)
#define RETRY_LONGEST (60 * NANOSECONDS_PER_SECOND)
/* A remote that has been away for this long is asked less often than the poll says. */
#define RETRY_PATIENCE (60 * NANOSECONDS_PER_SECOND)
/* From the beginning of a fetch to that of the next, however many ask for one. */
#define FETCH_INTERVAL (100 * NANOSECONDS_PER_MILLISECOND)

#define FORGOTTEN_MAX 64 /* refs of overrides, taken off after one fetch */

struct git_thread {
    struct git_thread_parts parts;
    pthread_t thread;
    bool has_started;
    _Atomic bool stopping;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* by CLOCK_MONOTONIC */
    bool nudged;            /* fetch at once */
    struct proposal *proposal;
    bool has_ended;
    char forgotten[FORGOTTEN_MAX][INTENT_NAME_LENGTH + 1];
    size_t forgotten_count;

    /* the thread's own */
    char tip[COMMIT_TEXT_SIZE];
    char verified[COMMIT_TEXT_SIZE]; /* the last tip whose signatures were looked at */
    char problem[256];
    unsigned failures; /* of fetches, in a row */
    int64_t since;     /* when the first of them was */
};

static struct timespec deadline_after(int64_t nanoseconds)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t total = (int64_t)now.tv_nsec + nanoseconds;
    now.tv_sec += total / NANOSECONDS_PER_SECOND;
    now.tv_nsec = total % NANOSECONDS_PER_SECOND;
    return now;
}

/* --- from other threads ---------------------------------------------------------------------- */

void git_thread_nudge(struct git_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    if (!thread->nudged) {
        thread->nudged = true;
        pthread_cond_broadcast(&thread->changed);
    }
    pthread_mutex_unlock(&thread->lock);
}

void git_thread_propose(struct git_thread *thread, struct proposal *proposal)
{
    pthread_mutex_lock(&thread->lock);
    struct proposal *before = thread->proposal;
    thread->proposal = proposal;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
    proposal_free(before);
}

void git_thread_forget(struct git_thread *thread, struct text intent)
{
    pthread_mutex_lock(&thread->lock);
    if (thread->forgotten_count < FORGOTTEN_MAX && intent.length == INTENT_NAME_LENGTH) {
        char *name = thread->forgotten[thread->forgotten_count++];
        memcpy(name, intent.data, INTENT_NAME_LENGTH);
        name[INTENT_NAME_LENGTH] = '\0';
    } /* else the next fetch finds it again */
    pthread_mutex_unlock(&thread->lock);
}

/* --- overrides as refs of the remote ---------------------------------------------------------- */

_Static_assert(INTENT_BYTES_MAX >= OVERRIDE_JSON_MAX, "INTENT_BYTES_MAX");

/* One that another controller could not record (ROLLOUTS.md section 4). */
static void take_intent(void *context, const char *intent, struct text json,
                        const struct error *problem)
{
    struct git_thread *thread = context;
    struct override *override = NULL;
    struct error error = {0};
    if (!problem && override_read(json, &override, &error) != STATUS_OK)
        problem = &error;
    if (!problem && !text_is(override->intent, intent)) {
        error_set(&error, STATUS_INVALID, "it is of another intent");
        problem = &error;
    }
    if (problem)
        log_event(LOG_LEVEL_ERROR, "override_unreadable", "intent", intent, "error",
                  problem->message, NULL);
    else
        steering_adopt(core_steering(thread->parts.core), &override, 1, NULL);
    override_release(override);
}

static void read_intents(struct git_thread *thread)
{
    struct error error = {0};
    if (intents_read(thread->parts.mirror, take_intent, thread, NULL, &thread->stopping, &error) !=
        STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "intents_failed", "error", error.message, NULL);
}

/* What the branch would not take is kept beside it. */
static void write_intents(struct git_thread *thread, const struct proposal *proposal)
{
    const struct git_thread_parts *parts = &thread->parts;
    for (size_t i = 0; i < proposal->override_count; i++) {
        const struct override *override = proposal->overrides[i];
        struct buffer json;
        struct error error = {0};
        buffer_init(&json, 0);
        override_write(override, &json);
        enum status status = json.failed;
        if (status == STATUS_OK)
            status = intents_write(parts->mirror, override->intent.data, buffer_text(&json),
                                   &parts->recorder.author, &thread->stopping, &error);
        log_event(status == STATUS_OK ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, "intent_written",
                  "intent", override->intent.data, "error",
                  status == STATUS_OK ? "" : error.message, NULL);
        buffer_dispose(&json);
    }
}

static void remove_intents(struct git_thread *thread)
{
    char names[FORGOTTEN_MAX][INTENT_NAME_LENGTH + 1];
    struct error error;
    pthread_mutex_lock(&thread->lock);
    size_t count = thread->forgotten_count;
    memcpy(names, thread->forgotten, sizeof names);
    thread->forgotten_count = 0;
    pthread_mutex_unlock(&thread->lock);
    for (size_t i = 0; i < count; i++)
        if (intents_remove(thread->parts.mirror, names[i], &thread->stopping, &error) != STATUS_OK)
            log_event(LOG_LEVEL_WARN, "intent_stays", "intent", names[i], "error", error.message,
                      NULL);
}

/* --- telling core ---------------------------------------------------------------------------- */

/* Core judges signatures, and does nothing else meanwhile: rollbacks wait for it. So they are
 * looked at here first, where nobody waits, and what is good is remembered in the clone. */
static void verify(struct git_thread *thread)
{
    const struct config *config = thread->parts.config;
    struct verify_policy policy = {.allowed_signers = config->allowed_signers,
                                   .since = config->verify_since,
                                   .stop = &thread->stopping};
    struct error error; /* core's to tell */
    if (!config->verify || !verify_mode_parse(text_of(config->verify), &policy.mode) ||
        strcmp(thread->verified, thread->tip) == 0)
        return;
    enum status status = mirror_verify(thread->parts.mirror, &policy, thread->tip, &error);
    if (status == STATUS_OK || status == STATUS_REFUSED)
        memcpy(thread->verified, thread->tip, sizeof thread->verified);
}

static void tell_tip(struct git_thread *thread, int64_t when)
{
    verify(thread);
    if (!atomic_load(&thread->stopping))
        thread->parts.tip(thread->parts.context, thread->tip, when);
}

/* --- fetching -------------------------------------------------------------------------------- */

static void count_fetch(struct git_thread *thread, const char *result, int64_t started)
{
    struct telemetry *telemetry = thread->parts.telemetry;
    const struct clock *clock = thread->parts.clock;
    bool failed = strcmp(result, "failed") == 0;
    series_add(telemetry_series(telemetry, &family_fetches, result, NULL), 1);
    series_add(telemetry_series(telemetry, &family_fetch_seconds, NULL, NULL),
               clock->monotonic(clock->self) - started);
    series_set(
        telemetry_series(telemetry, &family_last_fetch, failed ? "failed" : "succeeded", NULL),
        clock_seconds(clock));
}

static void note_failure(struct git_thread *thread, const struct error *error)
{
    const struct clock *clock = thread->parts.clock;
    if (thread->failures++ == 0)
        thread->since = clock->monotonic(clock->self);
    core_note_fetch(thread->parts.core, error);
    if (strcmp(thread->problem, error->message) != 0)
        log_event(LOG_LEVEL_ERROR, "fetch_failed", "error", error->message, NULL);
    snprintf(thread->problem, sizeof thread->problem, "%s", error->message);
}

static void note_success(struct git_thread *thread)
{
    if (thread->problem[0])
        log_event(LOG_LEVEL_INFO, "fetch_works_again", NULL);
    thread->problem[0] = '\0';
    thread->failures = 0;
    core_note_fetch(thread->parts.core, NULL);
}

static void fetch(struct git_thread *thread)
{
    const struct git_thread_parts *parts = &thread->parts;
    struct error error = {0};
    char found[COMMIT_TEXT_SIZE];
    int64_t started = parts->clock->monotonic(parts->clock->self);
    enum status status =
        mirror_fetch(parts->mirror, parts->config->branch, &thread->stopping, found, &error);
    if (status == STATUS_STOPPED)
        return;
    if (status != STATUS_OK) {
        count_fetch(thread, "failed", started);
        note_failure(thread, &error);
        return;
    }
    note_success(thread);
    count_fetch(thread, strcmp(found, thread->tip) == 0 ? "unchanged" : "changed", started);
    memcpy(thread->tip, found, sizeof thread->tip);
    tell_tip(thread, clock_seconds(parts->clock));
    recorder_propose(&parts->recorder, parts->mirror, thread->tip);
    read_intents(thread);
    remove_intents(thread);
}

/* From a fetch to the next. */
static int64_t wait_after_fetch(const struct git_thread *thread)
{
    const struct clock *clock = thread->parts.clock;
    int64_t poll = thread->parts.config->poll;
    int64_t wait = clock_jitter(clock, poll, 10);
    if (!thread->failures)
        return wait;
    int64_t longest = poll > RETRY_LONGEST ? poll : RETRY_LONGEST;
    int64_t retry = clock_backoff(clock, thread->failures, RETRY_FIRST, longest);
    bool is_away = clock->monotonic(clock->self) - thread->since >= RETRY_PATIENCE;
    return retry < wait || is_away ? retry : wait;
}

/* --- pushing --------------------------------------------------------------------------------- */

static struct proposal *take_proposal(struct git_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    struct proposal *proposal = thread->proposal;
    thread->proposal = NULL;
    pthread_mutex_unlock(&thread->lock);
    return proposal;
}

static void tell_recorded(const struct git_thread *thread, const struct proposal *proposal,
                          const char *commit)
{
    const struct git_thread_parts *parts = &thread->parts;
    for (size_t i = 0; i < proposal->count && parts->tell; i++) {
        const struct move *move = &proposal->moves[i];
        parts->tell(parts->context, move->item, move->decision, text_of(commit), move->by,
                    move->reason, move->evidence);
    }
}

/* True when the branch is to be fetched before its time. */
static bool push(struct git_thread *thread, struct proposal *proposal)
{
    const struct git_thread_parts *parts = &thread->parts;
    char commit[COMMIT_TEXT_SIZE] = "";
    struct error error = {0};
    enum recorder_outcome outcome =
        recorder_record(&parts->recorder, parts->mirror, proposal, commit, &error);
    if (outcome == RECORDER_REFUSED || outcome == RECORDER_HELD)
        write_intents(thread, proposal);
    if (outcome == RECORDER_ACCEPTED)
        tell_recorded(thread, proposal, commit);
    proposal_free(proposal);
    if (outcome == RECORDER_ACCEPTED) {
        memcpy(thread->tip, commit, sizeof thread->tip);
        note_success(thread);
        tell_tip(thread, clock_seconds(parts->clock));
    }
    steering_note_outcome(core_steering(parts->core), outcome, commit,
                          outcome == RECORDER_ACCEPTED ? "" : error.message);
    return outcome == RECORDER_MOVED || outcome == RECORDER_UNKNOWN;
}

/* --- the loop -------------------------------------------------------------------------------- */

static bool is_due(const struct git_thread *thread)
{
    return thread->nudged || thread->proposal || atomic_load(&thread->stopping);
}

/* Waits for a proposal, for the poll's time or a nudge, or the end; for the last two until the
 * least interval is over in any case. True: it is time to fetch. */
static bool wait_for_work(struct git_thread *thread, const struct timespec *poll,
                          const struct timespec *earliest)
{
    int result = 0;
    pthread_mutex_lock(&thread->lock);
    while (!is_due(thread) && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&thread->changed, &thread->lock, poll);
    /* Who asks in the meantime has asked for the same fetch. */
    for (result = 0; !thread->proposal && !atomic_load(&thread->stopping) && result != ETIMEDOUT;)
        result = pthread_cond_timedwait(&thread->changed, &thread->lock, earliest);
    bool is_time = !thread->proposal && !atomic_load(&thread->stopping);
    if (is_time)
        thread->nudged = false;
    pthread_mutex_unlock(&thread->lock);
    return is_time;
}

static void note_iteration(const struct git_thread *thread)
{
    struct telemetry *telemetry = thread->parts.telemetry;
    series_add(telemetry_series(telemetry, &family_loop_iterations, "git", NULL), 1);
    series_set(telemetry_series(telemetry, &family_loop_last, "git", NULL),
               clock_seconds(thread->parts.clock));
}

static void *git_main(void *argument)
{
    struct git_thread *thread = argument;
    const struct git_thread_parts *parts = &thread->parts;
    struct error error;
    bool is_time = true;
    struct timespec poll = {0}, earliest = {0};
    /* What the last run fetched is served before the remote is asked. */
    if (mirror_last_tip(parts->mirror, thread->tip, &error) == STATUS_OK)
        tell_tip(thread, 0);
    while (!atomic_load(&thread->stopping)) {
        struct proposal *proposal = take_proposal(thread);
        if (proposal)
            is_time = push(thread, proposal);
        if (is_time) {
            earliest = deadline_after(FETCH_INTERVAL);
            fetch(thread);
            poll = deadline_after(wait_after_fetch(thread));
            store_upkeep_turn(parts->store_upkeep, &thread->stopping);
            if (upkeep_turn(parts->upkeep, &thread->stopping))
                parts->packed(parts->context);
        }
        note_iteration(thread);
        is_time = wait_for_work(thread, &poll, &earliest);
    }
    pthread_mutex_lock(&thread->lock);
    thread->has_ended = true;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
    return NULL;
}

/* --- starting and stopping ------------------------------------------------------------------- */

static void release(struct git_thread *thread)
{
    proposal_free(thread->proposal);
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}

enum status git_thread_new(const struct git_thread_parts *parts, struct git_thread **out,
                           struct error *error)
{
    pthread_condattr_t attributes;
    struct git_thread *thread = calloc(1, sizeof *thread);
    *out = NULL;
    if (!thread || pthread_condattr_init(&attributes) != 0) {
        free(thread);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failed = pthread_mutex_init(&thread->lock, NULL);
    failed = failed || pthread_cond_init(&thread->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failed) {
        free(thread);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    thread->parts = *parts;
    thread->parts.recorder.stop = &thread->stopping;
    *out = thread;
    return STATUS_OK;
}

enum status git_thread_start(struct git_thread *thread, struct error *error)
{
    thread->has_started = pthread_create(&thread->thread, NULL, git_main, thread) == 0;
    return thread->has_started ? STATUS_OK
                               : error_set(error, STATUS_SYSTEM, "cannot start a thread");
}

/* A fetch may hang in a read for ever; interrupts make it look at `stopping`. */
bool git_thread_stop(struct git_thread *thread)
{
    if (!thread || !thread->has_started) {
        if (thread)
            release(thread);
        return true;
    }
    const struct clock *clock = thread->parts.clock;
    int64_t until = clock->monotonic(clock->self) + PATIENCE;
    bool ended;
    pthread_mutex_lock(&thread->lock);
    atomic_store(&thread->stopping, true);
    pthread_cond_broadcast(&thread->changed);
    while (!(ended = thread->has_ended) && clock->monotonic(clock->self) < until) {
        struct timespec deadline = deadline_after(50 * NANOSECONDS_PER_MILLISECOND);
        pthread_kill(thread->thread, SIGUSR1);
        pthread_cond_timedwait(&thread->changed, &thread->lock, &deadline);
    }
    pthread_mutex_unlock(&thread->lock);
    if (!ended)
        return false;
    pthread_join(thread->thread, NULL);
    release(thread);
    return true;
}
