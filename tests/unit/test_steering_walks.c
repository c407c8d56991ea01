/* Random weeks of a rollout, through the whole of a controller's core: persons ask for anything at
 * any time, metrics say anything, the branch is away now and then. Whatever comes of it, what users
 * are served keeps the promises of ROLLOUTS.md. Seeds are fixed. */
#include "../../controller/rollout/steering_private.h"
#include "steers.h"

#define METRIC                                                                                     \
    "---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: errors}\nspec:\n"                    \
    "  prometheus: {address: 'http://127.0.0.1:9090', query: up}\n  thresholdRange: {max: 0.01}\n"
#define PHASES                                                                                     \
    "[{name: staff, audience: {segment: staff}, bake: 6h}, {name: two, percent: 2, bake: 1d}, "    \
    "{name: ramp, ramp: {to: 20, over: 2d, checkpoint: 6h}, bake: 1d}, {name: half, percent: 50, " \
    "bake: 2d, approvals: 1}, {name: most, percent: 90, bake: 1w}]"
#define MORE "  start: 2026-01-01T00:00:00Z\n  metrics: [errors]\n"
#define USERS 400 /* and one of the staff */
#define WALKS 5
#define STEPS 90

static struct steers one;
static uint64_t chance;
static unsigned grown, shrunk, restored;

static uint64_t draw(uint64_t below)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance % below;
}

/* --- what users are served -------------------------------------------------------------------- */

static struct document *served(void)
{
    struct snapshot *snapshot = hub_acquire(&one.hub);
    struct document *document = document_reference(snapshot->environments[0].document);
    snapshot_release(snapshot);
    return document;
}

static void look(bool on[USERS + 1])
{
    struct document *document = served();
    struct context context;
    struct decision decision;
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    for (unsigned i = 0; i <= USERS; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"targetingKey\":\"user-%u\",\"email\":\"a@%s\"}", i,
                 i == USERS ? "example.com" : "elsewhere.org");
        ck_assert_ok(context_read(&context, document->attributes, text_of(text), &failure));
        evaluate(document_find(document, TEXT("shop")), &context, wall_seconds, &decision);
        on[i] = text_is(decision.variant, "on");
    }
    context_dispose(&context);
    document_release(document);
}

struct change {
    unsigned more, fewer;
};

static struct change compare(const bool before[USERS + 1], const bool after[USERS + 1])
{
    struct change change = {0};
    for (unsigned i = 0; i <= USERS; i++) {
        change.more += after[i] && !before[i];
        change.fewer += before[i] && !after[i];
    }
    return change;
}

/* --- what Git says ---------------------------------------------------------------------------- */

static const struct rollout_state *state_of(void)
{
    return core_steering(one.core)->roster->items[0].state;
}

/* --- one step --------------------------------------------------------------------------------- */

static bool is_away;

static void move_remote(bool away)
{
    if (away != is_away)
        shell(away ? "mv remote.git away.git" : "mv away.git remote.git");
    is_away = away;
}

static void record(void)
{
    if (!one.proposal)
        return;
    if (steers_record(&one) == RECORDER_ACCEPTED)
        steers_take(&one);
}

static void ask_something(void)
{
    static const enum walk_verb_kind usual[] = {VERB_APPROVE, VERB_RESUME, VERB_ADVANCE};
    struct desk_request request;
    enum walk_verb_kind verb =
        draw(4) ? usual[draw(COUNT_OF(usual))] : (enum walk_verb_kind)draw(VERB_COUNT);
    steers_ask(&one, verb, draw(2) ? "ada" : "bob", &request);
}

static enum walk_verdict measure(void)
{
    static const enum walk_verdict bad[] = {WALK_NO_DATA, WALK_ERROR, WALK_INCONCLUSIVE,
                                            WALK_FAILURE};
    enum walk_verdict verdict = draw(10) < 7 ? WALK_SUCCESS : bad[draw(COUNT_OF(bad))];
    steers_measure(verdict, "as drawn");
    return verdict;
}

/* What grows is a start, or stood in no hold and passed its gate; and takes nobody out. */
static void check(const struct rollout_state *before, const bool on_before[USERS + 1],
                  const bool on_after[USERS + 1], enum walk_verdict verdict)
{
    const struct rollout_state *after = state_of();
    struct change change = compare(on_before, on_after);
    ck_assert_msg(!change.more || !change.fewer, "%u in and %u out at one time", change.more,
                  change.fewer);
    grown += change.more > 0;
    shrunk += change.fewer > 0;
    if (change.more == 0)
        return;
    ck_assert_uint_eq(after->hold_count, 0);
    ck_assert_int_eq(after->course, COURSE_RUNNING);
    if (after->run > before->run || before->course == COURSE_PENDING) {
        ck_assert_uint_eq(after->phase, 0);
        return;
    }
    ck_assert_uint_eq(before->hold_count, 0);
    ck_assert_msg(verdict == WALK_SUCCESS, "grows on %s", walk_verdict_name(verdict));
    ck_assert_uint_le(after->phase, before->phase + 1);
    if (after->phase > before->phase && after->plan.items[after->phase].approvals)
        ck_assert_uint_gt(before->approval_count, 0);
}

/* From here to the next phase and back: the same bytes, or the same users of one whose ramp is
 * over. */
static void advance_and_step_back(void)
{
    const struct rollout_state *state = state_of();
    struct desk_request request;
    bool on[USERS + 1], on_then[USERS + 1];
    if (is_away || state->course != COURSE_RUNNING || state->hold_count ||
        steering_open(core_steering(one.core)))
        return;
    struct document *before = served();
    size_t phase = state->phase;
    bool ramps = state->plan.items[phase].over > 0;
    look(on);
    pass(1);
    steers_measure(WALK_SUCCESS, "");
    steers_ask(&one, VERB_ADVANCE, "ada", &request);
    core_turn(one.core);
    record();
    if (state_of()->phase == phase + 1 && state_of()->course == COURSE_RUNNING) {
        steers_ask(&one, VERB_STEP_BACK, "ada", &request);
        core_turn(one.core);
        record();
        ck_assert_uint_eq(state_of()->phase, phase);
        struct document *after = served();
        look(on_then);
        ck_assert(ramps || document_equal(before, after));
        ck_assert_mem_eq(on, on_then, sizeof on);
        document_release(after);
        restored++;
    }
    document_release(before);
}

static void step(void)
{
    bool before[USERS + 1], after[USERS + 1];
    move_remote(draw(12) == 0);
    struct roster *roster = roster_reference(core_steering(one.core)->roster);
    const struct rollout_state *state = roster->items[0].state;
    enum walk_verdict verdict = measure();
    look(before);
    if (draw(3) == 0)
        ask_something();
    core_turn(one.core);
    record();
    look(after);
    check(state, before, after, verdict);
    pass(1 + (int64_t)draw(draw(4) ? 7200 : 86400));
    look(before); /* time alone: a ramp within its window */
    struct change change = compare(after, before);
    ck_assert_uint_eq(change.fewer, 0);
    ck_assert(change.more == 0 || state_of()->ramp.length > 0);
    ck_assert(change.more == 0 || state_of()->hold_count == 0);
    roster_release(roster);
    if (draw(6) == 0)
        advance_and_step_back();
}

START_TEST(whatever_happens_users_are_where_they_belong)
{
    for (uint64_t walk = 0; walk < WALKS; walk++) {
        char text[2000];
        chance = UINT64_C(0x9e3779b97f4a7c15) * (walk + 1);
        begin();
        log_set_level(LOG_LEVEL_ERROR);
        shell("mkdir -p work/flags");
        write_text("flags/shop.yaml", ROLLOUT_FLAG);
        snprintf(text, sizeof text, "%s%s  onBreach: %s\n%s", ROLLOUT("shop-release", PHASES), MORE,
                 walk % 2 ? "stepBack" : "rollback", METRIC);
        write_text("rollouts.yaml", text);
        commit("true");
        steers_blast_cap = 1000;
        steers_open(&one, "one");
        steers_fetch(&one);
        steers_take(&one);
        for (unsigned i = 0; i < STEPS; i++)
            step();
        move_remote(false);
        steers_close(&one);
        mirror = NULL;
        end();
    }
    ck_assert_msg(grown > 10 && shrunk > 10 && restored > 5, "%u grew, %u shrank, %u came back",
                  grown, shrunk, restored);
}
END_TEST

UNIT_MAIN("steering_walks", whatever_happens_users_are_where_they_belong)
