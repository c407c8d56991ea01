/* steers.h - a controller's core without its threads, for tests: a remote, a clone, a clock that
 * stands where a test puts it, and each push when the test says so. */
#ifndef WEIR_TESTS_STEERS_H
#define WEIR_TESTS_STEERS_H

#include "../../controller/core.h"
#include "../../controller/log.h"
#include "../../rules/evaluate.h"
#include "repositories.h"
#include "rollouts_unit.h"

static int64_t wall_seconds = RIG_NOW, monotonic_seconds = 1000;

SHARED int64_t steers_wall(void *self)
{
    (void)self;
    return wall_seconds * NANOSECONDS_PER_SECOND;
}

SHARED int64_t steers_monotonic(void *self)
{
    (void)self;
    return monotonic_seconds * NANOSECONDS_PER_SECOND;
}

static const struct clock *steers_clock(void)
{
    static struct clock clock;
    clock = (struct clock){steers_wall, steers_monotonic, system_clock.random, NULL};
    return &clock;
}

SHARED void pass(int64_t seconds)
{
    wall_seconds += seconds;
    monotonic_seconds += seconds;
}

struct steers {
    const char *folder; /* below root: the clone and the store */
    struct config config;
    struct telemetry *telemetry;
    struct hub hub;
    struct fleet *fleet;
    struct store *store;
    struct desk *desk;
    struct mirror *mirror;
    struct core *core;
    struct proposal *proposal; /* what core proposed last */
    unsigned proposals;
    char tip[COMMIT_TEXT_SIZE];
};

SHARED void steers_propose(void *context, struct proposal *proposal)
{
    struct steers *steers = context;
    proposal_free(steers->proposal);
    steers->proposal = proposal;
    steers->proposals += proposal != NULL;
}

SHARED void steers_wake(void *context)
{
    (void)context;
}

SHARED void steers_fetch(struct steers *steers)
{
    ck_assert_ok(mirror_fetch(steers->mirror, NULL, NULL, steers->tip, &failure));
}

/* What is measured, for every rollout: as a test puts it. */
static struct walk_gate steers_gate;
static bool steers_measures;
static bool (*steers_breaks)(const struct roster_rollout *item); /* one by one; or NULL */
static unsigned steers_blast_cap;                                /* 0: the default */

SHARED enum status steers_view(void *self, const struct roster_rollout *item, int64_t now,
                               struct arena *arena, struct metrics_view *out)
{
    (void)self;
    (void)arena;
    *out = (struct metrics_view){0};
    if (!steers_measures || !walk_phase(item->state))
        return STATUS_OK;
    out->gates[0] = steers_gate;
    if (steers_breaks && steers_breaks(item))
        out->gates[0].verdict = WALK_FAILURE;
    out->gates[0].finished = now;
    out->gates[0].covered = now - item->state->since;
    out->gate_count = 1;
    return STATUS_OK;
}

/* What people were told last, and how often they were. */
static struct {
    unsigned times;
    enum walk_kind kind;
    enum walk_cause cause; /* of what is waited for */
} steers_told;

SHARED void steers_tell(void *context, const struct roster_rollout *item,
                        const struct walk_decision *decision, struct text commit, struct text by,
                        struct text reason, struct text evidence)
{
    (void)context, (void)item, (void)commit, (void)by, (void)reason, (void)evidence;
    steers_told.times++;
    steers_told.kind = decision->kind;
    if (decision->reason_count)
        steers_told.cause = decision->reasons[decision->reason_count - 1].cause;
}

/* Since when all targets have what the first rollout's state says, as measuring was told last. */
static int64_t steers_exposed_since;
static size_t steers_watched; /* how many are measured: rollouts, and flags under bake */
static size_t steers_phase;   /* in which it is measured, if in any */

SHARED void steers_watch(void *self, struct roster *roster, const int64_t *exposed)
{
    (void)self;
    steers_watched = roster->count;
    if (roster->count) {
        steers_exposed_since = exposed[0];
        steers_phase = roster->items[0].state->phase;
    }
}

SHARED void steers_measure(enum walk_verdict verdict, const char *evidence)
{
    steers_measures = true;
    steers_gate = (struct walk_gate){.metric = TEXT("errors"),
                                     .role = METRIC_GUARDRAIL,
                                     .verdict = verdict,
                                     .fresh = true,
                                     .enough_sample = true,
                                     .evidence = text_of(evidence)};
}

SHARED void steers_open(struct steers *steers, const char *folder)
{
    char path[128];
    *steers = (struct steers){.folder = folder};
    config_init(&steers->config);
    shell("mkdir -p %s", folder);
    snprintf(path, sizeof path, "%s/%s", root, folder);
    ck_assert_ok(config_set_path(&steers->config.data, path, &failure));
    ck_assert_ok(config_set_path(&steers->config.repo, below(root, "remote.git"), &failure));
    ck_assert_ok(config_finish(&steers->config, &failure));
    ck_assert_ok(store_open(path, &steers->store, &failure));
    snprintf(path, sizeof path, "%s/%s/clone.git", root, folder);
    ck_assert_ok(mirror_open(path, below(root, "remote.git"), &steers->mirror, &failure));
    steers->telemetry = telemetry_new();
    ck_assert_ptr_nonnull(steers->telemetry);
    ck_assert_int_eq(hub_init(&steers->hub), STATUS_OK);
    const struct fleet_parts fleet = {
        .reach = &steers->config.reach, .clock = &system_clock, .telemetry = steers->telemetry};
    steers->fleet = fleet_new(&fleet);
    ck_assert_ptr_nonnull(steers->fleet);
    ck_assert_ok(desk_new(steers_clock(), steers_wake, NULL, &steers->desk, &failure));
    const struct core_parts parts = {
        .config = &steers->config,
        .clock = steers_clock(),
        .telemetry = steers->telemetry,
        .hub = &steers->hub,
        .fleet = steers->fleet,
        .steering = {.store = steers->store,
                     .desk = steers->desk,
                     .measures = {.view = steers_view, .watch = steers_watch},
                     .blast_cap = steers_blast_cap,
                     .propose = steers_propose,
                     .tell = steers_tell,
                     .wake = steers_wake,
                     .context = steers}};
    ck_assert_ok(core_new(&parts, steers->mirror, &steers->core, &failure));
}

SHARED void steers_close(struct steers *steers)
{
    proposal_free(steers->proposal);
    core_free(steers->core);
    desk_free(steers->desk);
    store_close(steers->store);
    fleet_free(steers->fleet, 20 * NANOSECONDS_PER_SECOND);
    hub_dispose(&steers->hub);
    telemetry_free(steers->telemetry);
    mirror_close(steers->mirror);
    config_dispose(&steers->config);
}

static const struct record_key *steers_key; /* NULL: what is recorded is not signed */

/* As the git thread does: what is proposed is pushed, and what came of it is told. */
SHARED enum recorder_outcome steers_record(struct steers *steers)
{
    struct proposal *proposal = steers->proposal;
    const struct recorder recorder = {
        .clock = steers_clock(),
        .author = {.name = "weir of tests", .mail = "weir@example.com"},
        .key = steers_key};
    char commit[COMMIT_TEXT_SIZE] = "";
    struct error error = {0};
    ck_assert_ptr_nonnull(proposal);
    steers->proposal = NULL;
    enum recorder_outcome outcome =
        recorder_record(&recorder, steers->mirror, proposal, commit, &error);
    proposal_free(proposal);
    if (outcome == RECORDER_ACCEPTED)
        memcpy(steers->tip, commit, sizeof commit);
    steering_note_outcome(core_steering(steers->core), outcome, commit, error.message);
    return outcome;
}

SHARED void steers_take(struct steers *steers)
{
    ck_assert_ok(core_take(steers->core, steers->tip, &failure));
}

/* Until nothing is proposed any more; returns how often something was recorded. */
SHARED unsigned steers_settle(struct steers *steers)
{
    unsigned recorded = 0;
    for (unsigned i = 0; i < 50; i++) {
        core_turn(steers->core);
        if (!steers->proposal) {
            pass(61); /* nothing more is to come, nor waits for its next try */
            core_turn(steers->core);
            if (!steers->proposal)
                return recorded;
        }
        if (steers_record(steers) == RECORDER_ACCEPTED)
            recorded++;
        else
            steers_fetch(steers);
        steers_take(steers);
        pass(1);
    }
    ck_abort_msg("it does not come to rest");
}

/* What is served: to staff and to how many of 1 000 others. */
SHARED unsigned steers_exposed(struct steers *steers, bool *staff)
{
    struct snapshot *snapshot = hub_acquire(&steers->hub);
    struct context context;
    struct decision decision;
    unsigned count = 0;
    ck_assert_ptr_nonnull(snapshot);
    const struct snapshot_environment *environment =
        snapshot_environment(snapshot, TEXT("production"));
    ck_assert_ptr_nonnull(environment);
    const struct document *document = environment->document;
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    for (unsigned i = 0; i <= 1000; i++) {
        char text[100];
        if (i == 1000)
            snprintf(text, sizeof text,
                     "{\"targetingKey\":\"s\",\"email\":\"a@example.com\",\"country\":\"FR\"}");
        else
            snprintf(text, sizeof text, "{\"targetingKey\":\"user-%u\",\"country\":\"FR\"}", i);
        ck_assert_ok(context_read(&context, document->attributes, text_of(text), &failure));
        evaluate(document_find(document, TEXT("shop")), &context, wall_seconds, &decision);
        if (i == 1000)
            *staff = text_is(decision.variant, "on");
        else
            count += text_is(decision.variant, "on");
    }
    context_dispose(&context);
    snapshot_release(snapshot);
    return count;
}

SHARED void steers_ask(struct steers *steers, enum walk_verb_kind verb, const char *by,
                       struct desk_request *request)
{
    *request =
        (struct desk_request){.environment = "production", .rollout = "shop-release", .verb = verb};
    snprintf(request->by, sizeof request->by, "%s", by);
    ck_assert_ok(desk_submit(steers->desk, request, &failure));
}

SHARED struct desk_request steers_answer(struct steers *steers, const struct desk_request *request)
{
    struct desk_request answer;
    ck_assert_int_eq(desk_ask(steers->desk, request->id, &answer), STATUS_OK);
    return answer;
}

#endif
