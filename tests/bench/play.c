/* Twelve weeks of many rollouts, played ahead: with nothing measured but good, and with five
 * metrics measured every hour.
 *
 *     play COUNT          CPU time of all of them, on one thread */
#include "../../controller/rollout/simulate.h"
#include "../../controller/zone_files.h"
#include "bench.h"
#include "definitions.h"

#define WEEKS 12
#define HOUR INT64_C(3600)
#define WEEK (168 * HOUR)
#define FROM INT64_C(1767600000) /* Monday, 2026-01-05 08:00 UTC */
#define METRICS 5
#define MEASUREMENTS ((size_t)METRICS * WEEKS * 168)
#define ROUNDS 5

static const char *const names[METRICS] = {"m0", "m1", "m2", "m3", "m4"};

static void write_shared(struct buffer *out)
{
    buffer_append_string(out,
                         "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n");
    for (size_t i = 0; i < METRICS; i++)
        buffer_printf(out,
                      "---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: %s}\nspec:\n"
                      "  prometheus: {address: 'http://127.0.0.1:9', query: up}\n"
                      "  thresholdRange: {max: 0.01}\n  interval: 1h\n  window: 4h\n",
                      names[i]);
}

static void write_rollout(struct buffer *out, size_t number)
{
    buffer_printf(out,
                  "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: f%zu}\n"
                  "spec: {variants: {on: true, off: false}, default: off}\n"
                  "---\napiVersion: weir/v1\nkind: Rollout\nmetadata: {name: r%zu}\n"
                  "spec:\n  flag: f%zu\n  environment: production\n"
                  "  variant: on\n  control: off\n"
                  "  metrics: [m0, m1, m2, m3, m4]\n"
                  "  calendar: {timezone: Europe/Berlin, allow: [{days: [Mon, Tue, Wed, "
                  "Thu], from: \"09:00\", to: \"16:00\"}]}\n"
                  "  phases:\n    - {name: canary, percent: 1, bake: 6d}\n"
                  "    - {name: ten, ramp: {to: 10, over: 1d}, bake: 7d}\n"
                  "    - {name: half, percent: 50, bake: 2w, approvals: 2}\n"
                  "    - {name: all, percent: 100, bake: 2w}\n",
                  number, number, number);
}

static void read_definitions(struct catalog *catalog, const struct schema_set *schemas,
                             struct bundle *bundle, size_t count)
{
    struct diagnostics diagnostics;
    struct buffer text;
    buffer_init(&text, 0);
    bundle_init(bundle);
    diagnostics_init(&diagnostics);
    for (size_t i = 0; i <= count; i++) {
        char path[32];
        buffer_clear(&text);
        if (i == 0)
            write_shared(&text);
        else
            write_rollout(&text, i);
        snprintf(path, sizeof path, "%06zu.yaml", i);
        buffer_append_char(&text, '\0');
        if (text.failed)
            bench_fail("no memory for definitions");
        definitions_add(bundle, path, text.data);
    }
    bundle_sort(bundle);
    bench_catalog(catalog, schemas, bundle, NULL, &diagnostics);
    diagnostics_dispose(&diagnostics);
    buffer_dispose(&text);
}

static struct simulate_measurement *make_measurements(void)
{
    struct simulate_measurement *list = calloc(MEASUREMENTS, sizeof *list);
    if (!list)
        bench_fail("no memory for measurements");
    for (size_t i = 0; i < MEASUREMENTS; i++)
        list[i] =
            (struct simulate_measurement){.metric = text_of(names[i % METRICS]),
                                          .finished = FROM + (int64_t)(1 + i / METRICS) * HOUR,
                                          .value = 0.001};
    return list;
}

/* All of them once; nanoseconds. Each has to come to its end, or something else was measured. */
static double play_all(const struct catalog *catalog, const struct zone *zone,
                       const struct calendar *calendar, const struct simulate_measurement *list,
                       size_t *commits)
{
    double begin = bench_now();
    *commits = 0;
    for (size_t i = 0; i < catalog->rollout_count; i++) {
        const struct simulate_task task = {.catalog = catalog,
                                           .rollout = catalog->rollouts[i],
                                           .calendar = calendar,
                                           .zone = zone,
                                           .from = FROM,
                                           .to = FROM + WEEKS * WEEK,
                                           .approve_after = HOUR,
                                           .measurements = list,
                                           .measurement_count = list ? MEASUREMENTS : 0};
        struct simulate_timeline timeline;
        struct error error;
        if (simulate_play(&task, &timeline, &error) != STATUS_OK)
            bench_fail("%s", error.message);
        if (timeline.state.course != COURSE_COMPLETED)
            bench_fail("a rollout does not come to its end, but to phase %zu in %zu spans",
                       timeline.state.phase, timeline.count);
        *commits += timeline.commits;
        simulate_dispose(&timeline);
    }
    return bench_now() - begin;
}

static void report(const char *name, const struct catalog *catalog, const struct zone *zone,
                   const struct calendar *calendar, const struct simulate_measurement *list)
{
    double times[ROUNDS];
    size_t commits = 0, rounds = bench_is_quick() ? 1 : ROUNDS;
    for (size_t i = 0; i < rounds; i++)
        times[i] = play_all(catalog, zone, calendar, list, &commits);
    bench_report(name, bench_median(times, rounds) / 1e6);
    bench_report("play.commits", (double)commits);
}

int main(int count, char **arguments)
{
    struct catalog catalog;
    struct bundle bundle;
    struct zone_files zones;
    const struct zone *zone = NULL;
    struct calendar *calendar = NULL;
    struct error error;
    if (count != 2)
        bench_fail("usage: play COUNT");
    struct schema_set *schemas = catalog_schemas(&error);
    if (!schemas)
        bench_fail("%s", error.message);
    read_definitions(&catalog, schemas, &bundle, strtoul(arguments[1], NULL, 10));
    const struct calendar_definition *hours = &catalog.rollouts[0]->calendar;
    zone_files_init(&zones, NULL);
    if (zone_files_find(&zones, hours->timezone, &zone, &error) != STATUS_OK ||
        calendar_new(hours->windows, hours->window_count, hours->freezes, hours->freeze_count, zone,
                     &calendar, &error) != STATUS_OK)
        bench_fail("%s", error.message);
    report("play.plain", &catalog, zone, calendar, NULL);
    struct simulate_measurement *list = make_measurements();
    report("play.measured", &catalog, zone, calendar, list);
    free(list);
    calendar_free(calendar);
    zone_files_dispose(&zones);
    catalog_dispose(&catalog);
    bundle_dispose(&bundle);
    schema_set_free(schemas);
    return 0;
}
