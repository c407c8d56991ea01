/* What is told of a rollout: the JSON of one entry, compared whole where it is a contract. */
#include "walks_unit.h"

#include "../../controller/rollout/rollout_status.h"
#include "../../rules/json.h"

static struct world world;
static struct roster_rollout item;
static struct metrics_view measured;
static struct buffer out;

static struct rollout_entry setup(void)
{
    world_init(&world);
    buffer_init(&out, 0);
    measured = (struct metrics_view){0};
    item = (struct roster_rollout){
        .rollout = &world.rollout, .phases = &world.plan, .state = &world.state};
    return (struct rollout_entry){
        .item = &item, .decision = &world.decision, .measured = &measured};
}

static void teardown(void)
{
    buffer_dispose(&out);
    world_dispose(&world);
}

/* The entry as it is now, alone in its frame. */
static const char *tell(struct rollout_entry entry)
{
    buffer_clear(&out);
    entry.now = world.task.now;
    memcpy(measured.gates, world.gates, sizeof world.gates[0]);
    measured.gate_count = world.task.gate_count;
    ck_assert_int_eq(walk_approvals(&world.task, &world.state, &world.arena, &entry.approvals_given,
                                    &entry.approvals_needed),
                     STATUS_OK);
    rollout_status_begin(&out, "3f9c2d1a8b213f9c2d1a8b213f9c2d1a8b213f9c");
    rollout_status_entry(&out, &entry);
    rollout_status_end(&out);
    const char *json = buffer_string(&out);
    ck_assert_ptr_nonnull(json);
    return json;
}

#define ck_assert_tells(json, words)                                                               \
    do {                                                                                           \
        const char *json_ = (json);                                                                \
        ck_assert_msg(strstr(json_, words) != NULL, "no %s in: %s", words, json_);                 \
    } while (0)
#define ck_assert_hides(json, words)                                                               \
    do {                                                                                           \
        const char *json_ = (json);                                                                \
        ck_assert_msg(strstr(json_, words) == NULL, "%s in: %s", words, json_);                    \
    } while (0)

START_TEST(test_before_its_start)
{
    struct rollout_entry entry = setup();
    world_tick(&world);
    ck_assert_str_eq(
        tell(entry),
        "{\"apiVersion\":\"weir/v1\",\"commit\":\"3f9c2d1a8b213f9c2d1a8b213f9c2d1a8b213f9c\","
        "\"rollouts\":[{\"name\":\"shop-release\",\"environment\":\"production\","
        "\"flag\":\"shop\",\"variant\":\"on\",\"control\":\"off\",\"status\":\"pending\","
        "\"phase\":null,\"phases\":[\"staff\",\"canary\",\"ten\",\"half\",\"all\"],"
        "\"audience\":null,\"configured\":0,\"now\":0,\"since\":null,\"run\":1,\"seq\":0,"
        "\"holds\":[],\"approvals\":{\"given\":0,\"needed\":0},\"gates\":[{\"metric\":\"errors\","
        "\"role\":\"guardrail\",\"verdict\":\"no data\",\"evidence\":null,\"finished\":null}],"
        "\"waits\":[{\"cause\":\"start\",\"words\":\"start: no date, a person starts it\","
        "\"until\":null}],\"next\":null,\"due\":null,\"override\":null}]}\n");
    item.phases = NULL; /* its plan is gone */
    ck_assert_tells(tell(entry), "\"phases\":[]");
    teardown();
}
END_TEST

START_TEST(test_a_running_phase)
{
    struct rollout_entry entry = setup();
    world_run(&world, PHASE_CANARY);
    world.gates[0].evidence = TEXT("0.002 \xe2\x89\xa4 0.01, n=5120");
    world_tick(&world);
    const char *json = tell(entry);
    ck_assert_tells(json, "\"status\":\"running\",\"phase\":\"canary\",");
    ck_assert_tells(json, "\"audience\":null,\"configured\":1,\"now\":1,"
                          "\"since\":\"2026-11-23T13:00:00Z\",\"run\":1,\"seq\":1,");
    ck_assert_tells(json,
                    "\"verdict\":\"success\",\"evidence\":\"0.002 \xe2\x89\xa4 0.01, n=5120\","
                    "\"finished\":\"2026-11-23T13:00:01Z\"}]");
    ck_assert_tells(json, "\"waits\":[{\"cause\":\"bake\",\"words\":\"bake 1s of 6d\",\"until\":"
                          "\"2026-11-29T13:00:00Z\"}],\"next\":\"2026-11-29T13:00:00Z\","
                          "\"due\":null");
    /* A variant that is silent while control speaks is told as what it is. */
    world.gates[0].evidence = TEXT("");
    world.gates[0].silent = true;
    ck_assert_tells(tell(entry),
                    "\"verdict\":\"failure\",\"evidence\":\"silent while control speaks\"");
    teardown();
}
END_TEST

START_TEST(test_audience_and_ramp)
{
    struct rollout_entry entry = setup();
    world_run(&world, PHASE_STAFF);
    world_tick(&world);
    ck_assert_tells(tell(entry), "\"phase\":\"staff\",");
    ck_assert_tells(tell(entry), "\"audience\":{\"segment\":\"staff\",\"percent\":100},"
                                 "\"configured\":0,\"now\":0,");
    world.state.phase = PHASE_TEN;
    world.state.ramp = (struct ramp_window){.done = 0, .from = world.task.now, .length = 3 * DAY};
    world.task.now += 3 * DAY / 2;
    world_tick(&world);
    ck_assert_tells(tell(entry), "\"phase\":\"ten\"");
    ck_assert_tells(tell(entry), "\"configured\":10,\"now\":5.5,"); /* from canary's 1 */
    teardown();
}
END_TEST

START_TEST(test_approvals)
{
    struct rollout_entry entry = setup();
    world.phases[PHASE_STAFF].approvals = 1;
    world_tick(&world);
    ck_assert_tells(tell(entry), "\"approvals\":{\"given\":0,\"needed\":1}");
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_APPROVE);
    ck_assert_tells(tell(entry), "\"approvals\":{\"given\":1,\"needed\":1}");
    world_run(&world, PHASE_TEN);
    world_tick(&world);
    ck_assert_tells(tell(entry), "\"approvals\":{\"given\":0,\"needed\":2}");
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_APPROVE);
    expect(&world, world_verb(&world, VERB_APPROVE), WALK_NONE); /* the same person */
    ck_assert_tells(tell(entry), "\"approvals\":{\"given\":1,\"needed\":2}");
    world.task.author = TEXT("ann"); /* whose last change it is now */
    ck_assert_tells(tell(entry), "\"approvals\":{\"given\":0,\"needed\":2}");
    teardown();
}
END_TEST

START_TEST(test_holds)
{
    struct rollout_entry entry = setup();
    world_run(&world, PHASE_CANARY);
    world_measure(&world, WALK_FAILURE);
    world.gates[0].evidence = TEXT("0.031 > 0.01");
    expect(&world, world_tick(&world), WALK_ROLLBACK);
    const char *json = tell(entry); /* decided, and being recorded */
    ck_assert_tells(json, "\"status\":\"rolledBack\",\"phase\":\"canary\",");
    ck_assert_tells(json, "\"configured\":1,\"now\":0,");
    ck_assert_tells(json, "\"holds\":[{\"reason\":\"rollback\",\"by\":\"weir\",\"since\":"
                          "\"2026-11-23T13:00:01Z\",\"until\":\"2026-11-23T14:00:01Z\","
                          "\"note\":\"errors: 0.031 > 0.01\"}]");
    ck_assert_tells(json, "\"due\":\"rollback\"");
    world_measure(&world, WALK_SUCCESS);
    world_tick(&world);
    json = tell(entry);
    ck_assert_tells(json, "\"waits\":[{\"cause\":\"hold\",\"words\":\"hold rollback by weir");
    ck_assert_tells(json, "\"due\":null");
    teardown();
}
END_TEST

START_TEST(test_without_measurements)
{
    struct rollout_entry entry = setup();
    struct calendar *calendar = office_hours();
    world_run(&world, PHASE_CANARY);
    world.task.calendar = calendar;
    world.task.gate_count = 0; /* nothing is known */
    world.task.now += 7 * DAY + 12 * HOUR;
    world_tick(&world);
    const char *json = tell(entry);
    ck_assert_tells(json, "\"cause\":\"metric\"");
    entry.measured = NULL;
    json = tell(entry);
    ck_assert_tells(json, "\"gates\":null,");
    ck_assert_hides(json, "\"cause\":\"metric\"");
    ck_assert_hides(json, "\"cause\":\"bake\"");
    ck_assert_tells(json, "\"waits\":[{\"cause\":\"calendar\",");
    ck_assert_tells(json, "\"next\":\"2026-12-01T09:00:00Z\"");
    calendar_free(calendar);
    teardown();
}
END_TEST

START_TEST(test_open_override)
{
    struct rollout_entry entry = setup();
    struct override override = {.intent = TEXT("0123"),
                                .action = VERB_ROLLBACK,
                                .run = 1,
                                .seq = 1,
                                .by = TEXT("weir"),
                                .evidence = TEXT("errors: 0.031 > 0.01"),
                                .since = MONDAY};
    world_run(&world, PHASE_TEN);
    world_tick(&world);
    entry.override = &override;
    ck_assert_tells(tell(entry),
                    "\"override\":{\"intent\":\"0123\",\"action\":\"rollback\",\"by\":\"weir\","
                    "\"note\":null,\"evidence\":\"errors: 0.031 > 0.01\","
                    "\"since\":\"2026-11-23T13:00:00Z\",\"serving\":\"control for everybody\","
                    "\"git\":\"running, phase ten\"}");
    ck_assert_tells(tell(entry), "\"configured\":10,\"now\":0,"); /* as users have it */
    override.action = VERB_STEP_BACK;
    override.seq = world.state.seq;
    ck_assert_tells(tell(entry), "\"serving\":\"one phase back, phase canary\"");
    override.seq--; /* of a state that has moved since */
    ck_assert_tells(tell(entry), "\"serving\":\"one phase back of where it was decided\"");
    struct rollout_state stands = world.state;
    stands.phase = PHASE_STAFF; /* two have been taken, and this is the second */
    entry.stands = &stands;
    override.seq += 2;
    ck_assert_tells(tell(entry), "\"serving\":\"2 phases back, phase staff\"");
    ck_assert_tells(tell(entry), "\"configured\":10,\"now\":0,");
    entry.stands = NULL;
    override.seq--;
    world.state.phase = PHASE_STAFF; /* there is none before it */
    ck_assert_tells(tell(entry), "\"serving\":\"control for everybody\"");
    teardown();
}
END_TEST

START_TEST(test_several)
{
    struct rollout_entry entry = setup();
    struct arena arena;
    const struct node *node;
    world_tick(&world);
    arena_init(&arena, 0);
    rollout_status_begin(&out, "");
    rollout_status_entry(&out, &entry);
    rollout_status_entry(&out, &entry);
    rollout_status_end(&out);
    ck_assert_int_eq(
        json_read(&arena, buffer_text(&out), JSON_LIMITS_DEFAULT, &node, &(struct error){0}),
        STATUS_OK);
    ck_assert_uint_eq(node_get(node, "rollouts")->count, 2);
    ck_assert_int_eq(node_get(node, "commit")->type, NODE_NULL);
    arena_dispose(&arena);
    teardown();
}
END_TEST

static bool covers_staging(const void *who, struct text environment)
{
    return who && text_is(environment, "staging");
}

START_TEST(test_filters)
{
    struct rollout_filter filter = {0};
    ck_assert(rollout_filter_passes(&filter, TEXT("production")));
    filter.environment = TEXT("staging");
    ck_assert(!rollout_filter_passes(&filter, TEXT("production")));
    ck_assert(rollout_filter_passes(&filter, TEXT("staging")));
    filter = (struct rollout_filter){covers_staging, "x", {NULL, 0}};
    ck_assert(!rollout_filter_passes(&filter, TEXT("production")));
    ck_assert(rollout_filter_passes(&filter, TEXT("staging")));
    filter.environment = TEXT("production");
    ck_assert(!rollout_filter_passes(&filter, TEXT("production")));
}
END_TEST

UNIT_MAIN("rollout_status", test_before_its_start, test_a_running_phase, test_audience_and_ramp,
          test_approvals, test_holds, test_without_measurements, test_open_override, test_several,
          test_filters)
