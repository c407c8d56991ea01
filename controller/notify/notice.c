#include "notice.h"

#include <nettle/sha2.h>
#include <stdio.h>

#include "../../rules/json.h"
#include "../../rules/utf8.h"

static const char *const field_names[NOTICE_FIELDS] = {
    [NOTICE_BY] = "by",
    [NOTICE_COMMIT] = "commit",
    [NOTICE_ENVIRONMENT] = "environment",
    [NOTICE_EVENT] = "event",
    [NOTICE_EVIDENCE] = "evidence",
    [NOTICE_FLAG] = "flag",
    [NOTICE_ID] = "id",
    [NOTICE_PHASE] = "phase",
    [NOTICE_REASON] = "reason",
    [NOTICE_ROLLOUT] = "rollout",
    [NOTICE_TIME] = "time",
    [NOTICE_URL] = "url",
};

const char *const notice_events[NOTICE_EVENTS] = {
    "commit.quarantined", "commit.refused",      "rollout.advanced", "rollout.approval-wanted",
    "rollout.completed",  "rollout.held",        "rollout.killed",   "rollout.paused",
    "rollout.resumed",    "rollout.rolled-back", "rollout.started",  "rollout.stepped-back",
    "rollout.unkilled",
};

enum notice_field notice_field_of(struct text name)
{
    for (int i = 0; i < NOTICE_FIELDS; i++)
        if (text_is(name, field_names[i]))
            return (enum notice_field)i;
    return NOTICE_FIELDS;
}

const char *notice_field_name(enum notice_field field)
{
    return field < NOTICE_FIELDS ? field_names[field] : "";
}

size_t notice_event_of(struct text name)
{
    size_t i = 0;
    while (i < NOTICE_EVENTS && !text_is(name, notice_events[i]))
        i++;
    return i;
}

void notice_identify(struct text event, struct text environment, struct text rollout,
                     struct text decision, char out[NOTICE_ID_SIZE])
{
    const struct text parts[] = {event, environment, rollout, decision};
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        char length[24];
        int written = snprintf(length, sizeof length, "%zu:", parts[i].length);
        sha256_update(&context, (size_t)written, (const uint8_t *)length);
        sha256_update(&context, parts[i].length, (const uint8_t *)parts[i].data);
    }
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* On one line, valid and cut. `out` has NOTICE_FIELD_MOST bytes. */
static struct text clean(struct text value, char *out)
{
    size_t length = 0;
    bool cut = false;
    while (value.length && !cut) {
        size_t valid = utf8_valid_length(value);
        size_t step = valid ? utf8_offset((struct text){value.data, valid}, 1) : 1;
        cut = length + step > NOTICE_FIELD_MOST;
        if (cut)
            break;
        if (valid)
            memcpy(out + length, value.data, step);
        else
            out[length] = '?';
        if (step == 1 && ((unsigned char)out[length] < ' ' || out[length] == 0x7f))
            out[length] = ' ';
        length += step;
        value = (struct text){value.data + step, value.length - step};
    }
    return (struct text){out, length};
}

void notice_write(const struct notice *notice, struct buffer *out)
{
    char bytes[NOTICE_FIELD_MOST];
    const char *separator = "{";
    for (int i = 0; i < NOTICE_FIELDS; i++) {
        if (notice->fields[i].length == 0)
            continue;
        struct text value = notice->fields[i];
        /* What follows is cut anyway; so a long text costs what a short one does. */
        if (value.length > NOTICE_FIELD_MOST + 4)
            value.length = NOTICE_FIELD_MOST + 4;
        buffer_printf(out, "%s\"%s\":", separator, field_names[i]);
        json_write_string(out, clean(value, bytes));
        separator = ",";
    }
    buffer_append_string(out, *separator == '{' ? "{}" : "}");
}

enum status notice_read(struct arena *arena, struct text json, struct notice *out,
                        struct error *error)
{
    const struct json_limits limits = {
        .bytes = NOTICE_BYTES_MOST, .depth = 2, .nodes = 64, .unique_keys = true};
    const struct node *root;
    *out = (struct notice){0};
    enum status status = json_read(arena, json, limits, &root, error);
    if (status != STATUS_OK)
        return status;
    if (root->type != NODE_MAP)
        return error_set(error, STATUS_INVALID, "a notice is an object");
    for (const struct node *node = root->first; node; node = node->next) {
        enum notice_field field = notice_field_of(node->key);
        if (field == NOTICE_FIELDS || node->type != NODE_STRING)
            return error_set(error, STATUS_INVALID, "a notice has no \"%.40s\"", node->key.data);
        out->fields[field] = node->string;
    }
    if (out->fields[NOTICE_ID].length == 0 ||
        notice_event_of(out->fields[NOTICE_EVENT]) == NOTICE_EVENTS)
        return error_set(error, STATUS_INVALID, "a notice has an id and an event");
    return STATUS_OK;
}
