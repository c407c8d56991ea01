#include "commit_status.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "../log.h"
#include "../status_write.h"
#include "../telemetry_families.h"
#include "http_client.h"
#include "report_queue.h"

#define TOKEN_SIZE 4096

enum result { RESULT_TOLD, RESULT_FAILED, RESULT_LIMITED, RESULT_REFUSED, RESULT_DROPPED, RESULTS };

static const char *const result_names[RESULTS] = {"told", "failed", "limited", "refused",
                                                  "dropped"};

struct commit_status {
    const struct commit_status_settings *settings;
    const struct clock *clock;
    struct series *results[RESULTS];
    struct reach_host host;
    struct reach reach;         /* the forge's host, and no other */
    struct reach_secret secret; /* the token, for that host alone; borrows from the settings */
    struct http_client *client; /* the thread's own */
    _Atomic bool stop;
    pthread_t thread;

    pthread_mutex_t lock;   /* over all below */
    pthread_cond_t changed; /* by CLOCK_MONOTONIC */
    struct report_queue queue;
    struct forge_report last; /* the last that was sent; its commit is empty before */
    enum result last_result;
    int64_t last_time; /* wall seconds */
    char problem[256]; /* of that one; or empty */
};

/* --- one request ----------------------------------------------------------------------------- */

enum { FIELD_RETRY, FIELD_REMAINING, FIELD_RESET, FIELD_COUNT };

static enum forge_outcome judge(const struct commit_status *status,
                                const struct http_request *request,
                                const struct http_answer *answer, int64_t *wait,
                                struct error *error)
{
    const struct forge_limits limits = {.retry_after = request->fields[FIELD_RETRY].value,
                                        .remaining = request->fields[FIELD_REMAINING].value,
                                        .reset = request->fields[FIELD_RESET].value};
    enum forge_outcome outcome =
        forge_judge(status->settings->place.kind, answer->status, answer->body, &limits,
                    clock_seconds(status->clock), wait);
    if (outcome == FORGE_LIMITED)
        error_set(error, STATUS_SYSTEM, "'%s': answered %u and wants to be left alone for %lld s",
                  request->url->shown, answer->status, (long long)*wait);
    else if (answer->status == 401 || answer->status == 403)
        error_set(error, STATUS_SYSTEM,
                  "'%s': answered %u: give commit-status a token that may write commit statuses",
                  request->url->shown, answer->status);
    else if (answer->status == 404)
        error_set(error, STATUS_SYSTEM,
                  "'%s': answered 404: there is no such project or commit, or the token may not "
                  "see it",
                  request->url->shown);
    else if (outcome != FORGE_TOLD)
        http_client_complain(request, answer, error);
    return outcome;
}

static enum forge_outcome exchange(struct commit_status *status,
                                   const struct forge_request *written, int64_t *wait,
                                   struct error *error)
{
    bool gitlab = status->settings->place.kind == FORGE_GITLAB;
    struct http_field fields[FIELD_COUNT] = {
        [FIELD_RETRY] = {.name = "Retry-After"},
        [FIELD_REMAINING] = {.name = gitlab ? "RateLimit-Remaining" : "X-RateLimit-Remaining"},
        [FIELD_RESET] = {.name = gitlab ? "RateLimit-Reset" : "X-RateLimit-Reset"}};
    struct http_request request = {.method = "POST",
                                   .url = &written->url,
                                   .body = buffer_text(&written->body),
                                   .fields = fields,
                                   .field_count = FIELD_COUNT,
                                   .stop = &status->stop};
    struct http_answer answer;
    for (size_t i = 0; i < FORGE_HEADERS && written->lines[i]; i++)
        request.headers[i] = written->lines[i];
    if (http_client_send(status->client, &request, &answer, error) != STATUS_OK)
        return FORGE_LATER;
    return judge(status, &request, &answer, wait, error);
}

/* `error` stays STATUS_OK when the forge was told. */
static enum forge_outcome send_report(struct commit_status *status,
                                      const struct forge_report *report, int64_t *wait,
                                      struct error *error)
{
    const struct commit_status_settings *settings = status->settings;
    char token[TOKEN_SIZE];
    struct forge_request request;
    *wait = 0;
    if (reach_secret_read(&status->secret, token, sizeof token, error) != STATUS_OK)
        return FORGE_LATER;
    enum status written = forge_request_write(&settings->place, report, settings->context,
                                              settings->target_url, token, &request, error);
    explicit_bzero(token, sizeof token);
    enum forge_outcome outcome =
        written == STATUS_OK ? exchange(status, &request, wait, error) : FORGE_LATER;
    forge_request_dispose(&request);
    return outcome;
}

/* --- the thread ------------------------------------------------------------------------------ */

static enum result result_of(enum forge_outcome outcome, bool kept)
{
    static const enum result results[] = {[FORGE_TOLD] = RESULT_TOLD,
                                          [FORGE_LATER] = RESULT_FAILED,
                                          [FORGE_LIMITED] = RESULT_LIMITED,
                                          [FORGE_REFUSED] = RESULT_REFUSED};
    return kept ? results[outcome] : RESULT_DROPPED;
}

static void log_result(const struct commit_status *status, const struct forge_report *report,
                       enum result result, const char *problem)
{
    const char *forge = forge_kind_name(status->settings->place.kind);
    if (result == RESULT_TOLD) {
        log_event(LOG_LEVEL_DEBUG, "commit_status", "commit", report->commit, "forge", forge,
                  "state", forge_state_name(report->state), NULL);
        if (status->problem[0])
            log_event(LOG_LEVEL_INFO, "commit_status_works_again", "forge", forge, NULL);
    } else if (strcmp(problem, status->problem) != 0 || result >= RESULT_REFUSED) {
        log_event(LOG_LEVEL_WARN, "commit_status_failed", "commit", report->commit, "forge", forge,
                  "result", result_names[result], "error", problem, NULL);
    }
}

/* Sends what is due; the lock is held, but not while the forge is waited for. */
static void send_due(struct commit_status *status, const struct forge_report *report)
{
    struct error error = {0};
    int64_t wait;
    pthread_mutex_unlock(&status->lock);
    enum forge_outcome outcome = send_report(status, report, &wait, &error);
    pthread_mutex_lock(&status->lock);
    if (atomic_load(&status->stop))
        return;
    bool kept = report_queue_settle(&status->queue, report, outcome, wait, status->clock);
    enum result result = result_of(outcome, kept);
    if (outcome == FORGE_TOLD)
        error.message[0] = '\0';
    log_result(status, report, result, error.message);
    snprintf(status->problem, sizeof status->problem, "%s", error.message);
    status->last = *report;
    status->last_result = result;
    status->last_time = clock_seconds(status->clock);
    series_add(status->results[result], 1);
}

/* Until there may be something to do; the lock is held. */
static void wait_for_due(struct commit_status *status, int64_t now)
{
    int64_t due = report_queue_due(&status->queue);
    if (due == INT64_MAX) {
        pthread_cond_wait(&status->changed, &status->lock);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t total = until.tv_nsec + (due > now ? due - now : 0);
    until.tv_sec += (time_t)(total / NANOSECONDS_PER_SECOND);
    until.tv_nsec = (long)(total % NANOSECONDS_PER_SECOND);
    pthread_cond_timedwait(&status->changed, &status->lock, &until);
}

static void *status_main(void *argument)
{
    struct commit_status *status = argument;
    struct forge_report report;
    pthread_mutex_lock(&status->lock);
    while (!atomic_load(&status->stop)) {
        int64_t now = status->clock->monotonic(status->clock->self);
        if (report_queue_next(&status->queue, now, &report))
            send_due(status, &report);
        else
            wait_for_due(status, now);
    }
    pthread_mutex_unlock(&status->lock);
    return NULL;
}

/* --- starting and ending --------------------------------------------------------------------- */

/* What it may contact: the forge. */
static enum status make_client(struct commit_status *status, const char *ca_file,
                               struct error *error)
{
    struct http_url url;
    const struct commit_status_settings *settings = status->settings;
    enum status parsed = http_url_parse(text_of(settings->place.api), &url, error);
    if (parsed != STATUS_OK)
        return parsed;
    if (!url.tls && !http_url_is_loopback(&url))
        log_event(LOG_LEVEL_WARN, "token_in_clear", "hint",
                  "use an https:// URL for the API of commit-status", NULL);
    status->host = url.server;
    status->reach = (struct reach){.hosts = &status->host, .host_count = 1};
    status->secret = (struct reach_secret){.name = (char *)"commit-status",
                                           .file = settings->token_file,
                                           .variable = settings->token_variable,
                                           .hosts = &status->host,
                                           .host_count = 1};
    const struct http_client_settings client = {
        .reach = &status->reach, .secret = &status->secret, .ca_file = ca_file};
    status->client = http_client_new(&client);
    return status->client ? STATUS_OK
                          : error_set(error, STATUS_NO_MEMORY, "no memory for commit-status");
}

static bool init_locks(struct commit_status *status)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&status->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (made && pthread_mutex_init(&status->lock, NULL) != 0) {
        pthread_cond_destroy(&status->changed);
        made = false;
    }
    return made;
}

static void status_free(struct commit_status *status)
{
    http_client_free(status->client);
    pthread_cond_destroy(&status->changed);
    pthread_mutex_destroy(&status->lock);
    free(status);
}

/* It takes no signals: those are for the thread that waits for them. */
static bool start_thread(struct commit_status *status)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = pthread_create(&status->thread, NULL, status_main, status) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

enum status commit_status_start(const struct commit_status_parts *parts, struct commit_status **out,
                                struct error *error)
{
    struct commit_status *status = calloc(1, sizeof *status);
    *out = NULL;
    if (!status || !init_locks(status)) {
        free(status);
        return error_set(error, STATUS_NO_MEMORY, "no memory for commit-status");
    }
    status->settings = parts->settings;
    status->clock = parts->clock;
    for (size_t i = 0; i < RESULTS; i++)
        status->results[i] =
            telemetry_series(parts->telemetry, &family_commit_statuses, result_names[i], NULL);
    enum status made = make_client(status, parts->ca_file, error);
    if (made == STATUS_OK && !start_thread(status))
        made = error_set(error, STATUS_SYSTEM, "cannot start a thread");
    if (made == STATUS_OK)
        *out = status;
    else
        status_free(status);
    return made;
}

void commit_status_stop(struct commit_status *status)
{
    if (!status)
        return;
    pthread_mutex_lock(&status->lock);
    atomic_store(&status->stop, true);
    pthread_cond_broadcast(&status->changed);
    pthread_mutex_unlock(&status->lock);
    pthread_join(status->thread, NULL);
    status_free(status);
}

/* --- what others say and ask ----------------------------------------------------------------- */

void commit_status_tell(struct commit_status *status, const struct forge_report *report)
{
    if (!status)
        return;
    pthread_mutex_lock(&status->lock);
    if (!report_queue_put(&status->queue, report, status->clock->monotonic(status->clock->self)))
        series_add(status->results[RESULT_DROPPED], 1);
    pthread_cond_signal(&status->changed);
    pthread_mutex_unlock(&status->lock);
}

void commit_status_begin(struct commit_status *status, const char *commit)
{
    struct forge_report report = {.state = FORGE_PENDING, .description = "is being judged"};
    snprintf(report.commit, sizeof report.commit, "%s", commit);
    commit_status_tell(status, &report);
}

void commit_status_judged(struct commit_status *status, struct core *core, const char *commit,
                          enum status outcome)
{
    struct core_judgement judgement;
    struct forge_report report = {0};
    if (!status || outcome == STATUS_STOPPED)
        return;
    core_judgement(core, &judgement);
    snprintf(report.commit, sizeof report.commit, "%s", commit);
    commit_status_describe(&judgement, outcome, &report);
    commit_status_tell(status, &report);
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

void commit_status_describe(const struct core_judgement *judgement, enum status outcome,
                            struct forge_report *report)
{
    char text[400], since[TIME_TEXT_SIZE], warnings[48] = "";
    if (judgement->warnings)
        snprintf(warnings, sizeof warnings, " with %zu warning%s", judgement->warnings,
                 plural(judgement->warnings));
    if (outcome != STATUS_OK && outcome != STATUS_INVALID) {
        report->state = FORGE_ERROR;
        snprintf(text, sizeof text, "could not be judged: the log of the controller tells why");
    } else if (judgement->is_whole) {
        report->state = FORGE_SUCCESS;
        time_format(judgement->since, since);
        snprintf(text, sizeof text, "valid%s, served since %s", warnings, since);
    } else if (judgement->is_served) {
        report->state = FORGE_FAILURE;
        snprintf(text, sizeof text, "%zu error%s; %zu of %zu definition%s stand%s as before",
                 judgement->errors, plural(judgement->errors), judgement->quarantined,
                 judgement->definitions, plural(judgement->definitions),
                 judgement->quarantined == 1 ? "s" : "");
    } else {
        report->state = FORGE_FAILURE;
        snprintf(text, sizeof text, "not served: %s", judgement->reason);
    }
    http_clean(text_of(text), report->description, sizeof report->description);
}

void commit_status_write(struct commit_status *status, struct buffer *out)
{
    if (!status) {
        buffer_append_string(out, "null");
        return;
    }
    pthread_mutex_lock(&status->lock);
    const struct forge_report *last = &status->last;
    buffer_append_char(out, '{');
    status_write_member(out, "forge", forge_kind_name(status->settings->place.kind));
    buffer_append_string(out, ",\"last\":");
    if (last->commit[0]) {
        buffer_append_char(out, '{');
        status_write_member(out, "commit", last->commit);
        buffer_append_char(out, ',');
        status_write_member(out, "description", last->description);
        buffer_append_char(out, ',');
        status_write_member(out, "error", status->problem);
        buffer_append_char(out, ',');
        status_write_member(out, "result", result_names[status->last_result]);
        buffer_append_char(out, ',');
        status_write_member(out, "state", forge_state_name(last->state));
        buffer_append_char(out, ',');
        status_write_time(out, "time", status->last_time);
        buffer_append_char(out, '}');
    } else {
        buffer_append_string(out, "null");
    }
    buffer_append_char(out, ',');
    status_write_member(out, "project", status->settings->place.project);
    buffer_printf(out, ",\"waiting\":%zu}", status->queue.count);
    pthread_mutex_unlock(&status->lock);
}
