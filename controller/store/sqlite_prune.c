/* What is old goes, a batch at a time. */
#include "sqlite_private.h"

struct pruning {
    const struct store_keep *keep;
    uint64_t removed;
};

/* Removes the oldest before a time, at most `limit` of them. `state` is of notices, else -1. */
static enum status prune_rows(struct sqlite_store *store, enum store_statement statement, int state,
                              int64_t since, int64_t limit, int64_t *removed, struct error *error)
{
    struct call call = call_begin(store, statement);
    if (state >= 0)
        call_number(&call, state);
    call_number(&call, since);
    call_number(&call, limit);
    *removed = call_run(&call);
    return call_end(&call, error);
}

/* How many there are, of notices in one state. */
static enum status count_rows(struct sqlite_store *store, enum store_statement statement, int state,
                              int64_t *out, struct error *error)
{
    struct call call = call_begin(store, statement);
    if (state >= 0) {
        call_number(&call, state);
        call_text(&call, TEXT("")); /* of all channels */
    }
    *out = call_next(&call) ? row_number(&call, 0) : 0;
    return call_end(&call, error);
}

/* By age, and then what is more than `most`; no more than a batch. */
static enum status prune_ring(struct sqlite_store *store, enum store_statement statement,
                              enum store_statement counting, int state, int64_t since,
                              uint64_t most, struct pruning *pruning, struct error *error)
{
    int64_t removed, total, more = 0;
    enum status status =
        prune_rows(store, statement, state, since, STORE_PRUNE_BATCH, &removed, error);
    if (status == STATUS_OK)
        status = count_rows(store, counting, state, &total, error);
    if (status != STATUS_OK)
        return status;
    int64_t room = STORE_PRUNE_BATCH - removed;
    if (room > 0 && (uint64_t)total > most) {
        int64_t surplus = total - (int64_t)most;
        status = prune_rows(store, statement, state, INT64_MAX, surplus < room ? surplus : room,
                            &more, error);
    }
    pruning->removed += (uint64_t)(removed + more);
    return status;
}

static enum status prune_all(struct sqlite_store *store, void *context, struct error *error)
{
    struct pruning *pruning = context;
    const struct store_keep *keep = pruning->keep;
    const struct {
        enum store_statement statement;
        int64_t since;
    } by_age[] = {
        {STATEMENT_EVIDENCE_PRUNE, keep->evidence_since},
        {STATEMENT_OVERRIDE_PRUNE, keep->closed_since},
        {STATEMENT_ROLLBACK_PRUNE, keep->rollbacks_since},
    };
    enum status status =
        prune_ring(store, STATEMENT_MEASUREMENT_PRUNE, STATEMENT_MEASUREMENT_COUNT, -1,
                   keep->measurements_since, keep->measurements, pruning, error);
    for (int state = NOTICE_IS_DROPPED; state <= NOTICE_IS_SENT && status == STATUS_OK; state++)
        status = prune_ring(store, STATEMENT_NOTICE_PRUNE, STATEMENT_NOTICE_COUNT, state,
                            keep->settled_since, keep->settled, pruning, error);
    for (size_t i = 0; i < COUNT_OF(by_age) && status == STATUS_OK; i++) {
        int64_t removed;
        status = prune_rows(store, by_age[i].statement, -1, by_age[i].since, STORE_PRUNE_BATCH,
                            &removed, error);
        pruning->removed += (uint64_t)removed;
    }
    return status;
}

enum status sqlite_prune(struct store *store, const struct store_keep *keep, uint64_t *removed,
                         struct error *error)
{
    struct pruning pruning = {keep, 0};
    enum status status = sqlite_transact((struct sqlite_store *)store, prune_all, &pruning, error);
    *removed = status == STATUS_OK ? pruning.removed : 0;
    return status;
}
