/* Takes rosters in, brings back what the store kept, and writes it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "../log.h"
#include "../telemetry_families.h"
#include "metrics_private.h"

#define TICK NANOSECONDS_PER_SECOND
/* How often what a probe knows is written, unless it says something else. After a crash the next
 * look counts from there: nothing is lost or counted twice, for each says up to when it counted. */
#define WRITE_EVERY (60 * NANOSECONDS_PER_SECOND)
#define STORE_AGAIN (10 * NANOSECONDS_PER_SECOND)  /* after a failure */
#define STOP_PATIENCE (NANOSECONDS_PER_SECOND / 2) /* for writing at the end */
#define WRITE_BATCH 256                            /* probes */

/* --- tasks ----------------------------------------------------------------------------------- */

void task_free(struct task *task)
{
    if (!task)
        return;
    probe_free(task->probe);
    free(task);
}

void task_set_dispose(struct task_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        task_free(set->tasks[i]);
    free(set->tasks);
    free(set->first);
    free(set->exposed);
    roster_release(set->roster);
    *set = (struct task_set){0};
}

/* --- the store ------------------------------------------------------------------------------- */

bool rows_init(struct rows *rows)
{
    arena_init(&rows->arena, (size_t)64 << 20);
    rows->items = calloc(STORE_BATCH_MAXIMUM, sizeof *rows->items);
    return rows->items != NULL;
}

void rows_dispose(struct rows *rows)
{
    arena_dispose(&rows->arena);
    free(rows->items);
    *rows = (struct rows){0};
}

static void fail_store(struct metrics *metrics, const struct error *error)
{
    /* A handle whose file was taken away never works again: a new one may. */
    store_close(metrics->store);
    metrics->store = NULL;
    metrics->store_again = metrics_monotonic(metrics) + STORE_AGAIN;
    series_add(metrics->store_failures, 1);
    log_event(LOG_LEVEL_ERROR, "metrics_store_failed", "error", error->message, NULL);
}

static bool has_store(struct metrics *metrics)
{
    struct error error;
    if (metrics->store)
        return true;
    if (!metrics->parts.store || metrics_monotonic(metrics) < metrics->store_again)
        return false;
    if (store_open(metrics->parts.store, &metrics->store, &error) == STATUS_OK)
        return true;
    metrics->store = NULL;
    fail_store(metrics, &error);
    return false;
}

static enum store_verdict kept_verdict(enum verdict verdict)
{
    static const enum store_verdict kept[VERDICTS] = {
        [VERDICT_SUCCESS] = STORE_SUCCESS,           [VERDICT_NO_DATA] = STORE_NO_DATA,
        [VERDICT_INCONCLUSIVE] = STORE_INCONCLUSIVE, [VERDICT_ERROR] = STORE_ERROR,
        [VERDICT_FAILURE] = STORE_FAILURE,
    };
    return kept[verdict];
}

static enum verdict verdict_of(enum store_verdict kept)
{
    switch (kept) {
    case STORE_SUCCESS:
        return VERDICT_SUCCESS;
    case STORE_FAILURE:
        return VERDICT_FAILURE;
    case STORE_INCONCLUSIVE:
        return VERDICT_INCONCLUSIVE;
    case STORE_NO_DATA:
        return VERDICT_NO_DATA;
    case STORE_ERROR:
        break;
    }
    return VERDICT_ERROR;
}

static struct text phase_of(const struct probe *probe, size_t phase)
{
    return probe->item->state->plan.items[phase].name;
}

void keeper_note(struct metrics *metrics, const struct task *task, int64_t started)
{
    struct rows *rows = &metrics->rows;
    const struct probe *probe = task->probe;
    const struct rollout *rollout = probe->item->rollout;
    if (!metrics->parts.store)
        return;
    if (rows->count == STORE_BATCH_MAXIMUM) {
        rows->lost++;
        series_add(metrics->lost, 1);
        return;
    }
    struct store_measurement *row = &rows->items[rows->count];
    bool has_value = isfinite(probe->last.value);
    struct judgement ratio = {.reason = ""};
    (void)probe_ratio_mismatch(probe, &ratio);
    *row = (struct store_measurement){.run = probe->run,
                                      .started = started / NANOSECONDS_PER_SECOND,
                                      .finished = metrics_wall(metrics) / NANOSECONDS_PER_SECOND,
                                      .verdict = kept_verdict(probe->last.verdict),
                                      .measure = has_value ? STORE_VALUE : STORE_NOTHING,
                                      .value = has_value ? probe->last.value : 0,
                                      .silent = probe->silent};
    if (arena_copy(&rows->arena, rollout->environment.text, &row->environment) &&
        arena_copy(&rows->arena, rollout->name.text, &row->rollout) &&
        arena_copy(&rows->arena, phase_of(probe, probe->phase), &row->phase) &&
        arena_copy(&rows->arena, probe->metric->name.text, &row->metric) &&
        arena_copy(&rows->arena, rollout->variant.text, &row->arm) &&
        arena_copy(&rows->arena, text_of(probe->last.reason), &row->message) &&
        arena_copy(&rows->arena, text_of(ratio.reason), &row->mismatch))
        rows->count++;
}

static void write_rows(struct metrics *metrics)
{
    struct error error;
    if (metrics->writing.count == 0) {
        pthread_mutex_lock(&metrics->lock);
        struct rows taken = metrics->rows;
        metrics->rows = metrics->writing;
        metrics->writing = taken;
        pthread_mutex_unlock(&metrics->lock);
    }
    if (metrics->writing.count == 0 || !has_store(metrics))
        return;
    enum status status = store_measurement_append(metrics->store, metrics->writing.items,
                                                  metrics->writing.count, &error);
    /* What no store can take must not keep all that comes after it. */
    if (status == STATUS_OK || status == STATUS_INVALID || status == STATUS_LIMIT) {
        metrics->writing.count = 0;
        arena_reset(&metrics->writing.arena);
    }
    if (status != STATUS_OK)
        fail_store(metrics, &error);
}

/* --- what probes know ------------------------------------------------------------------------ */

struct page {
    struct store_evidence_key key;
    struct text bytes;
};

/* Under the lock: copies what is to be written. */
static size_t collect(struct metrics *metrics, struct page *pages, struct arena *arena, bool all)
{
    size_t count = 0;
    int64_t now = metrics_monotonic(metrics);
    for (size_t i = 0; i < metrics->set.count && count < WRITE_BATCH; i++) {
        struct task *task = metrics->set.tasks[i];
        const struct probe *probe = task->probe;
        const struct rollout *rollout = probe->item->rollout;
        struct page *page = &pages[count];
        struct buffer bytes;
        if (!task->dirty || (!all && !task->urgent && now - task->written < WRITE_EVERY))
            continue;
        buffer_init(&bytes, STORE_EVIDENCE_MAXIMUM);
        probe_write(probe, &bytes);
        page->key.run = probe->run;
        bool made = !bytes.failed && arena_copy(arena, buffer_text(&bytes), &page->bytes) &&
                    arena_copy(arena, rollout->environment.text, &page->key.environment) &&
                    arena_copy(arena, rollout->name.text, &page->key.rollout) &&
                    arena_copy(arena, probe->metric->name.text, &page->key.metric) &&
                    arena_copy(arena, phase_of(probe, probe->phase), &page->key.phase);
        buffer_dispose(&bytes);
        task->dirty = task->urgent = false;
        task->written = now;
        count += made;
    }
    return count;
}

/* What was not written then is written after the next measurement. */
static void write_probes(struct metrics *metrics, bool all, int64_t deadline)
{
    struct page *pages = calloc(WRITE_BATCH, sizeof *pages);
    int64_t when = clock_seconds(metrics->parts.clock);
    struct arena arena;
    struct error error;
    size_t count;
    arena_init(&arena, 0);
    do {
        if (!pages || !has_store(metrics))
            break;
        pthread_mutex_lock(&metrics->lock);
        count = collect(metrics, pages, &arena, all);
        pthread_mutex_unlock(&metrics->lock);
        for (size_t i = 0; i < count && metrics->store; i++) {
            if (store_evidence_put(metrics->store, &pages[i].key, PROBE_TEXT_VERSION,
                                   pages[i].bytes, when, &error) != STATUS_OK)
                fail_store(metrics, &error);
        }
        arena_reset(&arena);
    } while (count == WRITE_BATCH && metrics_monotonic(metrics) < deadline);
    arena_dispose(&arena);
    free(pages);
}

/* --- bringing back --------------------------------------------------------------------------- */

struct recall {
    struct probe *probe;
    struct text phase;
};

static bool recall_row(void *context, const struct store_measurement *row)
{
    const struct recall *recall = context;
    if (row->run != recall->probe->run || !text_equal(row->phase, recall->phase))
        return true;
    const struct measurement measurement = {.time = clock_nanoseconds(row->finished),
                                            .verdict = verdict_of(row->verdict),
                                            .value =
                                                row->measure == STORE_VALUE ? row->value : NAN};
    probe_recall(recall->probe, &measurement, row->message);
    return true;
}

/* The newest of what was kept of this run, from the present phase backwards. */
static enum status recall_evidence(struct metrics *metrics, struct probe *probe, char *bytes,
                                   struct error *error)
{
    const struct rollout *rollout = probe->item->rollout;
    for (size_t phase = probe->phase + 1; phase-- > 0;) {
        const struct store_evidence_key key = {.environment = rollout->environment.text,
                                               .rollout = rollout->name.text,
                                               .metric = probe->metric->name.text,
                                               .run = probe->run,
                                               .phase = phase_of(probe, phase)};
        uint32_t version;
        size_t length;
        enum status status =
            store_evidence_get(metrics->store, &key, &version, bytes, &length, error);
        if (status == STATUS_NOT_FOUND)
            continue;
        if (status != STATUS_OK || version != PROBE_TEXT_VERSION)
            return status;
        status = probe_read(probe, (struct text){bytes, length}, phase == probe->phase,
                            metrics_wall(metrics), error);
        if (status == STATUS_INVALID)
            log_event(LOG_LEVEL_WARN, "evidence_damaged", "rollout", probe->item->name, "metric",
                      probe->metric->name.text.data, "error", error->message, NULL);
        return STATUS_OK;
    }
    return STATUS_OK;
}

static void recall(struct metrics *metrics, struct probe *probe)
{
    const struct rollout *rollout = probe->item->rollout;
    struct recall context = {probe, phase_of(probe, probe->phase)};
    struct error error;
    char *bytes = has_store(metrics) ? malloc(STORE_EVIDENCE_MAXIMUM) : NULL;
    if (!bytes)
        return;
    int64_t since = clock_seconds(metrics->parts.clock) - probe->metric->limits.window;
    enum status status = recall_evidence(metrics, probe, bytes, &error);
    if (probe->restarted > since)
        since = probe->restarted + 1;
    if (status == STATUS_OK)
        status = store_measurement_each(
            metrics->store, rollout->environment.text, rollout->name.text, probe->metric->name.text,
            since > probe->since ? since : probe->since + 1, recall_row, &context, &error);
    if (status != STATUS_OK)
        fail_store(metrics, &error);
    free(bytes);
}

/* --- rosters --------------------------------------------------------------------------------- */

/* The guardrails that watch in any phase of the run: among them alpha is divided. */
static uint32_t count_guardrails(const struct roster *roster, const struct phases *plan)
{
    uint32_t count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        for (size_t j = 0; j < plan->items[i].metric_count; j++) {
            struct text name = plan->items[i].metrics[j].text;
            const struct metric *metric = roster_metric(roster, name);
            bool is_first = true;
            for (size_t k = 0; k < i && is_first; k++) {
                for (size_t l = 0; l < plan->items[k].metric_count && is_first; l++)
                    is_first = !text_equal(plan->items[k].metrics[l].text, name);
            }
            count += is_first && metric &&
                     (metric->role == METRIC_GUARDRAIL || metric->role == METRIC_BREAKER);
        }
    }
    return count ? count : 1;
}

static struct task *find(const struct task_set *set, const char *item, struct text metric)
{
    const struct roster_rollout *old = set->roster ? roster_find(set->roster, text_of(item)) : NULL;
    size_t index = old ? (size_t)(old - set->roster->items) : 0;
    for (size_t i = old ? set->first[index] : 0; old && i < set->first[index + 1]; i++) {
        if (text_equal(set->tasks[i]->probe->metric->name.text, metric))
            return set->tasks[i];
    }
    return NULL;
}

static struct task *new_task(struct metrics *metrics, const struct roster_rollout *item,
                             const struct metric *metric, const struct probe_settings *settings,
                             int64_t exposed)
{
    struct task *task = calloc(1, sizeof *task);
    if (!task)
        return NULL;
    task->timer.place = TIMER_NOWHERE;
    task->loop = &metrics->loops[metric->role == METRIC_BREAKER];
    task->server = loop_server(metric);
    task->probe = probe_new(item, metric, settings, exposed, metrics_wall(metrics));
    if (!task->probe) {
        free(task);
        return NULL;
    }
    recall(metrics, task->probe);
    return task;
}

/* A set under way: the tasks that it takes over are still the old set's. */
struct adopting {
    struct task_set set;
    struct probe_settings *settings; /* by task */
    bool *taken_over;                /* by task */
};

static void count_metrics(const struct roster *roster, size_t *most)
{
    *most = 0;
    for (size_t i = 0; i < roster->count; i++) {
        const struct phase *phase = walk_phase(roster->items[i].state);
        *most += phase ? phase->metric_count : 0;
    }
}

/* A plan that names a metric twice watches it once. */
static bool is_listed(const struct task_set *set, size_t item, struct text metric)
{
    for (size_t i = set->first[item]; i < set->count; i++) {
        if (text_equal(set->tasks[i]->probe->metric->name.text, metric))
            return true;
    }
    return false;
}

static bool add_item(struct metrics *metrics, struct adopting *adopting, size_t index)
{
    struct task_set *set = &adopting->set;
    const struct roster_rollout *item = &set->roster->items[index];
    const struct phase *phase = walk_phase(item->state);
    set->first[index] = set->count;
    if (!phase)
        return true;
    const struct probe_settings settings = {.scrape = metrics->parts.scrape,
                                            .guardrails =
                                                count_guardrails(set->roster, &item->state->plan)};
    for (size_t i = 0; i < phase->metric_count; i++) {
        const struct metric *metric = roster_metric(set->roster, phase->metrics[i].text);
        if (!metric || is_listed(set, index, metric->name.text))
            continue;
        struct task *task = find(&metrics->set, item->name, metric->name.text);
        /* One of another role is measured by another loop. */
        if (task && task->loop != &metrics->loops[metric->role == METRIC_BREAKER])
            task = NULL;
        adopting->taken_over[set->count] = task != NULL;
        adopting->settings[set->count] = settings;
        if (!task)
            task = new_task(metrics, item, metric, &settings, set->exposed[index]);
        if (!task)
            return false;
        set->tasks[set->count++] = task;
    }
    return true;
}

/* Gives back what is not the old set's. */
static void abandon(struct adopting *adopting)
{
    for (size_t i = 0; i < adopting->set.count; i++) {
        if (adopting->taken_over[i])
            adopting->set.tasks[i] = NULL;
    }
    task_set_dispose(&adopting->set);
}

static bool make_set(struct metrics *metrics, struct adopting *adopting)
{
    struct task_set *set = &adopting->set;
    size_t most;
    count_metrics(set->roster, &most);
    set->tasks = calloc(most + 1, sizeof(struct task *));
    set->first = calloc(set->roster->count + 1, sizeof *set->first);
    adopting->settings = calloc(most + 1, sizeof *adopting->settings);
    adopting->taken_over = calloc(most + 1, sizeof *adopting->taken_over);
    bool made = set->tasks && set->first && adopting->settings && adopting->taken_over;
    for (size_t i = 0; made && i < set->roster->count; i++)
        made = add_item(metrics, adopting, i);
    if (made)
        set->first[set->roster->count] = set->count;
    return made;
}

/* Under the lock: moves a task over to what the new roster says. */
static void take_over(struct metrics *metrics, struct task *task, struct adopting *adopting,
                      size_t item, size_t index)
{
    struct task_set *set = &adopting->set;
    struct probe *probe = task->probe;
    const struct metric *metric = roster_metric(set->roster, probe->metric->name.text);
    uint8_t digest[PROBE_DIGEST_SIZE];
    uint32_t run = probe->run;
    size_t phase = probe->phase;
    int64_t since = probe->since, exposed = probe->exposed;
    memcpy(digest, probe->digest, sizeof digest);
    /* Without memory it has none of its old measurements, or all of them: either way it goes on. */
    bool made = probe_continue(probe, &set->roster->items[item], metric, &adopting->settings[index],
                               set->exposed[item], metrics_wall(metrics));
    bool is_other = !made || run != probe->run || phase != probe->phase || since != probe->since ||
                    memcmp(digest, probe->digest, sizeof digest) != 0;
    task->generation += is_other;
    task->dirty |= is_other;
    task->server = loop_server(metric);
    if (!task->in_flight && (is_other || exposed != probe->exposed))
        loop_schedule(task->loop, task);
}

static void retire(struct task *task)
{
    loop_cancel(task->loop, task);
    task->retired = true;
    if (!task->in_flight)
        task_free(task);
}

/* Under the lock. */
static void install(struct metrics *metrics, struct adopting *adopting)
{
    struct task_set old = metrics->set, *set = &adopting->set;
    for (size_t item = 0; item < set->roster->count; item++) {
        for (size_t i = set->first[item]; i < set->first[item + 1]; i++) {
            struct task *task = set->tasks[i];
            if (adopting->taken_over[i]) {
                task->kept = true;
                take_over(metrics, task, adopting, item, i);
            } else {
                loop_schedule(task->loop, task);
            }
        }
    }
    for (size_t i = 0; i < old.count; i++) {
        if (!old.tasks[i]->kept)
            retire(old.tasks[i]);
        else
            old.tasks[i]->kept = false;
        old.tasks[i] = NULL;
    }
    metrics->set = *set;
    *set = old;
}

static bool is_the_same(const struct task_set *set, const struct roster *roster,
                        const int64_t *exposed)
{
    return set->roster == roster &&
           (roster->count == 0 ||
            memcmp(set->exposed, exposed, roster->count * sizeof *exposed) == 0);
}

/* `roster` and `exposed` are ours. False without memory: the old set is measured further. */
static bool adopt(struct metrics *metrics, struct roster *roster, int64_t *exposed)
{
    struct adopting adopting = {.set = {.roster = roster, .exposed = exposed}};
    bool made = make_set(metrics, &adopting);
    pthread_mutex_lock(&metrics->lock);
    /* Those that are retired while they are measured come on top of those that are scheduled. */
    for (size_t i = 0; made && i < COUNT_OF(metrics->loops); i++)
        made =
            timers_reserve(&metrics->loops[i].timers, adopting.set.count + metrics->set.count + 1);
    if (made)
        install(metrics, &adopting);
    pthread_mutex_unlock(&metrics->lock);
    if (made)
        task_set_dispose(&adopting.set);
    else
        abandon(&adopting);
    free(adopting.settings);
    free(adopting.taken_over);
    if (!made)
        return false;
    series_set(metrics->watched, (int64_t)metrics->set.count);
    for (size_t i = 0; i < COUNT_OF(metrics->loops); i++)
        asker_wake(metrics->loops[i].asker);
    if (metrics->parts.changed)
        metrics->parts.changed(metrics->parts.context);
    return true;
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Waits for a roster, the next tick, or the end; true: there is a roster. */
static bool wait_for_roster(struct metrics *metrics, struct roster **roster, int64_t **exposed)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t total = until.tv_nsec + TICK;
    until.tv_sec += (time_t)(total / NANOSECONDS_PER_SECOND);
    until.tv_nsec = (long)(total % NANOSECONDS_PER_SECOND);
    pthread_mutex_lock(&metrics->lock);
    int result = 0;
    while (!atomic_load(&metrics->stop) && !metrics->next && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&metrics->told, &metrics->lock, &until);
    *roster = metrics->next;
    *exposed = metrics->next_exposed;
    metrics->next = NULL;
    metrics->next_exposed = NULL;
    pthread_mutex_unlock(&metrics->lock);
    return *roster != NULL;
}

static void take_roster(struct metrics *metrics, struct roster *roster, int64_t *exposed)
{
    if (is_the_same(&metrics->set, roster, exposed)) {
        roster_release(roster);
        free(exposed);
    } else if (!adopt(metrics, roster, exposed)) {
        log_event(LOG_LEVEL_ERROR, "metrics_not_adopted", "error", "out of memory", NULL);
    }
}

void *keeper_main(void *argument)
{
    struct metrics *metrics = argument;
    struct roster *roster;
    int64_t *exposed;
    while (!atomic_load(&metrics->stop)) {
        if (wait_for_roster(metrics, &roster, &exposed))
            take_roster(metrics, roster, exposed);
        write_rows(metrics);
        write_probes(metrics, false, metrics_monotonic(metrics) + TICK);
    }
    int64_t deadline = metrics_monotonic(metrics) + STOP_PATIENCE;
    write_rows(metrics); /* those that failed before, if there were any */
    write_rows(metrics);
    write_probes(metrics, true, deadline);
    store_close(metrics->store);
    metrics->store = NULL;
    return NULL;
}
