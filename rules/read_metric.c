/* A Metric, from YAML to its struct. */
#include <math.h>

#include "codes.h"
#include "metric_template.h"
#include "read.h"

#define INTERVAL 60        /* seconds; Argo Rollouts has none, Flagger 60 */
#define BREAKER_INTERVAL 5 /* seconds */
#define WINDOW 1800
#define CONSECUTIVE_ERRORS 4 /* Argo Rollouts' default */
#define ALPHA 0.05

static enum metric_role role_of(struct text text)
{
    if (text_is(text, "breaker"))
        return METRIC_BREAKER;
    if (text_is(text, "signal"))
        return METRIC_SIGNAL;
    return text_is(text, "info") ? METRIC_INFO : METRIC_GUARDRAIL;
}

static enum no_data no_data_of(const struct node *node, enum metric_role role)
{
    if (!node || node->type != NODE_STRING)
        return role == METRIC_BREAKER ? NO_DATA_FAIL : NO_DATA_HOLD;
    if (text_is(node->string, "fail"))
        return NO_DATA_FAIL;
    return text_is(node->string, "pass") ? NO_DATA_PASS : NO_DATA_HOLD;
}

static enum metric_type type_of(struct text text)
{
    return text_is(text, "mean") ? METRIC_MEAN : METRIC_PROPORTION;
}

static bool read_source(struct reading *reading, const struct node *spec, struct metric *metric)
{
    const struct node *map = node_get(spec, "prometheus");
    struct name address = {0}, secret = {0};
    metric->source = map ? METRIC_PROMETHEUS : METRIC_HTTP;
    if (!map)
        map = node_get(spec, "http");
    if (!read_optional_name(reading, map, metric->source == METRIC_HTTP ? "url" : "address",
                            &address) ||
        !read_optional_name(reading, node_get(spec, "credentials"), "secret", &secret))
        return false;
    metric->address = address.text;
    metric->address_place = address.place;
    metric->secret = secret.text;
    metric->secret_place = secret.place;
    metric->has_counts = node_get(map, "numerator") != NULL;
    if (!read_period(map, "step", &metric->step) ||
        !read_optional_text(reading, node_get(spec, "credentials"), "user", &metric->user))
        return false;
    return read_optional_text(reading, map, "query", &metric->query) &&
           read_optional_text(reading, map, "numerator", &metric->numerator) &&
           read_optional_text(reading, map, "denominator", &metric->denominator);
}

static bool read_compare(const struct node *map, struct metric *metric)
{
    struct text method = node_get_string(map, "method");
    metric->alpha = ALPHA;
    if (!map)
        return true;
    metric->compare = text_is(method, "sequential") ? METRIC_SEQUENTIAL
                      : text_is(method, "ratio")    ? METRIC_RATIO
                                                    : METRIC_DIFFERENCE;
    metric->higher_is_better = text_is(node_get_string(map, "better"), "higher");
    return read_number(map, "margin", &metric->margin) && read_number(map, "alpha", &metric->alpha);
}

static bool read_burn_rate(const struct node *map, struct metric *metric)
{
    const struct node *windows = node_get(map, "windows");
    if (!map)
        return true;
    if (!read_number(map, "objective", &metric->objective) || windows->type != NODE_LIST)
        return false;
    for (const struct node *item = windows->first; item && metric->burn_count < BURN_WINDOWS_MAX;
         item = item->next) {
        struct metric_burn_window *window = &metric->burn[metric->burn_count++];
        if (!read_period(item, "long", &window->longer) ||
            !read_period(item, "short", &window->shorter) ||
            !read_number(item, "rate", &window->rate))
            return false;
    }
    return true;
}

static bool read_judge(const struct node *spec, struct metric *metric)
{
    const struct node *range = node_get(spec, "thresholdRange");
    metric->has_minimum = node_get(range, "min") != NULL;
    metric->has_maximum = node_get(range, "max") != NULL;
    return read_number(range, "min", &metric->minimum) &&
           read_number(range, "max", &metric->maximum) &&
           read_compare(node_get(spec, "compare"), metric) &&
           read_burn_rate(node_get(spec, "burnRate"), metric);
}

static bool read_limits(const struct node *spec, struct metric *metric)
{
    double failure = 0, inconclusive = 0, errors = CONSECUTIVE_ERRORS, count = 0, sample = 0;
    struct metric_limit_settings *limits = &metric->limits;
    limits->interval = metric->role == METRIC_BREAKER ? BREAKER_INTERVAL : INTERVAL;
    limits->window = WINDOW;
    if (!read_number(spec, "failureLimit", &failure) ||
        !read_number(spec, "inconclusiveLimit", &inconclusive) ||
        !read_number(spec, "consecutiveErrorLimit", &errors) ||
        !read_number(spec, "count", &count) || !read_number(spec, "minimumSample", &sample))
        return false;
    limits->failure = (int32_t)failure;
    limits->inconclusive = (int32_t)inconclusive;
    limits->consecutive_error = (int32_t)errors;
    limits->count = (uint32_t)count;
    metric->minimum_sample = (uint64_t)sample;
    return read_period(spec, "interval", &limits->interval) &&
           read_period(spec, "initialDelay", &limits->initial_delay) &&
           read_period(spec, "window", &limits->window);
}

static void refuse(struct reading *reading, const struct metric *metric, const char *hint,
                   const char *what)
{
    diagnostics_add(reading->diagnostics, CODE_METRIC, metric->name.place, hint,
                    "metric \"%.64s\" %s", metric->name.text.data, what);
}

static void check_templates(struct reading *reading, const struct metric *metric)
{
    const struct text templates[] = {metric->query, metric->numerator, metric->denominator,
                                     metric->source == METRIC_HTTP ? metric->address : TEXT("")};
    struct text name;
    for (size_t i = 0; i < COUNT_OF(templates); i++) {
        if (!metric_template_unknown(templates[i], &name))
            continue;
        diagnostics_add(reading->diagnostics, CODE_METRIC, metric->name.place,
                        "there are flag, variant, control, environment, phase and window",
                        "metric \"%.64s\" asks for {{%.*s}}, which nothing fills in",
                        metric->name.text.data, name.length < 40 ? (int)name.length : 40,
                        name.data);
        return;
    }
}

/* Whether both counts are of {{window}}, and not of a window of their own. */
static bool has_window(const struct metric *metric)
{
    return (metric->source == METRIC_HTTP && metric_template_names(metric->address, WORD_WINDOW)) ||
           (metric_template_names(metric->numerator, WORD_WINDOW) &&
            metric_template_names(metric->denominator, WORD_WINDOW));
}

/* A mean is a sum over a count, and neither one number nor a part of an error budget. */
static void check_type(struct reading *reading, const struct metric *metric)
{
    if (metric->type != METRIC_MEAN)
        return;
    if (!metric->has_counts)
        refuse(reading, metric,
               "give numerator (the sum) and denominator (of how many), or leave type away: a "
               "query is compared as it is",
               "is a mean, and has no sum");
    else if (metric->burn_count)
        refuse(reading, metric, "give a thresholdRange, or compare",
               "is a mean, which burns no error budget: that counts events");
}

/* What the schema cannot say. */
static void check_metric(struct reading *reading, const struct metric *metric)
{
    if (metric->has_minimum && metric->has_maximum && metric->minimum > metric->maximum)
        refuse(reading, metric, "min is at most max", "has an empty thresholdRange");
    if (metric->limits.interval < 1 || metric->limits.window < 1)
        refuse(reading, metric, "interval and window are at least 1s",
               "has an interval or window of 0s");
    if (!metric->has_counts && (metric->compare == METRIC_SEQUENTIAL || metric->burn_count))
        refuse(reading, metric, "give numerator and denominator",
               "needs counts, which one number does not give");
    else if ((metric->compare == METRIC_SEQUENTIAL || metric->burn_count) && !has_window(metric))
        refuse(reading, metric, "count in [{{window}}]: weir says how long it is at each look",
               "counts in a window of its own, so that looks would overlap");
    if (!metric->has_counts && metric->minimum_sample)
        refuse(reading, metric, "give numerator and denominator",
               "has a minimumSample, which needs counts");
    check_type(reading, metric);
    check_templates(reading, metric);
    if (metric->step && (metric->compare != METRIC_ABSOLUTE || metric->burn_count ||
                         (!metric->has_minimum && !metric->has_maximum)))
        refuse(reading, metric, "give a thresholdRange, or ask once",
               "has a step, and no limit that the worst of its points could pass");
    if (metric->step && metric->limits.window / metric->step > METRIC_STEPS_MAX)
        refuse(reading, metric, "make the step longer, or the window shorter",
               "has more than 1000 steps in its window");
    for (size_t i = 0; i < metric->burn_count; i++) {
        if (metric->burn[i].shorter < 1 || metric->burn[i].shorter >= metric->burn[i].longer)
            refuse(reading, metric, "long is often twelve times short",
                   "has a burn window that is not shorter than its long one");
    }
}

bool read_metric(struct reading *reading, const struct node *root, struct metric *metric)
{
    const struct node *spec = node_get(root, "spec");
    metric->role = role_of(node_get_string(spec, "role"));
    metric->type = type_of(node_get_string(spec, "type"));
    metric->on_no_data = no_data_of(node_get(spec, "onNoData"), metric->role);
    if (!read_source(reading, spec, metric) || !read_judge(spec, metric))
        return false;
    if (!read_limits(spec, metric)) {
        diagnostics_add(reading->diagnostics, CODE_SCHEMA_RANGE, metric->name.place, NULL,
                        "metric \"%.64s\" has a period of more than ten years",
                        metric->name.text.data);
        return true;
    }
    check_metric(reading, metric);
    return true;
}
