/* What a turn serves before Git says it, and the record of all that is served so. */
#include "../log.h"
#include "../telemetry_families.h"
#include "steering_watch.h"

/* --- overrides ------------------------------------------------------------------------------- */

static enum walk_verb_kind action_of(enum walk_kind kind)
{
    return kind == WALK_KILL ? VERB_KILL : kind == WALK_ROLLBACK ? VERB_ROLLBACK : VERB_STEP_BACK;
}

enum status steering_open_override(struct turn *turn, const struct override *from,
                                   struct error *error)
{
    struct steering *steering = turn->steering;
    struct override named = override_words(from);
    steering_name_generation(steering, named.generation);
    struct override *override = override_new(&named);
    if (!override)
        return error_set(error, STATUS_NO_MEMORY, "no memory for an override");
    enum status status = open_overrides_open(&steering->overrides, override, error);
    steering_compose(steering, override);
    override_release(override);
    return status;
}

static enum status open_it(struct turn *turn, size_t index, const struct walk_decision *decision,
                           struct text by, struct text note, struct text fragment,
                           struct error *error)
{
    struct steering *steering = turn->steering;
    const struct roster_rollout *item = &steering->roster->items[index];
    struct override from = {.intent = text_of(decision->intent),
                            .environment = item->rollout->environment.text,
                            .flag = item->rollout->flag.text,
                            .rollout = item->rollout->name.text,
                            .action = action_of(decision->kind),
                            .run = decision->state->run,
                            .seq = decision->state->seq - 1, /* before it */
                            .by = by,
                            .note = note,
                            .evidence = decision->evidence,
                            .fragment = fragment,
                            .since = turn->now};
    enum status status =
        steering_name_after(item, turn->stances[index].stands, decision, turn->arena, &from.after);
    return status == STATUS_OK ? steering_open_override(turn, &from, error)
                               : error_set(error, status, "no memory for an override");
}

static void log_opened(const struct turn *turn, size_t index, const struct walk_decision *decision,
                       struct text by, enum status status, const struct error *error)
{
    char evidence[300], who[100];
    bool good = status == STATUS_OK;
    snprintf(evidence, sizeof evidence, "%.*s", (int)decision->evidence.length,
             decision->evidence.data ? decision->evidence.data : "");
    snprintf(who, sizeof who, "%.*s", (int)by.length, by.data);
    log_event(good ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, good ? "override_opened" : "override_failed",
              "rollout", turn->steering->roster->items[index].name, "action",
              walk_kind_name(decision->kind), "intent", decision->intent, "by", who, "evidence",
              evidence, "error", good ? "" : error->message, NULL);
}

enum status steering_serve(struct turn *turn, size_t index, const struct walk_decision *decision,
                           struct text by, struct text note)
{
    struct error error = {0};
    struct buffer fragment;
    buffer_init(&fragment, 0);
    enum status status = steering_preview(turn->steering, &turn->steering->roster->items[index],
                                          decision->state, &fragment, &error);
    if (status == STATUS_OK)
        status = open_it(turn, index, decision, by, note, buffer_text(&fragment), &error);
    buffer_dispose(&fragment);
    bool is_open =
        open_overrides_find(&turn->steering->overrides, text_of(decision->intent)) != NULL;
    turn->has_opened = turn->has_opened || is_open;
    log_opened(turn, index, decision, by, status, &error);
    const struct steering_parts *parts = &turn->steering->parts;
    if (is_open && parts->tell)
        parts->tell(parts->context, &turn->steering->roster->items[index], decision, TEXT(""), by,
                    note, decision->evidence);
    series_add(telemetry_series(turn->steering->parts.telemetry, &family_overrides_opened,
                                is_open ? "served" : "failed", NULL),
               1);
    return is_open ? STATUS_OK : status; /* the store's failure keeps nothing from users */
}

/* --- what is served, and Git does not say yet ------------------------------------------------- */

/* One of the moves that an override comes to; what it comes after has evidence of its own. */
static enum status record_move(struct turn *turn, size_t index, const struct override *override,
                               size_t at)
{
    struct walk_verb verb;
    bool is_own = at + 1 == override_move_count(override);
    struct walk_decision decision = {0};
    struct walk_task task;
    enum status status = steering_copy_move(override, at, turn->arena, &verb);
    if (status == STATUS_OK)
        status = steering_ask(turn, index, NULL, &task);
    if (status == STATUS_OK)
        status = walk_verb(&task, turn->stances[index].state, &verb, turn->arena, &decision);
    if (status != STATUS_OK || !decision.state)
        return status;
    return steering_add_move(turn, index, &decision, verb.by, verb.note,
                             is_own ? override->evidence : TEXT(""))
               ? STATUS_OK
               : STATUS_NO_MEMORY;
}

static enum status record_override(struct turn *turn, const struct override *override)
{
    struct steering *steering = turn->steering;
    char name[2 * DESK_NAME_SIZE + 64];
    snprintf(name, sizeof name, "%s/%s", override->environment.data, override->rollout.data);
    const struct roster_rollout *item =
        override->rollout.length ? roster_find(steering->roster, text_of(name)) : NULL;
    if (!item || rollout_state_has_intent(item->state, override->intent))
        return STATUS_OK;
    size_t index = (size_t)(item - steering->roster->items);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < override_move_count(override) && status == STATUS_OK; i++)
        status = record_move(turn, index, override, i);
    return status;
}

enum status steering_record(struct turn *turn, const struct roster_rollout *item)
{
    struct open_overrides *overrides = &turn->steering->overrides;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < overrides->count && status == STATUS_OK; i++) {
        const struct override *override = overrides->items[i];
        if (!item || (text_equal(override->environment, item->rollout->environment.text) &&
                      text_equal(override->rollout, item->rollout->name.text)))
            status = record_override(turn, override);
    }
    return status;
}
