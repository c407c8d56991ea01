/* How a probe lives from one commit to the next, and what it says. */
#include <math.h>
#include <nettle/sha2.h>

#include "../../rules/json.h"
#include "probe_private.h"

#define ROOM 16 /* measurements, at least */

/* --- what a metric says ---------------------------------------------------------------------- */

static void add_text(struct buffer *out, struct text text)
{
    buffer_append_u64(out, text.length);
    buffer_append_char(out, ':');
    buffer_append_text(out, text);
}

static void add_number(struct buffer *out, double number)
{
    buffer_printf(out, "%a;", number);
}

static void add_whole(struct buffer *out, int64_t number)
{
    buffer_printf(out, "%lld;", (long long)number);
}

void probe_digest(const struct metric *metric, uint8_t out[PROBE_DIGEST_SIZE])
{
    const struct metric_limit_settings *limits = &metric->limits;
    struct sha256_ctx context;
    struct buffer all;
    buffer_init(&all, (size_t)1 << 20);
    add_whole(&all, metric->role);
    add_whole(&all, metric->source);
    add_text(&all, metric->address);
    add_text(&all, metric->query);
    add_whole(&all, metric->step);
    add_text(&all, metric->numerator);
    add_text(&all, metric->denominator);
    add_whole(&all, metric->has_minimum + 2 * metric->has_maximum);
    add_number(&all, metric->minimum);
    add_number(&all, metric->maximum);
    add_whole(&all, metric->compare);
    add_number(&all, metric->margin);
    add_number(&all, metric->alpha);
    add_whole(&all, metric->higher_is_better);
    add_number(&all, metric->objective);
    for (size_t i = 0; i < metric->burn_count; i++) {
        add_whole(&all, metric->burn[i].longer);
        add_whole(&all, metric->burn[i].shorter);
        add_number(&all, metric->burn[i].rate);
    }
    add_whole(&all, limits->interval);
    add_whole(&all, limits->initial_delay);
    add_whole(&all, limits->window);
    add_whole(&all, limits->failure);
    add_whole(&all, limits->inconclusive);
    add_whole(&all, limits->consecutive_error);
    add_whole(&all, limits->count);
    buffer_append_u64(&all, metric->minimum_sample);
    add_whole(&all, metric->on_no_data);
    if (metric->type != METRIC_PROPORTION) /* as it was before there were types */
        add_whole(&all, metric->type);
    sha256_init(&context);
    sha256_update(&context, all.length, (const uint8_t *)all.data);
    sha256_digest(&context, PROBE_DIGEST_SIZE, out);
    if (all.failed) /* without memory it is like no other: evidence begins anew */
        memset(out, 0, PROBE_DIGEST_SIZE);
    buffer_dispose(&all);
}

static int32_t bounded(int32_t limit)
{
    return limit > METRIC_MOST_LIMIT ? METRIC_MOST_LIMIT : limit;
}

struct metric_limits probe_metric_limits(const struct metric *metric)
{
    const struct metric_limit_settings *limits = &metric->limits;
    enum no_data on_no_data = metric->on_no_data;
    /* Of a breaker: a failure when the control speaks, which probe_take() finds out. */
    if (metric->role == METRIC_BREAKER && on_no_data == NO_DATA_FAIL)
        on_no_data = NO_DATA_HOLD;
    return (struct metric_limits){
        .interval = limits->interval * NANOSECONDS_PER_SECOND,
        .window = limits->window * NANOSECONDS_PER_SECOND,
        .failure_limit = bounded(limits->failure),
        .inconclusive_limit =
            limits->inconclusive < 0 ? METRIC_MOST_LIMIT : bounded(limits->inconclusive),
        .consecutive_error_limit =
            limits->consecutive_error < 0 ? INT32_MAX : limits->consecutive_error,
        .count = limits->count < INT32_MAX ? (int32_t)limits->count : INT32_MAX,
        .on_no_data = on_no_data};
}

/* --- beginning ------------------------------------------------------------------------------- */

void probe_cover(struct probe *probe)
{
    int64_t from = walk_bake_from(probe->item->state);
    if (from != WALK_NEVER && probe->restarted > from)
        from = probe->restarted;
    from = from == WALK_NEVER ? INT64_MAX - 1 : clock_nanoseconds(from);
    if (probe->coverage.from != from || probe->coverage.until != INT64_MAX)
        coverage_begin(&probe->coverage, from, INT64_MAX);
}

/* Nothing has been measured of this phase, or of this metric. */
static bool begin_result(struct probe *probe)
{
    struct metric_limits limits = probe_metric_limits(probe->metric);
    size_t size = metric_result_least(&limits);
    size = size > ROOM ? size : ROOM;
    struct measurement *storage = calloc(size, sizeof *storage);
    struct error error;
    if (!storage ||
        metric_result_init(&probe->result, &limits, storage, size, &error) != STATUS_OK) {
        free(storage);
        return false;
    }
    free(probe->storage);
    probe->storage = storage;
    probe->silence = (struct silence){0};
    probe->silent = probe->enough = false;
    probe->last = (struct judgement){.verdict = VERDICT_NO_DATA, .value = NAN};
    snprintf(probe->last.reason, sizeof probe->last.reason, "not measured yet");
    probe->last_window = 0;
    probe->said = WALK_NO_DATA;
    return true;
}

void probe_begin_phase(struct probe *probe)
{
    probe->begins = probe->begins_ratio = true;
}

static void forget_evidence(struct probe *probe)
{
    free(probe->evidence);
    free(probe->shares);
    probe->evidence = probe->shares = NULL;
    probe_begin_phase(probe);
}

static void stand(struct probe *probe, const struct roster_rollout *item,
                  const struct metric *metric)
{
    probe->item = item;
    probe->metric = metric;
    probe->run = item->state->run;
    probe->phase = item->state->phase;
    probe->since = item->state->since;
}

struct probe *probe_new(const struct roster_rollout *item, const struct metric *metric,
                        const struct probe_settings *settings, int64_t exposed, int64_t now)
{
    struct probe *probe = calloc(1, sizeof *probe);
    if (!probe)
        return NULL;
    stand(probe, item, metric);
    probe->settings = *settings;
    probe->exposed = exposed;
    probe->said_since = probe->seen = now / NANOSECONDS_PER_SECOND;
    probe_digest(metric, probe->digest);
    forget_evidence(probe);
    if (!begin_result(probe)) {
        probe_free(probe);
        return NULL;
    }
    probe_cover(probe);
    return probe;
}

void probe_free(struct probe *probe)
{
    if (!probe)
        return;
    free(probe->evidence);
    free(probe->shares);
    free(probe->storage);
    free(probe);
}

bool probe_continue(struct probe *probe, const struct roster_rollout *item,
                    const struct metric *metric, const struct probe_settings *settings,
                    int64_t exposed, int64_t now)
{
    const struct rollout_state *state = item->state;
    uint8_t digest[PROBE_DIGEST_SIZE];
    probe_digest(metric, digest);
    bool is_changed = memcmp(digest, probe->digest, sizeof digest) != 0;
    bool is_same_phase =
        state->run == probe->run && state->phase == probe->phase && state->since == probe->since;
    bool goes_on = state->run == probe->run && state->phase > probe->phase;
    stand(probe, item, metric);
    probe->settings = *settings;
    /* A target that falls behind later does not undo what has been exposed. */
    if (!is_same_phase || exposed < probe->exposed)
        probe->exposed = exposed;
    memcpy(probe->digest, digest, sizeof digest);
    if (is_changed || (!is_same_phase && !goes_on))
        forget_evidence(probe);
    else if (!is_same_phase)
        probe_begin_phase(probe);
    if (!is_same_phase) {
        probe->restarted = 0;
        probe->seen = now / NANOSECONDS_PER_SECOND;
    }
    if (is_changed)
        probe->restarted = now / NANOSECONDS_PER_SECOND;
    if ((is_changed || !is_same_phase) && !begin_result(probe))
        return false;
    if (is_changed || !is_same_phase)
        probe->said_since = now / NANOSECONDS_PER_SECOND;
    probe_cover(probe);
    return true;
}

static void set_back(struct evidence *evidence, int64_t now)
{
    if (evidence && evidence->until > now + PROBE_CLOCK_SLACK)
        evidence_set_back(evidence, now);
}

static void set_back_coverage(struct coverage *coverage, int64_t now)
{
    if (coverage->from > now || coverage->reached <= now + PROBE_CLOCK_SLACK)
        return;
    coverage->reached = now;
    if (coverage->covered > now - coverage->from)
        coverage->covered = now - coverage->from;
}

void probe_see(struct probe *probe, int64_t now)
{
    int64_t seconds = now / NANOSECONDS_PER_SECOND;
    if (probe->seen > seconds)
        probe->seen = seconds;
    if (probe->exposed != INT64_MAX && probe->exposed > seconds)
        probe->exposed = seconds;
    if (probe->restarted > seconds)
        probe->restarted = seconds;
    if (probe->silence.since > now)
        probe->silence.since = now;
    set_back(probe->evidence, now);
    set_back(probe->shares, now);
    set_back_coverage(&probe->coverage, now);
}

/* --- what it says ---------------------------------------------------------------------------- */

enum walk_verdict probe_walk_verdict(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_SUCCESS:
        return WALK_SUCCESS;
    case VERDICT_FAILURE:
        return WALK_FAILURE;
    case VERDICT_INCONCLUSIVE:
        return WALK_INCONCLUSIVE;
    case VERDICT_ERROR:
        return WALK_ERROR;
    case VERDICT_NO_DATA:
        break;
    }
    return WALK_NO_DATA;
}

static int64_t last_time(const struct probe *probe)
{
    return probe->result.length ? probe->result.measurements[probe->result.length - 1].time : 0;
}

/* The newest measurement is never of the future: a clock that was set back makes it old at once. */
static int64_t reading_time(const struct probe *probe, int64_t now)
{
    int64_t last = last_time(probe);
    return now > last ? now : last;
}

enum status probe_gate(const struct probe *probe, int64_t now, struct arena *arena,
                       struct walk_gate *out)
{
    char words[PROBE_EVIDENCE_SIZE];
    int64_t at = reading_time(probe, now);
    probe_words(probe, words);
    *out = (struct walk_gate){
        .metric = probe->metric->name.text,
        .role = probe->metric->role,
        .verdict = probe_walk_verdict(metric_result_gate(&probe->result, at)),
        .silent = probe->silent,
        /* measured long after `now`: the clock was set back, and nobody knows how old it is;
         * within the same second, as instants of the machine are whole ones, it is new */
        .fresh = at - now <= NANOSECONDS_PER_SECOND && metric_result_fresh(&probe->result, at),
        .enough_sample = probe->enough,
        .finished = last_time(probe) / NANOSECONDS_PER_SECOND,
        .restarted = probe->restarted,
        .covered = probe->coverage.covered / NANOSECONDS_PER_SECOND};
    return arena_copy(arena, text_of(words), &out->evidence) ? STATUS_OK : STATUS_NO_MEMORY;
}

bool probe_ratio_mismatch(const struct probe *probe, struct judgement *out)
{
    if (!probe->shares || probe->shares->phases == 0 || !evidence_shown(probe->shares, SIDE_ABOVE))
        return false;
    judge_shares(probe->shares, out);
    return true;
}

static void append_words(char out[PROBE_EVIDENCE_SIZE], const char *words)
{
    size_t length = strlen(out);
    snprintf(out + length, PROBE_EVIDENCE_SIZE - length, "%s", words);
}

void probe_words(const struct probe *probe, char out[PROBE_EVIDENCE_SIZE])
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    char window[40];
    size_t unit = 0;
    snprintf(out, PROBE_EVIDENCE_SIZE, "%s", probe->last.reason);
    enum probe_way way = probe_way(probe->metric);
    bool is_judged = isfinite(probe->last.value);
    if (is_judged && (way == PROBE_NUMBER || way == PROBE_COUNTS || way == PROBE_COMPARE))
        append_words(out, ", raw");
    if (probe->last_window <= 0)
        return;
    while (probe->last_window % units[unit].seconds)
        unit++;
    snprintf(window, sizeof window, ", window %lld%c",
             (long long)(probe->last_window / units[unit].seconds), units[unit].unit);
    append_words(out, window);
}

/* --- for people ------------------------------------------------------------------------------ */

static const char *role_name(enum metric_role role)
{
    static const char *const role_names[] = {[METRIC_BREAKER] = "breaker",
                                             [METRIC_GUARDRAIL] = "guardrail",
                                             [METRIC_SIGNAL] = "signal",
                                             [METRIC_INFO] = "info"};
    return (size_t)role < COUNT_OF(role_names) ? role_names[role] : "info";
}

static void write_time(struct buffer *out, const char *key, int64_t seconds)
{
    char text[TIME_TEXT_SIZE];
    time_format(seconds, text);
    buffer_printf(out, ",\"%s\":\"%s\"", key, text);
}

void probe_write_status(const struct probe *probe, int64_t now, struct buffer *out)
{
    char words[PROBE_EVIDENCE_SIZE];
    int64_t at = reading_time(probe, now);
    enum walk_verdict verdict = probe_walk_verdict(metric_result_gate(&probe->result, at));
    enum probe_way way = probe_way(probe->metric);
    probe_words(probe, words);
    buffer_append_string(out, "{\"metric\":");
    json_write_string(out, probe->metric->name.text);
    buffer_printf(out, ",\"role\":\"%s\",\"source\":\"%s\",\"verdict\":\"%s\",\"phase\":\"%s\"",
                  role_name(probe->metric->role), metric_driver(probe->metric->source)->name,
                  walk_verdict_name(probe->silent ? WALK_FAILURE : verdict),
                  metric_phase_name(metric_result_phase(&probe->result, at)));
    buffer_append_string(out, ",\"last\":");
    json_write_string(out, text_of(verdict_name(probe->last.verdict)));
    buffer_append_string(out, ",\"value\":");
    if (isfinite(probe->last.value))
        json_write_number(out, probe->last.value);
    else
        buffer_append_string(out, "null");
    buffer_append_string(out, ",\"evidence\":");
    json_write_string(out, text_of(words));
    write_time(out, "since", probe->said_since);
    if (last_time(probe))
        write_time(out, "measured", last_time(probe) / NANOSECONDS_PER_SECOND);
    if (probe->restarted)
        write_time(out, "restarted", probe->restarted);
    buffer_printf(out,
                  ",\"raw\":%s,\"silent\":%s,\"fresh\":%s,\"enoughSample\":%s,\"covered\":%lld}",
                  way == PROBE_RATE || way == PROBE_SEQUENTIAL ? "false" : "true",
                  probe->silent ? "true" : "false",
                  metric_result_fresh(&probe->result, at) ? "true" : "false",
                  probe->enough ? "true" : "false",
                  (long long)(probe->coverage.covered / NANOSECONDS_PER_SECOND));
}
