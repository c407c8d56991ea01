/* PhasePlans, Metrics and Rollouts beside what they name; and what is likely a slip of the hand. */
#include "codes.h"
#include "link_private.h"
#include "metric_template.h"

/* --- names that must exist ------------------------------------------------------------------- */

static void check_named(struct linker *linker, enum kind kind, const char *code, const char *what,
                        const struct name *name)
{
    struct catalog_list list = catalog_list(linker->catalog, kind);
    if (catalog_index(list.items, list.count, name->text) < list.count ||
        link_may_exist(linker, kind, name->text))
        return;
    link_unknown(linker, code, what, name,
                 link_nearest_of(linker, kind, list.items, list.count, name->text));
}

static void check_metrics(struct linker *linker, const struct name *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_named(linker, KIND_METRIC, CODE_UNKNOWN_METRIC, "metric", &names[i]);
}

/* The share that is exposed of an audience before a phase. */
static uint32_t share_before(const struct phases *phases, size_t index)
{
    uint32_t share = 0;
    for (size_t i = 0; i < index; i++) {
        const struct phase *phase = &phases->items[i];
        bool counts = phase->audience.length == 0 ||
                      text_equal(phase->audience, phases->items[index].audience);
        if (counts && phase->share > share)
            share = phase->share;
    }
    return share;
}

static void check_phases(struct linker *linker, const struct phases *phases)
{
    for (size_t i = 0; i < phases->count; i++) {
        const struct phase *phase = &phases->items[i];
        const struct name audience = {phase->audience, phase->audience_place};
        if (phase->audience.length)
            link_check_segment(linker, &audience);
        check_metrics(linker, phase->metrics, phase->metric_count);
        if (phase->share <= share_before(phases, i))
            diagnostics_add(linker->diagnostics, CODE_PHASE_SHRINKS, phase->place,
                            "phases add up: give it a larger share, or another audience",
                            "phase \"%.64s\" exposes nobody who was not exposed before",
                            phase->name.data);
    }
}

static bool is_other_variant(const struct name *variant, struct text released)
{
    return variant->text.length && !text_equal(variant->text, released);
}

/* Rules come before a rollout: whom they match is never released by it. */
static void check_rules(struct linker *linker, const struct rollout *rollout,
                        const struct flag *flag)
{
    struct flag_settings settings = flag_settings_in(flag, rollout->environment.text);
    for (size_t i = 0; i < settings.rule_count; i++) {
        const struct rule *rule = &settings.rules[i];
        if (!is_other_variant(&rule->serve, rollout->variant.text) && !rule->split)
            continue;
        diagnostics_add(linker->diagnostics, CODE_RULE_HIDES, rollout->name.place, NULL,
                        "users of rule %s%.60s%s of flag \"%.64s\" are not released by rollout "
                        "\"%.64s\"",
                        rule->name.length ? "\"" : "", rule->name.length ? rule->name.data : "",
                        rule->name.length ? "\"" : "without a name", flag->name.text.data,
                        rollout->name.text.data);
    }
}

static void check_flag(struct linker *linker, const struct rollout *rollout)
{
    const struct flag *flag = catalog_flag(linker->catalog, rollout->flag.text);
    if (!flag) {
        check_named(linker, KIND_FLAG, CODE_UNKNOWN_FLAG, "flag", &rollout->flag);
        return;
    }
    link_check_variant(linker, flag, &rollout->variant);
    link_check_variant(linker, flag, &rollout->control);
    check_rules(linker, rollout, flag);
    if (!text_equal(rollout->variant.text, rollout->control.text))
        return;
    link_mark(linker);
    diagnostics_add(linker->diagnostics, CODE_SAME_VARIANT, rollout->control.place,
                    "control is what the others get", "variant and control are both \"%.64s\"",
                    rollout->control.text.data);
}

/* --- several rollouts of one flag ------------------------------------------------------------ */

static bool is_unfinished(const struct linker *linker, const struct rollout *rollout)
{
    const struct rollout_state *state = catalog_rollout_state(linker->catalog, rollout);
    return !state || rollout_state_is_unfinished(state);
}

/* Both are named, and both do not link. */
static void check_alone(struct linker *linker, const struct rollout *rollout)
{
    size_t count;
    struct rollout *const *others = catalog_releases(linker->catalog, rollout->flag.text, &count);
    if (count > RELEASES_MAX) {
        link_mark(linker);
        diagnostics_add(linker->diagnostics, CODE_TWO_ROLLOUTS, rollout->name.place,
                        "remove those that are long over",
                        "flag \"%.64s\" has more than %d rollouts", rollout->flag.text.data,
                        RELEASES_MAX);
        return;
    }
    if (count < 2 || !is_unfinished(linker, rollout))
        return;
    for (size_t i = 0; i < count; i++) {
        const struct rollout *other = others[i];
        if (other == rollout || !is_unfinished(linker, other) ||
            !text_equal(other->environment.text, rollout->environment.text))
            continue;
        link_mark(linker);
        if (text_compare(other->name.text, rollout->name.text) < 0)
            return; /* told with that one */
        struct diagnostic *made = diagnostics_add(
            linker->diagnostics, CODE_TWO_ROLLOUTS, rollout->name.place,
            "finish one before the other begins",
            "rollouts \"%.64s\" and \"%.64s\" of flag \"%.64s\" are both unfinished in \"%.64s\"",
            rollout->name.text.data, other->name.text.data, rollout->flag.text.data,
            rollout->environment.text.data);
        diagnostic_also(linker->diagnostics, made, other->name.place);
        return;
    }
}

/* --- what watches over it -------------------------------------------------------------------- */

static bool is_of_name(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == ':';
}

/* Whether a name of PromQL is `word`, or with `is_ending` ends in it. */
static bool names_word(struct text expression, struct text word, bool is_ending)
{
    for (size_t i = 0; i + word.length <= expression.length; i++) {
        size_t after = i + word.length;
        bool goes_on = after < expression.length && is_of_name(expression.data[after]);
        bool is_inside = i > 0 && is_of_name(expression.data[i - 1]);
        if (memcmp(expression.data + i, word.data, word.length) == 0 && !goes_on &&
            is_inside == is_ending)
            return true;
    }
    return false;
}

/* A sum of seconds judged as a count of events would be an error at best, and at worst a rate that
 * looks well. */
static void check_metric_type(struct linker *linker, const struct metric *metric)
{
    const struct text label = TEXT("bucket"), sum = TEXT("_sum"); /* of histograms and summaries */
    if (metric->source != METRIC_PROMETHEUS || !metric->has_counts)
        return;
    if (metric->type == METRIC_PROPORTION && names_word(metric->numerator, sum, true))
        diagnostics_add(linker->diagnostics, CODE_METRIC_TYPE, metric->name.place,
                        "a sum of values over their count is a mean: give type: mean",
                        "metric \"%.64s\" counts events by a series that ends in _sum",
                        metric->name.text.data);
    else if (metric->type == METRIC_MEAN && metric->compare == METRIC_SEQUENTIAL &&
             !names_word(metric->numerator, label, false) &&
             !names_word(metric->denominator, label, false))
        diagnostics_add(linker->diagnostics, CODE_METRIC_TYPE, metric->name.place,
                        "count by it in both parts: sum by (bucket) (…)",
                        "metric \"%.64s\" compares means without a label bucket: it can only hold",
                        metric->name.text.data);
}

static void check_metric(struct linker *linker, const struct metric *metric)
{
    struct text asked = metric->has_counts ? metric->numerator : metric->query;
    bool told_apart =
        metric_template_names(asked, WORD_VARIANT) ||
        (metric->source == METRIC_HTTP && metric_template_names(metric->address, WORD_VARIANT));
    if (metric->compare != METRIC_ABSOLUTE && !told_apart)
        diagnostics_add(linker->diagnostics, CODE_METRIC_TEMPLATE, metric->name.place,
                        "ask for {{variant}}: it is asked once for each arm",
                        "metric \"%.64s\" compares two arms, but asks the same of both",
                        metric->name.text.data);
    check_metric_type(linker, metric);
    /* A flake in a thousand measurements: over 12 weeks of minutes, 120 of them. */
    if (metric->limits.failure > 0 && metric->limits.window > 7 * INT64_C(86400))
        diagnostics_add(linker->diagnostics, CODE_METRIC_LIMIT, metric->name.place,
                        "let old failures be forgotten: a window of hours",
                        "metric \"%.64s\" adds up failures of more than a week",
                        metric->name.text.data);
}

static bool is_absolute_guardrail(const struct linker *linker, const struct name *name)
{
    const struct metric *metric = catalog_metric(linker->catalog, name->text);
    return !metric || ((metric->role == METRIC_GUARDRAIL || metric->role == METRIC_BREAKER) &&
                       metric->compare == METRIC_ABSOLUTE);
}

/* At 100 % there is no control to compare with. */
static void check_end(struct linker *linker, const struct rollout *rollout,
                      const struct phases *phases)
{
    const struct phase *last = phases->count ? &phases->items[phases->count - 1] : NULL;
    if (!last || last->audience.length || last->share != SPLIT_TOTAL)
        return;
    for (size_t i = 0; i < rollout->metric_count; i++) {
        if (is_absolute_guardrail(linker, &rollout->metrics[i]))
            return;
    }
    for (size_t i = 0; i < last->metric_count; i++) {
        if (is_absolute_guardrail(linker, &last->metrics[i]))
            return;
    }
    diagnostics_add(linker->diagnostics, CODE_NO_GUARDRAIL, rollout->name.place,
                    "give it a guardrail with a thresholdRange or burnRate",
                    "rollout \"%.64s\" ends at 100 %%, where there is no control to compare with, "
                    "and no metric judges by itself",
                    rollout->name.text.data);
}

/* By the day as the author writes it, whatever the zone: what is meant by an Easter is a day. */
static void check_start(struct linker *linker, const struct rollout *rollout)
{
    for (size_t i = 0; rollout->has_start && i < rollout->calendar.freeze_count; i++) {
        const struct calendar_freeze *freeze = &rollout->calendar.freezes[i];
        int64_t day = rollout->start_day;
        if (day < freeze->first || day > freeze->last)
            continue;
        diagnostics_add(linker->diagnostics, CODE_START_FROZEN, rollout->name.place,
                        "it starts on the first open moment after it",
                        "rollout \"%.64s\" starts in a freeze%s%.100s", rollout->name.text.data,
                        freeze->reason.length ? ": " : "",
                        freeze->reason.length ? freeze->reason.data : "");
        return;
    }
}

/* --- what watches a flag --------------------------------------------------------------------- */

static bool asks_for(const struct metric *metric, const char *word)
{
    const struct text templates[] = {metric->address, metric->query, metric->numerator,
                                     metric->denominator};
    for (size_t i = 0; i < COUNT_OF(templates); i++) {
        if (templates[i].length &&
            memmem(templates[i].data, templates[i].length, word, strlen(word)) != NULL)
            return true;
    }
    return false;
}

/* A flag by itself has neither phases nor arms. */
static void check_watching(struct linker *linker, const struct flag *flag, const struct name *name)
{
    const struct metric *metric = catalog_metric(linker->catalog, name->text);
    const char *lacks = NULL;
    if (!metric)
        return;
    if (metric->compare != METRIC_ABSOLUTE || asks_for(metric, "{{control}}"))
        lacks = "a control to compare with";
    else if (asks_for(metric, "{{variant}}"))
        lacks = "one {{variant}}";
    else if (asks_for(metric, "{{phase}}"))
        lacks = "a {{phase}}";
    if (lacks)
        diagnostics_add(linker->diagnostics, CODE_WATCH_METRIC, name->place,
                        "watch it by a metric that judges all of its users by themselves",
                        "metric \"%.64s\" needs %s, which flag \"%.64s\" by itself does not have",
                        name->text.data, lacks, flag->name.text.data);
}

static void check_watches(struct linker *linker)
{
    const struct catalog *catalog = linker->catalog;
    for (size_t i = 0; i < catalog->flag_count; i++) {
        const struct flag *flag = catalog->flags[i];
        link_look_at(linker, KIND_FLAG, i);
        check_metrics(linker, flag->watched, flag->watched_count);
        for (size_t j = 0; j < flag->watched_count; j++)
            check_watching(linker, flag, &flag->watched[j]);
    }
}

void link_rollouts(struct linker *linker)
{
    const struct catalog *catalog = linker->catalog;
    for (size_t i = 0; i < catalog->phase_plan_count; i++) {
        link_look_at(linker, KIND_PHASE_PLAN, i);
        check_phases(linker, &catalog->phase_plans[i]->phases);
    }
    for (size_t i = 0; i < catalog->metric_count; i++)
        check_metric(linker, catalog->metrics[i]);
    for (size_t i = 0; i < catalog->rollout_count; i++) {
        const struct rollout *rollout = catalog->rollouts[i];
        const struct phases *phases = catalog_phases(catalog, rollout);
        link_look_at(linker, KIND_ROLLOUT, i);
        check_flag(linker, rollout);
        link_check_environment(linker, &rollout->environment);
        if (!phases)
            check_named(linker, KIND_PHASE_PLAN, CODE_UNKNOWN_PHASE_PLAN, "phase plan",
                        &rollout->plan);
        check_phases(linker, &rollout->phases);
        check_metrics(linker, rollout->metrics, rollout->metric_count);
        check_alone(linker, rollout);
        check_start(linker, rollout);
        if (phases)
            check_end(linker, rollout, phases);
    }
    check_watches(linker);
}
