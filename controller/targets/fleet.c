/* The set of workers: which targets there are, and that each has the newest snapshot in its
 * mail. */
#include "../telemetry_families.h"
#include "worker.h"

struct fleet {
    pthread_mutex_t lock;
    struct world *world;
    struct telemetry *telemetry;
    struct target_worker **workers; /* sorted by name */
    size_t count;
    struct target_worker **retired; /* stopped, perhaps still pushing */
    size_t retired_count, retired_size;
};

struct fleet *fleet_new(const struct fleet_parts *parts)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (!fleet)
        return NULL;
    fleet->telemetry = parts->telemetry;
    fleet->world = world_new(parts);
    if (!fleet->world || pthread_mutex_init(&fleet->lock, NULL) != 0) {
        world_release(fleet->world);
        free(fleet);
        return NULL;
    }
    return fleet;
}

/* --- the set --------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(worker_name(*(struct target_worker *const *)a),
                  worker_name(*(struct target_worker *const *)b));
}

static int name_of(const void *name, const void *worker)
{
    return strcmp(name, worker_name(*(struct target_worker *const *)worker));
}

static struct target_worker **find(struct target_worker **workers, size_t count, const char *name)
{
    return count ? bsearch(name, workers, count, sizeof *workers, name_of) : NULL;
}

/* Joins the threads of retired workers that have ended since. */
static void reap(struct fleet *fleet)
{
    size_t kept = 0;
    for (size_t i = 0; i < fleet->retired_count; i++) {
        if (worker_ended(fleet->retired[i]))
            worker_part(fleet->retired[i], INT64_MAX);
        else
            fleet->retired[kept++] = fleet->retired[i];
    }
    fleet->retired_count = kept;
}

static bool room_for_retired(struct fleet *fleet, size_t more)
{
    size_t needed = fleet->retired_count + more; /* both are bounded by what was started */
    if (needed <= fleet->retired_size)
        return true;
    struct target_worker **grown = realloc(fleet->retired, needed * sizeof *grown);
    if (!grown)
        return false;
    fleet->retired = grown;
    fleet->retired_size = needed;
    return true;
}

static void retire(struct fleet *fleet, struct target_worker *worker)
{
    static const char *const results[] = {"ok", "failed", "refused"};
    const char *name = worker_name(worker);
    worker_stop(worker);
    for (size_t i = 0; i < COUNT_OF(results); i++)
        telemetry_forget(fleet->telemetry, &family_target_pushes, name, results[i]);
    telemetry_forget(fleet->telemetry, &family_target_behind, name, NULL);
    telemetry_forget(fleet->telemetry, &family_target_last_success, name, NULL);
    fleet->retired[fleet->retired_count++] = worker;
}

static bool is_among(struct target_worker *const *workers, size_t count, struct text name)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(name, worker_name(workers[i])))
            return true;
    return false;
}

/* The worker for `target`: the one that was there, taken out of the old set, or a new one. */
static enum status employ(struct fleet *fleet, const struct target *target,
                          struct target_worker **out)
{
    struct target_definition *definition = target_definition_new(target);
    if (!definition)
        return STATUS_NO_MEMORY;
    struct target_worker **place = find(fleet->workers, fleet->count, definition->name);
    if (place) {
        *out = *place;
        worker_redefine(*out, definition);
        return STATUS_OK;
    }
    enum status status = worker_start(fleet->world, fleet->telemetry, definition, out);
    if (status != STATUS_OK)
        target_definition_free(definition);
    return status;
}

/* Replaces the set by `workers` (sorted), retiring those that are not in it. */
static void replace(struct fleet *fleet, struct target_worker **workers, size_t count)
{
    for (size_t i = 0; i < fleet->count; i++)
        if (!find(workers, count, worker_name(fleet->workers[i])))
            retire(fleet, fleet->workers[i]);
    free(fleet->workers);
    fleet->workers = workers;
    fleet->count = count;
}

static enum status apply(struct fleet *fleet, struct target *const *targets, size_t count,
                         struct snapshot *snapshot)
{
    enum status result = count > FLEET_MAX_TARGETS ? STATUS_LIMIT : STATUS_OK;
    if (count > FLEET_MAX_TARGETS)
        count = FLEET_MAX_TARGETS;
    reap(fleet);
    struct target_worker **workers = calloc(count + 1, sizeof *workers);
    if (!workers || !room_for_retired(fleet, fleet->count)) {
        free(workers);
        return STATUS_NO_MEMORY;
    }
    size_t employed = 0;
    for (size_t i = 0; i < count; i++) {
        enum status status = STATUS_INVALID; /* two of one name: linking refuses them */
        if (!is_among(workers, employed, targets[i]->name.text))
            status = employ(fleet, targets[i], &workers[employed]);
        if (status == STATUS_OK)
            worker_give(workers[employed++], snapshot);
        else if (result == STATUS_OK)
            result = status;
    }
    qsort(workers, employed, sizeof *workers, by_name);
    replace(fleet, workers, employed);
    return result;
}

enum status fleet_apply(struct fleet *fleet, struct target *const *targets, size_t count,
                        struct snapshot *snapshot)
{
    pthread_mutex_lock(&fleet->lock);
    enum status status = apply(fleet, targets, count, snapshot);
    pthread_mutex_unlock(&fleet->lock);
    return status;
}

void fleet_give(struct fleet *fleet, struct snapshot *snapshot)
{
    pthread_mutex_lock(&fleet->lock);
    for (size_t i = 0; i < fleet->count; i++)
        worker_give(fleet->workers[i], snapshot);
    pthread_mutex_unlock(&fleet->lock);
}

/* --- looking, ending ------------------------------------------------------------------------- */

size_t fleet_status(struct fleet *fleet, struct target_status *out, size_t size)
{
    pthread_mutex_lock(&fleet->lock);
    size_t count = fleet->count;
    for (size_t i = 0; i < count && i < size; i++)
        worker_status(fleet->workers[i], &out[i]);
    pthread_mutex_unlock(&fleet->lock);
    return count;
}

void fleet_free(struct fleet *fleet, int64_t patience)
{
    if (!fleet)
        return;
    int64_t now = system_clock.monotonic(system_clock.self);
    int64_t deadline = patience > INT64_MAX - now ? INT64_MAX : now + patience;
    for (size_t i = 0; i < fleet->count; i++)
        worker_stop(fleet->workers[i]);
    for (size_t i = 0; i < fleet->count; i++)
        worker_part(fleet->workers[i], deadline);
    for (size_t i = 0; i < fleet->retired_count; i++)
        worker_part(fleet->retired[i], deadline);
    free(fleet->workers);
    free(fleet->retired);
    world_release(fleet->world);
    pthread_mutex_destroy(&fleet->lock);
    free(fleet);
}
