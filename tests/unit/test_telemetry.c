#include "unit.h"

#include <pthread.h>

#include "../../controller/telemetry_families.h"

static const struct family_description
    family_b = {"b_total", "Two labels.", FAMILY_COUNTER, 1, {"x", "y"}},
    family_a = {"a_seconds", "A \\ and\na line.", FAMILY_GAUGE, 1e-9, {NULL, NULL}},
    family_c = {"c", "One label.", FAMILY_GAUGE, 1, {"x", NULL}},
    family_half = {"half", "Another scale.", FAMILY_GAUGE, 0.5, {NULL, NULL}};

static const char *written(struct telemetry *telemetry, struct buffer *out)
{
    buffer_clear(out);
    telemetry_write(telemetry, out);
    return buffer_string(out);
}

START_TEST(test_sorted_text)
{
    struct telemetry *telemetry = telemetry_new();
    struct buffer out;
    buffer_init(&out, 0);
    ck_assert_str_eq(written(telemetry, &out), "");
    series_add(telemetry_series(telemetry, &family_c, "z", NULL), 3);
    series_add(telemetry_series(telemetry, &family_b, "p", "2"), 1);
    series_add(telemetry_series(telemetry, &family_b, "p", "1"), 2);
    series_add(telemetry_series(telemetry, &family_b, "a", "9"), 5);
    series_set(telemetry_series(telemetry, &family_a, NULL, NULL), 1500000000);
    series_set(telemetry_series(telemetry, &family_c, "a", NULL), -7);
    ck_assert_str_eq(written(telemetry, &out), "# HELP a_seconds A \\\\ and\\na line.\n"
                                               "# TYPE a_seconds gauge\n"
                                               "a_seconds 1.5\n"
                                               "# HELP b_total Two labels.\n"
                                               "# TYPE b_total counter\n"
                                               "b_total{x=\"a\",y=\"9\"} 5\n"
                                               "b_total{x=\"p\",y=\"1\"} 2\n"
                                               "b_total{x=\"p\",y=\"2\"} 1\n"
                                               "# HELP c One label.\n"
                                               "# TYPE c gauge\n"
                                               "c{x=\"a\"} -7\n"
                                               "c{x=\"z\"} 3\n");
    buffer_dispose(&out);
    telemetry_free(telemetry);
}
END_TEST

START_TEST(test_escaped_labels)
{
    struct telemetry *telemetry = telemetry_new();
    struct buffer out;
    buffer_init(&out, 0);
    telemetry_series(telemetry, &family_c, "a\"b\\c\nd", NULL);
    ck_assert_ptr_nonnull(strstr(written(telemetry, &out), "\nc{x=\"a\\\"b\\\\c\\nd\"} 0\n"));
    buffer_dispose(&out);
    telemetry_free(telemetry);
}
END_TEST

START_TEST(test_scale_is_exact)
{
    static const struct {
        int64_t value;
        const char *line;
    } cases[] = {
        {0, "a_seconds 0\n"},
        {1, "a_seconds 0.000000001\n"},
        {1000000000, "a_seconds 1\n"},
        {-1250000000, "a_seconds -1.25\n"},
        {INT64_MAX, "a_seconds 9223372036.854775807\n"},
        {INT64_MIN, "a_seconds -9223372036.854775808\n"},
    };
    struct telemetry *telemetry = telemetry_new();
    struct buffer out;
    buffer_init(&out, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        series_set(telemetry_series(telemetry, &family_a, NULL, NULL), cases[i].value);
        const char *text = written(telemetry, &out);
        ck_assert_ptr_nonnull(strstr(text, "gauge\n"));
        ck_assert_str_eq(strstr(text, "gauge\n") + 6, cases[i].line);
    }
    series_set(telemetry_series(telemetry, &family_half, NULL, NULL), 3);
    ck_assert_ptr_nonnull(strstr(written(telemetry, &out), "\nhalf 1.5\n"));
    buffer_dispose(&out);
    telemetry_free(telemetry);
}
END_TEST

START_TEST(test_same_series_until_forgotten)
{
    struct telemetry *telemetry = telemetry_new();
    struct buffer out;
    buffer_init(&out, 0);
    struct series *kept = telemetry_series(telemetry, &family_c, "kept", NULL);
    struct series *gone = telemetry_series(telemetry, &family_c, "gone", NULL);
    ck_assert_ptr_eq(telemetry_series(telemetry, &family_c, "kept", "ignored"), kept);
    ck_assert_ptr_ne(kept, gone);
    series_set(gone, 4);
    telemetry_forget(telemetry, &family_c, "gone", NULL);
    telemetry_forget(telemetry, &family_c, "never there", NULL);
    series_add(gone, 1); /* a worker that has not heard of it: allowed, and not printed */
    ck_assert_str_eq(written(telemetry, &out),
                     "# HELP c One label.\n# TYPE c gauge\nc{x=\"kept\"} 0\n");
    telemetry_forget(telemetry, &family_c, "kept", NULL);
    ck_assert_str_eq(written(telemetry, &out), "");
    /* One of the same name later begins anew. */
    series_add(telemetry_series(telemetry, &family_c, "gone", NULL), 2);
    ck_assert_ptr_nonnull(strstr(written(telemetry, &out), "\nc{x=\"gone\"} 2\n"));
    buffer_dispose(&out);
    telemetry_free(telemetry);
}
END_TEST

START_TEST(test_series_are_bounded)
{
    struct telemetry *telemetry = telemetry_new();
    struct buffer out;
    buffer_init(&out, 0);
    char value[16];
    for (unsigned i = 0; i < 10050; i++) {
        snprintf(value, sizeof value, "%u", i);
        struct series *series = telemetry_series(telemetry, &family_c, value, NULL);
        ck_assert_ptr_nonnull(series);
        series_add(series, 1);
    }
    size_t lines = 0;
    for (const char *c = written(telemetry, &out); *c; c++)
        lines += *c == '\n';
    ck_assert_uint_eq(lines, 10000 + 2);
    ck_assert_ptr_nonnull(strstr(out.data, "c{x=\"9999\"} 1\n"));
    ck_assert_ptr_null(strstr(out.data, "c{x=\"10000\"}"));
    buffer_dispose(&out);
    telemetry_free(telemetry);
}
END_TEST

static void *count_up(void *telemetry)
{
    struct series *own = telemetry_series(telemetry, &family_b, "shared", "1");
    for (int i = 0; i < 20000; i++)
        series_add(own, 1);
    return NULL;
}

START_TEST(test_threads)
{
    struct telemetry *telemetry = telemetry_new();
    struct buffer out;
    buffer_init(&out, 0);
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, telemetry), 0);
    for (int i = 0; i < 100; i++)
        written(telemetry, &out);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_ptr_nonnull(
        strstr(written(telemetry, &out), "b_total{x=\"shared\",y=\"1\"} 40000\n"));
    buffer_dispose(&out);
    telemetry_free(telemetry);
}
END_TEST

START_TEST(test_families_are_well_formed)
{
    static const struct family_description *const families[] = {
        &family_build_info,       &family_http_requests,      &family_evaluations,
        &family_fetches,          &family_fetch_seconds,      &family_last_fetch,
        &family_commits,          &family_compile_seconds,    &family_faults,
        &family_snapshot_version, &family_snapshot_timestamp, &family_flags,
        &family_target_pushes,    &family_target_behind,      &family_target_last_success,
        &family_loop_iterations,  &family_loop_last,
    };
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        struct text name = text_of(families[i]->name);
        ck_assert(text_starts_with(name, TEXT("weir_")));
        /* What Prometheus' own linter asks for: counters, and only they, end in _total. */
        ck_assert_msg(text_ends_with(name, TEXT("_total")) == (families[i]->type == FAMILY_COUNTER),
                      "%s", families[i]->name);
        ck_assert_msg(text_ends_with(text_of(families[i]->help), TEXT(".")), "%s",
                      families[i]->name);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(families[i]->name, families[j]->name);
    }
}
END_TEST

UNIT_MAIN("telemetry", test_sorted_text, test_escaped_labels, test_scale_is_exact,
          test_same_series_until_forgotten, test_series_are_bounded, test_threads,
          test_families_are_well_formed)
