#include "roster.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../rules/excerpt.h"
#include "../../rules/hash.h"

static const enum kind kinds[] = {KIND_ROLLOUT, KIND_ROLLOUT_STATE, KIND_PHASE_PLAN, KIND_METRIC};

/* --- what it is made of ---------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
    return hash_text_seeded((struct text){data, length}, hash);
}

static uint64_t mix_version(uint64_t hash, const struct version *version)
{
    if (!version)
        return mix(hash, "-", 1);
    hash = mix(hash, version->source->blob.bytes, sizeof version->source->blob.bytes);
    hash = mix(hash, version->source->path.data, version->source->path.length);
    return mix(hash, &version->index, sizeof version->index);
}

/* The entries stand in no order, so what each comes to is added up. */
static uint64_t find_key(const struct inventory *inventory)
{
    uint64_t key = 1;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const struct entries *entries = &inventory->kinds[kinds[i]];
        for (size_t j = 0; j < entries->count; j++) {
            const struct entry *entry = entries->items[j];
            uint64_t hash = mix_version(entry->hash, entry->in_force);
            key += kinds[i] == KIND_ROLLOUT_STATE ? mix_version(hash, entry->wanted) : hash;
        }
    }
    return key;
}

/* --- one rollout ----------------------------------------------------------------------------- */

static bool name_it(struct roster *roster, struct roster_rollout *item)
{
    const struct rollout *rollout = item->rollout;
    struct text name;
    char text[2 * STATE_NAME_MOST + 32];
    snprintf(text, sizeof text, "state/%s/%s.yaml", rollout->environment.text.data,
             rollout->name.text.data);
    if (!arena_copy(&roster->arena, text_of(text), &name))
        return false;
    item->path = name.data;
    snprintf(text, sizeof text, "%s/%s", rollout->environment.text.data, rollout->name.text.data);
    if (!arena_copy(&roster->arena, text_of(text), &name))
        return false;
    item->name = name.data;
    return true;
}

/* A time zone that this machine does not know stops growth, and nothing else. */
static void make_calendar(struct roster *roster, struct roster_rollout *item)
{
    const struct calendar_definition *definition = &item->rollout->calendar;
    struct error error = {0};
    enum status status = STATUS_OK;
    if (definition->timezone.length)
        status = zone_files_find(&roster->zones, definition->timezone, &item->zone, &error);
    if (status == STATUS_OK && (definition->window_count || definition->freeze_count))
        status = calendar_new(definition->windows, definition->window_count, definition->freezes,
                              definition->freeze_count, item->zone, &item->calendar, &error);
    if (status != STATUS_OK)
        snprintf(item->calendar_fault, sizeof item->calendar_fault, "%.150s", error.message);
}

/* What stands at the commit, beside what counts. */
static void look_at_file(const struct inventory *inventory, struct roster_rollout *item)
{
    const struct entry *entry = inventory_find(inventory, KIND_ROLLOUT_STATE, text_of(item->name));
    const struct source_file *source = inventory_source(inventory, text_of(item->path));
    const struct version *wanted = entry ? entry->wanted : NULL;
    bool is_whole = wanted && wanted->whole;
    item->unreadable = source && !is_whole;
    item->foreign_edit = entry && entry->in_force && wanted != entry->in_force && !item->unreadable;
}

static enum status fill(struct roster *roster, const struct inventory *inventory,
                        const struct rollout *rollout, struct roster_rollout *item)
{
    item->rollout = rollout;
    item->phases = catalog_phases(&roster->catalog, rollout);
    item->state = catalog_rollout_state(&roster->catalog, rollout);
    item->has_file = item->state != NULL;
    if (!name_it(roster, item))
        return STATUS_NO_MEMORY;
    if (!item->state) {
        struct rollout_state *state = ARENA_NEW(&roster->arena, struct rollout_state);
        if (!state || walk_initial(rollout, &roster->arena, state) != STATUS_OK)
            return STATUS_NO_MEMORY;
        item->state = state;
    }
    make_calendar(roster, item);
    look_at_file(inventory, item);
    return STATUS_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct roster_rollout *x = a, *y = b;
    return text_compare(text_of(x->name), text_of(y->name));
}

static enum status fill_all(struct roster *roster, const struct inventory *inventory)
{
    size_t count = roster->catalog.rollout_count;
    roster->items = ARENA_ARRAY(&roster->arena, struct roster_rollout, count + 1);
    if (!roster->items)
        return STATUS_NO_MEMORY;
    for (; roster->count < count; roster->count++) {
        enum status status = fill(roster, inventory, roster->catalog.rollouts[roster->count],
                                  &roster->items[roster->count]);
        if (status != STATUS_OK)
            return status;
    }
    if (count)
        qsort(roster->items, count, sizeof *roster->items, by_name);
    return STATUS_OK;
}

/* --- all of them ----------------------------------------------------------------------------- */

/* The rollouts, their states, and all that they walk by; the caller frees the list. */
static enum status read_catalog(struct roster *roster, const struct inventory *inventory,
                                const struct schema_set *schemas, struct file_reader reader,
                                struct error *error)
{
    const struct entry **entries;
    size_t count = 0, most = 0;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        most += inventory->kinds[kinds[i]].count;
    entries = calloc(most + 1, sizeof *entries);
    if (!entries)
        return error_set(error, STATUS_NO_MEMORY, "no memory for rollouts");
    /* Plans and metrics that nobody walks by are not read. */
    for (size_t i = 0; i < 2; i++) {
        const struct entries *of_kind = &inventory->kinds[kinds[i]];
        for (size_t j = 0; j < of_kind->count; j++)
            entries[count++] = of_kind->items[j];
    }
    /* A state's plan names metrics of its own, perhaps ones that no definition names any more. */
    const struct entries *metrics = &inventory->kinds[KIND_METRIC];
    for (size_t j = 0; j < metrics->count && inventory->kinds[KIND_ROLLOUT].count; j++)
        entries[count++] = metrics->items[j];
    const struct excerpt_task task = {.inventory = inventory,
                                      .schemas = schemas,
                                      .reader = reader,
                                      .entries = entries,
                                      .count = count,
                                      .follow = 1U << KIND_PHASE_PLAN | 1U << KIND_METRIC};
    enum status status = excerpt_read(&task, &roster->catalog, error);
    free(entries);
    return status;
}

enum status roster_make(const struct inventory *inventory, const struct schema_set *schemas,
                        struct file_reader reader, struct roster *previous, struct roster **out,
                        struct error *error)
{
    uint64_t key = find_key(inventory);
    *out = NULL;
    if (previous && previous->key == key) {
        *out = roster_reference(previous);
        return STATUS_OK;
    }
    struct roster *roster = calloc(1, sizeof *roster);
    if (!roster)
        return error_set(error, STATUS_NO_MEMORY, "no memory for rollouts");
    roster->references = 1;
    roster->key = key;
    arena_init(&roster->arena, 0);
    zone_files_init(&roster->zones, NULL);
    enum status status = read_catalog(roster, inventory, schemas, reader, error);
    if (status == STATUS_OK && fill_all(roster, inventory) != STATUS_OK)
        status = error_set(error, STATUS_NO_MEMORY, "no memory for rollouts");
    if (status == STATUS_OK)
        *out = roster;
    else
        roster_release(roster);
    return status;
}

struct roster *roster_reference(struct roster *roster)
{
    if (roster)
        atomic_fetch_add_explicit(&roster->references, 1, memory_order_relaxed);
    return roster;
}

void roster_release(struct roster *roster)
{
    if (!roster || atomic_fetch_sub_explicit(&roster->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < roster->count; i++)
        calendar_free(roster->items[i].calendar);
    catalog_dispose(&roster->catalog);
    zone_files_dispose(&roster->zones);
    arena_dispose(&roster->arena);
    free(roster);
}

/* --- asking ---------------------------------------------------------------------------------- */

static int beside(const void *key, const void *item)
{
    return text_compare(*(const struct text *)key,
                        text_of(((const struct roster_rollout *)item)->name));
}

const struct roster_rollout *roster_find(const struct roster *roster, struct text name)
{
    return roster->count
               ? bsearch(&name, roster->items, roster->count, sizeof *roster->items, beside)
               : NULL;
}

/* Of several rollouts of one flag at most one is unfinished. */
const struct roster_rollout *roster_of_flag(const struct roster *roster, struct text environment,
                                            struct text flag)
{
    const struct roster_rollout *found = NULL;
    for (size_t i = 0; i < roster->count; i++) {
        const struct roster_rollout *item = &roster->items[i];
        if (!text_equal(item->rollout->environment.text, environment) ||
            !text_equal(item->rollout->flag.text, flag))
            continue;
        if (item->has_file && rollout_state_is_unfinished(item->state))
            return item;
        if (!found || (item->has_file && !found->has_file))
            found = item;
    }
    return found;
}

const struct metric *roster_metric(const struct roster *roster, struct text name)
{
    return catalog_metric(&roster->catalog, name);
}

void roster_task(const struct roster_rollout *item, int64_t now, struct walk_task *out)
{
    *out = (struct walk_task){.rollout = item->rollout,
                              .phases = item->phases,
                              .calendar = item->calendar,
                              .zone = item->zone,
                              .calendar_fault = text_of(item->calendar_fault),
                              .now = now,
                              .unreadable = item->unreadable,
                              .foreign_edit = item->foreign_edit};
}
