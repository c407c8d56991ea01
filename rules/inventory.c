#include "inventory.h"

#include <stdlib.h>

#include "diagnostics.h"
#include "hash.h"

/* --- lists ----------------------------------------------------------------------------------- */

bool entries_add(struct entries *entries, struct entry *entry)
{
    if (entries->count == entries->size) {
        size_t size = entries->size ? entries->size * 2 : 16;
        struct entry **items = reallocarray(entries->items, size, sizeof *items);
        if (!items)
            return false;
        entries->items = items;
        entries->size = size;
    }
    entries->items[entries->count++] = entry;
    return true;
}

void entries_dispose(struct entries *entries)
{
    free(entries->items);
    *entries = (struct entries){0};
}

/* --- the whole ------------------------------------------------------------------------------- */

void inventory_init(struct inventory *inventory)
{
    *inventory = (struct inventory){0};
}

static void entry_free(struct entry *entry)
{
    free(entry->references);
    free(entry->referrers);
    free(entry->edit);
    free(entry);
}

void inventory_dispose(struct inventory *inventory)
{
    struct source_file *source;
    struct entry *entry;
    for (size_t i = 0; (entry = table_next(&inventory->entries, &i));) {
        if (entry->in_force)
            source_release(entry->in_force->source);
    }
    for (size_t i = 0; (source = table_next(&inventory->sources, &i));)
        source_release(source);
    for (size_t i = 0; (entry = table_next(&inventory->entries, &i));)
        entry_free(entry);
    for (size_t i = 0; i < inventory->document_count; i++) {
        free(inventory->documents[i].environment);
        document_release(inventory->documents[i].document);
    }
    free(inventory->documents);
    for (size_t i = 0; i < KIND_COUNT; i++)
        entries_dispose(&inventory->kinds[i]);
    entries_dispose(&inventory->quarantined);
    table_dispose(&inventory->entries);
    table_dispose(&inventory->sources);
    inventory_init(inventory);
}

const struct inventory_document *inventory_document(const struct inventory *inventory,
                                                    struct text environment)
{
    for (size_t i = 0; i < inventory->document_count; i++) {
        if (text_is(environment, inventory->documents[i].environment))
            return &inventory->documents[i];
    }
    return NULL;
}

/* --- entries --------------------------------------------------------------------------------- */

struct entry_key {
    enum kind kind;
    struct text name;
};

static bool is_entry(const void *item, const void *key)
{
    const struct entry *entry = item;
    const struct entry_key *wanted = key;
    return entry->kind == wanted->kind && text_equal(entry->name, wanted->name);
}

static uint64_t hash_of(enum kind kind, struct text name)
{
    return hash_text_seeded(name, (uint64_t)kind + 1);
}

struct entry *inventory_find(const struct inventory *inventory, enum kind kind, struct text name)
{
    const struct entry_key key = {kind, name};
    return table_find(&inventory->entries, hash_of(kind, name), is_entry, &key);
}

struct entry *inventory_entry(struct inventory *inventory, enum kind kind, struct text name)
{
    struct entry *entry = inventory_find(inventory, kind, name);
    if (entry)
        return entry;
    entry = calloc(1, sizeof *entry + name.length + 1);
    if (!entry)
        return NULL;
    char *copy = (char *)(entry + 1);
    if (name.length)
        memcpy(copy, name.data, name.length);
    entry->hash = hash_of(kind, name);
    entry->kind = kind;
    entry->name = (struct text){copy, name.length};
    entry->place = inventory->kinds[kind].count;
    if (!entries_add(&inventory->kinds[kind], entry)) {
        free(entry);
        return NULL;
    }
    if (!table_add(&inventory->entries, entry)) {
        inventory->kinds[kind].count--;
        free(entry);
        return NULL;
    }
    return entry;
}

void inventory_forget(struct inventory *inventory, struct entry *entry)
{
    struct entries *kind = &inventory->kinds[entry->kind];
    if (entry->wanted || entry->in_force || entry->referrer_count || entry->work)
        return;
    kind->items[entry->place] = kind->items[--kind->count];
    kind->items[entry->place]->place = entry->place;
    table_remove(&inventory->entries, entry);
    entry_free(entry);
}

bool inventory_set_edit(struct entry *entry, const struct edit *edit)
{
    if (!edit) {
        free(entry->edit);
        entry->edit = NULL;
        return true;
    }
    if (!entry->edit)
        entry->edit = malloc(sizeof *entry->edit);
    if (entry->edit)
        *entry->edit = *edit;
    return entry->edit != NULL;
}

/* --- sources --------------------------------------------------------------------------------- */

struct source_file *source_new(struct text path, const struct blob_id *blob)
{
    struct source_file *source = calloc(1, sizeof *source + path.length + 1);
    if (!source)
        return NULL;
    char *copy = (char *)(source + 1);
    if (path.length)
        memcpy(copy, path.data, path.length);
    source->hash = hash_text(path);
    source->references = 1;
    source->blob = *blob;
    source->path = (struct text){copy, path.length};
    return source;
}

void source_release(struct source_file *source)
{
    if (!source || --source->references > 0)
        return;
    if (source->faults)
        diagnostics_dispose(source->faults);
    free(source->faults);
    free(source->versions);
    free(source);
}

static bool is_source(const void *item, const void *key)
{
    const struct source_file *source = item;
    return text_equal(source->path, *(const struct text *)key);
}

struct source_file *inventory_source(const struct inventory *inventory, struct text path)
{
    return table_find(&inventory->sources, hash_text(path), is_source, &path);
}

/* What it adds to the counts of the whole, or takes from them. */
static void count_source(struct inventory *inventory, const struct source_file *source, bool more)
{
    size_t one = more ? 1 : (size_t)-1;
    inventory->unidentified += source->unidentified ? one : 0;
    inventory->unreadable += source->unreadable ? one : 0;
    inventory->files += source->is_read ? one : 0;
    inventory->bytes += source->is_read ? one * (source->size + source->path.length) : 0;
    inventory->looked += one * source->size;
}

bool inventory_add(struct inventory *inventory, struct source_file *source)
{
    if (!table_add(&inventory->sources, source)) {
        source_release(source);
        return false;
    }
    count_source(inventory, source, true);
    if (source->faults) {
        source->troubled_after = inventory->troubled;
        if (inventory->troubled)
            inventory->troubled->troubled_before = source;
        inventory->troubled = source;
    }
    for (uint32_t i = 0; i < source->version_count; i++) {
        struct version *version = &source->versions[i];
        version->next = version->entry->wanted;
        version->link = &version->entry->wanted;
        if (version->next)
            version->next->link = &version->next;
        version->entry->wanted = version;
    }
    return true;
}

static void leave_troubled(struct inventory *inventory, struct source_file *source)
{
    if (!source->faults)
        return;
    if (source->troubled_before)
        source->troubled_before->troubled_after = source->troubled_after;
    else
        inventory->troubled = source->troubled_after;
    if (source->troubled_after)
        source->troubled_after->troubled_before = source->troubled_before;
    source->troubled_before = source->troubled_after = NULL;
}

bool inventory_remove(struct inventory *inventory, struct source_file *source,
                      struct entries *touched)
{
    bool good = true;
    table_remove(&inventory->sources, source);
    count_source(inventory, source, false);
    leave_troubled(inventory, source);
    for (uint32_t i = 0; i < source->version_count; i++) {
        struct version *version = &source->versions[i];
        *version->link = version->next;
        if (version->next)
            version->next->link = version->link;
        version->next = NULL;
        version->link = NULL;
        good = good && (!touched || entries_add(touched, version->entry));
    }
    source_release(source);
    return good;
}

/* --- asking ---------------------------------------------------------------------------------- */

void inventory_begin_asking(struct inventory *inventory)
{
    struct entry *entry;
    if (++inventory->asking)
        return;
    /* Numbers begin again: marks of those that were given before mean nothing. */
    for (size_t i = 0; (entry = table_next(&inventory->entries, &i));)
        entry->asked = 0;
    inventory->asking = 1;
}

/* --- in force -------------------------------------------------------------------------------- */

static bool add_referrer(struct entry *entry, struct entry *referrer, uint32_t place, uint32_t *out)
{
    if (entry->referrer_count == entry->referrer_size) {
        uint32_t size = entry->referrer_size ? entry->referrer_size * 2 : 2;
        struct reference *referrers = reallocarray(entry->referrers, size, sizeof *referrers);
        if (!referrers)
            return false;
        entry->referrers = referrers;
        entry->referrer_size = size;
    }
    *out = entry->referrer_count;
    entry->referrers[entry->referrer_count++] = (struct reference){referrer, place};
    return true;
}

/* The last one takes its place. */
static void remove_referrer(struct entry *entry, uint32_t place)
{
    struct reference last = entry->referrers[--entry->referrer_count];
    entry->referrers[place] = last;
    last.entry->references[last.place].place = place;
}

static void let_go(struct entry *entry)
{
    for (uint32_t i = 0; i < entry->reference_count; i++)
        remove_referrer(entry->references[i].entry, entry->references[i].place);
    free(entry->references);
    entry->references = NULL;
    entry->reference_count = 0;
}

static bool are_same(const struct entry *entry, struct entry *const *references, size_t count)
{
    bool same = entry->reference_count == count;
    for (size_t i = 0; i < count && same; i++)
        same = entry->references[i].entry == references[i];
    return same;
}

/* Most versions of a definition ask for the same as the one before. */
static bool change_references(struct entry *entry, struct entry *const *references, size_t count)
{
    if (are_same(entry, references, count))
        return true;
    let_go(entry);
    entry->references = count ? calloc(count, sizeof *entry->references) : NULL;
    if (count && !entry->references)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        entry->references[i].entry = references[i];
        if (!add_referrer(references[i], entry, i, &entry->references[i].place))
            return false;
        entry->reference_count++;
    }
    return true;
}

bool inventory_put_in_force(struct entry *entry, struct version *version,
                            struct entry *const *references, size_t count)
{
    if (!change_references(entry, references, count))
        return false;
    if (version)
        version->source->references++;
    if (entry->in_force)
        source_release(entry->in_force->source);
    entry->in_force = version;
    return true;
}

void inventory_exchange(struct entry *entry, struct version *version)
{
    version->source->references++;
    version->leans = entry->in_force->leans;
    source_release(entry->in_force->source);
    entry->in_force = version;
}
