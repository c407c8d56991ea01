#include "metrics.h"

#include <signal.h>
#include <stdlib.h>

#include "../telemetry_families.h"
#include "metrics_private.h"

#define MOST 64          /* measurements of a loop at one time */
#define MOST_REQUESTS 32 /* of a loop at one time */

int64_t metrics_monotonic(const struct metrics *metrics)
{
    return metrics->parts.clock->monotonic(metrics->parts.clock->self);
}

int64_t metrics_wall(const struct metrics *metrics)
{
    return metrics->parts.clock->wall(metrics->parts.clock->self);
}

/* --- starting and ending --------------------------------------------------------------------- */

static bool init_locks(struct metrics *metrics)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&metrics->told, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (made && pthread_mutex_init(&metrics->lock, NULL) != 0) {
        pthread_cond_destroy(&metrics->told);
        made = false;
    }
    return made;
}

/* It takes no signals: those are for the thread that waits for them. */
static bool start_thread(pthread_t *thread, void *(*main)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = pthread_create(thread, NULL, main, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static bool make_loop(struct metrics *metrics, struct loop *loop, const char *name, bool breakers)
{
    const struct asker_settings settings = {
        .reach = metrics->parts.reach, .clock = metrics->parts.clock, .most = MOST_REQUESTS};
    *loop = (struct loop){.metrics = metrics, .name = name, .breakers = breakers, .most = MOST};
    loop->last_waiting = &loop->waiting;
    loop->turns = telemetry_series(metrics->parts.telemetry, &family_loop_iterations, name, NULL);
    loop->last_turn = telemetry_series(metrics->parts.telemetry, &family_loop_last, name, NULL);
    loop->asker = asker_new(&settings);
    return loop->asker != NULL;
}

static void make_series(struct metrics *metrics)
{
    struct telemetry *telemetry = metrics->parts.telemetry;
    for (int source = 0; source < SOURCES; source++) {
        const char *name = metric_driver((enum metric_source)source)->name;
        for (int verdict = 0; verdict < VERDICTS; verdict++)
            metrics->measured[source][verdict] = telemetry_series(
                telemetry, &family_measurements, name, verdict_name((enum verdict)verdict));
    }
    metrics->watched = telemetry_series(telemetry, &family_metrics_watched, NULL, NULL);
    metrics->store_failures = telemetry_series(telemetry, &family_metrics_store, NULL, NULL);
    metrics->lost = telemetry_series(telemetry, &family_metrics_lost, NULL, NULL);
}

static bool make_all(struct metrics *metrics)
{
    make_series(metrics);
    bool made = make_loop(metrics, &metrics->loops[0], "metrics", false);
    made = make_loop(metrics, &metrics->loops[1], "breakers", true) && made;
    made = rows_init(&metrics->rows) && made;
    return rows_init(&metrics->writing) && made;
}

enum status metrics_start(const struct metrics_parts *parts, struct metrics **out,
                          struct error *error)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    *out = NULL;
    if (!metrics || !init_locks(metrics)) {
        free(metrics);
        return error_set(error, STATUS_NO_MEMORY, "no memory to measure");
    }
    metrics->parts = *parts;
    if (!make_all(metrics)) {
        metrics_stop(metrics);
        return error_set(error, STATUS_NO_MEMORY, "no memory to measure");
    }
    metrics->keeper_started = start_thread(&metrics->keeper, keeper_main, metrics);
    bool started = metrics->keeper_started;
    for (size_t i = 0; started && i < COUNT_OF(metrics->loops); i++) {
        struct loop *loop = &metrics->loops[i];
        loop->is_started = started = start_thread(&loop->thread, loop_main, loop);
    }
    if (!started) {
        metrics_stop(metrics);
        return error_set(error, STATUS_SYSTEM, "cannot start a thread");
    }
    *out = metrics;
    return STATUS_OK;
}

void metrics_stop(struct metrics *metrics)
{
    if (!metrics)
        return;
    pthread_mutex_lock(&metrics->lock);
    atomic_store(&metrics->stop, true);
    pthread_cond_broadcast(&metrics->told);
    pthread_mutex_unlock(&metrics->lock);
    for (size_t i = 0; i < COUNT_OF(metrics->loops); i++) {
        struct loop *loop = &metrics->loops[i];
        if (!loop->is_started)
            continue;
        asker_wake(loop->asker);
        pthread_join(loop->thread, NULL);
    }
    if (metrics->keeper_started)
        pthread_join(metrics->keeper, NULL);
    for (size_t i = 0; i < COUNT_OF(metrics->loops); i++)
        loop_dispose(&metrics->loops[i]);
    task_set_dispose(&metrics->set);
    roster_release(metrics->next);
    free(metrics->next_exposed);
    rows_dispose(&metrics->rows);
    rows_dispose(&metrics->writing);
    pthread_cond_destroy(&metrics->told);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

/* --- what core says and asks ----------------------------------------------------------------- */

void metrics_watch(struct metrics *metrics, struct roster *roster, const int64_t *exposed)
{
    int64_t *copy = calloc(roster->count + 1, sizeof *copy);
    if (!copy)
        return; /* core says it again with the next commit; until then the old one is measured */
    for (size_t i = 0; i < roster->count; i++)
        copy[i] = exposed[i];
    struct roster *taken = roster_reference(roster);
    pthread_mutex_lock(&metrics->lock);
    struct roster *before = metrics->next;
    int64_t *exposed_before = metrics->next_exposed;
    metrics->next = taken;
    metrics->next_exposed = copy;
    pthread_cond_signal(&metrics->told);
    pthread_mutex_unlock(&metrics->lock);
    roster_release(before);
    free(exposed_before);
}

/* Under the lock: the tasks of the rollout, as it stands in `item`; NULL: none. */
static struct task *const *tasks_of(const struct metrics *metrics,
                                    const struct roster_rollout *item, size_t *count)
{
    const struct task_set *set = &metrics->set;
    const struct roster_rollout *own =
        set->roster ? roster_find(set->roster, text_of(item->name)) : NULL;
    *count = 0;
    if (!own || own->state->run != item->state->run || own->state->phase != item->state->phase ||
        own->state->since != item->state->since || !walk_phase(item->state))
        return NULL;
    size_t index = (size_t)(own - set->roster->items);
    *count = set->first[index + 1] - set->first[index];
    return &set->tasks[set->first[index]];
}

static enum status view_task(const struct task *task, const struct roster_rollout *item,
                             int64_t now, struct arena *arena, struct metrics_view *out)
{
    struct judgement judgement;
    struct walk_gate *gate = &out->gates[out->gate_count];
    struct text name;
    enum status status = probe_gate(task->probe, now * NANOSECONDS_PER_SECOND, arena, gate);
    if (status != STATUS_OK || !arena_copy(arena, task->probe->metric->name.text, &name))
        return STATUS_NO_MEMORY;
    gate->metric = name;
    /* The bake may count from elsewhere by now, which has not come here. */
    int64_t from = walk_bake_from(item->state);
    if (from != walk_bake_from(task->probe->item->state))
        gate->covered = 0;
    out->gate_count++;
    if (out->ratio_mismatch || !probe_ratio_mismatch(task->probe, &judgement))
        return STATUS_OK;
    out->ratio_mismatch = true;
    return arena_copy(arena, text_of(judgement.reason), &out->ratio_evidence) ? STATUS_OK
                                                                              : STATUS_NO_MEMORY;
}

enum status metrics_view(struct metrics *metrics, const struct roster_rollout *item, int64_t now,
                         struct arena *arena, struct metrics_view *out)
{
    enum status status = STATUS_OK;
    size_t count;
    *out = (struct metrics_view){0};
    pthread_mutex_lock(&metrics->lock);
    struct task *const *tasks = tasks_of(metrics, item, &count);
    for (size_t i = 0; i < count && i < PHASE_METRICS_MAX && status == STATUS_OK; i++)
        status = view_task(tasks[i], item, now, arena, out);
    pthread_mutex_unlock(&metrics->lock);
    return status;
}

void metrics_write_status(struct metrics *metrics, const struct roster_rollout *item, int64_t now,
                          struct buffer *out)
{
    size_t count;
    buffer_append_char(out, '[');
    pthread_mutex_lock(&metrics->lock);
    struct task *const *tasks = tasks_of(metrics, item, &count);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        probe_write_status(tasks[i]->probe, now * NANOSECONDS_PER_SECOND, out);
    }
    pthread_mutex_unlock(&metrics->lock);
    buffer_append_char(out, ']');
}
