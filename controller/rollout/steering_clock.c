/* What steering knows of time: whether clocks agree, and since when users have what is said. */
#include <stdlib.h>

#include "../targets/target.h"
#include "approvals.h"
#include "steering_watch.h"

#define DRIFT_MOST 60             /* seconds */
#define DRIFT_TRUST INT64_C(3600) /* of steady clocks, after which they are believed again */

void steering_check_clocks(struct steering *steering)
{
    const struct clock *clock = steering->parts.clock;
    int64_t wall = clock_seconds(clock),
            monotonic = clock->monotonic(clock->self) / NANOSECONDS_PER_SECOND;
    int64_t drift = (wall - steering->drift_wall) - (monotonic - steering->drift_monotonic);
    bool is_apart = drift > DRIFT_MOST || drift < -DRIFT_MOST;
    if (is_apart) { /* compared with what it is now from here on */
        steering->clock_drift = true;
        steering->drift_wall = wall;
        steering->drift_monotonic = monotonic;
    } else if (steering->clock_drift && monotonic - steering->drift_monotonic >= DRIFT_TRUST) {
        steering->clock_drift = false;
    }
}

/* --- since when targets have it -------------------------------------------------------------- */

bool steering_is_exposed(const struct steering *steering, size_t index)
{
    return index < steering->exposure_count && steering->exposures[index].since != INT64_MAX;
}

/* Of a list that does not have it nothing is known: no approval counts. */
const struct rollout_state *steering_state(const struct steering *steering, size_t index,
                                           struct arena *arena)
{
    const struct roster_rollout *item = &steering->roster->items[index];
    bool is_known = index < steering->exposure_count &&
                    strcmp(steering->exposures[index].name, item->name) == 0;
    return approvals_drop(item->state, is_known ? steering->exposures[index].barred : UINT64_MAX,
                          arena);
}

static const struct steering_exposure *find(const struct steering_exposure *list, size_t count,
                                            const struct roster_rollout *item)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(list[middle].name, item->name);
        if (order == 0)
            return list[middle].run == item->state->run && list[middle].seq == item->state->seq
                       ? &list[middle]
                       : NULL;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void free_exposures(struct steering_exposure *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i].name);
    free(list);
}

/* Of where each stands (steering_stand()). */
static struct steering_exposure *list_exposures(const struct steering *steering,
                                                const struct roster_rollout **stand, size_t *made)
{
    const struct roster *roster = steering->roster;
    struct steering_exposure *list = calloc(roster->count + 1, sizeof *list);
    size_t count = 0;
    for (; list && count < roster->count; count++) {
        const struct roster_rollout *item = stand[count];
        const struct steering_exposure *before =
            find(steering->exposures, steering->exposure_count, item);
        list[count] = (struct steering_exposure){
            .name = strdup(item->name),
            .run = item->state->run,
            .seq = item->state->seq,
            .has_told = before && before->has_told,
            .barred = approvals_find_barred(steering->parts.mirror, steering->commit, roster,
                                            &roster->items[count]),
            .since = before                                 ? before->since
                     : item->state->since < steering->began ? item->state->since
                                                            : INT64_MAX};
        if (!list[count].name)
            break;
    }
    *made = count;
    return list;
}

/* What was known of the same states stays. What stands since before this process began was exposed
 * by another. */
static bool renew(struct steering *steering)
{
    struct arena arena;
    size_t count = 0;
    arena_init(&arena, 0);
    const struct roster_rollout **stand = steering_stand(steering, &arena);
    struct steering_exposure *list = stand ? list_exposures(steering, stand, &count) : NULL;
    arena_dispose(&arena);
    if (!list || count < steering->roster->count) {
        free_exposures(list, count);
        return false;
    }
    steering->stood = steering->overrides.changes;
    free_exposures(steering->exposures, steering->exposure_count);
    steering->exposures = list;
    steering->exposure_count = count;
    return true;
}

/* True when some target of the environment has not acknowledged what is published. */
static bool is_behind(const struct target_status *targets, size_t count, struct text environment)
{
    for (size_t i = 0; i < count; i++) {
        if (text_is(environment, targets[i].environment) && targets[i].condition != TARGET_IN_SYNC)
            return true;
    }
    return false;
}

/* Marks what the targets have by now. True when something was. */
static bool mark(struct steering *steering, bool *soon)
{
    struct target_status *targets = calloc(FLEET_MAX_TARGETS, sizeof *targets);
    int64_t now = clock_seconds(steering->parts.clock);
    bool marked = false;
    size_t count = 0;
    if (!targets) {
        *soon = true;
        return false;
    }
    if (steering->parts.fleet)
        count = fleet_status(steering->parts.fleet, targets, FLEET_MAX_TARGETS);
    for (size_t i = 0; i < steering->exposure_count; i++) {
        if (steering->exposures[i].since != INT64_MAX)
            continue;
        if (is_behind(targets, count, steering->roster->items[i].rollout->environment.text)) {
            *soon = true;
            continue;
        }
        steering->exposures[i].since = now;
        marked = true;
    }
    free(targets);
    return marked;
}

bool steering_is_behind(const struct steering *steering, struct text environment)
{
    struct target_status *targets = calloc(FLEET_MAX_TARGETS, sizeof *targets);
    if (!targets)
        return true;
    size_t count =
        steering->parts.fleet ? fleet_status(steering->parts.fleet, targets, FLEET_MAX_TARGETS) : 0;
    bool behind = is_behind(targets, count, environment);
    free(targets);
    return behind;
}

static bool some_wait(const struct steering *steering)
{
    for (size_t i = 0; i < steering->exposure_count; i++) {
        if (steering->exposures[i].since == INT64_MAX)
            return true;
    }
    return false;
}

void steering_check_exposure(struct steering *steering, bool changed, bool *soon)
{
    if (!steering->roster || !steering->has_published)
        return;
    if (changed && !renew(steering)) {
        *soon = true;
        return;
    }
    if (some_wait(steering) && mark(steering, soon))
        changed = true;
    if (changed)
        steering_watch_give(steering);
}
