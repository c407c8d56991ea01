/* The store in one SQLite file: the operations. */
#include "sqlite_private.h"

static struct sqlite_store *store_of(struct store *store)
{
    return (struct sqlite_store *)store;
}

/* The single number that a statement without parameters gives. */
static enum status count(struct sqlite_store *store, enum store_statement statement, int64_t *out,
                         struct error *error)
{
    struct call call = call_begin(store, statement);
    *out = call_next(&call) ? row_number(&call, 0) : 0;
    return call_end(&call, error);
}

/* --- overrides ------------------------------------------------------------------------------- */

/* *closed is when it was closed, 0 where it is open, -1 where there is none. */
static enum status find_closed(struct sqlite_store *store, struct text intent, int64_t *closed,
                               struct error *error)
{
    struct call call = call_begin(store, STATEMENT_OVERRIDE_CLOSED);
    call_text(&call, intent);
    *closed = call_next(&call) ? row_number(&call, 0) : -1;
    return call_end(&call, error);
}

static enum status insert_override(struct sqlite_store *store,
                                   const struct store_override *override, struct error *error)
{
    struct call call = call_begin(store, STATEMENT_OVERRIDE_PUT);
    call_text(&call, override->intent);
    call_text(&call, override->environment);
    call_text(&call, override->flag);
    call_number(&call, (int64_t) override->seq);
    call_text(&call, override->generation);
    call_blob(&call, override->fragment);
    call_number(&call, override->since);
    call_text(&call, override->evidence);
    call_run(&call);
    return call_end(&call, error);
}

static enum status drop_override(struct sqlite_store *store, struct text intent,
                                 struct error *error)
{
    struct call call = call_begin(store, STATEMENT_OVERRIDE_DROP);
    call_text(&call, intent);
    call_run(&call);
    return call_end(&call, error);
}

struct putting {
    const struct store_override *override;
    bool again; /* one that is closed is open afterwards */
};

static enum status put_override(struct sqlite_store *store, void *context, struct error *error)
{
    const struct putting *putting = context;
    const struct store_override *override = putting->override;
    int64_t closed, open = 0;
    enum status status = find_closed(store, override->intent, &closed, error);
    if (status != STATUS_OK || closed == 0)
        return status;
    if (closed > 0 && !putting->again)
        return error_set(error, STATUS_REFUSED, "override '%.*s' was closed before",
                         (int) override->intent.length, override->intent.data);
    status = count(store, STATEMENT_OVERRIDE_COUNT, &open, error);
    if (status == STATUS_OK && open >= STORE_OPEN_MAXIMUM)
        return error_set(error, STATUS_LIMIT, "%d overrides are open, no more can be stored",
                         STORE_OPEN_MAXIMUM);
    if (status == STATUS_OK && closed > 0)
        status = drop_override(store, override->intent, error);
    return status == STATUS_OK ? insert_override(store, override, error) : status;
}

static enum status override_put(struct store *store, const struct store_override *override,
                                bool again, struct error *error)
{
    struct putting putting = {override, again};
    return sqlite_transact(store_of(store), put_override, &putting, error);
}

struct closing {
    struct text intent;
    int64_t when;
};

static enum status close_override(struct sqlite_store *store, void *context, struct error *error)
{
    const struct closing *closing = context;
    int64_t closed;
    enum status status = find_closed(store, closing->intent, &closed, error);
    if (status != STATUS_OK || closed > 0)
        return status;
    if (closed < 0)
        return error_set(error, STATUS_NOT_FOUND, "there is no override '%.*s'",
                         (int)closing->intent.length, closing->intent.data);
    struct call call = call_begin(store, STATEMENT_OVERRIDE_CLOSE);
    call_number(&call, closing->when);
    call_text(&call, closing->intent);
    call_run(&call);
    return call_end(&call, error);
}

static enum status override_close(struct store *store, struct text intent, int64_t when,
                                  struct error *error)
{
    struct closing closing = {intent, when};
    return sqlite_transact(store_of(store), close_override, &closing, error);
}

static struct store_override override_of(const struct call *call)
{
    return (struct store_override){
        .intent = row_text(call, 0),
        .environment = row_text(call, 1),
        .flag = row_text(call, 2),
        .seq = (uint64_t)row_number(call, 3),
        .generation = row_text(call, 4),
        .fragment = row_text(call, 5),
        .since = row_number(call, 6),
        .evidence = row_text(call, 7),
        .closed = row_number(call, 8),
    };
}

static enum status override_each(struct store *store, store_override_visit *visit, void *context,
                                 struct error *error)
{
    struct call call = call_begin(store_of(store), STATEMENT_OVERRIDE_EACH);
    bool more = true;
    while (more && call_next(&call)) {
        struct store_override override = override_of(&call);
        more = visit(context, &override);
    }
    return call_end(&call, error);
}

static enum status override_get(struct store *store, struct text intent,
                                store_override_visit *visit, void *context, struct error *error)
{
    struct call call = call_begin(store_of(store), STATEMENT_OVERRIDE_GET);
    call_text(&call, intent);
    bool found = call_next(&call);
    if (found) {
        struct store_override override = override_of(&call);
        (void)visit(context, &override);
    }
    enum status status = call_end(&call, error);
    if (status == STATUS_OK && !found)
        return error_set(error, STATUS_NOT_FOUND, "there is no override '%.*s'", (int)intent.length,
                         intent.data);
    return status;
}

/* --- measurements ---------------------------------------------------------------------------- */

static const char *const verdicts[] = {
    [STORE_SUCCESS] = "success", [STORE_FAILURE] = "failure", [STORE_INCONCLUSIVE] = "inconclusive",
    [STORE_ERROR] = "error",     [STORE_NO_DATA] = "no data",
};

/* One that we do not know is an error, which is never a pass. */
static enum store_verdict verdict_of(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(verdicts); i++)
        if (text_is(name, verdicts[i]))
            return (enum store_verdict)i;
    return STORE_ERROR;
}

static enum status insert_measurement(struct sqlite_store *store,
                                      const struct store_measurement *measurement,
                                      struct error *error)
{
    bool is_value = measurement->measure == STORE_VALUE;
    bool is_ratio = measurement->measure == STORE_RATIO;
    struct call call = call_begin(store, STATEMENT_MEASUREMENT_APPEND);
    call_text(&call, measurement->environment);
    call_text(&call, measurement->rollout);
    call_text(&call, measurement->metric);
    call_number(&call, measurement->finished);
    call_number(&call, measurement->started);
    call_text(&call, measurement->arm);
    call_number(&call, (int64_t)measurement->run);
    call_text(&call, measurement->phase);
    call_text(&call, text_of(verdicts[measurement->verdict]));
    call_real(&call, is_value, measurement->value);
    call_real(&call, is_ratio, measurement->numerator);
    call_real(&call, is_ratio, measurement->denominator);
    call_text(&call, measurement->message);
    call_number(&call, measurement->silent);
    call_text(&call, measurement->mismatch);
    call_run(&call);
    return call_end(&call, error);
}

struct batch {
    const struct store_measurement *measurements;
    size_t count;
};

static enum status append_batch(struct sqlite_store *store, void *context, struct error *error)
{
    const struct batch *batch = context;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++)
        status = insert_measurement(store, &batch->measurements[i], error);
    return status;
}

static enum status measurement_append(struct store *store,
                                      const struct store_measurement *measurements, size_t count,
                                      struct error *error)
{
    struct batch batch = {measurements, count};
    return sqlite_transact(store_of(store), append_batch, &batch, error);
}

static struct store_measurement measurement_of(const struct call *call)
{
    struct store_measurement measurement = {
        .environment = row_text(call, 0),
        .rollout = row_text(call, 1),
        .metric = row_text(call, 2),
        .finished = row_number(call, 3),
        .started = row_number(call, 4),
        .arm = row_text(call, 5),
        .run = (uint64_t)row_number(call, 6),
        .phase = row_text(call, 7),
        .verdict = verdict_of(row_text(call, 8)),
        .message = row_text(call, 12),
        .silent = row_number(call, 13) != 0,
        .mismatch = row_text(call, 14),
    };
    if (row_real(call, 9, &measurement.value))
        measurement.measure = STORE_VALUE;
    if (row_real(call, 10, &measurement.numerator) && row_real(call, 11, &measurement.denominator))
        measurement.measure = STORE_RATIO;
    return measurement;
}

static enum status visit_measurements(struct call *call, store_measurement_visit *visit,
                                      void *context, struct error *error)
{
    bool more = true;
    while (more && call_next(call)) {
        struct store_measurement measurement = measurement_of(call);
        more = visit(context, &measurement);
    }
    return call_end(call, error);
}

static enum status measurement_each(struct store *store, struct text environment,
                                    struct text rollout, struct text metric, int64_t since,
                                    store_measurement_visit *visit, void *context,
                                    struct error *error)
{
    struct call call = call_begin(store_of(store), STATEMENT_MEASUREMENT_EACH);
    call_text(&call, environment);
    call_text(&call, rollout);
    call_text(&call, metric);
    call_number(&call, since);
    return visit_measurements(&call, visit, context, error);
}

static enum status measurement_all(struct store *store, struct text environment,
                                   struct text rollout, int64_t since, uint64_t most,
                                   store_measurement_visit *visit, void *context,
                                   struct error *error)
{
    struct call call = call_begin(store_of(store), STATEMENT_MEASUREMENT_ALL);
    call_text(&call, environment);
    call_text(&call, rollout);
    call_number(&call, since);
    call_number(&call, (int64_t)most);
    return visit_measurements(&call, visit, context, error);
}

/* --- evidence -------------------------------------------------------------------------------- */

static struct call begin_with_key(struct store *store, enum store_statement statement,
                                  const struct store_evidence_key *key)
{
    struct call call = call_begin(store_of(store), statement);
    call_text(&call, key->environment);
    call_text(&call, key->rollout);
    call_text(&call, key->metric);
    call_number(&call, (int64_t)key->run);
    call_text(&call, key->phase);
    return call;
}

static enum status evidence_put(struct store *store, const struct store_evidence_key *key,
                                uint32_t version, struct text bytes, int64_t when,
                                struct error *error)
{
    struct call call = begin_with_key(store, STATEMENT_EVIDENCE_PUT, key);
    call_number(&call, version);
    call_blob(&call, bytes);
    call_number(&call, when);
    call_run(&call);
    return call_end(&call, error);
}

static enum status evidence_get(struct store *store, const struct store_evidence_key *key,
                                uint32_t *version, char *bytes, size_t *length, struct error *error)
{
    struct call call = begin_with_key(store, STATEMENT_EVIDENCE_GET, key);
    bool found = call_next(&call);
    struct text row = {NULL, 0};
    *length = 0;
    if (found) {
        *version = (uint32_t)row_number(&call, 0);
        row = row_text(&call, 1);
    }
    bool fits = row.length <= STORE_EVIDENCE_MAXIMUM;
    if (fits && row.length) {
        memcpy(bytes, row.data, row.length);
        *length = row.length;
    }
    enum status status = call_end(&call, error);
    if (status == STATUS_OK && !found)
        return error_set(error, STATUS_NOT_FOUND, "there is no evidence of metric '%.*s'",
                         (int)key->metric.length, key->metric.data);
    return status == STATUS_OK && !fits ? sqlite_failed(store_of(store), SQLITE_CORRUPT, error)
                                        : status;
}

static enum status evidence_delete(struct store *store, const struct store_evidence_key *key,
                                   struct error *error)
{
    struct call call = begin_with_key(store, STATEMENT_EVIDENCE_DELETE, key);
    call_run(&call);
    return call_end(&call, error);
}

/* --- outbox ---------------------------------------------------------------------------------- */

static enum status count_notices(struct sqlite_store *store, enum notice_state state,
                                 struct text channel, int64_t *number, int64_t *next_due,
                                 struct error *error)
{
    struct call call = call_begin(store, STATEMENT_NOTICE_COUNT);
    call_number(&call, state);
    call_text(&call, channel);
    bool found = call_next(&call);
    *number = found ? row_number(&call, 0) : 0;
    if (next_due)
        *next_due = *number ? row_number(&call, 1) : INT64_MAX;
    return call_end(&call, error);
}

/* The message of one that was dropped for another. */
static enum status drop_oldest(struct sqlite_store *store, struct error *error)
{
    struct call call = call_begin(store, STATEMENT_NOTICE_DROP_OLDEST);
    call_text(&call, TEXT("the outbox is full"));
    call_run(&call);
    return call_end(&call, error);
}

static enum status insert_notice(struct sqlite_store *store, const struct store_notice *notice,
                                 struct error *error)
{
    struct call call = call_begin(store, STATEMENT_NOTICE_APPEND);
    call_text(&call, notice->id);
    call_text(&call, notice->channel);
    call_blob(&call, notice->body);
    call_number(&call, notice->created);
    call_number(&call, notice->due);
    call_run(&call);
    return call_end(&call, error);
}

static enum status append_notice(struct sqlite_store *store, void *context, struct error *error)
{
    const struct store_notice *notice = context;
    int64_t waiting = 0;
    struct call call = call_begin(store, STATEMENT_NOTICE_KNOWN);
    call_text(&call, notice->id);
    bool known = call_next(&call);
    enum status status = call_end(&call, error);
    if (status != STATUS_OK || known)
        return status;
    status = count_notices(store, NOTICE_WAITS, TEXT(""), &waiting, NULL, error);
    if (status == STATUS_OK && waiting >= STORE_PENDING_MAXIMUM)
        status = drop_oldest(store, error);
    return status == STATUS_OK ? insert_notice(store, notice, error) : status;
}

static enum status outbox_append(struct store *store, const struct store_notice *notice,
                                 struct error *error)
{
    return sqlite_transact(store_of(store), append_notice, (void *)(uintptr_t)notice, error);
}

static struct store_notice notice_of(const struct call *call)
{
    return (struct store_notice){
        .id = row_text(call, 0),
        .channel = row_text(call, 1),
        .body = row_text(call, 2),
        .created = row_number(call, 3),
        .due = row_number(call, 4),
        .attempts = (uint32_t)row_number(call, 5),
        .last_error = row_text(call, 6),
    };
}

/* Copies the texts of a row into the handle, one after the other. */
static enum status keep_notice(struct sqlite_store *store, struct store_notice *notice,
                               struct error *error)
{
    struct text *const texts[] = {&notice->id, &notice->channel, &notice->body,
                                  &notice->last_error};
    buffer_clear(&store->taken);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        buffer_append_text(&store->taken, *texts[i]);
    if (store->taken.failed)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    for (size_t i = 0, at = 0; i < COUNT_OF(texts); i++) {
        texts[i]->data = store->taken.data + at; /* an id is never empty: there are bytes */
        at += texts[i]->length;
    }
    return STATUS_OK;
}

struct taking {
    struct text channel;
    int64_t now, lease;
    struct store_notice *out;
};

static enum status take_notice(struct sqlite_store *store, void *context, struct error *error)
{
    const struct taking *taking = context;
    struct call call = call_begin(store, STATEMENT_NOTICE_NEXT);
    call_number(&call, taking->now);
    call_text(&call, taking->channel);
    bool found = call_next(&call);
    enum status kept = STATUS_OK;
    if (found) {
        *taking->out = notice_of(&call);
        kept = keep_notice(store, taking->out, error);
    }
    enum status status = call_end(&call, error);
    if (status != STATUS_OK || kept != STATUS_OK)
        return status != STATUS_OK ? status : kept;
    if (!found)
        return error_set(error, STATUS_NOT_FOUND, "no notice is due");
    call = call_begin(store, STATEMENT_NOTICE_LEASE);
    call_number(&call, taking->lease);
    call_text(&call, taking->out->id);
    call_run(&call);
    taking->out->attempts++;
    return call_end(&call, error);
}

static enum status outbox_take(struct store *store, struct text channel, int64_t now, int64_t lease,
                               struct store_notice *out, struct error *error)
{
    struct taking taking = {channel, now, lease, out};
    return sqlite_transact(store_of(store), take_notice, &taking, error);
}

/* Of a change to one notice that waits. */
static enum status end_change(struct call *call, struct text id, struct error *error)
{
    bool changed = call_run(call) > 0;
    enum status status = call_end(call, error);
    if (status == STATUS_OK && !changed)
        return error_set(error, STATUS_NOT_FOUND, "no notice '%.*s' waits", (int)id.length,
                         id.data);
    return status;
}

static enum status outbox_done(struct store *store, struct text id, struct error *error)
{
    struct call call = call_begin(store_of(store), STATEMENT_NOTICE_DONE);
    call_blob(&call, TEXT(""));
    call_text(&call, id);
    return end_change(&call, id, error);
}

static enum status outbox_retry(struct store *store, struct text id, int64_t due,
                                struct text problem, struct error *error)
{
    struct call call = call_begin(store_of(store), STATEMENT_NOTICE_RETRY);
    call_number(&call, due);
    call_text(&call, problem);
    call_text(&call, id);
    return end_change(&call, id, error);
}

static enum status outbox_drop(struct store *store, struct text id, struct text problem,
                               struct error *error)
{
    struct call call = call_begin(store_of(store), STATEMENT_NOTICE_DROP);
    call_text(&call, problem);
    call_text(&call, id);
    return end_change(&call, id, error);
}

static enum status outbox_count(struct store *store, struct text channel,
                                struct store_outbox_counts *out, struct error *error)
{
    int64_t pending = 0, dropped = 0;
    enum status status =
        count_notices(store_of(store), NOTICE_WAITS, channel, &pending, &out->next_due, error);
    if (status == STATUS_OK)
        status = count_notices(store_of(store), NOTICE_IS_DROPPED, channel, &dropped, NULL, error);
    out->pending = (uint64_t)pending;
    out->dropped = (uint64_t)dropped;
    return status;
}

static enum status outbox_dropped(struct store *store, store_notice_visit *visit, void *context,
                                  struct error *error)
{
    struct call call = call_begin(store_of(store), STATEMENT_NOTICE_DROPPED);
    bool more = true;
    while (more && call_next(&call)) {
        struct store_notice notice = notice_of(&call);
        more = visit(context, &notice);
    }
    return call_end(&call, error);
}

/* --- automatic rollbacks --------------------------------------------------------------------- */

static enum status rollback_note(struct store *store, const struct store_rollback *rollback,
                                 struct error *error)
{
    struct call call = call_begin(store_of(store), STATEMENT_ROLLBACK_NOTE);
    call_number(&call, rollback->when);
    call_text(&call, rollback->environment);
    call_text(&call, rollback->rollout);
    call_text(&call, rollback->intent);
    call_run(&call);
    return call_end(&call, error);
}

static enum status rollback_each(struct store *store, int64_t since, store_rollback_visit *visit,
                                 void *context, struct error *error)
{
    struct call call = call_begin(store_of(store), STATEMENT_ROLLBACK_EACH);
    bool more = true;
    call_number(&call, since);
    while (more && call_next(&call)) {
        struct store_rollback rollback = {row_number(&call, 0), row_text(&call, 1),
                                          row_text(&call, 2), row_text(&call, 3)};
        more = visit(context, &rollback);
    }
    return call_end(&call, error);
}

const struct store_driver sqlite_driver = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .set_aside = sqlite_set_aside,
    .override_put = override_put,
    .override_close = override_close,
    .override_each = override_each,
    .override_get = override_get,
    .measurement_append = measurement_append,
    .measurement_each = measurement_each,
    .measurement_all = measurement_all,
    .evidence_put = evidence_put,
    .evidence_get = evidence_get,
    .evidence_delete = evidence_delete,
    .outbox_append = outbox_append,
    .outbox_take = outbox_take,
    .outbox_done = outbox_done,
    .outbox_retry = outbox_retry,
    .outbox_drop = outbox_drop,
    .outbox_count = outbox_count,
    .outbox_dropped = outbox_dropped,
    .rollback_note = rollback_note,
    .rollback_each = rollback_each,
    .prune = sqlite_prune,
};
