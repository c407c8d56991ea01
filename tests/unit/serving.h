/* serving.h - what tests of the HTTP face share: parts with a hub whose snapshots they choose, and
 * time at will. */
#ifndef WEIR_TESTS_SERVING_H
#define WEIR_TESTS_SERVING_H

#include "unit.h"

#include <time.h>

#include "../../controller/http/route.h"

#define SERVING_NOW INT64_C(1795383000) /* seconds: what $flagd.timestamp is in these tests */

struct serving {
    struct hub hub;
    struct telemetry *telemetry;
    struct clock clock;
    struct http_parts parts;
};

static int64_t serving_wall(void *self)
{
    (void)self;
    return SERVING_NOW * NANOSECONDS_PER_SECOND;
}

static int64_t serving_monotonic(void *self)
{
    (void)self;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

static void serving_status(void *context, struct buffer *out)
{
    buffer_append_string(out, context);
}

static inline void serving_init(struct serving *serving)
{
    *serving = (struct serving){.telemetry = telemetry_new()};
    ck_assert_ptr_nonnull(serving->telemetry);
    ck_assert_int_eq(hub_init(&serving->hub), STATUS_OK);
    serving->clock = (struct clock){.wall = serving_wall, .monotonic = serving_monotonic};
    static char status[] = "{\"commit\":null}";
    serving->parts = (struct http_parts){.hub = &serving->hub,
                                         .telemetry = serving->telemetry,
                                         .clock = &serving->clock,
                                         .write_status = serving_status,
                                         .status_context = status};
}

static inline void serving_dispose(struct serving *serving)
{
    hub_dispose(&serving->hub);
    telemetry_free(serving->telemetry);
}

static inline struct document *serving_document(const char *flagd)
{
    struct document *document = NULL;
    struct error error = {0};
    ck_assert_msg(document_read(text_of(flagd), NULL, &document, &error) == STATUS_OK, "%s",
                  error.message);
    return document;
}

/* Publishes `flagd` as environment "production", the default where `standard`, and an empty
 * "staging". */
static inline void serving_publish(struct serving *serving, const char *flagd, bool standard)
{
    struct snapshot *snapshot = snapshot_new(2);
    ck_assert_ptr_nonnull(snapshot);
    ck_assert_int_eq(snapshot_fill(snapshot, 0, TEXT("production"), serving_document(flagd)),
                     STATUS_OK);
    ck_assert_int_eq(
        snapshot_fill(snapshot, 1, TEXT("staging"), serving_document("{\"flags\":{}}")), STATUS_OK);
    if (standard)
        snapshot->standard = &snapshot->environments[0];
    hub_publish(&serving->hub, snapshot);
}

#define SERVING_BOOLEAN "\"state\":\"ENABLED\",\"variants\":{\"off\":false,\"on\":true}"

/* One flag for every kind of answer. */
static const char serving_flags[] =
    "{\"flags\":{"
    "\"plain\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"on\"},"
    "\"a/b \xc3\xbc\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"off\"},"
    "\"dark\":{\"state\":\"DISABLED\",\"variants\":{\"on\":true},\"defaultVariant\":\"on\"},"
    "\"owned\":{\"state\":\"ENABLED\",\"variants\":{\"text\":\"say \\\"x\\\"\"},"
    "\"defaultVariant\":\"text\",\"metadata\":{\"owner\":\"payments\"}},"
    "\"targeted\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"off\","
    "\"targeting\":{\"if\":[{\"===\":[{\"var\":\"email\"},\"a@example.com\"]},\"on\",null]}},"
    "\"unknown-variant\":{" SERVING_BOOLEAN ",\"defaultVariant\":\"off\","
    "\"targeting\":{\"if\":[true,\"nowhere\"]}},"
    "\"broken\":{" SERVING_BOOLEAN ",\"metadata\":{\"team\":\"a\"},\"defaultVariant\":\"off\","
    "\"targeting\":{\"no_such_operator\":[1]}}"
    "}}";

#endif
