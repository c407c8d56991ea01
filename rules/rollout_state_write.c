/* A state as the bytes of its file. One state has one spelling, so that its checksum tells whether
 * somebody else wrote it. */
#include <nettle/sha2.h>
#include <stdio.h>

#include "json.h"
#include "rollout_state.h"

static void write_period(struct buffer *out, const char *field, int64_t seconds)
{
    char text[PERIOD_TEXT_SIZE];
    period_format(seconds, text);
    buffer_printf(out, "%s: %s", field, text);
}

static void write_instant(struct buffer *out, const char *field, int64_t seconds)
{
    char text[INSTANT_TEXT_SIZE];
    instant_format(seconds, text);
    buffer_printf(out, "%s: %s", field, text);
}

/* Thousandths of a percent, without zeros at the end. */
static void write_percent(struct buffer *out, const char *field, uint32_t share)
{
    uint32_t whole = share / 1000, rest = share % 1000;
    buffer_printf(out, "%s: %u", field, whole);
    if (rest % 10)
        buffer_printf(out, ".%03u", rest);
    else if (rest % 100)
        buffer_printf(out, ".%02u", rest / 10);
    else if (rest)
        buffer_printf(out, ".%u", rest / 100);
}

static void write_phase(struct buffer *out, const struct phase *phase)
{
    buffer_append_string(out, "    - {name: ");
    buffer_append_text(out, phase->name);
    if (phase->audience.length) {
        buffer_append_string(out, ", audience: {segment: ");
        buffer_append_text(out, phase->audience);
        buffer_append_char(out, '}');
    }
    if (phase->over) {
        write_percent(out, ", ramp: {to", phase->share);
        write_period(out, ", over", phase->over);
        write_period(out, ", checkpoint", phase->checkpoint);
        buffer_append_char(out, '}');
    } else if (phase->share != SPLIT_TOTAL) {
        write_percent(out, ", percent", phase->share);
    }
    if (phase->bake)
        write_period(out, ", bake", phase->bake);
    if (phase->deadline)
        write_period(out, ", deadline", phase->deadline);
    if (phase->approvals)
        buffer_printf(out, ", approvals: %u", phase->approvals);
    for (size_t i = 0; i < phase->metric_count; i++) {
        buffer_append_string(out, i ? ", " : ", metrics: [");
        buffer_append_text(out, phase->metrics[i].text);
    }
    buffer_append_string(out, phase->metric_count ? "]}\n" : "}\n");
}

static void write_plan(const struct phases *plan, struct buffer *out)
{
    for (size_t i = 0; i < plan->count; i++)
        write_phase(out, &plan->items[i]);
}

static void write_hex(struct buffer *out, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%02x", bytes[i]);
}

static void write_holds(const struct rollout_state *state, struct buffer *out)
{
    if (state->hold_count)
        buffer_append_string(out, "  holds:\n");
    for (size_t i = 0; i < state->hold_count; i++) {
        const struct hold *hold = &state->holds[i];
        buffer_printf(out, "    - {reason: %s, by: ", hold_reason_name(hold->reason));
        json_write_string(out, hold->by);
        write_instant(out, ", since", hold->since);
        if (hold->until)
            write_instant(out, ", until", hold->until);
        if (hold->note.length) {
            buffer_append_string(out, ", note: ");
            json_write_string(out, hold->note);
        }
        buffer_append_string(out, "}\n");
    }
}

static void write_approvals(const struct rollout_state *state, struct buffer *out)
{
    if (state->approval_count)
        buffer_append_string(out, "  approvals:\n");
    for (size_t i = 0; i < state->approval_count; i++) {
        const struct approval *approval = &state->approvals[i];
        buffer_append_string(out, "    - {by: ");
        json_write_string(out, approval->by);
        write_instant(out, ", at", approval->at);
        buffer_printf(out, ", run: %u, seq: %u, plan: \"", approval->run, approval->seq);
        buffer_append_text(out, approval->plan);
        buffer_append_string(out, "\"}\n");
    }
}

/* All but the checksum. */
static void write_body(const struct rollout_state *state, struct buffer *out)
{
    buffer_append_string(out, "# Written by weir: change it with `weir pause`, `weir resume` and "
                              "their like, not by hand.\n"
                              "apiVersion: weir/v1\nkind: RolloutState\nmetadata: {name: ");
    buffer_append_text(out, state->rollout);
    buffer_append_string(out, "}\nspec:\n  environment: ");
    buffer_append_text(out, state->environment);
    buffer_append_string(out, "\n  identity: \"sha256:");
    write_hex(out, state->identity, sizeof state->identity);
    buffer_printf(out, "\"\n  run: %u\n  seq: %u\n  course: %s\n", state->run, state->seq,
                  rollout_course_name(state->course));
    if (state->phase < state->plan.count) {
        buffer_append_string(out, "  phase: ");
        buffer_append_text(out, state->plan.items[state->phase].name);
        buffer_append_char(out, '\n');
    }
    write_instant(out, "  since", state->since);
    buffer_append_char(out, '\n');
    if (state->bake) {
        write_period(out, "  bake", state->bake);
        buffer_append_char(out, '\n');
    }
    if (state->spent) {
        write_period(out, "  spent", state->spent);
        buffer_append_char(out, '\n');
    }
    if (state->counting) {
        write_instant(out, "  counting", state->counting);
        buffer_append_char(out, '\n');
    }
    if (state->rollbacks)
        buffer_printf(out, "  rollbacks: %u\n", state->rollbacks);
    if (state->ramp.done || state->ramp.from || state->ramp.length) {
        write_period(out, "  ramp: {done", state->ramp.done);
        write_instant(out, ", from", state->ramp.from);
        write_period(out, ", length", state->ramp.length);
        buffer_append_string(out, "}\n");
    }
    write_holds(state, out);
    write_approvals(state, out);
    if (state->intent_count)
        buffer_append_string(out, "  intents:\n");
    for (size_t i = 0; i < state->intent_count; i++) {
        buffer_append_string(out, "    - \"");
        buffer_append_text(out, state->intents[i]);
        buffer_append_string(out, "\"\n");
    }
    buffer_append_string(out, "  plan:\n");
    write_plan(&state->plan, out);
}

static void write_digest(struct buffer *out, struct text bytes)
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    sha256_update(&context, bytes.length, (const uint8_t *)bytes.data);
    sha256_digest(&context, sizeof digest, digest);
    buffer_append_string(out, "sha256:");
    write_hex(out, digest, sizeof digest);
}

void rollout_state_write(const struct rollout_state *state, struct buffer *out)
{
    struct buffer body, checksum;
    buffer_init(&body, 0);
    buffer_init(&checksum, 0);
    write_body(state, &body);
    if (!body.failed)
        write_digest(&checksum, buffer_text(&body));
    buffer_append_text(out, buffer_text(&body));
    buffer_append_string(out, "  checksum: \"");
    buffer_append_text(out, buffer_text(&checksum));
    buffer_append_string(out, "\"\n");
    if (body.failed || checksum.failed)
        out->failed = body.failed ? body.failed : checksum.failed;
    buffer_dispose(&body);
    buffer_dispose(&checksum);
}

struct text rollout_state_field(struct text file, const char *name)
{
    char line[32];
    int length = snprintf(line, sizeof line, "\n  %s: ", name);
    const char *at = file.length ? memmem(file.data, file.length, line, (size_t)length) : NULL;
    if (!at)
        return (struct text){0};
    at += length;
    const char *end = memchr(at, '\n', file.length - (size_t)(at - file.data));
    return end ? (struct text){at, (size_t)(end - at)} : (struct text){0};
}

enum status rollout_state_checksum(const struct rollout_state *state, char out[PLAN_DIGEST_SIZE])
{
    struct buffer body, digest;
    buffer_init(&body, 0);
    buffer_init(&digest, 0);
    write_body(state, &body);
    if (!body.failed)
        write_digest(&digest, buffer_text(&body));
    enum status status = body.failed ? body.failed : digest.failed;
    if (status == STATUS_OK)
        snprintf(out, PLAN_DIGEST_SIZE, "%.*s", (int)digest.length, digest.data);
    buffer_dispose(&body);
    buffer_dispose(&digest);
    return status;
}

enum status rollout_plan_digest(const struct phases *plan, char out[PLAN_DIGEST_SIZE])
{
    struct buffer text, digest;
    buffer_init(&text, 0);
    buffer_init(&digest, 0);
    write_plan(plan, &text);
    if (!text.failed)
        write_digest(&digest, buffer_text(&text));
    enum status status = text.failed ? text.failed : digest.failed;
    if (status == STATUS_OK)
        snprintf(out, PLAN_DIGEST_SIZE, "%.*s", (int)digest.length, digest.data);
    buffer_dispose(&text);
    buffer_dispose(&digest);
    return status;
}
