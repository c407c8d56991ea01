/* Overrides of flags without a rollout: of those that were killed, and of watched ones that broke;
 * and what people ask of such flags. */
#include <stdlib.h>

#include "../log.h"
#include "../telemetry_families.h"
#include "flag_move.h"
#include "steering_watch.h"

/* --- where a flag stands ---------------------------------------------------------------------- */

const struct flag_pin *steering_flag_pin(const struct steering *steering, struct text environment,
                                         struct text flag)
{
    char name[2 * (STATE_NAME_MOST + 1)];
    snprintf(name, sizeof name, "%.*s/%.*s", (int)environment.length, environment.data,
             (int)flag.length, flag.data);
    return steering->parts.effective
               ? effective_pins_find(steering->parts.effective->pins, text_of(name))
               : NULL;
}

static const struct fragment *find_fragment(const struct steering *steering,
                                            struct text environment, struct text flag)
{
    const struct document *document =
        steering->parts.effective ? effective_document(steering->parts.effective, environment)
                                  : NULL;
    return document ? document_find(document, flag) : NULL;
}

bool steering_flag_is_overridden(const struct steering *steering, struct text environment,
                                 struct text flag)
{
    for (size_t i = 0; i < steering->overrides.count; i++) {
        const struct override *override = steering->overrides.items[i];
        if (override->rollout.length == 0 && text_equal(override->environment, environment) &&
            text_equal(override->flag, flag))
            return true;
    }
    return false;
}

static bool serves(const struct fragment *fragment, struct text json)
{
    struct buffer own;
    buffer_init(&own, 0);
    fragment_append_json(fragment, &own);
    bool same = !own.failed && text_equal(buffer_text(&own), json);
    buffer_dispose(&own);
    return same;
}

const char *steering_flag_is_over(const struct steering *steering, const struct override *override)
{
    const struct flag_pin *pin = steering_flag_pin(steering, override->environment, override->flag);
    const struct fragment *fragment =
        find_fragment(steering, override->environment, override->flag);
    if (pin && flag_pin_has_intent(pin, override->intent))
        return "recorded";
    if (pin && pin->is_killed)
        return "git says something safer";
    if (override->action == VERB_KILL)
        return fragment ? NULL : "the flag has ended";
    if (pin && pin->as_of.length)
        return "the flag is pinned";
    bool is_same = override_is_absence(override) ? !fragment
                                                 : fragment && serves(fragment, override->fragment);
    return is_same ? "git says the same" : NULL;
}

/* --- serving ---------------------------------------------------------------------------------- */

static void tell(const struct turn *turn, const struct override *override)
{
    const struct steering_parts *parts = &turn->steering->parts;
    char name[STATE_NAME_MOST + sizeof "flags/"], whole[2 * (STATE_NAME_MOST + 5)];
    snprintf(name, sizeof name, "flags/%.*s", (int) override->flag.length, override->flag.data);
    snprintf(whole, sizeof whole, "%.*s/%.100s", (int) override->environment.length,
             override->environment.data, name);
    const struct rollout rollout = {.name.text = text_of(name),
                                    .flag.text = override->flag,
                                    .environment.text = override->environment};
    const struct rollout_state state = {.seq = override->seq};
    const struct roster_rollout item = {
        .rollout = &rollout, .state = &state, .name = whole, .path = ""};
    struct walk_decision decision = {.kind =
                                         override->action == VERB_KILL ? WALK_KILL : WALK_ROLLBACK,
                                     .evidence = override->evidence};
    snprintf(decision.intent, sizeof decision.intent, "%.*s", (int) override->intent.length,
             override->intent.data);
    if (parts->tell)
        parts->tell(parts->context, &item, &decision, TEXT(""), override->by, override->note,
                    override->evidence);
}

enum status steering_flag_override(struct turn *turn, const struct override *from)
{
    struct steering *steering = turn->steering;
    struct error error = {0};
    char name[2 * (STATE_NAME_MOST + 1)], intent[INTENT_TEXT_SIZE], evidence[300];
    enum status status = steering_open_override(turn, from, &error);
    bool is_open = open_overrides_find(&steering->overrides, from->intent) != NULL;
    bool good = status == STATUS_OK;
    turn->has_opened = turn->has_opened || is_open;
    snprintf(name, sizeof name, "%.*s/%.*s", (int)from->environment.length, from->environment.data,
             (int)from->flag.length, from->flag.data);
    snprintf(intent, sizeof intent, "%.*s", (int)from->intent.length, from->intent.data);
    snprintf(evidence, sizeof evidence, "%.*s", (int)from->evidence.length,
             from->evidence.data ? from->evidence.data : "");
    log_event(good ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, good ? "override_opened" : "override_failed",
              "flag", name, "action", walk_verb_name(from->action), "intent", intent, "evidence",
              evidence, "error", good ? "" : error.message, NULL);
    series_add(telemetry_series(steering->parts.telemetry, &family_overrides_opened,
                                is_open ? "served" : "failed", NULL),
               1);
    if (!is_open)
        return status;
    tell(turn, from);
    turn->rollbacks += text_is(from->by, "weir");
    return STATUS_OK; /* the store's failure keeps nothing from users */
}

/* --- recording -------------------------------------------------------------------------------- */

static struct flag_move *new_move(struct turn *turn)
{
    struct proposal *proposal = turn->proposal;
    if (!proposal->flags)
        proposal->flags = ARENA_ARRAY(turn->arena, struct flag_move, FLAG_MOVES_MAX);
    if (!proposal->flags)
        return NULL;
    struct flag_move *move = &proposal->flags[proposal->flag_count];
    *move = (struct flag_move){.revert.parts.schemas = turn->steering->parts.schemas};
    return move;
}

static bool is_full(const struct turn *turn)
{
    return turn->proposal->flag_count == FLAG_MOVES_MAX;
}

/* What is known of when commits were served goes along. */
static bool copy_served(struct turn *turn, struct revert_task *task)
{
    const struct watches *watches = turn->steering->watches;
    size_t count = watches ? watches->served_count : 0;
    struct revert_served *served = ARENA_ARRAY(turn->arena, struct revert_served, count + 1);
    if (served && count)
        memcpy(served, watches->served, count * sizeof *served);
    task->served = served;
    task->served_count = count;
    return served != NULL;
}

/* Of a flag that is watched no more since it broke. */
#define BAKE_OTHERWISE INT64_C(3600)

enum status steering_flag_take_back(struct turn *turn, const struct override *override)
{
    struct arena *arena = turn->arena;
    const struct flag *flag = catalog_flag(roster_catalog(turn->steering->roster), override->flag);
    if (is_full(turn))
        return STATUS_OK;
    struct flag_move *move = new_move(turn);
    if (!move)
        return STATUS_NO_MEMORY;
    struct revert_task *task = &move->revert;
    move->takes_back = true;
    /* What was good when it broke: a long outage must not let the bad commit finish its bake. */
    task->now = override->since;
    task->bake = flag && flag->watched_count ? flag->watch_bake : BAKE_OTHERWISE;
    if (!copy_served(turn, task) || !arena_copy(arena, override->environment, &task->environment) ||
        !arena_copy(arena, override->flag, &task->flag) ||
        !arena_copy(arena, override->by, &task->by) ||
        !arena_copy(arena, override->evidence, &task->evidence) ||
        !arena_copy(arena, override->intent, &task->intent))
        return STATUS_NO_MEMORY;
    turn->proposal->flag_count++;
    return STATUS_OK;
}

static enum status add_pin(struct turn *turn, struct pin_task from)
{
    struct arena *arena = turn->arena;
    if (is_full(turn))
        return STATUS_OK;
    struct flag_move *move = new_move(turn);
    if (!move)
        return STATUS_NO_MEMORY;
    move->pin = from;
    if (!arena_copy(arena, from.environment, &move->pin.environment) ||
        !arena_copy(arena, from.flag, &move->pin.flag) ||
        !arena_copy(arena, from.by, &move->pin.by) ||
        !arena_copy(arena, from.reason, &move->pin.reason) ||
        !arena_copy(arena, from.intent, &move->pin.intent))
        return STATUS_NO_MEMORY;
    turn->proposal->flag_count++;
    return STATUS_OK;
}

enum status steering_flag_record(struct turn *turn)
{
    const struct open_overrides *overrides = &turn->steering->overrides;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < overrides->count && status == STATUS_OK; i++) {
        const struct override *override = overrides->items[i];
        if (override->rollout.length)
            continue;
        if (override->action == VERB_KILL)
            status = add_pin(turn, (struct pin_task){.verb = PIN_KILL,
                                                     .environment = override->environment,
                                                     .flag = override->flag,
                                                     .by = override->by,
                                                     .reason = override->note,
                                                     .intent = override->intent,
                                                     .now = override->since});
        else
            status = steering_flag_take_back(turn, override);
    }
    return status;
}

/* --- people ----------------------------------------------------------------------------------- */

bool steering_flag_has(const struct steering *steering, const struct steering_request *request)
{
    const struct flag_pin *pin = steering_flag_pin(steering, text_of(request->request.environment),
                                                   text_of(request->request.rollout));
    return pin && request->intent[0] && flag_pin_has_intent(pin, text_of(request->intent));
}

static void kill(struct turn *turn, struct steering_request *request, const struct flag_pin *pin)
{
    struct steering *steering = turn->steering;
    const struct desk_request *asked = &request->request;
    struct error error = {0};
    struct buffer fragment;
    struct override from = {.intent = text_of(request->intent),
                            .environment = text_of(asked->environment),
                            .flag = text_of(asked->rollout),
                            .action = VERB_KILL,
                            .seq = pin ? pin->seq : 0,
                            .by = text_of(asked->by),
                            .note = text_of(asked->note),
                            .since = turn->now};
    buffer_init(&fragment, 0);
    enum status status =
        steering_flag_preview_kill(steering, from.environment, from.flag, &fragment, &error);
    from.fragment = buffer_text(&fragment);
    if (status == STATUS_OK)
        status = steering_flag_override(turn, &from);
    if (status == STATUS_OK)
        steering_answer(steering, request, DESK_SERVED, "");
    else
        steering_answer(steering, request, DESK_FAILED,
                        error.message[0] ? error.message : "it could not be served");
    buffer_dispose(&fragment);
}

/* What Git does not know yet is recorded before it is lifted. */
static bool is_unrecorded(const struct steering *steering, const struct desk_request *asked)
{
    enum walk_verb_kind action = asked->verb == VERB_UNKILL ? VERB_KILL : VERB_ROLLBACK;
    for (size_t i = 0; i < steering->overrides.count; i++) {
        const struct override *override = steering->overrides.items[i];
        if (override->rollout.length == 0 && override->action == action &&
            text_is(override->environment, asked->environment) &&
            text_is(override->flag, asked->rollout))
            return true;
    }
    return false;
}

static void let_go(struct turn *turn, struct steering_request *request)
{
    const struct desk_request *asked = &request->request;
    enum pin_verb verb = asked->verb == VERB_UNKILL ? PIN_UNKILL : PIN_UNPIN;
    if (add_pin(turn, (struct pin_task){.verb = verb,
                                        .environment = text_of(asked->environment),
                                        .flag = text_of(asked->rollout),
                                        .by = text_of(asked->by),
                                        .reason = text_of(asked->note),
                                        .intent = text_of(request->intent),
                                        .now = turn->now}) != STATUS_OK)
        steering_answer(turn->steering, request, DESK_FAILED, "no memory");
}

static bool is_so(const struct flag_pin *pin, enum walk_verb_kind verb)
{
    if (verb == VERB_UNPIN)
        return !pin || !pin->as_of.length;
    return (verb == VERB_KILL) == (pin && pin->is_killed);
}

static bool is_for_flags(enum walk_verb_kind verb)
{
    return verb == VERB_KILL || verb == VERB_UNKILL || verb == VERB_UNPIN;
}

void steering_flag_answer(struct turn *turn, struct steering_request *request)
{
    struct steering *steering = turn->steering;
    const struct desk_request *asked = &request->request;
    struct text environment = text_of(asked->environment), flag = text_of(asked->rollout);
    const struct flag_pin *pin = steering_flag_pin(steering, environment, flag);
    bool is_kill = asked->verb == VERB_KILL;
    if (!pin && !find_fragment(steering, environment, flag)) {
        steering_answer(steering, request, DESK_REFUSED,
                        asked->verb == VERB_UNPIN ? "there is no such flag in force"
                                                  : "there is no such rollout in force");
    } else if (!is_for_flags(asked->verb)) {
        steering_answer(steering, request, DESK_REFUSED,
                        "there is no such rollout in force; a flag of that name can be killed, "
                        "unkilled and unpinned");
    } else if (!is_kill && is_unrecorded(steering, asked)) {
        return; /* until it is */
    } else if (is_so(pin, asked->verb)) {
        steering_answer(steering, request, DESK_NOTHING, "it is so already, or safer");
    } else if (flag_pin_intent(environment, flag, pin ? pin->seq : 0,
                               text_of(walk_verb_name(asked->verb)),
                               request->intent) != STATUS_OK) {
        steering_answer(steering, request, DESK_FAILED, "no memory");
    } else if (is_kill) {
        kill(turn, request, pin);
    } else {
        let_go(turn, request);
    }
}
