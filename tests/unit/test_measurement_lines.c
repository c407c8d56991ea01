/* What was measured, as lines: from a real store in a folder of its own. */
#include "../../controller/metrics/measurement_lines.h"
#include "../../controller/store/store.h"
#include "folders.h"
#include "unit.h"

static char root[64];
static const struct measurement_query ours = {TEXT("production"), TEXT("shop"), 0};

static struct store_measurement measured(int64_t finished)
{
    return (struct store_measurement){.environment = TEXT("production"),
                                      .rollout = TEXT("shop"),
                                      .run = 2,
                                      .phase = TEXT("ten"),
                                      .metric = TEXT("errors"),
                                      .arm = TEXT("on"),
                                      .started = finished - 2,
                                      .finished = finished,
                                      .verdict = STORE_SUCCESS,
                                      .measure = STORE_VALUE,
                                      .value = 0.0625,
                                      .message = TEXT("0.0625 < 0.1")};
}

static void keep(const struct store_measurement *measurements, size_t count)
{
    struct store *store;
    struct error error = {0};
    ck_assert_msg(store_open(root, &store, &error) == STATUS_OK, "%s", error.message);
    ck_assert_msg(store_measurement_append(store, measurements, count, &error) == STATUS_OK, "%s",
                  error.message);
    store_close(store);
}

#define CHECK_LINES(query, expected)                                                               \
    do {                                                                                           \
        struct buffer lines_;                                                                      \
        struct error error_ = {0};                                                                 \
        buffer_init(&lines_, 0);                                                                   \
        ck_assert_msg(measurement_lines_write(root, query, &lines_, &error_) == STATUS_OK, "%s",   \
                      error_.message);                                                             \
        ck_assert_str_eq(buffer_string(&lines_), expected);                                        \
        buffer_dispose(&lines_);                                                                   \
    } while (0)

START_TEST(test_a_line_each)
{
    static const enum store_verdict verdicts[] = {STORE_SUCCESS, STORE_FAILURE, STORE_INCONCLUSIVE,
                                                  STORE_ERROR, STORE_NO_DATA};
    struct store_measurement rows[COUNT_OF(verdicts)];
    const struct measurement_query later = {ours.environment, ours.rollout, 4},
                                   never = {ours.environment, TEXT("none"), 0};
    make_folder(root);
    CHECK_LINES(&ours, "");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rows[i] = measured((int64_t)i + 1);
        rows[i].started = (int64_t)i;
        rows[i].verdict = verdicts[i];
    }
    rows[3].measure = rows[4].measure = STORE_NOTHING;
    rows[3].message = TEXT("it says \"no\"");
    rows[4].message = TEXT("");
    rows[1].silent = true;
    rows[2].mismatch = TEXT("sample ratio mismatch: share 0.15 of 0.1");
    keep(rows, COUNT_OF(rows));
    CHECK_LINES(
        &ours,
        "{\"metric\":\"errors\",\"started\":\"1970-01-01T00:00:00Z\","
        "\"finished\":\"1970-01-01T00:00:01Z\",\"verdict\":\"success\",\"value\":0.0625,\"run\":2,"
        "\"phase\":\"ten\",\"evidence\":\"0.0625 < 0.1\"}\n"
        "{\"metric\":\"errors\",\"started\":\"1970-01-01T00:00:01Z\","
        "\"finished\":\"1970-01-01T00:00:02Z\",\"verdict\":\"failure\",\"value\":0.0625,\"run\":2,"
        "\"phase\":\"ten\",\"evidence\":\"0.0625 < 0.1\",\"silent\":true}\n"
        "{\"metric\":\"errors\",\"started\":\"1970-01-01T00:00:02Z\","
        "\"finished\":\"1970-01-01T00:00:03Z\",\"verdict\":\"inconclusive\",\"value\":0.0625,"
        "\"run\":2,\"phase\":\"ten\",\"evidence\":\"0.0625 < 0.1\",\"ratioMismatch\":\"sample "
        "ratio mismatch: share 0.15 of 0.1\"}\n"
        "{\"metric\":\"errors\",\"started\":\"1970-01-01T00:00:03Z\","
        "\"finished\":\"1970-01-01T00:00:04Z\",\"verdict\":\"error\",\"run\":2,"
        "\"phase\":\"ten\",\"evidence\":\"it says \\\"no\\\"\"}\n"
        "{\"metric\":\"errors\",\"started\":\"1970-01-01T00:00:04Z\","
        "\"finished\":\"1970-01-01T00:00:05Z\",\"verdict\":\"no data\",\"run\":2,"
        "\"phase\":\"ten\",\"evidence\":\"\"}\n");
    CHECK_LINES(&later, "{\"metric\":\"errors\",\"started\":\"1970-01-01T00:00:03Z\","
                        "\"finished\":\"1970-01-01T00:00:04Z\",\"verdict\":\"error\",\"run\":2,"
                        "\"phase\":\"ten\",\"evidence\":\"it says \\\"no\\\"\"}\n"
                        "{\"metric\":\"errors\",\"started\":\"1970-01-01T00:00:04Z\","
                        "\"finished\":\"1970-01-01T00:00:05Z\",\"verdict\":\"no data\",\"run\":2,"
                        "\"phase\":\"ten\",\"evidence\":\"\"}\n");
    CHECK_LINES(&never, "");
    remove_folder(root);
}
END_TEST

START_TEST(test_the_oldest_where_there_are_more)
{
    static struct store_measurement rows[STORE_BATCH_MAXIMUM];
    const int64_t last = MEASUREMENT_LINES_MAX + 1;
    struct buffer lines;
    struct error error = {0};
    size_t count = 0, filled = 0;
    make_folder(root);
    for (int64_t when = 1; when <= last; when++) {
        rows[filled++] = measured(when);
        if (filled == COUNT_OF(rows) || when == last) {
            keep(rows, filled);
            filled = 0;
        }
    }
    buffer_init(&lines, 0);
    ck_assert_int_eq(measurement_lines_write(root, &ours, &lines, &error), STATUS_OK);
    const char *text = buffer_string(&lines);
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        count++;
    ck_assert_uint_eq(count, MEASUREMENT_LINES_MAX);
    ck_assert_ptr_nonnull(strstr(text, "\"finished\":\"1970-01-01T00:00:01Z\""));
    ck_assert_ptr_nonnull(strstr(text, "\"finished\":\"1970-01-01T05:33:20Z\"")); /* 20 000 s */
    ck_assert_ptr_null(strstr(text, "\"finished\":\"1970-01-01T05:33:21Z\""));
    buffer_dispose(&lines);
    remove_folder(root);
}
END_TEST

START_TEST(test_what_cannot_be_read)
{
    struct buffer lines;
    struct error error = {0};
    make_folder(root);
    spill(below(root, "weir.db"), "this is no store, and never was one: not even for its size");
    buffer_init(&lines, 0);
    buffer_append_string(&lines, "as before");
    ck_assert_int_ne(measurement_lines_write(root, &ours, &lines, &error), STATUS_OK);
    ck_assert_str_eq(buffer_string(&lines), "as before");
    buffer_dispose(&lines);
    /* What does not fit is no answer. */
    remove_folder(root);
    make_folder(root);
    const struct store_measurement row = measured(9);
    keep(&row, 1);
    buffer_init(&lines, 20);
    ck_assert_int_eq(measurement_lines_write(root, &ours, &lines, &error), STATUS_NO_MEMORY);
    buffer_dispose(&lines);
    remove_folder(root);
}
END_TEST

UNIT_MAIN("measurement_lines", test_a_line_each, test_the_oldest_where_there_are_more,
          test_what_cannot_be_read)
