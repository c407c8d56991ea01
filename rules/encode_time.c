/* before and after: numbers of seconds, RFC 3339 strings in UTC, and the time of the evaluation. */
#include "encode_private.h"
#include "json.h"

/* Digits of the time in UTC, "20260101000000". */
static void write_time_digits(struct encoder *encoder, int64_t seconds)
{
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    /* Hinnant's civil_from_days */
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    buffer_printf(encoder->out, "\"%04d%02d%02d%02d%02d%02d\"",
                  (int)(year_of_era + era * 400 + (month <= 2)), (int)month, (int)day,
                  (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
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
