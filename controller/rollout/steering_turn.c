/* One turn: what people ask for, what is served already and not yet recorded, and what time and
 * measurements ask for, in this order. While the commit that was taken could not be published,
 * nothing is done but what makes users safer. */
#include <stdlib.h>

#include "../../rules/hash.h"
#include "../log.h"
#include "../telemetry_families.h"
#include "flag_move.h"
#include "steering_watch.h"

#define LONGEST_WAIT (60 * NANOSECONDS_PER_SECOND)
#define SOON (250 * NANOSECONDS_PER_MILLISECOND)
#define PROPOSED_WAIT (5 * NANOSECONDS_PER_SECOND)
#define HOUR 3600
#define REFUSALS_BORNE 3 /* in a row, before overrides are kept as refs of the remote */

/* --- the machine's question ------------------------------------------------------------------ */

/* Of a flag without a rollout whoever may write to a target can derive an intent for as many flags
 * as there are: what others tell of those would spend the cap. */
static bool is_automatic(const struct override *override)
{
    return override->rollout.length ? override_is_automatic(override->by)
                                    : text_is(override->by, "weir");
}

uint32_t steering_count_rollbacks(struct turn *turn)
{
    struct steering *steering = turn->steering;
    struct error error;
    if (turn->has_counted)
        return turn->rollbacks;
    turn->has_counted = true;
    if (move_count_rollbacks(steering->parts.mirror, steering->commit, turn->now - HOUR,
                             &turn->rollbacks, &error) != STATUS_OK) {
        log_event(LOG_LEVEL_ERROR, "log_unreadable", "commit", steering->commit, "error",
                  error.message, NULL);
        turn->rollbacks = 0;
    }
    for (size_t i = 0; i < steering->overrides.count; i++) {
        const struct override *override = steering->overrides.items[i];
        turn->rollbacks += is_automatic(override) && override->since >= turn->now - HOUR &&
                           override->since <= turn->now + WALK_CLOCK_AHEAD;
    }
    return turn->rollbacks;
}

static bool may_break(const struct metrics_view *known)
{
    for (size_t i = 0; i < known->gate_count; i++) {
        if (known->gates[i].verdict == WALK_FAILURE || known->gates[i].silent)
            return true;
    }
    return false;
}

enum status steering_ask(struct turn *turn, size_t index, const struct roster_rollout *measured,
                         struct walk_task *task)
{
    struct steering *steering = turn->steering;
    const struct steering_measures *measures = &steering->parts.measures;
    struct stance *stance = &turn->stances[index];
    const struct roster_rollout *item = &steering->roster->items[index];
    enum status status = STATUS_OK;
    roster_task(item, turn->now, task);
    stance->known = (struct metrics_view){0};
    if (measures->view && measured)
        status = measures->view(measures->self, measured, turn->now, turn->arena, &stance->known);
    task->gates = stance->known.gates;
    task->gate_count = stance->known.gate_count;
    task->ratio_mismatch = stance->known.ratio_mismatch;
    task->ratio_evidence = stance->known.ratio_evidence;
    task->clock_drift = steering->clock_drift;
    task->targets_behind = !steering->has_published || !steering_is_exposed(steering, index);
    task->blast_cap = steering->parts.blast_cap;
    if (may_break(&stance->known))
        task->automatic_rollbacks = steering_count_rollbacks(turn);
    return status;
}

/* Whose evidence it is: after a move nothing is known. */
static const struct roster_rollout *of_tip(const struct turn *turn, size_t index)
{
    return turn->stances[index].has_moved ? NULL : &turn->steering->roster->items[index];
}

/* --- moves ----------------------------------------------------------------------------------- */

bool steering_add_move(struct turn *turn, size_t index, const struct walk_decision *decision,
                       struct text by, struct text reason, struct text evidence)
{
    struct proposal *proposal = turn->proposal;
    struct stance *stance = &turn->stances[index];
    if (proposal->count == PROPOSAL_MOVES_MAX) {
        turn->is_full = true; /* the rest is decided on the next tip */
        return true;
    }
    if (proposal->count == turn->move_size) {
        size_t size = turn->move_size ? turn->move_size * 2 : 16;
        struct move *moves = ARENA_ARRAY(turn->arena, struct move, size);
        if (!moves)
            return false;
        if (proposal->count)
            memcpy(moves, proposal->moves, proposal->count * sizeof *moves);
        proposal->moves = moves;
        turn->move_size = size;
    }
    struct walk_decision *kept = ARENA_NEW(turn->arena, struct walk_decision);
    struct move *move = &proposal->moves[proposal->count];
    *move = (struct move){.item = &turn->steering->roster->items[index],
                          .before = stance->state,
                          .decision = kept,
                          .decided = turn->now};
    if (!kept || !arena_copy(turn->arena, by, &move->by) ||
        !arena_copy(turn->arena, reason, &move->reason) ||
        !arena_copy(turn->arena, evidence, &move->evidence))
        return false;
    *kept = *decision;
    proposal->count++;
    stance->state = decision->state;
    stance->has_moved = true;
    return true;
}

/* --- people ---------------------------------------------------------------------------------- */

static void join_reasons(const struct walk_decision *decision, char out[DESK_TEXT_SIZE])
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < decision->reason_count && length < DESK_TEXT_SIZE - 1; i++) {
        const struct walk_reason *reason = &decision->reasons[i];
        char until[TIME_TEXT_SIZE] = "";
        if (reason->until != WALK_NEVER) /* the words have it by the rollout's own clock */
            time_format(reason->until, until);
        int written = snprintf(out + length, DESK_TEXT_SIZE - length, "%s%.*s%s%s%s", i ? "; " : "",
                               (int)reason->words.length, reason->words.data,
                               until[0] ? " (until " : "", until, until[0] ? ")" : "");
        length += written > 0 ? (size_t)written : 0;
    }
}

static bool find_item(const struct steering *steering, const struct desk_request *request,
                      size_t *index)
{
    char name[2 * DESK_NAME_SIZE];
    snprintf(name, sizeof name, "%s/%s", request->environment, request->rollout);
    const struct roster_rollout *item =
        steering->roster ? roster_find(steering->roster, text_of(name)) : NULL;
    *index = item ? (size_t)(item - steering->roster->items) : 0;
    return item != NULL;
}

/* The decision on a request. */
static enum status decide_verb(struct turn *turn, size_t index, const struct desk_request *request,
                               struct walk_decision *decision)
{
    struct steering *steering = turn->steering;
    struct walk_task task;
    struct error error;
    struct walk_verb verb = {.kind = request->verb, .lifts = request->lifts};
    bool goes_back = verb.kind == VERB_STEP_BACK || verb.kind == VERB_ROLLBACK ||
                     verb.kind == VERB_KILL; /* asked twice it is one */
    enum status status = STATUS_OK;
    if (!goes_back) /* what else is asked is asked of what is served */
        status = steering_record(turn, &steering->roster->items[index]);
    if (status == STATUS_OK)
        status = steering_ask(turn, index, of_tip(turn, index), &task);
    if (status == STATUS_OK && (!arena_copy(turn->arena, text_of(request->by), &verb.by) ||
                                !arena_copy(turn->arena, text_of(request->note), &verb.note)))
        status = STATUS_NO_MEMORY;
    if (status == STATUS_OK && request->verb == VERB_APPROVE)
        status = move_bar_author(steering->parts.mirror, steering->commit, steering->roster,
                                 &steering->roster->items[index], verb.by, &task, &error);
    return status == STATUS_OK
               ? walk_verb(&task, turn->stances[index].state, &verb, turn->arena, decision)
               : status;
}

static void carry_out(struct turn *turn, size_t index, struct steering_request *request,
                      const struct walk_decision *decision)
{
    struct steering *steering = turn->steering;
    struct text by = text_of(request->request.by), note = text_of(request->request.note);
    snprintf(request->intent, sizeof request->intent, "%s", decision->intent);
    /* Its record follows with those of all open overrides. */
    if (decision->needs_override && steering_serve(turn, index, decision, by, note) == STATUS_OK)
        steering_answer(steering, request, DESK_SERVED, "");
    else if (!steering_add_move(turn, index, decision, by, note, decision->evidence))
        steering_answer(steering, request, DESK_FAILED, "no memory");
}

static void answer_request(struct turn *turn, struct steering_request *request)
{
    struct steering *steering = turn->steering;
    char words[DESK_TEXT_SIZE];
    struct walk_decision decision;
    size_t index;
    if (request->request.state != DESK_WAITING ||
        (!steering->has_published && !desk_exposes_nobody(request->request.verb)))
        return;
    if (request->request.verb == VERB_UNPIN || !find_item(steering, &request->request, &index)) {
        steering_flag_answer(turn, request);
        return;
    }
    if (decide_verb(turn, index, &request->request, &decision) != STATUS_OK) {
        steering_answer(steering, request, DESK_FAILED, "it could not be decided");
        return;
    }
    join_reasons(&decision, words);
    if (decision.kind == WALK_REFUSE)
        steering_answer(steering, request, DESK_REFUSED, words);
    else if (!decision.state)
        steering_answer(steering, request, DESK_NOTHING, "it is so already, or safer");
    else
        carry_out(turn, index, request, &decision);
}

static void answer_people(struct turn *turn)
{
    struct steering *steering = turn->steering;
    for (size_t i = 0; i < steering->request_count; i++)
        answer_request(turn, &steering->requests[i]);
    steering_sweep(steering);
}

/* --- what time and measurements ask for ------------------------------------------------------- */

/* People are told once a move that it waits for them. */
static void tell_wait(struct turn *turn, size_t index)
{
    struct steering *steering = turn->steering;
    const struct walk_decision *decision = &turn->stances[index].decision;
    struct steering_exposure *exposure =
        index < steering->exposure_count ? &steering->exposures[index] : NULL;
    if (decision->kind != WALK_WAIT || !steering->parts.tell || !exposure || exposure->has_told)
        return;
    for (size_t i = 0; i < decision->reason_count; i++)
        exposure->has_told = exposure->has_told || decision->reasons[i].cause == WAIT_APPROVALS;
    if (exposure->has_told)
        steering->parts.tell(steering->parts.context, &steering->roster->items[index], decision,
                             TEXT(""), TEXT(""), TEXT(""), TEXT(""));
}

static enum status act(struct turn *turn, size_t index)
{
    const struct stance *stance = &turn->stances[index];
    const struct walk_decision *decision = &stance->decision;
    if (!turn->steering->has_published && !decision->needs_override)
        return STATUS_OK;
    tell_wait(turn, index);
    if (!decision->state)
        return STATUS_OK;
    if (decision->needs_override) {
        enum status status = steering_serve(turn, index, decision, TEXT("weir"), TEXT(""));
        if (status == STATUS_NO_MEMORY)
            return status;
        turn->rollbacks++; /* what cannot be served here is said to the others */
    }
    if (!decision->needs_commit)
        return STATUS_OK;
    return steering_add_move(turn, index, decision, TEXT("weir"), TEXT(""), decision->evidence)
               ? STATUS_OK
               : STATUS_NO_MEMORY;
}

/* What is decided of a rollout may not be on the branch for long, and what is served of it may be
 * too much: it is measured where it stands by then, and a breach there that asks for less than is
 * served is served too. Nothing else is done about such a rollout. */
static enum status take_further(struct turn *turn, size_t index)
{
    struct steering *steering = turn->steering;
    const struct roster_rollout *stands = turn->stances[index].stands;
    const struct rollout_state *state = stands == &steering->roster->items[index]
                                            ? steering_state(steering, index, turn->arena)
                                            : stands->state;
    struct walk_decision decision;
    struct walk_task task;
    enum status status = state ? steering_ask(turn, index, stands, &task) : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = walk_tick(&task, state, turn->arena, &decision);
    if (status != STATUS_OK || !decision.needs_override ||
        open_overrides_find(&steering->overrides, text_of(decision.intent)))
        return status;
    status = steering_serve(turn, index, &decision, TEXT("weir"), TEXT(""));
    if (status != STATUS_OK)
        return status == STATUS_NO_MEMORY ? status : STATUS_OK;
    turn->rollbacks++;
    return steering_record(turn, &steering->roster->items[index]);
}

static enum status tick(struct turn *turn, size_t index)
{
    struct steering *steering = turn->steering;
    const struct roster_rollout *item = &steering->roster->items[index];
    struct stance *stance = &turn->stances[index];
    struct walk_task task;
    const struct override *open = open_overrides_of(
        &steering->overrides, item->rollout->environment.text, item->rollout->name.text);
    enum status status = steering_ask(turn, index, of_tip(turn, index), &task);
    if (status == STATUS_OK)
        status = walk_tick(&task, stance->state, turn->arena, &stance->decision);
    if (open && open->action != VERB_STEP_BACK)
        return status; /* nobody is on the variant, whose silence says nothing now */
    if (status == STATUS_OK && (open || stance->has_moved))
        return take_further(turn, index);
    if (status != STATUS_OK || turn->is_full)
        return status;
    status = act(turn, index);
    if (stance->decision.next < turn->next)
        turn->next = stance->decision.next;
    return status;
}

struct order {
    size_t index;
    int64_t since;
};

/* The latest moved first: of several that break at once the blast cap lets those walk back. */
static int by_since(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    return x->since != y->since ? (x->since < y->since ? 1 : -1)
                                : (x->index > y->index) - (x->index < y->index);
}

static enum status tick_all(struct turn *turn)
{
    const struct roster *roster = turn->steering->roster;
    struct order *orders = ARENA_ARRAY(turn->arena, struct order, roster->count + 1);
    enum status status = orders ? STATUS_OK : STATUS_NO_MEMORY;
    for (size_t i = 0; i < roster->count && orders; i++)
        orders[i] = (struct order){i, roster->items[i].state->since};
    if (orders && roster->count)
        qsort(orders, roster->count, sizeof *orders, by_since);
    for (size_t i = 0; i < roster->count && status == STATUS_OK; i++)
        status = tick(turn, orders[i].index);
    return status;
}

/* --- the proposal ---------------------------------------------------------------------------- */

static uint64_t find_key(const struct turn *turn)
{
    const struct proposal *proposal = turn->proposal;
    uint64_t key = hash_text_seeded(text_of(proposal->tip), (uint64_t)(turn->now / 60));
    for (size_t i = 0; i < proposal->count; i++)
        key = hash_text_seeded(text_of(proposal->moves[i].decision->intent), key);
    for (size_t i = 0; i < proposal->flag_count; i++)
        key = hash_text_seeded(flag_move_intent(&proposal->flags[i]), key);
    return key;
}

/* A branch that says no for long is no place for what must not get lost. */
static void add_overrides(struct turn *turn)
{
    struct steering *steering = turn->steering;
    struct open_overrides *open = &steering->overrides;
    struct proposal *proposal = turn->proposal;
    bool says_no =
        steering->last_outcome == RECORDER_REFUSED || steering->last_outcome == RECORDER_HELD;
    if (steering->failures < REFUSALS_BORNE || !says_no || open->count == 0)
        return;
    proposal->overrides = ARENA_ARRAY(turn->arena, struct override *, open->count);
    for (size_t i = 0; i < open->count && proposal->overrides; i++)
        proposal->overrides[proposal->override_count++] = override_reference(open->items[i]);
}

/* Hands it over, unless the git thread has the same already, or is not to be asked yet. */
static void propose(struct turn *turn)
{
    struct steering *steering = turn->steering;
    struct proposal *proposal = turn->proposal;
    const struct clock *clock = steering->parts.clock;
    if (!steering->parts.propose)
        return;
    proposal->key = find_key(turn);
    if (proposal->count == 0 && proposal->flag_count == 0) {
        if (steering->is_proposed)
            steering->parts.propose(steering->parts.context, NULL);
        steering->is_proposed = false;
        return;
    }
    if ((steering->is_proposed && steering->proposed == proposal->key) ||
        (!turn->has_opened && clock->monotonic(clock->self) < steering->retry_at))
        return;
    add_overrides(turn);
    proposal->is_held = steering->held[0] != '\0';
    steering->is_proposed = true;
    steering->proposed = proposal->key;
    turn->proposal = NULL;
    steering->parts.propose(steering->parts.context, proposal);
}

static bool begin_turn(struct turn *turn)
{
    struct steering *steering = turn->steering;
    struct proposal *proposal = calloc(1, sizeof *proposal);
    turn->proposal = proposal;
    if (!proposal)
        return false;
    arena_init(&proposal->arena, 0);
    proposal->roster = roster_reference(steering->roster);
    memcpy(proposal->tip, steering->commit, sizeof proposal->tip);
    turn->arena = &proposal->arena;
    turn->stances = ARENA_ARRAY(turn->arena, struct stance, steering->roster->count + 1);
    const struct roster_rollout **stand = steering_stand(steering, turn->arena);
    bool good = turn->stances && stand;
    for (size_t i = 0; i < steering->roster->count && good; i++) {
        turn->stances[i].stands = stand[i];
        turn->stances[i].state = steering_state(steering, i, turn->arena);
        good = turn->stances[i].state != NULL;
    }
    return good;
}

static int64_t next_turn(const struct turn *turn, bool soon)
{
    const struct steering *steering = turn->steering;
    const struct clock *clock = steering->parts.clock;
    int64_t wait = LONGEST_WAIT;
    if (turn->next != WALK_NEVER && turn->next - turn->now < wait / NANOSECONDS_PER_SECOND)
        wait = (turn->next - turn->now) * NANOSECONDS_PER_SECOND;
    if (steering->is_proposed && wait > PROPOSED_WAIT)
        wait = PROPOSED_WAIT;
    int64_t retry = steering->retry_at - clock->monotonic(clock->self);
    if (!steering->is_proposed && retry > 0 && retry < wait)
        wait = retry;
    if (soon && wait > SOON)
        wait = SOON;
    return wait > 0 ? wait : 1;
}

int64_t steering_turn(struct steering *steering)
{
    struct turn turn = {
        .steering = steering, .now = clock_seconds(steering->parts.clock), .next = WALK_NEVER};
    bool soon = false;
    steering_check_mail(steering);
    steering_check_clocks(steering);
    steering_collect(steering);
    steering_settle_requests(steering, NULL);
    if (!steering->roster)
        return LONGEST_WAIT;
    steering_pay(steering);
    bool changed = steering->overrides.changes != steering->stood;
    steering_check_exposure(steering, changed, &soon);
    enum status status = begin_turn(&turn) ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        answer_people(&turn);
        status = steering_record(&turn, NULL);
    }
    if (status == STATUS_OK)
        status = tick_all(&turn);
    if (status == STATUS_OK)
        status = steering_watch_turn(&turn);
    if (status == STATUS_OK)
        status = steering_flag_record(&turn);
    if (turn.has_opened)
        steering_republish(steering);
    if (status == STATUS_OK)
        steering_show(steering, &turn);
    if (status == STATUS_OK)
        propose(&turn);
    else
        log_event(LOG_LEVEL_ERROR, "turn_failed", "error", "no memory", NULL);
    int64_t wait = next_turn(&turn, soon || turn.is_soon || turn.has_opened || steering->is_owed ||
                                        !steering->has_published || status != STATUS_OK);
    proposal_free(turn.proposal);
    return wait;
}
