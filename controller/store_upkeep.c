#include "store_upkeep.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "log.h"

struct store_upkeep {
    const char *folder;
    const struct clock *clock;
    int64_t next; /* monotonic nanoseconds; 0: at once */
};

static enum status open_once(const char *folder, struct error *error)
{
    struct store *store;
    enum status status = store_open(folder, &store, error);
    if (status == STATUS_OK)
        store_close(store);
    return status;
}

static enum status prepare(const char *folder, const struct clock *clock, struct error *error)
{
    char kept[PATH_MAX], problem[sizeof error->message];
    enum status status = open_once(folder, error);
    if (status == STATUS_INVALID) {
        memcpy(problem, error->message, sizeof problem);
        status = store_set_aside(folder, clock_seconds(clock), kept, sizeof kept, error);
        if (status == STATUS_OK) {
            log_event(LOG_LEVEL_ERROR, "store_set_aside", "error", problem, "kept", kept, "effect",
                      "open overrides are to be had from targets and Git", NULL);
            status = open_once(folder, error);
        }
    }
    if (status == STATUS_OK || status == STATUS_REFUSED || status == STATUS_NO_MEMORY)
        return status;
    log_event(LOG_LEVEL_ERROR, "store_failed", "error", error->message, NULL);
    return STATUS_OK;
}

enum status store_upkeep_start(const char *folder, const struct clock *clock,
                               struct store_upkeep **out, struct error *error)
{
    *out = NULL;
    enum status status = prepare(folder, clock, error);
    if (status != STATUS_OK)
        return status;
    struct store_upkeep *upkeep = calloc(1, sizeof *upkeep);
    if (!upkeep)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    *upkeep = (struct store_upkeep){folder, clock, 0};
    *out = upkeep;
    return STATUS_OK;
}

static struct store_keep keep_at(int64_t now)
{
    return (struct store_keep){.measurements_since = now - STORE_KEEP_MEASUREMENTS,
                               .measurements = STORE_KEEP_MEASUREMENT_ROWS,
                               .evidence_since = now - STORE_KEEP_EVIDENCE,
                               .closed_since = now - STORE_KEEP_CLOSED,
                               .settled_since = now - STORE_KEEP_SETTLED,
                               .settled = STORE_KEEP_SETTLED_ROWS,
                               .rollbacks_since = now - STORE_KEEP_ROLLBACKS};
}

static enum status prune(const struct store_upkeep *upkeep, const _Atomic bool *stop,
                         struct error *error)
{
    const struct store_keep keep = keep_at(clock_seconds(upkeep->clock));
    struct store *store;
    uint64_t removed = 1;
    enum status status = store_open(upkeep->folder, &store, error);
    if (status != STATUS_OK)
        return status;
    while (status == STATUS_OK && removed > 0 && !(stop && atomic_load(stop)))
        status = store_prune(store, &keep, &removed, error);
    store_close(store);
    return status;
}

void store_upkeep_turn(struct store_upkeep *upkeep, const _Atomic bool *stop)
{
    struct error error;
    int64_t now = upkeep->clock->monotonic(upkeep->clock->self);
    if (now < upkeep->next)
        return;
    upkeep->next = now + STORE_UPKEEP_INTERVAL * NANOSECONDS_PER_SECOND;
    if (prune(upkeep, stop, &error) != STATUS_OK)
        log_event(LOG_LEVEL_WARN, "store_upkeep_failed", "error", error.message, NULL);
}

void store_upkeep_free(struct store_upkeep *upkeep)
{
    free(upkeep);
}
