/* Flags that are pinned to what they were: which those are, and how they become so. */
#include <stdlib.h>

#include "../rules/codes.h"
#include "../rules/excerpt.h"
#include "effective.h"
#include "effective_fragment.h"

/* --- which pins ------------------------------------------------------------------------------ */

void effective_pins_release(struct effective_pins *pins)
{
    if (!pins || --pins->references > 0)
        return;
    catalog_dispose(&pins->catalog);
    free(pins->items);
    free(pins);
}

const struct flag_pin *effective_pins_find(const struct effective_pins *pins, struct text name)
{
    size_t low = 0, high = pins ? pins->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = text_compare(pins->items[middle].pin->name.text, name);
        if (order == 0)
            return pins->items[middle].pin;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    return text_compare((*(const struct entry *const *)a)->name,
                        (*(const struct entry *const *)b)->name);
}

/* Those in force, sorted; the caller frees the list. NULL without memory. */
static const struct entry **list_entries(const struct inventory *inventory, size_t *count)
{
    const struct entries *all = &inventory->kinds[KIND_FLAG_PIN];
    const struct entry **entries = calloc(all->count + 1, sizeof *entries);
    *count = 0;
    for (size_t i = 0; i < all->count && entries; i++) {
        if (all->items[i]->in_force)
            entries[(*count)++] = all->items[i];
    }
    if (*count)
        qsort(entries, *count, sizeof *entries, by_name);
    return entries;
}

/* What a hand made stands with a seq of its own. */
static uint32_t seq_of(const struct entry *entry, const struct flag_pin *pin)
{
    return entry->edit ? entry->edit->seq : pin->seq;
}

static bool are_same(const struct effective_pins *pins, const struct entry *const *entries,
                     size_t count)
{
    bool same = (pins ? pins->count : 0) == count;
    for (size_t i = 0; i < count && same; i++)
        same = text_equal(pins->items[i].pin->name.text, entries[i]->name) &&
               memcmp(&pins->items[i].blob, &entries[i]->in_force->source->blob,
                      sizeof pins->items[i].blob) == 0 &&
               pins->items[i].is_edit == (entries[i]->edit != NULL) &&
               pins->items[i].pin->seq == seq_of(entries[i], pins->items[i].pin);
    return same;
}

static enum status read_pins(struct effective *effective, const struct entry *const *entries,
                             size_t count, struct effective_pins **out, struct error *error)
{
    const struct excerpt_task task = {.inventory = &effective->inventory,
                                      .schemas = effective->parts.schemas,
                                      .reader = mirror_reader(effective->parts.mirror),
                                      .entries = entries,
                                      .count = count};
    struct effective_pins *pins = calloc(1, sizeof *pins);
    struct effective_pin *items = calloc(count + 1, sizeof *items);
    if (!pins || !items) {
        free(pins);
        free(items);
        return error_set(error, STATUS_NO_MEMORY, "no memory for pins");
    }
    pins->references = 1;
    pins->items = items;
    enum status status = excerpt_read(&task, &pins->catalog, error);
    if (status == STATUS_OK && pins->catalog.flag_pin_count != count)
        status = error_set(error, STATUS_SYSTEM, "the commit's pins cannot be read again");
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct flag_pin *pin = pins->catalog.flag_pins[i];
        pin->seq = seq_of(entries[i], pin);
        items[pins->count++] = (struct effective_pin){.pin = pin,
                                                      .blob = entries[i]->in_force->source->blob,
                                                      .is_edit = entries[i]->edit != NULL};
    }
    if (status == STATUS_OK)
        *out = pins;
    else
        effective_pins_release(pins);
    return status;
}

enum status effective_pins_refresh(struct effective *effective, struct error *error)
{
    size_t count;
    const struct entry **entries = list_entries(&effective->inventory, &count);
    struct effective_pins *pins = NULL;
    enum status status = STATUS_OK;
    if (!entries)
        return error_set(error, STATUS_NO_MEMORY, "no memory for pins");
    if (!are_same(effective->pins, entries, count)) {
        if (count)
            status = read_pins(effective, entries, count, &pins, error);
        if (status == STATUS_OK) {
            effective_pins_release(effective->pins);
            effective->pins = pins;
        }
    }
    free(entries);
    return status;
}

/* --- grafting -------------------------------------------------------------------------------- */

/* The grafts of one environment, on their way. */
struct grafting {
    struct effective *effective;
    struct text environment;
    struct document_graft *grafts; /* sorted by key, as the pins are */
    struct buffer *texts;          /* their JSON */
    size_t count;
    struct buffer key; /* which flags, as of what */
};

static void tell(struct effective *effective, const struct flag_pin *pin, const char *hint,
                 const char *why)
{
    diagnostics_add(&effective->result.diagnostics, CODE_PIN_COMMIT, pin->name.place, hint,
                    "flag \"%.64s\" is pinned in \"%.64s\" to commit %.12s, which %s",
                    pin->flag.data, pin->environment.data, pin->as_of.data, why);
}

static bool concerns(const struct grafting *grafting, const struct flag_pin *pin)
{
    return pin->as_of.length && !pin->is_killed &&
           text_equal(pin->environment, grafting->environment);
}

/* What was found becomes a graft; a pin that cannot count is only told. */
static enum status take_graft(struct grafting *grafting, const struct flag_pin *pin,
                              const char *key, bool found, enum status status)
{
    struct buffer *text = &grafting->texts[grafting->count];
    if (status == STATUS_LIMIT)
        tell(grafting->effective, pin, "unpin the flag: it is served as its definition says",
             "is one of too many pins that lead to each other");
    if (status != STATUS_OK) {
        buffer_dispose(text);
        return status == STATUS_LIMIT ? STATUS_OK : status;
    }
    struct document_graft *graft = &grafting->grafts[grafting->count++];
    *graft = (struct document_graft){.key = pin->flag};
    if (found)
        graft->json = buffer_text(text);
    buffer_append_string(&grafting->key, key);
    buffer_append_char(&grafting->key, '\n');
    return STATUS_OK;
}

static enum status add_graft(struct grafting *grafting, const struct flag_pin *pin,
                             struct error *error)
{
    struct effective *effective = grafting->effective;
    struct effective_wanted wanted;
    bool counts, found = false;
    enum status status = effective_pin_counts(effective, pin, &counts, error);
    if (status == STATUS_OK && !counts)
        tell(effective, pin, "unpin the flag: it is served as its definition says",
             "is not in the history of this one");
    if (status != STATUS_OK || !counts)
        return status;
    struct buffer *text = &grafting->texts[grafting->count];
    buffer_init(text, 0);
    status = effective_wanted_init(effective, pin, &wanted, error);
    if (status == STATUS_OK)
        status = effective_fragment_find(effective, &wanted, text, &found, error);
    status = take_graft(grafting, pin, wanted.key, found, status);
    effective_wanted_dispose(&wanted);
    return status;
}

/* The same as before, or made anew. */
static enum status graft(const struct grafting *grafting, const struct effective_document *before,
                         struct effective_document *item, struct error *error)
{
    const char *key = buffer_string((struct buffer *)(uintptr_t)&grafting->key);
    struct document *made = NULL;
    if (!key)
        return error_set(error, STATUS_NO_MEMORY, "no memory for pins");
    if (before && before->base == item->base && before->grafts &&
        strcmp(before->grafts, key) == 0) {
        made = document_reference(before->document);
    } else {
        enum status status =
            document_graft(item->base, grafting->grafts, grafting->count, &made, error);
        if (status != STATUS_OK)
            return status;
    }
    document_release(item->document);
    item->document = made;
    item->grafts = strdup(key);
    return item->grafts ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "no memory for pins");
}

enum status effective_pins_graft(struct effective *effective,
                                 const struct effective_document *before,
                                 struct effective_document *item, struct error *error)
{
    const struct effective_pins *pins = effective->pins;
    struct grafting grafting = {.effective = effective, .environment = text_of(item->environment)};
    enum status status = STATUS_OK;
    if (!pins || effective->is_plain)
        return STATUS_OK;
    grafting.grafts = calloc(pins->count + 1, sizeof *grafting.grafts);
    grafting.texts = calloc(pins->count + 1, sizeof *grafting.texts);
    buffer_init(&grafting.key, 0);
    bool has_room = grafting.grafts && grafting.texts;
    if (!has_room)
        status = error_set(error, STATUS_NO_MEMORY, "no memory for pins");
    for (size_t i = 0; has_room && i < pins->count && status == STATUS_OK; i++) {
        if (concerns(&grafting, pins->items[i].pin))
            status = add_graft(&grafting, pins->items[i].pin, error);
    }
    if (status == STATUS_OK && grafting.count)
        status = graft(&grafting, before, item, error);
    for (size_t i = 0; i < grafting.count; i++)
        buffer_dispose(&grafting.texts[i]);
    buffer_dispose(&grafting.key);
    free(grafting.texts);
    free(grafting.grafts);
    return status;
}
