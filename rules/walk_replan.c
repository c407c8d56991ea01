/* A plan that was edited while its rollout is under way: what was entered stays as it was, and what
 * was not is as it reads now. */
#include "walk_private.h"

static bool same_metrics(const struct phase *a, const struct phase *b)
{
    if (a->metric_count != b->metric_count)
        return false;
    for (size_t i = 0; i < a->metric_count; i++) {
        if (!text_equal(a->metrics[i].text, b->metrics[i].text))
            return false;
    }
    return true;
}

static bool same_phase(const struct phase *a, const struct phase *b)
{
    return text_equal(a->name, b->name) && text_equal(a->audience, b->audience) &&
           a->share == b->share && a->over == b->over &&
           (a->over == 0 || a->checkpoint == b->checkpoint) && a->bake == b->bake &&
           a->deadline == b->deadline && a->approvals == b->approvals && same_metrics(a, b);
}

static size_t find_phase(const struct phase *items, size_t count, struct text name)
{
    size_t i = 0;
    while (i < count && !text_equal(items[i].name, name))
        i++;
    return i;
}

/* Where the rest of the new plan begins: behind the newest phase entered that it still has. */
static size_t rest_of(const struct phases *wanted, const struct phase *entered, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        size_t at = find_phase(wanted->items, wanted->count, entered[i].name);
        if (at < wanted->count)
            return at + 1;
    }
    return 0;
}

static bool same_plan(const struct phases *a, const struct phases *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!same_phase(&a->items[i], &b->items[i]))
            return false;
    }
    return true;
}

bool walk_replan(struct walk *walk)
{
    const struct rollout_state *state = walk->state;
    size_t entered = state->phase + 1;
    if (walk->wanted.count == 0 || entered > state->plan.count)
        return false;
    size_t from = rest_of(&walk->wanted, state->plan.items, entered);
    struct phases plan = {.items =
                              ARENA_ARRAY(walk->arena, struct phase, entered + walk->wanted.count)};
    if (!plan.items) {
        walk->failed = true;
        return true;
    }
    memcpy(plan.items, state->plan.items, entered * sizeof *plan.items);
    plan.count = entered;
    for (size_t i = from; i < walk->wanted.count; i++) {
        const struct phase *phase = &walk->wanted.items[i];
        if (find_phase(plan.items, entered, phase->name) == entered)
            plan.items[plan.count++] = *phase;
    }
    if (plan.count > PHASES_MAX || same_plan(&plan, &state->plan))
        return false;
    char action[sizeof "replan:" + PLAN_DIGEST_SIZE] = "replan:";
    if (rollout_plan_digest(&plan, action + 7) != STATUS_OK) {
        walk->failed = true;
        return true;
    }
    struct rollout_state *next = walk_begin(walk, WALK_REPLAN, action);
    if (next)
        next->plan = plan;
    return true;
}
