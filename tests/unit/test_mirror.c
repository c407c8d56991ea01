#include <malloc.h>

#include "repositories.h"

/* --- fetching -------------------------------------------------------------------------------- */

START_TEST(a_fetch_brings_the_tip_and_remembers_it)
{
    begin();
    char tip[COMMIT_TEXT_SIZE];
    const char *first = commit("mkdir flags && echo x >flags/x.yaml");
    open_mirror();
    ck_assert_fails(mirror_last_tip(mirror, tip, &failure), STATUS_NOT_FOUND, "");
    ck_assert_str_eq(fetch(), first);
    ck_assert_str_eq(fetch(), first);
    const char *second = commit("echo y >flags/y.yaml");
    ck_assert_str_eq(fetch(), second);
    mirror_close(mirror);

    open_mirror();
    ck_assert_ok(mirror_last_tip(mirror, tip, &failure));
    ck_assert_str_eq(tip, second);
    ck_assert_str_eq(shell("git -C clone rev-parse --is-bare-repository --is-shallow-repository"),
                     "true\nfalse");
    ck_assert_str_eq(shell("git -C clone fsck --strict 2>/dev/null"), "");
    end();
}
END_TEST

/* The path of a repository in a folder whose name must be escaped in a URL. */
START_TEST(file_urls_are_fetched_too)
{
    begin();
    char url[200], tip[COMMIT_TEXT_SIZE];
    const char *first = commit("echo x >x");
    shell("mv remote.git 'a b%%c.git' && git -C work remote set-url origin '../a b%%c.git'");
    snprintf(url, sizeof url, "file://%s/a%%20b%%25c.git", root);
    ck_assert_ok(mirror_open(below(root, "clone"), url, &mirror, &failure));
    ck_assert_ok(mirror_fetch(mirror, NULL, NULL, tip, &failure));
    ck_assert_str_eq(tip, first);
    const char *second = commit("echo y >y");
    ck_assert_ok(mirror_fetch(mirror, NULL, NULL, tip, &failure));
    ck_assert_str_eq(tip, second);
    end();
}
END_TEST

/* What is fetched again when nothing is new: no pack, no object, no ref. */
START_TEST(nothing_new_writes_nothing)
{
    begin();
    commit("echo x >x");
    open_mirror();
    fetch();
    char *before = shell("cd clone && find . -type f -printf '%%p %%i %%T@\\n' | sort | sha256sum");
    fetch();
    ck_assert_str_eq(
        shell("cd clone && find . -type f -printf '%%p %%i %%T@\\n' | sort | sha256sum"), before);
    end();
}
END_TEST

/* A controller polls for months: libgit2 1.5 leaks 20 KB in some calls (see fetch.c). */
START_TEST(polling_does_not_grow)
{
    begin();
    commit("echo x >x");
    open_mirror();
    for (int i = 0; i < 20; i++)
        fetch();
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 100; i++)
        fetch();
    ck_assert_uint_lt(mallinfo2().uordblks, before + 100 * 100);
    end();
}
END_TEST

START_TEST(only_the_wanted_branch_comes)
{
    begin();
    char tip[COMMIT_TEXT_SIZE];
    const char *main_tip = commit("echo x >x");
    const char *other = commit("git switch -q -c other/branch; echo y >y");
    shell("cd work && git tag -a -m v v1 && git push -q origin v1");
    open_mirror();
    ck_assert_str_eq(fetch(), main_tip);
    ck_assert_str_eq(shell("git -C clone for-each-ref --format='%%(refname)'"),
                     "refs/remotes/origin/main\nrefs/weir/tip");
    ck_assert_fails(mirror_descends(mirror, other, main_tip, &(bool){false}, &failure),
                    STATUS_NOT_FOUND, other);
    ck_assert_ok(mirror_fetch(mirror, "other/branch", NULL, tip, &failure));
    ck_assert_str_eq(tip, other);
    ck_assert_ok(mirror_fetch(mirror, "refs/heads/main", NULL, tip, &failure));
    ck_assert_str_eq(tip, main_tip);
    ck_assert_ok(mirror_last_tip(mirror, tip, &failure));
    ck_assert_str_eq(tip, main_tip);
    end();
}
END_TEST

START_TEST(a_branch_that_became_a_folder_is_fetched)
{
    begin();
    char tip[COMMIT_TEXT_SIZE];
    commit("git switch -q -c a; echo x >x");
    open_mirror();
    ck_assert_ok(mirror_fetch(mirror, "a", NULL, tip, &failure));
    shell("cd work && git push -q origin :a && git switch -q -c tmp && git branch -q -D a");
    const char *below_it = commit("git switch -q -c a/b; echo y >y");
    ck_assert_ok(mirror_fetch(mirror, "a/b", NULL, tip, &failure));
    ck_assert_str_eq(tip, below_it);
    shell("cd work && git push -q origin :a/b && git switch -q tmp && git branch -q -D a/b");
    const char *again = commit("git switch -q -c a; echo z >z");
    ck_assert_ok(mirror_fetch(mirror, "a", NULL, tip, &failure));
    ck_assert_str_eq(tip, again);
    end();
}
END_TEST

START_TEST(a_rewritten_branch_is_seen_after_a_restart_too)
{
    begin();
    char accepted[COMMIT_TEXT_SIZE];
    bool yes = true;
    const char *base = commit("echo x >x");
    const char *lost = commit("echo y >y");
    open_mirror();
    ck_assert_fails(mirror_accepted(mirror, accepted, &failure), STATUS_NOT_FOUND, "");
    ck_assert_ok(mirror_set_accepted(mirror, fetch(), &failure));
    ck_assert_fails(
        mirror_set_accepted(mirror, "0123456789012345678901234567890123456789", &failure),
        STATUS_NOT_FOUND, "0123");
    mirror_close(mirror);

    const char *rewritten = commit("git reset -q --hard HEAD~1; echo z >z");
    open_mirror();
    ck_assert_ok(mirror_accepted(mirror, accepted, &failure));
    ck_assert_str_eq(accepted, lost);
    ck_assert_str_eq(fetch(), rewritten);
    ck_assert_ok(mirror_descends(mirror, rewritten, accepted, &yes, &failure));
    ck_assert(!yes);
    ck_assert_ok(mirror_descends(mirror, rewritten, base, &yes, &failure));
    ck_assert(yes);
    ck_assert_ok(mirror_descends(mirror, base, rewritten, &yes, &failure));
    ck_assert(!yes);
    ck_assert_ok(mirror_descends(mirror, base, base, &yes, &failure));
    ck_assert(yes);
    end();
}
END_TEST

START_TEST(two_handles_share_one_clone)
{
    begin();
    struct mirror *reader;
    struct generation generation;
    commit("echo x >x");
    open_mirror();
    ck_assert_ok(mirror_open(below(root, "clone"), below(root, "remote.git"), &reader, &failure));
    ck_assert_ok(mirror_generation(reader, fetch(), &generation, &failure));
    commit("echo y >y");
    ck_assert_ok(mirror_generation(reader, fetch(), &generation, &failure));
    ck_assert_uint_eq(generation.level, 2);
    mirror_close(reader);
    end();
}
END_TEST

/* More packs than libgit2 may keep open, and than the process may. */
START_TEST(many_fetches_do_not_use_up_the_descriptors)
{
    begin();
    commit("echo x >x");
    open_mirror();
    for (int i = 0; i < 150; i++) {
        shell("cd work && git commit -q --allow-empty -m %d && git push -q", i);
        fetch();
    }
    ck_assert_int_lt(strtol(shell("ls /proc/%d/fd | wc -l", (int)getpid()), NULL, 10), 100);
    struct generation generation;
    ck_assert_ok(mirror_generation(mirror, fetch(), &generation, &failure));
    ck_assert_uint_eq(generation.level, 151);
    end();
}
END_TEST

START_TEST(a_fetch_that_was_stopped_before_says_so)
{
    begin();
    char tip[COMMIT_TEXT_SIZE];
    _Atomic bool stop = true;
    commit("echo x >x");
    open_mirror();
    ck_assert_fails(mirror_fetch(mirror, NULL, &stop, tip, &failure), STATUS_STOPPED, "stopped");
    stop = false;
    ck_assert_ok(mirror_fetch(mirror, NULL, &stop, tip, &failure));
    end();
}
END_TEST

/* --- what cannot be fetched ------------------------------------------------------------------ */

START_TEST(an_empty_repository_is_told_from_a_missing_branch)
{
    begin();
    char tip[COMMIT_TEXT_SIZE];
    open_mirror();
    ck_assert_fails(mirror_fetch(mirror, NULL, NULL, tip, &failure), STATUS_NOT_FOUND, "is empty");
    ck_assert_fails(mirror_fetch(mirror, "main", NULL, tip, &failure), STATUS_NOT_FOUND,
                    "is empty");
    commit("echo x >x");
    shell("cd work && for b in b1 b2 b3 b4 b5 b6; do git push -q origin main:$b; done");
    ck_assert_fails(mirror_fetch(mirror, "nope", NULL, tip, &failure), STATUS_NOT_FOUND,
                    "no branch \"nope\"");
    ck_assert_ptr_nonnull(strstr(failure.message, "\"b1\", \"b2\", \"b3\", \"b4\", \"b5\", ..."));
    ck_assert_ptr_null(strstr(failure.message, "b6"));
    shell("git -C remote.git symbolic-ref HEAD refs/heads/unborn");
    ck_assert_fails(mirror_fetch(mirror, NULL, NULL, tip, &failure), STATUS_NOT_FOUND, "HEAD");
    ck_assert_ptr_nonnull(strstr(failure.message, "\"b1\""));
    ck_assert_fails(mirror_last_tip(mirror, tip, &failure), STATUS_NOT_FOUND, "");
    end();
}
END_TEST

START_TEST(a_repository_of_tags_alone_has_no_branch)
{
    begin();
    char tip[COMMIT_TEXT_SIZE];
    shell("cd work && git commit -q --allow-empty -m x && git tag v1 && git push -q origin v1");
    open_mirror();
    ck_assert_fails(mirror_fetch(mirror, NULL, NULL, tip, &failure), STATUS_NOT_FOUND,
                    "has no branch");
    end();
}
END_TEST

START_TEST(what_is_no_repository_is_named)
{
    begin();
    char tip[COMMIT_TEXT_SIZE];
    shell("mkdir plain && echo x >file");
    static const char *const names[] = {"plain", "file", "nothing"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ck_assert_ok(mirror_open(below(root, "clone"), below(root, names[i]), &mirror, &failure));
        ck_assert_fails(mirror_fetch(mirror, NULL, NULL, tip, &failure), STATUS_SYSTEM,
                        "is not a git repository");
        ck_assert_ptr_nonnull(strstr(failure.message, names[i]));
        mirror_close(mirror);
        shell("rm -rf clone");
    }
    ck_assert_fails(mirror_open_local(below(root, "plain"), &mirror, &failure), STATUS_NOT_FOUND,
                    "plain");
    ck_assert_fails(mirror_open_local(below(root, "nothing"), &mirror, &failure), STATUS_NOT_FOUND,
                    "nothing");
    ck_assert_fails(mirror_open(below(root, "clone"), "", &mirror, &failure), STATUS_INVALID,
                    "empty");
    ck_assert_ptr_null(mirror);
    end();
}
END_TEST

START_TEST(names_that_no_branch_can_have_are_refused)
{
    begin();
    char tip[COMMIT_TEXT_SIZE], longest[400];
    commit("echo x >x");
    open_mirror();
    static const char *const names[] = {"a..b", "a b",  "*", "ma*n",       "a:b",
                                        "-x",   "a\nb", "/", "refs/heads/"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert_int_eq(mirror_fetch(mirror, names[i], NULL, tip, &failure), STATUS_INVALID);
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ck_assert_fails(mirror_fetch(mirror, longest, NULL, tip, &failure), STATUS_INVALID, "aaa");
    end();
}
END_TEST

/* --- the folder of the clone ----------------------------------------------------------------- */

START_TEST(a_clone_of_another_url_is_refused)
{
    begin();
    struct mirror *other;
    open_mirror();
    ck_assert_fails(
        mirror_open(below(root, "clone"), "https://example.com/other.git", &other, &failure),
        STATUS_REFUSED, "remote.git");
    ck_assert_ptr_nonnull(strstr(failure.message, "https://example.com/other.git"));
    ck_assert_ptr_null(other);
    end();
}
END_TEST

/* The path is the same one however it is written and from wherever. */
/* What a person has set for all repositories says nothing of the clone, and is left alone. */
START_TEST(the_configuration_of_users_is_not_the_clones)
{
    static const char users[] = "[remote \"origin\"]\n\turl = elsewhere\n";
    begin();
    commit("echo x >x");
    spill(below(root, ".gitconfig"), users);
    open_mirror();
    fetch();
    mirror_close(mirror);
    spill(below(root, ".gitconfig"), "");
    shell("rm clone/config && mkdir clone/config");
    ck_assert_fails(mirror_open(below(root, "clone"), below(root, "remote.git"), &mirror, &failure),
                    STATUS_SYSTEM, "configuration cannot be written");
    ck_assert_str_eq(shell("cat .gitconfig"), "");
    end();
}
END_TEST

START_TEST(a_relative_path_is_the_absolute_one)
{
    begin();
    const char *tip = commit("echo x >x");
    ck_assert_int_eq(chdir(root), 0);
    ck_assert_ok(mirror_open("clone", "./work/../remote.git", &mirror, &failure));
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_str_eq(fetch(), tip);
    mirror_close(mirror);
    open_mirror();
    end();
}
END_TEST

START_TEST(a_folder_with_other_things_in_it_is_left_alone)
{
    begin();
    shell("mkdir mine && echo precious >mine/file");
    const char *remote = below(root, "remote.git");
    ck_assert_fails(mirror_open(below(root, "mine"), remote, &mirror, &failure), STATUS_REFUSED,
                    "mine");
    ck_assert_str_eq(shell("ls -A mine"), "file");
    ck_assert_fails(mirror_open(below(root, "work"), remote, &mirror, &failure), STATUS_REFUSED,
                    "work");
    ck_assert_fails(mirror_open(below(root, "mine/file"), remote, &mirror, &failure), STATUS_SYSTEM,
                    "file");
    end();
}
END_TEST

START_TEST(a_corrupt_clone_is_an_error_and_not_a_crash)
{
    begin();
    struct bundle bundle;
    struct diagnostics faults;
    struct generation generation;
    char tip[COMMIT_TEXT_SIZE];
    bundle_init(&bundle);
    diagnostics_init(&faults);
    commit("mkdir flags && echo x >flags/x.yaml");
    open_mirror();
    snprintf(tip, sizeof tip, "%s", fetch());
    mirror_close(mirror);
    shell("cd clone/objects/pack && chmod u+w * && for f in *.pack; do printf XXXX | dd of=$f bs=1 "
          "seek=14 "
          "conv=notrunc status=none; done");
    open_mirror();
    ck_assert_int_eq(mirror_generation(mirror, tip, &generation, &failure), STATUS_SYSTEM);
    ck_assert_int_eq(mirror_read(mirror, tip, &bundle, &faults, &failure), STATUS_SYSTEM);
    mirror_close(mirror);
    shell("rm -rf clone/objects/pack/*");
    open_mirror();
    ck_assert_int_eq(mirror_generation(mirror, tip, &generation, &failure), STATUS_NOT_FOUND);
    mirror_close(mirror);
    shell("rm -rf clone/objects clone/HEAD");
    ck_assert_fails(mirror_open(below(root, "clone"), below(root, "remote.git"), &mirror, &failure),
                    STATUS_REFUSED, "clone");
    bundle_dispose(&bundle);
    diagnostics_dispose(&faults);
    end();
}
END_TEST

START_TEST(a_lock_that_a_crash_left_is_named)
{
    begin();
    char tip[COMMIT_TEXT_SIZE];
    commit("echo x >x");
    open_mirror();
    fetch();
    const char *next = commit("echo y >y");
    shell("touch clone/refs/remotes/origin/main.lock");
    ck_assert_fails(mirror_fetch(mirror, NULL, NULL, tip, &failure), STATUS_SYSTEM,
                    "refs/remotes/origin/main.lock");
    shell("rm clone/refs/remotes/origin/main.lock");
    ck_assert_str_eq(fetch(), next);
    end();
}
END_TEST

START_TEST(no_secret_of_a_url_is_shown_or_stored)
{
    begin();
    char tip[COMMIT_TEXT_SIZE];
    static const char *const urls[] = {"http://weir:s3cret@127.0.0.1:1/shop.git",
                                       "https://s3cret@127.0.0.1:1/shop.git",
                                       "ssh://git:s3cret@127.0.0.1:1/shop.git",
                                       "http://weir:p@s3cret@127.0.0.1:1/shop.git?token=s3cret"};
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        ck_assert_ok(mirror_open(below(root, "clone"), urls[i], &mirror, &failure));
        ck_assert_fails(mirror_fetch(mirror, NULL, NULL, tip, &failure), STATUS_SYSTEM,
                        "127.0.0.1:1/shop.git");
        ck_assert_ptr_null(strstr(failure.message, "s3cret"));
        shell("! grep -r s3cret clone");
        mirror_close(mirror);
        ck_assert_ok(mirror_open(below(root, "clone"), urls[i], &mirror, &failure));
        mirror_close(mirror);
        ck_assert_fails(
            mirror_open(below(root, "clone"), "http://a:s3cret@127.0.0.1:2/", &mirror, &failure),
            STATUS_REFUSED, "127.0.0.1:2/");
        ck_assert_ptr_null(strstr(failure.message, "s3cret"));
        shell("rm -rf clone");
    }
    end();
}
END_TEST

START_TEST(a_local_repository_is_for_reading_only)
{
    begin();
    char found[COMMIT_TEXT_SIZE];
    const char *tip = commit("echo x >x");
    static const char *const names[] = {"work", "work/.git", "remote.git"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ck_assert_ok(mirror_open_local(below(root, names[i]), &mirror, &failure));
        ck_assert_ok(mirror_resolve(mirror, "HEAD", found, &failure));
        ck_assert_str_eq(found, tip);
        ck_assert_fails(mirror_fetch(mirror, NULL, NULL, found, &failure), STATUS_REFUSED,
                        "reading only");
        mirror_close(mirror);
    }
    mirror = NULL;
    end();
}
END_TEST

UNIT_MAIN("mirror", a_fetch_brings_the_tip_and_remembers_it, file_urls_are_fetched_too,
          nothing_new_writes_nothing, polling_does_not_grow, only_the_wanted_branch_comes,
          a_branch_that_became_a_folder_is_fetched, a_rewritten_branch_is_seen_after_a_restart_too,
          two_handles_share_one_clone, many_fetches_do_not_use_up_the_descriptors,
          a_fetch_that_was_stopped_before_says_so,
          an_empty_repository_is_told_from_a_missing_branch,
          a_repository_of_tags_alone_has_no_branch, what_is_no_repository_is_named,
          names_that_no_branch_can_have_are_refused, a_clone_of_another_url_is_refused,
          the_configuration_of_users_is_not_the_clones, a_relative_path_is_the_absolute_one,
          a_folder_with_other_things_in_it_is_left_alone,
          a_corrupt_clone_is_an_error_and_not_a_crash, a_lock_that_a_crash_left_is_named,
          no_secret_of_a_url_is_shown_or_stored, a_local_repository_is_for_reading_only)
