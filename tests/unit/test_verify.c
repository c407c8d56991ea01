/* Signed commits, made by git and ssh-keygen, with allowed signers of every kind. */
#include "../../controller/git/verify.h"

#include <stdio.h>
#include <stdlib.h>

#include "repositories.h"

static struct verify_policy policy;
static char allowed[96];

/* Three keys; alice may sign always, bob until 2020, carol is nobody. */
static void begin_signed(void)
{
    begin();
    shell("for k in alice bob carol; do ssh-keygen -q -t ed25519 -N '' -C $k -f $k; done; "
          "p() { cut -d' ' -f1,2 $1.pub; }; "
          "{ echo \"alice@example.com,al@example.com $(p alice)\"; "
          "echo \"bob@example.com valid-before=\\\"20200101\\\" $(p bob)\"; } >allowed; "
          "cd work && git config gpg.format ssh");
    snprintf(allowed, sizeof allowed, "%s", below(root, "allowed"));
    policy = (struct verify_policy){.mode = VERIFY_ALL, .allowed_signers = allowed};
}

static char *sign(const char *who, const char *change)
{
    char whole[600];
    snprintf(whole, sizeof whole,
             "git config commit.gpgsign true && git config user.signingkey ../%s.pub && %s", who,
             change);
    return commit(whole);
}

static char *leave_unsigned(const char *change)
{
    char whole[600];
    snprintf(whole, sizeof whole, "git config commit.gpgsign false && %s", change);
    return commit(whole);
}

/* A commit that is `base` with `change`, a sed program, done to its bytes; on the branch. */
static char *forge(const char *base, const char *change)
{
    return shell("cd work && git cat-file commit %s | sed '%s' | git hash-object -t commit -w "
                 "--stdin --literally >../forged && git reset -q --hard $(cat ../forged) && git "
                 "push -q -f origin HEAD 2>&1 && cat ../forged",
                 base, change);
}

/* As after a restart. */
static void reopen(void)
{
    mirror_close(mirror);
    open_mirror();
}

static const char *fetched(void)
{
    if (!mirror)
        open_mirror();
    return fetch();
}

static enum signature_verdict verdict_of(const char *id)
{
    struct verification found;
    fetched();
    ck_assert_ok(mirror_verify_commit(mirror, &policy, id, &found, &failure));
    ck_assert((found.principal[0] != '\0') == (found.verdict == VERDICT_VERIFIED));
    ck_assert((found.fingerprint[0] != '\0') == (found.verdict == VERDICT_VERIFIED));
    return found.verdict;
}

/* --- one commit ------------------------------------------------------------------------------ */

START_TEST(a_signature_tells_who_and_by_which_key)
{
    begin_signed();
    struct verification found;
    const char *id = sign("alice", "echo x >x");
    fetched();
    ck_assert_ok(mirror_verify_commit(mirror, &policy, id, &found, &failure));
    ck_assert_int_eq(found.verdict, VERDICT_VERIFIED);
    ck_assert_str_eq(found.principal, "alice@example.com");
    ck_assert_str_eq(found.fingerprint, shell("ssh-keygen -l -f alice.pub | cut -d' ' -f2"));
    end();
}
END_TEST

START_TEST(what_is_not_signed_by_somebody_who_may_is_told_apart)
{
    begin_signed();
    ck_assert_int_eq(verdict_of(leave_unsigned("echo a >a")), VERDICT_UNSIGNED);
    ck_assert_int_eq(verdict_of(sign("carol", "echo b >b")), VERDICT_UNKNOWN_KEY);
    const char *good = sign("alice", "echo c >c");
    ck_assert_int_eq(verdict_of(forge(good, "s/^change$/other/")), VERDICT_BAD_SIGNATURE);
    ck_assert_int_eq(verdict_of(forge(good, "s/SSH SIGNATURE/PGP SIGNATURE/")), VERDICT_FOREIGN);
    ck_assert_int_eq(verdict_of(forge(good, "s/BEGIN SSH SIGNATURE-----/&garbage/")),
                     VERDICT_BAD_SIGNATURE);
    end();
}
END_TEST

/* The time that counts is the commit's. */
START_TEST(a_key_signs_only_in_its_time)
{
    begin_signed();
    ck_assert_int_eq(verdict_of(sign("bob", "echo a >a")), VERDICT_EXPIRED);
    ck_assert_int_eq(
        verdict_of(sign("bob", "export GIT_COMMITTER_DATE=2019-12-31T23:59:59Z; echo b >b")),
        VERDICT_VERIFIED);
    ck_assert_int_eq(
        verdict_of(sign("bob", "export GIT_COMMITTER_DATE=2020-01-01T00:00:01Z; echo c >c")),
        VERDICT_EXPIRED);
    shell("sed -i 's/^alice@example.com,al@example.com/& valid-after=\"20300101\"/' allowed");
    ck_assert_int_eq(verdict_of(sign("alice", "echo d >d")), VERDICT_EXPIRED);
    end();
}
END_TEST

/* A time of day in the file is UTC, whatever zone the machine is in. */
START_TEST(the_zone_of_the_machine_does_not_count)
{
    begin_signed();
    static const char *const zones[] = {"UTC", "Asia/Tokyo", "America/Los_Angeles"};
    const char *early = sign("bob", "export GIT_COMMITTER_DATE=2019-12-31T23:00:00Z; echo b >b");
    const char *late = sign("bob", "export GIT_COMMITTER_DATE=2020-01-01T01:00:00Z; echo c >c");
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        setenv("TZ", zones[i], 1);
        ck_assert_int_eq(verdict_of(early), VERDICT_VERIFIED);
        ck_assert_int_eq(verdict_of(late), VERDICT_EXPIRED);
    }
    end();
}
END_TEST

/* A signature for another purpose is none of a commit. */
START_TEST(a_signature_for_files_does_not_do)
{
    begin_signed();
    shell("sed -i 's/^alice@example.com,al@example.com/& namespaces=\"file\"/' allowed");
    enum signature_verdict verdict = verdict_of(sign("alice", "echo a >a"));
    ck_assert(verdict == VERDICT_BAD_SIGNATURE || verdict == VERDICT_UNKNOWN_KEY);
    end();
}
END_TEST

/* --- a branch -------------------------------------------------------------------------------- */

START_TEST(every_commit_counts_or_the_tip_alone)
{
    begin_signed();
    const char *first = leave_unsigned("echo a >a");
    sign("alice", "echo b >b");
    const char *tip = fetched();
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_REFUSED, first);
    ck_assert_ptr_nonnull(strstr(failure.message, "is not signed"));
    policy.mode = VERIFY_TIP;
    ck_assert_ok(mirror_verify(mirror, &policy, tip, &failure));
    policy.mode = VERIFY_NONE;
    ck_assert_ok(mirror_verify(mirror, &policy, first, &failure));
    policy.mode = VERIFY_TIP;
    ck_assert_fails(mirror_verify(mirror, &policy, first, &failure), STATUS_REFUSED, first);
    end();
}
END_TEST

START_TEST(what_is_before_the_starting_point_needs_no_signature)
{
    begin_signed();
    const char *before = leave_unsigned("echo a >a"), *since = leave_unsigned("echo b >b");
    sign("alice", "echo c >c");
    const char *tip = fetched();
    policy.since = since;
    ck_assert_ok(mirror_verify(mirror, &policy, tip, &failure));
    ck_assert_ok(mirror_verify(mirror, &policy, since, &failure));
    policy.mode = VERIFY_TIP;
    ck_assert_ok(mirror_verify(mirror, &policy, before, &failure));
    policy.mode = VERIFY_ALL;
    policy.since = before;
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_REFUSED, since);
    policy.since = "0123456789012345678901234567890123456789";
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_REFUSED, "verifySince");
    end();
}
END_TEST

/* The other side of a merge is part of what is served. */
START_TEST(every_parent_of_a_merge_counts)
{
    begin_signed();
    policy.since = leave_unsigned("echo a >a");
    sign("alice", "echo b >b");
    const char *side =
        shell("cd work && git switch -q -c side HEAD~1 && git config commit.gpgsign false && echo "
              "s >s && git add -A && git commit -q -m side && git rev-parse HEAD");
    shell("cd work && git switch -q - && git config commit.gpgsign true && git config "
          "user.signingkey ../alice.pub && git merge -q --no-ff -m merge side 2>&1");
    shell("cd work && git push -q origin HEAD");
    const char *tip = fetched();
    ck_assert_int_eq(verdict_of(tip), VERDICT_VERIFIED);
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_REFUSED, side);
    end();
}
END_TEST

/* Puts a counting ssh-keygen in front of the real one. */
static void count_children(void)
{
    shell("mkdir -p bin && real=$(command -v ssh-keygen) && printf '#!/bin/sh\\necho x "
          ">>%s/count\\nexec %%s \"$@\"\\n' $real >bin/ssh-keygen && chmod +x bin/ssh-keygen",
          root);
    char path[4200];
    snprintf(path, sizeof path, "%s:%s", below(root, "bin"), getenv("PATH"));
    setenv("PATH", path, 1);
}

static long children(void)
{
    return strtol(shell("test ! -f count || wc -l <count; rm -f count"), NULL, 10);
}

START_TEST(what_was_verified_is_remembered_until_the_signers_change)
{
    begin_signed();
    sign("alice", "echo a >a");
    sign("alice", "echo b >b");
    const char *tip = fetched();
    count_children();
    ck_assert_ok(mirror_verify(mirror, &policy, tip, &failure));
    ck_assert_int_eq(children(), 4); /* who, and whether, of each */
    ck_assert_ok(mirror_verify(mirror, &policy, tip, &failure));
    ck_assert_int_eq(children(), 0);
    reopen();
    ck_assert_ok(mirror_verify(mirror, &policy, tip, &failure));
    ck_assert_int_eq(children(), 0);
    sign("alice", "echo c >c");
    tip = fetched();
    children();
    ck_assert_ok(mirror_verify(mirror, &policy, tip, &failure));
    ck_assert_int_eq(children(), 2);
    shell("sed -i /alice/d allowed");
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_REFUSED,
                    "not among the allowed signers");
    reopen();
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_REFUSED, "commit");
    end();
}
END_TEST

/* A long way that ends before its time, by a restart say, goes on where it was. */
START_TEST(how_far_it_came_is_remembered)
{
    begin_signed();
    sign("alice", "for i in $(seq 16); do echo $i >a && git add a && git commit -q -m $i; done; "
                  "echo a >a");
    leave_unsigned("echo b >b");
    const char *tip = fetched();
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_REFUSED, "not signed");
    reopen();
    count_children();
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_REFUSED, "not signed");
    ck_assert_int_eq(children(), 2); /* of one commit */
    end();
}
END_TEST

START_TEST(an_older_policy_is_forgotten)
{
    begin_signed();
    sign("alice", "echo a >a");
    const char *tip = fetched();
    ck_assert_ok(mirror_verify(mirror, &policy, tip, &failure));
    shell("echo '# a comment' >>allowed");
    ck_assert_ok(mirror_verify(mirror, &policy, tip, &failure));
    ck_assert_str_eq(shell("git -C clone for-each-ref refs/weir/verified | wc -l"), "1");
    end();
}
END_TEST

/* --- what is not there ----------------------------------------------------------------------- */

START_TEST(without_signers_or_ssh_keygen_nothing_passes)
{
    begin_signed();
    _Atomic bool stop = true;
    sign("alice", "echo a >a");
    const char *tip = fetched();
    policy.stop = &stop;
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_STOPPED, "stopped");
    policy.stop = NULL;
    policy.allowed_signers = below(root, "nothing");
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_SYSTEM, "nothing");
    policy.allowed_signers = below(root, "work");
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_SYSTEM, "work");
    policy.allowed_signers = NULL;
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_INVALID, "signers");
    policy.allowed_signers = allowed;
    shell("head -c 1100000 /dev/zero >>allowed");
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_SYSTEM, "1 MiB");
    shell("truncate -s 10 allowed");
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_REFUSED, "commit");
    const char *path = getenv("PATH");
    char before[4200];
    snprintf(before, sizeof before, "%s", path);
    setenv("PATH", root, 1);
    ck_assert_fails(mirror_verify(mirror, &policy, tip, &failure), STATUS_SYSTEM, "ssh-keygen");
    setenv("PATH", before, 1);
    end();
}
END_TEST

START_TEST(modes_have_names)
{
    enum verify_mode mode;
    ck_assert(verify_mode_parse(TEXT("all"), &mode) && mode == VERIFY_ALL);
    ck_assert(verify_mode_parse(TEXT("tip"), &mode) && mode == VERIFY_TIP);
    ck_assert(verify_mode_parse(TEXT("none"), &mode) && mode == VERIFY_NONE);
    ck_assert(!verify_mode_parse(TEXT("some"), &mode));
}
END_TEST

UNIT_MAIN("verify", a_signature_tells_who_and_by_which_key,
          what_is_not_signed_by_somebody_who_may_is_told_apart, a_key_signs_only_in_its_time,
          the_zone_of_the_machine_does_not_count, a_signature_for_files_does_not_do,
          every_commit_counts_or_the_tip_alone,
          what_is_before_the_starting_point_needs_no_signature, every_parent_of_a_merge_counts,
          what_was_verified_is_remembered_until_the_signers_change, how_far_it_came_is_remembered,
          an_older_policy_is_forgotten, without_signers_or_ssh_keygen_nothing_passes,
          modes_have_names)
