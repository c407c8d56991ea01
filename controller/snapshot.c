#include "snapshot.h"

#include "rollout/override.h"

/* --- generations ----------------------------------------------------------------------------- */

void generation_format(struct generation generation, char out[GENERATION_TEXT_SIZE])
{
    snprintf(out, GENERATION_TEXT_SIZE, "%08x%08x%08x%08x", (unsigned)generation.epoch,
             (unsigned)generation.level, (unsigned)generation.overlay,
             (unsigned)generation.members);
}

/* Lower case only: generations are compared as bytes, so each must have one spelling. */
static bool parse_part(const char *digits, uint32_t *out)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        char c = digits[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint32_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = value;
    return true;
}

bool generation_parse(struct text text, struct generation *out)
{
    struct generation generation;
    if (text.length != GENERATION_TEXT_SIZE - 1 || !parse_part(text.data, &generation.epoch) ||
        !parse_part(text.data + 8, &generation.level) ||
        !parse_part(text.data + 16, &generation.overlay) ||
        !parse_part(text.data + 24, &generation.members))
        return false;
    *out = generation;
    return true;
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

int generation_compare(struct generation a, struct generation b)
{
    int order = compare_numbers(a.epoch, b.epoch);
    if (order == 0)
        order = compare_numbers(a.level, b.level);
    if (order == 0)
        order = compare_numbers(a.overlay, b.overlay);
    if (order == 0)
        order = compare_numbers(a.members, b.members);
    return order;
}

/* --- snapshots ------------------------------------------------------------------------------- */

struct snapshot *snapshot_new(size_t count)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot)
        return NULL;
    atomic_init(&snapshot->references, 1);
    snapshot->environment_count = count;
    if (count) {
        snapshot->environments = calloc(count, sizeof *snapshot->environments);
        if (!snapshot->environments) {
            free(snapshot);
            return NULL;
        }
    }
    return snapshot;
}

enum status snapshot_fill(struct snapshot *snapshot, size_t index, struct text name,
                          struct document *document)
{
    struct snapshot_environment *environment = &snapshot->environments[index];
    environment->document = document;
    size_t size;
    char *copy = size_add(name.length, 1, &size) ? malloc(size) : NULL;
    if (!copy)
        return STATUS_NO_MEMORY;
    if (name.length)
        memcpy(copy, name.data, name.length);
    copy[name.length] = '\0';
    environment->name = (struct text){copy, name.length};
    return STATUS_OK;
}

void snapshot_set_overrides(struct snapshot *snapshot, size_t index, struct override_set *set)
{
    override_set_release(snapshot->environments[index].overrides);
    snapshot->environments[index].overrides = set;
}

struct snapshot *snapshot_reference(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_release(struct snapshot *snapshot)
{
    /* Release, so that this thread's reads come before the free; acquire, so that the last one sees
     * those of all the others behind it. */
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < snapshot->environment_count; i++) {
        free((char *)snapshot->environments[i].name.data);
        if (snapshot->environments[i].document)
            document_release(snapshot->environments[i].document);
        override_set_release(snapshot->environments[i].overrides);
    }
    free(snapshot->environments);
    free(snapshot);
}

const struct snapshot_environment *snapshot_environment(const struct snapshot *snapshot,
                                                        struct text name)
{
    size_t low = 0, high = snapshot->environment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = text_compare(snapshot->environments[middle].name, name);
        if (order == 0)
            return &snapshot->environments[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- the hub --------------------------------------------------------------------------------- */

enum status hub_init(struct hub *hub)
{
    hub->current = NULL;
    hub->listeners = NULL;
    atomic_init(&hub->version, 0);
    return pthread_mutex_init(&hub->lock, NULL) == 0 ? STATUS_OK : STATUS_SYSTEM;
}

void hub_dispose(struct hub *hub)
{
    snapshot_release(hub->current);
    hub->current = NULL;
    pthread_mutex_destroy(&hub->lock);
}

void hub_publish(struct hub *hub, struct snapshot *snapshot)
{
    pthread_mutex_lock(&hub->lock);
    struct snapshot *old = hub->current;
    hub->current = snapshot;
    atomic_fetch_add_explicit(&hub->version, 1, memory_order_release);
    for (struct hub_listener *listener = hub->listeners; listener; listener = listener->next)
        listener->published(listener->context);
    pthread_mutex_unlock(&hub->lock);
    /* Outside of the lock: freeing 100 000 fragments takes milliseconds. */
    snapshot_release(old);
}

struct snapshot *hub_acquire(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    struct snapshot *snapshot = hub->current ? snapshot_reference(hub->current) : NULL;
    pthread_mutex_unlock(&hub->lock);
    return snapshot;
}

void hub_listen(struct hub *hub, struct hub_listener *listener)
{
    pthread_mutex_lock(&hub->lock);
    listener->next = hub->listeners;
    hub->listeners = listener;
    pthread_mutex_unlock(&hub->lock);
}

void hub_unlisten(struct hub *hub, struct hub_listener *listener)
{
    pthread_mutex_lock(&hub->lock);
    for (struct hub_listener **at = &hub->listeners; *at; at = &(*at)->next) {
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    }
    pthread_mutex_unlock(&hub->lock);
}

struct snapshot *reader_current(struct reader *reader, struct hub *hub)
{
    if (atomic_load_explicit(&hub->version, memory_order_acquire) == reader->version)
        return reader->snapshot;
    struct snapshot *old = reader->snapshot;
    pthread_mutex_lock(&hub->lock);
    reader->snapshot = hub->current ? snapshot_reference(hub->current) : NULL;
    reader->version = atomic_load_explicit(&hub->version, memory_order_relaxed);
    pthread_mutex_unlock(&hub->lock);
    snapshot_release(old);
    return reader->snapshot;
}

void reader_dispose(struct reader *reader)
{
    snapshot_release(reader->snapshot);
    *reader = (struct reader){0};
}
