/* From what is in force to what is served: the snapshot of a commit, with the overrides that are
 * open over it, to the hub and to the targets. */
#include "core.h"
#include "core_private.h"
#include "log.h"
#include "telemetry_families.h"

void core_count(struct core *core, const struct family_description *family, const char *label,
                int64_t amount)
{
    series_add(telemetry_series(core->parts.telemetry, family, label, NULL), amount);
}

void core_gauge(struct core *core, const struct family_description *family, const char *label,
                int64_t value)
{
    series_set(telemetry_series(core->parts.telemetry, family, label, NULL), value);
}

/* --- the snapshot ---------------------------------------------------------------------------- */

static void note_flags(struct core *core, const struct snapshot *previous,
                       const struct snapshot *snapshot)
{
    for (size_t i = 0; previous && i < previous->environment_count; i++) {
        struct text name = previous->environments[i].name;
        if (!snapshot_environment(snapshot, name))
            telemetry_forget(core->parts.telemetry, &family_flags, name.data, NULL);
    }
    for (size_t i = 0; i < snapshot->environment_count; i++)
        core_gauge(core, &family_flags, snapshot->environments[i].name.data,
                   (int64_t)snapshot->environments[i].document->count);
    core_gauge(core, &family_snapshot_timestamp, NULL, snapshot->since);
}

/* One environment of it: the document with what stands over it. */
static enum status fill(struct core *core, struct snapshot *snapshot, size_t index,
                        struct text environment, struct document *document, struct error *error)
{
    struct document *dressed = NULL;
    struct override_set *told = NULL;
    enum status status =
        steering_dress(core->steering, environment, document, &dressed, &told, error);
    if (status == STATUS_OK && snapshot_fill(snapshot, index, environment, dressed) != STATUS_OK)
        status = error_set(error, STATUS_NO_MEMORY, "no memory for a snapshot");
    if (status == STATUS_OK)
        snapshot_set_overrides(snapshot, index, told);
    else
        override_set_release(told);
    return status;
}

static void choose_standard(const struct core *core, struct snapshot *snapshot)
{
    const char *standard = core->parts.config->default_environment;
    if (standard)
        snapshot->standard = snapshot_environment(snapshot, text_of(standard));
    else if (snapshot->environment_count == 1)
        snapshot->standard = &snapshot->environments[0];
}

/* Of what is in force. */
static enum status make_snapshot(struct core *core, struct generation generation,
                                 struct snapshot **out, struct error *error)
{
    const struct effective_documents *documents = &core->effective.documents;
    struct snapshot *snapshot = snapshot_new(documents->count);
    enum status status = STATUS_OK;
    if (!snapshot)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a snapshot");
    for (size_t i = 0; i < documents->count && status == STATUS_OK; i++) {
        const struct effective_document *document = &documents->items[i];
        status = fill(core, snapshot, i, text_of(document->environment), document->document, error);
    }
    if (status != STATUS_OK) {
        snapshot_release(snapshot);
        return status;
    }
    snprintf(snapshot->commit, sizeof snapshot->commit, "%s", core->effective.commit);
    snapshot->generation = generation;
    snapshot->since = clock_seconds(core->parts.clock);
    choose_standard(core, snapshot);
    *out = snapshot;
    return STATUS_OK;
}

static bool same_documents(const struct snapshot *a, const struct snapshot *b)
{
    if (a->environment_count != b->environment_count)
        return false;
    for (size_t i = 0; i < a->environment_count; i++) {
        if (!text_equal(a->environments[i].name, b->environments[i].name) ||
            !document_equal(a->environments[i].document, b->environments[i].document))
            return false;
    }
    return true;
}

/* On one commit the overlay rises with whatever changes, also over a restart. */
static void raise_overlay(const struct snapshot *previous, struct snapshot *snapshot)
{
    struct generation *generation = &snapshot->generation;
    if (!previous || previous->generation.epoch != generation->epoch ||
        previous->generation.level != generation->level ||
        previous->generation.overlay < generation->overlay)
        return;
    generation->overlay = previous->generation.overlay + !same_documents(previous, snapshot);
}

/* --- targets --------------------------------------------------------------------------------- */

#define FIRST_RETRY (200 * NANOSECONDS_PER_MILLISECOND)
#define LONGEST_RETRY (30 * NANOSECONDS_PER_SECOND)

/* What is wrong with the definitions is not mended by trying again; what the machine lacks may be.
 */
static bool is_owed(enum status status)
{
    return status == STATUS_NO_MEMORY || status == STATUS_SYSTEM;
}

void core_trim(struct core *core)
{
    effective_trim(&core->effective);
    core->is_trimmed = true;
}

/* Definitions of targets live in the result until all are handed over. What is put in force once
 * more, after a tip that was held, has the targets that the fleet knows. */
static void hand_to_targets(struct core *core, struct snapshot *snapshot)
{
    if (core->is_trimmed) {
        fleet_give(core->parts.fleet, snapshot);
        return;
    }
    const struct clock *clock = core->parts.clock;
    const struct reconcile_result *result = &core->effective.result;
    enum status status =
        fleet_apply(core->parts.fleet, result->targets, result->target_count, snapshot);
    bool owed = is_owed(status);
    if (status != STATUS_OK) {
        core_count(core, &family_fleet_failures, NULL, 1);
        if (!owed || core->owing == 0) /* once, not every half a minute */
            log_event(LOG_LEVEL_ERROR, "targets_failed", "commit", snapshot->commit, "reason",
                      status == STATUS_LIMIT       ? "too many targets"
                      : status == STATUS_NO_MEMORY ? "no memory"
                                                   : "no thread",
                      "retried", owed ? "true" : "false", NULL);
    } else if (core->owing) {
        log_event(LOG_LEVEL_INFO, "targets_given", "commit", snapshot->commit, NULL);
    }
    core->owing = owed ? core->owing + (core->owing < UINT32_MAX) : 0;
    if (owed)
        core->retry_at = clock->monotonic(clock->self) +
                         clock_backoff(clock, core->owing, FIRST_RETRY, LONGEST_RETRY);
    core_gauge(core, &family_fleet_owing, NULL, owed);
}

int64_t core_retry(struct core *core)
{
    const struct clock *clock = core->parts.clock;
    if (!core->owing)
        return INT64_MAX;
    int64_t now = clock->monotonic(clock->self);
    if (now >= core->retry_at) {
        struct snapshot *snapshot = hub_acquire(core->parts.hub);
        hand_to_targets(core, snapshot);
        snapshot_release(snapshot);
        if (!core->owing) {
            core_trim(core);
            return INT64_MAX;
        }
    }
    return core->retry_at > now ? core->retry_at - now : 1;
}

/* --- publishing ------------------------------------------------------------------------------ */

/* Swaps what is served. *out is the new snapshot, with a reference. */
static enum status swap(struct core *core, struct snapshot **out, struct error *error)
{
    struct generation generation;
    struct snapshot *made = NULL;
    enum status status =
        mirror_generation(core->mirror, core->effective.commit, &generation, error);
    if (status != STATUS_OK)
        return status;
    generation.overlay = steering_overlay(core->steering);
    status = make_snapshot(core, generation, &made, error);
    if (status != STATUS_OK || !made)
        return status;
    struct snapshot *previous = hub_acquire(core->parts.hub);
    raise_overlay(previous, made);
    steering_raise(core->steering, made->generation.overlay);
    note_flags(core, previous, made);
    snapshot_release(previous);
    hub_publish(core->parts.hub, snapshot_reference(made));
    core->has_published = true;
    core_gauge(core, &family_snapshot_version, NULL,
               (int64_t)atomic_load(&core->parts.hub->version));
    *out = made;
    return STATUS_OK;
}

enum status core_publish(struct core *core, struct error *error)
{
    const char *commit = core->effective.commit;
    const struct reconcile_result *result = &core->effective.result;
    struct snapshot *snapshot = NULL;
    enum status status = swap(core, &snapshot, error);
    if (status != STATUS_OK || !snapshot)
        return status;
    /* Answers first: users have the new state before any target or disk is asked for anything. */
    struct error problem;
    if (mirror_set_accepted(core->mirror, commit, &problem) != STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "ref_failed", "commit", commit, "error", problem.message, NULL);
    hand_to_targets(core, snapshot);
    char text[GENERATION_TEXT_SIZE], environments[16], quarantined[16];
    generation_format(snapshot->generation, text);
    snprintf(environments, sizeof environments, "%zu", snapshot->environment_count);
    snprintf(quarantined, sizeof quarantined, "%zu", core->effective.inventory.quarantined.count);
    snapshot_release(snapshot);
    core_count(core, &family_commits, result->whole ? "served" : "quarantined", 1);
    log_event(result->whole ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "served", "commit", commit,
              "generation", text, "environments", environments, "quarantined", quarantined, NULL);
    return STATUS_OK;
}

bool core_republish(void *context)
{
    struct core *core = context;
    struct snapshot *snapshot = NULL;
    struct error error = {0};
    char text[GENERATION_TEXT_SIZE];
    if (swap(core, &snapshot, &error) != STATUS_OK || !snapshot) {
        if (!core->has_failed) /* it is tried several times a second */
            log_event(LOG_LEVEL_ERROR, "republish_failed", "error", error.message, NULL);
        core->has_failed = true;
        return false;
    }
    core->has_failed = false;
    if (core->owing)
        hand_to_targets(core, snapshot);
    else
        fleet_give(core->parts.fleet, snapshot);
    generation_format(snapshot->generation, text);
    log_event(LOG_LEVEL_WARN, "served", "commit", snapshot->commit, "generation", text, "overrides",
              steering_open(core->steering) ? "open" : "none", NULL);
    snapshot_release(snapshot);
    return true;
}

/* --- at the start ---------------------------------------------------------------------------- */

/* The kept snapshot with the overrides over it. */
static enum status dress(struct core *core, const struct snapshot *kept, struct snapshot **out,
                         struct error *error)
{
    struct snapshot *dressed = snapshot_new(kept->environment_count);
    enum status status = STATUS_OK;
    if (!dressed)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a snapshot");
    for (size_t i = 0; i < kept->environment_count && status == STATUS_OK; i++)
        status = fill(core, dressed, i, kept->environments[i].name, kept->environments[i].document,
                      error);
    if (status != STATUS_OK) {
        snapshot_release(dressed);
        return status;
    }
    memcpy(dressed->commit, kept->commit, sizeof dressed->commit);
    dressed->generation = kept->generation;
    dressed->since = kept->since;
    dressed->from_disk = true;
    choose_standard(core, dressed);
    raise_overlay(kept, dressed);
    *out = dressed;
    return STATUS_OK;
}

enum status core_resume(struct core *core, struct error *error)
{
    struct snapshot *kept = hub_acquire(core->parts.hub), *dressed = NULL;
    enum status status = STATUS_OK;
    if (kept && steering_open(core->steering)) {
        status = dress(core, kept, &dressed, error);
        if (status == STATUS_OK && dressed)
            hub_publish(core->parts.hub, dressed);
    }
    snapshot_release(kept);
    return status;
}
