/* What keeps a rollout from growing, and what takes users back whatever stands in the way: through
 * the whole of a controller's core, from the verb or the measurement to what users are served. */
#include "pins.h"
#include "steers.h"

#define METRICS                                                                                    \
    "---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: errors}\nspec:\n"                    \
    "  prometheus: {address: 'http://127.0.0.1:9090', query: up}\n  thresholdRange: {max: 0.01}\n"
#define PHASES                                                                                     \
    "[{name: two, percent: 2, bake: 1h}, {name: ten, percent: 10, bake: 1h}, {name: half, "        \
    "percent: 50, bake: 1w}]"
#define START "  start: 2026-01-01T00:00:00Z\n"
#define WATCHED START "  metrics: [errors]\n"

static struct steers one;
static bool staff;

static void write_text(const char *path, const char *text)
{
    char whole[200];
    snprintf(whole, sizeof whole, "%s/work/%s", root, path);
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void write_rollout(const char *phases, const char *more)
{
    char text[3000];
    snprintf(text, sizeof text,
             "---\napiVersion: weir/v1\nkind: Rollout\nmetadata: {name: shop-release}\nspec:\n"
             "  flag: shop\n  environment: production\n  variant: on\n  control: off\n  seed: s1\n"
             "  phases: %s\n%s" METRICS,
             phases, more);
    write_text("rollouts.yaml", text);
}

static void set_up(const char *phases, const char *more)
{
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    write_text("flags/shop.yaml", ROLLOUT_FLAG);
    write_rollout(phases, more);
    commit("true");
    steers_measure(WALK_SUCCESS, "");
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

static unsigned exposed(void)
{
    return steers_exposed(&one, &staff);
}

static struct desk_request do_verb(enum walk_verb_kind verb, const char *by)
{
    struct desk_request request;
    steers_ask(&one, verb, by, &request);
    core_turn(one.core);
    return steers_answer(&one, &request);
}

/* It is asked, and recorded. */
static void do_and_record(enum walk_verb_kind verb)
{
    struct desk_request request = do_verb(verb, "ada");
    ck_assert_msg(request.state == DESK_WAITING || request.state == DESK_SERVED, "%s: %s",
                  walk_verb_name(verb), request.words);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    request = steers_answer(&one, &request);
    ck_assert_msg(request.state == DESK_RECORDED, "%s: %s", walk_verb_name(verb), request.words);
}

static void refuses(enum walk_verb_kind verb, const char *words)
{
    struct desk_request request = do_verb(verb, "ada");
    ck_assert_int_eq(request.state, DESK_REFUSED);
    ck_assert_msg(strstr(request.words, words) != NULL, "%s", request.words);
    ck_assert_ptr_null(one.proposal);
}

/* --- growing --------------------------------------------------------------------------------- */

START_TEST(hours_that_nobody_knows_are_no_open_hours)
{
    set_up(PHASES, START "  calendar: {timezone: Europe/Berlin}\n");
    ck_assert_uint_eq(steers_settle(&one), 1);
    do_and_record(VERB_HALT);
    steers_close(&one);
    setenv("WEIR_ZONEINFO", root, 1); /* where there is none */
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
    refuses(VERB_RESUME, "Europe/Berlin");
    ck_assert_uint_gt(exposed(), 0);
    do_and_record(VERB_KILL);
    refuses(VERB_UNKILL, "Europe/Berlin");
    unsetenv("WEIR_ZONEINFO");
    tear_down();
}
END_TEST

static void push_edit(const char *phases, const char *more)
{
    shell("cd work && git pull -q --rebase");
    write_rollout(phases, more);
    commit("true");
    steers_fetch(&one);
    steers_take(&one);
}

static bool shows(const char *words)
{
    const struct rollout_filter all = {0};
    struct buffer out;
    buffer_init(&out, 0);
    steering_write_rollouts(core_steering(one.core), &all, &out);
    buffer_append_char(&out, '\0');
    bool found = strstr(out.data, words) != NULL;
    buffer_dispose(&out);
    return found;
}

#define APPROVED "[{name: two, percent: 2}, {name: half, percent: 50, approvals: 1, bake: 1w}]"

START_TEST(who_approves_and_then_changes_it_has_not_approved_it)
{
    set_up(APPROVED, START);
    ck_assert_uint_eq(steers_settle(&one), 1);
    refuses(VERB_ADVANCE, "approvals 0 of 1");
    struct desk_request request = do_verb(VERB_APPROVE, "a@example.com");
    ck_assert_int_eq(request.state, DESK_REFUSED); /* who wrote it */
    setenv("GIT_AUTHOR_EMAIL", "eve@example.com", 1);
    push_edit(APPROVED, START "# changed by eve\n");
    do_verb(VERB_APPROVE, "a@example.com");
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    setenv("GIT_AUTHOR_EMAIL", "a@example.com", 1);
    push_edit(APPROVED, START "# and again by a\n");
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_uint_lt(exposed(), 60);
    ck_assert(shows("\"given\":0"));
    do_verb(VERB_APPROVE, "eve@example.com");
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_gt(exposed(), 400);
    tear_down();
}
END_TEST

START_TEST(a_state_of_later_than_now_lets_nobody_in)
{
    set_up("[{name: two, percent: 2}, {name: half, percent: 50}]", WATCHED);
    core_turn(one.core);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    pass(-121);
    core_turn(one.core);
    ck_assert_ptr_null(one.proposal);
    ck_assert(shows("the state is dated later than now"));
    ck_assert_int_eq(do_verb(VERB_ADVANCE, "ada").state, DESK_REFUSED);
    ck_assert_int_eq(do_verb(VERB_KILL, "ada").state, DESK_SERVED);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

#define TARGET                                                                                     \
    "---\napiVersion: weir/v1\nkind: Target\nmetadata: {name: copy}\n"                             \
    "spec: {environment: production, file: {path: copy.json}}\n"

/* What is in the way of its file is taken away after a while. */
START_TEST(nothing_is_measured_nor_grows_before_every_target_has_it)
{
    begin();
    shell("mkdir -p one/targets/copy.json/here");
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    write_text("flags/shop.yaml", ROLLOUT_FLAG TARGET);
    write_rollout("[{name: two, percent: 2}, {name: half, percent: 50}]", START);
    commit("true");
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
    core_turn(one.core);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    for (int i = 0; i < 3; i++) {
        pass(600);
        core_turn(one.core);
        ck_assert_ptr_null(one.proposal);
        ck_assert_int_eq(steers_exposed_since, INT64_MAX);
        ck_assert(shows("targets: not all have acknowledged"));
    }
    shell("rm -r one/targets/copy.json");
    for (int i = 0; i < 3000 && steers_exposed_since == INT64_MAX; i++) {
        core_turn(one.core);
        usleep(10000); /* its target tries again by a clock of its own */
    }
    ck_assert_int_eq(steers_exposed_since, wall_seconds);
    core_turn(one.core);
    ck_assert_ptr_nonnull(one.proposal);
    tear_down();
}
END_TEST

/* --- ramps ----------------------------------------------------------------------------------- */

#define RAMP "[{name: ramp, ramp: {to: 50, over: 10d}, bake: 1w}]"

START_TEST(a_halt_within_a_window_lets_nobody_in_from_its_commit_on)
{
    set_up(RAMP, START);
    ck_assert_uint_eq(steers_settle(&one), 1);
    pass(12 * 3600);
    unsigned before = exposed();
    ck_assert_uint_gt(before, 0);
    do_and_record(VERB_HALT);
    pass(11 * 3600);
    ck_assert_uint_eq(exposed(), before);
    pass(30 * 86400);
    ck_assert_uint_eq(exposed(), before);
    ck_assert_uint_eq(steers_settle(&one), 0);
    tear_down();
}
END_TEST

/* If every controller dies, or the branch is away, the document itself has an end. */
START_TEST(nobody_is_let_in_beyond_the_end_of_a_window)
{
    set_up(RAMP, START);
    ck_assert_uint_eq(steers_settle(&one), 1);
    unsigned begin = exposed();
    pass(86400);
    unsigned end = exposed();
    ck_assert_uint_gt(end, begin);
    shell("mv remote.git away.git");
    for (int i = 0; i < 3; i++) {
        pass(10 * 86400);
        core_turn(one.core);
        ck_assert_uint_eq(exposed(), end);
    }
    tear_down();
}
END_TEST

/* --- shrinking ------------------------------------------------------------------------------- */

/* In its last phase, with half of all. */
static void set_up_half(const char *more)
{
    set_up(PHASES, more);
    for (int i = 0; i < 3; i++) {
        steers_settle(&one);
        pass(3600);
    }
    steers_settle(&one);
    ck_assert_uint_gt(exposed(), 400);
}

static void breaks(enum metric_role role)
{
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    steers_gate.role = role;
    core_turn(one.core);
}

static const char *courses(void)
{
    return shell("git -C remote.git show main:state/production/shop-release.yaml | grep course:");
}

/* What is done while the branch is away, and is there when it is back. */
static void is_killed_and_recorded(void)
{
    ck_assert_uint_eq(exposed(), 0);
    ck_assert(!staff);
    shell("mv away.git remote.git");
    pass(120);
    steers_settle(&one);
    ck_assert_uint_eq(exposed(), 0);
    ck_assert_ptr_nonnull(strstr(courses(), "killed"));
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
}

START_TEST(a_breaker_kills_whatever_the_status)
{
    static const enum walk_verb_kind verbs[] = {VERB_PAUSE, VERB_HALT, VERB_STEP_BACK};
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        set_up_half(WATCHED);
        do_and_record(verbs[i]);
        pass(1);
        ck_assert_uint_gt(exposed(), 60);
        breaks(METRIC_BREAKER);
        ck_assert_uint_eq(exposed(), 0);
        tear_down();
    }
    set_up_half(WATCHED);
    pass(8 * 86400);
    steers_settle(&one);
    ck_assert_ptr_nonnull(strstr(courses(), "completed"));
    breaks(METRIC_BREAKER);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

START_TEST(a_breaker_kills_what_a_step_back_still_serves)
{
    set_up_half(WATCHED);
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(VERB_STEP_BACK, "ada").state, DESK_SERVED);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    ck_assert_uint_gt(exposed(), 60);
    pass(10);
    breaks(METRIC_BREAKER);
    is_killed_and_recorded();
    ck_assert_str_eq(shell("git -C remote.git log -2 --format=%%s"),
                     "Kill production/shop-release\n"
                     "Revert \"Advance production/shop-release to half\"");
    tear_down();
}
END_TEST

START_TEST(a_guardrail_takes_back_what_a_step_back_still_serves)
{
    set_up_half(WATCHED "  onBreach: rollback\n");
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(VERB_STEP_BACK, "ada").state, DESK_SERVED);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    pass(10);
    breaks(METRIC_GUARDRAIL);
    ck_assert_uint_eq(exposed(), 0);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    pass(10);
    core_turn(one.core); /* and once is enough */
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    shell("mv away.git remote.git");
    pass(120);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_ptr_nonnull(strstr(courses(), "rolledBack"));
    tear_down();
}
END_TEST

/* A verb that waits for the branch keeps nothing from being taken back. */
START_TEST(a_breach_does_not_wait_for_a_verb_that_waits)
{
    set_up_half(WATCHED);
    shell("mv remote.git away.git");
    ck_assert_int_eq(do_verb(VERB_PAUSE, "ada").state, DESK_WAITING);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    pass(1);
    breaks(METRIC_BREAKER);
    is_killed_and_recorded();
    tear_down();
}
END_TEST

/* --- the end of an override ------------------------------------------------------------------- */

static void refuse_pushes_of_weir(void)
{
    shell("printf '#!/bin/sh\nread old new ref\n! git log -1 --format=%%%%an $new | grep -q "
          "\"^weir\"\n' >remote.git/hooks/pre-receive && chmod +x remote.git/hooks/pre-receive");
}

/* In words of sed, on the state's file. */
static void edit_state(const char *words)
{
    shell("cd work && git pull -q --rebase && sed -i '%s' state/production/shop-release.yaml",
          words);
    commit("git diff --quiet && exit 1 || true");
    steers_fetch(&one);
    steers_take(&one);
}

static void is_still_open(void)
{
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_uint_eq(exposed(), 0);
}

START_TEST(no_hand_ends_an_override)
{
    char words[200];
    set_up_half(WATCHED);
    refuse_pushes_of_weir();
    breaks(METRIC_GUARDRAIL);
    struct snapshot *snapshot = hub_acquire(&one.hub);
    snprintf(words, sizeof words, "s/^  intents:/&\\n    - \"%s\"/",
             snapshot->environments[0].overrides->items[0]->intent.data);
    snapshot_release(snapshot);
    is_still_open();
    edit_state("s/^  run: 1/  run: 2/");
    is_still_open();
    edit_state("s/^  run: 2/  run: 1/");
    is_still_open();
    edit_state(words); /* that it is recorded, and nothing else */
    is_still_open();
    shell("rm remote.git/hooks/pre-receive");
    pass(120);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

static bool is_on_in_france(void)
{
    return exposed() == 1000;
}

START_TEST(a_step_back_of_a_flag_that_is_edited_stands_until_it_is_recorded)
{
    set_up_half(WATCHED);
    refuse_pushes_of_weir();
    ck_assert_int_eq(do_verb(VERB_STEP_BACK, "ada").state, DESK_SERVED);
    unsigned less = exposed();
    ck_assert(less > 60 && less < 140);
    shell("cd work && git pull -q --rebase && sed -i 's/is: DE/is: FR/' flags/shop.yaml");
    commit("git diff --quiet && exit 1 || true");
    steers_fetch(&one);
    steers_take(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_uint_eq(exposed(), less);
    shell("rm remote.git/hooks/pre-receive");
    pass(120);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert(is_on_in_france()); /* as its rule says by now */
    tear_down();
}
END_TEST

/* A finished one may be taken away, with its state. */
static void take_rollout_away(void)
{
    shell("cd work && git pull -q --rebase && git rm -q -r rollouts.yaml state && sed -i "
          "'s/default: off/default: on/' flags/shop.yaml");
    commit("true");
}

START_TEST(an_override_of_a_rollout_that_went_stands_until_somebody_decides)
{
    set_up_half(WATCHED);
    pass(8 * 86400);
    steers_settle(&one);
    refuse_pushes_of_weir();
    breaks(METRIC_BREAKER);
    is_still_open();
    take_rollout_away();
    steers_fetch(&one);
    steers_take(&one);
    is_still_open();
    shell("mkdir -p work/state/production/flags");
    struct flag_pin pin = pin_of("", true, "off");
    char *text = pin_text(&pin);
    write_text("state/production/flags/shop.yaml", text);
    free(text);
    commit("true");
    steers_fetch(&one);
    steers_take(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

START_TEST(an_override_of_a_rollout_that_went_ends_where_it_was_recorded)
{
    struct steers two;
    set_up_half(WATCHED);
    steers_open(&two, "two");
    steers_fetch(&two);
    steers_take(&two);
    breaks(METRIC_BREAKER);
    core_turn(two.core);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 0);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    take_rollout_away(); /* the other sees both at once */
    steers_fetch(&two);
    steers_take(&two);
    ck_assert_uint_eq(steering_open(core_steering(two.core)), 0);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 1000);
    steers_close(&two);
    tear_down();
}
END_TEST

START_TEST(on_a_later_run_an_override_closes_without_a_commit)
{
    struct steers two;
    set_up_half(WATCHED);
    steers_open(&two, "two");
    steers_fetch(&two);
    steers_take(&two);
    breaks(METRIC_GUARDRAIL);
    steers_measure(WALK_SUCCESS, "");
    pass(1);
    struct desk_request request;
    steers_ask(&two, VERB_KILL, "eve", &request);
    core_turn(two.core); /* which has not heard of it for days */
    ck_assert_uint_eq(steering_open(core_steering(two.core)), 1);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    pass(3600);
    do_and_record(VERB_RESUME);
    char *tip = strdup(shell("git -C remote.git rev-parse main"));
    unsigned again = exposed();
    ck_assert_uint_gt(again, 0);
    ck_assert_int_eq(steers_record(&two), RECORDER_MOVED);
    steers_fetch(&two);
    steers_take(&two);
    core_turn(two.core);
    ck_assert_uint_eq(steering_open(core_steering(two.core)), 0);
    ck_assert_ptr_null(two.proposal);
    ck_assert_uint_eq(steers_exposed(&two, &staff), again);
    ck_assert_str_eq(shell("git -C remote.git rev-parse main"), tip);
    request = steers_answer(&two, &request); /* eve is told */
    ck_assert_int_eq(request.state, DESK_FAILED);
    ck_assert_ptr_nonnull(strstr(request.words, "ask again"));
    free(tip);
    steers_close(&two);
    tear_down();
}
END_TEST

/* --- where else overrides are ------------------------------------------------------------------
 */

START_TEST(a_branch_that_refuses_for_long_is_not_the_only_place)
{
    struct steers two;
    set_up_half(WATCHED);
    steers_open(&two, "two");
    steers_fetch(&two);
    steers_take(&two);
    refuse_pushes_of_weir();
    breaks(METRIC_GUARDRAIL);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(one.proposal);
        ck_assert_uint_eq(one.proposal->override_count, 0);
        ck_assert_int_eq(steers_record(&one), RECORDER_REFUSED);
        core_turn(one.core);
        pass(120);
        core_turn(one.core);
    }
    ck_assert_uint_eq(one.proposal->override_count, 1);
    ck_assert_uint_gt(steers_exposed(&two, &staff), 400);
    steers_measure(WALK_SUCCESS, ""); /* for the other, who has not seen it */
    steering_adopt(core_steering(two.core), one.proposal->overrides, 1, true);
    core_turn(two.core);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 0);
    steers_close(&two);
    steers_open(&two, "two"); /* which is kept */
    steers_fetch(&two);
    steers_take(&two);
    ck_assert_uint_eq(steers_exposed(&two, &staff), 0);
    shell("rm remote.git/hooks/pre-receive");
    core_turn(two.core);
    ck_assert_int_eq(steers_record(&two), RECORDER_ACCEPTED); /* and recorded by either */
    steers_record(&one); /* too late, or the very same commit */
    steers_fetch(&one);
    steers_take(&one);
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_str_eq(shell("git -C remote.git log --format=%%s | grep -c '^Revert'"), "1");
    steers_close(&two);
    tear_down();
}
END_TEST

UNIT_MAIN("steering_safety", hours_that_nobody_knows_are_no_open_hours,
          who_approves_and_then_changes_it_has_not_approved_it,
          a_state_of_later_than_now_lets_nobody_in,
          nothing_is_measured_nor_grows_before_every_target_has_it,
          a_halt_within_a_window_lets_nobody_in_from_its_commit_on,
          nobody_is_let_in_beyond_the_end_of_a_window, a_breaker_kills_whatever_the_status,
          a_breaker_kills_what_a_step_back_still_serves,
          a_guardrail_takes_back_what_a_step_back_still_serves,
          a_breach_does_not_wait_for_a_verb_that_waits, no_hand_ends_an_override,
          a_step_back_of_a_flag_that_is_edited_stands_until_it_is_recorded,
          an_override_of_a_rollout_that_went_stands_until_somebody_decides,
          an_override_of_a_rollout_that_went_ends_where_it_was_recorded,
          on_a_later_run_an_override_closes_without_a_commit,
          a_branch_that_refuses_for_long_is_not_the_only_place)
