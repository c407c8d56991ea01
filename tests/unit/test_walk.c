/* The machine, a row of its table at a time: what moves, what it waits for, and who may. */
#include "walks_unit.h"

/* --- start, or its date ---------------------------------------------------------------------- */

START_TEST(a_rollout_starts_when_somebody_says_so)
{
    struct world world;
    world_init(&world);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "start: no date, a person starts it");
    ck_assert_int_eq(world.decision.next, WALK_NEVER);
    expect(&world, world_verb(&world, VERB_START), WALK_START);
    ck_assert(world.decision.needs_commit && !world.decision.needs_override);
    ck_assert_int_eq(world.decision.users, WALK_GROW);
    ck_assert_uint_eq(world.state.run, 1);
    ck_assert_uint_eq(world.state.seq, 1);
    ck_assert_uint_eq(world.state.phase, PHASE_STAFF);
    ck_assert_int_eq(world.state.since, MONDAY);
    ck_assert_uint_eq(world.state.plan.count, COUNT_OF(phase_items));
    ck_assert_text(world.state.plan.items[PHASE_HALF].metrics[0].text, "errors");
    ck_assert_text(world.state.name.text, "production/shop-release");
    expect(&world, world_verb(&world, VERB_START), WALK_NONE);
    world_dispose(&world);
}
END_TEST

START_TEST(a_rollout_starts_at_its_date)
{
    struct world world;
    world_init(&world);
    world.rollout.has_start = true;
    world.rollout.start = MONDAY + 6 * DAY; /* no weekday that may be taken for today's */
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "start: 2026-11-29 13:00");
    world.rollout.start--;
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "start: Sun 12:59");
    world.rollout.start = MONDAY + 2 * DAY;
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "start: Wed 13:00");
    ck_assert_int_eq(world.decision.next, MONDAY + 2 * DAY);
    world.task.now = world.decision.next;
    expect(&world, world_tick(&world), WALK_START);
    ck_assert_int_eq(world.state.since, MONDAY + 2 * DAY);
    world_dispose(&world);
}
END_TEST

START_TEST(the_first_phase_is_approved_too)
{
    struct world world;
    world_init(&world);
    world.phases[0].approvals = 1;
    expect(&world, world_verb(&world, VERB_START), WALK_REFUSE);
    expect_words(&world, "approvals 0 of 1");
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_APPROVE);
    ck_assert_int_eq(world.state.course, COURSE_PENDING);
    world.phases[2].bake += DAY; /* another plan than was approved */
    expect(&world, world_verb(&world, VERB_START), WALK_REFUSE);
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_APPROVE);
    expect(&world, world_verb(&world, VERB_START), WALK_START);
    ck_assert_uint_eq(world.state.seq, 1);
    world_dispose(&world);
}
END_TEST

/* --- gates pass, bake over ------------------------------------------------------------------- */

START_TEST(it_advances_when_the_bake_is_over_and_the_gates_pass)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "bake 1s of 5d");
    ck_assert_int_eq(world.decision.next, MONDAY + 5 * DAY);
    world_pass(&world, 3 * DAY);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "bake 3d of 5d");
    world.task.now = MONDAY + 5 * DAY - 1;
    world_measure(&world, WALK_SUCCESS);
    expect(&world, world_tick(&world), WALK_WAIT);
    world_pass(&world, 1);
    expect(&world, world_tick(&world), WALK_ADVANCE);
    ck_assert_int_eq(world.decision.users, WALK_GROW);
    ck_assert_uint_eq(world.state.seq, 2);
    ck_assert_uint_eq(world.state.phase, PHASE_CANARY);
    ck_assert_int_eq(world.state.since, MONDAY + 5 * DAY);
    world_dispose(&world);
}
END_TEST

START_TEST(it_completes_after_its_last_bake)
{
    struct world world;
    world_init(&world);
    world.phases[PHASE_ALL].bake = DAY;
    world_run(&world, PHASE_ALL);
    expect(&world, world_tick(&world), WALK_WAIT);
    world_pass(&world, DAY);
    expect(&world, world_tick(&world), WALK_COMPLETE);
    ck_assert_int_eq(world_status(&world), ROLLOUT_COMPLETED);
    ck_assert_int_eq(world.state.since, world.task.now);
    ck_assert_int_eq(world.decision.users, WALK_SAME);
    ck_assert_uint_eq(rollout_share_at(&world.state, world.task.now), SPLIT_TOTAL);
    world_pass(&world, DAY);
    expect(&world, world_tick(&world), WALK_NONE);
    world_dispose(&world);
}
END_TEST

START_TEST(catching_up_never_folds_two_phases)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 60 * DAY);
    expect(&world, world_tick(&world), WALK_ADVANCE);
    ck_assert_int_eq(world.state.since, MONDAY + 60 * DAY + 1);
    expect(&world, world_tick(&world), WALK_WAIT); /* its own bake begins now */
    expect_words(&world, "phase canary: has just begun");
    world.task.now += DAY; /* what was measured before says nothing of it */
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "metric errors: no data");
    world_dispose(&world);
}
END_TEST

/* --- waiting --------------------------------------------------------------------------------- */

START_TEST(growing_waits_for_the_calendar)
{
    struct world world;
    world_init(&world);
    struct calendar *calendar = office_hours();
    world.task.calendar = calendar;
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 5 * DAY - 1); /* Saturday */
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "calendar: opens Mon 09:00");
    ck_assert_int_eq(world.decision.next, MONDAY + 7 * DAY - 4 * HOUR);
    world.task.now = MONDAY + 14 * DAY;
    world_measure(&world, WALK_SUCCESS);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "calendar: frozen for Easter, opens Wed 09:00");
    world.task.now = world.decision.next;
    world_measure(&world, WALK_SUCCESS);
    expect(&world, world_tick(&world), WALK_ADVANCE);
    calendar_free(calendar);
    world_dispose(&world);
}
END_TEST

START_TEST(growing_waits_for_every_gate)
{
    static const struct {
        enum walk_verdict verdict;
        bool fresh, sample;
        const char *words;
    } cases[] = {
        {WALK_NO_DATA, true, true, "metric errors: no data"},
        {WALK_ERROR, true, true, "metric errors: error"},
        {WALK_INCONCLUSIVE, true, true, "metric errors: inconclusive"},
        {WALK_SUCCESS, false, true, "metric errors: last measured more than two intervals ago"},
        {WALK_SUCCESS, true, false, "metric errors: fewer than minimumSample"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct world world;
        world_init(&world);
        world_run(&world, PHASE_STAFF);
        world_pass(&world, 6 * DAY);
        world.gates[0].verdict = cases[i].verdict;
        world.gates[0].fresh = cases[i].fresh;
        world.gates[0].enough_sample = cases[i].sample;
        expect(&world, world_tick(&world), WALK_WAIT);
        expect_words(&world, cases[i].words);
        expect(&world, world_verb(&world, VERB_ADVANCE), WALK_REFUSE);
        expect_words(&world, cases[i].words);
        world_dispose(&world);
    }
}
END_TEST

/* One that informs keeps nothing from growing, nor hides one that gates. */
START_TEST(the_metric_that_has_measured_least_bakes)
{
    struct name metrics[] = {{.text = TEXT("errors")}, {.text = TEXT("slow")}};
    struct world world;
    world_init(&world);
    world.phases[PHASE_STAFF].metrics = metrics;
    world.phases[PHASE_STAFF].metric_count = world.task.gate_count = 2;
    world.gates[0].role = METRIC_INFO;
    world.gates[1] = (struct walk_gate){.metric = TEXT("slow"), .role = METRIC_GUARDRAIL};
    world_run(&world, PHASE_STAFF);
    ck_assert_uint_eq(world.state.plan.items[PHASE_STAFF].metric_count, 2); /* none twice */
    world_pass(&world, 5 * DAY);
    world.gates[0].verdict = WALK_ERROR;
    world.gates[0].covered = 0;
    world.gates[1].covered = 2 * DAY;
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "bake 2d 12h of 5d");
    world.gates[1].covered = 4 * DAY;
    expect(&world, world_tick(&world), WALK_ADVANCE);
    world_dispose(&world);
}
END_TEST

START_TEST(a_metric_that_nobody_measures_is_no_data)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 6 * DAY);
    world.task.gate_count = 0;
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "metric errors: no data");
    expect_words(&world, "bake 0s of 5d");
    world_dispose(&world);
}
END_TEST

START_TEST(a_bake_counts_when_four_fifths_are_covered)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 5 * DAY - 1);
    world.gates[0].covered = 4 * DAY - 1;
    expect(&world, world_tick(&world), WALK_WAIT);
    ck_assert_int_eq(world.decision.next, world.task.now + 1);
    world.gates[0].covered = 4 * DAY;
    expect(&world, world_tick(&world), WALK_ADVANCE);
    world_dispose(&world);
}
END_TEST

START_TEST(growing_waits_for_clock_and_targets)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 6 * DAY);
    world.task.clock_drift = true;
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "clock: it jumped by more than 60 s, set it right");
    world.task.clock_drift = false;
    world.task.targets_behind = true;
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "targets: not all have acknowledged");
    world.task.targets_behind = false;
    expect(&world, world_tick(&world), WALK_ADVANCE);
    world_dispose(&world);
}
END_TEST

START_TEST(a_state_from_the_future_stops_growth_and_nothing_else)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world.task.now = MONDAY - 121;
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_REFUSE);
    expect_words(&world, "clock: the state is dated later than now");
    expect(&world, world_verb(&world, VERB_ROLLBACK), WALK_ROLLBACK);
    world_dispose(&world);
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world.task.now = MONDAY - 3600;
    world_measure(&world, WALK_SUCCESS);
    expect(&world, world_tick(&world), WALK_WAIT);
    world_measure(&world, WALK_FAILURE);
    expect(&world, world_tick(&world), WALK_ROLLBACK);
    world_dispose(&world);
}
END_TEST

/* --- approvals ------------------------------------------------------------------------------- */

START_TEST(approvals_are_of_distinct_people_who_did_not_write_it)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_TEN);
    world.state.ramp.done = 3 * DAY;
    world_pass(&world, 8 * DAY);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "approvals 0 of 2");
    expect(&world, world_verb_as(&world, VERB_APPROVE, "author", 0), WALK_REFUSE);
    expect(&world, world_verb_as(&world, VERB_APPROVE, "ann", 0), WALK_APPROVE);
    ck_assert(world.decision.needs_commit);
    expect(&world, world_verb_as(&world, VERB_APPROVE, "ann", 0), WALK_NONE);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "approvals 1 of 2");
    expect(&world, world_verb_as(&world, VERB_APPROVE, "bob", 0), WALK_APPROVE);
    world.task.author = TEXT("bob"); /* who then changed it */
    expect(&world, world_tick(&world), WALK_WAIT);
    world.task.author = TEXT("author");
    expect(&world, world_tick(&world), WALK_ADVANCE);
    ck_assert_uint_eq(world.state.approval_count, 0);
    world_dispose(&world);
}
END_TEST

START_TEST(an_approval_is_of_one_move_of_one_run)
{
    struct world world;
    char digest[PLAN_DIGEST_SIZE];
    world_init(&world);
    world.phases[PHASE_CANARY].approvals = 1;
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 6 * DAY);
    ck_assert_int_eq(rollout_plan_digest(&world.state.plan, digest), STATUS_OK);
    struct approval given = {TEXT("bob"), MONDAY, world.state.run, world.state.seq, {0}}, wrong[3];
    given.plan = text_of(digest);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        wrong[i] = given;
    wrong[0].seq--;
    wrong[1].run++;
    wrong[2].plan.length--;
    world.state.approvals = wrong;
    world.state.approval_count = COUNT_OF(wrong);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "approvals 0 of 1");
    world.state.approvals = &given;
    world.state.approval_count = 1;
    expect(&world, world_tick(&world), WALK_ADVANCE);
    world_dispose(&world);
}
END_TEST

START_TEST(approvals_outlive_a_pause_and_no_hold)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_TEN);
    world.state.ramp.done = 3 * DAY;
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_APPROVE);
    expect(&world, world_verb(&world, VERB_PAUSE), WALK_PAUSE);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_RESUME);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "approvals 1 of 2");
    expect(&world, world_verb(&world, VERB_HALT), WALK_HOLD);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_RESUME);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "approvals 0 of 2");
    world_dispose(&world);
    world_init(&world); /* given to go on, they are not given to go on after a hold */
    world.phases[PHASE_CANARY].approvals = world.phases[PHASE_TEN].approvals = 1;
    world_run(&world, PHASE_CANARY);
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_APPROVE);
    expect(&world, world_verb(&world, VERB_HALT), WALK_HOLD);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_REFUSE);
    expect_words(&world, "approvals 0 of 1");
    world_dispose(&world);
}
END_TEST

/* --- persons: advance, pause, halt, resume --------------------------------------------------- */

START_TEST(a_person_skips_the_bake_never_the_gates)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_ADVANCE);
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_REFUSE);
    expect_words(&world, "metric errors: no data");
    world_pass(&world, 1);
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_ADVANCE);
    world_pass(&world, 1);
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_REFUSE); /* nor a ramp */
    expect_words(&world, "ramp 1s of 3d");
    world_dispose(&world);
}
END_TEST

START_TEST(a_pause_stops_the_timers_and_resume_lets_them_go_on)
{
    struct world world;
    world_init(&world);
    world.phases[0].deadline = 7 * DAY;
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 2 * DAY - 1);
    expect(&world, world_verb(&world, VERB_PAUSE), WALK_PAUSE);
    ck_assert_int_eq(world_status(&world), ROLLOUT_PAUSED);
    ck_assert_int_eq(world.state.bake, 2 * DAY);
    expect(&world, world_verb(&world, VERB_PAUSE), WALK_NONE);
    world_pass(&world, 30 * DAY);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "hold pause by ann");
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_REFUSE);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_RESUME);
    ck_assert_int_eq(world_status(&world), ROLLOUT_RUNNING);
    world_pass(&world, 1);
    expect(&world, world_tick(&world), WALK_WAIT);
    ck_assert_int_eq(world.decision.next, MONDAY + 35 * DAY);
    struct rollout_state resumed = world.state;
    world.task.now = MONDAY + 37 * DAY - 1; /* two of the seven days to its deadline were behind */
    world_measure(&world, WALK_ERROR);
    expect(&world, world_tick(&world), WALK_WAIT);
    world.task.now += 1;
    expect(&world, world_tick(&world), WALK_HOLD);
    ck_assert_int_eq(world.decision.hold, HOLD_DEADLINE);
    world.state = resumed;
    world.task.now = MONDAY + 35 * DAY;
    world_measure(&world, WALK_SUCCESS);
    expect(&world, world_tick(&world), WALK_ADVANCE);
    world_dispose(&world);
}
END_TEST

START_TEST(what_was_held_bakes_again_from_nothing)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 4 * DAY);
    expect(&world, world_verb(&world, VERB_HALT), WALK_HOLD);
    ck_assert_int_eq(world_status(&world), ROLLOUT_HELD);
    ck_assert_int_eq(world.decision.users, WALK_SAME);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_RESUME);
    expect(&world, world_tick(&world), WALK_WAIT);
    world_pass(&world, 4 * DAY);
    expect(&world, world_tick(&world), WALK_WAIT);
    expect_words(&world, "bake 4d of 5d");
    world_dispose(&world);
}
END_TEST

START_TEST(resume_lifts_what_a_person_understands)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_STAFF);
    world.task.ratio_mismatch = true;
    expect(&world, world_tick(&world), WALK_HOLD);
    ck_assert_int_eq(world.decision.hold, HOLD_RATIO);
    expect(&world, world_tick(&world), WALK_WAIT); /* once */
    world.task.ratio_mismatch = false;
    expect(&world, world_verb(&world, VERB_RESUME), WALK_REFUSE);
    expect_words(&world, "hold ratio: is lifted only by its name");
    expect(&world, world_verb(&world, VERB_PAUSE), WALK_PAUSE);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_RESUME);
    ck_assert_int_eq(world_status(&world), ROLLOUT_HELD);
    expect(&world, world_verb_as(&world, VERB_RESUME, "ann", 1U << HOLD_RATIO), WALK_RESUME);
    ck_assert_int_eq(world_status(&world), ROLLOUT_RUNNING);
    world_dispose(&world);
}
END_TEST

START_TEST(resume_obeys_the_calendar)
{
    struct world world;
    world_init(&world);
    struct calendar *calendar = office_hours();
    world.task.calendar = calendar;
    world_run(&world, PHASE_STAFF);
    expect(&world, world_verb(&world, VERB_HALT), WALK_HOLD);
    world.task.now = MONDAY + 5 * DAY;
    expect(&world, world_verb(&world, VERB_RESUME), WALK_REFUSE);
    expect_words(&world, "calendar: opens Mon 09:00");
    expect(&world, world_verb(&world, VERB_KILL), WALK_KILL); /* which waits for nothing */
    expect(&world, world_verb(&world, VERB_UNKILL), WALK_REFUSE);
    calendar_free(calendar);
    world_dispose(&world);
}
END_TEST

START_TEST(resume_and_unkill_are_approved)
{
    struct world world;
    world_init(&world);
    world_run(&world, PHASE_HALF);
    expect(&world, world_verb(&world, VERB_HALT), WALK_HOLD);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_REFUSE);
    expect_words(&world, "approvals 0 of 2");
    expect(&world, world_verb_as(&world, VERB_APPROVE, "ann", 0), WALK_APPROVE);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_REFUSE);
    expect(&world, world_verb_as(&world, VERB_APPROVE, "bob", 0), WALK_APPROVE);
    expect(&world, world_verb(&world, VERB_RESUME), WALK_RESUME);
    ck_assert_uint_eq(world.state.approval_count, 0); /* of this move and no other */
    world.phases[PHASE_STAFF].approvals = 1;
    expect(&world, world_verb(&world, VERB_KILL), WALK_KILL);
    expect(&world, world_verb(&world, VERB_UNKILL), WALK_REFUSE);
    expect_words(&world, "approvals 0 of 1");
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_APPROVE);
    expect(&world, world_verb(&world, VERB_UNKILL), WALK_UNKILL);
    world_dispose(&world);
}
END_TEST

START_TEST(a_phase_that_takes_too_long_is_held)
{
    struct world world;
    world_init(&world);
    world.phases[0].deadline = 6 * DAY;
    world_run(&world, PHASE_STAFF);
    world_pass(&world, 6 * DAY - 2);
    world.gates[0].verdict = WALK_ERROR;
    expect(&world, world_tick(&world), WALK_WAIT);
    ck_assert_int_eq(world.decision.next, MONDAY + 6 * DAY);
    world.task.now = world.decision.next;
    expect(&world, world_tick(&world), WALK_HOLD);
    ck_assert_int_eq(world.decision.hold, HOLD_DEADLINE);
    ck_assert_text(world.decision.evidence, "phase staff: not done by its deadline");
    world_dispose(&world);
    world_init(&world); /* a ramp too, though its next window could be opened */
    world.phases[PHASE_TEN].deadline = 2 * DAY;
    world_run(&world, PHASE_CANARY);
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_ADVANCE);
    world_pass(&world, DAY);
    expect(&world, world_tick(&world), WALK_OPEN_WINDOW);
    world_pass(&world, DAY);
    expect(&world, world_tick(&world), WALK_HOLD);
    ck_assert_int_eq(world.decision.hold, HOLD_DEADLINE);
    world_dispose(&world);
}
END_TEST

UNIT_MAIN("walk", a_rollout_starts_when_somebody_says_so, a_rollout_starts_at_its_date,
          the_first_phase_is_approved_too, it_advances_when_the_bake_is_over_and_the_gates_pass,
          it_completes_after_its_last_bake, catching_up_never_folds_two_phases,
          growing_waits_for_the_calendar, growing_waits_for_every_gate,
          the_metric_that_has_measured_least_bakes, a_metric_that_nobody_measures_is_no_data,
          a_bake_counts_when_four_fifths_are_covered, growing_waits_for_clock_and_targets,
          a_state_from_the_future_stops_growth_and_nothing_else,
          approvals_are_of_distinct_people_who_did_not_write_it,
          an_approval_is_of_one_move_of_one_run, approvals_outlive_a_pause_and_no_hold,
          a_person_skips_the_bake_never_the_gates,
          a_pause_stops_the_timers_and_resume_lets_them_go_on,
          what_was_held_bakes_again_from_nothing, resume_lifts_what_a_person_understands,
          resume_obeys_the_calendar, resume_and_unkill_are_approved,
          a_phase_that_takes_too_long_is_held)
