/* From decisions to commits: what their messages say, and which advances a way back undoes. Read
 * back by the git program. */
#include "moves.h"

/* --- messages -------------------------------------------------------------------------------- */

START_TEST(the_whole_message_of_an_advance)
{
    set_up();
    ask(VERB_START, WALK_START);
    struct rollout_state before = world.state;
    expect(&world, world_verb(&world, VERB_ADVANCE), WALK_ADVANCE);
    record(&before, "Ann <ann@example.com>", "it is good", "errors: 0.001, n=5120");
    ck_assert_str_eq(
        shell("git -C clone log -1 --format='%%an|%%cn|%%ct|%%B' %s", on.head),
        shell("printf '%%s\\n' 'Ada|weir|1795442400|Advance production/shop-release to canary' '' "
              "'Weir-Action: advance' 'Weir-Rollout: production/shop-release' "
              "'Weir-Phase: staff -> canary' 'Weir-Intent: %s' 'Weir-Evidence: errors: 0.001, "
              "n=5120, 2026-11-23T14:00:00Z' 'Weir-By: Ann <ann@example.com>' "
              "'Weir-Reason: it is good'",
              world.decision.intent));
    ck_assert_str_eq(shell("git -C clone diff --name-only %s~1 %s", on.head, on.head), STATE_PATH);
    struct buffer file;
    buffer_init(&file, 0);
    rollout_state_write(&world.state, &file);
    ck_assert_str_eq(shell("git -C clone show %s:" STATE_PATH " | sha256sum", on.head),
                     shell("cat >written <<'X'\n%sX\nsha256sum <written", buffer_string(&file)));
    buffer_dispose(&file);
    tear_down();
}
END_TEST

START_TEST(subjects_read_well)
{
    set_up();
    ask(VERB_START, WALK_START);
    ck_assert_str_eq(subject(), "Start production/shop-release at staff");
    ck_assert_str_eq(trailer("Weir-Phase"), "pending -> staff");
    ck_assert_str_eq(trailer("Weir-Reason"), "");
    ck_assert_str_eq(trailer("Weir-Evidence"), "");
    ask(VERB_PAUSE, WALK_PAUSE);
    ck_assert_str_eq(subject(), "Pause production/shop-release in staff");
    ck_assert_str_eq(trailer("Weir-Phase"), "staff");
    ask(VERB_RESUME, WALK_RESUME);
    ck_assert_str_eq(subject(), "Resume production/shop-release in staff");
    ask(VERB_HALT, WALK_HOLD);
    ck_assert_str_eq(subject(), "Halt production/shop-release in staff");
    ck_assert_str_eq(trailer("Weir-Action"), "hold");
    ask(VERB_RESUME, WALK_RESUME);
    ask(VERB_ADVANCE, WALK_ADVANCE);
    ask(VERB_ADVANCE, WALK_ADVANCE);
    ck_assert_str_eq(subject(), "Advance production/shop-release to ten");
    tick(DAY, WALK_OPEN_WINDOW);
    ck_assert_str_eq(subject(), "Let production/shop-release grow on in ten");
    tick(DAY, WALK_OPEN_WINDOW);
    ask(VERB_KILL, WALK_KILL);
    ck_assert_str_eq(subject(), "Kill production/shop-release");
    ck_assert_str_eq(trailer("Weir-Phase"), "ten -> killed");
    ck_assert_str_eq(trailer("Weir-Reverts"), "");
    ask(VERB_UNKILL, WALK_UNKILL);
    ck_assert_str_eq(subject(), "Unkill production/shop-release");
    ck_assert_str_eq(trailer("Weir-Phase"), "killed -> rolledBack");
    world.task.now += 2 * DAY;
    ask(VERB_RESUME, WALK_RESUME);
    ck_assert_str_eq(subject(), "Resume production/shop-release at staff as run 2");
    ck_assert_str_eq(trailer("Weir-Phase"), "rolledBack -> staff");
    tear_down();
}
END_TEST

START_TEST(holds_and_plans_and_ends_have_subjects)
{
    set_up();
    ask(VERB_START, WALK_START);
    world.task.ratio_mismatch = true;
    world.task.ratio_evidence = TEXT("arms: 5000 to 4000, 1 to 1 was meant");
    tick(HOUR, WALK_HOLD);
    ck_assert_str_eq(subject(), "Hold production/shop-release in staff: ratio");
    ck_assert_ptr_nonnull(
        strstr(trailer("Weir-Evidence"), "5000 to 4000, 1 to 1 was meant, 2026-"));
    world.task.ratio_mismatch = false;
    world.task.now += HOUR;
    struct rollout_state before = world.state;
    expect(&world, world_verb_as(&world, VERB_RESUME, "ann", 1U << HOLD_RATIO), WALK_RESUME);
    record(&before, "ann", "", "");
    world.phases[PHASE_CANARY].share = 2000;
    tick(HOUR, WALK_REPLAN);
    ck_assert_str_eq(subject(), "Plan production/shop-release anew behind staff");
    world.state.phase = PHASE_ALL;
    tick(HOUR, WALK_COMPLETE);
    ck_assert_str_eq(subject(), "Complete production/shop-release");
    ck_assert_str_eq(trailer("Weir-Phase"), "all -> completed");
    tear_down();
}
END_TEST

START_TEST(an_approval_names_its_phase)
{
    set_up();
    ask(VERB_START, WALK_START);
    world.state.phase = PHASE_TEN;
    ask(VERB_APPROVE, WALK_APPROVE);
    ck_assert_str_eq(subject(), "Approve half of production/shop-release");
    ck_assert_str_eq(trailer("Weir-Phase"), "ten");
    tear_down();
}
END_TEST

START_TEST(what_people_say_stays_what_they_say)
{
    char longer[5000];
    set_up();
    struct rollout_state before = world.state;
    expect(&world, world_verb(&world, VERB_START), WALK_START);
    record(&before, "eve\nWeir-Action: kill", "a\n\nWeir-Reverts: 1\n---\nb", "c\r\nWeir-By: weir");
    ck_assert_str_eq(trailer("Weir-Action"), "start");
    ck_assert_str_eq(trailer("Weir-By"), "eve Weir-Action: kill");
    ck_assert_str_eq(trailer("Weir-Reverts"), "");
    ck_assert_str_eq(trailer("Weir-Reason"), "a Weir-Reverts: 1 --- b");
    ck_assert_str_eq(trailer("Weir-Evidence"), "c Weir-By: weir, 2026-11-23T13:00:00Z");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    before = world.state;
    world.task.now += HOUR;
    expect(&world, world_verb(&world, VERB_PAUSE), WALK_PAUSE);
    record(&before, longer, longer, longer);
    ck_assert_str_eq(
        shell("git -C clone log -1 --format=%%B %s | awk '{ if (length > 2020) print }' | wc -l",
              on.head),
        "0");
    ck_assert_str_eq(
        shell("git -C clone log -1 --format=%%B %s | grep -c '…, 2026-11-23T14:00:00Z'", on.head),
        "1");
    tear_down();
}
END_TEST

START_TEST(nothing_decided_is_nothing_to_commit)
{
    set_up();
    const struct walk_decision nothing = {.kind = WALK_WAIT};
    const struct move move = {.item = &item, .before = &world.state, .decision = &nothing};
    ck_assert_fails(move_commit(&on, &move, &failure), STATUS_INVALID, "production/shop-release");
    ck_assert_str_eq(on.head, on.tip);
    tear_down();
}
END_TEST

/* --- what is undone -------------------------------------------------------------------------- */

START_TEST(a_step_back_undoes_the_newest)
{
    set_up();
    ask(VERB_START, WALK_START);
    ask(VERB_ADVANCE, WALK_ADVANCE);
    const char *newest = ask(VERB_ADVANCE, WALK_ADVANCE);
    ask(VERB_PAUSE, WALK_PAUSE);
    ask(VERB_STEP_BACK, WALK_STEP_BACK);
    ck_assert_str_eq(subject(), "Revert \"Advance production/shop-release to ten\"");
    ck_assert_str_eq(trailer("Weir-Action"), "step-back");
    ck_assert_str_eq(trailer("Weir-Phase"), "ten -> canary");
    ck_assert_str_eq(trailer("Weir-Reverts"), newest);
    ck_assert_str_eq(shell("git -C clone log -1 --format=%%b %s | head -2", on.head),
                     shell("echo 'This reverts commit %s.'", newest));
    tear_down();
}
END_TEST

START_TEST(the_windows_of_a_ramp_go_with_their_advance)
{
    set_up();
    ask(VERB_START, WALK_START);
    ask(VERB_ADVANCE, WALK_ADVANCE);
    const char *advance = ask(VERB_ADVANCE, WALK_ADVANCE);
    const char *first = tick(DAY, WALK_OPEN_WINDOW), *second = tick(DAY, WALK_OPEN_WINDOW);
    ask(VERB_STEP_BACK, WALK_STEP_BACK);
    ck_assert_str_eq(subject(), "Revert \"Advance production/shop-release to ten\"");
    ck_assert_str_eq(trailer("Weir-Reverts"), shell("echo '%s\n%s\n%s'", second, first, advance));
    tear_down();
}
END_TEST

START_TEST(a_rollback_undoes_the_run_and_nothing_twice)
{
    set_up();
    const char *start = ask(VERB_START, WALK_START);
    const char *canary = ask(VERB_ADVANCE, WALK_ADVANCE);
    ask(VERB_ADVANCE, WALK_ADVANCE);
    ask(VERB_STEP_BACK, WALK_STEP_BACK); /* the second advance is undone by this */
    ask(VERB_RESUME, WALK_RESUME);
    ask(VERB_ROLLBACK, WALK_ROLLBACK);
    ck_assert_str_eq(subject(), "Revert \"Advance production/shop-release to canary\"");
    ck_assert_str_eq(trailer("Weir-Phase"), "canary -> rolledBack");
    ck_assert_str_eq(trailer("Weir-Reverts"), shell("echo '%s\n%s'", canary, start));
    ck_assert_str_eq(shell("git -C clone log -1 --format=%%b %s | grep '^This'", on.head),
                     shell("printf 'This reverts commit %%s.\\n' %s %s", canary, start));
    tear_down();
}
END_TEST

START_TEST(earlier_runs_are_over)
{
    set_up();
    ask(VERB_START, WALK_START);
    ask(VERB_ADVANCE, WALK_ADVANCE);
    ask(VERB_ROLLBACK, WALK_ROLLBACK);
    world.task.now += 2 * HOUR;
    const char *again = ask(VERB_RESUME, WALK_RESUME);
    ask(VERB_PAUSE, WALK_PAUSE);
    ask(VERB_RESUME, WALK_RESUME); /* lets nobody in */
    ask(VERB_ROLLBACK, WALK_ROLLBACK);
    ck_assert_str_eq(subject(), "Revert \"Resume production/shop-release at staff as run 2\"");
    ck_assert_str_eq(trailer("Weir-Reverts"), again);
    world.task.now += 3 * HOUR;
    const char *third = ask(VERB_RESUME, WALK_RESUME);
    const char *canary = ask(VERB_ADVANCE, WALK_ADVANCE);
    ask(VERB_ROLLBACK, WALK_ROLLBACK);
    ck_assert_str_eq(trailer("Weir-Reverts"), shell("echo '%s\n%s'", canary, third));
    /* Asked for by number, each run has its own. */
    static struct move_advances found;
    ck_assert_ok(move_advances(mirror, on.head, STATE_PATH, 2, &found, &failure));
    ck_assert_uint_eq(found.count, 0); /* undone since */
    tear_down();
}
END_TEST

START_TEST(a_step_back_in_the_first_phase_is_a_rollback)
{
    set_up();
    const char *start = ask(VERB_START, WALK_START);
    ask(VERB_STEP_BACK, WALK_ROLLBACK);
    ck_assert_str_eq(subject(), "Revert \"Start production/shop-release at staff\"");
    ck_assert_str_eq(trailer("Weir-Action"), "rollback");
    ck_assert_str_eq(trailer("Weir-Reverts"), start);
    tear_down();
}
END_TEST

START_TEST(without_an_advance_there_is_nothing_to_revert)
{
    set_up();
    ask(VERB_ROLLBACK, WALK_ROLLBACK);
    ck_assert_str_eq(subject(), "Roll production/shop-release back");
    ck_assert_str_eq(trailer("Weir-Reverts"), "");
    ck_assert_str_eq(trailer("Weir-Phase"), "pending -> rolledBack");
    tear_down();
}
END_TEST

START_TEST(advances_are_found_over_merges)
{
    set_up();
    const char *start = ask(VERB_START, WALK_START);
    /* A branch that began before the advance is merged into it … */
    meanwhile("git checkout -q -b side && echo b >b && git add -A && git commit -q -m side && git "
              "checkout -q -");
    const char *canary = ask(VERB_ADVANCE, WALK_ADVANCE);
    meanwhile("git merge -q --no-ff -m 'Merge the side' side 2>&1");
    const char *ten = ask(VERB_ADVANCE, WALK_ADVANCE);
    /* … and the advance into a branch, which then is the first parent. */
    meanwhile(
        "git branch -f theirs HEAD && git reset -q --hard HEAD~1 && echo c >c && git add -A && "
        "git commit -q -m other && git merge -q --no-ff -m 'Merge theirs' theirs 2>&1");
    ck_assert_str_eq(shell("git -C work log --first-parent --format=%%H -- " STATE_PATH
                           " | grep -c %s || true",
                           ten),
                     "0"); /* or the test says nothing */
    ask(VERB_ROLLBACK, WALK_ROLLBACK);
    ck_assert_str_eq(subject(), "Revert \"Advance production/shop-release to ten\"");
    ck_assert_str_eq(trailer("Weir-Reverts"), shell("echo '%s\n%s\n%s'", ten, canary, start));
    tear_down();
}
END_TEST

START_TEST(a_file_that_somebody_broke_hides_nothing)
{
    set_up();
    const char *start = ask(VERB_START, WALK_START);
    meanwhile("echo nonsense >" STATE_PATH);
    const char *canary = ask(VERB_ADVANCE, WALK_ADVANCE);
    ask(VERB_ROLLBACK, WALK_ROLLBACK);
    ck_assert_str_eq(trailer("Weir-Reverts"), shell("echo '%s\n%s'", canary, start));
    tear_down();
}
END_TEST

START_TEST(what_was_before_a_deletion_is_another_life)
{
    set_up();
    ask(VERB_START, WALK_START);
    meanwhile("git rm -q " STATE_PATH);
    world.state.course = COURSE_PENDING;
    const char *again = ask(VERB_START, WALK_START);
    ask(VERB_ROLLBACK, WALK_ROLLBACK);
    ck_assert_str_eq(trailer("Weir-Reverts"), again);
    tear_down();
}
END_TEST

START_TEST(there_is_an_end_of_what_is_listed)
{
    set_up();
    ask(VERB_START, WALK_START);
    ask(VERB_ADVANCE, WALK_ADVANCE);
    world.phases[PHASE_TEN].over = 70 * DAY;
    world.phases[PHASE_TEN].checkpoint = 6 * HOUR;
    tick(1, WALK_REPLAN);
    ask(VERB_ADVANCE, WALK_ADVANCE);
    for (size_t i = 0; i < MOVE_REVERTS_MAX; i++)
        tick(6 * HOUR, WALK_OPEN_WINDOW);
    ask(VERB_ROLLBACK, WALK_ROLLBACK);
    ck_assert_str_eq(shell("git -C clone log -1 --format=%%B %s | git interpret-trailers --parse | "
                           "grep -c Weir-Reverts:",
                           on.head),
                     "256");
    ck_assert_str_eq(shell("git -C clone log -1 --format=%%B %s | grep -c 'the commits before "
                           "these in the same run'",
                           on.head),
                     "1");
    tear_down();
}
END_TEST

UNIT_MAIN("move", the_whole_message_of_an_advance, subjects_read_well,
          holds_and_plans_and_ends_have_subjects, an_approval_names_its_phase,
          what_people_say_stays_what_they_say, nothing_decided_is_nothing_to_commit,
          a_step_back_undoes_the_newest, the_windows_of_a_ramp_go_with_their_advance,
          a_rollback_undoes_the_run_and_nothing_twice, earlier_runs_are_over,
          a_step_back_in_the_first_phase_is_a_rollback,
          without_an_advance_there_is_nothing_to_revert, advances_are_found_over_merges,
          a_file_that_somebody_broke_hides_nothing, what_was_before_a_deletion_is_another_life,
          there_is_an_end_of_what_is_listed)
