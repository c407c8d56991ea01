/* What must hold of every walk: random plans, calendars, measurements and persons, over twelve
 * weeks of a clock that only the test moves. Seeds are fixed. */
#include "walks_unit.h"

#define WALKS 120
#define WEEKS 12

/* Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (SplitMix64). */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool chance(uint64_t *seed, unsigned percent)
{
    return draw(seed) % 100 < percent;
}

static unsigned seen[WALK_UNKILL + 1], read_back;

/* --- who is exposed, at an instant ----------------------------------------------------------- */

static uint32_t exposed(const struct rollout_state *state, struct text audience, int64_t now)
{
    struct exposure list[EXPOSURES_MAX];
    size_t count = rollout_exposures(state, list);
    for (size_t i = 0; i < count; i++) {
        if (!text_equal(list[i].audience, audience))
            continue;
        if (!list[i].ramp)
            return list[i].share;
        int64_t open = now - state->ramp.from;
        open = open < 0 ? 0 : open > state->ramp.length ? state->ramp.length : open;
        return list[i].from + (uint32_t)((int64_t)(list[i].share - list[i].from) *
                                         (state->ramp.done + open) / list[i].ramp->over);
    }
    return 0;
}

/* Below 0, 0, above 0: `b` exposes fewer, the same, more; and no mixture of these. */
static int compare_exposure(const struct rollout_state *a, const struct rollout_state *b,
                            int64_t now)
{
    static const struct text audiences[] = {{0}, {"staff", 5}};
    bool more = false, fewer = false;
    for (size_t i = 0; i < COUNT_OF(audiences); i++) {
        uint32_t before = exposed(a, audiences[i], now), after = exposed(b, audiences[i], now);
        more = more || after > before;
        fewer = fewer || after < before;
    }
    ck_assert(!(more && fewer));
    return more - fewer;
}

/* --- a random world -------------------------------------------------------------------------- */

static struct calendar *random_calendar(uint64_t *seed)
{
    struct calendar_window window = {.days = (uint8_t)(1 + draw(seed) % 127),
                                     .from = (int32_t)(draw(seed) % 20) * HOUR};
    struct calendar_freeze freeze = {.first = MONDAY / DAY + (int64_t)(draw(seed) % 40)};
    struct calendar *calendar;
    struct error error;
    window.to = window.from + (int32_t)(1 + draw(seed) % 4) * HOUR;
    freeze.last = freeze.first + (int64_t)(draw(seed) % 5);
    if (chance(seed, 30))
        return NULL;
    ck_assert_int_eq(calendar_new(&window, 1, &freeze, 1, NULL, &calendar, &error), STATUS_OK);
    return calendar;
}

static struct name random_metrics[] = {{.text = {"errors", 6}}, {.text = {"slow", 4}}};
static const char names[][4] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"};

static void random_world(struct world *world, uint64_t *seed)
{
    static const enum metric_role roles[] = {METRIC_SIGNAL, METRIC_GUARDRAIL, METRIC_INFO,
                                             METRIC_GUARDRAIL, METRIC_BREAKER};
    world_init(world);
    world->rollout.metrics = random_metrics;
    world->rollout.metric_count = 1 + draw(seed) % 2;
    world->rollout.on_breach = (enum on_breach)(draw(seed) % 4);
    world->rollout.has_start = chance(seed, 80);
    world->rollout.start = MONDAY + (int64_t)(draw(seed) % (3 * DAY));
    world->plan.count = 2 + draw(seed) % 6;
    uint32_t share = 0;
    for (size_t i = 0; i < world->plan.count; i++) {
        struct phase *phase = &world->phases[i];
        share += 1 + (uint32_t)(draw(seed) % 12000);
        *phase = (struct phase){.name = text_of(names[i]), .share = share};
        if (i == 0 && chance(seed, 40))
            phase->audience = TEXT("staff");
        if (chance(seed, 40)) {
            phase->over = 1 + (int64_t)(draw(seed) % (3 * DAY));
            phase->checkpoint = 1 + (int64_t)(draw(seed) % DAY);
        }
        phase->bake = (int64_t)(draw(seed) % (6 * DAY));
        phase->deadline = chance(seed, 30) ? (int64_t)(DAY + draw(seed) % (30 * DAY)) : 0;
        phase->approvals = chance(seed, 25) ? 1 + (uint32_t)(draw(seed) % 2) : 0;
    }
    world->task.gate_count = 2;
    for (size_t i = 0; i < 2; i++)
        world->gates[i] = (struct walk_gate){.metric = random_metrics[i].text,
                                             .role = roles[draw(seed) % COUNT_OF(roles)]};
    world->task.calendar = random_calendar(seed);
}

static void random_measurements(struct world *world, uint64_t *seed)
{
    world_measure(world, WALK_SUCCESS);
    for (size_t i = 0; i < world->task.gate_count; i++) {
        struct walk_gate *gate = &world->gates[i];
        if (chance(seed, 85))
            continue;
        if (chance(seed, 15))
            gate->verdict = WALK_FAILURE;
        else
            gate->verdict = chance(seed, 50) ? WALK_NO_DATA : WALK_ERROR;
        gate->fresh = chance(seed, 80);
        gate->enough_sample = chance(seed, 80);
        gate->covered -= gate->covered / (1 + (int64_t)(draw(seed) % 9));
    }
    world->task.ratio_mismatch = chance(seed, 1) && chance(seed, 30);
    world->task.clock_drift = chance(seed, 1);
    world->task.targets_behind = chance(seed, 3);
    world->task.automatic_rollbacks = chance(seed, 10) ? WALK_BLAST_CAP : 0;
}

/* --- what must hold of a move ---------------------------------------------------------------- */

static unsigned approvals_of(const struct rollout_state *state, const struct phases *plan)
{
    char digest[PLAN_DIGEST_SIZE];
    bool ann = false, bob = false;
    ck_assert_int_eq(rollout_plan_digest(plan, digest), STATUS_OK);
    for (size_t i = 0; i < state->approval_count; i++) {
        const struct approval *approval = &state->approvals[i];
        bool bound = approval->run == state->run && approval->seq == state->seq &&
                     text_is(approval->plan, digest);
        ann = ann || (bound && text_is(approval->by, "ann"));
        bob = bob || (bound && text_is(approval->by, "bob"));
    }
    return (unsigned)ann + (unsigned)bob;
}

static void check_gates(const struct world *world, const struct rollout_state *before)
{
    for (size_t i = 0; i < world->rollout.metric_count; i++) {
        const struct walk_gate *gate = &world->gates[i];
        if (gate->role == METRIC_INFO)
            continue;
        ck_assert_msg(gate->verdict == WALK_SUCCESS && gate->fresh && gate->enough_sample &&
                          gate->finished > before->since,
                      "grows past %s", walk_verdict_name(gate->verdict));
    }
}

/* Growing: past no hold, no gate, no approval, no closed hour. */
static void check_growth(const struct world *world, const struct rollout_state *before,
                         const struct walk_decision *decision)
{
    const struct rollout_state *after = decision->state;
    const struct calendar *calendar = world->task.calendar;
    bool first = decision->kind == WALK_START || decision->kind == WALK_RESUME;
    ck_assert(!calendar || calendar_is_open(calendar, world->task.now));
    ck_assert(!world->task.clock_drift);
    ck_assert_uint_eq(after->hold_count, 0);
    ck_assert(decision->kind == WALK_RESUME || before->hold_count == 0);
    if (!first)
        check_gates(world, before);
    if (decision->kind == WALK_OPEN_WINDOW) {
        ck_assert_uint_eq(after->phase, before->phase);
        ck_assert_int_le(after->ramp.done + after->ramp.length,
                         after->plan.items[after->phase].over);
    } else {
        ck_assert_uint_eq(after->phase, first ? 0 : before->phase + 1);
        ck_assert_uint_ge(approvals_of(before, &after->plan),
                          after->plan.items[after->phase].approvals);
    }
    if (calendar && after->ramp.length)
        ck_assert_int_eq(calendar_open_seconds(calendar, after->ramp.from,
                                               after->ramp.from + after->ramp.length),
                         after->ramp.length);
}

static void check_read_back(const struct rollout_state *state)
{
    struct rig rig;
    char *text = state_text(state);
    rig_init(&rig);
    rig_add(&rig, "flags/shop.yaml", text_of(ROLLOUT_FLAG));
    rig_add(&rig, "rollouts.yaml", text_of(ROLLOUT("shop-release", ROLLOUT_PHASES)));
    rig_add(&rig, "state/production/shop-release.yaml", text_of(text));
    ck_assert_msg(rig_link(&rig) == STATUS_OK, "%s\n%s", rig_story(&rig), text);
    ck_assert_uint_eq(rig.catalog.rollout_state_count, 1);
    char *again = state_text(rig.catalog.rollout_states[0]);
    ck_assert_str_eq(text, again);
    ck_assert(!rig.catalog.rollout_states[0]->is_foreign);
    free(text);
    free(again);
    rig_dispose(&rig);
    read_back++;
}

static void check_step_back(struct world *world, const struct rollout_state *before,
                            const struct rollout_state *after)
{
    struct walk_decision back;
    struct walk_verb verb = {.kind = VERB_STEP_BACK, .by = TEXT("ann")};
    ck_assert_int_eq(walk_verb(&world->task, after, &verb, &world->arena, &back), STATUS_OK);
    ck_assert_int_eq(back.kind, WALK_STEP_BACK);
    ck_assert_int_eq(compare_exposure(before, back.state, world->task.now), 0);
}

static void check_move(struct world *world, const struct rollout_state *before,
                       const struct walk_decision *decision)
{
    const struct rollout_state *after = decision->state;
    int change = compare_exposure(before, after, world->task.now);
    seen[decision->kind]++;
    ck_assert(decision->needs_commit);
    ck_assert_uint_eq(after->seq, before->seq + (decision->kind != WALK_APPROVE));
    ck_assert(rollout_state_has_intent(after, text_of(decision->intent)));
    ck_assert(!rollout_state_has_intent(before, text_of(decision->intent)));
    ck_assert_uint_ge(after->run, before->run);
    if (decision->users == WALK_GROW)
        ck_assert_int_ge(change, 0);
    else if (decision->users == WALK_SHRINK)
        ck_assert_int_le(change, 0);
    else
        ck_assert_int_eq(change, 0);
    ck_assert(decision->users != WALK_SHRINK || decision->needs_override);
    if (decision->users == WALK_GROW)
        check_growth(world, before, decision);
    if (decision->kind == WALK_COMPLETE)
        check_gates(world, before);
    if (decision->kind == WALK_ADVANCE)
        check_step_back(world, before, after);
    if (read_back < 150 && (after->seq % 7 == 3 || decision->kind >= WALK_STEP_BACK))
        check_read_back(after);
}

/* Somebody else who sees the same decides the same, by the same name. */
static void check_again(const struct world *world, const struct rollout_state *before)
{
    struct arena arena;
    struct walk_decision other;
    arena_init(&arena, 0);
    ck_assert_int_eq(walk_tick(&world->task, before, &arena, &other), STATUS_OK);
    ck_assert_int_eq(other.kind, world->decision.kind);
    ck_assert_str_eq(other.intent, world->decision.intent);
    ck_assert_int_eq(other.next, world->decision.next);
    arena_dispose(&arena);
}

/* --- twelve weeks ---------------------------------------------------------------------------- */

static void random_verb(struct world *world, uint64_t *seed)
{
    static const enum walk_verb_kind usual[] = {VERB_APPROVE, VERB_RESUME, VERB_RESUME, VERB_START,
                                                VERB_ADVANCE};
    struct rollout_state before = world->state;
    struct walk_verb verb = {.kind = chance(seed, 80)
                                         ? usual[draw(seed) % COUNT_OF(usual)]
                                         : (enum walk_verb_kind)(draw(seed) % VERB_COUNT),
                             .by = chance(seed, 50) ? TEXT("ann") : TEXT("bob"),
                             .lifts = chance(seed, 30) ? ~0U : 0};
    ck_assert_int_eq(walk_verb(&world->task, &world->state, &verb, &world->arena, &world->decision),
                     STATUS_OK);
    if (!world->decision.state)
        return;
    check_move(world, &before, &world->decision);
    world_apply(world);
    verb.intent = text_of(world->decision.intent);
    struct walk_decision second;
    ck_assert_int_eq(walk_verb(&world->task, &world->state, &verb, &world->arena, &second),
                     STATUS_OK);
    ck_assert_int_eq(second.kind, WALK_NONE);
}

static void walk_one(uint64_t seed)
{
    struct world world;
    random_world(&world, &seed);
    int64_t end = MONDAY + WEEKS * 7 * DAY;
    while (world.task.now < end) {
        struct rollout_state before = world.state;
        random_measurements(&world, &seed);
        world_tick(&world);
        check_again(&world, &before);
        if (world.decision.state)
            check_move(&world, &before, &world.decision);
        ck_assert_int_gt(world.decision.next, world.task.now);
        int64_t jump = 1 + (int64_t)(draw(&seed) % (12 * HOUR));
        bool wait = world.decision.next - world.task.now < jump && chance(&seed, 80);
        world.task.now = wait ? world.decision.next : world.task.now + jump;
        if (chance(&seed, 15)) {
            random_measurements(&world, &seed);
            random_verb(&world, &seed);
        }
        if (chance(&seed, 1)) /* somebody edits what is to come */
            world.phases[world.plan.count - 1].bake = (int64_t)(draw(&seed) % DAY);
    }
    calendar_free((struct calendar *)world.task.calendar);
    world_dispose(&world);
}

START_TEST(every_walk_keeps_its_promises)
{
    for (uint64_t i = 0; i < WALKS; i++)
        walk_one(i * 7919 + 1);
    for (int kind = WALK_START; kind <= WALK_UNKILL; kind++) {
        if (kind != WALK_CLOSE_WINDOW) /* calendars are not edited here */
            ck_assert_msg(seen[kind] > 0, "nothing did %s", walk_kind_name((enum walk_kind)kind));
    }
    ck_assert_uint_ge(read_back, 100);
}
END_TEST

/* Every allocation that fails is told, and nothing is decided by halves. */
START_TEST(a_walk_without_memory_says_so)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 5 * DAY);
    bool done = false;
    for (size_t maximum = 1; maximum < 1 << 20 && !done; maximum += maximum / 4 + 64) {
        struct arena arena;
        struct walk_decision decision;
        arena_init(&arena, maximum);
        enum status status = walk_tick(&world.task, &world.state, &arena, &decision);
        done = status == STATUS_OK && decision.kind == WALK_ADVANCE;
        ck_assert(done || status == STATUS_NO_MEMORY);
        arena_dispose(&arena);
    }
    ck_assert(done);
    world_dispose(&world);
}
END_TEST

UNIT_MAIN("walk_properties", every_walk_keeps_its_promises, a_walk_without_memory_says_so)
