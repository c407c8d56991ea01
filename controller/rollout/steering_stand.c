/* Where rollouts stand once the step backs that are open are recorded: until the branch has them,
 * that is what users have, so it is what is measured and decided on. */
#include "steering_watch.h"

enum status steering_copy_move(const struct override *override, size_t index, struct arena *arena,
                               struct walk_verb *out)
{
    *out = override_move(override, index);
    return arena_copy(arena, out->by, &out->by) && arena_copy(arena, out->note, &out->note) &&
                   arena_copy(arena, out->intent, &out->intent)
               ? STATUS_OK
               : STATUS_NO_MEMORY;
}

struct standing {
    struct roster_rollout item;
    struct rollout_state state;
};

/* After an override, by its own time: the same whenever it is asked, so that evidence goes on. */
static enum status step(const struct roster_rollout *item, const struct override *override,
                        struct arena *arena, const struct rollout_state **state)
{
    enum status status = STATUS_OK;
    int64_t began = (*state)->since;
    struct walk_task task;
    roster_task(item, override->since > began ? override->since : began, &task);
    for (size_t i = 0; i < override_move_count(override) && status == STATUS_OK; i++) {
        struct walk_decision decision = {0};
        struct walk_verb verb;
        status = steering_copy_move(override, i, arena, &verb);
        if (status == STATUS_OK)
            status = walk_verb(&task, *state, &verb, arena, &decision);
        if (status == STATUS_OK && decision.state)
            *state = decision.state;
    }
    return status;
}

static enum status follow(const struct steering *steering, const struct override *override,
                          struct arena *arena, const struct roster_rollout **stand)
{
    char name[2 * DESK_NAME_SIZE + 64];
    snprintf(name, sizeof name, "%s/%s", override->environment.data, override->rollout.data);
    const struct roster_rollout *item = roster_find(steering->roster, text_of(name));
    if (!item)
        return STATUS_OK;
    size_t index = (size_t)(item - steering->roster->items);
    const struct rollout_state *state = stand[index]->state;
    enum status status = step(item, override, arena, &state);
    if (status != STATUS_OK || state == stand[index]->state)
        return status;
    struct standing *standing = ARENA_NEW(arena, struct standing);
    if (!standing)
        return STATUS_NO_MEMORY;
    standing->item = *item;
    standing->state = *state;
    standing->state.name.text = text_of(item->name);
    standing->item.state = &standing->state;
    stand[index] = &standing->item;
    return STATUS_OK;
}

/* After the overrides for which `counts` is true. */
static const struct roster_rollout **
stand_after(const struct steering *steering, struct arena *arena,
            bool (*counts)(const struct override *override, const struct override *of),
            const struct override *of)
{
    const struct roster *roster = steering->roster;
    const struct roster_rollout **stand =
        ARENA_ARRAY(arena, const struct roster_rollout *, roster->count + 1);
    for (size_t i = 0; stand && i < roster->count; i++)
        stand[i] = &roster->items[i];
    for (size_t i = 0; stand && i < steering->overrides.count; i++) {
        const struct override *override = steering->overrides.items[i];
        if (override->rollout.length && counts(override, of) &&
            follow(steering, override, arena, stand) != STATUS_OK)
            return NULL;
    }
    return stand;
}

static bool is_step_back(const struct override *override, const struct override *of)
{
    (void)of;
    return override->action == VERB_STEP_BACK;
}

const struct roster_rollout **steering_stand(const struct steering *steering, struct arena *arena)
{
    return stand_after(steering, arena, is_step_back, NULL);
}

bool steering_is_of_flag(const struct override *override, const struct override *of)
{
    return text_equal(override->flag, of->flag) &&
           text_equal(override->environment, of->environment);
}

const struct roster_rollout **steering_stand_of(const struct steering *steering,
                                                const struct override *of, struct arena *arena)
{
    return stand_after(steering, arena, steering_is_of_flag, of);
}

enum status steering_name_after(const struct roster_rollout *item,
                                const struct roster_rollout *stands,
                                const struct walk_decision *decision, struct arena *arena,
                                struct text *out)
{
    const struct rollout_state *state = stands->state;
    char *list = arena_allocate(arena, OVERRIDE_AFTER_MAX);
    size_t length = 0;
    *out = (struct text){0};
    if (!list)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; stands != item && i < state->intent_count; i++) {
        struct text intent = state->intents[i];
        if (rollout_state_has_intent(item->state, intent) || text_is(intent, decision->intent) ||
            !rollout_state_has_intent(decision->state, intent) ||
            length + OVERRIDE_INTENT_LENGTH + 1 > OVERRIDE_AFTER_MAX)
            continue;
        if (length)
            list[length++] = ' ';
        memcpy(list + length, intent.data, OVERRIDE_INTENT_LENGTH);
        length += OVERRIDE_INTENT_LENGTH;
    }
    *out = (struct text){list, length};
    return STATUS_OK;
}
