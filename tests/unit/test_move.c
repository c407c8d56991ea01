/* From decisions to commits: what messages say, which advances a way back undoes, who changed a
 * rollout last, and how often weir rolled back of late. Read back by the git program. */
#include "../../controller/git/decide.h"
#include "../../controller/git/path_log.h"
#include "../../controller/rollout/move.h"
#include "repositories.h"

#define STATE_PATH "state/production/shop-release.yaml"

#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)
#define MONDAY INT64_C(1795438800) /* 2026-11-23T13:00:00Z */

/* --- a rollout and its moves ----------------------------------------------------------------- */

static const struct phase phase_items[] = {
    {.name = {"staff", 5}, .audience = {"staff", 5}, .share = SPLIT_TOTAL},
    {.name = {"canary", 6}, .share = 1000},
    {.name = {"ten", 3}, .share = 10000, .over = 3 * DAY, .checkpoint = DAY},
    {.name = {"half", 4}, .share = 50000, .approvals = 2},
    {.name = {"all", 3}, .share = SPLIT_TOTAL},
};
enum { PHASE_STAFF, PHASE_CANARY, PHASE_TEN, PHASE_HALF, PHASE_ALL };

/* (walks_unit.h cannot be had beside decide.h: there are two kinds of struct decision.) */
struct world {
    struct arena arena;
    struct rollout rollout;
    struct phase phases[COUNT_OF(phase_items)];
    struct phases plan;
    struct walk_task task;
    struct rollout_state state;
    struct walk_decision decision;
};

static void world_init(struct world *made)
{
    *made = (struct world){.rollout = {.name.text = TEXT("shop-release"),
                                       .flag.text = TEXT("shop"),
                                       .environment.text = TEXT("production"),
                                       .variant.text = TEXT("on"),
                                       .control.text = TEXT("off"),
                                       .seed = TEXT("s1")}};
    arena_init(&made->arena, 0);
    memcpy(made->phases, phase_items, sizeof phase_items);
    made->plan = (struct phases){made->phases, COUNT_OF(phase_items)};
    made->task =
        (struct walk_task){.rollout = &made->rollout, .phases = &made->plan, .now = MONDAY};
    ck_assert_int_eq(walk_initial(&made->rollout, &made->arena, &made->state), STATUS_OK);
}

static enum walk_kind world_apply(struct world *of)
{
    if (of->decision.state)
        of->state = *of->decision.state;
    return of->decision.kind;
}

static enum walk_kind world_tick(struct world *of)
{
    ck_assert_int_eq(walk_tick(&of->task, &of->state, &of->arena, &of->decision), STATUS_OK);
    return world_apply(of);
}

static enum walk_kind world_verb_as(struct world *of, enum walk_verb_kind kind, const char *by,
                                    uint32_t lifts)
{
    struct walk_verb verb = {.kind = kind, .by = text_of(by), .lifts = lifts};
    ck_assert_int_eq(walk_verb(&of->task, &of->state, &verb, &of->arena, &of->decision), STATUS_OK);
    return world_apply(of);
}

static enum walk_kind world_verb(struct world *of, enum walk_verb_kind kind)
{
    return world_verb_as(of, kind, "ann", 0);
}

static void expect(const struct world *of, enum walk_kind did, enum walk_kind wanted)
{
    const struct walk_decision *decision = &of->decision;
    ck_assert_msg(did == wanted, "expected %s, got %s: %s", walk_kind_name(wanted),
                  walk_kind_name(did),
                  decision->reason_count ? decision->reasons[0].words.data : "");
}

/* --- its repository -------------------------------------------------------------------------- */

static int64_t now_seconds;

static int64_t wall(void *self)
{
    (void)self;
    return now_seconds * NANOSECONDS_PER_SECOND;
}

static uint64_t middling(void *self)
{
    (void)self;
    return UINT64_C(1) << 63;
}

static const struct clock test_clock = {wall, wall, middling, NULL};
static const struct roster_rollout item = {.name = "production/shop-release", .path = STATE_PATH};
static struct world world;
static struct decide options;
static struct decision on;

static void look_at(const char *tip)
{
    ck_assert_int_lt(snprintf(on.tip, sizeof on.tip, "%s", tip), (int)sizeof on.tip);
    memcpy(on.head, on.tip, sizeof on.head);
}

static void set_up(void)
{
    begin();
    commit("echo a >definitions");
    open_mirror();
    world_init(&world);
    now_seconds = MONDAY;
    options = (struct decide){.mirror = mirror,
                              .clock = &test_clock,
                              .author = {.name = "Ada", .mail = "ada@example.com"},
                              .committer = {.name = "weir", .mail = "weir@example.com"}};
    on = (struct decision){.mirror = mirror, .options = &options};
    look_at(fetch());
}

static void tear_down(void)
{
    arena_dispose(&world.arena);
    end();
}

/* Commits what the world has just decided; returns the commit, good for the next 500. */
static char *record(const struct rollout_state *before, const char *by, const char *reason,
                    const char *evidence)
{
    const struct move move = {.item = &item,
                              .before = before,
                              .decision = &world.decision,
                              .by = text_of(by),
                              .reason = text_of(reason),
                              .evidence = text_of(evidence),
                              .decided = world.task.now};
    static char made[512][COMMIT_TEXT_SIZE];
    static unsigned next;
    char *head = made[next++ % COUNT_OF(made)];
    ck_assert_ok(move_commit(&on, &move, &failure));
    return memcpy(head, on.head, sizeof on.head);
}

/* An hour later Ann asks, and it is recorded. */
static char *ask(enum walk_verb_kind kind, enum walk_kind wanted)
{
    struct rollout_state before = world.state;
    world.task.now += HOUR;
    now_seconds = world.task.now;
    expect(&world, world_verb(&world, kind), wanted);
    return record(&before, "ann", "", "");
}

/* The same of time alone. */
static char *tick(int64_t later, enum walk_kind wanted)
{
    struct rollout_state before = world.state;
    world.task.now += later;
    now_seconds = world.task.now;
    expect(&world, world_tick(&world), wanted);
    return record(&before, "weir", "", "");
}

static const char *subject(void)
{
    return shell("git -C clone log -1 --format=%%s %s", on.head);
}

static const char *trailer(const char *key)
{
    return shell("git -C clone log -1 --format=%%B %s | git interpret-trailers --parse | sed -n "
                 "'s/^%s: //p'",
                 on.head, key);
}

/* Somebody else's commit lands on what was recorded, and is the tip from now on. */
static const char *meanwhile(const char *change)
{
    shell("git -C clone update-ref refs/heads/ours %s && cd work && git fetch -q ../clone ours && "
          "git reset -q --hard FETCH_HEAD",
          on.head);
    commit(change);
    look_at(fetch());
    return shell("echo %s", on.tip);
}

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

/* --- authors --------------------------------------------------------------------------------- */

#define AS(name, mail) "export GIT_AUTHOR_NAME='" name "' GIT_AUTHOR_EMAIL=" mail "; "

START_TEST(the_author_of_the_last_change)
{
    char author[MOVE_AUTHOR_SIZE];
    set_up();
    ck_assert_ok(move_author(mirror, on.head, "rollouts/shop.yaml", author, &failure));
    ck_assert_str_eq(author, "");
    meanwhile("mkdir rollouts; echo 1 >rollouts/shop.yaml");
    meanwhile(AS("Eve", "eve@example.com") "echo 2 >rollouts/shop.yaml");
    ask(VERB_START, WALK_START);
    meanwhile(AS("Bob", "bob@example.com") "echo 2 >elsewhere");
    ck_assert_ok(move_author(mirror, on.head, "rollouts/shop.yaml", author, &failure));
    ck_assert_str_eq(author, "Eve <eve@example.com>");
    /* Who merged it did not write it. */
    meanwhile(AS(
        "Zoe Z",
        "Zoe@example.com") "git checkout -q -b side; echo 3 "
                           ">rollouts/shop.yaml; git add -A; git commit -q -m side; git checkout "
                           "-q -; " AS(
                               "Bob", "bob@example.com") "git merge -q --no-ff -m merge side 2>&1");
    ck_assert_ok(move_author(mirror, on.head, "rollouts/shop.yaml", author, &failure));
    ck_assert_str_eq(author, "Zoe Z <Zoe@example.com>");
    tear_down();
}
END_TEST

START_TEST(who_counts_as_the_author)
{
    static const char author[] = "Zoe Z <Zoe@example.com>";
    ck_assert(move_is_author(author, TEXT("Zoe Z <Zoe@example.com>")));
    ck_assert(move_is_author(author, TEXT("zoe@EXAMPLE.com")));
    ck_assert(move_is_author(author, TEXT("zoe z")));
    ck_assert(move_is_author(author, TEXT("Somebody <zoe@example.com>")));
    ck_assert(!move_is_author(author, TEXT("zoe@example.org")));
    ck_assert(!move_is_author(author, TEXT("oe@example.com")));
    ck_assert(!move_is_author(author, TEXT("")));
    ck_assert(!move_is_author("", TEXT("")));
    ck_assert(!move_is_author(" <>", TEXT("ann <>")));
    ck_assert(!move_is_author("", TEXT("ann")));
    ck_assert(!move_is_author("Bob <bob@example.com>", TEXT("ann")));
}
END_TEST

START_TEST(history_has_a_bound)
{
    set_up();
    for (int i = 0; i < 4; i++)
        meanwhile("date +%N >>elsewhere");
    char author[MOVE_AUTHOR_SIZE];
    ck_assert_ok(move_author(mirror, on.head, "definitions", author, &failure));
    ck_assert_str_eq(author, "A <a@example.com>");
    struct path_log log = {.path = "nowhere", .most = 4};
    ck_assert_fails(mirror_path_log(mirror, on.head, &log, &failure), STATUS_LIMIT,
                    "the history of \"nowhere\" is longer than 4 commits");
    log.most = 5;
    ck_assert_ok(mirror_path_log(mirror, on.head, &log, &failure));
    ck_assert_fails(
        mirror_path_log(mirror, "0123456789012345678901234567890123456789", &log, &failure),
        STATUS_NOT_FOUND, "0123456789");
    tear_down();
}
END_TEST

/* --- the blast cap --------------------------------------------------------------------------- */

static uint32_t count_since(int64_t since)
{
    uint32_t count = 99;
    ck_assert_ok(move_count_rollbacks(mirror, on.head, since, &count, &failure));
    return count;
}

/* By weir itself, as a metric would have it. */
static void roll_back_as(const char *by, enum walk_verb_kind kind)
{
    struct rollout_state before = world.state;
    world.task.now += HOUR;
    now_seconds = world.task.now;
    world_verb(&world, kind);
    record(&before, by, "", "");
}

START_TEST(what_weir_rolled_back_is_counted)
{
    set_up();
    ck_assert_uint_eq(count_since(0), 0);
    ask(VERB_START, WALK_START);
    ask(VERB_ADVANCE, WALK_ADVANCE);
    roll_back_as("weir", VERB_STEP_BACK);
    int64_t first = now_seconds;
    ck_assert_uint_eq(count_since(first), 1);
    ck_assert_uint_eq(count_since(first + 1), 0);
    roll_back_as("weir", VERB_ROLLBACK);
    roll_back_as("ann", VERB_KILL);
    ck_assert_uint_eq(count_since(first), 2);
    ck_assert_uint_eq(count_since(first + 1), 1);
    roll_back_as("weir", VERB_UNKILL);
    ck_assert_uint_eq(count_since(first), 2);
    roll_back_as("weir", VERB_KILL);
    ck_assert_uint_eq(count_since(first), 3);
    /* Old dates of what people push hide nothing, as long as they are few. */
    meanwhile("export GIT_COMMITTER_DATE='@1000000 +0000'; for i in 1 2 3; do echo $i >f; git add "
              "-A; git commit -q -m $i; done");
    ck_assert_uint_eq(count_since(first), 3);
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
          there_is_an_end_of_what_is_listed, the_author_of_the_last_change,
          who_counts_as_the_author, history_has_a_bound, what_weir_rolled_back_is_counted)
