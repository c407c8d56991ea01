/* PhasePlan and Rollout, from YAML to their structs. */
#include "codes.h"
#include "read.h"

#define LATEST_YEAR_SECONDS INT64_C(4102444800) /* 2100: what is later is a slip of the hand */

bool read_names(struct reading *reading, const struct node *list, struct name **out, size_t *count)
{
    *count = 0;
    if (!list)
        return true;
    *out = ARENA_ARRAY(reading->arena, struct name, list->count);
    if (list->type != NODE_LIST || !*out)
        return false;
    for (const struct node *item = list->first; item; item = item->next) {
        if (!read_name(reading, item, &(*out)[(*count)++]))
            return false;
    }
    return true;
}

bool read_period(const struct node *map, const char *field, int64_t *out)
{
    const struct node *node = node_get(map, field);
    return !node || (node->type == NODE_STRING && period_parse(node->string, out));
}

bool read_number(const struct node *map, const char *field, double *out)
{
    const struct node *node = node_get(map, field);
    if (!node)
        return true;
    *out = node->type == NODE_NUMBER ? node->number : 0;
    return node->type == NODE_NUMBER;
}

bool read_instant(struct reading *reading, const struct node *map, const char *field, int64_t *out)
{
    const struct node *node = node_get(map, field);
    if (!node)
        return true;
    if (node->type != NODE_STRING)
        return false;
    if (!time_parse(node->string, out) || *out < 0 || *out > LATEST_YEAR_SECONDS)
        diagnostics_add(reading->diagnostics, CODE_SCHEMA_VALUE, reading_place(reading, node),
                        "write a moment between 1970 and 2100", "there is no time \"%.40s\"",
                        node->string.data);
    return true;
}

/* A period that the schema found well written, but that is longer than any. */
static void check_period(struct reading *reading, const struct node *map, const char *field)
{
    const struct node *node = node_get(map, field);
    int64_t ignored;
    if (node && node->type == NODE_STRING && !period_parse(node->string, &ignored))
        diagnostics_add(reading->diagnostics, CODE_SCHEMA_RANGE, reading_place(reading, node), NULL,
                        "\"%s\" is longer than ten years", node->string.data);
}

/* --- phases ---------------------------------------------------------------------------------- */

static bool read_ramp(struct reading *reading, const struct node *ramp, struct phase *phase)
{
    double to = 0;
    check_period(reading, ramp, "over");
    check_period(reading, ramp, "checkpoint");
    phase->over = 0;
    phase->checkpoint = CHECKPOINT_SECONDS;
    if (!read_number(ramp, "to", &to))
        return false;
    phase->share = read_weight(to);
    if (!read_period(ramp, "over", &phase->over) ||
        !read_period(ramp, "checkpoint", &phase->checkpoint))
        return reading->diagnostics->errors > 0;
    if (phase->over < 1 || phase->over > RAMP_MAX_SECONDS || phase->checkpoint < 1)
        diagnostics_add(reading->diagnostics, CODE_SCHEMA_RANGE, reading_place(reading, ramp),
                        "a ramp takes from 1s to 12w", "ramp takes no time, or more than 12w");
    return true;
}

static bool read_phase(struct reading *reading, const struct node *node, struct phase *phase)
{
    const struct node *name = node_get(node, "name"), *ramp = node_get(node, "ramp"),
                      *segment = node_get(node_get(node, "audience"), "segment");
    double percent = 100, approvals = 0;
    struct name read;
    if (!name || !read_name(reading, name, &read))
        return false;
    phase->name = read.text;
    phase->place = reading_place(reading, node);
    if (segment) {
        if (!read_name(reading, segment, &read))
            return false;
        phase->audience = read.text;
        phase->audience_place = read.place;
    }
    check_period(reading, node, "bake");
    check_period(reading, node, "deadline");
    if (!read_number(node, "percent", &percent) || !read_number(node, "approvals", &approvals) ||
        !read_names(reading, node_get(node, "metrics"), &phase->metrics, &phase->metric_count))
        return false;
    phase->approvals = (uint32_t)approvals;
    phase->share = read_weight(percent);
    if (ramp && !read_ramp(reading, ramp, phase))
        return false;
    return (read_period(node, "bake", &phase->bake) &&
            read_period(node, "deadline", &phase->deadline)) ||
           reading->diagnostics->errors > 0;
}

static void check_phase_name(struct reading *reading, const struct phases *phases)
{
    const struct phase *last = &phases->items[phases->count - 1];
    for (size_t i = 0; i + 1 < phases->count; i++) {
        if (!text_equal(phases->items[i].name, last->name))
            continue;
        struct diagnostic *made =
            diagnostics_add(reading->diagnostics, CODE_PHASE_NAME, last->place,
                            "rename one of them", "two phases are called \"%s\"", last->name.data);
        diagnostic_also(reading->diagnostics, made, phases->items[i].place);
        return;
    }
}

bool read_phases(struct reading *reading, const struct node *list, struct phases *out)
{
    if (!list)
        return true;
    out->items = ARENA_ARRAY(reading->arena, struct phase, list->count);
    if (list->type != NODE_LIST || !out->items)
        return false;
    for (const struct node *item = list->first; item; item = item->next) {
        if (!read_phase(reading, item, &out->items[out->count++]))
            return false;
        check_phase_name(reading, out);
    }
    return true;
}

bool read_phase_plan(struct reading *reading, const struct node *root, struct phase_plan *plan)
{
    return read_phases(reading, node_get(node_get(root, "spec"), "phases"), &plan->phases);
}

/* --- calendar -------------------------------------------------------------------------------- */

static bool read_windows(struct reading *reading, const struct node *list,
                         struct calendar_definition *calendar)
{
    if (!list)
        return true;
    calendar->windows = ARENA_ARRAY(reading->arena, struct calendar_window, list->count);
    if (list->type != NODE_LIST || !calendar->windows)
        return false;
    for (const struct node *item = list->first; item; item = item->next) {
        struct calendar_window *window = &calendar->windows[calendar->window_count++];
        const struct node *days = node_get(item, "days");
        uint8_t bit;
        if (!calendar_time_parse(node_get_string(item, "from"), &window->from) ||
            !calendar_time_parse(node_get_string(item, "to"), &window->to))
            return false;
        for (const struct node *day = days && days->type == NODE_LIST ? days->first : NULL; day;
             day = day->next) {
            if (day->type != NODE_STRING || !calendar_day_parse(day->string, &bit))
                return false;
            window->days |= bit;
        }
    }
    return true;
}

static bool read_date(struct reading *reading, const struct node *map, const char *field,
                      int64_t *out)
{
    int64_t seconds = 0;
    size_t errors = reading->diagnostics->errors;
    bool good = read_instant(reading, map, field, &seconds);
    *out = reading->diagnostics->errors == errors ? seconds / SECONDS_PER_DAY : 0;
    return good;
}

static bool read_freezes(struct reading *reading, const struct node *list,
                         struct calendar_definition *calendar)
{
    if (!list)
        return true;
    calendar->freezes = ARENA_ARRAY(reading->arena, struct calendar_freeze, list->count);
    if (list->type != NODE_LIST || !calendar->freezes)
        return false;
    for (const struct node *item = list->first; item; item = item->next) {
        struct calendar_freeze *freeze = &calendar->freezes[calendar->freeze_count++];
        if (!read_date(reading, item, "from", &freeze->first) ||
            !read_date(reading, item, "to", &freeze->last) ||
            !read_optional_text(reading, item, "reason", &freeze->reason))
            return false;
        if (freeze->last < freeze->first)
            diagnostics_add(reading->diagnostics, CODE_FREEZE, reading_place(reading, item),
                            "both days belong to the freeze", "freeze ends before it begins");
    }
    return true;
}

static bool read_calendar(struct reading *reading, const struct node *map,
                          struct calendar_definition *calendar)
{
    struct name zone = {0};
    if (!read_optional_name(reading, map, "timezone", &zone))
        return false;
    calendar->timezone = zone.text;
    calendar->timezone_place = zone.place;
    return read_windows(reading, node_get(map, "allow"), calendar) &&
           read_freezes(reading, node_get(map, "freeze"), calendar);
}

/* --- rollout --------------------------------------------------------------------------------- */

static enum on_breach on_breach_of(struct text text)
{
    static const char *const names[] = {[BREACH_ROLLBACK] = "rollback",
                                        [BREACH_STEP_BACK] = "stepBack",
                                        [BREACH_PAUSE] = "pause",
                                        [BREACH_KILL] = "kill"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (text_is(text, names[i]))
            return (enum on_breach)i;
    }
    return BREACH_ROLLBACK;
}

static bool read_required(struct reading *reading, const struct node *spec, const char *field,
                          struct name *out)
{
    const struct node *node = node_get(spec, field);
    return node && read_name(reading, node, out);
}

/* The day of a start as it is written. */
static int64_t written_day(const struct node *spec)
{
    struct text start = node_get_string(spec, "start");
    int64_t seconds;
    start.length = start.length > 10 ? 10 : start.length;
    return time_parse(start, &seconds) ? seconds / 86400 : 0;
}

bool read_rollout(struct reading *reading, const struct node *root, struct rollout *rollout)
{
    const struct node *spec = node_get(root, "spec");
    rollout->has_start = node_get(spec, "start") != NULL;
    rollout->start_day = written_day(spec);
    rollout->on_breach = on_breach_of(node_get_string(spec, "onBreach"));
    return read_required(reading, spec, "flag", &rollout->flag) &&
           read_required(reading, spec, "environment", &rollout->environment) &&
           read_required(reading, spec, "variant", &rollout->variant) &&
           read_required(reading, spec, "control", &rollout->control) &&
           read_optional_name(reading, spec, "plan", &rollout->plan) &&
           read_optional_text(reading, spec, "seed", &rollout->seed) &&
           read_bucket_by(reading, spec, &rollout->bucket_by) &&
           read_phases(reading, node_get(spec, "phases"), &rollout->phases) &&
           read_instant(reading, spec, "start", &rollout->start) &&
           read_calendar(reading, node_get(spec, "calendar"), &rollout->calendar) &&
           read_names(reading, node_get(spec, "metrics"), &rollout->metrics,
                      &rollout->metric_count);
}
