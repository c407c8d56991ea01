/* A probe as text, and back. */
#include <ctype.h>
#include <inttypes.h>

#include "probe_private.h"

#define MAGIC "probe 1 "
#define DIGEST_TEXT ((size_t)2 * PROBE_DIGEST_SIZE)
#define END "end"
#define FIELDS 17

/* The numbers of the first line, in their order. */
enum field {
    FIELD_SINCE,
    FIELD_EXPOSED,
    FIELD_RESTARTED,
    FIELD_MEASURED,
    FIELD_ERRORS,
    FIELD_SUCCESSES,
    FIELD_FAILED,
    FIELD_COMPLETED,
    FIELD_COVER_FROM,
    FIELD_COVERED,
    FIELD_REACHED,
    FIELD_QUIET,
    FIELD_QUIET_SINCE,
    FIELD_BEGINS,
    FIELD_BEGINS_RATIO,
    FIELD_SAID_SINCE,
    FIELD_NEWEST,
};

static void write_evidence(const struct evidence *evidence, struct buffer *out)
{
    buffer_append_char(out, '\n');
    if (evidence)
        evidence_write(evidence, out);
}

void probe_write(const struct probe *probe, struct buffer *out)
{
    const struct metric_result *result = &probe->result;
    const int64_t fields[FIELDS] = {
        [FIELD_SINCE] = probe->since,
        [FIELD_EXPOSED] = probe->exposed,
        [FIELD_RESTARTED] = probe->restarted,
        [FIELD_MEASURED] = result->measured,
        [FIELD_ERRORS] = result->consecutive_error,
        [FIELD_SUCCESSES] = result->consecutive_success,
        [FIELD_FAILED] = result->failed,
        [FIELD_COMPLETED] = result->completed,
        [FIELD_COVER_FROM] = probe->coverage.from,
        [FIELD_COVERED] = probe->coverage.covered,
        [FIELD_REACHED] = probe->coverage.reached,
        [FIELD_QUIET] = probe->silence.silent,
        [FIELD_QUIET_SINCE] = probe->silence.since,
        [FIELD_BEGINS] = probe->begins,
        [FIELD_BEGINS_RATIO] = probe->begins_ratio,
        [FIELD_SAID_SINCE] = probe->said_since,
        [FIELD_NEWEST] = result->length ? result->measurements[result->length - 1].time : 0,
    };
    buffer_append_string(out, MAGIC);
    buffer_append_hex(out, probe->digest, PROBE_DIGEST_SIZE);
    for (size_t i = 0; i < FIELDS; i++)
        buffer_printf(out, " %" PRId64, fields[i]);
    write_evidence(probe->evidence, out);
    write_evidence(probe->shares, out);
    buffer_append_string(out, "\n" END);
}

/* --- back ------------------------------------------------------------------------------------ */

struct kept {
    struct text digest;
    int64_t fields[FIELDS];
    struct text evidence, shares; /* empty: none */
};

static enum status fail(struct error *error)
{
    return error_set(error, STATUS_INVALID, "what was kept of a metric is damaged");
}

static struct text take_line(struct text *rest)
{
    const char *end = rest->length ? memchr(rest->data, '\n', rest->length) : NULL;
    struct text line = {rest->data, end ? (size_t)(end - rest->data) : rest->length};
    size_t taken = line.length + (end != NULL);
    *rest = (struct text){rest->data + taken, rest->length - taken};
    return line;
}

/* " 123" */
static bool take_number(struct text *rest, int64_t *out)
{
    size_t at = 0;
    bool is_negative = rest->length > 1 && rest->data[1] == '-';
    if (rest->length < 2 || rest->data[0] != ' ')
        return false;
    *out = 0;
    for (at = 1 + is_negative; at < rest->length && isdigit((unsigned char)rest->data[at]); at++) {
        int64_t digit = rest->data[at] - '0';
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_sub_overflow(*out, is_negative ? digit : -digit, out))
            return false;
    }
    if (at == 1 + (size_t)is_negative)
        return false;
    *rest = (struct text){rest->data + at, rest->length - at};
    return true;
}

static bool parse(struct text text, struct kept *out)
{
    struct text first = take_line(&text);
    if (!text_starts_with(first, TEXT(MAGIC)) || first.length < sizeof MAGIC - 1 + DIGEST_TEXT)
        return false;
    out->digest = (struct text){first.data + sizeof MAGIC - 1, DIGEST_TEXT};
    first.data += sizeof MAGIC - 1 + DIGEST_TEXT;
    first.length -= sizeof MAGIC - 1 + DIGEST_TEXT;
    for (size_t i = 0; i < FIELDS; i++) {
        if (!take_number(&first, &out->fields[i]))
            return false;
    }
    out->evidence = take_line(&text);
    out->shares = take_line(&text);
    return first.length == 0 && text_is(text, END);
}

/* What seconds may be that come to stand in nanoseconds. Exposed may be INT64_MAX, "not yet". */
static bool are_instants(const int64_t *fields)
{
    const int64_t most = INT64_MAX / NANOSECONDS_PER_SECOND;
    return fields[FIELD_EXPOSED] >= 0 && fields[FIELD_RESTARTED] >= 0 &&
           fields[FIELD_RESTARTED] <= most && fields[FIELD_SAID_SINCE] >= 0 &&
           fields[FIELD_SAID_SINCE] <= most;
}

static bool is_own(const struct probe *probe, struct text digest)
{
    struct buffer own;
    buffer_init(&own, 0);
    buffer_append_hex(&own, probe->digest, PROBE_DIGEST_SIZE);
    bool same = !own.failed && text_equal(buffer_text(&own), digest);
    buffer_dispose(&own);
    return same;
}

static enum status read_evidence(struct text text, struct evidence **out, struct error *error)
{
    *out = NULL;
    if (text.length == 0)
        return STATUS_OK;
    struct evidence *evidence = malloc(sizeof *evidence);
    if (!evidence)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = evidence_read(text, evidence, error);
    if (status == STATUS_OK)
        *out = evidence;
    else
        free(evidence);
    return status;
}

static enum status take_evidence(struct probe *probe, const struct kept *kept, struct error *error)
{
    struct evidence *evidence = NULL, *shares = NULL;
    enum status status = read_evidence(kept->evidence, &evidence, error);
    if (status == STATUS_OK)
        status = read_evidence(kept->shares, &shares, error);
    if (status != STATUS_OK) {
        free(evidence);
        return status;
    }
    free(probe->evidence);
    free(probe->shares);
    probe->evidence = evidence;
    probe->shares = shares;
    return STATUS_OK;
}

static uint32_t counter(int64_t number)
{
    return number < 0 ? 0 : number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

static void take_fields(struct probe *probe, const int64_t *fields)
{
    struct metric_result *result = &probe->result;
    const struct coverage *now = &probe->coverage;
    if (fields[FIELD_EXPOSED] < probe->exposed)
        probe->exposed = fields[FIELD_EXPOSED];
    probe->restarted = fields[FIELD_RESTARTED];
    result->measured = counter(fields[FIELD_MEASURED]);
    result->consecutive_error = counter(fields[FIELD_ERRORS]);
    result->consecutive_success = counter(fields[FIELD_SUCCESSES]);
    result->failed = fields[FIELD_FAILED] != 0;
    if (fields[FIELD_COMPLETED] >= METRIC_PENDING && fields[FIELD_COMPLETED] <= METRIC_FAILED)
        result->completed = (enum metric_phase)fields[FIELD_COMPLETED];
    probe->silence = (struct silence){fields[FIELD_QUIET] != 0, fields[FIELD_QUIET_SINCE]};
    probe->begins = fields[FIELD_BEGINS] != 0;
    probe->begins_ratio = fields[FIELD_BEGINS_RATIO] != 0;
    probe->said_since = fields[FIELD_SAID_SINCE];
    probe->kept_until = fields[FIELD_NEWEST];
    probe_cover(probe); /* from where evidence restarted, if it did */
    int64_t covered = fields[FIELD_COVERED], reached = fields[FIELD_REACHED];
    if (now->from == fields[FIELD_COVER_FROM] && covered >= 0 && reached >= now->from &&
        covered <= reached - now->from) {
        probe->coverage.covered = covered;
        probe->coverage.reached = reached;
    }
}

enum status probe_read(struct probe *probe, struct text text, bool of_phase, int64_t now,
                       struct error *error)
{
    struct kept kept;
    if (!parse(text, &kept) || !are_instants(kept.fields))
        return fail(error);
    if (!is_own(probe, kept.digest)) {
        /* It was changed while nobody measured. */
        if (of_phase && kept.fields[FIELD_SINCE] == probe->since) {
            probe->restarted = now / NANOSECONDS_PER_SECOND;
            probe_cover(probe);
        }
        return error_set(error, STATUS_NOT_FOUND, "the metric says something else now");
    }
    if (of_phase && kept.fields[FIELD_SINCE] != probe->since)
        return error_set(error, STATUS_NOT_FOUND, "the phase was begun anew");
    enum status status = take_evidence(probe, &kept, error);
    if (status != STATUS_OK)
        return status;
    if (of_phase)
        take_fields(probe, kept.fields);
    else
        probe_begin_phase(probe);
    return STATUS_OK;
}

void probe_recall(struct probe *probe, const struct measurement *measurement, struct text reason)
{
    struct metric_result *result = &probe->result;
    const struct metric_result kept = *result;
    const struct coverage coverage = probe->coverage;
    size_t length = reason.length < sizeof probe->last.reason - 1 ? reason.length
                                                                  : sizeof probe->last.reason - 1;
    if (measurement->time <= clock_nanoseconds(probe_start(probe)))
        return;
    probe_add(probe, measurement);
    if (measurement->time <= probe->kept_until) { /* it was counted before that was kept */
        result->measured = kept.measured;
        result->consecutive_error = kept.consecutive_error;
        result->consecutive_success = kept.consecutive_success;
        result->failed = result->failed || kept.failed;
        result->completed = kept.completed;
        probe->coverage = coverage;
    }
    probe->last.verdict = measurement->verdict;
    probe->last.value = measurement->value;
    memcpy(probe->last.reason, reason.data ? reason.data : "", length);
    probe->last.reason[length] = '\0';
}
