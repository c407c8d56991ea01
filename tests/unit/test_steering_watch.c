/* Watched flags: a commit that breaks their metric while it bakes is taken back, at once for users
 * and then on the branch; and flags that are killed without a rollout. */
#include "steers.h"

#define METRIC                                                                                     \
    "apiVersion: weir/v1\nkind: Metric\nmetadata: {name: errors}\nspec:\n  role: guardrail\n"      \
    "  prometheus: {address: 'http://127.0.0.1:9090', query: up}\n  thresholdRange: {max: 0.01}\n"
#define FLAG(name, standard, more)                                                                 \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: " name "}\nspec:\n  variants: {on: true, "  \
    "off: false}\n  default: " standard "\n" more
#define WATCH "  watch: {metrics: [errors], bake: 1h}\n"
#define BAKE INT64_C(3600)

static struct steers one, two;
static bool staff;

static void put(const char *path, const char *text)
{
    char whole[200];
    snprintf(whole, sizeof whole, "%s/work/%s", root, path);
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* What was put, as a commit of now, on what the branch has. */
static char *commit_now(void)
{
    char date[48];
    snprintf(date, sizeof date, "%lld +0000", (long long)wall_seconds);
    setenv("GIT_COMMITTER_DATE", date, 1);
    char *made =
        shell("cd work && git add -A && git commit -q -m change && git pull -q --rebase && "
              "git push -q origin HEAD 2>&1 && git rev-parse HEAD");
    unsetenv("GIT_COMMITTER_DATE");
    return made;
}

static void catch_up(struct steers *steers)
{
    steers_fetch(steers);
    steers_take(steers);
}

/* What the snapshot says to be recorded: of that targets take no override for open. */
static bool is_recorded(struct steers *steers, struct text intent)
{
    struct snapshot *snapshot = hub_acquire(&steers->hub);
    bool is = override_set_records(snapshot->environments[0].overrides, intent);
    snapshot_release(snapshot);
    return is;
}

static bool breaks_shop(const struct roster_rollout *item)
{
    return steers_measures && strcmp(item->name, "production/flags/shop") == 0;
}

static void set_up(void)
{
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    steers_measures = false;
    steers_breaks = breaks_shop;
    steers_gate = (struct walk_gate){.metric = TEXT("errors"), .verdict = WALK_SUCCESS};
    shell("mkdir -p work/flags");
    put("environment.yaml", RIG_PRODUCTION);
    put("metric.yaml", METRIC);
    put("flags/shop.yaml", FLAG("shop", "off", WATCH));
    put("flags/other.yaml", FLAG("other", "off", ""));
    char date[48];
    snprintf(date, sizeof date, "%lld +0000", (long long)wall_seconds);
    setenv("GIT_COMMITTER_DATE", date, 1);
    commit("true");
    unsetenv("GIT_COMMITTER_DATE");
    steers_open(&one, "one");
    catch_up(&one);
    steers_settle(&one);
    pass(2 * BAKE);
    steers_settle(&one);
}

static void tear_down(void)
{
    steers_breaks = NULL;
    steers_close(&one);
    mirror = NULL;
    end();
}

/* A person lets everybody have it. */
static char *turn_on(void)
{
    put("flags/shop.yaml", FLAG("shop", "on", WATCH));
    return commit_now();
}

static unsigned on(struct steers *steers)
{
    return steers_exposed(steers, &staff);
}

static void break_it(void)
{
    steers_measure(WALK_FAILURE, "0.031 > 0.01, n=5120");
}

static char *log_of(const char *format)
{
    return shell("git -C remote.git log -1 --format=%s main", format);
}

START_TEST(a_breach_is_served_at_once_and_the_commit_reverted)
{
    set_up();
    char *bad = turn_on(), expected[100];
    snprintf(expected, sizeof expected, "Weir-Reverts: %s", bad);
    catch_up(&one);
    pass(60);
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_uint_eq(on(&one), 1000);
    steers_breaks = NULL;
    steers_measure(WALK_SUCCESS, "0.001 <= 0.01"); /* what passes stays */
    core_turn(one.core);
    steers_measure(WALK_ERROR, "down");
    core_turn(one.core);
    ck_assert_uint_eq(on(&one), 1000);
    steers_breaks = breaks_shop;
    break_it();
    core_turn(one.core);
    ck_assert_uint_eq(on(&one), 0);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_ptr_nonnull(one.proposal);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(on(&one), 0);
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_str_eq(log_of("%s"), "Revert \"change\"");
    ck_assert_ptr_nonnull(strstr(log_of("%b"), expected));
    ck_assert_ptr_nonnull(strstr(log_of("%b"), "errors: 0.031 > 0.01, n=5120"));
    ck_assert_ptr_nonnull(
        strstr(shell("git -C remote.git show main:flags/shop.yaml"), "default: off"));
    tear_down();
}
END_TEST

START_TEST(a_commit_of_more_than_the_flag_is_pinned_and_its_revert_proposed)
{
    set_up();
    put("flags/other.yaml", FLAG("other", "on", ""));
    turn_on();
    catch_up(&one);
    break_it();
    core_turn(one.core);
    ck_assert_uint_eq(on(&one), 0);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(on(&one), 0);
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_ptr_nonnull(
        strstr(shell("git -C remote.git show main:state/production/flags/shop.yaml"), "asOf: "));
    ck_assert_str_eq(shell("git -C remote.git branch --list 'weir/revert/*' | grep -c ."), "1");
    ck_assert_ptr_nonnull(
        strstr(shell("git -C remote.git show main:flags/other.yaml"), "default: on"));
    tear_down();
}
END_TEST

START_TEST(what_finished_its_bake_is_not_measured_any_more)
{
    set_up();
    turn_on();
    catch_up(&one);
    pass(BAKE - 60);
    core_turn(one.core);
    ck_assert_uint_eq(steers_watched, 1);
    pass(60);
    break_it();
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_uint_eq(steers_watched, 0);
    ck_assert_uint_eq(on(&one), 1000);
    tear_down();
}
END_TEST

START_TEST(what_nobody_changed_is_not_measured)
{
    set_up();
    put("README.md", "words\n");
    put("flags/other.yaml", FLAG("other", "on", ""));
    commit_now();
    catch_up(&one);
    break_it();
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_str_eq(log_of("%s"), "change");
    tear_down();
}
END_TEST

START_TEST(a_restart_finds_the_bake_in_history_and_the_override_in_the_store)
{
    set_up();
    turn_on();
    catch_up(&one);
    pass(60);
    steers_settle(&one);
    steers_close(&one);
    steers_open(&one, "one");
    catch_up(&one);
    pass(60);
    steers_settle(&one);
    ck_assert_uint_eq(on(&one), 1000);
    break_it();
    core_turn(one.core);
    ck_assert_uint_eq(on(&one), 0);
    steers_measures = false;
    steers_close(&one); /* before anything is recorded */
    steers_open(&one, "one");
    catch_up(&one);
    ck_assert_uint_eq(on(&one), 0);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(on(&one), 0);
    ck_assert_str_eq(shell("git -C remote.git log --format=%%s main | grep -c '^Revert'"), "1");
    tear_down();
}
END_TEST

static bool breaks_fresh(const struct roster_rollout *item)
{
    return steers_measures && strcmp(item->name, "production/flags/fresh") == 0;
}

static bool serves_fresh(struct steers *steers)
{
    struct snapshot *snapshot = hub_acquire(&steers->hub);
    bool found = document_find(snapshot->environments[0].document, TEXT("fresh")) != NULL;
    snapshot_release(snapshot);
    return found;
}

/* A flag that nobody had before, in a commit of its own or with another. */
static char *add_fresh(void)
{
    steers_breaks = breaks_fresh;
    put("flags/fresh.yaml", FLAG("fresh", "on", WATCH));
    return commit_now();
}

START_TEST(a_flag_that_was_none_before_is_none_again_at_once)
{
    set_up();
    char *bad = add_fresh(), expected[100];
    snprintf(expected, sizeof expected, "This reverts commit %s.", bad);
    catch_up(&one);
    ck_assert(serves_fresh(&one));
    break_it();
    shell("mv remote.git away.git");
    core_turn(one.core);
    ck_assert(!serves_fresh(&one));
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
    steers_close(&one); /* and a restart does not forget it */
    steers_open(&one, "one");
    ck_assert_ok(mirror_last_tip(one.mirror, one.tip, &failure));
    steers_take(&one);
    ck_assert(!serves_fresh(&one));
    shell("mv away.git remote.git");
    steers_fetch(&one);
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert(!serves_fresh(&one));
    ck_assert_ptr_nonnull(strstr(log_of("%b"), expected));
    ck_assert_str_eq(
        shell("git -C remote.git ls-tree --name-only main flags/ | grep -c fresh; true"), "0");
    tear_down();
}
END_TEST

/* Of a commit of more the flag is pinned to what it was: nothing. */
START_TEST(a_flag_that_was_none_before_is_pinned_to_none)
{
    set_up();
    put("flags/other.yaml", FLAG("other", "on", ""));
    add_fresh();
    catch_up(&one);
    break_it();
    core_turn(one.core);
    ck_assert(!serves_fresh(&one));
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert(!serves_fresh(&one));
    ck_assert_ptr_nonnull(
        strstr(shell("git -C remote.git show main:state/production/flags/fresh.yaml"), "asOf: "));
    tear_down();
}
END_TEST

/* Who finds that at a target serves it too, until Git says so. */
START_TEST(that_a_flag_is_none_is_adopted_like_any_override)
{
    set_up();
    steers_open(&two, "two");
    add_fresh();
    catch_up(&one);
    catch_up(&two);
    break_it();
    core_turn(one.core);
    steers_measures = false;
    struct snapshot *snapshot = hub_acquire(&one.hub);
    struct override *found = snapshot->environments[0].overrides->items[0];
    steering_adopt(core_steering(two.core), &found, 1, NULL);
    snapshot_release(snapshot);
    ck_assert(serves_fresh(&two));
    core_turn(two.core);
    ck_assert(!serves_fresh(&two));
    ck_assert_uint_eq(steers_settle(&two), 1);
    catch_up(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert(!serves_fresh(&one));
    steers_close(&two);
    tear_down();
}
END_TEST

#define EXPOSING                                                                                   \
    "{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},\"defaultVariant\":\"on\"}"

static void tell_two(enum walk_verb_kind action, int64_t since, const char *fragment)
{
    char intent[INTENT_TEXT_SIZE];
    ck_assert_int_eq(flag_pin_intent(TEXT("production"), TEXT("shop"), 0, TEXT("revert"), intent),
                     STATUS_OK);
    const struct override like = {.intent = text_of(intent),
                                  .environment = TEXT("production"),
                                  .flag = TEXT("shop"),
                                  .action = action,
                                  .by = TEXT("weir"),
                                  .fragment = text_of(fragment),
                                  .since = since,
                                  .generation = "00000000000000000000000000000000"};
    struct override *found = override_new(&like);
    ck_assert_ptr_nonnull(found);
    steering_adopt(core_steering(two.core), &found, 1, "cache");
    override_release(found);
    core_turn(two.core);
}

/* What it is then is found out here; before the bad commit is here there is nothing to do, and with
 * it there is. */
START_TEST(what_another_took_back_is_found_out_here)
{
    for (unsigned is_behind = 0; is_behind < 2; is_behind++) {
        set_up();
        steers_open(&two, "two");
        catch_up(&two);
        turn_on();
        pass(60);
        if (!is_behind)
            catch_up(&two);
        tell_two(VERB_ROLLBACK, wall_seconds, EXPOSING);
        ck_assert_uint_eq(steering_open(core_steering(two.core)), !is_behind);
        if (is_behind)
            catch_up(&two);
        ck_assert_uint_eq(steering_open(core_steering(two.core)), 1);
        ck_assert_uint_eq(on(&two), 0);
        ck_assert_uint_eq(steers_settle(&two), 1);
        ck_assert_str_eq(log_of("%an"), "weir of tests");
        ck_assert_ptr_nonnull(strstr(log_of("%b"), "Weir-By: weir, as told by target 'cache'"));
        steers_close(&two);
        tear_down();
    }
}
END_TEST

/* Nobody has a flag back as it was years ago, nor what was changed after it broke. */
START_TEST(what_is_told_of_other_times_takes_nothing_back)
{
    set_up();
    steers_open(&two, "two");
    pass(10 * 86400);
    turn_on();
    catch_up(&two);
    tell_two(VERB_ROLLBACK, wall_seconds - 9 * INT64_C(86400), EXPOSING);
    tell_two(VERB_ROLLBACK, wall_seconds - 600, EXPOSING);
    ck_assert_uint_eq(steering_open(core_steering(two.core)), 0);
    ck_assert_uint_eq(on(&two), 1000);
    steers_close(&two);
    tear_down();
}
END_TEST

START_TEST(two_controllers_take_it_back_once)
{
    set_up();
    steers_open(&two, "two");
    turn_on();
    catch_up(&one);
    catch_up(&two);
    break_it();
    core_turn(one.core);
    core_turn(two.core);
    ck_assert_uint_eq(on(&one), 0);
    ck_assert_uint_eq(on(&two), 0);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    pass(1); /* within one second they write the very same commit */
    ck_assert_int_eq(steers_record(&two), RECORDER_MOVED);
    steers_take(&one);
    catch_up(&two);
    ck_assert_uint_eq(steers_settle(&two), 0);
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_uint_eq(steering_open(core_steering(two.core)), 0);
    ck_assert_str_eq(shell("git -C remote.git log --format=%%s main | grep -c '^Revert'"), "1");
    steers_close(&two);
    tear_down();
}
END_TEST

START_TEST(a_remote_that_is_away_for_longer_than_the_bake_gets_the_revert_when_it_is_back)
{
    set_up();
    turn_on();
    catch_up(&one);
    shell("mv remote.git away.git");
    break_it();
    for (int i = 0; i < 4; i++) {
        core_turn(one.core);
        ck_assert_uint_eq(on(&one), 0);
        if (one.proposal)
            ck_assert_int_eq(steers_record(&one), RECORDER_FAILED);
        pass(BAKE);
    }
    shell("mv away.git remote.git");
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_uint_eq(on(&one), 0);
    ck_assert_str_eq(log_of("%s"), "Revert \"change\"");
    tear_down();
}
END_TEST

START_TEST(a_person_who_was_faster_ends_the_override_without_a_commit_of_weir)
{
    set_up();
    turn_on();
    catch_up(&one);
    break_it();
    core_turn(one.core);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    put("flags/shop.yaml", FLAG("shop", "off", WATCH));
    char *mended = commit_now();
    catch_up(&one);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    steers_measures = false;
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_str_eq(log_of("%H"), mended);
    tear_down();
}
END_TEST

START_TEST(the_blast_cap_holds_a_guardrail_but_no_breaker)
{
    steers_blast_cap = 1;
    set_up();
    put("flags/third.yaml", FLAG("third", "off", WATCH));
    commit_now();
    catch_up(&one);
    pass(2 * BAKE);
    steers_settle(&one);
    steers_breaks = NULL;
    turn_on();
    catch_up(&one);
    pass(1);
    put("flags/third.yaml", FLAG("third", "on", WATCH));
    commit_now();
    catch_up(&one);
    break_it();
    core_turn(one.core);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_uint_eq(on(&one), 1000);             /* the one that changed last went back */
    ck_assert_int_eq(steers_told.kind, WALK_HOLD); /* and people are told of the other */
    steers_gate.role = METRIC_BREAKER;
    core_turn(one.core);
    steers_blast_cap = 0;
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 2);
    ck_assert_uint_eq(on(&one), 0);
    tear_down();
}
END_TEST

/* While the branch takes nothing its log tells of nothing: what is served counts. */
START_TEST(the_blast_cap_counts_flags_that_are_not_recorded_yet)
{
    steers_blast_cap = 1;
    set_up();
    put("flags/third.yaml", FLAG("third", "off", WATCH));
    commit_now();
    catch_up(&one);
    pass(2 * BAKE);
    steers_settle(&one);
    turn_on();
    put("flags/third.yaml", FLAG("third", "on", WATCH));
    commit_now();
    catch_up(&one);
    steers_measure(WALK_SUCCESS, "0.031 > 0.01, n=5120"); /* but of shop, which breaks */
    core_turn(one.core);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    pass(60);
    break_it(); /* third, too */
    core_turn(one.core);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 1);
    ck_assert_int_eq(steers_told.kind, WALK_HOLD);
    steers_blast_cap = 0;
    tear_down();
}
END_TEST

START_TEST(a_flag_is_killed_at_once_and_let_go_by_a_commit)
{
    struct desk_request request;
    set_up();
    turn_on();
    catch_up(&one);
    steers_settle(&one);
    ck_assert_uint_eq(on(&one), 1000);
    /* Its default would be what everybody has: so it is another's that is let go below. */
    put("flags/shop.yaml",
        FLAG("shop", "off", "  rules: [{when: {attribute: country, is: FR}, serve: on}]\n"));
    commit_now();
    catch_up(&one);
    steers_settle(&one);
    ck_assert_uint_eq(on(&one), 1000);
    request = (struct desk_request){
        .environment = "production", .rollout = "shop", .verb = VERB_KILL, .by = "ada"};
    ck_assert_ok(desk_submit(one.desk, &request, &failure));
    core_turn(one.core);
    ck_assert_uint_eq(on(&one), 0);
    ck_assert_int_eq(steers_answer(&one, &request).state, DESK_SERVED);
    struct snapshot *snapshot = hub_acquire(&one.hub);
    char *intent = strdup(snapshot->environments[0].overrides->items[0]->intent.data);
    snapshot_release(snapshot);
    ck_assert(!is_recorded(&one, text_of(intent)));
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(on(&one), 0);
    ck_assert_uint_eq(steering_open(core_steering(one.core)), 0);
    ck_assert_int_eq(steers_answer(&one, &request).state, DESK_RECORDED);
    ck_assert(is_recorded(&one, text_of(intent)));
    steers_open(&two, "two"); /* which never heard of it but by Git */
    catch_up(&two);
    ck_assert(is_recorded(&two, text_of(intent)));
    steers_close(&two);
    free(intent);
    ck_assert_str_eq(log_of("%s"), "Kill flag production/shop");
    ck_assert_str_eq(log_of("%an"), "ada");
    request.verb = VERB_UNKILL;
    ck_assert_ok(desk_submit(one.desk, &request, &failure));
    ck_assert_uint_eq(steers_settle(&one), 1);
    ck_assert_uint_eq(on(&one), 1000);
    ck_assert_int_eq(steers_answer(&one, &request).state, DESK_RECORDED);
    ck_assert_str_eq(log_of("%s"), "Unkill flag production/shop");
    request.verb = VERB_PAUSE;
    ck_assert_ok(desk_submit(one.desk, &request, &failure));
    core_turn(one.core);
    ck_assert_int_eq(steers_answer(&one, &request).state, DESK_REFUSED);
    ck_assert_ptr_nonnull(strstr(steers_answer(&one, &request).words, "no such rollout"));
    tear_down();
}
END_TEST

UNIT_MAIN("steering_watch", a_breach_is_served_at_once_and_the_commit_reverted,
          a_commit_of_more_than_the_flag_is_pinned_and_its_revert_proposed,
          what_finished_its_bake_is_not_measured_any_more, what_nobody_changed_is_not_measured,
          a_restart_finds_the_bake_in_history_and_the_override_in_the_store,
          a_flag_that_was_none_before_is_none_again_at_once,
          a_flag_that_was_none_before_is_pinned_to_none,
          that_a_flag_is_none_is_adopted_like_any_override,
          what_another_took_back_is_found_out_here, what_is_told_of_other_times_takes_nothing_back,
          two_controllers_take_it_back_once,
          a_remote_that_is_away_for_longer_than_the_bake_gets_the_revert_when_it_is_back,
          a_person_who_was_faster_ends_the_override_without_a_commit_of_weir,
          the_blast_cap_holds_a_guardrail_but_no_breaker,
          the_blast_cap_counts_flags_that_are_not_recorded_yet,
          a_flag_is_killed_at_once_and_let_go_by_a_commit)
