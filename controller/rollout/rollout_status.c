#include "rollout_status.h"

#include "../../rules/definitions.h"
#include "../../rules/json.h"

bool rollout_filter_passes(const struct rollout_filter *filter, struct text environment)
{
    if (filter->environment.data && !text_equal(filter->environment, environment))
        return false;
    return !filter->covers || filter->covers(filter->who, environment);
}

/* --- members: a name as it stands in the JSON, with its comma ------------------------------------
 */

static void write_text(struct buffer *out, const char *name, struct text value)
{
    buffer_append_string(out, name);
    if (value.length)
        json_write_string(out, value);
    else
        buffer_append_string(out, "null");
}

static void write_name(struct buffer *out, const char *name, const char *value)
{
    write_text(out, name, text_of(value));
}

/* `none`: the value that means that there is no such instant. */
static void write_instant(struct buffer *out, const char *name, int64_t instant, int64_t none)
{
    char text[INSTANT_TEXT_SIZE];
    instant_format(instant, text);
    write_text(out, name, instant == none ? TEXT("") : text_of(text));
}

static void write_percent(struct buffer *out, const char *name, uint32_t share)
{
    buffer_append_string(out, name);
    json_write_number(out, share / (SPLIT_TOTAL / 100.0));
}

/* --- where it stands ------------------------------------------------------------------------- */

/* What it walks through: as resolved at its start, else as it would be now; NULL: nobody knows. */
static const struct phases *plan_of(const struct rollout_entry *entry)
{
    const struct rollout_state *state = entry->item->state;
    return state->plan.count ? &state->plan : entry->item->phases;
}

/* The phase that it is in, or was in when it was rolled back or killed; NULL before its start. */
static const struct phase *phase_of(const struct rollout_entry *entry)
{
    const struct rollout_state *state = entry->item->state;
    return state->course != COURSE_PENDING && state->phase < state->plan.count
               ? &state->plan.items[state->phase]
               : NULL;
}

/* Everybody's share at the end of that phase: phases with an audience add nobody else. */
static uint32_t configured(const struct rollout_entry *entry)
{
    const struct rollout_state *state = entry->item->state;
    uint32_t share = 0;
    if (!phase_of(entry))
        return 0;
    for (size_t i = 0; i <= state->phase; i++) {
        const struct phase *phase = &state->plan.items[i];
        if (!phase->audience.length && phase->share > share)
            share = phase->share;
    }
    return share;
}

/* Whether the override puts everybody on control, be it as a step back from the first phase. */
static bool takes_everybody_back(const struct rollout_entry *entry)
{
    const struct override *override = entry->override;
    const struct rollout_state *state = entry->item->state;
    return override->action != VERB_STEP_BACK ||
           (override->run == state->run && override->seq == state->seq && phase_of(entry) &&
            state->phase == 0);
}

/* Everybody's share as users have it, which while an override is open is not what Git says. */
static uint32_t share_now(const struct rollout_entry *entry)
{
    if (entry->override && takes_everybody_back(entry))
        return 0;
    return rollout_share_at(entry->override && entry->stands ? entry->stands : entry->item->state,
                            entry->now);
}

static void write_place(struct buffer *out, const struct rollout_entry *entry)
{
    const struct rollout_state *state = entry->item->state;
    const struct phases *plan = plan_of(entry);
    const struct phase *phase = phase_of(entry);
    size_t count = plan && plan->items ? plan->count : 0;
    write_name(out, ",\"status\":", rollout_status_name(rollout_state_status(state)));
    write_text(out, ",\"phase\":", phase ? phase->name : TEXT(""));
    buffer_append_string(out, ",\"phases\":[");
    for (size_t i = 0; i < count; i++)
        write_text(out, i ? "," : "", plan->items[i].name);
    buffer_append_char(out, ']');
    if (phase && phase->audience.length) {
        write_text(out, ",\"audience\":{\"segment\":", phase->audience);
        write_percent(out, ",\"percent\":", phase->share);
        buffer_append_char(out, '}');
    } else {
        buffer_append_string(out, ",\"audience\":null");
    }
    write_percent(out, ",\"configured\":", configured(entry));
    write_percent(out, ",\"now\":", share_now(entry));
    write_instant(out, ",\"since\":", phase ? state->since : WALK_NEVER, WALK_NEVER);
    buffer_printf(out, ",\"run\":%u,\"seq\":%u", state->run, state->seq);
}

static void write_holds(struct buffer *out, const struct rollout_state *state)
{
    buffer_append_string(out, ",\"holds\":[");
    for (size_t i = 0; i < state->hold_count; i++) {
        const struct hold *hold = &state->holds[i];
        write_name(out, i ? ",{\"reason\":" : "{\"reason\":", hold_reason_name(hold->reason));
        write_text(out, ",\"by\":", hold->by);
        write_instant(out, ",\"since\":", hold->since, 0);
        write_instant(out, ",\"until\":", hold->until, 0);
        write_text(out, ",\"note\":", hold->note);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
}

/* --- what is known, and what it waits for ---------------------------------------------------- */

static const char *role_name(enum metric_role role)
{
    switch (role) {
    case METRIC_BREAKER:
        return "breaker";
    case METRIC_GUARDRAIL:
        return "guardrail";
    case METRIC_SIGNAL:
        return "signal";
    case METRIC_INFO:
    default:
        return "info";
    }
}

static void write_gates(struct buffer *out, const struct metrics_view *measured)
{
    buffer_append_string(out, measured ? ",\"gates\":[" : ",\"gates\":null");
    for (size_t i = 0; measured && i < measured->gate_count; i++) {
        const struct walk_gate *gate = &measured->gates[i];
        enum walk_verdict verdict = gate->silent ? WALK_FAILURE : gate->verdict;
        write_text(out, i ? ",{\"metric\":" : "{\"metric\":", gate->metric);
        write_name(out, ",\"role\":", role_name(gate->role));
        write_name(out, ",\"verdict\":", walk_verdict_name(verdict));
        write_text(out, ",\"evidence\":",
                   gate->evidence.length ? gate->evidence
                   : gate->silent        ? TEXT("silent while control speaks")
                                         : TEXT(""));
        write_instant(out, ",\"finished\":", gate->finished, 0);
        buffer_append_char(out, '}');
    }
    if (measured)
        buffer_append_char(out, ']');
}

/* Without measurements nobody can say whether these are waited for. */
static bool is_measured(enum walk_cause cause)
{
    return cause == WAIT_METRIC || cause == WAIT_SAMPLE || cause == WAIT_FRESH ||
           cause == WAIT_TARGETS || cause == WAIT_BAKE;
}

static void write_waits(struct buffer *out, const struct rollout_entry *entry)
{
    const struct walk_decision *decision = entry->decision;
    int64_t next = decision->next, first = WALK_NEVER;
    bool some = false, all = true;
    buffer_append_string(out, ",\"waits\":[");
    for (size_t i = 0; i < decision->reason_count; i++) {
        const struct walk_reason *reason = &decision->reasons[i];
        if (!entry->measured && is_measured(reason->cause)) {
            all = false;
            continue;
        }
        first = reason->until < first ? reason->until : first;
        write_name(out, some ? ",{\"cause\":" : "{\"cause\":", walk_cause_name(reason->cause));
        write_text(out, ",\"words\":", reason->words);
        write_instant(out, ",\"until\":", reason->until, WALK_NEVER);
        buffer_append_char(out, '}');
        some = true;
    }
    buffer_append_char(out, ']');
    write_instant(out, ",\"next\":", all ? next : first, WALK_NEVER);
    write_name(out, ",\"due\":", decision->state ? walk_kind_name(decision->kind) : "");
}

/* --- what is served beside what Git says ----------------------------------------------------- */

/* `words` are few and ours, but for names. */
static void write_words(struct buffer *out, const char *name, const char *words, struct text phase)
{
    struct buffer both;
    buffer_init(&both, 0);
    buffer_append_string(&both, words);
    if (phase.length) {
        buffer_append_string(&both, ", phase ");
        buffer_append_text(&both, phase);
    }
    write_text(out, name, buffer_text(&both));
    if (both.failed)
        out->failed = both.failed;
    buffer_dispose(&both);
}

/* Where step backs lead that are open; of one alone it is known of the state on which it was
 * decided. NULL: it is not known. */
static const struct phase *stepped_to(const struct rollout_entry *entry, size_t *back)
{
    const struct rollout_state *state = entry->item->state, *stands = entry->stands;
    const struct override *override = entry->override;
    *back = 1;
    if (!phase_of(entry))
        return NULL;
    if (stands && walk_phase(stands) && stands->phase < state->phase) {
        *back = state->phase - stands->phase;
        return walk_phase(stands);
    }
    return override->run == state->run && override->seq == state->seq && state->phase > 0
               ? &state->plan.items[state->phase - 1]
               : NULL;
}

static void write_serving(struct buffer *out, const struct rollout_entry *entry)
{
    char words[64] = "one phase back of where it was decided";
    size_t back;
    const struct phase *phase = stepped_to(entry, &back);
    if (phase && back > 1)
        snprintf(words, sizeof words, "%zu phases back", back);
    else if (phase)
        snprintf(words, sizeof words, "one phase back");
    if (takes_everybody_back(entry))
        write_words(out, ",\"serving\":", "control for everybody", TEXT(""));
    else
        write_words(out, ",\"serving\":", words, phase ? phase->name : TEXT(""));
}

static void write_override(struct buffer *out, const struct rollout_entry *entry)
{
    const struct override *override = entry->override;
    const struct rollout_state *state = entry->item->state;
    const struct phase *phase = phase_of(entry);
    if (!override) {
        buffer_append_string(out, ",\"override\":null");
        return;
    }
    write_text(out, ",\"override\":{\"intent\":", override->intent);
    write_name(out, ",\"action\":", walk_verb_name(override->action));
    write_text(out, ",\"by\":", override->by);
    write_text(out, ",\"note\":", override->note);
    write_text(out, ",\"evidence\":", override->evidence);
    write_instant(out, ",\"since\":", override->since, 0);
    write_serving(out, entry);
    write_words(out, ",\"git\":", rollout_status_name(rollout_state_status(state)),
                phase ? phase->name : TEXT(""));
    buffer_append_char(out, '}');
}

/* --- all of it ------------------------------------------------------------------------------- */

void rollout_status_begin(struct buffer *out, const char *commit)
{
    buffer_append_string(out, "{\"apiVersion\":\"weir/v1\"");
    write_name(out, ",\"commit\":", commit ? commit : "");
    buffer_append_string(out, ",\"rollouts\":[");
}

void rollout_status_entry(struct buffer *out, const struct rollout_entry *entry)
{
    const struct rollout *rollout = entry->item->rollout;
    bool first = out->length && out->data[out->length - 1] == '[';
    write_text(out, first ? "{\"name\":" : ",{\"name\":", rollout->name.text);
    write_text(out, ",\"environment\":", rollout->environment.text);
    write_text(out, ",\"flag\":", rollout->flag.text);
    write_text(out, ",\"variant\":", rollout->variant.text);
    write_text(out, ",\"control\":", rollout->control.text);
    write_place(out, entry);
    write_holds(out, entry->item->state);
    buffer_printf(out, ",\"approvals\":{\"given\":%u,\"needed\":%u}", entry->approvals_given,
                  entry->approvals_needed);
    write_gates(out, entry->measured);
    write_waits(out, entry);
    write_override(out, entry);
    buffer_append_char(out, '}');
}

void rollout_status_flags(struct buffer *out)
{
    buffer_append_string(out, "],\"flags\":[");
}

/* "killed", "pinned" or "watched" */
static const char *flag_status(const struct rollout_flag *flag)
{
    bool is_killed = (flag->pin && flag->pin->is_killed) ||
                     (flag->override && flag->override->action == VERB_KILL);
    return is_killed ? "killed" : flag->pin ? "pinned" : "watched";
}

void rollout_status_flag(struct buffer *out, const struct rollout_flag *flag)
{
    const struct flag_pin *pin = flag->pin;
    const struct override *override = flag->override;
    bool first = out->length && out->data[out->length - 1] == '[';
    write_text(out, first ? "{\"flag\":" : ",{\"flag\":", flag->flag);
    write_text(out, ",\"environment\":", flag->environment);
    write_name(out, ",\"status\":", flag_status(flag));
    write_instant(out, ",\"since\":", pin ? pin->since : flag->since, 0);
    write_instant(out, ",\"until\":", flag->until, 0);
    write_text(out, ",\"asOf\":", pin ? pin->as_of : TEXT(""));
    write_text(out, ",\"by\":", pin ? pin->by : TEXT(""));
    write_text(out, ",\"reason\":", pin ? pin->reason : TEXT(""));
    buffer_printf(out, ",\"capped\":%s", flag->is_capped ? "true" : "false");
    write_gates(out, flag->measured);
    if (override) {
        write_text(out, ",\"override\":{\"intent\":", override->intent);
        write_name(out, ",\"action\":", walk_verb_name(override->action));
        write_text(out, ",\"by\":", override->by);
        write_text(out, ",\"note\":", override->note);
        write_text(out, ",\"evidence\":", override->evidence);
        write_instant(out, ",\"since\":", override->since, 0);
        buffer_append_string(out, "}}");
    } else {
        buffer_append_string(out, ",\"override\":null}");
    }
}

void rollout_status_end(struct buffer *out)
{
    buffer_append_string(out, "]}\n");
}
