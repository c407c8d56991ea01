/* Pushing: the lease, refs of weir's own, what servers refuse, and what is not known afterwards. */
#include <sys/wait.h>

#include "../../controller/git/push.h"
#include "recording.h"

static struct ref_push pushed;

/* Pushes; the outcome. */
static enum push_outcome push(const char *ref, const char *expected, const char *commit)
{
    pushed = (struct ref_push){.ref = ref, .expected = expected, .commit = commit};
    failure.message[0] = '\0';
    ck_assert_ok(mirror_push(mirror, &pushed, &failure));
    return pushed.outcome;
}

#define ck_assert_said(words)                                                                      \
    ck_assert_msg(strstr(failure.message, words), "'%s' is not in: %s", words, failure.message)

static const char *remote_main(void)
{
    return shell("git -C remote.git rev-parse main");
}

static const char *follow(void)
{
    const char *tip = commit("echo a >a");
    open_mirror();
    ck_assert_str_eq(fetch(), tip);
    return tip;
}

START_TEST(a_commit_is_pushed_and_known_at_once)
{
    char tip[COMMIT_TEXT_SIZE];
    begin();
    const char *first = follow();
    const char *one = record(first, "state/x", "1\n"), *two = record(one, "state/x", "2\n");
    ck_assert_int_eq(push("main", first, two), PUSH_ACCEPTED);
    ck_assert_str_eq(remote_main(), two);
    ck_assert_str_eq(shell("git -C remote.git show main:state/x main~1:state/x"), "2\n1");
    ck_assert_ok(mirror_last_tip(mirror, tip, &failure));
    ck_assert_str_eq(tip, two);
    ck_assert_str_eq(fetch(), two);
    ck_assert_ok(mirror_remote_tip(mirror, NULL, NULL, tip, &failure));
    ck_assert_str_eq(tip, two);
    ck_assert_int_eq(push("refs/heads/main", first, two), PUSH_ACCEPTED); /* already so */
    shell("git -C remote.git fsck --strict 2>&1");
    end();
}
END_TEST

START_TEST(a_branch_that_moved_is_not_touched)
{
    char tip[COMMIT_TEXT_SIZE];
    begin();
    const char *first = follow(), *ours = record(first, "b", "ours\n");
    const char *theirs = commit("echo theirs >b");
    ck_assert_int_eq(push("main", first, ours), PUSH_MOVED);
    ck_assert_str_eq(pushed.tip, theirs);
    ck_assert_said("\"main\" of \"");
    ck_assert_str_eq(remote_main(), theirs);
    ck_assert_ok(mirror_remote_tip(mirror, "main", NULL, tip, &failure));
    ck_assert_str_eq(tip, theirs);
    ck_assert_ok(mirror_last_tip(mirror, tip, &failure));
    ck_assert_str_eq(tip, first); /* asking has not fetched anything */
    shell("git -C remote.git branch -m other");
    ck_assert_int_eq(push("main", first, ours), PUSH_MOVED);
    ck_assert_str_eq(pushed.tip, "");
    end();
}
END_TEST

START_TEST(refs_of_our_own_come_and_go)
{
    char tip[COMMIT_TEXT_SIZE];
    begin();
    const char *first = follow(), *made = record(first, "b", "b\n"),
               *ref = "refs/weir/intents/3f9c";
    ck_assert_int_eq(push(ref, NULL, made), PUSH_ACCEPTED);
    ck_assert_ok(mirror_remote_tip(mirror, ref, NULL, tip, &failure));
    ck_assert_str_eq(tip, made);
    ck_assert_int_eq(push(ref, NULL, first), PUSH_MOVED);
    ck_assert_int_eq(push("weir/revert/3f9c", NULL, made), PUSH_ACCEPTED);
    ck_assert_str_eq(shell("git -C remote.git rev-parse weir/revert/3f9c"), made);
    ck_assert_int_eq(push(ref, first, NULL), PUSH_MOVED); /* not the one that we made */
    ck_assert_str_eq(pushed.tip, made);
    ck_assert_int_eq(push(ref, made, NULL), PUSH_ACCEPTED);
    ck_assert_fails(mirror_remote_tip(mirror, ref, NULL, tip, &failure), STATUS_NOT_FOUND, ref);
    ck_assert_str_eq(remote_main(), first);
    end();
}
END_TEST

static void hook(const char *name, const char *script)
{
    shell("printf '#!/bin/sh\\n%%s\\n' '%s' >remote.git/hooks/%s && chmod +x remote.git/hooks/%s",
          script, name, name);
}

START_TEST(hooks_and_rules_refuse_with_their_words)
{
    begin();
    const char *first = follow(), *ours = record(first, "b", "ours\n");
    hook("pre-receive",
         "printf \"no\\033[31m entry:\\r\\nfrozen https://me:s3cret@host/x\\n\" >&2; exit 1");
    ck_assert_int_eq(push("main", first, ours), PUSH_REFUSED);
    ck_assert_said("pre-receive hook declined");
    ck_assert_said("no [31m entry: frozen https://host/x");
    ck_assert_ptr_null(strstr(pushed.words, "s3cret"));
    ck_assert_ptr_null(strpbrk(pushed.words, "\033\r\n"));
    shell("rm remote.git/hooks/pre-receive");
    hook("update", "[ $1 != refs/heads/main ] || { echo main is protected >&2; exit 1; }");
    ck_assert_int_eq(push("main", first, ours), PUSH_REFUSED);
    ck_assert_said("main is protected");
    ck_assert_str_eq(remote_main(), first);
    ck_assert_int_eq(push("weir/revert/1", NULL, ours), PUSH_ACCEPTED);
    shell("git -C remote.git config receive.denyDeletes true");
    ck_assert_int_eq(push("weir/revert/1", ours, NULL), PUSH_REFUSED);
    ck_assert_said("deletion prohibited");
    end();
}
END_TEST

START_TEST(a_hook_that_pushes_first_wins)
{
    begin();
    const char *first = follow(), *ours = record(first, "b", "ours\n");
    const char *theirs =
        shell("cd work && echo t >t && git add t && git commit -qm t && git push -q "
              "origin HEAD:other 2>&1 && git rev-parse HEAD");
    /* Between the lease and the update of the ref. */
    char script[200];
    snprintf(script, sizeof script, "unset GIT_QUARANTINE_PATH; git update-ref refs/heads/main %s",
             theirs);
    hook("pre-receive", script);
    ck_assert_int_eq(push("main", first, ours), PUSH_MOVED);
    ck_assert_str_eq(remote_main(), theirs);
    end();
}
END_TEST

START_TEST(a_lost_answer_is_not_known)
{
    char tip[COMMIT_TEXT_SIZE];
    begin();
    const char *first = follow(), *ours = record(first, "b", "ours\n");
    /* The server dies before it reports, once with and once without the ref moved. */
    hook("pre-receive", "kill -9 $PPID");
    ck_assert_int_eq(push("main", first, ours), PUSH_UNKNOWN);
    ck_assert_said("it is not known whether the push arrived");
    ck_assert_ok(mirror_remote_tip(mirror, "main", NULL, tip, &failure));
    ck_assert_str_eq(tip, first);
    shell("rm remote.git/hooks/pre-receive");
    hook("reference-transaction", "[ $1 != committed ] || kill -9 $PPID");
    ck_assert_int_eq(push("main", first, ours), PUSH_UNKNOWN);
    ck_assert_ok(mirror_remote_tip(mirror, "main", NULL, tip, &failure));
    ck_assert_str_eq(tip, ours);
    end();
}
END_TEST

START_TEST(a_silent_or_stopped_push_ends)
{
    _Atomic bool stop = true;
    begin();
    const char *first = follow(), *ours = record(first, "b", "ours\n");
    hook("pre-receive", "exec sleep 600");
    mirror_set_patience(mirror, 300);
    ck_assert_int_eq(push("main", first, ours), PUSH_UNKNOWN);
    ck_assert_said("did not answer for 1 s");
    pushed = (struct ref_push){.ref = "main", .expected = first, .commit = ours, .stop = &stop};
    ck_assert_fails(mirror_push(mirror, &pushed, &failure), STATUS_STOPPED, "was stopped");
    ck_assert_str_eq(remote_main(), first);
    end();
}
END_TEST

START_TEST(what_makes_no_sense_is_not_sent)
{
    char tip[COMMIT_TEXT_SIZE];
    begin();
    const char *first = follow(), *ours = record(first, "b", "ours\n");
    static const char *const names[] = {
        "", "a..b", "refs/weir/", "refs/weir", "a b", "refs/weir/x.lock", "-x", "refs/weir/a:b"};
    (void)ours;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        pushed = (struct ref_push){.ref = names[i], .expected = NULL, .commit = first};
        enum status status = mirror_push(mirror, &pushed, &failure);
        if (strcmp(names[i], "refs/weir") != 0) /* refs/heads/refs/weir is a branch */
            ck_assert_msg(status == STATUS_INVALID, "%s: %d", names[i], (int)status);
    }
    pushed = (struct ref_push){.ref = "main", .expected = ours, .commit = first};
    ck_assert_fails(mirror_push(mirror, &pushed, &failure), STATUS_INVALID, "does not descend");
    pushed = (struct ref_push){.ref = "main"};
    ck_assert_fails(mirror_push(mirror, &pushed, &failure), STATUS_INVALID, "cannot go");
    pushed.commit = "0123456789012345678901234567890123456789";
    ck_assert_fails(mirror_push(mirror, &pushed, &failure), STATUS_NOT_FOUND, "there is no commit");
    shell("mv remote.git away.git");
    pushed = (struct ref_push){.ref = "main", .expected = first, .commit = ours};
    ck_assert_fails(mirror_push(mirror, &pushed, &failure), STATUS_SYSTEM,
                    "is not a git repository");
    ck_assert_fails(mirror_remote_tip(mirror, "main", NULL, tip, &failure), STATUS_SYSTEM,
                    "is not a git repository");
    end();
}
END_TEST

START_TEST(a_work_tree_keeps_its_branch)
{
    begin();
    const char *first = commit("echo a >a");
    ck_assert_ok(mirror_open(below(root, "clone"), below(root, "work"), &mirror, &failure));
    ck_assert_str_eq(fetch(), first);
    ck_assert_int_eq(push("main", first, record(first, "b", "b\n")), PUSH_REFUSED);
    ck_assert_said("branch is currently checked out");
    end();
}
END_TEST

START_TEST(without_git_it_says_what_is_missing)
{
    begin();
    const char *first = follow(), *ours = record(first, "b", "ours\n");
    setenv("PATH", "/nonexistent", 1);
    pushed = (struct ref_push){.ref = "main", .expected = first, .commit = ours};
    ck_assert_fails(mirror_push(mirror, &pushed, &failure), STATUS_SYSTEM, "needs \"git\" on PATH");
    end();
}
END_TEST

UNIT_MAIN("push", a_commit_is_pushed_and_known_at_once, a_branch_that_moved_is_not_touched,
          refs_of_our_own_come_and_go, hooks_and_rules_refuse_with_their_words,
          a_hook_that_pushes_first_wins, a_lost_answer_is_not_known, a_silent_or_stopped_push_ends,
          what_makes_no_sense_is_not_sent, a_work_tree_keeps_its_branch,
          without_git_it_says_what_is_missing)
