#include "preview.h"

#include <stdlib.h>

#include "../../rules/compile.h"
#include "../../rules/excerpt.h"

/* The states of the flag's rollouts as they count in the preview: one more stands elsewhere. */
static enum status put_state(struct catalog *catalog, const struct preview_stand *stand)
{
    struct text name = text_of(stand->item->name);
    size_t count = catalog->rollout_state_count;
    struct rollout_state **states = ARENA_ARRAY(&catalog->arena, struct rollout_state *, count + 1);
    if (!states)
        return STATUS_NO_MEMORY;
    size_t at = catalog_index(catalog->rollout_states, count, name);
    bool is_there = at < count;
    if (!is_there)
        for (at = 0; at < count && text_compare(catalog->rollout_states[at]->name.text, name) < 0;)
            at++;
    for (size_t i = 0; i < at; i++)
        states[i] = catalog->rollout_states[i];
    states[at] = ARENA_NEW(&catalog->arena, struct rollout_state);
    if (!states[at])
        return STATUS_NO_MEMORY;
    *states[at] = *stand->state;
    states[at]->name.text = name;
    for (size_t i = at + is_there; i < count; i++)
        states[i + !is_there] = catalog->rollout_states[i];
    catalog->rollout_states = states;
    catalog->rollout_state_count = count + !is_there;
    return STATUS_OK;
}

static enum status put_states(struct catalog *catalog, const struct preview_task *task)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < task->stand_count && status == STATUS_OK; i++)
        status = put_state(catalog, &task->stands[i]);
    return status;
}

/* The one pin that counts. */
static enum status put_pin(struct catalog *catalog, const struct preview_task *task)
{
    char name[2 * (STATE_NAME_MOST + 1)];
    struct flag_pin **pins = ARENA_ARRAY(&catalog->arena, struct flag_pin *, 1);
    struct flag_pin *pin = ARENA_NEW(&catalog->arena, struct flag_pin);
    snprintf(name, sizeof name, "%.*s/%.*s", (int)task->pin->environment.length,
             task->pin->environment.data, (int)task->pin->flag.length, task->pin->flag.data);
    if (!pins || !pin)
        return STATUS_NO_MEMORY;
    *pin = *task->pin;
    if (!arena_copy(&catalog->arena, text_of(name), &pin->name.text))
        return STATUS_NO_MEMORY;
    pins[0] = pin;
    catalog->flag_pins = pins;
    catalog->flag_pin_count = 1;
    return STATUS_OK;
}

/* The flag, its pin, its rollouts in this environment, and where they stand. */
static size_t list_entries(const struct preview_task *task, const struct entry **entries)
{
    struct text environment = task->environment, flag = task->flag;
    size_t count = 0;
    char pin[2 * (STATE_NAME_MOST + 1)];
    snprintf(pin, sizeof pin, "%.63s/%.63s", environment.data, flag.data);
    entries[count++] = inventory_find(task->inventory, KIND_FLAG, flag);
    entries[count++] = inventory_find(task->inventory, KIND_FLAG_PIN, text_of(pin));
    entries[count++] = inventory_find(task->inventory, KIND_ENVIRONMENT, environment);
    for (size_t i = 0; i < task->roster->count; i++) {
        const struct roster_rollout *item = &task->roster->items[i];
        if (!text_equal(item->rollout->flag.text, flag))
            continue;
        entries[count++] = inventory_find(task->inventory, KIND_ROLLOUT, item->rollout->name.text);
        entries[count++] = inventory_find(task->inventory, KIND_ROLLOUT_STATE, text_of(item->name));
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i])
            entries[kept++] = entries[i];
    }
    return kept;
}

static enum status read_catalog(const struct preview_task *task, struct catalog *catalog,
                                struct error *error)
{
    const struct entry **entries = calloc(2 * task->roster->count + 3, sizeof *entries);
    *catalog = (struct catalog){0};
    if (!entries)
        return error_set(error, STATUS_NO_MEMORY, "no memory to compile a flag");
    const struct excerpt_task excerpt = {
        .inventory = task->inventory,
        .schemas = task->schemas,
        .reader = task->reader,
        .entries = entries,
        .count = list_entries(task, entries),
        .follow =
            1U << KIND_FLAG | 1U << KIND_SEGMENT | 1U << KIND_PHASE_PLAN | 1U << KIND_ENVIRONMENT,
    };
    enum status status = excerpt_read(&excerpt, catalog, error);
    free(entries);
    return status;
}

enum status preview_flag(const struct preview_task *task, struct buffer *out, struct error *error)
{
    struct text name = task->flag;
    struct diagnostics faults;
    struct catalog catalog;
    diagnostics_init(&faults);
    enum status status = read_catalog(task, &catalog, error);
    if (status == STATUS_OK && (put_states(&catalog, task) != STATUS_OK ||
                                (task->pin && put_pin(&catalog, task) != STATUS_OK)))
        status = error_set(error, STATUS_NO_MEMORY, "no memory to compile a flag");
    const struct flag *flag = status == STATUS_OK ? catalog_flag(&catalog, name) : NULL;
    const struct environment *environment =
        status == STATUS_OK ? catalog_environment(&catalog, task->environment) : NULL;
    if (status == STATUS_OK && (!flag || !environment))
        status = error_set(error, STATUS_INVALID, "flag \"%.100s\" is not in force", name.data);
    if (status == STATUS_OK) {
        compile_flag(&catalog, environment, flag, out, &faults);
        if (out->failed || faults.failed)
            status = error_set(error, STATUS_NO_MEMORY, "no memory to compile a flag");
        else if (faults.errors)
            status = error_set(error, STATUS_INVALID, "flag \"%.60s\": %.160s", name.data,
                               faults.items[0].message.data);
    }
    catalog_dispose(&catalog);
    diagnostics_dispose(&faults);
    return status;
}
