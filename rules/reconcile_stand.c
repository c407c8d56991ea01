/* Which candidates stand as they stood before, given what was found wrong. */
#include <stdlib.h>

#include "reconcile_private.h"

static void let_stand(struct work *work)
{
    work->stands = true;
    work->chosen = work->entry->in_force;
}

bool work_counts(const struct work *work)
{
    return work->candidate && !work->stands;
}

static void let_all_stand(struct step *step)
{
    for (size_t i = 0; i < step->candidates.count; i++) {
        if (!kind_is_state(step->candidates.items[i]->entry->kind))
            let_stand(step->candidates.items[i]);
    }
    step->collapsed = true;
}

/* Those who are reached by those already reached, each once. */
struct walk {
    struct step *step;
    struct work **waiting; /* reached, and not yet gone on from */
    size_t count;
    struct work **askers; /* of each of step->all, one after the other */
    size_t *first;        /* of each, among the askers */
};

static void reach(struct walk *walk, struct work *work)
{
    if (work->reached)
        return;
    work->reached = true;
    walk->waiting[walk->count++] = work;
}

static void walk_end(struct walk *walk)
{
    free(walk->waiting);
    free(walk->askers);
    free(walk->first);
}

static bool walk_begin(struct walk *walk, struct step *step)
{
    const struct works *all = &step->all;
    *walk = (struct walk){.step = step, .waiting = calloc(all->count + 1, sizeof *walk->waiting)};
    for (size_t i = 0; i < all->count && walk->waiting; i++) {
        if (all->items[i]->reached)
            walk->waiting[walk->count++] = all->items[i];
    }
    return walk->waiting != NULL;
}

/* Who asks for whom, in this round's world. */
static bool find_askers(struct walk *walk)
{
    const struct step *step = walk->step;
    size_t edges = 0;
    for (size_t i = 0; i < step->world.count; i++)
        edges += step->world.items[i]->reference_count;
    walk->askers = calloc(edges + 1, sizeof(struct work *));
    walk->first = calloc(step->all.count + 2, sizeof *walk->first);
    if (!walk->askers || !walk->first)
        return false;
    size_t *next = walk->first + 1; /* becomes the first of the one after */
    for (size_t i = 0; i < step->world.count; i++) {
        const struct work *work = step->world.items[i];
        for (size_t j = 0; j < work->reference_count; j++) {
            if (work->references[j]->work)
                next[work->references[j]->work->place + 1]++;
        }
    }
    for (size_t i = 1; i < step->all.count; i++)
        next[i] += next[i - 1];
    for (size_t i = 0; i < step->world.count; i++) {
        struct work *work = step->world.items[i];
        for (size_t j = 0; j < work->reference_count; j++) {
            if (work->references[j]->work)
                walk->askers[next[work->references[j]->work->place]++] = work;
        }
    }
    return true;
}

/* Everything that those already reached ask for is reached too. */
static enum status reach_down(struct step *step)
{
    struct walk walk;
    if (!walk_begin(&walk, step))
        return STATUS_NO_MEMORY;
    while (walk.count) {
        const struct work *work = walk.waiting[--walk.count];
        for (size_t i = 0; work->round == step->round && i < work->reference_count; i++) {
            if (work->references[i]->work)
                reach(&walk, work->references[i]->work);
        }
    }
    walk_end(&walk);
    return STATUS_OK;
}

/* Everything that asks for one already reached is reached too. */
static enum status reach_up(struct step *step)
{
    struct walk walk;
    bool good = walk_begin(&walk, step) && find_askers(&walk);
    while (good && walk.count) {
        size_t place = walk.waiting[--walk.count]->place;
        for (size_t i = walk.first[place]; i < walk.first[place + 1]; i++)
            reach(&walk, walk.askers[i]);
    }
    walk_end(&walk);
    return good ? STATUS_OK : STATUS_NO_MEMORY;
}

static void reach_none(struct step *step)
{
    for (size_t i = 0; i < step->all.count; i++)
        step->all.items[i]->reached = false;
}

/* Lets those stand that are reached; whether there were any. */
static bool let_reached_stand(struct step *step)
{
    bool some = false;
    for (size_t i = 0; i < step->candidates.count; i++) {
        struct work *work = step->candidates.items[i];
        if (work_counts(work) && work->reached && !kind_is_state(work->entry->kind)) {
            let_stand(work);
            some = true;
        }
    }
    return some;
}

/* Those that are faulty and count; where all that are faulty stand, what they ask for. */
enum status step_stand_by_faults(struct step *step)
{
    reach_none(step);
    for (size_t i = 0; i < step->world.count; i++) {
        struct work *work = step->world.items[i];
        work->reached = work->faulty;
    }
    if (let_reached_stand(step))
        return STATUS_OK;
    enum status status = reach_down(step);
    if (status == STATUS_OK && !let_reached_stand(step))
        let_all_stand(step); /* nobody's fault in particular */
    return status;
}

enum status step_stand_by_dependence(struct step *step)
{
    reach_none(step);
    for (size_t i = 0; i < step->candidates.count; i++)
        step->candidates.items[i]->reached = step->candidates.items[i]->stands;
    enum status status = reach_up(step);
    let_reached_stand(step);
    return status;
}
