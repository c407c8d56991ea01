/* GET /status: what is served, what Git says, what the targets hold, and every fault with its
 * place. */
#include "../rules/json.h"
#include "core_private.h"
#include "status_write.h"

#define STATUS_TARGETS 1024

/* The members that belong to Git; the lock is held. */
static void write_repository(struct buffer *out, const struct core *core)
{
    buffer_append_string(out, ",\"faults\":[");
    size_t shown =
        core->faults.count < DIAGNOSTICS_PRINTED ? core->faults.count : DIAGNOSTICS_PRINTED;
    for (size_t i = 0; i < shown; i++) {
        if (i)
            buffer_append_char(out, ',');
        diagnostic_write_json(out, &core->faults.items[i]);
    }
    buffer_printf(out, "],\"errors\":%zu,\"lastFetch\":{", core->faults.errors);
    status_write_member(out, "error", core->fetch_problem);
    buffer_printf(out, ",\"failures\":%u,", core->fetch_failures);
    status_write_time(out, "succeeded", core->last_success);
    buffer_append_char(out, ',');
    status_write_time(out, "tried", core->last_attempt);
    buffer_append_string(out, "},\"quarantined\":[");
    buffer_append_text(out, buffer_text(&core->quarantined));
    buffer_printf(out, "],\"quarantinedCount\":%zu,", core->quarantined_count);
    status_write_member(out, "tip", core->tip);
    buffer_printf(out, ",\"tipServed\":%s,\"tipWhole\":%s,\"warnings\":%zu",
                  core->tip_is_served ? "true" : "false", core->tip_is_whole ? "true" : "false",
                  core->faults.warnings);
}

static void write_target(struct buffer *out, const struct target_status *target)
{
    buffer_append_char(out, '{');
    status_write_member(out, "commit", target->commit);
    buffer_append_char(out, ',');
    status_write_member(out, "digest", target->digest);
    buffer_append_char(out, ',');
    status_write_member(out, "environment", target->environment);
    buffer_printf(out, ",\"failures\":%u,", target->failures);
    if (target->problem[0]) {
        buffer_append_string(out, "\"fault\":{");
        status_write_member(out, "code", target->code);
        buffer_printf(out, ",\"column\":%u,\"line\":%u,", target->column, target->line);
        status_write_member(out, "message", target->problem);
        buffer_append_char(out, ',');
        status_write_member(out, "path", target->path);
        buffer_append_string(out, "},");
    }
    status_write_member(out, "generation", target->generation);
    buffer_append_char(out, ',');
    if (target->held[0]) {
        buffer_append_string(out, "\"held\":{");
        status_write_member(out, "generation", target->held);
        buffer_append_char(out, ',');
        status_write_time(out, "since", target->held_since);
        buffer_append_string(out, "},");
    }
    status_write_time(out, "lastSuccess", target->last_success);
    buffer_append_char(out, ',');
    buffer_printf(out, "\"merged\":%s,", target->merged ? "true" : "false");
    status_write_member(out, "name", target->name);
    buffer_append_char(out, ',');
    if (target->unservable) {
        buffer_printf(out, "\"overrides\":{\"unservable\":%zu,", target->unservable);
        status_write_member(out, "message", target->override_problem);
        buffer_append_string(out, "},");
    }
    status_write_member(out, "state", target_condition_name(target->condition));
    buffer_append_char(out, ',');
    status_write_member(out, "type", target->type);
    buffer_append_char(out, '}');
}

static void write_targets(struct buffer *out, struct fleet *fleet)
{
    struct target_status *targets = calloc(STATUS_TARGETS, sizeof *targets);
    buffer_append_string(out, ",\"targets\":[");
    if (targets) {
        size_t count = fleet_status(fleet, targets, STATUS_TARGETS);
        for (size_t i = 0; i < count && i < STATUS_TARGETS; i++) {
            if (i)
                buffer_append_char(out, ',');
            write_target(out, &targets[i]);
        }
    } else if (!out->failed) {
        out->failed = STATUS_NO_MEMORY;
    }
    free(targets);
    buffer_append_char(out, ']');
}

/* --- what became of the tip ------------------------------------------------------------------ */

/* Entries that only somebody's reference keeps are no definitions. */
static size_t count_definitions(const struct inventory *inventory)
{
    size_t count = 0;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        for (size_t i = 0; i < inventory->kinds[kind].count; i++) {
            const struct entry *entry = inventory->kinds[kind].items[i];
            count += entry->wanted || entry->in_force;
        }
    return count;
}

/* The first error speaks. */
static void write_reason(const struct diagnostics *faults, char *out, size_t size)
{
    snprintf(out, size, "it holds nothing to serve");
    for (size_t i = 0; i < faults->count; i++) {
        const struct diagnostic *item = &faults->items[i];
        if (item->severity != SEVERITY_ERROR)
            continue;
        snprintf(out, size, "%.*s", (int)(item->message.length < 200 ? item->message.length : 200),
                 item->message.data);
        return;
    }
}

void core_judgement(struct core *core, struct core_judgement *out)
{
    struct snapshot *snapshot = hub_acquire(core->parts.hub);
    *out = (struct core_judgement){0};
    pthread_mutex_lock(&core->lock);
    out->is_served = core->tip_is_served;
    out->is_whole = core->tip_is_whole;
    out->errors = core->faults.errors;
    out->warnings = core->faults.warnings;
    out->quarantined = core->quarantined_count;
    if (!out->is_served)
        write_reason(&core->faults, out->reason, sizeof out->reason);
    if (out->is_served && snapshot && strcmp(snapshot->commit, core->tip) == 0)
        out->since = snapshot->since;
    pthread_mutex_unlock(&core->lock);
    if (out->quarantined)
        out->definitions = count_definitions(&core->effective.inventory);
    snapshot_release(snapshot);
}

/* Where what is served comes from: the disk, until a commit has been put in force. Of the same
 * snapshot as the commit beside it: in the meantime there may be another. */
static void write_source(struct buffer *out, const struct snapshot *snapshot)
{
    const char *source = !snapshot ? "null" : snapshot->from_disk ? "\"disk\"" : "\"git\"";
    buffer_printf(out, ",\"source\":%s", source);
}

void core_write_status(struct core *core, struct buffer *out)
{
    struct snapshot *snapshot = hub_acquire(core->parts.hub);
    buffer_append_char(out, '{');
    status_write_served(out, snapshot);
    write_source(out, snapshot);
    pthread_mutex_lock(&core->lock);
    write_repository(out, core);
    pthread_mutex_unlock(&core->lock);
    write_targets(out, core->parts.fleet);
    steering_write_status(core->steering, out);
    buffer_append_string(out, ",\"version\":\"" WEIR_VERSION "\"}\n");
    snapshot_release(snapshot);
}
