#include "desk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define BUCKETS 1024 /* ids are random: some twenty in each when the desk is full */

struct entry {
    struct desk_request request;
    bool taken;           /* by core */
    int64_t done;         /* monotonic time at which it was; meaningless before */
    struct entry *beside; /* in its bucket */
    struct entry *next;   /* in the queue that it is in */
};

/* First in, first out. */
struct queue {
    struct entry *first, *last;
};

/* An entry is in one queue at most: `asked` until core takes it, `done` when nothing more will come
 * of it, and none in between. */
struct desk {
    const struct clock *clock;
    void (*submitted)(void *context);
    void *context;
    pthread_mutex_t lock; /* for all below */
    struct entry *buckets[BUCKETS];
    struct queue asked, done;
    size_t known, waiting; /* … of these in DESK_WAITING */
};

const char *desk_state_name(enum desk_state state)
{
    switch (state) {
    case DESK_WAITING:
        return "waiting";
    case DESK_SERVED:
        return "served";
    case DESK_RECORDED:
        return "recorded";
    case DESK_NOTHING:
        return "nothing";
    case DESK_REFUSED:
        return "refused";
    case DESK_FAILED:
    default:
        return "failed";
    }
}

bool desk_state_is_done(enum desk_state state)
{
    return state != DESK_WAITING && state != DESK_SERVED;
}

/* --- queues and buckets ---------------------------------------------------------------------- */

static void enqueue(struct queue *queue, struct entry *entry)
{
    entry->next = NULL;
    if (queue->last)
        queue->last->next = entry;
    else
        queue->first = entry;
    queue->last = entry;
}

static struct entry *dequeue(struct queue *queue)
{
    struct entry *entry = queue->first;
    if (!entry)
        return NULL;
    queue->first = entry->next;
    if (!queue->first)
        queue->last = NULL;
    entry->next = NULL;
    return entry;
}

/* FNV-1a (draft-eastlake-fnv): what a stranger asks for is no id of ours perhaps. */
static struct entry **bucket_of(struct desk *desk, const char *id)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < DESK_ID_SIZE && id[i]; i++)
        hash = (hash ^ (unsigned char)id[i]) * UINT32_C(16777619);
    return &desk->buckets[hash % BUCKETS];
}

static struct entry *find(struct desk *desk, const char *id)
{
    struct entry *entry = *bucket_of(desk, id);
    while (entry && strcmp(entry->request.id, id) != 0)
        entry = entry->beside;
    return entry;
}

/* `entry` is in no queue any more. */
static void forget(struct desk *desk, struct entry *entry)
{
    struct entry **link = bucket_of(desk, entry->request.id);
    while (*link != entry)
        link = &(*link)->beside;
    *link = entry->beside;
    desk->known--;
    free(entry);
}

static void forget_old(struct desk *desk, int64_t now)
{
    while (desk->done.first && now - desk->done.first->done >= DESK_MEMORY)
        forget(desk, dequeue(&desk->done));
}

/* --- making and ending ----------------------------------------------------------------------- */

enum status desk_new(const struct clock *clock, void (*submitted)(void *context), void *context,
                     struct desk **out, struct error *error)
{
    struct desk *desk = calloc(1, sizeof *desk);
    *out = NULL;
    if (!desk || pthread_mutex_init(&desk->lock, NULL) != 0) {
        free(desk);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    desk->clock = clock;
    desk->submitted = submitted;
    desk->context = context;
    *out = desk;
    return STATUS_OK;
}

void desk_free(struct desk *desk)
{
    if (!desk)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (desk->buckets[i]) {
            struct entry *entry = desk->buckets[i];
            desk->buckets[i] = entry->beside;
            free(entry);
        }
    }
    pthread_mutex_destroy(&desk->lock);
    free(desk);
}

/* --- people ---------------------------------------------------------------------------------- */

bool desk_exposes_nobody(enum walk_verb_kind verb)
{
    return verb == VERB_PAUSE || verb == VERB_HALT || verb == VERB_STEP_BACK ||
           verb == VERB_ROLLBACK || verb == VERB_KILL;
}

static bool has_room(struct desk *desk, enum walk_verb_kind verb)
{
    size_t room = desk_exposes_nobody(verb) ? DESK_MAX : DESK_MAX - DESK_RESERVED;
    if (desk->waiting >= room)
        return false;
    if (desk->known >= DESK_KNOWN && desk->done.first)
        forget(desk, dequeue(&desk->done));
    return desk->known < DESK_KNOWN;
}

static void begin(const struct desk *desk, struct desk_request *request)
{
    const struct clock *clock = desk->clock;
    for (size_t i = 0; i + 1 < DESK_ID_SIZE; i += 16)
        snprintf(request->id + i, sizeof request->id - i, "%016llx",
                 (unsigned long long)clock->random(clock->self));
    request->state = DESK_WAITING;
    request->submitted = request->changed = clock_seconds(clock);
    request->commit[0] = request->words[0] = '\0';
}

/* Under the lock. *taken is the desk's then, and NULL. */
static enum status take_in(struct desk *desk, struct entry **taken, struct error *error)
{
    struct entry *entry = *taken;
    if (!has_room(desk, entry->request.verb))
        return error_set(error, STATUS_LIMIT, "too many requests wait; ask again in a while");
    if (find(desk, entry->request.id))
        return error_set(error, STATUS_SYSTEM, "no random numbers for an id");
    struct entry **bucket = bucket_of(desk, entry->request.id);
    entry->beside = *bucket;
    *bucket = entry;
    enqueue(&desk->asked, entry);
    desk->known++;
    desk->waiting++;
    *taken = NULL;
    return STATUS_OK;
}

enum status desk_submit(struct desk *desk, struct desk_request *request, struct error *error)
{
    const struct clock *clock = desk->clock;
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    begin(desk, request);
    entry->request = *request;
    pthread_mutex_lock(&desk->lock);
    forget_old(desk, clock->monotonic(clock->self));
    enum status status = take_in(desk, &entry, error);
    pthread_mutex_unlock(&desk->lock);
    free(entry);
    if (status == STATUS_OK && desk->submitted)
        desk->submitted(desk->context);
    return status;
}

enum status desk_ask(struct desk *desk, const char *id, struct desk_request *out)
{
    const struct clock *clock = desk->clock;
    pthread_mutex_lock(&desk->lock);
    forget_old(desk, clock->monotonic(clock->self));
    const struct entry *entry = find(desk, id);
    if (entry)
        *out = entry->request;
    pthread_mutex_unlock(&desk->lock);
    return entry ? STATUS_OK : STATUS_NOT_FOUND;
}

/* --- core ------------------------------------------------------------------------------------ */

bool desk_take(struct desk *desk, struct desk_request *out)
{
    pthread_mutex_lock(&desk->lock);
    struct entry *entry = dequeue(&desk->asked);
    if (entry) {
        entry->taken = true;
        *out = entry->request;
    }
    pthread_mutex_unlock(&desk->lock);
    return entry;
}

/* Of another thread's making: never more than there is room for. */
static void copy(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    to[length] = '\0';
}

static void note(struct desk *desk, struct entry *entry, const struct desk_request *now)
{
    const struct clock *clock = desk->clock;
    struct desk_request *request = &entry->request;
    if (request->state == DESK_WAITING && now->state != DESK_WAITING)
        desk->waiting--;
    if (request->state != DESK_WAITING && now->state == DESK_WAITING)
        desk->waiting++;
    if (request->state != now->state)
        request->changed = clock_seconds(clock);
    request->state = now->state;
    copy(request->commit, sizeof request->commit, now->commit);
    copy(request->words, sizeof request->words, now->words);
    if (desk_state_is_done(request->state)) {
        entry->done = clock->monotonic(clock->self);
        enqueue(&desk->done, entry);
    }
}

void desk_note(struct desk *desk, const struct desk_request *request)
{
    pthread_mutex_lock(&desk->lock);
    struct entry *entry = find(desk, request->id);
    if (entry && entry->taken && !desk_state_is_done(entry->request.state))
        note(desk, entry, request);
    pthread_mutex_unlock(&desk->lock);
}
