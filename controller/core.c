#include "core.h"

#include "../rules/codes.h"
#include "build.h"
#include "core_private.h"
#include "log.h"
#include "telemetry_families.h"

#define ANCESTORS_TRIED 1000 /* at a start with an invalid tip */

enum status core_new(const struct core_parts *parts, struct mirror *mirror, struct core **out,
                     struct error *error)
{
    struct core *core = calloc(1, sizeof *core);
    *out = NULL;
    if (!core || pthread_mutex_init(&core->lock, NULL) != 0) {
        free(core);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    core->parts = *parts;
    core->mirror = mirror;
    diagnostics_init(&core->faults);
    core->schemas = catalog_schemas(error);
    if (!core->schemas) {
        core_free(core);
        return STATUS_INVALID;
    }
    *out = core;
    return STATUS_OK;
}

void core_free(struct core *core)
{
    if (!core)
        return;
    schema_set_free(core->schemas);
    diagnostics_dispose(&core->faults);
    pthread_mutex_destroy(&core->lock);
    free(core);
}

void core_note_fetch(struct core *core, const struct error *error)
{
    int64_t now = clock_seconds(core->parts.clock);
    pthread_mutex_lock(&core->lock);
    core->last_attempt = now;
    if (error) {
        core->fetch_failures++;
        snprintf(core->fetch_problem, sizeof core->fetch_problem, "%s", error->message);
    } else {
        core->last_success = now;
        core->fetch_failures = 0;
        core->fetch_problem[0] = '\0';
    }
    pthread_mutex_unlock(&core->lock);
}

static void count(struct core *core, const struct family_description *family, const char *label,
                  int64_t amount)
{
    series_add(telemetry_series(core->parts.telemetry, family, label, NULL), amount);
}

static void gauge(struct core *core, const struct family_description *family, const char *label,
                  int64_t value)
{
    series_set(telemetry_series(core->parts.telemetry, family, label, NULL), value);
}

/* What /status says of the tip. The faults are moved out of `found`. */
static void note_judgement(struct core *core, const char *tip, bool served,
                           struct diagnostics *found)
{
    pthread_mutex_lock(&core->lock);
    snprintf(core->tip, sizeof core->tip, "%s", tip);
    core->tip_is_served = served;
    struct diagnostics before = core->faults;
    core->faults = *found;
    *found = before;
    pthread_mutex_unlock(&core->lock);
    gauge(core, &family_faults, "error", (int64_t)core->faults.errors);
    gauge(core, &family_faults, "warning", (int64_t)core->faults.warnings);
    snprintf(core->judged, sizeof core->judged, "%s", tip);
}

static void log_faults(const struct core *core, const char *tip)
{
    size_t shown = core->faults.count < 10 ? core->faults.count : 10;
    for (size_t i = 0; i < shown; i++) {
        const struct diagnostic *item = &core->faults.items[i];
        char line[16], column[16];
        snprintf(line, sizeof line, "%u", item->place.line);
        snprintf(column, sizeof column, "%u", item->place.column);
        log_event(item->severity == SEVERITY_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "fault",
                  "commit", tip, "code", item->code, "file", item->place.path.data, "line", line,
                  "column", column, "message", item->message.data, NULL);
    }
}

/* --- publishing ------------------------------------------------------------------------------ */

static void note_flags(struct core *core, const struct snapshot *previous,
                       const struct snapshot *snapshot)
{
    for (size_t i = 0; previous && i < previous->environment_count; i++) {
        struct text name = previous->environments[i].name;
        if (!snapshot_environment(snapshot, name))
            telemetry_forget(core->parts.telemetry, &family_flags, name.data, NULL);
    }
    for (size_t i = 0; i < snapshot->environment_count; i++)
        gauge(core, &family_flags, snapshot->environments[i].name.data,
              (int64_t)snapshot->environments[i].document->count);
    gauge(core, &family_snapshot_timestamp, NULL, snapshot->since);
}

static enum status publish(struct core *core, struct build *build, const struct snapshot *previous,
                           const char *commit, struct error *error)
{
    struct generation generation;
    const struct catalog *catalog = &build->catalog;
    enum status status = mirror_generation(core->mirror, commit, &generation, error);
    if (status != STATUS_OK)
        return status;
    struct snapshot *snapshot =
        build_snapshot(build, commit, generation, core->parts.config->default_environment,
                       clock_seconds(core->parts.clock));
    if (!snapshot)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a snapshot");
    note_flags(core, previous, snapshot);
    hub_publish(core->parts.hub, snapshot_reference(snapshot));
    gauge(core, &family_snapshot_version, NULL, (int64_t)atomic_load(&core->parts.hub->version));
    /* Answers first: users have the new state before any target or disk is asked for anything. */
    struct error problem;
    if (mirror_set_accepted(core->mirror, commit, &problem) != STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "ref_failed", "commit", commit, "error", problem.message, NULL);
    if (fleet_apply(core->parts.fleet, catalog->targets, catalog->target_count, snapshot) !=
        STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "targets_failed", "commit", commit, NULL);
    snapshot_release(snapshot);
    count(core, &family_commits, "served", 1);
    char text[GENERATION_TEXT_SIZE], environments[16];
    generation_format(generation, text);
    snprintf(environments, sizeof environments, "%zu", catalog->environment_count);
    log_event(LOG_LEVEL_INFO, "served", "commit", commit, "generation", text, "environments",
              environments, NULL);
    return STATUS_OK;
}

/* Builds one commit and, when it is valid, publishes it. Its faults end up in *faults. */
static enum status try_commit(struct core *core, const char *commit, struct diagnostics *faults,
                              struct error *error)
{
    struct build build;
    struct snapshot *previous = hub_acquire(core->parts.hub);
    int64_t start = core->parts.clock->monotonic(core->parts.clock->self);
    enum status status = build_commit(&build, core->mirror, commit, core->schemas, previous, error);
    count(core, &family_compile_seconds, NULL,
          core->parts.clock->monotonic(core->parts.clock->self) - start);
    if (status == STATUS_OK)
        status = publish(core, &build, previous, commit, error);
    snapshot_release(previous);
    struct diagnostics found = build.diagnostics;
    diagnostics_init(&build.diagnostics);
    build_dispose(&build);
    diagnostics_dispose(faults);
    *faults = found;
    return status;
}

/* --- taking a tip ---------------------------------------------------------------------------- */

/* A branch that was rewritten is not followed: what users have would change without a commit that
 * says so. */
static enum status check_rewrite(struct core *core, const char *tip, struct diagnostics *faults,
                                 struct error *error)
{
    char accepted[COMMIT_TEXT_SIZE];
    bool descends = true;
    enum status status = mirror_accepted(core->mirror, accepted, error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = mirror_descends(core->mirror, tip, accepted, &descends, error);
    if (status != STATUS_OK || descends)
        return status;
    diagnostics_add(
        faults, CODE_GIT_REWRITTEN, (struct place){TEXT("."), 0, 0},
        "push a branch that contains the served commit, or start with a new --data folder",
        "commit %.12s does not descend from %.12s, which is served", tip, accepted);
    return STATUS_INVALID;
}

/* After a start with an invalid tip: serve what was served before it, found in history alone. */
static enum status serve_ancestor(struct core *core, const char *tip, struct error *error)
{
    char commit[COMMIT_TEXT_SIZE], parent[COMMIT_TEXT_SIZE];
    struct diagnostics ignored;
    enum status status = STATUS_INVALID;
    snprintf(commit, sizeof commit, "%s", tip);
    diagnostics_init(&ignored);
    for (int i = 0; i < ANCESTORS_TRIED && status == STATUS_INVALID; i++) {
        status = mirror_first_parent(core->mirror, commit, parent, error);
        if (status != STATUS_OK)
            break;
        snprintf(commit, sizeof commit, "%s", parent);
        status = try_commit(core, commit, &ignored, error);
    }
    diagnostics_dispose(&ignored);
    return status;
}

/* A rewritten branch at a start: the commit that was accepted is still in the clone. */
static enum status serve_accepted(struct core *core, struct error *error)
{
    char accepted[COMMIT_TEXT_SIZE];
    struct diagnostics ignored;
    enum status status = mirror_accepted(core->mirror, accepted, error);
    diagnostics_init(&ignored);
    if (status == STATUS_OK)
        status = try_commit(core, accepted, &ignored, error);
    diagnostics_dispose(&ignored);
    return status;
}

static void serve_something(struct core *core, const char *tip, bool rewritten)
{
    struct error error = {0};
    if (atomic_load(&core->parts.hub->version) > 0)
        return;
    enum status status =
        rewritten ? serve_accepted(core, &error) : serve_ancestor(core, tip, &error);
    if (status != STATUS_OK)
        log_event(LOG_LEVEL_WARN, "nothing_to_serve", "commit", tip, "error",
                  error.message[0] ? error.message : "no valid ancestor", NULL);
}

enum status core_take(struct core *core, const char *tip, struct error *error)
{
    struct diagnostics faults;
    if (strcmp(core->judged, tip) == 0)
        return STATUS_OK;
    diagnostics_init(&faults);
    enum status status = check_rewrite(core, tip, &faults, error);
    bool rewritten = status == STATUS_INVALID;
    if (status == STATUS_OK)
        status = try_commit(core, tip, &faults, error);
    if (status == STATUS_INVALID) {
        count(core, &family_commits, "refused", 1);
        note_judgement(core, tip, false, &faults);
        char errors[24];
        snprintf(errors, sizeof errors, "%zu", core->faults.errors);
        log_event(LOG_LEVEL_ERROR, "refused", "commit", tip, "errors", errors, NULL);
        serve_something(core, tip, rewritten);
        error_set(error, status, "commit %.12s has faults", tip);
    } else if (status == STATUS_OK) {
        note_judgement(core, tip, true, &faults);
    } else {
        log_event(LOG_LEVEL_ERROR, "take_failed", "commit", tip, "error",
                  error ? error->message : "", NULL);
    }
    log_faults(core, tip);
    diagnostics_dispose(&faults);
    return status;
}
