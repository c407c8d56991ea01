/* Taking back what a person's commit did to a watched flag: as a revert, or as a pin and a proposed
 * branch; and letting a flag go again. Commits are made by git, on a clock of the test. */
#include "pins.h"
#include "rollouts_unit.h"

#include "../../controller/git/message.h"
#include "../../controller/git/proposed.h"
#include "../../controller/rollout/revert.h"
#include "repositories.h"

#define BAKE 7200
#define START INT64_C(1767225600)

static int64_t now; /* of the test, seconds */
static struct schema_set *schemas;

static int64_t wall(void *self)
{
    (void)self;
    return now * NANOSECONDS_PER_SECOND;
}

static uint64_t middling(void *self)
{
    (void)self;
    return UINT64_C(1) << 63;
}

static const struct clock test_clock = {wall, wall, middling, NULL};

#define FLAG(name, variant)                                                                        \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: " name "}\nspec: {variants: {a: 1, b: 2, "  \
    "c: 3}, default: " variant "}\n"
#define STAFF_FLAG                                                                                 \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\nspec: {variants: {a: 1, b: 2}, "     \
    "default: a, rules: [{when: {segment: staff}, serve: b}]}\n"
#define STAFF(attribute)                                                                           \
    "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: staff}\nspec: {match: {attribute: "      \
    "" attribute ", is: x}}\n"

/* --- making history -------------------------------------------------------------------------- */

static void put(const char *path, const char *text)
{
    char whole[200];
    snprintf(whole, sizeof whole, "%s/work/%s", root, path);
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static char *keep(const char *commit_made)
{
    static char commits[32][COMMIT_TEXT_SIZE];
    static unsigned next;
    char *kept = commits[next++ % COUNT_OF(commits)];
    snprintf(kept, COMMIT_TEXT_SIZE, "%s", commit_made);
    return kept;
}

/* The commit of what was put, an hour after the last one. */
static char *after(int64_t seconds, const char *subject)
{
    now += seconds;
    return keep(shell("cd work && git add -A && GIT_COMMITTER_DATE='%lld +0000' git commit -q "
                      "--allow-empty -m '%s' && git push -q origin HEAD:main 2>&1 && git "
                      "rev-parse HEAD",
                      (long long)now, subject));
}

static char *begin_history(void)
{
    struct error error;
    begin();
    schemas = catalog_schemas(&error);
    now = START;
    shell("mkdir -p work/flags work/segments");
    put("environment.yaml", RIG_PRODUCTION);
    put("flags/shop.yaml", FLAG("shop", "a"));
    put("flags/other.yaml", FLAG("other", "a"));
    put("README.md", "one\n");
    char *first = after(0, "First");
    open_mirror();
    return first;
}

static void end_history(void)
{
    schema_set_free(schemas);
    end();
}

/* --- deciding -------------------------------------------------------------------------------- */

static struct revert_task task_now(void)
{
    return (struct revert_task){
        .parts = {.mirror = mirror, .schemas = schemas, .clock = &test_clock},
        .environment = TEXT("production"),
        .flag = TEXT("shop"),
        .bake = BAKE,
        .now = now,
        .by = TEXT("weir"),
        .evidence = TEXT("errors 0.031 > 0.01, n=5120")};
}

static struct decide request(decide_callback *callback, void *context)
{
    return (struct decide){.mirror = mirror,
                           .clock = &test_clock,
                           .author = {.name = "weir", .mail = "weir@example.com"},
                           .committer = {.name = "weir", .mail = "weir@example.com"},
                           .decide = callback,
                           .context = context};
}

static struct revert_decide both;
static struct decide last;

/* As after the record is on the branch. */
static void propose(void)
{
    char tip[COMMIT_TEXT_SIZE];
    if (both.revert.proposal[0])
        ck_assert_ok(proposed_keep(mirror, both.revert.branch, both.revert.proposal, &failure));
    ck_assert_ok(mirror_last_tip(mirror, tip, &failure));
    ck_assert_ok(proposed_push(mirror, tip, NULL, &failure));
}

static enum revert_kind take_back_by(struct revert_task task)
{
    revert_dispose(&both.revert);
    both.task = task;
    last = request(revert_decide, &both);
    ck_assert_ok(decide(&last, &failure));
    propose();
    shell("cd work && git fetch -q && git reset -q --hard origin/main");
    return both.revert.kind;
}

static enum revert_kind take_back(void)
{
    return take_back_by(task_now());
}

static void expect_words(const char *words)
{
    ck_assert_msg(strstr(both.revert.words, words), "%s", both.revert.words);
    ck_assert_str_eq(last.commit, last.tip);
    revert_dispose(&both.revert);
}

/* The flag's default at the branch's tip; "-" where there is no such flag. */
static const char *served(const char *flag)
{
    static char out[64];
    struct effective way;
    struct buffer json;
    const struct effective_parts parts = {
        .mirror = mirror, .schemas = schemas, .clock = &test_clock};
    effective_init(&way, &parts);
    ck_assert_ok(effective_go(&way, fetch(), &failure));
    const struct document *document = effective_document(&way, TEXT("production"));
    const struct fragment *fragment = document_find(document, text_of(flag));
    buffer_init(&json, 0);
    if (fragment)
        fragment_append_json(fragment, &json);
    snprintf(out, sizeof out, "%s", "-");
    const char *text = buffer_string(&json);
    if (fragment)
        snprintf(out, sizeof out, "%.1s", strstr(text, "defaultVariant\":\"") + 17);
    buffer_dispose(&json);
    effective_dispose(&way);
    return out;
}

static const char *log_of(const char *revision)
{
    static char out[4096];
    char command[300];
    snprintf(command, sizeof command, "cd %s && git -C remote.git log -1 --format=%%B %s", root,
             revision);
    FILE *pipe = popen(command, "r");
    size_t length = fread(out, 1, sizeof out - 1, pipe);
    out[length] = '\0';
    ck_assert_int_eq(pclose(pipe), 0);
    return out;
}

/* --- a revert -------------------------------------------------------------------------------- */

START_TEST(a_commit_of_the_flag_alone_is_reverted)
{
    char expected[2000];
    char *good = begin_history();
    put("flags/shop.yaml", FLAG("shop", "b"));
    char *bad = after(BAKE + 60, "Everybody gets b: ready");
    put("README.md", "two\n");
    after(60, "Words");
    now += 60;
    ck_assert_str_eq(served("shop"), "b");
    ck_assert_int_eq(take_back(), REVERT_COMMIT);
    ck_assert_str_eq(both.revert.good, good);
    ck_assert_uint_eq(both.revert.change_count, 1);
    ck_assert_str_eq(both.revert.changes[0].commit, bad);
    ck_assert_str_eq(served("shop"), "a");
    ck_assert_str_eq(shell("cat work/README.md"), "two");
    snprintf(expected, sizeof expected,
             "Revert \"Everybody gets b: ready\"\n\nThis reverts commit %s.\n\nWeir-Action: "
             "revert\nWeir-Flag: production/shop\nWeir-Reverts: %s\nWeir-Intent: "
             "%s\nWeir-By: weir\nWeir-Evidence: errors 0.031 > 0.01, n=5120\n\n",
             bad, bad, both.revert.intent);
    ck_assert_str_eq(log_of("main"), expected);
    ck_assert_str_eq(shell("git -C remote.git show --name-only --format= main"),
                     "flags/shop.yaml\nstate/production/flags/shop.yaml");
    ck_assert_str_eq(shell("git -C remote.git branch --list 'weir/*'"), "");
    /* Once is enough. */
    ck_assert_int_eq(take_back(), REVERT_NOTHING);
    expect_words("what it was");
    struct revert_task again = task_now();
    char intent[INTENT_TEXT_SIZE];
    ck_assert_int_eq(flag_pin_intent(TEXT("production"), TEXT("shop"), 0, TEXT("revert"), intent),
                     STATUS_OK);
    again.intent = text_of(intent);
    ck_assert_int_eq(take_back_by(again), REVERT_NOTHING);
    expect_words("recorded already");
    end_history();
}
END_TEST

START_TEST(several_commits_are_one_revert)
{
    begin_history();
    put("flags/shop.yaml", FLAG("shop", "b"));
    char *one = after(BAKE + 60, "One");
    put("flags/other.yaml", FLAG("other", "b"));
    after(60, "Another flag");
    put("flags/shop.yaml", FLAG("shop", "c"));
    char *two = after(60, "Two");
    ck_assert_int_eq(take_back(), REVERT_COMMIT);
    ck_assert_uint_eq(both.revert.change_count, 2);
    ck_assert_str_eq(both.revert.changes[0].commit, two);
    ck_assert_str_eq(both.revert.changes[1].commit, one);
    ck_assert_str_eq(served("shop"), "a");
    ck_assert_str_eq(served("other"), "b");
    ck_assert_ptr_nonnull(strstr(log_of("main"), "Revert \"Two\""));
    ck_assert_ptr_nonnull(strstr(log_of("main"), one));
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

START_TEST(a_flag_among_others_in_one_file)
{
    begin_history();
    shell("cd work && git rm -q flags/*.yaml && mkdir flags");
    put("flags/all.yaml", FLAG("shop", "a") "---\n" FLAG("other", "a"));
    after(60, "One file");
    put("flags/all.yaml", FLAG("shop", "b") "---\n" FLAG("other", "a"));
    after(BAKE + 60, "Only the shop");
    ck_assert_int_eq(take_back(), REVERT_COMMIT);
    ck_assert_str_eq(served("shop"), "a");
    ck_assert_str_eq(served("other"), "a");
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

START_TEST(a_merge_reverts_to_its_first_parent)
{
    char expected[300];
    begin_history();
    shell("cd work && git checkout -q -b side");
    put("flags/shop.yaml", FLAG("shop", "b"));
    now += 60;
    shell("cd work && GIT_COMMITTER_DATE='%lld +0000' git commit -qam side", (long long)now);
    shell("cd work && git checkout -q main");
    put("README.md", "two\n");
    char *before = after(60, "Words");
    now += BAKE + 60;
    char *merge = keep(shell("cd work && GIT_COMMITTER_DATE='%lld +0000' git merge -q --no-ff -m "
                             "'Merge side' side && git push -q origin main 2>&1 && git rev-parse "
                             "HEAD",
                             (long long)now));
    ck_assert_int_eq(take_back(), REVERT_COMMIT);
    ck_assert_str_eq(both.revert.good, before);
    snprintf(expected, sizeof expected,
             "Revert \"Merge side\"\n\nThis reverts commit %s, reversing changes made to %s.\n",
             merge, before);
    ck_assert_ptr_nonnull(strstr(log_of("main"), expected));
    ck_assert_str_eq(served("shop"), "a");
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

START_TEST(a_flag_that_went_comes_back)
{
    begin_history();
    shell("cd work && git rm -q flags/shop.yaml");
    after(BAKE + 60, "It is not needed any more");
    ck_assert_str_eq(served("shop"), "-");
    ck_assert_int_eq(take_back(), REVERT_COMMIT);
    ck_assert_str_eq(served("shop"), "a");
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

/* --- a pin ----------------------------------------------------------------------------------- */

static void expect_pin(const char *good, const char *words, bool proposed)
{
    ck_assert_int_eq(take_back(), REVERT_PIN);
    ck_assert_str_eq(both.revert.good, good);
    ck_assert_msg(strstr(both.revert.words, words), "%s", both.revert.words);
    ck_assert_str_eq(served("shop"), "a");
    ck_assert_str_eq(shell("git -C remote.git show --name-only --format= main"),
                     "state/production/flags/shop.yaml");
    ck_assert_str_eq(shell("git -C remote.git branch --list 'weir/*' | wc -l"),
                     proposed ? "1" : "0");
    ck_assert_ptr_nonnull(strstr(log_of("main"), "Pin flag production/shop as of "));
    ck_assert_ptr_nonnull(strstr(log_of("main"), "\nWeir-Action: pin\nWeir-Flag: "
                                                 "production/shop\nWeir-As-Of: "));
}

START_TEST(a_commit_of_more_is_a_pin_and_a_proposal)
{
    char *good = begin_history();
    put("flags/shop.yaml", FLAG("shop", "b"));
    put("README.md", "two\n");
    char *bad = after(BAKE + 60, "More than one thing");
    expect_pin(good, "it changed more than the flag: \"README.md\"", true);
    ck_assert_str_eq(shell("cat work/README.md"), "two");
    ck_assert_ptr_nonnull(strstr(log_of("main"), bad));
    /* Merging what is proposed mends the definition and lets the flag go. */
    shell("cd work && git merge -q --ff-only origin/%s && git push -q origin main 2>&1",
          both.revert.branch + strlen("refs/heads/"));
    ck_assert_ptr_nonnull(strstr(log_of("main"), "Revert \"More than one thing\""));
    ck_assert_str_eq(shell("cat work/README.md"), "one");
    ck_assert_str_eq(served("shop"), "a");
    put("flags/shop.yaml", FLAG("shop", "c"));
    after(60, "Another try");
    ck_assert_str_eq(served("shop"), "c");
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

START_TEST(a_segment_is_not_the_flags_own)
{
    begin_history();
    put("segments/staff.yaml", STAFF("one"));
    put("flags/shop.yaml", STAFF_FLAG);
    char *good = after(60, "Staff");
    put("segments/staff.yaml", STAFF("two"));
    after(BAKE + 60, "Another staff");
    expect_pin(good, "it changed more than the flag: \"segments/staff.yaml\"", true);
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

/* Nor is another flag, though it stands in the same file. */
START_TEST(a_neighbour_is_not_the_flags_own)
{
    begin_history();
    shell("cd work && git rm -q flags/shop.yaml flags/other.yaml && mkdir -p flags");
    put("flags/all.yaml", FLAG("shop", "a") "---\n" FLAG("other", "a"));
    char *good = after(60, "One file");
    put("flags/all.yaml", FLAG("shop", "b") "---\n" FLAG("other", "b"));
    after(BAKE + 60, "Both");
    expect_pin(good, "it changed more than the flag: \"flags/all.yaml\"", true);
    ck_assert_str_eq(served("other"), "b");
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

START_TEST(what_was_changed_later_is_not_guessed_at)
{
    char *good = begin_history();
    put("flags/shop.yaml", FLAG("shop", "b"));
    after(BAKE + 60, "Bad");
    put("flags/shop.yaml", "# words that change nothing\n" FLAG("shop", "b"));
    after(60, "Words");
    expect_pin(good, "somebody changed it later: \"flags/shop.yaml\"", false);
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

/* The flag's file alone does not make it what it was. */
START_TEST(a_revert_that_would_not_mend_it_is_none)
{
    begin_history();
    put("segments/staff.yaml", STAFF("one"));
    put("flags/shop.yaml", STAFF_FLAG);
    char *good = after(60, "Staff");
    put("flags/shop.yaml", FLAG("shop", "b"));
    after(BAKE + 60, "Everybody");
    put("segments/staff.yaml", STAFF("two")); /* nobody asks for it at this time */
    after(60, "Another staff");
    expect_pin(good, "would not make the flag what it was", true);
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

START_TEST(a_hidden_file_counts_too)
{
    char *good = begin_history();
    put("flags/shop.yaml", FLAG("shop", "b"));
    shell("mkdir work/.github && echo x >work/.github/x.yml");
    after(BAKE + 60, "And a workflow");
    expect_pin(good, "\".github/x.yml\"", true);
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

/* --- nothing --------------------------------------------------------------------------------- */

START_TEST(nothing_is_done_without_cause)
{
    begin_history();
    put("flags/shop.yaml", FLAG("shop", "b"));
    after(60, "Long ago");
    put("README.md", "two\n");
    after(BAKE + 60, "Words");
    ck_assert_int_eq(take_back(), REVERT_NOTHING);
    expect_words("what it was");
    put("flags/shop.yaml", FLAG("shop", "c"));
    after(60, "Bad");
    struct flag_pin killed = pin_of(NULL, true, NULL);
    char *text = pin_text(&killed);
    shell("mkdir -p work/state/production/flags");
    put("state/production/flags/shop.yaml", text);
    free(text);
    after(60, "Somebody killed it");
    ck_assert_int_eq(take_back(), REVERT_NOTHING);
    expect_words("killed or pinned already");
    end_history();
}
END_TEST

START_TEST(a_new_history_has_nothing_to_go_back_to)
{
    begin_history();
    put("flags/shop.yaml", FLAG("shop", "b"));
    after(60, "Bad");
    ck_assert_int_eq(take_back(), REVERT_NOTHING);
    expect_words("no commit of its history finished its bake");
    end_history();
}
END_TEST

START_TEST(moves_of_a_rollout_are_not_taken_back)
{
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_CANARY);
    begin_history();
    put("environment.yaml", ROLLOUT_FLAG);
    shell("cd work && git rm -q flags/shop.yaml && mkdir -p state/production");
    put("rollouts.yaml", ROLLOUT("shop-release", ROLLOUT_PHASES));
    for (int i = 0; i < 2; i++) {
        char *text = state_text(&state);
        put("state/production/shop-release.yaml", text);
        free(text);
        after(i ? BAKE + 60 : 60, "A move");
        state.phase = PHASE_ALL;
        state.seq++;
    }
    ck_assert_int_eq(take_back(), REVERT_NOTHING);
    expect_words("moves of a rollout");
    end_history();
}
END_TEST

/* The flag as E of a commit has it. */
static void flag_at(const char *commit_made, struct buffer *json)
{
    const struct effective_parts parts = task_now().parts;
    struct effective way;
    effective_init(&way, &parts);
    ck_assert_ok(effective_go(&way, commit_made, &failure));
    const struct document *document = effective_document(&way, TEXT("production"));
    fragment_append_json(document_find(document, TEXT("shop")), json);
    effective_dispose(&way);
}

/* The good commit is of before the rollback: what was taken from users since stays so. */
START_TEST(a_variant_that_was_rolled_back_is_not_brought_back)
{
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_ALL);
    const char *stood = NULL;
    struct buffer expected;
    begin_history();
    put("environment.yaml", ROLLOUT_FLAG);
    shell("cd work && git rm -q flags/shop.yaml && mkdir -p state/production");
    put("rollouts.yaml", ROLLOUT("shop-release", ROLLOUT_PHASES));
    for (int i = 0; i < 2; i++) {
        char *text = state_text(&state);
        put("state/production/shop-release.yaml", text);
        free(text);
        stood = after(i ? BAKE + 60 : 60, "A move");
        state.course = COURSE_ROLLED_BACK;
        state.seq++;
    }
    shell("cd work && sed -i 's/is: DE/is: FR/' environment.yaml");
    after(60, "Bad");
    ck_assert_int_ne(take_back(), REVERT_NOTHING);
    buffer_init(&expected, 0);
    flag_at(stood, &expected);
    ck_assert_str_eq(buffer_string(&both.revert.json), buffer_string(&expected));
    buffer_clear(&expected);
    flag_at(last.commit, &expected); /* and so it is recorded */
    ck_assert_str_eq(buffer_string(&both.revert.json), buffer_string(&expected));
    buffer_dispose(&expected);
    end_history();
}
END_TEST

/* --- since when ------------------------------------------------------------------------------ */

/* Commits that were made long ago and came just now have not finished their bake. */
START_TEST(what_was_served_counts_not_what_was_made)
{
    char *good = begin_history();
    put("flags/shop.yaml", FLAG("shop", "b"));
    char *bad = after(60, "Made in the morning");
    put("README.md", "two\n");
    char *tip = after(60, "Words");
    now += BAKE + 600;
    ck_assert_int_eq(take_back(), REVERT_NOTHING); /* by the clocks of those who commit */
    revert_dispose(&both.revert);
    struct revert_served served_tips[2] = {{.since = now - 60}, {.since = now - BAKE - 60}};
    snprintf(served_tips[0].commit, COMMIT_TEXT_SIZE, "%s", tip);
    snprintf(served_tips[1].commit, COMMIT_TEXT_SIZE, "%s", good);
    struct revert_task task = task_now();
    task.served = served_tips;
    task.served_count = 2;
    ck_assert_int_eq(take_back_by(task), REVERT_COMMIT);
    ck_assert_str_eq(both.revert.good, good);
    ck_assert_str_eq(both.revert.changes[0].commit, bad);
    ck_assert_str_eq(served("shop"), "a");
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

START_TEST(two_that_decide_alike_write_the_same)
{
    char *first;
    begin_history();
    put("flags/shop.yaml", FLAG("shop", "b"));
    put("README.md", "two\n");
    after(BAKE + 60, "More than one thing");
    shell("cp -r remote.git other.git");
    ck_assert_int_eq(take_back(), REVERT_PIN);
    revert_dispose(&both.revert);
    first = keep(shell("git -C remote.git rev-parse main"));
    char *branch = keep(shell("git -C remote.git for-each-ref --format='%%(objectname)' "
                              "refs/heads/weir"));
    mirror_close(mirror);
    ck_assert_ok(mirror_open(below(root, "clone2"), below(root, "other.git"), &mirror, &failure));
    shell("cd work && git remote set-url origin %s/other.git", root);
    ck_assert_int_eq(take_back(), REVERT_PIN);
    ck_assert_str_eq(shell("git -C other.git rev-parse main"), first);
    ck_assert_str_eq(shell("git -C other.git for-each-ref --format='%%(objectname)' "
                           "refs/heads/weir"),
                     branch);
    propose(); /* it is there */
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

/* --- by people ------------------------------------------------------------------------------- */

static struct pin_decide asked;

static bool ask(enum pin_verb verb, const char *control, const char *reason)
{
    asked = (struct pin_decide){.schemas = schemas};
    asked.request.task = (struct pin_task){.verb = verb,
                                           .environment = TEXT("production"),
                                           .flag = TEXT("shop"),
                                           .control = text_of(control),
                                           .reason = text_of(reason)};
    buffer_init(&asked.request.message, 0);
    last = request(pin_decide, &asked);
    ck_assert_ok(decide(&last, &failure));
    buffer_dispose(&asked.request.message);
    shell("cd work && git fetch -q && git reset -q --hard origin/main");
    return asked.request.is_made;
}

START_TEST(people_kill_and_let_go)
{
    begin_history();
    put("flags/shop.yaml", FLAG("shop", "b"));
    put("README.md", "two\n");
    after(BAKE + 60, "Bad");
    ck_assert(!ask(PIN_UNKILL, NULL, NULL));
    ck_assert(!ask(PIN_UNPIN, NULL, NULL));
    ck_assert(ask(PIN_KILL, NULL, "it charges\n\nWeir-Action: lie"));
    ck_assert_str_eq(served("shop"), "b");
    ck_assert_ptr_nonnull(strstr(log_of("main"), "Kill flag production/shop\n\nWeir-Action: "
                                                 "kill\nWeir-Flag: production/shop\n"));
    ck_assert_ptr_nonnull(strstr(log_of("main"), "Weir-Reason: it charges Weir-Action: lie\n"));
    ck_assert(!ask(PIN_KILL, NULL, NULL));
    ck_assert(ask(PIN_KILL, "c", NULL)); /* another control */
    ck_assert_str_eq(served("shop"), "c");
    ck_assert(ask(PIN_UNKILL, NULL, NULL));
    ck_assert_str_eq(served("shop"), "b");
    ck_assert_str_eq(shell("grep -c '    - ' work/state/production/flags/shop.yaml"), "3");
    ck_assert_str_eq(shell("grep -E '  (seq|by):' work/state/production/flags/shop.yaml"),
                     "  seq: 3\n  by: \"weir <weir@example.com>\"");
    ck_assert_int_eq(take_back(), REVERT_PIN);
    ck_assert_str_eq(served("shop"), "a");
    ck_assert(ask(PIN_KILL, NULL, NULL));
    ck_assert_str_eq(served("shop"), "b"); /* its default now: killed comes first */
    ck_assert(ask(PIN_UNPIN, NULL, NULL));
    ck_assert_str_eq(served("shop"), "b");
    ck_assert(ask(PIN_UNKILL, NULL, NULL));
    revert_dispose(&both.revert);
    end_history();
}
END_TEST

UNIT_MAIN("revert", a_commit_of_the_flag_alone_is_reverted, several_commits_are_one_revert,
          a_flag_among_others_in_one_file, a_merge_reverts_to_its_first_parent,
          a_flag_that_went_comes_back, a_commit_of_more_is_a_pin_and_a_proposal,
          a_segment_is_not_the_flags_own, a_neighbour_is_not_the_flags_own,
          what_was_changed_later_is_not_guessed_at, a_revert_that_would_not_mend_it_is_none,
          a_hidden_file_counts_too, nothing_is_done_without_cause,
          a_new_history_has_nothing_to_go_back_to, moves_of_a_rollout_are_not_taken_back,
          a_variant_that_was_rolled_back_is_not_brought_back,
          what_was_served_counts_not_what_was_made, two_that_decide_alike_write_the_same,
          people_kill_and_let_go)
