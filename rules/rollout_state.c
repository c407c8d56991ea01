/* What a state means: its status, whom it exposes, and which of two is the safer. */
#include "rollout_state.h"

#include <nettle/sha2.h>
#include <stdio.h>

static const char *const course_names[] = {
    [COURSE_PENDING] = "pending",     [COURSE_RUNNING] = "running",
    [COURSE_COMPLETED] = "completed", [COURSE_ROLLED_BACK] = "rolledBack",
    [COURSE_KILLED] = "killed",
};

static const char *const status_names[] = {
    [ROLLOUT_PENDING] = "pending",     [ROLLOUT_RUNNING] = "running",
    [ROLLOUT_PAUSED] = "paused",       [ROLLOUT_HELD] = "held",
    [ROLLOUT_COMPLETED] = "completed", [ROLLOUT_ROLLED_BACK] = "rolledBack",
    [ROLLOUT_KILLED] = "killed",
};

static const char *const reason_names[HOLD_REASON_COUNT] = {
    [HOLD_PAUSE] = "pause",           [HOLD_HALT] = "halt",
    [HOLD_RATIO] = "ratio",           [HOLD_DEADLINE] = "deadline",
    [HOLD_SIGNAL] = "signal",         [HOLD_STEP_BACK] = "step-back",
    [HOLD_ROLLBACK] = "rollback",     [HOLD_KILL] = "kill",
    [HOLD_BLAST] = "blast",           [HOLD_FOREIGN_EDIT] = "foreign-edit",
    [HOLD_UNREADABLE] = "unreadable",
};

const char *rollout_course_name(enum rollout_course course)
{
    return course_names[course];
}

const char *rollout_status_name(enum rollout_status status)
{
    return status_names[status];
}

const char *hold_reason_name(enum hold_reason reason)
{
    return reason_names[reason];
}

bool hold_reason_parse(struct text name, enum hold_reason *reason)
{
    for (size_t i = 0; i < HOLD_REASON_COUNT; i++) {
        if (text_is(name, reason_names[i])) {
            *reason = (enum hold_reason)i;
            return true;
        }
    }
    return false;
}

enum rollout_status rollout_state_status(const struct rollout_state *state)
{
    static const enum rollout_status ended[] = {
        [COURSE_PENDING] = ROLLOUT_PENDING,     [COURSE_RUNNING] = ROLLOUT_RUNNING,
        [COURSE_COMPLETED] = ROLLOUT_COMPLETED, [COURSE_ROLLED_BACK] = ROLLOUT_ROLLED_BACK,
        [COURSE_KILLED] = ROLLOUT_KILLED,
    };
    if (state->course != COURSE_RUNNING || state->hold_count == 0)
        return ended[state->course];
    for (size_t i = 0; i < state->hold_count; i++) {
        if (state->holds[i].reason != HOLD_PAUSE)
            return ROLLOUT_HELD;
    }
    return ROLLOUT_PAUSED;
}

const struct hold *rollout_state_hold(const struct rollout_state *state, enum hold_reason reason)
{
    for (size_t i = 0; i < state->hold_count; i++) {
        if (state->holds[i].reason == reason)
            return &state->holds[i];
    }
    return NULL;
}

bool rollout_state_has_intent(const struct rollout_state *state, struct text intent)
{
    for (size_t i = 0; i < state->intent_count; i++) {
        if (text_equal(state->intents[i], intent))
            return true;
    }
    return false;
}

bool rollout_state_is_unfinished(const struct rollout_state *state)
{
    return state->course == COURSE_PENDING || state->course == COURSE_RUNNING;
}

/* --- identity and intents -------------------------------------------------------------------- */

static void digest_text(struct sha256_ctx *context, struct text text)
{
    char length[24];
    int count = snprintf(length, sizeof length, "%zu:", text.length);
    sha256_update(context, (size_t)count, (const uint8_t *)length);
    if (text.length)
        sha256_update(context, text.length, (const uint8_t *)text.data);
}

struct text rollout_seed(const struct rollout *rollout)
{
    return rollout->seed.length ? rollout->seed : rollout->name.text;
}

struct text rollout_bucket_by(const struct rollout *rollout)
{
    return rollout->bucket_by.length ? rollout->bucket_by : TEXT("targetingKey");
}

void rollout_identity(const struct rollout *rollout, uint8_t out[IDENTITY_SIZE])
{
    const struct text parts[] = {rollout->flag.text,    rollout->environment.text,
                                 rollout->variant.text, rollout->control.text,
                                 rollout_seed(rollout), rollout_bucket_by(rollout)};
    struct sha256_ctx context;
    sha256_init(&context);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        digest_text(&context, parts[i]);
    sha256_digest(&context, IDENTITY_SIZE, out);
}

void rollout_intent(const struct rollout_state *state, struct text action,
                    char out[INTENT_TEXT_SIZE])
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char number[16];
    sha256_init(&context);
    digest_text(&context, state->environment);
    digest_text(&context, state->rollout);
    snprintf(number, sizeof number, "%u", state->run);
    digest_text(&context, text_of(number));
    snprintf(number, sizeof number, "%u", state->seq);
    digest_text(&context, text_of(number));
    digest_text(&context, action);
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* --- who is exposed -------------------------------------------------------------------------- */

static struct exposure *find(struct exposure *list, size_t count, struct text audience)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(list[i].audience, audience))
            return &list[i];
    }
    return NULL;
}

/* Everybody's part stands last, so that what is before it only adds to it. */
static void put_everybody_last(struct exposure *list, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        if (list[i].audience.length)
            continue;
        struct exposure everybody = list[i];
        memmove(list + i, list + i + 1, (count - i - 1) * sizeof *list);
        list[count - 1] = everybody;
        return;
    }
}

static void expose(struct exposure *exposure, const struct rollout_state *state, size_t index)
{
    const struct phase *phase = &state->plan.items[index];
    bool is_ramping = phase->over && index == state->phase && state->course == COURSE_RUNNING;
    if (phase->share <= exposure->share)
        return;
    exposure->from = exposure->share;
    exposure->share = phase->share;
    exposure->ramp = is_ramping && state->ramp.done < phase->over ? phase : NULL;
}

size_t rollout_exposures(const struct rollout_state *state, struct exposure out[EXPOSURES_MAX])
{
    size_t count = 0, last = state->phase;
    if (state->course == COURSE_COMPLETED)
        last = state->plan.count ? state->plan.count - 1 : 0;
    else if (state->course != COURSE_RUNNING)
        return 0;
    for (size_t i = 0; i <= last && i < state->plan.count && i < PHASES_MAX; i++) {
        struct text audience = state->plan.items[i].audience;
        struct exposure *exposure = find(out, count, audience);
        if (!exposure) {
            exposure = &out[count++];
            *exposure = (struct exposure){.audience = audience};
        }
        expose(exposure, state, i);
    }
    put_everybody_last(out, count);
    return count;
}

/* How far a ramp is at an instant, in its open seconds. */
static int64_t ramp_behind(const struct rollout_state *state, const struct phase *ramp, int64_t now)
{
    int64_t open = now - state->ramp.from;
    open = open < 0 ? 0 : open > state->ramp.length ? state->ramp.length : open;
    return state->ramp.done + open < ramp->over ? state->ramp.done + open : ramp->over;
}

static uint32_t share_at(const struct rollout_state *state, const struct exposure *exposure,
                         int64_t now)
{
    if (!exposure->ramp)
        return exposure->share;
    int64_t behind = ramp_behind(state, exposure->ramp, now);
    return exposure->from +
           (uint32_t)((int64_t)(exposure->share - exposure->from) * behind / exposure->ramp->over);
}

uint32_t rollout_share_at(const struct rollout_state *state, int64_t now)
{
    struct exposure list[EXPOSURES_MAX];
    size_t count = rollout_exposures(state, list);
    return count && list[count - 1].audience.length == 0 ? share_at(state, &list[count - 1], now)
                                                         : 0;
}

/* Each hold of `a` holds `b` as long. */
static bool holds_stay(const struct rollout_state *a, const struct rollout_state *b)
{
    for (size_t i = 0; i < a->hold_count; i++) {
        const struct hold *hold = &a->holds[i];
        bool stays = false;
        for (size_t j = 0; j < b->hold_count && !stays; j++)
            stays = b->holds[j].reason == hold->reason && text_equal(b->holds[j].by, hold->by) &&
                    b->holds[j].until >= hold->until;
        if (!stays)
            return false;
    }
    return true;
}

static bool has_approval(const struct rollout_state *state, const struct approval *approval)
{
    for (size_t i = 0; i < state->approval_count; i++) {
        const struct approval *other = &state->approvals[i];
        if (text_equal(other->by, approval->by) && other->run == approval->run &&
            other->seq == approval->seq && text_equal(other->plan, approval->plan))
            return true;
    }
    return false;
}

/* What only weir can say is said by `a` too: who approved, which decisions are recorded. */
static bool claims_nothing_new(const struct rollout_state *a, const struct rollout_state *b)
{
    for (size_t i = 0; i < b->approval_count; i++) {
        if (!has_approval(a, &b->approvals[i]))
            return false;
    }
    for (size_t i = 0; i < b->intent_count; i++) {
        if (!rollout_state_has_intent(a, b->intents[i]))
            return false;
    }
    return b->run <= a->run;
}

/* In the same phase no timer of `b` is further. */
static bool is_no_further(const struct rollout_state *a, const struct rollout_state *b)
{
    char of_a[PLAN_DIGEST_SIZE], of_b[PLAN_DIGEST_SIZE];
    if (rollout_plan_digest(&a->plan, of_a) != STATUS_OK ||
        rollout_plan_digest(&b->plan, of_b) != STATUS_OK || strcmp(of_a, of_b) != 0)
        return false;
    if (a->course != b->course && b->course == COURSE_COMPLETED)
        return false;
    return a->phase != b->phase || (b->since >= a->since && b->counting >= a->counting &&
                                    b->bake <= a->bake && b->rollbacks >= a->rollbacks);
}

static bool exposes_nobody_new(const struct rollout_state *a, const struct rollout_state *b)
{
    struct exposure of_a[EXPOSURES_MAX], of_b[EXPOSURES_MAX];
    size_t count_a = rollout_exposures(a, of_a), count_b = rollout_exposures(b, of_b);
    int64_t end = INT64_MAX / 2; /* all that their windows allow */
    for (size_t i = 0; i < count_b; i++) {
        const struct exposure *same = find(of_a, count_a, of_b[i].audience);
        uint32_t most = same ? share_at(a, same, end) : 0;
        const struct exposure *everybody = find(of_a, count_a, (struct text){0});
        if (everybody && share_at(a, everybody, end) > most)
            most = share_at(a, everybody, end);
        if (share_at(b, &of_b[i], end) > most)
            return false;
    }
    return true;
}

bool rollout_state_is_safer(const struct rollout_state *a, const struct rollout_state *b)
{
    bool undone_a = a->course == COURSE_ROLLED_BACK || a->course == COURSE_KILLED;
    bool undone_b = b->course == COURSE_ROLLED_BACK || b->course == COURSE_KILLED;
    if (memcmp(a->identity, b->identity, IDENTITY_SIZE) != 0 || !holds_stay(a, b) ||
        !claims_nothing_new(a, b))
        return false;
    if (undone_a || undone_b) /* they take the variant from rules too */
        return undone_b && (a->course != COURSE_KILLED || b->course == COURSE_KILLED);
    return is_no_further(a, b) && exposes_nobody_new(a, b);
}
