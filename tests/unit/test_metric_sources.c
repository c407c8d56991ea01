/* What is asked of sources, and what their answers come to. */
#include <math.h>

#include "unit.h"

#include "../../controller/metrics/source.h"
#include "../../rules/metric_template.h"

#define NOW INT64_C(1795438800)

static const struct metric_words words = {{[WORD_FLAG] = {"shop", 4},
                                           [WORD_VARIANT] = {"o\"n\\", 4},
                                           [WORD_CONTROL] = {"off", 3},
                                           [WORD_ENVIRONMENT] = {"production", 10},
                                           [WORD_PHASE] = {"a/b~c", 5},
                                           [WORD_WINDOW] = {"300s", 4}}};

static void expect_filled(const char *template, enum metric_escape escape, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 0);
    metric_template_fill(text_of(template), &words, escape, &out);
    ck_assert_text(buffer_text(&out), expected);
    buffer_dispose(&out);
}

START_TEST(templates_are_filled_in_and_escaped)
{
    expect_filled("sum(increase(e{v=\"{{variant}}\"}[{{window}}]))", ESCAPE_PROMQL,
                  "sum(increase(e{v=\"o\\\"n\\\\\"}[300s]))");
    expect_filled("{{flag}}{{control}}{{ environment }}", ESCAPE_PROMQL, "shopoffproduction");
    expect_filled("http://a/{{variant}}?p={{phase}}", ESCAPE_URL, "http://a/o%22n%5C?p=a%2Fb~c");
    expect_filled("/{{phase}}/n", ESCAPE_POINTER, "/a~1b~0c/n");
    expect_filled("{{nothing}} {{flag", ESCAPE_PROMQL, "{{nothing}} {{flag");
    expect_filled("", ESCAPE_PROMQL, "");
    expect_filled("}}{{", ESCAPE_PROMQL, "}}{{");
    expect_filled("{{}}", ESCAPE_PROMQL, "{{}}");
}
END_TEST

START_TEST(names_that_nothing_fills_in_are_found)
{
    struct text name;
    ck_assert(metric_template_unknown(TEXT("{{flag}} {{vairant}}"), &name));
    ck_assert_text(name, "vairant");
    ck_assert(!metric_template_unknown(TEXT("{{flag}} {{variant}} {{control}} {{environment}} "
                                            "{{phase}} {{window}} {x=\"1\"}"),
                                       &name));
    ck_assert(metric_template_names(TEXT("a {{window}}"), WORD_WINDOW));
    ck_assert(!metric_template_names(TEXT("a {{windows}} {window}"), WORD_WINDOW));
}
END_TEST

/* --- questions ------------------------------------------------------------------------------- */

START_TEST(prometheus_is_asked_by_post)
{
    struct question question = {.source = METRIC_PROMETHEUS,
                                .address = TEXT("http://127.0.0.1:9090/"),
                                .expression = TEXT("a{b=\"c d\"}&+"),
                                .at = NOW};
    struct buffer url, body;
    struct error error;
    buffer_init(&url, 0);
    buffer_init(&body, 0);
    ck_assert_int_eq(metric_source_prometheus.request(&question, &url, &body, &error), STATUS_OK);
    ck_assert_text(buffer_text(&url), "http://127.0.0.1:9090/api/v1/query");
    ck_assert_text(buffer_text(&body),
                   "query=a%7Bb%3D%22c%20d%22%7D%26%2B&time=1795438800&timeout=5s");
    buffer_clear(&url);
    buffer_clear(&body);
    question.at = 0;
    question.expression = TEXT("up");
    ck_assert_int_eq(metric_source_prometheus.request(&question, &url, &body, &error), STATUS_OK);
    ck_assert_text(buffer_text(&body), "query=up&timeout=5s");
    buffer_clear(&url);
    buffer_clear(&body);
    question.at = NOW;
    question.from = NOW - 300;
    question.step = 30;
    ck_assert_int_eq(metric_source_prometheus.request(&question, &url, &body, &error), STATUS_OK);
    ck_assert_text(buffer_text(&url), "http://127.0.0.1:9090/api/v1/query_range");
    ck_assert_text(buffer_text(&body),
                   "query=up&start=1795438500&end=1795438800&step=30&timeout=5s");
    buffer_dispose(&url);
    buffer_dispose(&body);
}
END_TEST

/* --- answers --------------------------------------------------------------------------------- */

#define VALUE(value) "\"value\":[1795438800,\"" value "\"]"
#define VECTOR(series)                                                                             \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" series "]}}"
#define ONE(value) VECTOR("{\"metric\":{},\"value\":[1795438800,\"" value "\"]}")

static void read(const struct metric_driver *driver, const struct question *question,
                 unsigned status, const char *body, struct reading *out)
{
    memset(out, 0xee, sizeof *out);
    driver->read(question, status, text_of(body), NOW, out);
}

START_TEST(numbers_of_prometheus)
{
    static const struct {
        const char *body;
        double expected;
    } rows[] = {
        {ONE("0.25"), 0.25},
        {ONE("-3e-2"), -0.03},
        {ONE("+Inf"), INFINITY},
        {ONE("-Inf"), -INFINITY},
        {"{\"status\":\"success\",\"warnings\":null,\"data\":{\"resultType\":\"scalar\",\"result\":"
         "[1795438800,\"7\"]}}",
         7},
        {"{\"status\":\"success\",\"warnings\":[],\"infos\":[\"x\"],\"data\":{\"resultType\":"
         "\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1795438780,\"1\"],[1795438795,\"2\"]]}"
         "]}}",
         2},
        {VECTOR("{\"metric\":{},\"value\":[1795438800.5,\"9\"]}"), 9},
    };
    const struct question question = {.at = NOW};
    struct reading reading;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        read(&metric_source_prometheus, &question, 200, rows[i].body, &reading);
        ck_assert_msg(reading.state == READING_NUMBER && reading.number == rows[i].expected,
                      "%zu: %s", i, reading.problem);
    }
    read(&metric_source_prometheus, &question, 200, ONE("NaN"), &reading);
    ck_assert(reading.state == READING_NUMBER && isnan(reading.number));
    read(&metric_source_prometheus, &question, 200, VECTOR(""), &reading);
    ck_assert_int_eq(reading.state, READING_NOTHING);
}
END_TEST

#define MATRIX(series)                                                                             \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[" series "]}}"
#define STEPS(points) MATRIX("{\"metric\":{},\"values\":[" points "]}")

START_TEST(the_steps_of_a_window)
{
    const struct question question = {.at = NOW, .from = NOW - 120, .step = 60};
    static const char *const faults[] = {
        STEPS("[1795438600,\"1\"]"), /* stale */
        STEPS("[1795438800,1]"),
        STEPS(""),
        MATRIX("{\"metric\":{},\"values\":[[1795438800,\"1\"]]},{\"metric\":{},\"values\":[["
               "1795438800,\"1\"]]}"),
        MATRIX("{\"metric\":{},\"histograms\":[]}"),
        ONE("1"),
    };
    struct reading reading;
    read(&metric_source_prometheus, &question, 200,
         STEPS("[1795438680,\"0.5\"],[1795438740,\"-2\"],[1795438800,\"0.25\"]"), &reading);
    ck_assert_int_eq(reading.state, READING_NUMBER);
    ck_assert(reading.has_steps && reading.number == 0.25 && reading.lowest == -2 &&
              reading.highest == 0.5);
    read(&metric_source_prometheus, &question, 200,
         STEPS("[1795438680,\"NaN\"],[1795438740,\"1\"],[1795438800,\"1\"]"), &reading);
    ck_assert(reading.state == READING_NUMBER && isnan(reading.highest));
    read(&metric_source_prometheus, &question, 200, MATRIX(""), &reading);
    ck_assert_int_eq(reading.state, READING_NOTHING);
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        read(&metric_source_prometheus, &question, 200, faults[i], &reading);
        ck_assert_msg(reading.state == READING_FAULT && reading.problem[0], "%zu", i);
    }
}
END_TEST

START_TEST(what_prometheus_must_not_say)
{
    static const struct {
        unsigned status;
        const char *body, *words;
    } rows[] = {
        {200, "", "not JSON"},
        {200, "null", "no success"},
        {200, "[]", "no success"},
        {200, "{}", "no success"},
        {200, "{\"status\":\"success\"}", "no result"},
        {200, "{\"status\":\"success\",\"data\":{}}", "no result"},
        {200, "{\"status\":\"success\",\"data\":[]}", "no result"},
        {200, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":{}}}",
         "no result"},
        {200, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\"}}", "no result"},
        {200,
         "{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[1795438800,"
         "\"1\"]}}",
         "type 'string'"},
        {200, "{\"status\":\"success\",\"data\":{\"resultType\":7,\"result\":[]}}", "type ''"},
        {200, "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,2,3]}}",
         "no pair"},
        {200, "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\"}}", "no pair"},
        {200, VECTOR("{\"metric\":{},\"value\":[1795438800,1]}"), "no pair"},
        {200, VECTOR("{\"metric\":{},\"value\":[\"1795438800\",\"1\"]}"), "no pair"},
        {200, VECTOR("{\"metric\":{},\"value\":[1795438800]}"), "no pair"},
        {200, VECTOR("{\"metric\":{},\"value\":null}"), "no pair"},
        {200, VECTOR("7"), "histogram"},
        {200, VECTOR("{\"metric\":{},\"histogram\":[1795438800,{}]}"), "histogram"},
        {200, ONE(""), "no pair"},
        {200, ONE("0x10"), "no pair"},
        {200, ONE("1 "), "no pair"},
        {200, ONE("1e999"), "no pair"},
        {200, ONE("nan"), "no pair"},
        {200, VECTOR("{" VALUE("1") "},{" VALUE("2") "}"), "2 series"},
        {200, VECTOR("{\"metric\":{},\"value\":[1795438790,\"0\"]}"), "stale: it is of 10 s"},
        {200, VECTOR("{\"metric\":{},\"value\":[1795438810,\"0\"]}"), "10 s later: clocks differ"},
        {200,
         "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":"
         "{},\"values\":[[1795438000,\"0\"]]}]}}",
         "stale"},
        {200,
         "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":"
         "{},\"values\":[]}]}}",
         "no pair"},
        {200,
         "{\"status\":\"success\",\"warnings\":[\"store \\n away\"],\"data\":{\"resultType\":"
         "\"scalar\",\"result\":[1795438800,\"0\"]}}",
         "not whole: store ? away"},
        {200,
         "{\"status\":\"success\",\"warnings\":7,\"data\":{\"resultType\":\"scalar\","
         "\"result\":[1795438800,\"0\"]}}",
         "not whole"},
        {400, "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error\"}",
         "answered 400: parse error"},
        {200, "{\"status\":\"error\"}", "answered 200: "},
        {503, "Service Unavailable", "answered 503: Service Unavailable"},
        {500, ONE("0"), "answered 500, and no success"},
        {204, "", "answered 204"},
        {200, "{\"status\":\"success\",\"status\":\"success\"}", "not JSON"},
        {200, ONE("0") "x", "not JSON"},
        {200, "<html>", "not JSON"},
    };
    const struct question question = {.at = NOW};
    struct reading reading;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        read(&metric_source_prometheus, &question, rows[i].status, rows[i].body, &reading);
        ck_assert_msg(reading.state == READING_FAULT, "%zu passes: %s", i, rows[i].body);
        ck_assert_msg(strstr(reading.problem, rows[i].words), "%zu: '%s' is not in '%s'", i,
                      rows[i].words, reading.problem);
    }
}
END_TEST

START_TEST(an_answer_of_now_may_differ_by_a_minute)
{
    const struct question question = {.at = 0};
    struct reading reading;
    read(&metric_source_prometheus, &question, 200,
         VECTOR("{\"metric\":{},\"value\":[1795438741,\"5\"]}"), &reading);
    ck_assert_int_eq(reading.state, READING_NUMBER);
    read(&metric_source_prometheus, &question, 200,
         VECTOR("{\"metric\":{},\"value\":[1795438739,\"5\"]}"), &reading);
    ck_assert_int_eq(reading.state, READING_FAULT);
}
END_TEST

START_TEST(buckets_of_prometheus)
{
    struct question question = {.at = NOW, .by_bucket = true};
    struct reading reading;
    read(&metric_source_prometheus, &question, 200,
         VECTOR("{\"metric\":{\"bucket\":\"3\"}," VALUE(
             "5") "},{\"metric\":{\"bucket\":\"63\"}," VALUE("7") "}"),
         &reading);
    ck_assert_int_eq(reading.state, READING_BUCKETED);
    ck_assert(reading.buckets[3] == 5 && reading.buckets[63] == 7 && reading.buckets[0] == 0);
    ck_assert(reading.number == 12);
    static const char *const bad[] = {"64", "-1", "03", "", "x", "3"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char body[400];
        snprintf(body, sizeof body,
                 VECTOR("{\"metric\":{\"bucket\":\"3\"}," VALUE(
                     "5") "},"
                          "{\"metric\":{\"bucket\":\"%s\"}," VALUE("5") "}"),
                 bad[i]);
        read(&metric_source_prometheus, &question, 200, body, &reading);
        ck_assert_msg(reading.state == READING_FAULT, "bucket '%s'", bad[i]);
    }
    question.by_bucket = false;
    read(&metric_source_prometheus, &question, 200,
         VECTOR("{\"metric\":{\"bucket\":\"3\"}," VALUE(
             "5") "},{\"metric\":{\"bucket\":\"4\"}," VALUE("7") "}"),
         &reading);
    ck_assert_int_eq(reading.state, READING_FAULT);
}
END_TEST

START_TEST(any_json)
{
    static const struct {
        unsigned status;
        const char *body, *pointer;
        enum reading_state state;
        double number;
        const char *words;
    } rows[] = {
        {200, "7.5", "", READING_NUMBER, 7.5, ""},
        {200, "{\"a/b\":{\"m~n\":[1,2]}}", "/a~1b/m~0n/1", READING_NUMBER, 2, ""},
        {200, "{\"\":3}", "/", READING_NUMBER, 3, ""},
        {200, "{\"a\":null}", "/a", READING_NOTHING, 0, ""},
        {200, "{\"a\":1}", "/b", READING_FAULT, 0, "nothing at '/b'"},
        {200, "{\"a\":1}", "/a/b", READING_FAULT, 0, "nothing at"},
        {200, "[1,2]", "/2", READING_FAULT, 0, "nothing at"},
        {200, "[1,2]", "/01", READING_FAULT, 0, "nothing at"},
        {200, "[1,2]", "/-", READING_FAULT, 0, "nothing at"},
        {200, "{\"a\":\"1\"}", "/a", READING_FAULT, 0, "a string at '/a'"},
        {200, "{\"a\":true}", "/a", READING_FAULT, 0, "a boolean at '/a'"},
        {200, "{\"a\":{}}", "/a", READING_FAULT, 0, "a map at '/a'"},
        {200, "{\"a\":[]}", "/a", READING_FAULT, 0, "a list at '/a'"},
        {200, "{\"a\":NaN}", "/a", READING_FAULT, 0, "not JSON"},
        {200, "{\"a\":1e999}", "/a", READING_FAULT, 0, "not JSON"},
        {200, "", "", READING_FAULT, 0, "not JSON"},
        {201, "7", "", READING_FAULT, 0, "answered 201"},
        {500, "oh\x1b[2J", "", READING_FAULT, 0, "answered 500: oh?[2J"},
    };
    struct reading reading;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct question question = {.source = METRIC_HTTP,
                                          .expression = text_of(rows[i].pointer)};
        read(&metric_source_http, &question, rows[i].status, rows[i].body, &reading);
        ck_assert_msg(reading.state == rows[i].state, "%zu: %d %s", i, reading.state,
                      reading.problem);
        ck_assert_msg(strstr(reading.problem, rows[i].words), "%zu: %s", i, reading.problem);
        if (rows[i].state == READING_NUMBER)
            ck_assert_double_eq(reading.number, rows[i].number);
    }
}
END_TEST

UNIT_MAIN("metric_sources", templates_are_filled_in_and_escaped,
          names_that_nothing_fills_in_are_found, prometheus_is_asked_by_post, numbers_of_prometheus,
          the_steps_of_a_window, what_prometheus_must_not_say,
          an_answer_of_now_may_differ_by_a_minute, buckets_of_prometheus, any_json)
