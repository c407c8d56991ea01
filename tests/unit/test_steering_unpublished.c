/* What is taken and cannot be published, for want of memory, keeps nobody on what broke. */
#include "steers_shop.h"

static bool fails;

struct snapshot *__real_snapshot_new(size_t count);
struct snapshot *__wrap_snapshot_new(size_t count);
struct snapshot *__wrap_snapshot_new(size_t count)
{
    return fails ? NULL : __real_snapshot_new(count);
}

static bool forgets; /* once: no memory for what stands in a commit */

#define ROSTER_MAKE(name)                                                                          \
    enum status name(const struct inventory *inventory, const struct schema_set *schemas,          \
                     struct file_reader reader, struct roster *previous, struct roster **out,      \
                     struct error *error)
ROSTER_MAKE(__real_roster_make);
ROSTER_MAKE(__wrap_roster_make);
ROSTER_MAKE(__wrap_roster_make)
{
    if (!forgets)
        return __real_roster_make(inventory, schemas, reader, previous, out, error);
    forgets = false;
    *out = NULL;
    return error_set(error, STATUS_NO_MEMORY, "no memory for rollouts");
}

/* Users have the commit before. */
static void take_in_vain(void)
{
    shell("cd work && git pull -q --rebase");
    commit("echo x >README");
    steers_fetch(&one);
    fails = true;
    ck_assert_int_eq(core_take(one.core, one.tip, &failure), STATUS_NO_MEMORY);
    core_turn(one.core);
}

START_TEST(a_breach_does_not_wait_for_a_commit_that_could_not_be_published)
{
    set_up_half(WATCHED);
    take_in_vain();
    fails = false;
    pass(60);
    breaks(METRIC_GUARDRAIL);
    ck_assert_uint_eq(exposed(), 0);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    ck_assert_uint_eq(steers_settle(&one), 0);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

/* Half of it is in force: the flags of the one commit, and the rollouts of the other. */
START_TEST(a_breach_does_not_wait_for_a_commit_that_was_half_taken)
{
    char served[COMMIT_TEXT_SIZE];
    set_up_half(WATCHED);
    memcpy(served, one.tip, sizeof served);
    shell("cd work && git pull -q --rebase");
    commit("rm rollouts.yaml && sed -i 's/name: shop/name: till/' flags/shop.yaml");
    steers_fetch(&one);
    forgets = true;
    ck_assert_int_eq(core_take(one.core, one.tip, &failure), STATUS_NO_MEMORY);
    pass(60);
    breaks(METRIC_GUARDRAIL);
    ck_assert_uint_eq(exposed(), 0);
    struct snapshot *snapshot = hub_acquire(&one.hub);
    ck_assert_str_eq(snapshot->commit, served);
    snapshot_release(snapshot);
    tear_down();
}
END_TEST

START_TEST(a_person_does_not_wait_for_it_either)
{
    set_up_half(WATCHED);
    take_in_vain();
    fails = false;
    ck_assert_int_eq(do_verb(VERB_KILL, "ada").state, DESK_SERVED);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

/* Nothing else brings it about: no measurement, no commit, no verb. */
START_TEST(what_could_not_be_served_is_tried_again)
{
    set_up_half(WATCHED);
    fails = true;
    breaks(METRIC_GUARDRAIL);
    ck_assert_uint_gt(exposed(), 400);
    ck_assert_int_le(core_turn(one.core), NANOSECONDS_PER_SECOND);
    fails = false;
    core_turn(one.core);
    ck_assert_uint_eq(exposed(), 0);
    tear_down();
}
END_TEST

START_TEST(nobody_is_let_in_by_what_users_do_not_have)
{
    set_up(PHASES, WATCHED);
    steers_settle(&one);
    unsigned few = exposed();
    pass(3600);
    take_in_vain();
    ck_assert_ptr_null(one.proposal);
    struct desk_request request = do_verb(VERB_ADVANCE, "ada");
    ck_assert_int_eq(request.state, DESK_WAITING);
    ck_assert_ptr_null(one.proposal);
    ck_assert_uint_eq(exposed(), few);
    fails = false;
    steers_take(&one);
    core_turn(one.core);
    ck_assert_ptr_nonnull(one.proposal);
    tear_down();
}
END_TEST

UNIT_MAIN("steering_unpublished", a_breach_does_not_wait_for_a_commit_that_could_not_be_published,
          a_breach_does_not_wait_for_a_commit_that_was_half_taken,
          a_person_does_not_wait_for_it_either, what_could_not_be_served_is_tried_again,
          nobody_is_let_in_by_what_users_do_not_have)
