/* Prometheus' HTTP API, and what speaks it too (Thanos, Mimir, VictoriaMetrics): instant and range
 * queries by POST, since an expression may be longer than a URL.
 * https://prometheus.io/docs/prometheus/latest/querying/api/ */
#include <math.h>
#include <stdlib.h>

#include "../../rules/json.h"
#include "../../rules/metric_template.h"
#include "source.h"

#define NODES_MAXIMUM 20000 /* of an answer */
#define DEPTH_MAXIMUM 16

static enum status prometheus_request(const struct question *question, struct buffer *url,
                                      struct buffer *body, struct error *error)
{
    struct text address = question->address;
    if (address.length == 0)
        return error_set(error, STATUS_INVALID, "the metric has no address");
    while (address.length && address.data[address.length - 1] == '/')
        address.length--;
    buffer_append_text(url, address);
    buffer_append_string(url, question->step ? "/api/v1/query_range" : "/api/v1/query");
    buffer_append_string(body, "query=");
    metric_escape(question->expression, ESCAPE_URL, body);
    if (question->step)
        buffer_printf(body, "&start=%lld&end=%lld&step=%lld", (long long)question->from,
                      (long long)question->at, (long long)question->step);
    else if (question->at > 0)
        buffer_printf(body, "&time=%lld", (long long)question->at);
    /* So that it does not go on after nobody listens any more. */
    buffer_printf(body, "&timeout=%ds", SOURCE_PATIENCE);
    return STATUS_OK;
}

/* --- values ---------------------------------------------------------------------------------- */

/* [seconds, "text"] */
struct point {
    double time, value;
};

static bool parse_value(struct text text, double *out)
{
    if (number_parse(text, out))
        return true;
    if (text_is(text, "NaN"))
        *out = NAN;
    else if (text_is(text, "+Inf") || text_is(text, "Inf"))
        *out = INFINITY;
    else if (text_is(text, "-Inf"))
        *out = -INFINITY;
    else
        return false;
    return true;
}

static bool parse_point(const struct node *node, struct point *out)
{
    if (!node || node->type != NODE_LIST || node->count != 2 || node->first->type != NODE_NUMBER ||
        node->first->next->type != NODE_STRING)
        return false;
    out->time = node->first->number;
    return parse_value(node->first->next->string, &out->value);
}

/* An answer of another time says nothing of this one. */
static bool is_timely(const struct question *question, struct point point, int64_t now,
                      struct reading *out)
{
    double slack = question->at > 0 ? 1 : SOURCE_CLOCK_SLACK;
    double away = (double)(question->at > 0 ? question->at : now) - point.time;
    if (fabs(away) <= slack)
        return true;
    if (away > 0)
        reading_fail(out, "the answer is stale: it is of %.0f s before", away);
    else
        reading_fail(out, "the answer is of %.0f s later: clocks differ", -away);
    return false;
}

static void take_number(const struct question *question, const struct node *node, int64_t now,
                        struct reading *out)
{
    struct point point;
    if (!parse_point(node, &point)) {
        reading_fail(out, "the answer's value is no pair of a time and a number in quotes");
        return;
    }
    if (!is_timely(question, point, now, out))
        return;
    *out = (struct reading){.state = READING_NUMBER, .number = point.value};
}

/* --- series ---------------------------------------------------------------------------------- */

/* Each with a label `bucket`, none twice. */
static void take_buckets(const struct question *question, const struct node *series, int64_t now,
                         struct reading *out)
{
    uint64_t seen = 0;
    *out = (struct reading){.state = READING_BUCKETED};
    for (const struct node *item = series->first; item; item = item->next) {
        struct text name = node_get_string(node_get(item, "metric"), "bucket");
        struct point point;
        if (!parse_point(node_get(item, "value"), &point)) {
            reading_fail(out, "a series of the answer has no value that is a number in quotes");
            return;
        }
        if (!is_timely(question, point, now, out))
            return;
        if (reading_put_bucket(out, name, point.value, &seen))
            continue;
        reading_fail(out, "the label bucket of %u series is not each once one of 0 to %d",
                     series->count, EVIDENCE_MOST_BUCKETS - 1);
        return;
    }
}

static bool has_buckets(const struct node *series)
{
    return series->first && node_get(node_get(series->first, "metric"), "bucket");
}

static void take_vector(const struct question *question, const struct node *series, int64_t now,
                        struct reading *out)
{
    if (series->count == 0) {
        *out = (struct reading){.state = READING_NOTHING};
    } else if (question->by_bucket && has_buckets(series)) {
        take_buckets(question, series, now, out);
    } else if (series->count > 1) {
        reading_fail(out, "%u series where one is expected: add them up, like sum(…)",
                     series->count);
    } else if (!node_get(series->first, "value")) {
        reading_fail(out, "the series is no float: a histogram needs histogram_quantile() or the "
                          "like");
    } else {
        take_number(question, node_get(series->first, "value"), now, out);
    }
}

/* A selector of a range: the newest of its points, as Prometheus takes them. */
static void take_matrix(const struct question *question, const struct node *series, int64_t now,
                        struct reading *out)
{
    if (series->count == 0) {
        *out = (struct reading){.state = READING_NOTHING};
        return;
    }
    const struct node *points = node_get(series->first, "values"), *newest = NULL;
    if (series->count > 1) {
        reading_fail(out, "%u series where one is expected: add them up, like sum(…)",
                     series->count);
        return;
    }
    if (points && points->type == NODE_LIST) {
        for (const struct node *item = points->first; item; item = item->next)
            newest = item;
    }
    /* A scrape is older than the question: not the moment is asked, but the last of some minutes.
     */
    struct question recent = *question;
    recent.at = 0;
    take_number(&recent, newest, question->at > 0 ? question->at : now, out);
}

/* --- steps of a window ----------------------------------------------------------------------- */

/* NaN stays: a step of which nothing is known is no success. */
static void add_step(struct reading *out, double value)
{
    if (isnan(value) || isnan(out->lowest)) {
        out->lowest = out->highest = NAN;
        return;
    }
    out->lowest = value < out->lowest ? value : out->lowest;
    out->highest = value > out->highest ? value : out->highest;
}

/* Of one series, each point in its order; the newest is to be of the last two steps. */
static void take_steps(const struct question *question, const struct node *series,
                       struct reading *out)
{
    const struct node *points = series->count ? node_get(series->first, "values") : NULL;
    struct point point = {0};
    *out = (struct reading){.state = READING_NOTHING};
    if (series->count == 0)
        return;
    if (series->count > 1) {
        reading_fail(out, "%u series where one is expected: add them up, like sum(…)",
                     series->count);
        return;
    }
    *out = (struct reading){.has_steps = true, .lowest = INFINITY, .highest = -INFINITY};
    if (!points || points->type != NODE_LIST || points->count == 0) {
        reading_fail(out, "the series has no points that are numbers");
        return;
    }
    for (const struct node *item = points->first; item; item = item->next) {
        if (!parse_point(item, &point)) {
            reading_fail(out, "a point of the answer is no pair of a time and a number in quotes");
            return;
        }
        add_step(out, point.value);
    }
    out->state = READING_NUMBER;
    out->number = point.value;
    double away = (double)question->at - point.time;
    if (away > 2 * (double)question->step || away < -1)
        reading_fail(out, "the answer is stale: its newest step is of %.0f s before", away);
}

/* --- answers --------------------------------------------------------------------------------- */

static void take_data(const struct question *question, const struct node *data, int64_t now,
                      struct reading *out)
{
    struct text type = node_get_string(data, "resultType");
    const struct node *result = node_get(data, "result");
    if (question->step && result && result->type == NODE_LIST && text_is(type, "matrix"))
        take_steps(question, result, out);
    else if (question->step)
        reading_fail(out, "the answer to a range query is no matrix");
    else if (text_is(type, "scalar"))
        take_number(question, result, now, out);
    else if (!result || result->type != NODE_LIST)
        reading_fail(out, "the answer has no result");
    else if (text_is(type, "vector"))
        take_vector(question, result, now, out);
    else if (text_is(type, "matrix"))
        take_matrix(question, result, now, out);
    else
        reading_fail(out, "the answer is of type '%.*s', which is no number",
                     type.length < 20 ? (int)type.length : 20, type.length ? type.data : "");
}

/* What some of the stores behind a front end did not answer is not in the number. */
static bool fail_warned(const struct node *warnings, struct reading *out)
{
    struct text words = TEXT("there is a warning");
    if (!warnings || warnings->type == NODE_NULL ||
        (warnings->type == NODE_LIST && warnings->count == 0))
        return false;
    if (warnings->type == NODE_LIST && warnings->first->type == NODE_STRING)
        words = warnings->first->string;
    reading_fail(out, "the answer is not whole: %.*s", words.length < 120 ? (int)words.length : 120,
                 words.data);
    return true;
}

static void take_answer(const struct question *question, unsigned status, const struct node *root,
                        int64_t now, struct reading *out)
{
    struct text state = node_get_string(root, "status");
    struct text words = node_get_string(root, "error");
    int length = words.length < 120 ? (int)words.length : 120;
    if (text_is(state, "error"))
        reading_fail(out, "answered %u: %.*s", status, length, length ? words.data : "");
    else if (status != 200 || !text_is(state, "success"))
        reading_fail(out, "answered %u, and no success", status);
    else if (!fail_warned(node_get(root, "warnings"), out))
        take_data(question, node_get(root, "data"), now, out);
}

static void prometheus_read(const struct question *question, unsigned status, struct text body,
                            int64_t now, struct reading *out)
{
    const struct json_limits limits = {.bytes = SOURCE_ANSWER_MAXIMUM,
                                       .depth = DEPTH_MAXIMUM,
                                       .nodes = NODES_MAXIMUM,
                                       .unique_keys = true};
    const struct node *root;
    struct error error;
    struct arena arena;
    arena_init(&arena, (size_t)16 << 20);
    if (json_read(&arena, body, limits, &root, &error) == STATUS_OK)
        take_answer(question, status, root, now, out);
    else if (status != 200)
        reading_fail_status(out, status, body);
    else
        reading_fail(out, "the answer is not JSON: %.120s", error.message);
    arena_dispose(&arena);
}

const struct metric_driver metric_source_prometheus = {
    .name = "prometheus", .request = prometheus_request, .read = prometheus_read};
