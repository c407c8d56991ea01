/* A RolloutState, from YAML to its struct. */
#include "codes.h"
#include "read.h"
#include "rollout_state.h"

static bool read_hex(struct text text, uint8_t *out, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    if (!text_starts_with(text, TEXT("sha256:")) || text.length != 7 + 2 * count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *high = memchr(digits, text.data[7 + 2 * i], 16),
                   *low = memchr(digits, text.data[8 + 2 * i], 16);
        if (!high || !low)
            return false;
        out[i] = (uint8_t)((high - digits) * 16 + (low - digits));
    }
    return true;
}

static bool read_count(const struct node *map, const char *field, uint32_t *out)
{
    double number = *out;
    bool good = read_number(map, field, &number);
    *out = (uint32_t)number;
    return good;
}

static enum rollout_course course_of(struct text text)
{
    for (int i = COURSE_PENDING; i < COURSE_KILLED; i++) {
        if (text_is(text, rollout_course_name((enum rollout_course)i)))
            return (enum rollout_course)i;
    }
    return COURSE_KILLED; /* the safest, of those that the schema lets through */
}

static bool read_holds(struct reading *reading, const struct node *list,
                       struct rollout_state *state)
{
    if (!list)
        return true;
    state->holds = ARENA_ARRAY(reading->arena, struct hold, list->count);
    if (list->type != NODE_LIST || !state->holds)
        return false;
    for (const struct node *item = list->first; item; item = item->next) {
        struct hold *hold = &state->holds[state->hold_count++];
        if (!hold_reason_parse(node_get_string(item, "reason"), &hold->reason) ||
            !read_optional_text(reading, item, "by", &hold->by) ||
            !read_instant(reading, item, "since", &hold->since) ||
            !read_instant(reading, item, "until", &hold->until) ||
            !read_optional_text(reading, item, "note", &hold->note))
            return false;
    }
    return true;
}

static bool read_approvals(struct reading *reading, const struct node *list,
                           struct rollout_state *state)
{
    if (!list)
        return true;
    state->approvals = ARENA_ARRAY(reading->arena, struct approval, list->count);
    if (list->type != NODE_LIST || !state->approvals)
        return false;
    for (const struct node *item = list->first; item; item = item->next) {
        struct approval *approval = &state->approvals[state->approval_count++];
        if (!read_optional_text(reading, item, "by", &approval->by) ||
            !read_instant(reading, item, "at", &approval->at) ||
            !read_count(item, "run", &approval->run) || !read_count(item, "seq", &approval->seq) ||
            !read_optional_text(reading, item, "plan", &approval->plan))
            return false;
    }
    return true;
}

static bool read_ramp(struct reading *reading, const struct node *map, struct ramp_window *ramp)
{
    return !map || (read_period(map, "done", &ramp->done) &&
                    read_instant(reading, map, "from", &ramp->from) &&
                    read_period(map, "length", &ramp->length));
}

/* state/ENVIRONMENT/ROLLOUT.yaml, of just these. */
static bool read_place(struct reading *reading, struct rollout_state *state)
{
    struct buffer *path = &reading->scratch;
    buffer_clear(path);
    buffer_append_text(path, state->environment);
    buffer_append_char(path, '/');
    buffer_append_text(path, state->rollout);
    if (path->failed || !arena_copy(reading->arena, buffer_text(path), &state->name.text))
        return false;
    buffer_clear(path);
    buffer_printf(path, "state/%s.yaml", state->name.text.data);
    if (!path->failed && !text_equal(buffer_text(path), reading->path))
        diagnostics_add(reading->diagnostics, CODE_STATE_PATH, state->name.place,
                        "weir alone writes states; take this file away",
                        "the state of \"%.130s\" belongs into state/%.130s.yaml",
                        state->name.text.data, state->name.text.data);
    return !path->failed;
}

static void read_phase_of(struct reading *reading, const struct node *spec,
                          struct rollout_state *state)
{
    const struct node *node = node_get(spec, "phase");
    state->phase = 0;
    if (!node || node->type != NODE_STRING)
        return;
    while (state->phase < state->plan.count &&
           !text_equal(state->plan.items[state->phase].name, node->string))
        state->phase++;
    if (state->phase == state->plan.count)
        diagnostics_add(reading->diagnostics, CODE_SCHEMA_VALUE, reading_place(reading, node),
                        "weir alone writes states", "the plan has no phase \"%.64s\"",
                        node->string.data);
}

bool read_rollout_state(struct reading *reading, const struct node *root,
                        struct rollout_state *state)
{
    const struct node *spec = node_get(root, "spec");
    char checksum[PLAN_DIGEST_SIZE];
    state->rollout = state->name.text;
    state->course = course_of(node_get_string(spec, "course"));
    if (!read_optional_text(reading, spec, "environment", &state->environment) ||
        !read_place(reading, state) ||
        !read_hex(node_get_string(spec, "identity"), state->identity, IDENTITY_SIZE) ||
        !read_count(spec, "run", &state->run) || !read_count(spec, "seq", &state->seq) ||
        !read_instant(reading, spec, "since", &state->since) ||
        !read_period(spec, "bake", &state->bake) || !read_period(spec, "spent", &state->spent) ||
        !read_instant(reading, spec, "counting", &state->counting) ||
        !read_count(spec, "rollbacks", &state->rollbacks) ||
        !read_ramp(reading, node_get(spec, "ramp"), &state->ramp) ||
        !read_holds(reading, node_get(spec, "holds"), state) ||
        !read_approvals(reading, node_get(spec, "approvals"), state) ||
        !read_texts(reading, node_get(spec, "intents"), &state->intents, &state->intent_count) ||
        !read_phases(reading, node_get(spec, "plan"), &state->plan))
        return false;
    read_phase_of(reading, spec, state);
    if (rollout_state_checksum(state, checksum) != STATUS_OK)
        return false;
    state->is_foreign = !text_is(node_get_string(spec, "checksum"), checksum);
    return true;
}
