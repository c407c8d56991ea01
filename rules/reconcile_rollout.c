/* What a commit may not do to a rollout that is under way (ROLLOUTS.md section 2): change whom it
 * releases what, take its definition away, or a segment that it walks on. What of the commit would
 * do so stands as it was. Its state counts in any case: only a hand that is not weir's is looked
 * at. */
#include "codes.h"
#include "reconcile_private.h"

/* --- states edited by hand ------------------------------------------------------------------- */

static bool may_count(enum kind kind, const void *before, const void *wanted)
{
    const struct rollout_state *state = wanted;
    const struct flag_pin *pin = wanted;
    if (kind == KIND_FLAG_PIN)
        return !pin->is_foreign || (before && flag_pin_is_safer(before, pin));
    return !state->is_foreign || (before && rollout_state_is_safer(before, state));
}

static enum status check_foreign(struct step *step, struct work *work)
{
    struct version *versions[2] = {work->wanted, work->entry->in_force};
    enum status status = step_read_versions(step, versions, versions[1] ? 2 : 1);
    if (status != STATUS_OK)
        return status;
    enum kind kind = work->entry->kind;
    const struct name *wanted = versions[0]->definition;
    if (may_count(kind, versions[1] ? versions[1]->definition : NULL, wanted))
        return STATUS_OK;
    diagnostics_add(
        &step->result->diagnostics, CODE_STATE_FOREIGN, wanted->place,
        "put back what weir wrote, and use its commands",
        kind == KIND_FLAG_PIN
            ? "the pin of \"%.130s\" was edited by hand, and holds it otherwise than "
              "before"
            : "the state of \"%.130s\" was edited by hand, and exposes more than before",
        wanted->text.data);
    work->broken = true;
    work->stands = true;
    work->chosen = NULL;
    return STATUS_OK;
}

/* Whoever comes to the commit from nothing cannot know that there was a pin, so it goes; people are
 * told by those who know. */
static void tell_pin_gone(struct step *step, const struct version *before)
{
    const struct flag_pin *pin = before->definition;
    if (!flag_pin_is_lifted(pin))
        diagnostics_add(&step->result->diagnostics, CODE_PIN_GONE,
                        (struct place){before->source->path, 0, 0},
                        "use weir unkill and weir unpin, which keep what was decided on record",
                        "the pin of \"%.130s\" was taken away by hand: the flag is served as its "
                        "definition says",
                        pin->name.text.data);
}

/* Taken away: a state only together with its rollout, when that has ended. */
static enum status check_gone(struct step *step, struct work *work)
{
    struct version *before = work->entry->in_force;
    enum status status = step_read_versions(step, &before, 1);
    if (status != STATUS_OK)
        return status;
    if (work->entry->kind == KIND_FLAG_PIN) {
        tell_pin_gone(step, before);
        return STATUS_OK;
    }
    const struct rollout_state *state = before->definition;
    const struct entry *rollout = inventory_find(step->inventory, KIND_ROLLOUT, state->rollout);
    if (!rollout_state_is_unfinished(state) && (!rollout || !rollout->wanted))
        return STATUS_OK;
    diagnostics_add(&step->result->diagnostics, CODE_STATE_FOREIGN,
                    (struct place){before->source->path, 0, 0},
                    "put it back, and use weir's commands",
                    "the state of \"%.130s\" was taken away by hand", state->name.text.data);
    work->broken = true;
    work->stands = true;
    return STATUS_OK;
}

enum status step_check_foreign(struct step *step)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < step->candidates.count && status == STATUS_OK; i++) {
        struct work *work = step->candidates.items[i];
        if (!kind_is_state(work->entry->kind) || work->broken)
            continue;
        if (work->wanted)
            status = check_foreign(step, work);
        else if (work->entry->in_force)
            status = check_gone(step, work);
    }
    return status;
}

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
