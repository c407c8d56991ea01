/* The catalog of a round: all that is dirty, as it counts in this round, and all that it asks for.
 */
#include <stdlib.h>

#include "reconcile_private.h"

/* --- what a definition asks for -------------------------------------------------------------- */

struct asking {
    struct step *step;
    struct entry **found;
    size_t count, size;
    bool failed;
};

static void ask(struct asking *asking, enum kind kind, struct text name)
{
    struct entry *entry = name.length ? inventory_find(asking->step->inventory, kind, name) : NULL;
    if (!entry || asking->failed || entry->asked == asking->step->inventory->asking)
        return;
    entry->asked = asking->step->inventory->asking;
    if (asking->count == asking->size) {
        size_t size = asking->size ? asking->size * 2 : 8;
        struct entry **found = ARENA_ARRAY(asking->step->arena, struct entry *, size);
        if (!found) {
            asking->failed = true;
            return;
        }
        if (asking->count)
            memcpy(found, asking->found, asking->count * sizeof *found);
        asking->found = found;
        asking->size = size;
    }
    asking->found[asking->count++] = entry;
}

/* The same of a name that may be nobody's yet: whoever comes to bear it is asked for. */
static void ask_ever(struct asking *asking, enum kind kind, struct text name)
{
    struct entry *entry = inventory_entry(asking->step->inventory, kind, name);
    if (entry && step_work(asking->step, entry)) /* looked at when the step ends */
        ask(asking, kind, name);
    else
        asking->failed = true;
}

static void ask_condition(struct asking *asking, const struct condition *condition)
{
    for (; condition; condition = condition->next) {
        switch (condition->type) {
        case CONDITION_ALL:
        case CONDITION_ANY:
        case CONDITION_NOT:
            ask_condition(asking, condition->children);
            break;
        case CONDITION_SEGMENT:
            ask(asking, KIND_SEGMENT, condition->name.text);
            break;
        case CONDITION_FLAG:
            ask(asking, KIND_FLAG, condition->name.text);
            break;
        case CONDITION_ATTRIBUTE:
            break;
        }
    }
}

static void ask_settings(struct asking *asking, const struct flag_settings *settings)
{
    for (size_t i = 0; i < settings->rule_count; i++)
        ask_condition(asking, settings->rules[i].when);
}

static void ask_flag(struct asking *asking, const struct flag *flag)
{
    ask_settings(asking, &flag->settings);
    for (size_t i = 0; i < flag->override_count; i++) {
        ask(asking, KIND_ENVIRONMENT, flag->overrides[i].environment.text);
        ask_settings(asking, &flag->overrides[i].settings);
    }
    for (size_t i = 0; i < flag->watched_count; i++)
        ask(asking, KIND_METRIC, flag->watched[i].text);
}

static void ask_names(struct asking *asking, enum kind kind, const struct name *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ask(asking, kind, names[i].text);
}

static void ask_phases(struct asking *asking, const struct phases *phases)
{
    for (size_t i = 0; i < phases->count; i++) {
        ask(asking, KIND_SEGMENT, phases->items[i].audience);
        ask_names(asking, KIND_METRIC, phases->items[i].metrics, phases->items[i].metric_count);
    }
}

static void ask_rollout(struct asking *asking, const struct rollout *rollout)
{
    ask(asking, KIND_FLAG, rollout->flag.text);
    ask(asking, KIND_ENVIRONMENT, rollout->environment.text);
    ask(asking, KIND_PHASE_PLAN, rollout->plan.text);
    ask_names(asking, KIND_METRIC, rollout->metrics, rollout->metric_count);
    ask_phases(asking, &rollout->phases);
}

/* What it asks for makes it change, but it stands by itself: nothing else's faults are its. */
static void ask_state(struct asking *asking, const struct rollout_state *state)
{
    ask_ever(asking, KIND_ROLLOUT, state->rollout);
    for (size_t i = 0; i < state->plan.count; i++)
        ask(asking, KIND_SEGMENT, state->plan.items[i].audience);
}

enum status step_references(struct step *step, enum kind kind, const void *definition,
                            struct entry ***out, size_t *count)
{
    struct asking asking = {.step = step};
    inventory_begin_asking(step->inventory);
    switch (kind) {
    case KIND_FLAG:
        ask_flag(&asking, definition);
        break;
    case KIND_SEGMENT:
        ask_condition(&asking, ((const struct segment *)definition)->match);
        break;
    case KIND_ENVIRONMENT:
        ask(&asking, KIND_ENVIRONMENT,
            ((const struct environment *)definition)->promotes_from.text);
        break;
    case KIND_TARGET:
        ask(&asking, KIND_ENVIRONMENT, ((const struct target *)definition)->environment.text);
        break;
    case KIND_PHASE_PLAN:
        ask_phases(&asking, &((const struct phase_plan *)definition)->phases);
        break;
    case KIND_METRIC:
        break;
    case KIND_ROLLOUT:
        ask_rollout(&asking, definition);
        break;
    case KIND_ROLLOUT_STATE:
        ask_state(&asking, definition);
        break;
    case KIND_FLAG_PIN:
        ask_ever(&asking, KIND_FLAG, ((const struct flag_pin *)definition)->flag);
        break;
    case KIND_COUNT:
        break;
    }
    *out = asking.found;
    *count = asking.count;
    return asking.failed ? STATUS_NO_MEMORY : STATUS_OK;
}

/* --- the world ------------------------------------------------------------------------------- */

struct version *step_version(const struct entry *entry)
{
    return entry->work && entry->work->candidate ? entry->work->chosen : entry->in_force;
}

static bool entry_is_defined(const struct entry *entry)
{
    const struct version *version = entry->wanted;
    while (version && !version->whole)
        version = version->next;
    return version != NULL;
}

/* Puts an entry into the world, once a round, if some version of it counts. */
static enum status enter(struct step *step, struct entry *entry)
{
    if (!step_version(entry))
        return STATUS_OK;
    struct work *work = step_work(step, entry);
    if (!work)
        return STATUS_NO_MEMORY;
    if (work->round == step->round)
        return STATUS_OK;
    work->round = step->round;
    work->references = NULL;
    work->reference_count = 0;
    return works_add(&step->world, work) ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status enter_kind(struct step *step, enum kind kind)
{
    const struct entries *entries = &step->inventory->kinds[kind];
    enum status status = STATUS_OK;
    for (size_t i = 0; i < entries->count && status == STATUS_OK; i++)
        status = enter(step, entries->items[i]);
    return status;
}

static enum status enter_roots(struct step *step)
{
    enum status status = enter_kind(step, KIND_ENVIRONMENT);
    if (status == STATUS_OK)
        status = enter_kind(step, KIND_TARGET);
    if (status == STATUS_OK && step->all_flags)
        status = enter_kind(step, KIND_FLAG);
    for (size_t i = 0; i < step->all.count && status == STATUS_OK; i++) {
        if (step->all.items[i]->dirty)
            status = enter(step, step->all.items[i]->entry);
    }
    return status;
}

/* With a flag come its rollouts and pins, with rollouts where they stand. */
static enum status enter_releases(struct step *step, const struct entry *entry)
{
    enum status status = STATUS_OK;
    if (entry->kind != KIND_FLAG && entry->kind != KIND_ROLLOUT)
        return STATUS_OK;
    enum kind wanted = entry->kind == KIND_FLAG ? KIND_ROLLOUT : KIND_ROLLOUT_STATE,
              other = entry->kind == KIND_FLAG ? KIND_FLAG_PIN : wanted;
    for (size_t i = 0; i < entry->referrer_count && status == STATUS_OK; i++) {
        enum kind kind = entry->referrers[i].entry->kind;
        if (kind == wanted || kind == other)
            status = enter(step, entry->referrers[i].entry);
    }
    return status;
}

/* Reads those of the world from `first` on, and lets in what they ask for. */
static enum status follow(struct step *step, size_t first)
{
    size_t end = step->world.count;
    struct version **versions = calloc(end - first + 1, sizeof *versions);
    if (!versions)
        return STATUS_NO_MEMORY;
    for (size_t i = first; i < end; i++)
        versions[i - first] = step_version(step->world.items[i]->entry);
    enum status status = step_read_versions(step, versions, end - first);
    for (size_t i = first; i < end && status == STATUS_OK; i++) {
        struct work *work = step->world.items[i];
        status = step_references(step, work->entry->kind, versions[i - first]->definition,
                                 &work->references, &work->reference_count);
        for (size_t j = 0; j < work->reference_count && status == STATUS_OK; j++)
            status = enter(step, work->references[j]);
        if (status == STATUS_OK)
            status = enter_releases(step, work->entry);
    }
    free(versions);
    return status;
}

static int by_kind_and_name(const void *a, const void *b)
{
    const struct entry *x = (*(struct work *const *)a)->entry,
                       *y = (*(struct work *const *)b)->entry;
    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind)
                              : text_compare(x->name, y->name);
}

static int by_bytes(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

/* What the commit defines, whatever of it counts: told alike on every way to the commit. It stays
 * the same for the whole step. */
static bool list_names(void *context, enum kind kind, const struct text **out, size_t *count)
{
    struct step *step = context;
    const struct entries *entries = &step->inventory->kinds[kind];
    struct text *names = step->defined[kind];
    if (!names) {
        names = ARENA_ARRAY(step->arena, struct text, entries->count + 1);
        if (!names)
            return false;
        for (size_t i = 0; i < entries->count; i++) {
            if (entry_is_defined(entries->items[i]))
                names[step->defined_count[kind]++] = entries->items[i]->name;
        }
        if (step->defined_count[kind])
            qsort(names, step->defined_count[kind], sizeof *names, by_bytes);
        step->defined[kind] = names;
    }
    *out = names;
    *count = step->defined_count[kind];
    return true;
}

/* In a round of which nobody is told. */
static bool list_nothing(void *context, enum kind kind, const struct text **out, size_t *count)
{
    (void)context;
    (void)kind;
    *out = NULL;
    *count = 0;
    return true;
}

static enum status note_broken(struct step *step)
{
    for (size_t i = 0; i < step->candidates.count; i++) {
        const struct entry *entry = step->candidates.items[i]->entry;
        if (!entry->work->broken)
            continue;
        struct broken *broken = ARENA_NEW(step->arena, struct broken);
        if (!broken)
            return STATUS_NO_MEMORY;
        *broken = (struct broken){entry->kind, entry->name, step->catalog.broken};
        step->catalog.broken = broken;
    }
    step->catalog.unreadable = step->inventory->unreadable;
    return STATUS_OK;
}

static enum status make_catalog(struct step *step)
{
    size_t counts[KIND_COUNT] = {0}, at = 0;
    step->catalog = (struct catalog){0};
    for (size_t i = 0; i < step->world.count; i++)
        counts[step->world.items[i]->entry->kind]++;
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        void **list = ARENA_ARRAY(step->arena, void *, counts[kind] + 1);
        step->faults.marked[kind] = ARENA_ARRAY(step->arena, bool, counts[kind] + 1);
        if (!list || !step->faults.marked[kind])
            return STATUS_NO_MEMORY;
        for (size_t i = 0; i < counts[kind]; i++)
            list[i] = step_version(step->world.items[at++]->entry)->definition;
        catalog_set_list(&step->catalog, (enum kind)kind, list, counts[kind]);
    }
    return catalog_index_releases(&step->catalog, step->arena);
}

enum status step_make_world(struct step *step, bool without_broken)
{
    size_t done = 0;
    step->round++;
    step->world.count = 0;
    enum status status = enter_roots(step);
    while (done < step->world.count && status == STATUS_OK) {
        size_t first = done;
        done = step->world.count;
        status = follow(step, first);
    }
    if (status == STATUS_OK && step->world.count)
        qsort(step->world.items, step->world.count, sizeof *step->world.items, by_kind_and_name);
    if (status == STATUS_OK)
        status = make_catalog(step);
    step->names = (struct catalog_names){without_broken ? list_names : list_nothing, step};
    step->catalog.names = &step->names;
    if (status == STATUS_OK && without_broken)
        status = note_broken(step);
    return status;
}
