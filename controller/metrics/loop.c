/* Measures what is due. */
#include <stdlib.h>

#include "../../rules/hash.h"
#include "../telemetry_families.h"
#include "metrics_private.h"

#define LONGEST_WAIT 1000 /* milliseconds */
#define JITTER 5          /* per cent of an interval */
/* The first measurements of what begins together are spread over a quarter of the interval, or so
 * many seconds at most. */
#define SPREAD (5 * NANOSECONDS_PER_SECOND)
#define CONTROL PROBE_QUESTIONS_MAX
/* Of one server at one time, in parts of all: as many as its asker sends requests to it, so that
 * one that hangs is asked no less, and leaves the rest of them to the others. */
#define SERVER_PART 4

struct slot {
    struct measuring *measuring;
    size_t index;
};

/* One measurement under way. */
struct measuring {
    struct measuring *next;
    struct loop *loop;
    struct task *task;
    uint64_t server;
    uint32_t generation;
    struct probe_plan plan;
    struct arena arena;
    struct question questions[PROBE_QUESTIONS_MAX + 1]; /* the last is to the control */
    struct reading readings[PROBE_QUESTIONS_MAX + 1];
    struct slot slots[PROBE_QUESTIONS_MAX + 1];
    size_t pending;
    bool asked_control;
    bool failed;     /* without memory */
    int64_t age;     /* nanoseconds that an answer may be old */
    int64_t started; /* wall */
};

/* --- those that wait for their server -------------------------------------------------------- */

/* The address up to its path. */
uint64_t loop_server(const struct metric *metric)
{
    struct text address = metric->address;
    const char *scheme = address.length ? memmem(address.data, address.length, "://", 3) : NULL;
    size_t length = scheme ? (size_t)(scheme - address.data) + 3 : 0;
    while (length < address.length && address.data[length] != '/' && address.data[length] != '?')
        length++;
    return hash_text((struct text){address.data, length});
}

static bool has_room(const struct loop *loop, uint64_t server)
{
    unsigned same = 0;
    for (const struct measuring *other = loop->measurings; other; other = other->next)
        same += other->server == server;
    return same < loop->most / SERVER_PART;
}

static void wait_for_server(struct loop *loop, struct task *task)
{
    timers_cancel(&loop->timers, &task->timer);
    task->waits = true;
    task->next = NULL;
    *loop->last_waiting = task;
    loop->last_waiting = &task->next;
}

static void take_out(struct loop *loop, struct task **link)
{
    struct task *task = *link;
    *link = task->next;
    if (!*link)
        loop->last_waiting = link;
    task->waits = false;
}

/* The first whose server has room; NULL: none. */
static struct task *next_waiting(struct loop *loop)
{
    struct task **link = &loop->waiting;
    uint64_t full = 0;
    bool some_is_full = false; /* most wait for the same one */
    for (; *link; link = &(*link)->next) {
        struct task *task = *link;
        if (some_is_full && task->server == full)
            continue;
        if (has_room(loop, task->server)) {
            take_out(loop, link);
            return task;
        }
        full = task->server;
        some_is_full = true;
    }
    return NULL;
}

void loop_cancel(struct loop *loop, struct task *task)
{
    struct task **link = &loop->waiting;
    timers_cancel(&loop->timers, &task->timer);
    while (task->waits && *link && *link != task)
        link = &(*link)->next;
    if (task->waits)
        take_out(loop, link);
}

/* --- when ------------------------------------------------------------------------------------ */

static int64_t interval_of(const struct task *task)
{
    return task->probe->metric->limits.interval * NANOSECONDS_PER_SECOND;
}

static int64_t spread(const struct loop *loop, const struct task *task)
{
    const struct clock *clock = loop->metrics->parts.clock;
    int64_t most = interval_of(task) / 4;
    most = most < SPREAD ? most : SPREAD;
    return loop->breakers || most <= 0 ? 0 : (int64_t)(clock->random(clock->self) % (uint64_t)most);
}

/* Monotonic, of an instant in wall seconds. */
static int64_t monotonic_of(const struct loop *loop, int64_t seconds)
{
    int64_t now = metrics_monotonic(loop->metrics), wait;
    if (__builtin_mul_overflow(seconds, NANOSECONDS_PER_SECOND, &wait) ||
        __builtin_sub_overflow(wait, metrics_wall(loop->metrics), &wait))
        wait = LONGEST_WAIT * NANOSECONDS_PER_MILLISECOND;
    /* Looked at again at least every minute: the wall clock may be set. */
    if (wait > 60 * NANOSECONDS_PER_SECOND)
        wait = 60 * NANOSECONDS_PER_SECOND;
    return now + (wait > 0 ? wait : 0);
}

void loop_schedule(struct loop *loop, struct task *task)
{
    const struct metric_result *result = &task->probe->result;
    int64_t due = monotonic_of(loop, probe_begins(task->probe));
    if (result->length > 0) {
        int64_t last = result->measurements[result->length - 1].time + interval_of(task);
        int64_t next = monotonic_of(loop, last / NANOSECONDS_PER_SECOND);
        due = next > due ? next : due;
    }
    loop_cancel(loop, task);
    timers_set(&loop->timers, &task->timer, due + spread(loop, task));
}

static void schedule_next(struct loop *loop, struct task *task)
{
    int64_t wait = clock_jitter(loop->metrics->parts.clock, interval_of(task), JITTER);
    timers_set(&loop->timers, &task->timer, metrics_monotonic(loop->metrics) + wait);
}

/* --- ends ------------------------------------------------------------------------------------ */

static void free_measuring(struct measuring *measuring)
{
    arena_dispose(&measuring->arena);
    free(measuring);
}

static void leave(struct measuring *measuring)
{
    struct loop *loop = measuring->loop;
    struct measuring **link = &loop->measurings;
    while (*link && *link != measuring)
        link = &(*link)->next;
    if (*link)
        *link = measuring->next;
    loop->active--;
}

/* Under the lock: takes the answers in. True: somebody has to be told. */
static bool take(struct measuring *measuring)
{
    struct loop *loop = measuring->loop;
    struct metrics *metrics = loop->metrics;
    struct task *task = measuring->task;
    const struct reading *control = measuring->asked_control ? &measuring->readings[CONTROL] : NULL;
    task->in_flight = false;
    if (task->generation != measuring->generation || measuring->failed) {
        if (measuring->failed)
            schedule_next(loop, task);
        else
            loop_schedule(loop, task);
        return false;
    }
    bool is_changed = probe_take(task->probe, &measuring->plan, measuring->readings, control,
                                 metrics_wall(metrics));
    series_add(metrics->measured[task->probe->metric->source][task->probe->last.verdict], 1);
    keeper_note(metrics, task, measuring->started);
    task->dirty = true;
    task->urgent |= is_changed;
    schedule_next(loop, task);
    return is_changed;
}

static void ask(struct measuring *measuring, size_t index);

/* All that was asked is answered. */
static void complete(struct measuring *measuring)
{
    struct metrics *metrics = measuring->loop->metrics;
    struct task *task = measuring->task;
    bool is_changed = false, goes_on = false;
    pthread_mutex_lock(&metrics->lock);
    if (!task->retired && task->generation == measuring->generation && !measuring->failed &&
        !measuring->asked_control &&
        probe_asks_control(task->probe, &measuring->plan, measuring->readings,
                           metrics_wall(metrics)))
        goes_on = probe_control_question(task->probe, &measuring->plan, &measuring->arena,
                                         &measuring->questions[CONTROL]) == STATUS_OK;
    if (!goes_on && !task->retired)
        is_changed = take(measuring);
    bool retired = task->retired;
    pthread_mutex_unlock(&metrics->lock);
    if (goes_on) {
        measuring->asked_control = true;
        measuring->pending = 1;
        ask(measuring, CONTROL);
        return;
    }
    leave(measuring);
    free_measuring(measuring);
    if (retired)
        task_free(task);
    if (is_changed && metrics->parts.changed)
        metrics->parts.changed(metrics->parts.context);
}

static void answered(void *context, const struct reading *reading)
{
    const struct slot *slot = context;
    struct measuring *measuring = slot->measuring;
    measuring->readings[slot->index] = *reading;
    if (--measuring->pending == 0)
        complete(measuring);
}

/* --- beginning ------------------------------------------------------------------------------- */

static void ask(struct measuring *measuring, size_t index)
{
    measuring->slots[index] = (struct slot){measuring, index};
    asker_ask(measuring->loop->asker, &measuring->questions[index], measuring->age, answered,
              &measuring->slots[index]);
}

/* How old an answer may be: half an interval, and of this phase. Phases begin at whole seconds. */
static int64_t age_of(const struct task *task, int64_t now)
{
    int64_t half = interval_of(task) / 2;
    int64_t own = now - clock_nanoseconds(task->probe->item->state->since + 1);
    return own < 0 ? 0 : own < half ? own : half;
}

/* Under the lock. NULL: nothing is asked now. */
static struct measuring *begin(struct loop *loop, struct task *task)
{
    struct metrics *metrics = loop->metrics;
    struct measuring *measuring = calloc(1, sizeof *measuring);
    if (!measuring) {
        schedule_next(loop, task);
        return NULL;
    }
    measuring->started = metrics_wall(metrics);
    probe_see(task->probe, measuring->started);
    probe_plan(task->probe, measuring->started, &measuring->plan);
    if (measuring->plan.count == 0) {
        /* A little later than it may be asked, not a little too early. */
        timers_set(&loop->timers, &task->timer,
                   monotonic_of(loop, measuring->plan.again) + NANOSECONDS_PER_MILLISECOND);
        free(measuring);
        return NULL;
    }
    measuring->loop = loop;
    measuring->task = task;
    measuring->server = task->server;
    measuring->generation = task->generation;
    measuring->age = age_of(task, measuring->started);
    arena_init(&measuring->arena, (size_t)4 << 20);
    for (size_t i = 0; i < measuring->plan.count && !measuring->failed; i++)
        measuring->failed = probe_question(task->probe, &measuring->plan, i, &measuring->arena,
                                           &measuring->questions[i]) != STATUS_OK;
    timers_cancel(&loop->timers, &task->timer);
    task->in_flight = true;
    loop->active++;
    return measuring;
}

static void start(struct measuring *measuring)
{
    struct loop *loop = measuring->loop;
    measuring->next = loop->measurings;
    loop->measurings = measuring;
    /* One more than there are, so that it is not complete before all is asked. */
    size_t count = measuring->failed ? 0 : measuring->plan.count;
    measuring->pending = count + 1;
    for (size_t i = 0; i < count; i++)
        ask(measuring, i);
    if (--measuring->pending == 0)
        complete(measuring);
}

/* The next that is due; NULL: none, and *wait is milliseconds until one is. */
static struct measuring *next_due(struct loop *loop, int *wait)
{
    struct metrics *metrics = loop->metrics;
    struct measuring *measuring = NULL;
    bool some_wait = true; /* for a server that has room: none comes to them here */
    *wait = LONGEST_WAIT;
    pthread_mutex_lock(&metrics->lock);
    int64_t now = metrics_monotonic(metrics);
    while (!measuring && loop->active < loop->most) {
        struct task *task = some_wait ? next_waiting(loop) : NULL;
        some_wait = task != NULL;
        struct timer *timer = task ? NULL : timers_first(&loop->timers);
        if (!task && (!timer || timer->due > now)) {
            int64_t left = timer ? (timer->due - now) / NANOSECONDS_PER_MILLISECOND + 1 : *wait;
            *wait = left < *wait ? (int)left : *wait;
            break;
        }
        if (!task)
            task = (struct task *)timer;
        if (has_room(loop, task->server))
            measuring = begin(loop, task);
        else
            wait_for_server(loop, task);
    }
    pthread_mutex_unlock(&metrics->lock);
    return measuring;
}

void *loop_main(void *argument)
{
    struct loop *loop = argument;
    struct metrics *metrics = loop->metrics;
    while (!atomic_load(&metrics->stop)) {
        struct measuring *measuring;
        int wait = 0;
        series_add(loop->turns, 1);
        series_set(loop->last_turn, clock_seconds(metrics->parts.clock));
        while (!atomic_load(&metrics->stop) && (measuring = next_due(loop, &wait)))
            start(measuring);
        if (!atomic_load(&metrics->stop))
            asker_drive(loop->asker, wait);
    }
    return NULL;
}

void loop_dispose(struct loop *loop)
{
    asker_free(loop->asker);
    struct measuring *measuring = loop->measurings;
    while (measuring) {
        struct measuring *next = measuring->next;
        if (measuring->task->retired)
            task_free(measuring->task);
        free_measuring(measuring);
        measuring = next;
    }
    timers_dispose(&loop->timers);
}
