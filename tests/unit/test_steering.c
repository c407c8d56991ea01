/* Rollouts walked by a controller's core: what users are served, and what the branch then says. */
#include "steers.h"

#define PHASES                                                                                     \
    "[{name: staff, audience: {segment: staff}}, {name: ten, percent: 10}, {name: half, percent: " \
    "50, bake: 1w}]"

static struct steers one;
static bool staff;

static void set_up(const char *more)
{
    char rollout[1000];
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    write_text("flags/shop.yaml", ROLLOUT_FLAG);
    snprintf(rollout, sizeof rollout, "%s%s", ROLLOUT("shop-release", PHASES), more);
    write_text("rollouts.yaml", rollout);
    commit("true");
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
}

static void tear_down(void)
{
    steers_close(&one);
    mirror = NULL;
    end();
}

static const char *subjects(void)
{
    return shell("git -C remote.git log --format=%%s --reverse | tr '\\n' '|'");
}

static struct desk_request do_verb(struct steers *steers, enum walk_verb_kind verb)
{
    struct desk_request request;
    steers_ask(steers, verb, "ada", &request);
    core_turn(steers->core);
    return steers_answer(steers, &request);
}

/* What is scraped. */
static bool measures(const char *line)
{
    struct buffer out;
    buffer_init(&out, 0);
    telemetry_write(one.telemetry, &out);
    buffer_append_char(&out, '\0');
    bool found = strstr(out.data, line) != NULL;
    buffer_dispose(&out);
    return found;
}

#define START "  start: 2026-01-01T00:00:00Z\n"

START_TEST(a_rollout_starts_by_its_date_and_walks_by_itself)
{
    set_up(START);
    ck_assert_uint_eq(steers_settle(&one), 3);
    ck_assert_str_eq(subjects(), "change|Start production/shop-release at staff|"
                                 "Advance production/shop-release to ten|"
                                 "Advance production/shop-release to half|");
    ck_assert_uint_gt(steers_exposed(&one, &staff), 400);
    ck_assert(staff);
    tear_down();
}
END_TEST

START_TEST(a_kill_is_served_before_git_is_asked)
{
    set_up(START);
    steers_settle(&one);
    unsigned before = one.proposals;
    struct desk_request answer = do_verb(&one, VERB_KILL);
    ck_assert_int_eq(answer.state, DESK_SERVED);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    ck_assert(!staff);
    ck_assert_uint_eq(one.proposals, before + 1);
    ck_assert(measures("\nweir_overrides_open 1\n"));
    struct snapshot *overridden = hub_acquire(&one.hub);
    ck_assert_uint_eq(overridden->environments[0].overrides->count, 1);
    ck_assert_uint_eq(overridden->generation.overlay, 1);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    struct snapshot *recorded = hub_acquire(&one.hub);
    ck_assert(
        document_equal(overridden->environments[0].document, recorded->environments[0].document));
    ck_assert_int_gt(generation_compare(recorded->generation, overridden->generation), 0);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert(measures("\nweir_overrides_open 0\n"));
    answer = steers_answer(&one, &answer);
    ck_assert_int_eq(answer.state, DESK_RECORDED);
    ck_assert_str_eq(answer.commit, one.tip);
    ck_assert_str_eq(shell("git -C remote.git log -1 --format=%%s"),
                     "Kill production/shop-release");
    ck_assert_str_eq(shell("git -C remote.git log -1 --format='%%an, by %%cn'"),
                     "ada, by weir of tests");
    ck_assert_uint_eq(steers_settle(&one), 0);
    snapshot_release(overridden);
    snapshot_release(recorded);
    tear_down();
}
END_TEST

START_TEST(while_the_remote_is_away_a_restart_neither_repeats_nor_forgets)
{
    set_up(START);
    steers_settle(&one);
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(&one, VERB_ROLLBACK).state, DESK_SERVED);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    char tip[COMMIT_TEXT_SIZE];
    memcpy(tip, one.tip, sizeof tip);
    steers_close(&one);
    steers_open(&one, "one");
    memcpy(one.tip, tip, sizeof tip);
    steers_take(&one); /* from the clone */
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    ck_assert(!staff);
    core_turn(one.core);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    shell("mv away.git remote.git");
    pass(120);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_str_eq(shell("git -C remote.git log --format=%%s | grep -c '^Revert'"), "1");
    ck_assert_str_eq(shell("git -C remote.git log -1 --format=%%s"),
                     "Revert \"Advance production/shop-release to half\"");
    ck_assert_uint_eq(steers_exposed(&one, &staff), 0);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    tear_down();
}
END_TEST

START_TEST(who_loses_a_race_decides_anew_on_the_new_tip)
{
    set_up(START);
    steers_settle(&one);
    const struct record_key key = {below(root, "key")};
    shell("ssh-keygen -q -t ed25519 -N '' -C t -f key && printf 'weir@example.com %%s\\n' \"$(cut "
          "-d' ' -f1,2 key.pub)\" >signers");
    steers_key = &key;
    ck_assert_int_eq(do_verb(&one, VERB_STEP_BACK).state, DESK_SERVED);
    shell("cd work && git pull -q --rebase && echo hello > README.md");
    commit("true");
    ck_assert_int_eq(steers_record(&one), RECORDER_MOVED);
    steers_fetch(&one);
    steers_take(&one);
    unsigned count = steers_exposed(&one, &staff);
    ck_assert(staff && count > 60 && count < 140);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steers_exposed(&one, &staff), count);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    steers_key = NULL;
    ck_assert_ptr_nonnull(
        strstr(shell("git -C remote.git -c gpg.format=ssh -c gpg.ssh.allowedSignersFile=%s/signers "
                     "verify-commit main 2>&1",
                     root),
               "Good \"git\" signature for weir@example.com")); /* signed again */
    tear_down();
}
END_TEST

START_TEST(two_that_kill_record_it_once)
{
    struct steers two;
    set_up(START);
    steers_settle(&one);
    steers_open(&two, "two");
    steers_fetch(&two);
    steers_take(&two);
    ck_assert_int_eq(do_verb(&one, VERB_KILL).state, DESK_SERVED);
    pass(1);
    struct desk_request other = do_verb(&two, VERB_KILL);
    ck_assert_int_eq(other.state, DESK_SERVED);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    ck_assert_int_eq(steers_record(&two), RECORDER_MOVED);
    steers_fetch(&two);
    steers_take(&two);
    ck_assert_uint_eq(steers_settle(&two), 0);
    ck_assert_int_eq(steers_answer(&two, &other).state, DESK_RECORDED);
    ck_assert_uint_eq(steering_open(core_steering(two.core)), 0);
    ck_assert_str_eq(shell("git -C remote.git log --format=%%s | grep -c Kill"), "1");
    steers_close(&two);
    tear_down();
}
END_TEST

START_TEST(what_a_person_may_not_do_is_refused_in_words)
{
    set_up("");
    struct desk_request answer = do_verb(&one, VERB_ADVANCE);
    ck_assert_int_eq(answer.state, DESK_REFUSED);
    ck_assert_str_ne(answer.words, "");
    answer = do_verb(&one, VERB_START);
    ck_assert_int_eq(answer.state, DESK_WAITING);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_int_eq(steers_answer(&one, &answer).state, DESK_RECORDED);
    struct desk_request missing = {.environment = "production", .rollout = "none", .by = "ada"};
    ck_assert_ok(desk_submit(one.desk, &missing, &failure));
    core_turn(one.core);
    ck_assert_int_eq(steers_answer(&one, &missing).state, DESK_REFUSED);
    tear_down();
}
END_TEST

START_TEST(a_verb_that_cannot_be_recorded_in_time_fails_and_serves_nothing)
{
    set_up(START);
    steers_settle(&one);
    unsigned before = steers_exposed(&one, &staff);
    shell("mv remote.git away.git");
    struct desk_request answer = do_verb(&one, VERB_PAUSE);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    pass(DESK_PATIENCE / NANOSECONDS_PER_SECOND + 1);
    core_turn(one.core);
    answer = steers_answer(&one, &answer);
    ck_assert_int_eq(answer.state, DESK_FAILED);
    ck_assert_uint_eq(steers_exposed(&one, &staff), before);
    shell("mv away.git remote.git");
    core_turn(one.core);
    ck_assert_ptr_null(one.proposal);
    tear_down();
}
END_TEST

/* What the last published snapshot tells targets of an intent. */
static bool is_told_over(const char *intent)
{
    struct snapshot *snapshot = hub_acquire(&one.hub);
    const struct snapshot_environment *environment =
        snapshot_environment(snapshot, TEXT("production"));
    bool told = override_set_records(environment->overrides, text_of(intent));
    snapshot_release(snapshot);
    return told;
}

/* A target has one of a run that is over, or of a flag that Git has on control by itself: no state
 * lists its intent, and nobody else would ever take it away. */
START_TEST(what_stands_at_a_target_and_is_void_is_told_to_be_over)
{
    static const char intent[] = "aa11111111111111111111111111111111111111111111111111111111111111";
    set_up(START);
    steers_settle(&one);
    const struct override like = {.intent = text_of(intent),
                                  .environment = TEXT("production"),
                                  .flag = TEXT("shop"),
                                  .rollout = TEXT("shop-release"),
                                  .action = VERB_ROLLBACK,
                                  .by = TEXT("weir"),
                                  .note = TEXT(""),
                                  .evidence = TEXT(""),
                                  .fragment = TEXT("{\"state\":\"DISABLED\",\"variants\":{}}"),
                                  .since = 1,
                                  .generation = "00000000000000000000000000000000"};
    struct override *found = override_new(&like);
    ck_assert_ptr_nonnull(found);
    ck_assert(!is_told_over(intent));
    unsigned exposed = steers_exposed(&one, &staff);
    /* Of run 0: a later one is on. */
    steering_adopt(core_steering(one.core), &found, 1, "cache");
    core_turn(one.core);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(steers_exposed(&one, &staff), exposed);
    ck_assert(is_told_over(intent));
    shell("cd work && git pull -q 2>&1");
    commit("echo x >README");
    steers_fetch(&one);
    steers_take(&one);
    ck_assert(!is_told_over(intent)); /* another commit: until it is found again */
    steering_adopt(core_steering(one.core), &found, 1, "cache");
    core_turn(one.core);
    ck_assert(is_told_over(intent));
    override_release(found);
    tear_down();
}
END_TEST

/* Its commits would be made for nothing: of a thousand moves that is seconds, in which no kill is
 * recorded. */
START_TEST(a_proposal_on_a_tip_that_is_gone_is_not_tried)
{
    set_up(START);
    core_turn(one.core);
    ck_assert_ptr_nonnull(one.proposal);
    commit("echo x >README.md");
    steers_fetch(&one); /* core has not taken it yet */
    const char *before = shell("git -C one/clone.git count-objects");
    ck_assert_int_eq(steers_record(&one), RECORDER_MOVED);
    ck_assert_str_eq(shell("git -C one/clone.git count-objects"), before);
    steers_take(&one);
    steers_settle(&one);
    ck_assert_ptr_nonnull(strstr(subjects(), "change|change|Start production/shop-release"));
    tear_down();
}
END_TEST

UNIT_MAIN("steering", a_rollout_starts_by_its_date_and_walks_by_itself,
          a_kill_is_served_before_git_is_asked,
          while_the_remote_is_away_a_restart_neither_repeats_nor_forgets,
          who_loses_a_race_decides_anew_on_the_new_tip, two_that_kill_record_it_once,
          what_a_person_may_not_do_is_refused_in_words,
          a_verb_that_cannot_be_recorded_in_time_fails_and_serves_nothing,
          what_stands_at_a_target_and_is_void_is_told_to_be_over,
          a_proposal_on_a_tip_that_is_gone_is_not_tried)
