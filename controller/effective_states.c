/* Where rollouts stand, and which flags are killed, beside definitions that are held back. */
#include <stdlib.h>

#include "effective.h"

void effective_states_dispose(struct effective_states *states)
{
    for (size_t i = 0; i < states->count; i++)
        free(states->items[i].name);
    free(states->items);
    *states = (struct effective_states){0};
}

bool effective_states_keep(const struct inventory *inventory, struct effective_states *out)
{
    const struct entries *entries = &inventory->kinds[KIND_ROLLOUT_STATE];
    effective_states_dispose(out);
    out->items = calloc(entries->count + 1, sizeof *out->items);
    for (size_t i = 0; i < entries->count && out->items; i++) {
        const struct entry *entry = entries->items[i];
        if (!entry->in_force)
            continue;
        struct effective_state *state = &out->items[out->count];
        state->name = strdup(entry->name.data);
        if (!state->name)
            return false;
        state->blob = entry->in_force->source->blob;
        out->count++;
    }
    return out->items != NULL;
}

static bool stands_there(const struct effective_states *then, const struct entry *entry)
{
    for (size_t i = 0; i < then->count; i++) {
        if (text_is(entry->name, then->items[i].name))
            return memcmp(&then->items[i].blob, &entry->in_force->source->blob,
                          sizeof then->items[i].blob) == 0;
    }
    return false;
}

static const struct entry *reference_of(const struct entry *entry, enum kind kind)
{
    for (uint32_t i = 0; i < entry->reference_count; i++) {
        if (entry->references[i].entry->kind == kind)
            return entry->references[i].entry;
    }
    return NULL;
}

/* Its flag, when it is one of this environment and stands elsewhere now; else NULL. */
static const struct entry *moved_flag(const struct entry *state, struct text environment,
                                      const struct effective_states *then)
{
    if (!state->in_force || !text_starts_with(state->name, environment) ||
        state->name.data[environment.length] != '/' || stands_there(then, state))
        return NULL;
    const struct entry *rollout = reference_of(state, KIND_ROLLOUT);
    return rollout && rollout->in_force ? reference_of(rollout, KIND_FLAG) : NULL;
}

static int by_key(const void *a, const void *b)
{
    return text_compare(((const struct document_graft *)a)->key,
                        ((const struct document_graft *)b)->key);
}

/* The flags of an environment that are killed by `now` (or NULL) and were not by `then` (or NULL),
 * or not by the same control. */
static size_t list_killed(const struct effective_pins *now, const struct effective_pins *then,
                          struct text environment, struct document_graft *grafts, size_t found)
{
    for (size_t i = 0; now && i < now->count; i++) {
        const struct flag_pin *pin = now->items[i].pin,
                              *other = effective_pins_find(then, pin->name.text);
        bool was_killed = other && other->is_killed && text_equal(other->control, pin->control);
        if (pin->is_killed && !was_killed && text_equal(pin->environment, environment))
            grafts[found++].key = pin->flag;
    }
    return found;
}

static size_t pins_count(const struct effective_pins *pins)
{
    return pins ? pins->count : 0;
}

/* How many flags may have moved. */
static size_t most_moved(const struct effective *effective)
{
    return effective->inventory.kinds[KIND_ROLLOUT_STATE].count + pins_count(effective->pins) +
           pins_count(effective->whole_pins);
}

/* The flags as they are made now, each once; their JSON is in `texts`, which the caller frees. */
static enum status list_moved(const struct effective *effective,
                              const struct inventory_document *made, struct document_graft *grafts,
                              struct buffer *texts, size_t *count)
{
    const struct entries *entries = &effective->inventory.kinds[KIND_ROLLOUT_STATE];
    const struct effective_pins *now = effective->pins, *then = effective->whole_pins;
    struct text environment = text_of(made->environment);
    size_t found = 0, kept = 0;
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *flag =
            moved_flag(entries->items[i], environment, &effective->whole_states);
        if (flag)
            grafts[found++].key = flag->name;
    }
    found = list_killed(now, then, environment, grafts, found);
    found = list_killed(then, now, environment, grafts, found); /* and the other way round */
    if (found)
        qsort(grafts, found, sizeof *grafts, by_key);
    for (size_t i = 0; i < found; i++) {
        if (kept && text_equal(grafts[kept - 1].key, grafts[i].key))
            continue;
        const struct fragment *fragment = document_find(made->document, grafts[i].key);
        buffer_init(&texts[kept], 0);
        grafts[kept].key = grafts[i].key;
        if (fragment)
            fragment_append_json(fragment, &texts[kept]);
        grafts[kept].json = buffer_text(&texts[kept]);
        enum status failed = texts[kept++].failed;
        *count = kept;
        if (failed)
            return failed;
    }
    *count = kept;
    return STATUS_OK;
}

enum status effective_states_apply(const struct effective *effective,
                                   const struct inventory_document *made, struct document *held,
                                   struct document **out, struct error *error)
{
    size_t most = most_moved(effective), count = 0;
    struct document_graft *grafts = calloc(most + 1, sizeof *grafts);
    struct buffer *texts = calloc(most + 1, sizeof *texts);
    enum status status = grafts && texts ? STATUS_OK : STATUS_NO_MEMORY;
    *out = NULL;
    if (status == STATUS_OK)
        status = list_moved(effective, made, grafts, texts, &count);
    if (status == STATUS_OK && count)
        status = document_graft(held, grafts, count, out, error);
    else if (status == STATUS_OK)
        *out = document_reference(held);
    else
        error_set(error, status, "no memory for documents");
    for (size_t i = 0; i < count; i++)
        buffer_dispose(&texts[i]);
    free(texts);
    free(grafts);
    return status;
}
