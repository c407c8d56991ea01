#include "eval_output.h"

#include "../rules/json.h"
#include "style.h"

struct outcome outcome_of(struct text flag, const struct decision *decision)
{
    struct outcome outcome = {
        .flag = flag,
        .value = decision->value,
        .metadata = decision->metadata,
        .reason = reason_name(decision->reason),
    };
    if (decision->value.length) {
        outcome.variant = decision->variant;
        outcome.variant_json = decision->variant_json;
    }
    if (decision->error != ERROR_NONE) {
        outcome.error = error_code_name(decision->error);
        outcome.details = text_of(decision->problem);
    }
    return outcome;
}

void outcome_write_json(struct buffer *out, const struct outcome *outcome)
{
    buffer_append_char(out, '{');
    if (outcome->flag.data) {
        buffer_append_text(out, TEXT("\"flag\":"));
        json_write_string(out, outcome->flag);
        buffer_append_char(out, ',');
    }
    if (outcome->value.length) {
        buffer_append_text(out, TEXT("\"value\":"));
        buffer_append_text(out, outcome->value);
        buffer_append_text(out, TEXT(",\"variant\":"));
        buffer_append_text(out, outcome->variant_json);
        buffer_append_char(out, ',');
    }
    buffer_append_text(out, TEXT("\"reason\":\""));
    buffer_append_string(out, outcome->reason);
    buffer_append_char(out, '"');
    if (outcome->error) {
        buffer_append_text(out, TEXT(",\"errorCode\":\""));
        buffer_append_string(out, outcome->error);
        buffer_append_char(out, '"');
    }
    if (outcome->details.length) {
        buffer_append_text(out, TEXT(",\"errorDetails\":"));
        json_write_string(out, outcome->details);
    }
    if (outcome->metadata.length) {
        buffer_append_text(out, TEXT(",\"metadata\":"));
        buffer_append_text(out, outcome->metadata);
    }
    buffer_append_text(out, TEXT("}\n"));
}

static void write_row(struct buffer *out, const char *name, struct text value,
                      const struct style *style)
{
    if (value.length == 0)
        return;
    buffer_printf(out, "%s%-8s%s  ", style->bold, name, style->end);
    style_write_safely(out, value);
    buffer_append_char(out, '\n');
}

void outcome_write_text(struct buffer *out, const struct outcome *outcome, bool colour)
{
    const struct style *style = style_of(colour);
    write_row(out, "flag", outcome->flag, style);
    write_row(out, "value", outcome->value, style);
    write_row(out, "variant", outcome->variant, style);
    write_row(out, "reason", text_of(outcome->reason), style);
    write_row(out, "error", text_of(outcome->error), style);
    write_row(out, "details", outcome->details, style);
    write_row(out, "metadata", outcome->metadata, style);
}
