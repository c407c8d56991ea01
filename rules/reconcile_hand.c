/* States and pins that a hand other than weir's made (ROLLOUTS.md section 2): its checksum is
 * wrong, or it is an old word of weir's, brought back behind a later one. What is in force before
 * the commit tells which, so only on the way from its parent it can be told at all. */
#include "codes.h"
#include "reconcile_private.h"
#include "state_word.h"

struct version *work_before(const struct work *work)
{
    return work->before ? work->before : work->entry->in_force;
}

static enum status read_one(struct step *step, struct version *version)
{
    return step_read_versions(step, &version, version ? 1 : 0);
}

/* Weir's last word in P; NULL: it said none. */
static enum status last_word(struct step *step, const struct work *work, struct version **out)
{
    const struct entry *entry = work->entry;
    enum status status = STATUS_OK;
    *out = work_before(work);
    if (!work->before && entry->edit && entry->in_force) {
        const struct exception word = {.kind = entry->kind,
                                       .name = entry->name,
                                       .path = entry->in_force->source->path,
                                       .blob = entry->edit->word,
                                       .index = entry->in_force->index};
        status = step_given_version(step, entry, &word, out);
    }
    return status == STATUS_OK ? read_one(step, *out) : status;
}

/* --- of the other side of a merge ------------------------------------------------------------- */

static enum status take_rival(struct step *step, const struct exception *rival)
{
    struct version *version = NULL, *word = NULL;
    struct entry *entry = inventory_entry(step->inventory, rival->kind, rival->name);
    struct work *work = entry ? step_work(step, entry) : NULL;
    if (!work)
        return STATUS_NO_MEMORY;
    if (!entry->wanted && !entry->in_force)
        return STATUS_OK; /* both sides know that it is gone */
    enum status status = step_given_version(step, entry, rival, &version);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !version))
        return STATUS_OK; /* it cannot be read: it is nobody's word */
    if (status == STATUS_OK)
        status = read_one(step, version);
    if (status == STATUS_OK)
        status = last_word(step, work, &word);
    if (status != STATUS_OK || state_word_is_foreign(entry->kind, version->definition) ||
        (word && state_word_seq(entry->kind, version->definition) <=
                     state_word_seq(entry->kind, word->definition)))
        return status;
    work->before = version;
    status = step_judge(step, entry);
    if (status != STATUS_OK || work->candidate)
        return status;
    work->candidate = true;
    work->chosen = work->wanted;
    return works_add(&step->candidates, work) ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status step_take_rivals(struct step *step)
{
    const struct reconcile_task *task = step->task;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < task->rival_count && status == STATUS_OK; i++)
        status = take_rival(step, &task->rivals[i]);
    return status;
}

/* --- edited, or put back ---------------------------------------------------------------------- */

static bool is_safer(enum kind kind, const void *before, const void *wanted)
{
    return before && (kind == KIND_FLAG_PIN ? flag_pin_is_safer(before, wanted)
                                            : rollout_state_is_safer(before, wanted));
}

/* Whether the commit's is weir's word behind `word`, or that itself, brought back. */
static bool is_said_after(const struct version *word, const struct version *wanted)
{
    enum kind kind = wanted->entry->kind;
    if (state_word_is_foreign(kind, wanted->definition))
        return false;
    return !word ||
           memcmp(&word->source->blob, &wanted->source->blob, sizeof word->source->blob) == 0 ||
           state_word_follows(kind, word->definition, wanted->definition);
}

static void refuse(struct step *step, struct work *work)
{
    enum kind kind = work->entry->kind;
    const struct name *wanted = work->wanted->definition;
    const char *how =
        state_word_is_foreign(kind, wanted) ? "was edited by hand" : "was put back by hand";
    diagnostics_add(&step->result->diagnostics, CODE_STATE_FOREIGN, wanted->place,
                    "put back what weir wrote last, and use its commands",
                    kind == KIND_FLAG_PIN
                        ? "the pin of \"%.130s\" %s, and holds it otherwise than before"
                        : "the state of \"%.130s\" %s, and exposes more than before",
                    wanted->text.data, how);
    work->broken = true;
    work->stands = true;
    work->chosen = NULL;
}

/* A hand's counts as the move that comes next. */
static struct edit edit_of(const struct work *work, const struct version *word)
{
    enum kind kind = work->entry->kind;
    if (!work->before && work->entry->edit)
        return *work->entry->edit;
    uint32_t seq = state_word_seq(kind, word->definition);
    return (struct edit){.word = word->source->blob, .seq = seq < UINT32_MAX ? seq + 1 : seq};
}

static enum status check_wanted(struct step *step, struct work *work)
{
    enum kind kind = work->entry->kind;
    struct version *before = work_before(work), *word = NULL;
    enum status status = read_one(step, work->wanted);
    if (status == STATUS_OK)
        status = read_one(step, before);
    const void *was = status == STATUS_OK && before ? before->definition : NULL;
    bool counts = step->task->from == RECONCILE_ASIDE;
    if (status == STATUS_OK && step->task->from == RECONCILE_PARENT) {
        status = last_word(step, work, &word);
        counts = status == STATUS_OK && is_said_after(word, work->wanted);
    } else if (status == STATUS_OK && !counts) {
        counts = !state_word_is_foreign(kind, work->wanted->definition);
    }
    if (status != STATUS_OK)
        return status;
    if (counts)
        work->edit = (struct edit){.seq = 0};
    else if (word && is_safer(kind, was, work->wanted->definition))
        work->edit = edit_of(work, word);
    else
        refuse(step, work);
    return STATUS_OK;
}

/* --- taken away ------------------------------------------------------------------------------- */

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
    struct version *before = work_before(work);
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

/* --- all of them ------------------------------------------------------------------------------ */

static enum status check_hand(struct step *step, struct work *work)
{
    if (!work->before && work->entry->edit)
        work->edit = *work->entry->edit; /* while it stands */
    if (work->broken)
        return STATUS_OK;
    if (work->wanted)
        return check_wanted(step, work);
    enum status status = work_before(work) ? check_gone(step, work) : STATUS_OK;
    if (!work->stands)
        work->edit = (struct edit){.seq = 0};
    return status;
}

enum status step_check_hand(struct step *step)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < step->candidates.count && status == STATUS_OK; i++) {
        struct work *work = step->candidates.items[i];
        if (kind_is_state(work->entry->kind))
            status = check_hand(step, work);
    }
    return status;
}

/* --- who made it ------------------------------------------------------------------------------ */

static const enum kind state_kinds[] = {KIND_ROLLOUT_STATE, KIND_FLAG_PIN};

static enum status take_known(struct step *step)
{
    const struct reconcile_task *task = step->task;
    bool good = true;
    for (size_t i = 0; i < COUNT_OF(state_kinds) && good; i++) {
        const struct entries *entries = &step->inventory->kinds[state_kinds[i]];
        for (size_t j = 0; j < entries->count && good; j++)
            good = inventory_set_edit(entries->items[j], NULL);
    }
    for (size_t i = 0; i < task->exception_count && good; i++) {
        const struct exception *exception = &task->exceptions[i];
        struct entry *entry = inventory_find(step->inventory, exception->kind, exception->name);
        if (exception->edit.seq && entry)
            good = inventory_set_edit(entry, &exception->edit);
    }
    return good ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status step_note_hands(struct step *step)
{
    bool good = true;
    if (step->task->is_known)
        return take_known(step);
    for (size_t i = 0; i < step->candidates.count && good; i++) {
        const struct work *work = step->candidates.items[i];
        if (kind_is_state(work->entry->kind))
            good = inventory_set_edit(work->entry, work->edit.seq ? &work->edit : NULL);
    }
    return good ? STATUS_OK : STATUS_NO_MEMORY;
}

bool step_has_edits(const struct step *step)
{
    for (size_t i = 0; i < COUNT_OF(state_kinds); i++) {
        const struct entries *entries = &step->inventory->kinds[state_kinds[i]];
        for (size_t j = 0; j < entries->count; j++) {
            if (entries->items[j]->edit)
                return true;
        }
    }
    return false;
}
