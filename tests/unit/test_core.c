/* The owner of what is in force: what it tells targets when it takes a tip again. */
#include <errno.h>

#include "../../controller/core_private.h"
#include "../../controller/log.h"
#include "../../controller/snapshot.h"
#include "../../controller/telemetry_families.h"
#include "repositories.h"

#define PATIENCE (20 * NANOSECONDS_PER_SECOND)

/* Threads that cannot be started: so many of the next. */
static unsigned threads_failing;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
    if (threads_failing) {
        threads_failing--;
        return EAGAIN;
    }
    return __real_pthread_create(thread, attributes, run, argument);
}

/* Time stands still but for what a test adds. */
static int64_t now;

static int64_t test_monotonic(void *self)
{
    (void)self;
    return now;
}

static int64_t test_wall(void *self)
{
    (void)self;
    return INT64_C(1800000000) * NANOSECONDS_PER_SECOND;
}

static uint64_t test_random(void *self)
{
    (void)self;
    return UINT64_C(0x9e3779b97f4a7c15);
}

static const struct clock test_clock = {test_wall, test_monotonic, test_random, NULL};

struct site {
    struct config config;
    struct telemetry *telemetry;
    struct hub hub;
    struct fleet *fleet;
    struct core *core;
};

static void open_site(struct site *site)
{
    *site = (struct site){0};
    config_init(&site->config);
    ck_assert_ok(config_set_path(&site->config.data, below(root, "data"), &failure));
    ck_assert_ok(config_set_path(&site->config.repo, below(root, "remote.git"), &failure));
    ck_assert_ok(config_finish(&site->config, &failure));
    shell("mkdir -p data");
    site->telemetry = telemetry_new();
    ck_assert_ptr_nonnull(site->telemetry);
    ck_assert_int_eq(hub_init(&site->hub), STATUS_OK);
    const struct fleet_parts fleet = {
        .reach = &site->config.reach, .clock = &system_clock, .telemetry = site->telemetry};
    site->fleet = fleet_new(&fleet);
    ck_assert_ptr_nonnull(site->fleet);
    const struct core_parts parts = {.config = &site->config,
                                     .clock = &test_clock,
                                     .telemetry = site->telemetry,
                                     .hub = &site->hub,
                                     .fleet = site->fleet};
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
    ck_assert_ok(core_new(&parts, mirror, &site->core, &failure));
}

static void close_site(struct site *site)
{
    core_free(site->core);
    fleet_free(site->fleet, PATIENCE);
    hub_dispose(&site->hub);
    telemetry_free(site->telemetry);
    config_dispose(&site->config);
}

/* What /status says. */
static const char *told(struct core *core)
{
    static char out[16000];
    struct buffer buffer;
    buffer_init(&buffer, 0);
    core_write_status(core, &buffer);
    ck_assert_int_eq(buffer.failed, STATUS_OK);
    snprintf(out, sizeof out, "%.*s", (int)buffer.length, buffer.data);
    buffer_dispose(&buffer);
    return out;
}

/* Something of the repository cannot be read for a while: when it can again, targets have what
 * they are to have. */
START_TEST(a_tip_that_is_taken_again_keeps_its_targets)
{
    struct site site;
    struct target_status statuses[2];
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    commit("mkdir environments targets && printf 'apiVersion: weir/v1\\nkind: Environment\\n"
           "metadata: {name: production}\\n' > environments/p.yaml && printf 'apiVersion: "
           "weir/v1\\nkind: Target\\nmetadata: {name: t}\\nspec: {environment: production, file: "
           "{path: t.json}}\\n' > targets/t.yaml");
    const char *side = shell("cd work && git commit-tree -m side HEAD^{tree}");
    const char *tip = shell("cd work && git reset -q --hard $(git commit-tree -m merge -p HEAD -p "
                            "%s HEAD^{tree}) && git push -q origin HEAD 2>&1 && git rev-parse HEAD",
                            side);
    open_site(&site);
    shell("mv remote.git/objects/%.2s/%s away", side, side + 2);
    ck_assert_int_ne(core_take(site.core, tip, &failure), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(told(site.core), "\"code\":\"W603\""));
    ck_assert_ptr_nonnull(strstr(told(site.core), "\"tipServed\":false,"));
    ck_assert_ptr_nonnull(strstr(told(site.core), tip));
    shell("mv away remote.git/objects/%.2s/%s", side, side + 2);
    ck_assert_ok(core_take(site.core, tip, &failure));
    ck_assert_uint_eq(fleet_status(site.fleet, statuses, 2), 1);
    ck_assert_ptr_null(strstr(told(site.core), "W603"));
    ck_assert_ptr_nonnull(strstr(told(site.core), "\"tipServed\":true,"));
    close_site(&site);
    end();
}
END_TEST

#define PRODUCTION                                                                                 \
    "mkdir -p environments flags && printf 'apiVersion: weir/v1\\nkind: Environment\\nmetadata: "  \
    "{name: production}\\n' > environments/p.yaml && printf 'apiVersion: weir/v1\\nkind: "         \
    "Flag\\nmetadata: {name: f}\\nspec: {variants: {on: 1, off: 0}, default: %s}\\n' > "           \
    "flags/f.yaml"

/* A folder of the tip cannot be read, or a file: what is served can still be served with a safe
 * state over it. */
START_TEST(a_tip_that_cannot_be_read_keeps_no_override_back)
{
    struct site site;
    char change[1000], kept[COMMIT_TEXT_SIZE], tip[COMMIT_TEXT_SIZE];
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(change, sizeof change, PRODUCTION, "on");
    snprintf(kept, sizeof kept, "%s", commit(change));
    open_site(&site);
    ck_assert_ok(core_take(site.core, kept, &failure));
    static const char *const unreadable[] = {"HEAD^{tree}", "HEAD:flags/f.yaml"};
    for (size_t i = 0; i < COUNT_OF(unreadable); i++) {
        snprintf(change, sizeof change, PRODUCTION, i ? "off" : "on # as before");
        snprintf(tip, sizeof tip, "%s", commit(change));
        const char *object = shell("cd work && git rev-parse %s", unreadable[i]);
        shell("mv remote.git/objects/%.2s/%s away", object, object + 2);
        ck_assert_int_ne(core_take(site.core, tip, &failure), STATUS_OK);
        ck_assert(core_republish(site.core));
        shell("mv away remote.git/objects/%.2s/%s", object, object + 2);
    }
    struct snapshot *snapshot = hub_acquire(&site.hub);
    ck_assert_str_eq(snapshot->commit, kept);
    snapshot_release(snapshot);
    ck_assert_ok(core_take(site.core, tip, &failure));
    close_site(&site);
    end();
}
END_TEST

/* After a restart on a branch that is not followed, what is in force is that of the accepted
 * commit, with what stood there as before. */
START_TEST(a_restart_on_a_held_branch_lists_what_is_quarantined)
{
    struct site site;
    char change[1000];
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(change, sizeof change, PRODUCTION, "on");
    commit(change);
    snprintf(change, sizeof change, PRODUCTION, "nope");
    const char *faulty = commit(change);
    open_site(&site);
    ck_assert_ok(core_take(site.core, faulty, &failure));
    ck_assert_ptr_nonnull(strstr(told(site.core), "\"quarantinedCount\":1,"));
    close_site(&site);
    mirror_close(mirror);
    const char *rewritten = shell("cd work && git reset -q --hard HEAD~1 && git commit -q "
                                  "--allow-empty -m other && git push -q -f origin HEAD 2>&1 && "
                                  "git rev-parse HEAD");
    open_site(&site);
    ck_assert_int_eq(core_take(site.core, rewritten, &failure), STATUS_INVALID);
    const char *status = told(site.core);
    ck_assert_ptr_nonnull(strstr(status, faulty));
    ck_assert_ptr_nonnull(strstr(status, "\"code\":\"W601\""));
    ck_assert_msg(strstr(status, "\"quarantined\":[{\"kind\":\"Flag\",\"name\":\"f\","
                                 "\"served\":\"flags/f.yaml\"}],\"quarantinedCount\":1,"),
                  "%s", status);
    close_site(&site);
    end();
}
END_TEST

/* Whoever has pushed what is not followed puts the branch back to where it was. */
START_TEST(a_branch_that_is_put_back_keeps_its_targets)
{
    struct site site;
    struct target_status statuses[2];
    char change[1000], kept[COMMIT_TEXT_SIZE];
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(change, sizeof change, PRODUCTION, "on");
    commit(change);
    snprintf(kept, sizeof kept, "%s",
             commit("mkdir targets && printf 'apiVersion: weir/v1\\nkind: Target\\nmetadata: "
                    "{name: t}\\nspec: {environment: production, file: {path: t.json}}\\n' > "
                    "targets/t.yaml"));
    open_site(&site);
    ck_assert_ok(core_take(site.core, kept, &failure));
    ck_assert_uint_eq(fleet_status(site.fleet, statuses, 2), 1);
    const char *rewritten = shell("cd work && git reset -q --hard HEAD~1 && git commit -q "
                                  "--allow-empty -m other && git push -q -f origin HEAD 2>&1 && "
                                  "git rev-parse HEAD");
    ck_assert_int_eq(core_take(site.core, rewritten, &failure), STATUS_INVALID);
    ck_assert_uint_eq(fleet_status(site.fleet, statuses, 2), 1);
    ck_assert_ok(core_take(site.core, kept, &failure));
    ck_assert_uint_eq(fleet_status(site.fleet, statuses, 2), 1);
    ck_assert_str_eq(statuses[0].name, "t");
    close_site(&site);
    end();
}
END_TEST

static int64_t value_of(const struct site *site, const struct family_description *family)
{
    return atomic_load(&telemetry_series(site->telemetry, family, NULL, NULL)->value);
}

/* No thread for a worker: tried again at growing intervals that have an end, and seen in /metrics.
 */
START_TEST(targets_that_could_not_be_handed_out_are_tried_again)
{
    struct site site;
    struct target_status statuses[2];
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    const char *tip = commit(
        "mkdir environments targets && printf 'apiVersion: weir/v1\\nkind: Environment\\n"
        "metadata: {name: production}\\n' > environments/p.yaml && printf 'apiVersion: "
        "weir/v1\\nkind: Target\\nmetadata: {name: t}\\nspec: {environment: production, file: "
        "{path: t.json}}\\n' > targets/t.yaml");
    open_site(&site);
    ck_assert(core_retry(site.core) == INT64_MAX);
    threads_failing = 20;
    ck_assert_ok(core_take(site.core, tip, &failure));
    ck_assert_uint_eq(threads_failing, 19);
    int64_t first = core_retry(site.core), wait = first;
    ck_assert_int_gt(first, 0);
    ck_assert_int_le(first, NANOSECONDS_PER_SECOND);
    ck_assert_uint_eq(threads_failing, 19); /* it was not time yet */
    while (threads_failing) {
        unsigned before = threads_failing;
        now += wait;
        wait = core_retry(site.core);
        ck_assert_uint_eq(threads_failing, before - 1);
        ck_assert_int_gt(wait, 0);
        ck_assert_int_le(wait, 30 * NANOSECONDS_PER_SECOND);
    }
    ck_assert_int_ge(wait, 15 * NANOSECONDS_PER_SECOND);
    ck_assert_uint_eq(fleet_status(site.fleet, statuses, 2), 0);
    ck_assert_int_eq(value_of(&site, &family_fleet_failures), 20);
    ck_assert_int_eq(value_of(&site, &family_fleet_owing), 1);
    ck_assert_ok(core_take(site.core, tip, &failure)); /* judged before: costs nothing */
    now += wait;
    ck_assert(core_retry(site.core) == INT64_MAX);
    ck_assert_uint_eq(fleet_status(site.fleet, statuses, 2), 1);
    ck_assert_str_eq(statuses[0].name, "t");
    ck_assert_int_eq(value_of(&site, &family_fleet_failures), 20);
    ck_assert_int_eq(value_of(&site, &family_fleet_owing), 0);
    /* The next commit hands out its own. */
    threads_failing = 1;
    tip = commit("sed 's/name: t}/name: u}/; s/t.json/u.json/' targets/t.yaml > targets/u.yaml");
    ck_assert_ok(core_take(site.core, tip, &failure));
    ck_assert_uint_eq(fleet_status(site.fleet, statuses, 2), 1);
    tip = commit("git rm -q targets/t.yaml");
    ck_assert_ok(core_take(site.core, tip, &failure));
    ck_assert(core_retry(site.core) == INT64_MAX);
    ck_assert_uint_eq(fleet_status(site.fleet, statuses, 2), 1);
    ck_assert_str_eq(statuses[0].name, "u");
    close_site(&site);
    end();
}
END_TEST

UNIT_MAIN("core", a_tip_that_is_taken_again_keeps_its_targets,
          targets_that_could_not_be_handed_out_are_tried_again,
          a_restart_on_a_held_branch_lists_what_is_quarantined,
          a_branch_that_is_put_back_keeps_its_targets,
          a_tip_that_cannot_be_read_keeps_no_override_back)
