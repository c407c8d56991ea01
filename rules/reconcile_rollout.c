/* What a commit may not do to a rollout that is under way (ROLLOUTS.md section 2): change whom it
 * releases what, take its definition away, or a segment that it walks on. What of the commit would
 * do so stands as it was. Its state counts in any case (reconcile_hand.c). */
#include "codes.h"
#include "reconcile_private.h"

/* --- what is under way ----------------------------------------------------------------------- */

/* The definition in this round; NULL: absent. It is read, since its rollout is in the world. */
static const void *definition_of(const struct entry *entry)
{
    const struct version *version = step_version(entry);
    return version ? version->definition : NULL;
}

static void fault(struct work *work, bool *faulty)
{
    work->faulty = true;
    *faulty = true;
}

static void guard_segments(struct step *step, const struct rollout_state *state,
                           struct diagnostics *diagnostics, bool *faulty)
{
    for (size_t i = 0; i < state->plan.count; i++) {
        const struct phase *phase = &state->plan.items[i];
        struct entry *entry = phase->audience.length
                                  ? inventory_find(step->inventory, KIND_SEGMENT, phase->audience)
                                  : NULL;
        if (!entry || !entry->in_force || !entry->work || !work_counts(entry->work) ||
            entry->work->chosen)
            continue;
        diagnostics_add(diagnostics, CODE_ROLLOUT_UNFINISHED, state->name.place,
                        "let the rollout end first, or roll it back",
                        "segment \"%.64s\" is gone, which the rollout of \"%.130s\" is walking on",
                        entry->name.data, state->name.text.data);
        fault(entry->work, faulty);
    }
}

static enum status guard_definition(struct step *step, const struct rollout_state *state,
                                    struct diagnostics *diagnostics, bool *faulty)
{
    struct entry *entry = inventory_find(step->inventory, KIND_ROLLOUT, state->rollout);
    uint8_t before[IDENTITY_SIZE], after[IDENTITY_SIZE];
    if (!entry || !entry->in_force || !entry->work || !work_counts(entry->work))
        return STATUS_OK;
    struct version *old = entry->in_force;
    enum status status = step_read_versions(step, &old, 1);
    if (status != STATUS_OK)
        return status;
    const struct rollout *was = old->definition, *is = definition_of(entry);
    rollout_identity(was, before);
    if (memcmp(before, state->identity, IDENTITY_SIZE) != 0)
        return STATUS_OK; /* it is not the state of that one */
    if (!is) {
        diagnostics_add(diagnostics, CODE_ROLLOUT_UNFINISHED, state->name.place,
                        "let it end first, or roll it back",
                        "rollout \"%.64s\" is gone, but is not finished", entry->name.data);
        fault(entry->work, faulty);
        return STATUS_OK;
    }
    rollout_identity(is, after);
    if (memcmp(before, after, IDENTITY_SIZE) == 0)
        return STATUS_OK;
    diagnostics_add(diagnostics, CODE_ROLLOUT_IDENTITY, is->name.place,
                    "let it end first, or roll it back; or give the new one another name",
                    "rollout \"%.64s\" is under way: its flag, environment, variant, control, seed "
                    "and bucketBy are fixed",
                    entry->name.data);
    fault(entry->work, faulty);
    return STATUS_OK;
}

enum status step_guard_rollouts(struct step *step, struct diagnostics *diagnostics, bool *faulty)
{
    struct catalog_list states = catalog_list(&step->catalog, KIND_ROLLOUT_STATE);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < states.count && status == STATUS_OK; i++) {
        const struct rollout_state *state = states.items[i];
        if (!rollout_state_is_unfinished(state))
            continue;
        guard_segments(step, state, diagnostics, faulty);
        status = guard_definition(step, state, diagnostics, faulty);
    }
    return status;
}

/* --- what a commit alone does not tell -------------------------------------------------------- */

static bool lacks_segment(const struct step *step, const struct rollout_state *state)
{
    for (size_t i = 0; i < state->plan.count; i++) {
        struct text audience = state->plan.items[i].audience;
        if (audience.length && !catalog_segment(&step->catalog, audience))
            return true;
    }
    return false;
}

static bool leans(const struct step *step, const struct rollout_state *state)
{
    if (!rollout_state_is_unfinished(state))
        return false;
    const struct rollout *rollout = catalog_rollout(&step->catalog, state->rollout);
    return !rollout || catalog_rollout_state(&step->catalog, rollout) != state ||
           lacks_segment(step, state);
}

/* Only what this step has looked at can have become otherwise. */
bool step_leans(const struct step *step)
{
    struct catalog_list states = catalog_list(&step->catalog, KIND_ROLLOUT_STATE);
    const struct entries *entries = &step->inventory->kinds[KIND_ROLLOUT_STATE];
    for (size_t i = 0; i < states.count; i++) {
        const struct rollout_state *state = states.items[i];
        struct entry *entry = inventory_find(step->inventory, KIND_ROLLOUT_STATE, state->name.text);
        if (entry && entry->in_force)
            entry->in_force->leans = leans(step, state);
    }
    for (size_t i = 0; i < entries->count; i++) {
        if (entries->items[i]->in_force && entries->items[i]->in_force->leans)
            return true;
    }
    return false;
}
