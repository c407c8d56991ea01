#include "repositories.h"

static uint32_t level(const char *commit_id)
{
    struct generation generation;
    ck_assert_ok(mirror_generation(mirror, commit_id, &generation, &failure));
    ck_assert_uint_eq(generation.overlay, 0);
    ck_assert_uint_eq(generation.members, 0);
    return generation.level;
}

START_TEST(a_level_is_one_more_than_the_highest_parent)
{
    begin();
    char parent[COMMIT_TEXT_SIZE];
    const char *root_commit = commit("echo 1 >a");
    const char *second = commit("echo 2 >a");
    shell("cd work && git switch -q -c side %s && for i in 1 2 3 4; do git commit -q --allow-empty "
          "-m $i; done",
          root_commit);
    const char *side = shell("git -C work rev-parse side");
    const char *merge =
        commit("git switch -q main && git merge -q --no-commit --no-ff side >/dev/null 2>&1");
    open_mirror();
    fetch();
    ck_assert_uint_eq(level(merge), 6);
    ck_assert_uint_eq(level(side), 5);
    ck_assert_uint_eq(level(second), 2);
    ck_assert_uint_eq(level(root_commit), 1);
    ck_assert_ok(mirror_first_parent(mirror, merge, parent, &failure));
    ck_assert_str_eq(parent, second);
    ck_assert_fails(mirror_first_parent(mirror, root_commit, parent, &failure), STATUS_NOT_FOUND,
                    root_commit);
    end();
}
END_TEST

/* Somebody merges main into a short branch and pushes that as main: a fast-forward after which the
 * first parent is the short branch's, so that counting first parents goes backwards. */
START_TEST(levels_rise_when_a_merge_makes_the_other_side_first)
{
    begin();
    char parent[COMMIT_TEXT_SIZE];
    bool yes = false;
    commit("echo 0 >a");
    shell("cd work && git branch short && for i in 1 2 3 4 5 6 7 8; do git commit -q --allow-empty "
          "-m $i; done");
    const char *before = commit(":");
    open_mirror();
    ck_assert_str_eq(fetch(), before);
    const uint32_t had = level(before);
    ck_assert_uint_eq(had, 10);
    const char *after =
        shell("cd work && git switch -q short && git commit -q --allow-empty -m s && git merge -q "
              "--no-edit main && git push -q origin short:main && git rev-parse HEAD");
    ck_assert_str_eq(fetch(), after);
    ck_assert_ok(mirror_descends(mirror, after, before, &yes, &failure));
    ck_assert(yes);
    ck_assert_uint_eq(level(after), had + 1);
    ck_assert_ok(mirror_first_parent(mirror, after, parent, &failure));
    ck_assert_str_eq(parent, shell("git -C work rev-parse short^"));
    end();
}
END_TEST

/* 50 000 commits, each tenth a merge with one five back; then one more. */
START_TEST(long_histories_with_merges_have_levels)
{
    begin();
    struct mirror *fresh;
    shell("awk 'BEGIN { for (i = 1; i <= 50000; i++) { print \"commit refs/heads/main\"; print "
          "\"mark :\" i; "
          "print \"committer A <a@example.com> \" 1000000000 + i \" +0000\"; print \"data 1\"; "
          "print \"x\"; "
          "if (i > 1) print \"from :\" i - 1; if (i %% 10 == 0) print \"merge :\" i - 5; print "
          "\"\" } }' >stream && "
          "git -C remote.git fast-import --quiet <stream");
    const char *tip = shell("git -C remote.git rev-parse main");
    open_mirror();
    ck_assert_str_eq(fetch(), tip);
    ck_assert_uint_eq(level(tip), 50000);
    const char *next =
        shell("cd remote.git && c=$(git commit-tree -p main -m n main^{tree}) && git update-ref "
              "refs/heads/main $c && echo $c");
    ck_assert_str_eq(fetch(), next);
    ck_assert_uint_eq(level(next), 50001);
    ck_assert_uint_eq(level(tip), 50000);
    ck_assert_ok(mirror_open(below(root, "clone"), below(root, "remote.git"), &fresh, &failure));
    mirror_close(mirror);
    mirror = fresh;
    ck_assert_uint_eq(level(next), 50001);
    end();
}
END_TEST

START_TEST(the_epoch_is_a_number_in_the_tree)
{
    begin();
    static const struct {
        const char *text;
        uint32_t epoch;
    } cases[] = {
        {"7\\n", 7},
        {"4294967295\\n", 4294967295u},
        {"0012\\n", 12},
        {"4294967296\\n", 0},
        {"7", 0},
        {"", 0},
        {"\\n", 0},
        {"-1\\n", 0},
        {"7\\n7\\n", 0},
        {"x\\n", 0},
        {"99999999999\\n", 0},
        {" 7\\n", 0},
    };
    struct generation generation;
    const char *without = commit("echo x >x");
    open_mirror();
    fetch();
    ck_assert_ok(mirror_generation(mirror, without, &generation, &failure));
    ck_assert_uint_eq(generation.epoch, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char change[200];
        snprintf(change, sizeof change, "mkdir -p state && printf -- '%s' >state/epoch",
                 cases[i].text);
        commit(change);
        ck_assert_ok(mirror_generation(mirror, fetch(), &generation, &failure));
        ck_assert_msg(generation.epoch == cases[i].epoch, "'%s' is %u", cases[i].text,
                      generation.epoch);
    }
    static const char *const others[] = {
        "rm state/epoch && mkdir state/epoch && echo 7 >state/epoch/x",
        "rm -r state/epoch && echo 7 >seven && ln -s ../seven state/epoch",
        "rm -r state && echo 7 >state"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        commit(others[i]);
        ck_assert_ok(mirror_generation(mirror, fetch(), &generation, &failure));
        ck_assert_uint_eq(generation.epoch, 0);
        ck_assert_uint_gt(generation.level, 1);
    }
    end();
}
END_TEST

static void check_resolves(const char *revision, const char *expected)
{
    char found[COMMIT_TEXT_SIZE];
    ck_assert_ok(mirror_resolve(mirror, revision, found, &failure));
    ck_assert_msg(strcmp(found, expected) == 0, "%s is %s, not %s", revision, found, expected);
}

START_TEST(what_people_write_is_resolved)
{
    begin();
    char found[COMMIT_TEXT_SIZE], brief[8];
    const char *first = commit("echo 1 >a");
    const char *tip = commit("echo 2 >a");
    shell("cd work && git tag -a -m v v1.2 HEAD~1");
    ck_assert_ok(mirror_open_local(below(root, "work"), &mirror, &failure));
    snprintf(brief, sizeof brief, "%.7s", first);
    check_resolves("HEAD", tip);
    check_resolves("HEAD~1", first);
    check_resolves("main", tip);
    check_resolves("main^", first);
    check_resolves("v1.2", first);
    check_resolves("refs/heads/main", tip);
    check_resolves(brief, first);
    check_resolves(first, first);
    ck_assert_fails(mirror_resolve(mirror, "nope", found, &failure), STATUS_NOT_FOUND, "\"nope\"");
    ck_assert_fails(mirror_resolve(mirror, "HEAD~9", found, &failure), STATUS_NOT_FOUND, "HEAD~9");
    ck_assert_fails(mirror_resolve(mirror, "", found, &failure), STATUS_INVALID, "");
    ck_assert_fails(mirror_resolve(mirror, "HEAD:a", found, &failure), STATUS_INVALID,
                    "does not name a commit");
    ck_assert_fails(mirror_resolve(mirror, "a..b..c", found, &failure), STATUS_INVALID, "a..b..c");
    mirror_close(mirror);

    open_mirror();
    ck_assert_fails(mirror_resolve(mirror, "HEAD", found, &failure), STATUS_NOT_FOUND, "HEAD");
    fetch();
    check_resolves("HEAD", tip);
    check_resolves("@~1", first);
    check_resolves("main", tip);
    check_resolves("origin/main", tip);
    check_resolves("main~1", first);
    check_resolves(brief, first);
    end();
}
END_TEST

START_TEST(what_is_no_commit_is_refused)
{
    begin();
    struct generation generation;
    char parent[COMMIT_TEXT_SIZE];
    bool yes;
    const char *tip = commit("echo 1 >a");
    const char *tree = shell("git -C work rev-parse HEAD^{tree}");
    static const char missing[] = "0123456789012345678901234567890123456789";
    open_mirror();
    fetch();
    static const char *const wrong[] = {"", "main", "0123",
                                        "0123456789012345678901234567890123456789a",
                                        "x123456789012345678901234567890123456789"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        ck_assert_int_eq(mirror_generation(mirror, wrong[i], &generation, &failure),
                         STATUS_INVALID);
    ck_assert_fails(mirror_generation(mirror, tree, &generation, &failure), STATUS_INVALID,
                    "not a commit");
    ck_assert_fails(mirror_generation(mirror, missing, &generation, &failure), STATUS_NOT_FOUND,
                    missing);
    ck_assert_fails(mirror_first_parent(mirror, missing, parent, &failure), STATUS_NOT_FOUND,
                    missing);
    ck_assert_fails(mirror_descends(mirror, tip, missing, &yes, &failure), STATUS_NOT_FOUND,
                    missing);
    end();
}
END_TEST

UNIT_MAIN("mirror_history", a_level_is_one_more_than_the_highest_parent,
          levels_rise_when_a_merge_makes_the_other_side_first,
          long_histories_with_merges_have_levels, the_epoch_is_a_number_in_the_tree,
          what_people_write_is_resolved, what_is_no_commit_is_refused)
