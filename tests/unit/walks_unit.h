/* walks_unit.h - what tests of the machine share: a rollout, what is known of it, and its moves. */
#ifndef WEIR_TESTS_WALKS_UNIT_H
#define WEIR_TESTS_WALKS_UNIT_H

#include "rollouts_unit.h"

#include "../../rules/walk.h"

#define SHARED static inline __attribute__((unused))
#define HOUR 3600
#define DAY 86400
#define MONDAY INT64_C(1795438800) /* 2026-11-23T13:00:00Z */

static struct name walk_metrics[] = {{.text = {"errors", 6}}};

struct world {
    struct arena arena;
    struct rollout rollout;
    struct phase phases[8];
    struct phases plan;
    struct walk_gate gates[4];
    struct walk_task task;
    struct rollout_state state;
    struct walk_decision decision;
};

/* A rollout of the phases of rollouts_unit.h, watched by the guardrail `errors`, which passes. */
SHARED void world_init(struct world *world)
{
    *world = (struct world){0};
    arena_init(&world->arena, 0);
    world->rollout = (struct rollout){.name.text = TEXT("shop-release"),
                                      .flag.text = TEXT("shop"),
                                      .environment.text = TEXT("production"),
                                      .variant.text = TEXT("on"),
                                      .control.text = TEXT("off"),
                                      .seed = TEXT("s1"),
                                      .metrics = walk_metrics,
                                      .metric_count = 1};
    memcpy(world->phases, phase_items, sizeof phase_items);
    world->plan = (struct phases){world->phases, COUNT_OF(phase_items)};
    world->gates[0] = (struct walk_gate){.metric = TEXT("errors"), .role = METRIC_GUARDRAIL};
    world->task = (struct walk_task){.rollout = &world->rollout,
                                     .phases = &world->plan,
                                     .now = MONDAY,
                                     .gates = world->gates,
                                     .gate_count = 1,
                                     .author = TEXT("author")};
    ck_assert_int_eq(walk_initial(&world->rollout, &world->arena, &world->state), STATUS_OK);
}

SHARED void world_dispose(struct world *world)
{
    arena_dispose(&world->arena);
}

/* All gates were measured now, as well as can be. */
SHARED void world_measure(struct world *world, enum walk_verdict verdict)
{
    int64_t from = walk_bake_from(&world->state), now = world->task.now;
    for (size_t i = 0; i < world->task.gate_count; i++) {
        struct walk_gate *gate = &world->gates[i];
        gate->verdict = verdict;
        gate->fresh = gate->enough_sample = true;
        gate->finished = now;
        gate->covered = from < now ? now - from : 0;
    }
}

SHARED const char *world_story(const struct world *world)
{
    static char story[4000];
    size_t at = 0;
    at += (size_t)snprintf(story, sizeof story, "%s", walk_kind_name(world->decision.kind));
    for (size_t i = 0; i < world->decision.reason_count && at < sizeof story - 500; i++)
        at += (size_t)snprintf(story + at, sizeof story - at, "; %s",
                               world->decision.reasons[i].words.data);
    return story;
}

SHARED enum walk_kind world_apply(struct world *world)
{
    if (world->decision.state)
        world->state = *world->decision.state;
    return world->decision.kind;
}

SHARED enum walk_kind world_tick(struct world *world)
{
    ck_assert_int_eq(walk_tick(&world->task, &world->state, &world->arena, &world->decision),
                     STATUS_OK);
    return world_apply(world);
}

SHARED enum walk_kind world_verb_as(struct world *world, enum walk_verb_kind kind, const char *by,
                                    uint32_t lifts)
{
    struct walk_verb verb = {.kind = kind, .by = text_of(by), .lifts = lifts};
    ck_assert_int_eq(walk_verb(&world->task, &world->state, &verb, &world->arena, &world->decision),
                     STATUS_OK);
    return world_apply(world);
}

SHARED enum walk_kind world_verb(struct world *world, enum walk_verb_kind kind)
{
    return world_verb_as(world, kind, "ann", 0);
}

#define expect(world, did, wanted)                                                                 \
    do {                                                                                           \
        enum walk_kind kind_ = (did);                                                              \
        ck_assert_msg(kind_ == (wanted), "expected %s, got %s", walk_kind_name(wanted),            \
                      world_story(world));                                                         \
    } while (0)

SHARED bool world_says(const struct world *world, const char *words)
{
    for (size_t i = 0; i < world->decision.reason_count; i++) {
        if (text_is(world->decision.reasons[i].words, words))
            return true;
    }
    return false;
}

#define expect_words(world, words)                                                                 \
    ck_assert_msg(world_says(world, words), "no \"%s\" in: %s", words, world_story(world))

SHARED enum rollout_status world_status(const struct world *world)
{
    return rollout_state_status(&world->state);
}

/* Running in a phase, since now, with its gates measured a second later. */
SHARED void world_run(struct world *world, size_t phase)
{
    expect(world, world_verb(world, VERB_START), WALK_START);
    world->state.phase = phase;
    world->state.ramp = (struct ramp_window){0};
    if (phase == PHASE_TEN)
        world->state.ramp.from = world->task.now;
    world->task.now += 1;
    world_measure(world, WALK_SUCCESS);
}

/* So much later, measured without a gap. */
SHARED void world_pass(struct world *world, int64_t seconds)
{
    world->task.now += seconds;
    world_measure(world, WALK_SUCCESS);
}

/* Monday to Thursday, 09:00 to 16:00 in UTC; two weeks from MONDAY on two days are frozen. */
SHARED struct calendar *office_hours(void)
{
    struct calendar_window window = {.days = 0xf, .from = 9 * HOUR, .to = 16 * HOUR};
    struct calendar_freeze freeze = {
        .first = MONDAY / DAY + 14, .last = MONDAY / DAY + 15, .reason = TEXT("Easter")};
    struct calendar *calendar;
    struct error error;
    ck_assert_int_eq(calendar_new(&window, 1, &freeze, 1, NULL, &calendar, &error), STATUS_OK);
    return calendar;
}

#endif
