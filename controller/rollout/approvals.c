#include "approvals.h"

#include "../log.h"
#include "move.h"

_Static_assert(ROLLOUT_APPROVALS_MAX <= 64, "a bit for each");

uint64_t approvals_find_barred(struct mirror *mirror, const char *commit,
                               const struct roster *roster, const struct roster_rollout *item)
{
    const struct rollout_state *state = item->state;
    uint64_t barred = 0;
    for (size_t i = 0; i < state->approval_count && i < ROLLOUT_APPROVALS_MAX; i++) {
        struct walk_task task = {0};
        struct error error;
        enum status status =
            move_bar_author(mirror, commit, roster, item, state->approvals[i].by, &task, &error);
        if (status != STATUS_OK)
            log_event(LOG_LEVEL_ERROR, "author_unknown", "rollout", item->name, "commit", commit,
                      "error", error.message, NULL);
        if (status != STATUS_OK || task.author.length)
            barred |= UINT64_C(1) << i;
    }
    return barred;
}

const struct rollout_state *approvals_drop(const struct rollout_state *state, uint64_t barred,
                                           struct arena *arena)
{
    if (!barred || !state->approval_count)
        return state;
    struct rollout_state *copy = ARENA_NEW(arena, struct rollout_state);
    struct approval *approvals = ARENA_ARRAY(arena, struct approval, state->approval_count);
    if (!copy || !approvals)
        return NULL;
    *copy = *state;
    copy->approvals = approvals;
    copy->approval_count = 0;
    for (size_t i = 0; i < state->approval_count && i < ROLLOUT_APPROVALS_MAX; i++) {
        if (!(barred >> i & 1))
            approvals[copy->approval_count++] = state->approvals[i];
    }
    return copy;
}
