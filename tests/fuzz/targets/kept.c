/* What the store holds of a metric: one line of evidence, or a whole probe whose first word, the
 * format and the digest of the metric, is one sign: "*" a rate, "+" a mean by bucket, "=" as it
 * stands. Refused, and nothing has changed; or sound, and sound it stays when measuring goes on;
 * what is written of it reads as the same. */
#include <math.h>
#include <stdlib.h>

#include "../../../controller/clock.h"
#include "../../../controller/metrics/probe.h"
#include "../../../rules/json.h"
#include "../fuzz.h"

#define SINCE (FUZZ_NOW - 3600)
#define NANO(seconds) ((seconds)*NANOSECONDS_PER_SECOND)

/* --- evidence -------------------------------------------------------------------------------- */

static bool judge(const struct evidence *evidence)
{
    struct judgement judgement;
    if (evidence->design.kind == EVIDENCE_RATE)
        judge_rate(evidence, 500, &judgement);
    else if (evidence->design.kind == EVIDENCE_SHARES)
        judge_shares(evidence, &judgement);
    else
        judge_sequential(evidence, &judgement);
    fuzz_check_utf8(text_of(judgement.reason), "reason");
    FUZZ_CHECK(judgement.reason[0], "a verdict without a reason");
    return judgement.verdict == VERDICT_FAILURE;
}

static void check_same(const struct evidence *evidence)
{
    struct evidence again;
    struct error error = {0};
    struct buffer once, twice;
    buffer_init(&once, EVIDENCE_MOST_TEXT);
    buffer_init(&twice, EVIDENCE_MOST_TEXT);
    evidence_write(evidence, &once);
    FUZZ_CHECK(once.failed == STATUS_OK, "it does not fit");
    FUZZ_CHECK(evidence_read(buffer_text(&once), &again, &error) == STATUS_OK,
               "what was written cannot be read, %s: %.*s", error.message,
               FUZZ_TEXT(buffer_text(&once)));
    evidence_write(&again, &twice);
    FUZZ_CHECK(text_equal(buffer_text(&once), buffer_text(&twice)), "%.*s is written again as %.*s",
               FUZZ_TEXT(buffer_text(&once)), FUZZ_TEXT(buffer_text(&twice)));
    buffer_dispose(&once);
    buffer_dispose(&twice);
}

/* Harm once shown stays shown, whatever comes. */
static void go_on(struct evidence *evidence)
{
    struct sample arms[ARM_COUNT][EVIDENCE_MOST_BUCKETS];
    struct error error = {0};
    bool had_failed = judge(evidence);
    bool by_bucket = evidence->design.units == EVIDENCE_BUCKETS;
    size_t entries = !by_bucket ? 1 : evidence->buckets ? evidence->buckets : 20;
    for (size_t i = 0; i < EVIDENCE_MOST_BUCKETS; i++) {
        arms[ARM_VARIANT][i] = (struct sample){.n = 40, .sum = 20 + (double)(i % 3), .squares = 40};
        arms[ARM_CONTROL][i] = (struct sample){.n = 50, .sum = 20, .squares = 40};
    }
    for (int i = 0; i < 3; i++) {
        int64_t from = evidence->until;
        if (from > INT64_MAX - NANO(60))
            return;
        const struct evidence_look look = {.from = from,
                                           .until = from + NANO(60),
                                           .count = entries,
                                           .arm = {arms[ARM_VARIANT], arms[ARM_CONTROL]}};
        enum status status = i == 1 ? evidence_begin(evidence, from, 0.5, &error)
                                    : evidence_add(evidence, &look, &error);
        if (status != STATUS_OK)
            fuzz_check_error(status, &error);
        FUZZ_CHECK(evidence_is_sound(evidence), "not sound any more after look %d", i);
        FUZZ_CHECK(judge(evidence) || !had_failed, "harm that was shown is gone");
    }
    check_same(evidence);
}

static void try_evidence(struct text text)
{
    struct evidence *evidence = fuzz_allocate(sizeof *evidence);
    struct error error = {0};
    enum status status = evidence_read(text, evidence, &error);
    if (status != STATUS_OK) {
        fuzz_check_error(status, &error);
    } else {
        FUZZ_CHECK(evidence_is_sound(evidence), "what was read is not sound");
        check_same(evidence);
        go_on(evidence);
    }
    free(evidence);
}

/* --- a probe --------------------------------------------------------------------------------- */

static struct phase phases[] = {{.name = TEXT("ten"), .share = 10000, .bake = 86400},
                                {.name = TEXT("half"), .share = 50000}};
static struct rollout rollout = {.flag = {.text = TEXT("shop")},
                                 .environment = {.text = TEXT("production")},
                                 .variant = {.text = TEXT("on")},
                                 .control = {.text = TEXT("off")}};
static struct rollout_state state = {
    .run = 1, .seq = 1, .course = COURSE_RUNNING, .since = SINCE, .plan = {phases, 2}};
static struct roster_rollout item = {.rollout = &rollout, .state = &state};

static const struct metric metrics[] = {
    {.name = {.text = TEXT("errors")},
     .role = METRIC_GUARDRAIL,
     .has_counts = true,
     .numerator = TEXT("e{v=\"{{variant}}\"}[{{window}}]"),
     .denominator = TEXT("r{v=\"{{variant}}\"}[{{window}}]"),
     .has_maximum = true,
     .maximum = 0.01,
     .alpha = 0.05,
     .limits = {.interval = 60, .initial_delay = 30, .window = 1800, .consecutive_error = 4}},
    {.name = {.text = TEXT("latency")},
     .role = METRIC_BREAKER,
     .type = METRIC_MEAN,
     .has_counts = true,
     .numerator = TEXT("s{v=\"{{variant}}\"}[{{window}}]"),
     .denominator = TEXT("c{v=\"{{variant}}\"}[{{window}}]"),
     .compare = METRIC_SEQUENTIAL,
     .alpha = 0.05,
     .limits = {.interval = 5, .window = 1800, .failure = 2, .count = 3}},
};

static struct probe *new_probe(const struct metric *metric)
{
    const struct probe_settings settings = {.guardrails = 2};
    struct probe *probe = probe_new(&item, metric, &settings, SINCE, NANO(FUZZ_NOW));
    FUZZ_CHECK(probe, "no memory for a probe");
    return probe;
}

static void write_probe(const struct probe *probe, struct buffer *out)
{
    buffer_init(out, 0);
    probe_write(probe, out);
    FUZZ_CHECK(out->failed == STATUS_OK, "a probe cannot be written");
}

static void check_kept(const struct probe *probe, const struct metric *metric)
{
    struct probe *other = new_probe(metric);
    struct buffer once, twice;
    struct error error = {0};
    write_probe(probe, &once);
    FUZZ_CHECK(probe_read(other, buffer_text(&once), true, NANO(FUZZ_NOW), &error) == STATUS_OK,
               "what was written cannot be read, %s: %.*s", error.message,
               FUZZ_TEXT(buffer_text(&once)));
    write_probe(other, &twice);
    FUZZ_CHECK(text_equal(buffer_text(&once), buffer_text(&twice)), "%.*s is written again as %.*s",
               FUZZ_TEXT(buffer_text(&once)), FUZZ_TEXT(buffer_text(&twice)));
    buffer_dispose(&once);
    buffer_dispose(&twice);
    probe_free(other);
}

static void check_said(const struct probe *probe, int64_t now)
{
    struct arena arena;
    struct walk_gate gate;
    struct buffer out;
    const struct node *root;
    struct error error = {0};
    arena_init(&arena, 0);
    buffer_init(&out, 0);
    FUZZ_CHECK(probe_gate(probe, now, &arena, &gate) == STATUS_OK, "no gate");
    FUZZ_CHECK(gate.covered >= 0, "covered for %lld s", (long long)gate.covered);
    probe_write_status(probe, now, &out);
    FUZZ_CHECK(json_read(&arena, buffer_text(&out), JSON_LIMITS_DEFAULT, &root, &error) ==
                   STATUS_OK,
               "status is no JSON, %s: %.*s", error.message, FUZZ_TEXT(buffer_text(&out)));
    buffer_dispose(&out);
    arena_dispose(&arena);
}

/* Asks once, and answers `reading` to each question. */
static void measure(struct probe *probe, struct reading reading, int64_t now)
{
    struct probe_plan plan;
    struct reading readings[PROBE_QUESTIONS_MAX];
    struct question question;
    struct arena arena;
    probe_see(probe, now);
    probe_plan(probe, now, &plan);
    FUZZ_CHECK(plan.count <= PROBE_QUESTIONS_MAX && (plan.count > 0) != (plan.again > 0),
               "%zu questions, and again at %lld", plan.count, (long long)plan.again);
    arena_init(&arena, 0);
    for (size_t i = 0; i < plan.count; i++) {
        FUZZ_CHECK(probe_question(probe, &plan, i, &arena, &question) == STATUS_OK, "no question");
        readings[i] = reading;
    }
    if (plan.count > 0)
        (void)!probe_take(probe, &plan, readings, NULL, now);
    arena_dispose(&arena);
}

static void go_on_measuring(struct probe *probe)
{
    const struct measurement old = {NANO(FUZZ_NOW - 60), VERDICT_SUCCESS, 0.5};
    const struct reading readings[] = {{.state = READING_NUMBER, .number = 7},
                                       {.state = READING_NOTHING}};
    probe_recall(probe, &old, TEXT("0.5 <= 1"));
    check_said(probe, NANO(FUZZ_NOW));
    for (int64_t i = 0; i < 4; i++) {
        measure(probe, readings[i % 2], NANO(FUZZ_NOW + 100 * i));
        check_said(probe, NANO(FUZZ_NOW + 100 * i));
    }
}

static void try_probe(const struct metric *metric, struct text text)
{
    struct probe *probe = new_probe(metric);
    struct buffer before, after;
    struct error error = {0};
    write_probe(probe, &before);
    enum status status = probe_read(probe, text, true, NANO(FUZZ_NOW), &error);
    if (status == STATUS_OK) {
        check_kept(probe, metric);
        go_on_measuring(probe);
    } else {
        fuzz_check_error(status, &error);
        write_probe(probe, &after);
        FUZZ_CHECK(status == STATUS_NOT_FOUND ||
                       text_equal(buffer_text(&before), buffer_text(&after)),
                   "refused, and yet another probe");
        buffer_dispose(&after);
        go_on_measuring(probe);
    }
    buffer_dispose(&before);
    probe_free(probe);
}

/* "*" becomes the format and the digest, which no input could guess. */
static void spell(const struct metric *metric, struct text rest, struct buffer *out)
{
    uint8_t digest[PROBE_DIGEST_SIZE];
    buffer_init(out, 0);
    probe_digest(metric, digest);
    buffer_printf(out, "probe %d ", PROBE_TEXT_VERSION);
    buffer_append_hex(out, digest, sizeof digest);
    buffer_append_text(out, rest);
    FUZZ_CHECK(out->failed == STATUS_OK, "no memory");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = {(const char *)data, size};
    char sign = size ? text.data[0] : '\0';
    if (sign == 'w') {
        try_evidence(text);
    } else if (sign == '*' || sign == '+') {
        const struct metric *metric = &metrics[sign == '+'];
        struct buffer spelled;
        spell(metric, (struct text){text.data + 1, size - 1}, &spelled);
        try_probe(metric, buffer_text(&spelled));
        buffer_dispose(&spelled);
    } else {
        try_probe(&metrics[0], text);
    }
    return 0;
}
