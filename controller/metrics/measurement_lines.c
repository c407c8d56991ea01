#include "measurement_lines.h"

#include "../../rules/definitions.h"
#include "../../rules/json.h"
#include "../../rules/walk.h"
#include "../store/store.h"

static enum walk_verdict verdict_of(enum store_verdict kept)
{
    switch (kept) {
    case STORE_SUCCESS:
        return WALK_SUCCESS;
    case STORE_FAILURE:
        return WALK_FAILURE;
    case STORE_INCONCLUSIVE:
        return WALK_INCONCLUSIVE;
    case STORE_NO_DATA:
        return WALK_NO_DATA;
    case STORE_ERROR:
        break;
    }
    return WALK_ERROR;
}

static void write_member(struct buffer *out, const char *name, struct text text)
{
    buffer_printf(out, ",\"%s\":", name);
    json_write_string(out, text);
}

static void write_instant(struct buffer *out, const char *name, int64_t instant)
{
    char text[INSTANT_TEXT_SIZE];
    instant_format(instant, text);
    write_member(out, name, text_of(text));
}

static bool write_line(void *context, const struct store_measurement *measurement)
{
    struct buffer *out = context;
    buffer_append_string(out, "{\"metric\":");
    json_write_string(out, measurement->metric);
    write_instant(out, "started", measurement->started);
    write_instant(out, "finished", measurement->finished);
    write_member(out, "verdict", text_of(walk_verdict_name(verdict_of(measurement->verdict))));
    if (measurement->measure == STORE_VALUE) {
        buffer_append_string(out, ",\"value\":");
        json_write_number(out, measurement->value);
    }
    buffer_printf(out, ",\"run\":%llu", (unsigned long long)measurement->run);
    write_member(out, "phase", measurement->phase);
    write_member(out, "evidence", measurement->message);
    if (measurement->silent)
        buffer_append_string(out, ",\"silent\":true");
    if (measurement->mismatch.length)
        write_member(out, "ratioMismatch", measurement->mismatch);
    buffer_append_string(out, "}\n");
    return !out->failed;
}

enum status measurement_lines_write(const char *folder, const struct measurement_query *query,
                                    struct buffer *out, struct error *error)
{
    struct store *store;
    size_t before = out->length;
    enum status status = store_open(folder, &store, error);
    if (status != STATUS_OK)
        return status;
    status = store_measurement_all(store, query->environment, query->rollout, query->since,
                                   MEASUREMENT_LINES_MAX, write_line, out, error);
    store_close(store);
    if (status == STATUS_OK && out->failed)
        return error_set(error, STATUS_NO_MEMORY, "no memory for the measurements");
    if (status != STATUS_OK && !out->failed)
        out->length = before;
    return status;
}
