#include "move.h"

#include <stdio.h>
#include <stdlib.h>

#include "../clock.h"
#include "../git/decide.h"

/* --- words ----------------------------------------------------------------------------------- */

/* Where a state stands, in one word: its phase while it is in one, else its course. */
static struct text standing(const struct rollout_state *state)
{
    if (state->course == COURSE_RUNNING && state->phase < state->plan.count)
        return state->plan.items[state->phase].name;
    return text_of(rollout_course_name(state->course));
}

/* What an approval is about: the phase that would begin next, or the one that is held. */
static struct text approved_phase(const struct rollout_state *state)
{
    size_t index = 0;
    if (state->course == COURSE_RUNNING)
        index = state->phase + (rollout_state_status(state) == ROLLOUT_HELD ? 0 : 1);
    return index < state->plan.count ? state->plan.items[index].name : standing(state);
}

/* The subject of what is no revert. */
static void write_subject(const struct move *move, struct buffer *out)
{
    const struct walk_decision *decision = move->decision;
    const struct rollout_state *after = decision->state;
    struct text phase = standing(after);
    const char *name = move->item->name;
    int length = (int)(phase.length < 64 ? phase.length : 64);
    switch (decision->kind) {
    case WALK_START:
        buffer_printf(out, "Start %s at %.*s", name, length, phase.data);
        break;
    case WALK_ADVANCE:
        buffer_printf(out, "Advance %s to %.*s", name, length, phase.data);
        break;
    case WALK_COMPLETE:
        buffer_printf(out, "Complete %s", name);
        break;
    case WALK_OPEN_WINDOW:
        buffer_printf(out, "Let %s grow on in %.*s", name, length, phase.data);
        break;
    case WALK_CLOSE_WINDOW:
        buffer_printf(out, "Let %s stand in %.*s: the calendar closed", name, length, phase.data);
        break;
    case WALK_REPLAN:
        buffer_printf(out, "Plan %s anew behind %.*s", name, length, phase.data);
        break;
    case WALK_PAUSE:
        buffer_printf(out, "Pause %s in %.*s", name, length, phase.data);
        break;
    case WALK_HOLD:
        if (decision->hold == HOLD_HALT)
            buffer_printf(out, "Halt %s in %.*s", name, length, phase.data);
        else
            buffer_printf(out, "Hold %s in %.*s: %s", name, length, phase.data,
                          hold_reason_name(decision->hold));
        break;
    case WALK_RESUME:
        if (after->run != move->before->run)
            buffer_printf(out, "Resume %s at %.*s as run %u", name, length, phase.data, after->run);
        else
            buffer_printf(out, "Resume %s in %.*s", name, length, phase.data);
        break;
    case WALK_APPROVE:
        phase = approved_phase(after);
        length = (int)(phase.length < 64 ? phase.length : 64);
        buffer_printf(out, "Approve %.*s of %s", length, phase.data, name);
        break;
    case WALK_STEP_BACK:
        buffer_printf(out, "Step %s back to %.*s", name, length, phase.data);
        break;
    case WALK_ROLLBACK:
        buffer_printf(out, "Roll %s back", name);
        break;
    case WALK_KILL:
        buffer_printf(out, "Kill %s", name);
        break;
    case WALK_UNKILL:
        buffer_printf(out, "Unkill %s", name);
        break;
    case WALK_NONE:
    case WALK_WAIT:
    case WALK_REFUSE:
        break;
    }
}

/* --- what is undone -------------------------------------------------------------------------- */

static bool enters_a_phase(const struct move_advance *advance)
{
    return advance->kind != WALK_OPEN_WINDOW && advance->kind != WALK_COMPLETE;
}

/* Leaves what this move undoes in `advances`: all, or those since the phase was entered. */
static enum status find_undone(struct mirror *mirror, const char *head, const struct move *move,
                               struct move_advances *advances, struct error *error)
{
    enum status status =
        move_advances(mirror, head, move->item->path, move->before->run, advances, error);
    if (status != STATUS_OK || move->decision->kind == WALK_ROLLBACK)
        return status;
    for (size_t i = 0; i < advances->count; i++) {
        if (enters_a_phase(&advances->items[i])) {
            advances->count = i + 1;
            advances->more = false;
        }
    }
    return STATUS_OK;
}

/* A ramp's windows are parts of the advance that opened the first of them. */
static const struct move_advance *newest_of(const struct move_advances *advances)
{
    size_t i = 0;
    while (i + 1 < advances->count && advances->items[i].kind == WALK_OPEN_WINDOW)
        i++;
    return &advances->items[i];
}

#define REVERT_WORDS (sizeof "Revert \"\"" - 1)

static void begin_revert(struct message *message, const struct move_advances *advances)
{
    char inner[MESSAGE_SUBJECT_MAX + 1 - REVERT_WORDS], line[MESSAGE_SUBJECT_MAX + 1];
    message_fold(text_of(newest_of(advances)->subject), inner, sizeof inner);
    snprintf(line, sizeof line, "Revert \"%s\"", inner);
    message_begin(message, text_of(line));
    for (size_t i = 0; i < advances->count; i++) {
        snprintf(line, sizeof line, "This reverts commit %s.", advances->items[i].commit);
        message_line(message, text_of(line));
    }
    if (advances->more)
        message_line(message, TEXT("So it does the commits before these in the same run."));
}

/* --- the message ----------------------------------------------------------------------------- */

static void write_phases(const struct move *move, struct message *message)
{
    struct text before = standing(move->before), after = standing(move->decision->state);
    char line[160];
    if (text_equal(before, after))
        snprintf(line, sizeof line, "%.*s", (int)after.length, after.data);
    else
        snprintf(line, sizeof line, "%.*s -> %.*s", (int)before.length, before.data,
                 (int)after.length, after.data);
    message_trailer(message, "Weir-Phase", text_of(line));
}

/* What was seen, and when it was decided upon. */
static void write_evidence(const struct move *move, struct message *message)
{
    struct text evidence = move->evidence.length ? move->evidence : move->decision->evidence;
    char folded[MESSAGE_LINE_MAX + 1 - TIME_TEXT_SIZE - 2], time[TIME_TEXT_SIZE];
    char line[MESSAGE_LINE_MAX + 1];
    if (message_fold(evidence, folded, sizeof folded) == 0)
        return;
    time_format(move->decided, time);
    snprintf(line, sizeof line, "%s, %s", folded, time);
    message_trailer(message, "Weir-Evidence", text_of(line));
}

static void write_trailers(const struct move *move, const struct move_advances *advances,
                           struct message *message)
{
    message_trailer(message, "Weir-Action", text_of(walk_kind_name(move->decision->kind)));
    message_trailer(message, "Weir-Rollout", text_of(move->item->name));
    write_phases(move, message);
    message_trailer(message, "Weir-Intent", text_of(move->decision->intent));
    for (size_t i = 0; i < advances->count; i++)
        message_trailer(message, "Weir-Reverts", text_of(advances->items[i].commit));
    write_evidence(move, message);
    message_trailer(message, "Weir-By", move->by);
    message_trailer(message, "Weir-Reason", move->reason);
}

/* `message` is disposed of by the caller, whatever this returns. */
static enum status write_message(const struct move *move, const struct move_advances *advances,
                                 struct message *message, struct error *error)
{
    struct buffer subject;
    buffer_init(&subject, 0);
    if (advances->count > 0) {
        begin_revert(message, advances);
    } else {
        write_subject(move, &subject);
        message_begin(message, buffer_text(&subject));
    }
    write_trailers(move, advances, message);
    enum status status = subject.failed;
    buffer_dispose(&subject);
    if (status == STATUS_OK && message_text(message))
        return STATUS_OK;
    return error_set(error, STATUS_NO_MEMORY, "no memory for the message of a commit");
}

static enum status commit_state(struct tip_decision *on, const struct move *move,
                                const struct move_advances *advances, struct error *error)
{
    struct message message = {0};
    struct buffer bytes;
    buffer_init(&bytes, RECORD_FILE_MAX);
    rollout_state_write(move->decision->state, &bytes);
    enum status status = bytes.failed;
    if (status != STATUS_OK)
        error_set(error, status, "the state of \"%s\" cannot be written", move->item->name);
    else
        status = write_message(move, advances, &message, error);
    struct record_edit edit = {.path = move->item->path, .bytes = buffer_text(&bytes)};
    if (status == STATUS_OK)
        status = decision_commit(on, &edit, 1, message_text(&message), error);
    message_dispose(&message);
    buffer_dispose(&bytes);
    return status;
}

enum status move_commit(struct tip_decision *on, const struct move *move, struct error *error)
{
    const struct walk_decision *decision = move->decision;
    enum status status = STATUS_OK;
    if (!decision->state || !decision->needs_commit)
        return error_set(error, STATUS_INVALID, "there is nothing to commit for \"%s\"",
                         move->item->name);
    struct move_advances *advances = calloc(1, sizeof *advances);
    if (!advances)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a commit");
    if (decision->kind == WALK_ROLLBACK || decision->kind == WALK_STEP_BACK)
        status = find_undone(on->mirror, on->head, move, advances, error);
    if (status == STATUS_OK)
        status = commit_state(on, move, advances, error);
    free(advances);
    return status;
}
