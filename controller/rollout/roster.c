#include "roster.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../rules/excerpt.h"
#include "../../rules/hash.h"

/* --- what it is made of ---------------------------------------------------------------------- */

struct roster_state {
    _Atomic uint32_t references;
    struct blob_id blob; /* of the file it was read from, and which document of it */
    uint32_t index;
    struct catalog catalog; /* of nothing else */
    const struct rollout_state *state;
};

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
static uint64_t key_of(const struct inventory *inventory, enum kind kind)
{
    const struct entries *entries = &inventory->kinds[kind];
    uint64_t key = 0;
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = entries->items[i];
        uint64_t hash = mix_version(entry->hash, entry->in_force);
        if (entry->edit)
            hash = mix(hash, &entry->edit->seq, sizeof entry->edit->seq);
        key += kind == KIND_ROLLOUT_STATE ? mix_version(hash, entry->wanted) : hash;
    }
    return key;
}

/* Of a flag nothing but its `watch` asks for metrics. */
static bool is_watched(const struct entry *flag)
{
    for (uint32_t i = 0; i < flag->reference_count; i++) {
        if (flag->references[i].entry->kind == KIND_METRIC)
            return true;
    }
    return false;
}

static uint64_t key_of_watched(const struct inventory *inventory)
{
    const struct entries *flags = &inventory->kinds[KIND_FLAG];
    uint64_t key = 0;
    for (size_t i = 0; i < flags->count; i++) {
        if (is_watched(flags->items[i]))
            key += mix_version(flags->items[i]->hash, flags->items[i]->in_force);
    }
    return key;
}

static uint64_t key_of_definitions(const struct inventory *inventory)
{
    return key_of_watched(inventory) + key_of(inventory, KIND_ROLLOUT) +
           key_of(inventory, KIND_PHASE_PLAN) + key_of(inventory, KIND_METRIC);
}

/* --- one rollout ----------------------------------------------------------------------------- */

static bool name_it(struct arena *arena, struct roster_rollout *item)
{
    const struct rollout *rollout = item->rollout;
    struct text name;
    char text[2 * STATE_NAME_MOST + 32];
    snprintf(text, sizeof text, "state/%s/%s.yaml", rollout->environment.text.data,
             rollout->name.text.data);
    if (!arena_copy(arena, text_of(text), &name))
        return false;
    item->path = name.data;
    snprintf(text, sizeof text, "%s/%s", rollout->environment.text.data, rollout->name.text.data);
    if (!arena_copy(arena, text_of(text), &name))
        return false;
    item->name = name.data;
    return true;
}

/* A time zone that this machine does not know stops growth, and nothing else. */
static void make_calendar(struct roster_definitions *definitions, struct roster_rollout *item)
{
    const struct calendar_definition *definition = &item->rollout->calendar;
    struct error error = {0};
    enum status status = STATUS_OK;
    if (definition->timezone.length)
        status = zone_files_find(&definitions->zones, definition->timezone, &item->zone, &error);
    if (status == STATUS_OK && (definition->window_count || definition->freeze_count))
        status = calendar_new(definition->windows, definition->window_count, definition->freezes,
                              definition->freeze_count, item->zone, &item->calendar, &error);
    if (status != STATUS_OK)
        snprintf(item->calendar_fault, sizeof item->calendar_fault, "%.150s", error.message);
}

static enum status define(struct roster_definitions *definitions, const struct rollout *rollout,
                          struct roster_rollout *item)
{
    struct arena *arena = &definitions->arena;
    struct rollout_state *state = ARENA_NEW(arena, struct rollout_state);
    item->rollout = rollout;
    item->phases = catalog_phases(&definitions->catalog, rollout);
    item->state = state;
    if (!state || !name_it(arena, item) || walk_initial(rollout, arena, state) != STATUS_OK)
        return STATUS_NO_MEMORY;
    make_calendar(definitions, item);
    return STATUS_OK;
}

/* --- definitions ----------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct roster_rollout *x = a, *y = b;
    return text_compare(text_of(x->name), text_of(y->name));
}

static enum status define_all(struct roster_definitions *definitions)
{
    size_t count = definitions->catalog.rollout_count;
    definitions->items = ARENA_ARRAY(&definitions->arena, struct roster_rollout, count + 1);
    if (!definitions->items)
        return STATUS_NO_MEMORY;
    for (; definitions->count < count; definitions->count++) {
        enum status status = define(definitions, definitions->catalog.rollouts[definitions->count],
                                    &definitions->items[definitions->count]);
        if (status != STATUS_OK)
            return status;
    }
    if (count)
        qsort(definitions->items, count, sizeof *definitions->items, by_name);
    return STATUS_OK;
}

/* The rollouts, and all that they walk by; and flags that are watched. */
static enum status read_definitions(struct roster_definitions *definitions,
                                    const struct inventory *inventory,
                                    const struct schema_set *schemas, struct file_reader reader,
                                    struct error *error)
{
    const struct entries *rollouts = &inventory->kinds[KIND_ROLLOUT],
                         *metrics = &inventory->kinds[KIND_METRIC],
                         *flags = &inventory->kinds[KIND_FLAG];
    const struct entry **entries =
        calloc(rollouts->count + metrics->count + flags->count + 1, sizeof *entries);
    size_t count = 0;
    if (!entries)
        return error_set(error, STATUS_NO_MEMORY, "no memory for rollouts");
    /* Plans that nobody walks by are not read. A state's plan names metrics of its own, perhaps
     * ones that no definition names any more. */
    for (size_t i = 0; i < rollouts->count; i++)
        entries[count++] = rollouts->items[i];
    for (size_t i = 0; i < metrics->count && rollouts->count; i++)
        entries[count++] = metrics->items[i];
    for (size_t i = 0; i < flags->count; i++) {
        if (is_watched(flags->items[i]))
            entries[count++] = flags->items[i];
    }
    const struct excerpt_task task = {.inventory = inventory,
                                      .schemas = schemas,
                                      .reader = reader,
                                      .entries = entries,
                                      .count = count,
                                      .follow = 1U << KIND_PHASE_PLAN | 1U << KIND_METRIC};
    enum status status = excerpt_read(&task, &definitions->catalog, error);
    free(entries);
    return status;
}

static void release_definitions(struct roster_definitions *definitions)
{
    if (!definitions ||
        atomic_fetch_sub_explicit(&definitions->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < definitions->count; i++)
        calendar_free(definitions->items[i].calendar);
    catalog_dispose(&definitions->catalog);
    zone_files_dispose(&definitions->zones);
    arena_dispose(&definitions->arena);
    free(definitions);
}

static enum status make_definitions(const struct inventory *inventory,
                                    const struct schema_set *schemas, struct file_reader reader,
                                    struct roster_definitions **out, struct error *error)
{
    struct roster_definitions *definitions = calloc(1, sizeof *definitions);
    if (!definitions)
        return error_set(error, STATUS_NO_MEMORY, "no memory for rollouts");
    definitions->references = 1;
    definitions->key = key_of_definitions(inventory);
    arena_init(&definitions->arena, 0);
    zone_files_init(&definitions->zones, NULL);
    enum status status = read_definitions(definitions, inventory, schemas, reader, error);
    if (status == STATUS_OK && define_all(definitions) != STATUS_OK)
        status = error_set(error, STATUS_NO_MEMORY, "no memory for rollouts");
    if (status == STATUS_OK)
        *out = definitions;
    else
        release_definitions(definitions);
    return status;
}

static struct roster_definitions *share_definitions(struct roster *previous, uint64_t key)
{
    if (!previous || previous->definitions->key != key)
        return NULL;
    atomic_fetch_add_explicit(&previous->definitions->references, 1, memory_order_relaxed);
    return previous->definitions;
}

/* --- states ---------------------------------------------------------------------------------- */

static void release_state(struct roster_state *state)
{
    if (!state || atomic_fetch_sub_explicit(&state->references, 1, memory_order_acq_rel) != 1)
        return;
    catalog_dispose(&state->catalog);
    free(state);
}

static enum status read_state(const struct entry *entry, const struct inventory *inventory,
                              const struct schema_set *schemas, struct file_reader reader,
                              struct roster_state **out, struct error *error)
{
    const struct excerpt_task task = {.inventory = inventory,
                                      .schemas = schemas,
                                      .reader = reader,
                                      .entries = &entry,
                                      .count = 1,
                                      .is_small = true};
    struct roster_state *state = calloc(1, sizeof *state);
    if (!state)
        return error_set(error, STATUS_NO_MEMORY, "no memory for rollouts");
    state->references = 1;
    state->blob = entry->in_force->source->blob;
    state->index = entry->in_force->index;
    enum status status = excerpt_read(&task, &state->catalog, error);
    if (status != STATUS_OK) {
        release_state(state);
        return status;
    }
    state->state = state->catalog.rollout_states[0];
    *out = state;
    return STATUS_OK;
}

/* The one that the roster before had of the same rollout, when it is of the same bytes; else NULL.
 */
static struct roster_state *share_state(const struct roster *previous, const char *name,
                                        const struct version *version)
{
    const struct roster_rollout *item = previous ? roster_find(previous, text_of(name)) : NULL;
    struct roster_state *state = item ? previous->states[item - previous->items] : NULL;
    if (!state || state->index != version->index ||
        memcmp(state->blob.bytes, version->source->blob.bytes, sizeof state->blob.bytes) != 0 ||
        !text_equal(state->state->name.place.path, version->source->path))
        return NULL;
    atomic_fetch_add_explicit(&state->references, 1, memory_order_relaxed);
    return state;
}

/* What stands at the commit, beside what counts. */
static void look_at_file(const struct inventory *inventory, const struct entry *entry,
                         struct roster_rollout *item)
{
    const struct source_file *source = inventory_source(inventory, text_of(item->path));
    const struct version *wanted = entry ? entry->wanted : NULL;
    bool is_whole = wanted && wanted->whole;
    item->unreadable = source && !is_whole;
    item->foreign_edit = entry && entry->in_force && wanted != entry->in_force && !item->unreadable;
}

/* `state` as weir goes on from it: what it writes next has a seq that none of its files had. */
static enum status stand(struct arena *arena, const struct rollout_state *state, uint32_t seq,
                         struct roster_rollout *item)
{
    if (state->seq != seq) {
        struct rollout_state *copy = ARENA_NEW(arena, struct rollout_state);
        if (!copy)
            return STATUS_NO_MEMORY;
        *copy = *state;
        copy->seq = seq;
        state = copy;
    }
    item->state = state;
    return STATUS_OK;
}

/* Where it stands by its file. One of another identity is not this rollout's. */
static enum status take_file(struct roster *roster, const struct entry *entry,
                             const struct roster_state *file, struct roster_rollout *item)
{
    uint32_t seq = entry->edit ? entry->edit->seq : file->state->seq;
    const struct rollout_state *found = catalog_rollout_state(&file->catalog, item->rollout);
    item->has_file = found != NULL;
    return stand(&roster->arena, found ? found : item->state, seq, item);
}

/* --- all of them ----------------------------------------------------------------------------- */

static enum status stand_all(struct roster *roster, const struct inventory *inventory,
                             const struct schema_set *schemas, struct file_reader reader,
                             const struct roster *previous, struct error *error)
{
    const struct roster_definitions *definitions = roster->definitions;
    enum status status = STATUS_OK;
    roster->items = ARENA_ARRAY(&roster->arena, struct roster_rollout, definitions->count + 1);
    roster->states = ARENA_ARRAY(&roster->arena, struct roster_state *, definitions->count + 1);
    if (!roster->items || !roster->states)
        return error_set(error, STATUS_NO_MEMORY, "no memory for rollouts");
    for (; roster->count < definitions->count && status == STATUS_OK; roster->count++) {
        struct roster_rollout *item = &roster->items[roster->count];
        *item = definitions->items[roster->count];
        const struct entry *entry =
            inventory_find(inventory, KIND_ROLLOUT_STATE, text_of(item->name));
        struct roster_state **state = &roster->states[roster->count];
        look_at_file(inventory, entry, item);
        if (!entry || !entry->in_force)
            continue;
        *state = share_state(previous, item->name, entry->in_force);
        if (!*state)
            status = read_state(entry, inventory, schemas, reader, state, error);
        if (status == STATUS_OK && take_file(roster, entry, *state, item) != STATUS_OK)
            status = error_set(error, STATUS_NO_MEMORY, "no memory for rollouts");
    }
    return status;
}

enum status roster_make(const struct inventory *inventory, const struct schema_set *schemas,
                        struct file_reader reader, struct roster *previous, struct roster **out,
                        struct error *error)
{
    uint64_t definitions = key_of_definitions(inventory);
    uint64_t key = definitions + key_of(inventory, KIND_ROLLOUT_STATE);
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
    roster->definitions = share_definitions(previous, definitions);
    enum status status = STATUS_OK;
    if (!roster->definitions)
        status = make_definitions(inventory, schemas, reader, &roster->definitions, error);
    if (status == STATUS_OK)
        status = stand_all(roster, inventory, schemas, reader, previous, error);
    if (status == STATUS_OK)
        *out = roster;
    else
        roster_release(roster);
    return status;
}

enum status roster_join(struct roster *base, const struct roster_rollout *others, size_t count,
                        struct arena *arena, struct roster **out)
{
    struct roster *roster = calloc(1, sizeof *roster);
    struct roster_rollout *items =
        roster ? ARENA_ARRAY(arena, struct roster_rollout, base->count + count + 1) : NULL;
    size_t of_base = 0, of_others = 0;
    *out = NULL;
    if (!items) {
        free(roster);
        arena_dispose(arena);
        return STATUS_NO_MEMORY;
    }
    *roster = (struct roster){.references = 1,
                              .definitions = base->definitions,
                              .arena = *arena,
                              .items = items,
                              .key = base->key,
                              .base = roster_reference(base)};
    atomic_fetch_add_explicit(&base->definitions->references, 1, memory_order_relaxed);
    while (of_base < base->count || of_others < count) {
        int order = of_others == count ? -1
                    : of_base < base->count
                        ? strcmp(base->items[of_base].name, others[of_others].name)
                        : 1;
        items[roster->count++] = order < 0 ? base->items[of_base] : others[of_others];
        of_base += order <= 0;
        of_others += order >= 0;
    }
    *out = roster;
    return STATUS_OK;
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
    for (size_t i = 0; i < roster->count && roster->states; i++)
        release_state(roster->states[i]);
    release_definitions(roster->definitions);
    arena_dispose(&roster->arena);
    roster_release(roster->base);
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

const struct catalog *roster_catalog(const struct roster *roster)
{
    return &roster->definitions->catalog;
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
    return catalog_metric(&roster->definitions->catalog, name);
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
