/* Memory that runs out anywhere between a decision and its accepted push: the n-th allocation of
 * ours fails, for every n until none does. Each time it is STATUS_NO_MEMORY and nothing is
 * recorded, or it is recorded whole; and nothing leaks (that shows under ASan). Linked with --wrap,
 * see TEST_LDFLAGS_torture in the Makefile; what libgit2 allocates is not made to fail. */
#include "../../controller/accept.h"
#include "failing.h"
#include "repositories.h"

/* libgit2 1.5 forgets two lists when a transport cannot be made. What we forget of what it made
 * shows in the tests of push and record, where nothing is suppressed. */
const char *__lsan_default_suppressions(void) __attribute__((visibility("default")));
const char *__lsan_default_suppressions(void)
{
    return "leak:libgit2.so\n";
}

static enum status go(struct accept *accept, struct decide *options)
{
    *options = (struct decide){.mirror = mirror,
                               .clock = &system_clock,
                               .author = {.name = "Ada", .mail = "ada@example.com"},
                               .committer = {.name = "weir", .mail = "weir@example.com"},
                               .attempts = 1,
                               .decide = accept_decide,
                               .context = accept};
    buffer_dispose(&accept->message);
    buffer_init(&accept->message, 0);
    plan.armed = true;
    enum status status = decide(options, &failure);
    plan.armed = false;
    return status;
}

static void torture(bool lasting)
{
    struct accept accept = {.reason = "memory"};
    struct decide options;
    size_t failures = 0;
    begin();
    commit("echo a >a");
    open_mirror();
    fetch();
    plan.lasting = lasting;
    bool passed = false;
    for (size_t n = 1; !passed; n++) {
        char before[COMMIT_TEXT_SIZE];
        snprintf(before, sizeof before, "%s", shell("git -C remote.git rev-parse main"));
        plan.seen = 0;
        plan.failing = n;
        enum status status = go(&accept, &options);
        passed = plan.seen < n;
        const char *after = shell("git -C remote.git rev-parse main");
        ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
                      "allocation %zu: status %d: %s", n, (int)status, failure.message);
        ck_assert_msg(!passed || status == STATUS_OK, "it fails even when nothing does");
        ck_assert_int_eq(options.is_recorded, status == STATUS_OK);
        ck_assert_str_eq(after, status == STATUS_OK ? options.commit : before);
        ck_assert_str_eq(
            shell("git -C remote.git rev-list --count main"),
            shell("expr 1 + $(git -C remote.git show main:state/epoch 2>&- || echo 0)"));
        failures += status != STATUS_OK;
    }
    ck_assert_uint_gt(failures, 5);
    buffer_dispose(&accept.message);
    end();
}

START_TEST(one_allocation_fails)
{
    torture(false);
}
END_TEST

START_TEST(all_allocations_from_one_on_fail)
{
    torture(true);
}
END_TEST

UNIT_MAIN("torture_decide", one_allocation_fails, all_allocations_from_one_on_fail)
