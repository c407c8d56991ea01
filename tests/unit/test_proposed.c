/* Branches that are proposed beside the one that is followed: pushed once, after what they belong
 * to, whatever happens in between. */
#include "../../controller/git/proposed.h"
#include "../../controller/git/push.h"
#include "recording.h"

#define BRANCH PROPOSED_BRANCHES "revert/0123456789abcdef"

/* On the remote; empty: it has none. */
static const char *branch(void)
{
    return shell("git -C remote.git for-each-ref --format='%%(objectname)' " BRANCH);
}

static const char *kept(void)
{
    return shell("git -C clone for-each-ref --format='%%(objectname)' refs/weir/proposed");
}

static char pin[COMMIT_TEXT_SIZE], proposal[COMMIT_TEXT_SIZE];

/* The pin is on the branch, and its revert is not proposed: as after a crash. */
static void set_up(void)
{
    begin();
    const char *first = commit("echo 1 >a");
    open_mirror();
    ck_assert_str_eq(fetch(), first);
    snprintf(pin, sizeof pin, "%s", record(first, "a", "2\n"));
    snprintf(proposal, sizeof proposal, "%s", record(pin, "a", "1\n"));
    ck_assert_ok(proposed_keep(mirror, BRANCH, proposal, &failure));
    struct ref_push push = {.ref = "main", .expected = first, .commit = pin};
    ck_assert_ok(mirror_push(mirror, &push, &failure));
    ck_assert_int_eq(push.outcome, PUSH_ACCEPTED);
    mirror_close(mirror);
    open_mirror();
}

START_TEST(what_was_not_pushed_is_pushed_once)
{
    set_up();
    ck_assert_str_eq(branch(), "");
    ck_assert_ok(proposed_push(mirror, fetch(), NULL, &failure));
    ck_assert_str_eq(branch(), proposal);
    ck_assert_str_eq(kept(), "");
    shell("git -C remote.git update-ref -d " BRANCH); /* which is an answer */
    ck_assert_ok(proposed_push(mirror, fetch(), NULL, &failure));
    ck_assert_str_eq(branch(), "");
    end();
}
END_TEST

START_TEST(it_waits_for_a_remote_that_is_away)
{
    set_up();
    shell("mv remote.git away.git");
    ck_assert_fails(proposed_push(mirror, pin, NULL, &failure), STATUS_SYSTEM,
                    "\"weir/revert/0123456789abcdef\": ");
    ck_assert_str_eq(kept(), proposal);
    shell("mv away.git remote.git");
    ck_assert_ok(proposed_push(mirror, pin, NULL, &failure));
    ck_assert_str_eq(branch(), proposal);
    end();
}
END_TEST

/* Somebody was faster, or the pin was refused: it was decided anew, with a proposal of its own. */
START_TEST(of_what_did_not_come_to_be_nothing_is_proposed)
{
    set_up();
    const char *other = commit("echo 3 >a");
    ck_assert_str_eq(fetch(), other);
    ck_assert_ok(proposed_push(mirror, other, NULL, &failure));
    ck_assert_str_eq(branch(), "");
    ck_assert_str_eq(kept(), "");
    end();
}
END_TEST

START_TEST(the_last_that_was_kept_for_a_branch_counts)
{
    set_up();
    const char *again = record(pin, "a", "again\n");
    ck_assert_ok(proposed_keep(mirror, BRANCH, again, &failure));
    ck_assert_ok(proposed_push(mirror, pin, NULL, &failure));
    ck_assert_str_eq(branch(), again);
    end();
}
END_TEST

/* Another controller made the same decision. */
START_TEST(a_branch_that_is_there_is_left_as_it_is)
{
    set_up();
    shell("git -C remote.git update-ref " BRANCH " main");
    ck_assert_ok(proposed_push(mirror, pin, NULL, &failure));
    ck_assert_str_eq(branch(), pin);
    ck_assert_str_eq(kept(), "");
    end();
}
END_TEST

START_TEST(a_remote_that_says_no_is_asked_once)
{
    set_up();
    shell(
        "printf '#!/bin/sh\\necho no such branches >&2\\nexit 1\\n' >remote.git/hooks/pre-receive "
        "&& chmod +x remote.git/hooks/pre-receive");
    ck_assert_fails(proposed_push(mirror, pin, NULL, &failure), STATUS_REFUSED, "no such branches");
    ck_assert_ok(proposed_push(mirror, pin, NULL, &failure));
    ck_assert_str_eq(branch(), "");
    end();
}
END_TEST

START_TEST(only_branches_of_weir_are_proposed)
{
    set_up();
    ck_assert_fails(proposed_keep(mirror, "refs/heads/main", proposal, &failure), STATUS_INVALID,
                    "\"refs/heads/main\" is no branch of weir's");
    ck_assert_fails(proposed_keep(mirror, BRANCH, "main", &failure), STATUS_INVALID, "");
    ck_assert_fails(proposed_keep(mirror, PROPOSED_BRANCHES "a..b", proposal, &failure),
                    STATUS_SYSTEM, "cannot be written");
    end();
}
END_TEST

UNIT_MAIN("proposed", what_was_not_pushed_is_pushed_once, it_waits_for_a_remote_that_is_away,
          of_what_did_not_come_to_be_nothing_is_proposed,
          the_last_that_was_kept_for_a_branch_counts, a_branch_that_is_there_is_left_as_it_is,
          a_remote_that_says_no_is_asked_once, only_branches_of_weir_are_proposed)
