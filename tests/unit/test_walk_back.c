/* The machine's table, the other half: what takes users back, ramps, and plans that are edited. */
#include "walks_unit.h"

/* --- step-back, rollback, kill --------------------------------------------------------------- */

START_TEST(a_guardrail_does_what_on_breach_says)
{
    static const struct {
        enum on_breach action;
        enum walk_kind kind;
        enum rollout_status status;
    } cases[] = {{BREACH_ROLLBACK, WALK_ROLLBACK, ROLLOUT_ROLLED_BACK},
                 {BREACH_STEP_BACK, WALK_STEP_BACK, ROLLOUT_HELD},
                 {BREACH_PAUSE, WALK_HOLD, ROLLOUT_HELD},
                 {BREACH_KILL, WALK_KILL, ROLLOUT_KILLED}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (int held = 0; held < 2; held++) {
            struct world world;
            world_init(&world);
            world.rollout.on_breach = cases[i].action;
            world_run(&world, PHASE_CANARY);
            if (held)
                expect(&world, world_verb(&world, VERB_PAUSE), WALK_PAUSE);
            world_measure(&world, WALK_FAILURE);
            world.gates[0].evidence = TEXT("0.031 > 0.01");
            expect(&world, world_tick(&world), cases[i].kind);
            ck_assert_int_eq(world_status(&world), cases[i].status);
            ck_assert_int_eq(world.decision.needs_override, cases[i].kind != WALK_HOLD);
            ck_assert_int_eq(world.decision.users,
                             cases[i].kind == WALK_HOLD ? WALK_SAME : WALK_SHRINK);
            ck_assert_text(world.decision.evidence, "errors: 0.031 > 0.01");
            expect(&world, world_tick(&world), WALK_WAIT); /* once */
            world_dispose(&world);
        }
    }
}
END_TEST

START_TEST(shrinking_waits_for_nothing)
{
    struct world world;
    world_init(&world);
    struct calendar *calendar = office_hours();
    world_run(&world, PHASE_CANARY);
    world.task.calendar = calendar;
    world.task.now = MONDAY + 14 * DAY; /* a freeze */
    world_measure(&world, WALK_FAILURE);
    world.task.clock_drift = world.task.targets_behind = true;
    expect(&world, world_tick(&world), WALK_ROLLBACK);
    calendar_free(calendar);
    world_dispose(&world);
}
END_TEST

START_TEST(a_completed_rollout_is_watched_still)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_ALL);
    world.state.rollbacks = 3;
    expect(&world, world_tick(&world), WALK_COMPLETE);
    world.task.now += DAY;
    world_measure(&world, WALK_FAILURE);
    expect(&world, world_tick(&world), WALK_ROLLBACK);
    ck_assert_int_eq(world.state.holds[0].until, world.task.now + HOUR); /* the first in a row */
    world_dispose(&world);
}
END_TEST

START_TEST(a_breaker_kills)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_CANARY);
    world.gates[0].role = METRIC_BREAKER;
    world.task.automatic_rollbacks = 100; /* no cap for it */
    world_measure(&world, WALK_FAILURE);
    world.gates[0].evidence = TEXT("0.9 > 0.1");
    expect(&world, world_tick(&world), WALK_KILL);
    ck_assert(world.decision.needs_override);
    ck_assert_text(world.decision.evidence, "errors: 0.9 > 0.1");
    world_dispose(&world);
}
END_TEST

START_TEST(silence_is_a_failure)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_CANARY);
    world_measure(&world, WALK_NO_DATA);
    world.gates[0].silent = true;
    expect(&world, world_tick(&world), WALK_ROLLBACK);
    ck_assert_text(world.decision.evidence, "errors: silent while control speaks");
    world_dispose(&world);
}
END_TEST

START_TEST(no_data_waits)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_CANARY);
    world_pass(&world, 30 * DAY);
    world.gates[0].verdict = WALK_NO_DATA;
    expect(&world, world_tick(&world), WALK_WAIT);
    world_dispose(&world);
}
END_TEST

START_TEST(a_signal_holds_and_info_does_nothing)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_CANARY);
    world_measure(&world, WALK_FAILURE);
    world.gates[0].role = METRIC_INFO;
    expect(&world, world_tick(&world), WALK_WAIT);
    world.gates[0].role = METRIC_SIGNAL;
    expect(&world, world_tick(&world), WALK_HOLD);
    ck_assert_int_eq(world.decision.hold, HOLD_SIGNAL);
    expect(&world, world_tick(&world), WALK_WAIT);
    world.task.now += 1;
    world.gates[0].restarted = world.task.now; /* a changed metric lifts nothing */
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "hold signal by weir");
    world.gates[0].restarted = 0;
    expect(&world, world_verb(&world, VERB_RESUME), WALK_RESUME);
    expect(&world, world_tick(&world), WALK_WAIT); /* evidence from 0 */
    world_dispose(&world);
}
END_TEST

START_TEST(stepping_back_goes_one_phase_back_and_from_the_first_to_control)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_HALF);
    expect(&world, world_verb(&world, VERB_STEP_BACK), WALK_STEP_BACK);
    ck_assert_uint_eq(world.state.phase, PHASE_TEN);
    ck_assert_uint_eq(rollout_share_at(&world.state, world.task.now), 10000);
    ck_assert_int_eq(world.state.ramp.done, 3 * DAY);
    expect(&world, world_verb(&world, VERB_STEP_BACK), WALK_STEP_BACK);
    expect(&world, world_verb(&world, VERB_STEP_BACK), WALK_STEP_BACK);
    ck_assert_uint_eq(world.state.phase, PHASE_STAFF);
    expect(&world, world_verb(&world, VERB_STEP_BACK), WALK_ROLLBACK);
    ck_assert_int_eq(world_status(&world), ROLLOUT_ROLLED_BACK);
    expect(&world, world_verb(&world, VERB_STEP_BACK), WALK_NONE);
    expect(&world, world_verb(&world, VERB_ROLLBACK), WALK_NONE);
    world_dispose(&world);
}
END_TEST

/* Rollback: any but killed; kill: any. Timers are void, and holds that others put stay. */
START_TEST(wherever_it_stands_it_is_rolled_back_and_killed)
{
    static const enum walk_verb_kind verbs[] = {VERB_ROLLBACK, VERB_KILL};
    static const enum walk_kind kinds[] = {WALK_ROLLBACK, WALK_KILL};
    static const enum rollout_course courses[] = {COURSE_PENDING, COURSE_RUNNING, COURSE_COMPLETED};
    for (size_t i = 0; i < 2 * COUNT_OF(courses); i++) {
        struct world world;
        enum rollout_course course = courses[i / 2];
        world_init(&world);
        if (course != COURSE_PENDING)
            world_run(&world, PHASE_ALL);
        world.state.course = course;
        world.state.bake = world.state.spent = 10;
        world.task.now += DAY;
        expect(&world, world_verb(&world, verbs[i % 2]), kinds[i % 2]);
        ck_assert(world.decision.needs_override);
        ck_assert_int_eq(world.decision.users, WALK_SHRINK);
        ck_assert_int_eq(world.state.since, world.task.now);
        ck_assert_int_eq(world.state.bake + world.state.spent, 0);
        if (verbs[i % 2] == VERB_ROLLBACK) {
            expect(&world, world_verb(&world, VERB_KILL), WALK_KILL);
            ck_assert(world.decision.needs_override);
            ck_assert_int_eq(world.decision.users, WALK_SAME);
        }
        ck_assert_uint_eq(world.state.rollbacks, course != COURSE_PENDING); /* once */
        world_dispose(&world);
    }
}
END_TEST

START_TEST(no_way_back_lifts_a_ratio_mismatch)
{
    static const enum walk_verb_kind verbs[] = {VERB_ROLLBACK, VERB_KILL};
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        struct world world;
        world_init(&world);
        world_run(&world, PHASE_CANARY);
        expect(&world, world_verb(&world, VERB_PAUSE), WALK_PAUSE);
        world.task.ratio_mismatch = true;
        world.task.ratio_evidence = TEXT("share 0.3 of 0.5");
        expect(&world, world_tick(&world), WALK_HOLD); /* what is paused too */
        ck_assert_text(world.decision.evidence, "share 0.3 of 0.5");
        expect(&world, world_verb(&world, verbs[i]), i ? WALK_KILL : WALK_ROLLBACK);
        if (i)
            expect(&world, world_verb(&world, VERB_UNKILL), WALK_UNKILL);
        world.task.now += HOUR;
        expect(&world, world_verb(&world, VERB_RESUME), WALK_REFUSE);
        expect_words(&world, "hold ratio: is lifted only by its name");
        expect(&world, world_verb_as(&world, VERB_RESUME, "ann", ~0U), WALK_RESUME);
        ck_assert_int_eq(world_status(&world), ROLLOUT_RUNNING);
        world_dispose(&world);
    }
}
END_TEST

START_TEST(a_growing_hold_follows_rollbacks_in_a_row)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    for (int i = 0; i < 4; i++) {
        uint32_t run = world.state.run;
        int64_t hold = HOUR << i;
        expect(&world, world_verb(&world, VERB_ROLLBACK), WALK_ROLLBACK);
        world.task.now += hold - 1;
        expect(&world, world_tick(&world), WALK_WAIT);
        ck_assert_int_eq(world.decision.next, world.task.now + 1);
        expect(&world, world_verb(&world, VERB_RESUME), WALK_REFUSE);
        world.task.now += 1;
        expect(&world, world_verb(&world, VERB_RESUME), WALK_RESUME);
        ck_assert_int_eq(world.decision.users, WALK_GROW);
        ck_assert_uint_eq(world.state.run, run + 1);
        ck_assert_uint_eq(world.state.phase, 0);
    }
    world_pass(&world, 5 * DAY);
    expect(&world, world_tick(&world), WALK_ADVANCE);
    expect(&world, world_verb(&world, VERB_ROLLBACK), WALK_ROLLBACK);
    ck_assert_int_eq(world.state.holds[0].until, world.task.now + HOUR);
    world_dispose(&world);
}
END_TEST

START_TEST(only_unkill_leaves_a_kill)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_HALF);
    expect(&world, world_verb(&world, VERB_KILL), WALK_KILL);
    ck_assert(world.decision.needs_override);
    expect(&world, world_verb(&world, VERB_KILL), WALK_NONE);
    expect(&world, world_verb(&world, VERB_ROLLBACK), WALK_NONE);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_REFUSE);
    expect_words(&world, "cannot resume: the rollout is killed; unkill it first");
    expect(&world, world_verb(&world, VERB_UNKILL), WALK_UNKILL);
    ck_assert_int_eq(world.decision.users, WALK_SAME);
    ck_assert_int_eq(world_status(&world), ROLLOUT_ROLLED_BACK);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_REFUSE);
    world.task.now += HOUR;
    expect(&world, world_verb(&world, VERB_RESUME), WALK_RESUME);
    ck_assert_uint_eq(world.state.run, 2);
    world_dispose(&world);
}
END_TEST

START_TEST(too_many_rollbacks_hold_instead)
{
    struct world world;
    static const enum on_breach actions[] = {BREACH_STEP_BACK, BREACH_KILL, BREACH_ROLLBACK};
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        world_init(&world);
        world.rollout.on_breach = actions[i];
        world_run(&world, PHASE_HALF);
        world.task.automatic_rollbacks = WALK_BLAST_CAP;
        world_measure(&world, WALK_FAILURE);
        expect(&world, world_tick(&world), WALK_HOLD);
        ck_assert_int_eq(world.decision.hold, HOLD_BLAST);
        if (i + 1 < COUNT_OF(actions))
            world_dispose(&world);
    }
    world.task.automatic_rollbacks = 0;
    expect(&world, world_tick(&world), WALK_WAIT); /* a person decides */
    world.task.automatic_rollbacks = WALK_BLAST_CAP;
    expect(&world, world_verb(&world, VERB_ROLLBACK), WALK_ROLLBACK); /* who is exempt */
    world_dispose(&world);
}
END_TEST

START_TEST(files_that_others_touched_are_held)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_CANARY);
    world.task.unreadable = true;
    expect(&world, world_tick(&world), WALK_HOLD);
    ck_assert_int_eq(world.decision.hold, HOLD_UNREADABLE);
    struct walk_decision breach;
    world_measure(&world, WALK_FAILURE); /* which does not wait until it can be read */
    ck_assert_int_eq(walk_tick(&world.task, &world.state, &world.arena, &breach), STATUS_OK);
    expect(&world, breach.kind, WALK_ROLLBACK);
    world_measure(&world, WALK_SUCCESS);
    world.task.unreadable = false;
    world.task.foreign_edit = true;
    expect(&world, world_tick(&world), WALK_HOLD);
    ck_assert_int_eq(world.decision.hold, HOLD_FOREIGN_EDIT);
    world.task.foreign_edit = false;
    expect(&world, world_verb(&world, VERB_RESUME), WALK_REFUSE);
    expect(
        &world,
        world_verb_as(&world, VERB_RESUME, "ann", 1U << HOLD_UNREADABLE | 1U << HOLD_FOREIGN_EDIT),
        WALK_RESUME);
    ck_assert_int_eq(world_status(&world), ROLLOUT_RUNNING);
    world_dispose(&world);
}
END_TEST

/* A state without a plan is none: its file could not be read, and would be written for ever. */
START_TEST(without_a_plan_no_file_is_written)
{
    struct world world;
    struct name many[PHASE_METRICS_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = walk_metrics[0];
    world_init(&world);
    world.rollout.metrics = many;
    world.rollout.metric_count = COUNT_OF(many);
    world.task.unreadable = true;
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "plan: a phase has more than 32 metrics");
    world.task.unreadable = false;
    world.rollout.metric_count = 1;
    world.task.foreign_edit = true;
    expect(&world, world_tick(&world), WALK_HOLD);
    world.task.foreign_edit = false;
    world.rollout.metric_count = COUNT_OF(many);
    expect(&world, world_verb_as(&world, VERB_RESUME, "ann", 1U << HOLD_FOREIGN_EDIT), WALK_REFUSE);
    world.rollout.metric_count = 1;
    expect(&world, world_verb_as(&world, VERB_RESUME, "ann", 1U << HOLD_FOREIGN_EDIT), WALK_RESUME);
    world_dispose(&world);
}
END_TEST

/* --- ramps ----------------------------------------------------------------------------------- */

START_TEST(a_ramp_grows_by_windows_up_to_checkpoints)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_CANARY);
    world_pass(&world, 6 * DAY);
    expect(&world, world_tick(&world), WALK_ADVANCE);
    int64_t begin = world.task.now;
    ck_assert_int_eq(world.state.ramp.from, begin);
    ck_assert_int_eq(world.state.ramp.length, DAY);
    for (int i = 1; i < 3; i++) {
        world_pass(&world, DAY / 2);
        expect(&world, world_tick(&world), WALK_WAIT);
        ck_assert_int_eq(world.decision.next, begin + i * DAY);
        world.task.now = begin + i * DAY;
        world_measure(&world, i == 1 ? WALK_ERROR : WALK_SUCCESS);
        if (i == 1) { /* no window without gates */
            expect(&world, world_tick(&world), WALK_WAIT);
            expect_words(&world, "ramp 1d of 3d");
            world_measure(&world, WALK_SUCCESS);
        }
        expect(&world, world_tick(&world), WALK_OPEN_WINDOW);
        ck_assert_int_eq(world.decision.users, WALK_GROW);
        ck_assert_int_eq(world.state.ramp.done, i * DAY);
        ck_assert_uint_eq(world.state.phase, PHASE_TEN);
    }
    world.task.now = begin + 3 * DAY;
    world_measure(&world, WALK_SUCCESS);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "bake 0s of 7d"); /* which begins at its end */
    ck_assert_uint_eq(rollout_share_at(&world.state, world.task.now), 10000);
    world_dispose(&world);
}
END_TEST

START_TEST(windows_wait_for_targets)
{
    struct world world;
    world_init(&world);
    world.phases[PHASE_TEN].checkpoint = 0;
    world_run(&world, PHASE_CANARY);
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_ADVANCE);
    ck_assert_int_eq(world.state.ramp.length, DAY); /* by default */
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_APPROVE);
    world_pass(&world, DAY);
    world.task.targets_behind = true;
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "targets: not all have acknowledged");
    world.task.targets_behind = false;
    expect(&world, world_tick(&world), WALK_OPEN_WINDOW);
    ck_assert_uint_eq(world.state.approval_count, 1); /* of the phase that comes next */
    world_dispose(&world);
}
END_TEST

START_TEST(windows_lie_in_open_hours)
{
    struct world world;
    world_init(&world);
    struct calendar *calendar = office_hours();
    world.task.calendar = calendar;
    world_run(&world, PHASE_CANARY);
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_ADVANCE); /* at 13:00:01 */
    ck_assert_int_eq(world.state.ramp.length, 3 * HOUR - 1);
    world.task.now = MONDAY + 3 * HOUR; /* 16:00 */
    world_measure(&world, WALK_SUCCESS);
    expect(&world, world_tick(&world), WALK_WAIT);
    ck_assert_int_eq(world.decision.next, MONDAY + 20 * HOUR);
    world.task.now = MONDAY + 20 * HOUR; /* Tuesday, 09:00 */
    world_measure(&world, WALK_SUCCESS);
    expect(&world, world_tick(&world), WALK_OPEN_WINDOW);
    ck_assert_int_eq(world.state.ramp.done, 3 * HOUR - 1);
    ck_assert_int_eq(world.state.ramp.length, 7 * HOUR);
    calendar_free(calendar);
    world_dispose(&world);
}
END_TEST

START_TEST(a_calendar_that_closes_over_a_window_closes_it)
{
    struct world world;
    world_init(&world);
    struct calendar *calendar = office_hours();
    world_run(&world, PHASE_CANARY);
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_ADVANCE);
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_APPROVE);
    world.task.calendar = calendar;
    world_pass(&world, 4 * HOUR);
    expect(&world, world_tick(&world), WALK_CLOSE_WINDOW);
    ck_assert_uint_eq(world.state.approval_count, 1);
    ck_assert_int_eq(world.state.ramp.done, 4 * HOUR);
    ck_assert_int_eq(world.state.ramp.length, 0);
    expect(&world, world_tick(&world), WALK_WAIT);
    calendar_free(calendar);
    world_dispose(&world);
}
END_TEST

START_TEST(a_ramp_that_is_stopped_stands)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_CANARY);
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_ADVANCE);
    world_pass(&world, 6 * HOUR);
    uint32_t share = rollout_share_at(&world.state, world.task.now);
    expect(&world, world_verb(&world, VERB_HALT), WALK_HOLD);
    ck_assert_int_eq(world.state.ramp.done, 6 * HOUR);
    ck_assert_int_eq(world.state.ramp.length, 0);
    ck_assert_uint_eq(rollout_share_at(&world.state, world.task.now + 90 * DAY), share);
    expect(&world, world_verb(&world, VERB_STEP_BACK), WALK_STEP_BACK);
    ck_assert_uint_eq(rollout_share_at(&world.state, world.task.now), 1000);
    world_dispose(&world);
}
END_TEST

/* --- edits ----------------------------------------------------------------------------------- */

START_TEST(an_edit_reaches_only_phases_not_yet_entered)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_TEN);
    world.state.ramp.done = 3 * DAY;
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_APPROVE);
    world.phases[PHASE_TEN].bake = DAY;
    world.phases[PHASE_STAFF].bake = DAY;
    expect(&world, world_tick(&world), WALK_WAIT); /* nothing that is still to come */
    world.phases[PHASE_HALF].share = 40000;
    struct rollout_state before = world.state;
    expect(&world, world_verb(&world, VERB_PAUSE), WALK_PAUSE); /* nor by another move */
    ck_assert_uint_eq(world.state.plan.items[PHASE_HALF].share, 50000);
    ck_assert_int_eq(world.state.plan.items[PHASE_TEN].bake, 7 * DAY);
    world.state = before;
    expect(&world, world_tick(&world), WALK_REPLAN);
    ck_assert_uint_eq(world.state.plan.items[PHASE_HALF].share, 40000);
    ck_assert_int_eq(world.state.plan.items[PHASE_TEN].bake, 7 * DAY);
    ck_assert_uint_eq(world.state.approval_count, 0);
    ck_assert_int_eq(world.state.since, MONDAY);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "approvals 0 of 2");
    world_dispose(&world);
}
END_TEST

START_TEST(an_edit_of_what_comes_next_comes_before_it)
{
    struct name metrics[] = {{.text = TEXT("errors")}, {.text = TEXT("slow")}};
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 5 * DAY);
    world.phases[PHASE_ALL].metrics = metrics;
    world.phases[PHASE_ALL].metric_count = 2;
    expect(&world, world_tick(&world), WALK_REPLAN); /* and not an advance by the old plan */
    ck_assert_uint_eq(world.state.phase, PHASE_STAFF);
    ck_assert_uint_eq(world.state.plan.items[PHASE_ALL].metric_count, 2);
    metrics[1].text = TEXT("slower");
    expect(&world, world_tick(&world), WALK_REPLAN);
    world.plan.count--;
    expect(&world, world_tick(&world), WALK_REPLAN);
    ck_assert_uint_eq(world.state.plan.count, PHASE_ALL);
    expect(&world, world_tick(&world), WALK_ADVANCE);
    world.phases[PHASE_STAFF].name = TEXT("people"); /* nothing that was entered is left of it */
    world.phases[PHASE_CANARY].name = TEXT("early");
    expect(&world, world_tick(&world), WALK_REPLAN);
    ck_assert_text(world.state.plan.items[PHASE_CANARY].name, "canary");
    ck_assert_text(world.state.plan.items[PHASE_TEN].name, "people");
    ck_assert_text(world.state.plan.items[PHASE_HALF].name, "early");
    world_dispose(&world);
}
END_TEST

START_TEST(a_phase_whose_name_is_gone_stays_while_it_is_the_one)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_CANARY);
    world.phases[PHASE_CANARY].name = TEXT("early");
    expect(&world, world_tick(&world), WALK_REPLAN);
    ck_assert_text(world.state.plan.items[world.state.phase].name, "canary");
    ck_assert_text(world.state.plan.items[world.state.phase + 1].name, "early");
    expect(&world, world_tick(&world), WALK_WAIT);
    world_dispose(&world);
}
END_TEST

START_TEST(a_changed_metric_bakes_again)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 5 * DAY);
    world.gates[0].restarted = world.task.now - DAY;
    world.gates[0].covered = DAY;
    world.state.bake = 2 * DAY; /* of before a pause: nor does that count */
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "bake 1d of 5d");
    world_dispose(&world);
}
END_TEST

/* --- recorded once --------------------------------------------------------------------------- */

START_TEST(an_override_is_recorded_on_whatever_tip_there_is)
{
    struct world world, other;
    char intent[INTENT_TEXT_SIZE];
    world_init(&world);
    world_run(&world, PHASE_CANARY);
    world_init(&other);
    world_run(&other, PHASE_CANARY);
    expect(&other, world_verb(&other, VERB_ROLLBACK), WALK_ROLLBACK);
    memcpy(intent, other.decision.intent, sizeof intent);
    struct walk_verb verb = {.kind = VERB_ROLLBACK,
                             .by = TEXT("weir"),
                             .intent = text_of(intent),
                             .run = other.state.run};
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_ADVANCE); /* meanwhile */
    ck_assert_int_eq(walk_verb(&world.task, &world.state, &verb, &world.arena, &world.decision),
                     STATUS_OK);
    expect(&world, world_apply(&world), WALK_ROLLBACK);
    ck_assert(rollout_state_has_intent(&world.state, text_of(intent)));
    ck_assert_int_eq(walk_verb(&world.task, &world.state, &verb, &world.arena, &world.decision),
                     STATUS_OK);
    expect(&world, world.decision.kind, WALK_NONE);
    world.task.now += HOUR; /* a later run is not touched by it */
    expect(&world, world_verb(&world, VERB_RESUME), WALK_RESUME);
    world.state.intent_count = 0;
    ck_assert_int_eq(walk_verb(&world.task, &world.state, &verb, &world.arena, &world.decision),
                     STATUS_OK);
    expect(&world, world.decision.kind, WALK_NONE);
    world_dispose(&world);
    world_dispose(&other);
}
END_TEST

UNIT_MAIN("walk_back", a_guardrail_does_what_on_breach_says, shrinking_waits_for_nothing,
          a_completed_rollout_is_watched_still, a_breaker_kills, silence_is_a_failure,
          no_data_waits, a_signal_holds_and_info_does_nothing,
          stepping_back_goes_one_phase_back_and_from_the_first_to_control,
          wherever_it_stands_it_is_rolled_back_and_killed, no_way_back_lifts_a_ratio_mismatch,
          a_growing_hold_follows_rollbacks_in_a_row, only_unkill_leaves_a_kill,
          too_many_rollbacks_hold_instead, files_that_others_touched_are_held,
          without_a_plan_no_file_is_written, a_ramp_grows_by_windows_up_to_checkpoints,
          windows_wait_for_targets, windows_lie_in_open_hours,
          a_calendar_that_closes_over_a_window_closes_it, a_ramp_that_is_stopped_stands,
          an_edit_reaches_only_phases_not_yet_entered, an_edit_of_what_comes_next_comes_before_it,
          a_phase_whose_name_is_gone_stays_while_it_is_the_one, a_changed_metric_bakes_again,
          an_override_is_recorded_on_whatever_tip_there_is)
