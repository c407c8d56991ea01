/* What the log tells: who changed a rollout last, and how often weir rolled back of late. */
#include "../../controller/git/path_log.h"
#include "moves.h"

/* --- authors --------------------------------------------------------------------------------- */

#define AS(name, mail) "export GIT_AUTHOR_NAME='" name "' GIT_AUTHOR_EMAIL=" mail "; "

START_TEST(the_author_of_the_last_change)
{
    char author[MOVE_AUTHOR_SIZE];
    set_up();
    ck_assert_ok(move_author(mirror, on.head, "rollouts/shop.yaml", author, &failure));
    ck_assert_str_eq(author, "");
    meanwhile("mkdir rollouts; echo 1 >rollouts/shop.yaml");
    meanwhile(AS("Eve", "eve@example.com") "echo 2 >rollouts/shop.yaml");
    ask(VERB_START, WALK_START);
    meanwhile(AS("Bob", "bob@example.com") "echo 2 >elsewhere");
    ck_assert_ok(move_author(mirror, on.head, "rollouts/shop.yaml", author, &failure));
    ck_assert_str_eq(author, "Eve <eve@example.com>");
    /* Who merged it did not write it. */
    meanwhile(AS(
        "Zoe Z",
        "Zoe@example.com") "git checkout -q -b side; echo 3 "
                           ">rollouts/shop.yaml; git add -A; git commit -q -m side; git checkout "
                           "-q -; " AS(
                               "Bob", "bob@example.com") "git merge -q --no-ff -m merge side 2>&1");
    ck_assert_ok(move_author(mirror, on.head, "rollouts/shop.yaml", author, &failure));
    ck_assert_str_eq(author, "Zoe Z <Zoe@example.com>");
    tear_down();
}
END_TEST

START_TEST(who_counts_as_the_author)
{
    static const char author[] = "Zoe Z <Zoe@example.com>";
    ck_assert(move_is_author(author, TEXT("Zoe Z <Zoe@example.com>")));
    ck_assert(move_is_author(author, TEXT("zoe@EXAMPLE.com")));
    ck_assert(move_is_author(author, TEXT("zoe z")));
    ck_assert(move_is_author(author, TEXT("Somebody <zoe@example.com>")));
    ck_assert(!move_is_author(author, TEXT("zoe@example.org")));
    ck_assert(!move_is_author(author, TEXT("oe@example.com")));
    ck_assert(!move_is_author(author, TEXT("")));
    ck_assert(!move_is_author("", TEXT("")));
    ck_assert(!move_is_author(" <>", TEXT("ann <>")));
    ck_assert(!move_is_author("", TEXT("ann")));
    ck_assert(!move_is_author("Bob <bob@example.com>", TEXT("ann")));
}
END_TEST

START_TEST(history_has_a_bound)
{
    set_up();
    for (int i = 0; i < 4; i++)
        meanwhile("date +%N >>elsewhere");
    char author[MOVE_AUTHOR_SIZE];
    ck_assert_ok(move_author(mirror, on.head, "definitions", author, &failure));
    ck_assert_str_eq(author, "A <a@example.com>");
    struct path_log log = {.path = "nowhere", .most = 4};
    ck_assert_fails(mirror_path_log(mirror, on.head, &log, &failure), STATUS_LIMIT,
                    "the history of \"nowhere\" is longer than 4 commits");
    log.most = 5;
    ck_assert_ok(mirror_path_log(mirror, on.head, &log, &failure));
    ck_assert_fails(
        mirror_path_log(mirror, "0123456789012345678901234567890123456789", &log, &failure),
        STATUS_NOT_FOUND, "0123456789");
    tear_down();
}
END_TEST

/* --- the blast cap --------------------------------------------------------------------------- */

static uint32_t count_since(int64_t since)
{
    uint32_t count = 99;
    ck_assert_ok(move_count_rollbacks(mirror, on.head, since, &count, &failure));
    return count;
}

/* By weir itself, as a metric would have it. */
static void roll_back_as(const char *by, enum walk_verb_kind kind)
{
    struct rollout_state before = world.state;
    world.task.now += HOUR;
    now_seconds = world.task.now;
    world_verb(&world, kind);
    record(&before, by, "", "");
}

START_TEST(what_weir_rolled_back_is_counted)
{
    set_up();
    ck_assert_uint_eq(count_since(0), 0);
    ask(VERB_START, WALK_START);
    ask(VERB_ADVANCE, WALK_ADVANCE);
    roll_back_as("weir", VERB_STEP_BACK);
    int64_t first = now_seconds;
    ck_assert_uint_eq(count_since(first), 1);
    ck_assert_uint_eq(count_since(first + 1), 0);
    roll_back_as("weir", VERB_ROLLBACK);
    roll_back_as("ann", VERB_KILL);
    ck_assert_uint_eq(count_since(first), 2);
    ck_assert_uint_eq(count_since(first + 1), 1);
    roll_back_as("weir", VERB_UNKILL);
    ck_assert_uint_eq(count_since(first), 2);
    roll_back_as("weir", VERB_KILL);
    ck_assert_uint_eq(count_since(first), 3);
    /* Old dates of what people push hide nothing, as long as they are few. */
    meanwhile("export GIT_COMMITTER_DATE='@1000000 +0000'; for i in 1 2 3; do echo $i >f; git add "
              "-A; git commit -q -m $i; done");
    ck_assert_uint_eq(count_since(first), 3);
    tear_down();
}
END_TEST

UNIT_MAIN("move_log", the_author_of_the_last_change, who_counts_as_the_author, history_has_a_bound,
          what_weir_rolled_back_is_counted)
