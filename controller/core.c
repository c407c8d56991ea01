#include "core.h"

#include <inttypes.h>

#include "../rules/codes.h"
#include "../rules/json.h"
#include "core_private.h"
#include "git/verify.h"
#include "log.h"
#include "telemetry_families.h"

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
    buffer_init(&core->quarantined, 0);
    core->schemas = catalog_schemas(error);
    if (!core->schemas) {
        core_free(core);
        return STATUS_INVALID;
    }
    struct effective_parts effective = {.mirror = mirror,
                                        .schemas = core->schemas,
                                        .cache = core->cache,
                                        .clock = parts->clock,
                                        .stop = parts->stop};
    snprintf(core->cache, sizeof core->cache, "%s/effective", parts->config->data);
    effective_init(&core->effective, &effective);
    core->has_effective = true;
    struct steering_parts steering = parts->steering;
    steering.clock = parts->clock;
    steering.telemetry = parts->telemetry;
    steering.inventory = &core->effective.inventory;
    steering.effective = &core->effective;
    steering.schemas = core->schemas;
    steering.mirror = mirror;
    steering.fleet = parts->fleet;
    steering.republish = core_republish;
    steering.self = core;
    enum status status = steering_new(&steering, &core->steering, error);
    if (status == STATUS_OK)
        *out = core;
    else
        core_free(core);
    return status;
}

void core_free(struct core *core)
{
    if (!core)
        return;
    steering_free(core->steering);
    if (core->has_effective)
        effective_dispose(&core->effective);
    schema_set_free(core->schemas);
    diagnostics_dispose(&core->faults);
    buffer_dispose(&core->quarantined);
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

/* What stands as it stood before: the newest commit's say does not count. */
static void note_quarantined(struct core *core)
{
    const struct entries *quarantined = &core->effective.inventory.quarantined;
    buffer_clear(&core->quarantined);
    core->quarantined_count = quarantined->count;
    for (size_t i = 0; i < quarantined->count && i < QUARANTINED_SHOWN; i++) {
        const struct entry *entry = quarantined->items[i];
        buffer_printf(&core->quarantined, "%s{\"kind\":\"%s\",\"name\":", i ? "," : "",
                      kind_name(entry->kind));
        json_write_string(&core->quarantined, entry->name);
        buffer_append_string(&core->quarantined, ",\"served\":");
        if (entry->in_force)
            json_write_string(&core->quarantined, entry->in_force->source->path);
        else
            buffer_append_string(&core->quarantined, "null");
        buffer_append_char(&core->quarantined, '}');
    }
}

/* What /status says of the tip. The faults are moved out of `found`. */
static void note_tip(struct core *core, const char *tip, bool served, struct diagnostics *found)
{
    pthread_mutex_lock(&core->lock);
    snprintf(core->tip, sizeof core->tip, "%s", tip);
    core->tip_is_served = served;
    core->tip_is_whole = served && core->effective.result.whole;
    struct diagnostics before = core->faults;
    core->faults = *found;
    *found = before;
    pthread_mutex_unlock(&core->lock);
    core_gauge(core, &family_faults, "error", (int64_t)core->faults.errors);
    core_gauge(core, &family_faults, "warning", (int64_t)core->faults.warnings);
}

/* The same of one that needs no second look, and of what is quarantined. */
static void note_judgement(struct core *core, const char *tip, bool served,
                           struct diagnostics *found)
{
    pthread_mutex_lock(&core->lock);
    note_quarantined(core);
    pthread_mutex_unlock(&core->lock);
    note_tip(core, tip, served, found);
    core_gauge(core, &family_quarantined, NULL, (int64_t)core->quarantined_count);
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

/* --- putting in force ------------------------------------------------------------------------- */

/* Nothing is in force, because nothing of the repository ever was good. */
static bool is_barren(const struct core *core)
{
    return core->effective.documents.count == 0 && !core->effective.result.whole &&
           !core->has_published;
}

/* Puts a commit in force, and publishes that. STATUS_INVALID: there is nothing to publish. */
static enum status put_in_force(struct core *core, const char *commit, struct error *error)
{
    const struct clock *clock = core->parts.clock;
    int64_t start = clock->monotonic(clock->self);
    uint64_t steps = core->effective.steps;
    enum status status = effective_go(&core->effective, commit, error);
    if (core->effective.steps != steps) { /* the list of targets is another, and handed out anew */
        core->owing = 0;
        core->is_trimmed = false;
    }
    core_count(core, &family_compile_seconds, NULL, clock->monotonic(clock->self) - start);
    core->is_torn = status != STATUS_OK;
    if (status != STATUS_OK)
        return status;
    if (is_barren(core))
        return error_set(error, STATUS_INVALID, "commit %.12s has nothing to serve", commit);
    status = steering_take(core->steering, commit, error);
    core->is_torn = status != STATUS_OK;
    if (status == STATUS_OK)
        status = core_publish(core, error);
    if (status == STATUS_OK)
        steering_published(core->steering);
    if (status == STATUS_OK && !core->owing) /* else it is needed once more */
        core_trim(core);
    return status;
}

/* --- taking a tip ---------------------------------------------------------------------------- */

/* Whether the new history says of itself that it takes the place of the old one; else `hint` tells
 * what makes it say so. */
static enum status is_new_epoch(struct core *core, const char *tip, const char *accepted, bool *yes,
                                char hint[160], struct error *error)
{
    uint32_t old = 0, new = 0;
    enum status status = mirror_epoch(core->mirror, accepted, &old, error);
    if (status == STATUS_OK)
        status = mirror_epoch(core->mirror, tip, &new, error);
    *yes = status == STATUS_OK && new > old;
    /* One more than its own is what `weir accept` writes unless it is told. */
    if (old > new)
        snprintf(hint, 160,
                 "run \"weir accept --epoch %" PRIu32
                 "\" on this branch, or push one that contains the served commit",
                 old == UINT32_MAX ? old : old + 1);
    else
        snprintf(hint, 160,
                 "run \"weir accept\" on this branch, or push one that contains the served commit");
    return status;
}

/* A branch that was rewritten is not followed: what users have would change without a commit that
 * says so. */
static enum status check_rewrite(struct core *core, const char *tip, struct diagnostics *faults,
                                 struct error *error)
{
    char accepted[COMMIT_TEXT_SIZE], hint[160];
    bool descends = true;
    enum status status = mirror_accepted(core->mirror, accepted, error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = mirror_descends(core->mirror, tip, accepted, &descends, error);
    if (status == STATUS_OK && !descends)
        status = is_new_epoch(core, tip, accepted, &descends, hint, error);
    if (status != STATUS_OK || descends)
        return status;
    diagnostics_add(faults, CODE_GIT_REWRITTEN, (struct place){TEXT("."), 0, 0}, hint,
                    "commit %.12s does not descend from %.12s, which is served", tip, accepted);
    return error_set(error, STATUS_INVALID, "commit %.12s does not descend from what is served",
                     tip);
}

/* What is not signed as the operator wants it is not served. */
static enum status check_signature(struct core *core, const char *tip, struct diagnostics *faults,
                                   struct error *error)
{
    const struct config *config = core->parts.config;
    struct verify_policy policy = {.allowed_signers = config->allowed_signers,
                                   .since = config->verify_since,
                                   .stop = core->parts.stop};
    struct error why = {0};
    if (!config->verify || !verify_mode_parse(text_of(config->verify), &policy.mode) ||
        policy.mode == VERIFY_NONE)
        return STATUS_OK;
    enum status status = mirror_verify(core->mirror, &policy, tip, &why);
    if (status == STATUS_REFUSED) {
        diagnostics_add(faults, CODE_GIT_UNVERIFIED, (struct place){TEXT("."), 0, 0},
                        "sign it by SSH with a key of allowed-signers, and push again", "%s",
                        why.message);
        return error_set(error, STATUS_INVALID, "%s", why.message);
    }
    return status == STATUS_OK ? status : error_set(error, status, "%s", why.message);
}

/* The tip is not followed. At a start, the commit that was accepted is still in the clone. */
static void hold(struct core *core, const char *tip, const char *reason, struct diagnostics *faults)
{
    char accepted[COMMIT_TEXT_SIZE];
    struct error error = {0};
    enum status status = STATUS_OK;
    core_count(core, &family_commits, "refused", 1);
    log_event(LOG_LEVEL_ERROR, "refused", "commit", tip, "reason", reason, NULL);
    if (!core->has_published) {
        status = mirror_accepted(core->mirror, accepted, &error);
        if (status == STATUS_OK)
            status = put_in_force(core, accepted, &error);
        if (status != STATUS_OK)
            log_event(LOG_LEVEL_WARN, "nothing_to_serve", "commit", tip, "error", error.message,
                      NULL);
    }
    steering_hold(core->steering, tip);
    /* What is quarantined is known of what is in force, so not before something is. */
    note_judgement(core, tip, false, faults);
}

static enum status follow(struct core *core, const char *tip, struct diagnostics *faults,
                          struct error *error)
{
    enum status status = put_in_force(core, tip, error);
    if (status != STATUS_OK && status != STATUS_INVALID)
        return status;
    bool served = status == STATUS_OK;
    diagnostics_copy(faults, &core->effective.result.diagnostics);
    note_judgement(core, tip, served, faults);
    if (!served) {
        core_count(core, &family_commits, "refused", 1);
        log_event(LOG_LEVEL_WARN, "nothing_to_serve", "commit", tip, NULL);
    }
    return status;
}

/* Overrides are put over what is in force, from the states of the same commit: so both go back to
 * what is served. A tip that could only not be published is one that they are put over. */
static void go_back(struct core *core)
{
    struct snapshot *served =
        core->is_torn && core->has_published ? hub_acquire(core->parts.hub) : NULL;
    struct error error = {0};
    if (served && strcmp(core->effective.commit, served->commit) != 0 &&
        put_in_force(core, served->commit, &error) != STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "go_back_failed", "commit", served->commit, "error",
                  error.message, NULL);
    snapshot_release(served);
}

/* For the world's sake the tip is not in force: it is tried again with the next fetch, which says
 * nothing of it, and until then people are to see that there is something newer. */
static void fail(struct core *core, const char *tip, enum status status, struct diagnostics *faults,
                 const struct error *error)
{
    const char *hint = status == STATUS_NO_MEMORY
                           ? "give weir more memory"
                           : "if this stays so the clone is damaged: stop weir, remove "
                             "repository.git from its data folder, and start it";
    core->judged[0] = '\0';
    log_event(LOG_LEVEL_ERROR, "take_failed", "commit", tip, "error", error->message, NULL);
    if (status == STATUS_STOPPED)
        return;
    go_back(core);
    diagnostics_add(faults, CODE_GIT_UNREADABLE, (struct place){TEXT("."), 0, 0}, hint,
                    "commit %.12s cannot be put in force: %s", tip, error->message);
    note_tip(core, tip, false, faults);
}

enum status core_take(struct core *core, const char *tip, struct error *error)
{
    struct diagnostics faults;
    if (strcmp(core->judged, tip) == 0)
        return STATUS_OK;
    diagnostics_init(&faults);
    const char *reason = "rewritten";
    enum status status = check_rewrite(core, tip, &faults, error);
    if (status == STATUS_OK) {
        reason = "not verified";
        status = check_signature(core, tip, &faults, error);
    }
    if (status == STATUS_INVALID)
        hold(core, tip, reason, &faults);
    else if (status == STATUS_OK)
        status = follow(core, tip, &faults, error);
    if (status == STATUS_OK || status == STATUS_INVALID)
        log_faults(core, tip);
    else
        fail(core, tip, status, &faults, error);
    diagnostics_dispose(&faults);
    return status;
}

int64_t core_turn(struct core *core)
{
    return steering_turn(core->steering);
}

struct steering *core_steering(struct core *core)
{
    return core->steering;
}
