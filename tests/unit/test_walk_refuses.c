/* What the machine refuses, with words, and holds that nobody gets past. */
#include "walks_unit.h"

START_TEST(nothing_starts_past_a_hold_nor_without_a_plan)
{
    struct world world;
    world_init(&world);
    world.task.foreign_edit = true;
    expect(&world, world_tick(&world), WALK_HOLD);
    world.task.foreign_edit = false;
    expect(&world, world_verb(&world, VERB_START), WALK_REFUSE);
    expect_words(&world, "hold foreign-edit by weir");
    world.rollout.has_start = true;
    world.rollout.start = MONDAY;
    expect(&world, world_tick(&world), WALK_WAIT);
    world_dispose(&world);
    world_init(&world);
    world.task.phases = NULL;
    expect(&world, world_verb(&world, VERB_START), WALK_REFUSE);
    expect_words(&world, "plan: it has no phases");
    world_dispose(&world);
    world_init(&world);
    world_run(&world, PHASE_ALL);
    world.task.phases = NULL;
    world.state.phase++;
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "plan: the state is in no phase of it");
    world_dispose(&world);
}
END_TEST

/* Each person's pause and halt is a hold of its own; of as many as nobody needs some go, and none
 * of what weir found. */
START_TEST(each_person_holds)
{
    static const enum walk_verb_kind verbs[] = {VERB_HALT, VERB_PAUSE};
    static char names[HOLDS_MAX][8];
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world.task.ratio_mismatch = true;
    expect(&world, world_tick(&world), WALK_HOLD);
    world.task.ratio_mismatch = false;
    for (size_t i = 0; i < HOLDS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "p%zu", i);
        world_verb_as(&world, verbs[i % 2], names[i], 0);
        ck_assert_uint_eq(world.state.hold_count, i + 2 < HOLDS_MAX ? i + 2 : HOLDS_MAX);
        ck_assert_ptr_nonnull(rollout_state_hold(&world.state, HOLD_RATIO));
    }
    for (size_t i = 1; i < world.state.hold_count; i++)
        ck_assert_int_le(world.state.holds[i - 1].reason, world.state.holds[i].reason);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "hold pause by p1");
    expect_words(&world, "hold halt by p2");
    expect_words(&world, "hold ratio by weir");
    expect(&world, world_verb_as(&world, VERB_RESUME, "ann", ~0U), WALK_RESUME);
    ck_assert_int_eq(world_status(&world), ROLLOUT_RUNNING);
    world_dispose(&world);
}
END_TEST

START_TEST(what_makes_no_sense_where_it_stands_is_refused_with_words)
{
    static const struct {
        enum rollout_course course;
        enum walk_verb_kind verb;
        const char *words;
    } cases[] = {
        {COURSE_PENDING, VERB_PAUSE, "cannot pause: the rollout is pending"},
        {COURSE_PENDING, VERB_HALT, "cannot halt: the rollout is pending"},
        {COURSE_PENDING, VERB_ADVANCE, "cannot advance: the rollout is pending; start begins it"},
        {COURSE_PENDING, VERB_RESUME, "cannot resume: the rollout is pending; start begins it"},
        {COURSE_PENDING, VERB_STEP_BACK, "cannot step-back: the rollout is pending"},
        {COURSE_PENDING, VERB_UNKILL, "cannot unkill: the rollout is pending"},
        {COURSE_PENDING, VERB_UNPIN,
         "cannot unpin: the rollout is pending; flags are pinned, rollouts are not"},
        {COURSE_COMPLETED, VERB_APPROVE,
         "cannot approve: the rollout is completed; no phase comes next"},
        {COURSE_COMPLETED, VERB_START, "cannot start: the rollout is completed"},
        {COURSE_COMPLETED, VERB_PAUSE, "cannot pause: the rollout is completed"},
        {COURSE_COMPLETED, VERB_ADVANCE, "cannot advance: the rollout is completed"},
        {COURSE_ROLLED_BACK, VERB_HALT, "cannot halt: the rollout is rolledBack"},
        {COURSE_ROLLED_BACK, VERB_START,
         "cannot start: the rollout is rolledBack; resume starts it again"},
        {COURSE_KILLED, VERB_RESUME, "cannot resume: the rollout is killed; unkill it first"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct world world;
        world_init(&world);
        if (cases[i].course != COURSE_PENDING)
            world_run(&world, PHASE_ALL);
        world.state.course = cases[i].course;
        expect(&world, world_verb(&world, cases[i].verb), WALK_REFUSE);
        expect_words(&world, cases[i].words);
        world_dispose(&world);
    }
}
END_TEST

UNIT_MAIN("walk_refuses", nothing_starts_past_a_hold_nor_without_a_plan, each_person_holds,
          what_makes_no_sense_where_it_stands_is_refused_with_words)
