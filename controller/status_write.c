#include "status_write.h"

#include "../rules/json.h"
#include "clock.h"

void status_write_member(struct buffer *out, const char *name, const char *value)
{
    buffer_printf(out, "\"%s\":", name);
    if (value && *value)
        json_write_string(out, text_of(value));
    else
        buffer_append_string(out, "null");
}

void status_write_time(struct buffer *out, const char *name, int64_t seconds)
{
    char text[TIME_TEXT_SIZE];
    if (seconds)
        time_format(seconds, text);
    status_write_member(out, name, seconds ? text : NULL);
}

static void write_environments(struct buffer *out, const struct snapshot *snapshot)
{
    buffer_append_string(out, ",\"environments\":[");
    for (size_t i = 0; snapshot && i < snapshot->environment_count; i++) {
        const struct snapshot_environment *environment = &snapshot->environments[i];
        char digest[DIGEST_TEXT_SIZE];
        document_digest_text(environment->document, digest);
        buffer_printf(out,
                      "%s{\"default\":%s,\"digest\":\"%s\",\"flags\":%zu,\"name\":", i ? "," : "",
                      snapshot->standard == environment ? "true" : "false", digest,
                      environment->document->count);
        json_write_string(out, environment->name);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
}

void status_write_served(struct buffer *out, const struct snapshot *snapshot)
{
    char generation[GENERATION_TEXT_SIZE];
    status_write_member(out, "commit", snapshot ? snapshot->commit : NULL);
    write_environments(out, snapshot);
    if (snapshot)
        generation_format(snapshot->generation, generation);
    buffer_append_char(out, ',');
    status_write_member(out, "generation", snapshot ? generation : NULL);
    buffer_append_char(out, ',');
    status_write_time(out, "since", snapshot ? snapshot->since : 0);
}
