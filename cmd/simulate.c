/* weir simulate: a rollout played ahead. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../controller/clock.h"
#include "../controller/zone_files.h"
#include "../rules/json.h"
#include "../rules/similar.h"
#include "commands.h"
#include "lines.h"
#include "simulate_view.h"
#include "source.h"

#define PERIOD_DEFAULT (84 * INT64_C(86400))

struct simulation {
    struct source source;
    struct zone_files zones;
    struct calendar *calendar;
    struct arena arena; /* of one line */
    struct arena words; /* of the measurements */
    struct simulate_task task;
    struct simulate_measurement *measurements; /* task's, grown by halves */
    size_t measurement_size;
    struct simulate_breach breaches[SIMULATE_BREACHES_MAX];
};

/* --- what is played -------------------------------------------------------------------------- */

static int fail_to_find(const struct simulation *simulation, const char *name, struct text rollout)
{
    const struct catalog *catalog = &simulation->source.catalog;
    struct similar similar = {0};
    for (size_t i = 0; i < catalog->rollout_count; i++)
        similar_offer(&similar, rollout, catalog->rollouts[i]->name.text);
    const struct rollout *near =
        similar.name.length ? catalog_rollout(catalog, similar.name) : NULL;
    if (near)
        return command_fail("rollout \"%s\" does not exist; did you mean \"%s/%s\"?", name,
                            near->environment.text.data, near->name.text.data);
    return command_fail("rollout \"%s\" does not exist", name);
}

/* ROLLOUT, or ENVIRONMENT/ROLLOUT as it is written elsewhere. */
static int find_rollout(struct simulation *simulation, const char *name)
{
    const char *slash = strchr(name, '/');
    const struct rollout *rollout =
        catalog_rollout(&simulation->source.catalog, text_of(slash ? slash + 1 : name));
    struct text environment = {name, slash ? (size_t)(slash - name) : 0};
    if (!rollout || (slash && !text_equal(environment, rollout->environment.text)))
        return fail_to_find(simulation, name, text_of(slash ? slash + 1 : name));
    simulation->task.catalog = &simulation->source.catalog;
    simulation->task.rollout = rollout;
    return EXIT_FINE;
}

static int make_calendar(struct simulation *simulation)
{
    const struct calendar_definition *calendar = &simulation->task.rollout->calendar;
    struct error error = {0};
    enum status status = STATUS_OK;
    if (calendar->timezone.length)
        status =
            zone_files_find(&simulation->zones, calendar->timezone, &simulation->task.zone, &error);
    if (status == STATUS_OK)
        status = calendar_new(calendar->windows, calendar->window_count, calendar->freezes,
                              calendar->freeze_count, simulation->task.zone, &simulation->calendar,
                              &error);
    simulation->task.calendar = simulation->calendar;
    return status == STATUS_OK ? EXIT_FINE : command_fail("%s", error.message);
}

static int read_times(struct simulation *simulation, const struct arguments *arguments)
{
    struct simulate_task *task = &simulation->task;
    const struct rollout *rollout = task->rollout;
    const char *from = argument_given(arguments, "from"),
               *period = argument_given(arguments, "for"),
               *approve = argument_string(arguments, "approve-after");
    const struct rollout_state *state = catalog_rollout_state(task->catalog, rollout);
    int64_t length = PERIOD_DEFAULT;
    bool pending = !state || state->course == COURSE_PENDING;
    task->from = pending && rollout->has_start ? rollout->start : clock_seconds(&system_clock);
    if (from && !time_parse(text_of(from), &task->from))
        return command_fail("\"--from %.60s\" is no time like 2027-01-11T09:00:00+01:00", from);
    if (period && (!period_parse(text_of(period), &length) || length == 0))
        return command_fail("\"--for %.60s\" is no period like 90d or 12w", period);
    task->to = task->from + length;
    task->approve_after = SIMULATE_NO_APPROVALS;
    if (strcmp(approve, "never") != 0 && !period_parse(text_of(approve), &task->approve_after))
        return command_fail("\"--approve-after %.60s\" is neither a period like 1h nor never",
                            approve);
    return EXIT_FINE;
}

static bool is_among(struct text metric, const struct name *names, size_t count,
                     struct similar *similar)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(metric, names[i].text))
            return true;
        similar_offer(similar, metric, names[i].text);
    }
    return false;
}

static bool is_among_phases(struct text metric, const struct phases *phases,
                            struct similar *similar)
{
    for (size_t i = 0; phases && i < phases->count; i++)
        if (is_among(metric, phases->items[i].metrics, phases->items[i].metric_count, similar))
            return true;
    return false;
}

/* A breach of what does not watch it would show a rollout that nothing stops. */
static int check_watched(const struct simulation *simulation, struct text metric)
{
    const struct catalog *catalog = simulation->task.catalog;
    const struct rollout *rollout = simulation->task.rollout;
    const struct rollout_state *state = catalog_rollout_state(catalog, rollout);
    struct similar similar = {0};
    if (is_among(metric, rollout->metrics, rollout->metric_count, &similar) ||
        is_among_phases(metric, catalog_phases(catalog, rollout), &similar) ||
        (state && is_among_phases(metric, &state->plan, &similar)))
        return EXIT_FINE;
    const char *fault =
        catalog_metric(catalog, metric) ? "does not watch this rollout" : "does not exist";
    if (similar.name.length)
        return command_fail("metric \"%.*s\" %s; did you mean \"%.*s\"?", (int)metric.length,
                            metric.data, fault, (int)similar.name.length, similar.name.data);
    return command_fail("metric \"%.*s\" %s", (int)metric.length, metric.data, fault);
}

static int read_breaches(struct simulation *simulation, const struct arguments *arguments)
{
    size_t count = argument_count(arguments, "breach");
    if (count > SIMULATE_BREACHES_MAX)
        return command_fail("more than %d times --breach", SIMULATE_BREACHES_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *given = argument_at(arguments, "breach", i), *at = strchr(given, '@');
        struct simulate_breach *breach = &simulation->breaches[i];
        if (!at || !time_parse(text_of(at + 1), &breach->at))
            return command_fail(
                "\"--breach %.80s\" is not METRIC@TIME like errors@2027-01-11T09:00:00Z", given);
        breach->metric = (struct text){given, (size_t)(at - given)};
        int code = check_watched(simulation, breach->metric);
        if (code != EXIT_FINE)
            return code;
    }
    simulation->task.breaches = simulation->breaches;
    simulation->task.breach_count = count;
    return EXIT_FINE;
}

/* --- measurements ---------------------------------------------------------------------------- */

static struct simulate_measurement *add_measurement(struct simulation *simulation)
{
    struct simulate_task *task = &simulation->task;
    if (task->measurement_count == simulation->measurement_size) {
        size_t size = simulation->measurement_size ? simulation->measurement_size * 2 : 1024, bytes;
        if (!size_multiply(size, sizeof *simulation->measurements, &bytes))
            return NULL;
        struct simulate_measurement *more = realloc(simulation->measurements, bytes);
        if (!more)
            return NULL;
        simulation->measurements = more;
        simulation->measurement_size = size;
    }
    task->measurements = simulation->measurements;
    struct simulate_measurement *added = &simulation->measurements[task->measurement_count++];
    *added = (struct simulate_measurement){0};
    return added;
}

static bool understand(struct simulation *simulation, const struct node *node)
{
    const struct metric *metric =
        catalog_metric(&simulation->source.catalog, node_get_string(node, "metric"));
    const struct node *value = node_get(node, "value");
    struct text verdict = node_get_string(node, "verdict");
    struct simulate_measurement *made = metric ? add_measurement(simulation) : NULL;
    if (!made || !time_parse(node_get_string(node, "finished"), &made->finished))
        return false;
    const struct node *silent = node_get(node, "silent");
    struct text mismatch = node_get_string(node, "ratioMismatch");
    made->metric = metric->name.text;
    made->silent = silent && silent->type == NODE_BOOL && silent->boolean;
    if (mismatch.length && !arena_copy(&simulation->words, mismatch, &made->ratio_mismatch))
        return false;
    made->has_verdict = verdict.length > 0;
    if (made->has_verdict)
        return walk_verdict_parse(verdict, &made->verdict);
    if (!value || value->type != NODE_NUMBER)
        return false;
    made->value = value->number;
    return true;
}

static int take_line(struct simulation *simulation, struct text line, uint64_t number)
{
    const struct node *node;
    struct error error = {0};
    struct json_limits limits = {.bytes = line.length, .depth = 4, .nodes = 64};
    if (simulation->task.measurement_count == SIMULATE_MEASUREMENTS_MAX)
        return command_fail("more than %d measurements", SIMULATE_MEASUREMENTS_MAX);
    arena_reset(&simulation->arena);
    if (line.length == 0)
        return EXIT_FINE;
    if (json_read(&simulation->arena, line, limits, &node, &error) != STATUS_OK)
        return command_fail("measurements, line %llu: %s", (unsigned long long)number,
                            error.message);
    if (!understand(simulation, node))
        return command_fail("measurements, line %llu: wants {\"metric\": of this rollout, "
                            "\"finished\": time, \"verdict\": word or \"value\": number}",
                            (unsigned long long)number);
    return EXIT_FINE;
}

static int read_lines(struct simulation *simulation, struct lines *lines)
{
    for (;;) {
        struct text line;
        int code = EXIT_FINE;
        switch (lines_next(lines, &line)) {
        case LINE_WHOLE:
            code = take_line(simulation, line, lines->number);
            break;
        case LINE_WANTING:
            if (lines_read(lines) != STATUS_OK)
                code = command_fail("cannot read the measurements: %s", strerror(errno));
            break;
        case LINE_TOO_LONG:
            code = command_fail("measurements, line %llu: is too long",
                                (unsigned long long)lines->number);
            break;
        case LINE_END:
        default:
            return EXIT_FINE;
        }
        if (code != EXIT_FINE)
            return code;
    }
}

static int by_time(const void *a, const void *b)
{
    const struct simulate_measurement *x = a, *y = b;
    int order = (x->finished > y->finished) - (x->finished < y->finished);
    return order ? order : text_compare(x->metric, y->metric);
}

static int read_measurements(struct simulation *simulation, const struct arguments *arguments)
{
    const char *path = argument_given(arguments, "measurements");
    struct lines lines;
    if (!path)
        return EXIT_FINE;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return command_fail("cannot read \"%s\": %s", path, strerror(errno));
    int code = lines_init(&lines, file) == STATUS_OK ? EXIT_FINE : command_fail("no memory");
    if (code == EXIT_FINE) {
        code = read_lines(simulation, &lines);
        lines_dispose(&lines);
    }
    close(file);
    if (code == EXIT_FINE && simulation->task.measurement_count == 0)
        return command_fail("\"%s\" holds no measurement", path);
    if (code == EXIT_FINE)
        qsort(simulation->measurements, simulation->task.measurement_count,
              sizeof *simulation->measurements, by_time);
    return code;
}

/* --- the command ----------------------------------------------------------------------------- */

static int show(const struct simulation *simulation, const struct arguments *arguments)
{
    const char *format = argument_string(arguments, "format");
    struct simulate_timeline timeline;
    struct buffer out;
    struct error error = {0};
    bool colour = command_colour(STDOUT_FILENO);
    enum status status = simulate_play(&simulation->task, &timeline, &error);
    struct simulate_look look = {.task = &simulation->task,
                                 .timeline = &timeline,
                                 .style = style_of(colour),
                                 .bars = isatty(STDOUT_FILENO) == 1};
    int code = EXIT_FINE;
    buffer_init(&out, 0);
    if (status != STATUS_OK)
        code = command_fail("%s", error.message);
    else if (strcmp(format, "json") == 0)
        simulate_write_json(&out, &look);
    else if (strcmp(format, "svg") == 0)
        simulate_write_svg(&out, &look);
    else
        simulate_write_text(&out, &look);
    if (code == EXIT_FINE)
        code = command_print(&out);
    buffer_dispose(&out);
    simulate_dispose(&timeline);
    return code;
}

static int run(const struct arguments *arguments)
{
    struct simulation simulation = {0};
    zone_files_init(&simulation.zones, NULL);
    arena_init(&simulation.arena, 0);
    arena_init(&simulation.words, (size_t)1 << 28);
    int code = source_open(&simulation.source, arguments, argument_operand(arguments, 1));
    if (code == EXIT_DEFINITIONS)
        source_complain(&simulation.source, arguments);
    if (code == EXIT_FINE)
        code = find_rollout(&simulation, argument_operand(arguments, 0));
    if (code == EXIT_FINE)
        code = make_calendar(&simulation);
    if (code == EXIT_FINE)
        code = read_times(&simulation, arguments);
    if (code == EXIT_FINE)
        code = read_breaches(&simulation, arguments);
    if (code == EXIT_FINE)
        code = read_measurements(&simulation, arguments);
    if (code == EXIT_FINE)
        code = show(&simulation, arguments);
    free(simulation.measurements);
    calendar_free(simulation.calendar);
    zone_files_dispose(&simulation.zones);
    arena_dispose(&simulation.arena);
    arena_dispose(&simulation.words);
    source_dispose(&simulation.source);
    return code;
}

static const struct option options[] = {
    SOURCE_OPTIONS,
    {.name = "from",
     .type = OPTION_STRING,
     .argument = "TIME",
     .help = "when the play begins (default: its start date while it is pending, else now)"},
    {.name = "for",
     .type = OPTION_STRING,
     .argument = "PERIOD",
     .standard = "12w",
     .help = "how long to play"},
    {.name = "measurements",
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "JSON lines {\"metric\",\"finished\",\"verdict\" or \"value\"}, as a controller gives "
             "them at /env/E/rollouts/R/measurements; without it all pass"},
    {.name = "breach",
     .type = OPTION_LIST,
     .argument = "METRIC@TIME",
     .help = "let this metric fail at that time"},
    {.name = "approve-after",
     .type = OPTION_STRING,
     .argument = "PERIOD|never",
     .standard = "1h",
     .help = "how long people take to approve what waits for nothing else"},
    {.name = "format",
     .type = OPTION_STRING,
     .argument = "FORMAT",
     .choices = "text|json|svg",
     .standard = "text",
     .help = "a table, JSON for programs, or a picture"},
    {0},
};

static const struct operand operands[] = {
    {.name = "ROLLOUT", .help = "the rollout's name", .required = true},
    {.name = "PATH",
     .help = "the folder of definitions, or one file (default: the working folder)",
     .complete = COMPLETE_FOLDER},
    {0},
};

const struct command simulate_command = {
    .name = "simulate",
    .summary = "play a rollout ahead and show when it would do what",
    .description =
        "Plays a rollout from where it stands, by the machine that walks it in a controller: its "
        "calendar, bakes, ramps, gates and approvals. Nothing is asked and nothing is changed. "
        "Twelve weeks take less than a second, since time jumps from one decision to the next.\n\n"
        "Without measurements every metric passes. With a breach one of them fails once, so that "
        "it shows what the rollout would do. A rollout without a start date is started when the "
        "play begins. Nobody resumes what was held.",
    .options = options,
    .operands = operands,
    .examples =
        "weir simulate checkout-v2 examples/acme-shop  # a table: when, which phase, and why\n"
        "weir simulate checkout-v2 --for 4w --approve-after never examples/acme-shop  # the first "
        "weeks\n"
        "weir simulate checkout-v2 --format svg examples/acme-shop >/tmp/plan.svg  # a picture\n",
    .run = run,
};
