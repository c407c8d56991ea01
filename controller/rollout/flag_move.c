#include "flag_move.h"

struct text flag_move_intent(const struct flag_move *move)
{
    return move->takes_back ? move->revert.intent : move->pin.intent;
}

struct text flag_move_by(const struct flag_move *move)
{
    return move->takes_back ? move->revert.by : move->pin.by;
}

static enum status take_back(const struct flag_move *move, struct tip_decision *decision,
                             struct flag_proposal *proposal, struct error *error)
{
    struct revert revert;
    struct revert_task task = move->revert;
    task.parts.mirror = decision->mirror;
    task.parts.clock = decision->options->clock;
    task.parts.stop = decision->options->stop;
    task.parts.cache = NULL; /* core writes there at the same time */
    revert_init(&revert);
    enum status status = revert_find(&task, decision->tip, &revert, error);
    if (status == STATUS_OK)
        status = revert_commit(&task, &revert, decision, error);
    if (status == STATUS_OK && revert.kind == REVERT_NOTHING)
        status = error_set(error, STATUS_REFUSED, "nothing is taken back: %s", revert.words);
    memcpy(proposal->commit, revert.proposal, sizeof proposal->commit);
    memcpy(proposal->branch, revert.branch, sizeof proposal->branch);
    revert_dispose(&revert);
    return status;
}

static enum status pin(const struct flag_move *move, struct tip_decision *decision,
                       struct error *error)
{
    struct pin_decide pin = {.request = {.task = move->pin},
                             .schemas = move->revert.parts.schemas,
                             .stop = decision->options->stop};
    buffer_init(&pin.request.message, 0);
    enum status status = pin_decide(&pin, decision, error);
    buffer_dispose(&pin.request.message);
    return status;
}

enum status flag_move_commit(const struct flag_move *move, struct tip_decision *decision,
                             struct flag_proposal *proposal, struct error *error)
{
    char head[COMMIT_TEXT_SIZE];
    memcpy(head, decision->head, sizeof head);
    *proposal = (struct flag_proposal){0};
    enum status status =
        move->takes_back ? take_back(move, decision, proposal, error) : pin(move, decision, error);
    if (status != STATUS_OK) {
        memcpy(decision->head, head, sizeof head);
        proposal->commit[0] = '\0';
    }
    return status;
}
