/* Memory that runs out while event streams begin: the n-th allocation fails, for every n until none
 * does. Linked with --wrap, see TEST_LDFLAGS_events_memory in the Makefile. */
#include "serving.h"

#include "../../controller/http/events.h"
#include "../../controller/telemetry_families.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

/* Of this thread: the one of the streams goes on meanwhile. */
static _Thread_local struct {
    bool armed;
    size_t seen, failing;
} plan;

static bool fails(void)
{
    return plan.armed && ++plan.seen == plan.failing;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

static uint64_t no_chance(void *self)
{
    (void)self;
    return 1;
}

static void arm(size_t failing)
{
    plan.seen = 0;
    plan.failing = failing;
    plan.armed = true;
}

START_TEST(test_starting)
{
    struct serving serving;
    struct events *events = NULL;
    enum status status = STATUS_NO_MEMORY;
    serving_init(&serving);
    size_t failures = 0;
    for (size_t n = 1; status != STATUS_OK; n++, failures++) {
        arm(n);
        status = events_start(&serving.parts, 10, &events);
        plan.armed = false;
        ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY || status == STATUS_SYSTEM,
                      "%d", status);
        if (status == STATUS_OK && plan.seen >= n) { /* a metric less, which is no failure */
            events_free(events);
            status = STATUS_NO_MEMORY;
        }
    }
    ck_assert_uint_gt(failures, 0);
    ck_assert_ptr_nonnull(serving.hub.listeners);
    events_free(events);
    ck_assert_ptr_null(serving.hub.listeners);
    serving_dispose(&serving);
}
END_TEST

START_TEST(test_opening)
{
    struct serving serving;
    serving_init(&serving);
    serving.clock.random = no_chance;
    serving_publish(&serving, serving_flags, true);
    size_t opened = 0, failed = 0;
    bool passed = false;
    for (size_t n = 1; !passed; n++) {
        /* All is new to each: the environment's channel, the thread's buffers, the metrics. */
        ck_assert_int_eq(events_start(&serving.parts, 10, &serving.parts.events), STATUS_OK);
        struct worker *worker = worker_new(&serving.parts);
        ck_assert_ptr_nonnull(worker);
        struct request request = {.method = METHOD_GET,
                                  .path = TEXT("/env/production/ofrep/v1/stream")};
        struct answer answer;
        arm(n);
        ck_assert_str_eq(route_dispatch(worker, &request, &answer), "event_stream");
        plan.armed = false;
        passed = plan.seen < n;
        ck_assert(!passed || answer.stream);
        struct series *open =
            telemetry_series(serving.telemetry, &family_event_streams, "production", NULL);
        if (answer.stream) {
            ck_assert_uint_eq(answer.status, 200);
            stream_free(answer.stream);
            opened++;
        } else {
            ck_assert_uint_eq(answer.status, 500);
            ck_assert_str_eq(answer.content_type, "application/json");
            failed++;
        }
        ck_assert(!passed || open->value == 0);
        worker_free(worker);
        events_free(serving.parts.events);
    }
    ck_assert_uint_gt(opened, 0);
    ck_assert_uint_ge(failed, 3); /* decoded path, stream, channel */
    serving_dispose(&serving);
}
END_TEST

UNIT_MAIN("events_memory", test_starting, test_opening)
