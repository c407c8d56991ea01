/* Overrides through fleets: workers of two controllers at one Redis tell what they find, and what
 * is served then has it. */
#include <pthread.h>
#include <time.h>

#include "../../controller/log.h"
#include "override_site.h"

#define PATIENCE (20 * NANOSECONDS_PER_SECOND)

/* A controller's core in small: a mailbox that workers fill, and what it serves. */
struct core {
    pthread_mutex_t lock;
    struct override *found[8]; /* in the order of their coming, each once */
    size_t count;
    uint32_t beyond; /* the overlay to be gone beyond; 0: none */
    char environment[64];
    struct telemetry *telemetry;
    struct fleet *fleet;
};

struct yard {
    struct site site;
    struct target target;
    struct target *list[1];
    struct core a, b;
};

static void adopt(void *context, const char *target, struct override *const *found, size_t count)
{
    (void)target;
    struct core *core = context;
    pthread_mutex_lock(&core->lock);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t k = 0; k < core->count; k++)
            known |= text_equal(core->found[k]->intent, found[i]->intent);
        if (!known && core->count < COUNT_OF(core->found))
            core->found[core->count++] = override_reference(found[i]);
    }
    pthread_mutex_unlock(&core->lock);
}

static void outrun(void *context, const char *environment, struct generation held)
{
    struct core *core = context;
    pthread_mutex_lock(&core->lock);
    core->beyond = held.overlay;
    snprintf(core->environment, sizeof core->environment, "%s", environment);
    pthread_mutex_unlock(&core->lock);
}

static void begin(struct core *core, struct site *site)
{
    *core = (struct core){.telemetry = telemetry_new()};
    ck_assert_int_eq(pthread_mutex_init(&core->lock, NULL), 0);
    const struct fleet_parts parts = {.reach = &site->reach,
                                      .clock = &system_clock,
                                      .telemetry = core->telemetry,
                                      .context = core,
                                      .adopt = adopt,
                                      .outrun = outrun};
    core->fleet = fleet_new(&parts);
    ck_assert_ptr_nonnull(core->fleet);
}

static void end(struct core *core)
{
    fleet_free(core->fleet, PATIENCE);
    for (size_t i = 0; i < core->count; i++)
        override_release(core->found[i]);
    telemetry_free(core->telemetry);
    pthread_mutex_destroy(&core->lock);
}

static bool make_yard(struct yard *yard)
{
    *yard = (struct yard){.list = {&yard->target}};
    log_set_level(LOG_LEVEL_ERROR);
    if (!make_site(&yard->site))
        return false;
    yard->target = (struct target){.name = {.text = TEXT("edge")},
                                   .environment = {.text = TEXT("production")},
                                   .type = TARGET_REDIS,
                                   .location = {.text = text_of(yard->site.server.url)},
                                   .key = TEXT("weir:production")};
    begin(&yard->a, &yard->site);
    begin(&yard->b, &yard->site);
    return true;
}

static void leave_yard(struct yard *yard)
{
    end(&yard->a);
    end(&yard->b);
    leave(&yard->site);
}

static void apply(struct yard *yard, struct core *core, const struct serving *serving)
{
    struct snapshot *snapshot = serve(serving);
    ck_assert_int_eq(fleet_apply(core->fleet, yard->list, 1, snapshot), STATUS_OK);
    snapshot_release(snapshot);
}

static struct target_status status_of(struct core *core)
{
    struct target_status status;
    ck_assert_uint_eq(fleet_status(core->fleet, &status, 1), 1);
    return status;
}

static bool is_at(struct core *core, uint32_t level, uint32_t overlay)
{
    char generation[GENERATION_TEXT_SIZE];
    struct target_status status = status_of(core);
    generation_format((struct generation){.level = level, .overlay = overlay}, generation);
    return status.condition == TARGET_IN_SYNC && strcmp(status.generation, generation) == 0;
}

static size_t found_by(struct core *core)
{
    pthread_mutex_lock(&core->lock);
    size_t count = core->count;
    pthread_mutex_unlock(&core->lock);
    return count;
}

static uint32_t beyond(struct core *core)
{
    pthread_mutex_lock(&core->lock);
    uint32_t overlay = core->beyond;
    pthread_mutex_unlock(&core->lock);
    return overlay;
}

#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        for (int tries_ = 0; !(condition); tries_++) {                                             \
            ck_assert_msg(tries_ < 4000, "waited in vain for " #condition);                        \
            wait_a_little();                                                                       \
        }                                                                                          \
    } while (0)

START_TEST(test_what_is_found_is_told_and_then_served)
{
    struct yard yard;
    if (!make_yard(&yard))
        return;
    struct override *override = make_override(INTENT_A, "checkout", FLAG("off"));
    struct serving safe = {TWO_FLAGS, 1, 1, &override, 1, NULL, 0};
    struct serving other = {.json = TWO_FLAGS, .level = 2};
    apply(&yard, &yard.a, &safe);
    WAIT_FOR(is_at(&yard.a, 1, 1));
    ck_assert_uint_eq(found_by(&yard.a), 0);
    /* B has not seen why, and pushes a commit. */
    apply(&yard, &yard.b, &other);
    WAIT_FOR(is_at(&yard.b, 2, 0));
    ck_assert_uint_eq(found_by(&yard.b), 1);
    ck_assert_text(yard.b.found[0]->intent, INTENT_A);
    check_field(&yard.site, "doc", "checkout", OFF_JSON);
    struct target_status status = status_of(&yard.b);
    ck_assert(status.merged);
    ck_assert_str_eq(status.digest, "");
    ck_assert_uint_eq(status.unservable, 0);
    /* B serves it too. */
    struct serving adopted = {TWO_FLAGS, 2, 1, yard.b.found, 1, NULL, 0};
    apply(&yard, &yard.b, &adopted);
    WAIT_FOR(is_at(&yard.b, 2, 1));
    status = status_of(&yard.b);
    ck_assert(!status.merged);
    ck_assert_ptr_eq(strstr(status.digest, "sha256:"), status.digest);
    ck_assert(check_truth(&yard.site));
    ck_assert_uint_eq(found_by(&yard.b), 1);
    override_release(override);
    leave_yard(&yard);
}
END_TEST

START_TEST(test_who_is_to_go_beyond_is_told)
{
    struct yard yard;
    if (!make_yard(&yard))
        return;
    struct override *ours = make_override(INTENT_A, "checkout", FLAG("off"));
    struct override *theirs = make_override(INTENT_B, "banner", FLAG("off"));
    struct serving a = {TWO_FLAGS, 1, 3, &ours, 1, NULL, 0}, b = a;
    b.overrides = &theirs;
    apply(&yard, &yard.a, &a);
    WAIT_FOR(is_at(&yard.a, 1, 3));
    apply(&yard, &yard.b, &b);
    WAIT_FOR(beyond(&yard.b) == 3);
    ck_assert_str_eq(yard.b.environment, "production");
    ck_assert_uint_eq(found_by(&yard.b), 1);
    ck_assert_uint_eq(beyond(&yard.a), 0);
    check_field(&yard.site, "doc", "banner", OFF_JSON); /* it waits for nobody */
    check_field(&yard.site, "doc", "checkout", OFF_JSON);
    struct override *both[] = {theirs, ours};
    struct serving merged = {TWO_FLAGS, 1, 4, both, 2, NULL, 0};
    apply(&yard, &yard.b, &merged);
    WAIT_FOR(is_at(&yard.b, 1, 4));
    ck_assert(check_truth(&yard.site));
    override_release(ours);
    override_release(theirs);
    leave_yard(&yard);
}
END_TEST

START_TEST(test_what_is_no_override_is_told_by_status)
{
    struct yard yard;
    if (!make_yard(&yard))
        return;
    struct serving serving = {.json = TWO_FLAGS, .level = 1};
    plant(&yard.site, INTENT_A, "{");
    apply(&yard, &yard.a, &serving);
    WAIT_FOR(is_at(&yard.a, 1, 0));
    struct target_status status = status_of(&yard.a);
    ck_assert_uint_eq(status.unservable, 1);
    ck_assert_ptr_nonnull(strstr(status.override_problem, "is not served: an override is not"));
    tell(&yard.site.server, "DEL {weir:production}:overrides");
    serving.level = 2;
    apply(&yard, &yard.a, &serving);
    WAIT_FOR(is_at(&yard.a, 2, 0));
    status = status_of(&yard.a);
    ck_assert_uint_eq(status.unservable, 0);
    ck_assert_str_eq(status.override_problem, "");
    leave_yard(&yard);
}
END_TEST

UNIT_MAIN("fleet_overrides", test_what_is_found_is_told_and_then_served,
          test_who_is_to_go_beyond_is_told, test_what_is_no_override_is_told_by_status)
