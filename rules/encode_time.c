/* before and after: numbers of seconds, RFC 3339 strings in UTC, and the time of the evaluation. */
#include "civil.h"
#include "encode_private.h"
#include "json.h"

/* Digits of the time in UTC, "20260101000000". */
static void write_time_digits(struct encoder *encoder, int64_t seconds)
{
    int64_t days = floor_divide(seconds, SECONDS_PER_DAY), rest = seconds - days * SECONDS_PER_DAY;
    struct civil_date date = civil_from_days(days);
    buffer_printf(encoder->out, "\"%04d%02d%02d%02d%02d%02d\"", (int)date.year, date.month,
                  date.day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

void encode_time(struct encoder *encoder, const struct condition *condition, struct text operand)
{
    const struct scalar *scalar = condition->operands;
    bool before = condition->operator_name == OPERATOR_BEFORE;
    int64_t seconds = 0;
    if (scalar->type == SCALAR_STRING)
        time_parse(scalar->string, &seconds);
    if (text_is(condition->attribute, "$flagd.timestamp")) {
        buffer_printf(encoder->out, "{\"%s\":[", before ? "<" : ">=");
        buffer_append_text(encoder->out, operand);
        buffer_append_char(encoder->out, ',');
        json_write_number(encoder->out,
                          scalar->type == SCALAR_NUMBER ? scalar->number : (double)seconds);
        encode_raw(encoder, "]}");
        return;
    }
    if (scalar->type == SCALAR_NUMBER) {
        encode_compare(encoder, before ? "<" : ">", scalar, operand);
        return;
    }
    encode_raw(encoder, "{\"and\":[");
    encode_guard(encoder->out, GUARD_STRING, operand, encoder->evaluators);
    encode_template(
        encoder->out,
        ",{\"===\":[{\"substr\":[$,4,1]},\"-\"]},{\"===\":[{\"substr\":[$,7,1]},\"-\"]},"
        "{\"===\":[{\"substr\":[$,10,1]},\"T\"]},{\"===\":[{\"substr\":[$,13,1]},\":\"]},"
        "{\"===\":[{\"substr\":[$,16,1]},\":\"]},{\"in\":[{\"substr\":[$,19,1]},\".Z\"]},"
        "{\"ends_with\":[$,\"Z\"]},",
        operand);
    buffer_printf(encoder->out, "{\"%s\":[", before ? "<" : ">");
    encode_template(encoder->out,
                    "{\"cat\":[{\"substr\":[$,0,4]},{\"substr\":[$,5,2]},{\"substr\":[$,8,2]},{"
                    "\"substr\":[$,11,2]},"
                    "{\"substr\":[$,14,2]},{\"substr\":[$,17,2]}]},",
                    operand);
    write_time_digits(encoder, seconds);
    encode_raw(encoder, "]}]}");
}
