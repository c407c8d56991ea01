/* Measures as `weir run` does, without Git: for tests/integration/test_metrics.py.
 *     metrics_driver STORE SCRAPE [SECRET FILE PORT]
 * with a secret that may be sent to that port of 127.0.0.1, where one is given;
 * reads commands, one a line, and answers each with one line:
 *     watch FILE RUN PHASE SINCE   the definitions of FILE, their rollouts in the phase since then
 *     view                         {"now":…,"changes":…,"gates":[…],"status":[…],…} of the first
 *     lines                        what was measured, as one string of lines
 *     quit */
#include <stdatomic.h>

#include "../../controller/clock.h"
#include "../../controller/metrics/measurement_lines.h"
#include "../../controller/metrics/metrics.h"
#include "../../rules/json.h"
#include "../unit/rosters.h"

static _Atomic int64_t changes;

static void changed(void *context)
{
    (void)context;
    atomic_fetch_add(&changes, 1);
}

static char *read_all(const char *path)
{
    struct buffer text;
    char piece[4096];
    size_t length;
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    buffer_init(&text, 0);
    while ((length = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_append(&text, piece, length);
    fclose(file);
    return buffer_take(&text, &length);
}

static void write_gate(struct buffer *out, const struct walk_gate *gate)
{
    buffer_append_string(out, "{\"metric\":");
    json_write_string(out, gate->metric);
    buffer_printf(out,
                  ",\"verdict\":\"%s\",\"silent\":%d,\"fresh\":%d,\"enough\":%d,\"finished\":%lld,"
                  "\"restarted\":%lld,\"covered\":%lld,\"evidence\":",
                  walk_verdict_name(gate->verdict), gate->silent, gate->fresh, gate->enough_sample,
                  (long long)gate->finished, (long long)gate->restarted, (long long)gate->covered);
    json_write_string(out, gate->evidence);
    buffer_append_char(out, '}');
}

static void view(struct metrics *metrics, const struct roster *roster, struct buffer *out)
{
    struct metrics_view known;
    struct arena arena;
    int64_t now = clock_seconds(&system_clock);
    arena_init(&arena, 0);
    if (!roster || metrics_view(metrics, &roster->items[0], now, &arena, &known) != STATUS_OK)
        known = (struct metrics_view){0};
    buffer_printf(out, "{\"now\":%lld,\"changes\":%lld,\"mismatch\":%d,\"gates\":[", (long long)now,
                  (long long)atomic_load(&changes), known.ratio_mismatch);
    for (size_t i = 0; i < known.gate_count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        write_gate(out, &known.gates[i]);
    }
    buffer_append_string(out, "],\"status\":");
    if (roster)
        metrics_write_status(metrics, &roster->items[0], now, out);
    else
        buffer_append_string(out, "[]");
    buffer_append_string(out, "}\n");
    arena_dispose(&arena);
}

static struct roster *watch(struct metrics *metrics, const char *path,
                            const struct standing *standing)
{
    char *yaml = read_all(path);
    struct roster *roster = yaml ? roster_of(yaml, standing) : NULL;
    int64_t *exposed = roster ? calloc(roster->count + 1, sizeof *exposed) : NULL;
    for (size_t i = 0; exposed && i < roster->count; i++)
        exposed[i] = standing->since;
    if (exposed)
        metrics_watch(metrics, roster, exposed);
    free(exposed);
    free(yaml);
    return roster;
}

static void write_lines(const char *store, struct buffer *out)
{
    const struct measurement_query query = {TEXT("production"), TEXT("shop"), 0};
    struct buffer text;
    struct error error;
    buffer_init(&text, 0);
    if (measurement_lines_write(store, &query, &text, &error) != STATUS_OK)
        fprintf(stderr, "%s\n", error.message);
    json_write_string(out, buffer_text(&text));
    buffer_append_char(out, '\n');
    buffer_dispose(&text);
}

int main(int argc, char **argv)
{
    struct reach_host host = {.host = "127.0.0.1"};
    struct reach_host own = host; /* of the secret */
    struct reach_secret secret = {.hosts = &own, .host_count = 1};
    struct reach reach = {.hosts = &host, .host_count = 1, .secrets = &secret};
    struct metrics_parts parts = {.reach = &reach, .clock = &system_clock, .changed = changed};
    struct metrics *metrics;
    struct roster *roster = NULL;
    struct error error;
    char line[4096], path[2048];
    if (argc != 3 && argc != 6)
        return 2;
    if (argc == 6) {
        secret.name = argv[3];
        secret.file = argv[4];
        own.port = (uint16_t)strtoul(argv[5], NULL, 10);
        reach.secret_count = 1;
    }
    parts.store = argv[1];
    parts.scrape = strtoll(argv[2], NULL, 10);
    parts.telemetry = telemetry_new();
    if (metrics_start(&parts, &metrics, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0) {
        struct buffer out;
        struct standing standing = {0};
        long long since;
        buffer_init(&out, 0);
        if (sscanf(line, "watch %2047s %u %zu %lld", path, &standing.run, &standing.phase,
                   &since) == 4) {
            standing.since = since;
            roster_release(roster);
            roster = watch(metrics, path, &standing);
            buffer_append_string(&out, roster ? "{\"watched\":true}\n" : "{\"watched\":false}\n");
        } else if (strcmp(line, "lines\n") == 0) {
            write_lines(parts.store, &out);
        } else if (strcmp(line, "telemetry\n") == 0) {
            struct buffer text;
            buffer_init(&text, 0);
            telemetry_write(parts.telemetry, &text);
            json_write_string(&out, buffer_text(&text));
            buffer_append_char(&out, '\n');
            buffer_dispose(&text);
        } else {
            view(metrics, roster, &out);
        }
        fwrite(out.data, 1, out.length, stdout);
        fflush(stdout);
        buffer_dispose(&out);
    }
    metrics_stop(metrics);
    roster_release(roster);
    telemetry_free(parts.telemetry);
    return 0;
}
