/* Every argument is checked here, once for all drivers. */
#include <math.h>

#include "driver.h"

/* --- checks ---------------------------------------------------------------------------------- */

static enum status check_length(struct text text, size_t maximum, const char *what,
                                struct error *error)
{
    if (text.length > maximum)
        return error_set(error, STATUS_LIMIT, "%s has %zu bytes, at most %zu can be stored", what,
                         text.length, maximum);
    return STATUS_OK;
}

/* A text that may be empty. Stores end texts at a NUL. */
static enum status check_text(struct text text, size_t maximum, const char *what,
                              struct error *error)
{
    if (text.length > 0 && memchr(text.data, 0, text.length))
        return error_set(error, STATUS_INVALID, "%s has a NUL in it", what);
    return check_length(text, maximum, what, error);
}

static enum status check_name(struct text text, const char *what, struct error *error)
{
    if (text.length == 0)
        return error_set(error, STATUS_INVALID, "%s is empty", what);
    return check_text(text, STORE_NAME_MAXIMUM, what, error);
}

static enum status check_number(uint64_t number, const char *what, struct error *error)
{
    if (number > INT64_MAX)
        return error_set(error, STATUS_INVALID, "%s is too large", what);
    return STATUS_OK;
}

static enum status check_intent(struct text intent, struct error *error)
{
    bool valid = intent.length == STORE_INTENT_LENGTH;
    for (size_t i = 0; valid && i < intent.length; i++)
        valid = (intent.data[i] >= '0' && intent.data[i] <= '9') ||
                (intent.data[i] >= 'a' && intent.data[i] <= 'f');
    if (!valid)
        return error_set(error, STATUS_INVALID, "an intent is %d lower-case hexadecimal digits",
                         STORE_INTENT_LENGTH);
    return STATUS_OK;
}

/* The first failure of several checks. */
#define CHECK(status, call)                                                                        \
    do {                                                                                           \
        if ((status) == STATUS_OK)                                                                 \
            (status) = (call);                                                                     \
    } while (0)

static enum status check_override(const struct store_override *override, struct error *error)
{
    enum status status = check_intent(override->intent, error);
    CHECK(status, check_name(override->environment, "environment", error));
    CHECK(status, check_name(override->flag, "flag", error));
    CHECK(status, check_number(override->seq, "seq", error));
    CHECK(status, check_text(override->generation, STORE_GENERATION_MAXIMUM, "generation", error));
    CHECK(status, check_length(override->fragment, STORE_FRAGMENT_MAXIMUM, "fragment", error));
    CHECK(status, check_text(override->evidence, STORE_JSON_MAXIMUM, "evidence", error));
    return status;
}

static enum status check_finite(const struct store_measurement *measurement, struct error *error)
{
    bool finite = measurement->measure == STORE_NOTHING;
    if (measurement->measure == STORE_VALUE)
        finite = isfinite(measurement->value);
    else if (measurement->measure == STORE_RATIO)
        finite = isfinite(measurement->numerator) && isfinite(measurement->denominator);
    if (!finite || measurement->verdict > STORE_NO_DATA)
        return error_set(error, STATUS_INVALID, "measurement of '%.*s' is no number",
                         (int)measurement->metric.length, measurement->metric.data);
    return STATUS_OK;
}

static enum status check_measurement(const struct store_measurement *measurement,
                                     struct error *error)
{
    enum status status = check_name(measurement->environment, "environment", error);
    CHECK(status, check_name(measurement->rollout, "rollout", error));
    CHECK(status, check_name(measurement->phase, "phase", error));
    CHECK(status, check_name(measurement->metric, "metric", error));
    CHECK(status, check_text(measurement->arm, STORE_NAME_MAXIMUM, "arm", error));
    CHECK(status, check_number(measurement->run, "run", error));
    CHECK(status, check_text(measurement->message, STORE_MESSAGE_MAXIMUM, "message", error));
    CHECK(status, check_text(measurement->mismatch, STORE_MESSAGE_MAXIMUM, "mismatch", error));
    CHECK(status, check_finite(measurement, error));
    return status;
}

static enum status check_key(const struct store_evidence_key *key, struct error *error)
{
    enum status status = check_name(key->environment, "environment", error);
    CHECK(status, check_name(key->rollout, "rollout", error));
    CHECK(status, check_name(key->metric, "metric", error));
    CHECK(status, check_number(key->run, "run", error));
    CHECK(status, check_name(key->phase, "phase", error));
    return status;
}

/* --- opening --------------------------------------------------------------------------------- */

static enum status unknown_scheme(const char *location, struct error *error)
{
    /* What stands behind the scheme may be a password. */
    return error_set(error, STATUS_INVALID,
                     "no store is reached by '%.*s://': name a folder for SQLite",
                     (int)(strstr(location, "://") - location) % 64, location);
}

enum status store_open(const char *location, struct store **out, struct error *error)
{
    const struct store_driver *driver = store_driver_of(location, &location);
    *out = NULL;
    return driver ? driver->open(location, out, error) : unknown_scheme(location, error);
}

void store_close(struct store *store)
{
    if (store)
        store->driver->close(store);
}

enum status store_set_aside(const char *location, int64_t now, char *kept, size_t size,
                            struct error *error)
{
    const struct store_driver *driver = store_driver_of(location, &location);
    return driver ? driver->set_aside(location, now, kept, size, error)
                  : unknown_scheme(location, error);
}

/* --- overrides ------------------------------------------------------------------------------- */

enum status store_override_put(struct store *store, const struct store_override *override,
                               struct error *error)
{
    enum status status = check_override(override, error);
    CHECK(status, store->driver->override_put(store, override, false, error));
    return status;
}

enum status store_override_put_again(struct store *store, const struct store_override *override,
                                     struct error *error)
{
    enum status status = check_override(override, error);
    CHECK(status, store->driver->override_put(store, override, true, error));
    return status;
}

enum status store_override_close(struct store *store, struct text intent, int64_t when,
                                 struct error *error)
{
    enum status status = check_intent(intent, error);
    if (status == STATUS_OK && when <= 0)
        return error_set(error, STATUS_INVALID, "an override cannot be closed at %lld",
                         (long long)when);
    CHECK(status, store->driver->override_close(store, intent, when, error));
    return status;
}

enum status store_override_each(struct store *store, store_override_visit *visit, void *context,
                                struct error *error)
{
    return store->driver->override_each(store, visit, context, error);
}

enum status store_override_get(struct store *store, struct text intent, store_override_visit *visit,
                               void *context, struct error *error)
{
    enum status status = check_intent(intent, error);
    CHECK(status, store->driver->override_get(store, intent, visit, context, error));
    return status;
}

/* --- measurements ---------------------------------------------------------------------------- */

enum status store_measurement_append(struct store *store,
                                     const struct store_measurement *measurements, size_t count,
                                     struct error *error)
{
    enum status status = STATUS_OK;
    if (count > STORE_BATCH_MAXIMUM)
        return error_set(error, STATUS_LIMIT,
                         "a batch of %zu measurements, at most %d can be stored at once", count,
                         STORE_BATCH_MAXIMUM);
    for (size_t i = 0; i < count; i++)
        CHECK(status, check_measurement(&measurements[i], error));
    if (status != STATUS_OK || count == 0)
        return status;
    return store->driver->measurement_append(store, measurements, count, error);
}

enum status store_measurement_each(struct store *store, struct text environment,
                                   struct text rollout, struct text metric, int64_t since,
                                   store_measurement_visit *visit, void *context,
                                   struct error *error)
{
    enum status status = check_name(environment, "environment", error);
    CHECK(status, check_name(rollout, "rollout", error));
    CHECK(status, check_name(metric, "metric", error));
    CHECK(status, store->driver->measurement_each(store, environment, rollout, metric, since, visit,
                                                  context, error));
    return status;
}

enum status store_measurement_all(struct store *store, struct text environment, struct text rollout,
                                  int64_t since, uint64_t most, store_measurement_visit *visit,
                                  void *context, struct error *error)
{
    enum status status = check_name(environment, "environment", error);
    CHECK(status, check_name(rollout, "rollout", error));
    CHECK(status, check_number(most, "most", error));
    CHECK(status, store->driver->measurement_all(store, environment, rollout, since, most, visit,
                                                 context, error));
    return status;
}

/* --- evidence -------------------------------------------------------------------------------- */

enum status store_evidence_put(struct store *store, const struct store_evidence_key *key,
                               uint32_t version, struct text bytes, int64_t when,
                               struct error *error)
{
    enum status status = check_key(key, error);
    CHECK(status, check_length(bytes, STORE_EVIDENCE_MAXIMUM, "evidence", error));
    CHECK(status, store->driver->evidence_put(store, key, version, bytes, when, error));
    return status;
}

enum status store_evidence_get(struct store *store, const struct store_evidence_key *key,
                               uint32_t *version, char *bytes, size_t *length, struct error *error)
{
    enum status status = check_key(key, error);
    CHECK(status, store->driver->evidence_get(store, key, version, bytes, length, error));
    return status;
}

enum status store_evidence_delete(struct store *store, const struct store_evidence_key *key,
                                  struct error *error)
{
    enum status status = check_key(key, error);
    CHECK(status, store->driver->evidence_delete(store, key, error));
    return status;
}

/* --- outbox ---------------------------------------------------------------------------------- */

enum status store_outbox_append(struct store *store, const struct store_notice *notice,
                                struct error *error)
{
    enum status status = check_name(notice->id, "id of a notice", error);
    CHECK(status, check_name(notice->channel, "channel", error));
    CHECK(status, check_length(notice->body, STORE_BODY_MAXIMUM, "body of a notice", error));
    CHECK(status, store->driver->outbox_append(store, notice, error));
    return status;
}

/* Empty: of any. */
static enum status check_channel(struct text channel, struct error *error)
{
    return channel.length ? check_name(channel, "channel", error) : STATUS_OK;
}

enum status store_outbox_take(struct store *store, struct text channel, int64_t now, int64_t lease,
                              struct store_notice *out, struct error *error)
{
    if (lease <= now)
        return error_set(error, STATUS_INVALID, "a lease that ends before it begins");
    enum status status = check_channel(channel, error);
    CHECK(status, store->driver->outbox_take(store, channel, now, lease, out, error));
    return status;
}

enum status store_outbox_done(struct store *store, struct text id, struct error *error)
{
    enum status status = check_name(id, "id of a notice", error);
    CHECK(status, store->driver->outbox_done(store, id, error));
    return status;
}

enum status store_outbox_retry(struct store *store, struct text id, int64_t due,
                               struct text problem, struct error *error)
{
    enum status status = check_name(id, "id of a notice", error);
    CHECK(status, check_text(problem, STORE_MESSAGE_MAXIMUM, "problem of a notice", error));
    CHECK(status, store->driver->outbox_retry(store, id, due, problem, error));
    return status;
}

enum status store_outbox_drop(struct store *store, struct text id, struct text problem,
                              struct error *error)
{
    enum status status = check_name(id, "id of a notice", error);
    CHECK(status, check_text(problem, STORE_MESSAGE_MAXIMUM, "problem of a notice", error));
    CHECK(status, store->driver->outbox_drop(store, id, problem, error));
    return status;
}

enum status store_outbox_count(struct store *store, struct text channel,
                               struct store_outbox_counts *out, struct error *error)
{
    enum status status = check_channel(channel, error);
    CHECK(status, store->driver->outbox_count(store, channel, out, error));
    return status;
}

enum status store_outbox_dropped(struct store *store, store_notice_visit *visit, void *context,
                                 struct error *error)
{
    return store->driver->outbox_dropped(store, visit, context, error);
}

/* --- automatic rollbacks, upkeep ------------------------------------------------------------- */

enum status store_rollback_note(struct store *store, const struct store_rollback *rollback,
                                struct error *error)
{
    enum status status = check_intent(rollback->intent, error);
    CHECK(status, check_name(rollback->environment, "environment", error));
    CHECK(status, check_name(rollback->rollout, "rollout", error));
    CHECK(status, store->driver->rollback_note(store, rollback, error));
    return status;
}

enum status store_rollback_each(struct store *store, int64_t since, store_rollback_visit *visit,
                                void *context, struct error *error)
{
    return store->driver->rollback_each(store, since, visit, context, error);
}

enum status store_prune(struct store *store, const struct store_keep *keep, uint64_t *removed,
                        struct error *error)
{
    *removed = 0;
    return store->driver->prune(store, keep, removed, error);
}
