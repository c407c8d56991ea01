/* Lengths of time as people write them, and instants as weir does. */
#include <stdio.h>

#include "definitions.h"

#define PERIOD_MAX (INT64_C(3653) * 86400) /* ten years */

static const struct {
    char letter;
    int64_t seconds;
} units[] = {{'w', 604800}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

bool period_parse(struct text text, int64_t *seconds)
{
    int64_t number = 0;
    if (text.length < 2 || text.length > 10)
        return false;
    for (size_t i = 0; i + 1 < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (text.data[i] - '0');
    }
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (units[i].letter != text.data[text.length - 1])
            continue;
        *seconds = number * units[i].seconds; /* nine digits of weeks fit */
        return *seconds <= PERIOD_MAX;
    }
    return false;
}

void period_format(int64_t seconds, char out[PERIOD_TEXT_SIZE])
{
    size_t i = 0;
    if (seconds > 0) {
        while (seconds % units[i].seconds)
            i++;
    } else {
        i = COUNT_OF(units) - 1;
    }
    snprintf(out, PERIOD_TEXT_SIZE, "%lld%c", (long long)(seconds / units[i].seconds),
             units[i].letter);
}

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": civil_from_days. */
void instant_format(int64_t seconds, char out[INSTANT_TEXT_SIZE])
{
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    snprintf(out, INSTANT_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ",
             (int)(year < 0      ? 0
                   : year > 9999 ? 9999
                                 : year),
             (int)month, (int)day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}
