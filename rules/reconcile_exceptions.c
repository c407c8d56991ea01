/* What of an inventory its commit alone does not tell, so that it need not be found out again. */
#include <stdlib.h>

#include "reconcile.h"

static int by_kind_and_name(const void *a, const void *b)
{
    const struct exception *x = a, *y = b;
    if (x->kind != y->kind)
        return (x->kind > y->kind) - (x->kind < y->kind);
    int order = text_compare(x->name, y->name);
    return order ? order : (x->edit.seq > 0) - (y->edit.seq > 0);
}

static size_t count_edits(const struct entries *entries)
{
    size_t count = 0;
    for (size_t i = 0; i < entries->count; i++)
        count += entries->items[i]->edit != NULL;
    return count;
}

static bool add_stand(const struct entry *entry, struct arena *arena, struct exception *out)
{
    *out = (struct exception){.kind = entry->kind};
    if (!arena_copy(arena, entry->name, &out->name))
        return false;
    if (!entry->in_force)
        return true;
    out->blob = entry->in_force->source->blob;
    out->index = entry->in_force->index;
    return arena_copy(arena, entry->in_force->source->path, &out->path);
}

static bool add_edits(const struct entries *entries, struct arena *arena, struct exception *list,
                      size_t *count)
{
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = entries->items[i];
        if (!entry->edit)
            continue;
        struct exception *made = &list[(*count)++];
        *made = (struct exception){.kind = entry->kind, .edit = *entry->edit};
        if (!arena_copy(arena, entry->name, &made->name))
            return false;
    }
    return true;
}

enum status reconcile_exceptions(const struct inventory *inventory, struct arena *arena,
                                 struct exception **out, size_t *count)
{
    const struct entries *quarantined = &inventory->quarantined,
                         *states = &inventory->kinds[KIND_ROLLOUT_STATE],
                         *pins = &inventory->kinds[KIND_FLAG_PIN];
    size_t most = quarantined->count + count_edits(states) + count_edits(pins);
    struct exception *list = ARENA_ARRAY(arena, struct exception, most + 1);
    *out = list;
    *count = 0;
    bool good = list != NULL;
    for (size_t i = 0; i < quarantined->count && good; i++)
        good = add_stand(quarantined->items[i], arena, &list[(*count)++]);
    if (!good || !add_edits(states, arena, list, count) || !add_edits(pins, arena, list, count))
        return STATUS_NO_MEMORY;
    if (*count)
        qsort(list, *count, sizeof *list, by_kind_and_name);
    return STATUS_OK;
}
