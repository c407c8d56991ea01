/* Lengths of time as people write them, and instants as weir does. */
#include <stdio.h>

#include "civil.h"
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

void instant_format(int64_t seconds, char out[INSTANT_TEXT_SIZE])
{
    int64_t days = floor_divide(seconds, SECONDS_PER_DAY), rest = seconds - days * SECONDS_PER_DAY;
    struct civil_date date = civil_from_days(days);
    int64_t year = date.year < 0 ? 0 : date.year > 9999 ? 9999 : date.year;
    snprintf(out, INSTANT_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, date.month,
             date.day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}
