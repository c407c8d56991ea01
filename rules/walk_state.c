/* States as the machine makes them: each a copy of the one before, with what a move changes. */
#include "walk_private.h"

/* --- where it stands ------------------------------------------------------------------------- */

bool walk_is_exposed(const struct rollout_state *state)
{
    return state->course == COURSE_RUNNING || state->course == COURSE_COMPLETED;
}

uint32_t walk_holds(const struct rollout_state *state)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < state->hold_count; i++)
        bits |= HOLD_BIT(state->holds[i].reason);
    return bits;
}

const struct phase *walk_phase(const struct rollout_state *state)
{
    return walk_is_exposed(state) && state->phase < state->plan.count
               ? &state->plan.items[state->phase]
               : NULL;
}

int64_t walk_ramp_behind(const struct rollout_state *state, int64_t now)
{
    const struct phase *phase = walk_phase(state);
    int64_t open = now - state->ramp.from;
    open = open < 0 ? 0 : open > state->ramp.length ? state->ramp.length : open;
    if (!phase)
        return 0;
    return state->ramp.done + open < phase->over ? state->ramp.done + open : phase->over;
}

bool walk_is_ramping(const struct rollout_state *state, int64_t now)
{
    const struct phase *phase = walk_phase(state);
    return phase && state->course == COURSE_RUNNING && walk_ramp_behind(state, now) < phase->over;
}

int64_t walk_bake_from(const struct rollout_state *state)
{
    const struct phase *phase = walk_phase(state);
    int64_t from = state->counting > state->since ? state->counting : state->since;
    if (!phase)
        return WALK_NEVER;
    if (phase->over == 0)
        return from;
    if (state->ramp.done + state->ramp.length < phase->over)
        return WALK_NEVER;
    int64_t end = state->ramp.from + state->ramp.length;
    return end > from ? end : from;
}

/* --- where it begins ------------------------------------------------------------------------- */

enum status walk_initial(const struct rollout *rollout, struct arena *arena,
                         struct rollout_state *out)
{
    struct text environment = rollout->environment.text, name = rollout->name.text;
    size_t length;
    *out = (struct rollout_state){.environment = environment, .rollout = name, .run = 1};
    if (!size_add(environment.length, name.length, &length) || !size_add(length, 2, &length))
        return STATUS_NO_MEMORY;
    char *whole = arena_allocate(arena, length);
    if (!whole)
        return STATUS_NO_MEMORY;
    if (environment.length)
        memcpy(whole, environment.data, environment.length);
    whole[environment.length] = '/';
    if (name.length)
        memcpy(whole + environment.length + 1, name.data, name.length);
    whole[length - 1] = '\0';
    out->name.text = (struct text){whole, length - 1};
    rollout_identity(rollout, out->identity);
    return STATUS_OK;
}

static bool has_name(const struct name *names, size_t count, struct text name)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(names[i].text, name))
            return true;
    }
    return false;
}

static enum status watch(const struct rollout *rollout, struct arena *arena, struct phase *phase)
{
    size_t count = 0;
    struct name *names =
        ARENA_ARRAY(arena, struct name, rollout->metric_count + phase->metric_count + 1);
    if (!names)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < rollout->metric_count; i++)
        names[count++] = rollout->metrics[i];
    for (size_t i = 0; i < phase->metric_count; i++) {
        if (!has_name(names, count, phase->metrics[i].text))
            names[count++] = phase->metrics[i];
    }
    phase->metrics = names;
    phase->metric_count = count;
    return count <= PHASE_METRICS_MAX ? STATUS_OK : STATUS_LIMIT;
}

enum status walk_plan(const struct rollout *rollout, const struct phases *phases,
                      struct arena *arena, struct phases *out)
{
    *out = (struct phases){.items = ARENA_ARRAY(arena, struct phase, phases->count + 1)};
    if (!out->items)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < phases->count; i++) {
        out->items[i] = phases->items[i];
        enum status status = watch(rollout, arena, &out->items[i]);
        if (status != STATUS_OK)
            return status;
    }
    out->count = phases->count;
    return STATUS_OK;
}

/* --- a move ---------------------------------------------------------------------------------- */

/* The oldest go when there are as many as are kept. */
static void note_intent(struct walk *walk, struct rollout_state *next)
{
    size_t drop = next->intent_count < INTENTS_KEPT ? 0 : next->intent_count - INTENTS_KEPT + 1;
    size_t kept = next->intent_count - drop;
    struct text *intents = ARENA_ARRAY(walk->arena, struct text, kept + 1);
    if (!intents || !arena_copy(walk->arena, text_of(walk->out->intent), &intents[kept])) {
        walk->failed = true;
        return;
    }
    if (kept)
        memcpy(intents, next->intents + drop, kept * sizeof *intents);
    next->intents = intents;
    next->intent_count = kept + 1;
}

struct rollout_state *walk_begin(struct walk *walk, enum walk_kind kind, const char *action)
{
    struct walk_decision *out = walk->out;
    struct rollout_state *next = ARENA_NEW(walk->arena, struct rollout_state);
    struct hold *holds = ARENA_ARRAY(walk->arena, struct hold, HOLDS_MAX);
    if (!next || !holds) {
        walk->failed = true;
        return NULL;
    }
    *next = *walk->state;
    next->seq++;
    next->holds = holds;
    if (next->hold_count > HOLDS_MAX)
        next->hold_count = HOLDS_MAX;
    if (next->hold_count)
        memcpy(holds, walk->state->holds, next->hold_count * sizeof *holds);
    next->approvals = NULL;
    next->approval_count = 0;
    next->is_foreign = false;
    if (next->course == COURSE_PENDING)
        next->plan = walk->wanted; /* a file has to have one */
    if (walk->intent.length == INTENT_TEXT_SIZE - 1)
        memcpy(out->intent, walk->intent.data, INTENT_TEXT_SIZE - 1);
    else
        rollout_intent(walk->state, text_of(action), out->intent);
    note_intent(walk, next);
    out->kind = kind;
    out->state = next;
    out->needs_commit = true;
    out->users = WALK_SAME;
    return next;
}

void walk_keep_approvals(struct walk *walk, struct rollout_state *next)
{
    const struct rollout_state *state = walk->state;
    struct approval *kept = ARENA_ARRAY(walk->arena, struct approval, state->approval_count + 1);
    if (!kept) {
        walk->failed = true;
        return;
    }
    next->approvals = kept;
    next->approval_count = 0;
    for (size_t i = 0; i < state->approval_count; i++) {
        if (state->approvals[i].run != state->run || state->approvals[i].seq != state->seq)
            continue;
        kept[next->approval_count] = state->approvals[i];
        kept[next->approval_count++].seq = next->seq;
    }
}

/* --- holds ----------------------------------------------------------------------------------- */

void walk_drop_holds(struct rollout_state *next, uint32_t bits)
{
    size_t kept = 0;
    for (size_t i = 0; i < next->hold_count; i++) {
        if (!(bits & HOLD_BIT(next->holds[i].reason)))
            next->holds[kept++] = next->holds[i];
    }
    next->hold_count = kept;
}

static bool is_persons(const struct hold *hold)
{
    return hold->reason == HOLD_PAUSE || hold->reason == HOLD_HALT;
}

/* One pause of many more or less holds the same: there is always room for what matters. */
static void make_room(struct rollout_state *next)
{
    size_t last = HOLDS_MAX - 1;
    while (last > 0 && !is_persons(&next->holds[last]))
        last--;
    memmove(next->holds + last, next->holds + last + 1,
            (HOLDS_MAX - 1 - last) * sizeof *next->holds);
    next->hold_count--;
}

/* Where the one of this reason and person goes: holds stand in the order of their reasons. */
static size_t place_of(struct rollout_state *next, const struct hold *hold)
{
    size_t at = 0;
    for (size_t i = 0; i < next->hold_count; i++) {
        bool same = next->holds[i].reason == hold->reason &&
                    (!is_persons(hold) || text_equal(next->holds[i].by, hold->by));
        if (same) {
            memmove(next->holds + i, next->holds + i + 1,
                    (next->hold_count - i - 1) * sizeof *next->holds);
            next->hold_count--;
            break;
        }
    }
    if (next->hold_count == HOLDS_MAX)
        make_room(next);
    while (at < next->hold_count && next->holds[at].reason <= hold->reason)
        at++;
    return at;
}

void walk_add_hold(struct walk *walk, struct rollout_state *next, enum hold_reason reason,
                   int64_t until)
{
    struct hold hold = {.reason = reason,
                        .by = walk->by,
                        .since = walk->task->now,
                        .until = until,
                        .note = walk->note};
    size_t at = place_of(next, &hold);
    memmove(next->holds + at + 1, next->holds + at, (next->hold_count - at) * sizeof hold);
    next->holds[at] = hold;
    next->hold_count++;
}

/* --- phases and their timers ----------------------------------------------------------------- */

void walk_begin_anew(struct walk *walk, struct rollout_state *next)
{
    next->since = walk->task->now;
    next->bake = next->spent = next->counting = 0;
}

void walk_open_window(struct walk *walk, struct rollout_state *next)
{
    const struct phase *phase = &next->plan.items[next->phase];
    int64_t now = walk->task->now, behind = walk_ramp_behind(next, now);
    int64_t length = phase->checkpoint > 0 ? phase->checkpoint : CHECKPOINT_SECONDS;
    if (length > phase->over - behind)
        length = phase->over - behind;
    if (walk->task->calendar) {
        int64_t end = calendar_opening_end(walk->task->calendar, now);
        if (end - now < length)
            length = end - now;
        length = calendar_open_seconds(walk->task->calendar, now, now + length);
    }
    next->ramp = (struct ramp_window){.done = behind, .from = now, .length = length};
}

void walk_enter(struct walk *walk, struct rollout_state *next, size_t phase)
{
    next->course = COURSE_RUNNING;
    next->phase = phase;
    next->ramp = (struct ramp_window){0};
    walk_begin_anew(walk, next);
    if (next->plan.items[phase].over) {
        next->ramp.from = walk->task->now;
        walk_open_window(walk, next);
    }
}

#define SPENT_MAX (INT64_C(3650) * 86400) /* what a file can say */

void walk_stop(struct walk *walk, struct rollout_state *next)
{
    const struct rollout_state *state = walk->state;
    const struct phase *phase = walk_phase(state);
    int64_t now = walk->task->now,
            from = state->counting > state->since ? state->counting : state->since;
    if (!phase || state->course != COURSE_RUNNING)
        return;
    if (state->hold_count == 0) { /* they run */
        int64_t bake = walk_bake_behind(walk), spent = state->spent + (now > from ? now - from : 0);
        next->bake = bake < phase->bake ? bake : phase->bake;
        next->spent = spent < SPENT_MAX ? spent : SPENT_MAX;
    }
    if (phase->over == 0)
        return;
    next->ramp.done = walk_ramp_behind(state, now);
    int64_t end = state->ramp.from + state->ramp.length;
    next->ramp.from = next->ramp.done < phase->over || end > now ? now : end;
    next->ramp.length = 0;
}
