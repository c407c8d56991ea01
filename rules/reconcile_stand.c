/* Which candidates stand as they stood before, given what was found wrong. */
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
    for (size_t i = 0; i < step->candidates.count; i++)
        let_stand(step->candidates.items[i]);
    step->collapsed = true;
}

/* Everything that those already reached ask for is reached too. The world is as deep as its
 * references: a few dozen sweeps at the worst. */
static void reach_down(struct step *step)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < step->world.count; i++) {
            const struct work *work = step->world.items[i];
            for (size_t j = 0; work->reached && j < work->reference_count; j++) {
                struct work *below = work->references[j]->work;
                if (below && !below->reached)
                    more = below->reached = true;
            }
        }
    }
}

/* Everything that asks for one already reached is reached too. */
static void reach_up(struct step *step)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < step->world.count; i++) {
            struct work *work = step->world.items[i];
            for (size_t j = 0; !work->reached && j < work->reference_count; j++) {
                const struct work *below = work->references[j]->work;
                if (below && below->reached)
                    more = work->reached = true;
            }
        }
    }
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
        if (work_counts(work) && work->reached) {
            let_stand(work);
            some = true;
        }
    }
    return some;
}

/* Those that are faulty and count; where all that are faulty stand, what they ask for. */
void step_stand_by_faults(struct step *step)
{
    reach_none(step);
    for (size_t i = 0; i < step->world.count; i++) {
        struct work *work = step->world.items[i];
        work->reached = work->faulty;
    }
    if (let_reached_stand(step))
        return;
    reach_down(step);
    if (!let_reached_stand(step))
        let_all_stand(step); /* nobody's fault in particular */
}

void step_stand_by_dependence(struct step *step)
{
    reach_none(step);
    for (size_t i = 0; i < step->candidates.count; i++)
        step->candidates.items[i]->reached = step->candidates.items[i]->stands;
    reach_up(step);
    let_reached_stand(step);
}
