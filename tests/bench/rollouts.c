/* Many rollouts, in process: what a turn over all of them costs, and what a commit that moves one.
 *
 *     rollouts REMOTE FOLDER COUNT     a bare repository of COUNT rollouts that start by their date
 *                                      and name five metrics each; FOLDER is for the clone
 *
 * core runs without its threads, by a clock that stands where it is put. Five gates are answered
 * for each rollout at once, all good, so that a turn is what core makes of them; that measuring
 * itself is cheap is seen from outside (rollouts.py). The clone is a real one, the remote is on
 * this disk. */
#include "../../controller/core.h"
#include "../../controller/effective.h"
#include "../../controller/log.h"
#include "../../controller/targets/target.h"
#include "bench.h"

#define TURNS 50
#define ROSTERS 15
#define GATES 5

static int64_t wall, monotonic;

static int64_t read_wall(void *self)
{
    (void)self;
    return wall;
}

static int64_t read_monotonic(void *self)
{
    (void)self;
    return monotonic;
}

static void pass(int64_t seconds)
{
    wall += seconds * NANOSECONDS_PER_SECOND;
    monotonic += seconds * NANOSECONDS_PER_SECOND;
}

struct controller {
    struct clock clock;
    struct config config;
    struct telemetry *telemetry;
    struct hub hub;
    struct fleet *fleet;
    struct desk *desk;
    struct mirror *mirror;
    struct core *core;
    struct proposal *proposal;
    char tip[COMMIT_TEXT_SIZE];
};

static void must(enum status status, const char *what, const struct error *error)
{
    if (status != STATUS_OK)
        bench_fail("%s: %s", what, error->message);
}

/* --- core's surroundings --------------------------------------------------------------------- */

static void propose(void *context, struct proposal *proposal)
{
    struct controller *controller = context;
    proposal_free(controller->proposal);
    controller->proposal = proposal;
}

static void wake(void *context)
{
    (void)context;
}

/* As the metrics thread does: what is known is copied into the arena of the turn. */
static enum status view(void *self, const struct roster_rollout *item, int64_t now,
                        struct arena *arena, struct metrics_view *out)
{
    (void)self;
    out->gate_count = 0;
    out->ratio_mismatch = false;
    for (size_t i = 0; i < GATES && walk_phase(item->state); i++) {
        struct walk_gate *gate = &out->gates[out->gate_count++];
        *gate = (struct walk_gate){.role = METRIC_GUARDRAIL,
                                   .verdict = WALK_SUCCESS,
                                   .fresh = true,
                                   .enough_sample = true,
                                   .finished = now,
                                   .covered = now - item->state->since};
        char name[16];
        snprintf(name, sizeof name, "m%zu", i);
        if (!arena_copy(arena, text_of(name), &gate->metric) ||
            !arena_copy(arena, TEXT("0.004 <= 0.01, n=5120, window 30m"), &gate->evidence))
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

static void watch(void *self, struct roster *roster, const int64_t *exposed)
{
    (void)self, (void)roster, (void)exposed;
}

static void open_controller(struct controller *controller, const char *remote, const char *folder)
{
    struct error error;
    char path[4200];
    *controller =
        (struct controller){.clock = {read_wall, read_monotonic, system_clock.random, NULL}};
    config_init(&controller->config);
    must(config_set_path(&controller->config.data, folder, &error), folder, &error);
    must(config_set_path(&controller->config.repo, remote, &error), remote, &error);
    must(config_finish(&controller->config, &error), "the configuration", &error);
    snprintf(path, sizeof path, "%s/clone.git", folder);
    must(mirror_open(path, remote, &controller->mirror, &error), remote, &error);
    controller->telemetry = telemetry_new();
    const struct fleet_parts fleet = {.reach = &controller->config.reach,
                                      .clock = &system_clock,
                                      .telemetry = controller->telemetry};
    controller->fleet = fleet_new(&fleet);
    if (!controller->telemetry || !controller->fleet || hub_init(&controller->hub) != STATUS_OK)
        bench_fail("no memory");
    must(desk_new(&controller->clock, wake, NULL, &controller->desk, &error), "a desk", &error);
    const struct core_parts parts = {.config = &controller->config,
                                     .clock = &controller->clock,
                                     .telemetry = controller->telemetry,
                                     .hub = &controller->hub,
                                     .fleet = controller->fleet,
                                     .steering = {.desk = controller->desk,
                                                  .measures = {.view = view, .watch = watch},
                                                  .propose = propose,
                                                  .wake = wake,
                                                  .context = controller}};
    must(core_new(&parts, controller->mirror, &controller->core, &error), "core", &error);
}

static void close_controller(struct controller *controller)
{
    proposal_free(controller->proposal);
    core_free(controller->core);
    desk_free(controller->desk);
    fleet_free(controller->fleet, 20 * NANOSECONDS_PER_SECOND);
    hub_dispose(&controller->hub);
    telemetry_free(controller->telemetry);
    mirror_close(controller->mirror);
    config_dispose(&controller->config);
}

/* --- moves ----------------------------------------------------------------------------------- */

/* Commits what was proposed and pushes it, as the git thread does. */
static void record(struct controller *controller, size_t count)
{
    struct proposal *proposal = controller->proposal;
    const struct recorder recorder = {.clock = &controller->clock,
                                      .author = {.name = "weir", .mail = "weir@example.com"}};
    struct error error = {0};
    if (!proposal || proposal->count != count)
        bench_fail("%zu moves are proposed, not %zu", proposal ? proposal->count : 0, count);
    controller->proposal = NULL;
    enum recorder_outcome outcome =
        recorder_record(&recorder, controller->mirror, proposal, controller->tip, &error);
    proposal_free(proposal);
    if (outcome != RECORDER_ACCEPTED)
        bench_fail("%s: %s", recorder_outcome_name(outcome), error.message);
    steering_note_outcome(core_steering(controller->core), outcome, controller->tip, "");
}

static void take(struct controller *controller)
{
    struct error error;
    must(core_take(controller->core, controller->tip, &error), controller->tip, &error);
}

/* All rollouts start, as their date says: one move each, in proposals of as many as one may have.
 * What is reported is of all of them. */
static void start_all(struct controller *controller, size_t count)
{
    double decided = 0, recorded = 0, taken = 0;
    for (size_t done = 0; done < count; done += PROPOSAL_MOVES_MAX) {
        double begin = bench_now();
        core_turn(controller->core);
        double at = bench_now();
        decided += at - begin;
        record(controller,
               count - done < PROPOSAL_MOVES_MAX ? count - done : (size_t)PROPOSAL_MOVES_MAX);
        recorded += bench_now() - at;
        at = bench_now();
        take(controller);
        taken += bench_now() - at;
    }
    bench_report("rollouts.start.decide", decided / 1e6);
    bench_report("rollouts.start.record", recorded / 1e6);
    bench_report("rollouts.start.take", taken / 1e6);
}

static void time_turns(struct controller *controller, const char *name)
{
    double times[TURNS];
    core_turn(controller->core); /* the first after a commit tells targets and metrics */
    for (size_t i = 0; i < TURNS; i++) {
        pass(1);
        double begin = bench_now();
        core_turn(controller->core);
        times[i] = bench_now() - begin;
        if (controller->proposal)
            bench_fail("a turn was to change nothing, and proposes %zu moves",
                       controller->proposal->count);
    }
    bench_report(name, bench_median(times, TURNS) / 1e6);
}

/* One rollout is paused and resumed: from the verb to the proposal, to the commit in force. */
static void time_moves(struct controller *controller)
{
    double turns[ROSTERS], takes[ROSTERS];
    for (size_t i = 0; i < ROSTERS; i++) {
        struct desk_request request = {.environment = "production",
                                       .rollout = "r000007",
                                       .verb = i % 2 ? VERB_RESUME : VERB_PAUSE,
                                       .by = "ada"};
        struct error error;
        pass(1);
        must(desk_submit(controller->desk, &request, &error), "a verb", &error);
        double begin = bench_now();
        core_turn(controller->core);
        turns[i] = bench_now() - begin;
        record(controller, 1);
        begin = bench_now();
        take(controller);
        core_turn(controller->core);
        takes[i] = bench_now() - begin;
    }
    bench_report("rollouts.verb", bench_median(turns, ROSTERS) / 1e6);
    bench_report("rollouts.take", bench_median(takes, ROSTERS) / 1e6);
}

/* --- the roster alone ------------------------------------------------------------------------ */

/* Over the commits that time_moves() left behind, from the oldest on. */
static void time_rosters(struct controller *controller, const char *const *commits, size_t count)
{
    struct error error = {0};
    double times[ROSTERS] = {0}, same[ROSTERS] = {0};
    struct roster *roster = NULL;
    struct effective effective;
    struct schema_set *schemas = catalog_schemas(&error);
    if (!schemas)
        bench_fail("%s", error.message);
    const struct effective_parts parts = {
        .mirror = controller->mirror, .schemas = schemas, .clock = &system_clock};
    effective_init(&effective, &parts);
    for (size_t i = 0; i < count; i++) {
        struct roster *next = NULL, *again = NULL;
        must(effective_go(&effective, commits[i], &error), commits[i], &error);
        double begin = bench_now();
        must(roster_make(&effective.inventory, schemas, mirror_reader(controller->mirror), roster,
                         &next, &error),
             "a roster", &error);
        double made = bench_now();
        must(roster_make(&effective.inventory, schemas, mirror_reader(controller->mirror), next,
                         &again, &error),
             "a roster", &error);
        if (next == roster || again != next)
            bench_fail("not what changed was made anew");
        times[i] = made - begin;
        same[i] = bench_now() - made;
        roster_release(roster);
        roster_release(again);
        roster = next;
    }
    bench_report("rollouts.roster.cold", times[0] / 1e6);
    bench_report("rollouts.roster.one", bench_median(times + 1, count - 1) / 1e6);
    bench_report("rollouts.roster.same", bench_median(same, count) / 1e6);
    roster_release(roster);
    effective_dispose(&effective);
    schema_set_free(schemas);
}

/* The newest commits, oldest first. */
static size_t list_commits(struct controller *controller, char (*out)[COMMIT_TEXT_SIZE])
{
    struct error error;
    size_t count = 0;
    memcpy(out[ROSTERS - 1], controller->tip, COMMIT_TEXT_SIZE);
    for (count = 1; count < ROSTERS; count++)
        must(mirror_first_parent(controller->mirror, out[ROSTERS - count], out[ROSTERS - count - 1],
                                 &error),
             "history", &error);
    return count;
}

int main(int count, char **arguments)
{
    static struct controller controller;
    static char commits[ROSTERS][COMMIT_TEXT_SIZE];
    const char *list[ROSTERS];
    struct error error;
    if (count != 4)
        bench_fail("usage: rollouts REMOTE FOLDER COUNT");
    size_t rollouts = strtoul(arguments[3], NULL, 10);
    must(mirror_startup(&error), "libgit2", &error);
    log_set_level(LOG_LEVEL_ERROR);
    wall = system_clock.wall(system_clock.self);
    open_controller(&controller, arguments[1], arguments[2]);
    must(mirror_fetch(controller.mirror, NULL, NULL, controller.tip, &error), "a fetch", &error);
    take(&controller);
    start_all(&controller, rollouts);
    pass(600);
    time_turns(&controller, "rollouts.turn");
    time_moves(&controller);
    size_t found = list_commits(&controller, commits);
    for (size_t i = 0; i < found; i++)
        list[i] = commits[i];
    time_rosters(&controller, list, found);
    close_controller(&controller);
    mirror_shutdown();
    return 0;
}
