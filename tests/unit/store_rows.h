/* store_rows.h - rows for tests of stores, and checks of what a store gives back. */
#ifndef WEIR_TESTS_STORE_ROWS_H
#define WEIR_TESTS_STORE_ROWS_H

#include "folders.h"

#include "../../controller/store/store.h"

#define GENERATION "0000000000000001-000000000000002a"

/* --- rows ------------------------------------------------------------------------------------ */

/* 64 hexadecimal digits that end with the number; one of eight buffers in turn. */
SHARED struct text intent_of(unsigned number)
{
    static char texts[8][STORE_INTENT_LENGTH + 1];
    static unsigned next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%064x", number);
    return (struct text){text, STORE_INTENT_LENGTH};
}

SHARED struct store_override override_numbered(unsigned number)
{
    return (struct store_override){.intent = intent_of(number),
                                   .environment = TEXT("production"),
                                   .flag = TEXT("checkout-v2"),
                                   .seq = number,
                                   .generation = TEXT(GENERATION),
                                   .fragment = TEXT("{\"state\":\"ENABLED\"}\0\xff"),
                                   .since = 1000 + number,
                                   .evidence = TEXT("{\"metric\":\"errors\"}")};
}

SHARED struct store_measurement measurement_at(int64_t finished)
{
    return (struct store_measurement){.environment = TEXT("production"),
                                      .rollout = TEXT("checkout-v2"),
                                      .run = 1,
                                      .phase = TEXT("ten"),
                                      .metric = TEXT("errors"),
                                      .arm = TEXT("on"),
                                      .started = finished - 2,
                                      .finished = finished,
                                      .verdict = STORE_SUCCESS,
                                      .measure = STORE_RATIO,
                                      .numerator = 3,
                                      .denominator = 5120,
                                      .message = TEXT("")};
}

SHARED struct store_notice notice_numbered(unsigned number)
{
    static char ids[8][32];
    char *id = ids[number % 8];
    snprintf(id, sizeof ids[0], "notice-%06u", number);
    return (struct store_notice){.id = text_of(id),
                                 .channel = TEXT("slack"),
                                 .body = TEXT("{\"text\":\"rolled back\"}\0."),
                                 .created = 100 + number,
                                 .due = 100 + number};
}

SHARED struct store *open_store(const char *location)
{
    struct store *store;
    struct error error = {0};
    ck_assert_msg(store_open(location, &store, &error) == STATUS_OK, "%s", error.message);
    return store;
}

#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        struct error error_ = {0};                                                                 \
        struct error *error = &error_;                                                             \
        ck_assert_msg((call) == STATUS_OK, "%s", error_.message);                                  \
    } while (0)

/* A failure with this status and message. */
#define CHECK_FAILS(call, expected, text)                                                          \
    do {                                                                                           \
        struct error error_ = {0};                                                                 \
        struct error *error = &error_;                                                             \
        enum status status_ = (call);                                                              \
        ck_assert_str_eq(error_.message, text);                                                    \
        ck_assert_int_eq(status_, expected);                                                       \
    } while (0)

/* --- what was visited, one line a row -------------------------------------------------------- */

SHARED bool tell_override(void *context, const struct store_override *override)
{
    struct buffer *out = context;
    buffer_printf(out, "%lld %s %s closed=%lld\n", (long long) override->since,
                  override->environment.length ? "in" : "nowhere",
                  override->fragment.length == 21 ? "whole" : "cut", (long long) override->closed);
    return true;
}

SHARED bool stop_at_first_override(void *context, const struct store_override *override)
{
    (void)tell_override(context, override);
    return false;
}

SHARED bool tell_measurement(void *context, const struct store_measurement *measurement)
{
    struct buffer *out = context;
    buffer_printf(out, "%lld %.*s %d %d %g %g/%g '%.*s'%s%.*s\n", (long long)measurement->finished,
                  (int)measurement->arm.length,
                  measurement->arm.length ? measurement->arm.data : "", (int)measurement->verdict,
                  (int)measurement->measure, measurement->value, measurement->numerator,
                  measurement->denominator, (int)measurement->message.length,
                  measurement->message.length ? measurement->message.data : "",
                  measurement->silent ? " silent" : "", (int)measurement->mismatch.length,
                  measurement->mismatch.length ? measurement->mismatch.data : "");
    return true;
}

SHARED bool tell_notice(void *context, const struct store_notice *notice)
{
    struct buffer *out = context;
    buffer_printf(out, "%.*s '%.*s'\n", (int)notice->id.length, notice->id.data,
                  (int)notice->last_error.length,
                  notice->last_error.length ? notice->last_error.data : "");
    return true;
}

SHARED bool tell_rollback(void *context, const struct store_rollback *rollback)
{
    struct buffer *out = context;
    buffer_printf(out, "%lld %.*s/%.*s %.*s\n", (long long)rollback->when,
                  (int)rollback->environment.length, rollback->environment.data,
                  (int)rollback->rollout.length, rollback->rollout.data, 2,
                  rollback->intent.data + STORE_INTENT_LENGTH - 2);
    return true;
}

/* Runs a visit that appends to `out`, and compares. */
#define CHECK_TOLD(call, expected)                                                                 \
    do {                                                                                           \
        struct buffer told_;                                                                       \
        struct buffer *out = &told_;                                                               \
        buffer_init(out, 0);                                                                       \
        CHECK_OK(call);                                                                            \
        ck_assert_str_eq(buffer_string(out) ? buffer_string(out) : "", expected);                  \
        buffer_dispose(out);                                                                       \
    } while (0)

#define CHECK_OVERRIDES(store, expected)                                                           \
    CHECK_TOLD(store_override_each(store, tell_override, out, error), expected)
#define CHECK_MEASUREMENTS(store, since, expected)                                                 \
    CHECK_TOLD(store_measurement_each(store, TEXT("production"), TEXT("checkout-v2"),              \
                                      TEXT("errors"), since, tell_measurement, out, error),        \
               expected)

#define CHECK_ALL_MEASUREMENTS(store, since, most, expected)                                       \
    CHECK_TOLD(store_measurement_all(store, TEXT("production"), TEXT("checkout-v2"), since, most,  \
                                     tell_measurement, out, error),                                \
               expected)

SHARED bool compare_override(void *context, const struct store_override *override)
{
    const struct store_override *expected = context;
    ck_assert(text_equal(override->intent, expected->intent));
    ck_assert(text_equal(override->environment, expected->environment));
    ck_assert(text_equal(override->flag, expected->flag));
    ck_assert_uint_eq(override->seq, expected->seq);
    ck_assert(text_equal(override->generation, expected->generation));
    ck_assert(text_equal(override->fragment, expected->fragment));
    ck_assert_int_eq(override->since, expected->since);
    ck_assert(text_equal(override->evidence, expected->evidence));
    ck_assert_int_eq(override->closed, expected->closed);
    return true;
}

SHARED void check_counts(struct store *store, uint64_t pending, uint64_t dropped, int64_t next)
{
    struct store_outbox_counts counts;
    CHECK_OK(store_outbox_count(store, TEXT(""), &counts, error));
    ck_assert_uint_eq(counts.pending, pending);
    ck_assert_uint_eq(counts.dropped, dropped);
    ck_assert_int_eq(counts.next_due, next);
}

SHARED void check_taken(struct store *store, int64_t now, int64_t lease, const char *id,
                        uint32_t attempts, const char *last_error)
{
    struct store_notice notice;
    CHECK_OK(store_outbox_take(store, TEXT(""), now, lease, &notice, error));
    ck_assert_text(notice.id, id);
    ck_assert_text(notice.channel, "slack");
    ck_assert(text_equal(notice.body, TEXT("{\"text\":\"rolled back\"}\0.")));
    ck_assert_uint_eq(notice.attempts, attempts);
    ck_assert_text(notice.last_error, last_error);
}

#endif
