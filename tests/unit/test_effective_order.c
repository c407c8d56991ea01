/* Words of weir that a hand puts back: a revert of its commit, or a merge that takes an old side.
 * Their checksums are right; they count where they are equal or safer, and everybody says so alike.
 */
#include "../../controller/rollout/roster.h"
#include "histories.h"

static struct effective there;

static char *word(enum rollout_course course, size_t phase, uint32_t seq)
{
    static char *texts[64];
    static unsigned next;
    struct rollout_state state = state_in(course, phase);
    char **text = &texts[next++ % 64];
    state.seq = seq;
    free(*text);
    *text = state_text(&state);
    return *text;
}

static void set_up(void)
{
    begin_history();
    there = begin_anew(NULL);
}

static void tear_down(void)
{
    effective_dispose(&there);
    end_history();
}

/* `text` is in force at a commit for who was there before and for who begins there, and weir goes
 * on from `seq`. */
static void expect_stands(const char *commit, const char *text, uint32_t seq)
{
    struct effective fresh = begin_anew(NULL);
    ck_assert_ok(effective_go(&there, commit, &failure));
    ck_assert_ok(effective_go(&fresh, commit, &failure));
    ck_assert_str_eq(text_in_force(&there), text);
    ck_assert_uint_eq(seq_in_force(&there), seq);
    expect_alike(&there, &fresh, commit);
    effective_dispose(&fresh);
}

/* How the fault is told; NULL: there is none. */
static void expect_fault(const char *words)
{
    const struct diagnostics *faults = &there.result.diagnostics;
    ck_assert_uint_eq(faults->errors, words != NULL);
    ck_assert(there.result.whole == !words);
    for (size_t i = 0; words && i < faults->count; i++) {
        if (strcmp(faults->items[i].code, CODE_STATE_FOREIGN) == 0)
            ck_assert_ptr_nonnull(strstr(faults->items[i].message.data, words));
    }
}

START_TEST(a_kill_that_is_reverted_stands)
{
    set_up();
    char *half = word(COURSE_RUNNING, PHASE_HALF, 4), *killed = word(COURSE_KILLED, PHASE_HALF, 5),
         *held = word(COURSE_KILLED, PHASE_HALF, 6);
    const char *at = commit_first(half);
    expect_stands(at, half, 4);
    at = commit_one(at, STATE_PATH, killed);
    expect_stands(at, killed, 5);
    at = commit_one(at, STATE_PATH, half);
    expect_stands(at, killed, 5);
    expect_fault("the state of \"production/shop-release\" was put back by hand, and exposes more");
    at = commit_one(at, "README", "one");
    expect_stands(at, killed, 5);
    at = commit_one(at, STATE_PATH, held); /* weir's answer */
    expect_stands(at, held, 6);
    expect_fault(NULL);
    at = commit_one(at, STATE_PATH, half); /* and once more */
    expect_stands(at, held, 6);
    at = commit_one(at, STATE_PATH, held); /* taken back by who did it */
    expect_stands(at, held, 6);
    expect_fault(NULL);
    tear_down();
}
END_TEST

/* What weir says next is behind all that it ever said, so nobody takes it for an old word. */
START_TEST(an_advance_that_is_reverted_counts)
{
    struct roster *roster;
    set_up();
    char *staff = word(COURSE_RUNNING, PHASE_STAFF, 4), *half = word(COURSE_RUNNING, PHASE_HALF, 5),
         *next = word(COURSE_RUNNING, PHASE_CANARY, 7);
    const char *at = commit_one(commit_first(staff), STATE_PATH, half);
    expect_stands(at, half, 5);
    const char *back = commit_one(at, STATE_PATH, staff);
    expect_stands(back, staff, 6);
    expect_fault(NULL);
    ck_assert_ok(
        roster_make(&there.inventory, schemas, mirror_reader(mirror), NULL, &roster, &failure));
    ck_assert_uint_eq(roster->items[0].state->seq, 6);
    ck_assert(!roster->items[0].foreign_edit && roster->items[0].has_file);
    roster_release(roster);
    expect_stands(commit_one(back, STATE_PATH, half), half, 5); /* the revert reverted */
    at = commit_one(back, STATE_PATH, next);
    expect_stands(at, next, 7);
    expect_stands(commit_one(at, STATE_PATH, half), next, 7);
    tear_down();
}
END_TEST

START_TEST(an_older_word_than_the_last_does_not_follow_a_revert)
{
    set_up();
    char *first = word(COURSE_RUNNING, PHASE_STAFF, 3),
         *second = word(COURSE_RUNNING, PHASE_TEN, 4), *third = word(COURSE_RUNNING, PHASE_HALF, 5);
    const char *at = commit_one(commit_first(first), STATE_PATH, second);
    at = commit_one(at, STATE_PATH, third);
    at = commit_one(at, STATE_PATH, first);
    expect_stands(at, first, 6);
    at = commit_one(at, STATE_PATH, second); /* more than counts now, less than weir said */
    expect_stands(at, first, 6);
    expect_fault("was put back by hand");
    tear_down();
}
END_TEST

START_TEST(approvals_keep_the_number_and_nothing_else_does)
{
    set_up();
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_TEN);
    struct approval approvals[] = {{.by = TEXT("ann"), .at = RIG_NOW, .run = 1, .seq = 7},
                                   {.by = TEXT("bob"), .at = RIG_NOW, .run = 1, .seq = 7}};
    char ids[2][INTENT_TEXT_SIZE];
    memset(ids, 'a', sizeof ids);
    ids[0][INTENT_TEXT_SIZE - 1] = ids[1][INTENT_TEXT_SIZE - 1] = '\0';
    ids[1][0] = 'b';
    struct text intents[] = {text_of(ids[0]), text_of(ids[1])};
    char digest[PLAN_DIGEST_SIZE];
    ck_assert_int_eq(rollout_plan_digest(&state.plan, digest), STATUS_OK);
    approvals[0].plan = approvals[1].plan = text_of(digest);
    char *none = state_text(&state);
    state.approvals = approvals;
    state.intents = intents;
    state.approval_count = state.intent_count = 1;
    char *one = state_text(&state);
    state.approval_count = state.intent_count = 2;
    char *two = state_text(&state);
    state.phase = PHASE_HALF;
    char *other = state_text(&state);
    const char *at = commit_one(commit_first(none), STATE_PATH, one);
    expect_stands(at, one, 7);
    at = commit_one(at, STATE_PATH, two);
    expect_stands(at, two, 7);
    ck_assert_uint_eq(there.steps, 2); /* nobody looked back for it */
    struct effective fresh = begin_anew(NULL);
    ck_assert_ok(effective_go(&fresh, at, &failure));
    ck_assert_uint_eq(fresh.steps, 1);
    effective_dispose(&fresh);
    expect_stands(commit_one(at, STATE_PATH, other), two, 7);
    expect_fault("was put back by hand");
    expect_stands(commit_one(at, STATE_PATH, one), one, 8); /* an approval less is safer */
    free(none);
    free(one);
    free(two);
    free(other);
    tear_down();
}
END_TEST

START_TEST(a_merge_that_takes_an_old_side_is_a_hand)
{
    set_up();
    char *half = word(COURSE_RUNNING, PHASE_HALF, 4), *killed = word(COURSE_KILLED, PHASE_HALF, 5),
         *freed = word(COURSE_ROLLED_BACK, PHASE_HALF, 6);
    const char *first = commit_first(half), *branch = commit_one(first, "README", "a branch"),
               *kill = commit_one(first, STATE_PATH, killed);
    expect_stands(kill, killed, 5);
    expect_stands(merge(kill, branch, STATE_PATH, half), killed, 5);
    expect_fault("was put back by hand");
    expect_stands(merge(kill, branch, NULL, NULL), killed, 5);
    expect_fault(NULL);
    /* The branch as first parent, as after a pull: it never knew. */
    expect_stands(branch, half, 4);
    expect_stands(merge(branch, kill, STATE_PATH, killed), killed, 5);
    expect_fault(NULL);
    const char *lost = merge(branch, kill, NULL, NULL);
    expect_stands(lost, killed, 5);
    expect_fault("was put back by hand");
    expect_stands(commit_one(lost, "README", "two"), killed, 5);
    expect_stands(commit_one(lost, STATE_PATH, freed), freed, 6);
    expect_fault(NULL);
    /* The other side had been put back, too. */
    const char *reverted = commit_one(kill, STATE_PATH, half);
    expect_stands(merge(branch, reverted, NULL, NULL), killed, 5);
    expect_fault("was put back by hand");
    tear_down();
}
END_TEST

/* What a branch only inherits is no word of its side: the rollout was ended, and began anew. */
START_TEST(a_branch_from_before_brings_nothing_back)
{
    set_up();
    char *done = word(COURSE_COMPLETED, PHASE_ALL, 9), *anew = word(COURSE_RUNNING, PHASE_STAFF, 1);
    const char *root_commit = commit_first(NULL),
               *first = commit_one(root_commit, STATE_PATH, done),
               *branch = commit_one(first, "README", "a branch"),
               *other = commit_one(root_commit, "README", "another"),
               *pulled = merge(other, first, STATE_PATH, done);
    const struct file_text gone[] = {{"rollouts.yaml", NULL}, {STATE_PATH, NULL}};
    const struct file_text back[] = {{"rollouts.yaml", ROLLOUT("shop-release", ROLLOUT_PHASES)},
                                     {STATE_PATH, anew}};
    const char *at = commit_on(&first, 1, gone, 2);
    expect_stands(at, "", 0);
    at = commit_on(&at, 1, back, 2);
    expect_stands(at, anew, 1);
    expect_stands(merge(at, branch, NULL, NULL), anew, 1);
    expect_fault(NULL);
    expect_stands(merge(at, pulled, NULL, NULL), anew, 1);
    expect_fault(NULL);
    tear_down();
}
END_TEST

/* A rollout of another identity takes the file over, with a seq behind it. */
START_TEST(another_identity_goes_on_behind)
{
    struct roster *roster;
    set_up();
    const char *at = commit_first(word(COURSE_KILLED, PHASE_HALF, 9));
    struct buffer other;
    buffer_init(&other, 0);
    buffer_append_string(&other, ROLLOUT("shop-release", ROLLOUT_PHASES));
    buffer_append_char(&other, '\0');
    memcpy(strstr(other.data, "seed: s1"), "seed: s2", 8);
    at = commit_one(at, "rollouts.yaml", other.data);
    ck_assert_ok(effective_go(&there, at, &failure));
    ck_assert_ok(
        roster_make(&there.inventory, schemas, mirror_reader(mirror), NULL, &roster, &failure));
    ck_assert(!roster->items[0].has_file);
    ck_assert_int_eq(roster->items[0].state->course, COURSE_PENDING);
    ck_assert_uint_eq(roster->items[0].state->seq, 9);
    roster_release(roster);
    buffer_dispose(&other);
    tear_down();
}
END_TEST

static char *pin_word(bool is_killed, uint32_t seq)
{
    struct flag_pin pin = pin_of(NULL, is_killed, NULL);
    pin.seq = seq;
    return pin_text(&pin);
}

/* Whether the flag is killed, and the seq that weir goes on from. */
static void expect_pin(const char *commit, bool is_killed, uint32_t seq, const char *words)
{
    struct effective fresh = begin_anew(NULL);
    ck_assert_ok(effective_go(&there, commit, &failure));
    ck_assert_ok(effective_go(&fresh, commit, &failure));
    const struct flag_pin *pin = effective_pins_find(there.pins, TEXT("production/shop"));
    ck_assert_ptr_nonnull(pin);
    ck_assert_int_eq(pin->is_killed, is_killed);
    ck_assert_uint_eq(pin->seq, seq);
    expect_fault(words);
    expect_alike(&there, &fresh, commit);
    ck_assert_uint_eq(effective_pins_find(fresh.pins, TEXT("production/shop"))->seq, seq);
    effective_dispose(&fresh);
}

START_TEST(pins_are_put_back_no_more_than_states)
{
    set_up();
    char *lifted = pin_word(false, 2), *killed = pin_word(true, 3),
         *free_again = pin_word(false, 4), *once_more = pin_word(true, 6);
    const char *at = commit_one(commit_first(NULL), PIN_PATH, lifted);
    expect_pin(at, false, 2, NULL);
    at = commit_one(at, PIN_PATH, killed);
    expect_pin(at, true, 3, NULL);
    expect_pin(commit_one(at, PIN_PATH, lifted), true, 3, "was put back by hand");
    at = commit_one(at, PIN_PATH, free_again);
    expect_pin(at, false, 4, NULL);
    at = commit_one(at, PIN_PATH, killed); /* faster than before */
    expect_pin(at, true, 5, NULL);
    at = commit_one(at, PIN_PATH, once_more);
    expect_pin(at, true, 6, NULL);
    free(lifted);
    free(killed);
    free(free_again);
    free(once_more);
    tear_down();
}
END_TEST

UNIT_MAIN("effective_order", a_kill_that_is_reverted_stands, an_advance_that_is_reverted_counts,
          an_older_word_than_the_last_does_not_follow_a_revert,
          approvals_keep_the_number_and_nothing_else_does, a_merge_that_takes_an_old_side_is_a_hand,
          a_branch_from_before_brings_nothing_back, another_identity_goes_on_behind,
          pins_are_put_back_no_more_than_states)
